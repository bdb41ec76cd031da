"""Keeps what the documents say of options, policy, eras and conformance what the code says.

What stands between two markers is written here, from the tables of `mcp_remote_py` and, for what
is shown by tests, from theirs. Must not know any option, rule or number.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for the tables of the tests
sys.path.insert(0, str(ROOT / "scripts"))  # where a test has loaded this file

import benchmark_record
from manual import render_manual

from mcp_remote_py import bounds, merged_list, named_files, retry, tools
from mcp_remote_py.cli.help import describe_others
from mcp_remote_py.cli.options import Option, options_of
from mcp_remote_py.cli.program import COMMANDS, PROXY
from mcp_remote_py.credentials import files
from mcp_remote_py.eras import era_detection, parameters
from mcp_remote_py.hosts.catalogue import HOSTS_BY_KEY, KNOWN_HOSTS, KnownHost, System
from mcp_remote_py.net import http1
from mcp_remote_py.oauth import budget, document_search
from mcp_remote_py.oauth.discovery import MAX_AUTHORIZATION_SERVERS
from mcp_remote_py.oauth.document import MAX_POST_REDIRECTS
from mcp_remote_py.oauth.policy import (
    POLICY_RULES,
    State,
)
from mcp_remote_py.oauth.registration_readings import MAX_REGISTRATIONS
from mcp_remote_py.oauth.steps import MAX_BODY_BYTES
from mcp_remote_py.oauth.token_exchange import MAX_TOKEN_REQUESTS
from mcp_remote_py.settings.commands import DEFAULT_MAX_MESSAGE_SIZE
from mcp_remote_py.settings.headers import MAX_HEADERS, MAX_HEADERS_LENGTH
from mcp_remote_py.settings.network import CONSENT_TIMEOUT, TOKEN_TIMEOUT
from mcp_remote_py.settings.sign_in import DEFAULT_AUTH_TIMEOUT
from mcp_remote_py.signin.callback import DEFAULT_LIMITS
from mcp_remote_py.time_words import describe_wait
from mcp_remote_py.transports import cookies, intake, sse
from mcp_remote_py.transports.refusal import EVIDENCE_BYTES
from scripts.picture_rows import PICTURES
from tests import npm_options, screens, side_by_side
from tests.checking import record as faults
from tests.conformance import scenarios
from tests.documents import DOCUMENTS
from tests.interop import table as interop
from tests.interop.networks import table as networks
from tests.marks import collect
from tests.matrix import cells
from tests.platforms import branches as platforms
from tests.reports import REPORTS

OPTIONS = ROOT / "docs" / "options.md"
CHECKED = ROOT / "docs" / "check.md"
MCP_REMOTE = ROOT / "docs" / "mcp-remote.md"
LOOPS = ROOT / "docs" / "never-a-loop.md"
ERAS = ROOT / "docs" / "eras.md"
CONFORMANCE = ROOT / "docs" / "conformance.md"
SECURITY = ROOT / "docs" / "security.md"
HOSTS = ROOT / "docs" / "hosts.md"
SEEN_AT_HOSTS = ROOT / "tests" / "interop" / "hosts.json"
SEEN_AT_INSTALLED = ROOT / "tests" / "interop" / "installed" / "seen.json"
SYSTEMS = ROOT / "docs" / "systems.md"
NETWORKS = ROOT / "docs" / "networks.md"
PLATFORMS = ROOT / "docs" / "platforms.md"
SIDE_BY_SIDE = ROOT / "docs" / "side-by-side.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
MANUAL = ROOT / "man" / "mcp-remote-py.1"
FOLDER = ROOT / "docs" / "pictures"


def render_commands() -> str:
    """Each command, and what it does."""
    return _table(
        ("Command", "What it does"),
        [(f"`{command.usage}`", command.summary) for command in COMMANDS.values()],
    )


def render_options() -> str:
    """Every option of every command: those of the relay by their groups, then what others add."""
    relayed = options_of(PROXY)
    sections: list[str] = []
    for group in dict.fromkeys(option.group for option in relayed):
        rows = [option for option in relayed if option.group == group]
        sections += (f"### {group}", _render_options(rows))
    for command in COMMANDS.values():
        if command.name == PROXY:
            continue
        options = options_of(command.name)
        shared = ", ".join(f"`{option.name}`" for option in options if option in relayed)
        own = [option for option in options if option not in relayed]
        sections += (
            f"## {command.name}",
            f"`{command.usage} [options]`",
            command.summary,
            *([_render_options(own)] if own else []),
            f"Options as above: {shared}.",
            describe_others(command.name),
        )
    return "\n\n".join(sections)


def _render_options(options: Iterable[Option]) -> str:
    rows: list[tuple[str, ...]] = []
    for option in options:
        meaning = option.help + (" Can be repeated." if option.repeatable else "")
        usage = f"{option.name} {option.value}".strip()
        rows.append((f"`{usage}`", re.sub(r"([*<>\\])", r"\\\1", meaning)))
    return _table(("Option", "Meaning"), rows)


def render_rules() -> str:
    """The policy as a table; the first rule that fits decides."""
    rows = [
        (
            str(number),
            rule.event.value,
            _names_of(rule.states),
            "; ".join(sorted(fact.value for fact in rule.facts)) or "nothing of the above",
            rule.action.value,
            rule.why,
        )
        for number, rule in enumerate(POLICY_RULES, 1)
    ]
    return _table(("Rule", "At", "with a token that is", "where", "do", "because"), rows)


def _request_of(rule: retry.Rule) -> str:
    if rule.proven:
        return "harmless, or another one shows it"
    return "harmless" if rule.harmless else "with Retry-After" if rule.invited else "any"


def render_retries() -> str:
    """What follows a failure of one message."""
    rows = [
        (
            rule.failure.__name__,
            "any" if rule.status is None else ", ".join(map(str, sorted(rule.status))),
            _request_of(rule),
            str(rule.repeats),
            rule.why,
        )
        for rule in retry.RULES
    ]
    return _table(("Failure", "HTTP status", "request", "repeats at most", "because"), rows)


def render_numbers() -> str:
    """The bounds."""
    say = describe_wait
    downs = ", ".join(map(say, budget.TAB_COOL_DOWNS))
    quick = f"{budget.MAX_QUICK_TABS} within {say(budget.TAB_COOL_DOWNS[0])}"
    rows = [
        ("Tab after one that came to nothing", f"not before {downs}; then a day, or a command"),
        ("Tabs that led to an accepted token", f"{quick}, and one for each new set of scopes"),
        (
            "The page of one sign-in, by itself",
            f"once more, {say(budget.SHOWN_AGAIN_AGE)} after its tab was opened, by a later process"
            f" that has waited {say(budget.SHOWN_AGAIN_WAIT)}; counted as a tab",
        ),
        (
            "The same, by the tool `sign_in`",
            f"not within {say(budget.SHOWN_AGAIN_WAIT)} of the last one of this process; with all "
            f"others {budget.MAX_TABS_OF_SIGN_IN} tabs",
        ),
        ("Tabs in all", f"{budget.MAX_TABS} within {say(budget.DAY)}"),
        (
            "After a sign-in that failed before any tab",
            f"{_steps(budget.ATTEMPTS)}; or what the server asked for (`Retry-After`), up to "
            f"{say(budget.DAY)}",
        ),
        ("Requests for a registration in one sign-in", f"{MAX_REGISTRATIONS}, each another one"),
        (
            "Requests of one exchange with a token endpoint",
            f"{MAX_TOKEN_REQUESTS} at most; {MAX_POST_REDIRECTS} more where it redirects",
        ),
        (
            "Between two renewals because of a refusal, the token between them not accepted",
            f"{say(budget.RENEWAL_SPACING)}, but one whose process was killed is made good at once",
        ),
        (
            "Renewals because of a refusal, each token accepted in between",
            f"{budget.RENEWAL_BURST} at once, and one more each {say(budget.RENEWAL_SPACING)}: "
            f"{budget.RENEWAL_BURST + int(3600 / budget.RENEWAL_SPACING)} within an hour",
        ),
        ("Renewals whose tokens are never accepted", _steps(budget.VAIN_RENEWALS)),
        ("Renewals whose tokens end before they are used", _steps(budget.UNUSED_RENEWALS)),
        ("After a token endpoint without a verdict", _steps(budget.ANSWERED_RENEWALS)),
        ("After one that could not be reached", _steps(budget.UNSENT_RENEWALS)),
        ("A request waits for these two", f"{say(budget.RENEWAL_PATIENCE)} in all"),
        (
            "Refusals that give no reason, before a refresh token counts as dead",
            f"{budget.MAX_DOUBTS}; of those that are not in OAuth's form one counts within "
            f"{say(budget.FOREIGN_DOUBT_SPACING)}",
        ),
        ("A listening stream that ended is opened again", _steps(retry.STREAM_STEPS)),
        ("A tab is waited for (`--auth-timeout`)", say(DEFAULT_AUTH_TIMEOUT)),
        (
            "A token endpoint is waited for",
            f"{say(TOKEN_TIMEOUT)}; {say(CONSENT_TIMEOUT)} for what a person has consented to",
        ),
    ]
    return _table(("What", "Bound"), rows)


def _steps(steps: retry.Steps) -> str:
    first, longest = describe_wait(steps.first), describe_wait(steps.longest)
    return f"{first}, each wait {steps.factor:g} times the one before, up to {longest}"


def render_features() -> str:
    """What every cell of the matrix is played with."""
    return ", ".join(cells.FEATURES) + "."


def render_matrix() -> str:
    """By client and server, how many features work, and why others have nothing to show."""
    missing: dict[str, set[str]] = defaultdict(set)

    def cell(client: str, server: str) -> str:
        reasons = {one: cells.why_empty(client, server, one) for one in cells.FEATURES}
        for feature, reason in reasons.items():
            missing[reason].add(feature)
        why = sorted({cells.REASONS.index(one) + 1 for one in reasons.values() if one})
        works = sum(not one for one in reasons.values())
        marks = "".join(f" <sup>{number}</sup>" for number in why)
        return f"{works} of {len(reasons)}{marks}"

    names = [kind.name for kind in cells.SERVERS]
    rows = [(client, *(cell(client, name) for name in names)) for client in cells.CLIENTS]
    notes = [
        f"<sup>{number}</sup> {reason[0].upper()}{reason[1:]}: "
        f"{'; '.join(one for one in cells.FEATURES if one in missing[reason])}."
        for number, reason in enumerate(cells.REASONS, 1)
    ]
    return "\n\n".join((_table(("Client", *names), rows), *notes))


def render_scenarios() -> str:
    """By scenario of the official suite and host, whether every check is passed."""
    versions: dict[str, list[str]] = defaultdict(list)
    for pair in scenarios.PAIRS:
        versions[pair.scenario].append(pair.version)
    notes: list[str] = []

    def cell(name: str, era: str) -> str:
        known = scenarios.KNOWN.get((name, era))
        if known is None:
            return "clean, refused" if name in scenarios.MUST_FAIL else "clean"
        notes.append(f"<sup>{len(notes) + 1}</sup> {known.why}")
        return f"{len(known.checks)} checks not <sup>{len(notes)}</sup>"

    rows = [
        (
            f"`{name}`",
            ", ".join(revisions),
            *(cell(name, era) for era in scenarios.ERAS),
            str(scenarios.tabs_of(name)),
        )
        for name, revisions in versions.items()
    ]
    head = ("Scenario", "Its server speaks", "legacy host", "modern host", "dual host", "Tabs")
    return "\n\n".join((_table(head, rows), *notes))


def _render_known(known: Mapping[str, scenarios.Known]) -> str:
    rows = [
        (f"`{name}`", ", ".join(f"`{check}`" for check in sorted(one.checks)), one.why)
        for name, one in known.items()
    ]
    return _table(("Scenario", "Checks", "because"), rows)


def render_front() -> str:
    """What the front keeps from the command."""
    return _render_known(scenarios.AT_THE_FRONT)


def render_server() -> str:
    """What is not clean on the server itself."""
    return _render_known(scenarios.SERVER_KNOWN)


def render_evidence() -> str:
    """What a failure says of the server's era."""
    rows = [
        (
            one.failure.__name__,
            "any" if one.status is None else ", ".join(map(str, sorted(one.status))),
            _codes(one.codes),
            one.era.value or "nothing",
            one.why,
        )
        for one in era_detection.FAILURES
    ]
    return _table(("Failure", "HTTP status", "JSON-RPC error", "it is", "because"), rows)


