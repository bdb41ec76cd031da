"""What a new session is told is what the host had said and the server had accepted."""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.jsonrpc import make_error, make_result
from mcp_remote_py.mcp_session import INITIALIZED, TOOLS_CHANGED, SessionReplay
from mcp_remote_py.parsing import parse_message

INITIALIZE = b'{ "protocolVersion":"2025-11-25","capabilities":{},"n":1.0,"e":"\\u0041" }'


def note(memory: SessionReplay, method: str, params: bytes, result: bytes = b"{}") -> str:
    """The host asks, the server answers."""
    line = b'{"id":7,"method":%b,"params":%b}' % (json.dumps(method).encode(), params)
    if not params:
        line = b'{"id":7,"method":%b}' % json.dumps(method).encode()
    return memory.note(parse_message(line), make_result(b"7", result))


def refuse(memory: SessionReplay, method: str, params: bytes) -> str:
    """The host asks, the server answers with an error."""
    line = b'{"id":7,"method":%b,"params":%b}' % (json.dumps(method).encode(), params)
    return memory.note(parse_message(line), make_error(b"7", -32601, "no"))


def begin(result: bytes = b'{"protocolVersion":"2025-06-18"}') -> SessionReplay:
    memory = SessionReplay()
    note(memory, "initialize", INITIALIZE, result)
    return memory


def subscribe(memory: SessionReplay, uri: str, extra: str = "") -> bytes:
    params = b'{"uri":"%b"%b}' % (uri.encode(), extra.encode())
    note(memory, "resources/subscribe", params)
    return params


@pytest.mark.promise("R5")
def test_without_a_handshake_there_is_nothing_to_repeat() -> None:
    memory = SessionReplay()
    assert not memory.established
    assert not memory.announces_tools
    assert memory.tools is None
    assert list(memory.handshake()) == list(memory.settings()) == []


@pytest.mark.promise("R5")
def test_the_handshake_is_repeated_in_the_hosts_own_bytes() -> None:
    memory = begin()
    assert memory.established
    assert list(memory.handshake()) == [("initialize", INITIALIZE), (INITIALIZED, b"")]
    assert list(memory.settings()) == []


@pytest.mark.promise("R5")
def test_settings_are_repeated_as_they_were_last_set() -> None:
    memory = begin()
    note(memory, "logging/setLevel", b'{"level":"debug"}')
    first = subscribe(memory, "file:///a")
    second = subscribe(memory, "file:///b", ', "_meta":{"k":1.0}')
    note(memory, "logging/setLevel", b'{"level":"error"}')
    assert list(memory.settings()) == [
        ("logging/setLevel", b'{"level":"error"}'),
        ("resources/subscribe", first),
        ("resources/subscribe", second),
    ]


@pytest.mark.promise("R5")
def test_a_subscription_that_was_ended_is_not_begun_again() -> None:
    memory = begin()
    subscribe(memory, "file:///a")
    kept = subscribe(memory, "file:///b")
    note(memory, "resources/unsubscribe", b'{"uri":"file:///\\u0061"}')
    note(memory, "resources/unsubscribe", b'{"uri":"file:///never"}')
    assert list(memory.settings()) == [("resources/subscribe", kept)]


@pytest.mark.promise("R5")
def test_a_subscription_made_twice_is_one() -> None:
    memory = begin()
    subscribe(memory, "file:///a")
    last = subscribe(memory, "file:///a", ',"more":1')
    assert list(memory.settings()) == [("resources/subscribe", last)]


@pytest.mark.parametrize("params", [b"", b"[]", b"{}", b'{"uri":5}', b'{"uri":null}'])
def test_a_subscription_that_names_nothing_is_not_kept(params: bytes) -> None:
    memory = begin()
    note(memory, "resources/subscribe", params)
    note(memory, "resources/unsubscribe", params)
    assert list(memory.settings()) == []


@pytest.mark.promise("R5")
def test_what_the_server_refused_is_not_repeated() -> None:
    memory = SessionReplay()
    assert refuse(memory, "initialize", INITIALIZE) == ""
    assert not memory.established
    memory = begin()
    kept = subscribe(memory, "file:///a")
    refuse(memory, "logging/setLevel", b'{"level":"debug"}')
    refuse(memory, "resources/subscribe", b'{"uri":"file:///b"}')
    refuse(memory, "resources/unsubscribe", b'{"uri":"file:///a"}')
    refuse(memory, "tools/list", b"{}")
    refuse(memory, "initialize", b"{}")
    assert list(memory.settings()) == [("resources/subscribe", kept)]
    assert next(memory.handshake()) == ("initialize", INITIALIZE)
    assert memory.tools is None


