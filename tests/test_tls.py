"""TLS contexts: files that are tried, and looked at again, and certificates of the hostile."""

from __future__ import annotations

import gc
import os
import ssl
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.network import Tls
from mcp_remote_py.tls import build_tls_context, stamp_files, try_files
from tests.certificates import make_certificate

NOTHING = Tls()
UNREADABLE = "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n"


def shake_hands(
    server_file: Path, tls: Tls = NOTHING, ours: ssl.SSLContext | None = None
) -> ssl.SSLObject:
    """Our side of a handshake in memory with a server that shows that certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    ours = ours or build_tls_context(tls)
    client = ours.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client


def test_a_connection_that_is_over_does_not_hold_itself(tmp_path: Path) -> None:
    """TLS takes much memory, and a relay makes connections for days."""
    file = tmp_path / "server.pem"
    file.write_text(make_certificate())
    gc.disable()
    try:
        client = shake_hands(file, Tls(ca_certs=(str(file),)))
        assert client.version()
        seen = weakref.ref(client)
        del client
        assert seen() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("uri", [b"http://localhost/", b"\xff\xfe\xfd\xfc"])
def test_no_certificate_turns_its_own_refusal_into_another_error(
    tmp_path: Path, uri: bytes
) -> None:
    file = tmp_path / "server.pem"
    file.write_text(make_certificate(uri))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(file)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (UNREADABLE, "cannot be used: "),
        ("-----BEGIN PRIVATE KEY-----\n", "It must hold certificates in PEM form."),
    ],
)
def test_a_file_that_openssl_does_not_take_is_found_before_it_is_needed(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        try_files(Tls(ca_certs=(str(file),)))
    assert caught.value.sentence().startswith(f"The certificate file {file} ")
    assert sentence in caught.value.sentence()


def test_one_of_the_environment_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever set it for another program must not lose every server by it."""
    file = tmp_path / "node.pem"
    file.write_text(UNREADABLE)
    tls = Tls(optional_ca_certs=(str(file),))
    try_files(tls)  # a whole store of a system may be there: it is read once, where it is needed
    assert not caplog.records
    assert stamp_files(tls)
    build_tls_context(tls)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"The certificate file {file} cannot be used: ")
    assert record.getMessage().endswith(". Going on without it.")


def test_a_client_certificate_that_openssl_does_not_take_is_found_as_early(tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_text(UNREADABLE)
    with pytest.raises(UsageError) as caught:
        try_files(Tls(client_cert=str(file)))
    assert f"The client certificate {file} cannot be used" in caught.value.sentence()


def test_another_file_with_the_same_time_is_seen(tmp_path: Path) -> None:
    """The first half of a file and the whole of it may have been written in one tick."""
    file, other = tmp_path / "cert.pem", tmp_path / "other.pem"
    tls = Tls(client_cert=str(file))
    seen = [stamp_files(tls)]
    file.write_text("half")
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    seen.append(stamp_files(tls))
    file.write_text("half and whole")
    os.utime(file, ns=times)
    seen.append(stamp_files(tls))
    other.write_text("all is changed")
    os.utime(other, ns=times)
    other.replace(file)
    seen.append(stamp_files(tls))
    assert len(set(seen)) == len(seen)
    assert stamp_files(tls) == seen[-1]


def test_a_key_that_is_encrypted_later_does_not_eat_the_lines_of_the_host(tmp_path: Path) -> None:
    """It may be renewed so while a relay runs; without a terminal OpenSSL reads the input."""
    file = tmp_path / "client.pem"
    file.write_text(make_certificate(password=b"canary-word"))
    program = (
        "import sys; from mcp_remote_py.tls import try_files\n"
        "from mcp_remote_py.settings.network import Tls\n"
        "try: try_files(Tls(client_cert=sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__)\n"
        "print(sys.stdin.readline())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        input="canary-word\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        start_new_session=True,
    )
    assert done.stdout.split() == ["UsageError", "canary-word"]
