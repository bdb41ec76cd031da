"""Renews in a process of its own, so that the answer is not lost when we are killed.

Servers that rotate refresh tokens give each answer once. Hosts kill what they have started, often
within its first second, which is when tokens of yesterday are renewed (L4, field note 3). A kill
between the server's answer and our write would cost the person a sign-in. So a child holds the lock
with us and stores what it gets: whoever is killed, the next process finds the token. The child is
given all it needs on its stdin, the key included, and never touches a keyring. Who renews is loaded
by the child alone: it ends with it. Must not know when a token is to be renewed.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import msgspec

from mcp_remote_py.credentials.sealed import SealedStore
from mcp_remote_py.credentials.store import Store, decode_credential, encode_credential
from mcp_remote_py.errors import Interrupted, McpRemoteError, error_classes
from mcp_remote_py.oauth.steps import (
    AnyStep,
    Credential,
    Fetch,
    Forget,
    HttpResponse,
    Load,
    ReadNamedFile,
    Report,
    Reserve,
    Save,
    Wait,
)
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import LoginSettings
from mcp_remote_py.settings.network import TOKEN_TIMEOUT, Network
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import Unattended
from mcp_remote_py.signin.driver import drive, read_secret
from mcp_remote_py.url import parse_url

START_PATIENCE = 10.0
"""Seconds for the child to start, and to store what it got."""

MODULE = "mcp_remote_py.signin.refresh_process"


class RefreshJob(msgspec.Struct):
    """The order to the child, on its stdin; secrets are in the pipe and nowhere else."""

    folder: str
    session: str
    key_name: str
    key: str
    """Base64."""
    send_resource: bool
    static_client: Secret | None
    trusted_issuers: tuple[str, ...]
    token_endpoint: str
    unattended: Unattended | None
    server: str
    """The MCP server's URL."""
    server_address: str
    """The address it was connected to last, "" where it was not."""
    network: Network

    @property
    def patience(self) -> float:
        """Seconds we wait for the child: two requests to a token endpoint that hangs, and more."""
        return START_PATIENCE + 2 * self.network.sign_in_timeouts.limit(TOKEN_TIMEOUT).whole

    def read_settings(self) -> SignInSettings:
        """The settings of a sign-in, as far as a renewal asks for them."""
        return SignInSettings(
            send_resource=self.send_resource,
            static_client=self.static_client,
            trusted_issuers=self.trusted_issuers,
            token_endpoint=self.token_endpoint,
            unattended=self.unattended,
        )


class RefreshResult(msgspec.Struct):
    """The answer of the child, on its stdout: the new tokens, or an error without secrets.

    They come back also where they could not be stored: they are to be had once.
    """

    kind: str = ""
    """Name of the error's class, "" for success."""
    members: dict[str, str | int | float | bool | None] = {}
    """Its members, of which `SignInFailed`, `ExchangeError` and all below them have plain ones."""
    reports: list[str] = []
    record: bytes = b""
    """The credential, as it is stored, but in clear text: in the pipe and nowhere else."""


def _encode_job(job: RefreshJob) -> bytes:
    return msgspec.json.encode(job, enc_hook=lambda secret: cast("Secret", secret).reveal())


_decode_job = msgspec.json.Decoder(RefreshJob, dec_hook=lambda kind, text: kind(text)).decode
_decode_result = msgspec.json.Decoder(RefreshResult).decode


class GivenKey:
    """`Keys` that were handed over."""

    def __init__(self, name: str, key: bytes) -> None:
        self._name = name
        self._key = key

    def for_sealing(self) -> tuple[str, bytes]:
        """See `Keys`."""
        return self._name, self._key

    def for_opening(self, name: str) -> bytes | None:
        """See `Keys`."""
        return self._key if name == self._name else None

    def describe(self) -> str:
        """See `Keys`."""
        return "a key that was handed over"


def describe_job(
    store: SealedStore,
    session: str,
    settings: LoginSettings,
    server_address: str,
) -> RefreshJob:
    """The job for a renewal of this session. May block: it asks for the key.

    Raises:
        StoreError: the key cannot be had.
    """
    name, key = store.keys.for_sealing()
    return RefreshJob(
        folder=str(store.directory),
        session=session,
        key_name=name,
        key=base64.b64encode(key).decode("ascii"),
        send_resource=settings.sign_in.send_resource,
        static_client=settings.sign_in.static_client,
        trusted_issuers=settings.sign_in.trusted_issuers,
        token_endpoint=settings.sign_in.token_endpoint,
        unattended=settings.sign_in.unattended,
        server=str(settings.server),
        server_address=server_address,
        network=settings.network,
    )


