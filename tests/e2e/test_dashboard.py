"""The dashboard in a real browser: a payment is found, a part given back, once and on record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from ivr.billing.payments import confirmation_code
from ivr.lab.gateway_ledger import Transaction, transactions
from ivr.web.keys import Key
from tests.e2e.browser import PHONE, Visitor
from tests.web.pay_house import PayHouse, open_house
from tests.web.pay_script import Script
from tests.web.staff_house import AGENT, CLERK, READER

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]
REASON = "charged twice by us"


class Clerk(Visitor):
    """Somebody of the billing team."""

    async def signs_in(self, key: Key = CLERK) -> None:
        await self.page.fill("#key", key.secret)
        await self.page.keyboard.press("Enter")
        if key is not AGENT:
            await expect(self.page.locator("#who")).to_contain_text(key.name)

    async def finds(self, number: str) -> None:
        """The one payment with this number, in detail."""
        await self.page.fill("#number", number)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("tbody tr")).to_have_count(1)
        await self.page.click("tbody a")
        await expect(self.page.locator("#history-title")).to_be_visible()

    async def asks_back(self, amount: str = "", reason: str = REASON) -> None:
        """As far as the last look."""
        await self.page.click("#give-back")
        await expect(self.page.locator("#reason")).to_be_visible()
        if amount:
            await self.page.check("#much-part")
            await self.page.fill("#part-amount", amount)
        await self.page.fill("#reason", reason)
        await self.page.click("text=Continue")
        await expect(self.page.locator("#do-it")).to_be_visible()

    async def is_answered(self, words: str) -> None:
        await expect(self.page.locator(".side .notice")).to_contain_text(words)
        await expect(self.page.locator("dialog")).to_have_count(0)

    async def history(self) -> str:
        return await self.page.locator(".history").inner_text()


At = Callable[..., Awaitable[Clerk]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PayHouse]:
    async with open_house(database_url, tmp_path_factory.mktemp("desk")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def at(browser: Browser, house: PayHouse) -> AsyncIterator[At]:
    """Opens the dashboard, or a link; what the browser complained about fails the test."""
    clerks: list[Clerk] = []
    async with AsyncExitStack() as stack:

        async def open_page(url: str = "", *, examined: bool = False, phone: bool = False) -> Clerk:
            size = PHONE if phone else None
            context = await browser.new_context(viewport=size, bypass_csp=examined)
            stack.push_async_callback(context.close)
            clerk = Clerk(await context.new_page())
            clerks.append(clerk)
            await clerk.open(url or f"{house.url}/dashboard")
            return clerk

        yield open_page
    house.stand_in.faults.clear()
    assert [each.complaints for each in clerks] == [[] for _ in clerks]


async def paid(house: PayHouse, amount: str, *, settled: bool = True) -> tuple[str, str]:
    """The confirmation number of a payment as the pay page makes it, and its sale."""
    link = await house.link(amount)
    async with httpx.AsyncClient() as http:
        script = Script(http, house, link)
        await script.load()
        assert (await script.pay(amount=amount))["state"] == "paid"
    sale = last_sale(house)
    if settled:
        await settle(house, sale)
    return confirmation_code(UUID(sale.order_id.removeprefix("saldo-"))), sale.id


def last_sale(house: PayHouse) -> Transaction:
    return next(each for each in reversed(transactions(house.ledger)) if each.type == "sale")


async def settle(house: PayHouse, sale: Transaction) -> None:
    """What a night does."""
    account = house.stand_in.account
    async with httpx.AsyncClient(auth=(account.public_key, account.private_key)) as gateway:
        merchant = f"{house.stand_in.url}/merchants/{account.merchant_id}"
        (await gateway.put(f"{merchant}/transactions/{sale.id}/settle")).raise_for_status()


def credits_of(house: PayHouse, sale: str) -> list[Transaction]:
    """What the stand-in's ledger has gone back of a sale."""
    return [each for each in transactions(house.ledger) if each.refund_of == sale]


