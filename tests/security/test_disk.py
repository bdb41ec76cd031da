"""A disk that is full, read-only or broken at any write: nothing stored is lost, nobody is misled.

Real processes against a server that forgives nothing: a refresh token that comes twice ends the
sign-in. Whatever fails, afterwards the same sign-in works, or one tab is asked for. Where the
machine allows it, the full and the read-only disk are real file systems; the broken one is
`harness/failing_disk`. Must not know how the command is made.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from mcp_remote_py.credentials.state import StateFile, list_states
from mcp_remote_py.oauth.ledger import Ledger
from tests.harness.browser import fake_browser
from tests.harness.host import Host, Json, environment_for, initialize_params, wait_until
from tests.harness.stage import CALL, COMMAND, PATIENCE, Stage, let_token_expire, refusal
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.thorough import often

pytestmark = [pytest.mark.report("S8"), pytest.mark.timeout(120)]

FAILING_DISK = Path(__file__).parent.parent / "harness" / "failing_disk"
STORED_NOW = "The sign-in is stored now"


class Machine(Stage):
    """A stage whose disk fails as it is told."""

    @property
    def state(self) -> Path:
        return self.home / "state"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        failing = {"PYTHONPATH": str(FAILING_DISK), "FAILING_DISK": str(self.home)}
        return super().environment(failing | dict(extra or {}))

    def fail(self, at: int, number: int, how: str = "one") -> None:
        """From now on the disk fails at the write of that number, counted from now."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "calls").unlink(missing_ok=True)
        (self.home / "plan").write_text(f"{at} {number} {how}")

    def heal(self) -> None:
        """Nothing fails any more."""
        (self.home / "plan").unlink(missing_ok=True)

    @property
    def writes(self) -> list[str]:
        """What was written since `fail`."""
        calls = self.home / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def assert_tidy(self) -> None:
        """Nothing was put aside."""
        left = [path.name for path in self.state.rglob("*") if path.is_file()]
        assert not [name for name in left if "quarantine" in name], left

    @property
    def was_reused(self) -> bool:
        """Whether the server has seen a refresh token twice."""
        return any(one.sign_in.ended for one in self.server.refresh_tokens.values())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    with ExitStack() as stack:

        def make(name: str = "one", **policy: object) -> Machine:
            server = stack.enter_context(AuthorizationServer(Policy(**policy)))  # pyright: ignore[reportArgumentType]
            browser = stack.enter_context(fake_browser(tmp_path / name / "browser", "normal", 0))
            return Machine(server, browser, tmp_path / name / "home", stack)

        yield make


def ask(host: Host) -> Json:
    """The answer to a call, whatever it is; the handshake may have failed, too."""
    answer = host.request("initialize", initialize_params())
    return host.request("tools/call", CALL) if "result" in answer else answer


def works(answer: Json) -> bool:
    return answer.get("result", {}).get("params") == CALL


def assert_works(host: Host) -> None:
    answer = ask(host)
    assert works(answer), answer


def wait_until_stored(host: Host) -> None:
    """Where it has said that what it got will not outlive it."""
    wait_until(
        lambda: host.stderr.count("The sign-in will not outlive") == host.stderr.count(STORED_NOW),
        STORED_NOW,
        seconds=PATIENCE,
    )


def signed_in(stage: Machine) -> Machine:
    """Somebody has signed in, and the token is out of date."""
    host = stage.host()
    assert_works(host)
    stage.end(host)
    let_token_expire(stage)
    return stage


def spread(count: int, in_the_gate: int) -> list[int]:
    """Numbers of writes from 1 on, spread over all of them."""
    return list(range(1, count + 1, often(max(1, count // in_the_gate), 1)))


def tabs_in(stage: Machine) -> tuple[float, ...]:
    """What the budget on disk knows of."""
    (state,) = list_states(stage.state / "mcp-remote-py")
    return state.ledger.tabs


SIGN_IN_WRITES = 90
RENEWAL_WRITES = 50
"""About, and rather more: where the number is too high, nothing fails."""


@pytest.mark.promise("A7", "L2", "R1")
@pytest.mark.parametrize("how", ["one", "on"])
@pytest.mark.parametrize("number", spread(SIGN_IN_WRITES, 8))
def test_sign_in_whose_write_fails(machine: Callable[..., Machine], number: int, how: str) -> None:
    stage = machine(rotation="strict")
    stage.fail(number, errno.EIO, how)
    first = stage.host()
    answer = ask(first)
    tabs = len(stage.browser.opened)
    assert tabs <= 1
    # What works is a sign-in; what does not has opened no tab, or says what to do.
    assert works(answer) or "/mcp-remote-py" in str(answer), answer
    stage.heal()
    if works(answer):
        wait_until_stored(first)
    assert_works(second := stage.host())
    stage.end(first)
    stage.end(second)
    assert_works(third := stage.host())
    stage.end(third)
    assert len(stage.browser.opened) == 1
    assert tabs_in(stage), "the tab is counted"
    assert not stage.was_reused
    stage.assert_tidy()


@pytest.mark.promise("A5", "A7", "R1")
@pytest.mark.parametrize("how", ["one", "on"])
@pytest.mark.parametrize("number", spread(RENEWAL_WRITES, 8))
def test_renewal_whose_write_fails(machine: Callable[..., Machine], number: int, how: str) -> None:
    stage = signed_in(machine(lifetime=1, rotation="strict"))
    stage.fail(number, errno.EIO, how)
    first = stage.host()
    answer = ask(first)
    assert works(answer) or "MCP_REMOTE_CONFIG_DIR" in str(answer), answer
    stage.heal()
    wait_until_stored(first)
    assert_works(second := stage.host())
    stage.end(first)
    stage.end(second)
    assert_works(third := stage.host())
    stage.end(third)
    assert len(stage.browser.opened) == 1, "the same sign-in"
    assert not stage.was_reused
    assert tabs_in(stage), "the budget is what it was"
    stage.assert_tidy()
