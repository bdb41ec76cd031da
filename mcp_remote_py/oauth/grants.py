"""The grants: authorization code with PKCE, refresh, revocation, and how the client proves itself.

Conversations about one token each (RFC 6749, 7636, 8707, 9207, 7009). A `Credential` without
tokens says for whom, at which endpoint and with what scope; the same with tokens comes back.
Must not know how endpoints were found, nor where credentials are kept. The encoding is authlib's.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast
from urllib.parse import quote as percent_encode

from authlib.common.urls import add_params_to_qs
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import (
    prepare_token_request,  # pyright: ignore[reportUnknownVariableType] - authlib has no types
)
from authlib.oauth2.rfc7009 import (
    prepare_revoke_token_request,  # pyright: ignore[reportUnknownVariableType]
)
from authlib.oauth2.rfc7636 import (
    create_s256_code_challenge,  # pyright: ignore[reportUnknownVariableType]
)

from mcp_remote_py.errors import LOGIN_COMMAND, McpRemoteError, SignInFailed
from mcp_remote_py.oauth.dpop import thumbprint
from mcp_remote_py.oauth.ownership import may_revoke
from mcp_remote_py.oauth.scopes import OFFLINE_ACCESS
from mcp_remote_py.oauth.steps import (
    Callback,
    Client,
    Conversation,
    Credential,
    Fetch,
    HttpRequest,
    HttpResponse,
    Proof,
    Report,
    ask,
)
from mcp_remote_py.oauth.tokens import (
    REQUEST_HINTS,
    TokenAnswer,
    TokenError,
    parse_token_answer,
    read_nonce,
    shorten_without,
)
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.redact import Secret, mask_url, remember, secrets_in_url
from mcp_remote_py.settings.sign_in import SignInSettings

Parameters = Mapping[str, Secret | str]
"""The parameters of a form."""

RANDOM_BYTES = 32
"""Bytes of `state` and verifier: 256 bits in 43 characters, the least of RFC 7636 §4.1."""

_CALLBACK_HINTS = {
    **REQUEST_HINTS,
    "unauthorized_client": "Check --static-oauth-client-info, if you give it.",
    "server_error": f"Try again later: {LOGIN_COMMAND}.",
    "temporarily_unavailable": f"Try again later: {LOGIN_COMMAND}.",
}

PRIVATE_KEY_JWT = "private_key_jwt"
_AUTHENTICATION_METHODS = frozenset(
    {"none", "client_secret_basic", "client_secret_post", PRIVATE_KEY_JWT}
)

_JWTS = frozenset({"assertion", "client_assertion", "subject_token"})
"""Parameters that are JWTs (RFC 7523 §2, RFC 8693 §2.1): a server compares their times."""

_ENTRA_CODES = ("AADSTS9010010", "AADSTS901002", "AADSTS650053", "AADSTS900144")
"""Entra's: `resource` does not fit the scopes, is not known; the scope is another's, is missing."""


class SignInDenied(SignInFailed):
    """The person, or the server for them, said no (`access_denied`): not to be asked again soon."""


class AuthorizationRefused(SignInFailed):
    """The authorization endpoint answered by an error; `error` is its code."""

    def __init__(self, cause: str, *, hint: str, error: str) -> None:
        super().__init__(cause, hint=hint)
        self.error: Final = error


# Authorization request and response ----------------------------------------------------------


def make_random_text(random_bytes: RandomBytes) -> Secret:
    """An unguessable `state` or PKCE verifier (RFC 7636 §4.1)."""
    return Secret(urlsafe_b64encode(random_bytes(RANDOM_BYTES)).rstrip(b"=").decode())


def authorization_url(
    endpoint: str,
    credential: Credential,
    *,
    state: Secret,
    verifier: Secret,
    parameters: tuple[tuple[str, str], ...] = (),
) -> str:
    """The URL to sign in at (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9449 §10).

    The endpoint's own query stays as it is, byte for byte (§3.1); a fragment may not be there.
    None of `parameters` is one of ours: `settings` has seen to it.
    """
    challenge = cast("str", create_s256_code_challenge(verifier.reveal()))
    query = [
        ("response_type", "code"),
        ("client_id", credential.client.client_id),
        ("redirect_uri", credential.redirect_uri),
        ("state", state.reveal()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]
    if credential.scope:
        query.append(("scope", credential.scope))
    if credential.resource:
        query.append(("resource", credential.resource))
    if credential.dpop_key is not None:
        query.append(("dpop_jkt", thumbprint(credential.dpop_key)))
    names = {name for name, _ in parameters}
    if OFFLINE_ACCESS in credential.scope.split() and "prompt" not in names:
        # OpenID Connect Core §11: without it a provider ignores the scope, and the sign-in ends
        # with the first token (seen with oidc-provider). Others ignore the parameter.
        query.append(("prompt", "consent"))
    query += parameters
    endpoint = endpoint.partition("#")[0]
    separator = "?" if "?" not in endpoint else "" if endpoint.endswith(("?", "&")) else "&"
    return f"{endpoint}{separator}{add_params_to_qs('', query)}"


def check_callback(
    callback: Callback,
    state: Secret,
    issuer: str,
    iss_required: bool,
    trusted_issuers: Iterable[str] = (),
) -> Secret:
    """The code in the response to our authorization request, once that is surely the one.

    First `state`, then `iss` by simple string comparison (RFC 9207 §2.4, MCP 2026-07-28: compared
    wherever it is present, demanded where the metadata promise it). Until both fit, nothing of the
    response is believed or shown: not even an error.

    Raises:
        SignInDenied: the person said no.
        AuthorizationRefused: the server answered by another error.
        SignInFailed: it is not the response to our request, or lacks the code.
    """
    answer = callback.parameters
    # Bytes, because compare_digest takes no other text than ASCII; a lone surrogate is not a reason
    # to fail in another way than any other wrong state.
    got = answer.get("state", "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(got, state.reveal().encode()):
        raise SignInFailed(
            "The browser came back with the answer to another sign-in (state does not match).",
            hint=f"Close old sign-in tabs and try again: {LOGIN_COMMAND}.",
        )
    iss = answer.get("iss")
    if iss is None and iss_required:
        raise SignInFailed(
            f"The answer of the sign-in does not say that it comes from {shorten_without(issuer)} "
            "(iss is missing), though that server promises to say so.",
            hint="Someone may have tampered with it; if not, that server has a fault: tell whoever "
            "runs it.",
        )
    if iss is not None and iss not in (issuer, *trusted_issuers):
        raise SignInFailed(
            f"The answer of the sign-in comes from another server than {shorten_without(issuer)} "
            "(iss does not match).",
            hint="If you know that both are the same, name the other with --trusted-issuer.",
        )
    if "error" in answer:
        raise _explain_error(answer["error"], answer.get("error_description", ""))
    code = answer.get("code")
    if not code:
        raise SignInFailed(
            "The browser came back without a code.", hint=f"Try again: {LOGIN_COMMAND}."
        )
    return Secret(code)


def _explain_error(error: str, description: str) -> SignInFailed:
    said = shorten_without(error) + (f', "{shorten_without(description)}"' if description else "")
    if error == "access_denied":
        return explain_denial(said)
    return AuthorizationRefused(
        f"The authorization server refused the sign-in ({said}).",
        hint=_CALLBACK_HINTS.get(error, f"Sign in again: {LOGIN_COMMAND}."),
        error=error,
    )


def explain_denial(said: str) -> SignInDenied:
    """The error for a "no", in the server's words."""
    return SignInDenied(
        f"The sign-in was declined ({said}).",
        hint=f"To sign in after all: {LOGIN_COMMAND}.",
    )


