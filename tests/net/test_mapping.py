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
    "TurnedAway": (NotSent, NotSent),
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
@pytest.mark.parametrize(
    ("fault", "is_certain"),
    [(faults.TurnedAway("x"), True), (faults.NotConnected("x"), False)],
)
def test_another_machine_that_refuses_is_certain(fault: faults.Fault, is_certain: bool) -> None:
    mapped = explain(fault, sent=False)
    assert isinstance(mapped, NotSent)
    assert mapped.is_certain is is_certain


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


PROXY = "http://proxy.example:3128 (from HTTPS_PROXY)"


def at_proxy(fault: faults.Fault, *, is_beyond: bool = False) -> faults.Fault:
    fault.proxy, fault.is_beyond = PROXY, is_beyond
    return fault


def said(fault: faults.Fault) -> str:
    mapped = explain(fault, sent=False, where="https://e.com")
    assert isinstance(mapped, ExchangeError)
    return mapped.sentence()


@pytest.mark.report("T13")
def test_a_proxy_that_cannot_be_reached_is_named_with_its_variable() -> None:
    assert said(at_proxy(faults.NotConnected("Connection refused"))) == (
        f"The HTTP proxy {PROXY} cannot be reached: Connection refused. Check that the proxy runs, "
        "and the variable that names it; NO_PROXY lists what is reached directly."
    )
    assert said(at_proxy(faults.ConnectTimeout("x"))).startswith(
        f"Connecting to the HTTP proxy {PROXY} took too long."
    )
    assert said(at_proxy(faults.Broken("it hung up"))) == (
        f"The connection to the HTTP proxy {PROXY} broke: it hung up."
    )


@pytest.mark.report("T13")
def test_what_happens_behind_a_proxy_is_the_servers_and_names_both() -> None:
    assert said(at_proxy(faults.NotConnected("it hung up"), is_beyond=True)).startswith(
        f"The server https://e.com cannot be reached through the HTTP proxy {PROXY}: it hung up."
    )


def certificate(code: int, words: str) -> faults.NotConnected:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = code, words
    fault = faults.NotConnected("x")
    fault.__cause__ = error
    return fault


@pytest.mark.report("T13")
@pytest.mark.parametrize(
    ("code", "hint"),
    [(62, "another name"), (64, "another name"), (10, "clock"), (9, "clock"), (20, "--ca-cert")],
)
def test_each_fault_of_a_certificate_has_its_next_step(code: int, hint: str) -> None:
    mapped = said(certificate(code, "Reason."))
    assert mapped.startswith("The server's certificate is not trusted (https://e.com): Reason. ")
    assert hint in mapped
    assert f"(https://e.com through the HTTP proxy {PROXY})" in said(
        at_proxy(certificate(code, "x"), is_beyond=True)
    )
    assert f"The HTTP proxy's certificate is not trusted ({PROXY})" in said(
        at_proxy(certificate(code, "x"))
    )


def test_tls_with_a_proxy_that_speaks_none() -> None:
    fault = at_proxy(faults.NotConnected("x"))
    fault.__cause__ = ssl.SSLError(1, "WRONG_VERSION_NUMBER")
    assert "TLS with the HTTP proxy failed" in said(fault)
    assert "http://, not https://" in said(fault)
