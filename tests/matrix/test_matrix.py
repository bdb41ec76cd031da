"""Client era x server x feature, one test each, by raw hosts on servers of the SDK.

One command per client and server plays all features. Must not know how eras are translated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.harness.host import Host, environment_for
from tests.harness.warm import COMMAND
from tests.matrix.cells import CLIENTS, FEATURES, MODERN, SERVERS, STATELESS, why_empty
from tests.matrix.clients import Client, Failed, connect, text_of
from tests.peers.launch import Peer, sdk_server

Json = dict[str, Any]

CANCELLED = -32800
"""With it some servers answer a request that was cancelled, which is not to be answered."""

ABSENT_SECONDS = 10.0
"""Longest time until a request ends that has nothing to show."""


@pytest.fixture(scope="module")
def peers() -> Iterator[Mapping[str, Peer]]:
    """One server of each kind, for all clients."""
    with ExitStack() as stack:
        yield {kind.name: stack.enter_context(sdk_server(*kind.options)) for kind in SERVERS}


class Pair(NamedTuple):
    """A client of one revision and a server of one kind."""

    client: str
    server: str


PAIRS = [Pair(client, kind.name) for kind in SERVERS for client in CLIENTS]


@pytest.fixture(scope="module", params=PAIRS, ids=" on ".join)
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.param
    return found


@pytest.fixture(scope="module")
def client(
    pair: Pair, peers: Mapping[str, Peer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    home: Path = tmp_path_factory.mktemp("home")
    with Host([str(COMMAND), peers[pair.server].url], environment_for(home)) as host:
        yield connect(host, pair.client)


tokens = itertools.count()


# ------------------------------------------------------------------------- features


def play_tools(client: Client) -> None:
    assert text_of(client.call("echo", {"text": "é\u2028"})) == "é\u2028"
    assert client.server_info["name"] == "sdk-peer"
    assert client.greeting["instructions"] == "Be kind."


def play_structured(client: Client) -> None:
    result = client.call("structured", {"a": 1, "b": 2})
    assert result["structuredContent"] == {"sum": 3}


def play_progress(client: Client) -> None:
    token = f"token-{next(tokens)}"
    assert text_of(client.call("slow", {"steps": 3}, token=token)) == "3 steps"

    def heard() -> list[float]:
        return [
            one["params"]["progress"]
            for one in client.host.notifications
            if one["method"] == "notifications/progress" and one["params"]["progressToken"] == token
        ]

    client.host.wait_until(lambda: heard() == [1, 2, 3], "three steps")


def play_logging(client: Client) -> None:
    assert text_of(client.call_with_log("log", "warning")) == "logged"

    def levels() -> list[str]:
        notes = client.host.notifications
        return [one["params"]["level"] for one in notes if one["method"] == "notifications/message"]

    client.host.wait_until(lambda: {"warning", "error"} <= set(levels()), "two messages")
    if client.version == MODERN:
        assert set(levels()) == {"warning", "error"}


def play_cancellation(client: Client) -> None:
    cancel(client)


def cancel(client: Client, *, reaches_server: bool = True) -> None:
    token = f"wait-{next(tokens)}"
    request_id = client.begin("tools/call", {"name": "wait", "arguments": {"token": token}})
    ask_until(client, token, "started")
    client.host.notify("notifications/cancelled", {"requestId": request_id, "reason": "enough"})
    if reaches_server:
        ask_until(client, token, "cancelled")
    answers = [line.message for line in client.host.answers(request_id)]
    assert not answers or answers[0]["error"]["code"] == CANCELLED


def ask_until(client: Client, token: str, state: str) -> None:
    for _ in range(200):
        if text_of(client.call("was", {"token": token})) == state:
            return
    raise AssertionError(f"{token} is not {state}")


def play_elicitation(client: Client) -> None:
    assert text_of(client.call("elicit")) == "accept {'name': 'Ada'}"
    question = client.asked[-1]
    assert question["method"] == "elicitation/create"
    assert question["params"]["message"] == "Who are you?"
    assert question["params"]["requestedSchema"]["required"] == ["name"]


def play_elicitation_url(client: Client) -> None:
    assert text_of(client.call("elicit_url")).startswith("accept")
    params = client.asked[-1]["params"]
    assert params["url"] == "https://peer.example/open"
    assert ("elicitationId" in params) == (client.version != MODERN)


def play_sampling(client: Client) -> None:
    assert text_of(client.call("sample")) == "parrot: 42"
    assert client.asked[-1]["params"]["maxTokens"] == 10


def play_roots(client: Client) -> None:
    assert text_of(client.call("roots")) == "here=file:///tmp/here"


def play_resources(client: Client) -> None:
    listed = client.request("resources/list", {})
    assert [one["uri"] for one in listed["resources"]] == ["test://one", "test://two"]
    templates = client.request("resources/templates/list", {})
    assert templates["resourceTemplates"][0]["uriTemplate"] == "test://{name}"
    read = client.request("resources/read", {"uri": "test://one"})
    assert read["contents"][0]["text"] == "first\u2028second"
    for result in (listed, templates, read):
        assert ("ttlMs" in result) == ("cacheScope" in result) == (client.version == MODERN)


def play_subscriptions(client: Client) -> None:
    uri = f"test://{next(tokens)}"
    client.subscribe(uri)
    client.call("touch", {"uri": "test://another"})
    client.call("touch", {"uri": uri})
    client.host.wait_until(lambda: uri in updated(client), "an update")
    if client.version == MODERN:
        assert "test://another" not in updated(client)


def updated(client: Client) -> list[str]:
    return [
        one["params"]["uri"]
        for one in client.host.notifications
        if one["method"] == "notifications/resources/updated"
    ]


def play_prompts(client: Client) -> None:
    assert client.request("prompts/list", {})["prompts"][0]["name"] == "greet"
    prompt = client.request("prompts/get", {"name": "greet", "arguments": {"name": "Ada"}})
    assert prompt["messages"][0]["content"]["text"] == "Greet Ada"


def play_completion(client: Client) -> None:
    params = {
        "ref": {"type": "ref/prompt", "name": "greet"},
        "argument": {"name": "name", "value": "A"},
    }
    result = client.request("completion/complete", params)
    assert result["completion"]["values"] == ["Ada", "Alan"]


def play_pagination(client: Client) -> None:
    names: list[str] = []
    cursor: Json = {}
    for _ in range(10):
        page = client.request("tools/list", cursor)
        names += [tool["name"] for tool in page["tools"]]
        if "nextCursor" not in page:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert len(names) == len(set(names)) > 10
    assert {"echo", "elicit_url", "big"} <= set(names)


def play_list_changes(client: Client) -> None:
    client.listen()
    before = len(client.host.notifications)
    # A listening stream of the older era is open some time after the handshake.
    for _ in range(50):
        client.call("change")
        if changes(client, before) == {"tools", "prompts", "resources"}:
            return
    client.host.wait_until(lambda: len(changes(client, before)) == 3, "three changes")


def changes(client: Client, start: int) -> set[str]:
    heard = client.host.notifications[start:]
    return {one["method"].split("/")[1] for one in heard if one["method"].endswith("/list_changed")}


def play_errors(client: Client) -> None:
    assert client.call("fail")["isError"] is True
    with pytest.raises(Failed) as unknown:
        client.call("nothing of that name")
    assert unknown.value.code == -32602
    with pytest.raises(Failed) as missing:
        client.request("resources/read", {"uri": "test://missing"})
    assert missing.value.code == (-32602 if client.version == MODERN else -32002)
    assert missing.value.data == {"uri": "test://missing"}
    with pytest.raises(Failed) as method:
        client.request("no/such/method", {})
    assert method.value.code == -32601


PLAYS: dict[str, Callable[[Client], None]] = {
    "tools": play_tools,
    "structured output": play_structured,
    "progress": play_progress,
    "logging": play_logging,
    "cancellation": play_cancellation,
    "elicitation, form": play_elicitation,
    "elicitation, URL": play_elicitation_url,
    "sampling": play_sampling,
    "roots": play_roots,
    "resources": play_resources,
    "subscriptions": play_subscriptions,
    "prompts": play_prompts,
    "completion": play_completion,
    "pagination": play_pagination,
    "list changes": play_list_changes,
    "errors": play_errors,
}

EMPTY = {
    "elicitation, form": "elicit",
    "elicitation, URL": "elicit_url",
    "sampling": "sample",
    "roots": "roots",
}
"""The tool that asks for what cannot be asked."""


@pytest.mark.promise("E1", "E2", "E3", "R3")
@pytest.mark.parametrize("feature", FEATURES)
def test_every_client_has_every_feature_of_every_server(
    feature: str, client: Client, pair: Pair
) -> None:
    empty = why_empty(*pair, feature)
    if pair.server == STATELESS and feature == "cancellation":
        # The notification reaches another instance; the relay closes the stream after a while.
        cancel(client, reaches_server=False)
    elif not empty:
        PLAYS[feature](client)
    elif feature in EMPTY:
        check_that_it_ends(client, EMPTY[feature])
    else:
        client.call("change")  # nobody is told, and nothing breaks


def check_that_it_ends(client: Client, tool: str) -> None:
    """What cannot be asked ends the call, and nobody has said yes."""
    request_id = client.begin("tools/call", {"name": tool, "arguments": {}})
    answer = client.host.answer(request_id, seconds=ABSENT_SECONDS)
    assert "error" in answer or "accept" not in text_of(answer["result"]), answer
