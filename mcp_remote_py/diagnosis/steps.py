"""The steps of a check, as values: what was done, what was seen, and what it means.

Must not know how a step is done, nor how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from mcp_remote_py.errors import one_line
from mcp_remote_py.redact import scrub_known
from mcp_remote_py.values import Value


class StepState(Enum):
    """What became of a step. The values stand in `--json`."""

    PASSED = "passed"
    NOTED = "noted"
    """Worth knowing, and does not stand against the server being used."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not done, because of another one, or because nothing asks for it."""


class CheckStep(Value, frozen=True):
    """One step.

    `name` is its name for programs, which does not change; `title` the one for people. `said` is
    one sentence: what was found or the cause. `evidence` are lines of what was sent and seen, and
    `hint` is the next step of the person, "" for none: all of them without secrets.
    """

    name: str
    title: str
    state: StepState
    said: str
    evidence: tuple[str, ...] = ()
    hint: str = ""
    seconds: float | None = None
    """How long it took; None where there was nothing to wait for."""
    command: str = ""
    """The end of `hint` that is typed as it is: it is never torn."""


def tell_step(
    name: str,
    title: str,
    state: StepState,
    said: str,
    evidence: Iterable[str] = (),
    hint: str = "",
    seconds: float | None = None,
) -> CheckStep:
    """A step whose texts repeat what others have said: each on one line, without known secrets."""
    return CheckStep(
        name,
        title,
        state,
        one_line(scrub_known(said)),
        tuple(one_line(scrub_known(line)) for line in evidence),
        one_line(scrub_known(hint)),
        seconds,
    )


class Verdict(Value, frozen=True):
    """What it all comes to.

    `step` is the name of the one that decides, "" where all is well; `said` one sentence; `hint`
    what to do; `command` the next command in full, "" where none helps; `status` the exit status.
    """

    step: str
    said: str
    hint: str
    command: str
    status: int
