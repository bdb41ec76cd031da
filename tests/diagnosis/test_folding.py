"""Which steps of a check are told to people: one reason, one line."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mcp_remote_py.diagnosis.folding import Folding
from mcp_remote_py.diagnosis.steps import CheckStep, StepState

PASSED, NOTED, FAILED, SKIPPED = StepState


def tell(*steps: tuple[str, str, StepState, str]) -> list[str]:
    folding = Folding()
    told = [one for step in steps for one in folding.take(CheckStep(*step))]
    return [f"{one.state.value} {one.title}: {one.said}" for one in (*told, *folding.end())]


GIVEN = "A credential is given, so nobody signs in."


def test_what_was_not_done_for_one_reason_is_one_line() -> None:
    assert tell(
        ("challenge", "Credential", PASSED, "None."),
        ("resource-metadata", "Who", SKIPPED, GIVEN),
        ("registration", "Registration", SKIPPED, GIVEN),
        ("token", "Token", SKIPPED, "There is no token."),
        ("host-view", "What a host sees", PASSED, "5 tools."),
        ("listening-stream", "Stream", SKIPPED, GIVEN),
    ) == [
        "passed Credential: None.",
        f"skipped Who, Registration: {GIVEN}",
        "skipped Token: There is no token.",
        "passed What a host sees: 5 tools.",
        f"skipped Stream: {GIVEN}",
    ]


REFUSED = ("token", "Token", FAILED, "It is refused.")
VIEW = ("host-view", "What a host sees", FAILED, "It is refused.")
JUDGE = ("official-client", "Official", FAILED, "An error.")
SAME = "Fails for the same reason (Token)."


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((REFUSED, VIEW, JUDGE),
         ["failed Token: It is refused.", f"skipped What a host sees, Official: {SAME}"]),
        ((VIEW, JUDGE), ["failed What a host sees: It is refused.", "failed Official: An error."]),
        ((("entry", "Entry", FAILED, "No."), VIEW),
         ["failed Entry: No.", "failed What a host sees: It is refused."]),
        ((REFUSED, ("registration", "Registration", FAILED, "Not there.")),
         ["failed Token: It is refused.", "failed Registration: Not there."]),
    ],
)  # fmt: skip
def test_a_fault_is_told_once(
    steps: Sequence[tuple[str, str, StepState, str]], told: list[str]
) -> None:
    assert tell(*steps) == told