def render_limits() -> str:
    """What anything that comes in may cost."""
    message, shared = DEFAULT_MAX_MESSAGE_SIZE, intake.SHARED_BYTES
    ratio = f"{bounds.MAX_RATIO} to 1, past {_size(bounds.FREE_OUTPUT)}"
    listener = DEFAULT_LIMITS
    rows = [
        ("A message, either way (`--max-message-size`)", _size(message)),
        ("All answers under way together, until the host has them", f"that and {_size(shared)}"),
        ("What each of them may have without a share of that", _size(intake.FREE_BYTES)),
        ("Layers of compression", "1"),
        ("Gzip members of one body", f"{bounds.MAX_GZIP_MEMBERS:,}"),
        ("What compressed bytes become", ratio),
        (
            "Header fields of an answer, with all interim ones",
            f"{_size(http1.MAX_HEAD_BYTES)}, {http1.MAX_HEAD_LINES:,} lines",
        ),
        ("A message that is read in one go; a longer one in slices", _size(bounds.LONG_BYTES)),
        ("Messages in an array", f"{bounds.MAX_BATCH:,}, together {_size(bounds.MAX_BATCH_BYTES)}"),
        ("Members of an object or list that is looked into", f"{bounds.MAX_MEMBERS:,}"),
        (
            "A list whose pages are given to the host as one (`--merge-pages`)",
            f"{merged_list.MAX_PAGES} pages, {merged_list.MAX_ENTRIES:,} entries, "
            f"{_size(merged_list.MAX_LIST_BYTES)}, {merged_list.MAX_LIST_SECONDS:g} s",
        ),
        (
            f"Values in a list above {_size(bounds.RICH_BYTES)} that is looked into",
            f"{bounds.LONG_PARTS:,}",
        ),
        ("Members of its tools, where rules are set on them", f"{tools.MAX_NAMES:,}"),
        (
            "Values in those of its schemas that may have an `x-mcp-header`",
            f"{parameters.MAX_MARKED_PARTS:,}",
        ),
        ("Values, where those at all depths are looked into", f"{bounds.MAX_PARTS:,}"),
        ("An id, or the name of a method", _size(bounds.MAX_ID_BYTES)),
        ("A refusal that may be the answer to a call", _size(bounds.MAX_REFUSAL_BYTES)),
        ("Field of an event that is not its data", _size(sse.MAX_FIELD_BYTES)),
        ("Requests of a server that are open", f"{bounds.MAX_SERVER_REQUESTS:,}"),
        ("Metadata, or an answer with tokens", _size(MAX_BODY_BYTES)),
        (
            "Documents that are asked for to find out who signs people in",
            f"{document_search.MAX_DOCUMENTS}, {document_search.MAX_SILENCE:g} s in vain, "
            f"{MAX_AUTHORIZATION_SERVERS} authorization servers",
        ),
        ("What is read of a page that refuses", _size(EVIDENCE_BYTES)),
        ("Cookies", f"{cookies.MAX_COOKIES}, together {_size(cookies.MAX_LINE_BYTES)}"),
        ("Visitors of a sign-in's listener at once", str(listener.connections)),
        ("What one of them sends", _size(listener.head_bytes)),
        ("A file of ours", _size(files.MAX_OWN_FILE_BYTES)),
        ("A file that the person names", _size(named_files.MAX_FILE_BYTES)),
        (
            "Headers of a file or command",
            f"{MAX_HEADERS}, together {_size(MAX_HEADERS_LENGTH)}",
        ),
        ("Work in one turn of the event loop", f"{intake.TURN * 1000:g} ms"),
    ]
    return _table(("What", "At most"), rows)


