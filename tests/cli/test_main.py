"""The command line from outside: words in, settings, lines and exit status out."""

from __future__ import annotations

import io
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from mcp_remote_py import __version__
from mcp_remote_py.cli.arguments import parse_arguments
from mcp_remote_py.cli.main import RunCommand, load_command, main
from mcp_remote_py.cli.options import ALL_OPTIONS, Option, options_of
from mcp_remote_py.cli.program import COMMANDS, PROXY
from mcp_remote_py.cli.read_install import read_relay
from mcp_remote_py.console import Console
from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.redact import Secret, remember
from mcp_remote_py.settings.commands import (
    LogSettings,
    ProxySettings,
    ToolRules,
    TransportStrategy,
)
from mcp_remote_py.settings.headers import Header, HeaderFile
from mcp_remote_py.settings.http_proxy import HttpProxy
from mcp_remote_py.settings.network import Network, SignInTimeouts, Timeouts, Tls
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.stored import LogoutSettings, SessionPattern, StatusSettings
from mcp_remote_py.settings.urls import parse_server_url
from tests.certificates import make_certificate

URL = "https://example.com/mcp"
PEM = make_certificate()
TOKEN = "https://auth.example.com/token"


COMMAND_WORDS = tuple(name for name in COMMANDS if name != PROXY)
STATIC_CLIENT = ("--static-oauth-client-info", '{"client_id": "a"}')


class Run:
    """One call of `main` with a written command behind it."""

    def __init__(
        self,
        *argv: str,
        environment: Mapping[str, str] | None = None,
        command: Callable[[ProxySettings], int] = lambda settings: 0,
    ) -> None:
        self.command = ""
        self.started_with: object = None
        """The settings of a command that is not the relay."""
        self.settings: ProxySettings | None = None
        self.environment: Mapping[str, str] | None = None
        stdout, stderr = io.StringIO(), io.StringIO()

        def load(name: str) -> RunCommand:
            self.command = name

            def run_and_write(
                settings: object,
                environment: Mapping[str, str],
                console: Console,
            ) -> int:
                self.started_with, self.environment = settings, environment
                console.say(f"{name} speaks")
                return 3

            def run(settings: ProxySettings, environment: Mapping[str, str]) -> int:
                self.settings, self.environment = settings, environment
                return command(settings)

            return run if name == "proxy" else run_and_write

        self.status = main(argv, environment or {}, stdout, stderr, load)
        self.stdout, self.stderr = stdout.getvalue(), stderr.getvalue()


def settings_of(*argv: str, environment: Mapping[str, str] | None = None) -> ProxySettings:
    run = Run(*argv, environment=environment)
    assert (run.status, run.stdout) == (0, "")
    assert not run.stderr or "--debug" in argv
    assert run.settings is not None
    return run.settings


PASTED = (
    ("npx", "-y", "mcp-remote"),
    ("npx", "--yes", "--package", "mcp-remote", "mcp-remote"),
    ("uvx", "--from", "./x.whl", "mcp-remote-py"),
    ("--from", "mcp-remote-py[aws]", "mcp-remote-py"),
    ("uv", "tool", "run", "mcp-remote-py"),
    ("pipx", "run", "mcp-remote-py"),
    ("/usr/local/bin/npx", "mcp-remote"),
)
"""What stands before the URL in entries of hosts."""


def settings_of_login(*argv: str) -> ProxySettings:
    settings = Run("login", URL, *argv).started_with
    assert isinstance(settings, ProxySettings)
    return settings


def refusal_of(*argv: str, environment: Mapping[str, str] | None = None) -> str:
    """The one line of a usage error, without its beginning; nothing was started."""
    run = Run(*argv, environment=environment)
    assert (run.status, run.stdout, run.settings, run.started_with) == (2, "", None, None)
    line, end, rest = run.stderr.partition("\n")
    assert (end, rest) == ("\n", "")
    start, _, sentence = line.partition("mcp-remote-py: error: ")
    assert start == ""
    return sentence


