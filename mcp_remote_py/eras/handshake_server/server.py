"""The handshake with the server, what it is told and what it says, and who takes it.

Pure: messages in, effects out. It is a host of the older era towards the relay: it shakes hands
with what the first request says of the client, takes the envelope off, and gives every request an
id of its own. Must not know which transport, or how effects are done.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

import msgspec

from mcp_remote_py.eras import envelope as meta
from mcp_remote_py.eras.capabilities import cross_capabilities
from mcp_remote_py.eras.era_detection import UNSUPPORTED_VERSION
from mcp_remote_py.eras.handshake_server.effects import (
    Effect,
    ToHost,
    ToServer,
    notify_server,
    refuse,
)
from mcp_remote_py.eras.handshake_server.input_rounds import InputRounds
from mcp_remote_py.eras.handshake_server.objects import as_object, declared_names, decode_object
from mcp_remote_py.eras.handshake_server.own_ids import RequestMaker, is_own
from mcp_remote_py.eras.handshake_server.subscriptions import Subscriptions
from mcp_remote_py.eras.modern_server import LOG_LEVELS
from mcp_remote_py.eras.results import complete_result
from mcp_remote_py.json_text import Members, encode, read_members, read_string, read_text
from mcp_remote_py.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Kind,
    Message,
    is_object,
    make_notification,
    make_result,
    pass_error,
)
from mcp_remote_py.open_requests import cancelled_key, refuse_open_id
from mcp_remote_py.versions import MODERN, NEWEST_HANDSHAKE

_REMOVED = frozenset(
    {
        *("initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"),
        *("tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update"),
    }
)
"""Methods that 2026-07-28 has not, or has with another meaning."""


MAX_UNTOLD = 100
"""Notifications that wait for a handshake; more than that are not told."""


class HandshakeServer:
    """One server of the older era, and a host of the modern one.

    `key` authenticates request states (32 random bytes); `find_related` tells by the id of a
    server's request for which request of ours it came, None where that is not known.
    """

    def __init__(self, key: bytes, find_related: Callable[[Hashable], Hashable]) -> None:
        self._requests = RequestMaker()
        self._rounds = InputRounds(key, find_related, self._requests)
        self._subscriptions = Subscriptions(self._requests, self._announces)
        self._levelling: dict[Hashable, tuple[Message, meta.Envelope]] = {}
        self._level = len(LOG_LEVELS)
        self._held: dict[Hashable, tuple[Message, meta.Envelope]] = {}
        self._untold: list[ToServer] = []
        """Notifications that wait for the handshake."""
        self._handshake: Hashable = None
        self._hello: Members | None = None
        self._server_info = msgspec.Raw(b"")
        """Empty where the server does not name itself."""
        self._declared: set[str] = set()
        self._offered: Members = {}

    # ------------------------------------------------------------------ from the host

    def from_host(self, message: Message, now: float) -> list[Effect]:
        """The effects of a message of the host; `now` is in seconds on a steady clock."""
        return self._identify(self._from_host(message, now))

    def _from_host(self, message: Message, now: float) -> list[Effect]:
        if message.kind is Kind.RESPONSE:
            return []  # 2026-07-28 has none: nothing was asked
        if message.kind is Kind.NOTIFICATION:
            if message.method == "notifications/cancelled":
                return self._cancel(cancelled_key(message))
            return self._tell(message)
        if any(message.key in known for known in (self._rounds, self._held, self._subscriptions)):
            return [ToHost(refuse_open_id(message))]
        envelope = meta.read_envelope(message)
        if envelope is None:
            text = f"`_meta` must name `{meta.VERSION}`."
            return refuse(message, INVALID_PARAMS, text)
        if envelope.version != MODERN:
            return [ToHost(_refuse_version(message, envelope.version))]
        if message.method in _REMOVED:
            text = f"MCP {MODERN} does not have a method {message.method}."
            return refuse(message, METHOD_NOT_FOUND, text)
        return self._take(message, envelope, now)

    def _take(self, message: Message, envelope: meta.Envelope, now: float) -> list[Effect]:
        declared = declared_names(envelope.capabilities)
        if self._hello is None or (
            not declared <= self._declared and not self._rounds.are_at_server
        ):
            # A later request may say more of the client than the first one did.
            self._held[message.key] = (message, envelope)
            return self._shake_hands(envelope, declared)
        if message.method == "server/discover":
            return [ToHost(make_result(message.raw_id, self._describe()))]
        if message.method == "subscriptions/listen":
            return self._subscriptions.listen(message)
        if not {"requestState", "inputResponses"}.isdisjoint(message.members):
            return self._rounds.resume(message, envelope, now)
        return self._forward(message, envelope)

    def _tell(self, notification: Message) -> list[Effect]:
        plain = meta.take_meta(notification, meta.REQUEST_MEMBERS)
        told = ToServer(
            notification if plain is None else make_notification(notification.method, plain or b"")
        )
        if self._hello is not None:
            return [told]
        # There is no session yet that it could be told in.
        if len(self._untold) < MAX_UNTOLD:
            self._untold.append(told)
        envelope = meta.read_envelope(notification)
        if envelope is None:
            return []  # the first request says who the client is
        return self._shake_hands(envelope, declared_names(envelope.capabilities))

    def _shake_hands(self, envelope: meta.Envelope, declared: set[str]) -> list[Effect]:
        if self._handshake is not None:
            return []
        self._hello = None
        self._declared |= declared
        self._offered |= read_members(cross_capabilities(envelope.capabilities)) or {}
        params = {
            "protocolVersion": msgspec.Raw(encode(NEWEST_HANDSHAKE)),
            "capabilities": msgspec.Raw(encode(self._offered)),
            "clientInfo": meta.complete_name(envelope.client_info),
        }
        request = self._requests.make("initialize", params)
        self._handshake = request.key
        return [ToServer(request)]

    def _forward(self, message: Message, envelope: meta.Envelope) -> list[Effect]:
        level = _severity(envelope.log_level)
        if envelope.log_level and level is None:
            text = f"Unknown log level; use one of: {', '.join(LOG_LEVELS)}."
            return refuse(message, INVALID_PARAMS, text)
        if level is not None and level < self._level and self._announces("logging"):
            # The session's level is the lowest anyone asked for; what is sent on is per request.
            self._level = level
            level_wanted = {"level": msgspec.Raw(encode(envelope.log_level))}
            setting = self._requests.make("logging/setLevel", level_wanted)
            self._levelling[setting.key] = (message, envelope)
            self._held[message.key] = (message, envelope)
            return [ToServer(setting)]
        return self._rounds.begin(message, envelope)

    def _cancel(self, key: Hashable) -> list[Effect]:
        self._held.pop(key, None)
        return self._rounds.cancel(key) + self._subscriptions.cancel(key)

    def expire(self, ticket: bytes) -> list[Effect]:
        """Gives up what nobody came back for; nothing where somebody has."""
        return self._rounds.expire(ticket)

    # ------------------------------------------------------------------ from the server

    def from_server(self, message: Message, now: float) -> list[Effect]:
        """The effects of a message of the server."""
        return self._identify(self._from_server(message, now), message)

    def _from_server(self, message: Message, now: float) -> list[Effect]:
        if message.kind is Kind.REQUEST:
            return self._rounds.take_question(message, now)
        if message.kind is Kind.NOTIFICATION:
            return self._hear(message)
        if message.key == self._handshake:
            return self._end_handshake(message, now)
        if message.key in self._levelling:
            return self._end_levelling(message)
        answered = self._subscriptions.take_answer(message)
        return self._rounds.take_answer(message, now) if answered is None else answered

    def _end_handshake(self, answer: Message, now: float) -> list[Effect]:
        self._handshake = None
        held, self._held = self._held, {}
        if answer.is_error:
            return _fail_all(held.values(), answer)
        self._hello = answer.members
        info = self._hello.get("serverInfo", msgspec.Raw(b""))
        self._server_info = meta.complete_name(info) if is_object(info) else msgspec.Raw(b"")
        self._level = len(LOG_LEVELS)
        untold, self._untold = self._untold, []
        effects: list[Effect] = [notify_server("notifications/initialized"), *untold]
        effects += self._subscriptions.subscribe_again()
        for request, envelope in held.values():
            effects += self._take(request, envelope, now)
        return effects

    def _end_levelling(self, answer: Message) -> list[Effect]:
        message, envelope = self._levelling.pop(answer.key)
        if self._held.pop(message.key, None) is None:
            return []
        # Where it failed the request is made all the same: it only says less.
        return self._rounds.begin(message, envelope)

    def _hear(self, notification: Message) -> list[Effect]:
        method = notification.method
        if method == "notifications/message":
            wanted = self._wants_log(notification)
            return [ToHost(notification)] if wanted else []
        if method == "notifications/elicitation/complete":
            return []  # the host learns it by trying again
        if method == "notifications/cancelled":
            self._rounds.drop_question(cancelled_key(notification))
            return []
        if method == "notifications/progress":
            return self._rounds.take_progress(notification)
        heard = self._subscriptions.hear(notification)
        return [ToHost(notification)] if heard is None else heard

    def _wants_log(self, notification: Message) -> bool:
        severity = _severity(read_text(notification.members.get("level")))
        levels = map(_severity, self._rounds.log_levels())
        return any(
            level is not None and (severity is None or level <= severity) for level in levels
        )

    # ------------------------------------------------------------------ the end

    def owns(self, key: Hashable) -> bool:
        """Whether an answer with this id is to a request of ours."""
        return is_own(key)

    def end(self, reason: Message) -> list[Effect]:
        """Answers what is still open here: `reason` is an error answer, for its error alone.

        A subscription ends gracefully; what the server still works on is the relay's to answer.
        """
        effects = _fail_all(self._held.values(), reason)
        self._held.clear()
        return self._identify(effects + self._subscriptions.end())

    # ------------------------------------------------------------------ what is known

    def _describe(self) -> Members:
        """The result of `server/discover`."""
        hello = self._hello or {}
        capabilities = cross_capabilities(bytes(hello.get("capabilities", b"{}")))
        members = {
            "supportedVersions": msgspec.Raw(encode([MODERN])),
            "capabilities": msgspec.Raw(capabilities),
        }
        if read_string(hello.get("instructions")) is not None:
            members["instructions"] = hello["instructions"]
        return complete_result("server/discover", members)

    def _identify(self, effects: list[Effect], answer: Message | None = None) -> list[Effect]:
        """With the server's name in each result, as 2026-07-28 has it (basic/index, "_meta")."""
        if not self._server_info:
            return effects
        return [
            ToHost(meta.name_server_in(effect.message, self._server_info, answer))
            if isinstance(effect, ToHost) and effect.message.kind is Kind.RESPONSE
            else effect
            for effect in effects
        ]

    def _announces(self, capability: str, member: str = "") -> bool:
        capabilities = (self._hello or {}).get("capabilities", b"")
        found = decode_object(bytes(capabilities)).get(capability)
        return found is not None and (not member or as_object(found).get(member) is True)


def _severity(level: str) -> int | None:
    return LOG_LEVELS.index(level) if level in LOG_LEVELS else None


def _fail_all(held: Iterable[tuple[Message, meta.Envelope]], answer: Message) -> list[Effect]:
    return [ToHost(pass_error(request.raw_id, answer.error)) for request, _ in held]


def _refuse_version(message: Message, version: str) -> Message:
    error = {
        "code": UNSUPPORTED_VERSION,
        "message": "Unsupported protocol version",
        "data": {"supported": [MODERN], "requested": version},
    }
    return pass_error(message.raw_id, encode(error))
