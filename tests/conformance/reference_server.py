"""A server of the PyPI `mcp` SDK that has what the suite's server scenarios ask for, by its names.

    python -m tests.conformance.reference_server

Tables of JSON say what it answers and asks; the SDK checks, translates and carries it. It speaks
2025-11-25 and 2026-07-28 at one address, and has the extensions for tasks and for skills. Must not
know who asks.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.methods import CACHEABLE_METHODS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from tests.conformance.serving import serve

warnings.simplefilter("ignore", MCPDeprecationWarning)

Json = dict[str, Any]
Context = Any
"""The SDK's request context: its type parameters say nothing here."""

BUS = InMemorySubscriptionBus()


def is_modern(context: Context) -> bool:
    """Whether the request is one of 2026-07-28."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def capabilities_of(context: Context) -> Json:
    """What the client says it can do."""
    found = context.session.client_capabilities
    return found.model_dump(exclude_none=True) if found is not None else {}


def missing(capability: Json) -> MCPError:
    """The refusal of what the client did not say it can do."""
    return MCPError(-32021, "A capability is missing", {"requiredCapabilities": capability})


# Contents ------------------------------------------------------------------------------------

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def embedded(uri: str, kind: str, said: str) -> Json:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": said}}


IMAGE: Json = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
AUDIO: Json = {"type": "audio", "data": SILENCE, "mimeType": "audio/wav"}


def result(*contents: Json, **more: Any) -> Json:
    return {"content": list(contents), **more}


# Questions -----------------------------------------------------------------------------------


def elicit(message: str, **properties: Json) -> Json:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "method": "elicitation/create",
        "params": {"message": message, "requestedSchema": schema},
    }


def sample(prompt: str) -> Json:
    messages = [{"role": "user", "content": text(prompt)}]
    return {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": 100}}


ROOTS: Json = {"method": "roots/list", "params": {}}

STRING: Json = {"type": "string"}
NAME = elicit("What is your name?", name=STRING)
CONFIRMATION = elicit("Please confirm", ok={"type": "boolean"})

DEFAULTS = elicit(
    "Are these right?",
    name={**STRING, "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={**STRING, "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)


def titled(*names: str) -> list[Json]:
    return [{"const": name, "title": name.title()} for name in names]


CHOICES = elicit(
    "Choose",
    untitledSingle={**STRING, "enum": ["one", "two"]},
    titledSingle={**STRING, "oneOf": titled("one", "two")},
    legacyEnum={**STRING, "enum": ["one", "two"], "enumNames": ["One", "Two"]},
    untitledMulti={"type": "array", "items": {**STRING, "enum": ["one", "two"]}},
    titledMulti={"type": "array", "items": {"anyOf": titled("one", "two")}},
)

Rounds = list[dict[str, Json]]

ROUNDS: dict[str, Callable[[Json], Rounds]] = {
    "test_sampling": lambda arguments: [{"answer": sample(arguments["prompt"])}],
    "test_elicitation": lambda arguments: [{"answer": elicit(arguments["message"], name=STRING)}],
    "test_elicitation_sep1034_defaults": lambda _: [{"answer": DEFAULTS}],
    "test_elicitation_sep1330_enums": lambda _: [{"answer": CHOICES}],
    "test_missing_capability": lambda _: [{"answer": sample("Say something")}],
    "test_streaming_elicitation": lambda _: [{"answer": NAME}],
    "test_input_required_result_elicitation": lambda _: [{"user_name": NAME}],
    "test_input_required_result_sampling": lambda _: [
        {"capital_question": sample("What is the capital of France?")}
    ],
    "test_input_required_result_list_roots": lambda _: [{"client_roots": ROOTS}],
    "test_input_required_result_request_state": lambda _: [{"confirm": CONFIRMATION}],
    "test_input_required_result_tampered_state": lambda _: [{"confirm": CONFIRMATION}],
    "test_input_required_result_multiple_inputs": lambda _: [
        {"user_name": NAME, "greeting": sample("Greet"), "client_roots": ROOTS}
    ],
    "test_input_required_result_multi_round": lambda _: [
        {"step1": NAME},
        {"step2": elicit("What is your favorite color?", color=STRING)},
    ],
    "test_input_required_result_capabilities": lambda _: [
        {"asked": NAME, "sampled": sample("Say something")}
    ],
    "test_input_required_result_prompt": lambda _: [
        {"user_context": elicit("In which context?", context=STRING)}
    ],
    "test_tool_with_task": lambda _: [{"user_name": NAME}],
}
"""What tools, and one prompt, ask their client before they answer, round by round."""

ASKING: dict[str, tuple[str, Any, Any]] = {
    "elicitation/create": ("elicitation", types.ElicitRequest, types.ElicitResult),
    "sampling/createMessage": ("sampling", types.CreateMessageRequest, types.CreateMessageResult),
    "roots/list": ("roots", types.ListRootsRequest, types.ListRootsResult),
}
"""By method: the capability a client needs for it, and the SDK's types."""