def _size(size: int) -> str:
    for unit, length in (("MiB", 1024 * 1024), ("KiB", 1024)):
        if size >= length:
            return f"{size / length:g} {unit}"
    return f"{size} bytes"


def render_reports() -> str:
    """What attackers try, what is right then, and the files of tests that show it."""
    shown = collect("report")
    rows = [
        (name, right, ", ".join(f"`tests/{path}`" for path in dict.fromkeys(shown[name])))
        for name, right in REPORTS.items()
    ]
    return _table(("", "Right is", "shown by"), rows)


_FOLDERS = {
    "{home}": "~",
    "{config}": "~/.config",
    "{appdata}": "%APPDATA%",
    "{localappdata}": "%LOCALAPPDATA%",
}
"""What a template of a path begins with, as a person writes it."""


def render_configurations() -> str:
    """Where each host has its entries, and from where we know."""
    rows = [
        (
            host.title,
            f"`{host.key}`",
            "<br>".join(_describe_config(host)),
            f"`{'.'.join(host.place)}`, {host.form.value}",
            "<br>".join(_escape_pipes(source) for source in host.sources),
        )
        for host in KNOWN_HOSTS
    ]
    return _table(("Host", "`--client`", "File", "Entries in", "Sources"), rows)


def _describe_config(host: KnownHost) -> Iterable[str]:
    """Its files, each with the systems that have it there; the likeliest of each system."""
    by_path: dict[str, list[str]] = {}
    for system in System:
        # Without the variables that move a folder: the text beside the table names them.
        path = next(one for one in host.configs[system] if not one[1:2].isupper())
        for template, text in _FOLDERS.items():
            path = path.replace(template, text)
        by_path.setdefault(path, []).append(system.value)
    for path, systems in by_path.items():
        yield f"`{path}`" if len(by_path) == 1 else f"{', '.join(systems)}: `{path}`"


