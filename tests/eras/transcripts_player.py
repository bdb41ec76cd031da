"""Plays recorded dialogues between a host and a server through a translator, without I/O.

A transcript is a file of JSON lines, each an object with one member. `host` and `server` are what
the two say; `to_server` and `to_host` are what has to come out, in that order and before anything
else is said; `note` is a sentence for the reader. Leaves are compared byte for byte, because an
escape or a `1.0` that changes on the way is a fault; only the order of members and blanks are
free. `play` knows no translator; `ModernServerTranslator` is one way to drive one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from mcp_remote_py.eras.conversation import (
    AnyEraStep,
    AskHost,
    EraConversation,
    Exchange,
    Filter,
    Listen,
    Pause,
    Reply,
)
from mcp_remote_py.eras.modern_server import ModernServer
from mcp_remote_py.jsonrpc import Kind, Message, make_result
from mcp_remote_py.parsing import parse_message

TRANSCRIPTS = Path(__file__).parent / "transcripts"

SAID = frozenset({"host", "server"})
EXPECTED = frozenset({"to_host", "to_server"})

Json = dict[str, "Json"] | list["Json"] | bytes
"""JSON text taken apart; a leaf is its own bytes."""


class Output(NamedTuple):
    """A line that a translator lets out, and where to: "to_host" or "to_server"."""

    way: str
    line: bytes


class Translator(Protocol):
    """What stands between the two. Lines in, lines out."""

    def from_host(self, line: bytes) -> Iterable[Output]:
        """What comes out when the host says this."""
        ...

    def from_server(self, line: bytes) -> Iterable[Output]:
        """What comes out when the server says this."""
        ...


class Entry(NamedTuple):
    """One line of a transcript: its number, its key, and the bytes of the value."""

    number: int
    key: str
    value: bytes


# ------------------------------------------------------------------------- files


def find_transcripts(folder: str) -> list[Path]:
    """The transcripts of one translator; there must be some."""
    found = sorted((TRANSCRIPTS / folder).glob("*.jsonl"))
    assert found, f"no transcripts in {TRANSCRIPTS / folder}"
    return found


def read_transcript(text: bytes) -> list[Entry]:
    """The entries of a transcript."""
    return [_read_entry(number, line) for number, line in enumerate(text.splitlines(), 1)]


def _read_entry(number: int, line: bytes) -> Entry:
    members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    assert len(members) == 1, f"line {number}: one member is wanted, not {list(members)}"
    ((key, value),) = members.items()
    assert key in SAID | EXPECTED | {"note"}, f"line {number}: nobody knows the key {key!r}"
    return Entry(number, key, bytes(value))


def take_apart(text: bytes) -> Json:
    """JSON text in a form in which equal means equal but for blanks and the order of members."""
    match text.strip()[:1]:
        case b"{":
            members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            return {name: take_apart(bytes(value)) for name, value in members.items()}
        case b"[":
            return [
                take_apart(bytes(one)) for one in msgspec.json.decode(text, type=list[msgspec.Raw])
            ]
        case _:
            return text.strip()


# ------------------------------------------------------------------------- the play


def play(entries: Iterable[Entry], translator: Translator) -> None:
    """Plays a transcript.

    Raises:
        AssertionError: something else came out, or too much, or too little.
    """
    coming: deque[Output] = deque()
    number = 0
    for number, key, value in entries:
        if key in EXPECTED:
            assert coming, f"line {number}: nothing comes out {key}"
            _compare(number, key, value, coming.popleft())
        elif key in SAID:
            assert not coming, f"line {number}: before it comes {coming[0]}"
            say = translator.from_host if key == "host" else translator.from_server
            coming.extend(say(value))
    assert not coming, f"behind line {number} comes {coming[0]}"


def _compare(number: int, key: str, value: bytes, output: Output) -> None:
    same = output.way == key and take_apart(output.line) == take_apart(value)
    assert same, f"line {number}: wanted {key}: {value.decode()}\ncame {output.way}: " + (
        output.line.decode()
    )


# ------------------------------------------------------------------------- ModernServer


class _Talk:
    def __init__(self, conversation: EraConversation[Message]) -> None:
        self.conversation = conversation
        self.answers: list[Message | None] = []


class ModernServerTranslator:
    """Drives the conversations of a `ModernServer` as messages come in.

    Attributes:
        server: the translator, from the host's `initialize` on.
        waits: the attempts of every `Pause`, in order. It is over at once.
    """

    def __init__(self) -> None:
        self.server: ModernServer | None = None
        self.waits: list[int] = []
        self._exchanges: dict[Hashable, _Talk] = {}
        self._questions: dict[Hashable, tuple[_Talk, int]] = {}
        self._listeners: deque[_Talk] = deque()
        self._listening: Hashable = None

    @property
    def is_idle(self) -> bool:
        """Whether no conversation waits for anybody."""
        return not (self._exchanges or self._questions or self._listeners)

    # ------------------------------------------------------------------ the host

    def from_host(self, line: bytes) -> list[Output]:
        """See `Translator`."""
        message = parse_message(line)
        if message.method == "initialize":
            self.server = ModernServer(message)
            return list(self._begin(_greet(self.server)))
        assert self.server is not None, "a host begins with `initialize`"
        if message.kind is Kind.REQUEST:
            return list(self._begin(self.server.serve(message)))
        if message.kind is Kind.RESPONSE:
            return list(self._take_answer(message))
        if message.method == "notifications/initialized":
            assert self.server.tell(message) is None
            return list(self._begin(_listen()))
        told = self.server.tell(message)
        return [] if told is None else [Output("to_server", told.raw)]

    def _take_answer(self, answer: Message) -> Iterator[Output]:
        talk, index = self._questions.pop(answer.key)
        talk.answers[index] = answer
        answers = tuple(one for one in talk.answers if one is not None)
        if len(answers) == len(talk.answers):
            yield from self._go_on(talk, answers)

    # ------------------------------------------------------------------ the server

    def from_server(self, line: bytes) -> list[Output]:
        """See `Translator`."""
        message = parse_message(line)
        assert self.server is not None, "a server answers an `initialize`"
        assert message.kind is not Kind.REQUEST, "a server of this era does not send requests"
        if message.kind is Kind.NOTIFICATION:
            if message.method != "notifications/subscriptions/acknowledged":
                return [Output("to_host", self.server.hear(message).raw)]
            return list(self._end_listening(message.params))
        if message.key == self._listening:
            return list(self._end_listening(message))
        return list(self._go_on(self._exchanges.pop(message.key), message))

    def _end_listening(self, outcome: Message | bytes) -> Iterator[Output]:
        self._listening = None
        agreed: Message | Filter
        if isinstance(outcome, bytes):
            agreed = msgspec.json.decode(outcome, type=_Acknowledged).notifications
        else:
            agreed = outcome
        yield from self._go_on(self._listeners.popleft(), agreed)
        yield from self._listen()

    def _listen(self) -> Iterator[Output]:
        """Opens a stream for the first that waits; the others wait for their turn."""
        while self._listeners and self._listening is None:
            assert self.server is not None
            wanted = self.server.wanted_notifications()
            if wanted:
                request = self.server.listen(wanted)
                self._listening = request.key
                yield Output("to_server", request.raw)
            else:
                yield from self._go_on(self._listeners.popleft(), {})

    # ------------------------------------------------------------------ conversations

    def _begin(self, conversation: EraConversation[Message]) -> Iterator[Output]:
        return self._go_on(_Talk(conversation), None)

    def _go_on(self, talk: _Talk, reply: Reply) -> Iterator[Output]:
        try:
            step = talk.conversation.send(reply)
            while isinstance(step, Pause):
                self.waits.append(step.attempt)
                step = talk.conversation.send(None)
        except StopIteration as end:
            if end.value.key != NOBODY:
                yield Output("to_host", end.value.raw)
            return
        yield from self._take_step(talk, step)

    def _take_step(self, talk: _Talk, step: AnyEraStep) -> Iterator[Output]:
        match step:
            case Exchange(request):
                assert request.key not in self._exchanges, f"{request} is open already"
                self._exchanges[request.key] = talk
                yield Output("to_server", request.raw)
            case AskHost(questions):
                talk.answers = [None] * len(questions)
                for index, question in enumerate(questions):
                    assert question.key not in self._questions, f"{question} is open already"
                    self._questions[question.key] = (talk, index)
                    yield Output("to_host", question.raw)
            case _:
                self._listeners.append(talk)
                yield from self._listen()


NOBODY = "nobody asked"


class _Acknowledged(msgspec.Struct):
    notifications: Filter


def _greet(server: ModernServer) -> EraConversation[Message]:
    answer = yield Exchange(server.discover())
    assert isinstance(answer, Message)
    return server.greet(answer)


def _listen() -> EraConversation[Message]:
    yield Listen()
    return make_result(b'"%b"' % NOBODY.encode(), b"{}")
