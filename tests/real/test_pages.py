"""The pages of ours in a real browser, for everybody: on a phone, in the dark, by keyboard.

One browser looks at all of them, as the real listener sends them; axe-core, which no one here
wrote, judges. The debugger puts it into the page, whose policy lets nobody else do that.
"""

from __future__ import annotations

import asyncio
import urllib.error
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from mcp_remote_py.redact import Secret
from mcp_remote_py.signin.callback import CallbackListener, Limits
from mcp_remote_py.signin.page import MAX_NAME_LENGTH
from mcp_remote_py.signin.ports import Outcome
from tests.real.chromium import Driver, wait_for

pytestmark = pytest.mark.timeout(400)  # the first test of the folder may have to install it

PATIENCE = 30.0
"""Seconds for anything."""

STATE = "state-canary-pages"

PHONE, SMALL, DESK = (320, 568), (320, 256), (1280, 800)
"""CSS pixels; the second is a desktop of 1280 by 1024 at a zoom of 400 % (WCAG 2.2 §1.4.10)."""

END_KEY = 35

HOSTILE = "\u202eevil\u2066<b>x</b>{0}%s\n\x1b[0m" + "W" * 10_000
RIGHT_TO_LEFT = "\u05e9\u05dc\u05d5\u05dd (\u05e2\u05d5\u05dc\u05dd)"


class Scene(NamedTuple):
    """A page, and what a person reads on it; `outcome` None is a stranger's."""

    outcome: Outcome | None
    title: str
    server: str = "mcp.example.com"
    application: str | None = "Claude"


SCENES = (
    Scene(Outcome.DONE, "You are signed in"),
    Scene(Outcome.EXTENDED, "More access was given", application=None),
    Scene(Outcome.DECLINED, "Sign-in was declined", RIGHT_TO_LEFT, RIGHT_TO_LEFT),
    Scene(Outcome.EXPIRED, "Sign-in has expired", HOSTILE, HOSTILE),
    Scene(Outcome.AWAY, "Sign-in could not be finished"),
    Scene(Outcome.FAILED, "Sign-in did not work", application=""),
    Scene(Outcome.PENDING, "Almost done"),
    Scene(None, "This link is not in use"),
)

FACTS = """
const root = document.documentElement, all = found => [...document.querySelectorAll(found)];
const boxes = all('main, main *').map(one => one.getBoundingClientRect());
return {
  title: document.title, heading: document.querySelector('h1').innerText, lang: root.lang,
  text: document.body.innerText, names: all('bdi').map(one => one.innerText),
  overflows: root.scrollWidth > innerWidth
    || boxes.some(box => box.left < 0 || box.right > innerWidth),
  moving: document.getAnimations().length,
  loaded: performance.getEntriesByType('resource').map(one => one.name),
  focusable: all('a, button, input, [tabindex], [contenteditable]').length,
  icon: document.querySelector('link[rel=icon]').href,
}
"""
"""What a page is at one size."""


@contextmanager
def browser(folder: Path) -> Generator[Driver]:
    with TemporaryDirectory(prefix="profile", ignore_cleanup_errors=True) as profile:
        driver = Driver(folder / "driver.log", Path(profile), waits=False)
        try:
            yield driver
        finally:
            driver.close()


@asynccontextmanager
async def showing(scene: Scene, driver: Driver) -> AsyncGenerator[CallbackListener]:
    """Leads the browser to that page; the listener still has the port."""
    hold = 0.0 if scene.outcome is Outcome.PENDING else PATIENCE
    limits = Limits(hold_seconds=hold, reload_seconds=hold)
    listener = CallbackListener(limits=limits, application=lambda: scene.application)
    await listener.bind(None, pinned=False)
    try:
        listener.expect(Secret(STATE), scene.server)
        state = "of-an-earlier-attempt" if scene.outcome is None else STATE
        url = f"{listener.redirect_uris()[0]}?code=c&state={state}"
        await asyncio.to_thread(driver.open, url)
        if scene.outcome not in (None, Outcome.PENDING):
            await listener.wait(PATIENCE)
            await listener.finish(scene.outcome)
        await asyncio.to_thread(wait_for_page, driver, scene.title)
        if scene.outcome is Outcome.PENDING:
            await asyncio.to_thread(driver.run, "window.stop()")  # it would ask again
        yield listener
    finally:
        await listener.aclose()


