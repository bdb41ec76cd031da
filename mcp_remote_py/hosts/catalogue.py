"""The hosts that `install` knows: where each has its configuration, and what an entry is there.

A row for each, its facts with their sources. What a source does not say is taken in the safest way.
One file: it is a table, and whoever looks for a host looks here. Must not know what is on this
machine, nor how a file is edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType

from mcp_remote_py.errors import UsageError
from mcp_remote_py.hosts.config_text import Form
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.values import Value


class System(Enum):
    """An operating system, as far as paths differ."""

    MACOS = "macOS"
    WINDOWS = "Windows"
    LINUX = "Linux"


ALL_HOSTS = "all"
"""What stands for each host that is found."""

SAFE_NAME = lazy_pattern(r"[A-Za-z0-9_-]{1,64}")
"""What every host takes: Codex and `claude mcp add` refuse all else, and elsewhere the name becomes
a part of the tools' names, for which models take these."""

NO_UNDERSCORE = lazy_pattern(r"[A-Za-z0-9-]{1,64}")


class KnownHost(Value, frozen=True):
    """A host, and the facts about it.

    Paths are templates (`expand_template`). Of `configs` the first counts whose folder is there.
    """

    key: str
    title: str
    """The name for people."""
    configs: Mapping[System, tuple[str, ...]]
    place: tuple[str, ...]
    """Where in the file the entries are."""
    restart: str
    """What makes the host start a new entry: a sentence."""
    sources: tuple[str, ...]
    ends: str = ""
    """What makes it end an entry that is gone: a sentence; "" where that is to restart it."""
    aliases: tuple[str, ...] = ()
    form: Form = Form.JSON
    members: Mapping[str, object] = MappingProxyType({})
    """What an entry has beside command, args and env."""
    names: re.Pattern[str] = SAFE_NAME
    signs: tuple[str, ...] = ()
    """Files and folders that are there where the host is, beside its configuration."""
    programs: tuple[str, ...] = ()
    """The same, on PATH."""
    projects: tuple[str, ...] = ()
    """Ends of the paths of files in which a project has entries of its own."""
    variables_member: str = "env"
    """Where an entry has its environment."""
    is_one_list: bool = False
    """Whether an entry has its command and the arguments in one list, `command`."""
    splits_arguments: bool = False
    """Whether an argument is torn apart at its blanks."""
    expands_variables: bool = False
    """Whether it replaces `${NAME}` in arguments by variables of its own, and complains of those
    that it does not have, even if the entry's `env` has them."""
    inputs: tuple[str, ...] = ()
    """Where its file says what it asks a person for and keeps encrypted; () where it cannot."""
    logs: Mapping[System, str] = MappingProxyType({})
    """Where a person finds what an entry logs; for no system where no source was found."""

    @property
    def end_of_old(self) -> str:
        """What a person does so that an entry that is gone is not running any more: a sentence."""
        return self.ends or f"Restart {self.title}."

    def log_of(self, name: str, system: System) -> str:
        """Where a person finds the log of the entry of that name; "" where that is not known."""
        return self.logs.get(system, "").replace("{name}", name)


def _each(*templates: str) -> dict[System, tuple[str, ...]]:
    """The same everywhere."""
    return dict.fromkeys(System, templates)


def _said(text: str) -> dict[System, str]:
    """The same words everywhere."""
    return dict.fromkeys(System, text)


def _data(name: str) -> dict[System, tuple[str, ...]]:
    """A file in the folder that a desktop program made with Electron has for its data."""
    return {
        System.MACOS: (f"{{home}}/Library/Application Support/{name}",),
        System.WINDOWS: (f"{{appdata}}/{name}",),
        System.LINUX: (f"{{config}}/{name}",),
    }


def _after(
    first: str, system: System, then: Mapping[System, tuple[str, ...]]
) -> dict[System, tuple[str, ...]]:
    return {**then, system: (first, *then[system])}


_SERVERS = ("mcpServers",)

_QUIT_CLAUDE = (
    "Quit Claude Desktop, for which closing its window is not enough, and start it again."
)
_STARTED = "the program itself, started with this entry (tests/interop/installed)"

