"""The stand-in by itself: what it keeps, what it refuses, and that it comes back as it was."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ivr.billing.money import Money
from ivr.billing.payments import Captured, Refusal
from ivr.gateways.errors import ValidationRefused
from ivr.gateways.sdk import TransactionSearch, exceptions
from ivr.gateways.test_cards import ALL
from ivr.lab.gateway import StandIn
from ivr.lab.gateway_desk import Account
from ivr.lab.gateway_ledger import LedgerError, transactions
from tests.gateways.charging import found
from tests.gateways.clients import GOOD_CARD, card, card_token, to_stand_in


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "gateway.jsonl"


@asynccontextmanager
async def running(ledger: Path, **options: Any) -> AsyncIterator[StandIn]:
    stand_in = StandIn(ledger, **options)
    await stand_in.start()
    try:
        yield stand_in
    finally:
        await stand_in.stop()


@asynccontextmanager
async def process(ledger: Path) -> AsyncIterator[tuple[dict[str, Any], asyncio.subprocess.Process]]:
    """The stand-in as the lab starts it, and what it said when it was ready."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivr.lab.gateway", "--port", "0", "--ledger", str(ledger),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert started.stdout is not None
    try:
        async with asyncio.timeout(20):
            ready = json.loads(await started.stdout.readline())
        yield ready, started
    finally:
        if started.returncode is None:
            started.terminate()
        async with asyncio.timeout(10):
            await started.wait()


async def sell(stand_in: StandIn, amount: str = "10.00", order_id: str = "o") -> Captured | Refusal:
    gateway = to_stand_in(stand_in)
    token = await card_token(gateway)
    outcome = await gateway.charge(
        means=card(token),
        amount=Money.of(amount, "EUR"),
        order_id=order_id,
        request_key=f"k-{order_id}",
    )
    await gateway.aclose()
    return outcome


async def test_killed_in_the_middle_it_comes_back_with_its_ledger_and_its_keys(
    ledger: Path,
) -> None:
    sale: dict[str, Any] = {
        "amount": Money.of("10.00", "EUR"),
        "order_id": "saldo-1",
        "request_key": "key-1",
    }
    async with process(ledger) as (ready, first):
        stand_in = StandIn(ledger.with_name("unused.jsonl"))
        stand_in.url = ready["url"]
        gateway = to_stand_in(stand_in)
        token, spare = await card_token(gateway), await card_token(gateway)
        outcome = await gateway.charge(means=card(token), **sale)
        await gateway.aclose()
        os.kill(ready["pid"], signal.SIGKILL)
        await first.wait()
    with ledger.open("ab") as file:
        file.write(b'{"kind":"transaction","key')  # a line that the kill tore
    async with process(ledger) as (ready, _):
        stand_in.url = ready["url"]
        gateway = to_stand_in(stand_in)
        assert await found(gateway, "saldo-1") == outcome
        assert await gateway.charge(means=card(token), **sale) == outcome
        other = {**sale, "order_id": "saldo-2", "request_key": "key-2"}
        assert isinstance(await gateway.charge(means=card(spare), **other), Captured)
        await gateway.aclose()
    await stand_in.stop()
    assert [each.order_id for each in transactions(ledger)] == ["saldo-1", "saldo-2"]


async def test_it_ends_with_status_0_when_asked_to(ledger: Path) -> None:
    async with process(ledger) as (ready, started):
        assert ready["port"] == int(ready["url"].rpartition(":")[2])
        os.kill(ready["pid"], signal.SIGTERM)
        assert await started.wait() == 0


async def test_a_taken_port_is_one_clear_sentence(ledger: Path) -> None:
    async with running(ledger) as stand_in:
        port = stand_in.url.rpartition(":")[2]
        other = str(ledger.with_name("other.jsonl"))
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ivr.lab.gateway", "--port", port, "--ledger", other,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(20):
            _, said = await started.communicate()
    assert started.returncode == 1
    assert said.count(b"\n") == 1
    assert b"choose another --port" in said


async def test_two_stand_ins_never_share_a_ledger(ledger: Path) -> None:
    async with running(ledger):
        with pytest.raises(LedgerError, match="stop the other"):
            StandIn(ledger)


def test_a_damaged_ledger_is_named_with_its_line(ledger: Path) -> None:
    ledger.write_text('{"kind":"token"}\n{}\n')
    with pytest.raises(LedgerError, match="line 1 is damaged"):
        StandIn(ledger)
    with pytest.raises(LedgerError, match="line 1 is damaged"):
        transactions(ledger)
    with pytest.raises(LedgerError, match="cannot be read"):
        transactions(ledger.with_name("none.jsonl"))


async def test_no_card_number_is_kept_anywhere(ledger: Path) -> None:
    async with running(ledger) as stand_in:
        gateway = to_stand_in(stand_in)
        for card in ALL:
            await card_token(gateway, card.number, "7391" if card.brand == "amex" else "739")
        await sell(stand_in)
        await gateway.aclose()
        async with aiohttp.ClientSession() as http, http.get(f"{stand_in.url}/ledger") as answer:
            shown = await answer.text()
            assert (await answer.json())["transactions"][0]["taken"] is True
        text = kept(ledger) + shown + repr(vars(stand_in)) + repr(stand_in._ledger.book.tokens)
    for card in ALL:
        assert card.number not in text
    assert "739" not in json.dumps([each["token"]["cvv"] for each in lines(ledger, "token")])
    assert '"cvv":"739' not in text


