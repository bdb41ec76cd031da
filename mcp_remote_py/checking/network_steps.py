"""The way to a server, step by step: its address, a proxy, its name, TCP, TLS.

Nothing of HTTP is sent but a proxy's CONNECT. Must not know MCP or sign-ins.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Iterable
from typing import Any, cast

from mcp_remote_py.diagnosis.network_words import (
    NETWORK_TITLES,
    Attempt,
    ShownCertificate,
    add_clock,
    add_names,
    describe_address,
    describe_certificate,
    describe_connections,
    describe_failed_step,
    describe_name,
    describe_no_name,
    describe_no_proxy,
    describe_proxy,
    describe_tls_at_http,
    list_chain,
    skip,
)
from mcp_remote_py.diagnosis.steps import CheckStep, StepState
from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.net.connect import connect, resolve
from mcp_remote_py.net.faults import Fault
from mcp_remote_py.net.mapping import UNKNOWN_NAME, describe_error, explain, find_cause
from mcp_remote_py.net.proxy import connect_through
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.http_proxy import HttpProxy
from mcp_remote_py.tls import build_tls_context

TLS_LOOK = 1.0
"""Seconds to see whether a port for plain http speaks TLS."""

LEAST_ALERT_PATIENCE = 0.3
"""Seconds that are waited at least for what a server says behind the handshake of TLS 1.3."""

_DER = 2  # `_ssl.ENCODING_DER`
_NAME_CODES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


async def check_network(
    settings: ProxySettings, now: float, seconds: float
) -> AsyncGenerator[CheckStep]:
    """Each step in its order; behind one that failed the rest is skipped.

    `now` is in seconds since 1970; `seconds` bounds them all together.
    """
    way = _Way(settings, now, asyncio.get_running_loop().time() + seconds)
    failed = ""
    for name in NETWORK_TITLES:
        if failed:
            yield skip(name, f"Not done, because of this step: {failed}.")
            continue
        step = await getattr(way, name)()
        if step.state is StepState.FAILED:
            failed = NETWORK_TITLES[name]
        yield step


class _Way:
    """What is known so far of the way to a server."""

    def __init__(self, settings: ProxySettings, now: float, end: float) -> None:
        self._server, self._network = settings.server, settings.network
        self._now, self._end = now, end
        self._proxy: HttpProxy | None = None
        self._addresses: list[str] = []
        self._tls_fault: Fault | None = None
        self._seen: list[ssl.SSLObject] = []

    def _left(self) -> float:
        return max(0.05, self._end - asyncio.get_running_loop().time())

    async def address(self) -> CheckStep:
        return describe_address(self._server)

    async def proxy(self) -> CheckStep:
        try:
            self._proxy = self._network.proxy_for(self._server)
        except UsageError as error:
            return describe_failed_step("proxy", error)
        if self._proxy is None:
            names = {name.lower() for name, value in self._network.proxies if value.reveal()}
            wanted = {f"{self._server.scheme}_proxy", "all_proxy"}
            is_listed = bool(names & wanted) and "no_proxy" in names
            return describe_no_proxy(is_listed=is_listed and not self._server.is_loopback)
        clock = asyncio.get_running_loop()
        began = clock.time()
        is_https = self._server.scheme == "https"
        try:
            async with asyncio.timeout(self._left()):
                connection = await connect_through(
                    self._proxy,
                    self._server,
                    self._build_tls() if is_https else None,
                    lambda: build_tls_context(self._network.tls, certified=False),
                    self._left() * 0.9,
                    ipv4=self._network.ipv4,
                )
            try:
                await connection.hear_refusal(self._alert_patience(began))
            except Fault as error:
                error.proxy, error.is_beyond = self._proxy.name, True
                self._tls_fault = error
            finally:
                connection.close()
        except Fault as error:
            if not error.is_beyond:
                return self._fail("proxy", error, clock.time() - began)
            self._tls_fault = error
        except (TimeoutError, UsageError) as error:
            return self._fail("proxy", error, clock.time() - began)
        return describe_proxy(self._proxy.name, has_tunnel=is_https, seconds=clock.time() - began)

    async def name(self) -> CheckStep:
        if self._proxy is not None:
            return skip("name", "The proxy looks the name up.")
        clock = asyncio.get_running_loop()
        began, host = clock.time(), self._server.host
        family = socket.AF_INET if self._network.ipv4 else socket.AF_UNSPEC
        try:
            async with asyncio.timeout(self._left()):
                self._addresses = await resolve(host, self._server.port, family)
        except socket.gaierror as error:
            is_unknown = error.errno in UNKNOWN_NAME
            return describe_no_name(host, error.strerror or "", is_unknown=is_unknown)
        except OSError:  # a time-out is one
            return describe_no_name(host, "no answer in time", is_unknown=False)
        return describe_name(host, self._addresses, clock.time() - began)

    async def connection(self) -> CheckStep:
        if self._proxy is not None:
            return skip("connection", "The proxy connects to the server.")
        clock = asyncio.get_running_loop()
        began, port = clock.time(), self._server.port
        attempts = await asyncio.gather(*(self._try(one) for one in self._addresses))
        return describe_connections(port, attempts, clock.time() - began)

    async def _try(self, address: str) -> Attempt:
        clock = asyncio.get_running_loop()
        began, fault = clock.time(), ""
        try:
            async with asyncio.timeout(self._left() / 2):
                _, writer = await asyncio.open_connection(address, self._server.port)
            writer.transport.abort()
        except TimeoutError:
            fault = "no answer in time"
        except OSError as error:
            fault = describe_error(error)
        return Attempt(address, fault, clock.time() - began)

    async def certificate(self) -> CheckStep:
        if self._server.scheme == "http":
            if self._proxy is None and await self._speaks_tls():
                return describe_tls_at_http(self._server)
            return skip("certificate", "Plain http has no certificate.")
        error: Exception | None = self._tls_fault
        if self._proxy is None:
            try:
                await self._shake_hands(self._build_tls(), self._left(), hears=True)
            except (Fault, UsageError) as fault:
                error = fault
        chain = self._read_chain()
        evidence = [*self._list_tls(), *list_chain(chain, self._now), *self._list_trust()]
        if error is None:
            version = (self._seen[-1].version() if self._seen else None) or "TLS"
            return describe_certificate(version, chain, evidence, self._now)
        step = self._fail("certificate", error, None)
        said = step.said
        refused = find_cause(error, ssl.SSLCertVerificationError)
        if refused is not None:
            said = add_clock(said, chain, self._now)
            if refused.verify_code in _NAME_CODES:
                said = add_names(said, chain)
        return step.replace(said=said, evidence=tuple(evidence))

    async def _shake_hands(
        self, context: ssl.SSLContext, seconds: float, *, hears: bool = False
    ) -> None:
        """`hears`: what is said only behind the handshake, too."""
        server, began = self._server, asyncio.get_running_loop().time()
        wire = await connect(server.host, server.port, seconds, ipv4=self._network.ipv4)
        try:
            await wire.start_tls(context, server.host, seconds)
            if hears:
                await wire.hear_refusal(self._alert_patience(began))
        finally:
            wire.close()

    def _alert_patience(self, began: float) -> float:
        """Seconds for an alert behind the handshake, on a connection that was begun then.

        It needs one round trip, and the connection has needed several; only TLS 1.3 has any.
        """
        if not self._seen or self._seen[-1].version() != "TLSv1.3":
            return 0.0
        took = asyncio.get_running_loop().time() - began
        return min(max(took, LEAST_ALERT_PATIENCE), self._left())

    async def _speaks_tls(self) -> bool:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Nothing is sent on it: only whether TLS comes about is looked at.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            await self._shake_hands(context, min(TLS_LOOK, self._left()))
        except Fault:
            return False
        return True

    def _build_tls(self) -> ssl.SSLContext:
        """The relay's own; what it makes is kept, to read the certificates that were shown."""
        context = build_tls_context(self._network.tls)
        wrap = context.wrap_bio

        def keep(*arguments: Any, **more: Any) -> ssl.SSLObject:
            self._seen.append(wrap(*arguments, **more))
            return self._seen[-1]

        cast("Any", context).wrap_bio = keep
        return context

    def _read_chain(self) -> list[ShownCertificate]:
        chain: Any = ()
        if self._seen:
            with contextlib.suppress(AttributeError, ssl.SSLError, ValueError):
                chain = cast("Any", self._seen[-1])._sslobj.get_unverified_chain() or ()
        return read_chain([one.public_bytes(_DER) for one in chain])

    def _list_tls(self) -> list[str]:
        if not self._seen or self._seen[-1].version() is None:
            return []  # it did not come about, or is over
        alpn = self._seen[-1].selected_alpn_protocol() or "none"
        return [f"TLS: {self._seen[-1].version()}; ALPN: {alpn}"]

    def _list_trust(self) -> list[str]:
        tls = self._network.tls
        lines = ["trusted: the system's store"]
        lines += [f"trusted: {path} (a file that was named)" for path in tls.ca_certs]
        names = " or ".join(self._network.ca_variables) or "the environment"
        return lines + [f"trusted: {path} (from {names})" for path in tls.optional_ca_certs]

    def _fail(self, name: str, error: Exception, seconds: float | None) -> CheckStep:
        said = explain(error, sent=False, where=self._server.origin)
        if not isinstance(said, McpRemoteError):
            said = UsageError("It took too long.", hint="Check the network, and try again.")
        return describe_failed_step(name, said, (), seconds)


def read_chain(chain: Iterable[bytes]) -> list[ShownCertificate]:
    """What certificates in DER form say, up to the first that cannot be read: OpenSSL takes more.

    Nobody need have checked them, so whatever is wrong with one is the server's fault, not ours.
    """
    shown: list[ShownCertificate] = []
    for der in chain:
        try:
            shown.append(_read_certificate(der))
        except Exception:  # some of its classes are not a ValueError
            break
    return shown


def _read_certificate(der: bytes) -> ShownCertificate:
    from cryptography import x509

    one = x509.load_der_x509_certificate(der)
    names: list[str] = []
    with contextlib.suppress(Exception):  # as above: there are none, or they cannot be read
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += found.get_values_for_type(x509.DNSName)
        names += map(str, found.get_values_for_type(x509.IPAddress))
    return ShownCertificate(
        one.subject.rfc4514_string(),
        one.issuer.rfc4514_string(),
        one.not_valid_before_utc.timestamp(),
        one.not_valid_after_utc.timestamp(),
        tuple(names),
    )
