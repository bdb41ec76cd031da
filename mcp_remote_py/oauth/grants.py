"""The grants: authorization code with PKCE, refresh, revocation, and how the client proves itself.

Conversations about one token each (RFC 6749, 7636, 8707, 9207, 7009). A `Credential` without
tokens says for whom, at which endpoint and with what scope; the same with tokens comes back.
Must not know how endpoints were found, nor where credentials are kept. The encoding is authlib's.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Container, Iterable, Mapping
from functools import partial
from typing import Final, cast
from urllib.parse import unquote_plus

from authlib.common.urls import add_params_to_qs
from authlib.oauth2.rfc7009 import (
    prepare_revoke_token_request,  # pyright: ignore[reportUnknownVariableType]
)
from authlib.oauth2.rfc7636 import (
    create_s256_code_challenge,  # pyright: ignore[reportUnknownVariableType]
)

from mcp_remote_py.errors import LOGIN_COMMAND, McpRemoteError, SignInFailed
from mcp_remote_py.oauth.client_authentication import (
    authenticate,
    post_form,
)
from mcp_remote_py.oauth.document import describe_briefly
from mcp_remote_py.oauth.dpop import thumbprint
from mcp_remote_py.oauth.grant_words import MAX_WORDS, is_denial
from mcp_remote_py.oauth.ownership import explain_iss, may_revoke
from mcp_remote_py.oauth.steps import (
    Callback,
    Client,
    Conversation,
    Credential,
    HttpResponse,
    Report,
)
from mcp_remote_py.oauth.token_exchange import Parameters, TokenExchange, request_tokens
from mcp_remote_py.oauth.tokens import (
    INVALID_TARGET,
    REQUEST_HINTS,
    TRY_LATER,
    TokenAnswer,
    TokenError,
    name_request_error,
    read_entra_code,
    read_oauth_error,
    shorten_without,
)
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.redact import Secret, mask_url
from mcp_remote_py.settings.network import CONSENT_TIMEOUT
from mcp_remote_py.settings.sign_in import SignInSettings

RANDOM_BYTES = 32
"""Bytes of `state` and verifier: 256 bits in 43 characters, the least of RFC 7636 §4.1."""

_CALLBACK_HINTS = {
    **REQUEST_HINTS,
    "unauthorized_client": "Check --static-oauth-client-info, if you give it.",
    "server_error": f"Try again later: {LOGIN_COMMAND}.",
    "temporarily_unavailable": f"Try again later: {LOGIN_COMMAND}.",
}


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
    prompt: str = "",
) -> str:
    """The URL to sign in at (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9449 §10).

    The endpoint's own query stays as it is, byte for byte, but for what is said here: nothing may
    be there twice (§3.1). A fragment may not be there.
    None of `parameters` is one of ours: `settings` has seen to it. Theirs goes before
    `prompt`.
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
    if prompt and "prompt" not in dict(parameters):
        query.append(("prompt", prompt))
    query += parameters
    endpoint = _without(endpoint.partition("#")[0], {name for name, _ in query})
    separator = "?" if "?" not in endpoint else "" if endpoint.endswith(("?", "&")) else "&"
    return f"{endpoint}{separator}{add_params_to_qs('', query)}"


def _without(endpoint: str, names: Container[str]) -> str:
    """The address without the parameters of these names, all else as it is."""
    path, mark, own = endpoint.partition("?")
    kept = [each for each in own.split("&") if unquote_plus(each.partition("=")[0]) not in names]
    return f"{path}{mark}{'&'.join(kept)}"


