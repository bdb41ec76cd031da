"""Cookies as load balancers use them: kept by path, replaced, ended, never for another host."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.transports.cookies import (
    MAX_COOKIE_BYTES,
    MAX_COOKIES,
    MAX_LINE_BYTES,
    Cookies,
)
from tests.harness.host import wait_until

URL = "https://mcp.example.com/mcp"


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("set_cookie", "url", "sent"),
    [
        ("lb=a", "https://mcp.example.com/mcp", b"lb=a"),
        ("lb=a; Path=/", "https://mcp.example.com/other", b"lb=a"),
        ("lb=a; Path=/messages", "https://mcp.example.com/mcp", b""),
        ("lb=a; Path=/; Secure", "http://mcp.example.com/mcp", b""),
        ("lb=a; Path=/; Secure; HttpOnly; SameSite=None", URL, b"lb=a"),
        ("lb=a; Path=/", "https://other.example.com/mcp", b""),
        ("lb=a; Path=/; Domain=other.com", URL, b""),
        ("lb=a; Path=/; Domain=com", URL, b""),
        ("lb=a; Path=/; Max-Age=0", URL, b""),
        ("nonsense", URL, b"nonsense"),
        ("", URL, b""),
    ],
)
def test_cookie_is_sent_where_it_belongs(set_cookie: str, url: str, sent: bytes) -> None:
    cookies = Cookies()
    cookies.store(URL, [set_cookie.encode()])
    assert cookies.header_for(url) == sent


def test_cookie_of_the_same_name_is_replaced_and_ended() -> None:
    cookies = Cookies()
    cookies.store(URL, [b"lb=a; Path=/", b"other=1; Path=/"])
    cookies.store(URL, [b"lb=\xe4; Path=/"])
    assert set(cookies.header_for(URL).split(b"; ")) == {b"lb=\xe4", b"other=1"}
    cookies.store(URL, [b"lb=; Path=/; Max-Age=0"])
    assert cookies.header_for(URL) == b"other=1"


def names_in(header: bytes) -> set[bytes]:
    return {pair.partition(b"=")[0] for pair in header.split(b"; ") if pair}


@pytest.mark.report("S11")
@pytest.mark.parametrize("at_once", [True, False])
def test_of_too_many_cookies_the_oldest_go(at_once: bool) -> None:
    cookies = Cookies()
    numbers = range(MAX_COOKIES * 3)
    for batch in [numbers] if at_once else [[number] for number in numbers]:
        cookies.store(URL, [b"c%d=v; Path=/" % number for number in batch])
    kept = {b"c%d" % number for number in numbers[-MAX_COOKIES:]}
    assert names_in(cookies.header_for(URL)) == kept


@pytest.mark.report("S11")
def test_cookie_that_is_set_again_is_young_again() -> None:
    cookies = Cookies()
    cookies.store(URL, [b"lb=a; Path=/"])
    for number in range(MAX_COOKIES * 2):
        cookies.store(URL, [b"c%d=v; Path=/" % number, b"lb=a; Path=/"])
    assert b"lb" in names_in(cookies.header_for(URL))


@pytest.mark.report("S11")
def test_cookies_are_bounded_each_and_together() -> None:
    cookies = Cookies()
    cookies.store(URL, [b"small=1; Path=/", b"large=" + b"x" * MAX_COOKIE_BYTES])
    assert names_in(cookies.header_for(URL)) == {b"small"}
    for number in range(20):
        cookies.store(URL, [b"c%d=%b; Path=/" % (number, b"x" * 1000)])
        assert len(cookies.header_for(URL)) <= MAX_LINE_BYTES
    names = names_in(cookies.header_for(URL))
    assert b"c19" in names
    assert b"small" not in names


@pytest.mark.report("S11")
@pytest.mark.parametrize(
    "set_cookie",
    [
        [b"c%d=v; Path=/p%d" % (number, number) for number in range(10_000)],
        [b"c=" + b"x" * 1_000_000],
        [b"c=v; expires=" + b"1-" * 2000, b"c=v; expires=" + b" " * 4000 + b"x"] * 25,
        [b"c" + b";" * 4000, b'c="' + b"\\" * 4000, b"=" * 4000] * 20,
    ],
)
def test_a_flood_of_cookies_costs_next_to_nothing(set_cookie: list[bytes]) -> None:
    cookies = Cookies()
    before = time.process_time()
    cookies.store(URL, set_cookie)
    assert time.process_time() - before < 0.1  # measured: 0.003; a jar without bound took 0.18
    assert len(cookies.header_for(URL)) <= MAX_LINE_BYTES


@pytest.mark.report("S11")
def test_cookie_that_expires_is_not_sent_any_more() -> None:
    cookies = Cookies()
    cookies.store(
        URL, [b"lb=a; Path=/; Max-Age=1", b"old=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]
    )
    assert names_in(cookies.header_for(URL)) <= {b"lb"}
    wait_until(lambda: cookies.header_for(URL) == b"", "the cookie's end", seconds=5)


# As h11 hands them on: without these three.
FIELDS = st.binary(max_size=200).map(lambda value: value.translate(None, b"\r\n\0"))


@given(st.lists(FIELDS, max_size=5))
def test_no_cookie_is_too_odd(set_cookie: list[bytes]) -> None:
    cookies = Cookies()
    cookies.store(URL, set_cookie)
    assert not set(cookies.header_for(URL)) & set(b"\r\n\0")
