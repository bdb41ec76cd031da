"""Finds who signs people in for a server: by its resource metadata, then by the metadata there.

RFC 9728 and RFC 8414 in the order of MCP 2025-11-25, "Authorization Server Discovery", with the
endpoints of MCP 2025-03-26 for a server that publishes nothing. Where documents may lie is
`well_known`'s, what they say `metadata`'s, how they are asked for `document_search`'s. Here is the
order of the questions, each asked because of the answers before it. Must not know tokens, clients
or how a request is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mcp_remote_py.errors import (
    HEADER_EXAMPLE,
    ExchangeError,
    McpRemoteError,
    SignInFailed,
    SignInUnavailable,
    shorten,
)
from mcp_remote_py.oauth.challenge import Challenge, parse_challenge
from mcp_remote_py.oauth.document import describe, fetch, get_json, quote
from mcp_remote_py.oauth.document_search import (
    DocumentSearch,
    Finding,
    Problem,
    Telling,
    most_telling,
)
from mcp_remote_py.oauth.metadata import (
    MAX_METADATA_URL_LENGTH,
    ResourceMetadata,
    ServerMetadata,
    check_endpoint,
    judge_resource,
    judge_server,
)
from mcp_remote_py.oauth.ownership import (
    Belonging,
    Place,
    belongings_of,
    check_owner,
    explain_silence,
    is_same_issuer,
    is_wanted,
    must_ask_itself,
    named_by,
)
from mcp_remote_py.oauth.scopes import find_unknown
from mcp_remote_py.oauth.steps import Conversation, Report
from mcp_remote_py.oauth.well_known import issuer_of, origin_urls, resource_urls, server_urls
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.url import ServerUrl, parse_url

_MARKS_OF_RESOURCE = frozenset({"resource", "authorization_servers"})
_MARKS_OF_SERVER = frozenset({"issuer", "authorization_endpoint", "token_endpoint"})
"""Members of which metadata have one: a document without any is something else."""

MAX_AUTHORIZATION_SERVERS = 5
"""Most of the published ones that are asked: a list must not become a flood of requests."""


class Discovered(NamedTuple):
    """The result of a discovery; `resource` is the value to send, "" for none."""

    resource: str
    scopes_supported: tuple[str, ...] | None
    """The resource's, without those that the authorization server does not have."""
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
    return (yield from _Discovery(server, challenge, settings, belongings).run())


def find_offer(server_url: str, settings: SignInSettings) -> Conversation[str | None]:
    """The challenge to sign in by, at a server that has answered without one; None without any.

    Some want a sign-in for calls alone, and publish it (RFC 9728); "" where that is at the usual
    place, or the person has named the endpoints. It is looked at again by whoever signs in.
    """
    if settings.token_endpoint:
        return ""
    server = parse_url(server_url)
    if (yield from _is_offered(server, Challenge(), settings)):
        return ""
    try:
        # Without a message nothing is executed: who protects anything there says so first.
        response = yield from fetch(get_json(server_url), follow_redirects=False)
    except McpRemoteError:
        return None
    value = response.headers.get("www-authenticate", "")
    challenge = parse_challenge(value)
    if challenge.resource_metadata and (yield from _is_offered(server, challenge, settings)):
        return value
    return None


def _is_offered(
    server: ServerUrl, challenge: Challenge, settings: SignInSettings
) -> Conversation[bool]:
    try:
        metadata = yield from _Discovery(server, challenge, settings, ()).find_resource()
    except SignInFailed as error:
        yield Report(f"What the server publishes of a sign-in is of no use: {error.sentence()}")
        return False
    return metadata is not None and bool(metadata.authorization_servers)


def _take_as_given(
    server: ServerUrl, challenge: Challenge, settings: SignInSettings
) -> Conversation[Discovered]:
    """The person knows the token endpoint: nothing is asked, and it stands for its issuer.

    Where they know the authorization endpoint, too, the issuer is one they have named, if any, and
    no `resource` is sent but theirs, as to every server that does not publish one.

    But a JWT that is made for the server names the issuer (RFC 7523bis, SEP-990): then it is looked
    for, and taken from metadata that publish this very endpoint. An issuer the person named stands
    before either. Nothing that belongs to them goes anywhere else than to the endpoint.
    """
    endpoint, named = settings.token_endpoint, named_by(settings)
    if settings.authorization_endpoint:
        given = ServerMetadata(
            issuer=named.issuers[0] if named.issuers else endpoint,
            authorization_endpoint=settings.authorization_endpoint,
            token_endpoint=endpoint,
            client_id_metadata_document_supported=settings.client_metadata_url is not None,
        )
        yield Report("The endpoints that you named are used; no metadata are asked for.")
        resource = settings.resource or ""
        return Discovered(resource if settings.send_resource else "", None, given)
    issuer = named.issuers[0] if named.of_client else endpoint
    given = ServerMetadata(issuer=issuer, authorization_endpoint="", token_endpoint=endpoint)
    if settings.unattended is not None and settings.unattended.names_issuer:
        try:
            found = yield from _Discovery(server, challenge, settings, ()).run()
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


