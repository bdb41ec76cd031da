"""What the pictures of the documents are of: the rows of the code that each is drawn from.

Must not know how anything is drawn, nor how long or wide it becomes.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

from mcp_remote_py import retry
from mcp_remote_py.eras.era_detection import MISMATCH_STATUS
from mcp_remote_py.oauth.policy import (
    POLICY_RULES,
    TRANSITIONS,
    Action,
    Fact,
    PolicyRule,
    State,
    Trigger,
)
from mcp_remote_py.settings.commands import DEFAULT_INITIALIZE_TIMEOUT
from mcp_remote_py.stand_in import SIGN_IN_TOOL
from scripts.pictures import Arrow, Box, draw_columns, draw_floors

ROOT = Path(__file__).resolve().parent.parent

_EVENT_BOXES = {"REQUEST": Trigger.REQUEST.value, "REFUSED": "the server refuses it"}

_EVENTS = {
    Trigger.REQUEST: ("REQUEST", ""),
    Trigger.UNAUTHORIZED: ("REFUSED", " · 401"),
    Trigger.SCOPE_WANTED: ("REFUSED", " · 403"),
    Trigger.DOUBTFUL: ("REFUSED", " · in doubt"),
}
"""The box of each, and what tells it from others there: most of what follows is the same."""


def draw_policy() -> str:
    """Which rules follow an event, what is done by each, and what comes of it."""
    rules: dict[tuple[str, tuple[str, ...], Action], list[str]] = defaultdict(list)
    for number, rule in enumerate(POLICY_RULES, 1):
        box, name = _EVENTS[rule.event]
        rules[box, _conditions_of(rule), rule.action].append(f"{number}{name}")
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    for (source, conditions, action), heads in rules.items():
        box = Box(f"RULE_{heads[0].partition(' ')[0]}", (", ".join(heads), *conditions))
        boxes.append(box)
        arrows += (Arrow(source, box.name), Arrow(box.name, action.name))
    going_on = {outcome.action for outcome in TRANSITIONS}
    # Beside the rules that lead to it, so that few arrows cross.
    places = {box.name: place for place, box in enumerate(boxes)}
    rank = {
        action: [places[one.source] for one in arrows if one.target == action.name]
        for action in Action
    }
    actions = [
        Box(
            action.name,
            (
                action.value,
                *(
                    f"{one.happened} → {one.state.value if one.state else 'end'}"
                    for one in TRANSITIONS
                    if one.action is action
                ),
            ),
            "deed" if action in going_on else "end",
        )
        for action in sorted(Action, key=lambda one: sum(rank[one]) / len(rank[one]))
    ]
    events = [Box(name, (words,)) for name, words in _EVENT_BOXES.items()]
    return draw_columns(
        "What decides on a token",
        "To the left what happens: a request is to be sent, or the server refuses it. Then the "
        "rules that may follow, by their numbers, with the states of the token and the facts they "
        "need. To the right what is done, and what comes of it. The table below has the same.",
        (events, boxes, actions),
        arrows,
    )


def _conditions_of(rule: PolicyRule) -> tuple[str, ...]:
    states = () if len(rule.states) == len(State) else (_names_of(rule.states),)
    facts = [fact.name.lower().replace("_", " ") for fact in Fact if fact in rule.facts]
    return (*states, f"[{', '.join(facts)}]") if facts else states


def _names_of(states: frozenset[State]) -> str:
    return ", ".join(state.value for state in State if state in states)


WORTH = {
    State.SIGNED_OUT: "no token",
    State.UNPROVEN: "the server has never accepted it",
    State.PROVEN: "the server has accepted it",
    State.EXPIRING: "it ends soon",
    State.EXPIRED: "it has ended",
}
"""What a person would call each."""


def draw_sign_in() -> str:
    """What may be done about a token, in which of its states, and the states that come of it."""
    does: list[Box] = []
    for action in Action:
        states = {state for rule in POLICY_RULES if rule.action is action for state in rule.states}
        # "signed out" and "unproven" are states, too: all five of them are "any".
        named = "any" if len(states) == len(State) else _names_of(frozenset(states))
        kind = "deed" if any(one.action is action for one in TRANSITIONS) else "end"
        does.append(Box(action.name, (action.value, f"token: {named}"), kind))
    then = [
        *(Box(state.name, (state.value, WORTH[state]), _kind_of(state)) for state in State),
        Box("END", ("an error", "its cause, and the next command"), "end"),
    ]
    arrows = dict.fromkeys(
        Arrow(one.action.name, one.state.name if one.state else "END") for one in TRANSITIONS
    )
    gives_up = [Arrow(box.name, "END") for box in does if box.kind == "end"]
    return draw_columns(
        "States of a sign-in",
        "To the left what may be done about a token, and the states in which it is done; to the "
        "right the states that may come of it. What ends soon has come to it by time alone.",
        (does, then),
        (*arrows, *gives_up),
        160,
    )


def _kind_of(state: State) -> str:
    return "good" if state is State.PROVEN else "box"


def draw_start() -> str:
    """What the answer to a host's first message may be, and what follows."""
    elsewhere = ", ".join(map(str, sorted(MISMATCH_STATUS - {200})))
    statuses = frozenset[int]().union(*(one.statuses for one in retry.STATUS_READINGS))
    # Above that are those that nobody has standardised.
    waiting = ", ".join(str(status) for status in sorted(statuses) if status < 510)
    stranger, known = retry.STRANGER_PATIENCE, retry.INITIALIZE_PATIENCE
    answers = (
        Box("GOOD", ("an answer of MCP",), "good"),
        Box("ELSEWHERE", ("not here, not like this", elsewhere)),
        Box("REFUSED", ("401", "or 403 for want of a scope")),
        Box("WAIT", ("not ready, or not reached", waiting)),
        Box("OTHER", ("anything else",)),
    )
    follows = (
        Box("RELAY", ("messages are relayed", "what works is remembered"), "good"),
        Box("NEXT", ("the other transport is tried", "HTTP+SSE, or Streamable HTTP"), "deed"),
        Box("SIGN_IN", ("a renewal, or one tab", "with your header: an error"), "deed"),
        Box(
            "AGAIN",
            (f"tried again, up to {known:g} s", f"never reached before: {stranger:g} s"),
            "deed",
        ),
        Box(
            "ERROR",
            (
                "an error with",
                "cause, evidence, next step",
            ),
            "end",
        ),
    )
    ends = (
        Box("ANSWERED", ("the host has its answer",), "good"),
        Box(
            "STANDS_IN",
            (
                f"after {DEFAULT_INITIALIZE_TIMEOUT:g} s answered for it:",
                "the tools of last time,",
                f"or one tool, {SIGN_IN_TOOL}",
            ),
        ),
    )
    arrows = [Arrow("FIRST", box.name) for box in answers]
    arrows += [Arrow(a.name, b.name) for a, b in zip(answers, follows, strict=True)]
    arrows += [
        Arrow("RELAY", "ANSWERED"),
        Arrow("NEXT", "ANSWERED"),
        Arrow("SIGN_IN", "ANSWERED"),
        Arrow("SIGN_IN", "STANDS_IN"),
        Arrow("AGAIN", "STANDS_IN"),
        Arrow("ERROR", "ANSWERED"),
    ]
    first = Box("FIRST", ("the first message", "is sent as it is"))
    return draw_columns(
        "States of a start",
        "The host's first message is sent to the server as it is. By the answer it is relayed, or "
        "the other transport is tried, or a sign-in begins, or it is tried again, or the host gets "
        "an error. A host that would have to wait too long is answered in the server's place.",
        ((first,), answers, follows, ends),
        arrows,
        50,
    )


