"""Who listens for TCP on this machine, and where (Linux, from /proc).

Must not know why.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

LISTEN = "0A"
"""The state, as the kernel writes it."""


class Listener(NamedTuple):
    """A socket that takes connections; the inode tells it from all others there were."""

    address: IPv4Address | IPv6Address
    port: int
    inode: int


def all_listeners() -> list[Listener]:
    """Those of all processes of this network."""
    return [*_read("/proc/net/tcp"), *_read("/proc/net/tcp6")]


def listeners_of(pids: Iterable[int]) -> list[Listener]:
    """Those that one of these processes holds, whoever has made it."""
    held = {inode for pid in pids for inode in _sockets_of(pid)}
    return [one for one in all_listeners() if one.inode in held]


def _read(table: str) -> Iterator[Listener]:
    with contextlib.suppress(FileNotFoundError), open(table) as rows:  # without IPv6 there is none
        next(rows)
        for row in rows:
            _, place, _, state, *_, inode = row.split(None, 10)[:10]
            if state != LISTEN:
                return  # the kernel names those that listen before the thousands of others
            address, port = place.split(":")
            yield Listener(_address(address), int(port, 16), int(inode))


def _address(text: str) -> IPv4Address | IPv6Address:
    """Of words of 32 bits, each in the order of this machine."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return ip_address(socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words)))


def _sockets_of(pid: int) -> Iterator[int]:
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                target = os.readlink(f"{folder}/{name}")
                if target.startswith("socket:["):
                    yield int(target[8:-1])
