"""What a person sees of a sign-in, and its exit status; the sign-in itself is a written fake."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mcp_remote_py.commands.login import run_login
from mcp_remote_py.commands.looking import Seen
from mcp_remote_py.console import CLEAR_LINE
from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.found import Found
from mcp_remote_py.oauth.steps import Client, Credential, Stored
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import LoginSettings, ProxySettings
from mcp_remote_py.settings.network import Network
from mcp_remote_py.settings.urls import parse_server_url
from tests.fakes import console_of, to_cet
from tests.harness.host import environment_for

SERVER = "https://mcp.example.com/mcp?key=login-canary-1"
SHOWN = "https://mcp.example.com/mcp?key=****"
SETTINGS = ProxySettings(parse_server_url(SERVER))
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


FOUND = Found(SHOWN, "demo", "1", "Streamable HTTP", "2025-11-25", count=2, tools=("add", "count"))
TOLD = [
    f'Found the MCP server "demo", version "1", at {SHOWN}.',
    "It is reached by Streamable HTTP, and speaks an older revision of MCP (2025-11-25).",
    "A host is shown 2 tools: add, count.",
]
NEXT = [
    "",
    'To use it in an MCP host, add this below "mcpServers" in its configuration:',
    '  "example": {',
    '    "command": "uvx",',
    '    "args": [',
    '      "mcp-remote-py",',
    f'      "{SHOWN}"',
    "    ]",
    "  }",
    f"Or have it written there: mcp-remote-py install example '{SHOWN}'",
    "**** stands for a part that may be secret: write it out there.",
    "Then restart the host. If the tools do not appear there, this finds out why:",
    f"  mcp-remote-py check '{SHOWN}'",
]
CHALLENGED = Seen(Found(SHOWN, error="The server wants a sign-in."), True, "Bearer")
ACCEPTED = Seen(FOUND)


class FakeAgent:
    """Answers as it was told to; remembers how it was called."""

    def __init__(
        self,
        signed_in: Credential | McpRemoteError = CREDENTIAL,
        says: tuple[str, ...] = (),
        left: float | None = None,
        failed: bool = False,
        offer: str | None = None,
    ) -> None:
        self.signed_in, self.says, self.left, self.failed = signed_in, says, left, failed
        self.offer = offer
        self.challenges: list[str] = []
        self.is_closed = False
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

    def seconds_left(self) -> float | None:
        return self.left

    def has_failed(self) -> bool:
        return self.failed

    async def find_offer(self) -> str | None:
        return self.offer

    async def sign_in(self, challenge: str = "") -> Credential:
        self.challenges.append(challenge)
        assert self.report is not None
        for text in self.says:
            self.report(text)
        await asyncio.sleep(0)  # who tells the time has begun
        if isinstance(self.signed_in, McpRemoteError):
            raise self.signed_in
        return self.signed_in

    async def sign_out(self) -> Stored:
        raise AssertionError("A login signs nobody out.")

    async def aclose(self) -> None:
        self.is_closed = True


class FakeLook:
    """Sees what it was told to: without a token, and with the new one."""

    def __init__(self, before: Seen = CHALLENGED, after: Seen = ACCEPTED) -> None:
        self.before, self.after = before, after
        self.looked: list[bool] = []

    async def __call__(
        self, settings: ProxySettings, environment: Mapping[str, str], *, signed_in: bool
    ) -> Seen:
        assert (settings, environment) == (SETTINGS, {"A": "b"})
        self.looked.append(signed_in)
        return self.after if signed_in else self.before


def login(
    agent: FakeAgent, look: FakeLook | None = None, width: int | None = None
) -> tuple[int, list[str]]:
    lines: list[str] = []
    console = console_of(lines, width)
    status = run_login(
        SETTINGS, {"A": "b"}, console, agent.build, look or FakeLook(), lambda: NOW, to_cet
    )
    assert agent.built_with in (None, (SETTINGS.login, {"A": "b"}))
    assert "canary" not in "".join(lines)
    return status, lines


def test_file_that_a_variable_names_is_shown_in_the_entry() -> None:
    async def look(
        settings: ProxySettings, environment: Mapping[str, str], *, signed_in: bool
    ) -> Seen:
        return ACCEPTED

    settings = SETTINGS.replace(network=Network(ca_variables=("SSL_CERT_FILE",)))
    lines: list[str] = []
    environment = {"SSL_CERT_FILE": "/etc/ssl/company.pem"}
    run_login(settings, environment, console_of(lines, None), FakeAgent().build, look)
    assert '      "SSL_CERT_FILE": "/etc/ssl/company.pem"' in lines


@pytest.mark.promise("P2")
def test_hosts_that_have_it_already_are_named_in_place_of_another_entry(tmp_path: Path) -> None:
    async def look(
        settings: ProxySettings, environment: Mapping[str, str], *, signed_in: bool
    ) -> Seen:
        return ACCEPTED

    def put(path: str, place: str, **servers: str) -> None:
        start = "mcp-remote-py"
        entries = {name: {"command": "uvx", "args": [start, url]} for name, url in servers.items()}
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({place: entries}))

    put(".cursor/mcp.json", "mcpServers", sh=SERVER, other="https://mcp.example.com/other")
    put(".config/zed/settings.json", "context_servers", sh=SERVER, **{"my work": SERVER})
    lines: list[str] = []
    run_login(SETTINGS, {"HOME": str(tmp_path)}, console_of(lines), FakeAgent().build, look)
    assert lines[-3:] == [
        "",
        "Cursor and Zed have it already, as sh. To see whether it works: mcp-remote-py check sh",
        "Zed has it already, as my work. To see whether it works: mcp-remote-py check 'my work'",
    ]


@pytest.mark.promise("P2", "S2")
def test_each_step_is_a_line_and_the_last_ones_say_what_comes_next() -> None:
    agent = FakeAgent(
        says=("Asking who signs people in ...", "Sign in at\n https://auth.example.com/a?b=c"),
    )
    challenge = 'Bearer resource_metadata="https://mcp.example.com/prm"'
    look = FakeLook(CHALLENGED._replace(challenge=challenge))
    assert login(agent, look) == (
        0,
        [
            ASKING,
            "Asking who signs people in ...",
            "Sign in at https://auth.example.com/a?b=c",
            f"Signed in at {SHOWN} with the scopes read write. The token lasts until "
            "2023-11-15 00:13 CET (in 1 hour) and is renewed by itself.",
            "The server accepts its token.",
            *TOLD,
            *NEXT,
        ],
    )
    assert agent.challenges == [challenge]
    assert look.looked == [False, True]


@pytest.mark.promise("P2")
def test_after_install_nothing_is_asked_or_told_that_install_and_check_ask_and_tell() -> None:
    lines: list[str] = []
    look, agent = FakeLook(), FakeAgent()
    challenge = 'Bearer resource_metadata="https://mcp.example.com/prm"'
    status = run_login(
        SETTINGS,
        {"A": "b"},
        console_of(lines),
        agent.build,
        look,
        lambda: NOW,
        to_cet,
        seen=CHALLENGED._replace(challenge=challenge),
    )
    assert status == 0
    assert agent.challenges == [challenge]
    assert look.looked == [True]
    assert [line.split(".")[0] for line in lines[:1]] == [f"Signed in at {SHOWN}".split(".")[0]]
    assert lines[1:] == ["The server accepts its token."]


@pytest.mark.promise("P2")
def test_at_a_terminal_the_time_left_is_one_line_that_goes() -> None:
    status, lines = login(FakeAgent(left=299.4), width=80)
    told = "".join(lines)
    assert status == 0
    assert lines[1] == "Waiting up to 5 minutes for you. Ctrl+C ends this."
    assert f"{CLEAR_LINE}4:59 left{CLEAR_LINE}\x1b[32mSigned in\x1b[0m at" in told
    assert told.count("left") == 1


@pytest.mark.promise("P2")
def test_in_a_pipe_the_time_left_is_said_once_and_without_style() -> None:
    _, lines = login(FakeAgent(left=61.0))
    assert lines[1] == "Waiting up to 61 seconds for you. Ctrl+C ends this."
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (
            CREDENTIAL._replace(refresh_token=None),
            "with the scopes read write. It lasts until 2023-11-15 00:13 CET (in 1 hour); then "
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
            "2023-11-14 23:13 CET (5 seconds ago) and is renewed by itself.",
        ),
        (
            CREDENTIAL._replace(scope="w" * 100_000, expires_at=None),
            f"with the scopes {'w' * 199}…. The server does not say how long it lasts.",
        ),
    ],
)
def test_it_is_said_what_was_granted(credential: Credential, words: str) -> None:
    status, lines = login(FakeAgent(signed_in=credential))
    assert (status, lines[1]) == (0, f"Signed in at {SHOWN} {words}")


@pytest.mark.promise("P2")
def test_server_that_wants_no_sign_in_gets_none_and_is_told_of() -> None:
    agent, look = FakeAgent(), FakeLook(Seen(FOUND))
    assert login(agent, look) == (
        0,
        [
            ASKING,
            *TOLD,
            "It does not ask for a sign-in, so there is nothing to sign in to.",
            *NEXT,
        ],
    )
    assert (agent.challenges, look.looked, agent.is_closed) == ([], [False], True)


@pytest.mark.promise("P2")
def test_server_that_only_calls_are_refused_by_gets_the_sign_in_that_failed_there() -> None:
    agent, look = FakeAgent(failed=True), FakeLook(Seen(FOUND))
    status, lines = login(agent, look)
    assert (status, agent.challenges, look.looked) == (0, [""], [False, True])
    assert lines[1].startswith(f"Signed in at {SHOWN} ")


@pytest.mark.promise("P2")
@pytest.mark.parametrize("offer", ["", 'Bearer resource_metadata="https://mcp.example.com/prm"'])
def test_server_that_publishes_a_sign_in_for_calls_gets_it_before_any_failure(offer: str) -> None:
    agent, look = FakeAgent(offer=offer), FakeLook(Seen(FOUND))
    status, lines = login(agent, look)
    assert (status, agent.challenges, look.looked) == (0, [offer], [False, True])
    assert agent.is_closed
    assert lines[1] == "It answers without a sign-in. Signing in all the same."
    assert lines[2].startswith(f"Signed in at {SHOWN} ")


@pytest.mark.promise("P2")
def test_what_is_not_an_mcp_server_is_said_in_the_words_of_the_relay() -> None:
    agent = FakeAgent(failed=True)
    said = "No MCP server answers at this address (HTTP 404). Check the path of the URL."
    with pytest.raises(McpRemoteError) as caught:
        login(agent, FakeLook(Seen(Found(SHOWN, error=said))))
    assert (caught.value.sentence(), agent.challenges) == (said, [])


@pytest.mark.promise("L3", "P2")
@pytest.mark.parametrize("found", [{"error": "No."}, {"tools_error": "No.", "name": "demo"}])
def test_new_token_that_the_server_refuses_is_the_end(
    found: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    agent, look = FakeAgent(), FakeLook(after=Seen(Found(SHOWN).replace(**found), True))
    with caplog.at_level(logging.ERROR):
        status, lines = login(agent, look)
    assert (status, len(lines), caplog.messages) == (3, 2, ["No."])
    assert (len(agent.challenges), look.looked) == (1, [False, True])


@pytest.mark.promise("P2")
def test_sign_in_is_kept_where_the_server_is_away_then(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        status, lines = login(FakeAgent(), FakeLook(after=Seen(Found(SHOWN, error="Away."))))
    assert (status, lines[2:]) == (0, NEXT)
    assert caplog.messages == ["The sign-in is kept, but could not be tried now: Away."]


@pytest.mark.promise("P2")
def test_sign_in_that_does_not_come_about_is_said_and_still_needed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = McpRemoteError("You closed the tab.", hint="Try again.")
    look = FakeLook()
    with caplog.at_level(logging.ERROR):
        assert login(FakeAgent(signed_in=refused), look) == (3, [ASKING])
    assert (caplog.messages, look.looked) == (["You closed the tab. Try again."], [False])


@pytest.mark.promise("P2")
def test_option_the_sign_in_cannot_serve_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="No device"):
        login(FakeAgent(signed_in=UsageError("No device here.")))


INTERRUPTED_LOGIN = """
import asyncio, os, sys
from mcp_remote_py.cli.main import main
from mcp_remote_py.commands.login import run_login
from mcp_remote_py.commands.looking import Seen
from mcp_remote_py.found import Found

class Agent:
    def __init__(self, report):
        self.report = report

    def seconds_left(self):
        return 299.0

    async def sign_in(self, challenge=""):
        self.report("Waiting for you ...")
        try:
            await asyncio.Event().wait()
        finally:
            self.report("The listener is closed.")

    async def aclose(self):
        pass

async def look(settings, environment, *, signed_in):
    return Seen(Found(""), True, "Bearer")

def load(name):
    return lambda settings, environment, console: run_login(
        settings, environment, console, lambda _, __, report, ___: Agent(report), look
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
            assert process.stdout.readline().startswith("Waiting up to 5 minutes for you. Ctrl+C")
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, errors) == (130, "")
    assert out.splitlines() == [
        "The listener is closed.",
        "Ended by Ctrl+C: the sign-in is not finished. What was stored before is unchanged.",
        f"To begin a new one: mcp-remote-py login {SHOWN} "
        "(**** stands for a part that may be secret: write it out there.)",
        "Or finish the sign-in page and start your host within 4 minutes.",
    ]
