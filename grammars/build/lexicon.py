"""How each word sounds, by listening to espeak-ng's own phonemes in several accents."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain

from grammars.build.espeak import Espeak, Sound, Tone
from grammars.build.phones import SOUNDS, Sounds
from grammars.build.vocabulary import Vocabulary

Pronunciation = tuple[str, ...]
Lexicon = Mapping[str, tuple[Pronunciation, ...]]

ACCENTS = {
    "en": ("en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc"),
    "es": ("es", "es-419"),
}
# What stands beside a word changes it: "four eight" links, "la bota" softens, "to pay" is weak.
NEIGHBOURS = {"en": ("call", "pay", "eight"), "es": ("quiero", "pago", "ocho")}
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
    before, after, vowel = NEIGHBOURS[vocabulary.language]
    tone = Tone(accent)
    for word in words:
        for text in vocabulary.said(word):
            spoken = espeak.say(f"{text}.", tone)
            heard[word][_sounds(spoken.sounds, sounds)] += 1
            if word not in general:
                continue
            linked = espeak.say(f"{text} {vowel}.", tone).words[:-1]
            amid = espeak.say(f"{before} {text} {after}.", tone).words[1:-1]
            for one in (linked, amid):
                if len(one) == len(spoken.words):
                    heard[word][_sounds(chain.from_iterable(one), sounds)] += 1


def _sounds(said: Iterable[Sound], sounds: Sounds) -> Pronunciation:
    return tuple(name for sound in said for name in sounds.of(sound.name))
