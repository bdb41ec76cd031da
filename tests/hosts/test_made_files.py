"""Files that nobody has thought of: their value is the plain text's, and edits can be undone."""

from __future__ import annotations

import json
import tomllib
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_remote_py.hosts.config_text import Form, read_entries, remove_entry, set_entry
from mcp_remote_py.hosts.json_source import JsonSource
from tests.thorough import often

ENTRY = {"command": "uvx", "args": ["a", "b"], "env": {"K": "v"}}
NAMES = st.sampled_from(["a", "b", "é", 'q"', "\\", "//", "/*"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["//", "/* */", '"', ",}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
BETWEEN = st.sampled_from(
    ["", "", "", " ", "\n  ", "\r\n\t", " // c, }\n", '/* { " */', " /**/ // x\r\n", "\r"]
)


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> str:
    """JSON text of a value, with anything between its parts."""
    if isinstance(value, dict):
        items = [
            f"{draw(BETWEEN)}{json.dumps(name)}{draw(BETWEEN)}:{draw(BETWEEN)}{draw(spelled(each))}"
            for name, each in cast("dict[str, Any]", value).items()
        ]
        brackets = "{}"
    elif isinstance(value, list):
        items = [f"{draw(BETWEEN)}{draw(spelled(each))}" for each in cast("list[Any]", value)]
        brackets = "[]"
    else:
        return json.dumps(value, ensure_ascii=draw(st.booleans()))
    last = len(items) - 1
    inside = "".join(
        f"{item}{draw(BETWEEN)}{',' if at < last or draw(st.booleans()) else ''}"
        for at, item in enumerate(items)
    )
    return f"{brackets[0]}{inside}{draw(BETWEEN)}{brackets[1]}"


def value_of(text: str) -> Any:
    source = JsonSource(text)
    assert source.root
    return source.value_of(source.root)


@settings(deadline=None, max_examples=often(100, 20_000))
@given(VALUES, st.data())
def test_a_text_with_comments_has_the_value_of_the_plain_one(
    value: Any, data: st.DataObject
) -> None:
    text = data.draw(BETWEEN) + data.draw(spelled(value)) + data.draw(BETWEEN)
    assert value_of(text.encode(errors="replace").decode()) == value


@settings(deadline=None, max_examples=often(100, 20_000))
@given(st.dictionaries(NAMES, VALUES, max_size=3), VALUES, st.data())
def test_edits_of_made_files_reach_one_entry_and_can_be_undone(
    entries: dict[str, Any], other: Any, data: st.DataObject
) -> None:
    document = {"x": other, "s": entries}
    text = data.draw(spelled(document))
    before = text.encode()
    where = (Form.JSON, ("s",))
    after = set_entry(before, *where, "new", ENTRY)
    assert value_of(after.decode()) == {"x": other, "s": {**entries, "new": ENTRY}}
    assert remove_entry(after, *where, "new") == before
    for name in entries:
        left = remove_entry(before, *where, name)
        rest = {each: value for each, value in entries.items() if each != name}
        assert value_of(left.decode()) == {"x": other, "s": rest}
        if isinstance(entries[name], dict):
            changed = value_of(set_entry(before, *where, name, ENTRY).decode())
            assert changed == {"x": other, "s": {**entries, name: {**entries[name], **ENTRY}}}


LINES = st.sampled_from(["", "# c", "  # [mcp_servers.a]", "\t"])
TABLES = [
    ["[mcp_servers.a]", 'command = "x" # c', "args = [", "  1, # ]", "]"],
    ["[mcp_servers.a.env]", 'K = """', "[mcp_servers.b]", '"""'],
    ["[mcp_servers.'b.c']", "command = 'y'", "env.K = 'v'", "tool.x = 1"],
    ["[other]", "x = 1.0", "y = { a = 1 }"],
    ["[[many]]", "n = 1"],
    ["[many.more]", "n = 1"],
]


@settings(deadline=None, max_examples=often(100, 20_000))
@given(st.permutations(TABLES), st.integers(0, 6), st.data())
def test_edits_of_made_tables_reach_one_entry_and_can_be_undone(
    tables: list[list[str]], count: int, data: st.DataObject
) -> None:
    line_end = data.draw(st.sampled_from(["\n", "\r\n"]))
    lines = data.draw(st.lists(LINES, max_size=2))
    for table in sorted(tables[:count], key=lambda table: table[0] == "[many.more]"):
        lines += [*table, *data.draw(st.lists(LINES, max_size=2))]
    if "[many.more]" in lines and "[[many]]" not in lines:
        lines.remove("[many.more]")
        lines.append("[z]")
    text = line_end.join(lines) + data.draw(st.sampled_from(["", line_end]))
    value, before = tomllib.loads(text), text.encode()
    entries = value.get("mcp_servers", {})
    where = (Form.TOML, ("mcp_servers",))
    after = set_entry(before, *where, "new", ENTRY)
    assert tomllib.loads(after.decode()) == {**value, "mcp_servers": {**entries, "new": ENTRY}}
    assert remove_entry(after, *where, "new") == before
    for name, entry in entries.items():
        left = tomllib.loads(remove_entry(before, *where, name).decode())
        rest = {each: one for each, one in entries.items() if each != name}
        assert {"mcp_servers": {}, **left} == {**value, "mcp_servers": rest}
        changed = set_entry(before, *where, name, ENTRY)
        assert read_entries(changed, *where) == {**entries, name: {**entry, **ENTRY}}
