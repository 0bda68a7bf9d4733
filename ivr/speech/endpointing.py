"""Decides when a caller begins and ends speaking, from how loud the line is and what is heard.

Pure: loudness, words and seconds come in, a verdict comes out; no clock, no sound card. Seconds are
those of the sound itself, so a machine that is late does not cut a caller short.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum, auto

from ivr.speech.grammar import UNKNOWN

QUIETEST_DB = -90.0
"""what silence without any noise counts as; full scale is 0 dB"""
FRAME_SECONDS = 0.02
"""how much sound one loudness is measured over"""
FLOOR_AT_FIRST_DB = -45.0
FLOOR_FRAMES = 100
"""the floor is how soft the line is in the last two seconds: speech has gaps in so much time"""
FLOOR_SHARE = 0.1
"""so much of that time is softer than the floor: one lost packet must not be taken for it"""
FLOOR_BEGINS_WITH = 3
"""frames that the floor at first counts for"""
SILENT_FRAMES = 50
"""a line that was mostly digital silence for so long is a silent one; less of it are gaps"""
SMOOTHED_OVER_FRAMES = 3
ABOVE_FLOOR_DB = 9.0
LEAST_SPEECH_DB = -50.0
"""nothing softer is speech, however quiet the line is"""
CLICK_SECONDS = 0.06
"""what is no longer than this is a click"""
PAUSE_IN_A_SOUND_SECONDS = 0.2
"""a gap within a word, such as before a hard t; longer ends a burst"""
LEAST_WORD_SECONDS = 0.12
"""of loud sound before a word is believed to be the caller's, and hushes the prompt"""
NO_NEW_WORD_SECONDS = 1.5
"""when noise goes on and no word is added for so long, it is not the caller who goes on"""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    first_word: float = 6.0
    """from the end of the prompt until silence is taken for an answer"""
    after_complete: float = 0.3
    """of quiet, after words that answer the question"""
    after_incomplete: float = 0.9
    """of quiet, after words to which more belongs"""
    after_noise: float = 0.6
    """of quiet, after a sound in which no word was found"""
    longest: float = 10.0
    """of speaking on and on"""
    cough: float = 0.5
    """a wordless sound shorter than this is no try at answering"""
    after_too_little: float = 0.9
    """of quiet, after words that are no answer without more of them"""

    longest_noise: float = 6.0
    """of a sound that goes on and on without a word"""
    after_answer: float = 0.0
    """of quiet, after which a look is taken whether it was a whole answer; 0: no such look"""

    def slower(self, times: float, first_word: float) -> Patience:
        """The same with all pauses so many times as long."""
        return replace(
            self,
            first_word=first_word,
            after_complete=self.after_complete * times,
            after_incomplete=self.after_incomplete * times,
            after_too_little=self.after_too_little * times,
            longest=self.longest * max(1.0, times),
            after_answer=self.after_answer * times,
        )


class Verdict(Enum):
    """How far the caller is."""

    WAITING = auto()
    SPEAKING = auto()
    """words have been heard: hush the prompt"""
    ENDED = auto()
    """the words are complete"""
    SILENCE = auto()
    """nothing was said in time"""
    MUMBLED = auto()
    """something was said, and there is no word in it"""
    TOO_MUCH = auto()
    """the caller, or music, or a television, goes on and on"""


