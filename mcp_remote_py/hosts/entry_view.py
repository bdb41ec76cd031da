"""An entry as a person may see it: written for its host, what may be secret is masked.

Must not know files, nor terminals.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from mcp_remote_py.hosts.catalogue import KnownHost
from mcp_remote_py.hosts.config_text import Form, read_entries, set_entry
from mcp_remote_py.hosts.inputs import HostInput, find_gone_inputs, put_inputs
from mcp_remote_py.key_shapes import may_be_key
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import MASK, mask_url, scrub_known
from mcp_remote_py.settings.shown_variables import show_variable
from mcp_remote_py.settings.words import split_line

CHANGED = f"{MASK} (another value)"
"""A value that is masked, where it is not the one that was there."""

_HEADERS = frozenset({"--header", "-H"})
_VARIABLE = lazy_pattern(r"[^:]*:\s*(?:[A-Za-z]{1,10} )?\$\{[A-Za-z_][A-Za-z0-9_]{0,63}\}")
_SECRET_OPTION = lazy_pattern(
    r"--?[a-z-]*(?:token|secret|key|pass|pwd|auth|credential|bearer)[a-z-]*|-u|--user"
)
_SECRET_MEMBER = lazy_pattern(r"token|secret|key|pass|pwd|auth|credential|bearer", re.IGNORECASE)
"""A member whose value may be secret, also where it is a word that looks like none."""
_DRIVE = lazy_pattern(r"\b[A-Za-z]:\\")
_PATHS = frozenset({"--header-file", "--private-key", "--client-key", "--ca-cert", "--client-cert"})


def render_entry(host: KnownHost, name: str, entry: Mapping[str, object]) -> str:
    """The entry as a file of that host has it, alone."""
    return set_entry(b"", host.form, host.place, name, entry).decode()


def render_with_inputs(
    host: KnownHost, name: str, entry: Mapping[str, object], inputs: Iterable[HostInput]
) -> str:
    """The same, with what the host is to ask for."""
    whole = set_entry(b"", host.form, host.place, name, entry)
    return put_inputs(whole, host.inputs, inputs).decode() if inputs else whole.decode()


def show_new_inputs(host: KnownHost, content: bytes, inputs: Sequence[HostInput]) -> list[str]:
    """The lines of what is not in the content yet, as of a difference."""
    after = put_inputs(content, host.inputs, inputs) if inputs else content
    if after == content:
        return []
    alone = put_inputs(b"", host.inputs, inputs).decode().splitlines()
    return [f"+{line}" for line in alone[1:-1]]


def show_gone_inputs(host: KnownHost, before: bytes, after: bytes) -> list[str]:
    """The lines of what a host was to ask for and is not any more; the list itself stays."""
    gone = find_gone_inputs(before, after, host.inputs) if host.inputs else []
    if not gone:
        return []
    first, *lines, last = put_inputs(b"", host.inputs, gone).decode().splitlines()[1:-1]
    return [f" {first}", *(f"-{line}" for line in lines), f" {last}"]


def has_secrets(host: KnownHost, content: bytes) -> bool:
    """Whether an entry in the content has a part that may be secret."""
    entries = read_entries(content, host.form, host.place).values() if content else ()
    return any(
        MASK in str(mask_entry(cast("Mapping[str, object]", one)))
        for one in entries
        if isinstance(one, Mapping)
    )


def mask_entry(
    entry: Mapping[str, object], other: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The same, masked; `other` is the entry whose place it takes.

    Where both have a value of the same name that is masked, and they differ, that is seen.
    """
    return {name: _mask(name, value, (other or {}).get(name)) for name, value in entry.items()}


def _mask(name: str, value: object, other: object) -> object:
    if name in ("env", "environment", "headers", "http_headers") and isinstance(value, Mapping):
        before: Mapping[str, object] = {}
        if isinstance(other, Mapping):
            before = cast("Mapping[str, object]", other)
        found = cast("Mapping[str, object]", value)
        return {key: _mask_value(key, one, before.get(key, one)) for key, one in found.items()}
    if isinstance(value, list):
        return list(_mask_words([str(one) for one in cast("list[object]", value)]))
    if isinstance(value, str):
        return MASK if _SECRET_MEMBER.search(name) else _mask_word(value)
    if isinstance(value, Mapping):
        nested = cast("Mapping[str, object]", value)
        return {key: _mask(key, one, None) for key, one in nested.items()}
    return value


def _mask_value(name: str, value: object, before: object) -> str:
    shown = show_variable(name, str(value))
    return CHANGED if shown == MASK and value != before else shown


def _mask_words(words: list[str]) -> Iterator[str]:
    before = ""
    for word in words:
        if before in _HEADERS and not _VARIABLE.fullmatch(word):
            colon = ":" in word
            yield f"{word.partition(':')[0]}: {MASK}" if colon else MASK
        elif before in _PATHS:
            yield word
        elif _SECRET_OPTION.fullmatch(before) and not word.startswith(("-", "@", "/", "${")):
            yield mask_url(word) if "://" in word else MASK
        else:
            yield _mask_word(word)
        before = word


def _mask_word(word: str) -> str:
    word = scrub_known(word)
    if word.startswith("{"):
        return word if "${" in word else MASK
    if " " in word.strip() and not word.startswith("-"):
        return _mask_line(word)
    if "://" in word:
        return word if "${" in word else mask_url(word)
    option, equals, value = word.partition("=")
    if equals and (may_be_key(value) or option in _HEADERS):
        return f"{option}={MASK}"
    is_key = "/" not in word and "\\" not in word and "$" not in word and may_be_key(word)
    return MASK if is_key else word


def _mask_line(text: str) -> str:
    """A line for a shell, or any other words in one, each masked as if it stood alone."""
    try:
        words = split_line(text, escapes=_DRIVE.search(text) is None)
    except ValueError:
        return MASK
    shown = list(_mask_words(words))
    return text if shown == words else " ".join(shown)


def show_difference(
    host: KnownHost,
    name: str,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    path: str,
    *,
    has_others: bool = False,
) -> list[str]:
    """The lines of a unified difference; None stands for no entry.

    What is around the entry stays where it goes, and is there before where the file `has_others`.
    """
    new = [] if after is None else _lines(host, name, mask_entry(after, before))
    old = [] if before is None else _lines(host, name, mask_entry(before))
    around = 0 if host.form is Form.TOML else len(host.place)
    if before is None and has_others:
        old = [*new[:around], *new[len(new) - around :]]
    if after is None:
        new = [*old[:around], *old[len(old) - around :]]
    lines = difflib.unified_diff(old, new, path, path, lineterm="", n=100)
    return [line for line in lines if not line.startswith("@@")]


def _lines(host: KnownHost, name: str, entry: Mapping[str, object]) -> list[str]:
    lines = render_entry(host, name, entry).splitlines()
    # Without the braces around it: the file has more in them.
    return lines if host.form is Form.TOML else lines[1:-1]
