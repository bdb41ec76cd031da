"""Consent is demanded where a server was shown to need it, or its specification says so."""

from __future__ import annotations

import pytest

from mcp_remote_py.oauth.prompts import (
    IN_VAIN,
    NEEDED,
    PROMPT_READINGS,
    PromptCase,
    choose_prompt,
    note_outcome,
)

pytestmark = [pytest.mark.promise("A3"), pytest.mark.report("O8")]

PLAIN = "https://as.example/authorize"
ENTRA = "https://login.microsoftonline.com/t/oauth2/v2.0/authorize"
OPENID = ("openid", "offline_access")


@pytest.mark.parametrize(
    ("endpoint", "scope", "supported", "shown", "prompt"),
    [
        (PLAIN, "a", OPENID, NEEDED, ""),
        (PLAIN, "a offline_access", ("a", "offline_access"), "", ""),
        (PLAIN, "a offline_access", (), "", ""),
        (PLAIN, "a offline_access", (), NEEDED, "consent"),
        (PLAIN, "a offline_access", OPENID, "", "consent"),
        (PLAIN, "a offline_access", OPENID, IN_VAIN, ""),
        (ENTRA, "a offline_access", OPENID, "", ""),
        ("https://T.ciamlogin.com/authorize", "offline_access", OPENID, "", ""),
        (
            "https://login.microsoftonline.com.evil.example/",
            "offline_access",
            OPENID,
            "",
            "consent",
        ),
        (ENTRA, "a offline_access", OPENID, NEEDED, "consent"),
        ("not a url", "a offline_access", OPENID, "", "consent"),
    ],
)
def test_consent_is_demanded_where_it_is_needed(
    endpoint: str, scope: str, supported: tuple[str, ...], shown: str, prompt: str
) -> None:
    assert choose_prompt(PromptCase(endpoint, scope, supported, shown)) == prompt


@pytest.mark.parametrize(
    ("asked", "shown", "consented", "lasts", "known"),
    [
        ("a offline_access", "", False, True, ""),
        ("a offline_access", "", False, False, NEEDED),
        ("a offline_access", NEEDED, True, True, NEEDED),
        ("a offline_access", NEEDED, True, False, IN_VAIN),
        ("a offline_access", IN_VAIN, False, True, IN_VAIN),
        ("a", "", False, False, ""),
        ("a", NEEDED, False, False, NEEDED),
    ],
)
def test_what_a_sign_in_has_shown_is_remembered(
    asked: str, shown: str, consented: bool, lasts: bool, known: str
) -> None:
    assert note_outcome(asked, shown, consented=consented, lasts=lasts) == known


def test_every_reading_says_why() -> None:
    assert len({one.name for one in PROMPT_READINGS}) == len(PROMPT_READINGS)
    assert all(one.source.endswith((".", ").")) for one in PROMPT_READINGS)
