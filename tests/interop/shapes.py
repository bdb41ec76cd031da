"""Products as rows: how Keycloak, Entra ID, Auth0, Atlassian and Slack look to an MCP client.

Each row says what is odd about it and who says so; where the host's name matters to the product
(or to us), the row says what loopback cannot show. Must not know the command under test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.interop.shaped_server import (
    Quirk,
    Shape,
    ShapedServer,
    without_resource,
)
from tests.peers.authorization_server import (
    Form,
    OAuthError,
    Policy,
    SignIn,
    TokenAnswer,
    as_json,
)
from tests.peers.wild_server import Json

ELSEWHERE = "localhost"
"""The other spelling of this machine: the authorization server is at another origin."""

OPENID_SCOPES = ["openid", "profile", "email", "offline_access"]


def with_more(make: Callable[[Json], Json]) -> TokenAnswer:
    """A token answer with further members, or other ones."""
    return lambda members: as_json(make(members))


def for_itself(server: ShapedServer, sign_in: SignIn, asked: Form) -> str:
    """Its MCP server takes whatever it gives."""
    return server.resource


def template_issuer(server: ShapedServer) -> str:
    """Entra's, for any tenant."""
    return f"{server.authority}/{{tenantid}}/v2.0"


def client_info(server: ShapedServer, **more: Any) -> list[str]:
    """The options for a client that a person has registered by hand: its port, and what it is."""
    assert server.client is not None
    info = {"client_id": server.client.client_id, **more}
    if server.client.secret:
        info["client_secret"] = server.client.secret
    words = [str(server.redirect_port), "--static-oauth-client-info", json.dumps(info)]
    if server.shape.callback_path != "/oauth/callback":
        words += ["--callback-path", server.shape.callback_path]
    return words


# Keycloak ------------------------------------------------------------------------------------

REALM = "/realms/team"
CONNECT = f"{REALM}/protocol/openid-connect"
TOOLS_SCOPE = "mcp:tools"


def _check_keycloak_registration(server: ShapedServer, asked: Json) -> None:
    hosts = {uri.split("/")[2].rpartition(":")[0] for uri in asked.get("redirect_uris", [])}
    rejected = "rejected request to client-registration service. Details:"
    if hosts - {"localhost"}:
        words = f"Policy 'Trusted Hosts' {rejected} URI doesn't match any trusted host"
        raise OAuthError("insufficient_scope", words, status=403)
    known = {TOOLS_SCOPE, *OPENID_SCOPES}
    if set(str(asked.get("scope", "")).split()) - known:
        words = f"Policy 'Allowed Client Scopes' {rejected} Not permitted to use specified scopes"
        raise OAuthError("insufficient_scope", words, status=403)


def _word_as_keycloak(error: OAuthError) -> tuple[int, Json]:
    words = {
        "unknown refresh token": "Session not active",
        "the refresh token was used before": "Maximum allowed refresh token reuse exceeded",
        "unknown code": "Code not valid",
    }
    description = words.get(error.description, error.description)
    return error.status, {"error": error.error, "error_description": description}


def _answer_as_keycloak(members: Json) -> Json:
    is_offline = "offline_access" in str(members.get("scope", "")).split()
    return members | {
        "refresh_expires_in": 0 if is_offline else 1800,
        "not-before-policy": 0,
        "session_state": str(uuid4()),
    }


def _keycloak_policy() -> Policy:
    return Policy(
        metadata="oauth oauth-appended openid-appended",
        issuer_path=REALM,
        issuer_host=ELSEWHERE,
        consent=True,
        token_format="jwt",
        rotation="kept",
        resource_at_refresh=False,
        lifetime=300,
        challenge_scope="",
        token_answer=with_more(_answer_as_keycloak),
        resource_metadata_changes={"scopes_supported": [TOOLS_SCOPE]},
        metadata_changes={
            "scopes_supported": [*OPENID_SCOPES, TOOLS_SCOPE, "roles", "web-origins", "basic"],
            "code_challenge_methods_supported": ["plain", "S256"],
        },
    )


