"""The site of the documents in a real browser that reaches nobody else.

Its pages load with all their pictures, and become dark where the desktop is; the browser complains
of nothing, and asks the site alone. Must not know what a page says.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.real.chromium import Driver, wait_for
from tests.real.test_chromium import brightness
from tests.test_site import build
from tests.thorough import some

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)

PAGES = (
    "how-it-works/",
    "",
    "ja/",
    "hosts/",
    "mcp-remote/",
    "networks/",
    "never-a-loop/",
    "options/",
)
ASKED = "return performance.getEntriesByType('resource').map(one => one.name)"
BLANK = "return [...document.images].filter(one => !one.naturalWidth).map(one => one.src)"
BACKGROUND = "return getComputedStyle(document.body).backgroundColor"
TOO_WIDE = "return document.documentElement.scrollWidth > innerWidth"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module", name="origin")
def serve_site() -> Iterator[str]:
    """From a folder that is not searched for secrets: the words that stand for some are told."""
    with tempfile.TemporaryDirectory() as folder:
        done = build(Path(folder))
        assert done.returncode == 0, done.stderr
        handler = partial(Quiet, directory=folder)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}/"
            server.shutdown()


@pytest.fixture(scope="module", name="driver")
def open_browser() -> Iterator[Driver]:
    with tempfile.TemporaryDirectory(prefix="profile", ignore_cleanup_errors=True) as folder:
        with contextlib.closing(Driver(Path(folder, "log"), Path(folder, "profile"))) as driver:
            yield driver


def is_bright(driver: Driver) -> bool:
    return brightness(driver.run(BACKGROUND)) > 200


def is_dark(driver: Driver) -> bool:
    return brightness(driver.run(BACKGROUND)) < 80


@pytest.mark.parametrize("page", some(PAGES, len(PAGES)), ids=lambda page: page or "index")
def test_a_page_is_whole_and_asks_nobody_else(page: str, origin: str, driver: Driver) -> None:
    driver.open(origin + page)
    asked = driver.run(ASKED)
    assert asked
    assert [one for one in asked if not one.startswith(origin)] == []
    assert driver.run(BLANK) == []
    assert not driver.run(TOO_WIDE)
    for scheme, is_there in (("light", is_bright), ("dark", is_dark)):
        driver.prefer(scheme)
        wait_for(lambda is_there=is_there: is_there(driver), f"{page or 'index'} in the {scheme}")
    assert driver.console() == []
