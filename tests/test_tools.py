"""A rule hides tools and changes nothing else; a hint is believed as long as it is given."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.bounds import LONG_BYTES, MAX_MEMBERS
from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.jsonrpc import Message, make_error, make_result
from mcp_remote_py.parsing import parse_message, parse_messages
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.tools import MAX_FOLDED, MAX_NAMES, ToolCatalog, called_tool
from tests.fakes import call_deeper


def catalog(
    *, allow: tuple[str, ...] = (), ignore: tuple[str, ...] = (), read_only: bool = False
) -> ToolCatalog:
    return ToolCatalog(ToolRules(allow=allow, ignore=ignore, read_only=read_only))


def learn(tools: ToolCatalog, result: bytes) -> bytes:
    """The result the host gets."""
    return tools.learn(make_result(b"1", result)).result


def hinted(name: str, hints: str = "{}") -> bytes:
    return b'{"name":%b,"annotations":%b}' % (json.dumps(name).encode(), hints.encode())


def teach(tools: ToolCatalog, *listed: bytes) -> list[str]:
    """The names the host gets to see."""
    shown = json.loads(learn(tools, b'{"tools":[%b]}' % b",".join(listed)))["tools"]
    return [tool["name"] for tool in shown]


ODD = [
    b'{ "name" : "odd" ,"n":1.0,"big":12345678901234567890123,"huge":1e999,"z":1,"a":[-0.0] }',
    b'{"inputSchema":{"b":{},"a":{}},"description":"\\u0041\\/\xe2\x80\xa8","name":"escapes"}',
    b'{"name":"twice","x":1,"x":2}',
]


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"x":0, "result":{ "tools" : [%b] } }' % b" , ".join(ODD),
        b'{"id":1,"result":{"tools":[]}}',
        b'{"id":1,"result":{"tools":{}}}',
        b'{"id":1,"result":{"tools":null}}',
        b'{"id":1,"result":{"other":1}}',
        b'{"id":1,"result":[]}',
        b'{"id":1,"error":{"code":1,"message":"tools"}}',
        rb'{"id":1,"result":{"tools":[{"name":"\ud800"},{"no":"name"},5]}}',
    ],
)
def test_without_a_rule_the_answer_is_its_own_bytes(line: bytes) -> None:
    assert catalog().learn(parse_message(line)).raw == line


@pytest.mark.promise("R2")
def test_tools_that_stay_and_all_other_members_keep_their_bytes() -> None:
    one, two, three = ODD
    raw = (
        b'{"x":1.0,"result":{"b":1.0,"tools":[ %b, {"name":"hidden"} ,%b,%b ],'
        b'"nextCursor":"\\u0041","a":{"z":1,"y":-0.0}},"id":"\\u0062","jsonrpc":"2.0"}'
    ) % (one, two, three)
    line = catalog(ignore=("hidden",)).learn(parse_message(raw)).raw
    assert line == (
        b'{"x":1.0,"result":{"b":1.0,"tools":[%b,%b,%b],'
        b'"nextCursor":"\\u0041","a":{"z":1,"y":-0.0}},"id":"\\u0062","jsonrpc":"2.0"}'
    ) % (one, two, three)


@pytest.mark.promise("R2")
def test_a_filtered_answer_that_came_on_many_lines_is_one_line() -> None:
    pretty = json.dumps(
        {"id": 1, "result": {"tools": [{"name": "a", "x": [1]}, {"name": "b"}]}}, indent=2
    )
    line = catalog(ignore=("b",)).learn(parse_message(pretty.encode())).raw
    assert b"\n" not in line
    assert json.loads(line)["result"] == {"tools": [{"name": "a", "x": [1]}]}


def test_all_tools_may_be_hidden() -> None:
    assert learn(catalog(ignore=("*",)), b'{"tools":[{"name":"a"}],"m":1}') == b'{"tools":[],"m":1}'


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (
            rb'{"id":1,"result":{"tools":[{"name":"rm"},{"name":"b","d":"cut \ud83d","n":1.0}]}}',
            rb'{"id":1,"result":{"tools":[{"name":"b","d":"cut \ufffd","n":1.0}]}}',
        ),
        (
            rb'{"id":1,"result":{"tools":[{"name":"rm","d":"\udc00"}]}}',
            rb'{"id":1,"result":{"tools":[]}}',
        ),
    ],
)
def test_a_lone_surrogate_does_not_lift_the_rules(raw: bytes, line: bytes) -> None:
    assert catalog(ignore=("rm",)).learn(parse_message(raw)).raw == line


@pytest.mark.parametrize("tool", [b"{}", b'{"name":5}', b'{"name":null}', b"[]", b'"rm"', b"null"])
def test_a_rule_hides_a_tool_without_a_name_to_compare(tool: bytes) -> None:
    result = b'{"tools":[{"name":"a"},%b]}' % tool
    assert learn(catalog(ignore=("rm",)), result) == b'{"tools":[{"name":"a"}]}'


@pytest.mark.parametrize("hints", ["null", "5", "[]", '"x"', '{"readOnlyHint":"true"}', "{}"])
def test_what_are_not_hints_hides_no_tool_but_read_only_ones_must_have_them(hints: str) -> None:
    assert teach(catalog(ignore=("rm",)), hinted("a", hints), hinted("rm", hints)) == ["a"]
    only = catalog(read_only=True)
    assert teach(only, hinted("a", hints)) == []
    assert not only.allows("a")
    assert not only.may_repeat("a")


# ------------------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("get", ["get"], ["got", "get_user", "forget", "GET", ""]),
        ("get_*", ["get_", "get_user"], ["get", "forget_user"]),
        ("*_user", ["_user", "get_user"], ["get_users"]),
        ("*", ["", "a", "a\nb"], []),
        ("a*b*c", ["abc", "a-b-c", "abbcc"], ["acb", "abcd"]),
        ("a**b", ["ab", "a-b"], ["a"]),
        ("a.b", ["a.b"], ["a-b"]),
        ("a+", ["a+"], ["aa", "a"]),
        ("(a|b)", ["(a|b)"], ["a", "b"]),
        ("[ab]", ["[ab]"], ["a"]),
        ("a?", ["a?"], ["a", ""]),
        ("^a$", ["^a$"], ["a"]),
        ("a\\d", ["a\\d"], ["a1"]),
        ("größe*", ["größe", "größen"], ["grosse"]),
        ("a", ["a"], ["a\n"]),
    ],
)
def test_patterns_match_the_whole_name_and_only_the_star_means_something(
    pattern: str, matching: list[str], other: list[str]
) -> None:
    allowing, ignoring = catalog(allow=(pattern,)), catalog(ignore=(pattern,))
    for name in matching:
        assert allowing.allows(name)
        assert not ignoring.allows(name)
    for name in other:
        assert not allowing.allows(name)
        assert ignoring.allows(name)


@given(st.text())
def test_any_name_is_its_own_pattern(name: str) -> None:
    assert catalog(allow=(name,)).allows(name)
    assert not catalog(ignore=(name,)).allows(name)
    assert catalog(allow=(re.sub(r"[^*]", "*", name) or "*",)).allows(name)


def test_what_is_both_allowed_and_ignored_is_ignored() -> None:
    tools = catalog(allow=("get_*", "list"), ignore=("*_secret", "x"))
    assert teach(tools, *map(hinted, ["get_a", "get_secret", "list", "x", "y"])) == [
        "get_a",
        "list",
    ]
    assert [tools.allows(name) for name in ("get_a", "get_secret", "list", "x", "y")] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_without_a_rule_everything_may_be_called() -> None:
    assert catalog().allows("anything")


def test_read_only_shows_what_the_server_marked_so() -> None:
    tools = catalog(read_only=True, ignore=("b",))
    assert not tools.allows("a"), "before the server said what it is"
    marked = '{"readOnlyHint":true}'
    listed = [hinted("a", marked), hinted("b", marked), hinted("c", '{"idempotentHint":true}')]
    assert teach(tools, *listed, b'{"name":"d"}') == ["a"]
    assert [tools.allows(name) for name in "abcd"] == [True, False, False, False]


def test_read_only_ends_when_the_hint_is_withdrawn() -> None:
    tools = catalog(read_only=True)
    teach(tools, hinted("a", '{"readOnlyHint":true}'))
    assert teach(tools, hinted("a", '{"readOnlyHint":false}')) == []
    assert not tools.allows("a")


def test_pages_add_up() -> None:
    tools = catalog(read_only=True)
    marked = '{"readOnlyHint":true}'
    assert teach(tools, hinted("a", marked)) == ["a"]
    assert teach(tools, hinted("b", marked), hinted("c")) == ["b"]
    assert [tools.allows(name) for name in "abc"] == [True, True, False]
    refusal = make_error(b"1", -1, "no")
    assert tools.learn(refusal) is refusal
    assert tools.allows("a")


# ------------------------------------------------------------------------- repeats


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("hints", "may"),
    [
        ('{"readOnlyHint":true}', True),
        ('{"idempotentHint":true}', True),
        ('{"readOnlyHint":false,"idempotentHint":true,"destructiveHint":true}', True),
        ('{"readOnlyHint":false,"idempotentHint":false}', False),
        ('{"idempotentHint":1}', False),
        ('{"idempotentHint":"true"}', False),
        ('{"idempotentHint":null}', False),
        ("{}", False),
        ("null", False),
        ("[]", False),
    ],
)
def test_a_tool_may_be_repeated_when_the_server_says_so(hints: str, may: bool) -> None:
    tools = catalog()
    assert not tools.may_repeat("a")
    teach(tools, hinted("a", hints), hinted("b"))
    assert tools.may_repeat("a") is may
    assert not tools.may_repeat("b")


@pytest.mark.promise("R5")
@pytest.mark.parametrize("later", ['{"idempotentHint":false}', "{}", "null", "5"])
def test_a_hint_that_is_withdrawn_is_forgotten(later: str) -> None:
    tools = catalog()
    teach(tools, hinted("a", '{"idempotentHint":true}'))
    teach(tools, hinted("a", later))
    assert not tools.may_repeat("a")


@pytest.mark.promise("R5")
def test_a_hint_that_is_not_repeated_on_another_page_is_kept() -> None:
    tools = catalog()
    teach(tools, hinted("a", '{"idempotentHint":true}'))
    teach(tools, hinted("b"))
    assert tools.may_repeat("a")


# ------------------------------------------------------------------------- calls


@pytest.mark.parametrize(
    ("params", "name"),
    [
        (b'{"name":"a","arguments":{"name":"b"}}', "a"),
        (b'{"arguments":{"x":1e999},"name":"\\u0061"}', "a"),
        (rb'{"name":"a","arguments":{"x":"\ud800"}}', "a"),
        (b'{"name":"a","name":"b"}', "b"),
        (b'{"name":""}', ""),
        (b'{"name":5}', None),
        (b'{"name":null}', None),
        (b"{}", None),
        (b"[]", None),
    ],
)
def test_the_name_in_a_call(params: bytes, name: str | None) -> None:
    line = b'{"id":1,"method":"tools/call","params":%b}' % params
    assert called_tool(parse_message(line)) == name


@pytest.mark.promise("R1")
@pytest.mark.parametrize("depth", range(840, 1000, 20))
def test_what_was_just_shallow_enough_to_be_read_is_not_a_crash_later(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    line = b'{"id":1,"method":"tools/call","params":{"arguments":%b,"name":"a"}}' % nested
    try:
        message = parse_message(line)
    except InvalidMessage:
        return
    assert call_deeper(100, lambda: called_tool(message)) in ("a", None)


def test_a_call_without_params_names_nothing() -> None:
    assert called_tool(parse_message(b'{"id":1,"method":"tools/call"}')) is None


# ------------------------------------------------------------------ what could be read in two ways


def judge(line: bytes, **rules: Any) -> str:
    return catalog(**rules).judge(parse_message(line))


REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}'

BYPASSES = [
    b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"rm"}}',
    REQUEST % b'{"name":"rm","name":"get"}',
    REQUEST % b'{"name":"get","name":"rm"}',
    REQUEST % b'{"name":"get","Name":"rm"}',
    REQUEST % b'{"NAME":"rm","name":"get"}',
    REQUEST % b'{"name":"get","\\u006eame":"rm"}',
    REQUEST % b'{"name":"get","n\\u0061me\\u0000":"rm"}',
    REQUEST % b'{"name":"get"," name":"rm"}',
    REQUEST % b'{"name":"get","name\\ud800":"rm"}',
    REQUEST % b'{"name":"get","\xef\xbd\x8eame":"rm"}',  # a full-width n
    REQUEST % b'{"Name":"rm"}',
    REQUEST % b'{"name":"RM"}',
    REQUEST % b'{"name":"Rm"}',
    REQUEST % b'{"name":" rm"}',
    REQUEST % b'{"name":"rm\\n"}',
    REQUEST % b'{"name":"rm\\u0000"}',
    REQUEST % b'{"name":"rm\\u0000get"}',
    REQUEST % b'{"name":"rm\\ud83d"}',
    REQUEST % b'{"name":"r\\u200bm"}',
    REQUEST % b'{"name":"r\\u034fm\\ufe0f"}',
    REQUEST % b'{"name":"get","nam\\ufe0fe":"rm"}',
    REQUEST % b'{"name":"\xef\xbd\x92\xef\xbd\x8d"}',
    REQUEST % b'{"name":""}',
    REQUEST % b'{"name":["rm"]}',
    REQUEST % b'{"name":null}',
    REQUEST % b'["rm",{}]',
    REQUEST % b'"rm"',
    REQUEST % b"null",
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"tools/call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call\\u0000","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call\\udc00","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/\\u3164call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"TOOLS/LIST"}',
    b'{"jsonrpc":"2.0","method":"notifications/x","Method":"tools/call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get"},"params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get"},"Params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"get"}}',
    b'{"jsonrpc":"2.0","method":"tools/call","ID":2,"params":{"name":"get"}}',
    b'{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call","Params":{"name":"rm"}}',
]


@pytest.mark.report("S10")
@pytest.mark.parametrize("line", BYPASSES)
def test_no_spelling_of_a_call_passes_by_a_rule(line: bytes) -> None:
    refusal = judge(line, ignore=("rm",))
    assert "--ignore-tool" in refusal
    assert "\n" not in refusal
    assert judge(line, allow=("get",))
    assert judge(line, read_only=True)
    assert judge(line) == ""


@pytest.mark.report("S10")
@pytest.mark.parametrize(
    "line",
    [
        REQUEST % b'{"name":"get","arguments":{"name":"rm","Name":"rm","name":1}}',
        REQUEST % b'{"_meta":{"name":"rm"},"n\\u0061me":"get","task":{"ttl":1}}',
        b'{"jsonrpc":"2.0","m\\u0065thod":"tools/call","id":1,"params":{"name":"get"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"rm","Name":"rm"}}',
        b'{"jsonrpc":"2.0","JSONRPC":"2.0","id":1,"method":"ping","x":1,"x":2}',
        b'{"jsonrpc":"2.0","id":1,"result":{"Method":"tools/call"}}',
    ],
)
def test_what_has_one_reading_passes_every_rule(line: bytes) -> None:
    for rules in ({"ignore": ("rm",)}, {"allow": ("get",)}):
        assert judge(line, **rules) == ""


@pytest.mark.report("S10")
@pytest.mark.parametrize(
    "tool",
    [
        b'{"name":"rm","name":"get"}',
        b'{"name":"get","name":"rm"}',
        b'{"name":"get","Name":"rm"}',
        b'{"name":"RM"}',
        b'{"name":"rm "}',
        b'{"name":"rm\\u0000"}',
        b'{"name":"rm\\ud800"}',
    ],
)
def test_a_tool_of_two_names_is_hidden(tool: bytes) -> None:
    assert learn(catalog(ignore=("rm",)), b'{"tools":[%b]}' % tool) == b'{"tools":[]}'


@pytest.mark.report("S10")
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b'{"id":1,"result":{"tools":[%b],"tools":[]}}', b'{"id":1,"result":{"tools":[]}}'),
        (b'{"id":1,"result":{"tools":[],"tools":[%b]}}', b'{"id":1,"result":{"tools":[]}}'),
        (b'{"id":1,"result":{"tools":[],"Tools":[%b]}}', b'{"id":1,"result":{"tools":[]}}'),
        (b'{"id":1,"result":{"TOOLS":[%b]}}', b'{"id":1,"result":{"tools":[]}}'),
        (b'{"id":1,"result":{"tools":{"0":%b}}}', b'{"id":1,"result":{"tools":[]}}'),
        (b'{"id":1,"result":[%b]}', b'{"id":1,"result":{"tools":[]}}'),
        (
            b'{"id":1,"result":{"tools":[]},"result":{"tools":[%b]}}',
            b'{"id":1,"result":{"tools":[]}}',
        ),
        (
            b'{"id":1,"result":{"tools":[]},"Result":{"tools":[%b]}}',
            b'{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}',
        ),
        (
            b'{"id":1,"error":{"code":1},"Result":{"tools":[%b]}}',
            b'{"jsonrpc":"2.0","id":1,"error":{"code":1}}',
        ),
        (
            b'{"id":1,"error":{"code":1},"result":{"tools":[%b]}}',
            b'{"jsonrpc":"2.0","id":1,"error":{"code":1}}',
        ),
    ],
)
def test_no_spelling_of_an_answer_shows_what_a_rule_hides(line: bytes, shown: bytes) -> None:
    assert catalog(ignore=("rm",)).learn(parse_message(line % b'{"name":"rm"}')).raw == shown


@pytest.mark.report("S10")
def test_a_name_that_is_listed_twice_has_the_hints_of_both() -> None:
    harmless, harmful = hinted("a", '{"readOnlyHint":true}'), hinted("a")
    for order in ((harmless, harmful), (harmful, harmless)):
        tools = catalog(read_only=True)
        assert teach(tools, *order) == []
        assert not tools.may_repeat("a")
    assert teach(catalog(read_only=True), harmless, harmless) == ["a", "a"]


@given(st.text("a*", max_size=6), st.text("ab", max_size=8))
def test_patterns_match_as_the_regular_expression_does(pattern: str, name: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    matches = re.fullmatch(expression, name) is not None
    assert catalog(allow=(pattern,)).allows(name) is matches
    assert catalog(ignore=(pattern,)).allows(name) is not matches


def test_a_long_name_and_many_stars_take_no_time() -> None:
    rules = catalog(ignore=("*a" * 50 + "*b",))
    assert rules.allows("a" * 100_000)


@pytest.mark.report("S10")
@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"method":"tools/call",%b,"params":{"name":"good"}}',
        b'{"id":1,"method":"tools/call","params":{"name":"bad",%b,"name":"good"}}',
    ],
)
def test_a_call_with_too_many_members_is_not_sent_where_a_rule_is_set(line: bytes) -> None:
    many = b",".join(b'"m%d":0' % number for number in range(MAX_MEMBERS))
    message = parse_message(line % many)
    assert catalog(ignore=("bad",)).judge(message)
    assert not catalog().judge(message)


@pytest.mark.report("S10")
def test_a_list_with_too_many_members_shows_nothing_where_a_rule_is_set() -> None:
    many = b",".join(b'"m%d":0' % number for number in range(MAX_MEMBERS))
    listed = b'{"tools":[{"name":"bad"}]}'
    tools = catalog(ignore=("bad",))
    for line in (
        b'{"id":1,%b,"result":%b}' % (many, listed),
        b'{"id":1,"error":{"code":1},%b,"Result":%b}' % (many, listed),
        b'{"id":1,"result":{%b,"tools":[{"name":"good"}],"Tools":[{"name":"bad"}]}}' % many,
        b'{"id":1,"result":{"tools":[{"name":"good",%b,"Name":"bad"}]}}' % many,
    ):
        shown = tools.learn(parse_message(line))
        assert b"bad" not in shown.raw
        assert shown.key == 1


@pytest.mark.report("S4", "S10")
def test_tools_with_very_many_members_are_judged_as_far_as_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    members = b",".join(b'"m%d":0' % number for number in range(MAX_MEMBERS - 1))
    listed = [b'{"name":"t%d",%b}' % (number, members) for number in range(30)]
    answer = parse_message(b'{"id":1,"result":{"tools":[%b]}}' % b",".join(listed))
    assert catalog().learn(answer) is answer
    with caplog.at_level(logging.WARNING):
        shown = catalog(ignore=("t1",)).learn(answer)
    room = MAX_NAMES // MAX_MEMBERS
    assert shown.result == b'{"tools":[%b]}' % b",".join([listed[0], *listed[2:room]])
    assert caplog.messages == [
        "The tools in the server's list have more than 20,000 members: with --allow-tool, "
        "--ignore-tool or --read-only the last ones are not shown."
    ]


@pytest.mark.report("S4", "S10")
@pytest.mark.parametrize("length", [MAX_FOLDED, MAX_FOLDED + 1])
def test_a_long_name_that_may_be_read_in_many_ways_passes_no_rule(length: int) -> None:
    is_judged = length == MAX_FOLDED
    name = "ä" * length
    rules = catalog(ignore=("rm",))
    plain, odd = f'{{"name":"{name}"}}', f'{{"name":"a","{name}":0}}'
    more = f',"{name}":0'
    for tool in (plain, odd):
        shown = learn(rules, f'{{"tools":[{tool}]}}'.encode())
        assert (tool.encode() in shown) is is_judged
    shown = learn(rules, f'{{"tools":[]{more}}}'.encode())
    assert (more.encode() in shown) is is_judged
    assert (not judge(b'{"id":1,"method":"x"%b}' % more.encode(), ignore=("rm",))) is is_judged
    call = f'{{"id":1,"method":"tools/call","params":{{"name":"{name}"}}}}'.encode()
    assert (not judge(call, ignore=("rm",))) is is_judged
    assert not judge(call)
    assert not judge(call.replace(name.encode(), b"a" * length), ignore=("rm",))


@pytest.mark.report("S10")
def test_of_a_list_that_is_too_long_to_be_judged_nothing_is_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tool = b'{"name":"a","description":"%b"}' % (b"x" * LONG_BYTES)
    (answer,) = parse_messages(b'{"id":1,"result":{"tools":[%b]}}' % tool)
    assert isinstance(answer, Message)
    assert catalog().learn(answer) is answer
    with caplog.at_level(logging.WARNING):
        shown = catalog(ignore=("rm",)).learn(answer)
    assert shown.raw == b'{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}'
    assert caplog.messages == [
        "The server's list of tools is longer than 4 MiB, or has more than 500,000 values in it: "
        "with --allow-tool, --ignore-tool or --read-only none of it is shown."
    ]


@pytest.mark.report("S10")
def test_an_error_teaches_nothing_of_tools() -> None:
    tools = catalog(read_only=True)
    tool = b'{"name":"rm","annotations":{"readOnlyHint":true}}'
    answer = parse_message(b'{"id":1,"error":{"code":-1,"message":"x","tools":[%b]}}' % tool)
    assert tools.learn(answer) is answer
    assert not tools.allows("rm")
