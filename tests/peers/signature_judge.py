"""An MCP server behind AWS IAM: takes what is signed with keys it knows, refuses all else.

What is signed is judged by botocore, from the bytes that came; the refusals are AWS's words. Must
not know how the command under test signs.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping
from email.utils import formatdate
from hashlib import sha256
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth  # pyright: ignore[reportMissingTypeStubs]
from botocore.awsrequest import AWSRequest  # pyright: ignore[reportMissingTypeStubs]
from botocore.credentials import Credentials  # pyright: ignore[reportMissingTypeStubs]

from tests.peers.wild_server import Behaviour, Exchange, WildServer, encode

KEY_ID, SECRET_KEY = "AKIDEXAMPLEOFATEST01", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYcanary01"
OTHER_KEY_ID, OTHER_SECRET_KEY = "ASIDEXAMPLEOFATEST02", "je7MtGbClwBF/2Zp9Utk/h3yCo8canary02"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//canary03=="

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/ ]+)/(\d{8})/([^/ ]+)/([^/ ]+)/aws4_request, ?"
    r"SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})"
)
_TOLERANCE = 300
"""Seconds."""


class Rejection(NamedTuple):
    """The name and the words of AWS's error."""

    error: str
    words: str


INVALID_TOKEN = Rejection(
    "UnrecognizedClientException", "The security token included in the request is invalid."
)
EXPIRED_TOKEN = Rejection(
    "ExpiredTokenException", "The security token included in the request is expired"
)
MISMATCH = Rejection(
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details.",
)
FORBIDDEN = Rejection("AccessDeniedException", "Forbidden. For troubleshooting, see the guide.")


class SignedServer(WildServer):
    """The server.

    Attributes:
        keys: by id, the secret key and the session token that goes with it.
        ahead: seconds that its clock is ahead of ours.
        rejections: every request that was refused, and why.
        rejection: what all are refused with, whatever they are signed with.
    """

    def __init__(self, **more: Any) -> None:
        self.service, self.region = "lambda", "eu-west-1"
        self.keys: dict[str, tuple[str, str]] = {KEY_ID: (SECRET_KEY, "")}
        self.ahead = 0.0
        self.rejections: list[tuple[Exchange, Rejection]] = []
        self.rejection: Rejection | None = None
        super().__init__(**more)

    def _choose(self, exchange: Exchange) -> Behaviour:
        found = self.rejection or self._judge(exchange)
        if found is None:
            return super()._choose(exchange)
        with self._change:
            self.rejections.append((exchange, found))
            self._change.notify_all()
        return lambda exchange: self.reject(exchange, found)

    def reject(self, exchange: Exchange, found: Rejection, status: int = 403) -> None:
        """Refuses it as AWS does."""
        headers = {
            "x-amzn-ErrorType": found.error,
            "Date": formatdate(self._time(), usegmt=True),
        }
        exchange.reply(status, encode({"message": found.words}), headers=headers)

    def _time(self) -> float:
        return time.time() + self.ahead

    def _judge(self, exchange: Exchange) -> Rejection | None:
        headers = exchange.headers
        match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if match is None:
            return Rejection("MissingAuthenticationTokenException", "Missing Authentication Token")
        key_id, day, region, service, names, signature = match.groups()
        if key_id not in self.keys:
            return INVALID_TOKEN
        secret, token = self.keys[key_id]
        if headers.get("x-amz-security-token", "") != token:
            return INVALID_TOKEN
        moment = headers.get("x-amz-date", "")
        if (region, service) != (self.region, self.service) or not moment.startswith(day):
            return Rejection(
                "InvalidSignatureException",
                f"Credential should be scoped to a valid region, not '{region}'.",
            )
        if (late := self._find_late(moment)) is not None:
            return late
        signed = names.split(";")
        needed = {"host", *(name for name in headers if name.startswith(("x-amz-", "mcp-")))}
        if not needed <= set(signed):
            return Rejection("InvalidSignatureException", "'Host' or 'X-Amz-' must be signed.")
        expected = self._sign(exchange, (key_id, secret, token), signed, moment)
        return None if hmac.compare_digest(expected, signature) else MISMATCH

    def _find_late(self, moment: str) -> Rejection | None:
        now = self._time()
        if abs(_read_moment(moment) - now) <= _TOLERANCE:
            return None
        limit, here = _write_moment(now - _TOLERANCE), _write_moment(now)
        words = f"{moment} is now earlier than {limit} ({here} - 5 min.)"
        if _read_moment(moment) > now:
            limit = _write_moment(now + _TOLERANCE)
            words = f"{moment} is still later than {limit} ({here} + 5 min.)"
            return Rejection("InvalidSignatureException", f"Signature not yet current: {words}")
        return Rejection("InvalidSignatureException", f"Signature expired: {words}")

    def _sign(
        self, exchange: Exchange, keys: tuple[str, str, str], signed: list[str], moment: str
    ) -> str:
        """The signature of what came, as it must be."""
        told = exchange.headers.get("x-amz-content-sha256")
        assert told in (None, sha256(exchange.body).hexdigest())
        request: Any = AWSRequest(
            method=exchange.verb,
            url=f"{self.origin.partition('://')[0]}://{exchange.headers['host']}{exchange.path}",
            data=exchange.body,
            headers=_choose(exchange.headers, signed),
        )
        request.context["timestamp"] = moment
        judge: Any = SigV4Auth(
            Credentials(keys[0], keys[1], keys[2] or None), self.service, self.region
        )
        canonical = judge.canonical_request(request)
        return str(judge.signature(judge.string_to_sign(request, canonical), request))


def _choose(headers: Mapping[str, str], names: list[str]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}


def _write_moment(seconds: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def _read_moment(text: str) -> float:
    import calendar

    return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
