"""What a person asked for, checked: frozen values and the functions that read them from words.

The environment comes in as a mapping, files through a function `read_file(path) -> text`. Every
function here raises `UsageError` for a person's mistake, and no error repeats a header's value,
user info or a query: any of them may be a token. This module must not know argparse,
`os.environ`, nor how anything is sent.
"""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret, secrets_in_url

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

Choice = TypeVar("Choice", bound=Enum)

ReadFile = Callable[[str], str]
"""Gives the text of the file of that path; raises OSError, or ValueError where it is not a text."""

DEFAULT_CONNECT_TIMEOUT = 10.0
DEFAULT_HEADERS_TIMEOUT = 300.0
DEFAULT_BODY_TIMEOUT = 300.0
"""Seconds, as in mcp-remote 0.15.1; the last bounds a gap in a JSON body, never an event stream,
unless `--body-timeout` is given (field notes 21 and 30: idle streams and long calls were cut)."""
FETCH_TIMEOUT = 5.0
POST_TIMEOUT = 15.0
"""Seconds for one request of a sign-in in all: for a document, and where something is done for it.
A person waits, and a host does (field note 29). The person may say otherwise (`SignInTimeouts`)."""
LONGEST_SIGN_IN_PART = 60.0
"""Seconds that they may give connecting, the headers and the body of such a request, each."""
DEFAULT_PING_INTERVAL = 30.0
DEFAULT_AUTH_TIMEOUT = 300.0
"""Seconds. mcp-remote gives a person 30, which a password manager and a second factor outlast."""
DEFAULT_INITIALIZE_TIMEOUT = 45.0
"""Seconds. Hosts give up after 60, some after 30, and the process must have started by then."""
TOKEN_STORES = ("keyring", "file", "memory")
DEFAULT_MAX_MESSAGE_SIZE = 128 * 1024 * 1024
"""Bytes of one message in either direction (promise R8)."""


class TransportStrategy(Enum):
    """Which transports are tried, in which order (names of mcp-remote)."""

    HTTP_FIRST = "http-first"
    SSE_FIRST = "sse-first"
    HTTP_ONLY = "http-only"
    SSE_ONLY = "sse-only"


class ProtocolStrategy(Enum):
    """Which era of the protocol the server is taken to speak (names of mcp-remote)."""

    AUTO = "auto"
    LEGACY = "legacy"
    MODERN = "modern"


class ServerUrl(NamedTuple):
    """A server's address, its path and query byte for byte as typed.

    `host` is ASCII (IDNA) without brackets; `target` is path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as in a `Host` header: the port only where it is not the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """RFC 6454 §6.2."""
        return f"{self.scheme}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine by its name alone (RFC 6761 §6.3, RFC 1122 §3.2.1.3)."""
        host = self.host.removesuffix(".")
        return (
            host == "localhost"
            or host.endswith(".localhost")
            or host == "::1"
            or _LOOPBACK_IPV4.fullmatch(host) is not None
        )

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


class Header(NamedTuple):
    """One header to add to every request to the server.

    `name` is a token (RFC 9110 §5.6.2); `value`, a secret, is not empty, is encodable as
    Latin-1 and has no control character but the tab.
    """

    name: str
    value: Secret


class HeaderSources(NamedTuple):
    """Where headers come from: as given, and from what is read again after a 401.

    Later sources win over earlier ones of the same name: `--header`, then files, then commands.
    """

    given: tuple[Header, ...] = ()
    files: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()


class Timeouts(NamedTuple):
    """Seconds; None is no limit."""

    connect: float | None = DEFAULT_CONNECT_TIMEOUT
    headers: float | None = DEFAULT_HEADERS_TIMEOUT
    body: float | None = DEFAULT_BODY_TIMEOUT
    stream: float | None = None
    """A gap in an event stream."""


class RequestLimits(NamedTuple):
    """Of one request, in seconds; None is for a part that only the whole bounds."""

    connect: float | None
    headers: float | None
    body: float | None
    """A gap in it."""
    whole: float


class SignInTimeouts(NamedTuple):
    """What the person says of a sign-in's requests, in seconds: 0 is no limit, None not a word.

    They are the same options as for messages. Their defaults are not: a document is small, and a
    person or a host waits for it.
    """

    connect: float | None = None
    headers: float | None = None
    body: float | None = None

    def limit(self, ours: float) -> RequestLimits:
        """The limits of a request that we would give `ours` seconds in all.

        Where the person says something, each part has what they say, or `ours`; and the whole as
        much as its parts have: an answer that drips is bounded still. "No limit" is meant for
        long calls: whoever renews a token keeps others waiting, and must come to an end.
        """
        if self == SignInTimeouts():
            return RequestLimits(None, None, None, ours)
        connect, headers, body = (
            ours if one is None else min(one or LONGEST_SIGN_IN_PART, LONGEST_SIGN_IN_PART)
            for one in self
        )
        return RequestLimits(connect, headers, body, connect + headers + body)


class Tls(NamedTuple):
    """Files in PEM form, beside the trust store of the operating system."""

    ca_certs: tuple[str, ...] = ()
    client_cert: str | None = None
    client_key: str | None = None


class Network(NamedTuple):
    """How connections are opened: by every command, for messages and for sign-ins alike.

    Made once from the command line, and handed to whatever opens one.
    """

    timeouts: Timeouts = Timeouts()
    """For messages to the MCP server."""
    sign_in_timeouts: SignInTimeouts = SignInTimeouts()
    tls: Tls = Tls()
    ipv4: bool = False
    proxies: tuple[tuple[str, Secret], ...] = ()
    """What the environment says of HTTP proxies: names and values of its variables."""
    allow_private_network: bool = False
    """Whether the server may lead a sign-in into private networks, wherever it is itself."""

    def proxy_for(self, url: ServerUrl) -> Secret | None:
        """The URL of the HTTP proxy for `url`, which may carry credentials; None without one.

        Raises:
            UsageError: as `choose_http_proxy`.
        """
        return choose_http_proxy(url, {name: value.reveal() for name, value in self.proxies})


