"""Finds canaries in bytes and in lines, in whatever form they were written down."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

import numpy as np

from ivr.lab.leaktest.canaries import SHORT_WINDOW, WINDOW, AnyCanary, Canary, windows
from ivr.lab.leaktest.evidence import narrowed, stretch_shape
from ivr.lab.leaktest.ordering import columns
from ivr.lab.leaktest.stretches import CHANCE, Stretches, readings
from ivr.lab.leaktest.words import digits_said

SEPARATORS = b" \t\r\n\0-_./,:;|\"'`()[]{}\\<>=*+#%&^~$@!?"
"""what may stand between two digits; UTF-16 has a zero byte there"""
MOST_UNPACKED = 64 << 20
_TRIAL = 512  # bytes by which most of what only looks packed is told
_PIECE = 1 << 16
NESTED = 2
"""packed in packed"""
FEWEST_WORDS = 5

_PACKED = (b"\x1f\x8b\x08", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_CODE = re.compile(
    rb"(?:cvv2?|cvc2?|csc|security[ _-]?code)[\"'\s:=>]{1,6}(?:b?['\"])?(\d{3,4})(?!\d)",
    re.IGNORECASE,
)
_CODE_NAMES = (b"cvv", b"cvc", b"csc", b"security")


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that was found; never the canary itself."""

    canary: str
    """brand, or account, and last four"""
    form: str
    """how it was written: plain, reversed, base64, …"""
    place: str = field(default="", compare=False)
    """line or byte, for a person who looks"""
    shape: str = field(default="", compare=False)
    """what stands there, every digit of it masked"""


class Matcher:
    """Knows the canaries of a run in all their forms."""

    def __init__(self, canaries: Iterable[AnyCanary]) -> None:
        self._rows: dict[str, Hit] = {}
        self._columns = Stretches()
        self._fixed: dict[bytes, Hit] = {}
        self._codes: dict[bytes, Hit] = {}
        for canary in canaries:
            self._know(canary)

    def search(self, data: bytes) -> set[Hit]:
        """What is in these bytes, whatever they are."""
        return self._search(data, NESTED)

    def search_lines(self, lines: Iterable[str], offset: int = 0) -> set[Hit]:
        """What stands in single digits one below the other; `offset`: where the lines begin."""
        found: dict[Hit, Hit] = {}
        since = f" after byte {offset:,}" if offset else ""
        every = [
            (column, reading)
            for column in columns(lines)
            for reading in readings(column.digits, marked=column.marked)
            if reading.may_tell
        ]
        for column, reading in every:
            for label, backwards, begin in self._columns.among(reading, CHANCE / len(every)):
                first = column.lines[reading.places[begin]] + 1
                form = "one digit a line" + (", backwards" if backwards else "")
                where = f"from line {first:,}{since} on, in {len(column.digits):,} digits"
                hit = Hit(label, form, where, column.shape)
                found.setdefault(hit, hit)
        return set(found)

    def search_keys(self, keys: str) -> set[Hit]:
        """What was heard as tones, key by key."""
        digits = "".join(key for key in keys if key.isdecimal())
        return {Hit(label, "tones") for label, *_ in self._columns.of(SHORT_WINDOW).among(digits)}

    def looked_at(self, hits: Iterable[Hit], data: bytes, offset: int = 0) -> set[Hit]:
        """The same hits with place and shape, all of them in these bytes, which begin at offset."""
        return {self._looked_at(hit, data, offset) for hit in hits}

    def _looked_at(self, hit: Hit, data: bytes, offset: int) -> Hit:
        for start in range(0, len(data), _PIECE):
            if hit in self.search(piece := data[start : start + 2 * _PIECE]):
                data, offset = piece, offset + start
                break
        begin, end = narrowed(data, lambda part: hit in self.search(part))
        where = f"from byte {offset + begin:,} on, in {end - begin:,} bytes"
        return replace(hit, place=where, shape=stretch_shape(data, begin, end))

    def _search(self, data: bytes, depth: int) -> set[Hit]:
        squeezed = _squeezed(data)
        found = {hit for text in _digit_runs(data) for hit in self._rows_in(text, "")}
        plain = {hit.canary for hit in found}
        for view in (squeezed, _squeezed(unquote_to_bytes(data)) if b"%" in data else b""):
            for text in _digit_runs(view):
                apart = self._rows_in(text, " with separators")
                found |= {hit for hit in apart if hit.canary not in plain}
        found |= {hit for pattern, hit in self._fixed.items() if pattern in data}
        found |= {hit for pattern, hit in self._fixed.items() if pattern in squeezed}
        found |= self._said(data) | self._named_codes(data)
        if depth:
            for unpacked in _unpacked(data):
                inside = self._search(unpacked, depth - 1)
                found |= {Hit(hit.canary, f"{hit.form}, compressed") for hit in inside}
        return found

    def _rows_in(self, digits: str, how: str) -> set[Hit]:
        return {Hit(one.canary, one.form + how) for one in _among(digits, self._rows, WINDOW)}

    def _said(self, data: bytes) -> set[Hit]:
        found: set[Hit] = set()
        for digits in digits_said(data.replace(b"\0", b""), FEWEST_WORDS):
            found |= {Hit(one.canary, "words") for one in _among(digits, self._rows, WINDOW)}
        return found

    def _named_codes(self, data: bytes) -> set[Hit]:
        if not any(name in data or name.upper() in data for name in _CODE_NAMES):
            return set()
        codes = (self._codes.get(found[1]) for found in _CODE.finditer(data.replace(b"\0", b"")))
        return {code for code in codes if code is not None}

    def _know(self, canary: AnyCanary) -> None:
        label, number = canary.label, canary.number
        for window in windows(number):
            self._rows[window] = Hit(label, "plain")
            self._rows.setdefault(window[::-1], Hit(label, "reversed"))
        self._columns.know(canary.keyed, label)
        for form, pattern in _forms(number):
            self._fixed[pattern] = Hit(label, form)
        if isinstance(canary, Canary):
            for wrong in windows(canary.mistyped):
                self._rows.setdefault(wrong, Hit(label, "plain"))
            self._codes[canary.code.encode()] = Hit(label, "security code beside its name")


