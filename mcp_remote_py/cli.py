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
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn, TextIO, cast

from mcp_remote_py import __version__, logs
from mcp_remote_py import settings as words
from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.redact import mask_url, remember, scrub_known
from mcp_remote_py.settings import (
    DEFAULT_BODY_TIMEOUT,
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_HEADERS_TIMEOUT,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_PING_INTERVAL,
    HeaderSources,
    LogSettings,
    ProxySettings,
    Timeouts,
    Tls,
    ToolRules,
    TransportStrategy,
)

PROGRAM = "mcp-remote-py"
DONE, FAILED, WRONG_USAGE, SIGN_IN_NEEDED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses; the last is 128 + SIGINT, as shells count."""
FLUSH_SECONDS = 0.5
"""How long the last log lines may hold up the end (promise R7: 2 s for everything)."""
HELP_WIDTH = 100
"""Columns. Given, because argparse would import shutil at every start to find out."""

RunCommand = Callable[[ProxySettings, Mapping[str, str]], int]
"""Runs a command with its settings and the environment; returns the exit status."""

_log = logging.getLogger(__name__)


class Option(NamedTuple):
    """One option: the help, the parser and the README's table are made from it."""

    name: str
    value: str
    """Placeholder for the value; empty for a switch."""
    help: str
    group: str
    repeatable: bool = False


_HEADERS, _CONNECTION, _TOOLS, _LOGS, _OTHER = "Headers", "Connection", "Tools", "Logs", "Other"

OPTIONS = (
    Option(
        "--header",
        "HEADER",
        'Header for every request, as "Name: value" or "Name:value"; ${NAME} is replaced by that'
        " environment variable.",
        _HEADERS,
        repeatable=True,
    ),
    Option(
        "--header-file",
        "FILE",
        "File with one header a line, # for comments; keeps a token out of the process list.",
        _HEADERS,
        repeatable=True,
    ),
    Option(
        "--header-command",
        "COMMAND",
        "Command, run without a shell, that prints one header a line; run again when the server"
        " answers 401.",
        _HEADERS,
        repeatable=True,
    ),
    Option(
        "--transport",
        "STRATEGY",
        "Which transports are tried, in which order: "
        f"{', '.join(strategy.value for strategy in TransportStrategy)} "
        f"(default {TransportStrategy.HTTP_FIRST.value}).",
        _CONNECTION,
    ),
    Option(
        "--allow-http",
        "",
        "Allow plain http to other machines; http to this one is always allowed.",
        _CONNECTION,
    ),
    Option(
        "--connect-timeout",
        "SECONDS",
        f"Longest time for connecting (default {DEFAULT_CONNECT_TIMEOUT:g}; 0 is no limit).",
        _CONNECTION,
    ),
    Option(
        "--headers-timeout",
        "SECONDS",
        "Longest wait for the headers of an answer"
        f" (default {DEFAULT_HEADERS_TIMEOUT:g}; 0 is no limit).",
        _CONNECTION,
    ),
    Option(
        "--body-timeout",
        "SECONDS",
        f"Longest gap inside an answer (default {DEFAULT_BODY_TIMEOUT:g}, for event streams no"
        " limit; 0 is no limit).",
        _CONNECTION,
    ),
    Option(
        "--keep-alive",
        "",
        f"Send a ping every {DEFAULT_PING_INTERVAL:g} seconds, so that nothing between here and"
        " the server drops a quiet session.",
        _CONNECTION,
    ),
    Option(
        "--ping-interval", "SECONDS", "Seconds between those pings; turns them on.", _CONNECTION
    ),
    Option(
        "--forward-ping",
        "",
        "Forward every ping of the host; else one is answered here while the server was heard"
        " from lately.",
        _CONNECTION,
    ),
    Option("--ipv4", "", "Connect over IPv4 only.", _CONNECTION),
    Option("--disable-cookies", "", "Neither keep nor send cookies.", _CONNECTION),
    Option(
        "--enable-proxy",
        "",
        "Accepted for mcp-remote's sake: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are"
        " always used.",
        _CONNECTION,
    ),
    Option(
        "--ca-cert",
        "FILE",
        "PEM file with certificate authorities to trust beside the system's (also SSL_CERT_FILE).",
        _CONNECTION,
        repeatable=True,
    ),
    Option("--client-cert", "FILE", "PEM file with a client certificate.", _CONNECTION),
    Option(
        "--client-key",
        "FILE",
        "PEM file with its private key, where that is not in the same file.",
        _CONNECTION,
    ),
    Option(
        "--max-message-size",
        "SIZE",
        "Largest message in either direction, such as 50MB or 1GiB (default"
        f" {DEFAULT_MAX_MESSAGE_SIZE // 1024**2}MiB).",
        _CONNECTION,
    ),
    Option(
        "--allow-tool",
        "PATTERN",
        "Show only tools of that name to the host; * stands for any characters.",
        _TOOLS,
        repeatable=True,
    ),
    Option(
        "--ignore-tool",
        "PATTERN",
        "Hide tools of that name from the host and refuse calls of them; * stands for any"
        " characters.",
        _TOOLS,
        repeatable=True,
    ),
    Option("--read-only", "", "Show only tools the server marks as read-only.", _TOOLS),
    Option("--debug", "", "Log in detail; never the value of a header.", _LOGS),
    Option("--silent", "", "Log nothing on stderr, unless --debug is given.", _LOGS),
    Option(
        "--log-file", "FILE", "Log into that file too, with times; only you can read it.", _LOGS
    ),
    Option("--version", "", "Print the version and end.", _OTHER),
    Option("--help", "", "Print this help and end (also -h).", _OTHER),
)


