"""A browser with a person before it, in small: an executable to be named in `$BROWSER`.

It writes down each address it is given, as one line of a file, returns at once as desktop openers
do, and goes on by itself: follows redirects with a cookie jar, fills in and submits the forms it
meets, ends at the redirect URI. It visits loopback only and is gone with the test.

The executable is a few words of sh, for hundreds are started: it hands the address through a named
pipe to a thread of the test, which does the rest. Linux: there who opens a pipe for both does not
wait for anybody. Must not know who starts it.
"""

from __future__ import annotations

import contextlib
import html.parser
import http.client
import json
import os
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

MODES = ("normal", "deny", "close", "slow", "twice", "record")
"""normal: signs in; deny: presses the other button; close: looks at the first page and leaves;
slow: thinks for a while first; twice: its last request is sent two times at once; record: only
writes the address down."""

THINKING = 2.0
"""Seconds a slow person thinks where nothing else is said."""
MAX_HOPS = 25
ANSWER_SECONDS = 20.0

WORDS = {"username": "demo_user", "password": "demo_password", "login": "tester"}
"""What is typed into the fields of the sign-in pages of the real servers."""
ANYTHING = "tester"
REFUSING = ("deny", "cancel", "abort", "reject", "no")


PROGRAM = """#!/bin/sh
[ $# = 1 ] || exit 2
umask 077
printf '%s\\n' "$1" >>{opened}
[ {mode} = record ] || printf '%s %s\\n' {mode} "$1" 1<>{visits}
"""
"""One word is the address. It is written down before the caller goes on."""

# The test's side


class FakeBrowser:
    """One executable and what it has done.

    Attributes:
        command: the path to put into `$BROWSER`.
    """

    def __init__(self, folder: Path, mode: str = "normal", seconds: float = THINKING) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self._opened = folder / "opened"
        self._trace = folder / "trace"
        self._pipe = folder / "visits"
        self.command = folder / "browser"
        self._seconds = seconds
        self._writing = threading.Lock()
        self._visits: list[Visit] = []
        self._threads: list[threading.Thread] = []
        os.mkfifo(self._pipe, 0o600)
        # For both: it has no end before `close`.
        self._reader = os.fdopen(os.open(self._pipe, os.O_RDWR), "rb+", buffering=0)
        self._start(self._read)
        self.become(mode)

    def become(self, mode: str) -> None:
        """From now on it opens pages in this mode."""
        assert mode in MODES, mode
        files = {"opened": _quote(str(self._opened)), "visits": _quote(str(self._pipe))}
        new = self.command.with_suffix(".new")
        new.write_text(PROGRAM.format(mode=mode, **files))
        new.chmod(0o700)
        new.replace(self.command)

    @property
    def opened(self) -> list[str]:
        """Every address it was given, in order."""
        return _lines(self._opened)

    @property
    def trace(self) -> list[dict[str, object]]:
        """Every answer it got: method, url, status; and how each visit ended."""
        return [json.loads(line) for line in _lines(self._trace)]

    @property
    def ends(self) -> list[str]:
        """How each visit that is over has ended."""
        return [str(line["end"]) for line in self.trace if "end" in line]

    def close(self) -> None:
        """Ends what is still going on; what is handed in from now on is not visited."""
        self._reader.write(b"\n")
        self._threads[0].join()
        for visit in self._visits:
            visit.leave()
        for thread in self._threads:
            thread.join()
        self._pipe.unlink()
        self._reader.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _read(self) -> None:
        rest = b""
        while True:
            *lines, rest = (rest + self._reader.read(1 << 16)).split(b"\n")
            for line in lines:
                if not line:
                    return
                mode, _, url = line.decode().partition(" ")
                self._visits.append(Visit(mode, self._seconds))
                self._start(self._go, self._visits[-1], url)

    def _go(self, visit: Visit, url: str) -> None:
        try:
            page = visit.open(url)
            end = f"{page.status} {page.url}"
        except (OSError, LookupError, http.client.HTTPException) as error:
            end = f"{type(error).__name__}: {error}"
        if visit.left.is_set():
            return
        hops: list[Mapping[str, object]] = [
            {"method": method, "url": page.url, "status": page.status}
            for method, page in visit.hops
        ]
        with self._writing:
            _append(self._trace, [*hops, {"end": end}])


