"""The agent in a written world: a web by URL, a person, a clock, one lock for all processes.

What counts is what the world saw: tabs, requests by kind, pages shown, ports given back. Must not
know the order in which the flows ask.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import import_key

from mcp_remote_py.channel import Sent
from mcp_remote_py.credentials.keys import choose_store
from mcp_remote_py.credentials.lock import Held, LockBusy, ProcessLock
from mcp_remote_py.credentials.store import MemoryStore, Store, StoreError
from mcp_remote_py.errors import Interrupted, McpRemoteError, NotSent, Refused
from mcp_remote_py.oauth.budget import (
    RENEWAL_PATIENCE,
    RENEWAL_SPACING,
    TAB_COOL_DOWNS,
    SignInBudget,
    note_accepted,
    note_renewal,
    note_renewed,
)
from mcp_remote_py.oauth.dpop import make_key
from mcp_remote_py.oauth.lifecycle import LOOK_INTERVAL
from mcp_remote_py.oauth.steps import (
    Callback,
    Client,
    Credential,
    Fetch,
    HttpResponse,
    Lock,
    Stored,
)
from mcp_remote_py.redact import Secret, scrub_known
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import Unattended
from mcp_remote_py.signin.agent import SignInAgent
from mcp_remote_py.signin.ports import Outcome, Ports
from tests.fakes import run, settle, until
from tests.oauth.web import NOT_FOUND, document, page

SERVER = "https://mcp.example/mcp"
REQUEST = b"POST", SERVER
ISSUER = "https://auth.example"
SESSION = "session"
CHALLENGE = b"Bearer"
WANTS_MORE = b'Bearer error="insufficient_scope", scope="read write"'
REDIRECT_URI = "http://localhost:4321/oauth/callback"
START = 1_000_000.0


class Person:
    """Who sits at the browser; what they do is the answer to the redirect URI."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {"code": "code-canary"}
        self.present = asyncio.Event()
        self.present.set()


