"""The states of an attempt, and what is said and shown of it."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.payments import TRANSITIONS, AttemptState, CardOnHand, confirmation_code

OVER = {
    AttemptState.CAPTURED,
    AttemptState.DECLINED,
    AttemptState.FAILED,
    AttemptState.CANCELED,
}


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


def test_a_card_on_hand_does_not_show_its_token() -> None:
    assert "secret" not in repr(CardOnHand("visa", "1111", "1230", "secret"))