def _append(file: Path, values: list[Mapping[str, object]]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "w") as stream:
        stream.writelines(json.dumps(value) + "\n" for value in values)


def _quote(word: str) -> str:
    """For sh."""
    return "'" + word.replace("'", "'\\''") + "'"


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@contextmanager
def fake_browser(
    folder: Path, mode: str = "normal", seconds: float = THINKING
) -> Generator[FakeBrowser]:
    """A browser that is gone afterwards."""
    with contextlib.closing(FakeBrowser(folder, mode, seconds)) as browser:
        yield browser


# The browser


class Page:
    """One answer."""

    def __init__(self, url: str, status: int, location: str | None, body: str) -> None:
        self.url, self.status, self.location, self.body = url, status, location, body


class Jar:
    """Cookies as RFC 6265 keeps them: by host and path, whatever the port.

    `Secure` does not matter on loopback, as in Chromium.
    """

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], str] = {}

    def take(self, host: str, request_path: str, field: str) -> None:
        """One `Set-Cookie`."""
        pair, *attributes = [part.strip() for part in field.split(";")]
        name, _, value = pair.partition("=")
        found: dict[str, str] = {}
        for attribute in attributes:
            key, _, word = attribute.partition("=")
            found[key.lower()] = word
        path = found.get("path", "")
        if not path.startswith("/"):
            path = request_path.rpartition("/")[0] or "/"
        if found.get("max-age") == "0" or "1970" in found.get("expires", ""):
            self._cookies.pop((host, path, name), None)
        else:
            self._cookies[host, path, name] = value

    def header(self, host: str, path: str) -> str:
        """The value of `Cookie`, the longest path first."""
        fitting = [
            (cookie_path, name, value)
            for (cookie_host, cookie_path, name), value in self._cookies.items()
            if cookie_host == host
            and (path == cookie_path or path.startswith(cookie_path.rstrip("/") + "/"))
        ]
        fitting.sort(key=lambda one: -len(one[0]))
        return "; ".join(f"{name}={value}" for _, name, value in fitting)


class Form:
    """A form: where it goes, what is filled in, its buttons (name, value, text)."""

    def __init__(self, action: str, method: str) -> None:
        self.action, self.method = action, method
        self.fields: list[tuple[str, str]] = []
        self.buttons: list[tuple[str, str, str]] = []


