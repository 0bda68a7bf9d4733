"""The fee for paying: flat, or percent with a least and a most, by method and currency; or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ivr.billing.errors import MoneyNotUnderstood
from ivr.billing.methods import Method
from ivr.billing.money import Money, by_currency

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Fee:
    """What one payment by one method costs the customer.

    Amounts are by currency. Where any is given, a currency without one has no fee: a percentage
    whose cap is in euros is not asked for, uncapped, in dollars. Flat or percent may be zero: a
    method that costs nothing where others do.
    """

    flat: Mapping[str, Money] = field(default_factory=dict)
    percent: Decimal | None = None
    minimum: Mapping[str, Money] = field(default_factory=dict)
    cap: Mapping[str, Money] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a fee that is not one. Raises MoneyNotUnderstood, in words for a settings file."""
        if bool(self.flat) == (self.percent is not None):
            raise MoneyNotUnderstood("a fee is either flat or percent: give one of the two")
        if not self.percent and (self.minimum or self.cap):  # nothing of anything is flat too
            raise MoneyNotUnderstood("a flat fee has no minimum and no cap: leave them out")
        if not 0 <= (self.percent or 0) <= HUNDRED:
            raise MoneyNotUnderstood(f"percent is {self.percent}: it is from 0 to 100")
        if self.minimum and self.cap and set(self.minimum) != set(self.cap):
            raise MoneyNotUnderstood("minimum and cap name different currencies")
        self._check_amounts()

    def _check_amounts(self) -> None:
        for amount in self.flat.values():
            if amount < Money.zero(amount.currency):
                raise MoneyNotUnderstood(f"{amount} is no fee: nothing is paid for paying")
        for amount in self.cap.values():
            if not Money.zero(amount.currency) < amount:
                raise MoneyNotUnderstood(
                    f"the cap {amount} leaves no fee: write flat = 0, or give more than zero"
                )
        for currency, least in self.minimum.items():
            if not Money.zero(currency) <= least <= self.cap.get(currency, least):
                raise MoneyNotUnderstood(f"the minimum {least} is more than the cap")

    @classmethod
    def written(
        cls,
        *,
        flat: str | Mapping[str, str],
        percent: Decimal | None,
        minimum: str | Mapping[str, str],
        cap: str | Mapping[str, str],
        currency: str,
    ) -> Fee:
        """From a settings file; amounts without a currency are of `currency`.

        Raises MoneyNotUnderstood.
        """
        amounts = (by_currency(each, currency) for each in (minimum, cap))
        return cls(by_currency(flat, currency), percent, *amounts)

    def of(self, amount: Money) -> Money:
        """What paying `amount` costs, to the minor unit; nothing for nothing."""
        currency = amount.currency
        nothing = Money.zero(currency)
        named = {*self.flat, *self.minimum, *self.cap}
        if not nothing < amount or (named and currency not in named):
            return nothing
        if self.flat:
            return self.flat[currency]
        share = max(amount.percent(self.percent or Decimal(0)), self.minimum.get(currency, nothing))
        return min(share, self.cap.get(currency, share))


@dataclass(frozen=True, slots=True)
class Fees:
    """What each method costs; none where nothing is said."""

    by_method: Mapping[Method, Fee] = field(default_factory=dict)

    def of(self, method: Method, amount: Money) -> Money:
        """The fee for paying `amount` by that method; zero of its currency when there is none.

        A card on file costs what a card costs, unless something else is said of it.
        """
        fee = self.by_method.get(method)
        if method is Method.CARD_ON_FILE and fee is None:
            fee = self.by_method.get(Method.CARD)
        return fee.of(amount) if fee else Money.zero(amount.currency)
