"""Which step that spoke with the server decides, and the next command: a table. Pure.

Whatever failed, a host that gets tools is what counts. Must not know how a step is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcp_remote_py.diagnosis.answers import CHALLENGE, CLOCK, SPEED, TRANSPORT
from mcp_remote_py.diagnosis.documents import (
    AUTHORIZATION_SERVER,
    REGISTRATION,
    RESOURCE_METADATA,
)
from mcp_remote_py.diagnosis.judgements import HOST_VIEW, JUDGE, REPORT_OFFER
from mcp_remote_py.diagnosis.sign_ins import SIGNED_IN, STORED_SIGN_IN, TOKEN
from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.exit_status import DONE_STATUS, FAILED_STATUS, SIGN_IN_NEEDED_STATUS
from mcp_remote_py.oauth.explain import ALL_THE_SAME, UNSURE_LOGIN, VAIN_LOGIN
from mcp_remote_py.values import Value

_Steps = Mapping[str, CheckStep]
"""By their names; one that was not done is not there."""


class ServerRuling(Value, frozen=True):
    """A way a check can end: the first that fits decides.

    `step` is the one whose words are told, `needs` and `needs_not` are the names of those that
    must have failed and must not; `offers_login` tells that a sign-in is the next step.
    """

    step: str
    because: str
    needs: tuple[str, ...] = ()
    needs_not: tuple[str, ...] = ()
    offers_login: bool = False
    status: int = FAILED_STATUS
    hint: str = ""
    """In place of the step's own."""

    def fits(self, steps: _Steps) -> bool:
        """Whether it is this one."""
        return (
            self.step in steps
            and all(_has_failed(steps, name) for name in (self.needs or (self.step,)))
            and not any(_has_failed(steps, name) for name in self.needs_not)
        )


_SET_CLOCK = (
    "Set this machine's clock by the network, then sign in again. If it is right, tell whoever "
    "runs the server that theirs is not."
)

SERVER_RULINGS = (
    ServerRuling(TRANSPORT, "Nothing else was asked."),
    ServerRuling(CHALLENGE, "What the person gave is refused: nobody signs in instead (D12)."),
    ServerRuling(
        STORED_SIGN_IN,
        "It cannot be read: a sign-in could not be stored either.",
        needs=(STORED_SIGN_IN, "store"),
    ),
    ServerRuling(RESOURCE_METADATA, "Nobody can sign in.", needs_not=("signed-in",)),
    ServerRuling(AUTHORIZATION_SERVER, "Nobody can sign in.", needs_not=("signed-in",)),
    ServerRuling(REGISTRATION, "Nobody can sign in.", needs_not=("signed-in",)),
    ServerRuling(
        SIGNED_IN,
        "The person was asked, and it came to nothing.",
        offers_login=True,
        status=SIGN_IN_NEEDED_STATUS,
    ),
    ServerRuling(
        CLOCK,
        "The difference is why the token is refused: a new one would be refused as well.",
        needs=(TOKEN, "clock"),
        status=SIGN_IN_NEEDED_STATUS,
        offers_login=True,
        hint=_SET_CLOCK,
    ),
    ServerRuling(
        TOKEN,
        "The token is refused, and a host is told to sign in.",
        needs=(TOKEN, HOST_VIEW),
        offers_login=True,
        status=SIGN_IN_NEEDED_STATUS,
    ),
    ServerRuling(
        STORED_SIGN_IN,
        "A person has to sign in.",
        offers_login=True,
        status=SIGN_IN_NEEDED_STATUS,
    ),
    ServerRuling(HOST_VIEW, "This is what a host gets.", needs_not=("judge-differs",)),
    ServerRuling(
        HOST_VIEW, "It works for others: the fault is most likely ours.", hint=REPORT_OFFER
    ),
)
"""`store`, `clock`, `signed-in` and `judge-differs` stand for facts: see `find_server_verdict`."""


def find_server_verdict(
    steps: Sequence[CheckStep],
    login_command: str,
    *,
    store_failed: bool = False,
    is_signed_in: bool = False,
    clock_reason: str = "",
) -> Verdict | None:
    """The verdict; None where no host was played and nothing failed: others decide then.

    `login_command` signs in at this server. `store_failed`: what is stored cannot be read;
    `is_signed_in`: a token is there, so that the ways to get one do not matter. `clock_reason` is
    the sentence on why a difference of clocks is the reason that it is refused.
    """
    known = {step.name: step for step in steps}
    facts = {
        "store": store_failed,
        "clock": bool(clock_reason),
        "signed-in": is_signed_in,
        "judge-differs": _judge_differs(known),
    }
    for name, is_so in facts.items():
        if is_so:
            known[name] = CheckStep(name, name, StepState.FAILED, "")
    view = known.get(HOST_VIEW)
    if view is not None and view.state in (StepState.PASSED, StepState.NOTED):
        slow = known.get(SPEED)
        works = "It works." if slow is None else f"It works. {slow.said}"
        hint = view.hint or ("" if slow is None else slow.hint)
        return Verdict("", f"{works} {view.said}", hint, "", DONE_STATUS)
    ruling = next((one for one in SERVER_RULINGS if one.fits(known)), None)
    if ruling is None:
        return None
    step = known[ruling.step]
    if VAIN_LOGIN in step.said:  # its way out is another one
        first = UNSURE_LOGIN if UNSURE_LOGIN in step.said else VAIN_LOGIN
        said, hint, others = step.said.partition(first)
        hint += others.partition(f" {ALL_THE_SAME}:")[0]
        return Verdict(step.name, said.rstrip(), hint, "", ruling.status)
    command = login_command if ruling.offers_login else ""
    return Verdict(
        step.name,
        f"{step.said} {clock_reason}" if ruling.step == CLOCK else _leave_out(command, step.said),
        _leave_out(command, ruling.hint or step.hint),
        command,
        ruling.status,
    )


def _leave_out(command: str, text: str) -> str:
    """`text` without a last sentence that names the command: it is told as the next one."""
    if not command or not text.rstrip(" .").endswith(command):
        return text
    before = text.rpartition(command)[0]
    kept, stop, _ = before.rpartition(". ")
    return kept + stop.strip()


def _has_failed(steps: _Steps, name: str) -> bool:
    step = steps.get(name)
    return step is not None and step.state is StepState.FAILED


def _judge_differs(steps: _Steps) -> bool:
    """Whether the official client gets what a host does not get through us."""
    judge = steps.get(JUDGE)
    return judge is not None and judge.hint == REPORT_OFFER
