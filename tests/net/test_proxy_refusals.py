"""What is said of a proxy that refuses, and whether it is asked again: by its answer alone."""

from __future__ import annotations

import time

import pytest

from mcp_remote_py.errors import ExchangeError, NotSent, Refused
from mcp_remote_py.net.faults import ProxyRefusal
from mcp_remote_py.net.mapping import explain
from mcp_remote_py.net.proxy import make_refusal
from mcp_remote_py.net.proxy_refusals import PROXY_READINGS, read_schemes

NAME = "http://proxy.example:3128 (from ALL_PROXY)"


def refuse(
    status: int, *offers: bytes, knows_us: bool = False, words: bytes = b""
) -> ExchangeError:
    headers = [(b"proxy-authenticate", offer) for offer in offers]
    refusal = make_refusal(status, b"No", headers, words, "e.com:443")
    refusal.proxy, refusal.variable, refusal.knows_us = NAME, "ALL_PROXY", knows_us
    mapped = explain(refusal, sent=False, where="https://e.com")
    assert isinstance(mapped, ExchangeError)
    assert mapped.status is None  # it is not the server's
    assert "ALL_PROXY" in mapped.hint or "NO_PROXY" in mapped.hint
    assert mapped.cause.startswith(f"The HTTP proxy {NAME} refused the connection: {status} No")
    return mapped


@pytest.mark.report("T13")
def test_credentials_that_are_missing() -> None:
    for offers in ((), (b"Basic realm=x",), (b'NTLM, Basic realm="a, b"',), (b"NTLM", b"basic")):
        error = refuse(407, *offers)
        assert type(error) is Refused
        assert error.cause.endswith(" It wants a name and a password.")
        assert "http://NAME:PASSWORD@HOST:PORT" in error.hint


@pytest.mark.report("T13")
def test_credentials_that_are_wrong() -> None:
    error = refuse(407, b"Basic realm=x", knows_us=True)
    assert type(error) is Refused
    assert error.cause.endswith(" It does not take the name and the password that it was given.")
    assert "%40" in error.hint


@pytest.mark.report("T13")
@pytest.mark.parametrize("knows_us", [False, True])
@pytest.mark.parametrize(
    ("offers", "named"),
    [
        ((b"NTLM",), "NTLM, which is not supported"),
        ((b"Negotiate", b"NTLM"), "Negotiate or NTLM, which are not supported"),
        ((b"Negotiate YII=, Kerberos",), "Negotiate or Kerberos, which are not supported"),
        ((b'Digest realm="a, Basic", nonce="x", qop=auth',), "Digest, which is not supported"),
    ],
)
def test_ways_that_are_not_ours(offers: tuple[bytes, ...], named: str, knows_us: bool) -> None:
    error = refuse(407, *offers, knows_us=knows_us)
    assert type(error) is Refused
    assert error.cause.endswith(f" It asks for {named}.")
    assert "px or cntlm" in error.hint


@pytest.mark.report("T13")
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (403, Refused, "Its policy forbids e.com:443."),
        (451, Refused, "Its policy forbids e.com:443."),
        (405, Refused, "It may not be an HTTP proxy."),
        (302, Refused, "It wants a sign-in in the browser before it lets this machine through."),
        (511, Refused, "It wants a sign-in in the browser before it lets this machine through."),
        (401, Refused, "It wants a name and a password."),
        (418, Refused, ""),
        (502, NotSent, "It could not connect to e.com:443."),
        (503, NotSent, "It could not connect to e.com:443."),
        (429, NotSent, "It could not connect to e.com:443."),
    ],
)
def test_each_status_says_whose_it_is(status: int, kind: type[ExchangeError], words: str) -> None:
    error = refuse(status)
    assert type(error) is kind
    assert words in error.cause


@pytest.mark.report("T13")
def test_its_own_words_are_shown() -> None:
    error = refuse(403, words=b"<h1>Blocked by policy 7</h1>")
    assert ': 403 No: "Blocked by policy 7". Its policy' in error.cause


def test_every_reading_has_its_source() -> None:
    assert all(one.source.who and one.source.where for one in PROXY_READINGS)


def test_a_proxy_that_says_nothing_http_is_asked_again() -> None:
    mapped = explain(ProxyRefusal("it hung up"), sent=False)
    assert type(mapped) is NotSent
    assert mapped.cause == "The HTTP proxy refused the connection: it hung up."


@pytest.mark.parametrize(
    ("challenges", "schemes"),
    [
        (b"", ()),
        (b"Basic", ("Basic",)),
        (b'Basic realm="x, NTLM", charset="UTF-8", NTLM', ("Basic", "NTLM")),
        (b"NTLM TlRMTVNTUAAC==,,Negotiate", ("NTLM", "Negotiate")),
        (b'Digest realm="broken', ("Digest",)),
    ],
)
def test_schemes_are_read_out_of_challenges(challenges: bytes, schemes: tuple[str, ...]) -> None:
    assert read_schemes(challenges) == schemes


@pytest.mark.report("T13")
@pytest.mark.parametrize("challenges", [b'"' + b'\\"' * 32_000, b'"' + b'\\"' * 32_000 + b"\\"])
def test_quotes_without_an_end_cost_no_time(challenges: bytes) -> None:
    before = time.process_time()
    assert read_schemes(challenges) == ()
    assert time.process_time() - before < 0.5  # measured: 0.001; it was 20 s


@pytest.mark.report("T13")
def test_ways_to_sign_in_are_told_in_short() -> None:
    offers = b",".join(b"Odd\x9b%d" % number for number in range(5000))
    error = refuse(407, offers)
    assert "It asks for Odd 0 or Odd 1 or" in error.cause
    assert len(error.cause) < 500
