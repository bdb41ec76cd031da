"""A server of the PyPI `mcp` SDK as a process of its own: the peer nobody here wrote.

    python sdk_server.py streamable|sse [--stateless] [--json] [--era ERA] [--port N]

prints its port as the first line on stdout, then serves until it is killed. Everything MCP has in
2025-11-25 and 2026-07-28 is there, with answers that are the same each time, so that two clients
can be compared. The SDK serves both eras at one address; `--era legacy` and `--era modern` refuse
the other one, as servers do that know only theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import sys
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.sse import SseServerTransport
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - starlette looks at annotations
from starlette.responses import Response
from starlette.routing import Mount, Route

warnings.simplefilter("ignore", MCPDeprecationWarning)

Context = Any
"""The SDK's request context: its type parameters say nothing here."""

PAGE = 5
"""Tools on one page of `tools/list`."""

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)

cancelled: set[str] = set()
started: set[str] = set()
runs = Counter[str]()

BUS = InMemorySubscriptionBus()

Tool = Callable[[Context, dict[str, Any]], Awaitable[types.CallToolResult]]


def is_modern(context: Context) -> bool:
    """Whether the request is one of 2026-07-28."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def text(value: str, **more: Any) -> types.CallToolResult:
    """A result of one text."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=value)], **more)


async def echo(_: Context, arguments: dict[str, Any]) -> types.CallToolResult:
    return text(str(arguments["text"]))


async def structured(_: Context, arguments: dict[str, Any]) -> types.CallToolResult:
    return text("{}", structured_content={"sum": arguments["a"] + arguments["b"]})


async def contents(_: Context, __: dict[str, Any]) -> types.CallToolResult:
    return types.CallToolResult(
        content=[
            types.TextContent(type="text", text="one"),
            types.ImageContent(type="image", data=PIXEL, mime_type="image/png"),
            types.AudioContent(type="audio", data="AAAA", mime_type="audio/wav"),
            types.ResourceLink(type="resource_link", name="r", uri="test://one"),
            types.EmbeddedResource(
                type="resource",
                resource=types.TextResourceContents(uri="test://one", text="embedded"),
            ),
        ],
        _meta={"mark": 1},
    )


async def slow(context: Context, arguments: dict[str, Any]) -> types.CallToolResult:
    steps = int(arguments["steps"])
    for step in range(1, steps + 1):
        await context.session.report_progress(step, steps, f"step {step}")
        await anyio.sleep(0.01)
    return text(f"{steps} steps")


async def log(context: Context, _: dict[str, Any]) -> types.CallToolResult:
    for level in ("debug", "info", "warning", "error"):
        await context.session.send_log_message(
            level, {"said": level}, logger="peer", related_request_id=context.request_id
        )
    return text("logged")


SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ADDRESS = "https://peer.example/open"
QUESTION = types.SamplingMessage(
    role="user", content=types.TextContent(type="text", text="What is 6 x 7?")
)


def tell_elicited(answer: types.ElicitResult) -> types.CallToolResult:
    return text(f"{answer.action} {answer.content}")


def tell_sampled(answer: Any) -> types.CallToolResult:
    return text(f"{answer.model}: {answer.content.text}")


def tell_roots(answer: types.ListRootsResult) -> types.CallToolResult:
    return text(", ".join(f"{root.name}={root.uri}" for root in answer.roots))


async def elicit(context: Context, _: dict[str, Any]) -> types.CallToolResult:
    return tell_elicited(
        await context.session.elicit_form("Who are you?", SCHEMA, context.request_id)
    )


async def elicit_url(context: Context, _: dict[str, Any]) -> types.CallToolResult:
    answer = await context.session.elicit_url("Open this.", ADDRESS, "e-1", context.request_id)
    return tell_elicited(answer)


async def sample(context: Context, _: dict[str, Any]) -> types.CallToolResult:
    answer = await context.session.create_message(
        messages=[QUESTION], max_tokens=10, related_request_id=context.request_id
    )
    return tell_sampled(answer)


async def roots(context: Context, _: dict[str, Any]) -> types.CallToolResult:
    return tell_roots(await context.session.list_roots())


