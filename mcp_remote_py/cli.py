"""The command line: words in, settings to one command, one exit status out.

Every error of the person is one line on stderr, `mcp-remote-py: error: <cause> <hint>`, and
never repeats a word whose place suggests a header's value: a torn token would end in a log.
The only module that imports argparse. It must not know HTTP, JSON-RPC or the keyring, and
imports the command it starts only when everything is checked: `--help` stays fast.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TextIO, cast

from mcp_remote_py import __version__, logs
from mcp_remote_py import settings as words
from mcp_remote_py.errors import McpRemoteError, UsageError, one_line
from mcp_remote_py.named_files import read_named, read_settled
from mcp_remote_py.redact import MASK, mask_url, remember, scrub_known
from mcp_remote_py.settings import (
    DEFAULT_BODY_TIMEOUT,
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_HEADERS_TIMEOUT,
    DEFAULT_INITIALIZE_TIMEOUT,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_PING_INTERVAL,
    FETCH_TIMEOUT,
    LONGEST_SIGN_IN_PART,
    POST_TIMEOUT,
    HeaderSources,
    LoginSettings,
    LogoutSettings,
    LogSettings,
    Network,
    ProtocolStrategy,
    ProxySettings,
    ServerUrl,
    SignInSettings,
    SignInTimeouts,
    StatusSettings,
    Timeouts,
    Tls,
    ToolRules,
    TransportStrategy,
    Unattended,
)

PROGRAM = "mcp-remote-py"
DONE, FAILED, WRONG_USAGE, SIGN_IN_NEEDED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses; the last is 128 + SIGINT, as shells count."""
FLUSH_SECONDS = 0.5
"""How long the last log lines may hold up the end (promise R7: 2 s for everything)."""
HELP_WIDTH = 100
"""Columns. Given, because argparse would import shutil at every start to find out."""

RunCommand = Callable[..., int]
"""Runs a command with its settings, the environment and, unless it relays, a function that writes
a line to stdout; returns the exit status."""
Settings = ProxySettings | LoginSettings | LogoutSettings | StatusSettings

_log = logging.getLogger(__name__)


class Reading(NamedTuple):
    """What counts beside the word itself when an option is read."""

    option: str
    environment: Mapping[str, str]
    allow_http: bool


Read = Callable[[str, Reading], object]
"""Makes the value of an option of its word; raises `UsageError`, which names the option."""


def _as_given(text: str, _: Reading) -> str:
    return text


class Option(NamedTuple):
    """One option: the parser, its reader, the help and the README's table are made from it."""

    name: str
    value: str
    """Placeholder for the value; empty for a switch."""
    help: str
    group: str
    commands: tuple[str, ...]
    """Those that take it."""
    repeatable: bool = False
    read: Read = _as_given
    """What makes its value of the word that is given; a switch has none."""

    @property
    def attribute(self) -> str:
        """What argparse calls it."""
        return self.name[2:].replace("-", "_")


class Command(NamedTuple):
    """What the first argument may be; all but `proxy`, which has no word of its own."""

    name: str
    words: str
    """What belongs to it beside options."""
    summary: str

    @property
    def usage(self) -> str:
        """How it is called, without options."""
        return f"{PROGRAM} {'' if self.name == PROXY else f'{self.name} '}{self.words}"


PROXY, LOGIN, LOGOUT, STATUS = "proxy", "login", "logout", "status"
COMMANDS = {
    command.name: command
    for command in (
        Command(
            PROXY,
            "URL [PORT]",
            "Lets an MCP host that speaks stdio only use the MCP server at URL.",
        ),
        Command(LOGIN, "URL [PORT]", "Signs in at the server in the browser, before a host does."),
        Command(LOGOUT, "URL|--all", "Revokes the tokens of a server and forgets them."),
        Command(STATUS, "[URL]", "Shows who is signed in where, until when; no token."),
    )
}
_WORDS_HELP = {
    PROXY: "Address of the server in full, https://...; ${NAME} is replaced here too. PORT is that"
    " of the redirect URI of a sign-in (default: one of its own for each server).",
    LOGIN: "Address and port as for the relay.",
    LOGOUT: "Address of the server as it was signed in at.",
    STATUS: "Address of a server; without it, every one that is known.",
}
_DEFAULTS = SignInSettings()

_HEADERS, _CONNECTION, _SIGN_IN, _TOOLS = "Headers", "Connection", "Sign-in", "Tools"
_LOGS, _OTHER = "Logs", "Other"

_RELAY = (PROXY,)
_SERVER = (PROXY, LOGIN)
_NETWORK = (PROXY, LOGIN, LOGOUT)
_EVERY = (PROXY, LOGIN, LOGOUT, STATUS)

# How words are read --------------------------------------------------------------------------


def _read(parse: Callable[[str], object]) -> Read:
    """By a function that knows the option."""
    return lambda text, _: parse(text)


def _read_named(parse: Callable[[str, str], object]) -> Read:
    """By a function of several options."""
    return lambda text, reading: parse(text, reading.option)


def _read_file(
    parse: Callable[[str, Mapping[str, str], Callable[[str], str]], object],
) -> Read:
    """By a function that may read a file."""
    return lambda text, reading: parse(text, reading.environment, read_named)


