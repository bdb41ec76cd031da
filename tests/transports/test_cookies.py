"""Cookies as load balancers use them: kept by path, replaced, ended, never for another host."""

from __future__ import annotations

import pytest

from mcp_remote_py.transports.cookies import Cookies

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
