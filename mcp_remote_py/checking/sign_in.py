"""The sign-in of a session: what is stored, what a person signs in to now, what the token says.

What is due is renewed as a relay does it - by the same agent, under the same lock, within the same
bounds - because only that shows what a host would get, and what comes of it is stored for all: a
check never has a token of its own that others would lack. Nobody is asked, and no tab is opened or
counted, but for `--login`. Must not know HTTP.
"""

from __future__ import annotations

from mcp_remote_py.checking.talk import ServerTalk
from mcp_remote_py.credentials.session_files import (
    SessionRecord,
    list_records,
    state_directory,
)
from mcp_remote_py.diagnosis.clocks import explain_by_clocks
from mcp_remote_py.diagnosis.sign_ins import (
    StoredSignIn,
    describe_ended,
    describe_signed_in,
    describe_stored,
    describe_token,
    skip_stored,
    skip_token,
)
from mcp_remote_py.diagnosis.steps import CheckStep
from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.oauth.challenge import parse_challenge


async def inspect_sign_in(talk: ServerTalk) -> CheckStep:
    """The sign-in that is stored, with no look at the network. Fills `talk.credential`."""
    if talk.signer is not None:
        return skip_stored("Requests are signed, so nobody signs in.")
    if not talk.signs_in:
        return skip_stored("A credential is given, so nobody signs in.")
    problem: McpRemoteError | None = None
    record, store = SessionRecord(), ""
    try:
        record = talk.read_record()
        store = record.store or talk.describe_store()
        await talk.load_credential()
    except McpRemoteError as error:
        problem = error
        talk.store_failed = True
    stored = StoredSignIn(
        signed_in_at=record.signed_in_at,
        account=record.account,
        issuer=record.issuer,
        scope=record.scope,
        expires_at=record.expires_at,
        store=store,
        profiles=_find_profiles(talk) if talk.credential is None and problem is None else (),
        last_error=record.last_error,
        last_hint=record.last_hint,
        budget=record.budget,
    )
    return describe_stored(
        stored,
        talk.credential,
        problem,
        talk.now(),
        is_wanted=talk.challenge is not None and talk.settings.sign_in.unattended is None,
    )


def _find_profiles(talk: ServerTalk) -> tuple[str, ...]:
    """The profiles under which somebody is signed in at this server."""
    own = talk.settings.sign_in.profile
    records = list_records(state_directory(talk.environment))
    at_server = [one for one in records if one.server == str(talk.server) and one.signed_in_at]
    return tuple(dict.fromkeys(one.profile for one in at_server if one.profile not in ("", own)))


async def look_for_offer(talk: ServerTalk) -> None:
    """Looks for what an open server publishes of a sign-in, as `login` does: calls may want it.

    Fills `talk.challenge`.
    """
    if talk.challenge is None and talk.failure is None and talk.signs_in:
        talk.offer = await talk.get_agent().find_offer()
        talk.challenge = None if talk.offer is None else parse_challenge(talk.offer)


async def sign_in_now(talk: ServerTalk) -> CheckStep:
    """Signs in as `login` does, because the person has asked for it."""
    from mcp_remote_py.signin.build import build_agent

    if talk.challenge is None or not talk.signs_in:
        return describe_signed_in(None, None, "Nothing asks for a sign-in.", talk.now())
    agent = build_agent(talk.asking.login, talk.environment, talk.report)
    challenge = talk.offer or ("" if talk.answered is None else talk.answered.challenge)
    try:
        credential = await agent.sign_in(challenge)
    except McpRemoteError as error:
        return describe_signed_in(None, error, "", talk.now())
    finally:
        await agent.aclose()
    talk.credential = credential
    return describe_signed_in(credential, None, "", talk.now())


async def examine_token(talk: ServerTalk) -> CheckStep:
    """The token as it is after a host was played: it may have been renewed meanwhile."""
    before = talk.credential
    had_token = talk.has_token
    now_stored = None
    if talk.signs_in and talk.challenge is not None:
        try:
            now_stored = await talk.load_credential()
        except McpRemoteError:
            pass  # said before
    credential = now_stored or before
    found = talk.found
    if found is not None and found.needs_sign_in and had_token and not talk.has_token:
        return describe_ended(talk.read_record().last_error, found.error)
    if not talk.signs_in or credential is None or credential.access_token is None:
        return skip_token("There is no token of a sign-in.")
    accepted: bool | None = None
    refusal = ""
    if found is not None and not found.error:
        accepted = True
    elif found is not None and found.needs_sign_in:
        accepted = False
        refusal = found.error
        talk.clock_reason = explain_by_clocks(credential, talk.clock_ahead, talk.now())
    published = talk.discovered.resource if talk.discovered is not None else ""
    return describe_token(credential, accepted, refusal, published, talk.now())