ASKING: dict[str, tuple[Any, Callable[[Any], types.CallToolResult]]] = {
    "elicit": (
        types.ElicitRequest(
            params=types.ElicitRequestFormParams(message="Who are you?", requested_schema=SCHEMA)
        ),
        tell_elicited,
    ),
    "elicit_url": (
        types.ElicitRequest(params=types.ElicitRequestURLParams(message="Open this.", url=ADDRESS)),
        tell_elicited,
    ),
    "sample": (
        types.CreateMessageRequest(
            params=types.CreateMessageRequestParams(messages=[QUESTION], max_tokens=10)
        ),
        tell_sampled,
    ),
    "roots": (types.ListRootsRequest(), tell_roots),
}
"""What the tools that ask their client ask in 2026-07-28, and what they make of the answer."""


def ask_in_rounds(params: types.CallToolRequestParams) -> Any:
    """A tool that asks, as 2026-07-28 has it: a first round that asks, a second that tells."""
    request, tell = ASKING[params.name]
    answer = (params.input_responses or {}).get("question")
    if answer is None:
        return types.InputRequiredResult(
            input_requests={"question": request}, request_state=f"state of {params.name}"
        )
    if params.request_state != f"state of {params.name}":
        raise MCPError(types.INVALID_PARAMS, f"another state: {params.request_state}")
    return tell(answer)


async def fail(_: Context, __: dict[str, Any]) -> types.CallToolResult:
    return text("it failed", is_error=True)


async def refuse(_: Context, arguments: dict[str, Any]) -> types.CallToolResult:
    """Fails with the code that is wanted; with a token it says the how manieth run this was."""
    data: dict[str, Any] = {"why": [1, 2.5, None]}
    if "token" in arguments:
        runs[arguments["token"]] += 1
        data["run"] = runs[arguments["token"]]
    raise MCPError(arguments.get("code", -32042), "refused on purpose", data)


async def change(context: Context, _: dict[str, Any]) -> types.CallToolResult:
    if is_modern(context):
        for event in (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged()):
            await BUS.publish(event)
        return text("changed")
    await context.session.send_tool_list_changed()
    await context.session.send_prompt_list_changed()
    await context.session.send_resource_list_changed()
    return text("changed")


async def touch(context: Context, arguments: dict[str, Any]) -> types.CallToolResult:
    if is_modern(context):
        await BUS.publish(ResourceUpdated(uri=arguments["uri"]))
        return text("touched")
    await context.session.send_resource_updated(arguments["uri"])
    return text("touched")


async def wait(_: Context, arguments: dict[str, Any]) -> types.CallToolResult:
    token = str(arguments["token"])
    started.add(token)
    try:
        await anyio.sleep(30)
    except anyio.get_cancelled_exc_class():
        cancelled.add(token)
        raise
    return text("nobody cancelled this")


async def was(_: Context, arguments: dict[str, Any]) -> types.CallToolResult:
    token = str(arguments["token"])
    return text("cancelled" if token in cancelled else "started" if token in started else "no")


async def big(_: Context, arguments: dict[str, Any]) -> types.CallToolResult:
    return text("é" * int(arguments["size"]))


TOOLS: dict[str, Tool] = {
    tool.__name__: tool
    for tool in (
        *(echo, structured, contents, slow, log, elicit, elicit_url, sample),
        *(roots, fail, refuse, change, touch, wait, was, big),
    )
}


def describe(name: str) -> types.Tool:
    """The tool as `tools/list` shows it."""
    schema: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
    if name != "structured":
        return types.Tool(name=name, title=name.title(), input_schema=schema, _meta={"n": name})
    return types.Tool(
        name=name,
        input_schema={"type": "object", "properties": {"a": {"type": "integer"}}},
        output_schema={"type": "object", "properties": {"sum": {"type": "number"}}},
        annotations=types.ToolAnnotations(read_only_hint=True),
    )


