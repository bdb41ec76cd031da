"""A side hears of the other only what works in translation, and that with its own bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.eras.capabilities import CROSSING_EXTENSIONS, cross_capabilities
from mcp_remote_py.eras.envelope import read_members
from tests.eras.exact import EXACT

UI = b'"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"],"n":1.0}'
SKILLS = b'"io.modelcontextprotocol/skills":{ }'
TASKS = b'"io.modelcontextprotocol/tasks":{}'


@pytest.mark.promise("E2", "E3")
@pytest.mark.parametrize(
    "capabilities",
    [
        b"{}",
        b'{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}}',
        b'{"roots":{ },"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}}',
        b'{"experimental":{"tasks":{},"extensions":{"a/b":1}},"unknown":[1.0]}',
        b'{"x":1,"extensions":{%b,%b}}' % (UI, SKILLS),
    ],
)
def test_what_works_in_translation_is_announced_as_it_is(capabilities: bytes) -> None:
    assert cross_capabilities(capabilities) == capabilities


@pytest.mark.promise("E2", "E3")
@pytest.mark.parametrize("value", [one for one in EXACT if one != b"null"])
def test_what_is_announced_keeps_its_bytes(value: bytes) -> None:
    kept = b'{"completions":%b,"extensions":{"io.modelcontextprotocol/ui":%b}}' % (value, value)
    more = kept.replace(b'"extensions":{', b'"tasks":%b,"extensions":{%b,' % (value, TASKS))
    assert cross_capabilities(more) == kept


@pytest.mark.parametrize(
    ("capabilities", "announced"),
    [
        (b'{"tasks":{"list":{},"requests":{"tools":{"call":{}}}},"tools":{}}', b'{"tools":{}}'),
        (b'{"extensions":{%b},"roots":{}}' % TASKS, b'{"roots":{}}'),
        (b'{"extensions":{"com.example/x":{}},"roots":{}}', b'{"roots":{}}'),
        (
            b'{"extensions":{"com.example/x":{},%b,%b}}' % (UI, TASKS),
            b'{"extensions":{%b}}' % UI,
        ),
        (b'{"extensions":{"ui":{},"IO.MODELCONTEXTPROTOCOL/UI":{}}}', b"{}"),
    ],
)
def test_what_is_bound_to_an_era_or_unknown_is_not_announced(
    capabilities: bytes, announced: bytes
) -> None:
    assert cross_capabilities(capabilities) == announced


def test_a_capability_that_is_null_is_none() -> None:
    assert cross_capabilities(b'{"tools":null,"logging":{ }}') == b'{"logging":{ }}'


@pytest.mark.parametrize("extensions", [b"{}", b"null", b"[]", b"5", b'"a"'])
def test_extensions_that_name_nothing_are_not_announced(extensions: bytes) -> None:
    assert cross_capabilities(b'{"extensions":%b,"a":1}' % extensions) == b'{"a":1}'


@pytest.mark.parametrize("capabilities", [b"", b"null", b"[]", b"5", b'"a"'])
def test_what_are_not_capabilities_is_an_empty_object(capabilities: bytes) -> None:
    assert cross_capabilities(capabilities) == b"{}"


NAMES = st.sampled_from([*sorted(CROSSING_EXTENSIONS), "io.modelcontextprotocol/tasks", "a/b"])


@given(st.sets(st.sampled_from(["tools", "roots", "tasks", "x"])), st.sets(NAMES))
def test_crossing_twice_announces_no_more_and_no_less(
    names: set[str], extensions: set[str]
) -> None:
    inner = b",".join(b'"%b":{}' % name.encode() for name in sorted(extensions))
    members = [b'"%b":{}' % name.encode() for name in sorted(names)]
    once = cross_capabilities(b"{%b}" % b",".join([*members, b'"extensions":{%b}' % inner]))
    assert cross_capabilities(once) == once
    found = read_members(once) or {}
    crossing = extensions & CROSSING_EXTENSIONS
    assert found.keys() == names - {"tasks"} | ({"extensions"} if crossing else set[str]())
    assert (read_members(bytes(found.get("extensions", b""))) or {}).keys() == crossing
