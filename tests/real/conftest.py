"""The third-party systems, installed once and started once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.installation import install_fastmcp, install_node_packages
from tests.real.processes import Service
from tests.real.servers import bearer_worker, everything_server, python_server


@pytest.fixture(scope="session")
def node_packages() -> Path:
    return install_node_packages()


@pytest.fixture(scope="session")
def fastmcp_command() -> Path:
    return install_fastmcp()


@pytest.fixture(scope="session")
def worker(node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with bearer_worker(tmp_path_factory.mktemp("worker")) as service:
        yield service


@pytest.fixture(scope="session")
def everything(node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with everything_server(tmp_path_factory.mktemp("everything")) as service:
        yield service


@pytest.fixture(scope="session")
def python_sse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with python_server(tmp_path_factory.mktemp("python")) as service:
        yield service
