"""A card said, keyed, or half and half: what is asked and taken, and when only keys remain."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from ivr.billing.captures import (
    CARD_FIELDS,
    CaptureField,
    CaptureOutcome,
    CaptureResult,
    ErrorType,
)
from ivr.billing.payments import CardOnHand
from ivr.capture.hearing import Overheard
from ivr.capture.secret import SecretDigits
from ivr.capture.spoken_digits import SpokenField
from ivr.dialogue.endings import HungUp
from ivr.dialogue.hearing import COMMAND, Heard, Listening, Unheard
from tests.capture.secure_part import (
    AMEX_CODE,
    CODE,
    EXPIRY,
    not_a_test_card,
    pan,
)
from tests.capture.test_collecting import Segment, texts_in_memory
from tests.fakes.ears import ScriptedListening
from tests.fakes.line import HANGS_UP, Script

pytestmark = pytest.mark.usefixtures("nothing_kept")
SECONDS = 4.0
"""from when it is listened for until a field is made out"""


class Said(ScriptedListening):
    """Digits that are made out after a while, unless the listening is stopped before."""

    def __init__(self, digits: str, field: SpokenField, into: SecretDigits) -> None:
        super().__init__(SECONDS, Heard(field.expecting.grammar, "", ""))
        self._digits = digits
        self._into = into

    async def result(self) -> Heard | Unheard:
        heard = await super().result()
        for digit in self._digits:
            self._into.append(digit)
        return heard


Answer = str | Heard | Unheard
AGENT, AGAIN, BYE, SPANISH = (
    Heard(COMMAND, meaning, "") for meaning in ("agent", "repeat", "goodbye", "language=es")
)


class FakeCardEars:
    """A caller who says these things; deaf when there are no more."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.fields: list[SpokenField] = []
        self.languages: set[str] = set()
        self.looks = 0
        self.rests = 0
        self.is_open = False
        self.refuses_from = 10**6
        """the look at which the guard, or a lost voice, ends it"""
        self.overheard_from = 10**6

    async def may_speak(self, language: str) -> bool:
        self.looks += 1
        if self.looks >= self.overheard_from:
            raise Overheard(["a snoop"])
        self.is_open = self.looks < self.refuses_from
        return self.is_open

    async def listen(self, language: str, field: SpokenField, into: SecretDigits) -> Listening:
        assert self.is_open
        self.fields.append(field)
        self.languages.add(language)
        answer = self.answers.pop(0) if self.answers else Unheard.DEAF
        if isinstance(answer, str):
            return Said(answer, field, into)
        return ScriptedListening(SECONDS, answer)

    async def rest(self) -> None:
        self.rests += 1
        self.is_open = False


class Spoken(Segment):
    """One collection with a caller who speaks."""

    def __init__(self, *answers: Answer, script: Script = (), **request: object) -> None:
        super().__init__(script, **request)
        self.ears = FakeCardEars(*answers)
        self.entering.ears = self.ears

    async def run(self) -> CaptureOutcome:
        try:
            return await super().run()
        finally:
            assert not self.ears.is_open

    @property
    def errors(self) -> list[ErrorType | None]:
        return [each.error_type for each in self.progress]


async def test_a_card_that_is_said_becomes_a_token_and_nothing_is_read_back() -> None:
    segment = Spoken(pan(), EXPIRY, CODE)
    outcome = await segment.run()
    assert outcome.card
    assert outcome == CaptureOutcome(CaptureResult.SUCCESS, outcome.card)
    keyed = replace(outcome.card, card_hash="")
    assert keyed == CardOnHand("visa", "1111", EXPIRY, "tokencc_1")
    assert segment.gateway.sent == [
        {"number": pan(), "expirationMonth": "12", "expirationYear": "2030", "cvv": CODE}
    ]
    assert segment.line.phrases == [
        "secure_start_voice", "say_card_number", "card_noted", "say_expiry", "card_noted",
        "say_security_code", "hold_on",
    ]  # fmt: skip
    assert {heard.said.values for heard in segment.line.heard} == {""}


async def test_the_voice_is_heard_for_the_fields_alone() -> None:
    segment = Spoken(pan(), EXPIRY, CODE)
    original = segment.gateway.graphql

    async def graphql(*args: object) -> object:
        assert not segment.ears.is_open
        return await original(*args)  # type: ignore[arg-type]  # passed on as it came

    segment.gateway.graphql = graphql  # type: ignore[assignment,method-assign]  # looks first
    assert (await segment.run()).result is CaptureResult.SUCCESS


async def test_speaking_over_the_prompt_hushes_it() -> None:
    segment = Spoken(pan(), EXPIRY, CODE)
    await segment.run()
    question = segment.line.heard[1]
    assert question.until is not None
    assert question.until - question.at == pytest.approx(SECONDS - 3.0)  # spoke 4 s after the start


