"""The same cases directly and through the proxy, over every kind of server: the same outcomes.

The judge is the SDK's client: once over its own HTTP transports, once over stdio to the command.
Per kind of server, one connection of each sort plays all cases; each test compares one of them.
An outcome holds the answer and all that arrived with it. Promises R2, R3, R4.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import anyio
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

from tests.harness.host import environment_for
from tests.harness.warm import COMMAND
from tests.peers.launch import Peer, everything_server, sdk_server

Json = dict[str, Any]

CASE_SECONDS = 10.0
"""Longest time of one case."""

STRAGGLERS = 2.0
"""Seconds to wait for notifications that may come after the answer."""


@dataclass
class Ear:
    """What a client hears and is asked, and the answers it always gives."""

    heard: list[Json] = field(default_factory=list[Json])
    change: anyio.Event = field(default_factory=anyio.Event)

    def note(self, kind: str, value: object) -> None:
        """Keeps it for the outcome."""
        self.heard.append({kind: plain(value)})
        self.change.set()
        self.change = anyio.Event()

    async def wait_for(self, count: int) -> None:
        """Waits until that much was heard; what is missing then shows in the outcome."""
        with anyio.move_on_after(STRAGGLERS):
            while len(self.heard) < count:
                await self.change.wait()

    async def sampling(
        self, context: object, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        self.note("sampling", params)
        answer = types.TextContent(type="text", text="42")
        return types.CreateMessageResult(role="assistant", content=answer, model="parrot")

    async def elicitation(
        self, context: object, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        self.note("elicitation", params)
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async def roots(self, context: object) -> types.ListRootsResult:
        self.note("roots", None)
        root = types.Root.model_validate({"uri": "file:///tmp/here", "name": "here"})
        return types.ListRootsResult(roots=[root])

    async def logging(self, params: types.LoggingMessageNotificationParams) -> None:
        self.note("log", params)

    async def message(self, message: object) -> None:
        """Notifications that have no callback of their own."""
        if isinstance(message, Exception):
            self.note("exception", repr(message))
        elif getattr(message, "method", "") not in (
            "notifications/message",
            "notifications/progress",
        ):
            self.note("notification", message)

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.note("progress", [progress, total, message])


def plain(value: object) -> Any:
    """JSON of the value, without what differs from one connection to the next."""
    dump = getattr(value, "model_dump", None)
    if dump is None:
        return value
    found = cast("Json", dump(mode="json", by_alias=True, exclude_none=True))
    meta = found.get("_meta")
    if isinstance(meta, dict):
        cast("Json", meta).pop("progressToken", None)
    return found


Case = Callable[[Client, Ear], Awaitable[object]]
"""Plays something; what it returns is part of the outcome."""


def call(name: str, arguments: Json | None = None, *, hears: int = 0) -> Case:
    """A tool call, and how many things are heard with it."""

    async def play(client: Client, ear: Ear) -> object:
        result = await client.call_tool(name, arguments or {}, progress_callback=ear.progress)
        await ear.wait_for(hears)
        return result

    return play


def ask(method: str, *arguments: Any, **named: Any) -> Case:
    """A method of the client."""

    async def play(client: Client, _: Ear) -> object:
        return await getattr(client, method)(*arguments, **named)

    return play


async def all_pages(client: Client, _: Ear) -> object:
    """Every page of `tools/list`, in order."""
    pages: list[Any] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        pages.append(plain(page))
        cursor = page.next_cursor
        if cursor is None:
            return pages


async def handshake(client: Client, _: Ear) -> object:
    """What the server said of itself."""
    return [
        client.protocol_version,
        plain(client.server_info),
        plain(client.server_capabilities),
        client.instructions,
    ]


async def many_at_once(client: Client, _: Ear) -> object:
    """Thirty calls in flight, each with its own answer."""
    results: list[Any] = [None] * 30

    async def one(number: int) -> None:
        results[number] = plain(await client.call_tool("echo", {"text": str(number)}))

    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(one, number)
    return results


async def cancellation(client: Client, _: Ear) -> object:
    """The client gives up; the server notices."""
    token = uuid4().hex  # an address in memory may be that of the client before

    async def state() -> str:
        return plain(await client.call_tool("was", {"token": token}))["content"][0]["text"]

    async def until(wanted: str) -> str:
        found = await state()
        with anyio.move_on_after(5):
            while found != wanted:
                await anyio.sleep(0.01)
                found = await state()
        return found

    begun = ""
    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()

        async def wait() -> None:
            with scope:
                await client.call_tool("wait", {"token": token})

        group.start_soon(wait)
        begun = await until("started")
        scope.cancel()
    return [begun, await until("cancelled")]


async def subscription(client: Client, ear: Ear) -> object:
    """Subscribed, told, unsubscribed."""
    await client.subscribe_resource("test://one")  # pyright: ignore[reportDeprecated]
    await client.call_tool("touch", {"uri": "test://one"})
    await ear.wait_for(1)
    return await client.unsubscribe_resource("test://one")  # pyright: ignore[reportDeprecated]


async def log_level(client: Client, _: Ear) -> object:
    """Set, and set again."""
    await client.set_logging_level("error")  # pyright: ignore[reportDeprecated]
    return await client.set_logging_level("debug")  # pyright: ignore[reportDeprecated]


async def asked_unasked(_: Client, ear: Ear) -> object:
    """The server asks for roots by itself a moment later, and logs that it has them."""
    await ear.wait_for(2)
    return None


async def changed_roots(client: Client, _: Ear) -> object:
    """A notification of the client, and the server may ask what is new."""
    return await client.send_roots_list_changed()  # pyright: ignore[reportDeprecated]


PROMPT = types.PromptReference(type="ref/prompt", name="greet")
TEMPLATE = types.ResourceTemplateReference(type="ref/resource", uri="test://{name}")

ANSWERS: dict[str, Case] = {
    "handshake": handshake,
    "tools, all pages": all_pages,
    "echo": call("echo", {"text": '\u2028 é 😀 \\ " \n'}),
    "structured output": call("structured", {"a": 12345678901234567, "b": 1}),
    "all kinds of content": call("contents"),
    "a failing tool": call("fail"),
    "an error of the server": call("refuse"),
    "an unknown tool": call("unheard of"),
    "a large answer": call("big", {"size": 100_000}),
    "many at once": many_at_once,
    "resources": ask("list_resources"),
    "resource templates": ask("list_resource_templates"),
    "a text resource": ask("read_resource", "test://one"),
    "a binary resource": ask("read_resource", "test://two"),
    "an unknown resource": ask("read_resource", "test://three"),
    "prompts": ask("list_prompts"),
    "a prompt": ask("get_prompt", "greet", {"name": "Ada"}),
    "completion of a prompt": ask("complete", PROMPT, {"name": "name", "value": "A"}),
    "completion of a template": ask("complete", TEMPLATE, {"name": "name", "value": "G"}),
    "log level": log_level,
    "changed roots": changed_roots,
}
"""What every server can do."""

ASKING: dict[str, Case] = {
    "elicitation": call("elicit"),
    "sampling": call("sample"),
}
"""What needs a way back to the client within the answer; elsewhere the SDK refuses it."""

TELLING: dict[str, Case] = {
    "progress": call("slow", {"steps": 5}, hears=5),
    "logging": call("log", hears=4),
}
"""What comes within the answer when that is a stream."""

SESSION: dict[str, Case] = {
    "roots": call("roots"),
    "list_changed": call("change", hears=3),
    "subscription": subscription,
    "cancellation": cancellation,
}
"""What needs a session and a stream beside the answers."""

EVERYTHING: dict[str, Case] = {
    "handshake": handshake,
    "what it asks by itself": asked_unasked,
    "tools, all pages": all_pages,
    "echo": call("echo", {"message": "hello"}),
    "sum": call("get-sum", {"a": 1.5, "b": 2}),
    "structured output": call("get-structured-content", {"location": "New York"}),
    "image": call("get-tiny-image"),
    "annotations": call("get-annotated-message", {"messageType": "error", "includeImage": True}),
    "resource links": call("get-resource-links", {"count": 3}),
    "progress": call("trigger-long-running-operation", {"duration": 0.4, "steps": 4}, hears=4),
    "sampling": call("trigger-sampling-request", {"prompt": "hi", "maxTokens": 5}, hears=1),
    "elicitation": call("trigger-elicitation-request", hears=1),
    "roots": call("get-roots-list"),
    "an unknown tool": call("unheard of"),
    "wrong arguments": call("get-sum", {"a": "x"}),
    "resources": ask("list_resources"),
    "resource templates": ask("list_resource_templates"),
    "prompts": ask("list_prompts"),
    "a prompt": ask("get_prompt", "simple-prompt"),
    "log level": log_level,
}


@dataclass(frozen=True)
class Kind:
    """A kind of server: how it starts, and which cases it is asked."""

    start: Callable[[], AbstractContextManager[Peer]]
    cases: dict[str, Case]
    transport: str = "streamable"


KINDS: dict[str, Kind] = {
    "stateful SSE": Kind(lambda: sdk_server("streamable"), ANSWERS | ASKING | TELLING | SESSION),
    "stateful JSON": Kind(lambda: sdk_server("streamable", "--json"), ANSWERS | SESSION),
    "stateless SSE": Kind(
        lambda: sdk_server("streamable", "--stateless"), ANSWERS | ASKING | TELLING
    ),
    "stateless JSON": Kind(lambda: sdk_server("streamable", "--stateless", "--json"), ANSWERS),
    "legacy": Kind(lambda: sdk_server("sse"), ANSWERS | ASKING | TELLING | SESSION, "sse"),
    "everything streamable": Kind(lambda: everything_server("streamableHttp"), EVERYTHING),
    "everything legacy": Kind(lambda: everything_server("sse"), EVERYTHING, "sse"),
}

COMPARISONS = [(kind, case) for kind in KINDS for case in KINDS[kind].cases]


async def play_all(server: Any, cases: dict[str, Case]) -> dict[str, str]:
    """The outcome of every case over one connection, as JSON text."""
    ear = Ear()
    outcomes: dict[str, str] = {}
    client = Client(
        server,
        mode="legacy",
        cache=None,
        read_timeout_seconds=CASE_SECONDS,
        sampling_callback=ear.sampling,
        elicitation_callback=ear.elicitation,
        list_roots_callback=ear.roots,
        logging_callback=ear.logging,
        message_handler=ear.message,
    )
    async with client:
        for name, case in cases.items():
            ear.heard = []
            try:
                with anyio.fail_after(CASE_SECONDS):
                    answer: object = plain(await case(client, ear))
            except MCPError as error:
                answer = {"error": plain(error.error)}
            except TimeoutError:
                answer = "no answer in time"
            heard = sorted(json.dumps(one, sort_keys=True) for one in ear.heard)
            outcomes[name] = json.dumps([answer, heard], indent=1)
    return outcomes


Outcomes = dict[str, tuple[dict[str, str], dict[str, str]]]


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """Of every kind that was played: directly, and through the command."""
    return {}


def compare(outcomes: Outcomes, name: str, home: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Plays the kind's cases once for all tests that ask for them."""
    if name not in outcomes:
        kind = KINDS[name]
        with kind.start() as peer, warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            command = StdioServerParameters(
                command=str(COMMAND), args=[peer.url], env=environment_for(home)
            )
            direct = sse_client(peer.url) if kind.transport == "sse" else peer.url
            outcomes[name] = (
                asyncio.run(asyncio.wait_for(play_all(direct, kind.cases), 50)),
                asyncio.run(asyncio.wait_for(play_all(command, kind.cases), 50)),
            )
    return outcomes[name]


@pytest.mark.promise("R2", "R3", "R4")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("kind", "case"), COMPARISONS)
def test_same_through_the_proxy(outcomes: Outcomes, tmp_path: Path, kind: str, case: str) -> None:
    direct, through = compare(outcomes, kind, tmp_path)
    assert "no answer in time" not in direct[case]
    assert through[case] == direct[case]


@pytest.mark.promise("R3")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["stateful SSE", "legacy"])
@pytest.mark.parametrize(
    ("case", "evidence"),
    [
        ("elicitation", "Who are you?"),
        ("sampling", "What is 6 x 7?"),
        ("roots", "file:///tmp/here"),
        ("progress", "step 5"),
        ("logging", "warning"),
        ("list_changed", "notifications/tools/list_changed"),
        ("subscription", "notifications/resources/updated"),
        ("cancellation", "cancelled"),
    ],
)
def test_really_crosses(
    outcomes: Outcomes, tmp_path: Path, kind: str, case: str, evidence: str
) -> None:
    """Equal outcomes prove nothing where both legs heard nothing."""
    _, through = compare(outcomes, kind, tmp_path)
    assert evidence in through[case]
