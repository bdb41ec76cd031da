"""The authorities of the system, where OpenSSL reads them: Linux has them in files."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mcp_remote_py.settings.network import Tls
from mcp_remote_py.tls import build_tls_context
from tests.certificates import make_certificate, make_pem
from tests.test_tls import shake_hands


class Store:
    """Two servers, and a store that trusts the first."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first, self.second, self._file = (folder / name for name in ("1", "2", "store"))
        self.first.write_text(make_pem(0, 9))
        self.second.write_text(make_certificate())
        self._file.write_text(self.first.read_text())
        monkeypatch.setenv("SSL_CERT_FILE", str(self._file))

    def trust_both(self) -> None:
        """As an administrator does beside a relay that goes on."""
        self._file.write_text(self.first.read_text() + self.second.read_text())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(tmp_path, monkeypatch)


def test_it_is_read_once_and_again_behind_a_refusal(store: Store) -> None:
    """64 calls in flight took five seconds, in place of a third of one."""
    ours = build_tls_context(Tls())
    assert shake_hands(store.first, ours=ours).version()
    store.trust_both()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(store.second, ours=ours)
    for server in (store.second, store.first):
        assert shake_hands(server, ours=ours).version()


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_where_the_system_verifies_each_connection_is_left_to_it(
    store: Store, platform: str
) -> None:
    ours = build_tls_context(Tls(), platform=platform)
    assert shake_hands(store.first, ours=ours).version()
    store.trust_both()
    assert shake_hands(store.second, ours=ours).version()