# Token endpoint ------------------------------------------------------------------------------


def exchange_code(
    credential: Credential, code: Secret, verifier: Secret, now: float
) -> Conversation[Credential]:
    """Redeems the code (RFC 6749 §4.1.3); `credential` is without tokens, `now` before asking.

    Asked once, whatever comes: a server that sees a code twice revokes what it gave for it (L15).

    Raises:
        TokenError: the server does not give any.
        ExchangeError: the endpoint could not be reached, or its answer was lost.
    """
    answer = yield from request_tokens(
        credential,
        "authorization_code",
        {
            "code": code,
            "redirect_uri": credential.redirect_uri,
            "code_verifier": verifier,
            "resource": credential.resource,
        },
        now,
    )
    return add_tokens(credential, answer, now)


def refresh(
    credential: Credential, settings: SignInSettings, now: float
) -> Conversation[Credential]:
    """New tokens for the refresh token (RFC 6749 §6); `now` is before asking.

    The refresh token is kept where no new one comes, the scope where none is named. What was
    granted is asked for: some servers tell the audience by the scope, and without it give a token
    for another one (Entra, field note 8). A server that refuses `resource` or the scope is asked
    once more, without it, and the credential remembers that.

    Raises:
        GrantRefused: the refresh token or the client is dead.
        TokenError: the server does not give a new token now.
        ExchangeError: the endpoint could not be reached, or its answer was lost.
    """
    token = credential.refresh_token
    if token is None:
        raise TokenError(
            "The sign-in has expired and the server gave no refresh token.",
            hint=f"Sign in again: {LOGIN_COMMAND}.",
        )
    if not settings.send_resource:
        credential = credential._replace(resource="")
    try:
        answer = yield from _ask_to_refresh(credential, token, now)
    except TokenError as error:
        other = _read_otherwise(credential, error)
        if other is None:
            raise
        credential = other
        answer = yield from _ask_to_refresh(credential, token, now)
    return add_tokens(credential, answer, now)


