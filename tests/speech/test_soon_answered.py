"""A whole answer is taken up soon after its last moment, and one that goes on loses nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.dialogue.hearing import Heard
from ivr.speech.recogniser import Guess
from tests.fakes.ears import BeepModel, BeepRecogniser, beep, quiet, words
from tests.speech.test_ears import YES_NO, hear, listening_to


async def test_a_whole_answer_is_taken_up_after_a_quarter_of_a_second_of_quiet() -> None:
    async with listening_to(quiet(1) + words(2) + quiet(5), BeepModel("yes please")) as mine:
        listening = await mine.listen("en", YES_NO)
        assert await listening.result() == Heard("yes_no", "yes", "yes please")
        assert 0.2 < getattr(listening, "delay_seconds") < 0.3  # noqa: B009 - not of the port


async def test_a_pause_within_an_answer_costs_none_of_its_words() -> None:
    sound = quiet(1) + words(1) + quiet(0.3) + words(1) + quiet(0.3) + words(1) + quiet(5)
    heard = await hear(sound, BeepModel("that is right"))
    assert heard == Heard("yes_no", "yes", "that is right")


async def test_a_word_that_is_told_too_late_for_the_sound_is_still_an_answer() -> None:
    """A burst shorter than a cough, of which the recogniser tells nothing until it is ended."""

    class Late(BeepRecogniser):
        def words(self) -> str:
            return ""

    class LateModel(BeepModel):
        def recogniser(self, sentences: Sequence[str] | None, guesses: int) -> Late:
            return Late(self.said, [Guess("yeah", 0.0)])

    assert await hear(quiet(1) + beep(0.2) + quiet(9), LateModel()) == Heard(
        "yes_no", "yes", "yeah"
    )
