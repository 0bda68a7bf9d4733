"""Messages from the commit to whoever is told, with a real database and real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr import telling
from ivr.billing import delivering as rules
from ivr.billing.customers import SuspensionReason
from ivr.billing.delivering import Delivering
from ivr.billing.messages import (
    Arrived,
    Channel,
    Delivery,
    DeliveryState,
    Failed,
    Message,
    Outcome,
)
from ivr.metrics import Metrics
from ivr.settings import Settings
from ivr.storage.bell import Bell
from ivr.storage.deliveries import DeliveryRecord, PostgresDeliveries
from ivr.storage.events import PostgresEvents
from ivr.storage.pool import Database
from ivr.storage.webhook_endpoints import PostgresEndpoints
from ivr.telephony.ari import Ari
from tests.storage.proxy import wire_to
from tests.storage.test_contract_ledger import CAPTURED, charging, one_invoice
from tests.storage.world import PostgresWorld

SECRET = "whsec_c2VjcmV0"


class Carrier:
    """Takes messages as it is told to."""

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.outcomes: list[Outcome | BaseException] = []
        self.holding: asyncio.Event | None = None

    async def send(self, delivery: Delivery) -> Outcome:
        self.got.append(delivery)
        if self.holding:
            await self.holding.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else Arrived("ok")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    @property
    def kinds(self) -> list[str]:
        return [delivery.kind for delivery in self.got]


class House:
    """A company whose messages all go to one carrier."""

    def __init__(self, url: str, database: Database) -> None:
        self.url = url
        self.world = PostgresWorld(database)
        self.carrier = Carrier()
        self.told: list[tuple[str, DeliveryState, str]] = []
        self.records = PostgresDeliveries(database)
        self.endpoints = PostgresEndpoints(database)
        self.events = PostgresEvents(database)

    async def paid(self) -> None:
        invoice = await one_invoice(self.world, SuspensionReason.NON_PAYMENT)
        attempt = await charging(self.world, invoice)
        await self.world.ask(
            "UPDATE customers SET phone = '+34600000001', email = 'ana@example.com' WHERE id = $1",
            attempt.customer_id,
        )
        await self.world.ledger.captured(attempt.id, CAPTURED)

    @asynccontextmanager
    async def delivering(self, *, url: str = "", lease: float = 60) -> AsyncIterator[None]:
        """A node that delivers meanwhile."""
        database = await Database.open(url or self.url, size=2, application="saldo-messages")
        bell = Bell(database, telling.BELL)
        delivering = Delivering(
            PostgresDeliveries(database),
            PostgresEndpoints(database),
            dict.fromkeys(Channel, self.carrier),
            bell,
            lease_seconds=lease,
            told=lambda delivery, state, why: self.told.append((delivery.kind, state, why)),
        )
        tasks = [asyncio.create_task(each.run()) for each in (bell, delivering)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()

    async def settled(self) -> Collection[DeliveryRecord]:
        """Every delivery, once none waits."""

        async def none_waits() -> bool:
            waits = "SELECT count(*) FROM events WHERE planned_at IS NULL"
            if await self.world.ask(waits):
                return False
            return not (await self.records.recent(state="waiting")).items

        await until(none_waits)
        return (await self.records.recent(limit=500)).items


async def until(it_is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await it_is_so():  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.02)


@pytest.fixture
async def house(database_url: str, database: Database) -> House:
    house = House(database_url, database)
    for table in ("deliveries", "webhook_endpoints", "events"):
        await house.world.ask(f"DELETE FROM {table}")
    return house


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again after a hundredth of a second."""
    monkeypatch.setattr("ivr.billing.messages.RETRY_SECONDS", (0.01,) * 9)


async def test_what_is_committed_is_told_at_once_and_each_thing_once(house: House) -> None:
    await house.endpoints.add("https://crm.example/", (), SECRET)
    async with house.delivering():
        await asyncio.sleep(0.3)  # it listens, and has nothing to do
        started = asyncio.get_running_loop().time()
        await house.paid()
        records = await house.settled()
        assert asyncio.get_running_loop().time() - started < 3  # and not LOOK_SECONDS
    webhooks = [one.kind for one in house.carrier.got if one.channel is Channel.WEBHOOK]
    assert webhooks == ["payment.captured", "invoice.paid", "service.reactivated"]
    assert sorted(house.carrier.kinds) == sorted([*webhooks, "receipt", "receipt"])
    assert {(one.state, one.attempts, one.answer) for one in records} == {
        (DeliveryState.DELIVERED, 1, "ok")
    }


