"""The signer on a written clock: when keys are read, how often, and what a refusal changes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time

import pytest

from mcp_remote_py.aws.keys import AwsKeys, FoundKeys
from mcp_remote_py.channel import HeaderField, Signature
from mcp_remote_py.errors import McpRemoteError, Refused, Unusable
from mcp_remote_py.redact import Secret, scrub_known
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.signing.build import build_signer
from mcp_remote_py.signing.signer import (
    AHEAD,
    HOLD,
    LONGEST_HOLD,
    STAMP_INTERVAL,
    AwsSigner,
)
from mcp_remote_py.url import parse_url
from tests.fakes import FakeClock, run, settle
from tests.signing.fake_chain import FakeChain

pytestmark = pytest.mark.promise("AWS1")

URL = parse_url("https://abc.lambda-url.eu-west-1.on.aws/mcp")
START = 1_790_000_000.0
"""Seconds since 1970."""
REFUSED = (403, {b"x-amzn-errortype": b"UnrecognizedClientException"})
INVALID = b'{"message":"The security token included in the request is invalid."}'


def keys(number: int, expires_at: float | None = None) -> AwsKeys:
    return AwsKeys(f"AKIDTEST{number}", Secret(f"secret-key-canary-{number}"), None, expires_at)


class Stage:
    def __init__(self, *found: AwsKeys | McpRemoteError, region: str = "eu-west-1") -> None:
        self.chain = FakeChain(*found)
        self.clock = FakeClock()
        self.wrong_by = 0.0
        """Seconds that our clock is wrong."""
        self.signer = AwsSigner(self.chain, "lambda", region, self.clock, self.now)

    def now(self) -> float:
        return START + self.clock.now() - 1000.0 + self.wrong_by

    async def used(self) -> str:
        """The id of the key that a request is signed with now."""
        return key_of(await self.signer.prepare([]))

    async def refused(self, used: Signature, body: bytes = INVALID) -> bool:
        status, headers = REFUSED
        return await self.signer.refused(used, status, headers, body)

    async def pass_time(self, seconds: float) -> None:
        await self.clock.advance(seconds)


def headers_of(signature: Signature, *more: HeaderField) -> dict[bytes, bytes]:
    return dict(signature.sign(b"POST", URL, [(b"host", URL.authority.encode()), *more]))


def key_of(signature: Signature) -> str:
    value = headers_of(signature)[b"authorization"].decode()
    return value.partition("Credential=")[2].partition("/")[0]


def written(seconds: float) -> bytes:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds)).encode()


def no_keys(text: str = "There are no AWS keys.") -> McpRemoteError:
    return McpRemoteError(text, hint="Run aws sso login.")


def test_keys_are_read_once_for_many_requests() -> None:
    async def main() -> None:
        stage = Stage(keys(1))
        assert await asyncio.gather(*(stage.used() for _ in range(20))) == ["AKIDTEST1"] * 20
        await stage.pass_time(3600)
        assert await stage.used() == "AKIDTEST1"
        assert stage.chain.asked == 1, "keys without an end, of files that stay, are good"

    run(main())


@pytest.mark.promise("S2")
def test_keys_that_were_read_are_secrets_in_every_text() -> None:
    read = AwsKeys("AKIDTEST1", Secret("secret-key-canary-8"), Secret("token-canary-8"))
    run(Stage(read).used())
    assert scrub_known("secret-key-canary-8, token-canary-8") == "****, ****"


def test_keys_are_read_again_before_they_end_beside_the_requests() -> None:
    async def main() -> None:
        stage = Stage(keys(1, START + 3600), keys(2, START + 7200))
        await stage.used()
        await stage.pass_time(3600 - AHEAD - 1)
        assert await stage.used() == "AKIDTEST1"
        await settle()
        assert stage.chain.asked == 1
        await stage.pass_time(2)
        stage.chain.gate = asyncio.Event()
        assert await stage.used() == "AKIDTEST1", "nobody waits"
        assert await stage.used() == "AKIDTEST1"
        stage.chain.gate.set()
        await settle()
        assert await stage.used() == "AKIDTEST2"
        assert stage.chain.asked == 2

    run(main())


def test_keys_that_end_now_are_waited_for() -> None:
    async def main() -> None:
        stage = Stage(keys(1, START + 3600), keys(2, START + 7200))
        await stage.used()
        await stage.pass_time(3599)
        assert await asyncio.gather(stage.used(), stage.used()) == ["AKIDTEST2"] * 2
        assert stage.chain.asked == 2

    run(main())


def test_a_machine_that_slept_does_not_sign_with_what_has_ended() -> None:
    """The clock that never goes back stood still; the other one did not."""

    async def main() -> None:
        stage = Stage(keys(1, START + 3600), keys(2, START + 90000))
        await stage.used()
        await stage.pass_time(HOLD)
        stage.wrong_by = 40000
        assert await stage.used() == "AKIDTEST2"

    run(main())


def test_keys_that_come_back_ended_are_not_asked_for_again_and_again() -> None:
    async def main() -> None:
        stage = Stage(keys(1, START - 60))
        for _ in range(20):
            assert await stage.used() == "AKIDTEST1", "AWS has words for it"
        assert stage.chain.asked == 1
        await stage.pass_time(HOLD)
        await stage.used()
        assert stage.chain.asked == 2

    run(main())


def test_changed_files_are_read_again() -> None:
    async def main() -> None:
        stage = Stage(keys(1), keys(2))
        await stage.used()
        stage.chain.stamp = 1
        await stage.pass_time(STAMP_INTERVAL)
        assert await stage.used() == "AKIDTEST2"
        await stage.pass_time(STAMP_INTERVAL)
        await stage.used()
        assert stage.chain.asked == 2

    run(main())


def test_what_the_search_itself_writes_is_not_a_change() -> None:
    async def main() -> None:
        stage = Stage(keys(1))
        load = stage.chain.load_keys

        async def write() -> FoundKeys:
            stage.chain.stamp += 1
            return await load()

        stage.chain.load_keys = write  # type: ignore[method-assign]
        for _ in range(5):
            await stage.used()
            await stage.pass_time(STAMP_INTERVAL)
        assert stage.chain.asked == 1

    run(main())


def test_a_refused_request_is_signed_anew_where_the_keys_are_others() -> None:
    async def main() -> None:
        stage = Stage(keys(1), keys(2))
        used = [await stage.signer.prepare([]) for _ in range(10)]
        stage.chain.stamp = 1
        again = await asyncio.gather(*(stage.refused(one) for one in used))
        assert again == [True] * 10
        assert stage.chain.asked == 2, "one flight for all"
        assert await stage.used() == "AKIDTEST2"
        await stage.pass_time(HOLD)
        assert await stage.refused(used[0]), "who comes late is told of what others have read"
        assert stage.chain.asked == 2

    run(main())


def test_keys_that_were_changed_right_after_they_were_read_are_found_by_a_refusal() -> None:
    """A program that gives keys has no file that would tell."""

    async def main() -> None:
        stage = Stage(keys(1), keys(2))
        used = await stage.signer.prepare([])
        assert await stage.refused(used)
        assert await stage.used() == "AKIDTEST2"

    run(main())


def test_all_who_are_refused_wait_for_the_keys_that_one_of_them_asked_for() -> None:
    """A program gives other keys, and no file tells of it."""

    async def main() -> None:
        stage = Stage(keys(1), keys(2))
        used = [await stage.signer.prepare([]) for _ in range(10)]
        await stage.pass_time(HOLD)
        stage.chain.gate = asyncio.Event()
        refusals = [asyncio.ensure_future(stage.refused(one)) for one in used]
        await settle()
        stage.chain.gate.set()
        assert await asyncio.gather(*refusals) == [True] * 10
        assert stage.chain.asked == 2

    run(main())


def test_a_refused_request_is_not_sent_again_with_the_same_keys() -> None:
    async def main() -> None:
        stage = Stage(keys(1))
        used = await stage.signer.prepare([])
        await stage.pass_time(HOLD)
        assert [await stage.refused(used) for _ in range(20)] == [False] * 20
        assert stage.chain.asked == 2, "a storm asks once"
        await stage.pass_time(HOLD)
        assert not await stage.refused(used)
        assert stage.chain.asked == 3

    run(main())


def test_a_refusal_is_not_followed_by_a_storm_of_searches_in_vain() -> None:
    async def main() -> None:
        stage = Stage(keys(1), no_keys())
        used = await stage.signer.prepare([])
        await stage.pass_time(HOLD)
        assert [await stage.refused(used) for _ in range(20)] == [False] * 20
        assert stage.chain.asked == 2
        assert await stage.used() == "AKIDTEST1", "AWS has said why"

    run(main())


def test_nor_ever_where_nothing_comes_of_it() -> None:
    async def main() -> None:
        stage = Stage(keys(1), no_keys())
        used = await stage.signer.prepare([])
        for _ in range(100):
            await stage.pass_time(HOLD)
            assert not await stage.refused(used)
        assert stage.chain.asked <= 14

    run(main())


def test_nor_where_files_were_broken_before() -> None:
    async def main() -> None:
        stage = Stage(keys(1), no_keys())
        used = await stage.signer.prepare([])
        stage.chain.stamp = 1
        for _ in range(20):
            assert not await stage.refused(used)
            assert await stage.used() == "AKIDTEST1"
        assert stage.chain.asked == 2

    run(main())


def test_a_request_for_another_region_is_signed_anew() -> None:
    """The same keys, and another line beside them."""

    async def main() -> None:
        stage = Stage(keys(1), region="")
        stage.chain.region = "us-east-2"
        used = await stage.signer.prepare([])
        stage.chain.region, stage.chain.stamp = "eu-west-1", 1
        assert await stage.refused(used, b'{"message":"Credential should be scoped to x"}')
        again = await stage.signer.prepare([])
        assert b"/eu-west-1/lambda/" in headers_of(again)[b"authorization"]
        assert not await stage.refused(again)

    run(main())


def test_keys_that_change_with_each_reading_do_not_make_a_loop() -> None:
    async def main() -> None:
        stage = Stage(*(keys(number) for number in range(100)))
        await stage.used()
        sent = 0
        for _ in range(50):
            used = await stage.signer.prepare([])
            sent += await stage.refused(used)
        assert sent <= 1
        assert stage.chain.asked <= 2

    run(main())


@pytest.mark.parametrize("status", [404, 405, 429, 500])
def test_other_statuses_are_not_about_the_keys(status: int) -> None:
    async def main() -> None:
        stage = Stage(keys(1), keys(2))
        used = await stage.signer.prepare([])
        await stage.pass_time(HOLD)
        assert not await stage.signer.refused(used, status, {}, b"no")
        assert stage.chain.asked == 1
        assert stage.signer.explain(status, {}, b"no") is None

    run(main())


def test_a_failure_is_told_to_all_and_asked_for_again_soon() -> None:
    async def main() -> None:
        stage = Stage(no_keys(), keys(1))
        for _ in range(10):
            with pytest.raises(Refused) as caught:
                await stage.used()
            assert caught.value.sentence() == "There are no AWS keys. Run aws sso login."
        assert stage.chain.asked == 1
        await stage.pass_time(HOLD)
        assert await stage.used() == "AKIDTEST1"

    run(main())


@pytest.mark.parametrize(("is_passing", "most"), [(False, 13), (True, 100)])
def test_what_does_not_pass_is_asked_for_ever_less_often(is_passing: bool, most: int) -> None:
    """A program that gives keys may open a page each time; a network comes back."""

    async def main() -> None:
        error = Refused("There are no AWS keys.")
        stage = Stage(error.as_passing() if is_passing else error)
        for _ in range(100):
            with pytest.raises(Refused):
                await stage.used()
            await stage.pass_time(HOLD)
        assert most - 2 <= stage.chain.asked <= most
        stage.chain.found[:] = [keys(1)]
        stage.chain.stamp = 1
        assert await stage.used() == "AKIDTEST1", "files that change count at once"

    run(main())


def test_sign_in_in_another_window_helps_at_once() -> None:
    async def main() -> None:
        stage = Stage(no_keys(), keys(1))
        with pytest.raises(Refused):
            await stage.used()
        stage.chain.stamp = 1  # not a moment later
        assert await stage.used() == "AKIDTEST1"

    run(main())


def test_keys_that_cannot_be_read_again_are_used_as_long_as_they_are_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        stage = Stage(keys(1, START + 1000), no_keys(), no_keys(), keys(2))
        await stage.used()
        await stage.pass_time(1000 - 240)
        assert await stage.used() == "AKIDTEST1"
        await settle()
        assert stage.chain.asked == 2
        assert await stage.used() == "AKIDTEST1"
        assert stage.chain.asked == 2
        await stage.pass_time(241)
        with pytest.raises(Refused, match="There are no AWS keys"):
            await stage.used()
        await stage.pass_time(HOLD)
        assert await stage.used() == "AKIDTEST2"

    with caplog.at_level(logging.WARNING, "mcp_remote_py"):
        run(main())
    assert "could not be read again: There are no AWS keys. Run aws sso login." in caplog.text


def test_nobody_waits_for_files_that_were_broken_while_the_keys_are_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A program that hangs takes 45 seconds each time."""

    async def main() -> None:
        stage = Stage(keys(1), no_keys(), no_keys(), no_keys(), keys(2))
        await stage.used()
        stage.chain.stamp = 1
        await stage.pass_time(STAMP_INTERVAL)
        assert await stage.used() == "AKIDTEST1"
        assert stage.chain.asked == 2
        for asked in (3, 4, 5):
            await stage.pass_time(LONGEST_HOLD)
            stage.chain.gate = asyncio.Event()
            async with asyncio.timeout(1):
                assert await stage.used() == "AKIDTEST1", "nobody waits"
            stage.chain.gate.set()
            await settle()
            assert stage.chain.asked == asked, "it is tried beside the requests"
        assert await stage.used() == "AKIDTEST2"

    with caplog.at_level(logging.WARNING, "mcp_remote_py"):
        run(main())
    assert caplog.text.count("could not be read again") == 1


