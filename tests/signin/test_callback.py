"""The listener on real sockets: who is let through, who is not, and that no port is left.

Browsers are played by bytes on a connection, so that every line of a request is the test's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import sys
from collections.abc import AsyncGenerator
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.signin.callback import CallbackListener, Limits
from mcp_remote_py.signin.loopback_port import MakeSocket
from mcp_remote_py.signin.page import CONTENT_SECURITY_POLICY, render_stranger
from mcp_remote_py.signin.ports import Outcome
from mcp_remote_py.signin.taken_port import holder_command
from tests.fakes import run, until

STATE = "state-canary-7Zq"
PATIENCE = 10.0
"""Seconds any single answer may take."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(port: int, request: bytes, address: str = "127.0.0.1") -> bytes:
    """Every byte that comes back for these, until the other side ends."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):  # the other side may have done so first
        await writer.wait_closed()


def parse(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return Answer(int(status.split()[1]), {name.lower(): value for name, value in pairs}, body)


async def visit(
    listener: CallbackListener,
    target: str = f"/oauth/callback?code=c&state={STATE}",
    *lines: str,
    verb: str = "GET",
    host: str | None = None,
    address: str = "127.0.0.1",
) -> Answer:
    """What a browser gets for this."""
    host = f"localhost:{listener.port}" if host is None else host
    head = "\r\n".join([f"{verb} {target} HTTP/1.1", f"Host: {host}", *lines, "", ""])
    return parse(await exchange(listener.port, head.encode(), address))


def visits() -> list[asyncio.Task[object]]:
    """What the listener does for connections right now."""
    return [task for task in asyncio.all_tasks() if "_serve" in repr(task)]


@contextlib.asynccontextmanager
async def listening(
    host: str = "localhost",
    path: str = "/oauth/callback",
    success_url: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - a value
    make_socket: MakeSocket = socket.socket,
    expected: bool = True,
) -> AsyncGenerator[CallbackListener]:
    listener = CallbackListener(host, path, success_url, limits, make_socket)
    await listener.bind(None, pinned=False)
    try:
        if expected:
            listener.expect(Secret(STATE), "Linear")
        yield listener
    finally:
        await listener.aclose()


def without_ipv6(family: socket.AddressFamily) -> socket.socket:
    """A machine without IPv6."""
    if family == socket.AF_INET6:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
    return socket.socket(family)


def taken(family: socket.AddressFamily) -> socket.socket:
    """A machine on which every port is taken."""
    raise OSError(errno.EADDRINUSE, "Address already in use")


def without_network(family: socket.AddressFamily) -> socket.socket:
    """A sandbox."""
    raise OSError(errno.EPERM, "Operation not permitted")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def occupy(port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    """Someone else's listener."""
    other = socket.socket(family)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
    other.listen()
    return other


# The way it should go


@pytest.mark.parametrize(
    "target",
    [
        f"/oauth/callback/?code=c&state={STATE}",
        f"/oauth/callback?code=c&state={STATE}&code=c",
        f"/oauth/callback?code=c&state={STATE}&code=c&state={STATE}",
    ],
)
def test_a_slash_more_and_the_same_said_twice_do_no_harm(target: str) -> None:
    async def main() -> None:
        async with listening() as listener:
            browser = asyncio.create_task(visit(listener, target))
            callback = await listener.wait(PATIENCE)
            assert callback.parameters == {"code": "c", "state": STATE}
            await listener.finish(Outcome.DONE)
            assert (await browser).status == 200

    run(main())


@pytest.mark.promise("S3")
def test_the_expected_callback_is_handed_on_and_the_page_waits_for_the_outcome() -> None:
    async def main() -> None:
        async with listening() as listener:
            browser = asyncio.create_task(
                visit(listener, f"/oauth/callback?code=a%2Fb+c%C3%A9&state={STATE}&iss=&x=%FF")
            )
            callback = await listener.wait(PATIENCE)
            assert callback.parameters == {
                "code": "a/b cé",
                "state": STATE,
                "iss": "",
                "x": "\ufffd",
            }
            assert not browser.done()
            await listener.finish(Outcome.DONE)
            answer = await browser
            assert answer.status == 200
            assert "You are signed in" in answer.body.decode()
            assert "Linear" in answer.body.decode()
            assert "Linear" in answer.body.decode()

    run(main())