def _read_path(text: str, reading: Reading) -> str:
    return words.expand_path(text, reading.environment)


def _read_header(text: str, reading: Reading) -> object:
    return words.parse_header(text, reading.environment)


def _read_command(text: str, reading: Reading) -> object:
    return words.split_command(text, reading.environment, windows=os.name == "nt")


def _read_browser(text: str, reading: Reading) -> object:
    return words.split_command(
        text,
        reading.environment,
        windows=os.name == "nt",
        option=reading.option,
        form="Give a command that opens a URL, or --no-browser.",
    )


def _read_limit(text: str, reading: Reading) -> float:
    """Seconds; 0 is no limit."""
    return words.parse_seconds(text, reading.option) or 0.0


def _read_success_url(text: str, reading: Reading) -> str:
    return words.parse_success_url(text, reading.allow_http)


def _read_pattern(text: str, reading: Reading) -> str:
    if not text:
        raise UsageError(
            f"{reading.option} is empty.", hint="Give a tool's name, or a pattern with *."
        )
    return text


# Options -------------------------------------------------------------------------------------


ALL_OPTIONS = (
    Option(
        "--header",
        "HEADER",
        'Header for every request, as "Name: value" or "Name:value"; ${NAME} is replaced by that'
        " environment variable.",
        _HEADERS,
        _SERVER,
        repeatable=True,
        read=_read_header,
    ),
    Option(
        "--header-file",
        "FILE",
        "File with one header a line, # for comments; keeps a token out of the process list.",
        _HEADERS,
        _SERVER,
        repeatable=True,
        read=_read_path,
    ),
    Option(
        "--header-command",
        "COMMAND",
        "Command, run without a shell, that prints one header a line; run again when the server"
        " answers 401.",
        _HEADERS,
        _SERVER,
        repeatable=True,
        read=_read_command,
    ),
    Option(
        "--transport",
        "STRATEGY",
        "Which transports are tried, in which order: "
        f"{', '.join(strategy.value for strategy in TransportStrategy)} "
        f"(default {TransportStrategy.HTTP_FIRST.value}).",
        _CONNECTION,
        _RELAY,
        read=_read(words.parse_transport),
    ),
    Option(
        "--protocol",
        "ERA",
        "Which era of MCP the server speaks: auto finds out and remembers, legacy is up to"
        " 2025-11-25 (initialize), modern is 2026-07-28 (default auto). The host may be of either.",
        _CONNECTION,
        _RELAY,
        read=_read(words.parse_protocol),
    ),
    Option(
        "--allow-http",
        "",
        "Allow plain http to other machines; http to this one is always allowed.",
        _CONNECTION,
        _SERVER,
    ),
    Option(
        "--connect-timeout",
        "SECONDS",
        f"Longest time for connecting (default {DEFAULT_CONNECT_TIMEOUT:g}; 0 means no limit).",
        _CONNECTION,
        _NETWORK,
        read=_read_limit,
    ),
    Option(
        "--headers-timeout",
        "SECONDS",
        "Longest wait for the headers of an answer"
        f" (default {DEFAULT_HEADERS_TIMEOUT:g}; 0 means no limit). A request of a sign-in has"
        f" {FETCH_TIMEOUT:g} to {POST_TIMEOUT:g} seconds in all; these options, where given, count"
        f" there instead, up to {LONGEST_SIGN_IN_PART:g} each.",
        _CONNECTION,
        _NETWORK,
        read=_read_limit,
    ),
    Option(
        "--body-timeout",
        "SECONDS",
        f"Longest gap inside an answer (default {DEFAULT_BODY_TIMEOUT:g}, for event streams no"
        " limit; 0 means no limit).",
        _CONNECTION,
        _NETWORK,
        read=_read_limit,
    ),
    Option(
        "--keep-alive",
        "",
        f"Send a ping every {DEFAULT_PING_INTERVAL:g} seconds, so that nothing between here and"
        " the server drops a quiet session.",
        _CONNECTION,
        _RELAY,
    ),
    Option(
        "--ping-interval",
        "SECONDS",
        "Seconds between those pings; turns them on.",
        _CONNECTION,
        _RELAY,
        read=_read_named(words.parse_interval),
    ),
    Option(
        "--forward-ping",
        "",
        "Forward every ping of the host; else one is answered here while the server was heard"
        " from lately.",
        _CONNECTION,
        _RELAY,
    ),
    Option("--ipv4", "", "Connect over IPv4 only.", _CONNECTION, _NETWORK),
    Option("--disable-cookies", "", "Neither keep nor send cookies.", _CONNECTION, _RELAY),
    Option(
        "--enable-proxy",
        "",
        "Accepted for mcp-remote's sake: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are"
        " always used.",
        _CONNECTION,
        _NETWORK,
    ),
    Option(
        "--ca-cert",
        "FILE",
        "PEM file with certificate authorities to trust beside the system's (also SSL_CERT_FILE).",
        _CONNECTION,
        _NETWORK,
        repeatable=True,
        read=_read_path,
    ),
    Option(
        "--client-cert",
        "FILE",
        "PEM file with a client certificate, shown to the MCP server's own origin alone.",
        _CONNECTION,
        _NETWORK,
        read=_read_path,
    ),
    Option(
        "--client-key",
        "FILE",
        "PEM file with its private key, where that is not in the same file.",
        _CONNECTION,
        _NETWORK,
        read=_read_path,
    ),
    Option(
        "--max-message-size",
        "SIZE",
        "Largest message in either direction, such as 50MB or 1GiB (default"
        f" {DEFAULT_MAX_MESSAGE_SIZE // 1024**2}MiB).",
        _CONNECTION,
        _RELAY,
        read=_read_named(words.parse_size),
    ),
    Option(
        "--profile",
        "NAME",
        "Name of the account, where there are several at one server.",
        _SIGN_IN,
        _EVERY,
        read=_read(words.parse_profile),
    ),
    Option(
        "--scope",
        "SCOPES",
        "Scopes to ask for, separated by blanks, instead of those the server names.",
        _SIGN_IN,
        _SERVER,
        read=_read(words.parse_scope),
    ),
    Option(
        "--resource",
        "URI",
        "What the token is for (RFC 8707), instead of what the server publishes; separates the"
        " sign-ins of several tenants.",
        _SIGN_IN,
        _EVERY,
        read=_read(words.parse_resource),
    ),
    Option(
        "--disable-resource-parameter",
        "",
        "Leave that out of every request, for servers that refuse it.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--authorize-param",
        "KEY=VALUE",
        "Further parameter of the authorization request, such as prompt=consent.",
        _SIGN_IN,
        _SERVER,
        repeatable=True,
        read=_read(words.parse_authorize_parameter),
    ),
    Option(
        "--static-oauth-client-info",
        "JSON",
        "Client that is registered already: a JSON object with client_id, or @FILE with one;"
        ' ${NAME} is replaced in its values. With a client_secret, "issuer" names who may have it.',
        _SIGN_IN,
        _SERVER,
        read=_read_file(words.parse_client),
    ),
    Option(
        "--static-oauth-client-metadata",
        "JSON",
        "Members for the registration of a client, in the same way.",
        _SIGN_IN,
        _SERVER,
        read=_read_file(words.parse_client_metadata),
    ),
    Option(
        "--client-metadata-url",
        "URL",
        "Client ID metadata document, used where the server takes one.",
        _SIGN_IN,
        _SERVER,
        read=_read(words.parse_client_metadata_url),
    ),
    Option(
        "--trusted-issuer",
        "URL",
        "Issuer that may have your secret, key or JWT; also accepted where metadata name another.",
        _SIGN_IN,
        _SERVER,
        repeatable=True,
        read=_read(words.parse_trusted_issuer),
    ),
    Option(
        "--use-id-token",
        "",
        "Send the ID token instead of the access token.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--host",
        "HOST",
        "Host of the redirect URI: localhost (the default), 127.0.0.1 or [::1].",
        _SIGN_IN,
        _SERVER,
        read=_read(words.parse_callback_host),
    ),
    Option(
        "--callback-path",
        "PATH",
        f"Path of the redirect URI (default {_DEFAULTS.callback_path}).",
        _SIGN_IN,
        _SERVER,
        read=_read(words.parse_callback_path),
    ),
    Option(
        "--auth-success-url",
        "URL",
        "Page the browser goes to after the sign-in, instead of a page of ours.",
        _SIGN_IN,
        _SERVER,
        read=_read_success_url,
    ),
    Option(
        "--auth-timeout",
        "SECONDS",
        f"Longest time for the browser part (default {_DEFAULTS.timeout:g}).",
        _SIGN_IN,
        _SERVER,
        read=_read(words.parse_auth_timeout),
    ),
    Option(
        "--initialize-timeout",
        "SECONDS",
        "Longest time the host's first request waits for a sign-in (default"
        f" {DEFAULT_INITIALIZE_TIMEOUT:g}; 0 means no limit); then it is answered for the server,"
        " and the sign-in goes on.",
        _SIGN_IN,
        _RELAY,
        read=_read_limit,
    ),
    Option(
        "--browser",
        "COMMAND",
        "Command, run without a shell, that opens the URL it gets as its last argument.",
        _SIGN_IN,
        _SERVER,
        read=_read_browser,
    ),
    Option("--no-browser", "", "Open nothing; the URL is printed.", _SIGN_IN, _SERVER),
    Option(
        "--paste",
        "",
        "Open nothing; finish by pasting the address that a browser elsewhere ends at.",
        _SIGN_IN,
        (LOGIN,),
    ),
    Option(
        "--device-code",
        "",
        "Sign in with a short code on any other device, without a browser here.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--client-credentials",
        "",
        "Sign in without a person, as the client of --static-oauth-client-info.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--private-key",
        "FILE",
        "The client's private key (PEM or JWK): it proves itself by it instead of a secret.",
        _SIGN_IN,
        _SERVER,
        read=_read_file(words.parse_private_key),
    ),
    Option(
        "--signing-alg",
        "ALGORITHM",
        f"What --private-key signs with: {', '.join(words.SIGNING_ALGORITHMS)} (default ES256).",
        _SIGN_IN,
        _SERVER,
        read=_read(words.parse_signing_algorithm),
    ),
    Option(
        "--jwt-bearer",
        "FILE",
        "Sign in without a person, by the workload's JWT in this file, read anew at each use; it is"
        " sent to its audience (aud), or to whom you name.",
        _SIGN_IN,
        _SERVER,
        read=_read_path,
    ),
    Option(
        "--idp-token-endpoint",
        "URL",
        "Sign in by a company's identity provider: it exchanges --idp-id-token for a grant.",
        _SIGN_IN,
        _SERVER,
        read=_read_named(words.parse_token_url),
    ),
    Option(
        "--idp-client-id",
        "ID",
        "The client at that identity provider.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--idp-id-token",
        "FILE",
        "The ID token of that identity provider, in a file that is read anew at each use.",
        _SIGN_IN,
        _SERVER,
        read=_read_path,
    ),
    Option(
        "--token-endpoint",
        "URL",
        "The token endpoint of a sign-in without a person, instead of finding it; no other gets"
        " anything.",
        _SIGN_IN,
        _SERVER,
        read=_read_named(words.parse_token_url),
    ),
    Option(
        "--allow-private-network",
        "",
        "Let the sign-in of the server lead to addresses of private networks and of this machine;"
        " else only where the server itself is there. Link-local addresses stay refused.",
        _SIGN_IN,
        _NETWORK,
    ),
    Option(
        "--token-store",
        "STORE",
        "Where tokens are kept: keyring (the default), file, or memory until the end.",
        _SIGN_IN,
        _NETWORK,
        read=_read(words.parse_token_store),
    ),
    Option(
        "--all", "", "Sign out of every server, or with --profile of those.", _SIGN_IN, (LOGOUT,)
    ),
    Option(
        "--allow-tool",
        "PATTERN",
        "Show only tools of exactly that name to the host; * stands for any characters.",
        _TOOLS,
        _RELAY,
        repeatable=True,
        read=_read_pattern,
    ),
    Option(
        "--ignore-tool",
        "PATTERN",
        "Hide tools of that name, in capitals or not, from the host and refuse calls of them;"
        " * stands for any characters.",
        _TOOLS,
        _RELAY,
        repeatable=True,
        read=_read_pattern,
    ),
    Option("--read-only", "", "Show only tools the server marks as read-only.", _TOOLS, _RELAY),
    Option("--debug", "", "Log in detail; never the value of a header.", _LOGS, _EVERY),
    Option("--silent", "", "Log nothing on stderr, unless --debug is given.", _LOGS, _EVERY),
    Option(
        "--log-file",
        "FILE",
        "Log into that file too, with times; only you can read it.",
        _LOGS,
        _EVERY,
        read=_read_path,
    ),
    Option("--json", "", "Print JSON, for programs.", _OTHER, (STATUS,)),
    Option("--version", "", "Print the version and end.", _OTHER, _EVERY),
    Option("--help", "", "Print this help and end (also -h).", _OTHER, _EVERY),
)


