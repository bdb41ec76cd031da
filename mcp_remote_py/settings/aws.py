"""The settings of requests that are signed with AWS keys (`--aws-sigv4`).

Must not know where the keys come from, nor what a signature is.
"""

from __future__ import annotations

from mcp_remote_py.values import Value


class AwsSettings(Value, frozen=True):
    """What a person says about the signature; "" where the URL, or AWS's own files, are to tell."""

    service: str = ""
    """The signing name of the service, such as `lambda` or `execute-api`."""
    region: str = ""
    profile: str = ""
    """The profile of AWS's own files that has the keys."""
