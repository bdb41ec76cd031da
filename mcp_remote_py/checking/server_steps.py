"""The order in which a server is asked, and what is asked side by side.

Must not know what any step does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from mcp_remote_py.checking.discovery import discover_documents
from mcp_remote_py.checking.host_view import consult_judge, view_as_host
from mcp_remote_py.checking.probe import examine_challenge, probe_server
from mcp_remote_py.checking.sign_in import (
    examine_token,
    inspect_sign_in,
    look_for_offer,
    sign_in_now,
)
from mcp_remote_py.checking.talk import NO_TIME_LEFT, ServerTalk
from mcp_remote_py.diagnosis.answers import describe_transport
from mcp_remote_py.diagnosis.judgements import skip_host_view
from mcp_remote_py.diagnosis.steps import CheckStep, StepState
from mcp_remote_py.diagnosis.streams import skip_listening
from mcp_remote_py.eras.era_detection import MISMATCH_STATUS
from mcp_remote_py.errors import ExchangeError


async def check_server(talk: ServerTalk, *, signs_in: bool = False) -> AsyncGenerator[CheckStep]:
    """Every step that speaks HTTP, MCP or OAuth; `signs_in`: a person signs in on the way."""
    for step in await _reach(talk):
        yield step
    if talk.failure is not None and talk.challenge is None:
        return
    yield examine_challenge(talk)
    stored = await inspect_sign_in(talk)
    if signs_in:
        await look_for_offer(talk)
        for step in await discover_documents(talk):
            yield step
        yield stored
        signed_in = await sign_in_now(talk)
        yield signed_in
        host_view = await _look(talk, signed_in)
    else:
        documents, host_view = await asyncio.gather(discover_documents(talk), _look(talk, stored))
        for step in documents:
            yield step
        yield stored
    yield await examine_token(talk)
    yield host_view
    judging = asyncio.ensure_future(consult_judge(talk))
    try:
        yield await _listen(talk)
        yield await judging
    finally:
        judging.cancel()


async def _reach(talk: ServerTalk) -> list[CheckStep]:
    """Whether it is an MCP server; with what a host would get, where that is the end."""
    first, *further = await probe_server(talk)
    error = talk.failure
    if error is None:
        return [first, *further]
    if not isinstance(error, ExchangeError) or error.status not in MISMATCH_STATUS:
        return [first, *further, skip_host_view("The server could not be asked.")]
    # A relay goes on after such an answer, as to a server of another era: what it comes to counts.
    host_view = await view_as_host(talk)
    found = talk.found
    if found is None or found.error:
        return [first, *further, host_view]
    talk.failure = None
    first = describe_transport(
        found.transport,
        found.revision,
        is_modern=found.is_modern,
        evidence=first.evidence,
        seconds=first.seconds or 0.0,
    )
    return [first, *further]


async def _look(talk: ServerTalk, before: CheckStep) -> CheckStep:
    if before.state is StepState.FAILED:
        return skip_host_view("A host would be told that a sign-in is needed.")
    return await view_as_host(talk)


async def _listen(talk: ServerTalk) -> CheckStep:
    """The listening stream, where a host gets as far as that."""
    if talk.found is None or talk.found.error:
        return skip_listening("A host does not get as far as that.")
    if talk.signer is not None:
        return skip_listening("Each request is signed: only a relay can open the stream.")
    if talk.found.is_modern:
        return skip_listening("MCP 2026-07-28 does without it: a host subscribes by a request.")
    if talk.found.transport != "Streamable HTTP":
        return skip_listening("HTTP+SSE has one stream, and a host was played over it.")
    from mcp_remote_py.checking.listening import HEADERS_PATIENCE, open_listening_stream

    if not talk.has_time_for(1) or talk.slowness > HEADERS_PATIENCE:
        return skip_listening(NO_TIME_LEFT)

    return await open_listening_stream(talk)