def main(
    argv: Sequence[str],
    environment: Mapping[str, str],
    stdout: TextIO | None,
    stderr: TextIO | None,
    load: Callable[[str], RunCommand] | None = None,
) -> int:
    """Runs the command that `argv` (without the program's name) asks for; its exit status.

    `load` gives the function of a command by its name. Raises nothing: a person's mistake is a
    line and a status, and so is a fault of the command.
    """
    try:
        arguments = _parse(argv)
        if arguments.help:
            _write(stdout, _build_parser().format_help())
            return DONE
        if arguments.version:
            _write(stdout, f"{PROGRAM} {__version__}\n")
            return DONE
        settings, warnings = _read_settings(arguments, environment)
        log = logs.configure(settings.log, words.secrets_of(settings), stderr)
    except UsageError as error:
        _write_error(stderr, error.sentence())
        return WRONG_USAGE
    _log.debug(
        "%s %s on Python %s, %s, for %s",
        PROGRAM,
        __version__,
        sys.version.partition(" ")[0],
        sys.platform,
        mask_url(str(settings.server)),
    )
    for warning in warnings:
        _log.warning("%s", warning)
    try:
        return (load or load_command)("proxy")(settings, environment)
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


def load_command(name: str) -> RunCommand:
    """The function of the command `name`, imported now."""
    module = importlib.import_module(f"mcp_remote_py.commands.{name}")
    return cast("RunCommand", getattr(module, f"run_{name}"))


def render_option_table() -> str:
    """The options as a Markdown table, for the README."""
    rows = ["| Option | Meaning |", "|---|---|"]
    for option in OPTIONS:
        usage = f"{option.name} {option.value}".strip()
        meaning = option.help + (" Can be repeated." if option.repeatable else "")
        rows.append(f"| `{usage}` | {_escape_markdown(meaning)} |")
    return "\n".join(rows) + "\n"


def _escape_markdown(text: str) -> str:
    return re.sub(r"([*|<>\\])", r"\\\1", text)


def _write_error(stderr: TextIO | None, sentence: str) -> None:
    _write(stderr, f"{PROGRAM}: error: {scrub_known(sentence)}\n")


def _write(stream: TextIO | None, text: str) -> None:
    """Writes `text` where someone may read it: a closed stream is no reason to fail."""
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
        if any(option == known.name and not known.value for known in OPTIONS):
            raise UsageError(f"{option} takes no value.", hint=f"Write {option} alone.")
        raise UsageError(
            f"{option} needs a value.", hint="Give it as the next argument, or behind a =."
        )


class _Arguments(argparse.Namespace):
    """What argparse found, before it means anything; switches are booleans."""

    words: list[str]
    header: list[str]
    header_file: list[str]
    header_command: list[str]
    ca_cert: list[str]
    allow_tool: list[str]
    ignore_tool: list[str]
    transport: str | None
    connect_timeout: str | None
    headers_timeout: str | None
    body_timeout: str | None
    ping_interval: str | None
    client_cert: str | None
    client_key: str | None
    max_message_size: str | None
    log_file: str | None
    allow_http: bool
    keep_alive: bool
    forward_ping: bool
    ipv4: bool
    disable_cookies: bool
    enable_proxy: bool
    read_only: bool
    debug: bool
    silent: bool
    version: bool
    help: bool


def _build_parser() -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} URL [options]",
        description="Lets an MCP host that speaks stdio only use the MCP server at URL.",
        epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 3 sign-in needed, 130 interrupted.",
        allow_abbrev=False,
        add_help=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=HELP_WIDTH),
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="URL",
        help="Address of the server in full, https://...; ${NAME} is replaced here too.",
    )
    names = dict.fromkeys(option.group for option in OPTIONS)
    groups = {name: parser.add_argument_group(name) for name in names}
    for option in OPTIONS:
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


