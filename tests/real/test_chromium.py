"""The sign-in in a real browser, from nothing but a URL in a desktop's config file.

Authorization servers no one here wrote, Chromium, and what the person sees at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.real.chromium import ChromiumBrowser, chromium_browser
from tests.real.configuration import entry, write
from tests.real.processes import wait_until
from tests.real.servers import authorizing_server, oauth_worker, openid_servers
from tests.real.stdio_host import StdioHost, started
from tests.thorough import some

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)

PATIENCE = 60.0

Start = Callable[..., tuple[StdioHost, ChromiumBrowser]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the entry of a server in a config file; the browser's mode may be `deny`."""
    with ExitStack() as stack:

        def start(url: str, mode: str = "normal") -> object:
            browser = stack.enter_context(chromium_browser(tmp_path / "chromium", mode))
            options = ["--token-store", "file"]
            written = entry(url, options, {"BROWSER": str(browser.command)})
            config = write(tmp_path, {"workshop": written})
            host = stack.enter_context(started(config, "workshop", tmp_path / "home"))
            return host, browser

        yield start  # type: ignore[misc]


def see_end(browser: ChromiumBrowser) -> dict[str, Any]:
    """What the person saw; the page is as it must be, whatever it says."""
    assert wait_until(lambda: bool(browser.seen), PATIENCE), browser.folder
    seen = browser.seen
    assert "failed" not in seen, seen
    place = urlsplit(str(seen["url"]))
    ours = f"{place.scheme}://{place.netloc}/"
    assert [line for line in seen["console"] if line.startswith(ours)] == [], "of our own page"
    light, dark = seen["backgrounds"]["light"], seen["backgrounds"]["dark"]
    assert brightness(light) > 200 > 80 > brightness(dark)
    for scheme in ("light", "dark"):
        assert (browser.folder / f"{scheme}.png").stat().st_size > 5000
    return seen


def brightness(colour: str) -> float:
    """Of `rgb(r, g, b)`."""
    parts = colour.removeprefix("rgb(").removesuffix(")").split(",")
    return sum(map(float, parts)) / 3


@contextmanager
def openid(folder: Path) -> Generator[str]:
    """Two forms: one to sign in, one to consent."""
    with openid_servers(folder) as (_, service):
        yield f"http://localhost:{service.port}/mcp"


@contextmanager
def sdk(folder: Path) -> Generator[str]:
    with authorizing_server(folder, "streamable-http") as service:
        yield f"http://localhost:{service.port}/mcp"


@contextmanager
def worker(folder: Path) -> Generator[str]:
    with oauth_worker(folder) as service:
        yield f"http://localhost:{service.port}/sse"


MakeServer = Callable[[Path], AbstractContextManager[str]]


@pytest.mark.promise("A1", "A2", "S3", "R4")
@pytest.mark.parametrize("make_server", some([openid, sdk, worker], 3))
def test_person_signs_in(
    make_server: MakeServer, node_packages: Path, tmp_path: Path, start: Start
) -> None:
    (tmp_path / "server").mkdir()
    with make_server(tmp_path / "server") as url:
        host, browser = start(url)
        assert "result" in host.initialize()
        assert host.call("add", a=2, b=40) == "42"
        seen = see_end(browser)
        assert seen["title"] == "You are signed in"
        assert f"{urlsplit(url).netloc} is connected." in str(seen["text"])
        assert "You can close this tab and go back to stdio-host." in str(seen["text"])
        assert len(browser.opened) == 1
        query = parse_qs(urlsplit(str(seen["url"])).query)
        assert {"code", "state"} <= query.keys()
        for name, (value,) in query.items():
            assert value not in str(seen["markup"]), f"{name} of the query is on the page"
        assert host.close() == 0


@pytest.mark.promise("S3", "L2")
@pytest.mark.parametrize("make_server", some([openid, worker], 2))
def test_person_declines(
    make_server: MakeServer, node_packages: Path, tmp_path: Path, start: Start
) -> None:
    (tmp_path / "server").mkdir()
    with make_server(tmp_path / "server") as url:
        host, browser = start(url, "deny")
        answer = host.initialize()
        assert "declined" in answer["error"]["message"]
        seen = see_end(browser)
        assert seen["title"] == "Sign-in was declined"
        assert "run mcp-remote-py login" in str(seen["text"])
        assert "declined" in host.initialize()["error"]["message"]
        assert len(browser.opened) == 1, "the next one is the person's to begin"
