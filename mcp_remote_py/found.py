"""What was found at a server, and how a person at a terminal is told of it (decision D13).

Pure. All that a server says of itself is foreign text: it is told on one line, without control
characters and known secrets, and cut. Must not know how a server is asked, nor where lines go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from mcp_remote_py.errors import HEADER_EXAMPLE, one_line, shorten
from mcp_remote_py.json_text import (
    UNREADABLE,
    decode_list,
    encode,
    read_integer,
    read_members,
    read_text,
)
from mcp_remote_py.jsonrpc import LOCAL_ERROR, Message
from mcp_remote_py.redact import MASK, scrub_known
from mcp_remote_py.values import Value
from mcp_remote_py.versions import describe_revision

SHOWN_TOOLS = 8
"""Tools that are named; of all others it is said how many there are."""

UNNAMED = "unknown"
"""Name and version that stand for those of a modern server that does not give any."""

HIDING_OPTIONS = ("--allow-tool", "--ignore-tool", "--read-only")
"""Options that hide tools from a host."""

MAX_NAME = 40
"""Characters of a name or a version that are shown."""

MAX_SENTENCE = 2000
"""Characters of an error of ours: it repeats what a server said, which is cut already."""

_NONE: Mapping[str, str] = {}

UNREAD = "the list is too long to be looked into here, or is not one; a host gets it as it is."
"""Of a list that nobody looks into; the rules on tools hide all of such a one."""


class Found(Value, frozen=True):
    """What a look at a server has shown.

    `revision` is the one of MCP that it speaks, `count` how many tools a host is shown on `pages`
    (None where the server has none to offer), `tools` the names of the first. `error` is the
    sentence a host gets instead of a server, `tools_error` the one instead of tools.
    """

    address: str
    """Masked."""
    name: str = ""
    version: str = ""
    transport: str = ""
    revision: str = ""
    is_modern: bool = False
    count: int | None = None
    tools: tuple[str, ...] = ()
    pages: int = 1
    has_more: bool = False
    """Whether there are further pages, which nobody has read."""
    tools_error: str = ""
    error: str = ""
    needs_sign_in: bool = False


# Reading ------------------------------------------------------------------------------------


def read_server(answer: Message) -> tuple[str, str, str, bool]:
    """Name, version and revision in the answer to `initialize`; whether it has tools."""
    members = {} if answer.is_long else answer.members
    about = read_members(members.get("serverInfo", b"")) or {}
    capabilities = read_members(members.get("capabilities", b"")) or {}
    return (
        _show(read_text(about.get("name"))),
        _show(read_text(about.get("version"))),
        _show(read_text(members.get("protocolVersion"))),
        "tools" in capabilities,
    )


def read_page(answer: Message) -> tuple[int, list[str], bytes] | None:
    """Count and first names of the tools on a page, and the cursor of the next as JSON text.

    The cursor is empty where this was the last one. None of a page that is too long to be looked
    into, or is not one.
    """
    if answer.is_long:
        return None
    try:
        listed = decode_list(answer.members.get("tools", b"[]"))
    except UNREADABLE:
        return None
    members = (read_members(raw) or {} for raw in listed[:SHOWN_TOOLS])
    names = [_show(read_text(one.get("name"))) or "(without a name)" for one in members]
    cursor = bytes(answer.members.get("nextCursor", b""))
    return len(listed), names, cursor if cursor.startswith(b'"') else b""


def read_error(answer: Message, method: str) -> str:
    """The sentence of an error: ours as it is, the server's in quotes."""
    words = read_text(answer.members.get("message"))
    code = read_integer(answer.members.get("code"))
    if code == LOCAL_ERROR:
        return one_line(scrub_known(words[:MAX_SENTENCE]))
    return f'The server refuses {method}: "{shorten(words)}" (code {code}).'


def _show(text: str) -> str:
    """A name that somebody else has chosen."""
    text = shorten(text).replace('"', "'")
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"


# Telling ------------------------------------------------------------------------------------


def describe_found(
    found: Found,
    entry: Sequence[str],
    end_key: str,
    variables: Mapping[str, str] = _NONE,
    extra: str = "",
) -> list[str]:
    """The lines for a person: what was found or why nothing was, and how a host gets it.

    `entry` are the words behind the URL in a host's configuration, without secrets; `end_key` is
    what ends the input at this terminal. `variables` are what it needs of the environment, as they
    may be shown, `extra` is the one of our package that it needs, "" for none.
    """
    return [
        *describe_server(found, entry),
        *_describe_use(found, entry, end_key, variables, extra),
    ]


def describe_server(found: Found, entry: Sequence[str]) -> Iterator[str]:
    """The lines about the server alone."""
    if found.error:
        yield found.error if found.needs_sign_in else f"That failed: {found.error}"
        if found.needs_sign_in:
            yield f"If you have a token for it instead, give it with {HEADER_EXAMPLE}."
        return
    named = f' "{found.name}"' if found.name not in ("", UNNAMED) else ""
    version = f', version "{found.version}"' if found.version not in ("", UNNAMED) else ""
    yield f"Found the MCP server{named}{version}, at {found.address}."
    revision = describe_revision(found.revision, is_new=found.is_modern)
    yield f"It is reached by {found.transport}, and speaks {revision}."
    if found.tools_error:
        yield f"Its tools cannot be listed: {found.tools_error}"
    else:
        yield describe_tools(found, entry)
        if found.count and found.pages > 1:
            more = " or more" if found.has_more else ""
            yield (
                f"The server's list has {found.pages}{more} pages. Some hosts show the first one "
                "only: --merge-pages gives them all as one."
            )


def describe_tools(found: Found, entry: Sequence[str]) -> str:
    """The tools that a host is shown, or why there are none; `entry` as in `describe_found`."""
    if not found.count:
        hiding = " or ".join(option for option in HIDING_OPTIONS if option in entry)
        hidden = f", or {hiding} hides them" if hiding else ""
        return f"It does not offer any tools to a host{hidden}."
    more = " or more" if found.has_more else ""
    rest = found.count - len(found.tools)
    others = f", and {rest} more" if rest else ""
    noun = "tool" if found.count == 1 and not more else "tools"
    return f"A host is shown {found.count}{more} {noun}: {', '.join(found.tools)}{others}."


def make_entry(
    address: str, entry: Sequence[str], variables: Mapping[str, str] = _NONE, extra: str = ""
) -> dict[str, object]:
    """The entry of a host's configuration, as `describe_found` has it."""
    words: dict[str, object] = {"command": "uvx"}
    package = ["--from", f"mcp-remote-py[{extra}]"] if extra else []
    words["args"] = [*package, "mcp-remote-py", address, *entry]
    # A host passes only a few variables on.
    named = re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", " ".join(entry))
    if needed := {**dict.fromkeys(named, MASK), **variables}:
        words["env"] = needed
    return words


def _describe_use(
    found: Found, entry: Sequence[str], end_key: str, variables: Mapping[str, str], extra: str
) -> Iterator[str]:
    text = encode(make_entry(found.address, entry, variables, extra)).decode()
    is_useless = found.error and not found.needs_sign_in
    begin = "Once it works here, the entry" if is_useless else "The entry"
    yield (
        f"This command is for an MCP host to start. {begin} in its configuration, below "
        '"mcpServers" and a name of your choice:'
    )
    yield text  # on a line of its own, to be copied
    if MASK in text:
        yield f"{MASK} in it stands for a part that may be secret: write it out there."
    yield (
        "Lines that you type here are relayed as those of a host are: JSON-RPC, and the first one"
        f" is initialize. {end_key} ends this."
    )
