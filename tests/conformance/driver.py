"""The client that the conformance suite starts: a host that reaches its server by the command.

    python -m tests.conformance.driver URL

The suite names the scenario in its variables; `test_suite` names the host's era and a folder, where
what is left of each scenario has a folder of its own, with its `outcome.json`. Exit status 0 when
every step worked and every answer was the server's, which is stricter than the suite, which sees
its own side only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import urlopen
from zlib import crc32

from tests.harness.browser import FakeBrowser, fake_browser
from tests.harness.host import Host, environment_for
from tests.matrix.cells import MODERN
from tests.matrix.clients import Client, Failed, HandshakeClient, ModernClient, text_of

Json = dict[str, Any]

COMMAND = Path(sys.executable).parent / "mcp-remote-py"
LEGACY = "2025-11-25"

ERA, FOLDER = "CONFORMANCE_ERA", "CONFORMANCE_FOLDER"
"""Variables: what the host speaks (legacy, modern or auto), and where all files go."""

AT_ONCE = 2
"""Scenarios that are played side by side."""

PATIENCE = 40.0
"""Seconds one answer may take, sign-in included: the suite starts all scenarios at once, and the
first is played while forty interpreters load."""

CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json"
"""The only document URL the suite takes."""

EXAMPLES: dict[str, object] = {
    "boolean": True,
    "integer": 1,
    "number": 1,
    "string": "x",
    "array": [],
    "object": {},
}


class Unexpected(Exception):
    """An answer is not what the scenario's server says."""


# The host ------------------------------------------------------------------------------------


def say(method: str, params: Json) -> Json:
    """What the person and the model behind the host answer."""
    if method == "roots/list":
        return {"roots": []}
    if method == "sampling/createMessage":
        return {"role": "assistant", "content": {"type": "text", "text": "ok"}, "model": "model"}
    properties = params.get("requestedSchema", {}).get("properties", {})
    return {"action": "accept", "content": {name: _fill(one) for name, one in properties.items()}}


def _fill(schema: Json) -> object:
    if "default" in schema:
        return schema["default"]
    return schema["enum"][0] if schema.get("enum") else EXAMPLES.get(schema.get("type", ""), "x")


class ScenarioHandshakeClient(HandshakeClient):
    """A host of 2025-11-25 that answers as `say` does."""

    def answer_for(self, method: str, params: Json) -> Json:
        return say(method, params)


class ScenarioModernClient(ModernClient):
    """A host of 2026-07-28 that answers as `say` does, and may do something between two rounds."""

    between_rounds: Callable[[], None] | None = None
    _tried_again = False

    def request(self, method: str, params: Json | None = None) -> Json:
        try:
            return super().request(method, params)
        except Failed as error:
            # The specification wants a client to try again with a revision that is named.
            data: Json = error.data or {}
            named = error.code == -32022 and MODERN in data.get("supported", ())
            if not named or self._tried_again:
                raise
            self._tried_again = True
            return super().request(method, params)

    def answer_for(self, method: str, params: Json) -> Json:
        act, self.between_rounds = self.between_rounds, None
        if act is not None:
            act()
        return say(method, params)


def connect(host: Host, era: str) -> Client:
    """A client of that era; `auto` looks for the modern one and falls back."""
    if era == "legacy":
        return ScenarioHandshakeClient(host, LEGACY)
    try:
        return ScenarioModernClient(host)
    except Failed:
        if era == "modern":
            raise
        return ScenarioHandshakeClient(host, LEGACY)


def list_tools(client: Client, *expected: str) -> list[Json]:
    """Every page; the scenario's tools must be there."""
    tools: list[Json] = []
    cursor: Json = {}
    while True:
        page = client.request("tools/list", cursor)
        tools += page["tools"]
        if not page.get("nextCursor"):
            break
        cursor = {"cursor": page["nextCursor"]}
    missing = set(expected) - {tool["name"] for tool in tools}
    if missing:
        raise Unexpected(f"tools are missing: {sorted(missing)}")
    return tools


def call(client: Client, name: str, arguments: Json | None = None, expected: str = "") -> None:
    """A call whose result holds the text."""
    result = client.call(name, arguments)
    said = text_of(result)
    if result.get("isError") or expected not in said:
        raise Unexpected(f"{name} answered {said[:200]!r}")


