"""Looks for AWS keys where botocore looks for them, in its order, with its own code.

Nothing private of it is read. What is younger than the oldest that is allowed is asked for by name.
Must not know that this is a process of its own, nor what is said of an error.
"""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import msgspec

from mcp_remote_py.aws.keys import find_flaw, is_key_id
from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.words import parse_plain_name
from mcp_remote_py.signing.aws_files import home_folder, key_files
from mcp_remote_py.signing.chain_answer import ChainAnswer, ChainFault, ChainOrder
from mcp_remote_py.signing.chain_faults import SearchProgress

CONNECT_SECONDS = 8
"""Seconds for a connection to AWS."""

READ_SECONDS = 12
"""Seconds for its answer."""

AWS_ATTEMPTS = 2
"""Times that AWS is asked: all of them are over before anybody's patience is."""

SESSION_NAME = "mcp-remote-py"
"""The name of a role's session where the profile has none. botocore would make a new one each time,
and a server that knows its callers by it would see a stranger each hour."""

MAX_SESSION = 64 * 1024
"""Bytes of a role session that AWS's command has kept."""

LONGEST_EXPIRY = 1 << 32
"""Seconds ahead of now that an expiry is looked for: 136 years."""

MAX_NAMED = 8
"""Profiles that are named to a person who has named none of them."""


class CliCache:
    """The role sessions that AWS's own command has kept, which are read and never written.

    Only it can ask for an MFA code. A cache as botocore wants one: what is new stays in memory.
    """

    def __init__(self, folder: str, read: Callable[[str], object]) -> None:
        self._folder = folder
        self._read = read
        self._new: dict[str, object] = {}

    def __contains__(self, key: str) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def __getitem__(self, key: str) -> object:
        if key in self._new:
            return self._new[key]
        try:
            return self._read(os.path.join(self._folder, f"{key}.json"))
        except (OSError, ValueError):
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: object) -> None:
        self._new[key] = value


class _RoleKeys(msgspec.Struct):
    AccessKeyId: str
    SecretAccessKey: str
    SessionToken: str
    Expiration: str


class _RoleSession(msgspec.Struct):
    """What botocore reads of an answer of STS; anything else in the file is left there."""

    Credentials: _RoleKeys


def _read_session(path: str) -> object:
    """What AWS's command has kept of a role.

    Raises:
        OSError, ValueError: it cannot be read, or is not a role session.
    """
    with open(path, "rb") as file:
        data = file.read(MAX_SESSION)
    return msgspec.to_builtins(_decode_session(data))


_decode_session = msgspec.json.Decoder(_RoleSession).decode


def find_keys(
    order: ChainOrder, progress: SearchProgress, environment: MutableMapping[str, str]
) -> ChainAnswer:
    """What botocore finds. Blocks.

    Raises:
        Exception: whatever botocore raises; `read_fault` reads it.
    """
    session = _open_session(order.profile, environment)
    named = session.get_config_variable("profile") or ""
    progress.profile, progress.named = named, named
    progress.files = _describe_files(environment)
    config: dict[str, dict[str, dict[str, Any]]] = session.full_config
    profiles = config["profiles"]
    if named and named not in profiles:
        return ChainAnswer(fault=_no_profile(named, config, progress))
    profile = profiles.get(named or "default", {})
    if not session.get_config_variable("region"):
        known = order.region or environment.get("AWS_REGION", "")
        role = str(profile.get("role_arn", "")) or environment.get("AWS_ROLE_ARN", "")
        if where := known or region_of_sts(role):
            session.set_config_variable("region", where)
    _name_sessions(profiles, environment)
    resolver: Any = session.get_component("credential_provider")
    if _asks_for_code(profiles, named or "default"):
        folder = os.path.join(home_folder(environment), ".aws", "cli", "cache")
        resolver.get_provider("assume-role").cache = CliCache(folder, _read_session)
    found = _ask_in_turn(resolver.providers, progress)
    if found is None:
        methods = [str(provider.METHOD) for provider in resolver.providers]
        return ChainAnswer(fault=_no_keys(profile, methods, list(profiles), progress))
    keys = found.get_frozen_credentials()
    if is_key_id(keys.secret_key):
        return ChainAnswer(fault=ChainFault("changed-places", progress.facts()))
    if flaw := find_flaw(keys.access_key, keys.secret_key, keys.token):
        return ChainAnswer(fault=ChainFault("odd-keys", progress.facts(problem=flaw)))
    region = _read_region(profile)
    if region is None and not order.region:
        return ChainAnswer(fault=ChainFault("odd-region", progress.facts()))
    return ChainAnswer(
        access_key_id=keys.access_key,
        secret_access_key=Secret(keys.secret_key),
        session_token=Secret(keys.token) if keys.token else None,
        expires_at=read_expiry(found, time.time()),
        region=region or "",
        source=str(found.method),
    )


