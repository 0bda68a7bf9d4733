"""The states of an attempt, and what is said and shown of it."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.methods import Method
from ivr.billing.payments import (
    TRANSITIONS,
    AttemptState,
    BankAccountOnHand,
    CardOnFile,
    CardOnHand,
    MeansOnHand,
    PayPalOnHand,
    confirmation_code,
)

OVER = {
    AttemptState.DECLINED,
    AttemptState.FAILED,
    AttemptState.CANCELED,
    AttemptState.VOIDED,
    AttemptState.RETURNED,
}
MEANS: tuple[MeansOnHand, ...] = (
    CardOnHand("visa", "1111", "1230", "secret"),
    CardOnFile(UUID(int=1), "visa", "1111", "1230", "secret"),
    BankAccountOnHand("0000", "checking", "secret"),
    PayPalOnHand("j…@example.com", "secret"),
)


@given(st.uuids())
def test_a_confirmation_is_eight_digits_and_always_the_same(attempt_id: UUID) -> None:
    code = confirmation_code(attempt_id)
    assert len(code) == 8
    assert code.isdecimal()
    assert confirmation_code(UUID(str(attempt_id))) == code


def test_money_is_captured_only_by_way_of_charging() -> None:
    before = {state for state, after in TRANSITIONS.items() if AttemptState.CAPTURED in after}
    assert before == {AttemptState.CHARGING, AttemptState.UNKNOWN}


def test_every_attempt_comes_to_an_end_and_stays_there() -> None:
    assert set(AttemptState) - set(TRANSITIONS) == OVER
    for after in TRANSITIONS.values():
        assert after & OVER


def test_only_what_was_captured_is_settled_or_given_back() -> None:
    taken = {AttemptState.CAPTURED, AttemptState.SETTLED}
    for state in (AttemptState.VOIDED, AttemptState.REFUNDED, AttemptState.RETURNED):
        before = {each for each, after in TRANSITIONS.items() if state in after}
        assert before <= taken | {AttemptState.REFUNDED}
    assert TRANSITIONS[AttemptState.REFUNDED] == {AttemptState.RETURNED}
    assert AttemptState.VOIDED not in TRANSITIONS[AttemptState.SETTLED]


def test_no_means_of_payment_shows_its_token_and_each_has_a_method_of_its_own() -> None:
    assert not [means for means in MEANS if "secret" in repr(means)]
    assert {means.method for means in MEANS} == set(Method)
