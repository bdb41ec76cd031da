"""Systems made with the official SDKs: Python's and TypeScript's, and the reference server."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tests.interop.systems import (
    ADD,
    LIFETIME,
    NO_SESSION,
    UVICORN_REVOCATION,
    UVICORN_TOKEN,
    Absent,
    Ask,
    Call,
    Restart,
    Restartable,
    Scene,
    SignIn,
    System,
    asks_name,
    wait_out,
)
from tests.interop.versions import of_npm, of_pypi
from tests.peers.launch import sdk_server
from tests.real.processes import Service
from tests.real.servers import authorizing_server, everything_server, node_script

HERE = Path(__file__).parent

OPEN = Absent("the server is open to everybody")
ECHO = Call("echo", {"text": "forty-two"}, "forty-two")
ELICIT = Ask(
    Call("elicit", {}, "accept {'name': 'Ada'}"),
    "elicitation/create",
    {"action": "accept", "content": {"name": "Ada"}},
)
SAMPLE = Ask(
    Call("trigger-sampling-request", {"prompt": "What is 6 x 7?"}, "forty-two"),
    "sampling/createMessage",
    {"role": "assistant", "content": {"type": "text", "text": "forty-two"}, "model": "parrot"},
)
EVERYTHING = "mcp-servers/everything"
SUM = Call("get-sum", {"a": 2, "b": 40}, "42")
BOTH_ERAS = {"mcp-remote": ("--protocol", "auto")}
"""It has to be told that a server may be of 2026-07-28."""


def _python_sdk(
    *options: str, ask: Ask | Absent = ELICIT, own: Mapping[str, Sequence[str]] | None = None
) -> Callable[[Path], AbstractContextManager[Scene]]:
    @contextmanager
    def start(_: Path) -> Generator[Scene]:
        with ExitStack() as stack:
            server = Restartable(stack, lambda port: sdk_server(*options, port=port))
            path = "/sse" if options[0] == "sse" else "/mcp"
            yield Scene(
                url=f"http://127.0.0.1:{server.port}{path}",
                name="sdk-peer",
                call=ECHO,
                ask=ask,
                sign_in=OPEN,
                restart=Restart(server.again),
                own_options=own or {},
            )

    return start


def _node(
    start: Callable[[Path, int], AbstractContextManager[Service]],
    path: str,
    name: str,
    call: Call,
    ask: Ask | Absent,
    own: Mapping[str, Sequence[str]] | None = None,
) -> Callable[[Path], AbstractContextManager[Scene]]:
    @contextmanager
    def run(folder: Path) -> Generator[Scene]:
        with ExitStack() as stack:
            server = Restartable(stack, lambda port: start(folder, port))
            yield Scene(
                url=f"http://127.0.0.1:{server.port}{path}",
                name=name,
                call=call,
                ask=ask,
                sign_in=OPEN,
                restart=Restart(server.again),
                own_options=own or {},
            )

    return run


def _typescript(line: str) -> Callable[[Path, int], AbstractContextManager[Service]]:
    def start(folder: Path, port: int) -> AbstractContextManager[Service]:
        return node_script(
            HERE / "typescript_server.mjs",
            (str(port), line),
            listens=r"on loopback port (\d+)",
            log=folder / "log",
            folder=folder,
        )

    return start


def _authorizing(
    transport: str, path: str, lifetime: int = LIFETIME
) -> Callable[[Path], AbstractContextManager[Scene]]:
    def expire() -> None:
        wait_out(lifetime)

    @contextmanager
    def run(folder: Path) -> Generator[Scene]:
        def start(port: int) -> AbstractContextManager[Service]:
            return authorizing_server(folder, transport, port, lifetime)

        with ExitStack() as stack:
            server = Restartable(stack, start, log=folder / "log")
            yield Scene(
                url=f"http://localhost:{server.port}{path}",
                name="authorizing-workshop",
                call=ADD,
                ask=asks_name(),
                sign_in=SignIn(
                    token_requests=lambda: server.count(UVICORN_TOKEN),
                    expire=Absent("its tokens live for an hour") if lifetime > LIFETIME else expire,
                    revocations=lambda: server.count(UVICORN_REVOCATION),
                ),
                # Its clients and tokens are in its memory.
                restart=Restart(server.again, tabs=1),
            )

    return run


def _everything(transport: str) -> Callable[[Path, int], AbstractContextManager[Service]]:
    return lambda folder, port: everything_server(folder, port, transport)


def _python() -> list[str]:
    return [of_pypi("mcp")]


STATELESS = Absent("a stateless server of that era cannot turn to its client")

SYSTEMS = (
    System(
        "python-session",
        "Python SDK, Streamable HTTP with a session",
        _python,
        _python_sdk("streamable", "--era", "legacy"),
    ),
    System(
        "python-stateless",
        "Python SDK, stateless, JSON answers",
        _python,
        _python_sdk("streamable", "--era", "legacy", "--stateless", "--json", ask=STATELESS),
    ),
    System(
        "python-sse",
        "Python SDK, HTTP+SSE",
        _python,
        _python_sdk("sse"),
    ),
    System(
        "python-modern",
        "Python SDK, 2026-07-28 only",
        _python,
        _python_sdk("streamable", "--era", "modern", own=BOTH_ERAS),
    ),
    System(
        "python-both",
        "Python SDK, both eras",
        _python,
        _python_sdk("streamable"),
    ),
    System(
        "python-login",
        "Python SDK that signs people in, Streamable HTTP",
        _python,
        _authorizing("streamable-http", "/mcp"),
    ),
    System(
        "python-login-sse",
        "Python SDK that signs people in, HTTP+SSE",
        _python,
        _authorizing("sse", "/sse"),
        gate=True,
    ),
    System(
        "python-login-hour",
        "The same over Streamable HTTP, with tokens of an hour",
        _python,
        _authorizing("streamable-http", "/mcp", 3600),
    ),
    System(
        "typescript-session",
        "TypeScript SDK, Streamable HTTP with a session",
        lambda: [of_npm("@modelcontextprotocol/sdk")],
        _node(_typescript("sessions"), "/mcp", "typescript-workshop", ADD, asks_name()),
    ),
    System(
        "typescript-modern",
        "TypeScript SDK, 2026-07-28 only",
        lambda: [of_npm("@modelcontextprotocol/server")],
        _node(_typescript("modern"), "/mcp", "typescript-workshop", ADD, asks_name(), BOTH_ERAS),
    ),
    System(
        "typescript-both",
        "TypeScript SDK, both eras, stateless",
        lambda: [of_npm("@modelcontextprotocol/server")],
        _node(_typescript("both"), "/mcp", "typescript-workshop", ADD, NO_SESSION),
    ),
    System(
        "everything",
        "server-everything, Streamable HTTP",
        lambda: [of_npm("@modelcontextprotocol/server-everything")],
        _node(_everything("streamableHttp"), "/mcp", EVERYTHING, SUM, SAMPLE),
    ),
    System(
        "everything-sse",
        "server-everything, HTTP+SSE",
        lambda: [of_npm("@modelcontextprotocol/server-everything")],
        _node(_everything("sse"), "/sse", EVERYTHING, SUM, SAMPLE),
    ),
)
