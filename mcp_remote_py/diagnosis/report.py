"""How a check is told: lines for people, and an object for programs. Pure.

The object of `--json`: `version` (ours), `server` (the address, masked), `source` (where the entry
is, "" without one), `steps` and `verdict`. A step has `name`, `title`, `state` (passed, noted,
failed, skipped), `said`, `evidence` (lines), `hint`, and `seconds` or null; the verdict has `step`
(the name of the one that decides, "" where all is well or the person has stopped it), `said`,
`hint`, `command` ("" for none) and `status`, which is the exit status: 130 where it was stopped.
Members may be added; these stay.

Must not know how a step is done, nor streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mcp_remote_py.console import Style, wrap_text
from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.errors import one_line
from mcp_remote_py.exit_status import DONE_STATUS, INTERRUPTED_STATUS, SIGN_IN_NEEDED_STATUS
from mcp_remote_py.redact import MASK, scrub_known

PaintText = Callable[[str, Style], str]
"""Gives a text a style, where there are styles."""

MARKS = {
    StepState.PASSED: ("ok", Style.GOOD),
    StepState.NOTED: ("note", Style.WARNING),
    StepState.FAILED: ("FAILED", Style.BAD),
    StepState.SKIPPED: ("-", Style.SOFT),
}
"""The word that stands before a step: colour alone says nothing to who does not see it."""

_INDENT = max(len(mark) for mark, _ in MARKS.values()) + 2
"""Columns of the mark and the blanks behind it."""

_HANG = 2
"""Columns by which the further lines of a sentence of the verdict stand behind its first."""


def list_step(step: CheckStep, paint: PaintText, width: int, *, tells_all: bool) -> Iterator[str]:
    """The lines of a step; its evidence where it failed, with `tells_all` whatever became of it."""
    mark, style = MARKS[step.state]
    first, *rest = _wrap(f"{step.title}: {step.said}", width, _INDENT)
    padded = paint(mark, style) + " " * (_INDENT - len(mark))
    title = f"{step.title}:"
    told = first[_INDENT:]
    if told.startswith(title):
        told = paint(title, Style.STRONG) + told[len(title) :]
    yield padded + told
    yield from rest
    if tells_all or step.state is StepState.FAILED:
        for line in step.evidence:
            for part in _wrap(line, width, _INDENT + 2):
                yield paint(part, Style.SOFT)
    if step.hint and (tells_all or step.state is StepState.NOTED):
        yield from _wrap(step.hint.removesuffix(step.command), width, _INDENT)
        if step.command:
            yield f"{' ' * _INDENT}{paint(step.command, Style.STRONG)}"


def list_verdict(verdict: Verdict, paint: PaintText, width: int) -> Iterator[str]:
    """The lines of the verdict; the next command is never torn, so that it can be copied.

    What goes on stands below what it goes on with: the words of a server are in it, and must not
    begin a line as ours begin.
    """
    kinds = {
        DONE_STATUS: Style.GOOD,
        SIGN_IN_NEEDED_STATUS: Style.WARNING,
        INTERRUPTED_STATUS: Style.WARNING,
    }
    for line in _wrap(verdict.said, width, 0, _HANG):
        yield paint(line, kinds.get(verdict.status, Style.BAD))
    if verdict.hint:
        yield from _wrap(verdict.hint, width, 0, _HANG)
    if verdict.command:
        yield f"Next: {paint(verdict.command, Style.STRONG)}"
        if MASK in verdict.command:
            stars = f"({MASK} stands for a part that may be secret: write it out there.)"
            yield from _wrap(stars, width, 0, _HANG)


def _wrap(text: str, width: int, indent: int, hang: int = 0) -> list[str]:
    return wrap_text(one_line(text), width, indent, hang) or [" " * indent]


def to_json(
    version: str, server: str, source: str, steps: Sequence[CheckStep], verdict: Verdict
) -> dict[str, object]:
    """The object for programs; see above. Without known secrets."""
    return {
        "version": version,
        "server": server,
        "source": source,
        "steps": [_step_to_json(step) for step in steps],
        "verdict": {
            "step": verdict.step,
            "said": scrub_known(verdict.said),
            "hint": scrub_known(verdict.hint),
            "command": scrub_known(verdict.command),
            "status": verdict.status,
        },
    }


def _step_to_json(step: CheckStep) -> dict[str, object]:
    return {
        "name": step.name,
        "title": step.title,
        "state": step.state.value,
        "said": scrub_known(step.said),
        "evidence": [scrub_known(line) for line in step.evidence],
        "hint": scrub_known(step.hint),
        "seconds": None if step.seconds is None else round(step.seconds, 3),
    }
