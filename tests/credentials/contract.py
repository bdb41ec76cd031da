"""What every store must do; each backend's test class inherits it. Must not know any backend."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mcp_remote_py.credentials.store import Store
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.redact import Secret
from mcp_remote_py.session_id import SessionId

CANARY = "canary-5f2d91"
"""Part of every secret here: must be nowhere but in what `reveal` gives."""

FULL = Credential(
    issuer="https://as.example.com/tenant",
    token_endpoint="https://token.example.com/v2/token?x=1",
    client=Client(
        client_id="client-1",
        origin="registered",
        client_secret=Secret(f"{CANARY}-client"),
        token_endpoint_auth_method="client_secret_post",
        redirect_uris=("http://localhost:1234/oauth/callback", "http://127.0.0.1:1234/cb"),
        secret_expires_at=1790000000.5,
    ),
    redirect_uri="http://127.0.0.1:1234/cb",
    resource="https://mcp.example.com/mcp/",
    scope="a b",
    access_token=Secret(f"{CANARY}-access"),
    token_type="bearer",
    refresh_token=Secret(f"{CANARY}-refresh"),
    id_token=Secret(f"{CANARY}-id"),
    obtained_at=1780000000.25,
    expires_at=1780003600.25,
    revocation_endpoint="https://as.example.com/revoke",
    dpop_key=Secret(f"{CANARY}-key"),
    published_by="https://as.example.com",
    endpoints=("https://as.example.com/authorize", "", "", "", ""),
    consent="needed",
    scope_refused=True,
)
ONLY_CLIENT = Credential(
    issuer="https://as.example.com",
    token_endpoint="https://as.example.com/token",
    client=Client("client-2", "static"),
)


def session_of(path: str, profile: str = "") -> str:
    return SessionId(f"https://mcp.example.com/{path}", profile=profile).key


SESSION = session_of("mcp")
OTHER = session_of("other")


class StoreContract:
    """`open_store` opens the same store each time it is called with the same folder."""

    def open_store(self, folder: Path) -> Store:
        raise NotImplementedError

    def test_nothing_is_known_at_first(self, tmp_path: Path) -> None:
        store = self.open_store(tmp_path)
        assert store.load(SESSION) is None
        assert store.sessions() == []
        assert store.forget(SESSION) is False

    @pytest.mark.promise("A7")
    @pytest.mark.parametrize("credential", [FULL, ONLY_CLIENT], ids=["full", "only client"])
    def test_what_is_saved_is_loaded(self, tmp_path: Path, credential: Credential) -> None:
        store = self.open_store(tmp_path)
        store.prepare()
        store.save(SESSION, credential)
        assert store.load(SESSION) == credential

    @pytest.mark.promise("A7")
    def test_tokens_of_any_size_fit(self, tmp_path: Path) -> None:
        store = self.open_store(tmp_path)
        large = FULL._replace(access_token=Secret("x" * 10_000), id_token=Secret("é€😀" * 20_000))
        store.save(SESSION, large)
        assert store.load(SESSION) == large

    def test_last_one_saved_counts(self, tmp_path: Path) -> None:
        store = self.open_store(tmp_path)
        store.save(SESSION, FULL)
        store.save(SESSION, ONLY_CLIENT)
        assert store.load(SESSION) == ONLY_CLIENT

    def test_sessions_do_not_touch_each_other(self, tmp_path: Path) -> None:
        store = self.open_store(tmp_path)
        store.save(SESSION, FULL)
        store.save(OTHER, ONLY_CLIENT)
        assert store.sessions() == sorted([SESSION, OTHER])
        assert store.forget(OTHER) is True
        assert store.load(OTHER) is None
        assert store.load(SESSION) == FULL
        assert store.sessions() == [SESSION]

    def test_what_is_forgotten_can_be_saved_again(self, tmp_path: Path) -> None:
        store = self.open_store(tmp_path)
        store.save(SESSION, FULL)
        assert [store.forget(SESSION), store.forget(SESSION)] == [True, False]
        store.save(SESSION, ONLY_CLIENT)
        assert store.load(SESSION) == ONLY_CLIENT

    def test_threads_may_share_it(self, tmp_path: Path) -> None:
        store = self.open_store(tmp_path)
        seen: list[Credential | None] = []

        def work(number: int) -> None:
            session = session_of(str(number % 2))
            for _ in range(5):
                store.save(session, FULL._replace(scope=str(number)))
                seen.append(store.load(session))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(seen) == 20
        assert None not in seen

    @pytest.mark.promise("S2")
    def test_description_is_a_phrase_without_secrets(self, tmp_path: Path) -> None:
        store = self.open_store(tmp_path)
        store.save(SESSION, FULL)
        assert store.describe()
        assert CANARY not in store.describe() + repr(store) + repr(store.load(SESSION))


class LastingStoreContract(StoreContract):
    """A store that outlives the process."""

    @pytest.mark.promise("A7")
    def test_another_start_finds_it(self, tmp_path: Path) -> None:
        self.open_store(tmp_path).save(SESSION, FULL)
        again = self.open_store(tmp_path)
        assert again.sessions() == [SESSION]
        assert again.load(SESSION) == FULL
        assert again.forget(SESSION) is True
        assert self.open_store(tmp_path).load(SESSION) is None

    @pytest.mark.promise("A7", "S2")
    def test_no_secret_is_readable_on_disk(self, tmp_path: Path) -> None:
        store = self.open_store(tmp_path)
        store.save(SESSION, FULL)
        store.save(SESSION, FULL._replace(scope="more"))
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert CANARY.encode() not in path.read_bytes()
            assert b"example.com" not in path.read_bytes()
