"""A person at a real browser: Debian's Chromium, led through the pages by chromedriver.

The file is both the test's side (`ChromiumBrowser`) and the program to be named in `$BROWSER`,
which writes down the address it is given, returns at once as desktop openers do, and goes on by
itself: types, presses the first button that says yes (or no), ends where the redirect URI leads,
and leaves what it saw. It speaks the WebDriver protocol with the standard library alone. Every
wait is for a condition and has an end. Must not know who starts it.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

LIFETIME = 90
"""Seconds after which it is gone, whatever happened."""
PATIENCE = 30.0
"""Seconds for any one page."""
MAX_PAGES = 12

OPTIONS = (
    "--headless",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--window-size=900,700",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
)
NO = ("deny", "cancel", "abort", "reject", "no")


class NoBrowser(Exception):
    """The browser is not on this machine."""


def find_browser() -> tuple[str, str]:
    """The paths of Chromium and its driver.

    Raises:
        NoBrowser: one of them is missing.
    """
    found = shutil.which("chromium"), shutil.which("chromedriver")
    if found[0] is None or found[1] is None:
        raise NoBrowser(
            "Chromium and its driver are needed by tests/real/test_chromium.py. Debian and Ubuntu: "
            "`apt-get install chromium chromium-driver`."
        )
    return found[0], found[1]


# The test's side


class ChromiumBrowser:
    """One executable, and what it has seen.

    Attributes:
        command: the path to put into `$BROWSER`.
    """

    def __init__(self, folder: Path, mode: str = "normal") -> None:
        find_browser()
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.command = folder / "browser"
        program = [sys.executable, "-I", str(Path(__file__).resolve())]
        words = shlex.join([*program, "--folder", str(folder), "--mode", mode])
        self.command.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        self.command.chmod(0o700)

    @property
    def opened(self) -> list[str]:
        """Every address it was given, in order."""
        file = self.folder / "opened"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def seen(self) -> dict[str, Any]:
        """What it saw at the end; empty as long as it is under way."""
        file = self.folder / "seen.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def kill(self) -> None:
        """Ends what is still running."""
        file = self.folder / "group"
        if file.exists():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(file.read_text()), signal.SIGKILL)


@contextlib.contextmanager
def chromium_browser(folder: Path, mode: str = "normal") -> Generator[ChromiumBrowser]:
    """A browser that is gone afterwards."""
    browser = ChromiumBrowser(folder, mode)
    try:
        yield browser
    finally:
        browser.kill()


# The program


class Driver:
    """One window, by the W3C WebDriver protocol; `waits`: `open` does, until all is loaded."""

    def __init__(self, log: Path, profile: Path, *, waits: bool = True) -> None:
        chromium, chromedriver = find_browser()
        with log.open("wb") as sink:
            # Port 0: it says which one it took.
            self._process = subprocess.Popen(
                [chromedriver, "--port=0"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )
        self._origin = wait_for(lambda: _origin_in(log), "chromedriver")
        options = [*OPTIONS, f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses to run as root with one
        wanted = {
            "goog:chromeOptions": {"args": options, "binary": chromium},
            "goog:loggingPrefs": {"browser": "ALL"},
            "pageLoadStrategy": "normal" if waits else "none",
            "timeouts": {"implicit": 0, "pageLoad": int(PATIENCE * 1000)},
        }
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{answer['sessionId']}"

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._origin + path, data, headers, method=method)  # noqa: S310 (loopback)
        with urllib.request.urlopen(request, timeout=2 * PATIENCE) as answer:  # noqa: S310
            return json.load(answer)["value"]

    def get(self, what: str) -> Any:
        """A property of the window: url, title, screenshot."""
        return self._ask("GET", f"{self._session}/{what}")

    def open(self, url: str) -> None:
        """Goes there."""
        self._ask("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """What the script returns."""
        body = {"script": script, "args": arguments}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    def find(self, selector: str) -> list[str]:
        """The elements there are now."""
        body = {"using": "css selector", "value": selector}
        return [
            next(iter(one.values())) for one in self._ask("POST", f"{self._session}/elements", body)
        ]

    def text_of(self, element: str) -> str:
        """Words of a button."""
        return str(self._ask("GET", f"{self._session}/element/{element}/text"))

    def type_into(self, element: str, text: str) -> None:
        """Presses the keys."""
        self._ask("POST", f"{self._session}/element/{element}/value", {"text": text})

    def click(self, element: str) -> None:
        """Presses it; returns when the page that follows, if any, is loaded."""
        self._ask("POST", f"{self._session}/element/{element}/click", {})

    def console(self) -> list[str]:
        """All that was said of the pages since the last time: errors, and what a policy forbids."""
        lines = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [line["message"] for line in lines]

    def prefer(self, scheme: str, **features: str) -> None:
        """As a desktop that is set to light or dark; `features` of other media as well."""
        wanted = {"prefers-color-scheme": scheme, **features}
        named = [{"name": name.replace("_", "-"), "value": wanted[name]} for name in wanted]
        self.command("Emulation.setEmulatedMedia", features=named)

    def resize(self, width: int, height: int) -> None:
        """A screen of that many CSS pixels: 320 wide is also 1280 at a zoom of 400 %."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **size)

    def press(self, key: str, code: int) -> None:
        """Presses a key that types nothing; `code` is its Windows virtual key code."""
        for kind in ("rawKeyDown", "keyUp"):
            event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.command("Input.dispatchKeyEvent", type=kind, **event)

    def command(self, name: str, **parameters: object) -> Any:
        """Of the DevTools protocol: what a page's policy forbids is allowed to a debugger."""
        body = {"cmd": name, "params": parameters}
        return self._ask("POST", f"{self._session}/goog/cdp/execute", body)

    def close(self) -> None:
        """Ends the browser and its driver."""
        try:
            self._ask("DELETE", self._session)
        finally:
            self._process.terminate()
            self._process.wait(10)


