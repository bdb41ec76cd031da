"""Every command and entry in the documents is one that the program takes; every screen is its own.

A command is given to the program as it would be typed, up to the start of what it would do: options
that are mistyped, missing words and bad values are found. That commands and entries also do what is
said is `test_servers_document`'s and `test_troubleshooting_document`'s; screens are made by
`scripts/update_docs`. What cannot be tried on a machine of the tests is listed, with the reason.
"""

from __future__ import annotations

import configparser
import io
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.cli.main import main
from mcp_remote_py.cli.program import COMMANDS, PROGRAM
from tests.documents import (
    DOCUMENTS,
    ROOT,
    Block,
    blocks_in,
    commands_in,
    read,
    spans_in,
)
from tests.screens import NAMES as SCREENS
from tests.transports.peers import Authority

pytestmark = pytest.mark.promise("P2")

BLOCKS = [block for document in DOCUMENTS for block in blocks_in(document)]
AWAITED = {"install", "uninstall", "check", "completion"} - COMMANDS.keys()
"""Commands that the documents tell of and that are made elsewhere; each counts once it is there."""

NOT_TRIED = {
    "curl ": "fetches the installer of uv",
    "ssh ": "needs another machine",
    "which uvx": "uv is not a part of the tests",
    "claude mcp add ": "a host's own program; what stands behind -- is tried",
    "scripts/demo": "test_documents.py runs it",
    "scripts/test": "it is what runs these tests",
}
"""By their beginnings, commands that are not given to the program, and why not."""

SCRIPTS = {"docs/servers.md": "the header command of a password manager, which is not here"}
"""Documents with a whole script, which is not typed."""

OF_OTHERS = {
    "awslabs.lambda-tool-mcp-server@latest": "a server for this machine; nothing is relayed",
}
"""Entries that start another program, by their first argument."""

NO_COMMANDS = {
    "uvx mcp-remote-py": "what stands before others",
    "uvx --from . mcp-remote-py": "the same, in a clone",
    "login --paste": "names the option",
    "mcp-remote-py help": "a mistake that is told of",
    "uvx awslabs.lambda-mcp-server@latest": "a command that does not work any more",
}
"""Pieces of code in sentences that begin like a command."""

SERVER = "https://mcp.example.com/mcp"
AWS_SERVER = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/mcp"
"""Of such an address, service and region are known."""

PLACEHOLDERS = {
    r"\bURL\b": SERVER,
    r"\bNAME\b": "work",
    r"\bFILE\b": "/home/you/file",
    "/home/you": "{folder}",
}
"""What stands for something of the reader's, and what the test gives for it."""

Try = Callable[..., None]


@pytest.fixture(name="try_words", scope="module")
def make_try(tmp_path_factory: pytest.TempPathFactory) -> Try:
    """Gives words to the program, which comes to the start of its command or says why not."""
    folder = tmp_path_factory.mktemp("you")
    (folder / "mcp-headers").write_text("Authorization: Bearer block-canary-1\n")
    Authority(folder).path.rename(folder / "company.pem")

    def try_words(words: Sequence[str], variables: Mapping[str, str], place: str) -> None:
        named = re.findall(r"\$\{?(\w+)", " ".join(words))
        environment = {"HOME": str(folder), **dict.fromkeys(named, "x"), **variables}
        address = AWS_SERVER if "--aws-sigv4" in words else SERVER
        filled = [
            _fill_in(re.sub(r"\$(\w+)", "x", word), folder).replace(SERVER, address)
            for word in words
        ]
        said = io.StringIO()
        status = main(filled, environment, said, said, lambda _: lambda *_: 0)
        assert status == 0, f"{place}: {shlex.join(words)}: {said.getvalue()}"

    return try_words


def _fill_in(word: str, folder: Path) -> str:
    for pattern, value in PLACEHOLDERS.items():
        word = re.sub(pattern, value.replace("{folder}", str(folder)), word)
    return word


def words_of(command: str) -> list[str] | None:
    """The words for the program; None of a command for another one."""
    words = shlex.split(command)
    if words[:1] == ["uvx"]:
        words = words[3:] if words[1:2] == ["--from"] else words[1:]
    return words[1:] if words[:1] == [PROGRAM] else None


def is_awaited(words: Sequence[str]) -> bool:
    return bool(words) and words[0] in AWAITED


# Blocks --------------------------------------------------------------------------------------

TYPED = [
    (block, command)
    for block in BLOCKS
    if block.language in ("sh", "console")
    for command in commands_in(block)
]


@pytest.mark.parametrize(("block", "command"), TYPED, ids=lambda one: getattr(one, "place", ""))
def test_a_command_is_taken(block: Block, command: str, try_words: Try) -> None:
    words = words_of(command)
    if words is None:
        assert any(map(command.startswith, NOT_TRIED)), f"{block.place}: {command}"
        words = words_of(command.partition(" -- ")[2])
    if words is not None and not is_awaited(words):
        try_words(words, {}, block.place)


