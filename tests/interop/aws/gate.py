"""A server of the PyPI `mcp` SDK behind AWS IAM: what is not signed right never reaches it.

    python -m tests.interop.aws.gate PRODUCT [--port N] [--endpoint URL]

prints its port as the first line on stdout, then serves until it is killed: Streamable HTTP at
every path, with events that can be resumed, and HTTP+SSE at /sse. `/-/terms` (POST) changes what a
signature is judged by, and has answers given before or after the server's own; `/-/seen` (GET)
tells all requests. `/-/sts` is an STS, whose keys are right from then on. With `--endpoint`, a
cloud on loopback, that one's STS is asked, and there is a tool `invoke` that calls the function of
Lambda that it is told, as an SDK of AWS would. Must not know who asks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import re
import socket
import sys
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import mcp_types as types  # noqa: TC002 - the SDK looks at annotations
import uvicorn
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.transport_security import TransportSecuritySettings

from tests.interop.aws.refusals import PRODUCTS, refuse
from tests.peers import sdk_server
from tests.peers.signature_judge import Asked, Caller, Terms, Verdict, judge

REGION = "ap-northeast-1"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"
"""The keys that are right at the start: those of AWS's own documents."""

ROLE_GIVEN = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><Credentials><AccessKeyId>ASIAROLEEXAMPLE</AccessKeyId>
<SecretAccessKey>canary-secret-of-the-role</SecretAccessKey>
<SessionToken>canary-token-of-the-role</SessionToken><Expiration>2126-01-01T00:00:00Z</Expiration>
</Credentials><AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:caller</AssumedRoleId>
<Arn>arn:aws:sts::123456789012:assumed-role/mcp-caller/caller</Arn></AssumedRoleUser>
</AssumeRoleResult></AssumeRoleResponse>"""
"""What STS says where there is no cloud to ask."""

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Events(EventStore):
    """Keeps all events of all streams."""

    def __init__(self) -> None:
        self._all: list[tuple[str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        """See the SDK."""
        self._all.append((stream_id, message))
        return str(len(self._all))

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        """See the SDK."""
        last = int(last_event_id)
        stream = self._all[last - 1][0]
        for number, (of_stream, message) in enumerate(self._all[last:], last + 1):
            if of_stream == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


class Gate:
    """Stands before an application as AWS stands before it."""

    def __init__(self, behind: Application, product: str, endpoint: str) -> None:
        row = PRODUCTS[product]
        self._behind = behind
        self._endpoint = endpoint
        self._product = product
        self._terms = Terms({KEY: Caller(SECRET)}, REGION, row.service, row.unsigned_payload)
        self._seen: list[dict[str, Any]] = []
        self._answers: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; see ASGI."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        asked = await read(scope, receive)
        if scope["path"] == "/-/seen":
            await answer(send, 200, {"content-type": "application/json"}, dump(self._seen))
        elif scope["path"] == "/-/terms":
            self._change(json.loads(asked.body))
            await answer(send, 204, {}, b"")
        elif scope["path"].startswith("/-/sts"):
            await answer(send, 200, {"content-type": "text/xml"}, await self._hand_out(asked))
        else:
            await self._judge(scope, asked, receive, send)

    async def _hand_out(self, asked: Asked) -> bytes:
        """What STS says to this; the keys in it are right from now on."""
        said = ROLE_GIVEN.encode()
        if self._endpoint:
            kept = {name: value for name, value in asked.headers if name != "host"}
            request = urllib.request.Request(self._endpoint, asked.body, kept)  # noqa: S310 (loopback)
            said = await asyncio.to_thread(lambda: urllib.request.urlopen(request).read())  # noqa: S310
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Arn")
        key, secret, token, arn = (
            re.findall(f"<{name}>([^<]+)</{name}>", said.decode())[0] for name in names
        )
        callers = {**self._terms.callers, key: Caller(secret, token, arn=arn)}
        self._terms = replace(self._terms, callers=callers)
        return said

    def _change(self, wanted: dict[str, Any]) -> None:
        if wanted.pop("forget", False):
            self._answers.clear()
        self._answers += wanted.pop("answers", [])
        self._product = wanted.pop("product", self._product)
        if "callers" in wanted:
            wanted["callers"] = {key: Caller(**known) for key, known in wanted["callers"].items()}
        self._terms = replace(self._terms, **wanted)

    async def _judge(self, scope: Scope, asked: Asked, receive: Receive, send: Send) -> None:
        verdict = judge(asked, self._terms)
        record = note(asked, verdict)
        self._seen.append(record)

        async def send_noted(message: Any) -> None:
            if message["type"] == "http.response.start":
                record["status"] = message["status"]
            await send(message)

        prepared = self._take_answer(asked)
        if prepared is not None and not prepared.get("after"):
            body = prepared.get("body", "").encode()
            await answer(send_noted, prepared["status"], prepared.get("headers", {}), body)
        elif not verdict.is_right:
            said = refuse(self._product, verdict.kind, verdict.facts, self._terms.region)
            await answer(send_noted, said.status, said.headers, said.body)
        elif prepared is not None:
            await self._behind(scope, replay(asked, receive), swallow)
            body = prepared.get("body", "").encode()
            await answer(send_noted, prepared["status"], prepared.get("headers", {}), body)
        else:
            await self._behind(scope, replay(asked, receive), send_noted)

    def _take_answer(self, asked: Asked) -> dict[str, Any] | None:
        """The next prepared one for such a request: by HTTP method, and by what its body has."""
        for prepared in self._answers:
            wanted = prepared.get("method", asked.method)
            if wanted == asked.method and prepared.get("has", "").encode() in asked.body:
                prepared["times"] = prepared.get("times", 1) - 1
                if prepared["times"] <= 0:
                    self._answers.remove(prepared)
                return prepared
        return None


async def read(scope: Scope, receive: Receive) -> Asked:
    """The whole request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    ]
    query = scope["query_string"].decode("latin-1")
    target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return Asked(scope["method"], target, headers, body)


