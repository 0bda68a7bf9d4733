"""The SQL of this package by name: queries/*.sql, each query opened by `-- name:` and a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "queries"
NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """One statement and what it is for."""

    name: str
    about: str
    text: str


def read(path: Path) -> Iterator[Query]:
    """The queries of one file; what stands before the first name belongs to the file."""
    _, *pieces = NAME.split(path.read_text(encoding="utf-8"))
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        lines = body.strip().splitlines()
        about = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        text = [line for line in lines if not line.startswith("--")]
        yield Query(name, " ".join(about), "\n".join(text))


def load(folder: Path = FOLDER) -> dict[str, Query]:
    """Every query by its name. Raises ValueError if a name is there twice."""
    queries: dict[str, Query] = {}
    for path in sorted(folder.glob("*.sql")):
        for query in read(path):
            if query.name in queries:
                raise ValueError(f"{path.name}: the query {query.name} is there twice")
            queries[query.name] = query
    return queries


QUERIES = load()