# Scenarios -----------------------------------------------------------------------------------


def play_initialize(client: Client, context: Json) -> None:
    try:
        list_tools(client)
    except Failed as error:
        if error.code != -32601:  # these servers announce no tools
            raise


def play_tools_call(client: Client, context: Json) -> None:
    list_tools(client, "add_numbers")
    call(client, "add_numbers", {"a": 5, "b": 3}, "8")


def play_elicitation(client: Client, context: Json) -> None:
    list_tools(client, "test_client_elicitation_defaults")
    call(client, "test_client_elicitation_defaults")


def play_sse_retry(client: Client, context: Json) -> None:
    list_tools(client, "test_reconnection")
    call(client, "test_reconnection", {}, "Reconnection test completed")


def play_standard_headers(client: Client, context: Json) -> None:
    for tool in list_tools(client, "test_headers", "my-hyphenated-tool"):
        call(client, tool["name"])
    for resource in client.request("resources/list", {}).get("resources", []):
        client.request("resources/read", {"uri": resource["uri"]})
    for prompt in client.request("prompts/list", {}).get("prompts", []):
        client.request("prompts/get", {"name": prompt["name"]})


def play_custom_headers(client: Client, context: Json) -> None:
    calls: list[Json] = context["toolCalls"]
    list_tools(client, *(one["name"] for one in calls))
    for one in calls:
        client.call(one["name"], one.get("arguments") or {})


def play_invalid_headers(client: Client, context: Json) -> None:
    for tool in list_tools(client, "valid_tool"):
        schema = tool.get("inputSchema", {})
        properties = schema.get("properties", {})
        names = schema.get("required", [])
        call(client, tool["name"], {name: _fill(properties.get(name, {})) for name in names})


def play_reference(client: Client, context: Json) -> None:
    list_tools(client, "lookup_user")


def play_preservation(client: Client, context: Json) -> None:
    tools = list_tools(client, "json_schema_2020_12_tool", "json_schema_echo")
    focal = next(tool for tool in tools if tool["name"] == "json_schema_2020_12_tool")
    client.call("json_schema_echo", {"schema": focal["inputSchema"]})


def play_rounds(client: Client, context: Json) -> None:
    list_tools(client, "test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated")

    def unrelated() -> None:
        call(client, "test_mrtr_unrelated", {}, "unrelated-ok")

    if isinstance(client, ScenarioModernClient):
        client.between_rounds = unrelated
    call(client, "test_mrtr_echo_state", {}, "echo-state-ok")
    if not isinstance(client, ScenarioModernClient):
        unrelated()  # a host of the older era cannot act between two rounds
    call(client, "test_mrtr_no_state", {}, "no-state-ok")
    call(client, "test_mrtr_no_result_type", {}, "no-result-type-test-ok")


def play_skills(client: Client, context: Json) -> None:
    """To verify is the host's part, played here; the command has to pass unknown methods on."""
    skill = client.request("skills/list", {})["skills"][0]
    if os.environ["MCP_CONFORMANCE_SCENARIO"].endswith("no-prefetch"):
        return
    text = client.request("resources/read", {"uri": skill["uri"]})["contents"][0]["text"]
    entry = next(one for one in skill["resources"] if one["uri"] == skill["uri"])
    lines: list[str] = text.split("---")[1].splitlines() if text.startswith("---") else []
    head = {line.partition(": ")[0]: line.partition(": ")[2] for line in lines if ": " in line}
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    seen = digest, len(text.encode()), head
    if seen == (entry["digest"], entry["size"], skill["frontmatter"]):
        raise Unexpected("the skill is whole, though the suite serves one that was tampered with")


def play_sign_in(client: Client, context: Json) -> None:
    list_tools(client, "test-tool")
    call(client, "test-tool", {}, "test")


Play = Callable[[Client, Json], None]

PLAYS: dict[str, Play] = {
    "initialize": play_initialize,
    "tools_call": play_tools_call,
    "elicitation-sep1034-client-defaults": play_elicitation,
    "sse-retry": play_sse_retry,
    "request-metadata": play_initialize,
    "http-standard-headers": play_standard_headers,
    "http-custom-headers": play_custom_headers,
    "http-invalid-tool-headers": play_invalid_headers,
    "json-schema-ref-no-deref": play_reference,
    "json-schema-2020-12-preservation": play_preservation,
    "sep-2322-client-request-state": play_rounds,
}


