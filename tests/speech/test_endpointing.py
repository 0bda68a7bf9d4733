"""When a caller has begun and ended speaking, in seconds of sound that are passed in."""

from collections.abc import Iterator

import pytest

from ivr.speech.endpointing import FRAME_SECONDS, Endpointer, Patience, Verdict, loudness_db

SPEECH_DB = -20.0
QUIET_DB = -65.0


class Line:
    """A line of which a test says how loud it is, for how long, and what is understood."""

    def __init__(self, *, is_asked: bool = True, **patience: float) -> None:
        self.ends = Endpointer(Patience(**patience))
        self.at = 0.0
        self.verdicts: list[Verdict] = []
        if is_asked:
            self.ends.listen(0.0)

    def sounds(self, seconds: float, loudness_db: float, swing_db: float = 0.0) -> Verdict:
        """The last verdict, or the first one that ends the answer."""
        for swing in _swinging(seconds, swing_db):
            self.at += FRAME_SECONDS
            self.ends.hear(loudness_db + swing, self.at)
            verdict = self.ends.verdict(self.at)
            if not self.verdicts or self.verdicts[-1] is not verdict:
                self.verdicts.append(verdict)
            if verdict not in {Verdict.WAITING, Verdict.SPEAKING}:
                return verdict
        return self.verdicts[-1]

    def understands(self, words: str, *, is_complete: bool = False) -> None:
        self.ends.understand(words, self.at, is_complete=is_complete)

    def says(self, words: str, *, seconds: float = 0.5, is_complete: bool = False) -> Verdict:
        verdict = self.sounds(seconds, SPEECH_DB, swing_db=6)
        self.understands(words, is_complete=is_complete)
        return verdict

    def is_quiet(self, seconds: float) -> Verdict:
        return self.sounds(seconds, QUIET_DB)


def _swinging(seconds: float, swing_db: float) -> Iterator[float]:
    for frame in range(round(seconds / FRAME_SECONDS)):
        yield swing_db * (frame % 3 - 1)


def test_a_caller_who_says_nothing_is_silent_after_their_patience() -> None:
    line = Line(first_word=6)
    assert line.is_quiet(5.9) is Verdict.WAITING
    assert line.is_quiet(0.2) is Verdict.SILENCE


def test_silence_counts_only_from_the_end_of_the_prompt() -> None:
    line = Line(is_asked=False, first_word=6)
    assert line.is_quiet(30) is Verdict.WAITING
    line.ends.listen(line.at)
    assert line.is_quiet(5.9) is Verdict.WAITING
    assert line.is_quiet(0.2) is Verdict.SILENCE


def test_a_complete_answer_ends_after_a_short_pause() -> None:
    line = Line(after_complete=0.3, after_incomplete=0.9)
    line.is_quiet(1)
    line.says("yes", is_complete=True)
    assert line.is_quiet(0.26) is Verdict.SPEAKING
    assert line.is_quiet(0.06) is Verdict.ENDED


def test_an_incomplete_answer_is_given_time() -> None:
    line = Line(after_complete=0.3, after_incomplete=0.9)
    line.is_quiet(1)
    line.says("one oh")
    assert line.is_quiet(0.8) is Verdict.SPEAKING
    line.says("one oh four two", is_complete=True)
    assert line.is_quiet(0.32) is Verdict.ENDED


def test_words_are_told_as_speaking_so_that_the_prompt_can_be_hushed() -> None:
    line = Line(is_asked=False)
    line.is_quiet(1)
    assert line.sounds(0.3, SPEECH_DB, 6) is Verdict.WAITING
    line.understands("no")
    assert line.sounds(0.1, SPEECH_DB, 6) is Verdict.SPEAKING


def test_the_unknown_word_is_no_word() -> None:
    line = Line()
    line.is_quiet(1)
    line.sounds(0.3, SPEECH_DB, 6)
    line.understands("[unk]")
    assert line.sounds(0.1, SPEECH_DB, 6) is Verdict.WAITING


@pytest.mark.parametrize("seconds", [0.02, 0.04, 0.3])
def test_clicks_and_coughs_are_no_answers(seconds: float) -> None:
    line = Line(first_word=6, cough=0.5)
    line.is_quiet(1)
    line.sounds(seconds, SPEECH_DB)
    assert line.is_quiet(4) is Verdict.WAITING
    assert line.is_quiet(2) is Verdict.SILENCE


def test_a_mumble_is_a_try_at_answering() -> None:
    line = Line(cough=0.5, after_noise=0.6)
    line.is_quiet(1)
    line.sounds(0.8, SPEECH_DB, 6)
    assert line.is_quiet(0.7) is Verdict.MUMBLED


