"""Sign-ins without a person: client credentials, JWT bearer, enterprise-managed (promise A3).

RFC 6749 §4.4 with a secret or a key (RFC 7523 §2.2), RFC 7523 §2.1 with a JWT of the workload, or
the ID-JAG of an identity provider (SEP-990: RFC 8693, then 7523). Each is asked anew when its token
ends: none of them has a refresh token to lose. Must not know where keys and JWTs are kept, nor how
endpoints were found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Literal

from mcp_remote_py.errors import UsageError
from mcp_remote_py.oauth.claims import describe_jwt, read_claims
from mcp_remote_py.oauth.client_authentication import PRIVATE_KEY_JWT
from mcp_remote_py.oauth.document import is_outage, quote
from mcp_remote_py.oauth.grants import (
    Parameters,
    add_tokens,
    make_random_text,
    request_tokens,
)
from mcp_remote_py.oauth.ownership import Named, assertion_of, check_owner, place_of
from mcp_remote_py.oauth.steps import Client, Conversation, Credential, ReadNamedFile, ask
from mcp_remote_py.oauth.tokens import TokenError
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.redact import Secret, remember_tokens
from mcp_remote_py.settings.unattended import (
    ClientKey,
    IdentityProvider,
    Unattended,
    WorkloadJwt,
)

CLIENT_CREDENTIALS_GRANT = "client_credentials"
JWT_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
ID_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105
ID_JAG_TYPE = "urn:ietf:params:oauth:token-type:id-jag"
JWT_BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

ASSERTION_LIFETIME = 120
"""Seconds. RFC 7523 §3 leaves it to us: long enough for clocks that differ, too short to keep."""

_KEY_TYPES: dict[str, Literal["EC", "RSA", "OKP"]] = {
    "ES": "EC",
    "Ed": "OKP",
    "PS": "RSA",
    "RS": "RSA",
}
"""Key types by the first letters of an algorithm (RFC 7518 §3.1, RFC 8037 §3.1)."""


def read_assertion(how: Unattended) -> Conversation[Secret | None]:
    """The workload's JWT as it is now, None where it signs in by something else.

    Raises:
        UsageError: the file cannot be read, or does not contain a JWT.
    """
    if not isinstance(how.grant, WorkloadJwt):
        return None
    return (yield from _read_jwt(how.grant.file, "--jwt-bearer"))


def obtain_tokens(
    credential: Credential,
    how: Unattended,
    named: Named,
    jwt: Secret | None,
    random_bytes: RandomBytes,
    now: float,
) -> Conversation[Credential]:
    """Tokens for `credential`, which has none; `now` is before asking.

    `jwt` is what `read_assertion` has read for it.

    Raises:
        UsageError: a key or JWT that the person named cannot be used.
        SignInFailed: a JWT is not for whom it would be sent to.
        TokenError: a server gives none.
        ExchangeError: an endpoint could not be reached, or its answer was lost.
    """
    parameters: dict[str, Secret | str] = {
        "scope": credential.scope,
        "resource": credential.resource,
    }
    grant_type, who, assertion = CLIENT_CREDENTIALS_GRANT, "The token endpoint", jwt
    if isinstance(how.grant, IdentityProvider):
        who = "The authorization server's token endpoint"
        assertion = yield from _exchange_id_token(credential, how.grant, now)
        # The grant names its resource itself (SEP-990).
        parameters["resource"] = ""
    belonging = assertion_of(how)
    if assertion is not None and belonging is not None:
        grant_type = JWT_BEARER_GRANT
        belonging = belonging._replace(audience=read_claims(assertion).audience)
        check_owner(place_of(credential), (belonging,), named)
        parameters["assertion"] = assertion
    prove = partial(prove_by_key, credential, how.key, random_bytes, now)
    try:
        answer = yield from request_tokens(credential, grant_type, parameters, now, prove, who)
    except TokenError as error:
        evidence = ""
        if assertion is not None and belonging is not None and error.error in _REFUSED_GRANTS:
            evidence = _describe(assertion, belonging.name, now)
        hint = _choose_hint(error, credential, how, grant_type)
        raise error.with_evidence(evidence).with_hint(hint) from error
    return add_tokens(credential, answer, now)


def _exchange_id_token(
    credential: Credential, provider: IdentityProvider, now: float
) -> Conversation[Secret]:
    """The ID-JAG for the MCP server's authorization server (RFC 8693 §2.1)."""
    id_token = yield from _read_jwt(provider.id_token_file, "--idp-id-token")
    at_provider = Credential(
        issuer=provider.token_endpoint,
        token_endpoint=provider.token_endpoint,
        client=Client(provider.client_id, "static"),
    )
    parameters = {
        "requested_token_type": ID_JAG_TYPE,
        "audience": credential.issuer,
        "resource": credential.resource,
        "scope": credential.scope,
        "subject_token": id_token,
        "subject_token_type": ID_TOKEN_TYPE,
    }
    try:
        answer = yield from request_tokens(
            at_provider, TOKEN_EXCHANGE_GRANT, parameters, now, who="The identity provider"
        )
    except TokenError as error:
        evidence = ""
        if error.error in _REFUSED_GRANTS:
            evidence = _describe(
                id_token, f"The JWT of --idp-id-token {provider.id_token_file}", now
            )
        hint = _choose_provider_hint(error, credential.issuer)
        raise error.with_evidence(evidence).with_hint(hint) from error
    remember_tokens((answer.access_token,))
    return answer.access_token


