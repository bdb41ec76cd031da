"""Headers that a person gives for every request to the server: on the command line, in a file.

An error names the header or the line, and never repeats a value: it may be a token. Must not know
which requests carry them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcp_remote_py.errors import UsageError
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.words import (
    CONTROL,
    ReadText,
    expand_environment,
    find_empty_variable,
    read_file_text,
)
from mcp_remote_py.values import Value


class Header(Value, frozen=True):
    """One header to add to every request to the server.

    `name` is a token (RFC 9110 §5.6.2); `value`, a secret, is not empty, is encodable as
    Latin-1 and is free of control characters but the tab.
    """

    name: str
    value: Secret


class HeaderFile(Value, frozen=True):
    """A file of headers, and what it gave when we started."""

    path: str
    headers: tuple[Header, ...]


class HeaderSettings(Value, frozen=True):
    """The sources of headers: as given, and from what is read again after a 401.

    Later sources win over earlier ones of the same name: `--header`, then files, then commands.
    """

    given: tuple[Header, ...] = ()
    files: tuple[HeaderFile, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The values that are known so far."""
        read = (header for file in self.files for header in file.headers)
        return tuple(header.value for header in (*self.given, *read))

    def mark(self, about: str, client_cert: str | None = None, identity: str = "") -> str:
        """Tells these headers, and a client certificate, from others where `about` is the same.

        So it tells an `identity` that requests are signed by; that is not a secret.

        "" where there are none. Headers that are given count with their values, files and commands
        by their names: what they give may change by the hour, and is one person's all the same. So
        short that nobody can find out by it whether a guess at a value is right: of 65,536 guesses
        one fits.
        """
        if not (self.given or self.files or self.commands or client_cert or identity):
            return ""
        from hashlib import sha256

        given = [f"{header.name.lower()}:{header.value.reveal()}" for header in self.given]
        files = [client_cert, *(file.path for file in self.files)]
        parts = [about, sorted(given), files, self.commands, *filter(None, [identity])]
        return sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:4]


_TOKEN = lazy_pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 §5.6.2."""

_FRAMING = frozenset(
    ("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
"""They speak of one connection or one body (RFC 9110 §7.6.1, RFC 9112 §6), not of the server; a
value from outside desynchronises the two ends."""
BARE_SCHEMES = frozenset(("basic", "bearer", "dpop", "token"))
"""Words in an Authorization header that are nothing without what follows them."""
MAX_HEADERS_LENGTH = 256 * 1024
"""Characters of a header file, or of what a header command prints."""
MAX_HEADERS = 100
"""Headers of one file or command: servers take as many (Apache 100, Tomcat 100, Go by size)."""
MAX_HEADER_LENGTH = 64 * 1024
"""Characters of one value: a Kerberos ticket has up to 64 KiB, few servers take more than 16."""
_HEADER_FORM = 'Write it as "Name: value".'
_LINES_FORM = 'It must have one "Name: value" a line; else leave the option out.'
ENV_FORM = '"Authorization:${AUTH_HEADER}" in "args", and AUTH_HEADER in "env"'
"""The spelling no host can tear apart, in the words of a host's configuration."""


def parse_header(text: str, environment: Mapping[str, str] | None) -> Header:
    """The header in `text`: `Name: value` or `Name:value`, with `${NAME}` anywhere in it.

    Without an `environment` (None) nothing is expanded. An empty value is an error: it is
    nearly always a variable that is set to nothing. So is any variable of that kind.

    Raises:
        UsageError: it is not a header, or one that must not be sent. Never repeats the value.
    """
    empty = find_empty_variable(text, environment or {})
    has_hidden_name = environment is not None and "${" in text.partition(":")[0]
    if environment is not None:
        text = expand_environment(text, environment)
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon:
        raise UsageError("A header does not contain a colon.", hint=_HEADER_FORM)
    if not name:
        raise UsageError("A header does not begin with a name.", hint=_HEADER_FORM)
    if not _TOKEN.fullmatch(name):
        raise UsageError(
            "A header's name contains a character that no name may contain.",
            hint=f"{_HEADER_FORM} A name has letters, digits and hyphens, and no quotes.",
        )
    # A value may be where its name should be: then it is a secret.
    shown = "that a variable gives" if has_hidden_name else name
    if name.lower() in _FRAMING or name.lower().startswith("proxy-"):
        raise UsageError(
            f"The header {shown} belongs to the connection and cannot be set.", hint="Leave it out."
        )
    if empty:
        raise UsageError(
            f"The header {shown} uses {empty}, which is set to nothing.",
            hint='Set it in "env" of the server\'s entry, or leave it out of the header.',
        )
    _check_header_value(name, value, shown)
    return Header(name, Secret(value))


