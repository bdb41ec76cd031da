"""URLs that a person writes: what may be used, and what to write instead, in their words.

What a URL is, `url` knows. Must not know what a URL is for beyond what its sentence says.
"""

from __future__ import annotations

from mcp_remote_py.errors import UsageError
from mcp_remote_py.key_shapes import may_be_key
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import mask_host
from mcp_remote_py.url import InvalidUrl, ServerUrl, UrlFault, parse_url

_SERVER = "The server URL"
_SERVER_FORM = "Write it in full, for example https://example.com/mcp."
_IPV6_FORM = "Write an IPv6 address in brackets, as in [2001:db8::1]:8443."

_HINTS = {
    UrlFault.HOST: "Replace placeholders such as <your-server> by the real name.",
    UrlFault.COLONS: _IPV6_FORM,
    UrlFault.BRACKETS: _IPV6_FORM,
    UrlFault.BEHIND_BRACKET: _IPV6_FORM,
    UrlFault.PORT: "A port is a number from 1 to 65535.",
    UrlFault.CHARACTER: "Write it percent-encoded, as %XX.",
}
"""The next step for a fault, wherever the URL stands."""

_SERVER_HINTS = {
    UrlFault.BLANK: "Give it as one argument; write a blank inside it as %20.",
    UrlFault.USER_INFO: "Leave it out and pass it with"
    ' --header "Authorization: Basic ${CREDENTIALS}".',
}

_NOT_HTTPS = (UrlFault.EMPTY, UrlFault.BLANK, UrlFault.NO_SCHEME, UrlFault.OTHER_SCHEME)


_NAME = lazy_pattern(r"[A-Za-z][A-Za-z0-9_-]{0,20}")
"""What may be the name of an entry in the place of an address."""


def explain_fault(fault: UrlFault, what: str, form: str) -> UsageError:
    """The error for the person; `what` names the URL, `form` says how it is written."""
    return UsageError(f"{what} {fault.value}.", hint=_HINTS.get(fault, form))


def parse_server_url(text: str, allow_http: bool = False) -> ServerUrl:
    """The address of an MCP server; see `url.parse_url`.

    Plain http is for loopback, elsewhere only with `allow_http` (promise S4).

    Raises:
        UsageError: it is not a URL, or one that must not be used.
    """
    try:
        url = parse_url(text)
    except InvalidUrl as error:
        scheme = text.partition(":")[0].lower()
        if error.fault is UrlFault.OTHER_SCHEME and not may_be_key(scheme):
            raise UsageError(
                f"{_SERVER} begins with {scheme}://.",
                hint="A remote MCP server is reached by https:// (or http:// on this machine).",
            ) from None
        if error.fault is UrlFault.NO_SCHEME and _NAME.fullmatch(text):
            # It is not repeated: what is not the name of an entry may be a secret.
            raise UsageError(
                f"{_SERVER} is a word, not an address: an address begins with https://.",
                hint="To check an entry of a host by its name: mcp-remote-py check NAME",
            ) from None
        raise explain_fault(
            error.fault, _SERVER, _SERVER_HINTS.get(error.fault, _SERVER_FORM)
        ) from None
    if not url.is_protected and not allow_http:
        raise UsageError(
            f"Plain http to {mask_host(url.host)} would let the network read every header and"
            " message.",
            hint="Use https, or add --allow-http if that network is trusted.",
        )
    return url


def parse_plain_url(text: str, option: str, form: str, allow_http: bool = False) -> ServerUrl:
    """A URL that `option` gives: https, or http to this machine, without fragment.

    `form` is an example of one. Nothing is changed in it: what is not ASCII is refused.

    Raises:
        UsageError: it is not such a URL.
    """
    hint = f"Write it in full, for example {form}."
    try:
        url = parse_url(text)
    except InvalidUrl as error:
        if error.fault in _NOT_HTTPS or not text.isascii():
            raise UsageError(f"{option} is not an https URL.", hint=hint) from None
        if error.fault is UrlFault.USER_INFO:
            hint = "Leave it out."
        raise explain_fault(error.fault, option, hint) from None
    if not text.isascii():
        raise UsageError(f"{option} is not an https URL.", hint=hint)
    if "#" in text:
        raise UsageError(f"{option} has a fragment.", hint="Leave out what begins with #.")
    if not url.is_protected and not allow_http:
        raise UsageError(f"{option} is plain http to another machine.", hint="Use https.")
    return url
