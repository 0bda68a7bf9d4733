"""Customers for the benchmark of names: as frequent as real ones, the same for the same seed."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from ivr.billing.customers import CustomerKind

ENGLISH_SHARE = 0.65
SPANISH_SHARE = 0.3
"""the rest are companies, half of them Spanish"""
TWO_FIRST_NAMES = 0.25
MIDDLE_NAME = 0.15
ZIPF = 0.8
"""how steeply the frequency of Spanish names falls; the list itself tells none"""
COMMON_SURNAMES = (
    "García", "Rodríguez", "González", "Fernández", "López", "Martínez", "Sánchez", "Pérez",
    "Gómez", "Martín", "Jiménez", "Hernández", "Ruiz", "Díaz", "Moreno", "Muñoz", "Álvarez",
)  # fmt: skip
ENGLISH_TRADES = (
    "Plumbing", "Builders", "Motors", "Electrical", "Bakery", "Holdings", "Logistics", "Dental",
    "and Sons", "Consulting", "Roofing", "Farms", "Interiors", "Printing", "Catering",
)  # fmt: skip
SPANISH_TRADES = (
    "Talleres", "Construcciones", "Panadería", "Transportes", "Hermanos", "Farmacia", "Muebles",
    "Clínica Dental", "Reformas", "Autoescuela", "Bodegas", "Ferretería", "Viajes", "Gestoría",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Somebody:
    """One invented customer."""

    name: str
    kind: CustomerKind
    language: str


class _Weighted:
    """Names drawn as often as they are borne."""

    def __init__(self, names: Sequence[str], weights: Sequence[float]) -> None:
        self.names = names
        self._sums = list(accumulate(weights))

    def draw(self, chance: random.Random) -> str:
        return chance.choices(self.names, cum_weights=self._sums)[0]


class Population:
    """An endless line of customers. Needs the packages `names` and `Faker` (requirements-dev.txt).

    English names and frequencies: the census of the United States of 1990, as `names` ships it.
    Spanish ones: Faker's list for Spain. Raises ModuleNotFoundError without them.
    """

    def __init__(self, seed: int = 1) -> None:
        names = importlib.import_module("names")  # without types, and only the benchmark needs it
        from faker.providers.person.es_ES import Provider  # noqa: PLC0415 - as above

        folder = Path(str(names.__file__)).parent
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, hides nothing
        self.first = {
            "en": (
                _census(folder / "dist.male.first"),
                _census(folder / "dist.female.first"),
            ),
            "es": (
                _zipf(tuple(Provider.first_names_male), (), self._chance),
                _zipf(tuple(Provider.first_names_female), (), self._chance),
            ),
        }
        self.surnames = {
            "en": _census(folder / "dist.all.last"),
            "es": _zipf(tuple(Provider.last_names), COMMON_SURNAMES, self._chance),
        }

    def people(self) -> Iterator[Somebody]:
        """Customers for ever, companies among them."""
        while True:
            share = self._chance.random()
            if share < ENGLISH_SHARE:
                yield Somebody(self._english(), CustomerKind.PERSON, "en")
            elif share < ENGLISH_SHARE + SPANISH_SHARE:
                yield Somebody(self._spanish(), CustomerKind.PERSON, "es")
            else:
                language = self._chance.choice(("en", "es"))
                yield Somebody(self._company(language), CustomerKind.COMPANY, language)

    def _english(self) -> str:
        first = self._chance.choice(self.first["en"])
        given = first.draw(self._chance)
        if self._chance.random() < MIDDLE_NAME:
            given += " " + first.draw(self._chance)
        return f"{given} {self.surnames['en'].draw(self._chance)}"

    def _spanish(self) -> str:
        first = self._chance.choice(self.first["es"])
        given = first.draw(self._chance)
        if self._chance.random() < TWO_FIRST_NAMES and " " not in given:
            given += " " + first.draw(self._chance).split()[0]
        surnames = self.surnames["es"]
        return f"{given} {surnames.draw(self._chance)} {surnames.draw(self._chance)}"

    def _company(self, language: str) -> str:
        surname = self.surnames[language].draw(self._chance)
        if language == "en":
            form = self._chance.choice(("Ltd", "Inc.", "LLC", ""))
            return f"{surname} {self._chance.choice(ENGLISH_TRADES)} {form}".strip()
        other = self.surnames[language].draw(self._chance)
        form = self._chance.choice(("S.L.", "S.A.", "S.L.U."))
        return f"{self._chance.choice(SPANISH_TRADES)} {surname} y {other}, {form}"


def _census(path: Path) -> _Weighted:
    rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    # The rarest are given as 0.000 per cent: half of the last digit.
    weights = [max(float(row[1]), 0.0005) for row in rows]
    return _Weighted([row[0].capitalize() for row in rows], weights)


def _zipf(names: tuple[str, ...], common: tuple[str, ...], chance: random.Random) -> _Weighted:
    rest = sorted(set(names) - set(common))
    chance.shuffle(rest)
    ranked = [*common, *rest]
    return _Weighted(ranked, [(place + 2) ** -ZIPF for place in range(len(ranked))])
