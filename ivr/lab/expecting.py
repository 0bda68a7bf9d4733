"""What a call left behind in the database, against what its scenario expected."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from ivr.lab.errors import LabError
from ivr.lab.scenario_file import TOLD, Expected, ExpectedPayment

PATIENCE_SECONDS = 15.0
"""how long a call's record and its charge may take to be complete after the call"""
LOOK_SECONDS = 0.2

_CALL = """
SELECT id, outcome, ended_at FROM calls WHERE sip_call_id = $1 ORDER BY arrived_at DESC LIMIT 1
"""
_PAYMENTS = """
SELECT amount, currency, last4, state FROM attempts
WHERE call_id = $1 AND state NOT IN ('created', 'canceled') ORDER BY seq
"""
_OPEN = "SELECT count(*) FROM attempts WHERE call_id = $1 AND state IN ('created', 'charging')"
_INVOICES = "SELECT number, paid >= amount AS settled FROM invoices WHERE number = ANY($1)"
_EVENTS = """
SELECT event.topic || 's' AS topic, event.kind, EXISTS (
    SELECT FROM deliveries WHERE event_id = event.id AND state = 'delivered'
) AS arrived
FROM events AS event LEFT JOIN attempts AS attempt ON attempt.id = event.attempt_id
WHERE coalesce(event.call_id, attempt.call_id) = $1
"""


@dataclass(frozen=True, slots=True)
class Payment:
    """An attempt of this call that got as far as the gateway."""

    amount: Decimal
    currency: str
    last4: str | None
    status: str

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.currency} …{self.last4} {self.status}"


@dataclass(frozen=True, slots=True)
class Told:
    """Something that is told because of the call."""

    kind: str
    arrived: bool = True
    """whether at least one who is told of it has taken it"""

    def __str__(self) -> str:
        return self.kind if self.arrived else f"{self.kind} (not arrived)"


@dataclass(frozen=True, slots=True)
class Left:
    """What one call left behind."""

    found: bool
    """whether the database knows the call"""
    settled: bool
    """whether its record is closed and nothing is being charged"""
    ending: str | None
    payments: tuple[Payment, ...]
    invoices: dict[str, str]
    told: dict[str, tuple[Told, ...]]
    """by webhooks, texts, mails"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation, and why it was not met ("" when it was)."""

    what: str
    why: str


async def look(postgres: str, sip_call_id: str, expected: Expected) -> list[Finding]:
    """Compare, again and again until all is as expected or PATIENCE_SECONDS are over.

    Raises LabError when the database cannot be read.
    """
    if expected == Expected():
        return []
    try:
        connection = await asyncpg.connect(postgres, timeout=5)
        try:
            return await _until_as_expected(connection, sip_call_id, expected)
        finally:
            await connection.close(timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LabError(
            f"the lab's database cannot be read ({type(error).__name__}): "
            "see `saldo lab status`, then `saldo lab down` and `saldo lab up`"
        ) from None


async def _until_as_expected(
    connection: asyncpg.Connection[asyncpg.Record], sip_call_id: str, expected: Expected
) -> list[Finding]:
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_SECONDS
    while True:
        left = await _read(connection, sip_call_id, expected)
        findings = compare(expected, left)
        met = left.settled and not any(finding.why for finding in findings)
        if met or clock() > until:
            return findings
        await asyncio.sleep(LOOK_SECONDS)


async def _read(
    connection: asyncpg.Connection[asyncpg.Record], sip_call_id: str, expected: Expected
) -> Left:
    call = await connection.fetchrow(_CALL, sip_call_id)
    call_id = call["id"] if call else None
    payments = await connection.fetch(_PAYMENTS, call_id)
    invoices = await connection.fetch(_INVOICES, [number for number, _ in expected.invoices])
    events = await connection.fetch(_EVENTS, call_id)
    return Left(
        found=call is not None,
        settled=bool(call and call["ended_at"] and not await connection.fetchval(_OPEN, call_id)),
        ending=call["outcome"] if call else None,
        payments=tuple(Payment(*row) for row in payments),
        invoices={row["number"]: "paid" if row["settled"] else "unpaid" for row in invoices},
        told={
            topic: tuple(
                Told(row["kind"], row["arrived"]) for row in events if row["topic"] == topic
            )
            for topic in TOLD
        },
    )


def compare(expected: Expected, left: Left) -> list[Finding]:
    """Each expectation against what is there."""
    if not left.found:
        return [Finding("a record of the call", "the database has no call with this SIP Call-ID")]
    return list(_compared(expected, left))


def _compared(expected: Expected, left: Left) -> Iterator[Finding]:
    if expected.ending is not None:
        missing = "the call's record is still open"
        yield _same("ending", expected.ending, left.ending, missing)
    if expected.payments is not None:
        yield _payments(expected.payments, left.payments)
    for number, state in expected.invoices:
        there_is = left.invoices.get(number)
        yield _same(f"invoice {number}", state, there_is, "there is no such invoice")
    for what, wanted in zip(TOLD, (expected.webhooks, expected.texts, expected.mails), strict=True):
        if wanted is not None:
            yield _kinds(what, wanted, left.told[what])


def _same(what: str, wanted: str, there: str | None, missing: str) -> Finding:
    why = missing if there is None else f"it is {there}"
    return Finding(f"{what}: {wanted}", "" if wanted == there else why)


def _payments(wanted: tuple[ExpectedPayment, ...], there: tuple[Payment, ...]) -> Finding:
    what = f"payments: {len(wanted)}"
    as_wanted = len(wanted) == len(there) and all(map(_is, there, wanted))
    listed = ", ".join(map(str, there)) or "none"
    return Finding(what, "" if as_wanted else f"there are: {listed}")


def _is(payment: Payment, wanted: ExpectedPayment) -> bool:
    pairs = (
        (wanted.amount, payment.amount),
        (wanted.currency, payment.currency),
        (wanted.last4, payment.last4),
        (wanted.status, payment.status),
    )
    return all(one is None or one == other for one, other in pairs)


def _kinds(what: str, wanted: tuple[str, ...], there: tuple[Told, ...]) -> Finding:
    """Each kind named, exactly as often as it is named, has arrived; others do not matter.

    None named: none is to be told.
    """
    counted = Counter(told.kind for told in there)
    as_wanted = bool(wanted or not there) and all(
        counted[kind] == times for kind, times in Counter(wanted).items()
    )
    arrived = all(told.arrived for told in there if told.kind in wanted)
    listed = ", ".join(map(str, there)) or "none"
    why = "" if as_wanted and arrived else f"there are: {listed}"
    return Finding(f"{what}: {', '.join(wanted) or 'none'}", why)
