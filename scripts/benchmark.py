"""Measures mcp-remote-py beside others, such as npm's mcp-remote: same host and server, in turn.

Times of different runs cannot be compared; the ratio, ours by theirs in the same round, can. Judges
no time: scripts/benchmark --gate does that. Exit status 1 when mcp-remote-py lost a message or did
not have all calls in flight at once, 2 when nothing could be measured. Needs Linux. Must not import
mcp_remote_py: like a host it knows only the command.
"""

import argparse
import compileall
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import IO, Any, cast

from benchmark_peers import BINARIES, FOLDER, PEERS, ROOT, NotInstalled, install_peer
from benchmark_record import keep_comparison
from benchmark_server import ESCAPED, PARAGRAPH

LOG = FOLDER / "stderr.log"
PATIENCE = 60.0
"""Seconds a process may take for one measure; then it is killed, and has failed."""
AT_ONCE = 64
IN_FLIGHT = f"{AT_ONCE} calls of 0.5 s: most in flight at the server"
LARGE = 10_000_000 // len(ESCAPED.encode())
"""Paragraphs in 10 MB of JSON: mcp-stdio refuses more than 10 MiB."""


class Failed(Exception):
    """A message was lost or wrong, or something could not be run; the text says which."""


def milliseconds_since(begin: float) -> float:
    """The time since `begin` on the clock of time.perf_counter."""
    return (time.perf_counter() - begin) * 1000


def check(lines: Sequence[bytes], requests: Sequence[int]) -> list[Any]:
    """The results in these lines.

    Raises:
        Failed: they are not exactly one result for each request.
    """
    answers = [json.loads(line) for line in lines]
    if sorted(answer.get("id", 0) for answer in answers) != sorted(requests):
        raise Failed("the answers are not those to the requests, one each")
    if wrong := [answer for answer in answers if "result" not in answer]:
        raise Failed(f"{len(wrong)} calls ended in an error: {str(wrong[0])[:200]}")
    return [answer["result"] for answer in answers]