class ToolRules(NamedTuple):
    """Which tools the host may see and call: patterns with `*`, matched against the whole name.

    An `allow` list, if any, must match; an `ignore` pattern must not; with `read_only` the
    server must have marked the tool `readOnlyHint: true`.
    """

    allow: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def restrict(self) -> bool:
        """Whether any rule is set."""
        return bool(self.allow or self.ignore or self.read_only)


class LogSettings(NamedTuple):
    """`level` is a name of the logging module, or "" for silence on stderr."""

    level: str = "INFO"
    file: str | None = None


class Unattended(NamedTuple):
    """A sign-in that needs no person: by the client itself, by a JWT, or by a company's provider.

    Which one: `assertion_file` is for a JWT of the workload, `idp_token_endpoint` for the provider,
    neither for the client's own credentials.
    """

    private_key: Secret | None = None
    """PEM or JWK; the client then proves itself by it (RFC 7523 §2.2)."""
    signing_algorithm: str = "ES256"
    assertion_file: str = ""
    """Its JWT is the grant (RFC 7523 §2.1); read anew at each use."""
    idp_token_endpoint: str = ""
    """Gives an ID-JAG for the ID token (RFC 8693)."""
    idp_client_id: str = ""
    id_token_file: str = ""

    @property
    def names_issuer(self) -> bool:
        """Whether a JWT is made for the server: its issuer is the audience."""
        return self.private_key is not None or self.idp_token_endpoint != ""

    @property
    def name(self) -> str:
        """What the session is called where the person gives it no name."""
        if self.assertion_file:
            return "jwt-bearer"
        return "enterprise" if self.idp_token_endpoint else "client-credentials"


class SignInSettings(NamedTuple):
    """How to sign in where the server asks for it. Everything has a default that suits most."""

    profile: str = ""
    scope: str | None = None
    """Asked for instead of what challenge and metadata say; None leaves the choice to them."""
    resource: str | None = None
    """RFC 8707 value instead of the published one."""
    send_resource: bool = True
    authorize_parameters: tuple[tuple[str, str], ...] = ()
    static_client: Secret | None = None
    """JSON text of a client registered by hand: client_id, client_secret, issuer ..."""
    static_client_metadata: str | None = None
    """JSON text of members for the registration (RFC 7591)."""
    client_metadata_url: str | None = None
    trusted_issuers: tuple[str, ...] = ()
    """Issuers that may have what belongs to the person (`oauth.ownership`); they are accepted, too,
    although metadata or `iss` name another, or metadata is silent on PKCE."""
    use_id_token: bool = False
    host: str = "localhost"
    """Spelling of the loopback host in the redirect URI; an IPv6 address is in brackets."""
    port: int | None = None
    """None: a stable one per server."""
    callback_path: str = "/oauth/callback"
    success_url: str | None = None
    timeout: float = DEFAULT_AUTH_TIMEOUT
    """Seconds a person has for the browser part."""
    browser: tuple[str, ...] | None = None
    """A command instead of the desktop's opener; an empty one opens nothing."""
    paste: bool = False
    """Whether the person may carry the redirect over by hand."""
    device_code: bool = False
    unattended: Unattended | None = None
    token_endpoint: str = ""
    """Asked without any discovery, by an unattended sign-in; it may have what belongs to them."""
    token_store: str = "keyring"  # noqa: S105 - where they are kept
    """One of `TOKEN_STORES`."""
    login_options: str = ""
    """What a person adds to `mcp-remote-py login URL` to begin this very sign-in; no secrets."""


class LoginSettings(NamedTuple):
    """Everything that signing in or out at one server needs to know."""

    server: ServerUrl
    headers: HeaderSources = HeaderSources()
    """For the server itself, when it is asked whether it wants a sign-in."""
    network: Network = Network()
    sign_in: SignInSettings = SignInSettings()
    log: LogSettings = LogSettings()


class ProxySettings(NamedTuple):
    """Everything the relay needs to know of its command line and environment."""

    server: ServerUrl
    headers: HeaderSources = HeaderSources()
    network: Network = Network()
    transport: TransportStrategy = TransportStrategy.HTTP_FIRST
    protocol: ProtocolStrategy = ProtocolStrategy.AUTO
    tools: ToolRules = ToolRules()
    ping_interval: float | None = None
    """Seconds between keep-alive pings; None sends none."""
    forward_ping: bool = False
    initialize_timeout: float | None = DEFAULT_INITIALIZE_TIMEOUT
    """Seconds the host's `initialize` waits for a person; None waits for ever."""
    cookies: bool = True
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    log: LogSettings = LogSettings()
    sign_in: SignInSettings = SignInSettings()

    @property
    def login(self) -> LoginSettings:
        """As much of it as a sign-in needs."""
        return LoginSettings(self.server, self.headers, self.network, self.sign_in, self.log)


class LogoutSettings(NamedTuple):
    """What is to be signed out, and how its authorization server is reached."""

    server: ServerUrl | None
    """None: every server."""
    profile: str | None = None
    """None: of `server` the default profile, of every server all of them."""
    resource: str | None = None
    """None: whatever resource was named at the sign-in."""
    token_store: str | None = None
    """None: the one that was used."""
    network: Network = Network()
    log: LogSettings = LogSettings()