class FakeListener:
    """A `Listener` that writes down how it was used."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._state = ""
        self.outcomes: list[Outcome] = []
        self.closed = 0
        self.finish_fails = False

    def redirect_uris(self) -> tuple[str, ...]:
        return (REDIRECT_URI,)

    def expect(self, state: Secret, server_name: str) -> None:
        assert server_name == "mcp.example"
        self._state = state.reveal()

    async def wait(self, seconds: float) -> Callback:
        await self._person.present.wait()
        if not self._person.answers:
            raise McpRemoteError(f"Nobody came in {seconds:g} seconds.", hint="Try again.")
        return Callback({**self._person.answers, "state": self._state})

    async def finish(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if self.finish_fails:
            raise OSError("the browser is gone")

    async def aclose(self) -> None:
        self.closed += 1


class FailingStore(MemoryStore):
    """Cannot be written to."""

    def prepare(self) -> None:
        raise StoreError("The disk is full.", hint="Make room.")


class LockedStore(MemoryStore):
    """Cannot be read now."""

    def load(self, session: str) -> Credential | None:
        raise StoreError("The keyring is locked.", hint="Unlock it.")


class FakeRecords:
    """`Records` in memory."""

    def __init__(self) -> None:
        self.kept = SignInBudget()
        self.published: list[tuple[Credential | None, str, str]] = []

    def look(self) -> tuple[SignInBudget, str, str, float | None]:
        credential, error, hint = self.published[-1] if self.published else (None, "", "")
        return self.kept, error, hint, credential and credential.obtained_at

    def amend(
        self, change: Callable[[SignInBudget], SignInBudget], *, must_last: bool = False
    ) -> SignInBudget:
        self.kept = change(self.kept)
        return self.kept

    def flush(self) -> None:
        """There is nothing that is not written."""

    def publish(self, credential: Credential | None, error: str, hint: str) -> None:
        self.published.append((credential, error, hint))

    def delete(self) -> None:
        self.kept = SignInBudget()


class World:
    """Everything around the agents of one machine."""

    def __init__(self, store: Store | None = None) -> None:
        self.store: Store = MemoryStore() if store is None else store
        self.person = Person()
        self.time = START
        self.tabs: list[str] = []
        self.judged: list[tuple[str, str]] = []
        self.verdict: McpRemoteError | None = None
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.listeners: list[FakeListener] = []
        self.reports: list[str] = []
        self.records = FakeRecords()
        self.refuse_refresh: HttpResponse | McpRemoteError | None = None
        self.refuse_code: HttpResponse | McpRemoteError | None = None
        self.before_refresh: Callable[[], None] = lambda: None
        self.tokens = 0
        self.finish_fails = False
        self._locks = {lock: asyncio.Lock() for lock in Lock}

    def agent(
        self,
        settings: SignInSettings | None = None,
        store: Store | None = None,
        locks: Mapping[Lock, ProcessLock] | None = None,
        hear: Callable[[], Awaitable[str | None]] | None = None,
    ) -> SignInAgent:
        """One process of this machine."""

        def hold(kind: Lock, patience: float) -> AbstractAsyncContextManager[Held]:
            return self._hold(kind, patience) if locks is None else locks[kind].hold(patience)

        surroundings = Ports(
            fetch=self._fetch,
            listen=self._listen,
            judge=self._judge,
            open_browser=self._open_browser,
            lock=hold,
            records=self.records,
            now=lambda: self.time,
            sleep=self._sleep,
            random_bytes=os.urandom,
            random=lambda: 0.0,
            report=self.reports.append,
            next_line=hear,
        )
        return SignInAgent(
            SERVER, SESSION, settings or SignInSettings(), store or self.store, surroundings
        )

    def keep(self, **members: object) -> Credential:
        """Stores a sign-in, as if there had been one."""
        credential = Credential(
            ISSUER,
            f"{ISSUER}/token",
            Client("client", "registered", redirect_uris=(REDIRECT_URI,)),
            REDIRECT_URI,
            resource=SERVER,
            scope="read",
            access_token=Secret("kept-access"),
            refresh_token=Secret("kept-refresh"),
            obtained_at=START - 100,
            expires_at=START + 3600,
        )._replace(**members)  # pyright: ignore[reportArgumentType]
        self.store.save(SESSION, credential)
        self.records.amend(lambda budget: note_accepted(budget, credential.obtained_at))
        return credential

    def grants(self, kind: str) -> list[dict[str, str]]:
        """Requests for tokens of that kind."""
        return [form for _, form in self.requests if form.get("grant_type") == kind]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Tabs, codes, renewals."""
        return (
            len(self.tabs),
            len(self.grants("authorization_code")),
            len(self.grants("refresh_token")),
        )

    def assert_ports_are_back(self) -> None:
        assert [listener.closed for listener in self.listeners] == [1] * len(self.listeners)

    def hold(self, kind: Lock) -> AbstractAsyncContextManager[Held]:
        """The lock, as another process has it."""
        return self._hold(kind, 1.0)

    @asynccontextmanager
    async def _hold(self, kind: Lock, patience: float) -> AsyncGenerator[Held]:
        if self._locks[kind].locked() and not patience:
            raise LockBusy("Somebody has it.")
        async with self._locks[kind]:
            yield Held(-1)

    async def _sleep(self, seconds: float) -> None:
        """Short waits are shorter here; the patience for a person is longer than any test."""
        if LOOK_INTERVAL < seconds <= RENEWAL_PATIENCE:
            self.time += seconds
        await asyncio.sleep(0.01 if seconds <= RENEWAL_PATIENCE else 60)

    async def _listen(self, redirect_uri: str) -> FakeListener:
        assert redirect_uri in ("", REDIRECT_URI)
        listener = FakeListener(self.person)
        listener.finish_fails = self.finish_fails
        self.listeners.append(listener)
        return listener

    async def _judge(self, url: str, what: str) -> None:
        self.judged.append((url, what))
        if self.verdict is not None:
            raise self.verdict

    async def _open_browser(self, url: str) -> bool:
        self.tabs.append(url)
        return True

    async def _fetch(self, step: Fetch) -> HttpResponse:
        await asyncio.sleep(0)
        parts = urlsplit(step.request.url)
        body = "" if step.request.body is None else step.request.body.reveal()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.requests.append((parts.path, form))
        match parts.path:
            case "/.well-known/oauth-protected-resource/mcp":
                return document({"resource": SERVER, "authorization_servers": [ISSUER]})
            case "/.well-known/oauth-authorization-server":
                return document(
                    {
                        "issuer": ISSUER,
                        "authorization_endpoint": f"{ISSUER}/authorize",
                        "token_endpoint": f"{ISSUER}/token",
                        "registration_endpoint": f"{ISSUER}/register",
                        "revocation_endpoint": f"{ISSUER}/revoke",
                        "response_types_supported": ["code"],
                        "code_challenge_methods_supported": ["S256"],
                    }
                )
            case "/register":
                return document({**json.loads(body), "client_id": "client"}, 201)
            case "/authorize":
                return page("<html>Sign in</html>")
            case "/revoke":
                return document({})
            case "/token":
                return self._give_tokens(form)
            case _:
                return NOT_FOUND

    def _give_tokens(self, form: dict[str, str]) -> HttpResponse:
        if form["grant_type"] != "refresh_token":
            if isinstance(self.refuse_code, McpRemoteError):
                raise self.refuse_code
            if self.refuse_code is not None:
                return self.refuse_code
        if form["grant_type"] == "refresh_token":
            self.before_refresh()
            if isinstance(self.refuse_refresh, McpRemoteError):
                raise self.refuse_refresh
            if self.refuse_refresh is not None:
                return self.refuse_refresh
        self.tokens += 1
        return document(
            {
                "access_token": f"access-canary-{self.tokens}",
                "refresh_token": f"refresh-canary-{self.tokens}",
                "id_token": f"id-canary-{self.tokens}",
                "token_type": "Bearer",
                "expires_in": 3600,
            }
        )


GONE = document({"error": "invalid_grant"}, 400)
BUSY = page("busy", 503)


async def sent_by(agent: SignInAgent) -> Sent | None:
    return await agent.authorize(*REQUEST)


def sent(token: str) -> Sent:
    """As it is sent where it is a bearer token."""
    return Sent(Secret(token), ((b"authorization", b"Bearer " + token.encode()),))


