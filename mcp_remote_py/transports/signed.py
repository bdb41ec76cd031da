"""Refusals of signed requests: whether to sign once more, and whose words they are.

AWS looks at a signature before the server behind it sees the request. An answer with the id of the
request comes from that server, and is the answer whatever its status; but for an error that is
AWS's own, which a gateway of AWS that speaks MCP gives the id of the request. Must not know what a
signature is, nor what AWS says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from mcp_remote_py.channel import Signer
from mcp_remote_py.errors import ExchangeError, Refused, Unusable
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.redact import mask_url
from mcp_remote_py.retry import may_have_effect
from mcp_remote_py.transports.refusal import find_answer
from mcp_remote_py.transports.response import Response
from mcp_remote_py.url import ServerUrl

MAX_SIGNED_AGAIN = 2
"""Times one request may be signed again after a refusal: with other keys, and with another time."""

UNAUTHORIZED = 401
"""Says itself that nothing was done (RFC 9110 §15.5.2)."""

ReadBody = Callable[[Response], Awaitable[bytes | None]]

_HINT = (
    "The request was signed with AWS keys (--aws-sigv4): if the server signs people in itself, "
    "leave that option out; else ask who runs it what this identity of AWS may do."
)


def check_place(signer: Signer, server: ServerUrl, url: ServerUrl) -> None:
    """`url` is where a server leads, by a redirect or an endpoint, from the address `server`.

    Raises:
        Unusable: its host is that of a service of AWS and its path another: what is there may be
            somebody else's, or another of the same person's, and takes the signature as well.
    """
    if _path(url) != _path(server) and signer.shares_host(url):
        raise Unusable(
            f"The server leads to another path of its host, {mask_url(str(url))}: at this host of "
            "AWS others may be there, and nothing is signed for them.",
            hint="If you trust what is there, put that URL into the config entry.",
        )


def _path(url: ServerUrl) -> str:
    return url.target.partition("?")[0].rstrip("/")


def is_error_of_aws(signer: Signer, response: Response, body: bytes, answer: Message) -> bool:
    """Whether the answer in a body is an error that AWS gives in place of the server's."""
    return answer.is_error and signer.explain(response.status, response.headers, body) is not None


async def sign_anew(
    signer: Signer, response: Response, read_body: ReadBody, asked: Message | None, times: int
) -> bool:
    """Whether the refused request is to be signed with something new, and sent once more.

    `times` is how often that was done before. `read_body` gives the refusal's body, None where it
    does not come soon. The connection is given back before the signer is asked: reading keys may
    take seconds.
    """
    used = response.signature
    if used is None or times >= MAX_SIGNED_AGAIN or not 400 <= response.status < 500:
        return False
    body = await read_body(response)
    if body is None:
        return False
    answer = find_answer(body, response.content_type, asked)
    if answer is not None and not is_error_of_aws(signer, response, body, answer):
        return False
    about = (response.status, response.headers, body)
    # A 403 that is not in AWS's words may come from behind it, where things were done already; so
    # may one with the id, of what the caller may do. Then other keys are for the next request.
    is_sure = response.status == UNAUTHORIZED or signer.is_of_signature(*about)
    is_sure = is_sure or (answer is None and signer.explain(*about) is not None)
    await response.aclose()
    is_new = await signer.refused(used, *about)
    return is_new and (is_sure or asked is None or not may_have_effect(asked))


def explain_signed(
    signer: Signer,
    response: Response,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    request: Message | None,
    otherwise: ExchangeError,
) -> ExchangeError:
    """The error for a refusal of a signed request; `otherwise` where it is not one of AWS.

    `headers` and `body` have no secret of ours in them. AWS's has no status: the server has not
    seen the request, so no other transport is tried because of it. One of the server behind it gets
    a next step that fits: neither a header nor a sign-in.
    """
    answer = find_answer(body, response.content_type, request)
    told = signer.explain(response.status, headers, body)
    if told is None or (answer is not None and not answer.is_error):
        is_own = type(otherwise) is Refused and otherwise.status in (401, 403)
        return otherwise.with_hint(_HINT) if is_own else otherwise
    cause, hint = told
    if answer is None:
        return Refused(cause, hint=hint)
    return Refused(cause, hint=hint, body=answer.raw, is_answer=True, in_our_words=True)
