"""Authlib's authorization server, which gives tokens for JWTs (RFC 7523 §2.1) and for ID-JAGs.

`python -m tests.real.jwt_bearer_server RESOURCE`, at http://localhost:PORT; its tokens are for
RESOURCE and last $TOKEN_LIFETIME seconds. $TRUSTED, a JSON object, has the public keys of issuers
by name. An ID-JAG is told by its type, and needs `CLIENT` beside it; any other JWT stands for a
client that is named like its issuer. $ISSUER_SLOW_BY is by how many seconds the clock is behind.
Each answer of the token endpoint is a line of the log, with the name (jti) of the JWT.
"""

# Authlib comes without types.
# pyright: basic

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.drafts.id_jag import IDJAGGrant
from authlib.oauth2.rfc6749 import ClientMixin, InvalidGrantError
from authlib.oauth2.rfc7523 import JWTBearerGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, request
from joserfc import jws
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT = ("desk", "canary-secret-of-the-desk")


class Client(ClientMixin):
    """Whoever may ask; who it is was told by its secret, or by the JWT."""

    def __init__(self, client_id: str, secret: str = "") -> None:
        self._client_id = client_id
        self._secret = secret

    def get_client_id(self) -> str:
        return self._client_id

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_client_secret(self, client_secret: str) -> bool:
        return self._secret != "" and client_secret == self._secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == JWTBearerGrant.GRANT_TYPE


class User:
    """Whom a JWT names."""

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def get_user_id(self) -> str:
        return self._subject


class Server(AuthorizationServer):
    """Who it is, whom it trusts, and which ID-JAGs it has seen."""

    def __init__(self, app: Flask, issuer: str, trusted: dict[str, Any]) -> None:
        super().__init__(app)
        self.issuer = issuer
        self.trusted = trusted
        self.seen: set[str] = set()

    def query_client(self, client_id: str) -> Client | None:
        return Client(*CLIENT) if client_id == CLIENT[0] else None

    def save_token(self, token: Any, request: Any) -> None:
        """Its tokens are JWTs: nobody asks for them."""


class OfWorkload(JWTBearerGrant):
    """For a JWT whose issuer is the client."""

    def resolve_issuer_client(self, issuer: str) -> Client | None:
        return Client(issuer) if issuer in self.server.trusted else None

    def resolve_client_public_key(self, client: Client) -> KeySet:
        return KeySet.import_key_set(self.server.trusted[client.get_client_id()])

    def authenticate_user(self, subject: str) -> User:
        return User(subject)

    def has_granted_permission(self, client: Client, user: User) -> bool:
        return True

    def get_audiences(self) -> list[str]:
        return [self.server.issuer]


class OfCompany(IDJAGGrant):
    """For an ID-JAG."""

    @classmethod
    def check_token_endpoint(cls, request: Any) -> bool:
        """Both grants have one name: the type of the JWT tells them apart."""
        of_type = _read(request.form["assertion"])[0].get("typ") == cls.REQUIRED_TYP
        return of_type and super().check_token_endpoint(request)

    def get_audiences(self) -> list[str]:
        return [self.server.issuer]

    def resolve_issuer_key(self, issuer: str, headers: Any) -> KeySet:
        if issuer not in self.server.trusted:
            raise InvalidGrantError(description="This issuer is not trusted.")
        return KeySet.import_key_set(self.server.trusted[issuer])

    def authenticate_user(self, subject: str) -> User:
        return User(subject)

    def check_jti(self, claims: Any, jti: str) -> bool:
        is_new = jti not in self.server.seen
        self.server.seen.add(jti)
        return is_new

    def check_id_jag_permission(self, client: Client, user: User, scopes: Any) -> bool:
        return True


class Tokens(JWTBearerTokenGenerator):
    """JWTs for one resource."""

    def __init__(self, issuer: str, resource: str, lifetime: int) -> None:
        super().__init__(issuer, expires_generator=lambda client, grant: lifetime)
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self._resource = resource

    def get_jwks(self) -> KeySet:
        return KeySet([self.key])  # of a set, a token says which

    def get_audiences(self, client: Client, user: User, scope: Any) -> str:
        return self._resource


def build(issuer: str, tokens: Tokens, trusted: dict[str, Any]) -> Flask:
    """The server with its metadata, its keys and its token endpoint."""
    app = Flask(__name__)
    server = Server(app, issuer, trusted)
    server.register_token_generator("default", tokens)
    grants: tuple[Any, ...] = (OfCompany, OfWorkload)
    for grant in grants:
        server.register_grant(grant)

    @app.get("/.well-known/oauth-authorization-server")
    def metadata() -> dict[str, Any]:
        return {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "response_types_supported": [],
            "grant_types_supported": [JWTBearerGrant.GRANT_TYPE],
        }

    @app.get("/jwks")
    def jwks() -> dict[str, Any]:
        return {"keys": [tokens.key.as_dict(private=False)]}

    @app.post("/token")
    def token() -> Any:
        response: Any = server.create_token_response()
        name = _read(request.form["assertion"])[1].get("jti")
        say(f"answered {response.status_code} {name}")
        return response

    return app


def _read(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unchecked."""
    parts = jws.extract_compact(assertion.encode())
    return parts.headers(), json.loads(parts.payload)


def say(line: str) -> None:
    """For the log."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    resource = sys.argv[1]
    slow_by, real_time = float(os.environ.get("ISSUER_SLOW_BY", "0")), time.time
    time.time = lambda: real_time() - slow_by
    server = make_server("127.0.0.1", 0, lambda *call: app(*call), threaded=True)
    issuer = f"http://localhost:{server.server_port}"
    tokens = Tokens(issuer, resource, int(os.environ["TOKEN_LIFETIME"]))
    app = build(issuer, tokens, json.loads(os.environ["TRUSTED"]))
    say(f"issuer at {issuer}")
    server.serve_forever()


if __name__ == "__main__":
    main()
