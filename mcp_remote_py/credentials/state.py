"""What is remembered of a session and is no secret: one small plain file each (decision D9).

A session is one account at one server: server URL, the resource and the profile a person named
(decision D7). Which transport answered, who is signed in until when, what went wrong last:
`status` shows it without a keyring. A file that is missing, broken or from a later version means
"nothing known", never an error: everything in it can be found out again. Must not know tokens
or the keyring.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict, Unpack

import msgspec

from mcp_remote_py.oauth.ledger import Ledger

logger = logging.getLogger("mcp_remote_py.credentials")

SCHEMA = 2
"""2 added all but `server` and `transport`. A record of 1 reads as one with nothing more in it."""
DIRECTORY_VARIABLE = "MCP_REMOTE_CONFIG_DIR"
"""mcp-remote's name for the folder of what it keeps."""

_FILE_NAME = re.compile(r"[0-9a-f]{32}\.json")


class State(msgspec.Struct, frozen=True, omit_defaults=True):
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
    """What was granted."""
    account: str = ""
    """Who is signed in, by the claims of the token, where it has any."""
    store: str = ""
    """Where the token is kept."""
    signed_in_at: float | None = None
    """None: nobody is signed in."""
    expires_at: float | None = None
    """Of the access token; None where the server gave no lifetime."""
    port: int | None = None
    """Of the redirect URI that was registered."""
    last_error: str = ""
    last_hint: str = ""
    """What a person was told, cause and next step; "" once a sign-in has succeeded."""
    ledger: Ledger = Ledger()
    """The sign-in budget (promise L2)."""


class StateChanges(TypedDict, total=False):
    """What may change in a record: all but its key."""

    transport: str
    era: str
    issuer: str
    scope: str
    account: str
    store: str
    signed_in_at: float | None
    expires_at: float | None
    port: int | None
    last_error: str
    last_hint: str
    ledger: Ledger


class _Record(State, frozen=True, omit_defaults=True):
    """The state as it lies in a file."""

    schema: int = 1
    """Records of the first version do not name theirs."""


def state_directory(environment: Mapping[str, str]) -> Path:
    """Where records lie: the variable's folder, else the platform's for local state."""
    named = environment.get(DIRECTORY_VARIABLE)
    if named:
        return Path(named) / "mcp-remote-py"
    import platformdirs

    return Path(platformdirs.user_state_dir("mcp-remote-py", appauthor=False))


def name_session(server: str, resource: str = "", profile: str = "") -> str:
    """A file name, without extension, for what is kept of this session; it tells nothing of it.

    Where neither resource nor profile is named it is that of the first version, which knew only
    the server.
    """
    # A line break occurs in none of the three.
    key = "\n".join((server, resource, profile)) if resource or profile else server
    return hashlib.sha256(key.encode()).hexdigest()[:32]


class StateFile:
    """The record of one session."""

    def __init__(self, directory: Path, server: str, resource: str = "", profile: str = "") -> None:
        self._empty = State(server=server, resource=resource, profile=profile)
        self._unwritten: State | None = None
        """What could not be written holds for this process at least: budgets must not run dry."""
        self._path = directory / f"{name_session(server, resource, profile)}.json"

    def read(self) -> State:
        """The record, or an empty one."""
        return self._unwritten or self._read() or State()

    def update(self, **changes: Unpack[StateChanges]) -> None:
        """Changes some members, at once or not at all; readable by its owner only."""
        self._change(lambda state: msgspec.structs.replace(state, **changes))

    def amend(self, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Changes the ledger, at once or not at all; returns the new one.

        Where it cannot be written that is logged, and the new one holds for this process only.
        """
        return self._change(
            lambda state: msgspec.structs.replace(state, ledger=change(state.ledger))
        ).ledger

    def _change(self, change: Callable[[State], State]) -> State:
        """Under a lock of its own, held for no longer than this: no process loses a change."""
        from mcp_remote_py.credentials.lock import hold_blocking  # 5 ms that a reader saves
        from mcp_remote_py.credentials.store import StoreError

        lock = self._path.parent / "locks" / f"{self._path.stem}.state.lock"
        try:
            with hold_blocking(lock):
                return self._change_now(change)
        except StoreError as error:
            logger.warning("The record %s is not locked: %s", self._path, error.sentence())
            return self._change_now(change)

    def _change_now(self, change: Callable[[State], State]) -> State:
        state = change(self._unwritten or self._read() or self._empty)
        self._unwritten = None if self._write(state) else state
        return state

    def delete(self) -> None:
        """Forgets the session; a record that is not there is as good."""
        self._unwritten = None
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("The record %s cannot be deleted: %s", self._path, error)

    def _read(self) -> State | None:
        state = _read(self._path)
        return state if state is not None and _key(state) == _key(self._empty) else None

    def _write(self, state: State) -> bool:
        record = _Record(**msgspec.structs.asdict(state), schema=SCHEMA)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(record))
                os.replace(temporary, self._path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            logger.warning("The record %s cannot be written: %s", self._path, error)
            return False
        return True


def list_states(directory: Path) -> list[State]:
    """Every record in the folder that is usable, by server, profile and resource."""
    try:
        paths = [path for path in directory.iterdir() if _FILE_NAME.fullmatch(path.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        logger.warning("The folder %s cannot be read: %s", directory, error)
        return []
    states = [
        state
        for path in paths
        if (state := _read(path)) is not None
        # A copy under another name, or one somebody edited, is nobody's record.
        and path.stem == name_session(state.server, state.resource, state.profile)
    ]
    return sorted(states, key=_key)


def _key(state: State) -> tuple[str, str, str]:
    return state.server, state.profile, state.resource


# Made at import: msgspec crashes where two threads meet a new type (SIGSEGV, 0.22).
_decode_record = msgspec.json.Decoder(_Record).decode


def _read(path: Path) -> State | None:
    """The record in a file, None where there is none that can be used."""
    try:
        record = _decode_record(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        # ValueError: msgspec's own, and that of bytes that are no UTF-8
        logger.warning("The record %s is not usable and is ignored: %s", path, error)
        return None
    if not 1 <= record.schema <= SCHEMA:
        return None
    return State(**{name: getattr(record, name) for name in State.__struct_fields__})
