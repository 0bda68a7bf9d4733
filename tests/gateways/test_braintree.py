"""The real SDK against the stand-in, over HTTP: every way a charge can go wrong on the wire."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ivr.billing.errors import GatewayError, GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import Captured, DeclineBucket, Refusal
from ivr.gateways.braintree import Braintree
from ivr.gateways.errors import ValidationRefused
from ivr.gateways.test_cards import ALL, APPROVING, DECLINING
from ivr.lab.gateway import StandIn
from ivr.lab.gateway_desk import Account
from ivr.lab.gateway_ledger import Transaction, transactions
from tests.fakes.gateway import GOOD_CARD, TOKENIZE, card_token, to_stand_in


async def charge(
    gateway: Braintree,
    amount: str = "42.50",
    *,
    token: str | None = None,
    order_id: str | None = None,
    key: str | None = None,
    currency: str = "EUR",
) -> Captured | Refusal:
    return await gateway.charge(
        token=token or await card_token(gateway),
        amount=Money.of(amount, currency),
        order_id=order_id or f"saldo-{uuid4()}",
        request_key=key or str(uuid4()),
    )


def ledger(tmp_path: Path) -> list[Transaction]:
    return transactions(tmp_path / "gateway.jsonl")


def taken(tmp_path: Path) -> list[Transaction]:
    return [each for each in ledger(tmp_path) if each.taken]


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


async def test_a_duplicate_whose_search_fails_is_not_called_not_charged(
    gateway: Braintree, stand_in: StandIn
) -> None:
    stand_in.faults.ask({"mode": "refuse-keys"})
    await charge(gateway, order_id="saldo-1")
    stand_in.faults.ask({"mode": "reset-before", "on": ["search"]})
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, order_id="saldo-1")


@pytest.mark.parametrize(
    ("fault", "captures"),
    [
        ({"mode": "reset-before"}, 0),
        ({"mode": "reset-after"}, 1),
        ({"mode": "500-after-capture"}, 1),
        ({"mode": "hang", "seconds": 30}, 0),
        ({"mode": "delay", "seconds": 1.5}, 1),
    ],
    ids=lambda value: value["mode"] if isinstance(value, dict) else "",
)
async def test_a_lost_answer_is_unknown_whether_or_not_the_money_was_taken(
    stand_in: StandIn, tmp_path: Path, fault: dict[str, Any], captures: int
) -> None:
    gateway = to_stand_in(stand_in, timeout_seconds=0.5)
    token = await card_token(gateway)
    stand_in.faults.ask({**fault, "count": 1})
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, token=token, order_id="saldo-1", key="k")
    await asyncio.sleep(1.2 if fault["mode"] == "delay" else 0.1)
    assert len(taken(tmp_path)) == captures
    found = await gateway.find("saldo-1")
    assert isinstance(found, Captured) if captures else found is None
    replay = await charge(gateway, token=token, order_id="saldo-1", key="k")
    assert isinstance(replay, Captured)
    assert len(taken(tmp_path)) == 1
    await gateway.aclose()


async def test_a_slow_answer_is_still_an_answer(gateway: Braintree, stand_in: StandIn) -> None:
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "delay", "seconds": 0.3, "count": 1})
    assert isinstance(await charge(gateway, token=token), Captured)


async def test_a_lagging_search_finds_nothing_at_first(
    gateway: Braintree, stand_in: StandIn
) -> None:
    outcome = await charge(gateway, order_id="saldo-1")
    stand_in.faults.ask({"mode": "search-lag", "seconds": 60, "count": 1})
    assert await gateway.find("saldo-1") is None
    assert await gateway.find("saldo-1") == outcome


async def test_nobody_listening_means_nothing_was_sent(stand_in: StandIn, tmp_path: Path) -> None:
    gateway = to_stand_in(stand_in)
    token = await card_token(gateway)
    await stand_in.stop()
    with pytest.raises(GatewayNotReached, match=r"braintree\.url"):
        await charge(gateway, token=token)
    with pytest.raises(GatewayNotReached):
        await gateway.ping()
    assert not ledger(tmp_path)
    await gateway.aclose()


async def test_a_host_that_does_not_exist_means_nothing_was_sent(stand_in: StandIn) -> None:
    gateway = to_stand_in(stand_in, url="http://gateway.invalid:8080")
    with pytest.raises(GatewayNotReached):
        await charge(gateway, token="any")
    await gateway.aclose()


async def test_wrong_keys_are_refused_with_the_settings_to_check(stand_in: StandIn) -> None:
    gateway = to_stand_in(stand_in, private_key="wrong")
    for question in (charge(gateway, token="any"), gateway.ping(), gateway.find("saldo-1")):
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


async def test_a_hanging_health_check_takes_no_charging_thread(stand_in: StandIn) -> None:
    gateway = to_stand_in(stand_in, threads=1)
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "hang", "seconds": 0.5, "on": ["ping"]})
    pings = [asyncio.create_task(gateway.ping()) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert isinstance(await charge(gateway, token=token), Captured)
    for ping in await asyncio.gather(*pings, return_exceptions=True):
        assert isinstance(ping, GatewayError)
    await gateway.aclose()


async def test_a_full_pool_says_so_instead_of_queueing_for_ever(
    stand_in: StandIn, tmp_path: Path
) -> None:
    gateway = to_stand_in(stand_in, threads=1, queue_seconds=0.2)
    tokens = [await card_token(gateway) for _ in range(2)]
    stand_in.faults.ask({"mode": "delay", "seconds": 0.8, "count": 1})
    first = asyncio.create_task(charge(gateway, token=tokens[0]))
    await asyncio.sleep(0.1)
    with pytest.raises(GatewayNotReached, match=r"braintree\.threads"):
        await charge(gateway, token=tokens[1])
    assert isinstance(await first, Captured)
    assert isinstance(await charge(gateway, token=tokens[1]), Captured), "the thread is free again"
    assert len(taken(tmp_path)) == 2
    await gateway.aclose()


async def test_a_cancelled_charge_still_holds_its_thread_until_it_is_answered(
    stand_in: StandIn, tmp_path: Path
) -> None:
    gateway = to_stand_in(stand_in, threads=1, queue_seconds=0.2)
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "delay", "seconds": 0.6, "count": 1})
    hung_up = asyncio.create_task(charge(gateway, token=token))
    await asyncio.sleep(0.1)
    hung_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hung_up
    with pytest.raises(GatewayNotReached):
        await gateway.find("saldo-1")
    await asyncio.sleep(0.5)
    assert len(taken(tmp_path)) == 1
    assert await gateway.find("saldo-1") is None
    await gateway.aclose()


async def test_closing_lets_a_running_charge_finish_and_takes_no_other(
    stand_in: StandIn,
) -> None:
    gateway = to_stand_in(stand_in)
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "delay", "seconds": 0.3, "count": 1})
    running = asyncio.create_task(charge(gateway, token=token))
    await asyncio.sleep(0.1)
    await gateway.aclose()
    assert isinstance(await running, Captured)
    with pytest.raises(GatewayNotReached, match="stopping"):
        await charge(gateway, token=token)


async def test_a_proxy_of_the_environment_does_not_reroute_loopback(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    gateway = to_stand_in(stand_in)
    assert isinstance(await charge(gateway), Captured)
    await gateway.aclose()


async def test_an_answer_that_cannot_be_read_is_unknown() -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nnot <xml>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = Braintree(
        environment="stand-in",
        url=f"http://127.0.0.1:{port}",
        merchant_id="m",
        public_key="p",
        private_key="s",
        merchant_accounts={"EUR": "e"},
    )
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, token="any")
    with pytest.raises(OutcomeUnknown):
        await gateway.find("saldo-1")
    await gateway.aclose()
    server.close()
    await server.wait_closed()


async def test_a_redirect_is_not_followed_and_is_unknown() -> None:
    asked = 0

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = Braintree(
        environment="stand-in",
        url=f"http://127.0.0.1:{port}",
        merchant_id="m",
        public_key="p",
        private_key="s",
        merchant_accounts={"EUR": "e"},
    )
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, token="any")
    assert asked == 1
    await gateway.aclose()
    server.close()
    await server.wait_closed()


def everything_in(error: BaseException) -> str:
    """What a crash reporter that shows locals and chained exceptions would print."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    chained = (error.__cause__, error.__context__)
    return "".join(report.format()) + repr(error.args) + repr(vars(error)) + repr(chained)


