"""Plays a desktop host that uses a remote server through the real command, and checks it all.

Starts scripts/demo_server.py, then mcp-remote-py exactly as an entry of
claude_desktop_config.json says, and speaks MCP over its stdin and stdout. What it shows it also
verifies: anything unexpected ends the demo with status 1 and a sentence. Must not import
mcp_remote_py: like a host it knows only the command.
"""

import asyncio
import json
import os
import secrets
import shlex
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

SCRIPTS = Path(__file__).resolve().parent
COMMAND = Path(sys.executable).with_name("mcp-remote-py" + (".exe" if os.name == "nt" else ""))
HEADER = "Authorization:${DEMO_AUTH}"
"""Without a blank: some hosts tear arguments apart there. The value has one."""
PATIENCE = 20.0
"""Seconds for one answer: longer than anything here takes, shorter than a person waits."""
ENDING = 2.0
"""Seconds in which the command must be gone after its stdin was closed."""
COUNT = 5

Json = dict[str, Any]
Pipe = TypeVar("Pipe", asyncio.StreamReader, asyncio.StreamWriter)


class DemoError(Exception):
    """Something was not as it should be; the text says what."""


def check(holds: bool, sentence: str) -> None:
    """Raises DemoError with this sentence unless it holds."""
    if not holds:
        raise DemoError(sentence)


def entry_for(url: str, token: str | None) -> Json:
    """The entry of claude_desktop_config.json that starts the command for `url`."""
    entry: Json = {"command": str(COMMAND), "args": [url, "--header", HEADER]}
    if token is not None:
        entry["env"] = {"DEMO_AUTH": f"Bearer {token}"}
    return entry


def token_of(entry: Json) -> str:
    """The token that an entry sends."""
    return str(entry["env"]["DEMO_AUTH"]).removeprefix("Bearer ")


def open_pipe(stream: Pipe | None) -> Pipe:
    """One of the pipes a process was started with."""
    check(stream is not None, "a process is without its pipe")
    return cast("Pipe", stream)


async def start(entry: Json, state: str) -> Process:
    """Starts what a config entry says, as a host does; `state` is where it may keep things."""
    environment = {name: value for name, value in os.environ.items() if name != "DEMO_AUTH"}
    environment |= {"MCP_REMOTE_CONFIG_DIR": state, **entry.get("env", {})}
    return await asyncio.create_subprocess_exec(
        entry["command"], *entry["args"], stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
    )


class Host:
    """A desktop host: one request at a time over the command's stdin and stdout."""

    def __init__(self, process: Process, stderr: asyncio.Task[bytes]) -> None:
        self._process = process
        self._stderr = stderr
        self._last_id = 0

    def _write(self, message: Json) -> None:
        open_pipe(self._process.stdin).write(json.dumps(message).encode() + b"\n")

    async def _read(self) -> Json:
        line = await asyncio.wait_for(open_pipe(self._process.stdout).readline(), PATIENCE)
        check(line != b"", "the command ended without an answer")
        return json.loads(line)

    async def request(
        self,
        method: str,
        params: Json | None = None,
        on_notification: Callable[[Json], None] = lambda _: None,
    ) -> tuple[Json, float]:
        """The answer to one request, and how many seconds it took."""
        self._last_id += 1
        begin = time.monotonic()
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params or {}}
        self._write(message)
        while True:
            try:
                answer = await self._read()
            except TimeoutError:
                raise DemoError(f"{method} was not answered in {PATIENCE:.0f} s") from None
            if "method" in answer:
                on_notification(answer)
                continue
            check(answer.get("id") == self._last_id, f"an answer nobody asked for: {answer}")
            return answer, time.monotonic() - begin

    async def result(
        self, method: str, params: Json, on_notification: Callable[[Json], None] = lambda _: None
    ) -> tuple[Json, float]:
        """Like `request`, for what must not fail."""
        answer, seconds = await self.request(method, params, on_notification)
        check("result" in answer, f"{method} failed: {answer.get('error', {}).get('message')}")
        return answer["result"], seconds

    async def initialize(self) -> tuple[Json, float]:
        """The answer to the handshake's request."""
        return await self.request(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "demo-host", "version": "1.0"},
            },
        )

    def initialized(self) -> None:
        """Ends the handshake."""
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def end(self) -> tuple[int, float, str]:
        """Closes stdin: exit status, seconds until it was gone, what it wrote on stderr."""
        begin = time.monotonic()
        open_pipe(self._process.stdin).close()
        try:
            status = await asyncio.wait_for(self._process.wait(), ENDING)
        except TimeoutError:
            raise DemoError(f"the command lives on {ENDING:.0f} s after its stdin closed") from None
        return status, time.monotonic() - begin, (await self._stderr).decode()


@asynccontextmanager
async def host_of(entry: Json) -> AsyncGenerator[Host]:
    """A host with the command started; whatever happens, the process is gone afterwards."""
    with TemporaryDirectory() as state:
        process = await start(entry, state)
        stderr = asyncio.create_task(open_pipe(process.stderr).read())
        try:
            yield Host(process, stderr)
        except DemoError as error:
            await stop(process)
            error.add_note((await stderr).decode().strip())
            raise
        finally:
            await stop(process)


