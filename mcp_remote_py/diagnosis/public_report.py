"""What a check has seen as Markdown for a public bug report: without secrets, and without a person.

Pure. Must not know files, nor where it is told what this machine is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mcp_remote_py.diagnosis.report import MARKS
from mcp_remote_py.diagnosis.steps import CheckStep, Verdict
from mcp_remote_py.errors import UsageError, one_line
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import scrub_known
from mcp_remote_py.values import Value

LOOK_OVER = (
    "Before you post it, look over the addresses, the names of servers and accounts, and the words "
    "that servers said: secrets are masked, but only you know what else is private."
)
"""What a person has to do with it."""

NO_PERSON = "~"
"""What stands for the home folder and for the name of the user."""

_NOBODY = frozenset({"root", "user", "admin", "administrator"})
"""Names of users that are words, and say nothing of a person."""


class ReportedMachine(Value, frozen=True):
    """What is told of the machine, and what is not."""

    version: str
    """Ours."""
    python: str
    system: str
    home: str = ""
    users: tuple[str, ...] = ()
    """The names of the user: with `home` they are masked."""


def hide_person(text: str, around: ReportedMachine) -> str:
    """`text` without the home folder and the name of the user."""
    homes = {around.home.rstrip("/\\"), around.home.rstrip("/\\").replace("\\", "/")}
    for home in sorted(homes, key=len, reverse=True):
        if len(home) > 1:
            text = re.sub(rf"{re.escape(home)}(?![\w.-])", NO_PERSON, text, flags=re.IGNORECASE)
    for user in around.users:
        if user and user.lower() not in _NOBODY:
            pattern = rf"(?<![A-Za-z0-9]){re.escape(user)}(?![A-Za-z0-9])"
            text = re.sub(pattern, NO_PERSON, text, flags=re.IGNORECASE)
    return text


def write_report(
    around: ReportedMachine,
    server: str,
    words: Sequence[str],
    steps: Sequence[CheckStep],
    verdict: Verdict,
) -> str:
    """The report; `server` is masked, and so are the `words` behind it in an entry."""
    lines = _list_report(around, server, words, steps, verdict)
    return hide_person(scrub_known("\n".join(lines)), around) + "\n"


def explain_no_report(path: str, error: OSError, *, is_folder: bool) -> UsageError:
    """Why the file of the report cannot be made, and what to give instead."""
    if is_folder or isinstance(error, IsADirectoryError):
        name = path.rstrip("/\\")
        return UsageError(
            one_line(f"The report cannot be written: {path} is the name of a folder."),
            hint=one_line(f"Name a file in it: --report {name}/report.md"),
        )
    if isinstance(error, FileExistsError):
        return UsageError(
            one_line(f"{path} is there already, and is not overwritten."),
            hint="Give --report the name of a new file.",
        )
    if isinstance(error, FileNotFoundError):
        return UsageError(
            one_line(f"The report cannot be written to {path}: its folder is not there."),
            hint="Make the folder first, or give --report the name of a file in another one.",
        )
    return UsageError(
        one_line(f"The report cannot be written to {path}: {error.strerror}."),
        hint="Give --report the name of a new file in a folder where you may write.",
    )


def _list_report(
    around: ReportedMachine,
    server: str,
    words: Sequence[str],
    steps: Sequence[CheckStep],
    verdict: Verdict,
) -> Iterator[str]:
    yield "# mcp-remote-py check"
    yield ""
    yield f"- mcp-remote-py {around.version}"
    yield f"- Python {around.python}"
    yield f"- {around.system}"
    yield f"- server: {_code(server)}"
    yield f"- options: {' '.join(_code(word) for word in words) or 'none'}"
    yield ""
    yield "## Verdict"
    yield ""
    yield _plain(f"{verdict.said} {verdict.hint}")
    if verdict.command:
        yield ""
        yield f"Next: {_code(verdict.command)}"
    yield ""
    yield "## Steps"
    for step in steps:
        yield ""
        took = "" if step.seconds is None else f" ({step.seconds:.2f} s)"
        yield f"### {MARKS[step.state][0]}: {step.title}{took}"
        yield ""
        yield _plain(step.said)
        if step.evidence:
            yield ""
            yield from (f"    {one_line(line)}" for line in step.evidence)
        if step.hint:
            yield ""
            yield _plain(step.hint)


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39))}`"


def _plain(text: str) -> str:
    """Foreign words are not to become markup, mention people, nor lead anywhere.

    A backslash keeps a forge from the first alone: it looks for mentions and references in the text
    that comes out of the markup, and only what is code is left alone.
    """
    text = one_line(text)
    return _code(text) if _LIVELY.search(text) else re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


_LIVELY = lazy_pattern(r"[@#!~%$&\"`]|://|www\.|\bGH-[0-9]", re.IGNORECASE)
"""What foreign words are quoted with, and what a forge makes mentions, references and links of."""
