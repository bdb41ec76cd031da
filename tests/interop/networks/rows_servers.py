"""What stands before a server: nginx, HAProxy; and addresses that do not answer, or move."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType

from tests.harness.host import wait_until
from tests.interop.networks.fronts import Front, HoldingFront, Hole
from tests.interop.networks.island import IPV6, OTHER, resolve
from tests.interop.networks.products import Product, haproxy, nginx
from tests.interop.networks.world import Row, Session, Told, Works, World
from tests.peers.launch import free_port

Play = Callable[[World], None]

SSE = ("--transport", "sse-only")


def _nginx(world: World, upstream: int, **directives: str | int) -> Product:
    folder = world.place("nginx")
    return world.stack.enter_context(
        nginx(folder, f"127.0.0.1:{upstream}", **directives)  # type: ignore[arg-type]
    )


def _through_nginx(
    *server: str,
    options: tuple[str, ...] = (),
    path: str = "/mcp",
    call: Mapping[str, float] = MappingProxyType({}),
    **directives: str,
) -> Play:
    """The plain story behind an nginx with these directives; `server` are the server's options."""

    def play(world: World) -> None:
        behind = world.server(*server)
        front = _nginx(world, behind.port, **directives)
        where = "/sse" if server[:1] == ("sse",) else path
        world.play(f"http://127.0.0.1:{front.port}{where}", *options, call=call)

    return play


def _gets(front: Product) -> int:
    return sum(line.startswith("GET") for line in front.log("access.log"))


# ------------------------------------------------------------------ nginx


def _buffered(world: World) -> None:
    """It holds back the head of an answer until it has some of the body."""
    behind = world.server()
    location = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_read_timeout 3s;"
    front = _nginx(world, behind.port, location=location)
    with world.connect(f"http://127.0.0.1:{front.port}/mcp") as session:
        session.watch(seconds=3, every=0.5)
        session.announce(seconds=0.5, times=2)
        session.call()
        _wait_for(world, session, 2, 6)


def _gzipped_events(world: World) -> None:
    behind = world.server()
    gzip = "gzip on; gzip_min_length 1; gzip_proxied any; gzip_types text/event-stream;"
    front = _nginx(world, behind.port, server=gzip)
    with world.connect(f"http://127.0.0.1:{front.port}/mcp") as session:
        session.watch(seconds=3, every=0.5)
        session.call(size=5000)


def _held(world: World) -> None:
    """Nothing of an answer comes before all of it: the listening stream never does."""
    behind = world.server()
    front = world.stack.enter_context(HoldingFront(("127.0.0.1", behind.port)))
    with world.connect(f"http://127.0.0.1:{front.port}/mcp") as session:
        session.watch(seconds=1, every=0.2)
        session.call()


def _held_sse(world: World) -> None:
    behind = world.server("sse")
    front = world.stack.enter_context(HoldingFront(("127.0.0.1", behind.port)))
    times = ("--headers-timeout", "0.5", "--body-timeout", "0.5", "--transport", "sse-only")
    world.play(f"http://127.0.0.1:{front.port}/sse", *times)


def _wait_for(world: World, session: Session, count: int, seconds: float) -> None:
    """Announcements that come within these seconds."""

    def told() -> int:
        return sum("list_changed" in one["method"] for one in session.host.notifications)

    begun = time.monotonic()
    try:
        wait_until(lambda: told() >= count, "announcements", seconds=seconds)
    except AssertionError:
        world.seen.faults.append(f"{told()} of {count} announcements came")
    else:
        world.seen.notes.append(f"announced {count} times in {time.monotonic() - begun:.1f} s")


def _idle(*server: str) -> Play:
    """The listening stream is cut every second."""

    def play(world: World) -> None:
        behind = world.server(*server)
        front = _nginx(world, behind.port, location="proxy_read_timeout 1s;")
        with world.connect(f"http://127.0.0.1:{front.port}/mcp") as session:
            if "--resumable" in server:
                session.announce(seconds=0.1)  # from its id on it can be resumed
                session.announce(seconds=1.3, times=6)
            for _ in range(8):
                session.call()
                time.sleep(1)
            if "--resumable" in server:
                _wait_for(world, session, 7, 12)
        gets = _gets(front)
        world.seen.notes.append(f"{gets} GETs in 8 s or more")
        if gets > 12:
            world.seen.faults.append(f"a storm: {gets} GETs")

    return play