async def converse(context: Context, name: str, params: Json) -> Json:
    """The result that asks for more, or all answers under the key `answers`."""
    able = capabilities_of(context)
    rounds: Rounds = []
    for questions in ROUNDS[name](params.get("arguments") or {}):
        needed = {key: ASKING[one["method"]][0] for key, one in questions.items()}
        rounds.append({key: one for key, one in questions.items() if needed[key] in able})
        if not rounds[-1]:
            raise missing({capability: {} for capability in needed.values()})
    if not is_modern(context):
        return {"answers": [await ask(context, one) for each in rounds for one in each.values()]}
    at = int(params.get("requestState") or 0)
    given: Json = params.get("inputResponses") or {}
    if rounds[at].keys() <= given.keys():
        at += 1
    if at == len(rounds):
        return {"answers": list(given.values())}
    return {"resultType": "input_required", "inputRequests": rounds[at], "requestState": str(at)}


async def ask(context: Context, question: Json) -> Json:
    """A request of the server, in the handshake era."""
    _, request, answer = ASKING[question["method"]]
    found = await context.session.send_request(
        request.model_validate(question),
        answer,
        metadata=ServerMessageMetadata(related_request_id=context.request_id),
    )
    return found.model_dump(mode="json", by_alias=True, exclude_none=True)


# Tasks (SEP-2663) ----------------------------------------------------------------------------

TASKS = "io.modelcontextprotocol/tasks"
SECOND = 0.1
"""What a second of the suite's takes here."""


@dataclass
class Task:
    """A piece of work that is done when its time has come and every question is answered."""

    due: float
    outcome: Json
    questions: dict[str, Json] = field(default_factory=dict[str, Json])
    cancelled: bool = False

    def describe(self) -> Json:
        """What it has come to so far."""
        if self.cancelled:
            return {"status": "cancelled"}
        if self.questions:
            return {"status": "input_required", "inputRequests": dict(self.questions)}
        return self.outcome if time.monotonic() >= self.due else {"status": "working"}


tasks: dict[str, Task] = {}

TWO = {"first": NAME, "second": elicit("Really?", confirm={"type": "boolean"})}
FAILURE: Json = {"status": "failed", "error": {"code": -32603, "message": "broken on purpose"}}


def completed(said: str, **more: Any) -> Json:
    return {"status": "completed", "result": result(text(said), **more)}


WORK: dict[str, Callable[[Json], Task]] = {
    "slow_compute": lambda arguments: Task(arguments["seconds"] * SECOND, completed("computed")),
    "failing_job": lambda _: Task(SECOND, completed("it failed", isError=True)),
    "protocol_error_job": lambda _: Task(SECOND, FAILURE),
    "confirm_delete": lambda _: Task(0, completed("deleted"), {"confirm": CONFIRMATION}),
    "multi_input": lambda _: Task(0, completed("both known"), dict(TWO)),
}
"""Tools that become tasks; `due` counts from now."""

ONLY_AS_TASKS = {"failing_job", "protocol_error_job", "confirm_delete", "multi_input"}


def has_tasks(context: Context) -> bool:
    """Whether the client knows the extension."""
    return is_modern(context) and TASKS in capabilities_of(context).get("extensions", {})


def create(task: Task) -> Json:
    """Begins the task; the result of the call that made it."""
    task.due += time.monotonic()
    name = f"task-{len(tasks)}"
    tasks[name] = task
    return {"resultType": "task", **envelope(name), "status": "working"}


