"""Plays a conversation: hands each step to whoever does it, and reads files for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp_remote_py.named_files import read_named
from mcp_remote_py.oauth.steps import AnyStep, Conversation, ReadNamedFile
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.words import read_file_text

T = TypeVar("T")


async def drive(conversation: Conversation[T], do: Callable[[AnyStep], Awaitable[object]]) -> T:
    """The outcome of the conversation; what `do` raises is thrown into it.

    That is a McpRemoteError, or a fault of ours, which it counts as well (`oauth.sign_in`).

    Raises:
        McpRemoteError: what the conversation raises.
    """
    answer: object = None
    failure: Exception | None = None
    while True:
        try:
            step = conversation.send(answer) if failure is None else conversation.throw(failure)
        except StopIteration as end:
            return end.value
        answer, failure = None, None
        try:
            answer = await do(step)
        except Exception as error:
            failure = error


def read_secret(step: ReadNamedFile) -> Secret:
    """The text of a file that the person named. May block.

    Raises:
        UsageError: it cannot be read.
    """
    return Secret(read_file_text(step.path, step.option, read_named))
