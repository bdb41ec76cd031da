"""Every error of this program, and whose fault it is.

    McpRemoteError
    |-- UsageError            the person's: an option, a URL, a header, a file (exit status 2)
    |-- InvalidUrl            of who wrote a text that is not a URL (in `url`)
    |-- InvalidMessage        the sender's: a line that is not a JSON-RPC message
    |-- SignInFailed          the person cannot be signed in: a verdict, trying again will not help
    |   `-- SignInUnavailable no verdict: what was asked did not answer, trying later may help
    |-- StoreError            what is kept on this machine cannot be read, written or deleted
    `-- ExchangeError         one message could not be exchanged with the server
        |-- NotSent           it never left: repeating it cannot do harm
        |   `-- NoStream      what it would be sent beside, the event stream, did not begin in time
        |-- Refused           the server or something before it refused it before executing it
        |   |-- SessionLost   refused because the session is gone: a new one may accept it
        |   `-- WrongEra      never sent: the server's transport does not carry messages of that era
        |-- Interrupted       it left and the answer was lost: it may have been executed
        `-- Unusable          the server answered with something that is not an answer to it
            `-- NoEndpoint    the event stream that is to name an endpoint for it named none in time

An error has three parts a person needs: the cause (`str(error)`), the evidence (in the cause:
status, content type, first words of the body) and the next step (`hint`). It is a value: whoever
knows more makes another one of it (`with_evidence`, `with_hint`), because several tasks may be told
the same. This module must not know exit statuses of others, HTTP libraries or JSON-RPC.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Final, Self

from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import MASK, mask_url, scrub_known


def one_line(text: str) -> str:
    """`text` on one line of printable characters.

    Evidence comes from servers and files: a line break would forge a second line in a log, an
    escape sequence would drive the person's terminal, a lone surrogate could not be written.
    """
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())


MAX_EXCERPT_LENGTH = 200
"""Characters of a foreign text in an error."""


MAX_EVIDENCE_LENGTH = 16 * 1024
"""Characters of a foreign text that are looked at for one."""


def shorten(text: str) -> str:
    """The beginning of a foreign text, on one line of printable characters, without secrets.

    They go before anything is cut: of half a secret nobody knows that it is one.
    """
    text = one_line(scrub_known(text[:MAX_EVIDENCE_LENGTH]))
    return text if len(text) <= MAX_EXCERPT_LENGTH else text[: MAX_EXCERPT_LENGTH - 1] + "…"


# `[^<>]`, not `[^>]`: a body of nothing but "<" would be looked through once for each.
_TAG = lazy_pattern(r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<[^<>]*>", re.DOTALL | re.IGNORECASE)


def words_of(body: bytes) -> str:
    """The text a person would read in `body`, on one line, without tags and scripts."""
    return one_line(_TAG.sub(" ", body.decode("utf-8", "replace")))


EVIDENCE_BYTES = 64 * 1024
"""Bytes of a foreign body that are looked at for one."""


def excerpt(body: bytes) -> str:
    """The first words of a foreign body: tags, control characters and line ends removed."""
    return shorten(words_of(body[:EVIDENCE_BYTES]))


HEADER_EXAMPLE = '--header "Authorization: Bearer ${TOKEN}"'
"""How a person gives a token that is in a variable."""

LOGIN_COMMAND = "mcp-remote-py login URL"
"""The command that signs in, as hints have it: `name_server` puts the address in."""

_LOGIN = lazy_pattern(r"(mcp-remote-py login )URL(\.\Z)?")


def runner_of(prefix: str) -> str:
    """What is typed before the command in the environment at `prefix`: uvx makes one in its cache.

    There a shell does not find the command by itself.
    """
    return "uvx " if "archive-v0" in prefix else ""


_RUNNER = runner_of(sys.prefix)


def name_server(hint: str, url: str, options: str = "", runner: str = _RUNNER) -> str:
    """`hint` with the server's address, masked, in the command it tells the person to run.

    Who finds an error in a flow does not always know for which server it is: the hint then says
    `mcp-remote-py login URL`. The full stop behind it goes, it would be copied with the address.
    `options` is what that command needs beside it to begin the same sign-in, `runner` what stands
    before it.
    """
    named = f"{mask_url(url)} {options}".rstrip()
    return _LOGIN.sub(lambda match: runner + match[1] + named, hint)


def explain_stars(hint: str) -> str:
    """`hint`, and what to do with a command in it that is masked: it cannot be copied."""
    return hint + explain_mask(hint) if "mcp-remote-py login " in hint else hint


def explain_mask(command: str) -> str:
    """What to do with a command that is masked, to be put behind it; "" where it is not."""
    if MASK not in scrub_known(command):
        return ""
    return f" ({MASK} stands for a part that may be secret: write it out there.)"


class McpRemoteError(Exception):
    """Base of the tree. `hint` is one sentence that says what to do next, or empty.

    `retry_after` is the seconds a server asked to wait, None where none did.
    """

    def __init__(self, cause: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(cause)
        self.cause: Final = cause
        self.hint: Final = hint
        self.retry_after: Final = retry_after

    def with_evidence(self, evidence: str) -> Self:
        """The same error with one more sentence behind its cause, or with "" as it is."""
        return self.changed({"cause": f"{self.cause} {evidence}".rstrip()})

    def with_hint(self, hint: str) -> Self:
        """The same error with another next step."""
        return self.changed({"hint": hint})

    def changed(self, members: Mapping[str, object]) -> Self:
        """A copy with other values of these members."""
        return self.restore({**self.__dict__, **members})

    @classmethod
    def restore(cls, members: Mapping[str, object]) -> Self:
        """The error of this class that has exactly these members: the `__dict__` of another one."""
        error = cls.__new__(cls, members["cause"])
        error.__dict__.update(members)
        return error

    def sentence(self) -> str:
        """Cause and hint in one line: the same words for terminal, log and JSON-RPC error."""
        return one_line(f"{self.cause} {self.hint}")


class UsageError(McpRemoteError):
    """The command line, or something it names, is wrong. Nothing was sent."""


class InvalidMessage(McpRemoteError):
    """A line or body that is not a JSON-RPC message.

    `code` is the JSON-RPC error code that fits; `raw_id` the bytes of its id where one could
    be read, so that the sender can be answered.
    """

    def __init__(self, cause: str, *, code: int, raw_id: bytes | None = None) -> None:
        super().__init__(cause)
        self.code: Final = code
        self.raw_id: Final = raw_id


class SignInFailed(McpRemoteError):
    """The person cannot be signed in: what servers say or settings demand stands against it."""


class SignInUnavailable(SignInFailed):
    """The sign-in failed without a verdict: a server that was needed did not answer properly."""


class StoreError(McpRemoteError):
    """Something that is kept here cannot be read, written or deleted; says nothing secret of it."""


class ExchangeError(McpRemoteError):
    """One message could not be exchanged.

    `status` is the HTTP status that the server answered (None where it did not, but for example
    a page that stands before it), `body` the JSON-RPC line of the server where its refusal carried
    one. `is_answer` tells that it came with the id of the request, so that it is the server's
    answer to it; `in_our_words` that our sentence takes the place of the message in it.
    """

    def __init__(
        self,
        cause: str,
        *,
        hint: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        body: bytes | None = None,
        is_answer: bool = False,
        in_our_words: bool = False,
    ) -> None:
        super().__init__(cause, hint=hint, retry_after=retry_after)
        self.status: Final = status
        self.body: Final = body
        self.is_answer: Final = is_answer
        self.in_our_words: Final = in_our_words


class NotSent(ExchangeError):
    """No byte of the message reached the server: connecting failed."""

    is_certain = False
    """Whether asking again surely brings the same, where the server was never reached before."""

    def as_certain(self) -> Self:
        """The same error, which will stay."""
        return self.changed({"is_certain": True})


class NoStream(NotSent):
    """The event stream that has to be there before the message did not begin in time."""


def no_connection_in_time(where: str) -> NotSent:
    """The error of a connection that took too long, with the options that bound it."""
    return NotSent(
        f"Connecting to {where} took too long.",
        hint="Check the URL, the network and whether a VPN or proxy is needed.",
    )


CUT_HINT = (
    "If it is always after the same time, a gateway on the way cuts what is silent: whoever runs "
    "the server has to let it wait longer (nginx: proxy_read_timeout, HAProxy: timeout server)."
)
"""For an event stream that ended before the answer."""


LATE_HINT = "Raise --headers-timeout or --body-timeout (0 means no limit)."
"""For an answer that was waited for no longer, by a time-out of ours."""


def no_answer_in_time(who: str) -> Interrupted:
    """The error of an answer, or the rest of one, that took too long, with the same options."""
    return Interrupted(
        f"{who} took too long to answer.",
        hint=LATE_HINT,
    )


class Refused(ExchangeError):
    """The message was answered by a refusal that comes before execution (401, 429, 503 ...)."""

    is_passing = False
    """Whether what it was refused for is over by itself, sooner or later, whatever the status."""

    def as_passing(self) -> Self:
        """The same error, of which nobody has to mend anything."""
        return self.changed({"is_passing": True})


class SessionLost(Refused):
    """The server no longer knows the session the message was sent in."""

    otherwise: ExchangeError | None = None
    """What the same answer stands for where the session turns out to be known; None where something
    else has shown that it is not, or the message was never sent."""

    def with_otherwise(self, otherwise: ExchangeError) -> Self:
        """The same error, of an answer that may stand for that."""
        return self.changed({"otherwise": otherwise})


class WrongEra(Refused):
    """The transport the server speaks belongs to another era of the protocol than the message."""


class Interrupted(ExchangeError):
    """The message left, and its answer did not arrive: it may have been executed."""


class Unusable(ExchangeError):
    """The server answered, but not with an answer to this message; repeating will not help."""


class NoEndpoint(Unusable):
    """The event stream that has to name an endpoint for the message did not name one in time."""


def error_classes(base: type[McpRemoteError] = McpRemoteError) -> Iterator[type[McpRemoteError]]:
    """Every class of the tree that was imported, `base` first."""
    yield base
    for kind in base.__subclasses__():
        yield from error_classes(kind)