def clock_refusal(at: float) -> tuple[int, dict[bytes, bytes], bytes]:
    from email.utils import formatdate

    headers = {
        b"x-amzn-errortype": b"InvalidSignatureException",
        b"date": formatdate(at, usegmt=True).encode(),
    }
    words = b'{"message":"Signature expired: 20260101T000000Z is now earlier than 2026"}'
    return 403, headers, words


def test_a_wrong_clock_is_said_once_and_mended(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        stage = Stage(keys(1))
        stage.wrong_by = -3700
        used = [await stage.signer.prepare([]) for _ in range(3)]
        first, *_ = [headers_of(one) for one in used]
        for one in used:
            assert await stage.signer.refused(one, *clock_refusal(START))
        mended = headers_of(await stage.signer.prepare([]))
        assert first[b"x-amz-date"] == written(START - 3700)
        assert mended[b"x-amz-date"] == written(START)
        assert stage.chain.asked == 1

    with caplog.at_level(logging.WARNING, "mcp_remote_py"):
        run(main())
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        "The clock of this machine is 1 hour behind AWS's, which refuses what is signed by it: "
        "requests are signed by AWS's time from now on. Set the clock."
    )


@pytest.mark.parametrize("wrong_by", [5.0, 90000.0, -90000.0])
def test_a_clock_that_is_right_or_far_off_is_left_alone(wrong_by: float) -> None:
    async def main() -> None:
        stage = Stage(keys(1))
        stage.wrong_by = wrong_by
        used = await stage.signer.prepare([])
        headers_of(used)
        assert not await stage.signer.refused(used, *clock_refusal(START))
        assert stage.signer.offset == 0

    run(main())


