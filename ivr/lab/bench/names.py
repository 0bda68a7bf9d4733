"""How well and how fast customers are found by name, among up to a million of them.

Names come as text, every word recognised. With a recogniser's output over real calls instead:
python -m ivr.lab.bench.names --heard calls.jsonl --database postgresql://...
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from ivr.billing.errors import LedgerUnavailable
from ivr.hearing import nicknames
from ivr.lab.bench.customers import Company
from ivr.lab.bench.figures import Figure, at_least, at_most, share
from ivr.lab.bench.name_trials import Score, Trial, evaluate, perfect, read
from ivr.speech.name_sounds import NameSounds
from ivr.storage.name_index import index_names
from ivr.storage.names import PostgresNames
from ivr.storage.pool import Database

WARMING = 200
AT_ONCE = 8
FIRST, IN_THREE = 0.97, 0.99
SLOWEST_MS = 50.0
LARGEST = 1_000_000
"""customers for which the goals hold"""


async def measure(company: Company, trials: int) -> tuple[list[Figure], list[dict[str, object]]]:
    """Figures of full names as text, one look-up at a time and AT_ONCE, and what went wrong."""
    chance = random.Random(3)  # noqa: S311 - repeatable, hides nothing
    asked = [
        perfect(one.somebody, one.id) for one in chance.choices(company.customers, k=2 * trials)
    ]
    await evaluate(company.names, asked[:WARMING], AT_ONCE)
    alone = await evaluate(company.names, asked[:trials])
    together = await evaluate(company.names, asked[trials:], AT_ONCE)
    about = f"{len(company.customers):,} customers"
    is_largest = len(company.customers) == LARGEST
    figures = [
        share(f"{about}: first", alone.first, trials, at_least(FIRST) if is_largest else None),
        share(
            f"{about}: in three",
            alone.in_three,
            trials,
            at_least(IN_THREE) if is_largest else None,
        ),
        share(f"{about}: sure of another's name", alone.wrong_accepted, trials),
        *_times(f"{about}, one at a time", alone, SLOWEST_MS if is_largest else None),
        *_times(f"{about}, {AT_ONCE} at once", together, None),
    ]
    return figures, [_fault(trial) for trial in alone.missed]


def _times(about: str, score: Score, most: float | None) -> list[Figure]:
    goal = None if most is None else at_most(most)
    of = len(score.seconds)
    p50, p99 = (round(score.milliseconds(part), 1) for part in (0.5, 0.99))
    return [
        Figure(f"{about}: look-up, p50", p50, "ms", None, of),
        Figure(f"{about}: look-up, p99", p99, "ms", goal, of),
    ]


def _fault(trial: Trial) -> dict[str, object]:
    said = trial.heard[0].text if trial.heard else ""
    return {"said": said, "language": trial.language, "customer": trial.customer}


async def heard(url: str, file: Path) -> dict[str, float]:
    """How well a recogniser's output finds the customers of a database that is there already."""
    database = await Database.open(url, application="saldo-bench")
    pronouncer = NameSounds()
    try:
        await index_names(database, pronouncer, nicknames())
        async with database.session() as session:
            rows = await session.raw.fetch("SELECT id, account_number FROM customers")
        ids = {row["account_number"]: row["id"] for row in rows}
        names = PostgresNames(database, pronouncer, nicknames())
        return (await evaluate(names, list(read(file, ids)))).figures()
    finally:
        await pronouncer.aclose()
        await database.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure a recogniser's output over the customers of a database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heard", type=Path, required=True, help="JSON lines of what was heard")
    parser.add_argument("--database", required=True, help="whose customers were called for")
    options = parser.parse_args(arguments)
    try:
        figures = asyncio.run(heard(options.database, options.heard))
    except (ValueError, OSError, LedgerUnavailable) as error:
        sys.exit(str(error))
    print(json.dumps(figures))  # noqa: T201 - what the command is for


if __name__ == "__main__":
    main()
