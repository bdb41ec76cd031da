"""A cloud on loopback: PyPI's moto plays Lambda and STS, without Docker.

A function gives back what it is given, a role can be assumed; nothing beyond loopback is asked.
Must not know who calls the function, nor whose keys the role hands out.
"""

from __future__ import annotations

import contextlib
import io
import json
import urllib.request
import zipfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session  # pyright: ignore[reportMissingTypeStubs]

from tests.interop.aws.gate import REGION
from tests.interop.aws.installation import AWS
from tests.real.processes import running
from tests.real.servers import plain_environment

FUNCTION = "mcp-add-tool"
"""The function of the article."""
ROLE = "arn:aws:iam::123456789012:role/mcp-caller"
TRUST = '{"Version": "2012-10-17", "Statement": []}'
UVICORN = r"Running on http://127\.0\.0\.1:(\d+)"


@dataclass(frozen=True)
class Cloud:
    """A moto that listens, with the function and the role in it."""

    url: str

    def client(self, service: str) -> Any:
        """As an SDK of AWS has it; moto asks nobody for right keys."""
        session: Any = botocore.session.Session()
        return session.create_client(
            service,
            REGION,
            endpoint_url=self.url,
            aws_access_key_id="anybody",
            aws_secret_access_key="anything",
        )


@contextlib.contextmanager
def running_cloud(folder: Path) -> Generator[Cloud]:
    """Starts it; `folder` is its home."""
    with running(
        [AWS.command("moto_server"), "-H", "127.0.0.1", "-p", "0"],
        listens=UVICORN,
        log=folder / "moto.log",
        environment={**plain_environment(folder), "AWS_EC2_METADATA_DISABLED": "true"},
        folder=folder,
    ) as service:
        cloud = Cloud(f"http://127.0.0.1:{service.port}")
        _furnish(cloud)
        yield cloud


def _furnish(cloud: Cloud) -> None:
    settings = json.dumps({"lambda": {"use_docker": False}}).encode()
    with urllib.request.urlopen(f"{cloud.url}/moto-api/config", settings, timeout=10):  # noqa: S310 (loopback)
        pass
    role = ROLE.rpartition("/")[2]
    cloud.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "def handle(event, _):\n    return event\n")
    cloud.client("lambda").create_function(
        FunctionName=FUNCTION,
        Runtime="python3.12",
        Role=ROLE,
        Handler="handler.handle",
        Code={"ZipFile": code.getvalue()},
    )
