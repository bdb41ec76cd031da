"""Checks a server step by step: the network, then what the server says; and tells it.

Must not know argparse, streams, nor how a step is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import platform
import sys
import time
import traceback
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from pathlib import Path

from mcp_remote_py import __version__
from mcp_remote_py.checking.server_steps import check_server
from mcp_remote_py.checking.talk import CHECK_PATIENCE, ServerTalk
from mcp_remote_py.commands.check_look import open_talk
from mcp_remote_py.commands.stoppable import run_stoppable
from mcp_remote_py.console import Console, wrap_text
from mcp_remote_py.diagnosis.answers import TRANSPORT, TRANSPORT_TITLE, name_value_place
from mcp_remote_py.diagnosis.entry_starts import blame_start, describe_start
from mcp_remote_py.diagnosis.folding import Folding
from mcp_remote_py.diagnosis.given import describe_given, describe_not_given
from mcp_remote_py.diagnosis.judgements import HOST_VIEW, skip_host_view
from mcp_remote_py.diagnosis.network_words import name_variables
from mcp_remote_py.diagnosis.public_report import (
    LOOK_OVER,
    ReportedMachine,
    explain_no_report,
    write_report,
)
from mcp_remote_py.diagnosis.report import list_step, list_verdict, to_json
from mcp_remote_py.diagnosis.server_verdicts import find_server_verdict
from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.diagnosis.stopped import (
    describe_own_fault,
    describe_stopped,
    end_at,
)
from mcp_remote_py.errors import (
    LOGIN_COMMAND,
    McpRemoteError,
    UsageError,
    name_server,
    one_line,
    runner_of,
)
from mcp_remote_py.exit_status import FAILED_STATUS
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.check import CheckSettings
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.transports.headers import COMMAND_TIMEOUT

WHOLE_PATIENCE = 8.0
"""Seconds of all steps without a person: with what has to be closed there is a verdict in ten."""

NETWORK_PATIENCE = 4.0
"""Seconds of them that the network has."""

PERSON_PATIENCE = 15 * 60.0
"""Seconds for the whole where a person signs in."""

COMMAND_PATIENCE = 5.0
"""Seconds of them that the commands have that print headers; a relay gives each one longer."""

LONGEST_SILENCE = 10.0
"""Seconds within which there is a verdict where nothing answers: as who did not wait is told."""

MOST_FRAMES = 4
"""Places of the code that are told of a fault of our own."""

CheckNetwork = Callable[[ProxySettings, float, float], AsyncGenerator[CheckStep]]
"""The steps below HTTP, for these settings, at this time, within so many seconds."""

_AFTER = (
    ("proxy", "HTTP proxy"),
    ("name", "Name"),
    ("connection", "Connection"),
    ("certificate", "Certificate"),
)
"""Names and titles of steps of the network in their order: those behind a failed one."""

logger = logging.getLogger("mcp_remote_py")


def run_check(
    settings: CheckSettings,
    environment: Mapping[str, str],
    console: Console,
    check_network: CheckNetwork | None = None,
    now: Callable[[], float] = time.time,
    command_patience: float = COMMAND_PATIENCE,
) -> int:
    """Checks, and tells each step as it is done; returns the exit status.

    That is 0 where a host gets tools, 3 where a sign-in is missing, 130 where the person has
    stopped it, else 1. What was seen until then is told and reported as ever.

    Raises:
        UsageError: the report cannot be made, or the entry wants what nobody has allowed.
        McpRemoteError: the report cannot be written, although its file could be made before.
    """
    if settings.report is not None:
        _try_report(settings.report)
    _ask(settings, console)
    of_entry = {name: value.reveal() for name, value in settings.variables.items()}
    check = _Check(
        settings, {**environment, **of_entry}, console, check_network, now, command_patience
    )
    with _quiet_log(settings):
        try:
            verdict = run_stoppable(check.run())
        except KeyboardInterrupt:
            patience = None if settings.login else LONGEST_SILENCE
            verdict = describe_stopped(check.steps, check.doing, patience)
    check.finish()
    _tell(settings, check.steps, verdict, environment, console)
    return verdict.status


def _ask(settings: CheckSettings, console: Console) -> None:
    """Asks before an entry that others may have written gets more than its server.

    Raises:
        UsageError: the person says no, or nobody is there.
    """
    if not settings.wishes or settings.yes:
        return
    text = one_line(
        f"The entry {settings.name} is in a file that is not a host's own ({settings.source}),"
    )
    if settings.json or not console.is_interactive:
        raise UsageError(
            f"{text} and it would {'; '.join(settings.wishes)}.",
            hint="Look into that file. If you trust it, add --yes.",
        )
    console.say(f"{text} and it would:")
    for wish in settings.wishes:
        console.say(f"  {wish}")
    if not console.agrees("Do you trust it?", otherwise=False):
        raise UsageError("Nothing was checked.", hint="You said no.")


class _Check:
    """One check, and the steps it has done."""

    def __init__(
        self,
        settings: CheckSettings,
        environment: Mapping[str, str],
        console: Console,
        check_network: CheckNetwork | None,
        now: Callable[[], float],
        command_patience: float,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._console = console
        self._now = now
        self._command_patience = command_patience
        self._check_network = check_network or _load_network()
        self._address = mask_url(str(settings.server))
        self.steps: list[CheckStep] = []
        self._folding = Folding()
        self.doing = ""
        """What is done now, in words for the person who waits."""

    async def run(self) -> Verdict:
        """All steps, and what they come to; a step that breaks is one that is told, too."""
        try:
            verdict = await self._run()
        except McpRemoteError:
            raise
        except Exception as error:
            logger.debug("A step of the check broke.", exc_info=True)
            frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
            places = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in frames]
            self._add(describe_own_fault(error, places))
            verdict = end_at(self.steps[-1])
        return blame_start(self.steps[0], verdict) if self._settings.start else verdict

    async def _run(self) -> Verdict:
        settings = self._settings
        loop = asyncio.get_running_loop()
        began = loop.time()
        if not settings.json:
            source = f" (entry {settings.name}: {settings.source})" if settings.name else ""
            self._console.say(one_line(f"Checking {self._address}{source}"))
            self._console.say()
        if settings.start is not None:
            self._add(describe_start(settings.start))
        self._show("the network")
        failed = await self._look_at_network()
        if failed is not None:
            return end_at(failed)
        self.finish()
        self._show("the server")
        whole = PERSON_PATIENCE if settings.login else WHOLE_PATIENCE
        left = whole - (loop.time() - began)
        seconds = left if settings.login else min(CHECK_PATIENCE, left)
        async with contextlib.AsyncExitStack() as stack:
            talk = await self._open_talk(stack, seconds)
            if talk is None:
                failed = self.steps[-1]
                self._skip(((TRANSPORT, TRANSPORT_TITLE),), failed)
                return end_at(failed)
            async for step in check_server(talk, signs_in=settings.login):
                self._add(name_value_place(step, settings.value_place))
                self._show("the slow server" if talk.slowness else "the server")
            verdict = find_server_verdict(
                self.steps,
                _name_login(settings),
                store_failed=talk.store_failed,
                is_signed_in=talk.has_token,
                clock_reason=talk.clock_reason,
            )
        return verdict or Verdict(
            HOST_VIEW,
            "No fault was found, but nothing shows what a host would get.",
            "Run it again with --debug, which shows all that was seen.",
            "",
            FAILED_STATUS,
        )

    async def _look_at_network(self) -> CheckStep | None:
        """The step that failed, None where all of them passed."""
        looked = self._check_network(self._settings.relay, self._now(), NETWORK_PATIENCE)
        async with contextlib.aclosing(looked):
            async for step in looked:
                self._add(name_variables(step, self._settings.variables))
                if step.state is StepState.FAILED:
                    break
        failed = self.steps[-1]
        if failed.state is not StepState.FAILED:
            return None
        names = [name for name, _ in _AFTER]
        behind = names.index(failed.name) + 1 if failed.name in names else 0
        self._skip((*_AFTER[behind:], (TRANSPORT, TRANSPORT_TITLE)), failed)
        return failed

    async def _open_talk(
        self, stack: contextlib.AsyncExitStack, seconds: float
    ) -> ServerTalk | None:
        """The conversation with the server; None where the step failed that comes before it."""
        relay = self._settings.relay
        commands = len(relay.headers.commands)
        patience = min(self._command_patience, seconds) / max(commands, 1)
        clock = asyncio.get_running_loop()
        began = clock.time()
        talk = open_talk(
            relay, self._environment, self._report, seconds=seconds, command_patience=patience
        )
        if commands:
            self._show("the header command")
        try:
            opened = await stack.enter_async_context(talk)
        except UsageError as error:
            given = patience if commands else None
            took = clock.time() - began
            self._add(describe_not_given(error, given, COMMAND_TIMEOUT, took))
            return None
        if commands:
            self._add(describe_given(opened.given, clock.time() - began))
            self._show("the server")
        return opened

    def _skip(self, steps: Iterable[tuple[str, str]], failed: CheckStep) -> None:
        """These steps, by names and titles, and what a host would see, because of `failed`."""
        why = f"Not looked at: {failed.title} failed."
        for name, title in steps:
            self._add(CheckStep(name, title, StepState.SKIPPED, why))
        self._add(skip_host_view(why))

    def _add(self, step: CheckStep) -> None:
        self.steps.append(step)
        if not self._settings.json:
            debug = self._settings.log.level == "DEBUG"
            self._say([step] if debug else self._folding.take(step), tells_all=debug)

    def finish(self) -> None:
        """Tells what was held back."""
        self._say(self._folding.end(), tells_all=False)

    def _say(self, steps: Iterable[CheckStep], *, tells_all: bool) -> None:
        console = self._console
        for step in steps:
            for line in list_step(step, console.paint, console.width, tells_all=tells_all):
                console.say(line)

    def _show(self, what: str) -> None:
        self.doing = f"asking {what}"
        if not self._settings.json:
            self._console.show_progress(f"Asking {what} ... (Ctrl+C ends it)")

    def _report(self, text: str) -> None:
        """A sentence for the person while they sign in; in a pipe of JSON it is for the log."""
        self.doing = "waiting for the sign-in"
        if self._settings.json:
            logger.warning("%s", text)
        else:
            self.finish()
            self._console.say(one_line(text))


def _name_login(settings: CheckSettings) -> str:
    """The command that signs in at this server, as the relay has it.

    An entry of a host may need its own environment: only this command reads it.
    """
    if settings.typed:
        return f"{runner_of(sys.prefix)}mcp-remote-py check {settings.typed} --login"
    relay = settings.relay
    return name_server(LOGIN_COMMAND, str(relay.server), relay.sign_in.login_options)


def _load_network() -> CheckNetwork:
    from mcp_remote_py.checking.network_steps import check_network

    return check_network


@contextlib.contextmanager
def _quiet_log(settings: CheckSettings) -> Generator[None]:
    """The steps say what the relay that plays a host would log; with --debug, it is wanted."""
    before = logger.level
    if settings.log.level != "DEBUG" and settings.log.file is None:
        asks_beside = settings.json and settings.login
        logger.setLevel(logging.WARNING if asks_beside else logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


# The outcome ----------------------------------------------------------------------------------


def _tell(
    settings: CheckSettings,
    steps: Sequence[CheckStep],
    verdict: Verdict,
    environment: Mapping[str, str],
    console: Console,
) -> None:
    address = mask_url(str(settings.server))
    if settings.json:
        told = to_json(__version__, address, settings.source, steps, verdict)
        console.say(json.dumps(told, indent=2))
    else:
        console.say()
        for line in list_verdict(verdict, console.paint, console.width):
            console.say(line)
    if settings.report is None:
        return
    around = describe_machine(environment)
    text = write_report(around, address, settings.relay.entry_words, steps, verdict)
    try:
        _write_new(settings.report, text)
    except UsageError as error:  # it could be written when the check began
        raise McpRemoteError(error.cause, hint=error.hint) from None
    if settings.json:
        logger.warning("The report is in %s. %s", settings.report, LOOK_OVER)
    else:
        console.say()
        console.say(f"The report is in {one_line(settings.report)}.")
        for line in wrap_text(LOOK_OVER, console.width):
            console.say(line)


def describe_machine(environment: Mapping[str, str]) -> ReportedMachine:
    """What a report tells of this machine, and what it must not tell."""
    home = environment.get("HOME") or environment.get("USERPROFILE") or ""
    named = (environment.get(name, "") for name in ("USER", "LOGNAME", "USERNAME"))
    return ReportedMachine(
        version=__version__,
        python=sys.version.partition(" ")[0],
        system=f"{platform.system()} {platform.release()} ({platform.machine()})",
        home=home,
        users=tuple({*named, Path(home).name} - {""}),
    )


def _try_report(path: str) -> None:
    """Makes the file and takes it away again: nobody is to wait for a report that cannot be.

    Raises:
        UsageError: it cannot be made.
    """
    _write_new(path, "")
    with contextlib.suppress(OSError):
        os.unlink(path)


def _write_new(path: str, text: str) -> None:
    """Only where nothing is there: neither another's file nor what a link leads to.

    Raises:
        UsageError: it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_BINARY", 0)  # else Windows writes two characters for an end of line
    try:
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise explain_no_report(path, error, is_folder=os.path.isdir(path)) from None
