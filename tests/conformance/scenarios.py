"""What the suite asks, and what is known not to pass.

Data only; `test_suite` compares it with the suite's own lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.thorough import THOROUGH

ERAS = ("legacy", "modern", "auto")
ERAS_IN_THE_GATE = ERAS if THOROUGH else ERAS[:2]

REVISIONS = ("2025-11-25", "2026-07-28")


class Pair(NamedTuple):
    """A scenario, and the version its server speaks."""

    scenario: str
    version: str


class Known(NamedTuple):
    """Checks that are not passed, and why that is so."""

    checks: set[str]
    why: str


_IN_BOTH = (
    "tools_call",
    "auth/metadata-default",
    "auth/metadata-var1",
    "auth/metadata-var2",
    "auth/metadata-var3",
    "auth/basic-cimd",
    "auth/scope-from-www-authenticate",
    "auth/scope-from-scopes-supported",
    "auth/scope-omitted-when-undefined",
    "auth/scope-step-up",
    "auth/scope-retry-limit",
    "auth/token-endpoint-auth-basic",
    "auth/token-endpoint-auth-post",
    "auth/token-endpoint-auth-none",
    "auth/pre-registration",
    "auth/client-credentials-jwt",
    "auth/client-credentials-basic",
    "auth/enterprise-managed-authorization",
    "auth/dpop",
    "auth/dpop-nonce",
    "auth/wif-jwt-bearer",
    "json-schema-2020-12-preservation",
)

_BY_VERSION = {
    "2025-11-25": (
        *_IN_BOTH,
        "initialize",
        "elicitation-sep1034-client-defaults",
        "sse-retry",
        "auth/2025-03-26-oauth-metadata-backcompat",
        "auth/2025-03-26-oauth-endpoint-fallback",
        "sep-2640-client-no-prefetch",
        "sep-2640-client-verify-digest",
        "sep-2640-client-verify-size",
        "sep-2640-client-verify-frontmatter",
    ),
    "2026-07-28": (
        *_IN_BOTH,
        "request-metadata",
        "auth/resource-mismatch",
        "auth/offline-access-scope",
        "auth/offline-access-not-supported",
        "auth/authorization-server-migration",
        "auth/iss-supported",
        "auth/iss-not-advertised",
        "auth/iss-supported-missing",
        "auth/iss-wrong-issuer",
        "auth/iss-unexpected",
        "auth/iss-normalized",
        "auth/metadata-issuer-mismatch",
        "sep-2322-client-request-state",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
    ),
}

PAIRS = [Pair(name, version) for version, names in _BY_VERSION.items() for name in names]


ALONE = frozenset(
    pair
    for pair in PAIRS
    if pair.scenario.startswith(("sep-2640-", "auth/2025-03-26-")) and pair.version == "2025-11-25"
)
"""What no set of requirements names: the suite has to be started for each."""


def arguments_for(pair: Pair) -> tuple[str, ...]:
    """Of the suite: what makes it play this scenario, alone or with all its revision requires."""
    if pair in ALONE:
        return ("--scenario", pair.scenario, "--spec-version", pair.version, "--force")
    return ("--requirements", pair.version)


MUST_FAIL = frozenset(
    {
        "auth/scope-retry-limit",
        "auth/resource-mismatch",
        "auth/iss-supported-missing",
        "auth/iss-wrong-issuer",
        "auth/iss-unexpected",
        "auth/iss-normalized",
        "auth/metadata-issuer-mismatch",
    }
)
"""Scenarios in which a client that is right ends with an error."""

_TABS = {
    "auth/scope-step-up": 2,
    "auth/scope-retry-limit": 2,
    "auth/authorization-server-migration": 2,
}


def tabs_of(scenario: str) -> int:
    """How many tabs it may open in a browser."""
    if not scenario.startswith("auth/") or scenario in _WITHOUT_PERSON:
        return 0
    return _TABS.get(scenario, 1)


_WITHOUT_PERSON = frozenset(
    {
        "auth/client-credentials-jwt",
        "auth/client-credentials-basic",
        "auth/enterprise-managed-authorization",
        "auth/wif-jwt-bearer",
        "auth/resource-mismatch",
        "auth/metadata-issuer-mismatch",
    }
)
"""Sign-ins that need nobody, and those that are refused before anybody is asked."""

KNOWN: Mapping[tuple[str, str], Known] = {
    ("request-metadata", "legacy"): Known(
        {
            "sep-2575-http-client-sends-version-header",
            "sep-2575-client-populates-meta",
            "sep-2575-client-sends-client-info",
        },
        "The host's initialize goes out as it came: on a server of its own era no byte may change "
        "and no request be added (promise E1). From the second start on it is not sent.",
    ),
}
"""By scenario and era of the host."""


# The server leg: the suite asks a server, itself and through the command ----------------------

SKILLS = ("sep-2640-skills-directory", "sep-2640-skills-enumeration", "sep-2640-skills-manifest")
"""What no set of requirements names: the suite has to be started for each."""

AT_THE_FRONT: Mapping[str, Known] = {
    "dns-rebinding-protection": Known(
        {"DNSRebindingRejected"}, "The headers Host and Origin end at whoever speaks HTTP."
    ),
    "server-sse-polling": Known(
        {"*"}, "A stream that is cut and taken up again is HTTP's; stdio has one stream, and uncut."
    ),
    "server-stateless": Known(
        {
            "sep-2575-request-meta-invalid-missing-meta",
            "sep-2575-request-meta-invalid-missing-protocol-version",
            "sep-2575-http-server-meta-invalid-400",
            "sep-2575-http-server-header-mismatch-400",
        },
        "Only a header says the version of these requests, or another one; stdio lacks headers.",
    ),
    "http-header-validation": Known(
        {"ServerRejects*"}, "Wrong headers end at the front; the command writes right ones."
    ),
    "http-custom-header-server-validation": Known(
        {"ServerRejects*"}, "Wrong headers end at the front; the command writes right ones."
    ),
    "tasks-request-headers": Known(
        {"TasksHeadersRejectMismatchedMethod"},
        "Wrong headers end at the front; the command writes right ones.",
    ),
}
"""Patterns of the ids or names of checks that are not compared."""

SERVER_KNOWN: Mapping[str, Known] = {
    "tasks-request-headers": Known(
        {"sep-2663-server-rejects-mismatched-mcp-name-on-tasks-get"},
        "The SDK compares the header Mcp-Name only for methods of the specification itself.",
    ),
    "tasks-status-notifications": Known(
        {"tasks-status-notifications"}, "The suite skips it: it does not check this yet."
    ),
}
"""Checks that fail, warn or are skipped on the server itself."""