def options_of(command: str) -> tuple[Option, ...]:
    """The options that `command` takes."""
    return tuple(option for option in ALL_OPTIONS if command in option.commands)


OPTIONS = options_of(PROXY)


def main(
    argv: Sequence[str],
    environment: Mapping[str, str],
    stdout: TextIO | None,
    stderr: TextIO | None,
    load: Callable[[str], RunCommand] | None = None,
    stdin: TextIO | None = None,
) -> int:
    """Runs the command that `argv` (without the program's name) asks for; its exit status.

    `load` gives the function of a command by its name. Raises nothing: a person's mistake is a
    line and a status, and so is a fault of the command.
    """
    # As the first argument only: behind it a word is a value or an address.
    named = bool(argv) and argv[0] in COMMANDS and argv[0] != PROXY
    command = argv[0] if named else PROXY
    try:
        arguments = _parse(command, argv[1:] if named else argv)
        if arguments.help:
            _write(stdout, _render_help(command))
            return DONE
        if arguments.version:
            _write(stdout, f"{PROGRAM} {__version__}\n")
            return DONE
        settings, warnings = _read_settings(command, arguments, environment)
        log = logs.configure(settings.log, words.secrets_of(settings), stderr)
    except UsageError as error:
        _write_error(stderr, error.sentence())
        return WRONG_USAGE
    _log_start(settings, warnings)
    try:
        run = (load or load_command)(command)
        return run(settings, environment, *_talk(command, stdout, stdin))
    except UsageError as error:
        # Where even the log could not be written, nobody reads stderr: a write would not return.
        if log.flush(FLUSH_SECONDS):
            _write_error(stderr, error.sentence())
        return WRONG_USAGE
    except McpRemoteError as error:
        _log.error("%s", error.sentence())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        _log.exception("Internal error (%s: %s). Please report it.", type(error).__name__, error)
        return FAILED
    finally:
        log.flush(FLUSH_SECONDS)
        log.close()


