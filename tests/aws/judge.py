"""The signature that botocore, AWS's own library, gives for a request.

What is not signed (`UNSIGNED_HEADERS`) is not given to it: that is a choice of ours, and tested by
itself. Must not know our signer.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import botocore.auth as _auth  # pyright: ignore[reportMissingTypeStubs]
import botocore.awsrequest as _awsrequest  # pyright: ignore[reportMissingTypeStubs]
import botocore.credentials as _credentials  # pyright: ignore[reportMissingTypeStubs]

auth: Any = _auth
awsrequest: Any = _awsrequest
credentials: Any = _credentials

LEFT_OUT: list[str] = auth.SIGNED_HEADERS_BLACKLIST
"""Names of headers that botocore never signs."""


class Case(NamedTuple):
    """A request to sign; `headers` are those that are signed, with `host` among them.

    `body` is None where the payload is not signed. `at` is in seconds since 1970.
    """

    key_id: str
    secret_key: str
    token: str | None
    service: str
    region: str
    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None
    at: int


def judge(case: Case) -> dict[str, str]:
    """The headers that botocore adds, by lower-case name."""
    kind = auth.S3SigV4Auth if case.service.startswith("s3") else auth.SigV4Auth
    keys = credentials.Credentials(case.key_id, case.secret_key, case.token)
    signer = kind(keys, case.service, case.region)
    request = awsrequest.AWSRequest(method=case.method, url=case.url, data=case.body or b"")
    for name, value in case.headers:
        request.headers[name] = value  # adds one
    moment = datetime.datetime.fromtimestamp(case.at, datetime.UTC)
    request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    if case.body is None:
        request.context["payload_signing_enabled"] = False
    if case.service == "aoss":
        request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
    # What `add_auth` does, but for the clock.
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    given = {name.lower() for name, _ in case.headers}
    return {
        name.lower(): value for name, value in request.headers.items() if name.lower() not in given
    }
