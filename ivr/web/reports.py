"""`/v1/reports`: sums for a company's books, as JSON or, for who prefers it, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Protocol
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Response

from ivr.billing.reports import SettlementLine
from ivr.web.keys import Keys, Scope
from ivr.web.rows import to_json

LONGEST = timedelta(days=366)
CSV = "text/csv"
JSON = "application/json"
COLUMNS = (
    "day",
    "method",
    "currency",
    "charged",
    "fee",
    "to_invoices",
    "not_applied",
    "refunded",
    "count",
)


class Reports(Protocol):
    """Where the sums come from (storage.reports.PostgresReports)."""

    async def settlement(self, since: date, until: date, zone: str) -> Sequence[SettlementLine]: ...


def routes(reports: Reports, keys: Keys) -> APIRouter:
    """Everything below `/v1/reports`."""
    router = APIRouter(prefix="/v1/reports", dependencies=[Depends(keys.for_(Scope.REPORTS))])

    @router.get(
        "/settlement",
        summary="Per day, method and currency: charged, fee, to invoices, refunded, count",
        responses={200: {"content": {CSV: {}}}},
        response_model=None,
    )
    async def settlement(
        since: Annotated[
            date | None, Query(description="the first day; else the first of the last day's month")
        ] = None,
        until: Annotated[date | None, Query(description="the last day; else today")] = None,
        zone: Annotated[str, Query(description="whose days, such as Europe/Madrid")] = "UTC",
        accept: Annotated[str, Header()] = JSON,
    ) -> Response | dict[str, Any]:
        first, last = _days(since, until, zone)
        lines = await reports.settlement(first, last, zone)
        if prefers_csv(accept):
            name = f"settlement-{first}-{last}.csv"
            headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
            return Response(as_csv(lines), media_type=CSV, headers=headers)
        return {"data": [to_json(line) for line in lines]}

    return router


def as_csv(lines: Sequence[SettlementLine]) -> str:
    """A header and a row a line; amounts with a decimal point and without their currency."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in lines:
        amounts = (line.charged, line.fee, line.to_invoices, line.not_applied, line.refunded)
        currency = line.charged.currency
        sums = [each.amount for each in amounts]
        writer.writerow([line.day, line.method.value, currency, *sums, line.count])
    return text.getvalue()


def prefers_csv(accept: str) -> bool:
    """Whether an Accept header wants CSV more than JSON (RFC 9110, 12.5.1)."""
    weights = dict(_weight(media) for media in accept.split(","))
    return weights.get(CSV, 0.0) > weights.get(JSON, 0.0)


def _weight(media: str) -> tuple[str, float]:
    kind, *parameters = (part.strip().lower() for part in media.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return kind, float(value)
            except ValueError:
                return kind, 0.0
    return kind, 1.0


def _days(since: date | None, until: date | None, zone: str) -> tuple[date, date]:
    """The first and the last day of a report. Raises HTTPException: there is no such report."""
    try:
        today = datetime.now(ZoneInfo(zone)).date()
    except (KeyError, ValueError, OSError):
        raise HTTPException(422, "zone is a time zone such as Europe/Madrid, or UTC") from None
    last = until or today
    first = since or last.replace(day=1)
    if not first <= last or last - first > LONGEST or last == date.max:
        raise HTTPException(422, f"until is from {first} on, {LONGEST.days} days later at most")
    return first, last
