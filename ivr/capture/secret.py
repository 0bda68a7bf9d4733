"""Card digits in memory that can be wiped, and that refuse to become text by accident."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Self, SupportsIndex

CAPACITY = 32
MASK = "••••"
_REFUSED = "card digits are never {what}; only reveal() makes text, for the gateway's request body"


class SecretDigits:
    """Up to 32 digits in one block of memory that never moves, zeroed by `wipe` and on `with` exit.

    It is a `dialogue.keypad.KeyBuffer`. Anything that would copy the digits raises TypeError, and
    every text made of it is the same mask whatever its length.
    """

    __slots__ = ("__weakref__", "_block", "_length", "_wiped")

    def __init__(self) -> None:
        self._block = bytearray(CAPACITY)  # of full size at once: growing would leave copies behind
        self._length = 0
        self._wiped = False

    def append(self, key: str) -> None:
        """Take one key 0-9. Raises ValueError when full, or wiped, or for any other key."""
        if self._wiped or self._length == CAPACITY:
            raise ValueError("these digits are wiped" if self._wiped else "no more digits fit here")
        if len(key) != 1 or key not in "0123456789":
            raise ValueError("only the keys 0-9 are digits")
        self._block[self._length] = ord(key)
        self._length += 1

    def take_over(self, other: SecretDigits) -> None:
        """Hold what `other` holds, in place of what was here; `other` is cleared."""
        if self._wiped:
            raise ValueError("these digits are wiped")
        self._block[:] = other._block
        self._length = other._length
        other.clear()

    def clear(self) -> None:
        """Forget what was keyed; more may be keyed."""
        for place in range(CAPACITY):
            self._block[place] = 0
        self._length = 0

    def wipe(self) -> None:
        """Forget what was keyed, for good."""
        self.clear()
        self._wiped = True

    @property
    def is_wiped(self) -> bool:
        return self._wiped and not any(self._block)

    def is_only_zeros(self) -> bool:
        """Whether nothing but 0 was keyed; true of nothing."""
        return all(self.digit(place) == 0 for place in range(self._length))

    def digit(self, place: int) -> int:
        """The digit at a place counted from 0. Raises IndexError."""
        if not 0 <= place < self._length:
            raise IndexError("there is no digit at that place")
        return self._block[place] - ord("0")

    def number(self, start: int, length: int) -> int:
        """Some digits as a number: a prefix, a month. Raises IndexError."""
        value = 0
        for place in range(start, start + length):
            value = value * 10 + self.digit(place)
        return value

    def passes(self, check: Callable[[bytearray], bool]) -> bool:
        """What a check says of the ASCII digits, on a copy that is zeroed afterwards."""
        copy = self._block[: self._length]
        try:
            return check(copy)
        finally:
            for place in range(len(copy)):
                copy[place] = 0

    def keyed_hash(self, key: bytes) -> str:
        """64 letters a to p, the same for the same digits and key; no digit can be read in them.

        HMAC-SHA-256 (RFC 2104), as letters, so that no search for card numbers stumbles over it.
        """
        with memoryview(self._block) as block:
            digest = hmac.digest(key, block[: self._length], "sha256")
        return "".join(chr(ord("a") + half) for byte in digest for half in divmod(byte, 16))

    def last4(self) -> str:
        """The four digits that may be shown, fewer when fewer were keyed."""
        return self._text(max(0, self._length - 4))

    def reveal(self) -> str:
        """All digits as text. Only for the request body to the gateway."""
        return self._text(0)

    def _text(self, start: int) -> str:
        with memoryview(self._block) as block:
            return str(block[start : self._length], "ascii")

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return self._length > 0

    def __eq__(self, other: object) -> bool:
        """In constant time; only with digits of the same kind."""
        if not isinstance(other, SecretDigits):
            raise TypeError(_REFUSED.format(what="compared with text"))
        return hmac.compare_digest(self._block, other._block)

    __hash__ = None  # type: ignore[assignment]  # as Python's own data model marks the unhashable

    def __repr__(self) -> str:
        return MASK

    def __format__(self, _spec: str) -> str:
        return MASK

    def __iter__(self) -> NoReturn:
        raise TypeError(_REFUSED.format(what="iterated over"))

    def __contains__(self, _item: object) -> NoReturn:
        raise TypeError(_REFUSED.format(what="searched"))

    def __bytes__(self) -> NoReturn:
        raise TypeError(_REFUSED.format(what="made into bytes"))

    def __copy__(self) -> NoReturn:
        raise TypeError(_REFUSED.format(what="copied"))

    def __deepcopy__(self, _memo: object) -> NoReturn:
        raise TypeError(_REFUSED.format(what="copied"))

    def __reduce_ex__(self, _protocol: SupportsIndex) -> NoReturn:
        raise TypeError(_REFUSED.format(what="pickled"))

    def __getstate__(self) -> NoReturn:
        raise TypeError(_REFUSED.format(what="pickled"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.wipe()

    def __del__(self) -> None:
        self.wipe()
