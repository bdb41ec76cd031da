"""The agent as the commands need it, and the one place where they get it.

Imported late: the rest of it is heavy. Must not know how anybody signs in.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from mcp_remote_py.oauth.steps import Credential, Stored
from mcp_remote_py.settings.commands import LoginSettings


class Agent(Protocol):
    """Signs one person in and out, in one session at one server."""

    async def sign_in(self, challenge: str = "") -> Credential:
        """Signs in anew, whatever is stored, and stores what came of it.

        `challenge` is the value of `WWW-Authenticate`, "" without one.

        Raises:
            McpRemoteError: it did not come about; a sentence for the person.
        """
        ...

    def has_failed(self) -> bool:
        """Whether the last sign-in came to nothing: the server wants one, be it for a call alone.

        May block.

        Raises:
            StoreError: what is known of it cannot be read.
        """
        ...

    async def find_offer(self) -> str | None:
        """The challenge to sign in by where the server has not asked for it; None without any.

        It publishes a sign-in all the same, for calls alone it may be.
        """
        ...

    def seconds_left(self) -> float | None:
        """Seconds that the person has to finish what was shown; None where nobody waits."""
        ...

    async def sign_out(self) -> Stored:
        """Revokes what is stored (RFC 7009), as far as possible, and forgets it.

        Returns what that was. That a server would not revoke is reported, not raised.

        Raises:
            McpRemoteError: what is stored can be neither read nor deleted.
        """
        ...

    async def aclose(self) -> None:
        """Ends what is under way, and closes connections; to be called last."""
        ...


class BuildAgent(Protocol):
    """Makes the agent of a session; called in a running event loop."""

    def __call__(
        self,
        settings: LoginSettings,
        environment: Mapping[str, str],
        report: Callable[[str], None],
        read_line: Callable[[], str] | None = None,
        /,
    ) -> Agent:
        """`report` tells the person a sentence; `read_line` reads one, "" at the end of all.

        It is asked only where the settings allow to paste, and may block.
        """
        ...


def load_agent() -> BuildAgent:
    """The real one, imported now."""
    return cast("BuildAgent", importlib.import_module("mcp_remote_py.signin.build").build_agent)
