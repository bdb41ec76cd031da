"""One person's machine, from outside: a home, a browser, hosts, and a server that signs people in.

What counts is counted here: tabs, and requests by kind. Must not know how the command is made.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.harness.browser import FakeBrowser
from tests.harness.host import (
    Host,
    Json,
    assert_error,
    environment_for,
    initialize_params,
    wait_until,
)
from tests.harness.warm import COMMAND, run
from tests.peers.authorization_server import AuthorizationServer
from tests.thorough import THOROUGH

PATIENCE = 40.0
"""Seconds for what needs a sign-in, or the end of several time-outs."""
CALL: Json = {"name": "echo", "arguments": {"text": "hello"}}
SEARCH: Json = {"name": "lookup", "arguments": {}}


@dataclass
class Stage:
    """The machine, and the server out there."""

    server: AuthorizationServer
    browser: FakeBrowser
    home: Path
    stack: ExitStack
    prefix: tuple[str, ...] = ()
    """What stands before each command: a program that runs it somewhere else."""

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """All that the command is given, the test's own wishes last."""
        surroundings = {
            "BROWSER": str(self.browser.command),
            # A machine without a keyring, also where the tests run on one that has one.
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        return environment_for(self.home, surroundings | dict(extra or {}))

    def host(
        self,
        *options: str,
        token_store: str = "file",
        environment: Mapping[str, str] | None = None,
        url: str = "",
        fresh: bool = THOROUGH,
    ) -> Host:
        """A host that has started the command; ended with the test at the latest."""
        store = ["--token-store", token_store] if token_store else []
        command = [*self.prefix, str(COMMAND), url or self.server.url, *options, *store]
        host = Host(command, self.environment(environment), patience=PATIENCE, fresh=fresh)
        return self.stack.enter_context(host)

    def login(self, *options: str, fresh: bool = THOROUGH) -> None:
        """The person signs in by the command for it, at a terminal."""
        words = ("login", self.server.url, "--token-store", "file", *options)
        done = self.run(*words, fresh=fresh)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        fresh: bool = THOROUGH,
    ) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself, without a host."""
        command = [*self.prefix, str(COMMAND), *words]
        return run(command, self.environment(environment), PATIENCE, fresh=fresh)

    def sign_in(self, *options: str, **more: Any) -> Host:
        """A host whose command has signed in, with one tab."""
        host = self.host(*options, **more)
        host.initialize()
        assert len(self.browser.opened) == 1
        return host

    def end(self, host: Host) -> None:
        """The host goes away as hosts do."""
        host.close_stdin()
        assert host.wait_exit(5) == 0

    def kill(self, host: Host) -> None:
        """The command is gone before it could do anything about it."""
        host.signal(signal.SIGKILL)
        assert host.wait_exit(5) == -signal.SIGKILL

    @property
    def counts(self) -> dict[str, int]:
        """How often each thing has happened that must not happen often."""
        return {
            "tabs": len(self.browser.opened),
            "discoveries": len(self.server.discoveries),
            "registrations": len(self.server.registrations),
            "codes": len(self.server.token_requests("authorization_code")),
            "refreshes": len(self.server.token_requests("refresh_token")),
        }

    def counts_since(self, before: Mapping[str, int]) -> dict[str, int]:
        """What has happened since the counts were `before`."""
        return {name: count - before[name] for name, count in self.counts.items()}


def call(host: Host, params: Json = CALL) -> Json:
    """The result of a tool call."""
    answer = host.request("tools/call", params)
    assert "result" in answer, answer
    result: Json = answer["result"]
    return result


def assert_says(text: str, *phrases: str) -> None:
    """Asserts that this error is cause and next step, two sentences, and says all `phrases`.

    In a phrase, `|` stands between words of which one is enough.
    """
    for phrase in phrases:
        assert any(one in text.lower() for one in phrase.lower().split("|")), f"{phrase}: {text}"
    assert re.search(r"[.?!] \S", text), f"no next step: {text}"


def refusal(host: Host, *phrases: str) -> str:
    """The error that `initialize` is answered with, and what it must say.

    The log has the same sentences; what fails in one way again is not told again there.
    """
    request_id = host.begin("initialize", initialize_params())
    text = assert_error(host.answer(request_id, seconds=PATIENCE), request_id)
    assert_says(text, *phrases)
    sentences = re.split(r"(?<=[.?!]) (?=[A-Z])", text)
    wait_until(
        lambda: all(one in host.stderr for one in sentences), f"the same words in the log: {text}"
    )
    return text


def wait_for_tab(stage: Stage) -> None:
    """A host may be answered as soon as a person is waited for: the browser may be slower."""
    wait_until(lambda: bool(stage.browser.opened), "a tab", seconds=PATIENCE)


def redirect_uri_of(stage: Stage) -> tuple[str, str]:
    """Redirect URI and `state` of the tab that was opened."""
    wait_for_tab(stage)
    query = parse_qs(urlsplit(stage.browser.opened[0]).query)
    return query["redirect_uri"][0], query["state"][0]


def let_token_expire(stage: Stage) -> None:
    """Waits until the newest access token is out of date; the next ones live long."""
    stage.server.policy.lifetime = 3600
    expires_at = list(stage.server.access_tokens.values())[-1].expires_at
    assert expires_at is not None
    wait_until(lambda: time.monotonic() > expires_at, "the token's end")
