"""How well and how fast customers are found by name, from a thousand to a million of them.

python -m ivr.lab.bench.names --sizes 1000 10000
python -m ivr.lab.bench.names --heard calls.jsonl --database postgresql://...
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ivr.billing.errors import LedgerUnavailable
from ivr.billing.names import Nicknames, written_words
from ivr.lab import database as lab_database
from ivr.lab.bench.name_population import Population, Somebody
from ivr.lab.bench.name_trials import PoorEar, Score, Trial, evaluate, perfect, read
from ivr.lab.packages import ensure_tree
from ivr.lab.progress import TerminalProgress
from ivr.speech.name_sounds import NameSounds
from ivr.storage.migrate import migrate
from ivr.storage.name_index import index_names
from ivr.storage.names import PostgresNames
from ivr.storage.pool import Database

PROJECT = Path(__file__).parents[3]
SIZES = (1_000, 10_000, 100_000, 1_000_000)
TRIALS = 1000
NOISY_TRIALS = 200
NOISES = (0.1, 0.2)
VOCABULARY = 6000
LOADING_SECONDS = 900.0
COPIED = ("external_id", "account_number", "kind", "name", "language", "postal_code")
FIRST_ACCOUNT = 1000
OWING = """
INSERT INTO services (external_id, customer_id, label, status)
SELECT external_id, id, 'line', 'active' FROM customers WHERE account_number::bigint >= $1;
"""
INVOICES = """
INSERT INTO invoices (number, service_id, amount, currency, due_date)
SELECT external_id, id, 10, 'EUR', DATE '2026-01-31' FROM services
WHERE id % 3 = 0 AND external_id::bigint >= $1
"""


class Bench:
    """One growing company in one database."""

    def __init__(self, database: Database, pronouncer: NameSounds) -> None:
        self._nicknames = nicknames()
        self._database = database
        self._pronouncer = pronouncer
        self._population = Population()
        self._line = self._population.people()
        self._people: list[Somebody] = []
        self._ids: list[int] = []
        self._chance = random.Random(3)  # noqa: S311 - repeatable, hides nothing
        self.names = PostgresNames(database, pronouncer, self._nicknames)

    async def grow(self, size: int) -> dict[str, float]:
        """Add customers up to a size and index them; how long that took."""
        new = list(islice(self._line, size - len(self._people)))
        first = FIRST_ACCOUNT + len(self._people)
        rows = [
            (str(account), str(account), one.kind.value, one.name, one.language, "28001")
            for account, one in enumerate(new, start=first)
        ]
        async with self._database.apart(LOADING_SECONDS) as session:
            await session.copy("customers", COPIED, rows)
            for statement in (OWING, INVOICES):
                await session.raw.execute(statement, first)
            found = await session.raw.fetch("SELECT id FROM customers ORDER BY account_number::int")
        self._people += new
        self._ids = [row["id"] for row in found]
        began = time.perf_counter()
        indexed = await index_names(self._database, self._pronouncer, self._nicknames)
        seconds = time.perf_counter() - began
        async with self._database.apart(LOADING_SECONDS) as session:
            await session.script("analyze", "VACUUM ANALYZE")
            bytes_used = await session.raw.fetchval(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ("
                "'name_words', 'name_word_keys', 'spoken_names', 'name_combinations',"
                "'name_keypads', 'customer_names')"
            )
        return {
            "index_seconds": round(seconds, 1),
            "index_ms_a_name": round(1000 * seconds / max(indexed.customers, 1), 3),
            "index_megabytes": round(float(bytes_used) / 1e6, 1),
        }

    async def perfectly_heard(self) -> Score:
        """Full names as text."""
        return await evaluate(self.names, [perfect(*self._somebody()) for _ in range(TRIALS)])

    async def poorly_heard(self, changed: float) -> Score:
        """Through a simulated recogniser; every tenth caller is no customer."""
        ear = PoorEar(self._pronouncer, changed)
        for language in ("en", "es"):
            lists = (self._population.surnames[language], *self._population.first[language])
            words = [word for names in lists for word in names.names[: VOCABULARY // 3]]
            await ear.learn(language, [part for word in words for part in written_words(word)])
        strangers = Population(seed=99).people()
        known = {one.name for one in self._people}
        trials: list[Trial] = []
        while len(trials) < NOISY_TRIALS:
            one, customer = self._somebody()
            if len(trials) % 10 == 0:
                stranger = next(strangers)
                if stranger.name in known:
                    continue
                trials.append(await ear.hear(stranger.name, stranger.language, None))
            else:
                trials.append(await ear.hear(one.name, one.language, customer))
        return await evaluate(self.names, trials)

    def _somebody(self) -> tuple[Somebody, int]:
        place = self._chance.randrange(len(self._people))
        return self._people[place], self._ids[place]


def nicknames() -> Nicknames:
    """Those of the project."""
    texts = [path.read_text("utf-8") for path in sorted(PROJECT.glob("grammars/nicknames/*.txt"))]
    return Nicknames.parse(*texts)


async def heard(url: str, file: Path) -> dict[str, float]:
    """How well a recogniser's output finds the customers of a database that is there already."""
    database = await Database.open(url, application="saldo-bench")
    pronouncer = NameSounds()
    try:
        await index_names(database, pronouncer, nicknames())
        async with database.apart(LOADING_SECONDS) as session:
            rows = await session.raw.fetch("SELECT id, account_number FROM customers")
        ids = {row["account_number"]: row["id"] for row in rows}
        names = PostgresNames(database, pronouncer, nicknames())
        return (await evaluate(names, list(read(file, ids)))).figures()
    finally:
        await pronouncer.aclose()
        await database.close()