async def test_a_part_is_given_back_once_and_stays_in_the_list_and_the_history(
    house: PayHouse, at: At
) -> None:
    customer = await at((await house.link("42.50", "36.00")).url)
    await customer.pays_by_card()
    code = await customer.sees_receipt()
    await settle(house, last_sale(house))
    clerk = await at()
    await clerk.signs_in()
    await clerk.finds(f"{code[:4]} {code[4:]}")
    await expect(clerk.page.locator("h1")).to_have_text("€78.50")
    await clerk.asks_back("10,00")
    sure = clerk.page.locator("dialog")
    for words in ("Refund €10.00?", "€10.00 (EUR)", "Visa ending 1111", REASON, CLERK.name):
        await expect(sure).to_contain_text(words)
    await clerk.page.dblclick("#do-it")
    await clerk.is_answered("Refunded: €10.00")
    assert [each.amount for each in credits_of(house, last_sale(house).id)] == ["10.00"]
    await expect(clerk.page.locator(".history")).to_contain_text("€10.00 refunded")
    assert {f"by {CLERK.name}", f"“{REASON}”"} <= set((await clerk.history()).splitlines())
    await expect(clerk.page.locator(".side")).to_contain_text("Up to €68.50")
    await clerk.page.click("text=All payments")
    row = clerk.page.locator("tbody tr", has_text=f"{code[:4]} {code[4:]}")
    await expect(row).to_contain_text("€10.00 given back")


async def test_before_it_is_settled_it_is_voided_as_a_whole_with_the_keyboard_alone(
    house: PayHouse, at: At
) -> None:
    code, sale = await paid(house, "42.50", settled=False)
    clerk = await at()
    keyboard = clerk.page.keyboard
    await expect(clerk.page.locator("#key")).to_be_focused()
    await keyboard.type(CLERK.secret)
    await keyboard.press("Enter")
    await expect(clerk.page.locator("tbody")).to_be_visible()
    await clerk.page.focus("#number")
    await keyboard.type(code)
    await keyboard.press("Enter")
    await expect(clerk.page.locator("tbody tr")).to_have_count(1)
    for _ in range(3):  # the state, the button, the row
        await keyboard.press("Tab")
    await keyboard.press("Enter")
    await expect(clerk.page.locator("h1")).to_be_focused()
    await keyboard.press("Tab")
    await expect(clerk.page.locator("#give-back")).to_be_focused()
    await keyboard.press("Enter")
    await expect(clerk.page.locator("#reason")).to_be_focused()
    await keyboard.type("wrong customer")
    await keyboard.press("Tab")
    await keyboard.press("Space")  # the invoices are owed again
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await expect(clerk.page.locator("#sure-title")).to_have_text("Void the payment of €42.50?")
    await keyboard.press("Enter")  # out of habit: goes back
    await expect(clerk.page.locator("dialog")).to_have_count(0)
    assert await clerk.page.locator("#reason").input_value() == "wrong customer"
    await clerk.page.focus("form .main-button")
    await keyboard.press("Enter")
    await keyboard.press("Shift+Tab")
    await expect(clerk.page.locator("#do-it")).to_be_focused()
    await keyboard.press("Enter")
    await clerk.is_answered("Voided: €42.50")
    await expect(clerk.page.locator(".head .chip")).to_have_text("Voided")
    await expect(clerk.page.locator(".invoices")).to_contain_text("€42.50 still owed now")
    assert [each.status for each in transactions(house.ledger) if each.id == sale] == ["voided"]
    await expect(clerk.page.locator("#give-back")).to_have_count(0)


