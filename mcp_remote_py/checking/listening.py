"""Opens the listening stream for a moment, by `httpx-sse`, and says what came of it.

With the person's headers and token, to the server's own origin alone. Loaded where there may be
such a stream. Must not know what is said of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import httpx_sse

from mcp_remote_py.checking.talk import ServerTalk, login_to
from mcp_remote_py.diagnosis.steps import CheckStep
from mcp_remote_py.diagnosis.streams import (
    Listened,
    describe_broken_stream,
    describe_listening,
    describe_silent_stream,
)
from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.signin.fetch import map_error
from mcp_remote_py.tls import build_tls_context
from mcp_remote_py.versions import NEWEST_HANDSHAKE

LISTENING_PATIENCE = 1.0
"""Seconds that the stream is looked at, once it is there."""

HEADERS_PATIENCE = 2.0
"""Seconds that its headers have."""

MAX_EVENTS = 100
"""Events that are looked at."""

LONGEST_TOLD_RETRY = 10**9
"""Milliseconds of a `retry` that are told; a server may write any number."""

MAX_STREAM_BYTES = 1024 * 1024
"""Bytes that are looked at: httpx-sse keeps a line whole, however long it is."""


async def open_listening_stream(talk: ServerTalk) -> CheckStep:
    """The listening stream of Streamable HTTP, within the session that was begun."""
    seconds = min(HEADERS_PATIENCE, talk.time_left)
    try:
        async with asyncio.timeout(seconds + LISTENING_PATIENCE), _make_client(talk) as client:
            listened = await _open(client, talk, seconds)
    except (TimeoutError, httpx.ReadTimeout):
        return describe_silent_stream(seconds)
    except McpRemoteError as error:
        return describe_broken_stream(error)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return describe_broken_stream(map_error(error, talk.address))
    return describe_listening(listened, 0.0 if talk.answered is None else talk.answered.seconds)


def _make_client(talk: ServerTalk) -> httpx.AsyncClient:
    network = talk.settings.network
    proxy = network.proxy_for(talk.server)
    transport = httpx.AsyncHTTPTransport(
        verify=build_tls_context(network.tls),
        trust_env=False,
        proxy=None if proxy is None else httpx.Proxy(proxy.address, auth=login_to(proxy)),
        local_address="0.0.0.0" if network.ipv4 else None,  # noqa: S104 - no listener
    )
    return httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)


async def _open(client: httpx.AsyncClient, talk: ServerTalk, seconds: float) -> Listened:
    # As bytes: what a server calls a session, or a person writes, need not be ASCII.
    sent = {b"mcp-protocol-version": NEWEST_HANDSHAKE.encode(), b"accept-encoding": b"identity"}
    if talk.session_id:
        sent[b"mcp-session-id"] = talk.session_id
    for name, value in await talk.get_headers(b"GET", str(talk.server)):
        sent[name.lower()] = value
    headers = httpx.Headers(list(sent.items()))
    clock = asyncio.get_running_loop()
    began = clock.time()
    async with httpx_sse.aconnect_sse(
        client, "GET", str(talk.server), headers=headers, timeout=seconds
    ) as source:
        answer = source.response
        kind = answer.headers.get("content-type", "")
        listened = Listened(answer.status_code, kind, clock.time() - began)
        return await _follow(answer, listened) if 200 <= answer.status_code < 300 else listened


async def _follow(answer: httpx.Response, listened: Listened) -> Listened:
    clock = asyncio.get_running_loop()
    began = clock.time()
    events, ids, retry, odd, has_ended = 0, 0, None, "", False
    try:
        came = httpx_sse.EventSource(_bounded(answer)).aiter_sse()
        async with asyncio.timeout(LISTENING_PATIENCE), contextlib.aclosing(came):
            async for event in came:
                events += 1
                ids += bool(event.id)
                retry = (
                    retry if event.retry is None else min(event.retry, LONGEST_TOLD_RETRY) / 1000
                )
                if events >= MAX_EVENTS:
                    break
            else:
                has_ended = True
    except TimeoutError:
        pass  # it stays open, as it should
    except httpx_sse.SSEError as error:
        odd = str(error)
    except httpx.DecodingError as error:
        odd = str(error)
    except httpx.HTTPError:
        has_ended = True
    return listened.replace(
        open_for=clock.time() - began,
        has_ended=has_ended,
        events=events,
        has_ids=ids > 0,
        retry=retry,
        odd=odd,
    )


def _bounded(answer: httpx.Response) -> httpx.Response:
    """The same answer, which ends with an error where it is too long."""
    return (
        httpx.Response(
            answer.status_code,
            headers={"content-type": "text/event-stream"},
            stream=_Bounded(answer),
        )
        if "text/event-stream" in answer.headers.get("content-type", "")
        else answer
    )


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        came = 0
        async for piece in self._answer.aiter_raw():
            came += len(piece)
            if came > MAX_STREAM_BYTES:
                raise httpx.DecodingError(f"more than {MAX_STREAM_BYTES} bytes came at once")
            yield piece
