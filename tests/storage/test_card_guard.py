"""No column takes a card number, and nothing that is not one is refused."""

import random
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.card_numbers import holds_card_number, passes_luhn, without_card_numbers
from ivr.storage.errors import QueryRefused
from tests.storage.test_contract_ledger import one_invoice
from tests.storage.test_contract_reading import request
from tests.storage.world import CARD, PostgresWorld, opened

CARDS = ["4111111111111111", "378282246310005", "6011111111111117"]
WRITTEN = ["{}", "card {} given", "x{}y", "<{}>"]
GUARDED = {
    "attempts": ("call_id", "token", "brand", "processor_code", "processor_text", "reason"),
    "captures": ("call_id", "result", "error_type", "brand", "token"),
    "calls": ("id",),
    "events": ("call_id",),
    "customers": ("name", "email"),
    "services": ("label",),
    "invoices": ("number",),
}
DOMAINS = """
SELECT table_name || '.' || column_name FROM information_schema.columns
WHERE domain_name LIKE 'cardless%' AND table_schema = 'public'"""


def spaced(card: str) -> str:
    return f"{card[:4]} {card[4:8]} {card[8:12]} {card[12:]}"


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("written", WRITTEN)
def test_a_card_number_is_found_however_it_is_written(card: str, written: str) -> None:
    for shape in (card, spaced(card), spaced(card).replace(" ", "-")):
        text = written.format(shape)
        if written == "x{}y" and "-" in shape:
            continue  # touching letters, groups with hyphens are taken for parts of an id
        assert holds_card_number(text), text
        assert shape not in without_card_numbers(text)


@given(st.uuids(version=4))
def test_a_uuid_is_no_card_number(some: UUID) -> None:
    assert not holds_card_number(f"saldo-{some}")
    assert not holds_card_number(f'{{"payment": "{some}", "invoice": 12345}}')


def test_luhn_holds_for_every_card_and_for_none_with_a_digit_changed() -> None:
    for card in CARDS:
        assert passes_luhn(card)
        for place, digit in enumerate(card):
            changed = card[:place] + str((int(digit) + 1) % 10) + card[place + 1 :]
            assert not passes_luhn(changed)


def scribbles(how_many: int) -> list[str]:
    """Texts of mostly digits, always the same ones."""
    chance = random.Random(1042)
    return [
        "".join(chance.choices("00112233445566778899 -x", k=chance.randint(10, 45)))
        for _ in range(how_many)
    ]


async def test_the_database_refuses_nothing_that_was_cleaned(real: PostgresWorld) -> None:
    texts = scribbles(5000) + [w.format(spaced(c)) for w in WRITTEN for c in CARDS]
    question = "SELECT count(*) FROM unnest($1::text[]) AS t WHERE holds_card_number(t)"
    found = await real.ask(question, texts)
    assert found == sum(map(holds_card_number, texts)) > 50
    assert await real.ask(question, [without_card_numbers(text) for text in texts]) == 0


async def test_whatever_stands_around_a_card_number_we_clean_what_the_database_refuses(
    real: PostgresWorld,
) -> None:
    """What a foreign server answered is cleaned and kept: refused, it would be asked for ever."""
    pieces = [*CARDS, *map(spaced, CARDS), *(spaced(card).replace(" ", "-") for card in CARDS)]
    pieces += [*" -_x1\n", "\xa0", "\u200b", "４" * 16, "(digits)"]
    chance = random.Random(1042)
    texts = ["".join(chance.choices(pieces, k=chance.randint(1, 9))) for _ in range(3000)]
    question = "SELECT array_agg(t) FROM unnest($1::text[]) AS t WHERE holds_card_number(t)"
    assert await real.ask(question, [without_card_numbers(text) for text in texts]) is None


async def test_every_text_that_could_hold_a_card_number_is_guarded(real: PostgresWorld) -> None:
    async with real.database.session() as session:
        there = {row[0] for row in await session.raw.fetch(DOMAINS)}
    wanted = {f"{table}.{column}" for table, columns in GUARDED.items() for column in columns}
    assert wanted | {"calls.trail", "events.payload"} <= there


@pytest.mark.parametrize("card", CARDS)
async def test_a_card_number_as_token_is_refused_without_repeating_it(
    real: PostgresWorld, card: str
) -> None:
    attempt = await opened(real, await one_invoice(real))
    with pytest.raises(QueryRefused) as refused:
        await real.ledger.begin_charging(attempt.id, replace(CARD, token=card))
    assert card not in str(refused.value)
    assert refused.value.__context__ is None
    assert refused.value.constraint == "no_card_number"


async def test_ids_without_hyphens_are_kept(real: PostgresWorld) -> None:
    invoice = await one_invoice(real)
    call_id = "ab1234567890128cd" + uuid4().hex  # a run of 13 that passes Luhn
    attempt = await opened(real, invoice, call_id=call_id)
    asked = request(call_id)
    await real.captures.open(asked)
    assert CARD.token
    assert (await real.ledger.attempt(attempt.id)) == attempt
