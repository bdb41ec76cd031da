"""The real command in front of a server behind AWS IAM, in both eras and over both transports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.commands.test_terminal import Terminal
from tests.harness.host import (
    Host,
    Json,
    assert_error,
    environment_for,
    initialize_params,
    wait_until,
)
from tests.harness.warm import COMMAND, run
from tests.peers.signed_server import (
    INVALID_TOKEN,
    KEY_ID,
    OTHER_KEY_ID,
    OTHER_SECRET_KEY,
    SECRET_KEY,
    TOKEN,
    SignedServer,
)
from tests.peers.wild_server import Exchange, be_modern, encode

pytestmark = pytest.mark.promise("AWS1")

OPTIONS = ("--aws-sigv4", "--aws-service", "lambda")
KEYS = {
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REGION": "eu-west-1",
}
TEMPORARY = {
    "AWS_ACCESS_KEY_ID": OTHER_KEY_ID,
    "AWS_SECRET_ACCESS_KEY": OTHER_SECRET_KEY,
    "AWS_SESSION_TOKEN": TOKEN,
    "AWS_DEFAULT_REGION": "eu-west-1",
}
PATIENCE = 20.0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(
    stack: ExitStack,
    home: Path,
    server: SignedServer,
    *options: str,
    environment: Mapping[str, str] = KEYS,
) -> Host:
    command = [str(COMMAND), server.url, *OPTIONS, *options, "--debug"]
    return stack.enter_context(Host(command, environment_for(home, environment)))


def end(host: Host) -> None:
    host.close_stdin()
    assert host.wait_exit(5) == 0
    for secret in (SECRET_KEY, OTHER_SECRET_KEY, TOKEN, "Signature=", "AWS4-HMAC"):
        assert secret not in host.stderr


def call(host: Host, text: str = "hello") -> Json:
    answer = host.request("tools/call", {"name": "echo", "arguments": {"text": text}})
    assert "result" in answer, answer
    result: Json = answer["result"]
    return result


def cut_behind_an_id(exchange: Exchange) -> None:
    """The stream ends before the answer, which comes where it is resumed."""
    exchange.stream()
    exchange.event(b"", event_id="p-0", retry=1)
    exchange.finish()


def test_a_session_with_its_stream_its_resumption_and_its_end(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = stack.enter_context(SignedServer(sessions=True, sse=True))
    asked: list[Exchange] = []

    def begin(exchange: Exchange) -> None:
        asked.append(exchange)
        cut_behind_an_id(exchange)

    def resume(exchange: Exchange) -> None:
        if "last-event-id" not in exchange.headers:
            exchange.reply(405)
            return
        exchange.stream()
        line = encode({"jsonrpc": "2.0", "id": asked[0].id, "result": {"content": []}})
        exchange.event(line, event_id="p-1")
        exchange.finish()

    server.always("tools/call", begin)
    server.always("GET", resume)
    host = start(stack, tmp_path, server)
    host.initialize()
    host.request("tools/list")
    call(host)
    end(host)
    assert len(server.received("DELETE")) == 1
    assert any("last-event-id" in one.headers for one in server.received("GET"))
    assert not server.rejections


def test_http_and_sse_with_temporary_keys_and_a_long_message(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = stack.enter_context(SignedServer(legacy=True, path="/sse"))
    server.keys = {OTHER_KEY_ID: (OTHER_SECRET_KEY, TOKEN)}
    host = start(stack, tmp_path, server, "--transport", "sse-only", environment=TEMPORARY)
    host.initialize()
    assert call(host, "x" * (1 << 20))["method"] == "tools/call"
    end(host)
    assert not server.rejections


def test_a_server_of_the_modern_era(stack: ExitStack, tmp_path: Path) -> None:
    server = stack.enter_context(SignedServer())
    for method in ("initialize", "server/discover", "tools/list", "tools/call", "GET"):
        server.always(method, be_modern)
    host = start(stack, tmp_path, server, "--protocol", "modern")
    host.initialize()
    call(host)
    end(host)
    (got,) = server.received("tools/call")
    assert "mcp-method;mcp-name" in got.headers["authorization"]
    assert not server.rejections


def test_a_refusal_is_told_to_the_host_and_in_the_log(stack: ExitStack, tmp_path: Path) -> None:
    server = stack.enter_context(SignedServer())
    server.rejection = INVALID_TOKEN
    host = start(stack, tmp_path, server)
    request_id = host.begin("initialize", initialize_params())
    text = assert_error(host.answer(request_id, seconds=PATIENCE), request_id)
    assert "The security token included in the request is invalid." in text
    assert KEY_ID in text
    wait_until(lambda: text in host.stderr, "the same words in the log")
    end(host)
    assert len(server.rejections) <= 2, "one request for each transport at most"


def test_what_was_remembered_is_of_one_identity(stack: ExitStack, tmp_path: Path) -> None:
    """Another key may see other tools: what the server said to this one is not told to it."""
    server = stack.enter_context(SignedServer())
    server.keys[OTHER_KEY_ID] = (OTHER_SECRET_KEY, TOKEN)
    host = start(stack, tmp_path, server)
    host.initialize()
    host.request("tools/list")
    end(host)
    server.kill()
    quick = ("--initialize-timeout", "0.5")
    again = start(stack, tmp_path, server, *quick)
    assert again.initialize(seconds=PATIENCE)["serverInfo"]["name"] == "wild"
    end(again)
    other = start(stack, tmp_path, server, *quick, environment=TEMPORARY)
    other.begin("initialize", initialize_params())
    other.wait_logged("it was said to other headers")


def test_at_a_terminal_the_look_is_signed_too(stack: ExitStack, tmp_path: Path) -> None:
    server = stack.enter_context(SignedServer())
    terminal = Terminal(stack, environment_for(tmp_path, KEYS), server.url, *OPTIONS)
    said = "\n".join(terminal.look())
    assert "echo" in said
    assert (
        f'["mcp-remote-py","{server.url}","--aws-sigv4","--aws-service","lambda","--aws-region",'
        '"eu-west-1"],"env":{"AWS_ACCESS_KEY_ID":"****","AWS_SECRET_ACCESS_KEY":"****"}}'
    ) in said
    assert terminal.end() == 0
    assert not server.rejections


def test_service_and_region_are_those_that_are_given(stack: ExitStack, tmp_path: Path) -> None:
    server = stack.enter_context(SignedServer())
    server.service, server.region = "execute-api", "ap-southeast-2"
    given = ("--aws-sigv4", "--aws-service", "execute-api", "--aws-region", "ap-southeast-2")
    command = [str(COMMAND), server.url, *given]
    host = stack.enter_context(Host(command, environment_for(tmp_path, KEYS)))
    host.initialize()
    end(host)
    assert not server.rejections


def test_keys_of_a_profile_and_those_that_are_written_there_later(
    stack: ExitStack, tmp_path: Path
) -> None:
    """Through botocore, in a process of its own; the region is the profile's."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[profile dev]\nregion = eu-west-1\n")
    write_keys(folder, KEY_ID, SECRET_KEY)
    server = stack.enter_context(SignedServer())
    command = [str(COMMAND), server.url, *OPTIONS, "--aws-profile", "dev", "--debug"]
    others = {"AWS_ACCESS_KEY_ID": "AKIDUNUSED", "AWS_SECRET_ACCESS_KEY": "unused-canary"}
    host = stack.enter_context(Host(command, environment_for(tmp_path, others)))
    host.initialize(seconds=PATIENCE)
    server.keys = {OTHER_KEY_ID: (OTHER_SECRET_KEY, "")}
    write_keys(folder, OTHER_KEY_ID, OTHER_SECRET_KEY)
    call(host)
    end(host)
    assert len(server.rejections) <= 2, "of the old keys, by what was under way"


def write_keys(folder: Path, key_id: str, secret_key: str) -> None:
    text = f"[dev]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret_key}\n"
    (folder / "new").write_text(text)
    (folder / "new").replace(folder / "credentials")


@pytest.mark.parametrize("command", ["login", "logout", "status"])
def test_there_is_nothing_to_sign_in_to(tmp_path: Path, command: str) -> None:
    entry = ["https://abc.example/mcp", "--aws-sigv4", "--aws-profile", "dev", "--header", "X-A: b"]
    done = run([str(COMMAND), command, *entry], environment_for(tmp_path), PATIENCE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "With --aws-sigv4 there is nothing to sign in to here, nor to sign out of: requests are "
        "signed with AWS keys, which AWS's own tools renew, such as `aws sso login --profile dev`."
        "\n"
    )