async def renew_in_child(job: RefreshJob, lock: int, report: Callable[[str], None]) -> Credential:
    """Has a child play `flow.renew` for what is stored; `lock` is the descriptor of the lock.

    What comes back is stored, if that was possible; else it has reported that it is not.

    Raises:
        McpRemoteError: as `flow.renew`.
    """
    try:
        output = await asyncio.to_thread(run_child, _encode_job(job), lock, job.patience)
        result = _decode_result(output)
    except (ValueError, OSError, subprocess.TimeoutExpired) as error:
        raise Interrupted(
            f"The process that renews the token failed ({type(error).__name__}).",
            hint="Try again later.",
        ) from None
    for text in result.reports:
        report(text)
    if result.kind:
        raise _to_error(result)
    return decode_credential(result.record)


def run_child(job: bytes, lock: int, patience: float) -> bytes:
    """Starts a child, and returns what it has written when it has ended.

    In a thread: asyncio kills the children of a loop that ends, the very thing to be avoided.
    """
    child = subprocess.Popen(
        # -P: the folder we happen to be in is not ours.
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(lock,),
        start_new_session=True,  # hosts kill by group
    )
    return child.communicate(job, patience)[0]


def _to_error(result: RefreshResult) -> McpRemoteError:
    """The error as it was raised there: what follows from it hangs on its class."""
    if result.kind not in _known_kinds():
        importlib.import_module("mcp_remote_py.oauth.flow")  # it brings all that a renewal raises
    return _known_kinds().get(result.kind, McpRemoteError).restore(result.members)


def _known_kinds() -> dict[str, type[McpRemoteError]]:
    return {kind.__name__: kind for kind in error_classes()}


# In the child --------------------------------------------------------------------------------


async def renew_stored(
    job: RefreshJob,
    fetch: Callable[[Fetch], Awaitable[HttpResponse]],
    store: Store,
    now: Callable[[], float],
) -> RefreshResult:
    """Renews what is stored; an error is a result, too."""
    reports: list[str] = []

    async def do(step: AnyStep) -> object:
        if isinstance(step, Fetch):
            return await fetch(step)
        if isinstance(step, Wait):
            return await asyncio.sleep(step.seconds)
        return _do(step, store, job.session, reports)

    try:
        credential = store.load(job.session)
        if credential is None:
            raise McpRemoteError("There is nothing to renew.")  # signed out a moment ago
        from mcp_remote_py.oauth import flow

        renewal = flow.renew(credential, job.read_settings(), os.urandom, now())
        renewed = await drive(renewal, do)
    except McpRemoteError as error:
        return RefreshResult(type(error).__name__, _plain(error), reports)
    finally:
        store.release(job.session)
    return RefreshResult(reports=reports, record=encode_credential(renewed))


def _plain(error: McpRemoteError) -> dict[str, str | int | float | bool | None]:
    """Its members; bodies of answers and other errors do not cross."""
    members: dict[str, object] = error.__dict__
    return {
        name: value if isinstance(value, str | int | float) else None
        for name, value in members.items()
    }


def _do(step: AnyStep, store: Store, session: str, reports: list[str]) -> object:
    match step:
        case Load():
            return store.load(session)
        case Reserve():
            store.reserve(session)
        case Save():
            store.save(session, step.credential)
        case Forget():
            return store.forget(session)
        case Report():
            reports.append(step.text)
        case ReadNamedFile():
            return read_secret(step)
        case _:
            raise TypeError(f"no step of a renewal: {type(step).__name__}")
    return None


def main() -> None:
    """The child's whole life."""
    job = _decode_job(sys.stdin.buffer.read())
    keys = GivenKey(job.key_name, base64.b64decode(job.key))
    store = SealedStore(Path(job.folder), keys, os.urandom)
    from mcp_remote_py.signin.border import origins_of
    from mcp_remote_py.signin.fetch import build_fetcher

    fetcher = build_fetcher(
        parse_url(job.server),
        job.network,
        origins_of(job.read_settings()),
        lambda: job.server_address,
        time.time,
        os.urandom,
    )
    result = asyncio.run(renew_stored(job, fetcher.fetch, store, time.time))
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
