"""Many relays on one machine and one sign-in, at a server that ends it when a token is used twice.

All are started together with nobody signed in, expire together, sleep together, and some are killed
in the middle of a renewal. Counted from outside: tabs, renewals, reuses, time of a CPU, memory,
descriptors, and how long all wait for the one that renews. Must not know how the command is made.

`python -m tests.soak.many [RELAYS]`
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from tests.canaries import RUN
from tests.harness.browser import Visit
from tests.harness.host import Json, descendants, initialize_params, wait_until
from tests.peers.authorization_server import Policy
from tests.peers.wild_server import Exchange
from tests.soak.lean import CALL, LeanHost
from tests.soak.measures import Vitals, cpu_of, look_at
from tests.soak.scene import Scene, set_scene
from tests.soak.weather import standing_still

PATIENCE = 120.0
"""Seconds for all to be answered."""
EARLY = 0.9
"""The part of its life after which a token is renewed."""
ECHO: Json = {"name": "echo", "arguments": {"text": "hello"}}


@dataclass(frozen=True)
class Phase:
    """What one thing cost that all relays did together. Times are seconds.

    Attributes:
        took: until all had their answers.
        behind: of these, after the new token was there.
        cpu: of all relays.
        switches: how often a relay went to sleep, on average: bounds how often it looked.
        renewals, reuses, tabs: as the server and the browser saw them.
        allowed: renewals that are right: more than one where this took longer than a token lives.
    """

    name: str
    took: float
    behind: float
    cpu: float
    switches: float
    renewals: int
    reuses: int
    tabs: int
    allowed: int


@dataclass
class Report:
    """The figures of one run; memory is in MiB, at the end."""

    relays: int
    phases: list[Phase]
    vitals: list[Vitals]
    registrations: int
    errors: list[str]

    def problems(self) -> list[str]:
        """What must not be."""
        found = list(self.errors)
        tabs = sum(phase.tabs for phase in self.phases)
        if tabs != 1:
            found.append(f"{tabs} tabs")
        if self.registrations != 1:
            found.append(f"{self.registrations} registrations")
        for phase in self.phases:
            if phase.reuses:
                found.append(f"{phase.name}: {phase.reuses} tokens used twice")
            if not min(phase.allowed, 1) <= phase.renewals <= phase.allowed:
                found.append(f"{phase.name}: {phase.renewals} renewals")
        return found

    def lines(self) -> list[str]:
        """Two tables for a person, and for docs/performance.md."""
        rows = [
            "| | seconds | behind the new token | CPU seconds | of these per relay "
            "| waits per relay | tabs | renewals | reuses |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        rows += [
            f"| {one.name} | {one.took:.2f} | {one.behind:.2f} | {one.cpu:.2f} "
            f"| {one.cpu / self.relays:.3f} | {one.switches:.0f} | {one.tabs} "
            f"| {one.renewals} | {one.reuses} |"
            for one in self.phases
        ]
        rows += ["", "| of one relay | mean | most |", "|---|---|---|"]
        for name in ("rss", "pss", "private", "descriptors", "sockets", "threads"):
            values = [float(getattr(one, name)) for one in self.vitals]
            rows.append(f"| {name} | {sum(values) / len(values):.1f} | {max(values):.1f} |")
        rows.append(f"| pss of all | {sum(one.pss for one in self.vitals):.0f} | |")
        return rows


@dataclass
class Crowd:
    """The relays, of which some may be killed."""

    scene: Scene
    hosts: list[LeanHost] = field(default_factory=list[LeanHost])
    phases: list[Phase] = field(default_factory=list[Phase])
    errors: list[str] = field(default_factory=list[str])
    dead: list[LeanHost] = field(default_factory=list[LeanHost])

    @contextlib.contextmanager
    def phase(self, name: str, *, allowed: int) -> Generator[None]:
        """Measures what is done inside."""
        server, browser, hosts = self.scene.server, self.scene.browser, tuple(self.hosts)
        tabs, reuses, renewals = len(browser.opened), server.reuses, len(server.rotated_at)
        cpu, switches, began = self._cpu(), self._switches(), time.monotonic()
        yield
        took = time.monotonic() - began
        living = len(self.hosts) or 1
        behind = time.monotonic() - server.rotated_at[-1] if allowed else 0.0
        lifetime = server.policy.lifetime
        if allowed and lifetime:
            allowed += int(took / (EARLY * lifetime))
        gone = {host.process.pid for host in hosts} - {host.process.pid for host in self.hosts}
        self.phases.append(
            Phase(
                name=name,
                took=took,
                behind=behind,
                cpu=sum(now - cpu.get(pid, 0.0) for pid, now in self._cpu().items()),
                switches=sum(n - switches.get(pid, 0) for pid, n in self._switches().items())
                / living,
                renewals=len(server.rotated_at) - renewals,
                reuses=server.reuses - reuses,
                tabs=len(browser.opened) - tabs,
                allowed=allowed,
            )
        )
        assert gone <= {host.process.pid for host in self.dead}

    def _cpu(self) -> dict[int, float]:
        return {host.process.pid: cpu_of(host.process.pid) for host in self.hosts}

    def _switches(self) -> dict[int, int]:
        looks = {host.process.pid: look_at(host.process.pid) for host in self.hosts}
        return {pid: look.switches for pid, look in looks.items() if look}

    def start(self, relays: int, watched: float) -> None:
        """All at once, with nobody signed in; a person comes when all wait for one."""
        scene, over = self.scene, Event()
        with self.phase("start, until all wait for the person", allowed=0):
            self.hosts += [scene.host("--initialize-timeout", "600") for _ in range(relays)]
            asked = [host.begin("initialize", initialize_params()) for host in self.hosts]
            wait_until(
                lambda: scene.server.counts["initialize"] >= relays and bool(scene.browser.opened),
                "all have asked",
                seconds=PATIENCE,
            )
        with self.phase(f"{watched:.0f} s of waiting for the person", allowed=0):
            over.wait(watched)
        with self.phase("sign-in, until all have their tools", allowed=0):
            Visit("normal", 0).open(scene.browser.opened[0])
            for host, request in zip(self.hosts, asked, strict=True):
                self.take(host, request)
                host.notify("notifications/initialized")
            self.ask_all("tools/list", {})
        with self.phase(f"{watched:.0f} s of nothing to do", allowed=0):
            over.wait(watched)

    def take(self, host: LeanHost, request: object) -> None:
        """An answer, which must be a result."""
        try:
            answer = host.take_answer(request, seconds=PATIENCE)
        except AssertionError as error:
            self.errors.append(f"lost: {str(error)[:300]}")
            return
        if "result" not in answer:
            self.errors.append(str(answer["error"]["message"]))

    def ask_all(self, method: str = CALL, params: Json = ECHO) -> None:
        """The same of all, together."""
        asked = [(host, host.begin(method, params)) for host in self.hosts]
        for host, request in asked:
            self.take(host, request)

    def expire(self) -> None:
        """Waits until the newest token has ended."""
        expires_at = list(self.scene.server.access_tokens.values())[-1].expires_at
        assert expires_at is not None
        wait_until(lambda: time.monotonic() > expires_at, "the token's end", seconds=PATIENCE)

    def expire_together(self, name: str) -> None:
        """All ask with a token that has ended."""
        self.expire()
        with self.phase(name, allowed=1):
            self.ask_all()

    def be_revoked_together(self) -> None:
        """All are refused."""
        self.scene.server.revoke_access_tokens()
        with self.phase("token revoked", allowed=1):
            self.ask_all()

    def sleep_together(self) -> None:
        """The token ends while the machine sleeps, and all are asked when it wakes up."""
        with standing_still([host.process.pid for host in self.hosts]):
            self.expire()
            asked = [(host, host.begin(CALL, ECHO)) for host in self.hosts]
        with self.phase("token expired while all slept", allowed=1):
            for host, request in asked:
                self.take(host, request)

    def kill_who_renews(self, name: str, *, children: bool) -> None:
        """Who renews is killed in the middle, alone or with all it has started.

        Alone: the new token is made already. With its child: nothing is decided, and the next one
        asks for it once more.
        """
        server = self.scene.server
        asked, go_on = Event(), Event()

        def hold(exchange: Exchange) -> None:
            if children:
                asked.set()
                exchange.hold()
            else:
                send = server.decide_tokens(exchange)
                asked.set()
                exchange.wait(go_on)
                send()

        server.script("token", hold)
        server.revoke_access_tokens()
        with self.phase(name, allowed=1):
            requests = [(host, host.begin(CALL, ECHO)) for host in self.hosts]
            assert asked.wait(PATIENCE), "nobody renews"
            (renewing,) = [host for host in self.hosts if descendants(host.process.pid)]
            family = descendants(renewing.process.pid)
            self.hosts.remove(renewing)
            self.dead.append(renewing)
            renewing.process.kill()
            if children:
                for pid in family:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            go_on.set()
            for host, request in requests:
                if host is not renewing:
                    self.take(host, request)

    def start_anew(self, relays: int) -> None:
        """All are gone, the token ends, and all are there again: the next morning."""
        self.leave(self.hosts)
        self.hosts = []
        self.expire()
        with self.phase("all started anew, token expired", allowed=1):
            self.hosts = [self.scene.host() for _ in range(relays)]
            asked = [host.begin("initialize", initialize_params()) for host in self.hosts]
            for host, request in zip(self.hosts, asked, strict=True):
                self.take(host, request)
                host.notify("notifications/initialized")
            self.ask_all("tools/list", {})

    def leave(self, hosts: Sequence[LeanHost]) -> None:
        """They end well, and nothing is left of them."""
        for host in hosts:
            host.close_stdin()
        for host in hosts:
            try:
                status = host.wait_exit(PATIENCE)
                wait_until(lambda host=host: not host.orphans(), "the end of all it started")
                if status:
                    self.errors.append(f"exit status {status}")
            except AssertionError as error:
                self.errors.append(str(error)[:300])
        self.judge(hosts)

    def judge(self, hosts: Sequence[LeanHost]) -> None:
        """Nothing on their streams was wrong."""
        for host in hosts:
            host.forget()
            self.errors += host.violations
            if RUN.are_in(host.stderr.encode()):
                self.errors.append("a secret on stderr")

    def end(self) -> Report:
        """All end, and nothing is left of them."""
        vitals = [look for host in self.hosts if (look := look_at(host.process.pid))]
        self.leave(self.hosts)
        self.judge(self.dead)
        self.errors += [f"a secret in {name}" for name in RUN.search(self.scene.home)]
        relays = len(self.hosts) + len(self.dead)
        return Report(
            relays, self.phases, vitals, self.scene.server.counts["register"], self.errors
        )


def run(
    folder: Path,
    relays: int,
    *,
    expiries: int = 5,
    lifetime: float = 20.0,
    watched: float = 10.0,
    fresh: bool = True,
) -> Report:
    """All of it, in an empty folder.

    `watched`: seconds for which those that wait are looked at.
    """
    policy = Policy(lifetime=lifetime, rotation="strict")
    with set_scene(folder, policy, listen=False, fresh=fresh, browser="record") as scene:
        crowd = Crowd(scene)
        crowd.start(relays, watched)
        for number in range(expiries):
            crowd.expire_together(f"token expired, {number + 1}")
        crowd.sleep_together()
        crowd.start_anew(relays)
        policy.lifetime = 3600.0
        crowd.be_revoked_together()
        crowd.kill_who_renews("who renews is killed", children=False)
        crowd.kill_who_renews("who renews is killed, with its child", children=True)
        return crowd.end()


def main() -> int:
    """Prints the figures; 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.many")
    parser.add_argument("relays", nargs="?", type=int, default=50)
    parser.add_argument("--keep", type=Path, help="an empty folder for all that is written")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-") as folder:
        report = run(given.keep or Path(folder), given.relays)
    print("\n".join(report.lines()))
    problems = report.problems()
    print("\n".join(problems) or "One tab, one renewal for each token, and no token used twice.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
