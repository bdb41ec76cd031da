"""A soak: relays on one sign-in, calls for minutes or hours, and everything that goes wrong.

Judged from outside: one answer for each id, nothing else on stdout, no secret, one tab, and all
that a relay holds stays as it was: memory (its slope, with its error), descriptors, sockets,
threads, children, files. Must not know how the command is made.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Lock
from typing import NamedTuple

from tests.canaries import RUN
from tests.harness.host import Json, wait_until
from tests.peers.authorization_server import Policy
from tests.soak.lean import CALL, LeanHost
from tests.soak.measures import (
    LEAST_POINTS,
    Slope,
    Vitals,
    average,
    count_files,
    cpu_of,
    fit,
    look_at,
    maximum,
    mean_of,
    read_inside,
)
from tests.soak.scene import Scene, set_scene
from tests.soak.weather import FAULTS, Place, order

PATIENCE = 90.0
"""Seconds after which a request counts as lost: more than all that is tried for one."""

LIFETIME = 20.0
"""Seconds of a token. It is renewed two seconds earlier."""

LONGEST_SLEEP = 8.0
"""Seconds for which a relay or a machine stands still, at most."""

LEAK = 1.0
"""MiB in an hour of one relay's own memory: what grows by more, less twice its error, is a leak."""

WARM_UP = 1200.0
"""Seconds, a third of the time at the most. Behind some 30,000 parts of paths Python's table of
interned strings grows by 0.94 MiB, once: at this pace after a quarter of an hour."""

JUDGED = 600.0
"""Seconds behind the warm-up that say something of an hour."""


class Ask(NamedTuple):
    """A row of what hosts ask for: how often among all, and the message, some with a text."""

    weight: int
    method: str
    params: Json
    has_text: bool = False

    def make(self, text: str) -> Json:
        """The params."""
        return {**self.params, "arguments": {"text": text}} if self.has_text else self.params


ASKS = (
    Ask(30, CALL, {"name": "lookup"}, has_text=True),
    Ask(20, CALL, {"name": "echo"}, has_text=True),
    Ask(10, "tools/list", {}),
    Ask(5, "ping", {}),
    Ask(5, "resources/read", {"uri": "file:///one"}),
    Ask(3, CALL, {"name": "slow", "arguments": {"seconds": 2}}),
    Ask(5, CALL, {"name": "progress", "arguments": {}, "_meta": {"progressToken": "p"}}),
    Ask(3, CALL, {"name": "ask", "arguments": {}}),
)
SIZES = ((60, 100), (25, 4_000), (12, 64_000), (3, 1_000_000))
"""Weights and characters of texts, which come back in the answer."""
CANCELLED = 0.02
"""The part of all that the host cancels at once."""


@dataclass
class Tally:
    """What came of the requests."""

    asked: int = 0
    answered: int = 0
    cancelled: int = 0
    lost: list[str] = field(default_factory=list[str])
    errors: Counter[str] = field(default_factory=Counter[str])
    slowest: float = 0.0
    lock: Lock = field(default_factory=Lock)