def wait_for_page(driver: Driver, title: str) -> None:
    script = "return document.readyState === 'complete' && document.title"

    def is_there() -> bool:
        try:
            return driver.run(script) == title
        except urllib.error.HTTPError:
            return False  # between two documents there is none to ask

    wait_for(is_there, title)


JUDGE = """
return axe.run(document, {resultTypes: ['violations', 'incomplete']})
  .then(found => [...found.violations, ...found.incomplete].map(one => one.id))
"""
"""All its rules, also those that are only good practice; and what it could not decide."""

ICON = """
const style = getComputedStyle(document.querySelector('main svg'));
return [style.borderTopStyle, style.stroke === style.backgroundColor];
"""

DISTANCE = """
const root = document.scrollingElement;
return Math.abs(root.scrollHeight - root.scrollTop - innerHeight)
"""
"""From the end of the page."""


def look(driver: Driver, scene: Scene, axe: str) -> None:
    """Everything that must be so, whatever the page says."""
    driver.run(axe)
    for scheme in ("light", "dark"):
        driver.prefer(scheme, prefers_reduced_motion="reduce")
        assert driver.run(JUDGE) == [], (scene, scheme)
    for size, letters in ((DESK, "200%"), (PHONE, "100%"), (SMALL, "100%")):
        driver.resize(*size)
        driver.run("document.documentElement.style.fontSize = arguments[0]", letters)
        check(driver.run(FACTS), scene)
    driver.press("End", END_KEY)
    wait_for(lambda: driver.run(DISTANCE) < 2, "the end of the page, by keyboard")
    driver.prefer("light", forced_colors="active")
    assert driver.run(ICON) == ["solid", False], "seen in the colours of the person"
    status = [] if scene.outcome else ["the server responded with a status of 400"]
    said = driver.console()
    assert len(said) == len(status), said
    assert all(words in line for words, line in zip(status, said, strict=True))
    driver.resize(*DESK)


def check(facts: dict[str, Any], scene: Scene) -> None:
    assert facts["title"] == facts["heading"] == scene.title
    assert facts["lang"] == "en"
    assert not facts["overflows"], scene
    assert facts["moving"] == facts["focusable"] == 0
    assert facts["loaded"] == []
    assert "Shown by mcp-remote-py on this computer" in facts["text"]
    assert facts["icon"].startswith("data:image/svg+xml,")
    for name in facts["names"]:
        assert len(name) <= MAX_NAME_LENGTH
        assert "\u202e" not in name
        assert "\u2066" not in name
    if scene.server is HOSTILE:
        assert facts["names"][0].startswith("evil <b>x</b>{0}%s [0mW")


@pytest.mark.promise("S3")
def test_everybody_can_read_every_page(node_packages: Path, tmp_path: Path) -> None:
    axe = (node_packages / "axe-core" / "axe.min.js").read_text()

    async def main(driver: Driver) -> None:
        for scene in SCENES:
            async with showing(scene, driver) as listener:
                await asyncio.to_thread(look, driver, scene, axe)
                if scene.outcome is Outcome.PENDING:
                    # Let go, its page asks again by itself: nobody presses anything.
                    await asyncio.to_thread(driver.run, "location.reload()")
                    await listener.finish(Outcome.DONE)
                    await asyncio.to_thread(wait_for_page, driver, "You are signed in")
                    assert await asyncio.to_thread(driver.console) == []

    with browser(tmp_path) as driver:
        asyncio.run(main(driver))