def _escape_pipes(text: str) -> str:
    return text.replace("|", "\\|").replace("${", "`${").replace("}", "}`")


def render_hosts(file: Path = SEEN_AT_HOSTS) -> str:
    """By step and host, what came of it in the last run."""
    seen = json.loads(file.read_text(encoding="utf-8"))
    notes: list[str] = []

    def cell(outcome: Mapping[str, str]) -> str:
        if outcome["result"] != "-":
            return outcome["result"]
        if outcome["words"] not in notes:
            notes.append(outcome["words"])
        return f"- <sup>{notes.index(outcome['words']) + 1}</sup>"

    steps = [one["step"] for one in next(iter(seen.values()))["steps"]]
    rows = [
        (step, *(cell(host["steps"][number]) for host in seen.values()))
        for number, step in enumerate(steps)
    ]
    names = [host["version"].removeprefix("@modelcontextprotocol/") for host in seen.values()]
    told = [f"<sup>{number}</sup> {note}" for number, note in enumerate(notes, 1)]
    return "\n\n".join((_table(("", *names), rows), *told))


def render_treatment() -> str:
    """By host, what it hands to the command and how it leaves it."""
    seen = json.loads(SEEN_AT_HOSTS.read_text(encoding="utf-8"))
    heads = {
        "environment": "Environment, besides `env`",
        "folder": "Folder",
        "stderr": "stderr",
        "end": "Ends",
        "patience": "Waits",
    }
    rows = [(name, *(host["treatment"][one] for one in heads)) for name, host in seen.items()]
    return _table(("Host", *heads.values()), rows)


