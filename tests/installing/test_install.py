"""`install` from outside: words in, a host's file, lines and exit status out."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from mcp_remote_py.hosts.catalogue import HOSTS_BY_KEY
from tests.installing.desk import HEADER, TOKEN, URL, Desk

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
        "Several hosts are on this machine. For one of them:",
        f"Cursor   {words} --client cursor",
        f"Zed      {words} --client zed",
        f"for all  {words} --client all",
    ]
    assert (
        "2 hosts were found, and --client is not given. Run one of the commands above. (**** stands"
        " for a part that may be secret: write it out there.)" in done.logged
    )
    assert not (desk.home / FILE_OF["cursor"]).exists()


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
    done = desk.run("install", "math", URL, *HEADER)
    assert done.status == 2
    assert (
        f"The entry math is in {file} already, and is another one. Add --yes to replace it, or"
        " choose another name." in done.logged
    )
    assert file.read_text() == OTHER_ENTRY


@pytest.mark.parametrize("yes", ["--yes", "-y"])
def test_yes_replaces_without_a_question(desk: Desk, yes: str) -> None:
    desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    done = desk.run("install", "math", URL, *HEADER, yes)
    assert done.status == 0, done.text
    assert desk.read(FILE_OF["cursor"])["mcpServers"]["math"] == {**PLAIN, **ENV}


@pytest.mark.parametrize(("answer", "replaced"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_person_is_asked_before_an_entry_is_replaced(
    desk: Desk, answer: str, replaced: bool
) -> None:
    desk.put(FILE_OF["cursor"], OTHER_ENTRY)
    done = desk.run("install", "math", URL, *HEADER, answers=answer)
    assert "math is there already. Replace it? [y/N]" in done.said
    assert done.status == (0 if replaced else 2)
    assert (
        desk.read(FILE_OF["cursor"])["mcpServers"]["math"]
        != json.loads(OTHER_ENTRY)["mcpServers"]["math"]
    ) is replaced
    if not replaced:
        assert "Nothing was changed. You said no." in done.logged


NPM_ENTRY = {
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
    assert "Its sign-ins in ~/.mcp-auth are not: you will be asked to sign in once." in done.said
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
    done = desk.run("install", "math", URL, answers="\n\n")
    assert done.status == 0, done.text
    assert (
        "Cursor has the entry old, which starts npm's mcp-remote for that server. Convert that one,"
        " instead of adding math? [Y/n]" in done.said
    )
    assert list(desk.read(FILE_OF["cursor"])["mcpServers"]) == ["old"]


def test_without_a_person_the_command_to_convert_is_said(desk: Desk) -> None:
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"old": NPM_ENTRY}}))
    done = desk.run("install", "math", URL, *HEADER)
    assert done.status == 0, done.text
    assert f"To convert that one instead: mcp-remote-py install old {URL}" in done.said
    assert list(desk.read(FILE_OF["cursor"])["mcpServers"]) == ["old", "math"]


def test_entry_of_npm_for_another_server_is_replaced_like_any_other(desk: Desk) -> None:
    entry = {"command": "npx", "args": ["mcp-remote", "https://a.example/mcp", "--debug"]}
    desk.put(FILE_OF["cursor"], json.dumps({"mcpServers": {"math": entry}}))
    done = desk.run("install", "math", URL, *HEADER, answers="\n")
    assert "math is there already, and starts npm's mcp-remote. Replace it? [y/N]" in done.said
    assert done.status == 2
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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("install", "math"), "The server URL is missing."),
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
            "--secrets has an unknown value. Use one of: env, file.",
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
        "**** stands for the value of MCP_REMOTE_MATH_AUTHORIZATION, which may be secret: write it"
        " out there." in done.logged
    )
    assert TOKEN not in done.text


def test_server_that_is_away_does_not_undo_the_entry(desk: Desk) -> None:
    make_room(desk, "cursor")
    done = desk.run("install", "math", URL)
    assert done.status == 0, done.text
    assert f"{URL} could not be asked: " in done.said
    assert "The entry stays: it works as soon as the server can be reached." in done.said
    assert "To see whether it works: mcp-remote-py check math" in done.said
    assert "math" in desk.read(FILE_OF["cursor"])["mcpServers"]


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
