"""The way to a server, over real sockets and certificates: one fault each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path

import pytest

from mcp_remote_py.checking.network_steps import check_network
from mcp_remote_py.diagnosis.network_words import name_variables
from mcp_remote_py.diagnosis.steps import CheckStep, StepState
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.network import Network, Tls, proxy_variables
from mcp_remote_py.url import parse_url
from tests.certificates import make_pem, sign, to_pem

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    finally:
        writer.transport.abort()


def _say(line: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(line + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    return answer


def check(
    url: str,
    *,
    answer: Answer | None = _hold,
    pem: Path | None = None,
    trusted: bool | Path = True,
    seconds: float = 2.0,
    **environment: str,
) -> dict[str, CheckStep]:
    """The steps at `url`, in which PORT is that of a server; of none that listens without one."""

    async def run() -> dict[str, CheckStep]:
        context = None
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
        server = await asyncio.start_server(answer or _hold, "127.0.0.1", 0, ssl=context)
        port = str(server.sockets[0].getsockname()[1])
        if answer is None:
            server.close()
        proxies = proxy_variables({k: v.replace("PORT", port) for k, v in environment.items()})
        authority = trusted if isinstance(trusted, Path) else pem
        tls = Tls(ca_certs=(str(authority),) if authority is not None and trusted else ())
        settings = ProxySettings(
            parse_url(url.replace("PORT", port)), network=Network(tls=tls, proxies=proxies)
        )
        found = [step async for step in check_network(settings, time.time(), seconds)]
        server.close()
        return {step.name: step for step in found}

    return asyncio.run(run())


def failed(steps: dict[str, CheckStep]) -> CheckStep:
    (one,) = [step for step in steps.values() if step.state is StepState.FAILED]
    return one


def test_a_dead_port() -> None:
    steps = check("http://127.0.0.1:PORT/mcp", answer=None)
    one = failed(steps)
    assert one.name == "connection"
    assert one.said.endswith(": Connection refused.")
    assert one.hint == (
        "Nothing listens at that port: check the port of the URL, and that it runs."
    )
    assert steps["certificate"].said == "Not done, because of this step: Connection."


def test_all_well_over_http() -> None:
    steps = check("http://127.0.0.1:PORT/mcp", answer=_say(b"HTTP/1.1 400 No"))
    assert steps["proxy"].said == "No proxy is set for this address."
    assert steps["connection"].state is StepState.PASSED
    assert steps["certificate"].said == "Plain http has no certificate."


@pytest.mark.parametrize(
    ("begins", "ends", "name", "trusted", "said", "hint"),
    [
        (-9, -2, "localhost", True, "your clock says", "Check this machine's clock"),
        (2, 9, "localhost", True, "your clock says", "Check this machine's clock"),
        (-9, 90, "other.example", True, "It is for other.example.", "It is for another name"),
        (-9, 90, "localhost", False, "not trusted", "--ca-cert"),
    ],
)
def test_a_wrong_certificate(
    tmp_path: Path, begins: int, ends: int, name: str, trusted: bool, said: str, hint: str
) -> None:
    pem = tmp_path / "one.pem"
    pem.write_text(make_pem(begins, ends, name))
    one = failed(check("https://127.0.0.1:PORT/mcp", pem=pem, trusted=trusted))
    assert one.name == "certificate"
    assert said in one.said
    assert hint in one.hint
    assert "Some Authority" in " ".join(one.evidence)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (90, "The certificate is trusted (TLSv1.3)."),
        (3, "The server's certificate is trusted, and ends in 2 days."),
    ],
)
def test_a_good_certificate(tmp_path: Path, days: int, said: str) -> None:
    pem = tmp_path / "one.pem"
    pem.write_text(make_pem(-9, days))
    assert check("https://127.0.0.1:PORT/mcp", pem=pem)["certificate"].said == said


def test_variables_of_the_entry_are_told_to_be_its_own() -> None:
    proxy = CheckStep("proxy", "HTTP proxy", StepState.PASSED, "http://p:1 (from HTTPS_PROXY).")
    variables = ("HTTPS_PROXY", "SSL_CERT_FILE", "AUTH")
    assert name_variables(proxy, variables).said == (
        'http://p:1 (from HTTPS_PROXY). HTTPS_PROXY is from "env" of the entry.'
    )
    assert name_variables(proxy, ("ALL_PROXY",)) == proxy
    bad = CheckStep("certificate", "Certificate", StepState.FAILED, "It is not trusted.")
    assert name_variables(bad, variables).said == (
        'It is not trusted. SSL_CERT_FILE is from "env" of the entry.'
    )
    assert name_variables(bad, ("AUTH",)) == bad
    assert name_variables(bad.replace(state=StepState.SKIPPED), variables).said == bad.said


def test_https_at_a_port_for_http(tmp_path: Path) -> None:
    one = failed(check("https://127.0.0.1:PORT/mcp", answer=_say(b"HTTP/1.1 400 No")))
    assert "What answers there does not speak TLS." in one.said
    pem = tmp_path / "one.pem"
    pem.write_text(make_pem(-9, 90))
    one = failed(check("http://127.0.0.1:PORT/mcp", pem=pem))
    assert one.hint == "Write https:// in the URL."


UNKNOWN_HINT = (
    "If that is your company's own authority, name its PEM file with --ca-cert, or in "
    "SSL_CERT_FILE in the entry's env."
)
SIGNED = 'It was signed by "Issuing"'
MISSING = f"{SIGNED}, whose own certificate the server does not send with it."
EITHER_HINT = (
    "If that is an authority, name its PEM file with --ca-cert; if it is one between the server "
    "and its authority, whoever runs the server has to let it send the whole chain "
    "(fullchain.pem)."
)
MISSING_HINT = (
    "An intermediate certificate is missing: whoever runs the server has to let it send the whole "
    "chain (a file that is often called fullchain.pem). Until then, name a PEM file with that "
    "certificate in --ca-cert."
)


@pytest.mark.parametrize(
    ("names_root", "sends", "has_place", "said", "hint"),
    [
        (True, 1, True, MISSING, MISSING_HINT),
        (False, 1, True, MISSING, MISSING_HINT),
        (True, 1, False, MISSING, EITHER_HINT),
        (False, 1, False, f"{SIGNED}.", UNKNOWN_HINT),
        (False, 2, True, 'It was signed by "Root".', UNKNOWN_HINT),
        (True, 2, True, "The certificate is trusted (TLSv1.3).", ""),
    ],
)
def test_a_missing_intermediate_is_not_an_unknown_authority(
    tmp_path: Path, names_root: bool, sends: int, has_place: bool, said: str, hint: str
) -> None:
    root = sign("Root", is_authority=True)
    issuing = sign("Issuing", by=root, is_authority=True)
    leaf, key = sign("Leaf", by=issuing, has_place=has_place)
    pem, authority = tmp_path / "server.pem", tmp_path / "root.pem"
    pem.write_text(to_pem(*(leaf, issuing[0])[:sends], key=key))
    authority.write_text(to_pem(root[0]))
    trusted = authority if names_root else False
    one = check("https://127.0.0.1:PORT/mcp", pem=pem, trusted=trusted)["certificate"]
    assert said in one.said
    assert one.hint == hint
    assert one.state is (StepState.FAILED if hint else StepState.PASSED)


def test_what_is_missing_can_be_named_until_it_is_sent(tmp_path: Path) -> None:
    """As the next step says: the authority of the machine is trusted, stood for by a file."""
    root = sign("Root", is_authority=True)
    issuing = sign("Issuing", by=root, is_authority=True)
    leaf, key = sign("Leaf", by=issuing)
    pem, named = tmp_path / "server.pem", tmp_path / "named.pem"
    pem.write_text(to_pem(leaf, key=key))
    named.write_text(to_pem(root[0], issuing[0]))
    one = check("https://127.0.0.1:PORT/mcp", pem=pem, trusted=named)["certificate"]
    assert one.said == "The certificate is trusted (TLSv1.3)."


@contextlib.contextmanager
def wanting_a_client_certificate(
    pem: Path, version: ssl.TLSVersion, *, in_tunnel: bool = False
) -> Generator[int]:
    """The port of a server that ends each connection without one; asyncio's hangs up in silence.

    `in_tunnel`: it is the proxy before that server, too.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                peer, _ = listener.accept()
                peer.settimeout(5)
                with peer, contextlib.suppress(OSError):
                    if in_tunnel:
                        peer.recv(1000)
                        peer.sendall(b"HTTP/1.1 200 Yes\r\n\r\n")
                    context.wrap_socket(peer, server_side=True).close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_client_certificate(tmp_path: Path, version: ssl.TLSVersion) -> None:
    pem = tmp_path / "one.pem"
    pem.write_text(make_pem(-9, 90))
    with wanting_a_client_certificate(pem, version) as port:
        one = failed(check(f"https://127.0.0.1:{port}/mcp", pem=pem))
    assert one.name == "certificate"
    assert "It wants a client certificate" in one.said
    assert one.hint.startswith("Give yours with --client-cert and --client-key")
    assert not any("None" in line for line in one.evidence)


