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
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping, Sequence
from pathlib import Path

from mcp_remote_py import __version__
from mcp_remote_py.checking.server_steps import check_server
from mcp_remote_py.checking.talk import CHECK_PATIENCE
from mcp_remote_py.commands.check_look import open_talk
from mcp_remote_py.console import Console
from mcp_remote_py.diagnosis.answers import TRANSPORT
from mcp_remote_py.diagnosis.judgements import HOST_VIEW, skip_host_view
from mcp_remote_py.diagnosis.public_report import LOOK_OVER, ReportedMachine, write_report
from mcp_remote_py.diagnosis.report import list_step, list_verdict, to_json
from mcp_remote_py.diagnosis.server_verdicts import find_server_verdict
from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.errors import LOGIN_COMMAND, McpRemoteError, UsageError, name_server, one_line
from mcp_remote_py.exit_status import FAILED_STATUS
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.check import CheckSettings
from mcp_remote_py.settings.commands import ProxySettings

WHOLE_PATIENCE = 8.0
"""Seconds of all steps without a person: with what has to be closed there is a verdict in ten."""

NETWORK_PATIENCE = 4.0
"""Seconds of them that the network has."""

PERSON_PATIENCE = 15 * 60.0
"""Seconds for the whole where a person signs in."""

CTRL_C_PATIENCE = 1.0
"""Seconds that what runs has to end by itself after Ctrl+C."""

CheckNetwork = Callable[[ProxySettings, float, float], AsyncIterator[CheckStep]]
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
) -> int:
    """Checks, and tells each step as it is done; returns the exit status.

    That is 0 where a host gets tools, 3 where a sign-in is missing, else 1.

    Raises:
        UsageError: a header cannot be read, the file of the report is there, or the entry wants
            what nobody has allowed.
        McpRemoteError: the report cannot be written.
    """
    if settings.report is not None and os.path.lexists(settings.report):
        raise _is_there(settings.report)
    _ask(settings, console)
    of_entry = {name: value.reveal() for name, value in settings.variables.items()}
    check = _Check(settings, {**environment, **of_entry}, console, check_network, now)
    with _quiet_log(settings):
        verdict = _run(check.run())
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
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._console = console
        self._now = now
        self._check_network = check_network or _load_network()
        self._address = mask_url(str(settings.server))
        self.steps: list[CheckStep] = []

    async def run(self) -> Verdict:
        """All steps, and what they come to."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        began = loop.time()
        if not settings.json:
            source = f" (entry {settings.name}: {settings.source})" if settings.name else ""
            self._console.say(one_line(f"Checking {self._address}{source}"))
            self._console.say()
        self._show("the network")
        failed = await self._look_at_network()
        if failed is not None:
            return Verdict(failed.name, failed.said, failed.hint, "", FAILED_STATUS)
        self._show("the server")
        whole = PERSON_PATIENCE if settings.login else WHOLE_PATIENCE
        left = whole - (loop.time() - began)
        seconds = left if settings.login else min(CHECK_PATIENCE, left)
        async with open_talk(
            settings.relay, self._environment, self._report, seconds=seconds
        ) as talk:
            async for step in check_server(talk, signs_in=settings.login):
                self._add(step)
                self._show("the server")
            verdict = find_server_verdict(
                self.steps,
                _name_login(settings.relay),
                store_failed=talk.store_failed,
                is_signed_in=talk.has_token,
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
        relay = self._settings.relay
        failed: CheckStep | None = None
        async for step in self._check_network(relay, self._now(), NETWORK_PATIENCE):
            self._add(step)
            if step.state is StepState.FAILED:
                failed = step
                break
        if failed is None:
            return None
        names = [name for name, _ in _AFTER]
        behind = names.index(failed.name) + 1 if failed.name in names else 0
        why = f"Not looked at: {failed.title} failed."
        for name, title in (*_AFTER[behind:], (TRANSPORT, "Transport and era")):
            self._add(CheckStep(name, title, StepState.SKIPPED, why))
        self._add(skip_host_view(why))
        return failed

    def _add(self, step: CheckStep) -> None:
        self.steps.append(step)
        if not self._settings.json:
            console = self._console
            debug = self._settings.log.level == "DEBUG"
            for line in list_step(step, console.paint, console.width, tells_all=debug):
                console.say(line)

    def _show(self, what: str) -> None:
        if not self._settings.json:
            self._console.show_progress(f"Asking {what} ... (Ctrl+C ends it)")

    def _report(self, text: str) -> None:
        """A sentence for the person while they sign in; in a pipe of JSON it is for the log."""
        if self._settings.json:
            logger.warning("%s", text)
        else:
            self._console.say(one_line(text))


def _run(checking: Coroutine[None, None, Verdict]) -> Verdict:
    """Not asyncio.run: its end waits for name look-ups that may take minutes."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(checking)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        task.cancel()
        loop.run_until_complete(asyncio.wait({task}, timeout=CTRL_C_PATIENCE))
        raise
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _name_login(relay: ProxySettings) -> str:
    """The command that signs in at this server, as the relay has it."""
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
    _write_new(settings.report, text)
    if settings.json:
        logger.warning("The report is in %s. %s", settings.report, LOOK_OVER)
    else:
        console.say()
        console.say(f"The report is in {one_line(settings.report)}.")
        console.say(LOOK_OVER)


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


def _write_new(path: str, text: str) -> None:
    """Only where nothing is there: neither another's file nor what a link leads to."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError as error:
        raise McpRemoteError(
            one_line(f"The report cannot be written to {path}: {error.strerror}."),
            hint="Give --report another file.",
        ) from None


def _is_there(path: str) -> UsageError:
    return UsageError(
        one_line(f"{path} is there already, and is not overwritten."),
        hint="Give --report the name of a new file.",
    )
