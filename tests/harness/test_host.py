"""What the harness says of processes, shown on the test's own."""

from __future__ import annotations

import os
import socket

from tests.harness.host import has_port


def test_port_is_of_who_listens_and_of_who_talks_from_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as connection:
            assert has_port(os.getpid(), port)
            assert has_port(os.getpid(), connection.getsockname()[1])
            assert not has_port(os.getppid(), port)
    assert not has_port(os.getpid(), port)