def envelope(name: str) -> Json:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    times = {"createdAt": now, "lastUpdatedAt": now, "ttlMs": 60_000, "pollIntervalMs": 100}
    return {"taskId": name, **times}


def find_task(context: Context, params: Json) -> Task:
    if not has_tasks(context):
        raise missing({"extensions": {TASKS: {}}})
    if params["taskId"] not in tasks:
        raise MCPError(types.INVALID_PARAMS, f"no task {params['taskId']}")
    return tasks[params["taskId"]]


async def get_task(context: Context, params: Json) -> Json:
    return {**envelope(params["taskId"]), **find_task(context, params).describe()}


async def update_task(context: Context, params: Json) -> Json:
    questions = find_task(context, params).questions
    for key in params["inputResponses"]:
        questions.pop(key, None)
    return {}


async def cancel_task(context: Context, params: Json) -> Json:
    task = find_task(context, params)
    task.cancelled |= task.describe()["status"] in ("working", "input_required")
    return {}


# Tools ---------------------------------------------------------------------------------------

ANSWERS: dict[str, Json] = {
    "test_simple_text": result(text("This is a simple text response for testing.")),
    "test_image_content": result(IMAGE),
    "test_audio_content": result(AUDIO),
    "test_embedded_resource": result(embedded("test://embedded", "text/plain", "embedded")),
    "test_multiple_content_types": result(
        text("text"), IMAGE, embedded("test://mixed", "application/json", '{"value": 123}')
    ),
    "test_error_handling": result(text("an error on purpose"), isError=True),
    "json_schema_2020_12_tool": result(text("the schema is what counts")),
    "test_x_mcp_header": result(text("the header is what counts")),
}


async def say_log(context: Context) -> None:
    for said in ("started", "working", "done"):
        await context.session.send_log_message(
            "info", said, logger="reference", related_request_id=context.request_id
        )


async def say_progress(context: Context) -> None:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100, f"{done} of 100")


async def close_stream(context: Context) -> None:
    if context.close_sse_stream is not None:
        await context.close_sse_stream()


async def change_tools(_: Context) -> None:
    await BUS.publish(ToolsListChanged())


async def change_prompts(_: Context) -> None:
    await BUS.publish(PromptsListChanged())


DEEDS: dict[str, Callable[[Context], Awaitable[None]]] = {
    "test_tool_with_logging": say_log,
    "test_logging_tool": say_log,
    "test_tool_with_progress": say_progress,
    "test_reconnection": close_stream,
    "test_trigger_tool_change": change_tools,
    "test_trigger_prompt_change": change_prompts,
}
"""Tools that do something before they answer."""

ADDRESS: Json = {
    "$anchor": "addressDef",
    "type": "object",
    "properties": {"street": STRING, "city": STRING},
}
SCHEMAS: dict[str, Json] = {
    "test_sampling": {"properties": {"prompt": STRING}, "required": ["prompt"]},
    "test_elicitation": {"properties": {"message": STRING}, "required": ["message"]},
    "test_x_mcp_header": {"properties": {"region": {**STRING, "x-mcp-header": "Region"}}},
    "greet": {"properties": {"name": STRING}, "required": ["name"]},
    "slow_compute": {"properties": {"seconds": {"type": "number"}}, "required": ["seconds"]},
    "json_schema_2020_12_tool": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"address": ADDRESS},
        "properties": {
            "name": STRING,
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {**STRING, "enum": ["phone", "email"]},
            "phone": STRING,
            "email": STRING,
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
}


def schema_of(tool: str) -> Json:
    return {"type": "object", **SCHEMAS.get(tool, {})}


async def list_tools(_: Context, __: Json) -> Json:
    return {
        "tools": [
            {"name": name, "description": f"For {name}.", "inputSchema": schema_of(name)}
            for name in (*ANSWERS, *DEEDS, "greet", *WORK, *ROUNDS)
            if name not in PROMPTS
        ]
    }


