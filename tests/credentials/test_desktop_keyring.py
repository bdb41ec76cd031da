"""Which keyring is opened: in processes of their own, as the library keeps what it has found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 30.0

PROGRAM = """
import os, sys
from pathlib import Path
from mcp_remote_py.credentials.desktop_keyring import open_keyring
from mcp_remote_py.errors import McpRemoteError

for name in sys.argv[2:]:
    __import__(name)
try:
    backend = open_keyring(Path(sys.argv[1]), os.urandom)
    print(type(backend).__module__, "keyring.backends.macOS" in sys.modules)
except McpRemoteError as error:
    print(error.cause)
"""

KEYRING_MODULE = """
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = {priority}

    def get_password(self, service, username):
        return None

    def set_password(self, service, username, password):
        pass

    def delete_password(self, service, username):
        pass
"""

BEST, WORST = 99, 0.1
"""Priorities: the library takes the highest there is."""


class Desktop:
    """A machine with some keyrings in packages, and the file where the last one is remembered."""

    def __init__(self, folder: Path) -> None:
        self._packages = folder / "packages"
        (self._packages / "keyrings").mkdir(parents=True)
        self.memory = folder / "state" / "keyring-name"
        self.memory.parent.mkdir(mode=0o700)
        self.chosen = ""

    def install(self, module: str, priority: float) -> None:
        path = self._packages / (module.replace(".", os.sep) + ".py")
        path.write_text(KEYRING_MODULE.format(priority=priority))

    def remember(self, name: str) -> None:
        self.memory.write_text(f"{name}\n")
        self.memory.chmod(0o600)

    def open(self, *known: str) -> list[str]:
        """The module of the keyring that is opened, and whether all others were loaded for it.

        `known` are the modules whose keyrings the library knows of, beside its own.
        """
        environment = {
            **{name: value for name, value in os.environ.items() if "DBUS" not in name},
            "PYTHONPATH": os.pathsep.join([str(self._packages), str(Path(__file__).parents[2])]),
            "XDG_CONFIG_HOME": str(self.memory.parent),
        }
        if self.chosen:
            environment["PYTHON_KEYRING_BACKEND"] = self.chosen
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(self.memory), *known],
            capture_output=True,
            text=True,
            env=environment,
            timeout=PATIENCE,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.split()


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    return Desktop(tmp_path)


@pytest.mark.promise("A7")
def test_the_one_that_was_found_is_opened_again_and_no_other_is_loaded_for_it(
    desktop: Desktop,
) -> None:
    desktop.install("keyrings.first", BEST)
    desktop.install("keyrings.better", BEST + 1)
    assert desktop.open("keyrings.first") == ["keyrings.first", "True"]
    assert desktop.memory.read_text() == "keyrings.first.Keyring\n"
    assert desktop.memory.stat().st_mode & 0o777 == 0o600
    assert desktop.open("keyrings.better") == ["keyrings.first", "False"]  # it has the key


@pytest.mark.promise("A7")
@pytest.mark.parametrize(
    "name",
    [
        *("", "keyrings.gone.Keyring", "keyrings.first.NoKeyring", "keyring.backends.null.Keyring"),
        *("keyring.backends.macOS.Keyring", "elsewhere.Keyring", "keyrings..first.Keyring"),
    ],
)
def test_one_that_is_not_there_or_cannot_be_one_is_not_opened_again(
    desktop: Desktop, name: str
) -> None:
    desktop.install("keyrings.first", BEST)
    desktop.install("elsewhere", BEST)
    desktop.remember(name)
    assert desktop.open("keyrings.first") == ["keyrings.first", "True"]
    assert desktop.memory.read_text() == "keyrings.first.Keyring\n"


@pytest.mark.promise("A7")
def test_the_one_that_a_person_names_is_opened_and_not_remembered(desktop: Desktop) -> None:
    desktop.install("keyrings.first", BEST)
    desktop.install("chosen", WORST)
    desktop.chosen = "chosen.Keyring"
    assert desktop.open("keyrings.first") == ["chosen", "False"]
    assert not desktop.memory.exists()


@pytest.mark.parametrize("module", ["elsewhere", "keyring.backends.fail"])
def test_one_of_another_name_or_none_is_looked_for_each_time(desktop: Desktop, module: str) -> None:
    desktop.install("elsewhere", BEST)
    known = [module] if module == "elsewhere" else []
    answers = [desktop.open(*known) for _ in range(2)]
    assert answers[0] == answers[1]
    assert not desktop.memory.exists()


def test_where_nothing_can_be_written_one_is_found_all_the_same(desktop: Desktop) -> None:
    desktop.install("keyrings.first", BEST)
    desktop.memory.mkdir()
    assert desktop.open("keyrings.first") == ["keyrings.first", "True"]
