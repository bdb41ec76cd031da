"""The sentences on transport, era, challenge and clocks."""

from __future__ import annotations

import pytest

from mcp_remote_py.diagnosis.answers import (
    Answered,
    describe_challenge,
    describe_clock,
    describe_no_challenge,
    describe_no_transport,
    describe_transport,
    describe_wanted_credential,
    list_answer,
)
from mcp_remote_py.diagnosis.steps import StepState
from mcp_remote_py.errors import Unusable
from mcp_remote_py.oauth.challenge import parse_challenge

URL = "https://mcp.example/mcp"
ANSWERED = Answered("POST", URL, 401, "application/json", seconds=0.012)


def test_an_answer_is_evidence_in_lines() -> None:
    answered = Answered(
        "POST",
        URL,
        429,
        "text/html",
        "Bearer",
        b"<h1>Slow\x1b[2J down</h1>",
        "nginx",
        "30",
        "https://mcp.example/other",
        2.25,
    )
    assert list(list_answer(answered, "(initialize)")) == [
        f"sent: POST {URL} (initialize)",
        "redirected to: https://mcp.example/other",
        "came: HTTP 429, text/html, after 2.2 s",
        "WWW-Authenticate: Bearer",
        "Retry-After: 30",
        "Server: nginx",
        'first words: "Slow [2J down"',
    ]
    plain = Answered("POST", URL, 204, seconds=0.012)
    assert list(list_answer(plain)) == [
        f"sent: POST {URL}",
        "came: HTTP 204, no content type, after 12 ms",
    ]


@pytest.mark.parametrize(
    ("transport", "revision", "is_modern", "said"),
    [
        (
            "Streamable HTTP",
            "2025-11-25",
            False,
            "an older revision of MCP (2025-11-25) over Streamable HTTP",
        ),
        (
            "Streamable HTTP",
            "2026-07-28",
            True,
            "a new revision of MCP (2026-07-28) over Streamable HTTP",
        ),
        ("HTTP+SSE", "", False, "an older revision of MCP over HTTP+SSE"),
    ],
)
def test_a_transport_is_named(transport: str, revision: str, is_modern: bool, said: str) -> None:
    step = describe_transport(
        transport, revision, is_modern=is_modern, evidence=["one"], seconds=0.5
    )
    assert step.said == f"The server speaks {said}."
    assert (step.name, step.state, step.evidence) == ("transport", StepState.PASSED, ("one",))


def test_a_server_that_wants_a_credential_first_answers() -> None:
    wanted = describe_wanted_credential(ANSWERED, (), is_given=False)
    assert wanted.said == ("The server answers, and wants a credential first (HTTP 401).")
    given = describe_wanted_credential(ANSWERED, (), is_given=True)
    assert "and refuses the credential that you give (HTTP 401)." in given.said
    assert (wanted.state, given.state) == (StepState.PASSED, StepState.NOTED)


def test_the_right_address_takes_the_place_of_the_hint() -> None:
    error = Unusable("Not here.", hint="Look elsewhere.")
    assert describe_no_transport(error, (), (), 0).hint == "Look elsewhere."
    named = describe_no_transport(error, (), ("https://mcp.example/mcp",), 0)
    assert named.hint == "An MCP server answers at https://mcp.example/mcp: use that address."
    assert (named.said, named.state) == ("Not here.", StepState.FAILED)


@pytest.mark.parametrize(
    ("challenge", "scheme", "given", "state", "said", "hint"),
    [
        ('Bearer scope="a"', "bearer", (), "passed", "The server wants a sign-in (HTTP 401).", ""),
        (
            'Bearer error="invalid_token", error_description="it is old"',
            "bearer",
            ("Authorization",),
            "failed",
            'The server refuses your header Authorization (HTTP 401). It says: "it is old".',
            "Check its value",
        ),
        (
            "",
            "",
            ("X-Key",),
            "failed",
            "wants a credential (HTTP 401), although you give the header X-Key.",
            "If X-Key is the credential, check its value",
        ),
        ("Bearer", "bearer", ("X-Key",), "passed", "The server wants a sign-in (HTTP 401).", ""),
        ("NTLM", "ntlm", (), "failed", "of the scheme ntlm, which is not a sign-in", "ask who"),
    ],
)
def test_a_challenge_is_explained(
    challenge: str, scheme: str, given: tuple[str, ...], state: str, said: str, hint: str
) -> None:
    step = describe_challenge(ANSWERED, parse_challenge(challenge), scheme, given, has_token=False)
    assert step.state.value == state
    assert said in step.said
    assert hint in step.hint


def test_a_refused_token_and_a_server_that_asks_for_nothing() -> None:
    parsed = parse_challenge('Bearer error="invalid_token"')
    refused = describe_challenge(ANSWERED, parsed, "bearer", (), has_token=True)
    assert refused.said == (
        'The server refuses the token of the sign-in (HTTP 401). It says: "invalid_token".'
    )
    assert describe_no_challenge(()).said == "The server does not ask for a credential."
    assert describe_no_challenge(("A", "B")).said == (
        "The server does not ask for more than the headers you give (A, B)."
    )


def test_only_clocks_that_differ_are_told() -> None:
    assert describe_clock(1000.0, 1080.0) is None
    ahead, behind = describe_clock(1000.0, 8300.0), describe_clock(8300.0, 1000.0)
    assert ahead is not None
    assert behind is not None
    assert ahead.said == "This machine's clock is 2 hours ahead of the server's."
    assert behind.said == "This machine's clock is 2 hours behind the server's."
    assert "Set this machine's clock" in ahead.hint
