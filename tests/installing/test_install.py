"""`install` from outside: words in, a host's file, lines and exit status out."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.cli.main import main
from mcp_remote_py.commands.install import run_install
from mcp_remote_py.console import Console
from mcp_remote_py.hosts.catalogue import HOSTS_BY_KEY
from mcp_remote_py.installing.surroundings import this_system
from mcp_remote_py.settings.entry import InstallSettings
from tests.installing.desk import HEADER, TOKEN, URL, Desk, Terminal
from tests.peers.wild_server import WildServer, answer_status

COMMAND = str(Path(sys.executable).parent / "mcp-remote-py")
PLAIN = {
    "command": COMMAND,
    "args": [URL, "--header", "Authorization:${MCP_REMOTE_MATH_AUTHORIZATION}"],
}
ENV = {"env": {"MCP_REMOTE_MATH_AUTHORIZATION": f"Bearer {TOKEN}"}}
FILE_OF = {
    "claude-desktop": ".config/Claude/claude_desktop_config.json",
    "claude-code": ".claude.json",
    "cursor": ".cursor/mcp.json",
    "windsurf": ".codeium/windsurf/mcp_config.json",
    "vscode": ".config/Code/User/mcp.json",
    "vscode-insiders": ".config/Code - Insiders/User/mcp.json",
    "vscodium": ".config/VSCodium/User/mcp.json",
    "zed": ".config/zed/settings.json",
    "gemini": ".gemini/settings.json",
    "codex": ".codex/config.toml",
    "cline": ".cline/data/settings/cline_mcp_settings.json",
    "copilot-cli": ".copilot/mcp-config.json",
    "opencode": ".config/opencode/opencode.json",
    "lmstudio": ".lmstudio/mcp.json",
}
OF_KIND = {
    "vscode": "servers",
    "vscode-insiders": "servers",
    "vscodium": "servers",
    "zed": "context_servers",
    "codex": "mcp_servers",
    "opencode": "mcp",
}
"""Where the entries are, elsewhere than in mcpServers."""
MORE = {
    "claude-code": {"type": "stdio"},
    "vscode": {"type": "stdio"},
    "vscode-insiders": {"type": "stdio"},
    "vscodium": {"type": "stdio"},
    "codex": {"startup_timeout_sec": 60},
    "copilot-cli": {"type": "local", "tools": ["*"]},
}
OPENCODE = {
    "type": "local",
    "command": [COMMAND, *PLAIN["args"]],
    "environment": ENV["env"],
    "timeout": 60000,
}
"""The one whose entries are of another shape."""
HOSTS = pytest.mark.parametrize("key", list(HOSTS_BY_KEY))


def place_of(key: str) -> str:
    return OF_KIND.get(key, "mcpServers")


def make_room(desk: Desk, key: str) -> None:
    """The host's folder is there, as after its first start."""
    (desk.home / FILE_OF[key]).parent.mkdir(parents=True, exist_ok=True)


@HOSTS
def test_entry_in_a_file_that_was_not_there(desk: Desk, key: str) -> None:
    make_room(desk, key)
    done = desk.run("install", "math", URL, *HEADER, "--client", key, "--secrets", "env")
    assert done.status == 0, done.text
    entry = desk.read(FILE_OF[key])[place_of(key)]["math"]
    wanted = OPENCODE if key == "opencode" else {**PLAIN, **ENV, **MORE.get(key, {})}
    assert entry == wanted
    host = HOSTS_BY_KEY[key]
    assert f"Done: the entry math is in {desk.home / FILE_OF[key]}." in done.said
    assert host.restart.replace("{name}", "math") in done.said
    log = host.log_of("math", this_system())
    assert (f"\nIts log, once it has run there: {log}\n" in done.said) is bool(log)
    assert "{" not in log
    assert TOKEN not in done.text


@HOSTS
def test_entry_beside_what_a_file_has_and_again_and_away(desk: Desk, key: str) -> None:
    """Installed, installed again, and taken out: all else in the file stays byte for byte."""
    before = (
        '# mine\nmodel = "o9"\n\n[mcp_servers.other]\ncommand = "x"\n'
        if key == "codex"
        else '{\n    // mine\n    "theme": "dark",\n    "PLACE": {\n        "other": {"command": '
        '"x"},\n    },\n}\n'.replace("PLACE", place_of(key))
    )
    file = desk.put(FILE_OF[key], before)
    words = ("install", "math", URL, *HEADER, "--client", key, "--secrets", "env")
    done = desk.run(*words)
    assert done.status == 0, done.text
    assert '"math"' in file.read_text() or "[mcp_servers.math]" in file.read_text()
    assert "mine" in file.read_text()
    backup = next(file.parent.glob(f"{file.name}.*bak*"))
    assert backup.read_text() == before
    assert f"The file as it was before: {backup}" in done.said

    written = file.read_bytes()
    again = desk.run(*words)
    assert again.status == 0
    assert "The entry math is there already, as it should be. Nothing is changed." in again.said
    assert file.read_bytes() == written

    gone = desk.run("uninstall", "math", "--client", key, "--yes")
    assert gone.status == 0, gone.text
    assert f"Done: the entry math is gone from {file}." in gone.said
    assert file.read_text() == before