def test_a_mumble_while_the_prompt_plays_is_for_somebody_else() -> None:
    line = Line(is_asked=False, first_word=6)
    line.is_quiet(1)
    line.sounds(0.8, SPEECH_DB, 6)
    assert line.is_quiet(1) is Verdict.WAITING
    line.ends.listen(line.at)
    assert line.is_quiet(5.9) is Verdict.WAITING


def test_talking_on_and_on_is_too_much() -> None:
    line = Line(longest=10)
    line.is_quiet(1)
    line.says("yes")
    verdict = Verdict.SPEAKING
    for word in range(40):
        line.understands(f"yes and {word}")
        line.sounds(0.24, SPEECH_DB, 6)
        verdict = line.sounds(0.06, -50)
        if verdict is not Verdict.SPEAKING:
            break
    assert verdict is Verdict.TOO_MUCH
    assert 10.5 < line.at < 12


def test_music_without_words_does_not_hold_the_call_up() -> None:
    line = Line(longest=10)
    verdict = Verdict.WAITING
    while verdict is Verdict.WAITING and line.at < 20:
        verdict = line.sounds(0.4, -25, 4)
        verdict = line.sounds(0.1, -45) if verdict is Verdict.WAITING else verdict
    assert verdict in {Verdict.TOO_MUCH, Verdict.MUMBLED}
    assert line.at < 12


def test_an_even_noise_is_the_line_and_not_the_caller() -> None:
    line = Line(first_word=6)
    assert line.sounds(5.9, -35, 2) is Verdict.WAITING
    assert line.sounds(4, -35, 2) is Verdict.SILENCE


def test_words_end_also_where_the_noise_goes_on() -> None:
    line = Line(after_complete=0.3)
    line.sounds(2, -35, 2)
    line.says("yes", is_complete=True)
    assert line.sounds(1, -35, 2) is Verdict.ENDED


def test_a_noise_that_starts_while_speaking_does_not_keep_the_answer_open() -> None:
    line = Line(after_complete=0.3)
    line.is_quiet(1)
    line.says("yes", is_complete=True)
    assert line.sounds(1.6, -22, 6) is Verdict.ENDED


def test_a_soft_voice_on_a_quiet_line_is_heard() -> None:
    line = Line(after_complete=0.3)
    line.is_quiet(2)
    line.sounds(0.4, -44)
    line.understands("yes", is_complete=True)
    assert line.sounds(0.1, -44) is Verdict.SPEAKING
    assert line.is_quiet(0.35) is Verdict.ENDED


def test_whoever_speaks_at_once_is_heard_from_the_first_moment() -> None:
    line = Line(after_complete=0.3)
    line.says("yes please", is_complete=True)
    assert line.is_quiet(0.35) is Verdict.ENDED
    assert 0.4 < line.ends.spoken_seconds < 0.6


def test_loudness_is_in_decibels_below_full_scale() -> None:
    assert loudness_db(0) == -90
    assert loudness_db(32768**2) == pytest.approx(0)
    assert loudness_db(3276.8**2) == pytest.approx(-20)


def test_too_little_is_waited_for_longer_than_what_may_be_all() -> None:
    line = Line(after_incomplete=1.0, after_too_little=2.0)
    line.is_quiet(1)
    line.sounds(0.5, SPEECH_DB, 6)
    line.ends.understand("one oh", line.at, is_complete=None)
    assert line.is_quiet(1.9) is Verdict.SPEAKING
    line.sounds(0.3, SPEECH_DB, 6)
    line.ends.understand("one oh four two", line.at, is_complete=False)
    assert line.is_quiet(0.9) is Verdict.SPEAKING
    assert line.is_quiet(0.2) is Verdict.ENDED


def test_slow_callers_are_given_longer_pauses() -> None:
    slow = Patience(after_complete=0.3, after_incomplete=1.0).slower(2.0, first_word=9.0)
    assert (slow.after_complete, slow.after_incomplete, slow.first_word) == (0.6, 2.0, 9.0)


NOISE_DB = -48.0


def taken_for_speech_after_words(before: list[tuple[float, float]]) -> float:
    """How much of a line's noise, after so many seconds of such loudness and words of 0.7 s."""
    line = Line(first_word=9, after_complete=5)
    for seconds, loudness in before:
        line.sounds(seconds, loudness)
    line.sounds(0.7, -28, swing_db=6)
    line.understands("not today", is_complete=True)
    said_until = line.at
    line.sounds(1.5, NOISE_DB, swing_db=1)
    return line.ends.quiet_since - said_until


@pytest.mark.parametrize(
    "before",
    [
        [(3.0, NOISE_DB), (0.06, -90.0), (0.3, NOISE_DB)],
        [(3.0, -90.0), (0.3, NOISE_DB)],
    ],
    ids=["a lost packet", "a line that was silent before"],
)
def test_the_noise_after_the_words_is_not_taken_for_speech(
    before: list[tuple[float, float]],
) -> None:
    assert taken_for_speech_after_words(before) < 0.1
