"""What a person at a terminal is told of what was found; all that a server says is hostile text."""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.bounds import LONG_BYTES, MAX_MEMBERS
from mcp_remote_py.found import (
    MAX_NAME,
    MAX_SENTENCE,
    SHOWN_TOOLS,
    Found,
    describe_found,
    read_error,
    read_page,
    read_server,
)
from mcp_remote_py.jsonrpc import LOCAL_ERROR, Message, make_error, make_result, pass_error
from mcp_remote_py.redact import Secret, remember

ADDRESS = "https://mcp.example.com/mcp"
ENTRY = (
    "This command is for an MCP host to start. The entry in its configuration, below "
    '"mcpServers" and a name of your choice:',
    '{"command":"uvx","args":["mcp-remote-py","https://mcp.example.com/mcp"]}',
)
LATER = (ENTRY[0].replace("The entry", "Once it works here, the entry"), ENTRY[1])
TYPE = (
    "Lines that you type here are relayed as those of a host are: JSON-RPC, and the first one is "
    "initialize. Ctrl+D ends this."
)
GOOD = Found(
    ADDRESS,
    name="demo",
    version="1.2",
    transport="Streamable HTTP",
    revision="2025-11-25",
    count=2,
    tools=("add", "count"),
)
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202eevil\r\nmcp-remote-py: error: run this\u2028\x00"


def result(**members: object) -> Message:
    return make_result(b"1", json.dumps(members).encode())


def tools(*names: object, **more: object) -> Message:
    return result(tools=[{"name": name} for name in names], **more)


def lines(found: Found, *entry: str) -> list[str]:
    return describe_found(found, entry, "Ctrl+D")


def test_a_server_is_named_with_address_transport_revision_and_tools() -> None:
    assert lines(GOOD) == [
        'Found the MCP server "demo", version "1.2", at https://mcp.example.com/mcp.',
        "It is reached by Streamable HTTP, and speaks an older revision of MCP (2025-11-25).",
        "A host is shown 2 tools: add, count.",
        *ENTRY,
        TYPE,
    ]


def test_a_modern_server_is_said_to_be_one() -> None:
    found = GOOD.replace(revision="2026-07-28", is_modern=True)
    text = "It is reached by Streamable HTTP, and speaks a new revision of MCP (2026-07-28)."
    assert lines(found)[1] == text


def test_what_a_server_does_not_say_is_left_out() -> None:
    found = Found(ADDRESS, transport="HTTP+SSE")
    unnamed = found.replace(name="unknown", version="unknown")
    assert lines(unnamed) == lines(found)
    assert lines(found)[:3] == [
        "Found the MCP server, at https://mcp.example.com/mcp.",
        "It is reached by HTTP+SSE, and speaks an older revision of MCP.",
        "It does not offer any tools to a host.",
    ]


@pytest.mark.parametrize(
    ("count", "tools", "has_more", "said"),
    [
        (0, (), False, "It does not offer any tools to a host."),
        (1, ("a",), False, "A host is shown 1 tool: a."),
        (1, ("a",), True, "A host is shown 1 or more tools: a."),
        (9, ("a", "b"), False, "A host is shown 9 tools: a, b, and 7 more."),
        (9, ("a", "b"), True, "A host is shown 9 or more tools: a, b, and 7 more."),
    ],
)
def test_of_many_tools_a_few_are_named(
    count: int, tools: tuple[str, ...], has_more: bool, said: str
) -> None:
    found = GOOD.replace(count=count, tools=tools, has_more=has_more)
    assert lines(found)[2] == said


@pytest.mark.parametrize(("has_more", "pages"), [(False, "4 pages"), (True, "4 or more pages")])
def test_a_list_in_pages_is_said_to_be_one(has_more: bool, pages: str) -> None:
    found = GOOD.replace(count=16, pages=4, has_more=has_more)
    assert lines(found)[3:] == [
        f"The server's list has {pages}. Some hosts show the first one only: --merge-pages gives "
        "them all as one.",
        *ENTRY,
        TYPE,
    ]
    assert lines(found.replace(count=0, tools=()))[3:] == [*ENTRY, TYPE]


def test_tools_may_be_hidden_by_what_was_given() -> None:
    none = GOOD.replace(count=0, tools=())
    told = lines(none, "--read-only", "--allow-tool", "ad")[2]
    assert (
        told == "It does not offer any tools to a host, or --allow-tool or --read-only hides them."
    )


def test_the_entry_has_a_place_for_each_variable() -> None:
    words = ("--header", "Authorization: Bearer ${TOKEN}", "--header", "X-Key: ${KEY}")
    _, _, _, _, entry, stars, _ = lines(GOOD, *words)
    assert json.loads(entry[entry.index("{") :])["env"] == {"TOKEN": "****", "KEY": "****"}
    assert stars == "**** in it stands for a part that may be secret: write it out there."