@pytest.mark.promise("S3")
def test_every_answer_carries_the_protecting_headers() -> None:
    async def main() -> None:
        async with listening() as listener:
            answers = [await visit(listener, "/"), await visit(listener, "/oauth/callback")]
            browser = asyncio.create_task(visit(listener))
            await listener.wait(PATIENCE)
            await listener.finish(Outcome.FAILED)
            for answer in [*answers, await browser]:
                assert answer.headers.pop("content-length") == str(len(answer.body))
                assert answer.headers == {
                    "cache-control": "no-store",
                    "connection": "close",
                    "content-security-policy": CONTENT_SECURITY_POLICY,
                    "content-type": "text/html; charset=utf-8",
                    "referrer-policy": "no-referrer",
                    "x-content-type-options": "nosniff",
                }

    run(main())


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        (Outcome.DECLINED, "Sign-in was declined"),
        (Outcome.EXPIRED, "Sign-in has expired"),
        (Outcome.AWAY, "Sign-in could not be finished"),
        (Outcome.FAILED, "Sign-in did not work"),
    ],
)
def test_a_bad_outcome_is_shown_as_one(outcome: Outcome, title: str) -> None:
    async def main() -> None:
        async with listening(success_url="https://example.com/done") as listener:
            browser = asyncio.create_task(visit(listener))
            await listener.wait(PATIENCE)
            await listener.finish(outcome)
            answer = await browser
            assert answer.status == 200
            assert title in answer.body.decode()

    run(main())


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.EXTENDED])
def test_success_goes_to_the_success_url_where_there_is_one(outcome: Outcome) -> None:
    async def main() -> None:
        async with listening(success_url="https://example.com/done?x=1") as listener:
            browser = asyncio.create_task(visit(listener))
            await listener.wait(PATIENCE)
            await listener.finish(outcome)
            answer = await browser
            assert answer.status == 303
            assert answer.headers["location"] == "https://example.com/done?x=1"

    run(main())


def test_a_browser_faster_than_the_wait_is_not_lost() -> None:
    async def main() -> None:
        async with listening() as listener:
            browser = asyncio.create_task(visit(listener))
            await until(lambda: len(visits()) == 1)
            waiting = asyncio.create_task(listener.wait(PATIENCE))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (await listener.wait(PATIENCE)).parameters["code"] == "c"
            await listener.finish(Outcome.DONE)
            assert (await browser).status == 200

    run(main())


@pytest.mark.promise("S3")
def test_the_code_is_taken_once_and_repeats_get_the_same_page() -> None:
    """Field note 13: two navigations, and a reload after the end."""

    async def main() -> None:
        async with listening() as listener:
            first = asyncio.create_task(visit(listener))
            callback = await listener.wait(PATIENCE)
            second = asyncio.create_task(
                visit(listener, f"/oauth/callback?code=other&state={STATE}")
            )
            await visit(listener, "/favicon.ico")
            await listener.finish(Outcome.DONE)
            third = await visit(listener)
            assert await first == await second == third
            assert await listener.wait(PATIENCE) == callback
            assert callback.parameters["code"] == "c"
            await listener.finish(Outcome.FAILED)
            assert await visit(listener) == third

    run(main())


def test_a_browser_that_leaves_does_not_disturb_the_sign_in() -> None:
    async def main() -> None:
        async with listening() as listener:
            _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(
                f"GET /oauth/callback?code=c&state={STATE} HTTP/1.1\r\n"
                f"Host: localhost:{listener.port}\r\n\r\n".encode()
            )
            await listener.wait(PATIENCE)
            await hang_up(writer)
            await listener.finish(Outcome.DONE)
            assert (await visit(listener)).status == 200

    run(main())


