"""What only a real database can get wrong: races, lost answers, killed connections, round trips."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest

from ivr.billing.captures import CaptureOutcome, CaptureResult
from ivr.billing.customers import SuspensionReason
from ivr.billing.errors import InvoiceBeingPaid, LedgerNotReached, LedgerUnavailable
from ivr.billing.invoices import Invoice
from ivr.billing.limiting import Limiting
from ivr.billing.paying import Paying
from ivr.billing.payments import Attempt, AttemptState, DeclineBucket, Paid, Refusal
from ivr.storage.limits import PostgresTries
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.pool import Database, Session
from tests.fakes.gateway import FakeGateway
from tests.storage.proxy import Wire, wire_to
from tests.storage.test_contract_cards_on_file import a_card
from tests.storage.test_contract_ledger import CAPTURED, REFUSAL, charging, one_invoice
from tests.storage.test_contract_reading import request
from tests.storage.world import CARD, PostgresWorld, opened


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    async with wire_to(database_url) as wire:
        yield wire


@pytest.fixture
async def far(wire: Wire) -> AsyncIterator[PostgresWorld]:
    """The world in Postgres at the other end of a wire, over one warm connection."""
    database = await Database.open(wire.url, size=1)
    world = PostgresWorld(database)
    attempt = await charging(world, await one_invoice(world, SuspensionReason.NON_PAYMENT))
    await world.ledger.captured(attempt.id, CAPTURED)
    yield world
    await database.close()


async def test_of_twenty_at_once_exactly_one_gets_to_charge(real: PostgresWorld) -> None:
    invoices = [await one_invoice(real) for _ in range(3)]
    attempts = [await opened(real, *invoices[n % 2 :]) for n in range(20)]
    begun = await asyncio.gather(
        *(real.ledger.begin_charging(attempt.id, CARD) for attempt in attempts),
        return_exceptions=True,
    )
    assert begun.count(None) == 1
    assert all(isinstance(end, InvoiceBeingPaid) for end in begun if end is not None)
    states = [await real.state(attempt) for attempt in attempts]
    assert states.count(AttemptState.CHARGING) == 1
    assert states.count(AttemptState.CANCELED) == 19


async def test_two_payments_of_one_line_at_once_bring_it_back_once(real: PostgresWorld) -> None:
    for _ in range(5):
        line = await real.service(await real.customer(), SuspensionReason.NON_PAYMENT)
        attempts = [await charging(real, await real.invoice(line)) for _ in range(4)]
        paid = await asyncio.gather(*(real.ledger.captured(a.id, CAPTURED) for a in attempts))
        assert sum(len(one.reactivated) for one in paid) == 1
        assert (await real.service_now(line)).suspended_for is None


async def test_captures_and_starts_over_the_same_invoices_never_deadlock(
    real: PostgresWorld,
) -> None:
    customer = await real.customer()
    line = await real.service(customer)
    for _ in range(10):
        invoices = [await real.invoice(line) for _ in range(4)]
        first = await charging(real, *reversed(invoices))
        others = [await opened(real, *invoices) for _ in range(5)]
        ends = await asyncio.gather(
            real.ledger.captured(first.id, CAPTURED),
            *(real.ledger.begin_charging(other.id, CARD) for other in others),
            return_exceptions=True,
        )
        assert not [end for end in ends if isinstance(end, LedgerUnavailable)]


def refusal(text: str) -> Refusal:
    return Refusal("2000", text, DeclineBucket.HARD)


Step = Callable[[PostgresWorld, Attempt], Awaitable[object]]
STEPS: dict[str, tuple[int, str, Step]] = {
    "begin_charging": (1, "created", lambda w, a: w.ledger.begin_charging(a.id, CARD)),
    "captured": (4, "charging", lambda w, a: w.ledger.captured(a.id, CAPTURED)),
    "declined": (1, "charging", lambda w, a: w.ledger.declined(a.id, REFUSAL)),
    "failed": (1, "charging", lambda w, a: w.ledger.failed(a.id, "no")),
    "unknown": (1, "charging", lambda w, a: w.ledger.unknown(a.id, "no answer")),
    "cancel": (1, "created", lambda w, a: w.ledger.cancel(a.id)),
    "open_attempt": (1, "created", lambda w, a: w.ledger.open_attempt(a)),
    "may a card be tried": (1, "created", lambda w, a: limiting(w).may_try(a.id)),
    "count a card": (1, "created", lambda w, a: limiting(w).count(a.id, CARD)),
    "count a card on file": (1, "created", lambda w, a: limiting(w).count(a.id, a_card())),
    "cards on file": (1, "created", lambda w, a: w.cards.of_customer(a.customer_id)),
}


def limiting(world: PostgresWorld) -> Limiting:
    return Limiting(PostgresTries(world.database))


async def attempt_in(world: PostgresWorld, state: str, invoice: Invoice) -> Attempt:
    return await (charging if state == "charging" else opened)(world, invoice)


@pytest.mark.parametrize("name", STEPS)
async def test_each_step_costs_so_many_round_trips(
    far: PostgresWorld, wire: Wire, name: str
) -> None:
    trips, state, step = STEPS[name]
    invoice = await one_invoice(far)
    await step(far, await attempt_in(far, state, await one_invoice(far)))  # prepared from now on
    attempt = await attempt_in(far, state, invoice)
    before = wire.round_trips
    await step(far, attempt)
    assert wire.round_trips - before == trips


async def test_between_the_yes_and_the_receipt_are_six_round_trips(
    far: PostgresWorld, wire: Wire
) -> None:
    """Counted, begun, and the four of a capture."""
    gateway = FakeGateway()
    gateway.will(CAPTURED, CAPTURED)
    paying = Paying(far.ledger, gateway, asyncio.create_task, limiting(far))
    for _ in range(2):  # prepared from the first one on
        attempt = await opened(far, await one_invoice(far))
        before = wire.round_trips
        assert isinstance(await paying.pay(attempt, CARD), Paid)
    assert wire.round_trips - before == 6


async def test_a_caller_costs_two_round_trips_until_the_invoices_are_read_out(
    far: PostgresWorld, wire: Wire
) -> None:
    customer = await far.customer()
    await far.invoices.unpaid(customer.id)
    before = wire.round_trips
    await far.directory.by_account_number(customer.account_number)
    await far.invoices.unpaid(customer.id)
    assert wire.round_trips - before == 2


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_lost_commit_of_a_capture_is_safe_to_repeat(
    far: PostgresWorld,
    wire: Wire,
    arrives: bool,  # noqa: FBT001 - a parameter of the case
) -> None:
    invoice = await one_invoice(far, SuspensionReason.NON_PAYMENT)
    attempt = await charging(far, invoice)
    wire.lose_commit(arrives=arrives)
    with pytest.raises(LedgerUnavailable):
        await far.ledger.captured(attempt.id, CAPTURED)
    assert wire.cuts == 1
    assert await far.state(attempt) is (AttemptState.CAPTURED if arrives else AttemptState.CHARGING)
    paid = await far.ledger.captured(attempt.id, CAPTURED)
    assert len(paid.reactivated) == 1
    assert (await far.invoice_now(invoice)).paid == invoice.amount
    assert len(await far.events(attempt)) == 5


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_lost_answer_to_the_start_can_be_taken_back(
    far: PostgresWorld,
    wire: Wire,
    arrives: bool,  # noqa: FBT001 - a parameter of the case
) -> None:
    invoice = await one_invoice(far)
    attempt = await opened(far, invoice)
    wire.lose_statement(arrives=arrives)
    with pytest.raises(LedgerUnavailable) as lost:
        await far.ledger.begin_charging(attempt.id, CARD)
    assert not isinstance(lost.value, LedgerNotReached)  # the statement was on its way
    assert await far.state(attempt) is (AttemptState.CHARGING if arrives else AttemptState.CREATED)
    if arrives:
        await far.ledger.failed(attempt.id, "nothing was sent")
    await charging(far, invoice)


async def test_a_killed_connection_is_one_clear_error_and_then_all_is_well(
    real: PostgresWorld,
) -> None:
    attempt = await charging(real, await one_invoice(real))
    async with real.database.session() as doomed, real.database.session() as killer:
        pid = await doomed.raw.fetchval("SELECT pg_backend_pid()")
        await killer.raw.fetchval("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(LedgerUnavailable):
            await doomed.row("answers")
    await real.ledger.captured(attempt.id, CAPTURED)


async def kill(real: PostgresWorld, doomed: Session) -> None:
    """End the connection and let the pool find out, as it does when Postgres goes away."""
    pid = await doomed.raw.fetchval("SELECT pg_backend_pid()")
    await real.ask("SELECT pg_terminate_backend($1)", pid)
    await asyncio.sleep(0.1)


async def test_a_connection_killed_between_two_statements_is_the_ledger_away(
    real: PostgresWorld,
) -> None:
    async with real.database.session() as doomed:
        await kill(real, doomed)
        for ask in (doomed.row, doomed.rows, doomed.run):
            with pytest.raises(LedgerUnavailable):
                await ask("answers")
        with pytest.raises(LedgerUnavailable):
            async with doomed.transaction():
                pass


@pytest.mark.parametrize("more", [(), ("answers",)], ids=["commit", "another statement"])
async def test_a_connection_killed_inside_a_transaction_is_the_ledger_away(
    real: PostgresWorld, more: tuple[str, ...]
) -> None:
    async def work() -> None:
        async with real.database.transaction() as doomed:
            await kill(real, doomed)
            for name in more:
                await doomed.row(name)

    with pytest.raises(LedgerUnavailable):
        await work()


async def test_an_invoice_paid_elsewhere_during_the_charge_takes_what_fits(
    real: PostgresWorld,
) -> None:
    invoice = await one_invoice(real)
    attempt = await charging(real, invoice)
    await real.ask("UPDATE invoices SET paid = 40 WHERE id = $1", invoice.id)
    paid = await real.ledger.captured(attempt.id, CAPTURED)
    assert paid.amount == invoice.amount
    assert (await real.invoice_now(invoice)).paid == invoice.amount
    assert "payment.not-applied" in await real.events(attempt)


async def test_a_charge_takes_the_token_out_of_the_capture(real: PostgresWorld) -> None:
    asked = request()
    await real.captures.open(asked)
    await real.captures.close(asked.id, CaptureOutcome(CaptureResult.SUCCESS, CARD))
    attempt = await opened(real, await one_invoice(real), call_id=asked.call_id)
    await real.ledger.begin_charging(attempt.id, CARD)
    kept = await real.ask("SELECT token FROM captures WHERE id = $1", asked.id)
    assert kept is None
    assert await real.token_of(attempt.id) == CARD.token


async def test_a_bank_that_writes_a_card_number_does_not_stop_the_ledger(
    real: PostgresWorld,
) -> None:
    attempt = await charging(real, await one_invoice(real))
    await real.ledger.declined(attempt.id, refusal("Do not honour 4111 1111 1111 1111\0"))
    text = await real.ask("SELECT processor_text FROM attempts WHERE id = $1", attempt.id)
    assert text == "Do not honour (digits)"


async def test_payments_of_a_call_are_listed_newest_first(real: PostgresWorld) -> None:
    call_id = uuid4().hex
    invoice = await one_invoice(real)
    first = await opened(real, invoice, call_id=call_id)
    second = await opened(real, invoice, call_id=call_id)
    payments = PostgresPayments(real.database)
    page = await payments.recent(limit=1, call_id=call_id)
    assert [payment.id for payment in page.items] == [second.id]
    rest = await payments.recent(page.before, limit=1, call_id=call_id)
    assert [payment.id for payment in rest.items] == [first.id]
    assert rest.before is None
