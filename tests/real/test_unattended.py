"""Sign-ins without a person, at the OpenID provider of npm and the SDK's server behind it.

The provider checks secrets, keys and assertions; no one here wrote it. No browser may open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from tests.real.agents import (
    AGAIN,
    BY_KEY,
    KEY,
    SECRET,
    Start,
    address_of,
    call,
    client,
    info,
    is_said,
    private_key,
    refusal,
    signed_in,
    unattended,
)
from tests.real.processes import Service, wait_until
from tests.real.servers import openid_servers

# The first test of the folder may have to install it.
pytestmark = [pytest.mark.timeout(400), pytest.mark.promise("A3")]

LIFETIME = 6
"""Seconds an access token is good for: longer than a busy machine takes to use it."""

OTHER_KEY = ECKey.generate_key("P-256")

CLIENTS = [
    client("by-basic", "client_secret_basic", client_secret=SECRET),
    client("by-post", "client_secret_post", client_secret=SECRET),
    BY_KEY,
    {**BY_KEY, "client_id": "by-eddsa", "token_endpoint_auth_signing_alg": "EdDSA"},
]


@pytest.fixture(scope="module")
def servers(
    node_packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    folder = tmp_path_factory.mktemp("openid")
    with openid_servers(folder, LIFETIME, {"CLIENTS": json.dumps(CLIENTS)}) as both:
        yield both


@pytest.fixture
def start(servers: tuple[Service, Service], tmp_path: Path) -> Iterator[Start]:
    with unattended(servers[1], tmp_path) as begin:
        yield begin


def granted(servers: tuple[Service, Service]) -> int:
    return servers[0].log.read_text().count("granted client_credentials")


@pytest.mark.parametrize("kind", ["by-basic", "by-post", "by-key"])
def test_an_agent_signs_in_renews_in_silence_and_is_still_signed_in_at_the_next_start(
    kind: str, servers: tuple[Service, Service], start: Start, tmp_path: Path
) -> None:
    options = {
        "by-basic": info("by-basic", SECRET, servers[0]),
        "by-post": [
            *info("by-post", SECRET, token_endpoint_auth_method="client_secret_post"),
            *("--trusted-issuer", address_of(servers[0])),
        ],
        "by-key": [*info("by-key", issuer=servers[0]), *private_key(tmp_path)],
    }[kind]
    before = granted(servers)
    host = signed_in(start, *options)
    assert granted(servers) == before + 1
    # Past its end, the next request renews it, and nobody notices.
    assert wait_until(lambda: call(host) == "42" and granted(servers) > before + 1, 15)
    host.end()
    asked = granted(servers)
    host = signed_in(start, *options)
    assert granted(servers) <= asked + 1


CHECK_SECRET = "Check client_id and client_secret in --static-oauth-client-info."
CHECK_KEY = (
    "Check --private-key, whose public half the server must know for this client; --signing-alg, "
    "which is ES256; and this machine's clock."
)


def refused(address: str, hint: str) -> str:
    """The provider says no more than this, whatever the reason."""
    said = 'HTTP 401: invalid_client, "client authentication failed"'
    return f"The token endpoint {address} refused ({said}). {hint}"


@pytest.mark.parametrize(
    ("client_id", "secret"), [("by-basic", "canary-another-secret"), ("nobody", SECRET)]
)
def test_what_the_provider_refuses_is_said_once_and_clearly(
    client_id: str, secret: str, servers: tuple[Service, Service], start: Start
) -> None:
    before = servers[0].log.read_text().count("grant.error")
    host = start(*info(client_id, secret, servers[0]))
    endpoint = f"http://localhost:{servers[0].port}/token"
    ways = "The client was sent by Basic and in the body."
    assert refusal(host) == refused(endpoint, f"{ways} {CHECK_SECRET}")
    for _ in range(2):
        assert is_said(refused(endpoint, f"{ways} {AGAIN}{CHECK_SECRET}"), refusal(host))
    assert servers[0].log.read_text().count("grant.error") == before + 2


@pytest.mark.parametrize(
    ("name", "key"), [("by-key", OTHER_KEY), ("by-eddsa", KEY)], ids=["key", "algorithm"]
)
def test_a_key_or_an_algorithm_that_the_provider_does_not_know(
    name: str, key: ECKey, servers: tuple[Service, Service], start: Start, tmp_path: Path
) -> None:
    host = start(*info(name, issuer=servers[0]), *private_key(tmp_path, key))
    assert refusal(host) == refused(f"http://localhost:{servers[0].port}/token", CHECK_KEY)


def test_a_token_endpoint_that_is_given_is_taken_with_its_issuer(
    servers: tuple[Service, Service], start: Start, tmp_path: Path
) -> None:
    """This provider does not take a proof that is made out to the endpoint itself."""
    endpoint = f"http://localhost:{servers[0].port}/token"
    signed_in(start, *info("by-key"), *private_key(tmp_path), "--token-endpoint", endpoint)


def test_a_proof_for_another_audience_is_refused_and_the_option_is_named(
    servers: tuple[Service, Service], start: Start, tmp_path: Path
) -> None:
    endpoint = f"http://127.0.0.1:{servers[0].port}/token"
    host = start(*info("by-key"), *private_key(tmp_path), "--token-endpoint", endpoint)
    assert refusal(host) == refused(
        endpoint,
        f"{CHECK_KEY} And leave out --token-endpoint: the proof is made out to that address, and "
        "the server may want its issuer's.",
    )
    host.wait_logged(
        f"Its token endpoint is http://localhost:{servers[0].port}/token, not the one that was "
        "given."
    )


def test_a_key_that_does_not_fit_the_algorithm_is_told(
    servers: tuple[Service, Service], start: Start, tmp_path: Path
) -> None:
    options = [*info("by-key", issuer=servers[0]), *private_key(tmp_path)]
    host = start(*options, "--signing-alg", "RS256")
    message = refusal(host)
    assert "--private-key cannot sign with RS256" in message
    assert message.endswith("Name the algorithm of the key with --signing-alg.")


@pytest.mark.parametrize("slow_by", [600, -600], ids=["behind", "ahead"])
def test_a_provider_with_another_clock(slow_by: int, node_packages: Path, tmp_path: Path) -> None:
    """Ahead of ours, it takes the proof of a key for old; a proof of possession either way."""
    folder = tmp_path / "servers"
    folder.mkdir()
    variables = {
        "CLIENTS": json.dumps(CLIENTS),
        "PROOFS": "plain",
        "ISSUER_SLOW_BY": str(slow_by),
    }
    of_key = 'HTTP 401: invalid_client, "client authentication failed"'
    of_proof = 'HTTP 400: invalid_dpop_proof, "DPoP proof iat is not recent enough"'
    by_secret, by_key = tmp_path / "secret", tmp_path / "key"
    by_key.mkdir()
    with openid_servers(folder, 60, variables) as (issuer, server):
        for home, options, said in (
            (by_secret, info("by-basic", SECRET, issuer), of_proof),
            (
                by_key,
                [*info("by-key", issuer=issuer), *private_key(by_key)],
                of_proof if slow_by > 0 else of_key,
            ),
        ):
            with unattended(server, home) as begin:
                message = refusal(begin(*options))
            verdict = "gave no token" if said == of_proof else "refused"
            side = "behind" if slow_by > 0 else "ahead of"
            assert is_said(
                f"The token endpoint http://localhost:{issuer.port}/token {verdict} ({said}). Its "
                f"clock is NN seconds {side} this machine's. Set this machine's clock; if it is "
                "right, tell whoever runs that server.",
                message,
            ), message
