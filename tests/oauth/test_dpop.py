"""Proofs of possession (RFC 9449): when they are sent, what they say, and who can check them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import jwt
import pytest

from mcp_remote_py.errors import SignInFailed
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.discovery import Discovered
from mcp_remote_py.oauth.dpop import choose_algorithm, make_key, prove, thumbprint
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.oauth.steps import Proof
from mcp_remote_py.redact import Secret

pytestmark = pytest.mark.promise("A3")

NOW = 1_800_000_000.75
URL = "https://mcp.example.com/mcp"
ALGORITHMS = ["ES256", "PS256", "RS256"]
BEARER = Challenge()
EITHER = Challenge(dpop_algorithms=())
ONLY = Challenge(dpop_algorithms=(), dpop_only=True)


def discovered(
    known: tuple[str, ...] | None, *, required: bool = False, here: tuple[str, ...] | None = None
) -> Discovered:
    """An authorization server that names `known`, and a server that names `here`."""
    server = ServerMetadata("https://as.example.com", "", "", dpop_algorithms=known)
    return Discovered(URL, None, server, required, here)


@pytest.mark.parametrize(
    ("challenge", "found", "algorithm"),
    [
        (BEARER, discovered(None), ""),
        (BEARER, discovered(("ES256",)), ""),
        (BEARER, discovered(None, required=True), "ES256"),
        (BEARER, discovered(("RS256",), required=True), "RS256"),
        (ONLY, discovered(None), "ES256"),
        (ONLY, discovered(()), "ES256"),
        (ONLY, discovered(("EdDSA", "RS256", "PS256")), "PS256"),
        (ONLY, discovered(("ES256", "PS256"), here=("PS256",)), "PS256"),
        (EITHER, discovered(None), ""),
        (EITHER, discovered(("ES256",)), "ES256"),
        (EITHER, discovered(("EdDSA",)), ""),
        (EITHER, discovered(None, required=True), "ES256"),
        (Challenge(dpop_algorithms=("RS256",), dpop_only=True), discovered(None), "RS256"),
        (Challenge(dpop_algorithms=("RS256",)), discovered(("ES256",)), ""),
    ],
)
def test_proofs_are_sent_where_the_server_asks_for_them(
    challenge: Challenge, found: Discovered, algorithm: str
) -> None:
    assert choose_algorithm(challenge, found) == algorithm


def test_a_server_that_wants_what_we_cannot_is_told_before_anybody_signs_in() -> None:
    with pytest.raises(SignInFailed) as caught:
        choose_algorithm(ONLY, discovered(("EdDSA", "ES512"), here=("ES512",)))
    assert caught.value.cause == (
        'The server wants proofs of possession (DPoP) by "ES512; EdDSA ES512"; '
        "supported here are ES256, PS256, RS256."
    )
    assert caught.value.hint == "Tell whoever runs the server."


def check(proof: Secret) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, by a library that is not ours."""
    header = jwt.get_unverified_header(proof.reveal())
    claims: dict[str, Any] = jwt.decode(
        proof.reveal(),
        jwt.PyJWK(header["jwk"], header["alg"]),
        algorithms=ALGORITHMS,
        options={"verify_iat": False},
    )
    return header, claims


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_proof_says_which_request_and_is_signed_by_the_key_it_names(algorithm: str) -> None:
    key = make_key(algorithm)
    proof = prove(Proof(key), "POST", f"{URL}?session=1#end", NOW, lambda count: b"\x07" * count)
    header, claims = check(proof)
    assert header["typ"] == "dpop+jwt"
    assert header["alg"] == algorithm
    private = json.loads(key.reveal())
    assert header["jwk"].items() <= private.items()
    assert header["jwk"].keys() <= {"kty", "crv", "x", "y", "n", "e"}
    assert claims == {
        "jti": "BwcHBwcHBwcHBwcHBwcHBw",
        "htm": "POST",
        "htu": URL,
        "iat": 1_800_000_000,
    }


def test_a_proof_for_a_token_names_it_and_the_nonce() -> None:
    proof = prove(
        Proof(make_key("ES256"), "canary-nonce"), "GET", URL, NOW, bytes, Secret("canary-token")
    )
    claims = check(proof)[1]
    assert claims["nonce"] == "canary-nonce"
    digest = sha256(b"canary-token").digest()
    assert claims["ath"] == urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """The key of RFC 9449 §6.1, whose thumbprint stands there."""
    members = {
        "kty": "EC",
        "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "alg": "ES256",
    }
    found = thumbprint(Secret(json.dumps(members)))
    assert found == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_no_two_keys_are_one() -> None:
    assert make_key("ES256") != make_key("ES256")


def test_coordinates_of_a_key_have_their_full_length() -> None:
    """RFC 7518 §6.2.1.2; one of 128 keys begins with a zero, which joserfc 1.6.3 left out."""
    keys = [json.loads(make_key("ES256").reveal()) for _ in range(600)]
    assert {len(key[name]) for key in keys for name in ("x", "y", "d")} == {43}
