"""What an entry would use of the person's machine, beside reaching its server with what it brings.

For an entry that somebody else may have written: it came with a project. Must not know where it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from mcp_remote_py.cli.arguments import Arguments
from mcp_remote_py.cli.options import AWS, OPTIONS
from mcp_remote_py.errors import one_line
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import mask_path, mask_url, scrub_known

_VARIABLE = lazy_pattern(r"\$\{([^{}:]+)\}")
"""One of the environment; with a colon it is the host's own, such as `${input:token}`."""

_STEERING = lazy_pattern(
    r"(?:.*_PROXY|SSL_.*|NODE_.*|MCP_REMOTE_.*|AWS_.*|XDG_.*|LD_.*|DYLD_.*|PYTHON.*|(?:LOCAL)?APPDATA"
    r"|HOME|USERPROFILE|PATH|BROWSER|REQUEST_METHOD|DISPLAY|WAYLAND_DISPLAY)",
    re.IGNORECASE,
)
"""Variables by which we, or what we start, go another way, whatever refers to them."""


def list_wishes(arguments: Arguments, variables: Collection[str]) -> tuple[str, ...]:
    """What the words of an entry ask for, each behind `it would`; nothing for the usual ones.

    `variables` are the names of its environment: with its own values it may do as it likes.
    """
    return tuple(one_line(scrub_known(wish)) for wish in _list_each(arguments, variables))


def _list_each(arguments: Arguments, variables: Collection[str]) -> Iterator[str]:
    words = [arguments.url or ""]
    for name, found in arguments.options.items():
        words += found
        yield from (f"{wish} ({name})" for word in found if (wish := _wish_of(name, word)))
    if any(OPTIONS[name].group == AWS for name in arguments.options):
        yield "sign requests with your AWS keys"
    named = dict.fromkeys(one for word in words for one in _VARIABLE.findall(word))
    where = mask_url(arguments.url or "")
    theirs = [one for one in named if one not in variables]
    yield from (f"send what your variable {one} has to {where}" for one in theirs)
    set_here = [one for one in variables if one not in named or _STEERING.fullmatch(one)]
    if set_here:
        yield f"set {', '.join(set_here)}"


def _wish_of(name: str, word: str) -> str:
    kind = OPTIONS[name].value
    if name == "--log-file":
        return ""  # of its relay alone: who looks at an entry does not write there
    if kind == "COMMAND":
        return f"run the command {word}"
    if kind == "FILE":
        return f"use the file {mask_path(word)}"
    return f"read the file {word[1:]}" if kind == "JSON" and word.startswith("@") else ""
