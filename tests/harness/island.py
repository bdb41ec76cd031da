"""Runs a command on a machine with no network but addresses of its own, which may be any.

`python -m tests.harness.island [--hosts FILE] ADDRESS... -- COMMAND...`: in a network namespace of
Linux, where this machine has the addresses given beside loopback; nothing of it is seen outside.
So a server on this machine can be one on the internet. Who is not root becomes it inside. FILE
takes the place of /etc/hosts. Must not know what is run.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

NEW_NETWORK, NEW_MOUNTS, NEW_USER = 0x40000000, 0x00020000, 0x10000000
"""Flags of unshare(2)."""
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
"""Flags of mount(2)."""
SIOCSIFADDR, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x8914, 0x1
"""Requests and a flag of netdevice(7)."""

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def leave() -> None:
    """Out of the machine's network and mounts, as root of the new ones."""
    user, group = os.getuid(), os.getgid()
    flags = NEW_NETWORK | NEW_MOUNTS
    check(libc.unshare(flags if user == 0 else flags | NEW_USER), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount /")


def have_addresses(addresses: list[str]) -> None:
    """Loopback is up, with these addresses beside its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
        for number, address in enumerate(one for one in addresses if ":" not in one):
            request = struct.pack(
                "16sHH4s8x", b"lo:%d" % number, socket.AF_INET, 0, socket.inet_aton(address)
            )
            fcntl.ioctl(control, SIOCSIFADDR, request)
    for address in (one for one in addresses if ":" in one):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
            place = socket.inet_pton(socket.AF_INET6, address)
            request = struct.pack("=16sIi", place, 128, socket.if_nametoindex("lo"))
            fcntl.ioctl(control, SIOCSIFADDR, request)


def main(words: list[str]) -> None:
    end = words.index("--")
    options, command = words[:end], words[end + 1 :]
    leave()
    if options[:1] == ["--hosts"]:
        hosts = os.fsencode(options[1])
        check(libc.mount(hosts, b"/etc/hosts", None, MS_BIND, None), "mount /etc/hosts")
        del options[:2]
    have_addresses(options)
    os.execv(command[0], command)  # noqa: S606 - a test's own command


if __name__ == "__main__":
    main(sys.argv[1:])
