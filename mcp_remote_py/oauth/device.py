"""The device grant: the person signs in on any machine, with a code (RFC 8628).

For machines without a browser, and where no way leads back to a listener. Must not know where
credentials are kept, nor how time passes: it asks for that as for all else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from mcp_remote_py.errors import LOGIN_COMMAND, Interrupted, NotSent, SignInFailed
from mcp_remote_py.oauth.client_authentication import authenticate, post_form
from mcp_remote_py.oauth.document import Posting, hint_at_wait, is_outage
from mcp_remote_py.oauth.grant_words import is_denial
from mcp_remote_py.oauth.grants import add_tokens, explain_denial
from mcp_remote_py.oauth.metadata import check_endpoint
from mcp_remote_py.oauth.registration import DEVICE_CODE_GRANT
from mcp_remote_py.oauth.sent import TRY_AGAIN, describe_asked
from mcp_remote_py.oauth.steps import (
    Client,
    Conversation,
    Credential,
    HttpResponse,
    Judge,
    Report,
    Wait,
)
from mcp_remote_py.oauth.token_exchange import TokenExchange
from mcp_remote_py.oauth.token_places import find_tokens
from mcp_remote_py.oauth.tokens import (
    GrantRefused,
    TokenError,
    parse_members,
    parse_refusal,
    read_lifetime,
)
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret, mask_url, remember
from mcp_remote_py.settings.network import CONSENT_TIMEOUT

DEFAULT_INTERVAL = 5.0
"""Seconds between two polls (§3.2), and what `slow_down` adds (§3.5)."""

MAX_INTERVAL = 60.0
"""Seconds: a server that wants more would keep the person waiting long after they are done."""

DEFAULT_LIFETIME = 600.0
"""Seconds a code is taken to be good for where the server does not say, as it must (§3.2)."""

_USER_CODE = lazy_pattern(r"[!-~](?:[ -~]{0,62}[!-~])?")
"""Also in groups with blanks between them."""

_EXPIRED = frozenset({"expired_token", "code_expired"})
"""Of §3.5, and of Entra's first version."""


class DeviceCode(NamedTuple):
    """The answer to the first request: a code for the person, one to poll with, seconds (§3.2)."""

    device_code: Secret
    user_code: str
    verification_uri: str
    lifetime: float
    interval: float


def ask_by_code(
    endpoint: str, credential: Credential, timeout: float, now: Callable[[], float]
) -> Conversation[Credential]:
    """Tells the person where to sign in, and asks until that is done.

    `endpoint` is the device authorization endpoint, `credential` is still without tokens; at most
    `timeout` seconds, or what the server gives. A failure without a verdict is waited out, twice
    as long each time (§3.5), or for as long as the server asks.

    Raises:
        SignInDenied: the person said no.
        GrantRefused: the client is refused.
        SignInFailed: it ended without tokens, for another reason.
        ExchangeError: the first request could not be sent, or its answer was lost.
    """
    code, client = yield from _request_code(endpoint, credential)
    credential = credential._replace(client=client)
    remember((code.device_code,))
    yield Judge(code.verification_uri, "verification_uri")
    yield Report(f"Open {code.verification_uri} on any device and enter {code.user_code} there.")
    end = now() + min(timeout, code.lifetime)
    interval = code.interval
    parameters = {"device_code": code.device_code, "resource": credential.resource}
    # Any of them may be the one that brings the tokens, and a code does so once.
    exchange = TokenExchange(credential, patience=CONSENT_TIMEOUT)
    wait = interval
    while now() + wait < end:
        yield Wait(wait)
        asked = now()
        try:
            answer = yield from exchange.ask(DEVICE_CODE_GRANT, parameters, asked)
        except (NotSent, Interrupted):
            wait = interval = min(2 * interval, MAX_INTERVAL)
        except TokenError as error:
            if error.error in _EXPIRED:
                raise _expired(endpoint, credential) from error
            interval = _next_interval(error, interval)
            wait = max(interval, error.retry_after or 0.0)
        else:
            return add_tokens(credential, answer, asked)
    if now() + interval < end:
        raise _put_off(credential.token_endpoint, wait, now(), is_ours=timeout < code.lifetime)
    raise _expired(endpoint, credential)