class StatusSettings(NamedTuple):
    """Which sessions are to be told of; None is any."""

    server: ServerUrl | None = None
    profile: str | None = None
    resource: str | None = None
    json: bool = False
    log: LogSettings = LogSettings()


# URLs ---------------------------------------------------------------------------------------

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\s]")
_PORT = re.compile(r"[0-9]{1,5}")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_LOOPBACK_IPV4 = re.compile(r"127(\.(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])){3}")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL_FORM = "Write it in full, for example https://example.com/mcp."
_PROXY_FORM = "Write it in full, for example http://proxy.example.com:3128."
_IPV6_FORM = "Write an IPv6 address in brackets, as in [2001:db8::1]:8443."
_MAX_HOST_LENGTH = 253
"""Characters (RFC 1035 §2.3.4, without the root label)."""


def parse_server_url(text: str, allow_http: bool = False) -> ServerUrl:
    """The address in `text`; its path and query stay byte for byte as typed.

    Only what cannot travel is changed: non-ASCII characters are percent-encoded as UTF-8
    (RFC 3987 §3.1), an empty path becomes `/`, the fragment is dropped (RFC 9110 §4.2.5).
    Plain http is for loopback, elsewhere only with `allow_http` (promise S4).

    Raises:
        UsageError: no such address, or one that must not be used.
    """
    if _UNSAFE.search(text):
        raise UsageError(
            "The server URL contains a blank or a control character.",
            hint="Give it as one argument; write a blank inside it as %20.",
        )
    scheme, rest = _split_scheme(text)
    end = len(rest)
    for delimiter in "/?#":
        end = min(end, (rest + delimiter).index(delimiter))
    authority, target = rest[:end], rest[end:].partition("#")[0]
    if "@" in authority:
        raise UsageError(
            "The server URL contains a user name or password.",
            hint='Leave it out and pass it with --header "Authorization: Basic ${CREDENTIALS}".',
        )
    host, port = _parse_authority(authority, scheme, "The server URL", _URL_FORM)
    if not target.startswith("/"):
        target = f"/{target}"
    url = ServerUrl(scheme, host, port, _percent_encode(target))
    if scheme == "http" and not url.is_loopback and not allow_http:
        raise UsageError(
            f"Plain http to {host} would let the network read every header and message.",
            hint="Use https, or add --allow-http if that network is trusted.",
        )
    return url


def _split_scheme(text: str) -> tuple[str, str]:
    scheme = _SCHEME.match(text)
    if scheme is None or not text.startswith("//", scheme.end()):
        raise UsageError(
            "The server URL has no scheme." if text else "The server URL is empty.",
            hint=_URL_FORM,
        )
    name = scheme[1].lower()
    if name not in _DEFAULT_PORTS:
        raise UsageError(
            f"The server URL begins with {name}://.",
            hint="A remote MCP server is reached by https:// (or http:// on this machine).",
        )
    return name, text[scheme.end() + 2 :]


def _parse_authority(authority: str, scheme: str, what: str, form: str) -> tuple[str, int]:
    """Host (ASCII, lower case, without brackets) and port of `authority` (RFC 3986 §3.2).

    `what` and `form` are for the errors: what is parsed, and how it is written right.
    """
    if authority.startswith("["):
        literal, bracket, port = authority[1:].partition("]")
        address = _parse_address(literal)
        if not bracket or address is None or address.version == 4 or "%" in literal:
            raise UsageError(
                f"{what} has no valid IPv6 address between [ and ].",
                hint=_IPV6_FORM,
            )
        host = str(address)
        if port and not port.startswith(":"):
            raise UsageError(
                f"{what} has something other than a port behind the ].", hint=_IPV6_FORM
            )
        port = port[1:]
    else:
        name, _, port = authority.partition(":")
        if ":" in port:
            raise UsageError(
                f"{what} has more than one colon in its host.",
                hint=_IPV6_FORM,
            )
        host = _parse_host_name(name, what, form)
    if not port:
        return host, _DEFAULT_PORTS[scheme]
    if not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
        raise UsageError(f"{what} has no valid port.", hint="A port is a number from 1 to 65535.")
    return host, int(port)


def _parse_host_name(name: str, what: str, form: str) -> str:
    if not name:
        raise UsageError(f"{what} has no host.", hint=form)
    host = name.lower() if name.isascii() else _encode_idna(name)
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_HOST_LENGTH or not all(map(_LABEL.fullmatch, labels)):
        raise UsageError(
            f"{what} has no valid host name.",
            hint="Replace placeholders such as <your-server> by the real name.",
        )
    return host


def _encode_idna(name: str) -> str:
    """The ASCII form of an international name (RFC 5891), "" for none; imported when needed."""
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ""


def _percent_encode(target: str) -> str:
    if target.isascii():
        return target
    try:
        # surrogateescape: bytes of the command line that were not UTF-8 travel as those bytes.
        raw = target.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UsageError(
            "The server URL contains a character that cannot be encoded.",
            hint="Write it percent-encoded, as %XX.",
        ) from None
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    import ipaddress  # only here: 3 ms that a host name does not need

    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


# Variables, files, words ---------------------------------------------------------------------

_VARIABLE = re.compile(r"\$\{([^{}]+)\}")
_PRINTABLE_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")


