"""Answers the commands about the program alone: help and completion.

Must not know settings.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from mcp_remote_py.cli.help import Paint, render_help, render_question
from mcp_remote_py.cli.mistakes import name_meant
from mcp_remote_py.cli.program import (
    COMMANDS,
    COMPLETION,
    HELP,
    PROGRAM,
    PROXY,
    QUESTIONS,
    SHELLS,
)
from mcp_remote_py.errors import UsageError


def answer_question(name: str, words: Sequence[str], width: int, paint: Paint) -> str:
    """What the command prints; `words` are those behind its name.

    Raises:
        UsageError: a word is missing, too much or unknown.
    """
    if set(words) & {"--help", "-h", "--help-all"} or list(words) == [HELP]:
        return render_question(name, width, paint)
    if len(words) > 1:
        raise UsageError(
            f"{name} takes one word, and {len(words)} are given.",
            hint=f"Usage: {QUESTIONS[name].usage}",
        )
    if name == COMPLETION:
        return _complete(words[0].lower() if words else "")
    return _help(words[0].lower() if words else PROXY, width, paint)


def _help(topic: str, width: int, paint: Paint) -> str:
    if topic in QUESTIONS:
        return render_question(topic, width, paint)
    if topic in COMMANDS:
        return render_help(topic, width, paint)
    meant = name_meant(topic)
    raise UsageError(
        "That is not a command of mcp-remote-py.",
        hint=f"Did you mean {PROGRAM} help {meant}?" if meant else f"{PROGRAM} --help lists them.",
    )


def _complete(shell: str) -> str:
    shell = {"pwsh": "powershell"}.get(shell, shell)
    if shell in SHELLS:
        from mcp_remote_py.cli.completion import render_completion

        return render_completion(shell)
    close = difflib.get_close_matches(shell, SHELLS, 1)
    known = f"Use one of: {', '.join(SHELLS)}."
    raise UsageError(
        "The shell is unknown." if shell else "The shell is missing.",
        hint=f"Did you mean {close[0]}? {known}" if close else known,
    )
