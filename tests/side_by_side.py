"""Our words beside those of four command lines that people praise, for docs/side-by-side.md.

What the four print is a record, `side_by_side.json`, made by `tests.interop.side_by_side`; what we
print is measured anew, the same way, for each page and test. Must not know how any of it is made.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mcp_remote_py.cli.main import main
from tests.documents import blocks_in, commands_in, read

RECORD = Path(__file__).with_suffix(".json")
OURS = "mcp-remote-py"
AWAY = "http://127.0.0.1:1"
"""Nothing listens there."""

EXAMPLES = r"(?m)^\s*(?:EXAMPLES|Examples|\$ )"
STATUSES = r"(?i)exit (?:status|code)|exits with"
NEXT_STEP = r"(?i)--help|did you mean|similar|for example"
VALUES = r"(?i)possible values|valid values|is not one of|choose from|use one of"


@dataclass(frozen=True)
class Kind:
    """A kind of input, and what is looked for in what comes of it: by name, a pattern."""

    name: str
    signs: Mapping[str, str]
    words: Mapping[str, str | None]
    """By program; None where it has nothing of that kind."""
    nearest: Mapping[str, str]
    """By program, how the name is given that was mistyped."""


def kind(
    name: str,
    signs: Mapping[str, str],
    nearest: Mapping[str, str] | None = None,
    **words: str | None,
) -> Kind:
    """The row; `ours` is ours."""
    return Kind(name, signs, {OURS: words.pop("ours"), **words}, nearest or {})


KINDS = (
    kind(
        "nothing at all",
        {"examples": EXAMPLES},
        gh="",
        uv="",
        llm="",
        httpie="",
        ours="",
    ),
    kind(
        "`--help`",
        {"examples": EXAMPLES, "statuses": STATUSES},
        gh="--help",
        uv="--help",
        llm="--help",
        httpie="--help",
        ours="--help",
    ),
    kind(
        "help of a command",
        {"examples": EXAMPLES, "statuses": STATUSES},
        gh="issue --help",
        uv="add --help",
        llm="keys --help",
        httpie=None,
        ours="install --help",
    ),
    kind(
        "a command mistyped",
        {"next step": NEXT_STEP},
        {OURS: "check", "gh": "issue", "uv": "version", "llm": "'models'"},
        gh="isue",
        uv="verison",
        llm="modles",
        httpie=None,
        ours=f"chekc {AWAY}/mcp",
    ),
    kind(
        "an option mistyped",
        {"next step": NEXT_STEP},
        {
            OURS: "--client",
            "gh": "mean.*--limit",
            "uv": "--refresh",
            "llm": "--model",
            "httpie": "--form'",
        },
        gh="issue list --lmit 3",
        uv="sync --refrsh",
        llm="prompt --modle x hello",
        httpie=f"--formm {AWAY}",
        ours=f"install math {AWAY}/mcp --clinet cursor",
    ),
    kind(
        "a word missing",
        {"next step": f"{NEXT_STEP}|usage"},
        gh="repo clone",
        uv="add",
        llm="keys set",
        httpie="--form",
        ours="install",
    ),
    kind(
        "a wrong value",
        {"next step": NEXT_STEP, "values": VALUES},
        gh="issue list --state opn",
        uv="sync --python-preference maybe",
        llm="embed --content x --format jsn",
        httpie=f"--pretty maybe {AWAY}",
        ours=f"login {AWAY}/mcp --token-store keyrng",
    ),
    kind(
        "nobody answers",
        {"cause": "(?i)refused", "next step": r"(?i)\b(?:check|try|make sure)\b"},
        gh=f"api {AWAY}/x",
        uv=f"--no-progress pip install --index-url {AWAY}/simple --target away nothing",
        llm="--model gpt-4o-mini --key x hello",
        httpie=f"{AWAY}/x",
        ours=f"check {AWAY}/mcp",
    ),
    kind("`-V`", {}, gh="-V", uv="-V", llm="-V", httpie="-V", ours="-V"),
    kind(
        "completion",
        {"a script": "complete"},
        gh="completion --shell bash",
        uv="generate-shell-completion bash",
        llm=None,
        httpie=None,
        ours="completion bash",
    ),
)


class Printed(NamedTuple):
    """What a run has left; `status` is None where it waits for its input."""

    status: int | None
    stdout: str
    stderr: str


class Seen(NamedTuple):
    """What of it is compared."""

    status: int | None
    stream: str
    lines: int
    widest: int
    signs: list[str]

    def __str__(self) -> str:
        if self.status is None:
            return "waits"
        size = f"{self.stream} {self.status}, {self.lines} of {self.widest}"
        return "; ".join((size, *([", ".join(self.signs)] if self.signs else [])))


def measure(kind: Kind, program: str, printed: Printed) -> Seen:
    """The lines that are not empty, and what is in them."""
    streams = {"out": printed.stdout, "err": printed.stderr}
    text = "\n".join(streams.values())
    lines = [line for line in text.splitlines() if line.strip()]
    signs = [name for name, pattern in kind.signs.items() if re.search(pattern, text)]
    nearest = kind.nearest.get(program)
    if nearest and re.search(nearest, text, re.DOTALL):
        signs.insert(0, "the nearest")
    used = "+".join(name for name, one in streams.items() if one.strip())
    return Seen(printed.status, used, len(lines), max(map(len, lines), default=0), signs)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_ours(words: str) -> Printed:
    """In this process, at a terminal of 80 columns that knows no colours."""
    stdout, stderr = _Terminal(), _Terminal()
    with tempfile.TemporaryDirectory() as home:
        surroundings = {"HOME": home, "COLUMNS": "80", "TERM": "dumb"}
        status = main(words.split(), surroundings, stdout, stderr, stdin=_Terminal())
    return Printed(status, stdout.getvalue(), stderr.getvalue())


def see_ours(kind: Kind) -> Seen:
    """What we do with it."""
    words = kind.words[OURS]
    assert words is not None
    return measure(kind, OURS, run_ours(words))


def read_record() -> dict[str, Any]:
    """What was seen of the others, by program."""
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return record


def seen_of(program: str, kind: Kind) -> Seen | None:
    """From the record; None where there is nothing of that kind."""
    row = read_record()[program]["seen"].get(kind.name)
    return None if row is None else Seen(*row)


def first_commands() -> tuple[int, list[str]]:
    """The line of the first command in our README, and all up to the end of its three steps."""
    end = read("README.md").partition("**3. ")[0].count("\n")
    blocks = [one for one in blocks_in("README.md") if one.line < end]
    return blocks[0].line + 1, [command for one in blocks for command in commands_in(one)]


def render() -> list[tuple[str, ...]]:
    """The table with its head: we first, then the others."""
    record = read_record()
    readmes = [one["readme"] for one in record.values()]
    line, commands = first_commands()
    return [
        ("", OURS, *(f"{name} {one['version']}" for name, one in record.items())),
        *(
            (one.name, str(see_ours(one)), *(str(seen_of(name, one) or "-") for name in record))
            for one in KINDS
        ),
        (
            "README: its first command",
            f"line {line}, `{commands[0]}`",
            *(f"line {one['line']}, `{one['first']}`" for one in readmes),
        ),
        (
            "README: commands until it works",
            str(len(commands)),
            *(str(one["commands"]) for one in readmes),
        ),
    ]