def expand_environment(text: str, environment: Mapping[str, str]) -> str:
    """`text` with every `${NAME}` replaced by that variable's value, which is not expanded again.

    Raises:
        UsageError: a variable is not set.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name in environment:
            return environment[name]
        shown = f"${{{name}}}" if _PRINTABLE_VARIABLE.fullmatch(name) else "A ${...}"
        raise UsageError(
            f"{shown} is used, but no environment variable of that name is set.",
            hint='MCP hosts pass only a few variables on: set it in "env" of the server\'s entry.',
        )

    return _VARIABLE.sub(value_of, text)


def expand_path(text: str, environment: Mapping[str, str]) -> str:
    """A file name with `${NAME}` and a leading `~` expanded: hosts start us without a shell."""
    path = expand_environment(text, environment)
    home = environment.get("HOME") or environment.get("USERPROFILE") or ""
    if home and (path == "~" or path.startswith(("~/", "~\\"))):
        return home + path[1:]
    return path


_FILE_HINTS = {
    errno.EFBIG: "Look whether it is the right file.",
    errno.EBUSY: "Write it under another name and rename it then.",
}


def read_text(path: str, option: str, read_file: ReadFile) -> str:
    """The text of the file `path` that `option` names.

    Raises:
        UsageError: it cannot be read, or is not a text.
    """
    try:
        return read_file(path)
    except OSError as error:
        raise UsageError(
            f"{option}: cannot read {path}: {error.strerror or type(error).__name__}.",
            hint=_FILE_HINTS.get(error.errno or 0, "Give the full path of a file you may read."),
        ) from None
    except ValueError:  # UnicodeDecodeError, or a NUL in the path
        raise UsageError(
            f"{option}: {path} is not a UTF-8 text file.", hint="Save it as plain UTF-8 text."
        ) from None


def split_command(
    text: str,
    environment: Mapping[str, str],
    *,
    windows: bool = False,
    option: str = "--header-command",
    form: str = "Give a command that prints lines of the form Name: value.",
) -> tuple[str, ...]:
    r"""The words of the command that `option` gives, for starting it without a shell.

    Blanks separate, quotes join, and on POSIX a backslash escapes; on Windows it is an
    ordinary character, so that `C:\tools\token.exe` survives. `${NAME}` is expanded word by
    word afterwards: a value never splits.

    Raises:
        UsageError: no word, an open quote, or a variable that is not set.
    """
    import shlex

    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if windows:
        lexer.escape = ""
    try:
        words = list(lexer)
    except ValueError:
        raise UsageError(
            f"{option} has a quote that is not closed.",
            hint='Close it; inside JSON write " as \\".',
        ) from None
    if not words:
        raise UsageError(f"{option} is empty.", hint=form)
    return tuple(expand_environment(word, environment) for word in words)


# Headers -------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 §5.6.2."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = frozenset(
    ("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
"""They speak of one connection or one body (RFC 9110 §7.6.1, RFC 9112 §6), not of the server; a
value from outside desynchronises the two ends."""
_BARE_SCHEMES = frozenset(("basic", "bearer", "dpop", "token"))
MAX_HEADERS_LENGTH = 256 * 1024
"""Characters of a header file, or of what a header command prints."""
MAX_HEADERS = 100
"""Of one file or command: servers take about as many (Apache 100, Tomcat 100, Go by size)."""
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
        UsageError: no header, or one that must not be sent. Never repeats the value.
    """
    empty = _find_empty_variable(text, environment or {})
    if environment is not None:
        text = expand_environment(text, environment)
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon:
        raise UsageError("A header has no colon.", hint=_HEADER_FORM)
    if not name:
        raise UsageError("A header has no name.", hint=_HEADER_FORM)
    if not _TOKEN.fullmatch(name):
        raise UsageError(
            "A header's name contains a character that no name may contain.",
            hint=f"{_HEADER_FORM} A name has letters, digits and hyphens, and no quotes.",
        )
    if name.lower() in _FRAMING or name.lower().startswith("proxy-"):
        raise UsageError(
            f"The header {name} belongs to the connection and cannot be set.", hint="Leave it out."
        )
    if empty:
        raise UsageError(
            f"The header {name} uses {empty}, which is set to nothing.",
            hint='Set it in "env" of the server\'s entry, or leave it out of the header.',
        )
    _check_header_value(name, value)
    return Header(name, Secret(value))


def _check_header_value(name: str, value: str) -> None:
    if _CONTROL.search(value):
        raise UsageError(
            f"The value of the header {name} contains a line break or another control character.",
            hint="Remove it; a value is one line.",
        )
    if any(ord(character) > 0xFF for character in value):
        raise UsageError(
            f"The value of the header {name} contains a character that no header can carry.",
            hint="Look for curly quotes, long dashes or invisible characters from copying.",
        )
    visible = value.strip()  # of the blanks that are not ASCII as well
    if not visible:
        raise UsageError(
            f"The header {name} has no value.",
            hint=f"If the value comes from a variable, set it; else use {ENV_FORM}.",
        )
    if name.lower() == "authorization" and visible.lower() in _BARE_SCHEMES:
        raise UsageError(
            f"The header {name} has a scheme but no token behind it.",
            hint=f"If the token comes from a variable, set it; else use {ENV_FORM}.",
        )
    if len(value) > MAX_HEADER_LENGTH:
        raise UsageError(
            f"The value of the header {name} is longer than {MAX_HEADER_LENGTH} characters.",
            hint="No server takes that: look whether it is the right file or variable.",
        )