@dataclass
class Report:
    """The figures of a soak. Memory is in MiB, slopes are for an hour."""

    seconds: float
    relays: int
    tally: Tally
    faults: Counter[str]
    guests: Counter[str]
    tabs: int
    renewals: int
    reuses: int
    cpu: float
    slopes: Mapping[str, Slope]
    first: Vitals
    last: Vitals
    most: Vitals
    tasks: tuple[int, int]
    files: tuple[int, int]
    looks: int
    violations: Sequence[str]

    def problems(self) -> list[str]:
        """What must not be; empty for a good soak."""
        found = [f"lost: {one}" for one in self.tally.lost] + list(self.violations)
        if self.tabs != 1:
            found.append(f"{self.tabs} tabs for one sign-in")
        if self.reuses:
            found.append(f"{self.reuses} refresh tokens were used twice")
        for name in _COUNTS:
            # An average over ten looks of one relay, at the end and behind the warm-up.
            before, after = getattr(self.first, name), getattr(self.last, name)
            if after > before + 3:
                found.append(f"{name}: {before} at first, {after} at last")
        if self.files[1] > self.files[0] + 2:
            found.append(f"files: {self.files[0]} at first, {self.files[1]} at last")
        slope = self.slopes.get("private")
        if self.seconds > JUDGED and slope is None:
            found.append("memory was looked at too seldom to tell its slope")
        if self.seconds > JUDGED and slope and slope.value - 2 * slope.error > LEAK:
            found.append(f"memory grows by {slope.value:.2f} +- {slope.error:.2f} MiB an hour")
        return found

    def lines(self) -> list[str]:
        """For a person, and for the table of docs/performance.md."""
        tally = self.tally
        rows = [
            ("minutes", f"{self.seconds / 60:.1f}"),
            ("relays on one sign-in", str(self.relays)),
            ("requests", f"{tally.asked}"),
            ("of these cancelled by the host", f"{tally.cancelled}"),
            ("requests lost", f"{len(tally.lost)}"),
            ("answered with an error", f"{sum(tally.errors.values())}"),
            ("slowest answer", f"{tally.slowest:.1f} s"),
            ("faults played", f"{sum(self.faults.values())}"),
            *((f"- {name}", str(count)) for name, count in sorted(self.faults.items())),
            *((f"- {name}", str(count)) for name, count in sorted(self.guests.items())),
            ("tabs", str(self.tabs)),
            ("renewals", str(self.renewals)),
            ("refresh tokens used twice", str(self.reuses)),
            ("CPU seconds for 1000 requests", f"{1000 * self.cpu / max(1, tally.asked):.2f}"),
            *(
                (f"slope of {name} in an hour", f"{slope.value:+.2f} ± {slope.error:.2f} {unit}")
                for name, unit in _UNITS.items()
                if (slope := self.slopes.get(name))
            ),
            *(
                (
                    f"{name} of a relay: first, last, most",
                    f"{getattr(self.first, name):.4g}, {getattr(self.last, name):.4g}, "
                    f"{getattr(self.most, name):.4g}",
                )
                for name in ("rss", "pss", "private", *_COUNTS)
            ),
            ("tasks of a relay: last, most", f"{self.tasks[0]}, {self.tasks[1]}"),
            ("files kept: first, last", f"{self.files[0]}, {self.files[1]}"),
            ("looks at each relay", str(self.looks)),
        ]
        errors = [f"  {count} x {text}" for text, count in tally.errors.most_common(12)]
        return [f"| {name} | {value} |" for name, value in rows] + errors


_COUNTS = ("descriptors", "sockets", "threads", "children")
_MEMORY = dict.fromkeys(("private", "pss", "rss"), "MiB")
_UNITS = {**_MEMORY, "objects": "objects", "blocks": "blocks"}


