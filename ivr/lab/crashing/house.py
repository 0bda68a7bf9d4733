"""A lane's own Postgres and stand-in gateway, and how each is made to fail."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from ivr.lab import database as lab_database
from ivr.lab.crashing.counting import GatewayMoney
from ivr.lab.gateway_desk import Account
from ivr.lab.packages import Tree
from ivr.lab.processes import ProcessError
from ivr.storage.migrate import migrate
from ivr.storage.pool import Database

READY_SECONDS = 15.0
GOOD_CARD = "4111111111111111"
"""Braintree's published test number"""
COMMIT_SECONDS = 0.06
"""how long a commit takes where connections are to end during one; as in FAILING"""
TOKENIZE = """
mutation Tokenize($input: TokenizeCreditCardInput!) {
  tokenizeCreditCard(input: $input) { paymentMethod { id } }
}
"""
FAILING = """
CREATE SCHEMA crashing;
CREATE TABLE crashing.mode (name text NOT NULL);
CREATE FUNCTION crashing.statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM crashing.mode WHERE name = 'full') THEN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION crashing.commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM crashing.mode WHERE name = 'full-at-commit') THEN
        RAISE EXCEPTION 'could not write to file: No space left on device' USING ERRCODE = '53100';
    END IF;
    IF EXISTS (SELECT FROM crashing.mode WHERE name = 'slow-commit') THEN
        PERFORM pg_sleep(0.06);
    END IF;
    RETURN NULL;
END $$;
"""
WRITTEN = ("attempts", "allocations", "invoices", "services", "events", "doubts", "strays")
"""the tables that a payment changes"""
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
BACKENDS = "SELECT wait_event FROM pg_stat_activity WHERE application_name = $1"
END_BACKENDS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"""
OPEN_BILL = """
WITH customer AS (
    INSERT INTO customers (external_id, account_number, kind, name, language, postal_code)
    VALUES ($1, $1, 'person', 'James Smith', 'en', '28013') RETURNING id
), lines AS (
    INSERT INTO services (external_id, customer_id, label, number, status, suspended_for)
    SELECT $1 || '-' || part, customer.id, 'mobile', '+34910000000', 'suspended', 'non-payment'
    FROM customer, generate_series(1, cardinality($2::numeric[])) AS part
    RETURNING id, external_id, customer_id
), bills AS (
    INSERT INTO invoices (number, service_id, amount, currency, paid, due_date)
    SELECT 'F-' || lines.external_id, lines.id,
           ($2::numeric[])[split_part(lines.external_id, '-', 2)::int], 'EUR', 0, '2026-03-31'
    FROM lines RETURNING number
)
SELECT (SELECT id FROM customer) AS customer, array_agg(number ORDER BY number) AS numbers
FROM bills"""


class House:
    """Starts both, breaks them on purpose, and removes them."""

    def __init__(self, folder: Path, tree: Tree) -> None:
        self._folder = folder
        self._tree = tree
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection[Any] | None = None
        self._number = 0
        self.log = folder / "processes.log"

    def start(self) -> None:
        """Raises ProcessError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._server = lab_database.start(self._folder, self._tree)
        self._runner.run(_migrated(self._server.url))
        self.ask(FAILING)
        for table in WRITTEN:
            self.ask(
                f"CREATE TRIGGER failing BEFORE INSERT OR UPDATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION crashing.statement();"
                f"CREATE CONSTRAINT TRIGGER failing_at_commit AFTER INSERT OR UPDATE ON {table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
                " EXECUTE FUNCTION crashing.commit();"
            )
        self.money = GatewayMoney(self._folder / "gateway.jsonl")
        self._stand_in = self._start_gateway()

    def stop(self) -> None:
        """Remove all of it."""
        if hasattr(self, "_stand_in"):
            self._stand_in.kill()
            self._stand_in.wait()
        if self._connection is not None:
            self._connection.terminate()
        lab_database.remove(self._folder)
        self._runner.close()

    @property
    def database_url(self) -> str:
        return self._server.url

    # --- the gateway

    def _start_gateway(self) -> subprocess.Popen[str]:
        ledger = str(self._folder / "gateway.jsonl")
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ivr.lab.gateway", "--port", "0", "--ledger", ledger],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        said = process.stdout.readline() if process.stdout else ""
        if not said:
            raise ProcessError(f"the stand-in gateway did not start: see {self.log}")
        self.gateway_url = json.loads(said)["url"]
        return process

    def misbehave(self, wishes: Sequence[Mapping[str, Any]]) -> None:
        """Behave, but for these."""
        self._http("DELETE", "/misbehave")
        for wish in wishes:
            self._http("POST", "/misbehave", wish)

    def token(self) -> str:
        """A single-use token of a test card."""
        card = {
            "number": GOOD_CARD,
            "expirationMonth": "12",
            "expirationYear": "2031",
            "cvv": "123",
        }
        asked = {"query": TOKENIZE, "variables": {"input": {"creditCard": card}}}
        answer = json.loads(self._http("POST", "/graphql", asked))
        token: str = answer["data"]["tokenizeCreditCard"]["paymentMethod"]["id"]
        return token

    def _http(self, verb: str, path: str, body: object = None) -> bytes:
        host, port = self.gateway_url.removeprefix("http://").split(":")
        account = Account()
        login = f"{account.public_key}:{account.private_key}"
        connection = http.client.HTTPConnection(host, int(port), timeout=READY_SECONDS)
        try:
            headers = {"Content-Type": "application/json", "Authorization": _basic(login)}
            data = None if body is None else json.dumps(body)
            connection.request(verb, path, data, headers)
            return connection.getresponse().read()
        finally:
            connection.close()

    # --- the database

    def ask(self, statement: str, *values: object) -> list[Any]:
        """Rows; asked again while Postgres comes back. Raises ProcessError."""
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                return self._runner.run(self._ask(statement, *values))
            except AWAY as error:
                self._connection = None
                if time.monotonic() > until:
                    raise ProcessError(f"Postgres does not come back: {error}") from None
                time.sleep(0.02)

    async def _ask(self, statement: str, *values: object) -> list[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._server.url, timeout=5)
        if not values and not statement.lstrip().startswith("SELECT"):
            await self._connection.execute(statement)
            return []
        return await self._connection.fetch(statement, *values)

    def open_bill(self, amount: str) -> tuple[int, tuple[str, ...]]:
        """A new customer with two suspended lines and two invoices of this sum; id, numbers."""
        self._number += 1
        whole = Decimal(amount)
        parts = [Decimal("12.49"), whole - Decimal("12.49")]
        row = self.ask(OPEN_BILL, f"{5_000_000 + self._number}", parts)[0]
        return row["customer"], tuple(row["numbers"])

    def fail(self, mode: str) -> None:
        """From now on, until `heal`."""
        self.ask("INSERT INTO crashing.mode VALUES ($1)", mode)

    def heal(self) -> None:
        """All is well again."""
        self.ask("DELETE FROM crashing.mode")

    def terminate(self, application: str) -> None:
        """End the backends of one process, during their commit if one comes within a moment."""
        until = time.monotonic() + 2 * COMMIT_SECONDS
        while time.monotonic() < until:
            if any(row["wait_event"] == "PgSleep" for row in self.ask(BACKENDS, application)):
                break
        self.ask(END_BACKENDS, application)

    def crash(self) -> None:
        """SIGKILL to every process of this Postgres."""
        server = self._server.process.pid
        children = _children(server)
        for pid in (server, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + READY_SECONDS
        while self._server.process.alive or any(map(_is_alive, children)):
            if time.monotonic() > until:
                raise ProcessError("Postgres does not die")
            time.sleep(0.005)

    def restart(self) -> None:
        """Start Postgres again after a crash. Raises ProcessError."""
        self._server = lab_database.start(self._folder, self._tree)
        self._connection = None


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


async def _migrated(url: str) -> None:
    database = await Database.open(url)
    try:
        await migrate(database)
    finally:
        await database.close()