def _find_empty_variable(text: str, environment: Mapping[str, str]) -> str:
    """The first `${NAME}` in `text` that stands for nothing but blanks, "" without one."""
    for name in _VARIABLE.findall(text):
        if name in environment and not environment[name].strip():
            return f"${{{name}}}" if _PRINTABLE_VARIABLE.fullmatch(name) else "a ${...}"
    return ""


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
    # Editors on Windows put a byte order mark before the first line.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
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
        UsageError: also where there is none: left out in silence, another way to sign in would
            be taken than the person meant.
    """
    headers = parse_header_lines(text, environment, source)
    if not headers:
        what = (
            "is empty"
            if not text.strip("\ufeff \t\r\n")
            else "has nothing but comments and blank lines"
        )
        raise UsageError(f"{source} gives no header: it {what}.", hint=_LINES_FORM)
    return headers


def check_sign_in_headers(headers: Iterable[Header]) -> None:
    """Nobody signs in where a credential is given (decision D12).

    Raises:
        UsageError: one is.
    """
    if any(header.name.lower() == "authorization" for header in headers):
        raise UsageError(
            "An Authorization header is given, and with one no sign-in is ever used.",
            hint="Leave it out to sign in; or keep it, and there is nothing to sign in to.",
        )


# Numbers -------------------------------------------------------------------------------------

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_SIZE = re.compile(r"([0-9]+) ?([A-Za-z]*)")
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}


def parse_seconds(text: str, option: str) -> float | None:
    """Seconds, whole or with a decimal point; 0 means no limit (None).

    Raises:
        UsageError: no such number.
    """
    if not _SECONDS.fullmatch(text) or not math.isfinite(float(text)):
        raise UsageError(
            f"{option} takes a number of seconds.", hint="For example 30 or 0.5; 0 means no limit."
        )
    return float(text) or None


def parse_interval(text: str, option: str) -> float:
    """Seconds above 0.

    Raises:
        UsageError: no such number.
    """
    seconds = parse_seconds(text, option)
    if seconds is None:
        raise UsageError(
            f"{option} must be more than 0 seconds.", hint="Leave it out to send no pings."
        )
    return seconds


def parse_size(text: str, option: str) -> int:
    """Bytes: a whole number, alone or with kB, MB, GB (powers of 1000) or KiB, MiB, GiB.

    Raises:
        UsageError: no such size, or 0.
    """
    size = _SIZE.fullmatch(text)
    unit = None if size is None else _SIZE_UNITS.get(size[2].lower())
    if size is None or unit is None or len(size[1]) > 15 or int(size[1]) == 0:
        raise UsageError(
            f"{option} takes a size above 0.", hint="For example 128MiB, 50MB or 1000000 (bytes)."
        )
    return int(size[1]) * unit


def parse_transport(text: str) -> TransportStrategy:
    """The strategy of that name.

    Raises:
        UsageError: there is none.
    """
    return _choose(TransportStrategy, text, "--transport names no transport strategy.")


def parse_protocol(text: str) -> ProtocolStrategy:
    """The strategy of that name.

    Raises:
        UsageError: there is none.
    """
    return _choose(ProtocolStrategy, text, "--protocol names no era.")


def _choose(kind: type[Choice], text: str, complaint: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        names = ", ".join(one.value for one in kind)
        raise UsageError(complaint, hint=f"It is one of {names}.") from None


# TLS -----------------------------------------------------------------------------------------


def check_tls(tls: Tls, read_file: ReadFile) -> None:
    """Every file is there, is PEM and fits, so that a mistyped path fails before anything is sent.

    Raises:
        UsageError: names option and file.
    """
    for path in tls.ca_certs:
        _read_pem(path, "--ca-cert", read_file)
    if tls.client_cert is None:
        if tls.client_key is not None:
            raise UsageError(
                "--client-key is given without --client-cert.",
                hint="A key needs its certificate: add --client-cert.",
            )
        return
    certificate = _read_pem(tls.client_cert, "--client-cert", read_file)
    if tls.client_key is not None:
        option, path, key = "--client-key", tls.client_key, ""
        key = _read_pem(path, option, read_file)
    else:
        option, path, key = "--client-cert", tls.client_cert, certificate
    if "PRIVATE KEY-----" not in key:
        raise UsageError(
            f"{option}: {path} contains no private key.",
            hint="Give the file with the private key by --client-key.",
        )
    if "ENCRYPTED" in key:
        # OpenSSL would ask for the password on the terminal, in the middle of the protocol.
        raise UsageError(
            f"{option}: the private key in {path} is encrypted.",
            hint="No password can be asked here: save the key without one, readable by you only.",
        )


def add_ca_certs(
    tls: Tls, environment: Mapping[str, str], read_file: ReadFile
) -> tuple[Tls, list[str]]:
    """`tls` with the file of `SSL_CERT_FILE` joined, and warnings.

    A file of that variable that is not there is no error, only a warning: it is set for whole
    machines, outlives what it points to, and the trust store of the system works without it.
    """
    path = environment.get("SSL_CERT_FILE")
    if not path or path in tls.ca_certs:
        return tls, []
    try:
        _read_pem(path, "SSL_CERT_FILE", read_file)
    except UsageError as error:
        return tls, [f"{error.cause} Going on without it."]
    return tls._replace(ca_certs=(*tls.ca_certs, path)), []


def _read_pem(path: str, option: str, read_file: ReadFile) -> str:
    text = read_text(path, option, read_file)
    if "-----BEGIN " not in text:
        raise UsageError(
            f"{option}: {path} is not a PEM file.",
            hint="It must contain a line that starts with -----BEGIN.",
        )
    return text


# HTTP proxies --------------------------------------------------------------------------------


def proxy_variables(environment: Mapping[str, str]) -> tuple[tuple[str, Secret], ...]:
    """As much of the environment as `choose_http_proxy` looks at."""
    names = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    known = {*names, *map(str.upper, names), "REQUEST_METHOD"}
    return tuple((name, Secret(value)) for name, value in environment.items() if name in known)


def choose_http_proxy(server: ServerUrl, environment: Mapping[str, str]) -> Secret | None:
    """The URL of the HTTP proxy the environment names for `server`, None for going directly.

    `https_proxy` or `http_proxy` by the server's scheme, then `all_proxy`; lower case wins over
    upper case and an empty variable counts as unset, as in curl. `HTTP_PROXY` is ignored where
    `REQUEST_METHOD` is set: under CGI the client's `Proxy` header lands in it (CVE-2016-5385).
    `no_proxy` lists what goes directly. Loopback always does: a proxy's loopback is another
    machine's, and a token for this one must not travel there.

    Raises:
        UsageError: the proxy's URL is wrong or of a kind that is not supported.
    """
    if server.is_loopback:
        return None
    names = [f"{server.scheme}_proxy", f"{server.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environment and "HTTP_PROXY" in names:
        names.remove("HTTP_PROXY")
    name = next((name for name in names if environment.get(name)), None)
    if name is None:
        return None
    exceptions = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if _goes_directly(server, re.split(r"[,\s]+", exceptions)):
        return None
    return _parse_proxy_url(environment[name], name)


def _parse_proxy_url(text: str, variable: str) -> Secret:
    what = f"The proxy in {variable}"
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise UsageError(
            f"{what} is of a kind that is not supported.",
            hint="Supported are http:// and https:// proxies; or list the server in NO_PROXY.",
        )
    if _UNSAFE.search(rest):
        raise UsageError(
            f"{what} contains a blank or a control character.",
            hint="Percent-encode it, a blank as %20.",
        )
    userinfo, at, authority = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    host, port = _parse_authority(authority, scheme, what, _PROXY_FORM)
    if ":" in host:
        host = f"[{host}]"
    if at:
        from urllib.parse import quote

        userinfo = quote(userinfo, safe="%:!$&'()*+,;=")  # such as a raw [, which no parser takes
    return Secret(f"{scheme}://{userinfo}{at}{host}:{port}")


def _goes_directly(server: ServerUrl, exceptions: Iterable[str]) -> bool:
    """Whether an entry covers the server: `*`, a host with all below it, an address, a network."""
    address = None
    if ":" in server.host or server.host.rpartition(".")[2].isdigit():
        address = _parse_address(server.host)
    for entry in exceptions:
        if entry == "*":
            return True
        host, port = _split_entry(entry)
        if not host or port not in ("", str(server.port)):
            continue
        if address is not None:
            if _covers(host, address):
                return True
        else:
            host = host.lower() if host.isascii() else _encode_idna(host)
            name = server.host.removesuffix(".")
            if name == host or name.endswith(f".{host}"):
                return True
    return False


def _split_entry(entry: str) -> tuple[str, str]:
    """Host or network and port of one entry of `no_proxy`, without brackets and leading `*.`."""
    if entry.startswith("["):
        host, _, port = entry[1:].partition("]")
        return host, port.removeprefix(":")
    host, port = entry, ""
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
    return host.removeprefix("*").strip("."), port


def _covers(entry: str, address: IPv4Address | IPv6Address) -> bool:
    import ipaddress

    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


# Sign-in -------------------------------------------------------------------------------------

_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_CALLBACK_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
"""RFC 3986 §3.3, from the root."""
_DOT_SEGMENT = re.compile(r"/\.\.?(?=/|$)")
"""Browsers take them out of a path (RFC 3986 §5.2.4), which then is another one."""
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""One scope (RFC 6749 §3.3)."""
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x23-\x5b\x5d\x5f-\x7e]+")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9._~:\[\]-]{1,64}")
_ONE_VARIABLE = re.compile(r"\s*\$\{[^{}]+\}\s*")
_OPTION_OF_PARAMETER = {
    "client_id": "--static-oauth-client-info",
    "resource": "--resource",
    "scope": "--scope",
}
_OWN_PARAMETERS = frozenset(
    (
        "code_challenge",
        "code_challenge_method",
        "dpop_jkt",
        "redirect_uri",
        "response_mode",
        "response_type",
        "state",
        *_OPTION_OF_PARAMETER,
    )
)
"""What a sign-in says itself (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9449 §10), and the
answer must come in the query: a second value that disagrees comes back as an error nobody
understands."""


