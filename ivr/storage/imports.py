"""Takes a biller's CSV files into the database: each file whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from ivr.billing.importing import NO_HEADERS, RULES, FileKind, Parsed, Problem, parse
from ivr.storage.errors import QueryRefused
from ivr.storage.pool import Database, Session

IMPORT_SECONDS = 300.0
"""How long one statement of an import may take."""
LARGE_FILE = 1000
"""Rows after which a payment would take three times as long until Postgres has looked again."""
ORDER = list(FileKind)
ORDERED = {FileKind.SERVICES, FileKind.INVOICES}
"""What payments lock too, so that it is locked in the order of ids."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file."""

    path: Path
    kind: FileKind | None
    rows: int = 0
    added: int = 0
    changed: int = 0
    problems: tuple[Problem, ...] = ()
    unused: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The report in plain text, a problem a line."""
        if self.problems:
            yield f"{self.path}: refused, nothing of it was taken"
            yield from (f"  {problem}" for problem in self.problems)
            return
        same = self.rows - self.added - self.changed
        yield (
            f"{self.path}: {self.rows} {self.kind}: "
            f"{self.added} new, {self.changed} changed, {same} as before"
        )
        if self.unused:
            yield f"  columns not used: {', '.join(self.unused)}"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the files, in the order in which they were taken."""

    files: tuple[FileReport, ...]
    dry_run: bool

    @property
    def ok(self) -> bool:
        """Whether every file was taken, or would have been."""
        return not any(file.problems for file in self.files)

    def lines(self) -> Iterator[str]:
        """The whole report in plain text."""
        for file in self.files:
            yield from file.lines()
        if self.dry_run:
            yield "dry run: nothing was kept"


class _Refused(Exception):
    """Undoes the transaction of a file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("refused")
        self.problems = problems


async def import_files(
    database: Database,
    paths: Sequence[Path],
    *,
    dry_run: bool = False,
    headers: Mapping[str, str] = NO_HEADERS,
) -> ImportReport:
    """Take customers, then services, then invoices, whatever the order of `paths`.

    What a file holds is told from its columns. `headers` maps its column names to ours. A dry run
    does everything, so that files which need each other are checked together, and undoes it.

    Raises:
        LedgerUnavailable: the database did not answer; files not reported yet were not taken.
    """
    read = [(path, await asyncio.to_thread(_read, path, headers)) for path in paths]
    read.sort(key=lambda one: ORDER.index(one[1].kind) if one[1].kind else -1)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(database.apart(IMPORT_SECONDS))
        if dry_run:
            await stack.enter_async_context(session.rehearsal())
        return ImportReport(
            tuple([await _take(session, path, parsed) for path, parsed in read]), dry_run
        )


def _read(path: Path, headers: Mapping[str, str]) -> Parsed:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        return Parsed(None, problems=(Problem(0, "", "", reason),))
    return parse(data, headers)


async def _take(session: Session, path: Path, parsed: Parsed) -> FileReport:
    problems, kind = parsed.problems, parsed.kind
    if kind and not problems:
        try:
            async with session.transaction():
                added, changed = await _merge(session, kind, parsed)
            return FileReport(path, kind, len(parsed.rows), added, changed, (), parsed.unused)
        except _Refused as refused:
            problems = refused.problems
        except QueryRefused as refused:  # a rule of the schema that the files' rules do not know
            problems = (Problem(0, "", "", f"{refused}: nothing was taken"),)
    return FileReport(path, kind, len(parsed.rows), problems=problems, unused=parsed.unused)


async def _merge(session: Session, kind: FileKind, parsed: Parsed) -> tuple[int, int]:
    columns = ["row", *RULES[kind]]
    records = [tuple(row[column] for column in columns) for row in parsed.rows]
    await session.run("lock_imports")
    await session.run(f"stage_{kind}")
    await session.copy(f"staged_{kind}", columns, records)
    if kind in ORDERED:
        await session.rows(f"lock_{kind}")
    conflicts = await session.rows(f"conflicts_of_{kind}")
    if conflicts:
        raise _Refused(tuple(Problem(*conflict) for conflict in conflicts))
    changed = await session.rows(f"change_{kind}")
    added = await session.rows(f"add_{kind}")
    if len(added) + len(changed) >= LARGE_FILE:
        await session.run(f"survey_{kind}")
    return len(added), len(changed)
