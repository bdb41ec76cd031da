"""The official suite, installed once for all tests of this folder."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.real.installation import CONFORMANCE, find_node, install_node_packages
from tests.real.processes import kill_group

PATIENCE = 60.0
"""Seconds."""


class Suite(NamedTuple):
    """How it is started."""

    command: list[str]
    environment: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Of its package."""
        return Path(self.command[1]).parent.parent

    @contextmanager
    def started(
        self, arguments: Iterable[str], folder: Path, **variables: str
    ) -> Generator[subprocess.Popen[bytes]]:
        """It runs in that folder, its words are in `suite.log` there; at the end it is gone."""
        with (folder / "suite.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.command, *arguments],
                cwd=folder,
                env={**self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                kill_group(process)

    def list_scenarios(self, leg: str) -> dict[str, str]:
        """All of that leg, `client` or `server`, with the versions they are of."""
        command = [*self.command, "list", f"--{leg}"]
        listed = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout
        return dict(re.findall(r"^\s+- (\S+) \[([^\]]*)\]", listed, re.MULTILINE))


@pytest.fixture(scope="session")
def suite() -> Suite:
    modules = install_node_packages(CONFORMANCE)
    # Node keeps what it compiled: a quarter of the time a scenario takes.
    cache = {"NODE_COMPILE_CACHE": str(modules / ".compiled")}
    program = modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    return Suite([find_node(), str(program)], {**os.environ, **cache})
