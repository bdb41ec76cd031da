"""The two ends of a network: a real server behind it, and a host whose command goes through it.

What came of it is `Seen`, and what should have come is `Works` or `Told`. Must not know what stands
between.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tests.harness.host import Host, Json, environment_for, initialize_params
from tests.harness.warm import COMMAND, start_module
from tests.peers.launch import READY_SECONDS, Peer, known_to_peers, wait_for_port
from tests.real.installation import find_node
from tests.real.processes import kill_group
from tests.transports.peers import Authority

PATIENCE = 40.0
"""Seconds for one answer; the rows have bounds of their own, which are judged."""


SLACK = 10.0
"""Seconds that another command may take more."""


class NotOffered(Exception):
    """The client has nothing for that."""


class Client(Protocol):
    """A command that is started by a host."""

    is_ours: bool

    def start(
        self, url: str, options: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        """Its command line and what its environment has more."""
        ...


class Ours:
    """The command of this project."""

    is_ours = True

    def start(
        self, url: str, options: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        allow = ["--allow-http"] if url.startswith("http:") else []
        return [str(COMMAND), url, *allow, *options], dict(environment)


class McpRemote:
    """npm's mcp-remote, in the words that it has for the same."""

    is_ours = False

    def __init__(self, proxy: Path) -> None:
        self._proxy = proxy

    def start(
        self, url: str, options: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        words = [find_node(), str(self._proxy), url]
        variables = dict(environment)
        if url.startswith("http:"):
            words.append("--allow-http")
        if any(name.lower().endswith("_proxy") for name in variables):
            words.append("--enable-proxy")
        rest = iter(options)
        for option in rest:
            if option == "--ca-cert":
                variables["NODE_EXTRA_CA_CERTS"] = next(rest)
            elif option.startswith("--client-"):
                raise NotOffered("no client certificates")
            else:
                words += [option, *([next(rest)] if option in _WITH_VALUE else [])]
        return words, variables


_WITH_VALUE = {
    "--header",
    "--connect-timeout",
    "--headers-timeout",
    "--body-timeout",
    "--transport",
}


@dataclass
class Seen:
    """What came of a row.

    Attributes:
        answers: the texts of calls that were answered.
        errors: what a person reads of those that were not, and of a session that did not begin.
        runs: how many times the tool ran, by its token.
        seconds: how long each took.
        notes: what else is to be told.
        faults: what was not right, apart from that.
    """

    answers: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])
    runs: dict[str, int] = field(default_factory=dict[str, int])
    seconds: list[float] = field(default_factory=list[float])
    notes: list[str] = field(default_factory=list[str])
    faults: list[str] = field(default_factory=list[str])

    @property
    def slowest(self) -> float:
        return max(self.seconds, default=0.0)


@dataclass(frozen=True)
class Works:
    """Every call is answered within these seconds, and ran exactly once.

    `may_lose` is how many calls may end in the error that they may have been executed, and then
    ran at most once: one that meets the end of its connection cannot know.
    """

    within: float = 5.0
    may_lose: int = 0

    def judge(self, seen: Seen, *, is_ours: bool = True) -> list[str]:
        """What is wrong with it; of others what a person reads, and some seconds, are not judged.

        Node takes a second to start.
        """
        lost = [one for one in seen.errors if "may have been executed" in one or not is_ours]
        allowed = lost[: self.may_lose]
        faults = [f"error: {error}" for error in seen.errors if error not in allowed]
        never = [token for token, n in seen.runs.items() if n == 0][len(allowed) :]
        faults += [f"{token} ran 0 times" for token in never]
        faults += [f"{token} ran {n} times" for token, n in seen.runs.items() if n > 1]
        if not seen.answers:
            faults.append("no answer")
        if seen.slowest > self.within + (0 if is_ours else SLACK):
            faults.append(f"took {seen.slowest:.1f} s")
        return faults + seen.faults


@dataclass(frozen=True)
class Told:
    """It cannot work: a person reads these phrases within these seconds.

    In a phrase, `|` stands between words of which one is enough. `ran` is how many times at most
    the tool may have run; with `after`, that is about the last call, and those before it worked.
    """

    phrases: tuple[str, ...]
    within: float = 10.0
    ran: int = 0
    after: bool = False

    def judge(self, seen: Seen, *, is_ours: bool = True) -> list[str]:
        """See `Works.judge`."""
        last = next(reversed(seen.runs), "") if self.after else ""
        faults = [
            f"{token} ran {n} times"
            for token, n in seen.runs.items()
            if (n != 1 if token != last and self.after else n > self.ran)
        ]
        if not seen.errors:
            faults.append("no error")
        said = seen.errors[-1].lower() if seen.errors else ""
        if is_ours:
            faults += [
                f"not said: {phrase}"
                for phrase in self.phrases
                if not any(one in said for one in phrase.lower().split("|"))
            ]
            if not re.search(r"[.?!] \S", said):
                faults.append("no next step")
        if seen.slowest > self.within + (0 if is_ours else SLACK):
            faults.append(f"took {seen.slowest:.1f} s")
        return faults + seen.faults


