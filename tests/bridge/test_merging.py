"""Lists in pages between a host and a server of either era, with the pages merged.

A relay with both shells, a written host and server, jumping time. What is asserted is what crosses
the two interfaces. Must not know sockets or processes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mcp_remote_py.errors import Interrupted, NotSent, Refused, SessionLost, Unusable
from mcp_remote_py.jsonrpc import Kind, Message
from mcp_remote_py.merged_list import MAX_LIST_SECONDS, MAX_PAGES, PAGED_LISTS
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.settings.commands import ToolRules
from tests.bridge.scene import (
    ENVELOPE,
    PREFIX,
    Scene,
    be_legacy,
    be_modern,
    error,
    modern,
    notify,
    refuse,
    result,
    scene,
)
from tests.fakes import (
    Behaviour,
    FakeServerChannel,
    FakeSignInWatch,
    Json,
    encode,
    fail,
    forever,
    settle,
    silent,
    until,
)

PAGES = [["a", "b"], [], ["c"]]
NAMES = ["a", "b", "c"]


def in_pages(pages: list[list[str]] = PAGES, **members: Any) -> Behaviour:
    """A list whose cursors are the numbers of its pages."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        give(server, message, pages, **members)

    return behaviour


def give(
    server: FakeServerChannel, message: Message, pages: list[list[str]] = PAGES, **members: Any
) -> None:
    number = int(asked(message).get("cursor", "0"))
    found: Json = {PAGED_LISTS[message.method]: [{"name": name} for name in pages[number]]}
    if number + 1 < len(pages):
        found["nextCursor"] = str(number + 1)
    server.answer(message, {**members, **found})


def asked(message: Message) -> Json:
    params: Json = json.loads(message.params or b"{}")
    return params


def at_page(number: int, behaviour: Behaviour, *, times: int = 100) -> Behaviour:
    """A list in pages, of which one meets that so many times."""
    left = times

    async def paged(server: FakeServerChannel, message: Message) -> None:
        nonlocal left
        if int(asked(message).get("cursor", "0")) == number and left:
            left -= 1
            await behaviour(server, message)
        else:
            give(server, message)

    return paged


async def ask(stage: Scene, request_id: object, method: str, params: Json | None = None) -> Json:
    """One request of the host; time passes only when all that can be done without it is done."""
    stage.host.request(request_id, method, params)
    for _ in range(30):
        await settle()
    await stage.clock.advance(120)
    return stage.host.answer(request_id)


def listed(answer: Json, member: str = "tools") -> list[str]:
    return [one["name"] for one in answer["result"][member]]


def play_legacy(test: Callable[[Scene], Awaitable[None]], lists: Behaviour, **options: Any) -> None:
    """Host and server both shake hands; `tools/list` meets `lists`."""

    async def play(stage: Scene) -> None:
        stage.server.always("tools/list", lists)
        await stage.shake_hands()
        await test(stage)

    scene(play, merge=True, **options)


# ------------------------------------------------------------------ every era


@pytest.mark.promise("E1")
@pytest.mark.parametrize("method", sorted(PAGED_LISTS))
@pytest.mark.parametrize("server", ["handshake", "modern"])
@pytest.mark.parametrize("host", ["handshake", "modern"])
def test_each_list_comes_whole_in_every_era(host: str, server: str, method: str) -> None:
    is_modern = host == "modern"
    hints: Json = {"resultType": "complete", "ttlMs": 9000, "cacheScope": "public"}

    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern if server == "modern" else be_legacy)
        stage.server.always(method, in_pages(**(hints if server == "modern" else {})))
        if not is_modern:
            await stage.shake_hands()
        answer = await ask(stage, 5, method, modern() if is_modern else None)
        member = PAGED_LISTS[method]
        assert listed(answer, member) == NAMES
        told = hints if server == "modern" else hints | {"ttlMs": 0, "cacheScope": "private"}
        assert answer["result"] == ({**told} if is_modern else {}) | {
            member: [{"name": name} for name in NAMES]
        }
        requests = stage.sent(method)
        assert [one.get("params", {}).get("cursor") for one in requests] == [None, "1", "2"]
        assert len({one["id"] for one in requests}) == 3
        for one in requests[1:]:
            assert one["id"] != 5
            assert ("_meta" in one["params"]) is (server == "modern")
        if server == "modern":
            for one in requests:
                assert one["params"]["_meta"][PREFIX + "protocolVersion"] == "2026-07-28"

    scene(play, merge=True)


