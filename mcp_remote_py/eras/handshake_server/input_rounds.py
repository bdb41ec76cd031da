"""Requests of the host at a server that may ask back, and the rounds they take for it.

What the server asks is turned round (basic/patterns/mrtr): the host's request ends as
`input_required`, the server's stays open, and the host's next try, recognised by its
`requestState`, goes on with it. Must not know the handshake, or what else a server says.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Hashable, Iterator

import msgspec

from mcp_remote_py.bounds import has_few_parts
from mcp_remote_py.eras import envelope as meta
from mcp_remote_py.eras.capabilities import INPUT_CAPABILITY
from mcp_remote_py.eras.era_detection import error_code
from mcp_remote_py.eras.handshake_server.effects import (
    Effect,
    Expire,
    ToHost,
    ToServer,
    notify_server,
    refuse,
)
from mcp_remote_py.eras.handshake_server.objects import declared_names, decode_object
from mcp_remote_py.eras.handshake_server.own_ids import RequestMaker, key_of, raw_id_of
from mcp_remote_py.eras.methods import ASKS_BACK
from mcp_remote_py.eras.results import URL_REQUIRED, to_modern_error, to_modern_result
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
    Message,
    Payload,
    make_error,
    make_notification,
    make_result,
    read_id,
)

INPUT_PATIENCE = 600.0
"""Seconds the host's person gets to answer. Servers wait about as long for an elicitation."""

MAX_SUSPENDED = 50
"""Requests that wait for the host's next try; past it the oldest is given up. A host that never
comes back must not fill what the relay has room for."""

MAX_COMPARED_BYTES = 512 * 1024
"""Bytes of params that are compared by their meaning: 10 ms. Of longer ones, the members' sizes are
compared, and their first and last `WINDOW_BYTES`."""

WINDOW_BYTES = 4096

_ROUND_MEMBERS = frozenset({"_meta", "inputResponses", "requestState"})
"""Members that differ from one try of a request to the next."""


class _UrlRequired(msgspec.Struct):
    elicitations: list[msgspec.Raw]


_decode_url_required = bounded(msgspec.json.Decoder(_UrlRequired).decode)


class Call:
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