def _talk(
    command: str, stdout: TextIO | None, stdin: TextIO | None
) -> tuple[Callable[..., object], ...]:
    """What a command talks to the person with: writes a line; reads one, "" after the last."""

    def write_line(line: str) -> None:
        _write(stdout, f"{line}\n")

    def read_line() -> str:
        return "" if stdin is None else stdin.readline()

    return {PROXY: (), LOGIN: (write_line, read_line)}.get(command, (write_line,))


def _log_start(settings: Settings, warnings: Iterable[str]) -> None:
    _log.debug(
        "%s %s on Python %s, %s, for %s",
        PROGRAM,
        __version__,
        sys.version.partition(" ")[0],
        sys.platform,
        "every server" if settings.server is None else mask_url(str(settings.server)),
    )
    for warning in warnings:
        _log.warning("%s", warning)


def load_command(name: str) -> RunCommand:
    """The function of the command `name`, imported now."""
    module = importlib.import_module(f"mcp_remote_py.commands.{name}")
    return cast("RunCommand", getattr(module, f"run_{name}"))


def render_option_table() -> str:
    """The options of the relay as a Markdown table, for the README."""
    return _render_table(OPTIONS)


def render_command_sections() -> str:
    """The other commands in Markdown, for the README: usage, summary, options."""
    sections: list[str] = []
    for command in list(COMMANDS.values())[1:]:
        options = options_of(command.name)
        shared = ", ".join(f"`{option.name}`" for option in options if option in OPTIONS)
        own = [option for option in options if option not in OPTIONS]
        lines = [
            f"### `{command.usage} [options]`",
            command.summary,
            f"Options as above: {shared}.",
        ]
        sections += [*lines, *([_render_table(own).strip()] if own else [])]
    return "\n\n".join(sections) + "\n"


