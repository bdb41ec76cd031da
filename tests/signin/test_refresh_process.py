"""A renewal in a process of its own: real processes, a real token endpoint, a sealed store.

That it outlives who has asked for it is `test_many_processes`'s; here is what comes back. Must
not know who asks.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_remote_py.credentials.keys import choose_store
from mcp_remote_py.credentials.sealed import SealedStore
from mcp_remote_py.errors import (
    Interrupted,
    McpRemoteError,
    NotSent,
    SignInFailed,
    Unusable,
    UsageError,
)
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import LoginSettings
from mcp_remote_py.settings.network import Network
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import (
    ClientCredentials,
    ClientKey,
    IdentityProvider,
    Unattended,
    WorkloadJwt,
)
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.signin.refresh_process import RefreshJob, describe_job, renew_in_child
from tests.fakes import run
from tests.peers.authorization_server import AuthorizationServer, RefreshToken, SignIn
from tests.peers.launch import free_port
from tests.peers.wild_server import answer_status, cut_before_head

pytestmark = [pytest.mark.promise("A5"), pytest.mark.timeout(60)]

SESSION = "a" * 64
SETTINGS = LoginSettings(parse_server_url("http://127.0.0.1/mcp"))
"""Where the tests' token endpoints are."""


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with AuthorizationServer() as running:
        yield running


class Desk:
    """A store with a sign-in in it, and what the child said."""

    def __init__(self, folder: Path, token_endpoint: str) -> None:
        store = choose_store("file", folder, os.urandom)
        assert isinstance(store, SealedStore)
        self.store = store
        self.reports: list[str] = []
        self.credential = Credential(
            issuer="https://as.example",
            token_endpoint=token_endpoint,
            client=Client("client", "registered"),
            resource="https://mcp.example/mcp",
            access_token=Secret("canary-access-old"),
            refresh_token=Secret("canary-refresh-old"),
            obtained_at=1.0,
        )
        self.store.save(SESSION, self.credential)

    def renew(
        self, settings: LoginSettings = SETTINGS, job: RefreshJob | None = None
    ) -> Credential:
        """With a descriptor of a file in the place of the lock's."""
        lock = os.open(os.devnull, os.O_RDONLY)
        try:
            told = job or describe_job(self.store, SESSION, settings, "")
            return run(renew_in_child(told, lock, self.reports.append))
        finally:
            os.close(lock)


def desk_at(server: AuthorizationServer, folder: Path) -> Desk:
    """One whose refresh token the server knows."""
    client = server.add_client()
    desk = Desk(folder, server.endpoint_of("token"))
    desk.credential = desk.credential._replace(
        client=Client(client.client_id, "registered"), resource=server.resource
    )
    desk.store.save(SESSION, desk.credential)
    sign_in = SignIn(client.client_id, "desk", server.resource)
    server.refresh_tokens["canary-refresh-old"] = RefreshToken(sign_in)
    return desk


def test_new_token_is_stored_and_brought_back(server: AuthorizationServer, tmp_path: Path) -> None:
    desk = desk_at(server, tmp_path)
    renewed = desk.renew()
    assert renewed.access_token is not None
    assert renewed.access_token.reveal() in server.access_tokens
    assert desk.store.load(SESSION) == renewed
    assert desk.reports == []
    (asked,) = server.token_requests("refresh_token")
    assert asked["resource"] == server.resource


def test_settings_reach_the_child(server: AuthorizationServer, tmp_path: Path) -> None:
    desk = desk_at(server, tmp_path)
    server.policy.bind_resource = False
    desk.renew(SETTINGS.replace(sign_in=SignInSettings(send_resource=False)))
    (asked,) = server.token_requests("refresh_token")
    assert "resource" not in asked


@pytest.mark.promise("A3")
def test_how_to_sign_in_without_a_person_reaches_the_child(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "https://as.example.com/token")
    key = ClientKey(Secret("canary-key"), "RS256")
    provider = IdentityProvider("https://i.example/t", "c", "/run/i")
    grants = (ClientCredentials(), WorkloadJwt("/run/jwt"), provider)
    for given in (*(Unattended(grant, one) for grant in grants for one in (key, None)), None):
        settings = SignInSettings(
            unattended=given,
            static_client=Secret('{"client_id": "c", "issuer": "https://as.example.com"}'),
            trusted_issuers=("https://a.example", "https://b.example"),
            token_endpoint="https://as.example.com/token",
            send_resource=False,
        )
        job = describe_job(desk.store, SESSION, SETTINGS.replace(sign_in=settings), "")
        assert job.read_settings() == settings


def test_definite_refusal_comes_back_as_one(server: AuthorizationServer, tmp_path: Path) -> None:
    desk = desk_at(server, tmp_path)
    server.end_sign_ins()
    server.refresh_tokens.clear()
    with pytest.raises(GrantRefused, match="invalid_grant") as caught:
        desk.renew()
    assert (caught.value.error, caught.value.status) == ("invalid_grant", 400)
    assert caught.value.hint
    left = desk.store.load(SESSION)
    assert left is not None
    assert left.refresh_token is None


