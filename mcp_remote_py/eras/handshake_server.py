"""A server that begins with `initialize`, as a host of 2026-07-28 sees it.

Pure: messages in, effects out. It is a host of the older era towards the relay: it shakes hands
with what the first request says of the client, takes the envelope off, and gives every request an
id of its own, because the host may use one again while the server still works on it. What the
server asks is turned round (basic/patterns/mrtr): the host's request ends as `input_required`, the
server's stays open, and the host's next try, recognised by its `requestState`, goes on with it.
Must not know which transport, or how effects are done.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any, NamedTuple, cast

import msgspec

from mcp_remote_py.bounds import has_few_parts
from mcp_remote_py.eras import envelope as meta
from mcp_remote_py.eras.capabilities import INPUT_CAPABILITY, cross_capabilities
from mcp_remote_py.eras.conversation import ASKS_BACK, CHANGES
from mcp_remote_py.eras.modern_server import LOG_LEVELS
from mcp_remote_py.eras.results import (
    URL_REQUIRED,
    complete_result,
    to_modern_error,
    to_modern_result,
)
from mcp_remote_py.eras.verdict import UNSUPPORTED_VERSION, error_code
from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.json_text import (
    UNREADABLE,
    Members,
    Tree,
    bounded,
    encode,
    read_members,
    read_text,
)
from mcp_remote_py.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Kind,
    Message,
    Payload,
    decode_id,
    make_error,
    make_notification,
    make_request,
    make_result,
    pass_error,
)
from mcp_remote_py.open_requests import cancelled_key, refuse_open_id
from mcp_remote_py.versions import MODERN, NEWEST_HANDSHAKE

INPUT_PATIENCE = 600.0
"""Seconds the host's person gets to answer. Servers wait about as long for an elicitation."""

MAX_SUSPENDED = 50
"""Requests that wait for the host's next try; past it the oldest is given up. A host that never
comes back must not fill what the relay has room for."""

_REMOVED = frozenset(
    {
        *("initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"),
        *("tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update"),
    }
)
"""Methods that 2026-07-28 has not, or has with another meaning."""

_CHANGED = {change.notification: change.member for change in CHANGES}


class ToHost(NamedTuple):
    """Write this to the host."""

    message: Message


class ToServer(NamedTuple):
    """Send this to the server, as a host of its era would."""

    message: Message


class Expire(NamedTuple):
    """Call `expire(ticket)` after that many seconds."""

    ticket: bytes
    seconds: float


Effect = ToHost | ToServer | Expire


class _Filter(msgspec.Struct):
    toolsListChanged: object = False
    promptsListChanged: object = False
    resourcesListChanged: object = False
    resourceSubscriptions: list[str] = msgspec.field(default_factory=list[str])


class _UrlRequired(msgspec.Struct):
    elicitations: list[msgspec.Raw]


_decode_filter = bounded(msgspec.json.Decoder(_Filter).decode, deep=True)
_decode_url_required = bounded(msgspec.json.Decoder(_UrlRequired).decode, deep=True)


class _Call:
    """A request of the host on its way at the server."""

    def __init__(self, number: int, host: Message, envelope: meta.Envelope) -> None:
        self.number = number
        self.host: Message | None = host
        """The host's request that is to be answered, None while it is asked for input."""
        self.first = host
        self.envelope = envelope
        self.round = 0
        self.waiting: deque[Message] = deque()
        """Questions of the server that the host has not been told."""
        self.asked: dict[str, Message] = {}
        """Questions the host was told, by their key among the input requests."""
        self.answer: Message | None = None
        """The server's answer, where it came while the host is away."""
        self.again = False
        """The server has ended it: the next try is a request of its own."""


class _Subscription:
    """A `subscriptions/listen` of the host."""

    def __init__(self, request: Message, wanted: _Filter) -> None:
        self.request = request
        self.wanted = wanted
        self.uris: set[str] = set()
        self.undecided: set[str] = set()
        self.acknowledged = False


