"""Listeners are found by process, and with the address they listen on."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address

import pytest

from tests.harness.listeners import all_listeners, listeners_of


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
def test_a_listener_is_found(family: socket.AddressFamily, address: str) -> None:
    with socket.create_server((address, 0), family=family) as server:
        place = (ip_address(address), server.getsockname()[1])
        assert place in [one[:2] for one in listeners_of([os.getpid()])]
        with socket.create_connection(server.getsockname()[:2]):
            assert place in [one[:2] for one in all_listeners()]
    assert place not in [one[:2] for one in listeners_of([os.getpid()])]
