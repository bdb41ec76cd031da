"""Whether a word, or a piece of a URL, may be a key, by how it is made and by what is before it.

In doubt a piece is one, and a word is not. Pure. Must not know where anything is shown.
"""

from __future__ import annotations

import re
from itertools import pairwise

from mcp_remote_py.patterns import lazy_pattern

MIN_KEY_LENGTH = 6
"""Characters. What is shorter could be guessed and is not a key."""

MIN_TOKEN_LENGTH = 16
"""Characters of what surely is a token, in place of a host or of any other word."""

GROUP_LENGTH = 4
"""Digits; more than two such groups are not a date."""

MAX_WORD_LENGTH = 20
"""Letters of a word in a path: `internationalization` has as many."""

MAX_MIXED_LENGTH = 12
"""Characters of a word with a number in it: `base64encode` has as many."""

_FOLLOWERS = {
    pairs[0]: pairs[1:]
    for pairs in (
        "abcdfgiklmnprstuvwxyz babceijloprstuy cacdehiklmorstuy dadcegilnoprsuy"
        " eabcdefghiklmnopqrstuvwxy faefilorstuy gaeghilmnorstu haeilmortu iabcdefgklmnoprstvxz"
        " jaeosu kegilnsw labcdefiklmnopstuvy mabdeilmopstuy nacdefghiklnoprstuvwy"
        " oabcdefgijklmnoprstuvwx pacdefhiloprstuy qu rabcdefgiklmnoprstuvwy sacefhiklmnopqstuwy"
        " tacdefhilmnoprstuwy uabcdefgilmnoprst vaeio waehilnors xaceipt yeilmnopst zaeiou"
    ).split()
}
"""By its first letter, which ones follow it in English words: 340 pairs of 676, counted in the
documentation of Python. Nearly all pairs of a word are among them, half those of a random text."""

ODD_PAIRS = 0.15
"""Share of other pairs in a word. One random text in 50 of 12 letters has as few."""

_ACRONYM = lazy_pattern(
    "mcp|https|http|sse|jsonrpc|json|rpc|graphql|sql|api|jwks|jwt|oidc|xml|html|css|ssl|tls|aws|gcp"
    "|sdk|crm|cms|cdn|dns|vpn|ftp|ssh|svc|srv|mgmt|www|llm|gpt|kb|db|qa"
)
"""Taken for words, also within one: `mcpserver`."""

