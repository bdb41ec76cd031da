"""A protected MCP server and the authorization server before it, as strict as the RFCs allow.

Left alone it is a good pair: resource metadata named in the challenge (RFC 9728), metadata
(RFC 8414), dynamic registration (RFC 7591), the authorization code grant with PKCE S256
(RFC 7636), `iss` (RFC 9207), tokens bound to their resource (RFC 8707), rotating refresh tokens
whose reuse ends the sign-in (RFC 9700 §4.14.2) and revocation (RFC 7009). `Policy` makes it
another, also in the middle of a session; `script` and `always` know the endpoints by name, see
`ENDPOINTS`. Every request is recorded, and every secret it gave or was given is in `secrets`.

It must not know the command under test, and shares no code with it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit
from uuid import uuid4

from tests.canaries import RUN
from tests.peers.wild_server import Exchange, Json, WildServer, encode

CANARY = "canary"
"""Every secret begins with it; a JWT has it inside."""

ENDPOINTS = (
    *("resource_metadata", "metadata", "register"),
    *("authorize", "consent", "token", "revoke"),
)
"""What `script`, `always`, `received` and `wait_for` call what is not MCP."""

Form = dict[str, str]
TokenAnswer = Callable[[Json], tuple[str, bytes]]
"""Content type and body of a token answer, made from its members."""


def as_json(members: Json) -> tuple[str, bytes]:
    """RFC 6749 §5.1."""
    return "application/json;charset=UTF-8", encode(members)


def as_form(members: Json) -> tuple[str, bytes]:
    """As GitHub answers who does not ask for JSON."""
    return "application/x-www-form-urlencoded", urlencode(members).encode()


def with_string_numbers(members: Json) -> tuple[str, bytes]:
    """As Entra's version 1 does."""
    return as_json({name: str(value) for name, value in members.items()})


def without(*names: str) -> TokenAnswer:
    """These members are missing."""
    return lambda members: as_json({k: v for k, v in members.items() if k not in names})


def with_members(**changes: Any) -> TokenAnswer:
    """These members are as given, whatever the truth is."""
    return lambda members: as_json(members | changes)


@dataclass
class Policy:
    """What the two servers want and give. Times are seconds."""

    # Where things are
    resource_metadata: str = "usual"
    """usual: at the well-known place of the path and named in the challenge; path: there and not
    named; root: at the well-known place of the host; challenge: elsewhere, but named; none."""
    resource: str | None = None
    """What the metadata publishes, None for the URL of the server."""
    metadata: str = "oauth"
    """oauth: RFC 8414 §3.1; openid-inserted, openid-appended, oauth-appended: the other places;
    none. Several with blanks between them."""
    issuer_path: str = ""
    issuer_host: str = ""
    """Another spelling of the host makes another origin; the same server answers there."""
    metadata_changes: dict[str, Any] = field(default_factory=dict[str, Any])
    """Members of the authorization server's metadata; None removes one."""
    resource_metadata_changes: dict[str, Any] = field(default_factory=dict[str, Any])

    # Who may come
    registration: bool = True
    unknown_client: str = "page"
    """How the authorization endpoint answers a client it does not know, never at the redirect URI.
    page: 400; json: 422, not in OAuth's words; late: only after the person has consented."""
    auth_methods: tuple[str, ...] = ("none", "client_secret_post", "client_secret_basic")
    any_loopback_port: bool = False
    """Whether a registered loopback redirect URI stands for all ports (RFC 8252 §7.3)."""

    # How a person is asked
    consent: bool = False
    """A page with a form, in place of an immediate redirect."""
    deny: bool = False
    echo_state: bool = True
    iss: str = "right"
    """right, wrong or missing; the metadata promises it in any case."""

    # What is given
    scopes_supported: tuple[str, ...] = ("desk", "offline_access")
    grantable: frozenset[str] | None = None
    """The scopes that are granted where they are asked for, None for all."""
    token_format: str = "opaque"
    """Of access tokens: opaque or jwt (RFC 9068)."""
    audience: str = ""
    """Whom access tokens are for, "" for the resource that was asked for."""
    lifetime: float | None = 3600
    """None: the token answer has no `expires_in`, and the token does not expire."""
    refresh_tokens: bool = True
    rotation: str = "strict"
    """none: it stays the same; kept: a new one, and the old one stays good; loose: a new one, the
    old one is refused; strict: presenting the old one also ends the whole sign-in."""
    token_answer: TokenAnswer = as_json
    resource_at_refresh: bool = True
    """False: `resource` is refused at refresh, as some servers do."""

    # What the MCP server takes
    bind_resource: bool = True
    challenge_scope: str = "desk"
    """`scope` of the 401 challenge, "" for none."""
    tool_scopes: dict[str, str] = field(default_factory=dict[str, str])
    """By tool, the scope it takes: without it, 403 insufficient_scope (RFC 6750 §3.1)."""
    public_methods: frozenset[str] = frozenset()
    refusal_status: int = 401
    """Of the answer to a bad token; without a token it is 401 in any case."""
    refuse_all_tokens: bool = False