def floors() -> list[list[list[str]]]:
    """The floors of the package, the roof first, by the contract in `pyproject.toml`.

    Each is a list of neighbours that do not import each other; one of these is a list of parts
    that may.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["containers"] == ["mcp_remote_py"])
    return [[re.findall(r"\w+", neighbour) for neighbour in layer.split("|")] for layer in layers]


FLOORS = {
    "cli": "words, and the exit status",
    "commands": "one start for each command",
    "checking": "the steps of check",
    "relay": "what does I/O: relay, transports, sign-in",
    "credentials": "sealed files, certificates, time, sockets",
    "named_files": "files that a person names, what check saw",
    "eras": "rules of MCP, OAuth, AWS, hosts: pure",
    "jsonrpc": "values and interfaces: pure",
    "errors": "what all may use: pure",
}
"""By a part that is on it, what is on each floor, in a few words."""

PARTS_IN_A_LINE = 6


def draw_house() -> str:
    """The floors, each of which imports those below it only."""
    rows: list[list[Box]] = []
    for floor in floors():
        (words,) = (FLOORS[part] for parts in floor for part in parts if part in FLOORS)
        title = Box(f"FLOOR_{len(rows)}", (words,), "deed")
        rows.append([title, *(Box("+".join(parts), tuple(_lines(parts))) for parts in floor)])
    return draw_floors(
        "The house",
        "The floors of the package, the roof first. Imports point down only; boxes beside each "
        "other do not import each other.",
        rows,
    )


def _lines(parts: list[str]) -> list[str]:
    return [
        ", ".join(parts[place : place + PARTS_IN_A_LINE])
        for place in range(0, len(parts), PARTS_IN_A_LINE)
    ]


PICTURES = {
    "start": draw_start,
    "sign-in": draw_sign_in,
    "never-a-loop": draw_policy,
    "house": draw_house,
}
"""By the name of the file in docs/pictures, who draws it."""