_WORDS = lazy_pattern(r"[^\W_]+")
_PARTS = lazy_pattern(r"\d+|\D+")
_CAMEL = lazy_pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_VERSION = lazy_pattern(r"[vr]?\d{1,4}(?:[a-z]{1,5}\d{0,3})?", re.IGNORECASE)
_DATE = lazy_pattern(r"20\d{6}")
_VERSIONED = lazy_pattern(r"([a-z]{3,8})v\d{1,2}", re.IGNORECASE)
"""A word with a version behind it: `authv2`."""
_NUMBERED = lazy_pattern(r"(?!v\d{1,2}$).*\d.*")
_NAMES = lazy_pattern(
    r"(?:[a-z]+[_-])?(?:keys?|api[_-]?keys?|tokens?|secrets?|passw(?:or)?d|pass|pwd|credentials?)",
    re.IGNORECASE,
)
"""Segments behind which a key may stand, where it has a number in it."""
_PREFIXED = lazy_pattern(r"(?:xox[a-z]|xapp|sk|pk|rk|gh[opsu]|glpat|whsec)[_-][^/]*\d")
"""Keys whose makers begin them so: Slack, Stripe, GitHub, GitLab."""
_MADE = lazy_pattern(
    r"(?:github_pat|hf|npm|gsk|sbp|ntn|lin_api|figd|dop_v1|shpat|xai)[_-]\w{20,}|AIza[\w-]{30,}",
    re.IGNORECASE,
)
"""The same of others, who begin them with what may be a word: GitHub, Hugging Face, npm, Google."""
_JWT_PART = lazy_pattern(r"ey[jJ](?=.*\d)[\w-]{16,}")
_JWT = lazy_pattern(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_LONG_RUN = lazy_pattern(r"[A-Za-z0-9]{40,}")
"""Letters and digits. Fewer may be an id: one of Auth0 has 32, a UUID 36 with its hyphens."""


def may_be_key_behind(before: str, segment: str) -> bool:
    """Whether it may be a key by itself, or by the segment `before` it: `/key/hunter2`."""
    if _is_short_word(segment):
        return False
    is_named = _NAMES.fullmatch(before) is not None and _NUMBERED.fullmatch(segment) is not None
    return is_named or may_be_key(segment)


def may_be_key(segment: str) -> bool:
    """Whether this segment of a URL may be a secret: whatever is not made of ordinary words.

    In doubt it is one. Judged without its percent-encoding and word by word, so that a separator
    hides nothing; what does not look like a word must have `MIN_KEY_LENGTH` characters together.
    """
    if _is_short_word(segment):
        return False
    text = decode_segment(segment)
    if "=" in text.rstrip("&;") or _PREFIXED.match(text):
        return True  # a named value, or the end of base64
    user, colon, password = text.partition(":")
    if colon and user and len(password) >= MIN_KEY_LENGTH and re.search(r"\d", password):
        return True
    words = _WORDS.findall(text)
    odd = sum(len(word) for word in words if not _is_ordinary(word))
    digits = sum(len(word) for word in words if word.isdigit() and len(word) >= GROUP_LENGTH)
    return odd >= MIN_KEY_LENGTH or digits > 2 * GROUP_LENGTH


def _is_short_word(segment: str) -> bool:
    """A few letters, as in most addresses: a start compiles no pattern for them."""
    return len(segment) < MIN_KEY_LENGTH and (segment.isalpha() or not segment)


def is_token(word: str) -> bool:
    """Whether this word surely is a secret, wherever it stands, and not the id of something."""
    if _PREFIXED.match(word) or _JWT.fullmatch(word):
        return True
    is_made = _LONG_RUN.fullmatch(word) or _MADE.fullmatch(word)
    return is_made is not None and may_be_key(word)


def is_host_token(label: str) -> bool:
    """Whether this label of a host name surely is a token, written where the host belongs.

    A host may be called as a token begins (`sk-telecom2`), or have an id in its name.
    """
    if len(label) < MIN_TOKEN_LENGTH:
        return False
    if _JWT_PART.fullmatch(label):
        return True
    rest = re.split(r"[_-]", label, maxsplit=1)[-1]
    return is_token(label) and (may_be_key(rest) or _MADE.fullmatch(label) is not None)


def decode_segment(segment: str) -> str:
    """It without percent-encoding, which may be there twice."""
    if "%" not in segment:
        return segment
    from urllib.parse import unquote

    return unquote(unquote(segment))


def _is_ordinary(word: str) -> bool:
    if word.isdigit():
        # A port, a year, a number of somebody; more digits may be an account's.
        return len(word) < MIN_KEY_LENGTH or _DATE.fullmatch(word) is not None
    if word.isalpha():
        return len(word) <= 3 or _is_readable(word)
    if _VERSION.fullmatch(word):
        return True
    versioned = _VERSIONED.fullmatch(word)
    if versioned is not None:
        return _is_readable(versioned[1])
    # `oauth2`, `tenant42`, `base64encode`: one short number in one or two words.
    letters = [part for part in _PARTS.findall(word) if not part.isdigit()]
    digits = sum(map(str.isdigit, word))
    return (
        len(_PARTS.findall(word)) <= 3
        and digits <= 4
        and len(word) <= MAX_MIXED_LENGTH
        and max(map(len, letters)) >= 3
        and all(len(part) <= 1 or _is_readable(part) for part in letters)
    )


def _is_readable(word: str) -> bool:
    """Whether letters make a word, or several as in `getUserName`."""
    if not word.isascii():
        return len(word) <= MAX_WORD_LENGTH
    if len(word) >= 8 and not set(word.lower()) - set("abcdef"):
        return False  # hexadecimal
    if word.islower() or word.isupper() or word.istitle():
        pieces = [word]
    else:
        pieces = _CAMEL.findall(word)
        if len(pieces) * 3 > max(len(word), 8):
            return False
    return all(map(_is_word, pieces))


def _is_word(piece: str) -> bool:
    if len(piece) > MAX_WORD_LENGTH:
        return False
    return all(
        sum(b not in _FOLLOWERS.get(a, "") for a, b in pairwise(part)) <= ODD_PAIRS * len(part)
        for part in _ACRONYM.split(piece.lower())
    )
