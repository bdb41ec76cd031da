"""The order of a sign-in, and of its renewal: the only place that has one.

Discovery, client, browser, code, tokens, each by `yield from`; what is stored changes only here.
Two rules govern it: what was told is believed only when it fits (see the siblings), and tokens
that are stored give way only to newer ones or to a definite refusal (field note 3). Must not
know HTTP, browsers, the keyring or the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from mcp_remote_py.errors import McpRemoteError, SignInFailed
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.device import sign_in_elsewhere
from mcp_remote_py.oauth.discovery import Discovered, ServerMetadata, discover
from mcp_remote_py.oauth.grants import (
    AuthorizationRefused,
    RandomBytes,
    authorization_url,
    check_authorize_parameters,
    check_callback,
    choose_scope,
    drop_tokens,
    exchange_code,
    make_random_text,
    refresh,
)
from mcp_remote_py.oauth.registration import choose_redirect_uri, obtain_client, preflight
from mcp_remote_py.oauth.steps import (
    AskUser,
    Callback,
    Client,
    Conversation,
    Credential,
    Forget,
    Listen,
    Load,
    NobodyCame,
    Report,
    Save,
)
from mcp_remote_py.oauth.tokens import GrantRefused
from mcp_remote_py.redact import Secret, remember
from mcp_remote_py.settings import SignInSettings

_DEAD_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})


def sign_in(
    server_url: str,
    challenge: Challenge,
    settings: SignInSettings,
    random_bytes: RandomBytes,
    now: Callable[[], float],
) -> Conversation[Credential]:
    """Has the person sign in for the MCP server at `server_url`; the credential is saved.

    At most one tab, one code, one request for tokens; with --device-code no tab. `now` gives
    seconds since the epoch.

    Raises:
        SignInDenied: the person said no.
        McpRemoteError: there is no sign-in, for a reason in one sentence.
    """
    check_authorize_parameters(settings.authorize_parameters)
    discovered = yield from discover(server_url, challenge, settings)
    server = discovered.server
    _check_device_endpoint(server, settings)
    # Before anything is registered or opened: the port must be ours.
    redirect_uris = cast("tuple[str, ...]", (yield Listen()))
    stored = cast("Credential | None", (yield Load()))
    # A client belongs to the issuer that registered it (MCP 2026-07-28, "Server Binding").
    ours = stored if stored is not None and stored.issuer == server.issuer else None
    known = None if ours is None else ours.client
    scope = choose_scope(
        challenge.scope,
        discovered.scopes_supported,
        server.scopes_supported,
        settings.scope,
        ours.scope if ours is not None and challenge.error == "insufficient_scope" else "",
    )

    def obtain(client: Client | None) -> Conversation[Credential]:
        """What is known before there are tokens, kept where it was new and costs no token."""
        obtained = yield from obtain_client(server, redirect_uris, client, settings, scope, now())
        pending = _describe(discovered, obtained, redirect_uris, scope)
        if obtained.origin == "registered" and obtained != client and not _has_tokens(stored):
            yield from _save(pending)
        return pending

    pending = yield from obtain(known)
    cached = pending.client == known and pending.client.origin == "registered"
    if cached and not settings.device_code:
        # With its own state and verifier: nothing it provokes can be taken for the real answer.
        url, _, _ = _begin(server, pending, settings, random_bytes)
        if not (yield from preflight(url)):
            yield Report(f"{server.issuer} no longer knows us: registering once more.")
            pending = yield from obtain(None)
            cached = False
    try:
        credential = yield from _obtain_tokens(
            server_url, server, pending, settings, random_bytes, now
        )
    except NobodyCame:
        # A server that has forgotten us may say so to the person only (L10).
        if cached and not _has_tokens(stored):
            yield from _forget_client(pending.client)
        raise
    except (AuthorizationRefused, GrantRefused) as error:
        if _is_dead(pending.client, error):
            yield from _forget_client(pending.client)
        raise
    if settings.use_id_token and credential.id_token is None:
        raise SignInFailed(
            f"{server.issuer} gave no ID token, which --use-id-token is to send.",
            hint="Leave out --use-id-token, or ask for the scope openid with --scope.",
        )
    yield from _keep(credential)
    yield Report(f"Signed in at {server.issuer}.")
    return credential


def renew(credential: Credential, settings: SignInSettings, now: float) -> Conversation[Credential]:
    """New tokens without the person; to be played under the lock of this session.

    A definite refusal is believed only if nobody has stored something newer meanwhile, which is
    then the outcome (L6). Else what is stored loses its tokens, or goes as a whole where the
    server no longer knows the client. Any other failure leaves everything as it is (L9).

    Raises:
        GrantRefused: the sign-in is over; only the person can renew it.
        McpRemoteError: it cannot be renewed now.
    """
    try:
        renewed = yield from refresh(credential, settings, now)
    except GrantRefused as error:
        stored = cast("Credential | None", (yield Load()))
        if stored is not None and _has_tokens(stored) and _tokens(stored) != _tokens(credential):
            return stored
        if _is_dead(credential.client, error):
            yield from _forget_client(credential.client)
        elif _has_tokens(stored):
            yield from _save(drop_tokens(credential))
        raise
    yield from _keep(renewed)
    return renewed


def _check_device_endpoint(server: ServerMetadata, settings: SignInSettings) -> None:
    if settings.device_code and not server.device_authorization_endpoint:
        raise SignInFailed(
            f"{server.issuer} offers no sign-in by code (no device_authorization_endpoint).",
            hint="Leave out --device-code.",
        )


def _obtain_tokens(
    server_url: str,
    server: ServerMetadata,
    pending: Credential,
    settings: SignInSettings,
    random_bytes: RandomBytes,
    now: Callable[[], float],
) -> Conversation[Credential]:
    """One tab and one code of the browser's, or the person's own way and a device code."""
    if settings.device_code:
        endpoint = server.device_authorization_endpoint
        return (yield from sign_in_elsewhere(endpoint, pending, settings.timeout, now))
    url, state, verifier = _begin(server, pending, settings, random_bytes)
    remember((verifier,))
    name = urlsplit(server_url).hostname or server_url
    callback = cast("Callback", (yield AskUser(url, state, name)))
    code = check_callback(
        callback, state, server.issuer, server.iss_parameter_supported, settings.trusted_issuers
    )
    remember((code,))
    return (yield from exchange_code(pending, code, verifier, now()))


def _begin(
    server: ServerMetadata,
    pending: Credential,
    settings: SignInSettings,
    random_bytes: RandomBytes,
) -> tuple[str, Secret, Secret]:
    """Where to sign in, with a `state` and a verifier of its own."""
    state, verifier = make_random_text(random_bytes), make_random_text(random_bytes)
    url = authorization_url(
        server.authorization_endpoint,
        pending,
        state=state,
        verifier=verifier,
        parameters=settings.authorize_parameters,
    )
    return url, state, verifier


def _describe(
    discovered: Discovered, client: Client, redirect_uris: tuple[str, ...], scope: str | None
) -> Credential:
    server = discovered.server
    return Credential(
        issuer=server.issuer,
        token_endpoint=server.token_endpoint,
        client=client,
        redirect_uri=choose_redirect_uri(client, redirect_uris),
        resource=discovered.resource,
        scope=scope or "",
        revocation_endpoint=server.revocation_endpoint,
    )


def _tokens(credential: Credential) -> tuple[object, ...]:
    return credential.access_token, credential.refresh_token


def _has_tokens(credential: Credential | None) -> bool:
    return credential is not None and _tokens(credential) != (None, None)


def _is_dead(client: Client, error: AuthorizationRefused | GrantRefused) -> bool:
    """Only what we registered can be replaced by us: a static client is the person's to mend."""
    return client.origin == "registered" and error.error in _DEAD_CLIENT_ERRORS


def _keep(credential: Credential) -> Conversation[None]:
    secrets = (credential.access_token, credential.refresh_token, credential.id_token)
    remember(secret for secret in secrets if secret is not None)
    yield from _save(credential)


def _save(credential: Credential) -> Conversation[None]:
    """Stores it, or says that it is not: what cannot be stored still serves until we end."""
    try:
        yield Save(credential)
    except McpRemoteError as error:
        yield Report(f"The sign-in will not outlive this process: {error.sentence()}")


def _forget_client(client: Client) -> Conversation[None]:
    """Drops what is stored with `client`, unless somebody has stored another one meanwhile."""
    stored = cast("Credential | None", (yield Load()))
    if stored is not None and stored.client == client:
        yield Forget()
        yield Report("The registration is dropped; the next sign-in registers once more.")