@pytest.mark.parametrize("mode", ["reset-before", "hang", "500-after-capture"])
async def test_no_error_carries_the_card(stand_in: StandIn, mode: str) -> None:
    gateway = to_stand_in(stand_in, timeout_seconds=0.3)
    stand_in.faults.ask({"mode": mode, "seconds": 1, "on": ["tokenize"]})
    card = {"number": GOOD_CARD, "cvv": "987", "expirationMonth": "12", "expirationYear": "2031"}
    work = gateway.graphql(TOKENIZE, {"input": {"creditCard": card}})
    del card
    with pytest.raises(OutcomeUnknown) as caught:
        await work
    del work
    text = everything_in(caught.value)
    assert "graphql" in text, "the frames of the client are looked at"
    assert GOOD_CARD not in text
    assert "987" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    await gateway.aclose()


async def test_a_refused_card_names_the_field_and_not_the_digits(gateway: Braintree) -> None:
    with pytest.raises(ValidationRefused) as caught:
        await card_token(gateway, "4242424242424242")
    (fault,) = caught.value.faults
    assert (fault.code, fault.field) == ("81717", "input.creditCard.number")
    assert "VALIDATION" in fault.message
    assert "4242" not in str(caught.value) + repr(vars(caught.value))


async def test_an_unknown_graphql_operation_is_refused_with_its_words(gateway: Braintree) -> None:
    with pytest.raises(GatewayRefused, match="payInBeads"):
        await gateway.graphql("mutation { payInBeads }", {})


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