async def have_accepted(agent: SignInAgent) -> None:
    """The server takes what the agent sends."""
    credential = await sent_by(agent)
    assert credential is not None
    agent.accepted(credential)


# Many at once


def test_many_refused_together_are_one_sign_in() -> None:
    async def main() -> None:
        world = World()
        agent = world.agent()
        again = await asyncio.gather(*(agent.refused(None, 401, CHALLENGE) for _ in range(20)))
        assert again == [True] * 20
        assert world.counts == (1, 1, 0)
        assert await sent_by(agent) == sent("access-canary-1")
        world.assert_ports_are_back()
        assert [listener.outcomes for listener in world.listeners] == [[Outcome.DONE]]

    run(main())


@pytest.mark.promise("A5")
def test_many_refused_together_are_one_renewal() -> None:
    async def main() -> None:
        world = World()
        world.keep()
        agent = world.agent()
        before = await sent_by(agent)
        assert before == sent("kept-access")
        again = await asyncio.gather(*(agent.refused(before, 401, CHALLENGE) for _ in range(20)))
        assert again == [True] * 20
        assert world.counts == (0, 0, 1)
        assert await sent_by(agent) == sent("access-canary-1")

    run(main())


@pytest.mark.promise("A5")
def test_expiring_token_is_renewed_once_and_nobody_waits_for_it() -> None:
    async def main() -> None:
        world = World()
        world.keep(expires_at=START + 5)
        agent = world.agent()
        await agent.refused(sent("of yesterday"), 401, CHALLENGE)  # loads
        seen = await asyncio.gather(*(sent_by(agent) for _ in range(20)))
        assert set(seen) == {sent("access-canary-1"), sent("kept-access")}, "good for 5 seconds"
        assert await sent_by(agent) == sent("access-canary-1")
        assert world.counts == (0, 0, 1)

    run(main())


def test_requests_that_come_together_at_the_start_all_carry_the_stored_token() -> None:
    async def main() -> None:
        world = World()
        world.keep()
        agent = world.agent()
        seen = await asyncio.gather(*(sent_by(agent) for _ in range(5)))
        assert seen == [sent("kept-access")] * 5

    run(main())


def test_two_processes_sign_in_once(tmp_path: Path) -> None:
    class Clock:
        def now(self) -> float:
            return asyncio.get_running_loop().time()

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    async def main() -> None:
        world = World()
        world.person.present.clear()
        agents = [
            world.agent(
                store=choose_store("file", tmp_path, os.urandom),
                locks={kind: ProcessLock(tmp_path / kind.value, Clock()) for kind in Lock},
            )
            for _ in range(2)
        ]
        tasks = [asyncio.create_task(agent.refused(None, 401, CHALLENGE)) for agent in agents]
        await until(lambda: len(world.tabs) > 0)
        world.person.present.set()
        assert await asyncio.gather(*tasks) == [True, True]
        assert world.counts == (1, 1, 0)
        assert [await sent_by(agent) for agent in agents] == [sent("access-canary-1")] * 2

    run(main())


# No loops


@pytest.mark.parametrize("kept", [False, True], ids=["signed in", "renewed"])
def test_token_that_was_never_accepted_is_not_answered_by_another(kept: bool) -> None:
    async def main() -> None:
        world = World()
        if kept:
            world.keep()
        agent = world.agent()
        assert await agent.refused(await sent_by(agent), 401, CHALLENGE)
        counts = world.counts
        for _ in range(3):
            with pytest.raises(Refused, match="just given") as error:
                await agent.refused(
                    await sent_by(agent), 401, b'Bearer error_description="wrong audience"'
                )
            assert "wrong audience" in error.value.sentence()
            assert "--resource" in error.value.hint
            assert error.value.status == 401
        assert world.counts == counts

    run(main())


@pytest.mark.promise("A5")
def test_token_that_was_accepted_once_is_renewed() -> None:
    async def main() -> None:
        world = World()
        agent = world.agent()
        await agent.refused(None, 401, CHALLENGE)
        await have_accepted(agent)
        assert await agent.refused(await sent_by(agent), 401, CHALLENGE)
        assert world.counts == (1, 1, 1)

    run(main())


@pytest.mark.promise("R1")
def test_failed_sign_in_is_not_repeated_until_the_person_wants_it() -> None:
    async def main() -> None:
        world = World()
        world.person.answers = {"error": "access_denied"}
        agent = world.agent()
        tasks = (agent.refused(None, 401, CHALLENGE) for _ in range(5))
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [Refused] * 5
        assert all("declined" in str(end) for end in ends)
        world.time += TAB_COOL_DOWNS[0] - 1
        with pytest.raises(Refused, match="declined"):
            await agent.refused(None, 401, CHALLENGE)
        assert len(world.tabs) == 1
        world.person.answers = {"code": "code-of-the-second-visit"}
        assert (await agent.sign_in()).access_token == Secret("access-canary-1")
        assert len(world.tabs) == 2
        world.assert_ports_are_back()

    run(main())