def check_callback(
    callback: Callback,
    state: Secret,
    issuer: str | None,
    iss_required: bool,
    trusted_issuers: Iterable[str] = (),
) -> Secret:
    """The code in the response to our authorization request, once that is surely the one.

    First `state`, then `iss` by simple string comparison (RFC 9207 §2.4, MCP 2026-07-28: compared
    wherever it is present, demanded where the metadata promise it); `issuer` is None where there is
    nothing to compare it with. Until both fit, nothing of the response is believed or shown: not
    even an error.

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
    if issuer is not None:
        _check_iss(iss, issuer, iss_required, trusted_issuers)
    code = answer.get("code")
    words = _read_first(answer, _ERROR_WORDS)
    error = answer.get("error") or ("" if code else _read_first(answer, _OTHER_ERRORS))
    if error or (words and not code):
        raise _explain_error(error, words)
    if not code:
        raise SignInFailed(
            "The browser came back without a code.", hint=f"Try again: {LOGIN_COMMAND}."
        )
    return Secret(code)


def _check_iss(
    iss: str | None, issuer: str, iss_required: bool, trusted_issuers: Iterable[str]
) -> None:
    if iss is None and iss_required:
        raise SignInFailed(
            f"The answer of the sign-in does not say that it comes from {shorten_without(issuer)} "
            "(iss is missing), though that server promises to say so.",
            hint="Someone may have tampered with it; if not, that server has a fault: tell whoever "
            "runs it.",
        )
    if iss is not None and iss not in (issuer, *trusted_issuers):
        raise explain_iss(iss, issuer)


_OTHER_ERRORS = ("error_reason", "error_code")
_ERROR_WORDS = ("error_description", "error_message")
"""Of RFC 6749 §4.1.2.1, and of Meta and what imitates it."""


def _read_first(answer: Mapping[str, str], names: Iterable[str]) -> str:
    return next((answer[name] for name in names if answer.get(name)), "")


def _explain_error(error: str, description: str) -> SignInFailed:
    words = f'"{shorten_without(description)}"' if description else ""
    said = ", ".join(filter(None, (shorten_without(error), words)))
    if is_denial(error):
        return explain_denial(said)
    meant = name_request_error(error, description) or error
    return AuthorizationRefused(
        f"The authorization server refused the sign-in ({said}).",
        hint=_CALLBACK_HINTS.get(meant, f"Sign in again: {LOGIN_COMMAND}."),
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
    But one that does not know the client, or has too much to do for a moment (429), has not looked.

    Raises:
        TokenError: the server does not give any.
        ExchangeError: the endpoint could not be reached, or its answer was lost.
    """
    parameters: Parameters = {
        "code": code,
        "redirect_uri": credential.redirect_uri,
        "code_verifier": verifier,
        "resource": credential.resource,
    }
    grant = "authorization_code"
    patience = CONSENT_TIMEOUT
    try:
        answer = yield from request_tokens(credential, grant, parameters, now, patience=patience)
    except TokenError as error:
        if error.hint != TRY_LATER:
            raise
        hint = f"A consent is good for one request. Sign in again later: {LOGIN_COMMAND}."
        raise error.with_hint(hint) from None
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
    exchange = TokenExchange(credential)
    try:
        answer = yield from _ask_to_refresh(exchange, credential, token, now)
    except TokenError as error:
        other = _read_otherwise(credential, error)
        if other is None:
            raise
        credential = other
        answer = yield from _ask_to_refresh(exchange, credential, token, now)
    return add_tokens(credential, answer, now)


def _ask_to_refresh(
    exchange: TokenExchange, credential: Credential, token: Secret, now: float
) -> Conversation[TokenAnswer]:
    scope = "" if credential.scope_refused else credential.scope
    form = {"refresh_token": token, "resource": credential.resource, "scope": scope}
    return (yield from exchange.ask("refresh_token", form, now))


def _read_otherwise(credential: Credential, error: TokenError) -> Credential | None:
    """The credential as a server that refuses it so may take it, None where there is no way."""
    if _wants_scope_instead(error):
        if not credential.resource and not credential.scope_refused:
            return None
        return credential._replace(resource="", scope_refused=False)
    if credential.scope and not credential.scope_refused and _refuses_scope(error):
        return credential._replace(scope_refused=True)
    return None


_SCOPE_REFUSED = lazy_pattern(
    r"\bscopes?\b[^.;]{0,60}\b(?:not|in ?valid|mismatch|exceeds?|unknown|unsupported|unexpected)\b"
    r"|\b(?:invalid|unknown|unsupported|unexpected|unrecogni[sz]ed|extra)\b[^.;]{0,30}\bscopes?\b",
    re.IGNORECASE,
)
"""Of servers that take none with a refresh token (RFC 6749 §6 leaves it free), by other codes."""


def _refuses_scope(error: TokenError) -> bool:
    if error.error in ("", "invalid_request", "invalid_grant"):
        return _SCOPE_REFUSED.search(error.description[:MAX_WORDS]) is not None
    return error.error == "invalid_scope"


def _wants_scope_instead(error: TokenError) -> bool:
    """Whether the refusal is about `resource` (RFC 8707 §2) and not about the grant."""
    if read_entra_code(error.description):
        return True
    return name_request_error(error.error, error.description) == INVALID_TARGET


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
            response, client, _ = yield from authenticate(
                credential.client, endpoint, partial(_post_revocation, endpoint, body)
            )
        except McpRemoteError as error:
            yield Report(f"The {kind.replace('_', ' ')} could not be revoked: {error.sentence()}")
            continue
        credential = credential._replace(client=client)
        # RFC 7009 §2.2 has 200; any good status says it, and some say an error by a good one.
        if not 200 <= response.status < 300 or read_oauth_error(response)[0]:
            yield Report(
                f"The {kind.replace('_', ' ')} was not revoked: "
                f"{describe_briefly(endpoint, response)}. It ends when it expires."
            )


def _post_revocation(endpoint: str, body: str, client: Client) -> Conversation[HttpResponse]:
    return (yield from post_form(client, endpoint, body))


# Credentials ---------------------------------------------------------------------------------


def add_tokens(credential: Credential, answer: TokenAnswer, now: float) -> Credential:
    """`credential` with what `answer` has; what it does not have stays."""
    return credential._replace(
        client=answer.client or credential.client,
        access_token=answer.access_token,
        refresh_token=answer.refresh_token or credential.refresh_token,
        id_token=answer.id_token or credential.id_token,
        scope=credential.scope if answer.scope is None else answer.scope,
        obtained_at=now,
        expires_at=answer.expires_at,
        token_type=answer.token_type,
    )
