"""What was seen, kept in `results.json`, and the tables that `docs/networks.md` makes of it.

Must not play anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.networks import rows_proxies, rows_servers
from tests.interop.networks.world import Row, Seen, Told
from tests.interop.record import write_record

RESULTS = Path(__file__).parent / "results.json"

OURS, PEER = "mcp-remote-py", "mcp-remote 0.15.1"

GROUPS: Mapping[str, Sequence[Row]] = {
    "proxies": rows_proxies.ROWS,
    "nginx": rows_servers.NGINX,
    "haproxy": rows_servers.HAPROXY,
    "addresses": rows_servers.ADDRESSES,
}
"""The pieces of the document."""

ALL = tuple(row for rows in GROUPS.values() for row in rows)

ENDED = "(ended) "
"""Before the last words of a command that ended."""

LONGEST_WORDS = 160
"""Characters of what another command says: pages of HTML are among it."""


@dataclass(frozen=True)
class Cell:
    """What came of a row with one command: right, how long it took, and what was read or wrong."""

    is_right: bool
    seconds: float
    words: str
    notes: Sequence[str]


def make_cell(seen: Seen, faults: Sequence[str]) -> Cell:
    """The cell of what was seen."""
    words = seen.errors[-1] if seen.errors else "; ".join(faults)
    return Cell(not faults, round(seen.slowest, 1), mask(words), [mask(one) for one in seen.notes])


def mask(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"(127\.0\.0\.1|localhost|mcp\.example):\d{4,5}\b", r"\1:PORT", text)
    text = re.sub(r"(?<![\w:/])(?:/[\w.-]+)+/([\w-]+\.\w+)", r"\1", text)
    text = re.sub(r"\[\d{3,}\] |\b[0-9A-F]{16}:", "", text)  # a process, a thread
    return " ".join(text.split())


def read_cells() -> dict[str, dict[str, Any]]:
    """What is known so far: by row, by command."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}


def keep(command: str, cells: Mapping[str, Cell]) -> None:
    """Keeps these beside those that are known, of rows that there are."""
    known = read_cells()
    for key, cell in cells.items():
        known.setdefault(key, {})[command] = vars(cell)
    ordered = {row.key: known[row.key] for row in ALL if row.key in known}
    write_record(RESULTS, ordered)


def render(group: str) -> str:
    """One table."""
    cells = read_cells()
    lines = [
        f"| What stands between | What to write, or to do | {OURS} | {PEER} |",
        "|---|---|---|---|",
    ]
    for row in GROUPS[group]:
        seen = cells.get(row.key, {})
        ours = _render_cell(row, seen.get(OURS), is_ours=True)
        peer = _render_cell(row, seen.get(PEER), is_ours=False)
        config = row.config
        if config.startswith(('"', "--")) and "`" not in config:
            config = f"`{config}`"
        lines.append(f"| {row.between} | {config} | {ours} | {peer} |")
    return "\n".join(lines)


def _render_cell(row: Row, cell: Mapping[str, Any] | None, *, is_ours: bool) -> str:
    if cell is None:
        return "not played"
    took = f"{cell['seconds']:.1f} s"
    words = cell["words"].replace("|", "\\|").replace("<", "&lt;")
    is_long = len(words) > LONGEST_WORDS and not is_ours
    words = words[:LONGEST_WORDS] + "…" if is_long else words
    verb = "says"
    if words.startswith(ENDED):
        words, verb = words.removeprefix(ENDED), "ends"
    if not cell["is_right"]:
        return f"**no**: {words}"
    if isinstance(row.right, Told):
        return f"{verb} after {took}: {words}"
    notes = "".join(f"; {note}" for note in cell["notes"])
    lost = f"; one that met the end of its connection: {words}" if words else ""
    return f"works, {took}{notes}{lost}"
