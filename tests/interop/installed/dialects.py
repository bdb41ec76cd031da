"""What hosts say to their model and take from it: four protocols, as far as a tool call needs them.

A dialect reads what a host sent (the tools it offers, what they gave) and writes the answers as
that protocol streams them. Pure: it must not know who is asked, which tool, or why.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, cast

Json = dict[str, Any]

MODEL = "gpt-5"
"""What the model calls itself where it must; nobody looks it up."""


class Dialect(ABC):
    """One protocol."""

    ends: ClassVar[str]
    """How the path of a request to it ends, without its query."""

    @abstractmethod
    def offered(self, body: Json) -> Iterator[str]:
        """The names of the tools that the host offers."""

    @abstractmethod
    def given(self, body: Json) -> Iterator[Any]:
        """What tools gave, as the host hands it on, oldest first."""

    @abstractmethod
    def calling(self, tool: str, arguments: Json) -> Iterator[Json]:
        """The events of an answer that calls a tool."""

    @abstractmethod
    def saying(self, text: str) -> Iterator[Json]:
        """The events of an answer that is text."""

    def encode(self, events: Iterator[Json]) -> bytes:
        """As server-sent events, named where they have a type."""
        return b"".join(self._encode(one) for one in events)

    def _encode(self, event: Json) -> bytes:
        name = f"event: {event['type']}\n" if "type" in event else ""
        return f"{name}data: {json.dumps(event)}\n\n".encode()


def _members(value: Any) -> Iterator[Json]:
    """Its members that are objects, where it is a list."""
    if isinstance(value, list):
        for one in cast("list[Any]", value):
            if isinstance(one, dict):
                yield cast("Json", one)


class Messages(Dialect):
    """Anthropic's Messages."""

    ends = "/v1/messages"

    def offered(self, body: Json) -> Iterator[str]:
        for tool in _members(body.get("tools")):
            yield str(tool.get("name"))

    def given(self, body: Json) -> Iterator[Any]:
        for message in _members(body.get("messages")):
            for block in _members(message.get("content")):
                if block.get("type") == "tool_result":
                    yield block.get("content")

    def calling(self, tool: str, arguments: Json) -> Iterator[Json]:
        block: Json = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        return self._answer(block, delta, "tool_use")

    def saying(self, text: str) -> Iterator[Json]:
        delta = {"type": "text_delta", "text": text}
        return self._answer({"type": "text", "text": ""}, delta, "end_turn")

    def _answer(self, block: Json, delta: Json, reason: str) -> Iterator[Json]:
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL}
        message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        yield {"type": "message_start", "message": message}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
        end = {"stop_reason": reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": end, "usage": usage}
        yield {"type": "message_stop"}


class Responses(Dialect):
    """OpenAI's Responses."""

    ends = "/responses"

    def offered(self, body: Json) -> Iterator[str]:
        for tool in _members(body.get("tools")):
            inner = list(_members(tool.get("tools")))
            space = f"{tool.get('name')}/" if inner else ""
            for one in inner or [tool]:
                yield f"{space}{one.get('name', one.get('type'))}"

    def given(self, body: Json) -> Iterator[Any]:
        for item in _members(body.get("input")):
            if item.get("type") == "function_call_output":
                yield item.get("output")

    def calling(self, tool: str, arguments: Json) -> Iterator[Json]:
        space, _, name = tool.rpartition("/")
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name}
        item |= {"namespace": space} if space else {}
        return self._answer({**item, "arguments": json.dumps(arguments)})

    def saying(self, text: str) -> Iterator[Json]:
        content: list[Json] = [{"type": "output_text", "text": text, "annotations": []}]
        return self._answer({"type": "message", "id": "m", "role": "assistant", "content": content})

    def _answer(self, item: Json) -> Iterator[Json]:
        response: Json = {"id": "resp_1", "object": "response", "model": MODEL, "output": []}
        yield {"type": "response.created", "response": {**response, "status": "in_progress"}}
        yield {"type": "response.output_item.added", "output_index": 0, "item": item}
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        done = {**response, "status": "completed", "output": [item], "usage": usage}
        yield {"type": "response.completed", "response": done}


class Completions(Dialect):
    """OpenAI's Chat Completions, which most others speak, too."""

    ends = "/chat/completions"

    def offered(self, body: Json) -> Iterator[str]:
        for tool in _members(body.get("tools")):
            yield str(tool.get("function", {}).get("name"))

    def given(self, body: Json) -> Iterator[Any]:
        for message in _members(body.get("messages")):
            if message.get("role") == "tool":
                yield message.get("content")

    def calling(self, tool: str, arguments: Json) -> Iterator[Json]:
        function = {"name": tool, "arguments": json.dumps(arguments)}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        return self._answer({"tool_calls": [call]}, "tool_calls")

    def saying(self, text: str) -> Iterator[Json]:
        return self._answer({"content": text}, "stop")

    def _answer(self, delta: Json, reason: str) -> Iterator[Json]:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
        first = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}
        yield {**chunk, "choices": [first]}
        yield {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        yield {**chunk, "choices": [], "usage": usage}

    def encode(self, events: Iterator[Json]) -> bytes:
        return super().encode(events) + b"data: [DONE]\n\n"


class Contents(Dialect):
    """Google's Gemini."""

    ends = ":streamGenerateContent"

    def offered(self, body: Json) -> Iterator[str]:
        for tool in _members(body.get("tools")):
            for one in _members(tool.get("functionDeclarations")):
                yield str(one.get("name"))

    def given(self, body: Json) -> Iterator[Any]:
        for content in _members(body.get("contents")):
            for part in _members(content.get("parts")):
                if "functionResponse" in part:
                    yield part["functionResponse"].get("response")

    def calling(self, tool: str, arguments: Json) -> Iterator[Json]:
        return self._answer({"functionCall": {"name": tool, "args": arguments}})

    def saying(self, text: str) -> Iterator[Json]:
        return self._answer({"text": text})

    def _answer(self, part: Json) -> Iterator[Json]:
        content: Json = {"role": "model", "parts": [part]}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        yield {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL}


DIALECTS: tuple[Dialect, ...] = (Messages(), Responses(), Completions(), Contents())


def dialect_of(path: str) -> Dialect | None:
    """Which one is spoken at this path; None for what is not a question to a model."""
    plain = path.partition("?")[0]
    return next((one for one in DIALECTS if plain.endswith(one.ends)), None)


def text_of(given: Any) -> str:
    """All text in what a tool gave, however it is packed."""
    if isinstance(given, dict):
        given = list(cast("Json", given).values())
    if isinstance(given, list):
        return " ".join(text_of(one) for one in cast("list[Any]", given))
    return str(given)
