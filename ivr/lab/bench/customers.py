"""Databases of invented customers, kept in var/bench/customers so that a bench can be repeated."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice

import asyncpg

from ivr.billing.names import Nicknames, combination_keys, form, keypads
from ivr.hearing import nicknames
from ivr.lab import database as lab_database
from ivr.lab.bench.name_population import Population, Somebody
from ivr.lab.packages import ensure_tree
from ivr.lab.progress import SetupProgress
from ivr.settings import PROJECT
from ivr.speech.name_sounds import NameSounds
from ivr.storage.migrate import migrate
from ivr.storage.name_index import index_names, word_keys
from ivr.storage.names import PostgresNames
from ivr.storage.pool import Database

FOLDER = (PROJECT / "var/bench/customers").resolve()
WORDS = PROJECT / "grammars/words"
FIRST_ACCOUNT = 10_000_000
"""eight digits, as many as the longest accounts that are asked for by voice"""
POSTAL_CODES = 1000
"""so many different ones the customers live at, each as often"""
CHUNK = 50_000
LOADING_SECONDS = 900.0
SAMPLE = 300
COPIED = ("external_id", "account_number", "kind", "name", "language", "postal_code")
OWING = """
INSERT INTO services (external_id, customer_id, label, status)
SELECT external_id, id, 'line', 'active' FROM customers WHERE account_number::bigint >= $1
"""
INVOICES = """
INSERT INTO invoices (number, service_id, amount, currency, due_date)
SELECT external_id, id, 10, 'EUR', DATE '2026-01-31' FROM services
WHERE id % 3 = 0 AND external_id::bigint >= $1
"""


class Names(StrEnum):
    """How the invented customers are called."""

    CENSUS = "census"
    """as people are"""
    KNOWN = "known"
    """as people are, of those names whose every word is in the shipped models' vocabulary"""


@dataclass(frozen=True, slots=True)
class Invented:
    """One customer."""

    id: int
    account: str
    postal_code: str
    somebody: Somebody


@dataclass(frozen=True, slots=True)
class Company:
    """Customers in a database, all findable by name."""

    database: Database
    pronouncer: NameSounds
    nicknames: Nicknames
    names: PostgresNames
    customers: Sequence[Invented] = field(repr=False)


@asynccontextmanager
async def server(progress: SetupProgress) -> AsyncIterator[lab_database.DatabaseInfo]:
    """The Postgres of the benches, stopped afterwards unless it ran before; its data stays."""
    was_up = lab_database.running(FOLDER) is not None
    info = lab_database.start(FOLDER, ensure_tree(progress))
    try:
        yield info
    finally:
        if not was_up:
            lab_database.stop(FOLDER)


@asynccontextmanager
async def company(
    info: lab_database.DatabaseInfo,
    size: int,
    called: Names,
    tell: Callable[[str], None],
    connections: int = 10,
) -> AsyncIterator[Company]:
    """So many customers, made now unless an earlier run did; where one was cut short it goes on.

    Raises ModuleNotFoundError without requirements-dev.txt, and storage's errors.
    """
    url = await _database(info, f"bench_{called}_{size}")
    database = await Database.open(url, size=connections, application="saldo-bench")
    pronouncer = NameSounds(limit_seconds=30.0)
    known = nicknames()
    try:
        people = list(invented(size, called))
        await _fill(database, pronouncer, known, people, tell)
        names = PostgresNames(database, pronouncer, known)
        yield Company(database, pronouncer, known, names, await _with_ids(database, people))
    finally:
        await pronouncer.aclose()
        await database.close()


def invented(size: int, called: Names) -> Iterator[Invented]:
    """The same customers every time; their ids are those of a database that was filled at once."""
    chance = random.Random(11)  # noqa: S311 - repeatable, hides nothing
    codes = chance.sample(range(1001, 53000), POSTAL_CODES)
    for place, somebody in enumerate(islice(_people(called), size)):
        account = str(FIRST_ACCOUNT + place)
        yield Invented(place + 1, account, f"{chance.choice(codes):05d}", somebody)


