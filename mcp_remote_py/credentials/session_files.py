"""The state of a session as far as it is not secret: one small plain file each (decision D9).

Which transport answered, who is signed in until when, what went wrong last: `status` shows it
without a keyring. A file that is missing, broken or from a later version means "nothing known",
never an error: everything in it can be found out again. But for the budget: of that only a file
that is missing tells that nothing was tried. Must not know tokens or the keyring.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypedDict, Unpack

import msgspec

from mcp_remote_py.credentials.files import (
    copy_aside,
    delete,
    names_in,
    read_private,
    write_private,
)
from mcp_remote_py.errors import StoreError
from mcp_remote_py.oauth.budget import SignInBudget, apply_late, make_spent
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.values import Value

logger = logging.getLogger("mcp_remote_py.credentials")

RECORD_SCHEMA = 2
"""2 added all but `server` and `transport`. A record of 1 reads as one with nothing more in it."""
MAX_UNWRITTEN = 1000
"""Changes kept while a disk refuses them. The policy's waits make it days until there are so many,
and what was tried a day ago counts for nothing."""
DIRECTORY_VARIABLE = "MCP_REMOTE_CONFIG_DIR"
"""mcp-remote's name for the folder of what it keeps."""

_MARK = ".worked"
"""Ending of the name of an empty file: the server has answered before."""

_FILE_NAME = lazy_pattern(r"[0-9a-f]{32}\.json")


class SessionRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One session's record; the first three members are its key.

    "" and None are for what is not known. Times are seconds since the epoch.
    """

    server: str = ""
    profile: str = ""
    resource: str = ""
    """As the person named it, "" where they did not; not what the server publishes."""
    transport: str = ""
    era: str = ""
    """"legacy" or "modern" where the server speaks that one only, as a host of the other found."""
    issuer: str = ""
    scope: str = ""
    """The scopes that were granted, separated by blanks."""
    account: str = ""
    """The account that is signed in, by the claims of the token, where it has any."""
    store: str = ""
    """The store that the token is kept in."""
    signed_in_at: float | None = None
    """None: nobody is signed in."""
    expires_at: float | None = None
    """End of the access token; None where the server did not give a lifetime."""
    renewable: bool | None = None
    """Whether there is a new token then without a person; None where that is not known."""
    port: int | None = None
    """The port of the redirect URI that was registered."""
    last_error: str = ""
    last_hint: str = ""
    """Cause and next step that a person was told; "" once a sign-in has succeeded."""
    budget: SignInBudget = msgspec.field(default=SignInBudget(), name="ledger")
    """The sign-in budget (promise L2), under the name that 0.1.0 knows in the file."""
    login_options: str = ""
    """Options of whoever changed the budget last, for a command that begins the same sign-in."""

    @property
    def tells_of_answers(self) -> bool:
        """Whether something is in it that only the server's answers can have brought."""
        return bool(self.transport or self.era or self.issuer or self.signed_in_at)

    def is_over(self, now: float) -> bool:
        """Whether the sign-in surely has ended by itself at `now`, in seconds since the epoch."""
        has_expired = self.expires_at is not None and self.expires_at <= now
        return has_expired and self.renewable is False

    @property
    def session(self) -> SessionId:
        """The session that the record is of."""
        return SessionId(self.server, self.resource, self.profile)


if TYPE_CHECKING:
    from pathlib import Path  # a hundredth of a start, which only reads

    class SessionChanges(TypedDict, total=False):  # to make one takes half a millisecond
        """The members of a record that may change: all but its key."""

        transport: str
        era: str
        issuer: str
        scope: str
        account: str
        store: str
        signed_in_at: float | None
        expires_at: float | None
        renewable: bool | None
        port: int | None
        last_error: str
        last_hint: str
        budget: SignInBudget
        login_options: str


class _Record(SessionRecord, frozen=True, omit_defaults=True):
    """The state as it lies in a file."""

    schema: int = 1
    """Records of the first version do not name theirs."""


def state_directory(environment: Mapping[str, str]) -> Path:
    """The folder of the records."""
    from pathlib import Path

    return Path(state_folder(environment))


