"""What holds whatever fails: one judge for every scenario of faults, from outside only.

A scenario starts its hosts through `Judge.host`, and ends with `Judge.end`. Then it is asserted:
stdout had JSON-RPC lines only, and exactly one answer for each id (R1, R2); no secret in stdout, in
stderr, in a log, in the arguments of any process that was started, in any file (S2); files are
0600 and folders 0700; tabs, and requests in all and in each second, stay below the bounds; no call
reached a server twice, no code either, and no refresh token whose successor was used; what listens
does so on loopback only, and no longer than a sign-in; no process and no listener is left. What is
counted is in `FIGURES`.

Must not know how the command is made, or what has failed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.canaries import HEADERS, RUN
from tests.harness.host import Host, Json, descendants, is_running, wait_until
from tests.harness.listeners import Listener, all_listeners, listeners_of
from tests.harness.stage import Stage
from tests.peers.authorization_server import Form, form_of, query_of
from tests.peers.fault_proxy import FaultProxy
from tests.peers.wild_server import Exchange

MAY_OUTLIVE = 20.0
"""Seconds: the refresh process alone may, for one exchange with the token endpoint."""

FIGURES: Counter[str] = Counter()
"""What was played in this run, and what was found: faults, requests, answers, secrets and so on."""
_counting = threading.Lock()


def count(what: str, number: int = 1) -> None:
    """So many more of them; scenarios may be played side by side."""
    with _counting:
        FIGURES[what] += number


@dataclass(frozen=True)
class Bounds:
    """What a scenario may cost.

    Attributes:
        tabs: in all.
        a_second: requests that reach the servers in any one second.
        requests: in all.
        orphans: seconds that processes may be there after the command has gone.
    """

    tabs: int = 0
    a_second: int = 40
    requests: int = 60
    orphans: float = 2.0


@dataclass
class Judge:
    """Watches one scenario on this stage."""

    stage: Stage
    bounds: Bounds = field(default_factory=Bounds)
    hosts: list[Host] = field(default_factory=list[Host])

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._seen_arguments: dict[int, bytes] = {}
        self._listeners: list[Listener] = []
        self._deaf_pages: list[str] = []
        self.stage.server.always("authorize", self._send_back)
        self._before = len(self.stage.server.requests)
        self._tabs_before = len(self.stage.browser.opened)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        self.stage.stack.callback(self._over.set)

    def host(self, *options: str, **more: Any) -> Host:
        """A host of the scenario, as `Stage.host` starts it."""
        host = self.stage.host(*options, **more)
        self.hosts.append(host)
        return host

    def _watch(self) -> None:
        """Who looks at the list of processes sees the arguments of each."""
        while not self._over.wait(0.01):
            for host in tuple(self.hosts):
                for pid in (host.process.pid, *descendants(host.process.pid)):
                    if pid not in self._seen_arguments or host.process.pid == pid:
                        self._look_at(pid)

    def _look_at(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            self._seen_arguments[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()

    def _send_back(self, page: Exchange) -> None:
        """The page of a sign-in leads back to this machine: who listens now is looked at."""
        back = query_of(page).get("redirect_uri", "")
        there = [one for one in all_listeners() if one.port == urlsplit(back).port]
        if not there:
            self._deaf_pages.append(back)
        self._listeners += there + listeners_of(self._pids())
        page.good()

    def _pids(self) -> set[int]:
        hosts = tuple(self.hosts)
        return {pid for one in hosts for pid in (one.process.pid, *descendants(one.process.pid))}

    # The end

    def end(self) -> None:
        """The hosts go, and all is looked at.

        Raises:
            AssertionError: something was not as it must be.
        """
        for host in self.hosts:
            self._end_host(host)
        self._over.set()
        self._watcher.join(5)
        self._judge_processes()
        self._judge_listeners()
        self._judge_secrets()
        self._judge_files()
        self._judge_costs()
        count("scenarios")

    def let_go(self, host: Host) -> None:
        """This host has done its part; it is judged now."""
        self._end_host(host)
        self.hosts.remove(host)

    def _end_host(self, host: Host) -> None:
        if host.process.poll() is None:
            pids = (host.process.pid, *descendants(host.process.pid))
            wait_until(lambda: not listeners_of(pids), "the end of listening", seconds=2)
            host.close_stdin()
            assert host.wait_exit(5) == 0, "the command does not end as it should"
        host.end()
        host.check()
        for key, (asked, answered) in host.asked_and_answered().items():
            count("requests", asked)
            count("answers", answered)
            count("lost", max(asked - answered, 0))
            assert answered == asked, f"{key} was asked {asked} times, answered {answered} times"
        told = [line.message for line in host.lines]
        count("errors", sum("error" in message for message in told))
        for message in told:
            if "error" in message:
                judge_error(message)

    def _judge_processes(self) -> None:
        pids = [pid for pid in self._seen_arguments if is_running(pid)]
        ours = [pid for pid in pids if b"mcp" in self._seen_arguments[pid]]
        wait_until(
            lambda: not any(is_running(pid) for pid in ours),
            f"the end of {[self._seen_arguments[pid] for pid in ours]}",
            seconds=self.bounds.orphans,
        )

    def _judge_listeners(self) -> None:
        assert not self._deaf_pages, f"nobody listens at {self._deaf_pages}"
        seen = set(self._listeners)
        count("listeners", len(seen))
        judge_listeners(seen, self.bounds.orphans)

    def _judge_secrets(self) -> None:
        told = [pid for pid, words in self._seen_arguments.items() if RUN.are_in(words)]
        found = RUN.search(self.stage.home) + HEADERS.search(self.stage.home, (".log",))
        count("secrets", len(told) + len(found))
        assert not told, "a secret in the arguments of a process"
        assert not found, f"secrets in {', '.join(found)}"

    def _judge_files(self) -> None:
        state = self.stage.home / "state"
        for place, folders, files in os.walk(state):
            for name in (*folders, *files):
                path = Path(place, name)
                mode = stat.S_IMODE(path.lstat().st_mode)
                assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"

    def _judge_costs(self) -> None:
        requests = self.stage.server.requests[self._before :]
        tabs = len(self.stage.browser.opened) - self._tabs_before
        assert tabs <= self.bounds.tabs, f"{tabs} tabs"
        assert len(requests) <= self.bounds.requests, f"{len(requests)} requests: {requests}"
        most = most_in_a_second([one.received_at for one in requests])
        assert most <= self.bounds.a_second, f"{most} requests in a second: {requests}"
        judge_calls(requests, getattr(self.stage.server, "refused", ()))
        server = self.stage.server
        judge_grants([form_of(one) for one in requests if server.key_of(one) == "token"])
        count("tabs", tabs)
        count("requests at the servers", len(requests))


def judge_error(message: Json) -> None:
    """An error that a person reads: cause and next step, in one line."""
    text = message["error"]["message"]
    assert text.strip(), message
    assert text.splitlines() == [text], message
    assert "Traceback" not in text, message


def most_in_a_second(times: Sequence[float]) -> int:
    """How many of these lie within one second at most."""
    times = sorted(times)
    first = most = 0
    for number, at in enumerate(times):
        while at - times[first] > 1.0:
            first += 1
        most = max(most, number - first + 1)
    return most


def text_of(exchange: Exchange) -> str:
    """What the call said, which is another text in each call of a scenario."""
    return str(exchange.params.get("arguments", {}).get("text", ""))


def judge_calls(requests: Sequence[Exchange], refused: Sequence[Exchange]) -> None:
    """No call that may have an effect came twice, but where the first one was refused unread."""
    ran = Counter(
        text_of(one)
        for one in requests
        if one.method == "tools/call" and one.params.get("name") == "echo" and one not in refused
    )
    twice = [text for text, count in ran.items() if text and count > 1]
    assert not twice, f"calls that may have run twice: {twice}"


def judge_listeners(seen: Set[Listener], seconds: float) -> None:
    """They were on loopback only, and are gone within the time, whoever had inherited them."""
    abroad = [one for one in seen if not one.address.is_loopback]
    assert not abroad, f"{abroad} can be reached from elsewhere"
    wait_until(lambda: seen.isdisjoint(all_listeners()), f"the end of {seen}", seconds=seconds)


def judge_grants(forms: Sequence[Form]) -> None:
    """No code was sent twice, nor a refresh token once its successor was."""
    codes = Counter(form["code"] for form in forms if "code" in form)
    twice = [code for code, times in codes.items() if times > 1]
    assert not twice, f"{len(twice)} codes were sent twice"
    given_up: set[str] = set()
    last: dict[str, str] = {}
    for form in forms:
        if token := form.get("refresh_token"):
            client = form.get("client_id", "")
            assert token not in given_up, "a refresh token was sent after its successor"
            given_up |= {last.get(client, token)} - {token}
            last[client] = token


def judge_sent(proxy: FaultProxy, mark: bytes, most: int) -> None:
    """The network saw a request no more often than that, whole or in part."""
    assert proxy.seen[mark] <= most, f"{mark!r} was sent {proxy.seen[mark]} times"


def call(host: Host, text: str, name: str = "echo") -> object:
    """Begins a call that is told from all others by its text."""
    return host.begin("tools/call", {"name": name, "arguments": {"text": text}})