class PageReader(html.parser.HTMLParser):
    """Finds the forms and links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._in_form = False
        self._in_button = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(at.get("action", ""), at.get("method", "get").lower()))
            self._in_form = True
        elif tag == "a" and at.get("href"):
            self.links.append(at["href"])
        elif not self._in_form:
            return
        elif tag == "button" or (tag == "input" and at.get("type") == "submit"):
            text = "" if tag == "button" else at.get("value", "")
            self.forms[-1].buttons.append((at.get("name", ""), at.get("value", ""), text))
            self._in_button = tag == "button"
        elif tag == "input" and at.get("name"):
            if at.get("type") in ("checkbox", "radio") and "checked" not in at:
                return
            typed = at.get("value") or WORDS.get(at["name"], ANYTHING)
            self.forms[-1].fields.append((at["name"], typed))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        elif tag == "button":
            self._in_button = False

    def handle_data(self, data: str) -> None:
        if self._in_button:
            name, value, text = self.forms[-1].buttons[-1]
            self.forms[-1].buttons[-1] = (name, value, text + data)


class Visit:
    """One tab, from the address it was opened with to the page where it ends.

    Attributes:
        hops: every answer, in order.
        left: set when the person has gone away.
    """

    def __init__(self, mode: str = "normal", seconds: float = THINKING) -> None:
        self.hops: list[tuple[str, Page]] = []
        self.left = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._mode = mode
        self._seconds = seconds
        self._jar = Jar()
        self._lock = threading.Lock()

    def open(self, url: str) -> Page:
        """Goes on until a page leads nowhere; returns it.

        Raises:
            LookupError: the way leads away from loopback, or never ends.
            OSError: nobody answers, or the person has left.
        """
        redirect_uri = parse_qs(urlsplit(url).query).get("redirect_uri", [""])[0]
        if self._mode == "slow":
            self.left.wait(self._seconds)
        method, body = "GET", b""
        for _ in range(MAX_HOPS):
            if self._mode == "twice" and redirect_uri and url.startswith(redirect_uri):
                return self._fetch_twice(url)
            page = self.fetch(method, url, body)
            if page.location is not None:
                url = urljoin(url, page.location)
                if page.status not in (307, 308):
                    method, body = "GET", b""
                continue
            if self._mode == "close" or page.status >= 400:
                return page
            if redirect_uri and url.startswith(redirect_uri):
                return page
            step = self._next_step(page)
            if step is None:
                return page
            method, url, body = step
        raise LookupError(f"more than {MAX_HOPS} pages")

    def leave(self) -> None:
        """Closes the tab, whatever it waits for."""
        with self._lock:
            self.left.set()
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _next_step(self, page: Page) -> tuple[str, str, bytes] | None:
        """Method, address and body of what the person does on this page; None for nothing."""
        reader = PageReader()
        reader.feed(page.body)
        denies = self._mode == "deny"
        if denies:
            for link in reader.links:
                if urlsplit(link).path.lower().rpartition("/")[2] in REFUSING:
                    return "GET", urljoin(page.url, link), b""
        forms = [form for form in reader.forms if form.buttons] or reader.forms
        if not forms:
            return None
        form = forms[0]
        fields = list(form.fields)
        fitting = [one for one in form.buttons if _refuses(one) == denies] or form.buttons
        if fitting and fitting[0][0]:
            fields.append(fitting[0][:2])
        address = urljoin(page.url, form.action) if form.action else page.url
        if form.method == "get":
            return "GET", f"{address.partition('?')[0]}?{urlencode(fields)}", b""
        return "POST", address, urlencode(fields).encode()

    def _fetch_twice(self, url: str) -> Page:
        """As a browser that prefetches, or one with two address families."""
        other = threading.Thread(target=self.fetch, args=("GET", url))
        other.start()
        page = self.fetch("GET", url)
        other.join(ANSWER_SECONDS)
        return page

    def fetch(self, method: str, url: str, body: bytes = b"") -> Page:
        """One request and its answer."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "http" or host not in ("localhost", "127.0.0.1", "::1"):
            raise LookupError(f"not on loopback: {url}")
        path = parts.path or "/"
        headers = {"Accept": "text/html,*/*", "User-Agent": "FakeBrowser/1"}
        with self._lock:
            cookies = self._jar.header(host, path)
        if cookies:
            headers["Cookie"] = cookies
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = f"{parts.scheme}://{parts.netloc}"
        connection = http.client.HTTPConnection(host, parts.port or 80, timeout=ANSWER_SECONDS)
        connection.connect()
        with self._in_use(connection.sock), contextlib.closing(connection):
            target = f"{path}?{parts.query}" if parts.query else path
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        with self._lock:
            for field in answer.headers.get_all("Set-Cookie") or []:
                self._jar.take(host, path, field)
            page = Page(url, answer.status, answer.headers.get("Location"), text)
            self.hops.append((method, page))
        return page

    @contextmanager
    def _in_use(self, connected: socket.socket) -> Generator[None]:
        with self._lock:
            self._sockets.add(connected)
        try:
            if self.left.is_set():
                raise ConnectionAbortedError("the person has left")
            yield
        finally:
            with self._lock:
                self._sockets.discard(connected)


def _refuses(button: tuple[str, str, str]) -> bool:
    words = " ".join(button).lower().split()
    return any(word.strip("[]") in REFUSING for word in words)
