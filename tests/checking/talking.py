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
from mcp_remote_py.checking.talk import CHECK_PATIENCE
from mcp_remote_py.commands.check_look import open_talk
from mcp_remote_py.diagnosis.server_verdicts import find_server_verdict
from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.headers import HeaderSettings, parse_header
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.url import parse_url

IN_TIME = 10.0
"""Seconds within which there is a verdict, whatever a server does."""

LOGIN = "mcp-remote-py login URL"


@dataclass
class Checked:
    """A check that is over."""

    steps: dict[str, CheckStep]
    verdict: Verdict
    seconds: float

    @property
    def text(self) -> str:
        """All that was said."""
        lines = [
            line
            for step in self.steps.values()
            for line in (step.title, step.said, *step.evidence, step.hint)
        ]
        return "\n".join([*lines, self.verdict.said, self.verdict.hint, self.verdict.command])

    def state(self, name: str) -> StepState:
        """What became of a step."""
        return self.steps[name].state


def check(
    url: str,
    environment: Mapping[str, str],
    *headers: str,
    signs_in: bool = False,
    answer_patience: float = 4.0,
    patience: float = CHECK_PATIENCE,
    **settings: Any,
) -> Checked:
    """The check of the server at `url`; the settings are those of the relay."""
    given = HeaderSettings(given=tuple(parse_header(one, environment) for one in headers))
    store = SignInSettings(token_store="file")
    chosen = ProxySettings(parse_url(url), given, sign_in=store).replace(**settings)

    async def play() -> Checked:
        steps: dict[str, CheckStep] = {}
        began = time.monotonic()
        async with open_talk(
            chosen,
            environment,
            lambda _: None,
            seconds=patience,
            answer_patience=answer_patience,
        ) as talk:
            async for step in check_server(talk, signs_in=signs_in):
                assert step.name not in steps, f"{step.name} twice"
                steps[step.name] = step
            verdict = find_server_verdict(
                tuple(steps.values()),
                LOGIN,
                store_failed=talk.store_failed,
                is_signed_in=talk.has_token,
                clock_reason=talk.clock_reason,
            )
        assert verdict is not None
        return Checked(steps, verdict, time.monotonic() - began)

    return asyncio.run(play())
