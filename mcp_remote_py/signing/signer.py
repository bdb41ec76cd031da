"""Signs every request with AWS keys, which it keeps, and reads again in time (a `Signer`).

The keys are read again before they end, when what they came from has changed, and when AWS has
refused a request: once for all requests that need it. A refused request is sent again only where
there is something new to sign it with. Whose keys could not be read is not asked again for every
request, but at once where something has changed: `aws sso login` in another window helps at once.
Where AWS says that our clock is wrong, its time is taken. Must not know where keys come from, how a
request is signed, or which words a refusal is told in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from mcp_remote_py.aws.endpoints import is_shared
from mcp_remote_py.aws.keys import AwsKeys, FoundKeys
from mcp_remote_py.aws.refusal_words import explain_aws_refusal
from mcp_remote_py.aws.refusals import AwsRefusal, AwsRefusalKind, read_refusal
from mcp_remote_py.aws.sigv4 import (
    EMPTY_PAYLOAD,
    UNSIGNED_PAYLOAD,
    Scope,
    encode_query,
    hash_payload,
    sign_request,
)
from mcp_remote_py.channel import Clock, HeaderField, Signature
from mcp_remote_py.errors import McpRemoteError, Refused, Unusable, one_line
from mcp_remote_py.redact import Secret, remember_briefly, remember_tokens
from mcp_remote_py.time_words import describe_span
from mcp_remote_py.url import ServerUrl

logger = logging.getLogger("mcp_remote_py.signing")

AHEAD = 300.0
"""Seconds before their end at which keys are read again while the old ones are used; a quarter of
their time where that is less."""

ENDING = 30.0
"""Seconds before their end at which they are waited for: a request takes time to arrive. A tenth of
their time where that is less."""

STAMP_INTERVAL = 1.0
"""Seconds between two looks at what the keys came from, while they are good."""

HOLD = 5.0
"""Seconds in which keys are not read again without a sign of something new: after a failure, after
a refusal, and where what was read ends at once. A program that gives keys may take a second."""

LONGEST_HOLD = 60.0
"""Seconds that it grows to, doubled each time, where keys are asked for again and again and what is
in the way does not pass by itself: a program that gives keys may open a page each time."""

STIRRING_HOLD = 1.0
"""The same where something has changed meanwhile: it may have been what was missing."""

MAX_OFFSET = 86400.0
"""Seconds that our clock may be wrong: a signature is of a day, and who is further off is mended by
the person."""

OF_KEYS = frozenset(
    {
        AwsRefusalKind.EXPIRED_TOKEN,
        AwsRefusalKind.UNKNOWN_KEY,
        AwsRefusalKind.WRONG_SIGNATURE,
        AwsRefusalKind.FORBIDDEN,
    }
)
"""Refusals that other keys may mend, whatever their status."""

OF_RIGHTS = frozenset({AwsRefusalKind.FORBIDDEN, AwsRefusalKind.OTHER_METHOD})
"""Refusals that do not speak of the signature."""

NOT_READ = Refused("The AWS keys were not read.")
"""Said where the search was ended, as at the end of the process."""

LEAST_OFFSET = 30.0
"""Seconds of difference that may be why AWS refuses; it accepts five minutes."""


class AwsKeySource(Protocol):
    """Where keys come from."""

    async def load_keys(self) -> FoundKeys:
        """The keys as they are now; ends within a minute, may be cancelled.

        Raises:
            McpRemoteError: there are none; with the next step.
        """
        ...

    def stamps(self) -> object:
        """Differs from what it was before where other keys may be there now. Takes no time."""
        ...


class _Held(NamedTuple):
    """Keys in use, with when to read others; times are AWS's, in seconds since 1970."""

    read: FoundKeys
    renew_at: float
    ending_at: float
    ended_at: float


class _Failure(NamedTuple):
    error: McpRemoteError
    hold: float
    """Seconds."""
    until: float
    """On the clock that never goes back."""


