"""Tokens bound to a key (DPoP), at the OpenID provider of npm and a server that demands proofs.

The provider checks each proof, and wants its nonce in it; no one here wrote it. The server's judge
is PyJWT, and changes its nonce every other second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.host import Host
from tests.real.agents import BY_KEY, call, desk, info, private_key, refusal, signed_in
from tests.real.processes import Service, wait_until
from tests.real.servers import openid_servers

# The first test of the folder may have to install it.
pytestmark = [pytest.mark.timeout(400), pytest.mark.promise("A3")]

LIFETIME = 6
"""Seconds an access token is good for: longer than a busy machine takes to use it."""


@pytest.fixture(scope="module")
def servers(
    node_packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    variables = {"PROOFS": "nonces", "NONCES": "1", "CLIENTS": json.dumps([BY_KEY])}
    with openid_servers(tmp_path_factory.mktemp("openid"), LIFETIME, variables) as both:
        yield both


def count(service: Service, words: str) -> int:
    return service.log.read_text().count(words)


def call_until(host: Host, service: Service, words: str) -> None:
    """Past the token's end, a call renews it and nobody notices."""
    before = count(service, words)
    assert wait_until(lambda: call(host) == "42" and count(service, words) > before, 15)


def test_a_person_signs_in_once_and_the_key_outlives_token_and_process(
    servers: tuple[Service, Service], tmp_path: Path
) -> None:
    issuer, server = servers
    with desk(server, tmp_path) as (start, browser):
        for _ in range(2):
            host = signed_in(start)
            # The provider holds the refresh token of a client without a secret to its key.
            call_until(host, issuer, "granted refresh_token")
            host.end()
        assert len(browser.opened) == 1
        assert "dpop_jkt=" in browser.opened[0]
    assert count(server, "proven") > 4
    assert count(server, "refused use_dpop_nonce") >= 2
    assert count(server, "refused invalid") == 0


def test_an_agent_proves_its_own_key_and_that_of_the_token(
    servers: tuple[Service, Service], tmp_path: Path
) -> None:
    """The provider takes each assertion once: with its nonce a new one is sent."""
    issuer, server = servers
    before = count(issuer, "granted client_credentials")
    with desk(server, tmp_path) as (start, browser):
        host = signed_in(start, *info("by-key", issuer=issuer), *private_key(tmp_path))
        call_until(host, issuer, "granted client_credentials")
        assert count(issuer, "granted client_credentials") > before + 1
        assert browser.opened == []


@pytest.mark.parametrize("slow_by", [600, -600])
def test_a_clock_that_is_wrong_is_said_and_no_second_tab_opens(
    slow_by: int, node_packages: Path, tmp_path: Path
) -> None:
    variables = {"PROOFS": "plain", "RESOURCE_SLOW_BY": str(slow_by)}
    folder = tmp_path / "servers"
    folder.mkdir()
    with (
        openid_servers(folder, 60, variables) as (issuer, server),
        desk(server, tmp_path) as (start, browser),
    ):
        host = start()
        for _ in range(3):
            message = refusal(host)
            assert message.startswith(
                "The server refuses the proof that the token is ours (invalid_dpop_proof)."
            )
            assert message.endswith("Check this machine's clock.")
        assert len(browser.opened) == 1
        assert count(issuer, "granted") == 1
