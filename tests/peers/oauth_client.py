"""A small OAuth client on the standard library, to check the authorization servers of the tests.

Straight on, for one sign-in at a time, and trusting: it looks for nothing but what must be there.
It shares no code with the command under test.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import http.server
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

Json = dict[str, Any]
PATIENCE = 20.0
"""Seconds for one answer, and for a person."""
INITIALIZE: Json = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "checker", "version": "1"},
    },
}


@dataclass
class Answer:
    """One HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body, also that of an event stream of one event."""
        text = self.body.decode()
        if "event-stream" in self.headers.get("content-type", ""):
            data = [line[5:] for line in text.splitlines() if line.startswith("data:")]
            text = [one for one in data if one.strip()][-1]
        parsed: Json = json.loads(text)
        return parsed


def fetch(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """One request; redirects are not followed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body or None, dict(headers or {}))
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, fields, answer.read())
    finally:
        connection.close()


def post_json(url: str, members: object, token: str = "", **headers: str) -> Answer:
    """A JSON body, as MCP and RFC 7591 want it."""
    fields = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    if token:
        fields["Authorization"] = f"Bearer {token}"
    return fetch("POST", url, json.dumps(members).encode(), fields | headers)


def post_form(url: str, fields: Mapping[str, str], **headers: str) -> Answer:
    """A form, as RFC 6749 wants it."""
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return fetch("POST", url, urlencode(fields).encode(), kind | headers)


def challenge_parameters(answer: Answer) -> dict[str, str]:
    """The parameters of its `WWW-Authenticate`."""
    return dict(re.findall(r'(\w+)="([^"]*)"', answer.headers.get("www-authenticate", "")))


class Listener:
    """A redirect URI that keeps what is sent to it."""

    def __init__(self) -> None:
        self.callbacks: list[dict[str, str]] = []
        self._came = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = dict(parse_qsl(urlsplit(self.path).query))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"done")
                with outer._came:
                    outer.callbacks.append(query)
                    outer._came.notify_all()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}/callback"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def wait(self, count: int = 1, seconds: float = PATIENCE) -> list[dict[str, str]]:
        """The callbacks, as soon as there are that many.

        Raises:
            AssertionError: there are not in time.
        """
        with self._came:
            came = self._came.wait_for(lambda: len(self.callbacks) >= count, seconds)
        assert came, f"{len(self.callbacks)} callbacks in {seconds} s"
        return self.callbacks

    def close(self) -> None:
        """Nobody listens any more."""
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()


@dataclass
class OAuthClient:
    """Signs in at one MCP server.

    `browse` opens an address, as a browser with a person before it. The rest is what it found.
    """

    url: str
    browse: Callable[[str], object]
    scope: str | None = None
    issuer: str = ""
    resource: str = ""
    metadata: Json = field(default_factory=dict[str, Any])
    client: Json = field(default_factory=dict[str, Any])
    verifier: str = ""
    callback: dict[str, str] = field(default_factory=dict[str, str])
    tokens: Json = field(default_factory=dict[str, Any])

    def discover(self, origin: str = "") -> None:
        """RFC 9728 from the challenge, then RFC 8414; with `origin`, only the latter, there."""
        refused = post_json(self.url, INITIALIZE)
        assert refused.status == 401, (refused.status, refused.body[:300])
        parameters = challenge_parameters(refused)
        self.issuer = origin
        if not origin:
            resource_metadata = fetch("GET", parameters["resource_metadata"]).json
            self.resource = resource_metadata["resource"]
            self.issuer = resource_metadata["authorization_servers"][0]
            if self.scope is None:
                supported: list[str] = resource_metadata.get("scopes_supported", [])
                self.scope = parameters.get("scope", " ".join(supported))
        parts = urlsplit(self.issuer)
        path = parts.path.rstrip("/")
        well_known = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server"
        self.metadata = fetch("GET", well_known + path).json
        assert self.metadata["issuer"] == self.issuer
        assert "S256" in self.metadata["code_challenge_methods_supported"]

    def register(self, redirect_uri: str, **more: Any) -> None:
        """RFC 7591."""
        asked = {
            "client_name": "checker",
            "redirect_uris": [redirect_uri],
            "application_type": "native",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        answer = post_json(self.metadata["registration_endpoint"], asked | more)
        assert answer.status == 201, answer.body
        self.client = answer.json

    def authorization_url(self, redirect_uri: str, **more: str) -> str:
        """A fresh one, with a fresh verifier."""
        self.verifier = uuid4().hex + uuid4().hex
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client["client_id"],
            "redirect_uri": redirect_uri,
            "state": uuid4().hex,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if self.scope:
            query["scope"] = self.scope
        if self.resource:
            query["resource"] = self.resource
        endpoint: str = self.metadata["authorization_endpoint"]
        return f"{endpoint}?{urlencode(query | more)}"

    def ask_token(self, **fields: str) -> Answer:
        """A request to the token endpoint, authenticated as the registration says."""
        form = dict(fields)
        headers: dict[str, str] = {}
        method = self.client.get("token_endpoint_auth_method", "none")
        if method == "client_secret_basic":
            pair = f"{self.client['client_id']}:{self.client['client_secret']}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            form["client_id"] = self.client["client_id"]
        if method == "client_secret_post":
            form["client_secret"] = self.client["client_secret"]
        if self.resource:
            form.setdefault("resource", self.resource)
        return post_form(self.metadata["token_endpoint"], form, **headers)

    def redeem(self, redirect_uri: str) -> Answer:
        """The code of the last callback for tokens."""
        return self.ask_token(
            grant_type="authorization_code",
            code=self.callback["code"],
            redirect_uri=redirect_uri,
            code_verifier=self.verifier,
        )

    def refresh(self, refresh_token: str = "") -> Answer:
        """The last refresh token, or another, for new tokens."""
        value = refresh_token or self.tokens["refresh_token"]
        answer = self.ask_token(grant_type="refresh_token", refresh_token=value)
        if answer.status == 200:
            self.tokens |= answer.json
        return answer

    def sign_in(self, origin: str = "", **more: str) -> Json:
        """All of it, up to the tokens; `more` goes into the authorization request."""
        listener = Listener()
        try:
            if not self.metadata:
                self.discover(origin)
            if not self.client:
                self.register(listener.uri)
            url = self.authorization_url(listener.uri, **more)
            self.browse(url)
            self.callback = listener.wait()[0]
            assert self.callback.get("state") == dict(parse_qsl(urlsplit(url).query))["state"]
            assert "code" in self.callback, self.callback
            answer = self.redeem(listener.uri)
        finally:
            listener.close()
        assert answer.status == 200, answer.body
        self.tokens = answer.json
        return self.tokens

    def initialize(self, token: str = "") -> Answer:
        """The first message of MCP, with the last access token or another."""
        return post_json(self.url, INITIALIZE, token or self.tokens["access_token"])
