"""Tries counted in Postgres, one statement each, so that no number of calls at once gets past."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ivr.billing.limits import (
    Breaker,
    CardTries,
    Counted,
    IdentificationTries,
    Limits,
    Subjects,
)
from ivr.storage.pool import Database, Record
from ivr.storage.rows import storable


class PostgresTries:
    """`billing.limiting.Tries`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_card(self, attempt_id: UUID, limits: Limits) -> CardTries:
        row = await self._database.row(
            "card_tries", attempt_id, limits.breaker_window, limits.breaker_pause
        )
        return _card_tries(row)

    async def count_card(
        self,
        attempt_id: UUID,
        card_hash: str,
        expires: str,
        limits: Limits,
        on_file: UUID | None = None,
    ) -> CardTries:
        row = await self._database.change(
            "count_card_try",
            attempt_id,
            card_hash or None,
            expires or None,
            limits.breaker_window,
            limits.breaker_pause,
            on_file,
        )
        return _card_tries(row)

    async def breaker(self, limits: Limits) -> Breaker:
        row = await self._database.row("breaker", limits.breaker_window, limits.breaker_pause)
        return _breaker(_there(row))

    async def open_breaker(self, opened_before: datetime | None) -> bool:
        return await self._database.change("open_breaker", opened_before) is not None

    async def close_breaker(self, opened_before: datetime | None) -> bool:
        return await self._database.change("close_breaker", opened_before) is not None

    async def count_identification(self, subjects: Subjects) -> IdentificationTries:
        async with self._database.session() as session:
            rows = await session.rows("count_identification", _stored(subjects))
        names = dict(zip(_stored(subjects), subjects.all, strict=True))
        counted = {names[row["subject"]]: Counted(row["this_hour"], row["a_day"]) for row in rows}
        return IdentificationTries(subjects, counted, rows[0]["hour"])

    async def forgive(self, tried: IdentificationTries) -> None:
        if tried.hour is not None:
            await self._database.change(
                "forgive_identification", _stored(tried.subjects), tried.hour
            )

    async def is_on_file(self, customer_id: int, number: str) -> bool:
        row = await self._database.row("is_number_on_file", customer_id, storable(number))
        return bool(row and row["is_on_file"])


def _stored(subjects: Subjects) -> list[str]:
    return [storable(subject) for subject in subjects.all]


def _there(row: Record | None) -> Record:
    if row is None:
        raise ValueError("a query of one row gave none")
    return row


def _breaker(row: Record) -> Breaker:
    return Breaker(
        now=row["at"],
        opened_at=row["opened_at"],
        declined=row["declined"],
        decided=row["decided"],
        trials_under_way=row["trials_under_way"],
        trials_declined=row["trials_declined"],
        trials_succeeded=row["trials_succeeded"],
        callers=row["callers"],
    )


def _card_tries(found: Record | None) -> CardTries:
    row = _there(found)
    return CardTries(
        breaker=_breaker(row),
        in_call=row["in_call"],
        other_cards_in_call=row["other_cards_in_call"],
        of_number=row["of_number"],
        is_hidden=row["is_hidden"],
        of_invoice=row["of_invoice"],
        invoices_of_card=row["invoices_of_card"],
        was_refused_for_good=row["was_refused_for_good"],
    )
