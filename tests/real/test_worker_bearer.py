"""A bearer-token Worker on workerd, reached as its users reach it: from a desktop's config file.

What the Worker itself has counted is the evidence that nothing loops.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.real.configuration import BEARER, entry, write
from tests.real.processes import Service, wait_until
from tests.real.servers import Exchange, ledger
from tests.real.stdio_host import StdioHost, started

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)

OBSERVED = 2.0
"""Seconds in which a loop would show: a retry without back-off makes hundreds of requests."""
FEW = 5
"""HTTP requests that two refused messages may cost: each transport once for each message, and once
the other era of the protocol."""


def sentence(answer: dict[str, Any], *phrases: str) -> str:
    """The error's one line, which must hold all phrases and not the token."""
    assert "error" in answer, answer
    text = answer["error"]["message"]
    assert "\n" not in text
    for phrase in phrases:
        assert phrase.lower() in text.lower(), text
    for secret in ("token123", "wrong456"):
        assert secret not in json.dumps(answer)
    return text


def ask_in_vain(host: StdioHost, worker: Service, *phrases: str) -> list[Exchange]:
    """Two messages that cannot be answered, then a while of nothing; what the Worker saw."""
    before = len(ledger(worker))
    sentence(host.initialize(), *phrases)
    sentence(host.request("tools/list"), *phrases)
    wait_until(lambda: len(ledger(worker)) - before > FEW, OBSERVED)
    return ledger(worker)[before:]


@pytest.mark.promise("R3", "R4", "S2")
@pytest.mark.parametrize("path", ["/sse", "/mcp"])
def test_config_entry_with_bearer_token_reaches_the_worker(
    worker: Service, tmp_path: Path, path: str
) -> None:
    config = write(tmp_path, {"workshop": entry(worker.url(path))})
    with started(config, "workshop", tmp_path / "home") as host:
        assert host.initialize()["result"]["serverInfo"]["name"] == "bearer-workshop"
        tools = host.request("tools/list")["result"]["tools"]
        assert {tool["name"] for tool in tools} == {"add", "ask", "whoami"}
        assert host.call("add", a=2, b=40) == "42"
        assert json.loads(host.call("whoami")) == {"authorized": True, "extra": None}
        assert host.close() == 0
    assert "token123" not in (tmp_path / "home" / "stderr").read_text()


@pytest.mark.promise("R4")
@pytest.mark.parametrize("path", ["/sse", "/mcp"])
def test_header_from_the_entrys_environment(worker: Service, tmp_path: Path, path: str) -> None:
    headers = ["--header", "Authorization:${AUTH_HEADER}", "--header", "X-Extra: hello"]
    variables = {"AUTH_HEADER": "Bearer token123"}
    config = write(tmp_path, {"workshop": entry(worker.url(path), headers, variables)})
    with started(config, "workshop", tmp_path / "home") as host:
        assert "result" in host.initialize()
        assert json.loads(host.call("whoami")) == {"authorized": True, "extra": "hello"}


@pytest.mark.promise("R4")
def test_transport_is_found_out_once_and_remembered(worker: Service, tmp_path: Path) -> None:
    config = write(tmp_path, {"workshop": entry(worker.url("/sse"))})
    seen: list[list[Exchange]] = []
    for _ in range(2):
        before = len(ledger(worker))
        with started(config, "workshop", tmp_path / "home") as host:
            assert "result" in host.initialize()
            assert host.call("add", a=1, b=1) == "2"
            assert host.close() == 0
        seen.append(ledger(worker)[before:])
    refused = Exchange("POST", "/sse", 404)
    assert seen[0][:2] == [refused, Exchange("GET", "/sse", 200)]
    assert seen[1][:1] == [Exchange("GET", "/sse", 200)]
    assert refused not in seen[1]


@pytest.mark.promise("R7")
def test_session_is_deleted_when_the_host_ends(worker: Service, tmp_path: Path) -> None:
    config = write(tmp_path, {"workshop": entry(worker.url("/mcp"))})
    before = len(ledger(worker))
    with started(config, "workshop", tmp_path / "home") as host:
        assert "result" in host.initialize()
        assert host.close() == 0
    deleted = [one for one in ledger(worker)[before:] if one.method == "DELETE"]
    assert [one.path for one in deleted] == ["/mcp"]
    assert deleted[0].status < 300


@pytest.mark.promise("D12", "S2", "L5")
@pytest.mark.parametrize("path", ["/sse", "/mcp"])
def test_refused_token_is_the_persons_error_and_no_loop(
    worker: Service, tmp_path: Path, path: str
) -> None:
    header = ["--header", "Authorization: Bearer wrong456"]
    config = write(tmp_path, {"workshop": entry(worker.url(path), header)})
    with started(config, "workshop", tmp_path / "home") as host:
        seen = ask_in_vain(host, worker, "Authorization", "401")
        assert host.close() == 0
    assert {one.path for one in seen} == {path}, "nothing else was looked for, no sign-in tried"
    assert 1 <= len(seen) <= FEW
    assert "wrong456" not in (tmp_path / "home" / "stderr").read_text()


@pytest.mark.promise("R1", "R4", "L5")
def test_path_without_any_transport_is_a_plain_sentence_and_no_loop(
    worker: Service, tmp_path: Path
) -> None:
    config = write(tmp_path, {"workshop": entry(worker.url("/nothing"), BEARER)})
    with started(config, "workshop", tmp_path / "home") as host:
        seen = ask_in_vain(host, worker, "neither", "404", "/mcp", "/sse")
        assert host.close() == 0
    assert {(one.method, one.status) for one in seen} == {("POST", 404), ("GET", 404)}
    assert len(seen) <= FEW


@pytest.mark.promise("R1", "R4")
def test_sse_of_the_article_at_a_server_that_has_only_mcp(
    everything: Service, tmp_path: Path
) -> None:
    config = write(tmp_path, {"everything": entry(everything.url("/sse"), [])})
    with started(config, "everything", tmp_path / "home") as host:
        sentence(host.initialize(), "neither", "404", "/mcp")
        assert host.close() == 0
