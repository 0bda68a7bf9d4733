"""Brings the schema to this program's version: schema/NNNN_*.sql, each once, in order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ivr.storage.errors import MigrationError
from ivr.storage.pool import Database, Session

FOLDER = Path(__file__).parent / "schema"
ROLES = "roles.sql"
"""What other roles may do: applied every time, so that a role made later gets it."""
FILE_NAME = re.compile(r"^(\d{4})_(\w+)\.sql$")
MIGRATION_SECONDS = 600.0
"""How long one step may take, and how long a second daemon waits for the first."""


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered file."""

    version: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """What tells a changed file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def steps(folder: Path = FOLDER) -> Iterator[Step]:
    """The numbered files in order. Raises MigrationError if a number is missing or there twice."""
    found = [(FILE_NAME.match(path.name), path) for path in sorted(folder.glob("[0-9]*.sql"))]
    for expected, (match, path) in enumerate(found, start=1):
        if match is None or int(match[1]) != expected:
            raise MigrationError(
                f"{path.name} is not number {expected:04d}: number the files 0001_name.sql, 0002_…"
            )
        yield Step(expected, match[2], path.read_text(encoding="utf-8"))


async def migrate(database: Database, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing and give the names of the steps applied; none if all was there.

    Two daemons may start at once: the second waits and then finds nothing to do.

    Raises:
        MigrationError: an applied file was changed, or the database is newer than this program.
        LedgerUnavailable: the database did not answer.
        QueryRefused: a step failed; it left nothing behind.
    """
    known = list(steps(folder))
    async with database.apart(MIGRATION_SECONDS) as session:
        await session.run("lock_migrations")
        await session.run("create_schema_versions")
        applied = await _applied(session)
        _check(known, applied)
        missing = known[len(applied) :]
        for step in missing:
            await _apply(session, step)
        if (folder / ROLES).exists():
            await session.script(ROLES, (folder / ROLES).read_text(encoding="utf-8"))
    return [f"{step.version:04d} {step.name}" for step in missing]


async def check(database: Database, folder: Path = FOLDER) -> None:
    """Return if the schema is exactly this program's; changes nothing.

    Raises:
        MigrationError: it is older, newer or changed; the text says what to do.
        LedgerUnavailable: the database did not answer.
    """
    known = list(steps(folder))
    async with database.session() as session:
        there = await session.row("schema_versions_exist")
        applied = await _applied(session) if there and there["there"] else {}
    _check(known, applied)
    if len(applied) < len(known):
        raise MigrationError("the database is older than this program: run `saldo db migrate`")


async def _applied(session: Session) -> dict[int, str]:
    return {row["version"]: row["digest"] for row in await session.rows("schema_versions")}


def _check(known: list[Step], applied: dict[int, str]) -> None:
    if len(applied) > len(known):
        raise MigrationError(
            f"the database is at version {max(applied)}, this program at {len(known)}: "
            "install the newer program"
        )
    for step in known[: len(applied)]:
        if applied.get(step.version) != step.digest:
            raise MigrationError(
                f"schema file {step.version:04d}_{step.name}.sql was changed after it was applied: "
                "put it back as it was and write a new file for the change"
            )


async def _apply(session: Session, step: Step) -> None:
    async with session.transaction():
        await session.script(f"{step.version:04d}_{step.name}.sql", step.text)
        await session.run("keep_schema_version", step.version, step.name, step.digest)