@pytest.mark.promise("S3")
def test_a_slow_exchange_is_told_by_a_page_that_asks_again_and_is_held_until_the_end() -> None:
    async def main() -> None:
        async with listening(limits=Limits(hold_seconds=0.01)) as listener:
            answer = await visit(listener)
            assert answer.status == 200
            assert answer.headers["refresh"] == "1"
            assert "Almost done" in answer.body.decode()
            callback = await listener.wait(PATIENCE)
            again = asyncio.create_task(visit(listener))
            await until(lambda: len(visits()) == 1)
            await listener.finish(Outcome.DONE)
            shown = await again
            assert "You are signed in" in shown.body.decode()
            assert "refresh" not in shown.headers
            assert await listener.wait(0) is callback, "the code is taken once"

    run(main())


def test_a_page_that_waits_and_is_about_to_ask_again_sees_the_end() -> None:
    """Between two of its requests there is none: the end of the sign-in is for the next one."""

    async def main() -> None:
        async with listening(limits=Limits(hold_seconds=0.01)) as listener:
            await visit(listener)
            finishing = asyncio.create_task(listener.finish(Outcome.EXTENDED))
            await asyncio.sleep(0)
            assert not finishing.done()
            assert "More access was given" in (await visit(listener)).body.decode()
            await finishing

    run(main())


def test_a_page_that_waited_and_was_closed_is_not_waited_for() -> None:
    async def main() -> None:
        limits = Limits(hold_seconds=0.01, flush_seconds=0.02)
        async with listening(limits=limits) as listener:
            await visit(listener)
            async with asyncio.timeout(PATIENCE):
                await listener.finish(Outcome.DONE)

    run(main())


@pytest.mark.promise("S3")
def test_waiting_again_ends_with_the_flow_however_often_it_was_asked() -> None:
    async def main() -> None:
        limits = Limits(hold_seconds=0.01, reload_seconds=0.01)
        async with listening(limits=limits) as listener:
            first, second = await visit(listener), await visit(listener)
            assert first == second
            await until(lambda: not visits())

    run(main())


def test_a_page_names_who_asked_as_it_is_known_then() -> None:
    async def main() -> None:
        names = ["Claude"]
        listener = CallbackListener(application=lambda: names[0])
        await listener.bind(None, pinned=False)
        listener.expect(Secret(STATE), "Linear")
        names[0] = "Zed"
        browser = asyncio.create_task(visit(listener))
        await listener.wait(PATIENCE)
        await listener.finish(Outcome.DONE)
        assert "go back to <bdi>Zed</bdi>" in (await browser).body.decode()
        await listener.aclose()

    run(main())


@pytest.mark.report("O25")
def test_what_came_for_a_sign_in_stays_where_it_is_expected_again() -> None:
    async def main() -> None:
        async with listening() as listener:
            browser = asyncio.create_task(visit(listener))
            await listener.wait(PATIENCE)
            listener.expect(Secret(STATE), "Linear")
            assert (await listener.wait(0)).parameters["code"] == "c"
            await listener.finish(Outcome.DONE)
            assert (await browser).status == 200

    run(main())


def test_one_listener_may_expect_a_second_sign_in() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.expect(Secret("second"), "Linear")
            assert (await visit(listener)).status == 400
            browser = asyncio.create_task(visit(listener, "/oauth/callback?state=second"))
            await listener.wait(PATIENCE)
            await listener.finish(Outcome.DONE)
            assert (await browser).status == 200

    run(main())


