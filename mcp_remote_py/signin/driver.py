"""Plays a conversation: hands each step to whoever does it, and reads files for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.named_files import read_named
from mcp_remote_py.oauth.steps import AnyStep, Conversation, ReadNamedFile
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.words import read_file_text

T = TypeVar("T")


async def drive(conversation: Conversation[T], do: Callable[[AnyStep], Awaitable[object]]) -> T:
    """The outcome of the conversation; a McpRemoteError of `do` is thrown into it.

    Raises:
        McpRemoteError: what the conversation raises.
    """
    answer: object = None
    failure: McpRemoteError | None = None
    while True:
        try:
            step = conversation.send(answer) if failure is None else conversation.throw(failure)
        except StopIteration as end:
            return end.value
        answer, failure = None, None
        try:
            answer = await do(step)
        except McpRemoteError as error:
            failure = error


def read_secret(step: ReadNamedFile) -> Secret:
    """The text of a file that the person named. May block.

    Raises:
        UsageError: it cannot be read.
    """
    return Secret(read_file_text(step.path, step.option, read_named))
