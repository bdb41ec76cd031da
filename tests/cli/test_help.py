"""Help from outside: what is shown, in which order, how wide, where, and what it is asked with."""

from __future__ import annotations

import io
import shlex
from collections.abc import Mapping

import pytest

from mcp_remote_py import __version__
from mcp_remote_py.cli.arguments import parse_arguments
from mcp_remote_py.cli.help import EXAMPLES, all_options_of
from mcp_remote_py.cli.main import main
from mcp_remote_py.cli.options import ALL_OPTIONS, options_of
from mcp_remote_py.cli.program import COMMANDS, HELP, PROXY, QUESTIONS
from mcp_remote_py.cli.read import read_settings
from mcp_remote_py.cli.streams import width_of
from mcp_remote_py.redact import Secret, remember

URL = "https://example.com/mcp"
STATUSES = (
    "Exit status: 0 done, 1 failed or you said no, 2 wrong usage, 3 sign-in needed,"
    " 130 interrupted."
)
NAMED = [name for name in COMMANDS if name != PROXY]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(*argv: str, at: Mapping[str, str] | None = None, stdout: io.StringIO | None = None) -> str:
    """What is printed, to a pipe unless `stdout` is given; stderr is empty and the status 0."""
    stdout, stderr = stdout or io.StringIO(), io.StringIO()
    status = main(argv, at or {}, stdout, stderr)
    assert (status, stderr.getvalue()) == (0, "")
    return stdout.getvalue()


def refuse(*argv: str) -> str:
    """The sentence on stderr; stdout is empty and the status 2."""
    stdout, stderr = io.StringIO(), io.StringIO()
    assert (main(argv, {}, stdout, stderr), stdout.getvalue()) == (2, "")
    line = stderr.getvalue()
    assert line.endswith("\n")
    return line[:-1].removeprefix("mcp-remote-py: error: ")


def words_for(command: str) -> tuple[str, ...]:
    return () if command == PROXY else (command,)


def rows_in(text: str) -> set[str]:
    """The options that have a row of their own."""
    return {line.split()[0] for line in text.splitlines() if line.startswith("  --")}


def test_the_short_help_is_a_screen_with_commands_and_examples_first() -> None:
    text = show("--help")
    assert text.startswith("usage: mcp-remote-py URL [PORT] [options]\n")
    places = [text.index(f"\n{word}\n") for word in ("Commands", "Examples", "Options")]
    assert places == sorted(places)
    assert 24 <= text.count("\n") <= 40
    for command in (*COMMANDS.values(), *QUESTIONS.values()):
        if command.name != PROXY:
            assert f"\n  {command.name} " in text
            assert command.summary.split()[0] in text
    assert rows_in(text) == {"--header", "--profile", "--debug", "--version", "--help-all"}
    assert "mcp-remote-py --help-all lists all options; mcp-remote-py COMMAND --help is" in text
    assert " ".join(text.split()).endswith(STATUSES)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_what_it_does_examples_and_options(command: str) -> None:
    text = show(*words_for(command), "--help")
    this = COMMANDS[command]
    assert text.startswith(f"usage: {this.usage} [options]\n")
    assert " ".join(this.summary.split()) in " ".join(text.split())
    for example in EXAMPLES[command]:
        assert f"  {example.meaning}\n    $ mcp-remote-py {example.words}\n" in text
    own = {one.name for one in options_of(command) if PROXY not in one.commands}
    assert own <= rows_in(text) <= {one.name for one in options_of(command)}
    assert f"{this.words_before} --help-all lists all options" in text
    assert " ".join(text.split()).endswith(STATUSES)
    assert text.count("\n") <= 44


@pytest.mark.parametrize("command", COMMANDS)
def test_help_all_lists_every_option_that_counts_and_no_other(command: str) -> None:
    text = show(*words_for(command), "--help-all")
    assert rows_in(text) == {one.name for one in all_options_of(command)}
    flat = " ".join(text.split())
    for option in all_options_of(command):
        assert f"{option.name} {option.value}".strip() in flat
        assert " ".join(option.help.split()) in flat
        assert f"\n{option.group}\n" in text
    repeatable = sum(option.repeatable for option in all_options_of(command))
    assert flat.count(" Can be repeated. ") == repeatable
    assert STATUSES in " ".join(text.split())


def test_help_says_what_a_terminal_shows_and_what_becomes_of_other_options() -> None:
    assert (
        "Typed at a terminal, it says what there is, or what is wrong, and shows the entry for a"
        " host's configuration."
    ) in " ".join(show("--help").split())
    idle = "All other options of an entry in a host's configuration are accepted and ignored."
    assert idle in " ".join(show("status", "--help").split())
    counts = "All options of an entry in a host's configuration count here as they do there."
    assert counts in " ".join(show("install", "--help").split())


@pytest.mark.parametrize(
    ("argv", "same"),
    [
        (["-h"], ["--help"]),
        (["help"], ["--help"]),
        ([URL, "more", "--help", "--frobnicate"], ["--help"]),
        (["help", "help"], ["help", "--help"]),
        (["help", "completion"], ["completion", "--help"]),
        (["completion", "help"], ["completion", "--help"]),
        *((["help", name], [name, "--help"]) for name in NAMED),
        *(([name, "-h"], [name, "--help"]) for name in NAMED),
        *(([name, "help"], [name, "--help"]) for name in ("login", "logout", "status", "install")),
    ],
)
def test_help_is_asked_for_in_many_ways(argv: list[str], same: list[str]) -> None:
    assert show(*argv) == show(*same)