def _ask_to_refresh(credential: Credential, token: Secret, now: float) -> Conversation[TokenAnswer]:
    scope = "" if credential.scope_refused else credential.scope
    form = {"refresh_token": token, "resource": credential.resource, "scope": scope}
    return (yield from request_tokens(credential, "refresh_token", form, now))


def _read_otherwise(credential: Credential, error: TokenError) -> Credential | None:
    """The credential as a server that refuses it so may take it, None where there is no way."""
    if _wants_scope_instead(error):
        if not credential.resource and not credential.scope_refused:
            return None
        return credential._replace(resource="", scope_refused=False)
    if error.error == "invalid_scope" and credential.scope and not credential.scope_refused:
        return credential._replace(scope_refused=True)
    return None


def _wants_scope_instead(error: TokenError) -> bool:
    """Whether the refusal is about `resource` (RFC 8707 §2) and not about the grant."""
    if any(code in error.description for code in _ENTRA_CODES):
        return True
    if error.error == "invalid_request":
        return "resource" in error.description.lower()
    return error.error in ("invalid_target", "invalid_resource")


def revoke(credential: Credential) -> Conversation[None]:
    """Tells the server that both tokens are given up (RFC 7009), the refresh token first.

    A failure is only reported: what is to be forgotten here is forgotten anyhow.
    """
    if not credential.revocation_endpoint:
        return
    if not may_revoke(credential):
        endpoint, giver = map(mask_url, (credential.revocation_endpoint, credential.token_endpoint))
        yield Report(
            f"The tokens are not revoked: {endpoint} does not belong to the server that gave them, "
            f"{giver}. They end when they expire."
        )
        return
    tokens = (
        ("refresh_token", credential.refresh_token),
        ("access_token", credential.access_token),
    )
    for kind, token in tokens:
        if token is None:
            continue
        body = cast("str", prepare_revoke_token_request(token.reveal(), kind)[0])
        endpoint = credential.revocation_endpoint
        try:
            response = yield from post_form(credential.client, endpoint, body)
        except McpRemoteError as error:
            yield Report(f"The {kind.replace('_', ' ')} could not be revoked: {error.sentence()}")
            continue
        if response.status != 200:
            yield Report(
                f"The {kind.replace('_', ' ')} was not revoked: "
                f"HTTP {response.status} from {mask_url(endpoint)}. It ends when it expires."
            )


