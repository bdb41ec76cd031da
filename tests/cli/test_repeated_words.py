"""A token in place of any word of the command line is not repeated in anything that is printed.

Goes over the table of options, so a new one is covered by its row. The words are read as ever; what
stands in place of the command says all of its settings, since a command may say any of them.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mcp_remote_py.cli.main import RunCommand, load_command, main
from mcp_remote_py.cli.options import Option, accepted_by
from mcp_remote_py.cli.program import CHECK, COMMANDS, INSTALL, LOGOUT, PROXY, STATUS, UNINSTALL
from mcp_remote_py.console import Console
from mcp_remote_py.redact import SHOWN_LENGTH
from tests.fuzz.signing_in import forgetting

SECRETS = {
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI4ZmoyIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1",
    "GitHub": "ghp_Ab3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5",
    "Stripe": "sk_live_51H8xQ2eZvKYlo2C",
    "hexadecimal": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "header": "Authorization: Bearer zq83kfnx02mdkr",
}

URL = "http://127.0.0.1:9/mcp"
ENTRY = {"command": "mcp-remote-py", "args": [URL]}

WORDS_BEFORE: dict[str, list[str]] = {
    PROXY: [URL],
    INSTALL: [INSTALL, "math", URL],
    UNINSTALL: [UNINSTALL, "there"],
    CHECK: [CHECK, "there"],
}
"""A command line that is right, by the name of the command."""

ENDING_ALONE: dict[str, tuple[list[str], ...]] = {
    INSTALL: (["--dry-run", "--client", "cursor"], ["--print"], []),
    UNINSTALL: (["--client", "cursor"], ["--dry-run", "--client", "zed"], []),
    CHECK: (["--client", "windsurf"],),
    STATUS: ([], ["--json"]),
    LOGOUT: ([],),
}
"""What makes a command itself end without a server, by its name."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A machine with two hosts, each with an entry; files are made in its folder."""
    places = {".cursor/mcp.json": "mcpServers", ".config/zed/settings.json": "context_servers"}
    for path, place in places.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({place: {"there": ENTRY}}))
    with contextlib.chdir(tmp_path):
        yield tmp_path


def say_settings(name: str) -> RunCommand:
    """In place of the command: says all that it was given, on stdout and in the log."""

    def run(settings: object, environment: object, console: Console | None = None) -> int:
        logging.getLogger("mcp_remote_py").warning("%s", settings)
        if console is not None:
            console.say(str(settings))
        return 0

    return run


def assert_not_repeated(secret: str, argv: Sequence[str], home: Path, *, is_real: bool) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    load = load_command if is_real else say_settings
    with forgetting():
        main(argv, {"HOME": str(home), "PATH": ""}, stdout, stderr, load)
    said = stdout.getvalue() + stderr.getvalue()
    assert "Traceback" not in said, argv
    rest = secret.rpartition(" ")[2][SHOWN_LENGTH:]
    for part in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
        assert part not in said, (argv, said)


def give(option: Option, secret: str) -> Iterator[list[str]]:
    """The option with it, in each place where that may go."""
    yield [option.name, secret]
    yield [f"{option.name}={secret}"]
    if "=" in option.value and " " not in secret:
        yield [option.name, f"name={secret}"]
    if option.value in ("JSON", "FILE"):
        yield [option.name, f"@{secret}"]
        yield [option.name, f"folder/{secret}"]


def words_before(command: str) -> list[str]:
    return WORDS_BEFORE.get(command, [command, URL])


@pytest.mark.promise("S2")
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_repeats_a_secret_in_place_of_its_value(
    home: Path, command: str, secret: str
) -> None:
    options = [option for option in accepted_by(command) if option.value]
    assert options
    for option in options:
        for words in give(option, secret):
            assert_not_repeated(secret, [*words_before(command), *words], home, is_real=False)


@pytest.mark.promise("S2")
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_other_word_is_repeated_where_it_is_a_secret(
    home: Path, command: str, secret: str
) -> None:
    name = [] if command == PROXY else [command]
    for words in (
        [*words_before(command), secret],
        [*words_before(command), f"--{secret}={secret}"],
        [*words_before(command), f"-{secret}"],
        [*name, secret],
        [*name, secret, URL],
        [*name, secret, secret],
        [*name, f"${{{secret}}}"],
        [*name, f"mcp.example.com/{secret}"],
        [*name, f"{secret}://example.com"],
    ):
        assert_not_repeated(secret, words, home, is_real=False)


@pytest.mark.promise("S2")
@pytest.mark.parametrize("command", ENDING_ALONE)
def test_nor_does_the_command_itself_repeat_one(home: Path, command: str) -> None:
    secret = SECRETS["GitHub"]
    options = [option for option in accepted_by(command) if option.value]
    right = [command, "there"] if command == UNINSTALL else words_before(command)
    lines = [[*right, option.name, secret] for option in options]
    lines += [[command, secret], [command, secret, URL]]
    for line, more in itertools.product(lines, ENDING_ALONE[command]):
        assert_not_repeated(secret, [*line, *more], home, is_real=True)
