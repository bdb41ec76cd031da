"""Rows of the table of all systems: an MCP server behind each product of AWS that asks for IAM.

Must not know how the story is told.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.interop.aws.gate import REGION
from tests.interop.aws.refusals import PRODUCTS
from tests.interop.aws.running import GOOD_KEYS, running_gate
from tests.interop.aws.stage import SURROUNDINGS
from tests.interop.systems import Absent, Ask, Call, Restart, Restartable, Scene, System
from tests.interop.versions import of_pypi

ANSWER = {"action": "accept", "content": {"name": "Ada"}}


@contextmanager
def _start(product: str, path: str, _: Path) -> Generator[Scene]:
    with ExitStack() as stack:
        server = Restartable(stack, lambda port: running_gate(product, port=port))
        service = PRODUCTS[product].service
        yield Scene(
            url=f"http://127.0.0.1:{server.port}{path}",
            name="sdk-peer",
            call=Call("echo", {"text": "hello"}, "hello"),
            ask=Ask(Call("elicit", {}, "accept"), "elicitation/create", ANSWER),
            sign_in=Absent("requests are signed with AWS keys"),
            restart=Restart(server.again),
            own_options={
                "ours": ("--aws-sigv4", "--aws-service", service, "--aws-region", REGION),
                "mcp-proxy-for-aws": ("--service", service, "--region", REGION),
            },
            own_names={"mcp-proxy-for-aws": "MCP Proxy for AWS"},
            environment={**SURROUNDINGS, **GOOD_KEYS},
        )


def _row(key: str, name: str, product: str, path: str = "/mcp") -> System:
    return System(
        key=key,
        name=f"{name}, IAM (signatures judged by botocore)",
        versions=lambda: (of_pypi("botocore"), of_pypi("mcp")),
        start=partial(_start, product, path),
        commands=("ours", "mcp-proxy-for-aws"),
    )


SYSTEMS = (
    _row("aws-function-url", "Lambda function URL", "function-url"),
    _row("aws-function-url-sse", "Lambda function URL, HTTP+SSE", "function-url", "/sse"),
    _row("aws-api-gateway", "API Gateway", "rest-api"),
    _row("aws-agentcore", "Bedrock AgentCore", "agentcore"),
    _row("aws-lattice", "VPC Lattice", "lattice"),
)