def test_only_host_that_is_found_is_the_one(desk: Desk) -> None:
    make_room(desk, "cursor")
    done = desk.run("install", "math", URL, *HEADER)
    assert done.status == 0, done.text
    assert "math" in desk.read(FILE_OF["cursor"])["mcpServers"]


def test_several_hosts_are_listed_with_their_commands(desk: Desk) -> None:
    make_room(desk, "cursor")
    make_room(desk, "zed")
    done = desk.run("install", "math", URL, *HEADER)
    assert done.status == 2
    lines = done.said.splitlines()
    words = f"mcp-remote-py install math {URL} --header 'Authorization: ****'"
    assert lines == [
        "Hosts on this machine, each with its command:",
        f"Cursor   {words} --client cursor",
        f"Zed      {words} --client zed",
        f"for all  {words} --client all",
    ]
    assert (
        "It is not clear which host is meant. Nothing was changed. Run one of the commands above."
        " (**** stands for a part that may be secret: write it out there.)" in done.logged
    )
    assert not (desk.home / FILE_OF["cursor"]).exists()


def test_commands_that_are_listed_have_all_that_was_typed(desk: Desk) -> None:
    make_room(desk, "cursor")
    make_room(desk, "zed")
    own = ("--secrets", "file", "--login", "--dry-run", "--yes")
    done = desk.run("install", "math", URL, "--read-only", *own)
    words = " ".join(("mcp-remote-py install math", URL, "--read-only", *own))
    assert done.said.splitlines()[1:] == [
        f"Cursor   {words} --client cursor",
        f"Zed      {words} --client zed",
        f"for all  {words} --client all",
    ]


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        ("2\n", ["zed"]),
        ("Zed\n", ["zed"]),
        ("2, 1\n", ["cursor", "zed"]),
        ("All\n", ["cursor", "zed"]),
    ],
)
def test_person_is_asked_which_of_several_hosts_is_meant(
    desk: Desk, answer: str, written: list[str]
) -> None:
    make_room(desk, "cursor")
    make_room(desk, "zed")
    done = desk.run("install", "math", URL, *HEADER, answers=answer)
    assert done.status == 0, done.text
    asked = "Hosts on this machine:\n  1  Cursor\n  2  Zed\nWhich one? Type 1 to 2, "
    asked += "several as 1,2, or all (Enter: none): "
    assert done.said.startswith(asked)
    assert [key for key in ("cursor", "zed") if (desk.home / FILE_OF[key]).exists()] == written


@pytest.mark.parametrize("answer", ["\n", "3\n", "1 3\n", "x\n", "0\n"])
def test_answer_that_is_not_one_of_the_hosts_is_asked_for_again(desk: Desk, answer: str) -> None:
    make_room(desk, "cursor")
    make_room(desk, "zed")
    done = desk.run("install", "math", URL, *HEADER, answers=f"{answer}\n")
    assert done.status == 1
    again = "Type 1 to 2, several as 1,2, or all (Enter: none): "
    assert done.said.count(again) == (1 if answer == "\n" else 2)
    assert done.said.endswith(f"{again}Nothing was changed.\n")
    assert done.logged == ""
    assert not (desk.home / FILE_OF["cursor"]).exists()


def test_no_to_one_of_two_hosts_leaves_the_other_its_entry(desk: Desk) -> None:
    desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    make_room(desk, "zed")
    done = desk.run("install", "math", URL, *HEADER, answers="all\nn\n")
    assert done.status == 0, done.text
    assert "Nothing was changed.\nZed: " in done.said
    assert "math" in desk.read(FILE_OF["zed"])["context_servers"]
    assert desk.read(FILE_OF["cursor"]) == json.loads(OTHER_ENTRY)


class Interrupting(Terminal):
    """Where the person types some lines, then Ctrl+C."""

    def readline(self, size: int | None = -1, /) -> str:
        line = super().readline(-1 if size is None else size)
        if not line:
            raise KeyboardInterrupt
        return line


@pytest.mark.parametrize("words", [("install", "math", URL, *HEADER), ("uninstall", "math")])
@pytest.mark.parametrize("answers", ["", "1\n"])
def test_end_by_ctrl_c_at_a_question_says_that_nothing_was_changed(
    desk: Desk, words: tuple[str, ...], answers: str
) -> None:
    desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    desk.put(FILE_OF["zed"], OTHER_ENTRY.replace("mcpServers", "context_servers"))
    stdout, stderr = Terminal(), io.StringIO()
    status = main(list(words), desk.environment, stdout, stderr, stdin=Interrupting(answers))
    assert status == 130
    assert stdout.getvalue().endswith("\nNothing was changed.\n")
    assert stderr.getvalue() == ""
    assert desk.read(FILE_OF["cursor"]) == json.loads(OTHER_ENTRY)


def test_all_hosts_that_are_found(desk: Desk) -> None:
    make_room(desk, "cursor")
    make_room(desk, "codex")
    done = desk.run("install", "math", URL, *HEADER, "--client", "all")
    assert done.status == 0, done.text
    assert "math" in desk.read(FILE_OF["cursor"])["mcpServers"]
    assert "math" in desk.read(FILE_OF["codex"])["mcp_servers"]


