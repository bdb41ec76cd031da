"""Whom to trust: the operating system's store, and the files a person named (decision D10).

Imported when the first https connection is made. Must not know what is sent over it.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from mcp_remote_py.errors import UsageError
from mcp_remote_py.named_files import FileStamp, stamp_file
from mcp_remote_py.settings.network import Tls

logger = logging.getLogger("mcp_remote_py.transports")


def build_tls_context(
    tls: Tls, *, certified: bool = True, platform: str = sys.platform
) -> ssl.SSLContext:
    """The operating system's trust store plus the files given (decision D10).

    Where OpenSSL verifies, the store is read for the first connection, and again behind one whose
    certificate was not trusted: an authority may have been added.

    `certified` is for the MCP server alone: nobody else gets the client certificate, such as an
    authorization server that asks for it (RFC 8705 is not supported).

    Raises:
        UsageError: a file is not a PEM file of that kind.
    """
    import truststore

    class Context(truststore.SSLContext):
        """The same; a certificate that is not trusted comes with the name of who signed it."""

        with_store: ssl.SSLContext | None = None
        """What has read the store: else each connection does, in 30 ms where it is one file."""

        def wrap_bio(self, *arguments: Any, **more: Any) -> ssl.SSLObject:
            wrap = super().wrap_bio if self.with_store is None else self.with_store.wrap_bio
            secured = wrap(*arguments, **more)
            if platform not in ("win32", "darwin"):  # there the system itself verifies
                self.with_store = secured.context
            secured.do_handshake = partial(
                _shake_hands, secured, secured.do_handshake, self.forget_store, bool(tls.ca_certs)
            )
            return secured

        def forget_store(self) -> None:
            self.with_store = None

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    _load(context, tls if certified else tls.replace(client_cert=None))
    return context


def try_files(tls: Tls) -> None:
    """Sees to it that OpenSSL takes these files, before anything is sent; not the optional ones.

    Raises:
        UsageError: one cannot be used, as `build_tls_context` has it.
    """
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls.replace(optional_ca_certs=()))


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    for path in tls.optional_ca_certs:
        try:
            _trust(context, path)
        except UsageError as error:  # as Node has it: it may be meant for another program
            logger.warning("%s Going on without it.", error.cause)
    for path in tls.ca_certs:
        _trust(context, path)
    if tls.client_cert:
        try:
            # A password, so that OpenSSL asks for none: it would read the host's lines as one.
            context.load_cert_chain(tls.client_cert, tls.client_key, password="")
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"The client certificate {tls.client_cert} cannot be used: {error}.",
                hint="--client-cert and --client-key must be a matching pair in PEM form.",
            ) from error


def _trust(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"The certificate file {path} cannot be used: {error}.",
            hint="It must hold certificates in PEM form.",
        ) from error


Stamp = tuple[FileStamp, ...]


def stamp_files(tls: Tls) -> Stamp:
    """Another when one of the files has changed, see `stamp_file`."""
    files = (*tls.ca_certs, *tls.optional_ca_certs, tls.client_cert, tls.client_key)
    return tuple(map(stamp_file, filter(None, files)))


def _shake_hands(
    secured: ssl.SSLObject,
    do_handshake: Callable[[], None],
    forget_store: Callable[[], None],
    has_authority: bool,
) -> None:
    try:
        do_handshake()
    except ssl.SSLCertVerificationError as error:
        forget_store()
        _add_evidence(error, secured, has_authority)
        raise
    else:
        vars(secured).pop("do_handshake", None)  # it would hold itself, long after the connection


def _add_evidence(
    error: ssl.SSLCertVerificationError, secured: ssl.SSLObject, has_authority: bool
) -> None:
    """What the certificates say that were shown, for the words of `net.tls_refusals`.

    Where one could not be verified, Python gives the names of a certificate by its inner object
    alone, which truststore reads, too. Nobody has checked that certificate, so anything may be in
    it: text that is not UTF-8 as well.
    """
    with contextlib.suppress(AttributeError, ssl.SSLError, IndexError, ValueError):
        chain: Any = cast("Any", secured)._sslobj.get_unverified_chain() or ()
        last = chain[-1].get_info()
        if issuer := name_issuer(last):
            error.add_note(issuer)
        if len(chain) == 1 and last.get("issuer") != last.get("subject"):
            # Whom an authority itself has signed names no place of its certificate (RFC 5280
            # §4.2.2.1). Else it may be either, where another authority was named.
            names_place = "caIssuers" in last
            vars(error).update(lacks_one=names_place, may_lack_one=names_place or has_authority)


def name_issuer(certificate: Mapping[str, Any]) -> str:
    """The name of the issuer that people know: its own, else its organization's."""
    pairs = [pair for group in certificate.get("issuer", ()) for pair in group]
    for wanted in ("commonName", "organizationalUnitName", "organizationName"):
        for name, value in pairs:
            if name == wanted:
                return str(value)
    return ""
