"""What an entry in a host's configuration is: one of ours, of npm's mcp-remote, or another one.

Must not know hosts, nor what an option means.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple, cast

from mcp_remote_py.hosts.wrappers import program_name, unwrap
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.words import take_off_wrapping


class EntryKind(Enum):
    """What an entry starts, in words for a person."""

    OURS = "starts mcp-remote-py"
    NPM = "starts npm's mcp-remote"
    NATIVE = "lets the host reach a remote server by itself"
    OTHER = "starts another program"


class FoundEntry(NamedTuple):
    """An entry that somebody has written."""

    kind: EntryKind
    words: tuple[str, ...] = ()
    """The arguments behind the program's name."""
    variables: Mapping[str, Secret] = {}
    """Its environment."""
    url: str = ""
    """The server's address, as it is written there; "" where there is none."""
    headers: Mapping[str, Secret] = {}
    """Those that the host itself is to send there."""


_RUNNERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "npx": ((),),
    "bunx": ((),),
    "pnpx": ((),),
    "bun": (("x",),),
    "pnpm": (("dlx",), ("exec",)),
    "yarn": (("dlx",),),
    "npm": (("exec",), ("x",)),
    "uvx": ((),),
    "uv": (("tool", "run"), ("x",), ("run",)),
    "pipx": (("run",),),
}
"""Programs that fetch another one and start it, with the words that make them do that."""

_WITH_VALUE = frozenset(
    {
        *("--from", "--with", "--spec", "--python", "-p", "--package", "--index", "--index-url"),
        *("--default-index", "--directory", "--project", "--with-editable", "--registry"),
        *("--cache-dir", "--extra-index-url", "--refresh-package", "--prefix", "-i", "-w"),
    }
)
"""Their options that have a word behind them."""

