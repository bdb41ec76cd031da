"""The headers and keys that a person gives: whether they are to be had. As a step, pure.

Must not know how they are read, nor their values.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, tell_step
from mcp_remote_py.errors import McpRemoteError

GIVEN = "given"
"""Name of a step."""

_TITLE = "Headers and keys"


def describe_given(names: Sequence[str], seconds: float) -> CheckStep:
    """Commands have printed headers; `names` are those of all that are given."""
    said = f"The header command has run; these headers are sent: {', '.join(names)}."
    return tell_step(GIVEN, _TITLE, StepState.PASSED, said, seconds=seconds)


def describe_not_given(
    error: McpRemoteError, patience: float | None, patience_of_host: float, seconds: float
) -> CheckStep:
    """They are not to be had: `patience` is how many seconds a command had, None without one."""
    evidence: tuple[str, ...] = ()
    if patience is not None:
        evidence = (f"time for a command: {patience:g} s here, {patience_of_host:g} s for a host",)
    return tell_step(GIVEN, _TITLE, StepState.FAILED, error.cause, evidence, error.hint, seconds)