def render_side_by_side() -> str:
    """By kind of input, what we print and what others do."""
    head, *rows = side_by_side.render()
    return _table(head, rows)


def render_handling() -> str:
    """By host that `install` wrote into, what it makes of the entry and of its command."""
    seen = json.loads(SEEN_AT_INSTALLED.read_text(encoding="utf-8"))
    rows = [
        (
            HOSTS_BY_KEY[key].title,
            f"`{host['notes']['named']}`",
            f"{host['steps'][0]['seconds']:.1f} s",
            *(host["treatment"][one] for one in ("patience", "environment", "stderr", "end")),
        )
        for key, host in seen.items()
    ]
    head = ("Host", "`add` of `math` is", "One question", "Waits for the tools", "Environment")
    return _table((*head, "stderr", "Ends"), rows)


def render_unsigned() -> str:
    """By host that `install` wrote into, what its model has while nothing works."""
    seen = json.loads(SEEN_AT_INSTALLED.read_text(encoding="utf-8"))
    rows = [
        (
            HOSTS_BY_KEY[key].title,
            host["notes"].get("unsigned", "no tool: see the note above"),
            host["notes"]["down"],
        )
        for key, host in seen.items()
    ]
    return _table(("Host", "Nobody signs in", "The server is down"), rows)


def _codes(codes: frozenset[int] | None) -> str:
    if codes is None:
        return "any or none"
    found = sorted(codes)
    return f"{found[-1]} to {found[0]}" if len(found) > 5 else ", ".join(map(str, found))


