"""Asks for a document at its places, one by one and within bounds, and says what was seen instead.

A guess that fails fails alone: the next place is asked. What gave no verdict - an outage, a
silence - is asked once more when all others have been asked. Of several problems the most telling
one is told. Must not know what a document is for, nor where it may lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

from mcp_remote_py.errors import (
    Interrupted,
    McpRemoteError,
    NotSent,
    SignInFailed,
    SignInUnavailable,
)
from mcp_remote_py.oauth.document import decode_document, describe, fetch, get_json, is_outage
from mcp_remote_py.oauth.metadata import ForeignDocument
from mcp_remote_py.oauth.steps import Conversation, HttpResponse, Wait
from mcp_remote_py.oauth.well_known import DocumentUrl
from mcp_remote_py.redact import mask_url
from mcp_remote_py.retry import parse_retry_after

T = TypeVar("T")

MAX_DOCUMENTS = 40
"""Requests of one discovery, in all."""

MAX_SILENCE = 60.0
"""Seconds that one discovery waits in vain, in all, by our own limits: as long as hosts wait."""

REPEAT_PAUSE = 3.0
"""Seconds before places are asked once more of which one answered by an outage."""

MAX_REPEAT_PAUSE = 10.0
"""Seconds of their `Retry-After` that are waited for."""


class Telling(IntEnum):
    """How much a problem tells a person of what is wrong: of several the greatest is told."""

    SILENT = 0
    """A guessed place did not answer: it may hang there by its nature."""
    ABSENT = 1
    """There is no document: 404, a redirect elsewhere, a page."""
    FOREIGN = 2
    """There is another issuer's, at a place that is not this one's alone."""
    FAILING = 3
    """A guessed place answered by an outage."""
    NOT_OURS = 4
    """There is a server, and it may not have what belongs to the person."""
    CUT_OFF = 5
    """What the server itself names is not there, or gave no verdict."""
    UNFIT = 6
    """There is something that cannot be read, or a name that must not be followed."""
    WRONG = 7
    """There is a document, and it must not be used; or nobody may be led there."""


class Problem(NamedTuple):
    """A reason why something was not found, and how much it tells."""

    telling: Telling
    error: SignInFailed


def most_telling(problems: Iterable[Problem]) -> Problem | None:
    """The problem to tell: the first of those that tell most."""
    return max(problems, key=lambda problem: problem.telling, default=None)


class Finding(NamedTuple, Generic[T]):
    """The value of the first document that was accepted, None where there is none.

    `evidence` is of the first place where there is nothing, "" where there is no such.
    """

    value: T | None
    evidence: str
    problems: tuple[Problem, ...]


class DocumentSearch:
    """The searches of one discovery, and what they have cost together."""

    def __init__(self) -> None:
        self._asked = 0
        self._waited = 0.0
        """Seconds in vain."""

    @property
    def is_spent(self) -> bool:
        """Whether nothing more is asked."""
        return self._asked >= MAX_DOCUMENTS or self._waited >= MAX_SILENCE

    def find(
        self,
        urls: Iterable[DocumentUrl],
        judge: Callable[[dict[str, object]], T],
        marks: frozenset[str] = frozenset(),
    ) -> Conversation[Finding[T]]:
        """What `judge` makes of the first document that it accepts; it raises where it does not.

        A document without one of `marks` is something else: some servers answer by JSON and a good
        status at any address.

        At an origin that cannot be connected to nothing more is asked, and nothing a third time at
        one that was silent twice.
        """
        seen = _Seen(judge, marks)
        for url in urls:
            yield from self._ask(url, url.first, seen, is_last=False)
            if seen.value is not None:
                break
        else:
            yield from self._ask_again(seen)
        return Finding(seen.value, seen.evidence, tuple(seen.problems.values()))

    def _ask_again(self, seen: _Seen[T]) -> Conversation[None]:
        pause = max(seen.without_verdict.values(), default=0.0)
        if pause and not self.is_spent:
            self._waited += pause
            yield Wait(pause)
        for url in list(seen.without_verdict):
            yield from self._ask(url, url.again, seen, is_last=True)
            if seen.value is not None:
                return

    def _ask(
        self, url: DocumentUrl, seconds: float, seen: _Seen[T], *, is_last: bool
    ) -> Conversation[None]:
        if self.is_spent or _origin_of(url) in seen.unreachable:
            return
        self._asked += 1
        where = mask_url(url.url)
        try:
            response = yield from fetch(get_json(url.url), patience=seconds)
        except (NotSent, Interrupted) as error:
            silence = _unavailable(f"no answer from {where}: {error.cause}", error.hint)
            seen.note(url, Telling.SILENT if url.is_guessed else Telling.CUT_OFF, silence)
            if isinstance(error, Interrupted):
                self._waited += seconds
            if is_last or isinstance(error, NotSent):
                seen.unreachable.add(_origin_of(url))
            else:
                seen.without_verdict[url] = 0.0
        except SignInFailed as problem:  # it leads where the server must not lead us
            seen.note(url, Telling.WRONG, problem)
        except McpRemoteError as error:
            cause = f"{where} is not usable: {error.cause}"
            unfit = SignInFailed(cause, hint="Tell whoever runs the server.")
            seen.note(url, Telling.UNFIT, unfit)
        else:
            seen.take(url, response)


class _Seen(Generic[T]):
    """The outcome of a search so far; a place that is asked again has its last outcome."""

    def __init__(self, judge: Callable[[dict[str, object]], T], marks: frozenset[str]) -> None:
        self._judge = judge
        self._marks = marks
        self.value: T | None = None
        self.evidence = ""
        self.problems: dict[str, Problem] = {}
        self.without_verdict: dict[DocumentUrl, float] = {}
        """With the seconds after which there may be one: 0 for a place that was silent."""
        self.unreachable: set[str] = set()
        """Origins."""

    def note(self, url: DocumentUrl, telling: Telling, error: SignInFailed) -> None:
        """There is a problem at this place."""
        self.problems[url.url] = Problem(telling, error)

    def take(self, url: DocumentUrl, response: HttpResponse) -> None:
        """This place has answered."""
        self.problems.pop(url.url, None)
        document = decode_document(response.body)
        if is_outage(response.status):
            outage = _unavailable(describe(url.url, response))
            self.note(url, Telling.FAILING if url.is_guessed else Telling.CUT_OFF, outage)
            asked = parse_retry_after(response.headers.get("retry-after", ""), None) or 0.0
            self.without_verdict[url] = min(max(asked, REPEAT_PAUSE), MAX_REPEAT_PAUSE)
        elif (
            not 200 <= response.status < 300
            or document is None
            or (self._marks and self._marks.isdisjoint(document))
        ):
            self.evidence = self.evidence or describe(url.url, response)
        else:
            try:
                self.value = self._judge(document)
            except SignInFailed as problem:
                is_foreign = url.is_shared and isinstance(problem, ForeignDocument)
                cause = f"{problem.cause.removesuffix('.')} (from {mask_url(url.url)})."
                error = SignInFailed(cause, hint=problem.hint)
                self.note(url, Telling.FOREIGN if is_foreign else Telling.WRONG, error)


def _origin_of(url: DocumentUrl) -> str:
    return "/".join(url.url.split("/")[:3])


def _unavailable(evidence: str, hint: str = "") -> SignInUnavailable:
    return SignInUnavailable(
        f"Sign-in discovery failed for now ({evidence.removesuffix('.')}).",
        hint=hint or "Try again later.",
    )