def test_no_host_at_all_names_what_was_looked_for(desk: Desk) -> None:
    done = desk.run("install", "math", URL, *HEADER)
    assert done.status == 2
    assert (
        "None of the hosts known here was found on this machine: Claude Desktop, Claude Code,"
        in done.logged
    )
    assert f"Name one with --client ({', '.join(HOSTS_BY_KEY)}), or show the entry" in done.logged
    assert f"mcp-remote-py install math {URL} --header 'Authorization: ****' --print" in done.logged


@pytest.mark.parametrize(
    ("key", "sign"),
    [
        ("claude-code", ".claude/projects"),
        ("windsurf", ".codeium/windsurf/x"),
        ("cline", ".cline/x"),
    ],
)
def test_folder_of_a_host_tells_that_it_is_there(desk: Desk, key: str, sign: str) -> None:
    desk.put(sign)
    done = desk.run("install", "math", URL, *HEADER, "--dry-run")
    assert done.said.startswith(f"{HOSTS_BY_KEY[key].title}: "), done.text


def test_program_on_path_tells_that_a_host_is_there(desk: Desk) -> None:
    desk.put("bin/gemini", "#!/bin/sh\n").chmod(0o755)
    done = desk.run("install", "math", URL, *HEADER, "--dry-run")
    assert done.said.startswith("Gemini CLI: "), done.text


def test_home_alone_is_not_a_sign_of_claude_code(desk: Desk) -> None:
    desk.put(".bashrc")
    assert desk.run("install", "math", URL, *HEADER).status == 2


def test_dry_run_shows_the_difference_and_writes_nothing(desk: Desk) -> None:
    file = desk.put(FILE_OF["cursor"], "{}\n")
    done = desk.run("install", "math", URL, *HEADER, "--dry-run")
    assert done.status == 0, done.text
    assert '+      "args": [' in done.said
    assert '"MCP_REMOTE_MATH_AUTHORIZATION": "****"' in done.said
    assert "Nothing is written, because of --dry-run." in done.said
    assert file.read_text() == "{}\n"
    assert TOKEN not in done.text


def test_project_file_is_recognised_by_its_name(desk: Desk) -> None:
    file = desk.put("work/.vscode/mcp.json", "{}")
    done = desk.run("install", "math", URL, *HEADER, "--config", str(file))
    assert done.status == 0, done.text
    assert desk.read("work/.vscode/mcp.json")["servers"]["math"]["type"] == "stdio"


def test_file_that_does_not_tell_its_host_needs_the_host(desk: Desk) -> None:
    file = desk.put("odd.json", "{}")
    done = desk.run("install", "math", URL, *HEADER, "--config", str(file))
    assert done.status == 2
    assert f"Which host {file} belongs to cannot be seen from its name. Add --client" in done.logged
    named = desk.run("install", "math", URL, *HEADER, "--config", str(file), "--client", "zed")
    assert named.status == 0, named.text
    assert "math" in desk.read("odd.json")["context_servers"]


OTHER_ENTRY = json.dumps(
    {"mcpServers": {"math": {"command": "uvx", "args": ["mcp-remote-py", "https://a.example/mcp"]}}}
)


def test_entry_that_differs_is_not_replaced_without_a_person(desk: Desk) -> None:
    file = desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    config = ("--config", str(file))
    done = desk.run("install", "math", URL, *HEADER, *config)
    assert done.status == 2
    assert (
        f"{file} has an entry math already. It starts mcp-remote-py for https://a.example/mcp, and"
        f" the new one is for {URL}. Nothing was changed. To have both, choose another name. To"
        f" replace it: mcp-remote-py install math {URL} --header 'Authorization: ****' --config"
        f" {file} --yes (**** stands for a part that may be secret: write it out there.)"
        in done.logged
    )
    assert file.read_text() == OTHER_ENTRY


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (
            {"command": "uvx", "args": ["mcp-remote-py", URL]},
            "It starts mcp-remote-py for the same server, and the new one differs as shown above.",
        ),
        ({"command": "x"}, "It starts another program."),
        (
            {"url": "https://a.example/mcp"},
            "It lets the host reach a remote server by itself for https://a.example/mcp, and the"
            f" new one is for {URL}.",
        ),
    ],
)
def test_what_is_there_is_said_where_it_is_not_replaced(
    desk: Desk, entry: object, what: str
) -> None:
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"math": entry}}))
    done = desk.run("install", "math", URL, *HEADER)
    assert done.status == 2
    assert f" has an entry math already. {what} Nothing was changed. To have" in done.logged


def test_second_of_two_hosts_is_refused_without_denying_the_first(desk: Desk) -> None:
    make_room(desk, "cursor")
    desk.put(FILE_OF["zed"], json.dumps({"context_servers": {"math": {"command": "x"}}}))
    done = desk.run("install", "math", URL, *HEADER, "--client", "all")
    assert done.status == 2
    assert "math" in desk.read(FILE_OF["cursor"])["mcpServers"]
    assert "It starts another program. Nothing was changed in it. " in done.logged
    assert "--client all --yes (" in done.logged


