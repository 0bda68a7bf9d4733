from __future__ import annotations

import pytest

from ivr.billing.captures import ErrorType
from ivr.billing.errors import GatewayNotReached
from ivr.billing.payments import CardOnHand
from ivr.capture.app import only_test_numbers
from ivr.capture.tokenising import Tokenising
from ivr.capture.tokens import CardRefused, GatewayAway
from ivr.gateways.errors import Fault, ValidationRefused
from tests.capture.secure_part import FakeGraphQl, not_a_test_card, pan
from tests.capture.test_fields import card


def fault(field: str) -> ValidationRefused:
    return ValidationRefused((Fault("81700", field, "is not right"),))


@pytest.mark.parametrize("failure", [None, GatewayNotReached("away"), fault("input.x")])
async def test_the_card_is_wiped_when_the_answer_is_there(failure: Exception | None) -> None:
    gateway, keyed = FakeGraphQl(), card(number=pan(), expiry="1230", code="123")
    gateway.answers = [failure] if failure else []
    answer = await Tokenising(gateway).tokenise(keyed)
    assert all(digits.is_wiped for digits in keyed.digits.values())
    assert isinstance(answer, GatewayAway if failure else CardOnHand)


async def test_a_number_that_is_no_test_card_is_never_sent_to_a_test_gateway() -> None:
    gateway = FakeGraphQl()
    keyed = card(number=not_a_test_card(), expiry="1230", code="123")
    answer = await Tokenising(gateway, only_test_numbers).tokenise(keyed)
    assert answer == CardRefused(ErrorType.INVALID_CARD_NUMBER)
    assert gateway.asked == 0
    assert all(digits.is_wiped for digits in keyed.digits.values())


@pytest.mark.parametrize(
    ("field", "error"),
    [
        ("input.creditCard.number", ErrorType.INVALID_CARD_NUMBER),
        ("input.creditCard.expirationMonth", ErrorType.INVALID_DATE),
        ("input.creditCard.expirationYear", ErrorType.INVALID_DATE),
        ("input.creditCard.cvv", ErrorType.INVALID_SECURITY_CODE),
        ("input.creditCard.billingAddress.postalCode", ErrorType.INVALID_POSTAL_CODE),
    ],
)
async def test_the_field_the_gateway_names_is_the_one_the_caller_hears_of(
    field: str, error: ErrorType
) -> None:
    gateway = FakeGraphQl()
    gateway.answers = [fault(field)]
    keyed = card(number=pan(), expiry="1230", code="123")
    assert await Tokenising(gateway).tokenise(keyed) == CardRefused(error)


async def test_a_token_comes_with_a_hash_that_tells_the_same_card_again() -> None:
    async def card_hash(key: bytes, expiry: str) -> str:
        keyed = card(number=pan(), expiry=expiry, code="123")
        answer = await Tokenising(FakeGraphQl(), hash_key=key).tokenise(keyed)
        assert isinstance(answer, CardOnHand)
        assert pan()[:12] not in repr(answer)
        return answer.card_hash

    assert await card_hash(b"company", "1230") == await card_hash(b"company", "0131")
    assert await card_hash(b"company", "1230") != await card_hash(b"other", "1230")
    assert await card_hash(b"", "1230") != await card_hash(b"", "1230")  # each program its own