_PLACEHOLDER = lazy_pattern(
    r"(?:[A-Za-z]{1,10} )?"
    r"(?:\$[A-Z][A-Z0-9_]{2,}|\$env:\w+|%[A-Z][A-Z0-9_]{2,}%|\{\{[^{}]*\}\}|<[A-Za-z][A-Za-z _-]*>)"
)
"""A variable in another spelling than ours, or what a page has where one's own token belongs."""


def describe_placeholder(header: Header) -> str:
    """What a person should know of a value that most likely is not the one they mean; else ""."""
    if not _PLACEHOLDER.fullmatch(header.value.reveal()):
        return ""
    return (
        f"The value of the header {header.name} looks like a placeholder, and is sent as it is:"
        " write the value itself, or a variable as ${NAME}, with the braces."
    )


def _check_header_value(name: str, value: str, shown: str) -> None:
    if CONTROL.search(value):
        raise UsageError(
            f"The value of the header {shown} contains a line break or another control character.",
            hint="Remove it; a value is one line.",
        )
    if any(ord(character) > 0xFF for character in value):
        raise UsageError(
            f"The value of the header {shown} contains a character that no header can carry.",
            hint="Look for curly quotes, long dashes or invisible characters from copying.",
        )
    visible = value.strip()  # of the blanks that are not ASCII as well
    if not visible:
        raise UsageError(
            f"The value of the header {shown} is empty.",
            hint=f"If the value comes from a variable, set it; else use {ENV_FORM}.",
        )
    if name.lower() == "authorization" and visible.lower() in BARE_SCHEMES:
        raise UsageError(
            f"The header {shown} has a scheme but no token behind it.",
            hint=f"If the token comes from a variable, set it; else use {ENV_FORM}.",
        )
    if len(value) > MAX_HEADER_LENGTH:
        raise UsageError(
            f"The value of the header {shown} is longer than {MAX_HEADER_LENGTH} characters.",
            hint="No server takes that: look whether it is the right file or variable.",
        )


def parse_header_lines(
    text: str, environment: Mapping[str, str] | None, source: str
) -> tuple[Header, ...]:
    """The headers in `text`, one `Name: value` a line; blank lines and `#` comments are skipped.

    For header files, and for the output of header commands (those with `environment` None:
    what a command prints is final).

    Raises:
        UsageError: names `source` and the line, never the value.
    """
    if len(text) > MAX_HEADERS_LENGTH:
        raise UsageError(
            f"{source} is longer than {MAX_HEADERS_LENGTH} characters.", hint=_LINES_FORM
        )
    if "\0" in text:
        raise UsageError(
            f"{source} is not plain text: it has a NUL in it, as UTF-16 has.",
            hint="Use UTF-8, with one `Name: value` a line.",
        )
    headers: list[Header] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r").strip(" \t")
        if not line or line.startswith("#"):
            continue
        try:
            headers.append(parse_header(line, environment))
        except UsageError as error:
            raise UsageError(f"{source}, line {number}: {error.cause}", hint=error.hint) from None
        if len(headers) > MAX_HEADERS:
            raise UsageError(f"{source} has more than {MAX_HEADERS} headers.", hint=_LINES_FORM)
    return tuple(headers)


def parse_header_source(
    text: str, environment: Mapping[str, str] | None, source: str
) -> tuple[Header, ...]:
    """`parse_header_lines` of a file or command, which the person named to give a header.

    Raises:
        UsageError: also where it does not contain a header: another way to sign in would be taken
            than the person meant.
    """
    headers = parse_header_lines(text, environment, source)
    if not headers:
        what = "contains only comments and blank lines" if text.strip(" \t\r\n") else "is empty"
        raise UsageError(f"{source} does not give a header: it {what}.", hint=_LINES_FORM)
    return headers


def read_header_file(
    path: str, environment: Mapping[str, str], read_file: ReadText
) -> tuple[Header, ...]:
    """The headers that the file gives now.

    Raises:
        UsageError: as `words.read_file_text` and `parse_header_source`.
    """
    option = "--header-file"
    text = read_file_text(path, option, read_file)
    return parse_header_source(text, environment, f"{option} {path}")


def check_sign_in_headers(headers: Iterable[Header]) -> None:
    """Nobody signs in where a credential is given (decision D12).

    Raises:
        UsageError: one is.
    """
    if any(header.name.lower() == "authorization" for header in headers):
        raise UsageError(
            "An Authorization header is given, so a sign-in would never be used.",
            hint="Leave it out to sign in. If you keep it, no sign-in is needed.",
        )