class TestSettings:
    def test_a_url_alone_gives_the_defaults(self) -> None:
        assert settings_of(URL) == ProxySettings(parse_server_url(URL))

    def test_every_option_arrives(self, tmp_path: Path) -> None:
        pem, headers = tmp_path / "pem", tmp_path / "headers"
        pem.write_text(PEM)
        headers.write_bytes(b"\xef\xbb\xbfX-File: ${T}\r\n")
        settings = settings_of(
            "--header", "A: b", "--header=Authorization:Bearer ${T}",
            "--header-file", str(headers),
            "--header-command", "get 'a token'",
            "--header-command", "other",
            "http://internal/mcp?a=b",
            "--allow-http",
            "--transport", "sse-first",
            "--ignore-tool", "delete*", "--ignore-tool", "x",
            "--allow-tool", "get*",
            "--read-only",
            "--connect-timeout", "1",
            "--headers-timeout", "0",
            "--body-timeout", "2.5",
            "--keep-alive",
            "--ping-interval", "7",
            "--initialize-timeout", "20",
            "--forward-ping",
            "--merge-pages",
            "--ipv4",
            "--disable-cookies",
            "--enable-proxy",
            "--ca-cert", str(pem),
            "--client-cert", str(pem),
            "--client-key", str(pem),
            "--debug",
            "--log-file", str(tmp_path / "log"),
            "--max-message-size", "1MiB",
            environment={"T": "t1", "HTTP_PROXY": "http://p:1"},
        )  # fmt: skip
        assert str(settings.server) == "http://internal/mcp?a=b"
        assert settings.headers.given == (
            Header("A", Secret("b")),
            Header("Authorization", Secret("Bearer t1")),
        )
        assert settings.headers.files == (
            HeaderFile(str(headers), (Header("X-File", Secret("t1")),)),
        )
        assert settings.headers.commands == (("get", "a token"), ("other",))
        assert settings.transport is TransportStrategy.SSE_FIRST
        assert settings.tools == ToolRules(("get*",), ("delete*", "x"), read_only=True)
        assert settings.network.timeouts == Timeouts(1.0, None, 2.5, 2.5)
        assert settings.network.sign_in_timeouts == SignInTimeouts(1.0, 0.0, 2.5)
        assert settings.ping_interval == 7.0
        assert settings.initialize_timeout == 20.0
        assert settings.forward_ping
        assert settings.merge_pages
        assert (settings.network.ipv4, settings.cookies) == (True, False)
        assert settings.network.tls == Tls((str(pem),), str(pem), str(pem))
        assert settings.network.proxy_for(settings.server) == HttpProxy(
            "http", "p", 1, variable="HTTP_PROXY"
        )
        assert settings.log == LogSettings("DEBUG", str(tmp_path / "log"))
        assert settings.max_message_size == 1024**2

    @pytest.mark.report("S7")
    @pytest.mark.parametrize("command", COMMAND_WORDS[:2])
    def test_private_networks_are_closed_unless_they_are_opened(self, command: str) -> None:
        option = "--allow-private-network"
        assert not settings_of(URL).network.allow_private_network
        assert settings_of(URL, option).network.allow_private_network
        for options in ([], [option]):
            settings = Run(command, URL, *options).started_with
            assert isinstance(settings, ProxySettings | LogoutSettings)
            assert settings.network.allow_private_network is bool(options)

    @pytest.mark.parametrize("place", range(3))
    def test_the_url_may_stand_anywhere(self, place: int) -> None:
        options = [["--header", "A: b"], ["--ipv4"]]
        options.insert(place, [URL])
        settings = settings_of(*(word for option in options for word in option))
        assert str(settings.server) == URL
        assert settings.network.ipv4

    def test_the_url_may_follow_a_double_hyphen(self) -> None:
        assert str(settings_of("--ipv4", "--", URL).server) == URL

    def test_variables_in_the_url_are_expanded(self) -> None:
        settings = settings_of(f"{URL}?key=${{KEY}}", environment={"KEY": "k1"})
        assert settings.server.target == "/mcp?key=k1"

    @pytest.mark.parametrize(
        ("argv", "timeouts"),
        [
            ([], Timeouts(10.0, 300.0, 300.0, None)),
            (["--body-timeout", "0"], Timeouts(10.0, 300.0, None, None)),
            (["--body-timeout", "60"], Timeouts(10.0, 300.0, 60.0, 60.0)),
        ],
    )
    def test_event_streams_end_by_a_gap_only_when_asked_for(
        self, argv: list[str], timeouts: Timeouts
    ) -> None:
        assert settings_of(URL, *argv).network.timeouts == timeouts

    @pytest.mark.parametrize(
        ("argv", "interval"),
        [([], None), (["--keep-alive"], 30.0), (["--ping-interval", "9"], 9.0)],
    )
    def test_pings(self, argv: list[str], interval: float | None) -> None:
        assert settings_of(URL, *argv).ping_interval == interval

    @pytest.mark.parametrize(
        ("argv", "level"),
        [
            ([], "INFO"),
            (["--silent"], ""),
            (["--debug"], "DEBUG"),
            (["--silent", "--debug"], "DEBUG"),
        ],
    )
    def test_log_levels(self, argv: list[str], level: str) -> None:
        assert settings_of(URL, *argv).log == LogSettings(level)

    def test_file_names_are_expanded(self, tmp_path: Path) -> None:
        (tmp_path / "h").write_text("A: b\n")
        (tmp_path / "ca").write_text(PEM)
        settings = settings_of(
            URL, "--header-file", "~/h", "--ca-cert", "${D}/ca", "--log-file", "~/log",
            environment={"HOME": str(tmp_path), "D": str(tmp_path)},
        )  # fmt: skip
        assert [file.path for file in settings.headers.files] == [f"{tmp_path}/h"]
        assert settings.network.tls.ca_certs == (f"{tmp_path}/ca",)
        assert settings.log.file == f"{tmp_path}/log"

    def test_ssl_cert_file_is_trusted_too(self, tmp_path: Path) -> None:
        (tmp_path / "ca").write_text(PEM)
        settings = settings_of(URL, environment={"SSL_CERT_FILE": str(tmp_path / "ca")})
        assert settings.network.tls.optional_ca_certs == (str(tmp_path / "ca"),)

    def test_a_stale_ssl_cert_file_is_said_and_passed_over(self) -> None:
        run = Run(URL, environment={"SSL_CERT_FILE": "gone.pem"})
        assert run.status == 0
        assert run.stderr == (
            "[mcp-remote-py] SSL_CERT_FILE: cannot read gone.pem: No such file or directory. "
            "Going on without it.\n"
        )

    def test_the_command_gets_the_environment(self) -> None:
        assert Run(URL, environment={"A": "b"}).environment == {"A": "b"}


SIGN_IN_WORDS = (
    "--profile", "work",
    "--scope", "read  write",
    "--resource", "https://tenant.example.com/",
    "--disable-resource-parameter",
    "--authorize-param", "prompt=consent", "--authorize-param=audience=x",
    "--static-oauth-client-info", '{"client_id": "a", "client_secret": "${T}"}',
    "--static-oauth-client-metadata", '{"scope": "x"}',
    "--client-metadata-url", "https://c.example/client.json",
    "--trusted-issuer", "https://a.example", "--trusted-issuer", "https://b.example",
    "--use-id-token",
    "--host", "127.0.0.1",
    "--callback-path", "/cb",
    "--auth-success-url", "http://intranet/done", "--allow-http",
    "--auth-timeout", "60",
    "--browser", "open ${T}",
    "--device-code",
    "--token-store", "file",
)  # fmt: skip
SIGN_IN_SETTINGS = SignInSettings(
    profile="work",
    scope="read write",
    resource="https://tenant.example.com/",
    send_resource=False,
    authorize_parameters=(("prompt", "consent"), ("audience", "x")),
    static_client=Secret('{"client_id": "a", "client_secret": "canary7e cl1-6x"}'),
    static_client_metadata='{"scope": "x"}',
    client_metadata_url="https://c.example/client.json",
    trusted_issuers=("https://a.example", "https://b.example"),
    use_id_token=True,
    host="127.0.0.1",
    port=3334,
    callback_path="/cb",
    success_url="http://intranet/done",
    timeout=60.0,
    browser=("open", "canary7e cl1-6x"),
    device_code=True,
    token_store="file",
    login_options=(
        "3334 --allow-http --profile work --scope 'read write' "
        "--resource https://tenant.example.com/ --disable-resource-parameter "
        "--authorize-param prompt=consent --authorize-param audience=x "
        "--static-oauth-client-info '****' --static-oauth-client-metadata '****' "
        "--client-metadata-url https://c.example/client.json "
        "--trusted-issuer https://a.example --trusted-issuer https://b.example --use-id-token "
        "--host 127.0.0.1 --callback-path /cb --auth-success-url http://intranet/done "
        "--auth-timeout 60 --device-code --token-store file"
    ),
)

WAYS_TO_SIGN_IN: list[list[str]] = [
    [],
    ["9696", "--profile", "work", "--resource", "https://tenant.example.com/"],
    ["--profile", "memory"],
    ["--device-code", "--scope", "read"],
    ["--client-credentials", "--static-oauth-client-info", "@{folder}/client"],
    ["--client-credentials", "--profile", "x", "--static-oauth-client-info", "@{folder}/client",
     "--private-key", "{folder}/key", "--signing-alg", "RS256", "--token-endpoint", TOKEN],
    ["--jwt-bearer", "{folder}/jwt", "--trusted-issuer", "https://a.example"],
    ["--idp-token-endpoint", TOKEN, "--idp-client-id", "me", "--idp-id-token", "{folder}/jwt",
     "--static-oauth-client-info", "@{folder}/client"],
    ["--static-oauth-client-info", "@{folder}/client", "--host", "127.0.0.1", "--no-browser",
     "--silent", "--read-only", "--initialize-timeout", "5", "--log-file", "{folder}/log"],
    # What begins with a hyphen is an option, unless it is written behind its sign.
    ["--idp-token-endpoint", TOKEN, "--idp-client-id=-me", "--idp-id-token", "{folder}/jwt",
     "--static-oauth-client-info", "@{folder}/client", "--scope=-a -b", "--authorize-param=-k=v"],
    ["--ca-cert", "{folder}/ca", "--ipv4", "--allow-private-network", "--connect-timeout", "3"],
]  # fmt: skip
"""All grants, and what goes with them."""