def _cut_call(*server: str) -> Play:
    """A call takes 3 s, and nginx waits for 1."""
    return _through_nginx(*server, location="proxy_read_timeout 1s;", call={"seconds": 3})


def _restart(world: World) -> None:
    """The server is away for two seconds: nginx says 502; then it is back, its sessions gone."""
    port = free_port()
    with ExitStack() as first:
        first.enter_context(world.serving("streamable", port=port))
        front = _nginx(world, port)
        session = world.stack.enter_context(world.connect(f"http://127.0.0.1:{front.port}/mcp"))
        session.call()
    time.sleep(0.2)
    asked = session.host.begin("tools/list", {})
    time.sleep(1.5)
    world.server("streamable", port=port)
    answer = session.host.answer(asked, seconds=20)
    if "error" in answer:
        world.seen.faults.append(f"tools/list: {answer['error']['message']}")
    session.call()


def _restart_in_call(world: World) -> None:
    """A call while nobody is behind nginx."""
    port = free_port()
    with ExitStack() as first:
        first.enter_context(world.serving("streamable", port=port))
        front = _nginx(world, port)
        session = world.stack.enter_context(world.connect(f"http://127.0.0.1:{front.port}/mcp"))
        session.call()
    session.call()


def _large(size: int, limit: str, *options: str) -> Play:
    def play(world: World) -> None:
        behind = world.server()
        front = _nginx(world, behind.port, location=f"client_max_body_size {limit};")
        with world.connect(f"http://127.0.0.1:{front.port}/mcp", *options) as session:
            session.call(padding="x" * size)

    return play


def _long_header(world: World) -> None:
    behind = world.server()
    front = _nginx(world, behind.port, server="large_client_header_buffers 2 1k;")
    world.play(f"http://127.0.0.1:{front.port}/mcp", "--header", f"X-Long: {'x' * 2000}")


def _racing(directives: str, pauses: tuple[float, ...]) -> Play:
    """Calls that come just when an idle connection is closed."""

    def play(world: World) -> None:
        behind = world.server("streamable", "--json")
        front = _nginx(world, behind.port, server=directives)
        _race(world, f"http://127.0.0.1:{front.port}/mcp", pauses)

    return play


def _race(world: World, url: str, pauses: tuple[float, ...]) -> None:
    with world.connect(url) as session:
        for pause in pauses:
            session.call()
            time.sleep(pause)
        session.call()


AROUND = tuple(0.025 + step / 4000 for step in range(60))
"""Seconds: just before, at, and behind the 30 ms after which an idle connection is closed."""


def _slash(status: int, port_in_redirect: bool = False) -> Play:
    """The server is at /mcp/, and nginx sends there."""

    def play(world: World) -> None:
        behind = world.server()
        inner = _nginx(
            world,
            behind.port,
            server=f"location = /mcp {{ return {status} /mcp/; }}"
            + (
                " absolute_redirect on; port_in_redirect on; server_name_in_redirect off;"
                if port_in_redirect
                else " absolute_redirect off;"
            ),
            location="rewrite ^/mcp/$ /mcp break;",
        )
        if not port_in_redirect:
            world.play(f"http://127.0.0.1:{inner.port}/mcp")
            return
        # Reached at another port than its own, as behind a mapped one.
        outer = world.stack.enter_context(Front(("127.0.0.1", inner.port)))
        world.play(f"http://127.0.0.1:{outer.port}/mcp")

    return play


