"""Starts the command by a fork of a process that has loaded it, at a fifth of what a start costs.

Nine tenths of a start is Python that loads modules, and the gate starts the command a thousand
times. Who is started this way is a process of its own, with its own streams, environment, working
directory and signals; it only does not load what is loaded. So what is about loading, memory, or
the end of what was started starts the command as it is (`Host(..., fresh=True)`), as do all tests
where `THOROUGH` is set, but for those that start it thousands of times (`fresh=False`); and so does
what needs a variable that Python itself reads, or another program in front.
`tests/harness/test_warm.py` holds the two ways against each other.

The file is both the tests' side and the program; the program takes one message for each start, with
the streams as file descriptors, and ends with who began it. What others start hundreds of times can
be a fork, too: `forked_module` is a command line that becomes a module of the tests, and
`start_module` is one of those that take a second to load. Linux.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from tests.thorough import THOROUGH

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = Path(sys.executable).parent / "mcp-remote-py"
INSTRUMENTS = {
    str(Path(__file__).parent / name) for name in ("failing_disk", "inside", "longest_turn")
}
"""Folders of what may also be put before `os` when all is loaded."""
NURSERY = "NURSERY"
MAX_MESSAGE = 1 << 17
"""Bytes of one start: arguments and environment."""


def can_be_warm(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether it is the command itself, and nothing in its environment is for Python's start."""
    read_at_start = ("PYTHON", "LC_", "LANG", "LD_", "COVERAGE", "MALLOC")
    known = {"PYTHON_KEYRING_BACKEND"}
    if environment.get("PYTHONPATH") in INSTRUMENTS:
        known.add("PYTHONPATH")
    length = sum(map(len, (*command, *environment, *environment.values())))
    return (
        command[0] == str(COMMAND)
        and length < MAX_MESSAGE // 12  # as many bytes may JSON make of a character
        and not any(name.startswith(read_at_start) and name not in known for name in environment)
    )


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: int = subprocess.PIPE,
    *,
    fresh: bool = THOROUGH,
    user: tuple[int, int] | None = None,
) -> subprocess.Popen[bytes]:
    """The process, with pipes: a fork where that is the same, and never where it is to be fresh.

    As a `user` (with a group) it is always one: a user may not be able to read what it loads.
    """
    if user or (not fresh and can_be_warm(command, environment)):
        return WarmProcess(command, environment, stdin, user=user)
    return subprocess.Popen(
        list(command),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        bufsize=0,
    )


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    lines: str | None = None,
    *,
    fresh: bool = THOROUGH,
    user: tuple[int, int] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A command that is over, with what it said; `lines` are for its stdin.

    Raises:
        TimeoutExpired: it was not over within these seconds, and was killed; with what it said.
    """
    said: list[bytes] = [b"", b""]

    def read(number: int, stream: IO[bytes]) -> None:
        with stream:
            while data := stream.read(1 << 16):
                said[number] += data

    with open(os.devnull) as nothing:
        stdin = nothing.fileno() if lines is None else subprocess.PIPE
        process = start(command, environment, stdin, fresh=fresh, user=user)
    streams = cast("tuple[IO[bytes], IO[bytes]]", (process.stdout, process.stderr))
    readers = [threading.Thread(target=read, args=pair) for pair in enumerate(streams)]
    for reader in readers:
        reader.start()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write((lines or "").encode())
    is_late = False
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        is_late = True
        process.kill()
    status = process.wait()
    for reader in readers:
        reader.join()
    output, errors = (one.decode() for one in said)
    if is_late:
        raise subprocess.TimeoutExpired(list(command), seconds, output, errors)
    return subprocess.CompletedProcess(list(command), status, output, errors)


class WarmProcess(subprocess.Popen[bytes]):
    """What was started, to be used as any process that this one has started."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        stdin: int = subprocess.PIPE,
        module: str = "",
        log: str = "",
        user: tuple[int, int] | None = None,
    ) -> None:
        # Not Popen's own: it starts something. This process is the nursery's child.
        self.args = list(command)
        self.returncode: Any = None
        self._ending = threading.Lock()
        ours: list[int] = []
        theirs: list[int] = []
        if stdin == subprocess.PIPE:
            reading, writing = os.pipe()
            theirs.append(reading)
            ours.append(writing)
        else:
            theirs.append(os.dup(stdin))
        for _ in ("stdout", "stderr"):
            reading, writing = os.pipe()
            ours.append(reading)
            theirs.append(writing)
        self._nursery = nursery(module)
        try:
            self.pid = self._nursery.start(command, environment, theirs, module, log, user)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._end = os.pidfd_open(self.pid)
        self.stderr = open(ours.pop(), "rb", buffering=0)
        self.stdout = open(ours.pop(), "rb", buffering=0)
        self.stdin = open(ours.pop(), "wb", buffering=0) if ours else None

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return cast("int | None", self.returncode)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; that of a signal is below 0.

        Raises:
            TimeoutExpired: it is still there.
        """
        if self.returncode is None:
            if not wait_readable(self._end, timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            with self._ending:
                if self.returncode is None:
                    self.returncode = self._nursery.bury(self.pid)
                    os.close(self._end)
        return cast("int", self.returncode)

    def send_signal(self, sig: int) -> None:
        """Sends it to those that are still there."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """As `send_signal`."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As `send_signal`."""
        self.send_signal(signal.SIGKILL)


