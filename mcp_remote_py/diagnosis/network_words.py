"""The sentences of a check on the way to a server: address, proxy, name, connection, certificate.

Pure. Must not know how anything is looked up or connected to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, tell_step
from mcp_remote_py.errors import McpRemoteError, shorten
from mcp_remote_py.reach import network_of
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.network import CA_VARIABLES
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value

NETWORK_TITLES = {
    "address": "Address",
    "proxy": "HTTP proxy",
    "name": "Name",
    "connection": "Connection",
    "certificate": "Certificate",
}
"""By the name of a step, in the order in which they are done."""

FEW_DAYS = 14
"""A certificate that ends sooner is worth a word."""

MOST_SHOWN_NAMES = 10
"""Names of a certificate that are told: some have a hundred."""

_DAY = 86400


class ShownCertificate(Value, frozen=True):
    """What a certificate says; nobody need have checked it. Times in seconds since 1970."""

    subject: str
    issuer: str
    begins: float
    ends: float
    names: tuple[str, ...] = ()


class Attempt(Value, frozen=True):
    """One address that was connected to; `fault` is the system's words, "" where it answered."""

    address: str
    fault: str
    seconds: float


def _make(
    name: str,
    state: StepState,
    said: str,
    evidence: Sequence[str] = (),
    hint: str = "",
    seconds: float | None = None,
) -> CheckStep:
    return tell_step(name, NETWORK_TITLES[name], state, said, evidence, hint, seconds)


def skip(name: str, why: str) -> CheckStep:
    """A step that is not done."""
    return _make(name, StepState.SKIPPED, why)


def describe_failed_step(
    name: str, error: McpRemoteError, evidence: Sequence[str] = (), seconds: float | None = None
) -> CheckStep:
    """A step that failed, in the relay's own words."""
    return _make(name, StepState.FAILED, error.cause, evidence, error.hint or "", seconds)


def name_variables(step: CheckStep, variables: Collection[str]) -> CheckStep:
    """The same, with which of the variables it goes by are set by the entry; these are its own."""
    named: list[str] = []
    if step.name == "proxy":
        named = [one for one in variables if one.upper().endswith("_PROXY") and one in step.said]
    elif step.name == "certificate" and step.state is not StepState.SKIPPED:
        named = [one for one in variables if one in CA_VARIABLES]
    if not named:
        return step
    verb = "is" if len(named) == 1 else "are"
    return step.replace(said=f'{step.said} {", ".join(named)} {verb} from "env" of the entry.')


def describe_address(server: ServerUrl) -> CheckStep:
    """The URL as it was understood."""
    evidence = [f"host: {server.host}", f"port: {server.port}"]
    url = mask_url(server.origin + server.target)
    if server.scheme == "http" and not server.is_loopback:
        return _make(
            "address",
            StepState.NOTED,
            f"The address is {url}; what is sent there is not encrypted.",
            evidence,
            "Use https:// if the server has it.",
        )
    return _make("address", StepState.PASSED, f"The address is {url}.", evidence)


def describe_no_proxy(*, is_listed: bool) -> CheckStep:
    """The server is reached directly; `is_listed`: a proxy is set, and not for this address."""
    said = "No proxy is set for this address."
    if is_listed:
        said = "A proxy is set, and NO_PROXY names this host: it is reached directly."
    return _make("proxy", StepState.PASSED, said)


def describe_proxy(name: str, *, has_tunnel: bool, seconds: float) -> CheckStep:
    """A proxy that answers; `name` has its address and its variable."""
    does = "lets us through to the server" if has_tunnel else "answers"
    return _make("proxy", StepState.PASSED, f"The HTTP proxy {name} {does}.", (), "", seconds)


def describe_name(host: str, addresses: Sequence[str], seconds: float) -> CheckStep:
    """The addresses that a name has."""
    evidence = [
        f"{'IPv6' if ':' in one else 'IPv4'}: {one} ({network_of(one).value})" for one in addresses
    ]
    return _make("name", StepState.PASSED, f"{host} was found.", evidence, "", seconds)