class InputRounds:
    """All of one host's; `key` and `find_related` as in `HandshakeServer`."""

    def __init__(
        self, key: bytes, find_related: Callable[[Hashable], Hashable], requests: RequestMaker
    ) -> None:
        self._key = key
        self._find_related = find_related
        self._requests = requests
        self._calls: dict[Hashable, Call] = {}
        self._by_host: dict[Hashable, Call] = {}
        self._suspended: dict[bytes, Call] = {}

    def __contains__(self, key: Hashable) -> bool:
        """Whether the host waits for an answer to a request with this id."""
        return key in self._by_host

    @property
    def are_at_server(self) -> bool:
        """Whether the server works at any."""
        return bool(self._calls)

    def log_levels(self) -> Iterator[str]:
        """The input that each request of the host still waits for."""
        return (call.envelope.log_level for call in self._by_host.values())

    # ------------------------------------------------------------------ from the host

    def begin(self, message: Message, envelope: meta.Envelope) -> list[Effect]:
        """Sends it."""
        request = self._requests.make(message.method, _plain_params(message))
        call = Call(self._requests.number, message, envelope)
        self._calls[request.key] = call
        self._by_host[message.key] = call
        return [ToServer(request)]

    def cancel(self, key: Hashable) -> list[Effect]:
        """The host no longer waits for the request with this id, if it did."""
        call = self._by_host.pop(key, None)
        if call is None:
            return []
        call.host = None
        return self._give_up(call)

    def _give_up(self, call: Call) -> list[Effect]:
        """Ends a request at the server that nobody waits for any more."""
        effects: list[Effect] = []
        if self._calls.pop(key_of(call.number), None) is not None:
            params = {"requestId": msgspec.Raw(raw_id_of(call.number))}
            effects.append(notify_server("notifications/cancelled", params))
        return effects + _decline_all(call)

    def resume(self, message: Message, envelope: meta.Envelope, now: float) -> list[Effect]:
        """Goes on with a request that ended as `input_required`."""
        params = message.members
        call = self._redeem(message, read_text(params.get("requestState")), now)
        if isinstance(call, str):
            return refuse(message, INVALID_PARAMS, call)
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
        self, message: Message, envelope: meta.Envelope, call: Call, responses: Members
    ) -> list[Effect]:
        answers = (decode_object(bytes(responses.get(key, b""))) for key in call.asked)
        if any(answer.get("action") != "accept" for answer in answers):
            text = "The server wants an address to be opened first, which was declined."
            return refuse(message, INVALID_PARAMS, text)
        return self.begin(message, envelope)

    def _redeem(self, message: Message, state: str, now: float) -> Call | str:
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

    # ------------------------------------------------------------------ from the server

    def take_answer(self, answer: Message, now: float) -> list[Effect]:
        """The server's answer to a request of ours."""
        call = self._calls.pop(answer.key, None)
        if call is None:
            return []  # it was given up
        if call.host is None:
            call.answer = answer  # for the next try
            return []
        return self._end_call(call, call.host, answer, now)

    def _end_call(self, call: Call, request: Message, answer: Message, now: float) -> list[Effect]:
        if answer.is_error and error_code(answer) == URL_REQUIRED:
            questions = self._read_urls(answer)
            if questions and "elicitation" in declared_names(call.envelope.capabilities):
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
        return [self._requests.make("elicitation/create", bytes(one)) for one in data.elicitations]

    def take_question(self, question: Message, now: float) -> list[Effect]:
        """Something the server asks the host."""
        if question.method == "ping":
            return [ToServer(make_result(question.raw_id, b"{}"))]
        capability = INPUT_CAPABILITY.get(question.method)
        call = None if capability is None else self._find_call(question)
        if call is None or capability not in declared_names(call.envelope.capabilities):
            text = f"The client cannot answer {question.method} now."
            return [ToServer(make_error(question.raw_id, METHOD_NOT_FOUND, text))]
        call.waiting.append(question)
        return [] if call.host is None else self._suspend(call, call.host, now)

    def _find_call(self, question: Message) -> Call | None:
        """The request it was asked for; the oldest one where the server does not say."""
        related = self._calls.get(self._find_related(question.key))
        able = [call for call in self._calls.values() if call.first.method in ASKS_BACK]
        return related or next(iter(able), None)

    def drop_question(self, key: Hashable) -> None:
        """The server no longer waits for the answer."""
        for call in (*self._calls.values(), *self._suspended.values()):
            call.waiting = deque(one for one in call.waiting if one.key != key)
            call.asked = {name: one for name, one in call.asked.items() if one.key != key}

    def take_progress(self, progress: Message) -> list[Effect]:
        """Progress under the token of the host's last try, which need not be that of its first.

        While the host is asked for input, it waits for nothing that could have progress.
        """
        token = read_id(progress.members.get("progressToken"))
        for call in self._calls.values():
            if call.host is not call.first and token == read_id(
                meta.read_progress_token(call.first)
            ):
                wanted = call.host and meta.read_progress_token(call.host)
                if wanted is None:
                    return []
                told = {**progress.members, "progressToken": wanted}
                return [ToHost(make_notification(progress.method, told))]
        return [ToHost(progress)]

    def _suspend(self, call: Call, request: Message, now: float) -> list[Effect]:
        """Ends the host's `request` with what the server asked so far."""
        del self._by_host[request.key]
        call.host = None
        call.round += 1
        while call.waiting:
            self._requests.number += 1
            call.asked[f"input-{self._requests.number}"] = call.waiting.popleft()
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


def _plain_params(message: Message) -> Payload:
    members = meta.take_meta(message, meta.REQUEST_MEMBERS)
    members = dict(message.members) if members is None else members
    members.pop("inputResponses", None)
    members.pop("requestState", None)
    return members or b""


def _salient(message: Message) -> bytes:
    """The key by which two tries are the same request: method, address and arguments."""
    if message.size <= MAX_COMPARED_BYTES and has_few_parts(message.params):
        params = decode_object(message.params)
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


def _describe(question: Message) -> Tree:
    """A question as one of the input requests."""
    method = msgspec.Raw(encode(question.method))
    if not question.members:
        return {"method": method}
    # The host's next try takes the place of an `elicitationId`.
    params = {name: one for name, one in question.members.items() if name != "elicitationId"}
    return {"method": method, "params": params}


def _decline_all(call: Call) -> list[Effect]:
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
