"""What a caller heard: which phrases, when, and where the line was dead."""

from __future__ import annotations

import bisect
import itertools
import wave
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ivr.lab.phrasebook import BLOCK, LOUD, RATE, Match, Phrasebook, Samples, first_loud

GAP_SECONDS = 0.04
"""A pause between packets from which it was a gap and not a late packet."""
PACKET_SECONDS = 0.02
DEAD_AIR_SECONDS = 2.0
_SAME_SECONDS = 0.2  # two pieces of one phrase agree on its beginning to within this
_BEFORE_SECONDS = 8.0  # how far back the opening of a phrase is looked for


@dataclass(frozen=True, slots=True)
class Heard:
    """A phrase that was said, at least for its first PIECE_SECONDS."""

    phrase_id: str
    language: str
    at: float
    """when its longest fixed sound began, on the clock that `add` was given"""
    opened: float | None
    """when its first audible sound began; None for a phrase that opens with a name or a number"""


class Hearing:
    """Takes what came down the line and when; knows nothing of clocks and files.

    `add` and `recognise` may run in two threads: one appends, the other reads what is there.
    """

    def __init__(self, phrasebook: Phrasebook) -> None:
        self._book = phrasebook
        self._samples: Samples = np.zeros(RATE * 60, np.int16)
        self._count = 0
        self._looked = 0
        self._spans: list[tuple[int, float]] = []  # first sample of a span without gap, its time
        self.heard: list[Heard] = []
        """in the order of their beginnings"""

    @property
    def seconds(self) -> float:
        """How much sound there was, gaps not counted."""
        return self._count / RATE

    @property
    def is_behind(self) -> bool:
        """Whether more than a second of sound waits to be looked at: the machine is busy."""
        return self._count - self._looked >= self._book.length + RATE

    def add(self, samples: Samples, at: float) -> None:
        """Take the sound of one or more packets, the last of which came at `at`."""
        if not len(samples):
            return
        began = at - max(0.0, len(samples) / RATE - PACKET_SECONDS)
        if not self._spans or began > self._time(self._count) + GAP_SECONDS:
            self._spans.append((self._count, began))
        end = self._count + len(samples)
        if end > len(self._samples):
            self._samples = np.concatenate([self._samples, np.zeros_like(self._samples)])
        self._samples[self._count : end] = samples
        self._count = end

    def recognise(self) -> list[Heard]:
        """Look at the sound that came since the last time; the phrases that are new."""
        new: list[Heard] = []
        until = self._count
        while until - self._looked >= self._book.length:
            first = self._looked
            block = self._samples[first : min(first + BLOCK, until)]
            # The best first: what is like it in part only is then told to be a part of it.
            for match in sorted(self._book.find(block), key=lambda one: -one.alike):
                new += self._keep(replace(match, begins=first + match.begins))
            # What begins in the last samples of a block is found in the next one.
            self._looked = first + len(block) - self._book.length + 1
        self.heard.sort(key=lambda one: one.at)
        return new

    def first_sound_after(self, instant: float) -> float | None:
        """When the first audible sound after an instant began; None if there was none yet."""
        first = self._sample(instant)
        found = first_loud(self._samples[first : self._count])
        return None if found is None else self._time(first + found)

    def since(self, instant: float) -> Samples:
        """What was heard after an instant, without the gaps."""
        return self.between(instant, float("inf"))

    def between(self, begin: float, end: float) -> Samples:
        """What was heard between two instants, without the gaps."""
        return self._samples[self._sample(begin) : self._sample(end)].copy()

    def dead_air(self, begin: float, end: float) -> list[tuple[float, float]]:
        """Silences of more than DEAD_AIR_SECONDS between two instants: when, and how long."""
        loud = np.nonzero(np.abs(self._samples[: self._count].astype(np.int32)) > LOUD)[0]
        # One look a packet is exact enough, and a call has millions of samples.
        packets = np.unique(loud // int(PACKET_SECONDS * RATE)) * int(PACKET_SECONDS * RATE)
        times = [begin, *(self._time(int(first)) for first in packets), end]
        inside = sorted(min(max(time, begin), end) for time in times)
        pairs = itertools.pairwise(inside)
        return [(one, two - one) for one, two in pairs if two - one > DEAD_AIR_SECONDS]

    def save(self, file: Path, begin: float) -> None:
        """Write what was heard from `begin` on as a WAV file, silence in place of gaps."""
        parts: list[Samples] = []
        written = 0
        ends = [first for first, _ in self._spans[1:]] + [self._count] * bool(self._spans)
        for (first, time), last in zip(self._spans, ends, strict=True):
            gap = max(0, round((time - begin) * RATE) - written)
            parts += [np.zeros(gap, np.int16), self._samples[first:last]]
            written += gap + last - first
        with wave.open(str(file), "wb") as recording:
            recording.setnchannels(1)
            recording.setsampwidth(2)
            recording.setframerate(RATE)
            recording.writeframes(b"".join(part.tobytes() for part in parts))

    def _keep(self, match: Match) -> list[Heard]:
        piece = match.piece
        longest = max(0, match.begins - piece.offset)
        at = self._time(match.begins) - piece.offset / RATE
        for known in self.heard[-10:]:
            same = (known.phrase_id, known.language) == (piece.phrase_id, piece.language)
            if same and abs(known.at - at) < _SAME_SECONDS:
                return []
        if not self._book.agrees(match, self._samples[: self._count]) or self._is_part(match):
            return []
        heard = Heard(piece.phrase_id, piece.language, at, self._opened(match, longest))
        self.heard.append(heard)
        return [heard]

    def _is_part(self, match: Match) -> bool:
        """Whether a phrase that is being said already has this sound in it."""
        sound = self._samples[: self._count]
        return any(
            self._book.explains(
                (known.phrase_id, known.language),
                match.begins - self._sample(known.at),
                match,
                sound,
            )
            for known in self.heard[-5:]
        )

    def _opened(self, match: Match, longest: int) -> float | None:
        earliest = max(0, longest - int(_BEFORE_SECONDS * RATE))
        back = self._book.opening(match, self._samples[earliest:longest])
        if back is None:
            return None
        begins = longest - back
        audible = first_loud(self._samples[begins : self._count])
        return self._time(begins + (audible or 0))

    def _time(self, sample: int) -> float:
        if not self._spans:
            return 0.0
        span = max(0, bisect.bisect_right(self._spans, sample, key=lambda one: one[0]) - 1)
        first, time = self._spans[span]
        return time + (sample - first) / RATE

    def _sample(self, instant: float) -> int:
        if not self._spans:
            return 0
        span = bisect.bisect_right(self._spans, instant, key=lambda one: one[1]) - 1
        if span < 0:
            return 0
        first, time = self._spans[span]
        last = self._spans[span + 1][0] if span + 1 < len(self._spans) else self._count
        return min(last, first + round(min(instant - time, self.seconds) * RATE))