def _audience_of_keycloak(server: ShapedServer, sign_in: SignIn, asked: Form) -> str:
    return server.resource if TOOLS_SCOPE in sign_in.scope.split() else "account"


KEYCLOAK = Shape(
    "keycloak",
    "Keycloak 26: a realm with an audience mapper, registration for trusted hosts",
    (
        Quirk(
            "The issuer is /realms/NAME; RFC 8414's document is at the inserted and the appended "
            "place, OpenID's at the appended one alone.",
            "keycloak.org, securing-apps/mcp-authz-server",
        ),
        Quirk(
            "`resource` is passed over; the audience comes from a mapper on a client scope.",
            "The same page: RFC 8707 experimental or not supported, by version; phasetwo.io, "
            "tutorials/emerging/mcp-server-auth, measured on 26.8.0",
        ),
        Quirk(
            "Registration is anonymous behind policies: Trusted Hosts looks at each redirect URI, "
            "Allowed Client Scopes at `scope`; both refuse by 403 insufficient_scope.",
            "keycloak/keycloak PR 3322 and 7339; opensearch-mcp-server-py PR 227; "
            "OpenLiberty/open-liberty 35062; reports O1, O2",
        ),
        Quirk(
            "Token answers have refresh_expires_in (0 for an offline session), session_state and "
            "not-before-policy; a new refresh token comes each time, and the old one stays good "
            "(Revoke Refresh Token is off).",
            "keycloak/keycloak 37961, settings in the report",
        ),
        Quirk(
            "A dead grant is `Session not active`, `Token is not active` or `Offline user session "
            "not found`.",
            "keycloak/keycloak 37961, 21402",
        ),
    ),
    _keycloak_policy,
    paths={
        "authorize": f"{CONNECT}/auth",
        "token": f"{CONNECT}/token",
        "revoke": f"{CONNECT}/revoke",
        "register": f"{REALM}/clients-registrations/openid-connect",
    },
    read=without_resource,
    check_registration=_check_keycloak_registration,
    word=_word_as_keycloak,
    audience=_audience_of_keycloak,
)

# Microsoft Entra ID --------------------------------------------------------------------------

TENANT = "6e6e0b0e-52ba-4a4b-a7d5-0d2f3f4a5b6c"
APPLICATION = "2f1d8c5a-0c3e-4a53-9d4e-8f8a6f0b7c11"
GRAPH = "00000003-0000-0000-c000-000000000000"
ENTRA_SCOPE = f"api://{APPLICATION}/mcp.access"


def _check_entra_authorization(server: ShapedServer, query: Form) -> None:
    _check_entra_resource(query)
    if not query.get("scope"):
        words = "AADSTS900144: The request body must contain the following parameter: 'scope'."
        raise OAuthError("invalid_request", words)


def _check_entra_resource(form: Form) -> None:
    if "resource" in form:
        words = "AADSTS901002: The 'resource' request parameter is not supported."
        raise OAuthError("invalid_request", words)


def _check_entra_token(server: ShapedServer, form: Form) -> None:
    _check_entra_resource(form)


_ENTRA_WORDS = {
    "invalid_grant": (
        700082,
        "The refresh token has expired due to inactivity. The token was issued on "
        "2026-08-01T10:00:00Z and was inactive for 90.00:00:00.",
    ),
    "invalid_client": (
        7000215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the "
        "client secret value.",
    ),
}


def _word_as_entra(error: OAuthError) -> tuple[int, Json]:
    code, words = _ENTRA_WORDS.get(error.error, (0, ""))
    description = f"AADSTS{code}: {words}" if code else error.description
    trace = str(uuid4())
    return error.status, {
        "error": error.error,
        "error_description": f"{description} Trace ID: {trace} Timestamp: 2026-11-30 01:00:00Z",
        "error_codes": [code],
        "timestamp": "2026-11-30 01:00:00Z",
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }


def _answer_as_entra(members: Json) -> Json:
    kept = [one for one in str(members.get("scope", "")).split() if one != "offline_access"]
    return members | {"scope": " ".join(kept), "ext_expires_in": members.get("expires_in", 3599)}


