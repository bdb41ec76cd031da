"""PEM files for TLS: there, readable and of the right kind, before anything is sent.

Loaded where a file is named. Must not know what a certificate says.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.network import CA_VARIABLES, Tls
from mcp_remote_py.settings.words import ReadText, read_file_text


def check_tls(tls: Tls, read_file: ReadText) -> None:
    """Every file is there, is PEM and fits, so that a mistyped path fails before anything is sent.

    Raises:
        UsageError: names option and file.
    """
    for path in tls.ca_certs:
        _read_pem(path, "--ca-cert", read_file)
    if tls.client_cert is None:
        if tls.client_key is not None:
            raise UsageError(
                "--client-key is given without --client-cert.",
                hint="A key needs its certificate: add --client-cert.",
            )
        return
    certificate = _read_pem(tls.client_cert, "--client-cert", read_file)
    if tls.client_key is not None:
        option, path, key = "--client-key", tls.client_key, ""
        key = _read_pem(path, option, read_file)
    else:
        option, path, key = "--client-cert", tls.client_cert, certificate
    if "PRIVATE KEY-----" not in key:
        raise UsageError(
            f"{option}: {path} does not contain a private key.",
            hint="Give the file with the private key by --client-key.",
        )
    if "ENCRYPTED" in key:
        # OpenSSL would ask for the password on the terminal, in the middle of the protocol.
        raise UsageError(
            f"{option}: the private key in {path} is encrypted.",
            hint="No password can be asked here: save the key without one, readable by you only: "
            f"openssl pkey -in {path} -out PLAIN.key",
        )


def add_ca_certs(
    tls: Tls, environment: Mapping[str, str], read_file: ReadText
) -> tuple[Tls, list[str]]:
    """`tls` with the files of `CA_VARIABLES` joined, and warnings.

    A file of these that cannot be read is only a warning. They are set for whole machines and
    outlive the file, and the trust store of the system works without it.
    """
    warnings: list[str] = []
    for variable in CA_VARIABLES:
        path = environment.get(variable)
        if not path or path in (*tls.ca_certs, *tls.optional_ca_certs):
            continue
        try:
            _read_pem(path, variable, read_file)
        except UsageError as error:
            warnings.append(f"{error.cause} Going on without it.")
        else:
            tls = tls.replace(optional_ca_certs=(*tls.optional_ca_certs, path))
    return tls, warnings


def _read_pem(path: str, option: str, read_file: ReadText) -> str:
    text = read_file_text(path, option, read_file)
    if "-----BEGIN " not in text:
        raise UsageError(
            f"{option}: {path} is not a PEM file.",
            hint="It must contain a line that starts with -----BEGIN.",
        )
    return text
