"""What is said where a token cannot be had, sentence by sentence: cause, evidence, next step."""

from __future__ import annotations

import pytest

from mcp_remote_py.errors import StoreError
from mcp_remote_py.oauth.budget import SignInBudget, note_tab
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.explain import (
    explain_budget,
    explain_busy_store,
    explain_proof,
    explain_token,
    explain_unknown_budget,
)
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from tests.oauth.machine import SETTINGS, START, signed_in

pytestmark = pytest.mark.promise("P2")


def test_a_proof_that_is_refused_is_not_a_token_that_is() -> None:
    error = explain_proof("invalid_dpop_proof", 401)
    assert error.cause == (
        "The server refuses the proof that the token is ours (invalid_dpop_proof)."
    )
    assert error.status == 401
    assert "clock" in error.hint


@pytest.mark.parametrize(
    ("settings", "is_offered"),
    [
        (SETTINGS, True),
        (SETTINGS.replace(authorize_parameters=(("audience", "x"),)), False),
        (SETTINGS.replace(authorize_parameters=(("prompt", "x"),)), True),
    ],
)
def test_an_audience_is_offered_where_none_is_given(
    settings: SignInSettings, is_offered: bool
) -> None:
    credential = signed_in()
    for one, offered in (
        (credential, is_offered),
        (credential._replace(resource=None), False),
    ):
        said = explain_token(
            Secret("opaque-4711"), one, Challenge(), settings, START, on_record=True
        )
        assert ("--authorize-param audience=" in said.hint) is offered
        assert "--resource or --scope" in said.hint


def test_a_store_that_is_busy_or_cannot_be_read() -> None:
    assert explain_busy_store(30.4).sentence() == (
        "Another mcp-remote-py has been renewing this sign-in for 30 s. Wait until it is done, or "
        "end it."
    )
    for hint in ("", "Repair the disk."):
        error = explain_unknown_budget(StoreError("Input/output error.", hint=hint))
        assert error.cause == "The record of earlier sign-ins cannot be read: Input/output error."
        assert error.hint == f"{hint} To sign in all the same: mcp-remote-py login URL.".lstrip()


def test_a_scope_that_nobody_named_before_is_not_a_sign_in_that_came_to_nothing() -> None:
    budget = note_tab(SignInBudget(), START)
    error = explain_budget(budget, SETTINGS, START, "", "", "write", "read")
    assert error.sentence() == (
        'The server wants the scope "write", which the sign-in lacks. No other sign-in starts by '
        "itself for 10 minutes. Add --scope 'read write' to: mcp-remote-py login URL."
    )
    error = explain_budget(budget, SETTINGS, START, "The sign-in was declined.", "", "write")
    assert error.cause == "The sign-in was declined."
    assert "--scope" not in error.hint
