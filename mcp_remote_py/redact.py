"""Secrets are a type: what is wrapped here cannot be formatted by accident.

`.reveal()` is the one word to search for in a review. Four more ways out are closed here: a URL
that has a key in it (`mask_url`), a word that was given in place of a file's name (`mask_path`),
a token in place of any other word (`tokens_in_word`), and a foreign text that repeats what it was
sent (`scrub`), in any spelling. This module must not know who stores a secret or sends it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterable
from itertools import pairwise

from mcp_remote_py.key_shapes import (
    MIN_TOKEN_LENGTH,
    decode_segment,
    is_host_token,
    is_token,
    may_be_key,
    may_be_key_behind,
)
from mcp_remote_py.patterns import lazy_pattern

MASK = "****"
MIN_SCRUB_LENGTH = 4
"""Characters. A shorter secret is not searched for in texts: it would tear words apart."""


class Secret:
    """A string that prints as stars; equality and hash follow the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: only for the place that sends or stores it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        """Refuses pickling, which would write the value where no one looks for it."""
        raise TypeError("a Secret is not pickled")


# URLs ---------------------------------------------------------------------------------------

SHOWN_LENGTH = 4
"""Characters shown of a key that has `LONG_KEY_LENGTH`, so that a person can tell which it is."""
LONG_KEY_LENGTH = 20