def test_failed_sign_in_is_tried_again_after_a_while() -> None:
    async def main() -> None:
        world = World()
        world.person.answers = {}
        agent = world.agent()
        with pytest.raises(Refused, match="Nobody came"):
            await agent.refused(None, 401, CHALLENGE)
        world.time += TAB_COOL_DOWNS[0] + 1
        world.person.answers = {"code": "code-of-the-second-visit"}
        assert await agent.refused(None, 401, CHALLENGE)
        assert len(world.tabs) == 2

    run(main())


def test_sign_in_of_another_process_ends_the_cool_down() -> None:
    async def main() -> None:
        world = World()
        world.person.answers = {}
        agent = world.agent()
        with pytest.raises(Refused):
            await agent.refused(None, 401, CHALLENGE)
        world.keep()
        assert await agent.refused(None, 401, CHALLENGE)
        assert await sent_by(agent) == sent("kept-access")
        assert len(world.tabs) == 1

    run(main())


def test_person_who_signs_in_while_the_tab_is_open_is_shown_it_again() -> None:
    async def main() -> None:
        world = World()
        world.person.present.clear()
        agent = world.agent()
        begun = asyncio.create_task(agent.refused(None, 401, CHALLENGE))
        await until(lambda: len(world.tabs) == 1)
        wanted = asyncio.create_task(world.agent().sign_in())
        await until(lambda: len(world.tabs) == 2)
        assert world.tabs[0] == world.tabs[1], "one authorization request"
        world.person.present.set()
        assert await begun
        assert (await wanted).access_token == Secret("access-canary-1")
        assert world.counts[1:] == (1, 0)
        world.assert_ports_are_back()

    run(main())


@pytest.mark.promise("A6", "A4")
def test_process_that_follows_knows_what_the_person_must_do() -> None:
    async def main() -> None:
        world = World()
        world.person.present.clear()
        first, second = world.agent(), world.agent()
        begun = asyncio.create_task(first.refused(None, 401, CHALLENGE))
        await until(lambda: len(world.tabs) == 1)
        follows = asyncio.create_task(second.refused(None, 401, CHALLENGE))
        await until(lambda: second.waiting_for_person() != "")
        for _ in range(20):
            await asyncio.sleep(0.003)
            assert world.tabs[0] in second.waiting_for_person(), "also between two looks"
        world.person.present.set()
        assert await begun
        assert await follows
        assert second.waiting_for_person() == first.waiting_for_person() == ""
        assert world.counts == (1, 1, 0)

    run(main())


def test_person_who_joins_a_sign_in_that_fails_is_told_so() -> None:
    async def main() -> None:
        world = World()
        world.person.present.clear()
        world.person.answers = {"error": "access_denied"}
        begun = asyncio.create_task(world.agent().refused(None, 401, CHALLENGE))
        await until(lambda: len(world.tabs) == 1)
        wanted = asyncio.create_task(world.agent().sign_in())
        await until(lambda: len(world.tabs) == 2)
        world.person.present.set()
        with pytest.raises(Refused, match="declined"):
            await begun
        with pytest.raises(McpRemoteError, match="declined"):
            await wanted
        assert len(world.tabs) == 2

    run(main())


def carry_over(world: World, answer: str) -> Callable[[], Awaitable[str | None]]:
    """A person who pastes this with the state of the first tab, once."""
    left = [answer]

    async def hear() -> str | None:
        state = parse_qs(urlsplit(world.tabs[0]).query)["state"][0]
        return f"?{left.pop()}&state={state}" if left else None

    return hear


@pytest.mark.promise("A4")
def test_pasted_answer_is_known_to_all_when_the_command_that_redeemed_it_is_over() -> None:
    async def main() -> None:
        world = World()
        world.person.present.clear()
        begun = asyncio.create_task(world.agent().refused(None, 401, CHALLENGE))
        await until(lambda: len(world.tabs) == 1)
        await world.agent(hear=carry_over(world, "code=code-canary")).sign_in()
        assert world.records.published, "for `status`"
        published, error, _ = world.records.published[-1]
        assert published is not None
        assert error == ""
        assert await begun
        assert world.counts[1:] == (1, 0)
        world.assert_ports_are_back()

    run(main())


@pytest.mark.promise("A4", "P2")
def test_pasted_refusal_is_what_the_process_that_waits_says_too() -> None:
    async def main() -> None:
        world = World()
        world.person.present.clear()
        begun = asyncio.create_task(world.agent().refused(None, 401, CHALLENGE))
        await until(lambda: len(world.tabs) == 1)
        with pytest.raises(McpRemoteError, match="declined"):
            await world.agent(hear=carry_over(world, "error=access_denied")).sign_in()
        with pytest.raises(Refused, match="declined"):
            await begun
        assert "declined" in world.records.published[-1][1]
        assert world.counts[1:] == (0, 0)

    run(main())


# Renewal that fails


