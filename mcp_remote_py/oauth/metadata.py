"""Judges the documents of a sign-in: resource metadata (RFC 9728) and metadata (RFC 8414).

What protects is judged as the RFCs want it: whose document it is, PKCE, and every address that is
used. What this sign-in does not need, and what is written oddly, is left out and remembered as a
flaw: whoever needs it after all says so. Values go on byte for byte as published. Must not know
where a document was found, nor in which order documents are asked for.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from mcp_remote_py.errors import SignInFailed
from mcp_remote_py.oauth.document import quote
from mcp_remote_py.oauth.known_issuers import is_known_pair
from mcp_remote_py.oauth.ownership import is_issuer, is_same_issuer, trust_option
from mcp_remote_py.oauth.scopes import OFFLINE_ACCESS
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.url import InvalidUrl, ServerUrl, parse_url

MAX_METADATA_URL_LENGTH = 2048
"""Characters of a published URL; Windows opens none much longer."""

_PRINTABLE_ASCII = lazy_pattern(r"[!-~]+")

_OPERATOR = "Tell whoever runs the authorization server."

Flaws = tuple[tuple[str, str], ...]
"""Members that were left out, each with the sentence that says why."""


class ResourceMetadata(NamedTuple):
    """RFC 9728 §2, checked. `scopes_supported` is None where nothing is said, else may be empty."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...] | None
    dpop_required: bool = False
    dpop_algorithms: tuple[str, ...] | None = None
    flaws: Flaws = ()


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
    response_types: tuple[str, ...] | None = None
    iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False
    dpop_algorithms: tuple[str, ...] | None = None
    """RFC 9449 §5.1."""
    is_default: bool = False
    published_by: str = ""
    """The issuer at whose own well-known place this was found, as we were told it; the origin that
    default endpoints are of. "" for what the person gave."""
    flaws: Flaws = ()

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

    @property
    def may_renew(self) -> bool:
        """Whether anything here says that there are refresh tokens.

        Some servers leave the grant out of their list, and refuse it to a client that is not
        registered for it, although they gave it such a token: people then sign in for each access
        token. A scope for it is a sign, and so is the grant among the response types, where
        glewlwyd has it.
        """
        return (
            not self.grant_types
            or "refresh_token" in (*self.grant_types, *(self.response_types or ()))
            or OFFLINE_ACCESS in (self.scopes_supported or ())
        )

    def check(self, name: str) -> None:
        """Sees to it that this member, which is needed now, was not left out for a flaw.

        Raises:
            SignInFailed: it was.
        """
        cause = dict(self.flaws).get(name)
        if cause is not None:
            raise SignInFailed(cause, hint=_OPERATOR)


# The protected resource ----------------------------------------------------------------------


def judge_resource(
    document: dict[str, object], server: ServerUrl, settings: SignInSettings
) -> ResourceMetadata:
    """The metadata of `server`.

    RFC 9728 §3.3: metadata of another resource must not be used. As in MCP's own SDKs a resource
    may also stand for all below it: `https://example.com` covers `https://example.com/mcp`, and
    not the other way round. Metadata that do not say it are for the server that led to them: it
    could as well have named itself, and a token is asked for it and for nobody else.

    Raises:
        SignInFailed: it is another's, or cannot be used.
    """
    document = _trim(document)
    resource = _unwrap(document.get("resource", str(server)))
    if not isinstance(resource, str) or not resource:
        raise SignInFailed(
            "The server's resource metadata does not say which resource it is for.",
            hint="Tell whoever runs the server.",
        )
    if settings.resource is None and not _covers(resource, server):
        shown = quote(mask_url(resource)) + (" with a fragment" if "#" in resource else "")
        raise SignInFailed(
            f"The server's resource metadata is for {shown}, which is not "
            f"{quote(mask_url(str(server)))}: a token could be for someone else.",
            hint="Check the URL. If it is right and you trust the server, name the resource with "
            "--resource.",
        )
    members = _Members(document)
    servers = members.read_issuers("authorization_servers")
    if servers is None and members.flaws:  # needed: without it another server would be asked
        raise SignInFailed(
            members.flaws["authorization_servers"], hint="Tell whoever runs the server."
        )
    return ResourceMetadata(
        resource,
        servers or (),
        members.read_words("scopes_supported"),
        members.is_true("dpop_bound_access_tokens_required"),
        members.read_words("dpop_signing_alg_values_supported"),
        members.list_flaws(),
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


def judge_server(
    document: dict[str, object], expected: str, settings: SignInSettings
) -> ServerMetadata:
    """The metadata of the issuer `expected`.

    Raises:
        ForeignDocument: it is another issuer's.
        SignInFailed: it cannot be used.
    """
    document = _trim(document)
    issuer = _judge_issuer(document.get("issuer"), expected, settings)
    members = _Members(document)
    grants = members.read_words("grant_types_supported")
    # RFC 8414 §2: the default has it. And whatever is listed, a page that is named is opened.
    has_page = (
        not grants or "authorization_code" in grants or bool(document.get("authorization_endpoint"))
    )
    opens_page = settings.unattended is None and not settings.device_code
    if opens_page and has_page:
        if not document.get("authorization_endpoint"):
            raise SignInFailed(
                f"The metadata of {issuer} does not name an authorization_endpoint.",
                hint=_OPERATOR,
            )
        _judge_pkce(members, issuer, settings)
    return ServerMetadata(
        issuer=issuer,
        authorization_endpoint=members.read_endpoint("authorization_endpoint", needed=opens_page),
        token_endpoint=_read_token_endpoint(members, issuer),
        registration_endpoint=members.read_endpoint("registration_endpoint"),
        revocation_endpoint=members.read_endpoint("revocation_endpoint"),
        device_authorization_endpoint=members.read_endpoint("device_authorization_endpoint"),
        scopes_supported=members.read_words("scopes_supported"),
        token_endpoint_auth_methods=members.read_words("token_endpoint_auth_methods_supported"),
        grant_types=grants,
        response_types=members.read_words("response_types_supported"),
        iss_parameter_supported=members.is_true("authorization_response_iss_parameter_supported"),
        client_id_metadata_document_supported=members.is_true(
            "client_id_metadata_document_supported"
        ),
        dpop_algorithms=members.read_words("dpop_signing_alg_values_supported"),
        published_by=expected,
        flaws=members.list_flaws(),
    )


class ForeignDocument(SignInFailed):
    """Metadata of another issuer than the one that was asked for."""


def _judge_issuer(issuer: object, expected: str, settings: SignInSettings) -> str:
    """RFC 8414 §3.3: the document must name the issuer whose well-known URL it came from."""
    if not isinstance(issuer, str) or not is_issuer(issuer):
        raise SignInFailed(
            f"The metadata of the authorization server {quote(expected)} does not name a valid "
            "issuer.",
            hint=_OPERATOR,
        )
    trusted = issuer in settings.trusted_issuers or is_known_pair(expected, issuer)
    if not trusted and not is_same_issuer(issuer, expected):
        raise ForeignDocument(
            f"The metadata of the authorization server {quote(expected)} names another issuer, "
            f"{quote(issuer)}.",
            hint=f"If you trust that issuer, add {trust_option(issuer)}.",
        )
    return issuer


def _judge_pkce(members: _Members, issuer: str, settings: SignInSettings) -> None:
    """MCP 2025-11-25: without a promise of S256 a client must not go on.

    Some servers that know PKCE do not say so (Microsoft Entra): there a person may.
    """
    methods = members.read_words("code_challenge_methods_supported")
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
            hint=_OPERATOR,
        )


