"""Each address and each spelling of one, and the whole table of who may lead where."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.reach import (
    Zone,
    has_private_name,
    may_lead,
    network_of,
    network_of_literal,
    read_literal,
)

PUBLIC, PRIVATE, LINK_LOCAL, LOOPBACK = Zone

ADDRESSES = {
    PUBLIC: (
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255",
        "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "2606:4700::1111", "2a00::1", "2620:4f:8000::1", "::ffff:8.8.8.8",
        "::8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
        "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
    ),
    PRIVATE: (
        "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1",
        "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.255.255",
        "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "fc00::1", "fdff::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1",
        "2001:2::1", "2001:10::1", "100::1", "64:ff9b:1::7f00:1", "5f00::1", "4000::1",
        "::ffff:10.0.0.1", "::192.168.1.1", "64:ff9b::10.0.0.1", "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe", "::ffff:0:10.0.0.1",
    ),
    LINK_LOCAL: (
        "169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf::1",
        "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
        "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16",
        "::ffff:168.63.129.16",
    ),
    LOOPBACK: (
        "127.0.0.1", "127.255.255.254", "127.0.0.53", "0.0.0.0", "0.1.2.3", "::", "::1", "::1%lo",
        "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:0.0.0.0", "::127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "::ffff:0:127.0.0.1",
    ),
}  # fmt: skip


@pytest.mark.report("S7")
@pytest.mark.parametrize(
    ("address", "network"),
    [(address, network) for network, addresses in ADDRESSES.items() for address in addresses],
)
def test_network_of_an_address(address: str, network: Zone) -> None:
    assert network_of(address) is network


@pytest.mark.report("S7")
@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_where_it_is_in_whatever_it_is_wrapped(address: IPv4Address) -> None:
    network, number = network_of(str(address)), int(address)
    wrapped = (
        0xFFFF << 32 | number,
        0xFFFF << 48 | number,
        number,
        0x64FF9B << 96 | number,
        0x2002 << 112 | number << 80 | 1,
        0x20010000 << 96 | number ^ 0xFFFFFFFF,
    )
    assert {network_of(str(IPv6Address(one))) for one in wrapped} == {network}


@pytest.mark.report("S7")
@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: IPv4Address | IPv6Address) -> None:
    """A second opinion; the other way round ours is the stricter one."""
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        carried = isinstance(address, IPv6Address) and (address.teredo or address.sixtofour)
        assert carried or network_of(str(address)) is not PUBLIC


MAY = {
    # server: without the option, with it
    PUBLIC: ({PUBLIC}, {PUBLIC, PRIVATE, LOOPBACK}),
    PRIVATE: ({PUBLIC, PRIVATE}, {PUBLIC, PRIVATE, LOOPBACK}),
    LINK_LOCAL: ({PUBLIC, PRIVATE, LINK_LOCAL}, {PUBLIC, PRIVATE, LINK_LOCAL, LOOPBACK}),
    LOOPBACK: ({PUBLIC, PRIVATE, LOOPBACK}, {PUBLIC, PRIVATE, LOOPBACK}),
}


@pytest.mark.report("S7")
def test_who_may_lead_where() -> None:
    for server, target, allowed in product(Zone, Zone, (False, True)):
        is_so = may_lead(server, target, private_allowed=allowed)
        assert is_so == (target in MAY[server][allowed]), (server, target, allowed)


LITERALS = {
    "127.0.0.1": (
        "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "0177.0.0.1", "0x7f.1", "0x7F.0.0.1",
        "0x7f000001", "2130706433", "017700000001", "0177.0x0.0.01", "127.0.0.0x1", "0X7f.0.1",
    ),
    "0.0.0.0": ("0", "0.0.0.0", "0x", "0x0.0", "00"),
    "169.254.169.254": ("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376"),
    "10.0.0.1": ("10.0.0.1", "10.1", "0xa.1", "012.0.0.1"),
    "255.255.255.255": ("4294967295", "0xffffffff", "255.0xffffff"),
    "::1": ("::1", "[::1]", "0:0:0:0:0:0:0:1", "::0001", "::1%lo"),
    "::ffff:7f00:1": ("::ffff:127.0.0.1", "[::FFFF:7F00:1]"),
}  # fmt: skip


@pytest.mark.report("S7")
@pytest.mark.parametrize(
    ("host", "address"),
    [(host, address) for address, hosts in LITERALS.items() for host in hosts],
)
def test_address_in_any_spelling(host: str, address: str) -> None:
    read = read_literal(host)
    assert read is not None
    assert read.exploded == type(read)(address).exploded
    assert network_of_literal(host) is network_of(address)


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "example.com", "1.example", "1.2.3.4.5", "256.1.1.1.1", "4294967296", "127.0.0.08",
        "1.256.1.1", "0x7g.1", "127..1", "1..2", "a.1", "0xfffffffff", "1.0x1000000", "::g", ":",
        "127.0.0.1..", "-1",
    ],
)  # fmt: skip
def test_what_is_not_an_address(host: str) -> None:
    assert read_literal(host) is None
    assert network_of_literal(host) is None


@given(st.text(max_size=40))
def test_no_text_is_too_odd(host: str) -> None:
    network_of_literal(host)
    has_private_name(host)


@pytest.mark.report("S7")
@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.LocalHost.", "ip6-localhost",
        "ip6-loopback", "localhost.localdomain",
    ],
)  # fmt: skip
def test_this_machine_by_name(host: str) -> None:
    assert network_of_literal(host) is LOOPBACK


def test_names_are_looked_up_unless_they_tell() -> None:
    for host in ("example.com", "localhost.example.com", "notlocalhost.example", "a.lan.example"):
        assert network_of_literal(host) is None
        assert not has_private_name(host)
    for host in (
        "metadata.google.internal",
        "nas.local.",
        "a.HOME.arpa",
        "wiki",
        "notlocalhost",
        "a.Lan",
    ):
        assert network_of_literal(host) is None
        assert has_private_name(host)