async def stop(process: Process) -> None:
    """Closes its stdin, which ends it; what does not end is killed."""
    open_pipe(process.stdin).close()
    try:
        await asyncio.wait_for(process.wait(), ENDING)
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def server_accepting(token: str) -> AsyncGenerator[str]:
    """The demo server as a process of its own: its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPTS / "demo_server.py"), stdin=PIPE, stdout=PIPE
    )
    try:
        open_pipe(process.stdin).write(token.encode() + b"\n")
        line = await asyncio.wait_for(open_pipe(process.stdout).readline(), PATIENCE)
        url = line.decode().strip()
        check(url != "", "the demo server did not start")
        yield url
    finally:
        await stop(process)


def say(text: str = "") -> None:
    """One line to the person, now."""
    print(text, flush=True)


def say_sent(method: str, arguments: str = "") -> None:
    """A request that goes out."""
    say(f"  -> {method} {arguments}".rstrip())


def say_received(text: str, seconds: float) -> None:
    """Its answer."""
    say(f"  <- {text:<48} {seconds * 1000:6.0f} ms")


async def call(
    host: Host, name: str, arguments: Json, on_notification: Callable[[Json], None] = lambda _: None
) -> str:
    """Calls a tool and shows it: the text of its result."""
    say_sent("tools/call", f"{name} {json.dumps(arguments)}")
    params: Json = {"name": name, "arguments": arguments, "_meta": {"progressToken": name}}
    result, seconds = await host.result("tools/call", params, on_notification)
    text = str(result["content"][0]["text"])
    say_received(text, seconds)
    check(not result.get("isError"), f"{name} failed: {text}")
    return text


async def show_work(entry: Json) -> None:
    """Handshake, list, calls, progress, and a clean end."""
    async with host_of(entry) as host:
        say_sent("initialize")
        answer, seconds = await host.initialize()
        check("result" in answer, f"initialize failed: {answer.get('error', {}).get('message')}")
        name = answer["result"]["serverInfo"]["name"]
        say_received(f"server {name}, MCP {answer['result']['protocolVersion']}", seconds)
        check(name == "demo", f"initialize was answered by {name!r}, not by the demo server")
        host.initialized()

        say_sent("tools/list")
        result, seconds = await host.result("tools/list", {})
        names = sorted(tool["name"] for tool in result["tools"])
        say_received(", ".join(names), seconds)
        check(names == ["add", "count", "whoami"], f"the tools are {names}")

        text = await call(host, "add", {"a": 2, "b": 40})
        check(text == "42", f"2 + 40 came back as {text}")
        text = await call(host, "whoami", {})
        check(text == "the holder of the demo token", f"whoami came back as {text!r}")

        arrivals: list[float] = []

        def on_progress(message: Json) -> None:
            if message["method"] == "notifications/progress":
                params = message["params"]
                arrivals.append(time.monotonic())
                say(f"     progress {params['progress']:.0f}/{params['total']:.0f}")

        text = await call(host, "count", {"to": COUNT}, on_progress)
        check(text == f"counted to {COUNT}", f"count came back as {text!r}")
        check(len(arrivals) == COUNT, f"{len(arrivals)} progress messages came, not {COUNT}")
        check(arrivals[-1] - arrivals[0] > 0.5, "progress came in one heap, not live")

        status, seconds, stderr = await host.end()
        say(f"  The host closes stdin: gone after {seconds * 1000:.0f} ms, exit status {status}.")
        check(status == 0, f"the exit status is {status}")
        check(token_of(entry) not in stderr, "the token is on stderr")


async def show_wrong_token(entry: Json) -> None:
    """A refused header is an error with a sentence, never a browser or a loop."""
    async with host_of(entry) as host:
        say_sent("initialize")
        answer, seconds = await host.initialize()
        check("error" in answer, "a wrong token was accepted")
        sentence = answer["error"]["message"]
        say_received("error:", seconds)
        say(f"     {sentence}")
        check("401" in sentence, "the error does not name the status 401")
        check(token_of(entry) not in sentence, "the error shows the token")
        await host.end()


async def show_forgotten_token(entry: Json) -> None:
    """A variable that is not set is a usage error before anything is sent."""
    async with host_of(entry) as host:
        status, _, stderr = await host.end()
        say(f"  Exit status {status}. {stderr.strip()}")
        check(status == 2, f"the exit status is {status}, not 2")
        check("DEMO_AUTH" in stderr, "the error does not name the variable")


def config_with(entry: Json) -> str:
    """The file claude_desktop_config.json with this entry."""
    return json.dumps({"mcpServers": {"my-server": entry}}, indent=2)


async def demo() -> None:
    """The whole play."""
    token = secrets.token_urlsafe(16)
    async with server_accepting(token) as url:
        say(f"A demo server runs at {url} and wants a bearer token.")
        say(f"The host starts: mcp-remote-py {shlex.quote(url)} --header '{HEADER}'")
        say()
        say("With the right token:")
        await show_work(entry_for(url, token))
        say()
        say("With a wrong token:")
        await show_wrong_token(entry_for(url, "wrong-" + secrets.token_urlsafe(8)))
        say()
        say("With DEMO_AUTH not set:")
        await show_forgotten_token(entry_for(url, None))
    say()
    say("All as it should be. For your own server, paste this into claude_desktop_config.json:")
    say()
    arguments = ["https://your-server.example/mcp", "--header", "Authorization:${AUTH}"]
    environment = {"AUTH": "Bearer paste-your-token-here"}
    say(config_with({"command": str(COMMAND), "args": arguments, "env": environment}))
    say()
    say("or, with uv and once the package is on PyPI, without this clone:")
    say()
    say(config_with({"command": "uvx", "args": ["mcp-remote-py", *arguments], "env": environment}))


def main() -> int:
    """Exit status 0, or 1 after a sentence that says what was wrong."""
    try:
        asyncio.run(demo())
    except DemoError as error:
        said = "\n".join(getattr(error, "__notes__", ()))
        print(f"\nThe demo failed: {error}.", file=sys.stderr)
        if said:
            print(f"The command said on stderr:\n{said}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