def _parse(argv: Sequence[str]) -> _Arguments:
    """The arguments, with exactly one word, the URL.

    Raises:
        UsageError: an unknown option, a missing or superfluous word, a header torn in two.
    """
    arguments, rest = _build_parser().parse_known_args(argv, _Arguments())
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
    if superfluous or unknown:
        torn = next(filter(_is_torn, arguments.header), None)
        pieces = [word for word in superfluous if not word.isdigit()]
        if torn is not None or (arguments.header and pieces and not unknown):
            _refuse_torn_header(torn or arguments.header[-1])
    if unknown:
        _refuse_unknown_option(unknown[0])
    if any(_is_torn(word) for word in found):
        _refuse_torn_header(next(filter(_is_torn, found)))
    if superfluous:
        raise UsageError(
            f"{len(found)} arguments are given where only the server URL belongs.",
            hint="Quote values that contain blanks; options begin with --.",
        )
    if url is None:
        raise UsageError(
            "No server URL is given.", hint=f"Usage: {PROGRAM} https://example.com/mcp [options]"
        )
    arguments.words = [url]
    return arguments


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


def _refuse_unknown_option(word: str) -> NoReturn:
    name = word.partition("=")[0]
    if not re.fullmatch(r"--?[a-z][a-z0-9-]{0,31}", name):
        raise UsageError("There is an unknown option.", hint=f"{PROGRAM} --help lists the options.")
    import difflib

    close = difflib.get_close_matches(name, [option.name for option in OPTIONS], 1, 0.75)
    meant = f"Did you mean {close[0]}?" if close else f"{PROGRAM} --help lists the options."
    raise UsageError(f"There is no option {name}.", hint=meant)


# Settings ------------------------------------------------------------------------------------


def _read_settings(
    arguments: _Arguments, environment: Mapping[str, str]
) -> tuple[ProxySettings, list[str]]:
    """The settings, everything they name checked, and what to warn of.

    Raises:
        UsageError: anything is wrong.
    """
    server = words.parse_server_url(
        words.expand_environment(arguments.words[0], environment), arguments.allow_http
    )
    files = tuple(_path(name, environment) for name in arguments.header_file)
    for name in files:
        if os.path.exists(name) and not os.path.isfile(name):
            raise UsageError(
                f"--header-file: {name} is no regular file.",
                hint="It is read again after a 401; for anything else use --header-command.",
            )
        text = words.read_text(name, "--header-file", _read_file)
        headers = words.parse_header_lines(text, environment, f"--header-file {name}")
        remember(header.value for header in headers)
    tls = Tls(
        ca_certs=tuple(_path(name, environment) for name in arguments.ca_cert),
        client_cert=_optional_path(arguments.client_cert, environment),
        client_key=_optional_path(arguments.client_key, environment),
    )
    words.check_tls(tls, _read_file)
    tls, warnings = words.add_ca_certs(tls, environment, _read_file)
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
        tools=ToolRules(
            allow=_patterns(arguments.allow_tool, "--allow-tool"),
            ignore=_patterns(arguments.ignore_tool, "--ignore-tool"),
            read_only=arguments.read_only,
        ),
        timeouts=_timeouts(arguments),
        tls=tls,
        http_proxy=words.choose_http_proxy(server, environment),
        ping_interval=_ping_interval(arguments),
        forward_ping=arguments.forward_ping,
        ipv4=arguments.ipv4,
        cookies=not arguments.disable_cookies,
        max_message_size=(
            DEFAULT_MAX_MESSAGE_SIZE
            if arguments.max_message_size is None
            else words.parse_size(arguments.max_message_size, "--max-message-size")
        ),
        log=LogSettings(
            level="DEBUG" if arguments.debug else "" if arguments.silent else "INFO",
            file=_optional_path(arguments.log_file, environment),
        ),
    )
    return settings, warnings


def _timeouts(arguments: _Arguments) -> Timeouts:
    def seconds(text: str | None, option: str, default: float | None) -> float | None:
        return default if text is None else words.parse_seconds(text, option)

    return Timeouts(
        connect=seconds(arguments.connect_timeout, "--connect-timeout", DEFAULT_CONNECT_TIMEOUT),
        headers=seconds(arguments.headers_timeout, "--headers-timeout", DEFAULT_HEADERS_TIMEOUT),
        body=seconds(arguments.body_timeout, "--body-timeout", DEFAULT_BODY_TIMEOUT),
        stream=seconds(arguments.body_timeout, "--body-timeout", None),
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


def _read_file(path: str) -> str:
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()
