"""Who is calling: an account number and a second factor, together or not at all."""

from __future__ import annotations

import hmac

from ivr.billing.customers import Customer
from ivr.billing.ports import Directory


async def identify(directory: Directory, account_number: str, postal_code: str) -> Customer | None:
    """The customer whose account and postal code these are, else None.

    An unknown account and a wrong postal code cannot be told apart, in words or in time: one
    query and one comparison either way. Raises LedgerUnavailable.
    """
    customer = await directory.by_account_number(account_number)
    expected = customer.postal_code if customer else "\0"
    if hmac.compare_digest(expected.encode(), postal_code.encode()):
        return customer
    return None