@pytest.mark.promise("A5")
@pytest.mark.parametrize("failure", [BUSY, NotSent("No network.")], ids=["503", "no network"])
@pytest.mark.parametrize("expires_at", [None, START + 3600, START - 1], ids=str)
def test_transient_failure_keeps_the_credential_and_opens_no_tab(
    failure: HttpResponse | McpRemoteError, expires_at: float | None
) -> None:
    async def main() -> None:
        world = World()
        kept = world.keep(expires_at=expires_at)
        world.refuse_refresh = failure
        agent = world.agent()
        with pytest.raises(McpRemoteError):
            await agent.refused(sent("kept-access"), 401, CHALLENGE)
        assert not world.tabs
        assert world.store.load(SESSION) == kept
        assert world.time - START <= RENEWAL_PATIENCE
        asked = world.counts[2]
        world.time += RENEWAL_SPACING
        world.refuse_refresh = None
        assert await agent.refused(sent("kept-access"), 401, CHALLENGE)
        assert world.counts == (0, 0, asked + 1), "once more is enough"
        assert world.counts[0] == 0

    run(main())


@pytest.mark.promise("R1", "A5")
def test_expired_token_that_cannot_be_renewed_is_an_error_of_the_exchange() -> None:
    async def main() -> None:
        world = World()
        kept = world.keep(expires_at=START - 1)
        world.refuse_refresh = BUSY
        with pytest.raises(Refused, match="HTTP 503"):
            await sent_by(world.agent())
        assert world.store.load(SESSION) == kept

    run(main())


@pytest.mark.promise("R1")
def test_store_that_cannot_be_read_is_an_error_of_each_exchange() -> None:
    async def main() -> None:
        world = World(LockedStore())
        agent = world.agent()
        for _ in range(2):
            with pytest.raises(Refused, match="keyring is locked"):
                await sent_by(agent)
            with pytest.raises(Refused, match="keyring is locked"):
                await agent.refused(None, 401, CHALLENGE)
        assert not world.tabs

    run(main())


@pytest.mark.promise("A5")
def test_token_that_may_still_do_is_sent_where_it_cannot_be_renewed() -> None:
    async def main() -> None:
        world = World()
        world.keep(expires_at=START + 5)
        world.refuse_refresh = BUSY
        assert await sent_by(world.agent()) == sent("kept-access")
        assert not world.tabs

    run(main())


@pytest.mark.promise("A5")
def test_definite_refusal_adopts_what_another_process_has_stored() -> None:
    async def main() -> None:
        world = World()
        world.keep()
        world.refuse_refresh = GONE
        world.before_refresh = lambda: (
            world.keep(access_token=Secret("newer"), obtained_at=START) and None
        )
        agent = world.agent()
        assert await agent.refused(sent("kept-access"), 401, CHALLENGE)
        assert await sent_by(agent) == sent("newer")
        assert world.counts == (0, 0, 1)

    run(main())


@pytest.mark.promise("A5")
def test_newer_token_in_the_store_is_taken_instead_of_a_renewal() -> None:
    async def main() -> None:
        world = World()
        world.keep()
        agent = world.agent()
        before = await sent_by(agent)
        world.keep(access_token=Secret("newer"), obtained_at=START)
        assert await agent.refused(before, 401, CHALLENGE)
        assert await sent_by(agent) == sent("newer")
        assert world.counts == (0, 0, 0)

    run(main())


@pytest.mark.promise("A5")
def test_definite_refusal_is_answered_by_one_sign_in() -> None:
    async def main() -> None:
        world = World()
        world.keep()
        world.refuse_refresh = GONE
        agent = world.agent()
        again = await asyncio.gather(
            *(agent.refused(sent("kept-access"), 401, CHALLENGE) for _ in range(5))
        )
        assert again == [True] * 5
        assert world.counts == (1, 1, 1)

    run(main())


# What a request waits for


@pytest.mark.promise("R6")
def test_header_never_waits_for_a_person() -> None:
    async def main() -> None:
        world = World()
        world.person.present.clear()
        agent = world.agent()
        signing_in = asyncio.create_task(agent.refused(None, 401, CHALLENGE))
        await until(lambda: len(world.tabs) == 1)
        assert await asyncio.wait_for(sent_by(agent), 5) is None
        assert not signing_in.done()
        world.person.present.set()
        assert await signing_in

    run(main())


# Ends of a sign-in


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({"code": "code-canary"}, Outcome.DONE),
        ({"error": "access_denied"}, Outcome.DECLINED),
        ({"error": "server_error"}, Outcome.AWAY),
        ({"error": "invalid_scope"}, Outcome.FAILED),
        ({}, Outcome.FAILED),
    ],
    ids=str,
)
def test_person_is_shown_how_it_ended(answers: dict[str, str], outcome: Outcome) -> None:
    async def main() -> None:
        world = World()
        world.person.answers = answers
        (end,) = await asyncio.gather(world.agent().sign_in(), return_exceptions=True)
        assert isinstance(end, Credential) == (outcome is Outcome.DONE)
        assert [listener.outcomes for listener in world.listeners] == [[outcome]]
        world.assert_ports_are_back()
        noted, error, _ = world.records.published[-1]
        assert (noted is not None, error == "") == (outcome is Outcome.DONE,) * 2

    run(main())


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (document({"error": "invalid_grant"}, 400), Outcome.EXPIRED),
        (document({"error": "invalid_client"}, 401), Outcome.FAILED),
        (document({"error": "temporarily_unavailable"}, 503), Outcome.AWAY),
        (page("<html>Bad gateway</html>"), Outcome.AWAY),
        (Interrupted("Nobody is there."), Outcome.AWAY),
    ],
    ids=["grant", "client", "503", "page", "network"],
)
def test_person_is_shown_what_the_server_made_of_the_code(
    answer: HttpResponse | McpRemoteError, outcome: Outcome
) -> None:
    async def main() -> None:
        world = World()
        world.refuse_code = answer
        with pytest.raises(McpRemoteError):
            await world.agent().sign_in()
        assert [listener.outcomes for listener in world.listeners] == [[outcome]]

    run(main())


