"""What a person reads when AWS's own chain brings no keys: a row for each reason. Pure.

The first words say what is wrong, then come the words of whoever refused, then what to do. Must not
know how a reason was found.
"""

from __future__ import annotations

from mcp_remote_py.errors import Refused, one_line, shorten
from mcp_remote_py.signing.chain_answer import ChainFault
from mcp_remote_py.values import Value


class ReasonWords(Value, frozen=True):
    """The sentences of a reason; in braces stand the facts of a `ChainFault`."""

    cause: str
    hint: str
    evidence: str = ""
    """Said where there are `words`."""
    is_passing: bool = False
    """Whether it is over by itself, such as with a network that comes back."""


_AGAIN = "The next request tries again."
_NETWORK = (
    "Check the network, a VPN, and HTTPS_PROXY: hosts hand on few variables, put it into the"
    ' "env" of the entry. ' + _AGAIN
)
_BY_HAND = "Run it by hand to see why"
_PROFILE = 'with --aws-profile, or AWS_PROFILE in the "env" of the entry'
_SIGN_IN = "Run {login} in a terminal: the next request uses it, nothing has to be started again."

REASONS = {
    # The package
    "no-botocore": ReasonWords(
        "The AWS keys of a profile, a role or a sign-in need the package botocore, and it is not"
        " installed.",
        "Keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY work without it. {extra}",
    ),
    "broken-botocore": ReasonWords(
        "The package botocore is installed, but cannot be loaded.",
        "Install it again. {extra}",
        "Python says: {words}",
    ),
    "old-botocore": ReasonWords(
        "The package botocore {version} is too old: 1.35 or newer is needed.",
        "{extra}",
        "Python says: {words}",
    ),
    "no-login": ReasonWords(
        "Profile {profile} is for aws login, which the package botocore {version} does not know"
        " yet.",
        "{extra}",
    ),
    "no-crt": ReasonWords(
        "Profile {profile} is for aws login, which needs the package awscrt, and it is not"
        " installed.",
        "AWS's own command has it: give another profile the line credential_process = aws"
        " configure export-credentials --profile {profile} --format process, and name that one."
        " Or add the package. {extra}",
    ),
    # The person's files
    "no-profile": ReasonWords(
        "There is no AWS profile {profile} in {files}.",
        "{choice} Name one that is there " + _PROFILE + ".",
    ),
    "no-profiles": ReasonWords(
        "There is no AWS profile {profile}: {files} have none at all.",
        "Run aws configure sso, aws login or aws configure; if the files are elsewhere, put"
        ' AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE into the "env" of the entry.',
    ),
    "broken-file": ReasonWords(
        "AWS's file {path} cannot be read: {problem}.",
        "Mend that line; a section begins with [profile NAME], a setting is name = value.",
    ),
    "wrong-profile": ReasonWords(
        "What AWS's files say of profile {profile} does not fit together.",
        "Mend it in {files}.",
        "botocore says: {words}",
    ),
    "half-keys": ReasonWords(
        "The AWS keys in {place} are not complete: {missing} is missing.",
        "Give both, and the session token of keys that are temporary.",
    ),
    "changed-places": ReasonWords(
        "The AWS keys of profile {profile} ({source}) cannot be used: the access key id cannot be"
        " one, or the secret key is one.",
        "An id is like AKIAIOSFODNN7EXAMPLE: look whether the two have changed places.",
    ),
    "odd-keys": ReasonWords(
        "What profile {profile} gives cannot be AWS keys ({source}): {problem}.",
        "Write or copy them again at their source, without anything around them.",
    ),
    "odd-region": ReasonWords(
        "The region of profile {profile} in {files} is not the name of one.",
        "Mend that line, such as region = us-east-1, or give --aws-region.",
    ),
    "no-region": ReasonWords(
        "AWS cannot be asked for the keys of profile {profile}: no region is known.",
        "Give --aws-region, or the profile a line region = us-east-1.",
    ),
    "unreadable": ReasonWords(
        "The file {path} cannot be read: {problem}.",
        "It belongs to profile {profile}: check its name and who may read it.",
    ),
    # Nothing anywhere
    "no-keys": ReasonWords(
        "There are no AWS keys: none in AWS_ACCESS_KEY_ID, none for profile {profile} in {files},"
        " none from a container or the role of this machine.",
        "{choice} Hosts start us with few variables: name the profile " + _PROFILE + ".",
    ),
    "empty-profile": ReasonWords(
        "The AWS profile {profile} has no keys and does not say where to get any, in {files}; nor"
        " do a container or the role of this machine.",
        "Give it what it needs, such as by aws configure sso{option}: sso_session with"
        " sso_account_id and sso_role_name, role_arn, login_session or credential_process."
        " {choice}",
    ),
    # Sign-ins
    "sso-missing": ReasonWords(
        "Nobody is signed in to AWS's IAM Identity Center (SSO) for profile {profile}.",
        _SIGN_IN,
        "botocore says: {words}",
    ),
    "sso-expired": ReasonWords(
        "The sign-in to AWS's IAM Identity Center (SSO) for profile {profile} has expired.",
        _SIGN_IN,
    ),
    "sso-refused": ReasonWords(
        "AWS's IAM Identity Center (SSO) gives no keys for the role of profile {profile}.",
        "Check sso_account_id and sso_role_name, or ask who assigns the roles; then {login}.",
        "It says: {words}",
    ),
    "login-expired": ReasonWords(
        "The session of aws login for profile {profile} is missing or has expired.",
        _SIGN_IN,
        "botocore says: {words}",
    ),
    "login-refused": ReasonWords(
        "AWS does not let the session of aws login for profile {profile} be renewed.",
        "Ask for the permission signin:CreateOAuth2Token, or use another profile.",
        "botocore says: {words}",
    ),
    # Roles
    "mfa": ReasonWords(
        "The role of profile {profile} needs an MFA code, and nobody can be asked for it here.",
        "Run aws sts get-caller-identity{option} in a terminal and type the code: its session is"
        " used from then on, as long as it lasts.",
    ),
    "role-refused": ReasonWords(
        "AWS does not give the role of profile {profile}: {code}.",
        "Check role_arn, external_id, the trust policy of the role, and the keys that it is asked"
        " with.",
        "STS says: {words}",
    ),
    "web-identity-refused": ReasonWords(
        "AWS does not give the role of profile {profile} for the web identity token: {code}.",
        "Check the role's trust policy, and that whoever writes the token file keeps it new.",
        "STS says: {words}",
    ),
    "stale-source": ReasonWords(
        "AWS refuses the keys that the role of profile {profile} is asked with: {code}.",
        "Renew them, and check the clock of this machine.",
        "STS says: {words}",
    ),
    "refused": ReasonWords(
        "AWS refuses to give keys for profile {profile}: {operation} was answered with {code}.",
        "Check what the profile names, and that your sign-in still stands.",
        "It says: {words}",
    ),
    "busy": ReasonWords(
        "AWS cannot give keys for profile {profile} now: {operation} was answered with {code}.",
        _AGAIN,
        "It says: {words}",
        is_passing=True,
    ),
    "stale-keys": ReasonWords(
        "The AWS keys of profile {profile} have expired already when they come ({source}).",
        "Renew them at their source, and check the clock of this machine.",
    ),
    # credential_process
    "process-missing": ReasonWords(
        "The credential_process of profile {profile} cannot be started: {program}: {problem}.",
        "Give it an absolute path: hosts start us with a short PATH.",
    ),
    "process-failed": ReasonWords(
        "The credential_process of profile {profile}, {program}, failed.",
        _BY_HAND + "; it gets nothing to read, and the few variables that the host hands on.",
        "It says: {words}",
    ),
    "process-rubbish": ReasonWords(
        "The credential_process of profile {profile}, {program}, does not print the JSON of keys"
        " ({problem}).",
        _BY_HAND + ': it must print {{"Version": 1, "AccessKeyId": ..., "SecretAccessKey": ...}}'
        " and nothing else.",
    ),
    "process-hangs": ReasonWords(
        "The credential_process of profile {profile}, {program}, did not end within {seconds}"
        " seconds and was stopped.",
        _BY_HAND + ": it must not ask anything, nobody can answer it here.",
    ),
    # Other machines
    "container": ReasonWords(
        "The container's service for AWS keys does not answer as it should.",
        "It is named by AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI: check that this still"
        " is where it was set.",
        "botocore says: {words}",
        is_passing=True,
    ),
    "machine-role": ReasonWords(
        "The service that profile {profile} takes its keys from ({source}) does not give any.",
        "Its credential_source is for programs on machines of AWS: on another one use another"
        " profile.",
        "botocore says: {words}",
        is_passing=True,
    ),
    "unreachable": ReasonWords(
        "{host} cannot be reached for the AWS keys of profile {profile}.",
        _NETWORK,
        "botocore says: {words}",
        is_passing=True,
    ),
    "untrusted": ReasonWords(
        "The certificate of {host}, which gives the AWS keys of profile {profile}, is not trusted.",
        "If a proxy of your company looks into the traffic, give the profile a line ca_bundle ="
        ' FILE, or put AWS_CA_BUNDLE into the "env" of the entry.',
        "botocore says: {words}",
    ),
    "host-hangs": ReasonWords(
        "{host} did not answer within {seconds} seconds when it was asked for AWS keys.",
        _NETWORK,
        is_passing=True,
    ),
    "hangs": ReasonWords(
        "Looking for the AWS keys of profile {profile} did not end within {seconds} seconds.",
        _AGAIN,
        is_passing=True,
    ),
    # What should not be
    "no-answer": ReasonWords(
        "The process that looks for AWS keys ended without an answer ({problem}).",
        _AGAIN,
        is_passing=True,
    ),
    "unknown": ReasonWords(
        "Looking for the AWS keys of profile {profile} failed ({problem}).",
        "Check that AWS's own command works: aws sts get-caller-identity{option}",
        "botocore says: {words}",
    ),
}
"""By the name that a `ChainFault` carries."""

_SIGN_INS = {"login-expired": "aws login", "login-refused": "aws login"}
"""The command that signs in, where it is not `aws sso login`."""


class _Facts(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return ""


def explain_missing_keys(fault: ChainFault, extra: str) -> Refused:
    """The error for a person; `extra` is the sentence that says how a package is added."""
    row = REASONS.get(fault.reason, REASONS["unknown"])
    named = fault.facts.get("named", "")
    option = f" --profile {named}" if named else ""
    facts = _Facts({name: shorten(value) for name, value in fault.facts.items()})
    facts.update(extra=extra, option=option, profile=facts["profile"] or "default")
    facts["login"] = _SIGN_INS.get(fault.reason, "aws sso login") + option
    error = Refused(
        one_line(row.cause.format_map(facts)), hint=one_line(row.hint.format_map(facts))
    )
    if row.evidence and facts["words"]:
        words = row.evidence.format_map(facts)
        error = error.with_evidence(words if words.endswith((".", "…", "!", "?")) else f"{words}.")
    return error.as_passing() if row.is_passing else error
