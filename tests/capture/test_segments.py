from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from ivr.billing.captures import CARD_FIELDS, CaptureRequest, CaptureResult, ErrorType
from ivr.capture.doctor.running import EVERY_CHANNEL, Subscriber
from ivr.capture.segments import RETURN_PAUSES_SECONDS, Segments
from ivr.capture.telling import ALIVE_SECONDS
from ivr.capture.tokenising import Tokenising
from ivr.dialogue.endings import LineError
from ivr.telephony.lending import CAPTURE_ALIVE, CAPTURE_ENDED, CAPTURE_PROGRESS
from tests.capture.secure_part import (
    CODE,
    EXPIRY,
    TODAY,
    FakeCaptures,
    FakeEyes,
    FakeGraphQl,
    LentLine,
    Prompts,
    good_facts,
    pan,
)
from tests.capture.test_card_by_voice import FakeCardEars
from tests.fakes.line import HANGS_UP, Script
from tests.fakes.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.usefixtures("nothing_kept")
CARD: Script = (
    ("ask_card_number", pan() + "#"),
    ("ask_expiry", EXPIRY),
    ("ask_security_code", CODE),
)


class Part:
    """A secure part with one caller in it."""

    def __init__(self, script: Script = CARD, *, limit_seconds: float = 600.0) -> None:
        self.id = uuid4()
        self.line = LentLine(script, capture_id=self.id)
        self.captures = FakeCaptures(CaptureRequest(self.id, "call-1", "en"))
        self.gateway = FakeGraphQl()
        self.eyes = FakeEyes()
        self.prompts = Prompts()
        self.told: list[tuple[str, Mapping[str, str]]] = []
        self.is_serve_away = False
        self.segments = Segments(
            self.captures,
            self.eyes,
            self.prompts,
            Tokenising(self.gateway),
            self._tell,
            limit_seconds,
            "saldo",
            lambda: TODAY,
        )

    async def _tell(self, name: str, variables: Mapping[str, str]) -> None:
        if self.is_serve_away:
            raise LineError("nobody there")
        self.told.append((name, variables))

    async def hold(self) -> None:
        try:
            await self.segments.take(self.line)
        finally:
            self.phrases = list(self.line.phrases)
            await self.line.quiet()

    def was_given_back_with(self, result: CaptureResult, capture_id: UUID | str = "-") -> bool:
        shown = self.id if capture_id == "-" else capture_id
        return self.line.moves == [("saldo", ("returned", str(shown), str(result)))]

    @property
    def result(self) -> CaptureResult | None:
        outcome = self.captures.outcomes.get(self.id)
        return outcome.result if outcome else None


async def test_a_caller_goes_back_with_the_token_kept() -> None:
    part = Part()
    await part.hold()
    assert part.was_given_back_with(CaptureResult.SUCCESS)
    card = part.captures.outcomes[part.id].card
    assert card is not None
    assert (card.brand, card.last4, card.token) == ("visa", "1111", "tokencc_1")


async def test_serve_is_told_that_the_caller_is_in_good_hands() -> None:
    part = Part(())
    await part.hold()
    beats = [variables for name, variables in part.told if name == CAPTURE_ALIVE]
    spent = part.line.now()
    assert len(beats) >= spent / ALIVE_SECONDS - 1
    assert all(beat == {"capture": str(part.id)} for beat in beats)


async def test_what_serve_is_told_holds_no_digit_beyond_the_last_four() -> None:
    part = Part()
    await part.hold()
    told = [dict(variables) for name, variables in part.told if name == CAPTURE_PROGRESS]
    assert [each.pop("capture") for each in told] == [str(part.id)] * 3
    assert told == [
        {
            "field": "payment-card-number",
            "state": "good",
            "masked": "••••1111",
            "attempt": "1",
            "error_type": "",
        },
        {
            "field": "expiration-date",
            "state": "good",
            "masked": "••••",
            "attempt": "1",
            "error_type": "",
        },
        {
            "field": "security-code",
            "state": "good",
            "masked": "••••",
            "attempt": "1",
            "error_type": "",
        },
    ]


async def test_a_serve_that_cannot_be_told_does_not_disturb_the_segment() -> None:
    part = Part()
    part.is_serve_away = True
    await part.hold()
    assert part.was_given_back_with(CaptureResult.SUCCESS)


async def test_any_doubt_of_the_guard_sends_the_caller_back_unasked() -> None:
    part = Part()
    part.eyes.facts = good_facts(version="22.9.0")
    with capture_logs() as logs:
        await part.hold()
    assert part.was_given_back_with(CaptureResult.INTERNAL_ERROR)
    assert part.phrases == []
    assert "22.10.1" in str(logs)


async def test_who_comes_to_listen_during_the_last_field_is_found_before_the_gateway_is_asked() -> (
    None
):
    part = Part()
    spy = Subscriber("spy", frozenset({EVERY_CHANNEL}), frozenset())
    part.eyes.later = good_facts(subscribers=(spy,))
    part.eyes.later_from = (
        1 + len(CARD_FIELDS) + 1
    )  # before the first prompt, and before every field
    with capture_logs() as logs:
        await part.hold()
    assert part.was_given_back_with(CaptureResult.INTERNAL_ERROR)
    assert "ask_security_code" in part.phrases
    assert part.gateway.asked == 0
    assert "spy is subscribed to all channels" in str(logs)


async def test_a_pbx_that_tells_nothing_is_a_doubt() -> None:
    part = Part()
    part.eyes.facts = None
    await part.hold()
    assert part.result is CaptureResult.INTERNAL_ERROR
    assert part.phrases == []