def describe_no_name(host: str, words: str, *, is_unknown: bool) -> CheckStep:
    """A look-up that failed: there is none, or nobody could be asked."""
    evidence = [f"the system says: {words}"]
    if is_unknown:
        said, hint = f"The name {host} does not exist.", "Check the host of the URL."
        hint += " If it is a name of your company, check whether a VPN is needed."
    else:
        said = f"The name {host} cannot be looked up now."
        hint = "Check the network and its name server, and try again."
    return _make("name", StepState.FAILED, said, evidence, hint)


def describe_connections(port: int, attempts: Sequence[Attempt], seconds: float) -> CheckStep:
    """TCP with each address, tried on its own."""
    evidence = [
        f"{one.address} port {port}: {one.fault or 'connected'} ({one.seconds:.2f} s)"
        for one in attempts
    ]
    good = [one for one in attempts if not one.fault]
    dead = [one for one in attempts if one.fault]
    if not good:
        faults = "; ".join(dict.fromkeys(one.fault for one in dead))
        said = f"No connection to port {port}: {faults}."
        hint = "Check the URL, the network and whether a VPN or proxy is needed."
        if all(one.fault == "Connection refused" for one in dead):
            hint = "Nothing listens at that port: check the port of the URL, and that it runs."
        return _make("connection", StepState.FAILED, said, evidence, hint, seconds)
    if dead and all(":" in one.address for one in dead) and any(":" not in o.address for o in good):
        said = "The server answers over IPv4, and not over IPv6."
        hint = "Add --ipv4 if connecting is slow."
        return _make("connection", StepState.NOTED, said, evidence, hint, seconds)
    if dead:
        said = f"{len(good)} of {len(attempts)} addresses answer at port {port}."
        return _make("connection", StepState.NOTED, said, evidence, "", seconds)
    said = f"Something answers at port {port}."
    return _make("connection", StepState.PASSED, said, evidence, "", seconds)


def describe_tls_at_http(server: ServerUrl) -> CheckStep:
    """A port that speaks TLS, with a URL that says http."""
    said = f"Port {server.port} speaks TLS, and the URL says http://."
    return _make("certificate", StepState.FAILED, said, (), "Write https:// in the URL.")


def list_chain(chain: Sequence[ShownCertificate], now: float) -> list[str]:
    """Lines of evidence on the certificates that were shown, the server's first."""
    lines: list[str] = []
    for one in chain:
        days = int((one.ends - now) // _DAY)
        lines.append(f"certificate of: {shorten(one.subject)}; signed by: {shorten(one.issuer)}")
        lines.append(f"valid: {_show(one.begins)} to {_show(one.ends)} ({days} days left)")
        if one.names:
            lines.append(f"for: {_list_names(one.names)}")
    return lines


def describe_certificate(
    version: str, chain: Sequence[ShownCertificate], evidence: Sequence[str], now: float
) -> CheckStep:
    """TLS that came about."""
    days = int((chain[0].ends - now) // _DAY) if chain else FEW_DAYS
    if days < FEW_DAYS:
        left = "1 day" if days == 1 else f"{days} days"
        said = f"The server's certificate is trusted, and ends in {left}."
        return _make(
            "certificate", StepState.NOTED, said, evidence, "Tell whoever runs the server."
        )
    return _make(
        "certificate", StepState.PASSED, f"The certificate is trusted ({version}).", evidence
    )


def add_clock(cause: str, chain: Sequence[ShownCertificate], now: float) -> str:
    """The cause, with this machine's clock where the certificate's dates are what is wrong."""
    if chain and not chain[0].begins <= now <= chain[0].ends:
        valid = f"It is valid from {_show(chain[0].begins)} to {_show(chain[0].ends)}"
        return f"{cause} {valid}; your clock says {_show(now)}."
    return cause


def add_names(cause: str, chain: Sequence[ShownCertificate]) -> str:
    """The cause, with the names that the certificate is for."""
    return (
        f"{cause} It is for {_list_names(chain[0].names)}." if chain and chain[0].names else cause
    )


def _list_names(names: Sequence[str]) -> str:
    shown = [shorten(one) for one in names[:MOST_SHOWN_NAMES]]
    more = f" and {len(names) - MOST_SHOWN_NAMES} more" if len(names) > MOST_SHOWN_NAMES else ""
    return f"{', '.join(shown)}{more}"


def _show(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
