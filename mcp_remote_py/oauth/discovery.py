"""Finds who signs people in for a server: by its resource metadata, then by the metadata there.

RFC 9728 and RFC 8414 in the order of MCP 2025-11-25, "Authorization Server Discovery", with the
endpoints of MCP 2025-03-26 for a server that publishes nothing. Values go on byte for byte as
published. One file: it is one order of questions, each asked because of the answers before it, to
be read from top to bottom. Must not know tokens, clients or how a request is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar, cast

from mcp_remote_py.errors import (
    Interrupted,
    McpRemoteError,
    NotSent,
    SignInFailed,
    SignInUnavailable,
    shorten,
)
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.document import (
    decode_document,
    describe,
    fetch,
    get_json,
    is_outage,
    quote,
)
from mcp_remote_py.oauth.ownership import (
    Belonging,
    Place,
    belongings_of,
    check_owner,
    explain_silence,
    is_issuer,
    is_same_issuer,
    is_wanted,
    must_ask_itself,
    named_by,
    trust_option,
)
from mcp_remote_py.oauth.steps import Conversation, Report
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.url import InvalidUrl, ServerUrl, parse_url

T = TypeVar("T")

MAX_METADATA_URL_LENGTH = 2048
"""Characters of a published URL; Windows opens none much longer."""

MAX_AUTHORIZATION_SERVERS = 5
"""Most of the published ones that are asked: a list must not become a flood of requests."""

_PRINTABLE_ASCII = re.compile(r"[!-~]+")


class ResourceMetadata(NamedTuple):
    """RFC 9728 §2, checked. `scopes_supported` is None where nothing is said, else may be empty."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...] | None
    dpop_required: bool = False
    dpop_algorithms: tuple[str, ...] | None = None


class ServerMetadata(NamedTuple):
    """RFC 8414 §2, checked: each endpoint is "" or a URL that is safe to use.

    `issuer` is spelled as the server itself spells it, which is what an `iss` is compared with.
    A list is None where the server does not publish it. `is_default` tells the endpoints of
    MCP 2025-03-26, which nobody published.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str = ""
    revocation_endpoint: str = ""
    device_authorization_endpoint: str = ""
    scopes_supported: tuple[str, ...] | None = None
    token_endpoint_auth_methods: tuple[str, ...] | None = None
    grant_types: tuple[str, ...] | None = None
    iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False
    dpop_algorithms: tuple[str, ...] | None = None
    """RFC 9449 §5.1."""
    is_default: bool = False
    published_by: str = ""
    """The issuer at whose own well-known place this was found, as we were told it; the origin that
    default endpoints are of. "" for what the person gave."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The URLs that a person, a client or a token is sent to."""
        return (
            self.authorization_endpoint,
            self.token_endpoint,
            self.registration_endpoint,
            self.revocation_endpoint,
            self.device_authorization_endpoint,
        )


class Discovered(NamedTuple):
    """The result of a discovery; `resource` is the value to send, "" for none."""

    resource: str
    scopes_supported: tuple[str, ...] | None
    server: ServerMetadata
    dpop_required: bool = False
    dpop_algorithms: tuple[str, ...] | None = None
    """Those that the MCP server takes, as in its `ResourceMetadata`."""


def discover(
    server_url: str,
    challenge: Challenge,
    settings: SignInSettings,
    audience: tuple[str, ...] | None = None,
) -> Conversation[Discovered]:
    """Finds the authorization server of the MCP server at `server_url`, which may have our secrets.

    `audience` is that of the JWT the person signs in by, None without one.

    Raises:
        SignInFailed: what is published cannot be used, or is not to have what it would get.
        SignInUnavailable: who should have answered did not.
    """
    server = parse_url(server_url)
    if settings.token_endpoint:
        return (yield from _take_as_given(server, challenge, settings))
    belongings = belongings_of(settings, audience)
    return (yield from _discover(server, challenge, settings, belongings))


