"""The package as a reader meets it: names have one meaning, files are whole, words are plain.

Reads source text alone. Must not import mcp_remote_py.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mcp_remote_py"

MAX_LINES = 450
"""Of a file; one with more says why it is not two, in a sentence that begins with `REASON`."""

REASON = "One file: "

MEANT_TWICE = {
    "logger": "a module's own, by convention",
    "main": "where a process begins: the command, and those it starts for itself",
    "T": "a type variable: it does not mean anything by itself",
    "E": "the same, for an error",
}
"""Names that are defined in several modules, each for a reason."""


def sources() -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 100
    return found


def public_names(path: Path) -> Iterator[str]:
    """What a module defines at its top level: classes, functions, constants, types."""
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names = [node.name]
            case ast.Assign():
                found = [part for target in node.targets for part in ast.walk(target)]
                names = [part.id for part in found if isinstance(part, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


def test_a_public_name_has_one_meaning_in_the_package() -> None:
    homes = defaultdict[str, set[str]](set)
    for path in sources():
        for name in public_names(path):
            homes[name].add(path.relative_to(PACKAGE).as_posix())
    twice = {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1}
    assert {name: twice[name] for name in twice.keys() - MEANT_TWICE} == {}
    assert MEANT_TWICE.keys() - twice == set(), "these are exceptions no longer"


def test_a_long_file_says_why_it_is_one() -> None:
    for path in sources():
        text = path.read_text("utf-8")
        words = " ".join((ast.get_docstring(ast.parse(text)) or "").split())
        is_long = len(text.splitlines()) > MAX_LINES
        assert (REASON in words) is is_long, path


IS_NO = re.compile(
    r"(?P<who>[\w'`*)\]]+)\W+(?:is|are|was|were|be|been|becomes?)"
    r"(?:\s+(?:surely|really|just|still|then|also|itself))?\s+no\s+(?P<what>\w+)"
)
"""As in `it is no JSON`, which is read twice by whoever has learnt `is not`."""


def is_no(text: str) -> Iterator[str]:
    """The places of it in a text; that there is no X, or no longer one, is the usual English."""
    text = re.sub(r"\"\n\s*f?\"", "", text)  # a string in several pieces
    text = re.sub(r"\s+[#>|]*\s*", " ", text)
    for found in IS_NO.finditer(text):
        usual = {"there", "there's", "may", "can", "will"} & {found["who"].lower()}
        if not usual and found["what"] not in ("longer", "more", "one"):
            yield found[0]


def test_what_is_not_one_is_not_called_no_one() -> None:
    assert list(is_no("A word that is no JSON\n    # object; it was really no\n# fault.")) == [
        "that is no JSON",
        "it was really no fault",
    ]
    plain = "There is no token. There may be no such file. It is no longer there. It is not JSON."
    assert list(is_no(plain)) == []
    texts = [*sources(), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("man/*")]
    texts.remove(ROOT / "README.ja.md")
    found = {path.name: list(is_no(path.read_text("utf-8"))) for path in texts}
    assert {name: places for name, places in found.items() if places} == {}
