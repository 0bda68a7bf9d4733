"""Parts and fees in the ledger, the same in memory and in Postgres."""

from __future__ import annotations

from uuid import uuid4

import pytest

from ivr.billing.allocating import oldest_first
from ivr.billing.customers import ServiceStatus, SuspensionReason
from ivr.billing.errors import InvoiceAlreadyPaid
from ivr.billing.invoices import Invoice
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState
from tests.storage.test_contract_ledger import CAPTURED, one_invoice
from tests.storage.world import CARD, World


async def opened(world: World, amount: str, *invoices: Invoice, fee: str = "0") -> Attempt:
    """A new attempt to pay so much of these, and a fee."""
    number, cost = uuid4(), Money.of(fee, "EUR")
    chosen = oldest_first(invoices, Money.of(amount, "EUR"))
    attempt = Attempt(
        number, f"saldo-{number}", invoices[0].customer_id, None, chosen.amount + cost,
        chosen.allocations, AttemptState.CREATED, cost, Method.CARD,
    )  # fmt: skip
    await world.ledger.open_attempt(attempt)
    return attempt


async def pay(world: World, attempt: Attempt) -> Money:
    await world.ledger.begin_charging(attempt.id, CARD)
    return (await world.ledger.captured(attempt.id, CAPTURED)).amount


async def due(world: World, *invoices: Invoice) -> list[str]:
    return [str((await world.invoice_now(each)).due.amount) for each in invoices]


async def test_a_part_leaves_the_rest_due_and_the_line_off(world: World) -> None:
    line = await world.service(await world.customer(), SuspensionReason.NON_PAYMENT)
    invoice = await world.invoice(line)
    attempt = await opened(world, "42.49", invoice)
    await pay(world, attempt)
    assert await due(world, invoice) == ["0.01"]
    assert (await world.service_now(line)).status is ServiceStatus.SUSPENDED
    assert "invoice.part-paid" in await world.events(attempt)
    await pay(world, await opened(world, "0.01", invoice))
    assert (await world.service_now(line)).status is ServiceStatus.ACTIVE


async def test_the_fee_is_charged_and_pays_no_invoice(world: World) -> None:
    line = await world.service(await world.customer())
    bills = [await world.invoice(line), await world.invoice(line)]
    attempt = await opened(world, "50.00", *bills, fee="1.50")
    assert await pay(world, attempt) == Money.of("51.50", "EUR")
    assert await due(world, *bills) == ["0.00", "35.00"]


async def test_a_part_that_is_due_no_more_is_not_charged(world: World) -> None:
    invoice = await one_invoice(world)
    late = await opened(world, "22.51", invoice, fee="1.50")
    await pay(world, await opened(world, "20.00", invoice))
    with pytest.raises(InvoiceAlreadyPaid):
        await world.ledger.begin_charging(late.id, CARD)
    assert await world.state(late) is AttemptState.CANCELED
    assert await due(world, invoice) == ["22.50"]


async def test_a_part_that_still_fits_is_charged(world: World) -> None:
    invoice = await one_invoice(world)
    late = await opened(world, "22.50", invoice)
    await pay(world, await opened(world, "20.00", invoice))
    await pay(world, late)
    assert await due(world, invoice) == ["0.00"]