def _discover(
    server: ServerUrl,
    challenge: Challenge,
    settings: SignInSettings,
    belongings: tuple[Belonging, ...],
) -> Conversation[Discovered]:
    yield Report(f"Asking {server.host} how to sign in.")
    metadata, evidence = yield from _find_resource_metadata(server, challenge, settings)
    if metadata is None:
        # No `resource` is sent: a server from before RFC 9728 cannot know what to do with it.
        metadata = ResourceMetadata("", (), None)
        if challenge.resource_metadata:
            named = mask_url(challenge.resource_metadata)
            reason = f"The server names {named} as resource metadata: not found ({evidence})."
        else:
            reason = ""
    else:
        reason = "The server's resource metadata does not name an authorization server."
    if metadata.authorization_servers:
        found = yield from _choose_server(metadata.authorization_servers, settings, belongings)
    else:
        found = yield from _find_at_origin(server, reason, settings)
        found = yield from _settle_owner(found, settings, belongings)
    yield Report(f"The authorization server is {shorten(found.issuer)}.")
    resource = metadata.resource if settings.resource is None else settings.resource
    if not settings.send_resource:
        resource = ""
    return Discovered(
        resource,
        metadata.scopes_supported,
        found,
        metadata.dpop_required,
        metadata.dpop_algorithms,
    )


def _take_as_given(
    server: ServerUrl, challenge: Challenge, settings: SignInSettings
) -> Conversation[Discovered]:
    """The person knows the token endpoint: nothing is asked, and it stands for its issuer.

    But a JWT that is made for the server names the issuer (RFC 7523bis, SEP-990): then it is looked
    for, and taken from metadata that publish this very endpoint. An issuer the person named stands
    before either. Nothing that belongs to them goes anywhere else than to the endpoint.
    """
    endpoint, named = settings.token_endpoint, named_by(settings)
    issuer = named.issuers[0] if named.of_client else endpoint
    given = ServerMetadata(issuer=issuer, authorization_endpoint="", token_endpoint=endpoint)
    if settings.unattended is not None and settings.unattended.names_issuer:
        try:
            found = yield from _discover(server, challenge, settings, ())
        except SignInFailed as error:
            yield Report(f"The issuer of {mask_url(endpoint)} was not found: {error.cause}")
        else:
            if found.server.token_endpoint != endpoint:
                other = mask_url(found.server.token_endpoint)
                yield Report(f"Its token endpoint is {other}, not the one that was given.")
            elif not named.of_client or is_same_issuer(found.server.issuer, issuer):
                return found
            return found._replace(server=given)
    resource = str(server) if settings.resource is None else settings.resource
    return Discovered(resource if settings.send_resource else "", None, given)


# The protected resource ----------------------------------------------------------------------


def _find_resource_metadata(
    server: ServerUrl, challenge: Challenge, settings: SignInSettings
) -> Conversation[tuple[ResourceMetadata | None, str]]:
    def judge(document: dict[str, object]) -> ResourceMetadata:
        return _judge_resource_metadata(document, server, settings)

    path, question, query = server.target.partition("?")
    inserted = path.removesuffix("/")  # RFC 9728 §3.1 removes it from an empty path only, but
    paths = (path if inserted else "") + question + query, inserted, ""  # /mcp/ is typed for /mcp
    well_known = f"{server.origin}/.well-known/oauth-protected-resource"
    urls = [f"{well_known}{path}" for path in paths]
    named = challenge.resource_metadata
    if named and _is_fetchable(named, server):
        urls.insert(0, named)
    return (yield from _find_first(urls, judge))


def _is_fetchable(url: str, server: ServerUrl) -> bool:
    """Whether the server may send us there: safe, or the origin the person chose anyway."""
    if url.startswith(f"{server.origin}/") and len(url) <= MAX_METADATA_URL_LENGTH:
        return True
    try:
        check_endpoint(url, "resource_metadata")
    except SignInFailed:
        return False
    return True


