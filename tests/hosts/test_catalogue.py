"""The table of hosts: each has its paths on each system, and is found by the names people type."""

from __future__ import annotations

import pytest

from mcp_remote_py.errors import UsageError
from mcp_remote_py.hosts.catalogue import (
    HOSTS_BY_KEY,
    KNOWN_HOSTS,
    System,
    expand_configs,
    expand_signs,
    find_host,
    host_of_file,
)

UNIX = {"HOME": "/home/ada"}
WINDOWS = {
    "USERPROFILE": r"C:\Users\ada",
    "APPDATA": r"C:\Users\ada\AppData\Roaming",
    "LOCALAPPDATA": r"C:\Users\ada\AppData\Local",
}
ROAMING = r"C:\Users\ada\AppData\Roaming"
LIBRARY = "/home/ada/Library/Application Support"

# Host, then the likeliest path on Linux, macOS and Windows.
PATHS = (
    (
        "claude-desktop",
        "/home/ada/.config/Claude/claude_desktop_config.json",
        f"{LIBRARY}/Claude/claude_desktop_config.json",
        r"C:\Users\ada\AppData\Local\Packages\Claude_*\LocalCache\Roaming\Claude"
        r"\claude_desktop_config.json",
    ),
    (
        "claude-code",
        "/home/ada/.claude.json",
        "/home/ada/.claude.json",
        r"C:\Users\ada\.claude.json",
    ),
    (
        "cursor",
        "/home/ada/.cursor/mcp.json",
        "/home/ada/.cursor/mcp.json",
        r"C:\Users\ada\.cursor\mcp.json",
    ),
    (
        "windsurf",
        "/home/ada/.codeium/windsurf/mcp_config.json",
        "/home/ada/.codeium/windsurf/mcp_config.json",
        r"C:\Users\ada\.codeium\windsurf\mcp_config.json",
    ),
    (
        "vscode",
        "/home/ada/.config/Code/User/mcp.json",
        f"{LIBRARY}/Code/User/mcp.json",
        rf"{ROAMING}\Code\User\mcp.json",
    ),
    (
        "vscode-insiders",
        "/home/ada/.config/Code - Insiders/User/mcp.json",
        f"{LIBRARY}/Code - Insiders/User/mcp.json",
        rf"{ROAMING}\Code - Insiders\User\mcp.json",
    ),
    (
        "vscodium",
        "/home/ada/.config/VSCodium/User/mcp.json",
        f"{LIBRARY}/VSCodium/User/mcp.json",
        rf"{ROAMING}\VSCodium\User\mcp.json",
    ),
    (
        "zed",
        "/home/ada/.config/zed/settings.json",
        "/home/ada/.config/zed/settings.json",
        rf"{ROAMING}\Zed\settings.json",
    ),
    (
        "gemini",
        "/home/ada/.gemini/settings.json",
        "/home/ada/.gemini/settings.json",
        r"C:\Users\ada\.gemini\settings.json",
    ),
    (
        "codex",
        "/home/ada/.codex/config.toml",
        "/home/ada/.codex/config.toml",
        r"C:\Users\ada\.codex\config.toml",
    ),
    (
        "cline",
        "/home/ada/.cline/data/settings/cline_mcp_settings.json",
        "/home/ada/.cline/data/settings/cline_mcp_settings.json",
        r"C:\Users\ada\.cline\data\settings\cline_mcp_settings.json",
    ),
    (
        "copilot-cli",
        "/home/ada/.copilot/mcp-config.json",
        "/home/ada/.copilot/mcp-config.json",
        r"C:\Users\ada\.copilot\mcp-config.json",
    ),
    (
        "opencode",
        "/home/ada/.config/opencode/opencode.json",
        "/home/ada/.config/opencode/opencode.json",
        r"C:\Users\ada\.config\opencode\opencode.json",
    ),
    (
        "lmstudio",
        "/home/ada/.lmstudio/mcp.json",
        "/home/ada/.lmstudio/mcp.json",
        r"C:\Users\ada\.lmstudio\mcp.json",
    ),
)


@pytest.mark.parametrize(("key", "linux", "macos", "windows"), PATHS, ids=lambda one: str(one)[:15])
def test_path_of_each_host_on_each_system(key: str, linux: str, macos: str, windows: str) -> None:
    host = HOSTS_BY_KEY[key]
    found = [
        next(expand_configs(host, system, WINDOWS if system is System.WINDOWS else UNIX))
        for system in (System.LINUX, System.MACOS, System.WINDOWS)
    ]
    assert found == [linux, macos, windows]


def test_no_host_is_without_a_row_of_paths() -> None:
    assert [row[0] for row in PATHS] == list(HOSTS_BY_KEY)


