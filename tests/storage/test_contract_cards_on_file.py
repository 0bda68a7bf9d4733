"""Cards on file, the same in memory and in Postgres."""

from dataclasses import replace
from uuid import uuid4

from ivr.billing.cards_on_file import Consent, RemovedFor
from ivr.billing.customers import Customer
from ivr.billing.payments import Attempt, CardOnFile, KeepCard
from tests.storage.test_contract_ledger import CAPTURED
from tests.storage.world import CARD, World, opened


def a_card(last4: str = "1111") -> CardOnFile:
    number = uuid4()
    return CardOnFile(number, "visa", last4, "1230", f"vaulted-{number.hex[:12]}")


async def paid(
    world: World, customer: Customer, card: CardOnFile, *, agreed: bool = True
) -> Attempt:
    """One payment, after which the gateway has the card."""
    attempt = await opened(world, await world.invoice(await world.service(customer)))
    keep = await agree(world, customer, attempt) if agreed else None
    await world.ledger.begin_charging(attempt.id, CARD, keep)
    await world.ledger.captured(attempt.id, replace(CAPTURED, kept=card))
    return attempt


async def agree(world: World, customer: Customer, attempt: Attempt) -> KeepCard:
    return await world.cards.agreed(Consent(customer.id, attempt.id, "call-1", "en"))


async def test_a_card_is_on_file_once_its_payment_is_captured(world: World) -> None:
    customer, card = await world.customer(), a_card()
    attempt = await paid(world, customer, card)
    assert await world.cards.of_customer(customer.id) == [card]
    assert (await world.events(attempt)).count("card-kept") == 2  # a text and a mail
    await world.ledger.captured(attempt.id, replace(CAPTURED, kept=card))
    assert await world.cards.of_customer(customer.id) == [card]


async def test_a_card_that_the_caller_did_not_leave_is_not_kept(world: World) -> None:
    customer = await world.customer()
    attempt = await paid(world, customer, a_card(), agreed=False)
    assert await world.cards.of_customer(customer.id) == []
    assert "card-kept" not in await world.events(attempt)


async def test_the_card_left_last_comes_first_and_nobody_elses_comes_at_all(world: World) -> None:
    customer, stranger = await world.customer(), await world.customer()
    first, second = a_card("1111"), a_card("4444")
    for owner, card in ((customer, first), (stranger, a_card()), (customer, second)):
        await paid(world, owner, card)
    assert await world.cards.of_customer(customer.id) == [second, first]


async def test_the_gateway_knows_a_customer_by_the_same_name_for_ever_and_not_by_account(
    world: World,
) -> None:
    customer, other = await world.customer(), await world.customer()
    names = set()
    for owner in (customer, customer, other):
        attempt = await opened(world, await world.invoice(await world.service(owner)))
        names.add(await agree(world, owner, attempt))
        assert await agree(world, owner, attempt) in names  # said again, written once
    assert len(names) == 2
    assert not any(customer.account_number in name.customer_ref for name in names)


async def test_a_removed_card_is_never_offered_again_and_remembered_until_it_is_deleted(
    world: World,
) -> None:
    customer, card = await world.customer(), a_card()
    await paid(world, customer, card)
    for _ in range(2):
        await world.cards.remove(card.id, RemovedFor.CALLER, "call-2")
    assert await world.cards.of_customer(customer.id) == []
    assert card in await world.cards.to_delete()
    for _ in range(2):
        await world.cards.deleted(card.id)
    assert card.id not in {each.id for each in await world.cards.to_delete()}


async def test_a_card_that_was_removed_does_not_come_back_with_its_old_payment(
    world: World,
) -> None:
    customer, card = await world.customer(), a_card()
    attempt = await paid(world, customer, card)
    await world.cards.remove(card.id, RemovedFor.REFUSED, None)
    await world.ledger.captured(attempt.id, replace(CAPTURED, kept=card))
    assert await world.cards.of_customer(customer.id) == []
