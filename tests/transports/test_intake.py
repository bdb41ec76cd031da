"""One budget for all answers, and turns of the loop: who waits, who goes on, that none hangs."""

from __future__ import annotations

import asyncio
import random

import pytest

from mcp_remote_py.transports.intake import FREE_BYTES, SHARED_BYTES, TURN, Intake, Share
from tests.fakes import run, settle

MIB = 1024 * 1024
LIMIT = 16 * MIB


async def grow(share: Share, size: int) -> None:
    """In pieces, as a body comes."""
    while share.held < size:
        await share.hold(min(share.held + MIB, size))


@pytest.mark.report("S6")
def test_one_may_have_all_of_the_limit_whatever_others_hold() -> None:
    async def main() -> None:
        intake = Intake(LIMIT)
        shares = [intake.open(LIMIT) for _ in range(20)]
        growing = [asyncio.ensure_future(grow(share, LIMIT)) for share in shares]
        for _ in shares:
            await settle()
            assert sum(share.held for share in shares) <= LIMIT + SHARED_BYTES
            done = [one for one in shares if one.held == LIMIT]
            assert len(done) == 1
            done[0].release()
        await asyncio.wait_for(asyncio.gather(*growing), 5)

    run(main())


@pytest.mark.report("S6")
def test_small_answers_never_wait() -> None:
    async def main() -> None:
        intake = Intake(LIMIT)
        large = [intake.open(LIMIT) for _ in range(3)]
        growing = [asyncio.ensure_future(grow(share, LIMIT)) for share in large]
        await settle()
        assert not all(one.done() for one in growing)
        for _ in range(200):
            await asyncio.wait_for(intake.open(LIMIT).hold(FREE_BYTES), 1)
        for one in growing:
            one.cancel()

    run(main())


@pytest.mark.report("S6")
def test_answers_of_a_known_length_share_all_there_is() -> None:
    async def main() -> None:
        intake = Intake(LIMIT)
        shares = [intake.open(2 * MIB) for _ in range(12)]
        await asyncio.wait_for(asyncio.gather(*(grow(one, 2 * MIB) for one in shares)), 1)

    run(main())


@pytest.mark.report("S6")
@pytest.mark.parametrize("seed", range(20))
def test_whoever_comes_and_goes_nobody_hangs(seed: int) -> None:
    async def main() -> None:
        chance = random.Random(seed)  # noqa: S311 - for a test
        intake = Intake(LIMIT)
        held = 0

        async def play() -> None:
            nonlocal held
            share = intake.open(chance.choice([MIB, LIMIT, LIMIT]))
            try:
                async with asyncio.timeout(chance.choice([None, None, 0.01])):
                    await grow(share, chance.randint(1, share.claim))
                    share.complete()
                    await asyncio.sleep(0)
            except TimeoutError:
                pass
            finally:
                share.release()

        await asyncio.wait_for(asyncio.gather(*(play() for _ in range(60))), 10)
        everything = intake.open(LIMIT)
        await asyncio.wait_for(grow(everything, LIMIT), 1)

    run(main())


@pytest.mark.report("S12")
def test_who_works_without_end_lets_everybody_else_go_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        intake = Intake(LIMIT)
        longest = 0.0

        async def flood() -> None:
            share = intake.open(LIMIT)
            while True:
                await share.work(1000)

        floods = [asyncio.ensure_future(flood()) for _ in range(50)]
        for _ in range(20):
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)
        for one in floods:
            one.cancel()
        assert longest < 40 * TURN  # in 50 turns at once it would be 250 ms, and not end

    run(main())
