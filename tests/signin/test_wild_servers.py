"""Servers that stray from the RFCs, as seen from a host: one tab, and the requests that it takes.

The readings themselves are tested in `tests/oauth`. Must not know how the command is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.stage import CALL, Stage, call, let_token_expire, refusal
from tests.peers.authorization_server import as_json
from tests.peers.launch import free_port
from tests.peers.wild_server import answer_status, redirect

pytestmark = pytest.mark.timeout(120)


def as_slack(members: dict[str, Any]) -> tuple[str, bytes]:
    return as_json({"ok": True, "authed_user": members | {"token_type": "user"}})


@pytest.mark.report("O1", "O4", "O18")
def test_a_firewall_a_slash_and_a_token_in_another_place(play: Callable[..., Stage]) -> None:
    stage = play(token_answer=as_slack)
    blocked = answer_status(403, b'{"message": "Request blocked"}', content_type="application/json")
    stage.server.script("register", blocked, redirect(308, "/as/register"))
    stage.server.script("token", redirect(307, "/as/token"))
    host = stage.sign_in("--debug")
    assert call(host)["params"] == CALL
    first, led, second = stage.server.registrations
    assert len(first["redirect_uris"]) == 2
    assert led == second == first | {"redirect_uris": first["redirect_uris"][:1]}
    assert stage.counts["tabs"] == 1
    assert stage.counts["codes"] == 2  # led on, and taken
    host.wait_logged("asking once more, with the first redirect URI alone.")


@pytest.mark.report("O1")
def test_a_spelling_that_was_asked_for_is_the_only_one_registered(
    play: Callable[..., Stage],
) -> None:
    stage = play()
    stage.sign_in("--host", "127.0.0.1")
    ((uri,),) = [one["redirect_uris"] for one in stage.server.registrations]
    assert uri.startswith("http://127.0.0.1:")


@pytest.mark.report("O9")
def test_the_way_a_client_is_known_is_kept_for_renewals(play: Callable[..., Stage]) -> None:
    stage = play(lifetime=1, registration=False, auth_methods=("client_secret_basic",))
    port = free_port()
    uri = f"http://localhost:{port}/oauth/callback"
    client = stage.server.add_client(uri, auth_method="client_secret_post")
    info = {"client_id": client.client_id, "client_secret": client.secret}
    options = (
        str(port),
        "--static-oauth-client-info",
        json.dumps(info | {"issuer": stage.server.issuer}),
    )
    host = stage.sign_in(*options)
    host.wait_logged("does not know the client by Basic: it is sent in the body from now on.")
    assert len(stage.server.token_requests("authorization_code")) == 2
    let_token_expire(stage)
    assert call(host)["params"] == CALL
    (renewal,) = stage.server.token_requests("refresh_token")
    assert renewal["client_secret"] == client.secret
    assert stage.counts["tabs"] == 1


@pytest.mark.report("O27")
def test_who_is_asked_to_wait_asks_nobody_until_then(play: Callable[..., Stage]) -> None:
    stage = play()
    stage.server.always("register", answer_status(429, headers={"Retry-After": "120"}))
    for _ in range(2):
        refusal(stage.host(), "It asks to wait for 2 minutes, until ")
    assert stage.counts["registrations"] == 1
    assert stage.counts["tabs"] == 0


@pytest.mark.report("O27")
def test_who_is_asked_to_wait_for_ever_asks_once(play: Callable[..., Stage]) -> None:
    stage = play()
    stage.server.always("register", answer_status(429, headers={"Retry-After": "9" * 400}))
    refusal(stage.host(), "it asks to wait for 24 hours")
    for _ in range(2):
        refusal(stage.host(), "No other sign-in starts by itself for 24 hours")
    assert stage.counts["registrations"] == 1
    assert stage.counts["tabs"] == 0


@pytest.mark.report("O27")
def test_a_moment_is_waited_for_within_a_renewal(play: Callable[..., Stage]) -> None:
    stage = play(lifetime=1)
    host = stage.sign_in()
    stage.server.script("token", answer_status(429, headers={"Retry-After": "0"}))
    let_token_expire(stage)
    assert call(host)["params"] == CALL
    assert stage.counts["refreshes"] == 2


@pytest.mark.report("O10", "O27")
def test_a_limit_that_is_told_by_another_status_costs_no_sign_in(
    play: Callable[..., Stage],
) -> None:
    stage = play(lifetime=1)
    host = stage.sign_in()
    said = b'{"error": "Access Denied", "error_description": "You have made too many requests"}'
    limited = answer_status(400, said, content_type="application/json")
    stage.server.script("token", *[limited] * 3)
    let_token_expire(stage)
    assert call(host)["params"] == CALL
    assert stage.counts["refreshes"] == 4
    assert stage.counts["tabs"] == 1


@pytest.mark.report("O3")
def test_a_document_that_does_not_name_its_resource_is_for_the_server(
    play: Callable[..., Stage],
) -> None:
    stage = play(resource_metadata_changes={"resource": None})
    host = stage.sign_in()
    assert call(host)["params"] == CALL
    (asked,) = stage.server.authorizations
    (redeemed,) = stage.server.token_requests()
    assert asked["resource"] == redeemed["resource"] == stage.server.url
    assert stage.counts["tabs"] == 1


@pytest.mark.promise("A3")
def test_a_plain_text_that_refuses_a_parameter_is_understood(
    play: Callable[..., Stage],
) -> None:
    stage = play(lifetime=1)
    host = stage.sign_in()
    stage.server.script("token", answer_status(400, b"Unknown parameter: resource"))
    let_token_expire(stage)
    assert call(host)["params"] == CALL
    first, second, *_ = stage.server.token_requests("refresh_token")
    assert ("resource" in first, "resource" in second) == (True, False)
    assert stage.counts["tabs"] == 1