@pytest.mark.parametrize("yes", ["--yes", "-y"])
def test_yes_replaces_without_a_question(desk: Desk, yes: str) -> None:
    desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    done = desk.run("install", "math", URL, *HEADER, yes)
    assert done.status == 0, done.text
    assert desk.read(FILE_OF["cursor"])["mcpServers"]["math"] == {**PLAIN, **ENV}


@pytest.mark.parametrize(
    ("answer", "replaced"), [("y\n", True), ("n\n", False), ("\n", False), ("h\nno\n", False)]
)
def test_person_is_asked_before_an_entry_is_replaced(
    desk: Desk, answer: str, replaced: bool
) -> None:
    desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    done = desk.run("install", "math", URL, *HEADER, answers=answer)
    assert "math is there already. Replace it? [y/N]" in done.said
    assert done.status == (0 if replaced else 1)
    assert ("Replace it? [y/N] Type y or n [y/N]: " in done.said) is answer.startswith("h")
    assert (
        desk.read(FILE_OF["cursor"])["mcpServers"]["math"]
        != json.loads(OTHER_ENTRY)["mcpServers"]["math"]
    ) is replaced
    if not replaced:
        assert done.said.endswith(" Nothing was changed.\n")
        assert done.logged == ""


NPM_ENTRY: dict[str, Any] = {
    "command": "npx",
    "args": [
        "-y",
        "mcp-remote@latest",
        URL,
        "3334",
        "--header",
        "Authorization: Bearer ${OLD}",
        "--debug",
    ],
    "env": {"OLD": TOKEN, "NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt"},
    "disabled": False,
}


def test_entry_of_npm_is_converted_with_its_options_and_environment(desk: Desk) -> None:
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"math": NPM_ENTRY}}))
    done = desk.run("install", "math", URL, "--transport", "http-only", answers="\n")
    assert done.status == 0, done.text
    assert "math starts npm's mcp-remote. Convert it? [Y/n]" in done.said
    assert "Note: The options of npm's mcp-remote are taken over.\n" in done.said
    shown = f'"NODE_EXTRA_CA_CERTS": "{NPM_ENTRY["env"]["NODE_EXTRA_CA_CERTS"]}"'
    assert shown in done.said
    assert desk.read(FILE_OF["cursor"])["mcpServers"]["math"] == {
        "command": COMMAND,
        "args": [
            *(URL, "3334", "--transport", "http-only"),
            *("--header", "Authorization:${MCP_REMOTE_MATH_AUTHORIZATION}", "--debug"),
        ],
        "env": {
            "NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt",
            "MCP_REMOTE_MATH_AUTHORIZATION": f"Bearer {TOKEN}",
        },
        "disabled": False,
    }
    assert TOKEN not in done.text


def test_entry_of_npm_of_another_name_is_offered(desk: Desk) -> None:
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"old": NPM_ENTRY}}))
    done = desk.run("install", "math", URL, answers="\n")
    assert done.status == 0, done.text
    assert done.said.count("[Y/n]") == 1
    assert (
        "Cursor has the entry old, which starts npm's mcp-remote for that server. Convert that one,"
        " instead of adding math? [Y/n]" in done.said
    )
    assert list(desk.read(FILE_OF["cursor"])["mcpServers"]) == ["old"]


def test_sign_in_of_npm_is_told_not_to_be_taken_over_where_one_signs_in(desk: Desk) -> None:
    entry = {"command": "npx", "args": ["mcp-remote", URL]}
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"math": entry}}))
    done = desk.run("install", "math", URL, "--dry-run")
    assert (
        "Note: The options of npm's mcp-remote are taken over. Its sign-ins in ~/.mcp-auth are not:"
        " you may have to sign in once.\n" in done.said
    )


def test_without_a_person_the_command_to_convert_is_said(desk: Desk) -> None:
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"old": NPM_ENTRY}}))
    make_room(desk, "zed")  # so that it is not clear without --client which host is meant
    done = desk.run("install", "math", URL, *HEADER, "--client", "cursor")
    assert done.status == 0, done.text
    command = f"mcp-remote-py install old {URL} --client cursor"
    assert f"To convert that one instead: {command}\n" in done.said
    assert list(desk.read(FILE_OF["cursor"])["mcpServers"]) == ["old", "math"]
    assert desk.run(*command.split()[1:], "--yes").status == 0
    assert desk.read(FILE_OF["cursor"])["mcpServers"]["old"]["command"] == COMMAND


def test_entry_of_npm_for_another_server_is_replaced_like_any_other(desk: Desk) -> None:
    entry = {"command": "npx", "args": ["mcp-remote", "https://a.example/mcp", "--debug"]}
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"math": entry}}))
    done = desk.run("install", "math", URL, *HEADER, answers="\n")
    assert "math is there already, and starts npm's mcp-remote. Replace it? [y/N]" in done.said
    assert done.status == 1
    assert desk.run("install", "math", URL, *HEADER, "-y").status == 0
    assert desk.read(FILE_OF["cursor"])["mcpServers"]["math"] == {**PLAIN, **ENV}


