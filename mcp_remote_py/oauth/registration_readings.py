"""What else is asked for where a registration is refused: one table, in order, each row once.

RFC 7591 §3.2.2 has two errors for all that can be wrong with one, servers have their own, and a
firewall before them has none. So a refusal is read by its words, and where it has none by what such
servers were seen to want. A new quirk is a new row. Pure: must not know how a registration is sent,
nor what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from mcp_remote_py import __version__
from mcp_remote_py.errors import words_of
from mcp_remote_py.oauth.document import decode_document, is_outage
from mcp_remote_py.oauth.steps import HttpResponse
from mcp_remote_py.patterns import lazy_pattern

MAX_REGISTRATIONS = 6
"""Requests for a registration in one sign-in, with all other readings of it."""

PLAIN_NAME = "MCP Remote"
SOFTWARE_ID = "mcp-remote-py"
PROJECT_URL = "https://pypi.org/project/mcp-remote-py/"

INVALID_REDIRECT_URI = "invalid_redirect_uri"
INVALID_CLIENT_METADATA = "invalid_client_metadata"
"""The errors of RFC 7591 §3.2.2 that are about what was asked for."""

RegistrationMembers = Mapping[str, object]
"""The members of a registration request."""


class RegistrationRefusal(NamedTuple):
    """An answer that is not a registration. `words` is all that it says, in lower case.

    `status` is 0 where the connection broke off instead.
    """

    status: int
    error: str
    description: str
    words: str
    is_page: bool
    asks_to_wait: bool
    """By `Retry-After`: some limit how often one may ask by 403."""

    @property
    def is_verdict(self) -> bool:
        """Whether it may be about what was asked for, and another request be answered otherwise."""
        in_words = self.status < 300 and self.error != ""
        is_refused = 400 <= self.status < 500 and not is_outage(self.status)
        return (in_words or is_refused) and not self.asks_to_wait

    @property
    def may_be_verdict(self) -> bool:
        """Whether another request may be answered otherwise, though nobody says that of this one.

        Servers fail at what they do not know, and firewalls answer with a page of good status, or
        not at all (0).
        """
        is_broken = self.status in (0, 500, 501) or (self.status < 300 and self.is_page)
        return self.is_verdict or (is_broken and not self.asks_to_wait)

    @property
    def telling(self) -> int:
        """How much it tells a person: of several, the last of those that tell most is shown."""
        if self.error:
            return 3 if self.description else 2
        return 1 if self.words else 0


def read_registration_refusal(response: HttpResponse) -> RegistrationRefusal:
    """The refusal that this answer is."""
    document = decode_document(response.body) or {}
    error, description = document.get("error"), document.get("error_description")
    return RegistrationRefusal(
        response.status,
        error if isinstance(error, str) else "",
        description if isinstance(description, str) else "",
        words_of(response.body[:_LOOKED_AT]).lower(),
        response.body.lstrip().startswith(b"<"),
        "retry-after" in response.headers,
    )


_LOOKED_AT = 16 * 1024
"""Bytes of a refusal that are looked through for a word."""


class Choices(NamedTuple):
    """What may be asked for in place of something else."""

    redirect_uris: tuple[str, ...]
    methods: tuple[str, ...]
    """Client authentications that the server may take, the preferred first."""
    scopes: tuple[str, ...]
    """Those that the server lists."""


_Change = Callable[[RegistrationMembers, Choices], RegistrationMembers]


class RegistrationReading(NamedTuple):
    """Another request where one was refused.

    `applies` judges the refusal. `change` gives the members with other values, None for one that is
    left out; nothing where there is nothing to change. `source` says who was seen to want it.
    """

    name: str
    applies: Callable[[RegistrationRefusal], bool]
    change: _Change
    source: str


def _says(words: str, *errors: str) -> Callable[[RegistrationRefusal], bool]:
    """Judges whether a refusal is about one member, by its error or by its words."""
    pattern = lazy_pattern(words)

    def applies(refusal: RegistrationRefusal) -> bool:
        if refusal.error == INVALID_REDIRECT_URI:
            return False  # its words may name anything else beside
        return refusal.error in errors or pattern.search(refusal.words) is not None

    return applies


def _is_any(_: RegistrationRefusal) -> bool:
    return True


def _is_about_metadata(refusal: RegistrationRefusal) -> bool:
    return refusal.status in (200, 201, 400, 403, 422) and refusal.error in (
        *("", INVALID_CLIENT_METADATA, "invalid_request", "access_denied", "server_error"),
    )


def _without(*names: str) -> _Change:
    return lambda asked, _: {name: None for name in names if name in asked}


def _alone(number: int) -> _Change:
    def change(_: RegistrationMembers, choices: Choices) -> RegistrationMembers:
        uris = choices.redirect_uris
        return {"redirect_uris": [uris[number]]} if 1 < len(uris) > number else {}

    return change


def _both(one: _Change, other: _Change) -> _Change:
    def change(asked: RegistrationMembers, choices: Choices) -> RegistrationMembers:
        by_one, by_other = one(asked, choices), other(asked, choices)
        return {**by_one, **by_other} if by_one and by_other else {}

    return change


def _with_listed_scopes(asked: RegistrationMembers, choices: Choices) -> RegistrationMembers:
    return {} if "scope" in asked or not choices.scopes else {"scope": " ".join(choices.scopes)}


def _with(**members: str) -> _Change:
    return lambda _asked, _choices: members


def _with_other_grants(asked: RegistrationMembers, _: Choices) -> RegistrationMembers:
    grants = _texts(asked.get("grant_types"))
    if "refresh_token" in grants:
        return {"grant_types": [one for one in grants if one != "refresh_token"]}
    return _with_both_grants(asked, _)


def _with_both_grants(asked: RegistrationMembers, _: Choices) -> RegistrationMembers:
    grants = _texts(asked.get("grant_types"))
    if not grants or "refresh_token" in grants:
        return {}
    return {"grant_types": [grants[0], "refresh_token", *grants[1:]]}


def _with_method(number: int) -> _Change:
    def change(asked: RegistrationMembers, choices: Choices) -> RegistrationMembers:
        has_one = "token_endpoint_auth_method" in asked and number < len(choices.methods)
        return {"token_endpoint_auth_method": choices.methods[number]} if has_one else {}

    return change


def _texts(value: object) -> list[str]:
    return cast("list[str]", value) if isinstance(value, list) else []


_ABOUT_SCOPES = _says(
    # A name of an error has it joined to others: unauthorized_scope
    r"(?<![a-z])(?:scopes?|permissions?)(?![a-z])",
    *("insufficient_scope", "invalid_scope"),
)
_ABOUT_NAME = _says(r"client[_ ]name|\bname must\b|\bname\b.{0,20}\b(?:exists|taken|in use)\b")
_MINIMAL = _without(
    *("scope", "grant_types", "response_types", "token_endpoint_auth_method", "application_type")
)
_ABOUT_METHODS = _says(r"auth(?:entication)?[_ ]method|public client|confidential|client[_ ]secret")

REGISTRATION_READINGS = (
    RegistrationReading(
        "without scopes",
        _ABOUT_SCOPES,
        _without("scope"),
        "Servers that give scopes out themselves, or let nobody register for some (RFC 7591 §2 "
        "leaves them free to), by 403 insufficient_scope too.",
    ),
    RegistrationReading(
        "with all scopes that it lists",
        _ABOUT_SCOPES,
        _with_listed_scopes,
        "Servers that take a client without scopes for one that wants none of theirs.",
    ),
    RegistrationReading(
        "with other grant types",
        _says(r"grant[_ ]types?\b|refresh[_ ]token", "unsupported_grant_type"),
        _with_other_grants,
        "Servers that list one grant in their metadata and register for both only, or the reverse.",
    ),
    RegistrationReading(
        "without response types",
        _says(r"response[_ ]types?\b", "unsupported_response_type"),
        _without("response_types"),
        "Closed schemas; code is the default (RFC 7591 §2).",
    ),
    RegistrationReading(
        "with another client authentication",
        _ABOUT_METHODS,
        _with_method(1),
        "Servers for confidential clients only that do not list their methods (field note 8).",
    ),
    RegistrationReading(
        "with a third client authentication",
        _ABOUT_METHODS,
        _with_method(2),
        "The same.",
    ),
    RegistrationReading(
        "without an application type",
        _says(r"application[_ ]type"),
        _without("application_type"),
        "Servers that know RFC 7591 alone: it is OpenID Connect's.",
    ),
    RegistrationReading(
        "with the address of its project",
        _says(r"client[_ ]uri"),
        _with(client_uri=PROJECT_URL),
        "Servers that show it to the person; it is optional (RFC 7591 §2).",
    ),
    RegistrationReading(
        "with name and version of its software",
        _says(r"software[_ ](?:id|version)"),
        _with(software_id=SOFTWARE_ID, software_version=__version__),
        "Servers that count clients by them; they are optional (RFC 7591 §2).",
    ),
    RegistrationReading(
        "without a name",
        _ABOUT_NAME,
        _without("client_name"),
        "Servers with rules for names; it is optional (RFC 7591 §2).",
    ),
    RegistrationReading(
        "with a plainer name",
        _ABOUT_NAME,
        _with(client_name=PLAIN_NAME),
        "Servers with a pattern for names: letters, seldom more.",
    ),
    RegistrationReading(
        "with the first redirect URI alone",
        _is_any,
        _alone(0),
        "Servers that take only localhost, or only 127.0.0.1 (field note 9), and firewalls that "
        "block a body with an address of this machine in it, each in words of their own.",
    ),
    RegistrationReading("with the second redirect URI alone", _is_any, _alone(1), "The same."),
    RegistrationReading(
        "with both grant types",
        _is_about_metadata,
        _with_both_grants,
        "The same as above, from servers that do not say what is wrong.",
    ),
    RegistrationReading(
        "with nothing but name and redirect URIs",
        _is_about_metadata,
        _MINIMAL,
        "Closed schemas that do not say which member they do not know: each of these has a "
        "default (RFC 7591 §2).",
    ),
    RegistrationReading(
        "with nothing but name and the first redirect URI",
        _is_about_metadata,
        _both(_alone(0), _MINIMAL),
        "Both at once.",
    ),
)
"""The first that applies, was not tried, and changes something is asked for next."""
