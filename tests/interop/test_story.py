"""The story of the systems that are in the gate, and what is known of all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.interop import catalogue, table
from tests.interop.commands import OURS
from tests.interop.story import ABSENT, FAILED, STEPS, UNREACHED, play, scrub
from tests.interop.systems import Absent, Ask, Call, Restart, Scene, SignIn, System
from tests.peers.launch import Peer, sdk_server
from tests.real.installation import install_node_packages

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)

GATE = [pytest.param(one, id=one.key) for one in catalogue.SYSTEMS if one.gate]


@pytest.mark.promise("A1", "A2", "A5", "A7", "R3", "R4", "R5")
@pytest.mark.parametrize("system", GATE)
def test_story_of(system: System, tmp_path: Path) -> None:
    install_node_packages()
    folder = tmp_path / "system"
    folder.mkdir()
    with system.start(folder) as scene:
        outcomes = play(scene, OURS, tmp_path / "ours")
    assert [one for one in outcomes if one.result == FAILED] == []
    assert [one.step for one in outcomes] == [name for name, _ in STEPS]


def test_every_system_was_played_and_no_step_of_ours_failed() -> None:
    """`scripts/test --interop` writes what this reads."""
    rows = table.read_rows()
    played = {key for key, name in rows if name == OURS.name}
    wanted = {one.key for one in catalogue.SYSTEMS if OURS.name in (one.commands or [OURS.name])}
    assert wanted - played == set(), "play them: scripts/test --interop --systems KEYS"
    assert table.failures(rows, OURS.name) == []


def test_a_system_has_one_key() -> None:
    keys = [one.key for one in catalogue.SYSTEMS]
    assert len(set(keys)) == len(keys)


@pytest.fixture(scope="module")
def open_server() -> Iterator[Peer]:
    with sdk_server("streamable", "--era", "legacy") as peer:
        yield peer


def scene_of(peer: Peer, **wrong: Any) -> Scene:
    """What is true of that server, but for what is given."""
    true: dict[str, Any] = {
        "url": peer.url,
        "name": "sdk-peer",
        "call": Call("echo", {"text": "forty-two"}, "forty-two"),
        "ask": Ask(Call("elicit", {}, "accept"), "elicitation/create", {"action": "accept"}),
        "sign_in": Absent("open"),
        "restart": Absent("not here"),
    }
    return Scene(**true | wrong)


SIGN_IN = SignIn(token_requests=lambda: 0, expire=lambda: None)

FALSE = [
    ({"name": "another"}, {"connect": "the server is called 'sdk-peer'"}),
    ({"call": Call("echo", {"text": "1"}, "2")}, {"call": "said '1'", "restart": "said '1'"}),
    ({"call": Call("nothing", {}, "")}, {"list": "the tools are ['echo'", "call": "no tool"}),
    (
        {"ask": Ask(Call("elicit", {}, "decline"), "elicitation/create", {"action": "accept"})},
        {"server asks": "the tool said 'accept"},
    ),
    (
        {"ask": Ask(Call("echo", {"text": "1"}, "1"), "notifications/message")},
        {"server asks": "no notifications/message came"},
    ),
    (
        {"sign_in": SIGN_IN},
        {
            "sign in": "0 tabs, not 1",
            "token ends": "the token endpoint was not asked",
            "logout": "nothing was stored",
        },
    ),
    (
        {"sign_in": replace(SIGN_IN, renews=False)},
        {"token ends": "0 tabs more, not 1"},
    ),
    (
        {"restart": Restart(lambda: None, tabs=1)},
        {"server restarts": "0 tabs more, not 1"},
    ),
    (
        {"restart": Restart(lambda: None, refuses="no session")},
        {"server restarts": "it was answered by"},
    ),
]


@pytest.mark.parametrize(("wrong", "steps"), FALSE)
def test_what_is_not_so_is_seen(
    wrong: dict[str, Any], steps: dict[str, str], open_server: Peer, tmp_path: Path
) -> None:
    played = play(scene_of(open_server, **wrong), OURS, tmp_path / "ours")
    outcomes = {one.step: one for one in played}
    for step, words in steps.items():
        assert outcomes[step].result == FAILED, outcomes[step]
        assert words in outcomes[step].words


def test_what_failed_is_told_without_what_differs_from_run_to_run() -> None:
    words = "no answer\n[123] Error at http://localhost:3000/x in /tmp/a/b.js"
    assert scrub(words) == "no answer Error at http://localhost:PORT/x in ..."


def test_nothing_is_played_without_a_connection(open_server: Peer, tmp_path: Path) -> None:
    outcomes = play(scene_of(open_server, name="another"), OURS, tmp_path / "ours")
    assert {(one.result, one.words) for one in outcomes[1:]} == {(FAILED, UNREACHED)}


def test_a_step_that_is_not_offered_says_why(open_server: Peer, tmp_path: Path) -> None:
    outcomes = play(scene_of(open_server), OURS, tmp_path / "ours")
    absent = {one.step: one.words for one in outcomes if one.result == ABSENT}
    assert absent == {
        "sign in": "open",
        "token ends": "open",
        "server restarts": "not here",
        "logout": "open",
    }
