"""Refusals of signed requests: whether to sign once more, and whose words they are.

AWS looks at a signature before the server behind it sees the request. An answer with the id of the
request comes from that server, and is the answer whatever its status. Must not know what a
signature is, nor what AWS says.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.channel import Signer
from mcp_remote_py.errors import ExchangeError, Refused
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.transports.refusal import find_answer
from mcp_remote_py.transports.response import Response

_HINT = (
    "The request was signed with AWS keys (--aws-sigv4): if the server signs people in itself, "
    "leave that option out; else ask who runs it what this identity of AWS may do."
)


def may_be_of_aws(response: Response) -> bool:
    """Whether an answer may be a refusal of the signature."""
    return response.signature is not None and 400 <= response.status < 500


async def sign_anew(
    signer: Signer, response: Response, body: bytes | None, asked: Message | None
) -> bool:
    """Whether the refused request is to be signed with something new, and sent once more.

    `body` is the refusal's, None where it did not come. The connection is given back where the
    signer is asked: keys may take seconds to read.
    """
    used = response.signature
    if used is None or body is None:
        return False
    if find_answer(body, response.content_type, asked) is not None:
        return False
    await response.aclose()
    return await signer.refused(used, response.status, response.headers, body)


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
    is_answer = find_answer(body, response.content_type, request) is not None
    told = None if is_answer else signer.explain(response.status, headers, body)
    if told is None:
        is_own = type(otherwise) is Refused and otherwise.status in (401, 403)
        return otherwise.with_hint(_HINT) if is_own else otherwise
    cause, hint = told
    return Refused(cause, hint=hint)
