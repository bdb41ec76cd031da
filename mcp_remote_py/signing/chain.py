"""The AWS keys that are not in the environment: has a process look for them, and waits for it.

Each time a new process (`chain_process`): it takes half a second, and neither its memory nor what
it waits for is ours. Must not know when keys are needed, nor how they are looked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, cast

from mcp_remote_py.aws.keys import AwsKeys, FoundKeys
from mcp_remote_py.process_groups import creation_flag, kill_group
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.signing.aws_files import FileStamps, key_files
from mcp_remote_py.signing.chain_answer import (
    ChainAnswer,
    ChainFault,
    ChainOrder,
    decode_answer,
    encode_line,
)
from mcp_remote_py.signing.chain_words import explain_missing_keys
from mcp_remote_py.signing.installers import explain_extra

SEARCH_SECONDS = 45.0
"""Seconds for a search: a program may ask AWS by itself, and hosts wait about a minute."""

STOP_SECONDS = 5.0
"""Seconds more, after which a child that has not ended itself is ended."""

MAX_ANSWER = 256 * 1024
"""Bytes."""

CHAIN_COMMAND = (sys.executable, "-P", "-m", "mcp_remote_py.signing.chain_process")
"""What is started; -P: the folder we happen to be in is not ours."""

_NO_WINDOW = creation_flag("CREATE_NO_WINDOW", subprocess)
"""A flag of Windows: neither a console to ask at nor a window that flashes up."""


class KeyChain:
    """AWS's own chain of places that may have keys, for one profile.

    The region of the settings is where STS is asked for a role whose profile names none: the one
    that requests are signed for, as soon as it is known. `seconds` bound a search; `stop` is what a
    process that does not end itself then gets beyond.
    """

    def __init__(
        self,
        settings: AwsSettings,
        environment: Mapping[str, str],
        *,
        seconds: float = SEARCH_SECONDS,
        stop: float = STOP_SECONDS,
        command: Sequence[str] = CHAIN_COMMAND,
    ) -> None:
        self._order = ChainOrder(settings.profile, settings.region, seconds)
        self._environment = environment
        self._patience = seconds + stop
        self._command = command
        self._usual = key_files(environment)
        self._seen: list[str] = []

    def stamps(self) -> object:
        """What is another when a file has changed that may bring other keys. Cheap.

        `load_keys` learns which files there are: those of after it tell more, and equal those of
        before it as long as nothing has changed.
        """
        return FileStamps((*self._usual, *self._seen))

    async def load_keys(self) -> FoundKeys:
        """Looks for keys anew.

        Raises:
            Refused: there are none; a sentence for the person. `is_passing` where it is the
                network, or a service that does not answer.
        """
        answer = await self._ask()
        if answer.fault is not None and answer.has_changed:
            # Another process has renewed a sign-in, with a token that AWS takes once: it is there.
            answer = await self._ask()
        self._seen = [path for path in answer.files if path not in self._usual]
        if answer.fault is not None:
            raise explain_missing_keys(answer.fault, _explain_package(answer.fault))
        keys = AwsKeys(
            answer.access_key_id, answer.secret_access_key, answer.session_token, answer.expires_at
        )
        return FoundKeys(keys, answer.region, answer.source)

    async def _ask(self) -> ChainAnswer:
        try:
            child = await asyncio.to_thread(_Child, self._command, self._environment, self._order)
        except (OSError, ValueError, RuntimeError) as error:  # a NUL in the environment; no thread
            return _no_answer(type(error).__name__)
        try:
            async with asyncio.timeout(self._patience):
                output = await child.read()
        except RuntimeError as error:
            return _no_answer(type(error).__name__)
        except TimeoutError:
            child.kill()
            seconds = f"{self._order.seconds:g}"
            return ChainAnswer(fault=ChainFault("hangs", {"seconds": seconds}))
        finally:
            child.leave()
        try:
            return decode_answer(output)
        except ValueError:
            return _no_answer(f"{len(output)} bytes")


def _no_answer(problem: str) -> ChainAnswer:
    return ChainAnswer(fault=ChainFault("no-answer", {"problem": problem}))


def _explain_package(fault: ChainFault) -> str:
    needs = ["botocore[crt]"] if fault.reason in ("no-crt", "no-login") else ["botocore"]
    return explain_extra("aws", needs, sys.prefix, sys.executable)


class _Child:
    """The process. Not one of asyncio's: that is killed when the loop ends.

    It may be just about to write down a token that AWS gives once, and ends by itself when we are
    gone.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], order: ChainOrder
    ) -> None:
        self._process = process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            bufsize=0,
            # A group to be ended with all it has started; and no terminal to ask at.
            start_new_session=True,
            creationflags=_NO_WINDOW,
        )
        self._orders = cast("IO[bytes]", process.stdin)
        self._answers = cast("IO[bytes]", process.stdout)
        with contextlib.suppress(OSError):  # it has ended: its silence tells
            self._orders.write(encode_line(order))

    async def read(self) -> bytes:
        """What it has written: a line, or what there is when it ends.

        Nobody waits for its end behind a line: a library may hang there.
        """
        return await _in_thread(self._read, self._process.wait)

    def _read(self) -> bytes:
        output = b""
        with self._answers:
            while len(output) < MAX_ANSWER and (piece := self._answers.read(MAX_ANSWER)):
                output += piece
                if output.endswith(b"\n"):
                    break
        return output

    def kill(self) -> None:
        """Ends it, and where the system has groups all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill_group(self._process.pid, self._process.kill)

    def leave(self) -> None:
        """Lets it know that nobody waits any more: it ends itself, soon."""
        with contextlib.suppress(OSError):
            self._orders.close()


async def _in_thread(call: Callable[[], bytes], afterwards: Callable[[], object]) -> bytes:
    """The result of a call that may last: in a thread that nobody has to wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def settle(result: bytes) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        try:
            result = call()
        except (OSError, ValueError):
            result = b""
        with contextlib.suppress(RuntimeError):  # our loop is closed: nobody asks any more
            loop.call_soon_threadsafe(settle, result)
        afterwards()

    threading.Thread(target=run, name="aws-keys", daemon=True).start()
    return await done