def _read_region(profile: Mapping[str, object]) -> str | None:
    """The region of a profile, "" where it has none, None where what it has is not one."""
    region = str(profile.get("region", "")).lower()
    try:
        return parse_plain_name(region, "region", "us-east-1") if region else ""
    except UsageError:
        return None


def _open_session(profile: str, environment: MutableMapping[str, str]) -> Any:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        if not environment.get(name):  # "" in a host's entry means none; botocore would look for it
            environment.pop(name, None)
    session: Any = import_module("botocore.session").Session(profile=profile or None)
    session.set_default_client_config(
        import_module("botocore.config").Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": AWS_ATTEMPTS, "mode": "standard"},
        )
    )
    return session


def _ask_in_turn(providers: list[Any], progress: SearchProgress) -> Any:
    """The keys of the first that has some; None where none has."""
    for provider in providers:
        progress.source = str(provider.METHOD)
        progress.host = progress.program = ""
        found: Any = provider.load()
        if found is None:
            continue
        if found.method == "custom-process":
            # What the program has printed is as new as can be: keys for less than a quarter of an
            # hour would make botocore start it again. Two private numbers, written and not read:
            # where they are gone, it is started again.
            found._advisory_refresh_timeout = found._mandatory_refresh_timeout = 0
        return found
    return None


def read_expiry(found: Any, now: float) -> float | None:
    """When keys of botocore's expire, a second early at most; None where they do not.

    botocore has no public member for it, but a public question: whether they end within so many
    seconds. Halving finds the number in 33 of them.
    """
    ask: Callable[[int], bool] | None = getattr(found, "refresh_needed", None)
    if ask is None or not ask(LONGEST_EXPIRY):
        return None
    least, most = 0, LONGEST_EXPIRY
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if ask(middle) else (middle, most)
    return now + least


def region_of_sts(role: str) -> str:
    """Where STS is asked for a role when nobody has named a region; "" where it is not a role.

    The one of each partition that it began with: botocore used it for all until 2025.
    """
    name, _, rest = role.partition(":")
    return _FIRST_REGIONS.get(rest.partition(":")[0], "") if name == "arn" else ""


_FIRST_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def _name_sessions(
    profiles: dict[str, dict[str, Any]], environment: MutableMapping[str, str]
) -> None:
    for profile in profiles.values():
        # With another name AWS's command would not have kept the session that needs a code.
        if "role_arn" in profile and "mfa_serial" not in profile:
            profile.setdefault("role_session_name", SESSION_NAME)
    if "AWS_WEB_IDENTITY_TOKEN_FILE" in environment:
        environment.setdefault("AWS_ROLE_SESSION_NAME", SESSION_NAME)


def _asks_for_code(profiles: dict[str, dict[str, Any]], name: str) -> bool:
    """Whether the role, or one that it is asked with, needs an MFA code."""
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        if "mfa_serial" in profiles[name]:
            return True
        name = profiles[name].get("source_profile", "")
    return False


def _no_profile(
    named: str, config: Mapping[str, Mapping[str, Any]], progress: SearchProgress
) -> ChainFault:
    profiles = list(config["profiles"])
    close = difflib.get_close_matches(named, profiles, 3)
    if named in config:
        choice = f"The section [{named}] must be called [profile {named}] in the config file."
    elif not profiles:
        return ChainFault("no-profiles", progress.facts())
    else:
        choice = f"Did you mean {' or '.join(close)}?" if close else _list_profiles(profiles)
    return ChainFault("no-profile", progress.facts(choice=choice))


def _list_profiles(profiles: list[str]) -> str:
    if not profiles:
        return ""
    names = ", ".join(profiles[:MAX_NAMED])
    more = len(profiles) - MAX_NAMED
    return f"Profiles there: {names}{f' and {more} more' if more > 0 else ''}."


def _no_keys(
    profile: dict[str, Any], methods: list[str], profiles: list[str], progress: SearchProgress
) -> ChainFault:
    if "login_session" in profile and "login" not in methods:
        return ChainFault("no-login", progress.facts(version=botocore_version()))
    others = [one for one in profiles if one != (progress.profile or "default")]
    progress.source = ""
    reason = "empty-profile" if progress.named else "no-keys"
    return ChainFault(reason, progress.facts(choice=_list_profiles(others)))


def _describe_files(environment: Mapping[str, str]) -> str:
    config, credentials = key_files(environment)[:2]
    parts = [
        f"{path}{'' if os.path.isfile(path) else ' (not there)'}" for path in (config, credentials)
    ]
    return " and ".join(parts)


def botocore_version() -> str:
    """The version of what is installed; "" where it does not say."""
    try:
        return str(import_module("botocore").__version__)
    except (ImportError, AttributeError):
        return ""
