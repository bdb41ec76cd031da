"""What tests of connections need: a certificate of this machine, and TLS with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.certificates import make_pem


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for localhost, and its key."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    file.write_text(make_pem(-1, 1))
    return file