_VS_CODE = KnownHost(
    key="vscode",
    title="VS Code",
    aliases=("code", "vs-code", "visual-studio-code", "github-copilot"),
    configs=_data("Code/User/mcp.json"),
    place=("servers",),
    members=MappingProxyType({"type": "stdio"}),
    inputs=("inputs",),
    signs=("/Applications/Visual Studio Code.app",),
    programs=("code",),
    projects=(".vscode/mcp.json", "Code/User/mcp.json"),
    restart='In VS Code, run "MCP: List Servers" from the command palette, and start {name} there.',
    logs=_said('"MCP: List Servers" in the command palette, then {name}, "Show Output"'),
    sources=(
        "https://code.visualstudio.com/docs/agents/reference/mcp-configuration (also inputs)",
        "https://github.com/microsoft/apm/issues/944 (a bare ${NAME} stays as it is)",
    ),
)

KNOWN_HOSTS = (
    KnownHost(
        key="claude-desktop",
        title="Claude Desktop",
        aliases=("claude", "claudedesktop", "claude-app"),
        # A package of the Microsoft Store, which the download for Windows is, too, sees its own
        # folder in the place of %APPDATA%.
        configs=_after(
            "{localappdata}/Packages/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json",
            System.WINDOWS,
            _data("Claude/claude_desktop_config.json"),
        ),
        place=_SERVERS,
        signs=("/Applications/Claude.app", "{localappdata}/AnthropicClaude"),
        programs=("claude-desktop",),
        projects=("claude_desktop_config.json",),
        restart=_QUIT_CLAUDE,
        ends=_QUIT_CLAUDE,
        logs={
            System.MACOS: "~/Library/Logs/Claude/mcp-server-{name}.log",
            System.WINDOWS: "%APPDATA%\\Claude\\logs\\mcp-server-{name}.log",
            System.LINUX: "~/.config/Claude/logs/mcp-server-{name}.log",
        },
        sources=(
            "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
            "https://github.com/anthropics/claude-code/issues/26073 (packages on Windows)",
            "https://github.com/aaddrick/claude-desktop-debian (a build for Linux)",
            "https://docs.pgedge.com/pgedge-postgres-mcp-server/development/guide/server_logs"
            " (logs on Linux)",
        ),
    ),
    KnownHost(
        key="claude-code",
        title="Claude Code",
        aliases=("claudecode", "claude-cli"),
        configs=_each("{CLAUDE_CONFIG_DIR}/.claude.json", "{home}/.claude.json"),
        place=_SERVERS,
        members=MappingProxyType({"type": "stdio"}),
        signs=("{home}/.claude",),
        programs=("claude",),
        projects=(".mcp.json", ".claude.json"),
        expands_variables=True,
        ends="Start claude anew.",
        restart="Start claude anew; /mcp shows there whether {name} is connected.",
        logs=_said("what claude --debug shows"),
        sources=(
            "https://code.claude.com/docs/en/mcp",
            "https://github.com/anthropics/claude-code/issues/12211 (variables it does not have)",
            _STARTED,
        ),
    ),
    KnownHost(
        key="cursor",
        title="Cursor",
        configs=_each("{home}/.cursor/mcp.json"),
        place=_SERVERS,
        signs=("{home}/.cursor", "/Applications/Cursor.app"),
        programs=("cursor",),
        projects=(".cursor/mcp.json",),
        splits_arguments=True,
        restart="Restart Cursor, then look whether {name} is switched on in its settings, under"
        " MCP.",
        logs=_said('the panel "Output", "MCP Logs"'),
        sources=(
            "https://cursor.com/docs/mcp",
            "https://github.com/punkpeye/mcp-remote/issues/26 (arguments torn at blanks)",
        ),
    ),
    KnownHost(
        key="windsurf",
        title="Windsurf",
        aliases=("codeium", "cascade"),
        configs=_each("{home}/.codeium/windsurf/mcp_config.json"),
        place=_SERVERS,
        signs=("{home}/.codeium/windsurf", "/Applications/Windsurf.app"),
        programs=("windsurf",),
        projects=("windsurf/mcp_config.json",),
        restart="Press the refresh button above Cascade's list of MCP servers, or restart"
        " Windsurf.",
        sources=("https://docs.windsurf.com/windsurf/cascade/mcp",),
    ),
    _VS_CODE,
    _VS_CODE.replace(
        key="vscode-insiders",
        title="VS Code Insiders",
        aliases=("code-insiders", "insiders"),
        configs=_data("Code - Insiders/User/mcp.json"),
        signs=("/Applications/Visual Studio Code - Insiders.app",),
        programs=("code-insiders",),
        projects=("Code - Insiders/User/mcp.json",),
    ),
    _VS_CODE.replace(
        key="vscodium",
        title="VSCodium",
        aliases=("codium",),
        configs=_data("VSCodium/User/mcp.json"),
        signs=("/Applications/VSCodium.app",),
        programs=("codium",),
        projects=("VSCodium/User/mcp.json",),
    ),
    KnownHost(
        key="zed",
        title="Zed",
        configs={
            **_each("{config}/zed/settings.json"),
            System.MACOS: ("{home}/.config/zed/settings.json",),
            System.WINDOWS: ("{appdata}/Zed/settings.json",),
        },
        place=("context_servers",),
        signs=("/Applications/Zed.app",),
        programs=("zed", "zeditor"),
        projects=("zed/settings.json", ".zed/settings.json", "Zed/settings.json"),
        restart="Zed takes it at once; the settings of its Agent Panel show a green dot before"
        " {name}.",
        logs=_said('"zed: open log" in the command palette'),
        sources=(
            "https://zed.dev/docs/ai/mcp",
            "https://zed.dev/docs/configuring-zed (where the file is)",
            "crates/migrator of zed-industries/zed, m_2025_11_25: `source` is gone",
        ),
    ),
    KnownHost(
        key="gemini",
        title="Gemini CLI",
        aliases=("gemini-cli",),
        configs=_each("{GEMINI_CLI_HOME}/.gemini/settings.json", "{home}/.gemini/settings.json"),
        place=_SERVERS,
        names=NO_UNDERSCORE,
        programs=("gemini",),
        projects=(".gemini/settings.json",),
        ends="Start gemini anew.",
        restart="Start gemini anew; /mcp shows there whether {name} is connected.",
        sources=(
            "https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md",
            _STARTED,
        ),
    ),
    KnownHost(
        key="codex",
        title="Codex",
        aliases=("codex-cli", "openai-codex"),
        configs=_each("{CODEX_HOME}/config.toml", "{home}/.codex/config.toml"),
        form=Form.TOML,
        place=("mcp_servers",),
        # It waits for 10 s; a sign-in, and the first fetch of a package, take longer.
        members=MappingProxyType({"startup_timeout_sec": 60}),
        programs=("codex",),
        projects=(".codex/config.toml", "config.toml"),
        ends="Start codex anew, or its desktop program or extension.",
        restart="Start codex anew, or its desktop program or extension; /mcp shows there whether"
        " {name} is connected.",
        logs=_said("~/.codex/log/codex-tui.log"),
        sources=(
            "https://developers.openai.com/codex/mcp",
            "https://github.com/openai/codex/blob/main/docs/advanced.md (logs)",
            _STARTED,
        ),
    ),
    KnownHost(
        key="cline",
        title="Cline",
        configs={
            # The command line's own; the extension reads the same since 3.x, and takes over once
            # what it had in its own folder.
            system: (
                "{CLINE_MCP_SETTINGS_PATH}",
                "{CLINE_DATA_DIR}/settings/cline_mcp_settings.json",
                "{CLINE_DIR}/data/settings/cline_mcp_settings.json",
                "{home}/.cline/data/settings/cline_mcp_settings.json",
                *_data(
                    "Code/User/globalStorage/saoudrizwan.claude-dev/settings/"
                    "cline_mcp_settings.json"
                )[system],
            )
            for system in System
        },
        place=_SERVERS,
        signs=("{home}/.cline",),
        programs=("cline",),
        projects=("cline_mcp_settings.json",),
        restart="Cline takes it at once; the icon for MCP servers shows whether {name} is"
        " connected.",
        sources=(
            "https://docs.cline.bot/getting-started/config",
            "https://github.com/cline/cline/pull/11818 (one file for extension and command line)",
            _STARTED,
        ),
    ),
    KnownHost(
        key="copilot-cli",
        title="GitHub Copilot CLI",
        aliases=("copilot",),
        configs=_each("{COPILOT_HOME}/mcp-config.json", "{home}/.copilot/mcp-config.json"),
        place=_SERVERS,
        members=MappingProxyType({"type": "local", "tools": ["*"]}),
        programs=("copilot",),
        projects=(".copilot/mcp-config.json", "mcp-config.json", ".github/mcp.json"),
        ends="Start copilot anew.",
        restart="Start copilot anew; /mcp shows there whether {name} is connected.",
        logs=_said("~/.copilot/logs"),
        sources=(
            "https://docs.github.com/en/copilot/reference/copilot-cli-reference",
            _STARTED,
        ),
    ),
    KnownHost(
        key="opencode",
        title="OpenCode",
        aliases=("opencode-ai", "open-code"),
        configs=_each(
            "{OPENCODE_CONFIG}",
            "{config}/opencode/opencode.json",
            "{config}/opencode/opencode.jsonc",
        ),
        place=("mcp",),
        # It waits for 5 s for the tools; a sign-in, and the first fetch of a package, take longer.
        members=MappingProxyType({"type": "local", "timeout": 60000}),
        variables_member="environment",
        is_one_list=True,
        programs=("opencode",),
        projects=("opencode.json", "opencode.jsonc"),
        ends="Start opencode anew.",
        restart="Start opencode anew; opencode mcp list tells whether {name} is connected.",
        logs=_said("~/.local/share/opencode/log"),
        sources=("https://opencode.ai/docs/mcp-servers/", _STARTED),
    ),
    KnownHost(
        key="lmstudio",
        title="LM Studio",
        aliases=("lm-studio",),
        configs=_each("{home}/.lmstudio/mcp.json", "{home}/.cache/lm-studio/mcp.json"),
        place=_SERVERS,
        signs=("/Applications/LM Studio.app",),
        programs=("lms",),
        projects=(".lmstudio/mcp.json", "lm-studio/mcp.json"),
        restart='LM Studio takes it at once; switch {name} on in the tab "Program" of its sidebar.',
        sources=(
            "https://lmstudio.ai/docs/app/mcp",
            "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1371 (the other folder)",
        ),
    ),
)

