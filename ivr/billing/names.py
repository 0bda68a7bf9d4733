"""Names of people and companies as they are said, as they are shortened, and as they are keyed."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from ivr.billing.customers import CustomerKind

LONGEST_NAME_WORDS = 7
"""of a longer name the rest is not looked at"""
FEWEST_KEYS = 4
"""fewer keys than this spell too many names to be worth a question"""
MOST_KEYS = 40

_LETTERS = str.maketrans({
    "ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
})  # fmt: skip
_JOINING = frozenset("'’ʼ`´.·")  # O'Connor, S.L.
_KEYS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")

TITLES = frozenset((
    "mr", "mrs", "ms", "miss", "dr", "doctor", "sir", "madam", "don", "dona", "doña", "sr", "sra",
    "srta", "señor", "señora", "señorita", "jr", "junior", "senior", "ii", "iii", "iv",
))  # fmt: skip
PARTICLES = frozenset((
    "de", "del", "la", "las", "los", "y", "e", "i", "da", "do", "dos", "das", "di", "van", "der",
    "den", "von", "zu", "the", "and", "of", "el",
))  # fmt: skip
LEGAL_FORMS = (
    "sociedad limitada unipersonal", "sociedad anónima unipersonal", "sociedad limitada",
    "sociedad anónima", "sociedad anonima", "sociedad cooperativa", "comunidad de bienes",
    "ese ele u", "ese ele", "ese a", "public limited company", "limited liability company",
    "and company", "y compañía", "y compania", "y cía", "y cia", "and co", "and sons ltd",
    "limited", "ltd", "incorporated", "inc", "corporation", "corp", "company", "co", "llc", "llp",
    "lp", "plc", "sl", "sa", "slu", "sau", "sll", "sal", "slp", "scoop", "s coop", "sc", "cb",
    "gmbh", "ag", "kg", "ug", "ohg", "bv", "nv", "sarl", "sas", "srl", "spa", "oy", "ab", "aps",
)  # fmt: skip
_LEGAL_WORDS = frozenset(tuple(form.split()) for form in LEGAL_FORMS)
_LONGEST_LEGAL = max(map(len, _LEGAL_WORDS))
_OF_A_LEGAL_FORM = frozenset(word for legal in _LEGAL_WORDS for word in legal)
_PREFIXES = frozenset(("mc", "o", "d", "l"))  # joined to what follows, wherever they stand
_LATER_PREFIXES = frozenset(("mac", "fitz"))  # "Mac" alone can be a first name
INTRODUCTIONS = (
    "my name is", "the name is", "this is", "it is", "it's", "i am", "i'm", "the company is",
    "me llamo", "mi nombre es", "soy", "se llama", "la empresa es", "a nombre de", "es",
)  # fmt: skip
"""what people say before a name, in all languages"""


def fold(text: str) -> str:
    """Lower-case letters without accents: "Muñoz" and "Munoz" are one, "Straße" is "strasse"."""
    if text.isascii():
        return text.lower()
    # Folding case can bring back what was decomposed, and the other way round: twice is enough.
    plain = text
    for _ in range(2):
        plain = unicodedata.normalize("NFKD", plain.casefold())
    plain = plain.translate(_LETTERS)
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def written_words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, accents kept: what a voice needs to pronounce them."""
    lower = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower())
    kept = ("" if sign in _JOINING else sign if _belongs_to_a_word(sign) else " " for sign in lower)
    return tuple("".join(kept).split())


