"""What the documents say that tell how to sign in: each one with a verdict, as steps. Pure.

Which one is used and why none can be is decided by `oauth/discovery`, in its words. Must not know
how a document is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import cast

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, tell_step
from mcp_remote_py.errors import McpRemoteError, excerpt, one_line, shorten
from mcp_remote_py.oauth.discovery import Discovered
from mcp_remote_py.oauth.document import decode_document
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.redact import mask_url, scrub_known
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.values import Value

RESOURCE_METADATA = "resource-metadata"
AUTHORIZATION_SERVER = "authorization-server"
REGISTRATION = "registration"
"""Names of steps."""

TITLES = {
    RESOURCE_METADATA: "Who signs people in",
    AUTHORIZATION_SERVER: "Sign-in server",
    REGISTRATION: "Registration",
}

MAX_DOCUMENTS_SHOWN = 20
"""Documents that are told of one by one."""


class DocumentKind(Enum):
    """Whose metadata a document would be."""

    RESOURCE = "resource metadata (RFC 9728)"
    SERVER = "sign-in server metadata (RFC 8414)"


class DocumentSeen(Value, frozen=True):
    """What came for a document; `status` is 0 where nothing came, and `problem` says why."""

    url: str
    kind: DocumentKind
    status: int = 0
    content_type: str = ""
    body: bytes = b""
    problem: str = ""

    @property
    def members(self) -> dict[str, object] | None:
        """Those of the document, None where there is none."""
        return decode_document(self.body) if 200 <= self.status < 300 else None


def kind_of(url: str, named: str) -> DocumentKind:
    """Whose metadata would be at this address; `named` is that of a challenge."""
    is_resource = url == named or "/.well-known/oauth-protected-resource" in url
    return DocumentKind.RESOURCE if is_resource else DocumentKind.SERVER


_SHOWN_MEMBERS = {
    DocumentKind.RESOURCE: ("resource", "authorization_servers", "scopes_supported"),
    DocumentKind.SERVER: (
        *("issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint"),
        *("revocation_endpoint", "device_authorization_endpoint"),
        *("code_challenge_methods_supported", "grant_types_supported"),
        *("client_id_metadata_document_supported", "scopes_supported"),
    ),
}


def list_documents(documents: Sequence[DocumentSeen], *, is_used: bool) -> Iterator[str]:
    """Each document with a verdict; with `is_used` the last that can be read is the one used."""
    readable = [one for one in documents if one.members is not None]
    for document in documents[:MAX_DOCUMENTS_SHOWN]:
        is_last = bool(readable) and document is readable[-1]
        yield one_line(f"{mask_url(document.url)}: {_judge(document, is_used=is_used and is_last)}")
        if is_last:
            yield from _list_members(document)
    if rest := len(documents) - MAX_DOCUMENTS_SHOWN:
        if rest > 0:
            yield f"and {rest} more"


def _judge(document: DocumentSeen, *, is_used: bool) -> str:
    if not document.status:
        return f"no answer ({shorten(document.problem)})"
    if 300 <= document.status < 400:
        return f"HTTP {document.status}, which leads elsewhere: not followed"
    if document.status >= 300:
        return f"HTTP {document.status}: not there"
    if document.members is None:
        kind = shorten(document.content_type) or "no content type"
        words = excerpt(document.body)
        return f'HTTP {document.status}, {kind}: is not a JSON object ("{words}")'
    return f"HTTP {document.status}, a document" + (": used" if is_used else ": not used")


def _list_members(document: DocumentSeen) -> Iterator[str]:
    members = document.members or {}
    for name in _SHOWN_MEMBERS[document.kind]:
        value = members.get(name)
        if value is None:
            if name in ("code_challenge_methods_supported", "registration_endpoint"):
                if document.kind is DocumentKind.SERVER:
                    yield f"  {name}: not there"
            continue
        yield one_line(f"  {name}: {_show(value)}")


def _show(value: object) -> str:
    if isinstance(value, list):
        return shorten(", ".join(_show(one) for one in cast("list[object]", value)[:12]))
    if isinstance(value, str):
        return shorten(mask_url(value) if "://" in value[:9] else value)
    return shorten(str(value)[:200])


# Steps ---------------------------------------------------------------------------------------


def skip_discovery(why: str) -> list[CheckStep]:
    """The steps of a discovery that nothing asks for."""
    return [CheckStep(name, title, StepState.SKIPPED, why) for name, title in TITLES.items()]


def describe_discovered(
    documents: Sequence[DocumentSeen], found: Discovered, seconds: float
) -> list[CheckStep]:
    """A discovery that leads somewhere."""
    of_resource, of_server = _split(documents)
    server = found.server
    has_resource = any(one.members is not None for one in of_resource)
    if has_resource:
        said = f"The server names {shorten(server.issuer)} as its sign-in server."
    else:
        said = "The server does not publish resource metadata: its own host is asked (2025-03-26)."
    asked = [f"tokens are asked for: {shorten(mask_url(found.resource))}"] if found.resource else []
    revocation = [] if server.revocation_endpoint else ["it cannot revoke tokens"]
    flaws = tuple(f"left out: {one_line(scrub_known(flaw))}" for _, flaw in server.flaws)
    return [
        _step(
            RESOURCE_METADATA,
            StepState.PASSED if has_resource else StepState.NOTED,
            said,
            [
                *list_documents(of_resource, is_used=True),
                f"scopes: {_say_scopes(found.scopes_supported)}",
                *asked,
            ],
            seconds=seconds,
        ),
        _step(
            AUTHORIZATION_SERVER,
            StepState.NOTED if server.is_default else StepState.PASSED,
            _say_server(server),
            [*list_documents(of_server, is_used=True), *revocation, *flaws],
        ),
    ]


def _say_scopes(scopes: tuple[str, ...] | None) -> str:
    return "none are named" if scopes is None else shorten(" ".join(scopes)) or "none are needed"


def _say_server(server: ServerMetadata) -> str:
    if server.is_default:
        return (
            f"{shorten(server.issuer)} does not publish metadata: the usual addresses of MCP "
            "2025-03-26 are used, which nobody named."
        )
    return "It says how to sign in."


def describe_undiscovered(
    documents: Sequence[DocumentSeen],
    error: McpRemoteError,
    seconds: float,
    *,
    is_late: bool = False,
) -> list[CheckStep]:
    """A discovery that failed, at the document that it had come to.

    `is_late`: it was only not given more time, so that nothing is known to be wrong.
    """
    state = StepState.NOTED if is_late else StepState.FAILED
    of_resource, of_server = _split(documents)
    resource_was_read = any(one.members is not None for one in of_resource)
    fails_early = not of_server or (
        not resource_was_read and not any(one.members is not None for one in of_server)
    )
    failed = RESOURCE_METADATA if fails_early else AUTHORIZATION_SERVER
    lines = {
        RESOURCE_METADATA: list(list_documents(of_resource, is_used=not fails_early)),
        AUTHORIZATION_SERVER: list(list_documents(of_server, is_used=False)),
    }
    steps = [_step(failed, state, error.cause, lines[failed], error.hint, seconds)]
    if fails_early:
        if lines[AUTHORIZATION_SERVER]:
            steps[0] = steps[0].replace(evidence=(*steps[0].evidence, *lines[AUTHORIZATION_SERVER]))
        steps.append(_skip(AUTHORIZATION_SERVER, "Nobody is known to ask."))
    else:
        state = StepState.PASSED if resource_was_read else StepState.NOTED
        said = (
            "The server publishes resource metadata."
            if resource_was_read
            else "The server does not publish resource metadata."
        )
        steps.insert(0, _step(RESOURCE_METADATA, state, said, lines[RESOURCE_METADATA]))
    steps.append(_skip(REGISTRATION, "There is nobody to register at."))
    return steps


def describe_registration(
    server: ServerMetadata, settings: SignInSettings, error: McpRemoteError | None, known: str
) -> CheckStep:
    """How we become a client there; `error` where that is not possible, nothing is registered.

    `known` is where the client of the stored sign-in comes from, "" without one.
    """
    if error is not None:
        return _step(REGISTRATION, StepState.FAILED, error.cause, (), error.hint)
    if settings.static_client is not None:
        said = "The client that you give is used (--static-oauth-client-info)."
    elif settings.unattended is not None:
        said = "No person signs in: the options say who the client is."
    elif settings.client_metadata_url and server.client_id_metadata_document_supported:
        said = "The client metadata document that you give is used (--client-metadata-url)."
    elif known:
        said = f"A client is stored from an earlier sign-in ({known})."
    elif server.is_default:
        said = "Whether clients may register there is not known: nobody published it."
    else:
        said = "Clients may register there; a sign-in does that by itself."
    return _step(REGISTRATION, StepState.PASSED, said, ())


def _split(
    documents: Sequence[DocumentSeen],
) -> tuple[list[DocumentSeen], list[DocumentSeen]]:
    of_resource = [one for one in documents if one.kind is DocumentKind.RESOURCE]
    return of_resource, [one for one in documents if one.kind is DocumentKind.SERVER]


def _skip(name: str, why: str) -> CheckStep:
    return CheckStep(name, TITLES[name], StepState.SKIPPED, why)


def _step(
    name: str,
    state: StepState,
    said: str,
    evidence: Sequence[str],
    hint: str = "",
    seconds: float | None = None,
) -> CheckStep:
    return tell_step(name, TITLES[name], state, said, evidence, hint, seconds)