class TestSignIn:
    @pytest.mark.parametrize("command", ["proxy", "login"])
    def test_every_option_arrives_at_the_relay_and_at_login(self, command: str) -> None:
        word = () if command == "proxy" else (command,)
        run = Run(*word, URL, "3334", *SIGN_IN_WORDS, environment={"T": "canary7e cl1-6x"})
        assert (run.command, run.stderr) == (command, "")
        settings = run.settings if command == "proxy" else run.started_with
        assert isinstance(settings, ProxySettings)
        assert settings.sign_in == SIGN_IN_SETTINGS

    @pytest.mark.promise("P2")
    @pytest.mark.parametrize("given", WAYS_TO_SIGN_IN)
    def test_command_that_is_told_begins_the_same_sign_in(
        self, given: list[str], tmp_path: Path
    ) -> None:
        for name, text in (("client", '{"client_id": "a"}'), ("key", PEM), ("ca", PEM)):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o600)
        relay = settings_of(URL, *(word.format(folder=tmp_path) for word in given))
        told = relay.sign_in.login_options
        run = Run("login", URL, *shlex.split(told))
        assert run.stderr == ""
        login = run.started_with
        assert isinstance(login, ProxySettings)
        assert login.sign_in == relay.sign_in.replace(browser=None)
        assert login.network == relay.network

    @pytest.mark.promise("S2")
    def test_command_that_is_told_does_not_contain_a_secret(self) -> None:
        told = settings_of(
            *(URL, "--header", "X-Key: canary-1", "--header", "X-Other:canary-2"),
            *("--header-command", "print canary-3", "--browser", "open canary-4"),
            *("--static-oauth-client-info", '{"client_id": "a", "client_secret": "canary-5"}'),
            *("--resource", "https://a.example/?key=canary-6", "--token-store", "memory"),
        ).sign_in.login_options
        assert "canary" not in told
        assert told == (
            "--header '****' --header '****' --header-command '****' "
            "--resource 'https://a.example/?key=****' --static-oauth-client-info '****'"
        )

    @pytest.mark.promise("S2")
    def test_entry_for_a_host_has_every_word_and_no_secret(self) -> None:
        words = (
            *("--header", "X-Key: canary-1", "--header", "Authorization: Bearer ${T}"),
            *("--header", "X-T:${T}", "--header", "X-Two: ${T}canary-2", "--read-only"),
            *("--header-command", "print canary-3", "--debug", "--token-store", "memory"),
            *("--static-oauth-client-metadata", '{"client_name": "canary-4"}'),
            *("--resource", "https://a.example/?key=canary-5", "--transport", "sse-only"),
            *("--scope", "a b", "--ping-interval", "x"),
        )
        run = Run(URL, "3334", *words, environment={"T": "canary-6"})
        assert run.settings is not None
        assert "canary" not in "".join(run.settings.entry_words)
        assert run.settings.entry_words == (
            *("3334", "--header", "X-Key: ****", "--header", "Authorization: Bearer ${T}"),
            *("--header", "X-T:${T}", "--header", "X-Two: ****", "--read-only"),
            *("--header-command", "****", "--debug", "--token-store", "memory"),
            *("--static-oauth-client-metadata", "****", "--resource"),
            *("https://a.example/?key=****", "--transport", "sse-only", "--scope", "a b"),
        )

    @pytest.mark.promise("P2")
    @pytest.mark.parametrize(
        "words",
        [
            ("--header=-X:y", "--header=--z: y"),
            ("--allow-tool=--debug", "--ignore-tool=-", "--ignore-tool=--", "--log-file=-x"),
            ("--header-command=-x y", "--browser=-x", "--scope=-x", "--ping-interval=5"),
        ],
    )
    def test_entry_means_the_same_where_it_is_read_again(self, words: tuple[str, ...]) -> None:
        entry = read_relay([URL, "3334", *words], {})
        again = read_relay(entry.words, {})
        assert (again.words, again.relay) == (entry.words, entry.relay)
        assert parse_arguments(PROXY, [URL, *entry.relay.entry_words]).port == "3334"

    @pytest.mark.parametrize(("argv", "seconds"), [([], 45.0), (["0"], None), (["2.5"], 2.5)])
    def test_initialize_waits_for_a_person_that_long(
        self, argv: list[str], seconds: float | None
    ) -> None:
        option = ["--initialize-timeout", *argv] if argv else []
        settings = settings_of(URL, *option)
        assert settings.initialize_timeout == seconds
        assert settings.fits_host is not bool(argv)

    def test_browser_can_be_left_closed(self) -> None:
        assert settings_of(URL, "--no-browser").sign_in.browser == ()
        assert settings_of(URL).sign_in.browser is None

    @pytest.mark.parametrize(
        "argv",
        [[URL, "9696", "--ipv4"], [URL, "--ipv4", "9696"], ["--ipv4", URL, "9696"]],
    )
    def test_port_follows_the_url(self, argv: list[str]) -> None:
        settings = settings_of(*argv)
        assert (str(settings.server), settings.sign_in.port) == (URL, 9696)

    @pytest.mark.parametrize(
        ("argv", "sentence"),
        [
            (
                [URL, "1", "2"],
                "3 arguments are given where only the server URL belongs. Quote values that "
                "contain blanks; options begin with --.",
            ),
            (
                ["logout", URL, "https://other.example/"],
                "2 arguments are given where only the server URL belongs. Quote values that "
                "contain blanks; options begin with --.",
            ),
            (
                [URL, "--browser", "x", "--no-browser"],
                "Both --browser and --no-browser are given. Leave out one.",
            ),
            (
                [URL, "--browser", ""],
                "--browser is empty. Give a command that opens a URL, or --no-browser.",
            ),
            (
                [URL, "--auth-success-url", "http://intranet/done"],
                "--auth-success-url is plain http to another machine. Use https.",
            ),
            (
                [URL, "--use-id-token=hunter22"],
                "--use-id-token takes no value. Write --use-id-token alone.",
            ),
            (
                ["login", URL, "--header", "authorization: Bearer hunter22"],
                "An Authorization header is given, so a sign-in would never be used. Leave it out "
                "to sign in. If you keep it, no sign-in is needed.",
            ),
            (
                ["login", URL, "--token-store", "memory"],
                "With --token-store memory, nothing is left when login ends. Leave it out, or give "
                "file.",
            ),
            (
                ["logout", "--all", "--token-store", "memory"],
                "With --token-store memory, nothing is left when logout ends. Leave it out, or "
                "give file.",
            ),
            (
                ["login"],
                "The server URL is missing. "
                "Usage: mcp-remote-py login https://example.com/mcp [options]",
            ),
            (
                ["logout", URL, "--all"],
                "Both --all and a server URL are given. Leave out one of them.",
            ),
            (
                ["login", URL, "--json"],
                "--json belongs to mcp-remote-py status and mcp-remote-py check, not to "
                "mcp-remote-py login. Leave it out.",
            ),
            (
                [URL, "--json"],
                "--json belongs to mcp-remote-py status and mcp-remote-py check, not to "
                "mcp-remote-py. Leave it out.",
            ),
            (
                ["status", "--paste"],
                "--paste belongs to mcp-remote-py login, not to mcp-remote-py status. "
                "Leave it out.",
            ),
            (
                ["logout", URL, "--header", "Authorization:", "Bearer", "hunter22"],
                "The header Authorization was torn apart at its blanks, probably by the host. "
                'Write it without blanks: "Authorization:${AUTH_HEADER}" in "args", and '
                'AUTH_HEADER in "env".',
            ),
            (
                ["status", "--jsn"],
                "Unknown option --jsn. Did you mean --json?",
            ),
            (
                ["status", "--frobnicate"],
                "Unknown option --frobnicate. mcp-remote-py status --help-all lists the options.",
            ),
            (
                ["--debug", "login", URL],
                "login is given, but not as the first argument. "
                "Write mcp-remote-py login URL [PORT] [options].",
            ),
            (
                [URL, "status"],
                "status is given, but not as the first argument. "
                "Write mcp-remote-py status [URL] [options].",
            ),
            (
                ["lgoin", URL],
                "lgoin is not a command. Did you mean mcp-remote-py login?",
            ),
            (
                ["proxy", URL],
                "proxy is not a command. Did you mean mcp-remote-py URL, without a command?",
            ),
        ],
    )
    def test_a_mistake_is_one_line_and_status_2(self, argv: list[str], sentence: str) -> None:
        assert refusal_of(*argv) == sentence

    @pytest.mark.promise("P2", "S2")
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--profile", "../x"),
            ("--scope", ""),
            ("--resource", "x"),
            ("--authorize-param", "state=hunter22"),
            ("--static-oauth-client-info", "hunter22"),
            ("--static-oauth-client-metadata", "hunter22"),
            ("--trusted-issuer", "x"),
            ("--host", "example.com"),
            ("--auth-success-url", "x"),
            ("--initialize-timeout", "x"),
            ("--token-store", "x"),
        ],
    )
    def test_every_option_is_checked_and_named(self, option: str, value: str) -> None:
        sentence = refusal_of(URL, option, value)
        assert sentence.startswith(option)
        assert "hunter22" not in sentence

    @pytest.mark.promise("S2")
    def test_secret_of_the_client_is_known_to_the_log(self) -> None:
        def fail(settings: ProxySettings) -> int:
            raise McpRemoteError("Refused: cli-secret-7.")

        client = '{"client_id": "a", "client_secret": "cli-secret-7"}'
        run = Run(URL, "--static-oauth-client-info", client, command=fail)
        assert run.stderr == "[mcp-remote-py] Refused: ****.\n"


