"""The card numbers that Braintree publishes for testing; a test mode takes no other.

Source: https://developer.paypal.com/braintree/docs/reference/general/testing and the SDK's own
`braintree.test.credit_card_numbers`. None of them belongs to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Brand(StrEnum):
    """Card brands, in the words of `CardOnHand.brand`."""

    VISA = "visa"
    MASTERCARD = "mastercard"
    AMEX = "amex"
    DISCOVER = "discover"
    DINERS = "diners"
    JCB = "jcb"
    MAESTRO = "maestro"
    UNIONPAY = "unionpay"


@dataclass(frozen=True, slots=True)
class SandboxCard:
    """One published number."""

    number: str
    brand: Brand
    fails: str = ""
    """The processor code its verification fails with; empty for a good card."""


APPROVING = (
    SandboxCard("4111111111111111", Brand.VISA),
    SandboxCard("4005519200000004", Brand.VISA),
    SandboxCard("4009348888881881", Brand.VISA),
    SandboxCard("4012000033330026", Brand.VISA),
    SandboxCard("4012000077777777", Brand.VISA),
    SandboxCard("4012888888881881", Brand.VISA),
    SandboxCard("4217651111111119", Brand.VISA),
    SandboxCard("4500600000000061", Brand.VISA),
    SandboxCard("5555555555554444", Brand.MASTERCARD),
    SandboxCard("2223000048400011", Brand.MASTERCARD),
    SandboxCard("378282246310005", Brand.AMEX),
    SandboxCard("371449635398431", Brand.AMEX),
    SandboxCard("6011111111111117", Brand.DISCOVER),
    SandboxCard("6011000991300009", Brand.DISCOVER),
    SandboxCard("36259600000004", Brand.DINERS),
    SandboxCard("3530111333300000", Brand.JCB),
    SandboxCard("6304000000000000", Brand.MAESTRO),
    SandboxCard("6243030000000001", Brand.UNIONPAY),
    SandboxCard("6221261111117766", Brand.UNIONPAY),
    SandboxCard("6223164991230014", Brand.UNIONPAY),
)
"""Numbers that cause no error by themselves; amount, security code and address still can."""

DECLINING = (
    SandboxCard("4000111111111115", Brand.VISA, fails="2000"),
    SandboxCard("5105105105105100", Brand.MASTERCARD, fails="2000"),
    SandboxCard("378734493671000", Brand.AMEX, fails="2000"),
    SandboxCard("6011000990139424", Brand.DISCOVER, fails="2000"),
    SandboxCard("38520000009814", Brand.DINERS, fails="2000"),
    SandboxCard("3566002020360505", Brand.JCB, fails="3000"),
)
"""Numbers whose verification fails. Braintree declines a *sale* with them only on an account that
verifies every card; by amount alone it is approved."""

ALL = APPROVING + DECLINING
_NUMBERS = tuple(card.number.encode() for card in ALL)


def is_test_card(digits: bytes | bytearray) -> bool:
    """Whether these ASCII digits are a published test card; makes no copy of them."""
    return any(digits == number for number in _NUMBERS)


def find(number: str) -> SandboxCard | None:
    """The published card of this number."""
    return next((card for card in ALL if card.number == number), None)
