"""What was seen, kept in `results.json`, and the tables that `docs/systems.md` makes of it.

Must not play anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.interop import catalogue
from tests.interop.commands import COMMANDS
from tests.interop.record import write_record
from tests.interop.story import ABSENT, FAILED, STEPS, UNREACHED, Outcome, scrub

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Row:
    """One system played with one command.

    Attributes:
        versions: of the system, as "package version".
        command: the command, as "package version".
        day: when it was.
    """

    versions: Sequence[str]
    command: str
    day: str
    outcomes: Sequence[Outcome]


Rows = Mapping[tuple[str, str], Row]
"""By the system's key and the command's name."""


def read_rows() -> dict[tuple[str, str], Row]:
    """What is known so far."""
    if not RESULTS.exists():
        return {}
    found: dict[tuple[str, str], Row] = {}
    for one in json.loads(RESULTS.read_text("utf-8")):
        outcomes = [Outcome(**outcome) for outcome in one["outcomes"]]
        row = Row(one["versions"], one["command"], one["day"], outcomes)
        found[one["system"], one["name"]] = row
    return found


def write_rows(rows: Rows) -> None:
    """Keeps those of systems that there are, in the order of the table."""
    ordered = [
        {"system": system.key, "name": name, **asdict(rows[system.key, name])}
        for system in catalogue.SYSTEMS
        for name in COMMANDS
        if (system.key, name) in rows
    ]
    write_record(RESULTS, ordered)


def failures(rows: Rows, name: str) -> list[str]:
    """The steps of that command that failed, as "system: step"."""
    return [
        f"{key}: {one.step}: {one.words}"
        for (key, of_command), row in rows.items()
        if of_command == name
        for one in row.outcomes
        if one.result == FAILED
    ]


def render_systems() -> str:
    """What was started, in which versions, and which rows are in the gate."""
    rows = read_rows()
    lines = [("System", "Versions", "In `scripts/test`")]
    for system in catalogue.SYSTEMS:
        played = [row for (key, _), row in rows.items() if key == system.key]
        if played:
            gate = "yes" if system.gate else ""
            lines.append((system.name, ", ".join(played[0].versions), gate))
    return _table(lines)


def render_story(name: str) -> str:
    """System by step for one command: seconds, or a note."""
    rows = read_rows()
    notes: list[str] = []

    def cell(outcome: Outcome | None) -> str:
        if outcome is None:
            return "**not played**"
        if outcome.result not in (ABSENT, FAILED):
            if outcome.step == "sign in":  # which took place during `connect`
                return outcome.words.partition(",")[0]
            return f"{outcome.seconds:.1f} s"
        if outcome.words == UNREACHED:
            return "not reached"
        if outcome.words not in notes:
            notes.append(outcome.words)
        word = "**failed**" if outcome.result == FAILED else "-"
        return f"{word} <sup>{notes.index(outcome.words) + 1}</sup>"

    lines = [("System", *(step for step, _ in STEPS))]
    versions: set[str] = set()
    for system in catalogue.SYSTEMS:
        row = rows.get((system.key, name))
        if row is not None:
            versions.add(f"{row.command}, {row.day}")
            known = {one.step: one for one in row.outcomes}
            first = known.get("start")
            cells = [cell(first or known.get(step)) for step, _ in STEPS]
            lines.append((system.name, *cells))
    told = [f"<sup>{number}</sup> {_escape(words)}" for number, words in enumerate(notes, 1)]
    return "\n\n".join((f"{'; '.join(sorted(versions))}.", _table(lines), "<br>\n".join(told)))


def _escape(words: str) -> str:
    return scrub(words).replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _table(lines: Sequence[Sequence[str]]) -> str:
    head, *rows = lines
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in (head, ("---",) * len(head), *rows)
    )