class TestCommands:
    def test_status_gets_its_settings_writes_to_stdout_and_decides(self) -> None:
        run = Run(
            "status", "http://internal/mcp?a=${B}", "--json", "--profile", "work",
            "--resource", "urn:x", "--silent", environment={"B": "b"},
        )  # fmt: skip
        assert (run.command, run.status, run.stdout) == ("status", 3, "status speaks\n")
        server = parse_server_url("http://internal/mcp?a=b", allow_http=True)
        assert run.started_with == StatusSettings(
            SessionPattern(server, "urn:x", "work"), LogSettings(""), json=True
        )
        assert run.environment == {"B": "b"}
        assert Run("status").started_with == StatusSettings()

    def test_logout_gets_its_settings(self, tmp_path: Path) -> None:
        pem = tmp_path / "pem"
        pem.write_text(PEM)
        run = Run(
            "logout", "http://internal/mcp", "--profile", "work", "--resource", "urn:x",
            "--token-store", "file", "--connect-timeout", "1", "--ca-cert", str(pem), "--ipv4",
            "--allow-private-network",
            "--enable-proxy",
        )  # fmt: skip
        assert (run.command, run.stderr) == ("logout", "")
        server = parse_server_url("http://internal/mcp", allow_http=True)
        assert run.started_with == LogoutSettings(
            SessionPattern(server, "urn:x", "work"),
            token_store="file",
            network=Network(
                Timeouts(connect=1.0),
                SignInTimeouts(connect=1.0),
                Tls((str(pem),)),
                ipv4=True,
                allow_private_network=True,
            ),
        )
        assert Run("logout", "--all").started_with == LogoutSettings(is_all=True)

    def test_logout_means_the_default_profile_of_a_server_and_all_of_every_server(self) -> None:
        for words, profile in ((["http://internal/mcp"], ""), (["--all"], None)):
            settings = Run("logout", *words).started_with
            assert isinstance(settings, LogoutSettings)
            assert settings.sessions.profile == profile

    def test_debug_names_every_server_where_none_is_named(self) -> None:
        assert Run("logout", "--all", "--debug").stderr.endswith(", for every server\n")

    @pytest.mark.parametrize("word", COMMAND_WORDS)
    def test_version_is_the_programs(self, word: str) -> None:
        assert Run(word, "--version").stdout == f"mcp-remote-py {__version__}\n"

    @pytest.mark.parametrize("word", COMMAND_WORDS)
    def test_the_command_is_there(self, word: str) -> None:
        assert callable(load_command(word))

    def test_the_sections_name_each_command_and_its_options(self) -> None:
        sections = options_in_document().split("\n## ")[1:]
        for word, section in zip(COMMAND_WORDS, sections, strict=True):
            assert section.startswith(f"{word}\n\n`{COMMANDS[word].usage} [options]`\n")
            for option in ALL_OPTIONS:
                shown = f"`{option.name}`" in section or f"`{option.name} " in section
                assert shown is (word in option.commands)


