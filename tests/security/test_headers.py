"""A header that the person meant to give: an error where it is missing, never another way in.

The server asks everybody for a sign-in; what must not happen is seen at it and at the browser.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mcp_remote_py.named_files import MAX_FILE_BYTES
from tests.canaries import HEADERS
from tests.harness.host import assert_error, initialize_params
from tests.harness.stage import PATIENCE, Stage
from tests.peers.wild_server import Exchange, WildServer, answer_status

TOKEN = "canary-header-5f0e7d"
HEADERS.register([TOKEN])

Play = Callable[..., Stage]


def run(
    stage: Stage, *arguments: str, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Exit status and stderr of the command, which ends by itself."""
    done = stage.run(*arguments, environment=environment)
    assert done.stdout == ""
    return done.returncode, done.stderr


def prints(text: bytes) -> str:
    """A header command that prints this."""
    return f'{sys.executable} -I -c "import sys; sys.stdout.buffer.write({text!r})"'


NOTHING = {
    "empty": b"",
    "a blank line": b"\n",
    "comments": b"# Authorization: Bearer x\r\n\t\r\n# y",
    "a mark": b"\xef\xbb\xbf",
    "half a name": b"Authoriz",
    "no value": b"Authorization:\n",
    "only a scheme": b"Authorization: Bearer \n",
    "a NUL": b"Authorization: Bearer \0\n",
    "UTF-16": "Authorization: Bearer x\n".encode("utf-16-le"),
}