AGENT = SignInSettings(
    static_client=Secret(
        f'{{"client_id": "client", "client_secret": "a-secret-of-it", "issuer": "{ISSUER}"}}'
    ),
    unattended=Unattended(),
)


@pytest.mark.promise("R1")
@pytest.mark.parametrize("settings", [SignInSettings(), AGENT], ids=["person", "unattended"])
def test_request_that_was_refused_does_not_count_as_one_that_may_have_been_executed(
    settings: SignInSettings,
) -> None:
    """What got lost is the answer to a request of ours."""

    async def main() -> None:
        world = World()
        world.refuse_code = Interrupted("The connection broke.")
        agent = world.agent(settings)
        assert not agent.has_failed()
        with pytest.raises(Refused, match=r"The connection broke\.") as caught:
            await agent.refused(None, 401, CHALLENGE)
        assert caught.value.status == 401
        assert caught.value.is_passing is (settings is AGENT)  # else it is the person's turn
        assert agent.has_failed()

    run(main())


@pytest.mark.promise("A6")
def test_sign_in_outlives_the_request_that_began_it() -> None:
    async def main() -> None:
        world = World()
        world.person.present.clear()
        agent = world.agent()
        task = asyncio.create_task(agent.refused(None, 401, CHALLENGE))
        await until(lambda: len(world.tabs) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "https://auth.example/authorize" in agent.waiting_for_person()
        next_one = asyncio.create_task(agent.refused(None, 401, CHALLENGE))
        await settle()
        world.person.present.set()
        assert await next_one
        assert agent.waiting_for_person() == ""
        assert world.counts == (1, 1, 0)

    run(main())


class SlowWorld(World):
    """One request of a sign-in is not answered before `goes_on` is set."""

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self._path = path
        self.goes_on = asyncio.Event()
        self.is_asked = asyncio.Event()

    async def _fetch(self, step: Fetch) -> HttpResponse:
        if urlsplit(step.request.url).path == self._path:
            self.is_asked.set()
            await self.goes_on.wait()
        return await super()._fetch(step)


@pytest.mark.promise("A6")
@pytest.mark.report("O6")
@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/register",
        "/token",
    ],
)
def test_sign_in_is_under_way_whichever_server_is_slow(path: str) -> None:
    async def main() -> None:
        world = SlowWorld(path)
        agent = world.agent()
        assert not agent.is_under_way()
        task = asyncio.create_task(agent.refused(None, 401, CHALLENGE))
        await world.is_asked.wait()
        assert agent.is_under_way()
        assert agent.waiting_for_person() == ""
        world.goes_on.set()
        assert await task
        assert not agent.is_under_way()

    run(main())


@pytest.mark.promise("A6")
def test_renewal_is_under_way_until_it_is_answered() -> None:
    async def main() -> None:
        world = SlowWorld("/token")
        world.keep(expires_at=START - 1)
        agent = world.agent()
        task = asyncio.create_task(sent_by(agent))
        await world.is_asked.wait()
        assert agent.is_under_way()
        world.goes_on.set()
        assert await task is not None
        assert not agent.is_under_way()

    run(main())


@pytest.mark.promise("A4", "A6")
@pytest.mark.parametrize("lock", [Lock.STORE, Lock.SIGN_IN])
def test_sign_in_is_under_way_while_another_process_has_a_lock(lock: Lock) -> None:
    async def main() -> None:
        world = World()
        agent = world.agent()
        async with world.hold(lock):
            task = asyncio.create_task(agent.refused(None, 401, CHALLENGE))
            await settle()
            assert agent.is_under_way()
            assert world.tabs == []
        assert await task
        assert not agent.is_under_way()

    run(main())


async def leave_a_tab_open(world: World) -> None:
    """A process that ends while nobody comes back from its tab."""
    world.person.present.clear()
    agent = world.agent()
    task = asyncio.create_task(agent.refused(None, 401, CHALLENGE))
    await until(lambda: len(world.tabs) == 1)
    await agent.aclose()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.promise("R7", "A4")
def test_end_of_the_process_gives_the_port_back_and_the_next_process_waits_on() -> None:
    async def main() -> None:
        world = World()
        await leave_a_tab_open(world)
        world.assert_ports_are_back()
        world.person.present.set()
        assert await world.agent().refused(None, 401, CHALLENGE)
        assert world.counts == (1, 1, 0), "the same tab, from which the code came"

    run(main())