def _origin_in(log: Path) -> str | None:
    for line in log.read_text(errors="replace").splitlines():
        if "started successfully on port" in line:
            return f"http://127.0.0.1:{line.rstrip('.').rpartition(' ')[2]}"
    return None


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """What the condition returns once it is something.

    Raises:
        TimeoutError: it did not become so in time.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)
    return found


def walk(driver: Driver, url: str, denies: bool) -> None:
    """From the first page to the redirect URI, as a person would go."""
    redirect_uri = parse_qs(urlsplit(url).query)["redirect_uri"][0]
    driver.open(url)
    for _ in range(MAX_PAGES):
        if str(driver.get("url")).startswith(redirect_uri):
            return
        driver.run("window.wasHere = true")
        for field in driver.find("input[type=text], input[type=password], input:not([type])"):
            driver.type_into(field, "tester")
        buttons = driver.find("form button, form [type=submit], a[href$='/abort']")
        fitting = [one for one in buttons if _says_no(driver.text_of(one)) == denies]
        driver.click((fitting or buttons)[0])
        wait_for(lambda: is_elsewhere(driver), "the page after a button")
    raise TimeoutError(f"more than {MAX_PAGES} pages")


def is_elsewhere(driver: Driver) -> bool:
    """Whether another document than the one with the mark is there, and complete."""
    script = "return !window.wasHere && document.readyState === 'complete'"
    try:
        return bool(driver.run(script))
    except urllib.error.HTTPError:
        return False  # between two documents there is none to ask


def _says_no(words: str) -> bool:
    return any(word.strip("[]") in NO for word in words.lower().split())


def look(driver: Driver, folder: Path) -> dict[str, object]:
    """The page at the end, in the light and in the dark."""
    backgrounds: dict[str, str] = {}
    for scheme in ("light", "dark"):
        driver.prefer(scheme)
        picture = folder / f"{scheme}.png"
        picture.write_bytes(base64.b64decode(driver.get("screenshot")))
        script = "return getComputedStyle(document.body).backgroundColor"
        backgrounds[scheme] = str(driver.run(script))
    return {
        "url": driver.get("url"),
        "title": driver.get("title"),
        "text": driver.run("return document.body.innerText"),
        "markup": driver.run("return document.documentElement.outerHTML"),
        "backgrounds": backgrounds,
        "console": driver.console(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--mode", choices=("normal", "deny"), required=True)
    parser.add_argument("url")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    os.umask(0o077)
    with (folder / "opened").open("a") as file:
        file.write(f"{arguments.url}\n")
    if os.fork():
        return
    os.setsid()
    signal.alarm(LIFETIME)
    (folder / "group").write_text(str(os.getpid()))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    # Outside of what the tests search for secrets: a profile is a person's own.
    with tempfile.TemporaryDirectory(prefix="profile", ignore_cleanup_errors=True) as profile:
        try:
            driver = Driver(folder / "driver.log", Path(profile))
            try:
                walk(driver, arguments.url, arguments.mode == "deny")
                seen = look(driver, folder)
            finally:
                driver.close()
        except (OSError, TimeoutError, LookupError, subprocess.TimeoutExpired) as error:
            words = error.read().decode() if isinstance(error, urllib.error.HTTPError) else error
            seen = {"failed": f"{type(error).__name__}: {words}"}
    unfinished = folder / "seen.new"
    unfinished.write_text(json.dumps(seen))
    unfinished.rename(folder / "seen.json")


if __name__ == "__main__":
    main()
