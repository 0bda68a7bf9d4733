"""Everything that a canary could have been left in, searched: files, database, streams, pages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import subprocess
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg

from ivr.lab.database import DATABASE
from ivr.lab.errors import LabError
from ivr.lab.leaktest.evidence import masked
from ivr.lab.leaktest.house import RECORDED, House
from ivr.lab.leaktest.matching import Hit, Matcher
from ivr.lab.post import arrived
from ivr.lab.tones import channels, keys_heard
from ivr.settings import PROJECT

CHUNK = 4 << 20
MOST_OPEN_BYTES = 32 << 20
MOST_ZEROS = 10  # one in so many bytes of what has lines: more are pages of a database
OVERLAP = 1 << 16
MOST_LINES_BYTES = 256 << 20
GROWING = frozenset({".log", ".csv", ".txt", ".jsonl"})
SOUNDS = frozenset({".wav", ".ulaw", ".alaw", ".ul", ".sln", ".sln16"})
DUMP_SECONDS = 120.0
POST_OFFICE = "post office: mails, texts, webhooks and what the CRM is told"
PAGES = ("/healthz", "/readyz", "/metrics", "/openapi.json")
NOUNS = ("customers", "services", "invoices", "payments", "calls")
MOST_PAGES = 50
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A canary in a place."""

    where: str
    hit: Hit


@dataclass
class Searched:
    """What was searched under one heading, and what was found there."""

    name: str
    items: int = 0
    unit: str = "files"
    bytes: int = 0
    found: set[Found] = field(default_factory=set)

    def take(self, where: str, hits: Iterable[Hit], size: int) -> None:
        """Count one item."""
        self.items += 1
        self.bytes += size
        self.found |= {Found(where, hit) for hit in hits}


@dataclass
class Report:
    """All headings of one search."""

    sinks: dict[str, Searched] = field(default_factory=dict)

    def of(self, name: str, unit: str = "files") -> Searched:
        return self.sinks.setdefault(name, Searched(name, unit=unit))

    @property
    def found(self) -> list[Found]:
        every = (one for sink in self.sinks.values() for one in sink.found)
        return sorted(every, key=lambda one: (one.where, one.hit.canary, one.hit.form))


Sizes = dict[Path, tuple[int, int]]
"""size and time of change of every file there was"""


def roots(house: House) -> list[Path]:
    """The folders in which the lab's programs write."""
    found = [house.folder, house.database.data.parent, Path(house.lab.sounds)]
    if not house.pbx.control.is_relative_to(house.folder):
        found.append(house.pbx.control.parent)
    return found


def sizes(folders: Iterable[Path]) -> Sizes:
    """Every file of these folders, and core files of our programs, as they are now."""
    return {
        file: (about.st_size, about.st_mtime_ns)
        for file, about in chain(_cores(), *map(_files, folders))
    }


def search_files(
    report: Report,
    matcher: Matcher,
    house: House,
    before: Sizes,
    without: Collection[Path] = (),
) -> None:
    """Every file that has changed, its name too; what was appended where it has only grown."""
    for file, about in chain(_cores(), *map(_files, roots(house))):
        is_old = before.get(file) == (about.st_size, about.st_mtime_ns)
        if is_old or any(file.is_relative_to(one) for one in without):
            continue
        sink = report.of(_heading(file, house))
        named = matcher.search(os.fsencode(file))
        hits = {replace(hit, place="its name") for hit in named}
        with contextlib.suppress(FileNotFoundError):  # a server has just removed it
            hits |= search_file(matcher, file, _grown_from(file, about.st_size, before))
            sink.take(_shown(file, named), hits, about.st_size)


def count_messages(report: Report, house: House) -> None:
    """Have the report count messages, and not the file that they are lines of."""
    sink = report.of(POST_OFFICE)
    sink.unit, sink.items = "messages", len(arrived(Path(house.lab.messages)))


def _shown(file: Path, named: Collection[Hit]) -> str:
    """How a report names a file, also one whose name has a card in it."""
    return str(file.with_name(masked(file.name)) if named else file)