class AwsSigner:
    """A `Signer` of one process, for one server. `now` gives seconds since 1970, as our clock says.

    `region` is "" where that of the keys is to be taken; `profile` is the one that has them, "" for
    the default, or those of the environment.

    Attributes:
        identity: whom the keys belong to, as far as that is known before they are read.
    """

    def __init__(
        self,
        source: AwsKeySource,
        service: str,
        region: str,
        clock: Clock,
        now: Callable[[], float],
        identity: str = "",
        profile: str = "",
    ) -> None:
        self._profile = profile
        self.identity = identity
        self._source = source
        self._service = service
        self._region = region
        self._clock = clock
        self._now = now
        self._held: _Held | None = None
        self._failure: _Failure | None = None
        self._loading: asyncio.Task[None] | None = None
        self._stamps: object = None
        self._looked_at = float("-inf")
        self._quiet_until = float("-inf")
        """Until then keys that are good are not read again unless something has changed."""
        self._refused_until = float("-inf")
        """The same after a refusal; other keys may be there at once."""
        self.offset = 0.0
        """Seconds that AWS's clock is ahead of ours."""
        self._told_offset = False

    # ------------------------------------------------------------------ a Signer

    def spell(self, url: ServerUrl) -> ServerUrl:
        """See `Signer`."""
        target = encode_query(url.target)
        return url if target == url.target else url.replace(target=target)

    def shares_host(self, url: ServerUrl) -> bool:
        """See `Signer`."""
        return is_shared(url.host)

    async def prepare(self, body: Sequence[memoryview]) -> Signature:
        """See `Signer`."""
        payload_hash = await self._hash(body)
        read = await self._get()
        if not (region := self._region or read.region) and self._has_changed(at_once=True):
            await asyncio.shield(self._load())
            read = await self._get()
            region = read.region
        if not region:
            raise Refused(
                "It is not known for which AWS region requests are to be signed: neither the URL "
                "nor AWS_REGION tells, nor do AWS's own files.",
                hint='Give --aws-region, or set AWS_REGION in "env" of the server\'s entry.',
            )
        return PreparedSignature(self, read.keys, Scope(self._service, region), payload_hash)

    async def refused(
        self, used: Signature, status: int, headers: Mapping[bytes, bytes], body: bytes
    ) -> bool:
        """See `Signer`."""
        if not isinstance(used, PreparedSignature):
            return False
        refusal = read_refusal(status, headers, body)
        if refusal is not None and refusal.kind is AwsRefusalKind.CLOCK:
            return self._take_time(used, refusal)
        if status not in (401, 403) and (refusal is None or refusal.kind not in OF_KEYS):
            return False
        if not self._uses(used):
            return True  # another request was refused before, and has read them since
        refused_until = max(self._refused_until, self._failure.until if self._failure else 0.0)
        is_time = self._clock.now() >= refused_until or self._has_changed(at_once=True)
        if is_time and self._loading is None:
            self._refused_until = self._clock.now() + HOLD
            self._load()
        if self._loading is not None:  # for whomever it was begun
            await asyncio.shield(self._loading)
        return self._held is not None and not self._uses(used)

    def is_of_signature(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """See `Signer`."""
        refusal = read_refusal(status, headers, body)
        return refusal is not None and refusal.kind not in OF_RIGHTS

    def explain(
        self, status: int, headers: Mapping[bytes, bytes], body: bytes
    ) -> tuple[str, str] | None:
        """See `Signer`."""
        refusal = read_refusal(status, headers, body)
        held = self._held
        if refusal is None or held is None:
            return None
        scope = Scope(self._service, self._region or held.read.region)
        cause, hint = explain_aws_refusal(refusal, scope, self._profile, self.time())
        return f"{cause} It was {self._describe_use(held.read)}.", hint

    async def aclose(self) -> None:
        """Ends what is under way. Raises nothing."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait({self._loading})

    # ------------------------------------------------------------------ keys

    async def _get(self) -> FoundKeys:
        """The keys to sign with.

        Raises:
            Refused: there are none.
        """
        if self._must_wait():
            await asyncio.shield(self._load())
        elif self._is_due():
            self._load()  # beside the requests
        held, failure = self._held, self._failure
        if held is not None and (failure is None or self.time() < held.ended_at):
            return held.read
        error = NOT_READ if failure is None else failure.error
        if isinstance(error, Refused):
            raise error.changed({})  # a copy: it is told to many
        raise Refused(error.cause, hint=error.hint)

    def _must_wait(self) -> bool:
        held, failure = self._held, self._failure
        if failure is not None:
            # What was in the way may still be, and may be slow: only whoever needs keys waits.
            if self._has_changed(at_once=True):
                return True
            is_needed = held is None or self.time() >= held.ending_at
            return is_needed and self._clock.now() >= failure.until
        if held is None or self._has_changed():
            return True
        return self.time() >= held.ending_at and self._clock.now() >= self._quiet_until

    def _is_due(self) -> bool:
        held, failure = self._held, self._failure
        if held is None:
            return False
        if failure is not None:
            return self._clock.now() >= failure.until
        return self.time() >= held.renew_at and self._clock.now() >= self._quiet_until

    def _has_changed(self, *, at_once: bool = False) -> bool:
        now = self._clock.now()
        if not at_once and now < self._looked_at + STAMP_INTERVAL:
            return False
        self._looked_at = now
        return self._source.stamps() != self._stamps

    def _uses(self, used: PreparedSignature) -> bool:
        held = self._held
        if held is None or held.read.keys != used.keys:
            return False
        return used.region == (self._region or held.read.region)

    def _load(self) -> asyncio.Task[None]:
        """Reads the keys, once for all who ask meanwhile; what comes of it is in the members."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._read())
            self._loading.add_done_callback(self._end_loading)
        return self._loading

    def _end_loading(self, loading: asyncio.Task[None]) -> None:
        self._loading = None
        if not loading.cancelled():
            loading.exception()  # each waiter saw it; this says so to asyncio

    async def _read(self) -> None:
        before = self._source.stamps()
        try:
            read = await self._source.load_keys()
        except McpRemoteError as error:
            self._fail(error, is_stirring=self._source.stamps() != before)
            return
        keys = read.keys
        remember_tokens(
            [keys.secret_access_key] + ([keys.session_token] if keys.session_token else [])
        )
        self._held = self._hold(read)
        self._failure = None
        # As it is now: the search itself may have written what it found, and knows more places.
        self._stamps = self._source.stamps()
        self._looked_at = self._clock.now()
        self._quiet_until = max(self._quiet_until, self._clock.now() + HOLD)
        logger.debug("Requests are %s.", self._describe_use(read))

    def _hold(self, read: FoundKeys) -> _Held:
        end = read.keys.expires_at
        if end is None:
            never = float("inf")
            return _Held(read, never, never, never)
        left = max(end - self.time(), 0.0)
        return _Held(read, end - min(AHEAD, left / 4), end - min(ENDING, left / 10), end)

    def _fail(self, error: McpRemoteError, *, is_stirring: bool) -> None:
        """`is_stirring` tells that something has changed while the keys were looked for."""
        said, words = self._failure, error.sentence()
        hold = STIRRING_HOLD if is_stirring else self._choose_hold(error)
        self._failure = _Failure(error, hold, self._clock.now() + hold)
        self._stamps = self._source.stamps()
        held = self._held
        if held is not None and self.time() < held.ended_at:
            # What worked is used as long as it does; a header that was given is sent, too.
            is_new = said is None or said.error.sentence() != words
            level = logging.WARNING if is_new else logging.DEBUG
            logger.log(level, "The AWS keys could not be read again: %s", words)

    def _choose_hold(self, error: McpRemoteError) -> float:
        last = self._failure
        if last is None or (isinstance(error, Refused) and error.is_passing):
            return HOLD
        if self._clock.now() > last.until + LONGEST_HOLD:
            return HOLD  # nobody asked for long
        return min(max(2 * last.hold, HOLD), LONGEST_HOLD)

    # ------------------------------------------------------------------ time

    def time(self) -> float:
        """AWS's time, as far as we know it, in seconds since 1970."""
        return self._now() + self.offset

    def _take_time(self, used: PreparedSignature, refusal: AwsRefusal) -> bool:
        """Whether AWS's time is another than the request was signed with."""
        if used.offset != self.offset:
            return True  # another request was refused before
        if refusal.server_time is None:
            return False
        offset = refusal.server_time - self._now()
        if abs(offset) > MAX_OFFSET or abs(offset - self.offset) < LEAST_OFFSET:
            return False
        self.offset = offset
        if not self._told_offset:
            self._told_offset = True
            logger.warning(
                "The clock of this machine is %s %s AWS's, which refuses what is signed by it: "
                "requests are signed by AWS's time from now on. Set the clock.",
                describe_span(abs(offset)),
                "behind" if offset > 0 else "ahead of",
            )
        return True

    # ------------------------------------------------------------------ bodies and words

    async def _hash(self, body: Sequence[memoryview]) -> str:
        """The hash of the body; the loop breathes meanwhile."""
        if not body:
            return EMPTY_PAYLOAD
        if not Scope(self._service, "").signs_payload:
            return UNSIGNED_PAYLOAD
        steps = hash_payload(body)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return str(end.value)
            await asyncio.sleep(0)

    def _describe_use(self, read: FoundKeys) -> str:
        """Which keys are used, and for what: nothing of it is secret."""
        return one_line(
            f"signed with the key {read.keys.access_key_id} from {read.source} "
            f"for {self._service} in {self._region or read.region}"
        )


class PreparedSignature:
    """A `Signature`: keys, what they sign for, and the hash of a body."""

    def __init__(self, owner: AwsSigner, keys: AwsKeys, scope: Scope, payload_hash: str) -> None:
        self._owner = owner
        self.keys = keys
        self.region = scope.region
        self._scope = scope
        self._hash = payload_hash
        self.offset = owner.offset
        """That of the time it was signed with."""
        self._made = ""

    def sign(
        self, method: bytes, url: ServerUrl, headers: Sequence[HeaderField]
    ) -> list[HeaderField]:
        """See `Signature`."""
        self.offset = self._owner.offset
        try:
            added = sign_request(
                self.keys,
                self._scope,
                method=method,
                url=url,
                headers=headers,
                payload_hash=self._hash,
                at=self._owner.time(),
            )
        except ValueError:  # a header's name that is not ASCII
            raise Unusable("The request has a header that cannot be signed.") from None
        self._made = added[-1][1].rpartition(b"=")[2].decode("ascii")
        return [*headers, *added]

    def hide(self) -> None:
        """See `Signature`."""
        remember_briefly(Secret(self._made))
