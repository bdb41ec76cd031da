"""Cookies of one origin, in memory: what load balancers need to find the same server again.

RFC 6265 is http.cookiejar's; it is imported when the first `Set-Cookie` arrives, because most
servers send none. What a server can make us keep, and send with every request, is bounded: the
oldest cookie goes. Must not know which request is sent.
"""

from __future__ import annotations

import email.message
import http.client
import http.cookiejar
import urllib.request
from typing import cast

MAX_COOKIES = 50
"""As many as a browser must keep of one host (RFC 6265 §6.1)."""
MAX_COOKIE_BYTES = 4096
"""Of one `Set-Cookie`, as there; a longer one is left out."""
MAX_LINE_BYTES = 7 * 1024
"""Of all cookies together: common servers refuse a header line above 8 KiB."""

_Key = tuple[str, str, str]


class _Response:
    """A response, as far as a jar looks at it."""

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
        self._order: dict[_Key, None] = {}
        """The oldest first."""

    def store(self, url: str, set_cookie: list[bytes]) -> None:
        """Keeps what a response from `url` set."""
        # The last ones win: of more than are kept, the first need not even be read.
        short = [value for value in set_cookie if len(value) <= MAX_COOKIE_BYTES][-MAX_COOKIES:]
        response = _Response([value.decode("latin-1") for value in short])
        request = _address(url)
        for cookie in self._jar.make_cookies(cast("http.client.HTTPResponse", response), request):
            self._jar.set_cookie_if_ok(cookie, request)
            self._order.pop(_key_of(cookie), None)
            self._order[_key_of(cookie)] = None
        self._jar.clear_expired_cookies()
        self._evict()

    def _evict(self) -> None:
        sizes = {_key_of(cookie): _size_of(cookie) for cookie in self._jar}
        self._order = {key: None for key in self._order if key in sizes}
        size = sum(sizes.values())
        while len(self._order) > MAX_COOKIES or size > MAX_LINE_BYTES:
            oldest = next(iter(self._order))
            del self._order[oldest]
            size -= sizes[oldest]
            self._jar.clear(*oldest)

    def header_for(self, url: str) -> bytes:
        """The value of `Cookie` for a request to `url`, empty without one."""
        request = _address(url)
        self._jar.add_cookie_header(request)
        return (request.get_header("Cookie") or "").encode("latin-1")


def _key_of(cookie: http.cookiejar.Cookie) -> _Key:
    return cookie.domain, cookie.path, cookie.name


def _size_of(cookie: http.cookiejar.Cookie) -> int:
    """Bytes that it takes in a `Cookie` header, with what stands between."""
    return len(cookie.name) + len(cookie.value or "") + len("=; ")


def _address(url: str) -> urllib.request.Request:
    """A request, as far as a jar looks at it; nothing is opened with it."""
    return urllib.request.Request(url)  # noqa: S310 - see above