def parse_callback_port(text: str) -> int:
    """The port of the redirect URI.

    Raises:
        UsageError: no port.
    """
    if not _PORT.fullmatch(text) or not 0 < int(text) < 65536:
        raise UsageError(
            "The callback port behind the server URL is not a valid port.",
            hint="A port is a number from 1 to 65535.",
        )
    return int(text)


def parse_callback_host(text: str) -> str:
    """The host of the redirect URI, in brackets where it is an IPv6 address.

    Raises:
        UsageError: not this machine: the code would travel in plain text (RFC 8252 §8.3).
    """
    host = text.lower()
    if host in ("::1", "[::1]"):
        return "[::1]"
    labels = host.removesuffix(".").split(".")
    if all(map(_LABEL.fullmatch, labels)) and ServerUrl("http", host, 80, "/").is_loopback:
        return host
    raise UsageError(
        "--host names another machine than this one, and the browser comes back by plain http.",
        hint="Write localhost, 127.0.0.1 or [::1].",
    )


def parse_callback_path(text: str) -> str:
    """The path of the redirect URI, byte for byte.

    Raises:
        UsageError: no path that begins at the root, or one a browser would change.
    """
    if not _CALLBACK_PATH.fullmatch(text) or _DOT_SEGMENT.search(text):
        raise UsageError(
            "--callback-path is not a path that a redirect URI can have.",
            hint="Begin with /, as in /oauth/callback, and leave out blanks, ? and #.",
        )
    return text


