"""How each word sounds, by listening to espeak-ng's own phonemes in several accents."""

from collections import Counter
from collections.abc import Iterable, Mapping

from grammars.build.espeak import Espeak, Sound, Tone
from grammars.build.phones import SOUNDS, Sounds
from grammars.build.vocabulary import Vocabulary

Pronunciation = tuple[str, ...]
Lexicon = Mapping[str, tuple[Pronunciation, ...]]

ACCENTS = {
    "en": ("en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc"),
    "es": ("es", "es-419"),
}
# What stands beside a word changes its ends: "four eight" links, "la bota" softens.
NEIGHBOURS = {"en": ("eight",), "es": ("ocho",)}
MOST = 5


def make(vocabulary: Vocabulary, espeak: Espeak) -> Lexicon:
    """Up to MOST pronunciations a word, the most common first."""
    heard: dict[str, Counter[Pronunciation]] = {word: Counter() for word in vocabulary.words}
    for accent in ACCENTS[vocabulary.language]:
        _listen(vocabulary, espeak, accent, vocabulary.words, heard)
    other = "es" if vocabulary.language == "en" else "en"
    for accent in ACCENTS[other][:2]:
        _listen(vocabulary, espeak, accent, sorted(vocabulary.foreign), heard)
    return {
        word: tuple(said for said, _ in counted.most_common(MOST))
        for word, counted in heard.items()
    }


def _listen(
    vocabulary: Vocabulary,
    espeak: Espeak,
    accent: str,
    words: Iterable[str],
    heard: dict[str, Counter[Pronunciation]],
) -> None:
    sounds = SOUNDS[vocabulary.language]
    general = frozenset(vocabulary.general)
    neighbour = NEIGHBOURS[vocabulary.language][0]
    tone = Tone(accent)
    for word in words:
        for text in vocabulary.said(word):
            spoken = espeak.say(f"{text}.", tone)
            heard[word][_sounds(spoken.sounds, sounds)] += 1
            if word in general:
                after = espeak.say(f"{text} {neighbour}.", tone).words
                said = [sound for one in after[:-1] for sound in one]
                if len(after) == len(spoken.words) + 1:
                    heard[word][_sounds(said, sounds)] += 1


def _sounds(said: Iterable[Sound], sounds: Sounds) -> Pronunciation:
    return tuple(name for sound in said for name in sounds.of(sound.name))
