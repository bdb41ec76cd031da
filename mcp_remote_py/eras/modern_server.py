"""A server of 2026-07-28 as a host sees it that began with `initialize`.

Pure. Each request of the host is a conversation: a generator that asks for steps and ends with the
line that answers it. `initialize` is answered from `server/discover`; an answer `input_required`
is played out as requests of the server's own, and the request is made again with what the host
said (basic/patterns/mrtr). Must not know which transport, time, or how a step is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from mcp_remote_py.bounds import LONG_BYTES, has_few_parts
from mcp_remote_py.eras import envelope as meta
from mcp_remote_py.eras.capabilities import INPUT_CAPABILITY, cross_capabilities
from mcp_remote_py.eras.conversation import (
    AskHost,
    EraConversation,
    Exchange,
    Filter,
    Listen,
    Pause,
    await_reply,
)
from mcp_remote_py.eras.era_detection import supported_versions
from mcp_remote_py.eras.methods import CHANGES
from mcp_remote_py.eras.results import to_handshake_error, to_handshake_result
from mcp_remote_py.eras.wrapped_output import WrappedOutputs
from mcp_remote_py.errors import shorten
from mcp_remote_py.json_text import (
    UNREADABLE,
    Members,
    Tree,
    bounded,
    encode,
    read_members,
    read_string,
    read_text,
)
from mcp_remote_py.jsonrpc import (
    INVALID_PARAMS,
    LOCAL_ERROR,
    NULL,
    Message,
    Payload,
    make_error,
    make_notification,
    make_request,
    make_result,
    pass_error,
)
from mcp_remote_py.versions import MODERN, choose_handshake, is_modern

MAX_ROUNDS = 20
"""Rounds of one request. A person answers a handful; a server that never has enough is a loop."""

LOG_LEVELS = (
    *("debug", "info", "notice", "warning"),
    *("error", "critical", "alert", "emergency"),
)
"""RFC 5424 §6.2.1, from the least to the most severe."""

HOST_NOTICES = frozenset(
    {
        "notifications/initialized",
        "notifications/roots/list_changed",
        "notifications/progress",
    }
)
"""Methods that only a server with sessions has a use for."""


class _Hello(NamedTuple):
    version: str
    capabilities: bytes
    client_info: msgspec.Raw


class _InputRequired(msgspec.Struct):
    inputRequests: dict[str, msgspec.Raw] | None = None
    requestState: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _InputRequest(msgspec.Struct):
    method: str
    params: msgspec.Raw = msgspec.Raw(b"")


_decode_input_required = bounded(msgspec.json.Decoder(_InputRequired).decode)
_decode_input_request = msgspec.json.Decoder(_InputRequest).decode


class ModernServer:
    """One server, from one `initialize` of the host on."""

    def __init__(self, initialize: Message) -> None:
        self._initialize = initialize
        self._hello = _read_hello(initialize)
        self._ids = 0
        self._log_level = ""
        """What the host has asked for; before that, what the server sends by its own choice."""
        self._changes: list[str] = []
        self._subscribed: dict[str, None] = {}
        self._outputs = WrappedOutputs()

    # ------------------------------------------------------------------ the handshake

    def discover(self) -> Message:
        """The request that takes the place of `initialize`."""
        return self._make_request("server/discover", {})

    def greet(self, discovered: Message) -> Message:
        """The answer to `initialize`, from the one to `server/discover`."""
        versions = supported_versions(discovered)
        if discovered.is_error or (versions and MODERN not in versions):
            newer = ", ".join(sorted(filter(is_modern, versions)))
            if discovered.is_error and (MODERN in versions or not newer):
                return to_handshake_error(self._initialize, discovered)
            return make_error(
                self._initialize.raw_id,
                LOCAL_ERROR,
                "The server speaks only revisions of MCP that mcp-remote-py does not know yet: "
                f"{shorten(newer)}. Update mcp-remote-py."
                if newer
                else "The server names only revisions that begin with initialize, and refuses it.",
            )
        result = discovered.members
        capabilities = cross_capabilities(bytes(result.get("capabilities", b"{}")))
        self._changes = _announced_changes(capabilities)
        # Until 2025-11-25 a server chooses what it logs to a host that names no level; since then
        # it logs nothing without one. So it is asked for all, and chooses; also where it does not
        # announce logging, as there are servers that log in both eras and announce it in none.
        self._log_level = LOG_LEVELS[0]
        about = read_members(result.get("_meta", b"")) or {}
        greeting: dict[str, object] = {
            "protocolVersion": choose_handshake(self._hello.version),
            "capabilities": msgspec.Raw(capabilities),
            "serverInfo": meta.complete_name(about.get(meta.SERVER_INFO, b"")),
        }
        instructions = read_text(result.get("instructions"))
        if instructions:
            greeting["instructions"] = instructions
        return make_result(self._initialize.raw_id, encode(greeting))

    # ------------------------------------------------------------------ requests of the host

    def serve(self, request: Message) -> EraConversation[Message]:
        """The conversation that ends with the answer to `request`."""
        match request.method:
            case "ping":
                return _answer(make_result(request.raw_id, b"{}"))
            case "logging/setLevel":
                return _answer(self._set_level(request))
            case "resources/subscribe" | "resources/unsubscribe":
                return self._subscribe(request)
            case _:
                return self._ask(request)

    def _ask(self, request: Message) -> EraConversation[Message]:
        first = meta.put_meta(request, self._envelope())
        params, raw_id = first, request.raw_id
        waits = 0
        rounds = 0
        while True:
            rounds += 1
            sent = make_request(raw_id, request.method, params, origin=request)
            answer = yield from await_reply(Exchange(sent))
            if answer.is_error:
                return to_handshake_error(request, answer)
            required = _read_input_required(answer)
            if required is None:
                return to_handshake_result(request, answer, self._outputs)
            if not required.inputRequests and required.requestState is msgspec.UNSET:
                # Made again it would be the very same request, and might be executed once more.
                return _refuse_demand(request)
            if rounds == MAX_ROUNDS:
                return _give_up(request)  # nobody is asked in vain
            if required.inputRequests:
                responses = yield from self._gather(request, required.inputRequests)
                if isinstance(responses, Message):
                    return responses
            else:
                waits += 1
                yield from await_reply(Pause(waits))
                responses = _NOTHING
            params = _retry(first, responses, required.requestState)
            raw_id = self._next_id()

    def _gather(
        self, request: Message, wanted: Mapping[str, msgspec.Raw]
    ) -> EraConversation[Tree | Message]:
        """The host's answer to each input request, or the error that ends the host's request."""
        questions: list[Message] = []
        for raw in wanted.values():
            question = self._make_question(raw)
            if question is None:
                text = "The server asked for an input that this host cannot be asked for."
                return make_error(request.raw_id, LOCAL_ERROR, text)
            questions.append(question)
        answers = yield from await_reply(AskHost(tuple(questions)))
        responses: dict[str, msgspec.Raw | Tree] = {}
        for key, question, answer in zip(wanted, questions, answers, strict=True):
            if not answer.is_error:
                responses[key] = NULL if answer.payload is None else answer.payload
            elif question.method == "elicitation/create":
                # Nobody can be asked: for the server that is a person who closed the question.
                responses[key] = msgspec.Raw(b'{"action":"cancel"}')
            else:
                return pass_error(request.raw_id, answer.error)
        return responses

    def _make_question(self, raw: msgspec.Raw) -> Message | None:
        try:
            wanted = _decode_input_request(raw)
        except UNREADABLE:
            return None
        if wanted.method not in INPUT_CAPABILITY:
            return None
        raw_id = self._next_id()
        members = read_members(wanted.params) or {}
        if read_text(members.get("mode")) == "url" and "elicitationId" not in members:
            members["elicitationId"] = msgspec.Raw(raw_id)  # 2025-11-25 wants one
            return make_request(raw_id, wanted.method, members)
        return make_request(raw_id, wanted.method, bytes(wanted.params))

    def _set_level(self, request: Message) -> Message:
        level = read_text(request.members.get("level"))
        if level not in LOG_LEVELS:
            text = f"Unknown log level; use one of: {', '.join(LOG_LEVELS)}."
            return make_error(request.raw_id, INVALID_PARAMS, text)
        self._log_level = level
        return make_result(request.raw_id, b"{}")

    # ------------------------------------------------------------------ what the server notifies of

    def _subscribe(self, request: Message) -> EraConversation[Message]:
        uri = read_string(request.members.get("uri"))
        if uri is None:
            return make_error(request.raw_id, INVALID_PARAMS, "`uri` must be a string.")
        if request.method == "resources/unsubscribe":
            self._subscribed.pop(uri, None)
            yield from await_reply(Listen())
            return make_result(request.raw_id, b"{}")
        is_new = uri not in self._subscribed
        self._subscribed[uri] = None
        try:
            agreed = yield from await_reply(Listen())
        except GeneratorExit:  # nobody waits any more
            self._forget(uri, is_new)
            raise
        if isinstance(agreed, Message):
            self._forget(uri, is_new)
            return to_handshake_error(request, agreed)
        honoured = agreed.get("resourceSubscriptions")
        if isinstance(honoured, list) and uri in honoured:
            return make_result(request.raw_id, b"{}")
        self._forget(uri, True)
        text = "The server does not notify of changes of this resource."
        return make_error(request.raw_id, INVALID_PARAMS, text)

    def _forget(self, uri: str, is_new: bool) -> None:
        if is_new:
            self._subscribed.pop(uri, None)

    def wanted_notifications(self) -> Filter:
        """The filter for `subscriptions/listen`; empty where there is nothing to listen for."""
        wanted: Filter = dict.fromkeys(self._changes, True)
        if self._subscribed:
            wanted["resourceSubscriptions"] = list(self._subscribed)
        return wanted

    def listen(self, wanted: Filter) -> Message:
        """The request that opens the stream for these notifications."""
        return self._make_request(
            "subscriptions/listen", {"notifications": msgspec.Raw(encode(wanted))}
        )

    # ------------------------------------------------------------------ notifications

    def tell(self, notification: Message) -> Message | None:
        """A notification of the host as the server wants it, None where it does not need it."""
        if notification.method in HOST_NOTICES:
            return None
        params = meta.put_meta(notification, self._envelope())
        return make_notification(notification.method, params)

    def hear(self, notification: Message) -> Message:
        """A notification of the server, for the host."""
        params = meta.take_meta(notification, {meta.SUBSCRIPTION_ID})
        return notification if params is None else make_notification(notification.method, params)

    # ------------------------------------------------------------------ the envelope

    def _envelope(self) -> dict[str, msgspec.Raw]:
        envelope = {
            meta.VERSION: msgspec.Raw(encode(MODERN)),
            meta.CAPABILITIES: msgspec.Raw(cross_capabilities(self._hello.capabilities)),
        }
        if read_members(self._hello.client_info):
            envelope[meta.CLIENT_INFO] = meta.complete_name(self._hello.client_info)
        if self._log_level:
            envelope[meta.LOG_LEVEL] = msgspec.Raw(encode(self._log_level))
        return envelope

    def _make_request(self, method: str, params: Members) -> Message:
        params = {**params, "_meta": meta.add_meta(b"", self._envelope())}
        return make_request(self._next_id(), method, params)

    def _next_id(self) -> bytes:
        self._ids += 1
        return b'"mcp-remote-py/era/%d"' % self._ids


_NOTHING: Tree = {}


def _answer(answer: Message) -> EraConversation[Message]:
    """A conversation that needs nobody."""
    yield from ()
    return answer


def _refuse_demand(request: Message) -> Message:
    return make_error(
        request.raw_id,
        LOCAL_ERROR,
        "The server asked for more input and did not say what it wants. It may have begun with "
        "the request. That is a fault of the server.",
    )


def _give_up(request: Message) -> Message:
    return make_error(
        request.raw_id,
        LOCAL_ERROR,
        f"The server asked for more input {MAX_ROUNDS} times; the request was given up. "
        "That is a fault of the server.",
    )


def _retry(first: Payload, responses: Tree, state: msgspec.Raw | msgspec.UnsetType) -> Tree:
    """The params of the next round; a request state goes back byte for byte.

    But see `Message` on lone surrogates.
    """
    members: dict[str, msgspec.Raw | Tree] = (
        {} if isinstance(first, bytes | msgspec.Raw) else dict(first)
    )
    members.pop("inputResponses", None)
    members.pop("requestState", None)
    if responses:
        members["inputResponses"] = responses
    if state is not msgspec.UNSET:
        members["requestState"] = state
    return members


def _read_hello(request: Message) -> _Hello:
    members = request.members
    return _Hello(
        version=read_text(members.get("protocolVersion")),
        capabilities=bytes(members.get("capabilities", b"{}")),
        client_info=members.get("clientInfo", msgspec.Raw(b"")),
    )


def _read_input_required(answer: Message) -> _InputRequired | None:
    kind = answer.members.get("resultType")
    if kind is None or read_text(kind) != "input_required" or answer.size > LONG_BYTES:
        return None
    try:
        return _decode_input_required(answer.result)
    except UNREADABLE:
        return None


def _announced_changes(capabilities: bytes) -> list[str]:
    """The members of the filter for what the server says it announces."""
    if not has_few_parts(capabilities):
        return []
    try:
        announced = json.loads(capabilities)
    except (ValueError, RecursionError):
        return []
    return [
        change.member
        for change in CHANGES
        if isinstance(announced.get(change.capability), dict)
        and announced[change.capability].get("listChanged") is True
    ]
