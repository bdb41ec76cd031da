"""AWS as far as keys come from it: STS, IAM Identity Center (SSO) and a container's service.

One loopback server plays all of them; botocore is led to it by `AWS_ENDPOINT_URL_*`. It notes who
asked for what, and answers what the test says. Must not know who asks.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

ROLE = "arn:aws:iam::123456789012:role/desk"
NAMESPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'


class Asked(NamedTuple):
    """One request: which service, and what it was asked."""

    service: str
    words: dict[str, str]


class FakeAws:
    """What it answers can be changed at any time.

    Attributes:
        seconds: the life of the keys that it gives.
        refusal: HTTP status, code and message that it answers instead; None to give keys.
        asked: all requests so far.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.seconds = 3600
        self.refusal: tuple[int, str, str] | None = None
        self.asked: list[Asked] = []
        self.hang = threading.Event()
        self.hang.set()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead botocore here."""
        return {
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_ENDPOINT_URL_SSO": self.url,
            "AWS_ENDPOINT_URL_SSO_OIDC": self.url,
        }

    @property
    def services(self) -> list[str]:
        """Who was asked, in order."""
        return [one.service for one in self.asked]

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """The answer to a request."""
        self.hang.wait(20)
        path = urlsplit(target).path
        query = dict(parse_qsl(urlsplit(target).query))
        if path == "/federation/credentials":
            token = headers.get("x-amz-sso_bearer_token", "")
            self.asked.append(Asked("sso", query | {"token": token}))
            return self._refuse_json() or Answer(200, _json({"roleCredentials": self._sso_keys()}))
        if path == "/token":
            self.asked.append(Asked("sso-oidc", json.loads(body)))
            fresh = {"accessToken": "canary-sso-new", "expiresIn": 3600, "refreshToken": "canary-2"}
            return self._refuse_json() or Answer(200, _json(fresh))
        if method == "GET":
            self.asked.append(Asked("container", {"authorization": headers["authorization"]}))
            keys = {"AccessKeyId": "AKIDCONTAINER", "SecretAccessKey": "canary-container-key"}
            rest = {"Token": "canary-container-token", "Expiration": self.expiry}
            return self._refuse_json() or Answer(200, _json(keys | rest))
        words = dict(parse_qsl(body.decode()))
        self.asked.append(Asked("sts", words | {"signed": headers.get("authorization", "")}))
        return Answer(*self._sts(words["Action"]))

    @property
    def expiry(self) -> str:
        """When the keys of now end, in AWS's spelling."""
        end = datetime.now(UTC) + timedelta(seconds=self.seconds)
        return end.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _sso_keys(self) -> dict[str, object]:
        end = datetime.now(UTC) + timedelta(seconds=self.seconds)
        return {
            "accessKeyId": "AKIDSSO",
            "secretAccessKey": "canary-sso-key",
            "sessionToken": "canary-sso-token",
            "expiration": int(end.timestamp() * 1000),
        }

    def _refuse_json(self) -> Answer | None:
        if self.refusal is None:
            return None
        status, code, message = self.refusal
        return Answer(status, _json({"message": message}), code)

    def _sts(self, action: str) -> tuple[int, bytes]:
        if self.refusal is not None:
            status, code, message = self.refusal
            error = (
                f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            )
            return status, f"<ErrorResponse {NAMESPACE}>{error}</ErrorResponse>".encode()
        keys = (
            "<AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>canary-role-key</SecretAccessKey>"
            f"<SessionToken>canary-role-token</SessionToken><Expiration>{self.expiry}</Expiration>"
        )
        user = f"<Arn>{ROLE.replace(':iam:', ':sts:')}/x</Arn><AssumedRoleId>A:x</AssumedRoleId>"
        result = f"<Credentials>{keys}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        text = f"<{action}Response {NAMESPACE}><{action}Result>{result}</{action}Result>"
        return 200, f"{text}</{action}Response>".encode()


class Answer(NamedTuple):
    status: int
    body: bytes
    code: str = ""


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@contextmanager
def fake_aws() -> Generator[FakeAws]:
    """One that runs while it is used."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = aws.answer(self.command, self.path, headers, body)
            self.send_response(answer.status)
            if answer.code:
                self.send_header("x-amzn-ErrorType", answer.code)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Who asked may be gone: some tests are about that."""

    with Server(("127.0.0.1", 0), Handler) as server:
        aws = FakeAws(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield aws
        finally:
            aws.hang.set()
            server.shutdown()
            thread.join(10)