def _behind_tls(kind: str) -> Play:
    """Behind something that ends TLS, at the ports of the internet."""

    def play(world: World) -> None:
        behind = world.server()
        redirect = {
            "downgrade": "return 301 http://$host/mcp/;",
            "port": "return 301 http://$host:8080/mcp/;",
            "tls-port": "return 307 https://$host:8443/mcp/;",
            "upgrade": "",
        }[kind]
        inner = _nginx(
            world,
            behind.port,
            server=f"location = /mcp {{ {redirect} }}" if redirect else "",
            location="rewrite ^/mcp/$ /mcp break;",
        )
        certificate = world.company.issue("server", "mcp.example")
        tls = Front(("127.0.0.1", inner.port), certificate, address=("127.0.0.1", 443))
        world.stack.enter_context(tls)
        trust = ("--ca-cert", str(world.company.path))
        # In clear, as usual beside it.
        clear = _nginx(
            world,
            behind.port,
            port=80,
            server="if ($host) { return 308 https://$host$request_uri; }",
        )
        scheme = "http" if kind == "upgrade" else "https"
        world.play(f"{scheme}://mcp.example/mcp", *trust, "--header", "X-Key: canary-key")
        sent = sum(line.endswith("canary-key") for line in clear.log("access.log"))
        if kind != "upgrade" and sent:
            world.seen.faults.append(f"{sent} requests, with the person's header, in clear")

    return play


def _nginx_tls(
    listen: str, *directives: str, protocols: tuple[str, ...] = (), scheme: str = "https"
) -> Play:
    def play(world: World) -> None:
        behind = world.server()
        certificate, key = world.company.issue("server")
        server = (
            f"ssl_certificate {certificate}; ssl_certificate_key {key}; " if "ssl" in listen else ""
        )
        server += " ".join(directives).replace("{company}", f'"{world.company.path}"')
        front = _nginx(
            world,
            behind.port,
            listen=listen,
            server=server.replace(certificate, f'"{certificate}"'),
        )
        trust = ("--ca-cert", str(world.company.path))
        world.play(f"{scheme}://localhost:{front.port}/mcp", *trust)

    return play


