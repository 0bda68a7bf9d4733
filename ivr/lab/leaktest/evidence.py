"""What a person may see of a find: where it is, and what stands there without its digits."""

from __future__ import annotations

import re
from collections.abc import Callable

from ivr.lab.leaktest.words import VALUES

AROUND = 100
"""characters of a line that are kept on each side"""
_SEEN = 10 * AROUND
"""of which they are cut once all is masked: half of what is coded may not look it"""
_DIGIT = re.compile(r"\d")
_SAID = re.compile(
    r"(?<![a-z])(?:"
    + "|".join(sorted((word.decode() for word in VALUES), key=len, reverse=True))
    + r")(?![a-z])",
    re.IGNORECASE,
)
_CODED = re.compile(
    r"(?=[A-Za-z+/=]*\d)(?=\d*[A-Za-z+/=])[A-Za-z0-9+/=]{12,}"
    r"|\b(?=\w*\d)(?=\w*[A-Za-z])\w{6,}"
)
"""what may be base64 or hex: letters and digits mixed"""
_BINARY = re.compile(r"[\0-\x1f\x7f\ufffd]")
"""bytes may be digits, whatever letters they look like"""


def masked(text: str) -> str:
    """The text with `#` for each digit and each number word, `~` for what may be coded."""
    plain = text.replace("\0", "").replace("\t", " ").strip("\r\n")
    if _BINARY.search(plain):
        return "·"
    return _SAID.sub("#", _DIGIT.sub("#", _CODED.sub("~", plain)))


def column_shape(shape: str, place_of_number: str, place: int) -> str:
    """The shape of a column's lines; `<#>` is where its digits stand."""
    parts = [masked(part) for part in shape.split(place_of_number)]
    before, after = "#".join(parts[: place + 1]), "#".join(parts[place + 1 :])
    return f"{before[-AROUND:]}<#>{after[:AROUND]}".strip()


def narrowed(data: bytes, holds: Callable[[bytes], bool]) -> tuple[int, int]:
    """The shortest stretch of the data that still holds what was found in all of it."""
    low, end = 0, len(data)
    while low < end:
        middle = (low + end) // 2
        low, end = (low, middle) if holds(data[:middle]) else (middle + 1, end)
    low, begin = 0, end
    while low < begin:
        middle = (low + begin + 1) // 2
        low, begin = (middle, begin) if holds(data[middle:end]) else (low, middle - 1)
    return low, end


def stretch_shape(data: bytes, begin: int, end: int) -> str:
    """The line around a stretch of data, which itself is left out."""
    before = data[max(0, begin - _SEEN) : begin].rpartition(b"\n")[2]
    after = data[end : end + _SEEN].partition(b"\n")[0]
    first, last = (masked(side.decode(errors="replace")) for side in (before, after))
    return f"{first[-AROUND:]}<…>{last[:AROUND]}".strip()