class HandshakeServer:
    """One server of the older era, and a host of the modern one.

    `key` authenticates request states (32 random bytes); `find_related` tells by the id of a
    server's request for which request of ours it came, None where that is not known.
    """

    def __init__(self, key: bytes, find_related: Callable[[Hashable], Hashable]) -> None:
        self._key = key
        self._find_related = find_related
        self._numbers = 0
        self._calls: dict[Hashable, _Call] = {}
        self._by_host: dict[Hashable, _Call] = {}
        self._suspended: dict[bytes, _Call] = {}
        self._subscriptions: dict[Hashable, _Subscription] = {}
        self._subscribing: dict[Hashable, str] = {}
        self._ignored: set[Hashable] = set()
        """Requests of our own whose answers change nothing."""
        self._levelling: dict[Hashable, tuple[Message, meta.Envelope]] = {}
        self._level = len(LOG_LEVELS)
        self._held: dict[Hashable, tuple[Message, meta.Envelope]] = {}
        self._handshake: Hashable = None
        self._hello: Members | None = None
        self._declared: set[str] = set()
        self._offered: Members = {}

    # ------------------------------------------------------------------ from the host

    def from_host(self, message: Message, now: float) -> list[Effect]:
        """What a message of the host leads to; `now` is in seconds on a steady clock."""
        return self._guard(message, partial(self._take_from_host, message, now))

    def _guard(self, message: Message, work: Callable[[], list[Effect]]) -> list[Effect]:
        """What `work` for this message leads to, or that it is nested too deep to be rewritten."""
        try:
            return work()
        except InvalidMessage as error:
            return [*self._cancel(message.key), *_refuse(message, error.code, error.cause)]

    def _take_from_host(self, message: Message, now: float) -> list[Effect]:
        if message.kind is Kind.RESPONSE:
            return []  # 2026-07-28 has none: nothing was asked
        if message.kind is Kind.NOTIFICATION:
            if message.method == "notifications/cancelled":
                return self._cancel(cancelled_key(message))
            plain = meta.take_meta(message, meta.REQUEST_MEMBERS)
            return [
                ToServer(
                    message if plain is None else make_notification(message.method, plain or b"")
                )
            ]
        if any(message.key in known for known in (self._by_host, self._held, self._subscriptions)):
            return [ToHost(refuse_open_id(message))]
        envelope = meta.read_envelope(message)
        if envelope is None:
            text = f"`_meta` must name `{meta.VERSION}`."
            return _refuse(message, INVALID_PARAMS, text)
        if envelope.version != MODERN:
            return [ToHost(_refuse_version(message, envelope.version))]
        if message.method in _REMOVED:
            text = f"MCP {MODERN} has no method {message.method}."
            return _refuse(message, METHOD_NOT_FOUND, text)
        return self._take(message, envelope, now)

    def _take(self, message: Message, envelope: meta.Envelope, now: float) -> list[Effect]:
        declared = _names(envelope.capabilities)
        if self._hello is None or (not declared <= self._declared and not self._calls):
            # A later request may say more of the client than the first one did.
            self._held[message.key] = (message, envelope)
            return self._shake_hands(envelope, declared)
        if message.method == "server/discover":
            return [ToHost(make_result(message.raw_id, self._describe()))]
        if message.method == "subscriptions/listen":
            return self._listen(message)
        params = message.members
        if "requestState" in params or "inputResponses" in params:
            return self._resume(message, envelope, params, now)
        return self._forward(message, envelope)

    def _shake_hands(self, envelope: meta.Envelope, declared: set[str]) -> list[Effect]:
        if self._handshake is not None:
            return []
        self._hello = None
        self._declared |= declared
        self._offered |= read_members(cross_capabilities(envelope.capabilities)) or {}
        params = {
            "protocolVersion": msgspec.Raw(encode(NEWEST_HANDSHAKE)),
            "capabilities": msgspec.Raw(encode(self._offered)),
            "clientInfo": msgspec.Raw(envelope.client_info or b'{"name":"unknown","version":"0"}'),
        }
        request = self._request("initialize", params)
        self._handshake = request.key
        return [ToServer(request)]

    def _forward(self, message: Message, envelope: meta.Envelope) -> list[Effect]:
        level = _severity(envelope.log_level)
        if envelope.log_level and level is None:
            text = f"Unknown log level; use one of: {', '.join(LOG_LEVELS)}."
            return _refuse(message, INVALID_PARAMS, text)
        if level is not None and level < self._level and self._announces("logging"):
            # The session's level is the lowest anyone asked for; what is sent on is per request.
            self._level = level
            level_wanted = {"level": msgspec.Raw(encode(envelope.log_level))}
            setting = self._request("logging/setLevel", level_wanted)
            self._levelling[setting.key] = (message, envelope)
            self._held[message.key] = (message, envelope)
            return [ToServer(setting)]
        return self._send(message, envelope)

    def _send(self, message: Message, envelope: meta.Envelope) -> list[Effect]:
        request = self._request(message.method, _plain_params(message))
        call = _Call(self._numbers, message, envelope)
        self._calls[request.key] = call
        self._by_host[message.key] = call
        return [ToServer(request)]

    def _cancel(self, key: Hashable) -> list[Effect]:
        self._held.pop(key, None)
        call = self._by_host.pop(key, None)
        if call is not None:
            call.host = None
            return self._give_up(call)
        subscription = self._subscriptions.pop(key, None)
        return [] if subscription is None else self._unsubscribe(subscription)

    def _give_up(self, call: _Call) -> list[Effect]:
        """Ends a request at the server that nobody waits for any more."""
        effects: list[Effect] = []
        if self._calls.pop(_own_id(call.number), None) is not None:
            params = {"requestId": msgspec.Raw(_raw_own_id(call.number))}
            effects.append(_notify("notifications/cancelled", params))
        return effects + _decline_all(call)

    # ------------------------------------------------------------------ from the server

    def from_server(self, message: Message, now: float) -> list[Effect]:
        """What a message of the server leads to."""
        if message.kind is Kind.REQUEST:
            return self._take_question(message, now)
        if message.kind is Kind.NOTIFICATION:
            return self._hear(message)
        if message.key == self._handshake:
            return self._end_handshake(message, now)
        if message.key in self._levelling:
            return self._end_levelling(message)
        if message.key in self._subscribing:
            return self._end_subscribing(message)
        if message.key in self._ignored:
            self._ignored.discard(message.key)
            return []
        call = self._calls.pop(message.key, None)
        if call is None:
            return []  # it was given up
        if call.host is None:
            call.answer = message  # for the next try
            return []
        return self._end_call(call, call.host, message, now)

    def _end_call(self, call: _Call, request: Message, answer: Message, now: float) -> list[Effect]:
        if answer.is_error and error_code(answer) == URL_REQUIRED:
            questions = self._read_urls(answer)
            if questions and "elicitation" in _names(call.envelope.capabilities):
                call.again = True
                call.waiting.extend(questions)
                return self._suspend(call, request, now)
        del self._by_host[request.key]
        if answer.is_error:
            return [ToHost(to_modern_error(request, answer))]
        return [ToHost(to_modern_result(request, answer))]

    def _read_urls(self, answer: Message) -> list[Message]:
        if answer.is_long:
            return []
        try:
            data = _decode_url_required(answer.members["data"])
        except (*UNREADABLE, KeyError):
            return []
        return [self._request("elicitation/create", bytes(one)) for one in data.elicitations]

    def _end_handshake(self, answer: Message, now: float) -> list[Effect]:
        self._handshake = None
        held, self._held = self._held, {}
        if answer.is_error:
            return _fail_all(held.values(), answer)
        self._hello = answer.members
        self._level = len(LOG_LEVELS)
        effects: list[Effect] = [_notify("notifications/initialized")]
        for uri in sorted({uri for one in self._subscriptions.values() for uri in one.uris}):
            effects += self._tell_subscription("resources/subscribe", uri)
        for request, envelope in held.values():
            effects += self._guard(request, partial(self._take, request, envelope, now))
        return effects

    def _end_levelling(self, answer: Message) -> list[Effect]:
        message, envelope = self._levelling.pop(answer.key)
        if self._held.pop(message.key, None) is None:
            return []
        # Where it failed the request is made all the same: it only says less.
        return self._guard(message, partial(self._send, message, envelope))

    def _hear(self, notification: Message) -> list[Effect]:
        method = notification.method
        if method == "notifications/message":
            wanted = self._wants_log(notification)
            return [ToHost(notification)] if wanted else []
        if method == "notifications/elicitation/complete":
            return []  # the host learns it by trying again
        if method == "notifications/cancelled":
            self._drop_question(cancelled_key(notification))
            return []
        if method in _CHANGED or method == "notifications/resources/updated":
            return [
                ToHost(_tag(notification, one.request))
                for one in self._subscriptions.values()
                if one.acknowledged and _asks_for(one, notification)
            ]
        return [ToHost(notification)]

    def _wants_log(self, notification: Message) -> bool:
        severity = _severity(_read_text(notification, "level"))
        levels = (_severity(call.envelope.log_level) for call in self._by_host.values())
        return any(
            level is not None and (severity is None or level <= severity) for level in levels
        )

    # ------------------------------------------------------------------ questions of the server

    def _take_question(self, question: Message, now: float) -> list[Effect]:
        if question.method == "ping":
            return [ToServer(make_result(question.raw_id, b"{}"))]
        capability = INPUT_CAPABILITY.get(question.method)
        call = None if capability is None else self._find_call(question)
        if call is None or capability not in _names(call.envelope.capabilities):
            text = f"The client has no way to answer {question.method} now."
            return [ToServer(make_error(question.raw_id, METHOD_NOT_FOUND, text))]
        call.waiting.append(question)
        return [] if call.host is None else self._suspend(call, call.host, now)

    def _find_call(self, question: Message) -> _Call | None:
        """The request it was asked for; the oldest one where the server does not say."""
        related = self._calls.get(self._find_related(question.key))
        able = [call for call in self._calls.values() if call.first.method in ASKS_BACK]
        return related or next(iter(able), None)

    def _drop_question(self, key: Hashable) -> None:
        for call in (*self._calls.values(), *self._suspended.values()):
            call.waiting = deque(one for one in call.waiting if one.key != key)
            call.asked = {name: one for name, one in call.asked.items() if one.key != key}

    def _suspend(self, call: _Call, request: Message, now: float) -> list[Effect]:
        """Ends the host's `request` with what the server asked so far."""
        del self._by_host[request.key]
        call.host = None
        call.round += 1
        while call.waiting:
            self._numbers += 1
            call.asked[f"input-{self._numbers}"] = call.waiting.popleft()
        ticket = b"%d.%d.%d" % (call.number, call.round, int(now + INPUT_PATIENCE))
        self._suspended[ticket] = call
        state = f"{ticket.decode()}.{self._sign(ticket, call.first)}"
        result: Tree = {
            "resultType": msgspec.Raw(b'"input_required"'),
            "inputRequests": {key: _describe(one) for key, one in call.asked.items()},
            "requestState": msgspec.Raw(encode(state)),
        }
        effects: list[Effect] = [ToHost(make_result(request.raw_id, result))]
        effects.append(Expire(ticket, INPUT_PATIENCE))
        if len(self._suspended) > MAX_SUSPENDED:
            effects += self.expire(next(iter(self._suspended)))
        return effects

    def expire(self, ticket: bytes) -> list[Effect]:
        """Gives up what nobody came back for; nothing where somebody has."""
        call = self._suspended.pop(ticket, None)
        return [] if call is None else self._give_up(call)

    def _resume(
        self, message: Message, envelope: meta.Envelope, params: Members, now: float
    ) -> list[Effect]:
        call = self._redeem(message, read_text(params.get("requestState")), now)
        if isinstance(call, str):
            return _refuse(message, INVALID_PARAMS, call)
        responses = read_members(params.get("inputResponses", b"")) or {}
        if call.again:
            return self._try_again(message, envelope, call, responses)
        call.host = message
        self._by_host[message.key] = call
        effects: list[Effect] = []
        for key, question in list(call.asked.items()):
            if key in responses:
                del call.asked[key]
                effects.append(ToServer(make_result(question.raw_id, responses[key])))
        if call.answer is not None:
            return effects + _decline_all(call) + self._end_call(call, message, call.answer, now)
        if call.asked or call.waiting:
            effects += self._suspend(call, message, now)  # asked once more for what is missing
        return effects

    def _try_again(
        self, message: Message, envelope: meta.Envelope, call: _Call, responses: Members
    ) -> list[Effect]:
        answers = (_decode_object(bytes(responses.get(key, b""))) for key in call.asked)
        if any(answer.get("action") != "accept" for answer in answers):
            text = "The server wants an address to be opened first, which was declined."
            return _refuse(message, INVALID_PARAMS, text)
        return self._send(message, envelope)

    def _redeem(self, message: Message, state: str, now: float) -> _Call | str:
        """The request that waits for this state, or why there is none."""
        if not state:
            return "`requestState` is missing: send back the one of the last result."
        ticket, _, signature = state.encode().rpartition(b".")
        call = self._suspended.get(ticket)
        known = call.first if call is not None else message
        if not hmac.compare_digest(self._sign(ticket, known).encode(), signature):
            return "`requestState` is not one of this session; make the request anew."
        if call is None:
            return "`requestState` was used already or has expired; make the request anew."
        if int(ticket.rpartition(b".")[2]) < now:
            return "`requestState` has expired; make the request anew."
        if _salient(message) != _salient(call.first):
            return "`requestState` belongs to another request."
        del self._suspended[ticket]
        return call

    def _sign(self, ticket: bytes, request: Message) -> str:
        return hmac.digest(self._key, ticket + b"\0" + _salient(request), "sha256").hex()

    # ------------------------------------------------------------------ subscriptions

    def _listen(self, message: Message) -> list[Effect]:
        try:
            wanted = _decode_filter(message.members.get("notifications", b"{}"))
        except UNREADABLE:
            text = "`notifications` is not a notification filter."
            return _refuse(message, INVALID_PARAMS, text)
        subscription = self._subscriptions[message.key] = _Subscription(message, wanted)
        effects: list[Effect] = []
        offered = self._announces("resources", "subscribe")
        for uri in wanted.resourceSubscriptions if offered else ():
            if self._is_subscribed(uri):
                subscription.uris.add(uri)
                continue
            subscription.undecided.add(uri)
            if uri not in self._subscribing.values():
                request = self._request("resources/subscribe", _address(uri))
                self._subscribing[request.key] = uri
                effects.append(ToServer(request))
        return effects + self._acknowledge(subscription)

    def _acknowledge(self, subscription: _Subscription) -> list[Effect]:
        if subscription.acknowledged or subscription.undecided:
            return []
        subscription.acknowledged = True
        honoured: dict[str, Any] = {
            one.member: True
            for one in CHANGES
            if _wants(subscription, one.member) and self._announces(one.capability, "listChanged")
        }
        if subscription.uris:
            honoured["resourceSubscriptions"] = sorted(subscription.uris)
        params = {"notifications": msgspec.Raw(encode(honoured))}
        notice = make_notification("notifications/subscriptions/acknowledged", params)
        return [ToHost(_tag(notice, subscription.request))]

    def _end_subscribing(self, answer: Message) -> list[Effect]:
        uri = self._subscribing.pop(answer.key)
        effects: list[Effect] = []
        for subscription in self._subscriptions.values():
            if uri in subscription.undecided:
                subscription.undecided.discard(uri)
                if not answer.is_error:
                    subscription.uris.add(uri)
                effects += self._acknowledge(subscription)
        if not answer.is_error and not self._is_subscribed(uri):
            effects += self._tell_subscription(
                "resources/unsubscribe", uri
            )  # whoever wanted it has left meanwhile
        return effects

    def _unsubscribe(self, subscription: _Subscription) -> list[Effect]:
        effects: list[Effect] = []
        for uri in sorted(subscription.uris):
            if not self._is_subscribed(uri):
                effects += self._tell_subscription("resources/unsubscribe", uri)
        return effects

    def _tell_subscription(self, method: str, uri: str) -> list[Effect]:
        request = self._request(method, _address(uri))
        self._ignored.add(request.key)
        return [ToServer(request)]

    def _is_subscribed(self, uri: str) -> bool:
        return any(uri in one.uris for one in self._subscriptions.values())

    # ------------------------------------------------------------------ the end

    def owns(self, key: Hashable) -> bool:
        """Whether an answer with this id is to a request of ours."""
        return isinstance(key, str) and key.startswith(_OWN_PREFIX)

    def end(self, reason: Message) -> list[Effect]:
        """Answers what is still open here: `reason` is an error answer, for its error alone.

        A subscription ends gracefully; what the server still works on is the relay's to answer.
        """
        effects = _fail_all(self._held.values(), reason)
        for subscription in self._subscriptions.values():
            request = subscription.request
            result = {"resultType": msgspec.Raw(b'"complete"'), "_meta": _tag_of(request)}
            effects.append(ToHost(make_result(request.raw_id, result)))
        self._held.clear()
        self._subscriptions.clear()
        return effects

    # ------------------------------------------------------------------ what is known

    def _describe(self) -> Members:
        """The result of `server/discover`."""
        hello = self._hello or {}
        capabilities = cross_capabilities(bytes(hello.get("capabilities", b"{}")))
        members = {
            "supportedVersions": msgspec.Raw(encode([MODERN])),
            "capabilities": msgspec.Raw(capabilities),
        }
        if "instructions" in hello:
            members["instructions"] = hello["instructions"]
        if "serverInfo" in hello:
            members["_meta"] = msgspec.Raw(encode({meta.SERVER_INFO: hello["serverInfo"]}))
        return complete_result("server/discover", members)

    def _announces(self, capability: str, member: str = "") -> bool:
        capabilities = (self._hello or {}).get("capabilities", b"")
        found = _decode_object(bytes(capabilities)).get(capability)
        return found is not None and (not member or _as_object(found).get(member) is True)

    def _request(self, method: str, params: Payload) -> Message:
        self._numbers += 1
        return make_request(_raw_own_id(self._numbers), method, params)


