"""The sign-in of a relay: nothing of it is loaded before a server refuses, or a token is stored.

And the one that signs nobody in. Must not know how anybody signs in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mcp_remote_py.channel import Sent
from mcp_remote_py.credentials.session_files import SessionFile
from mcp_remote_py.errors import ExchangeError, Refused
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.settings.commands import ProxySettings

if TYPE_CHECKING:
    from mcp_remote_py.signin.agent import SignInAgent

logger = logging.getLogger("mcp_remote_py")


class LazySignIn:
    """An `Authorizer` and `SignInWatch` that costs nothing where nobody signs in.

    `introduction` is the message by which the host has said who it is, None before.
    """

    def __init__(
        self,
        settings: ProxySettings,
        environment: Mapping[str, str],
        state: SessionFile,
        introduction: Callable[[], Message | None],
        *,
        signed_in: bool,
    ) -> None:
        self._introduction = introduction
        self._settings = settings
        self._environment = environment
        self._state = state
        self._agent: SignInAgent | None = None
        # Only a hint: where it is wrong, the server's refusal leads to the same record.
        self._signed_in = signed_in
        self._server_address = ""
        self.is_refused = False
        """The server has refused a request, and there is nothing else to send."""
        self.challenge = ""
        """The challenge of that refusal, where it was kept."""

    def note_address(self, address: str) -> None:
        """The server was connected to there, last."""
        self._server_address = address

    async def authorize(self, method: bytes, url: str) -> Sent | None:
        """See `Authorizer`."""
        if self._agent is None and not self._signed_in:
            return None
        return await self._get().authorize(method, url)

    def take_nonce(self, nonce: bytes) -> None:
        """See `Authorizer`."""
        if self._agent is not None:
            self._agent.take_nonce(nonce)

    def accepted(self, sent: Sent) -> None:
        """See `Authorizer`."""
        if self._agent is not None:
            self._agent.accepted(sent)

    async def refused(self, sent: Sent | None, status: int, challenge: bytes) -> bool:
        """See `Authorizer`."""
        try:
            return await self._get().refused(sent, status, challenge)
        except ExchangeError:
            self.is_refused = True
            raise

    async def aclose(self) -> None:
        """See `Authorizer`."""
        if self._agent is not None:
            await self._agent.aclose()

    def waiting_for_person(self) -> str:
        """See `SignInWatch`."""
        return "" if self._agent is None else self._agent.waiting_for_person()

    def is_under_way(self) -> bool:
        """See `SignInWatch`."""
        return self._agent is not None and self._agent.is_under_way()

    def show_page(self) -> None:
        """See `SignInWatch`."""
        if self._agent is not None:
            self._agent.show_page()

    def _get(self) -> SignInAgent:
        if self._agent is None:
            from mcp_remote_py.signin.application import name_application
            from mcp_remote_py.signin.build import build_agent  # a third of a start

            self._agent = build_agent(
                self._settings.login,
                self._environment,
                say,
                server_address=lambda: self._server_address,
                state=self._state,
                application=lambda: name_application(self._introduction()),
            )
        return self._agent


class NoSignIn(LazySignIn):
    """Sends no credential, and keeps the challenge of a server that asks for one."""

    async def authorize(self, method: bytes, url: str) -> Sent | None:
        """See `Authorizer`."""
        return None

    async def refused(self, sent: Sent | None, status: int, challenge: bytes) -> bool:
        """See `Authorizer`; a 403 without a challenge is for the request, whoever sends it."""
        if status != 401 and not challenge:
            return False
        self.is_refused = True
        self.challenge = challenge.decode("latin-1")
        raise Refused("The server wants a sign-in.", status=status)


def say(text: str) -> None:
    """Tells the person, who may have to open an address."""
    logger.warning("%s", text)