def find_play(scenario: str) -> Play:
    if scenario.startswith("auth/"):
        return play_sign_in
    return play_skills if scenario.startswith("sep-2640-") else PLAYS[scenario]


# The command ---------------------------------------------------------------------------------


def issuer_of(url: str) -> str:
    """Where this server's clients were registered: a person knows, the suite does not say it."""
    parts = urlsplit(url)
    well_known = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource"
    with urlopen(well_known + parts.path, timeout=PATIENCE) as answer:  # noqa: S310 - loopback
        return str(json.load(answer)["authorization_servers"][0])


def options_for(scenario: str, url: str, context: Json, folder: Path) -> list[str]:
    """What the person who configures the command has to supply for this server."""

    def keep(name: str, member: str) -> str:
        path = folder / name
        path.touch(0o600)
        path.write_text(str(context.get(member, "")), encoding="utf-8")
        return str(path)

    client = {name: context[name] for name in ("client_id", "client_secret") if name in context}
    if client and scenario != "auth/wif-jwt-bearer":
        client["issuer"] = issuer_of(url)
    as_client = ["--static-oauth-client-info", json.dumps(client)]
    options: Mapping[str, Callable[[], list[str]]] = {
        "auth/pre-registration": lambda: as_client,
        "auth/basic-cimd": lambda: ["--client-metadata-url", CLIENT_DOCUMENT],
        "auth/client-credentials-basic": lambda: ["--client-credentials", *as_client],
        "auth/client-credentials-jwt": lambda: [
            *("--client-credentials", *as_client),
            *("--private-key", keep("key.pem", "private_key_pem")),
            *("--signing-alg", context.get("signing_algorithm", "ES256")),
        ],
        "auth/wif-jwt-bearer": lambda: ["--jwt-bearer", keep("jwt", "valid_jwt"), *as_client],
        "auth/enterprise-managed-authorization": lambda: [
            *as_client,
            *("--idp-token-endpoint", context["idp_token_endpoint"]),
            *("--idp-client-id", context["idp_client_id"]),
            *("--idp-id-token", keep("id_token", "idp_id_token")),
        ],
    }
    return options[scenario]() if scenario in options else []


def play(url: str, environment: Mapping[str, str], folder: Path, browser: FakeBrowser) -> Json:
    """One session; what came of it."""
    scenario = environment["MCP_CONFORMANCE_SCENARIO"]
    context = cast("Json", json.loads(environment.get("MCP_CONFORMANCE_CONTEXT") or "{}"))
    command = [str(COMMAND), url, "--token-store", "file", "--auth-timeout", "10"]
    command += options_for(scenario, url, context, folder)
    variables = environment_for(folder, {"BROWSER": str(browser.command)})
    with ExitStack() as stack:
        host = Host(command, variables, patience=PATIENCE)
        stack.callback(lambda: (folder / "stderr").write_text(host.stderr))
        stack.enter_context(host)
        try:
            find_play(scenario)(connect(host, environment[ERA]), context)
        except (Failed, Unexpected, AssertionError, KeyError) as error:
            return {"outcome": type(error).__name__, "error": str(error)[:500]}
    return {"outcome": "ok"}


def wait_for_turn(folder: Path, scenario: str) -> None:
    """The suite starts all scenarios at once; this process goes on when others are through.

    The lock ends with the process.
    """
    turn = os.open(folder / f"turn-{crc32(scenario.encode()) % AT_ONCE}", os.O_CREAT | os.O_RDWR)
    fcntl.flock(turn, fcntl.LOCK_EX)


def main() -> int:
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    wait_for_turn(Path(os.environ[FOLDER]), scenario)
    folder = Path(os.environ[FOLDER]) / scenario
    folder.mkdir(parents=True)
    with fake_browser(folder / "browser") as browser:
        outcome = play(sys.argv[1], os.environ, folder, browser)
        outcome["tabs"] = len(browser.opened)
    (folder / "outcome.json").write_text(json.dumps(outcome))
    return 0 if outcome["outcome"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