class TestWhatIsIgnored:
    """Entries that work with npm's mcp-remote, and words as shells hand them on."""

    @staticmethod
    def ignored(*argv: str) -> tuple[ProxySettings, list[str]]:
        run = Run(*argv)
        assert (run.status, run.stdout) == (0, "")
        assert run.settings is not None
        lines = run.stderr.splitlines()
        beginning = "[mcp-remote-py] Ignored: "
        assert all(line.startswith(beginning) for line in lines), lines
        return run.settings, [line.removeprefix(beginning) for line in lines]

    @pytest.mark.report("E7")
    @pytest.mark.parametrize(
        ("argv", "sentence"),
        [
            (
                ["--transport", "bogus"],
                "--transport has an unknown value. Use one of: http-first, sse-first, http-only, "
                "sse-only.",
            ),
            (["--transport="], "--transport has an unknown value. Use one of: http-first, "
             "sse-first, http-only, sse-only."),
            (["--protocol", "2"], "--protocol has an unknown value. Use one of: auto, legacy, "
             "modern."),
            (
                ["--connect-timeout", "-5"],
                "--connect-timeout takes a number of seconds. For example 30 or 0.5; 0 means no "
                "limit.",
            ),
            (["--headers-timeout", "x"], "--headers-timeout takes a number of seconds. For example "
             "30 or 0.5; 0 means no limit."),
            (["--body-timeout", "5s"], "--body-timeout takes a number of seconds. For example 30 "
             "or 0.5; 0 means no limit."),
            (
                ["--ping-interval", "0"],
                "--ping-interval takes a number of seconds above 0. For example 60. Leave it out "
                "if you do not want pings.",
            ),
            (
                ["--auth-timeout", "abc"],
                "--auth-timeout takes a number of seconds above 0. For example 60. Leave it out "
                "for 300.",
            ),
            (["--auth-timeout"], "--auth-timeout needs a value. For example: --auth-timeout 60"),
            (
                ["--callback-path", "oauth"],
                "--callback-path is not a path that a redirect URI can have. Begin with /, as in "
                "/oauth/callback, and leave out blanks, ? and #.",
            ),
            (
                ["--client-metadata-url", "x"],
                "--client-metadata-url is not an https URL. Write it in full, for example "
                "https://client.example.com/oauth-client.json.",
            ),
            (["99999"], "The callback port behind the server URL is not a valid port. A port is a "
             "number from 1 to 65535."),
            (["hunter22"], "what stands behind the server URL is not a port. A port is a number "
             "from 1 to 65535."),
            (["https://other.example/hunter22"], "a second URL is given. The first one is the "
             "server's."),
        ],
    )  # fmt: skip
    def test_a_bad_value_leaves_the_default_and_a_line(
        self, argv: list[str], sentence: str
    ) -> None:
        settings, said = self.ignored(URL, *argv)
        assert said == [sentence]
        assert settings == ProxySettings(parse_server_url(URL))

    @pytest.mark.report("E7")
    def test_what_stands_beside_it_counts(self) -> None:
        settings, said = self.ignored(
            *(URL, "https://other.example/", "--header", "A: b", "3334", "--auth-timeout"),
            *("--keep-alive", "--ping-interval", "x", "--scope", "a"),
        )
        assert len(said) == 3
        assert settings.headers.given == (Header("A", Secret("b")),)
        assert (settings.sign_in.port, settings.sign_in.scope) == (3334, "a")
        assert settings.ping_interval == 30.0
        # The command that a person is told has only what counts.
        assert settings.sign_in.login_options == "3334 --header '****' --scope a"

    @pytest.mark.report("E7")
    def test_an_empty_resource_is_none(self) -> None:
        sign_in = settings_of(URL, "--resource", "").sign_in
        assert (sign_in.resource, sign_in.send_resource) == (None, False)
        assert sign_in.login_options == "--disable-resource-parameter"

    @pytest.mark.report("E7")
    @pytest.mark.parametrize(
        "argv",
        [
            ["--headr", "A: b"],
            ["--header"],
            ["--header-file", "gone.txt"],
            ["--log-file"],
            ["--ca-cert"],
            ["--ignore-tool"],
            ["--allow-tool", ""],
            ["--host", "example.com"],
            ["--trusted-issuer", "x"],
            ["--token-endpoint", "x"],
            ["--auth-success-url", "x"],
            ["--allow-http=no"],
            ["--header A: hunter22"],
            ["--ignore-tool delete"],
            ["--scope", "read", "write"],
            ["X-Key: hunter22"],
            ["key=hunter22"],
        ],
    )
    def test_what_protects_is_never_ignored(self, argv: list[str]) -> None:
        assert "hunter22" not in refusal_of(URL, *argv)

    @pytest.mark.report("T17")
    @pytest.mark.parametrize(
        "word",
        [
            f'"{URL}"',
            f"'{URL}'",
            f"\u201c{URL}\u201d",
            f"\u201e{URL}\u201c",
            f"\u00ab{URL}\u00bb",
            f"`{URL}`",
            f"<{URL}>",
            f' "{URL} "',
            f"\"'{URL}'\"",
            f'\\"{URL}\\"',
        ],
    )
    def test_quotes_around_the_url_are_taken_off(self, word: str) -> None:
        settings, said = self.ignored(word)
        assert str(settings.server) == URL
        assert said == ["the quotes around an argument."]
        logout = Run("logout", word).started_with
        assert isinstance(logout, LogoutSettings)
        assert str(logout.sessions.server) == URL

    @pytest.mark.report("T17")
    def test_value_that_is_a_placeholder_is_told_of(self) -> None:
        run = Run(URL, "--header", "Authorization: Bearer $TOKEN")
        assert run.status == 0
        assert run.stderr == (
            "[mcp-remote-py] The value of the header Authorization looks like a placeholder, and "
            "is sent as it is: write the value itself, or a variable as ${NAME}, with the braces.\n"
        )

    @pytest.mark.report("T17")
    @pytest.mark.parametrize("word", ["logout", "status"])
    def test_what_is_for_the_relay_alone_does_not_matter_for_other_commands(
        self, word: str
    ) -> None:
        """Whoever pastes a host's entry behind a command means what it does for that command."""
        for option in ALL_OPTIONS:
            if PROXY not in option.commands or word in option.commands:
                continue
            value = ["hunter22"] if option.value else []
            run, alone = Run(word, URL, option.name, *value), Run(word, URL)
            said = f"[mcp-remote-py] Ignored: {option.name} does not matter for {word}.\n"
            assert (run.status, run.stderr, run.command) == (3, said, word)
            assert run.started_with == alone.started_with

    @pytest.mark.report("T17")
    @pytest.mark.parametrize(
        ("word", "idle"),
        [
            ("logout", ["--transport", "--header", "--ignore-tool", "--initialize-timeout",
                        "--host", "The port"]),
            ("status", ["--transport", "--header", "--ignore-tool", "--initialize-timeout",
                        "--host", "--connect-timeout", "The port"]),
        ],
    )  # fmt: skip
    def test_the_arguments_of_an_entry_can_be_given_to_every_command(
        self, word: str, idle: list[str]
    ) -> None:
        entry = (
            *(URL, "3334", "--transport", "bogus", "--header", "X-Key: hunter22"),
            *("--ignore-tool", "delete*", "--initialize-timeout", "5", "--host", "127.0.0.1"),
            *("--connect-timeout", "3", "--resource", "urn:x", "--debug"),
        )
        run = Run(word, *entry)
        said = [line.partition(" Ignored: ") for line in run.stderr.splitlines()]
        told = [text.removesuffix(f" does not matter for {word}.") for _, _, text in said if text]
        assert (run.status, told) == (3, idle)
        assert "hunter22" not in run.stderr
        settings = run.started_with
        assert isinstance(settings, LogoutSettings | StatusSettings)
        assert settings.sessions.resource == "urn:x"

    @pytest.mark.promise("P2")
    @pytest.mark.report("T17")
    def test_login_has_all_of_an_entry(self) -> None:
        """It looks at the server as a host would, and tells of the entry."""
        entry = (
            *(URL, "3334", "--transport", "sse-only", "--header", "X-Key: hunter22", "--read-only"),
            *("--ignore-tool", "delete*", "--initialize-timeout", "5", "--host", "127.0.0.1"),
        )
        for pasted in ((), ("-y", "mcp-remote@latest"), *PASTED):
            run = Run("login", *pasted, *entry)
            assert (run.status, run.started_with) == (3, settings_of(*entry)), run.stderr
        assert settings_of(*entry).entry_words[:3] == ("3334", "--transport", "sse-only")
        words = settings_of_login("--paste", "--read-only").entry_words
        assert words == ("--read-only",), "what only login has is not for a host"

    @pytest.mark.report("T17")
    @pytest.mark.parametrize("word", ["logout", "status"])
    def test_an_entry_without_a_person_means_the_account_that_it_signs_in(self, word: str) -> None:
        provider = ("--idp-client-id", "a", "--idp-id-token", "gone", *STATIC_CLIENT)
        for words, profile in (
            (("--client-credentials", *STATIC_CLIENT), "client-credentials"),
            (("--jwt-bearer", "gone.jwt"), "jwt-bearer"),
            (("--idp-token-endpoint", "https://idp.example/", *provider), "enterprise"),
            (("--jwt-bearer", "gone.jwt", "--profile", "mine"), "mine"),
        ):
            settings = Run(word, URL, *words).started_with
            assert isinstance(settings, LogoutSettings | StatusSettings)
            assert settings.sessions.profile == profile

    @pytest.mark.report("T17")
    def test_an_empty_resource_of_an_entry_is_none_for_every_command(self) -> None:
        for word in ("logout", "status"):
            settings = Run(word, URL, "--resource", "").started_with
            assert isinstance(settings, LogoutSettings | StatusSettings)
            assert settings.sessions.resource is None

    @pytest.mark.report("T17")
    def test_blanks_around_the_url_are_taken_off(self) -> None:
        assert str(settings_of(f" {URL}\n").server) == URL
        assert str(settings_of(f"\ufeff{URL}").server) == URL

    @pytest.mark.report("T17")
    def test_quotes_around_values_and_options_are_taken_off(self) -> None:
        settings, said = self.ignored(
            *("'https://example.com/mcp'", '"3334"', "--host", '"127.0.0.1"'),
            *("--resource", "<https://r.example/>", "--transport='sse-only'", "--scope", "'a b'"),
            *('"--ignore-tool"', "'delete*'"),
        )
        sign_in = settings.sign_in
        assert (sign_in.host, sign_in.port, sign_in.resource, sign_in.scope) == (
            *("127.0.0.1", 3334),
            *("https://r.example/", "a b"),
        )
        assert settings.transport is TransportStrategy.SSE_ONLY
        assert settings.tools.ignore == ("delete*",)
        assert "the quotes around the value of --host." in said
        assert sign_in.login_options == (
            "3334 --scope 'a b' --resource https://r.example/ --host 127.0.0.1"
        )

    @pytest.mark.report("T17")
    def test_quotes_of_a_header_are_its_own(self) -> None:
        settings = settings_of(URL, "--header", "A: 'b'", "--header", 'If-Match: "x"')
        assert settings.headers.given == (
            Header("A", Secret("'b'")),
            Header("If-Match", Secret('"x"')),
        )


