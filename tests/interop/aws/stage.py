"""One command before one gate, as a desktop's config starts it: a thin environment and a home.

Must not know which case is tried, nor what should come of it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.host import Handler, Host, Json, initialize_params
from tests.interop.aws.gate import KEY, REGION, SECRET
from tests.interop.aws.relays import Relay, Signing
from tests.interop.aws.running import GOOD_KEYS, RunningGate
from tests.real.configuration import desktop_environment
from tests.thorough import THOROUGH

PATIENCE = 25.0
"""Seconds for one answer: the slower of the two takes 5 to start on a busy machine."""
CAPABILITIES: Json = {"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}}

SURROUNDINGS = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": REGION}
"""No machine of AWS is asked for keys; Amazon's relay needs the region here though it is told."""


@dataclass(frozen=True)
class Desk:
    """Where a person works."""

    gate: RunningGate
    relay: Relay
    home: Path
    variables: Mapping[str, str] = field(default_factory=lambda: GOOD_KEYS)
    """What stands in "env" of the entry."""
    options: Sequence[str] = ()
    """What the gate was started with."""

    def write_files(self, config: str = "", credentials: str = "") -> None:
        """Writes into the person's AWS files, as `aws configure` and others do: at once."""
        folder = self.home / ".aws"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("config", config), ("credentials", credentials)):
            if text:
                fresh = folder / f"{name}.new"
                fresh.write_text(text)
                fresh.replace(folder / name)

    def write_profile(self, name: str, **settings: str) -> dict[str, str]:
        """Writes that profile, alone; returns variables that name it."""
        lines = [f"[profile {name}]", *(f"{key} = {value}" for key, value in settings.items())]
        self.write_files("\n".join([*lines, ""]))
        return {"AWS_PROFILE": name}

    def write_keys(self, keys: Mapping[str, str]) -> None:
        """Writes these keys as the default profile's."""
        lines = ["[default]", *(f"{name.lower()} = {value}" for name, value in keys.items())]
        self.write_files(credentials="\n".join([*lines, ""]))

    def write_process(self, keys: Mapping[str, str], log: Path) -> str:
        """A `credential_process` that prints these keys; each run is a line of the log."""
        names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
        said: dict[str, Any] = {"Version": 1} | {new: keys[old] for new, old in names.items()}
        if "AWS_SESSION_TOKEN" in keys:
            said |= {"SessionToken": keys["AWS_SESSION_TOKEN"]}
        folder = self.home / ".aws"
        folder.mkdir(parents=True, exist_ok=True)
        answer = folder / "process.json"
        answer.write_text(json.dumps(said))
        script = folder / "process.sh"
        # It would wait for ever on a pipe that is the host's: what it reads is counted, too.
        script.write_text(
            f'read -r line && echo "read $line" >>{log}\necho run >>{log}\ncat {answer}\n'
        )
        return f"/bin/sh {script}"

    def signing(self, path: str = "/mcp", **said: str) -> Signing:
        """For this gate, whose host name says nothing."""
        known = {"service": "lambda", "region": REGION} | said
        return Signing(self.gate.url(path), **known)

    @contextlib.contextmanager
    def host(
        self,
        signing: Signing | None = None,
        variables: Mapping[str, str] | None = None,
        *,
        handlers: Mapping[str, Handler] | None = None,
        fresh: bool = THOROUGH,
        greet: bool = True,
    ) -> Generator[Host]:
        """The command, started, and greeted where that is wanted."""
        given = self.variables if variables is None else variables
        host = Host(
            self.relay.words(signing or self.signing()),
            {**desktop_environment(self.home), **SURROUNDINGS, **given},
            handlers=handlers,
            patience=PATIENCE,
            fresh=fresh,
        )
        try:
            if greet:
                self.greet(host)
            yield host
        finally:
            host.end()

    @staticmethod
    def greet(host: Host) -> Json:
        """The whole answer to `initialize`."""
        answer = host.request("initialize", initialize_params(CAPABILITIES))
        if "result" in answer:
            host.notify("notifications/initialized")
        return answer


def names_in(answer: Json) -> list[str]:
    """The tools of an answer to `tools/list`."""
    return [tool["name"] for tool in answer["result"]["tools"]]


def said_by(answer: Json) -> str:
    """The words of an answer, whatever it is."""
    if "error" in answer:
        return str(answer["error"]["message"])
    result = answer["result"]
    if "content" in result:
        return "".join(one.get("text", "") for one in result["content"])
    if "tools" in result:
        return f"{len(result['tools'])} tools"
    return str(result.get("serverInfo", result))


def call(host: Host, tool: str, **arguments: object) -> str:
    """What the tool says, or the error."""
    return said_by(host.request("tools/call", {"name": tool, "arguments": arguments}))


def verdicts(seen: Sequence[Json]) -> list[str]:
    """What the gate thought of each."""
    return [one["verdict"] for one in seen]


OTHER_SECRET = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": f"not-{SECRET}"}
OTHER_KEY = {"AWS_ACCESS_KEY_ID": "AKIANOBODYEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
