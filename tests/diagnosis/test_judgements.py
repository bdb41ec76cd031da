"""The sentences on the official client, on what a host sees, and where they differ."""

from __future__ import annotations

import pytest

from mcp_remote_py.diagnosis.judgements import (
    REPORT_OFFER,
    Counted,
    Judgement,
    compare,
    describe_host_view,
    describe_judgement,
    skip_host_view,
    skip_judgement,
)
from mcp_remote_py.diagnosis.steps import StepState
from mcp_remote_py.found import UNREAD, Found

GOOD = Judgement("math", "1", "2025-11-25", (Counted("tools", 3),), (0.003, 0.001, 0.2))
FOUND = Found(
    "https://mcp.example/mcp",
    name="math",
    version="1",
    transport="Streamable HTTP",
    revision="2025-11-25",
    count=3,
    tools=("a", "b", "c"),
)


def test_the_official_client_counts() -> None:
    counted = (Counted("tools", 1), Counted("resources", 500, has_more=True), Counted("prompts"))
    step = describe_judgement(GOOD.replace(counted=counted))
    assert step.said == (
        "The official MCP client (Python SDK) connects, and finds 1 tool, 500 or more resources, "
        "0 prompts."
    )
    assert step.state is StepState.PASSED
    assert step.evidence == (
        "server: math, version 1",
        "revision: 2025-11-25",
        "ping: 3 ms (median of 3)",
    )
    bare = describe_judgement(Judgement(revision="2025-11-25"))
    assert bare.said.endswith("connects, and finds nothing to list.")


@pytest.mark.parametrize(("what", "state"), [("tools", "failed"), ("prompts", "noted")])
def test_a_list_that_fails_is_told_in_its_words(what: str, state: str) -> None:
    counted = (Counted("resources", 2), Counted(what, error="No\x1b[2J way"))
    step = describe_judgement(GOOD.replace(counted=counted))
    assert step.said.endswith(f'finds 2 resources. It cannot list the {what}: "No [2J way".')
    assert step.state.value == state


def test_the_official_client_fails_in_its_own_words() -> None:
    step = describe_judgement(Judgement(error="Session terminated", seconds=0.2))
    assert step.said == 'The official MCP client (Python SDK) fails: "Session terminated".'
    assert (step.state, step.seconds) == (StepState.FAILED, 0.2)
    late = describe_judgement(Judgement(error="it was not done within 2 s", is_late=True))
    assert late.state is StepState.NOTED
    assert late.said == (
        "The official MCP client (Python SDK) was stopped: it was not done within 2 s."
    )


def test_what_is_not_for_people_is_evidence_alone() -> None:
    raw = "1 validation error for ListToolsResult\n" + "x" * 500
    flaw = "in the answer to tools/list, tools[0].inputSchema is missing"
    step = describe_judgement(Judgement(error=flaw, raw=raw))
    assert step.said == f"The official MCP client (Python SDK) fails: {flaw}."
    (line,) = step.evidence
    assert line.startswith('in its own words: "1 validation error for ListToolsResult xxx')
    assert len(line) < 250
    step = describe_judgement(GOOD.replace(counted=(Counted("tools", error=flaw, raw=raw),)))
    assert step.said.endswith(f" It cannot list the tools: {flaw}.")
    assert line in step.evidence


def test_what_a_host_sees() -> None:
    step = describe_host_view(FOUND, (), 0.1)
    assert (step.state, step.said) == (StepState.PASSED, "A host is shown 3 tools: a, b, c.")
    assert step.evidence == (
        "server: math, version 1",
        "transport: Streamable HTTP",
        "speaks: an older revision of MCP (2025-11-25)",
    )
    assert "--merge-pages" in describe_host_view(FOUND.replace(pages=2), (), 0.1).hint
    modern = FOUND.replace(name="", revision="", is_modern=True)
    assert "speaks: a new revision of MCP" in describe_host_view(modern, (), 0.1).evidence


@pytest.mark.parametrize(
    ("found", "entry", "state", "said"),
    [
        (Found("a", error="It is away. Wait."), (), "failed", "It is away. Wait."),
        (
            FOUND.replace(tools_error="it broke"),
            (),
            "failed",
            "A host is connected, and cannot list the tools: it broke",
        ),
        (FOUND.replace(count=0, tools=()), (), "failed", "It does not offer any tools to a host."),
        (
            FOUND.replace(count=0, tools=()),
            ("--read-only",),
            "failed",
            "It does not offer any tools to a host, or --read-only hides them.",
        ),
        (
            FOUND.replace(tools_error=UNREAD),
            (),
            "noted",
            "A host is connected, and gets the list of tools as it is: it is too long to look "
            "into.",
        ),
        (
            FOUND.replace(tools_error=UNREAD),
            ("--allow-tool", "a"),
            "failed",
            f"A host is connected, and cannot list the tools: {UNREAD}",
        ),
    ],
)
def test_what_a_host_does_not_see(
    found: Found, entry: tuple[str, ...], state: str, said: str
) -> None:
    step = describe_host_view(found, entry, 0.1)
    assert (step.state.value, step.said) == (state, said)


@pytest.mark.parametrize(
    ("found", "judgement", "said"),
    [
        (FOUND, GOOD, ""),
        (Found("a", error="x"), Judgement(error="y"), ""),
        (Found("a", error="x"), GOOD, REPORT_OFFER),
        (FOUND.replace(tools_error="x"), GOOD, REPORT_OFFER),
        (FOUND.replace(tools_error=UNREAD), GOOD, ""),
        (FOUND, Judgement(error="y", is_late=True), ""),
        (FOUND, Judgement(error="y"), "mcp-remote-py works here, and the official client does not"),
        (
            FOUND,
            GOOD.replace(counted=(Counted("tools", error="y"),)),
            "mcp-remote-py works here, and the official client does not",
        ),
    ],
)
def test_where_the_two_differ_that_is_the_finding(
    found: Found, judgement: Judgement, said: str
) -> None:
    assert compare(found, judgement).startswith(said)
    assert bool(compare(found, judgement)) is bool(said)


def test_a_slow_server_is_not_taken_for_a_broken_one() -> None:
    late = "The server did not answer tools/list within 4 s."
    for found in (Found("a", error=late), FOUND.replace(tools_error=late)):
        assert "Hosts wait longer" in describe_host_view(found, (), 0.1).hint
    assert describe_host_view(Found("a", error="No."), (), 0.1).hint == ""


def test_what_was_not_asked_says_why() -> None:
    assert skip_judgement("No time.").said == "No time."
    assert skip_host_view("No server.").state is StepState.SKIPPED
