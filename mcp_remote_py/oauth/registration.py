"""The client that we are at an authorization server: given, documented, remembered, registered.

The order is that of MCP 2025-11-25, "Client Registration Approaches". What a server answers to a
registration (RFC 7591 §3.2.1) is judged before it is used. Must not know users, browsers or where
a client is kept: the caller gives only one that belongs to this issuer.
"""

from __future__ import annotations

import re
from typing import cast
from urllib.parse import unquote_plus

from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NotSent,
    SignInFailed,
    SignInUnavailable,
    shorten,
    words_of,
)
from mcp_remote_py.oauth.client_authentication import METHODS, choose_method_of
from mcp_remote_py.oauth.discovery import explain_no_sign_in
from mcp_remote_py.oauth.document import (
    MOMENT,
    Posting,
    decode_document,
    describe,
    describe_briefly,
    fetch,
    hint_at_wait,
    is_outage,
    name_target,
    post_json,
    quote,
    read_retry_after,
)
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.oauth.registration_readings import (
    MAX_REGISTRATIONS,
    REGISTRATION_READINGS,
    Choices,
    RegistrationReading,
    RegistrationRefusal,
    read_registration_refusal,
)
from mcp_remote_py.oauth.static_client import (
    CLIENT_INFO_OPTION,
    find_client,
    is_covered,
    read_client_id,
    read_client_members,
    read_client_secret,
    read_static_client,
    read_texts,
)
from mcp_remote_py.oauth.steps import (
    Client,
    Conversation,
    HttpRequest,
    HttpResponse,
    Report,
    Wait,
)
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret, mask_url, remember
from mcp_remote_py.settings.sign_in import SignInSettings

CLIENT_NAME = "mcp-remote-py"

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

_CLIENT_METADATA = "--static-oauth-client-metadata"
_BY_HAND = (
    f"Register a client there by hand and give it with {CLIENT_INFO_OPTION} "
    """'{"client_id": "..."}'."""
)
_REGISTRATION_ERRORS = frozenset(
    {
        *("invalid_redirect_uri", "invalid_client_metadata"),
        *("invalid_software_statement", "unapproved_software_statement"),
    }
)
"""RFC 7591 §3.2.2: only who registers clients says so."""
_CODE = lazy_pattern(r"[a-z]+(?:_[a-z]+)+")
"""An error of OAuth; any other server has words, or a name of the status."""
_DEAD_CLIENT = lazy_pattern(
    # \b also keeps invalid_client_metadata apart, which is not a verdict on the client.
    r"\b(?:invalid_client|unauthorized_client"
    r"|invalid[ _]redirect(?:[ _]uri)?|redirect_uri_mismatch"
    r"|(?:unknown|unrecognized|unregistered|invalid) client(?:[ _]id)?)\b",
    re.IGNORECASE,
)


def obtain_client(
    server: ServerMetadata,
    redirect_uris: tuple[str, ...],
    stored: Client | None,
    settings: SignInSettings,
    scope: str | None,
    now: float,
) -> Conversation[Client]:
    """The client to sign in as.

    `redirect_uris` are those we listen on, the preferred first, none for a sign-in without a way
    back. `stored` is what was registered at this issuer before, `scope` what will be asked for,
    `now` seconds since the epoch.

    Raises:
        UsageError: what the person gave for a client is not a client.
        SignInFailed: the server lets nobody register, or not us.
        SignInUnavailable: the registration was not answered.
    """
    if settings.static_client is not None:
        return read_static_client(settings.static_client, server, redirect_uris, settings, stored)
    if settings.unattended is not None:
        return Client("", "static")  # its JWT says who it is
    if settings.client_metadata_url and server.client_id_metadata_document_supported:
        return Client(settings.client_metadata_url, "document", redirect_uris=redirect_uris)
    if stored is not None and _is_usable(stored, redirect_uris, now):
        return stored
    if not server.registration_endpoint:
        server.check("registration_endpoint")
        unread = ", and does not say that it reads the document of --client-metadata-url"
        raise SignInFailed(
            f"The authorization server {server.issuer} does not let clients register themselves"
            f"{unread if settings.client_metadata_url else ''}.",
            hint=f"{_BY_HAND} {_document_hint(server)}".rstrip(),
        )
    yield Report(f"Registering at {shorten(server.issuer)}.")
    members = read_client_members(settings.static_client_metadata, _CLIENT_METADATA)
    client = yield from _register(server, redirect_uris, members, settings, scope, now)
    if client.client_secret is not None:
        remember((client.client_secret,))
    return client


