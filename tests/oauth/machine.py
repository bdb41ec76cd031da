"""A person's machine in small: processes, a disk, kernel locks, servers, a clock; no I/O.

Every process plays the real conversations (`session`, `flow`), a step at a time. Whatever the
world may do in more than one way is a choice, and an `Oracle` makes it: `explore` leads it
through every sequence of choices. `Watchdog` is who notices what must never happen. Must not know
the policy's table.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from math import inf
from random import Random
from typing import TypeVar, cast
from urllib.parse import parse_qsl, unquote

from mcp_remote_py.errors import Interrupted, McpRemoteError, NotSent, StoreError
from mcp_remote_py.oauth import flow
from mcp_remote_py.oauth.budget import DAY, SignInBudget, apply_late, note_sign_in
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.lifecycle import LOOK_INTERVAL, CredentialLifecycle
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    AnyStep,
    AskUser,
    BindListener,
    Callback,
    Client,
    Conversation,
    Credential,
    Fetch,
    Forget,
    HttpRequest,
    HttpResponse,
    Judge,
    Load,
    Lock,
    NobodyCame,
    NobodyYet,
    PendingAuthorization,
    Probe,
    ReadShared,
    RecordStatus,
    ReleaseLock,
    Renew,
    Report,
    Reserve,
    Save,
    SavePending,
    SharedState,
    ShowPage,
    UpdateBudget,
    WaitForNews,
)
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings

SERVER = "https://mcp.example/mcp"
ISSUER = "https://as.example"
REDIRECT_URIS = ("http://localhost:3334/oauth/callback",)
SETTINGS = SignInSettings(static_client=Secret('{"client_id": "by-hand"}'))
CLIENT_SECRET = "canary/+=secret"
SECRET_SETTINGS = SignInSettings(
    static_client=Secret(
        json.dumps({"client_id": "by-hand", "client_secret": CLIENT_SECRET, "issuer": ISSUER})
    )
)
"""With a client that has to prove itself, and whose server reads that in one way only."""
START = 1_000_000.0
LIFETIME = 3600.0
ATTEMPTS = 3
"""How often the HTTP side sends one request again with another token."""
MAX_RENEWALS = 10
"""Requests in thirty seconds, each of which has another reason; codes are bounded by tabs."""
MAX_DOUBTS = 3
"""Refusals of a refresh token that give no reason, of which one is the last."""
REFRESH_ANSWERS: tuple[str, ...] = ("tokens", "doubt", "refused", "503", "lost", "unsent")
"""What may come of a good refresh token; "page" is for a token endpoint behind a gateway."""
PAGE_SPACING = 60.0
"""Seconds within which a page that comes in the place of a refusal counts once."""
MAX_STRANGERS = 3
"""Requests for one grant, in thirty seconds, by a client that the server does not know: each way to
send its secret."""
MAX_STEPS = 400
"""Of one run: a conversation that takes more goes round in circles."""

UNAUTHORIZED = Challenge(error="invalid_token")
SCOPE_WANTED = Challenge(error="insufficient_scope", scope="write")
CHALLENGES = {401: UNAUTHORIZED, 403: SCOPE_WANTED, 500: Challenge(error="unauthorized")}


T = TypeVar("T")


class Violation(AssertionError):
    """Something happened that must never happen."""


class Oracle:
    """Makes the choices of one run: those of a prefix first, then always the first one.

    Each `order` has the options in another order, 0 as they are given.
    """

    def __init__(self, prefix: list[int], order: int = 0) -> None:
        self._prefix = prefix
        self._order = order
        self.made: list[tuple[int, int]] = []
        """Each choice made, and of how many."""
        self.names: list[str] = []

    @property
    def is_replaying(self) -> bool:
        """Whether choices of the prefix are left."""
        return len(self.made) < len(self._prefix)

    def choose(self, what: str, *options: str) -> str:
        """One of the options."""
        at = len(self.made)
        choice = self._prefix[at] if at < len(self._prefix) else 0
        self.made.append((choice, len(options)))
        chosen = options[choice]
        if self._order:
            shuffled = Random(1000 * self._order + at)  # noqa: S311 - the same each time
            chosen = shuffled.sample(options, len(options))[choice]
        self.names.append(f"{what}: {chosen}")
        return chosen


def explore(run: Callable[[Oracle], None], order: int = 0) -> Iterator[Oracle]:
    """Runs every sequence of choices, depth first; yields the oracle of each run.

    Raises:
        Violation: one of them led to what must never happen; its choices are in the text.
    """
    prefix: list[int] = []
    while True:
        oracle = Oracle(prefix, order)
        try:
            run(oracle)
        except Violation as violation:
            raise Violation(f"{violation} after " + "; ".join(oracle.names)) from violation
        yield oracle
        prefix = [choice for choice, _ in oracle.made]
        while prefix and prefix[-1] + 1 == oracle.made[len(prefix) - 1][1]:
            prefix.pop()
        if not prefix:
            return
        prefix[-1] += 1


@dataclass
class Watchdog:
    """Sees what goes out and what is written, and knows the bounds by its own arithmetic."""

    tabs: list[float] = field(default_factory=list[float])
    vain_tabs: int = 0
    """In a row, without a token that the server took in between."""
    renewals: list[float] = field(default_factory=list[float])
    failed_renewals: int = 0
    """In a row, without a verdict."""
    unproven: tuple[str, float] | None = None
    """The token of the last renewal that was stored, and its time, as long as it is not taken."""
    excuses: int = 0
    """Times that something was killed or could not be written: it may be made good at once."""
    spent: set[str] = field(default_factory=set[str])
    """Codes that were redeemed, and refresh tokens that were answered."""
    scopes: set[str] = field(default_factory=set[str])
    shown: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """By its state, when the page of a sign-in was opened."""
    strangers: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """When codes and refresh tokens came with a client which the server did not know."""

    def see_stranger(self, now: float, grant: str) -> None:
        self.strangers.append((now, grant))
        if sum(now - time < 30 and one == grant for time, one in self.strangers) > MAX_STRANGERS:
            raise Violation("a client is sent in more ways than there are")

    def see_page(self, now: float, state: str, scope: str) -> None:
        shown = self.shown.setdefault(state, [])
        if not shown:
            self.see_tab(now, scope)
        elif len(shown) == 2:
            raise Violation("a page is shown a third time")
        elif now - shown[0] < 30:
            raise Violation("a page is shown again within thirty seconds")
        else:
            self._see_any_tab(now)
        shown.append(now)

    def see_tab(self, now: float, scope: str) -> None:
        is_step_up = "write" in scope.split()
        if is_step_up and scope in self.scopes:
            raise Violation("a tab for scopes that were asked for before")
        self.scopes.add(scope)
        recent = [time for time in self.tabs if now - time < 600]
        if self.vain_tabs and recent:
            raise Violation("a tab within ten minutes of one that came to nothing")
        if len(recent) >= 2 and not is_step_up:
            raise Violation("a third tab within ten minutes")
        self._see_any_tab(now)

    def _see_any_tab(self, now: float) -> None:
        if len([time for time in self.tabs if now - time < 86400]) >= 10:
            raise Violation("an eleventh tab within a day")
        self.tabs.append(now)
        self.vain_tabs += 1

    def see_code(self, code: str) -> None:
        if code in self.spent:
            raise Violation("a code is used twice")
        self.spent.add(code)

    def see_renewal(self, now: float) -> None:
        last = self.renewals[-1] if self.renewals else -inf
        self.renewals.append(now)
        if len([time for time in self.renewals if now - time < 30]) > MAX_RENEWALS:
            raise Violation("too many renewals in thirty seconds")
        is_early = self.failed_renewals > 0 and now - last < 2 ** (self.failed_renewals - 1)
        is_vain = self.unproven is not None and now - self.unproven[1] < 30
        if (is_early or is_vain) and self.excuses:
            self.excuses -= 1
        elif is_early:
            raise Violation("a renewal that failed is tried again too soon")
        elif is_vain:
            raise Violation("a renewal within thirty seconds of one whose token was not taken")

    def see_renewed(self, *, has_verdict: bool) -> None:
        self.failed_renewals = 0 if has_verdict else self.failed_renewals + 1

    def see_acceptance(self, token: str) -> None:
        self.vain_tabs = 0
        if self.unproven is not None and self.unproven[0] == token:
            self.unproven = None

    def see_sign_in_by_command(self) -> None:
        """A person's own: the count begins anew."""
        self.tabs.clear()
        self.vain_tabs = 0


