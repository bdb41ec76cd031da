"""The first set-up of the article: a function of Lambda as a tool, behind AWS IAM.

The gate plays the function URL, moto plays Lambda and STS, and the command is started by the entry
of a `claude_desktop_config.json`. Must not know any command by name.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

from tests.harness.host import Host
from tests.interop.aws.cases import Bad, Case, leave
from tests.interop.aws.cloud import FUNCTION, ROLE
from tests.interop.aws.document import ENTRIES
from tests.interop.aws.gate import KEY, REGION, SECRET
from tests.interop.aws.installation import AWS
from tests.interop.aws.relays import Signing
from tests.interop.aws.running import GOOD_KEYS, NEXT_KEY, running_gate
from tests.interop.aws.stage import SURROUNDINGS, Desk, call, names_in
from tests.real.configuration import desktop_environment, write
from tests.real.processes import kill_group

EVENT = {"a": 2, "b": 40}


@contextlib.contextmanager
def entry(desk: Desk, signing: Signing, env: Mapping[str, str]) -> Generator[Host]:
    """The entry of a config file, as a desktop starts it."""
    command, *words = desk.relay.words(signing)
    env = {**SURROUNDINGS, **env}
    desk.home.mkdir(exist_ok=True)
    config = write(desk.home, {"add": {"command": command, "args": words, "env": env}})
    written = json.loads(config.read_text())["mcpServers"]["add"]
    host = Host(
        [written["command"], *written["args"]],
        desktop_environment(desk.home) | written["env"],
        patience=25,
    )
    try:
        desk.greet(host)
        yield host
    finally:
        host.end()


def add(host: Host) -> None:
    """The tool runs the function, which moto has give back its event."""
    said = call(host, "invoke", name=FUNCTION, event=EVENT)
    if said != json.dumps(EVENT):
        raise Bad(said)


def check(desk: Desk, key: str, *, refused: int = 0) -> str:
    """All requests were signed right, the DELETE too, the last ones with this key."""
    seen = desk.gate.seen()
    right = [one for one in seen if one["verdict"] == "right"]
    if len(seen) - len(right) > refused or seen[-1]["http"] != "DELETE" or seen[-1]["key"] != key:
        raise Bad(f"{len(right)} of {len(seen)} right; {seen[-1]}")
    return f"{len(right)} of {len(seen)} signed right, DELETE with {key[:4]}…"


def keys_in_env(desk: Desk) -> str:
    """Keys in "env"; the function runs; the session is deleted."""
    with entry(desk, desk.signing(), GOOD_KEYS) as host:
        if "invoke" not in all_names(host):
            raise Bad("the tool is not listed")
        add(host)
        leave(host)
    return check(desk, KEY)


def all_names(host: Host) -> list[str]:
    """Of all pages."""
    names: list[str] = []
    params: dict[str, Any] = {}
    while True:
        answer = host.request("tools/list", params)
        names += names_in(answer)
        if answer["result"].get("nextCursor") is None:
            return names
        params = {"cursor": answer["result"]["nextCursor"]}


def profile_that_rotates(desk: Desk) -> str:
    """A profile with `credential_process`, whose keys become others while the command runs."""
    log = desk.home / "process.log"
    desk.home.mkdir(exist_ok=True)
    command = desk.write_process(GOOD_KEYS, log)
    variables = desk.write_profile("tools", credential_process=command)
    with entry(desk, desk.signing(profile="tools"), variables) as host:
        add(host)
        desk.write_process(desk.gate.rotate(), log)
        add(host)
        leave(host)
    if "read" in log.read_text():
        raise Bad("the process read what the host said")
    return check(desk, NEXT_KEY, refused=1)


def assumed_role(desk: Desk) -> str:
    """A profile that assumes a role with another one's keys: STS is asked."""
    desk.write_keys(GOOD_KEYS)
    variables = desk.write_profile("caller", role_arn=ROLE, source_profile="default", region=REGION)
    variables["AWS_ENDPOINT_URL_STS"] = desk.gate.url("/-/sts")
    desk.gate.change(callers={})
    with entry(desk, desk.signing(profile="caller"), variables) as host:
        add(host)
        add(host)
        leave(host)
    return check(desk, desk.gate.seen()[-1]["key"])


def server_killed(desk: Desk) -> str:
    """The server dies and comes back, with no memory of the session."""
    with entry(desk, desk.signing(), GOOD_KEYS) as host:
        add(host)
        kill_group(desk.gate.process)
        with running_gate("function-url", *desk.options, port=desk.gate.port) as again:
            add(host)
            leave(host)
            return check(replace(desk, gate=again), KEY, refused=0)


def successor(desk: Desk) -> str:
    """What docs/aws.md shows for today's Lambda tool server: no relay of anybody is in it."""
    shown = ENTRIES["lambda-tools"]
    program = AWS.command(shown.args[-1].removesuffix("@latest"))
    env = {**shown.env, "AWS_ENDPOINT_URL": desk.options[-1]}
    desk.write_keys({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET})
    with Host([program], desktop_environment(desk.home) | env, patience=40) as host:
        desk.greet(host)
        assert names_in(host.request("tools/list")) == ["mcp_add_tool"]
        said = call(host, "mcp_add_tool", parameters=EVENT)
    if json.loads(said.partition("returned: ")[2]) != EVENT:
        raise Bad(said)
    return "lists and calls, with no relay"


ARTICLE = (
    Case("keys in `env`", keys_in_env, cloud=True),
    Case("profile with `credential_process`, rotated meanwhile", profile_that_rotates, cloud=True),
    Case("profile that assumes a role", assumed_role, cloud=True),
    Case("server killed and started again", server_killed, cloud=True),
    Case("the successor of the article's own server", successor, cloud=True),
)
