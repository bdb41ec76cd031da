"""Which version of a package is installed, as the table tells it.

Must not know which system it belongs to.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

from tests.real.installation import FASTMCP_REQUIREMENTS, NODE_MODULES


def of_npm(name: str, modules: Path = NODE_MODULES) -> str:
    """A package in that `node_modules`, as "name version"."""
    document = json.loads((modules / name / "package.json").read_text())
    return f"{name} {document['version']}"


def of_pypi(name: str) -> str:
    """A distribution of this environment."""
    return f"{name} {metadata.version(name)}"


def of_fastmcp() -> str:
    """The fastmcp of its own environment."""
    for line in FASTMCP_REQUIREMENTS.read_text().splitlines():
        if line.startswith("fastmcp=="):
            return line.replace("==", " ").rstrip(" \\")
    raise LookupError(FASTMCP_REQUIREMENTS)
