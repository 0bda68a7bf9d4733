"""Where two ledgers do not say the same, and which of that a program may mend."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from ivr.billing.differences import Adopt, Become, Decline, GiveBack, Kind, Ours, compare
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState, Captured
from ivr.billing.transactions import Standing, Transaction
from tests.billing.test_doubts import AMOUNT, ATTEMPT, CAPTURED, DECLINED, PENDING, REFUSAL, SALE

SECOND = replace(
    SALE,
    id="tx2",
    created_at=SALE.created_at + timedelta(seconds=1),
    outcome=replace(CAPTURED, transaction_id="tx2"),
)
REFUND = replace(SALE, id="re1", refund_of="tx1", outcome=None)


def ours(state: AttemptState, transaction_id: str | None = "tx1") -> Ours:
    return Ours(replace(ATTEMPT, state=state), transaction_id)


def given_back(*ids: str, state: AttemptState = AttemptState.SETTLED) -> Ours:
    return replace(ours(state), refund_ids=ids)


def standing(value: Standing) -> Transaction:
    return replace(SALE, standing=value)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (ours(AttemptState.CAPTURED), [SALE]),
        (ours(AttemptState.SETTLED), [standing(Standing.SETTLED)]),
        (ours(AttemptState.VOIDED), [standing(Standing.VOIDED)]),
        (ours(AttemptState.RETURNED), [standing(Standing.RETURNED)]),
        (ours(AttemptState.REFUNDED), [standing(Standing.SETTLED), REFUND]),
        (ours(AttemptState.DECLINED, None), [DECLINED]),
        (ours(AttemptState.FAILED, None), []),
        (ours(AttemptState.CREATED, None), []),
        (ours(AttemptState.CHARGING, None), [SALE]),
        (ours(AttemptState.UNKNOWN, None), []),
        (ours(AttemptState.UNKNOWN, None), [PENDING]),
        (ours(AttemptState.FAILED, None), [standing(Standing.VOIDED)]),
        (ours(AttemptState.FAILED, None), [standing(Standing.SETTLED), REFUND]),
        (
            given_back("re1", state=AttemptState.CAPTURED),
            [SALE, replace(REFUND, amount=Money.of("2", "EUR"))],
        ),
        (given_back("re1", state=AttemptState.CAPTURED), [SALE]),
    ],
    ids=lambda value: value.attempt.state if isinstance(value, Ours) else "",
)
def test_what_is_the_same_or_on_its_way_is_no_difference(
    here: Ours, there: list[Transaction]
) -> None:
    assert compare([here], there) == []


@pytest.mark.parametrize(
    ("state", "there", "becomes"),
    [
        (AttemptState.CAPTURED, [standing(Standing.SETTLED)], AttemptState.SETTLED),
        (AttemptState.CAPTURED, [standing(Standing.VOIDED)], AttemptState.VOIDED),
        (AttemptState.CAPTURED, [standing(Standing.RETURNED)], AttemptState.RETURNED),
        (AttemptState.SETTLED, [standing(Standing.RETURNED)], AttemptState.RETURNED),
        (AttemptState.SETTLED, [standing(Standing.SETTLED), REFUND], AttemptState.REFUNDED),
        (AttemptState.REFUNDED, [standing(Standing.RETURNED), REFUND], AttemptState.RETURNED),
        (AttemptState.SETTLED, [standing(Standing.RETURNED), REFUND], AttemptState.RETURNED),
    ],
)
def test_a_payment_goes_on_as_it_did_at_the_gateway(
    state: AttemptState, there: list[Transaction], becomes: AttemptState
) -> None:
    (found,) = compare([ours(state)], there)
    assert (found.kind, found.mend) == (Kind.STATE, Become(becomes))


def test_while_staff_gives_money_back_its_state_is_left_alone() -> None:
    here = replace(ours(AttemptState.CAPTURED), is_being_refunded=True)
    assert compare([here], [standing(Standing.SETTLED), REFUND]) == []


@pytest.mark.parametrize(
    ("here", "parts", "there"),
    [
        (ours(AttemptState.SETTLED), ["2"], "2.00 EUR refunded"),
        (given_back("re0"), ["2", "1"], "1.00 EUR refunded"),
        (given_back("long ago, and more"), ["2"], "2.00 EUR refunded"),
    ],
)
def test_a_part_that_went_back_without_us_is_left_to_a_person(
    here: Ours, parts: list[str], there: str
) -> None:
    refunds = [
        replace(REFUND, id=f"re{place}", amount=Money.of(part, "EUR"))
        for place, part in enumerate(parts)
    ]
    (found,) = compare([here], [standing(Standing.SETTLED), *refunds])
    assert (found.kind, found.there, found.mend) == (Kind.REFUND, there, None)
    assert compare([replace(here, is_being_refunded=True)], [SALE, *refunds]) == []


def test_a_payment_is_settled_whatever_part_of_it_went_back_without_us() -> None:
    part = replace(REFUND, amount=Money.of("2", "EUR"))
    found = compare([ours(AttemptState.CAPTURED)], [standing(Standing.SETTLED), part])
    assert [(each.kind, each.mend) for each in found] == [
        (Kind.STATE, Become(AttemptState.SETTLED)),
        (Kind.REFUND, None),
    ]


@pytest.mark.parametrize(
    "state", [AttemptState.FAILED, AttemptState.DECLINED, AttemptState.CANCELED]
)
def test_money_taken_after_not_charged_was_told_goes_back(state: AttemptState) -> None:
    (found,) = compare([ours(state, None)], [SALE])
    assert (found.kind, found.mend) == (Kind.CHARGED_AFTER_ALL, GiveBack(CAPTURED))
    assert compare([ours(state, None)], [SALE], given_back={"tx1"}) == []


def test_what_was_sent_back_is_told_no_more_when_its_refund_lies_outside() -> None:
    settled = standing(Standing.SETTLED)
    assert compare([ours(AttemptState.FAILED, None)], [settled], given_back={"tx1"}) == []


def test_a_second_sale_of_a_paid_order_goes_back() -> None:
    (found,) = compare([ours(AttemptState.CAPTURED)], [SALE, SECOND])
    assert isinstance(SECOND.outcome, Captured)
    assert (found.kind, found.mend) == (Kind.TAKEN_TWICE, GiveBack(SECOND.outcome))


def test_an_unknown_outcome_is_adopted_from_the_books() -> None:
    unknown = ours(AttemptState.UNKNOWN, None)
    (taken,) = compare([unknown], [SALE])
    (refused,) = compare([unknown], [DECLINED])
    assert (taken.kind, taken.mend) == (Kind.UNRESOLVED, Adopt(CAPTURED))
    assert (refused.kind, refused.mend) == (Kind.UNRESOLVED, Decline(REFUSAL))


@pytest.mark.parametrize(
    ("here", "there", "kind"),
    [
        (None, [SALE], Kind.ONLY_THERE),
        (ours(AttemptState.CAPTURED), [], Kind.ONLY_HERE),
        (ours(AttemptState.CAPTURED, "tx7"), [], Kind.ONLY_HERE),
        (
            ours(AttemptState.CAPTURED),
            [replace(SALE, amount=Money.of("42.51", "EUR"))],
            Kind.AMOUNT,
        ),
        (
            ours(AttemptState.CAPTURED),
            [replace(SALE, amount=Money.of("42.50", "USD"))],
            Kind.AMOUNT,
        ),
        (ours(AttemptState.VOIDED), [SALE], Kind.STATE),
        (ours(AttemptState.SETTLED), [standing(Standing.VOIDED)], Kind.STATE),
        (ours(AttemptState.CREATED, None), [SALE], Kind.CHARGED_AFTER_ALL),
        (
            replace(ours(AttemptState.UNKNOWN, None), needs_person="another amount"),
            [],
            Kind.UNRESOLVED,
        ),
    ],
)
def test_what_no_program_may_judge_is_left_to_a_person(
    here: Ours | None, there: list[Transaction], kind: Kind
) -> None:
    (found,) = compare([here] if here else [], there)
    assert (found.kind, found.mend) == (kind, None)
    assert found.todo


def test_a_refusal_of_an_order_that_nobody_knows_moved_no_money() -> None:
    assert compare([], [DECLINED]) == []
    assert compare([], [replace(REFUND, order_id=f"saldo-refund-{uuid4()}")]) == []


def test_every_order_is_judged_by_itself_and_they_come_in_order() -> None:
    many = [
        Ours(replace(ATTEMPT, order_id=f"saldo-{n}", state=AttemptState.CAPTURED), f"tx-{n}")
        for n in range(5)
    ]
    there = [replace(SALE, id=f"tx-{n}", order_id=f"saldo-{n}") for n in (4, 2, 0)]
    found = compare(reversed(many), there)
    assert [each.order_id for each in found] == ["saldo-1", "saldo-3"]
    assert {each.here for each in found} == {f"captured {AMOUNT}"}
