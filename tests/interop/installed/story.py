"""What a person does with a host that `install` wrote into, step by step, and what was seen.

As in `host_story`: "ok" was observed, "-" is another end, which the note tells. Must not know how
a host is started.
"""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Callable
from typing import Any

from mcp_remote_py.hosts.catalogue import Form
from tests.interop.host_story import ABSENT, FAILED, OK, NotOffered, Outcome, parameter
from tests.interop.installed.desk import NAME, SUM, TOOLS, Desk, Home, Said, be_calculator
from tests.interop.installed.model import DONE
from tests.interop.installed.rows import InstalledHost
from tests.peers.authorization_server import AuthorizationServer
from tests.peers.wild_server import WildServer

FILE = ("--token-store", "file")
SIGN_IN = "sign_in"
"""The tool that stands for all others while nobody is signed in."""


def calculator(desk: Desk, **options: Any) -> WildServer:
    """A server that anybody may use."""
    server = desk.stack.enter_context(WildServer(**options))
    be_calculator(server)
    return server


def private_calculator(desk: Desk) -> AuthorizationServer:
    """One that wants a sign-in."""
    server = desk.stack.enter_context(AuthorizationServer())
    be_calculator(server)
    return server


def offered(desk: Desk) -> set[str]:
    """Which of the entry's tools the model was offered since it was asked last, by their names."""
    mark = NAME + desk.row.separator
    return {name.rpartition(mark)[2] for name in desk.model.offered if mark in name}


def ask(desk: Desk, home: Home) -> Said:
    """A new question, of which the model and we know nothing yet."""
    desk.model.forget()
    return home.ask()


def use(desk: Desk, home: Home, server: WildServer) -> Said:
    """The host offers all tools to its model, calls one of them once, and tells what came of it."""
    before = len(server.received("tools/call"))
    said = ask(desk, home)
    assert offered(desk) == set(TOOLS), (desk.model.offered, said)
    assert SUM in desk.model.given, (desk.model.given, said)
    assert DONE in said.text, said
    assert SUM in said.text, said
    assert len(server.received("tools/call")) == before + 1
    return said


def told(desk: Desk) -> str:
    """What the host makes of it where there is no sum: what its model is offered and given."""
    names = sorted(offered(desk))
    given = " ".join(desk.model.given.split())
    words = f"`{'`, `'.join(names)}`" if names else "no tool"
    return f"The model is offered {words}" + (f", and given “{shorten(given)}”." if given else ".")


def shorten(text: str, most: int = 160) -> str:
    """The beginning, without addresses and times, which differ from run to run."""
    plain = re.sub(r"https?://(?:127\.0\.0\.1|localhost):\d+\S*", "URL", text)
    plain = re.sub(r"127\.0\.0\.1:\d+", "HOST", plain)
    plain = re.sub(r"\d+\.\d{2,}", "0", plain)
    return plain if len(plain) <= most else plain[:most].rpartition(" ")[0] + " …"


# Steps; each returns the seconds that the host took, or None where that says nothing.


def first_use(desk: Desk) -> float:
    """Into an empty home."""
    server, home = calculator(desk), desk.home()
    assert not home.file.exists()
    home.install(server.url)
    if desk.row.list:
        said = home.run(desk.row.list)
        assert said.status == 0, said
        assert NAME in said.text, said
    seconds = use(desk, home, server).seconds
    desk.notes["named"] = next(
        one for one in desk.model.offered if one.endswith(f"{NAME}{desk.row.separator}add")
    )
    return seconds


def use_header(desk: Desk) -> float:
    """Its value is in the `env` that the host hands on."""
    server, home = calculator(desk), desk.home()
    header = ("--header", "X-Desk:${DESK}", "--secrets", "env")
    home.install(server.url, *header, DESK="from the entry")
    said = use(desk, home, server)
    (call,) = server.received("tools/call")
    assert call.headers.get("x-desk") == "from the entry", call.headers
    return said.seconds


def sign_in_before(desk: Desk) -> float:
    """By our command; the host opens nothing."""
    server, home, browser = private_calculator(desk), desk.home(), desk.browser()
    browsing = ("--browser", str(browser.command))
    home.install(server.url, *FILE, *browsing)
    home.ours("login", server.url, *FILE, *browsing)
    assert len(browser.opened) == 1
    said = use(desk, home, server)
    assert len(browser.opened) == 1, browser.opened
    return said.seconds


def sign_in_meanwhile(desk: Desk) -> float:
    """By the host's first start; the person is quick."""
    server, home, browser = private_calculator(desk), desk.home(), desk.browser()
    home.install(server.url, *FILE, "--browser", str(browser.command))
    said = use(desk, home, server)
    assert len(browser.opened) == 1, browser.opened
    use(desk, home, server)
    assert len(browser.opened) == 1, browser.opened
    return said.seconds


