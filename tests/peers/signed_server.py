"""An MCP server behind AWS IAM: takes what is signed with keys it knows, refuses all else.

What is signed is judged from the bytes that came (`signature_judge`); the refusals are AWS's words.
Must not know how the command under test signs.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any, NamedTuple

from tests.interop.aws.refusals import WORDS
from tests.peers.signature_judge import Asked, Caller, Terms, judge
from tests.peers.wild_server import Behaviour, Exchange, WildServer, encode

KEY_ID, SECRET_KEY = "AKIDEXAMPLEOFATEST01", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYcanary01"
OTHER_KEY_ID, OTHER_SECRET_KEY = "ASIDEXAMPLEOFATEST02", "je7MtGbClwBF/2Zp9Utk/h3yCo8canary02"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//canary03=="


class Rejection(NamedTuple):
    """The name and the words of AWS's error."""

    error: str
    words: str


INVALID_TOKEN = Rejection(*WORDS["unknown_key"])
EXPIRED_TOKEN = Rejection(*WORDS["expired_token"])
MISMATCH = Rejection(*WORDS["wrong_body"])
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
            "Date": formatdate(time.time() + self.ahead, usegmt=True),
        }
        exchange.reply(status, encode({"message": found.words}), headers=headers)

    def _judge(self, exchange: Exchange) -> Rejection | None:
        callers = {
            key_id: Caller(secret, token or None) for key_id, (secret, token) in self.keys.items()
        }
        terms = Terms(callers, self.region, self.service, clock=self.ahead)
        headers = tuple(exchange.headers.items())
        verdict = judge(Asked(exchange.verb, exchange.path, headers, exchange.body), terms)
        if not verdict.is_right:
            name, words = WORDS[verdict.kind]
            return Rejection(name, words.format_map(verdict.facts))
        of_mcp = {name for name in exchange.headers if name.startswith("mcp-")}
        if of_mcp <= {*verdict.signed}:
            return None
        return Rejection("InvalidSignatureException", "'Mcp-' headers must be signed.")
