"""What is put together costs and touches nothing until it is used. Must not know any flow."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mcp_remote_py.channel import Sent
from mcp_remote_py.clock import LoopClock
from mcp_remote_py.commands.lazy_sign_in import LazySignIn
from mcp_remote_py.credentials.keys import choose_store
from mcp_remote_py.credentials.lock import ProcessLock
from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.errors import ExchangeError
from mcp_remote_py.oauth.steps import Client, Credential, Lock
from mcp_remote_py.redact import Secret
from mcp_remote_py.session_id import SessionId, session_of
from mcp_remote_py.settings.commands import LoginSettings, ProxySettings
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.signin.build import StateRecords, build_agent
from tests.fakes import run
from tests.peers.launch import free_port

SETTINGS = LoginSettings(
    parse_server_url("https://mcp.example/mcp"), sign_in=SignInSettings(token_store="file")
)

RELAY = ProxySettings(SETTINGS.server, sign_in=SETTINGS.sign_in)

REQUEST = b"POST", "https://mcp.example/mcp"
SENT = Sent(Secret("kept-access"), ((b"authorization", b"Bearer kept-access"),))


def environment(folder: Path) -> dict[str, str]:
    return {"MCP_REMOTE_CONFIG_DIR": str(folder)}


def lazy_sign_in(settings: ProxySettings, folder: Path, *, signed_in: bool) -> LazySignIn:
    session = session_of(settings.server, settings.sign_in)
    state = SessionFile(state_directory(environment(folder)), session)
    return LazySignIn(settings, environment(folder), state, lambda: None, signed_in=signed_in)


def keep(folder: Path, settings: LoginSettings = SETTINGS) -> None:
    """Stores a sign-in, as another process would have."""
    chosen = settings.sign_in
    store = choose_store("file", state_directory(environment(folder)), lambda count: b"r" * count)
    store.save(
        session_of(settings.server, chosen).key,
        Credential(
            "https://auth.example",
            "https://auth.example/token",
            Client("client", "registered"),
            access_token=Secret("kept-access"),
        ),
    )


def test_building_touches_no_disk(tmp_path: Path) -> None:
    async def main() -> None:
        build_agent(SETTINGS, environment(tmp_path), print)

    run(main())
    assert not list(tmp_path.iterdir())


def test_agent_finds_what_another_process_has_stored(tmp_path: Path) -> None:
    async def main() -> None:
        agent = build_agent(SETTINGS, environment(tmp_path), print)
        assert await agent.authorize(*REQUEST) == SENT

    keep(tmp_path)
    run(main())


def test_profiles_are_strangers(tmp_path: Path) -> None:
    async def main() -> None:
        chosen = SETTINGS.sign_in.replace(profile="other")
        agent = build_agent(SETTINGS.replace(sign_in=chosen), environment(tmp_path), print)
        assert await agent.authorize(*REQUEST) is None

    keep(tmp_path)
    run(main())


@pytest.mark.parametrize(
    ("refresh_token", "is_unattended", "renewable"),
    [(None, False, False), (Secret("r-canary-5"), False, True), (None, True, True)],
)
def test_whether_it_can_be_renewed_is_kept_for_status(
    tmp_path: Path, refresh_token: Secret | None, is_unattended: bool, renewable: bool
) -> None:
    file = SessionFile(tmp_path, SessionId("https://mcp.example.com/mcp"))
    store = choose_store("file", tmp_path, os.urandom)
    records = StateRecords(file, store, "", is_unattended=is_unattended)
    credential = Credential(
        "https://auth.example",
        "https://auth.example/token",
        Client("client", "registered"),
        access_token=Secret("kept-access"),
        refresh_token=refresh_token,
    )
    records.publish(credential, "", "")
    assert file.read().renewable is renewable


def test_failure_is_kept_for_status(tmp_path: Path) -> None:
    url = parse_server_url(f"http://127.0.0.1:{free_port()}/mcp")
    settings = SETTINGS.replace(server=url)

    async def main() -> str:
        agent = build_agent(settings, environment(tmp_path), print)
        with pytest.raises(ExchangeError) as error:
            await agent.refused(None, 401, b"Bearer")
        return error.value.sentence()

    sentence = run(main())
    known = SessionFile(state_directory(environment(tmp_path)), SessionId(str(url))).read()
    assert f"{known.last_error} {known.last_hint}" == sentence
    assert known.signed_in_at is None


@pytest.mark.parametrize(("is_killed", "words"), [(True, "refused"), (False, "could not store")])
def test_claim_of_a_process_that_is_killed_is_waited_for(
    tmp_path: Path, is_killed: bool, words: str
) -> None:
    """The kernel gives its locks back one after the other, and another process has the first."""
    settings = SETTINGS.replace(server=parse_server_url(f"http://127.0.0.1:{free_port()}/mcp"))
    folder = state_directory(environment(tmp_path))
    key = session_of(settings.server, settings.sign_in).key
    claim = ProcessLock(folder / "locks" / f"{key}.{Lock.UNSAVED.value}.lock", LoopClock())

    async def main() -> str:
        agent = build_agent(settings, environment(tmp_path), print)
        async with AsyncExitStack() as held:
            await held.enter_async_context(claim.hold(0))
            refused = asyncio.create_task(agent.refused(None, 401, b"Bearer"))
            await asyncio.wait({refused}, timeout=0.1)
            if is_killed:
                await held.aclose()
            with pytest.raises(ExchangeError) as error:
                await refused
        return error.value.sentence()

    assert words in run(main())


def test_lazy_sign_in_without_a_stored_one_sends_no_header_and_makes_no_file(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        lazy = lazy_sign_in(RELAY, tmp_path, signed_in=False)
        lazy.accepted(SENT)
        assert await lazy.authorize(*REQUEST) is None

    run(main())
    assert not list(tmp_path.iterdir())


def test_lazy_sign_in_has_the_header_of_a_stored_one(tmp_path: Path) -> None:
    async def main() -> None:
        lazy = lazy_sign_in(RELAY, tmp_path, signed_in=True)
        assert await lazy.authorize(*REQUEST) == SENT
        lazy.accepted(SENT)

    keep(tmp_path)
    run(main())


def test_lazy_sign_in_is_one_agent(tmp_path: Path) -> None:
    settings = RELAY.replace(server=parse_server_url(f"http://127.0.0.1:{free_port()}/mcp"))

    async def main() -> list[str]:
        lazy = lazy_sign_in(settings, tmp_path, signed_in=False)
        sentences: list[str] = []
        for _ in range(2):
            with pytest.raises(ExchangeError) as error:
                await lazy.refused(None, 401, b"Bearer")
            sentences.append(error.value.sentence())
        keep(tmp_path, settings.login)
        assert await lazy.refused(None, 401, b"Bearer"), "signed in elsewhere meanwhile"
        assert await lazy.authorize(*REQUEST) == SENT
        return sentences

    first, second = run(main())
    cause = "Sign-in discovery failed for now"
    assert first.startswith(cause)
    assert second.startswith(cause)
    assert "No other sign-in starts by itself for 5 seconds. To sign in now:" in second
    assert f"mcp-remote-py login {settings.server}." in second


def test_lazy_sign_in_loads_nothing_of_a_sign_in(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from mcp_remote_py.commands.lazy_sign_in import LazySignIn\n"
        "from mcp_remote_py.credentials.session_files import SessionFile, state_directory\n"
        "from mcp_remote_py.session_id import session_of\n"
        "from mcp_remote_py.settings.commands import ProxySettings\n"
        "from mcp_remote_py.settings.urls import parse_server_url\n"
        "settings = ProxySettings(parse_server_url('https://mcp.example/mcp'))\n"
        f"environment = {environment(tmp_path)!r}\n"
        "session = session_of(settings.server, settings.sign_in)\n"
        "state = SessionFile(state_directory(environment), session)\n"
        "lazy = LazySignIn(settings, environment, state, lambda: None, signed_in=False)\n"
        "assert asyncio.run(lazy.authorize(b'POST', 'https://example.com')) is None\n"
        "heavy = {'authlib', 'httpx', 'keyring', 'mcp_remote_py.signin.agent'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