HOSTS_BY_KEY = {host.key: host for host in KNOWN_HOSTS}

PLAIN_HOST = HOSTS_BY_KEY["claude-desktop"]
"""Whose form an entry has that is for any host."""


def find_host(word: str) -> KnownHost:
    """The host that a person means.

    Raises:
        UsageError: none is known by that name.
    """
    asked = re.sub(r"[\s_]+", "-", word.strip().casefold())
    names: dict[str, KnownHost] = {}
    for host in KNOWN_HOSTS:
        title = host.title.casefold().replace(" ", "-")
        for name in (host.key, title, *host.aliases):
            names.setdefault(name, host)
    if asked in names:
        return names[asked]
    import difflib

    close = difflib.get_close_matches(asked, names, 1)
    meant = f"Did you mean {names[close[0]].key}? " if close else ""
    raise UsageError(
        "--client names a host that is not known here.",
        hint=f"{meant}Known are {', '.join(HOSTS_BY_KEY)}, and {ALL_HOSTS}. For any other, --print "
        "shows the entry to paste.",
    )


def host_of_file(path: str) -> KnownHost | None:
    """Whose file it is, by its name and folders; None where they do not tell."""
    parts = path.replace("\\", "/")
    for host in KNOWN_HOSTS:
        for end in host.projects:
            if parts == end or parts.endswith(f"/{end}"):
                return host
    return None