def state_folder(environment: Mapping[str, str], platform: str = sys.platform) -> str:
    """Its name: the variable's, else the platform's for local state."""
    named = environment.get(DIRECTORY_VARIABLE)
    if named:
        return os.path.join(named, "mcp-remote-py")
    state, home = environment.get("XDG_STATE_HOME", ""), environment.get("HOME", "")
    if platform == "linux" and (state or home).startswith("/") and state == state.strip():
        # What platformdirs says as well; to be told so costs 5 of the 120 ms of a start.
        return os.path.join(state or f"{home}/.local/state", "mcp-remote-py")
    import platformdirs

    return platformdirs.user_state_dir("mcp-remote-py", appauthor=False)


_Change = Callable[[SessionRecord], SessionRecord]


class _Found(Value, frozen=True):
    """The record on the disk; `broken` is the content of the file where it is not one of ours."""

    state: SessionRecord
    broken: bytes | None = None


class SessionFile:
    """The record of one session.

    Keeps changes, not records: what could not be written is made again on whatever is on disk by
    then, at each look and at the next change. May be used from several threads.
    """

    def __init__(
        self, folder: Path | str, session: SessionId, randomness: RandomBytes = os.urandom
    ) -> None:
        self._empty = SessionRecord(
            server=session.server, profile=session.profile, resource=session.resource
        )
        name = os.path.join(folder, session.record_name)
        self._name = f"{name}.json"
        self._mark_name = f"{name}{_MARK}"
        self._randomness = randomness
        self._unwritten: deque[_Change] = deque(maxlen=MAX_UNWRITTEN)
        """In their order. They hold for this process at least: budgets must not run dry."""
        self._failure = ""
        """Why, where there are some; said once."""

    @functools.cached_property
    def _path(self) -> Path:
        """For whoever changes something: a start only reads."""
        from pathlib import Path

        return Path(self._name)

    def read(self) -> SessionRecord:
        """The record, or an empty one where there is none that can be used."""
        try:
            found = self._load()
        except StoreError as error:
            self._say("cannot be used", error)
            found = None
        state = SessionRecord() if found is None or found.broken is not None else found.state
        return self._catch_up(state) if self._unwritten else state

    def has_worked(self) -> bool:
        """Whether the server has answered before, to whichever process."""
        return os.path.lexists(self._mark_name) or self.read().tells_of_answers

    def note_worked(self) -> None:
        """Keeps that it has, in a file without content: there need not be a record for that."""
        try:
            write_private(self._path.with_suffix(_MARK), b"", self._randomness)
        except StoreError as error:
            logger.debug("That the server has worked is not kept: %s", error.sentence())

    def look(self) -> SessionRecord:
        """The record, for whoever acts upon its budget.

        One that is broken has a budget that is spent: whatever was tried may stand there.

        Raises:
            StoreError: there is one, and it cannot be read now.
        """
        found = self._load()
        return self._catch_up(found.state if found is not None else self._empty)

    def update(self, **changes: Unpack[SessionChanges]) -> None:
        """Changes some members, at once or not at all; readable by its owner only.

        Where it cannot be written that is logged, and holds for this process only, until it can.
        """

        def change(state: SessionRecord) -> SessionRecord:
            return msgspec.structs.replace(state, **changes)

        def make_late(before: SessionRecord) -> _Change:
            def change_late(state: SessionRecord) -> SessionRecord:
                # What others have written meanwhile is newer.
                is_as_before = all(
                    getattr(state, name) == getattr(before, name) for name in changes
                )
                return change(state) if is_as_before else state

            return change_late

        self._change(change, make_late)

    def amend(
        self,
        change: Callable[[SignInBudget], SignInBudget],
        *,
        must_last: bool = False,
        login_options: str = "",
    ) -> SignInBudget:
        """Changes the budget, at once or not at all; returns the new one. Else as `update`.

        Raises:
            StoreError: it cannot be written and `must_last`; then it is as if nothing was asked.
        """

        def change_now(state: SessionRecord) -> SessionRecord:
            budget = change(state.budget)
            return msgspec.structs.replace(state, budget=budget, login_options=login_options)

        def change_late(state: SessionRecord) -> SessionRecord:
            budget = apply_late(state.budget, change)
            return msgspec.structs.replace(state, budget=budget, login_options=login_options)

        return self._change(change_now, lambda _: change_late, must_last=must_last).budget

    def flush(self) -> None:
        """Tries once more to write what could not be written."""
        if self._unwritten:
            self.update()

    def _change(
        self,
        change: _Change,
        make_late: Callable[[SessionRecord], _Change],
        *,
        must_last: bool = False,
    ) -> SessionRecord:
        """Under a lock of its own, held for no longer than this: no process loses a change."""
        from mcp_remote_py.credentials.lock import hold_blocking  # 5 ms that a reader saves

        known = self._empty
        path = self._path
        try:
            # Without the lock nothing is written: it could undo what another process writes.
            with hold_blocking(path.parent / "locks" / f"{path.stem}.state.lock"):
                found = self._load()
                known = self._empty if found is None else found.state
                changed = change(self._catch_up(known))
                self._write(changed, None if found is None else found.broken)
                self._unwritten.clear()
                self._failure = ""
                return changed
        except StoreError as error:
            if must_last:
                raise
            self._say("cannot be written", error)
        before = self._catch_up(known)
        self._unwritten.append(make_late(before))
        return change(before)

    def _catch_up(self, state: SessionRecord) -> SessionRecord:
        for change in tuple(self._unwritten):
            state = change(state)
        return state

    def _say(self, what: str, error: StoreError) -> None:
        """Once: a disk that is full is so for long."""
        if error.cause != self._failure:
            logger.warning("The record %s %s: %s", self._name, what, error.sentence())
        self._failure = error.cause

    def delete(self) -> bool:
        """Forgets the session; whether it is gone, as it also is without a record."""
        self._unwritten.clear()
        path = self._path
        try:
            for name in names_in(path.parent):
                if name.startswith((path.name, path.with_suffix(_MARK).name)):
                    delete(path.parent / name)
        except StoreError as error:
            logger.warning("%s", error.sentence())
            return False
        return True

    def _load(self) -> _Found | None:
        """The record there, None without one. Raises StoreError where that cannot be found out."""
        if (content := _read(self._name)) is None:
            return None
        with contextlib.suppress(ValueError):
            state = _parse(content)
            if state is not None and state.session == self._empty.session:
                return _Found(state)
        spent = make_spent(_changed_at(self._name))
        return _Found(msgspec.structs.replace(self._empty, budget=spent), content)

    def _write(self, state: SessionRecord, broken: bytes | None) -> None:
        record = _Record(**msgspec.structs.asdict(state), schema=RECORD_SCHEMA)
        if broken:  # what is empty, or a folder, has nothing to keep
            # A copy: where the next write fails, a record that is missing would be a full budget.
            why = "It is not a record of this version."
            copy_aside(self._path, broken, why, self._randomness)
        write_private(self._path, msgspec.json.encode(record), self._randomness)


