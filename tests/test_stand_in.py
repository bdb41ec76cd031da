"""What the host is told while somebody signs in: results by request, and nothing else.

Must not know when a stand-in is needed.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_remote_py import __version__
from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.stand_in import StandIn
from mcp_remote_py.tools import ToolCatalog
from mcp_remote_py.versions import HANDSHAKE_VERSIONS, NEWEST_HANDSHAKE
from tests.fakes import FakeSignInWatch, Json, encode, encode_request

SERVER = "https://mcp.example/mcp"
TODO = "Open this address to sign in: https://auth.example/authorize?a=b"
INITIALIZE: Json = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}}

RESULT = (
    b'{"protocolVersion":"2025-06-18", "capabilities":{"tools":{},"prompts":{},"resources":{}},'
    b'"serverInfo":{"name":"far","big":12345678901234567890}}'
)
TOOLS = b'{"tools":[ {"name":"add","inputSchema":{"type":"object"},"x":1.0} ]}'


def request(method: str, params: Json | None = None) -> Message:
    return parse_message(encode_request(1, method, params))


def stand_in(
    known: ServerSnapshot | None = None,
    params: Json | None = INITIALIZE,
    watch: FakeSignInWatch | None = None,
    rules: ToolRules | None = None,
    *,
    is_away: bool = False,
) -> StandIn:
    watch = watch or FakeSignInWatch(TODO, known)
    return StandIn(
        *(request("initialize", params), SERVER, watch.known, ToolCatalog(rules or ToolRules())),
        *(watch.waiting_for_person, watch.is_under_way),
        is_away=is_away,
    )


def ask(one: StandIn, method: str, params: Json | None = None) -> Any:
    answer = one.answer(request(method, params))
    return None if answer is None else json.loads(answer)


def call(one: StandIn) -> Any:
    return ask(one, "tools/call", {"name": "sign_in"})


def text_of(result: Json) -> str:
    (content,) = result["content"]
    assert content["type"] == "text"
    text = content["text"]
    assert isinstance(text, str)
    return text


# Nothing is known


@pytest.mark.promise("A6")
@pytest.mark.parametrize("version", sorted(HANDSHAKE_VERSIONS))
def test_first_greeting_names_us_and_carries_the_link(version: str) -> None:
    result = json.loads(stand_in(params={**INITIALIZE, "protocolVersion": version}).greet())
    assert result == {
        "protocolVersion": version,
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "mcp-remote-py", "version": __version__},
        "instructions": f"{SERVER} wants a sign-in first. {TODO}",
    }


@pytest.mark.promise("A6")
def test_greeting_without_a_person_to_ask_says_that_it_goes_on() -> None:
    watch = FakeSignInWatch()
    watch.is_busy = True
    assert json.loads(stand_in(watch=watch).greet())["instructions"] == (
        f"The sign-in at {SERVER} is not finished yet; its tools come after it."
    )


@pytest.mark.parametrize(
    "params", [None, {}, {"protocolVersion": "2026-07-28"}, {"protocolVersion": 7}], ids=str
)
def test_version_nobody_knows_is_answered_by_the_newest(params: Json | None) -> None:
    assert json.loads(stand_in(params=params).greet())["protocolVersion"] == NEWEST_HANDSHAKE


def test_params_that_are_not_an_object_are_answered_too() -> None:
    message = parse_message(b'{"id":1,"method":"initialize","params":[]}')
    watch, catalog = FakeSignInWatch(TODO), ToolCatalog(ToolRules())
    one = StandIn(
        *(message, SERVER, ServerSnapshot(), catalog), watch.waiting_for_person, watch.is_under_way
    )
    assert json.loads(one.greet())["protocolVersion"] == NEWEST_HANDSHAKE


@pytest.mark.promise("A6")
def test_one_tool_is_offered_and_its_result_is_the_link() -> None:
    one = stand_in()
    (tool,) = ask(one, "tools/list")["tools"]
    assert tool["name"] == "sign_in"
    assert SERVER in tool["description"]
    assert tool["inputSchema"]["properties"] == {}
    result = call(one)
    assert text_of(result).splitlines()[0] == TODO
    assert SERVER in text_of(result)
    assert result["isError"] is False


def test_call_with_nobody_waited_for_is_to_be_looked_into() -> None:
    watch = FakeSignInWatch(TODO)
    one = stand_in(watch=watch)
    ask(one, "tools/list")
    assert one.is_sign_in(request("tools/call", {"name": "sign_in"}))
    assert one.is_waiting()
    watch.todo = ""
    assert not one.is_waiting()
    assert call(one) is None
    result = json.loads(one.report("The person said no."))
    assert text_of(result) == f"Nobody is signed in at {SERVER}. The person said no."
    assert result["isError"] is True


@pytest.mark.promise("A6")
def test_server_that_is_away_wants_no_sign_in_that_is_known() -> None:
    watch = FakeSignInWatch("", ServerSnapshot(RESULT))
    one = stand_in(watch=watch, is_away=True)
    assert one.greet() == RESULT
    assert ask(one, "tools/list") is None
    assert call(one) is None
    assert not one.is_waiting()
    assert one.excuse().sentence() == (
        f"{SERVER} has not answered yet; the request was not sent. "
        "Check the network and whether a VPN or proxy is needed. Then try again."
    )
    watch.todo = TODO
    assert one.excuse().sentence() == (
        f"Nobody is signed in at {SERVER} yet; the request was not sent. {TODO} Then try again."
    )


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "add"}),
        ("tools/call", {}),
        ("prompts/list", None),
        ("resources/list", None),
        ("resources/templates/list", None),
        ("resources/read", {"name": "sign_in"}),
        ("completion/complete", None),
        ("unheard/of", None),
    ],
)
def test_what_only_the_server_can_answer_waits(method: str, params: Json | None) -> None:
    one = stand_in()
    ask(one, "tools/list")
    assert ask(one, method, params) is None


def test_tool_that_was_never_offered_is_the_servers() -> None:
    assert call(stand_in()) is None


def test_ping_is_answered() -> None:
    assert ask(stand_in(), "ping") == {}


# Something is known


@pytest.mark.promise("A6", "R2")
def test_what_the_server_said_last_is_said_again_byte_for_byte() -> None:
    one = stand_in(ServerSnapshot(RESULT, TOOLS))
    assert one.greet() == RESULT
    assert one.answer(request("tools/list")) == TOOLS
    assert ask(one, "tools/call", {"name": "add"}) is None
    assert call(one) is None


@pytest.mark.parametrize(
    ("wanted", "answered"),
    [("2025-11-25", "2025-06-18"), ("2024-11-05", "2024-11-05"), ("someday", "2025-06-18")],
)
def test_version_is_one_the_server_takes(wanted: str, answered: str) -> None:
    one = stand_in(ServerSnapshot(RESULT), {**INITIALIZE, "protocolVersion": wanted})
    expected = json.loads(RESULT) | {"protocolVersion": answered}
    assert json.loads(one.greet()) == expected
    assert b"12345678901234567890" in one.greet()


def test_lists_that_were_announced_are_empty() -> None:
    one = stand_in(ServerSnapshot(RESULT))
    assert ask(one, "prompts/list") == {"prompts": []}
    assert ask(one, "resources/list") == {"resources": []}
    assert ask(one, "resources/templates/list") == {"resourceTemplates": []}


def test_further_pages_are_neither_promised_nor_invented() -> None:
    tools = encode({"tools": [{"name": "add"}], "nextCursor": "2"})
    one = stand_in(ServerSnapshot(RESULT, tools))
    assert ask(one, "tools/list") == {"tools": [{"name": "add"}]}
    assert ask(one, "tools/list", {"cursor": "2"}) is None


def test_known_tools_are_hidden_by_the_rules_and_learned_from() -> None:
    tools = encode(
        {"tools": [{"name": "add", "annotations": {"readOnlyHint": True}}, {"name": "x"}]}
    )
    one = stand_in(ServerSnapshot(RESULT, tools), rules=ToolRules(read_only=True))
    (tool,) = ask(one, "tools/list")["tools"]
    assert tool["name"] == "add"


@pytest.mark.promise("P2")
def test_excuse_says_what_is_missing_and_what_to_do() -> None:
    watch = FakeSignInWatch(TODO)
    one = stand_in(watch=watch)
    assert one.excuse().sentence() == (
        f"Nobody is signed in at {SERVER} yet; the request was not sent. {TODO} Then try again."
    )
    watch.todo, watch.is_busy = "", True
    assert one.excuse().sentence() == (
        f"The sign-in at {SERVER} is not finished yet; the request was not sent. "
        "It goes on by itself. Try again in a moment."
    )
    watch.is_busy = False
    assert one.excuse().sentence() == (
        f"{SERVER} has not answered yet; the request was not sent. "
        "Check the network and whether a VPN or proxy is needed. Then try again."
    )


@pytest.mark.parametrize(
    "initialize",
    [
        b"",
        b"[]",
        b'{"capabilities":{}}',
        b'{"protocolVersion":7,"capabilities":{}}',
        b'{"protocolVersion":"2025-06-18"}',
        b'{"protocolVersion":"2026-07-28","capabilities":{}}',
    ],
)
def test_unusable_result_is_as_none(initialize: bytes) -> None:
    assert json.loads(stand_in(ServerSnapshot(initialize, TOOLS)).greet())["serverInfo"][
        "name"
    ] == ("mcp-remote-py")


@pytest.mark.parametrize("tools", [b"[]", b"{}", b'{"tools":{}}'])
def test_unusable_tools_are_as_none(tools: bytes) -> None:
    (tool,) = ask(stand_in(ServerSnapshot(RESULT, tools)), "tools/list")["tools"]
    assert tool["name"] == "sign_in"


# The server is there


@pytest.mark.promise("A6")
def test_end_is_told_and_so_is_a_call_of_the_tool() -> None:
    watch = FakeSignInWatch(TODO)
    one = stand_in(watch=watch)
    ask(one, "tools/list")
    assert one.take_news() == []
    one.end(RESULT)
    one.end(RESULT)
    assert one.over
    assert [json.loads(news.raw)["method"] for news in one.take_news()] == [
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
    ]
    one.end(RESULT)
    assert one.take_news() == []
    watch.todo = ""
    assert ask(one, "tools/list") is None
    assert ask(one, "ping") is None
    result = call(one)
    assert "is done" in text_of(result)
    assert result["isError"] is False


@pytest.mark.parametrize(
    "result", [b'{"protocolVersion":"2025-06-18","capabilities":{"logging":{}}}', b"[]"]
)
def test_tools_may_have_changed_whatever_the_server_announces(result: bytes) -> None:
    one = stand_in()
    one.end(result)
    (line,) = one.take_news()
    assert json.loads(line.raw)["method"] == "notifications/tools/list_changed"


def test_tool_of_that_name_is_the_servers_once_its_tools_were_shown() -> None:
    one = stand_in()
    ask(one, "tools/list")
    one.end(RESULT)
    one.show_tools()
    assert call(one) is None
