"""What VS Code is told to ask for: put in and taken out again, all else stays byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.hosts.broken_config import BrokenConfig
from mcp_remote_py.hosts.inputs import (
    HostInput,
    drop_inputs,
    find_inputs,
    name_input,
    put_inputs,
)

PLACE = ("inputs",)
TOKEN = name_input("work", "MCP_REMOTE_WORK_AUTHORIZATION", "work: header Authorization")
KEY = name_input("work", "AUTH", "work: AUTH")

FILES = (
    '{\n\t"servers": {},\n\t"inputs": []\n}\n',
    '{"inputs":[],"servers":{}}',
    '{\n  // mine\n  "inputs": [\n    // a key\n    {"id": "k"}, // here\n  ],\n}\n',
    '{\r\n  "inputs": [\r\n    {\r\n      "id": "z"\r\n    }\r\n  ]\r\n}',
    '{\n "inputs": [ {"id": "q"} ]\n}',
    '\ufeff{"inputs":[{"id":"z"}, 3, "x"]}',
    '{\n  "inputs": [\n  ]\n}\n',
    '{\n  "inputs": [ /* none */ ]\n}\n',
)


@pytest.mark.parametrize("text", FILES)
def test_file_is_as_it_was_when_they_are_gone(text: str) -> None:
    content = text.encode()
    put = put_inputs(content, PLACE, [TOKEN, KEY])
    assert put_inputs(put, PLACE, [TOKEN, KEY]) == put
    for one in (TOKEN, KEY):
        assert put.decode().count(f'"{one.id}"') == 1
    assert drop_inputs(put, PLACE, [TOKEN.id, KEY.id]) == content


def test_list_is_made_where_it_is_missing() -> None:
    put = put_inputs(b'{\n  "servers": {}\n}\n', PLACE, [TOKEN])
    assert json.loads(put)["inputs"] == [
        {
            "type": "promptString",
            "id": "mcp-remote-py-work--authorization",
            "description": "work: header Authorization",
            "password": True,
        }
    ]
    assert json.loads(drop_inputs(put, PLACE, [TOKEN.id])) == {"servers": {}, "inputs": []}
    assert json.loads(put_inputs(b"", PLACE, [TOKEN]))["inputs"][0]["id"] == TOKEN.id


def test_one_that_says_something_else_by_now_is_put_anew() -> None:
    other = HostInput(TOKEN.id, "an older text")
    put = put_inputs(b'{"inputs": [{"id": "k"}]}', PLACE, [other])
    found = json.loads(put_inputs(put, PLACE, [TOKEN]))["inputs"]
    assert found == [{"id": "k"}, TOKEN.members]


def test_one_that_another_entry_refers_to_stays() -> None:
    text = json.dumps({"servers": {"b": {"env": {"A": KEY.reference}}}, "inputs": []})
    put = put_inputs(text.encode(), PLACE, [TOKEN, KEY])
    found = json.loads(drop_inputs(put, PLACE, [TOKEN.id, KEY.id]))["inputs"]
    assert found == [KEY.members]


@pytest.mark.parametrize(
    "content", [b'{"inputs": {}}', b'{"inputs": 3}', b"[]", b'{"inputs": [,]}']
)
def test_what_is_not_a_list_is_refused_and_not_changed(content: bytes) -> None:
    with pytest.raises(BrokenConfig):
        put_inputs(content, PLACE, [TOKEN])


def test_only_ours_are_found_in_an_entry() -> None:
    entry = {
        "env": {"A": f"Bearer {TOKEN.reference}", "B": "${input:mine}"},
        "args": [KEY.reference],
    }
    assert find_inputs(entry) == [TOKEN.id, KEY.id]
    assert find_inputs(None) == []


NAME = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
VARIABLE = st.from_regex(r"[A-Z][A-Z0-9]{0,3}(_[A-Z0-9]{1,3}){0,2}", fullmatch=True)


@given(st.tuples(NAME, VARIABLE), st.tuples(NAME, VARIABLE))
def test_two_entries_never_share_one(one: tuple[str, str], other: tuple[str, str]) -> None:
    """They would share the secret then."""
    if one[0] != other[0]:
        assert name_input(*one, "").id != name_input(*other, "").id
