from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from uuid import uuid4

import pytest

from ivr.billing.captures import (
    CARD_FIELDS,
    CaptureField,
    CaptureOutcome,
    CaptureRequest,
    CaptureResult,
    ErrorType,
)
from ivr.billing.errors import GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.payments import CardOnHand
from ivr.capture.app import only_test_numbers
from ivr.capture.collecting import Collecting
from ivr.capture.entering import Entering
from ivr.capture.telling import Progress
from ivr.capture.tokenising import Tokenising
from ivr.dialogue.endings import HungUp
from ivr.gateways.errors import Fault, ValidationRefused
from tests.capture.secure_part import (
    AMEX_CODE,
    CODE,
    EXPIRY,
    TODAY,
    FakeGraphQl,
    LentLine,
    Prompts,
    not_a_test_card,
    pan,
)
from tests.fakes.line import HANGS_UP, Script

pytestmark = pytest.mark.usefixtures("nothing_kept")
NUMBER_BAD = "error.invalid-card-number"
GOOD: Script = (("ask_expiry", EXPIRY), ("ask_security_code", CODE))


class Segment:
    """One collection with a scripted caller."""

    def __init__(self, script: Script, **request: object) -> None:
        self.line = LentLine(script)
        self.gateway = FakeGraphQl()
        self.progress: list[Progress] = []
        self.request = CaptureRequest(uuid4(), "call-1", "en", **request)  # type: ignore[arg-type]  # a test's short-hand
        connector = Tokenising(self.gateway, only_test_numbers)
        self.looks = 0
        self.entering = Entering(
            self.line, Prompts(), self.request, TODAY, connector.takes, self._look
        )
        self.collecting = Collecting(self.entering, connector, self._report)

    def take_every_card(self) -> None:
        """As a gateway that is no test gateway."""
        connector = Tokenising(self.gateway)
        self.collecting.connector, self.entering.takes = connector, connector.takes

    async def _look(self) -> None:
        self.looks += 1

    async def _report(self, progress: Progress) -> None:
        self.progress.append(progress)

    async def run(self) -> CaptureOutcome:
        try:
            return await self.collecting.collect()
        finally:
            await self.line.quiet()


async def test_a_card_becomes_a_token() -> None:
    segment = Segment((("ask_card_number", pan() + "#"), *GOOD))
    outcome = await segment.run()
    assert outcome.card
    assert outcome == CaptureOutcome(CaptureResult.SUCCESS, outcome.card)
    keyed = replace(outcome.card, card_hash="")
    assert keyed == CardOnHand("visa", "1111", EXPIRY, "tokencc_1")
    assert segment.gateway.sent == [
        {"number": pan(), "expirationMonth": "12", "expirationYear": "2030", "cvv": CODE}
    ]
    assert segment.line.phrases == [
        "secure_start", "ask_card_number", "card_number_is", "ask_expiry", "expiry_is",
        "ask_security_code", "hold_on",
    ]  # fmt: skip


async def test_progress_tells_no_more_than_it_may() -> None:
    segment = Segment((("ask_card_number", pan() + "#"), *GOOD))
    await segment.run()
    assert segment.progress == [
        Progress(CaptureField.CARD_NUMBER, "••••1111", 1, None),
        Progress(CaptureField.EXPIRATION_DATE, "••••", 1, None),
        Progress(CaptureField.SECURITY_CODE, "••••", 1, None),
    ]


async def test_an_expert_keys_through_and_hushes_every_prompt() -> None:
    segment = Segment((("secure_start", pan("mastercard") + EXPIRY + CODE),))
    outcome = await segment.run()
    assert outcome.card is not None
    assert outcome.card.brand == "mastercard"
    *prompts, hold_on = segment.line.heard
    assert hold_on.said.phrase == "hold_on"
    assert all(heard.until and heard.until - heard.at < 1.0 for heard in prompts)


async def test_keys_pressed_before_the_secure_part_are_not_part_of_the_card() -> None:
    segment = Segment((("ask_card_number", pan() + "#"), *GOOD))
    segment.line.press("99#")
    assert (await segment.run()).result is CaptureResult.SUCCESS


async def test_amex_is_asked_for_the_four_digits_on_its_front() -> None:
    segment = Segment(
        (
            ("ask_card_number", pan("amex")),
            ("ask_expiry", EXPIRY),
            ("ask_security_code.amex", AMEX_CODE),
        )
    )
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.gateway.sent[0]["cvv"] == AMEX_CODE


async def test_a_visa_number_is_taken_without_pound_after_a_pause() -> None:
    segment = Segment((("ask_card_number", pan()), *GOOD))
    assert (await segment.run()).result is CaptureResult.SUCCESS
    asked_next = segment.line.heard[2].at
    last_key = segment.line.heard[1].at + 0.5 + 15 * 0.2
    assert asked_next - last_key == pytest.approx(5.0)