# Strangers


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?code=c",
        "?code=c&state=",
        "?code=c&state=wrong",
        f"?code=c&state={STATE}x",
        f"?code=c&state={STATE[:-1]}",
        f"?code=c&state={STATE.upper()}",
        f"?code=c&state={STATE}&state={STATE}x",
        f"?code=c&code=d&state={STATE}",
        "?error=access_denied",
        "?error=access_denied&state=%FF%00",
        "?state=<script>alert(1)</script>",
        f"?state={STATE}" + "&a=1&b=2" * 40,
        "?code=c#state=" + STATE,
    ],
)
def test_a_stranger_gets_a_fixed_page_and_cannot_end_the_wait(query: str) -> None:
    async def main() -> None:
        async with listening() as listener:
            answer = await visit(listener, f"/oauth/callback{query}")
            assert answer.status == 400
            assert answer.body == render_stranger()
            browser = asyncio.create_task(visit(listener))
            assert (await listener.wait(PATIENCE)).parameters["code"] == "c"
            await listener.finish(Outcome.DONE)
            assert (await browser).status == 200

    run(main())


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    ("target", "verb", "status"),
    [
        ("/", "GET", 404),
        ("/favicon.ico", "GET", 404),
        (f"/oauth/callback//?state={STATE}", "GET", 404),
        (f"/oauth/callback/x?state={STATE}", "GET", 404),
        (f"/oauth/../oauth/callback?state={STATE}", "GET", 404),
        (f"/oauth/%63allback?state={STATE}", "GET", 404),
        (f"http://localhost/oauth/callback?state={STATE}", "GET", 404),
        (f"/oauth/callback?state={STATE}", "POST", 405),
        (f"/oauth/callback?state={STATE}", "OPTIONS", 405),
        ("localhost:80", "CONNECT", 404),
    ],
)
def test_only_a_get_of_the_callback_path_counts(target: str, verb: str, status: int) -> None:
    async def main() -> None:
        async with listening() as listener:
            answer = await visit(listener, target, verb=verb)
            assert answer.status == status
            assert answer.body == render_stranger()
            assert answer.headers.get("allow") == ("GET" if status == 405 else None)
            with pytest.raises(McpRemoteError):
                await listener.wait(0.01)

    run(main())


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    ("verb", "lines"),
    [
        ("HEAD", ()),
        ("GET", ("Sec-Purpose: prefetch",)),
        ("GET", ("Sec-Purpose: prefetch;prerender",)),
        ("GET", ("Purpose: prefetch",)),
        ("GET", ("X-Moz: Prefetch",)),
    ],
)
def test_looking_ahead_does_not_spend_the_code(verb: str, lines: tuple[str, ...]) -> None:
    async def main() -> None:
        async with listening() as listener:
            answer = await visit(
                listener, f"/oauth/callback?code=c&state={STATE}", *lines, verb=verb
            )
            assert answer.status == 204
            assert answer.body == b""
            with pytest.raises(McpRemoteError):
                await listener.wait(0.01)

    run(main())


@pytest.mark.promise("S3")
def test_a_refused_head_is_answered_without_a_body_too() -> None:
    async def main() -> None:
        async with listening() as listener:
            assert (await visit(listener, "/", verb="HEAD")).status == 404
            answer = await visit(listener, host="evil.example", verb="HEAD")
            assert (answer.status, answer.body) == (421, b"")

    run(main())


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "localhost",
        "localhost:1",
        "localhost.evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "127.0.0.2:{port}",
        "0.0.0.0:{port}",
        "::1:{port}",
        "",
    ],
)
def test_a_foreign_host_is_refused(host: str) -> None:
    """DNS rebinding: a name of the attacker's that leads to 127.0.0.1."""

    async def main() -> None:
        async with listening() as listener:
            answer = await visit(listener, host=host.format(port=listener.port))
            assert answer.status == 421
            assert answer.body == render_stranger()
            with pytest.raises(McpRemoteError):
                await listener.wait(0.01)

    run(main())


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_every_loopback_spelling_is_let_in(host: str) -> None:
    async def main() -> None:
        async with listening(limits=Limits(hold_seconds=0.01)) as listener:
            assert (await visit(listener, host=f"{host}:{listener.port}")).status == 200

    run(main())


def test_the_person_s_own_host_name_is_let_in() -> None:
    async def main() -> None:
        limits = Limits(hold_seconds=0.01)
        async with listening(host="Desk.Example", limits=limits) as listener:
            port = listener.port
            assert listener.redirect_uris() == (f"http://desk.example:{port}/oauth/callback",)
            assert (await visit(listener, host=f"desk.example:{port}")).status == 200

    run(main())


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 9000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ],
)
def test_what_is_not_a_request_is_refused(request_bytes: bytes, status: int) -> None:
    async def main() -> None:
        async with listening(limits=Limits(head_bytes=4096)) as listener:
            answer = parse(await exchange(listener.port, request_bytes))
            assert answer.status == status
            assert answer.body == render_stranger()

    run(main())