def test_nothing_is_listed_that_is_not_there() -> None:
    commands = [command for _, command in TYPED]
    assert all(any(one.startswith(begin) for one in commands) for begin in NOT_TRIED)
    scripts = {block.document for block in BLOCKS if block.text.startswith("#!")}
    assert scripts == SCRIPTS.keys()
    assert {entry.get("args", [""])[0] for _, entry in ENTRIES} >= OF_OTHERS.keys()
    spans = {" ".join(span.split()) for document in DOCUMENTS for span in spans_in(document)}
    assert spans >= NO_COMMANDS.keys()


LISTS = ("mcpServers", "servers", "context_servers", "mcp_servers", "mcp")
"""What hosts call the list of their servers."""


def read_block(block: Block) -> dict[str, Any]:
    """Its contents."""
    if block.language == "toml":
        return tomllib.loads(block.text)
    if block.language == "json":
        contents: dict[str, Any] = json.loads(block.text)
        return contents
    parser = configparser.ConfigParser()
    parser.read_string(block.text)
    return {}


def entries_of(block: Block) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and contents of each entry for a host."""
    found = read_block(block)
    lists = [found[name] for name in LISTS if name in found]
    assert len(lists) == (block.language != "ini"), block.place
    for servers in lists:
        for name, entry in servers.items():
            yield f"{block.place} {name}", entry


ENTRIES = [
    one
    for block in BLOCKS
    if block.language in ("json", "toml", "ini")
    for one in entries_of(block)
]


@pytest.mark.parametrize(
    ("place", "entry"), ENTRIES, ids=lambda one: one if isinstance(one, str) else ""
)
def test_an_entry_is_taken(place: str, entry: Mapping[str, Any], try_words: Try) -> None:
    # OpenCode has all in one list.
    started, args = entry["command"], entry.get("args", [])
    words: list[str] = [*started, *args] if isinstance(started, list) else [started, *args]
    command, args = words[0], words[1:]
    if args[0] in OF_OTHERS:
        return
    # That of npm's mcp-remote is one that people have: what stands behind its package is taken.
    names = re.compile(r"mcp-remote(-py)?(@.*)?")
    behind = 1 + next(number for number, word in enumerate(args) if names.fullmatch(word))
    assert command == ("uvx" if args[behind - 1] == PROGRAM else "npx"), place
    variables = re.findall(r"\$\{(\w+)\}", " ".join(args))
    assert set(variables) <= set(entry.get("env", {})), f"{place}: not in env"
    try_words(args[behind:], entry.get("env", {}), place)


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    assert {block.language for block in BLOCKS} <= {"sh", "console", "json", "toml", "ini"}


# Sentences -----------------------------------------------------------------------------------

USAGES = {f"{one.usage}{rest}" for one in COMMANDS.values() for rest in ("", " [options]")}


def spans() -> Iterator[tuple[str, str]]:
    """Pieces of code in sentences that are whole commands."""
    for document in DOCUMENTS:
        for span in spans_in(document):
            command = " ".join(span.replace("\\|", "|").split())
            named = re.match(rf"(uvx |{PROGRAM} )|({'|'.join([*COMMANDS, *AWAITED])}) ", command)
            if named is None or command in NO_COMMANDS or command in USAGES:
                continue
            yield document, command if named[1] else f"{PROGRAM} {command}"


@pytest.mark.parametrize(("document", "command"), sorted(set(spans())))
def test_a_command_in_a_sentence_is_taken(document: str, command: str, try_words: Try) -> None:
    words = words_of(command)
    assert words is not None, f"{document}: {command}"
    if not is_awaited(words):
        try_words(words, {}, document)


def test_every_module_that_is_to_be_run_is_there() -> None:
    found = [
        module
        for document in DOCUMENTS
        for module in re.findall(r"python -m ([\w.]+)", read(document))
        if module not in ("pytest", "pip")
    ]
    assert found
    for module in found:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


# Screens -------------------------------------------------------------------------------------

MADE = re.compile(
    r"<!-- screen ([\w ]+): written by scripts/update_docs -->\n\n(.*?)\n\n<!-- end of screen \1",
    re.DOTALL,
)
PLACE = re.compile(r"<!-- screen: ([\w ]+) -->\n\n```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_every_screen_is_the_output_of_a_run() -> None:
    """It is written by scripts/update_docs, or it is the demo's."""
    shown: list[str] = []
    for document in DOCUMENTS:
        text = read(document)
        made = MADE.findall(text)
        shown += [name for name, _ in made]
        blocks = {piece for _, piece in made}
        for block in blocks_in(document):
            output = [line for line in block.text.splitlines() if not line.startswith("$ ")]
            if block.language != "console" or not output or "$ scripts/demo" in block.text:
                continue
            assert f"```console\n{block.text}```" in blocks, block.place
    assert set(shown) == set(SCREENS)


def test_a_screen_that_is_awaited_is_of_a_command_that_is() -> None:
    for document in DOCUMENTS:
        text = read(document)
        places = PLACE.findall(text)
        assert len(places) == text.count("<!-- screen: "), document
        for name, command in places:
            words = words_of(command)
            assert words is not None, (document, name)
            assert words[0] == name.partition(" ")[0]
