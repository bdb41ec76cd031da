"""Which answers redirect, and where a request may follow: as tables, without a socket."""

from __future__ import annotations

import pytest

from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.transports.redirects import find_redirect, is_upgrade


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("status", "headers", "location"),
    [
        *((status, {b"location": b"/other"}, "/other") for status in (301, 302, 303, 307, 308)),
        (302, {}, None),
        *((status, {b"location": b"/other"}, None) for status in (200, 201, 300, 304, 305, 401)),
    ],
)
def test_which_answer_redirects(
    status: int, headers: dict[bytes, bytes], location: str | None
) -> None:
    assert find_redirect(status, headers) == location


@pytest.mark.report("S14")
@pytest.mark.parametrize(
    ("url", "following", "is_one"),
    [
        ("http://h/mcp", "https://h/other", True),
        ("http://h:8080/", "https://h/", True),
        ("http://h:8080/", "https://h:8080/", True),
        ("http://h:8080/", "https://H:443/", True),
        ("http://h/", "https://h:80/", True),
        ("http://h/", "https://h:8443/", False),
        ("http://h:8080/", "https://h:8443/", False),
        ("http://h/", "https://h.example/", False),
        ("http://h/", "https://a.h/", False),
        ("https://h/", "http://h/", False),
        ("https://h:8443/", "https://h/", False),
        ("http://h:443/", "http://h/", False),
    ],
)
def test_what_is_an_upgrade(url: str, following: str, is_one: bool) -> None:
    assert is_upgrade(parse_server_url(url, True), parse_server_url(following, True)) is is_one
