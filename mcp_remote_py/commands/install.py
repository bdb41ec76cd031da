"""Writes the entry for a server into the configuration of a host, and says what comes next.

Must not know options, streams, nor how a file is edited.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from mcp_remote_py.commands.after_install import CheckEntry, go_on, needs_person
from mcp_remote_py.commands.agent import BuildAgent
from mcp_remote_py.commands.entry_notes import PRINTED_FILES, list_notes, list_notes_of_printed
from mcp_remote_py.commands.entry_talk import (
    agree_or_refuse,
    own_options,
    pick_files,
    say_backup,
    say_no_host,
    say_title,
    saying_what_stays,
    show_lines,
)
from mcp_remote_py.commands.old_entry import (
    WantedEntry,
    gives_headers,
    is_converted,
    take_over_entry,
)
from mcp_remote_py.console import Console, Style
from mcp_remote_py.errors import explain_mask
from mcp_remote_py.exit_status import DONE_STATUS, FAILED_STATUS
from mcp_remote_py.hosts.catalogue import PLAIN_HOST, KnownHost, find_host, host_of_file
from mcp_remote_py.hosts.config_text import read_entries, set_entry
from mcp_remote_py.hosts.entries import PlannedEntry, Wish, check_asks, check_name, plan_entry
from mcp_remote_py.hosts.entry_reading import EntryKind
from mcp_remote_py.hosts.entry_view import (
    render_with_inputs,
    show_difference,
    show_new_inputs,
)
from mcp_remote_py.hosts.entry_words import sort_words
from mcp_remote_py.hosts.inputs import drop_inputs, find_inputs, put_inputs
from mcp_remote_py.hosts.launch import (
    EXTRA_OF_AWS,
    Surroundings,
    choose_launch,
    typed_before,
)
from mcp_remote_py.installing.config_file import edit_config, preview_edit
from mcp_remote_py.installing.entries import InstalledEntry, read_installed
from mcp_remote_py.installing.host_files import Disk, HostFile, Machine, choose_files
from mcp_remote_py.installing.secret_files import (
    delete_secret_files,
    files_of_entry,
    kept_secret_files,
    lock_of_configs,
    name_secret_file,
)
from mcp_remote_py.installing.surroundings import look_around, this_system
from mcp_remote_py.redact import MASK, mask_url, remember
from mcp_remote_py.settings.entry import ConfigChoice, EntrySettings, InstallSettings
from mcp_remote_py.settings.shown_variables import show_variable, show_variables
from mcp_remote_py.settings.words import UnsetVariable

logger = logging.getLogger("mcp_remote_py")

_FETCH_VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_OFFLINE", "UV_CACHE_DIR", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "PIP_INDEX_URL"),
)
"""Variables without which a runner may not find the package: it fetches it when it is started."""


def run_install(
    settings: InstallSettings,
    environment: Mapping[str, str],
    console: Console,
    surroundings: Surroundings | None = None,
    build: BuildAgent | None = None,
    check: CheckEntry | None = None,
) -> int:
    """Writes the entry for each host that is meant; returns the exit status.

    It is 0 where the entry is written, also if the server cannot be reached, and 1 where the person
    has said no.

    Raises:
        UsageError: it is not clear what is meant, or nobody is there to be asked.
        BrokenConfig, StoreError: a configuration cannot be read or written; nothing was changed.
    """
    installer = _Installer(settings, environment, console, surroundings or look_around(environment))
    if settings.prints:
        installer.print_entry()
        return DONE_STATUS
    machine = Machine(this_system(), environment, Disk(environment))
    files = choose_files(settings.choice, machine)
    if not files:
        say_no_host(installer.command_with("--print"))
    choice = settings.choice
    with saying_what_stays(console, lambda: bool(installer.written)):
        if len(files) > 1 and not choice.clients:
            files = pick_files(files, "Hosts on this machine", installer.command, console)
            if not files:
                return FAILED_STATUS
            choice = ConfigChoice((files[0].host.key,))
        if settings.secrets_place == "ask":
            for file in files:
                check_asks(file.host)
        done = [file for file in files if installer.install(file)]
    if not done:
        return DONE_STATUS if settings.dry_run else FAILED_STATUS
    name, entry = installer.written[0]
    if choice.file is None and choice.clients:
        choice = ConfigChoice((done[0].host.key,))
    wanted = settings.replace(entry=entry, name=name, choice=choice)
    return go_on(wanted, environment, console, installer.typed_before, build, check)


class _Installer:
    """One server, written into one configuration after the other."""

    def __init__(
        self,
        settings: InstallSettings,
        environment: Mapping[str, str],
        console: Console,
        surroundings: Surroundings,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._console = console
        aws = settings.entry.relay.aws
        extra = EXTRA_OF_AWS if aws is not None and aws.reads_files else ""
        self._launch = choose_launch(surroundings, extra)
        self.typed_before = typed_before(self._launch)
        """What a person types before our name."""
        self.written: list[tuple[str, EntrySettings]] = []
        """The entries that are there now, by their names."""

    @property
    def command(self) -> str:
        """What was typed, without secrets."""
        settings = self._settings
        own = own_options(settings.choice, dry_run=settings.dry_run, yes=settings.yes)
        return self.command_with(*(["--login"] if settings.login else []), *own)

    def command_with(self, *words: str) -> str:
        """The same with these options in the place of those that are not a part of the entry."""
        settings, relay = self._settings, self._settings.entry.relay
        place = ["--secrets", settings.secrets_place] if settings.secrets_place else []
        typed = ("install", settings.name, mask_url(str(relay.server)), *relay.entry_words)
        return f"{self.typed_before}mcp-remote-py {shlex.join((*typed, *place, *words))}"

    def print_entry(self) -> None:
        """Only the entry, in the form of its host; what is to be said of it goes elsewhere."""
        choice = self._settings.choice
        host = PLAIN_HOST
        if choice.clients:
            host = find_host(choice.clients[0])
        elif choice.file is not None:
            host = host_of_file(os.path.abspath(choice.file)) or PLAIN_HOST
        wanted = WantedEntry(self._settings.entry, {}, self._environment)
        in_files = self._settings.secrets_place == "file"
        plan = self._plan(host, "", self._settings.name, wanted, in_files=in_files)
        for warning in plan.warnings:
            logger.warning("%s", warning)
        shown = dict(plan.entry)
        if plan.variables:
            shown[host.variables_member] = show_variables(plan.variables, plan.variables)
        for note in list_notes_of_printed(plan):
            logger.warning("%s", note)
        text = render_with_inputs(host, self._settings.name, shown, plan.inputs)
        self._console.say(text.rstrip("\n"))

    def install(self, file: HostFile) -> bool:
        """Writes the entry into that file; whether it is there now.

        Raises:
            UsageError: nobody is there to be asked, or a name cannot be used.
            BrokenConfig, StoreError: as `run_install`.
        """
        host, console = file.host, self._console
        entries = {one.name: one for one in read_installed(file)}
        name, is_agreed = self._choose_name(host, entries)
        before = entries.get(name)
        if before is None:
            check_name(host, name)
        wanted = self._take_over(before)
        plan = self._choose_place(file, name, wanted)
        remember(plan.secrets)

        old = None if before is None else before.members

        def edit(content: bytes) -> bytes:
            content = set_entry(content, host.form, host.place, name, plan.entry)
            if not host.inputs:
                return content
            content = drop_inputs(content, host.inputs, find_inputs(old))
            return put_inputs(content, host.inputs, plan.inputs)

        content, edited = preview_edit(Path(file.path), edit)
        after = _members_of(edited, host, name)
        new_inputs = show_new_inputs(host, content, plan.inputs)
        say_title(console, f"{host.title}: {file.path}")
        if before is not None and after == old and not (plan.files or new_inputs):
            console.say(f"The entry {name} is there already, as it should be. Nothing is changed.")
            self.written.append((name, wanted.entry))
            return True
        lines = show_difference(host, name, old, after, file.path, has_others=bool(entries))
        show_lines(console, lines)
        show_lines(console, new_inputs)
        self._warn(host, plan, wanted, before)
        if self._settings.dry_run:
            console.say("Nothing is written, because of --dry-run.")
            return False
        if before is not None and not is_agreed:
            is_agreed = agree_or_refuse(
                console,
                self._question(name, before),
                otherwise=is_converted(before, self._settings),
                yes=self._settings.yes,
                refusal=self._refusal(file, before),
                hint="To have both, choose another name. To replace it:"
                f" {self.command} --yes{explain_mask(self.command)}",
            )
            if not is_agreed:
                return False
        self._write(file, before, plan, edit)
        self.written.append((name, wanted.entry))
        console.say(console.paint(host.restart.replace("{name}", name), Style.STRONG))
        if log := host.log_of(name, this_system()):
            console.say(f"Its log, once it has run there: {log}")
        return True

    def _choose_name(
        self, host: KnownHost, entries: Mapping[str, InstalledEntry]
    ) -> tuple[str, bool]:
        """The name that is given, or that of an entry of npm's for the same server.

        And whether the person has agreed already that this one is converted.
        """
        name, console = self._settings.name, self._console
        same = [
            one
            for one in entries.values()
            if one.name != name and one.address == str(self._settings.server)
        ]
        npm = next((one for one in same if one.kind is EntryKind.NPM), None)
        if npm is not None and name not in entries:
            text = f"{host.title} has the entry {npm.name}, which {npm.kind.value} for that server."
            if console.is_interactive and not self._settings.yes:
                if console.agrees(
                    f"{text} Convert that one, instead of adding {name}?", otherwise=True
                ):
                    return npm.name, True
            else:
                where = ConfigChoice((host.key,), self._settings.choice.file).words
                address = mask_url(str(self._settings.server))
                words = shlex.join(("install", npm.name, address, *where))
                command = f"{self.typed_before}mcp-remote-py {words}"
                console.say(f"{text} To convert that one instead: {command}")
        elif same:
            console.say(
                f"{host.title} has the entry {same[0].name} for that server, too: its tools will be"
                " there twice."
            )
        return name, False

    def _take_over(self, before: InstalledEntry | None) -> WantedEntry:
        """What the entry is to say: of one for the same server, what is needed stays."""
        if before is None:
            return WantedEntry(self._settings.entry, {}, self._environment)
        return take_over_entry(before, self._settings, self._environment)

    def _choose_place(self, file: HostFile, name: str, wanted: WantedEntry) -> PlannedEntry:
        """The entry, with its secrets where they are wanted, or where this host can use them."""
        place = self._settings.secrets_place
        in_files = place == "file" or (place == "" and file.host.expands_variables)
        return self._plan(file.host, file.path, name, wanted, in_files=in_files)

    def _plan(
        self, host: KnownHost, path: str, name: str, wanted: WantedEntry, *, in_files: bool
    ) -> PlannedEntry:
        asks = self._settings.secrets_place == "ask"
        entry = wanted.entry
        needed = self._needed(wanted)
        words = sort_words(entry.words, entry.placeholders)
        wish = Wish(
            name,
            words,
            wanted.values,
            {**needed, **wanted.kept},
            in_files,
            asks,
            [one for one, value in needed.items() if show_variable(one, value) == MASK],
        )
        try:
            return self._make(host, path, wish)
        except UnsetVariable as error:
            raise error.at_terminal() from None

    def _make(self, host: KnownHost, path: str, wish: Wish) -> PlannedEntry:
        return plan_entry(
            host,
            self._launch,
            wish,
            os.path.abspath,
            lambda ending: (
                name_secret_file(self._environment, path, wish.name, ending)
                if path
                else PRINTED_FILES[ending]
            ),
        )

    def _needed(self, wanted: WantedEntry) -> dict[str, str]:
        """What the entry needs of the environment beside what its words name."""
        names = (*wanted.entry.variables, *(_FETCH_VARIABLES if self._launch.is_fetched else ()))
        return {one: self._environment[one] for one in names if self._environment.get(one)}

    def _warn(
        self,
        host: KnownHost,
        plan: PlannedEntry,
        wanted: WantedEntry,
        before: InstalledEntry | None,
    ) -> None:
        """Says what a person should know before it is written."""
        warnings = [
            *(wanted.entry.warnings if wanted.entry is not self._settings.entry else ()),
            *plan.warnings,
            *list_notes(
                host,
                plan,
                needed=(*wanted.entry.variables, *_FETCH_VARIABLES),
                set_here=[one for one in self._needed(wanted) if one not in wanted.kept],
                is_project=self._settings.choice.file is not None,
            ),
        ]
        if before is not None and is_converted(before, self._settings):
            kept = "The options of npm's mcp-remote are taken over."
            if needs_person(wanted.entry.relay):
                kept += " Its sign-ins in ~/.mcp-auth are not: you may have to sign in once."
            warnings.append(kept)
        elif before is not None and gives_headers(before, self._settings):
            warnings.append("The headers of the entry that is there are taken over.")
        for warning in warnings:
            self._console.say(f"{self._console.paint('Note:', Style.WARNING)} {warning}")

    def _refusal(self, file: HostFile, before: InstalledEntry) -> str:
        """What is there and what would be, where nobody can be asked."""
        there, new = before.address, str(self._settings.server)
        if there and there != new:
            change = f" for {mask_url(there)}, and the new one is for {mask_url(new)}"
        elif there:
            change = " for the same server, and the new one differs as shown above"
        else:
            change = ""
        also = " in it" if self.written else ""
        return (
            f"{file.path} has an entry {before.name} already. It {before.kind.value}{change}."
            f" Nothing was changed{also}."
        )

    def _question(self, name: str, before: InstalledEntry) -> str:
        if is_converted(before, self._settings):
            return f"{name} {before.kind.value}. Convert it?"
        if before.kind is EntryKind.OURS:
            return f"{name} is there already. Replace it?"
        return f"{name} is there already, and {before.kind.value}. Replace it?"

    def _write(
        self,
        file: HostFile,
        before: InstalledEntry | None,
        plan: PlannedEntry,
        edit: Callable[[bytes], bytes],
    ) -> None:
        old_files = [] if before is None else files_of_entry(before.words, self._environment)
        with kept_secret_files(plan.files):
            written = edit_config(
                Path(file.path),
                edit,
                lock=lock_of_configs(self._environment),
                randomness=os.urandom,
            )
        gone = [path for path in old_files if path not in plan.files]
        delete_secret_files(gone)
        host, name = file.host, self._settings.name if before is None else before.name
        mark = self._console.paint("Done:", Style.GOOD)
        self._console.say(f"{mark} the entry {name} is in {written.path}.")
        say_backup(self._console, host, written, gone)


def _members_of(content: bytes, host: KnownHost, name: str) -> Mapping[str, object]:
    found = read_entries(content, host.form, host.place).get(name)
    return found if isinstance(found, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]
