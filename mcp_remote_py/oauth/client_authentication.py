"""How a client proves itself at an endpoint, and how else where it is not known: one table.

RFC 6749 §2.3.1 has two ways for a secret, servers read the first of them in two encodings, and not
all that they list is what they read. A server looks at the client before it looks at anything else
(§5.2), so a client that it does not know has not spent its code or token. The secret goes to the
same endpoint in each way. Must not know what is asked for, nor where a client is kept. The encoding
of requests is authlib's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, cast
from urllib.parse import quote as percent_encode

from authlib.oauth2.auth import ClientAuth

from mcp_remote_py.errors import SignInFailed
from mcp_remote_py.oauth.document import Posting, is_outage
from mcp_remote_py.oauth.grant_words import (
    INVALID_GRANT,
    read_verdict,
    translate_code,
)
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.oauth.steps import (
    Client,
    Conversation,
    HttpRequest,
    HttpResponse,
    Proof,
    Report,
)
from mcp_remote_py.oauth.tokens import read_oauth_error, shorten_without
from mcp_remote_py.redact import Secret, mask_url, remember

_BASIC, _POST = "client_secret_basic", "client_secret_post"

METHODS = ("none", _POST, _BASIC)
"""Ways to authenticate at a token endpoint that we know (RFC 7591 §2), the preferred first."""

PRIVATE_KEY_JWT = "private_key_jwt"


class ClientAuthentication(NamedTuple):
    """A way to send a secret. `is_plain`: by Basic without its encoding; `source`: who reads it."""

    method: str
    is_plain: bool
    name: str
    source: str


AUTHENTICATIONS = (
    ClientAuthentication(
        _POST,
        False,
        "in the body",
        "RFC 6749 §2.3.1, and servers that list Basic and read the body alone.",
    ),
    ClientAuthentication(
        _BASIC,
        False,
        "by Basic",
        "RFC 6749 §2.3.1: both parts form-encoded, which every server has to know.",
    ),
    ClientAuthentication(
        _BASIC,
        True,
        "by Basic without its encoding",
        "Servers that compare what RFC 7617 carries with what they have stored: many, because most "
        "secrets look the same in both. One with / + or = does not.",
    ),
)
"""In this order, but the method of the client first; once each, where they differ."""

MAX_AUTHENTICATIONS = 1 + len(AUTHENTICATIONS)
"""Requests of one exchange that may end in a refusal of the client: as it was known, and these."""


def choose_method_of(secret: Secret | None, server: ServerMetadata) -> str:
    """The method of a client that exists: RFC 6749 §2.3.1 makes Basic the one every server has."""
    if secret is None:
        return "none"
    offered = server.token_endpoint_auth_methods or ()
    if set(offered) == {"none"}:
        return "none"  # a server for public clients refuses one that sends a secret
    if _POST in offered and _BASIC not in offered:
        return _POST
    return _BASIC


def remember_authentication(client: Client, stored: Client | None, *, is_given: bool) -> Client:
    """`client` by the way that worked for it before, as it is in what is `stored`.

    `is_given`: the person named its method, which then stays.
    """
    if stored is None or (stored.client_id, stored.client_secret) != (
        client.client_id,
        client.client_secret,
    ):
        return client
    if is_given and stored.token_endpoint_auth_method != client.token_endpoint_auth_method:
        return client
    return client._replace(
        token_endpoint_auth_method=stored.token_endpoint_auth_method,
        plain_basic=stored.plain_basic,
    )


def other_authentications(client: Client) -> tuple[Client, ...]:
    """The same client by each other way, in order; none for one without a secret."""
    if client.client_secret is None or client.token_endpoint_auth_method not in METHODS:
        return ()
    own = client.token_endpoint_auth_method
    ways = sorted(AUTHENTICATIONS, key=lambda way: way.method != own)  # stable
    others: list[Client] = []
    for way in ways:
        other = client._replace(token_endpoint_auth_method=way.method, plain_basic=way.is_plain)
        if all(_looks(other) != _looks(known) for known in (client, *others)):
            others.append(other)
    return tuple(others)


def _looks(client: Client) -> tuple[str, str, str]:
    """What is seen of the client in a request."""
    return (client.token_endpoint_auth_method, *_encode(client))


def name_authentication(client: Client) -> str:
    """The way a client proves itself, in words."""
    here = (client.token_endpoint_auth_method, client.plain_basic)
    return next(
        (way.name for way in AUTHENTICATIONS if (way.method, way.is_plain) == here),
        "without a secret",
    )


# What a refusal is about ---------------------------------------------------------------------


class ClientRefusal(NamedTuple):
    """A form of refusal that is about the client; `words` are looked for in its description.

    `error` is that of RFC 6749 §5.2, "" for none. `statuses` are empty for any.
    """

    error: str
    statuses: frozenset[int]
    words: str
    source: str


_CLIENT_WORDS = (
    r"client[_ ](?:id|secret|credentials?|authentication|not found)|(?:unknown|no such) client"
    r"|authorization header"
)

CLIENT_REFUSALS = (
    ClientRefusal("invalid_client", frozenset(), "", "RFC 6749 §5.2"),
    ClientRefusal(
        "unauthorized_client", frozenset({401}), "", "Keycloak's word for a wrong secret"
    ),
    ClientRefusal("unauthorized_client", frozenset({400, 403}), _CLIENT_WORDS, "The same, by §5.2"),
    ClientRefusal("unauthorized", frozenset({401}), "", "Frameworks that name the status"),
    ClientRefusal("access_denied", frozenset({401}), "", "Auth0's word for a wrong secret"),
    ClientRefusal("request_unauthorized", frozenset({401}), "", "Ory's word for it"),
    ClientRefusal("invalid_credentials", frozenset({401}), "", "Frameworks that sign people in"),
    ClientRefusal("bad_credentials", frozenset({401}), "", "Spring"),
    ClientRefusal("client_authentication_failed", frozenset({401}), "", "RFC 6749 §5.2, its words"),
    ClientRefusal(
        "invalid_request",
        frozenset({400, 401, 422}),
        _CLIENT_WORDS,
        "Servers that miss a parameter where they read the body and the client is in the header",
    ),
    ClientRefusal("", frozenset({401}), "", "Gateways; §5.2 has 401 for the client alone"),
    ClientRefusal("", frozenset({400, 422}), _CLIENT_WORDS, "The same, by validation of the body"),
)


def refuses_client(response: HttpResponse) -> bool:
    """Whether this answer is about who asks, and not about what is asked for."""
    if is_outage(response.status):
        return False
    code, description = read_oauth_error(response)
    error = translate_code(code)
    if read_verdict(code, description, response.status) == INVALID_GRANT:
        return False  # it knows us: what it refuses is ours
    return any(
        error == form.error
        and (not form.statuses or response.status in form.statuses)
        and re.search(form.words, description, re.IGNORECASE)
        for form in CLIENT_REFUSALS
    )


def _knows_client(response: HttpResponse) -> bool:
    """Whether an answer to another way shows that it is the right one, or gives no verdict."""
    if 200 <= response.status < 300 or is_outage(response.status):
        return not refuses_client(response)
    # What is refused without a word that is about the grant may be refused for its form.
    error = translate_code(read_oauth_error(response)[0])
    return error not in ("", "invalid_request") and not refuses_client(response)


# Requests ------------------------------------------------------------------------------------


class Authenticated(NamedTuple):
    """An answer, the client as it was understood, and the ways in which it was not."""

    response: HttpResponse
    client: Client
    refused: tuple[str, ...] = ()

    @property
    def evidence(self) -> str:
        """A sentence about the ways that were tried, "" for one."""
        if len(self.refused) < 2:
            return ""
        return f"The client was sent {', '.join(self.refused[:-1])} and {self.refused[-1]}."


def authenticate(
    client: Client, endpoint: str, send: Callable[[Client], Conversation[HttpResponse]]
) -> Conversation[Authenticated]:
    """The answer to what `send` sends to `endpoint`, once for each way until the client is known.

    Where it is not known in any, the first refusal is the answer; but a refusal in another way
    that gives no reason comes before it: then it is not sure that the client is not known.
    Raises what `send` raises.
    """
    response = yield from send(client)
    refused = [name_authentication(client)]
    if not refuses_client(response):
        return Authenticated(response, client)
    doubtful: Authenticated | None = None
    for other in other_authentications(client):
        answer = yield from send(other)
        if _knows_client(answer):
            if not is_outage(answer.status):
                yield Report(
                    f"{mask_url(endpoint)} does not know the client {refused[0]}: it is sent "
                    f"{name_authentication(other)} from now on."
                )
            return Authenticated(answer, other)
        if not refuses_client(answer) and not read_oauth_error(answer)[0]:
            doubtful = doubtful or Authenticated(answer, client)
        refused.append(name_authentication(other))
    return doubtful or Authenticated(response, client, tuple(refused))


def post_form(
    client: Client,
    endpoint: str,
    body: str,
    proof: Proof | None = None,
    patience: float | None = None,
    posting: Posting | None = None,
) -> Conversation[HttpResponse]:
    """Sends form data with the client's proof of itself (RFC 6749 §2.3.1).

    `patience` as in `Fetch`; `posting` is that of the exchange, where it has several requests.

    Raises:
        SignInFailed: the client authenticates in a way we cannot.
        ExchangeError: the endpoint could not be reached, or its answer was lost.
    """
    method = client.token_endpoint_auth_method
    if method not in (*METHODS, PRIVATE_KEY_JWT):
        raise SignInFailed(
            f"The client must authenticate by {shorten_without(method)}, which is not supported.",
            hint="Use one with token_endpoint_auth_method none or client_secret_basic.",
        )
    if method == PRIVATE_KEY_JWT:
        method = "none"  # the proof is among the parameters (`unattended`)
    name, password = _encode(client)
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    prepare = cast(
        "Callable[[str, str, dict[str, str], str], tuple[str, dict[str, str], str]]",
        ClientAuth(name, password, method).prepare,  # pyright: ignore[reportUnknownMemberType]
    )
    if name:  # a workload's JWT may stand for the client, too (RFC 7521 §4.1)
        _, headers, body = prepare("POST", endpoint, headers, body)
    if "Authorization" in headers:
        remember((Secret(headers["Authorization"]),))
    request = HttpRequest(
        "POST",
        endpoint,
        tuple((name, Secret(value)) for name, value in headers.items()),
        Secret(body),
        proof,
    )
    return (yield from (posting or Posting()).post(request, patience=patience))


def _encode(client: Client) -> tuple[str, str]:
    """Id and secret as they are put into a request."""
    secret = client.client_secret
    parts = client.client_id, "" if secret is None else secret.reveal()
    if client.token_endpoint_auth_method != _BASIC:
        return parts
    if client.plain_basic:
        # RFC 7617 §2.1 knows no other charset than UTF-8; authlib would write Latin-1.
        name, password = (one.encode().decode("latin-1") for one in parts)
        return name, password
    # §2.3.1 has both form-encoded, which authlib leaves to us. %20 for a blank: that is
    # understood by those who decode forms and by those who only decode percent signs.
    name, password = (percent_encode(one, safe="") for one in parts)
    return name, password
