"""The means of payment that a company may take, in the words of its settings."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """What money comes from."""

    CARD = "card"
    """keyed or said in this call, charged once"""
    CARD_ON_FILE = "card-on-file"
    """kept at the gateway with the caller's consent"""
    BANK_ACCOUNT = "bank-account"
    PAYPAL = "paypal"
