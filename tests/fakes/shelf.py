"""A shelf that notes what it was given to keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass
class Kept:
    """What the shelf was given of one call."""

    call_id: str
    began: datetime
    starts: list[int]
    sizes: list[int]
    secure: list[tuple[int, int]] | None
    samples: int | None


@dataclass
class FakeShelf:
    """Keeps what it is given; `troubles` are raised first."""

    folder: Path
    troubles: list[Exception] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    tidied: int = 0

    def has(self, call_id: str) -> bool:
        return any(one.call_id == call_id for one in self.kept)

    def room_for(self, call_id: str, number: int) -> Path:
        file = self.folder / f"{call_id}.{number}"
        file.touch()
        return file

    def keep(
        self,
        call_id: str,
        began: datetime,
        parts: Mapping[Path, int],
        secure: Iterable[tuple[int, int]] | None,
        samples: int | None,
    ) -> Path:
        if self.troubles:
            raise self.troubles.pop(0)
        sizes = [file.stat().st_size for file in parts]
        self.kept.append(
            Kept(
                call_id,
                began,
                list(parts.values()),
                sizes,
                None if secure is None else list(secure),
                samples,
            )
        )
        return self.folder

    def tidy(self) -> int:
        self.tidied += 1
        return 0
