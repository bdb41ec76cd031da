"""Says what a refusal of AWS's means, and what to do then.

Pure. Must not know how refusals are read (`refusals`), nor what is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcp_remote_py.aws.refusals import NEEDED_ACTIONS, AwsRefusal, AwsRefusalKind
from mcp_remote_py.aws.sigv4 import Scope
from mcp_remote_py.time_words import describe_span

_Explain = Callable[[AwsRefusal, Scope, str, float], tuple[str, str]]

MIN_CLOCK_ERROR = 60.0
"""Seconds. Clocks that differ by less are not what AWS refuses: it allows 5 minutes."""


def explain_aws_refusal(
    refusal: AwsRefusal, scope: Scope, profile: str, own_time: float
) -> tuple[str, str]:
    """Cause and next step, in sentences.

    `scope` is what was signed for, `profile` the one that has the keys ("" for those of the
    environment), `own_time` the time that was signed, in seconds since 1970.
    """
    evidence = f"HTTP {refusal.status}" + (f", {refusal.code}" if refusal.code else "")
    if refusal.words:
        evidence += f': "{refusal.words}"'
    cause, hint = _EXPLAIN[refusal.kind](refusal, scope, profile, own_time)
    return f"{cause} ({evidence}).", hint


def _explain_clock(
    refusal: AwsRefusal, scope: Scope, profile: str, own_time: float
) -> tuple[str, str]:
    ahead = 0.0 if refusal.server_time is None else own_time - refusal.server_time
    if abs(ahead) < MIN_CLOCK_ERROR:
        return "AWS found the signature too old or too new", (
            "Compare the clock of this machine with the time. If it is right, something on the way "
            "holds requests back for minutes."
        )
    where = "ahead of" if ahead > 0 else "behind"
    return (
        f"The clock of this machine is {describe_span(abs(ahead))} {where} AWS's, so AWS does not "
        "take its signatures"
    ), "Set the clock, best by letting the system synchronise it, and try again."


def _explain_expired(
    refusal: AwsRefusal, scope: Scope, profile: str, own_time: float
) -> tuple[str, str]:
    if profile:
        hint = (
            f'Run "aws sso login --profile {profile}", or renew them as you got them; they are '
            "read again at the next request."
        )
    else:
        hint = (
            'Run "aws sso login", or renew them as you got them; they are read again at the next '
            "request. Keys in the environment are not: replace them there, and start again."
        )
    return f"The AWS keys{_of(profile)} have expired", hint


def _explain_unknown(
    refusal: AwsRefusal, scope: Scope, profile: str, own_time: float
) -> tuple[str, str]:
    return f"AWS does not know the AWS keys{_of(profile)}", (
        "Check that the access key is active and of the same partition as the server: China and "
        "GovCloud have their own. One that begins with ASIA works only with its session token."
    )


def _explain_scope(
    refusal: AwsRefusal, scope: Scope, profile: str, own_time: float
) -> tuple[str, str]:
    if refusal.service:
        what, hint = "another service", f"Give --aws-service {refusal.service}."
    elif refusal.region:
        what, hint = "another region", f"Give --aws-region {refusal.region}."
    elif "service" in refusal.words:
        what, hint = "another service", "Give the signing name of the service with --aws-service."
    else:
        what, hint = "another region", "Give the region that the server is in with --aws-region."
    return f"The signature is for {_show(scope)}, and AWS expects {what}", hint


def _explain_signature(
    refusal: AwsRefusal, scope: Scope, profile: str, own_time: float
) -> tuple[str, str]:
    return "AWS calculates another signature than the request has", (
        f"Check that the secret key{_of(profile)} belongs to its access key id, and that the "
        f"server is {_show(scope)}: else give --aws-service or --aws-region. If all is right, a "
        "proxy on the way changes the request."
    )


def _explain_forbidden(
    refusal: AwsRefusal, scope: Scope, profile: str, own_time: float
) -> tuple[str, str]:
    cause = "AWS does not permit the request"
    if refusal.action:
        cause = f"AWS does not permit {refusal.action}"
        cause += f" on {refusal.resource}" if refusal.resource else ""
    if refusal.is_denied:
        return cause, (
            "A policy denies it explicitly, and no other policy can allow it then: whoever runs "
            "the account has to change that one."
        )
    if refusal.caller == "anonymous":
        return cause, (
            "AWS took the request for an unsigned one: whoever runs the server has to choose IAM "
            "as its authorization, or to let everybody in by its resource policy."
        )
    needed = NEEDED_ACTIONS.get(scope.service, ())
    if refusal.action and refusal.action not in needed:
        needed = (refusal.action,)
    if not needed:
        return cause, f"Whoever runs the server has to allow it for the AWS keys{_of(profile)}."
    hint = f"Allow {' and '.join(needed)} for the AWS keys{_of(profile)}."
    if scope.service == "lambda":
        hint += " Function URLs need both since October 2025."
    if scope.service == "execute-api" and not refusal.action:
        hint += ' An API that wants a key as well takes it as --header "x-api-key: ${KEY}".'
    return cause, hint


def _say(cause: str, hint: str) -> _Explain:
    return lambda refusal, scope, profile, own_time: (cause, hint)


def _of(profile: str) -> str:
    return f' of the profile "{profile}"' if profile else ""


def _show(scope: Scope) -> str:
    return f"{scope.service} in {scope.region}"


_EXPLAIN: Mapping[AwsRefusalKind, _Explain] = {
    AwsRefusalKind.CLOCK: _explain_clock,
    AwsRefusalKind.EXPIRED_TOKEN: _explain_expired,
    AwsRefusalKind.UNKNOWN_KEY: _explain_unknown,
    AwsRefusalKind.WRONG_SCOPE: _explain_scope,
    AwsRefusalKind.WRONG_SIGNATURE: _explain_signature,
    AwsRefusalKind.NO_SIGNATURE: _say(
        "AWS did not find a signature, although the request was signed",
        "Check the path of the URL: API Gateway says this of one that is not there, and its stage "
        "is a part of it, as in /prod/mcp. If it is right, a proxy on the way takes the "
        "Authorization header away.",
    ),
    AwsRefusalKind.OTHER_METHOD: _say(
        "The server takes tokens, not signatures with AWS keys",
        "Leave out --aws-sigv4: then you are signed in where the server offers that; or give a "
        "token with --header.",
    ),
    AwsRefusalKind.FORBIDDEN: _explain_forbidden,
}