def request_tokens(
    credential: Credential,
    grant_type: str,
    parameters: Parameters,
    now: float,
    prove_client: Callable[[], Parameters] = dict,
    who: str = "The token endpoint",
) -> Conversation[TokenAnswer]:
    """One request to the token endpoint; empty parameters are left out, secret ones never shown.

    A server that wants its nonce in the proof of possession is asked once more: it says so before
    it looks at the grant (RFC 9449 §8). `prove_client` makes the client's own proof, if it is one
    of the parameters: each is good for one request. An error begins with `who`.

    Raises:
        TokenError: see `parse_token_answer`.
        ExchangeError: the endpoint could not be reached, or its answer was lost.
    """
    proof = None if credential.dpop_key is None else Proof(credential.dpop_key)
    sent = {**parameters, **prove_client()}
    response = yield from _post_grant(credential, grant_type, sent, proof)
    if proof is not None and (nonce := read_nonce(response)):
        proof = proof._replace(nonce=nonce)
        sent = {**parameters, **prove_client()}
        response = yield from _post_grant(credential, grant_type, sent, proof)
    remember(secrets_in_url(credential.resource))  # where the server's address has a key in it
    secrets = [value for value in sent.values() if isinstance(value, Secret)]
    if credential.client.client_secret is not None:
        secrets.append(credential.client.client_secret)
    where = f"{who} {mask_url(credential.token_endpoint)}"
    return parse_token_answer(
        response,
        now,
        where=where,
        secrets=secrets,
        proven=proof is not None,
        timed=not _JWTS.isdisjoint(sent),
    )


def _post_grant(
    credential: Credential, grant_type: str, parameters: Parameters, proof: Proof | None
) -> Conversation[HttpResponse]:
    values = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in parameters.items()
    }
    body = prepare_token_request(grant_type, **values)
    return (yield from post_form(credential.client, credential.token_endpoint, body, proof))


def post_form(
    client: Client, endpoint: str, body: str, proof: Proof | None = None
) -> Conversation[HttpResponse]:
    """Sends form data with the client's proof of itself (RFC 6749 §2.3.1).

    Raises:
        SignInFailed: the client authenticates in a way we cannot.
        ExchangeError: the endpoint could not be reached, or its answer was lost.
    """
    method = client.token_endpoint_auth_method
    if method not in _AUTHENTICATION_METHODS:
        raise SignInFailed(
            f"The client must authenticate by {shorten_without(method)}, which is not supported.",
            hint="Use one with token_endpoint_auth_method none or client_secret_basic.",
        )
    if method == PRIVATE_KEY_JWT:
        method = "none"  # the proof is among the parameters (`unattended`)
    name, secret = client.client_id, client.client_secret
    password = "" if secret is None else secret.reveal()
    if method == "client_secret_basic":
        # §2.3.1 has both form-encoded, which authlib leaves to us. %20 for a blank: that is
        # understood by those who decode forms and by those who only decode percent signs.
        name, password = (percent_encode(one, safe="") for one in (name, password))
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
    # A code or a token goes where it belongs, and nowhere else.
    return (yield from ask(Fetch(request, follow_redirects=False)))


# Credentials ---------------------------------------------------------------------------------


def add_tokens(credential: Credential, answer: TokenAnswer, now: float) -> Credential:
    """`credential` with what `answer` has; what it does not have stays."""
    return credential._replace(
        access_token=answer.access_token,
        refresh_token=answer.refresh_token or credential.refresh_token,
        id_token=answer.id_token or credential.id_token,
        scope=credential.scope if answer.scope is None else answer.scope,
        obtained_at=now,
        expires_at=answer.expires_at,
        token_type=answer.token_type,
    )


def drop_tokens(credential: Credential) -> Credential:
    """`credential` as it was before its first token: client, key, and where it belongs."""
    return credential._replace(
        **dict.fromkeys(("access_token", "refresh_token", "id_token", "expires_at")),
        obtained_at=0.0,
        scope_refused=False,
    )
