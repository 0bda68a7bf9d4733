"""What staff names to be paid, by account and invoice numbers, held against what is owed."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.billing.allocating import Chosen
from ivr.billing.customers import Customer
from ivr.billing.errors import AmountOutOfRange, CurrencyMismatch, NotPayable
from ivr.billing.invoices import by_currency
from ivr.billing.money import Money
from ivr.billing.ports import Directory, Invoices
from ivr.billing.terms import Terms


async def payable(
    directory: Directory,
    invoices: Invoices,
    terms: Terms,
    *,
    account: str,
    numbers: Sequence[str],
    amount: Money | None,
) -> tuple[Customer | None, Chosen | None]:
    """The customer if an account was named, and what is to be paid if invoices were.

    Raises NotPayable when that cannot be, LedgerUnavailable.
    """
    customer = await directory.by_external_id(account) if account else None
    if account and customer is None:
        raise NotPayable(
            "no customer has this account: give the external_id from your billing system,"
            " such as C1042"
        )
    found = await invoices.by_number(numbers) if numbers else []
    if missing := set(numbers) - {invoice.number for invoice in found}:
        raise NotPayable(f"no invoice has the number {min(missing)}")
    owners = {invoice.customer_id for invoice in found}
    if len(owners | ({customer.id} if customer else set())) > 1:
        raise NotPayable("the invoices are not all of one customer, or not of this account")
    if paid := [invoice.number for invoice in found if not invoice.due]:
        raise NotPayable(f"nothing is due on invoice {paid[0]}")
    if len(by_currency(found)) > 1:
        raise NotPayable("the invoices are in two currencies: take them one after the other")
    if found:
        try:
            return customer, terms.chosen(found, amount)
        except AmountOutOfRange as error:
            raise NotPayable(str(error)) from None
        except CurrencyMismatch:
            raise NotPayable(
                f"this is due in {found[0].due.currency}: give the amount in it"
            ) from None
    if amount is not None:
        raise NotPayable("name the invoices that the amount is for")
    return customer, None
