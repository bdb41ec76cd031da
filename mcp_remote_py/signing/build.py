"""Puts together what signs requests: whose keys, and where they are looked for.

Keys in the environment need nothing else; unless a profile is named they come first, as with every
program of AWS. Must not know how keys are found, or used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from mcp_remote_py.aws.keys import AwsKeys, FoundKeys, read_environment
from mcp_remote_py.channel import Clock
from mcp_remote_py.errors import McpRemoteError, Refused
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.signing.signer import AwsKeySource, AwsSigner
from mcp_remote_py.values import Value

DEFAULT_PROFILE = "default"


def build_signer(
    settings: AwsSettings,
    environment: Mapping[str, str],
    clock: Clock,
    now: Callable[[], float] = time.time,
    chain: AwsKeySource | None = None,
) -> AwsSigner:
    """What signs as the settings say; `chain` instead of what looks for keys elsewhere.

    Raises:
        UsageError: the keys in the environment cannot be any.
    """
    keys = None if settings.profile else read_environment(environment)
    if keys is None:
        profile = settings.profile or environment.get("AWS_PROFILE", "")
        identity = profile or DEFAULT_PROFILE
        source: AwsKeySource = chain or _load_chain(settings, environment)
    else:
        profile, identity = "", keys.access_key_id
        source = EnvironmentKeys(keys)
        if not settings.region:
            source = RegionBeside(source, chain or _load_chain(settings, environment))
    return AwsSigner(
        source, settings.service, settings.region, clock, now, identity=identity, profile=profile
    )


def _load_chain(settings: AwsSettings, environment: Mapping[str, str]) -> AwsKeySource:
    from mcp_remote_py.signing.chain import KeyChain

    return KeyChain(settings, environment)


class EnvironmentKeys(Value, frozen=True):
    """The keys in the environment, which stay as they are: an `AwsKeySource`."""

    keys: AwsKeys

    async def load_keys(self) -> FoundKeys:
        """See `AwsKeySource`."""
        return FoundKeys(self.keys)

    def stamps(self) -> object:
        """See `AwsKeySource`."""
        return None


class RegionBeside(Value, frozen=True):
    """Those keys, with the region that AWS's own files name: an `AwsKeySource`."""

    own: EnvironmentKeys
    chain: AwsKeySource

    async def load_keys(self) -> FoundKeys:
        """See `AwsKeySource`."""
        try:
            found = await self.chain.load_keys()
        except McpRemoteError as error:
            if isinstance(error, Refused) and error.is_passing:
                raise  # there may be a region when it is over
            return FoundKeys(self.own.keys)  # the missing region is then said of the environment
        return FoundKeys(self.own.keys, found.region)

    def stamps(self) -> object:
        """See `AwsKeySource`."""
        return self.chain.stamps()
