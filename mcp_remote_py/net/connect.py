"""From a name to a connection: look-up, judgement of the addresses, the first that answers.

Who may be connected to is judged by whoever is given to judge, on addresses. Must not know the
rule, or HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any, cast

from mcp_remote_py.net.early import Begun, EarlyConnection, close_when_begun
from mcp_remote_py.net.faults import ConnectTimeout, NotConnected, TurnedAway
from mcp_remote_py.net.mapping import describe_error
from mcp_remote_py.net.wire import Wire, make_look

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds until the next address is tried beside a silent one (RFC 8305 §5): a network whose
IPv6 drops packets must not cost a connection (field note 31)."""

KEEPALIVE_PROBES = (
    (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), 60),
    (("TCP_KEEPINTVL",), 15),
    (("TCP_KEEPCNT",), 4),
)
"""Seconds, seconds, count: a peer that vanished without a word (a balancer that dropped the
connection, a laptop that slept) is noticed by the kernel, at no cost to us while idle.

Of the names of each the first that is there is taken: macOS has another for the first of them."""


def socket_options(system: Any) -> list[tuple[int, int, int]]:
    """What every connection is told: level, option, value. `system` is the module `socket`."""
    options = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    ]
    for names, value in KEEPALIVE_PROBES:
        known = [getattr(system, name) for name in names if hasattr(system, name)]
        options += [(socket.IPPROTO_TCP, option, value) for option in known[:1]]
    return options


_OPTIONS = socket_options(socket)

Resolve = Callable[[str, int, socket.AddressFamily], Awaitable[Sequence[str]]]
"""The addresses of a host, the preferred first; raises OSError where it has none."""

Choose = Callable[[str, Sequence[str]], Awaitable[Sequence[str]]]
"""Those addresses of a host that may be connected to; raises where none may."""

_Connection = tuple[asyncio.Transport, Wire]
_Way = Callable[[], Coroutine[Any, Any, _Connection]]


async def resolve(host: str, port: int, family: socket.AddressFamily) -> list[str]:
    """See `Resolve`: as the system does it."""
    if (literal := _read_literal(host, family)) is not None:
        return [literal]  # whoever asks the system starts a thread
    loop = asyncio.get_running_loop()
    # As bytes: for text, Python loads what spells names of other alphabets.
    found = await loop.getaddrinfo(host.encode(), port, family=family, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _read_literal(host: str, family: socket.AddressFamily) -> str | None:
    for one in (socket.AF_INET, socket.AF_INET6):
        if family in (one, socket.AF_UNSPEC):
            with contextlib.suppress(OSError):
                return socket.inet_ntop(one, socket.inet_pton(one, host))
    return None


async def connect(
    host: str,
    port: int,
    seconds: float | None,
    *,
    ipv4: bool = False,
    choose: Choose | None = None,
    resolve: Resolve = resolve,
    early: EarlyConnection | None = None,
) -> Wire:
    """A connection to the first address that answers; `seconds` covers its look-up too.

    With `ipv4`, over IPv4 only. The host is looked up once, and with `choose` what is connected to
    is among what that let through: a second look-up could bring another address (DNS rebinding).
    `early` is one that was begun before, judged by nobody: it is taken where it is as good as new.

    Raises:
        NotConnected: no address answers, or there is none.
    """
    addresses: Sequence[str] = ()
    family = socket.AF_INET if ipv4 else socket.AF_UNSPEC

    async def begin() -> _Connection:
        nonlocal addresses
        addresses = await resolve(host, port, family)
        if choose is not None:
            addresses = await choose(host, addresses)
        create = asyncio.get_running_loop().create_connection
        return await _race([partial(create, Wire, one, port) for one in _in_turns(addresses)])

    begun = None if early is None else early.take(host, port)
    connecting = begin() if begun is None else _race([partial(_take_early, begun), begin])
    try:
        async with asyncio.timeout(seconds):
            _, wire = await connecting
    except TimeoutError as error:
        # Without a time-out of ours it is the kernel's, which is an OSError with a number.
        if error.errno is not None:
            raise NotConnected(describe_error(error)) from error
        raise ConnectTimeout(f"no connection within {seconds:g} seconds") from None
    except OSError as error:
        kind = TurnedAway if is_turned_away(error, addresses) else NotConnected
        words = describe_error(error)
        if ipv4 and isinstance(error, socket.gaierror):
            words += " over IPv4 alone; leave out --ipv4 if it has IPv6 only"
        raise kind(words) from error
    set_option = wire.get_extra_info("socket").setsockopt
    for option in _OPTIONS:
        set_option(*option)
    return wire


async def _take_early(begun: Begun) -> _Connection:
    """The one that was begun before, when it comes about.

    Raises:
        OSError: it does not, or the server has closed it meanwhile.
    """
    loop = asyncio.get_running_loop()
    is_there = asyncio.Event()

    def tell(_: Begun) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(is_there.set)

    begun.add_done_callback(tell)
    try:
        await is_there.wait()
    except asyncio.CancelledError:
        close_when_begun(begun)
        raise
    connection = begun.result()
    if make_look(connection.fileno())():
        connection.close()
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    connection.setblocking(False)
    return await loop.create_connection(Wire, sock=connection)


def is_turned_away(error: OSError, addresses: Sequence[str]) -> bool:
    """Whether the port is surely wrong: on this machine, a server may be about to start."""
    is_here = any(one == "::1" or one.startswith("127.") for one in addresses)
    return isinstance(error, ConnectionRefusedError) and not is_here


def _in_turns(addresses: Sequence[str]) -> list[str]:
    """One of the first one's family, one of the other, and so on (RFC 8305 §4)."""
    ipv6 = [address for address in addresses if ":" in address]
    ipv4 = [address for address in addresses if ":" not in address]
    first, second = (ipv6, ipv4) if addresses[0] in ipv6 else (ipv4, ipv6)
    return [address for pair in zip_longest(first, second) for address in pair if address]


async def _race(ways: Sequence[_Way]) -> _Connection:
    """The first connection that comes about (RFC 8305 §5); the others are dropped.

    asyncio's own loses a socket where it is cancelled in the turn in which one comes about.
    """
    left = list(ways)
    trying: set[asyncio.Task[_Connection]] = set()
    error: BaseException | None = None
    try:
        while left or trying:
            if left:
                trying.add(asyncio.create_task(left.pop(0)()))
            delay = HAPPY_EYEBALLS_DELAY if left else None
            done, trying = await asyncio.wait(
                trying, timeout=delay, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                failure = task.exception()
                if failure is None:
                    trying |= done - {task}  # two at once: the other one is dropped, too
                    return task.result()
                error = error or failure
        raise cast("BaseException", error)
    finally:
        for task in trying:
            task.add_done_callback(_drop)
            task.cancel()


def _drop(attempt: asyncio.Task[_Connection]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result()[0].abort()
