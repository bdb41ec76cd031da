"""One call of the program: words in, a command run with its settings, an exit status out.

Every error of the person is one line on stderr, `mcp-remote-py: error: <cause> <hint>`; at a
terminal the hint begins a line. Must not know HTTP, JSON-RPC or the keyring, and imports the
command it starts only when everything is checked: `--help` stays fast.
"""

from __future__ import annotations

import gc
import importlib
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO, cast

from mcp_remote_py import __version__, logs
from mcp_remote_py.cli.arguments import Arguments, parse_arguments
from mcp_remote_py.cli.program import (
    COMMANDS,
    HELP,
    PROGRAM,
    PROXY,
    QUESTIONS,
)
from mcp_remote_py.cli.read import read_settings
from mcp_remote_py.errors import McpRemoteError, UsageError, one_line
from mcp_remote_py.exit_status import (
    DONE_STATUS,
    FAILED_STATUS,
    INTERRUPTED_STATUS,
    WRONG_USAGE_STATUS,
)
from mcp_remote_py.redact import mask_url, scrub_known

if TYPE_CHECKING:
    from mcp_remote_py.cli.read import Settings

FLUSH_SECONDS = 0.5
"""Seconds that the last log lines may hold up the end (promise R7: 2 s for everything)."""

RunCommand = Callable[..., int]
"""Runs a command with its settings, the environment and, unless it relays, a `Console`; returns the
exit status."""

_log = logging.getLogger("mcp_remote_py.cli")


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
    command = _command_in(argv)
    try:
        if not argv and _is_terminal(stdin):
            # Nobody has asked for it: a script that reads stdout is not to take it for an answer.
            _write(stderr, _help(command, stderr, environment))
            return WRONG_USAGE_STATUS
        arguments = _parse(command, argv)
        if text := _text_asked_for(command, argv, arguments, stdout, environment):
            _write(stdout, text)
            return DONE_STATUS
        settings, warnings = read_settings(command, arguments, environment)
        log = logs.configure(settings.log, settings.secrets, stderr)
    except McpRemoteError as error:  # also where a file that the words name cannot be read
        error = _name_entry(error, command, environment)
        _write_error(stderr, error, environment)
        if command == PROXY and stdin is not None and stdout is not None:
            _answer_host(stdin, stdout, error.sentence())
        return WRONG_USAGE_STATUS if isinstance(error, UsageError) else FAILED_STATUS
    _log_start(settings, warnings)
    try:
        run = (load or load_command)(command)
        gc.freeze()
        gc.enable()
        return run(settings, environment, *_talk(command, stdout, stdin, environment))
    except UsageError as error:
        # Where even the log could not be written, nobody reads stderr: a write would not return.
        if log.flush(FLUSH_SECONDS):
            _write_error(stderr, error, environment)
        return WRONG_USAGE_STATUS
    except McpRemoteError as error:
        _log.error("%s", error.sentence())
        return FAILED_STATUS
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except Exception as error:
        _log.exception("Internal error (%s: %s). Please report it.", type(error).__name__, error)
        return FAILED_STATUS
    finally:
        log.flush(FLUSH_SECONDS)
        log.close()


def _command_in(argv: Sequence[str]) -> str:
    first = argv[0] if argv else ""
    return first if first in QUESTIONS or first in COMMANDS else PROXY


def _parse(command: str, argv: Sequence[str]) -> Arguments:
    """The arguments, `--help` for `help` where that cannot be the name of an entry."""
    if command in QUESTIONS:
        return Arguments({})
    if command == PROXY:
        return parse_arguments(command, argv)
    takes_any_name = COMMANDS[command].takes_name and not COMMANDS[command].needs_url
    is_asked = list(argv[1:]) == [HELP] and not takes_any_name
    return parse_arguments(command, ("--help",) if is_asked else argv[1:])


def _text_asked_for(
    command: str,
    argv: Sequence[str],
    arguments: Arguments,
    stdout: TextIO | None,
    environment: Mapping[str, str],
) -> str:
    """What a question about the program is answered with; empty where there is none."""
    if command in QUESTIONS:
        from mcp_remote_py.cli.questions import answer_question

        return answer_question(command, argv[1:], *_page_of(stdout, environment))
    if arguments.has("--help") or arguments.has("--help-all"):
        return _help(command, stdout, environment, is_whole=arguments.has("--help-all"))
    return f"{PROGRAM} {__version__}\n" if arguments.has("--version") else ""


def _help(
    command: str, stream: TextIO | None, environment: Mapping[str, str], *, is_whole: bool = False
) -> str:
    from mcp_remote_py.cli.help import render_help

    return render_help(command, *_page_of(stream, environment), is_whole=is_whole)


def _page_of(
    stream: TextIO | None, environment: Mapping[str, str]
) -> tuple[int, Callable[[str], str]]:
    """The width of the page that is written there, and what makes a heading in it."""
    from mcp_remote_py.cli.streams import build_console
    from mcp_remote_py.console import Style

    console = build_console(lambda _: None, None, stream, environment)
    return console.width, lambda text: console.paint(text, Style.STRONG)


def _talk(
    command: str, stdout: TextIO | None, stdin: TextIO | None, environment: Mapping[str, str]
) -> tuple[object, ...]:
    """The `Console` of a command that talks to a person, nothing for the relay."""
    if command == PROXY:
        return ()
    from mcp_remote_py.cli.streams import build_console

    return (build_console(lambda text: _write(stdout, text), stdin, stdout, environment),)


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


def _answer_host(stdin: TextIO, stdout: TextIO, sentence: str) -> None:
    """The host that waits for a relay hears why there is none."""
    from mcp_remote_py.commands.refused_start import answer_first_request

    answer_first_request(stdin, stdout, sentence)


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether a person is at the other end."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def _name_entry(
    error: McpRemoteError, command: str, environment: Mapping[str, str]
) -> McpRemoteError:
    name = getattr(error, "name", "")
    if not name or not isinstance(error, UsageError):
        return error
    from mcp_remote_py.cli.named_entry import name_entry

    return name_entry(error, command, name, environment)


def _write_error(
    stderr: TextIO | None, error: McpRemoteError, environment: Mapping[str, str]
) -> None:
    """On one line, for a log; for a person cause and next step, each in lines of the terminal."""
    lines = [f"{PROGRAM}: error: {scrub_known(error.sentence())}"]
    if _is_terminal(stderr):
        from mcp_remote_py.cli.streams import width_of
        from mcp_remote_py.console import wrap_text

        width = width_of(stderr, environment)
        parts = (f"{PROGRAM}: error: {error.cause}", error.hint)
        lines = [line for part in parts for line in wrap_text(scrub_known(one_line(part)), width)]
    _write(stderr, "".join(f"{line}\n" for line in lines))


def _write(stream: TextIO | None, text: str) -> None:
    """Writes `text` where someone may read it: a closed stream is not a reason to fail.

    Windows' encoding of a pipe has a few hundred characters: others are written by their numbers.
    """
    if stream is None:
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        return
