"""A third-party system as a value: what it is, how it is started, what the story must know of it.

A step that a system does not offer is said here by its row, with the reason. Must not know which
command is under test, nor how the story is told.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.real.processes import kill_group

Json = dict[str, Any]

LIFETIME = 8
"""Seconds a token lives where the row may choose."""

UVICORN_TOKEN = r'"POST /token HTTP/1\.1"'
UVICORN_REVOCATION = r'"POST /revoke HTTP/1\.1" 200'
"""Lines of uvicorn's log."""


@dataclass(frozen=True)
class Absent:
    """A step that is not offered, and why: "-" in the table and a note below it."""

    why: str


@dataclass(frozen=True)
class Call:
    """A tool call, and a text that must be in its result."""

    tool: str
    arguments: Json
    says: str


@dataclass(frozen=True)
class Ask:
    """A tool call during which the server turns to its client.

    Attributes:
        method: of the request or the notification that must reach the host before the answer.
        answer: the result the host gives to a request; None where it is a notification.
    """

    call: Call
    method: str
    answer: Json | None = None


ADD = Call("add", {"a": 2, "b": 40}, "42")
"""What most of these servers can do."""


def asks_name(tool: str = "ask", member: str = "name") -> Ask:
    """A form with one field, which the person fills in."""
    answer = {"action": "accept", "content": {member: "Ada"}}
    return Ask(Call(tool, {}, "accept Ada"), "elicitation/create", answer)


NO_SESSION = Absent(
    "to a host of up to 2025-11-25 this server answers without a session, by which alone it could"
    " turn to its client; with `--protocol modern` it can"
)


@dataclass(frozen=True)
class SignIn:
    """How people sign in, and what can be seen of it at the server's side.

    Attributes:
        token_requests: how many requests the token endpoint has had since the system began, of the
            browser's sign-in and of renewals; None where nobody can count them.
        expire: returns when the newest access token is not accepted any more; bounded.
        renews: whether the next call needs no tab then.
        revocations: how many tokens were revoked; or why nobody can be asked to.
        tabs: pages that one sign-in opens in the browser.
    """

    token_requests: Callable[[], int] | None
    expire: Callable[[], None] | Absent
    renews: bool = True
    revocations: Callable[[], int] | Absent = field(
        default_factory=lambda: Absent("the server has no revocation endpoint")
    )
    tabs: int = 1


@dataclass(frozen=True)
class Restart:
    """What happens when the server is killed and started at the same address.

    Attributes:
        again: does it; returns when it listens.
        tabs: 1 where its clients and tokens were in its memory, so that people sign in once more.
        refuses: words of the error by which the next call must fail, where the era's rules say that
            it cannot work; "" where it must work.
    """

    again: Callable[[], None]
    tabs: int = 0
    refuses: str = ""


@dataclass(frozen=True)
class Scene:
    """A running system.

    Attributes:
        url: the address a person writes into the config.
        name: what the server calls itself in its greeting.
        sign_in: how people sign in; `Absent` says why nobody does.
        options: words after the URL, the same for all commands, such as a header.
        own_options: more of them by the name of a command.
        own_names: what the greeting says where a command puts its own name in the server's place.
        environment: variables that a command gets.
    """

    url: str
    name: str
    call: Call
    ask: Ask | Absent
    sign_in: SignIn | Absent
    restart: Restart | Absent
    options: Sequence[str] = ()
    own_options: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    own_names: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class System:
    """A row of the table.

    Attributes:
        key: one word for the command line and the tests.
        name: what it is, for the table.
        versions: what the row is about, as "package version" (see `versions`).
        start: it runs from a scratch folder of its own until the end.
        gate: whether it is also played by `scripts/test`.
        commands: names of the commands that can be tried on it at all; empty for all but AWS's.
        install: what must be on the machine beside the tests' own; none where it is None.
    """

    key: str
    name: str
    versions: Callable[[], Sequence[str]]
    start: Callable[[Path], AbstractContextManager[Scene]]
    gate: bool = False
    commands: Sequence[str] = ()
    install: Callable[[], object] | None = None


def wait_out(seconds: float) -> None:
    """Until a token that was just given has ended, and a second more for two clocks."""
    threading.Event().wait(seconds + 1)


class Started(Protocol):
    """A process that listens, as `tests.real.processes` and `tests.peers.launch` have them."""

    @property
    def process(self) -> Any:
        """The process, which leads a group."""
        ...

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        ...


class Restartable:
    """A server that can be killed and started again at its port.

    Attributes:
        port: where it listens.
    """

    def __init__(
        self,
        stack: ExitStack,
        start: Callable[[int], AbstractContextManager[Started]],
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        """Starts it for as long as `stack` lasts; `log` is what each start writes anew."""
        self._outer = stack
        self._start = start
        self._log = log
        self._before = ""
        self._life = stack.enter_context(ExitStack())
        first = self._life.enter_context(start(port))
        self.port, self._process = first.port, first.process

    def again(self) -> None:
        """Kills it and starts it where it was."""
        self._before = self.log
        kill_group(self._process)
        self._life.close()
        self._life = self._outer.enter_context(ExitStack())
        found = self._life.enter_context(self._start(self.port))
        self._process = found.process
        assert found.port == self.port, f"it came back at port {found.port}, not {self.port}"

    @property
    def log(self) -> str:
        """All it has said, in all its lives."""
        return self._before + (self._log.read_text(errors="replace") if self._log else "")

    def count(self, pattern: str) -> int:
        """How often this regular expression is in the log."""
        return len(re.findall(pattern, self.log))