_OWN_PREFIX = "mcp-remote-py/call/"


def _raw_own_id(number: int) -> bytes:
    return b'"%b%d"' % (_OWN_PREFIX.encode(), number)


def _own_id(number: int) -> Hashable:
    return decode_id(_raw_own_id(number))


def _plain_params(message: Message) -> Payload:
    members = meta.take_meta(message, meta.REQUEST_MEMBERS)
    members = dict(message.members) if members is None else members
    members.pop("inputResponses", None)
    members.pop("requestState", None)
    return members or b""


def _address(uri: str) -> Members:
    return {"uri": msgspec.Raw(encode(uri))}


def _names(capabilities: bytes) -> set[str]:
    """What the client declares, by name; elicitation by its modes as well."""
    declared = _decode_object(capabilities)
    modes = _as_object(declared.get("elicitation"))
    return {*declared, *(f"elicitation.{mode}" for mode in modes)}


def _decode_object(text: bytes) -> dict[str, Any]:
    if not has_few_parts(text):
        return {}
    try:
        return _as_object(json.loads(text or b"{}", parse_int=_number, parse_float=_number))
    except (ValueError, RecursionError):
        return {}


def _number(text: str) -> tuple[str]:
    """A number as it stands: there are some that Python cannot build."""
    return (text,)


