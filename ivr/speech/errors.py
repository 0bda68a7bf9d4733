"""What can go wrong between a phrase and its sound.

SpeechError
├── CatalogueError        a catalogue on disk, or a recording beside it, is not usable
├── UnknownPhraseError    no phrase, or no language, of that name
├── MissingValueError     a phrase has a gap for which no value, or one of another type, came
├── UnspeakableError      a value cannot be said: unknown currency, too large, a secret
└── SynthesisError        the synthesiser gave no sound for a text
    └── SynthesisTimeoutError

And between a sound and its words.

HearingError
├── GrammarError          a grammar on disk is not usable; the message names file and line
├── ModelError            a speech model is not usable; the message names folder and setting
├── InstallError          a speech model could not be brought; the message says what to do
├── EarsBusyError         no more callers can be listened to at once: use keys
└── DeafError             the caller's voice stopped coming, or came faster than it was understood
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


class HearingError(Exception):
    """Something could not be heard."""


class GrammarError(HearingError):
    """A grammar on disk is not usable; the message names the file and the line or the words."""


class ModelError(HearingError):
    """A speech model's folder is not usable; the message names the folder and the setting."""


class InstallError(HearingError):
    """A speech model could not be brought; nothing of it is left. The message says what to do."""


class EarsBusyError(HearingError):
    """No more callers can be listened to at once: they are asked for keys."""


class DeafError(HearingError):
    """The caller's voice stopped coming, or came faster than it could be understood."""
