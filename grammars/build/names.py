"""Writes the lists of names from the Python packages that carry them."""

import csv
import re
import unicodedata
from collections.abc import Iterable
from importlib import import_module, resources
from pathlib import Path

# How many of each list the vocabularies hold, most frequent first.
CENSUS_GIVEN = 800
CENSUS_SURNAMES = 2200
BRITISH = 400
SPANISH_PLACES = ("es_CO", "es_ES", "es_MX", "es_AR")
VISITING_GIVEN = 300
VISITING_SURNAMES = 500

HEADING = "# Written by `python -m grammars.build names`; sources and licences: ../README.md\n"


def write(folder: Path, company: Path) -> None:
    """Write given.txt, surnames.txt and company.txt for both languages below `folder`.

    Names are in the order of their frequency. `company` is a file of customers whose names are
    to be understood too, with a column `name`.
    """
    english_given = _once(_interleave(_census("dist.female.first"), _census("dist.male.first")))
    english_given = english_given[: 2 * CENSUS_GIVEN]
    english_surnames = _census("dist.all.last")[:CENSUS_SURNAMES]
    english_given += _faker("en_GB", "first_names")
    english_surnames += _faker("en_GB", "last_names")[:BRITISH]
    spanish_given = _once(name for place in SPANISH_PLACES for name in _faker_given(place))
    spanish_surnames = _once(
        name for place in SPANISH_PLACES for name in _faker(place, "last_names")
    )
    lists = {
        "en/given.txt": [*english_given, *spanish_given[:VISITING_GIVEN]],
        "en/surnames.txt": [*english_surnames, *spanish_surnames[:VISITING_SURNAMES]],
        "es/given.txt": [*spanish_given, *english_given[:VISITING_GIVEN]],
        "es/surnames.txt": [*spanish_surnames, *english_surnames[:VISITING_SURNAMES]],
    }
    spelled = [*spanish_given, *spanish_surnames]
    for place, names in lists.items():
        (folder / place).write_text(HEADING + "\n".join(_once(names, spelled)) + "\n")
    for language, words in _company_words(company).items():
        (folder / language / "company.txt").write_text(HEADING + "\n".join(words) + "\n")


def _company_words(customers: Path) -> dict[str, list[str]]:
    """Every word of the customers' names, for both languages: callers use either."""
    with customers.open(newline="", encoding="utf-8") as file:
        names = [row["name"].lower() for row in csv.DictReader(file)]
    words = sorted({word for name in names for word in re.findall(r"[^\W\d_]+", name)})
    return {"en": words, "es": words}


def plain(word: str) -> str:
    """A word without its accents, ñ as n: what two spellings of a name have in common."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def _once(names: Iterable[str], spelled: Iterable[str] = ()) -> list[str]:
    """Each name once, in the order and spelling of the first, or as `spelled` has it."""
    spelling = {plain(name): name for name in spelled}
    kept: dict[str, str] = {}
    for name in names:
        kept.setdefault(plain(name), spelling.get(plain(name), name))
    return list(kept.values())


def _interleave(*lists: list[str]) -> list[str]:
    longest = max(map(len, lists))
    return [one[place] for place in range(longest) for one in lists if place < len(one)]


def _census(file: str) -> list[str]:
    text = resources.files("names").joinpath(file).read_text()
    return [line.split()[0].lower() for line in text.splitlines() if line.strip()]


def _faker_given(place: str) -> list[str]:
    return _interleave(_faker(place, "first_names_male"), _faker(place, "first_names_female"))


def _faker(place: str, kind: str) -> list[str]:
    provider = import_module(f"faker.providers.person.{place}").Provider
    words = (name.lower() for name in getattr(provider, kind))
    return [word for word in words if word.isalpha()]
