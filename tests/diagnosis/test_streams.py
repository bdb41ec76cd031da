"""The sentences on the listening stream."""

from __future__ import annotations

import pytest

from mcp_remote_py.diagnosis.steps import StepState
from mcp_remote_py.diagnosis.streams import (
    Listened,
    describe_broken_stream,
    describe_listening,
    describe_silent_stream,
    skip_listening,
)
from mcp_remote_py.errors import NotSent

OPEN = Listened(200, "text/event-stream", 0.01, 1.0)


@pytest.mark.parametrize(
    ("listened", "state", "said", "hint"),
    [
        (OPEN, "passed", "The listening stream is open, and stays so for 1.0 s.", ""),
        (
            Listened(405),
            "passed",
            "The server does not have a listening stream, which is fine.",
            "",
        ),
        (
            Listened(404),
            "noted",
            "The server does not have a listening stream (HTTP 404; 405 would be right).",
            "",
        ),
        (
            Listened(503),
            "noted",
            "The listening stream is refused (HTTP 503): a host does not hear of changes.",
            "",
        ),
        (
            OPEN.replace(has_ended=True, open_for=0.25),
            "noted",
            "The server ends the listening stream at once (0.2 s).",
            "A gateway on the way may cut it",
        ),
        (
            OPEN.replace(headers_after=1.6),
            "noted",
            "The headers of the listening stream came late, after 1.6 s.",
            "proxy_buffering off",
        ),
        (
            OPEN.replace(odd="got 'text/html'"),
            "noted",
            "The listening stream cannot be read: \"got 'text/html'\".",
            "",
        ),
    ],
)
def test_what_came_of_the_stream(listened: Listened, state: str, said: str, hint: str) -> None:
    step = describe_listening(listened, 0.05)
    assert (step.name, step.state.value, step.said) == ("listening-stream", state, said)
    assert hint in step.hint


def test_late_headers_of_a_slow_server_are_not_late() -> None:
    assert describe_listening(OPEN.replace(headers_after=1.6), 1.2).state is StepState.PASSED


def test_its_fields_are_evidence() -> None:
    step = describe_listening(OPEN.replace(events=2, has_ids=True, retry=5.0), 0.05)
    assert step.evidence == (
        "came: HTTP 200, text/event-stream, after 10 ms",
        "events: 2, with ids, retry after 5 s",
    )
    assert describe_listening(OPEN, 0.05).evidence[-1] == "events: 0, without ids"


def test_a_stream_of_which_nothing_came() -> None:
    silent = describe_silent_stream(2.0)
    assert silent.said == (
        "The listening stream does not begin within 2 s: nothing comes, not even headers."
    )
    assert "proxy_buffering off" in silent.hint
    broken = describe_broken_stream(NotSent("Refused.", hint="Look."))
    assert (broken.said, broken.hint, broken.state) == ("Refused.", "Look.", StepState.NOTED)
    assert skip_listening("Not now.").state is StepState.SKIPPED
