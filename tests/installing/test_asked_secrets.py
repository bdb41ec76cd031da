"""`install --secrets ask`: the host asks for the secret, and no file of ours or its own has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.hosts.catalogue import HOSTS_BY_KEY
from tests.installing.desk import HEADER, TOKEN, URL, Desk

FILE = ".config/Code/User/mcp.json"
BEFORE = '{\n\t// mine\n\t"servers": {},\n\t"inputs": [\n\t\t{"id": "k"} // mine\n\t],\n}\n'
ASK = ("--client", "vscode", "--secrets", "ask")
ID = "mcp-remote-py-math--authorization"
INPUT = {
    "type": "promptString",
    "id": ID,
    "description": "math: header Authorization, what stands behind Bearer",
    "password": True,
}
ENTRY_ENV = {"MCP_REMOTE_MATH_AUTHORIZATION": f"Bearer ${{input:{ID}}}"}


def read(desk: Desk, path: str = FILE) -> Any:
    text = (desk.home / path).read_text().replace("// mine", "")
    return json.loads(text.replace("],\n}", "]\n}"))


def texts_in(home: Path) -> str:
    return "\n".join(path.read_text() for path in home.rglob("*") if path.is_file())


def test_host_is_told_to_ask_and_the_secret_is_nowhere(desk: Desk) -> None:
    file = desk.put(FILE, BEFORE)
    done = desk.run("install", "math", URL, *HEADER, *ASK)
    assert done.status == 0, done.text
    found = read(desk)
    assert found["servers"]["math"]["env"] == ENTRY_ENV
    assert found["inputs"] == [{"id": "k"}, INPUT]
    assert (
        "Note: No secret is written. When VS Code starts this entry first, it asks for"
        ' "math: header Authorization, what stands behind Bearer", and keeps that encrypted.'
        in done.said
    )
    assert f'+      "id": "{ID}",' in done.said
    assert "The value of " not in done.said
    assert TOKEN not in done.text + texts_in(desk.home)

    written = file.read_bytes()
    again = desk.run("install", "math", URL, *HEADER, *ASK)
    assert "The entry math is there already, as it should be. Nothing is changed." in again.said
    assert file.read_bytes() == written

    assert desk.run("uninstall", "math", "-y").status == 0
    assert file.read_text() == BEFORE


def test_variable_that_a_person_names_keeps_its_name(desk: Desk) -> None:
    desk.put(FILE, "{}")
    desk.extra = {"AUTH": TOKEN}
    words = ("--header", "Authorization:${AUTH}", "--header", "X-Team: ${AUTH}", "--read-only")
    assert desk.run("install", "math", URL, *words, *ASK).status == 0
    found = read(desk)
    assert found["servers"]["math"]["env"] == {
        "AUTH": "${input:mcp-remote-py-math--auth}",
    }
    assert [one["description"] for one in found["inputs"]] == ["math: header Authorization"]
    assert TOKEN not in texts_in(desk.home)


def test_keys_of_the_environment_are_asked_for_as_well(desk: Desk) -> None:
    desk.put(FILE, "{}")
    ca = "/etc/ssl/certs/ca-certificates.crt"
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE7Q2", "AWS_SECRET_ACCESS_KEY": "w8x7y6z5v4u3"}
    desk.extra = {"SSL_CERT_FILE": ca, **keys}
    url = "https://abcd1234.lambda-url.eu-west-1.on.aws/mcp"
    done = desk.run("install", "math", url, "--aws-sigv4", *ASK, "--print")
    assert json.loads(done.said)["servers"]["math"]["env"] == {
        "SSL_CERT_FILE": ca,
        "AWS_ACCESS_KEY_ID": "${input:mcp-remote-py-math--aws-access-key-id}",
        "AWS_SECRET_ACCESS_KEY": "${input:mcp-remote-py-math--aws-secret-access-key}",
    }
    assert len(json.loads(done.said)["inputs"]) == 2
    assert done.logged == ""


def test_input_that_goes_with_an_entry_is_shown(desk: Desk) -> None:
    desk.put(FILE, "{}")
    desk.run("install", "math", URL, *HEADER, *ASK)
    lines = desk.run("uninstall", "math", "--dry-run").said.splitlines()
    assert lines[-9:-1] == [
        '   "inputs": [',
        "-    {",
        '-      "type": "promptString",',
        f'-      "id": "{ID}",',
        f'-      "description": "{INPUT["description"]}",',
        '-      "password": true',
        "-    }",
        "   ]",
    ]


def test_input_stays_as_long_as_another_entry_has_it(desk: Desk) -> None:
    desk.put(FILE, "{}")
    desk.run("install", "math", URL, *HEADER, *ASK)
    found = read(desk)
    found["servers"]["copy"] = found["servers"]["math"]
    desk.put(FILE, json.dumps(found))
    assert desk.run("uninstall", "math", "-y").status == 0
    assert read(desk)["inputs"] == [INPUT]
    assert desk.run("uninstall", "copy", "-y").status == 0
    assert read(desk) == {"servers": {}, "inputs": []}


def test_input_goes_where_the_secret_is_put_elsewhere(desk: Desk) -> None:
    desk.put(FILE, BEFORE)
    desk.run("install", "math", URL, *HEADER, *ASK)
    moved = desk.run(
        "install", "math", URL, *HEADER, "--client", "vscode", "--secrets", "file", "-y"
    )
    assert moved.status == 0, moved.text
    assert read(desk)["inputs"] == [{"id": "k"}]


@pytest.mark.parametrize("key", [one for one in HOSTS_BY_KEY if not HOSTS_BY_KEY[one].inputs])
def test_host_that_cannot_ask_is_refused(desk: Desk, key: str) -> None:
    desk.put(FILE, "{}")
    words = ("--client", "vscode", "--client", key, "--secrets", "ask")
    done = desk.run("install", "math", URL, *HEADER, *words)
    assert done.status == 2
    assert (
        f"{HOSTS_BY_KEY[key].title} cannot ask for secrets and keep them itself. Nothing was"
        " changed. --secrets ask is for VS Code, VS Code Insiders, VSCodium. Use --secrets file"
        " here, which puts them into a file that only you can read." in done.logged
    )
    assert (desk.home / FILE).read_text() == "{}"


def test_way_to_have_it_asked_is_named_where_a_secret_is_in_the_clear(desk: Desk) -> None:
    desk.put(FILE, "{}")
    said = desk.run("install", "math", URL, *HEADER, "--client", "vscode", "--dry-run").said
    assert "With --secrets ask, VS Code asks you and keeps them encrypted." in said
    desk.put(".cursor/mcp.json", "{}")
    assert (
        "--secrets ask" not in desk.run("install", "math", URL, *HEADER, "--client", "cursor").said
    )


def test_check_by_name_says_that_only_the_host_knows_the_secret(desk: Desk) -> None:
    desk.put(FILE, "{}")
    done = desk.run("install", "math", URL, *HEADER, *ASK)
    assert done.said.splitlines()[-1] == (
        "The entry math is written, but it does not work yet, as said above. To check it again:"
        f" mcp-remote-py check {URL} --header 'Authorization: ****' (**** stands for a part that"
        " may be secret: write it out there.)"
    )
    checked = desk.run("check", "math")
    assert checked.status == 2
    assert checked.logged == (
        "mcp-remote-py: error: The entry math is fine, but its secret is known only to VS Code, so "
        "it cannot be checked by name. Start it in VS Code. To check its server from here, give "
        f"the address and the secret: mcp-remote-py check {URL} "
        '--header "Authorization: Bearer TOKEN"\n'
    )
