"""What `check` said of each fault, kept in `faults.json`, and the table that `docs/check.md` shows.

`python -m tests.checking.record` plays every fault with the command as a process of its own, and
writes the record; the test holds each word of it against what is said now. Must not know a fault.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.checking.faults import FAULTS, Fault, Told, has_secrets, play, run_process, says
from tests.checking.talking import IN_TIME
from tests.interop.record import write_record

RECORD = Path(__file__).parent / "faults.json"

CHANGING = (
    (r"\b([Pp]ort) \d{4,5}\b", r"\1 PORT"),
    (r"(127\.0\.0\.1|localhost):\d{4,5}\b", r"\1:PORT"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE"),
    (r"\b\d{4} days", "MANY days"),
)
"""What comes out otherwise each time, and what stands for it."""


def mask(text: str) -> str:
    """Without what differs from run to run."""
    for pattern, words in CHANGING:
        text = re.sub(pattern, words, text)
    return text


def make_entry(told: Told) -> dict[str, Any]:
    """The words of a verdict, with the title of the step that decides and the names of all."""
    verdict = told.json["verdict"]
    titles = {step["name"]: step["title"] for step in told.json["steps"]}
    words = {name: mask(verdict[name]) for name in ("said", "hint", "command")}
    return {"step": titles[verdict["step"]], **words, "steps": list(titles)}


def find_wrong(fault: Fault, told: Told) -> list[str]:
    """What is not as it has to be."""
    verdict = told.json["verdict"]
    wrong = {
        f"step {verdict['step']}": verdict["step"] != fault.step,
        f"status {told.status}": not told.status == verdict["status"] == fault.status,
        f"said {verdict['said']}": not says(verdict["said"], fault.said),
        f"next {verdict['hint']}": not says(verdict["hint"], fault.then),
        f"without a next step: {verdict['said']}": not verdict["hint"] and not verdict["command"],
        f"late: {told.seconds:.1f} s": told.seconds > IN_TIME,
        f"{told.asked} requests of a sign-in": told.asked > 0,
        "a secret": has_secrets(told),
        "an escape": "\x1b" in told.text,
    }
    return [words for words, is_so in wrong.items() if is_so]


def read_record() -> Mapping[str, Mapping[str, Any]]:
    """By the name of the fault, its entry and `seconds`."""
    known: Mapping[str, Mapping[str, Any]] = json.loads(RECORD.read_text(encoding="utf-8"))
    return known


def render() -> str:
    """The table."""
    lines = [
        "| When | Step | `check` says, and what to do | After |",
        "| --- | --- | --- | ---: |",
    ]
    for name, seen in read_record().items():
        command = seen["command"].replace("http://127.0.0.1:PORT", "https://mcp.example.com")
        following = f"Next: `{command}`" if command else ""
        hint = f"*{_escape(seen['hint'])}*" if seen["hint"] else ""
        told = " ".join(part for part in (_escape(seen["said"]), hint, following) if part)
        lines.append(f"| {FAULTS[name].what} | {seen['step']} | {told} | {seen['seconds']:.1f} s |")
    return "\n".join(lines)


def _escape(text: str) -> str:
    return re.sub(r"([*<>|\\_`])", r"\\\1", text)


def main() -> int:
    """Exit status 0, or 1 where a fault was not told as it has to be."""
    record: dict[str, Any] = {}
    status = 0
    for name, fault in FAULTS.items():
        with tempfile.TemporaryDirectory() as folder:
            told = play(fault, Path(folder, "home"), run_process)
        if wrong := find_wrong(fault, told):
            status = 1
            sys.stdout.write(f"{name}: {'; '.join(wrong)}\n")
        record[name] = make_entry(told) | {"seconds": told.seconds}
        sys.stdout.write(f"{name}: {told.seconds:.1f} s\n")
    write_record(RECORD, record)
    return status


if __name__ == "__main__":
    sys.exit(main())
