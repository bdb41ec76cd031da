"""A person's home with AWS's files in it, and the chain of keys as the relay has it there.

The process that looks for keys is a fork of one that has loaded botocore, unless it is to be fresh.
Must not know what a test wants to see.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mcp_remote_py.aws.keys import FoundKeys
from mcp_remote_py.errors import Refused
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.signing.chain import CHAIN_COMMAND, KeyChain
from tests.fakes import run
from tests.harness.warm import COMMAND, NURSERY, ROOT, forked_module, nursery
from tests.signing import warm_chain
from tests.thorough import THOROUGH


class Desk:
    """A person's home, and the chain as the relay has it, in a host's thin environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / ".aws"
        self.folder.mkdir()
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.seconds = 20.0
        self.command = CHAIN_COMMAND
        if not COMMAND.exists():  # `scripts/test-lowest` does not install the package
            self.environment["PYTHONPATH"] = str(ROOT)
        elif not THOROUGH:
            self.command = tuple(forked_module(home, warm_chain.__name__).split())
            self.environment[NURSERY] = nursery(warm_chain.__name__).name

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def program(self, text: str) -> str:
        path = self.home / "program"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        return str(path)

    def print_keys(self, **members: object) -> str:
        keys = {"Version": 1, "AccessKeyId": "AKIDPROGRAM", "SecretAccessKey": "canary-program"}
        return self.program(f"echo x >> {self.home}/count; echo '{json.dumps(keys | members)}'")

    def chain(self, profile: str = "", region: str = "") -> KeyChain:
        settings = AwsSettings(profile=profile, region=region)
        return KeyChain(settings, self.environment, seconds=self.seconds, command=self.command)

    def load(self, profile: str = "", region: str = "") -> FoundKeys:
        return run(self.chain(profile, region).load_keys())

    def refusal(self, profile: str = "") -> str:
        with pytest.raises(Refused) as caught:
            self.load(profile)
        return caught.value.sentence()

    @property
    def starts(self) -> int:
        return len((self.home / "count").read_text().splitlines())
