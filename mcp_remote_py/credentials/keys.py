"""Finds the key that seals the records: in the keyring, or in a file beside them.

The keyring holds one item per user. 32 bytes fit everywhere (field note 35). It is written once,
read once per process (field note 36), and never waited for without an end (field note 37). Must not
know what is sealed.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, cast

from mcp_remote_py.credentials.desktop_keyring import Backend, open_keyring
from mcp_remote_py.credentials.files import quarantine, read_private, write_private
from mcp_remote_py.credentials.lock import hold_blocking
from mcp_remote_py.credentials.sealed import KEY_BYTES, SealedStore
from mcp_remote_py.credentials.store import MemoryStore, Store
from mcp_remote_py.errors import StoreError, one_line
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.redact import Secret, remember, scrub_known

Question = Callable[[], bytes | None]
_Answer = tuple[bytes | None, StoreError | None]

logger = logging.getLogger("mcp_remote_py.credentials")

SERVICE = "mcp-remote-py"
USER_NAME = "sealing key"
"""The name of the one item in the keyring."""
ASIDE_NAME = f"{USER_NAME}, moved aside"
"""The name that an item gets which stands in the place of a key and is not one."""
KEYRING_PATIENCE = 30.0
"""Seconds. Someone may be typing the password of a locked keyring; some never answer at all."""

FOLDER = "sessions"
KEYRING = "keyring"
FILE = "file"


class KeySource(Protocol):
    """One place that holds a key."""

    def read(self) -> bytes | None:
        """The key, or None where there is none. Raises StoreError where that is not known."""
        ...

    def obtain(self) -> bytes:
        """The key, made first where there is none. Raises StoreError where it would not last."""
        ...


class KeyringKey:
    """The key in the keyring of the desktop; `lock` is the file that lets one process make it.

    `open_backend` finds the keyring, `patience` is in seconds.
    """

    def __init__(
        self,
        lock: Path,
        randomness: RandomBytes,
        open_backend: Callable[[], Backend],
        patience: float = KEYRING_PATIENCE,
    ) -> None:
        self._lock = lock
        self._randomness = randomness
        self._open_backend = open_backend
        self._patience = patience
        self._key: bytes | None = None
        self._one_at_a_time = threading.Lock()
        self._unanswered: dict[Question, SimpleQueue[_Answer]] = {}

    def read(self) -> bytes | None:
        """See `KeySource`; a key that was found is not asked for again."""
        with self._one_at_a_time:
            self._key = self._key or self._ask(self._find)
            return self._key

    def obtain(self) -> bytes:
        """See `KeySource`; a new key is read back before anyone relies on it."""
        with self._one_at_a_time:
            self._key = self._key or self._ask(self._find_or_make)
            return cast("bytes", self._key)  # what is made is not None

    def _ask(self, question: Question) -> bytes | None:
        """Its answer, from a thread that nobody has to wait for.

        What has not been answered is not asked again, but waited for again: the person may see
        a prompt, and a second one would not help.
        """
        answers = self._unanswered.pop(question, None)
        if answers is None:
            answers = SimpleQueue[_Answer]()
            # A daemon: a keyring that never answers must not hold up the end.
            threading.Thread(
                target=_answer, args=(question, answers), name="keyring", daemon=True
            ).start()
        try:
            result, error = answers.get(timeout=self._patience)
        except Empty:
            self._unanswered[question] = answers
            raise StoreError(
                f"The keyring has not answered for {self._patience:.0f} s.", hint=_HINT
            ) from None
        if error is not None:
            raise error
        return result

    def _find(self) -> bytes | None:
        return _parse(self._open_backend().get_password(SERVICE, USER_NAME))

    def _find_or_make(self) -> bytes:
        with hold_blocking(self._lock):
            backend = self._open_backend()
            found = backend.get_password(SERVICE, USER_NAME)
            key = _parse(found)
            if key is not None:
                return key
            if found:  # records may depend on it, whatever has become of it
                backend.set_password(SERVICE, ASIDE_NAME, found)
            key = self._randomness(KEY_BYTES)
            text = base64.b64encode(key).decode("ascii")
            remember([Secret(text)])
            backend.set_password(SERVICE, USER_NAME, text)
            if backend.get_password(SERVICE, USER_NAME) == text:
                return key
            with contextlib.suppress(Exception):  # there may be nothing to delete
                backend.delete_password(SERVICE, USER_NAME)
            raise StoreError("The keyring does not keep what is written to it.", hint=_HINT)


_HINT = "Unlock it and try again, or add --token-store file."


def _answer(question: Question, answers: SimpleQueue[_Answer]) -> None:
    try:
        answers.put((question(), None))
    except StoreError as error:
        answers.put((None, error))
    except Exception as error:  # native errors of every desktop there is
        words = scrub_known(one_line(f"{type(error).__name__}: {error}")).rstrip(" .:!")
        answers.put((None, StoreError(f"The keyring failed: {words}.", hint=_HINT)))


def _parse(text: str | None) -> bytes | None:
    """The key of the item; one that is not a key of ours is as good as none."""
    if text is None:
        return None
    remember([Secret(text)])
    with contextlib.suppress(ValueError):
        key = base64.b64decode(text, validate=True)
        if len(key) == KEY_BYTES:
            return key
    logger.warning("The item %s in the keyring is not a key, and will be replaced.", SERVICE)
    return None


class FileKey:
    """The key in a file of its owner: for a machine without a keyring, or where that is wanted."""

    def __init__(self, path: Path, randomness: RandomBytes) -> None:
        self._path = path
        self._randomness = randomness

    def read(self) -> bytes | None:
        """See `KeySource`; a broken file is moved aside."""
        key = read_private(self._path)
        if key is None or len(key) == KEY_BYTES:
            return key
        quarantine(self._path, key, "It is not a key.")
        return None

    def obtain(self) -> bytes:
        """See `KeySource`."""
        key = self.read()
        if key is None:
            with hold_blocking(self._path.with_suffix(".lock")):
                key = self.read()
                if key is None:
                    key = self._randomness(KEY_BYTES)
                    write_private(self._path, key, self._randomness)
        return key


class ChosenKeys:
    """The `Keys` of a `SealedStore`: seals with one source, opens what any of them has sealed.

    `wanted` is what the person chose: KEYRING or FILE. Without a usable keyring, the file
    takes its place; that is said once and written to `choice`, so that no later start asks
    again, waits again, or seals with something else.
    """

    def __init__(
        self, wanted: str, choice: Path, sources: Mapping[str, KeySource], randomness: RandomBytes
    ) -> None:
        self._wanted = wanted
        self._choice = choice
        self._sources = sources
        self._randomness = randomness
        self._one_at_a_time = threading.Lock()

    def for_sealing(self) -> tuple[str, bytes]:
        """See `Keys`."""
        with self._one_at_a_time:
            name = self._chosen()
            if name is None:
                return self._choose()
            return name, self._sources[name].obtain()

    def _choose(self) -> tuple[str, bytes]:
        try:
            name, key = KEYRING, self._sources[KEYRING].obtain()
        except StoreError as error:
            name, key = FILE, self._sources[FILE].obtain()
            logger.warning(
                "%s Sign-ins and their key are in files that only you can read: %s. To use a"
                " keyring later, delete %s there.",
                error.cause,
                self._choice.parent,
                self._choice.name,
            )
        write_private(self._choice, f"{name}\n".encode(), self._randomness)
        return name, key

    def for_opening(self, name: str) -> bytes | None:
        """See `Keys`."""
        source = self._sources.get(name)
        try:
            key = source.read() if source is not None else None
        except StoreError as error:
            if name == (self._chosen() or KEYRING):
                raise
            # The person has left that keyring for a file: it may be the one that never answers.
            logger.warning("A stored sign-in cannot be read: %s", error.sentence())
            return None
        if key is None:
            logger.warning("A stored sign-in cannot be read: its key (%s) is gone.", name)
        return key

    def describe(self) -> str:
        """See `Keys`."""
        match self._wanted, self._chosen():
            case "file", _:
                return "the key in a file beside them"
            case _, "file":
                return "the key in a file beside them (no usable keyring was found)"
            case _, "keyring":
                return "the key in the keyring"
            case _:
                return "the key in the keyring from the first sign-in on"

    def _chosen(self) -> str | None:
        if self._wanted == FILE:
            return FILE
        name = (read_private(self._choice) or b"").decode("ascii", "replace").strip()
        return name if name in self._sources else None


def choose_store(
    kind: str,
    directory: Path,
    randomness: RandomBytes,
    open_backend: Callable[[], Backend] | None = None,
    patience: float = KEYRING_PATIENCE,
) -> Store:
    """The store for `--token-store`, its files in a folder of the state directory.

    Touches neither keyring nor disk. `kind` is "keyring", "file" or "memory".
    """
    if kind == "memory":
        return MemoryStore()
    folder = directory / FOLDER
    open_backend = open_backend or partial(open_keyring, folder / "keyring-name", randomness)
    sources: dict[str, KeySource] = {
        KEYRING: KeyringKey(folder / "keyring.lock", randomness, open_backend, patience),
        FILE: FileKey(folder / "key", randomness),
    }
    return SealedStore(
        folder, ChosenKeys(kind, folder / "key-source", sources, randomness), randomness
    )
