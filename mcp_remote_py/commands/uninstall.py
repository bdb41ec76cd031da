"""Takes an entry out of the configuration of a host, with what belongs to it alone.

Must not know options, streams, nor how a file is edited.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from mcp_remote_py.commands.entry_talk import (
    UNCHANGED,
    agree_or_refuse,
    own_options,
    pick_files,
    say_backup,
    say_title,
    saying_what_stays,
    show_lines,
)
from mcp_remote_py.console import Console, Style
from mcp_remote_py.credentials.session_files import list_records, state_directory
from mcp_remote_py.errors import UsageError
from mcp_remote_py.exit_status import DONE_STATUS, FAILED_STATUS
from mcp_remote_py.hosts.config_text import drop_empty_place, remove_entry
from mcp_remote_py.hosts.entry_reading import EntryKind
from mcp_remote_py.hosts.entry_view import show_difference, show_gone_inputs
from mcp_remote_py.hosts.inputs import drop_inputs, find_inputs
from mcp_remote_py.hosts.launch import choose_launch, typed_before
from mcp_remote_py.installing.config_file import edit_config, preview_edit, read_backups
from mcp_remote_py.installing.entries import InstalledEntry, list_entries
from mcp_remote_py.installing.host_files import Disk, HostFile, Machine, choose_files
from mcp_remote_py.installing.secret_files import (
    delete_secret_files,
    files_of_entry,
    lock_of_configs,
)
from mcp_remote_py.installing.surroundings import look_around, this_system
from mcp_remote_py.redact import mask_url, remember
from mcp_remote_py.settings.entry import UninstallSettings
from mcp_remote_py.settings.shown_variables import hidden_values

logger = logging.getLogger("mcp_remote_py")

_OF_OURS = (EntryKind.OURS, EntryKind.NPM)


def run_uninstall(
    settings: UninstallSettings, environment: Mapping[str, str], console: Console
) -> int:
    """Takes the entry of that name out of each host that is meant; returns the exit status.

    It is 1 where the person has said no to one of them.

    Raises:
        UsageError: there is none, it is not clear which, or nobody is there to be asked.
        BrokenConfig, StoreError: a configuration cannot be read or written; nothing was changed.
    """
    machine = Machine(this_system(), environment, Disk(environment))
    files = choose_files(settings.choice, machine)
    entries = list_entries(files, lambda text: logger.warning("%s", text))
    found = [one for one in entries if one.name == settings.name]
    if not found:
        _refuse_unknown(settings.name, files, entries)
    if len(found) > 1 and not settings.choice.clients:
        where = [HostFile(one.host, one.path) for one in found]
        what = f"Hosts with an entry {settings.name}"
        with saying_what_stays(console, lambda: False):
            chosen = pick_files(where, what, _command_of(settings, environment), console)
        found = [one for one, file in zip(found, where, strict=True) if file in chosen]
    gone: list[bool] = []
    with saying_what_stays(console, lambda: any(gone)):
        for entry in found:
            remember(hidden_values(entry.variables))
            gone.append(_uninstall(entry, settings, environment, console))
    return DONE_STATUS if gone and all(gone) else FAILED_STATUS


def _typed_before(environment: Mapping[str, str]) -> str:
    return typed_before(choose_launch(look_around(environment)))


def _command_of(settings: UninstallSettings, environment: Mapping[str, str]) -> str:
    """What was typed."""
    own = own_options(settings.choice, dry_run=settings.dry_run, yes=settings.yes)
    words = shlex.join(("uninstall", settings.name, *own))
    return f"{_typed_before(environment)}mcp-remote-py {words}"


def _refuse_unknown(name: str, files: list[HostFile], entries: list[InstalledEntry]) -> None:
    ours = dict.fromkeys(one.name for one in entries if one.kind in _OF_OURS)
    where = ", ".join(file.path for file in files) or "any host's configuration"
    hint = "Name the file with --config."
    if ours:
        hint = f"There are: {', '.join(ours)}."
    elif files and not entries:
        hint = "There are no entries in it." if len(files) == 1 else "There are no entries in them."
    raise UsageError(f"An entry {name} was not found in {where}.", hint=hint)


def _uninstall(
    entry: InstalledEntry,
    settings: UninstallSettings,
    environment: Mapping[str, str],
    console: Console,
) -> bool:
    """Whether all is done."""
    host, name = entry.host, entry.name
    say_title(console, f"{host.title}: {entry.path}")

    earlier = read_backups(Path(entry.path))

    def edit(content: bytes) -> bytes:
        content = remove_entry(content, host.form, host.place, name)
        if asked := find_inputs(entry.members) if host.inputs else ():
            content = drop_inputs(content, host.inputs, asked)
        return drop_empty_place(content, host.form, host.place, earlier)

    # A file that cannot be edited is told of before anybody is asked.
    content, after = preview_edit(Path(entry.path), edit)
    show_lines(console, show_difference(host, name, entry.members, None, entry.path))
    show_lines(console, show_gone_inputs(host, content, after))
    files = [one for one in files_of_entry(entry.words, environment) if os.path.lexists(one)]
    if files:
        also = f"What it has of secrets is deleted as well: {' and '.join(files)}"
        console.say(f"{console.paint('Note:', Style.WARNING)} {also}")
    if settings.dry_run:
        console.say("Nothing is written, because of --dry-run.")
        return True
    if not _agrees(entry, settings, environment, console):
        return False
    written = edit_config(
        Path(entry.path),
        edit,
        lock=lock_of_configs(environment),
        randomness=os.urandom,
    )
    delete_secret_files(files)
    mark = console.paint("Done:", Style.GOOD)
    console.say(f"{mark} the entry {name} is gone from {written.path}.")
    say_backup(console, host, written, files)
    end = f"{host.end_of_old} Until then, its tools may still be there."
    console.say(console.paint(end, Style.STRONG))
    _say_sign_in(entry, environment, console)
    return True


def _agrees(
    entry: InstalledEntry,
    settings: UninstallSettings,
    environment: Mapping[str, str],
    console: Console,
) -> bool:
    """Whether the person does; that they do not is told.

    Raises:
        UsageError: nobody is there.
    """
    name = entry.name
    hint = f"Nothing was changed. To take it out: {_command_of(settings, environment)} --yes"
    if entry.kind in _OF_OURS:
        return agree_or_refuse(
            console,
            f"Take {name} out of the configuration of {entry.host.title}?",
            otherwise=True,
            yes=settings.yes,
            refusal=f"Nobody could be asked whether {name} is to be taken out of {entry.path}:"
            " this is not a terminal.",
            hint=hint,
        )
    if settings.yes:
        return True
    what = f"{name} {entry.kind.value}, and is not an entry of mcp-remote-py."
    if not console.is_interactive:
        raise UsageError(what, hint=hint)
    answer = console.ask(f"{what} Type its name to take it out all the same:")
    if answer != name:
        console.say(f"That was another name. {UNCHANGED}" if answer else UNCHANGED)
    return answer == name


def _say_sign_in(entry: InstalledEntry, environment: Mapping[str, str], console: Console) -> None:
    """A sign-in is kept with the server, not with the entry."""
    server = entry.address
    records = list_records(state_directory(environment)) if server else ()
    if any(one.server == server and one.signed_in_at is not None for one in records):
        command = f"{_typed_before(environment)}mcp-remote-py logout {mask_url(server)}"
        console.say(f"You stay signed in at {mask_url(server)}. To sign out: {command}")