def _as_object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _severity(level: str) -> int | None:
    return LOG_LEVELS.index(level) if level in LOG_LEVELS else None


def _read_text(message: Message, name: str) -> str:
    """The string of that name among the params, "" without one."""
    return read_text(message.members.get(name))


_ROUND_MEMBERS = frozenset({"_meta", "inputResponses", "requestState"})
"""What differs from one try of a request to the next."""

MAX_COMPARED_BYTES = 512 * 1024
"""Of params that are compared by their meaning: 10 ms. Of longer ones the members' sizes are, and
their first and last `WINDOW_BYTES`."""

WINDOW_BYTES = 4096


def _salient(message: Message) -> bytes:
    """What makes two tries the same request: method, address and arguments."""
    if message.size <= MAX_COMPARED_BYTES:
        params = _decode_object(message.params)
        left = {name: value for name, value in params.items() if name not in _ROUND_MEMBERS}
        text = json.dumps([message.method, left], sort_keys=True)
        return hashlib.sha256(text.encode()).digest()
    digest = hashlib.sha256(message.method.encode())
    for name, value in sorted(message.members.items()):
        if name not in _ROUND_MEMBERS:
            view = memoryview(value)
            digest.update(encode([name, view.nbytes]))
            digest.update(view[:WINDOW_BYTES])
            digest.update(view[-WINDOW_BYTES:])
    return digest.digest()


