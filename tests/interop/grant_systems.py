"""More ways to a token at providers no one here wrote: documents, codes, keys, and two programs.

Each stands before PyPI's `mcp` server, which takes its JWTs.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness.browser import Visit
from tests.interop import glewlwyd
from tests.interop.commands import PACKAGES
from tests.interop.systems import (
    ADD,
    Restart,
    Restartable,
    Scene,
    SignIn,
    System,
    asks_name,
    wait_out,
)
from tests.interop.versions import of_npm, of_pypi
from tests.peers.launch import free_port
from tests.real.installation import find_node, install_node_packages
from tests.real.processes import Service, running, running_module
from tests.real.servers import (
    CLIENT_DOCUMENT,
    UVICORN,
    openid_provider,
    plain_environment,
    resource_server,
    serving,
)

HERE = Path(__file__).parent
LIFETIME = 20
"""Seconds a token lives: more than the steps before its end take."""

Counts = Callable[[str], int]
"""How often the provider has said this."""


def _log_of(service: Service) -> Counts:
    return lambda words: service.log.read_text(errors="replace").count(words)


def _scene(
    url: str, server: Restartable, count: Counts, options: Sequence[str] = (), tabs: int = 1
) -> Scene:
    return Scene(
        url=url,
        name="openid-workshop",
        call=ADD,
        ask=asks_name(),
        sign_in=SignIn(
            token_requests=lambda: count("granted "),
            expire=lambda: wait_out(LIFETIME),
            revocations=lambda: count("revoked"),
            tabs=tabs,
        ),
        restart=Restart(server.again),
        options=options,
    )


@contextmanager
def certified(
    folder: Path, variables: dict[str, str], options: Sequence[str] = (), tabs: int = 1
) -> Generator[tuple[Scene, Service]]:
    """oidc-provider with these variables, and the server behind it."""
    port = free_port()
    url = f"http://localhost:{port}/mcp"
    variables = {"TOKEN_LIFETIME": str(LIFETIME), **variables}
    with ExitStack() as stack:
        issuer = stack.enter_context(openid_provider(folder, url, variables))
        server = Restartable(
            stack, lambda port: resource_server(folder, port, issuer, variables), port
        )
        yield _scene(url, server, _log_of(issuer), options, tabs), issuer


@contextmanager
def _document(folder: Path) -> Generator[Scene]:
    port = free_port()
    document = {
        "client_id": CLIENT_DOCUMENT,
        "client_name": "Described elsewhere",
        "application_type": "native",
        "redirect_uris": [f"http://localhost:{port}/oauth/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    options = (str(port), "--client-metadata-url", CLIENT_DOCUMENT)
    with serving(json.dumps(document).encode()) as address:
        variables = {"CLIENT_DOCUMENTS": f"{urlsplit(CLIENT_DOCUMENT).netloc} {address}"}
        with certified(folder, variables, options) as (scene, _):
            yield scene


@contextmanager
def _proofs(folder: Path) -> Generator[Scene]:
    with certified(folder, {"PROOFS": "nonces", "NONCES": "1"}) as (scene, _):
        yield scene


@contextmanager
def _device(folder: Path) -> Generator[Scene]:
    """A person with another device enters each code that the provider gives."""
    with certified(folder, {"DEVICE": "1"}, ["--device-code"], tabs=0) as (scene, issuer):
        over = threading.Event()
        person = threading.Thread(target=_enter_codes, args=(issuer, over))
        person.start()
        try:
            yield scene
        finally:
            over.set()
            person.join(30)


def _enter_codes(issuer: Service, over: threading.Event) -> None:
    seen = 0
    while not over.wait(0.1):
        addresses = re.findall(r"code at (\S+)", issuer.log.read_text(errors="replace"))
        for address in addresses[seen:]:
            Visit().open(address)
        seen = len(addresses)


@contextmanager
def _mock(folder: Path) -> Generator[Scene]:
    """It knows every client, so a person may give any name."""
    port, client_port = free_port(), free_port()
    url = f"http://localhost:{port}/mcp"
    (folder / "node_modules").symlink_to(PACKAGES)
    script = folder / "mock_provider.mjs"
    script.write_text((HERE / script.name).read_text())
    variables = {"RESOURCE": url, "TOKEN_LIFETIME": str(LIFETIME)}
    provider = running(
        [find_node(), str(script), "0"],
        listens=r"issuer at http://localhost:(\d+)",
        log=folder / "provider.log",
        environment={**plain_environment(folder), **variables},
        folder=folder,
    )
    with ExitStack() as stack:
        issuer = stack.enter_context(provider)
        server = Restartable(stack, lambda port: resource_server(folder, port, issuer, {}), port)
        info = json.dumps({"client_id": "workshop"})
        options = (str(client_port), "--static-oauth-client-info", info)
        yield _scene(url, server, _log_of(issuer), options)


@contextmanager
def _glewlwyd(folder: Path) -> Generator[Scene]:
    port = free_port()
    url = f"http://localhost:{port}/mcp"
    with ExitStack() as stack:
        provider = stack.enter_context(glewlwyd.glewlwyd(folder, url, LIFETIME))

        def start(port: int) -> AbstractContextManager[Service]:
            return running_module(
                "tests.real.resource_server",
                *(str(port), provider.issuer),
                listens=UVICORN,
                log=folder / "resource.log",
                environment=plain_environment(folder),
            )

        endpoints = {"granted ": "token", "revoked": "revoke"}
        server = Restartable(stack, start, port)
        yield _scene(url, server, lambda words: provider.count(endpoints[words]))


SYSTEMS = (
    System(
        "openid-document",
        "oidc-provider, a client described by a document (CIMD)",
        lambda: [of_npm("oidc-provider"), of_pypi("mcp")],
        _document,
    ),
    System(
        "openid-device",
        "oidc-provider, a code for another device",
        lambda: [of_npm("oidc-provider"), of_pypi("mcp")],
        _device,
    ),
    System(
        "openid-proofs",
        "oidc-provider and server that want DPoP, with nonces",
        lambda: [of_npm("oidc-provider"), of_pypi("mcp")],
        _proofs,
    ),
    System(
        "mock-server",
        "oauth2-mock-server: OpenID discovery alone, no registration",
        lambda: [of_npm("oauth2-mock-server", PACKAGES), of_pypi("mcp")],
        _mock,
        install=lambda: install_node_packages(HERE),
    ),
    System(
        "glewlwyd",
        "glewlwyd of Debian before a Python SDK server",
        lambda: ["glewlwyd 2.7.5", of_pypi("mcp")],
        _glewlwyd,
        install=glewlwyd.install,
    ),
)
