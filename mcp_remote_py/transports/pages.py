"""Pages that stand before a server, for people: sign-ins, checks for browsers, warnings.

They are told by a header, by their words or by where a redirect led. A program cannot pass them, so
they are said for what they are and with what helps, and are not evidence on transport or era. Pure.
Must not know what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mcp_remote_py.errors import EVIDENCE_BYTES
from mcp_remote_py.readings import Source
from mcp_remote_py.transports.body_types import PAGE, read_type
from mcp_remote_py.url import ServerUrl


class Page(NamedTuple):
    """A kind of page, and its marks: each of them alone tells it.

    `header` is a name and a pattern of its value, `words` are looked for in a page, `place` in the
    host and the path that a redirect led to.
    """

    what: str
    hint: str
    source: Source
    header: tuple[bytes, str] = (b"", "")
    words: str = ""
    place: str = ""


_OPEN_PATH = "Whoever runs the server has to let programs pass at this path"
_ASK = "If the server takes a key, give it with --header; else ask who runs it how programs get in"


def _check(who: str) -> str:
    return f"{who}'s check for browsers, which no program passes,"


CHECKS = (
    Page(
        _check("Cloudflare"),
        f"{_OPEN_PATH}: by a rule of its firewall that skips the challenge.",
        Source("Cloudflare", "T16; its page on detecting a challenge: cf-mitigated"),
        header=(b"cf-mitigated", "challenge"),
        words=r"<title>(?:Just a moment|Attention Required! \| Cloudflare)|/cdn-cgi/challenge-",
    ),
    Page(
        _check("AWS WAF"),
        f"{_OPEN_PATH}: by a rule of its web ACL.",
        Source("AWS WAF", "its guide on CAPTCHA and challenge: 202 and 405"),
        header=(b"x-amzn-waf-action", "challenge|captcha"),
    ),
    Page(
        _check("Vercel"),
        f"{_OPEN_PATH}, or give its bypass with --header.",
        Source("Vercel", "its pages on attack challenge mode: 429"),
        header=(b"x-vercel-mitigated", "challenge"),
        words=r"<title>Vercel Security Checkpoint",
    ),
    Page(
        _check("DataDome"),
        f"{_OPEN_PATH}.",
        Source("DataDome", "its pages on what is blocked"),
        header=(b"x-dd-b", "."),
        words=r"captcha-delivery\.com",
    ),
    Page(
        _check("Imperva"),
        f"{_OPEN_PATH}.",
        Source("Imperva", "its pages on error codes"),
        words=r"_Incapsula_Resource|Incapsula incident ID",
    ),
    Page(
        "Akamai's firewall",
        f"{_OPEN_PATH}; it asks for the reference in the page.",
        Source("Akamai", "its pages on Access Denied"),
        words=r"<H1>Access Denied</H1>[^<]*<[^<]*You don't have permission",
    ),
    Page(
        _check("Anubis"),
        f"{_OPEN_PATH}.",
        Source("Anubis", "its page in use"),
        words=r"Making sure you(?:'|&#39;|&#x27;)re not a bot",
    ),
    Page(
        "The warning of ngrok for browsers",
        'Add --header "ngrok-skip-browser-warning: 1".',
        Source("ngrok", "its list of errors: ERR_NGROK_6024"),
        header=(b"ngrok-error-code", "ERR_NGROK_6024"),
        words="ERR_NGROK_6024",
    ),
)
"""What looks whether a browser asks. The words are looked for in pages of any status."""

SIGN_INS = (
    Page(
        "the sign-in page of Cloudflare Access",
        "Give a service token with --header: CF-Access-Client-Id and CF-Access-Client-Secret.",
        Source("Cloudflare Access", "T16; its pages on service tokens"),
        place=r"\.cloudflareaccess\.com/|/cdn-cgi/access/",
    ),
    Page(
        "the sign-in page of Vercel",
        'Give the bypass of its protection: --header "x-vercel-protection-bypass: ...".',
        Source("Vercel", "T16; its pages on deployment protection"),
        place=r"(?:^|\.)vercel\.com/(?:sso|login)",
    ),
    Page(
        "the sign-in page of oauth2-proxy",
        "Whoever runs it can have it skip this path, or take a bearer token there (--header).",
        Source("oauth2-proxy", "T16; its options skip-auth-route and skip-jwt-bearer-tokens"),
        place=r"/oauth2/(?:start|sign_in|auth)\b",
    ),
    Page(
        "the sign-in page of Microsoft",
        f"{_ASK}.",
        Source("Entra ID, App Service", "T16; its pages on authentication"),
        place=r"^login\.(?:microsoftonline|live|windows)\.[a-z]+/|/\.auth/login",
    ),
    Page(
        "the sign-in page of Google",
        "Give an identity token for its audience with --header-command, or ask who runs it.",
        Source("Identity-Aware Proxy", "T16; its pages on programmatic authentication"),
        place=r"^accounts\.google\.com/",
    ),
    Page(
        "a sign-in page for people",
        f"{_ASK}.",
        Source("web frameworks, single sign-on", "T16"),
        place=(
            r"^(?:[a-z0-9-]+\.)*(?:login|signin|sso|idp|accounts?|auth)\.[^/]*/"
            r"|[/._-](?:log[-_]?[io]n|sign[-_]?[io]n|sso|saml2?|session/new)(?:[/._-]|$)"
        ),
    ),
)
"""Where a redirect to a sign-in leads. The first that fits counts."""


def find_check(headers: Mapping[bytes, bytes], body: bytes) -> Page | None:
    """The check for browsers that an answer is."""
    for page in CHECKS:
        name, value = page.header
        if name and re.search(value.encode(), headers.get(name, b""), re.IGNORECASE):
            return page
    named = headers.get(b"content-type", b"").partition(b";")[0].decode("latin-1")
    if read_type(named.strip().lower(), body) != PAGE:
        return None
    start = body[:EVIDENCE_BYTES]
    found = (page for page in CHECKS if page.words and re.search(page.words.encode(), start))
    return next(found, None)


def find_sign_in(url: ServerUrl, server: ServerUrl) -> Page | None:
    """The sign-in page that a redirect of `server` to this URL leads to.

    The name of the server's own host does not tell anything.
    """
    host = "" if url.host == server.host else url.host
    place = f"{host}{url.target.partition('?')[0]}".lower()
    return next((page for page in SIGN_INS if page.place and re.search(page.place, place)), None)
