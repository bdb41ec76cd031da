"""What is said of an entry before its server is asked: whether its host can start it. Pure.

Must not know files, nor how a program is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict, tell_step
from mcp_remote_py.exit_status import DONE_STATUS, FAILED_STATUS, INTERRUPTED_STATUS
from mcp_remote_py.settings.check import EntryStart

ENTRY_STEP = "entry"
"""Name of the step."""

_TITLE = "Entry"

_PACKAGES = {True: ("mcp-remote", "npm"), False: ("mcp-remote-py", "PyPI")}
"""By whether it is npm's: what is started, and where that is."""


def describe_start(start: EntryStart) -> CheckStep:
    """Whether the host can start it; what is worth a word beside that."""
    fault = _find_fault(start)
    notes = [said for said, _ in _list_notes(start)]
    evidence = [f"file: {start.path}", f"command: {start.command}"]
    if start.found:
        evidence.append(f"is: {start.found}")
    if fault:
        hint = f"Write it again: {start.install}"
        step = tell_step(ENTRY_STEP, _TITLE, StepState.FAILED, fault, (*evidence, *notes), hint)
        return step.replace(command=start.install)
    if not notes:
        said = f"{start.host} can start it: {start.command}."
        return tell_step(ENTRY_STEP, _TITLE, StepState.PASSED, said, evidence)
    hint = " ".join(hint for _, hint in _list_notes(start) if hint)
    step = tell_step(ENTRY_STEP, _TITLE, StepState.NOTED, " ".join(notes), evidence, hint)
    return step.replace(command=start.install if hint.endswith(start.install) else "")


def _find_fault(start: EntryStart) -> str:
    """Why the host cannot start it; "" where nothing is known against it."""
    cannot = f"{start.host} cannot start this"
    program, _, _ = start.command.strip().partition(" ")
    if start.is_one_line:
        return (
            f'{cannot}: "command" holds the whole line. Only {program} belongs there, and the rest '
            'into "args".'
        )
    package, home = _PACKAGES[start.is_npm]
    if start.runner and start.runner != home:
        return f"{cannot}: {start.command} fetches from {start.runner}, and {package} is on {home}."
    if start.found or "${" in start.command:
        return ""  # a variable there is the host's own
    is_path = "/" in start.command or "\\" in start.command
    if not is_path:
        return f"{cannot}: the program {start.command} was not found in PATH."
    if start.is_there:
        return f"{cannot}: {start.command} is not a program that may be run."
    return f"{cannot}: {start.command} does not exist."


def _list_notes(start: EntryStart) -> Iterator[tuple[str, str]]:
    """What is worth a word, and what to do."""
    if start.switched_off:
        yield f"It is switched off in {start.host} ({start.switched_off}).", ""
    if start.lines:
        *before, last = [str(one) for one in start.lines]
        yield (
            f'"{start.name}" is more than once in {start.path} (lines {", ".join(before)} and '
            f"{last}). Hosts use the last.",
            "Delete the others.",
        )
    if start.is_npm:
        yield (
            "It starts npm's mcp-remote. This check used mcp-remote-py.",
            f"To change the entry: {start.install}",
        )


def blame_start(step: CheckStep, verdict: Verdict) -> Verdict:
    """The verdict where the host cannot start the entry, whatever the server said."""
    if step.state is not StepState.FAILED or verdict.status == INTERRUPTED_STATUS:
        return verdict
    others: Mapping[bool, str] = {
        True: "The server itself works.",
        False: f"And then: {verdict.said}",
    }
    hint = f"{others[verdict.status == DONE_STATUS]} Write the entry again."
    return Verdict(ENTRY_STEP, step.said, hint, step.command, FAILED_STATUS)
