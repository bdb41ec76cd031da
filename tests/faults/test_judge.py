"""The judge notices what must not be: its own laws, by what breaks them."""

from __future__ import annotations

import os
import socket

import pytest

from tests.faults.judge import judge_grants, judge_listeners
from tests.harness.listeners import listeners_of
from tests.peers.authorization_server import Form


def code(value: str) -> Form:
    return {"client_id": "one", "code": value}


def renewal(value: str, client: str = "one") -> Form:
    return {"client_id": client, "refresh_token": value}


def test_codes_and_refresh_tokens_of_several_sign_ins() -> None:
    judge_grants([code("a"), renewal("b"), renewal("b"), renewal("c"), renewal("x", "two")])
    judge_grants([code("a"), code("b"), renewal("x", "two"), renewal("c"), renewal("x", "two")])


@pytest.mark.parametrize(
    "forms",
    [
        [code("a"), renewal("b"), code("a")],
        [renewal("a"), renewal("b"), renewal("a")],
        [renewal("a"), renewal("x", "two"), renewal("b"), renewal("y", "two"), renewal("a")],
    ],
    ids=["code", "token", "token of one of two"],
)
def test_what_is_sent_again_is_noticed(forms: list[Form]) -> None:
    with pytest.raises(AssertionError, match=r"sent (?:twice|after its successor)"):
        judge_grants(forms)


def test_a_listener_that_stays_or_is_reached_from_elsewhere_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        seen = {one for one in listeners_of([os.getpid()]) if one.port == server.getsockname()[1]}
        assert len(seen) == 1
        with pytest.raises(AssertionError, match="the end of"):
            judge_listeners(seen, 0.05)
        child = os.dup(server.fileno())  # as who inherits it
    with pytest.raises(AssertionError, match="the end of"):
        judge_listeners(seen, 0.05)
    os.close(child)
    judge_listeners(seen, 2)
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        abroad = {one for one in listeners_of([os.getpid()]) if one.port == port}
    with pytest.raises(AssertionError, match="from elsewhere"):
        judge_listeners(abroad, 2)
