"""What a check comes to that did not get to its end: by its person, or by a fault of our own. Pure.

Must not know how it is stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict, tell_step
from mcp_remote_py.exit_status import FAILED_STATUS, INTERRUPTED_STATUS

OWN_FAULT = "own-fault"
"""Name of the step that stands in for one that broke."""


def describe_stopped(steps: Sequence[CheckStep], doing: str, patience: float | None) -> Verdict:
    """The verdict of a check that was stopped while `doing` that: "asking the server".

    `patience` is how many seconds it takes at most where nothing answers, None where a person
    signs in meanwhile.
    """
    done = [step.title for step in steps if step.state is not StepState.SKIPPED]
    so_far = f"Done so far: {', '.join(done)}." if done else "No step was done."
    hint = "Run it again to see the rest."
    if patience is not None:
        hint += f" Where nothing answers, it ends by itself within {patience:g} seconds."
    failed = next((step.name for step in steps if step.state is StepState.FAILED), "")
    return Verdict(
        failed, f"Stopped by Ctrl+C while {doing}. {so_far}", hint, "", INTERRUPTED_STATUS
    )


def describe_own_fault(error: Exception, frames: Sequence[str]) -> CheckStep:
    """What stands for a step that broke; `frames` are its places in the code, the innermost last.

    Only the kind of the error is told: its text may have what a server said.
    """
    return tell_step(
        OWN_FAULT,
        "mcp-remote-py itself",
        StepState.FAILED,
        f"mcp-remote-py failed at this step ({type(error).__name__}): that is a fault of its own.",
        frames,
        "Please report it, with what --report FILE writes.",
    )


def end_at(step: CheckStep) -> Verdict:
    """The verdict where nothing could be done behind that step, which failed."""
    return Verdict(step.name, step.said, step.hint, "", FAILED_STATUS)
