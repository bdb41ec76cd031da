"""Says what a person was sent to sign in with, and by which option each part of it changes.

Servers show what they do not like on a page of their own, and wait for somebody else there; nothing
of it comes back here. So whoever waited in vain is told what was asked. Pure. Must not know why a
sign-in ended, nor how anybody is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from mcp_remote_py.errors import LOGIN_COMMAND, shorten
from mcp_remote_py.oauth.steps import Credential, NobodyCame, PendingAuthorization
from mcp_remote_py.redact import mask_url


class SentPart(NamedTuple):
    """A parameter of an authorization request (RFC 6749 §4.1.1) that servers stumble over."""

    name: str
    option: str
    is_url: bool = False
    """Whether it is shown as URLs are: without what may be a key."""


SENT_PARTS = (
    # OpenID Connect Core §3.1.2.1. An administrator's approval is asked for by some.
    SentPart("prompt", "--authorize-param prompt=..."),
    SentPart("scope", "--scope"),
    # Whole: it is this machine's, and a person may have to register it to the letter.
    SentPart("redirect_uri", "a port behind the server's URL, --host or --callback-path"),
    # RFC 8707 §2
    SentPart("resource", "--resource or --disable-resource-parameter", is_url=True),
)


def describe_sent(endpoint: str, sent: Mapping[str, str]) -> tuple[str, str]:
    """The sentence that says what was sent to `endpoint`, and the one that says how it changes."""
    parts = [one for one in SENT_PARTS if sent.get(one.name) or one.name == "scope"]
    said = ", ".join(_show(one, sent.get(one.name, "")) for one in parts)
    change = "; ".join(f"{one.name} by {one.option}" for one in parts)
    return (
        f"What was sent to {mask_url(endpoint)}: {said}.",
        f"If that page shows an error or waits for somebody else, change it: {change}.",
    )


def _show(part: SentPart, value: str) -> str:
    if not value:
        return f"no {part.name}"
    shown = shorten(mask_url(value) if part.is_url else value)
    return f'{part.name}="{shown}"' if " " in shown else f"{part.name}={shown}"


def describe_redirect_uri(credential: Credential) -> str:
    """What a client that was not registered by us needs; "" for one that was."""
    client, uri = credential.client, shorten(credential.redirect_uri)
    name = shorten(client.client_id)
    if not uri or client.origin == "registered":
        return ""
    if client.origin == "document":
        return f"The document {mask_url(name)} must list this redirect URI, to the letter: {uri}"
    return f"The client {name} must be registered with this redirect URI, to the letter: {uri}"


def describe_request(pending: PendingAuthorization) -> tuple[str, str]:
    """As `describe_sent`, with what its client needs."""
    parts = urlsplit(pending.url)
    said, change = describe_sent(
        f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query))
    )
    redirect = describe_redirect_uri(pending.credential)
    return said, f"{redirect}. {change}" if redirect else change


def explain_absence(cause: str, hint: str, pending: PendingAuthorization) -> NobodyCame:
    """The person did not come back, which is `cause`; `hint` is what helps whatever was sent."""
    said, change = describe_request(pending)
    return NobodyCame(f"{cause} {said}", hint=f"{change} {hint}")


def describe_asked(endpoint: str, credential: Credential) -> tuple[str, str]:
    """As `describe_sent`, for a code that a person enters elsewhere (RFC 8628 §3.1)."""
    return describe_sent(endpoint, {"scope": credential.scope, "resource": credential.resource})


TRY_AGAIN = f"To try again: {LOGIN_COMMAND}; --auth-timeout gives more time."
