"""What the server says of itself, as `saldo doctor` asks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr.billing.errors import LedgerUnavailable
from ivr.billing.payments import AttemptState
from ivr.billing.settling import Became
from ivr.capture.doctor.finding import Grade
from ivr.capture.doctor.ledger import SETTINGS, look_at
from ivr.storage.pool import Database
from ivr.storage.server import last_payment, server, standing
from ivr.storage.webhook_endpoints import PostgresEndpoints
from tests.storage.test_contract_bank_accounts import debited, told
from tests.storage.test_contract_ledger import CAPTURED, charging, one_invoice
from tests.storage.world import PostgresWorld


async def test_the_server_shows_every_setting_that_the_doctor_judges(database: Database) -> None:
    found = await server(database, [*SETTINGS, "no_such_setting"])
    assert set(found.settings) == set(SETTINGS)
    assert found.address == ""  # the lab's has a socket only
    assert abs(found.clock - datetime.now(UTC)) < timedelta(seconds=30)


async def test_the_labs_database_writes_no_values_down(database: Database) -> None:
    found = look_at(await server(database, SETTINGS), datetime.now(UTC), "url")
    assert {one.grade for one in found} <= {Grade.OK, Grade.WARNING}


async def test_a_server_that_is_away_is_told(unused_tcp_port: int) -> None:
    away = await Database.open(f"postgresql://saldo@127.0.0.1:{unused_tcp_port}/saldo", size=1)
    with pytest.raises(LedgerUnavailable):
        await server(away, SETTINGS)
    await away.close()


@pytest.fixture
def real(database: Database) -> PostgresWorld:
    return PostgresWorld(database)


async def test_the_last_payment_is_the_last_that_went_well(real: PostgresWorld) -> None:
    assert await last_payment(real.database) is None
    await charging(real, await one_invoice(real))
    assert await last_payment(real.database) is None
    attempt = await charging(real, await one_invoice(real))
    await real.ledger.captured(attempt.id, CAPTURED)
    taken = await real.ask("SELECT captured_at FROM attempts WHERE id = $1", attempt.id)
    assert await last_payment(real.database) == taken
    await real.ledger.became(attempt.id, AttemptState.SETTLED)
    await debited(real, await one_invoice(real))
    assert await last_payment(real.database) == taken


async def test_how_the_company_is_paid_is_read_from_its_tables(real: PostgresWorld) -> None:
    invoice = await one_invoice(real)
    await real.ask("UPDATE invoices SET currency = 'KWD' WHERE id = $1", invoice.id)
    endpoints = PostgresEndpoints(real.database)
    await endpoints.add("http://crm.example/", (), "whsec_c2VjcmV0")
    gone = await endpoints.add("http://old.example/", (), "whsec_c2VjcmV0")
    await endpoints.delete(gone.id)
    before = await standing(real.database)
    assert before.endpoints == ["http://crm.example/"]
    assert "KWD" in before.currencies
    assert before.gateway_told_at is None
    await real.notifications.keep(told("tx1", AttemptState.SETTLED), None, Became.IGNORED)
    assert (await standing(real.database)).gateway_told_at
    await real.ask("UPDATE invoices SET paid = amount WHERE id = $1", invoice.id)
    assert "KWD" not in (await standing(real.database)).currencies
