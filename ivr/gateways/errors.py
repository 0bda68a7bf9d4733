"""What a gateway says is wrong with a request, beside the tree of billing/errors.py.

GatewayRefused
└── ValidationRefused   the gateway names the fields that are wrong; nothing was charged
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ivr.billing.errors import GatewayRefused

MESSAGE_LIMIT_CHARS = 200


def without_digits(text: object) -> str:
    """A gateway's message, safe to keep: a server may echo what it was sent, card included."""
    return re.sub(r"\d", "•", str(text))[:MESSAGE_LIMIT_CHARS]


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that the gateway does not accept."""

    code: str
    """Braintree's validation error code, such as 81715; empty if it gave none"""
    field: str
    """where: "transaction.amount", "input.creditCard.number"; empty if not said"""
    message: str
    """the gateway's words, digits masked"""

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        return f"{where}{self.message}" + (f" ({self.code})" if self.code else "")


class ValidationRefused(GatewayRefused):
    """The gateway names the fields that are wrong; nothing was charged."""

    def __init__(self, faults: tuple[Fault, ...], advice: str = "") -> None:
        text = "the gateway refused the request: " + "; ".join(map(str, faults))
        super().__init__(f"{text}. {advice}" if advice else text)
        self.faults = faults

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all faults."""
        return frozenset(fault.code for fault in self.faults if fault.code)
