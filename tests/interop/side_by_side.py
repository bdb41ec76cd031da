"""Looks at what four command lines print, and writes it down: `tests/side_by_side.json`.

`python -m tests.interop.side_by_side gh=/usr/bin/gh uv=uv llm=llm httpie=http` starts each with the
words of `tests/side_by_side.py`, at terminals of 80 columns. What their READMEs say was read by
people, and stays as it is. Not a part of the gate. POSIX.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from datetime import UTC, datetime

from tests.side_by_side import AWAY, KINDS, RECORD, Printed, measure, read_record

PATIENCE = 20.0
"""Seconds for a run; who has said nothing until then waits for input."""

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


def open_terminal() -> tuple[int, int]:
    """Our end and that of a program, which has 80 columns and leaves line ends alone."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    return ours, theirs


def run(command: list[str], home: str) -> Printed:
    """At three terminals, so that it is seen where something is written."""
    pairs = [open_terminal() for _ in range(3)]
    surroundings = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "PAGER": "cat",
        "GH_TOKEN": "x",
        "GH_NO_UPDATE_NOTIFIER": "1",
        "OPENAI_BASE_URL": f"{AWAY}/v1",
    }
    stdin, stdout, stderr = (theirs for _, theirs in pairs)
    process = subprocess.Popen(
        command,
        cwd=home,
        env=surroundings,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    for _, theirs in pairs:
        os.close(theirs)
    said = {pairs[1][0]: b"", pairs[2][0]: b""}
    live, end = set(said), time.monotonic() + PATIENCE
    while live and time.monotonic() < end:
        for one in select.select(list(live), [], [], 1)[0]:
            data = b""
            with contextlib.suppress(OSError):
                data = os.read(one, 1 << 16)
            said[one] += data
            if not data:
                live.discard(one)
    if live:
        process.kill()
    status = process.wait(PATIENCE)
    for ours, _ in pairs:
        os.close(ours)
    output, errors = (ESCAPES.sub("", one.decode(errors="replace")) for one in said.values())
    return Printed(None if live else status, output, errors)


def main() -> int:
    """Writes the record anew for the programs that are named."""
    record = read_record() if RECORD.exists() else {}
    for word in sys.argv[1:]:
        name, _, path = word.partition("=")
        with tempfile.TemporaryDirectory() as home:
            said = run([path, "--version"], home).stdout
            version = re.search(r"\d+\.\d+[\d.]*", said)
            seen = {
                kind.name: measure(kind, name, run([path, *words.split()], home))
                for kind in KINDS
                if (words := kind.words[name]) is not None
            }
        record[name] = {
            **record.get(name, {}),
            "version": version[0] if version else "",
            "day": datetime.now(UTC).date().isoformat(),
            "seen": seen,
        }
        sys.stdout.write(f"{name} {record[name]['version']}\n")
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
