"""A desktop host in small: starts a command, speaks MCP over its stdio, forgives nothing.

Every line on the command's stdout must be one JSON-RPC message, and every answer must belong to a
request that was sent and not yet answered; what is not so is a violation, reported by `check` and
at the latest when the host is left. Every wait is bounded. The command never outlives the host.

Must not know what the command is or which server stands behind it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from tests.canaries import HEADERS, RUN
from tests.harness.warm import start
from tests.thorough import THOROUGH

PATIENCE = 15.0
"""Seconds a wait takes at most where the test says nothing else."""

PROTOCOL_VERSION = "2025-11-25"

Json = dict[str, Any]
Handler = Callable[[Json], Any]
"""Takes the params of a server's request, returns the result to answer."""


class ErrorAnswer(Exception):
    """Raised by a handler that wants its request answered by an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Line:
    """One line the command wrote: its bytes without line end, and what they say."""

    raw: bytes
    message: Json


def environment_for(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment a command under test gets: nothing of the caller's but `PATH`.

    `home` becomes the home directory; the state directory is a private one below it.
    """
    state = home / "state"
    state.mkdir(parents=True, exist_ok=True)
    known = {
        "HOME": str(home),
        "PATH": os.environ.get("PATH", os.defpath),
        "MCP_REMOTE_CONFIG_DIR": str(state),
    }
    return known | dict(extra or {})


def key_of(request_id: object) -> str:
    """An id as a dictionary key: the string "1" and the number 1 are two ids."""
    return json.dumps(request_id)


