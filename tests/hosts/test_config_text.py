"""A config file of every host keeps what is not edited, byte for byte.

The judges of what is in a file are jsonc-parser, which is VS Code's own, and `tomllib`.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mcp_remote_py.hosts.config_text import (
    Form,
    read_entries,
    remove_entry,
    set_entry,
    set_json_member,
)
from tests.hosts.config_files import BOM, CONFIG_FILES, ConfigFile
from tests.real.installation import find_node, install_node_packages

ENTRY = {
    "command": "uvx",
    "args": ["mcp-remote-py", "https://new.example/mcp", "--header", 'X:"${Ü}" \\ 日'],
    "env": {"Ü": "a=b"},
}
OURS = ("command", "args", "env", "type", "url", "serverUrl", "httpUrl", "headers")


class Change(NamedTuple):
    """One edit: what comes of it, and the entry that the judge must find then."""

    file: ConfigFile
    name: str
    after: bytes
    entry: Mapping[str, object] | None


def changes() -> Iterator[Change]:
    for file in CONFIG_FILES:
        where = (file.content, file.form, file.place)
        yield Change(file, "new", set_entry(*where, "new", ENTRY), ENTRY)
        for name in file.there:
            yield Change(file, name, set_entry(*where, name, ENTRY), ENTRY)
            yield Change(file, name, remove_entry(*where, name), None)


def judge(files: list[tuple[Form, bytes]]) -> list[Any]:
    """The value of each file, as others read it."""
    texts = [content.removeprefix(BOM).decode() for _, content in files]
    asked = [text for (form, _), text in zip(files, texts, strict=True) if form is Form.JSON]
    done = subprocess.run(
        [
            find_node(),
            str(Path(__file__).with_name("json_judge.mjs")),
            str(install_node_packages()),
        ],
        input=json.dumps(asked).encode(),
        capture_output=True,
        timeout=30,
        check=True,
    )
    answers = iter(json.loads(done.stdout))
    return [
        tomllib.loads(text) if form is Form.TOML else next(answers).get("value", "broken")
        for (form, _), text in zip(files, texts, strict=True)
    ]


def entries_in(value: Any, place: tuple[str, ...]) -> dict[str, Any]:
    """The object at a place, which is made there where it is missing."""
    for name in place:
        value = value.setdefault(name, {})
    return value


def drop_empty(value: Any, place: tuple[str, ...]) -> None:
    """A table of TOML that only its members have made is gone with the last of them."""
    assert entries_in(value, place[:-1]).pop(place[-1], {}) == {}


def is_left_of(part: bytes, whole: bytes) -> bool:
    """Whether `part` is `whole` with something left out."""
    rest = iter(whole)
    return all(byte in rest for byte in part)


def test_there_are_forty_files_of_ten_hosts() -> None:
    assert len(CONFIG_FILES) >= 40
    assert len({file.content for file in CONFIG_FILES}) == len(CONFIG_FILES) - 1
    hosts = {file.name.partition(",")[0].removesuffix(" settings") for file in CONFIG_FILES}
    assert len(hosts) == 10


def test_other_readers_find_the_entry_and_all_else_as_before() -> None:
    all_changes = list(changes())
    before = judge([(each.file.form, each.file.content) for each in all_changes])
    after = judge([(each.file.form, each.after) for each in all_changes])
    assert len(all_changes) > 130
    for change, old, new in zip(all_changes, before, after, strict=True):
        wanted: Any = {} if old == "broken" or old is None else old
        entries = entries_in(wanted, change.file.place)
        if change.entry is None:
            del entries[change.name]
        else:
            kept = entries.get(change.name, {}).items()
            entries[change.name] = {
                **{name: value for name, value in kept if name not in OURS},
                **change.entry,
            }
        if change.file.form is Form.TOML and not entries:
            drop_empty(wanted, change.file.place)
            drop_empty(new, change.file.place)
        assert new == wanted, (change.file.name, change.name, change.after.decode())


@pytest.mark.parametrize("file", CONFIG_FILES, ids=lambda file: file.name)
def test_a_new_entry_is_put_in_and_taken_out_again(file: ConfigFile) -> None:
    where = (file.form, file.place)
    after = set_entry(file.content, *where, "new", ENTRY)
    assert is_left_of(file.content, after)
    assert read_entries(after, *where)["new"] == ENTRY
    assert set(read_entries(file.content, *where)) == set(file.there)
    assert set_entry(after, *where, "new", ENTRY) == after
    back = remove_entry(after, *where, "new")
    assert back == file.content if file.is_open else is_left_of(file.content.strip(), back)
    assert remove_entry(file.content, *where, "nobody") == file.content


@pytest.mark.parametrize("file", CONFIG_FILES, ids=lambda file: file.name)
def test_an_old_entry_changes_inside_alone(file: ConfigFile) -> None:
    where = (file.form, file.place)
    for name in file.there:
        before = read_entries(file.content, *where)
        changed = set_entry(file.content, *where, name, ENTRY)
        removed = remove_entry(file.content, *where, name)
        assert is_left_of(removed, file.content)
        assert list(read_entries(changed, *where)) == list(before)
        if b"\n" not in file.content.replace(b"\r\n", b""):
            assert all(b"\n" not in text.replace(b"\r\n", b"") for text in (changed, removed))


WRITTEN = [
    (
        "two spaces, lists on several lines",
        '{\n  "mcpServers": {\n    "a": {\n      "args": [\n        "x"\n      ]\n    }\n  }\n}\n',
        '{\n  "mcpServers": {\n    "a": {\n      "args": [\n        "x"\n      ]\n    },\n'
        '    "n": {\n      "command": "c",\n      "args": [\n        '
        '"1",\n        "2"\n      ]\n    }\n'
        "  }\n}\n",
    ),
    (
        "tabs, lists on one line, a comma behind the last",
        '{\n\t"mcpServers": {\n\t\t"a": {"args": ["x"]}, // why\n\t},\n}',
        '{\n\t"mcpServers": {\n\t\t"a": {"args": ["x"]}, // wh'
        'y\n\t\t"n": {\n\t\t\t"command": "c",\n'
        '\t\t\t"args": ["1", "2"]\n\t\t},\n\t},\n}',
    ),
    (
        "one line",
        '{"mcpServers":{"a":{}}}',
        '{"mcpServers":{"a":{},"n":{"command":"c","args":["1","2"]}}}',
    ),
    (
        "a comment behind the last",
        '{\r\n "mcpServers": {\r\n  "a": {} // why\r\n }\r\n}',
        '{\r\n "mcpServers": {\r\n  "a": {}, // why\r\n  "n": {\r\n   "command": "c",\r\n'
        '   "args": ["1", "2"]\r\n  }\r\n }\r\n}',
    ),
    (
        "nothing",
        "",
        '{\n  "mcpServers": {\n    "n": {\n      "command": "c",\n      "args": ["1", "2"]\n    }\n'
        "  }\n}\n",
    ),
]


@pytest.mark.parametrize(
    ("before", "after"), [row[1:] for row in WRITTEN], ids=[r[0] for r in WRITTEN]
)
def test_an_entry_is_written_as_its_neighbours_are(before: str, after: str) -> None:
    entry = {"command": "c", "args": ["1", "2"]}
    assert set_entry(before.encode(), Form.JSON, ("mcpServers",), "n", entry) == after.encode()


REMOVED = [
    (
        '{"s": {\n  // of a\n  "a": 1, // a\n  // of b\n  "b": 2 // b\n}}',
        "a",
        '{"s": {\n  // of a\n  // of b\n  "b": 2 // b\n}}',
    ),
    (
        '{"s": {\n  // of a\n  "a": 1, // a\n  // of b\n  "b": 2 // b\n}}',
        "b",
        '{"s": {\n  // of a\n  "a": 1 // a\n  // of b\n}}',
    ),
    ('{"s": {\n  "a": 1, "b": 2,\n  "c": 3\n}}', "a", '{"s": {\n  "b": 2,\n  "c": 3\n}}'),
    ('{"s": {\n  "a": 1, "b": 2,\n  "c": 3\n}}', "b", '{"s": {\n  "a": 1,\n  "c": 3\n}}'),
    ('{"s": {"a": 1, "b": 2, "c": 3}}', "b", '{"s": {"a": 1, "c": 3}}'),
    ('{"s": {"a": 1, "b": 2,}}', "b", '{"s": {"a": 1,}}'),
    ('{"s": { // all\n"a": 1}}', "a", '{"s": { // all\n}}'),
    ('{"s": {"a": 1, // a\r\n"b": 1}}', "b", '{"s": {"a": 1 // a\r\n}}'),
    ('{"s": {\n  "a": 1,\n\n  "b": 2\n}}', "b", '{"s": {\n  "a": 1\n\n}}'),
    ('{"s": {\n  "a": 1\n}}', "a", '{"s": {}}'),
    ('{"s": { "a": 1 }}', "a", '{"s": { }}'),
    ('{"s": {\n  "a": 1 // mine\n  // later\n}}', "a", '{"s": {\n  // later\n}}'),
]


@pytest.mark.parametrize(("before", "name", "after"), REMOVED)
def test_an_entry_takes_its_comma_and_its_line_with_it(before: str, name: str, after: str) -> None:
    assert remove_entry(before.encode(), Form.JSON, ("s",), name).decode() == after


def test_what_a_person_added_to_an_entry_stays() -> None:
    before = (
        '{"mcpServers": {\n  "a": {\n    // mine\n    "timeout": 60, // s\n    "url": "u",\n'
        '    "args": [ "x" ],\n    "autoApprove": [\n "q" ]\n  }\n}}'
    )
    entry = {"command": "c", "args": ["x"]}
    after = set_entry(before.encode(), Form.JSON, ("mcpServers",), "a", entry).decode()
    assert after == (
        '{"mcpServers": {\n  "a": {\n    // mine\n    "timeout": 60, // s\n'
        '    "args": [ "x" ],\n    "autoApprove": [\n "q" ],\n    "command": "c"\n  }\n}}'
    )


def test_what_a_host_wants_beside_its_entries_is_put_in() -> None:
    inputs = [{"id": "t", "type": "promptString", "password": True}]
    after = set_json_member(b'{\n  "servers": {}\n}\n', (), "inputs", inputs)
    assert json.loads(after) == {"servers": {}, "inputs": inputs}
    assert set_json_member(after, (), "inputs", inputs) == after
    assert remove_entry(after, Form.JSON, (), "inputs") == b'{\n  "servers": {}\n}\n'


def test_half_of_a_surrogate_pair_can_be_written() -> None:
    after = set_entry(b"{}", Form.JSON, ("s",), "n", {"args": ["\udc80é"]})
    assert json.loads(after) == {"s": {"n": {"args": ["\udc80é"]}}}


def test_a_number_that_python_does_not_read_is_what_hosts_read() -> None:
    text = b'{"s": {"a": {"n": %b}}}' % (b"1" * 5000)
    assert read_entries(text, Form.JSON, ("s",)) == {"a": {"n": float("inf")}}
    after = set_entry(text, Form.JSON, ("s",), "b", {"command": "c"})
    assert remove_entry(after, Form.JSON, ("s",), "b") == text
