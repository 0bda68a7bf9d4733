"""What can go wrong between a phrase and its sound.

SpeechError
├── CatalogueError        a catalogue on disk, or a recording beside it, is not usable
├── UnknownPhraseError    no phrase, or no language, of that name
├── MissingValueError     a phrase has a gap for which no value, or one of another type, came
├── UnspeakableError      a value cannot be said: unknown currency, too large, a secret
└── SynthesisError        the synthesiser gave no sound for a text
    └── SynthesisTimeoutError
"""


class SpeechError(Exception):
    """Something could not be said."""


class CatalogueError(SpeechError):
    """A prompt catalogue, or a recording beside it, is wrong; the message names file and phrase."""


class UnknownPhraseError(SpeechError):
    """No phrase, or no language, has this name."""


class MissingValueError(SpeechError):
    """A phrase has a gap for which no value came, or the value is of another type."""


class UnspeakableError(SpeechError):
    """A value lies outside of what can be said; the message never repeats a secret."""


class SynthesisError(SpeechError):
    """The synthesiser gave no sound for a text."""


class SynthesisTimeoutError(SynthesisError):
    """The synthesiser took too long over a text and was killed."""
