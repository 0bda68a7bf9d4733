"""Mistakes in the code that charges, planted one by one: each must be found, by its own column."""

# ruff: noqa: SLF001 - mistakes are planted inside, where others may not touch

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ivr.billing import paying, resolving
from ivr.billing.doubts import Schedule
from ivr.billing.errors import OutcomeUnknown
from ivr.billing.payments import Captured, NotCharged, Paid, confirmation_code
from ivr.gateways.braintree import Braintree
from ivr.lab.crashing.trials import Action, Caller, Trial
from ivr.storage import payments, sql
from ivr.storage.resolving import PostgresDoubts


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake."""

    what: str
    shows: Callable[[Trial], bool]
    """the trials that can find it"""
    plant: Callable[[], None]
    """patch this process"""
    database: str = ""
    """a statement that plants it in the database, and one that takes it out again"""
    mended: str = ""


_charge: Any = paying._Charge
_ledger: Any = payments.PostgresLedger
_doubts: Any = PostgresDoubts
_braintree: Any = Braintree
_paying: Any = paying.Paying
_resolving: Any = resolving.Resolving


def _killed(*gateways: str, at: tuple[str, ...] = ("",)) -> Callable[[Trial], bool]:
    """Kills under one of these gateways, at points whose names begin so."""
    return lambda trial: (
        trial.action is Action.KILL and trial.gateway in gateways and trial.point.startswith(at)
    )


def _charge_before_commit() -> None:
    begin = _charge._begin

    async def first(self: Any) -> Any:
        await self.gateway.charge(
            means=self.means,
            amount=self.attempt.amount,
            order_id=self.attempt.order_id,
            request_key=str(self.attempt.id),
        )
        return await begin(self)

    _charge._begin = first


def _paid_before_commit() -> None:
    write = _charge._write_down

    async def first(self: Any, result: Any) -> Any:
        if isinstance(result, Captured):
            self._say(Paid(self.attempt.amount, confirmation_code(self.attempt.id)))
            await asyncio.sleep(0.02)
        return await write(self, result)

    _charge._write_down = first


def _result_not_written() -> None:
    async def captured(_ledger: Any, attempt_id: Any, _capture: Any) -> Paid:
        attempt = await _ledger.attempt(attempt_id)
        return Paid(attempt.amount, confirmation_code(attempt_id))

    _ledger.captured = captured


def _lost_is_not_charged() -> None:
    async def in_doubt(self: Any, reason: str) -> NotCharged:
        await self.ledger.failed(self.attempt.id, reason)
        return NotCharged()

    _charge._in_doubt = in_doubt


def _charged_again_without_key() -> None:
    def again(self: Any, sale: dict[str, Any], _key: str) -> Any:
        fresh = {**sale, "order_id": f"{sale['order_id']}-2"}
        return self._judge(self._send(fresh, None), fresh)

    _braintree._sale_again = again


def _one_empty_search() -> None:
    hasty = Schedule(empty_looks=1, not_there_after=0, replay_within=0)
    keep = _resolving.__init__

    def begin(self: Any, *values: Any, **named: Any) -> None:
        schedule = replace(hasty, moments=named["schedule"].moments)
        keep(self, *values, **{**named, "schedule": schedule})

    _resolving.__init__ = begin


def _two_holders() -> None:
    query = sql.QUERIES["begin_charging"]
    text = query.text.replace("AND other.holds", "AND false")
    sql.QUERIES = {**sql.QUERIES, "begin_charging": replace(query, text=text)}


def _hang_up_cancels() -> None:
    keep = _paying.pay

    async def pay(self: Any, *values: Any, **named: Any) -> Any:
        spawn, charges = self._spawn, []

        def owned(work: Any) -> Any:
            charges.append(spawn(work))
            return charges[-1]

        self._spawn = owned
        try:
            return await keep(self, *values, **named)
        except asyncio.CancelledError:
            for charge in charges:
                charge.cancel()
            raise

    _paying.pay = pay


def _nobody_takes_over() -> None:
    async def abandoned(_self: Any) -> list[Any]:
        return []

    _doubts.abandoned = abandoned


def _found_but_forgotten() -> None:
    find = _resolving._find

    async def found(self: Any, doubt: Any) -> Any:
        finding = await find(self, doubt)
        raise OutcomeUnknown(f"forgotten {type(finding).__name__}")

    _resolving._find = found


def _reactivated_too_early() -> None:
    query = sql.QUERIES["begin_charging"]
    early = """), early AS (
    UPDATE services SET status = 'active', suspended_for = NULL
    WHERE id IN (SELECT service_id FROM invoices JOIN owed USING (id))
), holding AS ("""
    text = query.text.replace("), holding AS (", early)
    sql.QUERIES = {**sql.QUERIES, "begin_charging": replace(query, text=text)}


ONE_HOLDER = "CREATE UNIQUE INDEX one_charge_an_invoice ON allocations (invoice_id) WHERE holds"

MUTANTS: dict[str, Mutant] = {
    "charge-first": Mutant(
        "the gateway is asked before the attempt is charging", _killed("ok"), _charge_before_commit
    ),
    "said-first": Mutant(
        "paid is said before it is committed",
        _killed("ok", "slow", at=("captured.",)),
        _paid_before_commit,
    ),
    "not-written": Mutant("what was taken is not written down", _killed("ok"), _result_not_written),
    "lost-is-nothing": Mutant(
        "a lost answer is told as not charged",
        lambda trial: trial.gateway in ("reset-after", "500", "late"),
        _lost_is_not_charged,
    ),
    "charged-again": Mutant(
        "resolving charges again, as a new order without the key",
        _killed("ok", "reset-after", "500", at=("gateway.answer", "captured.")),
        _charged_again_without_key,
    ),
    "one-empty-search": Mutant(
        "one search that finds nothing passes for an answer",
        lambda trial: trial.gateway == "search-lag",
        _one_empty_search,
    ),
    "two-holders": Mutant(
        "two attempts may hold one invoice",
        lambda trial: trial.caller is Caller.CALLS_BACK and trial.gateway in ("ok", "slow", "500"),
        _two_holders,
        "DROP INDEX one_charge_an_invoice",
        ONE_HOLDER,
    ),
    "hang-up-cancels": Mutant(
        "a hang-up cancels the charge",
        lambda trial: trial.action is Action.HANG_UP and trial.gateway in ("ok", "slow"),
        _hang_up_cancels,
    ),
    "nobody-takes-over": Mutant(
        "what a dead process was charging stays as it is", _killed("ok"), _nobody_takes_over
    ),
    "forgotten": Mutant(
        "what was found is not written down", _killed("ok", "reset-after"), _found_but_forgotten
    ),
    "active-first": Mutant(
        "a line comes back when its charge begins",
        _killed("decline", "away", "ok"),
        _reactivated_too_early,
    ),
}
