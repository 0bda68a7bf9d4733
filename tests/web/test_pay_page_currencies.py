"""The pay page in currencies of no, two and three decimals: shown, typed, charged, told."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.web.pay_house import PayHouse, open_house
from tests.web.pay_script import Script


async def script_for(http: httpx.AsyncClient, house: PayHouse, due: str, currency: str) -> Script:
    link = await house.link("1.00")
    bill = "UPDATE invoices SET amount = $2::text::numeric, currency = $3 WHERE id = $1"
    await house.world.ask(bill, link.invoice_ids[0], due, currency)
    return Script(http, house, link)


@pytest.mark.parametrize(
    ("due", "currency", "shown", "fee", "all_of_it"),
    [
        ("1980", "JPY", "¥1,980", "20", "¥2,000"),
        ("12.345", "KWD", "KWD12.345", "0.123", "KWD12.468"),
        ("42.50", "USD", "$42.50", "0.43", "$42.93"),
    ],
)
async def test_a_bill_is_shown_and_charged_with_the_decimals_of_its_currency(
    database_url: str, tmp_path: Path, http: httpx.AsyncClient,
    due: str, currency: str, shown: str, fee: str, all_of_it: str,
) -> None:  # fmt: skip
    terms = {"fees": {"card": {"percent": "1"}}}
    async with open_house(database_url, tmp_path / currency, payments=terms) as house:
        script = await script_for(http, house, due, currency)
        page = await script.load()
        assert shown in page
        assert f"Pay {all_of_it}" in page
        order = {"amount": due, "fee": fee}
        if currency == "JPY":  # a sandbox declines 2000 to 3000 of anything
            order = {"amount": "198", "fee": "2"}
        paid = await script.pay(**order)
        assert paid["state"] == "paid"
        (taken,) = await house.taken(script.link)
        assert taken == {"JPY": "200", "KWD": "12.468", "USD": "42.93"}[currency]


@pytest.mark.parametrize(
    ("due", "currency", "typed", "amount", "wrong"),
    [
        ("1980", "JPY", "500", "500", ""),
        ("1980", "JPY", "1,500", "1500", ""),
        ("1980", "JPY", "500.5", "", "an amount"),
        ("1980", "JPY", "197", "", "¥198"),
        ("1980", "JPY", "1981", "", "¥1,980"),
        ("12.345", "KWD", "1.235", "1.235", ""),
        ("12.345", "KWD", "1,2345", "", "an amount"),
        ("12.345", "KWD", "1.234", "", "KWD1.235"),
    ],
)
async def test_a_part_is_typed_with_the_decimals_of_its_currency(
    http: httpx.AsyncClient, house: PayHouse,
    due: str, currency: str, typed: str, amount: str, wrong: str,
) -> None:  # fmt: skip
    script = await script_for(http, house, due, currency)
    await script.load()
    quote = await script.get(f"/quote?amount={typed}&language=en")
    assert quote.get("amount", "") == amount
    assert wrong in quote.get("wrong", "")
    assert bool(quote.get("wrong")) == bool(wrong)
