"""What a phrase sounds like with nothing in its gaps."""

from pathlib import Path

import numpy as np

from ivr.lab.phrasebook import Samples
from ivr.speech.catalogue import Phrase
from ivr.speech.g711 import from_ulaw


def sound_of(phrase: Phrase, sounds: Path) -> Samples:
    parts = [from_ulaw((sounds / f"{part.file}.ulaw").read_bytes()) for part in phrase.fixed]
    return np.concatenate(parts)


def opening_of(phrase: Phrase, sounds: Path) -> Samples:
    """As much of it as it takes to know it: up to 1.5 s of its longest part."""
    parts = [from_ulaw((sounds / f"{part.file}.ulaw").read_bytes()) for part in phrase.fixed]
    longest = max(range(len(parts)), key=lambda place: len(parts[place]))
    return np.concatenate([*parts[:longest], parts[longest][:12000]])