async def test_a_message_costs_few_round_trips(house: House) -> None:
    """Twenty receipts: a look takes several at once, and each end is one statement."""
    customer = await house.world.customer()
    await house.world.ask("UPDATE customers SET phone = '+34600000001' WHERE id = $1", customer.id)
    ids = {"customer": customer.id, "last4": "1111"}
    await house.events.tell(*(Message("text", "card-removed", ids) for _ in range(20)))
    async with wire_to(house.url) as wire:
        async with house.delivering(url=wire.url):
            await house.settled()
        assert len(house.carrier.got) == 20
        assert wire.round_trips <= 20 * 3 + 10


async def test_what_fails_is_tried_again_as_the_same_message(house: House, impatient: None) -> None:
    house.carrier.outcomes = [Failed("500", "busy"), ValueError("a bug"), Arrived("at last")]
    await house.events.tell(Message("webhook", "promise.made"))
    await house.endpoints.add("https://crm.example/", (), SECRET)
    async with house.delivering():
        (record,) = await house.settled()
    assert (record.state, record.attempts, record.answer) == ("delivered", 3, "at last")
    assert len({one.message_id for one in house.carrier.got}) == 1
    assert [(state, why) for _, state, why in house.told] == [
        (DeliveryState.WAITING, "500"),
        (DeliveryState.WAITING, "unforeseen ValueError"),
        (DeliveryState.DELIVERED, ""),
    ]


async def test_after_the_tenth_try_it_is_a_dead_letter_and_may_be_sent_again(
    house: House, impatient: None
) -> None:
    house.carrier.outcomes = [Failed("500")] * 10
    await house.endpoints.add("https://crm.example/", (), SECRET)
    await house.events.tell(Message("webhook", "promise.made"))
    async with house.delivering():
        (dead,) = await house.settled()
        assert (dead.state, dead.attempts, dead.error) == (DeliveryState.DEAD, 10, "500")
        assert await house.records.redeliver(dead.id, "once-more")
        (again,) = await house.settled()
    assert (again.state, again.attempts) == (DeliveryState.DELIVERED, 1)


async def test_what_cannot_be_mended_is_not_tried_again(house: House) -> None:
    house.carrier.outcomes = [Failed("no such address", for_good=True)]
    await house.endpoints.add("https://crm.example/", (), SECRET)
    await house.events.tell(Message("webhook", "promise.made"))
    async with house.delivering():
        (dead,) = await house.settled()
    assert (dead.state, dead.attempts) == (DeliveryState.DEAD, 1)


async def test_an_endpoint_that_is_gone_is_disabled(house: House) -> None:
    house.carrier.outcomes = [Failed("410", for_good=True, endpoint_gone=True)]
    await house.endpoints.add("https://crm.example/", (), SECRET)
    await house.events.tell(Message("webhook", "promise.made"))

    async def disabled() -> bool:
        return [one.state for one in await house.endpoints.all()] == ["disabled"]

    async with house.delivering():
        await until(disabled)
        await house.events.tell(Message("webhook", "promise.made"))
        await house.settled()
    assert len(house.carrier.got) == 1


async def test_a_target_that_hangs_holds_up_no_other(house: House) -> None:
    async with house.delivering():
        house.carrier.holding = held = asyncio.Event()
        await house.endpoints.add("https://hangs.example/", ("promise.made",), SECRET)
        await house.events.tell(*(Message("webhook", "promise.made") for _ in range(10)))

        async def all_it_may() -> bool:
            return len(house.carrier.got) == rules.AT_ONCE

        await until(all_it_may)
        house.carrier.holding = None
        await house.paid()

        async def the_others_are_through() -> bool:
            return house.carrier.kinds.count("receipt") == 2

        await until(the_others_are_through)
        assert house.carrier.kinds.count("promise.made") == rules.AT_ONCE
        held.set()
        await house.settled()
    assert house.carrier.kinds.count("promise.made") == 10