def search_file(
    matcher: Matcher, file: Path, start: int = 0, *, has_lines: bool = False
) -> set[Hit]:
    """Every form in one file: bytes, lines in the order of time, and tones where it is sound.

    What is full of zero bytes has no lines, unless `has_lines` says so.
    """
    hits: set[Hit] = set()
    is_text = True
    with file.open("rb") as read:
        read.seek(start)
        rest = b""
        while chunk := read.read(CHUNK):
            if not chunk.strip(b"\0"):  # most of a new segment of the write-ahead log
                is_text, rest = False, b""
                continue
            is_text = is_text and chunk.count(b"\0") < len(chunk) // MOST_ZEROS
            data, begin = rest + chunk, read.tell() - len(rest) - len(chunk)
            hits |= matcher.looked_at(matcher.search(data) - hits, data, begin)
            rest = chunk[-OVERLAP:]
    if file.suffix.lower() in SOUNDS:
        hits |= _heard(matcher, file)
    elif (is_text or has_lines) and 0 < file.stat().st_size - start < MOST_LINES_BYTES:
        with file.open("rb") as read:
            read.seek(start)
            hits |= matcher.search_lines((line.decode(errors="replace") for line in read), start)
    return hits


def search_streams(
    report: Report, matcher: Matcher, names: dict[str, Path], start: dict[str, int] | None = None
) -> None:
    """What each listener was told; from an offset of its file on."""
    for name, file in names.items():
        begin = (start or {}).get(name, 0)
        sink = report.of(name, unit="lines")
        with file.open("rb") as read:
            read.seek(begin)
            count = sum(1 for _ in read)
        hits = search_file(matcher, file, begin, has_lines=True)
        sink.take(name, hits, file.stat().st_size - begin)
        sink.items = count


def search_packets(
    report: Report, matcher: Matcher, folder: Path, before: Sizes | None = None
) -> None:
    """What passed loopback; since `before`."""
    sink = report.of("packets on loopback", unit="connections, each way")
    for file in sorted(folder.glob("*.bin")):
        size, start = file.stat().st_size, (before or {}).get(file, (0, 0))[0]
        if size > start:
            sink.take(f"packets {file.stem}", search_file(matcher, file, start), size - start)


async def search_database(report: Report, matcher: Matcher, house: House, evidence: Path) -> None:
    """A dump of every row; and a checkpoint, so that the files on the disk hold everything."""
    connection = await asyncpg.connect(house.database.admin_url, timeout=10)
    try:
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close(timeout=5)
    dump = evidence / "dump.sql"
    with dump.open("wb") as out:
        # As the superuser: nothing may be hidden by rights.
        url = urlsplit(house.database.admin_url)._replace(path=f"/{DATABASE}").geturl()
        command = [str(house.tree.program("pg_dump")), "--inserts", url]
        done = await asyncio.to_thread(
            subprocess.run, command, stdout=out, timeout=DUMP_SECONDS, check=False
        )
    if done.returncode:
        raise LabError("the database could not be dumped: is it up?")
    sink = report.of("Postgres, every row", unit="rows")
    hits = await asyncio.to_thread(search_file, matcher, dump)
    sink.take("dump of the database", hits, dump.stat().st_size)
    with dump.open("rb") as rows:
        sink.items = sum(1 for line in rows if line.startswith(b"INSERT INTO"))
    dump.unlink()


async def search_pages(report: Report, matcher: Matcher, house: House) -> None:
    """Metrics, health and every page of REST."""
    sink = report.of("REST and metrics pages", unit="pages")
    headers = {"Authorization": f"Bearer {house.lab.api_key}"}
    async with aiohttp.ClientSession(house.lab.api, headers=headers) as session:
        async with session.get("/openapi.json") as answer:
            known = (await answer.json())["paths"]
        more = {path for path, ways in known.items() if "get" in ways and "{" not in path}
        for path in sorted({*PAGES, *more}):
            sink.take(path, *await _page(session, matcher, path))
        for noun in NOUNS:
            path = f"/v1/{noun}?limit=500"
            for _ in range(MOST_PAGES):
                async with session.get(path) as answer:
                    text, body = await answer.read(), await answer.json()
                sink.take(path, matcher.looked_at(matcher.search(text), text), len(text))
                if not body.get("next"):
                    break
                path = f"/v1/{noun}?limit=500&before={body['next']}"


