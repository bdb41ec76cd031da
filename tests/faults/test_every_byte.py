"""Requests and answers that are cut off at every byte, from a handshake to a renewal.

What comes before a session is a scenario of its own for each byte, in a new process and for a
person who was never here: so it is played at several places side by side. The gate plays some
bytes, all by `THOROUGH=1 scripts/test tests/faults`. Must not know how the command is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pytest

from tests.faults.conftest import Play
from tests.faults.judge import MAY_OUTLIVE, Bounds, Judge, call, count, judge_sent
from tests.faults.network_rows import CALL, INITIALIZE, READ, REGISTER, TOKEN
from tests.faults.stages import Scene, begin, listed, share_out
from tests.harness.host import Host
from tests.harness.stage import PATIENCE, assert_says
from tests.peers.fault_proxy import Ending, Fault
from tests.thorough import THOROUGH, often

pytestmark = [pytest.mark.timeout(3600), pytest.mark.promise("R1", "R2", "L1", "L5", "S2")]

RESOURCE = b"GET /.well-known/oauth-protected-resource"
ISSUER = b"GET /.well-known/oauth-authorization-server"
ENDINGS: tuple[Ending, ...] = ("reset", "end")
Part = Literal["request", "answer"]
PARTS: tuple[Part, ...] = ("request", "answer")
SIDE_BY_SIDE = often(2, 6)
"""Scenes at once: half of a case is to wait."""
DIGITS = 4
"""Bytes by which a message is longer or shorter than the one before, for its ids and its ports."""


class Cut(NamedTuple):
    """So many bytes of the request or of its answer get through."""

    part: Part
    offset: int
    then: Ending
    size: int
    """How long the whole is, more or less."""

    @property
    def fault(self) -> Fault:
        """What the network does."""
        if self.part == "request":
            return Fault(request=self.offset, then=self.then)
        return Fault(response=self.offset, then=self.then)

    @property
    def loses(self) -> bool | None:
        """Whether the answer is lost by it, None where a digit decides."""
        if self.offset <= self.size - DIGITS:
            return True
        return False if self.offset >= self.size + DIGITS else None


# Within a session


class Session(NamedTuple):
    """A host that lives through all."""

    scene: Scene
    judge: Judge
    host: Host


def begin_session(scene: Scene) -> Session:
    """It knows which tools are harmless."""
    judge = scene.judge(Bounds(requests=5000, a_second=500))
    host = judge.host()
    host.initialize()
    listed(host)
    return Session(scene, judge, host)


@pytest.mark.parametrize("then", ENDINGS)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("sse", [False, True], ids=["json", "stream"])
def test_a_call_and_a_read(play: Play, sse: bool, part: Part, then: Ending) -> None:
    """A call is lost or answered, and what is harmless is answered."""
    sessions = [begin_session(play(is_open=True, sse=sse)) for _ in range(SIDE_BY_SIDE)]
    scene, _, host = sessions[0]
    scene.network.watch(CALL)
    host.answer(call(host, "size"))
    size = size_of(scene, CALL, part)
    assert size > 200
    offsets = sorted({*range(0, size, often(40, 1)), size - 1, size + DIGITS})
    share_out([Cut(part, offset, then, size) for offset in offsets], sessions, call_and_read)
    for session in sessions:
        session.judge.end()


def call_and_read(session: Session, cut: Cut) -> None:
    """Both meet the cut, one after the other."""
    network, host = session.scene.network, session.host
    network.watch(CALL, READ)
    network.script(CALL, cut.fault)
    answer = host.answer(call(host, f"{cut.offset:04}"), seconds=10)
    if "error" in answer:
        assert_says(answer["error"]["message"], "may have been executed")
    assert "result" in answer or cut.loses is not False
    # The last chunk of a stream says nothing any more.
    assert "error" in answer or cut.loses is not True or cut.offset > cut.size - 40
    network.script(READ, cut.fault)
    assert "result" in host.answer(call(host, f"{cut.offset:04}", "lookup"), seconds=10)
    judge_sent(network, CALL, 1)
    judge_sent(network, READ, 2)
    network.forget()
    count("faults", 2)


def size_of(scene: Scene, mark: bytes, part: Part) -> int:
    """How long the last one was that was watched."""
    network = scene.network
    return (network.request_sizes if part == "request" else network.answer_sizes)[mark]


# Before there is a session


def shake_hands(scene: Scene, meet: Callable[[], Cut | None]) -> None:
    """`initialize` is harmless: it is sent once more."""
    judge = scene.judge(Bounds(requests=20))
    host = judge.host(fresh=False)
    meet()
    host.initialize(seconds=30)
    assert "result" in host.answer(call(host, "first"))
    judge_sent(scene.network, INITIALIZE, 2)
    judge.end()


def sign_in(scene: Scene, meet: Callable[[], Cut | None]) -> None:
    """What comes before the person is asked again for, and they do not notice."""
    judge = scene.judge(Bounds(tabs=1, orphans=MAY_OUTLIVE))
    host = judge.host(fresh=False)
    meet()
    host.initialize(seconds=PATIENCE)
    assert "result" in host.answer(call(host, "first"))
    judge.end()


def redeem(scene: Scene, meet: Callable[[], Cut | None]) -> None:
    """A code is sent once; where its tokens are lost, the person signs in by a command."""
    judge = scene.judge(Bounds(tabs=2, orphans=MAY_OUTLIVE))
    host = judge.host(fresh=False)
    tabs = len(scene.stage.browser.opened)
    cut = meet()
    answer = host.answer(begin(host), seconds=PATIENCE)
    assert len(scene.stage.browser.opened) == tabs + 1
    judge_sent(scene.network, TOKEN, 1)
    if "error" in answer:
        assert cut is not None
        assert cut.loses is not False
        assert_says(answer["error"]["message"], "did not arrive", "sign in again: mcp-remote-py")
        scene.stage.login(fresh=False)
        host.initialize()
    else:
        assert cut is None or not cut.loses
    assert "result" in host.answer(call(host, "afterwards"))
    judge.end()


def renew(scene: Scene, meet: Callable[[], Cut | None]) -> None:
    """A renewal is asked for once more, after a moment, where its answer is lost.

    A strict server ends the sign-in then: the person is asked, once.
    """
    is_strict = scene.server.policy.rotation == "strict"
    judge = scene.judge(Bounds(tabs=1 + is_strict, orphans=MAY_OUTLIVE))
    host = judge.host(fresh=False)
    host.initialize()
    host.answer(call(host, "before"))
    scene.server.revoke_access_tokens()
    cut = meet()
    assert "result" in host.answer(call(host, "meanwhile"), seconds=PATIENCE)
    is_whole = cut is None or cut.loses is False
    judge_sent(scene.network, TOKEN, 1 if is_whole else 2 + is_strict)
    assert "result" in host.answer(call(host, "afterwards"))
    judge.end()


@dataclass(frozen=True)
class Whole:
    """A message that is cut, and the scenario it belongs to.

    Attributes:
        mark: of the request.
        play: the scenario; it calls what it is given when the next such request is the one.
        policy: of the scene.
        both: whether each byte is the last one twice, once for each ending; else in turn.
        every: each so manieth byte is the last one.
    """

    mark: bytes
    play: Callable[[Scene, Callable[[], Cut | None]], None]
    policy: dict[str, Any] = field(default_factory=dict[str, Any])
    both: bool = False
    every: int = 1


WHOLES = {
    "handshake": Whole(INITIALIZE, shake_hands, {"is_open": True}, both=True),
    "handshake by a stream": Whole(
        INITIALIZE, shake_hands, {"is_open": True, "sse": True}, both=True
    ),
    "metadata of the resource": Whole(RESOURCE, sign_in),
    "metadata of the issuer": Whole(ISSUER, sign_in),
    "registration": Whole(REGISTER, sign_in),
    "exchange of a code": Whole(TOKEN, redeem),
    "renewal": Whole(TOKEN, renew, {"rotation": "kept"}),
    "renewal at a strict server": Whole(TOKEN, renew, {"rotation": "strict"}, every=16),
}


def cuts_of(whole: Whole, part: Part, size: int) -> Iterator[Cut]:
    """All there are, or in the gate two."""
    offsets = (size // 3, size - DIGITS)
    if THOROUGH:
        offsets = (*range(0, size - DIGITS, whole.every), *range(size - DIGITS, size + DIGITS + 1))
    for number, offset in enumerate(offsets):
        for then in ENDINGS if whole.both and THOROUGH else (ENDINGS[number % 2],):
            yield Cut(part, offset, then, size)


def play_cut(scene: Scene, whole: Whole, cut: Cut | None) -> None:
    """The scenario in which the next request of this kind meets the cut, if any."""

    def meet() -> Cut | None:
        scene.network.watch(whole.mark)
        if cut is not None:
            scene.network.script(whole.mark, cut.fault)
        return cut

    whole.play(scene.anew(), meet)
    scene.network.forget()
    count("faults", cut is not None)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", WHOLES)
def test_what_comes_before_a_session(play: Play, name: str, part: Part) -> None:
    whole = WHOLES[name]
    scenes = [play(**whole.policy) for _ in range(SIDE_BY_SIDE)]
    for scene in scenes:
        scene.server.sessions = True
    play_cut(scenes[0], whole, None)
    cuts = cuts_of(whole, part, size_of(scenes[0], whole.mark, part))
    share_out(cuts, scenes, lambda scene, cut: play_cut(scene, whole, cut))