@pytest.mark.parametrize("command", ["check", "uninstall"])
def test_an_entry_may_be_named_help(command: str) -> None:
    assert parse_arguments(command, ["help"]).name == "help"
    stdout = io.StringIO()
    main([command, "help"], {"MCP_REMOTE_CONFIG_DIR": "/nowhere"}, stdout, None, lambda _: run)
    assert "usage:" not in stdout.getvalue()


def run(*_: object) -> int:
    return 0


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("option", ["--help", "--help-all"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_but_one_to_be_copied_is_wider_than_the_terminal(
    columns: int, option: str, command: str
) -> None:
    text = show(*words_for(command), option, at={"COLUMNS": str(columns)})
    for line in text.splitlines():
        assert len(line) <= columns or line.startswith(("    $ ", "usage: ")), line
    # An option's name is never broken.
    assert all(one.name in text for one in options_of(command) if one.name in rows_in(text))


def test_only_a_terminal_that_is_asked_shows_headings_in_bold() -> None:
    at = {"TERM": "xterm"}
    bold = show("--help", at=at, stdout=Terminal())
    assert bold.startswith("\x1b[1musage:\x1b[0m mcp-remote-py URL")
    assert "\n\x1b[1mCommands\x1b[0m\n" in bold
    plain = show("--help", at=at)
    assert "\x1b" not in plain
    assert plain == bold.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert plain == show("--help", at={**at, "NO_COLOR": "1"}, stdout=Terminal())


def test_without_a_word_a_person_gets_the_help_and_a_host_its_error() -> None:
    stdout, stderr = io.StringIO(), Terminal()
    status = main([], {"NO_COLOR": "1"}, stdout, stderr, stdin=Terminal())
    assert (status, stdout.getvalue(), stderr.getvalue()) == (2, "", show("--help"))
    assert refuse() == (
        "The server URL is missing. Usage: mcp-remote-py https://example.com/mcp [options]"
    )


@pytest.mark.parametrize("columns", [40, 80])
def test_a_mistake_is_told_in_lines_of_the_terminal(columns: int) -> None:
    """The next step begins one; for a log all is one line, which has the same words."""
    stderr, at = Terminal(), {"COLUMNS": str(columns)}
    assert main(["login", URL, "--token-store", "keyrng"], at, None, stderr) == 2
    lines = stderr.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.startswith("Did you mean keyring?") for line in lines)
    said = " ".join(lines).removeprefix("mcp-remote-py: error: ")
    assert said == refuse("login", URL, "--token-store", "keyrng")


def test_a_width_that_python_does_not_read_is_none() -> None:
    assert width_of(None, {"COLUMNS": "1" * 5000}) == width_of(None, {})


@pytest.mark.promise("S2")
def test_a_secret_that_a_line_would_break_is_not_shown() -> None:
    stderr = Terminal()
    secret = " ".join(f"help-canary-{number}" for number in range(9))
    remember([Secret(secret)])
    assert main([URL, "--header-file", secret], {"COLUMNS": "40"}, None, stderr) != 0
    assert "help-canary" not in stderr.getvalue()


@pytest.mark.parametrize(
    ("command", "words"),
    [(name, example.words) for name, examples in EXAMPLES.items() for example in examples],
)
def test_an_example_is_understood_as_it_stands(command: str, words: str) -> None:
    assert len(f"    $ mcp-remote-py {words}") <= 90
    argv = shlex.split(words)
    named = argv[0] if argv[0] in COMMANDS else PROXY
    assert command in (named, PROXY)
    arguments = parse_arguments(named, argv[1:] if named != PROXY else argv)
    assert not arguments.warnings
    if named in ("proxy", "login", "logout", "status"):
        settings, warnings = read_settings(named, arguments, {"AUTH": "Bearer canary"})
        assert settings.server is None or str(settings.server) == URL
        assert not warnings


NOT_ONE = "That is not a command of mcp-remote-py."


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["help", "chek"], f"{NOT_ONE} Did you mean mcp-remote-py help check?"),
        (["help", "auth"], f"{NOT_ONE} Did you mean mcp-remote-py help login?"),
        (["help", "xyz"], f"{NOT_ONE} mcp-remote-py --help lists them."),
        (
            ["help", "login", "status"],
            "help takes one word, and 2 are given. Usage: mcp-remote-py help [COMMAND]",
        ),
    ],
)
def test_help_for_what_is_not_there(argv: list[str], said: str) -> None:
    assert refuse(*argv) == said


def test_every_question_has_a_help() -> None:
    for name, question in QUESTIONS.items():
        text = show(name, "--help")
        assert text.startswith(f"usage: mcp-remote-py {name} ")
        assert question.summary in text
    named = ", ".join(("install", "check", "login", "logout", "status", "uninstall", "completion"))
    assert f"Commands: {named}, help." in show(HELP, "--help")


@pytest.mark.parametrize("option", ["-V", "--version"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_version_has_a_short_form(command: str, option: str) -> None:
    assert show(*words_for(command), option) == f"mcp-remote-py {__version__}\n"


def test_options_have_one_name_and_one_row() -> None:
    assert len({option.name for option in ALL_OPTIONS}) == len(ALL_OPTIONS)
