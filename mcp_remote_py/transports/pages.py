"""Pages that stand before a server, for people: sign-ins, checks for browsers, firewalls, warnings.

They are told by a header, by their words or by where a redirect led. A program cannot pass them, so
they are said for what they are and with what helps, and are not evidence on transport or era. Pure.
Must not know what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mcp_remote_py.readings import Source
from mcp_remote_py.transports.body_types import PAGE, read_type
from mcp_remote_py.url import ServerUrl

_LOOKED_AT = 16 * 1024
"""Bytes of a page that are looked through: with all rows it is some milliseconds."""

_SHORT = 100
"""Bytes of a body that is compared as a whole."""


class Page(NamedTuple):
    """A kind of page, and its marks: each of them alone tells it.

    `header` is a name and a pattern of its value, `words` are looked for in a page, `place` in the
    host and the path that a redirect led to; `text` is all of a body, of any type.
    """

    what: str
    hint: str
    source: Source
    header: tuple[bytes, str] = (b"", "")
    words: str = ""
    place: str = ""
    text: str = ""
    statuses: frozenset[int] = frozenset()
    """Only by one of these, where any page of a site may have such words; empty for any."""


_OPEN_PATH = "Whoever runs the server has to let programs pass at this path"
_ASK = "If the server takes a key, give it with --header; else ask who runs it how programs get in"


def _check(who: str) -> str:
    return f"{who}'s check for browsers, which no program passes,"


_REFUSALS = frozenset({403, 429, 503})
"""Not 401: who asks for a credential shows the page for it, with what is in every page."""

CHECKS = (
    Page(
        _check("Cloudflare"),
        f"{_OPEN_PATH}: by a rule of its firewall that skips the challenge.",
        Source("Cloudflare", "T16; its page on detecting a challenge: cf-mitigated"),
        header=(b"cf-mitigated", "challenge"),
        words=r"<title>(?:Just a moment|Attention Required! \| Cloudflare)",
    ),
    Page(
        _check("Cloudflare"),
        f"{_OPEN_PATH}: by a rule of its firewall that skips the challenge.",
        Source("Cloudflare", "its page on JavaScript detections: a script of it in every page"),
        words=r"/cdn-cgi/challenge-",
        statuses=_REFUSALS,
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
        words=(
            r"<iframe\b[^<]{0,300}_Incapsula_Resource|Incapsula incident ID"
            r"|noindex, ?nofollow[^<]{0,9}<script\b[^<]{0,60}_Incapsula_Resource"
        ),
    ),
    Page(
        _check("Imperva"),
        f"{_OPEN_PATH}.",
        Source("Imperva", "the same; but a script of it is in every page"),
        words=r"_Incapsula_Resource",
        statuses=_REFUSALS,
    ),
    Page(
        "Akamai's firewall",
        f"{_OPEN_PATH}; it asks for the reference in the page.",
        Source("Akamai", "its pages on Access Denied"),
        words=r"<H1>Access Denied</H1>[^<]*(?:<[^<]*)?You don(?:'|&#39;)t have permission",
    ),
    Page(
        "Cloudflare's firewall",
        f"{_OPEN_PATH}; the code is in its list of 1xxx errors.",
        Source("Cloudflare", "its pages on 1xxx errors: these are for who asks, others for it"),
        words=r"<title>Access denied \| [^<]{1,100} used Cloudflare",
        text=r"error code: (?:100[5-9]|1010|1012|1020|1106)",
    ),
    Page(
        "F5's firewall",
        f"{_OPEN_PATH}; it asks for the support ID in the page.",
        Source("F5 BIG-IP", "its default blocking page, of status 200"),
        words=r"The requested URL was rejected\. Please consult",
    ),
    Page(
        "Sucuri's firewall",
        f"{_OPEN_PATH}.",
        Source("Sucuri", "its block page"),
        words=r"Sucuri Web[Ss]ite Firewall",
    ),
    Page(
        "FortiWeb's firewall",
        f"{_OPEN_PATH}.",
        Source("Fortinet", "its block pages: FortiWeb, FortiGuard"),
        words=r"FortiGuard|FortiWeb|Web Page Blocked",
    ),
    Page(
        _check("HUMAN"),
        f"{_OPEN_PATH}.",
        Source("HUMAN, once PerimeterX", "its block page"),
        words=r"px-captcha|/px/captcha|perimeterx",
        statuses=_REFUSALS,
    ),
    Page(
        _check("Kasada"),
        f"{_OPEN_PATH}.",
        Source("Kasada", "its header, by 429"),
        header=(b"x-kpsdk-ct", "."),
    ),
    Page(
        "A captcha, which no program passes,",
        f"{_OPEN_PATH}.",
        Source("hCaptcha, reCAPTCHA, Turnstile, Google", "their pages on embedding"),
        words=(
            r"hcaptcha\.com/1/api|google\.com/recaptcha|challenges\.cloudflare\.com/turnstile"
            r"|unusual traffic from your computer network"
        ),
        statuses=_REFUSALS,
    ),
    Page(
        "Vercel's protection of deployments",
        'Give its bypass: --header "x-vercel-protection-bypass: ...".',
        Source("Vercel", "its pages on deployment protection: 401"),
        header=(b"set-cookie", "_vercel_sso_nonce"),
        words=r"vercel\.com/sso-api",
    ),
    Page(
        "The warning of localtunnel for browsers",
        'Add --header "bypass-tunnel-reminder: 1".',
        Source("localtunnel", "its reminder page: 401 and 511"),
        words=r"bypass-tunnel-reminder|loca\.lt",
    ),
    Page(
        "The page of ngrok for a tunnel that does not lead anywhere",
        "Start what it leads to, or check its address; the page names the code of the error.",
        Source("ngrok", "its list of errors: ERR_NGROK_3200, ERR_NGROK_8012"),
        header=(b"ngrok-error-code", r"ERR_NGROK_(?!6024)\d+"),
        words=r"ERR_NGROK_(?!6024)\d+",
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
"""What looks whether a browser asks, or lets nobody pass. The first that fits counts."""

FORMS = (
    Page(
        "A page of single sign-on",
        f"{_ASK}.",
        Source("SAML 2.0 Bindings", "§3.5: a form that sends itself"),
        words=r"name=[\"']?SAML(?:Request|Response)\b",
    ),
    Page(
        "A sign-in page for people",
        f"{_ASK}.",
        Source("web frameworks, portals", "T16: many sites have a form in every page, too"),
        words=r"<title>[^<]{0,60}\b(?:log[ -]?in|sign[ -]?in|anmelde|connexion|iniciar sesi)",
    ),
)
"""The same, of pages that ask a person who they are; the server may have another way in."""

SIGN_INS = (
    Page(
        "the sign-in of Zscaler",
        "Sign in to it with this machine's browser, or have the network let this pass.",
        Source("Zscaler", "its pages on authentication: 307 to a gateway"),
        place=r"(?:^|\.)zscaler[a-z]*\.(?:net|com)/",
    ),
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
            r"|/(?:oauth2?|oidc|openid-connect|authorize|adfs|outpost\.goauthentik\.io)(?:[/._-]|$)"
            r"|^[^/]*\.(?:okta|oktapreview|auth0|onelogin|pingone|pingidentity|duosecurity)\.com/"
            r"|^[^/]*\.visualstudio\.com/auth\b"
        ),
    ),
)
"""Where a redirect to a sign-in leads. The first that fits counts."""


def find_form(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Page | None:
    """The page that an answer is, and that asks a person who they are."""
    is_form = status < 300 or status in (401, 403)  # others have their own meaning
    return _find_words(status, headers, body, FORMS) if is_form else None


def find_check(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Page | None:
    """The page of a check, a firewall or a tunnel that an answer is."""
    for page in CHECKS:
        name, value = page.header
        if name and re.search(value.encode(), headers.get(name, b""), re.IGNORECASE):
            return page
    return _find_words(status, headers, body, CHECKS)


def _find_words(
    status: int, headers: Mapping[bytes, bytes], body: bytes, pages: tuple[Page, ...]
) -> Page | None:
    if len(body) < _SHORT:
        for page in pages:
            if page.text and re.fullmatch(page.text.encode(), body.strip()):
                return page
    named = headers.get(b"content-type", b"").partition(b";")[0].decode("latin-1")
    if read_type(named.strip().lower(), body) != PAGE:
        return None
    start = body[:_LOOKED_AT]
    found = (
        page
        for page in pages
        if page.words
        and (not page.statuses or status in page.statuses)
        and re.search(page.words.encode(), start, re.IGNORECASE)
    )
    return next(found, None)


def find_sign_in(url: ServerUrl, server: ServerUrl) -> Page | None:
    """The sign-in page that a redirect of `server` to this URL leads to.

    The name of the server's own host does not tell anything.
    """
    host = "" if url.host == server.host else url.host
    place = f"{host}{url.target.partition('?')[0]}".lower()
    return next((page for page in SIGN_INS if page.place and re.search(page.place, place)), None)
