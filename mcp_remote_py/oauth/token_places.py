"""The places of an answer where its tokens lie, as a table: the next one is a row.

Pure. RFC 6749 §5.1 has them at the top; APIs wrap every answer, and libraries hand out objects of
their own. Must not know what a token is good for, nor whether the answer is one that succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

from mcp_remote_py.oauth.document import drop_absent
from mcp_remote_py.oauth.grant_words import plain_code

MAX_NAMES_APART = 100
"""Of an answer that is form data, or of an object whose names have their words joined: each is
taken apart, and those who answer so have two kinds of token and a scope in it."""


class TokenPlace(NamedTuple):
    """A place of an answer where tokens lie, by the names that lead there, and who puts them so."""

    names: tuple[str, ...]
    source: str


TOKEN_PLACES = (
    TokenPlace((), "RFC 6749 §5.1"),
    TokenPlace(("authed_user",), "Slack, for the token of a person beside or without one of a bot"),
    TokenPlace(("data",), "APIs that wrap every answer: Lark, TikTok"),
    TokenPlace(("result",), "the same, of other frameworks"),
    TokenPlace(("response",), "the same"),
    TokenPlace(("payload",), "the same"),
    TokenPlace(("tokens",), "servers that hand out their library's objects"),
    TokenPlace(("token",), "the same"),
    TokenPlace(("credentials",), "the same"),
    TokenPlace(("session",), "the same: Supabase's and Stytch's have a session around them"),
    TokenPlace(("authentication_result",), "Cognito's own interface, by joined names"),
    TokenPlace(("data", "session"), "both at once"),
    TokenPlace(("data", "tokens"), "the same"),
    TokenPlace(("data", "token"), "the same"),
)
"""The first that has an access token; all that belongs to it lies there, too.

Where it is nowhere, the same is looked for with names whose words are joined (`accessToken`).
"""


def find_tokens(members: dict[str, object], wanted: str = "access_token") -> dict[str, object]:
    """The members beside the one that is `wanted`, wherever it is; those at the top without it.

    Whoever wraps its tokens so wraps the code of a device as well.
    """
    for spell in (str, plain_code):
        top = _spell_names(members, spell)
        for place in TOKEN_PLACES:
            found = _open_place(top, place.names, spell)
            if isinstance(found.get(wanted), str):
                return found
    return members


def _open_place(
    members: dict[str, object], names: tuple[str, ...], spell: Callable[[str], str]
) -> dict[str, object]:
    for name in names:
        there = members.get(name)
        there = drop_absent(cast("dict[str, object]", there)) if isinstance(there, dict) else {}
        members = _spell_names(there, spell)
    return members


def _spell_names(members: dict[str, object], spell: Callable[[str], str]) -> dict[str, object]:
    if spell is str:
        return members
    few = members.items() if len(members) <= MAX_NAMES_APART else ()
    return {spell(name): value for name, value in few}