def parse_line(raw: bytes) -> Json:
    """The JSON-RPC message in `raw`.

    Raises:
        ValueError: it is not a JSON text, or not a message by JSON-RPC 2.0 §4 and §5.
    """
    value = json.loads(raw, parse_constant=_refuse)
    if not isinstance(value, dict):
        raise ValueError("no object")
    message = cast("Json", value)
    if message.get("jsonrpc") != "2.0":
        raise ValueError("`jsonrpc` is not 2.0")
    members = [name for name in ("method", "result", "error") if name in message]
    if len(members) != 1:
        raise ValueError(f"members are {members}")
    if members != ["method"] and "id" not in message:
        raise ValueError("an answer without id")
    return message


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Host:
    """One command under test.

    Attributes:
        lines: every valid line read, in order.
        notifications: what the server said without asking, in order.
        server_requests: what the server asked, in order.
        handlers: by method, who answers the server's requests; without one they stay open.
        violations: what the command did that it must never do.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        handlers: Mapping[str, Handler] | None = None,
        patience: float = PATIENCE,
        stdin: int = subprocess.PIPE,
        fresh: bool = THOROUGH,
    ) -> None:
        self.handlers: dict[str, Handler] = dict(handlers or {})
        self.patience = patience
        self.lines: list[Line] = []
        self.notifications: list[Json] = []
        self.server_requests: list[Json] = []
        self.violations: list[str] = []
        self.allow_unknown_answers = False
        self._answers: dict[str, list[Line]] = {}
        self._asked: dict[str, int] = {}
        self._errors_without_id: list[Line] = []
        self._next_id = 0
        self._change = threading.Condition()
        self._writing = threading.Lock()
        self._may_read = threading.Event()
        self._may_read.set()
        self._leaving = threading.Event()
        self._stderr = bytearray()
        self._begun_line = bytearray()
        self._known_children: set[int] = set()
        pairs = itertools.pairwise(command)
        HEADERS.register(value.split()[-1] for option, value in pairs if option == "--header")
        self.process = start(command, environment, stdin, fresh=fresh)
        self._threads = [
            threading.Thread(target=self._read_stdout, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # Life

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        if error is None:
            self.check()
        elif self._stderr:
            error.add_note("stderr of the command:\n" + self.stderr[-4000:])

    def end(self) -> None:
        """Ends the command by force if need be, and all it started; returns when it is gone."""
        self._known_children.update(self.children())
        self._may_read.set()
        self.close_stdin()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(self.patience)
        for child in self._known_children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._leaving.set()
        for thread in self._threads:
            thread.join(self.patience)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def check(self) -> None:
        """Raises AssertionError when the command wrote anything it must not write."""
        with self._change:
            assert not self.violations, self.violations
            logged = bytes(self._stderr)
            assert not RUN.are_in(logged), "a secret on stderr"
            assert not HEADERS.are_in(logged), "the value of a header on stderr"
            told = b"\n".join(line.raw for line in self.lines)
            assert not RUN.are_in(told), "a secret on stdout"

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the command."""
        self.process.send_signal(number)

    def close_stdin(self) -> None:
        """End of file for the command: a last line without line end counts."""
        self._note(b"\n")
        with self._writing, contextlib.suppress(BrokenPipeError):
            if self.process.stdin is not None and not self.process.stdin.closed:
                self.process.stdin.close()

    def wait_exit(self, seconds: float) -> int:
        """The exit status, of a command that is gone within that many seconds.

        Raises:
            AssertionError: it is still there.
        """
        self._known_children.update(self.children())
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still running after {seconds} s; stderr: {self.stderr[-2000:]}"
            ) from None
        for thread in self._threads:
            thread.join(self.patience if self._may_read.is_set() else 0)
        return status

    def children(self) -> list[int]:
        """Process ids of what the command started and is still there, zombies not counted."""
        if self.process.returncode is not None:
            return []  # who outlives it is nobody's child any more
        return [pid for pid in descendants(self.process.pid) if is_running(pid)]

    def orphans(self) -> list[int]:
        """Process ids seen as children before the command ended, and still there."""
        return [pid for pid in self._known_children if is_running(pid)]

    @property
    def stderr(self) -> str:
        """What the command wrote on stderr so far."""
        return self._stderr.decode(errors="replace")

    # Writing

    def write(self, data: bytes, *, seconds: float | None = None) -> None:
        """Writes these very bytes.

        Raises:
            AssertionError: the command did not take them in time.
            BrokenPipeError: the command has closed its stdin.
        """
        __tracebackhide__ = True  # pytest would print the data
        self._note(data)
        stream = self.process.stdin
        assert stream is not None
        deadline = time.monotonic() + (seconds or max(self.patience, 60.0))
        with self._writing:
            descriptor = stream.fileno()
            os.set_blocking(descriptor, False)
            view = memoryview(data)
            while view:
                left = deadline - time.monotonic()
                assert left > 0, f"the command does not read: {len(view)} bytes left"
                if select.select([], [descriptor], [], left)[1]:
                    with contextlib.suppress(BlockingIOError):
                        view = view[os.write(descriptor, view) :]

    def send(self, line: bytes) -> None:
        """Writes one line."""
        __tracebackhide__ = True
        self.write(line + b"\n")

    def begin(
        self, method: str, params: object | None = None, *, request_id: object | None = None
    ) -> object:
        """Sends a request and returns its id; `answer` waits for what comes."""
        if request_id is None:
            with self._change:
                self._next_id += 1
                request_id = self._next_id
        message: Json = {"jsonrpc": "2.0", "id": request_id, "method": method}
        if params is not None:
            message["params"] = params
        self.send(json.dumps(message).encode())
        return request_id

    def notify(self, method: str, params: object | None = None) -> None:
        """Sends a notification."""
        message: Json = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self.send(json.dumps(message).encode())

    def _note(self, data: bytes) -> None:
        """Remembers which ids may be answered. Broken lines are not the business of this."""
        self._begun_line += data
        *lines, rest = self._begun_line.split(b"\n")
        self._begun_line = bytearray(rest)
        for raw in lines:
            try:
                value = json.loads(raw)
            except (ValueError, RecursionError):
                continue
            batch = cast("list[object]", value) if isinstance(value, list) else [value]
            with self._change:
                for element in batch:
                    if isinstance(element, dict) and "method" in element and "id" in element:
                        key = key_of(cast("Json", element)["id"])
                        self._asked[key] = self._asked.get(key, 0) + 1

    # Reading

    def request(
        self, method: str, params: object | None = None, *, seconds: float | None = None
    ) -> Json:
        """Sends a request and returns its answer, result or error, as the whole message."""
        return self.answer(self.begin(method, params), seconds=seconds)

    def answer(self, request_id: object, *, seconds: float | None = None) -> Json:
        """The answer to a request that was sent."""
        return self.answer_line(request_id, seconds=seconds).message

    def answer_line(self, request_id: object, *, seconds: float | None = None) -> Line:
        """The line that answers a request that was sent."""
        key = key_of(request_id)
        self.wait_until(
            lambda: bool(self._answers.get(key)), f"an answer to {key}", seconds=seconds
        )
        with self._change:
            return self._answers[key][0]

    def answers(self, request_id: object) -> list[Line]:
        """All lines so far that answer this id."""
        with self._change:
            return list(self._answers.get(key_of(request_id), []))

    def asked_and_answered(self) -> dict[str, tuple[int, int]]:
        """By id, how often a request was sent with it, and how many lines have answered it."""
        with self._change:
            answered = {key: len(lines) for key, lines in self._answers.items()}
            return {key: (count, answered.get(key, 0)) for key, count in self._asked.items()}

    def error_without_id(self, *, seconds: float | None = None) -> Json:
        """Takes the next error whose id is null: the answer to a line whose id nobody can read."""
        self.wait_until(lambda: bool(self._errors_without_id), "an error", seconds=seconds)
        with self._change:
            return self._errors_without_id.pop(0).message

    def notification(self, method: str, *, seconds: float | None = None) -> Json:
        """Waits for a notification of this method; returns the first one as a whole message."""

        def found() -> list[Json]:
            return [one for one in self.notifications if one["method"] == method]

        self.wait_until(lambda: bool(found()), f"a notification {method}", seconds=seconds)
        return found()[0]

    def server_request(self, method: str, *, seconds: float | None = None) -> Json:
        """Waits for a request of the server; returns the first of this method."""

        def found() -> list[Json]:
            return [one for one in self.server_requests if one["method"] == method]

        self.wait_until(lambda: bool(found()), f"a request {method}", seconds=seconds)
        return found()[0]

    def wait_until(
        self, condition: Callable[[], bool], what: str, *, seconds: float | None = None
    ) -> None:
        """Waits until something the command wrote makes the condition true."""
        limit = self.patience if seconds is None else seconds
        with self._change:
            done = self._change.wait_for(lambda: condition() or self._is_over(), limit)
            if condition():
                return
        reason = "the command ended first" if done else f"not within {limit} s"
        raise AssertionError(f"{what}: {reason}; stderr: {self.stderr[-2000:]}")

    def wait_logged(self, text: str) -> None:
        """Waits until this is on stderr, which is read beside stdout and may be behind it.

        Raises:
            AssertionError: it is not, in time.
        """
        wait_until(lambda: text in self.stderr, f"{text!r} on stderr", seconds=self.patience)

    def stop_reading(self) -> None:
        """From now on nobody reads the command's stdout."""
        self._may_read.clear()

    def _is_over(self) -> bool:
        return not self._threads[0].is_alive() or self._leaving.is_set()

    def _read_stdout(self) -> None:
        rest = bytearray()
        for data in self._chunks(self.process.stdout):
            searched = len(rest)
            rest += data
            while (end := rest.find(b"\n", searched)) >= 0:
                self._take(bytes(rest[:end]))
                del rest[: end + 1]
                searched = 0
        if rest:
            self._violate(f"stdout ends without a line end: {bytes(rest[:200])!r}")
        self._leaving.set()
        with self._change:
            self._change.notify_all()

    def _read_stderr(self) -> None:
        for data in self._chunks(self.process.stderr, always=True):
            self._stderr += data

    def _chunks(self, stream: Any, *, always: bool = False) -> Iterator[bytes]:
        """What arrives, until end of file or, once the host is leaving, until it is silent."""
        descriptor = stream.fileno()
        while True:
            if not always and not self._may_read.wait(0.05):
                continue
            if not select.select([descriptor], [], [], 0.05)[0]:
                # A surviving grandchild may hold the pipe open for ever.
                if self._leaving.is_set() and self.process.poll() is not None:
                    return
                continue
            data = os.read(descriptor, 1 << 20)
            if not data:
                return
            yield data

    def _violate(self, text: str) -> None:
        with self._change:
            self.violations.append(text)

    def _take(self, raw: bytes) -> None:
        try:
            line = Line(raw, parse_line(raw))
        except (ValueError, RecursionError) as error:
            self._violate(f"no JSON-RPC message ({error}): {raw[:200]!r}")
            return
        message = line.message
        asked = "method" in message and "id" in message
        with self._change:
            self.lines.append(line)
            if asked:
                self.server_requests.append(message)
            elif "method" in message:
                self.notifications.append(message)
            else:
                self._take_answer(line)
            self._change.notify_all()
        if asked and (handler := self.handlers.get(message["method"])):
            threading.Thread(target=self._serve, args=(handler, message), daemon=True).start()

    def _take_answer(self, line: Line) -> None:
        if line.message["id"] is None and "error" in line.message:
            self._errors_without_id.append(line)
            return
        key = key_of(line.message["id"])
        self._answers.setdefault(key, []).append(line)
        if len(self._answers[key]) > self._asked.get(key, 0) and not self.allow_unknown_answers:
            self.violations.append(f"an answer nobody waits for: {line.raw[:200]!r}")

    def _serve(self, handler: Handler, message: Json) -> None:
        answer: Json = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            answer["result"] = handler(message.get("params") or {})
        except ErrorAnswer as error:
            answer["error"] = {"code": error.code, "message": str(error)}
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.send(json.dumps(answer).encode())

    # Conversation

    def initialize(self, capabilities: Json | None = None, *, seconds: float | None = None) -> Json:
        """The handshake; returns the result of `initialize`."""
        answer = self.request("initialize", initialize_params(capabilities), seconds=seconds)
        assert "result" in answer, answer
        self.notify("notifications/initialized")
        return cast("Json", answer["result"])


