"""Pages that stand before a server are said for what they are; pure, and from a real server."""

from __future__ import annotations

import pytest

from mcp_remote_py.errors import ExchangeError, Unusable
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.transports.pages import CHECKS, FORMS, SIGN_INS, find_check, find_sign_in
from mcp_remote_py.transports.refusal import explain_content, explain_refusal
from tests.fakes import run
from tests.peers.wild_server import WildServer, answer_html, redirect
from tests.transports.test_streamable import INITIALIZE, Scene

WHERE = "https://h/mcp"

PAGES: list[tuple[str, dict[bytes, bytes], bytes]] = [
    ("Cloudflare", {b"cf-mitigated": b"challenge"}, b""),
    ("Cloudflare", {}, b"<!DOCTYPE html><html><title>Just a moment...</title>"),
    ("Cloudflare", {}, b"<html><head><title>Attention Required! | Cloudflare</title>"),
    ("AWS WAF", {b"x-amzn-waf-action": b"challenge"}, b""),
    ("Vercel", {b"x-vercel-mitigated": b"challenge"}, b""),
    ("DataDome", {}, b"<script src='https://ct.captcha-delivery.com/c.js'></script>"),
    ("Imperva", {}, b"<html><iframe src='/_Incapsula_Resource?x'></iframe>"),
    ("Akamai", {}, b"<HTML><BODY><H1>Access Denied</H1>\n<P>You don't have permission"),
    ("Anubis", {}, b"<html><title>Making sure you&#39;re not a bot!</title>"),
    ("The warning of ngrok", {b"ngrok-error-code": b"ERR_NGROK_6024"}, b""),
    ("Akamai", {}, b"<HTML><BODY><H1>Access Denied</H1>\n \nYou don't have permission to access"),
    ("Cloudflare's firewall", {}, b"<title>Access denied | x.example used Cloudflare to restrict"),
    ("Cloudflare's firewall", {b"content-type": b"text/plain"}, b"error code: 1010\n"),
    ("F5's", {}, b"<html>The requested URL was rejected. Please consult with your administrator."),
    ("Sucuri", {}, b"<title>Sucuri WebSite Firewall - Access Denied</title>"),
    ("FortiWeb", {}, b"<html><title>Web Page Blocked</title>"),
    ("Kasada", {b"x-kpsdk-ct": b"abc"}, b""),
    ("Vercel's protection", {b"set-cookie": b"_vercel_sso_nonce=x"}, b""),
    ("The warning of localtunnel", {}, b"<html>set bypass-tunnel-reminder"),
    ("The page of ngrok", {b"ngrok-error-code": b"ERR_NGROK_3200"}, b""),
    ("The page of ngrok", {}, b"<html>ERR_NGROK_8012"),
]

FORMS_SEEN = [
    ("A page of single sign-on", b"<form><input type=hidden name='SAMLRequest' value='x'></form>"),
    ("A sign-in page for people", b"<html><title>Login - Acme</title>"),
    ("A sign-in page for people", b"<html><title>Sign in</title>"),
]


def explain(status: int, headers: dict[bytes, bytes], body: bytes) -> ExchangeError:
    if status < 300:
        kind = headers.get(b"content-type", b"text/html").decode()
        return explain_content(status, kind, body, where=WHERE, headers=headers)
    return explain_refusal(
        status,
        headers,
        body,
        where=WHERE,
        session_sent=True,
        request=None,
        credential_sent=True,
        now=0.0,
    )


@pytest.mark.report("T16")
@pytest.mark.parametrize("status", [200, 202, 403, 404, 405, 429, 503])
@pytest.mark.parametrize(("name", "headers", "body"), PAGES)
def test_check_for_browsers_is_named_whatever_its_status(
    name: str, headers: dict[bytes, bytes], body: bytes, status: int
) -> None:
    error = explain(status, headers, body)
    assert type(error) is Unusable
    assert error.cause.startswith(name)
    assert f" stands before the server (HTTP {status} from {WHERE}" in error.cause
    assert error.hint
    assert error.status is None  # the server has not said anything
    assert "--scope" not in error.sentence()


@pytest.mark.report("T16")
@pytest.mark.parametrize(("name", "body"), FORMS_SEEN)
def test_page_that_asks_who_one_is_is_named(name: str, body: bytes) -> None:
    for status in (200, 401, 403):
        assert explain(status, {b"content-type": b"text/html"}, body).cause.startswith(name)
    for status in (404, 405, 503):
        assert "stands before" not in explain(status, {}, body).cause, "sites have it everywhere"


@pytest.mark.report("T16")
def test_where_a_redirect_led_says_more_than_the_form_that_is_there() -> None:
    server, there = map(parse_server_url, ("https://h/mcp", "https://acme.okta.com/login"))
    error = explain_content(
        200,
        "text/html",
        FORMS_SEEN[2][1],
        where=WHERE,
        sign_in_page=find_sign_in(there, server),
    )
    assert error.cause.startswith("The server redirects to a sign-in page for people (HTTP 200")


