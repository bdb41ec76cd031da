"""Answers are decoded, judged as outage or verdict, and quoted without harm."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import MAX_EXCERPT_LENGTH, words_of
from mcp_remote_py.json_text import decode_json_object
from mcp_remote_py.oauth.document import (
    MAX_POST_REDIRECTS,
    Posting,
    decode_document,
    describe,
    describe_briefly,
    fetch,
    get_json,
    is_outage,
    post_json,
    quote,
)
from mcp_remote_py.oauth.steps import MAX_BODY_BYTES, Fetch, HttpResponse
from tests.oauth.web import Web, document, page


@pytest.mark.parametrize("body", [b'{"a": 1}', b'\xef\xbb\xbf{"a":1}', b' {"a":2,"a":1}\n'])
def test_an_object_is_read(body: bytes) -> None:
    assert decode_document(body) == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"a"', b"<html>", b"a=b", b'{"a":', b'{"\xff": 1}', b'{"a":' * 50_000],
)
def test_everything_else_is_none(body: bytes) -> None:
    assert decode_document(body) is None


@pytest.mark.report("O3")
def test_what_is_empty_or_null_is_absent() -> None:
    body = b'{"a": "", "b": null, "c": " ", "d": [null, "", "x"], "e": [], "f": 0, "g": false}'
    assert decode_document(body) == {"d": ["x"], "e": [], "f": 0, "g": False}
    assert decode_json_object(b'{"a": "", "b": null}') == {"a": "", "b": None}


@given(st.binary(max_size=60))
def test_no_body_raises(body: bytes) -> None:
    assert decode_document(body) is None or body.strip().startswith((b"{", b"\xef"))


def test_an_outage_is_not_a_verdict() -> None:
    outages = {status for status in range(100, 600) if is_outage(status)}
    assert outages == {408, 425, 429, *range(500, 600)} - {501}


def test_requests_say_what_they_carry_and_want_and_show_no_body() -> None:
    request = post_json("https://a.example/register", {"name": "\u00e4"})
    assert (request.method, request.url) == ("POST", "https://a.example/register")
    assert {name: value.reveal() for name, value in request.headers} == {
        "accept": "application/json",
        "content-type": "application/json",
    }
    assert request.body is not None
    assert decode_document(request.body.reveal().encode()) == {"name": "\u00e4"}
    assert "name" not in repr(request)
    assert get_json("https://a.example/").body is None


def test_the_evidence_names_status_place_and_words() -> None:
    answer = page("<script>no</script><h1>Not\r\nFound</h1> \x1b[2J", 404)
    assert describe("https://a.example/x", answer) == (
        'HTTP 404 from https://a.example/x: "Not Found [2J"'
    )
    assert describe("https://a.example/x", HttpResponse(404, {}, b"")) == (
        "HTTP 404 from https://a.example/x"
    )


def test_the_kind_of_a_good_answer_is_named_and_a_query_is_masked() -> None:
    assert describe_briefly("https://a.example/x?key=abc", page("secret")) == (
        "HTTP 200, text/html, from https://a.example/x?key=****"
    )
    assert describe_briefly("https://a.example/x", HttpResponse(204, {}, b"")) == (
        "HTTP 204 from https://a.example/x"
    )
    assert "secret" not in describe_briefly("https://a.example/x", document({"a": "secret"}, 400))


def test_fetching_asks_and_gives_the_answer() -> None:
    answer = document({})
    web = Web({"https://a.example/": answer})
    request = get_json("https://a.example/")
    assert web.play(fetch(request)) is answer
    web.play(fetch(request, follow_redirects=False))
    assert web.fetches == [Fetch(request, True), Fetch(request, False)]


REGISTER = "https://a.example/register"


def led(location: str, status: int = 308) -> HttpResponse:
    return HttpResponse(status, {"location": location}, b"")


@pytest.mark.report("O4")
@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    "location",
    [
        *("/register/", "https://A.example:443/register/", "register/", "/register/#top"),
        # Of servers behind what ends TLS, or behind a mapped port, which do not know it.
        *("http://a.example/register/", "http://a.example:443/register/"),
        *("https://a.example:8443/register/", "http://a.example:8000/register/"),
    ],
)
def test_a_post_is_led_on_within_its_origin_with_its_body(status: int, location: str) -> None:
    request = post_json(REGISTER, {"name": "x"})
    web = Web(
        answer=lambda one: led(location, status) if one.url == REGISTER else document({"a": 1})
    )
    assert web.play(Posting().post(request)).status == 200
    assert [fetch.request for fetch in web.fetches] == [
        request,
        request._replace(url=web.asked[1]),
    ]
    assert web.asked[1].endswith("/register/")
    assert not any(fetch.follow_redirects for fetch in web.fetches)


@pytest.mark.report("O4")
@pytest.mark.parametrize(
    "answer",
    [
        led("https://b.example/register"),
        led("http://a.example/register"),
        led("https://a.example:444/register"),
        led("http://a.example:8000/other/"),
        led("http://b.example/register/"),
        led("//b.example/register"),
        led("https://me@a.example/register"),
        led("https://[a/"),
        led("javascript:alert(1)"),
        led(""),
        led("/register/", 301),
        led("/register/", 302),
        led("/register/", 303),
    ],
)
def test_a_post_is_led_nowhere_else(answer: HttpResponse) -> None:
    web = Web(answer=lambda _: answer)
    assert web.play(Posting().post(post_json(REGISTER, {}))) is answer
    assert web.asked == [REGISTER]


@pytest.mark.report("O4")
def test_a_post_is_led_in_circles_for_a_while_only() -> None:
    web = Web(answer=lambda one: led(f"{one.url}/"))
    assert web.play(Posting().post(post_json(REGISTER, {}))).status == 308
    assert len(web.asked) == 1 + MAX_POST_REDIRECTS


@pytest.mark.report("O4")
def test_where_a_redirect_leads_is_named_and_masked() -> None:
    answer = led("https://b.example/x?key=abc#canary")
    assert describe_briefly("https://a.example/x", answer) == (
        "HTTP 308 from https://a.example/x, which redirects to https://b.example/x?key=****"
    )


def test_a_quotation_is_bounded() -> None:
    assert quote("a\nb") == '"a b"'
    assert quote("x" * MAX_EXCERPT_LENGTH) == f'"{"x" * MAX_EXCERPT_LENGTH}"'
    assert quote("x" * (MAX_EXCERPT_LENGTH + 1)) == f'"{"x" * (MAX_EXCERPT_LENGTH - 1)}…"'


@pytest.mark.parametrize("unit", [b"<", b"<script", b"</script ", b"<script></script "])
def test_the_words_of_the_longest_body_take_no_time(unit: bytes) -> None:
    started = time.monotonic()
    words_of((unit * MAX_BODY_BYTES)[:MAX_BODY_BYTES])
    assert time.monotonic() - started < 5
