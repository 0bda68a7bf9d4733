"""Tries at cards, counted the same in memory and in Postgres."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from ivr.billing.captures import CaptureOutcome, CaptureRequest, CaptureResult
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.limiting import Limiting
from ivr.billing.limits import CardVerdict, Limits, Subjects
from ivr.billing.payments import (
    CardOnFile,
    CardOnHand,
    DeclineBucket,
    KeepCard,
    MeansOnHand,
    PayPalOnHand,
    Refusal,
)
from ivr.gateways.vault import TOKEN_UNKNOWN
from ivr.storage.limits import PostgresTries
from ivr.storage.pool import Database
from tests.storage.test_contract_cards_on_file import a_card
from tests.storage.trying import CAPTURED, EXPIRED, HARD, KEPT, Trying, card_hash
from tests.storage.world import CARD, PostgresWorld, World, opened

ALLOWED = CardVerdict.ALLOWED


async def test_the_fourth_try_of_a_call_is_stopped(trying: Trying) -> None:
    call = await trying.call()
    tried = [await trying.tries(call, await trying.invoice()) for _ in range(4)]
    assert tried == [ALLOWED, ALLOWED, ALLOWED, CardVerdict.CALL]


async def test_the_third_card_of_a_call_is_stopped(trying: Trying) -> None:
    call = await trying.call()
    tried = [
        await trying.tries(call, await trying.invoice(), card=uuid4().int % 10**9) for _ in range(3)
    ]
    assert tried == [ALLOWED, ALLOWED, CardVerdict.CARDS_OF_CALL]


async def test_the_sixth_try_of_a_number_is_stopped_for_a_day(trying: Trying) -> None:
    async def tries() -> CardVerdict:
        call = await trying.call("+34600000001")
        return await trying.tries(call, await trying.invoice(), card=uuid4().int % 10**9)

    assert [await tries() for _ in range(6)] == [*[ALLOWED] * 5, CardVerdict.NUMBER]
    await trying.clock.passes(hours=23)
    assert await tries() is CardVerdict.NUMBER
    await trying.clock.passes(hours=2)
    assert await tries() is ALLOWED


async def test_callers_who_hide_their_number_share_one_count(trying: Trying) -> None:
    trying.limiting = Limiting(trying.limiting.tries, Limits(card_tries_hidden=3))
    tried = [
        await trying.tries(await trying.call(""), await trying.invoice(), card=uuid4().int % 10**9)
        for _ in range(4)
    ]
    assert tried == [ALLOWED, ALLOWED, ALLOWED, CardVerdict.HIDDEN]


async def test_a_number_is_counted_as_one_however_it_is_written(trying: Trying) -> None:
    tried = []
    for written in ("+34655000001", "0034655000001", "655000001", "+34 655 000 001", "34655000001"):
        call, invoice = await trying.call(written), await trying.invoice()
        tried.append(await trying.tries(call, invoice, card=uuid4().int % 10**12))
    assert set(tried) == {ALLOWED}
    call, invoice = await trying.call("655-000-001"), await trying.invoice()
    assert await trying.tries(call, invoice) is CardVerdict.NUMBER


async def test_the_fourth_try_at_an_invoice_is_stopped_whoever_calls(trying: Trying) -> None:
    invoice = await trying.invoice()
    tried = [
        await trying.tries(await trying.call(), invoice, card=uuid4().int % 10**9) for _ in range(4)
    ]
    assert tried == [ALLOWED, ALLOWED, ALLOWED, CardVerdict.INVOICE]


async def test_a_card_is_declined_for_five_invoices_a_day_at_most(trying: Trying) -> None:
    card = uuid4().int % 10**9

    async def tries() -> CardVerdict:
        return await trying.tries(await trying.call(), await trying.invoice(), card=card)

    assert [await tries() for _ in range(6)] == [*[ALLOWED] * 5, CardVerdict.CARD]


async def test_a_family_pays_its_six_lines_with_one_card(trying: Trying) -> None:
    customer = await trying.world.customer()
    lines = [await trying.world.invoice(await trying.world.service(customer)) for _ in range(6)]
    card = uuid4().int % 10**9
    call = await trying.call()
    assert await trying.tries(call, *lines, card=card, ends=CAPTURED) is ALLOWED
    assert await trying.tries(call, await trying.invoice(), card=card) is ALLOWED


async def test_what_succeeded_does_not_count(trying: Trying) -> None:
    call = await trying.call()
    tried = [await trying.tries(call, await trying.invoice(), ends=CAPTURED) for _ in range(8)]
    assert set(tried) == {ALLOWED}


async def test_a_card_refused_for_good_is_never_charged_again(trying: Trying) -> None:
    card = uuid4().int % 10**9
    await trying.tries(await trying.call(), await trying.invoice(), card=card, ends=HARD)
    await trying.clock.passes(days=400)
    tried = await trying.tries(await trying.call(), await trying.invoice(), card=card)
    assert tried is CardVerdict.REFUSED_FOR_GOOD


async def test_an_expired_card_is_another_once_it_has_a_new_date(trying: Trying) -> None:
    card = uuid4().int % 10**9

    async def tries(expires: str) -> CardVerdict:
        call, invoice = await trying.call(), await trying.invoice()
        return await trying.tries(call, invoice, card=card, expires=expires, ends=EXPIRED)

    assert await tries("1226") is ALLOWED
    assert await tries("1226") is CardVerdict.REFUSED_FOR_GOOD
    assert await tries("1230") is ALLOWED


async def test_a_card_on_file_is_the_card_that_it_was_keyed_as(trying: Trying) -> None:
    number = uuid4().int % 10**9
    on_file = await kept(trying, number)
    assert await counted(trying, on_file) is ALLOWED
    await trying.tries(await trying.call(), await trying.invoice(), card=number, ends=HARD)
    assert await counted(trying, on_file) is CardVerdict.REFUSED_FOR_GOOD


async def test_a_card_that_was_refused_on_file_is_not_charged_when_it_is_keyed(
    trying: Trying,
) -> None:
    number = uuid4().int % 10**9
    on_file = await kept(trying, number)
    attempt = await opened(trying.world, await trying.invoice())
    assert await trying.limiting.count(attempt.id, on_file) is ALLOWED
    await trying.world.ledger.begin_charging(attempt.id, on_file)
    await trying.world.ledger.declined(attempt.id, HARD)
    tried = await trying.tries(await trying.call(), await trying.invoice(), card=number)
    assert tried is CardVerdict.REFUSED_FOR_GOOD


async def test_a_card_that_the_gateway_lost_may_be_keyed(trying: Trying) -> None:
    number = uuid4().int % 10**9
    on_file = await kept(trying, number)
    attempt = await opened(trying.world, await trying.invoice())
    assert await trying.limiting.count(attempt.id, on_file) is ALLOWED
    await trying.world.ledger.begin_charging(attempt.id, on_file)
    lost = Refusal(TOKEN_UNKNOWN, "not there any more", DeclineBucket.HARD)
    await trying.world.ledger.declined(attempt.id, lost)
    tried = await trying.tries(await trying.call(), await trying.invoice(), card=number)
    assert tried is ALLOWED


async def kept(trying: Trying, number: int) -> CardOnFile:
    """A card that was keyed, charged and left on file."""
    world, card = trying.world, a_card()
    attempt, verdict = await trying.counted(
        await trying.call(), await trying.invoice(), card=number
    )
    assert verdict is ALLOWED
    await world.ledger.begin_charging(attempt.id, CARD, KeepCard("customer"))
    capture = replace(CAPTURED, transaction_id=f"tx{attempt.id.hex}", kept=card)
    await world.ledger.captured(attempt.id, capture)
    return card


async def counted(trying: Trying, card: CardOnFile) -> CardVerdict:
    """One try with a card on file, that came to nothing."""
    attempt = await opened(trying.world, await trying.invoice())
    verdict = await trying.limiting.count(attempt.id, card)
    await trying.world.ledger.cancel(attempt.id)
    return verdict


async def test_what_has_no_cards_number_is_counted_by_call_and_invoice(trying: Trying) -> None:
    call = await trying.call()
    for verdict in (ALLOWED, ALLOWED, ALLOWED, CardVerdict.CALL):
        attempt = await opened(trying.world, await trying.invoice(), call_id=call.id)
        assert await trying.limiting.count(attempt.id, KEPT) is verdict


async def test_what_was_not_keyed_by_telephone_is_not_counted_here(trying: Trying) -> None:
    typed = CardOnHand("visa", "1111", "1230", "token", by_telephone=False)
    call = await trying.call()
    others: list[MeansOnHand] = [typed, PayPalOnHand("j***@example.com", "token")]
    for means in others * 3:
        attempt = await opened(trying.world, await trying.invoice(), call_id=call.id)
        assert await trying.limiting.count(attempt.id, means) is ALLOWED
    assert await trying.tries(call, await trying.invoice()) is ALLOWED


async def test_an_attempt_nobody_called_about_is_counted_by_its_invoice(trying: Trying) -> None:
    invoice = await trying.invoice()
    tried = [await trying.tries(None, invoice, card=uuid4().int % 10**9) for _ in range(4)]
    assert tried == [ALLOWED, ALLOWED, ALLOWED, CardVerdict.INVOICE]


async def test_looking_ahead_counts_nothing(trying: Trying) -> None:
    call, invoice = await trying.call(), await trying.invoice()
    attempt = await opened(trying.world, invoice, call_id=call.id)
    for _ in range(5):
        assert await trying.limiting.may_try(attempt.id) is ALLOWED
    for _ in range(3):
        assert await trying.tries(call, await trying.invoice()) is ALLOWED
    assert await trying.limiting.may_try(attempt.id) is CardVerdict.CALL


async def test_a_capture_keeps_the_hash_of_its_card(world: World) -> None:
    request = CaptureRequest(uuid4(), "call-1", "en")
    await world.captures.open(request)
    card = CardOnHand("visa", "1111", "1230", "token", card_hash=card_hash(7))
    await world.captures.close(request.id, CaptureOutcome(CaptureResult.SUCCESS, card))
    outcome = await world.captures.outcome(request.id)
    assert outcome
    assert outcome.card == card


# Identification


async def test_failures_are_counted_by_number_by_claim_and_in_all(trying: Trying) -> None:
    subjects = Subjects.of("+34600000777", "1042")
    first = await trying.limiting.tries.count_identification(subjects)
    second = await trying.limiting.tries.count_identification(subjects)
    other = await trying.limiting.tries.count_identification(Subjects.of("+34600000778", "1042"))
    assert first.counted[subjects.number].a_day == 0
    assert second.counted[subjects.number].a_day == 1
    assert other.counted[other.subjects.number].a_day == 0
    assert other.counted[subjects.account].a_day == 2


async def test_what_is_forgiven_counts_no_more(trying: Trying) -> None:
    subjects = Subjects.of("+34600000779", "1043")
    for _ in range(3):
        await trying.limiting.forgive(await trying.limiting.tries.count_identification(subjects))
    tried = await trying.limiting.tries.count_identification(subjects)
    assert tried.counted[subjects.number].a_day == 0


async def test_failures_are_forgotten_after_a_day(trying: Trying) -> None:
    subjects = Subjects.of("+34600000780", "1044")
    await trying.limiting.tries.count_identification(subjects)
    await trying.clock.passes(hours=22)
    tried = await trying.limiting.tries.count_identification(subjects)
    assert tried.counted[subjects.number].a_day == 1
    await trying.clock.passes(hours=3)
    tried = await trying.limiting.tries.count_identification(subjects)
    assert tried.counted[subjects.number].a_day == 1


async def test_calls_at_once_do_not_get_past_the_count(real: PostgresWorld) -> None:
    tries = PostgresTries(real.database)
    subjects = Subjects.of("+34600000781", "1045")
    counted = await asyncio.gather(*[tries.count_identification(subjects) for _ in range(40)])
    assert sorted(each.counted[subjects.number].a_day for each in counted) == list(range(40))


async def test_many_claims_at_once_do_not_lock_each_other_out(real: PostgresWorld) -> None:
    tries = PostgresTries(real.database)
    many = [Subjects.of(f"+3460000{at % 7}", f"{at % 11}") for at in range(60)]
    counted = await asyncio.gather(*[tries.count_identification(each) for each in many])
    await asyncio.gather(*[tries.forgive(each) for each in counted])


async def test_a_number_on_file_is_the_customers_or_one_of_their_lines(real: PostgresWorld) -> None:
    customer = await real.customer()
    line = await real.service(customer)
    tries = PostgresTries(real.database)
    assert await tries.is_on_file(customer.id, line.number)
    assert await tries.is_on_file(customer.id, line.number.replace("+", "00"))
    assert await tries.is_on_file(customer.id, line.number.removeprefix("+34"))
    assert not await tries.is_on_file(customer.id, "")
    assert not await tries.is_on_file(customer.id, "anonymous")
    assert not await tries.is_on_file(customer.id, "+34600000783")
    assert not await tries.is_on_file(0, line.number)


async def test_a_count_that_cannot_be_kept_is_no_permission(database_url: str) -> None:

    database = await Database.open(database_url)
    await database.close()
    with pytest.raises(LedgerUnavailable):
        await Limiting(PostgresTries(database)).count(uuid4(), KEPT)