async def call_tool(context: Context, params: Json) -> Json:
    name: str = params["name"]
    arguments: Json = params.get("arguments") or {}
    if name == "greet":
        return result(text(f"Hello, {arguments['name']}!"))
    if name in WORK:
        task = WORK[name](arguments)
        if has_tasks(context):
            return create(task)
        if name in ONLY_AS_TASKS:
            raise missing({"extensions": {TASKS: {}}})
        return task.outcome["result"]
    if name in ROUNDS:
        reply = await converse(context, name, params)
        if "answers" not in reply:
            return reply
        said = f"state-ok: {json.dumps(reply['answers'])}"
        as_task = name == "test_tool_with_task" and has_tasks(context)
        return create(Task(0, completed(said))) if as_task else result(text(said))
    if name in DEEDS:
        await DEEDS[name](context)
        return result(text("done"))
    if name in ANSWERS:
        return ANSWERS[name]
    raise MCPError(types.INVALID_PARAMS, f"no tool {name}")


# Resources and skills (SEP-2640) -------------------------------------------------------------

SKILLS = "io.modelcontextprotocol/skills"
DIRECTORY = "inode/directory"
SKILL = "skill://reference"
FRONTMATTER = {"name": "reference", "description": "How to be compared with."}
MANIFEST = "---\n{}\n---\nBe yourself.\n".format(
    "\n".join(f"{name}: {value}" for name, value in FRONTMATTER.items())
)

TEXTS: dict[str, tuple[str, str]] = {
    "test://static-text": ("text/plain", "This is the content of the static text resource."),
    "test://watched-resource": ("text/plain", "watched"),
    f"{SKILL}/SKILL.md": ("text/markdown", MANIFEST),
    f"{SKILL}/notes/more.md": ("text/markdown", "More.\n"),
}
BLOBS = {"test://static-binary": ("image/png", PIXEL)}


def describe(uri: str, kind: str) -> Json:
    about = FRONTMATTER if uri.endswith("/SKILL.md") else {"name": uri, "description": uri}
    return {"uri": uri, "mimeType": kind, **about}


async def list_resources(_: Context, __: Json) -> Json:
    return {"resources": [describe(uri, kind) for uri, (kind, _) in {**TEXTS, **BLOBS}.items()]}


async def list_templates(_: Context, __: Json) -> Json:
    template = {"name": "template", "uriTemplate": "test://template/{id}/data"}
    return {"resourceTemplates": [template]}


async def read_resource(context: Context, params: Json) -> Json:
    uri = str(params["uri"])
    if uri in BLOBS:
        kind, blob = BLOBS[uri]
        return {"contents": [{"uri": uri, "mimeType": kind, "blob": blob}]}
    kind, said = TEXTS.get(uri, ("", ""))
    if uri.startswith("test://template/"):
        kind, said = "application/json", json.dumps({"id": uri.split("/")[-2]})
    if not said:
        code = types.INVALID_PARAMS if is_modern(context) else -32002
        raise MCPError(code, "Resource not found", {"uri": uri})
    return {"contents": [{"uri": uri, "mimeType": kind, "text": said}]}


async def read_directory(_: Context, params: Json) -> Json:
    folder = f"{params['uri']}/"
    inside = [uri.removeprefix(folder) for uri in TEXTS if uri.startswith(folder)]
    if not inside:
        raise MCPError(types.INVALID_PARAMS, f"no directory {params['uri']}")
    children = {name.partition("/")[0]: "/" in name for name in inside}
    return {
        "resources": [
            describe(folder + name, DIRECTORY if deep else "text/markdown")
            for name, deep in children.items()
        ]
    }


def describe_skill() -> Json:
    files = {uri: said.encode() for uri, (_, said) in TEXTS.items() if uri.startswith(SKILL)}
    triples = [
        {"uri": uri, "digest": f"sha256:{hashlib.sha256(raw).hexdigest()}", "size": len(raw)}
        for uri, raw in files.items()
    ]
    return {"uri": f"{SKILL}/SKILL.md", "frontmatter": FRONTMATTER, "resources": triples}


FRESH = {"ttlMs": 1000, "cacheScope": "public"}


async def list_skills(_: Context, __: Json) -> Json:
    return {"skills": [describe_skill()], **FRESH}


async def get_skill(_: Context, params: Json) -> Json:
    if params["uri"] != f"{SKILL}/SKILL.md":
        raise MCPError(types.INVALID_PARAMS, f"no skill {params['uri']}")
    return {"skill": describe_skill(), **FRESH}


