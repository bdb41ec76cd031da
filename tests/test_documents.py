"""What the documents say is so: commands, options, output, links, versions.

Must not import mcp_remote_py: documents are about what a person can run and read.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.documents import DOCUMENTS, ROOT, blocks_in, links_in, read, without_blocks

PATIENCE = 150
"""Seconds for a script."""
LONGEST_README = 190
"""Lines, with the screens of the three commands."""


def read_project() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read("README.md"), re.DOTALL | re.MULTILINE)


def run_script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script of the project by this interpreter: its environment is set up already."""
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / name, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def without_numbers(line: str) -> str:
    """A line of output with what differs from run to run taken out."""
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", line)
    return re.sub(r" +\d+ ms", " N ms", line)


@pytest.mark.timeout(2 * PATIENCE)  # all that is shown is played: half a minute on a busy machine
def test_generated_pieces_show_things_as_they_are() -> None:
    done = run_script("update_docs.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| `--header HEADER` |" in read("docs/options.md")


def test_the_readme_shows_the_demo_as_it_is() -> None:
    """Each line shown is a line of a real run, in this order; the demo checks itself."""
    shown = next(block for block in code_blocks("console") if "scripts/demo" in block)
    lines = [without_numbers(line) for line in shown.splitlines()[1:] if line]
    assert len(lines) > 10
    done = run_script("demo.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    real = iter(without_numbers(line) for line in done.stdout.splitlines())
    for line in lines:
        assert line in real, f"not in the demo's output, or not there: {line!r}\n{done.stdout}"
    arguments = re.findall(r'"args": \[(.*?)\]', done.stdout, re.DOTALL)
    assert len(arguments) == 2
    assert all(" " not in word for one in arguments for word in json.loads(f"[{one}]"))


def test_the_readme_begins_with_a_sentence_three_commands_and_an_entry() -> None:
    """The first entry is the one for a server that signs people in: without a header."""
    text = read("README.md")
    parts = (
        "Lets an MCP host",
        " install work",
        "**2. Sign in**",
        "**3. Quit",
        "check https",
        "## By hand",
        "--header",
    )
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.count("\n") <= LONGEST_README


def test_the_site_starts_with_the_commands_of_the_readme() -> None:
    shown = [block.text for block in blocks_in("docs/index.md")]
    assert [block.text for block in blocks_in("README.md") if block.text in shown] == shown


def test_the_japanese_readme_is_the_same_in_other_words() -> None:
    """The same code, links, headings and tables, in the same order."""
    english, japanese = read("README.md"), read("README.ja.md")
    assert re.findall(r"^```.*?^```$", english, re.DOTALL | re.MULTILINE) == re.findall(
        r"^```.*?^```$", japanese, re.DOTALL | re.MULTILINE
    )
    for shape in (r"^#+ ", r"^\|", r"^<!-- .* -->$"):
        assert len(re.findall(shape, english, re.MULTILINE)) == len(
            re.findall(shape, japanese, re.MULTILINE)
        )
    ours = {"README.md", "README.ja.md"}
    assert set(links_in("README.md")) - ours == set(links_in("README.ja.md")) - ours


def test_no_japanese_paragraph_is_broken() -> None:
    """A browser would show the end of a line as a blank, within a sentence."""
    text = without_blocks(read("README.ja.md"))
    assert not re.findall(r"[^\x00-\x7f]\n(?![|\n#]|English)", text)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_script_and_file_that_a_document_names_is_there(document: str) -> None:
    text = read(document)
    for script in re.findall(r"(?<![\w/])((?:scripts|\.ci)/[\w-]+)\b(?!\.)", text):
        assert os.access(ROOT / script, os.X_OK), script
    for target in re.findall(r"`((?:mcp_remote_py|tests)/[\w/]+\.py)`", text):
        assert (ROOT / target).is_file(), target


def test_the_changelog_knows_the_version() -> None:
    version = re.search(r'__version__ = "(.+)"', read("mcp_remote_py/__init__.py"))
    assert version
    assert re.search(rf"^## \[{re.escape(version[1])}\] - ", read("CHANGELOG.md"), re.MULTILINE)


def test_the_lock_satisfies_the_project() -> None:
    """After a change of dependencies the lock is renewed by scripts/lock."""
    locked = dict(re.findall(r"^([a-z0-9.-]+)==([^ ]+)", read("requirements.lock"), re.MULTILINE))
    project = read_project()
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked"
        assert requirement.specifier.contains(version), f"{requirement} is locked as {version}"


def test_the_lock_names_hashes_and_no_place() -> None:
    lines = read("requirements.lock").splitlines()
    assert all(re.match(r"[a-z0-9.-]+==|    --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert not [line for line in lines if "://" in line or "@ " in line]
