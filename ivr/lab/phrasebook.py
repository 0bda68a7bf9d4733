"""The phrases a caller can be told, as short pieces of sound that no two phrases share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ivr.lab.errors import LabError
from ivr.speech.catalogue import Catalogue, Fixed, Phrase
from ivr.speech.g711 import from_ulaw

RATE = 8000
"""Samples a second, of the prompts and of the line."""
PIECE_SECONDS = 0.6
"""So much of a phrase must have been heard; less would be alike in several phrases."""
LATER_SECONDS = 0.4
STEP_SECONDS = 0.3
PIECES = 5
"""Of a phrase. The first one is PIECE_SECONDS long and says by itself which phrase it is. The later
ones, LATER_SECONDS each, stand in for it when packets were lost, as it happens when a call begins
or a machine is busy."""
BLOCK = 16384
"""Samples looked at together, at most: each time the last piece's length is looked at once more."""
LOUD = 200
"""Of 32768: the synthesiser's own silence stays below, its quietest sound above."""
ALIKE = 0.93
"""Correlation from which two pieces are the same sound. With one voice, first pieces of different
phrases reach 0.78 (second ones 0.90: "…, then press the pound key"); the same piece reaches 1.00
through an undamaged line."""
GRAIN = 320
"""Samples: 40 ms. What was heard before a later piece is compared grain by grain"""
GRAIN_ALIKE = 0.9
MOST_HEARD_BEFORE = 0.4
"""So much of what comes before a later piece must have been heard where it belongs: different
phrases may go on alike."""
LIKELY = 0.95
"""So alike must the swelling of two sounds be before the sounds themselves are compared, which
takes twenty times as long; for the same first piece it is 0.978 and more, for a later one 0.955 in
999 of 1000."""
_HOP = 40  # samples: 5 ms
_SWELLS = (256, 512)  # the last at least BLOCK / _HOP; powers of two, for the Fourier transform
_TILT = 0.9  # takes away the low tones that all voiced sounds of one voice share
_QUIET = 50.0
_SHIFT = 400  # samples, a little more than two packets
_PACKET = 160
_LOST = 8  # packets that may be missing between a grain and a later piece
_TRAITS = re.compile(r"(_amex)?(_voice)?(_attempt\d)?")

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a phrase's fixed sound, by which the phrase is known."""

    phrase_id: str
    language: str
    offset: int
    """samples from the beginning of the phrase's longest fixed sound"""
    shape: Floats
    """tilted, of length one as a vector; PIECE_SECONDS or less"""


@dataclass(frozen=True, slots=True)
class Match:
    """A piece that was found: which, and at which sample it began."""

    piece: Piece
    begins: int
    alike: float = 1.0
    """the correlation: 1.0 for the same sound on an undamaged line"""