async def list_tools(
    _: Context, params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    start = int(params.cursor) if params and params.cursor else 0
    names = list(TOOLS)
    following = str(start + PAGE) if start + PAGE < len(names) else None
    return types.ListToolsResult(
        tools=[describe(name) for name in names[start : start + PAGE]], next_cursor=following
    )


async def call_tool(context: Context, params: types.CallToolRequestParams) -> Any:
    if params.name not in TOOLS:
        raise MCPError(types.INVALID_PARAMS, f"no tool {params.name}")
    if params.name in ASKING and is_modern(context):
        return ask_in_rounds(params)
    return await TOOLS[params.name](context, params.arguments or {})


async def list_resources(_: Context, __: Any) -> types.ListResourcesResult:
    return types.ListResourcesResult(
        resources=[
            types.Resource(name="one", uri="test://one", mime_type="text/plain"),
            types.Resource(name="two", uri="test://two", mime_type="image/png"),
        ]
    )


async def list_templates(_: Context, __: Any) -> types.ListResourceTemplatesResult:
    template = types.ResourceTemplate(name="any", uri_template="test://{name}")
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(
    context: Context, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    uri = str(params.uri)
    if uri == "test://one":
        content = types.TextResourceContents(
            uri=uri, text="first\u2028second", mime_type="text/plain"
        )
        return types.ReadResourceResult(contents=[content])
    if uri == "test://two":
        blob = types.BlobResourceContents(uri=uri, blob=PIXEL, mime_type="image/png")
        return types.ReadResourceResult(contents=[blob])
    code = types.INVALID_PARAMS if is_modern(context) else -32002
    raise MCPError(code, "Resource not found", {"uri": uri})


async def nothing(_: Context, __: Any) -> types.EmptyResult:
    return types.EmptyResult()


async def list_prompts(_: Context, __: Any) -> types.ListPromptsResult:
    argument = types.PromptArgument(name="name", required=True)
    return types.ListPromptsResult(prompts=[types.Prompt(name="greet", arguments=[argument])])


async def get_prompt(_: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    said = f"Greet {(params.arguments or {}).get('name')}"
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=said))
    return types.GetPromptResult(description="a greeting", messages=[message])


async def complete(_: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    values = [one for one in ("Ada", "Alan", "Grace") if one.startswith(params.argument.value)]
    return types.CompleteResult(completion=types.Completion(values=values, total=len(values)))


class ChangingServer(Server[Any]):
    """Says that it announces changes, on every transport."""

    def create_initialization_options(self, *_: Any, **__: Any) -> Any:
        options = NotificationOptions(
            prompts_changed=True, resources_changed=True, tools_changed=True
        )
        return super().create_initialization_options(options)


def make_server() -> ChangingServer:
    """The server, not yet on any transport."""
    return ChangingServer(  # pyright: ignore[reportDeprecated] - the era under test has logging
        "sdk-peer",
        version="1.2.3",
        instructions="Be kind.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=nothing,
        on_unsubscribe_resource=nothing,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
        on_set_logging_level=nothing,
        on_subscriptions_listen=ListenHandler(BUS),
    )


def make_sse_app(server: ChangingServer) -> Starlette:
    """The transport of 2024-11-05."""
    transport = SseServerTransport("/messages/")

    async def connect(request: Request) -> Response:
        send = request._send  # pyright: ignore[reportPrivateUsage] - as the SDK does
        async with transport.connect_sse(request.scope, request.receive, send) as streams:
            await server.run(streams[0], streams[1], server.create_initialization_options())
        return Response()

    return Starlette(
        routes=[
            Route("/sse", endpoint=connect, methods=["GET"]),
            Mount("/messages/", app=transport.handle_post_message),
        ]
    )


class OneEra:
    """An application that is asked only what is of one era."""

    def __init__(self, app: Any, era: str) -> None:
        self._app = app
        self._modern = era == "modern"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and self._is_modern(scope) != self._modern:
            if scope["method"] != "POST":
                refusal = Response(status_code=405, headers={"Allow": "POST"})
            elif self._modern:
                refusal = reject(-32020, "The header MCP-Protocol-Version is missing")
            else:
                refusal = reject(-32600, "Bad Request: Unsupported protocol version")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_modern(self, scope: Any) -> bool:
        version = dict(scope["headers"]).get(b"mcp-protocol-version", b"").decode()
        return version in MODERN_PROTOCOL_VERSIONS


def reject(code: int, message: str) -> Response:
    """HTTP 400 with a JSON-RPC error."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return Response(json.dumps(body), status_code=400, media_type="application/json")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--era", choices=["legacy", "modern"])
    parser.add_argument("transport", choices=["streamable", "sse"])
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    server = make_server()
    if arguments.transport == "sse":
        app = make_sse_app(server)
    else:
        app = server.streamable_http_app(
            json_response=arguments.json, stateless_http=arguments.stateless
        )
    if arguments.era is not None:
        app = OneEra(app, arguments.era)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", arguments.port))
    listener.listen(128)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
