"""Answers the host in the server's place while somebody still has to sign in, or it is away.

Pure. A host gives `initialize` 30 to 60 s and a person may need minutes (field note 5, promise A6);
a network comes back when it does. What the server said last time is the best answer, as it is: its
`instructions` get no words of ours, which a model would still read when the server is back. Without
it, one tool carries the address to sign in at; there is none for a server that is away. A request
that nobody but the server can answer waits, and its own error says why. Must not know tokens, time,
or when it is asked to stand in.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mcp_remote_py import __version__
from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.errors import NotSent
from mcp_remote_py.json_text import UNREADABLE, bounded, read_text
from mcp_remote_py.jsonrpc import Message, make_notification, make_result
from mcp_remote_py.mcp_session import TOOLS_CHANGED, is_first_page
from mcp_remote_py.tools import ToolCatalog, called_tool
from mcp_remote_py.versions import HANDSHAKE_VERSIONS, NEWEST_HANDSHAKE

SIGN_IN_TOOL = "sign_in"

_EMPTY_LISTS = {
    "prompts/list": ("prompts", b'{"prompts":[]}'),
    "resources/list": ("resources", b'{"resources":[]}'),
    "resources/templates/list": ("resources", b'{"resourceTemplates":[]}'),
}
"""By method, the capability it belongs to, and the answer of a server without any entries."""


class _Initialize(msgspec.Struct):
    protocolVersion: str
    capabilities: dict[str, msgspec.Raw]


class _Tools(msgspec.Struct):
    tools: msgspec.Raw


_decode_initialize = bounded(msgspec.json.Decoder(_Initialize).decode)
_decode_tools = msgspec.json.Decoder(_Tools).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode


class StandIn:
    """Answers for one server, from one `initialize` of the host on.

    `todo` has the sentence for a person who has to sign in, "" where nobody has to; `is_signing_in`
    tells whether a sign-in goes on, with a person or without. `is_away`: the server does not
    answer, and whether it wants a sign-in is not known.

    Attributes:
        over: the server answers itself now.
        is_away: see above.
    """

    def __init__(
        self,
        request: Message,
        server: str,
        known: ServerSnapshot,
        catalog: ToolCatalog,
        todo: Callable[[], str],
        is_signing_in: Callable[[], bool],
        *,
        is_away: bool = False,
    ) -> None:
        self.over = False
        self.is_away = is_away
        self._todo = todo
        self._is_signing_in = is_signing_in
        self._server = server
        self._wanted = _version_wanted(request)
        self._known = known
        self._initialize = _read_initialize(known.initialize)
        self._tools = _filter_tools(known.tools, catalog)
        self._offers_sign_in = False
        self._news: list[Message] = []

    def greet(self) -> bytes:
        """The result of `initialize`."""
        if self._initialize is None:
            return _encode(
                {
                    "protocolVersion": self._wanted or NEWEST_HANDSHAKE,
                    "capabilities": {"tools": {"listChanged": True}},
                    "serverInfo": {"name": "mcp-remote-py", "version": __version__},
                    "instructions": self._instruct(),
                }
            )
        # A server takes every version up to its newest; the one it named is surely one of them.
        known = self._initialize.protocolVersion
        version = min(self._wanted or known, known)
        if version == known:
            return self._known.initialize
        members = _decode_members(self._known.initialize)
        return _encode(members | {"protocolVersion": version})

    def _instruct(self) -> str:
        if todo := self._todo():
            return f"{self._server} wants a sign-in first. {todo}"
        return f"The sign-in at {self._server} is not finished yet; its tools come after it."

    def is_waiting(self) -> bool:
        """Whether there is something for the person to do now."""
        return bool(self._todo())

    def answer(self, request: Message) -> bytes | None:
        """The result for `request`, None where it is the server's to answer.

        A call of the tool `sign_in` has one unless a sign-in must be begun first: see `report`.
        """
        if self.is_sign_in(request):
            return self.report() if self.over or self._todo() else None
        if self.over:
            return None
        if request.method == "ping":
            return b"{}"
        if request.method == "tools/list":
            return self._list_tools(request)
        capability, empty = _EMPTY_LISTS.get(request.method, ("", b""))
        announced = self._initialize is not None and capability in self._initialize.capabilities
        return empty if announced else None

    def _list_tools(self, request: Message) -> bytes | None:
        if not self._tools:
            if self.is_away:
                return None
            self._offers_sign_in = True
            return _encode({"tools": [self._describe_tool()]})
        if not is_first_page(request):
            return None
        members = _decode_members(self._tools)
        if members.pop("nextCursor", None) is None:
            return self._tools
        return _encode(members)  # nobody could give the next page

    def _describe_tool(self) -> dict[str, object]:
        return {
            "name": SIGN_IN_TOOL,
            "title": "Sign in",
            "description": (
                f"Opens the page to sign in at {self._server}, whose tools are available only "
                "after that. Where no browser shows it, the person must open the link in the "
                "result themselves: show it to them in full."
            ),
            "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        }

    def is_sign_in(self, request: Message) -> bool:
        """Whether this calls the tool of ours, which the host was shown."""
        return (
            self._offers_sign_in
            and request.method == "tools/call"
            and called_tool(request) == SIGN_IN_TOOL
        )

    def report(self, failure: str = "") -> bytes:
        """The result of `sign_in`: how it stands, or why the sign-in failed."""
        todo = self._todo()
        if self.over:
            text = (
                f"The sign-in at {self._server} is done. If its tools are not shown here yet, "
                "restart the host's connection to it."
            )
        elif todo:
            text = (
                f"{todo}\nAs soon as that is done, the tools of {self._server} take the place of "
                "this one; if the host does not show them, restart its connection."
            )
        else:
            text = f"Nobody is signed in at {self._server}. {failure}".rstrip()
        failed = not (self.over or todo)
        return _encode({"content": [{"type": "text", "text": text}], "isError": failed})

    def excuse(self) -> NotSent:
        """The error for a request that has waited long enough."""
        if todo := self._todo():
            return NotSent(
                f"Nobody is signed in at {self._server} yet; the request was not sent.",
                hint=f"{todo} Then try again.",
            )
        if self._is_signing_in():
            return NotSent(
                f"The sign-in at {self._server} is not finished yet; the request was not sent.",
                hint="It goes on by itself. Try again in a moment.",
            )
        return NotSent(
            f"{self._server} has not answered yet; the request was not sent.",
            hint="Check the network and whether a VPN or proxy is needed. Then try again.",
        )

    def show_tools(self) -> None:
        """The host was given the server's own tools: a tool of that name is the server's."""
        self._offers_sign_in = False

    def end(self, result: bytes) -> None:
        """The server has answered `initialize` itself, with `result`."""
        if self.over:
            return
        self.over = True
        initialize = _read_initialize(result)
        self._news = [TOOLS_CHANGED] + [
            make_notification(f"notifications/{name}/list_changed")
            for name in ("prompts", "resources")
            if initialize is not None and name in initialize.capabilities
        ]

    def take_news(self) -> list[Message]:
        """The messages that tell the host of the end, once."""
        news, self._news = self._news, []
        return news


def can_stand_in(known: ServerSnapshot) -> bool:
    """Whether it is enough for a server that is away."""
    return _read_initialize(known.initialize) is not None


def _version_wanted(request: Message) -> str:
    """The revision the host asks for, "" where it is not one that begins like this."""
    version = read_text(request.members.get("protocolVersion"))
    return version if version in HANDSHAKE_VERSIONS else ""


def _read_initialize(result: bytes) -> _Initialize | None:
    try:
        initialize = _decode_initialize(result)
    except UNREADABLE:
        return None
    return initialize if initialize.protocolVersion in HANDSHAKE_VERSIONS else None


def _filter_tools(result: bytes, catalog: ToolCatalog) -> bytes:
    """The part of the list that the host may see; empty where it is not a list."""
    try:
        listed = _decode_tools(result).tools
    except UNREADABLE:
        return b""
    if bytes(memoryview(listed)[:1]) != b"[":
        return b""
    return catalog.learn(make_result(b"0", result)).result