class Phrasebook:
    """Every phrase of a catalogue by its sound; make one and share it, it does not change."""

    def __init__(
        self,
        pieces: list[Piece],
        openings: dict[tuple[str, str], Floats | None],
        wholes: dict[tuple[str, str], Floats],
    ) -> None:
        self._pieces = pieces
        self._openings = openings
        self._wholes = wholes
        self.length = max((len(piece.shape) for piece in pieces), default=0)
        """samples of the longest piece"""

    @classmethod
    def load(cls, catalogue: Catalogue, sounds: Path) -> Phrasebook:
        """Read the built sounds of every phrase that has a fixed part.

        Raises LabError when a sound was not built.
        """
        pieces: list[Piece] = []
        openings: dict[tuple[str, str], Floats | None] = {}
        wholes: dict[tuple[str, str], Floats] = {}
        for phrase in catalogue.phrases():
            if not phrase.fixed:
                continue
            longest = max(phrase.fixed, key=lambda fixed: len(read_sound(sounds, fixed)))
            pieces += _pieces(phrase, read_sound(sounds, longest))
            openings[phrase.id, phrase.language] = _opening(phrase, longest, sounds)
            wholes[phrase.id, phrase.language] = _tilted(read_sound(sounds, longest))
        return cls(pieces, openings, wholes)

    def __contains__(self, phrase_id: str) -> bool:
        """Whether this phrase, or a variant of it, can be told by its sound."""
        return any(is_variant(piece.phrase_id, phrase_id) for piece in self._pieces)

    def find(self, samples: Samples) -> Iterator[Match]:
        """Every piece in at most BLOCK samples, where it begins."""
        if not self._pieces or len(samples) < self.length or np.abs(samples).max() <= LOUD:
            return
        tilted = _tilted(samples)
        swell = _swell(tilted)
        size = next(size for size in _SWELLS if size >= len(swell))
        products = np.fft.irfft(self._spectra[size] * np.fft.rfft(swell, size), size, axis=1)
        energy = _energy(tilted)
        for length, rows in self._rows.items():
            loudness = _spread(swell, length // _HOP)
            likely = products[rows, : len(loudness)] >= LIKELY * loudness
            for row in np.flatnonzero(likely.any(axis=1)):
                hops = np.flatnonzero(likely[row])
                if match := _best(self._pieces[rows[row]], hops, tilted, energy):
                    yield match

    def explains(self, phrase: tuple[str, str], offset: int, match: Match, heard: Samples) -> bool:
        """Whether what was found is a part of a phrase known already: at least as like it.

        "Thank you for your patience" inside one phrase is like the opening of "Thank you for
        calling". `offset` is where in the known phrase's longest fixed sound the match began.
        """
        length = len(match.piece.shape)
        part = self._wholes[phrase][max(0, offset) : offset + length]
        around = _tilted(heard[max(0, match.begins - _SHIFT) : match.begins + length + _SHIFT])
        if offset < -_SHIFT or len(part) < length - _SHIFT or len(around) <= len(part):
            return False
        products = np.correlate(around, part / max(float(np.linalg.norm(part)), 1.0), "valid")
        energy = _energy(around)
        loudness = np.sqrt(np.maximum(energy[len(part) :] - energy[: -len(part)], 1.0))
        return bool((products / loudness).max() >= match.alike)

    def agrees(self, match: Match, samples: Samples) -> bool:
        """Whether enough of what comes before a later piece was heard; the first one needs nothing.

        Different phrases may go on alike, so a later piece alone says nothing. In all, as much must
        have been heard as the first piece is long.
        """
        piece = match.piece
        first = self._firsts[piece.phrase_id, piece.language]
        if piece is first:
            return True
        whole = self._wholes[piece.phrase_id, piece.language]
        grains = _grains(whole[first.offset : piece.offset])
        heard = _heard(grains, match.begins, samples)
        enough = len(first.shape) - len(piece.shape)
        return heard * GRAIN >= enough and heard >= MOST_HEARD_BEFORE * len(grains)

    def opening(self, match: Match, before: Samples) -> int | None:
        """Samples from where the phrase began to the end of `before`, if that can be told.

        `before` is what was heard up to the beginning of the phrase's longest fixed sound. None
        when the phrase opens with something that differs from call to call.
        """
        opening = self._openings.get((match.piece.phrase_id, match.piece.language))
        if opening is None:
            return None
        if not len(opening):
            return 0
        return _last_place(opening, before)

    @cached_property
    def _firsts(self) -> dict[tuple[str, str], Piece]:
        firsts: dict[tuple[str, str], Piece] = {}
        for piece in self._pieces:
            firsts.setdefault((piece.phrase_id, piece.language), piece)
        return firsts

    @cached_property
    def _spectra(self) -> dict[int, npt.NDArray[np.complex64]]:
        """The pieces' swelling, for a transform of each size."""
        swells = np.zeros((len(self._pieces), _SWELLS[0]), np.float32)
        for row, piece in enumerate(self._pieces):
            swell = _swell(piece.shape)
            swell -= swell.mean()
            swells[row, : len(swell)] = swell / max(float(np.linalg.norm(swell)), 1e-9)
        return {
            size: np.conj(np.fft.rfft(swells, size, axis=1)).astype(np.complex64)
            for size in _SWELLS
        }

    @cached_property
    def _rows(self) -> dict[int, list[int]]:
        rows: dict[int, list[int]] = {}
        for row, piece in enumerate(self._pieces):
            rows.setdefault(len(piece.shape), []).append(row)
        return rows


def plain_id(written: str) -> str:
    """A phrase id as the catalogue has it: "ask_expiry.attempt2" is ask_expiry_attempt2."""
    return re.sub(r"[.-]", "_", written)


def is_variant(phrase_id: str, wanted: str) -> bool:
    """Whether a phrase is the wanted one, or that by voice, for another attempt or card."""
    return phrase_id == wanted or bool(
        phrase_id.startswith(wanted) and _TRAITS.fullmatch(phrase_id[len(wanted) :])
    )


def first_loud(samples: Samples) -> int | None:
    """The first sample that can be heard."""
    loud = np.abs(samples.astype(np.int32)) > LOUD
    return int(loud.argmax()) if loud.any() else None


def read_sound(sounds: Path, fixed: Fixed) -> Samples:
    """The built sound of a part. Raises LabError when it was not built."""
    file = sounds / f"{fixed.file}.ulaw"
    try:
        return from_ulaw(file.read_bytes())
    except OSError:
        raise LabError(f"{file} is missing: run `saldo prompts build`") from None


def _pieces(phrase: Phrase, sound: Samples) -> Iterator[Piece]:
    begins, longer = first_loud(sound) or 0, int(PIECE_SECONDS * RATE)
    length, step = int(LATER_SECONDS * RATE), int(STEP_SECONDS * RATE)
    yield Piece(phrase.id, phrase.language, begins, _shape(sound[begins : begins + longer]))
    last = len(sound) - length
    for place in range(1, PIECES):
        offset = min(begins + place * step, last)
        if offset > begins:
            piece = sound[offset : offset + length]
            yield Piece(phrase.id, phrase.language, offset, _shape(piece))
        if offset == last:
            return


def _grains(sound: Floats) -> Floats:
    """A sound in grains, up to its end."""
    return sound[len(sound) % GRAIN :].reshape(-1, GRAIN)


def _heard(grains: Floats, until: int, samples: Samples) -> int:
    """How many of these grains are before a sample, at their places or up to _LOST packets on."""
    begins = until - grains.size
    after = until + _LOST * _PACKET
    heard = np.concatenate(
        [np.zeros(max(0, -begins), np.float32), _tilted(samples[max(0, begins) : after])]
    )
    heard = np.pad(heard, (0, max(0, after - begins - len(heard))))
    wanted = np.linalg.norm(grains, axis=1)
    found = np.zeros(len(grains), bool)
    for lost in range(_LOST + 1):
        place = _grains(heard[lost * _PACKET : lost * _PACKET + grains.size])
        loudness = np.maximum(np.linalg.norm(place, axis=1), _QUIET * np.sqrt(GRAIN))
        found |= np.sum(place * grains, axis=1) >= GRAIN_ALIKE * wanted * loudness
    return int(found.sum())


def _opening(phrase: Phrase, longest: Fixed, sounds: Path) -> Floats | None:
    """The sound a phrase opens with: empty if that is its longest one, None if it has no such."""
    first = phrase.parts[0]
    if not isinstance(first, Fixed):
        return None
    if first == longest:
        return np.empty(0, np.float32)
    sound = read_sound(sounds, first)
    begins = first_loud(sound) or 0
    return _shape(sound[begins : begins + int(PIECE_SECONDS * RATE)])


def first_place(piece: Samples, samples: Samples) -> int | None:
    """The sample at which this piece of sound begins first; None when it is not there."""
    places = _places(_shape(piece), samples)
    return int(places[0]) if len(places) else None


def _last_place(shape: Floats, samples: Samples) -> int | None:
    places = _places(shape, samples)
    return len(samples) - int(places[-1]) if len(places) else None


def _places(shape: Floats, samples: Samples) -> npt.NDArray[np.intp]:
    """Every sample from which on it sounds like this."""
    if not len(shape) or len(samples) < len(shape):
        return np.empty(0, np.intp)
    tilted = _tilted(samples)
    size = 1 << (len(tilted) + len(shape)).bit_length()
    spectrum = np.fft.rfft(tilted, size) * np.conj(np.fft.rfft(shape, size))
    products = np.fft.irfft(spectrum, size)[: len(tilted) - len(shape) + 1]
    energy = _energy(tilted)
    around = energy[len(shape) :] - energy[: -len(shape)]
    return np.nonzero(products >= ALIKE * np.sqrt(np.maximum(around, 1.0)))[0]


def _best(
    piece: Piece, hops: npt.NDArray[np.intp], tilted: Floats, energy: npt.NDArray[np.float64]
) -> Match | None:
    """Where near these hops the sound is most like a piece; None when it is another sound."""
    best: Match | None = None
    length = len(piece.shape)
    ends = [*(np.flatnonzero(hops[1:] - hops[:-1] > 1) + 1), len(hops)] if len(hops) > 1 else [1]
    for begins, ends_at in pairwise([0, *ends]):
        first = max(0, (int(hops[begins]) - 1) * _HOP)
        around = tilted[first : (int(hops[ends_at - 1]) + 2) * _HOP + length]
        products = np.correlate(around, piece.shape, "valid")
        upto = energy[first : first + len(around) + 1]
        loudness = np.sqrt(np.maximum(upto[length:] - upto[:-length], length * _QUIET**2))
        likeness = products / loudness
        place = int(likeness.argmax())
        alike = float(likeness[place])
        if alike >= ALIKE and (best is None or alike > best.alike):
            best = Match(piece, first + place, alike)
    return best


def _energy(tilted: Floats) -> npt.NDArray[np.float64]:
    """The energy before each sample: what is between two of them is a difference."""
    return np.concatenate(([0.0], np.cumsum(tilted.astype(np.float64) ** 2)))


def _swell(tilted: Floats) -> Floats:
    """How loud it is from hop to hop, a little smoothed."""
    hops = tilted[: len(tilted) // _HOP * _HOP].reshape(-1, _HOP)
    loudness = np.sqrt(np.mean(hops * hops, axis=1))
    smooth: Floats = np.convolve(loudness, np.array((0.25, 0.5, 0.25), np.float32), "same")
    return smooth


def _spread(swell: Floats, length: int) -> Floats:
    """By how much the loudness differs from its mean, in each window of so many hops."""
    exact = swell.astype(np.float64)
    sums = np.concatenate(([0.0], np.cumsum(exact)))
    squares = np.concatenate(([0.0], np.cumsum(exact**2)))
    total, energy = sums[length:] - sums[:-length], squares[length:] - squares[:-length]
    spread: Floats = np.sqrt(np.maximum(energy - total**2 / length, 1.0)).astype(np.float32)
    return spread


def _shape(sound: Samples) -> Floats:
    tilted = _tilted(sound)
    length = np.linalg.norm(tilted)
    shape: Floats = (tilted / length if length else tilted).astype(np.float32)
    return shape


def _tilted(samples: Samples) -> Floats:
    tilted = samples.astype(np.float32)
    tilted[1:] -= np.float32(_TILT) * samples[:-1].astype(np.float32)
    return tilted