def _refuse(message: Message, code: int, text: str) -> list[Effect]:
    if message.kind is not Kind.REQUEST:
        return []
    return [ToHost(make_error(message.raw_id, code, text))]


def _fail_all(held: Iterable[tuple[Message, meta.Envelope]], answer: Message) -> list[Effect]:
    return [ToHost(pass_error(request.raw_id, answer.error)) for request, _ in held]


def _notify(method: str, params: Payload = b"") -> ToServer:
    return ToServer(make_notification(method, params))


def _refuse_version(message: Message, version: str) -> Message:
    error = {
        "code": UNSUPPORTED_VERSION,
        "message": "Unsupported protocol version",
        "data": {"supported": [MODERN], "requested": version},
    }
    return pass_error(message.raw_id, encode(error))


def _describe(question: Message) -> Tree:
    """A question as one of the input requests."""
    method = msgspec.Raw(encode(question.method))
    if not question.members:
        return {"method": method}
    # The host's next try takes the place of an `elicitationId`.
    params = {name: one for name, one in question.members.items() if name != "elicitationId"}
    return {"method": method, "params": params}


def _decline_all(call: _Call) -> list[Effect]:
    """Answers what the server still asks for a request that is over."""
    questions = [*call.asked.values(), *call.waiting]
    call.asked.clear()
    call.waiting.clear()
    return [ToServer(_decline(question)) for question in questions]


def _decline(question: Message) -> Message:
    """The answer to a question that nobody will answer."""
    if question.method == "elicitation/create":
        return make_result(question.raw_id, b'{"action":"cancel"}')
    return make_error(question.raw_id, METHOD_NOT_FOUND, "The client did not answer.")


def _tag(notification: Message, request: Message) -> Message:
    """A notification on the stream that `request` opened."""
    tag = {meta.SUBSCRIPTION_ID: msgspec.Raw(request.raw_id)}
    return make_notification(notification.method, meta.put_meta(notification, tag))


def _tag_of(request: Message) -> msgspec.Raw:
    return msgspec.Raw(encode({meta.SUBSCRIPTION_ID: msgspec.Raw(request.raw_id)}))


def _wants(subscription: _Subscription, member: str) -> bool:
    return getattr(subscription.wanted, member) is True


def _asks_for(subscription: _Subscription, notification: Message) -> bool:
    member = _CHANGED.get(notification.method)
    if member is not None:
        return _wants(subscription, member)
    return _read_text(notification, "uri") in subscription.uris