def _names_of(states: frozenset[State]) -> str:
    names = [state.value for state in State if state in states]
    return "anything" if len(names) == len(State) else ", ".join(names)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines
    )


PIECES = {
    OPTIONS: {
        "commands": render_commands,
        "options": render_options,
    },
    CHECKED: {"faults": faults.render},
    PLATFORMS: {"platforms": platforms.render},
    MCP_REMOTE: {"mcp-remote": npm_options.render},
    LOOPS: {
        "numbers": render_numbers,
        "rules": render_rules,
        "retries": render_retries,
    },
    ERAS: {
        "features": render_features,
        "matrix": render_matrix,
        "evidence": render_evidence,
    },
    CONFORMANCE: {
        "scenarios": render_scenarios,
        "front": render_front,
        "server": render_server,
    },
    SECURITY: {
        "limits": render_limits,
        "reports": render_reports,
    },
    HOSTS: {
        "configurations": render_configurations,
        "hosts": render_hosts,
        "installed": partial(render_hosts, SEEN_AT_INSTALLED),
        "handling": render_handling,
        "unsigned": render_unsigned,
        "treatment": render_treatment,
    },
    SYSTEMS: {
        "systems": interop.render_systems,
        "story": lambda: interop.render_story("ours"),
        "story of mcp-remote": lambda: interop.render_story("mcp-remote"),
        "story of mcp-proxy-for-aws": lambda: interop.render_story("mcp-proxy-for-aws"),
    },
    SIDE_BY_SIDE: {"side by side": render_side_by_side},
    PERFORMANCE: {
        "comparison": benchmark_record.render_comparison,
        "ratios": benchmark_record.render_history,
    },
    NETWORKS: {name: partial(networks.render, name) for name in networks.GROUPS},
}
"""By document, the names of its pieces and what writes them; screens are found by their markers."""

SCREEN = re.compile(r"<!-- screen ([\w ]+): written by scripts/update_docs -->")


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


def documents() -> Iterator[tuple[Path, str]]:
    """Every document and picture, as it ought to be."""
    for document in map(ROOT.joinpath, DOCUMENTS):
        text = document.read_text(encoding="utf-8")
        for name, render in PIECES.get(document, {}).items():
            text = with_piece(text, name, render(), document.name)
        for name in SCREEN.findall(text):
            text = with_piece(text, f"screen {name}", screens.render(name), document.name)
        yield document, text
    for name, draw in PICTURES.items():
        yield FOLDER / f"{name}.svg", draw()
    yield MANUAL, render_manual()


def main() -> int:
    """Exit status 0, or 1 where --check found a difference."""
    status = 0
    for document, fresh in documents():
        if document.is_file() and document.read_text(encoding="utf-8") == fresh:
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
