"""Which answers redirect, and where a request may follow: as tables, without a socket."""

from __future__ import annotations

import pytest

from mcp_remote_py.errors import Unusable
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.transports.redirects import (
    MAX_REDIRECTS,
    find_redirect,
    follow,
    is_kept,
    is_upgrade,
)


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("status", "headers", "location"),
    [
        *((status, {b"location": b"/other"}, "/other") for status in (301, 302, 303, 307, 308)),
        (307, {b"location": b"/my server/mcp"}, "/my%20server/mcp"),
        (302, {}, None),
        *((status, {b"location": b"/other"}, None) for status in (200, 201, 300, 304, 305, 401)),
    ],
)
def test_which_answer_redirects(
    status: int, headers: dict[bytes, bytes], location: str | None
) -> None:
    assert find_redirect(status, headers) == location


@pytest.mark.report("S14")
@pytest.mark.parametrize(
    ("url", "following", "is_one"),
    [
        ("http://h/mcp", "https://h/other", True),
        ("http://h:8080/", "https://h/", True),
        ("http://h:8080/", "https://h:8080/", True),
        ("http://h:8080/", "https://H:443/", True),
        ("http://h/", "https://h:80/", True),
        ("http://h/", "https://h:8443/", False),
        ("http://h:8080/", "https://h:8443/", False),
        ("http://h/", "https://h.example/", False),
        ("http://h/", "https://a.h/", False),
        ("https://h/", "http://h/", False),
        ("https://h:8443/", "https://h/", False),
        ("http://h:443/", "http://h/", False),
    ],
)
def test_what_is_an_upgrade(url: str, following: str, is_one: bool) -> None:
    assert is_upgrade(parse_server_url(url, True), parse_server_url(following, True)) is is_one


def lead(url: str, location: str, status: int = 307, method: bytes = b"POST") -> str:
    return str(follow(parse_server_url(url, True), method, status, location, 1))


def refused(url: str, location: str, status: int = 307) -> str:
    with pytest.raises(Unusable) as caught:
        lead(url, location, status)
    assert caught.value.hint
    assert caught.value.status is None  # no evidence on the transport
    return caught.value.sentence()


@pytest.mark.report("T16")
@pytest.mark.parametrize(
    ("url", "location", "followed"),
    [
        ("https://h/mcp", "http://h/mcp/", "https://h/mcp/"),
        ("https://h/mcp", "HTTP://H:80/mcp/?a=b", "https://h/mcp/?a=b"),
        ("https://h:8443/mcp", "http://h:8443/mcp/", "https://h:8443/mcp/"),
        ("https://h:8443/mcp", "http://h/mcp/", "https://h:8443/mcp/"),
        ("https://h/mcp", "https://h/mcp/", "https://h/mcp/"),
    ],
)
def test_https_is_kept_at_the_same_host(url: str, location: str, followed: str) -> None:
    assert lead(url, location) == followed


@pytest.mark.parametrize(
    ("url", "location", "followed"),
    [
        ("https://h/mcp", "http://h:8080/mcp/", "https://h/mcp/"),
        ("https://h/mcp", "https://h:8443/mcp/", "https://h/mcp/"),
        ("https://h/mcp?a=b", "http://h:8080/mcp/?a=b", "https://h/mcp/?a=b"),
        ("https://h/mcp/", "https://h:8443/mcp", "https://h/mcp"),
        ("http://h:81/mcp", "http://h:8080/mcp/", "http://h:81/mcp/"),
        ("http://h:81/mcp", "http://h/mcp/", "http://h:81/mcp/"),
    ],
)
def test_the_port_is_kept_where_only_a_slash_is_meant(
    url: str, location: str, followed: str
) -> None:
    """A server behind a mapped port names its own: nothing leaves the origin for it."""
    assert lead(url, location) == followed
    assert is_kept(parse_server_url(url, True), location, parse_server_url(followed, True))


@pytest.mark.parametrize(
    ("url", "location"),
    [("http://h/mcp", "https://h/mcp/"), ("http://h:8080/mcp/", "https://h:8080/mcp")],
)
def test_what_leads_to_https_is_followed_there_with_a_slash_too(url: str, location: str) -> None:
    """The headers have gone in clear once, which is once too often."""
    assert lead(url, location) == location


