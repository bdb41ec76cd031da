"""Signs requests as AWS reads them: Signature Version 4, AWS4-HMAC-SHA256.

The canonical request is that of botocore's `SigV4Auth`, which all services of AWS take; where a
request could be read in two ways (a query as written or decoded, a header that is changed on the
way), it is made such that both are the same, or left out of the signature. Sources: IAM User Guide,
"Create a signed AWS API request"; botocore, `auth.py`. Pure. Must not know where keys come from,
which host is which service, nor what a refusal means.
"""

from __future__ import annotations

import hmac
from collections.abc import Generator, Iterable, Sequence
from functools import lru_cache
from hashlib import sha256

from mcp_remote_py.aws.keys import AwsKeys
from mcp_remote_py.channel import HeaderField
from mcp_remote_py.errors import Unusable
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.aws import SIGNED_NAMES
from mcp_remote_py.time_words import to_moment
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value

ALGORITHM = "AWS4-HMAC-SHA256"

EMPTY_PAYLOAD = sha256(b"").hexdigest()
"""The hash of a request without a body."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""Stands for the hash where the body is not signed."""

HASH_SLICE_BYTES = 2 * 1024 * 1024
"""Of a body that are hashed at once: 2 to 6 ms, with and without the processor's instructions."""


class Scope(Value, frozen=True):
    """What a signature is good for, beside its day: a service's signing name, and a region."""

    service: str
    region: str

    @property
    def signs_payload(self) -> bool:
        """Whether the service takes a signature over the body."""
        return self.service not in _UNSIGNED_SERVICES

    @property
    def sends_hash(self) -> bool:
        """Whether the service wants the hash of the body in a header as well."""
        return self.service in _HASH_SERVICES or not self.signs_payload

    @property
    def encodes_path_again(self) -> bool:
        """Whether the path is normalised and encoded a second time: not where it names objects."""
        return self.service not in _OBJECT_SERVICES


_UNSIGNED_SERVICES = frozenset({"vpc-lattice-svcs"})
"""VPC Lattice user guide, "SIGv4 authenticated requests": it does not support payload signing, and
the header must say so."""

_OBJECT_SERVICES = frozenset({"s3", "s3-object-lambda", "s3-outposts", "s3express"})
"""S3 API reference, "Authenticating requests"; botocore's endpoint rules of S3
(`disableDoubleEncoding`). Its tables and vectors are signed as other services are."""

_HASH_SERVICES = _OBJECT_SERVICES | {"aoss"}
"""S3 as before; OpenSearch Service developer guide, "Signing HTTP requests" of Serverless."""

_CONNECTION = "of one connection (RFC 9110 §7.6.1): each hop has its own"
_CLIENT = "of the client's library: rewritten by gateways"
_CODING = "what a proxy may offer, take away or convert"
_LENGTH = "of the framing, and proxies frame anew; the hash is over the body. OpenSearch Serverless"
_TRACE = "of a trace: each hop writes its own span there"
_WAY = "of the way: every hop adds to it"
_CACHE = "spoken to caches on the way, which may answer it themselves"
_TIME = "of the sender's clock: proxies add it. x-amz-date is what counts"

UNSIGNED_HEADERS = {
    "authorization": "is where the signature itself stands",
    "connection": _CONNECTION,
    "keep-alive": _CONNECTION,
    "te": _CONNECTION,
    "trailer": _CONNECTION,
    "transfer-encoding": _CONNECTION,
    "upgrade": _CONNECTION,
    "expect": _CONNECTION,
    "http2-settings": _CONNECTION,
    "max-forwards": _WAY,
    "user-agent": _CLIENT,
    "accept-encoding": _CODING,
    "content-length": f"{_LENGTH} refuses a signature over it",
    "date": _TIME,
    "cache-control": _CACHE,
    "pragma": _CACHE,
    "via": _WAY,
    "forwarded": _WAY,
    "x-real-ip": _WAY,
    "cdn-loop": _WAY,
    "traceparent": _TRACE,
    "tracestate": _TRACE,
    "baggage": _TRACE,
    "b3": _TRACE,
    "x-amzn-trace-id": _TRACE,
    "x-cloud-trace-context": _TRACE,
    "x-request-id": _TRACE,
    "x-correlation-id": _TRACE,
}
"""Headers that are sent and not signed, by name, and why: something on the way may add, drop or
rewrite them, and then no signature over them holds. All others are signed."""

UNSIGNED_PREFIXES = {
    "proxy-": "spoken to a proxy, which takes it away",
    "x-forwarded-": _WAY,
    "x-b3-": _TRACE,
    "x-envoy-": _WAY,
    "x-datadog-": _TRACE,
}

_UNSIGNED_BEGINNINGS = tuple(UNSIGNED_PREFIXES)

_SIGNED_ALWAYS = "x-amz-"
"""AWS wants every header signed that begins so, and `host`."""