def address_of(name: str) -> bytes:
    """In Linux' abstract space: there is nothing to be removed afterwards."""
    return b"\0" + name.encode()


def wait_readable(descriptor: int, timeout: float | None) -> bool:
    """Whether there is something to be read, or an end to be seen, within these seconds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


class Nursery:
    """The process that has loaded the command, seen from the tests.

    Attributes:
        name: where others reach it, who name it to `nursery` by the variable `NURSERY`.
    """

    def __init__(self, name: str = "", module: str = "") -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.name = name or f"warm-{os.getpid()}-{os.urandom(8).hex()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if not name:
            known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
                listener.bind(address_of(self.name))
                listener.listen(64)
                self._process = subprocess.Popen(
                    [sys.executable, str(Path(__file__).resolve()), str(listener.fileno()), module],
                    stdin=subprocess.DEVNULL,
                    env=known,
                    pass_fds=[listener.fileno()],
                )
        self._socket.connect(address_of(self.name))

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        streams: Sequence[int],
        module: str = "",
        log: str = "",
        user: tuple[int, int] | None = None,
    ) -> int:
        """The process id of one that was started with these streams."""
        message = {
            "words": list(command),
            "environment": dict(environment),
            "cwd": os.getcwd(),
            "user": user,
        }
        return self._ask(message | ({"module": module, "log": log} if module else {}), streams)

    def bury(self, pid: int) -> int:
        """The exit status of one that has ended."""
        return self._ask({"ended": pid})

    def close(self) -> None:
        """Ends it; what it has started goes on."""
        self._socket.close()
        if self._process is not None:
            self._process.wait()

    def _ask(self, message: object, streams: Sequence[int] = ()) -> int:
        data = json.dumps(message).encode()
        with self._lock:
            socket.send_fds(self._socket, [data], list(streams))
            answer = self._socket.recv(64)
        assert answer, "the process that starts commands has ended"
        return int(answer)


STAND_IN = f"""
import json, os, select, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
    one.connect("\\0" + os.environ["{NURSERY}"])
    def ask(message, *streams):
        socket.send_fds(one, [json.dumps(message).encode()], streams)
        return int(one.recv(64))
    words = sys.argv[1:]
    surroundings = dict(environment=dict(os.environ), cwd=os.getcwd())
    pid = ask(dict(surroundings, module=words[0], words=words), 0, 1, 2)
    end = select.poll()
    end.register(os.pidfd_open(pid), select.POLLIN)
    end.poll()
    os._exit(ask(dict(ended=pid)) & 255)