class World:
    """One row's machine."""

    def __init__(self, folder: Path, stack: ExitStack, client: Client) -> None:
        self.folder = folder
        self.stack = stack
        self.client = client
        self.seen = Seen()
        self._runs = folder / "runs"
        self._numbers = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def company(self) -> Authority:
        """The private authority of the company."""
        return Authority(self.folder, "Example Corp Root")

    def place(self, name: str) -> Path:
        """A folder that is not there yet."""
        return self.folder / f"{name}{next(self._numbers)}"

    def server(self, *options: str, port: int = 0) -> Peer:
        """A server; its process ends with the row, or when it is killed."""
        return self.stack.enter_context(self.serving(*options, port=port))

    @contextlib.contextmanager
    def serving(self, *options: str, port: int = 0) -> Generator[Peer]:
        """A server for a while."""
        transport, *more = options or ("streamable",)
        words = [transport, *more, "--runs", str(self._runs), "--port", str(port)]
        process = start_module("tests.interop.networks.tool_server", words, known_to_peers())
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first, f"the server did not start: {words}"
            found = int(first)
            if "--host" not in more:
                wait_for_port(process, found)
            path = "/sse" if transport == "sse" else "/mcp"
            yield Peer(process, found, f"http://127.0.0.1:{found}{path}")
        finally:
            kill_group(process)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    @contextlib.contextmanager
    def connect(
        self, url: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> Generator[Session]:
        """A session of a host, which has begun; or an error is noted and nothing can be asked."""
        command, variables = self.client.start(url, options, environment or {})
        home = self.place("home")
        surroundings = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", **variables}
        host = Host(command, environment_for(home, surroundings), patience=PATIENCE)
        try:
            session = Session(self, host)
            session.begin()
            yield session
        finally:
            host.end()
            if self.client.is_ours:
                host.check()
            self.seen.runs |= {token: self.runs(token) for token in self.seen.runs}

    def runs(self, token: str) -> int:
        """How many times the tool ran for it."""
        if not self._runs.exists():
            return 0
        return self._runs.read_text().split().count(token)

    def play(
        self,
        url: str,
        *options: str,
        environment: Mapping[str, str] | None = None,
        call: Mapping[str, float] | None = None,
    ) -> None:
        """The plain story: begin, list, call once, with these arguments."""
        with self.connect(url, *options, environment=environment) as session:
            session.call(**(call or {}))


class Session:
    """What a host asks; what comes of it is noted in `Seen`."""

    def __init__(self, world: World, host: Host) -> None:
        self._world = world
        self.host = host
        self._began = False
        self._log_from = 0

    def begin(self) -> None:
        """The handshake and the list."""
        if self._ask("initialize", initialize_params()) is None:
            return
        self.host.notify("notifications/initialized")
        self._began = self._ask("tools/list", {}) is not None

    def call(self, **arguments: Any) -> str:
        """Calls the tool that counts, where the session began; returns its token."""
        seen = self._world.seen
        token = f"call{len(seen.runs)}"
        if self._began:
            seen.runs[token] = 0
            self._note(self._ask_tool("count", {"token": token, **arguments}))
        return token

    def reports(self) -> int:
        """How many reports of progress came."""
        return sum("progress" in one["method"] for one in self.host.notifications)

    def watch(self, **arguments: Any) -> None:
        """As `call`, and notes when the first report of progress came."""
        begun, first = time.monotonic(), 0.0
        thread = threading.Thread(target=self.call, kwargs=arguments)
        thread.start()
        while thread.is_alive():
            thread.join(0.02)
            if not first and self.reports():
                first = time.monotonic() - begun
        first = first or time.monotonic() - begun
        took = self._world.seen.seconds[-1]
        self._world.seen.notes.append(
            f"{self.reports()} reports of progress, the first after {first:.1f} s of {took:.1f} s"
        )

    def announce(self, **arguments: Any) -> None:
        """Has the server announce a change."""
        if self._began:
            self._ask_tool("announce", arguments)

    def _ask_tool(self, name: str, arguments: Json) -> Json | None:
        meta = {"progressToken": f"p{len(self._world.seen.runs)}"}
        return self._ask("tools/call", {"name": name, "arguments": arguments, "_meta": meta})

    def _note(self, result: Json | None) -> None:
        if result is not None:
            self._world.seen.answers.append(result["content"][0]["text"].rstrip("."))

    def _ask(self, method: str, params: Json) -> Json | None:
        seen = self._world.seen
        begun = time.monotonic()
        try:
            answer = self.host.request(method, params)
        except (AssertionError, BrokenPipeError) as error:
            reason = "ended" if "ended first" in str(error) else "no answer"
            lines = self.host.stderr.strip().splitlines()
            told = [one for one in lines if re.search("error|fatal|fail", one, re.IGNORECASE)]
            seen.errors.append(f"({reason}) {(told or lines or [''])[-1].strip()}")
            return None
        finally:
            seen.seconds.append(time.monotonic() - begun)
        if "error" in answer:
            seen.errors.append(answer["error"]["message"])
            return None
        result: Json = answer["result"]
        if result.get("isError"):
            seen.errors.append(result["content"][0]["text"])
            return None
        return result


@dataclass(frozen=True)
class Row:
    """A network.

    Attributes:
        key: its name on the command line.
        between: what stands between.
        config: what a person writes into the entry, or can do; "-" for nothing.
        right: what must come of it.
        play: builds it and has the client go through.
        product: whose program it needs, "" where the tests have it.
        island: whether it needs names, addresses or ports that only a machine of its own has.
        gate: whether it is played in the gate, too: what nothing cheaper shows.
    """

    key: str
    between: str
    right: Works | Told
    play: Callable[[World], None]
    config: str = "-"
    product: str = ""
    island: bool = False
    gate: bool = False

    def measure(self, folder: Path, client: Client) -> tuple[Seen, list[str]]:
        """Plays it; what came, and what was not right."""
        with ExitStack() as stack:
            world = World(folder / self.key, stack, client)
            try:
                self.play(world)
            except NotOffered as error:
                world.seen.errors.append(f"not offered: {error}")
            seen = world.seen
        return seen, self.right.judge(seen, is_ours=client.is_ours)


__all__ = ["READY_SECONDS", "Client", "McpRemote", "Ours", "Row", "Seen", "Told", "Works", "World"]
