"""The machine that some networks need: names of its own, and every port free to listen at.

Must not know which network is played.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

IPV6, OTHER = "2001:db8::1", "127.0.0.9"
"""Addresses of that machine, beside loopback's; the first counts as one of the internet."""
_ADDRESSES = (IPV6, OTHER, "10.7.0.1")
"""With one of each kind that is not loopback's: who has none of a kind is not told of any."""
HOSTS = "127.0.0.1 localhost\n"
_VARIABLE = "NETWORKS_HOSTS"


def go_to_island() -> None:
    """Begins this program again on such a machine, where it is not there yet."""
    if _VARIABLE in os.environ:
        return
    folder = tempfile.mkdtemp()
    hosts = Path(folder) / "hosts"
    os.environ[_VARIABLE] = str(hosts)
    resolve()
    words = [sys.executable, "-m", "tests.harness.island", "--hosts", str(hosts), *_ADDRESSES]
    again = [sys.executable, "-m", "tests.interop.networks", *sys.argv[1:]]
    os.execv(words[0], [*words, "--", *again])  # noqa: S606 - this program itself


def resolve(**more: tuple[str, ...]) -> None:
    """From now on names lead to 127.0.0.1, and `mcp` to the addresses given."""
    places = {"mcp": ("127.0.0.1",), "other": ("127.0.0.1",)} | more
    lines = [f"{address} {name}.example\n" for name, all in places.items() for address in all]
    Path(os.environ[_VARIABLE]).write_text(HOSTS + "".join(lines))  # the same file: it is mounted
