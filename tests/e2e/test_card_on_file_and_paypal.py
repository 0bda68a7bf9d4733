"""A card left in a call; and PayPal, by a link in a text and a real browser, heard by the call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from ivr.lab.gateway_ledger import transactions
from ivr.lab.lab import Lab
from ivr.lab.scenario_report import Report
from ivr.settings import PROJECT
from tests.e2e.all_at_once import goes_as_written, no_card_number_is_left, play_all
from tests.e2e.browser import Visitor
from tests.e2e.callers import hears
from tests.e2e.conftest import a_lab
from tests.e2e.paying_online import EMILY, JAMES, JOHN, LINK, OLIVER, TAKES_PAYPAL, Company

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("lines_to_itself"),
    pytest.mark.asyncio(loop_scope="module"),
]

KEEPS_CARDS = {"SALDO_PAYMENTS__KEEP_CARDS": "true"}
FOLDER = PROJECT / "tests/scenarios/card_on_file"
CARD_CALLS = [FOLDER / "leaves_a_card.yaml", FOLDER / "pays_with_the_card_left.yaml"]
SPOKEN_SECONDS = 5.0
"""from the approval to the words that it is paid, on a machine that is busy with other tests; on an
idle one it is under two"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with a_lab(**TAKES_PAYPAL, **KEEPS_CARDS) as (_, running):
        yield running


@pytest.fixture(scope="module")
def company(lab: Lab, browser: Browser) -> Company:
    return Company(lab, browser)


async def approves(visitor: Visitor) -> None:
    """At PayPal, up to coming back from there."""
    await visitor.page.click("#pay-paypal")
    await visitor.page.click("text=Log in and pay")


async def pays_while_on_the_line(company: Company) -> tuple[str, float]:
    """The confirmation number on the page, and how long after the approval the call said it."""
    clock = asyncio.get_running_loop().time
    async with company.link_for(JAMES) as (phone, visitor):
        await hears(phone, "paypal_waiting")
        await visitor.page.click("#pay-paypal")
        approve = visitor.page.get_by_text("Log in and pay")
        await approve.wait_for()
        approved = clock()
        await approve.click()
        for phrase in ("paid", "service_back", "confirmation_number", "repeat_or_end"):
            await hears(phone, phrase)
        (paid,) = [one for one in phone.heard.heard if one.phrase_id == "paid"]
        assert paid.opened is not None
        code = await visitor.sees_receipt()
        await phone.press("2")
        await hears(phone, "goodbye_paid")
        await phone.closed.wait()
        return code, paid.opened - approved


async def hangs_up_and_pays_later(company: Company) -> str:
    async with company.link_for(EMILY) as (phone, visitor):
        await phone.hang_up()
        assert await company.ending(EMILY) == "hung-up"
        await approves(visitor)
        return await visitor.sees_receipt()


async def leaves_a_card_and_pays_with_it(lab: Lab) -> dict[str, Report]:
    """One after the other: the second needs the card of the first."""
    found: dict[str, Report] = {}
    for call in CARD_CALLS:
        found |= await play_all(lab, [call], 1)
    return found


async def is_declined_and_leaves_it(company: Company) -> None:
    async with company.link_for(JOHN) as (phone, visitor):
        await approves(visitor)
        await visitor.is_told("declined")
        await hears(phone, "link_declined")
        await hears(phone, "paypal_waiting")
        await phone.press("1")
        await hears(phone, "link_stays")
        await hears(phone, "pay_one_or_leave")
        await phone.press("2")
        await hears(phone, "goodbye")
        await phone.closed.wait()


@dataclass(frozen=True)
class Calls:
    """What four callers at the same time saw and heard."""

    confirmation: str
    spoken_seconds: float
    later_confirmation: str
    by_card: dict[str, Report]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calls(company: Company) -> Calls:
    (code, seconds), later, _, by_card = await asyncio.gather(
        pays_while_on_the_line(company),
        hangs_up_and_pays_later(company),
        is_declined_and_leaves_it(company),
        leaves_a_card_and_pays_with_it(company.lab),
    )
    return Calls(code, seconds, later, by_card)