def test_variable_of_the_host_itself_stays_its_own(desk: Desk) -> None:
    """VS Code asks for the token, and keeps it in its own safe place."""
    header = "Authorization: Bearer ${input:token}"
    entry = {"command": "npx", "args": ["mcp-remote", URL, "--header", header]}
    desk.put(FILE_OF["vscode"], json.dumps({"servers": {"math": entry}, "inputs": []}))
    done = desk.run("install", "math", URL, "-y")
    assert done.status == 0, done.text
    assert desk.read(FILE_OF["vscode"])["servers"]["math"]["env"] == {
        "MCP_REMOTE_MATH_AUTHORIZATION": "Bearer ${input:token}"
    }


def test_secret_in_the_file_of_a_project_is_not_for_version_control(desk: Desk) -> None:
    file = desk.put("work/.mcp.json", "{}")
    words = ("install", "math", URL, *HEADER, "--config", str(file), "--secrets", "env")
    assert "Keep it out of version control." in desk.run(*words).said


def test_second_entry_for_a_server_is_told_of(desk: Desk) -> None:
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"web": {"url": URL}}}))
    done = desk.run("install", "math", URL, *HEADER)
    assert (
        "Cursor has the entry web for that server, too: its tools will be there twice." in done.said
    )


def test_native_entry_is_replaced_as_a_whole(desk: Desk) -> None:
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"math": {"url": URL, "note": "mine"}}}))
    done = desk.run("install", "math", URL, *HEADER, answers="y\n")
    assert "and lets the host reach a remote server by itself. Replace it? [y/N]" in done.said
    entry = desk.read(FILE_OF["cursor"])["mcpServers"]["math"]
    assert entry == {"note": "mine", **PLAIN, **ENV}


def test_secrets_in_the_clear_are_told_of_once(desk: Desk) -> None:
    make_room(desk, "cursor")
    done = desk.run("install", "math", URL, *HEADER, "--header", "X-Key: k-9a8b7c6d")
    assert done.said.count("Note: The value of") == 1
    assert (
        "Note: The value of MCP_REMOTE_MATH_AUTHORIZATION and of MCP_REMOTE_MATH_X_KEY will be in"
        " that file as it is: whoever can read the file can use it. --secrets file puts headers"
        " into a"
        " file that only you can read." in done.said
    )


def test_secrets_in_a_file_that_goes_with_the_entry(desk: Desk) -> None:
    make_room(desk, "cursor")
    done = desk.run("install", "math", URL, *HEADER, "--secrets", "file")
    assert done.status == 0, done.text
    entry = desk.read(FILE_OF["cursor"])["mcpServers"]["math"]
    assert "env" not in entry
    assert entry["args"][:2] == [URL, "--header-file"]
    file = Path(entry["args"][2])
    assert file.read_text() == f"Authorization: Bearer {TOKEN}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"Note: What is secret goes into {file}, which only you can read." in done.said
    assert desk.run("uninstall", "math", "--yes").status == 0
    assert not file.exists()


def test_secrets_that_move_back_leave_no_file(desk: Desk) -> None:
    make_room(desk, "cursor")
    desk.run("install", "math", URL, *HEADER, "--secrets", "file")
    file = Path(desk.read(FILE_OF["cursor"])["mcpServers"]["math"]["args"][2])
    assert desk.run("install", "math", URL, *HEADER, "--secrets", "env", "-y").status == 0
    assert not file.exists()


def test_claude_code_gets_its_secrets_in_a_file(desk: Desk) -> None:
    """It replaces ${NAME} by variables of its own, and complains of those it does not have."""
    desk.put(".claude.json", "{}")
    assert desk.run("install", "math", URL, *HEADER).status == 0
    entry = desk.read(".claude.json")["mcpServers"]["math"]
    assert entry["args"][1] == "--header-file"


def test_file_that_cannot_be_written_leaves_no_secrets_behind(desk: Desk) -> None:
    file = desk.put(FILE_OF["cursor"], "{}")
    file.unlink()
    file.mkdir()
    done = desk.run("install", "math", URL, *HEADER, "--secrets", "file")
    assert done.status == 1, done.text
    assert not list((desk.home / ".local").rglob("*.headers"))


def test_broken_file_is_refused_with_line_and_column(desk: Desk) -> None:
    file = desk.put(FILE_OF["cursor"], '{\n  "mcpServers": {,}\n}\n')
    done = desk.run("install", "math", URL, *HEADER)
    assert done.status == 1
    assert f"{file}, line 2, column 18: " in done.logged
    assert file.read_text() == '{\n  "mcpServers": {,}\n}\n'


def test_what_the_network_needs_goes_into_the_environment(desk: Desk) -> None:
    make_room(desk, "cursor")
    desk.extra = {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        "MCP_REMOTE_CONFIG_DIR": str(desk.home / "own"),
    }
    assert desk.run("install", "math", URL, *HEADER).status == 0
    entry = desk.read(FILE_OF["cursor"])["mcpServers"]["math"]
    assert entry["env"] == {**desk.extra, **ENV["env"]}