@dataclass
class Client:
    """A registered client; `secret` is "" for a public one."""

    client_id: str
    secret: str
    auth_method: str
    redirect_uris: tuple[str, ...]


@dataclass
class SignIn:
    """One consent of a person, and all that was issued on its ground."""

    client_id: str
    scope: str
    resource: str
    ended: bool = False


@dataclass
class Code:
    sign_in: SignIn
    redirect_uri: str
    challenge: str
    used: bool = False


@dataclass
class AccessToken:
    sign_in: SignIn
    audience: str
    expires_at: float | None
    revoked: bool = False


@dataclass
class RefreshToken:
    sign_in: SignIn
    spent: bool = False


class OAuthError(Exception):
    """An error answer (RFC 6749 §5.2, RFC 7591 §3.2.2)."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


class AuthorizationServer(WildServer):
    """Both servers on one port. Options not named here are those of `WildServer`.

    Attributes:
        policy: may be changed at any time.
        clients: by client id; tests may add one and forget all.
        secrets: every code, verifier, token and client secret so far.
        access_tokens, refresh_tokens: by their values.
    """

    def __init__(self, policy: Policy | None = None, **options: Any) -> None:
        self.policy = policy or Policy()
        self.clients: dict[str, Client] = {}
        self.secrets: set[str] = set()
        self.codes: dict[str, Code] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self._consents: dict[str, Form] = {}
        self._issuing = threading.RLock()
        super().__init__(**options)

    # Addresses

    @property
    def resource(self) -> str:
        """The identifier its metadata publishes, and its tokens must be for."""
        return self.policy.resource or self.url

    @property
    def authority(self) -> str:
        """Origin of the authorization server."""
        host = self.policy.issuer_host
        return f"http://{host}:{self.port}" if host else self.origin

    @property
    def issuer(self) -> str:
        """RFC 8414 §2."""
        return self.authority + self.policy.issuer_path

    @property
    def published_issuer(self) -> str:
        """What the metadata names; an honest server is who it says it is."""
        return self.issuer

    @property
    def prefix(self) -> str:
        """Path before the endpoints; where no metadata tells, they are where 2025-03-26 says."""
        return "" if self.policy.metadata == "none" else "/as"

    @property
    def resource_metadata_path(self) -> str:
        """Where the resource metadata is, "" for nowhere."""
        well_known = "/.well-known/oauth-protected-resource"
        places = {"root": well_known, "challenge": "/about/this-server.json", "none": ""}
        return places.get(self.policy.resource_metadata, well_known + self.path)

    @property
    def metadata_paths(self) -> tuple[str, ...]:
        """Where the authorization server's metadata are."""
        path = self.policy.issuer_path.removesuffix("/")
        places = {
            "oauth": f"/.well-known/oauth-authorization-server{path}",
            "openid-inserted": f"/.well-known/openid-configuration{path}",
            "openid-appended": f"{path}/.well-known/openid-configuration",
            "oauth-appended": f"{path}/.well-known/oauth-authorization-server",
        }
        return tuple(places[one] for one in self.policy.metadata.split() if one != "none")

    def path_of(self, name: str) -> str:
        """The path of an endpoint."""
        return f"{self.prefix}/{name}"

    def endpoint_of(self, name: str) -> str:
        """The address of an endpoint."""
        return self.authority + self.path_of(name)

    def key_of(self, exchange: Exchange) -> str:
        path = urlsplit(exchange.path).path
        if path == self.resource_metadata_path:
            return "resource_metadata"
        if path in self.metadata_paths:
            return "metadata"
        return next((one for one in ENDPOINTS if path == self.path_of(one)), exchange.method)

    # What tests ask and do

    @property
    def authorizations(self) -> list[Form]:
        """The parameters of every authorization request, in order."""
        return [query_of(one) for one in self.received("authorize")]

    def token_requests(self, grant_type: str = "") -> list[Form]:
        """The parameters of every token request, or of those of one grant type, in order."""
        forms = [form_of(one) for one in self.received("token")]
        return [form for form in forms if grant_type in ("", form.get("grant_type"))]

    @property
    def registrations(self) -> list[Json]:
        """What every registration request asked for."""
        return [json.loads(one.body) for one in self.received("register")]

    @property
    def discoveries(self) -> list[str]:
        """Paths of every request below a well-known place or for metadata, in order."""
        names = ("resource_metadata", "metadata")
        with self._change:
            return [
                one.path
                for one in self.requests
                if self.key_of(one) in names or "/.well-known/" in one.path
            ]

    def revoke_access_tokens(self) -> None:
        """All access tokens so far are refused from now on; refresh tokens stay."""
        with self._issuing:
            for token in self.access_tokens.values():
                token.revoked = True

    def end_sign_ins(self) -> None:
        """Nothing issued so far is good for anything any more."""
        with self._issuing:
            for token in self.access_tokens.values():
                token.sign_in.ended = True

    def add_client(self, *redirect_uris: str, auth_method: str = "none") -> Client:
        """Registers a client by hand."""
        secret = "" if auth_method == "none" else self.make_secret("client-secret")
        client = Client(f"client-{uuid4().hex}", secret, auth_method, redirect_uris)
        self.clients[client.client_id] = client
        return client

    def make_secret(self, kind: str) -> str:
        """A secret nobody has seen before."""
        secret = f"{CANARY}-{kind}-{uuid4().hex}"
        self._remember(secret)
        return secret

    def _remember(self, *secrets: str) -> None:
        self.secrets.update(secrets)
        RUN.register(secrets)

    # Good behaviour

    def behave(self, exchange: Exchange) -> None:
        path = urlsplit(exchange.path).path
        handlers: Mapping[str, Callable[[Exchange], None]] = {
            "resource_metadata": self._describe_resource,
            "metadata": self._describe_issuer,
            "register": self._register,
            "authorize": self._authorize,
            "consent": self._decide,
            "token": self._give_tokens,
            "revoke": self._revoke,
        }
        handler = handlers.get(self.key_of(exchange))
        if handler is not None:
            handler(exchange)
        elif path not in (self.path, urlsplit(self.endpoint).path):
            exchange.reply(404, b"Not Found", content_type="text/plain")
        elif self._admit(exchange):
            super().behave(exchange)

    # The MCP server

    def _admit(self, exchange: Exchange) -> bool:
        """Whether the request may pass; answers it where not."""
        if exchange.method in self.policy.public_methods:
            return True
        scheme, _, value = exchange.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            self._challenge(exchange, 401, scope=self.policy.challenge_scope)
            return False
        token = self.access_tokens.get(value)
        problem = "" if token is not None else "unknown token"
        if token is not None:
            problem = self._problem_of(token)
        if problem:
            self._challenge(
                exchange,
                self.policy.refusal_status,
                error="invalid_token",
                error_description=problem,
                scope=self.policy.challenge_scope,
            )
            return False
        assert token is not None
        wanted = self.policy.tool_scopes.get(str(exchange.params.get("name")), "")
        if set(wanted.split()) - set(token.sign_in.scope.split()):
            self._challenge(
                exchange,
                403,
                error="insufficient_scope",
                scope=wanted,
                error_description="more rights are needed",
            )
            return False
        return True

    def _problem_of(self, token: AccessToken) -> str:
        if self.policy.refuse_all_tokens:
            return "no token is good enough"
        if token.revoked or token.sign_in.ended:
            return "the token was revoked"
        if token.expires_at is not None and time.monotonic() > token.expires_at:
            return "the token has expired"
        if self.policy.bind_resource and token.audience != self.resource:
            return "the token is for another resource"
        return ""

    def _challenge(self, exchange: Exchange, status: int, **parameters: str) -> None:
        if self.policy.resource_metadata in ("usual", "challenge"):
            parameters["resource_metadata"] = self.origin + self.resource_metadata_path
        words = ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value)
        exchange.reply(
            status,
            b'{"error":"unauthorized"}',
            headers={"WWW-Authenticate": f"Bearer {words}".rstrip()},
        )

    # Metadata

    def _describe_resource(self, exchange: Exchange) -> None:
        members: Json = {
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(self.policy.scopes_supported),
            "bearer_methods_supported": ["header"],
            "resource_name": "Canary Desk",
        }
        exchange.reply(200, encode(changed(members, self.policy.resource_metadata_changes)))

    def _describe_issuer(self, exchange: Exchange) -> None:
        members: Json = {
            "issuer": self.published_issuer,
            "authorization_endpoint": self.endpoint_of("authorize"),
            "token_endpoint": self.endpoint_of("token"),
            "revocation_endpoint": self.endpoint_of("revoke"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": list(self.policy.auth_methods),
            "scopes_supported": list(self.policy.scopes_supported),
            "authorization_response_iss_parameter_supported": True,
        }
        if self.policy.registration:
            members["registration_endpoint"] = self.endpoint_of("register")
        exchange.reply(200, encode(changed(members, self.policy.metadata_changes)))

    # Registration

    def _register(self, exchange: Exchange) -> None:
        try:
            exchange.reply(201, encode(self._register_client(json.loads(exchange.body))))
        except OAuthError as error:
            self.refuse(exchange, error)

    def _register_client(self, asked: Json) -> Json:
        if not self.policy.registration:
            raise OAuthError("access_denied", "registration is closed", status=403)
        uris: list[str] = asked.get("redirect_uris", [])
        if not uris or any(urlsplit(uri).scheme != "http" for uri in uris):
            raise OAuthError("invalid_redirect_uri", "one loopback redirect URI is needed")
        method: str = asked.get("token_endpoint_auth_method", "client_secret_basic")
        if method not in self.policy.auth_methods:
            raise OAuthError("invalid_client_metadata", f"{method} is not offered")
        client = self.add_client(*uris, auth_method=method)
        answer = {**asked, "client_id": client.client_id, "token_endpoint_auth_method": method}
        if client.secret:
            answer |= {"client_secret": client.secret, "client_secret_expires_at": 0}
        return answer

    # Authorization

    def _authorize(self, exchange: Exchange) -> None:
        self.authorize(exchange, query_of(exchange))

    def authorize(self, exchange: Exchange, query: Form) -> None:
        """Answers an authorization request of these parameters."""
        client = self.clients.get(query.get("client_id", ""))
        if client is None and self.policy.unknown_client == "late":
            self._ask(exchange, query)
        elif client is None:
            self._turn_away(exchange)
        elif not self._is_registered(query.get("redirect_uri", ""), client):
            exchange.reply(400, b"<h1>Unknown redirect URI</h1>", content_type="text/html")
        elif query.get("response_type") != "code":
            self._redirect(exchange, query, {"error": "unsupported_response_type"})
        elif not query.get("code_challenge") or query.get("code_challenge_method") != "S256":
            description = "PKCE with S256 is needed"
            answer = {"error": "invalid_request", "error_description": description}
            self._redirect(exchange, query, answer)
        elif self.policy.consent:
            self._ask(exchange, query)
        else:
            self._answer_person(exchange, query, denied=self.policy.deny)

    def _turn_away(self, exchange: Exchange) -> None:
        if self.policy.unknown_client == "json":
            exchange.reply(422, b'{"code":"validation_failed","msg":"unknown client"}')
        else:
            exchange.reply(400, b"<h1>Unknown client</h1>", content_type="text/html")

    def _is_registered(self, uri: str, client: Client) -> bool:
        if uri in client.redirect_uris:
            return True
        without_port = urlsplit(uri)._replace(netloc=urlsplit(uri).hostname or "")
        return self.policy.any_loopback_port and any(
            urlsplit(known)._replace(netloc=urlsplit(known).hostname or "") == without_port
            for known in client.redirect_uris
        )

    def _ask(self, exchange: Exchange, query: Form) -> None:
        handle = uuid4().hex
        self._consents[handle] = query
        page = (
            "<!DOCTYPE html><title>Sign in</title><h1>Let it in?</h1>"
            f'<form method="post" action="{html.escape(self.endpoint_of("consent"))}">'
            f'<input type="hidden" name="handle" value="{handle}">'
            '<input type="text" name="user">'
            '<button name="decision" value="approve">Allow</button>'
            '<button name="decision" value="deny">Deny</button></form>'
        )
        cookie = f"__Host-consent={handle}; Path=/; Secure; HttpOnly; SameSite=Lax"
        exchange.reply(200, page.encode(), content_type="text/html", headers={"Set-Cookie": cookie})

    def _decide(self, exchange: Exchange) -> None:
        form = form_of(exchange)
        handle = form.get("handle", "")
        if f"__Host-consent={handle}" not in exchange.headers.get("cookie", ""):
            exchange.reply(400, b"<h1>Not the browser that was asked</h1>")
            return
        query = self._consents.pop(handle, None)
        if query is None:
            exchange.reply(400, b"<h1>Nothing to decide</h1>", content_type="text/html")
            return
        if query.get("client_id") not in self.clients:
            self._turn_away(exchange)
            return
        self._answer_person(exchange, query, denied=form.get("decision") != "approve")

    def _answer_person(self, exchange: Exchange, query: Form, *, denied: bool) -> None:
        if denied:
            answer = {"error": "access_denied", "error_description": "The person said no."}
        else:
            scopes = query.get("scope", "").split()
            grantable = self.policy.grantable
            scope = " ".join(one for one in scopes if grantable is None or one in grantable)
            sign_in = SignIn(query["client_id"], scope, query.get("resource", ""))
            code = self.make_secret("code")
            with self._issuing:
                self.codes[code] = Code(sign_in, query["redirect_uri"], query["code_challenge"])
            answer = {"code": code}
        self._redirect(exchange, query, answer)

    def _redirect(self, exchange: Exchange, query: Form, answer: Form) -> None:
        if self.policy.echo_state and "state" in query:
            answer["state"] = query["state"]
        if self.policy.iss != "missing":
            wrong = "https://attacker.example"
            answer["iss"] = self.issuer if self.policy.iss == "right" else wrong
        uri = query["redirect_uri"]
        joint = "&" if urlsplit(uri).query else "?"
        exchange.reply(302, headers={"Location": f"{uri}{joint}{urlencode(answer)}"})

    # Tokens

    def _give_tokens(self, exchange: Exchange) -> None:
        self.decide_tokens(exchange)()

    def decide_tokens(self, exchange: Exchange) -> Callable[[], None]:
        """Does all that a token request asks for, and returns what sends the answer.

        Between the two a script can let the answer wait, or be lost.
        """
        form = form_of(exchange)
        self._remember(
            *(form[name] for name in ("code_verifier", "client_secret") if form.get(name))
        )
        try:
            with self._issuing:
                client = self._authenticate(exchange, form)
                members = self._exchange_grant(client, form)
        except OAuthError as error:
            return functools.partial(self.refuse, exchange, error)
        content_type, body = self.policy.token_answer(members)
        headers = {"Cache-Control": "no-store"}
        return lambda: exchange.reply(200, body, content_type=content_type, headers=headers)

    def _authenticate(self, exchange: Exchange, form: Form) -> Client:
        """RFC 6749 §2.3: by the one method the client was registered with."""
        scheme, _, value = exchange.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = base64.b64decode(value).decode().partition(":")
            given = ("client_secret_basic", unquote_plus(name), unquote_plus(secret))
        elif "client_secret" in form:
            given = ("client_secret_post", form.get("client_id", ""), form["client_secret"])
        else:
            given = ("none", form.get("client_id", ""), "")
        method, client_id, secret = given
        client = self.clients.get(client_id)
        if client is None or client.auth_method != method or client.secret != secret:
            raise OAuthError("invalid_client", f"unknown client, or not by {method}", status=401)
        return client

    def _exchange_grant(self, client: Client, form: Form) -> Json:
        if form.get("grant_type") == "authorization_code":
            sign_in = self._redeem_code(client, form)
            return self._issue(sign_in, self._new_refresh_token(sign_in))
        if form.get("grant_type") == "refresh_token":
            return self._refresh(client, form)
        raise OAuthError("unsupported_grant_type")

    def _redeem_code(self, client: Client, form: Form) -> SignIn:
        code = self.codes.get(form.get("code", ""))
        if code is None or code.sign_in.client_id != client.client_id:
            raise OAuthError("invalid_grant", "unknown code")
        if code.used:
            code.sign_in.ended = True  # RFC 6749 §4.1.2
            raise OAuthError("invalid_grant", "the code was used before")
        code.used = True
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("invalid_grant", "another redirect URI")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
            raise OAuthError("invalid_grant", "the code verifier does not match")
        if form.get("resource", "") != code.sign_in.resource:
            raise OAuthError("invalid_target", "another resource than was authorized")
        return code.sign_in

    def _refresh(self, client: Client, form: Form) -> Json:
        value = form.get("refresh_token", "")
        token = self.refresh_tokens.get(value)
        if token is None or token.sign_in.client_id != client.client_id or token.sign_in.ended:
            raise OAuthError("invalid_grant", "unknown refresh token")
        if token.spent:
            token.sign_in.ended = self.policy.rotation == "strict"
            raise OAuthError("invalid_grant", "the refresh token was used before")
        if "resource" in form:
            if not self.policy.resource_at_refresh:
                raise OAuthError("invalid_target", "resource is not taken here")
            if form["resource"] != token.sign_in.resource:
                raise OAuthError("invalid_target", "another resource than was authorized")
        elif self.policy.bind_resource and self.policy.resource_at_refresh:
            raise OAuthError("invalid_target", "which resource?")
        if self.policy.rotation == "none":
            return self._issue(token.sign_in, None)
        token.spent = self.policy.rotation != "kept"
        return self._issue(token.sign_in, self._new_refresh_token(token.sign_in))

    def _new_refresh_token(self, sign_in: SignIn) -> str | None:
        if not self.policy.refresh_tokens:
            return None
        value = self.make_secret("refresh")
        self.refresh_tokens[value] = RefreshToken(sign_in)
        return value

    def _issue(self, sign_in: SignIn, refresh_token: str | None) -> Json:
        lifetime = self.policy.lifetime
        expires_at = None if lifetime is None else time.monotonic() + lifetime
        audience = self.audience_of(sign_in)
        value = self.make_secret("access")
        if self.policy.token_format == "jwt":
            value = self._make_jwt(value, sign_in, audience)
        self.access_tokens[value] = AccessToken(sign_in, audience, expires_at)
        members: Json = {"access_token": value, "token_type": "Bearer"}
        if lifetime is not None:
            members["expires_in"] = int(lifetime)
        if sign_in.scope:
            members["scope"] = sign_in.scope
        if refresh_token is not None:
            members["refresh_token"] = refresh_token
        return members

    def audience_of(self, sign_in: SignIn) -> str:
        """Whom an access token of this sign-in is for."""
        return self.policy.audience or sign_in.resource

    def claims_of(self, sign_in: SignIn, audience: str, token_id: str) -> Json:
        """What a JWT says (RFC 9068 §2.2)."""
        return {
            "iss": self.issuer,
            "aud": audience,
            "scope": sign_in.scope,
            "client_id": sign_in.client_id,
            "exp": int(time.time() + (self.policy.lifetime or 3600)),
            "jti": token_id,
        }

    def _make_jwt(self, token_id: str, sign_in: SignIn, audience: str) -> str:
        claims = self.claims_of(sign_in, audience, token_id)
        parts = [encode({"alg": "HS256", "typ": "at+jwt"}), encode(claims), token_id.encode()]
        value = ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts)
        self._remember(value)
        return value

    def refuse(self, exchange: Exchange, error: OAuthError) -> None:
        """RFC 6749 §5.2."""
        body = {"error": error.error, "error_description": error.description}
        headers = {"WWW-Authenticate": "Basic"} if error.status == 401 else None
        exchange.reply(error.status, encode(body), headers=headers)

    def _revoke(self, exchange: Exchange) -> None:
        form = form_of(exchange)
        try:
            client = self._authenticate(exchange, form)
        except OAuthError as error:
            self.refuse(exchange, error)
            return
        value = form.get("token", "")
        token = self.refresh_tokens.get(value) or self.access_tokens.get(value)
        if token is not None and token.sign_in.client_id == client.client_id:
            token.sign_in.ended = True
        exchange.reply(200)  # also where it is unknown: RFC 7009 §2.2


def lose_answer(exchange: Exchange) -> None:
    """What the token request asks for is done, and the connection ends before the answer."""
    assert isinstance(exchange.server, AuthorizationServer)
    exchange.server.decide_tokens(exchange)
    exchange.cut()


def changed(members: Json, changes: Mapping[str, Any]) -> Json:
    """`members` with these changes; None removes a member."""
    return {name: value for name, value in (members | dict(changes)).items() if value is not None}


def query_of(exchange: Exchange) -> Form:
    """The query, decoded."""
    return dict(parse_qsl(urlsplit(exchange.path).query, keep_blank_values=True))


def form_of(exchange: Exchange) -> Form:
    """The body as a form, decoded."""
    return dict(parse_qsl(exchange.body.decode(), keep_blank_values=True))