def _audience_of_entra(server: ShapedServer, sign_in: SignIn, asked: Form) -> str:
    scope = asked.get("scope", "") if asked.get("grant_type") == "refresh_token" else sign_in.scope
    return server.resource if ENTRA_SCOPE in scope.split() else GRAPH


def _claims_of_entra(server: ShapedServer, claims: Json) -> Json:
    audience = APPLICATION if claims["aud"] == server.resource else GRAPH
    issuer = f"{server.authority}/{TENANT}/v2.0"
    rest = {name: claims[name] for name in ("exp", "jti")}
    return rest | {"aud": audience, "iss": issuer, "scp": "mcp.access", "tid": TENANT, "ver": "2.0"}


def _entra_policy(issuer_path: str) -> Callable[[], Policy]:
    return lambda: Policy(
        metadata="openid-appended",
        issuer_path=issuer_path,
        issuer_host=ELSEWHERE,
        registration=False,
        any_loopback_port=True,
        consent=True,
        iss="missing",
        token_format="jwt",
        rotation="kept",
        resource_at_refresh=False,
        challenge_scope="",
        token_answer=with_more(_answer_as_entra),
        resource_metadata_changes={"scopes_supported": [ENTRA_SCOPE]},
        metadata_changes={
            "scopes_supported": OPENID_SCOPES,
            "code_challenge_methods_supported": None,
            "grant_types_supported": None,
            "revocation_endpoint": None,
            "authorization_response_iss_parameter_supported": None,
            "token_endpoint_auth_methods_supported": [
                *("client_secret_post", "private_key_jwt", "client_secret_basic"),
            ],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            # Nobody asks for the keys: tokens are not for us to read.
            "jwks_uri": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
            "request_uri_parameter_supported": False,
        },
    )


_ENTRA_QUIRKS = (
    Quirk(
        "Only openid-configuration, below the issuer; no RFC 8414 document, no registration.",
        "learn.microsoft.com, entra/identity-platform/v2-protocols; zuplo.com, "
        "learn/mcp/compatibility/identity-providers, checked 2026-07-24",
    ),
    Quirk(
        "PKCE works and is not listed.",
        "typescript-sdk 832, zed 60358, claude-ai-mcp 786, immich PR 18725",
    ),
    Quirk(
        "`resource` is refused (AADSTS901002; AADSTS9010010 where it does not fit the scopes); the "
        "resource is a part of the scope.",
        "csharp-sdk 741, vscode 254009, mcp-remote 217, powerbi-modeling-mcp 68. Since 2026 it is "
        "taken where it equals the Application ID URI: learn.microsoft.com, "
        "entra/agent-id/secure-mcp-server-with-entra-id",
    ),
    Quirk(
        "A refresh without `scope` gives a token for Microsoft Graph.",
        "report O7; copilot-cli 4582, librechat.ai 420",
    ),
    Quirk(
        "`aud` of a token is the application's id, its rights are `scp`; ext_expires_in; the "
        "granted scope leaves out offline_access.",
        "csharp-sdk PR 1801; learn.microsoft.com, v2-oauth2-auth-code-flow",
    ),
    Quirk(
        "Errors are AADSTS codes with error_codes, trace_id and a paragraph.",
        "learn.microsoft.com, reference-error-codes; ms-365-mcp-server 522",
    ),
    Quirk(
        "No revocation endpoint; no `iss`; any port of a registered http://localhost.",
        "learn.microsoft.com, reply-url (localhost exceptions)",
    ),
)


def _entra_options(server: ShapedServer) -> list[str]:
    return [*client_info(server), "--disable-resource-parameter"]


def _trust_published(server: ShapedServer) -> list[str]:
    return ["--trusted-issuer", server.published_issuer]


def _entra(key: str, name: str, path: str, *quirks: Quirk, **more: Any) -> Shape:
    version = f"{path.removesuffix('/v2.0')}/oauth2/v2.0"
    return Shape(
        key,
        name,
        (*_ENTRA_QUIRKS, *quirks),
        _entra_policy(path),
        paths={"authorize": f"{version}/authorize", "token": f"{version}/token"},
        check_authorization=_check_entra_authorization,
        check_token=_check_entra_token,
        word=_word_as_entra,
        audience=_audience_of_entra,
        claims=_claims_of_entra,
        needs_offline_scope=True,
        client="none",
        options=_entra_options,
        own_options=_trust_published,
        **more,
    )