def initialize_params(capabilities: Json | None = None) -> Json:
    """What a host of this generation says of itself."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "capabilities": capabilities or {},
        "clientInfo": {"name": "harness", "version": "1"},
    }


def assert_error(answer: Json, request_id: object, contains: Sequence[str] = ()) -> str:
    """Asserts that `answer` is an error to this request that says all of `contains`.

    Case does not count. The message must be one line a person can read. Returns it.
    """
    assert answer["id"] == request_id, answer
    assert "error" in answer, answer
    error = cast("Json", answer["error"])
    assert isinstance(error["code"], int), answer
    text = error["message"]
    assert isinstance(text, str), answer
    assert text.strip(), answer
    assert text.splitlines() == [text], text
    for phrase in contains:
        assert phrase.lower() in text.lower(), f"{phrase!r} is not in: {text}"
    return text


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie (Linux, from /proc)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def cpu_seconds(pid: int) -> float:
    """What the process has taken of a CPU so far (Linux, from /proc), in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def has_port(pid: int, port: int) -> bool:
    """Whether the process listens at this TCP port, or talks from it (Linux, IPv4, from /proc)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}")}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(entry) in sockets:
                    return True
    return False


def descendants(pid: int) -> list[int]:
    """Process ids of all children and children's children (Linux, from /proc)."""
    # Not from a look at all processes: it is asked at each end of a command, thousands of times.
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []
    for thread in threads:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                found += map(int, file.read().split())
    for child in tuple(found):
        found += descendants(child)
    return found


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
    """Waits, bounded, for something that announces itself in no other way (a process, a file).

    Raises:
        AssertionError: it did not become true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.01)
