"""A desktop host on the official Python SDK: its client starts entries of a config file.

    python -m tests.real.sdk_host CONFIG

It does orders, one line of JSON each on stdin, and answers each by one line on stdout: `error`, or
what was found. The orders are `do`: list, call, progress, cancel; the other members are named in
`ORDERS`. `sdk_host.mjs` takes the same ones. The child gets what the SDK hands on by itself, and
the entry's `env`. Must not know which server an entry stands for, nor the command.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import anyio
import mcp_types as types
from mcp import Client, StdioServerParameters

Json = dict[str, Any]


async def sample(
    context: object, params: types.CreateMessageRequestParams
) -> types.CreateMessageResult:
    """The model of this host."""
    answer = types.TextContent(type="text", text="42")
    return types.CreateMessageResult(role="assistant", content=answer, model="parrot")


async def elicit(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
    """The person at this host."""
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def list_roots(context: object) -> types.ListRootsResult:
    """The folder this host works in."""
    root = types.Root.model_validate({"uri": "file:///tmp/here", "name": "here"})
    return types.ListRootsResult(roots=[root])


def text_of(result: Any) -> Json:
    """What a tool said, as result or as error."""
    said = "".join(one.text for one in result.content if one.type == "text")
    return {"error": said} if result.is_error else {"text": said}


def tell(error: BaseException) -> str:
    """Its words; of a group, those of the first."""
    if isinstance(error, BaseExceptionGroup):
        return tell(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return f"{type(error).__name__}: {error}"


async def list_tools(client: Client, _: Json) -> Json:
    """The names on all pages."""
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        names += [tool.name for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return {"tools": names}


async def call(client: Client, order: Json) -> Json:
    """The result of a tool."""
    return text_of(await client.call_tool(order["tool"], order["arguments"]))


async def progress(client: Client, order: Json) -> Json:
    """The same, and the steps it told meanwhile."""
    steps: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    said = await client.call_tool(order["tool"], order["arguments"], progress_callback=note)
    return {**text_of(said), "steps": steps}


async def cancel(client: Client, order: Json) -> Json:
    """Cancels the tool `wait` when it has started; what the tool `was` tells of it then."""

    async def tell(wanted: str) -> str:
        for _ in range(200):
            told = text_of(await client.call_tool("was", order["arguments"]))
            if told.get("text") == wanted:
                return wanted
            await anyio.sleep(0.02)
        return f"never {wanted}"

    begun = ""
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "wait", order["arguments"])
        begun = await tell("started")
        group.cancel_scope.cancel()
    return {"text": await tell("cancelled") if begun == "started" else begun}


ORDERS: dict[str, Callable[[Client, Json], Awaitable[Json]]] = {
    "list": list_tools,
    "call": call,
    "progress": progress,
    "cancel": cancel,
}
"""By name. Each has `server`, the entry; all but `list` have `arguments`, those that are about a
tool `tool`. `patience` in the first one is for all answers of that entry, in seconds."""


async def serve(entries: Mapping[str, Json]) -> None:
    """Does orders until there are no more. An entry is started with the first that names it."""
    clients: dict[str, Client] = {}
    async with AsyncExitStack() as stack:
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            order = json.loads(line)
            try:
                if order["server"] not in clients:
                    entry = entries[order["server"]]
                    client = Client(
                        StdioServerParameters(
                            command=entry["command"], args=entry["args"], env=entry.get("env")
                        ),
                        cache=None,
                        read_timeout_seconds=order.get("patience"),
                        sampling_callback=sample,
                        elicitation_callback=elicit,
                        list_roots_callback=list_roots,
                    )
                    clients[order["server"]] = await stack.enter_async_context(client)
                done = await ORDERS[order["do"]](clients[order["server"]], order)
            except Exception as error:
                done = {"error": tell(error)}
            sys.stdout.write(json.dumps(done) + "\n")
            sys.stdout.flush()


def main() -> None:
    """As the module's docstring says."""
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text())["mcpServers"]))


if __name__ == "__main__":
    main()