@pytest.mark.promise("R2")
def test_without_the_option_each_page_is_the_host_s_to_ask_for() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/list", in_pages())
        await stage.shake_hands()
        answer = await ask(stage, 1, "tools/list")
        assert answer["result"] == {"tools": [{"name": "a"}, {"name": "b"}], "nextCursor": "1"}
        assert len(stage.sent("tools/list")) == 1

    scene(play)


@pytest.mark.promise("R2")
def test_with_the_option_what_has_one_page_keeps_its_bytes() -> None:
    found = b'{"tools":[ {"name":"\\u0061","x":1.0} ],"nextCursor":null}'
    line = b'{"result":%b,"id":1,"jsonrpc":"2.0"}' % found

    async def say(server: FakeServerChannel, _: Message) -> None:
        server.say(line)

    async def play(stage: Scene) -> None:
        await ask(stage, 1, "tools/list")
        assert stage.host.lines[-1] == line

    play_legacy(play, say)


def test_a_host_that_asks_for_a_page_gets_that_page() -> None:
    async def play(stage: Scene) -> None:
        answer = await ask(stage, 1, "tools/list", {"cursor": "1"})
        assert answer["result"] == {"tools": [], "nextCursor": "2"}
        assert len(stage.sent("tools/list")) == 1

    play_legacy(play, in_pages())


# ------------------------------------------------------------------ who sees the whole list


def test_rules_on_tools_judge_all_pages() -> None:
    async def play(stage: Scene) -> None:
        assert listed(await ask(stage, 1, "tools/list")) == ["b", "c"]

    play_legacy(play, in_pages(), rules=ToolRules(ignore=("a",)))


def test_the_tools_of_a_new_session_are_compared_whole() -> None:
    async def play(stage: Scene) -> None:
        await ask(stage, 1, "tools/list")
        stage.server.script("tools/call", fail(lambda: SessionLost("It is gone.", status=404)))
        await ask(stage, 2, "tools/call", {"name": "a"})
        assert len(stage.sent("tools/list")) == 2 * len(PAGES)
        assert not stage.host.told("notifications/tools/list_changed")
        stage.server.always("tools/list", in_pages([["a", "b"], ["d"]]))
        stage.server.script("tools/call", fail(lambda: SessionLost("It is gone.", status=404)))
        await ask(stage, 3, "tools/call", {"name": "a"})
        assert len(stage.host.told("notifications/tools/list_changed")) == 1

    play_legacy(play, in_pages())


@pytest.mark.promise("A6")
def test_what_is_kept_for_the_next_start_is_the_whole_list() -> None:
    watch = FakeSignInWatch()

    async def play(stage: Scene) -> None:
        await ask(stage, 1, "tools/list")
        await until(lambda: len(watch.kept) == 2)
        kept = max((known.tools for known in watch.kept), key=len)
        assert json.loads(kept) == {"tools": [{"name": name} for name in NAMES]}

    play_legacy(play, in_pages(), memory=watch)


@pytest.mark.parametrize("host", ["handshake", "modern"])
def test_the_headers_of_a_call_are_learned_from_every_page(host: str) -> None:
    marked = {"type": "string", "x-mcp-header": "Region"}
    tool = {"name": "b", "inputSchema": {"type": "object", "properties": {"region": marked}}}

    async def paged(server: FakeServerChannel, message: Message) -> None:
        is_last = "cursor" in asked(message)
        found: Json = {"tools": [tool]} if is_last else {"tools": [], "nextCursor": "2"}
        server.answer(message, {"resultType": "complete", **found})

    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("tools/list", paged)
        if host == "handshake":
            await stage.shake_hands()
        answer = await ask(stage, 1, "tools/list", modern() if host == "modern" else None)
        assert listed(answer) == ["b"]
        params = encode({"name": "b", "arguments": {"region": "eu"}})
        call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}' % params
        assert stage.parameters.headers(parse_message(call)) == [(b"Mcp-Param-Region", b"eu")]

    scene(play, merge=True)


