"""The HTTP proxy that the environment names for a server, as curl reads its variables.

Loaded where there is such a variable. Must not know how a proxy is spoken to.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.urls import explain_fault
from mcp_remote_py.url import (
    BLANK,
    DEFAULT_PORTS,
    InvalidUrl,
    ServerUrl,
    UrlFault,
    encode_idna,
    parse_address,
    parse_authority,
)
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

_FORM = "Write it in full, for example http://proxy.example.com:3128."


class HttpProxy(Value, frozen=True):
    """A proxy: its address, and who we are to it. `host` is as in `ServerUrl`."""

    scheme: str
    host: str
    port: int
    user_info: Secret | None = None
    """`name:password`, percent-encoded as in a URL (RFC 3986 §3.2.1)."""
    variable: str = ""
    """The variable of the environment that names it."""

    @property
    def address(self) -> str:
        """Its URL without what is secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def name(self) -> str:
        """The proxy as a person knows it: its address, and the variable to look at."""
        return f"{self.address} (from {self.variable})" if self.variable else self.address

    @property
    def credentials(self) -> tuple[bytes, bytes] | None:
        """Name and password (RFC 7617), None where it is not to be told any."""
        if self.user_info is None:
            return None
        from urllib.parse import unquote_to_bytes

        name, _, password = self.user_info.reveal().partition(":")
        return unquote_to_bytes(name), unquote_to_bytes(password)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that no log line may show, in every form they have here."""
        if self.user_info is None or self.credentials is None:
            return ()
        typed = self.user_info.reveal()
        url = self.address.replace("://", f"://{typed}@", 1)
        password = self.credentials[1].decode("utf-8", "replace")
        sent = b64encode(b":".join(self.credentials)).decode()
        return tuple(map(Secret, (url, typed, typed.partition(":")[2], password, sent)))


def choose_http_proxy(server: ServerUrl, environment: Mapping[str, str]) -> HttpProxy | None:
    """The HTTP proxy the environment names for `server`, None for going directly.

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


def _parse_proxy_url(text: str, variable: str) -> HttpProxy:
    what = f"The proxy in {variable}"
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme
    scheme = scheme.lower()
    path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")[2].lower()
    if scheme.startswith("pac+") or path.endswith((".pac", "wpad.dat")):
        raise UsageError(
            f"{what} is the address of a PAC file, which is not read here.",
            hint="Open it in the browser, and name the proxy that it has for the server behind the "
            "word PROXY: http://HOST:PORT.",
        )
    if scheme.startswith("socks"):
        raise UsageError(
            f"{what} is a SOCKS proxy, which is not supported.",
            hint="Supported are http:// and https:// proxies; many proxies speak both, at ports of "
            "their own. Or list the server in NO_PROXY.",
        )
    if scheme not in DEFAULT_PORTS:
        raise UsageError(
            f"{what} is of a kind that is not supported.",
            hint="Supported are http:// and https:// proxies; or list the server in NO_PROXY.",
        )
    if BLANK.search(rest):
        raise UsageError(
            f"{what} contains a blank or a control character.",
            hint="Percent-encode it, a blank as %20.",
        )
    first, *others = re.split(r"[/?#]", rest, maxsplit=1)
    if others and "@" in others[0]:  # what comes first is a part of the password, and no port
        raise UsageError(
            f"{what} has an @ behind a /, ? or #.",
            hint="In the name and the password write / as %2F, ? as %3F and # as %23.",
        )
    user_info, _, authority = first.rpartition("@")
    try:
        host, port = parse_authority(authority, scheme)
    except InvalidUrl as error:
        raise explain_fault(error.fault, what, _FORM) from None
    try:
        user_info.encode()
    except UnicodeEncodeError:  # bytes of the environment that are not UTF-8
        raise explain_fault(UrlFault.CHARACTER, what, _FORM) from None
    return HttpProxy(scheme, host, port, Secret(user_info) if user_info else None, variable)


def _goes_directly(server: ServerUrl, exceptions: Iterable[str]) -> bool:
    """Whether an entry covers the server: `*`, a host with all below it, an address, a network."""
    address = None
    if ":" in server.host or server.host.rpartition(".")[2].isdigit():
        address = parse_address(server.host)
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
            host = host.lower() if host.isascii() else encode_idna(host)
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
