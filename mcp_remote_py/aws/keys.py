"""The keys that AWS knows a caller by, and those that the environment has.

Must not know where other keys come from, nor what is signed with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.errors import UsageError
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.words import take_off_wrapping
from mcp_remote_py.time_words import read_moment
from mcp_remote_py.values import Value


class AwsKeys(Value, frozen=True):
    """An access key, with the token that a temporary one is used with.

    `expires_at` is in seconds since 1970, None where it does not end or nobody says when.
    """

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None
    expires_at: float | None = None


class FoundKeys(Value, frozen=True):
    """Keys, and what is known of the place where they were found."""

    keys: AwsKeys
    region: str = ""
    """That of the profile, "" where it has none."""
    source: str = "the environment"
    """Else as botocore names it: "sso", "shared-credentials-file", "custom-process"."""


KEY_ID_VARIABLE = "AWS_ACCESS_KEY_ID"
SECRET_KEY_VARIABLE = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - a name
SESSION_TOKEN_VARIABLES = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""The second one is of older programs (the AWS SDKs' reference guide, "AWS access keys")."""
EXPIRATION_VARIABLE = "AWS_CREDENTIAL_EXPIRATION"
"""What `aws configure export-credentials` writes beside temporary keys."""

MAX_KEY_LENGTH = 128
"""Characters of a key and of its id (IAM API reference, `AccessKey`: an id has 16 to 128)."""
MAX_SESSION_TOKEN_LENGTH = 16 * 1024
"""Characters of a session token: STS names no limit, and no server takes a longer header."""

_KEY_ID = lazy_pattern(r"[A-Za-z0-9_.:@-]+")
"""Stores that speak AWS's language have freer ones; none of these marks a place in a signature."""
_TEMPORARY = lazy_pattern(r"ASIA[A-Z0-9]{16}")
"""IAM user guide, "IAM identifiers": such an id is of use only with a session token."""

_PLAIN_ID = lazy_pattern(r"A(?:KIA|SIA)[A-Z0-9]{16}")
"""The same guide: an id of AWS's own. A secret key has 40 characters."""

_VISIBLE = lazy_pattern(r"[\x21-\x7e]+")


def read_environment(environment: Mapping[str, str]) -> AwsKeys | None:
    """The keys in the environment, None where there are none. A blank variable is not set.

    Raises:
        UsageError: one of the two is missing, or what is there cannot be a key. Never repeats it.
    """
    key_id = _read(environment, KEY_ID_VARIABLE, MAX_KEY_LENGTH)
    secret_key = _read(environment, SECRET_KEY_VARIABLE, MAX_KEY_LENGTH)
    if not key_id and not secret_key:
        return None
    if not key_id or not secret_key:
        there, missing = KEY_ID_VARIABLE, SECRET_KEY_VARIABLE
        if secret_key:
            there, missing = missing, there
        raise UsageError(
            f"{there} is set, and {missing} is not.",
            hint="Set both; or neither, for the keys of a profile: --aws-profile NAME.",
        )
    if not _KEY_ID.fullmatch(key_id) or is_key_id(secret_key):
        raise UsageError(
            f"{KEY_ID_VARIABLE} has a value that cannot be an access key id, or "
            f"{SECRET_KEY_VARIABLE} has one that is.",
            hint="An id is like AKIAIOSFODNN7EXAMPLE: look whether the two have changed places.",
        )
    tokens = (
        _read(environment, name, MAX_SESSION_TOKEN_LENGTH) for name in SESSION_TOKEN_VARIABLES
    )
    token = next((one for one in tokens if one), "")
    if not token and _TEMPORARY.fullmatch(key_id):
        raise UsageError(
            f"{KEY_ID_VARIABLE} is that of temporary keys, and {SESSION_TOKEN_VARIABLES[0]} is not "
            "set.",
            hint="Copy all three: temporary keys are nothing without their token.",
        )
    return AwsKeys(
        key_id,
        Secret(secret_key),
        Secret(token) if token else None,
        read_moment(environment.get(EXPIRATION_VARIABLE, "")),
    )


def is_key_id(text: object) -> bool:
    """Whether it surely is an access key id: as a secret key, the two have changed places.

    An id is sent and shown as it is: a secret key in its place must not get that far.
    """
    return isinstance(text, str) and _PLAIN_ID.fullmatch(text) is not None


def find_flaw(key_id: object, secret_key: object, token: object) -> str:
    """Why what a file or a program gives cannot be keys; "" where it can. Never repeats them.

    `token` is None or "" where there is none.
    """
    parts = (
        ("access key id", key_id, MAX_KEY_LENGTH, _KEY_ID),
        ("secret access key", secret_key, MAX_KEY_LENGTH, _VISIBLE),
        ("session token", token or "none", MAX_SESSION_TOKEN_LENGTH, _VISIBLE),
    )
    for name, value, max_length, pattern in parts:
        if not isinstance(value, str):
            return f"the {name} is not a text"
        if not value:
            return f"the {name} is empty"
        if len(value) > max_length:
            return f"the {name} is longer than {max_length} characters"
        if not pattern.fullmatch(value):
            return f"the {name} contains a character that none has"
    return ""


def find_key_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the variables that have the keys in the environment, () where it has none."""
    names = (KEY_ID_VARIABLE, SECRET_KEY_VARIABLE, *SESSION_TOKEN_VARIABLES)
    there = tuple(name for name in names if take_off_wrapping(environment.get(name, "")))
    return there if KEY_ID_VARIABLE in there or SECRET_KEY_VARIABLE in there else ()


def _read(environment: Mapping[str, str], name: str, max_length: int) -> str:
    """The variable without what an editor or a shell has left around it, "" where it is not set."""
    value = take_off_wrapping(environment.get(name, ""))
    if not value:
        return ""
    if not _VISIBLE.fullmatch(value):
        raise UsageError(
            f"{name} contains a blank or another character that no key of AWS has.",
            hint="Copy it again, on one line, without anything around it.",
        )
    if value.startswith("${"):
        raise UsageError(
            f"{name} is the name of a variable, and not its value.",
            hint="This host does not put variables in here: write the value itself, or leave it "
            "out and use --aws-profile NAME.",
        )
    if len(value) > max_length:
        raise UsageError(
            f"{name} is longer than {max_length} characters, and no key of AWS is.",
            hint="Look whether it is the right variable.",
        )
    return value