class _Discovery:
    """One discovery: its questions in their order, and what they have cost so far."""

    def __init__(
        self,
        server: ServerUrl,
        challenge: Challenge,
        settings: SignInSettings,
        belongings: tuple[Belonging, ...],
    ) -> None:
        self._server = server
        self._challenge = challenge
        self._settings = settings
        self._belongings = belongings
        self._search = DocumentSearch()

    def run(self) -> Conversation[Discovered]:
        """The whole of it. Raises as `discover`."""
        settings = self._settings
        yield Report(f"Asking {self._server.host} how to sign in.")
        of_resource = yield from self._find_resource_metadata()
        metadata = of_resource.value
        if metadata is not None and metadata.authorization_servers:
            found = yield from self._choose_server(metadata.authorization_servers)
        else:
            found = yield from self._find_at_origin(of_resource)
            found = yield from self._settle_owner(found)
            if found.is_default and settings.static_client is not None and not settings.unattended:
                yield from check_guessed_page(found.authorization_endpoint)
        # No `resource` is sent: a server from before RFC 9728 cannot know what to do with it.
        metadata = metadata or ResourceMetadata("", (), None)
        for _, flaw in (*metadata.flaws, *found.flaws):
            yield Report(f"Left out of what is published: {flaw}")
        scopes = yield from self._choose_scopes(metadata, found)
        yield Report(f"The authorization server is {shorten(found.issuer)}.")
        resource = metadata.resource if settings.resource is None else settings.resource
        if not settings.send_resource:
            resource = ""
        return Discovered(
            resource,
            scopes,
            found,
            metadata.dpop_required,
            metadata.dpop_algorithms,
        )

    def find_resource(self) -> Conversation[ResourceMetadata | None]:
        """The metadata of the server, None without any. Raises as `discover`."""
        return (yield from self._find_resource_metadata()).value

    def _choose_scopes(
        self, metadata: ResourceMetadata, found: ServerMetadata
    ) -> Conversation[tuple[str, ...] | None]:
        """Those of the resource that the authorization server has: it would refuse the others."""
        scopes = metadata.scopes_supported
        unknown = find_unknown(scopes, found.scopes_supported)
        if scopes is None or not unknown:
            return scopes
        if self._settings.scope is None and not self._challenge.scope:
            words = quote(" ".join(unknown))
            yield Report(f"Not asked for, as {shorten(found.issuer)} does not list it: {words}.")
        left_out = set(unknown)
        return tuple(one for one in " ".join(scopes).split() if one not in left_out)

    # The protected resource ------------------------------------------------------------------

    def _find_resource_metadata(self) -> Conversation[Finding[ResourceMetadata]]:
        """The search for it; one that found nothing may go on at the origin.

        Raises:
            SignInFailed: it must not go on, because there is something and it cannot be used.
        """
        server, named = self._server, self._challenge.resource_metadata
        if named.startswith("/"):
            named = server.origin + named
        if not named or not _is_fetchable(named, server):
            named = ""
        found = yield from self._search.find(
            resource_urls(server, named),
            lambda document: judge_resource(document, server, self._settings),
            _MARKS_OF_RESOURCE,
        )
        if found.value is None:
            worst = most_telling(found.problems)
            if worst is not None and worst.telling in (Telling.WRONG, Telling.CUT_OFF):
                raise worst.error
        for problem in found.problems:
            if problem.telling in (Telling.SILENT, Telling.FAILING):
                yield Report(f"Going on without that: {problem.error.cause}")
        return found

    # The authorization server ----------------------------------------------------------------

    def _choose_server(self, issuers: tuple[str, ...]) -> Conversation[ServerMetadata]:
        """The first that can be used (RFC 9728 §7.6), before all one that the person named.

        One that may not have what it would get is not the end: a later one may.
        """
        problems: list[Problem] = []
        named = named_by(self._settings)
        issuers = tuple(
            sorted(
                map(issuer_of, issuers),
                key=lambda one: not is_wanted(one, self._belongings, named),
            )
        )
        for issuer in issuers[:MAX_AUTHORIZATION_SERVERS]:
            found = yield from self._find_server_metadata(issuer, "authorization server")
            if isinstance(found, Problem):
                problems.append(found)
                continue
            try:
                return (yield from self._settle_owner(found))
            except SignInUnavailable as problem:
                problems.append(Problem(Telling.CUT_OFF, problem))
            except SignInFailed as problem:
                problems.append(Problem(Telling.NOT_OURS, problem))
        raise _worst_of(problems)

    def _settle_owner(self, found: ServerMetadata) -> Conversation[ServerMetadata]:
        """The metadata whose endpoints may have the person's secrets: `found`, or its issuer's own.

        Raises:
            SignInFailed: it may not have it, or its issuer cannot be asked.
        """
        named = named_by(self._settings)
        if self._belongings and must_ask_itself(_place_of(found), named):
            publisher, issuer = shorten(found.published_by), shorten(found.issuer)
            yield Report(f"{publisher} publishes metadata of {issuer}: asking that issuer itself.")
            own = yield from self._find_server_metadata(found.issuer, "issuer")
            if isinstance(own, Problem):
                if isinstance(own.error, SignInUnavailable):
                    raise own.error
                raise explain_silence(_place_of(found), named, own.error) from own.error
            found = own
        check_owner(_place_of(found), self._belongings, named)
        return found

    def _find_server_metadata(
        self, issuer: str, what: str
    ) -> Conversation[ServerMetadata | Problem]:
        try:
            server = check_endpoint(issuer, what)
        except SignInFailed as problem:
            return Problem(Telling.UNFIT, problem)
        found = yield from self._search.find(
            server_urls(server), lambda document: judge_server(document, issuer, self._settings)
        )
        if found.value is not None:
            return found.value
        problems = list(found.problems)
        if found.evidence:
            absent = SignInFailed(
                f"The authorization server {quote(issuer)} does not publish metadata "
                f"({found.evidence}).",
                hint="Tell whoever runs the server.",
            )
            problems.append(Problem(Telling.ABSENT, absent))
        return most_telling(problems) or Problem(Telling.SILENT, _explain_patience(issuer))

    def _find_at_origin(self, before: Finding[ResourceMetadata]) -> Conversation[ServerMetadata]:
        """MCP 2025-03-26: the server's own origin signs people in, if need be at default paths.

        Nobody goes to default paths after the server has named something else, nor where a place
        that was asked `before` may still have an answer.
        """
        server = self._server
        found = yield from self._search.find(
            origin_urls(server),
            lambda document: judge_server(document, server.origin, self._settings),
            _MARKS_OF_SERVER,
        )
        if found.value is not None:
            return found.value
        problems = [*self._explain_resource(before), *before.problems, *found.problems]
        if any(problem.telling is not Telling.UNFIT for problem in problems):
            worst = _worst_of(problems)
            is_named = self._challenge.resource_metadata or before.value is not None
            raise worst if is_named else worst.changed({"hint": f"{worst.hint} {_TRY_HEADER}"})
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

    def _explain_resource(self, found: Finding[ResourceMetadata]) -> Iterator[Problem]:
        """Why the origin had to be asked; nothing for a server that may be that old."""
        named = self._challenge.resource_metadata
        if found.value is not None:
            reason = "The server's resource metadata does not name an authorization server."
        elif named:
            reason = (
                f"The server names {mask_url(named)} as resource metadata: not found "
                f"({found.evidence or 'nothing of it can be read'})."
            )
        else:
            return
        yield Problem(Telling.CUT_OFF, SignInFailed(reason, hint="Tell whoever runs the server."))


