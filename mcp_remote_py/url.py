"""Takes http and https URLs apart: once, and in the same way for everybody who reads one.

A person types one, a server publishes one, and both are parsed here. What is wrong with it is a
`UrlFault`; how that is said to whom, and which URLs may be used, is for others to decide. Pure: no
name is looked up. Must not know options, settings, or who wrote the URL.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443}
"""Ports by scheme (RFC 9110 §4.2.1 and §4.2.2); its keys are the schemes there are."""

MAX_HOST_LENGTH = 253
"""Characters (RFC 1035 §2.3.4, without the root label)."""

LABEL = lazy_pattern(r"[a-z0-9_-]{1,63}")
"""One label of a host name in lower case (RFC 1035 §2.3.4); names of containers have a `_`."""

BLANK = lazy_pattern(r"[\x00-\x20\x7f-\x9f\s]")
"""Blanks and control characters, which no URL has."""

_SCHEME = lazy_pattern(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LOOPBACK_IPV4 = lazy_pattern(r"127(\.(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])){3}")


class UrlFault(Enum):
    """A fault of a URL; the value is the rest of a sentence: "The URL does not name a host"."""

    EMPTY = "is empty"
    BLANK = "contains a blank or a control character"
    NO_SCHEME = "does not begin with a scheme"
    OTHER_SCHEME = "is not an http or https URL"
    USER_INFO = "contains a user name or password"
    NO_HOST = "does not name a host"
    HOST = "has an invalid host name"
    COLONS = "has more than one colon in its host"
    BRACKETS = "has an invalid IPv6 address in brackets"
    BEHIND_BRACKET = "has something other than a port behind the ]"
    PORT = "has an invalid port"
    CHARACTER = "contains a character that cannot be encoded"


class InvalidUrl(McpRemoteError):
    """A text that is not a URL of ours, whoever wrote it. Never repeats the text."""

    def __init__(self, fault: UrlFault) -> None:
        super().__init__(f"The URL {fault.value}.")
        self.fault = fault


class ServerUrl(Value, frozen=True):
    """A server's address, its path and query byte for byte as written.

    `host` is ASCII (IDNA) in lower case, without brackets; `target` is path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as in a `Host` header: the port only where it is not the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """RFC 6454 §6.2."""
        return f"{self.scheme}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host surely is this machine (RFC 6761 §6.3, RFC 1122 §3.2.1.3).

        In doubt it is not: this permits plain http. `reach` asks what an address may be, in every
        odd spelling, because it forbids: the two must not become one.
        """
        host = self.host.removesuffix(".")
        return (
            host in ("localhost", "127.0.0.1", "::1")
            or host.endswith(".localhost")
            or (host.startswith("127.") and _LOOPBACK_IPV4.fullmatch(host) is not None)
        )

    @property
    def is_protected(self) -> bool:
        """Whether nobody on the way reads what is sent there: by https, or within this machine."""
        return self.scheme == "https" or self.is_loopback

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


def parse_url(text: str) -> ServerUrl:
    """The address in `text`.

    Only what cannot travel is changed: non-ASCII characters are percent-encoded as UTF-8
    (RFC 3987 §3.1), an empty path becomes `/`, the fragment is dropped (RFC 9110 §4.2.5).

    Raises:
        InvalidUrl: it is not a URL, or it has user info.
    """
    if BLANK.search(text):
        raise InvalidUrl(UrlFault.BLANK)
    scheme, authority, rest = _split(text)
    target = rest.partition("#")[0]
    if "@" in authority:
        raise InvalidUrl(UrlFault.USER_INFO)
    host, port = parse_authority(authority, scheme)
    if not target.startswith("/"):
        target = f"/{target}"
    return ServerUrl(scheme, host, port, _percent_encode(target))


def parse_origin(text: str) -> ServerUrl:
    """The place that the URL in `text` leads to, whatever its path.

    Raises:
        InvalidUrl: as `parse_url`.
    """
    scheme, authority, _ = _split(text)
    return parse_url(f"{scheme}://{authority}")


def parse_authority(authority: str, scheme: str) -> tuple[str, int]:
    """Host (ASCII, lower case, without brackets) and port of `authority` (RFC 3986 §3.2).

    It is without user info; the port is that of `scheme` where none is written.

    Raises:
        InvalidUrl: the host is missing or not valid, or something else than a port follows.
    """
    if authority.startswith("["):
        literal, bracket, port = authority[1:].partition("]")
        address = parse_address(literal)
        if not bracket or address is None or address.version == 4 or "%" in literal:
            raise InvalidUrl(UrlFault.BRACKETS)
        host = str(address)
        if port and not port.startswith(":"):
            raise InvalidUrl(UrlFault.BEHIND_BRACKET)
        port = port[1:]
    else:
        name, _, port = authority.partition(":")
        if ":" in port:
            raise InvalidUrl(UrlFault.COLONS)
        host = _parse_host_name(name)
    return host, parse_port(port) if port else DEFAULT_PORTS[scheme]


def parse_port(text: str) -> int:
    """The port in `text` (RFC 6335 §6).

    Raises:
        InvalidUrl: it is not a number from 1 to 65535.
    """
    is_number = text.isascii() and text.isdigit() and len(text) <= len("65535")
    if not is_number or not 0 < int(text) < 65536:
        raise InvalidUrl(UrlFault.PORT)
    return int(text)


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The IP address in `text`, None where it is not one."""
    import ipaddress  # only here: 3 ms that a host name does not need

    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def encode_idna(name: str) -> str:
    """The ASCII form of an international name (RFC 5891), "" where it has none."""
    import idna  # when it is needed

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ""