class Endpointer:
    """One answer. Feed it the loudness of every frame in order, and the words whenever they change.

    `listen` starts the patience for the first word: call it when the prompt is over.
    """

    def __init__(self, patience: Patience, floor_db: float = FLOOR_AT_FIRST_DB) -> None:
        self.patience = patience
        self._last = deque[float](maxlen=SMOOTHED_OVER_FRAMES)
        self._smoothed = deque([floor_db] * FLOOR_BEGINS_WITH, maxlen=FLOOR_FRAMES)
        self._silent = deque[bool](maxlen=SILENT_FRAMES)
        """which of the last frames were digital silence"""
        self._waits_since: float | None = None
        self._sound_began: float | None = None
        """of the burst of sound that goes on, or has just ended"""
        self._sound_seconds = 0.0
        """how much of that burst was loud"""
        self._sound_db = 0.0
        """how loud it was, summed over its loud frames"""
        self._loud_at: float | None = None
        """end of the last loud frame"""
        self._words = ""
        self._enough_quiet = patience.after_incomplete
        self._words_began: float | None = None
        self._words_at = 0.0
        self._mumbled = False
        self._looked_at: float | None = None
        """which last loud moment a look was taken at"""

    @property
    def floor_db(self) -> float:
        """The noise of the line, as far as known."""
        if sum(self._silent) * 2 > len(self._silent):
            return QUIETEST_DB
        ordered = sorted(self._smoothed)
        return ordered[int(len(ordered) * FLOOR_SHARE)]

    @property
    def is_sounding(self) -> bool:
        """Whether there is a sound to be understood: now, or a moment ago."""
        return self._sound_began is not None

    @property
    def loud_seconds(self) -> float:
        """How much of that sound was loud."""
        return self._sound_seconds

    @property
    def quiet_since(self) -> float:
        """When the caller was last loud; 0.0 before that."""
        return self._loud_at or 0.0

    @property
    def spoken_seconds(self) -> float:
        """From the beginning of the first word to the last loud moment."""
        return 0.0 if self._words_began is None else self.quiet_since - self._words_began

    def listen(self, at: float) -> None:
        """The prompt is over: from now on silence counts."""
        self._waits_since = at

    def hear(self, loudness_db: float, at: float) -> bool:
        """One frame that ended at `at`; whether it is loud."""
        is_loud = loudness_db > self._speech_db()
        if is_loud:
            self._take_loud(loudness_db, at)
        self._silent.append(loudness_db <= QUIETEST_DB)
        if loudness_db > QUIETEST_DB:  # no line is as quiet as a lost packet
            self._last.append(loudness_db)
            self._smoothed.append(sum(self._last) / len(self._last))
        return is_loud

    def understand(self, words: str, at: float, *, is_complete: bool | None) -> None:
        """What was understood up to `at`; `is_complete` when it answers the question as it is.

        None when it is no answer without more words.
        """
        known = " ".join(word for word in words.split() if word != UNKNOWN)
        if known and self._words_began is None:
            self._words_began = at if self._sound_began is None else self._sound_began
        if known != self._words:
            self._words, self._words_at = known, at
        self._enough_quiet = {
            True: self.patience.after_complete,
            False: self.patience.after_incomplete,
            None: self.patience.after_too_little,
        }[is_complete]

    def is_worth_a_look(self, at: float) -> bool:
        """Whether what was loud may have been a whole answer: just now it became quiet."""
        enough = self.patience.after_answer
        if not enough or self._loud_at is None or self._looked_at == self._loud_at:
            return False
        is_over = self.is_sounding and at - self._loud_at >= enough
        return is_over and self._sound_seconds >= LEAST_WORD_SECONDS

    def looked(self) -> None:
        """It was none, so far: look again at the end of the next sound only."""
        self._looked_at = self._loud_at

    def forget(self) -> None:
        """Keep no word of it: the verdict is known."""
        self._words = ""

    def verdict(self, at: float) -> Verdict:
        """How far the caller is at `at`, the end of the last frame."""
        if self._words_began is not None and self._words:
            return self._while_speaking(at, self._words_began)
        if self._sound_began is not None and self._loud_at is not None:
            if at - self._loud_at >= self.patience.after_noise:
                self._end_of_noise()
            elif self._listens_since(self._sound_began, at) > self.patience.longest_noise:
                return Verdict.TOO_MUCH
        if self._mumbled:
            return Verdict.MUMBLED
        if self._sound_began is None and self._waits_since is not None:
            waited = at - self._waits_since
            return Verdict.SILENCE if waited >= self.patience.first_word else Verdict.WAITING
        return Verdict.WAITING

    def _listens_since(self, began: float, at: float) -> float:
        """Seconds of the sound that began then, counted from the end of the prompt."""
        return 0.0 if self._waits_since is None else at - max(began, self._waits_since)

    def _while_speaking(self, at: float, began: float) -> Verdict:
        quiet = at - (self._words_at if self._loud_at is None else self._loud_at)
        enough = self._enough_quiet
        # The recogniser tells a word some time after it was said: never end before it can have.
        if quiet >= enough or at - self._words_at >= max(NO_NEW_WORD_SECONDS, enough):
            return Verdict.ENDED
        return Verdict.TOO_MUCH if at - began > self.patience.longest else Verdict.SPEAKING

    def _speech_db(self) -> float:
        return max(self.floor_db + ABOVE_FLOOR_DB, LEAST_SPEECH_DB)

    def _take_loud(self, loudness_db: float, at: float) -> None:
        began = at - FRAME_SECONDS
        is_new = self._loud_at is None or began - self._loud_at > PAUSE_IN_A_SOUND_SECONDS
        if self._sound_began is None or (is_new and self._sound_seconds <= CLICK_SECONDS):
            self._sound_began, self._sound_seconds, self._sound_db = began, 0.0, 0.0
        self._sound_seconds += FRAME_SECONDS
        self._sound_db += loudness_db * FRAME_SECONDS
        self._loud_at = at

    def _end_of_noise(self) -> None:
        """A burst without words is over: a cough, a try at an answer, or the line's own noise."""
        is_the_line = self._sound_db / self._sound_seconds <= self._speech_db()
        is_long = self._sound_seconds >= self.patience.cough
        is_asked = self._waits_since is not None
        self._mumbled = is_long and is_asked and not is_the_line
        self._sound_began, self._sound_seconds = None, 0.0


def loudness_db(samples_squared_mean: float) -> float:
    """Mean of the squared samples (of 16 bits) as decibels below full scale."""
    if samples_squared_mean <= 0:
        return QUIETEST_DB
    return max(QUIETEST_DB, 10 * math.log10(samples_squared_mean / 32768**2))
