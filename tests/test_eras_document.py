"""What `docs/eras.md` says is what the code has, and what the tests do.

That its generated pieces are current is checked in `test_documents.py`; here, that the words around
them name nothing that is not there.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_remote_py.eras.capabilities import CROSSING_EXTENSIONS, INPUT_CAPABILITY
from mcp_remote_py.eras.era_detection import UNSUPPORTED_VERSION
from mcp_remote_py.eras.handshake_server.input_rounds import INPUT_PATIENCE
from mcp_remote_py.eras.modern_server import MAX_ROUNDS
from mcp_remote_py.eras.results import RESOURCE_NOT_FOUND, URL_REQUIRED
from mcp_remote_py.versions import HANDSHAKE_VERSIONS, MODERN, NEWEST_HANDSHAKE
from tests.matrix.cells import CLIENTS

pytestmark = pytest.mark.promise("E1")

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "eras.md").read_text(encoding="utf-8")


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"at most {MAX_ROUNDS} rounds" in TEXT
    assert INPUT_PATIENCE == 600
    assert "stays open for ten minutes" in TEXT
    for code in (RESOURCE_NOT_FOUND, URL_REQUIRED, UNSUPPORTED_VERSION):
        assert f"`{code}`" in TEXT
    assert f"Until {NEWEST_HANDSHAKE}" in TEXT
    assert f"since {MODERN}" in TEXT


def test_it_names_what_crosses() -> None:
    assert set(re.findall(r"`(io\.modelcontextprotocol/\w+)`", TEXT)) == CROSSING_EXTENSIONS | {
        "io.modelcontextprotocol/logLevel"
    }
    for method in INPUT_CAPABILITY:
        assert f"`{method}`" in TEXT


def test_the_matrix_has_every_revision() -> None:
    assert set(CLIENTS) == HANDSHAKE_VERSIONS | {MODERN}


def test_the_tests_it_names_are_there() -> None:
    named = re.findall(r"`(tests/\S+\.py)`", TEXT)
    assert named
    assert all((ROOT / name).is_file() for name in named)
