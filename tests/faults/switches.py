"""Faults of both servers that can be switched on and off while a session goes on.

A row is a name, what is switched on, and what is switched off again; `test_switches` plays two at
a time. Must not play.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.stages import Scene
from tests.peers.fault_proxy import Fault
from tests.peers.wild_server import (
    Behaviour,
    answer_html,
    answer_status,
    be_silent,
    cut_before_head,
    cut_in_event,
    end_stream_without_answer,
)

Turn = Callable[[Scene], None]


@dataclass(frozen=True)
class Switch:
    """One fault.

    Attributes:
        on, off: these; some are over as soon as they have happened.
        notes: numbers of the field notes.
        place: where it stands, "" for nowhere: two of one place cannot be on together.
    """

    on: Turn
    off: Turn
    notes: tuple[int, ...]
    place: str = ""


def nothing(scene: Scene) -> None:
    """It is over by itself."""


def answering(endpoint: str, behaviour: Behaviour, *notes: int, refuses: bool = False) -> Switch:
    """This endpoint, or this method, is answered otherwise."""

    def on(scene: Scene) -> None:
        scene.server.always(endpoint, scene.server.refusing(behaviour) if refuses else behaviour)

    def off(scene: Scene) -> None:
        scene.server.always(endpoint, scene.server.behave)

    return Switch(on, off, notes, endpoint)


def passing(how: Fault, *notes: int) -> Switch:
    """Everything that is sent meets this."""

    def on(scene: Scene) -> None:
        scene.network.always(b"", how)

    def off(scene: Scene) -> None:
        scene.network.always(b"", None)

    return Switch(on, off, notes, "network")


def restart(scene: Scene) -> None:
    """The server knows none of the sessions any more."""
    scene.server.kill()
    scene.server.restart()


SWITCHES: dict[str, Switch] = {
    "tokens are revoked": Switch(lambda scene: scene.server.revoke_access_tokens(), nothing, (2,)),
    "sessions are forgotten": Switch(
        lambda scene: scene.server.known_sessions.clear(), nothing, (18,)
    ),
    "the server is started anew": Switch(restart, nothing, (18,)),
    "streams are torn": Switch(lambda scene: scene.server.cut_streams(), nothing, (21,)),
    "streams are ended": Switch(
        lambda scene: scene.server.cut_streams(clean=True), nothing, (21, 22)
    ),
    "connections are reset": Switch(lambda scene: scene.network.cut(), nothing, (19,)),
    "connections vanish": Switch(lambda scene: scene.network.cut("vanish"), nothing, (21,)),
    "nobody listens": Switch(
        lambda scene: scene.network.close(), lambda scene: scene.network.open(), (29,)
    ),
    "nothing gets through": passing(Fault(request=0, then="silence"), 29),
    "all is hung up on": passing(Fault(request=0, then="end"), 19),
    "answers are cut after 60 bytes": passing(Fault(response=60), 19),
    "the token endpoint shows a page": answering("token", answer_html(502), 49),
    "the token endpoint fails": answering("token", answer_status(500), 49),
    "the token endpoint says garbage": answering("token", answer_status(200, b"{no"), 49),
    "the token endpoint asks to wait": answering(
        "token", answer_status(429, headers={"Retry-After": "1"}), 49
    ),
    "the token endpoint refuses a word": answering(
        "token", answer_status(400, b'{"error":"invalid_request"}'), 49
    ),
    "the token endpoint is silent": answering("token", be_silent, 49),
    "metadata fail": answering("metadata", answer_status(500), 49),
    "metadata are a page": answering("metadata", answer_html(), 47, 49),
    "calls are cut": answering("tools/call", cut_before_head, 19),
    "calls are cut in an event": answering("tools/call", cut_in_event, 19),
    "calls are not answered in their stream": answering(
        "tools/call", end_stream_without_answer, 19
    ),
    "calls are silent": answering("tools/call", be_silent, 30),
    "calls are answered by a page": answering("tools/call", answer_html(), 47),
    "calls fail": answering("tools/call", answer_status(500, b"boom"), 17, 19),
    "calls are asked to wait": answering(
        "tools/call", answer_status(503, headers={"Retry-After": "0"}), 22, refuses=True
    ),
    "lists fail": answering("tools/list", answer_status(502), 25),
    "handshakes fail": answering("initialize", answer_status(503), 18),
}


DEAD_GRANT = {"tokens are revoked", "the token endpoint refuses a word"}
"""After these it is the person's turn: what is refused three times counts as dead (L9)."""


def pairs() -> list[tuple[str, str]]:
    """All that can be on together."""
    return [
        (one, other)
        for one, other in itertools.combinations(SWITCHES, 2)
        if not SWITCHES[one].place or SWITCHES[one].place != SWITCHES[other].place
    ]
