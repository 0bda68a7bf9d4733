"""The pay page in a real browser: a card, PayPal, what goes wrong, and everybody can use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, ViewportSize, expect

from ivr.billing.links import Link, LinkPurpose
from tests.e2e.browser import DECLINING, GOOD, PHONE, Visitor
from tests.web.pay_house import PayHouse, open_house

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]
Visit = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PayHouse]:
    async with open_house(database_url, tmp_path_factory.mktemp("pay")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, house: PayHouse) -> AsyncIterator[Visit]:
    """Opens a link in a browser of its own; what the browser complained about fails the test."""
    visitors: list[Visitor] = []
    async with AsyncExitStack() as stack:

        async def open_link(link: Link | str, *, examined: bool = False) -> Visitor:
            context = await browser.new_context(viewport=PHONE, bypass_csp=examined)
            stack.push_async_callback(context.close)
            visitor = Visitor(await context.new_page())
            visitors.append(visitor)
            await visitor.open(link if isinstance(link, str) else link.url)
            return visitor

        yield open_link
    house.stand_in.faults.clear()
    assert [each.complaints for each in visitors] == [[] for _ in visitors]


async def test_a_card_is_paid_and_its_number_never_reaches_our_server(
    house: PayHouse, visit: Visit
) -> None:
    link = await house.link("42.50", "36.00")
    visitor = await visit(link)
    await visitor.pays_by_card(GOOD)
    code = await visitor.sees_receipt()
    assert len(code) == 8
    assert await house.taken(link) == ["78.50"]
    assert await house.left(link) == ["0.00", "0.00"]
    await expect(visitor.page.locator("#reactivated")).to_contain_text("James's mobile")
    arrived = bytes(house.arrivals.bytes)
    assert b'"nonce":"tokencc_' in arrived
    for typed in (GOOD, "4111 1111 1111 1111", "12/31", '"123"', '"1231"'):
        assert typed.encode() not in arrived
    await visitor.page.reload()
    assert await visitor.sees_receipt() == code


async def test_a_button_pressed_twice_charges_once(house: PayHouse, visit: Visit) -> None:
    link = await house.link("42.50")
    visitor = await visit(link)
    await visitor.types_card()
    await visitor.page.dblclick("#pay-card")
    await visitor.sees_receipt()
    assert await house.taken(link) == ["42.50"]


async def test_the_same_link_in_two_windows_is_charged_once(house: PayHouse, visit: Visit) -> None:
    link = await house.link("42.50")
    first, second = await visit(link), await visit(link)
    await asyncio.gather(first.types_card(), second.types_card())
    await first.page.click("#pay-card")
    await first.sees_receipt()
    await second.page.click("#pay-card")
    await second.sees_receipt()  # the page is loaded again and shows what was paid
    assert await house.taken(link) == ["42.50"]


async def test_after_a_decline_another_card_pays(house: PayHouse, visit: Visit) -> None:
    link = await house.link("42.50")
    visitor = await visit(link)
    await visitor.pays_by_card(DECLINING)
    await visitor.is_told("The payment was declined. Nothing was charged.")
    assert await house.taken(link) == []
    await visitor.pays_by_card(GOOD)
    await visitor.sees_receipt()
    assert await house.taken(link) == ["42.50"]


async def test_wrong_fields_are_told_before_anything_is_sent(house: PayHouse, visit: Visit) -> None:
    visitor = await visit(await house.link("42.50"))
    asked = len(house.arrivals.paths)
    await visitor.types_card("4111111111111112", "0120")
    await visitor.page.click("#pay-card")
    await expect(visitor.page.locator("#wrong-number")).to_be_visible()
    await expect(visitor.page.locator("#wrong-expirationDate")).to_be_visible()
    await expect(visitor.page.locator("#wrong-cvv")).to_be_hidden()
    assert [path for path in house.arrivals.paths[asked:] if path.endswith("/card")] == []


async def test_a_part_is_paid(house: PayHouse, visit: Visit) -> None:
    link = await house.link("42.50", "36.00")
    visitor = await visit(link)
    await visitor.ready()
    await visitor.page.check("#much-part")
    await visitor.page.fill("#part-amount", "1")
    await expect(visitor.page.locator("#part-wrong")).to_contain_text("at least €7.85")
    await visitor.page.click("#pay-paypal")
    await expect(visitor.page.locator("#part-amount")).to_be_focused()
    await visitor.page.fill("#part-amount", "50,00")
    await expect(visitor.page.locator("#pay-card")).to_have_text("Pay €50.00")
    await visitor.pays_by_card()
    await visitor.sees_receipt()
    assert await house.taken(link) == ["50.00"]
    assert await house.left(link) == ["0.00", "28.50"]


async def test_paypal_is_approved_and_charged_once(house: PayHouse, visit: Visit) -> None:
    link = await house.link("42.50", purpose=LinkPurpose.PAYPAL)
    visitor = await visit(link)
    await visitor.page.click("#pay-paypal")
    await visitor.page.click("text=Log in and pay")
    back = visitor.page.url
    code = await visitor.sees_receipt()
    assert await house.taken(link) == ["42.50"]
    await visitor.open(back)  # the same approval once more
    assert await visitor.sees_receipt() == code
    assert await house.taken(link) == ["42.50"]


async def test_a_phone_on_a_bad_line_pays_once_and_is_not_told_that_nothing_was_begun(
    house: PayHouse, visit: Visit
) -> None:
    link = await house.link("42.50")
    visitor = await visit(link)
    asked = 0

    async def lost_on_the_way(route: Route) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            await route.fetch()  # it arrives, and its answer does not
            await route.abort()
        elif asked == 2:
            await route.fulfill(status=503, json={"state": "away"})
        else:
            await route.continue_()

    await visitor.page.route("**/card?*", lost_on_the_way)
    await visitor.pays_by_card()
    await visitor.sees_receipt()
    assert await house.taken(link) == ["42.50"]
    visitor.complaints.clear()


async def test_an_amount_that_nobody_could_look_at_is_looked_at_again(
    house: PayHouse, visit: Visit
) -> None:
    visitor = await visit(await house.link("42.50"))
    away = {"status": 503, "json": {"state": "away"}}
    await visitor.page.route("**/quote?*", lambda route: route.fulfill(**away))
    await visitor.page.check("#much-part")
    await visitor.page.fill("#part-amount", "20")
    await visitor.is_told("We cannot be reached just now.")
    visitor.complaints.clear()
    await visitor.page.unroute("**/quote?*")
    await visitor.page.click("#pay-paypal")  # it said another amount until now
    await expect(visitor.page.locator("#pay-paypal")).to_have_text("Pay €20.00 with PayPal")
    await visitor.page.click("#pay-paypal")
    await expect(visitor.page.locator("text=Log in and pay")).to_be_visible()


async def test_two_presses_while_an_amount_is_looked_at_are_one(
    house: PayHouse, visit: Visit
) -> None:
    visitor = await visit(await house.link("42.50"))
    await visitor.page.check("#much-part")
    asked = len(house.arrivals.paths)
    await visitor.page.fill("#part-amount", "20")
    await visitor.page.evaluate("for (const press of [1, 2]) document.all['pay-paypal'].click()")
    await expect(visitor.page.locator("text=Log in and pay")).to_be_visible()
    begun = [path for path in house.arrivals.paths[asked:] if path.endswith("/paypal")]
    assert len(begun) == 1


async def test_who_comes_back_from_paypal_by_the_browsers_button_finds_the_bill(
    house: PayHouse, visit: Visit
) -> None:
    visitor = await visit(await house.link("42.50"))
    await visitor.page.route("**/checkoutnow?*", lambda route: route.fulfill(status=204))
    async with visitor.page.expect_request("**/checkoutnow?*"):
        await visitor.page.click("#pay-paypal")
    await expect(visitor.page.locator("#working")).to_be_visible()
    # Headless browsers keep no page; one that kept it as it was says so.
    kept = "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
    await visitor.page.evaluate(kept)
    await expect(visitor.page.locator("#pay-paypal")).to_be_visible()
    visitor.complaints.clear()


async def test_paypal_canceled_charges_nothing_and_can_be_tried_again(
    house: PayHouse, visit: Visit
) -> None:
    link = await house.link("42.50")
    visitor = await visit(link)
    await visitor.page.click("#pay-paypal")
    await visitor.page.click("text=Cancel and go back")
    await visitor.is_told("You left PayPal before approving. Nothing was charged.")
    assert await house.taken(link) == []
    await visitor.page.click("#pay-paypal")
    await visitor.page.click("text=Log in and pay")
    await visitor.sees_receipt()
    assert await house.taken(link) == ["42.50"]


async def test_the_language_can_be_changed(house: PayHouse, visit: Visit) -> None:
    visitor = await visit(await house.link("42.50"))
    await expect(visitor.page.locator("h1")).to_have_text("Your payment")
    await visitor.page.click("#language")
    await expect(visitor.page.locator("html")).to_have_attribute("lang", "es")
    await expect(visitor.page.locator("h1")).to_have_text("Su pago")
    await expect(visitor.page.locator("#pay-card")).to_have_text("Pagar 42,50 €")
    await visitor.pays_by_card(DECLINING)
    await visitor.is_told("El pago ha sido rechazado. No se ha cobrado nada.")


async def test_all_is_done_with_the_keyboard_alone(house: PayHouse, visit: Visit) -> None:
    link = await house.link("42.50")
    visitor = await visit(link)
    await visitor.ready()
    keyboard = visitor.page.keyboard
    await keyboard.press("Tab")
    await expect(visitor.page.locator(".skip")).to_be_focused()
    await keyboard.press("Enter")
    await keyboard.press("Tab")  # into the choice of the amount
    await expect(visitor.page.locator("[name=much]").first).to_be_focused()
    for name, typed in (("number", GOOD), ("expirationDate", "1231"), ("cvv", "123")):
        await keyboard.press("Tab")
        await expect(visitor.page.locator(f"#field-{name}")).to_have_class("hosted focused")
        await keyboard.type(typed)
    await keyboard.press("Tab")
    await expect(visitor.page.locator("#pay-card")).to_be_focused()
    await keyboard.press("Enter")
    await visitor.sees_receipt()
    await expect(visitor.page.locator("#paid")).to_be_focused()
    assert await house.taken(link) == ["42.50"]


async def test_an_unknown_outcome_is_told_honestly_until_it_is_known(
    house: PayHouse, visit: Visit
) -> None:
    link = await house.link("42.50")
    visitor = await visit(link)
    await visitor.types_card()
    house.stand_in.faults.ask({"on": ["sale"], "mode": "500-after-capture"})
    await visitor.page.click("#pay-card")
    confirming = visitor.page.locator("#confirming")
    await expect(confirming).to_be_visible()
    await expect(confirming).to_contain_text("Please do not pay again.")
    visitor.complaints.clear()
    await visitor.page.reload()
    await expect(confirming).to_be_visible()
    await expect(visitor.page.locator("#pay-card")).to_have_count(0)


async def test_without_the_providers_scripts_paypal_still_pays(
    house: PayHouse, visit: Visit
) -> None:
    visitor = await visit(await house.link("42.50"))
    await visitor.page.route("**/hosted-fields.min.js", lambda route: route.abort())
    await visitor.page.reload()
    await visitor.is_told("The card fields could not be loaded.")
    visitor.complaints.clear()
    await visitor.page.click("#pay-paypal")
    await expect(visitor.page.locator("text=Log in and pay")).to_be_visible()


async def test_without_scripts_at_all_it_is_said_first_and_no_field_is_shown(
    house: PayHouse, browser: Browser
) -> None:
    async with await browser.new_context(java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto((await house.link("42.50")).url)
        await expect(page.locator("#bill")).to_be_visible()
        await expect(page.locator("#pay")).to_be_hidden()
        said = await page.locator("main").inner_text()
    assert said.index("This page needs JavaScript") < said.index("Your bill")


async def test_large_letters_on_a_small_screen_fit(house: PayHouse, visit: Visit) -> None:
    visitor = await visit(await house.link("1042.50", "36.00"))
    await visitor.ready()
    await visitor.page.set_viewport_size(ViewportSize(width=320, height=640))
    await visitor.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_links_that_cannot_be_used_get_the_same_polite_page(
    house: PayHouse, visit: Visit
) -> None:
    late = await house.link("42.50", minutes=-1)
    gone = await house.link("42.50")
    await house.links.revoke(gone.id)
    pages = []
    for url in (late.url, gone.url, late.url[:-1] + "-"):
        visitor = await visit(url)
        pages.append(await visitor.page.content())
        await expect(visitor.page.locator("h1")).to_have_text("This link cannot be used")
        assert len(visitor.complaints) == 1  # the status 404 of the page itself
        visitor.complaints.clear()
    assert len(set(pages)) == 1


async def test_nobody_meets_a_barrier_in_any_state(
    house: PayHouse, visit: Visit, tmp_path: Path
) -> None:
    link = await house.link("42.50", "36.00")
    visitor = await visit(link, examined=True)
    await visitor.ready()
    found = {"open": await visitor.barriers()}
    await visitor.page.check("#much-part")
    await visitor.page.fill("#part-amount", "1")
    await expect(visitor.page.locator("#part-wrong")).to_be_visible()
    found["a part too small"] = await visitor.barriers()
    await visitor.page.check("[value=all]")
    await visitor.types_card("4111111111111112")
    await visitor.page.click("#pay-card")
    await expect(visitor.page.locator("#wrong-number")).to_be_visible()
    found["a wrong field"] = await visitor.barriers()
    await visitor.pays_by_card(DECLINING)
    await visitor.is_told("declined")
    found["declined"] = await visitor.barriers()
    await visitor.page.click("#language")
    await visitor.types_card()
    house.stand_in.faults.ask({"on": ["sale"], "mode": "delay", "seconds": 1.5})
    await visitor.page.click("#pay-card")
    await expect(visitor.page.locator("#working")).to_be_visible()
    found["working"] = await visitor.barriers()
    await visitor.sees_receipt()
    found["paid"] = await visitor.barriers()
    house.stand_in.faults.clear()
    house.stand_in.faults.ask({"on": ["sale"], "mode": "500-after-capture"})
    doubted = await visit(await house.link("42.50"), examined=True)
    await doubted.pays_by_card()
    await expect(doubted.page.locator("#confirming")).to_be_visible()
    found["confirming"] = await doubted.barriers()
    closed = await visit(link.url + "x", examined=True)
    found["closed"] = await closed.barriers()
    closed.complaints.clear()
    assert found == {state: [] for state in found}
