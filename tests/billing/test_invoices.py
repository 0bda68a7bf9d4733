"""What is due, oldest first, one currency at a time."""

from datetime import date

import pytest

from ivr.billing.errors import CurrencyMismatch
from ivr.billing.invoices import Invoice, by_currency, in_order, total_due
from ivr.billing.money import Money
from tests.fakes.company import FakeCompany


@pytest.fixture
def bills() -> list[Invoice]:
    company = FakeCompany()
    line = company.service(company.customer())
    return [
        company.invoice(line, "10.00", number="F-3", due=date(2026, 5, 31)),
        company.invoice(line, "20.00", number="F-2", paid="5.00", due=date(2026, 3, 31)),
        company.invoice(line, "7.00", number="F-1", currency="USD", due=date(2026, 3, 31)),
    ]


def test_what_is_due_is_what_is_not_paid(bills: list[Invoice]) -> None:
    assert [str(bill.due) for bill in bills] == ["10.00 EUR", "15.00 EUR", "7.00 USD"]


def test_more_paid_than_billed_is_nothing_due() -> None:
    company = FakeCompany()
    bill = company.invoice(company.service(company.customer()), "10.00", paid="12.00")
    assert bill.due == Money.zero("EUR")


def test_oldest_first_and_then_by_number(bills: list[Invoice]) -> None:
    assert [bill.number for bill in in_order(bills)] == ["F-1", "F-2", "F-3"]


def test_one_payment_has_one_currency(bills: list[Invoice]) -> None:
    groups = by_currency(bills)
    assert {code: [bill.number for bill in group] for code, group in groups.items()} == {
        "USD": ["F-1"],
        "EUR": ["F-2", "F-3"],
    }
    assert total_due(groups["EUR"]) == Money.of("25.00", "EUR")
    with pytest.raises(CurrencyMismatch):
        total_due(bills)
