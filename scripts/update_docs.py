"""Keeps what the documents say of the command line and of the policy what the code says.

What stands between two markers is written here, from the tables of `mcp_remote_py`. Must not know
any option, rule or number.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from mcp_remote_py import retry
from mcp_remote_py.cli import render_command_sections, render_option_table
from mcp_remote_py.oauth import ledger
from mcp_remote_py.oauth.policy import OUTCOMES, RULES, Action, Event, Rule, State

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
LOOPS = ROOT / "docs" / "never-a-loop.md"


def render_options() -> str:
    """Every option of every command."""
    return f"{render_option_table()}\n{render_command_sections()}"


def render_rules() -> str:
    """The policy as a table; the first rule that fits decides."""
    rows = [
        (rule.event.value, _names_of(rule.states), _facts_of(rule), rule.action.value, rule.why)
        for rule in RULES
    ]
    return _table(("At", "with a token that is", "where", "do", "because"), rows)


def render_picture() -> str:
    """States, what is done in each, and what comes of it, as a diagram that GitHub draws."""
    events: dict[tuple[State, Action], list[str]] = defaultdict(list)
    for number, rule in enumerate(RULES):
        for state in State:
            if state in rule.states and not _is_shadowed(rule, state, RULES[:number]):
                events[state, rule.action].append(_EVENTS[rule.event])
    lines = ["stateDiagram-v2", "    [*] --> SIGNED_OUT"]
    lines += [f"    {state.name}: {state.value}" for state in State if state not in _KNOWN]
    lines += ['    state "accepted, or at its end" as KNOWN {']
    lines += [f"        {state.name}: {state.value}" for state in _KNOWN]
    lines += ["        PROVEN --> EXPIRING: time", "        EXPIRING --> EXPIRED: time", "    }"]
    lines += [f'    state "{action.value}" as {action.name}' for action in Action]
    for action in Action:
        common = [
            name
            for name in _EVENTS.values()
            if all(name in events[state, action] for state in _KNOWN)
        ]
        edges = {"KNOWN": common}
        for state in State:
            names = events[state, action]
            edges[state.name] = [one for one in names if state not in _KNOWN or one not in common]
        lines += [
            f"    {source} --> {action.name}: {', '.join(dict.fromkeys(names))}"
            for source, names in edges.items()
            if names
        ]
    for outcome in OUTCOMES:
        target = "[*]" if outcome.state is None else outcome.state.name
        lines.append(f"    {outcome.action.name} --> {target}: {outcome.happened}")
    lines += [
        "    classDef deed fill:#e2ebfa,color:#1c1e21",
        "    classDef end fill:#fbe4e2,color:#1c1e21",
    ]
    for kind, ends in (("deed", False), ("end", True)):
        names = [one.name for one in Action if one.value.startswith("give up") is ends]
        lines.append(f"    class {','.join(names)} {kind}")
    return "\n".join(("```mermaid", *lines, "```"))


_KNOWN = (State.PROVEN, State.EXPIRING, State.EXPIRED)
"""They are one box: most of what is done is the same in each."""

_EVENTS = {Event.REQUEST: "request", Event.UNAUTHORIZED: "401", Event.SCOPE_WANTED: "403"}


def _is_shadowed(rule: Rule, state: State, earlier: Iterable[Rule]) -> bool:
    """Whether one before it decides every case of this state that it could."""
    return any(
        one.event is rule.event and state in one.states and one.facts <= rule.facts
        for one in earlier
    )


def render_retries() -> str:
    """What follows a failure of one message."""
    rows = [
        (
            rule.failure.__name__,
            "any" if rule.status is None else ", ".join(map(str, sorted(rule.status))),
            "harmless" if rule.harmless else "with Retry-After" if rule.invited else "any",
            str(rule.repeats),
            rule.why,
        )
        for rule in retry.RULES
    ]
    return _table(("Failure", "HTTP status", "request", "repeats at most", "because"), rows)


def render_numbers() -> str:
    """The bounds."""
    say = ledger.describe_wait
    downs = ", ".join(map(say, ledger.TAB_COOL_DOWNS))
    rows = [
        ("Tab after one that came to nothing", f"not before {downs}; then a day, or a command"),
        ("Tabs within the first of these, even successful ones", str(ledger.MAX_QUICK_TABS)),
        (f"Tabs within {say(ledger.DAY)}", str(ledger.MAX_TABS)),
        ("After a sign-in that failed before any tab", say(ledger.ATTEMPT_COOL_DOWN)),
        ("Between two renewals because of a refusal", say(ledger.RENEWAL_SPACING)),
        ("Renewals whose tokens are never accepted", _steps(ledger.VAIN_RENEWALS)),
        ("After a token endpoint without a verdict", _steps(ledger.ANSWERED_RENEWALS)),
        ("After one that could not be reached", _steps(ledger.UNSENT_RENEWALS)),
    ]
    return _table(("What", "Bound"), rows)


def _steps(steps: retry.Steps) -> str:
    first, longest = ledger.describe_wait(steps.first), ledger.describe_wait(steps.longest)
    return f"{first}, each wait {steps.factor:g} times the one before, up to {longest}"


def _names_of(states: frozenset[State]) -> str:
    names = [state.value for state in State if state in states]
    return "anything" if len(names) == len(State) else ", ".join(names)


def _facts_of(rule: Rule) -> str:
    return "; ".join(sorted(fact.value for fact in rule.facts)) or "nothing of the above"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines
    )


PIECES = {
    README: {"options": render_options},
    LOOPS: {
        "numbers": render_numbers,
        "picture": render_picture,
        "rules": render_rules,
        "retries": render_retries,
    },
}
"""By document, the names of its pieces and what writes them."""


def with_piece(text: str, name: str, piece: str, document: str) -> str:
    """`text` with `piece` between the markers of that name.

    Raises:
        ValueError: a marker is not there exactly once.
    """
    first = f"<!-- {name}: written by scripts/update_docs -->"
    last = f"<!-- end of {name} -->"
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end or first in after or last in after:
        raise ValueError(f"{document} must hold {first!r} and {last!r} once each, in this order")
    return f"{before}{first}\n\n{piece.strip()}\n\n{last}{after}"


def main() -> int:
    """Exit status 0, or 1 where --check found a difference."""
    status = 0
    for document, pieces in PIECES.items():
        text = fresh = document.read_text(encoding="utf-8")
        for name, render in pieces.items():
            fresh = with_piece(fresh, name, render(), document.name)
        if fresh == text:
            continue
        if "--check" in sys.argv[1:]:
            print(f"{document.name} does not show things as they are: run scripts/update_docs")
            status = 1
            continue
        document.write_text(fresh, encoding="utf-8", newline="\n")
        print(f"{document.name}: written anew")
    return status


if __name__ == "__main__":
    sys.exit(main())