class Relay:
    """The host's end of a relay's process: writes requests, reads answers, both blocking."""

    def __init__(self, process: subprocess.Popen[bytes], begin: float) -> None:
        self.process, self.begin = process, begin
        self.stdin = cast("IO[bytes]", process.stdin)
        self._stdout = cast("IO[bytes]", process.stdout)
        self._last_id = 0

    def send(self, method: str, params: dict[str, Any]) -> int:
        """Writes a request; returns its id."""
        self._last_id += 1
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self.stdin.write(json.dumps(request).encode() + b"\n")
        self.stdin.flush()
        return self._last_id

    def send_initialize(self) -> int:
        """Writes the request that opens a session; returns its id."""
        client = {"name": "benchmark", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        return self.send("initialize", params)

    def send_call(self, **arguments: float) -> int:
        """Writes a call of the server's tool; returns its id."""
        return self.send("tools/call", {"name": "work0", "arguments": arguments})

    def read(self) -> bytes:
        """The next line.

        Raises:
            Failed: it does not come.
        """
        line = self._stdout.readline()
        if not line:
            place = LOG.relative_to(ROOT)  # it is written down
            raise Failed(f"it ended, or was killed after {PATIENCE:.0f} s; see {place}")
        return line

    def open(self) -> float:
        """Opens a session and lists the tools; returns ms from the start until it was open."""
        request, line = self.send_initialize(), self.read()
        taken = milliseconds_since(self.begin)
        check([line], [request])
        self.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        request = self.send("tools/list", {})
        check([self.read()], [request])
        return taken

    def call(self) -> None:
        """One small call."""
        request = self.send_call()
        check([self.read()], [request])

    def flood(self, total: int, at_once: int, **arguments: float) -> float:
        """Makes calls, so many at once; returns calls per second."""
        begin = time.perf_counter()
        requests = [self.send_call(**arguments) for _ in range(at_once)]
        lines: list[bytes] = []
        while len(lines) < total:
            lines.append(self.read())
            if len(requests) < total:
                requests.append(self.send_call(**arguments))
        rate = 1000 * total / milliseconds_since(begin)
        check(lines, requests)
        return rate

    def megabytes(self, field: str) -> float:
        """VmRSS (now) or VmHWM (the peak) of proc_pid_status(5)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) / 1024

    def used(self) -> tuple[float, int]:
        """CPU in ms, and wake-ups, of all threads until now."""
        tasks = list(Path(f"/proc/{self.process.pid}/task").iterdir())
        cpu = [int((task / "schedstat").read_text().split()[0]) for task in tasks]
        waits = [re.findall(r"\nvol.*:\s*(\d+)", (task / "status").read_text()) for task in tasks]
        return sum(cpu) / 1e6, sum(int(count) for (count,) in waits)


class Side:
    """One of those that are measured."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        options: Sequence[str],
        environment: dict[str, str],
        port: int,
    ) -> None:
        self.name, self.address = name, ("127.0.0.1", port)
        self._command, self._options, self._environment = command, options, environment
        self.failures: list[str] = []

    @contextmanager
    def start(self, path: str) -> Generator[Relay]:
        """The relay, to this path of the server; it is gone afterwards."""
        url = f"http://127.0.0.1:{self.address[1]}{path}"
        command = [*self._command, url, *self._options]
        pipe, begin = subprocess.PIPE, time.perf_counter()
        with (
            LOG.open("ab") as log,
            subprocess.Popen(
                command, 1 << 20, stdin=pipe, stdout=pipe, stderr=log, env=self._environment
            ) as process,
        ):
            watchdog = threading.Timer(PATIENCE, process.kill)
            watchdog.start()
            try:
                yield Relay(process, begin)
            finally:
                watchdog.cancel()
                process.kill()

    def take_counts(self) -> dict[str, int]:
        """What the server counted since this was asked last."""
        connection = HTTPConnection(*self.address, timeout=PATIENCE)
        connection.request("GET", "/counts")
        return json.loads(connection.getresponse().read())


Figures = Iterator[tuple[str, float]]
"""What was measured: how the table calls it, and a figure."""
Table = dict[str, dict[str, dict[int, float]]]
"""The figures by what they are called, by side, by round."""


def measure_life(side: Side) -> Figures:
    """From the start to a usable session, and from the end of stdin to the exit."""
    side.take_counts()
    with side.start("/json") as relay:
        opened, listed = relay.open(), milliseconds_since(relay.begin)
        yield "start: initialize answered, ms", opened
        yield "start: tools/list answered, ms", listed
        yield "start: HTTP requests until then", side.take_counts()["requests"]
        yield "start: CPU until then, ms", relay.used()[0]
        time.sleep(0.5)
        begin = time.perf_counter()
        relay.stdin.close()
        relay.process.wait()
        yield "end: stdin closed to exit, ms", milliseconds_since(begin)
        yield "end: DELETE sent (*)", side.take_counts()["deletes"]
    with side.start("/json?late") as relay:
        yield "server 50 ms late: initialize answered, ms", relay.open()


def measure_rest(side: Side) -> Figures:
    """Five seconds without a message; memory before and after use."""
    with side.start("/json") as relay:
        relay.open()
        time.sleep(1)
        cpu, wake_ups = relay.used()
        time.sleep(5)
        yield "idle 5 s: CPU, ms", relay.used()[0] - cpu
        yield "idle 5 s: wake-ups", relay.used()[1] - wake_ups
        yield "RSS idle, MB", relay.megabytes("VmRSS")
        relay.flood(2000, at_once=8)
        yield "RSS after 2,000 calls, MB", relay.megabytes("VmRSS")


def median_of_calls(call: Callable[[], None]) -> float:
    """What one call after the other takes, in ms."""
    taken: list[float] = []
    for _ in range(150):
        begin = time.perf_counter()
        call()
        taken.append(milliseconds_since(begin))
    return median(taken)