def _render_table(options: Iterable[Option]) -> str:
    rows = ["| Option | Meaning |", "|---|---|"]
    for option in options:
        usage = f"{option.name} {option.value}".strip()
        meaning = option.help + (" Can be repeated." if option.repeatable else "")
        rows.append(f"| `{usage}` | {_escape_markdown(meaning)} |")
    return "\n".join(rows) + "\n"


def _escape_markdown(text: str) -> str:
    return re.sub(r"([*|<>\\])", r"\\\1", text)


def _write_error(stderr: TextIO | None, sentence: str) -> None:
    _write(stderr, f"{PROGRAM}: error: {scrub_known(sentence)}\n")


def _write(stream: TextIO | None, text: str) -> None:
    """Writes `text` where someone may read it: a closed stream is not a reason to fail."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        return


# Arguments -----------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Replaces argparse's text, which repeats values, by one that names the option only."""
        named = re.match(r"argument (--[a-z0-9-]+)", message)
        option = named[1] if named else "An option"
        if any(option == known.name and not known.value for known in ALL_OPTIONS):
            raise UsageError(f"{option} takes no value.", hint=f"Write {option} alone.")
        raise UsageError(
            f"{option} needs a value.", hint="Give it as the next argument, or behind a =."
        )


class _Arguments(argparse.Namespace):
    """What argparse found, before it means anything: by option, a word, a list of words or a bool.

    An option the command does not take is as one that is not given.
    """

    words: list[str]
    port: str | None
    header: list[str]
    all: bool
    version: bool
    help: bool

    def __init__(self) -> None:
        super().__init__()
        self.port = None
        for option in ALL_OPTIONS:
            if option.repeatable:
                setattr(self, option.attribute, [])
            else:
                setattr(self, option.attribute, None if option.value else False)


def _build_parser(command: str) -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        usage=f"{COMMANDS[command].usage} [options]",
        description=COMMANDS[command].summary,
        epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 3 sign-in needed, 130 interrupted.",
        allow_abbrev=False,
        add_help=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=HELP_WIDTH),
    )
    parser.add_argument(
        "words", nargs="*", metavar="URL", help=_WORDS_HELP[command].replace("%", "%%")
    )
    options = options_of(command)
    names = dict.fromkeys(option.group for option in options)
    groups = {name: parser.add_argument_group(name) for name in names}
    for option in options:
        group = groups[option.group]
        text = option.help.replace("%", "%%")
        if option.repeatable:
            group.add_argument(
                option.name, metavar=option.value, action="append", default=[], help=text
            )
        elif option.value:
            group.add_argument(option.name, metavar=option.value, help=text)
        else:
            group.add_argument(option.name, action="store_true", help=text)
    return parser


def _render_help(command: str) -> str:
    text = _build_parser(command).format_help()
    if command != PROXY:
        return text
    others = list(COMMANDS.values())[1:]
    width = max(len(other.usage) for other in others)
    lines = [f"  {other.usage.ljust(width)}  {other.summary}\n" for other in others]
    return "".join((text, "\nOther commands, each with a --help of its own:\n", *lines))