HTTPS = "used https for the redirect URI, where only http is spoken"
BY_ADDRESS = "Try --host 127.0.0.1: browsers may turn http://localhost into https."


@pytest.mark.promise("S3", "P2")
@pytest.mark.report("O21")
@pytest.mark.parametrize(
    ("first", "host", "level", "line"),
    [
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            "localhost",
            logging.WARNING,
            f"The browser {HTTPS}. {BY_ADDRESS}",
        ),
        (b"\x16", "localhost", logging.WARNING, f"The browser {HTTPS}. {BY_ADDRESS}"),
        (
            b"\x16\x03\x01" + b"\x00" * 9000,
            "127.0.0.1",
            logging.WARNING,
            f"The browser {HTTPS}. Switch its HTTPS-only mode off for 127.0.0.1.",
        ),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "localhost",
            logging.INFO,
            "A program at the callback port spoke HTTP/2 at once: it was turned away.",
        ),
        (
            b"\x05\x01\x00",
            "localhost",
            logging.INFO,
            "A program at the callback port took it for a SOCKS proxy: it was turned away.",
        ),
        (
            b"\x04\x01\x00\x50",
            "localhost",
            logging.INFO,
            "A program at the callback port took it for a SOCKS proxy: it was turned away.",
        ),
        (
            b"nonsense\r\n\r\n",
            "localhost",
            logging.INFO,
            "A program at the callback port did not speak HTTP: it was turned away.",
        ),
    ],
)
def test_what_does_not_speak_http_is_named_once_and_the_wait_goes_on(
    first: bytes, host: str, level: int, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with listening(host, limits=Limits(request_seconds=60)) as listener:
            for _ in range(3):
                with contextlib.suppress(ConnectionError):  # it is hung up on at once
                    answer = await exchange(listener.port, first)
                    assert answer == b"" or parse(answer).body == render_stranger()
            browser = asyncio.create_task(visit(listener))
            await listener.wait(PATIENCE)
            await listener.finish(Outcome.DONE)
            assert (await browser).status == 200

    with caplog.at_level(logging.INFO, "mcp_remote_py.signin"):
        run(main())
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [(level, line)]


@pytest.mark.promise("P2")
@pytest.mark.report("O21")
def test_browser_that_came_with_https_is_in_the_error() -> None:
    async def main() -> None:
        async with listening() as listener:
            with contextlib.suppress(ConnectionError):
                await exchange(listener.port, b"\x16\x03\x01\x00\x05hello")
            await visit(listener, "/oauth/callback?state=wrong-canary")
            with pytest.raises(McpRemoteError) as raised:
                await listener.wait(0.05)
            assert raised.value.cause == (
                f"The browser did not come back within 0.05 s (it {HTTPS}; 1 with another state, "
                "or none, did): the sign-in was not finished."
            )
            assert raised.value.hint.startswith(f"{BY_ADDRESS} To try again: ")

    run(main())


@pytest.mark.promise("S3")
@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_survived_and_none_come_back(noise: bytes) -> None:
    async def main() -> None:
        async with listening(limits=Limits(request_seconds=1.0)) as listener:
            answer = await exchange(listener.port, b"GET /" + noise + b"\r\n\r\n")
            assert answer == b"" or parse(answer).body == render_stranger()
            assert (await visit(listener, "/")).status == 404

    run(main())


@pytest.mark.promise("S2", "S3")
def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with listening() as listener:
            await visit(listener, "/oauth/callback?code=canary&state=canary", "Canary: canary")
            await visit(listener, "/canary", host="canary")
            browser = asyncio.create_task(
                visit(listener, f"/oauth/callback?code=canary&state={STATE}")
            )
            await listener.wait(PATIENCE)
            await listener.finish(Outcome.DONE)
            await browser

    with caplog.at_level(logging.DEBUG, "mcp_remote_py"):
        run(main())
    assert "port" in caplog.text
    assert "canary" not in caplog.text.lower()


# What visitors may cost


@pytest.mark.promise("S3")
def test_silent_connections_do_not_keep_the_browser_out() -> None:
    async def main() -> None:
        async with listening(limits=Limits(connections=4)) as listener:
            silent = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(12)]
            browser = asyncio.create_task(visit(listener))
            await listener.wait(PATIENCE)
            async with asyncio.timeout(1):  # silent ones are not waited for either
                await listener.finish(Outcome.DONE)
            assert (await browser).status == 200
            for _, writer in silent:
                await hang_up(writer)

    run(main())


