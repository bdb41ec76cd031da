"""Plays the discovery of a sign-in as the relay does, and keeps what came for each document.

The order, the verdicts and the errors are `oauth/discovery`'s. Nothing is registered, and nobody is
sent anywhere. Must not know what is said of the outcome.
"""

from __future__ import annotations

import asyncio
import os

from mcp_remote_py.checking.talk import ServerTalk
from mcp_remote_py.diagnosis.documents import (
    DocumentSeen,
    describe_discovered,
    describe_registration,
    describe_undiscovered,
    kind_of,
    skip_discovery,
)
from mcp_remote_py.diagnosis.steps import CheckStep
from mcp_remote_py.errors import McpRemoteError, SignInUnavailable
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.discovery import Discovered, check_guessed_page, discover
from mcp_remote_py.oauth.registration import obtain_client
from mcp_remote_py.oauth.steps import AnyStep, Conversation, Fetch, ReadNamedFile, Wait
from mcp_remote_py.signin.border import origins_of
from mcp_remote_py.signin.driver import drive, read_secret
from mcp_remote_py.signin.fetch import Fetcher, build_fetcher

DISCOVERY_PATIENCE = 6.0
"""Seconds for all documents together, where a person has to sign in by them."""

KNOWN_PATIENCE = 4.0
"""The same where somebody is signed in, and needs none of them now."""

DOCUMENT_PATIENCE = 3.0
"""Seconds for one."""

LONGEST_PAUSE = 0.5
"""Seconds that are waited before a place is asked once more: a relay waits longer."""

_REDIRECT = ("http://127.0.0.1/callback",)


async def discover_documents(talk: ServerTalk) -> list[CheckStep]:
    """Each document with a verdict, and whether a client can be registered."""
    if talk.challenge is None:
        why = "The server does not ask for a sign-in."
        return skip_discovery(why if talk.failure is None else "The server could not be asked.")
    if not talk.signs_in:
        return skip_discovery("A credential is given, so nobody signs in.")
    documents: list[DocumentSeen] = []
    most = KNOWN_PATIENCE if talk.has_token else DISCOVERY_PATIENCE
    seconds = min(most, talk.time_left)
    clock = asyncio.get_running_loop()
    began = clock.time()
    fetcher = build_fetcher(
        talk.server,
        talk.settings.network,
        origins_of(talk.settings.sign_in),
        str,
        talk.now,
        os.urandom,
    )
    try:
        async with asyncio.timeout(seconds):
            found = await _play(fetcher, talk.challenge, talk, documents)
    except TimeoutError:
        late = SignInUnavailable(
            f"What is published of the sign-in was not found within {seconds:g} s.",
            hint="A sign-in waits for it longer.",
        )
        return describe_undiscovered(documents, late, clock.time() - began, is_late=True)
    except McpRemoteError as error:
        talk.undiscovered = error
        return describe_undiscovered(documents, error, clock.time() - began)
    finally:
        await fetcher.aclose()
    talk.discovered = found
    steps = describe_discovered(documents, found, clock.time() - began)
    return [*steps, _register(talk, found)]


async def _play(
    fetcher: Fetcher, challenge: Challenge, talk: ServerTalk, documents: list[DocumentSeen]
) -> Discovered:
    async def do(step: AnyStep) -> object:
        match step:
            case Fetch():
                return await _fetch(fetcher, step, challenge, documents)
            case Wait():
                await asyncio.sleep(min(step.seconds, LONGEST_PAUSE))
            case ReadNamedFile():
                return await asyncio.to_thread(read_secret, step)
            case _:
                pass
        return None

    def converse() -> Conversation[Discovered]:
        found = yield from discover(str(talk.server), challenge, talk.settings.sign_in)
        if found.server.is_default and talk.settings.sign_in.unattended is None:
            yield from check_guessed_page(found.server.authorization_endpoint)
        return found

    return await drive(converse(), do)


async def _fetch(
    fetcher: Fetcher, step: Fetch, challenge: Challenge, documents: list[DocumentSeen]
) -> object:
    patience = min(step.patience or DOCUMENT_PATIENCE, DOCUMENT_PATIENCE)
    url = step.request.url
    kind = kind_of(url, challenge.resource_metadata)
    try:
        answer = await fetcher.fetch(Fetch(step.request, step.follow_redirects, patience=patience))
    except McpRemoteError as error:
        documents.append(DocumentSeen(url, kind, problem=error.cause))
        raise
    content_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    documents.append(DocumentSeen(url, kind, answer.status, content_type, answer.body))
    return answer


def _register(talk: ServerTalk, found: Discovered) -> CheckStep:
    """What the relay would do to become a client there, as far as it asks nobody."""
    settings = talk.settings.sign_in
    credential = talk.credential
    known = None
    if credential is not None and credential.issuer == found.server.issuer:
        known = credential.client
    error: McpRemoteError | None = None
    asking = obtain_client(found.server, _REDIRECT, known, settings, None, talk.now())
    try:
        next(asking)  # that it would be asked for is all there is to know
    except StopIteration:
        pass
    except McpRemoteError as problem:
        error = problem
    finally:
        asking.close()
    return describe_registration(
        found.server, settings, error, "" if known is None else known.origin
    )