@pytest.mark.promise("P2")
@pytest.mark.report("O8", "O20")
def test_client_registered_by_hand_is_told_its_redirect_uri_in_the_log_and_in_the_error() -> None:
    what = "The client cid-77 must be registered with this redirect URI, to the letter"
    needs = f"{what}: {REDIRECT_URI}"

    async def main() -> None:
        world = World()
        world.person.answers = {}
        agent = world.agent(SignInSettings(static_client=Secret('{"client_id": "cid-77"}')))
        with pytest.raises(Refused) as raised:
            await agent.refused(None, 401, CHALLENGE)
        assert needs in world.reports
        error = raised.value
        assert f"What was sent to {ISSUER}/authorize: no scope, redirect_uri=" in error.cause
        assert f"resource={SERVER}." in error.cause
        assert error.hint.startswith(f"{needs}. If that page shows an error or waits for somebody")
        registered = World()
        assert await registered.agent().refused(None, 401, CHALLENGE)
        assert not [text for text in registered.reports if "to the letter" in text]

    run(main())


class HurriedWorld(World):
    """Time passes as fast as it is waited for; nobody looks at a browser before its second tab."""

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.01)
        if 1 < seconds < 60:
            self.time += seconds

    async def _open_browser(self, url: str) -> bool:
        if self.tabs:
            self.person.present.set()
        return await super()._open_browser(url)


@pytest.mark.promise("A4", "L2")
@pytest.mark.report("O25")
def test_next_process_opens_the_page_once_more_at_the_same_port() -> None:
    async def main() -> None:
        world = HurriedWorld()
        await leave_a_tab_open(world)
        assert await world.agent().refused(None, 401, CHALLENGE)
        assert world.time == START + 30
        assert world.tabs == [world.tabs[0]] * 2
        assert len(world.listeners) == 2, "one for each process"
        assert len(world.records.kept.tabs) == 2
        assert world.counts == (2, 1, 0)
        world.assert_ports_are_back()

    run(main())


@pytest.mark.promise("A6", "L2")
@pytest.mark.report("O25")
def test_tool_opens_the_page_in_any_process() -> None:
    async def main() -> None:
        world = World()
        world.person.present.clear()
        first, second = world.agent(), world.agent()
        second.show_page()  # nobody is waited for yet
        begun = asyncio.create_task(first.refused(None, 401, CHALLENGE))
        await until(lambda: len(world.tabs) == 1)
        first.show_page()  # it opens at this moment
        second.show_page()
        await until(lambda: len(world.tabs) == 2)
        world.time += 10
        world.verdict = McpRemoteError("It leads into a private network.")
        first.show_page()
        await until(lambda: "private network" in world.reports[-1])
        assert world.reports[-1].startswith("The sign-in page is not opened again: It leads")
        world.time += 10
        world.verdict = None
        first.show_page()
        await until(lambda: len(world.tabs) == 3)
        assert world.tabs == [world.tabs[0]] * 3
        world.person.present.set()
        assert await begun
        assert world.counts == (3, 1, 0)
        await second.aclose()

    run(main())


def test_port_is_given_back_where_the_page_cannot_be_shown() -> None:
    async def main() -> None:
        world = World()
        world.finish_fails = True
        with pytest.raises(OSError, match="browser is gone"):
            await world.agent().sign_in()
        world.assert_ports_are_back()

    run(main())


def test_store_that_cannot_keep_it_opens_no_browser() -> None:
    async def main() -> None:
        world = World(FailingStore())
        with pytest.raises(Refused, match="disk is full") as error:
            await world.agent().refused(None, 401, CHALLENGE)
        assert error.value.hint == "Make room."
        assert not world.tabs
        assert not world.requests
        assert not world.listeners

    run(main())


# Scopes, tokens, secrets


@pytest.mark.promise("A1")
def test_wanting_scope_is_asked_for_once() -> None:
    async def main() -> None:
        world = World()
        world.keep()
        agent = world.agent()
        before = await sent_by(agent)
        again = await asyncio.gather(*(agent.refused(before, 403, WANTS_MORE) for _ in range(5)))
        assert again == [True] * 5
        assert world.counts == (1, 1, 0)
        assert parse_qs(urlsplit(world.tabs[0]).query)["scope"] == ["read write"]
        assert [listener.outcomes for listener in world.listeners] == [[Outcome.EXTENDED]]
        await have_accepted(agent)
        assert await agent.refused(await sent_by(agent), 403, WANTS_MORE), "it may have ended"
        turned = b'Bearer error="insufficient_scope", scope="write  read"'
        for challenge in (WANTS_MORE, turned):
            with pytest.raises(Refused, match="still wants the scope") as error:
                await agent.refused(await sent_by(agent), 403, challenge)
            assert error.value.status == 403
        assert world.counts == (1, 1, 1)

    run(main())


@pytest.mark.parametrize("challenge", [b"", b"Bearer", b'Bearer error="insufficient_scope"'])
def test_other_403_is_the_servers_answer(challenge: bytes) -> None:
    async def main() -> None:
        world = World()
        world.keep()
        agent = world.agent()
        assert not await agent.refused(await sent_by(agent), 403, challenge)
        assert world.counts == (0, 0, 0)

    run(main())


def test_use_id_token_sends_the_id_token() -> None:
    async def main() -> None:
        world = World()
        agent = world.agent(SignInSettings(use_id_token=True))
        await agent.refused(None, 401, CHALLENGE)
        assert await sent_by(agent) == sent("id-canary-1")
        await have_accepted(agent)
        await agent.refused(sent("id-canary-1"), 401, CHALLENGE)
        assert await sent_by(agent) == sent("id-canary-2")

    run(main())


