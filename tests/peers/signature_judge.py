"""Judges the signature of one HTTP request as AWS does, by botocore's own signer (SigV4).

Must not know HTTP servers, nor how a product words a refusal (`interop/aws/refusals`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.auth import SigV4Auth  # pyright: ignore[reportMissingTypeStubs]
from botocore.awsrequest import AWSRequest  # pyright: ignore[reportMissingTypeStubs]
from botocore.credentials import Credentials  # pyright: ignore[reportMissingTypeStubs]

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/, ]+)/(?P<day>\d{8})/(?P<region>[^/, ]+)"
    r"/(?P<service>[^/, ]+)/aws4_request,? ?SignedHeaders=(?P<signed>[^, ]+),"
    r" ?Signature=(?P<signature>[0-9a-f]{64})"
)
STAMP = "%Y%m%dT%H%M%SZ"
TOLERANCE = timedelta(minutes=5)
"""Between the date of a signature and AWS's clock (IAM User Guide, SigV4 troubleshooting)."""
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Caller:
    """What AWS knows of an access key."""

    secret: str
    token: str | None = None
    expired: bool = False
    """Its token is one that was right once."""
    may: bool = True
    """A policy allows the call."""
    arn: str = "arn:aws:iam::123456789012:user/ada"


@dataclass(frozen=True)
class Terms:
    """What a signature is judged by."""

    callers: Mapping[str, Caller]
    region: str
    service: str
    unsigned_payload: bool = False
    """The service takes no signed body and says so where it finds one (VPC Lattice)."""
    clock: float = 0.0
    """Seconds by which AWS's clock is before this machine's."""


@dataclass(frozen=True)
class Asked:
    """A request as it came in; `target` is path and query, not decoded."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """All values of a header; `name` is in lower case."""
        return [value for known, value in self.headers if known.lower() == name]


@dataclass(frozen=True)
class Verdict:
    """`kind` is "right", or a row of `refusals`; `facts` are what its words may be about."""

    kind: str
    signed: tuple[str, ...] = ()
    caller: str = ""
    scope: str = ""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def is_right(self) -> bool:
        """The request goes to what stands behind."""
        return self.kind == "right"


def judge(asked: Asked, terms: Terms, now: datetime | None = None) -> Verdict:
    """What AWS thinks of it; `now` is in UTC."""
    now = (now or datetime.now(UTC)) + timedelta(seconds=terms.clock)
    authorizations = asked.values("authorization")
    if not authorizations:
        return Verdict("missing")
    match = AUTHORIZATION.fullmatch(authorizations[0])
    if match is None or len(authorizations) > 1 or len(asked.values("host")) != 1:
        return Verdict("incomplete", facts={"authorization": " | ".join(authorizations)})
    claimed = match.groupdict()
    signed = tuple(claimed["signed"].split(";"))
    stamps = asked.values("x-amz-date")
    kind, facts = _fault(asked, terms, claimed, signed, stamps, now)
    scope = f"{claimed['region']}/{claimed['service']}"
    return Verdict(kind, signed, claimed["key"], scope, facts)


def _fault(
    asked: Asked,
    terms: Terms,
    claimed: Mapping[str, str],
    signed: Sequence[str],
    stamps: Sequence[str],
    now: datetime,
) -> tuple[str, dict[str, str]]:
    """In the order in which AWS looks."""
    must_be_signed = {"host", *(n.lower() for n, _ in asked.headers if n.lower()[:6] == "x-amz-")}
    missing = sorted(must_be_signed - set(signed))
    if missing or list(signed) != sorted(signed):
        return "unsigned_header", {"headers": ", ".join(missing)}
    try:
        (stamp,) = stamps
        at = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return "incomplete", {"authorization": f"X-Amz-Date {stamps}"}
    for name in ("region", "service"):
        if claimed[name] != getattr(terms, name):
            return f"wrong_{name}", {"want": getattr(terms, name), "got": claimed[name]}
    if claimed["day"] != stamp[:8]:
        return "wrong_signature", {"canonical": "", "to_sign": ""}
    caller = terms.callers.get(claimed["key"])
    tokens = asked.values("x-amz-security-token")
    if caller is None or tokens != ([] if caller.token is None else [caller.token]):
        return "unknown_key", {}
    if caller.expired:
        return "expired_token", {}
    if not now - TOLERANCE <= at <= now + TOLERANCE:
        return _out_of_time(stamp, at, now)
    wrong = _wrong_body(asked, terms) or _wrong_signature(asked, terms, claimed, signed, stamp)
    if wrong is not None:
        return wrong
    facts = {"arn": caller.arn, "region": terms.region}
    return ("right", facts) if caller.may else ("denied", facts)


def _out_of_time(stamp: str, at: datetime, now: datetime) -> tuple[str, dict[str, str]]:
    late = at < now
    edge = now - TOLERANCE if late else now + TOLERANCE
    facts = {"date": stamp, "edge": edge.strftime(STAMP), "now": now.strftime(STAMP)}
    return ("too_late" if late else "too_early"), facts


def _wrong_body(asked: Asked, terms: Terms) -> tuple[str, dict[str, str]] | None:
    claims = asked.values("x-amz-content-sha256")
    if terms.unsigned_payload:
        return None if claims == [UNSIGNED] else ("signed_payload", {})
    real = hashlib.sha256(asked.body).hexdigest()
    return None if claims in ([], [real]) else ("wrong_body", {"want": real, "got": claims[0]})


def _wrong_signature(
    asked: Asked, terms: Terms, claimed: Mapping[str, str], signed: Sequence[str], stamp: str
) -> tuple[str, dict[str, str]] | None:
    caller = terms.callers[claimed["key"]]
    # `Any`: botocore has no types.
    request: Any = AWSRequest(
        method=asked.method, url=f"http://{asked.values('host')[0]}{asked.target}", data=asked.body
    )
    for name, value in asked.headers:
        if name.lower() in signed:
            request.headers.add_header(name, value)
    if any(name not in request.headers for name in signed):
        return "wrong_signature", {"canonical": "", "to_sign": ""}
    request.context["timestamp"] = stamp
    credentials = Credentials(claimed["key"], caller.secret, caller.token)
    signer: Any = SigV4Auth(credentials, terms.service, terms.region)
    canonical = signer.canonical_request(request)
    to_sign = signer.string_to_sign(request, canonical)
    if hmac.compare_digest(signer.signature(to_sign, request), claimed["signature"]):
        return None
    return "wrong_signature", {"canonical": canonical, "to_sign": to_sign}
