"""Paying on a page: what a link shows, a card or PayPal charged once, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ivr.billing.errors import AmountOutOfRange, GatewayError, LedgerUnavailable
from ivr.billing.links import DECLINES, Bill, LinkAttempt, LinkKey
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.paying import Paying
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    CardOnHand,
    MeansOnHand,
    NotCharged,
    OverLimit,
    PayPalOnHand,
)
from ivr.billing.terms import Terms

ANSWER_SECONDS = 15.0
"""How long a request waits for a charge; then the page asks again, and no proxy gives up first."""
LATE_SECONDS = 3 * 3600.0
"""How long after a link expired what was begun by it is ended: PayPal waits so long for a payer."""
LOST_SECONDS = 200.0
"""An attempt that was taken in hand so long ago, and was not begun, never will be."""


class LinkBook(Protocol):
    """Links and the attempts made by them. Every method raises LedgerUnavailable."""

    async def bill(self, link_id: int, late_seconds: float = 0) -> Bill | None:
        """What the link shows; None when it is used up, revoked, or was never made.

        The same when it expired more than `late_seconds` ago.
        """
        ...

    async def claim(self, link_id: int, key: UUID, attempt_id: UUID, *, taken: bool) -> bool:
        """Let one press of the button be this attempt; False if it is another one already."""
        ...

    async def begun_at_paypal(self, link_id: int, key: UUID, payment_id: str) -> None:
        """Remember which PayPal payment belongs to this press."""
        ...

    async def take(self, link_id: int, key: UUID, payment_id: str) -> Attempt | None:
        """The attempt of an approved PayPal payment, to whoever asks first; None to all others."""
        ...

    async def attempt(self, link_id: int, key: UUID) -> LinkAttempt | None:
        """What became of one press of the button."""
        ...


@dataclass(frozen=True, slots=True)
class PayPalPayment:
    """A payment that waits at PayPal for its payer."""

    id: str
    approval_url: str


class OnlineGateway(Protocol):
    """What a page needs of the gateway. Every method raises GatewayError; none moves money."""

    async def client_token(self, currency: str) -> str:
        """What the gateway's own fields in the page work with."""
        ...

    async def card_of(self, nonce: str) -> CardOnHand:
        """The card behind what the gateway's fields gave the page; GatewayRefused for none."""
        ...

    async def begin_paypal(
        self, amount: Money, *, return_url: str, cancel_url: str
    ) -> PayPalPayment:
        """A payment for its payer to approve."""
        ...

    async def approved_paypal(self, payment_id: str, payer_id: str, currency: str) -> PayPalOnHand:
        """What can be charged once the payer approved it."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What the payer saw and agreed to when they pressed the button."""

    key: UUID
    """made by the page for one press; the same press twice is one payment"""
    amount: Money
    """to the invoices"""
    fee: Money


