"""The MCP server for scripts/benchmark: Streamable HTTP on loopback, as little work as possible.

POST /json is answered as application/json, POST /sse as an event stream; with `?late` every answer
comes 50 ms late. A tool call waits `seconds` and answers PARAGRAPH `times` times. GET /counts says
what happened since the last GET /counts. Prints its port, and ends with its stdin. It does not
judge clients: that is for the tests.
"""

import asyncio
import json
import re
import sys
from typing import Any

PARAGRAPH = 'Zoë: "C:\\dir\\file.txt"\nis a path \N{EM DASH} äöü 0123456789, and so on; '
"""Has characters that JSON escapes, and some of two and three bytes."""
ESCAPED = json.dumps(PARAGRAPH, ensure_ascii=False)[1:-1]
SCHEMA = {"type": "object", "properties": {name: {"type": "number"} for name in ("seconds", "x")}}
TOOLS = [
    {"name": f"work{n}", "description": "Waits and answers. " * 9, "inputSchema": SCHEMA}
    for n in range(20)
]
SELF: dict[str, Any] = {
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "benchmark", "version": "1"},
}
counts = {"requests": 0, "deletes": 0, "in flight": 0, "most in flight": 0}


async def find_result(method: str, params: Any) -> str:
    """The result of a request, as JSON."""
    if method == "initialize":
        return json.dumps({"protocolVersion": params["protocolVersion"], **SELF})
    if method != "tools/call":
        return json.dumps({"tools": TOOLS})
    if seconds := params["arguments"].get("seconds"):
        counts["in flight"] += 1
        counts["most in flight"] = max(counts["most in flight"], counts["in flight"])
        await asyncio.sleep(seconds)
        counts["in flight"] -= 1
    text = ESCAPED * params["arguments"].get("times", 1)
    return f'{{"content":[{{"type":"text","text":"{text}"}}]}}'


async def respond(method: str, target: str, body: bytes) -> str:
    """What follows `HTTP/1.1 ` in the response to one request."""
    path, _, late = target.partition("?")
    if path == "/counts":
        told = json.dumps(counts)
        counts.update({"requests": 0, "deletes": 0, "most in flight": counts["in flight"]})
        return f"200 \r\nContent-Length: {len(told)}\r\n\r\n{told}"
    counts["requests"] += 1
    counts["deletes"] += method == "DELETE"
    await asyncio.sleep(0.05 if late else 0)
    stream = "200 \r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    if path not in ("/json", "/sse"):
        return "404 \r\nContent-Length: 0\r\n\r\n"
    if method == "GET":
        return f"{stream}\r\n"  # and it stays open
    message = json.loads(body or b"{}")
    if "id" not in message:
        return "202 \r\nContent-Length: 0\r\n\r\n"
    result = await find_result(message["method"], message.get("params", {}))
    answer = f'{{"jsonrpc":"2.0","id":{json.dumps(message["id"])},"result":{result}}}'
    session = "Mcp-Session-Id: 1\r\n" if message["method"] == "initialize" else ""
    if path == "/sse":
        event = f"event: message\ndata: {answer}\n\n"
        return f"{stream}{session}\r\n{len(event.encode()):x}\r\n{event}\r\n0\r\n\r\n"
    size = len(answer.encode())
    return (
        f"200 \r\nContent-Type: application/json\r\nContent-Length: {size}\r\n{session}\r\n{answer}"
    )


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the requests of one connection, one after the other."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"(?i)\ncontent-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            method, target = head.split(" ")[:2]
            writer.write(f"HTTP/1.1 {await respond(method, target, body)}".encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serves until stdin ends."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=500)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
