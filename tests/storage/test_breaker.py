"""The breaker that stops cards, the same in memory and in Postgres."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from ivr.billing.limiting import Limiting
from ivr.billing.limits import CardVerdict, Phase
from tests.storage.trying import CAPTURED, KEPT, SOFT, Trying
from tests.storage.world import PostgresWorld, opened

ALLOWED = CardVerdict.ALLOWED


async def attack(trying: Trying, most: int = 40) -> int:
    """A tester with a new number and a new card each time: how many cards were declined."""
    trying.limiting = Limiting(trying.limiting.tries)
    for done in range(most):
        verdict = await trying.tries(
            await trying.call(), await trying.invoice(), card=uuid4().int % 10**12
        )
        if verdict is CardVerdict.BREAKER:
            return done
    return most


async def test_a_tester_with_changing_numbers_and_cards_is_stopped(trying: Trying) -> None:
    assert await attack(trying) == 11
    assert await trying.limiting.look() is Phase.OPEN


async def test_testers_at_once_get_no_further_than_what_was_under_way(real: PostgresWorld) -> None:
    await real.ask("UPDATE attempts SET tried_at = tried_at - interval '2 days'")
    await real.ask("UPDATE card_breaker SET opened_at = NULL, closed_at = NULL")
    trying, at_once = Trying.at(real), 8
    done = await asyncio.gather(*[attack(trying, 20) for _ in range(at_once)])
    assert 11 <= sum(done) <= 11 + at_once - 1


async def test_a_company_whose_cards_mostly_succeed_is_not_stopped(trying: Trying) -> None:
    trying.limiting = Limiting(trying.limiting.tries)
    for number in range(26):
        ends = SOFT if number % 2 else CAPTURED
        call, invoice = await trying.call(), await trying.invoice()
        verdict = await trying.tries(call, invoice, card=uuid4().int % 10**12, ends=ends)
        assert verdict is ALLOWED
    assert await trying.limiting.look() is Phase.CLOSED


async def test_one_caller_who_hides_cannot_stop_everybodys_cards(trying: Trying) -> None:
    trying.limiting = Limiting(trying.limiting.tries)
    for _ in range(20):
        call, invoice = await trying.call(""), await trying.invoice()
        assert await trying.tries(call, invoice, card=uuid4().int % 10**12) is ALLOWED
    assert await trying.limiting.look() is Phase.CLOSED
    call, invoice = await trying.call(""), await trying.invoice()
    assert await trying.tries(call, invoice) is CardVerdict.HIDDEN


async def test_who_had_a_card_declined_is_not_who_proves_that_cards_work(trying: Trying) -> None:
    await attack(trying)
    number = "+34600000042"
    await trying.clock.passes(minutes=16)
    first = await trying.tries(await trying.call(number), await trying.invoice(), card=931)
    assert first is ALLOWED
    assert await trying.limiting.look() is Phase.OPEN
    await trying.clock.passes(minutes=16)
    assert await trying.limiting.look() is Phase.HALF_OPEN
    again = await trying.tries(await trying.call(number), await trying.invoice(), card=932)
    assert again is CardVerdict.BREAKER
    another = await trying.tries(await trying.call(), await trying.invoice(), card=933)
    assert another is ALLOWED


async def test_the_breaker_tries_one_card_at_a_time_and_closes_after_three(trying: Trying) -> None:
    await attack(trying)
    await trying.clock.passes(minutes=14)
    assert await trying.limiting.look() is Phase.OPEN
    await trying.clock.passes(minutes=2)
    assert await trying.limiting.look() is Phase.HALF_OPEN
    first, verdict = await trying.counted(await trying.call(), await trying.invoice(), card=901)
    assert verdict is ALLOWED
    second = await trying.tries(await trying.call(), await trying.invoice(), card=902)
    assert second is CardVerdict.BREAKER
    await trying.world.ledger.cancel(first.id)
    for card in (903, 904, 905):
        call, invoice = await trying.call(), await trying.invoice()
        assert await trying.tries(call, invoice, card=card, ends=CAPTURED) is ALLOWED
    assert await trying.limiting.look() is Phase.CLOSED
    assert await trying.tries(await trying.call(), await trying.invoice(), card=906) is ALLOWED
    assert await trying.limiting.look() is Phase.CLOSED


async def test_a_declined_trial_opens_it_again_for_the_whole_pause(trying: Trying) -> None:
    await attack(trying)
    await trying.clock.passes(minutes=16)
    assert await trying.tries(await trying.call(), await trying.invoice(), card=911) is ALLOWED
    assert await trying.limiting.look() is Phase.OPEN
    await trying.clock.passes(minutes=14)
    assert await trying.limiting.look() is Phase.OPEN
    await trying.clock.passes(minutes=2)
    assert await trying.limiting.look() is Phase.HALF_OPEN


async def test_a_trial_whose_process_died_is_not_waited_for(trying: Trying) -> None:
    await attack(trying)
    await trying.clock.passes(minutes=16)
    _, verdict = await trying.counted(await trying.call(), await trying.invoice(), card=921)
    assert verdict is ALLOWED
    await trying.clock.passes(minutes=4)
    assert await trying.tries(await trying.call(), await trying.invoice(), card=922) is ALLOWED


async def test_opening_and_closing_is_noticed_once(trying: Trying) -> None:
    notices: list[tuple[str, str]] = []
    await attack(trying)
    trying.limiting = Limiting(
        trying.limiting.tries, notice=lambda what, why: notices.append((what, why))
    )
    await trying.clock.passes(minutes=16)
    for _ in range(3):
        call, invoice = await trying.call(), await trying.invoice()
        await trying.tries(call, invoice, card=uuid4().int % 10**12, ends=CAPTURED)
    for _ in range(3):
        await trying.limiting.look()
    assert notices == [("breaker", "closed")]


async def test_the_breaker_does_not_stop_cards_on_file(trying: Trying) -> None:
    await attack(trying)
    call = await trying.call()
    attempt = await opened(trying.world, await trying.invoice(), call_id=call.id)
    assert await trying.limiting.count(attempt.id, KEPT) is ALLOWED