async def test_stopping_lets_what_is_on_its_way_arrive(house: House) -> None:
    house.carrier.holding = holding = asyncio.Event()
    await house.endpoints.add("https://crm.example/", (), SECRET)
    await house.events.tell(Message("webhook", "promise.made"))

    async def under_way() -> bool:
        return bool(house.carrier.got)

    async with house.delivering():
        await until(under_way)
        asyncio.get_running_loop().call_later(0.3, holding.set)
    (record,) = (await house.records.recent()).items
    assert record.state is DeliveryState.DELIVERED


async def test_stopping_gives_back_what_takes_too_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FINISH_SECONDS", 0.1)
    house.carrier.holding = asyncio.Event()
    await house.endpoints.add("https://crm.example/", (), SECRET)
    await house.events.tell(Message("webhook", "promise.made"))

    async def under_way() -> bool:
        return bool(house.carrier.got)

    async with house.delivering():
        await until(under_way)
    (record,) = (await house.records.recent()).items
    assert (record.state, record.attempts) == (DeliveryState.WAITING, 0)
    house.carrier.holding = None
    async with house.delivering():  # the next daemon
        (record,) = await house.settled()
    assert (record.state, record.attempts) == (DeliveryState.DELIVERED, 1)


async def test_what_was_not_written_down_is_tried_again_after_its_lease(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node dies between the answer and the commit: told again, with the same id."""
    monkeypatch.setattr(rules, "LOOK_SECONDS", 0.2)
    await house.endpoints.add("https://crm.example/", (), SECRET)
    await house.events.tell(Message("webhook", "promise.made"))
    dead_node = PostgresDeliveries(house.world.database)
    await dead_node.plan(tuple(Channel), ())
    (lost,) = await dead_node.claim(tuple(Channel), {}, 10, 0.5)
    async with house.delivering():
        (record,) = await house.settled()
    assert (record.state, record.attempts) == (DeliveryState.DELIVERED, 2)
    assert [one.message_id for one in house.carrier.got] == [lost.message_id]


async def test_the_database_may_go_away_and_come_back(house: House) -> None:
    await house.endpoints.add("https://crm.example/", (), SECRET)
    async with wire_to(house.url) as wire, house.delivering(url=wire.url):
        await house.events.tell(Message("webhook", "promise.made"))
        await house.settled()
        await house.world.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name IN ('saldo-messages', 'saldo-batch') "
            "AND datname = current_database()"
        )
        await house.events.tell(Message("webhook", "promise.made"))
        await house.settled()
    assert house.carrier.kinds == ["promise.made"] * 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise imports old modules
async def test_saldo_serve_delivers_what_its_settings_name(house: House) -> None:
    """The whole of `telling.deliver`, as the daemon runs it: a webhook and a text by HTTP."""
    got: list[str] = []

    async def take(request: web.Request) -> web.Response:
        got.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_post("/{way:.*}", take)
    server = TestServer(app)
    await server.start_server()
    await house.endpoints.add(str(server.make_url("/crm")), ("invoice.paid",), SECRET)
    settings = Settings(
        database={"url": house.url},
        webhooks={"networks": ["127.0.0.0/8"]},
        texts={"url": f"json://127.0.0.1:{server.port}/texts/{{number}}"},
    )
    metrics, migrated = Metrics(), asyncio.Event()
    async with Ari("http://127.0.0.1:1", "saldo", "") as ari:
        work = asyncio.create_task(telling.deliver(settings, metrics, ari, migrated))
        await house.paid()
        migrated.set()
        records = await house.settled()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    await server.close()
    assert sorted(got) == ["/crm", "/texts/34600000001"]
    assert {(one.channel, one.state) for one in records} == {
        (Channel.WEBHOOK, DeliveryState.DELIVERED),
        (Channel.TEXT, DeliveryState.DELIVERED),
        (Channel.MAIL, DeliveryState.SKIPPED),
    }
    counted = {"channel": "text", "state": "delivered"}
    assert metrics.registry.get_sample_value("saldo_messages_total", counted) == 1
