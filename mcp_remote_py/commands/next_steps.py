"""What a person does next with a server that answers: the entry for a host, and the commands.

Pure. Must not know how the server was reached, nor where lines go.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mcp_remote_py.errors import one_line
from mcp_remote_py.found import make_entry
from mcp_remote_py.json_text import encode
from mcp_remote_py.redact import MASK

_GENERIC = frozenset(
    "mcp www api app apps server servers remote sse http https my dev prod co com org net gov edu"
    " ac".split()
)
"""Labels of a host's name that do not tell whose it is."""

OTHER_NAME = "my-server"
"""The name where none can be told."""

_NONE: Mapping[str, str] = {}


def suggest_name(host: str) -> str:
    """A name for the entry of the server at `host`: "linear" for mcp.linear.app."""
    labels = host.lower().split(".")[:-1]
    own = [label for label in labels if label not in _GENERIC]
    is_name = bool(own) and re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", own[-1]) is not None
    return own[-1] if is_name else OTHER_NAME


def describe_next_steps(
    host: str,
    address: str,
    entry: Sequence[str],
    variables: Mapping[str, str] = _NONE,
    runner: str = "",
) -> Iterator[str]:
    """The lines: the entry as it is copied, the command that writes it, and the one that looks.

    `address` is masked, `entry` are the words behind it in the entry, without secrets, `variables`
    what it needs of the environment, as it may be shown; `runner` stands before a command.
    """
    name = suggest_name(host)
    written = msgspec.json.format(
        encode({name: make_entry(address, entry, variables)}), indent=2
    ).decode()
    yield 'To use it in an MCP host, add this below "mcpServers" in its configuration:'
    # Without the braces around it: those of "mcpServers" are there.
    yield from written.splitlines()[1:-1]
    words = shlex.join([address, *entry])
    yield one_line(f"Or have it written there: {runner}mcp-remote-py install {name} {words}")
    if MASK in written:
        yield f"{MASK} stands for a part that may be secret: write it out there."
    yield "Then restart the host. If the tools do not appear there, this finds out why:"
    yield f"  {one_line(f'{runner}mcp-remote-py check {words}')}"
