"""PEM files are there and fit, before anything is sent."""

from __future__ import annotations

import pytest

from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.certificates import add_ca_certs, check_tls
from mcp_remote_py.settings.network import Tls
from tests.settings.given import files

CERT = "-----BEGIN CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\n"


class TestFiles:
    @pytest.mark.parametrize(
        "tls",
        [
            Tls(),
            Tls(ca_certs=("ca",)),
            Tls(client_cert="cert", client_key="key"),
            Tls(client_cert="both"),
        ],
    )
    def test_files_that_fit(self, tls: Tls) -> None:
        check_tls(tls, files({"ca": CERT, "cert": CERT, "key": KEY, "both": CERT + KEY}))

    @pytest.mark.parametrize(
        ("tls", "sentence"),
        [
            (
                Tls(ca_certs=("ca", "gone")),
                "--ca-cert: cannot read gone: No such file or directory. "
                "Give the full path of a file you may read.",
            ),
            (
                Tls(ca_certs=("text",)),
                "--ca-cert: text is not a PEM file. It must contain a line that starts with "
                "-----BEGIN.",
            ),
            (
                Tls(client_key="key"),
                "--client-key is given without --client-cert. A key needs its certificate: add "
                "--client-cert.",
            ),
            (
                Tls(client_cert="ca"),
                "--client-cert: ca does not contain a private key. Give the file "
                "with the private key by --client-key.",
            ),
            (
                Tls(client_cert="ca", client_key="ca"),
                "--client-key: ca does not contain a private key. Give the file "
                "with the private key by --client-key.",
            ),
            (
                Tls(client_cert="ca", client_key="locked"),
                "--client-key: the private key in locked is encrypted. No password can be asked "
                "here: save the key without one, readable by you only: openssl pkey -in locked "
                "-out PLAIN.key",
            ),
        ],
    )
    def test_files_that_do_not_fit(self, tls: Tls, sentence: str) -> None:
        texts = {
            "ca": CERT,
            "key": KEY,
            "text": "hello",
            "locked": "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        }
        with pytest.raises(UsageError) as caught:
            check_tls(tls, files(texts))
        assert caught.value.sentence() == sentence

    def test_ssl_cert_file_joins_the_authorities(self) -> None:
        tls, warnings = add_ca_certs(
            Tls(ca_certs=("ca",)), {"SSL_CERT_FILE": "env"}, files({"env": CERT})
        )
        assert tls == Tls(ca_certs=("ca",), optional_ca_certs=("env",))
        assert warnings == []

    def test_what_is_named_for_node_joins_them_too(self) -> None:
        """Whoever comes from a command of npm has it in the entry's `env`."""
        environment = {"NODE_EXTRA_CA_CERTS": "node", "SSL_CERT_FILE": "env"}
        both = files({"env": CERT, "node": CERT})
        assert add_ca_certs(Tls(), environment, both) == (
            Tls(optional_ca_certs=("env", "node")),
            [],
        )
        assert add_ca_certs(Tls(), {"NODE_EXTRA_CA_CERTS": "gone"}, both) == (
            Tls(),
            ["NODE_EXTRA_CA_CERTS: cannot read gone: No such file or directory. "
             "Going on without it."],
        )  # fmt: skip

    @pytest.mark.parametrize("environment", [{}, {"SSL_CERT_FILE": ""}, {"SSL_CERT_FILE": "ca"}])
    def test_nothing_joins_twice_or_from_an_empty_variable(
        self, environment: dict[str, str]
    ) -> None:
        tls = Tls(ca_certs=("ca",))
        assert add_ca_certs(tls, environment, files({})) == (tls, [])

    def test_a_stale_ssl_cert_file_is_only_a_warning(self) -> None:
        assert add_ca_certs(Tls(), {"SSL_CERT_FILE": "gone"}, files({})) == (
            Tls(),
            ["SSL_CERT_FILE: cannot read gone: No such file or directory. Going on without it."],
        )
