"""Which step decides, and what is to be done: each row of the table is needed."""

from __future__ import annotations

import pytest

from mcp_remote_py.diagnosis.judgements import REPORT_OFFER
from mcp_remote_py.diagnosis.server_verdicts import SERVER_RULINGS, find_server_verdict
from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.oauth.explain import ALL_THE_SAME, UNSURE_LOGIN, VAIN_LOGIN

LOGIN = "mcp-remote-py login https://mcp.example/mcp"


def steps(text: str) -> list[CheckStep]:
    """`name+` passed, `name-` failed, `name~` noted, `name/` skipped, `name!` blames us."""
    states = {
        "+": StepState.PASSED,
        "-": StepState.FAILED,
        "~": StepState.NOTED,
        "/": StepState.SKIPPED,
        "!": StepState.PASSED,
    }
    return [
        CheckStep(
            word[:-1],
            word[:-1],
            states[word[-1]],
            f"Said of {word[:-1]}.",
            (),
            REPORT_OFFER if word[-1] == "!" else "Do.",
        )
        for word in text.split()
    ]


CASES = [
    ("transport-", "transport", 1, "", "Do."),
    ("transport~ challenge- host-view- official-client-", "challenge", 1, "", "Do."),
    ("resource-metadata- stored-sign-in- host-view/", "resource-metadata", 1, "", "Do."),
    ("authorization-server- stored-sign-in- host-view/", "authorization-server", 1, "", "Do."),
    ("registration- stored-sign-in- host-view/", "registration", 1, "", "Do."),
    ("sign-in- stored-sign-in- host-view/", "sign-in", 3, LOGIN, "Do."),
    ("server-clock~ token- host-view-", "token", 3, LOGIN, "Do."),
    ("token- host-view- official-client-", "token", 3, LOGIN, "Do."),
    ("stored-sign-in- host-view/", "stored-sign-in", 3, LOGIN, "Do."),
    ("host-view- official-client-", "host-view", 1, "", "Do."),
    ("host-view- official-client/", "host-view", 1, "", "Do."),
    ("host-view- official-client+", "host-view", 1, "", "Do."),
    ("host-view- official-client!", "host-view", 1, "", REPORT_OFFER),
]


@pytest.mark.parametrize(("said", "step", "status", "command", "hint"), CASES)
def test_a_row_of_the_table(said: str, step: str, status: int, command: str, hint: str) -> None:
    verdict = find_server_verdict(steps(said), LOGIN)
    assert verdict is not None
    assert (verdict.step, verdict.status, verdict.command) == (step, status, command)
    assert verdict.said == f"Said of {step}."
    assert verdict.hint.startswith(hint)


def test_a_store_that_cannot_be_read_needs_no_sign_in() -> None:
    verdict = find_server_verdict(steps("stored-sign-in- host-view/"), LOGIN, store_failed=True)
    assert verdict == Verdict("stored-sign-in", "Said of stored-sign-in.", "Do.", "", 1)


def test_who_is_signed_in_does_not_need_a_way_to_become_so() -> None:
    said = steps("authorization-server- registration- token- host-view-")
    verdict = find_server_verdict(said, LOGIN, is_signed_in=True)
    assert verdict is not None
    assert verdict.step == "token"


def test_a_difference_of_clocks_decides_where_it_is_the_reason() -> None:
    said = steps("server-clock~ token- host-view-")
    verdict = find_server_verdict(said, LOGIN, clock_reason="It is early.")
    assert verdict == Verdict(
        "server-clock",
        "Said of server-clock. It is early.",
        "Set this machine's clock by the network, then sign in again. If it is right, tell "
        "whoever runs the server that theirs is not.",
        LOGIN,
        3,
    )
    works = find_server_verdict(steps("server-clock~ host-view+"), LOGIN, clock_reason="x")
    assert works is not None
    assert works.step == ""


@pytest.mark.parametrize("view", ["host-view+", "host-view~"])
def test_a_host_that_gets_tools_is_all_that_counts(view: str) -> None:
    said = steps(f"authorization-server- official-client- server-clock~ {view}")
    assert find_server_verdict(said, LOGIN) == Verdict(
        "", "It works. Said of host-view.", "Do.", "", 0
    )


def test_a_slow_server_works_and_is_told_to_be_slow() -> None:
    said = steps("speed~ host-view+")
    assert find_server_verdict(said, LOGIN) == Verdict(
        "", "It works. Said of speed. Said of host-view.", "Do.", "", 0
    )
    own = [said[0], said[1].replace(hint="")]
    verdict = find_server_verdict(own, LOGIN)
    assert verdict is not None
    assert verdict.hint == "Do.", "that of the speed"


def test_without_anything_that_failed_others_decide() -> None:
    assert find_server_verdict(steps("transport+ host-view/"), LOGIN) is None


def test_each_row_decides_something() -> None:
    deciding: set[int] = set()
    facts = [("stored-sign-in- store-", 0), ("server-clock~ clock- token- host-view-", 0)]
    for said, *_ in [*CASES, *facts]:
        known = {step.name: step for step in steps(said)}
        if "official-client!" in said:
            known |= {step.name: step for step in steps("judge-differs-")}
        deciding.add(next(n for n, one in enumerate(SERVER_RULINGS) if one.fits(known)))
    assert deciding == set(range(len(SERVER_RULINGS)))
    assert all(ruling.because.endswith((".", ").")) for ruling in SERVER_RULINGS)


@pytest.mark.parametrize(
    ("hint", "left"),
    [
        (f"Look at --scope. To sign in all the same: {LOGIN}", "Look at --scope."),
        (f"To sign in after all: {LOGIN}", ""),
        (f"{LOGIN} is what to type; then restart.", f"{LOGIN} is what to type; then restart."),
    ],
)
def test_the_next_command_is_told_once(hint: str, left: str) -> None:
    step = CheckStep("sign-in", "Sign-in now", StepState.FAILED, "No.", (), hint)
    verdict = find_server_verdict([step], LOGIN)
    assert verdict is not None
    assert (verdict.hint, verdict.command) == (left, LOGIN)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (f"{VAIN_LOGIN}: ask. {ALL_THE_SAME}: {LOGIN}", f"{VAIN_LOGIN}: ask."),
        (
            f"{UNSURE_LOGIN}: {LOGIN}. If it never did: {VAIN_LOGIN}: ask.",
            f"{UNSURE_LOGIN}: {LOGIN}. If it never did: {VAIN_LOGIN}: ask.",
        ),
    ],
)
def test_the_way_out_of_a_sign_in_that_is_in_vain_is_whole_sentences(words: str, hint: str) -> None:
    token = CheckStep("token", "token", StepState.FAILED, f"It is refused. {words}")
    verdict = find_server_verdict([token, *steps("host-view-")], LOGIN)
    assert verdict == Verdict("token", "It is refused.", hint, "", 3)