def choose_redirect_uri(client: Client, redirect_uris: tuple[str, ...]) -> str:
    """The one of `redirect_uris` to send: one registered to the letter, else but for its port.

    RFC 8252 §7.3 lets a loopback redirect have any port, and not every server follows it.
    """
    for uri in redirect_uris:
        if uri in client.redirect_uris:
            return uri
    for uri in redirect_uris:
        if is_covered(uri, client.redirect_uris):
            return uri
    return redirect_uris[0]


def _is_usable(client: Client, redirect_uris: tuple[str, ...], now: float) -> bool:
    """Whether it may be used again; with exact redirect URIs only, for a refused tab costs more."""
    return (
        client.origin == "registered"
        and not 0 < client.secret_expires_at <= now
        and (not redirect_uris or any(uri in client.redirect_uris for uri in redirect_uris))
    )


def _document_hint(server: ServerMetadata) -> str:
    if not server.client_id_metadata_document_supported:
        return ""
    return "Or publish a client metadata document and give its URL with --client-metadata-url."


# Registration --------------------------------------------------------------------------------


def _register(
    server: ServerMetadata,
    redirect_uris: tuple[str, ...],
    members: dict[str, object],
    settings: SignInSettings,
    scope: str | None,
    now: float,
) -> Conversation[Client]:
    """Registers all of `redirect_uris` and what else we are, or the part that the server takes.

    A change that was met by the very same refusal is taken back; any other one stays, for there may
    be more that the server does not take. What the person gave is never changed.
    """
    asked: dict[str, object] = {
        "client_name": CLIENT_NAME,
        "redirect_uris": list(redirect_uris) or None,
        "grant_types": _choose_grants(server, settings),
        "response_types": ["code"],
        "token_endpoint_auth_method": _choose_method(server),
        # OpenID Connect Registration §2: "web", the default, takes no loopback redirect.
        "application_type": "native",
        "scope": scope,
        **members,
    }
    asked = _without_nothing(asked)
    choices = Choices(redirect_uris, _methods_of(server), server.scopes_supported or ())
    left = list(REGISTRATION_READINGS)
    before, said, past = asked, None, [asked]
    refusals: list[tuple[RegistrationRefusal, HttpResponse]] = []
    requests, patience, posting = 0, MOMENT, Posting()
    while True:
        response = yield from _ask(server, asked, posting, may_break=not refusals)
        requests += 1
        wait = read_retry_after(response, now)
        is_last = requests == MAX_REGISTRATIONS
        if is_outage(response.status) and wait is not None and wait <= patience and not is_last:
            yield Wait(wait)
            patience = -1.0  # once
            response = yield from _ask(server, asked, posting)
            requests += 1
        document = decode_document(response.body) or {}
        if 200 <= response.status < 300 and document and not document.get("error"):
            return _judge_client(document, response, server, redirect_uris, asked)
        refusal = read_registration_refusal(response)
        refusals.append((refusal, response))
        if requests == MAX_REGISTRATIONS or not _may_be_otherwise(refusal, server):
            break
        if refusal == said:
            asked = before
        fitting = [one for one in left if one.applies(refusal)]
        ways = ((one, _change(one, asked, choices, members)) for one in fitting)
        reading, changed = next((way for way in ways if way[1] not in past), (None, asked))
        if reading is None:
            break
        left.remove(reading)
        past.append(changed)
        how = f"HTTP {response.status}" if response.status else "the connection broke off"
        said_so = f"The registration was refused ({how}): asking once more, {reading.name}."
        yield Report(said_so, is_detail=True)
        before, said, asked = asked, refusal, changed
    if refusal.is_verdict:  # else the others were, and would be told in vain
        most = max(one.telling for one, _ in refusals)
        response = [answer for one, answer in refusals if one.telling == most][-1]
        document = decode_document(response.body) or {}
    if 200 <= response.status < 300 and not document and not server.is_default:
        return _judge_client(document, response, server, redirect_uris, asked)
    raise _explain_refusal(response, server, now)