def torn(header: str) -> str:
    return (
        f"{header} was torn apart at its blanks, probably by the host. Write it without blanks: "
        '"Authorization:${AUTH_HEADER}" in "args", and AUTH_HEADER in "env".'
    )


class TestRefusals:
    @pytest.mark.promise("S2", "S4")
    @pytest.mark.parametrize(
        ("argv", "sentence"),
        [
            (
                [],
                "The server URL is missing. Usage: mcp-remote-py https://example.com/mcp [options]",
            ),
            (
                ["--ipv4"],
                "The server URL is missing. Usage: mcp-remote-py https://example.com/mcp [options]",
            ),
            (
                ["example.com"],
                "The server URL does not begin with a scheme. Write it in full, for example "
                "https://example.com/mcp.",
            ),
            (
                ["http://example.com"],
                "Plain http to example.com would let the network read every header and message. "
                "Use https, or add --allow-http if that network is trusted.",
            ),
            (
                [URL, "--header"],
                '--header needs a value. For example: --header "Authorization: Bearer ${TOKEN}"',
            ),
            (
                [URL, "--header", "--debug"],
                '--header needs a value. For example: --header "Authorization: Bearer ${TOKEN}"',
            ),
            ([URL, "--debug=hunter22"], "--debug takes no value. Write --debug alone."),
            ([URL, "--help=hunter22"], "--help takes no value. Write --help alone."),
            ([URL, "--headr", "hunter22"], "Unknown option --headr. Did you mean --header?"),
            ([URL, "--headr=hunter22"], "Unknown option --headr. Did you mean --header?"),
            (
                [URL, "--head", "A: b"],
                "Unknown option --head. Did you mean --header?",
            ),
            (
                [URL, "--frobnicate"],
                "Unknown option --frobnicate. mcp-remote-py --help-all lists the options.",
            ),
            ([URL, "--Debug"], "An option is unknown. Did you mean --debug?"),
            ([URL, "-H", "A: hunter22"], "Unknown option -H. Did you mean --header?"),
            ([URL, "-v"], "Unknown option -v. Did you mean --version?"),
            ([URL, "--verbose"], "Unknown option --verbose. Did you mean --debug?"),
            (["--url", URL], "Unknown option --url. Did you mean the URL alone?"),
            (["--login", URL], "Unknown option --login. Did you mean mcp-remote-py login?"),
            *(
                (
                    [URL, *given],
                    f"Unknown option {name}. Did you mean "
                    '--header "Authorization: Bearer ${TOKEN}"?',
                )
                for name in ("--token", "--api-key", "--bearer")
                for given in ([name, "hunter22"], [f"{name}=hunter22"])
            ),
            (["version"], "version is not a command. Did you mean mcp-remote-py --version?"),
            (["Statu"], "Statu is not a command. Did you mean mcp-remote-py status?"),
            (["log-in"], "log-in is not a command. Did you mean mcp-remote-py login?"),
            *(
                (
                    [command, "math"],
                    f"{command} takes the address of a server, not a name. Write it in full, as "
                    "https://example.com/mcp. For an entry of a host by its name there is: "
                    "mcp-remote-py check NAME",
                )
                for command in ("login", "logout", "status")
            ),
            (
                ["login", '{"command": "npx", "args": ["-y", "mcp-remote", "https://x/mcp"]}'],
                "JSON is given in place of the server URL. Give the words of its args alone, "
                "without commas and brackets.",
            ),
            (
                ["[::1]:8443/mcp"],
                "The server URL does not begin with a scheme. Write it in full, for example "
                "https://example.com/mcp.",
            ),
            *(
                (
                    argv,
                    "The arguments have commas behind them, as in the JSON of a host's entry. "
                    "Leave the commas out; one that ends a URL is written as %2C.",
                )
                for argv in (
                    [f"{URL},"],
                    ["mcp-remote-py,", URL],
                    [f"{URL},", "--header,", "A: hunter22"],
                    [URL, "--header,", "A: hunter22,", "--debug"],
                )
            ),
            (
                [URL, "-HUNTER22"],
                "An option is unknown. mcp-remote-py --help-all lists the options.",
            ),
            (
                [URL, "--header", "A: hunter22", "--frobnicate", "hunter22"],
                "Unknown option --frobnicate. mcp-remote-py --help-all lists the options.",
            ),
            (
                [URL, "--header", "hunter22"],
                'A header does not contain a colon. Write it as "Name: value".',
            ),
            (
                [URL, "--header", "A:"],
                "The value of the header A is empty. If the value comes from a variable, set it; "
                'else use "Authorization:${AUTH_HEADER}" in "args", and AUTH_HEADER in "env".',
            ),
            (
                [URL, "--header", "Authorization: Bearer ${TOKEN}"],
                "${TOKEN} is used, but no environment variable of that name is set. Set it; for "
                'an MCP host, in "env" of the server\'s entry: hosts pass few variables on.',
            ),
            (
                [URL, "--header-file", "gone.txt"],
                "--header-file: cannot read gone.txt: No such file or directory. "
                "Give the full path of a file you may read.",
            ),
            (
                [URL, "--ca-cert", "gone.pem"],
                "--ca-cert: cannot read gone.pem: No such file or directory. "
                "Give the full path of a file you may read.",
            ),
            (
                [URL, "--client-key", "gone.pem"],
                "--client-key is given without --client-cert. A key needs its certificate: add "
                "--client-cert.",
            ),
            (
                [URL, "--token-store", "vault"],
                "--token-store has an unknown value. Use one of: keyring, file, memory.",
            ),
            (
                [URL, "--max-message-size", "much"],
                "--max-message-size takes a size above 0. For example 128MiB, 50MB or 1000000 "
                "(bytes).",
            ),
            (
                [URL, "--ignore-tool", ""],
                "--ignore-tool is empty. Give a tool's name, or a pattern with *.",
            ),
            (
                [URL, "--header-command", ""],
                "--header-command is empty. Give a command that prints lines of the form "
                "Name: value.",
            ),
            (
                [URL, "--log-file", ""],
                "--log-file is empty. Give the name of a file, or leave it out.",
            ),
        ],
    )
    def test_a_mistake_is_one_line_and_status_2(self, argv: list[str], sentence: str) -> None:
        assert refusal_of(*argv) == sentence
        assert "hunter22" not in sentence

    @pytest.mark.promise("S2")
    @pytest.mark.parametrize(
        "line",
        [
            f"{URL} --header Authorization: Bearer hunter22",
            f"{URL} --header Authorization: Bearer hunter22 --debug",
            f"--header Authorization: Bearer hunter22 {URL}",
            f"--header Authorization: Bearer hunter22 --ipv4 {URL} --debug",
            f"{URL} --header Authorization:Bearer hunter22",
            f"{URL} Authorization: Bearer hunter22",
            f"{URL} Authorization:Bearer hunter22",
            f"{URL} --header Authorization: Bearer -hunter22",
            f"{URL} --header Authorization: Bearer --hunter22",
            f"{URL} --header X-A: b --header Authorization: Basic hunter22",
            "--header Authorization: Bearer hunter22",
        ],
    )
    def test_a_header_torn_at_its_blanks_is_recognised(self, line: str) -> None:
        assert refusal_of(*line.split(" ")) in (
            torn("The header Authorization"),
            torn("The header X-A"),
        )

    @pytest.mark.promise("S2")
    @pytest.mark.parametrize(
        ("line", "header"),
        [
            (f"{URL} --header X-Key: 12345", "The header X-Key"),
            (f"{URL} --header X-Key:abc hunter22", "The header X-Key"),
            (f"{URL} Bearer hunter22", "A header"),
            (f"{URL} --header Bearer hunter22", "A header"),
            (f'{URL} --header "X-Key: hunter22"', "A header"),
        ],
    )
    def test_a_torn_header_is_named_only_by_its_name(self, line: str, header: str) -> None:
        assert refusal_of(*line.split(" ")) == torn(header)

    @pytest.mark.promise("S2")
    def test_an_error_in_a_header_file_names_the_line_only(self, tmp_path: Path) -> None:
        path = tmp_path / "h"
        path.write_text("A: b\nhunter22\n")
        assert refusal_of(URL, "--header-file", str(path)) == (
            f"--header-file {path}, line 2: A header does not contain a colon. "
            'Write it as "Name: value".'
        )

    @pytest.mark.promise("S4")
    def test_a_header_file_must_be_one_that_can_be_read_again(self, tmp_path: Path) -> None:
        assert refusal_of(URL, "--header-file", str(tmp_path)) == (
            f"--header-file: {tmp_path} is not a regular file. "
            "It is read again after a 401; for anything else use --header-command."
        )


