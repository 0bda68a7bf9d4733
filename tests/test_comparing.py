"""Both ledgers compared: Postgres and the stand-in gateway, each with what the other lacks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from structlog.testing import capture_logs

from ivr.billing.comparing import Comparing, Comparison
from ivr.billing.differences import Kind
from ivr.billing.errors import GatewayError
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState, Captured, Paid
from ivr.comparing import Nightly
from ivr.gateways.books import BraintreeBooks
from ivr.lab.gateway import StandIn
from ivr.metrics import Metrics
from ivr.storage.comparing import PostgresCompared, PostgresComparisons
from ivr.storage.payments import PostgresLedger
from tests.cli.conftest import typed as typed  # noqa: PLC0414 - a fixture
from tests.cli.terminal import Typed
from tests.counting_house import CountingHouse, counting_house
from tests.gateways.charging import taken
from tests.gateways.clients import card, card_token, vaulted_account

HOUR = timedelta(hours=1)


@pytest.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    """Its clock is an hour behind, so that nothing in its books is young."""
    gateway = StandIn(tmp_path / "gateway.jsonl", now=lambda: datetime.now(UTC) - HOUR)
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def house(database_url: str, stand_in: StandIn) -> AsyncIterator[CountingHouse]:
    async with counting_house(database_url, stand_in) as node:
        await forget_all(node)
        yield node


async def forget_all(house: CountingHouse) -> None:
    """The database is one for all tests here, the gateway is not."""
    tables = ("deliveries", "events", "doubts", "strays", "allocations", "attempts", "comparisons")
    async with house.database.session() as session:
        await session.script("forget", "; ".join(f"DELETE FROM {table}" for table in tables))


def comparing(house: CountingHouse) -> Comparing:
    books = BraintreeBooks(house.gateway)
    return Comparing(PostgresCompared(house.database), books, PostgresLedger(house.database))


async def compared(house: CountingHouse) -> Comparison:
    now = datetime.now(UTC)
    return await comparing(house).differences(now - 3 * HOUR, now)


async def paid(house: CountingHouse, amount: str = "42.50") -> Attempt:
    attempt = await house.attempt(amount)
    assert isinstance(await house.pay(attempt), Paid)
    return attempt


async def transaction_of(house: CountingHouse, attempt: Attempt) -> str:
    (sale,) = await BraintreeBooks(house.gateway).of_order(attempt.order_id)
    return sale.id


async def sale_of(house: CountingHouse, order_id: str, amount: str = "42.50") -> None:
    """A sale that our ledger did not begin."""
    await house.gateway.charge(
        means=card(await card_token(house.gateway)),
        amount=Money.of(amount, "EUR"),
        order_id=order_id,
        request_key=str(uuid4()),
    )


async def test_ledgers_that_agree_have_no_differences(house: CountingHouse) -> None:
    for _ in range(3):
        await paid(house)
    await house.pay(await house.attempt("2001"))  # declined
    await house.attempt()  # never charged
    found = await compared(house)
    assert found.differences == ()
    assert found.compared == 4


async def test_every_kind_of_difference_is_found_and_what_is_certain_is_mended(
    house: CountingHouse, stand_in: StandIn, tmp_path: Path
) -> None:
    settled, twice, denied = await paid(house), await paid(house), await house.attempt()
    stand_in._desk.settle(await transaction_of(house, settled), {})
    await sale_of(house, twice.order_id)
    await house.paying.cancel(denied)
    await sale_of(house, denied.order_id)
    await sale_of(house, f"saldo-{uuid4()}")  # nobody's
    lost = await house.attempt()
    await PostgresLedger(house.database).begin_charging(lost.id, card("tok"))
    capture = Captured("tx-lost", "1000", datetime.now(UTC) - HOUR)
    await PostgresLedger(house.database).captured(lost.id, capture)
    unknown = await house.attempt()
    stand_in.faults.ask({"mode": "reset-after", "count": 1})
    await house.pay(unknown)

    found = (await compared(house)).differences
    assert {each.order_id: each.kind for each in found if each.attempt_id} == {
        settled.order_id: Kind.STATE,
        twice.order_id: Kind.TAKEN_TWICE,
        denied.order_id: Kind.CHARGED_AFTER_ALL,
        lost.order_id: Kind.ONLY_HERE,
        unknown.order_id: Kind.UNRESOLVED,
    }
    assert [each.kind for each in found if not each.attempt_id] == [Kind.ONLY_THERE]

    mended = [each.kind for each in found if await comparing(house).mend(each)]
    assert len(mended) == 4
    assert await house.resolved(10)  # gives back what is stray
    left = (await compared(house)).differences
    assert sorted(each.kind for each in left) == [Kind.ONLY_THERE, Kind.ONLY_HERE]
    assert await house.world.state(settled) is AttemptState.SETTLED
    assert await house.world.state(unknown) is AttemptState.CAPTURED
    held = [sale.order_id for sale in taken(tmp_path)]
    assert held.count(twice.order_id) == held.count(unknown.order_id) == 1
    assert denied.order_id not in held


async def test_a_payment_older_than_the_window_still_becomes_settled(
    house: CountingHouse, stand_in: StandIn
) -> None:
    attempt = await paid(house)
    stand_in._desk.settle(await transaction_of(house, attempt), {})
    now = datetime.now(UTC)
    found = await comparing(house).differences(now - HOUR / 2, now)
    assert [each.kind for each in found.differences] == [Kind.STATE]


async def test_a_part_refunded_in_the_control_panel_is_found_long_after_its_sale(
    house: CountingHouse, stand_in: StandIn
) -> None:
    attempt = await paid(house)
    sale = await transaction_of(house, attempt)
    stand_in._desk.settle(sale, {})
    await PostgresLedger(house.database).became(attempt.id, AttemptState.SETTLED)
    stand_in._desk._now = lambda: datetime.now(UTC)
    now, later = datetime.now(UTC) - HOUR / 2, datetime.now(UTC) + HOUR / 2
    assert (await comparing(house).differences(now, later)).differences == ()
    stand_in._desk.refund(sale, {"amount": "10.00"})
    (found,) = (await comparing(house).differences(now, later)).differences
    assert (found.kind, found.order_id) == (Kind.REFUND, attempt.order_id)
    assert (found.here, found.there) == ("settled 42.50 EUR", "10.00 EUR refunded")
    assert not await comparing(house).mend(found)


async def told_nobody(stand_in: StandIn, order_id: str, what: str) -> None:
    """What a bank says days later, in a webhook that was lost."""
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{stand_in.url}/bank/{order_id}/{what}?lost=1")
        assert answer.status == 200


@pytest.mark.parametrize("refund", [False, True], ids=["settled", "refunded"])
async def test_a_debit_that_is_returned_long_after_it_was_settled_is_found_without_a_webhook(
    house: CountingHouse,
    stand_in: StandIn,
    refund: bool,  # noqa: FBT001 - a case
) -> None:
    attempt = await house.attempt()
    assert isinstance(await house.paying.pay(attempt, await vaulted_account(house.gateway)), Paid)
    ledger = PostgresLedger(house.database)
    await told_nobody(stand_in, attempt.order_id, "settle")
    await ledger.became(attempt.id, AttemptState.SETTLED)
    if refund:
        await ledger.became(attempt.id, AttemptState.REFUNDED)
    await told_nobody(stand_in, attempt.order_id, "return")
    now = datetime.now(UTC)
    (found,) = (await comparing(house).differences(now - HOUR / 2, now)).differences
    assert await comparing(house).mend(found)
    assert await house.world.state(attempt) is AttemptState.RETURNED
    assert (await comparing(house).differences(now - HOUR / 2, now)).differences == ()


async def test_a_sale_beside_the_window_by_the_other_clock_is_no_difference(
    house: CountingHouse,
) -> None:
    attempt = await paid(house)
    now = datetime.now(UTC)
    await house.world.ask("UPDATE attempts SET captured_at = now() WHERE id = $1", attempt.id)
    found = await comparing(house).differences(now - HOUR / 2, now + HOUR)
    assert found.differences == ()


def nightly(house: CountingHouse, metrics: Metrics) -> Nightly:
    return Nightly(comparing(house), PostgresComparisons(house.database, house.daemon), metrics, 3)


async def comparisons(house: CountingHouse) -> list[tuple[date, int, int]]:
    async with house.database.session() as session:
        rows = await session.raw.fetch("SELECT night, mended, left_open FROM comparisons")
    return [(row["night"], row["mended"], row["left_open"]) for row in rows]


async def test_a_night_is_compared_by_one_node_and_told(
    house: CountingHouse, database_url: str, stand_in: StandIn
) -> None:
    attempt = await paid(house)
    stand_in._desk.settle(await transaction_of(house, attempt), {})
    await sale_of(house, f"saldo-{uuid4()}")
    metrics, now = Metrics(), datetime.now(UTC)
    async with counting_house(database_url, stand_in) as other:
        with capture_logs() as logs:
            await asyncio.gather(
                nightly(house, metrics).compare(now), nightly(other, metrics).compare(now)
            )
            await nightly(house, metrics).compare(now)
    events = sorted(line["event"] for line in logs)
    assert events == ["difference_mended", "ledgers_compared", "ledgers_differ"]
    assert await comparisons(house) == [(now.date(), 1, 1)]
    count = metrics.registry.get_sample_value
    assert count("saldo_ledger_differences", {"kind": "only-at-the-gateway"}) == 1
    assert count("saldo_ledger_differences", {"kind": "state"}) == 0


async def test_a_night_that_came_to_nothing_is_tried_again(
    house: CountingHouse, stand_in: StandIn
) -> None:
    metrics, now = Metrics(), datetime.now(UTC)
    stand_in.faults.ask({"mode": "reset-before", "count": 1, "on": ["search"]})
    with pytest.raises(GatewayError):
        await nightly(house, metrics).compare(now)
    assert await comparisons(house) == []
    await nightly(house, metrics).compare(now)
    assert await comparisons(house) == [(now.date(), 0, 0)]


@pytest.mark.parametrize(("hour", "is_time"), [(0, True), (23, None), (-1, False)])
async def test_the_hour_is_a_setting_and_a_missed_one_is_made_up_for(
    house: CountingHouse,
    monkeypatch: pytest.MonkeyPatch,
    hour: int,
    is_time: bool | None,  # noqa: FBT001 - a parameter of the case
) -> None:
    monkeypatch.setattr("ivr.comparing.LOOK_SECONDS", 0.01)
    nights = PostgresComparisons(house.database, house.daemon)
    migrated = asyncio.Event()
    migrated.set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await Nightly(comparing(house), nights, Metrics(), hour).run(migrated)
    expected = datetime.now(UTC).hour == hour if is_time is None else is_time
    assert bool(await comparisons(house)) == expected


async def test_a_night_whose_node_died_is_taken_over(
    house: CountingHouse, database_url: str, stand_in: StandIn
) -> None:
    night = datetime.now(UTC).date()
    async with counting_house(database_url, stand_in) as dying:
        assert await PostgresComparisons(dying.database, dying.daemon).claim(night)
        assert not await PostgresComparisons(house.database, house.daemon).claim(night)
    assert await PostgresComparisons(house.database, house.daemon).claim(night)


@pytest.fixture
def _settings(
    typed: Typed, database_url: str, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = stand_in.account
    for name, value in {
        "DATABASE__URL": database_url,
        "BRAINTREE__ENVIRONMENT": "stand-in",
        "BRAINTREE__URL": stand_in.url,
        "BRAINTREE__MERCHANT_ID": account.merchant_id,
        "BRAINTREE__PUBLIC_KEY": account.public_key,
        "BRAINTREE__PRIVATE_KEY": account.private_key,
        "BRAINTREE__MERCHANT_ACCOUNTS": json.dumps(dict(account.merchant_accounts)),
    }.items():
        monkeypatch.setenv(f"SALDO_{name}", value)


@pytest.mark.usefixtures("_settings")
async def test_the_command_prints_differences_and_mends_them(
    house: CountingHouse, typed: Typed, stand_in: StandIn, tmp_path: Path
) -> None:
    ran = await asyncio.to_thread(typed, "payments", "reconcile")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("no differences: 0 orders compared, ")
    denied = await house.attempt()
    await house.paying.cancel(denied)
    await sale_of(house, denied.order_id)
    ran = await asyncio.to_thread(typed, "payments", "reconcile")
    assert ran.status == 1
    for word in (denied.order_id, "charged-after-all", "canceled 42.50 EUR", "mended every night"):
        assert word in ran.out
    ran = await asyncio.to_thread(typed, "payments", "reconcile", "--json", "--mend")
    assert ran.status == 0
    (shown,) = json.loads(ran.out)
    assert (shown["kind"], shown["order"], shown["mended"]) == (
        "charged-after-all",
        denied.order_id,
        True,
    )
    assert taken(tmp_path) == []
    ran = await asyncio.to_thread(
        typed, "payments", "reconcile", "--since", "2026-01-31", "--until", "2026-01-30"
    )
    assert ran.status == 2
    stand_in.faults.ask({"mode": "500-after-capture", "on": ["search"]})
    ran = await asyncio.to_thread(typed, "payments", "reconcile")
    assert ran.status == 2
    assert "saldo: the gateway" in ran.complaint
