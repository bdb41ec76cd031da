"""What the listening stream shows: whether there is one, and whether it stays open. Pure.

Must not know how it is opened.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, tell_step
from mcp_remote_py.errors import McpRemoteError, one_line, shorten
from mcp_remote_py.redact import scrub_known
from mcp_remote_py.values import Value

LISTENING_STREAM = "listening-stream"
"""Name of a step."""

LATE_HEADERS = 1.0
"""Seconds after which the headers of a stream count as late, where those of an answer are not."""


class Listened(Value, frozen=True):
    """What came of a GET for the listening stream; times are seconds."""

    status: int
    content_type: str = ""
    headers_after: float = 0.0
    open_for: float = 0.0
    """How long it was looked at."""
    has_ended: bool = False
    """Whether the server ended it within that time."""
    events: int = 0
    has_ids: bool = False
    retry: float | None = None
    """The reconnection time that the server gave."""
    odd: str = ""
    """What httpx-sse does not take, in its own words."""


NONE_STATUS = frozenset({404, 405, 400, 501})
"""Answers of a server without such a stream: 405 is the right one."""


def describe_listening(listened: Listened, answer_after: float) -> CheckStep:
    """The stream; `answer_after` is how long the headers of an ordinary answer took."""
    evidence = tuple(one_line(scrub_known(line)) for line in _list_listened(listened))
    status = listened.status
    if status in NONE_STATUS:
        if status == 405:
            said = "The server does not have a listening stream, which is fine."
            return _step(StepState.PASSED, said, evidence)
        said = f"The server does not have a listening stream (HTTP {status}; 405 would be right)."
        return _step(StepState.NOTED, said, evidence)
    if not 200 <= status < 300:
        return _step(
            StepState.NOTED,
            f"The listening stream is refused (HTTP {status}): a host does not hear of changes.",
            evidence,
        )
    if listened.odd:
        said = f'The listening stream cannot be read: "{shorten(listened.odd)}".'
        return _step(StepState.NOTED, said, evidence)
    if listened.has_ended:
        return _step(
            StepState.NOTED,
            f"The server ends the listening stream at once ({listened.open_for:.1f} s).",
            evidence,
            "A gateway on the way may cut it: it is opened again, ever later.",
        )
    if listened.headers_after > LATE_HEADERS and listened.headers_after > 3 * answer_after:
        return _step(
            StepState.NOTED,
            f"The headers of the listening stream came late, after {listened.headers_after:.1f} s.",
            evidence,
            "A gateway on the way may hold the stream back (nginx: proxy_buffering off).",
        )
    return _step(
        StepState.PASSED,
        f"The listening stream is open, and stays so for {listened.open_for:.1f} s.",
        evidence,
    )


def describe_silent_stream(seconds: float) -> CheckStep:
    """Nothing came in that time, not even headers."""
    return _step(
        StepState.NOTED,
        f"The listening stream does not begin within {seconds:g} s: nothing comes, not even "
        "headers.",
        (),
        "A gateway on the way may hold the stream back (nginx: proxy_buffering off). A host does "
        "not hear of changes then; calls work all the same.",
    )


def describe_broken_stream(error: McpRemoteError) -> CheckStep:
    """It could not be asked for."""
    return _step(StepState.NOTED, error.cause, (), error.hint)


def skip_listening(why: str) -> CheckStep:
    """Nobody asked for it."""
    return _step(StepState.SKIPPED, why, ())


def _list_listened(listened: Listened) -> Iterator[str]:
    kind = shorten(listened.content_type) or "no content type"
    yield f"came: HTTP {listened.status}, {kind}, after {listened.headers_after * 1000:.0f} ms"
    if 200 <= listened.status < 300 and not listened.odd:
        yield (
            f"events: {listened.events}, {'with' if listened.has_ids else 'without'} ids"
            + (f", retry after {listened.retry:g} s" if listened.retry is not None else "")
        )


def _step(state: StepState, said: str, evidence: tuple[str, ...], hint: str = "") -> CheckStep:
    return tell_step(LISTENING_STREAM, "Listening stream", state, said, evidence, hint)
