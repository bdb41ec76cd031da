"""What the first answer of a server shows: transport, era, challenge, clock. As steps, pure.

The causes of failures are those that a relay has: who asks brings them. Must not know how a server
is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, tell_step
from mcp_remote_py.errors import HEADER_EXAMPLE, McpRemoteError, excerpt, one_line, shorten
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.redact import scrub_known
from mcp_remote_py.time_words import describe_span
from mcp_remote_py.values import Value
from mcp_remote_py.versions import describe_revision

TRANSPORT, CHALLENGE, CLOCK, SPEED = "transport", "challenge", "server-clock", "speed"
"""Names of steps."""

TRANSPORT_TITLE = "Protocol"
"""Title of that step."""

CLOCKS_MAY_DIFFER = 90.0
"""Seconds that two clocks may differ: tokens are given that much, and answers take their time."""


class Answered(Value, frozen=True):
    """An HTTP answer, as far as it is evidence. Texts are as they came; `url` is masked."""

    method: str
    url: str
    status: int
    content_type: str = ""
    challenge: str = ""
    """The value of `WWW-Authenticate`."""
    body: bytes = b""
    """Its beginning, without known secrets."""
    server: str = ""
    """The value of `Server`."""
    retry_after: str = ""
    moved_to: str = ""
    """Where a redirect has led, masked; "" without one."""
    seconds: float = 0.0
    """How long its headers took."""


def list_answer(answered: Answered, asked: str = "") -> Iterator[str]:
    """The lines of evidence of an answer; `asked` is what the request was."""
    yield one_line(f"sent: {answered.method} {answered.url} {asked}")
    if answered.moved_to:
        yield f"redirected to: {answered.moved_to}"
    kind = f", {shorten(answered.content_type)}" if answered.content_type else ", no content type"
    yield f"came: HTTP {answered.status}{kind}, after {_show_seconds(answered.seconds)}"
    for name, value in (
        ("WWW-Authenticate", answered.challenge),
        ("Retry-After", answered.retry_after),
        ("Server", answered.server),
    ):
        if value:
            yield f"{name}: {shorten(value)}"
    if words := excerpt(answered.body):
        yield f'first words: "{words}"'


def _show_seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


# Transport and era ---------------------------------------------------------------------------


def describe_transport(
    transport: str, revision: str, *, is_modern: bool, evidence: Sequence[str], seconds: float
) -> CheckStep:
    """The server speaks MCP; `revision` is "" where it was not told, as over HTTP+SSE."""
    named = describe_revision(shorten(revision), is_new=is_modern)
    return _step(
        StepState.PASSED,
        f"The server speaks {named} over {transport}.",
        evidence,
        seconds=seconds,
    )


def describe_wanted_credential(
    answered: Answered, evidence: Sequence[str], *, is_given: bool
) -> CheckStep:
    """The server says nothing before it has a credential; `is_given`: the person gave one."""
    what = "refuses the credential that you give" if is_given else "wants a credential first"
    return _step(
        StepState.NOTED if is_given else StepState.PASSED,
        f"The server answers, and {what} (HTTP {answered.status}).",
        evidence,
        seconds=answered.seconds,
    )


def describe_no_transport(
    error: McpRemoteError, evidence: Sequence[str], others: Sequence[str], seconds: float
) -> CheckStep:
    """The server does not speak MCP at this address; `others` are addresses where one answers."""
    hint = error.hint
    if others:
        hint = f"An MCP server answers at {others[0]}: use that address."
    return _step(StepState.FAILED, error.cause, evidence, hint, seconds)


def _step(
    state: StepState, said: str, evidence: Sequence[str], hint: str = "", seconds: float = 0.0
) -> CheckStep:
    return tell_step(TRANSPORT, TRANSPORT_TITLE, state, said, evidence, hint, seconds)


# The challenge -------------------------------------------------------------------------------


def describe_challenge(
    answered: Answered, challenge: Challenge, scheme: str, given: Sequence[str], *, has_token: bool
) -> CheckStep:
    """What a refusal asks for.

    `scheme` is the first one it names. `given` are the names of the person's headers, of which one
    was the credential; `has_token` tells that a token of a sign-in was sent.
    """
    evidence = tuple(_list_challenge(challenge, scheme))
    credential = next((name for name in given if name.lower() == "authorization"), "")
    because = challenge.error_description or challenge.error
    why = f' It says: "{shorten(because)}".' if because else ""
    if credential:
        return _challenged(
            StepState.FAILED,
            f"The server refuses your header {credential} (HTTP {answered.status}).{why}",
            evidence,
            "Check its value: is it whole, valid, and meant for this server? As long as this "
            "header is there, the browser sign-in is not used.",
        )
    if has_token:
        said = f"The server refuses the token of the sign-in (HTTP {answered.status}).{why}"
        return _challenged(StepState.FAILED, said, evidence)
    if given and not _leads_somewhere(challenge, scheme):
        names = " and ".join(given)
        return _challenged(
            StepState.FAILED,
            f"The server wants a credential (HTTP {answered.status}), although you give the "
            f"header {names}.{why}",
            evidence,
            f"If {names} is the credential, check its value; else give one, for example "
            f"{HEADER_EXAMPLE}.",
        )
    if scheme in ("basic", "digest", "negotiate", "ntlm"):
        return _challenged(
            StepState.FAILED,
            f"The server wants a credential of the scheme {shorten(scheme)}, which is not a "
            f"sign-in in the browser.{why}",
            evidence,
            'Give it in a header, for example --header "Authorization: Basic ...", or ask who '
            "runs the server for a token.",
        )
    said = f"The server wants a sign-in (HTTP {answered.status}).{why}"
    return _challenged(StepState.NOTED if why else StepState.PASSED, said, evidence)


def name_value_place(step: CheckStep, place: str) -> CheckStep:
    """The same step; where a header is refused, with where its value stands, "" if not known."""
    if step.name != CHALLENGE or step.state is not StepState.FAILED or not place:
        return step
    return step.replace(hint=f"{step.hint} Its value is {place}.")


def describe_no_challenge(given: Sequence[str]) -> CheckStep:
    """The server wants nothing more than it was given."""
    if given:
        names = ", ".join(given)
        said = f"The server does not ask for more than the headers you give ({names})."
    else:
        said = "The server does not ask for a credential."
    return _challenged(StepState.PASSED, said, ())


def _leads_somewhere(challenge: Challenge, scheme: str) -> bool:
    return bool(challenge.resource_metadata) or scheme in ("bearer", "dpop")


def _list_challenge(challenge: Challenge, scheme: str) -> Iterator[str]:
    yield f"scheme: {shorten(scheme) if scheme else 'none: the answer has no WWW-Authenticate'}"
    for name, value in (
        ("resource_metadata", challenge.resource_metadata),
        ("scope", challenge.scope or ""),
        ("error", challenge.error),
        ("error_description", challenge.error_description),
        ("DPoP algorithms", " ".join(challenge.dpop_algorithms or ())),
    ):
        if value:
            yield f"{name}: {shorten(value)}"


def _challenged(state: StepState, said: str, evidence: Sequence[str], hint: str = "") -> CheckStep:
    said = one_line(scrub_known(said))
    return CheckStep(CHALLENGE, "Credential asked for", state, said, tuple(evidence), hint)


# The clock -----------------------------------------------------------------------------------


def describe_clock(server_time: float, now: float) -> CheckStep | None:
    """What is said of two clocks that differ, None where they do not; times in seconds."""
    ahead = now - server_time
    if abs(ahead) <= CLOCKS_MAY_DIFFER:
        return None
    which = "ahead of" if ahead > 0 else "behind"
    return CheckStep(
        CLOCK,
        "Clocks",
        StepState.NOTED,
        f"This machine's clock is {describe_span(abs(ahead))} {which} the server's.",
        hint="Set this machine's clock by the network: tokens are judged by it.",
    )


# The time it takes ---------------------------------------------------------------------------


def describe_slowness(seconds: float) -> CheckStep:
    """What is said of a server that answers, and slowly: it took that long for the first answer."""
    return CheckStep(
        SPEED,
        "Speed",
        StepState.NOTED,
        f"The server is slow: its first answer took {_show_seconds(seconds)}.",
        hint="Hosts wait for that. If it is slow each time, ask whoever runs it.",
    )