def _squeezed(data: bytes) -> bytes:
    """Without what may stand between two digits, line ends that are written out among it."""
    for written in (b"\\n", b"\\r", b"\\t"):
        data = data.replace(written, b"")
    return data.translate(None, SEPARATORS)


def _among(digits: str, known: dict[str, Hit], length: int) -> set[Hit]:
    places = range(len(digits) - length + 1)
    found = (known.get(digits[place : place + length]) for place in places)
    return {hit for hit in found if hit is not None}


def _digit_runs(data: bytes) -> Iterator[str]:
    """Stretches of at least WINDOW digits."""
    if len(data) < WINDOW:
        return
    is_digit = (np.frombuffer(data, np.uint8) - np.uint8(48)) < 10  # noqa: PLR2004 - ASCII's digits
    edges = np.flatnonzero(np.diff(is_digit.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    for place in np.flatnonzero(ends - starts >= WINDOW).tolist():
        yield data[starts[place] : ends[place]].decode("ascii")


def _forms(number: str) -> Iterator[tuple[str, bytes]]:
    """How a program may have encoded the number; first digits only where an end may differ."""
    for text, name in ((number.encode(), "base64"), (number.encode("utf-16-le"), "base64 UTF-16")):
        for before in range(3):
            coded = base64.b64encode(bytes(before) + text)
            first = -(-before * 4 // 3)
            whole = (before + len(text)) // 3 * 4
            yield name, coded[first:whole]
    yield "hex", number.encode().hex().encode()
    yield "hex", "".join(f"x{ord(digit):x}" for digit in number).encode()
    yield "hex", "".join(f"0x{ord(digit):x}" for digit in number).encode()
    yield "JSON escapes", "".join(f"u{ord(digit):04x}" for digit in number).encode()
    yield "HTML", "".join(f"&#{ord(digit)};" for digit in number).encode()
    yield "URL", "".join(f"%{ord(digit):x}" for digit in number).encode()
    yield "BCD", bytes.fromhex(number[: len(number) // 2 * 2])
    yield "one byte a digit", bytes(int(digit) for digit in number)
    yield "numbers in a list", b", ".join(b"%d" % ord(digit) for digit in number)


def _unpacked(data: bytes) -> Iterator[bytes]:
    """What gzip and zlib streams hold, wherever they begin."""
    view = memoryview(data)
    for magic in _PACKED:
        place = data.find(magic)
        while place >= 0:
            if _inflated(view[place : place + _TRIAL], _TRIAL):
                unpacked = _inflated(view[place : place + MOST_UNPACKED], MOST_UNPACKED)
                if len(unpacked) >= WINDOW:
                    yield unpacked
            place = data.find(magic, place + 1)


def _inflated(packed: memoryview, most: int) -> bytes:
    """As much as can be unpacked; nothing where this is no such stream."""
    try:
        return zlib.decompressobj(wbits=47).decompress(packed, most)  # gzip or zlib
    except zlib.error:
        return b""