def parse_success_url(text: str, allow_http: bool = False) -> str:
    """Where the browser goes after the sign-in, byte for byte.

    Raises:
        UsageError: no such URL, or one that carries more than a place.
    """
    option = "--auth-success-url"
    _parse_plain_url(text, option, "https://app.example.com/connected", allow_http)
    if "?" in text:
        raise UsageError(f"{option} has a query.", hint="Name the page only.")
    return text


def parse_client_metadata_url(text: str) -> str:
    """The URL of a client ID metadata document, byte for byte: it is the client's name.

    Raises:
        UsageError: not https, no path, or more than the draft allows in such a URL
            (draft-ietf-oauth-client-id-metadata-document §3).
    """
    option, form = "--client-metadata-url", "https://client.example.com/oauth-client.json"
    url = _parse_plain_url(text, option, form)
    path = url.target.partition("?")[0]
    if url.scheme != "https" or path == "/" or _DOT_SEGMENT.search(path):
        raise UsageError(
            f"{option} must be an https URL with a path, and without . and .. in it.",
            hint=f"For example {form}.",
        )
    return text


def parse_trusted_issuer(text: str) -> str:
    """An issuer, byte for byte: issuers are compared as strings (RFC 8414 §3.3).

    Raises:
        UsageError: no issuer (RFC 8414 §2), which is an https URL without query and fragment.
    """
    return _parse_issuer(text, "--trusted-issuer")


def _parse_issuer(text: str, option: str) -> str:
    _parse_plain_url(text, option, "https://auth.example.com")
    if "?" in text:
        raise UsageError(
            f"{option} has a query.", hint='Write the "issuer" of the server\'s metadata.'
        )
    return text


def _parse_plain_url(text: str, option: str, form: str, allow_http: bool = False) -> ServerUrl:
    """An https URL, or http on loopback, without user info and fragment."""
    hint = f"Write it in full, for example {form}."
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS or _UNSAFE.search(text) or not text.isascii():
        raise UsageError(f"{option} is not an https URL.", hint=hint)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    target = rest[len(authority) :]
    if "@" in authority:
        raise UsageError(f"{option} contains a user name or password.", hint="Leave it out.")
    if "#" in target:
        raise UsageError(f"{option} has a fragment.", hint="Leave out what begins with #.")
    host, port = _parse_authority(authority, scheme, option, hint)
    url = ServerUrl(scheme, host, port, target if target.startswith("/") else f"/{target}")
    if scheme == "http" and not url.is_loopback and not allow_http:
        raise UsageError(f"{option} is plain http to another machine.", hint="Use https.")
    return url


def parse_resource(text: str) -> str:
    """An RFC 8707 value, byte for byte.

    Raises:
        UsageError: no absolute URI, or one with a fragment (RFC 8707 §2).
    """
    if not _ABSOLUTE_URI.fullmatch(text) or "#" in text:
        raise UsageError(
            "--resource is not an absolute URI without a fragment.",
            hint="For example https://tenant.example.com/.",
        )
    return text


def parse_scope(text: str) -> str:
    """The scopes in `text`, one blank between them.

    Raises:
        UsageError: none, or a character no scope may contain.
    """
    scopes = text.split()
    if not scopes or not all(map(_SCOPE.fullmatch, scopes)):
        raise UsageError(
            "--scope names no scopes.",
            hint='Separate them by blanks, as in --scope "read write"; without it the server\'s'
            " own are asked for.",
        )
    return " ".join(scopes)


def parse_authorize_parameter(text: str) -> tuple[str, str]:
    """Name and value of a parameter for the authorization request.

    Raises:
        UsageError: no such parameter, or one the sign-in sets itself. Never repeats the value.
    """
    name, equals, value = text.partition("=")
    if not equals or not _PARAMETER_NAME.fullmatch(name) or _CONTROL.search(value):
        raise UsageError(
            "--authorize-param is not of the form KEY=VALUE.",
            hint="For example --authorize-param prompt=consent.",
        )
    if name in _OWN_PARAMETERS:
        option = _OPTION_OF_PARAMETER.get(name)
        raise UsageError(
            f"--authorize-param cannot set {name}, which the sign-in sets itself.",
            hint=f"Use {option}." if option else "Leave it out.",
        )
    return name, value


def parse_profile(text: str) -> str:
    """A name for one of several accounts.

    Raises:
        UsageError: a character that does not suit a name.
    """
    if not _PROFILE.fullmatch(text):
        raise UsageError(
            "--profile takes a name of letters, digits and . _ @ + - (64 at most).",
            hint="For example --profile work.",
        )
    return text


def parse_token_store(text: str) -> str:
    """One of `TOKEN_STORES`.

    Raises:
        UsageError: there is none of that name.
    """
    if text not in TOKEN_STORES:
        raise UsageError(
            "--token-store names no store.", hint=f"It is one of {', '.join(TOKEN_STORES)}."
        )
    return text


def parse_auth_timeout(text: str) -> float:
    """Seconds above 0.

    Raises:
        UsageError: no such number.
    """
    if not _SECONDS.fullmatch(text) or not 0 < float(text) < math.inf:
        raise UsageError(
            "--auth-timeout takes a number of seconds above 0.",
            hint=f"For example 60; leave it out for {DEFAULT_AUTH_TIMEOUT:g}.",
        )
    return float(text)


