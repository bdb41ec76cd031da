"""What people paste, and what they are told where it is something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.oauth.pasted_redirect import parse_pasted_redirect
from mcp_remote_py.redact import scrub_known

QUERY = "code=canary-pasted-code&state=canary-state"


@pytest.mark.parametrize(
    "text",
    [
        f"http://localhost:3334/oauth/callback?{QUERY}",
        f"  'http://127.0.0.1:3334/oauth/callback?{QUERY}'\n",
        f"<http://elsewhere.example/?{QUERY}#fragment>",
        f"?{QUERY}",
        QUERY,
        f'"{QUERY}"',
        f"?{QUERY}&{QUERY}",
    ],
)
def test_address_or_query_is_understood(text: str) -> None:
    parameters = parse_pasted_redirect(text).parameters
    assert parameters == {"code": "canary-pasted-code", "state": "canary-state"}


def test_refusal_of_the_person_is_an_end_too() -> None:
    assert (
        parse_pasted_redirect("x?error=access_denied&state=s").parameters["error"]
        == "access_denied"
    )


@pytest.mark.promise("S2")
def test_code_and_state_are_known_to_the_last_line_of_defence() -> None:
    parse_pasted_redirect("?code=canary-code-of-a-line&state=canary-state-of-a-line")
    line = "a line with canary-code-of-a-line and canary-state-of-a-line"
    assert "canary" not in scrub_known(line)


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "it does not contain a state"),
        ("hello", "it does not contain a state"),
        ("http://localhost:3334/oauth/callback", "it does not contain a state"),
        ("?code=a&code=b&state=s", "it does not contain a state"),
        ("?state=s", "neither a code nor an error"),
        ("http://[::1?state=s&code=c", "it does not contain a state"),
        (
            "&".join(f"a{n}=1" for n in range(100)) + "&state=s&code=c",
            "it does not contain a state",
        ),
        ("x" * 70_000, "too long"),
    ],
)
def test_anything_else_is_told_and_not_repeated(text: str, cause: str) -> None:
    with pytest.raises(McpRemoteError, match=cause) as caught:
        parse_pasted_redirect(text)
    assert "Paste the whole address" in caught.value.hint
    assert not text or text not in caught.value.sentence()


@given(st.text(max_size=200))
def test_no_text_is_a_fault(text: str) -> None:
    try:
        callback = parse_pasted_redirect(text)
    except McpRemoteError:
        return
    assert "state" in callback.parameters