@pytest.mark.promise("S2")
def test_secrets_are_known_to_the_scrubber_before_they_are_used() -> None:
    async def main() -> None:
        world = World()
        world.keep(access_token=Secret("scrub-access"), id_token=Secret("scrub-id"))
        agent = world.agent()
        await sent_by(agent)
        for secret in ("scrub-access", "kept-refresh", "scrub-id"):
            assert secret not in scrub_known(f"a line with {secret} in it")
        await agent.sign_in()
        for secret in ("access-canary-1", "refresh-canary-1", "id-canary-1", "code-canary"):
            assert secret not in scrub_known(f"a line with {secret} in it")
        assert "canary" not in "".join(world.reports)

    run(main())


def test_sign_out_revokes_and_forgets() -> None:
    async def main() -> None:
        world = World()
        world.keep(revocation_endpoint=f"{ISSUER}/revoke")
        agent = world.agent()
        await sent_by(agent)
        assert await agent.sign_out() is Stored.TOKENS
        revoked = [form["token"] for path, form in world.requests if path == "/revoke"]
        assert revoked == ["kept-refresh", "kept-access"]
        assert world.store.load(SESSION) is None
        assert await sent_by(agent) is None
        assert await agent.sign_out() is Stored.NOTHING

    run(main())


# What others do between two looks


class Meddler:
    """Another process that renews as soon as somebody has read one of two files, and not both."""

    def __init__(self, world: World, before: Credential) -> None:
        self.ports = world
        self.before = before
        self.done = False

    def __call__(self) -> None:
        if self.done:
            return
        self.done = True
        renewed = self.before._replace(
            access_token=Secret("canary-renewed"), obtained_at=START, expires_at=START + 3600
        )
        self.ports.store.save(SESSION, renewed)
        self.ports.records.amend(lambda budget: note_renewed(note_renewal(budget, START)))


@pytest.mark.promise("A5", "L1")
def test_a_renewal_that_ends_while_the_files_are_read_is_none_in_vain() -> None:
    async def main() -> None:
        world = World()
        meddler = Meddler(world, world.keep(expires_at=START - 1))

        class Store(MemoryStore):
            def load(self, session: str) -> Credential | None:
                found = world.store.load(session)
                meddler()
                return found

        class Records(FakeRecords):
            def look(self) -> tuple[SignInBudget, str, str, float | None]:
                found = super().look()
                meddler()
                return found

        records = Records()
        records.kept = world.records.kept
        world.records = records
        assert await sent_by(world.agent(store=Store())) == sent("canary-renewed")
        assert meddler.done

    run(main())


# Proofs of possession


@pytest.mark.promise("A3")
def test_each_request_has_a_proof_of_its_own_for_the_token_it_carries() -> None:
    async def main() -> None:
        world = World()
        key = make_key("ES256")
        world.keep(token_type="DPoP", dpop_key=key)
        agent = world.agent()
        agent.take_nonce(b"nonce-1")
        seen: list[str] = []
        for method in (b"POST", b"GET"):
            found = await agent.authorize(method, f"{SERVER}?a=b")
            assert found is not None
            credential, (name, proof) = found.headers
            assert credential == (b"authorization", b"DPoP kept-access")
            assert name == b"dpop"
            claims = jwt.decode(proof.decode(), import_key(json.loads(key.reveal()))).claims
            assert (claims["htm"], claims["htu"]) == (method.decode(), SERVER)
            assert (claims["nonce"], claims["iat"]) == ("nonce-1", int(START))
            assert "ath" in claims
            seen.append(claims["jti"])
        assert len(set(seen)) == 2

    run(main())


@pytest.mark.promise("A3", "L1")
@pytest.mark.parametrize("error", ["invalid_dpop_proof", "use_dpop_nonce"])
def test_a_refused_proof_is_not_a_reason_to_sign_in(error: str) -> None:
    async def main() -> None:
        world = World()
        world.keep(token_type="DPoP", dpop_key=make_key("ES256"))
        agent = world.agent()
        for _ in range(3):
            with pytest.raises(Refused) as caught:
                await agent.refused(await sent_by(agent), 401, f'DPoP error="{error}"'.encode())
            assert caught.value.sentence() == (
                f"The server refuses the proof that the token is ours ({error}). "
                "Check this machine's clock."
            )
        assert world.counts == (0, 0, 0)

    run(main())


@pytest.mark.promise("A3")
@pytest.mark.parametrize("members", [{}, {"token_type": "Bearer", "dpop_key": make_key("ES256")}])
def test_a_bearer_token_is_sent_without_a_proof(members: dict[str, object]) -> None:
    async def main() -> None:
        world = World()
        world.keep(**members)
        assert await sent_by(world.agent()) == sent("kept-access")

    run(main())


@pytest.mark.promise("A3")
def test_an_id_token_is_bound_to_no_key() -> None:
    async def main() -> None:
        world = World()
        world.keep(token_type="DPoP", dpop_key=make_key("ES256"), id_token=Secret("kept-id"))
        agent = world.agent(SignInSettings(use_id_token=True))
        assert await sent_by(agent) == sent("kept-id")

    run(main())