def _next_interval(error: TokenError, interval: float) -> float:
    """Seconds to wait before the next poll; raises where the polling must end."""
    if error.error == "authorization_pending":
        return interval
    if error.error == "slow_down":
        return min(interval + DEFAULT_INTERVAL, MAX_INTERVAL)
    if is_denial(error.error):
        raise explain_denial(error.error) from error
    if isinstance(error, GrantRefused) or (error.status < 500 and not is_outage(error.status)):
        raise error
    return min(2 * interval, MAX_INTERVAL)


def _put_off(endpoint: str, wait: float, now: float, *, is_ours: bool) -> SignInFailed:
    """The server wants to be asked again only when the code is of no use any more."""
    limit = "--auth-timeout allows" if is_ours else "the code is good for"
    again = TRY_AGAIN if is_ours else f"To try again then: {LOGIN_COMMAND}."
    return SignInFailed(
        f"The token endpoint {mask_url(endpoint)} has too much to do: it asks to wait for longer "
        f"than {limit}.",
        hint=f"{hint_at_wait(wait, now)} {again}",
    )


def _expired(endpoint: str, credential: Credential) -> SignInFailed:
    said, change = describe_asked(endpoint, credential)
    return SignInFailed(f"Nobody entered the code in time. {said}", hint=f"{change} {TRY_AGAIN}")


def _request_code(endpoint: str, credential: Credential) -> Conversation[tuple[DeviceCode, Client]]:
    """The code, and the client as it was understood."""

    def send(client: Client) -> Conversation[HttpResponse]:
        return (yield from post_form(client, endpoint, body, posting=posting))

    posting = Posting()
    parameters = {"scope": credential.scope, "resource": credential.resource}
    body = urlencode({name: value for name, value in parameters.items() if value})
    answered = yield from authenticate(credential.client, endpoint, send)
    response = answered.response
    where = f"The device authorization endpoint {mask_url(endpoint)}"
    members = parse_members(response.body)
    if not 200 <= response.status < 300 or members.get("error"):
        secret = credential.client.client_secret
        secrets = () if secret is None else (secret,)
        error = parse_refusal(response, where=where, secrets=secrets)
        raise error.with_evidence(answered.evidence)
    return _read_code(members, response, where), answered.client


def _read_code(members: dict[str, object], response: HttpResponse, where: str) -> DeviceCode:
    members = find_tokens(members, "device_code")
    device_code, user_code = members.get("device_code"), members.get("user_code")
    if isinstance(user_code, int) and not isinstance(user_code, bool):
        user_code = str(user_code)
    # The second is Google's, from the drafts; the third needs no code, and does no harm with it.
    names = ("verification_uri", "verification_url", "verification_uri_complete")
    uri = next((members[name] for name in names if name in members), None)
    if (
        not isinstance(device_code, str)
        or not device_code
        or not isinstance(user_code, str)
        or not _USER_CODE.fullmatch(user_code)
        or not isinstance(uri, str)
    ):
        raise SignInFailed(
            f"{where} answered without a code that can be used (HTTP {response.status}).",
            hint="Leave out --device-code to sign in with the browser of this machine.",
        )
    check_endpoint(uri, "verification_uri")  # the person is told to open it
    interval = read_lifetime(members.get("interval")) or DEFAULT_INTERVAL
    return DeviceCode(
        Secret(device_code),
        user_code,
        uri,
        read_lifetime(members.get("expires_in")) or DEFAULT_LIFETIME,
        min(max(interval, 1.0), MAX_INTERVAL),
    )