def test_keys_of_aws_in_the_environment_go_with_the_entry(desk: Desk) -> None:
    make_room(desk, "cursor")
    desk.extra = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE7Q2", "AWS_SECRET_ACCESS_KEY": "w8x7y6z5v4u3"}
    url = "https://abcd1234.lambda-url.eu-west-1.on.aws/mcp"
    done = desk.run("install", "math", url, "--aws-sigv4")
    assert done.status == 0, done.text
    entry = desk.read(FILE_OF["cursor"])["mcpServers"]["math"]
    assert entry["env"] == desk.extra
    assert entry["args"] == [url, "--aws-sigv4"]
    assert "w8x7y6z5v4u3" not in done.text
    assert (
        "Note: The value of AWS_ACCESS_KEY_ID and of AWS_SECRET_ACCESS_KEY will be in that file"
        in done.said
    )


def test_print_shows_what_the_network_needs_and_no_secret_of_the_environment(desk: Desk) -> None:
    ca = "/etc/ssl/certs/ca-certificates.crt"
    desk.extra = {
        "HTTPS_PROXY": "http://ada:k3y-9f8e7d@proxy.example:3128",
        "SSL_CERT_FILE": ca,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE7Q2",
        "AWS_SECRET_ACCESS_KEY": "w8x7y6z5v4u3",
    }
    url = "https://abcd1234.lambda-url.eu-west-1.on.aws/mcp"
    done = desk.run("install", "math", url, "--aws-sigv4", "--print")
    hidden = ("HTTPS_PROXY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    env = json.loads(done.said)["mcpServers"]["math"]["env"]
    assert env == {"SSL_CERT_FILE": ca, **dict.fromkeys(hidden, "****")}
    assert f"Replace **** with the value of {', '.join(hidden)}: it is hidden here," in done.logged
    assert "k3y-9f8e7d" not in done.text
    assert "w8x7y6z5v4u3" not in done.text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("install", "work"),
            "The server URL is missing. Usage: mcp-remote-py install work https://example.com/mcp",
        ),
        (
            ("install", "my work"),
            "Usage: mcp-remote-py install 'my work' https://example.com/mcp [options]",
        ),
        (("install", URL), "The name of the entry is missing."),
        (
            ("install", "math", URL, "--client", "netscape"),
            "--client names a host that is not known here.",
        ),
        (
            ("install", "my math", URL, *HEADER, "--client", "cursor"),
            "Cursor may not be able to use the name",
        ),
        (
            ("install", "math", URL, "--header", "X: ${NOT_SET}"),
            "no environment variable of that name is set",
        ),
        (("install", "math", "http://far.example/mcp"), "Plain http to far.example"),
        (
            ("install", "math", URL, "--config", "a", "--client", "zed", "--client", "cursor"),
            "--config names one file.",
        ),
        (
            ("install", "math", URL, "--print", "--client", "zed", "--client", "cursor"),
            "--print shows one entry.",
        ),
        (
            ("install", "math", URL, "--secrets", "safe"),
            "--secrets has an unknown value. Use one of: env, file, ask.",
        ),
    ],
)
def test_what_is_refused_before_anything_is_done(
    desk: Desk, words: tuple[str, ...], sentence: str
) -> None:
    done = desk.run(*words)
    assert done.status == 2
    assert sentence in done.logged
    assert [path for path in desk.home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("key", ["claude-desktop", "vscode", "codex", "zed"])
def test_print_writes_the_entry_alone_for_a_pipe(desk: Desk, key: str) -> None:
    desk.put(FILE_OF["cursor"], "{}")
    done = desk.run("install", "math", URL, "--client", key, "--print")
    assert done.status == 0
    read = desk.put("out.toml" if key == "codex" else "out.json", done.said)
    entry = desk.read(read.name)[place_of(key)]["math"]
    assert entry == {"command": COMMAND, "args": [URL], **MORE.get(key, {})}
    assert done.logged == ""
    assert desk.read(FILE_OF["cursor"]) == {}


def test_print_is_for_any_host_and_masks_what_is_secret(desk: Desk) -> None:
    done = desk.run("install", "math", URL, *HEADER, "--print")
    entry = json.loads(done.said)["mcpServers"]["math"]
    assert entry["env"] == {"MCP_REMOTE_MATH_AUTHORIZATION": "****"}
    assert (
        "Replace **** with the value of MCP_REMOTE_MATH_AUTHORIZATION: it is hidden here, because"
        " it may be secret.\n" in done.logged
    )
    assert TOKEN not in done.text


def test_print_with_a_file_of_secrets_shows_where_its_path_goes(desk: Desk) -> None:
    client = '{"client_id":"c","client_secret":"desk-canary-secret-77"}'
    words = (*HEADER, "--static-oauth-client-info", client, "--secrets", "file")
    done = desk.run("install", "math", URL, *words, "--print")
    assert json.loads(done.said)["mcpServers"]["math"] == {
        "command": COMMAND,
        "args": [
            *(URL, "--header-file", "PATH-OF-HEADERS"),
            *("--static-oauth-client-info", "@PATH-OF-CLIENT"),
        ],
    }
    assert (
        "Replace PATH-OF-HEADERS with the full path of a file that only you can read, with the"
        " header in it: Authorization: Bearer TOKEN. Without --print, install makes that file."
        in done.logged
    )
    assert (
        "Replace PATH-OF-CLIENT with the full path of a file that only you can read, with the JSON"
        " of your client in it. Without --print, install makes that file." in done.logged
    )
    assert "canary" not in done.text
    assert not list(desk.home.rglob("PATH-OF-*"))


def test_what_is_taken_over_from_the_shell_is_told_of(desk: Desk) -> None:
    make_room(desk, "cursor")
    ca = "/etc/ssl/certs/ca-certificates.crt"
    desk.extra = {"HTTPS_PROXY": "http://proxy.example:3128", "SSL_CERT_FILE": ca}
    done = desk.run("install", "math", "https://mcp.example/mcp", "--dry-run")
    assert (
        "Note: HTTPS_PROXY and SSL_CERT_FILE are set here, so they are in the entry too: a host"
        " does not see the variables of your shell.\n" in done.said
    )
    desk.extra = {"SSL_CERT_FILE": ca}
    done = desk.run("install", "math", "https://mcp.example/mcp", "--dry-run")
    assert "Note: SSL_CERT_FILE is set here, so it is in the entry too: " in done.said
    desk.extra = {}
    done = desk.run("install", "math", "https://mcp.example/mcp", "--dry-run")
    assert "set here" not in done.said


def test_what_is_around_an_entry_is_shown_as_it_stays(desk: Desk) -> None:
    file = desk.put(FILE_OF["cursor"], '{"mcpServers": {"other": {"command": "x"}}}')
    done = desk.run("install", "math", URL, "--dry-run")
    shown = done.said.splitlines()[3:-1]
    assert (shown[0], shown[1], shown[-1]) == ('   "mcpServers": {', '+    "math": {', "   }")
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"math": PLAIN}}))
    assert desk.run("uninstall", "math", "--dry-run").said.splitlines()[1:5] == [
        f"--- {file}",
        f"+++ {file}",
        '   "mcpServers": {',
        '-    "math": {',
    ]


