"""The name of an entry where an address belongs: what it stands for is said."""

from __future__ import annotations

import json

import pytest

from tests.installing.desk import URL, Desk


def put_entry(desk: Desk) -> None:
    entry = {"command": "uvx", "args": ["mcp-remote-py", f"{URL}?key=named-canary-91"]}
    desk.put(".cursor/mcp.json", json.dumps({"mcpServers": {"work": entry}}))


@pytest.mark.parametrize("command", ["login", "logout", "status"])
def test_address_of_the_entry_is_said(desk: Desk, command: str) -> None:
    put_entry(desk)
    done = desk.run(command, "work")
    assert done.status == 2
    assert (
        f"{command} takes the address of a server, not a name. The entry work is for"
        f" {URL}?key=****: mcp-remote-py {command} {URL}?key=****" in done.logged
    )
    assert "canary" not in done.text
    other = desk.run(command, "works")
    assert "For an entry of a host by its name there is: mcp-remote-py check NAME" in other.logged


def test_name_alone_is_not_an_address(desk: Desk) -> None:
    put_entry(desk)
    done = desk.run("work", answers="")
    assert done.status == 2
    assert (
        "work is not an address: an address begins with https://. To check the entry work:"
        " mcp-remote-py check work" in done.logged
    )
    other = desk.run("hunter22", answers="")
    assert (
        "That is not an address: an address begins with https://. To check an entry of a host by"
        " its name: mcp-remote-py check NAME" in other.logged
    )
    assert "hunter22" not in other.text


def test_check_takes_one_name(desk: Desk) -> None:
    done = desk.run("check", "work", "work2")
    assert (done.status, "check takes one server at a time. Give one " in done.logged) == (2, True)