def _belongs_to_a_word(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LNM"


@dataclass(frozen=True, slots=True)
class NameForm:
    """A name reduced to what identifies it when spoken: no titles, particles or legal forms."""

    kind: CustomerKind
    written: tuple[str, ...]
    """in lower case with accents"""

    @property
    def words(self) -> tuple[str, ...]:
        """Folded: two names of the same words are the same name."""
        return tuple(fold(word) for word in self.written)


def form(name: str, kind: CustomerKind) -> NameForm:
    """The form of a customer's name; without words if there is no letter or digit in it."""
    reduced = _person if kind is CustomerKind.PERSON else _company
    return NameForm(kind, reduced(written_words(_in_order(name, kind))))


def _in_order(name: str, kind: CustomerKind) -> str:
    """A name as it is said: the surname that stands before a comma comes last."""
    if kind is CustomerKind.COMPANY:
        return name.replace("&", " and ").replace("+", " ")
    surname, comma, given = name.partition(",")
    return f"{given} {surname}" if comma and given.strip() else name


def read_out(name: str, kind: CustomerKind, said: Collection[int]) -> str:
    """What is read of a name to a stranger who said only these words of its form, by place.

    Who said all of them hears the name as it is written, particles and legal form included, which
    tell nothing. Titles, initials and what is beyond the form are never read.
    """
    words = form(name, kind).written
    pieces = _pieces(_in_order(name, kind))
    is_whole = set(said) >= set(range(len(words)))
    kept = [
        piece
        for piece, place in zip(pieces, _places(pieces, words), strict=True)
        if place in said or (is_whole and place is None and _tells_nothing(piece, kind))
    ]
    return name if len(kept) == len(pieces) else " ".join(kept)


def _pieces(name: str) -> list[str]:
    """The words of a name as they are written."""
    plain = unicodedata.normalize("NFKC", name)
    kept = (sign if sign in _JOINING or _belongs_to_a_word(sign) else " " for sign in plain)
    return [piece for piece in "".join(kept).split() if written_words(piece)]


def _places(pieces: Sequence[str], words: Sequence[str]) -> list[int | None]:
    """For each piece which word of the form it is, or is joined to; None for what it left out.

    From the end, because of a word that is there twice the form leaves out the first one.
    """
    plain = ["".join(written_words(piece)) for piece in pieces]
    places: list[int | None] = [None] * len(pieces)
    at, place = len(pieces) - 1, len(words) - 1
    while at >= 0 and place >= 0:
        if plain[at] == words[place]:
            places[at] = place
            place -= 1
        elif at and plain[at - 1] + plain[at] == words[place]:
            places[at - 1] = places[at] = place
            place -= 1
            at -= 1
        at -= 1
    return places


def _tells_nothing(piece: str, kind: CustomerKind) -> bool:
    """Whether it is a particle or what form a company has; "E." is an initial, "e" a particle."""
    (word,) = written_words(piece)
    if kind is CustomerKind.COMPANY and word in _OF_A_LEGAL_FORM:
        return True
    return word in PARTICLES and (len(word) > 1 or piece == word)


def _person(words: Sequence[str]) -> tuple[str, ...]:
    kept = _joined_prefixes(words)
    kept = _without(kept, TITLES, leave=2)
    kept = _without(kept, PARTICLES, leave=2)
    initials = frozenset(word for word in kept if len(word) == 1)
    return tuple(_without(kept, initials, leave=2)[:LONGEST_NAME_WORDS])


def _company(words: Sequence[str]) -> tuple[str, ...]:
    kept = without_legal_form(_joined_prefixes(words))
    return tuple(_without(kept, PARTICLES, leave=1)[:LONGEST_NAME_WORDS])


def without_legal_form(words: Sequence[str]) -> list[str]:
    """A company's words without Ltd, S.L., GmbH … at the end, as long as a word is left."""
    kept = list(words)
    length = _LONGEST_LEGAL
    while length:
        if len(kept) > length and tuple(kept[-length:]) in _LEGAL_WORDS:
            del kept[-length:]
            length = _LONGEST_LEGAL
        else:
            length -= 1
    return kept


def _without(words: Sequence[str], unwanted: frozenset[str], *, leave: int) -> list[str]:
    """Unwanted words go, the first ones first, while more than `leave` words are there."""
    surplus = len(words) - leave
    kept = []
    for word in words:
        if word in unwanted and surplus > 0:
            surplus -= 1
        else:
            kept.append(word)
    return kept


def _joined_prefixes(words: Sequence[str]) -> list[str]:
    """Makes one word of "Mc Donald" and of "O Connor"."""
    joined: list[str] = []
    pending = ""
    for place, word in enumerate(words):
        prefix = word in _PREFIXES or (word in _LATER_PREFIXES and place > 0)
        if prefix and not pending and place < len(words) - 1:
            pending = word
        else:
            joined.append(pending + word)
            pending = ""
    return joined


def heard_forms(text: str) -> tuple[tuple[str, ...], ...]:
    """What recognised words may be as a name: as a person and, if that differs, as a company.

    An introduction ("my name is …") does not count. Empty if there is no word.
    """
    words = without_introduction(text)
    found = dict.fromkeys((_person(words), _company(words)))
    return tuple(form for form in found if form)


def without_introduction(text: str) -> tuple[str, ...]:
    """The words of a name that was said, without "my name is" and the like before it."""
    words = written_words(text.replace("[unk]", " "))
    for introduction in INTRODUCTIONS:
        plain = tuple(introduction.replace("'", "").split())
        if words[: len(plain)] == plain and len(words) > len(plain):
            return words[len(plain) :]
    return words


def combination_key(words: Iterable[str]) -> int:
    """One number, 64 bits signed, for a set of folded words in any order."""
    joined = " ".join(sorted(words))
    digest = hashlib.blake2b(joined.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def combination_keys(words: Sequence[str]) -> dict[int, int]:
    """The keys by which a name is found, and how many of its words each leaves unsaid.

    All of its words, and every two or more of them; in a long name only its first four words are
    combined, and neighbours. A name of one word has one key.
    """
    keys = {combination_key(words): 0}
    head = words[:4]
    parts = [part for size in range(2, len(head) + 1) for part in combinations(head, size)]
    parts += [pair for pair in pairwise(words) if len(words) > len(head)]
    for part in parts:
        keys.setdefault(combination_key(part), len(words) - len(part))
    return keys


def keypad(text: str) -> str:
    """The digits that spell a text on a telephone; what is on no key is left out."""
    return "".join(sign for sign in fold(text).translate(_KEYS) if sign in "0123456789")


def keypads(form: NameForm) -> tuple[str, ...]:
    """Every way to spell a name by keys without spaces.

    A person also surname first, and without the second surname; what only leaves out the end of
    another way is not listed, because keys are looked up as beginnings too.
    """
    orders = _spelling_orders(form.words) if form.kind is CustomerKind.PERSON else [form.words]
    ways = dict.fromkeys(keypad("".join(order))[:MOST_KEYS] for order in orders)
    return tuple(
        way for way in ways if way and not any(o != way and o.startswith(way) for o in ways)
    )


def _spelling_orders(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield from _rotations(words)
    if len(words) > 2:  # noqa: PLR2004 - a first name and two surnames, or two names and one
        yield from _rotations(words[:-1])
        yield from _rotations((words[0], words[-1]))
    if len(words) > 3:  # noqa: PLR2004 - two first names and two surnames
        yield from _rotations((words[0], words[2]))


def _rotations(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (words[turn:] + words[:turn] for turn in range(len(words)))


def miskeyed(keys: str) -> list[str]:
    """What may have been meant if one key was wrong, missing or too many; without `keys` itself.

    Swapped neighbours count as one slip too. At most 20 ways for each key and a few.
    """
    letters = "23456789"
    found: dict[str, None] = {}
    for place in range(len(keys) + 1):
        before, after = keys[:place], keys[place:]
        found.update((before + letter + after, None) for letter in letters)
        if after:
            found[before + after[1:]] = None
            found.update((before + letter + after[1:], None) for letter in letters)
        if len(after) > 1:
            found[before + after[1] + after[0] + after[2:]] = None
    found.pop(keys, None)
    return list(found)


class Nicknames:
    """Which first names stand for each other: Bill and William, Pepe and José."""

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        """Each group: the full name first, then what its bearers are called."""
        self._mates: dict[str, dict[str, None]] = {}
        self._words: dict[str, None] = {}
        for group in groups:
            full, *short = (fold(word) for word in group)
            self._words.update(dict.fromkeys(word.lower() for word in group))
            for nickname in short:
                self._mates.setdefault(full, {})[nickname] = None
                self._mates.setdefault(nickname, {})[full] = None

    @classmethod
    def parse(cls, *texts: str) -> Nicknames:
        """From files with a group a line, "william: bill will billy"; # opens a comment.

        Raises ValueError, naming the line, for a line without a colon or without nicknames.
        """
        groups = []
        for text in texts:
            for number, line in enumerate(text.splitlines(), start=1):
                said = line.partition("#")[0].strip()
                full, colon, short = said.partition(":")
                if said and not (colon and full.split() and short.split()):
                    raise ValueError(f"line {number}: write `full name: nickname nickname`")
                if said:
                    groups.append([full.strip(), *short.split()])
        return cls(groups)

    @property
    def words(self) -> tuple[str, ...]:
        """Every name of every group, with accents."""
        return tuple(self._words)

    def of(self, word: str) -> tuple[str, ...]:
        """The folded names that a folded name may stand for, or that may stand for it."""
        return tuple(self._mates.get(word, ()))
