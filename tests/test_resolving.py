"""Lost answers resolved for good: Postgres, the real gateway client, a gateway that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from ivr import resolving
from ivr.billing.doubts import Schedule
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.payments import Attempt, AttemptState, Declined, Unknown
from ivr.gateways.transport import CONNECT_SECONDS
from ivr.lab.gateway import StandIn
from ivr.metrics import Metrics
from ivr.resolving import Resolver
from ivr.settings import Settings
from ivr.storage.payments import PostgresLedger
from ivr.storage.resolving import PostgresDoubts
from tests.counting_house import CountingHouse, counting_house
from tests.gateways.charging import ledger, taken


@pytest.fixture
async def house(database_url: str, stand_in: StandIn) -> AsyncIterator[CountingHouse]:
    async with counting_house(database_url, stand_in, timeout_seconds=0.5) as node:
        yield node


LOST = [
    {"mode": "reset-before"},
    {"mode": "reset-after"},
    {"mode": "500-after-capture"},
    {"mode": "hang", "seconds": 30},
    {"mode": "hang-after", "seconds": 30},
    {"mode": "delay", "seconds": 1.0},
]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault["mode"])
async def test_a_lost_answer_is_one_charge_and_a_message(
    house: CountingHouse, stand_in: StandIn, tmp_path: Path, fault: dict[str, Any]
) -> None:
    attempt = await house.attempt()
    stand_in.faults.ask({**fault, "count": 1})
    assert await house.pay(attempt) == Unknown()
    assert await house.resolved(10)
    assert await house.world.state(attempt) is AttemptState.CAPTURED
    assert len(taken(tmp_path)) == 1
    assert (await house.world.events(attempt)).count("payment-confirmed") == 1
    assert await house.world.token_kept(attempt) == ""


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"mode": "reset-before"}, AttemptState.FAILED),
        ({"mode": "reset-after"}, AttemptState.CAPTURED),
        ({"mode": "500-after-capture"}, AttemptState.CAPTURED),
        ({"mode": "hang", "seconds": 30}, AttemptState.FAILED),
    ],
    ids=lambda value: value["mode"] if isinstance(value, dict) else "",
)
async def test_an_account_without_keys_is_searched_and_never_charged_again(
    house: CountingHouse,
    stand_in: StandIn,
    tmp_path: Path,
    fault: dict[str, Any],
    state: AttemptState,
) -> None:
    stand_in.faults.ask({"mode": "refuse-keys"})
    attempt = await house.attempt()
    house.gateway.request_keys = False
    stand_in.faults.ask({**fault, "count": 1})
    stand_in.faults.ask({"mode": "search-lag", "seconds": 60, "count": 2})
    assert await house.pay(attempt) == Unknown()
    assert await house.resolved(10)
    assert await house.world.state(attempt) is state
    assert len(taken(tmp_path)) == (state is AttemptState.CAPTURED)
    told = "payment-confirmed" if state is AttemptState.CAPTURED else "payment-failed"
    assert (await house.world.events(attempt)).count(told) == 1


async def test_a_lost_refusal_is_declined(house: CountingHouse, stand_in: StandIn) -> None:
    attempt = await house.attempt("2001.00")
    stand_in.faults.ask({"mode": "reset-after", "count": 1})
    assert await house.pay(attempt) == Unknown()
    assert await house.resolved(10)
    assert await house.world.state(attempt) is AttemptState.DECLINED
    assert isinstance(await house.pay(await house.attempt("2001.00")), Declined)


async def test_two_sales_of_one_order_keep_the_first_and_give_the_other_back(
    house: CountingHouse, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.faults.ask({"mode": "refuse-keys"})
    attempt = await house.attempt()
    house.gateway.request_keys = False
    stand_in.faults.ask({"mode": "reset-after", "count": 1})
    assert await house.pay(attempt) == Unknown()
    book = stand_in._ledger
    (first,) = book.book.transactions.values()
    later = first.created.replace(microsecond=0).isoformat()
    book.transaction(_copy(first, "twin0001", later))
    assert await house.resolved(10)
    left = taken(tmp_path)
    assert len(ledger(tmp_path)) == 2
    assert len(left) == 1
    assert sorted(house.told) == ["charged_after_all", "charged_twice", "stray_given_back"]


def _copy(sale: Any, key: str, created_at: str) -> Any:
    return type(sale)(**{**_fields(sale), "id": key, "created_at": created_at})


def _fields(sale: Any) -> dict[str, Any]:
    return {name: getattr(sale, name) for name in sale.__dataclass_fields__}


async def test_two_nodes_resolve_fifty_lost_answers_once_each(
    house: CountingHouse, database_url: str, stand_in: StandIn, tmp_path: Path
) -> None:
    attempts = [await house.attempt() for _ in range(50)]
    stand_in.faults.ask({"mode": "reset-after", "count": 25})
    stand_in.faults.ask({"mode": "reset-before", "count": 25})
    assert {type(await house.pay(attempt)) for attempt in attempts} == {Unknown}
    async with counting_house(database_url, stand_in) as other:
        assert all(await asyncio.gather(house.resolved(20), other.resolved(20)))
        assert len(house.told) + len(other.told) == 50
    assert len(taken(tmp_path)) == 50
    states = {await house.world.state(attempt) for attempt in attempts}
    assert states == {AttemptState.CAPTURED}


async def test_the_daemon_counts_what_is_open_and_logs_what_became_of_it(
    house: CountingHouse, stand_in: StandIn
) -> None:
    stand_in.faults.ask({"mode": "reset-after", "count": 1})
    attempt = await house.attempt()
    assert await house.pay(attempt) == Unknown()
    metrics = Metrics()
    doubts = PostgresDoubts(house.database, house.daemon)
    ledger = PostgresLedger(house.database, house.daemon)
    resolver = Resolver(ledger, doubts, house.resolving._books, metrics)
    migrated = asyncio.Event()
    migrated.set()
    with capture_logs() as logs:
        running = asyncio.create_task(resolver.run(migrated, 1800))
        for _ in range(200):
            if await house.world.state(attempt) is AttemptState.CAPTURED:
                break
            await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [(line["event"], line["order"]) for line in logs] == [
        ("charged_after_all", attempt.order_id)
    ]
    count = metrics.registry.get_sample_value
    assert count("saldo_payments_unresolved", {"state": "unknown"}) == 1
    assert count("saldo_payments_resolved_total", {"event": "charged_after_all"}) == 1


async def test_what_serve_builds_from_its_settings_takes_up_what_a_dead_daemon_left(
    house: CountingHouse, stand_in: StandIn, tmp_path: Path
) -> None:
    """Without a telephone: settings, database and gateway, as in `saldo serve`."""
    attempt = await house.attempt()
    stand_in.faults.ask({"mode": "hang-after", "seconds": 30, "count": 1})
    charge = asyncio.create_task(house.pay(attempt))
    for _ in range(200):
        if taken(tmp_path):
            break
        await asyncio.sleep(0.01)
    assert await house.world.state(attempt) is AttemptState.CHARGING
    dead = uuid4()
    await house.world.ask("INSERT INTO daemons VALUES ($1, 'n', 'a', now(), now(), now())", dead)
    await house.world.ask("UPDATE attempts SET daemon = $1 WHERE id = $2", dead, attempt.id)
    await captured_by_serve(house, stand_in, attempt)
    assert await charge == Unknown()  # its own task, which did not die, was answered no more
    assert len(taken(tmp_path)) == 1


async def captured_by_serve(house: CountingHouse, stand_in: StandIn, attempt: Attempt) -> None:
    """Let what `saldo serve` builds look for it, for ten seconds at most."""
    account = stand_in.account
    settings = Settings.model_validate(
        {
            "braintree": {
                "url": stand_in.url,
                "merchant_id": account.merchant_id,
                "public_key": account.public_key,
                "private_key": account.private_key,
                "merchant_accounts": dict(account.merchant_accounts),
            }
        }
    )
    migrated = asyncio.Event()
    migrated.set()
    async with AsyncExitStack() as stack:
        works = resolving.work(settings, stack, house.database, uuid4(), Metrics(), migrated)
        running = [asyncio.create_task(work) for work in works.values()]
        for _ in range(200):
            if await house.world.state(attempt) is AttemptState.CAPTURED:
                break
            await asyncio.sleep(0.05)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert await house.world.state(attempt) is AttemptState.CAPTURED


async def test_a_look_that_the_gateway_never_answers_does_not_keep_the_next_one_waiting(
    house: CountingHouse, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await house.attempt()
    stand_in.faults.ask({"mode": "reset-before", "count": 1})
    stand_in.faults.ask({"mode": "hang", "seconds": 30, "count": 1})
    assert await house.pay(attempt) == Unknown()
    monkeypatch.setattr("ivr.resolving.ANSWER_SECONDS", 0.3)
    await captured_by_serve(house, stand_in, attempt)


def test_requests_that_are_given_up_leave_time_to_ask_again_within_a_minute() -> None:
    longest_pause = max(Schedule().misses)
    assert resolving.ANSWER_SECONDS + CONNECT_SECONDS + longest_pause <= 60


async def test_a_database_that_is_away_is_said_once_and_waited_for(
    house: CountingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(PostgresDoubts):
        rounds = 0

        async def abandoned(self) -> list[Any]:
            self.rounds += 1
            raise LedgerUnavailable("away")

    monkeypatch.setattr("ivr.resolving.AWAY_SECONDS", (0.01,))
    doubts = Away(house.database, house.daemon)
    ledger = PostgresLedger(house.database, house.daemon)
    resolver = Resolver(ledger, doubts, house.resolving._books, Metrics())
    migrated = asyncio.Event()
    migrated.set()
    with capture_logs() as logs, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await resolver.run(migrated, 1800)
    assert doubts.rounds > 3
    assert [line["event"] for line in logs] == ["resolving_interrupted"]