def call_directly(connection: socket.socket, request: bytes) -> None:
    """Sends a request; takes the answer of either form."""
    connection.sendall(request)
    answer = b""
    while not answer.endswith((b"}", b"\r\n0\r\n\r\n")):
        answer += connection.recv(65536)


def measure_latency(side: Side) -> Figures:
    """What the relay adds to a call: its time less that of the same call as direct HTTP."""
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{}}}'
    for path in ("/json", "/sse"):
        request = f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        with side.start(path) as relay, socket.create_connection(side.address, PATIENCE) as direct:
            relay.open()
            median_of_calls(relay.call)  # warms up
            own = median_of_calls(partial(call_directly, direct, request))
            yield f"added to a call, {path}, ms", median_of_calls(relay.call) - own


def measure_concurrency(side: Side) -> Figures:
    """Calls in flight at once, and whether the server sees them all."""
    with side.start("/json") as relay:
        relay.open()
        begin = time.perf_counter()
        requests = [relay.send_call(seconds=1), relay.send_call()]
        lines: list[bytes] = []
        took = 0.0
        for _ in requests:
            lines.append(relay.read())
            if json.loads(lines[-1])["id"] == requests[1]:
                took = milliseconds_since(begin)
        check(lines, requests)
        yield "a fast call behind one of 1 s, ms", took
        side.take_counts()
        relay.flood(AT_ONCE, AT_ONCE, seconds=0.5)
        yield IN_FLIGHT, side.take_counts()["most in flight"]
        yield f"calls/s, {AT_ONCE} at once (*)", relay.flood(1500, AT_ONCE)
        yield f"calls/s, {AT_ONCE} at once, of 20 ms (*)", relay.flood(1000, AT_ONCE, seconds=0.02)


def measure_large(side: Side) -> Figures:
    """An answer of 10 MB, the first after the start."""
    for path in ("/json", "/sse"):
        with side.start(path) as relay:
            relay.open()
            begin = time.perf_counter()
            request, line = relay.send_call(times=LARGE), relay.read()
            took, megabytes = milliseconds_since(begin), relay.megabytes("VmHWM")
            if check([line], [request])[0]["content"][0]["text"] != PARAGRAPH * LARGE:
                raise Failed(f"the text of the large answer arrived changed, {path}")
            yield f"10 MB answer, {path}, ms", took
            yield f"10 MB answer, {path}: peak RSS, MB", megabytes


def measure_ten(side: Side) -> Figures:
    """Ten started at once, as by a host with ten servers."""
    with ExitStack() as stack:
        relays = [stack.enter_context(side.start("/json")) for _ in range(10)]
        requests = [relay.send_initialize() for relay in relays]
        lines = [relay.read() for relay in relays]
        took = milliseconds_since(relays[0].begin)
        check(lines, requests)
        yield "10 started at once: all answered, ms", took


MEASURES = {
    "life": measure_life,
    "rest": measure_rest,
    "latency": measure_latency,
    "concurrency": measure_concurrency,
    "large": measure_large,
    "ten": measure_ten,
}


def run_rounds(sides: Sequence[Side], names: Sequence[str], rounds: int) -> Table:
    """Lets the sides take turns; says on stderr where it is, and what failed."""
    table: Table = {}
    for turn in range(rounds):
        for name in names:
            print(f"{name}, round {turn + 1} of {rounds}", file=sys.stderr)
            for side in sides if turn % 2 else reversed(sides):
                try:
                    for label, figure in MEASURES[name](side):
                        row = table.setdefault(label, {side.name: {} for side in sides})
                        row[side.name][turn] = figure
                        if label == IN_FLIGHT and figure < AT_ONCE:
                            raise Failed(f"the server saw {figure} calls at once")
                except (Failed, OSError, ValueError) as failure:
                    side.failures.append(f"{side.name} failed at {name}: {failure}")
    return table


