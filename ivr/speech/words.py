"""The types that a language's words are written in."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Words = tuple[str, ...]
# What a number stands before: nothing, a masculine noun, a feminine noun.
Counted = Literal["alone", "masculine", "feminine"]


@dataclass(frozen=True)
class Coins:
    """How a currency's units are named: (one, many), whole and smallest."""

    unit: tuple[str, str]
    # A hundredth or thousandth; None where there is none. Each that we know of is masculine.
    part: tuple[str, str] | None = None
    # The gender of the whole unit.
    counted: Counted = "masculine"

    @property
    def names(self) -> Words:
        return (*self.unit, *(self.part or ()))


class Speaker(Protocol):
    """What each language knows; the modules english and spanish have this shape."""

    @property
    def COINS(self) -> Mapping[str, Coins]: ...  # noqa: N802 - a constant of the module
    @property
    def COINS_JOINED_BY(self) -> str: ...  # noqa: N802 - as above
    @property
    def POINT(self) -> str: ...  # noqa: N802 - as above
    @property
    def LETTERS(self) -> Mapping[str, str]: ...  # noqa: N802 - as above
    @property
    def OTHER_CARD(self) -> str: ...  # noqa: N802 - as above
    def cardinal(self, number: int, counted: Counted = "alone") -> Words: ...
    def counting(self, number: int, coin: str, counted: Counted) -> Words: ...
    def date(self, day: dt.date) -> Words: ...
    def month(self, day: dt.date) -> Words: ...
    def own_words(self) -> Words: ...