ENTRA = _entra(
    "entra", "Microsoft Entra ID, one tenant, a public client registered by hand", f"/{TENANT}/v2.0"
)
ENTRA_COMMON = _entra(
    "entra-common",
    "Microsoft Entra ID, any tenant",
    "/common/v2.0",
    Quirk(
        "The issuer is a template with {tenantid} in it.",
        "openidconnect-rs PR 183, codex 38973",
    ),
    issuer=template_issuer,
)

# Auth0 ---------------------------------------------------------------------------------------


def _read_as_auth0(form: Form) -> Form:
    """`audience` is what RFC 8707 calls `resource`; that one is not read."""
    read = without_resource(form)
    return read | {"resource": form["audience"]} if "audience" in form else read


def _check_auth0_authorization(server: ShapedServer, query: Form) -> None:
    audience = query.get("audience", server.resource)
    if audience != server.resource:
        raise OAuthError("access_denied", f"Service not found: {audience}")


def _audience_of_auth0(server: ShapedServer, sign_in: SignIn, asked: Form) -> str:
    return sign_in.resource or f"{server.issuer}userinfo"


def _word_as_auth0(error: OAuthError) -> tuple[int, Json]:
    if error.error == "invalid_grant":
        words = "Unknown or invalid refresh token."
        return 403, {"error": "invalid_grant", "error_description": words}
    return error.status, {"error": error.error, "error_description": error.description}


def _auth0_policy(**changes: Any) -> Callable[[], Policy]:
    members: dict[str, Any] = {
        "metadata": "oauth openid-appended",
        "issuer_path": "/",
        "issuer_host": ELSEWHERE,
        "consent": True,
        "rotation": "strict",
        "resource_at_refresh": False,
        "challenge_scope": "",
        "resource_metadata_changes": {"scopes_supported": ["read:notes"]},
        "metadata_changes": {"scopes_supported": [*OPENID_SCOPES, "name", "nickname", "address"]},
    }
    return lambda: Policy(**{**members, **changes})


_AUTH0_PATHS = {
    "authorize": "/authorize",
    "token": "/oauth/token",
    "revoke": "/oauth/revoke",
    "register": "/oidc/register",
}
_AUTH0_QUIRKS = (
    Quirk(
        "The issuer ends with a slash; both well-known documents are there.",
        "LibreChat 13401 (the tenant in its resource metadata)",
    ),
    Quirk(
        "Rotating refresh tokens whose reuse ends the family; only with offline_access.",
        "auth0/docs PR 8821",
    ),
    Quirk(
        "A dead grant is HTTP 403 `Unknown or invalid refresh token.`",
        "auth0/nextjs-auth0 498; `grant_words` has the status",
    ),
)

AUTH0 = Shape(
    "auth0",
    "Auth0, a tenant as it comes: the `audience` parameter, a client registered by hand",
    (
        *_AUTH0_QUIRKS,
        Quirk(
            "Without `audience` the token is an opaque one for /userinfo; `resource` is not read "
            "unless the Resource Parameter Compatibility Profile is on.",
            "auth0.com, ai/docs/mcp/guides/resource-param-compatibility-profile; "
            "auth0/docs PR 6983",
        ),
        Quirk(
            "An audience that is not registered is `access_denied: Service not found`.",
            "dust-tt/dust PR 28908, LibreChat 13401",
        ),
        Quirk("Registration is off by default.", "auth0/docs PR 3137"),
        Quirk("No `iss` in the answer by default.", "the same guide"),
    ),
    _auth0_policy(
        registration=False,
        iss="missing",
        metadata_changes={
            "scopes_supported": OPENID_SCOPES,
            "authorization_response_iss_parameter_supported": None,
        },
    ),
    paths=_AUTH0_PATHS,
    read=_read_as_auth0,
    check_authorization=_check_auth0_authorization,
    word=_word_as_auth0,
    audience=_audience_of_auth0,
    needs_offline_scope=True,
    client="none",
    options=lambda server: [
        *client_info(server),
        *("--authorize-param", f"audience={server.resource}"),
    ],
)
AUTH0_OPEN = Shape(
    "auth0-open",
    "Auth0 set up for MCP: registration, the compatibility profile, `iss`",
    (
        *_AUTH0_QUIRKS,
        Quirk(
            "With the profile on, `resource` counts; with that toggle on, `iss` comes, with its "
            "slash.",
            "auth0.com, ai/docs/mcp/guides/resource-param-compatibility-profile",
        ),
    ),
    _auth0_policy(resource_at_refresh=True),
    paths=_AUTH0_PATHS,
    word=_word_as_auth0,
    needs_offline_scope=True,
)

