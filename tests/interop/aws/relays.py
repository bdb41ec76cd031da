"""The two commands of the AWS rows: ours, and Amazon's own relay.

Must not know what is tried with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.harness.warm import COMMAND
from tests.interop.aws.installation import PROXY


@dataclass(frozen=True)
class Signing:
    """What a person says of the signature; "" where it is left to the command."""

    url: str
    service: str = ""
    region: str = ""
    profile: str = ""


@dataclass(frozen=True)
class Relay:
    """A command: its name in the table, and the words that start it."""

    name: str
    words: Callable[[Signing], list[str]]


def _given(signing: Signing, prefix: str) -> list[str]:
    said = {"service": signing.service, "region": signing.region, "profile": signing.profile}
    return [word for name, value in said.items() if value for word in (prefix + name, value)]


OURS = Relay(
    "mcp-remote-py",
    lambda signing: [str(COMMAND), signing.url, "--aws-sigv4", *_given(signing, "--aws-")],
)
PROXY_FOR_AWS = Relay(
    "mcp-proxy-for-aws 1.7.0",
    lambda signing: [
        *(PROXY.command("mcp-proxy-for-aws"), signing.url, *_given(signing, "--")),
    ],
)
RELAYS: Mapping[str, Relay] = {"ours": OURS, "mcp-proxy-for-aws": PROXY_FOR_AWS}
