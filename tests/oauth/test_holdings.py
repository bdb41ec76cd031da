"""What is in hand where nothing was looked at yet, or another process was at it: step by step."""

from __future__ import annotations

import pytest

from mcp_remote_py.errors import SignInFailed, StoreError
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.oauth.holdings import STORE_PATIENCE, Holdings
from mcp_remote_py.oauth.steps import AcquireLock, Lock, Save, SharedState
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from tests.oauth.machine import SETTINGS, START, signed_in
from tests.oauth.player import Script, play

BOUND = signed_in()._replace(token_type="DPoP", dpop_key=Secret("canary-key-of-a-proof"))


def holdings(settings: SignInSettings = SETTINGS) -> Holdings:
    return Holdings(settings, lambda: START)


@pytest.mark.promise("A3")
def test_the_key_of_a_token_is_the_one_it_is_bound_to() -> None:
    held = holdings()
    assert held.dpop_key is None
    held.take(BOUND)
    assert held.dpop_key == BOUND.dpop_key
    held.take(BOUND._replace(token_type="Bearer"))
    assert held.dpop_key is None
    by_id = holdings(SETTINGS.replace(use_id_token=True))
    by_id.take(BOUND)
    assert by_id.dpop_key is None  # that one is not sent


@pytest.mark.promise("P2")
def test_a_credential_that_is_gone_cannot_be_required() -> None:
    held = holdings()
    with pytest.raises(SignInFailed) as caught:
        held.require()
    assert caught.value.sentence() == (
        "The sign-in was ended by another process. Sign in again: mcp-remote-py login URL."
    )
    held.take(BOUND)
    assert held.require() is BOUND
    held.drop()
    with pytest.raises(SignInFailed):
        held.require()


@pytest.mark.promise("A5", "P2")
def test_a_store_that_another_process_has_for_too_long_is_told() -> None:
    script = Script(False)
    with pytest.raises(StoreError) as caught:
        play(holdings().acquire_store(), script)
    assert script.steps == [AcquireLock(Lock.STORE, STORE_PATIENCE)]
    assert caught.value.sentence() == (
        f"Another mcp-remote-py has been renewing this sign-in for {STORE_PATIENCE:.0f} s. "
        "Wait until it is done, or end it."
    )


@pytest.mark.promise("L2", "P2")
def test_nothing_is_tried_while_it_is_not_known_what_was_tried() -> None:
    held = holdings()
    held.check_budget()
    broken = StoreError("Input/output error.", hint="Repair the disk.")
    lost = SharedState(BOUND, None, SignInBudget(), "", "", unreadable=broken)
    play(held.look(), Script(lost))
    assert held.credential is BOUND  # that may be used all the same
    with pytest.raises(StoreError) as caught:
        held.check_budget()
    assert caught.value.cause == (
        "The record of earlier sign-ins cannot be read: Input/output error."
    )
    play(held.look(), Script(lost._replace(unreadable=None)))
    held.check_budget()


def test_what_is_stored_already_is_not_stored_again() -> None:
    held = holdings()
    stored = SharedState(BOUND, None, SignInBudget(), "", "")
    script = Script(True, stored, None, None)
    assert play(held.store_again(), script) is False
    assert not [step for step in script.steps if isinstance(step, Save)]
