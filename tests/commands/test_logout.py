"""Which sessions are signed out, what is said of each, and what is left; the agent is a fake."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.commands.logout import run_logout
from mcp_remote_py.credentials.keys import FOLDER
from mcp_remote_py.credentials.sealed import SUFFIX
from mcp_remote_py.credentials.server_cache import ServerCache
from mcp_remote_py.credentials.session_files import SessionFile, list_records, state_directory
from mcp_remote_py.errors import McpRemoteError, StoreError, UsageError
from mcp_remote_py.oauth.steps import Credential, Stored
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.commands import LoginSettings
from mcp_remote_py.settings.network import Network, SignInTimeouts, Tls
from mcp_remote_py.settings.stored import LogoutSettings, SessionPattern
from mcp_remote_py.settings.urls import parse_server_url
from tests.fakes import console_of

SERVER = "https://mcp.example.com/mcp?key=logout-canary-1"
NETWORK = Network(sign_in_timeouts=SignInTimeouts(connect=1.0), tls=Tls(("ca.pem",)), ipv4=True)
SHOWN = "https://mcp.example.com/mcp?key=****"
OTHER = "http://internal.example.com/sse"
TENANT = "https://tenant.example.com/"

Session = tuple[str, str, str]
"""Server, resource, profile."""


class FakeAgents:
    """Builds agents that sign out of the sessions in `signed_in`, and fail in those of `broken`."""

    def __init__(self, signed_in: set[Session] | None = None, broken: set[Session] | None = None):
        self.signed_in, self.broken = signed_in or set(), broken or set()
        self.left = Stored.NOTHING
        """What is stored where nobody is signed in."""
        self.built: list[LoginSettings] = []
        self.signed_out: list[Session] = []

    def build(
        self,
        settings: LoginSettings,
        environment: Mapping[str, str],
        report: Callable[[str], None],
        read_line: Callable[[], str] | None = None,
    ) -> FakeAgent:
        self.built.append(settings)
        session = (str(settings.server), settings.sign_in.resource or "", settings.sign_in.profile)
        return FakeAgent(self, session, report)


class FakeAgent:
    def __init__(self, agents: FakeAgents, session: Session, report: Callable[[str], None]) -> None:
        self.agents, self.session, self.report = agents, session, report

    def seconds_left(self) -> float | None:
        raise AssertionError("A logout waits for nobody.")

    def has_failed(self) -> bool:
        raise AssertionError("A logout does not ask why.")

    async def find_offer(self) -> str | None:
        raise AssertionError("A logout does not look for a sign-in.")

    async def sign_in(self, challenge: str = "") -> Credential:
        raise AssertionError("A logout signs nobody in.")

    async def sign_out(self) -> Stored:
        if self.session in self.agents.broken:
            raise McpRemoteError("The keyring is locked.", hint="Unlock it.")
        if self.session not in self.agents.signed_in:
            return self.agents.left
        self.report("Revoking\nthe token ...")
        self.agents.signed_out.append(self.session)
        return Stored.TOKENS

    async def aclose(self) -> None:
        raise AssertionError("A logout ends with its process.")


def logout(
    home: Path,
    agents: FakeAgents,
    server: str | None,
    profile: str | None = None,
    resource: str | None = None,
    token_store: str | None = None,
    is_all: bool = True,
) -> tuple[int, list[str]]:
    lines: list[str] = []
    named = None if server is None else parse_server_url(server, allow_http=True)
    if named is not None:
        profile = profile or ""
    settings = LogoutSettings(
        SessionPattern(named, resource, profile),
        token_store=token_store,
        network=NETWORK,
        is_all=is_all,
    )
    known = {"MCP_REMOTE_CONFIG_DIR": str(home)}
    status = run_logout(settings, known, console_of(lines), agents.build)
    assert "canary" not in "".join(lines)
    return status, lines


def remember(home: Path, *sessions: Session, store: str = "file") -> None:
    for session in sessions:
        SessionFile(folder_in(home), SessionId(*session)).update(signed_in_at=1.0, store=store)


def folder_in(home: Path) -> Path:
    return state_directory({"MCP_REMOTE_CONFIG_DIR": str(home)})


def left(home: Path) -> list[Session]:
    return [
        (state.server, state.resource, state.profile) for state in list_records(folder_in(home))
    ]


@pytest.mark.promise("P2", "S2")
def test_one_session_is_revoked_and_forgotten(tmp_path: Path) -> None:
    session, others = (SERVER, "", ""), [(SERVER, "", "work"), (OTHER, "", "")]
    remember(tmp_path, session, *others)
    agents = FakeAgents({session, *others})
    assert logout(tmp_path, agents, SERVER) == (
        0,
        ["Revoking the token ...", f"Signed out of {SHOWN}."],
    )
    assert agents.signed_out == [session]
    assert sorted(left(tmp_path)) == sorted(others)


@pytest.mark.promise("A6")
def test_what_the_server_said_is_forgotten_too(tmp_path: Path) -> None:
    session, other = (SERVER, TENANT, ""), (SERVER, "", "work")
    remember(tmp_path, session, other)
    files = [
        ServerCache(folder_in(tmp_path), SessionId(*one), os.urandom) for one in (session, other)
    ]
    for file in files:
        file.keep(ServerSnapshot(b"{}", b"{}"))
    assert logout(tmp_path, FakeAgents({session, other}), SERVER)[0] == 0
    assert [file.read() for file in files] == [ServerSnapshot(), ServerSnapshot(b"{}", b"{}")]


@pytest.mark.promise("A6")
@pytest.mark.parametrize("server", [SERVER, None], ids=["named", "all"])
def test_what_a_server_without_sign_in_said_is_forgotten_too(
    tmp_path: Path, server: str | None
) -> None:
    signed_in = (SERVER, "", "work")
    remember(tmp_path, signed_in)
    file, other = (
        ServerCache(folder_in(tmp_path), SessionId(url), os.urandom) for url in (SERVER, OTHER)
    )
    for one in (file, other):
        one.keep(ServerSnapshot(b"{}", b"{}"))
    assert logout(tmp_path, FakeAgents({signed_in}), server)[0] == 0
    assert file.read() == ServerSnapshot()
    assert other.read() == ServerSnapshot() if server is None else ServerSnapshot(b"{}", b"{}")


def test_profile_is_signed_out_alone_and_named(tmp_path: Path) -> None:
    session = (SERVER, "", "work")
    remember(tmp_path, (SERVER, "", ""), session)
    agents = FakeAgents({(SERVER, "", ""), session})
    status, lines = logout(tmp_path, agents, SERVER, "work")
    assert (status, lines[-1]) == (0, f"Signed out of {SHOWN} (profile work).")
    assert agents.signed_out == [session]


@pytest.mark.parametrize(
    ("resource", "signed_out"),
    [(None, [(SERVER, "", ""), (SERVER, TENANT, "")]), (TENANT, [(SERVER, TENANT, "")])],
)
def test_resource_narrows(tmp_path: Path, resource: str | None, signed_out: list[Session]) -> None:
    remember(tmp_path, (SERVER, "", ""), (SERVER, TENANT, ""))
    agents = FakeAgents({(SERVER, "", ""), (SERVER, TENANT, "")})
    assert logout(tmp_path, agents, SERVER, resource=resource)[0] == 0
    assert agents.signed_out == signed_out


def test_token_without_a_record_is_found_all_the_same(tmp_path: Path) -> None:
    session = (SERVER, TENANT, "work")
    agents = FakeAgents({session})
    status, lines = logout(tmp_path, agents, SERVER, "work", TENANT)
    assert (status, lines[-1]) == (0, f"Signed out of {SHOWN} (profile work).")
    assert agents.signed_out == [session]


def test_a_registration_that_is_left_is_not_called_a_sign_in(tmp_path: Path) -> None:
    remember(tmp_path, (SERVER, "", ""))
    agents = FakeAgents()
    agents.left = Stored.REGISTRATION
    assert logout(tmp_path, agents, SERVER) == (
        0,
        [
            f"Nobody was signed in at {SHOWN}. What was kept for the next sign-in is forgotten: "
            "the registration of mcp-remote-py there."
        ],
    )
    assert left(tmp_path) == []
    agents.left = Stored.REST
    assert logout(tmp_path, agents, SERVER)[1] == [
        f"What was left of a sign-in at {SHOWN} is forgotten."
    ]


@pytest.mark.promise("P2")
def test_without_a_server_those_are_named_that_could_be_meant(tmp_path: Path) -> None:
    agents = FakeAgents({(SERVER, "", "")})
    with pytest.raises(UsageError) as caught:
        logout(tmp_path, agents, None, is_all=False)
    assert caught.value.sentence() == ("Nobody is signed in anywhere, as far as is known.")
    remember(tmp_path, (SERVER, "", ""), (OTHER, "", "work"))
    with pytest.raises(UsageError) as caught:
        logout(tmp_path, agents, None, is_all=False)
    assert caught.value.sentence() == (
        f"The server URL is missing. Name one of these: {OTHER} (profile work), {SHOWN}. "
        "For all of them: mcp-remote-py logout --all"
    )
    assert (agents.built, len(left(tmp_path))) == ([], 2)


@pytest.mark.parametrize(
    ("stored", "asked", "line"),
    [
        (("", "work"), None, "There is a sign-in as --profile work: {} --profile work"),
        (
            (TENANT, "my work"),
            None,
            f"There is a sign-in as --profile 'my work' --resource {TENANT}: {{}} --profile"
            f" 'my work' --resource {TENANT}",
        ),
        (("", ""), "work", "There is a sign-in without a profile: {}"),
    ],
)
def test_sign_in_of_another_profile_is_told_of(
    tmp_path: Path, stored: tuple[str, str], asked: str | None, line: str
) -> None:
    remember(tmp_path, (OTHER, *stored))
    status, lines = logout(tmp_path, FakeAgents(), OTHER, asked)
    assert status == 0
    assert lines[1:] == [line.format(f"mcp-remote-py logout {OTHER}")]
    assert "was signed in at" in lines[0]


def test_signing_out_twice_is_not_a_fault(tmp_path: Path) -> None:
    agents = FakeAgents()
    assert logout(tmp_path, agents, SERVER) == (0, [f"Nobody was signed in at {SHOWN}."])
    assert logout(tmp_path, agents, None) == (
        0,
        ["Nobody is signed in anywhere: there is nothing to do."],
    )
    assert len(agents.built) == 1


@pytest.mark.parametrize(("profile", "count"), [(None, 3), ("work", 1), ("other", 0)])
def test_all_takes_every_session_that_is_signed_in(
    tmp_path: Path, profile: str | None, count: int
) -> None:
    sessions = [(SERVER, "", ""), (SERVER, TENANT, "work"), (OTHER, "", "")]
    remember(tmp_path, *sessions)
    SessionFile(folder_in(tmp_path), SessionId("https://plain.example.com/")).update(
        transport="HTTP+SSE"
    )
    agents = FakeAgents(set(sessions))
    status, lines = logout(tmp_path, agents, None, profile)
    assert (status, len(agents.signed_out)) == (0, count)
    assert sum(line.startswith("Signed out of ") for line in lines) == count
    assert len(left(tmp_path)) == 4 - count


@pytest.mark.promise("P2")
@pytest.mark.report("S8")
def test_all_takes_a_stored_sign_in_whose_record_was_lost_and_made_anew(tmp_path: Path) -> None:
    SessionFile(folder_in(tmp_path), SessionId(OTHER)).update(port=1)
    store(tmp_path, SessionId(OTHER).key)
    agents = FakeAgents({(OTHER, "", "")})
    assert logout(tmp_path, agents, None) == (
        0,
        ["Revoking the token ...", f"Signed out of {OTHER}."],
    )


@pytest.mark.promise("P2")
@pytest.mark.report("S8")
@pytest.mark.parametrize("profile", [None, "other"])
def test_stored_sign_in_without_a_record_is_not_told_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, profile: str | None
) -> None:
    remember(tmp_path, (OTHER, "", ""))
    (record,) = folder_in(tmp_path).glob("*.json")
    record.write_bytes(b"{")
    store(tmp_path, SessionId(OTHER).key)
    with caplog.at_level(logging.ERROR):
        assert logout(tmp_path, FakeAgents(), None, profile) == (1, [])
    (text,) = caplog.messages
    assert ": 1. Name each server: mcp-remote-py logout URL." in text
    assert str(folder_in(tmp_path) / FOLDER) in text


@pytest.mark.promise("P2")
@pytest.mark.report("S8")
def test_folder_that_cannot_be_read_is_not_told_as_an_empty_one(tmp_path: Path) -> None:
    folder_in(tmp_path).mkdir()
    (folder_in(tmp_path) / FOLDER).write_text("no folder")
    with pytest.raises(StoreError, match="cannot be read"):
        logout(tmp_path, FakeAgents(), None)


def store(home: Path, session: str) -> None:
    folder = folder_in(home) / FOLDER
    folder.mkdir(exist_ok=True)
    (folder / f"{session}{SUFFIX}").write_bytes(b"sealed")


@pytest.mark.promise("P2")
def test_session_that_fails_is_said_kept_and_does_not_keep_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = [(OTHER, "", ""), (SERVER, "", "work")]
    remember(tmp_path, *sessions)
    agents = FakeAgents({(SERVER, "", "work")}, broken={(OTHER, "", "")})
    with caplog.at_level(logging.ERROR):
        status, lines = logout(tmp_path, agents, None)
    assert (status, lines[-2:]) == (
        1,
        [f"Signed out of {SHOWN} (profile work).", "Together: 1 signed out, 1 failed."],
    )
    assert caplog.messages == [f"{OTHER}: The keyring is locked. Unlock it."]
    assert left(tmp_path) == [(OTHER, "", "")]


def test_agent_gets_the_connection_and_the_store_that_was_used(tmp_path: Path) -> None:
    remember(tmp_path, (SERVER, "", ""))
    agents = FakeAgents()
    logout(tmp_path, agents, SERVER)
    (settings,) = agents.built
    assert settings.network == NETWORK
    assert settings.sign_in.token_store == "file"


@pytest.mark.parametrize(
    ("used", "given", "expected"),
    [("file", "memory", "memory"), ("", None, "keyring"), ("unheard of", None, "keyring")],
)
def test_store_that_is_named_wins_and_the_keyring_is_the_rest(
    tmp_path: Path, used: str, given: str | None, expected: str
) -> None:
    remember(tmp_path, (SERVER, "", ""), store=used)
    agents = FakeAgents()
    logout(tmp_path, agents, SERVER, token_store=given)
    assert agents.built[0].sign_in.token_store == expected
