"""Chooses the `prompt` of an authorization request (OpenID Connect Core §3.1.2.1), by a table.

`offline_access` is for a refresh token, and servers read it in two ways: some ignore it unless
consent is asked for anew, others answer such a question with a page for administrators, from which
nobody comes back. The first reading that applies counts. Pure. Must not know what the person named
themselves: that goes before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mcp_remote_py.oauth.scopes import OFFLINE_ACCESS
from mcp_remote_py.url import InvalidUrl, parse_url

CONSENT = "consent"

NEEDED, IN_VAIN = "needed", "in vain"
"""Values of `Credential.consent`: what a sign-in has shown that gave no refresh token, without that
prompt or with it."""


class PromptCase(NamedTuple):
    """What is known when a person is to be asked; `shown` is `Credential.consent`."""

    endpoint: str
    scope: str
    scopes_supported: tuple[str, ...]
    shown: str


class PromptReading(NamedTuple):
    """Where `applies` holds, `prompt` is sent, "" for none; `source` is why."""

    name: str
    applies: Callable[[PromptCase], bool]
    prompt: str
    source: str


_ENTRA = (
    *("login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn"),
    *("login.partner.microsoftonline.cn", "login.windows.net", "sts.windows.net"),
)
_ENTRA_TENANTS = (".ciamlogin.com", ".b2clogin.com")


def _is_entra(case: PromptCase) -> bool:
    try:
        host = parse_url(case.endpoint).host.lower()
    except InvalidUrl:
        return False
    return host in _ENTRA or host.endswith(_ENTRA_TENANTS)


def _does_not_last(case: PromptCase) -> bool:
    return OFFLINE_ACCESS not in case.scope.split()


def _has_shown(shown: str) -> Callable[[PromptCase], bool]:
    def has_shown(case: PromptCase) -> bool:
        return case.shown == shown

    return has_shown


def _is_openid(case: PromptCase) -> bool:
    return "openid" in case.scopes_supported


def _is_any(case: PromptCase) -> bool:
    return True


PROMPT_READINGS = (
    PromptReading(
        "nothing that needs it",
        _does_not_last,
        "",
        "OpenID Connect Core §11 is about offline_access alone.",
    ),
    PromptReading(
        "shown to be needed",
        _has_shown(NEEDED),
        CONSENT,
        "A sign-in without it gave no refresh token.",
    ),
    PromptReading(
        "shown to be in vain",
        _has_shown(IN_VAIN),
        "",
        "A sign-in with it gave no refresh token, either.",
    ),
    PromptReading(
        "Microsoft Entra",
        _is_entra,
        "",
        "It gives refresh tokens without; with it, it asks for an administrator's approval though "
        "that was given (field note 8).",
    ),
    PromptReading(
        "an OpenID provider",
        _is_openid,
        CONSENT,
        "OpenID Connect Core §11: else it ignores the scope. Seen with oidc-provider.",
    ),
    PromptReading(
        "any other server",
        _is_any,
        "",
        "RFC 6749 does not have such a parameter.",
    ),
)


def choose_prompt(case: PromptCase) -> str:
    """The `prompt` to send, "" for none."""
    return next(one.prompt for one in PROMPT_READINGS if one.applies(case))


def note_outcome(asked: str, shown: str, *, consented: bool, lasts: bool) -> str:
    """`Credential.consent` after a sign-in with the scope `asked`; `shown` is what it was before.

    `consented`: that prompt was sent; `lasts`: there is a refresh token.
    """
    if lasts or OFFLINE_ACCESS not in asked.split():
        return shown
    return IN_VAIN if consented else NEEDED