async def test_the_timers_for_the_first_word_are_those_for_the_first_key() -> None:
    segment = Spoken(pan(), EXPIRY, CODE, slow=True)
    await segment.run()
    waits = [field.expecting.patience_seconds for field in segment.ears.fields]
    assert waits == [40.0, 20.0, 20.0]


async def test_fields_may_be_said_and_keyed_by_turns() -> None:
    segment = Spoken(pan("amex"), Unheard.SILENCE, AMEX_CODE, script=(("say_expiry", EXPIRY),))
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases[2:6] == [
        "card_noted", "say_expiry", "expiry_is", "say_security_code.amex",
    ]  # fmt: skip


async def test_the_first_key_wins_the_field_and_what_was_said_is_dropped() -> None:
    segment = Spoken(not_a_test_card(), EXPIRY, CODE, script=(("secure_start_voice", pan() + "#"),))
    outcome = await segment.run()
    assert outcome.card is not None
    assert outcome.card.last4 == "1111"
    assert segment.gateway.sent[0]["number"] == pan()


async def test_keys_end_the_listening_before_it_makes_anything_out() -> None:
    segment = Spoken(pan("mastercard"), EXPIRY, CODE, script=(("say_card_number", "4"),))
    segment.line.script.append(("error.input-timeout", "**"))
    assert (await segment.run()).result is CaptureResult.CALLER_INTERRUPTED
    assert segment.errors == [ErrorType.INPUT_TIMEOUT]


async def test_a_mishearing_is_asked_again_and_not_blamed_on_the_card() -> None:
    segment = Spoken(Unheard.UNCLEAR, pan(), EXPIRY, CODE)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases[2:5] == ["card_misheard", "say_card_number.attempt2", "card_noted"]
    assert segment.errors == [ErrorType.INVALID_CARD_NUMBER, None, None, None]
    assert [each.masked for each in segment.progress] == ["••••", "••••1111", "••••", "••••"]


async def test_after_two_mishearings_only_keys_are_asked_for_to_the_end() -> None:
    script: Script = (
        ("ask_card_number.attempt3", pan() + "#"),
        ("ask_expiry", EXPIRY),
        ("ask_security_code", CODE),
    )
    segment = Spoken(Unheard.UNCLEAR, Unheard.TOO_MUCH, script=script)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases[4:] == [
        "card_misheard_use_keys", "last_try", "ask_card_number.attempt3", "card_number_is",
        "ask_expiry", "expiry_is", "ask_security_code", "hold_on",
    ]  # fmt: skip
    assert len(segment.ears.fields) == 2


async def test_the_last_try_after_a_mishearing_is_keyed() -> None:
    script: Script = (("ask_card_number.attempt3", pan() + "#"),)
    segment = Spoken(Unheard.SILENCE, Unheard.UNCLEAR, EXPIRY, CODE, script=script)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert "say_expiry" in segment.line.phrases


async def test_a_mishearing_that_was_mended_is_forgotten() -> None:
    segment = Spoken(Unheard.UNCLEAR, pan(), Unheard.UNCLEAR, EXPIRY, Unheard.UNCLEAR, CODE)
    assert (await segment.run()).result is CaptureResult.SUCCESS


async def test_silence_is_silence_and_the_keys_are_asked_for_as_ever() -> None:
    segment = Spoken(*[Unheard.SILENCE] * 3)
    outcome = await segment.run()
    assert outcome.result is CaptureResult.TOO_MANY_FAILED_ATTEMPTS
    assert outcome.error_type is ErrorType.INPUT_TIMEOUT
    first, second = [h.at for h in segment.line.heard if h.said.phrase == "error.input-timeout"]
    assert first == pytest.approx(6.0 + 20.0)
    assert second == pytest.approx(first + 6.0 + 20.0)


async def test_a_voice_that_is_lost_is_told_and_the_field_is_asked_for_by_keys() -> None:
    script: Script = (
        ("ask_card_number", pan() + "#"), ("ask_expiry", EXPIRY), ("ask_security_code", CODE),
    )  # fmt: skip
    segment = Spoken(Unheard.DEAF, script=script)
    segment.ears.refuses_from = 3
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases[1:4] == [
        "say_card_number", "card_misheard_use_keys", "ask_card_number",
    ]  # fmt: skip
    assert segment.errors == [None, None, None], "it cost no try"
    lost, told = segment.line.heard[1:3]
    assert lost.until is not None
    assert told.at - lost.until <= 2.0


async def test_a_voice_that_is_lost_leaves_the_keys_in_the_same_breath() -> None:
    script: Script = (
        ("say_card_number", pan() + "#"), ("ask_expiry", EXPIRY), ("ask_security_code", CODE),
    )  # fmt: skip
    segment = Spoken(Unheard.DEAF, script=script)
    segment.ears.refuses_from = 3
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases[2:4] == ["card_number_is", "ask_expiry"]