def parse_client(text: str, environment: Mapping[str, str], read_file: ReadFile) -> Secret:
    """The JSON text of a client that is registered already (RFC 7591 §3.2.1).

    Raises:
        UsageError: no JSON object, no client_id, or a member of the wrong kind.
    """
    option = "--static-oauth-client-info"
    client = _read_object(text, option, environment, read_file)
    wrong = next(
        (name for name in ("client_id", "client_secret") if not _is_text(client.get(name, "-"))),
        None if "client_id" in client else "client_id",
    )
    if wrong is not None:
        raise UsageError(
            f'{option} has no "{wrong}" that is a string with something in it.',
            hint='The least is {"client_id": "..."}.',
        )
    uris = client.get("redirect_uris", [])
    if not isinstance(uris, list) or not all(map(_is_text, cast("list[object]", uris))):
        raise UsageError(
            f'"redirect_uris" in {option} is not a list of strings.',
            hint='For example ["http://localhost:3334/oauth/callback"].',
        )
    if "issuer" in client:
        issuer = client["issuer"]
        _parse_issuer(issuer if isinstance(issuer, str) else "", f'"issuer" in {option}')
    return _to_secret_json(client)


SIGNING_ALGORITHMS = (
    *("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EdDSA",
)
"""Asymmetric ones only (RFC 7518 §3.1): the server holds the public key."""


def parse_signing_algorithm(text: str) -> str:
    """A JWS algorithm we can sign with.

    Raises:
        UsageError: it is none.
    """
    if text not in SIGNING_ALGORITHMS:
        raise UsageError(
            "--signing-alg names no algorithm.",
            hint=f"It is one of {', '.join(SIGNING_ALGORITHMS)}.",
        )
    return text


def parse_private_key(text: str, environment: Mapping[str, str], read_file: ReadFile) -> Secret:
    """The key in that file: PEM, or a JWK.

    Raises:
        UsageError: the file cannot be read or holds none.
    """
    path = expand_path(text, environment)
    key = read_text(path, "--private-key", read_file).strip()
    if "PRIVATE KEY-----" not in key and '"kty"' not in key:
        raise UsageError(
            f"--private-key {path} holds no private key.",
            hint="It is a PEM file without a password, or a JWK.",
        )
    return Secret(key)


def parse_token_url(text: str, option: str) -> str:
    """The address of a token endpoint.

    Raises:
        UsageError: it is none, or plain http to another machine.
    """
    return str(_parse_plain_url(text, option, "https://auth.example.com/token"))


def parse_client_metadata(text: str, environment: Mapping[str, str], read_file: ReadFile) -> str:
    """The JSON text of members for the registration (RFC 7591 §2).

    Raises:
        UsageError: no JSON object.
    """
    option = "--static-oauth-client-metadata"
    return _to_secret_json(_read_object(text, option, environment, read_file)).reveal()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _to_secret_json(value: dict[str, object]) -> Secret:
    import json

    return Secret(json.dumps(value, ensure_ascii=False))


def _read_object(
    text: str, option: str, environment: Mapping[str, str], read_file: ReadFile
) -> dict[str, object]:
    """The JSON object in `text`, or in the file it names behind an @; `${NAME}` is expanded.

    String by string, after parsing: a value with a quote in it does no harm. A text that is one
    variable and nothing else stands for the whole object.

    Raises:
        UsageError: never repeats what was read.
    """
    import json

    source = option
    if text.startswith("@"):
        path = expand_path(text[1:], environment)
        source = f"{option}: {path}"
        text = read_text(path, option, read_file).removeprefix("\ufeff")
    if _ONE_VARIABLE.fullmatch(text):
        text = expand_environment(text, environment)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError(
            f"{source} is not a JSON object.",
            hint=f"Give {option} an object such as "
            '{"client_id": "..."}, or the name of a file with one behind an @.',
        )
    members = cast("dict[str, object]", value)
    return {name: _expand_value(member, environment) for name, member in members.items()}


def _expand_value(value: object, environment: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return expand_environment(value, environment)
    if isinstance(value, list):
        return [_expand_value(item, environment) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _expand_value(member, environment) for name, member in members.items()}
    return value


# Secrets -------------------------------------------------------------------------------------


def secrets_of(
    settings: ProxySettings | LoginSettings | LogoutSettings | StatusSettings,
) -> tuple[Secret, ...]:
    """Everything in `settings` that no log line may show."""
    secrets: list[Secret] = []
    if isinstance(settings, (ProxySettings, LoginSettings)):
        secrets += (header.value for header in settings.headers.given)
        secrets += secrets_of_proxy(settings.network.proxy_for(settings.server))
        secrets += _secrets_of_client(settings.sign_in.static_client)
        unattended = settings.sign_in.unattended
        if unattended is not None and unattended.private_key is not None:
            secrets.append(unattended.private_key)
    if settings.server is not None:
        secrets += secrets_in_url(str(settings.server))
    return tuple(secrets)


def secrets_of_proxy(proxy: Secret | None) -> Iterable[Secret]:
    """What of its URL no log line may show."""
    from urllib.parse import unquote

    url = "" if proxy is None else proxy.reveal()
    userinfo, at, _ = url.partition("://")[2].rpartition("@")
    password = userinfo.partition(":")[2]
    return map(Secret, (url, userinfo, password, unquote(password))) if at else ()


def _secrets_of_client(client: Secret | None) -> Iterable[Secret]:
    """The values of its members that are secret by name (RFC 7591 §3.2.1, RFC 7592 §3)."""
    if client is None:
        return ()
    import json

    members = cast("dict[str, object]", json.loads(client.reveal()))
    values = (members.get(name) for name in ("client_secret", "registration_access_token"))
    return (Secret(value) for value in values if isinstance(value, str))
