"""What is meant by a mistyped command, option or choice, and by the words of a pasted entry."""

from __future__ import annotations

import io

import pytest

from mcp_remote_py.cli.arguments import parse_arguments
from mcp_remote_py.cli.main import main
from mcp_remote_py.cli.program import CHECK, INSTALL, LOGIN, PROXY, UNINSTALL
from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.commands import ProxySettings, TransportStrategy

URL = "https://example.com/mcp"
NAME_IGNORED = "Ignored: the name of the program before the server URL."


def refuse(*argv: str) -> str:
    """The sentence on stderr; the status is 2 and nothing is on stdout."""
    stdout, stderr = io.StringIO(), io.StringIO()
    assert (main(argv, {}, stdout, stderr), stdout.getvalue()) == (2, "")
    (line,) = stderr.getvalue().splitlines()
    return line.removeprefix("mcp-remote-py: error: ")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("instal isntall add setup configure config init Install", "install"),
        ("uninstal remove rm delete del", "uninstall"),
        ("chek doctor diagnose test debug verify ping inspect", "check"),
        ("lgoin log-in auth signin sign-in authenticate authorize", "login"),
        ("log-out signout sign-out revoke forget", "logout"),
        ("stauts list ls show whoami info sessions", "status"),
        ("complete completions autocomplete", "completion"),
        ("hlep man manual usage", "help"),
    ],
)
@pytest.mark.parametrize("behind", [[], [URL], ["math", URL, "--client", "cursor"]])
def test_a_command_of_another_name_is_named(words: str, command: str, behind: list[str]) -> None:
    for word in words.split():
        said = refuse(word, *behind)
        assert said == f"{word} is not a command. Did you mean mcp-remote-py {command}?"


def test_the_relay_has_no_name() -> None:
    for word in ("run", "start", "connect", "proxy", "serve"):
        assert refuse(word, URL) == (
            f"{word} is not a command. Did you mean mcp-remote-py URL, without a command?"
        )


@pytest.mark.promise("S2")
def test_only_the_first_word_is_taken_for_a_command() -> None:
    """Any other may be a piece of what a host has torn."""
    assert refuse("--scope", "read", "list", URL) == (
        "2 arguments are given where only the server URL belongs. "
        "Quote values that contain blanks; options begin with --."
    )
    assert refuse("canary-word", URL) == (
        "2 arguments are given where only the server URL belongs. "
        "Quote values that contain blanks; options begin with --."
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([URL, "--headers", "A: b"], "Unknown option --headers. Did you mean --header?"),
        ([URL, "--tran", "x"], "Unknown option --tran. Did you mean --transport?"),
        ([URL, "--sse"], "Unknown option --sse. Did you mean --transport sse-only?"),
        ([URL, "--http"], "Unknown option --http. Did you mean --transport http-only?"),
        (
            [URL, "--port", "3334"],
            "Unknown option --port. Did you mean the port alone, behind the URL?",
        ),
        (
            ["install", "math", URL, "--env", "A=b"],
            "Unknown option --env. Did you mean the variable itself, set before the command is "
            "typed?",
        ),
        ([URL, "-k"], "Unknown option -k. Did you mean --ca-cert?"),
        ([URL, "--insecure"], "Unknown option --insecure. Did you mean --ca-cert?"),
        ([URL, "--proxy", "x"], "Unknown option --proxy. Did you mean the variable HTTPS_PROXY?"),
        ([URL, "--timeout", "3"], "Unknown option --timeout. Did you mean --connect-timeout?"),
        ([URL, "--timout", "3"], "Unknown option --timout. Did you mean --connect-timeout?"),
        (
            ["status", "--timout", "3"],
            "Unknown option --timout. mcp-remote-py status --help-all lists the options.",
        ),
        ([URL, "--verbos"], "Unknown option --verbos. Did you mean --debug?"),
        ([URL, "--scopes", "a"], "Unknown option --scopes. Did you mean --scope?"),
        ([URL, "--headless"], "Unknown option --headless. Did you mean --no-browser?"),
        ([URL, "--account", "a"], "Unknown option --account. Did you mean --profile?"),
        (
            [URL, "--client-id", "a"],
            "Unknown option --client-id. Did you mean --static-oauth-client-info?",
        ),
        ([URL, "--doctor"], "Unknown option --doctor. Did you mean mcp-remote-py check?"),
        ([URL, "--check"], "Unknown option --check. Did you mean mcp-remote-py check?"),
        ([URL, "--install"], "Unknown option --install. Did you mean mcp-remote-py install?"),
        (["install", "a", URL, "--dry"], "Unknown option --dry. Did you mean --dry-run?"),
        (["install", "a", URL, "-n"], "Unknown option -n. Did you mean --dry-run?"),
        (["install", "a", URL, "--force"], "Unknown option --force. Did you mean --yes?"),
        (["install", "a", URL, "--clinet", "x"], "Unknown option --clinet. Did you mean --client?"),
        (["install", "a", URL, "--headr", "x"], "Unknown option --headr. Did you mean --header?"),
        (["check", URL, "-o", "x"], "Unknown option -o. Did you mean --report?"),
        (
            [URL, "--force"],
            "Unknown option --force. mcp-remote-py --help-all lists the options.",
        ),
        (
            [URL, "-y"],
            "--yes belongs to mcp-remote-py install and mcp-remote-py uninstall and "
            "mcp-remote-py check, not to mcp-remote-py. Leave it out.",
        ),
        (
            ["login", URL, "--token-store", "keyrng"],
            "--token-store has an unknown value. Did you mean keyring? "
            "Use one of: keyring, file, memory.",
        ),
    ],
)
def test_an_option_or_choice_of_another_name_is_named(argv: list[str], said: str) -> None:
    assert refuse(*argv) == said