def _may_be_otherwise(refusal: RegistrationRefusal, server: ServerMetadata) -> bool:
    """Whether another request may be answered otherwise.

    At an address that nobody named, any page may be, or nothing.
    """
    is_nothing = refusal.status < 300 or refusal.status in (401, 404, 405)
    return refusal.may_be_verdict and not (server.is_default and is_nothing)


def _change(
    reading: RegistrationReading,
    asked: dict[str, object],
    choices: Choices,
    members: dict[str, object],
) -> dict[str, object]:
    """What is asked for by that reading; `members` are the person's."""
    change = reading.change(asked, choices)
    ours = {name: value for name, value in change.items() if name not in members}
    return _without_nothing({**asked, **ours})


def _without_nothing(members: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}


def _ask(
    server: ServerMetadata, asked: dict[str, object], posting: Posting, *, may_break: bool = False
) -> Conversation[HttpResponse]:
    """The answer; one of status 0 where the connection `may_break`, and did: firewalls do so."""
    url = server.registration_endpoint
    try:
        return (yield from posting.post(post_json(url, asked)))
    except (NotSent, Interrupted) as error:
        if (
            may_break
            and isinstance(error, Interrupted)
            and len(read_texts(asked.get("redirect_uris"))) > 1
        ):
            return HttpResponse(0, {}, b"")
        raise SignInUnavailable(
            f"The registration at {mask_url(url)} was not answered: {error.cause}",
            hint="Try again later.",
        ) from error


def _methods_of(server: ServerMetadata) -> tuple[str, ...]:
    """Those it offers; RFC 8414 §3.2: a list without an element is one that is not there."""
    offered = server.token_endpoint_auth_methods or METHODS
    return tuple(method for method in METHODS if method in offered)


def _choose_method(server: ServerMetadata) -> str:
    """The method of a new client; one without a secret where the server lists nothing."""
    methods = _methods_of(server)
    if not methods:
        offered = server.token_endpoint_auth_methods or ()
        raise SignInFailed(
            f"The authorization server {server.issuer} does not offer a client authentication that "
            f"is supported here (it lists {quote(' '.join(offered))}).",
            hint=f"{_BY_HAND} Supported are {', '.join(METHODS)}.",
        )
    return methods[0]


def _choose_grants(server: ServerMetadata, settings: SignInSettings) -> list[str]:
    """The grants to register for: some servers refuse a client that asks for one they lack."""
    grants = ["authorization_code"]
    if server.may_renew:
        grants.append("refresh_token")
    if settings.device_code:
        grants.append(DEVICE_CODE_GRANT)
    return grants


def _judge_client(
    document: dict[str, object],
    response: HttpResponse,
    server: ServerMetadata,
    redirect_uris: tuple[str, ...],
    asked: dict[str, object],
) -> Client:
    url = server.registration_endpoint
    document = find_client(document)
    client_id = read_client_id(document)
    if not client_id:
        raise SignInFailed(
            "The answer to the registration does not contain a client_id "
            f"({describe_briefly(url, response)}).",
            hint=_BY_HAND,
        )
    secret = read_client_secret(document)
    method = _read_method(document.get("token_endpoint_auth_method"))
    if secret is None and method in (None, *METHODS):
        method = "none"  # without a secret nothing else is possible, whatever is echoed
    elif secret is not None and method == _JWT_BY_KEY and server.token_endpoint_auth_methods:
        method = choose_method_of(secret, server)  # one of those that it lists itself
    elif method is None:
        method = asked.get("token_endpoint_auth_method")
        if method == "none":
            method = choose_method_of(secret, server)
    if method not in METHODS:
        raise SignInFailed(
            f"The authorization server registered us with {quote(str(method))} for "
            f"client authentication, which is not supported here (from {mask_url(url)}).",
            hint=f"{_BY_HAND} Supported are {', '.join(METHODS)}.",
        )
    sent = read_texts(asked.get("redirect_uris")) or redirect_uris
    registered = read_texts(document.get("redirect_uris")) or sent
    # Frameworks that normalise URLs add a slash, to what they compare with as well.
    alike = registered + tuple(uri.removesuffix("/") for uri in registered)
    kept = tuple(uri for uri in redirect_uris if is_covered(uri, alike))
    if redirect_uris and not kept:
        raise SignInFailed(
            f"The authorization server registered {quote(' '.join(registered))} as redirect URI, "
            f"not {redirect_uris[0]} (from {mask_url(url)}).",
            hint="Choose the same address with the options PORT, --host and --callback-path.",
        )
    return Client(
        client_id,
        "registered",
        secret,
        str(method),
        kept,
        _read_time(document.get("client_secret_expires_at")),
    )


