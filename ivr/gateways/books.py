"""Braintree's books: a charge sent again by its key, transactions found, money given back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from ivr.billing.doubts import Undone
from ivr.billing.errors import OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import Captured, KeepCard, MeansOnHand, Refusal
from ivr.billing.transactions import ORDER_PREFIX, Standing, Transaction
from ivr.gateways.braintree import Braintree
from ivr.gateways.outcomes import GIVEN_BACK, TAKEN, is_duplicate, outcome_of, validation_refused
from ivr.gateways.sdk import ErrorCodes, TransactionSearch, exceptions

T = TypeVar("T")

ALREADY_REFUNDED: str = ErrorCodes.Transaction.HasAlreadyBeenRefunded
RETURNED = {"settlement_declined", "settlement_failed"}
REFUSED = {"processor_declined", "failed", "gateway_rejected"}
IDS_AT_ONCE = 100


class BraintreeBooks:
    """`ports.Books` and `ports.GatewayLedger` of one merchant."""

    def __init__(self, braintree: Braintree) -> None:
        """`braintree` is ours alone: who looks things up must not take the threads that charge."""
        self._braintree = braintree

    @property
    def request_keys(self) -> bool:
        return self._braintree.request_keys

    async def send_again(
        self,
        *,
        means: MeansOnHand,
        amount: Money,
        order_id: str,
        request_key: str,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        return await self._braintree.send_again(
            means=means, amount=amount, order_id=order_id, request_key=request_key, keep=keep
        )

    async def of_order(self, order_id: str) -> list[Transaction]:
        return await self._search(TransactionSearch.order_id == order_id)

    async def between(self, since: datetime, until: datetime) -> list[Transaction]:
        """Those with an order id like ours, created from `since` to `until`, oldest first.

        Braintree finds 50,000 at most: ask for an hour or so.
        """
        return await self._search(
            TransactionSearch.order_id.starts_with(ORDER_PREFIX),
            TransactionSearch.created_at.between(since.astimezone(UTC), until.astimezone(UTC)),
        )

    async def of_ids(self, ids: Sequence[str]) -> list[Transaction]:
        """These transactions, oldest first; ids that nobody knows are left out."""
        found: list[Transaction] = []
        for first in range(0, len(ids), IDS_AT_ONCE):
            some = list(ids[first : first + IDS_AT_ONCE])
            found += await self._search(TransactionSearch.ids.in_list(some))
        return sorted(found, key=lambda one: one.created_at)

    async def reverse(self, transaction_id: str) -> Undone:
        return await self._braintree.ask(lambda sdk: _reversed(sdk, transaction_id))

    async def _search(self, *criteria: Any) -> list[Transaction]:
        return await self._braintree.ask(
            lambda sdk: _read(sdk.transaction.search(list(criteria)).items)
        )


def _reversed(sdk: Any, transaction_id: str) -> Undone:
    """Void it, or refund all of it; what was given back before stays as it is."""
    result = _of_transaction(lambda: sdk.transaction.reverse(transaction_id))
    if result.is_success:
        return "refunded" if result.transaction.type == "credit" else "voided"
    if ALREADY_REFUNDED in {str(error.code) for error in result.errors.deep_errors}:
        return "refunded"
    sale = _of_transaction(lambda: sdk.transaction.find(transaction_id))
    if str(sale.status) in GIVEN_BACK:
        return "voided"
    raise validation_refused(result.errors.deep_errors)


def _of_transaction(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except exceptions.NotFoundError:
        raise OutcomeUnknown("the gateway does not know this transaction") from None


def _read(transactions: Iterable[Any]) -> list[Transaction]:
    return sorted(map(_transaction, transactions), key=lambda one: one.created_at)


def _transaction(of: Any) -> Transaction:
    try:
        outcome = outcome_of(of) if of.type == "sale" else None
    except OutcomeUnknown:
        outcome = None
    created = of.created_at
    return Transaction(
        id=of.id,
        order_id=of.order_id or "",
        standing=standing_of(of),
        amount=Money(of.amount, of.currency_iso_code),
        created_at=created if created.tzinfo else created.replace(tzinfo=UTC),
        outcome=outcome,
        refund_of=(of.refunded_transaction_id or of.id) if of.type == "credit" else "",
    )


def standing_of(of: Any) -> Standing:
    """How one transaction, as the SDK gives it, stands."""
    status = str(of.status)
    if is_duplicate(of):
        return Standing.DUPLICATE
    if status in REFUSED:
        return Standing.REFUSED
    if status in RETURNED:
        return Standing.RETURNED
    if status in GIVEN_BACK:
        return Standing.VOIDED
    if status == "settled":
        return Standing.SETTLED
    return Standing.CAPTURED if status in TAKEN else Standing.PENDING
