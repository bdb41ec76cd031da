"""What is wrong in an answer, in plain words: pydantic's types, and never its text."""

from __future__ import annotations

import pytest

from mcp_remote_py.diagnosis.answer_flaws import (
    Flaw,
    describe_flaw,
    describe_flaws,
    describe_unread_message,
)


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        (Flaw(("tools", 0, "inputSchema"), "missing"), "tools[0].inputSchema is missing"),
        (Flaw(("serverInfo", "version"), "string_type"), "serverInfo.version is not a string"),
        (Flaw(("tools",), "list_type"), "tools is not a list"),
        (Flaw(("tools", 3), "model_type"), "tools[3] is not an object"),
        (Flaw(("a", "b"), "bool_parsing"), "a.b is not true or false"),
        (Flaw(("a",), "int_from_float"), "a is not a whole number"),
        (Flaw((), "model_type"), "result is not an object"),
        (Flaw(("role",), "literal_error", "'user' or 'assistant'"), "role is not 'user' or "
         "'assistant'"),
        (Flaw(("uri",), "url_parsing"), "uri is not as MCP has it (url_parsing)"),
        (Flaw(("x\x1b[2Jy",), "missing"), "x [2Jy is missing"),
    ],
)  # fmt: skip
def test_a_member_that_is_wrong(flaw: Flaw, said: str) -> None:
    assert describe_flaw(flaw) == said


def test_the_first_is_told_with_the_answer_that_it_is_in() -> None:
    missing = Flaw(("tools", 0, "name"), "missing")
    assert describe_flaws("ListToolsResult", [missing]) == (
        "in the answer to tools/list, tools[0].name is missing"
    )
    assert describe_flaws("ListToolsResult", [missing] * 2).endswith("(and 1 more fault)")
    assert describe_flaws("New", [missing] * 3) == (
        "in an answer, tools[0].name is missing (and 2 more faults)"
    )
    assert describe_flaws("New", []) == "in an answer, something is not as MCP has it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 validation error for union[JSONRPCError] Invalid JSON: x", "an answer is not JSON"),
        ("11 validation errors for union[JSONRPCError] x", "an answer is not a JSON-RPC message"),
        ("1 validation error for Odd x", "an answer is not as MCP has it"),
        ("Session terminated", ""),
    ],
)  # fmt: skip
def test_a_message_of_which_only_a_text_is_left(text: str, said: str) -> None:
    assert describe_unread_message(text) == said
