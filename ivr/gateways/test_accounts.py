"""The bank accounts that Braintree publishes for testing network checks.

Source: https://developer.paypal.com/braintree/docs/guides/ach/testing-go-live. Any real routing
number goes with them; each account stands for what the bank answers when it is asked about it.
"""

from __future__ import annotations

from collections.abc import Mapping

ROUTING_NUMBER = "011000015"

ANSWERS: Mapping[str, tuple[str, str, str]] = {
    "1000000000": ("1000", "Approved", ""),
    "1000000001": ("1003", "Approved With Risk", ""),
    "1000000002": ("3000", "Processor Network Unavailable - Try Again", ""),
    "1000000004": ("2046", "Declined", ""),
    "1000000005": ("2061", "Invalid Transaction Data", "Invalid routing number"),
    "1000000006": ("2092", "No Data Found - Try Another Verification Method", ""),
    "1000000007": ("2092", "No Data Found - Try Another Verification Method", ""),
    "1000000008": ("2061", "Invalid Transaction Data", "Invalid account number"),
    "1000000009": ("2061", "Invalid Transaction Data", "Invalid account type"),
}
"""account number → processor code, its text, and what else is said"""
UNKNOWN = ("2038", "Processor Declined", "")
CHECKING_ONLY = "1000000009"
"""refused as a checking account, approved as any other"""

_NUMBERS = tuple(number.encode() for number in ANSWERS)


def is_test_account(digits: bytes | bytearray) -> bool:
    """Whether these ASCII digits are a published test account; makes no copy of them."""
    return any(digits == number for number in _NUMBERS)
