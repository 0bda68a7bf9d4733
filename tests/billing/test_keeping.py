"""Cards on file: when they are good, and that what is removed here is removed at the gateway."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest

from ivr.billing.cards_on_file import RemovedFor, is_among, is_expired
from ivr.billing.errors import LedgerUnavailable, OutcomeUnknown
from ivr.billing.keeping import Keeping
from ivr.billing.payments import CardOnFile, CardOnHand
from tests.fakes.cards_on_file import FakeCardsOnFile, left
from tests.fakes.company import FakeCompany

TODAY = date(2026, 11, 23)


def a_card(expires: str = "1230", last4: str = "1111") -> CardOnFile:
    number = uuid4()
    return CardOnFile(number, "visa", last4, expires, f"vaulted-{number}")


class Vault:
    """A gateway that may be away."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.is_away = False

    async def forget_card(self, token: str) -> None:
        if self.is_away:
            raise OutcomeUnknown("no answer")
        self.forgotten.append(token)


class World:
    def __init__(self) -> None:
        self.company = FakeCompany()
        self.customer = self.company.customer()
        self.vault = Vault()
        self.keeping = Keeping(FakeCardsOnFile(self.company), self.vault)

    def left(self, card: CardOnFile) -> CardOnFile:
        return left(self.company, self.customer.id, card)


@pytest.mark.parametrize(
    ("expires", "expired"), [("1126", False), ("1026", True), ("1225", True), ("0127", False)]
)
def test_a_card_is_good_to_the_end_of_its_month(expires: str, expired: bool) -> None:  # noqa: FBT001 - parametrized
    assert is_expired(a_card(expires), TODAY) is expired


@pytest.mark.parametrize(("last4", "there"), [("1111", True), ("4444", False)])
def test_a_card_is_known_by_its_brand_its_last_digits_and_its_expiry(
    last4: str,
    there: bool,  # noqa: FBT001 - parametrized
) -> None:
    keyed = CardOnHand("visa", last4, "1230", "tokencc")
    assert is_among(keyed, [a_card("1231"), a_card()]) is there


async def test_good_cards_and_expired_ones_are_told_apart() -> None:
    world = World()
    good, old = world.left(a_card()), world.left(a_card("1025"))
    assert await world.keeping.at_hand(world.customer.id, TODAY) == ([good], [old])


async def test_a_removed_card_is_deleted_at_the_gateway_at_once() -> None:
    world = World()
    card = world.left(a_card())
    await world.keeping.remove(card, RemovedFor.CALLER, "call-1")
    assert world.vault.forgotten == [card.token]
    assert await world.keeping.clean() == 0
    assert world.vault.forgotten == [card.token]


async def test_a_gateway_that_is_away_is_asked_again_until_it_has_deleted_the_card() -> None:
    world = World()
    card = world.left(a_card())
    world.vault.is_away = True
    await world.keeping.remove(card, RemovedFor.CALLER, "call-1")
    assert await world.keeping.at_hand(world.customer.id, TODAY) == ([], [])
    assert await world.keeping.clean() == 1
    world.vault.is_away = False
    assert await world.keeping.clean() == 0
    assert world.vault.forgotten == [card.token]


async def test_a_card_is_not_deleted_at_the_gateway_before_it_is_removed_here() -> None:
    world = World()
    card = world.left(a_card())
    world.company.away = True
    with pytest.raises(LedgerUnavailable):
        await world.keeping.remove(card, RemovedFor.CALLER, "call-1")
    assert world.vault.forgotten == []