def test_secrets_in_the_copy_of_the_file_are_told_of(desk: Desk) -> None:
    """It is in the way of nobody who has none."""
    desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    done = desk.run("install", "math", URL, *HEADER, "--secrets", "file", "-y")
    backup = f"{desk.home / FILE_OF['cursor']}.mcp-remote-py.bak"
    assert f"The file as it was before: {backup}\n" in done.said
    again = desk.run("install", "math", URL, *HEADER, "--secrets", "env", "-y")
    assert (
        f"The file as it was before: {backup}-2\nIt names a file with secrets that is deleted now."
        in again.said
    )
    last = desk.run("uninstall", "math", "-y")
    assert (
        f"The file as it was before, with its secrets: {backup}-3\nDelete it when all is well.\n"
        in last.said
    )


def test_variable_that_is_not_set_is_told_how_to_be_set_here(desk: Desk) -> None:
    make_room(desk, "cursor")
    done = desk.run("install", "math", URL, "--header", "Authorization: ${AUTHX}")
    assert done.status == 2
    assert (
        "${AUTHX} is used, but no environment variable of that name is set. Set it first: export"
        ' AUTHX="…", or write the value in its place, as in --header "Authorization: Bearer TOKEN".'
        in done.logged
    )
    done = desk.run("install", "math", "http://127.0.0.1:9/${PLACE}")
    assert 'Set it first: export PLACE="…", or write the value' in done.logged


def test_name_that_is_there_twice_is_told_with_its_file_before_anybody_is_asked(
    desk: Desk,
) -> None:
    file = desk.put(FILE_OF["cursor"], '{"mcpServers": {"math": {}, "math": {"command": "x"}}}')
    for words in (("uninstall", "math"), ("install", "math", URL, *HEADER)):
        done = desk.run(*words, answers="y\n")
        assert done.status == 1
        assert (
            f'{file}, line 1, column 29: "math" is there twice (first in line 1; hosts use the'
            " last). Nothing was changed. Delete one of them, and run the command again."
            in done.logged
        )
        assert "[" not in done.said


def test_server_that_does_not_name_a_sign_in_is_not_offered_one(desk: Desk) -> None:
    """A server for tokens: `login` would end where it began."""
    make_room(desk, "cursor")
    refuse = answer_status(401, headers={"WWW-Authenticate": "Bearer"})
    with WildServer() as server:
        for method in ("initialize", "server/discover", "GET", "POST"):
            server.always(method, refuse)
        done = desk.run("install", "tk", server.url)
    assert done.status == 0, done.text
    assert "sign you in" not in done.text
    assert " login " not in done.text
    lines = done.said.splitlines()[-4:-1]
    assert lines == [
        "The server wants a credential, and does not name a sign-in.",
        "If whoever runs it gave you a token, write the entry again with it:",
        f'  mcp-remote-py install tk {server.url} --header "Authorization: Bearer TOKEN"',
    ]


def test_server_that_is_away_does_not_undo_the_entry(desk: Desk) -> None:
    make_room(desk, "cursor")
    done = desk.run("install", "math", URL)
    assert done.status == 0, done.text
    fault, command = done.said.splitlines()[-2:]
    assert fault.startswith(
        "The entry math is written, but it does not work yet: The server http://127.0.0.1:9 cannot"
        " be reached: Connection refused. Check the URL"
    )
    assert command == "To find out why, step by step: mcp-remote-py check math"
    assert "math" in desk.read(FILE_OF["cursor"])["mcpServers"]


