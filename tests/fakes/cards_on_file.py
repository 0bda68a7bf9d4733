"""`billing.keeping.CardsOnFile` in memory; the same cases hold for it and for Postgres."""

from uuid import UUID

from ivr.billing.cards_on_file import Consent, RemovedFor
from ivr.billing.payments import CardOnFile, KeepCard
from tests.fakes.company import FakeCompany, KeptCard


class FakeCardsOnFile:
    """Keeps cards in `company.cards`; the ledger puts them there."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def of_customer(self, customer_id: int) -> list[CardOnFile]:
        self.company.check()
        there = [kept for kept in self.company.cards.values() if kept.customer_id == customer_id]
        return [kept.card for kept in reversed(there) if kept.removed_for is None]

    async def agreed(self, consent: Consent) -> KeepCard:
        self.company.check()
        self.company.consents.setdefault(consent.attempt_id, consent)
        return KeepCard(f"saldo-fake-{consent.customer_id}")

    async def remove(self, card_id: UUID, why: RemovedFor, call_id: str | None) -> None:
        self.company.check()
        kept = self.company.cards[card_id]
        if kept.removed_for is None:
            kept.removed_for = why
            if why is RemovedFor.CALLER:
                self.company.events += ["card-removed"] * 2  # by text and by mail

    async def to_delete(self) -> list[CardOnFile]:
        self.company.check()
        return [
            kept.card
            for kept in self.company.cards.values()
            if kept.removed_for is not None and not kept.is_deleted
        ]

    async def deleted(self, card_id: UUID) -> None:
        self.company.check()
        self.company.cards[card_id].is_deleted = True


def left(company: FakeCompany, customer_id: int, card: CardOnFile) -> CardOnFile:
    """One that the customer left in an earlier call."""
    company.cards[card.id] = KeptCard(customer_id, card)
    return card