async def test_where_nobody_may_speak_the_segment_is_the_one_for_keys() -> None:
    script: Script = (
        ("ask_card_number", pan() + "#"), ("ask_expiry", EXPIRY), ("ask_security_code", CODE),
    )  # fmt: skip
    segment = Spoken(pan(), script=script)
    segment.ears.refuses_from = 1
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases[:3] == ["secure_start", "ask_card_number", "card_number_is"]
    assert segment.ears.fields == []


@pytest.mark.parametrize("look", [1, 2, 3, 4])
async def test_somebody_who_hears_ends_the_segment_at_the_next_question(look: int) -> None:
    segment = Spoken(pan(), EXPIRY, CODE)
    segment.ears.overheard_from = look
    with pytest.raises(Overheard):
        await segment.run()
    assert segment.gateway.asked == 0


async def test_a_brand_that_is_not_accepted_is_told_apart_from_a_mishearing() -> None:
    segment = Spoken(pan("amex"), pan(), EXPIRY, CODE, brands=("visa",))
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert "error.invalid-card-type" in segment.line.phrases
    assert "card_misheard" not in segment.line.phrases


async def test_a_real_card_is_refused_by_a_test_gateway_before_it_is_sent() -> None:
    segment = Spoken(not_a_test_card(), BYE)
    assert (await segment.run()).result is CaptureResult.CALLER_INTERRUPTED
    assert segment.errors == [ErrorType.INVALID_CARD_NUMBER]
    assert segment.gateway.asked == 0


@pytest.mark.parametrize(
    ("command", "result"),
    [(AGENT, CaptureResult.TRANSFERRED_TO_AGENT), (BYE, CaptureResult.CALLER_INTERRUPTED)],
)
async def test_who_wants_a_person_or_to_leave_may_say_so(
    command: Heard, result: CaptureResult
) -> None:
    segment = Spoken(pan(), command)
    assert (await segment.run()).result is result


async def test_a_question_is_repeated_on_request_and_costs_no_attempt() -> None:
    segment = Spoken(AGAIN, AGAIN, pan(), EXPIRY, CODE)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases.count("say_card_number") == 3
    assert segment.progress[0].attempt == 1


@pytest.mark.parametrize("answers", [[AGAIN] * 3, [SPANISH]], ids=["too often", "language"])
async def test_what_cannot_be_done_here_is_a_mishearing(answers: list[Heard]) -> None:
    segment = Spoken(*answers, pan(), EXPIRY, CODE)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert "card_misheard" in segment.line.phrases


async def test_star_clears_the_field_and_it_may_be_said_then() -> None:
    segment = Spoken(Unheard.SILENCE, pan(), EXPIRY, CODE, script=(("say_card_number", "4999*"),))
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases[2:4] == ["field_cleared", "card_noted"]


async def test_a_card_the_gateway_refuses_may_be_said_again() -> None:
    segment = Spoken(pan(), EXPIRY, CODE, pan("mastercard"), EXPIRY, CODE)
    segment.gateway.answers = []
    original = segment.collecting.connector.tokenise
    from ivr.capture.tokens import CardRefused  # noqa: PLC0415 - for this one test

    async def refuse(card: object) -> object:
        segment.collecting.connector.tokenise = original  # type: ignore[method-assign]  # once
        card.wipe()  # type: ignore[attr-defined]  # as the real one does
        return CardRefused(ErrorType.INVALID_CARD_NUMBER)

    segment.collecting.connector.tokenise = refuse  # type: ignore[method-assign,assignment]  # as above
    outcome = await segment.run()
    assert outcome.card is not None
    assert outcome.card.brand == "mastercard"
    assert segment.line.phrases.count("say_card_number.attempt2") == 1


async def test_a_postal_code_is_said_too() -> None:
    fields = (*CARD_FIELDS, CaptureField.POSTAL_CODE)
    segment = Spoken(pan(), EXPIRY, CODE, "28013", fields=fields)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.gateway.sent[0]["billingAddress"] == {"postalCode": "28013"}


async def test_a_hang_up_while_speaking_leaves_nothing() -> None:
    segment = Spoken(pan(), EXPIRY, CODE, script=(("say_expiry", HANGS_UP),))
    with pytest.raises(HungUp):
        await segment.run()
    assert segment.gateway.asked == 0


@pytest.mark.parametrize("seconds", [1.0, 3.5, 6.9, 8.0, 12.5])
async def test_stopping_at_any_moment_closes_the_ears(seconds: float) -> None:
    segment = Spoken(pan(), EXPIRY, CODE)
    task = asyncio.create_task(segment.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert segment.ears.rests >= 1
    assert not segment.ears.is_open


async def test_no_text_of_the_number_is_left_in_memory_or_in_a_log() -> None:
    number = not_a_test_card()
    segment = Spoken(number, EXPIRY, CODE)
    segment.take_every_card()
    segment.gateway.keeps = False
    with capture_logs() as logs:
        outcome = await segment.run()
    assert outcome.result is CaptureResult.SUCCESS
    assert number not in str(logs)
    del segment
    gc.collect()
    assert texts_in_memory(number) == []