def test_a_transport_that_is_mistyped_is_ignored_and_the_nearest_named() -> None:
    asked: list[ProxySettings] = []

    def run(settings: ProxySettings, *_: object) -> int:
        asked.append(settings)
        return 0

    stderr = io.StringIO()
    assert main([URL, "--transport", "htp-only"], {}, None, stderr, lambda _: run) == 0
    assert asked[0].transport is TransportStrategy.HTTP_FIRST
    assert (
        "Ignored: --transport has an unknown value. Did you mean http-only? "
        "Use one of: http-first, sse-first, http-only, sse-only."
    ) in stderr.getvalue()


@pytest.mark.parametrize(
    "start",
    [
        "npx -y mcp-remote",
        "npx --yes mcp-remote@latest",
        "npx -y -p mcp-remote@0.1.0 mcp-remote",
        "npx -- mcp-remote",
        "cmd /c npx -y mcp-remote",
        "C:\\nodejs\\npx.cmd -y mcp-remote",
        "/opt/homebrew/bin/uvx mcp-remote-py",
        "uvx --from git+https://git.example/x mcp-remote-py",
        "uvx --from . --python 3.12 mcp-remote-py",
        "uvx --refresh --from=mcp-remote-py[aws] mcp-remote-py",
        "uv tool run --with truststore mcp-remote-py@0.1.0",
        "pipx run --spec . mcp-remote-py",
        "python3.12 -m mcp_remote_py",
        "bunx mcp-remote",
        "pnpm dlx mcp-remote",
    ],
)
@pytest.mark.parametrize("command", [PROXY, LOGIN, INSTALL, CHECK])
def test_what_starts_the_program_in_a_pasted_entry_is_taken_off(start: str, command: str) -> None:
    name = ["math"] if command == INSTALL else []
    found = parse_arguments(command, [*name, *start.split(), URL, "3334", "--debug"])
    assert (found.url, found.port, found.warnings) == (URL, "3334", (NAME_IGNORED,))
    assert set(found.options) == {"--debug"}, "no option of npx or uvx is one of ours"
    assert found.name == (name[0] if name else None)


@pytest.mark.parametrize(
    "argv",
    [
        ["--browser", "npx", "mcp-remote", URL],
        [URL, "npx", "-y", "mcp-remote"],
        ["npx", "other", "mcp-remote", URL],
        ["npx", "other", URL],
    ],
)
def test_what_starts_another_program_is_not_taken_off(argv: list[str]) -> None:
    if argv[0] == "--browser":
        assert parse_arguments(PROXY, argv).each("--browser") == ["npx"]
        return
    with pytest.raises(UsageError):
        parse_arguments(PROXY, argv)


@pytest.mark.parametrize("name", ["python", "uv", "cmd", "node", "list", "doctor"])
def test_an_entry_may_have_the_name_of_a_program_or_command(name: str) -> None:
    assert parse_arguments(INSTALL, [name, URL]).name == name
    assert parse_arguments(CHECK, [name]).name == name


def test_y_is_yes_where_something_can_be_agreed_to() -> None:
    assert parse_arguments(INSTALL, ["math", URL, "-y"]).has("--yes")
    assert parse_arguments(UNINSTALL, ["-y", "math"]).has("--yes")
