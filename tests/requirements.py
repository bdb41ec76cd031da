"""What this program promises, one id each: the sentence, and where the need was seen.

A test names the promises it proves with `@pytest.mark.promise(id)`; test_requirements.py checks
the pairing both ways. Must not know any test.
"""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    """One promised behaviour, and the document or report that asks for it."""

    text: str
    source: str


PROMISES = {
    "R1": Promise(
        "Every request gets exactly one answer: the server's, or an error that says what happened.",
        "JSON-RPC 2.0 §5; punkpeye/mcp-remote issue 293",
    ),
    "R2": Promise(
        "Messages arrive byte for byte as they left; stdout carries nothing but JSON-RPC lines.",
        "MCP 2025-11-25, Transports: stdio; PrefectHQ/fastmcp issue 4124",
    ),
    "R3": Promise(
        "Everything crosses in both directions: requests, notifications, progress, cancellation.",
        "MCP 2025-11-25, Base protocol; PrefectHQ/fastmcp issue 4161",
    ),
    "R4": Promise(
        "Streamable HTTP and HTTP+SSE are found out by themselves, and remembered per URL.",
        "MCP 2025-11-25, Transports: Backwards compatibility; mastra-ai/mastra pull request 10550",
    ),
    "R5": Promise(
        "A lost session, a restarted server, a cut stream: recovered, with only safe repeats.",
        "MCP 2025-11-25, Transports: Session management; punkpeye/mcp-remote issue 106",
    ),
    "R6": Promise(
        "A slow call never delays a fast one, and an open stream never delays a call.",
        "modelcontextprotocol/python-sdk issue 3209",
    ),
    "R7": Promise(
        "It ends when its host ends, within 2 seconds: calls answered, session deleted, none left.",
        "MCP 2025-11-25, Lifecycle: Shutdown; modelcontextprotocol/typescript-sdk issue 2002",
    ),
    "R8": Promise(
        "Any message up to the cap (128 MiB by default), in linear time; past it, an error answer.",
        "IBM/mcp-context-forge issue 2591",
    ),
    "A1": Promise(
        "Who signs people in is found as the specification says, and checked before it is used.",
        "MCP 2025-11-25, Authorization; modelcontextprotocol/python-sdk issue 1400",
    ),
    "A2": Promise(
        "A client is given, documented, remembered or registered; a forgotten one is noticed.",
        "MCP 2025-11-25, Client Registration Approaches; anthropics/claude-code issue 4760",
    ),
    "A7": Promise(
        "Sign-ins survive restarts, large tokens, any keyring and none; else a file of mode 0600.",
        "jaraco/keyring issues 355, 619 and 647",
    ),
    "A3": Promise(
        "Grants: code with PKCE, refresh, device code, those without a person; DPoP; strays too.",
        "RFC 6749, 7523, 7636, 8628, 8693, 8707, 9207, 9449; csharp-sdk issue 741",
    ),
    "A4": Promise(
        "One sign-in per machine: several processes, one tab; any process can finish it.",
        "punkpeye/mcp-remote issues 25 and 245",
    ),
    "A5": Promise(
        "Only a definite refusal ends a credential, after a look at what others have stored.",
        "RFC 6749 §5.2; anthropics/claude-code issue 85236",
    ),
    "A6": Promise(
        "A sign-in outlives the host's patience: it is answered in time, and the sign-in goes on; "
        "so it is where a server that worked before is away.",
        "anthropics/claude-code issue 84136; anthropics/claude-ai-mcp issue 960",
    ),
    "E1": Promise(
        "Every client era works with every server era, by default, without an extra round trip.",
        "MCP 2026-07-28, Versioning: Compatibility Matrix; punkpeye/mcp-remote issue 356",
    ),
    "E2": Promise(
        "A client that shakes hands uses a server of 2026-07-28 with all its features.",
        "MCP 2026-07-28, Multi Round-Trip Requests; punkpeye/mcp-remote issue 306",
    ),
    "E3": Promise(
        "A client of 2026-07-28 uses a server that shakes hands with all its features.",
        "MCP 2026-07-28, Multi Round-Trip Requests, Subscriptions",
    ),
    "L1": Promise(
        "At most one tab and a bounded number of token requests, whatever the servers do.",
        "punkpeye/mcp-remote issue 149; makeplane/plane issue 8926",
    ),
    "L2": Promise(
        "A budget on disk, shared by all processes and restarts, stands before the browser.",
        "punkpeye/mcp-remote issue 68; neondatabase/mcp-server-neon issue 186",
    ),
    "L3": Promise(
        "A token the server never accepted is not answered by another sign-in or renewal.",
        "PrefectHQ/fastmcp issue 2453; punkpeye/mcp-remote pull request 338",
    ),
    "L4": Promise(
        "Freedom of loops is shown: the policy is explored over all behaviours up to a depth.",
        "punkpeye/mcp-remote issue 149",
    ),
    "L5": Promise(
        "Retries back off with jitter, obey Retry-After, and end; an idle proxy sends nothing.",
        "RFC 9110 §10.2.3; modelcontextprotocol/python-sdk issue 3257",
    ),
    "S1": Promise(
        "Only https URLs, or http to this machine, are ever opened, and never through a shell.",
        "CVE-2025-6514; MCP 2025-11-25, Security best practices",
    ),
    "S2": Promise(
        "Secrets never reach stdout, stderr, logs, error texts or another origin.",
        "RFC 6750 §5.3; punkpeye/mcp-remote issue 268",
    ),
    "S3": Promise(
        "The loopback listener answers only the flow it waits for, once, and echoes nothing.",
        "RFC 8252 §8.3, §8.9; Strike48/pick pull request 376",
    ),
    "S4": Promise(
        "Plain http needs --allow-http; a broken header is an error before anything is sent.",
        "RFC 9110 §5.5; RFC 6750 §5.3",
    ),
    "AWS1": Promise(
        "Requests to a server behind AWS IAM are signed, each attempt anew, as the last step; new "
        "keys are taken in time, and a refusal never makes a loop.",
        "IAM User Guide, Create a signed AWS API request; aws/mcp-proxy-for-aws 1.7.0",
    ),
    "D2": Promise(
        "Messages travel in lanes, one connection each: 64 calls in flight are not serialised.",
        "encode/httpcore issue 1093",
    ),
    "D12": Promise(
        "A refused static header is the person's error, said in a sentence; never a browser.",
        "RFC 6750 §3.1; microsoft/vscode issue 334970",
    ),
    "P2": Promise(
        "Commands work outside any host; every failure has a cause, evidence and a next step.",
        "anthropics/claude-code issue 84614",
    ),
    "P3": Promise(
        "Every option of npm's mcp-remote is accepted, with its meaning.",
        "mcp-remote 0.15.1, README",
    ),
}