_JWT_BY_KEY = "client_secret_jwt"
_OTHER_METHODS = lazy_pattern(r"jwt|tls|kerberos|spnego|attest", re.IGNORECASE)
"""Of methods that are none of ours, and that the server means (RFC 7591 §2, RFC 8705 §2)."""


def _read_method(value: object) -> object:
    """The method in any spelling; None for a word that is not one, such as a language's own."""
    if isinstance(value, list):
        value = next(iter(cast("list[object]", value)), None)
    if not isinstance(value, str):
        return value
    method = value.strip().lower()
    return method if method in METHODS or _OTHER_METHODS.search(method) else None


def _read_time(value: object) -> float:
    """Seconds since the epoch; some servers write numbers as texts."""
    if isinstance(value, int | float | str):
        try:
            return max(0.0, float(value))
        except (ValueError, OverflowError):
            return 0.0
    return 0.0


def _explain_refusal(response: HttpResponse, server: ServerMetadata, now: float) -> SignInFailed:
    url, status = server.registration_endpoint, response.status
    said = read_registration_refusal(response)
    error, description = said.error, said.description
    if error:
        words = f"{error}: {description}" if description else error
        evidence = f"{describe_briefly(url, response)}: {quote(words)}"
    elif 200 <= status < 300:
        evidence = describe_briefly(url, response)
    else:
        evidence = describe(url, response)
    wait = read_retry_after(response, now)
    if is_outage(status) or wait is not None:
        return SignInUnavailable(
            f"The authorization server cannot register us at the moment ({evidence}).",
            hint="Try again later." if wait is None else hint_at_wait(wait, now),
            retry_after=wait,
        )
    is_code = _CODE.fullmatch(error) is not None
    if server.is_default and error not in _REGISTRATION_ERRORS and not (status == 400 and is_code):
        return explain_no_sign_in(evidence)
    if status in (401, 403):
        return SignInFailed(
            f"The authorization server does not let every client register ({evidence}).",
            hint=f"{_BY_HAND} {_document_hint(server)}".rstrip(),
        )
    hint = f"Change what is asked for with {_CLIENT_METADATA}, or: {_BY_HAND}"
    if name_target(response):
        hint = f"Its metadata must name the address itself: tell whoever runs it, or: {_BY_HAND}"
    return SignInFailed(f"The authorization server refused to register us ({evidence}).", hint=hint)


# A registration that may be forgotten --------------------------------------------------------


def preflight(authorize_url: str) -> Conversation[bool]:
    """Whether the server still seems to know the registered client that `authorize_url` is for.

    Servers forget clients and then say so to the person only, never at the redirect URI (field
    note 6): so this asks before a tab is opened. Only a verdict on the client is False; a server
    that fails or does not answer has given none.
    """
    try:
        response = yield from fetch(
            HttpRequest("GET", authorize_url, (("accept", Secret("text/html,*/*;q=0.8")),)),
            follow_redirects=False,
        )
    except ExchangeError:
        return True
    if response.status in (400, 401, 422):
        return False
    if 300 <= response.status < 400:
        location = response.headers.get("location", "")
        words = re.split(r"[?#]", location, maxsplit=1)[1:]
        return not _DEAD_CLIENT.search(unquote_plus("".join(words)))
    return response.status >= 500 or not _DEAD_CLIENT.search(words_of(response.body))
