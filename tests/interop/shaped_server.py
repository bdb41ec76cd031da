"""The scriptable pair of servers in the shape of a product, as far as an MCP client can see it.

A `Shape` is a row of data and small functions; what a product does as the RFCs want it is the
scriptable server's own and is not written again here. Every oddity is a `Quirk` with its source.
Must not know the command under test, nor which products there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.peers.authorization_server import (
    AuthorizationServer,
    Client,
    Form,
    OAuthError,
    Policy,
    SignIn,
)
from tests.peers.launch import free_port
from tests.peers.wild_server import TOOLS, Exchange, Json, encode

ASK = "ask"
"""The tool during whose call the server asks the person for a name."""


@dataclass(frozen=True)
class Quirk:
    """What a product does that the RFCs or MCP do not ask for, and who says that it does."""

    what: str
    source: str


def as_it_is(form: Form) -> Form:
    """All parameters count."""
    return form


def without_resource(form: Form) -> Form:
    """RFC 8707 is not known: its parameter is passed over, as RFC 6749 §3.1 wants unknown ones."""
    return {name: value for name, value in form.items() if name != "resource"}


def take_all(server: ShapedServer, form: Form) -> None:
    """Nothing is refused."""


def take_client(server: ShapedServer, asked: Json) -> None:
    """Everybody may register."""


def in_plain_words(error: OAuthError) -> tuple[int, Json]:
    """RFC 6749 §5.2."""
    return error.status, {"error": error.error, "error_description": error.description}


def for_resource(server: ShapedServer, sign_in: SignIn, asked: Form) -> str:
    """RFC 8707 §2."""
    return sign_in.resource


def as_claimed(server: ShapedServer, claims: Json) -> Json:
    """RFC 9068 §2.2."""
    return claims


@dataclass(frozen=True)
class Shape:
    """A product.

    Attributes:
        policy: the scriptable server's, anew for each server.
        paths: of endpoints, by the scriptable server's names for them.
        issuer: what the metadata names, by the server; "" for its true issuer.
        resource: what the resource metadata publishes; "" for the URL.
        read: the parameters of authorization and token requests that the product looks at.
        check_authorization, check_token, check_registration: raise `OAuthError` for what it
            refuses; the first is answered at the redirect URI.
        word: status and members of a refusal of the token or registration endpoint.
        audience: whom a token is for, by the sign-in and the token request.
        claims: what a JWT of it says.
        needs_offline_scope: whether a refresh token must be asked for by `offline_access`.
        challenge: further parameters of each challenge.
        newest_version: of MCP; a newer one in `initialize` is answered by HTTP 400; "" takes all.
        client: how the client authenticates that a person registered by hand; "" for none.
        callback_path: of that client's redirect URI.
        legacy: whether MCP is spoken over HTTP+SSE.
        options: what a person has to write after the URL, by the running server.
        own_options: what of it is an option of ours alone.
        renews: whether there is a way to a new token without a person.
        expires: whether tokens end by themselves.
    """

    key: str
    name: str
    quirks: tuple[Quirk, ...]
    policy: Callable[[], Policy]
    paths: Mapping[str, str] = field(default_factory=dict[str, str])
    path: str = "/mcp"
    endpoint: str = ""
    issuer: Callable[[ShapedServer], str] = lambda server: server.issuer
    resource: Callable[[ShapedServer], str] = lambda server: server.url
    read: Callable[[Form], Form] = as_it_is
    check_authorization: Callable[[ShapedServer, Form], None] = take_all
    check_token: Callable[[ShapedServer, Form], None] = take_all
    check_registration: Callable[[ShapedServer, Json], None] = take_client
    word: Callable[[OAuthError], tuple[int, Json]] = in_plain_words
    audience: Callable[[ShapedServer, SignIn, Form], str] = for_resource
    claims: Callable[[ShapedServer, Json], Json] = as_claimed
    needs_offline_scope: bool = False
    challenge: Mapping[str, str] = field(default_factory=dict[str, str])
    newest_version: str = ""
    client: str = ""
    callback_path: str = "/oauth/callback"
    legacy: bool = False
    options: Callable[[ShapedServer], list[str]] = lambda _: []
    own_options: Callable[[ShapedServer], list[str]] = lambda _: []
    renews: bool = True
    expires: bool = True


class ShapedServer(AuthorizationServer):
    """A running server of that shape; `changes` are changes of its policy.

    Attributes:
        redirect_port: of the client that was registered by hand.
        client: that client, None without one.
    """

    def __init__(self, shape: Shape, **changes: Any) -> None:
        policy = shape.policy()
        for name, value in changes.items():
            assert hasattr(policy, name), name
            setattr(policy, name, value)
        self.shape = shape
        self.client: Client | None = None
        self.redirect_port = free_port()
        self._asked: Form = {}
        super().__init__(policy, path=shape.path, legacy=shape.legacy, sse=True)
        self.endpoint = shape.endpoint or self.endpoint
        self.name = shape.key
        self.tools = [*TOOLS, {"name": ASK, "inputSchema": {"type": "object"}}]
        if shape.client:
            uri = f"http://localhost:{self.redirect_port}{shape.callback_path}"
            self.client = self.add_client(uri, auth_method=shape.client)

    # Addresses

    @property
    def published_issuer(self) -> str:
        return self.shape.issuer(self)

    @property
    def resource(self) -> str:
        return self.shape.resource(self)

    def path_of(self, name: str) -> str:
        return self.shape.paths.get(name) or super().path_of(name)

    # MCP

    def behave(self, exchange: Exchange) -> None:
        if exchange.method == "tools/call" and self.key_of(exchange) == "tools/call":
            if self._admit(exchange):
                (self._call if self._is_in_session(exchange) else self.on_lost_session)(exchange)
        elif self._is_too_new(exchange):
            words = f"Unsupported protocol version: {exchange.params['protocolVersion']}"
            exchange.error(-32600, words, status=400)
        else:
            super().behave(exchange)

    def _is_in_session(self, exchange: Exchange) -> bool:
        """Whether this life of the server has begun the session that a path or header names."""
        session = exchange.path.partition("session=")[2]
        if not self.legacy:
            session = exchange.headers.get("mcp-session-id", "")
        return session in self.known_sessions or not (self.legacy or self.sessions)

    def _is_too_new(self, exchange: Exchange) -> bool:
        """Whether it would be admitted, and is of a version that is not spoken here."""
        newest = self.shape.newest_version
        version = str(exchange.params.get("protocolVersion", ""))
        is_first = exchange.method == "initialize"
        has_token = "authorization" in exchange.headers
        return bool(newest) and is_first and has_token and version > newest

    def _call(self, exchange: Exchange) -> None:
        text = str(exchange.params.get("arguments", {}).get("text", ""))
        if exchange.params.get("name") == ASK:
            self._ask_host(exchange)
        else:
            content = [{"type": "text", "text": text}]
            exchange.result({"content": content, "params": exchange.params})

    def _ask_host(self, exchange: Exchange) -> None:
        key = f"ask-{uuid4().hex}"
        schema = {"type": "object", "properties": {"name": {"type": "string"}}}
        params = {"message": "What is your name?", "requestedSchema": schema}
        question = {"jsonrpc": "2.0", "id": key, "method": "elicitation/create", "params": params}
        if self.legacy:
            exchange.reply(202)
            self.push(encode(question), path=exchange.path)
            # The answer may come on this very connection, which must be read meanwhile.
            self._start(self._tell_answer, exchange, key)
        else:
            exchange.stream()
            exchange.event(encode(question))
            self._tell_answer(exchange, key)

    def _tell_answer(self, exchange: Exchange, key: str) -> None:
        self.wait_until(lambda: self._answer_to(key) is not None, "an answer of the host")
        answer = self._answer_to(key)
        text = f"{answer['action']} {answer.get('content', {}).get('name', '')}"
        result = {"content": [{"type": "text", "text": text}]}
        line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": result})
        if self.legacy:
            self.push(line, path=exchange.path)
        else:
            exchange.event(line)
            exchange.finish()

    def _answer_to(self, key: str) -> Any:
        answers = [one.message for one in self.received("response")]
        return next((one.get("result") for one in answers if one.get("id") == key), None)

    def _challenge(self, exchange: Exchange, status: int, **parameters: str) -> None:
        super()._challenge(exchange, status, **{**self.shape.challenge, **parameters})

    # Sign-in

    def _register_client(self, asked: Json) -> Json:
        if self.policy.registration:
            self.shape.check_registration(self, asked)
        return super()._register_client(asked)

    def authorize(self, exchange: Exchange, query: Form) -> None:
        client = self.clients.get(query.get("client_id", ""))
        if client is not None and self._is_registered(query.get("redirect_uri", ""), client):
            try:
                self.shape.check_authorization(self, query)
            except OAuthError as error:
                said = {"error": error.error, "error_description": error.description}
                self._redirect(exchange, query, said)
                return
        super().authorize(exchange, self.shape.read(query))

    def _exchange_grant(self, client: Client, form: Form) -> Json:
        self.shape.check_token(self, form)
        self._asked = form
        return super()._exchange_grant(client, self.shape.read(form))

    def _redeem_code(self, client: Client, form: Form) -> SignIn:
        code = self.codes.get(form.get("code", ""))
        if code is not None and self.shape.read is not as_it_is:
            # Whom the token is for was said in the authorization request alone.
            form = form | {"resource": code.sign_in.resource}
        return super()._redeem_code(client, form)

    def _new_refresh_token(self, sign_in: SignIn) -> str | None:
        if self.shape.needs_offline_scope and "offline_access" not in sign_in.scope.split():
            return None
        return super()._new_refresh_token(sign_in)

    def audience_of(self, sign_in: SignIn) -> str:
        return self.shape.audience(self, sign_in, self._asked)

    def claims_of(self, sign_in: SignIn, audience: str, token_id: str) -> Json:
        return self.shape.claims(self, super().claims_of(sign_in, audience, token_id))

    def refuse(self, exchange: Exchange, error: OAuthError) -> None:
        status, members = self.shape.word(error)
        exchange.reply(status, encode(members))

    def send_back(self, exchange: Exchange, query: Form, error: str, description: str) -> None:
        """The person comes back with an error (RFC 6749 §4.1.2.1)."""
        self._redirect(exchange, query, {"error": error, "error_description": description})

    # What a story does

    def expire_tokens(self) -> None:
        """The access tokens so far are not good any more; the next ones live long."""
        self.revoke_access_tokens()

    def count_revocations(self) -> int:
        """Requests of the revocation endpoint."""
        return len(self.received("revoke"))


def is_revocable(server: ShapedServer) -> bool:
    """Whether the metadata name a revocation endpoint."""
    return server.policy.metadata_changes.get("revocation_endpoint", "") is not None
