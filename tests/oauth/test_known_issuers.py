"""Pairs of names that belong to one owner are taken, and nothing that only looks like one.

The names are those of real services; nothing is asked here.
"""

from __future__ import annotations

import pytest

from mcp_remote_py.oauth.metadata import ForeignDocument, judge_server
from mcp_remote_py.settings.sign_in import SignInSettings

TENANT = "6e6e0b0e-52ba-4a4b-a7d5-0d2f3f4a5b6c"
OTHER_TENANT = "7e6e0b0e-52ba-4a4b-a7d5-0d2f3f4a5b6c"
MICROSOFT = "https://login.microsoftonline.com"
ATLASSIAN = "https://auth.atlassian.com"


def judge(asked: str, named: str) -> str:
    """The issuer of a document of `named` that was found by `asked`."""
    document: dict[str, object] = {
        "issuer": named,
        "authorization_endpoint": f"{ATLASSIAN}/authorize",
        "token_endpoint": f"{ATLASSIAN}/token",
        "code_challenge_methods_supported": ["S256"],
    }
    found = judge_server(document, asked, SignInSettings())
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