async def run(url: str, sizes: Sequence[int]) -> list[dict[str, object]]:
    """The table, printed as it grows."""
    database = await Database.open(url, application="saldo-bench")
    pronouncer = NameSounds(limit_seconds=30.0)
    try:
        await migrate(database)
        bench = Bench(database, pronouncer)
        return [await _measured(bench, size) for size in sorted(sizes)]
    finally:
        await pronouncer.aclose()
        await database.close()


async def _measured(bench: Bench, size: int) -> dict[str, object]:
    row: dict[str, object] = {"customers": size, **await bench.grow(size)}
    row["perfect"] = (await bench.perfectly_heard()).figures()
    for changed in NOISES:
        row[f"noise {changed}"] = (await bench.poorly_heard(changed)).figures()
    print(json.dumps(row), flush=True)  # noqa: T201 - what the command is for
    return row


def main() -> None:
    """Measure invented customers, or a recogniser's output over real ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of customers")
    parser.add_argument("--heard", type=Path, help="JSON lines of a recogniser's output")
    parser.add_argument("--database", help="with --heard: whose customers were called for")
    options = parser.parse_args()
    if options.heard is None:
        return measure(options.sizes)
    if not options.database:
        parser.error("--heard needs --database")
    try:
        figures = asyncio.run(heard(options.database, options.heard))
    except (ValueError, OSError, LedgerUnavailable) as error:
        sys.exit(str(error))
    print(json.dumps(figures))  # noqa: T201 - what the command is for
    return None


def measure(sizes: Sequence[int]) -> None:
    """The table, of a database of its own, into var/bench/names.json."""
    try:
        Population()
    except ModuleNotFoundError as error:
        sys.exit(f"The benchmark needs the package {error.name}: install requirements-dev.txt.")
    with TerminalProgress() as progress:
        tree = ensure_tree(progress)
    folder = Path(tempfile.mkdtemp(prefix="saldo-bench-"))
    try:
        server = lab_database.start(folder, tree)
        table = asyncio.run(run(server.url, sizes))
    finally:
        lab_database.remove(folder)
        shutil.rmtree(folder)
    target = PROJECT / "var/bench/names.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
