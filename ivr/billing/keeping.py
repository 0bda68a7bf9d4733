"""Keeping cards at the gateway for customers who want that, and removing them, there and here."""

from __future__ import annotations

from datetime import date
from typing import Protocol
from uuid import UUID

from ivr.billing.cards_on_file import Consent, RemovedFor, is_expired
from ivr.billing.errors import GatewayError
from ivr.billing.payments import CardOnFile, KeepCard


class CardsOnFile(Protocol):
    """Which cards are kept for whom. Every method raises LedgerUnavailable.

    That a card was kept is written by Ledger.captured, in the commit of the payment it came with.
    """

    async def of_customer(self, customer_id: int) -> list[CardOnFile]:
        """Those that may be charged, the one kept last first."""
        ...

    async def agreed(self, consent: Consent) -> KeepCard:
        """Write the consent down, and say for whom the gateway is to keep the card."""
        ...

    async def remove(self, card_id: UUID, why: RemovedFor, call_id: str | None) -> None:
        """Never offer it again; it is still to be deleted at the gateway. Twice changes nothing."""
        ...

    async def to_delete(self) -> list[CardOnFile]:
        """Those that are removed here, and may be there still at the gateway."""
        ...

    async def deleted(self, card_id: UUID) -> None:
        """The gateway has it no more: its token is forgotten."""
        ...


class CardVault(Protocol):
    """Where the gateway keeps cards."""

    async def forget_card(self, token: str) -> None:
        """Return when it has this card no more; one that it never had is forgotten too.

        Raises:
            GatewayNotReached, GatewayRefused, OutcomeUnknown: it may be there still: ask again.
        """
        ...


class Keeping:
    """Everything about kept cards but charging them."""

    def __init__(self, cards: CardsOnFile, vault: CardVault) -> None:
        self._cards = cards
        self._vault = vault

    async def at_hand(
        self, customer_id: int, today: date
    ) -> tuple[list[CardOnFile], list[CardOnFile]]:
        """A customer's cards that are good today, and those that have expired.

        Raises LedgerUnavailable.
        """
        cards = await self._cards.of_customer(customer_id)
        good = [card for card in cards if not is_expired(card, today)]
        return good, [card for card in cards if card not in good]

    async def agreed(self, consent: Consent) -> KeepCard:
        """The caller said yes. Raises LedgerUnavailable."""
        return await self._cards.agreed(consent)

    async def remove(self, card: CardOnFile, why: RemovedFor, call_id: str | None) -> None:
        """Never charge it again, and delete it at the gateway, now or a little later.

        Raises LedgerUnavailable: it was not removed, or it is not known.
        """
        await self._cards.remove(card.id, why, call_id)
        await self._delete(card)

    async def clean(self) -> int:
        """Delete at the gateway what was removed here; how many are left for the next time.

        Raises LedgerUnavailable.
        """
        cards = await self._cards.to_delete()
        return sum([not await self._delete(card) for card in cards])

    async def _delete(self, card: CardOnFile) -> bool:
        try:
            await self._vault.forget_card(card.token)
        except GatewayError:  # `clean` asks again
            return False
        await self._cards.deleted(card.id)
        return True