class Soak:
    """One soak, until `over` is set."""

    def __init__(self, scene: Scene, seed: int, pace: float) -> None:
        self.scene = scene
        self.pace = pace
        self.seed = seed
        self.over = Event()
        self.tally = Tally()
        self.faults: Counter[str] = Counter()
        self.guests: Counter[str] = Counter()
        self.looks: dict[int, list[tuple[float, Vitals]]] = defaultdict(list)
        self.files: list[int] = []
        self.hosts: list[LeanHost] = []

    def call(self, host: LeanHost, number: int) -> None:
        """One host that asks one thing after another."""
        random = Random(f"{self.seed} {number}")  # noqa: S311
        asks, weights = ASKS, [ask.weight for ask in ASKS]
        sizes = [size for _, size in SIZES]
        since = 0
        while not self.over.wait(random.expovariate(1 / self.pace)):
            (ask,) = random.choices(asks, weights)
            (size,) = random.choices(sizes, [weight for weight, _ in SIZES])
            self.ask(host, ask.method, ask.make("x" * size), cancel=random.random() < CANCELLED)
            since += 1
            if since % 32 == 0:
                host.forget()
        host.forget()

    def ask(self, host: LeanHost, method: str, params: Json, *, cancel: bool = False) -> None:
        """One request, and what comes of it."""
        began = time.monotonic()
        request = host.begin(method, params)
        if cancel:
            host.notify("notifications/cancelled", {"requestId": request, "reason": "soak"})
        try:
            answer = {} if cancel else host.take_answer(request, seconds=PATIENCE)
        except AssertionError as error:
            with self.tally.lock:
                self.tally.asked += 1
                self.tally.lost.append(f"{method} {params.get('name', '')} {str(error)[:300]}")
            return
        with self.tally.lock:
            self.tally.asked += 1
            self.tally.cancelled += cancel
            self.tally.answered += not cancel
            self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
            if "error" in answer:
                self.tally.errors[shorten(str(answer["error"]["message"]))] += 1

    def come_and_go(self) -> None:
        """Hosts that live for some calls, and end well or are killed with their relays."""
        random = Random(f"{self.seed} guests")  # noqa: S311
        while not self.over.wait(random.expovariate(1 / (20 * self.pace))):
            host = self.scene.host()
            try:
                self.ask(host, "initialize", INITIALIZE)
                host.notify("notifications/initialized")
                for _ in range(random.randrange(4)):
                    self.ask(host, CALL, {"name": "lookup", "arguments": {}})
                if random.random() < 0.5:
                    host.process.kill()
                    self.guests["relays killed"] += 1
                else:
                    host.close_stdin()
                    if host.wait_exit(15) != 0:
                        host.violations.append(f"exit status {host.process.returncode}")
                    self.guests["relays ended"] += 1
            except AssertionError as error:
                host.violations.append(str(error)[:300])
            host.end()
            host.forget()
            self.hosts[0].violations.extend(host.violations)

    def rain(self, hosts: Sequence[LeanHost], seconds: float) -> None:
        """One fault after another."""
        random = Random(f"{self.seed} weather")  # noqa: S311
        longest = min(LONGEST_SLEEP, seconds / 12)
        place = Place(self.scene.server, hosts, random, longest, self.over)
        began = time.monotonic()
        for at, fault in order(FAULTS, seconds, random):
            if self.over.wait(max(0.0, began + at - time.monotonic())):
                return
            fault.play(place)
            self.faults[fault.name] += 1

    def watch(self, hosts: Sequence[LeanHost], every: float) -> None:
        """Looks at all of them, again and again; each 60th look is a line in `looks.txt`."""
        with (self.scene.home.parent / "looks.txt").open("w", buffering=1) as log:
            while not self.over.wait(every):
                now = time.monotonic()
                for host in hosts:
                    if (vitals := look_at(host.process.pid)) is None:
                        continue
                    self.looks[host.process.pid].append((now, vitals))
                    if len(self.files) % 60 == 0:
                        log.write(f"{now:.0f} {host.process.pid} {vitals}\n")
                self.files.append(count_files(self.scene.state))

    def play(self, relays: int, seconds: float) -> Report:
        """All of it; returns when it is over and all have been asked once more."""
        # Each waits for the first one's tab, and has its tools with it.
        hosts = self.hosts = [self.scene.host(inside=True) for _ in range(relays)]
        with ThreadPoolExecutor(relays + 3) as pool:
            greetings = [pool.submit(host.initialize, seconds=PATIENCE) for host in hosts]
            for greeting in greetings:
                greeting.result()
            began = time.monotonic()
            jobs = [pool.submit(self.call, host, number) for number, host in enumerate(hosts)]
            jobs.append(pool.submit(self.come_and_go))
            jobs.append(pool.submit(self.rain, hosts, seconds))
            jobs.append(pool.submit(self.watch, hosts, 1.0 if seconds > 60 else 0.25))
            try:
                while not self.is_enough(began, seconds) and not any(job.done() for job in jobs):
                    self.over.wait(0.25)
            finally:
                self.over.set()
            while not all(job.done() for job in jobs):
                # Where an answer ended without saying anything, it may still come on the stream
                # that the server has for itself: it is waited for until that ends.
                self.scene.server.cut_streams(clean=True)
                wait(jobs, 0.25)
            for job in jobs:
                if error := job.exception():
                    hosts[0].violations.append(f"the soak itself: {error!r}")
            for host in hosts:
                self.ask(host, "tools/list", {})
        report = self.report(hosts, time.monotonic() - began)
        self.scene.server.failures.clear()  # they are in the report
        return report

    def is_enough(self, began: float, seconds: float) -> bool:
        """Whether the time is over, and each fault was played: a busy machine needs more."""
        took = time.monotonic() - began
        return took > seconds + PATIENCE or (took > seconds and len(self.faults) == len(FAULTS))

    def report(self, hosts: Sequence[LeanHost], seconds: float) -> Report:
        """The figures."""
        scene, slopes = self.scene, self.find_slopes(seconds)
        cpu = sum(cpu_of(host.process.pid) for host in hosts)
        inside = [read_inside(scene.notes / str(host.process.pid)) for host in hosts]
        rows = [self.behind_warm_up(points, seconds) for points in self.looks.values()]
        for host in hosts:
            host.close_stdin()
            try:
                if host.wait_exit(15) != 0:
                    host.violations.append(f"exit status {host.process.returncode}")
                wait_until(lambda host=host: not host.orphans(), "the end of all it started")
            except AssertionError as error:
                host.violations.append(str(error)[:300])
            host.forget()
        logs = [host.stderr for host in hosts]
        if RUN.are_in("\n".join(logs).encode()):
            hosts[0].violations.append("a secret on stderr")
        if found := RUN.search(scene.home):
            hosts[0].violations.append(f"a secret in {found}")
        return Report(
            seconds=seconds,
            relays=len(hosts),
            tally=self.tally,
            faults=self.faults,
            guests=self.guests,
            tabs=len(scene.browser.opened),
            renewals=len(scene.server.rotated_at),
            reuses=scene.server.reuses,
            cpu=cpu,
            slopes=slopes,
            first=average([vitals for row in rows for _, vitals in row[:10]]),
            last=average([vitals for row in rows for _, vitals in row[-10:]]),
            most=maximum([vitals for row in rows for _, vitals in row]),
            tasks=(
                max(notes[-1].tasks for notes in inside),
                max(note.tasks for notes in inside for note in notes),
            ),
            files=(self.files[len(self.files) // 4], self.files[-1]),
            looks=len(self.files),
            violations=[
                *(one for host in hosts for one in host.violations),
                *(f"the server: {one!r}" for one in scene.server.failures),
            ],
        )

    def behind_warm_up(
        self, points: Sequence[tuple[float, Vitals]], seconds: float
    ) -> list[tuple[float, Vitals]]:
        """The looks after the warm-up; the last one in any case."""
        start = points[0][0] + min(WARM_UP, seconds / 3)
        return [(at, vitals) for at, vitals in points if at >= start] or [points[-1]]

    def find_slopes(self, seconds: float) -> dict[str, Slope]:
        """Of all that may grow, by name, for an hour; without what was looked at too seldom."""
        rows = [self.behind_warm_up(points, seconds) for points in self.looks.values()]
        series = {
            name: [[(at, float(getattr(vitals, name))) for at, vitals in row] for row in rows]
            for name in ("private", "pss", "rss")
        }
        notes = [read_inside(self.scene.notes / str(pid)) for pid in self.looks]
        starts = [row[0][0] for row in rows]
        for name in ("objects", "blocks"):
            series[name] = [
                [(note.at, float(getattr(note, name))) for note in one if note.at >= start]
                for one, start in zip(notes, starts, strict=True)
            ]
        return {
            name: slope_of(lines)
            for name, lines in series.items()
            if min(map(len, lines)) >= LEAST_POINTS
        }


INITIALIZE: Json = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"roots": {}},
    "clientInfo": {"name": "guest", "version": "1"},
}


def slope_of(series: Sequence[Sequence[tuple[float, float]]]) -> Slope:
    """The mean over processes, for an hour."""
    return mean_of([fit(points) for points in series]).per(3600)


def shorten(text: str) -> str:
    """The beginning of a sentence, without what differs each time."""
    return re.sub(r"\d+", "N", text)[:110]


def run(
    folder: Path,
    seconds: float,
    *,
    relays: int,
    seed: int = 1,
    pace: float = 0.5,
    lifetime: float = LIFETIME,
    fresh: bool = True,
) -> Report:
    """A soak of so many seconds in an empty folder.

    `pace`: seconds between an answer and the next request of the same host, on average.
    """
    policy = Policy(lifetime=lifetime)
    with set_scene(folder, policy, listen=True, fresh=fresh) as scene:
        return Soak(scene, seed, pace).play(relays, seconds)