def kept(ledger: Path) -> str:
    return ledger.read_text()


def lines(ledger: Path, kind: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [line for line in every if line["kind"] == kind]


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"number": "4242424242424242"}, "81717"),
        ({"number": "4111111111111112"}, "81715"),
        ({"number": "41111"}, "81716"),
        ({"number": "41111111x1111111"}, "81716"),
        ({}, "81716"),
        ({"cvv": "12"}, "81707"),
        ({"cvv": "1234"}, "81707"),
        ({"expirationMonth": "13"}, "81712"),
        ({"expirationYear": "1999"}, "81713"),
        ({"billingAddress": {"postalCode": "#"}}, "81813"),
    ],
)
async def test_a_wrong_card_gets_no_token(ledger: Path, card: dict[str, Any], code: str) -> None:
    good = {"number": GOOD_CARD, "expirationMonth": "12", "expirationYear": "31", "cvv": "123"}
    wrong = {**good, **card} if card else {**good, "number": 4111111111111111}
    async with running(ledger) as stand_in:
        gateway = to_stand_in(stand_in)
        document = "mutation M($input: X!) { tokenizeCreditCard(input: $input) { token } }"
        with pytest.raises(ValidationRefused) as caught:
            await gateway.graphql(document, {"input": {"creditCard": wrong}})
        await gateway.aclose()
    assert caught.value.codes == {code}
    assert not kept(ledger)


async def test_a_sale_can_be_voided_once(ledger: Path) -> None:
    async with running(ledger) as stand_in:
        outcome = await sell(stand_in)
        assert isinstance(outcome, Captured)
        sdk = sdk_of(stand_in)
        voided = await asyncio.to_thread(sdk.transaction.void, outcome.transaction_id)
        assert voided.transaction.status == "voided"
        again = await asyncio.to_thread(sdk.transaction.void, outcome.transaction_id)
        assert [error.code for error in again.errors.deep_errors] == ["91504"]
        gateway = to_stand_in(stand_in)
        refusal = await found(gateway, "o")
        assert isinstance(refusal, Refusal)
        assert refusal.code == "voided"
        await gateway.aclose()
    assert not any(each.taken for each in transactions(ledger))


async def test_only_what_is_settled_is_refunded_and_never_more_than_was_paid(ledger: Path) -> None:
    async with running(ledger) as stand_in:
        outcome = await sell(stand_in)
        assert isinstance(outcome, Captured)
        sdk, sale = sdk_of(stand_in), outcome.transaction_id

        async def refund(amount: str | None = None) -> Any:
            return await asyncio.to_thread(sdk.transaction.refund, sale, amount)

        def codes(result: Any) -> list[str]:
            return [error.code for error in result.errors.deep_errors]

        assert codes(await refund()) == ["91506"]
        settled = await asyncio.to_thread(sdk.testing.settle_transaction, sale)
        assert settled.transaction.status == "settled"
        part = await refund("4.00")
        assert (part.transaction.type, part.transaction.refunded_transaction_id) == ("credit", sale)
        assert codes(await refund("6.01")) == ["91521"]
        assert str((await refund()).transaction.amount) == "6.00"
        assert codes(await refund()) == ["91512"]
        gateway = to_stand_in(stand_in)
        assert isinstance(await found(gateway, "o"), Captured), "a refund is not the sale"
        await gateway.aclose()


async def test_a_search_takes_time_and_part_of_an_order_and_refuses_the_rest(ledger: Path) -> None:
    clock = [datetime(2026, 11, 1, 12, tzinfo=UTC)]
    async with running(ledger, now=lambda: clock[0]) as stand_in:
        for order in ("saldo-1", "saldo-2", "other-3"):
            await sell(stand_in, order_id=order)
            clock[0] += timedelta(minutes=1)
        sdk, wanted = sdk_of(stand_in), TransactionSearch

        def orders(*criteria: Any) -> list[str]:
            return [each.order_id for each in sdk.transaction.search(list(criteria)).items]

        since = wanted.created_at >= datetime(2026, 11, 1, 12, 1)  # noqa: DTZ001 - the SDK's form
        assert await asyncio.to_thread(orders, since) == ["saldo-2", "other-3"]
        both = [wanted.order_id.starts_with("saldo"), since]
        assert await asyncio.to_thread(orders, *both) == ["saldo-2"]
        with pytest.raises(exceptions.RequestTimeoutError):  # how the SDK takes "no answer"
            await asyncio.to_thread(orders, wanted.customer_email == "a@example.test")


