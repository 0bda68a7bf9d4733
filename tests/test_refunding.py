"""Money given back: Postgres and the stand-in gateway together, and `saldo payments`."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from ivr.billing.comparing import Comparing
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState, Paid, confirmation_code
from ivr.billing.refunding import Refunding
from ivr.billing.refunds import Refund, RefundState, RefundWish
from ivr.gateways.books import BraintreeBooks
from ivr.gateways.giving_back import BraintreeRefunds
from ivr.lab.gateway import StandIn
from ivr.storage.comparing import PostgresCompared
from ivr.storage.payments import PostgresLedger
from ivr.storage.refunds import PostgresRefunds
from tests.cli.conftest import typed as typed  # noqa: PLC0414 - a fixture
from tests.cli.terminal import Typed
from tests.counting_house import CountingHouse, counting_house
from tests.gateways.charging import ledger


@pytest.fixture
async def house(database_url: str, stand_in: StandIn) -> AsyncIterator[CountingHouse]:
    async with counting_house(database_url, stand_in) as node:
        yield node


def refunding(house: CountingHouse) -> Refunding:
    giver = BraintreeRefunds(house.gateway)
    return Refunding(PostgresRefunds(house.database), giver, asyncio.create_task)


async def paid(house: CountingHouse, *, settled: bool = True) -> Attempt:
    attempt = await house.attempt("42.50")
    assert isinstance(await house.pay(attempt), Paid)
    (sale,) = await BraintreeBooks(house.gateway).of_order(attempt.order_id)
    if settled:
        await house.gateway.ask(lambda sdk: sdk.testing.settle_transaction(sale.id))
    return attempt


def wish(attempt: Attempt, amount: str = "10.00") -> RefundWish:
    return RefundWish(
        attempt.id, Money.of(amount, "EUR"), "charged by mistake", "billing", uuid4().hex
    )


def given_back(tmp_path: Path) -> list[str]:
    return [each.amount for each in ledger(tmp_path) if each.type == "credit"]


async def state(house: CountingHouse, attempt: Attempt) -> AttemptState:
    found = await PostgresLedger(house.database).attempt(attempt.id)
    assert found
    return found.state


@pytest.mark.parametrize(
    "fault", [{"mode": "reset-before"}, {"mode": "reset-after"}, {"mode": "500-after-capture"}]
)
async def test_a_lost_answer_is_found_and_the_money_goes_back_once(
    house: CountingHouse, stand_in: StandIn, tmp_path: Path, fault: dict[str, str]
) -> None:
    attempt = await paid(house)
    stand_in.faults.ask({**fault, "on": ["refund"], "count": 1})
    refund = await refunding(house).give_back(wish(attempt))
    assert refund.state is RefundState.UNKNOWN
    assert await refunding(house).resolve() == 0
    assert given_back(tmp_path) == ["10.00"]
    (kept,) = await PostgresRefunds(house.database).of_payment(attempt.id)
    assert kept.state is RefundState.DONE


async def test_a_part_that_staff_gave_back_is_the_same_in_both_ledgers(
    house: CountingHouse,
) -> None:
    attempt = await paid(house)
    await PostgresLedger(house.database).became(attempt.id, AttemptState.SETTLED)
    given = await refunding(house).give_back(wish(attempt))
    ours, books = PostgresCompared(house.database), BraintreeBooks(house.gateway)
    now, hour = datetime.now(UTC), timedelta(hours=1)
    comparing = Comparing(ours, books, PostgresLedger(house.database))
    found = (await comparing.differences(now - hour, now + hour)).differences
    assert [each for each in found if each.attempt_id == attempt.id] == []
    (own,) = await ours.of_orders([attempt.order_id])
    assert own.refund_ids == {given.transaction_id}


async def test_two_nodes_that_look_for_one_refund_give_it_back_once(
    house: CountingHouse, stand_in: StandIn, tmp_path: Path
) -> None:
    attempt = await paid(house)
    stand_in.faults.ask({"mode": "reset-before", "on": ["refund"], "count": 1})
    await refunding(house).give_back(wish(attempt))
    await asyncio.gather(*(refunding(house).resolve() for _ in range(4)))
    await refunding(house).resolve()
    assert given_back(tmp_path) == ["10.00"]


async def test_a_refund_that_died_before_its_answer_is_taken_up(
    house: CountingHouse, tmp_path: Path
) -> None:
    attempt = await paid(house)

    async def dies(*_: object) -> Refund:
        raise asyncio.CancelledError

    dying = refunding(house)
    dying._end = dies  # type: ignore[assignment]  # killed between the answer and its commit
    with pytest.raises(asyncio.CancelledError):
        await dying.give_back(wish(attempt))
    assert given_back(tmp_path) == ["10.00"]
    (left, _), *_ = [
        each
        for each in await PostgresRefunds(house.database).unfinished(-1)
        if each[0].attempt_id == attempt.id
    ]
    done = await refunding(house)._look(left, 0.0)
    assert done.state is RefundState.DONE
    assert given_back(tmp_path) == ["10.00"]


@pytest.fixture
def _settings(
    typed: Typed, database_url: str, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = stand_in.account
    for name, value in {
        "DATABASE__URL": database_url,
        "BRAINTREE__URL": stand_in.url,
        "BRAINTREE__MERCHANT_ID": account.merchant_id,
        "BRAINTREE__PUBLIC_KEY": account.public_key,
        "BRAINTREE__PRIVATE_KEY": account.private_key,
        "BRAINTREE__MERCHANT_ACCOUNTS": json.dumps(dict(account.merchant_accounts)),
    }.items():
        monkeypatch.setenv(f"SALDO_{name}", value)


@pytest.mark.usefixtures("_settings")
async def test_staff_gives_back_a_part_and_then_the_rest_in_a_terminal(
    house: CountingHouse, typed: Typed, tmp_path: Path
) -> None:
    attempt = await paid(house)
    words = ("payments", "refund", str(attempt.id), "--reason", "too much")
    ran = await asyncio.to_thread(typed, *words, "--amount", "10.00")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("refunded 10.00 EUR")
    ran = await asyncio.to_thread(typed, *words, "--amount", "32.51")
    assert ran.status == 1
    assert "32.50 EUR" in ran.complaint
    ran = await asyncio.to_thread(typed, *words, "--reopen")
    assert ran.status == 0
    assert given_back(tmp_path) == ["10.00", "32.50"]
    assert await state(house, attempt) is AttemptState.REFUNDED
    trail = await PostgresRefunds(house.database).of_payment(attempt.id)
    assert {each.who for each in trail} == {f"cli:{getpass.getuser()}"}


@pytest.mark.usefixtures("_settings")
async def test_a_whole_payment_is_voided_in_a_terminal_before_it_is_settled(
    house: CountingHouse, typed: Typed, tmp_path: Path
) -> None:
    attempt = await paid(house, settled=False)
    words = ("payments", "refund", str(attempt.id), "--reason", "a mistake of ours")
    ran = await asyncio.to_thread(typed, *words, "--amount", "10.00")
    assert (ran.status, given_back(tmp_path)) == (1, [])
    assert "tomorrow" in ran.complaint
    ran = await asyncio.to_thread(typed, *words)
    assert ran.out.startswith("voided 42.50 EUR")
    assert await state(house, attempt) is AttemptState.VOIDED


@pytest.mark.usefixtures("_settings")
async def test_a_void_in_a_terminal_takes_all_back_and_never_refunds(
    house: CountingHouse, typed: Typed, tmp_path: Path
) -> None:
    settled, young = await paid(house), await paid(house, settled=False)
    words = ("--reason", "a mistake of ours")
    ran = await asyncio.to_thread(typed, "payments", "void", str(settled.id), *words)
    assert (ran.status, given_back(tmp_path)) == (1, [])
    assert "it is settled already: refund it" in ran.complaint
    ran = await asyncio.to_thread(typed, "payments", "void", str(young.id), *words)
    assert ran.status == 0
    assert ran.out.startswith(f"voided 42.50 EUR of payment {young.id}: transaction ")
    assert await state(house, young) is AttemptState.VOIDED
    assert await state(house, settled) is not AttemptState.VOIDED


@pytest.mark.usefixtures("_settings")
async def test_what_is_not_known_says_with_which_key_to_ask_again(
    house: CountingHouse, typed: Typed, stand_in: StandIn, tmp_path: Path
) -> None:
    attempt = await paid(house)
    stand_in.faults.ask({"mode": "reset-after", "on": ["refund"], "count": 1})
    words = ("payments", "refund", str(attempt.id), "--reason", "a mistake of ours")
    ran = await asyncio.to_thread(typed, *words)
    assert ran.status == 1
    key = ran.complaint.rpartition("--key ")[2]
    assert await refunding(house).resolve() == 0
    ran = await asyncio.to_thread(typed, *words, "--key", key)
    assert (ran.status, given_back(tmp_path)) == (0, ["42.50"])


@pytest.mark.usefixtures("_settings")
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--amount", "ten"], "no amount"),
        (["--amount", "1.001"], "decimals"),
        (["--amount", "0"], "left to give back"),
        (["--amount", "-1.00"], "left to give back"),
        (["--amount", "1e30"], "more than any amount"),
        (["--reason", " "], "say why"),
    ],
)
async def test_a_slip_in_a_terminal_is_one_line(
    house: CountingHouse, typed: Typed, words: list[str], complaint: str
) -> None:
    attempt = await paid(house)
    given = ("payments", "refund", str(attempt.id), "--reason", "a mistake", *words)
    ran = await asyncio.to_thread(typed, *given)
    assert ran.status != 0
    assert complaint in ran.complaint


@pytest.mark.usefixtures("_settings")
async def test_a_payment_is_given_back_by_its_confirmation_in_a_terminal(
    house: CountingHouse, typed: Typed
) -> None:
    attempt, other = await paid(house, settled=False), await paid(house, settled=False)
    code = confirmation_code(attempt.id)
    give_back = ("payments", "refund", code, "--reason", "a mistake")
    renamed = "UPDATE attempts SET confirmation = $2 WHERE id = $1"
    await house.world.ask(renamed, other.id, code)
    ran = await asyncio.to_thread(typed, *give_back)
    assert ran.status == 1
    assert f"name one of them by its id: {other.id}, {attempt.id}" in ran.complaint
    await house.world.ask(renamed, other.id, confirmation_code(other.id))
    ran = await asyncio.to_thread(typed, *give_back)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"voided 42.50 EUR of payment {attempt.id}")
    assert await state(house, attempt) is AttemptState.VOIDED
    assert await state(house, other) is not AttemptState.VOIDED


@pytest.mark.usefixtures("_settings")
def test_a_confirmation_that_nobody_knows_is_said_in_one_line(typed: Typed) -> None:
    ran = typed("payments", "void", "00000000", "--reason", "a mistake")
    assert ran.status == 1
    assert ran.complaint == "saldo: no payment has the confirmation 00000000"


@pytest.mark.usefixtures("_settings")
def test_a_payment_that_nobody_knows_is_said_in_one_line(typed: Typed) -> None:
    ran = typed("payments", "refund", str(uuid4()), "--reason", "a mistake")
    assert ran.status == 1
    assert "no payment" in ran.complaint