def _people(called: Names) -> Iterator[Somebody]:
    people = Population().people()
    if called is Names.CENSUS:
        return people
    vocabulary = {language: known_words(language) for language in ("en", "es")}
    return (one for one in people if is_known(one, vocabulary[one.language]))


def is_known(somebody: Somebody, words: frozenset[str]) -> bool:
    """Whether a recogniser of these words can hear every word of the name."""
    return words.issuperset(form(somebody.name, somebody.kind).written)


def known_words(language: str) -> frozenset[str]:
    """What the shipped model of a language knows, grammars apart."""
    texts = (file.read_text(encoding="utf-8") for file in sorted((WORDS / language).glob("*.txt")))
    lines = (line.strip() for text in texts for line in text.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))


async def _database(info: lab_database.DatabaseInfo, name: str) -> str:
    """The address of this database, which is made if it is not there."""
    admin = await asyncpg.connect(info.admin_url)
    try:
        # What is lost when the machine stops is made again.
        await admin.execute("ALTER ROLE saldo SET synchronous_commit = off")
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await admin.execute(f"CREATE DATABASE {name} OWNER saldo")
    finally:
        await admin.close()
    return info.url.replace("/saldo?", f"/{name}?")


async def _fill(
    database: Database,
    pronouncer: NameSounds,
    known: Nicknames,
    people: Sequence[Invented],
    tell: Callable[[str], None],
) -> None:
    """Bring the database to these customers, and have every name indexed."""
    await migrate(database)
    print_of = await fingerprint(pronouncer, people)
    async with database.apart(LOADING_SECONDS) as session:
        await session.raw.execute("CREATE TABLE IF NOT EXISTS bench_fingerprint (of text)")
        made = await session.raw.fetchval("SELECT of FROM bench_fingerprint")
        if made != print_of:
            await session.raw.execute(
                "TRUNCATE customers, services, invoices, spoken_names, name_words, name_word_keys,"
                " name_combinations, name_keypads, customer_names, names_to_index,"
                " bench_fingerprint RESTART IDENTITY CASCADE"
            )
            await session.raw.execute("INSERT INTO bench_fingerprint VALUES ($1)", print_of)
        there = await session.raw.fetchval("SELECT count(*) FROM customers")
        waiting = await session.raw.fetchval("SELECT count(*) FROM names_to_index")
    if there == len(people) and not waiting:
        return
    await index_names(database, pronouncer, known)
    for start in range(there, len(people), CHUNK):
        tell(f"{start:,} of {len(people):,} customers are there")
        await _add(database, people[start : start + CHUNK])
        await index_names(database, pronouncer, known)
    async with database.apart(LOADING_SECONDS) as session:
        await session.script("analyze", "VACUUM ANALYZE")


async def _add(database: Database, people: Sequence[Invented]) -> None:
    rows = [
        (
            *(one.account, one.account, one.somebody.kind.value, one.somebody.name),
            *(one.somebody.language, one.postal_code),
        )
        for one in people
    ]
    async with database.apart(LOADING_SECONDS) as session, session.transaction():
        await session.copy("customers", COPIED, rows)
        for statement in (OWING, INVOICES):
            await session.raw.execute(statement, int(people[0].account))


async def _with_ids(database: Database, people: Sequence[Invented]) -> list[Invented]:
    """With the ids that they really have: a run that was cut short leaves gaps."""
    async with database.apart(LOADING_SECONDS) as session:
        rows = await session.raw.fetch("SELECT id FROM customers ORDER BY account_number")
    return [replace(one, id=row["id"]) for one, row in zip(people, rows, strict=True)]


async def fingerprint(pronouncer: NameSounds, people: Sequence[Invented]) -> str:
    """Changes whenever the customers, or what an index of their names holds, do."""
    facts: list[object] = [[one.account, one.postal_code, one.somebody.name] for one in people[-9:]]
    some = [form(one.somebody.name, one.somebody.kind) for one in people[:SAMPLE]]
    words = list(dict.fromkeys(word for one in some for word in one.written))
    facts += [[one.words, combination_keys(one.words), keypads(one)] for one in some]
    for word, spoken in zip(words, await pronouncer.sounds(words), strict=True):
        facts.append([word, spoken, word_keys(word, spoken)])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
