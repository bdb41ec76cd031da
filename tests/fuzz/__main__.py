"""Runs targets for as long as one likes, led by coverage: `scripts/fuzz http1 600`.

libFuzzer, by atheris, begins with the corpus and keeps what reaches new lines in `.fuzz/TARGET`. A
fault does not end the run: of each kind, told by where it was raised, the shortest input is kept in
`.fuzz/faults/TARGET`. Mend the program, then put that file into `tests/fuzz/corpus/TARGET`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import logging
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
WORK = ROOT / ".fuzz"

MAX_SECONDS = 2.0
"""CPU time of one input, with what coverage costs: a longer one is a fault."""

MAX_MEGABYTES = 2048

INTERRUPTED = 72
"""How libFuzzer ends where a person ends it."""


def main() -> int:
    """Whether no fault was found."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("target", help="a name, or all")
    parser.add_argument("seconds", type=int, help="for each target")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.child:
        fuzz(words.target, words.seconds)
        return 0
    from tests.fuzz.targets import TARGETS

    names = [one.name for one in TARGETS if words.target in (one.name, "all")]
    if not names:
        parser.error(f"targets are {', '.join(one.name for one in TARGETS)}, all")
    # Ctrl-C reaches the child, too, which ends with what it has; after that one, no other begins.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    failed = False
    for name in names:
        ended, is_good = play(name, words.seconds)
        failed |= not is_good
        if ended == INTERRUPTED:
            break
    return int(failed)


def play(name: str, seconds: int) -> tuple[int, bool]:
    """Plays one target in a process of its own, and tells what came out.

    How the process ended, and whether that is well and nothing was found.
    """
    faults = WORK / "faults" / name
    faults.mkdir(parents=True, exist_ok=True)
    before = set(faults.glob("*"))
    child = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, str(seconds), "--child"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    (WORK / f"{name}.log").write_text(child.stderr, encoding="utf-8")
    runs = re.findall(r"number_of_executed_units:\s*(\d+)", child.stderr)
    edges = re.findall(r"cov: (\d+)", child.stderr)
    found = set(faults.glob("*")) - before
    found |= {faults / kind for kind in re.findall(r"^FAULT (.*)", child.stderr, re.MULTILINE)}
    print(
        f"{name}: {runs[-1] if runs else '?'} inputs in {seconds} s, {edges[-1] if edges else '?'}"
        f" edges, {len(found)} kinds of faults"
        + ("" if child.returncode == 0 else f", ended with {child.returncode}: .fuzz/{name}.log"),
        flush=True,
    )
    for path in sorted(found):
        print(f"  {path.relative_to(ROOT)}")
    return child.returncode, not found and child.returncode == 0


def fuzz(name: str, seconds: int) -> None:
    """Does not return."""
    atheris: Any = importlib.import_module("atheris")  # has no types, and is not in the lock

    # To the end: much of the program is imported where it is first needed.
    with atheris.instrument_imports(include=["mcp_remote_py"]):
        _fuzz(atheris, name, seconds)


def _fuzz(atheris: Any, name: str, seconds: int) -> None:
    from tests.fuzz.targets import MAX_INPUT_BYTES, TARGETS

    (target,) = (one for one in TARGETS if one.name == name)
    logging.getLogger("mcp_remote_py").addHandler(logging.NullHandler())
    logging.getLogger("mcp_remote_py").propagate = False
    reached, faults = WORK / name, WORK / "faults" / name
    for folder in (reached, faults):
        folder.mkdir(parents=True, exist_ok=True)
    for content in target.inputs():
        (reached / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    words = WORK / f"{name}.words"
    words.write_text(
        "".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in one)}"\n' for one in target.words)
    )
    atheris.Setup(
        [
            name,
            str(reached),
            f"-max_total_time={seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-dict={words}",
            f"-artifact_prefix={faults}/",
            f"-rss_limit_mb={MAX_MEGABYTES}",
            "-timeout=60",
            "-print_final_stats=1",
            "-verbosity=1",
        ],
        keeping(target.check, faults),
    )
    atheris.Fuzz()


def keeping(check: Callable[[bytes], None], faults: Path) -> Callable[[bytes], None]:
    """The check, of whose faults the shortest input of each kind is kept, and told once."""
    told: set[str] = set()

    def take(data: bytes) -> None:
        began = time.process_time()
        try:
            check(data)
        except Exception as error:
            where = [
                f"{Path(frame.filename).name}_{frame.lineno}"
                for frame in traceback.extract_tb(error.__traceback__)
                if "mcp_remote_py" in frame.filename or "tests" in frame.filename
            ][1:]
            keep(f"{type(error).__name__}-{'-'.join(where[-4:])}", data, traceback.format_exc())
            return
        if time.process_time() - began > MAX_SECONDS:
            keep("slow", data, "")

    def keep(kind: str, data: bytes, trace: str) -> None:
        path = faults / kind
        if not path.exists() or len(path.read_bytes()) > len(data):
            path.write_bytes(data)
        if kind not in told:
            told.add(kind)
            sys.stderr.write(f"FAULT {kind}\n{trace}\n")

    return take


if __name__ == "__main__":
    sys.exit(main())
