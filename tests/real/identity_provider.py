"""A company's identity provider: it gives ID-JAGs for its ID tokens (RFC 8693, SEP-990).

Written here, for no server of PyPI or npm does that: oidc-provider and Authlib know no token
exchange. The ID-JAG itself is Authlib's. Must not know which authorization server it is for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

import jwt
from authlib.oauth2.drafts.id_jag import IDJAGGrant  # pyright: ignore[reportMissingTypeStubs]

from tests.canaries import RUN

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


class IdentityProvider:
    """What it knows, and what was asked of it.

    Attributes:
        audiences: the authorization servers it gives grants for.
        addressed_to: whom it makes its grants out to, "" for whom they were asked for.
        skew: seconds its clock is ahead, as far as `Date` tells.
        asked: the forms it was sent, in order.
    """

    CLIENT = "desktop"
    """The client that may ask; it is without a secret."""

    CLIENT_THERE = "desk"
    """The same client at the authorization servers."""

    def __init__(self, key: ECKey) -> None:
        self.issuer = ""
        self.audiences: set[str] = set()
        self.addressed_to = ""
        self.skew = 0.0
        self.asked: list[dict[str, str]] = []
        self._key = key

    @property
    def token_endpoint(self) -> str:
        """Its address."""
        return f"{self.issuer}/token"

    def id_token(self, *, expires_in: int = 50, **claims: object) -> str:
        """An ID token of this provider for that client; `claims` are other ones, or more."""
        expires_at = int(time.time()) + expires_in
        known = {"iss": self.issuer, "aud": self.CLIENT, "sub": "ann", "exp": expires_at}
        key = self._key.as_pem(private=True)
        return jwt.encode({**known, **claims}, key.decode(), algorithm="ES256")

    def answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and document for this request."""
        self.asked.append(form)
        if form.get("client_id") != self.CLIENT:
            return 401, {"error": "invalid_client", "error_description": "Unknown client."}
        if form.get("requested_token_type") != ID_JAG:
            return 400, {"error": "invalid_request"}
        try:
            public = self._key.as_pem(private=False).decode()
            claims = jwt.decode(
                form["subject_token"],
                public,
                algorithms=["ES256"],
                issuer=self.issuer,
                audience=self.CLIENT,
            )
        except jwt.PyJWTError as error:
            return 400, {"error": "invalid_grant", "error_description": str(error)}
        audience = form["audience"]
        if audience not in self.audiences:
            words = "No application of this company."
            return 400, {"error": "invalid_target", "error_description": words}
        grant: str = cast("Any", IDJAGGrant).sign(
            self._key,
            self.issuer,
            self.addressed_to or audience,
            claims["sub"],
            self.CLIENT_THERE,
            expires_in=50,
            alg="ES256",
            claims={"resource": form["resource"], "scope": form.get("scope", "")},
        )
        RUN.register([grant, *grant.split(".")[1:]])
        return 200, {"access_token": grant, "issued_token_type": ID_JAG, "token_type": "N_A"}


@contextmanager
def identity_provider(key: ECKey) -> Generator[IdentityProvider]:
    """It listens at http://127.0.0.1:PORT until the end."""
    provider = IdentityProvider(key)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            status, document = provider.answer(form)
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(time.time() + provider.skew)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join(10)