async def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_goes_back_twice(
    house: PayHouse, at: At
) -> None:
    code, sale = await paid(house, "42.50")
    clerk = await at()
    await clerk.signs_in()
    await clerk.finds(code)
    await clerk.asks_back("10.00")

    async def lost(route: Route) -> None:
        await route.fetch()  # it arrives, and its answer does not
        await route.abort()

    await clerk.page.route("**/refund", lost, times=1)
    await clerk.page.click("#do-it")
    await clerk.is_answered("No answer: it is not known whether that arrived.")
    await clerk.page.reload()
    await expect(clerk.page.locator(".side")).to_contain_text("no answer came")
    await expect(clerk.page.locator("#give-back")).to_have_count(0)
    await clerk.page.click("button:has-text('Ask again')")
    await clerk.is_answered("Refunded: €10.00")
    assert [each.amount for each in credits_of(house, sale)] == ["10.00"]
    clerk.complaints.clear()


async def test_a_gateway_that_does_not_answer_is_told_honestly(house: PayHouse, at: At) -> None:
    code, _ = await paid(house, "42.50")
    clerk = await at()
    await clerk.signs_in()
    await clerk.finds(code)
    await clerk.asks_back()
    house.stand_in.faults.ask({"on": ["refund"], "mode": "500-after-capture"})
    await clerk.page.click("#do-it")
    await clerk.is_answered("Do not give it back again.")
    await expect(clerk.page.locator("main")).to_contain_text("not known yet whether €42.50 went")
    await expect(clerk.page.locator("#give-back")).to_have_count(0)
    assert "No answer from the gateway: it is looked up" in await clerk.history()


async def test_a_key_that_may_only_look_is_offered_nothing_more(house: PayHouse, at: At) -> None:
    code, _ = await paid(house, "42.50", settled=False)
    clerk = await at()
    await clerk.signs_in(AGENT)
    await expect(clerk.page.locator("[role=alert]")).to_contain_text("it lacks read, refunds")
    await clerk.page.fill("#key", "nobody's")
    await clerk.page.keyboard.press("Enter")
    await expect(clerk.page.locator("[role=alert]")).to_contain_text("not valid")
    await clerk.signs_in(READER)
    await expect(clerk.page.locator(".lacks")).to_contain_text("it lacks the scope refunds")
    await clerk.finds(code)
    await expect(clerk.page.locator("#give-back")).to_have_count(0)
    await clerk.page.click("#language")
    await expect(clerk.page.locator("html")).to_have_attribute("lang", "es")
    await expect(clerk.page.locator(".head .chip")).to_have_text("Pagado")
    await clerk.page.click("#sign-out")
    await expect(clerk.page.locator("#key")).to_be_visible()
    assert code[4:] not in await clerk.page.content()
    for secret in (READER.secret, AGENT.secret):
        arrived = bytes(house.arrivals.bytes)
        assert arrived.count(secret.encode()) == arrived.count(f"Bearer {secret}".encode()) > 0
    clerk.complaints.clear()  # the status 401 of the key that nobody has


async def test_nobody_meets_a_barrier_on_any_page(house: PayHouse, at: At) -> None:
    code, _ = await paid(house, "42.50")
    found: dict[str, list[str]] = {}
    clerk = await at(examined=True, phone=True)
    found["signing in"] = await clerk.barriers()
    await clerk.signs_in()
    await expect(clerk.page.locator("tbody tr").first).to_be_visible()
    found["list"] = await clerk.barriers()
    await clerk.finds(code)
    found["payment"] = await clerk.barriers()
    await clerk.page.click("#give-back")
    await clerk.page.check("#much-part")
    await clerk.page.click("text=Continue")
    await expect(clerk.page.locator("#part-amount")).to_be_focused()
    await expect(clerk.page.locator("#reason-wrong")).to_be_visible()
    found["wrong"] = await clerk.barriers()
    await clerk.page.click("text=Cancel")
    await clerk.asks_back("10")
    found["sure"] = await clerk.barriers()
    await clerk.page.click("#do-it")
    await clerk.is_answered("Refunded")
    await clerk.page.emulate_media(color_scheme="dark")
    found["done, in the dark"] = await clerk.barriers()
    wide = await clerk.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide
    assert found == {page: [] for page in found}