def _parse(command: str, argv: Sequence[str]) -> _Arguments:
    """The arguments; `words` holds the URL alone, or nothing where none is needed.

    Raises:
        UsageError: an unknown option, a missing or superfluous word, a header torn in two.
    """
    arguments, rest = _build_parser(command).parse_known_args(argv, _Arguments())
    # Not an option of argparse, which would read -hunter as -h with something behind it.
    arguments.help = arguments.help or "-h" in rest
    if arguments.help or arguments.version:
        return arguments
    # Of words on both sides of an option argparse takes only those of one side.
    found = arguments.words + [word for word in rest if not word.startswith("-")]
    unknown = [word for word in rest if word.startswith("-") and word != "--"]
    url = next((word for word in found if "://" in word), found[0] if found else None)
    superfluous = list(found)
    if url is not None:
        superfluous.remove(url)
    _check_words(command, arguments.header, found, superfluous, unknown)
    if superfluous and command in _SERVER and superfluous[0].isdigit():
        arguments.port = superfluous.pop(0)
    if superfluous:
        import difflib

        hint = "Quote values that contain blanks; options begin with --."
        if close := difflib.get_close_matches(found[0], (LOGIN, LOGOUT, STATUS), 1, 0.75):
            hint = f"Did you mean {PROGRAM} {close[0]}?"
        raise UsageError(
            f"{len(found)} arguments are given where only the server URL belongs.", hint=hint
        )
    if url is not None and arguments.all:
        raise UsageError("Both --all and a server URL are given.", hint="Leave out one of them.")
    if url is None and command != STATUS and not arguments.all:
        word = "" if command == PROXY else f"{command} "
        raise UsageError(
            "No server URL is given.",
            hint=f"Usage: {PROGRAM} {word}https://example.com/mcp [options]",
        )
    arguments.words = [] if url is None else [url]
    return arguments


def _check_words(
    command: str, headers: list[str], found: list[str], superfluous: list[str], unknown: list[str]
) -> None:
    """Raises the UsageError that names what is most likely meant by words that do not belong."""
    misplaced = next((word for word in found if word in COMMANDS and word != PROXY), None)
    if misplaced is not None:
        raise UsageError(
            f"{misplaced} is given, but not as the first argument.",
            hint=f"Write {COMMANDS[misplaced].usage} [options].",
        )
    if superfluous or unknown:
        torn = next(filter(_is_torn, headers), None)
        pieces = [word for word in superfluous if not word.isdigit()]
        if torn is not None or (headers and pieces and not unknown):
            _refuse_torn_header(torn or headers[-1])
    if unknown:
        _refuse_unknown_option(command, unknown[0])
    torn = next(filter(_is_torn, found), None)
    if torn is not None:
        _refuse_torn_header(torn)


def _is_torn(word: str) -> bool:
    """Whether `word` is the first piece of a header a host has split at its blanks."""
    name, colon, value = word.partition(":")
    if colon:
        return not value or (
            name.lower() == "authorization" and value.lower() in ("basic", "bearer", "token")
        )
    return word.lower() in ("basic", "bearer")


def _refuse_torn_header(piece: str) -> NoReturn:
    name = piece.partition(":")[0]
    # Only a piece with a colon surely begins with a name.
    shown = f"The header {name}" if re.fullmatch(r"[A-Za-z0-9-]{1,64}:.*", piece) else "A header"
    raise UsageError(
        f"{shown} was torn apart at its blanks, probably by the host.",
        hint=f"Write it without blanks: {words.ENV_FORM}.",
    )


def _refuse_unknown_option(command: str, word: str) -> NoReturn:
    name = word.partition("=")[0]
    helping = PROGRAM if command == PROXY else f"{PROGRAM} {command}"
    listed = f"{helping} --help lists the options."
    if not re.fullmatch(r"--?[a-z][a-z0-9-]{0,31}", name):
        raise UsageError("There is an unknown option.", hint=listed)
    known = next((option for option in ALL_OPTIONS if option.name == name), None)
    if known is not None:
        where = " and ".join(
            f"{PROGRAM} URL" if other == PROXY else f"{PROGRAM} {other}" for other in known.commands
        )
        raise UsageError(f"{name} belongs to {where}, not to {helping}.", hint="Leave it out.")
    import difflib

    names = [option.name for option in options_of(command)]
    close = difflib.get_close_matches(name, names, 1, 0.75)
    meant = f"Did you mean {close[0]}?" if close else listed
    raise UsageError(f"There is no option {name}.", hint=meant)


# Settings ------------------------------------------------------------------------------------


_BY_NAME = {option.name: option for option in ALL_OPTIONS}


class _Given:
    """What a command was given, each option read as its row says when it is asked for.

    What comes of a row is known to who wrote it, and not to the type checker: `Any`.
    """

    def __init__(self, arguments: _Arguments, environment: Mapping[str, str]) -> None:
        self.words = arguments.words
        self.port = arguments.port
        self.environment = environment
        self._arguments = arguments
        self._allow_http = self.has("--allow-http")

    def has(self, name: str) -> bool:
        """Whether it is given: a switch, or a word, be it an empty one."""
        value = self.raw(name)
        return value is not None and value is not False and value != []

    def raw(self, name: str) -> Any:
        """As argparse found it."""
        return getattr(self._arguments, _BY_NAME[name].attribute)

    def get(self, name: str, default: Any = None) -> Any:
        """Its value, `default` where it is not given.

        Raises:
            UsageError: it cannot be read.
        """
        text = self.raw(name)
        return default if text is None else self._read(name, text)

    def each(self, name: str) -> tuple[Any, ...]:
        """The values of one that can be repeated; see `get`."""
        return tuple(self._read(name, text) for text in self.raw(name))

    def _read(self, name: str, text: str) -> object:
        return _BY_NAME[name].read(text, Reading(name, self.environment, self._allow_http))