def test_output_is_wrapped_on_every_page() -> None:
    schema = {"type": "string"}

    async def paged(server: FakeServerChannel, message: Message) -> None:
        name, end = ("b", {}) if "cursor" in asked(message) else ("a", {"nextCursor": "2"})
        server.answer(message, {"tools": [{"name": name, "outputSchema": schema}], **end})

    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("tools/list", paged)
        await stage.shake_hands()
        answer = await ask(stage, 1, "tools/list")
        assert listed(answer) == ["a", "b"]
        for tool in answer["result"]["tools"]:
            assert tool["outputSchema"]["properties"] == {"result": schema}

    scene(play, merge=True)


# ------------------------------------------------------------------ where a page fails


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("failure", "times", "words"),
    [
        (error(-32602), 1, "an error: no"),
        (fail(lambda: Unusable("It is broken.")), 1, "It is broken"),
        (fail(lambda: Interrupted("It was cut.")), 2, "It was cut"),
        (fail(lambda: Refused("Not now.", status=429)), 7, "Not now"),
        (silent, 1, "does not contain the answer"),
        (refuse(400, -32602), 1, "an error: no"),
        (result({"tools": "none"}), 1, "not a list"),
    ],
)
def test_where_a_page_fails_the_host_gets_those_before_and_the_way_on(
    failure: Behaviour, times: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(stage: Scene) -> None:
        answer = await ask(stage, 1, "tools/list")
        assert answer["result"] == {"tools": [{"name": "a"}, {"name": "b"}], "nextCursor": "2"}
        assert [asked(one).get("cursor") for one in stage.server.received("tools/list")] == [
            *(None, "1"),
            *["2"] * times,
        ]
        stage.server.always("tools/list", in_pages())
        assert listed(await ask(stage, 2, "tools/list", {"cursor": "2"})) == ["c"]

    with caplog.at_level(logging.WARNING):
        play_legacy(play, at_page(2, failure))
    lines = [one.getMessage() for one in caplog.records if "cursor" in one.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith(
        "tools/list 1: the host gets 2 of its pages (2 entries), and the cursor for the rest: "
    )
    assert words in lines[0]


@pytest.mark.parametrize(
    "failure",
    [
        fail(lambda: Interrupted("It was cut.")),
        fail(lambda: NotSent("Nobody is there.")),
        fail(lambda: Refused("Not now.", status=503, retry_after=2.0)),
    ],
)
def test_a_page_that_fails_for_now_is_asked_for_again(failure: Behaviour) -> None:
    async def play(stage: Scene) -> None:
        answer = await ask(stage, 1, "tools/list")
        assert answer["result"] == {"tools": [{"name": name} for name in NAMES]}

    play_legacy(play, at_page(1, failure, times=1))


@pytest.mark.promise("R5")
@pytest.mark.parametrize("host", ["handshake", "modern"])
def test_a_list_whose_session_is_lost_is_read_from_its_beginning(host: str) -> None:
    lost = fail(lambda: SessionLost("The session is gone.", status=404))

    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        stage.server.always("tools/list", at_page(1, lost, times=1))
        if host == "handshake":
            await stage.shake_hands()
        answer = await ask(stage, 1, "tools/list", modern() if host == "modern" else None)
        assert listed(answer) == NAMES
        requests = stage.server.received("tools/list")[:5]
        assert [asked(one).get("cursor") for one in requests] == [None, "1", None, "1", "2"]
        assert stage.methods.count("initialize") == 2

    scene(play, merge=True)


@pytest.mark.promise("R5")
def test_a_stream_that_stays_open_behind_its_page_ends_with_the_session() -> None:
    is_lost = False

    async def linger(server: FakeServerChannel, message: Message) -> None:
        nonlocal is_lost
        if not is_lost and "cursor" in asked(message):
            is_lost = True
            raise SessionLost("The session is gone.", status=404)
        give(server, message)
        if not is_lost:
            await asyncio.get_running_loop().create_future()

    async def play(stage: Scene) -> None:
        assert listed(await ask(stage, 1, "tools/list")) == NAMES

    play_legacy(play, linger)


@pytest.mark.promise("R5", "L5")
def test_a_session_that_is_lost_at_each_second_page_gives_the_first() -> None:
    async def play(stage: Scene) -> None:
        answer = await ask(stage, 1, "tools/list")
        assert answer["result"] == {"tools": [{"name": "a"}, {"name": "b"}], "nextCursor": "1"}
        assert stage.methods.count("initialize") == 2

    play_legacy(play, at_page(1, fail(lambda: SessionLost("It is gone.", status=404))))


@pytest.mark.promise("R5")
def test_a_session_that_another_request_lost_begins_the_list_anew() -> None:
    """A cursor is of its session; what the server makes of it in the next is not the list."""
    may_go_on = asyncio.Event()

    async def wait(server: FakeServerChannel, message: Message) -> None:
        await may_go_on.wait()
        server.answer(message, {"tools": [{"name": "of-another-session"}]})

    async def play(stage: Scene) -> None:
        stage.host.request(1, "tools/list")
        await settle()
        stage.server.script("prompts/get", fail(lambda: SessionLost("It is gone.", status=404)))
        stage.host.request(2, "prompts/get", {"name": "a"})
        await settle()
        assert "result" in stage.host.answer(2)
        may_go_on.set()
        await settle()
        assert listed(stage.host.answer(1)) == NAMES

    play_legacy(play, at_page(1, wait, times=1))


# ------------------------------------------------------------------ bounds


@pytest.mark.promise("L5")
def test_a_list_without_end_ends() -> None:
    async def paged(server: FakeServerChannel, message: Message) -> None:
        number = int(asked(message).get("cursor", "0"))
        server.answer(message, {"tools": [], "nextCursor": str(number + 1)})

    async def play(stage: Scene) -> None:
        answer = await ask(stage, 1, "tools/list")
        assert answer["result"] == {"tools": [], "nextCursor": str(MAX_PAGES)}
        assert len(stage.sent("tools/list")) == MAX_PAGES

    play_legacy(play, paged)


@pytest.mark.promise("R1")
@pytest.mark.parametrize("host", ["handshake", "modern"])
def test_a_page_that_does_not_come_is_not_waited_for_long(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern if host == "modern" else be_legacy)
        stage.server.always("tools/list", at_page(2, forever))
        if host == "handshake":
            await stage.shake_hands()
        began = stage.clock.now()
        stage.host.request(1, "tools/list", modern() if host == "modern" else None)
        await stage.clock.advance(MAX_LIST_SECONDS - 0.5)
        assert not stage.host.answers(1)
        await stage.clock.advance(0.5)
        assert stage.host.answer(1)["result"]["nextCursor"] == "2"
        assert stage.clock.now() - began == MAX_LIST_SECONDS
        told = stage.sent("notifications/cancelled")
        if host == "modern":  # closing the stream says it
            assert not told
        else:
            late = stage.sent("tools/list")[-1]["id"]
            assert [one["params"] for one in told] == [
                {"reason": "It took too long.", "requestId": late}
            ]

    with caplog.at_level(logging.WARNING):
        scene(play, merge=True)
    assert "they took more than 20 s." in caplog.text


# ------------------------------------------------------------------ the host, meanwhile


@pytest.mark.promise("R3")
@pytest.mark.parametrize("server", ["handshake", "modern"])
def test_a_cancellation_reaches_the_page_that_is_under_way(server: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern if server == "modern" else be_legacy)
        ended = asyncio.Event()

        async def hold(_: FakeServerChannel, __: Message) -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.set()

        stage.server.always("tools/list", at_page(1, hold))
        await stage.shake_hands()
        stage.host.request(1, "tools/list")
        await settle()
        assert not ended.is_set()
        stage.host.notify("notifications/cancelled", {"requestId": 1, "reason": "enough"})
        await settle()
        assert ended.is_set()
        told = stage.sent("notifications/cancelled")
        page = stage.sent("tools/list")[1]["id"]
        wanted = [{"requestId": page, "reason": "enough"}] if server == "handshake" else []
        assert [one["params"] for one in told] == wanted
        await stage.clock.advance(60)
        assert not stage.host.answers(1)
        assert len(stage.sent("tools/list")) == 2

    scene(play, merge=True)


@pytest.mark.promise("E2", "R3")
def test_a_modern_host_s_cancellation_closes_the_stream_of_the_page() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("tools/list", at_page(1, forever))
        stage.host.request(1, "tools/list", modern())
        await settle()
        stage.host.notify("notifications/cancelled", {"requestId": 1, "_meta": ENVELOPE})
        await stage.clock.advance(60)
        assert not stage.host.answers(1)
        assert len(stage.sent("tools/list")) == 2

    scene(play, merge=True)


def test_a_list_that_is_cancelled_before_its_first_page_is_not_read_on() -> None:
    may_go_on = asyncio.Event()

    async def wait(server: FakeServerChannel, message: Message) -> None:
        await may_go_on.wait()
        give(server, message)

    async def play(stage: Scene) -> None:
        stage.host.request(1, "tools/list")
        await settle()
        stage.host.notify("notifications/cancelled", {"requestId": 1})
        await settle()
        assert [one["params"] for one in stage.sent("notifications/cancelled")] == [
            {"requestId": 1}
        ]
        may_go_on.set()
        await stage.clock.advance(60)
        assert len(stage.sent("tools/list")) == 1

    play_legacy(play, at_page(0, wait))


def test_a_change_on_the_way_is_told_at_once_and_the_list_goes_on() -> None:
    async def change(server: FakeServerChannel, message: Message) -> None:
        notify(server, "notifications/tools/list_changed")
        give(server, message)

    async def play(stage: Scene) -> None:
        assert listed(await ask(stage, 1, "tools/list")) == NAMES
        told = [one.get("method") or one.get("id") for one in stage.host.messages]
        assert told[-2:] == ["notifications/tools/list_changed", 1]

    play_legacy(play, at_page(1, change))


async def linger(server: FakeServerChannel, message: Message) -> None:
    give(server, message)
    await asyncio.get_running_loop().create_future()


@pytest.mark.promise("R1")
def test_streams_that_stay_open_behind_their_pages_hold_nothing_up() -> None:
    async def play(stage: Scene) -> None:
        stage.host.request(1, "tools/list")
        await settle()
        assert listed(stage.host.answer(1)) == NAMES

    play_legacy(play, linger)


@pytest.mark.promise("R1")
def test_an_id_may_be_used_again_while_the_stream_of_a_page_stays_open() -> None:
    async def play(stage: Scene) -> None:
        for times in (1, 2):
            stage.host.request(1, "tools/list")
            await settle()
            answers = stage.host.answers(1)
            assert len(answers) == times
            assert listed(answers[-1]) == NAMES
        stage.host.notify("notifications/cancelled", {"requestId": 1})
        await settle()
        assert [one["params"] for one in stage.sent("notifications/cancelled")] == [
            {"requestId": 1}
        ]

    play_legacy(play, linger)


@pytest.mark.promise("R1")
def test_a_stream_that_breaks_behind_its_page_does_not_matter() -> None:
    async def cut(server: FakeServerChannel, message: Message) -> None:
        give(server, message)
        raise Interrupted("It was cut.")

    async def play(stage: Scene) -> None:
        assert listed(await ask(stage, 1, "tools/list")) == NAMES
        assert len(stage.sent("tools/list")) == len(PAGES)

    play_legacy(play, cut)


@pytest.mark.promise("R6")
def test_lists_are_read_beside_each_other_and_beside_calls() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("prompts/list", in_pages())
        for number, method in enumerate(["tools/list", "prompts/list", "tools/list"]):
            stage.host.request(number, method)
        stage.host.request(9, "tools/call", {"name": "a"})
        await settle()
        assert listed(stage.host.answer(0)) == listed(stage.host.answer(2)) == NAMES
        assert listed(stage.host.answer(1), "prompts") == NAMES
        assert "result" in stage.host.answer(9)
        ids = [one.raw_id for one in stage.server.sent if one.kind is Kind.REQUEST]
        assert len(set(ids)) == len(ids)
        assert stage.clock.next_deadline is None

    play_legacy(play, in_pages())


def test_the_end_of_the_host_ends_what_is_under_way() -> None:
    async def play(stage: Scene) -> None:
        stage.host.request(1, "tools/list")
        await settle()
        assert not stage.host.answers(1)  # `Scene.end` sees that no task is left

    play_legacy(play, at_page(1, forever))
