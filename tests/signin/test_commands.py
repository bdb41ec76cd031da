"""`login`, `status` and `logout` as a person types them, at a strict authorization server.

What counts is seen from outside: words on the terminal, exit statuses, tabs, requests, files.
Must not know how the commands are made.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.harness.browser import FakeBrowser, Visit, fake_browser
from tests.harness.host import (
    Host,
    Json,
    assert_error,
    environment_for,
    initialize_params,
    wait_until,
)
from tests.harness.warm import COMMAND, run
from tests.peers.authorization_server import (
    CANARY,
    AuthorizationServer,
    Client,
    Form,
    OAuthError,
    Policy,
    SignIn,
    form_of,
)
from tests.peers.launch import free_port
from tests.peers.wild_server import Exchange, WildServer, answer_status, encode

pytestmark = pytest.mark.timeout(120)

PATIENCE = 40.0
"""Seconds for a command, whatever it does."""
CALL: Json = {"name": "echo", "arguments": {"text": "hello"}}
NO_KEYRING = "keyring.backends.fail.Keyring"


@dataclass
class Terminal:
    """A person at a terminal: a home, a browser, and a server out there."""

    server: AuthorizationServer
    browser: FakeBrowser
    home: Path
    stack: ExitStack

    @property
    def environment(self) -> dict[str, str]:
        """Of a desktop without a keyring, so that the tests are the same on one that has one."""
        extra = {"BROWSER": str(self.browser.command), "PYTHON_KEYRING_BACKEND": NO_KEYRING}
        return environment_for(self.home, extra)

    def run(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """A command that is over, with this exit status; it never shows a secret."""
        done = run([str(COMMAND), *words], self.environment, PATIENCE)
        self.assert_no_secret(done.stdout + done.stderr)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def begin(self, *words: str) -> tuple[subprocess.Popen[str], Path, Path]:
        """A command at work, and the files that take its stdout and stderr."""
        self.home.mkdir(exist_ok=True)
        files = self.home / "stdout", self.home / "stderr"
        with files[0].open("w") as stdout, files[1].open("w") as stderr:
            process = subprocess.Popen(
                [str(COMMAND), *words],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                text=True,
                env=self.environment,
            )
        self.stack.callback(process.wait, PATIENCE)
        self.stack.callback(process.kill)
        return process, *files

    def login(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """`login` at the server."""
        return self.run("login", self.server.url, *words, status=status)

    def sessions(self, *words: str, status: int = 0) -> list[Json]:
        """What `status --json` says."""
        said = json.loads(self.run("status", *words, "--json", status=status).stdout)
        sessions: list[Json] = said["sessions"]
        return sessions

    def relay(self, *options: str) -> Host:
        """A host that has started the relay and shaken hands."""
        words = [str(COMMAND), self.server.url, *options]
        host = self.stack.enter_context(Host(words, self.environment, patience=PATIENCE))
        host.initialize()
        return host

    def sealed(self) -> list[Path]:
        """The records of sign-ins."""
        return list(self.home.rglob("*.sealed"))

    def assert_no_secret(self, text: str) -> None:
        assert CANARY not in text, text
        assert not [secret for secret in self.server.secrets if secret in text], text

    def assert_files_tell_nothing(self) -> None:
        """Nothing secret in the clear, and nothing at all for others."""
        for file in (file for file in self.home.rglob("*") if file.is_file()):
            self.assert_no_secret(file.read_bytes().decode("latin-1"))
            if file.name not in ("stdout", "stderr"):  # those are the test's
                assert not file.stat().st_mode & 0o077, f"others may read {file}"


class DeviceServer(AuthorizationServer):
    """It signs in by a code on another device too (RFC 8628); the person is slow by one poll."""

    def behave(self, exchange: Exchange) -> None:
        if exchange.path != urlsplit(self.endpoint_of("device_authorization")).path:
            super().behave(exchange)
            return
        form = form_of(exchange)
        self.sign_in = SignIn(form["client_id"], form.get("scope", ""), form.get("resource", ""))
        self.device_code = self.make_secret("device")
        self.polls = 0
        answer: Json = {
            "device_code": self.device_code,
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.origin}/device",
            "expires_in": 60,
            "interval": 1,
        }
        exchange.reply(200, encode(answer))

    def _exchange_grant(self, client: Client, form: Form) -> Json:
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code":
            return super()._exchange_grant(client, form)
        if (form["device_code"], client.client_id) != (self.device_code, self.sign_in.client_id):
            raise OAuthError("invalid_grant")
        self.polls += 1
        if self.polls == 1:
            raise OAuthError("authorization_pending")
        return self._issue(self.sign_in, self._new_refresh_token(self.sign_in))


@pytest.fixture
def sit_down(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Starts the server and gives the terminal: the browser's mode, and the server's policy."""
    with ExitStack() as stack:

        def sit_down(
            mode: str = "normal",
            kind: type[AuthorizationServer] = AuthorizationServer,
            **policy: Any,
        ) -> Terminal:
            server = stack.enter_context(kind(Policy(**policy)))
            browser = stack.enter_context(fake_browser(tmp_path / "browser", mode))
            return Terminal(server, browser, tmp_path / "home", stack)

        yield sit_down