@pytest.mark.promise("S4")
@pytest.mark.parametrize("content", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("command", [(), ("login",)])
def test_what_gives_no_header_is_an_error_at_start(
    play: Play, tmp_path: Path, content: bytes, command: tuple[str, ...]
) -> None:
    stage = play()
    path = tmp_path / "headers"
    path.write_bytes(content)
    for option in (("--header-file", str(path)), ("--header-command", prints(content))):
        status, stderr = run(stage, *command, stage.server.url, *option)
        assert status == 2, stderr
        assert stderr.startswith("mcp-remote-py: error: ")
        assert stderr.count("\n") == 1
        name = option[1].partition(" ")[0]
        assert name in stderr
    assert not stage.browser.opened
    assert not stage.server.requests


@pytest.mark.promise("S4")
@pytest.mark.parametrize("environment", [{}, {"T": ""}, {"T": " "}])
@pytest.mark.parametrize("text", ["X-Key: ${T}", "Authorization: ApiKey ${T}", "Cookie: a=${T}"])
def test_variable_that_gives_nothing_is_an_error_at_start(
    play: Play, text: str, environment: dict[str, str]
) -> None:
    stage = play()
    status, stderr = run(stage, stage.server.url, "--header", text, environment=environment)
    assert status == 2, stderr
    assert not stage.server.requests


@pytest.mark.promise("S4")
def test_command_that_prints_for_ever_is_an_error_at_start(play: Play) -> None:
    stage = play()
    begun = time.monotonic()
    status, stderr = run(stage, stage.server.url, "--header-command", "yes X: y")
    assert status == 2
    assert "prints more than" in stderr
    assert time.monotonic() - begun < 10


@pytest.mark.promise("S4")
def test_file_that_is_written_while_the_command_starts_is_read_whole(
    play: Play, tmp_path: Path
) -> None:
    stage = play()
    path = tmp_path / "headers"
    path.write_text("")
    with WildServer() as server:
        server.always("initialize", require(f"Bearer {TOKEN}"))
        writer = threading.Timer(0.6, path.write_text, (f"Authorization: Bearer {TOKEN}\n",))
        writer.start()
        host = stage.host("--header-file", str(path), url=server.url)
        host.initialize()
        writer.join()
        assert {one.headers.get("authorization") for one in server.requests} == {f"Bearer {TOKEN}"}


def require(value: str) -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        if exchange.headers.get("authorization") == value:
            exchange.good()
        else:
            exchange.reply(401, headers={"WWW-Authenticate": "Bearer"})

    return behave


LATER = ["", "# rotated\n", "X-Other: 1\n", "Authorization:\n", None]


@pytest.mark.promise("S4", "L3")
@pytest.mark.parametrize("later", LATER)
def test_credential_that_is_gone_at_a_reload_keeps_its_value_and_opens_no_browser(
    play: Play, tmp_path: Path, later: str | None
) -> None:
    stage = play()
    path = tmp_path / "headers"
    path.write_text(f"Authorization: Bearer {TOKEN}\nX-Tenant: a\n")
    server = stage.stack.enter_context(WildServer())
    host = stage.host("--header-file", str(path), url=server.url)
    host.initialize()
    server.always("tools/call", answer_status(401))
    path.write_text(later) if later is not None else path.unlink()
    for _ in range(2):
        request_id = host.begin("tools/call", {"name": "echo"})
        text = assert_error(host.answer(request_id, seconds=PATIENCE), request_id)
        assert "your Authorization header" in text
    path.write_text(f"Authorization: Bearer {TOKEN}-2\n")
    server.always("tools/call", require(f"Bearer {TOKEN}-2"))
    request_id = host.begin("tools/call", {"name": "echo"})
    assert "result" in host.answer(request_id, seconds=PATIENCE)
    sent = {one.headers.get("authorization") for one in server.requests}
    assert sent == {f"Bearer {TOKEN}", f"Bearer {TOKEN}-2"}
    assert {one.headers.get("x-tenant") for one in server.requests} == {"a"}
    assert not stage.browser.opened


@pytest.mark.promise("S4")
def test_login_sends_the_headers_of_every_source_to_the_server_alone(
    play: Play, tmp_path: Path
) -> None:
    stage = play()
    path = tmp_path / "headers"
    path.write_text(f"X-File: {TOKEN}-file\n")
    stage.login(
        *("--header", f"X-Given: {TOKEN}-given", "--header-file", str(path)),
        *("--header-command", prints(f"X-Command: {TOKEN}-command\n".encode())),
    )
    carried = [one for one in stage.server.requests if "x-given" in one.headers]
    assert {one.path for one in carried} == {stage.server.requests[0].path}
    for one in carried:
        assert one.headers["x-file"] == f"{TOKEN}-file"
        assert one.headers["x-command"] == f"{TOKEN}-command"


@pytest.mark.promise("S4")
def test_login_with_a_credential_from_a_file_is_an_error(play: Play, tmp_path: Path) -> None:
    stage = play()
    path = tmp_path / "headers"
    path.write_text(f"Authorization: Bearer {TOKEN}\n")
    status, stderr = run(stage, "login", stage.server.url, "--header-file", str(path))
    assert (status, "so a sign-in would never be used" in stderr) == (2, True)
    assert not stage.server.requests


def make_huge(folder: Path) -> str:
    """A file that is larger than one may be."""
    path = folder / "huge"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    return str(path)


@pytest.mark.promise("S4")
def test_other_files_are_bounded(play: Play, tmp_path: Path) -> None:
    stage = play()
    path = make_huge(tmp_path)
    info = ("--static-oauth-client-info", f"@{path}")
    key = ("--private-key", path, "--client-credentials")
    client = ("--static-oauth-client-info", '{"client_id":"a"}')
    for options in (info, (*key, *client), ("--ca-cert", path)):
        status, stderr = run(stage, stage.server.url, *options)
        assert (status, f"{path}: It is larger than" in stderr) == (2, True), stderr


@pytest.mark.promise("S4")
@pytest.mark.parametrize("kind", ["huge", "device"])
def test_file_read_at_each_use_is_bounded(kind: str, play: Play, tmp_path: Path) -> None:
    stage = play()
    path = make_huge(tmp_path) if kind == "huge" else "/dev/zero"
    host = stage.host("--jwt-bearer", path)
    request_id = host.begin("initialize", initialize_params())
    text = assert_error(host.answer(request_id, seconds=PATIENCE), request_id)
    why = "It is larger than" if kind == "huge" else "It is not a regular file."
    assert f"{path}: {why}" in text
