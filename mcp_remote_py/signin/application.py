"""The name of the application that asked for a sign-in, as a person knows it.

A host introduces itself in its first message; some by a name for machines, which the table here
knows. What comes of it is foreign text: whoever shows it, bounds and escapes it. Pure. Must not
know where it is shown.
"""

from __future__ import annotations

from mcp_remote_py.eras.envelope import read_envelope
from mcp_remote_py.json_text import read_members, read_string
from mcp_remote_py.jsonrpc import Message

MAX_INTRODUCTION = 64 * 1024
"""Bytes of a host's word about itself that are looked into; usual ones have 50, with icons more."""

KNOWN_NAMES = {
    "antigravity-client": "Antigravity",
    "claude-ai": "Claude",
    "claude-code": "Claude Code",
    "codex-mcp-client": "Codex",
    "cursor-vscode": "Cursor",
    "gemini-cli-mcp-client": "Gemini CLI",
    "github-copilot-developer": "GitHub Copilot",
    "goose": "Goose",
    "opencode": "OpenCode",
    "Kilo-Code": "Kilo Code",
    "Q-DEV-CLI": "Amazon Q Developer",
    "Roo-Code": "Roo Code",
    "Visual-Studio-Code": "Visual Studio Code",
    "windsurf-client": "Windsurf",
}
"""`name` of the `clientInfo` that hosts send, and what their windows say (npm
mcp-client-capabilities 0.0.14, which collects them); any other name is shown as it is."""


def name_application(introduction: Message | None) -> str:
    """The name in a host's first message: an `initialize`, or any one of 2026-07-28.

    Its `title`, else its `name`; "" where it has none, or nothing was said yet.
    """
    if introduction is None:
        return ""
    envelope = read_envelope(introduction)
    said = introduction.members.get("clientInfo", b"") if envelope is None else envelope.client_info
    if not said or memoryview(said).nbytes > MAX_INTRODUCTION:
        return ""
    members = read_members(said) or {}
    title, name = (read_string(members.get(member)) or "" for member in ("title", "name"))
    return title if title.strip() else KNOWN_NAMES.get(name, name)