def never_sign_in(desk: Desk) -> float:
    """Nobody is at the browser; the model takes the one tool that it is offered.

    Asked by it, the page is shown once more where half a minute has gone: it is the same sign-in.
    """
    server, home, browser = private_calculator(desk), desk.home(), desk.browser("record")
    home.install(server.url, *FILE, "--browser", str(browser.command))
    usual = desk.model.tool, desk.model.arguments
    desk.model.tool, desk.model.arguments = SIGN_IN, {}
    try:
        said = ask(desk, home)
    finally:
        desk.model.tool, desk.model.arguments = usual
    seen = told(desk)
    assert 1 <= len(browser.opened) <= 1 + (SIGN_IN in seen), browser.opened
    assert len({parameter(one, "state") for one in browser.opened}) == 1, browser.opened
    assert not server.received("tools/call")
    tabs = len(browser.opened)
    again = desk.browser()
    home.ours("login", server.url, *FILE, "--browser", str(again.command))
    if desk.row.remembers_tools:
        desk.model.tool, desk.model.arguments = SIGN_IN, {}
        ask(desk, home)
        desk.model.tool, desk.model.arguments = usual
        assert SIGN_IN in offered(desk), desk.model.offered
        desk.notes["remembered"] = told(desk)
        seen += " It remembers this list until the tool is called once more, also after `login`."
    use(desk, home, server)
    assert len(browser.opened) == tabs, browser.opened
    if SIGN_IN in seen:
        desk.notes["unsigned"] = seen
        return said.seconds
    raise NotOffered(f"The host waits for {said.seconds:.0f} s. {seen} After `login` it works.")


def outlive_stop(desk: Desk) -> float:
    """Down while the host starts; back at the next start."""
    server, home = calculator(desk), desk.home()
    home.install(server.url)
    use(desk, home, server)
    server.kill()
    said = ask(desk, home)
    assert DONE not in said.text or SUM not in said.text, said
    seen = told(desk)
    server.restart()
    use(desk, home, server)
    desk.notes["down"] = seen
    return said.seconds


def outlive_restart(desk: Desk) -> float:
    """Between the list of tools and the call; the server has forgotten the session."""
    server, home = calculator(desk, sessions=True), desk.home()
    home.install(server.url)

    def bounce() -> None:
        server.kill()
        server.restart()

    desk.model.before_call = bounce
    try:
        return use(desk, home, server).seconds
    finally:
        desk.model.before_call = lambda: None


def parse(row: InstalledHost, text: str) -> dict[str, Any]:
    """What is in the host's file."""
    return tomllib.loads(text) if row.known.form is Form.TOML else json.loads(text)


def give_back(desk: Desk) -> float | None:
    """What the host writes itself stays, before and after; without that it is byte for byte."""
    server, home = calculator(desk), desk.home()
    said = home.run(desk.row.add)
    assert said.status == 0, said
    before = home.file.read_bytes()
    home.install(server.url)
    home.ours("uninstall", NAME, "--client", desk.row.key, "--yes")
    assert home.file.read_bytes() == before
    home.install(server.url)
    use(desk, home, server)
    written = home.file.read_text()
    home.ours("uninstall", NAME, "--client", desk.row.key, "--yes")
    left = home.file.read_text()
    members = parse(desk.row, written)
    entries: dict[str, Any] = members
    for name in desk.row.known.place:
        entries = entries[name]
    del entries[NAME]
    assert parse(desk.row, left) == members
    assert is_part_of(left, written)
    if desk.row.list:
        said = home.run(desk.row.list)
        assert NAME not in said.text.replace(str(home.folder), ""), said
        assert "other" in said.text, said
    return None


def is_part_of(left: str, whole: str) -> bool:
    """Whether all lines stand in the other text, in order; commas at their ends may differ."""
    lines = iter(line.rstrip(", ") for line in whole.splitlines())
    return all(line.rstrip(", ") in lines for line in left.splitlines())


STEPS: dict[str, Callable[[Desk], float | None]] = {
    "`install` into an empty home: the tools are there, a call works": first_use,
    "a header from the entry's variables": use_header,
    "`login` first: no tab from the host": sign_in_before,
    "no `login`: the first start signs in, one tab for two starts": sign_in_meanwhile,
    "nobody signs in: one sign-in, and a tool `sign_in`": never_sign_in,
    "the server down at a start, back at the next": outlive_stop,
    "the server started anew before a call: it arrives once": outlive_restart,
    "`uninstall` gives the file back": give_back,
}
"""In the order of the table."""


def play(desk: Desk) -> list[Outcome]:
    """Every step, whatever came of the one before."""
    outcomes: list[Outcome] = []
    for name, step in STEPS.items():
        begun = time.monotonic()
        result, words, seconds = OK, "", None
        try:
            seconds = step(desk)
        except NotOffered as why:
            result, words = ABSENT, str(why)
        except Exception as error:
            result, words = FAILED, f"{type(error).__name__}: {error}"[:2000]
        took = time.monotonic() - begun if seconds is None else seconds
        outcomes.append(Outcome(name, result, words, round(took, 1)))
    return outcomes
