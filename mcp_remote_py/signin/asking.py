"""Asks the person: shows the page, and waits for what comes at the listener, by hand or on disk.

Whichever comes first counts. Must not know locks, tokens, or what becomes of an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from mcp_remote_py.errors import LOGIN_COMMAND, McpRemoteError, StoreError
from mcp_remote_py.oauth.lifecycle import LOOK_INTERVAL
from mcp_remote_py.oauth.pasted_redirect import HINT, parse_pasted_redirect
from mcp_remote_py.oauth.sent import TRY_AGAIN, describe_redirect_uri, explain_absence
from mcp_remote_py.oauth.steps import (
    AskUser,
    Callback,
    NobodyYet,
    PendingAuthorization,
)
from mcp_remote_py.redact import MASK, Secret, scrub_known
from mcp_remote_py.signin.ports import Listener, Ports


class Asking:
    """Asks the person of one session.

    `load_pending` tells what is stored as being asked, and may block; `name_server` puts the
    server's address into the command that a hint names.
    """

    def __init__(
        self,
        ports: Ports,
        load_pending: Callable[[], PendingAuthorization | None],
        name_server: Callable[[str], str],
    ) -> None:
        self._ports = ports
        self._load_pending = load_pending
        self._name_server = name_server
        self._waiting: list[PendingAuthorization] = []
        """The requests that a person is asked, here or by a process that is followed."""
        self._until: float | None = None
        """When the wait for a page that was shown here ends, None while there is none."""

    def todo(self) -> str:
        """The next step for the person, with the link; "" while nobody is waited for."""
        if not self._waiting:
            return ""
        pending = self._waiting[-1]
        return f"To sign in at {pending.server_name}, open {pending.url}"

    def seconds_left(self) -> float | None:
        """Seconds that the person has to finish what was shown here; None where nobody waits."""
        return None if self._until is None else max(0.0, self._until - self._ports.now())

    def begin(self, pending: PendingAuthorization) -> None:
        """Notes that the person is waited for, whoever asks them."""
        self._waiting.append(pending)

    def end(self, pending: PendingAuthorization) -> None:
        """Notes that the wait for `pending` is over."""
        self._waiting.remove(pending)

    async def ask(self, step: AskUser, listener: Listener | None) -> Callback | None:
        """The answer, None where another process has it. Raises as `AskUser` says."""
        pending = step.pending
        if listener is not None:
            # Before the browser: it may be faster than whoever opened it.
            listener.expect(pending.state, pending.server_name)
        self.begin(pending)
        try:
            if step.opens_tab:
                await self.show(pending)
            self._until = pending.expires_at
            return await self._first_answer(pending, listener, step.patience)
        finally:
            self._until = None
            self.end(pending)

    async def show(self, pending: PendingAuthorization) -> None:
        """Opens its page, and tells the person where it is."""
        report, redirect = self._ports.report, describe_redirect_uri(pending.credential)
        is_open = await self._ports.open_browser(pending.url)
        if is_open:
            report(f"Sign in in the browser that opens: {pending.url}")
        else:
            report(f"Open this address to sign in: {pending.url}")
        if redirect:
            report(redirect)
        if is_open:
            return
        if scrub_known(pending.url) != pending.url:  # a key of the server's URL, as its resource
            report(
                f"Where {MASK} stands in it, it cannot be opened: "
                + self._name_server(f"the whole address is shown by {LOGIN_COMMAND}")
            )
        port = urlsplit(pending.credential.redirect_uri).port
        if self._ports.next_line is not None:
            report(
                "The browser ends at an address of this machine. If it cannot be shown there, "
                "copy it whole, paste it here and press Enter."
            )
            report(
                "Or let the browser of another machine reach it, before you sign in: "
                f"ssh -L {port}:localhost:{port} you@this-machine"
            )
        else:
            report(
                f"From another machine, first: ssh -L {port}:localhost:{port} you@this-machine. Or "
                + self._name_server(f"finish with: {LOGIN_COMMAND} --paste")
            )

    async def _first_answer(
        self, pending: PendingAuthorization, listener: Listener | None, patience: float | None
    ) -> Callback | None:
        left = max(0, math.ceil(pending.expires_at - self._ports.now()))
        sources: list[Coroutine[Any, Any, Callback | None]] = []
        if patience is not None and patience < left:
            sources.append(self._wait_for_a_while(patience))
        sources.append(self._wait_for_others(pending))
        sources.append(
            _listen(listener, left, pending)
            if listener is not None
            else self._give_up(left, pending)
        )
        if self._ports.next_line is not None:
            sources.append(self._read_by_hand(self._ports.next_line, pending))
        tasks = [asyncio.ensure_future(source) for source in sources]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # The most telling first: a redirect before the news that there was one.
            return next(task for task in reversed(tasks) if task.done()).result()
        finally:
            for task in tasks:
                task.cancel()

    async def _wait_for_others(self, pending: PendingAuthorization) -> None:
        while True:
            await self._ports.sleep(LOOK_INTERVAL)
            with contextlib.suppress(StoreError):  # no news; the person may be at it
                stored = await asyncio.to_thread(self._load_pending)
                if stored is None or stored.state != pending.state:
                    return

    async def _wait_for_a_while(self, seconds: float) -> None:
        await self._ports.sleep(seconds)
        raise NobodyYet(f"Nobody came back within {seconds:g} s.")

    async def _give_up(self, seconds: float, pending: PendingAuthorization) -> None:
        await self._ports.sleep(seconds)
        raise explain_absence(
            f"Nobody finished the sign-in within {seconds:g} s.", TRY_AGAIN, pending
        )

    async def _read_by_hand(
        self, next_line: Callable[[], Awaitable[str | None]], pending: PendingAuthorization
    ) -> Callback:
        """The redirect that the person pastes; its state decides, wherever they got it from."""
        report = self._ports.report
        while (line := await next_line()) is not None:
            if not line.strip():
                continue
            try:
                callback = parse_pasted_redirect(line)
            except McpRemoteError as error:
                report(error.sentence())
                continue
            if Secret(callback.parameters["state"]) == pending.state:
                return callback
            report(f"That address belongs to a different sign-in (its state differs). {HINT}")
        report("Nothing more can be pasted; still waiting for the browser itself.")
        return await asyncio.Future()  # the others end the wait


async def _listen(listener: Listener, seconds: float, pending: PendingAuthorization) -> Callback:
    try:
        return await listener.wait(seconds)
    except McpRemoteError as error:
        raise explain_absence(error.cause, error.hint, pending) from error