async def test_an_equal_sale_is_a_duplicate_for_thirty_seconds(ledger: Path) -> None:
    clock = [datetime(2026, 11, 1, 12, tzinfo=UTC)]
    account = Account(request_keys=False)
    async with running(ledger, now=lambda: clock[0], account=account) as stand_in:
        for seconds in (0, 29, 2):
            clock[0] += timedelta(seconds=seconds)
            await sell(stand_in)
        await sell(stand_in, amount="10.01")
    states = [each.rejection or each.status for each in transactions(ledger)]
    sold = "submitted_for_settlement"
    assert states == [sold, "duplicate", sold, sold]


async def test_a_sale_by_raw_card_number_is_refused(ledger: Path) -> None:
    async with running(ledger) as stand_in:
        card = {"number": GOOD_CARD, "expiration_date": "12/2031"}
        sale = {"amount": "10.00", "credit_card": card}
        result = await asyncio.to_thread(sdk_of(stand_in).transaction.sale, sale)
        assert [error.code for error in result.errors.deep_errors] == ["91508"]
    assert GOOD_CARD not in kept(ledger)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "0"}, "81531"),
        ({"amount": "-1"}, "81531"),
        ({"amount": "ten"}, "81503"),
        ({"amount": "NaN"}, "81503"),
        ({"amount": ""}, "81502"),
        ({"amount": "10.001"}, "81503"),
        ({"amount": "1980.50", "merchant_account_id": "saldo_jpy"}, "81503"),
        ({"transaction_source": "pigeon"}, "915133"),
        ({"order_id": "x" * 256}, "91501"),
        ({"api_request_key": "x" * 256}, "915230"),
        ({"payment_method_token": "vaulted"}, "91518"),
    ],
)
async def test_a_wrong_sale_takes_no_money(
    ledger: Path, changes: dict[str, str], code: str
) -> None:
    async with running(ledger) as stand_in:
        gateway = to_stand_in(stand_in)
        token = await card_token(gateway)
        await gateway.aclose()
        sale = {"amount": "10.00", "payment_method_nonce": token, **changes}
        result = await asyncio.to_thread(sdk_of(stand_in).transaction.sale, sale)
        assert [error.code for error in result.errors.deep_errors] == [code]
    assert not transactions(ledger)


async def test_the_published_bad_cards_decline_only_verified_sales(ledger: Path) -> None:
    async with running(ledger, account=Account(verifies_cards=False)) as stand_in:
        gateway = to_stand_in(stand_in)
        token = await card_token(gateway, "4000111111111115")
        outcome = await gateway.charge(
            means=card(token), amount=Money.of("10.00", "EUR"), order_id="o", request_key="k"
        )
        assert isinstance(outcome, Captured)
        await gateway.aclose()


async def test_misbehaviour_is_asked_for_over_http_and_taken_back(ledger: Path) -> None:
    async with running(ledger) as stand_in, aiohttp.ClientSession() as http:
        wish = {"mode": "500-after-capture", "on": ["ping"]}
        async with http.post(f"{stand_in.url}/misbehave", json=wish) as answer:
            assert answer.status == 204
        async with http.post(f"{stand_in.url}/graphql", **hello(stand_in)) as answer:
            assert answer.status == 500
        async with http.delete(f"{stand_in.url}/misbehave") as answer:
            assert answer.status == 204
        async with http.post(f"{stand_in.url}/graphql", **hello(stand_in)) as answer:
            assert (await answer.json())["data"] == {"ping": "pong"}


@pytest.mark.parametrize(
    "wish",
    [
        {"mode": "explode"},
        {"mode": "delay", "seconds": "long"},
        {"mode": "delay", "count": 0},
        {"mode": "delay", "on": ["lunch"]},
        {"mode": "delay", "on": 5},
        ["delay"],
    ],
)
async def test_a_mistyped_wish_for_misbehaviour_is_refused(ledger: Path, wish: Any) -> None:
    async with running(ledger) as stand_in, aiohttp.ClientSession() as http:
        async with http.post(f"{stand_in.url}/misbehave", json=wish) as answer:
            assert answer.status == 422
            assert (await answer.json())["error"]
        assert isinstance(await sell(stand_in), Captured)


@pytest.mark.parametrize(
    "body", [b"", b"<", b"<!DOCTYPE x><transaction/>", b"<transaction>text</transaction>", b"\xff"]
)
async def test_a_body_that_is_not_a_sale_is_answered_and_sells_nothing(
    ledger: Path, body: bytes
) -> None:
    async with running(ledger) as stand_in, aiohttp.ClientSession() as http:
        place = f"{stand_in.url}/merchants/{stand_in.account.merchant_id}/transactions"
        async with http.post(place, data=body, headers=login(stand_in)) as answer:
            assert answer.status in (400, 422)
    assert not kept(ledger)


def login(stand_in: StandIn) -> dict[str, str]:
    return {"Authorization": stand_in._login.decode()}


def hello(stand_in: StandIn) -> dict[str, Any]:
    return {"json": {"query": "query { ping }"}, "headers": login(stand_in)}


def sdk_of(stand_in: StandIn) -> Any:
    """The SDK itself, for what billing does not ask for yet."""
    return to_stand_in(stand_in)._sdk
