"""One command, tried out: a server out there, files at hand, and what was seen of it all.

Every trial has a desk of its own. What a scene does to the server and to what is stored is said in
`scenes`; which option has which effect in `rows`. Must not know any option.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mcp_remote_py.credentials.keys import choose_store
from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.redact import Secret
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.urls import parse_server_url
from tests.harness.browser import FakeBrowser, fake_browser
from tests.harness.host import Host, Json, environment_for, initialize_params
from tests.harness.warm import COMMAND, run
from tests.peers.authorization_server import AuthorizationServer, Form
from tests.peers.wild_server import WildServer
from tests.transports.peers import Authority, TlsServer

PATIENCE = 25.0
"""Seconds for a command that is expected to come to its end."""

_KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


class Listener:
    """Takes connections at a port and never says a word; counts them."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.connections.append(self._listener.accept()[0])

    def close(self) -> None:
        """Nobody connects any more."""
        for one in [self._listener, *self.connections]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@dataclass
class Seen:
    """What could be seen from outside when it was over, or given up."""

    status: int | None = None
    """The exit status; None where it still was at it."""
    said: str = ""
    """stdout, and what a host was answered."""
    logged: str = ""
    """stderr."""
    server: WildServer | None = None
    listeners: list[Listener] = field(default_factory=list[Listener])
    opened: list[str] = field(default_factory=list[str])
    """The addresses the browser of the desktop was given."""
    opened_by_another: list[str] = field(default_factory=list[str])
    home: Path = Path()
    answers: list[Json] = field(default_factory=list[Json])

    @property
    def text(self) -> str:
        """All words."""
        return self.said + self.logged

    def headers(self, name: str) -> list[str]:
        """The values of that header in the requests for messages."""
        assert self.server is not None
        asked = [one for one in self.server.requests if one.verb == "POST" and one.method]
        return [one.headers.get(name, "") for one in asked]

    def methods(self) -> list[str]:
        """Verb and method or path of each request."""
        assert self.server is not None
        return [f"{one.verb} {self.server.key_of(one)}" for one in self.server.requests]

    def bodies(self, path: str) -> list[Form]:
        """The forms that were sent to a path with this end."""
        assert self.server is not None
        asked = [one for one in self.server.requests if urlsplit(one.path).path.endswith(path)]
        return [dict(parse_qsl(one.body.decode())) for one in asked]

    def paths(self) -> list[str]:
        """Of every request."""
        assert self.server is not None
        return [urlsplit(one.path).path for one in self.server.requests]

    def authorization(self) -> Form:
        """The parameters of the first address the person is sent to."""
        urls = self.opened + self.opened_by_another
        return dict(parse_qsl(urlsplit(urls[0]).query)) if urls else {}

    def registration(self) -> Json:
        """What was registered."""
        assert isinstance(self.server, AuthorizationServer)
        return self.server.registrations[0] if self.server.registrations else {}

    def records(self) -> list[Json]:
        """What `status --json` is made of."""
        found = sorted(path for path in self.home.rglob("*.json") if len(path.stem) == 32)
        return [json.loads(path.read_text()) for path in found]

    def metadata(self) -> list[Json]:
        """The `_meta` of each message that has params."""
        assert self.server is not None
        given = [one.params for one in self.server.requests if one.verb == "POST"]
        return [params.get("_meta", {}) for params in given if params]

    def tools(self) -> list[str]:
        """The tools the host was shown."""
        results = [answer.get("result", {}) for answer in self.answers]
        return [tool["name"] for result in results for tool in result.get("tools", ())]