def _is_fetchable(url: str, server: ServerUrl) -> bool:
    """Whether the server may send us there: safe, or the origin the person chose anyway."""
    if url.startswith(f"{server.origin}/") and len(url) <= MAX_METADATA_URL_LENGTH:
        return True
    try:
        check_endpoint(url, "resource_metadata")
    except SignInFailed:
        return False
    return True


_NOWHERE = frozenset({401, 404, 405, 410, 501})
"""Statuses that no page for signing in has: what it lacks, a 400 says. A 403 may be for us only."""


def check_guessed_page(url: str) -> Conversation[None]:
    """Sees to it that nobody is sent to a page that was only guessed, and is not there.

    Else a registration shows whether there is anything; a client that is registered has none.

    Raises:
        SignInFailed: it is not there.
    """
    try:
        response = yield from fetch(get_json(url), follow_redirects=False)
    except ExchangeError:
        return  # no verdict: the person will see
    if response.status in _NOWHERE:
        raise explain_no_sign_in(describe(url, response))


_TRY_HEADER = f"If it wants a token, give it with {HEADER_EXAMPLE}."


class NoSignInNamed(SignInFailed):
    """The server wants a credential, and nothing says that it is one of a sign-in."""


def explain_no_sign_in(evidence: str) -> NoSignInNamed:
    """The error for a server that wants a credential and says nothing else of it.

    `evidence` is of what was guessed.
    """
    return NoSignInNamed(
        "The server wants a credential and does not name a sign-in: it does not publish metadata, "
        f"and a sign-in was not found at the usual address ({evidence}).",
        hint=_TRY_HEADER,
    )


def _place_of(found: ServerMetadata) -> Place:
    return Place(found.issuer, found.published_by, found.token_endpoint)


def _worst_of(problems: list[Problem]) -> SignInFailed:
    return max(problems, key=lambda problem: problem.telling).error


def _explain_patience(issuer: str) -> SignInUnavailable:
    return SignInUnavailable(
        f"The authorization server {quote(issuer)} was not asked any more: the servers before it "
        "took too long.",
        hint="Try again later.",
    )
