"""Issuers whose documents are known to carry another name than the one they are found by: a table.

RFC 8414 §3.3 wants both to be the same, so that nobody publishes in the name of somebody else. In
these pairs both names belong to one owner, and each row is exact: https, these hosts, and the same
tenant where the name has one. Whoever can publish at the first name rules the second, too. All
others need the person's word (--trusted-issuer). Pure. Must not know how a document is found.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class IssuerPair(NamedTuple):
    """Who is asked, as a pattern, and whom its document names, with what the pattern found."""

    asked: str
    named: str
    source: str


_MICROSOFT = r"https://login\.microsoftonline\.com"

ISSUER_PAIRS = (
    IssuerPair(
        r"https://auth\.atlassian\.com/[A-Za-z0-9]+",
        "https://auth.atlassian.com",
        "Atlassian, /v1/mcp/authv2: one issuer for all its applications "
        "(atlassian/atlassian-mcp-server 205).",
    ),
    IssuerPair(
        r"https://mcp\.atlassian\.com",
        "https://cf.mcp.atlassian.com",
        "Atlassian, /v1/mcp and /v1/sse: the host behind its edge (atlassian-mcp-server 148).",
    ),
    IssuerPair(
        r"https://mcp\.slack\.com",
        "https://slack.com",
        "Slack, until summer 2026 (slackapi/slack-skills-plugin 7).",
    ),
    IssuerPair(
        _MICROSOFT + r"/(?:common|organizations)/v2\.0",
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "Entra for any tenant: a template (openai/codex 38973).",
    ),
    IssuerPair(
        _MICROSOFT + r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
        r"https://sts.windows.net/\1",
        "Entra's first version, which is asked for where /v2.0 is left out "
        "(modelcontextprotocol/typescript-sdk 832).",
    ),
)


def is_known_pair(asked: str, named: str) -> bool:
    """Whether the document of the issuer `asked` may name `named`; one final slash is the same."""
    for pair in ISSUER_PAIRS:
        found = re.fullmatch(pair.asked, asked.removesuffix("/"))
        if found is not None and found.expand(pair.named) == named.removesuffix("/"):
            return True
    return False