class TestStatus:
    @pytest.mark.parametrize("status", [0, 1, 3])
    def test_the_command_decides(self, status: int) -> None:
        assert Run(URL, command=lambda settings: status).status == status

    @pytest.mark.promise("S2")
    def test_a_failure_is_one_log_line_and_status_1(self) -> None:
        def fail(settings: ProxySettings) -> int:
            raise McpRemoteError("The server said cli-secret-1.", hint="Ask it.")

        run = Run(URL, "--header", "Authorization: Bearer cli-secret-1", command=fail)
        assert (run.status, run.stdout) == (1, "")
        assert run.stderr == "[mcp-remote-py] The server said ****. Ask it.\n"

    def test_a_usage_error_of_the_command_is_still_one(self) -> None:
        def fail(settings: ProxySettings) -> int:
            remember([Secret("cli-secret-2")])
            raise UsageError("Wrong: cli-secret-2.", hint="Change it.")

        run = Run(URL, "--silent", command=fail)
        assert (run.status, run.stdout) == (2, "")
        assert run.stderr == "mcp-remote-py: error: Wrong: ****. Change it.\n"

    def test_an_interrupt_is_status_130(self) -> None:
        def interrupt(settings: ProxySettings) -> int:
            raise KeyboardInterrupt

        assert Run(URL, command=interrupt).status == 130

    @pytest.mark.promise("S2")
    def test_a_fault_of_ours_is_one_line_without_secrets(self) -> None:
        def fail(settings: ProxySettings) -> int:
            raise ZeroDivisionError("cli-secret-3")

        run = Run(URL, "--header", "A: cli-secret-3", command=fail)
        assert run.status == 1
        assert run.stderr == (
            "[mcp-remote-py] Internal error (ZeroDivisionError: ****). Please report it.\n"
        )

    @pytest.mark.promise("S2")
    def test_secrets_of_a_header_file_are_known_to_the_log(self, tmp_path: Path) -> None:
        (tmp_path / "h").write_text("Authorization: Bearer cli-secret-4\n")

        def fail(settings: ProxySettings) -> int:
            raise McpRemoteError("Refused: cli-secret-4.")

        run = Run(URL, "--header-file", str(tmp_path / "h"), command=fail)
        assert run.stderr == "[mcp-remote-py] Refused: ****.\n"

    @pytest.mark.promise("R7")
    def test_a_host_that_never_reads_stderr_does_not_hold_up_the_end(self) -> None:
        read, write = os.pipe()

        def fail(settings: ProxySettings, environment: Mapping[str, str]) -> int:
            import logging

            for _ in range(100):
                logging.getLogger("mcp_remote_py.test").info("x" * 1000)
            raise UsageError("Wrong.")

        with os.fdopen(write, "w") as stderr:
            status = main([URL], {}, None, stderr, lambda name: fail)
            heard = b""
            while heard.count(b"\n") < 100:
                heard += os.read(read, 65536)
        os.close(read)
        assert status == 2
        assert b"Wrong." not in heard

    @pytest.mark.promise("S2")
    def test_debug_begins_with_what_a_report_needs(self) -> None:
        run = Run(f"{URL}?key=cli-secret-5", "--debug")
        (line,) = run.stderr.splitlines()
        version = ".".join(map(str, sys.version_info[:3]))
        assert line.endswith(
            f" DEBUG mcp_remote_py.cli: mcp-remote-py {__version__} on Python {version}, "
            f"{sys.platform}, for {URL}?key=****"
        )

    def test_closed_streams_change_nothing(self) -> None:
        closed = io.StringIO()
        closed.close()
        assert main(["--version"], {}, closed, closed) == 0
        assert main([], {}, closed, closed) == 2
        assert main([], {}, None, None) == 2


