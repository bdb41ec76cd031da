"""Cookies of one origin, in memory: what load balancers need to find the same server again.

RFC 6265 is http.cookiejar's; it is imported when the first `Set-Cookie` arrives, because most
servers send none. Must not know which request is sent.
"""

from __future__ import annotations

import email.message
import http.client
import http.cookiejar
import urllib.request
from typing import cast


class _Response:
    """As much of a response as a jar looks at."""

    def __init__(self, set_cookie: list[str]) -> None:
        self._headers = email.message.Message()
        for value in set_cookie:
            self._headers["Set-Cookie"] = value

    def info(self) -> email.message.Message:
        return self._headers


class Cookies:
    """A jar that lives as long as the process (field note 31)."""

    def __init__(self) -> None:
        self._jar = http.cookiejar.CookieJar()

    def store(self, url: str, set_cookie: list[bytes]) -> None:
        """Keeps what a response from `url` set."""
        values = [value.decode("latin-1") for value in set_cookie]
        self._jar.extract_cookies(
            cast("http.client.HTTPResponse", _Response(values)), _address(url)
        )

    def header_for(self, url: str) -> bytes:
        """The value of `Cookie` for a request to `url`, empty without one."""
        request = _address(url)
        self._jar.add_cookie_header(request)
        return (request.get_header("Cookie") or "").encode("latin-1")


def _address(url: str) -> urllib.request.Request:
    """As much of a request as a jar looks at; nothing is opened with it."""
    return urllib.request.Request(url)  # noqa: S310 - see above
