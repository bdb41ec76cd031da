"""Sends requests to one server: adds a person's headers, follows redirects, gets a credential.

One request is one exchange, or some of them (see `exchanges`). What an answer says of the
credential is `oauth/credential_refusal`'s to judge, where a redirect leads `redirects`', and what
becomes of a refused signature `signed`'s. Must not know MCP methods, OAuth rules or connections.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcp_remote_py.bounds import TURN_BYTES, Tally
from mcp_remote_py.channel import Authorizer, HeaderField, Piece, Sent
from mcp_remote_py.errors import ExchangeError
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.oauth.credential_refusal import find_refusal, is_accepted, wants_nonce
from mcp_remote_py.redact import mask_url, scrub_known_in_steps
from mcp_remote_py.retry import Acquaintance, may_have_effect
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.transports.body_types import ANSWER_TYPES, PAGE
from mcp_remote_py.transports.exchange_log import SILENCE, SilenceWatch
from mcp_remote_py.transports.exchanges import Exchanges
from mcp_remote_py.transports.headers import HeaderSource
from mcp_remote_py.transports.intake import Intake
from mcp_remote_py.transports.redirects import find_redirect, follow, is_kept, is_upgrade_of
from mcp_remote_py.transports.response import EVIDENCE_TIMEOUT, Response
from mcp_remote_py.url import ServerUrl, parse_url
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py.channel import Signer
    from mcp_remote_py.net.early import EarlyConnection
    from mcp_remote_py.settings.http_proxy import HttpProxy

logger = logging.getLogger("mcp_remote_py.transports")

MAX_ATTEMPTS = 4
"""Times one request may be sent again with another credential: a renewed one, one of a new
sign-in, one with more scopes, one whose proof has the server's nonce."""


class _Told(Value, frozen=True):
    """The words of a bad answer on the credential."""

    status: int
    """That of a refusal of it, 0 for none."""
    challenge: bytes
    answer: Message | None
    """The error with the id of the request, where it came with one."""


