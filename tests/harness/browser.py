"""A browser with a person before it, in small: an executable to be named in `$BROWSER`.

It writes down each address it is given, as one line of a file, returns at once as desktop openers
do, and goes on by itself: follows redirects with a cookie jar, fills in and submits the forms it
meets, ends at the redirect URI. It visits loopback only and is gone within `LIFETIME`.

The file is both the test's side (`FakeBrowser`) and the program; the program runs on the standard
library alone, and loads little of it: hundreds are started. Must not know who starts it.
"""

from __future__ import annotations

import html.parser
import http.client
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

MODES = ("normal", "deny", "close", "slow", "twice", "record")
"""normal: signs in; deny: presses the other button; close: looks at the first page and leaves;
slow: thinks for a while first; twice: its last request is sent two times at once; record: only
writes the address down."""

LIFETIME = 60
"""Seconds after which a browser is gone whatever happened."""
THINKING = 2.0
"""Seconds a slow person thinks where nothing else is said."""
MAX_HOPS = 25
ANSWER_SECONDS = 20.0

WORDS = {"username": "demo_user", "password": "demo_password", "login": "tester"}
"""What is typed into the fields of the sign-in pages of the real servers."""
ANYTHING = "tester"
REFUSING = ("deny", "cancel", "abort", "reject", "no")


PROGRAM = f"""
import sys
sys.modules["ssl"] = None
sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})
import browser
browser.main()
"""
"""Imported, its byte code is kept; HTTPS is not used."""

# The test's side


class FakeBrowser:
    """One executable and what it has done.

    Attributes:
        command: the path to put into `$BROWSER`.
    """

    def __init__(self, folder: Path, mode: str = "normal", seconds: float = THINKING) -> None:
        assert mode in MODES, mode
        folder.mkdir(mode=0o700, parents=True)
        self._opened = folder / "opened"
        self._trace = folder / "trace"
        self._processes = folder / "processes"
        self.command = folder / "browser"
        self._mode = mode
        program = [sys.executable, "-I", "-S", "-c", PROGRAM]
        self._program = " ".join(map(_quote, (*program, str(folder), str(seconds))))
        self.become(mode)

    def become(self, mode: str) -> None:
        """From now on it opens pages in this mode."""
        assert mode in MODES, mode
        text = f'#!/bin/sh\nexec {self._program} {mode} "$@"\n'
        new = self.command.with_suffix(".new")
        new.write_text(text)
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

    def kill(self) -> None:
        """Ends what is still running."""
        for line in _lines(self._processes):
            group = int(line)
            if _is_ours(group, self.command.parent):
                os.killpg(group, signal.SIGKILL)


def _quote(word: str) -> str:
    """For sh."""
    return "'" + word.replace("'", "'\\''") + "'"


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _is_ours(pid: int, folder: Path) -> bool:
    """Whether the process is still one of ours (Linux: process ids are used again)."""
    try:
        return str(folder) in Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def fake_browser(
    folder: Path, mode: str = "normal", seconds: float = THINKING
) -> Generator[FakeBrowser]:
    """A browser that is gone afterwards."""
    browser = FakeBrowser(folder, mode, seconds)
    try:
        yield browser
    finally:
        browser.kill()


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
    """

    def __init__(self, mode: str = "normal", seconds: float = THINKING) -> None:
        self.hops: list[tuple[str, Page]] = []
        self._mode = mode
        self._seconds = seconds
        self._jar = Jar()
        self._lock = threading.Lock()

    def open(self, url: str) -> Page:
        """Goes on until a page leads nowhere; returns it.

        Raises:
            LookupError: the way leads away from loopback, or never ends.
            OSError: nobody answers.
        """
        redirect_uri = parse_qs(urlsplit(url).query).get("redirect_uri", [""])[0]
        if self._mode == "slow":
            time.sleep(self._seconds)
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
        try:
            target = f"{path}?{parts.query}" if parts.query else path
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        with self._lock:
            for field in answer.headers.get_all("Set-Cookie") or []:
                self._jar.take(host, path, field)
            page = Page(url, answer.status, answer.headers.get("Location"), text)
            self.hops.append((method, page))
        return page


def _refuses(button: tuple[str, str, str]) -> bool:
    words = " ".join(button).lower().split()
    return any(word.strip("[]") in REFUSING for word in words)


# The program


def main() -> None:
    place, seconds, mode, url = sys.argv[1:]
    folder = Path(place)
    os.umask(0o077)
    _append(folder / "opened", url)
    if mode == "record" or os.fork():
        return
    os.setsid()
    signal.alarm(LIFETIME)
    _append(folder / "processes", str(os.getpid()))
    _leave_the_callers_streams()
    visit = Visit(mode, float(seconds))
    try:
        page = visit.open(url)
        end = f"{page.status} {page.url}"
    except (OSError, LookupError, http.client.HTTPException) as error:
        end = f"{type(error).__name__}: {error}"
    for method, page in visit.hops:
        hop: Mapping[str, object] = {"method": method, "url": page.url, "status": page.status}
        _append(folder / "trace", json.dumps(hop))
    _append(folder / "trace", json.dumps({"end": end}))


def _leave_the_callers_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)


def _append(file: Path, line: str) -> None:
    """One line, in one piece also where several write."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.replace("\n", " ").encode() + b"\n")
    finally:
        os.close(descriptor)