@pytest.mark.promise("R5")
def test_a_second_initialize_forgets_the_first_session() -> None:
    memory = begin(b'{"protocolVersion":"1","capabilities":{"tools":{"listChanged":true}}}')
    note(memory, "logging/setLevel", b'{"level":"debug"}')
    subscribe(memory, "file:///a")
    note(memory, "tools/list", b"", b'{"tools":[]}')
    assert note(memory, "initialize", b'{"n":2}', b'{"protocolVersion":"2"}') == "2"
    assert next(memory.handshake()) == ("initialize", b'{"n":2}')
    assert list(memory.settings()) == []
    assert memory.tools is None
    assert not memory.announces_tools


@pytest.mark.parametrize("method", ["tools/call", "resources/list", "x/y", "ping"])
def test_other_requests_leave_no_trace(method: str) -> None:
    memory = begin()
    assert note(memory, method, b'{"uri":"file:///a","level":"debug"}', b'{"tools":[]}') == ""
    assert list(memory.settings()) == []
    assert memory.tools is None


# ------------------------------------------------------------------------- the version


@pytest.mark.parametrize(
    ("result", "version"),
    [
        (b'{"protocolVersion":"2025-06-18","capabilities":{}}', "2025-06-18"),
        (b'{"protocolVersion":"DRAFT-2026-v1"}', "DRAFT-2026-v1"),
        (b'{"capabilities":null,"protocolVersion":"1"}', "1"),
        (b'{"capabilities":{"tools":true},"protocolVersion":"1"}', "1"),
        (b"{}", ""),
        (b'{"protocolVersion":null}', ""),
        (b'{"protocolVersion":20250618}', ""),
        (b'{"protocolVersion":""}', ""),
        # It goes into a header.
        (b'{"protocolVersion":"1\\r\\nX-Evil: 1"}', ""),
        (b'{"protocolVersion":"1\\n"}', ""),
        (b'{"protocolVersion":" 1"}', ""),
        (b'{"protocolVersion":"\\u00e9"}', ""),
        (b'{"protocolVersion":"\\ud800"}', ""),
    ],
)
def test_the_version_is_told_where_it_is_one(result: bytes, version: str) -> None:
    memory = SessionReplay()
    assert note(memory, "initialize", INITIALIZE, result) == version
    assert memory.established
    answer = make_result(b'"private"', result)
    assert memory.renew(answer) == version


@pytest.mark.parametrize("result", [b"null", b"[]", b"5", b'"2025-06-18"'])
def test_a_result_that_is_not_an_object_is_not_a_handshake(result: bytes) -> None:
    memory = SessionReplay()
    assert note(memory, "initialize", INITIALIZE, result) == ""
    assert not memory.established
    assert memory.renew(make_result(b"1", result)) == ""


def test_an_error_names_no_version() -> None:
    assert SessionReplay().renew(make_error(b"1", -32600, "no")) == ""


# ------------------------------------------------------------------------- the tools


@pytest.mark.parametrize(
    ("capabilities", "announces"),
    [
        (b'{"tools":{"listChanged":true}}', True),
        (b'{"prompts":{"listChanged":true},"tools":{"listChanged":true,"x":1e999}}', True),
        (b'{"tools":{"listChanged":false}}', False),
        (b'{"tools":{"listChanged":"true"}}', False),
        (b'{"tools":{}}', False),
        (b'{"tools":null}', False),
        (b'{"tools":true}', False),
        (b'{"prompts":{"listChanged":true}}', False),
        (b"{}", False),
        (b"null", False),
        (b"[]", False),
    ],
)
def test_whether_the_server_announces_its_tools(capabilities: bytes, announces: bool) -> None:
    memory = begin(b'{"protocolVersion":"1","capabilities":%b}' % capabilities)
    assert memory.announces_tools is announces
    assert memory.established


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    "params",
    [
        b"",
        b"{}",
        b'{"cursor":null}',
        b'{"_meta":{"progressToken":"cursor"}}',
        b'{"a":{"cursor":1}}',
    ],
)
def test_the_first_page_of_the_tools_is_kept_as_it_came(params: bytes) -> None:
    memory = begin()
    result = b'{ "tools":[{"name":"a","n":1.0}],"nextCursor":"2" }'
    note(memory, "tools/list", params, result)
    assert memory.tools == result


@pytest.mark.parametrize("params", [b'{"cursor":"2"}', b'{"cursor":""}', b'{"cursor":0}', b"[]"])
def test_a_later_page_is_not(params: bytes) -> None:
    memory = begin()
    note(memory, "tools/list", b"{}", b'{"tools":[1]}')
    note(memory, "tools/list", params, b'{"tools":[2]}')
    assert memory.tools == b'{"tools":[1]}'


def test_other_tools_are_told_in_a_notification() -> None:
    assert json.loads(TOOLS_CHANGED.raw) == {
        "jsonrpc": "2.0",
        "method": "notifications/tools/list_changed",
    }
