"""What the pay page's server answers: to its own page, to others, to links that are none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from ivr.billing import online_paying
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.links import DECLINES, LinkAttempt, LinkPurpose
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState
from ivr.storage.links import PostgresLinks
from tests.web.pay_house import PayHouse, open_house
from tests.web.pay_script import AMOUNT, DECLINING, GOOD, Script


async def test_many_invoices_are_folded_up_under_their_sum(
    http: httpx.AsyncClient, house: PayHouse
) -> None:
    few = await Script(http, house, await house.link(*["1.00"] * 6)).load()
    many = await Script(http, house, await house.link(*["1.00"] * 7)).load()
    assert "<details>" not in few
    assert "<summary>Show all 7 invoices</summary>" in many
    assert many.count("<li>") == 7


async def test_the_same_order_sent_again_is_one_payment(script: Script) -> None:
    order = {"key": str(uuid4()), "nonce": await script.nonce()}
    first, second = await asyncio.gather(script.pay(**order), script.pay(**order))
    third = await script.pay(**order)
    assert {each["state"] for each in (first, second)} <= {"paid", "working"}
    assert third["state"] == "paid"
    assert await script.house.taken(script.link) == [AMOUNT]


async def test_two_orders_at_once_are_charged_once(script: Script) -> None:
    answers = await asyncio.gather(script.pay(), script.pay())
    states = sorted(each["state"] for each in answers)
    assert states in (["being_paid", "paid"], ["paid", "paid_meanwhile"], ["changed", "paid"])
    assert await script.house.taken(script.link) == [AMOUNT]


@pytest.mark.parametrize("sent", [GOOD, "4111-1111-1111-1111"])
async def test_a_card_number_sent_for_a_nonce_goes_no_further(
    script: Script, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(script.house.stand_in._hosted, "nonce", asked.append)
    answer = await script.pay(nonce=sent)
    assert answer["status"] == 422
    assert sent not in str(answer)
    assert asked == []


async def test_a_payment_on_the_page_is_no_telephone_order(script: Script) -> None:
    assert (await script.pay())["state"] == "paid"
    sales = script.house.stand_in._ledger.book.transactions.values()
    assert [sale.source for sale in sales] == [""]


async def test_paid_elsewhere_meanwhile_is_said_and_not_charged(script: Script) -> None:
    customer, house = script.link.customer_id, script.house
    other = Script(
        script.http, house, await house.links.make(customer, script.link.invoice_ids, 60)
    )
    await other.load()
    assert (await other.pay())["state"] == "paid"
    assert (await script.post("/token")) == {"state": "closed"}
    assert (await script.pay())["state"] == "closed"
    assert await house.taken(script.link) == [AMOUNT]


async def test_an_amount_or_fee_that_is_not_the_bills_is_not_charged(script: Script) -> None:
    assert (await script.pay(amount="42.51"))["state"] == "changed"
    assert (await script.pay(fee="1.00"))["state"] == "changed"
    assert (await script.pay(amount="0.01"))["state"] == "changed"
    assert (await script.pay(amount="-42.50"))["state"] == "changed"
    assert await script.house.taken(script.link) == []


async def test_the_fee_is_shown_agreed_and_charged_with_the_bill(
    database_url: str, tmp_path: Path, http: httpx.AsyncClient
) -> None:
    fees = {"methods": ["card", "paypal"], "fees": {"card": {"flat": "1.50"}}}
    async with open_house(database_url, tmp_path / "fees", payments=fees) as house:
        script = Script(http, house, await house.link(AMOUNT))
        page = await script.load()
        assert "This includes a fee of €1.50" in page
        assert "Pay €44.00" in page
        assert (await script.pay())["state"] == "changed"  # without the fee
        assert (await script.pay(fee="1.50"))["amount"] == "€44.00"
        assert await house.taken(script.link) == ["44.00"]
        assert await house.left(script.link) == ["0.00"]


async def test_a_link_for_a_part_is_for_that_part_only(
    http: httpx.AsyncClient, house: PayHouse
) -> None:
    whole = await house.link(AMOUNT)
    part = {whole.invoice_ids[0]: Money.of("10.00", "EUR")}
    link = await house.links.make(whole.customer_id, whole.invoice_ids, 60, amounts=part)
    script = Script(http, house, link)
    page = await script.load()
    assert "This payment" in page
    assert "Pay €10.00" in page
    assert (await script.pay())["state"] == "changed"
    assert (await script.pay(amount="10.00"))["state"] == "paid"
    assert await house.left(link) == ["32.50"]


async def test_a_brand_that_is_not_taken_is_not_charged(script: Script) -> None:
    assert (await script.pay("3530111333300000"))["state"] == "card_not_taken"
    assert await script.house.taken(script.link) == []


async def test_after_enough_declines_a_person_helps(script: Script) -> None:
    for _ in range(DECLINES):
        assert (await script.pay(DECLINING))["state"] in ("declined", "too_many")
    assert (await script.pay(GOOD))["state"] == "too_many"
    assert await script.house.taken(script.link) == []


async def test_a_gateway_that_is_away_charges_nothing_and_says_so(script: Script) -> None:
    nonce = await script.nonce()
    script.house.stand_in.faults.ask({"mode": "reset-before", "on": ["find"], "count": 3})
    assert (await script.pay(nonce=nonce))["state"] == "not_charged"
    assert await script.house.taken(script.link) == []


async def test_a_slow_charge_goes_on_and_is_asked_for(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_paying, "ANSWER_SECONDS", 0.1)
    key, nonce = str(uuid4()), await script.nonce()
    script.house.stand_in.faults.ask({"mode": "delay", "on": ["sale"], "seconds": 0.6})
    assert await script.pay(key=key, nonce=nonce) == {"state": "working"}
    for _ in range(100):
        answer = await script.get(f"/result/{key}")
        if answer["state"] != "working":
            break
        await asyncio.sleep(0.1)
    assert answer["state"] == "paid"
    assert await script.house.taken(script.link) == [AMOUNT]


async def test_an_unknown_outcome_holds_the_bill_until_it_is_known(script: Script) -> None:
    key, nonce = str(uuid4()), await script.nonce()
    script.house.stand_in.faults.ask({"mode": "500-after-capture", "on": ["sale"]})
    assert await script.pay(key=key, nonce=nonce) == {"state": "confirming"}
    assert await script.get("/state") == {"state": "confirming"}
    assert (await script.pay())["state"] == "changed"
    assert "We are confirming your payment." in await script.load()
    assert await script.house.taken(script.link) == [AMOUNT]


async def test_a_forged_payment_method_is_not_charged(script: Script) -> None:
    assert (await script.pay(nonce="tokencc_bf_aaaaaa_bbbbbb"))["state"] == "not_charged"


async def test_paypal_payments_are_charged_once_however_often_they_come_back(
    http: httpx.AsyncClient, house: PayHouse
) -> None:
    script = Script(http, house, await house.link(AMOUNT, purpose=LinkPurpose.PAYPAL))
    await script.load()
    key = str(uuid4())
    order = {"key": key, "amount": AMOUNT, "fee": "0.00", "language": "en"}
    began = await script.post("/paypal", **order)
    token = httpx.URL(began["approval_url"]).params["token"]
    form = {"token": token, "email": "buyer@example.com", "decision": "approve"}
    back = httpx.URL((await http.post(began["approval_url"], data=form)).headers["location"])
    said = {"payment_id": back.params["paymentId"], "payer_id": back.params["PayerID"]}
    answers = await asyncio.gather(
        *(script.post("/paypal/approved", key=key, **said) for _ in range(4))
    )
    assert {each["state"] for each in answers} <= {"paid", "working"}
    assert (await script.get(f"/result/{key}"))["state"] == "paid"
    assert await house.taken(script.link) == [AMOUNT]
    kept = "SELECT payer FROM attempts WHERE customer_id = $1"
    assert await house.world.ask(kept, script.link.customer_id) == "b…@example.com"


async def test_a_payer_who_comes_back_from_paypal_after_the_link_expired_has_paid(
    http: httpx.AsyncClient, house: PayHouse
) -> None:
    script = Script(http, house, await house.link(AMOUNT))
    await script.load()
    key = str(uuid4())
    order = {"key": key, "amount": AMOUNT, "fee": "0.00", "language": "en"}
    began = await script.post("/paypal", **order)
    late = "UPDATE links SET expires_at = now() - interval '1 hour' WHERE id = $1"
    await house.world.ask(late, script.link.id)
    assert (await http.get(script.link.url)).status_code == 404
    token = httpx.URL(began["approval_url"]).params["token"]
    form = {"token": token, "email": "buyer@example.com", "decision": "approve"}
    back = (await http.post(began["approval_url"], data=form)).headers["location"]
    assert (await http.get(back)).status_code == 200
    said = {
        "payment_id": httpx.URL(back).params["paymentId"],
        "payer_id": httpx.URL(back).params["PayerID"],
    }
    assert (await script.post("/paypal/approved", key=key, **said))["state"] == "paid"


async def test_a_paypal_payment_that_nobody_approved_is_not_charged(
    http: httpx.AsyncClient, house: PayHouse
) -> None:
    script = Script(http, house, await house.link(AMOUNT))
    await script.load()
    key = str(uuid4())
    order = {"key": key, "amount": AMOUNT, "fee": "0.00", "language": "en"}
    await script.post("/paypal", **order)
    forged = {"payment_id": "PAYID-1", "payer_id": "P1"}
    assert (await script.post("/paypal/approved", key=key, **forged))["state"] == "paypal_away"
    assert await house.taken(script.link) == []


async def test_a_database_that_goes_away_after_the_charge_does_not_say_that_nothing_was_begun(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonce = await script.nonce()
    asked = PostgresLinks.attempt

    async def away_once_begun(links: PostgresLinks, link_id: int, key: UUID) -> LinkAttempt | None:
        if await asked(links, link_id, key):
            raise LedgerUnavailable("away")
        return None

    monkeypatch.setattr(PostgresLinks, "attempt", away_once_begun)
    key = str(uuid4())
    assert await script.pay(key=key, nonce=nonce) == {"state": "working"}
    monkeypatch.undo()
    assert (await script.get(f"/result/{key}"))["state"] == "paid"
    assert await script.house.taken(script.link) == [AMOUNT]


@pytest.mark.parametrize(
    ("state", "said"),
    [("voided", "given_back"), ("refunded", "given_back"), ("returned", "returned")],
)
async def test_money_that_went_back_while_the_page_waits_is_not_called_not_charged(
    script: Script, state: str, said: str
) -> None:
    key = str(uuid4())
    assert (await script.pay(key=key))["state"] == "paid"
    paid = await script.house.links.attempt(script.link.id, UUID(key))
    assert paid
    await script.house.world.ledger.became(paid.id, AttemptState(state))
    assert await script.get(f"/result/{key}") == {"state": said}
    assert f'data-notice="{said}"' in await script.load()


async def test_the_script_asks_nothing_that_telephones_of_2020_lack(script: Script) -> None:
    code = (await script.http.get(str(httpx.URL(script.link.url).join("/pay/assets/pay.js")))).text
    for later in ("randomUUID", "structuredClone", ".at(", "Object.hasOwn", "AbortSignal.timeout"):
        assert later not in code
