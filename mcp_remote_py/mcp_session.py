"""Keeps what a server must be told again when a session was lost, in the host's own words.

Pure. A new session is begun with the host's `initialize`, byte for byte but for its id, then
`notifications/initialized`, the log level and the subscriptions as they were last set
(promise R5). Must not know transports, or when a session is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mcp_remote_py.bounds import LONG_BYTES, MAX_KEPT_TOOLS
from mcp_remote_py.json_text import UNREADABLE, read_members, read_string, read_text
from mcp_remote_py.jsonrpc import Message, make_notification


class _Listable(msgspec.Struct):
    listChanged: msgspec.Raw = msgspec.Raw(b"false")


class _Capabilities(msgspec.Struct):
    tools: _Listable | None = None


_decode_capabilities = msgspec.json.Decoder(_Capabilities).decode


INITIALIZED = "notifications/initialized"


class SessionReplay:
    """The state of one session as the host made it."""

    def __init__(self) -> None:
        self._initialize: Message | None = None
        self._log_level: Message | None = None
        self._subscriptions: dict[str, Message] = {}
        self._announces_tools = False
        self.tools: bytes | None = None
        """The result of the last first page of `tools/list`, None of one that is too large."""

    @property
    def established(self) -> bool:
        """Whether there is a handshake to repeat."""
        return self._initialize is not None

    @property
    def announces_tools(self) -> bool:
        """Whether the server said it would announce changes of its tools."""
        return self._announces_tools

    def note(self, request: Message, answer: Message) -> str:
        """Keeps what an answered request set; the version an `initialize` agreed on, else ""."""
        if answer.is_error:
            return ""
        match request.method:
            case "initialize":
                return self._note_initialize(request, answer)
            case "logging/setLevel":
                self._log_level = request
            case "resources/subscribe" | "resources/unsubscribe":
                self._note_subscription(request)
            case "tools/list" if is_first_page(request):
                self.tools = answer.result if answer.size <= MAX_KEPT_TOOLS else None
            case _:
                pass
        return ""

    def _note_initialize(self, request: Message, answer: Message) -> str:
        if answer.known_members is None:
            return ""
        self._initialize = request
        self._log_level = None
        self._subscriptions.clear()
        self.tools = None
        self._announces_tools = _announces_tools(answer)
        return _version_in(answer)

    def _note_subscription(self, request: Message) -> None:
        uri = read_string(request.members.get("uri"))
        if uri is None:
            return
        if request.method == "resources/subscribe":
            self._subscriptions[uri] = request
        else:
            self._subscriptions.pop(uri, None)

    def begin(self, initialize: Message) -> None:
        """There is a handshake to do, which the server has not answered yet."""
        self._initialize = initialize

    def renew(self, answer: Message) -> str:
        """The version a repeated `initialize` agreed on, "" where it names none.

        What was set before stays; what is announced may be another version's of the server.
        """
        if answer.known_members is None:
            return ""
        self._announces_tools = _announces_tools(answer)
        return _version_in(answer)

    def handshake(self) -> Iterator[tuple[str, bytes]]:
        """Method and params of what begins a session, in order; the first is `initialize`."""
        if self._initialize is not None:
            yield self._initialize.method, self._initialize.params
            yield INITIALIZED, b""

    def settings(self) -> Iterator[tuple[str, bytes]]:
        """Method and params of what was set in the session."""
        if self._log_level is not None:
            yield self._log_level.method, self._log_level.params
        for request in self._subscriptions.values():
            yield request.method, request.params


def _version_in(answer: Message) -> str:
    """The version, if it is one: it goes into a header, where a line break would begin another."""
    version = read_text(answer.members.get("protocolVersion"))
    is_visible = version.isascii() and version.isprintable() and " " not in version
    return version if is_visible else ""


def _announces_tools(answer: Message) -> bool:
    capabilities = answer.members.get("capabilities", b"{}")
    if memoryview(capabilities).nbytes > LONG_BYTES:
        return False
    try:
        tools = _decode_capabilities(capabilities).tools
    except UNREADABLE:
        return False
    return tools is not None and bytes(tools.listChanged) == b"true"


def host_name(initialize: Message) -> str:
    """The name by which programs know the host, "" where it gives none."""
    host = initialize.members.get("clientInfo", b"")
    if memoryview(host).nbytes > LONG_BYTES:
        return ""
    return read_text((read_members(host) or {}).get("name"))


def is_first_page(request: Message) -> bool:
    """Whether a list is asked for from its beginning."""
    members = request.known_members
    return members is not None and bytes(members.get("cursor", b"null")) == b"null"


TOOLS_CHANGED = make_notification("notifications/tools/list_changed")