NGINX = (
    Row(
        "nginx",
        "nginx with what it does by default (HTTP/1.0 upstream, buffering)",
        Works(),
        _through_nginx(),
    ),
    Row(
        "nginx-sse",
        "the same before HTTP+SSE",
        Works(),
        _through_nginx("sse", location="proxy_read_timeout 1h;"),
    ),
    Row(
        "nginx-buffers",
        "nginx with `proxy_buffering on`, also where the server asks it not to",
        Works(),
        _buffered,
        "nothing: the head of an answer comes with the first of its events, each of these at once",
    ),
    Row(
        "nginx-gzip-events",
        "nginx that compresses event streams",
        Works(),
        _gzipped_events,
    ),
    Row("nginx-idle", "nginx that cuts the idle listening stream each second", Works(), _idle()),
    Row(
        "nginx-idle-resumable",
        "the same; the server can resume: no announcement is lost",
        Works(),
        _idle("streamable", "--resumable"),
    ),
    Row(
        "nginx-cuts-call",
        "nginx that cuts a call of 3 s after 1 s, answered by an event stream",
        Told(("may have been executed", "answer was lost", "a gateway on the way"), 10, ran=1),
        _cut_call("streamable"),
        "nothing helps here: a longer `proxy_read_timeout` at the server",
    ),
    Row(
        "nginx-cuts-call-json",
        "the same, answered by JSON: 504",
        Told(("504", "may have been executed", "proxy_read_timeout"), 10, ran=1),
        _cut_call("streamable", "--json"),
        "nothing helps here: a longer `proxy_read_timeout` at the server",
    ),
    Row(
        "nginx-cuts-call-resumable",
        "the same by an event stream that the server can resume",
        Works(10),
        _cut_call("streamable", "--resumable"),
    ),
    Row(
        "nginx-502",
        "the server restarts behind nginx: 502 for 2 s, sessions gone",
        Works(20),
        _restart,
    ),
    Row(
        "nginx-502-call",
        "the same: a call while it is away",
        Told(("502", "may have been executed"), 30, ran=0, after=True),
        _restart_in_call,
    ),
    *(
        Row(
            f"nginx-slash-{status}",
            f"nginx that sends /mcp to /mcp/ by {status}",
            Works(),
            _slash(status),
        )
        for status in (301, 302, 307, 308)
    ),
    Row(
        "nginx-slash-port",
        "the same, with the port that nginx has behind another one",
        Works(),
        _slash(301, port_in_redirect=True),
    ),
    Row(
        "nginx-downgrade",
        "nginx behind TLS that sends to http:// and /mcp/",
        Works(),
        _behind_tls("downgrade"),
        island=True,
    ),
    Row(
        "nginx-downgrade-port",
        "the same, to http://...:8080/mcp/",
        Works(),
        _behind_tls("port"),
        island=True,
    ),
    Row(
        "nginx-tls-port",
        "the same, to https://...:8443/mcp/",
        Works(),
        _behind_tls("tls-port"),
        island=True,
    ),
    Row(
        "nginx-upgrade",
        "nginx that sends http:// to https://",
        Works(),
        _behind_tls("upgrade"),
        "https:// in the URL: headers go in clear once otherwise",
        island=True,
    ),
    Row(
        "nginx-body", "nginx that takes bodies of 1 kB, a call of 900 B", Works(), _large(500, "1k")
    ),
    Row(
        "nginx-body-over",
        "the same, a call of 2 MB: 413",
        Told(("413", "client_max_body_size", "MB"), 5),
        _large(2_000_000, "1m"),
        "nothing helps here: `client_max_body_size` at the server",
    ),
    Row(
        "nginx-header-over",
        "nginx that takes 1 kB of header",
        Told(("header", "large_client_header_buffers|too large", "--header"), 5),
        _long_header,
        "shorter headers",
    ),
    Row(
        "nginx-keepalive",
        "nginx that closes idle connections after 30 ms, 61 calls just then",
        Works(may_lose=2),
        _racing("keepalive_timeout 30ms;", AROUND),
    ),
    Row(
        "nginx-keepalive-few",
        "nginx that closes a connection after 2 requests",
        Works(),
        _racing("keepalive_requests 2;", (0,) * 12),
    ),
    Row(
        "nginx-no-keepalive",
        "nginx without keep-alive",
        Works(),
        _racing("keepalive_timeout 0;", (0,) * 4),
    ),
    Row(
        "nginx-gzip",
        "nginx that compresses JSON and event streams",
        Works(),
        _through_nginx(
            server="gzip on; gzip_min_length 1; gzip_proxied any; "
            "gzip_types text/event-stream application/json;",
            call={"size": 5000},
        ),
    ),
    Row(
        "nginx-gzip-json",
        "the same before JSON answers",
        Works(),
        _through_nginx(
            "streamable",
            "--json",
            server="gzip on; gzip_min_length 1; gzip_proxied any; gzip_types application/json;",
            call={"size": 5000},
        ),
    ),
    Row(
        "nginx-no-chunks",
        "nginx without chunked answers",
        Works(),
        _through_nginx(server="chunked_transfer_encoding off;"),
    ),
    Row("nginx-http2", "nginx with TLS that prefers HTTP/2", Works(), _nginx_tls("ssl http2")),
    Row(
        "nginx-h2c",
        "nginx that speaks HTTP/2 without TLS only",
        Told(("HTTP/2", "HTTP/1.1"), 10),
        _nginx_tls("http2", scheme="http"),
        "nothing helps here: whoever runs it has to offer HTTP/1.1",
    ),
    Row(
        "nginx-http-at-https",
        "`http://` in the URL, at a port of nginx that speaks TLS",
        Told(("plain HTTP request was sent to HTTPS port", "https://"), 5),
        _nginx_tls("ssl", scheme="http"),
        "https:// in the URL",
    ),
    Row(
        "nginx-https-at-http",
        "`https://` in the URL, at a port of nginx that does not speak TLS",
        Told(("https", "http://"), 10),
        _nginx_tls("", scheme="https"),
        "http:// in the URL, with --allow-http",
    ),
    Row(
        "nginx-mtls",
        "nginx that wants a client certificate and says so by a page",
        Told(("No required SSL certificate was sent", "--client-cert"), 5),
        _nginx_tls("ssl", "ssl_client_certificate {company}; ssl_verify_client on;"),
        "--client-cert FILE --client-key FILE",
    ),
)

