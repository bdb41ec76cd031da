"""The sentences on the documents of a sign-in, each with its verdict."""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.diagnosis.documents import (
    DocumentKind,
    DocumentSeen,
    describe_discovered,
    describe_registration,
    describe_undiscovered,
    kind_of,
    list_documents,
    skip_discovery,
)
from mcp_remote_py.diagnosis.steps import StepState
from mcp_remote_py.errors import SignInFailed
from mcp_remote_py.oauth.discovery import Discovered
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings

AS = "https://as.example"
WELL = f"{AS}/.well-known/oauth-authorization-server"
PRM = "https://mcp.example/.well-known/oauth-protected-resource/mcp"
SERVER = ServerMetadata(AS, f"{AS}/authorize", f"{AS}/token", f"{AS}/register", published_by=AS)


def document(url: str, kind: DocumentKind, **members: object) -> DocumentSeen:
    return DocumentSeen(url, kind, 200, "application/json", json.dumps(members).encode())


OF_RESOURCE = document(PRM, DocumentKind.RESOURCE, resource="https://mcp.example/mcp")
OF_SERVER = document(WELL, DocumentKind.SERVER, issuer=AS, scopes_supported=["a", "b"])


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (DocumentSeen(WELL, DocumentKind.SERVER, problem="it hangs"), "no answer (it hangs)"),
        (DocumentSeen(WELL, DocumentKind.SERVER, 404), "HTTP 404: not there"),
        (
            DocumentSeen(WELL, DocumentKind.SERVER, 302),
            "HTTP 302, which leads elsewhere: not followed",
        ),
        (
            DocumentSeen(WELL, DocumentKind.SERVER, 200, "text/html", b"<p>Hello"),
            'HTTP 200, text/html: is not a JSON object ("Hello")',
        ),
    ],
)
def test_each_document_has_a_verdict(seen: DocumentSeen, said: str) -> None:
    assert list(list_documents([seen], is_used=True)) == [f"{WELL}: {said}"]


def test_of_the_one_that_is_used_the_members_are_told() -> None:
    lines = list(
        list_documents([DocumentSeen(PRM, DocumentKind.SERVER, 404), OF_SERVER], is_used=True)
    )
    assert lines[1] == f"{WELL}: HTTP 200, a document: used"
    assert "issuer: https://as.example" in lines
    assert "scopes_supported: a, b" in lines
    assert any(line.strip() == "registration_endpoint: not there" for line in lines)
    assert any(line.strip() == "code_challenge_methods_supported: not there" for line in lines)
    assert next(iter(list_documents([OF_SERVER], is_used=False))).endswith("not used")


def test_a_flood_of_documents_is_cut() -> None:
    lines = list(list_documents([DocumentSeen(WELL, DocumentKind.SERVER, 404)] * 30, is_used=True))
    assert lines[-1] == "and 10 more"


def test_what_a_document_says_does_not_drive_the_terminal() -> None:
    odd = document(WELL, DocumentKind.SERVER, issuer="\x1b[2Jx" + "y" * 500)
    text = "\n".join(list_documents([odd], is_used=True))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 300


def test_whose_a_document_is_stands_in_its_address() -> None:
    assert kind_of(PRM, "") is DocumentKind.RESOURCE
    assert kind_of("https://mcp.example/about", "https://mcp.example/about") is (
        DocumentKind.RESOURCE
    )
    assert kind_of(WELL, "") is DocumentKind.SERVER


def test_a_discovery_that_leads_somewhere() -> None:
    found = Discovered("https://mcp.example/mcp", ("a",), SERVER)
    resource, server = describe_discovered([OF_RESOURCE, OF_SERVER], found, 0.1)
    assert resource.said == "The server names https://as.example as its sign-in server."
    assert "tokens are asked for: https://mcp.example/mcp" in resource.evidence
    assert "scopes: a" in resource.evidence
    assert server.said == "It says how to sign in."
    assert "it cannot revoke tokens" in server.evidence
    assert resource.state is server.state is StepState.PASSED
    can = SERVER._replace(revocation_endpoint=f"{AS}/revoke", flaws=(("x", "The x is odd."),))
    server = describe_discovered([OF_RESOURCE], found._replace(server=can), 0.1)[1]
    assert "it cannot revoke tokens" not in server.evidence
    assert "left out: The x is odd." in server.evidence


def test_a_server_of_2025_03_26_publishes_nothing() -> None:
    found = Discovered("", None, SERVER._replace(is_default=True))
    resource, server = describe_discovered([], found, 0.1)
    assert resource.said.startswith("The server does not publish resource metadata: its own host")
    assert "the usual addresses of MCP 2025-03-26 are used" in server.said
    assert resource.state is server.state is StepState.NOTED


def test_a_discovery_fails_where_it_had_come_to() -> None:
    error = SignInFailed("It is odd.", hint="Tell them.")
    steps = describe_undiscovered([OF_RESOURCE, OF_SERVER], error, 0.1)
    assert [(one.name, one.state.value) for one in steps] == [
        ("resource-metadata", "passed"),
        ("authorization-server", "failed"),
        ("registration", "skipped"),
    ]
    assert (steps[1].said, steps[1].hint) == ("It is odd.", "Tell them.")
    steps = describe_undiscovered([OF_RESOURCE], error, 0.1)
    assert [one.state.value for one in steps] == ["failed", "skipped", "skipped"]
    late = describe_undiscovered([OF_RESOURCE], error, 0.1, is_late=True)
    assert late[0].state is StepState.NOTED
    gone = DocumentSeen(WELL, DocumentKind.SERVER, 404)
    steps = describe_undiscovered([gone], error, 0.1)
    assert steps[0].name == "resource-metadata"
    assert f"{WELL}: HTTP 404: not there" in steps[0].evidence


@pytest.mark.parametrize(
    ("settings", "server", "known", "said"),
    [
        (SignInSettings(), SERVER, "", "Clients may register there; a sign-in does that by itself"),
        (SignInSettings(), SERVER, "registered", "from an earlier sign-in (registered)"),
        (
            SignInSettings(static_client=Secret('{"client_id": "one"}')),
            SERVER,
            "",
            "The client that you give is used (--static-oauth-client-info)",
        ),
        (
            SignInSettings(client_metadata_url="https://me.example/c.json"),
            SERVER._replace(client_id_metadata_document_supported=True),
            "",
            "(--client-metadata-url)",
        ),
        (SignInSettings(), SERVER._replace(is_default=True), "", "nobody published it"),
    ],
)
def test_how_we_become_a_client(
    settings: SignInSettings, server: ServerMetadata, known: str, said: str
) -> None:
    step = describe_registration(server, settings, None, known)
    assert said in step.said
    assert step.state is StepState.PASSED


def test_where_nobody_can_become_one_and_where_nothing_asks() -> None:
    error = SignInFailed("Closed.", hint="By hand.")
    step = describe_registration(SERVER, SignInSettings(), error, "")
    assert (step.state, step.said, step.hint) == (StepState.FAILED, "Closed.", "By hand.")
    skipped = skip_discovery("Nothing asks.")
    assert [one.said for one in skipped] == ["Nothing asks."] * 3
