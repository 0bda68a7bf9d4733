"""Words in what came down the line, as the speech model recognises them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import soxr

from ivr.lab.errors import LabError
from ivr.lab.phrasebook import LOUD, RATE, Samples
from ivr.settings import PROJECT
from ivr.speech.errors import ModelError
from ivr.speech.recogniser import VoskModel

MODELS = PROJECT / "grammars" / "models"
LONGEST_SECONDS = 60.0
"""so much is listened to at a time: the newest"""
PAUSE_SECONDS = 0.3
_WORD = re.compile(r"\w+")


class Transcriber:
    """Tells in which words something was said; make one and share it.

    `models` are the speech models' folders by language.
    """

    def __init__(self, models: Mapping[str, Path]) -> None:
        self._models = dict(models)

    def recognise(self, samples: Samples, language: str, among: Sequence[str] | None = None) -> str:
        """The words in a piece of sound, as far as the model knows them; takes a thread's time.

        `among` are the only words that can be meant, in any order. Raises LabError when this
        language cannot be recognised.
        """
        return _recognise(_model(self._folder(language), language), samples, among)

    def _folder(self, language: str) -> Path:
        folder = self._models.get(language)
        if folder is None:
            raise LabError(f"there is no speech model for {language!r}: hear a phrase instead")
        return folder


def plain(text: str) -> list[str]:
    """The words of a text without capitals, accents and signs."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("'", ""))
    return _WORD.findall("".join(sign for sign in apart if not unicodedata.combining(sign)))


def contains(text: str, wanted: str) -> bool:
    """Whether the wanted words are in the text, in this order; others may stand between them."""
    words = iter(plain(text))
    return all(word in words for word in plain(wanted))


def shipped_models() -> Mapping[str, Path]:
    """The models that the project brings."""
    return {folder.name: folder for folder in MODELS.iterdir()} if MODELS.is_dir() else {}


@cache
def _model(folder: Path, language: str) -> VoskModel:
    try:
        return VoskModel(folder, f"grammars/models, for {language}")
    except ModelError as error:
        raise LabError(str(error)) from None


def _recognise(model: VoskModel, samples: Samples, among: Sequence[str] | None) -> str:
    known = None if among is None else [word for word in among if model.knows(word)]
    recogniser = model.recogniser(known, 1)
    words = []
    for piece in _pieces(samples[-round(LONGEST_SECONDS * RATE) :]):
        sound = piece.astype("<i2")
        if model.rate != RATE:
            sound = np.rint(soxr.resample(piece, RATE, model.rate)).astype("<i2")
        recogniser.accept(sound.tobytes())
        words += [guess.words for guess in recogniser.finish()[:1]]
    return " ".join(words)


def _pieces(samples: Samples) -> Iterator[Samples]:
    """What was said between pauses: the recogniser forgets what came before a longer one."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
    if not len(loud):
        return
    pauses = np.flatnonzero(np.diff(loud) > PAUSE_SECONDS * RATE)
    around = round(PAUSE_SECONDS / 2 * RATE)
    begins = [int(loud[0]), *(int(loud[pause + 1]) for pause in pauses)]
    ends = [*(int(loud[pause]) for pause in pauses), int(loud[-1])]
    for begin, end in zip(begins, ends, strict=True):
        yield samples[max(0, begin - around) : end + around]
