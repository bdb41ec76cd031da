"""Which steps are told in the lines for people, so that one reason is told once. Pure.

What was not done for the same reason, one behind the other, is one line; and what fails because of
a step before it is not a further fault. The steps themselves stay as they are. Must not know lines.
"""

from __future__ import annotations

from mcp_remote_py.diagnosis.entry_starts import ENTRY_STEP
from mcp_remote_py.diagnosis.judgements import HOST_VIEW, JUDGE
from mcp_remote_py.diagnosis.sign_ins import STORED_SIGN_IN
from mcp_remote_py.diagnosis.steps import CheckStep, StepState

_FOLLOWING = (STORED_SIGN_IN, HOST_VIEW, JUDGE)
"""Steps that fail because of what has failed before them."""


class Folding:
    """Takes the steps one by one, and gives those that can be told now."""

    def __init__(self) -> None:
        self._held: list[CheckStep] = []
        """Steps that were not done, all for one reason."""
        self._cause = ""
        """The title of the step that the others fail with."""

    def take(self, step: CheckStep) -> list[CheckStep]:
        """Those that are told now, in their order."""
        if step.state is StepState.FAILED and step.name != ENTRY_STEP:
            if self._cause and step.name in _FOLLOWING:
                said = f"Fails for the same reason ({self._cause})."
                step = CheckStep(step.name, step.title, StepState.SKIPPED, said)
            elif step.name != HOST_VIEW:  # beside it, the official client is a second witness
                self._cause = self._cause or step.title
        if step.state is not StepState.SKIPPED:
            return [*self.end(), step]
        told = self.end() if self._held and self._held[0].said != step.said else []
        self._held.append(step)
        return told

    def end(self) -> list[CheckStep]:
        """What is left."""
        held, self._held = self._held, []
        if len(held) < 2:
            return held
        return [held[0].replace(title=", ".join(one.title for one in held))]