def _judge_resource_metadata(
    document: dict[str, object], server: ServerUrl, settings: SignInSettings
) -> ResourceMetadata:
    """RFC 9728 §3.3: metadata of another resource must not be used.

    As in MCP's own SDKs a resource may also stand for all below it: `https://example.com` covers
    `https://example.com/mcp`, and not the other way round.
    """
    resource = document.get("resource")
    if not isinstance(resource, str) or not resource:
        raise SignInFailed(
            "The server's resource metadata does not say which resource it is for.",
            hint="Tell whoever runs the server.",
        )
    if settings.resource is None and not _covers(resource, server):
        raise SignInFailed(
            f"The server's resource metadata is for {quote(mask_url(resource))}, which is not "
            f"{quote(mask_url(str(server)))}: a token could be for someone else.",
            hint="Check the URL. If it is right and you trust the server, name the resource with "
            "--resource.",
        )
    return ResourceMetadata(
        resource,
        _read_words(document, "authorization_servers") or (),
        _read_words(document, "scopes_supported"),
        _is_true(document, "dpop_bound_access_tokens_required"),
        _read_words(document, "dpop_signing_alg_values_supported"),
    )


def _covers(resource: str, server: ServerUrl) -> bool:
    """Whether `server` is `resource` or below it, at a boundary of the path on one origin."""
    if not _PRINTABLE_ASCII.fullmatch(resource) or "#" in resource:
        return False
    try:
        url = parse_url(resource)
    except InvalidUrl:
        return False
    path, _, query = url.target.partition("?")
    server_path, _, server_query = server.target.partition("?")
    return (
        url.origin == server.origin
        and f"{server_path.rstrip('/')}/".startswith(f"{path.rstrip('/')}/")
        and query in ("", server_query)
    )


# The authorization server --------------------------------------------------------------------


def _choose_server(
    issuers: tuple[str, ...], settings: SignInSettings, belongings: tuple[Belonging, ...]
) -> Conversation[ServerMetadata]:
    """The first that can be used (RFC 9728 §7.6 leaves it to the client), before all a named one.

    One that may not have what it would get is not the end: a later one may.
    """
    problems: list[SignInFailed] = []
    named = named_by(settings)
    issuers = tuple(sorted(issuers, key=lambda one: not is_wanted(one, belongings, named)))
    for issuer in issuers[:MAX_AUTHORIZATION_SERVERS]:
        try:
            server = check_endpoint(issuer, "authorization server")
            found = yield from _find_server_metadata(issuer, server, settings)
            found = yield from _settle_owner(found, settings, belongings)
        except SignInFailed as problem:
            problems.append(problem)
        else:
            return found
    raise problems[0]


def _settle_owner(
    found: ServerMetadata, settings: SignInSettings, belongings: tuple[Belonging, ...]
) -> Conversation[ServerMetadata]:
    """The metadata whose endpoints may have the person's secrets: `found`, or its issuer's own.

    Raises:
        SignInFailed: it may not have it, or its issuer cannot be asked.
    """
    named = named_by(settings)
    if belongings and must_ask_itself(_place_of(found), named):
        publisher, issuer = shorten(found.published_by), shorten(found.issuer)
        yield Report(f"{publisher} publishes metadata of {issuer}: asking that issuer itself.")
        try:
            server = check_endpoint(found.issuer, "issuer")
            found = yield from _find_server_metadata(found.issuer, server, settings)
        except SignInUnavailable:
            raise
        except SignInFailed as problem:
            raise explain_silence(_place_of(found), named, problem) from problem
    check_owner(_place_of(found), belongings, named)
    return found


def _place_of(found: ServerMetadata) -> Place:
    return Place(found.issuer, found.published_by, found.token_endpoint)


def _find_server_metadata(
    issuer: str, server: ServerUrl, settings: SignInSettings
) -> Conversation[ServerMetadata]:
    path = server.target.removesuffix("/")
    urls = [
        f"{server.origin}/.well-known/oauth-authorization-server{path}",
        f"{server.origin}/.well-known/openid-configuration{path}",
        f"{server.origin}{path}/.well-known/openid-configuration",
    ]

    def judge(document: dict[str, object]) -> ServerMetadata:
        return _judge_server_metadata(document, issuer, settings)

    found, evidence = yield from _find_first(urls, judge)
    if found is None:
        raise SignInFailed(
            f"The authorization server {quote(issuer)} does not publish metadata ({evidence}).",
            hint="Tell whoever runs the server.",
        )
    return found


