"""The pay page's gateway through the real SDK: client tokens, cards behind nonces, PayPal."""

from __future__ import annotations

import base64
import json

import httpx
import pytest

from ivr.billing.errors import GatewayError, GatewayRefused
from ivr.billing.money import Money
from ivr.billing.payments import Captured, PayPalOnHand, Refusal
from ivr.gateways.braintree import Braintree
from ivr.gateways.online import BraintreeOnline
from ivr.lab.gateway import StandIn
from tests.gateways.clients import card_token

AMOUNT = Money.of("42.50", "EUR")
RETURN, CANCEL = "http://127.0.0.1:9/pay/x/paypal/1?lang=en", "http://127.0.0.1:9/pay/x"


@pytest.fixture
def online(gateway: Braintree) -> BraintreeOnline:
    return BraintreeOnline(gateway, "Saldo Telecom")


async def approve(url: str, decision: str = "approve") -> httpx.URL:
    """Where PayPal sends the payer back to."""
    form = {"token": httpx.URL(url).params["token"], "email": "ana@example.com"}
    async with httpx.AsyncClient() as payer:
        page = await payer.get(url)
        assert "42.50 EUR" in page.text
        answer = await payer.post(url, data={**form, "decision": decision})
    return httpx.URL(answer.headers["location"])


async def approved(online: BraintreeOnline) -> PayPalOnHand:
    began = await online.begin_paypal(AMOUNT, return_url=RETURN, cancel_url=CANCEL)
    back = await approve(began.approval_url)
    assert back.params["paymentId"] == began.id
    assert back.params["lang"] == "en"
    return await online.approved_paypal(began.id, back.params["PayerID"], "EUR")


async def test_a_client_token_tells_the_page_where_the_gateway_is(
    online: BraintreeOnline, stand_in: StandIn
) -> None:
    token = json.loads(base64.b64decode(await online.client_token("EUR")))
    assert token["graphQL"]["url"].startswith(stand_in.url)
    assert token["authorizationFingerprint"]


async def test_the_card_behind_a_nonce_is_known_and_no_telephone_order(
    online: BraintreeOnline, gateway: Braintree, stand_in: StandIn
) -> None:
    card = await online.card_of(await card_token(gateway))
    assert (card.brand, card.last4, card.expires) == ("visa", "1111", "1231")
    charged = await gateway.charge(means=card, amount=AMOUNT, order_id="o-1", request_key="k-1")
    assert isinstance(charged, Captured)
    (sale,) = stand_in._ledger.book.transactions.values()
    assert sale.source == ""


@pytest.mark.parametrize("nonce", ["", "../client_token", "tokencc_bf_unknown", "a b"])
async def test_what_is_no_nonce_is_refused(online: BraintreeOnline, nonce: str) -> None:
    with pytest.raises(GatewayError):
        await online.card_of(nonce)


async def test_an_approved_paypal_payment_is_charged_once_with_its_key(
    online: BraintreeOnline, gateway: Braintree, stand_in: StandIn
) -> None:
    means = await approved(online)
    assert means.payer == "a…@example.com"
    order = {"means": means, "amount": AMOUNT, "order_id": "o-1", "request_key": "k-1"}
    first = await gateway.charge(**order)  # type: ignore[arg-type]  # as named above
    again = await gateway.charge(**order)  # type: ignore[arg-type]  # as named above
    assert isinstance(first, Captured)
    assert isinstance(again, Captured)
    assert again.transaction_id == first.transaction_id
    (sale,) = stand_in._ledger.book.transactions.values()
    assert (sale.amount, sale.source, sale.token.payer) == ("42.50", "", "ana@example.com")


async def test_a_paypal_payment_may_be_declined(
    online: BraintreeOnline, gateway: Braintree
) -> None:
    means, amount = await approved(online), Money.of("2000.00", "EUR")
    refused = await gateway.charge(means=means, amount=amount, order_id="o-1", request_key="k-1")
    assert isinstance(refused, Refusal)


async def test_a_canceled_or_unapproved_payment_cannot_be_charged(online: BraintreeOnline) -> None:
    began = await online.begin_paypal(AMOUNT, return_url=RETURN, cancel_url=CANCEL)
    back = await approve(began.approval_url, "cancel")
    assert str(back).startswith(CANCEL)
    for payer in ("", "GUESSED"):
        with pytest.raises(GatewayRefused):
            await online.approved_paypal(began.id, payer, "EUR")


async def test_a_currency_without_a_merchant_account_is_refused(online: BraintreeOnline) -> None:
    with pytest.raises(GatewayRefused, match="no merchant account for CHF"):
        await online.client_token("CHF")
