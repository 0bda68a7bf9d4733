"""The settlement report: every cent that was charged is in one line, and adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest

from ivr.billing.allocating import Chosen, as_chosen, in_full
from ivr.billing.invoices import Invoice
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import Allocation, Attempt, AttemptState, Captured
from ivr.billing.refunds import RefundKind, RefundWish
from ivr.billing.reports import SettlementLine
from ivr.storage.errors import QueryRefused
from ivr.storage.reports import PostgresReports
from tests.storage.test_contract_ledger import REFUSAL, one_invoice
from tests.storage.world import CARD, PostgresWorld

ADD_REFUND = """
INSERT INTO refunds (id, attempt_id, kind, amount, reason, who, request_key, digest, reopen, state,
                     transaction_id, ended_at)
VALUES ($1, $2, 'refund', $3, 'a test', 'a test', $4, repeat('0', 64), false, $5, $6, $7)"""
MONDAYS = (date(2031, 3, 3) + timedelta(days=7 * week) for week in count())
"""each test has one of its own: the ledger keeps what other tests charged"""


@dataclass
class Books:
    """Charges in the ledger, and the report of them."""

    world: PostgresWorld
    monday: date

    @property
    def tuesday(self) -> date:
        return self.monday + timedelta(days=1)

    def at(self, hour: int, minute: int = 0) -> datetime:
        """That long after Monday's midnight, UTC."""
        midnight = datetime(self.monday.year, self.monday.month, self.monday.day, tzinfo=UTC)
        return midnight + timedelta(hours=hour, minutes=minute)

    async def open(self, chosen: Chosen, fee: str = "0") -> Attempt:
        cost = Money.of(fee, chosen.amount.currency)
        parts = tuple(Allocation(each, amount) for each, amount in chosen.amounts.items())
        return await self.keep(chosen.invoices, chosen.amount + cost, parts, cost)

    async def keep(
        self,
        invoices: Sequence[Invoice],
        amount: Money,
        parts: tuple[Allocation, ...],
        fee: Money,
    ) -> Attempt:
        number = uuid4()
        attempt = Attempt(
            number, f"saldo-{number}", invoices[0].customer_id, None, amount, parts,
            AttemptState.CREATED, fee, Method.CARD,
        )  # fmt: skip
        await self.world.ledger.open_attempt(attempt)
        return attempt

    async def charge(self, chosen: Chosen, at: datetime, fee: str = "0") -> Attempt:
        attempt = await self.open(chosen, fee)
        await self.world.ledger.begin_charging(attempt.id, CARD)
        await self.world.ledger.captured(attempt.id, Captured(f"tx{attempt.id.hex}", "1000", at))
        return attempt

    async def refund(self, attempt: Attempt, amount: str, at: datetime | None) -> None:
        """A refund that was done then, or was only asked for."""
        number = uuid4()
        await self.world.ask(
            ADD_REFUND, number, attempt.id, Money.of(amount, "EUR").amount, number.hex,
            "done" if at else "asked", f"tx{number.hex}" if at else None, at,
        )  # fmt: skip

    async def lines(self, days: int = 2, zone: str = "UTC") -> list[SettlementLine]:
        """The report from Monday on."""
        until = self.monday + timedelta(days=days - 1)
        return await PostgresReports(self.world.database).settlement(self.monday, until, zone)


@pytest.fixture
def books(real: PostgresWorld) -> Books:
    return Books(real, next(MONDAYS))


def sums(line: SettlementLine) -> list[str]:
    return [
        str(each.amount)
        for each in (line.charged, line.fee, line.to_invoices, line.not_applied, line.refunded)
    ]


async def test_a_day_adds_up(books: Books) -> None:
    first, second = await one_invoice(books.world), await one_invoice(books.world)
    await books.charge(in_full([first]), books.at(9), fee="1.50")
    await books.charge(as_chosen([second], {second.id: Money.of("10.01", "EUR")}), books.at(23, 59))
    (line,) = await books.lines()
    assert (line.day, line.method, line.count) == (books.monday, Method.CARD, 2)
    assert sums(line) == ["54.01", "1.50", "52.51", "0.00", "0.00"]
    assert line.charged == line.fee + line.to_invoices + line.not_applied


async def test_each_day_has_its_own_line_in_the_time_zone_that_was_asked_for(books: Books) -> None:
    await books.charge(in_full([await one_invoice(books.world)]), books.at(22, 30))
    await books.charge(in_full([await one_invoice(books.world)]), books.at(23, 30))
    await books.charge(in_full([await one_invoice(books.world)]), books.at(25))
    days = {line.day: line.count for line in await books.lines()}
    assert days == {books.monday: 2, books.tuesday: 1}
    madrid = {line.day: line.count for line in await books.lines(zone="Europe/Madrid")}
    assert madrid == {books.monday: 1, books.tuesday: 2}
    assert [line.day for line in await books.lines(days=1)] == [books.monday]


