"""Unknown outcomes resolved in virtual time: what is found, what is told, how often money moves."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ivr.billing.doubts import Doubt, Schedule, Stray, Undone
from ivr.billing.errors import BillingError, OutcomeUnknown, TransitionRefused
from ivr.billing.money import Money
from ivr.billing.paying import Paying
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    Captured,
    CardOnHand,
    DeclineBucket,
    Refusal,
    Unknown,
)
from ivr.billing.resolving import Resolving
from ivr.billing.transactions import Standing
from tests.billing.answering import AnsweringGateway
from tests.fakes.books import NOON, FakeBooks
from tests.fakes.doubts import FakeDoubts
from tests.fakes.storage import FakeCompany, FakeLedger
from tests.fakes.virtual_time import VirtualTimeLoop

CARD = CardOnHand("visa", "1111", "1230", "tokencc_one")
DAY = 24 * 3600.0


@dataclass
class House:
    """A company whose gateway lost an answer, and who looks for it."""

    company: FakeCompany = field(default_factory=FakeCompany)
    books: FakeBooks = field(default_factory=FakeBooks)
    told: list[str] = field(default_factory=list)

    def node(self, name: str = "one", **schedule: Any) -> Resolving:
        return Resolving(
            FakeLedger(self.company, name),
            FakeDoubts(self.company, name),
            self.books,
            schedule=Schedule(**schedule),
            told=self._told,
        )

    def _told(self, event: str, _about: Doubt | Stray, _why: str) -> None:
        self.told.append(event)

    async def lost(self, name: str = "one") -> Attempt:
        """A charge that was sent, with an answer that never came."""
        line = self.company.service(self.company.customer())
        invoice = self.company.invoice(line)
        gateway = AnsweringGateway(OutcomeUnknown("time-out"))
        paying = Paying(FakeLedger(self.company, name), gateway, asyncio.create_task)
        attempt = await paying.open(invoice.customer_id, [invoice], None)
        assert await paying.pay(attempt, CARD) == Unknown()
        return attempt

    async def charging(self, name: str) -> Attempt:
        """A charge under way."""
        attempt = await self.lost(name)
        kept = self.company.attempts[attempt.id]
        kept.attempt = replace(kept.attempt, state=AttemptState.CHARGING)
        kept.doubt = None
        return attempt

    def state(self, attempt: Attempt) -> AttemptState:
        return self.company.attempts[attempt.id].attempt.state

    async def within(self, seconds: float, *nodes: Resolving) -> float | None:
        """Rounds of these nodes every second; when the last doubt was settled."""
        loop = asyncio.get_running_loop()
        began, last = loop.time(), None
        while loop.time() - began <= seconds:
            for node in nodes:
                await node.begin()
            await asyncio.sleep(0)
            is_open = any(
                kept.doubt and not kept.doubt.is_resolved for kept in self.company.attempts.values()
            ) or any(stray.undone is None for stray in self.company.strays.values())
            if not is_open and last is None:
                last = loop.time() - began
            await asyncio.sleep(1)
        for node in nodes:
            await node.finish()
        return last


def in_virtual_time(
    test: Callable[[House], Coroutine[Any, Any, None]],
) -> Callable[[], None]:
    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(House()))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@in_virtual_time
async def test_a_charge_that_was_taken_is_adopted_at_once_and_the_customer_told(
    house: House,
) -> None:
    attempt = await house.lost()
    sale = house.books.write(attempt)
    await house.node().round()
    assert house.state(attempt) is AttemptState.CAPTURED
    assert house.company.attempts[attempt.id].capture == sale.outcome
    assert house.company.events[-1] == "payment-confirmed"
    assert house.told == ["charged_after_all"]
    assert len(house.books.taken) == 1


@in_virtual_time
async def test_a_charge_that_never_arrived_is_sent_again_while_it_is_young(house: House) -> None:
    attempt = await house.lost()
    await house.node().round()
    assert house.books.sent_again == [attempt.order_id]
    assert house.state(attempt) is AttemptState.CAPTURED
    assert len(house.books.taken) == 1


@in_virtual_time
async def test_an_old_charge_is_only_looked_for(house: House) -> None:
    attempt = await house.lost()
    await asyncio.sleep(120)
    assert await house.within(DAY, house.node())
    assert house.books.sent_again == []
    assert house.books.taken == []
    assert house.state(attempt) is AttemptState.FAILED
    assert house.company.events == ["payment.in-doubt", "payment.failed", "payment-failed"]
    assert house.told == ["not_charged_after_all"]


@in_virtual_time
async def test_an_account_without_keys_is_searched_however_late_its_index_is(
    house: House,
) -> None:
    house.books.request_keys = False
    house.books.lag_seconds = 50
    attempt = await house.lost()
    house.books.write(attempt)
    settled = await house.within(100, house.node())
    assert settled is not None
    assert 50 <= settled <= 61
    assert house.books.searches >= 5
    assert house.state(attempt) is AttemptState.CAPTURED


@in_virtual_time
async def test_what_never_shows_is_failed_after_its_time_and_not_before(house: House) -> None:
    house.books.request_keys = False
    attempt = await house.lost()
    settled = await house.within(1000, house.node())
    assert settled is not None
    assert 900 <= settled <= 902
    assert house.state(attempt) is AttemptState.FAILED


@in_virtual_time
async def test_a_gateway_that_was_away_for_hours_is_asked_within_half_a_minute(
    house: House,
) -> None:
    attempt = await house.lost()
    house.books.write(attempt)
    house.books.is_away = True
    node = house.node()
    assert await house.within(3 * 3600, node) is None
    assert house.state(attempt) is AttemptState.UNKNOWN
    house.books.is_away = False
    settled = await house.within(60, node)
    assert settled is not None
    assert settled <= 31


@in_virtual_time
async def test_a_refusal_is_declined_and_the_customer_told(house: House) -> None:
    attempt = await house.lost()
    house.books.write(attempt, Standing.REFUSED)
    await house.node().round()
    assert house.state(attempt) is AttemptState.DECLINED
    assert house.company.events == ["payment.in-doubt", "payment.declined", "payment-failed"]
    assert house.told == ["declined_after_all"]


@in_virtual_time
async def test_of_two_sales_of_one_order_the_first_stays_and_the_other_goes_back(
    house: House,
) -> None:
    house.books.request_keys = False
    attempt = await house.lost()
    first, second = house.books.write(attempt), house.books.write(attempt)
    await house.within(5, house.node())
    assert house.company.attempts[attempt.id].capture == first.outcome
    assert [sale.id for sale in house.books.taken] == [first.id]
    assert house.company.strays[second.id].undone == "voided"
    assert house.told == ["charged_after_all", "charged_twice", "stray_given_back"]


@in_virtual_time
async def test_another_amount_is_left_to_a_person_who_is_called_once(house: House) -> None:
    house.books.request_keys = False
    attempt = await house.lost()
    house.books.write(attempt, amount=Money.of("4.25", "EUR"))
    await house.within(DAY, house.node())
    assert house.state(attempt) is AttemptState.UNKNOWN
    assert house.told == ["payment_needs_a_person"]


@in_virtual_time
async def test_the_answer_of_a_daemon_that_was_only_slow_is_adopted(house: House) -> None:
    attempt = await house.charging("slow")
    house.company.gone.add("slow")
    other = house.node("other")
    house.books.is_away = True
    await other.round()
    assert house.state(attempt) is AttemptState.UNKNOWN
    capture = Captured("tx1", "1000", NOON)
    await FakeLedger(house.company, "slow").captured(attempt.id, capture)
    house.books.is_away = False
    await house.within(60, other)
    assert house.company.attempts[attempt.id].capture == capture
    assert house.company.events.count("payment.captured") == 1


@in_virtual_time
async def test_a_stray_whose_end_cannot_be_written_is_told_and_not_tried_each_second(
    house: House,
) -> None:
    class Refusing(FakeDoubts):
        async def undone(self, transaction_id: str, how: Undone) -> None:
            raise BillingError(f"the database refused {transaction_id} {how}")

    attempt = await house.lost()
    ledger = FakeLedger(house.company, "one")
    await ledger.declined(attempt.id, Refusal("2001", "no", DeclineBucket.SOFT))
    late = house.books.write(attempt, Standing.CAPTURED)
    assert isinstance(late.outcome, Captured)
    with pytest.raises(TransitionRefused):
        await ledger.captured(attempt.id, late.outcome)
    doubts = Refusing(house.company, "one")
    node = Resolving(ledger, doubts, house.books, told=house._told)
    await house.within(100, node)
    assert set(house.told) == {"stray_not_given_back"}
    assert 3 <= len(house.told) <= 10


@in_virtual_time
async def test_money_that_came_after_not_charged_was_told_goes_back(house: House) -> None:
    attempt = await house.lost()
    await asyncio.sleep(120)
    node = house.node()
    await house.within(1000, node)
    assert house.state(attempt) is AttemptState.FAILED
    late = house.books.write(attempt, Standing.SETTLED)
    assert isinstance(late.outcome, Captured)
    with pytest.raises(TransitionRefused):
        await FakeLedger(house.company).captured(attempt.id, late.outcome)
    house.books.is_away = True
    await house.within(100, node)
    assert house.told.count("stray_not_given_back") >= 5
    house.books.is_away = False
    await house.within(60, node)
    assert house.company.strays[late.id].undone == "refunded"
    assert house.told[-1] == "stray_given_back"
    assert house.state(attempt) is AttemptState.FAILED


@in_virtual_time
async def test_two_nodes_at_once_look_each_doubt_up_once(house: House) -> None:
    house.books.seconds = 3
    attempts = [await house.lost(f"node{n % 2}") for n in range(20)]
    await house.within(120, house.node("node0"), house.node("node1"))
    assert sorted(house.books.sent_again) == sorted(one.order_id for one in attempts)
    assert len(house.books.taken) == 20
    assert {house.state(attempt) for attempt in attempts} == {AttemptState.CAPTURED}
    assert house.told == ["charged_after_all"] * 20


@in_virtual_time
async def test_a_node_that_dies_while_it_looks_is_followed_by_another(house: House) -> None:
    attempt = await house.lost("dying")
    house.books.seconds = 30
    dying, other = house.node("dying"), house.node("other")
    await dying.begin()
    dying.stop()
    house.company.gone.add("dying")
    house.books.seconds = 0
    await house.within(5, other)
    assert house.state(attempt) is AttemptState.CAPTURED


@in_virtual_time
async def test_a_database_that_goes_away_during_a_look_costs_no_minute(house: House) -> None:
    attempt = await house.lost()
    node = house.node()
    house.books.seconds = 1
    await node.begin()
    house.company.away = True
    await node.finish()
    house.company.away = False
    settled = await house.within(10, node)
    assert settled is not None
    assert settled <= 2
    assert house.state(attempt) is AttemptState.CAPTURED
    assert len(house.books.taken) == 1


class Refusing(FakeLedger):
    """A ledger that takes no capture, for a fault of ours, and then does."""

    faults = 3

    async def captured(self, attempt_id: Any, capture: Captured) -> Any:
        if self.faults:
            self.faults -= 1
            raise KeyError("a mistake of ours")
        return await super().captured(attempt_id, capture)


@in_virtual_time
async def test_a_mistake_of_ours_is_told_and_tried_again_with_pauses(house: House) -> None:
    attempt = await house.lost()
    ledger = Refusing(house.company, "one")
    doubts = FakeDoubts(house.company, "one")
    node = Resolving(ledger, doubts, house.books, told=house._told)
    settled = await house.within(60, node)
    assert settled is not None
    assert settled >= 2 + 5 + 10
    assert house.told == ["look_failed"] * 3 + ["charged_after_all"]
    assert house.state(attempt) is AttemptState.CAPTURED


@in_virtual_time
async def test_whatever_order_things_happen_in_money_is_taken_at_most_once(house: House) -> None:
    """The original arrives late, after it was sent again by another node with the same key."""
    attempt = await house.charging("slow")
    house.company.gone.add("slow")
    await house.node("other").round()
    assert house.state(attempt) is AttemptState.CAPTURED
    answer = await house.books.send_again(
        means=CARD,
        amount=attempt.amount,
        order_id=attempt.order_id,
        request_key=str(attempt.id),
    )
    assert isinstance(answer, Captured)
    await FakeLedger(house.company, "slow").captured(attempt.id, answer)
    assert len(house.books.taken) == 1
    assert house.company.strays == {}


@in_virtual_time
async def test_a_request_that_arrived_after_all_was_over_is_found_and_given_back(
    house: House,
) -> None:
    """Its process stood still for longer than anybody waited, and then lost the answer as well."""
    house.books.request_keys = False
    attempt = await house.charging("frozen")
    house.company.gone.add("frozen")
    other = house.node("other")
    await house.within(1000, other)
    assert house.state(attempt) is AttemptState.FAILED
    house.books.lag_seconds = 100
    late = house.books.write(attempt)
    with pytest.raises(TransitionRefused):
        await FakeLedger(house.company, "frozen").unknown(attempt.id, "no answer")
    settled = await house.within(1000, other)
    assert settled is not None
    assert settled < 310
    assert house.company.strays[late.id].undone == "voided"
    assert house.state(attempt) is AttemptState.FAILED
    assert house.company.events.count("payment-failed") == 1


@in_virtual_time
async def test_a_late_doubt_about_nothing_ends_by_itself(house: House) -> None:
    attempt = await house.charging("frozen")
    house.company.gone.add("frozen")
    other = house.node("other")
    await asyncio.sleep(120)
    await house.within(1000, other)
    with pytest.raises(TransitionRefused):
        await FakeLedger(house.company, "frozen").unknown(attempt.id, "no answer")
    searches = house.books.searches
    settled = await house.within(DAY, other)
    assert settled is not None
    assert 900 <= settled <= 902
    assert house.books.searches - searches <= 8
    assert house.books.taken == []
    assert house.company.events.count("payment-failed") == 1
