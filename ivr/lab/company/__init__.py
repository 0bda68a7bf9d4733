"""The demo company: three CSV files, taken in by the same import as a real biller's."""

from __future__ import annotations

from pathlib import Path

from ivr.lab.errors import LabError
from ivr.messaging.webhooks import new_secret
from ivr.storage.customers import PostgresDirectory
from ivr.storage.imports import import_files
from ivr.storage.migrate import migrate
from ivr.storage.pool import Database
from ivr.storage.webhook_endpoints import PostgresEndpoints

FOLDER = Path(__file__).parent
FILES = tuple(FOLDER / f"{kind}.csv" for kind in ("customers", "services", "invoices"))
READY_SECONDS = 30.0


async def tell(url: str, webhooks: str) -> None:
    """Send webhooks to this address, if no endpoint does yet; those of an earlier lab end."""
    database = await Database.open(url, size=1, application="saldo-lab")
    try:
        endpoints = PostgresEndpoints(database)
        known = await endpoints.all()
        for other in known:
            if other.url.startswith("http://127.0.0.1") and other.url != webhooks:
                await endpoints.delete(other.id)
        if not any(each.url == webhooks for each in known):
            await endpoints.add(webhooks, (), new_secret())
    finally:
        await database.close()


async def load(url: str) -> None:
    """Bring the schema up to date, and the company into a database that has no customers.

    One that has customers keeps them as they are: what was paid stays paid, and the lines that
    came back stay on.

    Raises:
        LedgerUnavailable: the database did not answer.
        MigrationError: its schema is not ours.
        LabError: a file of the company was refused; the text is the report.
    """
    database = await Database.open(url, size=2, application="saldo-lab")
    try:
        await database.wait_until_ready(READY_SECONDS)
        await migrate(database)
        if not (await PostgresDirectory(database).recent(limit=1)).items:
            report = await import_files(database, FILES)
            if not report.ok:
                raise LabError("the demo company was refused:\n" + "\n".join(report.lines()))
    finally:
        await database.close()
