"""One exchange with a token endpoint: a request, and its other readings, bounded.

What is tried once more here was refused before the grant was looked at: the client, its proof of
possession, the moment. So a code or a refresh token is spent once. Must not know which grant asks,
nor what becomes of the tokens. The encoding is authlib's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from authlib.oauth2.rfc6749.parameters import (
    prepare_token_request,  # pyright: ignore[reportUnknownVariableType] - authlib has no types
)

from mcp_remote_py.oauth.client_authentication import (
    MAX_AUTHENTICATIONS,
    Authenticated,
    authenticate,
    post_form,
)
from mcp_remote_py.oauth.document import MOMENT, Posting, read_retry_after
from mcp_remote_py.oauth.steps import (
    Client,
    Conversation,
    Credential,
    HttpResponse,
    Proof,
    Wait,
)
from mcp_remote_py.oauth.tokens import TokenAnswer, TokenError, parse_token_answer, read_nonce
from mcp_remote_py.redact import Secret, mask_url, remember, secrets_in_url
from mcp_remote_py.settings.network import TOKEN_TIMEOUT

Parameters = Mapping[str, Secret | str]
"""The parameters of a form."""

Sender = Callable[[Client], Conversation[HttpResponse]]
"""Sends one request, with the client as it is given."""

MAX_TOKEN_REQUESTS = MAX_AUTHENTICATIONS + 3
"""Requests of one exchange with a token endpoint: for each way to prove the client, and once more
with a nonce, after a moment, and without `resource`. All but the last are refused before the grant
is looked at. Not among them are those that were only led on, `MAX_POST_REDIRECTS` at most."""

_NOT_YET = frozenset({425, 429, 503})
"""Statuses that, with `Retry-After`, refuse what was not looked at yet (RFC 6585 §4, and as for
messages, `retry.RULES`): a code that a person has consented to is not given up for a moment."""

_OF_THE_CLIENT = frozenset({"invalid_client", "unauthorized_client"})
"""Errors of RFC 6749 §5.2 that are about who asks."""

_JWTS = frozenset({"assertion", "client_assertion", "subject_token"})
"""Parameters that are JWTs (RFC 7523 §2, RFC 8693 §2.1): a server compares their times."""


def request_tokens(
    credential: Credential,
    grant_type: str,
    parameters: Parameters,
    now: float,
    prove_client: Callable[[], Parameters] = dict,
    who: str = "The token endpoint",
    patience: float = TOKEN_TIMEOUT,
) -> Conversation[TokenAnswer]:
    """One exchange with the token endpoint, see `TokenExchange`."""
    exchange = TokenExchange(credential, prove_client, who, patience)
    return (yield from exchange.ask(grant_type, parameters, now))


class TokenExchange:
    """One exchange with a token endpoint: each other reading of a request is tried once in it.

    A server that wants its nonce in the proof of possession is asked once more: it says so before
    it looks at the grant (RFC 9449 §8). So is one that does not know the client, by each other way
    to prove it; and one that has too much to do for a moment (429, 503), after that. `prove_client`
    makes the client's own proof, if it is one of the parameters: each is good for one request. An
    error begins with `who`. `patience` is that of one request, as in `Fetch`.
    """

    def __init__(
        self,
        credential: Credential,
        prove_client: Callable[[], Parameters] = dict,
        who: str = "The token endpoint",
        patience: float = TOKEN_TIMEOUT,
    ) -> None:
        self._client = credential.client
        self._endpoint = credential.token_endpoint
        self._resource = credential.resource
        self._redirect_uri = credential.redirect_uri
        self._prove_client = prove_client
        self._where = f"{who} {mask_url(self._endpoint)}"
        self._proof = None if credential.dpop_key is None else Proof(credential.dpop_key)
        self._patience = patience
        self._posting = Posting()
        self._moment = MOMENT
        self._was_answered = False

    def ask(self, grant_type: str, parameters: Parameters, now: float) -> Conversation[TokenAnswer]:
        """The answer; empty parameters are left out, secret ones never shown.

        `now` is before asking, in seconds since the epoch.

        Raises:
            TokenError: see `parse_token_answer`.
            ExchangeError: the endpoint could not be reached, or its answer was lost.
        """
        sent: dict[str, Secret | str] = {}

        def send(client: Client) -> Conversation[HttpResponse]:
            sent.update({**parameters, **self._prove_client()})
            body = _write_form(grant_type, sent)
            about = (self._proof, self._patience, self._posting)
            return (yield from post_form(client, self._endpoint, body, *about))

        if self._was_answered:
            response = yield from self._send(send, now, self._client)
            answered = Authenticated(response, self._client)
        else:
            answered = yield from authenticate(
                self._client, self._endpoint, partial(self._send, send, now)
            )
            self._was_answered = True
        self._client = answered.client
        remember(secrets_in_url(self._resource))  # where the server's address has a key in it
        secrets = [value for value in sent.values() if isinstance(value, Secret)]
        if self._client.client_secret is not None:
            secrets.append(self._client.client_secret)
        try:
            answer = parse_token_answer(
                answered.response,
                now,
                where=self._where,
                secrets=secrets,
                proven=self._proof is not None,
                timed=not _JWTS.isdisjoint(sent),
            )
        except TokenError as error:
            changes: dict[str, object] = {"client": answered.client}
            if answered.client.origin == "document" and error.error in _OF_THE_CLIENT:
                changes["hint"] = _hint_at_document(answered.client, self._redirect_uri)
            raise error.with_evidence(answered.evidence).changed(changes) from None
        return answer._replace(client=answered.client)

    def _send(self, send: Sender, now: float, client: Client) -> Conversation[HttpResponse]:
        """What comes of `send` in the end: with a nonce, and after a moment."""
        response = yield from send(client)
        wait = read_retry_after(response, now)
        if response.status in _NOT_YET and wait is not None and wait <= self._moment:
            self._moment = -1.0
            yield Wait(wait)
            response = yield from send(client)
        if self._proof is not None and not self._proof.nonce and (nonce := read_nonce(response)):
            self._proof = self._proof._replace(nonce=nonce)
            response = yield from send(client)
        return response


def _hint_at_document(client: Client, redirect_uri: str) -> str:
    """The next step where a client that is described by a document is refused."""
    back = f", and that its redirect_uris list {redirect_uri}" if redirect_uri else ""
    return (
        "Check that whoever runs that server can read the document of --client-metadata-url, that "
        f"its client_id is {mask_url(client.client_id)} to the letter{back}."
    )


def _write_form(grant_type: str, parameters: Parameters) -> str:
    values = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in parameters.items()
    }
    return prepare_token_request(grant_type, **values)