# Redirects within a host ----------------------------------------------------------------------


def keep_secure(url: ServerUrl, following: ServerUrl) -> ServerUrl:
    """What is said at `url` to follow; by https where it is http of the same host by mistake."""
    if not is_downgrade(url, following):
        return following
    return following.replace(scheme="https", port=url.port)


def _keep_place(url: ServerUrl, following: ServerUrl) -> ServerUrl:
    """What is said at `url` to follow; at its own port where only a slash at the end is meant.

    A server behind a mapped port, or behind what ends TLS, names its own port with it. What leads
    from http to https is not kept, at whatever port: nothing goes in clear once more.
    """
    is_elsewhere = url.host != following.host or not _is_slash(url.target, following.target)
    if is_elsewhere or (url.scheme, following.scheme) == ("http", "https"):
        return following
    return following.replace(scheme=url.scheme, port=url.port)


def _is_slash(here: str, there: str) -> bool:
    """Whether two targets differ in the slash at the end of the path, and in that alone."""
    path, mark, query = here.partition("?")
    path = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    return there == f"{path}{mark}{query}"


def keep_here(url: ServerUrl, following: ServerUrl) -> ServerUrl:
    """What is said at `url` to follow, by whoever may not know how it is reached."""
    return _keep_place(url, keep_secure(url, following))


def is_downgrade(url: ServerUrl, following: ServerUrl) -> bool:
    """Whether a redirect leads from https to http at the same host, at no port of its own."""
    return (
        (url.scheme, following.scheme) == ("https", "http")
        and url.host == following.host
        and following.port in (80, url.port)
    )


# Parts ----------------------------------------------------------------------------------------


def _split(text: str) -> tuple[str, str, str]:
    """The scheme in lower case, the authority, and all behind it."""
    if not text:
        raise InvalidUrl(UrlFault.EMPTY)
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise InvalidUrl(UrlFault.NO_SCHEME)
    name = scheme[1].lower()
    if name not in DEFAULT_PORTS:
        raise InvalidUrl(UrlFault.OTHER_SCHEME)
    rest = text[scheme.end() :]
    end = min(f"{rest}/?#".index(delimiter) for delimiter in "/?#")
    return name, rest[:end], rest[end:]


def _parse_host_name(name: str) -> str:
    if not name:
        raise InvalidUrl(UrlFault.NO_HOST)
    host = name.lower() if name.isascii() else encode_idna(name)
    labels = host.removesuffix(".").split(".")
    if len(host) > MAX_HOST_LENGTH or not all(map(LABEL.fullmatch, labels)):
        raise InvalidUrl(UrlFault.HOST)
    return host


def _percent_encode(target: str) -> str:
    if target.isascii():
        return target
    try:
        # surrogateescape: bytes of the command line that were not UTF-8 travel as those bytes.
        raw = target.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidUrl(UrlFault.CHARACTER) from None
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)
