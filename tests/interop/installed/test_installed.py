"""The model that hosts are given, and how what they did to a file is judged: without any host."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from mcp_remote_py.hosts.catalogue import KNOWN_HOSTS
from tests.interop.installed.begin import HERE
from tests.interop.installed.dialects import DIALECTS, dialect_of
from tests.interop.installed.model import DONE, FakeModel
from tests.interop.installed.rows import INSTALLED, fill
from tests.interop.installed.story import STEPS, is_part_of, shorten

Json = dict[str, Any]

TOOL = "mcp__math__add"
# The path, what a host offers, the same after the tool has given something, and what is in the
# answer that calls it.
TALKS: tuple[tuple[str, Json, Json, str], ...] = (
    (
        "/v1/messages?beta=true",
        {"tools": [{"name": "Bash"}, {"name": TOOL}], "messages": [{"content": "Add"}]},
        {"messages": [{"content": [{"type": "tool_result", "content": [{"text": "42"}]}]}]},
        '"type": "tool_use", "id": "toolu_1", "name": "mcp__math__add"',
    ),
    (
        "/v1/responses",
        {"tools": [{"type": "web_search"}, {"name": "mcp__math", "tools": [{"name": "add"}]}]},
        {"input": [{"type": "function_call_output", "output": "42"}]},
        '"name": "add", "namespace": "mcp__math"',
    ),
    (
        "/v1/chat/completions",
        {"tools": [{"type": "function", "function": {"name": TOOL}}]},
        {"messages": [{"role": "tool", "content": "42"}]},
        '"function": {"name": "mcp__math__add"',
    ),
    (
        "/v1beta/models/gemini:streamGenerateContent?alt=sse",
        {"tools": [{"functionDeclarations": [{"name": TOOL}]}]},
        {"contents": [{"parts": [{"functionResponse": {"response": {"output": "42"}}}]}]},
        '"functionCall": {"name": "mcp__math__add"',
    ),
)


def post(url: str, body: Json) -> str:
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 (loopback)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        text: str = answer.read().decode()
    return text


@pytest.mark.parametrize(
    ("path", "offer", "result", "calling"), TALKS, ids=lambda one: str(one)[:14]
)
def test_model_calls_the_tool_once_and_tells_what_it_gave(
    path: str, offer: Json, result: Json, calling: str
) -> None:
    with FakeModel() as model:
        first = post(model.url + path, offer)
        assert calling in first
        assert "20" in first
        assert [one.given for one in model.asked] == [()]
        second = post(model.url + path, {**offer, **result})
        assert f"{DONE} " in second
        assert calling not in second
        assert "42" in model.given
        assert {name.rpartition("math")[2].strip("_/") for name in model.offered} >= {"add"}
        model.forget()
        assert (model.offered, model.given) == (set(), "")


def test_model_without_tools_says_a_word_and_keeps_what_is_no_question() -> None:
    with FakeModel() as model:
        assert "Hello." in post(f"{model.url}/v1/messages", {"messages": []})
        assert post(f"{model.url}/v1/messages/count_tokens", {}) == "{}"
        assert model.others == ["/v1/messages/count_tokens"]


def test_each_dialect_is_spoken() -> None:
    assert [dialect_of(path) for path, *_ in TALKS] == list(DIALECTS)


@pytest.mark.parametrize(
    ("left", "whole", "is_part"),
    [
        ("a\nc", "a\nb,\nc", True),
        ("a,\nc", "a\nb\nc", True),
        ("c\na", "a\nb\nc", False),
        ("a\nd", "a\nb\nc", False),
    ],
)
def test_what_is_left_of_a_file_is_a_part_of_it(left: str, whole: str, is_part: bool) -> None:
    assert is_part_of(left, whole) is is_part


def test_words_of_a_run_are_those_of_the_next() -> None:
    assert shorten("at http://127.0.0.1:4711/mcp after 0.0053 s") == "at URL after 0 s"
    assert shorten("one two three", 8) == "one two …"


def test_row_of_each_host_is_one_of_the_catalogue_and_has_been_played() -> None:
    known = {host.key: host for host in KNOWN_HOSTS}
    seen = json.loads((HERE / "seen.json").read_text("utf-8"))
    assert set(seen) == set(INSTALLED)
    for key, row in INSTALLED.items():
        assert row.known is known[key]
        assert any("tests/interop/installed" in source for source in row.known.sources), key
        assert [one["step"] for one in seen[key]["steps"]] == list(STEPS)
        assert {one["result"] for one in seen[key]["steps"]} <= {"ok", "-"}, key


def test_host_that_was_started_is_the_only_one_that_says_so() -> None:
    said = [one.key for one in KNOWN_HOSTS if "tests/interop/installed" in " ".join(one.sources)]
    assert sorted(said) == sorted(INSTALLED)


def test_braces_of_other_things_stay() -> None:
    assert fill('{"a": "{model}/v1"}', "http://m", HERE) == '{"a": "http://m/v1"}'
