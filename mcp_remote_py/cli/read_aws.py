"""The settings of requests that are signed with AWS keys, made of what was given.

Loaded where an option of AWS is given. Must not know how a word is read, nor how anything is
signed.
"""

from __future__ import annotations

from mcp_remote_py.aws.endpoints import read_endpoint
from mcp_remote_py.aws.keys import find_key_variables
from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.options import ALL_OPTIONS, AWS, SIGN_IN
from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.aws import AwsSettings, check_signed_headers, check_unsigned_url
from mcp_remote_py.settings.headers import HeaderSettings
from mcp_remote_py.settings.words import parse_plain_name, take_off_wrapping
from mcp_remote_py.url import ServerUrl

SWITCH = "--aws-sigv4"

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""The first that is set counts: the order of the newer AWS SDKs (reference guide, "AWS Region")."""

_OF_BOTH = frozenset({"--initialize-timeout", "--token-store"})
"""Options of a sign-in that do something else as well: for a server that is silent, and for what is
kept of one."""

LIKELY_SERVICES = (
    "lambda (function URLs)",
    "execute-api (API Gateway)",
    "bedrock-agentcore (AgentCore)",
    "vpc-lattice-svcs (VPC Lattice)",
)


def read_aws(given: Given, server: ServerUrl, headers: HeaderSettings) -> AwsSettings | None:
    """The settings of the signature, None where nothing is signed.

    What the environment has of them is taken as if it were given by options: a host passes few
    variables on, and the entry that a person is shown has to do without them.

    Raises:
        UsageError: anything is wrong, or missing.
    """
    if not given.has(SWITCH):
        # Not taken for it: whoever leaves out the switch may want to be without signatures, and
        # nothing should be signed, nor refused for want of it, without a word.
        for option in ALL_OPTIONS:
            if option.group == AWS and given.has(option.name):
                raise UsageError(
                    f"{option.name} is given without {SWITCH}.",
                    hint=f"Add {SWITCH}, which signs requests with AWS keys, or leave it out.",
                )
        return None
    _check_others(given)
    check_signed_headers(headers.given)
    for file in headers.files:
        check_signed_headers(file.headers)
    check_unsigned_url(server)
    found = read_endpoint(server.host)
    service = given.get("--aws-service") or ("" if found is None else found.service)
    if not service:
        raise UsageError(
            f"Which AWS service {server.host} belongs to cannot be seen from the URL.",
            hint="Give its signing name with --aws-service, for example "
            f"{', '.join(LIKELY_SERVICES)}.",
        )
    region = given.get("--aws-region") or ("" if found is None else found.region)
    if not region and (region := _read_region(given)):
        given.add_words("--aws-region", [region])
    variables = () if given.has("--aws-profile") else find_key_variables(given.environment)
    if not variables and not given.has("--aws-profile") and given.environment.get("AWS_PROFILE"):
        given.add_words("--aws-profile", [given.environment["AWS_PROFILE"]])
    if variables and not region and given.environment.get("AWS_PROFILE"):
        variables += ("AWS_PROFILE",)
    profile = given.get("--aws-profile", "")
    return AwsSettings(service=service, region=region, profile=profile, variables=variables)


def _check_others(given: Given) -> None:
    """Whoever signs requests does not sign in."""
    for option in ALL_OPTIONS:
        if option.group != SIGN_IN or option.name in _OF_BOTH or not given.has(option.name):
            continue
        hint = "With it nobody signs in: leave out one of the two."
        if option.name == "--profile":
            hint = "For the keys of a profile in AWS's own files, give --aws-profile instead."
        raise UsageError(f"Both {SWITCH} and {option.name} are given.", hint=hint)
    if given.arguments.port is not None:
        given.warnings.append(
            f"Ignored: the port behind the server URL. With {SWITCH} nobody signs in."
        )


def _read_region(given: Given) -> str:
    for name in REGION_VARIABLES:
        region = take_off_wrapping(given.environment.get(name, "")).lower()
        if region:
            return parse_plain_name(region, name, "us-east-1")
    return ""
