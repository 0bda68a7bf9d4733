"""How names sound on a telephone: their phones, how far two sounds are apart, what finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

ACCENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"en": ("en-us", "en-gb-x-rp"), "es": ("es", "es-419")}
)
"""Each language's accents, by their espeak-ng voices, the commonest first."""
ALL_ACCENTS = tuple(voice for voices in ACCENTS.values() for voice in voices)

VOWELS = {
    "i": (0.0, 0.0), "I": (0.6, 0.3), "e": (1.0, 0.2), "E": (1.6, 0.4), "a": (3.0, 1.0),
    "A": (3.0, 2.0), "V": (2.2, 1.4), "@": (1.6, 1.2), "O": (2.2, 2.4), "o": (1.2, 2.6),
    "U": (0.6, 2.0), "u": (0.0, 2.6),
}  # fmt: skip
"""Height of the tongue and how far back it is; their distance is how far vowels are apart."""
CONSONANTS = "pbtdkgfvTDszSZCJhmnNlrwy"
PHONES = CONSONANTS + "".join(VOWELS)
"""One sign a phone: T of thing, D of this, S of ship, Z of measure, C of chip, J of jam, N of sing,
y of yes; @ is the weak vowel of "the"."""
LONGEST_SOUND = 16
"""phones of a word that are looked at"""

_IPA = {
    "tʃ": "C", "dʒ": "J", "aɪ": "ay", "eɪ": "ey", "oʊ": "ow", "əʊ": "ow", "aʊ": "aw", "ɔɪ": "oy",
    "p": "p", "b": "b", "β": "b", "t": "t", "d": "d", "k": "k", "ɡ": "g", "g": "g", "ɣ": "g",
    "f": "f", "v": "v", "θ": "T", "ð": "D", "s": "s", "z": "z", "ʃ": "S", "ʒ": "Z", "h": "h",
    "x": "h", "m": "m", "n": "n", "ŋ": "N", "ɲ": "ny", "l": "l", "ɫ": "l", "ʎ": "y", "ʝ": "y",
    "j": "y", "w": "w", "ʍ": "w", "r": "r", "ɾ": "r", "ɹ": "r", "ʁ": "r",
    "i": "i", "ɪ": "I", "ᵻ": "I", "y": "u", "e": "e", "ɛ": "E", "æ": "a", "a": "a", "ɑ": "A",
    "ɒ": "O", "ɔ": "O", "o": "o", "ʊ": "U", "u": "u", "ʌ": "V", "ə": "@", "ɐ": "@", "ɜ": "@",
    "ɚ": "@r", "ɝ": "@r", "ʔ": "t", "ç": "h", "q": "k", "c": "k", "ø": "@", "œ": "@",
}  # fmt: skip

FAR = 1.0
"""one consonant for any other"""
_TOO_FAR = 1.4  # a vowel for a consonant: nearly one phone lost and another one gained
_CONFUSED = (
    # What G.711's 300 to 3400 Hz takes away: the place of a fricative, stop or nasal.
    ("fsT", 0.3), ("vzD", 0.3), ("mnN", 0.25), ("ptk", 0.4), ("bdg", 0.4),
    ("SCJZ", 0.35), ("sS", 0.4), ("zZ", 0.45), ("sC", 0.55), ("zJ", 0.6), ("TS", 0.55),
    # Voice: a matter of milliseconds, and of accent at the end of a word.
    ("pb", 0.3), ("td", 0.3), ("kg", 0.3), ("sz", 0.2), ("fv", 0.3), ("TD", 0.25),
    # What the two languages make of the same letter.
    ("bv", 0.25), ("dD", 0.2), ("tT", 0.4), ("hJ", 0.5), ("hk", 0.5), ("hg", 0.5), ("hf", 0.55),
    ("yJ", 0.35), ("yZ", 0.4), ("yl", 0.55), ("yh", 0.7), ("zD", 0.3),
    ("rl", 0.6), ("lw", 0.5), ("rw", 0.55), ("vw", 0.4), ("bw", 0.5), ("gw", 0.45), ("nl", 0.6),
    ("mb", 0.6), ("nd", 0.6), ("dr", 0.55), ("tC", 0.5), ("dJ", 0.5),
)  # fmt: skip
_GLIDES = {"y": "iI", "w": "uU", "r": "@", "l": "@"}
_GLIDE_COST = 0.35
_LOST = {"@": 0.3, "h": 0.35, "y": 0.4, "w": 0.4, "r": 0.5, "I": 0.45}
_VOWEL_LOST = 0.6
_CONSONANT_LOST = 0.8
_LOST_AT_THE_END = 0.45
"""a last consonant, which a telephone's noise gate swallows"""


class PronunciationUnavailable(Exception):
    """The voice that pronounces names did not answer: ask to spell by keys instead."""


