"""Answers of the other side of a sign-in: JSON documents, refusals, and how to quote them.

The seam between `Fetch` and those who judge its answers: what is absent from a document, and where
a POST is led on to, is the same for all of them. Must not know what a document means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from urllib.parse import urljoin

import msgspec

from mcp_remote_py.errors import excerpt, shorten
from mcp_remote_py.json_text import decode_json_object
from mcp_remote_py.oauth.steps import Conversation, Fetch, HttpRequest, HttpResponse, ask
from mcp_remote_py.redact import Secret, mask_url
from mcp_remote_py.retry import parse_retry_after
from mcp_remote_py.time_words import describe_wait, to_moment
from mcp_remote_py.url import InvalidUrl, keep_here, parse_url

_JSON = Secret("application/json")

MAX_POST_REDIRECTS = 2
"""Times that what is posted to one address is led on within its origin, in one exchange: a final
slash, and one thing more."""

_LEADS_ON = (307, 308)
"""The method and the body stay the same (RFC 9110 §15.4.8 and §15.4.9); after any other redirect a
client may ask by GET, and such an endpoint has nothing to say to that."""


def fetch(
    request: HttpRequest, *, follow_redirects: bool = True, patience: float | None = None
) -> Conversation[HttpResponse]:
    """The answer to `request`; `patience` as in `Fetch`.

    Raises:
        NotSent, Interrupted: no answer came.
    """
    return (yield from ask(Fetch(request, follow_redirects, patience)))


class Posting:
    """The POSTs of one exchange with one address: each hold something of ours, such as a code.

    What they hold goes where it belongs, and nowhere else. A redirect that keeps method and body is
    followed within the origin, for frameworks add or take away a final slash so; any other one is
    the answer. What is asked for in another reading goes at once to where the first was led.
    """

    def __init__(self) -> None:
        self._place = ""
        self._left = MAX_POST_REDIRECTS

    def post(
        self, request: HttpRequest, *, patience: float | None = None
    ) -> Conversation[HttpResponse]:
        """The answer; `patience` as in `Fetch`.

        Raises:
            NotSent, Interrupted: no answer came.
        """
        request = request._replace(url=self._place or request.url)
        while True:
            response = yield from fetch(request, follow_redirects=False, patience=patience)
            target = _led_on(request.url, response)
            if not target or not self._left:
                return response
            self._left -= 1
            self._place = target
            request = request._replace(url=target)


def _led_on(url: str, response: HttpResponse) -> str:
    """Where the same is to be asked for once more, "" where that is nowhere to be followed to."""
    location = response.headers.get("location", "").strip()
    return lead_within(url, location) if location and response.status in _LEADS_ON else ""


def lead_within(url: str, location: str) -> str:
    """The URL that a redirect at `url` leads to, "" where it leads out of the origin, or nowhere.

    A server behind what ends TLS names http, or its own port, and means itself: what is asked for
    stays where it is asked for. As a URL: what is written there may have characters that none has.
    """
    try:
        here = parse_url(url)
        there = parse_url(urljoin(url, location).partition("#")[0])
    except (ValueError, InvalidUrl):  # what a server wrote there is not a URL
        return ""
    kept = keep_here(here, there)
    is_vain = kept == here != there  # it would lead here again and again
    return str(kept) if kept.origin == here.origin and not is_vain else ""


def name_target(response: HttpResponse) -> str:
    """Where a redirect leads that was not followed, masked; "" for any other answer."""
    location = response.headers.get("location", "").strip()
    if not location or not 300 <= response.status < 400:
        return ""
    return shorten(mask_url(location))


def get_json(url: str) -> HttpRequest:
    """A request for a document."""
    return HttpRequest("GET", url, (("accept", _JSON),))


def post_json(url: str, document: dict[str, object]) -> HttpRequest:
    """A request that hands over a document."""
    body = Secret(msgspec.json.encode(document).decode())
    return HttpRequest("POST", url, (("accept", _JSON), ("content-type", _JSON)), body)


def decode_document(body: bytes) -> dict[str, object] | None:
    """The members of the OAuth document in `body`, or None where it holds something else.

    What is empty or null is absent: some frameworks write every member they know (field note 8).
    """
    document = decode_json_object(body)
    return None if document is None else drop_absent(document)


def drop_absent(members: Mapping[str, object]) -> dict[str, object]:
    """`members` without those that do not say anything, and their lists without such items."""
    return {
        name: [item for item in cast("list[object]", value) if not _is_absent(item)]
        if isinstance(value, list)
        else value
        for name, value in members.items()
        if not _is_absent(value)
    }


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def is_outage(status: int) -> bool:
    """Whether an answer of this status is not a verdict: asking later may bring one."""
    return status in (408, 425, 429) or (status >= 500 and status != 501)


MAX_WAIT = 86400.0
"""Seconds: more than a day is asked for by mistake."""

MOMENT = 5.0
"""Seconds. Where a server says to come again so soon, a call waits for it."""


def read_retry_after(response: HttpResponse, now: float) -> float | None:
    """Seconds in which it asks us to come again (RFC 9110 §10.2.3), None where it does not.

    At most `MAX_WAIT`. `now` is in seconds since the epoch, 0 where that is not known: then a date
    says nothing.
    """
    wait = parse_retry_after(response.headers.get("retry-after", ""), now or None)
    return None if wait is None else min(wait, MAX_WAIT)


def hint_at_wait(wait: float, now: float) -> str:
    """The next step after that: it may be read again later, and so names the time."""
    is_today = 0 < wait < MAX_WAIT  # else the time of day says nothing
    moment = to_moment(now + wait) if now and is_today else None
    until = f", until {moment:%H:%M:%S} UTC" if moment else ""
    return f"It asks to wait for {describe_wait(wait)}{until}."


def quote(text: str) -> str:
    """A foreign text in quotation marks, on one line and not too long."""
    return f'"{shorten(text)}"'


def describe(url: str, response: HttpResponse) -> str:
    """The evidence: what came from where. For answers that cannot hold a secret: it quotes them."""
    words = excerpt(response.body)
    said = f': "{words}"' if words else ""
    return describe_briefly(url, response) + said


def describe_briefly(url: str, response: HttpResponse) -> str:
    """The evidence without a word of the body, which may hold a secret."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    shown = f", {quote(kind)[1:-1]}," if 200 <= response.status < 300 and kind else ""
    target = name_target(response)
    led = f", which redirects to {target}" if target else ""
    return f"HTTP {response.status}{shown} from {mask_url(url)}{led}"
