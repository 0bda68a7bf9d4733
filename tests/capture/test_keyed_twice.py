"""An account number has no check digit: it is keyed twice, and nothing is taken that differs."""

from __future__ import annotations

import itertools
import random

import pytest

from ivr.billing.assisted_captures import FieldState
from ivr.billing.captures import CaptureOutcome, CaptureResult, ErrorType
from ivr.capture.hearing import Overheard
from ivr.capture.telling import Progress
from ivr.gateways.test_accounts import ROUTING_NUMBER
from tests.capture.test_bank_accounts import (
    ACCOUNT,
    AGAIN,
    ANEW,
    CHOICES,
    NOT_THE_SAME,
    NUMBER,
    ONCE,
    SAME,
    TO_THE_ACCOUNT,
    Segment,
)
from tests.capture.test_collecting import texts_in_memory

pytestmark = pytest.mark.usefixtures("nothing_kept")


def typed_ahead(keys: str) -> Segment:
    """Of a caller who keys all this before anything is said."""
    segment = Segment(())
    looks = segment.entering.look

    async def look() -> None:
        if not segment.looks:
            segment.line.press(keys)
        await looks()

    segment.entering.look = look
    return segment


async def test_two_numbers_that_differ_are_both_asked_for_again() -> None:
    wrong = NUMBER[:-1] + "9#"
    segment = Segment((
        *(*TO_THE_ACCOUNT, *ONCE, (AGAIN, wrong)),
        *(*ANEW, *SAME, *CHOICES),
    ))  # fmt: skip
    assert (await segment.run()).result is CaptureResult.SUCCESS
    phrases = segment.line.phrases
    asked = [*ONCE, *SAME, (NOT_THE_SAME, ""), *ANEW, *SAME, ("bank_account_number_is", "")]
    first = phrases.index("ask_bank_account_number")
    assert phrases[first : first + len(asked)] == [phrase for phrase, _ in asked]
    assert [sent["accountNumber"] for sent in segment.gateway.sent] == [NUMBER]


async def test_of_numbers_that_differ_nothing_is_told_but_that_they_do() -> None:
    told = []
    for wrong in (NUMBER[:-1] + "9#", NUMBER[:5] + "#", NUMBER + "1234567"):
        segment = Segment((*TO_THE_ACCOUNT, *ONCE, (AGAIN, wrong), *ANEW, *SAME, *CHOICES))
        await segment.run()
        told.append(segment.progress[1:3])
    failed = ErrorType.INPUT_MATCHING_FAILED
    differ = Progress(ACCOUNT, "••••", 1, failed, FieldState.WRONG)
    assert told == [[differ, Progress(ACCOUNT, "••••0000", 2, None)]] * 3


async def test_of_a_number_that_is_not_taken_nothing_is_told() -> None:
    segment = Segment((*TO_THE_ACCOUNT, ("ask_bank_account_number", "73951824#"), *ANEW, *SAME))
    await segment.run()
    invalid = ErrorType.INVALID_ACCOUNT_NUMBER
    assert segment.progress[1:3] == [
        Progress(ACCOUNT, "••••", 1, invalid, FieldState.WRONG),
        Progress(ACCOUNT, "••••0000", 2, None),
    ]


async def test_two_numbers_that_differ_three_times_are_the_end() -> None:
    segment = Segment((
        *(*TO_THE_ACCOUNT, *ONCE, (AGAIN, "1234#")),
        *(*ANEW, (AGAIN, "1234#")),
        *(*ANEW, (AGAIN, "1234#")),
    ))  # fmt: skip
    assert await segment.run() == CaptureOutcome(
        CaptureResult.TOO_MANY_FAILED_ATTEMPTS, error_type=ErrorType.INPUT_MATCHING_FAILED
    )
    assert segment.line.phrases.count("last_try") == 1
    assert "bank_account_number_is" not in segment.line.phrases
    assert segment.gateway.asked == 0


async def test_every_kind_of_mistake_with_the_number_counts_as_one_of_three() -> None:
    segment = Segment((
        *(*TO_THE_ACCOUNT, ("ask_bank_account_number", "12#")),
        *(*ANEW, (AGAIN, "1234#")),
        *(*ANEW, (AGAIN, "1")),
    ))  # fmt: skip
    outcome = await segment.run()
    assert outcome.error_type is ErrorType.INPUT_TIMEOUT
    assert [told.error_type for told in segment.progress[1:]] == [
        ErrorType.INVALID_ACCOUNT_NUMBER,
        ErrorType.INPUT_MATCHING_FAILED,
        ErrorType.INPUT_TIMEOUT,
    ]


