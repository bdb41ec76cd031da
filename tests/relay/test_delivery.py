"""One delivery between a written server and a written recovery: each decision, without a relay."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import cast
from weakref import ref

import pytest

from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, Refused, SessionLost, Unusable
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.relay.delivery import Delivery, tell_others
from mcp_remote_py.relay.outage import Outage
from mcp_remote_py.relay.recovery import Recovery
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.tools import ToolCatalog
from tests.fakes import Behaviour, FakeClock, FakeServerChannel, run

EVIDENCE = "The request may have been executed; it was not sent again."


class WrittenRecovery:
    """A `Recovery` that says what the test wants, and keeps what was asked of it."""

    def __init__(self) -> None:
        self.is_lost = False
        self.is_beginning = False
        self.generation = 1
        self.asked: list[str] = []
        self.failure: ExchangeError | None = None

    async def let_handshake_end(self) -> ExchangeError | None:
        self.asked.append("end")
        return self.failure

    async def make_way(self) -> None:
        self._begin("make way")

    async def recover(self) -> None:
        self._begin("recover")

    def _begin(self, what: str) -> None:
        self.asked.append(what)
        if self.failure is not None:
            raise self.failure
        self.is_lost, self.generation = False, self.generation + 1


class Scene:
    """A delivery and what is around it."""

    def __init__(self) -> None:
        self.server = FakeServerChannel().connect(lambda _: None, lambda: None)
        self.recovery = WrittenRecovery()
        self.clock = FakeClock()
        self.sending: list[bool] = []
        self.delivery = Delivery(
            self.server,
            cast("Recovery", self.recovery),
            ToolCatalog(ToolRules()),
            self.clock,
            lambda: 0.5,
            Outage(),
        )

    def send(
        self, message: Message, is_done: Callable[[], bool] = lambda: False
    ) -> ExchangeError | None:
        async def main() -> ExchangeError | None:
            sending = self.delivery.send(message, is_done, self.sending.append)
            return await self.clock.finish(sending)

        return run(main())


def request(method: str = "tools/list", params: bytes = b"{}") -> Message:
    return parse_message(b'{"id":1,"method":"%b","params":%b}' % (method.encode(), params))


CALL = request("tools/call", b'{"name":"a"}')
TOLD = parse_message(b'{"method":"notifications/x"}')
INITIALIZED = parse_message(b'{"method":"notifications/initialized"}')
REPLY = parse_message(b'{"id":"q","result":{}}')


def fail(error: ExchangeError) -> Behaviour:
    async def behave(server: FakeServerChannel, message: Message) -> None:
        raise error

    return behave


def answered_after(scene: Scene, count: int) -> Callable[[], bool]:
    return lambda: len(scene.server.sent) >= count


@pytest.mark.report("T8")
@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (SessionLost("Gone.", status=404), Unusable, 404),
        (SessionLost("Gone.").with_otherwise(Refused("No.", status=400)), Refused, 400),
        (Interrupted("Cut."), Interrupted, None),
    ],
)
def test_a_refusal_of_what_each_session_begins_with_is_not_of_the_session(
    error: ExchangeError, kind: type[ExchangeError], status: int | None
) -> None:
    scene = Scene()
    scene.server.script(INITIALIZED.method, *([fail(error)] * 9))
    seen = scene.send(INITIALIZED)
    assert (type(seen), seen and seen.status) == (kind, status)
    assert str(seen) == ("No." if status == 400 else str(error))
    assert not scene.recovery.is_lost


@pytest.mark.promise("R1", "R5")
def test_what_worked_is_sent_once_and_needs_its_answer() -> None:
    scene = Scene()
    assert scene.send(CALL, answered_after(scene, 1)) is None
    assert (len(scene.server.sent), scene.sending, scene.clock.waits) == (1, [True, False], [])
    error = Scene().send(CALL)
    assert isinstance(error, Unusable)
    assert error.sentence() == (
        "The server's response does not contain the answer to this request. That is a fault of the "
        "server."
    )


@pytest.mark.promise("R5")
def test_what_was_never_sent_is_sent_again_and_what_was_answered_meanwhile_is_not() -> None:
    scene = Scene()
    scene.server.script("tools/call", fail(NotSent("No connection.")))
    assert scene.send(CALL, answered_after(scene, 2)) is None
    assert len(scene.server.sent) == 2
    assert scene.sending == [True, False, True, False]
    assert len(scene.clock.waits) == 1
    assert scene.recovery.asked == [], "no session was lost"
    scene = Scene()
    scene.server.script("tools/call", fail(NotSent("No connection.")))
    assert scene.send(CALL, answered_after(scene, 1)) is None
    assert (len(scene.server.sent), scene.clock.waits) == (1, [])
    scene = Scene()
    scene.server.script("notifications/x", fail(NotSent("No connection.")))
    assert scene.send(TOLD, lambda: True) is None
    assert len(scene.server.sent) == 2, "nobody waits for it, and it is sent all the same"


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("message", "error", "warns"),
    [
        (CALL, Interrupted("Broke."), True),
        (request("x/odd"), Interrupted("Broke."), True),
        (request("tools/call", b'{"name":5}'), Interrupted("Broke."), True),
        (request(), Interrupted("Broke."), False),
        (TOLD, Interrupted("Broke."), False),
        (REPLY, Interrupted("Broke."), False),
        (CALL, Refused("No.", status=502), True),
        (CALL, Refused("No.", status=503), True),
        (CALL, Refused("No.", status=503, retry_after=900.0), False),
        (CALL, Refused("No.", status=502, retry_after=900.0), True),
        (CALL, Refused("No.", status=403), False),
        (CALL, Unusable("Odd."), False),
    ],
)
def test_what_may_have_been_executed_is_said_so(
    message: Message, error: ExchangeError, warns: bool
) -> None:
    scene = Scene()
    scene.server.always(message.method, fail(error))
    told = scene.send(message)
    assert told is not None
    assert told.cause == (f"{error.cause} {EVIDENCE}" if warns else error.cause)
    assert told.cause.startswith(error.cause)
    if warns:
        assert len(scene.server.sent) == 1


@pytest.mark.promise("R5")
def test_a_call_that_the_server_calls_harmless_is_sent_again() -> None:
    scene = Scene()
    catalog = ToolCatalog(ToolRules())
    listed = b'[{"name":"a","annotations":{"readOnlyHint":true}}]'
    catalog.learn(parse_message(b'{"id":2,"result":{"tools":%b}}' % listed))
    scene.delivery = Delivery(
        *(scene.server, cast("Recovery", scene.recovery), catalog, scene.clock),
        *(lambda: 0.5, Outage()),
    )
    scene.server.script("tools/call", fail(Interrupted("Broke.")))
    assert scene.send(CALL, answered_after(scene, 2)) is None
    assert len(scene.server.sent) == 2


@pytest.mark.promise("R5")
def test_a_lost_session_is_noted_once_and_another_one_is_begun() -> None:
    scene = Scene()
    scene.server.script("tools/call", fail(SessionLost("Gone.")))
    assert scene.send(CALL, answered_after(scene, 2)) is None
    assert scene.recovery.asked == ["recover"]
    assert scene.recovery.generation == 2
    assert scene.clock.waits == [], "at once"
    scene = Scene()

    async def late(server: FakeServerChannel, message: Message) -> None:
        scene.recovery.generation += 1  # somebody has begun the next meanwhile
        raise SessionLost("Gone.")

    scene.server.script("tools/call", late)
    assert scene.send(CALL, answered_after(scene, 2)) is None
    assert scene.recovery.asked == []


@pytest.mark.promise("R5")
def test_repeats_of_one_message_are_counted_together() -> None:
    scene = Scene()
    scene.server.always("tools/list", fail(Interrupted("Broke.")))
    assert isinstance(scene.send(request()), Interrupted)
    assert len(scene.server.sent) == 2


@pytest.mark.promise("R5")
def test_what_is_only_told_may_be_told_twice() -> None:
    scene = Scene()
    scene.server.script("notifications/x", fail(Interrupted("Broke.")))
    scene.send(TOLD)
    assert len(scene.server.sent) == 2


@pytest.mark.promise("R5")
def test_an_answer_that_did_not_leave_is_sent_again() -> None:
    scene = Scene()
    scene.server.script("", fail(NotSent("No connection.")))
    assert scene.send(REPLY, lambda: True) is None
    assert len(scene.server.sent) == 2


@pytest.mark.promise("R5")
def test_another_session_is_lost_in_its_turn() -> None:
    scene = Scene()
    scene.recovery.is_lost = True
    scene.server.script("tools/list", fail(SessionLost("Gone.")))
    assert scene.send(request(), answered_after(scene, 2)) is None
    assert scene.recovery.asked == ["recover", "recover"]


@pytest.mark.promise("R5")
def test_a_host_that_begins_anew_makes_its_own_session() -> None:
    scene = Scene()
    scene.recovery.is_lost = True
    assert scene.send(request("initialize"), answered_after(scene, 1)) is None
    assert scene.recovery.asked == ["make way"]


@pytest.mark.promise("R1")
def test_an_answer_that_came_while_a_session_was_begun_is_enough() -> None:
    scene = Scene()
    scene.recovery.is_lost = True
    assert scene.send(CALL, lambda: True) is None
    assert (scene.recovery.asked, scene.server.sent, scene.sending) == (["recover"], [], [])
    scene.recovery.is_lost = True
    assert scene.send(TOLD, lambda: True) is None
    assert scene.server.sent == [TOLD]


@pytest.mark.promise("R1")
def test_an_answer_to_a_session_that_is_gone_goes_nowhere() -> None:
    scene = Scene()
    scene.recovery.is_lost = True
    error = scene.send(REPLY)
    assert isinstance(error, SessionLost)
    assert error.cause == "The session that asked is gone."
    assert scene.server.sent == []
    scene = Scene()
    scene.recovery.is_beginning = True
    scene.server.script("", fail(SessionLost("Gone.")))
    assert type(scene.send(REPLY, lambda: True)) is SessionLost
    assert (len(scene.server.sent), scene.recovery.asked) == (1, [])
    assert scene.recovery.is_lost


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("message", "waits"),
    [
        (CALL, True),
        (TOLD, True),
        (request("initialize"), False),
        (parse_message(b'{"method":"notifications/initialized"}'), False),
        (parse_message(b'{"method":"notifications/cancelled"}'), False),
    ],
)
def test_what_needs_a_session_waits_for_the_handshake(message: Message, waits: bool) -> None:
    scene = Scene()
    scene.recovery.is_beginning = True
    scene.recovery.failure = NotSent("No connection.", hint="Start it.")
    told = scene.send(message, answered_after(scene, 1))
    assert (scene.recovery.asked == ["end"]) is waits
    if waits:
        assert isinstance(told, NotSent)
        assert told.sentence() == "No connection. Start it."
        assert scene.server.sent == []
    scene = Scene()
    scene.recovery.is_beginning = True
    assert scene.send(message, answered_after(scene, 1)) is None
    assert len(scene.server.sent) == 1


@pytest.mark.promise("R1", "P2")
def test_others_hear_of_a_failed_session_without_its_answer() -> None:
    away = tell_others(Interrupted("Broke.", hint="Wait.", retry_after=3.0))
    assert type(away) is NotSent
    assert (away.cause, away.hint, away.retry_after, away.status) == ("Broke.", "Wait.", 3.0, None)
    no = tell_others(Refused("No.", hint="Ask.", status=403, retry_after=2.0))
    assert type(no) is Refused
    assert (no.cause, no.hint, no.status, no.retry_after) == ("No.", "Ask.", 403, 2.0)
    scene = Scene()
    scene.recovery.is_lost = True
    scene.recovery.failure = Refused("No.", hint="Ask.", status=403)
    told = scene.send(CALL)
    assert type(told) is Refused
    assert told is not scene.recovery.failure
    assert told.__cause__ is None
    assert told.__traceback__ is None
    assert scene.server.sent == []
    assert scene.recovery.is_lost


class Megabytes:
    """What a frame has in hand."""


@pytest.mark.parametrize("tie", ["__cause__", "__context__"])
def test_nothing_that_failed_is_kept_by_the_error_nor_by_those_before_it(tie: str) -> None:
    """In a soak, a request of a megabyte was there for eight minutes behind its answer."""
    seen: list[ref[Megabytes]] = []

    def lose_session() -> None:
        kept = Megabytes()
        seen.append(ref(kept))
        error = SessionLost("Gone.")
        raise error  # its frame has it, and it has its frame

    async def behave(server: FakeServerChannel, message: Message) -> None:
        refused = Refused("No.")
        try:
            lose_session()
        except SessionLost as error:
            setattr(refused, tie, error)
        raise refused

    scene = Scene()
    scene.server.always("tools/call", behave)
    gc.disable()
    try:
        told = scene.send(CALL)
        assert isinstance(told, Refused)
        assert [one() for one in seen] == [None]
    finally:
        gc.enable()


def test_each_failure_is_a_line_for_who_looks_closely(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.server.always("tools/call", fail(Unusable("Odd.")))
    with caplog.at_level(logging.DEBUG, "mcp_remote_py.relay"):
        scene.send(CALL)
    assert caplog.messages == [f"to server: {CALL}: Unusable"]


def test_an_outage_ends_with_its_message(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    no = fail(NotSent("No connection."))
    scene.server.script("tools/call", no, no)
    with caplog.at_level(logging.INFO, "mcp_remote_py.relay"):
        scene.send(CALL, answered_after(scene, 3))
    assert caplog.messages == [
        "No connection. Trying again.",
        "It works again: it failed so 2 times.",
    ]
    caplog.clear()
    scene = Scene()
    scene.server.always("tools/call", no)
    with caplog.at_level(logging.INFO, "mcp_remote_py.relay"):
        assert isinstance(scene.send(CALL), NotSent)
    assert caplog.messages == ["No connection. Trying again."]
