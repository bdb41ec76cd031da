"""What the log has of a server that is away: one sentence, and how often."""

from __future__ import annotations

import logging

import pytest

from mcp_remote_py.errors import NotSent
from mcp_remote_py.relay.outage import Outage

AWAY = NotSent("No connection.", hint="Check the URL.")
REFUSED = NotSent("Refused.", hint="Sign in.")


@pytest.mark.promise("P2")
def test_its_sentence_is_told_once_and_then_how_often(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    caplog.set_level(logging.INFO, "mcp_remote_py.relay")
    for _ in range(3):
        outage.note(AWAY)
    assert outage.tell(AWAY) == "failed so (4 times now). Check the URL."
    outage.note(AWAY)
    assert outage.tell(AWAY) == "failed so (6 times now)."
    outage.end()
    outage.end()
    assert caplog.messages == [
        "No connection. Trying again.",
        "It works again: it failed so 6 times.",
    ]


def test_it_is_told_anew_when_it_worked_meanwhile_or_failed_otherwise() -> None:
    outage = Outage()
    assert outage.tell(AWAY) == "failed: No connection. Check the URL."
    assert outage.tell(REFUSED) == "failed: Refused. Sign in."
    assert outage.tell(AWAY) == "failed: No connection. Check the URL."
    outage.end()
    assert outage.tell(AWAY) == "failed: No connection. Check the URL."
    assert outage.tell(AWAY) == "failed so (2 times now)."
    assert outage.tell(AWAY.with_hint("Wait.")) == "failed so (3 times now). Wait."


def test_what_was_never_tried_again_does_not_work_again(caplog: pytest.LogCaptureFixture) -> None:
    """As a call of a tool that is hidden, between others that work."""
    outage = Outage()
    caplog.set_level(logging.INFO, "mcp_remote_py.relay")
    outage.tell(REFUSED)
    outage.tell(REFUSED)
    outage.end()
    outage.note(AWAY)
    outage.end()
    assert caplog.messages == ["No connection. Trying again."]
