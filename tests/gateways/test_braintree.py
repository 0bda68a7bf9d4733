"""The real SDK against the stand-in, over HTTP: what is sent, and what each answer means."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ivr.billing.errors import GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import Captured, DeclineBucket, Refusal
from ivr.gateways.books import BraintreeBooks
from ivr.gateways.braintree import Braintree, _is_of
from ivr.gateways.errors import ValidationRefused
from ivr.gateways.test_cards import ALL, APPROVING, DECLINING
from ivr.lab.gateway import StandIn
from ivr.lab.gateway_desk import Account
from tests.gateways.charging import charge, found, ledger, taken
from tests.gateways.clients import card_token, to_stand_in


async def test_a_sale_names_its_account_its_order_and_that_it_came_by_telephone(
    gateway: Braintree, tmp_path: Path
) -> None:
    outcome = await charge(gateway, "42.50", order_id="saldo-1", currency="USD")
    assert isinstance(outcome, Captured)
    (sale,) = ledger(tmp_path)
    assert (sale.id, sale.status) == (outcome.transaction_id, "submitted_for_settlement")
    assert (sale.amount, sale.currency, sale.merchant_account_id) == ("42.50", "USD", "saldo_usd")
    assert (sale.order_id, sale.source) == ("saldo-1", "moto")
    assert (sale.token.bin, sale.token.last4, sale.token.expires) == ("411111", "1111", "122031")


@pytest.mark.parametrize(
    ("amount", "currency"), [("42.50", "EUR"), ("1980", "JPY"), ("12.345", "KWD")]
)
async def test_an_amount_is_sent_and_found_in_the_shape_of_its_currency(
    gateway: Braintree, tmp_path: Path, amount: str, currency: str
) -> None:
    assert isinstance(await charge(gateway, amount, currency=currency), Captured)
    (sale,) = taken(tmp_path)
    assert (sale.amount, sale.currency) == (amount, currency)
    (booked,) = await BraintreeBooks(gateway).of_ids([sale.id])
    assert booked.amount == Money.of(amount, currency)


@pytest.mark.parametrize(("amount", "is_it"), [("1980.00", True), ("1980.01", False), ("", False)])
def test_a_sale_is_known_by_its_amount_however_the_gateway_writes_it(
    amount: str, *, is_it: bool
) -> None:
    sold = SimpleNamespace(order_id="saldo-1", amount=amount)
    assert _is_of(sold, {"order_id": "saldo-1", "amount": "1980"}) is is_it
    assert not _is_of(sold, {"order_id": "saldo-2", "amount": "1980"})


@pytest.mark.parametrize("card", APPROVING, ids=lambda card: card.brand + card.number[-4:])
async def test_every_published_good_card_is_taken(gateway: Braintree, card: Any) -> None:
    cvv = "1234" if card.brand == "amex" else "123"
    token = await card_token(gateway, card.number, cvv)
    assert isinstance(await charge(gateway, token=token), Captured)


@pytest.mark.parametrize("card", DECLINING, ids=lambda card: card.brand)
async def test_every_published_bad_card_is_declined(gateway: Braintree, card: Any) -> None:
    cvv = "1234" if card.brand == "amex" else "123"
    outcome = await charge(gateway, token=await card_token(gateway, card.number, cvv))
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.bucket) == (card.fails, DeclineBucket.SOFT)


@pytest.mark.parametrize(
    ("cvv", "postal_code", "reason"),
    [("200", "", "cvv"), ("123", "20000", "avs"), ("200", "20000", "avs_and_cvv")],
)
async def test_a_wrong_security_or_postal_code_may_be_mended(
    gateway: Braintree, cvv: str, postal_code: str, reason: str
) -> None:
    token = await card_token(gateway, cvv=cvv, postal_code=postal_code)
    outcome = await charge(gateway, token=token)
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.bucket) == (reason, DeclineBucket.FIX)


async def test_a_soft_decline_with_a_wrong_security_code_may_be_mended(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path / "gateway.jsonl", account=Account(fraud_rules=False))
    await stand_in.start()
    gateway = to_stand_in(stand_in)
    token = await card_token(gateway, cvv="200")
    outcome = await charge(gateway, "2000.00", token=token)
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.bucket) == ("2000", DeclineBucket.FIX)
    assert isinstance(
        await charge(gateway, token=await card_token(gateway, cvv="200")), Captured
    ), "without the rule a wrong code alone is only reported"
    await gateway.aclose()
    await stand_in.stop()


async def test_a_replay_by_key_gives_the_first_answer(gateway: Braintree, tmp_path: Path) -> None:
    token = await card_token(gateway)
    first = await charge(gateway, token=token, order_id="saldo-1", key="k")
    assert await charge(gateway, token=token, order_id="saldo-1", key="k") == first
    assert len(ledger(tmp_path)) == 1


async def test_a_key_used_for_another_amount_is_not_called_not_charged(gateway: Braintree) -> None:
    token = await card_token(gateway)
    await charge(gateway, "10.00", token=token, order_id="saldo-1", key="k")
    with pytest.raises(OutcomeUnknown, match="915232"):
        await charge(gateway, "11.00", token=token, order_id="saldo-1", key="k")


async def test_a_key_of_a_failed_request_is_not_called_not_charged(gateway: Braintree) -> None:
    with pytest.raises(ValidationRefused):
        await charge(gateway, token="unknown", order_id="saldo-1", key="k")
    with pytest.raises(OutcomeUnknown, match="915234"):
        await charge(gateway, token="unknown", order_id="saldo-1", key="k")


async def test_a_key_in_flight_is_not_called_not_charged(
    gateway: Braintree, stand_in: StandIn, tmp_path: Path
) -> None:
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "delay", "seconds": 0.5, "count": 1})
    first = asyncio.create_task(charge(gateway, token=token, order_id="saldo-1", key="k"))
    await asyncio.sleep(0.2)
    with pytest.raises(OutcomeUnknown, match="915233"):
        await charge(gateway, token=token, order_id="saldo-1", key="k")
    assert isinstance(await first, Captured)
    assert len(taken(tmp_path)) == 1


async def test_an_account_without_request_keys_is_charged_without_and_remembered(
    gateway: Braintree, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.faults.ask({"mode": "refuse-keys", "count": 1})
    assert isinstance(await charge(gateway), Captured)
    assert not gateway.request_keys
    assert isinstance(await charge(gateway), Captured)  # sends no key any more
    assert len(taken(tmp_path)) == 2


async def test_without_keys_a_repeated_charge_adopts_the_first(
    gateway: Braintree, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.faults.ask({"mode": "refuse-keys"})
    token = await card_token(gateway)
    first = await charge(gateway, token=token, order_id="saldo-1")
    assert await charge(gateway, token=token, order_id="saldo-1") == first
    other = await card_token(gateway)
    assert await charge(gateway, token=other, order_id="saldo-1") == first, (
        "a duplicate within 30 s"
    )
    assert len(taken(tmp_path)) == 1
    assert [each.rejection for each in ledger(tmp_path)] == ["", "duplicate"]


async def test_a_duplicate_that_the_search_cannot_show_yet_is_unknown(
    gateway: Braintree, stand_in: StandIn
) -> None:
    stand_in.faults.ask({"mode": "refuse-keys"})
    await charge(gateway, order_id="saldo-1")
    stand_in.faults.ask({"mode": "search-lag", "seconds": 60})
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, order_id="saldo-1")


async def test_a_duplicate_whose_search_is_not_sent_is_not_called_not_charged(
    gateway: Braintree, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_sent(_order_id: str) -> None:
        raise GatewayNotReached("the network went away after the sale was answered")

    stand_in.faults.ask({"mode": "refuse-keys"})
    await charge(gateway, order_id="saldo-1")
    monkeypatch.setattr(gateway, "_search", not_sent)
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, order_id="saldo-1")


async def test_wrong_keys_are_refused_with_the_settings_to_check(stand_in: StandIn) -> None:
    gateway = to_stand_in(stand_in, private_key="wrong")
    for question in (charge(gateway, token="any"), gateway.ping(), found(gateway, "saldo-1")):
        with pytest.raises(GatewayRefused, match="private_key"):
            await question
    await gateway.aclose()


async def test_an_unknown_merchant_is_refused_with_the_setting_to_check(stand_in: StandIn) -> None:
    gateway = to_stand_in(stand_in, merchant_id="another")
    with pytest.raises(GatewayRefused, match="merchant_id"):
        await charge(gateway, token="any")
    await gateway.aclose()


async def test_an_unknown_merchant_account_is_refused_with_the_setting_to_check(
    stand_in: StandIn, tmp_path: Path
) -> None:
    gateway = to_stand_in(stand_in, merchant_accounts={"EUR": "mistyped"})
    with pytest.raises(ValidationRefused, match=r"merchant_accounts") as caught:
        await charge(gateway)
    assert caught.value.codes == {"91513"}
    assert not ledger(tmp_path)
    await gateway.aclose()


async def test_an_account_without_telephone_orders_is_refused_with_advice(
    gateway: Braintree, stand_in: StandIn
) -> None:
    stand_in.faults.ask({"mode": "refuse-moto"})
    with pytest.raises(ValidationRefused, match="telephone orders"):
        await charge(gateway)


async def test_ping_says_nothing_when_all_is_well(gateway: Braintree) -> None:
    await gateway.ping()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"private_key": ""}, "set braintree.private_key"),
        ({"merchant_id": ""}, "set braintree.merchant_id"),
        ({"url": ""}, "set braintree.url"),
        ({"url": "gateway"}, "must look like"),
        ({"url": "http://127.0.0.1:1/path"}, "must look like"),
        ({"url": "https://example.test:8443"}, "443 only"),
        ({"url": "http://example.test", "environment": "production"}, "must be https"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], sentence: str) -> None:
    good: dict[str, Any] = {
        "environment": "stand-in",
        "url": "http://127.0.0.1:1",
        "merchant_id": "m",
        "public_key": "p",
        "private_key": "s",
        "merchant_accounts": {},
    }
    with pytest.raises(GatewayRefused, match=sentence):
        Braintree(**{**good, **changes})


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_only_production_takes_real_cards(environment: Any) -> None:
    gateway = Braintree(
        environment=environment,
        merchant_id="m",
        public_key="p",
        private_key="s",
        merchant_accounts={},
    )
    assert gateway.test_mode is (environment == "sandbox")


def test_the_published_cards_are_those_of_the_sdk_and_each_is_told_by_bin_and_last_four() -> None:
    assert len({(card.number[:6], card.number[-4:]) for card in ALL}) == len(ALL)
