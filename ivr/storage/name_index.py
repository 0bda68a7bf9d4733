"""Makes customers findable by the sound and the spelling of their names, and keeps it so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ivr.billing import sounds
from ivr.billing.customers import CustomerKind
from ivr.billing.names import NameForm, Nicknames, combination_keys, fold, form, keypads
from ivr.billing.sounds import ALL_ACCENTS
from ivr.storage.pool import Database, Record, Session

BATCH_CUSTOMERS = 4000
BATCH_SECONDS = 60.0
"""how long one statement of a batch may take; no caller waits for it"""

_Key: TypeAlias = tuple[str, str]  # words joined by spaces, and kind: what a name is known by


class Pronouncer(Protocol):
    """What knows how words are pronounced."""

    async def sounds(
        self, words: Sequence[str], accents: Sequence[str] = ALL_ACCENTS
    ) -> list[tuple[str, ...]]:
        """For each word its sound in each accent, as a string of PHONES; "" if it has none.

        Raises PronunciationUnavailable when there is no answer in time.
        """
        ...


@dataclass(frozen=True, slots=True)
class Indexed:
    """What one run did."""

    customers: int
    names: int
    """distinct names that were new"""
    words: int
    """distinct words that were new, those of nicknames included"""


async def names_left(database: Database) -> int:
    """How many customers cannot be found by their present name yet. Raises LedgerUnavailable."""
    row = await database.row("names_left_to_index")
    return int(row["waiting"]) if row else 0


async def any_names_left(database: Database) -> bool:
    """Whether `index_names` has anything to do; costs one row of an index.

    Raises LedgerUnavailable.
    """
    return await database.row("first_name_to_index") is not None


async def index_names(
    database: Database,
    pronouncer: Pronouncer,
    nicknames: Nicknames,
    batch: int = BATCH_CUSTOMERS,
) -> Indexed:
    """Look at every customer whose name is new or changed, a batch a transaction.

    Interrupted, it goes on where it was; two at once share the work; with nothing to do it costs
    two queries. The database itself notes which names are new.

    Raises:
        LedgerUnavailable, QueryRefused: the database.
        PronunciationUnavailable: espeak-ng.
    """
    customers = names = 0
    async with database.apart(BATCH_SECONDS) as session:
        async with session.transaction():
            await session.run("lock_name_indexing")
            words = await _add_words(session, pronouncer, nicknames.words)
        while True:
            async with session.transaction():
                await session.run("lock_name_indexing")
                taken = await session.rows("take_names_to_index", batch)
                if not taken:
                    return Indexed(customers, names, words)
                forms = [form(row["name"], CustomerKind(row["kind"])) for row in taken]
                spoken = [one for one in forms if one.words]
                words += await _add_words(
                    session, pronouncer, (word for one in spoken for word in one.written)
                )
                ids, new = await _name_ids(session, spoken)
                await _keep_bearers(session, taken, forms, ids)
            customers, names = customers + len(taken), names + new


def _key(one: NameForm) -> _Key:
    return " ".join(one.words), one.kind.value


async def _add_words(session: Session, pronouncer: Pronouncer, words: Iterable[str]) -> int:
    asked = list(dict.fromkeys(words))
    known = {row["word"] for row in await session.rows("name_words_there", asked)}
    missing = [word for word in asked if word not in known]
    if not missing:
        return 0
    spoken = await pronouncer.sounds(missing, ALL_ACCENTS)
    added = await session.rows("add_name_words", missing, [" ".join(each) for each in spoken])
    sounds_of = dict(zip(missing, spoken, strict=True))
    found = [
        (key, row["id"], weight)
        for row in added
        for key, weight in word_keys(row["word"], sounds_of[row["word"]]).items()
    ]
    await session.run("add_name_word_keys", *_columns(found, 3))
    return len(added)


def word_keys(word: str, spoken: Sequence[str]) -> dict[str, float]:
    """What finds a word: its letters, and the shapes of its sounds."""
    found = {f"'{fold(word)}": 2 * sounds.EXACT_WEIGHT}
    for sound in dict.fromkeys(spoken):
        for key, weight in sounds.keys(sound).items():
            found[key] = max(weight, found.get(key, 0.0))
    return found


async def _name_ids(session: Session, forms: Sequence[NameForm]) -> tuple[dict[_Key, int], int]:
    """The id of every name, and how many were new."""
    by_key = {_key(one): one for one in forms}
    there = await session.rows("spoken_names_there", *_columns(by_key, 2))
    ids: dict[_Key, int] = {(row["words"], row["kind"]): row["id"] for row in there}
    missing = [key for key in by_key if key not in ids]
    if missing:
        added = await session.rows("add_spoken_names", *_columns(missing, 2))
        new: dict[_Key, int] = {(row["words"], row["kind"]): row["id"] for row in added}
        await _add_keys(session, [(by_key[key], name_id) for key, name_id in new.items()])
        ids |= new
    return ids, len(missing)


async def _add_keys(session: Session, names: Sequence[tuple[NameForm, int]]) -> None:
    combinations = [
        (key, unsaid, name_id)
        for one, name_id in names
        for key, unsaid in combination_keys(one.words).items()
    ]
    await session.run("add_name_combinations", *_columns(combinations, 3))
    spelled = [(keys, name_id) for one, name_id in names for keys in keypads(one)]
    await session.run("add_name_keypads", *_columns(spelled, 2))


async def _keep_bearers(
    session: Session,
    taken: Sequence[Record],
    forms: Sequence[NameForm],
    ids: dict[_Key, int],
) -> None:
    bearers = [(row["id"], ids.get(_key(one))) for row, one in zip(taken, forms, strict=True)]
    named = [(customer, name) for customer, name in bearers if name is not None]
    nameless = [customer for customer, name in bearers if name is None]
    await session.run("keep_customer_names", *_columns(named, 2))
    await session.run("forget_customer_names", nameless)


def _columns(rows: Iterable[Sequence[object]], count: int) -> list[list[object]]:
    """Rows as the arrays that unnest() takes."""
    listed = list(rows)
    return [[row[place] for row in listed] for place in range(count)]