def printed_address(terminal: Terminal, file: Path) -> str:
    """The address of the sign-in, once it is on the terminal."""
    pattern = re.compile(re.escape(terminal.server.endpoint_of("authorize")) + r"\?\S+")
    wait_until(
        lambda: pattern.search(file.read_text()) is not None, "the address", seconds=PATIENCE
    )
    found = pattern.search(file.read_text())
    assert found is not None
    return found[0]


def assert_sentence(text: str, *phrases: str) -> None:
    """One line of stderr that says all of it; in a phrase one of the words between | is enough."""
    lines = text.splitlines()
    assert any(
        all(any(one in line.lower() for one in phrase.split("|")) for phrase in phrases)
        for line in lines
    ), f"{phrases}: {text}"
    assert "Traceback" not in text


# login


@pytest.mark.promise("P2", "A7", "L1")
def test_login_spares_the_relay_its_tab(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    done = terminal.login()
    assert "Signed in at" in done.stdout
    assert "desk" in done.stdout
    assert terminal.browser.opened[0] in done.stdout, "for whom no tab opens"
    host = terminal.relay()
    assert host.request("tools/call", CALL)["result"]["params"] == CALL
    assert len(terminal.browser.opened) == 1
    assert len(terminal.server.registrations) == 1
    assert len(terminal.server.token_requests()) == 1
    terminal.assert_no_secret(host.stderr)
    terminal.assert_files_tell_nothing()


@pytest.mark.report("T17")
def test_arguments_of_an_entry_sign_in_show_and_sign_out(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    entry = (
        *("--transport", "http-first", "--ignore-tool", "delete*", "--profile", "work"),
        *("--header", "X-Key: own", "--keep-alive", "--token-store", "file"),
    )
    said = terminal.login(*entry)
    assert "does not matter" not in said.stderr
    assert '    "--transport",' in said.stdout.replace("      ", "    "), "it is the entry's"
    assert "canary" not in said.stdout
    assert '"X-Key: ****"' in said.stdout
    terminal.relay(*entry)
    assert [one["profile"] for one in terminal.sessions(terminal.server.url, *entry)] == ["work"]
    said = terminal.run("logout", terminal.server.url, *entry).stderr
    assert said.count("does not matter for logout.") == 4
    assert (terminal.sealed(), len(terminal.browser.opened)) == ([], 1)


@pytest.mark.promise("P2")
def test_login_again_is_a_new_sign_in_of_the_same_client(
    sit_down: Callable[..., Terminal],
) -> None:
    terminal = sit_down()
    terminal.login()
    terminal.login()
    assert len(terminal.browser.opened) == 2
    assert len(terminal.server.registrations) == 1
    assert len(terminal.server.token_requests("authorization_code")) == 2
    assert len(terminal.sealed()) == 1


@pytest.mark.promise("P2", "A3")
def test_login_that_is_denied(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down(deny=True)
    done = terminal.login(status=3)
    assert_sentence(done.stderr, "declined|denied|refused", "again|login|ask")
    assert "Signed in" not in done.stdout
    assert not terminal.server.token_requests()
    (session,) = terminal.sessions()
    assert session["signed_in"] is False
    assert session["last_error"]
    assert session["vain_tabs"] == 1
    assert 540 < session["next_tab_in"] <= 600
    said = terminal.run("status", terminal.server.url, status=3).stdout
    assert re.search(
        r"a page opens by itself in (9|10) minutes at the earliest, because the last one was not "
        r"finished\n(.*\n)*  to do +To sign in after all: mcp-remote-py login",
        said,
    )
    # A host that starts now is told so, and opens nothing.
    words = [str(COMMAND), terminal.server.url]
    host = terminal.stack.enter_context(Host(words, terminal.environment, patience=PATIENCE))
    asked = host.begin("initialize", initialize_params())
    text = assert_error(host.answer(asked, seconds=PATIENCE), asked)
    assert "minutes" in text
    assert f"mcp-remote-py login {terminal.server.url}" in text
    assert len(terminal.browser.opened) == 1
    # Whoever asks for it again is not held up, and what came to nothing is forgotten then.
    terminal.server.policy.deny = False
    terminal.login()
    (session,) = terminal.sessions()
    assert (session["vain_tabs"], session["next_tab_in"]) == (0, 0)


@pytest.mark.promise("P2", "A3")
def test_command_that_is_told_signs_in_as_the_host_does(
    sit_down: Callable[..., Terminal], tmp_path: Path
) -> None:
    """It is copied from the host's error, and from `status`, and is for the very same sign-in."""
    changes = {"grant_types_supported": ["client_credentials"]}
    terminal = sit_down(metadata_changes=changes)
    client = tmp_path / "client of mine.json"
    members = {"client_id": "a", "client_secret": "b" * 20, "issuer": terminal.server.issuer}
    client.write_text(json.dumps(members))
    client.chmod(0o600)
    terminal.server.always("token", answer_status(403))
    options = ["--client-credentials", "--static-oauth-client-info", f"@{client}", "--no-browser"]
    words = [str(COMMAND), terminal.server.url, *options, "--token-store", "file"]
    host = terminal.stack.enter_context(Host(words, terminal.environment, patience=PATIENCE))
    asked = host.begin("initialize", initialize_params())
    assert_error(host.answer(asked, seconds=PATIENCE), asked)
    said = terminal.run("status", terminal.server.url, status=3).stdout
    (line,) = [line for line in said.splitlines() if "mcp-remote-py login" in line]
    command = shlex.split(line[line.index("mcp-remote-py") :])
    assert command == [
        *("mcp-remote-py", "login", terminal.server.url, "--static-oauth-client-info"),
        *(f"@{client}", "--client-credentials", "--token-store", "file"),
    ]
    tokens = encode({"access_token": "agent-token", "token_type": "Bearer", "expires_in": 3600})
    terminal.server.always("token", lambda exchange: exchange.reply(200, tokens))
    done = terminal.run(*command[1:], status=3)
    assert_sentence(done.stderr, "it was just given (unknown token)")
    (session,) = terminal.sessions()
    assert (session["signed_in"], session["profile"]) == (True, "client-credentials")
    assert not terminal.browser.opened


@pytest.mark.promise("L3", "P2")
def test_token_whose_record_is_lost_is_not_called_new(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    terminal.login()
    host = terminal.relay()
    assert host.request("tools/call", CALL)["result"]["params"] == CALL
    host.end()
    records = [path for path in terminal.home.rglob("*.json") if path.parent.name != "sessions"]
    assert records
    for path in records:
        path.unlink()
    terminal.server.revoke_access_tokens()
    words = [str(COMMAND), terminal.server.url]
    host = terminal.stack.enter_context(Host(words, terminal.environment, patience=PATIENCE))
    asked = host.begin("initialize", initialize_params())
    text = assert_error(host.answer(asked, seconds=PATIENCE), asked)
    assert "a token that may never have worked (its record is lost)" in text
    assert "just given" not in text
    assert f"If it did, sign in again: mcp-remote-py login {terminal.server.url}. If it" in text
    assert len(terminal.browser.opened) == 1
    terminal.login()
    assert terminal.relay().request("tools/call", CALL)["result"]["params"] == CALL


@pytest.mark.promise("P2")
def test_login_where_none_is_wanted(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    with WildServer() as open_server:
        done = terminal.run("login", open_server.url)
    assert "It does not ask for a sign-in, so there is nothing to sign in to." in done.stdout
    assert 'Found the MCP server "wild"' in done.stdout
    assert done.stderr == ""
    assert not terminal.browser.opened
    assert not terminal.sealed()


@pytest.mark.promise("P2")
def test_login_at_a_server_that_is_away(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    url = f"http://127.0.0.1:{free_port()}/mcp"
    done = terminal.run("login", url, status=1)
    assert_sentence(done.stderr, url.removesuffix("/mcp"), "refused|reach|connect", "check the url")
    assert not terminal.browser.opened


@pytest.mark.promise("P2")
def test_login_at_an_address_without_an_mcp_server(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    with WildServer() as other:
        other.always("initialize", answer_status(404))
        done = terminal.run("login", other.url, status=1)
    assert_sentence(done.stderr, "404", "/mcp")
    assert not terminal.browser.opened


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/html", b"<html><title>Welcome</title><p>Our website</html>"),
        (200, "text/html", b"<html><title>Log in to Corp</title></html>"),
        (403, "text/html", b"<html><title>Just a moment...</title></html>"),
        (404, "text/plain", b"nothing here"),
        (500, "text/plain", b"oops"),
    ],
    ids=["a web page", "a login page", "a check for browsers", "404", "500"],
)
def test_login_says_of_what_is_not_a_server_what_a_host_hears(
    sit_down: Callable[..., Terminal], status: int, content_type: str, body: bytes
) -> None:
    terminal = sit_down()

    def answer(exchange: Exchange) -> None:
        exchange.reply(status, body, headers={"Content-Type": content_type})

    with WildServer() as other:
        for method in ("initialize", "GET"):
            other.always(method, answer)
        done = terminal.run("login", other.url, status=1)
        words = [str(COMMAND), other.url]
        host = terminal.stack.enter_context(Host(words, terminal.environment, patience=PATIENCE))
        asked = host.begin("initialize", initialize_params())
        heard = assert_error(host.answer(asked, seconds=PATIENCE), asked)
    assert f"[mcp-remote-py] {heard}\n" in done.stderr
    assert re.search(r"[.?!)] [A-Z]", heard), f"no next step: {heard}"
    assert done.stdout == f"Asking {other.url} whether it wants a sign-in ...\n"
    assert not terminal.browser.opened


@pytest.mark.promise("L1", "L3", "P2")
def test_new_token_that_the_server_does_not_take_is_said_and_is_the_end(
    sit_down: Callable[..., Terminal],
) -> None:
    terminal = sit_down()

    def refuse(exchange: Exchange) -> None:
        challenge = 'Bearer error="invalid_token", error_description="wrong audience"'
        exchange.reply(401, headers={"WWW-Authenticate": challenge})

    terminal.server.always("initialize", refuse)
    done = terminal.login(status=3)
    assert "Signed in at" in done.stdout
    assert "mcpServers" not in done.stdout
    assert_sentence(done.stderr, "it was just given (wrong audience)", "--resource|--scope")
    assert len(terminal.browser.opened) == len(terminal.server.token_requests()) == 1


@pytest.mark.promise("A1", "P2")
@pytest.mark.parametrize("place", ["path", "root", "challenge"])
def test_login_at_a_server_that_asks_for_calls_only(
    sit_down: Callable[..., Terminal], place: str
) -> None:
    """Nothing has failed yet; it publishes how to sign in, or names that to whoever asks."""
    public = frozenset({"initialize", "notifications/initialized", "tools/list"})
    terminal = sit_down(public_methods=public, resource_metadata=place)
    done = terminal.login()
    assert "It answers without a sign-in. Signing in all the same." in done.stdout
    assert "The server accepts its token." in done.stdout
    assert len(terminal.browser.opened) == len(terminal.server.token_requests()) == 1
    assert terminal.server.authorizations[0]["resource"] == terminal.server.resource
    host = terminal.relay()
    assert host.request("tools/call", CALL)["result"]["params"] == CALL
    assert len(terminal.browser.opened) == 1


@pytest.mark.promise("A1", "P2")
def test_sign_in_that_is_offered_is_judged_as_any_other(sit_down: Callable[..., Terminal]) -> None:
    public = frozenset({"initialize", "notifications/initialized", "tools/list"})
    terminal = sit_down(public_methods=public)
    terminal.server.policy.metadata_changes = {"issuer": "https://attacker.example"}
    done = terminal.login(status=3)
    assert_sentence(done.stderr, "https://attacker.example", "tell|--trusted-issuer")
    assert not terminal.browser.opened


@pytest.mark.promise("P2")
def test_login_at_a_server_that_asks_for_its_tools_only(
    sit_down: Callable[..., Terminal],
) -> None:
    """It shakes hands with everybody: what else it is asked tells that it wants a sign-in."""
    terminal = sit_down()
    with WildServer(sessions=True) as other:

        def ask(exchange: Exchange) -> None:
            metadata = f"{terminal.server.origin}/.well-known/oauth-protected-resource/mcp"
            challenge = f'Bearer resource_metadata="{metadata}"'
            exchange.reply(401, headers={"WWW-Authenticate": challenge})

        other.always("tools/list", ask)
        done = terminal.run("login", other.url, status=3)
    assert "It does not ask for a sign-in" not in done.stdout
    assert "Asking 127.0.0.1 how to sign in." in done.stdout


@pytest.mark.promise("P2")
def test_login_at_a_server_that_asks_at_its_stream_only(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    terminal.server.script("initialize", answer_status(405))
    assert "Signed in at" in terminal.login().stdout


@pytest.mark.promise("P2", "S1")
def test_login_without_a_browser_is_finished_by_hand(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    port = str(free_port())  # as for a tunnel
    process, stdout, stderr = terminal.begin("login", terminal.server.url, port, "--no-browser")
    address = printed_address(terminal, stdout)
    redirect = parse_qs(urlsplit(address).query)["redirect_uri"][0]
    assert redirect == f"http://localhost:{port}/oauth/callback"
    page = Visit().open(address)
    assert page.status == 200
    assert process.wait(PATIENCE) == 0, stderr.read_text()
    assert "Signed in at" in stdout.read_text()
    assert not terminal.browser.opened
    terminal.assert_files_tell_nothing()
    terminal.relay()
    assert not terminal.browser.opened


@pytest.mark.promise("P2", "R7")
def test_control_c_ends_the_wait_and_leaves_nobody_listening(
    sit_down: Callable[..., Terminal],
) -> None:
    terminal = sit_down("record")
    process, stdout, stderr = terminal.begin("login", terminal.server.url)
    address = printed_address(terminal, stdout)
    redirect = urlsplit(parse_qs(urlsplit(address).query)["redirect_uri"][0])
    assert redirect.port is not None
    wait_until(lambda: "Waiting up to 5 minutes for you." in stdout.read_text(), "the time left")
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    assert "Traceback" not in stderr.read_text()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", redirect.port), 5)
    assert not terminal.server.token_requests()
    assert terminal.sessions(terminal.server.url, status=3)[0]["signed_in"] is False
    said = stdout.read_text()
    assert "Ended by Ctrl+C: the sign-in is not finished." in said
    assert "Or finish the sign-in page and start your host within 4 minutes." in said
    # What it says is so: a host takes what comes of the page.
    words = [str(COMMAND), terminal.server.url]
    host = terminal.stack.enter_context(Host(words, terminal.environment, patience=PATIENCE))
    asked = host.begin("initialize", initialize_params())
    host.wait_logged("Still waiting for the sign-in at")
    assert Visit().open(address).status == 200
    assert "result" in host.answer(asked, seconds=PATIENCE)
    assert len(terminal.browser.opened) == 1
    # Nor is anything that it leaves in the way of the next one.
    terminal.browser.become("normal")
    terminal.login()


@pytest.mark.promise("P2", "A1")
def test_nobody_comes(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down("close", consent=True)
    done = terminal.login("--auth-timeout", "2", status=3)
    assert_sentence(done.stderr, "2 s", "--auth-timeout|again|login|address")


@pytest.mark.promise("P2", "A3")
def test_login_by_a_code_on_another_device(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down(kind=DeviceServer)
    server = terminal.server
    server.policy.metadata_changes = {
        "device_authorization_endpoint": server.endpoint_of("device_authorization"),
    }
    done = terminal.login("--device-code")
    assert "WDJB-MJHT" in done.stdout
    assert f"{server.origin}/device" in done.stdout
    assert len(server.token_requests()) == 2
    host = terminal.relay()
    assert host.request("tools/call", CALL)["result"]["params"] == CALL
    assert not terminal.browser.opened


@pytest.mark.promise("P2", "A2")
def test_login_at_another_port_than_before(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    terminal.login()
    port = str(free_port())
    for _ in range(2):
        terminal.login(port)
        assert f":{port}/" in terminal.server.token_requests()[-1]["redirect_uri"]
    terminal.relay()
    assert len(terminal.browser.opened) == 3
    assert len(terminal.server.registrations) == 2


# Several accounts


@pytest.mark.promise("P2", "A7")
def test_profiles_are_accounts_apart(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    terminal.login("--profile", "work")
    terminal.login("--profile", "home")
    assert len(terminal.browser.opened) == 2
    assert len(terminal.sealed()) == 2
    assert {session["profile"] for session in terminal.sessions()} == {"work", "home"}
    used: list[str] = []
    for profile in ("work", "home"):
        host = terminal.relay("--profile", profile)
        used.append(terminal.server.received("POST")[-1].headers["authorization"])
        host.end()
    assert used[0] != used[1]
    assert len(terminal.browser.opened) == 2
    terminal.run("logout", terminal.server.url, "--profile", "work")
    assert [session["profile"] for session in terminal.sessions()] == ["home"]
    terminal.relay("--profile", "home")
    assert len(terminal.browser.opened) == 2


# logout


@pytest.mark.promise("P2", "A7")
@pytest.mark.parametrize("words", ["URL", "--all"])
def test_logout_revokes_both_tokens_and_leaves_only_keys(
    sit_down: Callable[..., Terminal], words: str
) -> None:
    terminal = sit_down()
    terminal.login()
    done = terminal.run("logout", terminal.server.url if words == "URL" else words)
    assert f"Signed out of {terminal.server.url}" in done.stdout
    revoked = {form_of(one)["token"] for one in terminal.server.received("revoke")}
    issued = {*terminal.server.access_tokens, *terminal.server.refresh_tokens}
    assert len(issued) == 2
    assert revoked == issued
    left = {
        file.name
        for file in terminal.home.rglob("*")
        if file.is_file() and not file.name.endswith(".lock")
    }
    assert left <= {"key", "key-source"}, left
    assert terminal.sessions() == []
    assert "Nobody" in terminal.run("logout", terminal.server.url).stdout
    assert "Nobody" in terminal.run("logout", "--all").stdout
    terminal.relay()
    assert len(terminal.browser.opened) == 2, "who is signed out is asked again"


@pytest.mark.promise("P2")
def test_logout_where_the_server_is_away_still_forgets(
    sit_down: Callable[..., Terminal],
) -> None:
    terminal = sit_down()
    terminal.login()
    terminal.server.kill()
    done = terminal.run("logout", terminal.server.url)
    assert "could not be revoked" in done.stdout + done.stderr
    assert not terminal.sealed()


# status


@pytest.mark.promise("P2", "S2")
def test_status_says_who_is_signed_in_and_no_secret(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    url = terminal.server.url
    assert "login" in terminal.run("status", url, status=3).stdout
    assert terminal.sessions() == []
    terminal.login()
    terminal.server.kill()  # it asks nobody
    text = terminal.run("status", url).stdout
    for word in (url, terminal.server.issuer, "desk", "expires", "file"):
        assert word in text
    (session,) = terminal.sessions(url)
    assert session["signed_in"] is True
    assert session["expired"] is False
    assert session["issuer"] == terminal.server.issuer
    assert "desk" in session["scopes"]


@pytest.mark.promise("P2", "A7")
def test_a_sign_in_that_is_not_kept_is_not_told_of(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    terminal.relay("--token-store", "memory").end()
    assert len(terminal.browser.opened) == 1
    assert not [one for one in terminal.sessions() if one["signed_in"]]
    assert not terminal.sealed()


@pytest.mark.promise("P2")
def test_status_imports_nothing_heavy(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    terminal.login()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mcp_remote_py", "status"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=terminal.environment,
        check=False,
    )
    assert done.returncode == 0
    assert terminal.server.url in done.stdout
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.split("\n")}
    assert not loaded & {"authlib", "cryptography", "keyring", "httpx", "httpcore", "h11", "ssl"}


# By hand


def begin_paste(terminal: Terminal, *words: str) -> tuple[subprocess.Popen[str], Path]:
    """`login --paste`, whose stdin is the test's, and the file that takes what it says."""
    terminal.home.mkdir(exist_ok=True)
    said = terminal.home / "pasting"
    with said.open("w") as file:
        process = subprocess.Popen(
            [str(COMMAND), "login", terminal.server.url, "--paste", *words],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            text=True,
            env=terminal.environment,
        )
    terminal.stack.enter_context(process)
    terminal.stack.callback(process.kill)
    return process, said


def paste(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def address_in(file: Path) -> str:
    """The address the person is told to open."""
    wait_until(lambda: "?" in file.read_text(), "an address", seconds=PATIENCE)
    found = re.search(r"http://\S+/authorize\?\S+", file.read_text())
    assert found is not None
    return found[0]


def go_elsewhere(url: str) -> str:
    """The person on another machine: where the browser ends, and cannot show it."""
    visit = Visit()
    uri = parse_qs(urlsplit(url).query)["redirect_uri"][0]
    page = visit.fetch("GET", url)
    assert page.location is not None
    assert page.location.startswith(uri)
    return page.location


@pytest.mark.promise("A1", "P2", "S2")
def test_login_by_hand(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    process, said = begin_paste(terminal)
    end = go_elsewhere(address_in(said))
    for wrong in ("", "hello", end.replace("state=", "state=x"), "?state=s"):
        paste(process, wrong)
    wait_until(lambda: "neither a code nor an error" in said.read_text(), "an answer to the last")
    paste(process, f"  '{end}'")
    assert process.wait(PATIENCE) == 0
    text = said.read_text()
    assert "paste it here and press Enter" in text
    port = urlsplit(end.strip()).port
    assert f"ssh -L {port}:localhost:{port} you@this-machine" in text
    assert text.count(parse_qs(urlsplit(end).query)["state"][0]) == 1, "in the printed address"
    assert "That is not the end of a sign-in: it does not contain a state." in text
    assert "That address belongs to a different sign-in (its state differs)." in text
    assert f"Signed in at {terminal.server.url}" in text
    assert not terminal.browser.opened
    assert len(terminal.server.token_requests("authorization_code")) == 1
    terminal.assert_no_secret(text)


@pytest.mark.promise("A4", "A1")
def test_login_by_hand_finishes_what_a_relay_waits_for(
    sit_down: Callable[..., Terminal],
) -> None:
    terminal = sit_down()
    words = [str(COMMAND), terminal.server.url, "--no-browser"]
    host = terminal.stack.enter_context(Host(words, terminal.environment, patience=PATIENCE))
    asked = host.begin("initialize", initialize_params())
    host.wait_logged(f"mcp-remote-py login {terminal.server.url} --paste")
    advice = r"ssh -L (\d+):localhost:\1 you@this-machine"
    wait_until(lambda: bool(re.search(advice, host.stderr)), "the advice", seconds=PATIENCE)
    process, said = begin_paste(terminal)
    url = address_in(said)
    host.wait_logged(url)  # the same sign-in
    paste(process, go_elsewhere(url))
    assert process.wait(PATIENCE) == 0
    assert "result" in host.answer(asked)
    assert "result" in host.request("tools/call", CALL)
    assert len(terminal.server.token_requests()) == 1
    assert len(terminal.server.authorizations) == 1


@pytest.mark.promise("P2")
def test_login_by_hand_that_is_declined(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    process, said = begin_paste(terminal)
    state = parse_qs(urlsplit(address_in(said)).query)["state"][0]
    issuer = terminal.server.issuer
    paste(process, f"?error=access_denied&state={state}&iss={issuer}")
    assert process.wait(PATIENCE) == 3
    assert "declined" in said.read_text()


@pytest.mark.promise("P2", "A4", "R1")
def test_declining_by_hand_is_told_the_host_of_a_relay_that_waits(
    sit_down: Callable[..., Terminal],
) -> None:
    terminal = sit_down(deny=True)
    words = [str(COMMAND), terminal.server.url, "--no-browser"]
    host = terminal.stack.enter_context(Host(words, terminal.environment, patience=PATIENCE))
    asked = host.begin("initialize", initialize_params())
    wait_until(lambda: "--paste" in host.stderr, "the advice", seconds=PATIENCE)
    process, said = begin_paste(terminal)
    paste(process, go_elsewhere(address_in(said)))
    assert process.wait(PATIENCE) == 3
    assert "declined" in said.read_text()
    assert_error(host.answer(asked), asked, ["declined", "mcp-remote-py login"])
    (session,) = terminal.sessions()
    assert "declined" in session["last_error"]
    assert not terminal.server.token_requests()


@pytest.mark.promise("A4", "L1", "S3")
def test_pasted_twice_and_from_another_host_is_one_exchange(
    sit_down: Callable[..., Terminal],
) -> None:
    terminal = sit_down()
    process, said = begin_paste(terminal)
    end = urlsplit(go_elsewhere(address_in(said)))
    forged = f"https://evil.example/?{end.query.replace('state=', 'state=x')}"
    forwarded = f"https://name-3334.forwarded.example{end.path}?{end.query}"
    for line in (forged, forwarded, end.geturl()):
        paste(process, line)
    assert process.wait(PATIENCE) == 0, said.read_text()
    assert said.read_text().count("its state differs") == 1
    assert said.read_text().count("Signed in at") == 1
    assert len(terminal.server.token_requests("authorization_code")) == 1


def test_nothing_to_paste_leaves_the_browser(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    process, said = begin_paste(terminal)
    url = address_in(said)
    assert process.stdin is not None
    process.stdin.close()
    wait_until(lambda: "Nothing more can be pasted" in said.read_text(), "a word about it")
    assert Visit().open(url).status == 200
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("other", [["--device-code"], ["--browser", "firefox"]], ids=str)
def test_paste_goes_with_no_other_way(sit_down: Callable[..., Terminal], other: list[str]) -> None:
    said = sit_down().login("--paste", *other, status=2)
    assert f"Both --paste and {other[0]} are given." in said.stderr
