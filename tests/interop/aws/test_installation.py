"""The locks of the AWS rows: every version and hash, and no place of a machine."""

from __future__ import annotations

import re

import pytest

from tests.interop.aws.installation import AWS, PROXY, Environment


@pytest.mark.parametrize("environment", [AWS, PROXY])
def test_a_lock_names_versions_and_hashes_and_no_place(environment: Environment) -> None:
    lines = environment.lock.read_text("utf-8").splitlines()
    assert len(lines) > 100
    for line in lines:
        assert re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==|    --hash=sha256:[0-9a-f]{64}", line), line
        assert "://" not in line
        assert "@ " not in line


@pytest.mark.parametrize(
    ("environment", "package"),
    [(AWS, "moto"), (AWS, "awslabs-lambda-tool-mcp-server"), (PROXY, "mcp-proxy-for-aws")],
)
def test_a_lock_has_what_it_is_for(environment: Environment, package: str) -> None:
    assert re.search(rf"^{package}(\[[a-z]+\])?==", environment.lock.read_text(), re.MULTILINE)