def test_forgotten_client_is_reported(server: AuthorizationServer, tmp_path: Path) -> None:
    desk = desk_at(server, tmp_path)
    server.clients.clear()
    with pytest.raises(GrantRefused, match="invalid_client"):
        desk.renew()
    assert desk.store.load(SESSION) is None
    assert desk.reports == ["The registration is dropped; the next sign-in registers once more."]


def test_no_verdict_keeps_everything(server: AuthorizationServer, tmp_path: Path) -> None:
    desk = desk_at(server, tmp_path)
    server.script("token", answer_status(429, headers={"Retry-After": "7"}))
    with pytest.raises(TokenError, match="429") as caught:
        desk.renew()
    assert caught.value.retry_after == 7.0
    assert not isinstance(caught.value, GrantRefused)
    server.script("token", cut_before_head)
    with pytest.raises(Interrupted, match=r"connection to the server .* broke"):
        desk.renew()
    assert desk.store.load(SESSION) == desk.credential


def test_endpoint_that_cannot_be_reached_was_never_asked(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="cannot be reached"):
        Desk(tmp_path, f"http://127.0.0.1:{free_port()}/token").renew()


@pytest.mark.promise("A3")
def test_a_file_that_is_gone_is_the_persons_to_mend(tmp_path: Path) -> None:
    how = Unattended(WorkloadJwt(str(tmp_path / "jwt")))
    settings = SETTINGS.replace(sign_in=SignInSettings(unattended=how))
    with pytest.raises(UsageError, match=r"--jwt-bearer: cannot read .*jwt: No such") as caught:
        Desk(tmp_path, "https://as.example/token").renew(settings)
    assert caught.value.hint == "Give the full path of a file you may read."


def test_answer_without_end_is_an_error(server: AuthorizationServer, tmp_path: Path) -> None:
    desk = desk_at(server, tmp_path)
    server.script("token", answer_status(200, b"x" * 300_000))
    with pytest.raises(Unusable, match="more than 262144 bytes") as caught:
        desk.renew()
    assert caught.value.hint.startswith("Metadata and answers with tokens are small")


def test_signed_out_meanwhile_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "https://as.example/token")
    desk.store.forget(SESSION)
    with pytest.raises(McpRemoteError, match="nothing to renew"):
        desk.renew()


def test_child_that_breaks_off_is_an_interruption(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "https://as.example/token")
    job = describe_job(desk.store, SESSION, SETTINGS, "")
    job.key = "x"
    with pytest.raises(Interrupted, match="process that renews the token failed") as caught:
        desk.renew(job=job)
    assert caught.value.hint == "Try again later."
    assert desk.store.load(SESSION) == desk.credential


def test_loop_goes_on_meanwhile(server: AuthorizationServer, tmp_path: Path) -> None:
    desk = desk_at(server, tmp_path)
    job = describe_job(desk.store, SESSION, SETTINGS, "")
    lock = os.open(os.devnull, os.O_RDONLY)

    async def main() -> int:
        renewal = asyncio.ensure_future(renew_in_child(job, lock, desk.reports.append))
        turns = 0
        while not renewal.done():
            await asyncio.sleep(0.01)
            turns += 1
        await renewal
        return turns

    try:
        assert run(main()) > 5
    finally:
        os.close(lock)


@pytest.mark.report("S7")
def test_child_is_led_no_further_than_we_are(server: AuthorizationServer, tmp_path: Path) -> None:
    desk = desk_at(server, tmp_path)
    public = SETTINGS.replace(server=parse_server_url("https://mcp.example.com/mcp"))

    def renew(settings: LoginSettings) -> Credential:
        return desk.renew(job=describe_job(desk.store, SESSION, settings, "198.41.0.4"))

    with pytest.raises(SignInFailed, match=r"leads to 127\.0\.0\.1, on this machine") as raised:
        renew(public)
    assert "--allow-private-network" in raised.value.hint
    assert desk.store.load(SESSION) == desk.credential
    assert server.requests == []
    assert renew(public.replace(network=Network(allow_private_network=True))) != desk.credential


@pytest.mark.report("S9", "S11")
def test_what_the_person_chose_reaches_the_child(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "https://as.example.com/token")
    sign_in = SignInSettings(token_endpoint="https://sso.example/token")
    network = Network(ipv4=True, proxies=(("HTTPS_PROXY", Secret("http://p:1")),))
    job = describe_job(
        desk.store,
        SESSION,
        SETTINGS.replace(network=network, sign_in=sign_in),
        "198.41.0.4",
    )
    assert job.network == network
    assert (job.server, job.server_address) == ("http://127.0.0.1/mcp", "198.41.0.4")
    assert job.token_endpoint == "https://sso.example/token"