_REFUSED_GRANTS = frozenset({"invalid_grant", "invalid_request"})
"""Errors for a JWT that cannot be used; the second is RFC 8693 §2.2.2's word for it."""


def _choose_provider_hint(error: TokenError, issuer: str) -> str:
    """The next step after a refusal by the identity provider, which is not to give for `issuer`."""
    if error.skew or is_outage(error.status):
        return error.hint
    match error.error:
        case "invalid_client" | "unauthorized_client":
            return "Check --idp-client-id, which must be allowed there to exchange ID tokens."
        case "invalid_target" | "access_denied":
            return (
                "Whoever runs the identity provider must allow this client, and this account, the "
                f"authorization server {quote(issuer)}."
            )
        case "unsupported_grant_type":
            return "Check --idp-token-endpoint: it does not give grants for ID tokens."
        case "invalid_grant" | "invalid_request":
            return (
                "Have --idp-id-token written anew: it must be an ID token of this provider for "
                "--idp-client-id."
            )
        case _:
            return error.hint


def _choose_hint(
    error: TokenError, credential: Credential, how: Unattended, grant_type: str
) -> str:
    """The next step for whoever set an agent up, after a refusal by the authorization server."""
    if error.skew or is_outage(error.status):
        return error.hint
    match error.error:
        case "invalid_client" if grant_type == JWT_BEARER_GRANT and not credential.client.client_id:
            return "It may want a client beside the JWT: name it with --static-oauth-client-info."
        case "invalid_client" if credential.client.token_endpoint_auth_method == PRIVATE_KEY_JWT:
            return _hint_at_key(credential, how.key)
        case "invalid_client":
            return "Check client_id and client_secret in --static-oauth-client-info."
        case "unauthorized_client":
            return f"Whoever runs that server must allow this client the grant {grant_type}."
        case "unsupported_grant_type":
            return (
                f"That server does not know the grant {grant_type}: ask whoever runs it for "
                "another."
            )
        case "invalid_grant" if isinstance(how.grant, WorkloadJwt):
            return (
                f"Have --jwt-bearer written anew: its JWT must be for {quote(credential.issuer)}, "
                "and of an issuer and a key which that server knows."
            )
        case "invalid_grant" if isinstance(how.grant, IdentityProvider):
            return (
                "Check that this server trusts the identity provider, and that the provider makes "
                f"its grants out to {quote(credential.issuer)}."
            )
        case _:
            return error.hint


def _hint_at_key(credential: Credential, key: ClientKey | None) -> str:
    if key is None:  # the options have changed since
        return "Add --private-key: this client has signed in with one before."
    hint = (
        "Check --private-key, whose public half the server must know for this client; "
        f"--signing-alg, which is {key.algorithm}; and this machine's clock."
    )
    if credential.issuer == credential.token_endpoint:
        hint += (
            " And leave out --token-endpoint: the proof is made out to that address, and the server"
            " may want its issuer's."
        )
    return hint


def _describe(jwt: Secret, name: str, now: float) -> str:
    """The claims of a refused JWT as a sentence, "" where it has none of interest."""
    said = describe_jwt(jwt, now)
    return f"{name} {said}." if said else ""


def _read_jwt(path: str, option: str) -> Conversation[Secret]:
    """The JWT in that file, read anew each time: whoever keeps it there replaces it."""
    text = yield from ask(ReadNamedFile(path, option))
    jwt = Secret(text.reveal().strip())
    if jwt.reveal().count(".") != 2 or not jwt.reveal().isascii():
        raise UsageError(
            f"{option} {path} does not contain a JWT (three parts separated by dots).",
            hint="Check what writes that file.",
        )
    remember_tokens((jwt,))
    return jwt


def prove_by_key(
    credential: Credential, key: ClientKey | None, random_bytes: RandomBytes, now: float
) -> Parameters:
    """The client's proof by its key (RFC 7523 §2.2), nothing where it has none.

    The audience is the issuer (RFC 7523bis), and no longer the token endpoint as in older texts:
    an assertion made out to another server's endpoint could be used there.

    Raises:
        UsageError: the key does not fit the algorithm.
    """
    client = credential.client
    if client.token_endpoint_auth_method != PRIVATE_KEY_JWT or key is None:
        return {}
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": credential.issuer,
        "iat": int(now),
        "exp": int(now) + ASSERTION_LIFETIME,
        "jti": make_random_text(random_bytes).reveal(),
    }
    assertion = sign(claims, key.private_key, key.algorithm)
    remember_tokens((assertion,))
    return {"client_assertion_type": JWT_BEARER_ASSERTION, "client_assertion": assertion}


def sign(claims: Mapping[str, object], key: Secret, algorithm: str) -> Secret:
    """A JWS of these claims (RFC 7515 §3.1); the key is a PEM or a JWK, whose `kid` is named.

    Raises:
        UsageError: the key cannot be read, or does not fit the algorithm.
    """
    from joserfc import jwt  # 30 ms, for few
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    text = key.reveal().strip()
    try:
        loaded = import_key(
            json.loads(text) if text.startswith("{") else text, _KEY_TYPES[algorithm[:2]]
        )
        header = {"alg": algorithm}
        if loaded.kid:
            header["kid"] = loaded.kid
        return Secret(jwt.encode(header, dict(claims), loaded, algorithms=[algorithm]))
    except (ValueError, TypeError, JoseError) as error:
        raise UsageError(
            f"--private-key cannot sign with {algorithm} ({type(error).__name__}).",
            hint="Name the algorithm of the key with --signing-alg.",
        ) from None
