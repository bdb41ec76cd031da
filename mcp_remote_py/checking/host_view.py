"""Plays a host through a relay of our own, and asks the official client beside it.

Where the two differ, that is the finding. Must not know how a relay is put together, nor the SDK.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import cast

from mcp_remote_py.checking.talk import LEAST_TIME, NO_TIME_LEFT, ServerTalk
from mcp_remote_py.diagnosis.judgements import (
    Judgement,
    compare,
    describe_host_view,
    describe_judgement,
    skip_host_view,
    skip_judgement,
)
from mcp_remote_py.diagnosis.steps import CheckStep, StepState
from mcp_remote_py.tls import build_tls_context

LOOK_WAIT = 5.0
"""Seconds that a host is played for, where the server is not slow."""

JUDGE_WAIT = 4.0
"""Seconds that the official client has."""

JUDGE_ANSWERS = 4
"""Answers that it waits for at least, before it says anything."""


async def view_as_host(talk: ServerTalk) -> CheckStep:
    """What a host would be shown. Fills `talk.found`."""
    if talk.time_left < LEAST_TIME:
        return skip_host_view(NO_TIME_LEFT)
    clock = asyncio.get_running_loop()
    began = clock.time()
    most = talk.time_left if talk.slowness else min(LOOK_WAIT, talk.time_left)
    talk.found = await talk.look(talk.settings, most)
    talk.transport = talk.found.transport or talk.transport
    return describe_host_view(talk.found, talk.settings.entry_words, clock.time() - began)


async def consult_judge(talk: ServerTalk) -> CheckStep:
    """What the official client finds. Fills `talk.judgement`."""
    if talk.failure is not None:
        return skip_judgement("The server could not be asked.")
    if talk.signer is not None:
        return skip_judgement("It cannot sign requests for AWS; a host was played instead.")
    if not talk.has_time_for(JUDGE_ANSWERS):
        return skip_judgement(NO_TIME_LEFT)
    if talk.challenge is not None and talk.signs_in and not talk.has_token:
        return skip_judgement("The server wants a sign-in first.")
    judge = await asyncio.to_thread(importlib.import_module, "mcp_remote_py.checking.judge")
    if talk.time_left < LEAST_TIME:  # a busy machine takes seconds to load it
        return skip_judgement(NO_TIME_LEFT)
    network = talk.settings.network
    talk.judgement = cast(
        "Judgement",
        await judge.ask_judge(
            talk.server,
            talk.get_headers,
            talk.take_nonce,
            build_tls_context(network.tls),
            network.proxy_for(talk.server),
            min(JUDGE_WAIT, talk.time_left),
            over_sse=talk.transport == "HTTP+SSE",
            ipv4=network.ipv4,
        ),
    )
    step = describe_judgement(talk.judgement)
    difference = "" if talk.found is None else compare(talk.found, talk.judgement)
    if difference and step.state is not StepState.SKIPPED:
        step = step.replace(hint=difference)
    return step