@pytest.mark.report("T16")
def test_page_that_nobody_knows_is_not_a_matter_of_scopes() -> None:
    error = explain(403, {b"content-type": b"text/html"}, b"<html><h1>403 Forbidden</h1>")
    assert error.hint == (
        "It comes as a page: a firewall before the server may have sent it. Whoever runs the "
        "server has to let programs pass at this path; if it takes a key, give it with --header."
    )
    assert explain(511, {}, b"<html>Log on").sentence() == (
        "The network wants a sign-in before it lets anybody through (HTTP 511 from https://h/mcp: "
        '"Log on"). Open any page in the browser, and sign in to the network there.'
    )


@pytest.mark.report("T16")
@pytest.mark.parametrize(
    ("url", "who"),
    [
        ("https://gateway.zscaler.net/auD?x", "the sign-in of Zscaler"),
        ("https://acme.okta.com/x", "a sign-in page for people"),
        ("https://kc.example/realms/x/protocol/openid-connect/auth", "a sign-in page for people"),
        ("https://x.example/oauth2/authorize", "a sign-in page for people"),
        ("https://adfs.example/adfs/ls/", "a sign-in page for people"),
        ("https://mcp.example/outpost.goauthentik.io/start", "a sign-in page for people"),
        ("https://mcp.example/v2/mcp", None),
        ("https://mcp.example/authors", None),
    ],
)
def test_where_a_redirect_leads_tells_who_asks(url: str, who: str | None) -> None:
    page = find_sign_in(parse_server_url(url), parse_server_url("https://mcp.example/mcp"))
    assert (page and page.what) == who


@pytest.mark.report("T16")
def test_sentence_of_a_challenge() -> None:
    body = b"<html><title>Just a moment...</title>"
    assert explain(403, {b"cf-mitigated": b"challenge"}, body).sentence() == (
        "Cloudflare's check for browsers, which no program passes, stands before the server (HTTP "
        '403 from https://h/mcp: "Just a moment..."). Whoever runs the server has to let programs '
        "pass at this path: by a rule of its firewall that skips the challenge."
    )


@pytest.mark.report("T16")
@pytest.mark.parametrize(
    "body", [b"", b"<html>Welcome", b'{"error":"Just a moment..."}', b"Just a moment..."]
)
def test_other_words_are_no_check(body: bytes) -> None:
    page = {b"content-type": b"text/html", b"server": b"cloudflare"}
    assert find_check(403, page, b"<p>x") is None
    assert find_check(403, {}, body) is None


@pytest.mark.report("T16")
@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("HUMAN", b"<html><div id='px-captcha'></div>"),
        ("Cloudflare", b"<html><script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'>"),
        ("Imperva", b"<html><script src='/_Incapsula_Resource?SWJIYLWA=1' async></script><h1>"),
        ("A captcha", b"<script src='https://hcaptcha.com/1/api.js'></script>"),
        ("A captcha", b"<script src='https://www.google.com/recaptcha/api.js'></script>"),
    ],
)
def test_what_sites_have_in_every_page_is_a_check_where_it_refuses(name: str, body: bytes) -> None:
    for status in (403, 429, 503):
        assert explain(status, {}, body).cause.startswith(name)
    for status in (200, 401, 404, 405, 500):  # a sign-in page has a captcha as well
        assert "stands before" not in explain(status, {}, body).cause


def test_every_page_has_marks_a_next_step_and_its_source() -> None:
    for page in (*CHECKS, *FORMS, *SIGN_INS):
        assert page.header[0] or page.words or page.place
        assert page.hint.endswith(".")
        assert page.source.who
        assert page.source.where


@pytest.mark.report("T16")
def test_name_of_the_servers_own_host_is_no_sign_in() -> None:
    server = parse_server_url("https://login.example.com/mcp")
    assert find_sign_in(parse_server_url("https://login.example.com/mcp/"), server) is None
    assert find_sign_in(parse_server_url("https://login.example.com/signin"), server) is not None


@pytest.mark.report("T16")
@pytest.mark.parametrize("status", [200, 403, 404, 405])
def test_redirect_to_a_sign_in_page_is_named(status: int) -> None:
    async def main(server: WildServer) -> ExchangeError:
        scene = Scene(server, 0.5)
        await scene.connect()
        with pytest.raises(ExchangeError) as caught:
            await scene.channel.send(INITIALIZE)
        await scene.channel.aclose()
        return caught.value

    def play() -> ExchangeError:
        with WildServer() as server:
            server.script("initialize", redirect(302, "/login?next=/mcp"), answer_html(status))
            return run(main(server))

    error = play()
    assert type(error) is Unusable
    assert error.cause.startswith(
        f"The server redirects to a sign-in page for people (HTTP {status}"
    )
    assert "/login?next=****" in error.cause
    assert error.status is None