def test_entry_with_a_header_whose_server_is_away_is_checked_and_said_not_to_work(
    desk: Desk,
) -> None:
    make_room(desk, "cursor")
    done = desk.run("install", "math", URL, *HEADER)
    assert done.status == 0, done.text
    verdict = done.said.splitlines()[-3:]
    assert verdict[0] == "No connection to port 9: Connection refused."
    assert verdict[2] == (
        "The entry math is written, but it does not work yet, as said above. To check it again:"
        " mcp-remote-py check math"
    )


@pytest.mark.parametrize("way", ["--client", "asked", "--config"])
def test_check_that_is_named_finds_the_entry_that_was_written(desk: Desk, way: str) -> None:
    """Another host has another entry of that name."""
    desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    make_room(desk, "zed")
    config = str(desk.put("work/.vscode/mcp.json", "{}"))
    named = {"--client": ("--client", "zed"), "--config": ("--config", config)}.get(way, ())
    answers = "zed\n" if way == "asked" else None
    done = desk.run("install", "math", URL, *named, answers=answers)
    where = named or ("--client", "zed")
    last = done.said.splitlines()[-1]
    assert last == f"To find out why, step by step: mcp-remote-py check math {' '.join(where)}"
    assert desk.run(*last.partition("mcp-remote-py ")[2].split()).said.startswith(f"Checking {URL}")


def test_link_to_the_file_stays_a_link(desk: Desk) -> None:
    real = desk.put("dotfiles/mcp.json", "{}")
    make_room(desk, "cursor")
    link = desk.home / FILE_OF["cursor"]
    os.symlink(real, link)
    assert desk.run("install", "math", URL, *HEADER).status == 0
    assert link.is_symlink()
    assert "math" in json.loads(real.read_text())["mcpServers"]


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_help_and_version_of_the_commands(desk: Desk, command: str) -> None:
    told = desk.run(command, "--help")
    assert (told.status, told.said.startswith(f"usage: mcp-remote-py {command} NAME")) == (0, True)
    assert "--client HOST" in told.said
    assert desk.run(command, "--version").said.startswith("mcp-remote-py ")


@pytest.mark.parametrize(("of_check", "status"), [(130, 130), (1, 0), (3, 0), (0, 0)])
def test_check_that_is_stopped_ends_it_so_and_the_entry_stays(
    desk: Desk, of_check: int, status: int
) -> None:
    make_room(desk, "cursor")

    def run(settings: InstallSettings, environment: Mapping[str, str], console: Console) -> int:
        return run_install(settings, environment, console, check=lambda _, __, ___: of_check)

    words = ["install", "math", URL, *HEADER, "--client", "cursor"]
    out, err = io.StringIO(), io.StringIO()
    assert main(words, desk.environment, out, err, lambda _: run) == status
    assert ("but it does not work yet" in out.getvalue()) is (of_check in (1, 3))
    assert "math" in desk.read(FILE_OF["cursor"])["mcpServers"]


@pytest.mark.parametrize(
    ("words", "variables", "wish"),
    [
        (["--header-command", "/bin/evil"], {}, "run the command /bin/evil (--header-command)"),
        (["--header", "X: ${MY_TOKEN}"], {}, f"send what your variable MY_TOKEN has to {URL}"),
        ([], {"HTTPS_PROXY": "http://canary-proxy-7714.test:9"}, "set HTTPS_PROXY"),
        (["--header", "X: ${OWN}"], {"OWN": "canary-own-7715"}, ""),
        (["--header", "X: ${input:token}"], {}, ""),
    ],
)
def test_entry_of_a_project_is_taken_over_where_it_wants_no_more_than_its_server(
    desk: Desk, words: list[str], variables: dict[str, str], wish: str
) -> None:
    """Else its command would be run now, and the person's variable be written into the project."""
    desk.extra["MY_TOKEN"] = "canary-mine-7716"
    npm = {"command": "npx", "args": ["-y", "mcp-remote", URL, *words], "env": variables}
    text = json.dumps({"servers": {"work": npm}})
    file = desk.put("project/.vscode/mcp.json", text)
    done = desk.run("install", "work", URL, "--config", str(file), "--dry-run")
    if wish:
        assert done.status == 2
        assert (
            f"is in a file that is not a host's own ({file}), and it would {wish}." in done.logged
        )
        assert "take the entry out first (uninstall)" in done.logged
    else:
        assert done.status == 0, done.text
    assert file.read_text() == text


@pytest.mark.promise("P2")
@pytest.mark.parametrize("scope", ["user", "project", "local", "global"])
def test_the_scope_of_an_entry_is_not_one_of_oauth(desk: Desk, scope: str) -> None:
    """As `claude mcp add --scope user` has it."""
    words = ("install", "math", "https://mcp.example/mcp", "--client", "cursor", "--dry-run")
    said = (
        f'--scope {scope} asks the server for a scope of OAuth named "{scope}"; it does not choose '
        "the configuration. Leave it out, and choose with --client or --config."
    )
    assert desk.run(*words, "--scope", scope).text.count(said) == 1
    for other in (f"{scope}s", f"{scope} read", scope.upper()):
        assert "a scope of OAuth" not in desk.run(*words, "--scope", other).text