# Prompts, and the rest -----------------------------------------------------------------------

PROMPTS: dict[str, tuple[list[str], Callable[[Json], list[Json]]]] = {
    "test_simple_prompt": ([], lambda _: [text("This is a simple prompt for testing.")]),
    "test_prompt_with_arguments": (
        ["arg1", "arg2"],
        lambda given: [text(f"arg1='{given['arg1']}', arg2='{given['arg2']}'")],
    ),
    "test_prompt_with_embedded_resource": (
        ["resourceUri"],
        lambda given: [embedded(given["resourceUri"], "text/plain", "embedded"), text("Read it.")],
    ),
    "test_prompt_with_image": ([], lambda _: [IMAGE, text("Look at it.")]),
    "test_input_required_result_prompt": ([], lambda _: [text("Now with context.")]),
}
"""Names of the arguments, and the contents of the messages."""


async def list_prompts(_: Context, __: Json) -> Json:
    return {
        "prompts": [
            {
                "name": name,
                "description": f"For {name}.",
                "arguments": [{"name": one, "required": True} for one in arguments],
            }
            for name, (arguments, _) in PROMPTS.items()
        ]
    }


async def get_prompt(context: Context, params: Json) -> Json:
    if params["name"] not in PROMPTS:
        raise MCPError(types.INVALID_PARAMS, f"no prompt {params['name']}")
    if params["name"] in ROUNDS:
        reply = await converse(context, params["name"], params)
        if "answers" not in reply:
            return reply
    contents = PROMPTS[params["name"]][1](params.get("arguments") or {})
    return {"messages": [{"role": "user", "content": content} for content in contents]}


async def complete(_: Context, params: Json) -> Json:
    known = ("paris", "park", "party")
    values = [one for one in known if one.startswith(params["argument"]["value"])]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


async def nothing(_: Context, __: Json) -> Json:
    return {}


METHODS: dict[str, Callable[[Context, Json], Awaitable[Json]]] = {
    "tools/list": list_tools,
    "tools/call": call_tool,
    "resources/list": list_resources,
    "resources/templates/list": list_templates,
    "resources/read": read_resource,
    "resources/subscribe": nothing,
    "resources/unsubscribe": nothing,
    "resources/directory/read": read_directory,
    "prompts/list": list_prompts,
    "prompts/get": get_prompt,
    "completion/complete": complete,
    "logging/setLevel": nothing,
    "tasks/get": get_task,
    "tasks/update": update_task,
    "tasks/cancel": cancel_task,
    "skills/list": list_skills,
    "skills/get": get_skill,
}


class Events(EventStore):
    """What was sent, for those who come back."""

    def __init__(self) -> None:
        self._sent: list[tuple[str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        self._sent.append((stream_id, message))
        return str(len(self._sent))

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        last = int(last_event_id)
        stream = self._sent[last - 1][0]
        for number, (of_stream, message) in itertools.islice(enumerate(self._sent, 1), last, None):
            if of_stream == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def make_server() -> Server[Any]:
    """The server, not yet on any transport."""
    hints: dict[Any, CacheHint] = dict.fromkeys(CACHEABLE_METHODS, CacheHint(1000, "public"))
    server: Server[Any] = Server(
        "reference",
        version="1.2.3",
        cache_hints=hints,
        get_tool_input_schema=schema_of,
        on_subscriptions_listen=ListenHandler(BUS),
    )
    for method, handler in METHODS.items():
        register(server, method, handler)
    security = RequestStateSecurity.ephemeral()
    server.middleware.append(RequestStateBoundary(security, default_audience="reference"))
    server.extensions = {TASKS: {}, SKILLS: {"directoryRead": True}}
    return server


def register(
    server: Server[Any], method: str, handler: Callable[[Context, Json], Awaitable[Json]]
) -> None:
    async def handle(context: Context, _: types.RequestParams) -> Json:
        reply = await handler(context, dict(context.params or {}))
        return {"resultType": "complete", **reply} if is_modern(context) else reply

    server.add_request_handler(method, types.RequestParams, handle)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    serve(make_server().streamable_http_app(event_store=Events(), retry_interval=100))
