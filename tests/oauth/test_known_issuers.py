"""Pairs of names that belong to one owner are taken, and nothing that only looks like one.

The names are those of real services; nothing is asked here.
"""

from __future__ import annotations

import pytest

from mcp_remote_py.errors import SignInFailed
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.discovery import Discovered, discover
from mcp_remote_py.oauth.metadata import ForeignDocument, judge_server
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from tests.oauth.web import Web, document

TENANT = "6e6e0b0e-52ba-4a4b-a7d5-0d2f3f4a5b6c"
OTHER_TENANT = "7e6e0b0e-52ba-4a4b-a7d5-0d2f3f4a5b6c"
MICROSOFT = "https://login.microsoftonline.com"
ATLASSIAN = "https://auth.atlassian.com"


def judge(asked: str, named: str) -> str:
    """The issuer of a document of `named` that was found by `asked`."""
    members: dict[str, object] = {
        "issuer": named,
        "authorization_endpoint": f"{ATLASSIAN}/authorize",
        "token_endpoint": f"{ATLASSIAN}/token",
        "code_challenge_methods_supported": ["S256"],
    }
    found = judge_server(members, asked, SignInSettings())
    assert found.published_by == asked
    return found.issuer


@pytest.mark.report("O16")
@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (f"{ATLASSIAN}/VCeDsk8ZHncYF1g234fKtc4lNipbBhu3", ATLASSIAN),
        ("https://mcp.atlassian.com", "https://cf.mcp.atlassian.com"),
        ("https://mcp.slack.com/", "https://slack.com"),
        (f"{MICROSOFT}/common/v2.0", f"{MICROSOFT}/{{tenantid}}/v2.0"),
        (f"{MICROSOFT}/organizations/v2.0", f"{MICROSOFT}/{{tenantid}}/v2.0"),
        (f"{MICROSOFT}/{TENANT}", f"https://sts.windows.net/{TENANT}/"),
    ],
)
def test_both_names_are_of_one_owner(asked: str, named: str) -> None:
    assert judge(asked, named) == named


@pytest.mark.report("O16", "S3")
@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (ATLASSIAN, f"{ATLASSIAN}/VCeDsk8ZHncYF1g234fKtc4lNipbBhu3"),  # the other way round
        ("https://auth.atlassian.com.example/app", "https://auth.atlassian.com"),
        ("https://example.com/app", "https://auth.atlassian.com"),
        (f"{ATLASSIAN}/app/more", ATLASSIAN),
        (f"{ATLASSIAN}/app", "https://id.atlassian.com"),
        ("http://mcp.slack.com", "https://slack.com"),
        ("https://mcp.slack.com:8443", "https://slack.com"),
        ("https://mcp.slack.com/mcp", "https://slack.com"),
        ("https://mcpxslack.com", "https://slack.com"),
        (f"{MICROSOFT}/{TENANT}/v2.0", f"{MICROSOFT}/{{tenantid}}/v2.0"),
        (f"{MICROSOFT}/common/v2.0", f"{MICROSOFT}/{TENANT}/v2.0"),
        (f"{MICROSOFT}/{TENANT}", f"https://sts.windows.net/{OTHER_TENANT}/"),
        (f"{MICROSOFT}/common", f"https://sts.windows.net/{TENANT}/"),
        ("https://login.microsoftonline.com.example/common/v2.0", f"{MICROSOFT}/{{tenantid}}/v2.0"),
    ],
)
def test_anybody_else_needs_the_person_s_word(asked: str, named: str) -> None:
    with pytest.raises(ForeignDocument):
        judge(asked, named)


# The whole way there, by the documents that these services publish

SECRET = '{"client_id": "1.2", "client_secret": "canary-of-the-app-x", "issuer": "%s"}'
S256 = {"code_challenge_methods_supported": ["S256"]}


def find(url: str, web: Web, settings: SignInSettings) -> Discovered:
    return web.play(discover(url, Challenge(), settings))


def test_atlassian_is_found_by_the_path_of_its_application() -> None:
    url, app = "https://mcp.atlassian.com/v1/mcp/authv2", f"{ATLASSIAN}/VCeDsk8ZHncYF1g234fKtc4l"
    resource = {"resource": url, "authorization_servers": [app], "scopes_supported": ["read:me"]}
    endpoints = {
        name: f"{ATLASSIAN}/{name}" for name in ("authorization_endpoint", "token_endpoint")
    }
    server = {"issuer": ATLASSIAN, **endpoints, "registration_endpoint": f"{app}/register", **S256}
    well_known = f"{ATLASSIAN}/.well-known/oauth-authorization-server/VCeDsk8ZHncYF1g234fKtc4l"
    place = "https://mcp.atlassian.com/.well-known/oauth-protected-resource/v1/mcp/authv2"
    web = Web({place: document(resource), well_known: document(server)})
    found = find(url, web, SignInSettings())
    assert (found.server.issuer, found.server.published_by) == (ATLASSIAN, app)
    assert found.server.registration_endpoint == f"{app}/register"
    assert len(web.fetches) == 2


def test_slack_may_have_the_secret_of_its_app_and_nobody_else() -> None:
    url, slack = "https://mcp.slack.com/mcp", "https://mcp.slack.com"
    resource = {"resource": slack, "authorization_servers": [slack]}
    server = {
        "issuer": "https://slack.com",
        "authorization_endpoint": "https://slack.com/oauth/v2_user/authorize",
        "token_endpoint": "https://slack.com/api/oauth.v2.user.access",
        **S256,
    }
    web = Web(
        {
            f"{slack}/.well-known/oauth-protected-resource": document(resource),
            f"{slack}/.well-known/oauth-authorization-server": document(server),
        }
    )
    found = find(url, web, SignInSettings(static_client=Secret(SECRET % slack)))
    assert found.server.token_endpoint == "https://slack.com/api/oauth.v2.user.access"
    with pytest.raises(SignInFailed, match="is not used there"):
        find(url, web, SignInSettings(static_client=Secret(SECRET % "https://auth.example")))
