"""Loads the speech model named on its command line, and lets it hear a second of silence.

Started by ivr/speech/models.py as a program, so that a model which crashes crashes only this.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ivr.speech.grammar import UNKNOWN
from ivr.speech.recogniser import VoskModel


def main() -> None:
    """Exit status 0 when it can be listened with, with and without a grammar."""
    folder, rate = sys.argv[1:]
    model = VoskModel(Path(folder), "on trial")
    for sentences in ([UNKNOWN], None):
        recogniser = model.recogniser(sentences, guesses=1)
        recogniser.accept(bytes(2 * int(rate)))
        recogniser.finish()


if __name__ == "__main__":
    main()