async def test_a_slow_caller_has_twice_the_time() -> None:
    segment = Segment((("ask_card_number", pan()), *GOOD), slow=True)
    await segment.run()
    last_key = segment.line.heard[1].at + 0.5 + 15 * 0.2
    assert segment.line.heard[2].at - last_key == pytest.approx(10.0)


async def test_a_mistyped_card_is_asked_again() -> None:
    wrong = pan()[:-1] + "2#"
    segment = Segment(
        (("ask_card_number", wrong), ("ask_card_number.attempt2", pan() + "#"), *GOOD)
    )
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert NUMBER_BAD in segment.line.phrases
    assert segment.progress[0].error_type is ErrorType.INVALID_CARD_NUMBER
    assert "last_try" not in segment.line.phrases


async def test_three_mistyped_cards_are_enough() -> None:
    wrong = pan()[:-1] + "2#"
    segment = Segment(
        (
            ("ask_card_number", wrong),
            ("ask_card_number.attempt2", wrong),
            ("ask_card_number.attempt3", wrong),
        )
    )
    outcome = await segment.run()
    assert outcome == CaptureOutcome(
        CaptureResult.TOO_MANY_FAILED_ATTEMPTS, error_type=ErrorType.INVALID_CARD_NUMBER
    )
    last = segment.line.phrases.index("last_try")
    assert segment.line.phrases[last - 1 : last + 2] == [
        NUMBER_BAD, "last_try", "ask_card_number.attempt3",
    ]  # fmt: skip
    assert segment.gateway.asked == 0


async def test_silence_three_times_is_a_time_out() -> None:
    segment = Segment(())
    outcome = await segment.run()
    assert outcome.result is CaptureResult.TOO_MANY_FAILED_ATTEMPTS
    assert outcome.error_type is ErrorType.INPUT_TIMEOUT
    first, second = [h.at for h in segment.line.heard if h.said.phrase == "error.input-timeout"]
    assert first == pytest.approx(6.0 + 20.0)  # two phrases, then 20 s to find the card
    assert second == pytest.approx(first + 6.0 + 20.0)


async def test_a_brand_that_is_not_accepted_is_told_apart() -> None:
    segment = Segment(
        (
            ("ask_card_number", pan("amex")),
            ("ask_card_number.attempt2", pan() + "#"),
            *GOOD,
        ),
        brands=("visa", "mastercard"),
    )
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert "error.invalid-card-type" in segment.line.phrases


async def test_a_real_card_is_refused_by_a_test_gateway_before_it_is_sent() -> None:
    real = not_a_test_card()
    segment = Segment((("ask_card_number", real + "#"), ("ask_card_number.attempt2", "**")))
    assert (await segment.run()).result is CaptureResult.CALLER_INTERRUPTED
    assert NUMBER_BAD in segment.line.phrases
    assert segment.gateway.asked == 0


async def test_an_expired_card_is_asked_for_its_date_again() -> None:
    segment = Segment(
        (
            ("ask_card_number", pan() + "#"),
            ("ask_expiry", "1026"),
            ("ask_expiry.attempt2", "1126"),
            ("ask_security_code", CODE),
        )
    )
    outcome = await segment.run()
    assert outcome.card is not None
    assert outcome.card.expires == "1126"
    assert "error.invalid-date" in segment.line.phrases


async def test_star_clears_the_field_and_costs_no_attempt() -> None:
    segment = Segment(
        (("ask_card_number", "4999*"), ("field_cleared", pan() + "#"), *GOOD),
    )
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.progress[0].attempt == 1


@pytest.mark.parametrize("at", ["ask_card_number", "ask_expiry", "ask_security_code"])
async def test_star_twice_leaves_from_any_field(at: str) -> None:
    steps = {"ask_card_number": pan() + "#", "ask_expiry": EXPIRY, "ask_security_code": CODE}
    script: list[tuple[str, str]] = []
    for phrase, keys in steps.items():
        script.append((phrase, "**" if phrase == at else keys))
        if phrase == at:
            break
    segment = Segment(script)
    assert await segment.run() == CaptureOutcome(CaptureResult.CALLER_INTERRUPTED)
    assert segment.line.phrases[-1] == "card_left"
    assert segment.gateway.asked == 0


async def test_zero_twice_asks_for_a_person() -> None:
    segment = Segment((("ask_card_number", "00#"),))
    assert (await segment.run()).result is CaptureResult.TRANSFERRED_TO_AGENT


@pytest.mark.parametrize("keys", range(0, 17, 4))
async def test_a_hang_up_after_any_digit_leaves_nothing(keys: int) -> None:
    script: Script = (("ask_card_number", pan()[:keys]),)
    segment = Segment(script)
    leaving = asyncio.get_running_loop().call_later(
        3.0 + 0.5 + 0.2 * keys + 0.1, segment.line.leave
    )
    with pytest.raises(HungUp):
        await segment.run()
    leaving.cancel()
    assert segment.gateway.asked == 0