@dataclass(frozen=True, slots=True)
class Changed:
    """The bill is not what the payer saw: nothing was charged."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """The link has had its tries: a person helps."""


@dataclass(frozen=True, slots=True)
class CardNotTaken:
    """A brand that the company does not take."""


@dataclass(frozen=True, slots=True)
class PayPalAway:
    """PayPal could not be reached, or did not approve it: nothing was charged."""


@dataclass(frozen=True, slots=True)
class Working:
    """It was begun, and the ledger cannot say now what became of it: ask again."""


Refused = Changed | TooMany | CardNotTaken | PayPalAway | NotCharged
"""Why nothing was even begun; with NotCharged the gateway is away."""
Result = Refused | Working | LinkAttempt


class OnlinePaying:
    """What the pay page does; nothing it raises but LedgerUnavailable."""

    def __init__(
        self,
        book: LinkBook,
        paying: Paying,
        gateway: OnlineGateway,
        key: LinkKey,
        *,
        terms: Terms,
        methods: Sequence[Method],
        brands: Sequence[str],
    ) -> None:
        self.key = key
        self.terms = terms
        self.methods = tuple(methods)
        self._book = book
        self._paying = paying
        self._gateway = gateway
        self._brands = tuple(brands)

    async def bill(self, link_id: int, *, begun: UUID | None = None) -> Bill | None:
        """What a link shows.

        `begun`: the press of somebody who comes back from PayPal, or asks what became of it. If
        there was such a press, the link may have expired meanwhile.
        """
        bill = await self._book.bill(link_id)
        if bill or begun is None or not await self._book.attempt(link_id, begun):
            return bill
        return await self._book.bill(link_id, LATE_SECONDS)

    async def client_token(self, bill: Bill) -> str | None:
        """For the gateway's fields; None when the gateway is away."""
        try:
            return await self._gateway.client_token(bill.amount.currency)
        except GatewayError:
            return None

    async def pay_by_card(self, bill: Bill, order: Order, nonce: str) -> Result:
        """Charge the card behind `nonce`; the same order again is only answered."""
        if known := await self.result(bill, order.key):
            return known
        if bill.declines >= DECLINES:
            return TooMany()
        card = await self._card_of(nonce)
        if not isinstance(card, CardOnHand):
            return card
        attempt = await self._open(bill, order, Method.CARD)
        if not isinstance(attempt, Attempt):
            return attempt
        if not await self._book.claim(bill.link.id, order.key, attempt.id, taken=True):
            await self._paying.cancel(attempt)
            return await self._began(bill, order.key)
        return await self._charge(bill, order.key, attempt, card)

    async def _card_of(self, nonce: str) -> CardOnHand | NotCharged | CardNotTaken:
        try:
            card = await self._gateway.card_of(nonce)
        except GatewayError:
            return NotCharged()
        return card if card.brand in self._brands else CardNotTaken()

    async def begin_paypal(
        self, bill: Bill, order: Order, *, return_url: str, cancel_url: str
    ) -> PayPalPayment | Result:
        """Where the payer approves it. Each press is a payment of its own until one is approved."""
        if bill.declines >= DECLINES:
            return TooMany()
        attempt = await self._open(bill, order, Method.PAYPAL)
        if not isinstance(attempt, Attempt):
            return attempt
        if not await self._book.claim(bill.link.id, order.key, attempt.id, taken=False):
            await self._paying.cancel(attempt)
            return await self._began(bill, order.key)
        try:
            payment = await self._gateway.begin_paypal(
                attempt.amount, return_url=return_url, cancel_url=cancel_url
            )
        except GatewayError:
            await self._paying.cancel(attempt)
            return PayPalAway()
        await self._book.begun_at_paypal(bill.link.id, order.key, payment.id)
        return payment

    async def finish_paypal(
        self, bill: Bill, key: UUID, *, payment_id: str, payer_id: str
    ) -> Result:
        """Charge what the payer approved; approved twice it is charged once."""
        attempt = await self._book.take(bill.link.id, key, payment_id)
        if attempt is None:
            return await self.result(bill, key) or PayPalAway()
        try:
            means = await self._gateway.approved_paypal(
                payment_id, payer_id, attempt.amount.currency
            )
        except GatewayError:
            await self._paying.cancel(attempt)
            return PayPalAway()
        return await self._charge(bill, key, attempt, means)

    async def result(self, bill: Bill, key: UUID) -> LinkAttempt | None:
        """What became of a press; None when nothing was begun by it, or too long ago."""
        found = await self._book.attempt(bill.link.id, key)
        if found and found.state is AttemptState.CREATED:
            return found if found.taken and found.seconds_ago < LOST_SECONDS else None
        return found

    async def _open(self, bill: Bill, order: Order, method: Method) -> Attempt | Refused:
        """The attempt that was ordered, if the bill and the fee are still what the payer saw."""
        if bill.confirming or not bill.invoices:
            return Changed()
        try:
            amounts = self._amounts(bill, order)
        except AmountOutOfRange:
            return Changed()
        fee = self.terms.fees.of(method, order.amount)
        if fee != order.fee:
            return Changed()
        return await self._paying.open(
            bill.link.customer_id,
            bill.invoices,
            bill.link.call_id,
            amounts=amounts,
            fee=fee,
            method=method,
        )

    def _amounts(self, bill: Bill, order: Order) -> dict[int, Money]:
        """How the ordered amount is spread. Raises AmountOutOfRange."""
        if order.amount.currency != bill.amount.currency:
            raise AmountOutOfRange("another currency than the bill's")
        if order.amount == bill.amount:
            return bill.amounts
        if bill.link.amounts:
            raise AmountOutOfRange("the link is for another amount")
        return dict(self.terms.chosen(bill.invoices, order.amount).amounts)

    async def _charge(self, bill: Bill, key: UUID, attempt: Attempt, means: MeansOnHand) -> Result:
        """Charge, wait for a while, and answer what the ledger then says."""
        charge = asyncio.ensure_future(self._paying.pay(attempt, means))
        await asyncio.wait({charge}, timeout=ANSWER_SECONDS)
        if not charge.done():
            charge.cancel()  # our waiting only: the charge itself belongs to the app
        elif isinstance(result := charge.result(), NotCharged):
            return result
        elif isinstance(result, OverLimit):
            return TooMany()
        return await self._began(bill, key)

    async def _began(self, bill: Bill, key: UUID) -> Result:
        try:
            return await self._book.attempt(bill.link.id, key) or NotCharged()
        except LedgerUnavailable:  # it may have been charged: nobody may say that it was not
            return Working()
