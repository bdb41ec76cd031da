"""Records say all of a credential and survive versions; names of sessions follow decision D7."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.credentials.store import (
    CREDENTIAL_SCHEMA,
    BrokenRecord,
    MemoryStore,
    StoreError,
    decode_credential,
    encode_credential,
)
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.redact import Secret
from tests.credentials.contract import CANARY, FULL, ONLY_CLIENT, StoreContract

TEXT = st.text(st.characters(codec="utf-8"))
SECRET = st.none() | TEXT.map(Secret)
TIME = st.floats(0, 1e12)


class TestMemoryStore(StoreContract):
    stores: dict[Path, MemoryStore]

    def open_store(self, folder: Path) -> MemoryStore:
        self.stores = getattr(self, "stores", {})
        return self.stores.setdefault(folder, MemoryStore())


@given(
    st.builds(
        Credential,
        issuer=TEXT,
        token_endpoint=TEXT,
        client=st.builds(
            Client,
            client_id=TEXT,
            origin=TEXT,
            client_secret=SECRET,
            token_endpoint_auth_method=TEXT,
            redirect_uris=st.lists(TEXT).map(tuple),
            secret_expires_at=TIME,
        ),
        redirect_uri=TEXT,
        resource=TEXT,
        scope=TEXT,
        access_token=SECRET,
        token_type=TEXT,
        refresh_token=SECRET,
        id_token=SECRET,
        obtained_at=TIME,
        expires_at=st.none() | TIME,
        revocation_endpoint=TEXT,
        dpop_key=SECRET,
    )
)
def test_record_says_all_of_a_credential(credential: Credential) -> None:
    assert decode_credential(encode_credential(credential)) == credential


def test_no_member_is_missing_in_a_record() -> None:
    """Fails when `Credential` or `Client` gets a member that the record does not have."""
    for name, value in FULL._asdict().items():
        assert value != Credential._field_defaults.get(name), f"FULL says nothing of {name}"
    assert decode_credential(encode_credential(FULL)) == FULL
    record = json.loads(encode_credential(FULL))
    assert record.keys() == {*Credential._fields, "schema"}
    assert record["client"].keys() == set(Client._fields)


def test_time_without_end_is_not_kept() -> None:
    endless = ONLY_CLIENT._replace(
        expires_at=math.inf,
        obtained_at=math.nan,
        client=ONLY_CLIENT.client._replace(secret_expires_at=math.inf),
    )
    assert decode_credential(encode_credential(endless)) == ONLY_CLIENT


@pytest.mark.promise("S2")
def test_text_that_cannot_be_written_is_an_error_that_names_its_cause_and_no_value() -> None:
    with pytest.raises(StoreError) as caught:
        encode_credential(FULL._replace(scope="\ud800", access_token=Secret(CANARY + "\udfff")))
    assert caught.value.sentence() == (
        "The authorization server's answer contains text that cannot be stored."
        " Report this to whoever runs that server."
    )


def test_members_of_a_later_version_are_not_a_fault() -> None:
    record = json.loads(encode_credential(FULL))
    record["later"] = [1, {"a": None}]
    record["client"]["later"] = "x"
    assert decode_credential(json.dumps(record).encode()) == FULL


def test_members_an_earlier_version_did_not_write_have_their_defaults() -> None:
    least = {
        "schema": CREDENTIAL_SCHEMA,
        "issuer": "i",
        "token_endpoint": "t",
        "client": {"client_id": "c", "origin": "static"},
    }
    assert decode_credential(json.dumps(least).encode()) == Credential(
        "i", "t", Client("c", "static")
    )


@pytest.mark.promise("A7")
@pytest.mark.report("S3")
def test_record_of_0_1_0_is_read() -> None:
    """Byte for byte what that version wrote; who published the endpoints it does not say."""
    record = (
        b'{"schema":1,"issuer":"https://as.example.com","token_endpoint":"https://as.example.com/t",'
        b'"client":{"client_id":"c","origin":"registered","client_secret":"canary-s",'
        b'"token_endpoint_auth_method":"client_secret_post","redirect_uris":["http://localhost:1/"],'
        b'"secret_expires_at":0.0},"redirect_uri":"http://localhost:1/","resource":"","scope":"a",'
        b'"access_token":"canary-a","token_type":"Bearer","refresh_token":"canary-r",'
        b'"id_token":null,"obtained_at":1.0,"expires_at":2.0,'
        b'"revocation_endpoint":"https://as.example.com/r","dpop_key":null}'
    )
    credential = decode_credential(record)
    assert (credential.published_by, credential.endpoints) == ("", ())
    assert credential.refresh_token == Secret("canary-r")
    assert credential.client.client_secret == Secret("canary-s")
    assert decode_credential(encode_credential(credential)) == credential


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"more":' + b"[" * 100_000,
        json.dumps({"schema": CREDENTIAL_SCHEMA, "issuer": CANARY, "client": CANARY}).encode(),
        json.dumps({"schema": CREDENTIAL_SCHEMA + 1, "issuer": CANARY}).encode(),
        json.dumps({"schema": CANARY}).encode(),
        encode_credential(FULL).replace(f'"{CANARY}-access"'.encode(), b"7"),
    ],
)
def test_what_is_not_a_record_is_said_to_be_broken_without_quoting_it(data: bytes) -> None:
    with pytest.raises(BrokenRecord) as caught:
        decode_credential(data)
    assert "record" in caught.value.sentence()
    assert CANARY not in caught.value.sentence()


def test_later_schema_is_named() -> None:
    with pytest.raises(
        BrokenRecord, match=f"schema {CREDENTIAL_SCHEMA + 1}, not {CREDENTIAL_SCHEMA}"
    ):
        decode_credential(json.dumps({"schema": CREDENTIAL_SCHEMA + 1}).encode())


def test_record_cut_at_any_byte_is_broken() -> None:
    whole = encode_credential(FULL)
    for length in range(len(whole)):
        with pytest.raises(BrokenRecord):
            decode_credential(whole[:length])


def test_asking_for_names_loads_neither_keyring_nor_cryptography() -> None:
    code = (
        "import sys, os, pathlib\n"
        "from mcp_remote_py.credentials.keys import choose_store\n"
        "store = choose_store('keyring', pathlib.Path(sys.argv[1]), os.urandom)\n"
        "assert store.sessions() == [] and store.load('0' * 64) is None and store.describe()\n"
        "print(sorted(sys.modules.keys() & {'asyncio', 'keyring', 'cryptography', 'authlib'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "/nowhere"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
