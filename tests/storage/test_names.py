"""Customers found by name: against a real Postgres and the real espeak-ng."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.billing.matches import Choose, Decision, Hypothesis, Named, Sure, Unsure
from ivr.billing.names import Nicknames, keypad
from ivr.speech.name_sounds import NameSounds
from ivr.storage.name_index import Indexed, index_names, names_left
from ivr.storage.names import PostgresNames
from ivr.storage.pool import Database

NICKNAMES = Path(__file__).parents[2] / "grammars/nicknames"
ADD = """
INSERT INTO customers (external_id, account_number, kind, name, language, postal_code, phone)
VALUES ('C' || $1, $1, $2, $3, 'en', $4, $5) RETURNING id"""
PEOPLE = {
    "1001": "James Smith",
    "1002": "James Smith",
    "1003": "María José García López",
    "1004": "Mary Ann Kowalski",
    "1005": "William Turner",
    "1006": "José Ramírez Ortega",
    "1007": "O'Connor, Sinéad",
    "1008": "Jon Baker",
    "1009": "John Baker",
    "1010": "Thomas James",
    "1011": "James Thomas",
    "1012": "Peter Brown",
    "1013": "Peter Braun",
    "1014": "Ana Muñoz de la Cruz",
    "1015": "Carmen Vega Prieto",
    "1016": "Molina, Carmen Vega",
    "1017": "Dr. Walter T. Finch",
}
COMPANIES = {
    "2001": "Talleres Hermanos Ruiz, S.L.",
    "2002": "Northwind Traders Ltd.",
    "2003": "Müller & Söhne GmbH",
    "2004": "Telefónica S.A.",
}


@pytest.fixture
def nicknames() -> Nicknames:
    return Nicknames.parse(*(path.read_text() for path in sorted(NICKNAMES.glob("*.txt"))))


@pytest.fixture
async def pronouncer() -> AsyncIterator[NameSounds]:
    sounds = NameSounds()
    yield sounds
    await sounds.aclose()


@pytest.fixture
async def ids(
    database: Database, pronouncer: NameSounds, nicknames: Nicknames
) -> AsyncIterator[dict[str, int]]:
    """The company, indexed: the ids of its customers by account number."""
    found = {}
    async with database.session() as session:
        await session.raw.execute("TRUNCATE customers, spoken_names CASCADE")
        await session.raw.execute("TRUNCATE name_combinations, name_keypads")
        for kind, names in (("person", PEOPLE), ("company", COMPANIES)):
            for account, name in names.items():
                phone = f"+4477009{account:0>5}"
                found[account] = await session.raw.fetchval(
                    ADD, account, kind, name, f"28{account[-3:]}", phone
                )
    await index_names(database, pronouncer, nicknames)
    yield found  # noqa: PT022 - async fixtures of this file are all generators


@pytest.fixture
def names(
    ids: dict[str, int], database: Database, pronouncer: NameSounds, nicknames: Nicknames
) -> PostgresNames:
    return PostgresNames(database, pronouncer, nicknames)


def said(*texts: str) -> list[Hypothesis]:
    return [Hypothesis(text, 0.2 * rank) for rank, text in enumerate(texts)]


def offered(decision: Decision) -> list[Named]:
    match decision:
        case Sure(named):
            return [named]
        case Choose(names):
            return list(names)
        case _:
            return []


@pytest.mark.parametrize(
    ("text", "language", "account"),
    [
        ("william turner", "en", "1005"),
        ("my name is william turner", "en", "1005"),
        ("bill turner", "en", "1005"),
        ("turner william", "en", "1005"),
        ("william tanner", "en", "1005"),
        ("sinead o'connor", "en", "1007"),
        ("sinead o connor", "en", "1007"),
        ("josé ramírez ortega", "es", "1006"),
        ("pepe ramirez", "es", "1006"),
        ("me llamo jose ramires ortega", "es", "1006"),
        ("maría josé garcía lópez", "es", "1003"),
        ("mari jose garcia lopez", "es", "1003"),
        ("ana munoz cruz", "es", "1014"),
        ("mary ann kowalsky", "en", "1004"),
        ("talleres hermanos ruiz", "es", "2001"),
        ("talleres ruiz sociedad limitada", "es", "2001"),
        ("north wind traders limited", "en", "2002"),
        ("telefonica", "es", "2004"),
    ],
)
async def test_a_name_said_is_found(
    names: PostgresNames, ids: dict[str, int], text: str, language: str, account: str
) -> None:
    found = offered(await names.by_spoken_name(said(text), language))
    assert found[0].customers == (ids[account],)


async def test_an_exact_name_without_a_near_one_is_sure(names: PostgresNames) -> None:
    assert isinstance(await names.by_spoken_name(said("william turner"), "en"), Sure)


async def test_names_that_sound_alike_are_offered_to_choose_from(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    decision = await names.by_spoken_name(said("peter bren"), "en")
    assert isinstance(decision, Choose)
    assert {one.customers[0] for one in decision.names} >= {ids["1012"], ids["1013"]}


async def test_the_order_of_two_first_names_tells_two_people_apart(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    assert offered(await names.by_spoken_name(said("thomas james"), "en"))[0].customers == (
        ids["1010"],
    )
    assert offered(await names.by_spoken_name(said("james thomas"), "en"))[0].customers == (
        ids["1011"],
    )


async def test_a_worse_hypothesis_may_be_the_right_one(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    heard = said("willing turned around", "william turn her", "william turner")
    assert offered(await names.by_spoken_name(heard, "en"))[0].customers == (ids["1005"],)


async def test_people_of_one_name_are_one_choice_told_apart_by_postal_code(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    decision = await names.by_spoken_name(said("james smith"), "en")
    assert isinstance(decision, Sure)
    assert decision.named.customers == (ids["1001"], ids["1002"])
    found = await names.of_postal_code(decision.named, "28002")
    assert found is not None
    assert found.id == ids["1002"]
    assert await names.of_postal_code(decision.named, "28005") is None


async def test_names_that_sound_the_same_are_one_choice(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    decision = await names.by_spoken_name(said("john baker"), "en")
    assert isinstance(decision, Sure)
    assert decision.named.name == "John Baker"
    assert set(decision.named.customers) == {ids["1008"], ids["1009"]}


@pytest.mark.parametrize(
    ("text", "language", "read"),
    [
        ("maria garcia", "es", "María García"),
        ("maria lopez", "es", "María López"),
        ("mary kowalski", "en", "Mary Kowalski"),
        ("talleres hermanos", "es", "Talleres Hermanos"),
        ("hermanos ruiz", "es", "Hermanos Ruiz"),
        ("ana cruz", "es", "Ana Cruz"),
        ("ana muñoz cruz", "es", "Ana Muñoz de la Cruz"),
        ("maría josé garcía lópez", "es", "María José García López"),
        ("walter finch", "en", "Walter Finch"),
        ("peter bren", "en", "Peter Braun"),
    ],
)
async def test_of_a_name_no_more_is_offered_than_was_said(
    names: PostgresNames, text: str, language: str, read: str
) -> None:
    assert offered(await names.by_spoken_name(said(text), language))[0].name == read


async def test_names_of_which_the_same_was_said_are_one_choice_told_apart_by_postal_code(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    decision = await names.by_spoken_name(said("carmen vega"), "es")
    (one,) = offered(decision)
    assert (one.name, set(one.customers)) == ("Carmen Vega", {ids["1015"], ids["1016"]})
    found = await names.of_postal_code(one, "28016")
    assert found is not None
    assert found.id == ids["1016"]


async def test_of_names_offered_none_sounds_like_another(names: PostgresNames) -> None:
    for text in ("carmen vega", "carmen vega molino", "maria garcia", "james smith thomas"):
        read = [one.name for one in offered(await names.by_spoken_name(said(text), "es"))]
        assert read
        assert len(set(read)) == len(read)


async def test_namesakes_at_one_postal_code_are_left_to_a_person(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    both = Named("James Smith", (ids["1001"], ids["1001"]), 0.0)
    assert await names.of_postal_code(both, "28001") is not None
    async with names._database.session() as session:
        await session.raw.execute("UPDATE customers SET postal_code = '28001'")
    both = Named("James Smith", (ids["1001"], ids["1002"]), 0.0)
    assert await names.of_postal_code(both, "28001") is None


@pytest.mark.parametrize("text", ["", "[unk]", "...", "my name is", "王伟"])
async def test_what_is_no_name_is_unsure(names: PostgresNames, text: str) -> None:
    assert await names.by_spoken_name(said(text), "en") == Unsure()


@pytest.mark.parametrize("text", ["xavier quintessence", "charlotte fitzwilliam", "smith"])
async def test_somebody_else_s_name_is_never_sure(names: PostgresNames, text: str) -> None:
    assert not isinstance(await names.by_spoken_name(said(text), "en"), Sure)


async def test_all_names_are_at_hand_as_they_are_said(names: PostgresNames) -> None:
    at_hand = await names.at_hand()
    assert {"james smith", "maría josé garcía lópez", "talleres hermanos ruiz"} <= set(at_hand)
    assert at_hand.count("james smith") == 1
    assert await names.at_hand() is at_hand


async def test_no_names_are_at_hand_when_there_are_too_many(
    names: PostgresNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.storage.names.MOST_AT_HAND", len(PEOPLE) + len(COMPANIES) - 1)
    assert await names.at_hand() == ()


async def test_the_calling_number_speaks_for_a_name(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    ranked = await names.ranked(said("peter bren"), "en", "+447700901013")
    assert ranked[0].customers == (ids["1013"],)


async def test_a_name_is_spelled_by_keys(names: PostgresNames, ids: dict[str, int]) -> None:
    for text in ("williamturner", "turnerwilliam"):
        decision = await names.by_keys(keypad(text))
        assert isinstance(decision, Sure)
        assert decision.named.customers == (ids["1005"],)


@pytest.mark.parametrize("text", ["williamturnr", "wiliamturner", "willjamturner", "williamtunrer"])
async def test_one_wrong_key_is_forgiven_but_not_sure(
    names: PostgresNames, ids: dict[str, int], text: str
) -> None:
    decision = await names.by_keys(keypad(text))
    assert isinstance(decision, Choose)
    assert decision.names[0].customers == (ids["1005"],)


async def test_the_beginning_of_a_name_is_enough_if_it_is_the_only_one(
    names: PostgresNames, ids: dict[str, int]
) -> None:
    decision = await names.by_keys(keypad("kowals"))
    assert isinstance(decision, Sure)
    assert decision.named.customers == (ids["1004"],)


@pytest.mark.parametrize("keys", ["", "2", "945", "99999999", "*#"])
async def test_keys_that_spell_nobody_are_unsure(names: PostgresNames, keys: str) -> None:
    assert await names.by_keys(keys) == Unsure()


async def test_as_many_queries_are_made_for_a_stranger_as_for_a_customer(
    names: PostgresNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = Database.rows

    async def counted(self: Database, name: str, *values: object) -> object:
        asked.append(name)
        return await real(self, name, *values)

    monkeypatch.setattr(Database, "rows", counted)
    per_call = []
    for text in ("william turner", "nobody atall", ""):
        asked.clear()
        await names.by_spoken_name(said(text), "en")
        per_call.append(list(asked))
    assert per_call[0] == per_call[1] == per_call[2]
    assert len(per_call[0]) == 3


async def test_a_changed_name_is_found_and_the_old_one_is_not(
    names: PostgresNames,
    ids: dict[str, int],
    database: Database,
    pronouncer: NameSounds,
    nicknames: Nicknames,
) -> None:
    change = "UPDATE customers SET name = 'Gertrude Washington' WHERE id = $1"
    async with database.session() as session:
        await session.raw.execute(change, ids["1005"])
        await session.raw.execute("UPDATE customers SET email = 'x@example.com'")
    assert await names_left(database) == 1
    assert (await index_names(database, pronouncer, nicknames)).customers == 1
    assert await names_left(database) == 0
    found = offered(await names.by_spoken_name(said("gertrude washington"), "en"))
    assert found[0].customers == (ids["1005"],)
    assert offered(await names.by_spoken_name(said("william turner"), "en")) == []


async def test_who_says_a_name_that_was_changed_does_not_hear_the_new_one(
    names: PostgresNames, ids: dict[str, int], database: Database
) -> None:
    change = "UPDATE customers SET name = 'Gertrude Washington' WHERE id = $1"
    async with database.session() as session:
        await session.raw.execute(change, ids["1005"])
    assert await names_left(database) == 1
    found = offered(await names.by_spoken_name(said("bill turner"), "en"))
    assert [one.name for one in found] == ["William Turner"]


async def test_indexing_again_does_nothing(
    names: PostgresNames, database: Database, pronouncer: NameSounds, nicknames: Nicknames
) -> None:
    assert await index_names(database, pronouncer, nicknames) == Indexed(0, 0, 0)


async def test_a_name_without_letters_is_indexed_as_nothing(
    ids: dict[str, int], database: Database, pronouncer: NameSounds, nicknames: Nicknames
) -> None:
    async with database.session() as session:
        await session.raw.execute("UPDATE customers SET name = '???' WHERE id = $1", ids["1005"])
    assert (await index_names(database, pronouncer, nicknames, batch=1)).customers == 1
    assert await names_left(database) == 0


async def test_a_deleted_customer_is_found_no_more(
    names: PostgresNames, ids: dict[str, int], database: Database
) -> None:
    async with database.session() as session:
        await session.raw.execute("DELETE FROM customers WHERE id = $1", ids["1005"])
    assert offered(await names.by_spoken_name(said("william turner"), "en")) == []
