"""Plays the story of every host: `scripts/test --interop --hosts NAMES`, or `all`.

Prints what came of it and writes it into `hosts.json`, from which docs/hosts.md is made. Exit
status 1 where a step failed. How a host treats its child is seen by `witness`. Must not know any
step.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.interop import witness
from tests.interop.host_story import FAILED, play
from tests.interop.record import write_record
from tests.interop.versions import of_fastmcp, of_npm, of_pypi
from tests.real.configuration import write
from tests.real.hosts import HOSTS, PATIENCE, CommandLineHost, RealHost, at_work
from tests.real.installation import (
    INTEROP,
    NODE_MODULES,
    install_fastmcp,
    install_node_packages,
)

RESULTS = Path(__file__).parent / "hosts.json"

THIN = {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}
"""What is handed on by hosts on the official SDKs (Linux)."""
ENDS = {"stdin closed": "stdin is closed", "SIGINT": "SIGINT", "SIGTERM": "SIGTERM"}
"""How a host begins to end its child, in its record and in words."""
GIVEN_UP = "given up by us"
"""The last moment of a start whose host did not end by itself."""


def version_of(host: type[RealHost]) -> str:
    """Package and version."""
    npm = {
        "mcporter": ("mcporter", NODE_MODULES),
        "inspector": ("@modelcontextprotocol/inspector", INTEROP / "node_modules"),
        "typescript-sdk": ("@modelcontextprotocol/sdk", NODE_MODULES),
        "typescript-client": ("@modelcontextprotocol/client", NODE_MODULES),
    }
    if host.name in npm:
        name, folder = npm[host.name]
        return of_npm(name, folder)
    return of_fastmcp() if host.name == "fastmcp" else of_pypi("mcp")


def watch(host: type[RealHost], folder: Path, mode: str) -> list[list[dict[str, Any]]]:
    """What the witness wrote of each start: surroundings, then what happened; last, `alive`."""
    folder.mkdir(parents=True)
    record = folder / "record"
    words = [witness.__file__, str(record), mode]
    known = {"command": sys.executable, "args": words, "env": {"NAMED_IN_ENV": "1"}}
    config = write(folder, {"server": known})
    ended = True
    try:
        with at_work(host, config, folder / "home") as one, contextlib.suppress(AssertionError):
            one.call("server", "echo")
    except subprocess.TimeoutExpired:
        ended = False  # the host was, by us
    return read_starts(record, ended=ended)


def read_starts(record: Path, *, ended: bool) -> list[list[dict[str, Any]]]:
    """What the witness wrote into that file; `ended` tells whether the host did by itself."""
    starts: list[list[dict[str, Any]]] = []
    for line in record.read_text().splitlines():
        found = json.loads(line)
        if "environment" in found:
            starts.append([])
        starts[-1].append(found)
    text = record.with_suffix(".alive").read_text()
    starts[-1].append({"at": float(text), "what": "alive" if ended else GIVEN_UP})
    return starts


def when(events: list[dict[str, Any]], what: str) -> float | None:
    """The first moment of it."""
    return next((one["at"] for one in events if one.get("what") == what), None)


def tell_end(events: list[dict[str, Any]]) -> str:
    """How a child that does not end was ended."""
    begun = min(one["at"] for one in events if one.get("what") in ENDS)
    names = {**ENDS, "alive": "killed"}
    seen = {name: at - begun for name in names for at in (when(events, name),) if at is not None}
    # It is the last of all, even if it was seen alive a moment before the others.
    seen |= {"alive": max(seen.values())}
    ordered = sorted(seen, key=lambda name: seen[name])
    return ", ".join(
        names[name] + (f" after {seen[name]:.1f} s" if seen[name] > 0.2 else "") for name in ordered
    )


def tell_patience(starts: list[list[dict[str, Any]]]) -> str:
    """How long an answer is waited for."""
    told: list[str] = []
    for number, events in enumerate(starts):
        asked = [one for one in events if one.get("what") in ("server/discover", "initialize")]
        ends = [one["at"] for one in events if one.get("what") in ENDS]
        last = min(ends, default=PATIENCE)
        for one, following in zip(asked, [*asked[1:], None], strict=True):
            waited = (following["at"] if following else last) - one["at"]
            # The witness ended first, or we did.
            is_endless = not ends or when(events, GIVEN_UP) is not None
            is_open = following is None and is_endless
            limit = "no limit seen" if is_open else f"{waited:.0f} s"
            told.append(f"`{one['what']}` {limit}")
        if number + 1 < len(starts):
            told.append("a new start")
    return ", ".join(told)


def treatment(host: type[RealHost], folder: Path) -> dict[str, str]:
    """What the host hands to its child, and how it leaves it."""
    with ThreadPoolExecutor(2) as pool:
        watching = [pool.submit(watch, host, folder / one, one) for one in ("stubborn", "silent")]
        stubborn, silent = (one.result() for one in watching)
    given = stubborn[-1][0]
    names = set(given["environment"]) - {"NAMED_IN_ENV"}
    assert "NAMED_IN_ENV" in given["environment"], given
    places = {
        str(folder / "stubborn"): "that of the config file",
        str(folder / "stubborn" / "home"): "its own",
    }
    return {
        "environment": "six variables" if names == THIN else "all of its own",
        "folder": places.get(given["folder"], "its own"),
        "stderr": given["stderr"] if issubclass(host, CommandLineHost) else "its own",
        "end": tell_end(stubborn[-1]),
        "patience": tell_patience(silent),
    }


def play_one(name: str) -> dict[str, Any]:
    """All that is seen of one host."""
    host = HOSTS[name]
    with tempfile.TemporaryDirectory(prefix="h") as scratch:
        return {
            "version": version_of(host),
            "steps": [asdict(one) for one in play(host, Path(scratch, "story"))],
            "treatment": treatment(host, Path(scratch, "witness")),
        }


def main(names: Sequence[str]) -> int:
    """Exit status."""
    # What is started inherits it where it is ignored, as it is behind a shell's `&`.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    install_node_packages()
    install_node_packages(INTEROP)
    install_fastmcp()
    status = 0
    # Two at a time: what takes long is to wait.
    with ThreadPoolExecutor(2) as pool:
        for name, found in zip(names, pool.map(play_one, names), strict=True):
            status |= show(name, found)
            results = {**read_results(), name: found}
            ordered = {one: results[one] for one in HOSTS if one in results}
            write_record(RESULTS, ordered)
    return status


def read_results() -> dict[str, Any]:
    """What the last runs have seen, by host."""
    found: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    return found


def show(name: str, found: dict[str, Any]) -> int:
    """Prints what was seen of a host; 1 where a step failed."""
    print(f"{name} · {found['version']}")
    for one in found["steps"]:
        print(f"    {one['result']:6} {one.pop('seconds'):6.2f} s  {one['step']}: {one['words']}")
    for what, seen in found["treatment"].items():
        print(f"    {what}: {seen}", flush=True)
    return int(any(one["result"] == FAILED for one in found["steps"]))