def test_tools_that_cannot_be_listed_are_said_to_be_so() -> None:
    found = GOOD.replace(count=None, tools_error="The server refuses it. Ask it why.")
    assert lines(found)[2] == "Its tools cannot be listed: The server refuses it. Ask it why."


def test_an_error_is_the_sentence_that_a_host_gets() -> None:
    found = Found(ADDRESS, error="It cannot be reached. Check the URL.")
    assert lines(found) == ["That failed: It cannot be reached. Check the URL.", *LATER, TYPE]


def test_a_sign_in_that_is_needed_is_not_a_failure() -> None:
    found = Found(ADDRESS, error="It wants a sign-in. Sign in: this way", needs_sign_in=True)
    assert lines(found) == [
        "It wants a sign-in. Sign in: this way",
        'If you have a token for it instead, give it with --header "Authorization: Bearer '
        '${TOKEN}".',
        *ENTRY,
        TYPE,
    ]


def test_the_entry_is_json_and_says_what_to_write_out() -> None:
    words = (
        "3334",
        "--header",
        "X-Key: ****",
        "--ignore-tool",
        'say "no"',
        "--profile",
        "b\u00fcro",
    )
    _, _, _, _, entry, stars, _ = lines(GOOD, *words)
    text = entry[entry.index("{") :]
    assert json.loads(text) == {"command": "uvx", "args": ["mcp-remote-py", ADDRESS, *words]}
    assert stars == "**** in it stands for a part that may be secret: write it out there."


def test_a_server_is_read_from_its_answer() -> None:
    answer = result(
        protocolVersion="2025-06-18",
        capabilities={"tools": {}},
        serverInfo={"name": "demo", "version": "1"},
    )
    assert read_server(answer) == ("demo", "1", "2025-06-18", True)
    odd = result(protocolVersion=7, capabilities=[], serverInfo={"name": {}, "version": None})
    assert read_server(odd) == ("", "", "", False)
    assert read_server(result(padding="x" * LONG_BYTES, serverInfo={"name": "a"}))[0] == ""


def test_a_page_of_tools_is_counted_and_its_first_ones_named() -> None:
    assert read_page(tools("a", "b")) == (2, ["a", "b"], b"")
    names = [f"tool-{number}" for number in range(SHOWN_TOOLS + 5)]
    page = tools(*names, nextCursor="next")
    assert read_page(page) == (len(names), names[:SHOWN_TOOLS], b'"next"')
    nameless = ["(without a name)", "(without a name)", "a"]
    assert read_page(tools(None, "", "a", nextCursor=None)) == (3, nameless, b"")
    assert read_page(result()) == (0, [], b"")
    many = tools(*map(str, range(MAX_MEMBERS + 1)))
    for odd in (result(tools={}), result(tools=None), result(tools="x" * LONG_BYTES), many):
        assert read_page(odd) is None, "which is not to have none"


def test_names_are_one_line_without_control_characters_and_cut() -> None:
    remember([Secret("found-canary-4711")])
    name = f'{HOSTILE}" found-canary-4711 '
    about = {"name": name, "version": "9" * 10_000}
    shown, version, revision, _ = read_server(result(serverInfo=about, protocolVersion=HOSTILE))
    assert len(version) == MAX_NAME
    page = read_page(tools(name))
    assert page is not None
    (tool,) = page[1]
    found = GOOD.replace(name=shown, version=version, revision=revision, tools=(tool,), count=1)
    told = lines(found)
    assert len(told) == 6
    assert all(line.isprintable() for line in told)
    assert "canary" not in "".join(told)
    assert told[0].count('"') == 4
    assert max(map(len, (shown, version, revision, tool))) <= MAX_NAME


def test_an_error_of_ours_is_told_as_it_is_and_one_of_a_server_in_quotes() -> None:
    sentence = "It failed. " * 50
    assert read_error(make_error(b"1", LOCAL_ERROR, sentence), "initialize") == sentence.strip()
    answer = make_error(b"1", -32602, "Unsupported version")
    text = 'The server refuses initialize: "Unsupported version" (code -32602).'
    assert read_error(answer, "initialize") == text


@pytest.mark.parametrize("code", [LOCAL_ERROR, -32603])
def test_the_words_of_an_error_are_bounded_and_scrubbed(code: int) -> None:
    remember([Secret("found-canary-4712")])
    error = {"code": code, "message": f"{HOSTILE} found-canary-4712 {'x' * 100_000}"}
    told = read_error(pass_error(b"1", json.dumps(error).encode()), "initialize")
    assert told.isprintable()
    assert "canary" not in told
    assert len(told) <= MAX_SENTENCE