@pytest.mark.promise("S3")
def test_no_more_connections_are_held_than_may_be() -> None:
    async def main() -> None:
        async with listening(limits=Limits(connections=2)) as listener:
            held = [asyncio.create_task(visit(listener)) for _ in range(2)]
            await listener.wait(PATIENCE)
            await until(lambda: len(visits()) == 2)
            with pytest.raises((ConnectionError, IndexError)):
                await visit(listener, "/")
            await listener.finish(Outcome.DONE)
            assert [(await browser).status for browser in held] == [200, 200]

    run(main())


def test_a_request_that_is_never_finished_is_given_up() -> None:
    async def main() -> None:
        async with listening(limits=Limits(request_seconds=0.05)) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(b"GET / HTTP/1.1\r\n")
            async with asyncio.timeout(PATIENCE):
                assert await reader.read() == b""
            await hang_up(writer)

    run(main())


def test_a_browser_that_never_hangs_up_does_not_keep_us() -> None:
    async def main() -> None:
        async with listening(limits=Limits(flush_seconds=0.1)) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(f"GET / HTTP/1.1\r\nHost: localhost:{listener.port}\r\n\r\n".encode())
            assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 404 \r\n"
            await listener.aclose()
            assert is_free(listener.port or 1)
            await hang_up(writer)

    run(main())


# The wait


@pytest.mark.parametrize(
    ("strangers", "evidence"),
    [(0, "within 0.05 s:"), (2, "within 0.05 s (2 with another state, or none, did):")],
)
def test_nobody_came_back_is_said_in_a_sentence(strangers: int, evidence: str) -> None:
    async def main() -> None:
        async with listening() as listener:
            for _ in range(strangers):
                await visit(listener, "/oauth/callback?state=wrong-canary")
            with pytest.raises(McpRemoteError) as raised:
                await listener.wait(0.05)
            assert raised.value.sentence() == (
                f"The browser did not come back {evidence} the sign-in was not finished. To try "
                "again: mcp-remote-py login URL; --auth-timeout gives more time."
            )

    run(main())


def test_a_callback_without_any_expected_sign_in_is_a_stranger_s() -> None:
    async def main() -> None:
        async with listening(expected=False) as listener:
            assert (await visit(listener)).status == 400
            with pytest.raises(RuntimeError, match="no state is expected"):
                await listener.wait(0)

    run(main())


# Ports


@pytest.mark.promise("S3")
def test_both_loopback_addresses_of_the_same_port_answer_until_the_end() -> None:
    async def main() -> None:
        async with listening() as listener:
            port = listener.port
            for address in ("127.0.0.1", "::1"):
                assert (await visit(listener, "/", address=address)).status == 404
        assert is_free(port)
        with pytest.raises(OSError, match=r".+"):
            await asyncio.open_connection("::1", port)
        assert listener.port == 0
        await listener.aclose()

    run(main())


def test_a_machine_without_ipv6_is_served_on_the_other_address() -> None:
    async def main() -> None:
        async with listening(make_socket=without_ipv6) as listener:
            assert (await visit(listener, "/")).status == 404

    run(main())


def test_an_ipv6_host_without_ipv6_is_an_error() -> None:
    async def main() -> None:
        listener = CallbackListener("::1", make_socket=without_ipv6)
        with pytest.raises(UsageError) as raised:
            await listener.bind(None, pinned=False)
        assert raised.value.sentence() == (
            "This machine does not have an IPv6 loopback address, so the browser cannot come "
            "back to [::1]. Use --host localhost or --host 127.0.0.1."
        )

    run(main())


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("localhost", ("localhost", "127.0.0.1")),
        ("127.0.0.1", ("127.0.0.1", "localhost")),
        ("::1", ("[::1]", "localhost", "127.0.0.1")),
        ("[::1]", ("[::1]", "localhost", "127.0.0.1")),
    ],
)
def test_the_preferred_spelling_comes_first(host: str, hosts: tuple[str, ...]) -> None:
    async def main() -> None:
        async with listening(host=host, path="/a b/ü?") as listener:
            assert listener.redirect_uris() == tuple(
                f"http://{spelling}:{listener.port}/a%20b/%C3%BC%3F" for spelling in hosts
            )

    run(main())