# Atlassian -----------------------------------------------------------------------------------

SITE_APP = "/VCeDapp0rSite1dentifier"


def _claims_of_atlassian(server: ShapedServer, claims: Json) -> Json:
    """For the client and the person's sites: no `resource` takes part in it."""
    sites = ["ari:cloud:jira::site/0f1e", "ari:cloud:confluence::site/0f1e"]
    return claims | {"aud": [claims["client_id"], *sites], "iss": server.authority}


def _atlassian_policy() -> Policy:
    return Policy(
        metadata="oauth oauth-appended",
        issuer_path=SITE_APP,
        issuer_host=ELSEWHERE,
        consent=True,
        iss="missing",
        auth_methods=("none", "client_secret_post"),
        token_format="jwt",
        rotation="strict",
        resource_at_refresh=False,
        lifetime=8 * 3600,
        challenge_scope="",
        scopes_supported=("read:jira-work", "write:jira-work", "search:confluence"),
        metadata_changes={
            "scopes_supported": ["offline_access", "read:jira-work", "write:jira-work"],
            "authorization_response_iss_parameter_supported": None,
        },
    )


ATLASSIAN = Shape(
    "atlassian",
    "Atlassian Rovo, /v1/mcp/authv2",
    (
        Quirk(
            "The resource metadata names auth.atlassian.com/APP, whose document, at the inserted "
            "and the appended place, names auth.atlassian.com. With the real names the pair is "
            "known; on loopback a person has to name it.",
            "atlassian-mcp-server 205 and 148, opencode 39332, crush 3419, platypus 394",
        ),
        Quirk(
            "The first 401 already says error=invalid_token, behind resource_metadata.",
            "pi-mcp-adapter 224, probe of 2026-07-27",
        ),
        Quirk(
            "`aud` is the client and the person's sites; `resource` is passed over.",
            "mcp-gateway-registry PR 1519, verified against the live service",
        ),
        Quirk(
            "Tokens live 8 hours, rotating refresh tokens 90 days, with offline_access.",
            "opencode 42875",
        ),
        Quirk(
            "Registration is on the path's document only, as a public client.",
            "qwen-code 12165, mcp-gateway-registry PR 1519",
        ),
    ),
    _atlassian_policy,
    path="/v1/mcp/authv2",
    issuer=lambda server: server.authority,
    read=without_resource,
    audience=for_itself,
    claims=_claims_of_atlassian,
    needs_offline_scope=True,
    challenge={"error": "invalid_token"},
    own_options=_trust_published,
)
ATLASSIAN_SSE = Shape(
    "atlassian-sse",
    "Atlassian as it was until 2026: /v1/sse",
    (
        Quirk(
            "HTTP+SSE; no resource metadata; the metadata at its own root name "
            "cf.mcp.atlassian.com.",
            "atlassian-mcp-server 148, opencode 39332, endara-desktop PR 108; field note 8",
        ),
        Quirk(
            "The old refresh token stays good until the new one was used.",
            "workers-oauth-provider, measured: real-systems README, refresh behaviour",
        ),
    ),
    lambda: Policy(
        resource_metadata="none",
        bind_resource=False,
        issuer_host="",
        iss="missing",
        rotation="kept",
        consent=True,
        lifetime=3300,
        challenge_scope="",
        metadata_changes={
            "scopes_supported": None,
            "authorization_response_iss_parameter_supported": None,
        },
    ),
    path="/v1/sse",
    endpoint="/v1/sse/message?session={session}",
    legacy=True,
    issuer=lambda server: f"http://{ELSEWHERE}:{server.port}",
    paths={"authorize": "/v1/authorize", "token": "/v1/token", "register": "/v1/register"},
    read=without_resource,
    challenge={"realm": "OAuth", "error": "invalid_token"},
    own_options=_trust_published,
)