def _read_settings(
    command: str, arguments: _Arguments, environment: Mapping[str, str]
) -> tuple[Settings, list[str]]:
    """The settings of `command`, everything they name checked, and what to warn of.

    Raises:
        UsageError: anything is wrong.
    """
    given = _Given(arguments, environment)
    if command != PROXY and given.raw("--token-store") == "memory":
        raise UsageError(
            f"--token-store memory keeps nothing once {command} is over.",
            hint="Leave it out, or give file.",
        )
    if command == STATUS:
        return _read_status(given), []
    if command == LOGOUT:
        return _read_logout(given)
    settings, warnings = _read_proxy(given)
    if command == PROXY:
        return settings, warnings
    words.check_sign_in_headers(settings.headers.given)
    return settings.login, warnings


def _read_status(given: _Given) -> StatusSettings:
    return StatusSettings(
        server=_known_server(given),
        profile=given.get("--profile"),
        resource=given.get("--resource"),
        json=given.has("--json"),
        log=_log_settings(given),
    )


def _read_logout(given: _Given) -> tuple[LogoutSettings, list[str]]:
    network, warnings = _network(given)
    settings = LogoutSettings(
        server=_known_server(given),
        profile=given.get("--profile"),
        resource=given.get("--resource"),
        token_store=given.get("--token-store"),
        network=network,
        log=_log_settings(given),
    )
    return settings, warnings


def _known_server(given: _Given) -> ServerUrl | None:
    """The server, over plain http too: nothing is sent to it."""
    if not given.words:
        return None
    text = words.expand_environment(given.words[0], given.environment)
    return words.parse_server_url(text, allow_http=True)


def _read_proxy(given: _Given) -> tuple[ProxySettings, list[str]]:
    server = words.parse_server_url(
        words.expand_environment(given.words[0], given.environment), given.has("--allow-http")
    )
    files: tuple[str, ...] = given.each("--header-file")
    for name in files:
        if os.path.exists(name) and not os.path.isfile(name):
            raise UsageError(
                f"--header-file: {name} is not a regular file.",
                hint="It is read again after a 401; for anything else use --header-command.",
            )
        text = words.read_text(name, "--header-file", read_settled)
        headers = words.parse_header_source(text, given.environment, f"--header-file {name}")
        remember(header.value for header in headers)
    network, warnings = _network(given)
    network.proxy_for(server)  # one that cannot be used is said now
    settings = ProxySettings(
        server=server,
        headers=HeaderSources(
            given=given.each("--header"), files=files, commands=given.each("--header-command")
        ),
        network=network,
        transport=given.get("--transport", TransportStrategy.HTTP_FIRST),
        protocol=given.get("--protocol", ProtocolStrategy.AUTO),
        tools=ToolRules(
            allow=given.each("--allow-tool"),
            ignore=given.each("--ignore-tool"),
            read_only=given.has("--read-only"),
        ),
        ping_interval=given.get(
            "--ping-interval", DEFAULT_PING_INTERVAL if given.has("--keep-alive") else None
        ),
        forward_ping=given.has("--forward-ping"),
        initialize_timeout=given.get("--initialize-timeout", DEFAULT_INITIALIZE_TIMEOUT) or None,
        cookies=not given.has("--disable-cookies"),
        max_message_size=given.get("--max-message-size", DEFAULT_MAX_MESSAGE_SIZE),
        log=_log_settings(given),
        sign_in=_sign_in(given),
    )
    return settings, warnings


_GRANTS = ("--client-credentials", "--jwt-bearer", "--idp-token-endpoint")
"""Sign-ins without a person, each by the option that chooses it."""

_ATTENDED = ("--device-code", "--paste")

_NEEDS = (
    ("--private-key", "--client-credentials"),
    ("--token-endpoint", "--client-credentials"),
    ("--private-key", "--static-oauth-client-info"),
    ("--signing-alg", "--private-key"),
    ("--client-credentials", "--static-oauth-client-info"),
    ("--idp-token-endpoint", "--static-oauth-client-info"),
    ("--idp-token-endpoint", "--idp-client-id"),
    ("--idp-token-endpoint", "--idp-id-token"),
    ("--idp-client-id", "--idp-token-endpoint"),
    ("--idp-id-token", "--idp-token-endpoint"),
)
"""An option, and what it is of no effect without; any grant will do for one that needs a grant."""


def _choose_grant(given: _Given) -> str | None:
    """The sign-in without a person, None where there is one.

    Raises:
        UsageError: options that do not go together, or miss another.
    """
    names = dict.fromkeys((*_GRANTS, *_ATTENDED, *(name for pair in _NEEDS for name in pair)))
    there = [name for name in names if given.has(name)]
    grant = next((name for name in there if name in _GRANTS), None)
    if grant is not None:
        of_others = {*_GRANTS, *_ATTENDED} - {grant}
        if grant != "--idp-token-endpoint":
            of_others |= {"--idp-client-id", "--idp-id-token"}
        for option in there:
            if option in of_others:
                raise UsageError(f"Both {grant} and {option} are given.", hint="Leave out one.")
    for option, other in _NEEDS:
        is_there = other in there or (other == "--client-credentials" and grant is not None)
        if option in there and not is_there:
            raise UsageError(f"{option} is given without {other}.", hint=f"Add {other}.")
    return grant


