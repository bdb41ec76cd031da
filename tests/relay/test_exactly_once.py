"""Whatever the server does to a batch of requests, every id is answered exactly once.

Hypothesis draws what happens to each request on its first arrival: cuts, delays, duplicates,
refusals, nonsense. One command lives through all examples, so what one leaves behind would harm
the next.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.host import Host, environment_for
from tests.harness.warm import COMMAND
from tests.peers import wild_server as wild_behaviour
from tests.peers.wild_server import Behaviour, Exchange, WildServer, encode


def good_stream(exchange: Exchange) -> None:
    """A notification, the answer, and something more."""
    exchange.stream()
    exchange.event(b'{"jsonrpc":"2.0","method":"notifications/progress","params":{}}')
    exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}}))
    exchange.event(b'{"jsonrpc":"2.0","method":"notifications/late","params":{}}')
    exchange.finish()


def slow(exchange: Exchange) -> None:
    """The right answer, late."""
    exchange.delay(0.05)
    exchange.good()


def answered_then_cut(exchange: Exchange) -> None:
    """The whole answer, then a torn stream."""
    exchange.stream()
    exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}}))
    exchange.cut()


def lose_session(exchange: Exchange) -> None:
    """All sessions are gone, also those of the other requests."""
    exchange.server.known_sessions.clear()
    wild_behaviour.lose_session_404(exchange)


def error_and_result(exchange: Exchange) -> None:
    """Cannot decide."""
    error = {"code": -32000, "message": "no"}
    exchange.stream()
    exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "error": error}))
    exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}}))
    exchange.finish()


BEHAVIOURS: dict[str, Behaviour] = {
    "good": Exchange.good,
    "good stream": good_stream,
    "slow": slow,
    "cut before head": wild_behaviour.cut_before_head,
    "cut in head": wild_behaviour.cut_in_head,
    "cut in body": wild_behaviour.cut_in_body,
    "cut in event": wild_behaviour.cut_in_event,
    "cut after answer": answered_then_cut,
    "stream without answer": wild_behaviour.end_stream_without_answer,
    "duplicate": wild_behaviour.duplicate_answer,
    "foreign": wild_behaviour.foreign_answer,
    "error and result": error_and_result,
    "HTML": wild_behaviour.answer_html(),
    "empty": wild_behaviour.answer_status(200),
    "202": wild_behaviour.answer_status(202),
    "500": wild_behaviour.answer_status(500, b"boom"),
    "502": wild_behaviour.answer_html(502),
    "503": wild_behaviour.answer_status(503, headers={"Retry-After": "0"}),
    "no JSON": wild_behaviour.answer_status(200, b"{", content_type="application/json"),
    "lost session": lose_session,
}


def duplicate_on_stream(exchange: Exchange) -> None:
    """The same answer twice on the open stream of the session."""
    line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}})
    exchange.reply(202)
    exchange.server.push(line, path=exchange.path)
    exchange.server.push(line, path=exchange.path)


def foreign_on_stream(exchange: Exchange) -> None:
    """First a result nobody asked for."""
    line = encode({"jsonrpc": "2.0", "id": "nobody", "result": {}})
    exchange.server.push(line, path=exchange.path)
    exchange.good()


def accept_and_cut_stream(exchange: Exchange) -> None:
    """Accepted, then the stream the answer should have come on is torn."""
    exchange.reply(202)
    exchange.server.cut_streams()


LEGACY_BEHAVIOURS: dict[str, Behaviour] = {
    "good": Exchange.good,
    "slow": slow,
    "cut before head": wild_behaviour.cut_before_head,
    "cut in head": wild_behaviour.cut_in_head,
    "duplicate": duplicate_on_stream,
    "foreign": foreign_on_stream,
    "cut stream": accept_and_cut_stream,
    "500": wild_behaviour.answer_status(500, b"boom"),
    "502": wild_behaviour.answer_html(502),
    "503": wild_behaviour.answer_status(503, headers={"Retry-After": "0"}),
}
"""There the answer comes on another stream than that of the POST, whose body says nothing."""

EXECUTED = {
    "good",
    "good stream",
    "slow",
    "cut before head",
    "cut in head",
    "cut in body",
    "cut in event",
    "cut after answer",
    "stream without answer",
    "duplicate",
    "foreign",
    "error and result",
    "HTML",
    "empty",
    "202",
    "no JSON",
    "cut stream",
}
"""Behaviours after which a tool may have run: such a call must not come again."""

METHODS = ("tools/call", "tools/list", "unheard/of")


class Scripted:
    """What happens to the first arrival of each request; later ones meet a good server.

    Attributes:
        executed: how often each request may have been executed.
    """

    def __init__(self, behaviours: dict[str, Behaviour]) -> None:
        self.behaviours = behaviours
        self.names: dict[object, str] = {}
        self.executed: Counter[object] = Counter()
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            name = self.names.pop(exchange.id, "good")
            if name in EXECUTED:
                self.executed[exchange.id] += 1
        self.behaviours[name](exchange)

    def refuse(self, exchange: Exchange) -> None:
        """A good server that does not know the session has executed nothing."""
        with self._lock:
            self.executed[exchange.id] -= 1
        wild_behaviour.lose_session_404(exchange)


@pytest.mark.promise("R1", "R5", "R6")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("legacy", [False, True], ids=["streamable", "legacy"])
def test_every_id_is_answered_exactly_once(tmp_path: Path, legacy: bool) -> None:
    with (
        WildServer(sessions=not legacy, legacy=legacy) as server,
        Host([str(COMMAND), server.url], environment_for(tmp_path)) as host,
    ):
        scripted = Scripted(LEGACY_BEHAVIOURS if legacy else BEHAVIOURS)
        server.on_lost_session = scripted.refuse
        for method in METHODS:
            server.always(method, scripted)
        host.initialize()
        property_of(server, host, scripted)()


def property_of(server: WildServer, host: Host, scripted: Scripted) -> Callable[[], None]:
    """The property, over one command and one server that live through all examples."""
    one = st.tuples(st.sampled_from(METHODS), st.sampled_from(sorted(scripted.behaviours)))

    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
    )
    @given(batch=st.lists(one, min_size=1, max_size=8))
    def check(batch: list[tuple[str, str]]) -> None:
        ids: list[object] = []
        before = len(server.requests)
        for number, (method, name) in enumerate(batch):
            request_id = f"{before}-{number}"
            scripted.names[request_id] = name
            ids.append(host.begin(method, {"name": "echo"}, request_id=request_id))
        for request_id in ids:
            host.answer(request_id, seconds=20)
        # Whatever came too much would have come before this answer.
        assert "result" in host.request("tools/call", {"name": "echo"}, seconds=20)
        host.check()
        for request_id, (method, name) in zip(ids, batch, strict=True):
            assert len(host.answers(request_id)) == 1
            if method == "tools/call":
                assert scripted.executed[request_id] <= 1, name
        scripted.names.clear()

    return check
