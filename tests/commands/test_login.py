"""What a person sees of a sign-in, and its exit status; the sign-in itself is a written fake."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mcp_remote_py.commands.login import run_login
from mcp_remote_py.errors import McpRemoteError, NotSent, UsageError
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import LoginSettings
from mcp_remote_py.settings.urls import parse_server_url
from tests.harness.host import environment_for

SERVER = "https://mcp.example.com/mcp?key=login-canary-1"
SHOWN = "https://mcp.example.com/mcp?key=****"
SETTINGS = LoginSettings(parse_server_url(SERVER))
ASKING = f"Asking {SHOWN} whether it wants a sign-in ..."
PATIENCE = 20.0
"""Seconds for a process of the test."""
NOW = 1_700_000_000.0
CREDENTIAL = Credential(
    issuer="https://auth.example.com",
    token_endpoint="https://auth.example.com/token",
    client=Client("client", "registered", Secret("login-canary-2")),
    scope="read write",
    access_token=Secret("login-canary-3"),
    refresh_token=Secret("login-canary-4"),
    expires_at=NOW + 3600,
)


class FakeAgent:
    """Answers as it was told to; remembers how it was called."""

    def __init__(
        self,
        probed: tuple[int, str] | McpRemoteError = (401, "Bearer"),
        signed_in: Credential | McpRemoteError = CREDENTIAL,
        says: tuple[str, ...] = (),
    ) -> None:
        self.probed, self.signed_in, self.says = probed, signed_in, says
        self.challenges: list[str] = []
        self.report: Callable[[str], None] | None = None
        self.built_with: tuple[LoginSettings, Mapping[str, str]] | None = None

    def build(
        self,
        settings: LoginSettings,
        environment: Mapping[str, str],
        report: Callable[[str], None],
        read_line: Callable[[], str] | None = None,
    ) -> FakeAgent:
        self.built_with, self.report = (settings, environment), report
        return self

    async def probe(self) -> tuple[int, str]:
        if isinstance(self.probed, McpRemoteError):
            raise self.probed
        return self.probed

    async def sign_in(self, challenge: str = "") -> Credential:
        self.challenges.append(challenge)
        assert self.report is not None
        for text in self.says:
            self.report(text)
        if isinstance(self.signed_in, McpRemoteError):
            raise self.signed_in
        return self.signed_in

    async def sign_out(self) -> bool:
        raise AssertionError("A login signs nobody out.")


def login(agent: FakeAgent) -> tuple[int, list[str]]:
    lines: list[str] = []
    status = run_login(SETTINGS, {"A": "b"}, lines.append, None, agent.build, lambda: NOW)
    assert agent.built_with == (SETTINGS, {"A": "b"})
    assert "canary" not in "".join(lines)
    return status, lines


@pytest.mark.promise("P2", "S2")
def test_each_step_is_a_line_and_the_last_says_scopes_and_expiry() -> None:
    agent = FakeAgent(
        probed=(401, 'Bearer resource_metadata="https://mcp.example.com/prm"'),
        says=("Asking who signs people in ...", "Sign in at\n https://auth.example.com/a?b=c"),
    )
    assert login(agent) == (
        0,
        [
            ASKING,
            "Asking who signs people in ...",
            "Sign in at https://auth.example.com/a?b=c",
            f"Signed in at {SHOWN} with the scopes read write. The token lasts until "
            "2023-11-14 23:13 UTC (in 1 hour) and is renewed by itself.",
        ],
    )
    assert agent.challenges == ['Bearer resource_metadata="https://mcp.example.com/prm"']


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (
            CREDENTIAL._replace(refresh_token=None),
            "with the scopes read write. It lasts until 2023-11-14 23:13 UTC (in 1 hour); then "
            "sign in again.",
        ),
        (
            CREDENTIAL._replace(scope="", expires_at=None),
            "without any scope. The server does not say how long it lasts.",
        ),
        (
            CREDENTIAL._replace(expires_at=1e300),
            "with the scopes read write. The server gives an expiry too far ahead to show.",
        ),
        (
            CREDENTIAL._replace(scope="a\x1b[31m\nb", expires_at=NOW - 5),
            "with the scopes a [31m b. The token lasts until "
            "2023-11-14 22:13 UTC (5 seconds ago) and is renewed by itself.",
        ),
    ],
)
def test_last_line_says_what_was_granted(credential: Credential, words: str) -> None:
    status, lines = login(FakeAgent(signed_in=credential))
    assert (status, lines[-1]) == (0, f"Signed in at {SHOWN} {words}")


@pytest.mark.parametrize("probed", [(401, ""), (401, "Bearer"), (403, "Bearer"), (200, "Bearer")])
def test_challenge_or_401_leads_to_one_sign_in(probed: tuple[int, str]) -> None:
    agent = FakeAgent(probed)
    assert login(agent)[0] == 0
    assert agent.challenges == [probed[1]]


@pytest.mark.parametrize("status", [200, 202])
def test_server_that_wants_no_sign_in_gets_none(status: int) -> None:
    agent = FakeAgent((status, ""))
    assert login(agent) == (
        0,
        [ASKING, f"{SHOWN} answers without a sign-in: there is nothing to do."],
    )
    assert agent.challenges == []


@pytest.mark.promise("P2")
@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_server_that_answers_something_else_is_an_error_with_the_status(status: int) -> None:
    agent = FakeAgent((status, ""))
    with pytest.raises(McpRemoteError) as caught:
        login(agent)
    assert caught.value.sentence() == (
        f"{SHOWN} answers with status {status} and does not ask for a sign-in. "
        "Check the address: servers often have theirs at /mcp or /sse."
    )
    assert agent.challenges == []


def test_server_that_is_not_reached_is_an_error_of_the_program() -> None:
    with pytest.raises(NotSent, match="No way there"):
        login(FakeAgent(NotSent("No way there.")))


@pytest.mark.promise("P2")
def test_sign_in_that_does_not_come_about_is_said_and_still_needed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = McpRemoteError("You closed the tab.", hint="Try again.")
    with caplog.at_level(logging.ERROR):
        assert login(FakeAgent(signed_in=refused)) == (3, [ASKING])
    assert caplog.messages == ["You closed the tab. Try again."]


@pytest.mark.promise("P2")
def test_option_the_sign_in_cannot_serve_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="No device"):
        login(FakeAgent(signed_in=UsageError("No device here.")))


INTERRUPTED_LOGIN = """
import asyncio, os, sys
from mcp_remote_py.cli.main import main
from mcp_remote_py.commands.login import run_login

class Agent:
    def __init__(self, report):
        self.report = report

    async def probe(self):
        return 401, "Bearer"

    async def sign_in(self, challenge=""):
        self.report("Waiting for you ...")
        try:
            await asyncio.Event().wait()
        finally:
            self.report("The listener is closed.")

def load(name):
    return lambda settings, environment, write, read_line: run_login(
        settings, environment, write, read_line, lambda _, __, report, ___: Agent(report)
    )

sys.exit(main(sys.argv[1:], os.environ, sys.stdout, sys.stderr, load))
"""


@pytest.mark.promise("P2")
@pytest.mark.timeout(PATIENCE + 5)
def test_interrupt_ends_a_login_that_waits_and_lets_it_clean_up(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED_LOGIN, "login", SERVER],
        env=environment_for(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{ASKING}\n"
            assert process.stdout.readline() == "Waiting for you ...\n"
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, out, errors) == (130, "The listener is closed.\n", "")
