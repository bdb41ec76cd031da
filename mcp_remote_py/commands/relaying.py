"""Relays between the host on stdio and one server: builds the objects, runs them, ends them.

The one composition root of this command. Must not know argparse, other commands, or print.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from mcp_remote_py.bridge.era import ServerEra
from mcp_remote_py.bridge.host_side import HostSide
from mcp_remote_py.bridge.server_side import EraChannel
from mcp_remote_py.channel import Deliver, HostChannel, ServerChannel
from mcp_remote_py.clock import LoopClock, draw
from mcp_remote_py.commands.lazy_sign_in import LazySignIn, say
from mcp_remote_py.commands.lifetime import watch_parent, watch_signals
from mcp_remote_py.commands.server_memory import SnapshotMemory, WorkedMemory
from mcp_remote_py.credentials.session_files import SessionFile, state_folder
from mcp_remote_py.eras.era_detection import Era
from mcp_remote_py.eras.metadata_headers import MetadataHeaders
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.exit_status import DONE_STATUS, INTERRUPTED_STATUS
from mcp_remote_py.named_files import read_settled
from mcp_remote_py.net.exchange import KEEPALIVE_EXPIRY
from mcp_remote_py.redact import mask_url
from mcp_remote_py.relay.relay import Relay
from mcp_remote_py.retry import Acquaintance, initialize_wait
from mcp_remote_py.session_id import session_of
from mcp_remote_py.settings.commands import ProtocolStrategy, ProxySettings, TransportStrategy
from mcp_remote_py.settings.network import DEFAULT_HEADERS_TIMEOUT
from mcp_remote_py.tools import ToolCatalog
from mcp_remote_py.transports.choose import (
    CHOICE_PATIENCE,
    Candidate,
    ChosenChannel,
    OnAccepted,
)
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.headers import HeaderSource
from mcp_remote_py.transports.intake import Intake
from mcp_remote_py.transports.lines import HostLines
from mcp_remote_py.transports.stdio import StdioChannel
from mcp_remote_py.transports.streamable import StreamableChannel
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py.net.early import EarlyConnection
    from mcp_remote_py.signing.signer import AwsSigner

logger = logging.getLogger("mcp_remote_py")

STREAMABLE, LEGACY_SSE = "Streamable HTTP", "HTTP+SSE"

NO_LIMIT = 86400.0
"""Seconds, where the person says so: no host waits as long."""


def relay_stdio(
    settings: ProxySettings,
    environment: Mapping[str, str],
    stdin: int,
    stdout: int,
    *,
    at_terminal: bool,
    early: EarlyConnection | None,
) -> int:
    """Relays between these descriptors and the server until the host goes away; the exit status.

    `early` is a connection to the server that was begun before.

    Raises:
        UsageError: something the settings name cannot be used.
    """
    loop = asyncio.new_event_loop()
    try:
        # Not asyncio.run: its end waits for name look-ups that may take minutes.
        return loop.run_until_complete(
            _relay(settings, environment, early, stdin, stdout, at_terminal)
        )
    except McpRemoteError as error:  # before anything was read
        if not at_terminal:
            from mcp_remote_py.commands.refused_start import answer_waiting_host

            answer_waiting_host(stdin, stdout, error.sentence())
        raise


async def _relay(
    settings: ProxySettings,
    environment: Mapping[str, str],
    early: EarlyConnection | None,
    stdin: int,
    stdout: int,
    at_terminal: bool,
) -> int:
    if early is not None:
        asyncio.get_running_loop().call_later(KEEPALIVE_EXPIRY, early.drop)
    headers = HeaderSource(settings.headers, environment, read_settled)
    await headers.load()
    signer = build_signer_for(settings, environment, headers)
    host = StdioChannel(stdin, stdout, settings.max_message_size)
    relaying = assemble(
        *(settings, environment, headers, HostLines(host), host.has_read),
        signer=signer,
        early=early,
    )
    relays = [relaying.relay]
    status: int | None = None

    def stop(reason: str) -> None:
        for relay in relays:
            relay.stop(reason)

    def end_by_signal(number: signal.Signals) -> None:
        nonlocal status
        status = INTERRUPTED_STATUS if number == signal.SIGINT else DONE_STATUS
        stop(f"mcp-remote-py was ended by {number.name} before the server answered.")

    def assemble_look(changed: ProxySettings, own: HostChannel) -> Assembly:
        looking = assemble(changed, environment, headers, own, signer=signer, is_look=True)
        relays.append(looking.relay)
        return looking

    watch_signals(end_by_signal)
    watch_parent(lambda: stop("The host process is gone."))
    seen = DONE_STATUS
    if at_terminal:
        from mcp_remote_py.commands.terminal import look_beside

        seen = await look_beside(relaying, settings, environment, assemble_look, say)
    else:
        await relaying.run()
    if signer is not None:
        await signer.aclose()
    return seen if status is None else status


def build_signer_for(
    settings: ProxySettings, environment: Mapping[str, str], headers: HeaderSource
) -> AwsSigner | None:
    """What signs the requests of this process, None where none is signed.

    Raises:
        UsageError: the keys in the environment cannot be any, or a header is the signature's.
    """
    if settings.aws is None:
        return None
    from mcp_remote_py.settings.aws import check_signed_headers
    from mcp_remote_py.signing.build import build_signer

    check_signed_headers(headers.headers)
    return build_signer(settings.aws, environment, LoopClock())


class Assembly(Value, frozen=True):
    """A relay with what it uses, to be run once."""

    relay: Relay
    era: ServerEra
    transports: list[str]
    """Those that were found."""
    worked: WorkedMemory
    snapshots: SnapshotMemory
    authorizer: LazySignIn | None

    @property
    def is_modern(self) -> bool:
        """Whether the server is known to be of the modern era."""
        return self.era.now is Era.MODERN

    @property
    def is_refused(self) -> bool:
        """Whether the server has refused what we have of a sign-in, be it nothing."""
        return self.authorizer is not None and self.authorizer.is_refused

    @property
    def transport(self) -> str:
        """The transport that was found, "" before."""
        return self.transports[-1] if self.transports else ""

    async def run(self) -> None:
        """Relays until the host goes away, and puts away what it has used."""
        await self.relay.run()
        self.worked.write()
        self.snapshots.write()
        if self.authorizer is not None:
            await self.authorizer.aclose()


def assemble(
    settings: ProxySettings,
    environment: Mapping[str, str],
    headers: HeaderSource,
    host: HostChannel,
    has_read: Callable[[], bool] = lambda: True,
    *,
    signer: AwsSigner | None = None,
    early: EarlyConnection | None = None,
    is_look: bool = False,
    sign_in: type[LazySignIn] = LazySignIn,
) -> Assembly:
    """The objects of one relay, from the host's messages to the server.

    With a `signer` its requests are signed, and nobody signs in. `early` is a connection to the
    server that was begun before.
    With `is_look` it is for a look at the server: whoever looks tells of failures, who was never
    reached now is not waited for, and what was said earlier does not stand for an answer.
    `sign_in` makes what answers a refusal of the credential.
    """
    clock = LoopClock()
    session = session_of(settings.server, settings.sign_in)
    folder = state_folder(environment)
    state = SessionFile(folder, session)
    known = state.read()
    has_worked = state.has_worked()
    acquaintance = Acquaintance(is_known=has_worked and not is_look)
    worked = WorkedMemory(state, has_worked)
    is_kept = settings.sign_in.token_store != "memory"  # noqa: S105 - its name
    client_cert = settings.network.tls.client_cert
    known_as = (settings.headers, client_cert, "" if signer is None else signer.identity)
    snapshots = SnapshotMemory(folder, session, *known_as, is_kept=is_kept)
    era = make_era(settings.protocol, known.era, lambda found: state.update(era=found.value))
    host_side = HostSide(host, era, clock, os.urandom)
    parameters = ParameterHeaders()
    # A person who gave a credential meant that one: nobody signs in (decision D12).
    authorizer = on_connected = None
    if signer is None and not headers.has_authorization:
        signed_in = known.signed_in_at is not None
        authorizer = sign_in(
            settings, environment, state, lambda: host_side.introduction, signed_in=signed_in
        )
        on_connected = authorizer.note_address

    intake = Intake(settings.max_message_size)
    of_client = (settings, headers, authorizer, intake, on_connected)
    transports: list[str] = []

    def note_chosen(name: str) -> None:
        transports.append(name)
        worked.note()

    def connect_transport(deliver: Deliver, on_session_lost: Callable[[], None]) -> ServerChannel:
        transport = build_transport(
            settings,
            lambda: HttpClient(*of_client, acquaintance=acquaintance, signer=signer, early=early),
            MetadataHeaders(parameters),
            state,
            known.transport,
            deliver,
            on_session_lost,
            host.drain,
            note_chosen,
            logging.DEBUG if is_look else logging.INFO,
        )
        if not settings.metadata:
            return transport
        from mcp_remote_py.bridge.added_metadata import MetadataChannel  # few starts need it

        return MetadataChannel(transport, dict(settings.metadata))

    def connect(deliver: Deliver, on_session_lost: Callable[[], None]) -> ServerChannel:
        def connect_era(deliver: Deliver) -> ServerChannel:
            return EraChannel(
                lambda take: connect_transport(take, on_session_lost),
                deliver,
                era,
                parameters,
                clock,
                draw,
            )

        if not settings.merge_pages:
            return connect_era(deliver)
        from mcp_remote_py.bridge.merging import MergingChannel  # few starts need it

        return MergingChannel(connect_era, deliver, clock, draw)

    relay = Relay(
        host_side,
        connect,
        catalog=ToolCatalog(settings.tools),
        clock=clock,
        random=draw,
        forward_ping=settings.forward_ping,
        ping_interval=settings.ping_interval,
        sign_in=None if is_look else authorizer,
        memory=None if is_look else snapshots,
        initialize_timeout=settings.initialize_timeout,
        host_wait=partial(initialize_wait, environment=environment) if settings.fits_host else None,
        acquaintance=acquaintance,
        has_read=has_read,
        failures_at=logging.DEBUG if is_look else logging.WARNING,
    )
    return Assembly(relay, era, transports, worked, snapshots, authorizer)


def build_transport(
    settings: ProxySettings,
    make_http: Callable[[], HttpClient],
    metadata: MetadataHeaders,
    state: SessionFile,
    remembered: str,
    deliver: Deliver,
    on_session_lost: Callable[[], None],
    drain: Callable[[], Awaitable[None]],
    note_chosen: Callable[[str], None],
    told_at: int,
) -> ServerChannel:
    """The channel that finds out the transport; what answered last time, `remembered`, is first.

    What was found is logged at the level `told_at`.
    """

    def streamable(on_accepted: OnAccepted, patience: float | None) -> ServerChannel:
        return StreamableChannel(
            make_http(),
            deliver,
            on_session_lost,
            LoopClock(),
            draw,
            settings.max_message_size,
            on_accepted,
            drain,
            metadata=metadata,
            greeting_patience=patience,
        )

    def legacy_sse(on_accepted: OnAccepted, patience: float | None) -> ServerChannel:
        from mcp_remote_py.transports.legacy_sse import LegacySseChannel  # few starts need it

        return LegacySseChannel(
            *(make_http(), deliver, on_session_lost, settings.max_message_size, on_accepted, drain),
            head_timeout=patience,
        )

    builders = {STREAMABLE: streamable, LEGACY_SSE: legacy_sse}
    names = order_transports(settings.transport, remembered)

    def chosen(name: str) -> None:
        note_chosen(name)
        logger.log(told_at, "Connected to %s by %s.", mask_url(str(settings.server)), name)
        # The usual case writes nothing: only what differs from it is worth a file.
        if remembered != name and (remembered or name != STREAMABLE):
            state.update(transport=name)

    # A person who gives a limit has a server that is slow, or a host that is patient.
    limit = settings.network.timeouts.headers
    return ChosenChannel(
        [Candidate(name, builders[name], name == STREAMABLE) for name in names],
        chosen,
        CHOICE_PATIENCE if limit == DEFAULT_HEADERS_TIMEOUT else limit or NO_LIMIT,
    )


def make_era(
    strategy: ProtocolStrategy, remembered: str, remember: Callable[[Era], None]
) -> ServerEra:
    """The server's era: as the person says, else as it was found last time, if it was."""
    match strategy:
        case ProtocolStrategy.LEGACY:
            return ServerEra(Era.LEGACY, fixed=True)
        case ProtocolStrategy.MODERN:
            return ServerEra(Era.MODERN, fixed=True)
        case ProtocolStrategy.AUTO:
            known = remembered in (Era.LEGACY.value, Era.MODERN.value)
            return ServerEra(Era(remembered) if known else Era.UNKNOWN, remember)


def order_transports(strategy: TransportStrategy, remembered: str) -> list[str]:
    """The transports to try, in order; what answered last time goes first."""
    match strategy:
        case TransportStrategy.HTTP_ONLY:
            return [STREAMABLE]
        case TransportStrategy.SSE_ONLY:
            return [LEGACY_SSE]
        case TransportStrategy.HTTP_FIRST:
            names = [STREAMABLE, LEGACY_SSE]
        case TransportStrategy.SSE_FIRST:
            names = [LEGACY_SSE, STREAMABLE]
    if remembered in names:
        names.sort(key=lambda name: name != remembered)
    return names
