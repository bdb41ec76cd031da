"""Every fault of a connection becomes one of the program's errors, with a whole sentence."""

from __future__ import annotations

import socket
import ssl

import pytest

from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, Unusable
from mcp_remote_py.net import faults
from mcp_remote_py.net.mapping import describe_error, explain
from mcp_remote_py.net.tls_refusals import TLS_READINGS

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
    "HungUp": (NotSent, NotSent),
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


def tls_error(reason: str) -> str:
    fault = faults.NotConnected("x")
    error = ssl.SSLError(1, f"[SSL: {reason}] x")
    error.reason = reason
    fault.__cause__ = error
    return said(fault)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (
            "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            "certificate required. It wants a client certificate. Give yours with --client-cert "
            "and --client-key.",
        ),
        (
            "TLSV1_ALERT_UNKNOWN_CA",
            "unknown ca. It does not take the client certificate. Check that the one of "
            "--client-cert is meant for this server, and that its file holds the certificates "
            "between it and its authority, too.",
        ),
        (
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "certificate expired. It does not take the client certificate any more. Get a new one, "
            "and name it with --client-cert.",
        ),
        (
            "SSLV3_ALERT_HANDSHAKE_FAILURE",
            "handshake failure. It wants a client certificate, or has no way of encrypting that is "
            "allowed here. Give yours with --client-cert and --client-key where it wants one; else "
            "tell whoever runs it.",
        ),
        (
            "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
            "no application protocol. It speaks HTTP/2 only. HTTP/1.1 is needed: whoever runs it "
            "has to offer that, too.",
        ),
        (
            "TLSV1_UNRECOGNIZED_NAME",
            "unrecognized name. It does not know that name. Check the host of the URL.",
        ),
        (
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "protocol version. It speaks no version of TLS that is allowed here. TLS 1.2 or 1.3 is "
            "needed: tell whoever runs it.",
        ),
        (
            "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
            "UNSAFE_LEGACY_RENEGOTIATION_DISABLED. Its TLS is too weak to be allowed here. Tell "
            "whoever runs it, or the proxy that opens TLS on the way.",
        ),
        (
            "WRONG_VERSION_NUMBER",
            "WRONG_VERSION_NUMBER. What answers there does not speak TLS. Check the port of the "
            "URL; for plain http write http:// there, and add --allow-http.",
        ),
        (
            "SOMETHING_NEW",
            "SOMETHING_NEW. Check that the URL's port speaks https, and whether the server wants "
            "--client-cert.",
        ),
    ],
)
def test_what_openssl_says_has_its_cause_and_next_step(reason: str, sentence: str) -> None:
    assert tls_error(reason) == f"TLS with the server failed (https://e.com): {sentence}"


def test_each_reading_of_tls_has_a_source_and_a_reason_is_read_once() -> None:
    reasons = [reason for reading in TLS_READINGS for reason in reading.reasons]
    assert len(reasons) == len(set(reasons))
    assert all(reading.source.who and reading.source.where for reading in TLS_READINGS)


def test_who_signed_is_named_on_one_line_and_shortened() -> None:
    fault = certificate(20, "unable to get local issuer certificate")
    assert fault.__cause__ is not None
    fault.__cause__.add_note("Corp\nRoot " + "x" * 5000)
    told = said(fault)
    assert 'certificate. It was signed by "Corp Root xxx' in told
    assert len(told) < 800
    assert told.endswith(
        "…\". If that is your company's own authority, name its PEM file with --ca-cert, or in "
        "SSL_CERT_FILE in the entry's env."
    )


def test_the_systems_words() -> None:
    assert describe_error(ConnectionRefusedError(111, "to ('::1', 1)")) == "Connection refused"
    assert "cannot be looked up (unknown)" in describe_error(socket.gaierror(-2, "unknown"))
    assert describe_error(OSError("as it is")) == "as it is"


def test_the_number_of_openssl_is_not_read_as_one_of_the_system() -> None:
    """1 is "Operation not permitted" there."""
    assert describe_error(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] x")) == (
        "[SSL: WRONG_VERSION_NUMBER] x"
    )


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
    assert said(at_proxy(faults.ConnectTimeout("x"))) == (
        f"Connecting to the HTTP proxy {PROXY} took too long. Check that the proxy runs, and the "
        "variable that names it; NO_PROXY lists what is reached directly."
    )
    assert said(at_proxy(faults.Broken("it hung up"))) == (
        f"The connection to the HTTP proxy {PROXY} broke: it hung up. Ask again. If it breaks each "
        "time, look at the server's log, and at what is on the way (a proxy, a VPN, a firewall)."
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
    ("code", "words", "hint"),
    [
        (62, "Reason", "another name"),
        (64, "Reason", "another name"),
        (10, "certificate has expired", "clock"),
        (9, "certificate is not yet valid", "clock"),
        (18, "self-signed certificate", "--ca-cert"),
        (19, "self-signed certificate in certificate chain", "--ca-cert"),
        (20, "Reason", "--ca-cert"),
    ],
)
def test_each_fault_of_a_certificate_has_its_next_step_whatever_openssl_calls_it(
    code: int, words: str, hint: str
) -> None:
    mapped = said(certificate(code, "Reason."))
    assert mapped.startswith(f"The server's certificate is not trusted (https://e.com): {words}. ")
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


@pytest.mark.report("T13")
@pytest.mark.parametrize(
    ("code", "marks", "told"),
    [
        (
            20,
            {"may_lack_one": True, "lacks_one": True},
            'It was signed by "Corp CA", whose own certificate the server does not send with it. '
            "An intermediate certificate is missing: whoever runs the server has to let it send "
            "the whole chain (a file that is often called fullchain.pem). Until then, name a PEM "
            "file with that certificate in --ca-cert.",
        ),
        (
            21,
            {"may_lack_one": True},
            'It was signed by "Corp CA", whose own certificate the server does not send with it. '
            "If that is an authority, name its PEM file with --ca-cert; if it is one between the "
            "server and its authority, whoever runs the server has to let it send the whole chain "
            "(fullchain.pem).",
        ),
        (
            18,
            {"may_lack_one": True},
            'It was signed by "Corp CA". If that is your company\'s own authority, name its PEM '
            "file with --ca-cert, or in SSL_CERT_FILE in the entry's env.",
        ),
    ],
)
def test_a_chain_that_is_not_whole_is_told_apart(
    code: int, marks: dict[str, bool], told: str
) -> None:
    fault = certificate(code, "Reason.")
    assert fault.__cause__ is not None
    fault.__cause__.add_note("Corp CA")
    vars(fault.__cause__).update(marks)
    words = "self-signed certificate" if code == 18 else "Reason"
    assert said(fault) == (
        f"The server's certificate is not trusted (https://e.com): {words}. {told}"
    )