def _find_at_origin(
    server: ServerUrl, reason: str, settings: SignInSettings
) -> Conversation[ServerMetadata]:
    """MCP 2025-03-26: the server's own origin signs people in, if need be at default paths.

    `reason` is "" for a server that may be that old; else it says why this is asked, and nobody
    goes to default paths.
    """

    def judge(document: dict[str, object]) -> ServerMetadata:
        return _judge_server_metadata(document, server.origin, settings)

    well_known = f"{server.origin}/.well-known"
    urls = [f"{well_known}/oauth-authorization-server", f"{well_known}/openid-configuration"]
    found, _ = yield from _find_first(urls, judge)
    if found is not None:
        return found
    if reason:
        raise SignInFailed(reason, hint="Tell whoever runs the server.")
    origin = server.origin
    check_endpoint(origin, "address of the server's own sign-in")
    return ServerMetadata(
        issuer=origin,
        authorization_endpoint=f"{origin}/authorize",
        token_endpoint=f"{origin}/token",
        registration_endpoint=f"{origin}/register",
        is_default=True,
        published_by=origin,
    )


def _judge_server_metadata(
    document: dict[str, object], expected: str, settings: SignInSettings
) -> ServerMetadata:
    issuer = _judge_issuer(document.get("issuer"), expected, settings)
    grants = _read_words(document, "grant_types_supported")
    # RFC 8414 §2: the default has it
    has_page = not grants or "authorization_code" in grants
    if settings.unattended is None and has_page:
        if not document.get("authorization_endpoint"):
            raise SignInFailed(
                f"The metadata of {issuer} does not name an authorization_endpoint.",
                hint="Tell whoever runs the authorization server.",
            )
        _judge_pkce(document, issuer, settings)
    return ServerMetadata(
        issuer=issuer,
        authorization_endpoint=_read_endpoint(document, "authorization_endpoint"),
        token_endpoint=_read_endpoint(document, "token_endpoint", required_of=issuer),
        registration_endpoint=_read_endpoint(document, "registration_endpoint"),
        revocation_endpoint=_read_endpoint(document, "revocation_endpoint"),
        device_authorization_endpoint=_read_endpoint(document, "device_authorization_endpoint"),
        scopes_supported=_read_words(document, "scopes_supported"),
        token_endpoint_auth_methods=_read_words(document, "token_endpoint_auth_methods_supported"),
        grant_types=grants,
        iss_parameter_supported=_is_true(
            document, "authorization_response_iss_parameter_supported"
        ),
        client_id_metadata_document_supported=_is_true(
            document, "client_id_metadata_document_supported"
        ),
        dpop_algorithms=_read_words(document, "dpop_signing_alg_values_supported"),
        published_by=expected,
    )


def _judge_issuer(issuer: object, expected: str, settings: SignInSettings) -> str:
    """RFC 8414 §3.3: the document must name the issuer whose well-known URL it came from."""
    if not isinstance(issuer, str) or not is_issuer(issuer):
        raise SignInFailed(
            f"The metadata of the authorization server {quote(expected)} does not name a valid "
            "issuer.",
            hint="Tell whoever runs the authorization server.",
        )
    trusted = issuer in settings.trusted_issuers
    if not trusted and not is_same_issuer(issuer, expected):
        raise SignInFailed(
            f"The metadata of the authorization server {quote(expected)} names another issuer, "
            f"{quote(issuer)}.",
            hint=f"If you trust that issuer, add {trust_option(issuer)}.",
        )
    return issuer


def _judge_pkce(document: dict[str, object], issuer: str, settings: SignInSettings) -> None:
    """MCP 2025-11-25: without a promise of S256 a client must not go on.

    Some servers that know PKCE do not say so (Microsoft Entra): there a person may.
    """
    methods = _read_words(document, "code_challenge_methods_supported")
    if methods is None:
        if issuer not in settings.trusted_issuers:
            raise SignInFailed(
                f"The metadata of {issuer} does not list PKCE (code_challenge_methods_supported), "
                "without which a sign-in is not safe.",
                hint=f"If you know that it supports S256, add {trust_option(issuer)}.",
            )
    elif "S256" not in methods:
        raise SignInFailed(
            f"The authorization server {issuer} does not support PKCE with S256, without which a "
            f"sign-in is not safe (it lists {quote(' '.join(methods))}).",
            hint="Tell whoever runs the authorization server.",
        )


# Documents and their members -----------------------------------------------------------------


