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
from typing import NamedTuple, NoReturn, TextIO, TypeVar, cast

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
    HeaderSources,
    LogoutSettings,
    LogSettings,
    ProtocolStrategy,
    ProxySettings,
    ServerUrl,
    SignInSettings,
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
Settings = ProxySettings | LogoutSettings | StatusSettings

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Option(NamedTuple):
    """One option: the help, the parser and the README's table are made from it."""

    name: str
    value: str
    """Placeholder for the value; empty for a switch."""
    help: str
    group: str
    commands: tuple[str, ...]
    """Those that take it."""
    repeatable: bool = False

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

ALL_OPTIONS = (
    Option(
        "--header",
        "HEADER",
        'Header for every request, as "Name: value" or "Name:value"; ${NAME} is replaced by that'
        " environment variable.",
        _HEADERS,
        _SERVER,
        repeatable=True,
    ),
    Option(
        "--header-file",
        "FILE",
        "File with one header a line, # for comments; keeps a token out of the process list.",
        _HEADERS,
        _SERVER,
        repeatable=True,
    ),
    Option(
        "--header-command",
        "COMMAND",
        "Command, run without a shell, that prints one header a line; run again when the server"
        " answers 401.",
        _HEADERS,
        _SERVER,
        repeatable=True,
    ),
    Option(
        "--transport",
        "STRATEGY",
        "Which transports are tried, in which order: "
        f"{', '.join(strategy.value for strategy in TransportStrategy)} "
        f"(default {TransportStrategy.HTTP_FIRST.value}).",
        _CONNECTION,
        _RELAY,
    ),
    Option(
        "--protocol",
        "ERA",
        "Which era of MCP the server speaks: auto finds out and remembers, legacy is up to"
        " 2025-11-25 (initialize), modern is 2026-07-28 (default auto). The host may be of either.",
        _CONNECTION,
        _RELAY,
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
    ),
    Option(
        "--headers-timeout",
        "SECONDS",
        "Longest wait for the headers of an answer"
        f" (default {DEFAULT_HEADERS_TIMEOUT:g}; 0 means no limit).",
        _CONNECTION,
        _NETWORK,
    ),
    Option(
        "--body-timeout",
        "SECONDS",
        f"Longest gap inside an answer (default {DEFAULT_BODY_TIMEOUT:g}, for event streams no"
        " limit; 0 means no limit).",
        _CONNECTION,
        _NETWORK,
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
    ),
    Option(
        "--client-cert",
        "FILE",
        "PEM file with a client certificate, shown to the MCP server's own origin alone.",
        _CONNECTION,
        _NETWORK,
    ),
    Option(
        "--client-key",
        "FILE",
        "PEM file with its private key, where that is not in the same file.",
        _CONNECTION,
        _NETWORK,
    ),
    Option(
        "--max-message-size",
        "SIZE",
        "Largest message in either direction, such as 50MB or 1GiB (default"
        f" {DEFAULT_MAX_MESSAGE_SIZE // 1024**2}MiB).",
        _CONNECTION,
        _RELAY,
    ),
    Option(
        "--profile",
        "NAME",
        "Name of the account, where there are several at one server.",
        _SIGN_IN,
        _EVERY,
    ),
    Option(
        "--scope",
        "SCOPES",
        "Scopes to ask for, separated by blanks, instead of those the server names.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--resource",
        "URI",
        "What the token is for (RFC 8707), instead of what the server publishes; separates the"
        " sign-ins of several tenants.",
        _SIGN_IN,
        _EVERY,
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
    ),
    Option(
        "--static-oauth-client-info",
        "JSON",
        "Client that is registered already: a JSON object with client_id, or @FILE with one;"
        ' ${NAME} is replaced in its values. With a client_secret, "issuer" names who may have it.',
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--static-oauth-client-metadata",
        "JSON",
        "Members for the registration of a client, in the same way.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--client-metadata-url",
        "URL",
        "Client ID metadata document, used where the server takes one.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--trusted-issuer",
        "URL",
        "Issuer that may have your secret, key or JWT; also accepted where metadata name another.",
        _SIGN_IN,
        _SERVER,
        repeatable=True,
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
    ),
    Option(
        "--callback-path",
        "PATH",
        f"Path of the redirect URI (default {_DEFAULTS.callback_path}).",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--auth-success-url",
        "URL",
        "Page the browser goes to after the sign-in, instead of a page of ours.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--auth-timeout",
        "SECONDS",
        f"Longest time for the browser part (default {_DEFAULTS.timeout:g}).",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--initialize-timeout",
        "SECONDS",
        "Longest time the host's first request waits for a sign-in (default"
        f" {DEFAULT_INITIALIZE_TIMEOUT:g}; 0 means no limit); then it is answered for the server,"
        " and the sign-in goes on.",
        _SIGN_IN,
        _RELAY,
    ),
    Option(
        "--browser",
        "COMMAND",
        "Command, run without a shell, that opens the URL it gets as its last argument.",
        _SIGN_IN,
        _SERVER,
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
    ),
    Option(
        "--signing-alg",
        "ALGORITHM",
        f"What --private-key signs with: {', '.join(words.SIGNING_ALGORITHMS)} (default ES256).",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--jwt-bearer",
        "FILE",
        "Sign in without a person, by the workload's JWT in this file, read anew at each use; it is"
        " sent to its audience (aud), or to whom you name.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--idp-token-endpoint",
        "URL",
        "Sign in by a company's identity provider: it exchanges --idp-id-token for a grant.",
        _SIGN_IN,
        _SERVER,
    ),
    Option("--idp-client-id", "ID", "The client at that identity provider.", _SIGN_IN, _SERVER),
    Option(
        "--idp-id-token",
        "FILE",
        "The ID token of that identity provider, in a file that is read anew at each use.",
        _SIGN_IN,
        _SERVER,
    ),
    Option(
        "--token-endpoint",
        "URL",
        "The token endpoint of a sign-in without a person, instead of finding it; no other gets"
        " anything.",
        _SIGN_IN,
        _SERVER,
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
    ),
    Option(
        "--ignore-tool",
        "PATTERN",
        "Hide tools of that name, in capitals or not, from the host and refuse calls of them;"
        " * stands for any characters.",
        _TOOLS,
        _RELAY,
        repeatable=True,
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
    """What argparse found, before it means anything; switches are booleans.

    An option the command does not take is as one that is not given.
    """

    words: list[str]
    port: str | None
    header: list[str]
    header_file: list[str]
    header_command: list[str]
    ca_cert: list[str]
    allow_tool: list[str]
    ignore_tool: list[str]
    authorize_param: list[str]
    trusted_issuer: list[str]
    transport: str | None
    protocol: str | None
    connect_timeout: str | None
    headers_timeout: str | None
    body_timeout: str | None
    ping_interval: str | None
    client_cert: str | None
    client_key: str | None
    max_message_size: str | None
    log_file: str | None
    profile: str | None
    scope: str | None
    resource: str | None
    static_oauth_client_info: str | None
    static_oauth_client_metadata: str | None
    client_metadata_url: str | None
    host: str | None
    callback_path: str | None
    auth_success_url: str | None
    auth_timeout: str | None
    initialize_timeout: str | None
    browser: str | None
    token_store: str | None
    allow_http: bool
    keep_alive: bool
    forward_ping: bool
    allow_private_network: bool
    ipv4: bool
    disable_cookies: bool
    enable_proxy: bool
    read_only: bool
    disable_resource_parameter: bool
    use_id_token: bool
    no_browser: bool
    device_code: bool
    client_credentials: bool
    private_key: str | None
    signing_alg: str | None
    jwt_bearer: str | None
    idp_token_endpoint: str | None
    idp_client_id: str | None
    idp_id_token: str | None
    token_endpoint: str | None
    all: bool
    json: bool
    debug: bool
    silent: bool
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


def _read_settings(
    command: str, arguments: _Arguments, environment: Mapping[str, str]
) -> tuple[Settings, list[str]]:
    """The settings of `command`, everything they name checked, and what to warn of.

    Raises:
        UsageError: anything is wrong.
    """
    if command != PROXY and arguments.token_store == "memory":  # noqa: S105 - its name
        raise UsageError(
            f"--token-store memory keeps nothing once {command} is over.",
            hint="Leave it out, or give file.",
        )
    if command == STATUS:
        return _read_status(arguments, environment), []
    if command == LOGOUT:
        return _read_logout(arguments, environment)
    settings, warnings = _read_proxy(arguments, environment)
    if command == LOGIN:
        words.check_sign_in_headers(settings.headers.given)
    return settings, warnings


def _read_status(arguments: _Arguments, environment: Mapping[str, str]) -> StatusSettings:
    return StatusSettings(
        server=_known_server(arguments, environment),
        profile=_optional(words.parse_profile, arguments.profile),
        resource=_optional(words.parse_resource, arguments.resource),
        json=arguments.json,
        log=_log_settings(arguments, environment),
    )


def _read_logout(
    arguments: _Arguments, environment: Mapping[str, str]
) -> tuple[LogoutSettings, list[str]]:
    tls, warnings = _tls(arguments, environment)
    settings = LogoutSettings(
        server=_known_server(arguments, environment),
        profile=_optional(words.parse_profile, arguments.profile),
        resource=_optional(words.parse_resource, arguments.resource),
        token_store=_optional(words.parse_token_store, arguments.token_store),
        timeouts=_timeouts(arguments),
        tls=tls,
        allow_private_network=arguments.allow_private_network,
        ipv4=arguments.ipv4,
        log=_log_settings(arguments, environment),
    )
    return settings, warnings


def _known_server(arguments: _Arguments, environment: Mapping[str, str]) -> ServerUrl | None:
    """The server, over plain http too: nothing is sent to it."""
    if not arguments.words:
        return None
    text = words.expand_environment(arguments.words[0], environment)
    return words.parse_server_url(text, allow_http=True)


def _read_proxy(
    arguments: _Arguments, environment: Mapping[str, str]
) -> tuple[ProxySettings, list[str]]:
    server = words.parse_server_url(
        words.expand_environment(arguments.words[0], environment), arguments.allow_http
    )
    files = tuple(_path(name, environment) for name in arguments.header_file)
    for name in files:
        if os.path.exists(name) and not os.path.isfile(name):
            raise UsageError(
                f"--header-file: {name} is not a regular file.",
                hint="It is read again after a 401; for anything else use --header-command.",
            )
        text = words.read_text(name, "--header-file", read_settled)
        headers = words.parse_header_source(text, environment, f"--header-file {name}")
        remember(header.value for header in headers)
    tls, warnings = _tls(arguments, environment)
    settings = ProxySettings(
        server=server,
        headers=HeaderSources(
            given=tuple(words.parse_header(text, environment) for text in arguments.header),
            files=files,
            commands=tuple(
                words.split_command(text, environment, windows=os.name == "nt")
                for text in arguments.header_command
            ),
        ),
        transport=(
            TransportStrategy.HTTP_FIRST
            if arguments.transport is None
            else words.parse_transport(arguments.transport)
        ),
        protocol=(
            ProtocolStrategy.AUTO
            if arguments.protocol is None
            else words.parse_protocol(arguments.protocol)
        ),
        tools=ToolRules(
            allow=_patterns(arguments.allow_tool, "--allow-tool"),
            ignore=_patterns(arguments.ignore_tool, "--ignore-tool"),
            read_only=arguments.read_only,
        ),
        timeouts=_timeouts(arguments),
        tls=tls,
        http_proxy=words.choose_http_proxy(server, environment),
        allow_private_network=arguments.allow_private_network,
        ping_interval=_ping_interval(arguments),
        forward_ping=arguments.forward_ping,
        initialize_timeout=_seconds(
            arguments.initialize_timeout, "--initialize-timeout", DEFAULT_INITIALIZE_TIMEOUT
        ),
        ipv4=arguments.ipv4,
        cookies=not arguments.disable_cookies,
        max_message_size=(
            DEFAULT_MAX_MESSAGE_SIZE
            if arguments.max_message_size is None
            else words.parse_size(arguments.max_message_size, "--max-message-size")
        ),
        log=_log_settings(arguments, environment),
        sign_in=_sign_in(arguments, environment),
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


def _choose_grant(arguments: _Arguments) -> str | None:
    """The sign-in without a person, None where there is one.

    Raises:
        UsageError: options that do not go together, or miss another.
    """
    values = {
        "--client-credentials": arguments.client_credentials or None,
        "--jwt-bearer": arguments.jwt_bearer,
        "--idp-token-endpoint": arguments.idp_token_endpoint,
        "--idp-client-id": arguments.idp_client_id,
        "--idp-id-token": arguments.idp_id_token,
        "--device-code": arguments.device_code or None,
        "--paste": arguments.paste or None,
        "--private-key": arguments.private_key,
        "--signing-alg": arguments.signing_alg,
        "--token-endpoint": arguments.token_endpoint,
        "--static-oauth-client-info": arguments.static_oauth_client_info,
    }
    given = [option for option, value in values.items() if value is not None]
    grant = next((option for option in given if option in _GRANTS), None)
    if grant is not None:
        of_others = {*_GRANTS, *_ATTENDED} - {grant}
        if grant != "--idp-token-endpoint":
            of_others |= {"--idp-client-id", "--idp-id-token"}
        for option in given:
            if option in of_others:
                raise UsageError(f"Both {grant} and {option} are given.", hint="Leave out one.")
    for option, other in _NEEDS:
        is_there = other in given or (other == "--client-credentials" and grant is not None)
        if option in given and not is_there:
            raise UsageError(f"{option} is given without {other}.", hint=f"Add {other}.")
    return grant


def _unattended(arguments: _Arguments, environment: Mapping[str, str]) -> Unattended | None:
    """How to sign in without a person, None where there is one.

    Raises:
        UsageError: options that do not go together, or miss another, or name what cannot be used.
    """
    if _choose_grant(arguments) is None:
        return None
    return Unattended(
        private_key=_optional(
            lambda text: words.parse_private_key(text, environment, read_named),
            arguments.private_key,
        ),
        signing_algorithm=_given(words.parse_signing_algorithm, arguments.signing_alg, "ES256"),
        assertion_file=_given(_path_in(environment), arguments.jwt_bearer, ""),
        idp_token_endpoint=_given(
            lambda text: words.parse_token_url(text, "--idp-token-endpoint"),
            arguments.idp_token_endpoint,
            "",
        ),
        idp_client_id=arguments.idp_client_id or "",
        id_token_file=_given(_path_in(environment), arguments.idp_id_token, ""),
    )


def _path_in(environment: Mapping[str, str]) -> Callable[[str], str]:
    return lambda text: _path(text, environment)


def _sign_in(arguments: _Arguments, environment: Mapping[str, str]) -> SignInSettings:
    unattended = _unattended(arguments, environment)
    # Another account than a person's: it has a session of its own.
    profile = _DEFAULTS.profile if unattended is None else unattended.name
    return SignInSettings(
        profile=_given(words.parse_profile, arguments.profile, profile),
        scope=_optional(words.parse_scope, arguments.scope),
        resource=_optional(words.parse_resource, arguments.resource),
        send_resource=not arguments.disable_resource_parameter,
        authorize_parameters=tuple(map(words.parse_authorize_parameter, arguments.authorize_param)),
        static_client=_optional(
            lambda text: words.parse_client(text, environment, read_named),
            arguments.static_oauth_client_info,
        ),
        static_client_metadata=_optional(
            lambda text: words.parse_client_metadata(text, environment, read_named),
            arguments.static_oauth_client_metadata,
        ),
        client_metadata_url=_optional(
            words.parse_client_metadata_url, arguments.client_metadata_url
        ),
        trusted_issuers=tuple(map(words.parse_trusted_issuer, arguments.trusted_issuer)),
        use_id_token=arguments.use_id_token,
        host=_given(words.parse_callback_host, arguments.host, _DEFAULTS.host),
        port=_optional(words.parse_callback_port, arguments.port),
        callback_path=_given(
            words.parse_callback_path, arguments.callback_path, _DEFAULTS.callback_path
        ),
        success_url=_optional(
            lambda text: words.parse_success_url(text, arguments.allow_http),
            arguments.auth_success_url,
        ),
        timeout=_given(words.parse_auth_timeout, arguments.auth_timeout, _DEFAULTS.timeout),
        browser=_browser(arguments, environment),
        paste=arguments.paste,
        device_code=arguments.device_code,
        unattended=unattended,
        token_endpoint=_given(
            lambda text: words.parse_token_url(text, "--token-endpoint"),
            arguments.token_endpoint,
            "",
        ),
        token_store=_given(words.parse_token_store, arguments.token_store, _DEFAULTS.token_store),
        login_options=one_line(shlex.join(_words_for_login(arguments))),
    )


_OPENERS = ("--browser", "--no-browser", "--paste")


def _words_for_login(arguments: _Arguments) -> Iterator[str]:
    """All that was given and `login` takes: without one of them it would be another sign-in.

    But for how the page is opened, which is another thing at a terminal, and for --token-store
    memory, which `login` refuses.
    """
    if arguments.port is not None:
        yield arguments.port
    for option in options_of(LOGIN):
        given = getattr(arguments, option.attribute)
        if option.group in (_LOGS, _OTHER) or option.name in _OPENERS or given == "memory":
            continue
        for value in given if option.repeatable else (given,):
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


def _browser(arguments: _Arguments, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    if arguments.paste and (arguments.browser is not None or arguments.device_code):
        other = "--device-code" if arguments.browser is None else "--browser"
        raise UsageError(f"Both --paste and {other} are given.", hint="Leave out one.")
    if arguments.browser is None:
        return () if arguments.no_browser or arguments.paste else None
    if arguments.no_browser:
        raise UsageError("Both --browser and --no-browser are given.", hint="Leave out one.")
    return words.split_command(
        arguments.browser,
        environment,
        windows=os.name == "nt",
        option="--browser",
        form="Give a command that opens a URL, or --no-browser.",
    )


def _optional(parse: Callable[[str], T], text: str | None) -> T | None:
    return None if text is None else parse(text)


def _given(parse: Callable[[str], T], text: str | None, default: T) -> T:
    return default if text is None else parse(text)


def _log_settings(arguments: _Arguments, environment: Mapping[str, str]) -> LogSettings:
    return LogSettings(
        level="DEBUG" if arguments.debug else "" if arguments.silent else "INFO",
        file=_optional_path(arguments.log_file, environment),
    )


def _tls(arguments: _Arguments, environment: Mapping[str, str]) -> tuple[Tls, list[str]]:
    tls = Tls(
        ca_certs=tuple(_path(name, environment) for name in arguments.ca_cert),
        client_cert=_optional_path(arguments.client_cert, environment),
        client_key=_optional_path(arguments.client_key, environment),
    )
    words.check_tls(tls, read_named)
    return words.add_ca_certs(tls, environment, read_named)


def _seconds(text: str | None, option: str, default: float | None) -> float | None:
    return default if text is None else words.parse_seconds(text, option)


def _timeouts(arguments: _Arguments) -> Timeouts:
    return Timeouts(
        connect=_seconds(arguments.connect_timeout, "--connect-timeout", DEFAULT_CONNECT_TIMEOUT),
        headers=_seconds(arguments.headers_timeout, "--headers-timeout", DEFAULT_HEADERS_TIMEOUT),
        body=_seconds(arguments.body_timeout, "--body-timeout", DEFAULT_BODY_TIMEOUT),
        stream=_seconds(arguments.body_timeout, "--body-timeout", None),
    )


def _ping_interval(arguments: _Arguments) -> float | None:
    if arguments.ping_interval is not None:
        return words.parse_interval(arguments.ping_interval, "--ping-interval")
    return DEFAULT_PING_INTERVAL if arguments.keep_alive else None


def _patterns(texts: list[str], option: str) -> tuple[str, ...]:
    if not all(texts):
        raise UsageError(f"{option} is empty.", hint="Give a tool's name, or a pattern with *.")
    return tuple(texts)


def _path(text: str, environment: Mapping[str, str]) -> str:
    return words.expand_path(text, environment)


def _optional_path(text: str | None, environment: Mapping[str, str]) -> str | None:
    return None if text is None else words.expand_path(text, environment)
