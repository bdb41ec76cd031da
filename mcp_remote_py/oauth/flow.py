"""The order of a sign-in, and of its renewal: the only place that has one.

One file: it is that order, to be read from top to bottom. Discovery, client, then the person, then
code and tokens, each by `yield from`; what is stored changes only here. Whether a person is asked
at all is `policy`'s to say, and `lifecycle`'s to do. Two rules govern it. An answer is believed
only when it fits (see the siblings). Stored tokens give way only to newer ones or to a definite
refusal (field note 3). Must not know HTTP, browsers, the keyring or the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from mcp_remote_py.errors import (
    LOGIN_COMMAND,
    Interrupted,
    McpRemoteError,
    NotSent,
    SignInFailed,
    SignInUnavailable,
    shorten,
)
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.claims import read_claims
from mcp_remote_py.oauth.device import ask_by_code
from mcp_remote_py.oauth.discovery import Discovered, discover
from mcp_remote_py.oauth.dpop import choose_algorithm, make_key
from mcp_remote_py.oauth.grants import (
    AuthorizationRefused,
    authorization_url,
    check_callback,
    exchange_code,
    make_random_text,
    refresh,
)
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.oauth.ownership import check_still, is_registered_with, named_by
from mcp_remote_py.oauth.prompts import CONSENT, PromptCase, choose_prompt, note_outcome
from mcp_remote_py.oauth.registration import choose_redirect_uri, obtain_client, preflight
from mcp_remote_py.oauth.scopes import choose_scope, describe_asked_scopes
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    BindListener,
    Callback,
    Client,
    Conversation,
    Credential,
    Forget,
    Judge,
    Load,
    Lock,
    PendingAuthorization,
    ReleaseLock,
    Report,
    Reserve,
    Save,
    ask,
    drop_tokens,
)
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.redact import Secret, remember, remember_tokens
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import Unattended
from mcp_remote_py.url import parse_url

_DEAD_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})


def prepare(
    server_url: str,
    challenge: Challenge,
    settings: SignInSettings,
    random_bytes: RandomBytes,
    now: Callable[[], float],
) -> Conversation[PendingAuthorization]:
    """Makes the authorization request for the MCP server at `server_url`; nobody is asked yet.

    `now` gives seconds since the epoch.

    Raises:
        McpRemoteError: the sign-in cannot begin; one sentence says why.
    """
    client = yield from _prepare_client(server_url, challenge, settings, now)
    server, credential, cached = client.server, client.credential, client.is_cached
    if cached:
        # With its own state and verifier: nothing it provokes can be taken for the real answer.
        url, _, _ = _begin(server, credential, settings, random_bytes)
        if not (yield from preflight(url)):
            yield Report(f"{shorten(server.issuer)} no longer knows us: registering once more.")
            credential = yield from client.obtain(None)
            cached = False
    url, state, verifier = _begin(server, credential, settings, random_bytes)
    remember((verifier,))
    return PendingAuthorization(
        url,
        state,
        verifier,
        credential,
        parse_url(server_url).authority,
        now() + settings.timeout,
        server.iss_parameter_supported,
        cached,
        server.scopes_supported,
    )


def finish(
    pending: PendingAuthorization,
    callback: Callback,
    settings: SignInSettings,
    now: float,
    *,
    may_store: bool = True,
) -> Conversation[Credential]:
    """Redeems what came back for `pending`, once. `now` is in seconds since the epoch.

    With `may_store`, which is for whoever has the lock of the store, the credential is saved, and
    what is refused for good is forgotten.

    Raises:
        SignInDenied: the person said no.
        SignInUnavailable: the code was not answered.
        McpRemoteError: the sign-in failed; one sentence says why.
    """
    credential = pending.credential
    try:
        code = check_callback(
            callback,
            pending.state,
            _name_issuer(credential),
            pending.iss_parameter_supported,
            settings.trusted_issuers,
        )
        remember((code,))
        check_still(credential, settings)
        if may_store:
            yield from _reserve()
        credential = yield from exchange_code(credential, code, pending.verifier, now)
        credential = credential._replace(
            consent=note_outcome(
                pending.credential.scope,
                credential.consent,
                consented=CONSENT in dict(parse_qsl(urlsplit(pending.url).query)).values(),
                lasts=credential.refresh_token is not None,
            )
        )
    except (AuthorizationRefused, GrantRefused) as error:
        if may_store and _is_dead(credential.client, error):
            yield from _forget_client(credential.client)
        elif may_store and isinstance(error, GrantRefused):
            yield from _keep_authentication(credential, error)
        raise _name_scopes(error, credential.scope, pending.scopes_supported) from None
    except TokenError as error:
        raise _name_scopes(error, credential.scope, pending.scopes_supported) from None
    except (NotSent, Interrupted) as error:
        # The code is not sent again, whether it arrived or not: only the person can go on (L15).
        raise SignInUnavailable(
            f"The tokens of your sign-in did not arrive: {error.cause}",
            hint=f"Sign in again: {LOGIN_COMMAND}.",
        ) from error
    return (yield from conclude(credential, settings, may_store=may_store))


def _name_issuer(credential: Credential) -> str | None:
    """What an `iss` is compared with; None where the person named endpoints, and no issuer.

    Nobody else can have led there: the address of the page and the one that gets the code are both
    from the person.
    """
    is_named = credential.issuer != credential.token_endpoint or credential.published_by
    return credential.issuer if is_named else None


def abandon(pending: PendingAuthorization) -> Conversation[None]:
    """Nobody came back: a server that has forgotten us may say so to the person only (L10)."""
    stored = yield from ask(Load())
    if pending.client_is_cached and not _has_tokens(stored):
        yield from _forget_client(pending.credential.client)


def sign_in_elsewhere(
    server_url: str,
    challenge: Challenge,
    settings: SignInSettings,
    now: Callable[[], float],
    before_asking: Callable[[], Conversation[None]],
) -> Conversation[Credential]:
    """Has the person sign in with a code on any device; the credential is not saved yet.

    `before_asking` is played when all is ready, and the person is asked next.

    Raises:
        SignInDenied: the person said no.
        McpRemoteError: the sign-in failed; one sentence says why.
    """
    client = yield from _prepare_client(server_url, challenge, settings, now)
    endpoint = client.server.device_authorization_endpoint
    yield from before_asking()
    try:
        return (yield from ask_by_code(endpoint, client.credential, settings.timeout, now))
    except GrantRefused as error:
        if _is_dead(client.credential.client, error):
            yield from _forget_client(client.credential.client)
        raise
    except TokenError as error:
        scope, server = client.credential.scope, client.server
        raise _name_scopes(error, scope, server.scopes_supported) from None


def sign_in_unattended(
    server_url: str,
    challenge: Challenge,
    settings: SignInSettings,
    how: Unattended,
    random_bytes: RandomBytes,
    now: Callable[[], float],
) -> Conversation[Credential]:
    """Signs in without a person, as `how` says; the credential is not saved yet.

    Raises:
        McpRemoteError: the sign-in failed; one sentence says why.
    """
    from mcp_remote_py.oauth.unattended import read_assertion  # few sign in like this

    jwt = yield from read_assertion(how)
    audience = None if jwt is None else read_claims(jwt).audience
    discovered = yield from discover(server_url, challenge, settings, audience)
    # Nobody is asked again: `offline_access` has nothing to give.
    scope = choose_scope(challenge.scope, discovered.scopes_supported, None, settings.scope)
    stored = yield from ask(Load())
    known = _find_known(stored, discovered.server)
    client = yield from obtain_client(
        discovered.server, (), known and known.client, settings, scope, now()
    )
    key = _make_key(challenge, discovered)
    credential = _describe(discovered, client, (), scope, key)
    try:
        return (yield from _obtain_tokens(credential, settings, how, jwt, random_bytes, now()))
    except TokenError as error:
        server = discovered.server
        raise _name_scopes(error, credential.scope, server.scopes_supported) from None


def _obtain_tokens(
    credential: Credential,
    settings: SignInSettings,
    how: Unattended,
    jwt: Secret | None,
    random_bytes: RandomBytes,
    now: float,
) -> Conversation[Credential]:
    from mcp_remote_py.oauth.unattended import obtain_tokens

    named = named_by(settings)
    return (yield from obtain_tokens(credential, how, named, jwt, random_bytes, now))


def renew(
    credential: Credential, settings: SignInSettings, random_bytes: RandomBytes, now: float
) -> Conversation[Credential]:
    """New tokens without the person; to be played under the lock of this session.

    A definite refusal is believed only if nobody has stored something newer meanwhile, which is
    then the outcome (L6). Else what is stored loses its tokens, or goes as a whole where the
    server no longer knows the client. Any other failure leaves everything as it is (L9). Servers
    that rotate refresh tokens answer once: they are not asked where that could not be stored.

    Raises:
        GrantRefused: the sign-in is over; only the person can renew it.
        McpRemoteError: it cannot be renewed now.
    """
    try:
        how = settings.unattended
        if how is not None:
            from mcp_remote_py.oauth.unattended import read_assertion

            jwt = yield from read_assertion(how)
            fresh = drop_tokens(credential)
            renewed = yield from _obtain_tokens(fresh, settings, how, jwt, random_bytes, now)
        else:
            yield Reserve()
            renewed = yield from refresh(credential, settings, now)
    except GrantRefused as error:
        try:
            newer = yield from _drop(credential, error)
        except McpRemoteError as failure:
            # What was asked for was refused, whatever the disk says of it.
            yield Report(f"A sign-in that has ended is still stored: {failure.sentence()}")
            raise error from None
        if newer is None:
            raise
        return newer
    yield from _keep(renewed)
    return renewed


def _drop(credential: Credential, error: GrantRefused) -> Conversation[Credential | None]:
    """Deletes what of it was refused; the credential somebody has stored meanwhile, where one has.

    Raises:
        McpRemoteError: it cannot be deleted.
    """
    stored = yield from ask(Load())
    if stored is not None and _has_tokens(stored) and _tokens(stored) != _tokens(credential):
        return stored
    if _is_dead(credential.client, error):
        yield from _forget_client(credential.client)
    elif _has_tokens(stored):
        yield Save(drop_tokens(credential))
    return None


class _PreparedClient(NamedTuple):
    """Us at the authorization server, and how to become another one there."""

    server: ServerMetadata
    credential: Credential
    """Without tokens."""
    is_cached: bool
    """Whether it was registered for an earlier sign-in."""
    obtain: Callable[[Client | None], Conversation[Credential]]


def _prepare_client(
    server_url: str, challenge: Challenge, settings: SignInSettings, now: Callable[[], float]
) -> Conversation[_PreparedClient]:
    discovered = yield from discover(server_url, challenge, settings)
    server = discovered.server
    _check_device_endpoint(server, settings)
    if not settings.device_code:
        if not server.authorization_endpoint:
            raise SignInFailed(
                f"{shorten(server.issuer)} does not sign people in by a page: its metadata list "
                f'"{shorten(" ".join(server.grant_types or ()))}".',
                hint="Sign in by one of these: --device-code, or --client-credentials with a "
                "client of your own.",
            )
        yield Judge(server.authorization_endpoint, "authorization_endpoint")
    # Before anything is registered or opened: the port must be ours.
    redirect_uris = yield from ask(BindListener())
    stored = yield from ask(Load())
    ours = _find_known(stored, server)
    known = None if ours is None else ours.client
    key = _make_key(challenge, discovered)
    scope = choose_scope(
        challenge.scope,
        discovered.scopes_supported,
        server.scopes_supported,
        settings.scope,
        ours.scope if ours is not None and challenge.error == "insufficient_scope" else "",
    )

    def obtain(client: Client | None) -> Conversation[Credential]:
        """The credential without tokens; a new registration is stored."""
        obtained = yield from obtain_client(server, redirect_uris, client, settings, scope, now())
        credential = _describe(discovered, obtained, redirect_uris, scope, key)
        credential = credential._replace(consent="" if ours is None else ours.consent)
        if obtained.origin == "registered" and obtained != client:
            yield from _save_client(credential)
        return credential

    credential = yield from obtain(known)
    cached = credential.client == known and credential.client.origin == "registered"
    return _PreparedClient(server, credential, cached, obtain)


def _find_known(stored: Credential | None, server: ServerMetadata) -> Credential | None:
    """What is stored, if it came from here.

    A client belongs to the issuer that registered it (MCP 2026-07-28, "Server Binding"); and how
    one that was made by hand proves itself to one server says nothing of another.
    """
    if stored is None or not is_registered_with(stored, server.issuer, server.endpoints):
        return None
    return stored


def _check_device_endpoint(server: ServerMetadata, settings: SignInSettings) -> None:
    if settings.device_code and not server.device_authorization_endpoint:
        server.check("device_authorization_endpoint")
        raise SignInFailed(
            f"{server.issuer} does not offer a sign-in by code (no device_authorization_endpoint).",
            hint="Leave out --device-code.",
        )


def conclude(
    credential: Credential, settings: SignInSettings, *, may_store: bool = True
) -> Conversation[Credential]:
    """Saves what a person has got, where we `may_store`: under the lock of the store.

    Raises:
        SignInFailed: it lacks what the settings want of it.
    """
    if settings.use_id_token and credential.id_token is None:
        raise SignInFailed(
            f"{credential.issuer} did not give an ID token, which --use-id-token would send.",
            hint="Leave out --use-id-token, or ask for the scope openid with --scope.",
        )
    if may_store:
        yield from _keep(credential)
    else:
        remember_tokens(credential.tokens)
    return credential


def _begin(
    server: ServerMetadata,
    pending: Credential,
    settings: SignInSettings,
    random_bytes: RandomBytes,
) -> tuple[str, Secret, Secret]:
    """A URL to sign in at, with the `state` and the verifier made for it."""
    state, verifier = make_random_text(random_bytes), make_random_text(random_bytes)
    url = authorization_url(
        server.authorization_endpoint,
        pending,
        state=state,
        verifier=verifier,
        parameters=settings.authorize_parameters,
        prompt=choose_prompt(
            PromptCase(
                server.authorization_endpoint,
                pending.scope,
                server.scopes_supported or (),
                pending.consent,
            )
        ),
    )
    return url, state, verifier


def _make_key(challenge: Challenge, discovered: Discovered) -> Secret | None:
    """The key that the tokens of a new sign-in are bound to, None for bearer tokens."""
    algorithm = choose_algorithm(challenge, discovered)
    return make_key(algorithm) if algorithm else None


def _describe(
    discovered: Discovered,
    client: Client,
    redirect_uris: tuple[str, ...],
    scope: str | None,
    key: Secret | None,
) -> Credential:
    server = discovered.server
    return Credential(
        issuer=server.issuer,
        token_endpoint=server.token_endpoint,
        client=client,
        redirect_uri=choose_redirect_uri(client, redirect_uris) if redirect_uris else "",
        resource=discovered.resource,
        scope=scope or "",
        revocation_endpoint=server.revocation_endpoint,
        dpop_key=key,
        published_by=server.published_by,
        endpoints=server.endpoints,
    )


def _tokens(credential: Credential) -> tuple[object, ...]:
    return credential.access_token, credential.refresh_token


def _has_tokens(credential: Credential | None) -> bool:
    return credential is not None and _tokens(credential) != (None, None)


def _name_scopes(
    error: AuthorizationRefused | TokenError, scope: str, server_scopes: tuple[str, ...] | None
) -> AuthorizationRefused | TokenError:
    """The error, with the scopes that were asked for where it is about them."""
    if error.error != "invalid_scope":
        return error
    return error.with_evidence(describe_asked_scopes(scope, server_scopes))


def _is_dead(client: Client, error: AuthorizationRefused | GrantRefused) -> bool:
    """Whether the client is to be replaced: one of ours alone, the person corrects a static one."""
    return client.origin == "registered" and error.error in _DEAD_CLIENT_ERRORS


def _keep(credential: Credential) -> Conversation[None]:
    remember_tokens(credential.tokens)
    yield from _save(credential, "The sign-in will not outlive this process")


def _save(credential: Credential, otherwise: str) -> Conversation[None]:
    """Stores it, or says that it is not: what cannot be stored still serves until we end."""
    try:
        yield Save(credential)
    except McpRemoteError as error:
        yield Report(f"{otherwise}: {error.sentence()}")


def _save_client(credential: Credential) -> Conversation[None]:
    """Stores a new registration, unless there are tokens: somebody may have stored them meanwhile.

    Nor where another process has the store now, which has tokens or is about to.
    """
    try:
        is_free = yield from ask(AcquireLock(Lock.STORE))
        if is_free and not _has_tokens((yield from ask(Load()))):
            yield Save(credential)
    except McpRemoteError as error:
        yield Report(f"The registration will not outlive this process: {error.sentence()}")
    yield ReleaseLock(Lock.STORE)


def _reserve() -> Conversation[None]:
    """Takes space where there is some: a code is redeemed all the same, it would be lost."""
    with suppress(McpRemoteError):
        yield Reserve()


def _keep_authentication(credential: Credential, error: GrantRefused) -> Conversation[None]:
    """Stores how the client became known: a server that spends a code before would never give any.

    To be played under the lock of the store.
    """
    if error.client is None or error.client == credential.client:
        return
    stored = yield from ask(Load())
    if not _has_tokens(stored):
        known = credential._replace(client=error.client)
        yield from _save(known, "How the client is known will not outlive this process")


def _forget_client(client: Client) -> Conversation[None]:
    """Drops what is stored with `client`, unless somebody has stored another one meanwhile."""
    stored = yield from ask(Load())
    if stored is not None and stored.client == client:
        yield Forget()
        yield Report("The registration is dropped; the next sign-in registers once more.")