class Machine:
    """Everything but the processes' own memory."""

    def __init__(
        self,
        oracle: Oracle,
        make_session: Callable[[Machine], CredentialLifecycle],
        credential: Credential | None = None,
        budget: SignInBudget | None = None,
        settings: SignInSettings = SETTINGS,
        patience: float = 0.0,
    ) -> None:
        self.oracle = oracle
        self.settings = settings
        self.way = ""
        """The way in which the server reads the client's secret; "" until it is asked."""
        self.is_way_known = False
        """Whether somebody was given tokens in that way, and has stored them."""
        self.is_lifetime_unknown = credential is not None and credential.expires_at is None
        """Whether tokens come without an end, and what is refused may be for another reason."""
        self.patience = patience
        """Seconds a request waits for a renewal that failed."""
        self.refresh_answers = REFRESH_ANSWERS
        self.doubts = 0
        """Refusals without a reason of the refresh token that is good."""
        self.doubted_at = -inf
        """When the last of them was counted."""
        self.now = START
        self.credential = credential
        self.pending: PendingAuthorization | None = None
        self.budget = SignInBudget() if budget is None else budget
        self.locks: dict[Lock, Process] = {}
        self.watchdog = Watchdog()
        self.steps = 0
        self.random_count = 0
        self.issued = 0
        self.renewed: set[str] = set()
        """Access tokens that a renewal gave."""
        self.good_refresh_tokens = {"refresh-0"}
        self.refused_refresh_tokens: set[str] = set()
        self.taken_tokens: set[Secret] = set()
        """Access tokens that the server has accepted."""
        if credential is not None and budget is not None and credential.access_token is not None:
            self.taken_tokens.add(credential.access_token)
        self.hopeless: Secret | None = None
        """The access token that was refused though it was new, and had not expired."""
        self.make_session = make_session
        self.reports: list[str] = []
        self.published: list[RecordStatus] = []
        self.is_recorded = True
        """Whether there is still a record of the sign-in that is kept."""
        self.faults = 0
        """Times the disk may still fail."""
        self.is_broken = False
        """Whether it fails at any write, until the next event."""
        self.has_failed = False
        self.has_killed = False
        self.processes: dict[str, Process] = {}
        self.consents = 0
        self.device_codes = False
        self.by_hand = False
        """Whether the person carries the redirect over by hand."""
        self.unanswered = 0

    def random_bytes(self, count: int) -> bytes:
        self.random_count += 1
        return self.random_count.to_bytes(4, "big") * (count // 4)

    # What the servers do ---------------------------------------------------------------------

    def reply(self, token: Secret | None) -> int:
        """The MCP server's status for a request; any server is thinkable."""
        if token is None:
            return 401
        in_doubt = ("500",) if self.is_lifetime_unknown else ()
        answer = self.oracle.choose("server", "200", "401", "403", *in_doubt)
        if answer == "200":
            self.watchdog.see_acceptance(token.reveal())
            self.taken_tokens.add(token)
        if answer in ("200", "403"):
            self.hopeless = (
                None  # a server that wants more scopes has understood it (RFC 6750 §3.1)
            )
        elif answer == "401" and token not in self.taken_tokens and self._is_current(token):
            self.hopeless = token
        return int(answer)

    def _is_current(self, token: Secret | None) -> bool:
        """Whether it is the one that is stored, and not about to end."""
        stored = self.credential
        return (
            stored is not None
            and stored.access_token == token
            and token is not None
            and (stored.expires_at is None or self.now < stored.expires_at - 60)
        )

    def open_tab(self, pending: PendingAuthorization) -> None:
        """A browser shows it."""
        scope, stored = pending.credential.scope, self.credential
        if "write" not in scope.split():
            self._check_hope()
            refresh_token = None if stored is None else stored.refresh_token
            if refresh_token is not None and refresh_token.reveal() in self.good_refresh_tokens:
                raise Violation("a person is asked where a renewal may do")
        self.watchdog.see_page(self.now, pending.state.reveal(), scope)

    def _check_hope(self) -> None:
        if self._is_current(self.hopeless):
            raise Violation("a new token that was refused is answered by another one")

    def fetch(self, request: HttpRequest) -> HttpResponse:
        url = request.url.partition("?")[0]
        if url == "https://mcp.example/.well-known/oauth-protected-resource/mcp":
            return _document({"resource": SERVER, "authorization_servers": [ISSUER]})
        if url == f"{ISSUER}/.well-known/oauth-authorization-server":
            return _document(
                {
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    **(
                        {"device_authorization_endpoint": f"{ISSUER}/d"}
                        if self.device_codes
                        else {}
                    ),
                }
            )
        if url == f"{ISSUER}/d":
            return _document({})
        if url != f"{ISSUER}/token":
            return HttpResponse(404, {}, b"")
        assert request.body is not None
        form = dict(parse_qsl(request.body.reveal()))
        grant = form.get("code") or form["refresh_token"]
        if self.settings is SECRET_SETTINGS and not self._knows_client(request, form):
            if self.is_way_known:
                raise Violation("a client is not sent in the way that worked")
            self.watchdog.see_stranger(self.now, grant)
            if self.way == "nobody":
                self.refused_refresh_tokens.add(grant)  # a verdict, if it stays the last one
            return _document({"error": "invalid_client"}, 401)
        if form["grant_type"] == "authorization_code":
            return self._redeem(grant)
        return self._refresh(grant)

    def _knows_client(self, request: HttpRequest, form: dict[str, str]) -> bool:
        """Whether the secret is sent in the way that this server reads."""
        self.way = self.way or self.oracle.choose("client", "basic", "plain", "post", "nobody")
        headers = {name.lower(): value.reveal() for name, value in request.headers}
        sent = headers.get("authorization", "").removeprefix("Basic ")
        secret = base64.b64decode(sent).decode().partition(":")[2]
        ways = {
            "plain": secret == CLIENT_SECRET,
            "basic": secret != CLIENT_SECRET and unquote(secret) == CLIENT_SECRET,
            "post": not sent and form.get("client_secret") == CLIENT_SECRET,
        }
        return ways.get(self.way, False)

    def _redeem(self, code: str) -> HttpResponse:
        self.watchdog.see_code(code)
        match self.oracle.choose("code", "tokens", "refused", "500"):
            case "tokens":
                return self._give_tokens()
            case "refused":
                return _document({"error": "invalid_grant"}, 400)
            case _:
                return HttpResponse(500, {}, b"")

    def _refresh(self, token: str) -> HttpResponse:
        if self.doubts == MAX_DOUBTS and not self.watchdog.excuses:
            raise Violation("a refresh token that was refused three times is used")
        if token not in self.good_refresh_tokens:
            # Spent or revoked: reuse ends all that came of it (RFC 9700 §4.14.2).
            self.watchdog.see_renewal(self.now)
            self.watchdog.see_renewed(has_verdict=True)
            if token in self.watchdog.spent:
                raise Violation("a refresh token is used whose successor is stored")
            if any(one.has_good_refresh_token for one in self.processes.values()):
                raise Violation("a refresh token is used whose successor another process has")
            self.refused_refresh_tokens.add(token)
            self.good_refresh_tokens.clear()
            return _document({"error": "invalid_grant"}, 400)
        answer = self.oracle.choose("refresh", *self.refresh_answers)
        self.watchdog.see_renewal(self.now)
        self.watchdog.see_renewed(has_verdict=answer in ("tokens", "refused"))
        if answer == "unsent":
            raise NotSent("The token endpoint cannot be reached.")
        self._check_hope()
        match answer:
            case "tokens":
                self.good_refresh_tokens.discard(token)
                self.renewed.add(f"access-{self.issued + 1}")
                return self._give_tokens()
            case "refused":
                self.refused_refresh_tokens.add(token)
                self.good_refresh_tokens.clear()
                return _document({"error": "invalid_grant"}, 400)
            case "503":
                return HttpResponse(503, {}, b"")
            case "doubt" | "page":
                return self._doubt(token, is_page=answer == "page")
            case _:
                self.good_refresh_tokens.discard(token)
                raise Interrupted("The answer was lost.")

    def _doubt(self, token: str, *, is_page: bool) -> HttpResponse:
        if not is_page or not self.doubts or self.now - self.doubted_at >= PAGE_SPACING:
            self.doubts += 1
            self.doubted_at = self.now
        if self.doubts == MAX_DOUBTS:
            self.refused_refresh_tokens.add(token)
            self.good_refresh_tokens.clear()
        if is_page:
            return HttpResponse(400, {"content-type": "text/html"}, b"<h1>Bad Request</h1>")
        return _document({"message": "Not possible."}, 400)

    def _give_tokens(self) -> HttpResponse:
        self.issued += 1
        self.doubts = 0
        self.now += 0.01
        self.good_refresh_tokens.add(f"refresh-{self.issued}")
        return _document(
            {
                "access_token": f"access-{self.issued}",
                "refresh_token": f"refresh-{self.issued}",
                "expires_in": None if self.is_lifetime_unknown else LIFETIME,
            }
        )

    # What is written -------------------------------------------------------------------------

    def save(self, credential: Credential, by: Process) -> None:
        stored = self.credential
        if by is not self.locks.get(Lock.STORE):
            raise Violation("something is stored without the lock")
        if (
            stored is not None
            and stored.access_token is not None
            and credential.obtained_at < stored.obtained_at
            and (credential.access_token is not None or stored not in by.seen)
        ):
            raise Violation("a newer credential is overwritten")
        if stored is not None and stored.refresh_token is not None:
            token = stored.refresh_token.reveal()
            if credential.access_token is None and token not in self.refused_refresh_tokens:
                raise Violation("a credential is dropped without a verdict")
            if credential.refresh_token != stored.refresh_token:
                self.watchdog.spent.add(token)
        given = credential.access_token
        if given is not None:
            is_renewed = given.reveal() in self.renewed and given not in self.taken_tokens
            self.watchdog.unproven = (given.reveal(), self.now) if is_renewed else None
        self.credential = credential
        self.is_way_known = self.is_way_known or self.issued > 0

    def fails(self, what: str) -> None:
        """The disk may not take it; then nothing has changed.

        Raises:
            StoreError: it does not.
        """
        happens = "works"
        if self.is_broken:
            happens = "fails"
        elif self.faults:
            happens = self.oracle.choose(f"the disk at {what}", "works", "fails", "is broken")
            self.faults -= happens != "works"
            self.is_broken = happens == "is broken"
        if happens != "works":
            self.has_failed = True
            self.watchdog.excuses += 1
            raise StoreError(f"The disk failed at {what}.")

    def write(self, budget: SignInBudget) -> None:
        """The budget on disk becomes another one."""
        opened = set(self.budget.tabs) & set(self.watchdog.tabs)
        if any(self.now - DAY < time and time not in budget.tabs for time in opened):
            raise Violation("the budget forgets a tab")
        self.budget = budget

    def forget(self, by: Process) -> bool:
        if self.credential is not None and self.credential not in by.seen:
            raise Violation("a credential is deleted by who has not seen it")
        existed, self.credential = self.credential is not None, None
        return existed


@dataclass
class _Blocked:
    """A step that cannot be done yet."""


BLOCKED = _Blocked()


class Process:
    """One start of the command, and the request of its host that is under way."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine = machine
        self.name = name
        self.session = machine.make_session(machine)
        self.unwritten: list[Callable[[SignInBudget], SignInBudget]] = []
        """Changes of the budget that the disk did not take."""
        machine.processes[name] = self
        self.seen: list[Credential] = []
        self._work: Generator[AnyStep, object, None] | None = None
        self._step: AnyStep | None = None
        self._shown = False
        self.is_new = True
        """Whether it has done nothing yet: then it is as any other that is new."""
        self.is_stopped = False
        """Whether it could go on, and another process came first."""

    @property
    def budget(self) -> SignInBudget:
        """The one on disk, with what could not be written."""
        return reduce(apply_late, self.unwritten, self.machine.budget)

    @property
    def has_good_refresh_token(self) -> bool:
        """Whether it could renew, without anything that is stored."""
        credential = self.session.credential
        token = None if credential is None else credential.refresh_token
        return token is not None and token.reveal() in self.machine.good_refresh_tokens

    @property
    def is_idle(self) -> bool:
        return self._work is None

    def begin_request(self) -> None:
        """The host sends a request."""
        self.is_new = False
        self.machine.unanswered += 1
        self._work = self._serve()
        self._advance(None)

    def play(self, conversation: Conversation[T], turns: int = 50) -> T:
        """Its outcome, whatever it waits for coming at its turn.

        Raises:
            McpRemoteError: what the conversation raises.
        """
        ends: list[object] = []

        def work() -> Generator[AnyStep, object, None]:
            try:
                ends.append((yield from self._play(conversation)))
            except McpRemoteError as error:
                ends.append(error)

        self._work = work()
        self._advance(None)
        for _ in range(turns):
            self.run(lambda _: False)
            if ends:
                break
        (end,) = ends
        if isinstance(end, McpRemoteError):
            raise end
        return cast("T", end)

    def kill(self) -> None:
        """With -9: nothing is tidied up but what the kernel does."""
        machine = self.machine
        machine.has_killed = True
        machine.watchdog.excuses += 1
        if self._work is not None:
            machine.unanswered -= 1  # nobody is left to be answered
        for lock in [lock for lock, holder in machine.locks.items() if holder is self]:
            del machine.locks[lock]
        self.__init__(machine, self.name)

    def run(self, stops: Callable[[AnyStep], bool]) -> None:
        """Goes on until the request is answered, a step blocks, or one of them is a stop."""
        first = True
        self.is_stopped = False
        while self._work is not None:
            step = cast("AnyStep", self._step)
            if not first and stops(step):
                self.is_stopped = True
                return
            first = False
            self.machine.steps += 1
            if self.machine.steps > MAX_STEPS:
                raise Violation("no end")
            try:
                answer = self._do(step)
            except McpRemoteError as error:
                self._advance(error)
                continue
            if answer is BLOCKED:
                return
            self._advance(answer)

    def _advance(self, answer: object) -> None:
        work = self._work
        assert work is not None
        self._shown = False
        try:
            if isinstance(answer, McpRemoteError):
                self._step = work.throw(answer)
            else:
                self._step = work.send(answer)
        except StopIteration:
            self._work = self._step = None

    # The host's request ----------------------------------------------------------------------

    def _serve(self) -> Generator[AnyStep, object, None]:
        machine = self.machine
        token: Secret | None = None
        status = 0
        with suppress(McpRemoteError):
            yield from self._play(self.session.store_again())
        try:
            for _ in range(ATTEMPTS + 1):
                token = yield from self._play(self.session.authorize())
                status = machine.reply(token)
                if status == 200:
                    assert token is not None
                    change = self.session.note_acceptance(token)
                    if change is not None:
                        self.session.learn(self._amend(UpdateBudget(change)))
                    break
                challenge = CHALLENGES[status]
                if not (yield from self._play(self.session.answer(token, status, challenge))):
                    break
        except McpRemoteError:
            self._check_that_all_was_tried(token, status)
        machine.unanswered -= 1

    def _check_that_all_was_tried(self, sent: Secret | None, status: int) -> None:
        """The request ends with an error: nothing must be left that would have helped it."""
        machine = self.machine
        last_opened = max(machine.watchdog.tabs, default=-inf)
        counted = [time for time in machine.budget.tabs if time > last_opened]
        is_alone = machine.unanswered == 1  # else another one may be about to open it
        if counted and machine.pending is None and is_alone and not machine.has_killed:
            raise Violation("the budget counts a tab that was not opened")
        if machine.has_failed:
            return  # the disk may know nothing of what was got
        stored, pending = machine.credential, machine.pending
        renewable = stored is not None and stored.refresh_token is not None
        if (
            pending is not None
            and machine.now < pending.expires_at
            and not machine.locks
            and not renewable  # soon, without anybody
        ):
            raise Violation("a tab is open, and nobody waits for it")
        if (
            status == 401  # after 403, another token would be for the same scopes
            and stored is not None
            and stored.access_token not in (None, sent)
            and (stored.expires_at is None or machine.now < stored.expires_at)
        ):
            raise Violation("another token is stored, and was not tried")

    def _play(self, conversation: Conversation[T]) -> Generator[AnyStep, object, T]:
        """The outcome of a conversation, at whose end its locks are free."""
        try:
            return (yield from self._with_renewals(conversation))
        finally:
            for lock in Lock:
                if lock is not Lock.UNSAVED or not self.session.is_unsaved:
                    self._release(lock)

    def _with_renewals(self, conversation: Conversation[T]) -> Generator[AnyStep, object, T]:
        answer: object = None
        failure: McpRemoteError | None = None
        while True:
            try:
                if failure is None:
                    step = conversation.send(answer)
                else:
                    step = conversation.throw(failure)
            except StopIteration as end:
                return end.value
            answer, failure = None, None
            try:
                if isinstance(step, Renew):
                    yield step
                    answer = yield from flow.renew(
                        step.credential, self.machine.settings, os.urandom, self.machine.now
                    )
                else:
                    answer = yield step
            except McpRemoteError as error:
                failure = error

    # Steps -----------------------------------------------------------------------------------

    def _do(self, step: AnyStep) -> object:
        machine = self.machine
        match step:
            case BindListener():
                return REDIRECT_URIS
            case Fetch():
                return machine.fetch(step.request)
            case AcquireLock():
                return self._hold(step)
            case ReleaseLock():
                self._release(step.lock)
            case WaitForNews():
                return self._watch(step)
            case AskUser():
                return self._ask(step)
            case Report():
                machine.reports.append(step.text)
            case RecordStatus():
                machine.published.append(step)
            case Renew() | Judge() | ShowPage():
                pass
            case _:
                return self._do_on_disk(step)
        return None

    def _do_on_disk(self, step: AnyStep) -> object:
        machine = self.machine
        match step:
            case ReadShared():
                self._see()
                told = machine.published[-1] if machine.published else RecordStatus(None)
                recorded = machine.credential if machine.is_recorded else None
                return SharedState(
                    machine.credential,
                    machine.pending,
                    self.budget,
                    told.error,
                    told.hint,
                    signed_in_at=recorded and recorded.obtained_at,
                )
            case Load():
                self._see()
                return machine.credential
            case Probe() | Reserve():
                machine.fails(type(step).__name__)
            case Save():
                machine.fails("Save")
                machine.save(step.credential, self)
                self._see()
            case Forget():
                return machine.forget(self)
            case SavePending():
                machine.fails("Await")
                machine.pending = step.pending
            case _:
                assert isinstance(step, UpdateBudget)
                return self._amend(step)
        return None

    def _amend(self, step: UpdateBudget) -> SignInBudget:
        try:
            self.machine.fails("Amend")
        except StoreError:
            if step.must_last:
                raise
            self.unwritten.append(step.change)
            return self.budget
        if step.change is note_sign_in:
            self.machine.watchdog.see_sign_in_by_command()
        self.machine.write(step.change(self.budget))
        self.unwritten.clear()
        return self.machine.budget

    def _see(self) -> None:
        if self.machine.credential is not None:
            self.seen.append(self.machine.credential)

    def _release(self, lock: Lock) -> None:
        if self.machine.locks.get(lock) is self:
            del self.machine.locks[lock]

    def _hold(self, step: AcquireLock) -> object:
        holder = self.machine.locks.setdefault(step.lock, self)
        if holder is self:
            return True
        return BLOCKED if step.patience else False

    def _watch(self, step: WaitForNews) -> object:
        """Ends when it is this process's turn again."""
        if step.seconds == LOOK_INTERVAL and not self._shown:
            self._shown = True
            return BLOCKED
        self.machine.now += step.seconds
        return None

    def _ask(self, step: AskUser) -> object:
        machine, pending = self.machine, step.pending
        if not step.listens:
            return self._join(pending)
        if not self._shown:
            self._shown = True
            if self is not machine.locks.get(Lock.SIGN_IN):
                raise Violation("a person is asked without the lock")
            if step.opens_tab:
                machine.open_tab(pending)
            if machine.pending is None:
                raise Violation("a tab is open that nobody else could finish")
            return BLOCKED
        if machine.pending is None or machine.pending.state != pending.state:
            return None
        may_come = step.patience is not None
        options = ("consents", "denies", "is away" if may_come else "closes")
        in_time = machine.now < pending.expires_at
        match machine.oracle.choose("person", *options) if in_time else "closes":
            case "consents":
                machine.consents += 1
                code = f"code {machine.consents} of {pending.state.reveal()}"
                return Callback({"code": code, "state": pending.state.reveal()})
            case "denies":
                return Callback({"error": "access_denied", "state": pending.state.reveal()})
            case "is away":
                machine.now += step.patience or 0.0
                raise NobodyYet("Nobody came yet.")
            case _:
                machine.now = max(machine.now, pending.expires_at)
                raise NobodyCame("Nobody came.", hint="Try again.")

    def _join(self, pending: PendingAuthorization) -> object:
        """A person looks at the page of another process, and may bring its end by hand."""
        machine = self.machine
        if machine.pending is None or machine.pending.state != pending.state:
            return None
        if not machine.by_hand:
            return BLOCKED
        state = pending.state.reveal()
        return Callback({"code": f"code of {state}", "state": state})


def signed_in(*, refreshable: bool = True, expires_in: float = LIFETIME) -> Credential:
    """A sign-in of some time ago."""
    return Credential(
        ISSUER,
        f"{ISSUER}/token",
        Client("by-hand", "static"),
        REDIRECT_URIS[0],
        resource=SERVER,
        scope="read",
        access_token=Secret("access-0"),
        refresh_token=Secret("refresh-0") if refreshable else None,
        obtained_at=START - 100,
        expires_at=START + expires_in,
    )


def _document(members: object, status: int = 200) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json"}, json.dumps(members).encode())