async def _page(
    session: aiohttp.ClientSession, matcher: Matcher, path: str
) -> tuple[set[Hit], int]:
    async with session.get(path) as answer:
        text = await answer.read()
    hits = matcher.looked_at(matcher.search(text), text)
    return hits | matcher.search_lines(text.decode().splitlines()), len(text)


def search_open_files(report: Report, matcher: Matcher, pids: Iterable[int], house: House) -> None:
    """Files that the lab's processes hold open elsewhere, also those that have no name any more."""
    known = roots(house)
    sink = report.of("open and nameless files elsewhere")
    for pid in pids:
        with contextlib.suppress(OSError):
            for handle in list(Path(f"/proc/{pid}/fd").iterdir()):
                _search_handle(sink, matcher, handle, known)


def _search_handle(sink: Searched, matcher: Matcher, handle: Path, known: list[Path]) -> None:
    with contextlib.suppress(OSError):
        about = handle.stat()
        target = handle.readlink()
        if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_OPEN_BYTES:
            return
        is_written = "w" in _mode(handle)
        if is_written and not any(target.is_relative_to(folder) for folder in known):
            data = handle.read_bytes()
            hits = matcher.looked_at(matcher.search(data), data)
            sink.take(str(target), hits, about.st_size)


def _mode(handle: Path) -> str:
    return "w" if handle.lstat().st_mode & stat.S_IWUSR else "r"


def _heard(matcher: Matcher, file: Path) -> set[Hit]:
    with contextlib.suppress(LabError):
        return {hit for sound in channels(file) for hit in matcher.search_keys(keys_heard(sound))}
    return set()


def _grown_from(file: Path, size: int, before: Sizes) -> int:
    """From where on to read: logs only grow, anything else is read as a whole."""
    old = before.get(file, (0, 0))[0]
    return old if file.suffix in GROWING and old <= size else 0


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            file = Path(parent, name)
            with contextlib.suppress(OSError):
                about = file.lstat()
                if stat.S_ISREG(about.st_mode):
                    yield file, about


def _cores() -> Iterator[tuple[Path, os.stat_result]]:
    """Core files in the folder in which our programs work."""
    for file in PROJECT.glob("core*"):
        if file.is_file():
            yield file, file.stat()


def _heading(file: Path, house: House) -> str:
    """Under which heading a file is counted."""
    data = house.database.data
    if file.is_relative_to(data / "pg_wal"):
        return "Postgres, write-ahead log"
    if file.is_relative_to(data):
        return "Postgres, data files"
    if file.is_relative_to(data.parent):
        return "Postgres, server log"
    return _lab_heading(file, house)


def _lab_heading(file: Path, house: House) -> str:
    asterisk = house.logs.parent
    if file.name.startswith("core"):
        return "core files"
    places = {
        house.logs: "Asterisk, logs, CDR and CEL",
        house.pbx.spool: "Asterisk, spool and recordings",
        asterisk / "lib": "Asterisk, AstDB and keys",
        asterisk: "Asterisk, other files",
        Path(house.lab.recordings): "recordings of what callers heard",
        house.folder / RECORDED: "Saldo's recordings of the calls",
        Path(house.lab.sounds): "sounds made for callers",
        house.folder / "tmp": "temporary files",
    }
    for place, name in places.items():
        if file.is_relative_to(place):
            return name
    if file.name.startswith("gateway"):
        return "gateway stand-in, ledger and log"
    if file.name.startswith(("messages", "post")):
        return POST_OFFICE
    return "logs of saldo" if file.suffix == ".log" else "other files of the lab"
