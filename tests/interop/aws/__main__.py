"""Plays the AWS rows: `python -m tests.interop.aws [--tables T] [--commands C] [--only TEXT]`.

Prints a table of Markdown for each kind, commands side by side. Exit status 1 where ours failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.interop.aws.article import ARTICLE
from tests.interop.aws.cases import BAD_MOODS, NAMES, REFUSALS, STORY, Bad, Case
from tests.interop.aws.cloud import running_cloud
from tests.interop.aws.relays import RELAYS, Relay
from tests.interop.aws.running import running_gate
from tests.interop.aws.stage import Desk

TABLES = {
    "Story": STORY,
    "Article": ARTICLE,
    "Names": NAMES,
    "Refusals": REFUSALS,
    "Moods": BAD_MOODS,
}


def play(case: Case, relay: Relay) -> tuple[bool, str]:
    """Whether it is as it should be, and what was seen."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aws-")))
        try:
            cloud = stack.enter_context(running_cloud(scratch)) if case.cloud else None
            options = () if cloud is None else ("--endpoint", cloud.url)
            gate = stack.enter_context(running_gate(case.product, *options))
            return True, case.play(Desk(gate, relay, scratch / "home", options=options))
        except Bad as bad:
            return False, str(bad)
        except AssertionError as error:
            return False, str(error)[:400]


def cell(is_good: bool, words: str) -> str:
    """As Markdown has it."""
    text = " ".join(words.split()).replace("|", "\\|").replace("⏎", "<br>")
    return text if is_good else f"✗ {text}"


def say(line: str) -> None:
    """At once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.aws")
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--commands", default=",".join(RELAYS))
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    tools = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
    relays = [RELAYS[name] for name in arguments.commands.split(",")]
    status = 0
    for table in arguments.tables.split(","):
        say(f"\n## {table}\n\n| | {' | '.join(relay.name for relay in relays)} |")
        say("|---" * (len(relays) + 1) + "|")
        for case in TABLES[table]:
            if arguments.only not in case.name:
                continue
            cells: list[str] = []
            for relay in relays:
                is_good, words = play(case, relay)
                cells.append(cell(is_good, words))
                if not is_good and relay is RELAYS["ours"]:
                    status = 1
            say(f"| {case.name} | {' | '.join(cells)} |")
    return status


if __name__ == "__main__":
    sys.exit(main())
