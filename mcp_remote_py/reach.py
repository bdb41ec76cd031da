"""Into which networks the word of an MCP server may lead: those it is in itself, and the internet.

A server names URLs, we send requests to them and the person's browser is sent there. Without a
rule anybody on the internet would reach, through us, what only this machine or its network can.
What is judged is an address, in whatever way a name or an odd spelling led to it. Pure: nothing
is looked up here. Must not know URLs, sockets or who asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from mcp_remote_py.patterns import lazy_pattern

Address = IPv4Address | IPv6Address


class Zone(Enum):
    """The kind of network that an address is in; the value says it in a sentence."""

    PUBLIC = "on the internet"
    PRIVATE = "in a private network"
    """Of a company, a home or a provider; also every address that is not one of the internet."""
    LINK_LOCAL = "on this machine's own link"
    """Also where clouds answer their machines, with credentials of theirs."""
    LOOPBACK = "on this machine"


def may_lead(server: Zone, target: Zone, *, private_allowed: bool) -> bool:
    """Whether an MCP server that is in `server` may lead us to an address in `target`.

    `private_allowed` is the person's word (`--allow-private-network`): it opens private networks
    and this machine. It never opens the link, where nobody signs people in, and where clouds keep
    credentials that answer whoever asks.
    """
    match target:
        case Zone.PUBLIC:
            return True
        case Zone.LINK_LOCAL:
            return server is Zone.LINK_LOCAL
        case Zone.PRIVATE:
            return private_allowed or server is not Zone.PUBLIC
        case Zone.LOOPBACK:
            return private_allowed or server is Zone.LOOPBACK


# Addresses (IANA's registries of special-purpose addresses, RFC 6890) ------------------------

_THIS_MACHINE = (ip_network("127.0.0.0/8"), ip_network("0.0.0.0/8"), ip_network("::/127"))
"""Systems connect 0.0.0.0 and :: to themselves."""
_LINK = tuple(map(ip_network, ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32")))
"""The last is Amazon's own, beside 169.254.0.0/16."""
_OF_CLOUDS = frozenset(
    map(
        ip_address,
        # Google, Alibaba, Oracle, Azure: beside 169.254.169.254, for their machines only.
        ("fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    )
)
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",  # of providers (RFC 6598), and of many VPNs
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",  # for measurements, and what some VPNs give every name
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",  # groups, and what is reserved
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
        ),
    )
)
_PUBLIC = (ip_network("0.0.0.0/0"), ip_network("2000::/3"))
"""All that is given out on the internet, beside the above; other IPv6 is local or reserved."""

_CARRIERS = (
    (ip_network("::ffff:0:0/96"), 0, 0),  # mapped: the IPv4 address itself
    (ip_network("::ffff:0:0:0/96"), 0, 0),  # translated (RFC 2765)
    (ip_network("::/96"), 0, 0),  # compatible (RFC 4291 §2.5.5.1)
    (ip_network("64:ff9b::/96"), 0, 0),  # NAT64 (RFC 6052)
    (ip_network("2002::/16"), 80, 0),  # 6to4 (RFC 3056)
    (ip_network("2001::/32"), 0, 0xFFFFFFFF),  # Teredo (RFC 4380): inverted
)
"""IPv6 networks whose addresses stand for an IPv4 address: the bits behind it, and those turned."""


def network_of(address: str) -> Zone:
    """The network of an IP address as the system writes it, with or without a zone behind `%`.

    An IPv6 address that stands for an IPv4 address is where that one is. A NAT64 with a prefix of
    its own cannot be told from the internet.
    """
    parsed = ip_address(address.partition("%")[0])
    for carrier, behind, turned in _CARRIERS:
        if parsed in carrier:
            parsed = IPv4Address(int(parsed) >> behind & 0xFFFFFFFF ^ turned)
    if parsed in _OF_CLOUDS or _is_in(_LINK, parsed):
        return Zone.LINK_LOCAL
    if _is_in(_THIS_MACHINE, parsed):
        return Zone.LOOPBACK
    is_public = _is_in(_PUBLIC, parsed) and not _is_in(_NOT_PUBLIC, parsed)
    return Zone.PUBLIC if is_public else Zone.PRIVATE


def _is_in(networks: Iterable[IPv4Network | IPv6Network], address: Address) -> bool:
    return any(address in network for network in networks)


# Hosts that tell their network without a look-up ---------------------------------------------

_NUMBER = lazy_pattern(r"0x[0-9a-f]*|[0-9]+")
_THIS_MACHINE_NAMES = frozenset(
    {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"}
)
"""RFC 6761 §6.3, and what systems write into their list of hosts."""
_PRIVATE_ENDINGS = (
    *(".internal", ".local", ".home.arpa"),  # ICANN 2024, RFC 6762, RFC 8375
    *(".corp", ".home", ".intranet", ".lan", ".mail", ".private"),  # RFC 6762 G, ICANN 2018
)
"""Top-level names that never are on the internet, and that networks use for themselves."""


def read_literal(host: str) -> Address | None:
    """The address that `host` of a URL is, in every spelling that browsers and resolvers read.

    127.1, 0177.0.0.1, 0x7f000001 and 2130706433 are 127.0.0.1 (inet_aton of POSIX; the URL
    standard of browsers, "IPv4 parser"). None for a name.
    """
    host = host.strip("[]").partition("%")[0].lower()
    if ":" in host:
        try:
            return ip_address(host)
        except ValueError:
            return None
    words = host.removesuffix(".").split(".")
    if len(words) > 4 or not all(map(_NUMBER.fullmatch, words)):
        return None
    try:
        *numbers, last = map(_read_number, words)
    except ValueError:  # an 8 or a 9 in an octal number
        return None
    if any(number > 0xFF for number in numbers) or last >= 256 ** (5 - len(words)):
        return None
    return IPv4Address(last + sum(number << 24 - 8 * at for at, number in enumerate(numbers)))


def _read_number(word: str) -> int:
    if word.startswith("0x"):
        return int(word[2:] or "0", 16)
    return int(word, 8 if word.startswith("0") else 10)


def network_of_literal(host: str) -> Zone | None:
    """The network of a host that is an address or this machine by its name; None of other names.

    Whatever may be this machine is. `ServerUrl.is_loopback` permits what would be unsafe elsewhere,
    and so asks for what surely is.
    """
    address = read_literal(host)
    if address is not None:
        return network_of(str(address))
    name = host.lower().removesuffix(".")
    if name in _THIS_MACHINE_NAMES or name.endswith(".localhost"):
        return Zone.LOOPBACK
    return None


def has_private_name(host: str) -> bool:
    """Whether the name of `host` is one that only private networks give.

    So is one without a dot (ICANN 2013): a search list completes it.
    """
    name = host.lower().removesuffix(".")
    return name.endswith(_PRIVATE_ENDINGS) or not set(".:") & set(name)
