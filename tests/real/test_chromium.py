"""The sign-in in a real browser, from nothing but a URL in a desktop's config file.

Authorization servers no one here wrote, Chromium, and what the person sees at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.real.chromium import ChromiumBrowser, chromium_browser
from tests.real.configuration import entry, write
from tests.real.processes import Service, wait_until
from tests.real.servers import authorizing_server, oauth_worker, openid_servers
from tests.real.stdio_host import StdioHost, started

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)

PATIENCE = 60.0

Start = Callable[..., tuple[StdioHost, ChromiumBrowser]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the entry of a server in a config file; the browser's mode may be `deny`."""
    with ExitStack() as stack:

        def start(service: Service, path: str, mode: str = "normal") -> object:
            browser = stack.enter_context(chromium_browser(tmp_path / "chromium", mode))
            address = f"http://localhost:{service.port}{path}"
            options = ["--token-store", "file"]
            written = entry(address, options, {"BROWSER": str(browser.command)})
            config = write(tmp_path, {"workshop": written})
            host = stack.enter_context(started(config, "workshop", tmp_path / "home"))
            return host, browser

        yield start  # type: ignore[misc]


def see_end(browser: ChromiumBrowser) -> dict[str, Any]:
    """What the person saw; the page is as it must be, whatever it says."""
    assert wait_until(lambda: bool(browser.seen), PATIENCE), browser.folder
    seen = browser.seen
    assert "failed" not in seen, seen
    forbidden = [line for line in seen["console"] if "Content Security Policy" in line]
    assert forbidden == [], "the page itself keeps its policy"
    light, dark = seen["backgrounds"]["light"], seen["backgrounds"]["dark"]
    assert brightness(light) > 200 > 80 > brightness(dark)
    for scheme in ("light", "dark"):
        assert (browser.folder / f"{scheme}.png").stat().st_size > 5000
    return seen


def brightness(colour: str) -> float:
    """Of `rgb(r, g, b)`."""
    parts = colour.removeprefix("rgb(").removesuffix(")").split(",")
    return sum(map(float, parts)) / 3


def check_signed_in(host: StdioHost, browser: ChromiumBrowser, service: Service) -> None:
    assert "result" in host.initialize()
    assert host.call("add", a=2, b=40) == "42"
    seen = see_end(browser)
    assert seen["title"] == "You are signed in"
    assert f"localhost:{service.port} is connected." in str(seen["text"])
    assert "You can close this tab and return to" in str(seen["text"])
    assert len(browser.opened) == 1
    query = parse_qs(urlsplit(str(seen["url"])).query)
    assert {"code", "state"} <= query.keys()
    for name, (value,) in query.items():
        assert value not in str(seen["markup"]), f"{name} of the query is on the page"
    assert host.close() == 0


@pytest.mark.promise("A1", "A2", "S3")
def test_openid_provider(node_packages: Path, tmp_path: Path, start: Start) -> None:
    """Two forms: one to sign in, one to consent."""
    folder = tmp_path / "servers"
    folder.mkdir()
    with openid_servers(folder) as (_, service):
        check_signed_in(*start(service, "/mcp"), service)


@pytest.mark.promise("A1", "A2", "S3")
def test_sdk_server_that_signs_in_itself(tmp_path: Path, start: Start) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with authorizing_server(folder, "streamable-http") as service:
        check_signed_in(*start(service, "/mcp"), service)


@pytest.mark.promise("A1", "A2", "S3", "R4")
def test_oauth_worker(node_packages: Path, tmp_path: Path, start: Start) -> None:
    folder = tmp_path / "worker"
    folder.mkdir()
    with oauth_worker(folder) as service:
        check_signed_in(*start(service, "/sse"), service)


@pytest.mark.promise("S3", "L2")
def test_person_declines(node_packages: Path, tmp_path: Path, start: Start) -> None:
    folder = tmp_path / "worker"
    folder.mkdir()
    with oauth_worker(folder) as service:
        host, browser = start(service, "/mcp", "deny")
        answer = host.initialize()
        assert "declined" in answer["error"]["message"]
        seen = see_end(browser)
        assert seen["title"] == "Sign-in was declined"
        assert "run mcp-remote-py login" in str(seen["text"])
        assert "declined" in host.initialize()["error"]["message"]
        assert len(browser.opened) == 1, "the next one is the person's to begin"
