"""Systems made with the official SDKs: Python's and TypeScript's, and the reference server."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tests.interop.systems import Absent, Ask, Call, Restart, Restartable, Scene, System
from tests.interop.versions import of_pypi
from tests.peers.launch import sdk_server

OPEN = Absent("the server is open to everybody")
ECHO = Call("echo", {"text": "forty-two"}, "forty-two")
ELICIT = Ask(
    Call("elicit", {}, "accept {'name': 'Ada'}"),
    "elicitation/create",
    {"action": "accept", "content": {"name": "Ada"}},
)


def _python_sdk(
    *options: str, ask: Ask | Absent = ELICIT
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
            )

    return start


STATELESS = Absent("a stateless server of that era cannot turn to its client")

SYSTEMS = (
    System(
        "python-session",
        "Python SDK, Streamable HTTP with a session",
        lambda: [of_pypi("mcp")],
        _python_sdk("streamable", "--era", "legacy"),
        gate=True,
    ),
    System(
        "python-stateless",
        "Python SDK, stateless, JSON answers",
        lambda: [of_pypi("mcp")],
        _python_sdk("streamable", "--era", "legacy", "--stateless", "--json", ask=STATELESS),
    ),
    System(
        "python-sse",
        "Python SDK, HTTP+SSE",
        lambda: [of_pypi("mcp")],
        _python_sdk("sse"),
    ),
    System(
        "python-modern",
        "Python SDK, 2026-07-28 only",
        lambda: [of_pypi("mcp")],
        _python_sdk("streamable", "--era", "modern"),
    ),
)