@pytest.mark.parametrize(
    ("key", "variable", "path"),
    [
        ("codex", "CODEX_HOME", "/elsewhere/config.toml"),
        ("claude-code", "CLAUDE_CONFIG_DIR", "/elsewhere/.claude.json"),
        ("gemini", "GEMINI_CLI_HOME", "/elsewhere/.gemini/settings.json"),
        ("cline", "CLINE_DIR", "/elsewhere/data/settings/cline_mcp_settings.json"),
        ("cline", "CLINE_DATA_DIR", "/elsewhere/settings/cline_mcp_settings.json"),
        ("cline", "CLINE_MCP_SETTINGS_PATH", "/elsewhere"),
        ("copilot-cli", "COPILOT_HOME", "/elsewhere/mcp-config.json"),
        ("opencode", "OPENCODE_CONFIG", "/elsewhere"),
    ],
)
def test_variable_of_a_host_moves_its_file_and_nothing_else_counts(
    key: str, variable: str, path: str
) -> None:
    environment = {**UNIX, variable: "/elsewhere"}
    assert list(expand_configs(HOSTS_BY_KEY[key], System.LINUX, environment)) == [path]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("vscode", "/moved/Code/User/mcp.json"),
        ("zed", "/moved/zed/settings.json"),
        ("claude-desktop", "/moved/Claude/claude_desktop_config.json"),
    ],
)
def test_xdg_config_home_is_obeyed_on_linux(key: str, path: str) -> None:
    environment = {**UNIX, "XDG_CONFIG_HOME": "/moved"}
    assert next(expand_configs(HOSTS_BY_KEY[key], System.LINUX, environment)) == path


def test_folders_of_windows_are_guessed_where_variables_are_missing() -> None:
    found = next(
        expand_configs(HOSTS_BY_KEY["zed"], System.WINDOWS, {"USERPROFILE": r"C:\Users\ada"})
    )
    assert found == r"C:\Users\ada\AppData\Roaming\Zed\settings.json"


def test_without_a_home_there_are_no_paths() -> None:
    assert list(expand_configs(HOSTS_BY_KEY["cursor"], System.LINUX, {})) == []


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("claude", "claude-desktop"),
        ("Claude Desktop", "claude-desktop"),
        ("claude_code", "claude-code"),
        ("code", "vscode"),
        ("copilot", "copilot-cli"),
        ("GitHub Copilot CLI", "copilot-cli"),
        ("VS Code", "vscode"),
        ("VSCODIUM", "vscodium"),
        ("gemini-cli", "gemini"),
        ("LM Studio", "lmstudio"),
        ("codex", "codex"),
    ],
)
def test_host_is_found_by_the_names_people_type(word: str, key: str) -> None:
    assert find_host(word).key == key


def test_unknown_host_is_refused_with_the_nearest_and_all_names() -> None:
    with pytest.raises(UsageError) as refused:
        find_host("cursr")
    sentence = refused.value.sentence()
    assert sentence.startswith("--client names a host that is not known here. Did you mean cursor?")
    assert "claude-desktop, claude-code, cursor" in sentence
    assert sentence.endswith("For any other, --print shows the entry to paste.")


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/work/app/.mcp.json", "claude-code"),
        ("/work/app/.cursor/mcp.json", "cursor"),
        ("/work/app/.vscode/mcp.json", "vscode"),
        (r"C:\app\.vscode\mcp.json", "vscode"),
        ("/work/app/.gemini/settings.json", "gemini"),
        ("/work/app/.codex/config.toml", "codex"),
        ("/x/Code - Insiders/User/mcp.json", "vscode-insiders"),
        ("/x/claude_desktop_config.json", "claude-desktop"),
        ("/x/cline_mcp_settings.json", "cline"),
        ("/work/app/.github/mcp.json", "copilot-cli"),
        ("/work/app/opencode.jsonc", "opencode"),
        ("/x/mcp.json", None),
        ("/x/settings.json", None),
    ],
)
def test_file_of_a_project_tells_its_host(path: str, key: str | None) -> None:
    host = host_of_file(path)
    assert (host and host.key) == key


def test_signs_are_those_of_the_system() -> None:
    claude = HOSTS_BY_KEY["claude-desktop"]
    assert list(expand_signs(claude, System.MACOS, UNIX)) == ["/Applications/Claude.app"]
    assert list(expand_signs(claude, System.LINUX, UNIX)) == []
    assert list(expand_signs(claude, System.WINDOWS, WINDOWS)) == [
        r"C:\Users\ada\AppData\Local\AnthropicClaude"
    ]


def test_each_row_has_a_source_and_a_sentence_of_its_own() -> None:
    for host in KNOWN_HOSTS:
        assert host.sources, host.key
        assert host.restart.endswith("."), host.key
    names = [name for host in KNOWN_HOSTS for name in (host.key, *host.aliases)]
    assert len(names) == len(set(names))
