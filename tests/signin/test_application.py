"""Who asked for a sign-in, in the words of the host's first message, whatever they are."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.signin.application import (
    KNOWN_NAMES,
    MAX_INTRODUCTION,
    name_application,
)


def initialize(info: object) -> Message:
    return request("initialize", {"protocolVersion": "2025-11-25", "clientInfo": info})


def modern(info: object) -> Message:
    prefix = "io.modelcontextprotocol/"
    meta = {f"{prefix}protocolVersion": "2026-07-28", f"{prefix}clientInfo": info}
    return request("tools/list", {"_meta": meta})


def request(method: str, params: object) -> Message:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return parse_message(json.dumps(message).encode())


@pytest.mark.parametrize("make", [initialize, modern])
@pytest.mark.parametrize(
    ("info", "name"),
    [
        ({"name": "claude-ai", "version": "0.1.0"}, "Claude"),
        ({"name": "Visual Studio Code", "version": "1"}, "Visual Studio Code"),
        ({"name": "desk", "title": "Desk for Teams", "version": "1"}, "Desk for Teams"),
        ({"name": "desk", "title": " ", "version": "1"}, "desk"),
        ({"name": "desk", "title": 7, "version": "1"}, "desk"),
        ({"name": ["desk"], "version": "1"}, ""),
        ({}, ""),
        ("desk", ""),
        (None, ""),
        ([], ""),
        ({"name": "desk", "icons": "x" * MAX_INTRODUCTION}, ""),
    ],
)
def test_host_is_called_what_it_calls_itself(
    make: Callable[[object], Message], info: object, name: str
) -> None:
    assert name_application(make(info)) == name


def test_host_that_has_said_nothing_has_no_name() -> None:
    assert name_application(None) == ""
    assert name_application(request("initialize", {})) == ""
    assert name_application(request("initialize", [])) == ""


def test_known_names_are_those_that_differ() -> None:
    assert all(name != said and said.strip() for name, said in KNOWN_NAMES.items())