def test_the_time_is_that_of_signing_not_of_preparing() -> None:
    async def main() -> None:
        stage = Stage(keys(1))
        prepared = await stage.signer.prepare([])
        await stage.pass_time(60)
        assert headers_of(prepared)[b"x-amz-date"] == written(START + 60)

    run(main())


@pytest.mark.parametrize("name", ["Authorization", "X-Amz-Date", "x-amz-security-token"])
def test_a_header_of_the_signature_is_never_signed(name: str) -> None:
    async def main() -> None:
        prepared = await Stage(keys(1)).signer.prepare([])
        with pytest.raises(Unusable, match=f"header {name.lower()} is given") as caught:
            headers_of(prepared, (name.encode(), b"Bearer canary"))
        assert "--aws-sigv4" in caught.value.hint

    run(main())


def test_the_region_of_the_keys_counts_where_none_is_given() -> None:
    async def main() -> None:
        stage = Stage(keys(1), region="")
        with pytest.raises(Refused, match="for which AWS region") as caught:
            await stage.used()
        assert "--aws-region" in caught.value.hint
        assert '"env"' in caught.value.hint
        stage.chain.region, stage.chain.stamp = "eu-north-1", 1  # not a moment later
        value = headers_of(await stage.signer.prepare([]))[b"authorization"]
        assert b"/eu-north-1/lambda/aws4_request" in value

    run(main())


