"""Where keys come from, as a test says."""

from __future__ import annotations

import asyncio

from mcp_remote_py.aws.keys import AwsKeys, FoundKeys
from mcp_remote_py.errors import McpRemoteError


class FakeChain:
    """Gives what the test says; counts how often it was asked."""

    def __init__(self, *found: AwsKeys | McpRemoteError, region: str = "") -> None:
        self.found = list(found)
        self.region = region
        self.asked = 0
        self.stamp = 0
        self.gate: asyncio.Event | None = None

    async def load_keys(self) -> FoundKeys:
        self.asked += 1
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(found, McpRemoteError):
            raise found
        return FoundKeys(found, self.region, "sso")

    def stamps(self) -> object:
        return self.stamp