def from_ipa(ipa: str) -> str:
    """International phonetic notation as a string of PHONES; stress and length are left out."""
    phones: list[str] = []
    place = 0
    while place < len(ipa):
        size = 2 if ipa[place : place + 2] in _IPA else 1
        for phone in _IPA.get(ipa[place : place + size], ""):
            if not phones or phones[-1] != phone:
                phones.append(phone)
        place += size
    return "".join(phones)[:LONGEST_SOUND]


@cache
def substitution(one: str, other: str) -> float:
    """What it costs to have heard one phone for another: 0 for the same, 1.4 at most."""
    if one == other:
        return 0.0
    if one in VOWELS and other in VOWELS:
        (height, back), (height2, back2) = VOWELS[one], VOWELS[other]
        apart: float = 0.1 + 0.18 * ((height - height2) ** 2 + (back - back2) ** 2) ** 0.5
        return min(apart, 0.3 if "@" in {one, other} else 0.7)
    if one in VOWELS or other in VOWELS:
        consonant, vowel = (other, one) if one in VOWELS else (one, other)
        return _GLIDE_COST if vowel in _GLIDES.get(consonant, "") else _TOO_FAR
    return min((cost for group, cost in _CONFUSED if one in group and other in group), default=FAR)


@cache
def loss(phone: str, *, at_the_end: bool) -> float:
    """What it costs to have missed a phone, or to have heard one that was not said."""
    cost = _LOST.get(phone, _VOWEL_LOST if phone in VOWELS else _CONSONANT_LOST)
    return min(cost, _LOST_AT_THE_END) if at_the_end and phone not in VOWELS else cost


def distance(one: str, other: str) -> float:
    """How far two sounds are apart: the cheapest way to turn one into the other. Symmetric."""
    last_one, last_other = len(one) - 1, len(other) - 1
    costs = [0.0]
    for j, phone in enumerate(other):
        costs.append(costs[-1] + loss(phone, at_the_end=j == last_other))
    for i, phone in enumerate(one):
        missed = loss(phone, at_the_end=i == last_one)
        row = [costs[0] + missed]
        for j, against in enumerate(other):
            gained = row[j] + loss(against, at_the_end=j == last_other)
            row.append(min(gained, costs[j + 1] + missed, costs[j] + substitution(phone, against)))
        costs = row
    return costs[-1]


_FINE = str.maketrans(
    dict.fromkeys("pb", "p")
    | dict.fromkeys("tdD", "t")
    | dict.fromkeys("kg", "k")
    | dict.fromkeys("fv", "f")
    | dict.fromkeys("szTZS", "s")
    | dict.fromkeys("CJ", "c")
    | dict.fromkeys("mnN", "n")
    | dict.fromkeys("iIeEy", "i")
    | dict.fromkeys("aAV@", "a")
    | dict.fromkeys("oOuUw", "u")
)
_COARSE = str.maketrans(
    dict.fromkeys("pbtdD", "t")
    | dict.fromkeys("kg", "k")
    | dict.fromkeys("fvsTzSZCJ", "s")
    | dict.fromkeys("mnN", "n")
    | dict.fromkeys("hyw", "")
    | dict.fromkeys("".join(VOWELS), "a")
)
_PARTS = ((3, 5, 0.6), (4, 7, 1.0))  # phones of a beginning or end, of words so long, and weight
EXACT_WEIGHT, SHAPE_WEIGHT, BONES_WEIGHT, ROUGH_WEIGHT = 4.0, 1.0, 2.0, 1.5


def keys(sound: str) -> dict[str, float]:
    """What finds a sound among many, with weights: sounds that share much weight may be alike.

    Any two sounds that differ by one arbitrary phone share a key; so do those of three phones or
    more that differ only by what telephones confuse, in any number of places, or only by vowels.
    """
    fine = _squeezed(sound.translate(_FINE))
    if not fine:
        return {}
    found = {f"={fine}": EXACT_WEIGHT, **dict.fromkeys(_shapes(fine), SHAPE_WEIGHT)}
    bones = "".join(phone for phone in fine if phone not in "iau")
    if len(bones) > 1:
        found[f"|{bones}"] = BONES_WEIGHT
    rough = _squeezed(sound.translate(_COARSE))
    if len(rough) > 2:  # noqa: PLR2004 - shorter ones are shared by thousands of words
        found[f"~{rough}"] = ROUGH_WEIGHT
    for size, length, weight in _PARTS:
        if len(fine) >= length:
            found[f"<{fine[:size]}"] = found[f">{fine[-size:]}"] = weight
    return found


def _shapes(fine: str) -> Iterator[str]:
    """All that is left when one phone is taken away (Garbe's symmetric deletion)."""
    if len(fine) > 2:  # noqa: PLR2004 - one phone alone says nothing
        yield from (f"-{fine[:place]}{fine[place + 1 :]}" for place in range(len(fine)))
    yield f"-{fine}"


def _squeezed(code: str) -> str:
    return "".join(sign for place, sign in enumerate(code) if not place or code[place - 1] != sign)
