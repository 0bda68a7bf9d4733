"""An amount and its currency, exact to the minor unit; never a float."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import total_ordering

from ivr.billing.errors import CurrencyMismatch, MoneyNotUnderstood

_OTHER_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
MINOR_DIGITS = {code: digits for digits, codes in _OTHER_DIGITS.items() for code in codes.split()}
"""ISO 4217 minor digits where they are not two.

The two units of account with four (CLF, UYW) are no money that anybody pays with.
"""


def minor_digits(currency: str) -> int:
    """How many decimals amounts of a currency have: 2 of EUR, 0 of JPY, 3 of KWD."""
    return MINOR_DIGITS.get(currency, 2)


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """`amount` in major units with exactly the currency's minor digits; `currency` is ISO 4217."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        """Refuse what the currency cannot express.

        Raises:
            MoneyNotUnderstood: a float, not a number, too many decimals, or no ISO code.
        """
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite():
            raise MoneyNotUnderstood(f"{self.amount!r} is not an exact decimal amount")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():  # noqa: PLR2004 - ISO 4217
            raise MoneyNotUnderstood(f"{self.currency!r} is not a currency code such as EUR")
        try:
            exact = self.amount.quantize(self.step(self.currency))
        except InvalidOperation:  # more digits than decimals are calculated with
            raise MoneyNotUnderstood(f"{self.amount} is more than any amount of money") from None
        if exact != self.amount:
            raise MoneyNotUnderstood(f"{self.amount} has more decimals than {self.currency} has")
        object.__setattr__(self, "amount", exact)

    @staticmethod
    def step(currency: str) -> Decimal:
        """The smallest amount of a currency: 0.01 for EUR."""
        return Decimal(1).scaleb(-minor_digits(currency))

    @classmethod
    def of(cls, text: str | int | Decimal, currency: str) -> Money:
        """Money from "42.50", 42 or a Decimal. Raises MoneyNotUnderstood."""
        try:
            return cls(Decimal(text), currency)
        except InvalidOperation:
            raise MoneyNotUnderstood(f"{text!r} is not an amount such as 42.50") from None

    @classmethod
    def zero(cls, currency: str) -> Money:
        return cls(Decimal(0), currency)

    @classmethod
    def of_minor_units(cls, units: int, currency: str) -> Money:
        """Money in its smallest coins: 4250 is 42.50 EUR, 4250 JPY, 4.250 KWD."""
        return cls(units * cls.step(currency), currency)

    @property
    def minor_units(self) -> int:
        """How many of the currency's smallest coins it is: 4250 for 42.50 EUR."""
        return int(self.amount / self.step(self.currency))

    def percent(self, rate: Decimal) -> Money:
        """So many hundredths of it, rounded half up to the minor unit."""
        part = (self.amount * rate).scaleb(-2)
        return Money(part.quantize(self.step(self.currency), ROUND_HALF_UP), self.currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be put together")
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum; zero of `currency` when there is nothing. Raises CurrencyMismatch."""
    return sum(amounts, Money.zero(currency))


def by_currency(written: str | Mapping[str, str], currency: str) -> dict[str, Money]:
    """Amounts as a settings file has them: "1.50" of `currency`, or one of each, {"USD": "2"}.

    An empty text is none. Raises MoneyNotUnderstood.
    """
    texts = ({currency: written} if written else {}) if isinstance(written, str) else written
    return {code: Money.of(text, code) for code, text in texts.items()}
