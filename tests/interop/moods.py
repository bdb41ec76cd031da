"""Products in a bad mood: what their documents do not allow, and people report all the same.

A mood changes a running server, and says with which options it is met. Must not know the command
under test; what it has to answer is with the test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.interop.shaped_server import Shape, ShapedServer
from tests.interop.shapes import (
    ATLASSIAN,
    AUTH0,
    ENTRA,
    KEYCLOAK,
    SLACK,
    client_info,
)
from tests.peers.authorization_server import Form, OAuthError, query_of
from tests.peers.wild_server import Behaviour, Exchange, Json, answer_status, encode


@dataclass(frozen=True)
class Mood:
    """One variation of a product.

    Attributes:
        set_off: makes the running server so; before the command starts, or with `later`, when it
            has signed in.
        ends_tokens: whether the access tokens end when it has signed in.
        options: what the person has written, where that is not what the row says.
    """

    key: str
    shape: Shape
    what: str
    source: str
    set_off: Callable[[ShapedServer], None]
    later: bool = False
    ends_tokens: bool = False
    options: Callable[[ShapedServer], Sequence[str]] | None = None

    def words(self, server: ShapedServer) -> list[str]:
        """What stands after the URL; whoever waits for a person waits for a moment."""
        if self.options is not None:
            given = [*self.options(server)]
        else:
            given = [*self.shape.options(server), *self.shape.own_options(server)]
        return [*given, "--auth-timeout", "2"]


def do_nothing(server: ShapedServer) -> None:
    """It is as it always is."""


def _answers(endpoint: str, status: int, body: Json) -> Callable[[ShapedServer], None]:
    answer = answer_status(status, encode(body), content_type="application/json")
    return lambda server: server.always(endpoint, answer)


def _answers_who_has_a_token(body: Json) -> Callable[[ShapedServer], None]:
    """What `initialize` is answered with by HTTP 200, once somebody has signed in."""

    def behave(exchange: Exchange) -> None:
        if "authorization" in exchange.headers:
            exchange.reply(200, encode(body))
        else:
            exchange.good()

    return lambda server: server.always("initialize", behave)


def _refuses_to_renew(error: OAuthError, **more: object) -> Callable[[ShapedServer], None]:
    """Each renewal is refused so, in the product's own form; a code is redeemed."""

    def set_off(server: ShapedServer) -> None:
        def behave(exchange: Exchange) -> None:
            if b"grant_type=refresh_token" not in exchange.body:
                exchange.good()
                return
            status, members = server.shape.word(error)
            exchange.reply(status, encode(members | dict(more)))

        server.always("token", behave)

    return set_off


def _page(status: int, text: str) -> Callable[[ShapedServer], None]:
    """The authorization endpoint shows a page, and nobody comes back from it."""
    page = f"<!DOCTYPE html><title>{text}</title><h1>{text}</h1>".encode()
    answer: Behaviour = answer_status(status, page, content_type="text/html")
    return lambda server: server.always("authorize", answer)


def _sends_back(error: str, description: str) -> Callable[[ShapedServer], None]:
    """The authorization endpoint answers by an error at the redirect URI."""

    def set_off(server: ShapedServer) -> None:
        def behave(exchange: Exchange) -> None:
            query: Form = query_of(exchange)
            server.send_back(exchange, query, error, description)

        server.always("authorize", behave)

    return set_off


def _fails_in_tools(exchange: Exchange) -> None:
    words = 'Authentication failed: {"code":401,"message":"Unauthorized"}'
    exchange.result({"content": [{"type": "text", "text": words}], "isError": True})


def _lasts_an_hour(server: ShapedServer) -> None:
    server.policy.lifetime = 3599


