"""Each promise, broken on paper: the count must say so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ivr.lab.crashing.counting import Accounts, strangers, wrong
from ivr.lab.gateway_ledger import Token, Transaction

ORDER = "saldo-0001"
TOKEN = Token("t", "411111", "1111", "visa", "122031", "M", "M", "M", "", "")
SALE = Transaction(
    id="sale0001",
    type="sale",
    status="submitted_for_settlement",
    amount="42.50",
    currency="EUR",
    order_id=ORDER,
    merchant_account_id="saldo_eur",
    source="moto",
    token=TOKEN,
    created_at="2026-11-23T06:00:00+00:00",
    updated_at="2026-11-23T06:00:00+00:00",
    processor_code="1000",
    processor_text="Approved",
    processor_type="approved",
)
CAPTURED: dict[str, Any] = {
    "id": "0001",
    "order_id": ORDER,
    "state": "captured",
    "amount": Decimal("42.50"),
    "fee": Decimal(0),
    "transaction_id": "sale0001",
    "holds": False,
    "applied": Decimal("42.50"),
    "was_unknown": False,
    "texts": ["receipt"],
    "webhooks": ["payment.captured"],
    "strays": 0,
}
FAILED = CAPTURED | {
    "state": "failed",
    "transaction_id": None,
    "applied": Decimal(0),
    "texts": [],
    "webhooks": ["payment.failed"],
}
LINE = {
    "status": "active",
    "amount": Decimal("42.50"),
    "paid": Decimal("42.50"),
    "applied": Decimal("42.50"),
}
UNPAID = LINE | {"status": "suspended", "paid": Decimal(0), "applied": Decimal(0)}
GOOD = Accounts(attempts=[CAPTURED], lines=[LINE], sales=[SALE], said=[("0001", "Paid")])
NOTHING = Accounts(attempts=[FAILED], lines=[UNPAID], sales=[], said=[("0001", "NotCharged")])


def test_a_payment_that_went_well_breaks_no_promise() -> None:
    assert wrong(GOOD) == []
    assert wrong(NOTHING) == []


def changed(accounts: Accounts, **changes: Any) -> Accounts:
    return replace(accounts, attempts=[{**accounts.attempts[0], **changes}])


BROKEN = {
    "charged 2 times": replace(GOOD, sales=[SALE, replace(SALE, id="sale0002")]),
    "money was taken and the attempt is failed": replace(NOTHING, sales=[SALE]),
    "NotCharged was said and the money was taken": replace(NOTHING, sales=[SALE]),
    "the attempt is captured and no money was taken": replace(GOOD, sales=[]),
    "the attempt is still charging": changed(NOTHING, state="charging"),
    "the attempt is still unknown": changed(NOTHING, state="unknown"),
    "the attempt is still created": changed(NOTHING, state="created"),
    "a failed attempt holds its invoices": changed(NOTHING, holds=True),
    "stray money is not given back": changed(NOTHING, strays=1),
    "41.00 was taken instead of 42.50": replace(GOOD, sales=[replace(SALE, amount="41.00")]),
    "42.00 of 42.50 was applied to invoices": changed(GOOD, applied=Decimal("42.00")),
    "paid was said and the attempt is failed": replace(NOTHING, said=[("0001", "Paid")]),
    "paid was said before the commit of 0001": replace(GOOD, paid_too_early=["0001"]),
    "a captured attempt has the messages []": changed(GOOD, texts=[]),
    "programs were told []; the attempt is captured": changed(GOOD, webhooks=[]),
    "programs were told ['payment.failed', 'payment.failed']; the attempt is failed": changed(
        NOTHING, webhooks=["payment.failed"] * 2
    ),
    "programs were told ['payment.in-doubt']; the attempt is failed": changed(
        NOTHING, was_unknown=True, webhooks=["payment.in-doubt"]
    ),
    "programs were told ['payment.in-doubt', 'payment.captured']; the attempt is captured": changed(
        GOOD, webhooks=["payment.in-doubt", "payment.captured"]
    ),
    "programs were told ['payment.captured', 'payment.in-doubt']; the attempt is captured": changed(
        GOOD, was_unknown=True, webhooks=["payment.captured", "payment.in-doubt"]
    ),
    "who waits for a message has []; the attempt is failed": replace(
        NOTHING, said=[("0001", "Unknown")]
    ),
    "an invoice has 42.50 paid of 0 applied": replace(GOOD, lines=[LINE | {"applied": Decimal(0)}]),
    "a line is active with 0 of 42.50 paid": replace(
        NOTHING, lines=[UNPAID | {"status": "active"}]
    ),
    "a line is suspended with 42.50 of 42.50 paid": replace(
        GOOD, lines=[LINE | {"status": "suspended"}]
    ),
    "85.00 was taken for invoices of 42.50": replace(
        GOOD, sales=[SALE, replace(SALE, id="sale0002")]
    ),
    "not settled after 60 s": replace(GOOD, others=["not settled after 60 s"]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_promise_is_named(what: str) -> None:
    assert what in wrong(BROKEN[what])


def test_an_attempt_that_was_never_charged_may_be_left_while_its_node_runs() -> None:
    left = changed(NOTHING, state="created", webhooks=[])
    assert wrong(replace(left, may_be_left=True)) == []


def test_programs_may_hear_of_a_doubt_before_its_end() -> None:
    told = ["payment.in-doubt", "payment.captured"]
    assert wrong(changed(GOOD, was_unknown=True, webhooks=told)) == []
    assert wrong(changed(NOTHING, state="canceled", webhooks=[])) == []


def test_money_given_back_breaks_no_promise() -> None:
    assert wrong(replace(NOTHING, sales=[replace(SALE, status="voided")])) == []


def test_a_transaction_that_we_do_not_know_is_named() -> None:
    assert list(strangers([SALE], {ORDER: CAPTURED})) == []
    assert list(strangers([SALE], {})) == ["the gateway's saldo-0001 is not in our ledger"]
    assert list(strangers([SALE], {ORDER: FAILED})) == [
        "the gateway took saldo-0001, which is failed"
    ]
