"""Signs in at a server before a host does, tries what came of it, and says what comes next.

Must not know argparse, streams, HTTP or how anybody signs in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from mcp_remote_py.commands.agent import Agent, BuildAgent, load_agent
from mcp_remote_py.commands.looking import LookAsHost, Seen, look_as_host
from mcp_remote_py.commands.next_steps import describe_next_steps
from mcp_remote_py.console import Console, Style
from mcp_remote_py.errors import (
    LOGIN_COMMAND,
    McpRemoteError,
    UsageError,
    explain_stars,
    name_server,
    one_line,
    runner_of,
    shorten,
)
from mcp_remote_py.exit_status import DONE_STATUS, SIGN_IN_NEEDED_STATUS
from mcp_remote_py.found import Found, describe_server
from mcp_remote_py.named_files import read_settled
from mcp_remote_py.oauth.steps import Credential
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.headers import HeaderSettings, check_sign_in_headers
from mcp_remote_py.settings.shown_variables import show_variables
from mcp_remote_py.time_words import describe_moment, describe_span, describe_wait
from mcp_remote_py.transports.headers import HeaderSource

if TYPE_CHECKING:
    from mcp_remote_py.time_words import ToZone

logger = logging.getLogger("mcp_remote_py")

TICK = 0.25
"""Seconds between two looks at how long a person still has."""


def run_login(
    settings: ProxySettings,
    environment: Mapping[str, str],
    console: Console,
    build: BuildAgent | None = None,
    look: LookAsHost = look_as_host,
    now: Callable[[], float] = time.time,
    to_zone: ToZone = datetime.astimezone,
    *,
    seen: Seen | None = None,
) -> int:
    """Signs in, writing a line at each step; returns the exit status.

    `seen` is for `install`: what the server has answered it a moment ago. A host has the entry
    then, and a check comes: nothing is said of how to get there, nor what is told by those two.

    That is 3 where the server wants a sign-in and none came about, or does not take the token of
    a new one. Where requests are signed, it is said that there is nothing to do.

    Raises:
        UsageError: a header cannot be read, or is an Authorization header.
        McpRemoteError: it could not even be begun.
    """
    if settings.aws is not None:
        from mcp_remote_py.settings.aws import describe_aws_login

        console.say(describe_aws_login(settings.aws.profile))
        return DONE_STATUS
    login = Login(
        settings,
        environment,
        console,
        build or load_agent(),
        look,
        now,
        to_zone,
        seen=seen,
    )
    try:
        return asyncio.run(login.run())
    except KeyboardInterrupt:
        for line in login.explain_end():
            console.say(line)
        raise


class Login:
    """One run of the command; see `run_login`."""

    def __init__(
        self,
        settings: ProxySettings,
        environment: Mapping[str, str],
        console: Console,
        build: BuildAgent,
        look: LookAsHost,
        now: Callable[[], float],
        to_zone: ToZone,
        *,
        seen: Seen | None = None,
    ) -> None:
        self._seen = seen
        self._settings = settings
        self._environment = environment
        self._console = console
        self._build = build
        self._look = look
        self._now = now
        self._to_zone = to_zone
        self._server = mask_url(str(settings.server))
        self._left: float | None = None
        """Seconds that the person had when they were last told."""
        self._is_signed_in = False

    async def run(self) -> int:
        """The exit status; raises as `run_login`."""
        headers = HeaderSource(self._settings.headers, self._environment, read_settled)
        await headers.load()
        check_sign_in_headers(headers.headers)
        # As given now: nothing is read again in the time of one sign-in.
        settings = self._settings.replace(headers=HeaderSettings(given=headers.headers))
        seen = self._seen
        if seen is None:
            self._say(f"Asking {self._server} whether it wants a sign-in ...")
            seen = await self._look(settings, self._environment, signed_in=False)
        agent = self._build(settings.login, self._environment, self._show, self._console.read_line)
        async with contextlib.aclosing(agent):
            return await self._sign_in(agent, seen, settings)

    async def _sign_in(self, agent: Agent, seen: Seen, settings: ProxySettings) -> int:
        challenge = seen.challenge if seen.is_refused else None
        if challenge is None and not seen.found.error:
            challenge = await self._find_offer(agent)
        if challenge is None:
            return self._say_open(seen.found)
        try:
            async with self._telling_time(agent):
                credential = await agent.sign_in(challenge)
        except UsageError:
            raise
        except McpRemoteError as error:
            logger.error("%s", error.sentence())
            return SIGN_IN_NEEDED_STATUS
        self._is_signed_in = True
        self._console.say(self._mark(self._say_done(credential)))
        return self._say_tried(await self._look(settings, self._environment, signed_in=True))

    async def _find_offer(self, agent: Agent) -> str | None:
        """The challenge to sign in by where calls alone may want it; None where nothing is known.

        A host may have met that, and was told to sign in; or the server publishes how to.
        """
        if (offer := await agent.find_offer()) is not None:
            self._say("It answers without a sign-in. Signing in all the same.")
            return offer
        return "" if await asyncio.to_thread(agent.has_failed) else None

    def explain_end(self) -> Iterable[str]:
        """What a person hears who has ended it by Ctrl+C."""
        if self._is_signed_in:
            yield "Ended by Ctrl+C. The sign-in is done and stored; the server was not tried."
            return
        yield "Ended by Ctrl+C: the sign-in is not finished. What was stored before is unchanged."
        options = self._settings.sign_in.login_options
        begin = name_server(LOGIN_COMMAND, str(self._settings.server), options)
        yield explain_stars(one_line(f"To begin a new one: {begin}"))
        if self._left:
            yield (
                "Or finish the sign-in page and start your host within "
                f"{describe_span(self._left)}."
            )

    def _say(self, text: str) -> None:
        self._console.say(one_line(text))

    def _show(self, text: str) -> None:
        """Says what the sign-in reports: the page's address is whole here, and in no log."""
        self._console.show(one_line(text))

    def _mark(self, text: str) -> str:
        """`text` with its first two words in the style of what is good."""
        words = text.split(" ", 2)
        return f"{self._console.paint(' '.join(words[:2]), Style.GOOD)} {words[2]}"

    @asynccontextmanager
    async def _telling_time(self, agent: Agent) -> AsyncGenerator[None]:
        """Says how long the person has, again and again where a line can be written anew."""

        async def tell() -> None:
            is_told, shown = False, -1
            while True:
                self._left = left = agent.seconds_left()
                if left is not None and not is_told:
                    self._say(f"Waiting up to {describe_wait(left)} for you. Ctrl+C ends this.")
                    is_told = True
                if left is not None and int(left) != shown:
                    shown = int(left)
                    self._console.show_progress(f"{shown // 60}:{shown % 60:02} left")
                await asyncio.sleep(TICK)

        telling = asyncio.ensure_future(tell())
        try:
            yield
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    # ------------------------------------------------------------------ what was found

    def _say_open(self, found: Found) -> int:
        """The server does not ask for a sign-in, or is not one."""
        if found.error:
            # In the words of the relay: its cause and its next step.
            raise McpRemoteError(found.error)
        if self._seen is None:  # else a check comes now, and says what it is
            self._say_server(found)
        self._say("It does not ask for a sign-in, so there is nothing to sign in to.")
        self._say_next()
        return DONE_STATUS

    def _say_tried(self, seen: Seen) -> int:
        found = seen.found
        if seen.is_refused:
            logger.error("%s", found.error or found.tools_error)
            return SIGN_IN_NEEDED_STATUS
        if found.error:
            logger.warning("The sign-in is kept, but could not be tried now: %s", found.error)
        else:
            self._say("The server accepts its token.")
            if self._seen is None:  # else a check comes now, and names its tools
                self._say_server(found)
        self._say_next()
        return DONE_STATUS

    def _say_server(self, found: Found) -> None:
        for line in describe_server(found, self._settings.entry_words):
            self._say(line)

    def _say_next(self) -> None:
        if self._seen is not None:
            return
        settings = self._settings
        self._console.say()
        if there := self._list_entries():
            for line in there:
                self._say(line)
            return
        for line in describe_next_steps(
            settings.server.host,
            self._server,
            settings.entry_words,
            show_variables(settings.network.variables_for(settings.server), self._environment),
            runner_of(sys.prefix),
        ):
            self._console.say(line)

    def _list_entries(self) -> list[str]:
        """A line for each entry that a host has for this server already."""
        from mcp_remote_py.commands.own_entries import find_own_entries, list_hosts

        address = str(self._settings.server)
        entries = [one for one in find_own_entries(self._environment) if one.address == address]
        runner = runner_of(sys.prefix)
        return [
            f"{' and '.join(titles)} {'have' if len(titles) > 1 else 'has'} it already, as {name}."
            f" To see whether it works: {runner}mcp-remote-py check {shlex.quote(name)}"
            for (name, _), titles in list_hosts(entries).items()
        ]

    def _say_done(self, credential: Credential) -> str:
        scope = shorten(credential.scope)  # a server may grant any number
        scopes = f"with the scopes {scope}" if scope else "without any scope"
        return one_line(f"Signed in at {self._server} {scopes}. {self._say_expiry(credential)}")

    def _say_expiry(self, credential: Credential) -> str:
        if credential.expires_at is None:
            return "The server does not say how long it lasts."
        until = describe_moment(credential.expires_at, self._now(), self._to_zone)
        if not until:
            return "The server gives an expiry too far ahead to show."
        if credential.refresh_token is None:
            return f"It lasts until {until}; then sign in again."
        return f"The token lasts until {until} and is renewed by itself."