def show(figures: Collection[float]) -> str:
    """Median [least-most]."""
    if not figures:
        return "failed"
    digits = 0 if max(figures) >= 10 or all(figure == int(figure) for figure in figures) else 2
    middle, least, most = (f"{f(figures):,.{digits}f}" for f in (median, min, max))
    return middle if least == most else f"{middle} [{least}-{most}]"


def render(table: Table, names: Sequence[str], markdown: bool) -> str:
    """The table as text: our figures, and theirs with what ours is of them."""
    head = ("", names[0], *(cell for name in names[1:] for cell in (name, "ratio")))
    rows: list[tuple[str, ...]] = [head]
    for label, row in table.items():
        ours, *others = row.values()
        cells = [show(ours.values())]
        for theirs in others:
            ratios = [ours[turn] / theirs[turn] for turn in ours if theirs.get(turn)]
            cells += [show(theirs.values()), f"{median(ratios):.2f}" if ratios else "-"]
        rows.append((label, *cells))
    if markdown:
        rows.insert(1, ("---", *("---:",) * (len(head) - 1)))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    widths = [45, 24, *(24, 8) * (len(names) - 1)]
    return "\n".join(
        "".join(f"{cell:{'>' if at else '<'}{widths[at]}}" for at, cell in enumerate(row))
        for row in rows
    )


@contextmanager
def serving() -> Generator[Callable[[str, Sequence[str], Sequence[str]], Side]]:
    """A server, and what makes a side of a name, a command and options behind the URL."""
    FOLDER.mkdir(exist_ok=True)
    LOG.write_bytes(b"")
    compileall.compile_dir(ROOT / "mcp_remote_py", quiet=1)
    # What the caller set for his Python, his Node or his network would be measured too.
    foreign = re.compile("PYTHON|NODE_|MCP_|.*_PROXY$", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    with (
        tempfile.TemporaryDirectory() as state,
        subprocess.Popen(
            [sys.executable, ROOT / "scripts" / "benchmark_server.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean,
        ) as server,
    ):  # whose stdin is closed in the end, which ends it
        port = int(cast("IO[bytes]", server.stdout).readline())
        clean["MCP_REMOTE_CONFIG_DIR"] = state
        yield lambda name, command, options: Side(name, command, options, clean, port)


def measure(names: Sequence[str], peers: Sequence[str], rounds: int, markdown: bool) -> int:
    """Measures, prints, and returns the exit status."""
    commands = {name: install_peer(name) for name in peers}
    with serving() as start_side:
        ours = start_side("mcp-remote-py", [str(BINARIES / "mcp-remote-py")], ["--allow-http"])
        sides = [ours]
        for name, command in commands.items():
            peer = PEERS[name]
            http = ("--allow-http",) * peer.allow_http
            sides.append(start_side(f"{name} {peer.version}", command, (*http, *peer.options)))
        run_rounds(sides, ["life"], 1)  # nobody's first start is measured
        table = run_rounds(sides, names, rounds)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs"
    shown = render(table, [side.name for side in sides], markdown)
    print(f"{machine}.")
    print(f"Median [least-most] of {rounds} rounds; ratio: ours by theirs in the same round.")
    print("Less is better, where (*) more.\n")
    print(shown)
    print(*(f"\n{failure}" for side in sides for failure in side.failures), sep="")
    if markdown:
        keep_comparison(machine, rounds, shown, [one for side in sides for one in side.failures])
    return 1 if ours.failures else 0


def main() -> int:
    """The exit status; see above."""
    description = "Measures mcp-remote-py beside npm's mcp-remote, in turn. Four minutes."
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description=description)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS)[:1])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    parser.add_argument(
        "--markdown", action="store_true", help="as Markdown, and for docs/performance.md, too"
    )
    options = parser.parse_args()
    try:
        return measure(options.only, options.peers, options.rounds, options.markdown)
    except (Failed, NotInstalled) as failure:
        print(f"Nothing could be measured: {failure}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
