"""Proof of possession: tokens bound to a key that never leaves this machine (DPoP, RFC 9449).

Whoever steals such a token cannot use it: each request proves anew that its sender has the key.
Used where the server asks for it (SEP-1932). Must not know who sends the request, nor where the
key is kept. Signatures and keys are joserfc's, loaded for those who have such a token.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from mcp_remote_py.errors import SignInFailed
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.discovery import Discovered
from mcp_remote_py.oauth.document import quote
from mcp_remote_py.oauth.steps import Proof
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.redact import Secret

if TYPE_CHECKING:
    from joserfc.jwk import Key

_ALGORITHMS = ("ES256", "PS256", "RS256")
"""Algorithms we sign with, the preferred first; each server of note knows one of them."""

RSA_BITS = 2048


def choose_algorithm(challenge: Challenge, discovered: Discovered) -> str:
    """The algorithm of the proofs to send, "" where bearer tokens are to be used.

    A server that also takes bearer tokens gets proofs if its authorization server says that it
    knows them (§5.1).

    Raises:
        SignInFailed: proofs are demanded, but not by an algorithm of ours.
    """
    offered = challenge.dpop_algorithms
    demanded = discovered.dpop_required or challenge.dpop_only
    known = discovered.server.dpop_algorithms
    if not demanded and (offered is None or known is None):
        return ""
    lists = [words for words in (offered, discovered.dpop_algorithms, known) if words]
    for algorithm in _ALGORITHMS:
        if all(algorithm in words for words in lists):
            return algorithm
    if not demanded:
        return ""
    raise SignInFailed(
        "The server wants proofs of possession (DPoP) by "
        f"{quote('; '.join(map(' '.join, lists)))}; supported here are {', '.join(_ALGORITHMS)}.",
        hint="Tell whoever runs the server.",
    )


def make_key(algorithm: str) -> Secret:
    """A new private key for that algorithm, as a JWK that names it."""
    from joserfc.jwk import ECKey, RSAKey

    key: Key
    if algorithm == "ES256":
        key = ECKey.generate_key("P-256")
    else:
        key = RSAKey.generate_key(RSA_BITS)
    return Secret(json.dumps({**key.as_dict(private=True), "alg": algorithm}))


def thumbprint(key: Secret) -> str:
    """The thumbprint of the key, which a code or token is bound to (RFC 7638, RFC 9449 §10)."""
    return _load(key)[0].thumbprint()


def prove(
    proof: Proof,
    method: str,
    url: str,
    now: float,
    random_bytes: RandomBytes,
    token: Secret | None = None,
) -> Secret:
    """The value of the `DPoP` header for one request (§4.2), good for that one only.

    `now` is in seconds since the epoch, `token` what the request presents, if anything.
    """
    from joserfc import jwt
    from joserfc.util import urlsafe_b64encode

    key, algorithm = _load(proof.key)
    claims: dict[str, Any] = {
        "jti": urlsafe_b64encode(random_bytes(16)).decode(),
        "htm": method,
        "htu": url.partition("#")[0].partition("?")[0],
        "iat": int(now),
    }
    if token is not None:
        claims["ath"] = urlsafe_b64encode(sha256(token.reveal().encode()).digest()).decode()
    if proof.nonce:
        claims["nonce"] = proof.nonce
    header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": key.as_dict(private=False)}
    return Secret(jwt.encode(header, claims, key, algorithms=[algorithm]))


def _load(key: Secret) -> tuple[Key, str]:
    from joserfc.jwk import import_key

    members = cast("dict[str, Any]", json.loads(key.reveal()))
    algorithm = members.pop("alg")
    return import_key(members), algorithm
