"""Completion as it is at the keyboard: the script is read by the shell, which is asked for words.

bash is asked always, fish where it is installed; of zsh, where it is installed, the syntax is read.
Nothing here reads PowerShell.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from mcp_remote_py.cli.completion import CHOICES, render_completion
from mcp_remote_py.cli.help import all_options_of
from mcp_remote_py.cli.main import main
from mcp_remote_py.cli.options import ALL_OPTIONS, OPTIONS, Option
from mcp_remote_py.cli.program import COMMANDS, INSTALL, PROXY, SHELLS
from mcp_remote_py.cli.readers import Reading
from mcp_remote_py.errors import UsageError

URL = "https://example.com/mcp"
PATIENCE = 20
"""Seconds for one shell."""

COMMAND_WORDS = "install check login logout status uninstall completion help"
STORES, TRANSPORTS = "keyring file memory", "http-first sse-first http-only sse-only"
HOSTS = (
    "claude-desktop claude-code cursor windsurf vscode vscode-insiders vscodium zed gemini codex"
    " cline copilot-cli opencode lmstudio all"
)

TYPED = [
    ("", COMMAND_WORDS),
    ("in", "install"),
    ("lo", "login logout"),
    ("--allow-t", "--allow-tool"),
    ("https://example.com/mcp --tok", "--token-endpoint --token-store"),
    ("https://example.com/mcp --transport ", TRANSPORTS),
    ("https://example.com/mcp --token-store f", "file"),
    ("https://example.com/mcp --token-store=f", "file"),
    ("login https://example.com/mcp --token-store ", STORES),
    ("login https://example.com/mcp --pas", "--paste"),
    ("login https://example.com/mcp --dry", ""),
    (
        "install math https://example.com/mcp --head",
        "--header --header-file --header-command --headers-timeout",
    ),
    ("install math https://example.com/mcp --secrets ", "env file ask"),
    ("install math https://example.com/mcp --client ", HOSTS),
    ("uninstall math --client c", "claude-desktop claude-code cursor codex cline copilot-cli"),
    ("check math --client=vs", "vscode vscode-insiders vscodium"),
    ("uninstall math --", "--client --config --dry-run --yes --version --help --help-all"),
    ("check math --rep", "--report"),
    ("status --profile ", ""),
    ("completion ", "bash zsh fish powershell"),
    ("help st", "status"),
    ("https://example.com/mcp --ca-cert own", "own-authority.pem"),
]
"""What is typed, and what is offered then."""


def play_bash(script: Path, typed: list[str], folder: Path) -> list[set[str]]:
    asks = [f"source {shlex.quote(str(script))}"]
    for line in typed:
        # As readline divides a line: at blanks, and at colons and equals signs too.
        words = ["mcp-remote-py", *re.findall(r"[:=]|[^\s:=]+", line)]
        if not line or line.endswith(" "):
            words.append("")
        asks += (
            f"COMP_WORDS=({' '.join(map(shlex.quote, words))}) COMP_CWORD={len(words) - 1}",
            "COMPREPLY=()",
            "_mcp_remote_py",
            # What readline does where nothing is offered and the default was not taken off.
            "if [[ ${#COMPREPLY[@]} -eq 0 && $OFF -eq 0 ]]; then COMPREPLY=($(compgen -f -- "
            f"{shlex.quote(words[-1])})); fi",
            'echo "${COMPREPLY[@]}"; OFF=0',
        )
    # Outside of readline there is nothing that compopt could change.
    head = "OFF=0; compopt() { OFF=1; }"
    done = ask(["bash", "--norc", "-c", "\n".join((head, *asks))], folder)
    return [set(line.split()) for line in done.splitlines()]


def play_fish(script: Path, typed: list[str], folder: Path) -> list[set[str]]:
    asks = [f"source {shlex.quote(str(script))}"]
    for line in typed:
        asks += (f"complete -C {shlex.quote('mcp-remote-py ' + line)}", "echo .")
    done = ask(["fish", "--no-config", "-c", "\n".join(asks)], folder)
    return [
        {word.partition("\t")[0].rpartition("=")[2] for word in block.splitlines()}
        for block in done.split(".\n")[:-1]
    ]


def ask(argv: list[str], folder: Path) -> str:
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


PLAYED = {"bash": play_bash, "fish": play_fish}


@pytest.mark.parametrize("shell", ["bash", *(one for one in ("fish",) if shutil.which(one))])
def test_a_shell_offers_what_fits(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(render_completion(shell))
    (tmp_path / "own-authority.pem").touch()
    offered = PLAYED[shell](script, [line for line, _ in TYPED], tmp_path)
    for (line, expected), words in zip(TYPED, offered, strict=True):
        assert words == set(expected.split()), line


def test_installed_shells_find_no_fault_in_their_scripts(tmp_path: Path) -> None:
    checked: list[str] = []
    for shell in ("bash", "zsh", "fish"):
        if shutil.which(shell):
            (tmp_path / shell).write_text(render_completion(shell))
            ask([shell, "-n", shell], tmp_path)
            checked.append(shell)
    assert "bash" in checked


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_has_every_word(shell: str) -> None:
    script = render_completion(shell)
    written = set(re.findall(r"[a-z0-9][a-z0-9-]*", script))
    for option in ALL_OPTIONS:
        assert option.name[2:] in written
    assert {*COMMAND_WORDS.split(), *SHELLS} <= written
    for values in CHOICES.values():
        assert all(value in script for value in values)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(shell: str) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    assert main(["completion", shell], {}, stdout, stderr) == 0
    assert (stdout.getvalue(), stderr.getvalue()) == (render_completion(shell), "")


def test_powershell_is_known_by_its_short_name_and_quotes_are_doubled() -> None:
    stdout = io.StringIO()
    assert main(["completion", "pwsh"], {}, stdout, None) == 0
    assert stdout.getvalue() == render_completion("powershell")
    assert "Writes the entry for a server into a host''s configuration" in stdout.getvalue()
    assert stdout.getvalue().count("{") == stdout.getvalue().count("}")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "The shell is missing. Use one of: bash, zsh, fish, powershell."),
        (
            ["zhs"],
            "The shell is unknown. Did you mean zsh? Use one of: bash, zsh, fish, powershell.",
        ),
        (["tcsh"], "The shell is unknown. Use one of: bash, zsh, fish, powershell."),
        (
            ["bash", "zsh"],
            "completion takes one word, and 2 are given. Usage: mcp-remote-py completion SHELL",
        ),
    ],
)
def test_a_shell_that_is_not_known(argv: list[str], said: str) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    assert (main(["completion", *argv], {}, stdout, stderr), stdout.getvalue()) == (2, "")
    assert stderr.getvalue() == f"mcp-remote-py: error: {said}\n"


def test_the_help_says_how_it_is_put_in_place() -> None:
    stdout = io.StringIO()
    assert main(["completion", "--help"], {"COLUMNS": "100"}, stdout, None) == 0
    for line in (
        '  bash        eval "$(mcp-remote-py completion bash)" in ~/.bashrc\n',
        '  zsh         eval "$(mcp-remote-py completion zsh)" in ~/.zshrc, behind compinit\n',
        "  fish        mcp-remote-py completion fish > ~/.config/fish/completions/",
        "  powershell  mcp-remote-py completion powershell | Out-String | Invoke-Expression in",
    ):
        assert line in stdout.getvalue()


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_that_is_offered_is_one_and_others_are_not(name: str) -> None:
    option = OPTIONS[name]
    for value in CHOICES[name]:
        option.read(value, Reading(name, {}, False))
        assert value in option.help or name in ("--protocol", "--host", "--client"), value
    with pytest.raises(UsageError):
        option.read("canary.example", Reading(name, {}, False))


def test_no_option_with_few_values_is_left_out() -> None:
    """What any word is refused by, and names its choices, is in the table."""
    valued = [one for one in ALL_OPTIONS if one.value and one.name not in CHOICES]
    assert [one.name for one in valued if "Use one of" in refusal_of(one)] == []
    assert "Use one of" in refusal_of(OPTIONS["--transport"])


def refusal_of(option: Option) -> str:
    try:
        option.read("canary", Reading(option.name, {}, False))
    except UsageError as error:
        return error.sentence()
    return ""


def test_an_entry_takes_all_options_of_the_relay() -> None:
    assert {one.name for one in all_options_of(PROXY)} <= {
        one.name for one in all_options_of(INSTALL)
    }
    assert set(COMMANDS) - {PROXY} <= set(COMMAND_WORDS.split())
