"""Whom to trust: the operating system's store, and the files a person named (decision D10).

Imported when the first https connection is made. Must not know what is sent over it.
"""

from __future__ import annotations

import ssl

from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.network import Tls


def build_tls_context(tls: Tls, *, certified: bool = True) -> ssl.SSLContext:
    """The operating system's trust store plus the files given (decision D10).

    `certified` is for the MCP server alone: nobody else gets the client certificate, such as an
    authorization server that asks for it (RFC 8705 is not supported).

    Raises:
        UsageError: a file is not a PEM file of that kind.
    """
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    for path in tls.ca_certs:
        try:
            context.load_verify_locations(cafile=path)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"The certificate file {path} cannot be used: {error}.",
                hint="It must hold certificates in PEM form.",
            ) from error
    if certified and tls.client_cert:
        try:
            context.load_cert_chain(tls.client_cert, tls.client_key)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"The client certificate {tls.client_cert} cannot be used: {error}.",
                hint="--client-cert and --client-key must be a matching pair in PEM form.",
            ) from error
    return context
