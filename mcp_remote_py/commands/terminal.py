"""Looks at the server for a person who has started the relay at a terminal (decision D13).

A host of our own begins a session of its own, lists the tools and ends it; so what it meets is what
any host would meet, nothing of it reaches stdout, and whatever the person types is a conversation
of its own. Loaded where stdin is a terminal. Must not know how a relay is put together, nor the
words for what was found.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Protocol

import msgspec

from mcp_remote_py import __version__
from mcp_remote_py.channel import Deliver, HostChannel, no_wait
from mcp_remote_py.exit_status import DONE_STATUS, FAILED_STATUS, SIGN_IN_NEEDED_STATUS
from mcp_remote_py.found import (
    SHOWN_TOOLS,
    UNREAD,
    Found,
    describe_found,
    read_error,
    read_page,
    read_server,
)
from mcp_remote_py.json_text import encode
from mcp_remote_py.jsonrpc import (
    METHOD_NOT_FOUND,
    Kind,
    Message,
    make_error,
    make_notification,
    make_request,
    make_result,
)
from mcp_remote_py.mcp_session import INITIALIZED
from mcp_remote_py.redact import mask_url
from mcp_remote_py.relay.relay import Relay
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.shown_variables import show_variables
from mcp_remote_py.versions import MODERN, NEWEST_HANDSHAKE

LOOK_PATIENCE = 60.0
"""Seconds for all of it: hosts give up by then as well."""

LOOK_GRACE = 1.0
"""Seconds it gets to finish after the end of the input; below the 2 s of promise R7."""

PAGES_LOOKED_AT = 10
"""Pages of tools that are read."""


def end_key(platform: str) -> str:
    """The keys that end the input at a terminal; `platform` as of `sys`."""
    return "Ctrl+Z and Enter" if platform == "win32" else "Ctrl+D"


_GREETING = {
    "protocolVersion": NEWEST_HANDSHAKE,
    "capabilities": {},
    "clientInfo": {"name": "mcp-remote-py", "version": __version__},
}


class Looking(Protocol):
    """A relay that is put together, and what it has found out."""

    @property
    def relay(self) -> Relay:
        """The relay itself."""
        ...

    @property
    def transport(self) -> str:
        """The transport that was found."""
        ...

    @property
    def is_modern(self) -> bool:
        """Whether the server is of the modern era."""
        ...

    @property
    def is_refused(self) -> bool:
        """Whether the server has refused what we have of a sign-in, be it nothing."""
        ...

    async def run(self) -> None:
        """Relays until the host is gone."""
        ...


class OwnHost:
    """A `HostChannel` without streams: its requests are made here, and so are its answers.

    It offers nothing that a server could ask for.
    """

    def __init__(self) -> None:
        self._deliver: Deliver = lambda _: None
        self._on_end: Callable[[], None] = lambda: None
        self._open: dict[Hashable, asyncio.Future[Message]] = {}
        self._count = 0
        self._begun = asyncio.Event()
        self.drain = no_wait

    def receive(self, deliver: Deliver, on_end: Callable[[], None]) -> None:
        """See `HostChannel.receive`."""
        self._deliver, self._on_end = deliver, on_end
        self._begun.set()

    def send(self, message: Message) -> None:
        """See `HostChannel.send`."""
        if message.kind is Kind.REQUEST:
            if message.method == "ping":
                answer = make_result(message.raw_id, b"{}")
            else:
                answer = make_error(message.raw_id, METHOD_NOT_FOUND, "Nobody is asked here.")
            self._deliver(answer)
            return
        asked = self._open.pop(message.key, None)
        if asked is not None and not asked.done():
            asked.set_result(message)

    def end(self, reason: Message) -> None:
        """See `HostChannel.end`: what is open is answered by then."""

    async def flush(self, seconds: float) -> None:
        """See `LineChannel.flush`."""

    async def ask(self, method: str, params: bytes) -> Message:
        """The answer to a request, which may be an error."""
        await self._begun.wait()
        self._count += 1
        request = make_request(b"%d" % self._count, method, params)
        asked: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._open[request.key] = asked
        self._deliver(request)
        return await asked

    def tell(self, method: str) -> None:
        """Sends a notification."""
        self._deliver(make_notification(method))

    def leave(self) -> None:
        """The end of it, as of a host that closes stdin."""
        self._on_end()


async def look_beside(
    relaying: Looking,
    settings: ProxySettings,
    environment: Mapping[str, str],
    assemble: Callable[[ProxySettings, HostChannel], Looking],
    say: Callable[[str], None],
) -> int:
    """Runs the relay of the person, and looks at the server meanwhile; the exit status of the look.

    `assemble` puts together the relay of the look, `say` tells the person a line.
    """
    running = asyncio.ensure_future(relaying.run())
    # Without a person's sign-in: whoever typed this may not have meant to open a page.
    quiet = settings.sign_in.replace(asks_person=settings.sign_in.unattended is not None)
    host = OwnHost()
    looking = assemble(settings.replace(sign_in=quiet, ping_interval=None), host)
    address = mask_url(str(settings.server))
    say(f"Asking {address}, as a host would ...")
    look = asyncio.ensure_future(look_at_server(host, looking, address))
    await asyncio.wait({running, look}, return_when=asyncio.FIRST_COMPLETED)
    if not look.done():  # the person has ended it; a script that has typed all may still read
        await asyncio.wait({look}, timeout=LOOK_GRACE)
    if not look.done():
        looking.relay.stop("Nobody waits for it any more.")
    found = await look
    if looking.relay.is_stopped:
        await running
        return DONE_STATUS
    variables = () if settings.aws is None else settings.aws.variables
    extra = "aws" if settings.aws is not None and settings.aws.reads_files else ""
    named = (*variables, *settings.network.variables_for(settings.server))
    needed = show_variables(named, environment)
    for line in describe_found(found, settings.entry_words, end_key(sys.platform), needed, extra):
        say(line)
    await running
    return status_of(found)


async def look_at_server(
    host: OwnHost, looking: Looking, address: str, patience: float = LOOK_PATIENCE
) -> Found:
    """What the server says to a host; `address` is told, `patience` in seconds."""
    running = asyncio.ensure_future(looking.run())
    found = Found(address)
    asked = "initialize"
    try:
        async with asyncio.timeout(patience):
            answer = await host.ask(asked, encode(_GREETING))
            if answer.is_error:
                return found.replace(
                    error=read_error(answer, asked), needs_sign_in=looking.is_refused
                )
            name, version, revision, has_tools = read_server(answer)
            found = found.replace(
                name=name,
                version=version,
                transport=looking.transport,
                revision=MODERN if looking.is_modern else revision,
                is_modern=looking.is_modern,
            )
            host.tell(INITIALIZED)
            asked = "tools/list"
            return await _list_tools(host, found) if has_tools else found
    except TimeoutError:
        late = f"The server did not answer {asked} within {patience:g} s."
        return found.replace(**{"tools_error" if found.transport else "error": late})
    finally:
        host.leave()
        await running


async def _list_tools(host: OwnHost, found: Found) -> Found:
    pages, count, names, cursor = 0, 0, list[str](), b""
    while pages < PAGES_LOOKED_AT:
        params = {"cursor": msgspec.Raw(cursor)} if cursor else {}
        answer = await host.ask("tools/list", encode(params))
        if answer.is_error:
            return found.replace(tools_error=read_error(answer, "tools/list"))
        page = read_page(answer)
        if page is None:
            return found.replace(tools_error=UNREAD)
        on_page, first, cursor = page
        pages += 1
        count += on_page
        names += first
        if not cursor:
            break
    return found.replace(
        count=count, tools=tuple(names[:SHOWN_TOOLS]), pages=pages, has_more=bool(cursor)
    )


def status_of(found: Found) -> int:
    """The exit status of a relay that was started to look."""
    if not found.error:
        return DONE_STATUS
    return SIGN_IN_NEEDED_STATUS if found.needs_sign_in else FAILED_STATUS