MOODS = (
    Mood(
        "keycloak-trusts-nobody",
        KEYCLOAK,
        "The policy as it comes: no host is trusted, nobody may register.",
        "opensearch-mcp-server-py PR 227, OpenLiberty/open-liberty 35062",
        _answers(
            "register",
            403,
            {
                "error": "insufficient_scope",
                "error_description": "Policy 'Trusted Hosts' rejected request to "
                "client-registration service. Details: Host not trusted.",
            },
        ),
    ),
    Mood(
        "keycloak-not-active",
        KEYCLOAK,
        "A refresh token that has not expired is not active.",
        "keycloak/keycloak 37961 and 39266",
        _refuses_to_renew(OAuthError("invalid_grant", "Token is not active")),
        later=True,
        ends_tokens=True,
    ),
    Mood(
        "keycloak-scope",
        KEYCLOAK,
        "A scope that is not assigned to the client is refused at the authorization endpoint.",
        "keycloak/keycloak 8751, PR 4759",
        _sends_back("invalid_scope", "Invalid scopes: mcp:tools offline_access"),
    ),
    Mood(
        "entra-resource",
        ENTRA,
        "`resource` is sent, and refused at the redirect URI.",
        "csharp-sdk 741, vscode 254009, mcp-remote 217",
        do_nothing,
        options=lambda server: [*client_info(server), *ENTRA.own_options(server)],
    ),
    Mood(
        "entra-interaction",
        ENTRA,
        "A renewal wants the person for a second factor.",
        "togetherly 95; learn.microsoft.com, reference-error-codes (AADSTS50076)",
        _refuses_to_renew(
            OAuthError(
                "interaction_required",
                "AADSTS50076: Due to a configuration change made by your administrator, you must "
                "use multi-factor authentication.",
            ),
            suberror="basic_action",
        ),
        later=True,
        ends_tokens=True,
    ),
    Mood(
        "entra-approval",
        ENTRA,
        "The page asks for an administrator's approval, and nobody comes back.",
        "report O8; copilot-cli 4582",
        _page(200, "Need admin approval"),
    ),
    Mood(
        "auth0-audience",
        AUTH0,
        "Nobody has given `audience`: the token is an opaque one for /userinfo.",
        "LibreChat 13401, inspector 566",
        do_nothing,
        options=client_info,
    ),
    Mood(
        "auth0-service",
        AUTH0,
        "The audience is not one of the tenant's APIs.",
        "dust-tt/dust PR 28908",
        do_nothing,
        options=lambda server: [
            *client_info(server),
            *("--authorize-param", "audience=https://example.com/other"),
        ],
    ),
    Mood(
        "auth0-unknown",
        AUTH0,
        "The refresh token is not known any more, by HTTP 403.",
        "auth0/nextjs-auth0 498 and 1282",
        _refuses_to_renew(OAuthError("invalid_grant")),
        later=True,
        ends_tokens=True,
    ),
    Mood(
        "atlassian-issuer",
        ATLASSIAN,
        "Its metadata name another issuer, and nobody has named that one.",
        "atlassian-mcp-server 205",
        do_nothing,
        options=lambda _: [],
    ),
    Mood(
        "atlassian-client",
        ATLASSIAN,
        "The client it has just registered is not known to the page: `failed to retrieve client`.",
        "BerriAI/litellm 42678",
        _page(400, "failed to retrieve client"),
    ),
    Mood(
        "atlassian-tools",
        ATLASSIAN,
        "A tool says 401 in its result, by HTTP 200.",
        "atlassian-mcp-server 32 and 12",
        lambda server: server.always("tools/call", _fails_in_tools),
    ),
    Mood(
        "slack-app",
        SLACK,
        "The app is not enabled for MCP: a JSON-RPC error with the id null.",
        "anthropics/claude-code 37647",
        _answers_who_has_a_token(
            {
                "jsonrpc": "2.0",
                "id": None,
                "error": {
                    "code": -32600,
                    "message": "App is not enabled for Slack MCP server access. Please enable it "
                    "here: https://api.slack.com/apps/A08/app-assistant",
                },
            },
        ),
    ),
    Mood(
        "slack-ok-false",
        SLACK,
        "The code is refused by HTTP 200 and ok:false.",
        "different-ai/openwork PR 3569",
        _answers("token", 200, {"ok": False, "error": "invalid_code"}),
    ),
    Mood(
        "slack-hour",
        SLACK,
        "Tokens live an hour, and there is no refresh token: a sign-in an hour.",
        "slackapi/slack-skills-plugin 2",
        _lasts_an_hour,
        ends_tokens=True,
    ),
)
