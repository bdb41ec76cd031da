"""What `docs/never-a-loop.md` tells a reviewer is what the policy has, and what the tests do.

That its generated pieces are current is checked in `test_documents.py`; here, that they leave
nothing out, and that the words around them name nothing that is not there. Must not know how the
pieces are made.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_remote_py import retry
from mcp_remote_py.oauth.budget import DAY, SignInBudget, wait_for_renewal, wait_for_tab
from mcp_remote_py.oauth.policy import (
    POLICY_RULES,
    TRANSITIONS,
    Action,
    Fact,
    PolicyRule,
    State,
    Transition,
    Trigger,
)
from mcp_remote_py.oauth.steps import HttpResponse
from mcp_remote_py.oauth.tokens import GrantRefused, parse_refusal
from tests.documents import read_picture
from tests.oauth.test_exploration import (
    FAULTS,
    ONE_PROCESS,
    TWO_FROM_SIGNED_IN,
    TWO_PROCESSES,
    WORLDS,
)
from tests.signin.test_many_processes import PROCESSES as MANY_PROCESSES
from tests.signin.test_root_causes import CAUSES, PROCESSES, RESTARTS_IN_THE_GATE
from tests.thorough import THOROUGH

pytestmark = pytest.mark.promise("L4")

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "never-a-loop.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.replace("\n> ", " ").split())
"""The same on one line."""

CODES = {
    "": Trigger.REQUEST,
    "401": Trigger.UNAUTHORIZED,
    "403": Trigger.SCOPE_WANTED,
    "in doubt": Trigger.DOUBTFUL,
}
SOURCES = {
    Trigger.REQUEST: "REQUEST",
    Trigger.UNAUTHORIZED: "REFUSED",
    Trigger.SCOPE_WANTED: "REFUSED",
    Trigger.DOUBTFUL: "REFUSED",
}


PICTURE = read_picture("never-a-loop")


def edges() -> set[tuple[str, str]]:
    return PICTURE.arrows


def boxes() -> dict[str, list[str]]:
    """The lines of each, by its name."""
    return PICTURE.boxes


def table_below(heading: str) -> list[list[str]]:
    """The cells of the first table after that line."""
    rows = re.search(rf"^{re.escape(heading)}\n\|[-| ]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert rows, heading
    return [row.strip("| ").split(" | ") for row in rows[1].splitlines()]


def read_rules() -> dict[int, tuple[frozenset[State], Trigger, frozenset[Fact], Action]]:
    """Those of the picture, by their number, each read from its box and the edges there."""
    found: dict[int, tuple[frozenset[State], Trigger, frozenset[Fact], Action]] = {}
    for box, (head, *conditions) in boxes().items():
        if not box.startswith("RULE_"):
            continue
        (source,) = (source for source, target in edges() if target == box)
        (action,) = (Action[target] for one, target in edges() if one == box)
        facts = {
            Fact[name.upper().replace(" ", "_")]
            for line in conditions
            if line.startswith("[")
            for name in line.strip("[]").split(", ")
        }
        states = {
            State(name)
            for line in conditions
            if not line.startswith("[")
            for name in line.split(", ")
        }
        for one in head.split(", "):
            number, _, code = one.partition(" · ")
            assert SOURCES[CODES[code]] == source
            rule = frozenset(states or State), CODES[code], frozenset(facts), action
            assert found.setdefault(int(number), rule) == rule
    return found


def test_the_picture_has_every_rule_and_no_other() -> None:
    assert read_rules() == {number: rule[:4] for number, rule in enumerate(POLICY_RULES, 1)}


def test_the_picture_has_every_outcome_and_no_other() -> None:
    found = [
        Transition(action, happened, None if state == "end" else State(state))
        for action in Action
        for line in boxes()[action.name][1:]
        for happened, _, state in [line.partition(" → ")]
    ]
    assert sorted(map(str, found)) == sorted(map(str, TRANSITIONS))
    assert [boxes()[action.name][0] for action in Action] == [action.value for action in Action]


def test_the_picture_starts_at_every_event_and_every_path_ends() -> None:
    begun, reached = ({edge[end] for edge in edges()} for end in (0, 1))
    assert begun - reached == set(SOURCES.values())
    assert reached - begun == {action.name for action in Action}
    assert begun | reached == set(boxes())


def test_the_table_has_every_rule_in_its_order() -> None:
    rows = table_below("| Rule | At | with a token that is | where | do | because |")
    assert [tuple(row[:2] + row[4:]) for row in rows] == [
        (str(number), rule.event.value, rule.action.value, rule.why)
        for number, rule in enumerate(POLICY_RULES, 1)
    ]
    for row, rule in zip(rows, POLICY_RULES, strict=True):
        assert row[2:4] == [describe_states(rule), describe_facts(rule)]


def describe_states(rule: PolicyRule) -> str:
    names = [state.value for state in State if state in rule.states]
    return "anything" if len(names) == len(State) else ", ".join(names)


def describe_facts(rule: PolicyRule) -> str:
    return "; ".join(sorted(fact.value for fact in rule.facts)) or "nothing of the above"


def test_the_retries_are_all_there() -> None:
    rows = table_below("| Failure | HTTP status | request | repeats at most | because |")
    assert [(row[0], row[3], row[4]) for row in rows] == [
        (rule.failure.__name__, str(rule.repeats), rule.why) for rule in retry.RULES
    ]


def test_what_ends_a_credential_is_what_is_told() -> None:
    told = re.search(r"token endpoint \((.+?) with a status of ([\d, or]+)\)", WORDS)
    assert told
    errors, status = re.findall(r"`(\w+)`", told[1]), re.findall(r"\d+", told[2])
    others = ["invalid_request", "invalid_scope", "invalid_client_metadata", "server_error"]
    definite = {
        (error, code)
        for error in (*errors, *others)
        for code in range(200, 600)
        if isinstance(
            parse_refusal(HttpResponse(code, {}, f'{{"error": "{error}"}}'.encode()), where="It"),
            GrantRefused,
        )
    }
    assert definite == {(error, int(code)) for error in errors for code in status}


def test_a_clock_set_back_does_what_is_told() -> None:
    now = 10 * DAY
    held = [SignInBudget(renew_after=now + days * DAY) for days in (2, 2.01)]
    assert [wait_for_renewal(one, now, refused=False) for one in held] == [2 * DAY, 0]
    assert not wait_for_tab(SignInBudget(tabs=(now + 1,), vain_tabs=3), now, step_up=False)
    assert "One set back frees tabs, and may hold back renewals for two days at most" in WORDS


def test_the_exploration_goes_as_far_as_is_told() -> None:
    one, two = ONE_PROCESS, TWO_PROCESSES
    assert (one.events, TWO_FROM_SIGNED_IN.events) == ((6, 3) if THOROUGH else (4, 2))
    assert (one.processes, two.processes, two.preemptions, two.kills) == (1, 2, 1, 1)
    assert (
        f"one process through 4 events, two processes through {two.events}, with one "
        "switch and one kill at any step" in WORDS
    )
    *worlds, last = WORLDS
    assert f"It starts {', '.join(worlds)} and with {last}" in WORDS
    assert f"shown by {len(FAULTS)} deliberate faults" in WORDS
    assert f"{'; '.join(FAULTS)}." in WORDS


def test_the_watchdog_stops_at_what_is_told() -> None:
    sources = [TESTS / "oauth" / name for name in ("machine.py", "test_exploration.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    violations = re.findall(r'raise Violation\(\s*"([^"]+)"', text)
    assert len(violations) > 10
    assert f"{'; '.join(violations)}." in WORDS


def test_every_root_cause_has_its_row_and_its_tests() -> None:
    rows = table_below("| | What was seen | What prevents it here | Row, or test |")
    assert [row[0] for row in rows] == [f"L{number}" for number in range(1, 21)]
    named = {(row[0], name) for row in rows for name in re.findall(r"`([^`]+)`", row[3])}
    functions = {(cause, name) for cause, name in named if name.startswith("test_")}
    patience = (TESTS / "signin" / "test_patience.py").read_text(encoding="utf-8")
    assert {cause for cause, _ in functions} == {"L4"}
    assert all(f"def {name}(" in patience for _, name in functions)
    assert {f"{cause} {name}" for cause, name in named - functions} == set(CAUSES)
    assert f"{PROCESSES} started together, and one killed and started" in WORDS
    assert f"and started {RESTARTS_IN_THE_GATE} times" in WORDS
    assert f"has {MANY_PROCESSES} processes and one expired token" in WORDS