def mask_url(url: str) -> str:
    """The URL without what may be secret in it; never raises, whatever `url` is.

    Left out are user info and fragment, the values of the query, and each segment of the path and
    name of the query that may be a key. The host stays, as `mask_host` shows it: people must see
    where they are.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    rest = rest.partition("#")[0]
    rest, question, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    host = mask_host(authority.rpartition("@")[2])
    segments = (_mask_key(one, before) for before, one in pairwise(["", *path.split("/")]))
    values = (
        f"{_mask_key(name)}={MASK}" if equals else _mask_key(name)
        for name, equals, _ in (pair.partition("=") for pair in query.split("&"))
    )
    return f"{scheme}{separator}{host}{slash}{'/'.join(segments)}{question}{'&'.join(values)}"


def mask_host(host: str) -> str:
    """The host, with its port or without, as it may be shown: a token may stand in its place."""
    return "".join(
        _shorten_key(label) if is_host_token(label) else label for label in _LABELS.split(host)
    )


def secrets_in_url(url: str) -> tuple[Secret, ...]:
    """The parts that `mask_url` hides in the URL, for `remember`; not its short, plain values."""
    rest = url.partition("://")[2].partition("#")[0]
    rest, _, query = rest.partition("?")
    authority, *path = rest.split("/")
    found = [one for before, one in pairwise(["", *path]) if may_be_key_behind(before, one)]
    for label in filter(is_host_token, _LABELS.split(authority.rpartition("@")[2])):
        found += (label, label.lower())
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if len(value) >= _MIN_VALUE_LENGTH or may_be_key(value):
            found.append(value)
        if may_be_key(name):
            found.append(pair)
    return tuple(
        Secret(text) for one in found for text in dict.fromkeys((one, decode_segment(one)))
    )


_LABELS = lazy_pattern(r"([.:])")
_MIN_VALUE_LENGTH = 8
"""Characters. A shorter value of a query or a cookie is a switch, unless it looks like a key."""


def mask_path(path: str) -> str:
    """The name of a file as it may be shown, without what may be secret in it; never raises.

    A person, or a host that tears words apart, may have given a token, a header, a key or an
    object of JSON in its place. What begins at a root or with a dot is the name of a file.
    """
    if _NO_PATH.search(path):
        return MASK
    parts = (path,) if _ROOT.match(path) else map(_mask_key, _SEPARATORS.split(path))
    shown = "".join(parts)
    return shown if len(shown) <= MAX_PATH_LENGTH else f"{shown[:MAX_PATH_LENGTH]}…"


def secrets_in_path(path: str) -> tuple[Secret, ...]:
    """The parts that `mask_path` hides, for `remember`: of a file, the whole path is told."""
    if _NO_PATH.search(path):
        lines = (line for line in path.splitlines() if not line.startswith("-----"))
        return tuple(Secret(_HEADER_NAME.sub("", line)) for line in lines)
    if _ROOT.match(path):
        return ()
    return tuple(Secret(part) for part in _SEPARATORS.split(path) if may_be_key(part))


def tokens_in_word(word: str) -> tuple[Secret, ...]:
    """What is a token in a word that may be anything, such as a scope, for `remember`.

    Only what surely is one: what an id or a scope is made of often looks like a key.
    """
    if len(word) < MIN_TOKEN_LENGTH:
        return ()
    if header := _HEADER_NAME.match(word):
        return (Secret(word[header.end() :]),)
    return tuple(Secret(part) for part in _PIECES.split(word) if is_token(part))


MAX_PATH_LENGTH = 1024
"""Characters that are shown of the name of a file: its beginning says which word it is."""
_NO_PATH = lazy_pattern(r"\n|^[A-Za-z0-9-]+: |^\s*\{")
"""Several lines, as a key has them, the name of a header with what is behind it, or an object."""
_HEADER_NAME = lazy_pattern(r"^[A-Za-z0-9-]+: +")
"""It is shown: so a person finds which word stands in the wrong place."""
_ROOT = lazy_pattern(r"[.~/\\]|[A-Za-z]:[/\\]")
_SEPARATORS = lazy_pattern(r"([/\\])")


def _mask_key(segment: str, before: str = "") -> str:
    return _shorten_key(segment) if may_be_key_behind(before, segment) else segment


def _shorten_key(segment: str) -> str:
    shown = segment[:SHOWN_LENGTH] if len(segment) >= LONG_KEY_LENGTH else ""
    return f"{shown if '%' not in shown else ''}{MASK}"


# Texts --------------------------------------------------------------------------------------

STEP_LENGTH = 8 * 1024
"""Characters that are scrubbed at once in `scrub_known_in_steps`: 5 ms where all are escaped."""

MAX_SPELLING = 6
"""Characters that an escape takes for one, as in JSON."""

MAX_LAYERS = 2
"""Escapings within each other that are seen through: JSON in JSON."""

MIN_HALVED_LENGTH = 16
"""Characters. Of a secret of that length the first half is secret, too: whoever repeats it may cut
it, and of half a secret nobody knows that it is one."""

_ESCAPE = lazy_pattern(
    r"\\{1,4}u([0-9a-fA-F]{4})|\\{1,4}([\"'/])|\\([nrt])|%([0-9a-fA-F]{2})"
    r"|&#(\d{1,7});|&#[xX]([0-9a-fA-F]{1,6});|&(amp|lt|gt|quot|apos|sol|plus|equals);"
)
"""Escapes of JSON, URLs and HTML: other spellings of one character."""

_NAMED = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "apos": "'",
    "sol": "/",
    "plus": "+",
    "equals": "=",
}


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """`text` with every secret replaced by stars, however it is spelled there.

    Also the words of a secret behind a scheme word, what Basic stands for, base64 in its other
    alphabet and without padding, and the beginning of a long secret. In linear time.
    """
    return _scrub(text, _spell(secrets))


_Parts = tuple[tuple[str, str], ...]


def _scrub(text: str, parts: _Parts) -> str:
    return _cover(text, _find_spelled(text, parts))


def _find_spelled(text: str, parts: _Parts) -> list[tuple[int, int]]:
    """The places in `text` where any of them stands, spelled in any way."""
    views = [(text, list[int]())]
    while parts and len(views) <= MAX_LAYERS and _ESCAPE.search(views[-1][0]):
        views.append(_unescape(*views[-1]))
    spans: list[tuple[int, int]] = []
    for view, starts in views:
        found = _find(view, parts)
        spans += [(starts[begin], starts[end]) for begin, end in found] if starts else found
    return spans


def _spell(secrets: Iterable[Secret]) -> _Parts:
    """Every text to hide, the secrets and what they contain or stand for; and how it begins."""
    parts: set[str] = set()
    for secret in secrets:
        value = secret.reveal()
        words = value.split(" ")[1:]
        parts.update((value, value.partition(" ")[2], *words))
        # `a=SECRET; b=...`: what is named in a cookie, and each line of a key.
        pieces = _PIECES.split(value)
        parts.update(one for one in pieces if len(one) >= _MIN_VALUE_LENGTH and not one.isalpha())
        if words and value[:6].lower() == "basic ":
            parts.update(_read_basic(words[0]))
    # As percent-encoding has it, byte by byte.
    parts |= {part.encode("utf-8", "surrogatepass").decode("latin-1") for part in parts}
    for part in tuple(parts):
        bare = part.rstrip("=")
        parts.update((bare, bare.translate(_URL_ALPHABET), bare.replace(" ", "+")))
    return tuple(
        (part, part if len(part) < MIN_HALVED_LENGTH else part[: len(part) // 2])
        for part in parts
        if len(part) >= MIN_SCRUB_LENGTH
    )


_PIECES = lazy_pattern(r"[\s;,=\"]+")
_URL_ALPHABET = str.maketrans("+/", "-_")


def _read_basic(credentials: str) -> Iterable[str]:
    """User and password in it, and the password alone, as they are and form-decoded."""
    import binascii

    try:
        pair = binascii.a2b_base64(credentials).decode()
    except ValueError:
        return ()
    password = pair.partition(":")[2]
    return pair, password, decode_segment(password)


def _find(text: str, parts: _Parts) -> list[tuple[int, int]]:
    """The places where any of them stands, or the beginning of a long one."""
    spans: list[tuple[int, int]] = []
    for part, sought in parts:
        if sought not in text:
            continue
        least = len(sought)
        at = text.find(sought)
        while at >= 0:
            end, last = at + least, at + len(part)
            while end < last and text[end : end + 1] == part[end - at]:
                end += 1
            spans.append((at, end))
            at = text.find(sought, max(at, end - least) + 1)
    return spans


def _cover(text: str, spans: list[tuple[int, int]]) -> str:
    """`text` with stars for each span; those that overlap are one."""
    if not spans:
        return text
    pieces: list[str] = []
    at = 0
    covered = -1
    for begin, end in sorted(spans):
        if begin >= covered:
            pieces += (text[at:begin], MASK)
        at = covered = max(covered, end)
    pieces.append(text[at:])
    return "".join(pieces)


def _unescape(text: str, outer: list[int]) -> tuple[str, list[int]]:
    """`text` without one layer of escapes, and where each of its characters begins.

    `outer` is that of `text` itself, empty where it has none.
    """
    pieces: list[str] = []
    starts: list[int] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        begin, end = match.span()
        pieces += (text[at:begin], _meaning(match))
        starts += range(at, begin + 1)
        at = end
    pieces.append(text[at:])
    starts += range(at, len(text) + 1)
    return "".join(pieces), [outer[start] for start in starts] if outer else starts


def _meaning(match: re.Match[str]) -> str:
    utf16, escaped, control, percent, decimal, hexadecimal, named = match.groups()
    if escaped:
        return escaped
    if control or named:
        return _NAMED[control or named]
    number = int(decimal) if decimal else int(utf16 or percent or hexadecimal, 16)
    return chr(number) if number <= 0x10FFFF else "\ufffd"


MAX_TOKENS_KNOWN = 60
"""Those of the last twenty renewals: a process may live for weeks, and each text is searched."""

_known: set[Secret] = set()
_tokens: dict[Secret, None] = {}
"""The newest last."""
_recent: deque[Secret] = deque(maxlen=16)
_parts: _Parts | None = ()
"""The result of `_spell` for both; None where it is to be made anew."""


def remember(secrets: Iterable[Secret]) -> None:
    """Makes secrets known to `scrub_known`, from whoever learns one: options, files, commands.

    The one piece of process-wide state here: the last line of defence must not depend on
    someone passing every secret to every place that writes a line.
    """
    global _parts
    before = len(_known)
    _known.update(secrets)
    if len(_known) != before:
        _parts = None


def remember_tokens(secrets: Iterable[Secret]) -> None:
    """Remembers what is renewed again and again; only the last `MAX_TOKENS_KNOWN` are known."""
    global _parts
    for secret in secrets:
        if secret not in _tokens:
            _parts = None
        _tokens.pop(secret, None)
        _tokens[secret] = None
    while len(_tokens) > MAX_TOKENS_KNOWN:
        del _tokens[next(iter(_tokens))]


def remember_briefly(secret: Secret) -> None:
    """Remembers a secret that is sent once; only the last few are known."""
    global _parts
    _recent.append(secret)
    _parts = None


def scrub_known(text: str) -> str:
    """`text` with everything that was ever given to `remember` replaced by stars."""
    return _scrub(text, _known_parts())


def scrub_known_in_steps(text: str) -> Generator[None, None, str]:
    """As `scrub_known`, for a long text; yields after each part of it.

    Each part is looked at with as much before it as the longest secret may take: so none is missed
    that begins in one part and ends in the next.
    """
    parts = _known_parts()
    margin = MAX_SPELLING * max((len(part) for part, _ in parts), default=0)
    length = max(STEP_LENGTH, margin)
    spans: list[tuple[int, int]] = []
    for at in range(0, len(text), length):
        first = max(at - margin, 0)
        found = _find_spelled(text[first : at + length], parts)
        spans += [(first + begin, first + end) for begin, end in found]
        yield
    return _cover(text, spans)


def _known_parts() -> _Parts:
    global _parts
    if _parts is None:
        _parts = _spell((*_known, *_tokens, *_recent))
    return _parts
