"""The hosts that are started with what `install` wrote: how each is asked, and told its model.

A row for each, found by running it. Nothing of a row is in the file that `install` writes to, so
that this file is the host's and ours alone. Must not know what is asked of a host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mcp_remote_py.hosts.catalogue import HOSTS_BY_KEY, KnownHost

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"

Words = Sequence[str]


@dataclass(frozen=True)
class InstalledHost:
    """One host.

    `{model}` and `{home}` in its words and variables stand for the address of the model, without a
    path, and for the person's home.
    """

    key: str
    """Of `mcp_remote_py.hosts.catalogue`, and for --client."""
    package: str
    """On npm: where another one only fetches the program, the one that has it."""
    ask: Words
    """Asks for something in one go; the words to the model come last."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where its model is, and that it talks to nobody else."""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """What it needs besides, by their places in the home."""
    list: Words = ()
    """Lists the servers it knows; () where it has no such command."""
    add: Words = ()
    """Writes an entry `other`."""
    remembers_tools: bool = False
    """Whether a start offers the tools that the one before has seen."""
    separator: str = "__"
    """What it puts between the names of a server and a tool."""

    @property
    def programs(self) -> list[str]:
        """Folders of programs, before all others on PATH."""
        own = MODULES / self.package
        return [str(one) for one in (MODULES / ".bin", own, own / "bin")]

    @property
    def known(self) -> KnownHost:
        """Its row of the catalogue."""
        return HOSTS_BY_KEY[self.key]


QUESTION = "Add 20 and 22"

_GEMINI_SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
}
_CLINE_PROVIDERS = {
    "version": 1,
    "lastUsedProvider": "openai-compatible",
    "modes": {},
    "providers": {
        "openai-compatible": {
            "settings": {
                "provider": "openai-compatible",
                "apiKey": "nobody",
                "model": "gpt-5",
                "baseUrl": "{model}/v1",
            },
            "updatedAt": "2026-01-01T00:00:00.000Z",
            "tokenSource": "manual",
        }
    },
}
_OPENCODE_SETTINGS = {
    "model": "local/gpt-5",
    "share": "disabled",
    "autoupdate": False,
    "provider": {
        "local": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "local",
            "options": {"baseURL": "{model}/v1", "apiKey": "nobody"},
            "models": {"gpt-5": {"name": "gpt-5"}},
        }
    },
}

ROWS = (
    InstalledHost(
        key="claude-code",
        package="@anthropic-ai/claude-code-linux-x64",
        ask=("claude", "--allowedTools", "mcp__math", "-p"),
        variables={
            "ANTHROPIC_BASE_URL": "{model}",
            "ANTHROPIC_API_KEY": "nobody",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
        },
        list=("claude", "mcp", "list"),
        add=("claude", "mcp", "add", "--scope", "user", "other", "--", "echo", "hi"),
    ),
    InstalledHost(
        key="codex",
        package="@openai/codex",
        ask=(
            *("codex", "exec", "--skip-git-repo-check"),
            "--dangerously-bypass-approvals-and-sandbox",
            *("-m", "gpt-5", "-c", "model_provider=local"),
            "-c",
            'model_providers.local={name="local",base_url="{model}/v1",wire_api="responses",'
            'env_key="LOCAL_KEY"}',
            *("-c", "analytics.enabled=false", "-c", "check_for_update_on_startup=false"),
        ),
        variables={"LOCAL_KEY": "nobody"},
        list=("codex", "mcp", "list"),
        add=("codex", "mcp", "add", "other", "--", "echo", "hi"),
        separator="/",
    ),
    InstalledHost(
        key="gemini",
        package="@google/gemini-cli",
        ask=("gemini", "-m", "gemini-2.5-flash", "--approval-mode", "yolo", "-p"),
        variables={
            "GEMINI_API_KEY": "nobody",
            "GOOGLE_GEMINI_BASE_URL": "{model}",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "GEMINI_TELEMETRY_ENABLED": "false",
        },
        files={"project/.gemini/settings.json": json.dumps(_GEMINI_SETTINGS)},
        list=("gemini", "mcp", "list"),
        add=("gemini", "mcp", "add", "--scope", "user", "other", "echo", "hi"),
        separator="_",
    ),
    InstalledHost(
        key="cline",
        package="@cline/cli-linux-x64",
        ask=("cline", "--json", "-P", "openai", "-m", "gpt-5"),
        variables={
            "CLINE_PROVIDER_SETTINGS_PATH": "{home}/providers.json",
            "CLINE_SESSION_BACKEND_MODE": "local",
        },
        files={"providers.json": json.dumps(_CLINE_PROVIDERS)},
        add=("cline", "mcp", "add", "other", "--yes", "--", "echo", "hi"),
    ),
    InstalledHost(
        key="copilot-cli",
        package="@github/copilot",
        ask=("copilot", "--allow-all-tools", "--disable-builtin-mcps", "-p"),
        variables={
            "COPILOT_PROVIDER_BASE_URL": "{model}/v1",
            "COPILOT_PROVIDER_API_KEY": "nobody",
            "COPILOT_MODEL": "gpt-5",
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
        },
        list=("copilot", "mcp", "list"),
        add=("copilot", "mcp", "add", "other", "--", "echo", "hi"),
        remembers_tools=True,
        separator="-",
    ),
    InstalledHost(
        key="opencode",
        package="opencode-linux-x64",
        ask=("opencode", "run", "--auto"),
        variables={
            "OPENCODE_CONFIG_CONTENT": json.dumps(_OPENCODE_SETTINGS),
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        },
        list=("opencode", "mcp", "list"),
        add=("opencode", "mcp", "add", "other", "--", "echo", "hi"),
        separator="_",
    ),
)

INSTALLED = MappingProxyType({one.key: one for one in ROWS})


def fill(text: str, model: str, home: Path) -> str:
    """`{model}` and `{home}` replaced; all other braces stay."""
    return text.replace("{model}", model).replace("{home}", str(home))
