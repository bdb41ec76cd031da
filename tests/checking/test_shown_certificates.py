"""Certificates as anybody may make them: they break neither a check nor a line of it."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mcp_remote_py.checking.network_steps import read_chain
from mcp_remote_py.diagnosis.network_words import add_names, list_chain

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
ESCAPES = "x\x1b[2J\nok      Certificate: trusted\u202e"


def make_der(name: str = "x", *names: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", id="version"),
        pytest.param(b"\x17\x0d26", b"\x17\x0d::", id="date"),
    ],
)
def test_a_certificate_that_openssl_takes_and_nobody_can_read_ends_the_chain(
    right: bytes, wrong: bytes
) -> None:
    der = make_der("x", "a.test")
    broken = der.replace(right, wrong)
    assert broken != der
    assert read_chain([broken, der]) == []
    assert [one.subject for one in read_chain([der, broken, der])] == ["CN=x"]


def test_names_that_cannot_be_read_are_left_out() -> None:
    der = make_der("x", "abcdef")
    broken = der.replace(b"\x82\x06abcdef", b"\xa5\x06\xa1\x04ab\x30\x00")
    assert broken != der
    (shown,) = read_chain([broken])
    assert shown.names == ()


def test_words_of_a_certificate_stay_short_and_on_their_line() -> None:
    many = [f"n{number}.{'y' * 50}.test" for number in range(500)]
    chain = read_chain([make_der(ESCAPES, ESCAPES[:-1], *many)])
    said = add_names("The name is another one.", chain)
    lines = [*list_chain(chain, NOW.timestamp()), said]
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 1000
    assert said.endswith(" and 491 more.")
