"""What tests of `check` need: a conversation with a server in this process, and its verdict.

Everything but the command line is real: sockets, the relay that plays a host, the SDK's client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_remote_py.checking.server_steps import check_server
from mcp_remote_py.checking.talk import ServerTalk
from mcp_remote_py.commands.check_look import build_look
from mcp_remote_py.diagnosis.server_verdicts import decide
from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.named_files import read_settled
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.headers import HeaderSettings, parse_header
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.transports.headers import HeaderSource
from mcp_remote_py.url import parse_url

IN_TIME = 10.0
"""Seconds within which there is a verdict, whatever a server does."""

LOGIN = "mcp-remote-py login URL"


@dataclass
class Checked:
    """A check that is over."""

    steps: dict[str, CheckStep]
    verdict: Verdict | None
    seconds: float

    @property
    def text(self) -> str:
        """All that was said."""
        lines = [
            line
            for step in self.steps.values()
            for line in (step.title, step.said, *step.evidence, step.hint)
        ]
        verdict = self.verdict
        return "\n".join(
            [*lines, *((verdict.said, verdict.hint, verdict.command) if verdict else ())]
        )

    def state(self, name: str) -> StepState:
        return self.steps[name].state


def check(
    url: str,
    environment: Mapping[str, str],
    *headers: str,
    signs_in: bool = False,
    now: float = 0.0,
    answer_patience: float = 4.0,
    **settings: Any,
) -> Checked:
    """The check of the server at `url`; `now` is added to the clock."""

    async def play() -> Checked:
        given = HeaderSettings(given=tuple(parse_header(one, environment) for one in headers))
        chosen = ProxySettings(
            server=parse_url(url),
            headers=given,
            **{"sign_in": SignInSettings(token_store="file"), **settings},
        )
        source = HeaderSource(given, environment, read_settled)
        await source.load()
        talk = ServerTalk(
            chosen,
            environment,
            source,
            build_look(environment, source),
            lambda _: None,
            lambda: time.time() + now,
            answer_patience=answer_patience,
        )
        steps: dict[str, CheckStep] = {}
        began = time.monotonic()
        try:
            async for step in check_server(talk, signs_in=signs_in):
                assert step.name not in steps, f"{step.name} twice"
                steps[step.name] = step
        finally:
            await talk.aclose()
        verdict = decide(tuple(steps.values()), LOGIN, is_signed_in=talk.has_token)
        return Checked(steps, verdict, time.monotonic() - began)

    return asyncio.run(play())
