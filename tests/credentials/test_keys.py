"""The key comes from the keyring where there is a good one, else from a file, and never hangs."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mcp_remote_py.credentials.keys import (
    SERVICE,
    USER_NAME,
    Backend,
    FileKey,
    choose_store,
)
from mcp_remote_py.credentials.sealed import KEY_BYTES
from mcp_remote_py.credentials.store import MemoryStore, Store, StoreError
from tests.credentials.contract import (
    CANARY,
    FULL,
    ONLY_CLIENT,
    OTHER,
    SESSION,
    LastingStoreContract,
    session_of,
)
from tests.credentials.keyrings import (
    FakeKeyring,
    ForgetfulKeyring,
    LockedKeyring,
    ManglingKeyring,
    SilentKeyring,
    TalkativeKeyring,
)

SHORT = 0.05
"""Seconds to wait for a keyring that will not answer."""
PATIENCE = 30
HINT = " Unlock it and try again, or add --token-store file."


def store_with(
    backend: Backend, folder: Path, kind: str = "keyring", patience: float = PATIENCE
) -> Store:
    """The store of one more start of the program."""
    return choose_store(kind, folder, os.urandom, lambda: backend, patience)


def no_keyring() -> Backend:
    raise AssertionError("the keyring was touched")


def unavailable() -> Backend:
    raise StoreError("This session does not have a keyring.")


class TestKeyringStore(LastingStoreContract):
    backend: FakeKeyring

    def open_store(self, folder: Path) -> Store:
        self.backend = getattr(self, "backend", FakeKeyring())
        return store_with(self.backend, folder)


class TestFileStore(LastingStoreContract):
    def open_store(self, folder: Path) -> Store:
        return choose_store("file", folder, os.urandom, no_keyring)


class TestFallbackStore(LastingStoreContract):
    def open_store(self, folder: Path) -> Store:
        return choose_store("keyring", folder, os.urandom, unavailable)


@pytest.mark.promise("A7")
def test_hundred_saves_write_the_keyring_once_and_a_restart_never(tmp_path: Path) -> None:
    backend = FakeKeyring()
    store = store_with(backend, tmp_path)
    store.prepare()
    for number in range(100):
        store.save(SESSION, FULL._replace(scope=str(number)))
        assert store.load(SESSION) is not None
    # One look for a key, and one to see that the new one is kept.
    assert (backend.writes, backend.reads) == (1, 2)
    assert list(backend.items) == [(SERVICE, USER_NAME)]
    for start in range(1, 4):
        again = store_with(backend, tmp_path)
        again.prepare()
        for number in range(100):
            again.save(SESSION, FULL._replace(scope=str(number)))
            assert again.load(SESSION) is not None
        assert (backend.writes, backend.reads) == (1, 2 + start)


@pytest.mark.promise("A7")
def test_one_item_of_the_keyring_serves_all_sessions_and_fits_on_windows(tmp_path: Path) -> None:
    backend = FakeKeyring()
    store = store_with(backend, tmp_path)
    for number in range(10):
        store.save(session_of(str(number)), FULL)
    (text,) = backend.items.values()
    assert len(text.encode("utf-16-le")) < 100
    assert len(store.sessions()) == 10


@pytest.mark.promise("A7")
def test_names_and_description_touch_no_keyring(tmp_path: Path) -> None:
    store_with(FakeKeyring(), tmp_path).save(SESSION, FULL)
    store = choose_store("keyring", tmp_path, os.urandom, no_keyring)
    assert store.sessions() == [SESSION]
    assert store.describe() == f"sealed files in {tmp_path / 'sessions'}, the key in the keyring"
    assert store.load(OTHER) is None
    assert store.forget(SESSION) is True


class NoKeyring(FakeKeyring):
    def get_password(self, service: str, username: str, /) -> str | None:
        raise StoreError("This session does not have a keyring.")


FAILED = "The keyring failed: "
FORGETS = "The keyring does not keep what is written to it."
USELESS = {
    NoKeyring: "This session does not have a keyring.",
    LockedKeyring: f"{FAILED}KeyringLocked: Failed to unlock the collection.",
    SilentKeyring: "The keyring has not answered for 0 s.",
    ForgetfulKeyring: FORGETS,
    ManglingKeyring: FORGETS,
    TalkativeKeyring: f"{FAILED}RuntimeError: cannot keep ****.",
}
"""Keyrings nothing can be kept in, and what is said of each."""


@pytest.mark.promise("A7", "S2")
@pytest.mark.parametrize(("keyring", "cause"), USELESS.items())
def test_without_a_usable_keyring_a_file_takes_its_place_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, keyring: type[FakeKeyring], cause: str
) -> None:
    backend = keyring()
    patience = SHORT if keyring is SilentKeyring else PATIENCE
    folder = tmp_path / "sessions"
    with caplog.at_level(logging.WARNING):
        store = store_with(backend, tmp_path, patience=patience)
        store.prepare()
        store.save(SESSION, FULL)
    assert [record.getMessage() for record in caplog.records] == [
        f"{cause} Sign-ins and their key are in files that only you can read: {folder}. To use a"
        " keyring later, delete key-source there."
    ]
    assert store.load(SESSION) == FULL
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert backend.items == {}
    assert store.describe() == (
        f"sealed files in {folder}, the key in a file beside them (no usable keyring was found)"
    )
    caplog.clear()
    again = choose_store("keyring", tmp_path, os.urandom, no_keyring)
    again.prepare()
    assert again.load(SESSION) == FULL
    again.save(SESSION, ONLY_CLIENT)
    assert caplog.text == ""


@pytest.mark.promise("A7")
def test_deleting_the_choice_lets_a_keyring_take_over_without_a_new_sign_in(
    tmp_path: Path,
) -> None:
    choose_store("keyring", tmp_path, os.urandom, unavailable).save(SESSION, FULL)
    (tmp_path / "sessions" / "key-source").unlink()
    backend = FakeKeyring()
    store = store_with(backend, tmp_path)
    assert store.load(SESSION) == FULL
    store.save(SESSION, ONLY_CLIENT)
    (tmp_path / "sessions" / "key").unlink()
    assert store_with(backend, tmp_path).load(SESSION) == ONLY_CLIENT


@pytest.mark.promise("A7")
def test_chosen_keyring_that_is_locked_later_is_an_error_and_no_second_choice(
    tmp_path: Path,
) -> None:
    backend = LockedKeyring()
    backend.locked = False
    store_with(backend, tmp_path).save(SESSION, FULL)
    backend.locked = True
    store = store_with(backend, tmp_path)
    tasks = (store.prepare, lambda: store.load(SESSION), lambda: store.save(SESSION, FULL))
    for task in tasks:
        with pytest.raises(StoreError) as caught:
            task()
        assert caught.value.sentence() == (
            "The keyring failed: KeyringLocked: Failed to unlock the collection." + HINT
        )
    backend.locked = False
    assert store.load(SESSION) == FULL
    gone = choose_store("keyring", tmp_path, os.urandom, unavailable)
    with pytest.raises(StoreError, match="This session does not have a keyring"):
        gone.prepare()
    assert not (tmp_path / "sessions" / "key").exists()


@pytest.mark.promise("A7")
def test_silent_keyring_is_asked_once_and_may_answer_late(tmp_path: Path) -> None:
    """One prompt, however often we come back for its answer."""
    backend = SilentKeyring()
    backend.answers.set()
    store_with(backend, tmp_path).save(SESSION, FULL)
    backend.answers.clear()
    backend.asked = 0
    store = store_with(backend, tmp_path, patience=SHORT)
    for _ in range(3):
        with pytest.raises(StoreError) as caught:
            store.load(SESSION)
        assert caught.value.sentence() == "The keyring has not answered for 0 s." + HINT
    assert backend.asked == 1
    backend.answers.set()
    patient = 0
    loaded = None
    while loaded is None and patient < 200:
        patient += 1
        try:
            loaded = store.load(SESSION)
        except StoreError:
            continue
    assert loaded == FULL
    assert backend.asked == 1


@pytest.mark.promise("A7")
def test_silent_keyring_does_not_hold_up_the_end(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys, threading\n"
        "from mcp_remote_py.credentials.keys import choose_store\n"
        "never = threading.Event()\n"
        "store = choose_store('keyring', pathlib.Path(sys.argv[1]), os.urandom, never.wait, 0.05)\n"
        "store.prepare()\n"
        "print(store.describe())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "(no usable keyring was found)" in done.stdout
    assert done.returncode == 0


@pytest.mark.promise("A7")
def test_who_leaves_a_broken_keyring_for_a_file_is_not_held_up_by_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend = LockedKeyring()
    backend.locked = False
    store_with(backend, tmp_path).save(SESSION, FULL)
    backend.locked = True
    store = store_with(backend, tmp_path, "file")
    with caplog.at_level(logging.WARNING):
        assert store.load(SESSION) is None
    assert "A stored sign-in cannot be read: The keyring failed: " in caplog.text
    store.save(SESSION, ONLY_CLIENT)
    assert store.load(SESSION) == ONLY_CLIENT
    # The other choice, of another entry in the host's configuration, reads it as well.
    assert store_with(backend, tmp_path).load(SESSION) == ONLY_CLIENT


@pytest.mark.promise("A7")
def test_who_chooses_a_file_keeps_the_sign_in_of_a_good_keyring(tmp_path: Path) -> None:
    backend = FakeKeyring()
    store_with(backend, tmp_path).save(SESSION, FULL)
    assert store_with(backend, tmp_path, "file").load(SESSION) == FULL


@pytest.mark.promise("A7")
def test_emptied_keyring_means_signing_in_once_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend = FakeKeyring()
    store_with(backend, tmp_path).save(SESSION, FULL)
    backend.items.clear()
    store = store_with(backend, tmp_path)
    with caplog.at_level(logging.WARNING):
        assert store.load(SESSION) is None
    assert "A stored sign-in cannot be read: its key (keyring) is gone." in caplog.text
    store.save(SESSION, ONLY_CLIENT)
    assert store.load(SESSION) == ONLY_CLIENT


@pytest.mark.parametrize("text", ["", "no key", "é", "c2hvcnQ="])
def test_item_that_is_not_a_key_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    backend = FakeKeyring()
    backend.items[SERVICE, USER_NAME] = text
    store = store_with(backend, tmp_path)
    with caplog.at_level(logging.WARNING):
        store.save(SESSION, FULL)
    assert (
        "The item mcp-remote-py in the keyring is not a key, and will be replaced." in caplog.text
    )
    assert store_with(backend, tmp_path).load(SESSION) == FULL


@pytest.mark.parametrize("content", [b"", b"short", b"x" * (KEY_BYTES + 1)])
def test_broken_key_file_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    store = choose_store("file", tmp_path, os.urandom, no_keyring)
    store.save(SESSION, FULL)
    path = tmp_path / "sessions" / "key"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert store.load(SESSION) is None
    assert f"{path} was moved to key.quarantine-1 and is not used: It is not a key." in caplog.text
    store.save(SESSION, ONLY_CLIENT)
    assert store.load(SESSION) == ONLY_CLIENT


def test_key_source_that_is_not_a_choice_is_chosen_anew(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "key-source").write_bytes(b"\xffvault\n")
    store = store_with(FakeKeyring(), tmp_path)
    assert store.describe().endswith("the key in the keyring from the first sign-in on")
    store.save(SESSION, FULL)
    assert store.describe().endswith("the key in the keyring")


def test_memory_touches_neither_disk_nor_keyring(tmp_path: Path) -> None:
    store = choose_store("memory", tmp_path / "none", os.urandom, no_keyring)
    assert isinstance(store, MemoryStore)
    store.prepare()
    store.save(SESSION, FULL)
    assert not (tmp_path / "none").exists()
    assert store.describe() == "in memory, until the process ends"


def test_file_choice_is_described(tmp_path: Path) -> None:
    store = choose_store("file", tmp_path, os.urandom, no_keyring)
    assert store.describe() == (
        f"sealed files in {tmp_path / 'sessions'}, the key in a file beside them"
    )


@pytest.mark.promise("A7")
def test_threads_that_start_together_ask_the_keyring_once(tmp_path: Path) -> None:
    backend = FakeKeyring()
    store = store_with(backend, tmp_path)
    together = threading.Barrier(8)

    def work(number: int) -> None:
        together.wait(PATIENCE)
        store.save(session_of(str(number)), FULL)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (backend.writes, backend.reads) == (1, 2)
    assert len(store.sessions()) == 8


@pytest.mark.promise("A7")
def test_two_who_make_the_key_file_at_the_same_time_have_one_key(tmp_path: Path) -> None:
    together = threading.Barrier(2)
    keys: list[bytes] = []

    def random(count: int) -> bytes:
        """Lets the other one come as far as this, if nothing holds it up."""
        if count == KEY_BYTES:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(0.3)
        return os.urandom(count)

    def work() -> None:
        keys.append(FileKey(tmp_path / "folder" / "key", random).obtain())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert keys == [(tmp_path / "folder" / "key").read_bytes()] * 2


# With the real library, in real processes ------------------------------------------------------

PROGRAM = """
import os, pathlib, sys
from mcp_remote_py.credentials.keys import choose_store
from tests.credentials.contract import FULL, session_of
store = choose_store(sys.argv[1], pathlib.Path(sys.argv[2]), os.urandom)
print("ready", flush=True)
sys.stdin.readline()
store.prepare()
store.save(session_of(sys.argv[3]), FULL)
"""

KEYRING_MODULE = '''
"""A keyring of one file per item, and a line in a log for every call."""
import os, pathlib, time
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

FOLDER = pathlib.Path(os.environ["TEST_KEYRING"])

class Keyring(KeyringBackend):
    priority = 9

    def log(self, word):
        with (FOLDER / "log").open("a") as file:
            file.write(word + "\\n")

    def get_password(self, service, username):
        self.log("get")
        path = FOLDER / f"{service} {username}"
        text = path.read_text() if path.exists() else None
        time.sleep(0.05)  # as slow as a real one: long enough for others to come between
        return text

    def set_password(self, service, username, password):
        self.log("set")
        (FOLDER / f"{service} {username}").write_text(password)

    def delete_password(self, service, username):
        self.log("delete")
        raise PasswordDeleteError
'''


def start_program(
    kind: str, folder: Path, session: str, environment: dict[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kind, str(folder), session],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.promise("A7")
@pytest.mark.parametrize("kind", ["keyring", "file"])
def test_eight_first_starts_at_once_make_one_key(tmp_path: Path, kind: str) -> None:
    (tmp_path / "keyring").mkdir()
    (tmp_path / "test_keyring_module.py").write_text(KEYRING_MODULE)
    paths = [str(tmp_path), str(Path(__file__).parents[2])]
    environment = {
        "PYTHON_KEYRING_BACKEND": "test_keyring_module.Keyring",
        "PYTHONPATH": os.pathsep.join(paths),
        "TEST_KEYRING": str(tmp_path / "keyring"),
    }
    state = tmp_path / "state"
    processes = [start_program(kind, state, str(number), environment) for number in range(8)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        errors = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait(PATIENCE)
    assert errors == [""] * 8
    names = [path.name for path in (state / "sessions").iterdir()]
    assert not [name for name in names if "quarantine" in name or name.endswith(".tmp")]
    if kind == "keyring":
        calls = (tmp_path / "keyring" / "log").read_text().split()
        assert sorted(calls) == ["get"] * 9 + ["set"]
        item = FakeKeyring()
        item.items[SERVICE, USER_NAME] = (
            tmp_path / "keyring" / f"{SERVICE} {USER_NAME}"
        ).read_text()
        store = store_with(item, state)
    else:
        store = choose_store("file", state, os.urandom, no_keyring)
    assert [store.load(session_of(str(number))) for number in range(8)] == [FULL] * 8


@pytest.mark.promise("A7", "S2")
@pytest.mark.parametrize("module", ["fail", "null", "chainer", "no_such_thing"])
def test_keyrings_that_keep_nothing_do_not_count(tmp_path: Path, module: str) -> None:
    name = "ChainerBackend" if module == "chainer" else "Keyring"
    environment = {
        "PYTHON_KEYRING_BACKEND": f"keyring.backends.{module}.{name}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    process = start_program("keyring", tmp_path, "mcp", environment)
    words = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, words
    cause = (
        "The keyring failed: "
        if module == "no_such_thing"
        else "This session does not have a keyring."
    )
    assert words.startswith(cause)
    assert words.count("\n") == 1
    assert CANARY not in words
    assert choose_store("keyring", tmp_path, os.urandom, no_keyring).load(session_of("mcp")) == (
        FULL
    )