class HttpClient:
    """Sends requests to one server.

    `on_connected` is told the address that each new connection to it has, where that is seen;
    `choose_proxy` names the proxy for an address, instead of the network's settings;
    `acquaintance` is told that the server answers; `silence` are the seconds after which it is said
    that it does not; `signer` signs every request, and then there is no `authorizer`; `early` is a
    connection that was begun before.
    """

    def __init__(
        self,
        settings: ProxySettings,
        headers: HeaderSource,
        authorizer: Authorizer | None = None,
        intake: Intake | None = None,
        on_connected: Callable[[str], None] | None = None,
        choose_proxy: Callable[[ServerUrl], HttpProxy | None] | None = None,
        acquaintance: Acquaintance | None = None,
        silence: float = SILENCE,
        signer: Signer | None = None,
        early: EarlyConnection | None = None,
    ) -> None:
        self._settings = settings
        self._network = settings.network
        self._choose_proxy = choose_proxy or self._network.proxy_for
        acquaintance = acquaintance or Acquaintance(is_known=True)
        limit = settings.network.timeouts.headers
        self._silence = SilenceWatch(acquaintance, limit, silence)
        self._headers = headers
        self._sign_in = None if signer is not None else authorizer
        self._signer = signer
        self._server = settings.server
        self._kept = Tally()
        self._scrubbing = asyncio.Lock()
        intake = intake or Intake(settings.max_message_size)
        of_connections = (on_connected, self._choose_proxy, acquaintance, signer, early)
        self._exchanges = Exchanges(settings, headers, intake, *of_connections)

    @property
    def _authorizer(self) -> Authorizer | None:
        """Whom to ask: nobody where the person gave a credential, as also a reload may bring one.

        They meant that one (decision D12).
        """
        return None if self._headers.has_authorization else self._sign_in

    @property
    def server(self) -> ServerUrl:
        """The address in use: the one given, or where a redirect led."""
        return self._server

    @property
    def answer_patience(self) -> float | None:
        """Seconds an answer may take that was promised; None means no limit."""
        return self._network.timeouts.body

    def return_home(self) -> None:
        """Goes back to the address given: what a redirect said was for the session that ended."""
        if not is_upgrade_of(self._settings.server, self._server):
            self._server = self._settings.server

    async def request(
        self,
        method: bytes,
        headers: list[HeaderField],
        body: Sequence[Piece] = (),
        *,
        endpoint: ServerUrl | None = None,
        may_sign_in: bool = True,
        may_move: bool = False,
        shook_hands: bool = False,
        asked: Message | None = None,
        patience: float | None = None,
    ) -> Response:
        """One exchange up to the answer's headers; `endpoint` is another URL of the same origin.

        `asked` is the request whose pieces `body` is, where it is one: its answer is looked for in
        redirects and refusals, too. `patience`, where it is given, bounds the wait for the headers.
        `shook_hands` tells that a session was begun: a refusal may be of that, whatever its status,
        and no other credential is got then.

        A redirect holds for this request. With `may_move` those that come after go where it led as
        well, until `return_home`; and always where it only led from http to https, so that no
        header goes in clear again.

        A 401 is answered by reading header files and commands again, once, where they changed;
        else by the authorizer, unless `may_sign_in` is False: nobody waits for such a request,
        so it must not open a browser (field note 16).

        Raises:
            NotSent, Interrupted, Unusable: see `errors`; never for a status.
            Refused: a sign-in was needed and failed, or there are no keys to sign the request with.
        """
        reloaded = False
        redirects = 0
        attempts = 0
        url = endpoint or self._server
        while True:
            version = self._headers.version
            to = self._exchanges.find(url)
            authorizer = self._authorizer
            sent = None if authorizer is None else await authorizer.authorize(method, to.address)
            carried = headers if sent is None else [*headers, *sent.headers]
            silence = self._silence.watch(to.origin, asked, patience)
            try:
                response = await self._exchanges.send(method, to, carried, body, patience)
            finally:
                if silence is not None:
                    silence.cancel()
            response.is_moved = redirects > 0
            if is_accepted(response.status):
                self._note_accepted(response, sent, url if may_move else self._server)
                return response
            location = find_redirect(response.status, response.headers)
            told = await self._judge(response, sent if may_sign_in else None, asked)
            if told is None:
                return response
            if location is not None:
                await response.aclose()
                redirects += 1
                url = self._follow(url, method, response, location, redirects)
                if is_upgrade_of(self._server, url):
                    self._server = url
            elif response.status == 401 and not reloaded and await self._reload(response, version):
                reloaded = True
            elif attempts < MAX_ATTEMPTS and (
                await self._wants_nonce(response, sent)
                or (
                    may_sign_in
                    and told.status  # else its body is nobody's to look at yet
                    and not (shook_hands and await self._is_of_session(response, headers))
                    and not await self._is_page(response)
                    and await self._authorize(response, told, sent)
                )
                or await self._sign_anew(response, asked, attempts)
            ):
                attempts += 1
            else:
                return response

    async def _sign_anew(self, response: Response, asked: Message | None, times: int) -> bool:
        """Whether the refused request is to be signed with something new, and sent once more."""
        if self._signer is None:
            return False
        from mcp_remote_py.transports.signed import sign_anew

        return await sign_anew(self._signer, response, self._read_evidence, asked, times)

    def _follow(
        self, url: ServerUrl, method: bytes, response: Response, location: str, count: int
    ) -> ServerUrl:
        following = follow(url, method, response.status, location, count)
        if is_kept(url, location, following) and (times := self._kept.take()) is not None:
            text = "The server redirects to %s at its own host%s; %s is kept: %s"
            is_clear = url.scheme == "https" and location[:5].lower() == "http:"
            elsewhere, kept = ("plain http", "https") if is_clear else ("another port", "its own")
            logger.warning(text, elsewhere, times, kept, mask_url(str(following)))
        return following

    def _note_accepted(self, response: Response, sent: Sent | None, server: ServerUrl) -> None:
        self._server = server
        self._take_nonce(response)
        if sent is not None and self._authorizer is not None:
            self._authorizer.accepted(sent)

    def _take_nonce(self, response: Response) -> None:
        """Keeps what the next proof of possession has to repeat (RFC 9449 §8.2)."""
        nonce = response.headers.get(b"dpop-nonce")
        if nonce is not None and self._authorizer is not None:
            self._authorizer.take_nonce(nonce)

    async def _wants_nonce(self, response: Response, sent: Sent | None) -> bool:
        """Whether the request is only to be sent with another nonce (RFC 9449 §9)."""
        self._take_nonce(response)
        has_proof = sent is not None and sent.has_proof and self._authorizer is not None
        if not (has_proof and wants_nonce(response.status, response.headers)):
            return False
        await response.aclose()
        return True

    async def _judge(
        self, response: Response, sent: Sent | None, asked: Message | None
    ) -> _Told | None:
        """What an answer with a bad status says of the credential that was sent, if one was.

        None where it is the answer to `asked`, which may have been executed.
        """
        if response.signature is not None:
            response.signature.hide()
        status = response.status
        challenge = response.headers.get(b"www-authenticate", b"")
        refused = find_refusal(status, response.headers)
        answer = None
        if find_redirect(status, response.headers) is not None or refused or sent is not None:
            answer = await self._find_answer(response, asked)
        is_credentials = status == 401 or (status == 403 and b"insufficient_scope" in challenge)
        if (
            answer is not None
            and not (is_credentials and answer.is_error)
            and not await self._is_of_aws(response, answer)
        ):
            return None
        if sent is not None and status >= 400 and not (refused == 401 and b"error" in challenge):
            told = _Told(refused, challenge, answer)
            return await self._read_words(response, told, sent, asked)
        return _Told(refused, challenge, answer)

    async def _is_of_aws(self, response: Response, answer: Message) -> bool:
        """Whether AWS gave the answer."""
        if self._signer is None:
            return False
        from mcp_remote_py.transports.signed import is_error_of_aws

        body = await self._read_evidence(response) or b""
        return is_error_of_aws(self._signer, response, body, answer)

    async def _read_words(
        self, response: Response, told: _Told, sent: Sent, asked: Message | None
    ) -> _Told | None:
        """The refusal of the credential that an answer is by its words, else what it was before.

        None as in `_judge`; the token is looked after all the same, for the next request.
        """
        # Few are refused in other words.
        from mcp_remote_py.oauth.token_words import IN_DOUBT, read_token_refusal

        body = await self._read_evidence(response) or b""
        has_effect = asked is not None and may_have_effect(asked)
        about = (response.status, told.challenge, body)
        status, challenge = read_token_refusal(*about, has_effect=has_effect)
        if status:
            return told.replace(status=status, challenge=challenge)
        if has_effect and not told.status and read_token_refusal(*about)[0]:
            await self._renew_for_others(response, _Told(response.status, IN_DOUBT, None), sent)
            return None
        return told

    async def _renew_for_others(self, response: Response, told: _Told, sent: Sent) -> None:
        """Looks whether the token has ended, where only the next request may be sent again."""
        try:
            await self._authorize(response, told, sent)
        except ExchangeError as error:
            logger.debug("No other credential: %s", error.cause)

    async def _authorize(self, response: Response, told: _Told, sent: Sent | None) -> bool:
        """Whether there is a new credential to send the refused request with."""
        if self._authorizer is None:
            return False
        # A person may need minutes: the connection must not be held for that long.
        if told.status != 401:
            await self._read_evidence(response)  # the answer, where nobody is asked
        await response.aclose()
        try:
            return await self._authorizer.refused(sent, told.status, told.challenge)
        except ExchangeError as error:
            answer = told.answer
            if answer is None or not answer.is_error:
                raise
            # Others may be told the same, whose ids are their own.
            own = {"status": response.status, "body": answer.raw}
            raise error.changed({**own, "is_answer": True, "in_our_words": True}) from error

    async def _is_page(self, response: Response) -> bool:
        """Whether a refusal is a page before the server, which no sign-in helps against."""
        if response.content_type != PAGE or b"www-authenticate" in response.headers:
            return False
        from mcp_remote_py.transports.pages import find_check

        body = await response.read_evidence()
        return find_check(response.status, response.headers, body) is not None

    async def _is_of_session(self, response: Response, headers: list[HeaderField]) -> bool:
        """Whether a refusal of the credential says that it is the session that is not known."""
        from mcp_remote_py.transports.lost_session import says_lost

        return says_lost(
            response.status,
            response.headers,
            await response.read_evidence(),
            has_id=any(name == b"mcp-session-id" for name, _ in headers),
            shook_hands=True,
        )

    async def _find_answer(self, response: Response, asked: Message | None) -> Message | None:
        """The answer that a redirect or a refusal of the credential carries, if it has one."""
        if asked is None or not (response.content_type in ANSWER_TYPES or may_have_effect(asked)):
            return None
        from mcp_remote_py.transports.refusal import find_answer

        body = await self._read_evidence(response)
        return None if body is None else find_answer(body, response.content_type, asked)

    async def _read_evidence(self, response: Response) -> bytes | None:
        """The body of a refusal without any secret of ours; None where it does not come soon."""
        try:
            async with asyncio.timeout(EVIDENCE_TIMEOUT):  # nobody may hold up a sign-in
                await response.read_evidence(self._settings.max_message_size)
        except TimeoutError:
            return None
        return await self._read_scrubbed(response)

    async def _read_scrubbed(self, response: Response, limit: int = 0) -> bytes:
        """The same, once; before anything is cut out of it: of half a secret nobody knows it."""
        if response.scrubbed is None:
            response.scrubbed = await self.scrub(response, await response.read_evidence(limit))
        return response.scrubbed

    async def fail(
        self,
        response: Response,
        *,
        request: Message | None,
        session_sent: bool,
        shook_hands: bool = False,
    ) -> ExchangeError:
        """The error that an answer with a bad status or an unusable body stands for."""
        from mcp_remote_py.transports.pages import find_sign_in  # few starts need them
        from mcp_remote_py.transports.refusal import explain_content, explain_refusal

        limit = 0 if request is None else self._settings.max_message_size
        body = await self._read_scrubbed(response, limit)
        where = mask_url(response.where)
        if response.status == 407 and self._server.scheme == "http":
            proxy = self._choose_proxy(self._server)
            if proxy is not None:
                from mcp_remote_py.net.proxy import refuse_request

                about = (response.reason, response.headers.items(), body)
                return refuse_request(proxy, *about, self._server.authority)
        page = None
        if response.is_moved:
            page = find_sign_in(parse_url(response.where), self._settings.server)
        if response.status < 300:
            return explain_content(
                response.status,
                response.content_type,
                body,
                where=where,
                request=request,
                headers=response.headers,
                sign_in_page=page,
            )
        headers = {
            name: await self.scrub(response, value) for name, value in response.headers.items()
        }
        error = explain_refusal(
            response.status,
            headers,
            body,
            where=where,
            session_sent=session_sent,
            request=request,
            credential_sent=self._headers.has_authorization,
            now=datetime.now(UTC).timestamp(),
            is_whole=response.is_whole,
            sign_in_page=page,
            shook_hands=shook_hands,
        )
        if self._signer is None:
            return error
        from mcp_remote_py.transports.signed import explain_signed

        about = (self._signer, response, headers, body)
        return explain_signed(*about, request=request, otherwise=error)

    async def scrub(self, response: Response, evidence: bytes) -> bytes:
        """The body of `response` for an error text, without any secret of ours.

        As text it may be four times as large: long ones take turns.
        """
        if len(evidence) <= TURN_BYTES:
            return await _scrub(response, evidence)
        async with self._scrubbing:
            return await _scrub(response, evidence)

    async def aclose(self) -> None:
        """Closes idle connections."""
        self._exchanges.close()
        await asyncio.sleep(0)  # asyncio closes their sockets in the next turn

    async def _reload(self, response: Response, version: int) -> bool:
        if not await self._headers.reload(version):
            return False
        await response.aclose()
        return True


async def _scrub(response: Response, evidence: bytes) -> bytes:
    text = evidence.decode("utf-8", "surrogateescape")
    scrubbed = await response.work_at(scrub_known_in_steps(text))
    return evidence if scrubbed is text else scrubbed.encode("utf-8", "surrogateescape")