@pytest.mark.parametrize("name", [file.stem for file in CARD_CALLS])
async def test_the_call_goes_as_written(calls: Calls, name: str) -> None:
    goes_as_written(calls.by_card[name])


async def test_the_second_sale_was_of_the_card_in_the_vault(calls: Calls, lab: Lab) -> None:
    assert all(report.passed for report in calls.by_card.values())
    cards = [sale for sale in transactions(Path(lab.gateway_ledger)) if sale.token.last4]
    first, second = cards
    assert first.vault_token
    assert second.vault_token == first.vault_token
    assert (first.source, second.source) == ("moto", "moto")


async def test_no_card_number_is_left_anywhere(calls: Calls, lab: Lab) -> None:
    assert any(report.passed for report in calls.by_card.values())
    await asyncio.to_thread(no_card_number_is_left, lab)


async def test_the_call_hears_at_once_what_is_paid_in_the_browser(
    calls: Calls, company: Company
) -> None:
    assert calls.spoken_seconds < SPOKEN_SECONDS
    assert await company.ending(JAMES) == "paid"
    (sale,) = await company.sales(JAMES)
    assert (sale.taken, sale.amount, sale.currency) == (True, "42.50", "EUR")
    assert (sale.token.brand, sale.token.payer) == ("paypal", "buyer@example.com")
    assert await company.attempts(JAMES) == [("paypal", "captured")]
    assert await company.due(JAMES) == "0.00"


async def test_what_was_paid_by_paypal_is_told_as_any_payment(
    calls: Calls, company: Company
) -> None:
    paid = await company.webhook("invoice.paid", calls.confirmation)
    captured = await company.webhook("payment.captured", calls.confirmation)
    assert paid["invoice"]["number"] == JAMES.invoice
    assert captured["payment"]["method"] == "paypal"
    receipt = re.compile(rf"Confirmation {calls.confirmation}\b")
    assert len(await company.told("text", JAMES, receipt)) == 1


async def test_a_caller_who_hung_up_pays_once_by_the_link_and_is_told_by_text(
    calls: Calls, company: Company
) -> None:
    (sale,) = await company.sales(EMILY)
    assert (sale.taken, sale.amount, sale.token.brand) == (True, "18.10", "paypal")
    assert await company.attempts(EMILY) == [("paypal", "captured")]
    assert await company.due(EMILY) == "0.00"
    receipt = re.compile(rf"Confirmation {calls.later_confirmation}\b")
    assert len(await company.told("text", EMILY, receipt)) == 1


async def test_a_payment_that_paypal_declines_leaves_the_caller_another_way(
    calls: Calls, company: Company
) -> None:
    assert calls
    (sale,) = await company.sales(JOHN)
    assert not sale.taken
    assert await company.attempts(JOHN) == [("paypal", "declined")]
    assert await company.ending(JOHN) == "not-paid"
    assert await company.due(JOHN) == "2001.00"


async def test_a_link_of_staff_comes_by_text_and_is_useless_once_revoked(company: Company) -> None:
    headers = {"Authorization": f"Bearer {company.lab.api_key}"}
    wanted = {"account": f"C{OLIVER.account}", "tell": ["text"]}
    async with httpx.AsyncClient(base_url=company.lab.api, headers=headers) as staff:
        key = {"Idempotency-Key": f"key-{uuid4()}"}
        made = (await staff.post("/v1/links", json=wanted, headers=key)).json()
        assert await company.told("text", OLIVER, LINK) == [made["url"]]
        async with company.opened(made["url"]) as visitor:
            await expect(visitor.page.locator("#pay-paypal")).to_contain_text("20.24")
            await staff.delete(f"/v1/links/{made['id']}")
            await visitor.page.reload()
            await expect(visitor.page.locator("h1")).to_have_text("This link cannot be used")