def _read_token_endpoint(members: _Members, issuer: str) -> str:
    endpoint = members.read_endpoint("token_endpoint", needed=True)
    if not endpoint:
        raise SignInFailed(
            f"The metadata of {issuer} does not name the token_endpoint.", hint=_OPERATOR
        )
    return endpoint


# Members -------------------------------------------------------------------------------------


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


def _trim(document: dict[str, object]) -> dict[str, object]:
    """The document, without blanks around its texts: settings have them, and no value here does."""

    def trim(value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    return {
        name: [trim(item) for item in cast("list[object]", value)]
        if isinstance(value, list)
        else trim(value)
        for name, value in document.items()
    }


def _unwrap(value: object) -> object:
    """The one item of a list that has one; anything else as it is."""
    if not isinstance(value, list):
        return value
    items = cast("list[object]", value)
    return items[0] if len(items) == 1 else items


class _Members:
    """The members of a document; `flaws` has those that were read and cannot be used."""

    def __init__(self, document: dict[str, object]) -> None:
        self._document = document
        self.flaws: dict[str, str] = {}

    def list_flaws(self) -> Flaws:
        """The flaws so far."""
        return tuple(self.flaws.items())

    def read_endpoint(self, name: str, *, needed: bool = False) -> str:
        """The URL, byte for byte; "" where it is absent, null or empty, or flawed and not needed.

        Raises:
            SignInFailed: it is needed, and cannot be used.
        """
        value = self._document.get(name) or ""
        try:
            if not isinstance(value, str):
                raise SignInFailed(f"The {name} in the metadata is not a text.", hint=_OPERATOR)
            if value:
                check_endpoint(value, name)
        except SignInFailed as problem:
            if needed:
                raise
            self.flaws[name] = problem.cause
            return ""
        return value

    def read_words(self, name: str) -> tuple[str, ...] | None:
        """A list of texts; also written as one, with blanks or commas. None where there is none.

        What is not a text in it is left out.
        """
        value = self._document.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            return tuple(value.replace(",", " ").split())
        words = cast("list[object]", value) if isinstance(value, list) else [None]
        texts = tuple(word for word in words if isinstance(word, str))
        if len(texts) == len(words):
            return texts
        self.flaws[name] = f"The {name} in the metadata is not a list of texts."
        return texts or None

    def read_issuers(self, name: str) -> tuple[str, ...] | None:
        """The same for a list of issuers: some write each as an object with its name in it."""
        value = self._document.get(name)
        if isinstance(value, dict | list):
            items = cast("list[object]", value if isinstance(value, list) else [value])
            self._document = {**self._document, name: [_name_issuer(item) for item in items]}
        return self.read_words(name)

    def is_true(self, name: str) -> bool:
        """Whether it is there, and true, which some write as a text; most of these protect."""
        value = self._document.get(name)
        return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _name_issuer(item: object) -> object:
    if not isinstance(item, dict):
        return item
    members = cast("dict[str, object]", item)
    return members.get("issuer") or members.get("url")