def test_a_long_body_does_not_hold_the_loop() -> None:
    """Turns are counted, not timed: each has its bytes at most."""

    async def main() -> None:
        stage = Stage(keys(1))
        body = [memoryview(bytes(3 << 20))] * 8
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count())
        prepared = await stage.signer.prepare(body)
        counting.cancel()
        assert turns >= 8
        assert hashlib.sha256(bytes(24 << 20)).hexdigest() in repr(vars(prepared))

    run(main())


def test_an_explanation_says_whose_key_it_was_and_for_what() -> None:
    async def main() -> None:
        stage = Stage(keys(1))
        await stage.used()
        status, headers = REFUSED
        told = stage.signer.explain(status, headers, INVALID)
        assert told is not None
        cause, hint = told
        assert cause.startswith("AWS does not know the AWS keys (HTTP 403, Unrecognized")
        assert cause.endswith(
            "It was signed with the key AKIDTEST1 from sso for lambda in eu-west-1."
        )
        assert hint
        assert "canary" not in cause + hint

    run(main())


def test_keys_in_the_environment_come_first_unless_a_profile_is_named() -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIDENVIRONMENT",
        "AWS_SECRET_ACCESS_KEY": "secret-key-canary-9",
        "AWS_PROFILE": "work",
    }

    async def used(settings: AwsSettings, environment: dict[str, str]) -> tuple[str, str, int]:
        chain = FakeChain(keys(1), region="eu-north-1")
        signer = build_signer(settings, environment, FakeClock(), lambda: START, chain)
        return key_of(await signer.prepare([])), signer.identity, chain.asked

    async def main() -> None:
        settings = AwsSettings("lambda", "eu-west-1")
        assert await used(settings, environment) == ("AKIDENVIRONMENT", "AKIDENVIRONMENT", 0)
        without = {"AWS_PROFILE": "work"}
        assert await used(settings, without) == ("AKIDTEST1", "work", 1)
        assert await used(settings, {}) == ("AKIDTEST1", "default", 1)
        named = settings.replace(profile="dev")
        assert await used(named, environment) == ("AKIDTEST1", "dev", 1)
        nowhere = settings.replace(region="")
        assert await used(nowhere, environment) == ("AKIDENVIRONMENT", "AKIDENVIRONMENT", 1)

    run(main())


def test_a_region_is_looked_for_again_where_what_was_in_the_way_passes() -> None:
    environment = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secret-key-canary-9"}

    async def main() -> None:
        hangs = Refused("It did not end within 45 seconds.").as_passing()
        chain, clock = FakeChain(hangs, keys(1), region="eu-north-1"), FakeClock()
        signer = build_signer(AwsSettings("lambda"), environment, clock, lambda: START, chain)
        with pytest.raises(Refused, match="did not end"):
            await signer.prepare([])
        await clock.advance(HOLD)
        assert key_of(await signer.prepare([])) == "AKIDENV"

    run(main())


def test_what_is_under_way_is_ended() -> None:
    async def main() -> None:
        stage = Stage(keys(1))
        stage.chain.gate = asyncio.Event()
        waiting = asyncio.ensure_future(stage.signer.prepare([]))
        await settle()
        await stage.signer.aclose()
        await asyncio.wait({waiting}, timeout=1)
        assert waiting.cancelled()
        await stage.signer.aclose()

    run(main())