# Slack ---------------------------------------------------------------------------------------


def _word_as_slack(error: OAuthError) -> tuple[int, Json]:
    words = {"invalid_grant": "invalid_code", "invalid_client": "bad_client_secret"}
    return 200, {"ok": False, "error": words.get(error.error, error.error)}


def _answer_as_slack(members: Json) -> Json:
    scope = ",".join(str(members.get("scope", "")).split())
    user = members | {"id": "U012ABCDEF", "scope": scope, "token_type": "user"}
    team = {"id": "T012ABCDEF", "name": "Team"}
    return {"ok": True, "app_id": "A012ABCDEF", "authed_user": user, "team": team}


def _slack_policy() -> Policy:
    return Policy(
        issuer_host="",
        registration=False,
        consent=True,
        iss="missing",
        auth_methods=("client_secret_post",),
        refresh_tokens=False,
        lifetime=None,
        challenge_scope="",
        scopes_supported=("search:read.public", "chat:write", "channels:history"),
        token_answer=with_more(_answer_as_slack),
        metadata_changes={
            "revocation_endpoint": None,
            "authorization_response_iss_parameter_supported": None,
        },
    )


def _slack_options(server: ShapedServer) -> list[str]:
    return client_info(server, issuer=server.issuer)


SLACK = Shape(
    "slack",
    "Slack's MCP server",
    (
        Quirk(
            "No registration; the client has a secret, sent in the body alone.",
            "slack-skills-plugin 7, claude-code 52354, lanes-sh/link PR 33, docs.litellm.ai "
            "(mcp_servers/slack)",
        ),
        Quirk(
            "The redirect URI is fixed, to the port: http://localhost:3118/callback for its own "
            "plugin. Whether an app of one's own may have an http address is told both ways; where "
            "not, a token by --header is the way in.",
            "mastra PR 19467, pi-mcp-adapter PR 53; no: lanes-sh/link PR 33, oh-my-pi 445; yes: "
            "openai/codex 13200",
        ),
        Quirk(
            "mcp.slack.com's metadata named slack.com as issuer until summer 2026. With the real "
            "names the pair is known; on loopback a person has to name it.",
            "slack-skills-plugin 7 (2026-03); command-code 610 (2026-08: mcp.slack.com itself)",
        ),
        Quirk("Refusals of the token endpoint are HTTP 200 with ok:false.", "openwork PR 3569"),
        Quirk(
            "The token is in authed_user, of the type `user`, its scopes with commas between them.",
            "claude-code 59725; report O18",
        ),
        Quirk(
            "`initialize` with a protocol version newer than it knows is HTTP 400, after the token "
            "was looked at.",
            "openwork PR 3569, verified against mcp.slack.com in 2026-08",
        ),
        Quirk("The resource is the origin.", "claude-code 87268 (the request's `resource`)"),
        Quirk(
            "User tokens do not end, and there is no refresh token; no revocation endpoint.",
            "docs.slack.dev, authentication/tokens; others saw an hour: slack-skills-plugin 2",
        ),
    ),
    _slack_policy,
    paths={"authorize": "/oauth/v2_user/authorize", "token": "/api/oauth.v2.user.access"},
    issuer=lambda server: f"http://{ELSEWHERE}:{server.port}",
    resource=lambda server: server.origin,
    read=without_resource,
    audience=for_itself,
    word=_word_as_slack,
    newest_version="2025-06-18",
    client="client_secret_post",
    callback_path="/callback",
    options=_slack_options,
    own_options=_trust_published,
    renews=False,
    expires=False,
)

SHAPES = (KEYCLOAK, ENTRA, ENTRA_COMMON, AUTH0, AUTH0_OPEN, ATLASSIAN, ATLASSIAN_SSE, SLACK)