@pytest.mark.promise("S2")
@pytest.mark.parametrize("url", ["http://h/mcp", "http://h:8080/mcp"])
def test_what_wants_https_at_another_port_is_not_asked_in_clear_again(url: str) -> None:
    assert "another place" in refused(url, "https://h:8443/mcp/")


@pytest.mark.parametrize(
    "location",
    [
        "https://h:8443/mcp",
        "https://h:8443/mcp//",
        "https://h:8443/mcp/?a=b",
        "https://h:8443/Mcp/",
        "https://h2:8443/mcp/",
        "http://h2/mcp/",
    ],
)
def test_any_other_place_at_another_port_is_another_place(location: str) -> None:
    assert "another place" in refused("https://h/mcp", location)


@pytest.mark.report("T16")
def test_what_would_go_round_in_plain_http_is_told() -> None:
    assert refused("https://h/mcp", "http://h/mcp") == (
        "The server redirects (HTTP 307) to plain http at the same address, http://h/mcp: nothing "
        "is sent there in clear. It does not know that it is reached by https: whoever runs it has "
        "to have its proxy say so (X-Forwarded-Proto)."
    )


@pytest.mark.report("T16")
@pytest.mark.parametrize(
    "location", ["http://h:8080/mcp", "http://other/mcp", "//a.h/", "http://h."]
)
def test_plain_http_elsewhere_is_not_advised(location: str) -> None:
    words = refused("https://h/mcp", location)
    assert "another place" in words
    assert ("config entry" in words) is location.startswith("//")


@pytest.mark.report("T16")
@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://team.cloudflareaccess.com/cdn-cgi/access/login/h?kid=1", "Cloudflare Access"),
        ("https://vercel.com/sso-api?url=x", "Vercel"),
        ("https://h2/oauth2/start?rd=x", "oauth2-proxy"),
        ("https://login.microsoftonline.com/t/oauth2/v2.0/authorize", "Microsoft"),
        ("https://accounts.google.com/o/oauth2/v2/auth", "Google"),
        ("https://sso.example.com/", "a sign-in page for people"),
        ("https://example.com/users/sign_in", "a sign-in page for people"),
        ("http://portal.hotel/login.html?to=x", "a sign-in page for people"),
    ],
)
def test_redirect_to_a_sign_in_elsewhere_is_named(location: str, named: str) -> None:
    words = refused("https://h/mcp", location, 302)
    assert named in words
    assert "config entry" not in words


@pytest.mark.report("T16")
def test_redirects_that_always_end_at_a_sign_in_name_it() -> None:
    url = parse_server_url("https://h/login")
    with pytest.raises(Unusable) as caught:
        follow(url, b"POST", 302, "/login", MAX_REDIRECTS + 1)
    assert "a sign-in page for people, https://h/login" in caught.value.cause
    assert "--header" in caught.value.hint


@pytest.mark.report("T16")
def test_redirect_by_303_to_a_sign_in_of_its_own() -> None:
    assert "a sign-in page for people" in refused("https://h/mcp", "/login?next=/mcp", 303)


@pytest.mark.report("T16")
@pytest.mark.parametrize(
    "location", ["https://blog.example/x", "https://x/plugin", "https://x/assort/"]
)
def test_another_place_is_no_sign_in(location: str) -> None:
    assert "another place" in refused("https://h/mcp", location)


@pytest.mark.report("T16")
def test_a_place_that_is_very_long_is_not_looked_at_and_not_shown() -> None:
    url = parse_server_url("https://h/mcp")
    assert follow(url, b"POST", 307, "/" + "a" * 7999, 1).target == "/" + "a" * 7999
    for status in (303, 307):
        with pytest.raises(Unusable) as caught:
            follow(url, b"POST", status, "https://login.example/" + "a/" * 30_000, 1)
        assert caught.value.cause == (
            f"The server redirects (HTTP {status}) to a place that is 60022 characters long."
        )
