"""Answers of the other side of a sign-in: JSON documents, refusals, and how to quote them.

The seam between `Fetch` and those who judge its answers. Must not know what a document means.
"""

from __future__ import annotations

from typing import cast

import msgspec

from mcp_remote_py.bounds import has_few_parts
from mcp_remote_py.errors import excerpt, shorten
from mcp_remote_py.oauth.steps import Conversation, Fetch, HttpRequest, HttpResponse, ask
from mcp_remote_py.redact import Secret, mask_url

_JSON = Secret("application/json")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def fetch(
    request: HttpRequest, *, follow_redirects: bool = True, patience: float | None = None
) -> Conversation[HttpResponse]:
    """The answer to `request`; `patience` as in `Fetch`.

    Raises:
        NotSent, Interrupted: no answer came.
    """
    return (yield from ask(Fetch(request, follow_redirects, patience)))


def get_json(url: str) -> HttpRequest:
    """A request for a document."""
    return HttpRequest("GET", url, (("accept", _JSON),))


def post_json(url: str, document: dict[str, object]) -> HttpRequest:
    """A request that hands over a document."""
    body = Secret(msgspec.json.encode(document).decode())
    return HttpRequest("POST", url, (("accept", _JSON), ("content-type", _JSON)), body)


def decode_document(body: bytes) -> dict[str, object] | None:
    """The JSON object in `body`, or None where it holds something else."""
    if not has_few_parts(body):
        return None
    try:
        document = msgspec.json.decode(body.removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, RecursionError):  # ValueError: msgspec's own, and of bytes not UTF-8
        return None
    return cast("dict[str, object]", document) if isinstance(document, dict) else None


def is_outage(status: int) -> bool:
    """Whether an answer of this status is not a verdict: asking later may bring one."""
    return status in (408, 425, 429) or (status >= 500 and status != 501)


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
    return f"HTTP {response.status}{shown} from {mask_url(url)}"