_OURS = lazy_pattern(r"mcp[-_]remote[-_]py(?:\[[a-z,]+\])?(?:[@=]=?.*)?", re.IGNORECASE)
_NPM = lazy_pattern(r"mcp-remote(?:@.*)?", re.IGNORECASE)
_NPM_FILE = lazy_pattern(r".*[/\\]mcp-remote[/\\]dist[/\\](?:proxy|cli)\.[cm]?js", re.IGNORECASE)
_VARIABLE = lazy_pattern(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PYTHON = lazy_pattern(r"(?:python[0-9.]*|py)", re.IGNORECASE)


def read_entry(members: object) -> FoundEntry:
    """What the entry is; whatever it is made of, nothing is raised."""
    about = _started_by(members)
    words = _words_of(about)
    variables = _variables_of(about)
    if not words:
        for name in ("url", "serverUrl", "httpUrl"):
            url = about.get(name)
            if isinstance(url, str) and url:
                return FoundEntry(EntryKind.NATIVE, (), variables, url, _headers_of(about))
        return FoundEntry(EntryKind.OTHER, (), variables)
    return _read_words(words, variables)


def is_one_line(members: object) -> bool:
    """Whether the command holds a whole line, which most hosts take for the name of a program."""
    words = _words_of(_started_by(members))
    if not words or _read_starts(words, {}).kind is not EntryKind.OTHER:
        return False
    return _read_starts(_split_line(words), {}).kind is not EntryKind.OTHER


def find_command(members: object) -> str:
    """The program that the entry names, as it stands there; "" where it names none."""
    return next(iter(_words_of(_started_by(members))), "")


def find_runner(members: object) -> str:
    """Where the package of the program is fetched from: "npm", "PyPI", or "" for nowhere."""
    words = _words_of(_started_by(members))
    programs = [program_name(start.words[0]) for start in unwrap(words)] if words else []
    program = next((one for one in programs if one in _RUNNERS), "")
    if not program:
        return ""
    return "PyPI" if program in ("uvx", "uv", "pipx") else "npm"


def find_switch(members: object) -> str:
    """The member that switches the entry off, as it stands there; "" where it is on."""
    about = dict(_started_by(members))
    if isinstance(members, Mapping):
        about = {**cast("Mapping[str, object]", members), **about}
    if about.get("disabled") is True:
        return '"disabled": true'
    return '"enabled": false' if about.get("enabled") is False else ""


def _started_by(members: object) -> Mapping[str, object]:
    """Those members that say what is started; none of what is not an object."""
    if not isinstance(members, Mapping):
        return {}
    about = cast("Mapping[str, object]", members)
    inner = about.get("transport")  # as `cline mcp add` writes it
    return cast("Mapping[str, object]", inner) if isinstance(inner, Mapping) else about


def _read_words(words: list[str], variables: Mapping[str, Secret]) -> FoundEntry:
    found = _read_starts(words, variables)
    if found.kind is EntryKind.OTHER:
        line = _read_starts(_split_line(words), variables)
        return found if line.kind is EntryKind.OTHER else line
    return found


def _read_starts(words: list[str], variables: Mapping[str, Secret]) -> FoundEntry:
    """The first program that is one of ours, or the one that stands there."""
    for start in unwrap(words):
        kind, rest = _find_program(list(start.words))
        if kind is not EntryKind.OTHER:
            all_set = {**variables, **{name: Secret(value) for name, value in start.variables}}
            return FoundEntry(kind, tuple(rest), all_set, _find_url(rest, all_set))
    kind, rest = _find_program(words)
    return FoundEntry(kind, tuple(rest), variables, _find_url(rest, variables))


def _split_line(words: list[str]) -> list[str]:
    """The words, where the first one holds a whole line."""
    if not any(letter.isspace() for letter in words[0].strip()):
        return words
    try:
        return [*shlex.split(words[0], posix="\\" not in words[0]), *words[1:]]
    except ValueError:
        return words


def _find_url(words: list[str], variables: Mapping[str, Secret]) -> str:
    """The address among the words, with its variables filled in; "" where there is none."""
    for word in words:
        filled = _VARIABLE.sub(
            lambda match: variables[match[1]].reveal() if match[1] in variables else match[0], word
        )
        if "://" in filled:
            return take_off_wrapping(filled)
    return ""


def _words_of(about: Mapping[str, object]) -> list[str]:
    command = about.get("command")
    arguments = about.get("args")
    if isinstance(command, Mapping):  # as Zed once had it
        nested = cast("Mapping[str, object]", command)
        command, arguments = nested.get("path"), nested.get("args")
    if isinstance(command, list):  # as OpenCode has it
        return _texts(cast("list[object]", command))
    if not isinstance(command, str) or not command.strip():
        return []
    listed = cast("list[object]", arguments) if isinstance(arguments, list) else []
    return [command, *_texts(listed)]


def _texts(values: list[object]) -> list[str]:
    return [value if isinstance(value, str) else str(value) for value in values]


def _variables_of(about: Mapping[str, object]) -> dict[str, Secret]:
    for name in ("env", "environment"):
        found = about.get(name)
        if isinstance(found, Mapping):
            pairs = cast("Mapping[object, object]", found).items()
            return {str(key): Secret(str(value)) for key, value in pairs}
    return {}


def _headers_of(about: Mapping[str, object]) -> dict[str, Secret]:
    """The headers of an entry, as hosts write them; the last two are Codex's."""
    found: dict[str, str] = {}
    for name in ("headers", "http_headers", "env_http_headers"):
        members = about.get(name)
        if isinstance(members, Mapping):
            pairs = cast("Mapping[object, object]", members).items()
            form = "${%s}" if name.startswith("env_") else "%s"
            found |= {str(key): form % value for key, value in pairs}
    if isinstance(variable := about.get("bearer_token_env_var"), str):
        found["Authorization"] = f"Bearer ${{{variable}}}"
    return {name: Secret(value) for name, value in found.items()}


def _find_program(words: list[str]) -> tuple[EntryKind, list[str]]:
    """What is started, and the words behind it."""
    program = program_name(words[0])
    if program in _RUNNERS:
        behind = _pass_runner(words[1:], _RUNNERS[program])
        return _judge(behind) if behind else (EntryKind.OTHER, [])
    if _PYTHON.fullmatch(program) and words[1:2] == ["-m"]:
        return _judge(words[2:])
    if program == "node":
        files = [at for at, word in enumerate(words[1:], 1) if not word.startswith("-")]
        return _judge(words[files[0] :]) if files else (EntryKind.OTHER, [])
    return _judge(words)


def _pass_runner(words: list[str], ways: tuple[tuple[str, ...], ...]) -> list[str]:
    """What the runner is to start, [] where that is not seen."""
    rest = _pass_options(words)
    way = next((one for one in ways if tuple(rest[: len(one)]) == one), None)
    return [] if way is None else _pass_options(rest[len(way) :])


def _pass_options(words: list[str]) -> list[str]:
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if option in _WITH_VALUE and rest:
            rest.pop(0)
    return rest


def _judge(words: list[str]) -> tuple[EntryKind, list[str]]:
    if not words:
        return EntryKind.OTHER, []
    name = program_name(words[0])
    if _OURS.fullmatch(name):
        return EntryKind.OURS, words[1:]
    if _NPM.fullmatch(name) or _NPM_FILE.fullmatch(words[0]):
        return EntryKind.NPM, words[1:]
    return EntryKind.OTHER, words[1:]