# ------------------------------------------------------------------ HAProxy


def _haproxy(world: World, *servers: str, **more: object) -> Product:
    folder = world.place("haproxy")
    return world.stack.enter_context(haproxy(folder, servers, **more))  # type: ignore[arg-type]


def _through_haproxy(*defaults: str, server: tuple[str, ...] = (), **call: float) -> Play:
    def play(world: World) -> None:
        behind = world.server(*server)
        front = _haproxy(world, f"one 127.0.0.1:{behind.port}", defaults=defaults)
        world.play(f"http://127.0.0.1:{front.port}/mcp", call=call)

    return play


def _haproxy_idle(world: World) -> None:
    """Streams and connections that are idle for a second are closed on both sides."""
    behind = world.server()
    times = ("timeout client 1s", "timeout server 1s", "timeout http-keep-alive 1s")
    front = _haproxy(world, f"one 127.0.0.1:{behind.port}", defaults=times)
    with world.connect(f"http://127.0.0.1:{front.port}/mcp") as session:
        for _ in range(6):
            session.call()
            time.sleep(1.2)


def _haproxy_race(*defaults: str) -> Play:
    def play(world: World) -> None:
        behind = world.server("streamable", "--json")
        front = _haproxy(world, f"one 127.0.0.1:{behind.port}", defaults=defaults)
        _race(world, f"http://127.0.0.1:{front.port}/mcp", AROUND)

    return play


def _two(*options: str, backend: tuple[str, ...] = (), cookies: bool = True) -> Play:
    """Two servers, each with sessions of its own."""

    def play(world: World) -> None:
        one, two = (
            world.server("streamable", "--name", "one"),
            world.server("streamable", "--name", "two"),
        )
        mark = [" cookie one", " cookie two"] if cookies else ["", ""]
        servers = [
            f"{name} 127.0.0.1:{peer.port}{by}"
            for name, peer, by in zip(("one", "two"), (one, two), mark, strict=True)
        ]
        front = _haproxy(world, *servers, backend=("balance roundrobin", *backend))
        with world.connect(f"http://127.0.0.1:{front.port}/mcp", *options) as session:
            for _ in range(4):
                session.call()
            if cookies and not options:
                session.announce(seconds=0.1)
                _wait_for(world, session, 1, 5)

    return play


STICKY = ("cookie SERVERID insert indirect nocache",)


def _dies(world: World) -> None:
    """The server that has the session goes away; the other one takes over."""
    servers: dict[str, ExitStack] = {}
    lines: list[str] = []
    for name in ("one", "two"):
        servers[name] = world.stack.enter_context(ExitStack())
        peer = servers[name].enter_context(world.serving("streamable", "--name", name))
        lines.append(f"{name} 127.0.0.1:{peer.port} cookie {name} check inter 200ms fall 1")
    front = _haproxy(world, *lines, backend=(*STICKY, "option redispatch", "retries 2"))
    with world.connect(f"http://127.0.0.1:{front.port}/mcp") as session:
        session.call()
        if world.seen.answers:
            servers[world.seen.answers[-1].rpartition(" ")[2]].close()
            time.sleep(1)
        session.call()


def _redispatch(world: World) -> None:
    """One of two servers is not there, and nobody looked yet."""
    peer = world.server()
    lines = [f"one 127.0.0.1:{free_port()} cookie one", f"two 127.0.0.1:{peer.port} cookie two"]
    backend = ("balance roundrobin", *STICKY, "option redispatch 1", "retries 3")
    front = _haproxy(world, *lines, backend=backend)
    world.play(f"http://127.0.0.1:{front.port}/mcp")


def _down(world: World) -> None:
    front = _haproxy(world, f"one 127.0.0.1:{free_port()} check inter 100ms fall 1")
    time.sleep(0.5)
    world.play(f"http://127.0.0.1:{front.port}/mcp")