class Desk:
    """Where one command is tried out."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.home = folder / "home"
        self.browser: FakeBrowser = stack.enter_context(fake_browser(folder / "browser"))
        self.other_browser: FakeBrowser = stack.enter_context(
            fake_browser(folder / "other" / "browser")
        )
        self.environment = environment_for(
            self.home,
            {
                "BROWSER": str(self.browser.command),
                "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            },
        )
        self.server: WildServer | None = None
        self.url = ""
        self.listeners: list[Listener] = []
        self.seconds = PATIENCE
        """How long the command may take until it is given up."""
        self.talk: Callable[[Host], Iterator[Json]] = shake_hands
        self.lines = ""
        """For stdin."""

    def serve(self, server: WildServer, url: str = "") -> None:
        """The command is for this server."""
        self.server = self.stack.enter_context(server)
        self.url = url or server.url

    def listen(self, host: str = "127.0.0.1") -> Listener:
        """Somebody who takes connections and is silent."""
        listener = Listener(host)
        self.stack.callback(listener.close)
        self.listeners.append(listener)
        return listener

    def authority(self) -> Authority:
        """One that only who names `{folder}/authority.pem` trusts."""
        return Authority(self.folder)

    def serve_tls(self, authority: Authority) -> TlsServer:
        """A server of that authority, which takes certificates of it."""
        server = TlsServer(authority.issue("server"), asks=authority)
        authority.issue("client")
        self.serve(server)
        return server

    @property
    def place(self) -> dict[str, str]:
        """What may stand in braces in the words of an option."""
        origin = "" if self.server is None else self.server.origin
        return {
            "folder": str(self.folder),
            "url": self.url,
            "origin": origin,
            "issuer": getattr(self.server, "issuer", origin),
            "resource": getattr(self.server, "resource", origin),
            "other": str(self.other_browser.command),
        }

    def lay_out(self) -> None:
        """Files for options that name one."""
        client = {"client_id": "mine", "client_secret": "c" * 24, "issuer": self.place["issuer"]}
        for name, text in (
            ("headers", "X-File: from-file\n"),
            ("client.json", json.dumps(client)),
            ("key.pem", _KEY.decode()),
            ("jwt", make_jwt(self.place["issuer"])),
        ):
            path = self.folder / name
            path.write_text(text)
            path.chmod(0o600)

    # What is stored already

    def remember(self, resource: str = "", profile: str = "", **facts: object) -> None:
        """A session that `status` tells of."""
        folder = state_directory(self.environment)
        known = {"signed_in_at": time.time(), "store": "file", **facts}
        SessionFile(folder, SessionId(self.url, resource, profile)).update(**known)  # pyright: ignore

    def sign_in(self, origin: str, lifetime: float = 3600, profile: str = "") -> None:
        """A sign-in whose tokens are renewed and revoked at `origin`."""
        store = choose_store("file", state_directory(self.environment), os.urandom)
        store.save(
            SessionId(str(parse_server_url(self.url, allow_http=True)), profile=profile).key,
            Credential(
                issuer=origin,
                token_endpoint=f"{origin}/as/token",
                client=Client("mine", "registered"),
                access_token=Secret("kept-access"),
                refresh_token=Secret("kept-refresh"),
                obtained_at=time.time() - 7200,
                expires_at=time.time() + lifetime,
                revocation_endpoint=f"{origin}/as/revoke",
                published_by=origin,
                endpoints=(f"{origin}/as/token", f"{origin}/as/revoke"),
            ),
        )
        self.remember(profile=profile)

    # Trials

    def run(self, command: str, words: Sequence[str]) -> Seen:
        """The command with these words, until it is over or its seconds are."""
        self.lay_out()
        told = [self._fill_in(word) for word in words]
        seen = self._relay(told) if command == "proxy" else self._command(command, told)
        seen.server, seen.listeners, seen.home = self.server, self.listeners, self.home
        seen.opened, seen.opened_by_another = self.browser.opened, self.other_browser.opened
        return seen

    def _fill_in(self, word: str) -> str:
        for name, value in self.place.items():
            word = word.replace(f"{{{name}}}", value)
        return word

    def _command(self, command: str, words: list[str]) -> Seen:
        line = [str(COMMAND), command, *([self.url] if self.url else []), *words]
        try:
            done = run(line, self.environment, self.seconds, self.lines)
        except subprocess.TimeoutExpired as error:
            return Seen(None, str(error.output), str(error.stderr))
        return Seen(done.returncode, done.stdout, done.stderr)

    def _relay(self, words: list[str]) -> Seen:
        seen = Seen()
        line = [str(COMMAND), *([self.url] if self.url else []), *words]
        host = Host(line, self.environment, patience=self.seconds)
        host.allow_unknown_answers = True
        try:
            for answer in self.talk(host):
                seen.answers.append(answer)
            host.close_stdin()
            seen.status = host.wait_exit(5)
        except BrokenPipeError:  # it was over before it was told anything
            seen.status = host.wait_exit(5)
        except AssertionError:  # no answer in time
            seen.status = host.process.poll()
        finally:
            host.end()
        # --help and --version do not print JSON.
        told = [line.raw.decode() for line in host.lines] + host.violations
        seen.said, seen.logged = "\n".join(told), host.stderr
        return seen


def shake_hands(host: Host) -> Iterator[Json]:
    """Only `initialize`."""
    yield host.request("initialize", initialize_params())


def talk(host: Host) -> Iterator[Json]:
    """All that a host does."""
    yield host.request("initialize", initialize_params())
    host.notify("notifications/initialized")
    yield host.request("tools/list")
    yield host.request("tools/call", {"name": "echo", "arguments": {}})
    yield host.request("ping")


def make_jwt(audience: str) -> str:
    """A token nobody has signed."""
    claims = {"aud": audience, "sub": "workload", "exp": int(time.time()) + 600}
    parts = [json.dumps(one).encode() for one in ({"alg": "RS256"}, claims)] + [b"signature"]
    return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts)
