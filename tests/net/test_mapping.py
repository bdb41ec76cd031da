"""Every fault of a connection becomes one of the program's errors, with a whole sentence."""

from __future__ import annotations

import socket
import ssl

import pytest

from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, Unusable
from mcp_remote_py.net import faults
from mcp_remote_py.net.mapping import describe_error, explain

EXPECTED: dict[str, tuple[type[ExchangeError], type[ExchangeError]]] = {
    "Broken": (Interrupted, NotSent),
    "CannotBeSent": (Unusable, Unusable),
    "ConnectTimeout": (NotSent, NotSent),
    "Fault": (Interrupted, NotSent),
    "IllegalAnswer": (Interrupted, NotSent),
    "NotConnected": (NotSent, NotSent),
    "NotTaken": (NotSent, NotSent),
    "ProxyRefusal": (NotSent, NotSent),
    "Silence": (Interrupted, Interrupted),
}
"""What each means where bytes may have left, and where none can have."""


@pytest.mark.promise("R1", "R5")
def test_every_fault_is_mapped() -> None:
    found: dict[str, type[faults.Fault]] = {
        name: one
        for name, one in vars(faults).items()
        if isinstance(one, type) and issubclass(one, faults.Fault)
    }
    assert found.keys() == EXPECTED.keys()
    for name, kind in found.items():
        for sent, wanted in zip((True, False), EXPECTED[name], strict=True):
            mapped = explain(kind("reason"), sent=sent)
            assert type(mapped) is wanted, name
            assert isinstance(mapped, ExchangeError)
            assert mapped.cause.endswith(".")


@pytest.mark.promise("R5")
def test_what_is_not_a_fault() -> None:
    ours = Unusable("ours")
    assert explain(ours, sent=True) is ours
    other = ValueError("nobody's")
    assert explain(other, sent=True) is other
    assert type(explain(OSError("lost"), sent=True)) is Interrupted
    assert type(explain(OSError("lost"), sent=False)) is NotSent


def test_tls_is_told_whatever_it_broke() -> None:
    broken = faults.Broken("x")
    broken.__cause__ = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] x")
    mapped = explain(broken, sent=True)
    assert isinstance(mapped, Unusable)
    assert "TLS with the server failed" in mapped.cause
    assert "--client-cert" in mapped.hint


def test_the_systems_words() -> None:
    assert describe_error(ConnectionRefusedError(111, "to ('::1', 1)")) == "Connection refused"
    assert "cannot be looked up (unknown)" in describe_error(socket.gaierror(-2, "unknown"))
    assert describe_error(OSError("as it is")) == "as it is"
