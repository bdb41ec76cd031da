"""What the official SDK's client found, what a host would see, and where the two differ. Pure.

Must not know the SDK, nor how a host is played.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, tell_step
from mcp_remote_py.errors import shorten
from mcp_remote_py.found import HIDING_OPTIONS, UNREAD, Found, describe_tools
from mcp_remote_py.values import Value
from mcp_remote_py.versions import describe_revision

JUDGE, HOST_VIEW = "official-client", "host-view"
"""Names of steps."""
_TITLES = {JUDGE: "Official MCP client", HOST_VIEW: "What a host sees"}

COUNTED = ("tools", "resources", "resource templates", "prompts")
"""What the client counts."""

REPORT_OFFER = (
    "The official client works, and mcp-remote-py does not: please report it, with what --report "
    "FILE writes."
)
"""The next step where the fault is most likely ours."""

LOOK_AT_RULES = "Leave out the options that hide tools, one after the other, and check again."
ASK_FOR_TOOLS = (
    "Ask whoever runs the server: it may have resources or prompts only, or show its tools to some "
    "accounts only."
)
"""The next steps where a host is not shown any tool."""


class Counted(Value, frozen=True):
    """The entries of a list; `has_more`: there are further pages, which nobody has read."""

    what: str
    count: int = 0
    has_more: bool = False
    error: str = ""
    """Why it could not be listed, in the words of who tried; in ours where there is `raw`."""
    raw: str = ""
    """What the client said, where it is not for people."""


class Judgement(Value, frozen=True):
    """What the official client found; `error` and `raw` as in `Counted`: why it could not."""

    name: str = ""
    version: str = ""
    revision: str = ""
    counted: tuple[Counted, ...] = ()
    pings: tuple[float, ...] = ()
    """Seconds, each of one round trip."""
    ping_method: str = "ping"
    """The method that was asked to find them out: 2026-07-28 has no ping."""
    error: str = ""
    raw: str = ""
    is_late: bool = False
    """Whether it was only not given more time."""
    seconds: float | None = None

    @property
    def tools(self) -> Counted | None:
        """Those of the tools, None where the server has none to offer."""
        return next((one for one in self.counted if one.what == "tools"), None)


def describe_judgement(judgement: Judgement) -> CheckStep:
    """What the official client says."""
    if judgement.is_late:
        said = f"The official MCP client (Python SDK) was stopped: {shorten(judgement.error)}."
        return _step(JUDGE, StepState.NOTED, said, (), seconds=judgement.seconds)
    if judgement.error:
        return _step(
            JUDGE,
            StepState.FAILED,
            f"The official MCP client (Python SDK) fails: {_say_error(judgement)}.",
            tuple(_list_raw(judgement)),
            seconds=judgement.seconds,
        )
    failed = [one for one in judgement.counted if one.error]
    counts = ", ".join(_say_count(one) for one in judgement.counted if not one.error)
    found = counts or "nothing to list"
    said = f"The official MCP client (Python SDK) connects, and finds {found}."
    state = StepState.PASSED
    if failed:
        state = StepState.FAILED if any(one.what == "tools" for one in failed) else StepState.NOTED
        first = failed[0]
        said += f" It cannot list the {first.what}: {_say_error(first)}."
    return _step(JUDGE, state, said, list(_list_judgement(judgement)), seconds=judgement.seconds)


def _say_error(failed: Counted | Judgement) -> str:
    """What is not ours is quoted."""
    return shorten(failed.error) if failed.raw else f'"{shorten(failed.error)}"'


def _list_raw(failed: Counted | Judgement) -> Iterator[str]:
    if failed.raw:
        yield f'in its own words: "{shorten(failed.raw)}"'


def _say_count(counted: Counted) -> str:
    more = " or more" if counted.has_more else ""
    noun = counted.what.removesuffix("s") if counted.count == 1 and not more else counted.what
    return f"{counted.count}{more} {noun}"


def _list_judgement(judgement: Judgement) -> Iterator[str]:
    if judgement.name:
        version = f", version {shorten(judgement.version)}" if judgement.version else ""
        yield f"server: {shorten(judgement.name)}{version}"
    if judgement.revision:
        yield f"revision: {shorten(judgement.revision)}"
    if judgement.pings:
        middle = sorted(judgement.pings)[len(judgement.pings) // 2]
        yield (
            f"{judgement.ping_method}: {middle * 1000:.0f} ms (median of {len(judgement.pings)})"
        )
    for counted in judgement.counted:
        yield from _list_raw(counted)


def skip_judgement(why: str) -> CheckStep:
    """The official client was not asked."""
    return _step(JUDGE, StepState.SKIPPED, why, ())


# What a host sees ----------------------------------------------------------------------------


def describe_host_view(found: Found, entry: Sequence[str], seconds: float) -> CheckStep:
    """What a host gets; `entry` are the words behind the URL in its configuration."""
    if found.error:
        said, evidence = found.error, ()
        return _step(HOST_VIEW, StepState.FAILED, said, evidence, _hint_at_slowness(said), seconds)
    evidence = tuple(_list_found(found))
    if found.tools_error == UNREAD and not any(option in entry for option in HIDING_OPTIONS):
        said = (
            "A host is connected, and gets the list of tools as it is: it is too long to look into."
        )
        return _step(HOST_VIEW, StepState.NOTED, said, evidence, seconds=seconds)
    if found.tools_error:
        said = f"A host is connected, and cannot list the tools: {found.tools_error}"
        hint = _hint_at_slowness(found.tools_error) or "Tell whoever runs the server."
        return _step(HOST_VIEW, StepState.FAILED, said, evidence, hint, seconds)
    state = StepState.PASSED if found.count else StepState.FAILED
    hint = ""
    if not found.count:
        is_hidden = any(option in entry for option in HIDING_OPTIONS)
        hint = LOOK_AT_RULES if is_hidden else ASK_FOR_TOOLS
    elif found.pages > 1:
        hint = "Some hosts show the first page only: --merge-pages gives them all as one."
    return _step(HOST_VIEW, state, describe_tools(found, entry), evidence, hint, seconds)


def _hint_at_slowness(error: str) -> str:
    """What to do where a host was only not played for longer."""
    if not error.startswith("The server did not answer "):
        return ""
    return "Hosts wait longer, up to a minute: try again, and ask who runs it why it is so slow."


def _list_found(found: Found) -> Iterator[str]:
    if found.name:
        version = f", version {found.version}" if found.version else ""
        yield f"server: {found.name}{version}"
    yield f"transport: {found.transport}"
    yield f"speaks: {describe_revision(found.revision, is_new=found.is_modern)}"


def skip_host_view(why: str) -> CheckStep:
    """Nothing was played."""
    return _step(HOST_VIEW, StepState.SKIPPED, why, ())


def compare(found: Found, judgement: Judgement) -> str:
    """How what a host sees differs from what the official client found; "" where it does not."""
    if judgement.is_late:
        return ""
    tools = judgement.tools
    judge_works = not judgement.error and (tools is None or not tools.error)
    we_work = not found.error and found.tools_error in ("", UNREAD)
    if judge_works and not we_work:
        return REPORT_OFFER
    if we_work and not judge_works:
        return (
            "mcp-remote-py works here, and the official client does not: a host that connects "
            "by itself may fail."
        )
    return ""


def _step(
    name: str,
    state: StepState,
    said: str,
    evidence: Sequence[str],
    hint: str = "",
    seconds: float | None = None,
) -> CheckStep:
    return tell_step(name, _TITLES[name], state, said, evidence, hint, seconds)
