"""What a routing number, an account number and the choices about an account must look like."""

from __future__ import annotations

from collections.abc import Callable

from ivr.billing.bank_accounts import AccountType
from ivr.billing.captures import CaptureField, ErrorType
from ivr.capture.secret import SecretDigits

ROUTING_LENGTH = 9
ACCOUNT_LENGTHS = range(4, 18)
WEIGHTS = (3, 7, 1)
"""of the digits of a routing number, again and again (ABA, routing number policy)"""
ACCOUNT_TYPES: tuple[AccountType, ...] = ("checking", "savings")
HOLDER_KINDS = ("person", "business")


def is_routing_number(number: SecretDigits) -> bool:
    """Nine digits with the right check digit; false of zeros alone."""
    if len(number) != ROUTING_LENGTH or number.is_only_zeros():
        return False
    total = sum(number.digit(place) * WEIGHTS[place % 3] for place in range(ROUTING_LENGTH))
    return total % 10 == 0


def is_account_number(number: SecretDigits) -> bool:
    """As long as accounts are in the United States; they have no check digit."""
    return len(number) in ACCOUNT_LENGTHS and not number.is_only_zeros()


def is_choice(digit: SecretDigits) -> bool:
    """1 or 2."""
    return len(digit) == 1 and digit.digit(0) in (1, 2)


def problem(
    asked: CaptureField, digits: SecretDigits, takes: Callable[[SecretDigits], bool]
) -> ErrorType | None:
    """What is wrong with a field of a bank account as keyed; None when it is good."""
    if asked is CaptureField.ROUTING_NUMBER:
        return None if is_routing_number(digits) else ErrorType.INVALID_ROUTING_NUMBER
    if asked is CaptureField.ACCOUNT_NUMBER:
        good = is_account_number(digits) and takes(digits)
        return None if good else ErrorType.INVALID_ACCOUNT_NUMBER
    return None if is_choice(digits) else ErrorType.INVALID_CHOICE


def account_type(digit: SecretDigits) -> AccountType:
    """Of a good choice."""
    return ACCOUNT_TYPES[digit.digit(0) - 1]


def is_business(digit: SecretDigits) -> bool:
    """Of a good choice: whether a business holds the account."""
    return HOLDER_KINDS[digit.digit(0) - 1] == "business"
