"""What a TLS connection that did not come about means: whose it is to mend, and how.

The reasons are OpenSSL's, of which an alert is the peer's own word (RFC 8446 §6.2). Pure. Must not
know how TLS is spoken.
"""

from __future__ import annotations

import re
import ssl
from typing import NamedTuple

from mcp_remote_py.errors import Unusable, shorten
from mcp_remote_py.readings import Source

CERTIFICATE_HINT = (
    "If that is your company's own authority, name its PEM file with --ca-cert, or in "
    "SSL_CERT_FILE in the entry's env."
)

_INTERMEDIATE_HINT = (
    "An intermediate certificate is missing: whoever runs the server has to let it send the whole "
    "chain (a file that is often called fullchain.pem). Until then, name a PEM file with that "
    "certificate in --ca-cert."
)

_EITHER_HINT = (
    "If that is an authority, name its PEM file with --ca-cert; if it is one between the server "
    "and its authority, whoever runs the server has to let it send the whole chain "
    "(fullchain.pem)."
)

_UNKNOWN_ISSUER = (20, 21)
"""OpenSSL's numbers where the certificate of who has signed is not to be had."""

# By OpenSSL's numbers of what is wrong with a certificate (x509_vfy.h, X509_V_ERR_*).
_CERTIFICATE_WORDS = {
    9: "certificate is not yet valid",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
}
"""Where its releases say one thing in several ways; of other numbers its own words are told."""

_CERTIFICATE_HINTS = {
    **dict.fromkeys((9, 10), "Check this machine's clock; else tell whoever runs the server."),
    **dict.fromkeys(
        (62, 64),
        "It is for another name: check the host of the URL, and whether the network has a sign-in "
        "page of its own that answers in its place.",
    ),
}
"""Else it is who has signed it."""

_ALERT = re.compile(r"(?:TLSV1|TLSV13|SSLV3)_(?:ALERT_)?")


class TlsReading(NamedTuple):
    """What reasons of OpenSSL say, with the version of TLS taken off."""

    reasons: frozenset[str]
    cause: str
    hint: str
    source: Source


TLS_READINGS = (
    TlsReading(
        frozenset({"CERTIFICATE_REQUIRED"}),
        "It wants a client certificate",
        "Give yours with --client-cert and --client-key.",
        Source("servers that want a client certificate, by TLS 1.3", "RFC 8446 §6.2"),
    ),
    TlsReading(
        frozenset(
            {
                "UNKNOWN_CA",
                "BAD_CERTIFICATE",
                "CERTIFICATE_UNKNOWN",
                "UNSUPPORTED_CERTIFICATE",
                "ACCESS_DENIED",
                "DECRYPT_ERROR",
            }
        ),
        "It does not take the client certificate",
        "Check that the one of --client-cert is meant for this server, and that its file holds the "
        "certificates between it and its authority, too.",
        Source("the same, of one that is another authority's", "RFC 8446 §6.2"),
    ),
    TlsReading(
        frozenset({"CERTIFICATE_EXPIRED", "CERTIFICATE_REVOKED"}),
        "It does not take the client certificate any more",
        "Get a new one, and name it with --client-cert.",
        Source("the same", "RFC 8446 §6.2"),
    ),
    TlsReading(
        frozenset({"HANDSHAKE_FAILURE", "INSUFFICIENT_SECURITY"}),
        "It wants a client certificate, or has no way of encrypting that is allowed here",
        "Give yours with --client-cert and --client-key where it wants one; else tell whoever runs "
        "it.",
        Source("servers that want a client certificate, by TLS 1.2", "RFC 5246 §7.4.6"),
    ),
    TlsReading(
        frozenset({"NO_APPLICATION_PROTOCOL"}),
        "It speaks HTTP/2 only",
        "HTTP/1.1 is needed: whoever runs it has to offer that, too.",
        Source("fronts that refuse what they do not offer", "RFC 7301 §3.2"),
    ),
    TlsReading(
        frozenset({"UNRECOGNIZED_NAME"}),
        "It does not know that name",
        "Check the host of the URL.",
        Source("fronts for several names", "RFC 6066 §3"),
    ),
    TlsReading(
        frozenset({"PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW"}),
        "It speaks no version of TLS that is allowed here",
        "TLS 1.2 or 1.3 is needed: tell whoever runs it.",
        Source("servers of before 2008", "RFC 8996"),
    ),
    TlsReading(
        frozenset(
            {
                "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
                "DH_KEY_TOO_SMALL",
                "EE_KEY_TOO_SMALL",
                "CA_KEY_TOO_SMALL",
                "CA_MD_TOO_WEAK",
            }
        ),
        "Its TLS is too weak to be allowed here",
        "Tell whoever runs it, or the proxy that opens TLS on the way.",
        Source("old devices that open TLS on the way", "RFC 5746; OpenSSL's security levels"),
    ),
    TlsReading(
        frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}),
        "What answers there does not speak TLS",
        "Check the port of the URL; for plain http write http:// there, and add --allow-http.",
        Source("a port that speaks http", "OpenSSL's words"),
    ),
)
"""The first that has the reason counts."""


def explain_tls(error: ssl.SSLError, who: str, at: str, *, is_proxy: bool) -> Unusable:
    """The error of it with `who`, such as "server"; `at` is where, in brackets, or empty.

    The note of an error is the name of who signed the certificate that is not trusted; its
    `lacks_one` and `may_lack_one` tell that another one should have come with it (see `tls`).
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        issuer = shorten(" ".join(getattr(error, "__notes__", ())))
        named = f'"{issuer}"' if issuer else "another"
        signed = f" It was signed by {named}." if issuer else ""
        words = _CERTIFICATE_WORDS.get(error.verify_code, error.verify_message.rstrip("."))
        hint = _CERTIFICATE_HINTS.get(error.verify_code, CERTIFICATE_HINT)
        if error.verify_code in _UNKNOWN_ISSUER and getattr(error, "may_lack_one", False):
            signed = (
                f" It was signed by {named}, whose own certificate the {who} does not send with it."
            )
            hint = _INTERMEDIATE_HINT if getattr(error, "lacks_one", False) else _EITHER_HINT
        return Unusable(f"The {who}'s certificate is not trusted{at}: {words}.{signed}", hint=hint)
    given = getattr(error, "reason", None) or str(error)
    reason = _ALERT.sub("", given, count=1)
    words = reason.replace("_", " ").lower() if reason != given else given
    said = f"TLS with the {who} failed{at}: {words}."
    if is_proxy:
        return Unusable(
            said,
            hint="Check that the proxy speaks TLS at that port: most are named http://, not "
            "https://.",
        )
    for reading in TLS_READINGS:
        if reason in reading.reasons:
            return Unusable(f"{said} {reading.cause}.", hint=reading.hint)
    return Unusable(
        said,
        hint="Check that the URL's port speaks https, and whether the server wants --client-cert.",
    )