@pytest.mark.parametrize(("slow", "seconds"), [(False, 20.0), (True, 40.0)])
async def test_the_second_number_is_waited_for_as_long_as_the_first(
    *, slow: bool, seconds: float
) -> None:
    segment = Segment((*TO_THE_ACCOUNT, *ONCE), slow=slow)
    await segment.run()
    heard = {each.said.phrase: each for each in reversed(segment.line.heard)}
    asked = heard[AGAIN].until
    assert asked is not None
    assert heard["error.input-timeout"].at == pytest.approx(asked + seconds)


async def test_a_number_of_full_length_may_be_typed_ahead_with_the_pound_key_or_without() -> None:
    number = "73951824607593814"
    for first, second in itertools.product((number, number + "#"), repeat=2):
        segment = typed_ahead(ROUTING_NUMBER + first + second + "11")
        segment.take_every_number()
        assert (await segment.run()).result is CaptureResult.SUCCESS
        assert segment.line.phrases == ["hold_on"]
        assert segment.gateway.sent[0]["accountNumber"] == number


async def test_what_was_typed_ahead_of_numbers_that_differ_answers_nothing_else() -> None:
    segment = typed_ahead(ROUTING_NUMBER + NUMBER + "#" + NUMBER[:-1] + "#11")
    segment.line.script = [*ANEW, *SAME, *CHOICES]
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.line.phrases[:3] == [NOT_THE_SAME, "ask_bank_account_number.attempt2", AGAIN]


@pytest.mark.parametrize(("first", "second"), [(6, 10), (10, 6)])
async def test_a_number_cut_short_by_a_pause_is_not_taken_as_whole(first: int, second: int) -> None:
    """Nothing ends the shorter of the two but five seconds."""
    keys = {count: NUMBER[:count] + "#" * (count == len(NUMBER)) for count in (first, second)}
    segment = Segment((
        *(*TO_THE_ACCOUNT, ("ask_bank_account_number", keys[first]), (AGAIN, keys[second])),
        *(*ANEW, *SAME, *CHOICES),
    ))  # fmt: skip
    segment.take_every_number()
    outcome = await segment.run()
    assert outcome.account
    assert segment.progress[1].error_type is ErrorType.INPUT_MATCHING_FAILED
    assert segment.gateway.sent[0]["accountNumber"] == NUMBER


async def test_a_number_cut_short_by_a_pause_that_is_keyed_to_its_end_is_not_taken() -> None:
    """The caller did not notice, and went on keying while the number was asked for again."""
    segment = Segment((
        *(*TO_THE_ACCOUNT, ("ask_bank_account_number", NUMBER[:6]), (AGAIN, NUMBER[6:] + "#")),
        *(*ANEW, *SAME, *CHOICES),
    ))  # fmt: skip
    segment.take_every_number()
    assert (await segment.run()).account
    assert segment.progress[1].error_type is ErrorType.INPUT_MATCHING_FAILED


async def test_a_person_can_be_asked_for_when_the_number_is_wanted_again() -> None:
    segment = Segment((*TO_THE_ACCOUNT, *ONCE, (AGAIN, "00#")))
    assert (await segment.run()).result is CaptureResult.TRANSFERRED_TO_AGENT


async def test_who_listens_in_before_the_number_is_keyed_again_ends_it() -> None:
    segment = Segment((*TO_THE_ACCOUNT, *ONCE, *SAME, *CHOICES))
    segment.overheard_at = 4  # before the segment, the routing number, the number, and now
    with pytest.raises(Overheard):
        await segment.run()
    assert segment.line.phrases[-1] == "ask_bank_account_number"


async def test_no_text_of_the_number_is_left_in_memory() -> None:
    number = "".join(random.choices("123456789", k=11))
    for second in (number, number[:-1]):
        segment = Segment((
            *(*TO_THE_ACCOUNT, ("ask_bank_account_number", number + "#"), (AGAIN, second + "#")),
            *(("ask_bank_account_number.attempt2", "**") if second != number else CHOICES),
        ))  # fmt: skip
        segment.take_every_number()
        segment.gateway.keeps = False
        await segment.run()
        assert texts_in_memory(number) == []
