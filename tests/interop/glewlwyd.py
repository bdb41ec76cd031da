"""Debian's glewlwyd 2.7.5, an OAuth and OpenID provider in C, with a front before it.

Its login page is a program for browsers, which the fake browser does not run: the front, a reverse
proxy as people put before it, does at that page what a person does there. It also counts. Loopback
only; its database is a fresh one. Must not know who signs in, nor for what.
"""

from __future__ import annotations

import gzip
import http.client
import json
import shutil
import sqlite3
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc.jwk import RSAKey

from tests.peers.launch import free_port
from tests.real.processes import running
from tests.real.servers import plain_environment

SCHEMA = Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")
MODULES = Path("/usr/lib/glewlwyd")
SCOPE = "workshop"
USER = {"username": "ada", "password": "demo_password"}
ADMINISTRATOR = {"username": "admin", "password": "password"}
"""As its own schema has it."""

CONFIGURATION = """
port={port}
bind_address="127.0.0.1"
external_url="{url}"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="INFO"
cookie_secure=0
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{modules}/user"
client_module_path="{modules}/client"
user_auth_scheme_module_path="{modules}/scheme"
plugin_module_path="{modules}/plugin"
hash_algorithm="SHA512"
database = {{ type="sqlite3"; path="{database}"; }};
"""


def install() -> None:
    """Says what is missing.

    Raises:
        AssertionError: it is not installed.
    """
    assert shutil.which("glewlwyd"), "apt-get install --no-install-recommends glewlwyd"


class Glewlwyd:
    """A running provider, as its clients and its counters see it.

    Attributes:
        issuer: what it calls itself.
        requests: paths that came in at the front, in order.
    """

    def __init__(self, url: str, inner_port: int) -> None:
        self.issuer = f"{url}/api/oidc"
        self.requests: list[str] = []
        self._inner_port = inner_port

    def count(self, endpoint: str) -> int:
        """Requests of this endpoint."""
        return sum(path.endswith(f"/api/oidc/{endpoint}") for path in self.requests)

    def forward(
        self, method: str, target: str, body: bytes, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        """The provider's answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._inner_port, timeout=20)
        connection.request(method, target, body or None, headers)
        return connection.getresponse()

    def ask(self, method: str, path: str, members: object, cookie: str = "") -> str:
        """One request of its interface for administrators and people; the cookie it gives.

        Raises:
            AssertionError: it is refused.
        """
        headers = {"Content-Type": "application/json", "Cookie": cookie}
        answer = self.forward(method, path, json.dumps(members).encode(), headers)
        said = answer.read().decode(errors="replace")
        assert answer.status == 200, f"{method} {path}: {answer.status} {said}"
        return (answer.headers.get("Set-Cookie") or "").partition(";")[0]

    def sign_in(self, client_id: str, scope: str) -> str:
        """What a person does at the login page; the cookie of their session."""
        cookie = self.ask("POST", "/api/auth", USER)
        self.ask("PUT", f"/api/auth/grant/{client_id}/", {"scope": scope}, cookie)
        return cookie

    def set_up(self, resource: str, lifetime: int) -> None:
        """Its OpenID plugin, a scope that gives access to `resource`, and a person."""
        cookie = self.ask("POST", "/api/auth", ADMINISTRATOR)
        key = RSAKey.generate_key(2048, {"kid": "only", "alg": "RS256"})
        keys = {"keys": [key.as_dict(private=True)]}
        parameters = {
            "iss": self.issuer,
            "jwks-private": json.dumps(keys),
            "jwt-type": "rsa",
            "jwt-key-size": "256",
            "access-token-duration": lifetime,
            "refresh-token-duration": 3600,
            "code-duration": 60,
            "refresh-token-one-use": "always",
            "refresh-token-rolling": True,
            "allow-non-oidc": True,
            "auth-type-code-enabled": True,
            "auth-type-code-revoke-replayed": True,
            "auth-type-refresh-enabled": True,
            "allowed-scope": ["openid", SCOPE],
            "pkce-allowed": True,
            "pkce-required": True,
            "pkce-method-plain-allowed": False,
            "introspection-revocation-allowed": True,
            "introspection-revocation-allow-target-client": True,
            "register-client-allowed": True,
            "resource-allowed": True,
            "resource-scope": {SCOPE: [resource]},
            "oauth-as-iss-id": True,
            "subject-type": "public",
        }
        plugin = {"module": "oidc", "name": "oidc", "display_name": "oidc"}
        more = {"parameters": parameters, "order_rank": 0, "readonly": False}
        self.ask("POST", "/api/mod/plugin/", plugin | more, cookie)
        words = {"name": SCOPE, "display_name": SCOPE, "description": "The tools."}
        self.ask("POST", "/api/scope", words | {"password_required": True}, cookie)
        scopes = {"scope": ["openid", SCOPE, "g_profile"], "name": "Ada", "enabled": True}
        self.ask("POST", "/api/user", USER | scopes, cookie)


def _front(provider: Glewlwyd) -> type[BaseHTTPRequestHandler]:
    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            provider.requests.append(parts.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if parts.path.endswith("/login.html"):
                self._play_person({k: v[0] for k, v in parse_qs(parts.query).items()})
                return
            headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
            answer = provider.forward(self.command, self.path, body, headers)
            skipped = ("connection", "content-length", "transfer-encoding")
            more = [(k, v) for k, v in answer.getheaders() if k.lower() not in skipped]
            self._answer(answer.status, more, answer.read())

        def _play_person(self, asked: dict[str, str]) -> None:
            cookie = provider.sign_in(asked["client_id"], asked.get("scope", ""))
            back = f"{asked['callback_url']}&g_continue"
            self._answer(302, [("Location", back), ("Set-Cookie", f"{cookie}; Path=/")], b"")

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keeps the output clean."""

    return Front


@contextmanager
def glewlwyd(folder: Path, resource: str, lifetime: int) -> Generator[Glewlwyd]:
    """The provider, whose tokens of the scope are for `resource` and live that many seconds."""
    database = folder / "glewlwyd.db"
    connection = sqlite3.connect(database)
    connection.executescript(gzip.decompress(SCHEMA.read_bytes()).decode())
    connection.close()
    inner_port, port = free_port(), free_port()
    provider = Glewlwyd(f"http://localhost:{port}", inner_port)
    words = {"url": f"http://localhost:{port}", "modules": MODULES, "database": database}
    configuration = folder / "glewlwyd.conf"
    configuration.write_text(CONFIGURATION.format(port=inner_port, **words))
    with ExitStack() as stack:
        stack.enter_context(
            running(
                [str(shutil.which("glewlwyd")), "--config-file", str(configuration)],
                listens=r"started on port (\d+)",
                log=folder / "glewlwyd.log",
                environment=plain_environment(folder),
                folder=folder,
            )
        )
        provider.set_up(resource, lifetime)
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", port), _front(provider)))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join, 10)
        stack.callback(server.shutdown)
        yield provider
