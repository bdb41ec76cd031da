"""Certificates with their keys as PEM: of whatever is in a name, and signed by whom."""

from __future__ import annotations

import base64
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID

DAY = datetime.timedelta(days=1)


def make_certificate(uri: bytes = b"http://localhost/", password: bytes = b"") -> str:
    """One that signed itself, for localhost, with this URI in its name, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=localhost")
    now = datetime.datetime.now(datetime.UTC)
    placeholder = "x" * len(uri)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.UniformResourceIdentifier(placeholder)]
            ),
            False,
        )
        .sign(key, hashes.SHA256())
    )
    der = certificate.public_bytes(serialization.Encoding.DER).replace(placeholder.encode(), uri)
    lines = base64.encodebytes(der).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )
    return f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n{private.decode()}"


def sign(
    subject: str,
    begins: int = -9,
    ends: int = 90,
    name: str = "localhost",
    by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    *,
    is_authority: bool = False,
    has_place: bool = False,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate and its key, signed by itself where nobody is given.

    `has_place`: it names a place where the certificate of who has signed it can be had.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name.from_rfc4514_string(f"CN={subject}")
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who if by is None else by[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins * DAY)
        .not_valid_after(now + ends * DAY)
        .add_extension(x509.SubjectAlternativeName(names), False)
    )
    if is_authority:
        builder = builder.add_extension(x509.BasicConstraints(True, None), True)
    if has_place:
        place = x509.UniformResourceIdentifier("http://authority.example/issuing.crt")
        issuers = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([issuers]), False)
    return builder.sign(key if by is None else by[1], hashes.SHA256()), key


def to_pem(*signed: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> str:
    """Certificates, and the key of the first, as one file."""
    text = "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in signed)
    if key is None:
        return text
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return text + private.decode()


def make_pem(begins: int, ends: int, name: str = "localhost") -> str:
    """One that signed itself, for days from now on, and its key."""
    certificate, key = sign("Some Authority", begins, ends, name)
    return to_pem(certificate, key=key)