# Paths --------------------------------------------------------------------------------------

_PIECE = lazy_pattern(r"\{([A-Za-z_]+)\}")


def expand_template(template: str, system: System, environment: Mapping[str, str]) -> str | None:
    """The path, which may have a `*` in it; None where a variable in capitals is not set.

    `{home}`, `{appdata}`, `{localappdata}` and `{config}` are the folders that the system has for
    these, wherever the environment says they are.
    """
    windows = system is System.WINDOWS
    home = environment.get("USERPROFILE" if windows else "HOME") or environment.get("HOME", "")
    folders = {
        "home": home,
        "appdata": environment.get("APPDATA") or f"{home}/AppData/Roaming",
        "localappdata": environment.get("LOCALAPPDATA") or f"{home}/AppData/Local",
        "config": environment.get("XDG_CONFIG_HOME") or f"{home}/.config",
    }
    values = {
        name: folders.get(name) or environment.get(name, "") for name in _PIECE.findall(template)
    }
    if not all(values.values()):
        return None
    path = _PIECE.sub(lambda match: values[match[1]], template)
    return path.replace("/", "\\") if windows else path


def expand_configs(
    host: KnownHost, system: System, environment: Mapping[str, str]
) -> Iterator[str]:
    """The paths at which its configuration may be, the likeliest first.

    A variable that names the folder is obeyed: nothing else is looked at then.
    """
    for template in host.configs[system]:
        path = expand_template(template, system, environment)
        if path is not None:
            yield path
            if template[1:2].isupper():
                return


def expand_signs(host: KnownHost, system: System, environment: Mapping[str, str]) -> Iterator[str]:
    """The files and folders that tell that it is there."""
    for template in host.signs:
        if template.startswith("/") and system is not System.MACOS:
            continue
        if "appdata" in template and system is not System.WINDOWS:
            continue
        path = expand_template(template, system, environment)
        if path is not None:
            yield path