def replay(asked: Asked, receive: Receive) -> Receive:
    """The body once, and then what the client does."""
    bodies = [asked.body]

    async def receive_again() -> Any:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        return await receive()

    return receive_again


async def swallow(_: Any) -> None:
    """An answer that is lost on its way."""


async def answer(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """A whole answer."""
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def dump(value: object) -> bytes:
    """As JSON."""
    return json.dumps(value).encode()


def method_of(body: bytes) -> str:
    """The method of a JSON-RPC message; "answer" where it has none, "" where there is none."""
    try:
        message = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(message, dict):
        return "batch"
    return cast("dict[str, str]", message).get("method", "answer")


def meta_of(body: bytes) -> dict[str, Any]:
    """The `_meta` of a request."""
    try:
        return json.loads(body)["params"]["_meta"]
    except (ValueError, LookupError, TypeError):
        return {}


def note(asked: Asked, verdict: Verdict) -> dict[str, Any]:
    """What is kept of a request; `status` comes with its answer."""
    return {
        "http": asked.method,
        "target": asked.target,
        "method": method_of(asked.body),
        "meta": meta_of(asked.body),
        "verdict": verdict.kind,
        "signed": list(verdict.signed),
        "key": verdict.caller,
        "scope": verdict.scope,
        "names": sorted({name.lower() for name, _ in asked.headers}),
        "last_event_id": "".join(asked.values("last-event-id")),
        "session": "".join(asked.values("mcp-session-id")),
        "size": len(asked.body),
        "status": None,
    }


async def drop(context: Any, _: dict[str, Any]) -> types.CallToolResult:
    """The stream of the answer ends before the answer is there."""
    await context.close_sse_stream()
    return sdk_server.text("after the cut")


def add_function(endpoint: str) -> None:
    """A tool `invoke`, which has Lambda run the function `name` with `event`."""
    import botocore.session  # pyright: ignore[reportMissingTypeStubs]

    session: Any = botocore.session.Session()
    known = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "the-servers-own")
    client = session.create_client("lambda", REGION, endpoint_url=endpoint, **known)

    async def invoke(_: Any, arguments: dict[str, Any]) -> types.CallToolResult:
        event = json.dumps(arguments["event"]).encode()
        said = await asyncio.to_thread(client.invoke, FunctionName=arguments["name"], Payload=event)
        return sdk_server.text(said["Payload"].read().decode())

    sdk_server.TOOLS["invoke"] = invoke


def both_transports(streamable: Application, sse: Application) -> Application:
    """HTTP+SSE at /sse, and everywhere else Streamable HTTP, whose life is the whole's."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        is_sse = scope["type"] == "http" and scope["path"].startswith(("/sse", "/messages/"))
        if is_sse:
            await sse(scope, receive, send)
        else:  # a stage of API Gateway or a runtime's ARN may stand in the path
            await streamable(scope | {"path": "/mcp"}, receive, send)

    return application


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("product", choices=list(PRODUCTS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--endpoint", default="")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    sdk_server.TOOLS["drop"] = drop
    if arguments.endpoint:
        add_function(arguments.endpoint)
    streamable = sdk_server.make_server().streamable_http_app(
        event_store=Events(),
        retry_interval=10,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    sse = sdk_server.make_sse_app(sdk_server.make_server())
    # Asyncio has what is written leave at once only where the protocol is named.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", arguments.port))
    listener.listen(128)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    gate = Gate(both_transports(streamable, sse), arguments.product, arguments.endpoint)
    config = uvicorn.Config(gate, log_level="warning", timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
