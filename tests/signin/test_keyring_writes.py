"""The keyring of a desktop is written once, however often a token is renewed (field note 36).

On macOS each write takes away what the person has allowed, and each new program is asked about:
so the key is written once, read once per process, and handed to the process that renews. Must not
know how the command is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.host import wait_until
from tests.harness.stage import CALL, Stage, call
from tests.thorough import often

pytestmark = pytest.mark.timeout(240)

RENEWALS = often(3, 100)
LIFETIME = 2.0
"""Seconds: longer than a renewal takes."""

KEYRING = """
import json
from pathlib import Path
from keyring.backend import KeyringBackend

FILE = Path({file!r})


class Keyring(KeyringBackend):
    priority = 1

    def _note(self, what):
        with FILE.with_suffix(".log").open("a") as log:
            log.write(what + "\\n")

    def _read(self):
        return json.loads(FILE.read_text()) if FILE.exists() else {{}}

    def get_password(self, service, username):
        self._note("get")
        return self._read().get(f"{{service}} {{username}}")

    def set_password(self, service, username, password):
        self._note("set")
        FILE.write_text(json.dumps(self._read() | {{f"{{service}} {{username}}": password}}))

    def delete_password(self, service, username):
        self._note("delete")
"""


@pytest.mark.promise("A7", "A5")
def test_renewals_write_nothing_into_the_keyring(
    play: Callable[..., Stage], tmp_path: Path
) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    file = tmp_path / "items.json"
    (folder / "recording_keyring.py").write_text(KEYRING.format(file=str(file)))
    stage = play(lifetime=LIFETIME)
    environment = {
        "PYTHON_KEYRING_BACKEND": "recording_keyring.Keyring",
        "PYTHONPATH": str(folder),
    }
    host = stage.sign_in(token_store="", environment=environment)
    for _ in range(RENEWALS):
        expires_at = list(stage.server.access_tokens.values())[-1].expires_at
        assert expires_at is not None
        wait_until(lambda end=expires_at: time.monotonic() > end, "the token's end")
        assert call(host)["params"] == CALL
    stage.end(host)
    assert stage.counts["tabs"] == 1
    assert stage.counts["refreshes"] >= RENEWALS
    asked = file.with_suffix(".log").read_text().split()
    assert asked.count("set") == 1
    assert asked.count("delete") == 0
    assert asked.count("get") <= 2, "once to look, once to see whether it was kept"
    host = stage.host(token_store="", environment=environment)
    host.initialize()
    assert call(host)["params"] == CALL
    more = file.with_suffix(".log").read_text().split()[len(asked) :]
    assert more == ["get"], "once per process"