@pytest.mark.parametrize("args", [("collect",), ("collect", "no-id"), ("collect", str(uuid4()))])
async def test_a_capture_nobody_opened_sends_the_caller_back(args: tuple[str, ...]) -> None:
    part = Part()
    part.line.args = args
    await part.hold()
    ((app, (returned, _, result)),) = part.line.moves
    assert (app, returned, result) == ("saldo", "returned", "internal-error")
    assert part.phrases == []


async def test_a_capture_that_is_over_is_not_held_again() -> None:
    part = Part()
    await part.hold()
    again = LentLine(CARD, capture_id=part.id)
    await part.segments.take(again)
    assert again.moves[0][1][2] == "internal-error"
    assert again.phrases == []


async def test_a_caller_who_hangs_up_is_reported() -> None:
    part = Part((("ask_card_number", HANGS_UP),))
    await part.hold()
    assert part.line.moves == []
    assert part.result is CaptureResult.CALLER_HUNG_UP
    assert part.told[-1] == (
        CAPTURE_ENDED,
        {"capture": str(part.id), "result": "caller-hung-up"},
    )


async def test_a_database_that_stumbles_keeps_the_outcome_at_last() -> None:
    part = Part()
    part.gateway.answers = []
    await_close = part.captures.close

    async def stumbling(capture_id: UUID, outcome: object) -> None:
        part.captures.close = await_close  # type: ignore[method-assign]  # the second try succeeds
        part.captures.failures = 2
        await await_close(capture_id, outcome)  # type: ignore[arg-type]  # passed on as it came

    part.captures.close = stumbling  # type: ignore[method-assign]  # fails first
    await part.hold()
    assert part.was_given_back_with(CaptureResult.SUCCESS)
    assert part.result is CaptureResult.SUCCESS


async def test_a_token_that_cannot_be_kept_is_an_internal_error() -> None:
    part = Part()
    original = part.captures.request

    async def reads_then_dies(capture_id: UUID) -> CaptureRequest | None:
        request = await original(capture_id)
        part.captures.failures = 10**6
        return request

    part.captures.request = reads_then_dies  # type: ignore[method-assign]  # the database goes away
    await part.hold()
    assert part.was_given_back_with(CaptureResult.INTERNAL_ERROR)


async def test_a_database_that_is_away_at_first_sends_the_caller_back() -> None:
    part = Part()
    part.captures.failures = 1
    await part.hold()
    assert part.was_given_back_with(CaptureResult.INTERNAL_ERROR)
    assert part.phrases == []


async def test_a_caller_who_stays_too_long_is_given_back() -> None:
    part = Part((), limit_seconds=30.0)
    await part.hold()
    assert part.was_given_back_with(CaptureResult.CANCELED)
    assert part.result is CaptureResult.CANCELED


async def test_a_fault_of_ours_sends_the_caller_back() -> None:
    part = Part()
    part.prompts.broken.add("ask_expiry")
    with capture_logs() as logs:
        await part.hold()
    assert part.was_given_back_with(CaptureResult.INTERNAL_ERROR)
    assert part.captures.outcomes[part.id].error_type is ErrorType.INTERNAL_ERROR
    assert "segment_failed" in str(logs)


async def test_the_text_of_a_fault_is_not_logged_since_it_may_hold_what_was_keyed() -> None:
    part = Part()
    part.gateway.answers = [ValueError(f"what is {CODE}, {EXPIRY}?")]
    with capture_logs() as logs:
        await part.hold()
    (failure,) = [line for line in logs if line["event"] == "segment_failed"]
    assert failure["why"] == "ValueError"
    assert "exc_info" not in failure
    assert "what is" not in str(logs)


async def test_a_card_that_is_said_goes_back_as_a_keyed_one_does() -> None:
    part = Part(())
    part.segments.ears = lambda _: FakeCardEars(pan(), EXPIRY, CODE)
    await part.hold()
    assert part.was_given_back_with(CaptureResult.SUCCESS)
    told = [variables for name, variables in part.told if name == CAPTURE_PROGRESS]
    assert [each["masked"] for each in told] == ["••••1111", "••••", "••••"]


async def test_somebody_who_begins_to_listen_ends_the_segment_and_is_named_in_the_log() -> None:
    part = Part(())
    ears = FakeCardEars(pan(), EXPIRY, CODE)
    ears.overheard_from = 3
    part.segments.ears = lambda _: ears
    with capture_logs() as logs:
        await part.hold()
    assert part.was_given_back_with(CaptureResult.INTERNAL_ERROR)
    assert [line["why"] for line in logs if line["event"] == "segment_refused"] == [["a snoop"]]


async def test_a_serve_that_is_being_restarted_gets_its_caller() -> None:
    part = Part()
    part.line.serve_is_away = 4
    await part.hold()
    assert part.was_given_back_with(CaptureResult.SUCCESS)


async def test_a_caller_nobody_takes_back_goes_to_the_agents() -> None:
    part = Part()
    part.line.serve_is_away = 10**6
    await part.hold()
    assert part.line.moves == []
    assert part.line.transferred
    assert part.line.serve_is_away == 10**6 - len(RETURN_PAUSES_SECONDS)


async def test_stopping_at_any_moment_gives_the_caller_back_and_wipes() -> None:
    turns = await _turns_of_a_whole_segment()
    assert turns > 100
    for turn in range(2, turns, 7):
        part = Part()
        holding = asyncio.create_task(part.hold())
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.at_turn(turn, partial(_cancel, holding))
        with contextlib.suppress(asyncio.CancelledError):
            await holding
        assert len(part.line.moves) == 1, f"cancelled at turn {turn}"
        assert part.result in (CaptureResult.CANCELED, CaptureResult.SUCCESS)


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


async def _turns_of_a_whole_segment() -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    before = loop.turns
    await Part().hold()
    return loop.turns - before