def sign_request(
    keys: AwsKeys,
    scope: Scope,
    *,
    method: bytes,
    url: ServerUrl,
    headers: Sequence[HeaderField],
    payload_hash: str,
    at: float,
) -> list[HeaderField]:
    """The headers to add to `headers`, so that the request is signed.

    `url` is the one that is sent, `headers` all others that are; without a `host` among them it is
    signed as the URL has it. `payload_hash` is that of the body in hexadecimal digits, or one of
    the constants; `at` is the time in seconds since 1970.

    Raises:
        Unusable: one of them is the signature's own.
    """
    moment = to_moment(at)
    if moment is None:
        raise Unusable("The clock of this machine shows an impossible date.", hint="Set the clock.")
    time = moment.strftime("%Y%m%dT%H%M%SZ")
    day = time[:8]
    payload_hash = payload_hash if scope.signs_payload else UNSIGNED_PAYLOAD
    added = [("x-amz-date", time)]
    if keys.session_token is not None:
        added.append(("x-amz-security-token", keys.session_token.reveal()))
    if scope.sends_hash or payload_hash == UNSIGNED_PAYLOAD:
        added.append(("x-amz-content-sha256", payload_hash))
    signed = _choose_signed(headers, url)
    for name, value in added:
        signed[name] = value
    lines = sorted(signed.items())
    names = ";".join(name for name, _ in lines)
    canonical = "\n".join(
        (
            method.decode("ascii").upper(),
            _spell_path(url.target.partition("?")[0], scope),
            _sort_query(url.target.partition("?")[2]),
            *(f"{name}:{value}" for name, value in lines),
            "",
            names,
            payload_hash,
        )
    )
    place = f"{day}/{scope.region}/{scope.service}/aws4_request"
    digest = sha256(canonical.encode()).hexdigest()
    key = _derive_key(keys.secret_access_key, day, scope.region, scope.service)
    signature = _mac(key, f"{ALGORITHM}\n{time}\n{place}\n{digest}").hex()
    authorization = (
        f"{ALGORITHM} Credential={keys.access_key_id}/{place}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    added.append(("authorization", authorization))
    return [(name.encode(), value.encode()) for name, value in added]


def hash_payload(pieces: Iterable[bytes | memoryview]) -> Generator[None, None, str]:
    """The hash of the body that `pieces` make, for `sign_request`; yields between its slices."""
    digest = sha256()
    room = HASH_SLICE_BYTES
    for piece in pieces:
        view = memoryview(piece).cast("B")
        at = 0
        while at < len(view):
            if not room:
                yield
                room = HASH_SLICE_BYTES
            part = view[at : at + room]
            digest.update(part)
            at += len(part)
            room -= len(part)
    return digest.hexdigest()


def is_signed(name: str, value: bytes) -> bool:
    """Whether the header of that name, in lower case, is a part of the signature.

    A value with bytes beyond ASCII is left out where AWS allows that: it is not known as which
    characters AWS reads them.
    """
    if name == "host" or name.startswith(_SIGNED_ALWAYS):
        return True
    if name in UNSIGNED_HEADERS or name.startswith(_UNSIGNED_BEGINNINGS):
        return False
    return value.isascii()


def _choose_signed(headers: Sequence[HeaderField], url: ServerUrl) -> dict[str, str]:
    """Names and values as they are signed: blanks folded, one name's values joined in order."""
    signed: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("ascii").lower()
        if name in SIGNED_NAMES:
            raise Unusable(
                f"The header {name} is given, and the signature with AWS keys has its own.",
                hint="Leave the header out, or --aws-sigv4.",
            )
        if is_signed(name, raw_value):
            value = b" ".join(raw_value.split()).decode("latin-1")
            signed[name] = f"{signed[name]},{value}" if name in signed else value
    signed.setdefault("host", url.authority)
    return signed


@lru_cache(maxsize=4)
def _derive_key(secret: Secret, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret.reveal()}".encode()
    for part in (day, region, service, "aws4_request"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


# Path and query -----------------------------------------------------------------------------

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""RFC 3986 §2.3: what is never encoded; all else is, with capitals."""


def encode_query(target: str) -> str:
    """`target`, path and query, with a query in the one spelling that AWS has for its values.

    To be sent instead: then it is the same whether it is signed as written (botocore) or decoded
    and encoded anew (AWS). Who reads it as a form, as servers do, finds the same names and values
    in the same order: a `+` is a blank there, and a pair of nothing is not one. The path is not
    touched.
    """
    path, mark, query = target.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    spelled = (f"{_respell(name)}{equals}{_respell(value)}" for name, equals, value in pairs)
    return f"{path}{mark}{'&'.join(spelled)}"


def _respell(text: str) -> str:
    from urllib.parse import unquote_to_bytes

    return _encode(unquote_to_bytes(text.replace("+", " ")), _UNRESERVED)


def _encode(raw: bytes, plain: frozenset[int]) -> str:
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in raw)


def _sort_query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


_PLAIN_PATH = lazy_pattern(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")
"""A path that is signed as it is: nothing to encode, no dot segments."""


def _spell_path(path: str, scope: Scope) -> str:
    """The path as it is signed: dot segments and empty ones removed (RFC 3986 §5.2.4), encoded."""
    if not scope.encodes_path_again:
        return path
    if _PLAIN_PATH.fullmatch(path):
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if path.endswith("/") and kept else ""
    return _encode(f"/{'/'.join(kept)}{end}".encode(), _UNRESERVED | {ord("/")})