def _haproxy_tls(words: str) -> Play:
    def play(world: World) -> None:
        behind = world.server()
        certificate, key = world.company.issue("server")
        both = world.folder / "server-both.pem"
        with open(certificate) as first, open(key) as second:
            both.write_text(first.read() + second.read())
        authority = world.folder / "authority.pem"
        authority.write_bytes(world.company.path.read_bytes())
        bind = f"ssl crt {both} {words.format(company=authority)}"
        front = _haproxy(world, f"one 127.0.0.1:{behind.port}", bind=bind)
        trust = ("--ca-cert", str(world.company.path))
        world.play(f"https://localhost:{front.port}/mcp", *trust)

    return play


HAPROXY = (
    Row("haproxy", "HAProxy", Works(), _through_haproxy()),
    Row("haproxy-sse", "HAProxy before HTTP+SSE", Works(), lambda world: _sse_haproxy(world)),
    Row("haproxy-idle", "HAProxy that closes what is idle for 1 s", Works(), _haproxy_idle),
    Row(
        "haproxy-race",
        "HAProxy that closes idle connections after 30 ms, 61 calls just then",
        Works(may_lose=2),
        _haproxy_race("timeout http-keep-alive 30ms"),
    ),
    Row(
        "haproxy-close",
        "HAProxy with `option httpclose`",
        Works(),
        _haproxy_race("option httpclose"),
    ),
    Row(
        "haproxy-cuts-call",
        "HAProxy that waits 1 s for the server, a call of 3 s, answered by an event stream",
        Told(("may have been executed", "answer was lost", "a gateway on the way"), 10, ran=1),
        _through_haproxy("timeout server 1s", seconds=3),
        "nothing helps here: a longer `timeout server`",
    ),
    Row(
        "haproxy-cuts-call-json",
        "the same, answered by JSON: 504",
        Told(("504", "may have been executed", "timeout server"), 10, ran=1),
        _through_haproxy("timeout server 1s", server=("streamable", "--json"), seconds=3),
        "nothing helps here: a longer `timeout server`",
    ),
    Row(
        "haproxy-cookie",
        "two servers behind HAProxy, found again by its cookie",
        Works(),
        _two(backend=STICKY),
    ),
    Row(
        "haproxy-no-cookies",
        "the same, with --disable-cookies",
        Told(
            ("does not know the session", "do not share sessions", "--disable-cookies"), 10, ran=1
        ),
        _two("--disable-cookies", backend=STICKY),
        "no --disable-cookies",
    ),
    Row(
        "haproxy-not-sticky",
        "two servers with sessions of their own behind HAProxy, which does not tell them apart",
        Told(("does not know the session", "do not share sessions"), 10, ran=1),
        _two(cookies=False),
        "nothing helps here: whoever runs it has to keep a session at one server",
    ),
    Row("haproxy-dies", "the server with the session dies, the other takes over", Works(10), _dies),
    Row(
        "haproxy-redispatch",
        "one of two servers is not there; `option redispatch`",
        Works(10),
        _redispatch,
    ),
    Row(
        "haproxy-down",
        "no server behind HAProxy: 503",
        Told(("503", "No server is available", "Try again later"), 30),
        _down,
    ),
    Row(
        "haproxy-mtls",
        "HAProxy that wants a client certificate",
        Told(("wants a client certificate", "--client-cert"), 5),
        _haproxy_tls("ca-file {company} verify required"),
        "--client-cert FILE --client-key FILE",
    ),
    Row(
        "haproxy-http2",
        "HAProxy with TLS that offers HTTP/2 only, and takes HTTP/1.1 all the same",
        Works(),
        _haproxy_tls("alpn h2"),
    ),
)


def _sse_haproxy(world: World) -> None:
    behind = world.server("sse")
    front = _haproxy(world, f"one 127.0.0.1:{behind.port}")
    world.play(f"http://127.0.0.1:{front.port}/sse")


# ------------------------------------------------------------------ addresses


def _silent_ipv6(*options: str) -> Play:
    """The name has two addresses, and what is sent to the first is dropped."""

    def play(world: World) -> None:
        resolve(mcp=(IPV6, "127.0.0.1"))
        behind = world.server()
        world.stack.enter_context(Hole(IPV6, behind.port))
        try:
            world.play(f"http://mcp.example:{behind.port}/mcp", *options)
        finally:
            resolve()

    return play


