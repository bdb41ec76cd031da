"""Which hosts are on a machine: rows of what is seen there, on systems that we are not on."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from mcp_remote_py.errors import UsageError
from mcp_remote_py.hosts.catalogue import HOSTS_BY_KEY, System
from mcp_remote_py.installing.entries import find_entries
from mcp_remote_py.installing.host_files import Machine, find_hosts
from tests.installing.desk import Desk

HOME = {"HOME": "/Users/ada"}
WINDOWS = {
    "USERPROFILE": r"C:\Users\ada",
    "APPDATA": r"C:\Users\ada\AppData\Roaming",
    "LOCALAPPDATA": r"C:\Users\ada\AppData\Local",
}
PACKAGE = r"C:\Users\ada\AppData\Local\Packages\Claude_pzs8sxrjxfjjc\LocalCache\Roaming\Claude"
PLAIN = r"C:\Users\ada\AppData\Roaming\Claude"
LIBRARY = "/Users/ada/Library/Application Support"


class WrittenLook:
    """A machine that has just these paths and programs."""

    def __init__(self, *there: str) -> None:
        self._there = there

    def is_there(self, path: str) -> bool:
        return path in self._there

    def matches(self, pattern: str) -> list[str]:
        return [path for path in self._there if fnmatchcase(path, pattern)]

    def has_program(self, name: str) -> bool:
        return f"program {name}" in self._there


def machine(system: System, *there: str, **variables: str) -> Machine:
    environment = {**(WINDOWS if system is System.WINDOWS else HOME), **variables}
    return Machine(system, environment, WrittenLook(*there))


ROWS: tuple[tuple[System, tuple[str, ...], dict[str, str]], ...] = (
    (System.MACOS, ("/Applications/Claude.app",), {"claude-desktop": f"{LIBRARY}/Claude"}),
    (System.MACOS, (f"{LIBRARY}/Code/User",), {"vscode": f"{LIBRARY}/Code/User"}),
    (System.MACOS, ("/Users/ada", "/Users/ada/.claude"), {"claude-code": "/Users/ada"}),
    (System.MACOS, ("/Users/ada",), {}),
    (System.LINUX, ("/Applications/Claude.app",), {}),
    (System.LINUX, ("program codex",), {"codex": "/Users/ada/.codex"}),
    (System.WINDOWS, (PLAIN,), {"claude-desktop": PLAIN}),
    (System.WINDOWS, (PACKAGE,), {"claude-desktop": PACKAGE}),
    (System.WINDOWS, (PLAIN, PACKAGE), {"claude-desktop": PACKAGE}),
    (
        System.WINDOWS,
        (r"C:\Users\ada\AppData\Local\AnthropicClaude",),
        {"claude-desktop": PLAIN},
    ),
    (
        System.LINUX,
        ("/Users/ada/.cache/lm-studio",),
        {"lmstudio": "/Users/ada/.cache/lm-studio"},
    ),
)


@pytest.mark.parametrize(("system", "there", "folders"), ROWS)
def test_hosts_and_their_folders(
    system: System, there: tuple[str, ...], folders: dict[str, str]
) -> None:
    found = find_hosts(machine(system, *there))
    seen = {
        one.host.key: one.path[: max(one.path.rfind("/"), one.path.rfind("\\"))] for one in found
    }
    assert seen == folders


def test_cline_in_vscode_keeps_its_file_there() -> None:
    folder = f"{LIBRARY}/Code/User/globalStorage/saoudrizwan.claude-dev/settings"
    cline = HOSTS_BY_KEY["cline"]
    assert machine(System.MACOS, folder).locate(cline) == f"{folder}/cline_mcp_settings.json"
    newer = "/Users/ada/.cline/data/settings"
    assert machine(System.MACOS, folder, newer).locate(cline).startswith(newer)
    assert machine(System.MACOS, "program cline").locate(cline).startswith(newer)


def test_of_two_names_in_a_folder_the_one_that_is_there_counts() -> None:
    """`opencode mcp add` makes opencode.jsonc, where there is nothing yet."""
    opencode, folder = HOSTS_BY_KEY["opencode"], "/Users/ada/.config/opencode"
    both = (f"{folder}/opencode.json", f"{folder}/opencode.jsonc")
    assert machine(System.LINUX, folder).locate(opencode) == both[0]
    assert machine(System.LINUX, folder, both[1]).locate(opencode) == both[1]
    assert machine(System.LINUX, folder, *both).locate(opencode) == both[0]


def test_without_home_it_is_said_what_to_give() -> None:
    nowhere = Machine(System.LINUX, {}, WrittenLook())
    with pytest.raises(UsageError) as refused:
        nowhere.locate(HOSTS_BY_KEY["cursor"])
    assert refused.value.sentence() == (
        "Where Cursor has its configuration is not known: HOME is not set. Name the file with"
        " --config."
    )


def test_entries_are_found_by_name_in_all_hosts(desk: Desk) -> None:
    url = "https://example.com/mcp"
    desk.put(
        ".cursor/mcp.json",
        json.dumps(
            {
                "mcpServers": {
                    "math": {"command": "npx", "args": ["mcp-remote", url], "env": {"A": "b"}},
                    "x": {},
                }
            }
        ),
    )
    codex = desk.put(
        ".codex/config.toml",
        f'[mcp_servers.math]\ncommand = "uvx"\nargs = ["mcp-remote-py", "{url}", "--debug"]\n',
    )
    warnings: list[str] = []

    def find(name: str | None, clients: tuple[str, ...], config: str | None) -> list[Any]:
        return find_entries(name, clients, config, desk.environment, System.LINUX, warnings.append)

    found = find("math", (), None)
    assert [(one.host.key, one.words) for one in found] == [
        ("cursor", (url,)),
        ("codex", (url, "--debug")),
    ]
    assert {name: value.reveal() for name, value in found[0].variables.items()} == {"A": "b"}
    (one,) = find("math", ("codex",), None)
    assert one.path == str(codex)
    named = find(None, (), str(desk.home / ".cursor/mcp.json"))
    assert [one.name for one in named] == ["math", "x"]
    assert warnings == []