def _find_first(
    urls: Iterable[str], judge: Callable[[dict[str, object]], T]
) -> Conversation[tuple[T | None, str]]:
    """The value that `judge` makes of the first document it accepts; None where no URL has one.

    Nothing is a refusal such as 404, a redirect elsewhere, or a page: many servers answer with
    their web page at any path. The text is the evidence for it, of the first URL.

    Raises:
        SignInFailed: the first problem, where a document was not accepted or no answer came.
    """
    evidence: list[str] = []
    problems: list[SignInFailed] = []
    unreachable: set[str] = set()
    for url in dict.fromkeys(urls):
        origin = "/".join(url.split("/")[:3])
        if origin in unreachable:
            continue
        try:
            response = yield from fetch(get_json(url))
        except (NotSent, Interrupted) as error:
            unreachable.add(origin)
            silence = f"no answer from {mask_url(url)}: {error.cause}"
            problems.append(_unavailable(silence, error.hint))
            continue
        except SignInFailed as problem:  # it leads where the server must not lead us
            problems.append(problem)
            continue
        except McpRemoteError as error:
            cause = f"{mask_url(url)} is not usable: {error.cause}"
            problems.append(SignInFailed(cause, hint="Tell whoever runs the server."))
            continue
        document = decode_document(response.body)
        if is_outage(response.status):
            problems.append(_unavailable(describe(url, response)))
        elif not 200 <= response.status < 300 or document is None:
            evidence.append(describe(url, response))
        else:
            try:
                return judge(document), ""
            except SignInFailed as problem:
                cause = f"{problem.cause.removesuffix('.')} (from {mask_url(url)})."
                problems.append(SignInFailed(cause, hint=problem.hint))
    if problems:
        raise problems[0]
    return None, evidence[0]


def _unavailable(evidence: str, hint: str = "") -> SignInUnavailable:
    return SignInUnavailable(
        f"Sign-in discovery failed for now ({evidence.removesuffix('.')}).",
        hint=hint or "Try again later.",
    )


def check_endpoint(url: str, what: str) -> ServerUrl:
    """A URL a server published, parsed, if it is safe to open or to send secrets to.

    Safe is https, or http to this machine, without user info and fragment. All its characters must
    be text of a URL to a shell, a header and a log, too (CVE-2025-6514).

    Raises:
        SignInFailed: it is not.
    """
    if len(url) > MAX_METADATA_URL_LENGTH:
        reason = f"it is {len(url)} characters long"
    elif not _PRINTABLE_ASCII.fullmatch(url):
        reason = "it contains a character that no URL has"
    elif "#" in url:
        reason = "it has a fragment"
    else:
        try:
            parsed = parse_url(url)
        except InvalidUrl:
            reason = "it is not of the form https://host/path"
        else:
            if parsed.is_protected:
                return parsed
            reason = "plain http to another machine can be read and changed on the way"
    raise SignInFailed(
        f"The {what} {quote(mask_url(url))} must not be used: {reason}.",
        hint="Tell whoever runs the server.",
    )


def _read_endpoint(document: dict[str, object], name: str, *, required_of: str = "") -> str:
    """The URL, byte for byte; "" where it is absent, null or empty."""
    value = document.get(name) or ""
    if not isinstance(value, str):
        raise SignInFailed(
            f"The {name} in the metadata is not a text.",
            hint="Tell whoever runs the authorization server.",
        )
    if value:
        check_endpoint(value, name)
    elif required_of:
        raise SignInFailed(
            f"The metadata of {required_of} does not name the {name}.",
            hint="Tell whoever runs the authorization server.",
        )
    return value


def _read_words(document: dict[str, object], name: str) -> tuple[str, ...] | None:
    """A list of texts; also written as one text with blanks. None where it is absent or null."""
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return tuple(value.split())
    words = cast("list[object]", value) if isinstance(value, list) else [None]
    texts = tuple(word for word in words if isinstance(word, str))
    if len(texts) != len(words):
        raise SignInFailed(
            f"The {name} in the metadata is not a list of texts.",
            hint="Tell whoever runs the server.",
        )
    return texts


def _is_true(document: dict[str, object], name: str) -> bool:
    return document.get(name) is True
