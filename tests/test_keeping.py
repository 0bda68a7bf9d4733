"""Cards on file with Postgres and the stand-in's vault: lost answers, and removals that wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.billing.cards_on_file import Consent, RemovedFor
from ivr.billing.keeping import Keeping
from ivr.billing.payments import Attempt, CardOnFile, Paid, PayResult, Unknown
from ivr.keeping import delete_removed_cards
from ivr.lab.gateway import StandIn
from ivr.storage.cards_on_file import PostgresCardsOnFile
from tests.counting_house import CountingHouse, counting_house
from tests.gateways.clients import card, card_token


@pytest.fixture
async def house(database_url: str, stand_in: StandIn) -> AsyncIterator[CountingHouse]:
    async with counting_house(database_url, stand_in) as node:
        yield node


async def pay_and_leave(house: CountingHouse) -> tuple[Attempt, PayResult]:
    attempt = await house.attempt()
    consent = Consent(attempt.customer_id, attempt.id, "call-1", "en")
    keep = await PostgresCardsOnFile(house.database).agreed(consent)
    means = card(await card_token(house.gateway))
    return attempt, await house.paying.pay(attempt, means, keep=keep)


async def on_file(house: CountingHouse, attempt: Attempt) -> list[CardOnFile]:
    return await PostgresCardsOnFile(house.database).of_customer(attempt.customer_id)


async def test_a_card_is_on_file_with_its_payment_and_pays_the_next(house: CountingHouse) -> None:
    attempt, result = await pay_and_leave(house)
    assert isinstance(result, Paid)
    (kept,) = await on_file(house, attempt)
    assert (kept.brand, kept.last4, kept.expires) == ("visa", "1111", "1231")
    assert isinstance(await house.paying.pay(await house.attempt("10.00"), kept), Paid)


@pytest.mark.parametrize("mode", ["reset-after", "500-after-capture", "reset-before"])
async def test_a_card_whose_sale_lost_its_answer_is_on_file_when_that_is_found(
    house: CountingHouse, stand_in: StandIn, tmp_path: Path, mode: str
) -> None:
    stand_in.faults.ask({"mode": mode, "on": ["sale"], "count": 1})
    attempt, result = await pay_and_leave(house)
    assert result == Unknown()
    assert await on_file(house, attempt) == []
    assert await house.resolved(10)
    assert len(await on_file(house, attempt)) == 1
    assert (tmp_path / "gateway.jsonl").read_text().count('"kind":"vaulted"') == 1


async def test_a_removal_that_the_gateway_did_not_hear_of_is_repeated_until_it_has(
    house: CountingHouse, stand_in: StandIn
) -> None:
    attempt, _ = await pay_and_leave(house)
    (kept,) = await on_file(house, attempt)
    cards = PostgresCardsOnFile(house.database)
    keeping = Keeping(cards, house.gateway)
    stand_in.faults.ask({"mode": "reset-before", "on": ["remove"], "count": 1})
    await keeping.remove(kept, RemovedFor.CALLER, "call-2")
    assert kept in await cards.to_delete()
    migrated = asyncio.Event()
    migrated.set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await delete_removed_cards(keeping, migrated)
    assert kept.id not in {each.id for each in await cards.to_delete()}
    assert kept.token not in stand_in._ledger.book.vault
