"""The entry that makes a host start us for a server: command, arguments and environment.

Secrets never are arguments, which every program on the machine can read: they go into the entry's
environment, under a name that the argument refers to, or into a file that only its owner can read.
Must not know what is on this machine, nor how a file is edited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from mcp_remote_py.errors import UsageError
from mcp_remote_py.hosts.catalogue import KNOWN_HOSTS, KnownHost
from mcp_remote_py.hosts.entry_words import EntryWord
from mcp_remote_py.hosts.inputs import HostInput, name_input
from mcp_remote_py.hosts.launch import Launch
from mcp_remote_py.json_text import UNREADABLE, bounded
from mcp_remote_py.key_shapes import may_be_key
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret, secrets_in_url
from mcp_remote_py.settings.words import expand_environment, expand_path

HEADER_LINES, CLIENT_JSON = "headers", "json"
"""Endings of the files that secrets are put into."""

PUBLIC_MEMBERS = frozenset(
    {
        *("client_id", "issuer", "redirect_uris", "grant_types", "response_types", "scope"),
        *("token_endpoint_auth_method", "application_type", "client_name", "client_uri"),
        *("logo_uri", "tos_uri", "policy_uri", "contacts", "jwks_uri", "software_id"),
        *("software_version", "dpop_bound_access_tokens", "id_token_signed_response_alg"),
    }
)
"""Members of a client (RFC 7591 §2 and §3.2.1) that are not secret; any other one may be."""

_decode_client = bounded(msgspec.json.Decoder(dict[str, object]).decode)

_VARIABLE = lazy_pattern(r"\$\{([^{}]+)\}")
_ONE_VARIABLE = lazy_pattern(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")
_SCHEME = lazy_pattern(r"[A-Za-z]{1,10}")
"""The word before a credential (RFC 9110 §11.4), such as Bearer."""
_TAKEN = frozenset({"MCP_REMOTE_CONFIG_DIR"})
"""A variable with a meaning of its own."""


class Wish(NamedTuple):
    """What a person wants an entry to be."""

    name: str
    words: Sequence[EntryWord]
    environment: Mapping[str, str]
    """Where the variables have their values that words refer to."""
    kept: Mapping[str, str] = {}
    """Variables that the entry has in any case."""
    in_files: bool = False
    """Whether secrets go into files."""
    asks: bool = False
    """Whether the host is to ask for secrets: they are written nowhere."""
    hidden: Sequence[str] = ()
    """Variables among `kept` that are secret, too."""


class PlannedEntry(NamedTuple):
    """An entry, and what goes with it."""

    entry: dict[str, object]
    secrets: tuple[Secret, ...]
    """Values in it that are secret, or may be."""
    secret_variables: tuple[str, ...]
    """The names under which its environment has some."""
    files: Mapping[str, str]
    """By their paths, what only the person may read."""
    warnings: tuple[str, ...]
    words: list[str]
    """The arguments."""
    variables: dict[str, str]
    """The environment."""
    inputs: tuple[HostInput, ...] = ()
    """What the host is to ask for."""


def plan_entry(
    host: KnownHost,
    launch: Launch,
    wish: Wish,
    absolute: Callable[[str], str],
    file_for: Callable[[str], str],
) -> PlannedEntry:
    """The entry for that host.

    `absolute` makes a full path of one that a person wrote; `file_for` gives the path of a file
    with that ending for secrets of this entry.

    Raises:
        UsageError: a variable is not set, or the host cannot ask for secrets.
    """
    if wish.asks:
        check_asks(host)
    plan = _Plan(host, wish, absolute, file_for)
    arguments = [*launch.arguments, *plan.write_words()]
    plan.ask_for_hidden()
    if host.splits_arguments:
        plan.warn_of_blanks([launch.command, *arguments])
    entry: dict[str, object] = {}
    if "type" in host.members:
        entry["type"] = host.members["type"]
    if host.is_one_list:
        entry["command"] = [launch.command, *arguments]
    else:
        entry |= {"command": launch.command, "args": arguments}
    if plan.variables:
        entry[host.variables_member] = plan.variables
    entry |= {name: value for name, value in host.members.items() if name != "type"}
    warnings = (launch.warning, *plan.warnings) if launch.warning else tuple(plan.warnings)
    return PlannedEntry(
        entry,
        tuple(plan.secrets),
        tuple(plan.secret_variables),
        plan.files,
        warnings,
        arguments,
        plan.variables,
        tuple(plan.inputs),
    )


class _Plan:
    """An entry in the making."""

    def __init__(
        self,
        host: KnownHost,
        wish: Wish,
        absolute: Callable[[str], str],
        file_for: Callable[[str], str],
    ) -> None:
        self._host = host
        self._wish = wish
        self._absolute = absolute
        self._file_for = file_for
        self._lines: list[str] = []
        self._inlined: list[str] = []
        """Variables whose values are a part of another one now."""
        self.variables = dict(wish.kept)
        self.inputs: list[HostInput] = []
        self._values = dict(wish.kept)
        """Of `variables`, also where the host is to ask for one."""
        self.secret_variables: list[str] = []
        self.secrets: list[Secret] = []
        self.files: dict[str, str] = {}
        self.warnings: list[str] = []

    def write_words(self) -> list[str]:
        """The arguments behind our name."""
        written: list[str] = []
        at = -1
        for word in self._wish.words:
            argument = self._write(word)
            if argument is None:
                at = len(written) if at < 0 else at
                continue
            written += word.write(argument)
        if self._lines:
            path = self._file_for(HEADER_LINES)
            self.files[path] = "".join(f"{line}\n" for line in self._lines)
            written[at:at] = ["--header-file", path]
        self._drop_inlined(written)
        return written

    def _drop_inlined(self, written: Sequence[str]) -> None:
        """What nothing refers to any more goes: a value that is there twice is changed once."""
        for name in self._inlined:
            if not any(f"${{{name}}}" in word for word in written):
                self.variables.pop(name, None)

    def _write(self, word: EntryWord) -> str | None:
        """The argument, None where it is in a file now."""
        match word.placeholder:
            case "HEADER":
                return self._write_header(word.value)
            case "JSON":
                return self._write_json(word.value)
            case "FILE":
                return self._absolute(expand_path(word.value, self._wish.environment))
            case "COMMAND":
                return self._write_command(word.value)
            case "URL" | "URI" if not word.option:
                return self._write_url(word.value)
            case "URL" | "URI":
                if secrets_in_url(word.value):
                    self.warnings.append(
                        f"{word.option} has a part that may be secret. It stays among the"
                        " arguments, which other programs on this machine can read."
                    )
                return word.value
            case _:
                return word.value

    def _write_header(self, text: str) -> str | None:
        name, _, value = text.partition(":")
        name = self._expand(name).strip(" \t")
        value = value.strip(" \t")
        expanded = self._expand(value)
        self.secrets.append(Secret(expanded))
        if self._wish.in_files and "${" not in expanded:
            self._inlined += _VARIABLE.findall(value)
            self._lines.append(f"{name}: {expanded}")
            return None
        if one := _ONE_VARIABLE.fullmatch(value):
            return f"{name}:{self._put(one[1], expanded, f'header {name}')}"
        self._inlined += _VARIABLE.findall(value)
        return f"{name}:{self._put_new(name, expanded, f'header {name}')}"

    def _write_json(self, text: str) -> str:
        if text.startswith("@"):
            return f"@{self._absolute(expand_path(text[1:], self._wish.environment))}"
        try:
            members = _decode_client(text.encode())
        except UNREADABLE:
            return text
        hidden = {
            name: self._expand(value)
            for name, value in members.items()
            if isinstance(value, str) and (name not in PUBLIC_MEMBERS or "${" in value)
        }
        self.secrets += [
            Secret(value) for name, value in hidden.items() if name not in PUBLIC_MEMBERS
        ]
        if hidden and self._wish.in_files and not any("${" in one for one in hidden.values()):
            path = self._file_for(CLIENT_JSON)
            self.files[path] = msgspec.json.encode({**members, **hidden}).decode() + "\n"
            return f"@{path}"
        for name, value in members.items():
            if not isinstance(value, str):
                continue
            if _ONE_VARIABLE.fullmatch(value):
                self._put_plain(value, is_secret=name not in PUBLIC_MEMBERS)
            elif name in hidden:
                members[name] = self._put_new(name, self._expand(value), f"{name} of the client")
            elif self._host.splits_arguments and " " in value:  # as scopes have it: no secret
                variable = self._find_new_name(name, value)
                self._values[variable] = self.variables[variable] = value
                members[name] = f"${{{variable}}}"
        return msgspec.json.encode(members).decode()

    def _write_url(self, text: str) -> str:
        self._put_plain(text)
        found = [one.reveal() for one in secrets_in_url(text)]
        for part in sorted(set(found), key=len, reverse=True):
            if part in text and not _VARIABLE.search(part):
                text = text.replace(part, self._put_new("URL_KEY", part, "key in the address"))
        return text

    def _write_command(self, text: str) -> str:
        self._put_plain(text)
        for part in re.split(r"[\s'\"=]+", text):
            if "/" not in part and "\\" not in part and "$" not in part and may_be_key(part):
                text = text.replace(part, self._put_new("COMMAND_KEY", part, "key in a command"))
        return text

    def _expand(self, text: str) -> str:
        return expand_environment(text, self._wish.environment)

    def _put(self, name: str, value: str, about: str = "") -> str:
        """Puts a variable into the entry, under the name a person gave it.

        `about` says what its value is, to whoever is asked for it.
        """
        self._values[name] = value
        self.variables[name] = self._ask(name, value, about) if self._wish.asks else value
        if name not in self.secret_variables:
            self.secret_variables.append(name)
        self.secrets.append(Secret(value))
        return f"${{{name}}}"

    def _put_plain(self, text: str, *, is_secret: bool = False) -> None:
        """Puts the variables that `text` refers to into the entry; some may not be secret."""
        for name in _VARIABLE.findall(text):
            value = self._expand(f"${{{name}}}")
            if is_secret or may_be_key(value):
                self._put(name, value)
            else:
                self._values[name] = self.variables[name] = value

    def ask_for_hidden(self) -> None:
        """Has the host ask for what is secret in the environment that the entry needs."""
        for name in self._wish.hidden if self._wish.asks else ():
            if name in self.variables and name not in self.secret_variables:
                self._put(name, self.variables[name])

    def _ask(self, name: str, value: str, about: str) -> str:
        """What stands in the entry for a value that the host asks for; a scheme word stays."""
        if "${" in value:  # the host fills it in already
            return value
        scheme, blank, secret = value.partition(" ")
        has_scheme = bool(blank and secret) and _SCHEME.fullmatch(scheme) is not None
        said = f"{self._wish.name}: {about or name}"
        said += f", what stands behind {scheme}" if has_scheme else ""
        asked = name_input(self._wish.name, name, said)
        if all(one.id != asked.id for one in self.inputs):
            self.inputs.append(asked)
        return f"{scheme} {asked.reference}" if has_scheme else asked.reference

    def _put_new(self, what: str, value: str, about: str) -> str:
        """The same, under a name of ours."""
        return self._put(self._find_new_name(what, value), value, about)

    def _find_new_name(self, what: str, value: str) -> str:
        """A name for a variable, which no other one has."""
        parts = ("MCP_REMOTE", self._wish.name, what)
        stem = "_".join(filter(None, (_to_variable(part) for part in parts)))
        name, number = stem, 1
        while name in _TAKEN or self._values.get(name, value) != value:
            number += 1
            name = f"{stem}_{number}"
        return name

    def warn_of_blanks(self, words: Iterable[str]) -> None:
        """Says which words a host tears apart that splits them at blanks."""
        torn = [word for word in words if " " in word]
        if torn:
            self.warnings.append(
                f"{self._host.title} may tear {len(torn)} of the words apart, which have blanks in"
                " them. If the server does not start, move what they name to a path without"
                " blanks."
            )


def _to_variable(text: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")


def check_asks(host: KnownHost) -> None:
    """Whether the host can ask a person for secrets, and keep them.

    Raises:
        UsageError: it cannot, or no source says that it can.
    """
    if host.inputs:
        return
    able = ", ".join(one.title for one in KNOWN_HOSTS if one.inputs)
    raise UsageError(
        f"{host.title} cannot ask for secrets and keep them itself. Nothing was changed.",
        hint=f"--secrets ask is for {able}. Use --secrets file here, which puts them into a file"
        " that only you can read.",
    )


def check_name(host: KnownHost, name: str) -> None:
    """Whether the host can use a name for a new entry.

    Raises:
        UsageError: it cannot, or no source says that it can.
    """
    if host.names.fullmatch(name):
        return
    also = "" if host.names.fullmatch("a_b") else " An underscore is not one of them here."
    example = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    if not example or may_be_key(example):
        example = "math"
    raise UsageError(
        f"{host.title} may not be able to use the name of the entry.",
        hint=f"Choose one of letters, digits and hyphens, such as {example[:64]}.{also}",
    )
