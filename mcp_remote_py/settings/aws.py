"""The settings of requests that are signed with AWS keys (`--aws-sigv4`).

Must not know where the keys come from, nor what a signature is.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.headers import Header
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value


class AwsSettings(Value, frozen=True):
    """What a person says about the signature; "" where AWS's own files are to tell."""

    service: str = ""
    """The signing name of the service, such as `lambda` or `execute-api`."""
    region: str = ""
    profile: str = ""
    """The profile of AWS's own files that has the keys."""
    variables: tuple[str, ...] = ()
    """Names of the environment variables that have the keys; () where they are elsewhere. The one
    that names a profile is among them where only its region is needed."""

    @property
    def reads_files(self) -> bool:
        """Whether AWS's own files are looked into, for keys or for a region."""
        return not (self.variables and self.region)


SIGNED_NAMES = frozenset(
    ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
)
"""Headers that the signature consists of, in lower case."""


def check_signed_headers(headers: Iterable[Header]) -> None:
    """A request has one credential, and its signature is ours to make.

    Raises:
        UsageError: a header is given that belongs to it.
    """
    for header in headers:
        name = header.name.lower()
        if name == "authorization":
            raise UsageError(
                "Both --aws-sigv4 and an Authorization header are given.",
                hint="The signature is sent in that header: leave out one of the two.",
            )
        if name in SIGNED_NAMES:
            raise UsageError(
                f"Both --aws-sigv4 and the header {header.name} are given.",
                hint="That header belongs to the signature, which is made anew for each request: "
                "leave it out.",
            )


def check_unsigned_url(url: ServerUrl) -> None:
    """A URL may have a signature in its query, and AWS refuses a request that has two.

    Raises:
        UsageError: it has one.
    """
    from urllib.parse import unquote

    names = (pair.partition("=")[0] for pair in url.target.partition("?")[2].split("&"))
    if any(unquote(name).lower() == "x-amz-signature" for name in names):
        raise UsageError(
            "The server URL is signed already: it has X-Amz-Signature in its query.",
            hint="Leave out all of its X-Amz- parameters, or --aws-sigv4.",
        )


def describe_aws_login(profile: str) -> str:
    """The words for whoever wants to sign in, or out, where requests are signed."""
    command = f"aws sso login --profile {profile}" if profile else "aws sso login"
    return (
        "With --aws-sigv4 there is nothing to sign in to here, nor to sign out of: requests are "
        f"signed with AWS keys, which AWS's own tools renew, such as `{command}`."
    )
