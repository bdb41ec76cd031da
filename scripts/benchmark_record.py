"""What was measured, kept in benchmark.json, and the pieces of docs/performance.md made of it.

Must not measure anything.
"""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parent / "benchmark.json"


def read_record() -> dict[str, Any]:
    """`comparison`: the last one; `history`: the gate's ratios, a row for each that was kept."""
    return json.loads(RECORD.read_text("utf-8"))


def keep_comparison(machine: str, rounds: int, table: str, failures: Sequence[str]) -> None:
    """Keeps it in the place of the last one; `failures` are sentences, each kept once."""
    record = read_record()
    record["comparison"] = {
        "day": _today(),
        "machine": machine,
        "rounds": rounds,
        "table": table.splitlines(),
        "failures": list(dict.fromkeys(failures)),
    }
    _write(record)


def keep_ratios(what: str, ratios: dict[str, float]) -> None:
    """Adds a row to the history; `what` says of which state it is."""
    record = read_record()
    row = {name: round(ratio, 2) for name, ratio in ratios.items()}
    record["history"].append({"day": _today(), "state": what, **row})
    _write(record)


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _write(record: dict[str, Any]) -> None:
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8", newline="\n")


def render_comparison() -> str:
    """The last one, as it was printed."""
    seen = read_record()["comparison"]
    failures = "".join(f"\n- {failure}" for failure in seen["failures"])
    return (
        f"{seen['day']}, {seen['machine']}: the median [least-most] of {seen['rounds']} rounds; "
        "ratio: ours by theirs in the same round. Less is better, where (\\*) more.\n\n"
        + "\n".join(line.replace("(*)", "(\\*)") for line in seen["table"])
        + (f"\n{failures}" if failures else "")
    )


def render_history() -> str:
    """A row for each state that was measured, the newest last."""
    rows = read_record()["history"]
    names = [name for name in rows[-1] if name not in ("day", "state")]
    lines = [f"| Day | State | {' | '.join(names)} |", f"|{' --- |' * 2}{' ---: |' * len(names)}"]
    for row in rows:
        figures = " | ".join(f"{row[name]:.2f}" if name in row else "-" for name in names)
        lines.append(f"| {row['day']} | {row['state']} | {figures} |")
    return "\n".join(lines)