def list_records(directory: Path) -> list[SessionRecord]:
    """Every record in the folder that is usable, by server, profile and resource."""
    try:
        return read_records(directory)
    except StoreError as error:
        logger.warning("%s", error.sentence())
        return []


def read_records(directory: Path) -> list[SessionRecord]:
    """The same, for whoever must not take a folder that cannot be read for an empty one.

    Raises:
        StoreError: the folder cannot be read.
    """
    names = [name for name in names_in(directory) if _FILE_NAME.fullmatch(name)]
    states: list[SessionRecord] = []
    for name in names:
        path = directory / name
        try:
            state = _parse(_read(path) or b"")
        except StoreError as error:
            logger.warning("%s", error.sentence())
        except ValueError as error:
            logger.warning("The record %s is not usable and is ignored: %s", path, error)
        else:
            # A copy under another name, or one somebody edited, is nobody's record.
            if state is not None and path.stem == state.session.record_name:
                states.append(state)
    return sorted(states, key=lambda state: (state.server, state.profile, state.resource))


# Made at import: msgspec crashes where two threads meet a new type (SIGSEGV, 0.22).
_decode_record = msgspec.json.Decoder(_Record).decode


def _read(path: Path | str) -> bytes | None:
    """The bytes of a record, None where there is not one and cannot be one.

    Raises:
        StoreError: there is one that cannot be read.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # the next says why
    return read_private(path)


def _changed_at(path: str) -> float:
    """Seconds since the epoch, 0 for a file that is gone in this moment. Raises as `_read`."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from None


def _parse(content: bytes) -> SessionRecord | None:
    """The record in the content of a file, None where it is of a later version.

    Raises:
        ValueError: it is not a record.
    """
    try:
        record = _decode_record(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not 1 <= record.schema <= RECORD_SCHEMA:
        return None
    return SessionRecord(
        **{name: getattr(record, name) for name in SessionRecord.__struct_fields__}
    )
