"""For each symptom of docs/troubleshooting.md: what brings it about, with the real command.

A run returns all that was said, in the words of the document: its addresses stand for those of the
run. Must not read the document.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.harness.host import Host
from tests.harness.warm import COMMAND
from tests.options.desk import Desk, shake_hands, talk
from tests.peers.wild_server import Exchange, WildServer
from tests.server_kinds import PLAYS, SERVER, begin, issuer, open_server, refusing
from tests.test_servers_document import STORE, start
from tests.transports.peers import ForwardProxy

Run = Callable[[Desk], str]

PATIENCE = 20.0
"""Seconds for a program to say what it says."""
_PLAYS = {play.name: play for play in PLAYS}


def entry(name: str) -> Run:
    """An entry of docs/servers.md that meets trouble: a play of `tests.server_kinds`."""
    return lambda desk: start(_PLAYS[name], desk)[1]


def relay(desk: Desk, *words: str, url: str = "") -> str:
    """The relay with these words at the server of the desk."""
    origin = "" if desk.server is None else desk.server.origin
    said = desk.run("proxy", [url or f"{origin}/mcp", *words, *STORE]).text
    return said.replace(origin, SERVER) if origin else said


def node_starts_it(_: Desk) -> str:
    """What most hosts are made of, where uvx is not there."""
    node = Path(sys.executable).parent / "node"
    script = 'require("child_process").spawn("uvx", [], { env: { PATH: "/nowhere" } })'
    done = subprocess.run(
        [node, "-e", script], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.stderr


def torn_header(desk: Desk) -> str:
    open_server(desk)
    return relay(desk, "--header", "Authorization:", "Bearer", "symptom-canary-1")


def mistyped_option(desk: Desk) -> str:
    open_server(desk)
    return relay(desk, "--heade", "X-Key:1")


def unknown_name(desk: Desk) -> str:
    desk.talk = shake_hands
    return relay(desk, url="https://mcp.example.invalid/mcp")


def proxy_with_a_password(desk: Desk) -> str:
    proxy = desk.stack.enter_context(ForwardProxy(credentials="name:symptom-canary-2"))
    desk.environment["HTTPS_PROXY"] = f"http://{proxy.authority}"
    desk.talk = shake_hands
    return relay(desk, url=f"{SERVER}/mcp")


def person_leaves(desk: Desk) -> str:
    begin(desk, issuer(consent=True))
    desk.browser.become("close")
    desk.talk = shake_hands
    # The page is at a name of this machine; that of the document has https.
    return relay(desk, "--auth-timeout", "0.5").replace("http://localhost", "https://localhost")


def person_is_away(desk: Desk) -> str:
    begin(desk, issuer(consent=True))
    desk.browser.become("record")
    desk.talk = talk
    return relay(desk, "--initialize-timeout", "0.5")


def person_says_no_twice(desk: Desk) -> str:
    """The second start opens nothing."""
    begin(desk, issuer(consent=True))
    desk.browser.become("deny")
    desk.talk = shake_hands
    relay(desk)
    said = relay(desk)
    assert len(desk.browser.opened) == 1
    return said


def another_server_answers(desk: Desk) -> str:
    begin(desk, issuer(iss="wrong"))
    desk.talk = shake_hands
    return relay(desk)


def without_a_keyring(desk: Desk) -> str:
    begin(desk, issuer())
    assert desk.server is not None
    desk.talk = shake_hands
    return desk.run("proxy", [desk.server.url]).text


def session_that_is_never_known(desk: Desk) -> str:
    begin(desk, server := WildServer(sessions=True))
    server.always("tools/list", lambda exchange: exchange.reply(404, b"Session not found"))
    return relay(desk)


def list_in_pages(desk: Desk) -> str:
    """At a terminal."""
    server = WildServer()

    def give(exchange: Exchange) -> None:
        page = {"tools": [{"name": "add", "inputSchema": {"type": "object"}}]}
        exchange.result(page if exchange.params.get("cursor") else page | {"nextCursor": "2"})

    server.always("tools/list", give)
    desk.serve(server)
    ours, theirs = pty.openpty()
    desk.stack.callback(os.close, ours)
    try:
        command = [str(COMMAND), server.url]
        host = Host(command, desk.environment, stdin=theirs, patience=PATIENCE)
    finally:
        os.close(theirs)
    desk.stack.enter_context(host)
    host.wait_logged("This command is for an MCP host to start")
    os.write(ours, b"\x04")
    host.wait_exit(5)
    return host.stderr


def call_that_breaks(desk: Desk) -> str:
    begin(desk, server := WildServer())
    server.always("tools/call", lambda exchange: exchange.cut())
    return relay(desk)


def behind_iam(desk: Desk) -> str:
    begin(desk, refusing(403, b'{"message":"Missing Authentication Token"}'))
    desk.talk = shake_hands
    return relay(desk)


SYMPTOMS: dict[str, tuple[Run, ...]] = {
    "The host does not start the command": (node_starts_it,),
    "A variable is not set": (entry("token-begin_first-AUTH"),),
    "A header is torn apart": (torn_header,),
    "The server refuses your header": (entry("token-refuses_the_token"),),
    "An option is not known": (mistyped_option,),
    "Nothing answers at this address": (entry("open-at_another_path"),),
    "The server cannot be reached": (entry("open-away"), unknown_name),
    "Plain http is refused": (entry("in-my-network-in_a_local_network---allow-http"),),
    "A certificate is not trusted": (entry("through-a-proxy-through_a_proxy---ca-cert"),),
    "The proxy wants a password": (proxy_with_a_password,),
    "No browser opens": (person_leaves,),
    "The browser did not come back": (person_leaves,),
    "The sign-in was declined": (entry("sign-in-person_says_no"), person_says_no_twice),
    "The sign-in ends at another server": (another_server_answers,),
    "There is no keyring": (without_a_keyring,),
    "A session is lost again and again": (session_that_is_never_known,),
    "The server wants an application of your own": (
        entry("own-client-lets_nobody_register---static-oauth-client-info"),
    ),
    "The port of the sign-in is taken": (entry("own-client-has_another_program_at_the_port"),),
    "The secret is not sent": (
        entry(
            'own-client-with-a-secret-lets_nobody_register-, "issuer": "https://auth.example.com"'
        ),
    ),
    "The server refuses the token it just gave": (entry("sign-in-refuses_its_own_token"),),
    "The host shows one tool, sign_in": (person_is_away,),
    "Tools are missing": (list_in_pages,),
    "A tool is not offered": (entry("few-tools-with_dangerous_tools"),),
    "A call was lost": (call_that_breaks,),
    "The server is behind Cloudflare Access": (entry("behind-access-behind_access---header"),),
    "The server is behind AWS IAM": (behind_iam,),
}
"""By heading, the runs that say the sentences below it."""


def said_by(run: Run, desk: Desk) -> str:
    """All that was said, without the escapes of JSON."""
    return re.sub(r'\\(["\\])', r"\1", run(desk))
