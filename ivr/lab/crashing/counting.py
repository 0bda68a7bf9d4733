"""Counts the money after a trial, in the gateway's ledger and in ours, and names what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from ivr.billing.transactions import ORDER_PREFIX
from ivr.lab.gateway_ledger import Book, Transaction

ATTEMPTS = """
SELECT attempts.id::text, order_id, state, attempts.amount, fee, transaction_id,
       EXISTS (SELECT FROM allocations WHERE attempt_id = attempts.id AND holds) AS holds,
       (SELECT coalesce(sum(applied), 0) FROM allocations WHERE attempt_id = attempts.id)
           AS applied,
       EXISTS (SELECT FROM doubts WHERE attempt_id = attempts.id) AS was_unknown,
       (SELECT coalesce(array_agg(kind ORDER BY seq), '{}') FROM events
        WHERE attempt_id = attempts.id AND topic = 'text') AS texts,
       (SELECT coalesce(array_agg(kind ORDER BY events.id), '{}') FROM events
        WHERE attempt_id = attempts.id AND topic = 'webhook' AND kind IN
            ('payment.in-doubt', 'payment.captured', 'payment.declined', 'payment.failed'))
           AS webhooks,
       (SELECT count(*) FROM strays WHERE attempt_id = attempts.id AND undone IS NULL) AS strays
FROM attempts WHERE customer_id = $1
ORDER BY attempts.created_at"""
LINES = """
SELECT services.status, invoices.amount, invoices.paid,
       (SELECT coalesce(sum(applied), 0) FROM allocations
        WHERE invoice_id = invoices.id) AS applied
FROM services JOIN invoices ON invoices.service_id = services.id
WHERE services.customer_id = $1"""
ALL_ORDERS = "SELECT order_id, state, transaction_id FROM attempts"

PAID, UNKNOWN = "Paid", "Unknown"
NOT_CHARGED = {"Declined", "NotCharged", "PaidMeanwhile", "BeingPaid", "OverLimit"}
ENDS = {"captured", "declined", "failed", "canceled"}
CHARGED = ENDS - {"canceled"}
IN_DOUBT = "payment.in-doubt"
CONFIRMED = {"receipt", "payment-confirmed"}
Row = Mapping[str, Any]


class GatewayMoney:
    """The stand-in's ledger file, read on as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.book = Book()

    def look(self) -> list[Transaction]:
        """All transactions in their present state."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._read += whole
        for line in data[:whole].splitlines():
            self.book.take(json.loads(line))
        return list(self.book.transactions.values())


@dataclass(frozen=True, slots=True)
class Accounts:
    """All that is known after a trial."""

    attempts: Sequence[Row]
    lines: Sequence[Row]
    sales: Sequence[Transaction]
    """those of these attempts"""
    said: Sequence[tuple[str | None, str]] = ()
    """attempt and what its caller was told"""
    paid_too_early: Sequence[str] = ()
    """attempts whose caller was told paid when the ledger did not have it"""
    may_be_left: bool = False
    """whether attempts that were opened and never charged may still be there"""
    others: Sequence[str] = ()
    """what else was seen to be wrong"""


def wrong(accounts: Accounts) -> list[str]:
    """Each promise that was broken, in words; none in a good trial."""
    found = [*accounts.others]
    found += [f"paid was said before the commit of {one}" for one in accounts.paid_too_early]
    said: dict[str, str] = {one: what for one, what in accounts.said if one}
    for attempt in accounts.attempts:
        mine = [sale for sale in accounts.sales if sale.order_id == attempt["order_id"]]
        found += _in_attempt(attempt, mine, may_be_left=accounts.may_be_left)
        found += _in_words(attempt, said.get(attempt["id"]), mine)
    found += _in_lines(accounts)
    return found


def _in_attempt(attempt: Row, sales: Sequence[Transaction], *, may_be_left: bool) -> Iterator[str]:
    state = attempt["state"]
    taken = [sale for sale in sales if sale.taken]
    if state not in ENDS and not (state == "created" and may_be_left and not sales):
        yield f"the attempt is still {state}"
    if attempt["holds"]:
        yield f"a {state} attempt holds its invoices"
    if attempt["strays"]:
        yield "stray money is not given back"
    if len(taken) > 1:
        yield f"charged {len(taken)} times"
    if taken and (state, attempt["transaction_id"]) != ("captured", taken[0].id):
        yield f"money was taken and the attempt is {state}"
    if state == "captured" and not taken:
        yield "the attempt is captured and no money was taken"
    if taken and taken[0].money != attempt["amount"]:
        yield f"{taken[0].money} was taken instead of {attempt['amount']}"
    expected = attempt["amount"] - attempt["fee"] if state == "captured" else Decimal(0)
    if attempt["applied"] != expected:
        yield f"{attempt['applied']} of {expected} was applied to invoices"


def _in_words(attempt: Row, said: str | None, sales: Sequence[Transaction]) -> Iterator[str]:
    state, texts = attempt["state"], list(attempt["texts"])
    if said == PAID and state != "captured":
        yield f"paid was said and the attempt is {state}"
    if said in NOT_CHARGED and any(sale.taken for sale in sales):
        yield f"{said} was said and the money was taken"
    if state == "captured" and (len(texts) != 1 or not CONFIRMED & set(texts)):
        yield f"a captured attempt has the messages {texts}"
    webhooks = list(attempt["webhooks"])
    if attempt["was_unknown"] and webhooks[:1] == [IN_DOUBT]:
        webhooks.pop(0)
    if webhooks != ([f"payment.{state}"] if state in CHARGED else []):
        yield f"programs were told {attempt['webhooks']}; the attempt is {state}"
    must_tell = said == UNKNOWN or (attempt["was_unknown"] and said is None)
    if must_tell and state in ENDS - {"captured"} and texts != ["payment-failed"]:
        yield f"who waits for a message has {texts}; the attempt is {state}"


def _in_lines(accounts: Accounts) -> Iterator[str]:
    for line in accounts.lines:
        if line["paid"] != line["applied"]:
            yield f"an invoice has {line['paid']} paid of {line['applied']} applied"
        if (line["status"] == "active") != (line["paid"] == line["amount"]):
            yield f"a line is {line['status']} with {line['paid']} of {line['amount']} paid"
    owed = sum((line["amount"] for line in accounts.lines), Decimal(0))
    taken = sum((sale.money for sale in accounts.sales if sale.taken), Decimal(0))
    if taken > owed:
        yield f"{taken} was taken for invoices of {owed}"


def strangers(sales: Sequence[Transaction], orders: Mapping[str, Row]) -> Iterator[str]:
    """Transactions of ours in the gateway's ledger that our ledger does not have as they are."""
    for sale in sales:
        if not sale.order_id.startswith(ORDER_PREFIX):
            continue
        ours = orders.get(sale.order_id)
        if ours is None:
            yield f"the gateway's {sale.order_id} is not in our ledger"
        elif ours["state"] not in ENDS:
            yield f"the gateway has {sale.order_id}, which is {ours['state']}"
        elif sale.taken and ours["transaction_id"] != sale.id:
            yield f"the gateway took {sale.order_id}, which is {ours['state']}"
