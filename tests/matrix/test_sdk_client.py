"""The SDK's client, which nobody here wrote, in both of its modes, on every kind of server.

Through the command it is on stdio; in its mode `auto` it asks for `server/discover` first and is
then a client of 2026-07-28, whatever the server is. One connection plays all cases.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.subscriptions import ToolsListChanged, listen
from mcp.shared.exceptions import MCPError

from tests.harness.host import environment_for
from tests.harness.warm import COMMAND
from tests.matrix.cells import MODERN, NOT_STATELESS, SERVERS, ServerKind, why_empty
from tests.peers.launch import everything_server, sdk_server

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

Json = dict[str, Any]

SECONDS = 15.0
"""Longest time of one case."""

HEARD = 3.0
"""Seconds a notification may come after the answer."""


class Ear:
    """What the person and the model behind the client say, and what the client heard."""

    def __init__(self) -> None:
        self.logged: list[str] = []
        self.steps: list[float] = []
        self.changed: list[str] = []

    async def sampling(
        self, context: object, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        answer = types.TextContent(type="text", text="42")
        return types.CreateMessageResult(role="assistant", content=answer, model="parrot")

    async def elicitation(
        self, context: object, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async def roots(self, context: object) -> types.ListRootsResult:
        root = types.Root.model_validate({"uri": "file:///tmp/here", "name": "here"})
        return types.ListRootsResult(roots=[root])

    async def logging(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params.level)

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.steps.append(progress)

    async def message(self, message: object) -> None:
        method = getattr(message, "method", "")
        if method.endswith("/list_changed"):
            self.changed.append(method)

    async def hear(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(HEARD):
            while not condition():  # noqa: ASYNC110 - the SDK sets no event
                await anyio.sleep(0.01)


def text(result: Any) -> str:
    return "".join(one.text for one in result.content if one.type == "text")


async def play_tools(client: Client, ear: Ear) -> None:
    assert text(await client.call_tool("echo", {"text": "é"})) == "é"
    assert client.server_info is not None
    assert client.server_info.name == "sdk-peer"
    result = await client.call_tool("structured", {"a": 1, "b": 2})
    assert result.structured_content == {"sum": 3}


async def play_pages(client: Client, ear: Ear) -> None:
    names: list[str] = []
    cursor: str | None = None
    for _ in itertools.count():
        page = await client.list_tools(cursor=cursor)
        names += [tool.name for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert {"echo", "big"} <= set(names)


async def play_progress(client: Client, ear: Ear) -> None:
    await client.call_tool("slow", {"steps": 3}, progress_callback=ear.progress)
    await ear.hear(lambda: ear.steps == [1, 2, 3])


async def play_logging(client: Client, ear: Ear) -> None:
    if client.protocol_version != MODERN:
        await client.set_logging_level("debug")  # pyright: ignore[reportDeprecated]
    await client.call_tool("log", {})
    await ear.hear(lambda: set(ear.logged) == {"debug", "info", "warning", "error"})


async def play_elicitation(client: Client, ear: Ear) -> None:
    assert text(await client.call_tool("elicit", {})) == "accept {'name': 'Ada'}"


async def play_sampling(client: Client, ear: Ear) -> None:
    assert text(await client.call_tool("sample", {})) == "parrot: 42"


async def play_roots(client: Client, ear: Ear) -> None:
    assert text(await client.call_tool("roots", {})) == "here=file:///tmp/here"


async def play_resources(client: Client, ear: Ear) -> None:
    assert len((await client.list_resources()).resources) == 2
    read = await client.read_resource("test://one")
    assert getattr(read.contents[0], "text", "") == "first\u2028second"
    with pytest.raises(MCPError):
        await client.read_resource("test://missing")


async def play_prompts(client: Client, ear: Ear) -> None:
    prompt = await client.get_prompt("greet", {"name": "Ada"})
    assert getattr(prompt.messages[0].content, "text", "") == "Greet Ada"


async def play_changes(client: Client, ear: Ear) -> None:
    if client.protocol_version == MODERN:
        async with listen(client.session, tools_list_changed=True) as changes:
            await client.call_tool("change", {})
            with anyio.fail_after(HEARD):
                async for change in changes:
                    assert isinstance(change, ToolsListChanged)
                    return
    for _ in range(50):
        await client.call_tool("change", {})
        if ear.changed:
            return
    await ear.hear(lambda: bool(ear.changed))


Case = Callable[[Client, Ear], Awaitable[None]]

CASES: dict[str, Case] = {
    "tools": play_tools,
    "pagination": play_pages,
    "progress": play_progress,
    "logging": play_logging,
    "elicitation, form": play_elicitation,
    "sampling": play_sampling,
    "roots": play_roots,
    "resources": play_resources,
    "prompts": play_prompts,
    "list changes": play_changes,
}


async def play_all(url: str, home: Path, mode: str, cases: dict[str, Case]) -> dict[str, str]:
    """What went wrong, by case; "" where nothing did."""
    ear = Ear()
    parameters = StdioServerParameters(
        command=str(COMMAND), args=[url, "--silent"], env=environment_for(home)
    )
    client = Client(
        parameters,
        mode=mode,
        cache=None,
        read_timeout_seconds=SECONDS,
        sampling_callback=ear.sampling,
        elicitation_callback=ear.elicitation,
        list_roots_callback=ear.roots,
        logging_callback=ear.logging,
        log_level="debug" if mode == "auto" else None,
        message_handler=ear.message,
    )
    outcomes: dict[str, str] = {}
    async with client:
        assert client.protocol_version == (MODERN if mode == "auto" else "2025-11-25")
        for name, case in cases.items():
            try:
                with anyio.fail_after(SECONDS):
                    await case(client, ear)
                outcomes[name] = ""
            except Exception as error:
                outcomes[name] = repr(error)
    return outcomes


Outcomes = dict[tuple[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """By mode and kind of server."""
    return {}


MODES = ["auto", "legacy"]


@pytest.mark.promise("E1", "E2", "E3")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SERVERS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("case", CASES)
def test_the_sdk_client_has_every_feature_in_both_of_its_modes(
    case: str, kind: ServerKind, mode: str, outcomes: Outcomes, tmp_path: Path
) -> None:
    if (mode, kind.name) not in outcomes:
        with sdk_server(*kind.options) as peer:
            for one in MODES:  # one after the other: to start the server takes longer
                playing = play_all(peer.url, tmp_path / one, one, CASES)
                outcomes[one, kind.name] = asyncio.run(playing)
    went_wrong = outcomes[mode, kind.name][case]
    assert bool(went_wrong) == (why_empty(MODERN, kind.name, case) == NOT_STATELESS), went_wrong


async def play_everything(client: Client, ear: Ear) -> None:
    assert text(await client.call_tool("echo", {"message": "hello"})) == "Echo: hello"
    asked = await client.call_tool("trigger-elicitation-request", {})
    assert "Ada" in text(asked) or "accept" in text(asked)
    assert "42" in text(await client.call_tool("trigger-sampling-request", {"prompt": "hi"}))
    assert "here" in text(await client.call_tool("get-roots-list", {}))
    steps = {"duration": 0.4, "steps": 4}
    await client.call_tool("trigger-long-running-operation", steps, progress_callback=ear.progress)
    await ear.hear(lambda: len(ear.steps) >= 4)
    assert (await client.list_resources()).resources
    assert (await client.list_prompts()).prompts


@pytest.mark.promise("E3")
@pytest.mark.parametrize("transport", ["streamableHttp", "sse"])
def test_a_modern_client_uses_the_reference_server_of_the_older_era(
    transport: str, tmp_path: Path
) -> None:
    with everything_server(transport) as peer:
        found = asyncio.run(play_all(peer.url, tmp_path, "auto", {"all": play_everything}))
    assert found == {"all": ""}
