"""A company's terms of payment: how small a part may be paid, and what paying costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from ivr.billing import allocating
from ivr.billing.allocating import Chosen
from ivr.billing.errors import AmountTooLarge, AmountTooSmall, MoneyNotUnderstood
from ivr.billing.fees import HUNDRED, Fee, Fees
from ivr.billing.invoices import Invoice, total_due
from ivr.billing.methods import Method
from ivr.billing.money import Money, by_currency


@dataclass(frozen=True, slots=True)
class SmallestPart:
    """The least that may be paid of what is due: a share of it, or an amount of each currency."""

    percent: Decimal = Decimal(0)
    amounts: Mapping[str, Money] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is neither. Raises MoneyNotUnderstood, in words for a settings file."""
        if bool(self.percent) == bool(self.amounts) or not 0 <= self.percent <= HUNDRED:
            raise MoneyNotUnderstood('the smallest part is a share such as "10%", or an amount')
        for amount in self.amounts.values():
            if not Money.zero(amount.currency) < amount:
                raise MoneyNotUnderstood(f"the smallest part is more than zero, not {amount}")

    @classmethod
    def written(cls, text: str | Mapping[str, str], currency: str) -> SmallestPart | None:
        """From a settings file: "10%", or an amount; None for an empty text.

        Raises MoneyNotUnderstood.
        """
        if not text:
            return None
        if not isinstance(text, str) or not text.endswith("%"):
            return cls(amounts=by_currency(text, currency))
        try:
            return cls(percent=Decimal(text.removesuffix("%")))
        except InvalidOperation:  # also of a comparison with "nan%"
            raise MoneyNotUnderstood(f"{text!r} is no share such as 10%") from None

    def of(self, due: Money) -> Money | None:
        """The least that may be paid of it; None in a currency in which nothing was said."""
        if self.amounts:
            return self.amounts.get(due.currency)
        return max(due.percent(self.percent), Money.of_minor_units(1, due.currency))


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be paid at once, and what it costs; by default all of an invoice, and nothing."""

    smallest_part: SmallestPart | None = None
    """None: an invoice is paid in full"""
    fees: Fees = field(default_factory=Fees)

    @classmethod
    def written(
        cls,
        smallest_part: str | Mapping[str, str],
        fees: Mapping[Method, Mapping[str, Any]],
        currency: str,
    ) -> Terms:
        """From the section [payments] of a settings file.

        Raises MoneyNotUnderstood, which says where.
        """
        by_method = {}
        for method, texts in fees.items():
            try:
                by_method[method] = Fee.written(currency=currency, **texts)
            except MoneyNotUnderstood as error:
                raise MoneyNotUnderstood(f"[payments.fees.{method}] {error}") from None
        try:
            return cls(SmallestPart.written(smallest_part, currency), Fees(by_method))
        except MoneyNotUnderstood as error:
            raise MoneyNotUnderstood(f"[payments] minimum_part: {error}") from None

    def least(self, due: Money) -> Money | None:
        """The smallest part of `due` that may be paid; None when it is paid in full or not."""
        least = self.smallest_part.of(due) if self.smallest_part else None
        return least if least and least < due else None

    def chosen(self, invoices: Sequence[Invoice], amount: Money | None = None) -> Chosen:
        """All that is due on these invoices, or `amount` of it, oldest first.

        Raises AmountTooSmall, AmountTooLarge, CurrencyMismatch.
        """
        if amount is None:
            return allocating.in_full(invoices)
        due = total_due(invoices)
        if due < amount:
            raise AmountTooLarge(f"{amount} is more than is due: {due}")
        least = self.least(due) or due
        if amount < least:
            raise AmountTooSmall(f"{amount} is less than may be paid: {least}")
        return allocating.oldest_first(invoices, amount)
