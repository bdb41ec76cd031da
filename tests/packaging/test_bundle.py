"""The bundle for Claude Desktop: its own tool takes it, and it runs as that host would run it.

What is played of the host is what the specification says of `mcp_config`: what a person entered
takes the places of `${user_config...}`, and the folder that of `${__dirname}`. uv is the real one;
it is told to use this environment instead of fetching one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from mcp_remote_py import __version__
from scripts.bundle import MCPB, make_bundle
from scripts.bundle_main import FIELDS, read_fields
from tests.real.configuration import desktop_environment, write
from tests.real.installation import find_node, install_node_packages
from tests.real.stdio_host import StdioHost, started

ROOT = Path(__file__).parent.parent.parent
TOKEN = "bundle-canary-4Vx2"
PATIENCE = 60.0

# The first test of the file may have to install the tool.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, made and unpacked by its own tool."""
    install_node_packages()
    folder = tmp_path_factory.mktemp("bundle")
    made = make_bundle(folder)
    assert made.name == f"mcp_remote_py-{__version__}.mcpb"
    target = folder / "installed"
    command = [find_node(), str(MCPB), "unpack", str(made), str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    return target


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of the SDK that wants the token: its URL."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "demo_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{TOKEN}\n")
        process.stdin.flush()
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()


def read_manifest(unpacked: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((unpacked / "manifest.json").read_text()))


def entry_of(unpacked: Path, entered: Mapping[str, str]) -> dict[str, Any]:
    """The entry that a host makes of the manifest; an empty field has its default."""
    manifest = read_manifest(unpacked)
    fields = manifest["user_config"]
    missing = [name for name, one in fields.items() if one["required"] and name not in entered]
    assert not missing
    given = {name: as_text(one.get("default", "")) for name, one in fields.items()} | dict(entered)
    values = {f"user_config.{name}": text for name, text in given.items()}
    values["__dirname"] = str(unpacked)

    def put_in(text: str) -> str:
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    config = manifest["server"]["mcp_config"]
    assert config.keys() == {"command", "args", "env"}
    return {
        "command": config["command"],
        "args": [put_in(one) for one in config["args"]],
        "env": {name: put_in(one) for name, one in config["env"].items()},
    }


def as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def installed(unpacked: Path, folder: Path, **entered: str) -> Generator[StdioHost]:
    """The bundle as it runs after a person has filled in the form."""
    made = entry_of(unpacked, entered)
    home = folder / "home"
    # In the place of the network, from which uv would get what the wheel needs.
    here = {"UV_NO_SYNC": "1", "UV_OFFLINE": "1", "UV_PROJECT_ENVIRONMENT": sys.prefix}
    state = {"MCP_REMOTE_CONFIG_DIR": str(folder / "state")}
    made["env"] |= here | state | desktop_environment(home)
    with started(write(folder, {"remote": made}), "remote", home) as host:
        yield host


def command_lines() -> Iterator[str]:
    """What anybody on this machine can read of its processes."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield file.read_text(errors="replace")


def test_bundle_has_what_uv_needs_and_nothing_else(unpacked: Path) -> None:
    names = {path.name for path in unpacked.iterdir()}
    wheel = f"mcp_remote_py-{__version__}-py3-none-any.whl"
    assert names == {"LICENSE", "main.py", "manifest.json", "pyproject.toml", wheel}
    assert f'mcp-remote-py = {{ path = "{wheel}" }}' in (unpacked / "pyproject.toml").read_text()


def test_form_asks_for_the_address_only_and_hides_the_token(unpacked: Path) -> None:
    fields = read_manifest(unpacked)["user_config"]
    assert [name for name, one in fields.items() if one["required"]] == ["url"]
    assert [name for name, one in fields.items() if one.get("sensitive")] == ["token"]
    words = " ".join(read_manifest(unpacked)["server"]["mcp_config"]["args"])
    assert "user_config" not in words, "what a person entered is in no list of processes"


def test_bundle_relays_with_a_token(unpacked: Path, server: str, tmp_path: Path) -> None:
    with installed(unpacked, tmp_path, url=server, token=TOKEN, options="--merge-pages") as host:
        assert host.initialize()["result"]["serverInfo"]["name"] == "demo"
        tools = host.request("tools/list")["result"]["tools"]
        assert [one["name"] for one in tools] == ["add", "whoami", "count"]
        running = list(command_lines())
        assert any("main.py" in line for line in running)
        assert not any(TOKEN in line for line in running)
        assert host.close() == 0


def test_bundle_without_a_token_asks_for_a_sign_in(
    unpacked: Path, server: str, tmp_path: Path
) -> None:
    """An empty field is not a header: none is told of, and the server's refusal leads on."""
    with installed(unpacked, tmp_path, url=server) as host:
        error = host.initialize()["error"]["message"]
        assert error.startswith("The server wants a credential and does not name a sign-in")
        assert host.close() == 0


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        ({"url": "https://a/mcp"}, ["https://a/mcp"]),
        ({"url": " https://a/mcp\n", "token": " "}, ["https://a/mcp"]),
        (
            {"url": "https://a/mcp", "token": "abc"},
            ["https://a/mcp", "--header", "Authorization: Bearer ${MCP_REMOTE_FIELD_TOKEN}"],
        ),
        (
            {"url": "https://a/mcp", "token": "Basic abc"},
            ["https://a/mcp", "--header", "Authorization: ${MCP_REMOTE_FIELD_TOKEN}"],
        ),
        ({"url": "https://a/mcp", "read_only": "false"}, ["https://a/mcp"]),
        ({"url": "https://a/mcp", "read_only": "true"}, ["https://a/mcp", "--read-only"]),
        (
            {"url": "u", "options": r'--ca-cert "C:\My Files\ca.pem" --profile work'},
            ["u", "--ca-cert", r"C:\My Files\ca.pem", "--profile", "work"],
        ),
        ({"url": "u", "options": "--header 'X-Mark: #1'"}, ["u", "--header", "X-Mark: #1"]),
        (
            {
                "url": "u",
                "token": "${user_config.token}",
                "read_only": "${user_config.read_only}",
                "options": "${user_config.options}",
            },
            ["u"],
        ),
    ],
)
def test_what_was_entered_is_a_command_line(entered: dict[str, str], words: list[str]) -> None:
    variables = {one.variable: entered[one.name] for one in FIELDS if one.name in entered}
    assert read_fields(variables) == words


def test_no_field_means_no_words() -> None:
    assert read_fields(dict(os.environ)) == []
