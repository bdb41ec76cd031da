"""A URL is the same to everybody who reads it, and what is wrong with one has a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.url import InvalidUrl, ServerUrl, UrlFault, parse_origin, parse_port, parse_url


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://example.com", ServerUrl("http", "example.com", 80, "/")),
        ("HTTPS://Example.COM:8443/A?b=C#d", ServerUrl("https", "example.com", 8443, "/A?b=C")),
        ("https://[2001:DB8::0:1]/x", ServerUrl("https", "2001:db8::1", 443, "/x")),
        ("https://bücher.example/ü", ServerUrl("https", "xn--bcher-kva.example", 443, "/%C3%BC")),
    ],
)
def test_a_url_is_taken_apart(text: str, url: ServerUrl) -> None:
    assert parse_url(text) == url
    assert parse_url(str(url)) == url
    assert parse_origin(text) == url.replace(target="/")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", UrlFault.EMPTY),
        ("https://e.com/a b", UrlFault.BLANK),
        ("e.com/mcp", UrlFault.NO_SCHEME),
        ("javascript://e.com/", UrlFault.OTHER_SCHEME),
        ("https://user:hunter22@e.com/", UrlFault.USER_INFO),
        ("https:///mcp", UrlFault.NO_HOST),
        ("https://a..b/", UrlFault.HOST),
        ("https://2001:db8::1/", UrlFault.COLONS),
        ("https://[127.0.0.1]/", UrlFault.BRACKETS),
        ("https://[::1]x/", UrlFault.BEHIND_BRACKET),
        ("https://e.com:65536/", UrlFault.PORT),
        ("https://e.com/\ud800", UrlFault.CHARACTER),
    ],
)
def test_what_is_wrong_has_a_name_and_the_text_is_not_repeated(text: str, fault: UrlFault) -> None:
    with pytest.raises(InvalidUrl) as caught:
        parse_url(text)
    assert caught.value.fault is fault
    assert caught.value.sentence() == f"The URL {fault.value}."


def test_every_fault_can_be_told() -> None:
    assert all(fault.value.split()[0] in ("is", "has", "contains", "does") for fault in UrlFault)


@pytest.mark.promise("S2")
@given(st.text())
def test_any_text_is_a_url_or_has_a_fault(text: str) -> None:
    for word in (text, f"https://{text}", f"https://e.com/{text}"):
        try:
            url = parse_url(word)
        except InvalidUrl:
            continue
        assert str(url).isascii()
        assert parse_url(str(url)) == url


def test_an_origin_does_not_look_at_the_path() -> None:
    assert parse_origin("https://e.com:444/a b?c").origin == "https://e.com:444"
    with pytest.raises(InvalidUrl):
        parse_origin("https://e com/")


def test_only_what_surely_is_this_machine_is_loopback() -> None:
    sure = ("localhost", "localhost.", "a.localhost", "127.0.0.1", "127.255.1.9", "[::1]")
    doubtful = ("127.1", "0.0.0.0", "localhost.localdomain", "[::ffff:127.0.0.1]", "[::2]")
    for host in (*sure, *doubtful):
        url = parse_url(f"http://{host}/")
        assert url.is_loopback is url.is_protected is (host in sure)
        assert parse_url(f"https://{host}/").is_protected


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "1.0", "000443", "٣"])
def test_what_is_not_a_port(text: str) -> None:
    with pytest.raises(InvalidUrl):
        parse_port(text)
    assert parse_port("65535") == 65535
