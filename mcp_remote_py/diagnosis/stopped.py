"""What a check comes to that the person has stopped: the steps that were done, and no judgement.

Pure. Must not know how it is stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.exit_status import INTERRUPTED_STATUS


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
