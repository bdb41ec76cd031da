"""Which transport is taken: every status of the one against every server of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NoEndpoint,
    NoStream,
    NotSent,
    Refused,
    SessionLost,
    Unusable,
)
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.transports.choose import (
    BEGINNING_LIMIT,
    CHOICE_PATIENCE,
    Candidate,
    ChosenChannel,
    OnAccepted,
)
from tests.fakes import (
    Behaviour,
    FakeServerChannel,
    encode_request,
    fail,
    forever,
    good,
    run,
    settle,
    when,
)

FIRST = parse_message(encode_request(1, "initialize"))
SECOND = parse_message(encode_request(2, "x"))


class Transport(FakeServerChannel):
    """A channel that tells when its server accepts, as real ones do: before it delivers."""

    def __init__(self) -> None:
        super().__init__()
        self.accepts: OnAccepted = lambda: None
        self.deliver = lambda message: self.accepts()


class Pair:
    """Two transports, one and other, and the channel that chooses."""

    def __init__(self) -> None:
        self.one = Transport()
        self.other = Transport()
        self.built: list[str] = []
        self.patience: list[float | None] = []
        self.chosen: list[str] = []
        self.channel = self.choose("one", "other")

    def choose(self, *names: str, patience: float = CHOICE_PATIENCE) -> ChosenChannel:
        def build(name: str) -> Callable[[OnAccepted, float | None], Transport]:
            def make(accepts: OnAccepted, patience: float | None) -> Transport:
                self.built.append(name)
                self.patience.append(patience)
                transport: Transport = getattr(self, name)
                transport.accepts = accepts
                return transport

            return make

        candidates = [Candidate(name, build(name)) for name in names]
        return ChosenChannel(candidates, self.chosen.append, patience)


def error_of(status: int | None, kind: type[ExchangeError] = Unusable) -> Behaviour:
    return fail(lambda: kind(f"HTTP {status}.", status=status))


MISMATCH = [200, 400, 404, 405, 406, 410, 411, 415, 501]
NO_VERDICT = [401, 403, 408, 413, 418, 422, 429, 500, 502, 503, 504]


@pytest.mark.promise("R4")
@pytest.mark.parametrize("status", MISMATCH)
def test_status_of_another_transport_moves_on_to_it(status: int) -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.always("", error_of(status))
        await pair.channel.send(FIRST)
        await pair.channel.send(SECOND)
        assert pair.chosen == ["other"]
        assert pair.one.events == ["initialize", "close"]
        assert pair.other.events == ["initialize", "x"]

    run(main())


@pytest.mark.promise("R4")
@pytest.mark.parametrize(
    "make",
    [
        *(lambda status=status: Refused("No.", status=status) for status in NO_VERDICT),
        lambda: NotSent("Refused connection."),
        lambda: Interrupted("Cut."),
        lambda: Unusable("An endpoint elsewhere."),
        lambda: Unusable("Modern.", status=400, body=MODERN_ERROR),
    ],
)
def test_refusal_and_broken_network_are_not_a_verdict(make: Callable[[], ExchangeError]) -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.script("initialize", fail(make))
        with pytest.raises(ExchangeError) as caught:
            await pair.channel.send(FIRST)
        assert caught.value.sentence() == make().sentence()
        assert pair.built == ["one"]
        assert pair.chosen == []
        await pair.channel.send(FIRST)  # nothing was decided: the first is tried again
        assert pair.chosen == ["one"]

    run(main())


MODERN_ERROR = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"unsupported version"}}'
PLAIN_ERROR = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"theirs"}}'


@pytest.mark.promise("R4")
@pytest.mark.parametrize("second", MISMATCH)
def test_neither_is_told_with_what_the_first_said(second: int) -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.always("", error_of(404))
        pair.other.always("", error_of(second))
        with pytest.raises(Unusable) as caught:
            await pair.channel.send(FIRST)
        assert caught.value.cause == (
            "Neither transport answers at this address (HTTP 404): try /mcp or /sse as its path."
        )
        assert caught.value.hint == "In detail: HTTP 404."
        assert pair.one.events[-1] == pair.other.events[-1] == "close"

    run(main())


@pytest.mark.promise("R1", "R4")
@pytest.mark.parametrize("error", [NoStream("Silent."), NoEndpoint("No endpoint.")])
@pytest.mark.parametrize("message", [FIRST, SECOND])
def test_a_stream_that_does_not_begin_moves_on(error: ExchangeError, message: Message) -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.always("", fail(lambda: error))
        channel = pair.choose("one", "other")
        await channel.send(message)
        assert pair.built == ["one", "other"]
        assert pair.chosen == ["other"]
        assert pair.one.events[-1] == "close"
        first, other = pair.patience
        assert first == BEGINNING_LIMIT
        assert other is not None
        assert other <= CHOICE_PATIENCE

    run(main())


@pytest.mark.promise("R1", "R4")
def test_a_stream_that_was_slow_to_begin_is_tried_once_more_behind_the_other() -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.script("initialize", fail(lambda: NoStream("Silent.")))
        pair.other.always("", error_of(405))
        await pair.channel.send(FIRST)
        assert pair.built == ["one", "other", "one"]
        assert pair.chosen == ["one"]

    run(main())


@pytest.mark.promise("R1", "R4")
@pytest.mark.parametrize(
    ("make", "built"),
    [
        (lambda: NoStream("Silent."), ["one", "other", "one"]),
        (lambda: NoEndpoint("No endpoint."), ["one", "other"]),
    ],
)
def test_a_stream_that_does_not_begin_tells_why_where_the_other_is_not_there(
    make: Callable[[], ExchangeError], built: list[str]
) -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.always("", fail(make))
        pair.other.always("", error_of(405))
        with pytest.raises(ExchangeError) as caught:
            await pair.channel.send(FIRST)
        assert caught.value.cause == make().cause
        assert pair.built == built

    run(main())


@pytest.mark.promise("R1", "R4")
@pytest.mark.parametrize("given", [2.0, 100.0])
def test_a_limit_that_is_given_holds_for_the_last(given: float) -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.always("", fail(lambda: NoStream("Silent.")))
        with pytest.raises(NoStream):
            await pair.choose("one", patience=given).send(FIRST)
        (patience,) = pair.patience
        assert patience == pytest.approx(given, abs=1.0)

    run(main())


@pytest.mark.promise("R4")
@pytest.mark.parametrize("status", [401, 503])
def test_refusal_by_the_second_is_the_one_that_counts(status: int) -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.always("", error_of(405))
        pair.other.always("", error_of(status, Refused))
        with pytest.raises(Refused, match=f"HTTP {status}"):
            await pair.channel.send(FIRST)
        assert pair.chosen == []

    run(main())


@pytest.mark.promise("R2", "R4")
def test_answer_the_first_gave_in_its_refusal_is_passed() -> None:
    async def main() -> None:
        pair = Pair()
        pair.one.always("", fail(lambda: Unusable("HTTP 400.", status=400, body=PLAIN_ERROR)))
        pair.other.always("", error_of(405))
        with pytest.raises(Unusable) as caught:
            await pair.channel.send(FIRST)
        assert caught.value.body == PLAIN_ERROR

    run(main())


@pytest.mark.promise("R4")
def test_only_one_transport_is_told_in_its_own_words() -> None:
    async def main() -> None:
        pair = Pair()
        channel = pair.choose("one")
        pair.one.script("initialize", error_of(404))
        with pytest.raises(Unusable, match=r"^HTTP 404\.$"):
            await channel.send(FIRST)
        await channel.send(FIRST)
        assert pair.chosen == ["one"]

    run(main())


@pytest.mark.promise("R4", "R6")
def test_first_messages_that_come_together_are_one_probe() -> None:
    async def main() -> None:
        pair = Pair()
        refused = asyncio.Event()
        pair.one.always("", when(refused, error_of(404)))
        probing = asyncio.ensure_future(pair.channel.send(FIRST))
        await settle()
        others = [asyncio.ensure_future(pair.channel.send(SECOND)) for _ in range(5)]
        await settle()
        assert len(pair.one.sent) == 1
        refused.set()
        await asyncio.gather(probing, *others)
        assert len(pair.one.sent) == 1
        assert len(pair.other.sent) == 6
        assert pair.chosen == ["other"]

    run(main())


@pytest.mark.promise("R6")
def test_waiting_messages_go_on_as_soon_as_the_server_accepts() -> None:
    async def main() -> None:
        pair = Pair()

        async def long_answer(server: FakeServerChannel, message: object) -> None:
            pair.one.accepts()
            pair.one.accepts()
            await asyncio.get_running_loop().create_future()

        pair.one.script("initialize", long_answer)
        probing = asyncio.ensure_future(pair.channel.send(FIRST))
        await settle()
        await pair.channel.send(SECOND)
        assert not probing.done()
        assert pair.chosen == ["one"]
        pair.channel.set_protocol_version("2025-11-25")
        pair.channel.start_listening()
        await pair.channel.renew()
        await pair.channel.aclose()
        assert pair.one.events[2:] == ["2025-11-25", "listen", "renew", "close"]
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)

    run(main())


@pytest.mark.promise("R4", "R5")
def test_error_after_acceptance_is_not_a_verdict_either() -> None:
    async def main() -> None:
        pair = Pair()

        async def accept_and_fail(server: FakeServerChannel, message: object) -> None:
            pair.one.accepts()
            raise SessionLost("Gone.", status=404)

        pair.one.script("initialize", accept_and_fail)
        with pytest.raises(SessionLost):
            await pair.channel.send(FIRST)
        await pair.channel.send(SECOND)
        assert pair.built == ["one"]

    run(main())


@pytest.mark.promise("R1")
@pytest.mark.parametrize("ends", ["cancelled", "failed", "broken"])
def test_probe_that_comes_to_nothing_leaves_the_next_message_to_probe(ends: str) -> None:
    async def main() -> None:
        pair = Pair()
        go = asyncio.Event()
        outcome = {
            "cancelled": forever,
            "failed": error_of(503, Refused),
            "broken": fail(lambda: RuntimeError("odd")),
        }[ends]
        pair.one.script("initialize", when(go, outcome))
        pair.one.always("", good)
        probing = asyncio.ensure_future(pair.channel.send(FIRST))
        await settle()
        waiting = [asyncio.ensure_future(pair.channel.send(SECOND)) for _ in range(3)]
        await settle()
        go.set()
        if ends == "cancelled":
            probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        await asyncio.gather(*waiting)
        assert pair.chosen == ["one"]
        assert pair.one.events.count("close") == 1  # the channel of the failed probe

    run(main())
