"""What a person should know of an entry before it is written: the notes of `install`.

Pure. Must not ask, write, or know files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mcp_remote_py.hosts.catalogue import KnownHost
from mcp_remote_py.hosts.entries import CLIENT_JSON, HEADER_LINES, PlannedEntry
from mcp_remote_py.redact import MASK
from mcp_remote_py.settings.shown_variables import show_variable

PRINTED_FILES = {HEADER_LINES: "PATH-OF-HEADERS", CLIENT_JSON: "PATH-OF-CLIENT"}
"""What stands for a file with secrets in an entry that is only printed: nothing is written then."""


def masked_of(plan: PlannedEntry) -> list[str]:
    """Its variables that may be secret: nobody is shown their values."""
    variables = plan.variables
    return [name for name, value in variables.items() if show_variable(name, value) == MASK]


def list_notes(
    host: KnownHost,
    plan: PlannedEntry,
    *,
    needed: Sequence[str],
    set_here: Iterable[str],
    is_project: bool,
) -> Iterator[str]:
    """The notes of an entry that is about to be written.

    `needed` are the variables that what was typed does not name, `set_here` those of them that are
    taken over from the person's own shell. `is_project` tells that others may get the file.
    """
    taken = [name for name in set_here if name in plan.variables]
    if taken:
        are, they = ("are", "they are") if len(taken) > 1 else ("is", "it is")
        yield (
            f"{' and '.join(taken)} {are} set here, so {they} in the entry too: a host does not see"
            " the variables of your shell."
        )
    in_clear = [name for name in masked_of(plan) if name in (*plan.secret_variables, *needed)]
    if in_clear:
        shared = " Keep it out of version control." if is_project else ""
        ask = f" With --secrets ask, {host.title} asks you and keeps them encrypted."
        yield (
            f"The value of {' and of '.join(in_clear)} will be in that file as it is: whoever"
            " can read the file can use it. --secrets file puts headers into a file that only"
            f" you can read.{ask if host.inputs else ''}{shared}"
        )
    if plan.files:
        yield f"What is secret goes into {' and '.join(plan.files)}, which only you can read."
    if plan.inputs:
        told = " and ".join(f'"{one.description}"' for one in plan.inputs)
        yield (
            f"No secret is written. When {host.title} starts this entry first, it asks for"
            f" {told}, and keeps that encrypted."
        )


def list_notes_of_printed(plan: PlannedEntry) -> Iterator[str]:
    """What has to be done with an entry that was only printed, before a host can use it."""
    if masked := masked_of(plan):
        yield (
            f"Replace {MASK} with the value of {', '.join(masked)}: it is hidden here, because it"
            " may be secret."
        )
    if PRINTED_FILES[HEADER_LINES] in plan.files:
        yield (
            f"Replace {PRINTED_FILES[HEADER_LINES]} with the full path of a file that only you can"
            " read, with the header in it: Authorization: Bearer TOKEN. Without --print, install"
            " makes that file."
        )
    if PRINTED_FILES[CLIENT_JSON] in plan.files:
        yield (
            f"Replace {PRINTED_FILES[CLIENT_JSON]} with the full path of a file that only you can"
            " read, with the JSON of your client in it. Without --print, install makes that file."
        )