@pytest.mark.report("O1")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_spelling_that_the_person_gave_is_the_only_one(host: str) -> None:
    listener = CallbackListener(host, is_only=True)
    spelled = "[::1]" if host == "::1" else host
    assert listener.redirect_uris() == (f"http://{spelled}:0/oauth/callback",)


def test_the_preferred_port_is_taken_again_right_after_a_sign_in() -> None:
    """Field note 10: connections in TIME_WAIT must not move the redirect URI."""

    async def main() -> None:
        async with listening() as listener:
            port = listener.port
            await visit(listener, "/")
        again = CallbackListener()
        await again.bind(port, pinned=True)
        assert again.port == port
        await again.aclose()

    run(main())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_preferred_port_of_someone_else_is_passed_over(family: socket.AddressFamily) -> None:
    """On either address: a browser that tries [::1] first must not meet someone else there."""

    async def main() -> None:
        with occupy(family=family) as other:
            port = other.getsockname()[1]
            listener = CallbackListener()
            await listener.bind(port, pinned=False)
            assert listener.port not in (0, port)
            await listener.aclose()

    run(main())


def test_two_of_us_do_not_share_a_port() -> None:
    async def main() -> None:
        async with listening() as listener:
            sibling = CallbackListener()
            await sibling.bind(listener.port, pinned=False)
            assert sibling.port != listener.port
            await sibling.aclose()

    run(main())


def test_the_last_ports_are_walked_without_falling_off() -> None:
    async def main() -> None:
        with occupy(65535):
            listener = CallbackListener()
            await listener.bind(65535, pinned=False)
            assert listener.port not in (0, 65535)
            await listener.aclose()

    run(main())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_pinned_port_that_is_taken_is_an_error_that_helps(family: socket.AddressFamily) -> None:
    async def main() -> None:
        with occupy(family=family) as other:
            port = other.getsockname()[1]
            listener = CallbackListener()
            with pytest.raises(UsageError) as raised:
                await listener.bind(port, pinned=True)
            assert raised.value.sentence() == (
                f"Port {port}, to which the browser would come back, cannot be used: Address "
                f"already in use. See which program has it with "
                f"`{holder_command(port, sys.platform)}` and end it, or name another port behind "
                "the server's URL."
            )
            assert listener.port == 0

    run(main())


@pytest.mark.parametrize(
    ("platform", "command"),
    [
        ("linux", "ss -ltnp 'sport = :3334'"),
        ("darwin", "lsof -nP -iTCP:3334 -sTCP:LISTEN"),
        ("win32", "netstat -ano | findstr :3334"),
    ],
)
def test_the_command_that_finds_the_holder_is_the_platform_s(platform: str, command: str) -> None:
    assert holder_command(3334, platform) == command


@pytest.mark.parametrize(
    ("make_socket", "evidence"),
    [(without_network, "Operation not permitted"), (taken, "Address already in use")],
)
def test_a_machine_that_forbids_listening_is_told_as_it_is(
    make_socket: MakeSocket, evidence: str
) -> None:
    async def main() -> None:
        listener = CallbackListener(make_socket=make_socket)
        with pytest.raises(McpRemoteError) as raised:
            await listener.bind(None, pinned=False)
        assert raised.value.sentence() == (
            f"Cannot listen on any port of this machine for the browser: {evidence}. "
            "Look for a firewall or sandbox that forbids programs to listen on 127.0.0.1."
        )

    run(main())


def test_closing_tells_a_browser_that_still_waits() -> None:
    async def main() -> None:
        async with listening() as listener:
            browser = asyncio.create_task(visit(listener))
            await listener.wait(PATIENCE)
        answer = await browser
        assert answer.status == 200
        assert "Sign-in did not work" in answer.body.decode()

    run(main())
