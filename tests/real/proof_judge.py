"""Takes tokens only with a proof of possession (RFC 9449), for a server that knows bearer tokens.

An ASGI application before another: judges as §4.3 wants it, with PyJWT, which the program does
not use, then hands the token on as a bearer token. Its nonce changes all the time. Each verdict
is a line on stderr.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

import jwt

Json = dict[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NONCE_SECONDS = 2
WINDOW = 60
"""Seconds a proof may be old, without a nonce that tells."""


class Refusal(Exception):
    """What is wrong, as the challenge says it."""


def claims_of(proof: str) -> tuple[Json, Json]:
    """The claims of a proof whose signature is good, and its public key."""
    header = jwt.get_unverified_header(proof)
    key = cast("Json", header.get("jwk", {}))
    if header.get("typ") != "dpop+jwt" or header["alg"] != "ES256" or "d" in key:
        raise Refusal("invalid_dpop_proof")
    try:
        options = cast("Any", {"verify_iat": False, "require": ["jti", "htm", "htu", "iat"]})
        claims = jwt.decode(proof, jwt.PyJWK(key), algorithms=["ES256"], options=options)
    except jwt.PyJWTError:
        raise Refusal("invalid_dpop_proof") from None
    return claims, key


def thumbprint(key: Json) -> str:
    """RFC 7638, of an EC key."""
    members = {name: key[name] for name in ("crv", "kty", "x", "y")}
    return digest(json.dumps(members, separators=(",", ":"), sort_keys=True))


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class ProofJudge:
    """The application; its clock is `slow_by` seconds behind, `nonces` tells whether it has any."""

    def __init__(self, application: Any, resource: str, *, nonces: bool, slow_by: float) -> None:
        self._application = application
        self._resource = resource
        self._nonces = nonces
        self._slow_by = slow_by
        self._seen: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/.well-known/"):
            await self._application(scope, receive, send)
            return
        headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
        try:
            scope["headers"] = self._judge(headers, scope["method"])
        except Refusal as refusal:
            sys.stderr.write(f"refused {refusal}\n")
            await self._refuse(str(refusal), send)
            return

        async def challenge(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, value.replace(b"Bearer ", b"DPoP "))
                    if name.lower() == b"www-authenticate"
                    else (name, value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self._application(scope, receive, challenge)

    def _judge(self, headers: list[tuple[bytes, bytes]], method: str) -> list[tuple[bytes, bytes]]:
        given = [value.decode() for name, value in headers if name == b"authorization"]
        proofs = [value.decode() for name, value in headers if name == b"dpop"]
        if not given:
            return headers
        scheme, _, token = given[0].partition(" ")
        if scheme != "DPoP" or len(proofs) != 1:
            raise Refusal("invalid_token")
        claims, key = claims_of(proofs[0])
        bound = jwt.decode(token, options={"verify_signature": False}).get("cnf", {}).get("jkt")
        if (
            claims["htm"] != method
            or claims["htu"] != self._resource
            or claims.get("ath") != digest(token)
            or bound != thumbprint(key)
            or claims["jti"] in self._seen
        ):
            raise Refusal("invalid_dpop_proof")
        self._seen.add(claims["jti"])
        now = time.time() - self._slow_by
        if self._nonces and claims.get("nonce") != self._nonce():
            raise Refusal("use_dpop_nonce")
        if abs(claims["iat"] - now) > WINDOW:
            raise Refusal("invalid_dpop_proof")
        sys.stderr.write(f"proven {claims['jti']}\n")
        rest = [pair for pair in headers if pair[0] not in (b"authorization", b"dpop")]
        return [*rest, (b"authorization", b"Bearer " + token.encode())]

    def _nonce(self) -> str:
        return f"nonce-{int(time.time() / NONCE_SECONDS)}"

    async def _refuse(self, error: str, send: Send) -> None:
        metadata = self._resource.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
        challenge = f'DPoP error="{error}", resource_metadata="{metadata}"'
        headers = [(b"www-authenticate", challenge.encode()), (b"content-length", b"0")]
        if self._nonces:
            headers.append((b"dpop-nonce", self._nonce().encode()))
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