"""
"""Starts in a tenth of the time, stands where the module would, and ends as it does."""


def forked_module(folder: Path, module: str) -> str:
    """A command line like `python -m module`, made in that folder, whose words follow.

    It must be started with `NURSERY`. The function `main` of the module returns its exit status.
    """
    program = folder / "stand-in.py"
    program.write_text(STAND_IN)
    return f"{sys.executable} -I -S {program} {module}"


def start_module(
    module: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    log: str = os.devnull,
    *,
    stdin: int | None = None,
) -> subprocess.Popen[bytes]:
    """A module of the tests, whose function `main` it is, as a process of a group of its own.

    It reads nothing, unless `stdin` says otherwise. What it says goes to the file, or where none is
    named, stdout to a pipe.
    """
    with open(os.devnull) as nothing, open(log, "wb") as sink:
        stdin = nothing.fileno() if stdin is None else stdin
        if not THOROUGH:
            return WarmProcess([module, *words], environment, stdin, module=module, log=log)
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            stdin=stdin,
            stdout=subprocess.PIPE if log == os.devnull else sink,
            stderr=sink,
            env=dict(environment),
            bufsize=0,
            start_new_session=True,
        )


@cache
def nursery(module: str = "") -> Nursery:
    """The one of this process, which ends with it, or of the process that has named its own.

    That of a module has loaded it, and not the command.
    """
    one = Nursery("" if module else os.environ.get(NURSERY, ""), module)
    atexit.register(one.close)
    return one


# The program


LATE = (
    "anyio._backends._asyncio",
    "anyio.abc",
    "anyio.to_thread",
    "concurrent.futures.thread",
    "cryptography.hazmat.primitives.ciphers.aead",
    "truststore",
)
"""What is loaded when it is first needed, which is in nearly each process."""


def load() -> None:
    """All of the package, and nothing that reads the environment as it is loaded."""
    package = importlib.import_module("mcp_remote_py")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    for name in LATE:
        importlib.import_module(name)
    assert "keyring" not in sys.modules


def serve(listener: socket.socket) -> None:
    """One after another; returns when nobody is left of those who came."""
    asking: dict[int, socket.socket] = {}
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listener.fileno():
                one, _ = listener.accept()
                asking[one.fileno()] = one
                poll.register(one, select.POLLIN)
            elif not answer(asking[descriptor], [listener, *asking.values()]):
                poll.unregister(descriptor)
                asking.pop(descriptor).close()
        if not asking:
            return


def answer(asking: socket.socket, sockets: list[socket.socket]) -> bool:
    """Does what is asked for next; whether there was something."""
    data, streams, _, _ = socket.recv_fds(asking, MAX_MESSAGE, 3)
    if not data:
        return False
    message = json.loads(data)
    if "ended" in message:
        _, status = os.waitpid(message["ended"], 0)
        result = os.waitstatus_to_exitcode(status)
    else:
        result = os.fork()
        if not result:
            become(sockets, streams, message)
        for descriptor in streams:
            os.close(descriptor)
    with contextlib.suppress(BrokenPipeError):
        asking.send(str(result).encode())
    return True


def become(sockets: list[socket.socket], streams: list[int], message: dict[str, Any]) -> NoReturn:
    """The command."""
    try:
        for one in sockets:
            one.close()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        # Python sets it where the environment says nothing of a language, and did so here.
        coerced = {"LC_CTYPE": os.environ["LC_CTYPE"]} if "LC_CTYPE" in os.environ else {}
        os.environ.clear()
        os.environ.update(coerced | message["environment"])
        os.chdir(message["cwd"])
        if message.get("user"):
            user, group = message["user"]
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
        sys.argv = message["words"]
        if "module" in message:
            os.setsid()
            sys.path[0] = str(ROOT)
            if message.get("log"):
                log = os.open(message["log"], os.O_WRONLY | os.O_APPEND)
                os.dup2(log, 2)
                if message["log"] != os.devnull:
                    os.dup2(log, 1)
            status = importlib.import_module(message["module"]).main()
            sys.stdout.flush()
            os._exit(status or 0)
        if "PYTHONPATH" in os.environ:
            instrument = Path(os.environ["PYTHONPATH"]) / "sitecustomize.py"
            runpy.run_path(str(instrument), run_name=instrument.stem)
        importlib.import_module("mcp_remote_py.__main__").run()
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(1)


def main() -> None:
    """Serves at the descriptor that the arguments name."""
    os.set_inheritable(int(sys.argv[1]), False)
    if sys.argv[2]:
        sys.path[0] = str(ROOT)
        importlib.import_module(sys.argv[2])
    else:
        sys.path[0] = str(COMMAND.parent)
        load()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        serve(listener)


if __name__ == "__main__":
    main()