async def test_a_hang_up_while_the_token_is_made_leaves_nothing() -> None:
    segment = Segment((("ask_card_number", pan() + "#"), *GOOD, ("hold_on", HANGS_UP)))
    segment.gateway.seconds = 5.0
    with pytest.raises(HungUp):
        await segment.run()


@pytest.mark.parametrize(
    "failure",
    [
        GatewayNotReached("away"), OutcomeUnknown("reset"), GatewayRefused("wrong keys"),
        ValidationRefused((Fault("91565", "input.merchantAccountId", "unknown"),)),
    ],
    ids=lambda failure: type(failure).__name__,
)  # fmt: skip
async def test_a_gateway_that_is_away_is_nobodys_mistake(failure: Exception) -> None:
    segment = Segment((("ask_card_number", pan() + "#"), *GOOD))
    segment.gateway.answers = [failure]
    assert await segment.run() == CaptureOutcome(CaptureResult.PAYMENT_CONNECTOR_ERROR)


async def test_an_answer_without_a_token_is_no_success() -> None:
    segment = Segment((("ask_card_number", pan() + "#"), *GOOD))
    segment.gateway.answers = [{"tokenizeCreditCard": None}]
    assert (await segment.run()).result is CaptureResult.PAYMENT_CONNECTOR_ERROR


async def test_a_slow_gateway_is_waited_for_in_company_and_then_given_up() -> None:
    segment = Segment((("ask_card_number", pan() + "#"), *GOOD))
    segment.gateway.seconds = 100.0
    assert (await segment.run()).result is CaptureResult.PAYMENT_CONNECTOR_ERROR
    assert segment.line.phrases[-3:] == ["still_working"] * 3


async def test_a_card_the_gateway_refuses_is_keyed_again_from_the_start() -> None:
    fault = Fault("81715", "input.creditCard.number", "Credit card number is invalid.")
    segment = Segment(
        (
            ("ask_card_number", pan() + "#"), *GOOD,
            ("ask_card_number.attempt2", pan("mastercard")),
            ("ask_expiry.attempt2", EXPIRY), ("ask_security_code.attempt2", CODE),
        )
    )  # fmt: skip
    segment.gateway.answers = [ValidationRefused((fault,))]
    outcome = await segment.run()
    assert outcome.card is not None
    assert outcome.card.brand == "mastercard"
    assert segment.line.phrases.count("secure_start") == 1
    assert NUMBER_BAD in segment.line.phrases


async def test_a_card_the_gateway_always_refuses_ends_after_three() -> None:
    fault = Fault("81707", "input.creditCard.cvv", "CVV must be 4 digits.")
    number = ("ask_card_number", "ask_card_number.attempt2", "ask_card_number.attempt3")
    later = ("", ".attempt2", ".attempt2")
    script = [
        step
        for ask, variant in zip(number, later, strict=True)
        for step in (
            (ask, pan() + "#"),
            ("ask_expiry" + variant, EXPIRY),
            ("ask_security_code" + variant, CODE),
        )
    ]
    segment = Segment(script)
    segment.gateway.answers = [ValidationRefused((fault,))] * 3
    outcome = await segment.run()
    assert outcome == CaptureOutcome(
        CaptureResult.TOO_MANY_FAILED_ATTEMPTS, error_type=ErrorType.INVALID_SECURITY_CODE
    )


async def test_a_postal_code_goes_along_when_it_is_asked_for() -> None:
    segment = Segment(
        (("ask_card_number", pan() + "#"), *GOOD, ("ask_card_postal_code", "28013#")),
        fields=(*CARD_FIELDS, CaptureField.POSTAL_CODE),
    )
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.gateway.sent[0]["billingAddress"] == {"postalCode": "28013"}


@pytest.mark.parametrize("failure", [None, GatewayNotReached("away"), OutcomeUnknown("reset")])
async def test_no_text_of_the_number_is_left_in_memory(failure: Exception | None) -> None:
    number = not_a_test_card()
    segment = Segment((("ask_card_number", number + "#"), *GOOD))
    segment.take_every_card()
    segment.gateway.keeps = False
    segment.gateway.answers = [failure] if failure else []
    outcome = await segment.run()
    assert segment.gateway.asked == 1
    assert (outcome.result is CaptureResult.SUCCESS) == (failure is None)
    assert texts_in_memory(number) == []


async def test_a_text_of_the_number_that_is_left_would_be_found() -> None:
    number = not_a_test_card()
    kept = ["left " + number]
    assert texts_in_memory(number) == ["list"]
    del kept


def texts_in_memory(number: str) -> list[str]:
    """Where the collector sees a text with the number; the test's own and its caller's apart."""
    gc.collect()
    return [
        type(holder).__name__
        for holder in gc.get_objects()
        for each in gc.get_referents(holder)
        if type(each) is str and number in each and each not in (number, number + "#")
    ] + [
        type(holder).__name__
        for holder in gc.get_objects()
        if type(holder) is dict
        for each in holder.values()
        if type(each) is str and each == number and each is not number
    ]