class TestWords:
    def test_version(self) -> None:
        run = Run("--version")
        assert (run.status, run.stdout, run.stderr) == (0, f"mcp-remote-py {__version__}\n", "")

    @pytest.mark.parametrize("option", ALL_OPTIONS, ids=lambda option: option.name)
    def test_every_option_has_help_that_is_a_sentence(self, option: Option) -> None:
        assert option.help[0].isupper()
        assert option.help.endswith(".")

    def test_the_option_table_has_every_option_once(self) -> None:
        groups = list(dict.fromkeys(option.group for option in options_of(PROXY)))
        options = sorted(options_of(PROXY), key=lambda option: groups.index(option.group))
        told = options_in_document().partition("\n## ")[0]
        assert re.findall(r"^### (.+)$", told, re.MULTILINE) == groups
        assert told.count("| Option | Meaning |\n| --- | --- |\n") == len(groups)
        rows = option_table()
        assert len(rows) == len(options)
        for row, option in zip(rows, options, strict=True):
            usage = f"{option.name} {option.value}".strip()
            assert row.startswith(f"| `{usage}` | ")
            assert row.count("|") == 3
            assert row.endswith(" Can be repeated. |") is option.repeatable

    def test_the_option_table_escapes_what_markdown_would_eat(self) -> None:
        assert "; \\* stands for any characters." in "".join(option_table())


def options_in_document() -> str:
    """What docs/options.md says of the options."""
    text = (Path(__file__).parents[2] / "docs" / "options.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- options: written by scripts/update_docs -->")
    return rest.partition("<!-- end of options -->")[0].strip()


def option_table() -> list[str]:
    """The rows of those of the relay."""
    told = options_in_document().partition("\n## ")[0]
    return re.findall(r"^\| `--.+$", told, re.MULTILINE)


def start(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, timeout=20, check=False
    )


class TestProcess:
    def test_python_m_works(self) -> None:
        done = start("-m", "mcp_remote_py", "--version")
        assert (done.returncode, done.stdout, done.stderr) == (
            0,
            f"mcp-remote-py {__version__}\n",
            "",
        )

    def test_a_mistake_ends_the_process_with_status_2_and_an_empty_stdout(self) -> None:
        done = start("-m", "mcp_remote_py", "http://example.com")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("mcp-remote-py: error: Plain http to example.com ")
        assert done.stderr.count("\n") == 1

    @pytest.mark.promise("R2")
    def test_the_log_file_may_not_be_stdout(self) -> None:
        if not Path("/dev/stdout").exists():
            return
        done = start("-m", "mcp_remote_py", URL, "--log-file", "/dev/stdout")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "mcp-remote-py: error: --log-file is stdout, which belongs to the protocol. "
            "Name a file; stderr gets the lines anyway.\n"
        )

    def test_a_stdout_nobody_reads_changes_nothing(self) -> None:
        code = (
            "import os, sys; from mcp_remote_py.__main__ import run; os.close(1);"
            "sys.argv[1:] = ['--version']; run()"
        )
        done = start("-c", code)
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_thread_that_never_ends_does_not_hold_up_the_end(self) -> None:
        code = (
            "import sys, threading; from mcp_remote_py.__main__ import run;"
            "threading.Thread(target=threading.Event().wait).start();"
            "sys.argv[1:] = ['--version']; run()"
        )
        assert start("-c", code).returncode == 0

    @pytest.mark.parametrize(
        ("imported", "status"), [("cli.main", -signal.SIGINT), ("cli.help", 130)]
    )
    def test_ctrl_c_at_the_very_start_shows_no_traceback(self, imported: str, status: int) -> None:
        code = (
            "import os, signal, sys\n"
            "class Person:\n"
            "    def find_spec(self, name, *_):\n"
            f"        if name == 'mcp_remote_py.{imported}':\n"
            "            os.kill(os.getpid(), signal.SIGINT)\n"
            "sys.meta_path.insert(0, Person())\n"
            "import mcp_remote_py.__main__ as process\n"
            "sys.argv[1:] = ['--help']\n"
            "process.run()"
        )
        done = start("-c", code)
        assert (done.returncode, done.stdout, done.stderr) == (status, "", "")

    @pytest.mark.parametrize("word", ["--help", "--version", "http://example.com"])
    def test_words_alone_import_neither_a_command_nor_anything_heavy(self, word: str) -> None:
        code = (
            "import os, sys; from mcp_remote_py.cli.main import main;"
            "main(sys.argv[1:], {}, sys.stdout, sys.stdout);"
            "print('imported:', *sys.modules)"
        )
        done = start("-c", code, word)
        imported = set(done.stdout.partition("imported:")[2].split())
        assert "mcp_remote_py.settings.headers" in imported
        heavy = {"asyncio", "httpx", "httpcore", "idna", "ipaddress", "ssl"}
        assert not imported & heavy
        assert not [name for name in imported if name.startswith("mcp_remote_py.commands")]

    def test_the_proxy_command_is_there(self) -> None:
        assert callable(load_command("proxy"))


def test_all_words_are_strings_of_one_kind() -> None:
    names: Sequence[str] = [option.name for option in ALL_OPTIONS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("--") for name in names)