def _unattended(given: _Given) -> Unattended | None:
    """How to sign in without a person, None where there is one.

    Raises:
        UsageError: options that do not go together, or miss another, or name what cannot be used.
    """
    if _choose_grant(given) is None:
        return None
    return Unattended(
        private_key=given.get("--private-key"),
        signing_algorithm=given.get("--signing-alg", "ES256"),
        assertion_file=given.get("--jwt-bearer", ""),
        idp_token_endpoint=given.get("--idp-token-endpoint", ""),
        idp_client_id=given.get("--idp-client-id", ""),
        id_token_file=given.get("--idp-id-token", ""),
    )


def _sign_in(given: _Given) -> SignInSettings:
    unattended = _unattended(given)
    # Another account than a person's: it has a session of its own.
    profile = _DEFAULTS.profile if unattended is None else unattended.name
    return SignInSettings(
        profile=given.get("--profile", profile),
        scope=given.get("--scope"),
        resource=given.get("--resource"),
        send_resource=not given.has("--disable-resource-parameter"),
        authorize_parameters=given.each("--authorize-param"),
        static_client=given.get("--static-oauth-client-info"),
        static_client_metadata=given.get("--static-oauth-client-metadata"),
        client_metadata_url=given.get("--client-metadata-url"),
        trusted_issuers=given.each("--trusted-issuer"),
        use_id_token=given.has("--use-id-token"),
        host=given.get("--host", _DEFAULTS.host),
        port=None if given.port is None else words.parse_callback_port(given.port),
        callback_path=given.get("--callback-path", _DEFAULTS.callback_path),
        success_url=given.get("--auth-success-url"),
        timeout=given.get("--auth-timeout", _DEFAULTS.timeout),
        browser=_browser(given),
        paste=given.has("--paste"),
        device_code=given.has("--device-code"),
        unattended=unattended,
        token_endpoint=given.get("--token-endpoint", ""),
        token_store=given.get("--token-store", _DEFAULTS.token_store),
        login_options=one_line(shlex.join(_words_for_login(given))),
    )


_OPENERS = ("--browser", "--no-browser", "--paste")


def _words_for_login(given: _Given) -> Iterator[str]:
    """All that was given and `login` takes: without one of them it would be another sign-in.

    But for how the page is opened, which is another thing at a terminal, and for --token-store
    memory, which `login` refuses.
    """
    if given.port is not None:
        yield given.port
    for option in options_of(LOGIN):
        found = given.raw(option.name)
        if option.group in (_LOGS, _OTHER) or option.name in _OPENERS or found == "memory":
            continue
        for value in found if option.repeatable else (found,):
            if value:
                yield option.name
            if value and option.value:
                yield _show_value(option, value)


def _show_value(option: Option, value: str) -> str:
    """As it was typed, without what may be secret."""
    if option.value in ("URL", "URI"):
        return mask_url(value)
    is_name_of_file = option.value == "JSON" and value.startswith("@")
    return MASK if option.value in ("HEADER", "COMMAND", "JSON") and not is_name_of_file else value


def _browser(given: _Given) -> tuple[str, ...] | None:
    has_command = given.has("--browser")
    if given.has("--paste") and (has_command or given.has("--device-code")):
        other = "--browser" if has_command else "--device-code"
        raise UsageError(f"Both --paste and {other} are given.", hint="Leave out one.")
    if not has_command:
        return () if given.has("--no-browser") or given.has("--paste") else None
    if given.has("--no-browser"):
        raise UsageError("Both --browser and --no-browser are given.", hint="Leave out one.")
    return given.get("--browser")


def _log_settings(given: _Given) -> LogSettings:
    return LogSettings(
        level="DEBUG" if given.has("--debug") else "" if given.has("--silent") else "INFO",
        file=given.get("--log-file"),
    )


def _network(given: _Given) -> tuple[Network, list[str]]:
    tls, warnings = _tls(given)
    connect: float | None = given.get("--connect-timeout")
    headers: float | None = given.get("--headers-timeout")
    body: float | None = given.get("--body-timeout")
    network = Network(
        timeouts=Timeouts(
            connect=_or_default(connect, DEFAULT_CONNECT_TIMEOUT),
            headers=_or_default(headers, DEFAULT_HEADERS_TIMEOUT),
            body=_or_default(body, DEFAULT_BODY_TIMEOUT),
            stream=_or_default(body, None),
        ),
        sign_in_timeouts=SignInTimeouts(connect, headers, body),
        tls=tls,
        ipv4=given.has("--ipv4"),
        proxies=words.proxy_variables(given.environment),
        allow_private_network=given.has("--allow-private-network"),
    )
    return network, warnings


def _or_default(seconds: float | None, default: float | None) -> float | None:
    """The limit in seconds, None without one, of 0 for none and None for the default."""
    return default if seconds is None else seconds or None


def _tls(given: _Given) -> tuple[Tls, list[str]]:
    tls = Tls(
        ca_certs=given.each("--ca-cert"),
        client_cert=given.get("--client-cert"),
        client_key=given.get("--client-key"),
    )
    words.check_tls(tls, read_named)
    return words.add_ca_certs(tls, given.environment, read_named)