async def test_what_was_not_charged_is_not_in_it(books: Books) -> None:
    opened = await books.open(in_full([await one_invoice(books.world)]), fee="1.50")
    declined = await books.open(in_full([await one_invoice(books.world)]))
    await books.world.ledger.begin_charging(declined.id, CARD)
    await books.world.ledger.declined(declined.id, REFUSAL)
    assert await books.world.state(opened) is AttemptState.CREATED
    assert await books.lines() == []


async def test_what_did_not_fit_on_its_invoice_any_more_is_told_apart(books: Books) -> None:
    invoice = await one_invoice(books.world)
    attempt = await books.open(in_full([invoice]), fee="1.50")
    await books.world.ledger.begin_charging(attempt.id, CARD)
    await books.world.ask("UPDATE invoices SET paid = 40 WHERE id = $1", invoice.id)
    await books.world.ledger.captured(
        attempt.id, Captured(f"tx{attempt.id.hex}", "1000", books.at(9))
    )
    (line,) = await books.lines()
    assert sums(line) == ["44.00", "1.50", "2.50", "40.00", "0.00"]


async def test_what_goes_back_is_on_the_day_on_which_it_went(books: Books) -> None:
    attempt = await books.charge(in_full([await one_invoice(books.world)]), books.at(9), "1.50")
    await books.refund(attempt, "10.00", books.at(25))
    await books.refund(attempt, "5.00", None)
    monday, tuesday = await books.lines()
    assert sums(monday) == ["44.00", "1.50", "42.50", "0.00", "0.00"]
    assert (sums(tuesday), tuesday.count) == (["0.00", "0.00", "0.00", "0.00", "10.00"], 0)


async def test_what_the_bank_took_back_counts_in_full_beside_what_was_refunded(
    books: Books,
) -> None:
    attempt = await books.charge(in_full([await one_invoice(books.world)]), books.at(9), "1.50")
    await books.refund(attempt, "10.00", books.at(10))
    await books.world.ask(
        "UPDATE attempts SET state = 'returned', ended_at = $2 WHERE id = $1",
        attempt.id,
        books.at(25),
    )
    monday, tuesday = await books.lines()
    assert [sums(monday)[-1], sums(tuesday)[-1]] == ["10.00", "44.00"]


async def test_the_ledger_refuses_an_attempt_that_does_not_add_up(books: Books) -> None:
    invoice = await one_invoice(books.world)
    parts = (Allocation(invoice.id, Money.of("10.00", "EUR")),)
    with pytest.raises(QueryRefused):
        await books.keep([invoice], Money.of("11.49", "EUR"), parts, fee=Money.of("1.50", "EUR"))
    kept = await books.keep([invoice], Money.of("11.50", "EUR"), parts, fee=Money.of("1.50", "EUR"))
    with pytest.raises(QueryRefused):
        async with books.world.database.session() as session:
            await session.script(
                "a wrong hand", f"UPDATE attempts SET fee = 1 WHERE id = '{kept.id}'"
            )


async def test_what_staff_gave_back_in_parts_is_on_the_day_it_went_back(books: Books) -> None:
    attempt = await books.charge(in_full([await one_invoice(books.world)]), books.at(9))
    for amount, hour in (("10.00", 12), ("2.50", 30)):
        wish = RefundWish(attempt.id, Money.of(amount, "EUR"), "too much", "billing", uuid4().hex)
        refund, _ = await books.world.refunds.open(wish, RefundKind.REFUND)
        await books.world.refunds.done(refund.id, f"credit-{refund.id.hex}")
        moved = "UPDATE refunds SET ended_at = $2 WHERE id = $1"
        await books.world.ask(moved, refund.id, books.at(hour))
    monday, tuesday = await books.lines()
    assert sums(monday) == ["42.50", "0.00", "42.50", "0.00", "10.00"]
    assert sums(tuesday) == ["0.00", "0.00", "0.00", "0.00", "2.50"]


async def test_what_was_given_back_elsewhere_is_counted_once(books: Books) -> None:
    attempt = await books.charge(in_full([await one_invoice(books.world)]), books.at(9))
    await books.world.ledger.became(attempt.id, AttemptState.VOIDED)
    moved = "UPDATE attempts SET ended_at = $2 WHERE id = $1"
    await books.world.ask(moved, attempt.id, books.at(12))
    (monday,) = await books.lines()
    assert sums(monday)[-1] == "42.50"