def test_a_server_behind_a_proxy_that_wants_a_client_certificate(tmp_path: Path) -> None:
    pem = tmp_path / "one.pem"
    pem.write_text(make_pem(-9, 90, "server.example"))
    with wanting_a_client_certificate(pem, ssl.TLSVersion.TLSv1_3, in_tunnel=True) as port:
        proxy = f"http://127.0.0.1:{port}"
        steps = check("https://server.example/mcp", pem=pem, HTTPS_PROXY=proxy)
    assert steps["proxy"].state is StepState.PASSED
    one = failed(steps)
    assert one.name == "certificate"
    assert "(from HTTPS_PROXY)" in one.said
    assert "It wants a client certificate" in one.said


def test_a_server_that_is_silent() -> None:
    one = failed(check("https://127.0.0.1:PORT/mcp", seconds=0.3))
    assert one.name == "certificate"
    assert one.said.endswith("took too long.")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"HTTP/1.1 407 Who", "It does not take the name and the password"),
        (b"HTTP/1.1 403 No", "Its policy forbids"),
    ],
)
def test_a_proxy_that_refuses(line: bytes, said: str) -> None:
    proxy = "http://someone:q7-xvz-unlikely@127.0.0.1:PORT"
    steps = check("https://server.example/mcp", answer=_say(line), HTTPS_PROXY=proxy)
    one = failed(steps)
    assert one.name == "proxy"
    assert said in one.said
    assert "(from HTTPS_PROXY)" in one.said
    assert "q7-xvz" not in repr(steps)


def test_a_dead_proxy() -> None:
    proxy = "http://127.0.0.1:PORT"
    one = failed(check("https://server.example/mcp", answer=None, ALL_PROXY=proxy))
    assert one.name == "proxy"
    assert "(from ALL_PROXY) cannot be reached: Connection refused." in one.said


def test_a_host_that_no_proxy_names_and_that_does_not_exist() -> None:
    proxy = "http://127.0.0.1:PORT"
    steps = check("https://no.invalid/mcp", ALL_PROXY=proxy, NO_PROXY="no.invalid")
    assert steps["proxy"].said == (
        "A proxy is set, and NO_PROXY names this host: it is reached directly."
    )
    assert failed(steps).said == "The name no.invalid does not exist."


def test_ipv6_that_is_dead() -> None:
    from mcp_remote_py.diagnosis.network_words import Attempt, describe_connections

    attempts = [Attempt("2001:db8::1", "no answer in time", 1.0), Attempt("192.0.2.1", "", 0.1)]
    step = describe_connections(443, attempts, 1.0)
    assert step.state is StepState.NOTED
    assert step.hint == "Add --ipv4 if connecting is slow."
