"""The era of the server, as both shells know it. Must not know how it is learned."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from mcp_remote_py.bounds import MAX_SERVER_REQUESTS
from mcp_remote_py.eras.era_detection import Era
from mcp_remote_py.jsonrpc import Message


class ServerEra:
    """The era of one server.

    `remembered` is what an earlier start wrote down, `remember` writes down another; `fixed`
    where the person said which it is (`--protocol`).

    Attributes:
        now: what is known. MODERN and LEGACY are what the host's own era found out first: a server
            of both eras is to each host one of its own.
        host_is_modern: requests of the server have to be turned round for the host.
        related: by the id of a server's request, that of the request on whose stream it came.
    """

    def __init__(
        self,
        remembered: Era = Era.UNKNOWN,
        remember: Callable[[Era], None] = lambda _: None,
        *,
        fixed: bool = False,
    ) -> None:
        self.now = remembered
        self.fixed = fixed
        self.host_is_modern = False
        self.related: dict[Hashable, Hashable] = {}
        self._remembered = remembered
        self._remember = remember

    def relate(self, request: Message) -> None:
        """A request of the server came on the stream of another."""
        if len(self.related) < MAX_SERVER_REQUESTS:
            self.related[request.key] = request.related

    def confirm(self, era: Era) -> None:
        """The server has shown that it is of this era and of no other."""
        self.now = era
        self._keep(era)

    def accept(self, era: Era) -> None:
        """The server speaks this era; it may speak the other as well."""
        self.now = era
        if self._remembered is not era:
            self._keep(Era.UNKNOWN)

    def suspect(self) -> None:
        """Notes that it may have changed; the next request of a modern host finds out."""
        if self.now is Era.MODERN and not self.fixed:
            self.now = Era.UNKNOWN

    def doubt(self) -> None:
        """Forgets the era, which does not fit any more."""
        if not self.fixed:
            self.now = Era.UNKNOWN
            self._keep(Era.UNKNOWN)

    def _keep(self, era: Era) -> None:
        if era is not self._remembered and not self.fixed:
            self._remembered = era
            self._remember(era)