def _refusing_ipv6(world: World) -> None:
    resolve(mcp=(IPV6, "127.0.0.1"))
    behind = world.server()
    try:
        world.play(f"http://mcp.example:{behind.port}/mcp")
    finally:
        resolve()


def _unroutable_ipv6(world: World) -> None:
    resolve(mcp=("2001:db8:1::1", "127.0.0.1"))
    behind = world.server()
    try:
        world.play(f"http://mcp.example:{behind.port}/mcp")
    finally:
        resolve()


def _only_ipv6(world: World) -> None:
    resolve(mcp=(IPV6,))
    behind = world.server("streamable", "--host", IPV6)
    try:
        world.play(f"http://mcp.example:{behind.port}/mcp")
    finally:
        resolve()


def _only_ipv6_over_ipv4(world: World) -> None:
    resolve(mcp=(IPV6,))
    try:
        world.play("http://mcp.example:8080/mcp", "--ipv4")
    finally:
        resolve()


def _moves(world: World) -> None:
    """Its name leads elsewhere, and at the old address nobody is left."""
    port = free_port()
    resolve(mcp=("127.0.0.1",))
    try:
        with ExitStack() as first:
            first.enter_context(world.serving("streamable", "--name", "old", port=port))
            url = f"http://mcp.example:{port}/mcp"
            session = world.stack.enter_context(world.connect(url))
            session.call()
        world.server("streamable", "--name", "new", "--host", OTHER, port=port)
        resolve(mcp=(OTHER,))
        session.call()
        world.seen.notes.append(", then ".join(world.seen.answers))
    finally:
        resolve()


def _moves_silently(world: World) -> None:
    """The same, and the old address swallows what is sent to it."""
    port = free_port()
    resolve(mcp=("127.0.0.1",))
    try:
        with ExitStack() as first:
            first.enter_context(world.serving("streamable", "--name", "old", port=port))
            url = f"http://mcp.example:{port}/mcp"
            session = world.stack.enter_context(world.connect(url))
            session.call()
        world.stack.enter_context(Hole("127.0.0.1", port))
        world.server("streamable", "--name", "new", "--host", OTHER, port=port)
        resolve(mcp=(OTHER,))
        session.call()
    finally:
        resolve()


ADDRESSES = (
    Row(
        "held",
        "a gateway that hands on whole answers only, as what looks for viruses does",
        Works(),
        _held,
        "nothing: progress comes with the answer, announcements never",
        gate=True,
    ),
    Row(
        "held-sse",
        "the same before HTTP+SSE: no event ever comes",
        Told(("event stream", "hold it back", "Streamable HTTP address"), 15),
        _held_sse,
        "the server's Streamable HTTP address; else nothing helps here",
        gate=True,
    ),
    Row(
        "ipv6-silent",
        "a name with two addresses, IPv6 swallows everything",
        Works(3),
        _silent_ipv6(),
        island=True,
    ),
    Row(
        "ipv6-silent-ipv4",
        "the same, with --ipv4",
        Works(3),
        _silent_ipv6("--ipv4"),
        "--ipv4",
        island=True,
    ),
    Row("ipv6-refused", "the same, IPv6 refuses", Works(3), _refusing_ipv6, island=True),
    Row(
        "ipv6-no-route",
        "the same, there is no way to IPv6",
        Works(3),
        _unroutable_ipv6,
        island=True,
    ),
    Row("ipv6-only", "a server on IPv6 alone", Works(3), _only_ipv6, island=True),
    Row(
        "ipv6-only-ipv4",
        "the same, with --ipv4",
        Told(("cannot be reached", "IPv4", "--ipv4"), 10),
        _only_ipv6_over_ipv4,
        "no --ipv4",
        island=True,
    ),
    Row(
        "moves",
        "the server's name leads to another address between two calls",
        Works(10),
        _moves,
        island=True,
    ),
    Row(
        "moves-silently",
        "the same, and the old address swallows everything",
        Works(12),
        _moves_silently,
        island=True,
    ),
)

ROWS = (*NGINX, *HAPROXY, *ADDRESSES)
