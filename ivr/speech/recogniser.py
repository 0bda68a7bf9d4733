"""Vosk, wrapped: a model with its sample rate and vocabulary known, guesses as values.

Everything here blocks: it belongs into a thread (ears.py). Vosk lets other threads run meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import vosk

from ivr.speech.errors import ModelError
from ivr.speech.models import rate_of

_QUIET = -1


@dataclass(frozen=True, slots=True)
class Guess:
    """What may have been said."""

    words: str = field(repr=False)
    score: float
    """logarithm of how well words and sound fit; comparable for the same sound only"""


class Recogniser(Protocol):
    """One answer's decoding; one thread at a time."""

    def accept(self, sound: bytes) -> None:
        """Take in raw samples."""
        ...

    def words(self) -> str:
        """The words so far."""
        ...

    def finish(self) -> list[Guess]:
        """The guesses for everything since the beginning, likeliest first; then it begins anew."""
        ...

    def forget(self) -> None:
        """Begin anew; quick, while guesses for a noise can take minutes to be listed."""
        ...


class Model(Protocol):
    """One language's speech model."""

    @property
    def rate(self) -> int:
        """Samples a second."""
        ...

    def knows(self, word: str) -> bool: ...

    def recogniser(self, sentences: Sequence[str] | None, guesses: int) -> Recogniser:
        """One that listens for these sentences, and words of them in like order; None: for all."""
        ...


class VoskModel:
    """A model folder, loaded; shared by all recognisers of its language.

    `setting` is where the folder was named, for messages. Some broken files end the process: prove
    a folder that is not our own first (models.py).

    Raises ModelError.
    """

    def __init__(self, folder: Path, setting: str) -> None:
        self.rate = rate_of(folder, setting)
        vosk.SetLogLevel(_QUIET)
        try:
            self._model = vosk.Model(str(folder))
        except Exception as error:  # noqa: BLE001 - the binding raises nothing more precise
            raise ModelError(
                f"The speech model in {folder} ({setting}) is broken ({error}): "
                "fetch it again, or build it with `make speech-model`."
            ) from None

    def knows(self, word: str) -> bool:
        return int(self._model.vosk_model_find_word(word)) >= 0

    def recogniser(self, sentences: Sequence[str] | None, guesses: int) -> VoskRecogniser:
        told = () if sentences is None else (json.dumps(list(sentences), ensure_ascii=False),)
        recogniser = vosk.KaldiRecognizer(self._model, self.rate, *told)
        recogniser.SetMaxAlternatives(guesses)
        return VoskRecogniser(recogniser)


class VoskRecogniser:
    """One answer's decoding."""

    def __init__(self, recogniser: vosk.KaldiRecognizer) -> None:
        self._recogniser = recogniser

    def accept(self, sound: bytes) -> None:
        # Whether Vosk takes this for the end is not asked: endpointing.py decides.
        self._recogniser.AcceptWaveform(sound)

    def words(self) -> str:
        return str(json.loads(self._recogniser.PartialResult()).get("partial", ""))

    def finish(self) -> list[Guess]:
        found = json.loads(self._recogniser.FinalResult()).get("alternatives", ())
        self._recogniser.Reset()
        return [Guess(one["text"].strip(), float(one["confidence"])) for one in found]

    def forget(self) -> None:
        self._recogniser.Reset()
