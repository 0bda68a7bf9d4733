"""Codes of links: short, signed, and of no use with a bit changed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.invoices import Invoice
from ivr.billing.links import CODE_CHARS, ID_BYTES, Bill, Link, LinkKey, LinkPurpose
from ivr.billing.money import Money

KEY = LinkKey("k" * 32, "https://pay.example.com/")
OTHER = LinkKey("o" * 32, "https://pay.example.com")
IDS = st.integers(0, 2 ** (8 * ID_BYTES) - 1)


@given(IDS)
def test_a_code_is_read_again_by_its_own_key_only(link_id: int) -> None:
    code = KEY.code(link_id)
    assert len(code) == CODE_CHARS
    assert KEY.read(code) == link_id
    assert OTHER.read(code) is None


@given(IDS, st.integers(0, CODE_CHARS - 1), st.characters(codec="ascii"))
def test_a_code_with_one_character_changed_is_none(link_id: int, place: int, other: str) -> None:
    code = KEY.code(link_id)
    changed = code[:place] + other + code[place + 1 :]
    assert changed == code or KEY.read(changed) is None


def test_a_new_key_signs_and_what_the_one_before_signed_is_still_good() -> None:
    changed = LinkKey("o" * 32, "https://pay.example.com", "k" * 32)
    assert changed.code(1) == OTHER.code(1)
    assert changed.read(KEY.code(1)) == changed.read(OTHER.code(1)) == 1
    assert changed.is_form_token(1, KEY.form_token(1))
    assert changed.is_form_token(1, changed.form_token(1))
    assert not changed.is_form_token(1, KEY.form_token(2))
    assert LinkKey("n" * 32, "https://pay.example.com").read(KEY.code(1)) is None


def test_no_key_before_signs_nothing() -> None:
    empty = LinkKey("", "https://pay.example.com", "e" * 32)
    assert KEY.read(empty.code(1)) is None
    assert LinkKey("k" * 32, "https://pay.example.com", "").read(empty.code(1)) is None


def test_a_link_has_one_address_only() -> None:
    codes = [KEY.code(link_id) for link_id in range(100)]
    others = [code.replace("_", "/").replace("-", "+") for code in codes]
    assert [code for code, other in zip(codes, others, strict=True) if code != other]
    assert all(
        code == other or KEY.read(other) is None for code, other in zip(codes, others, strict=True)
    )


@pytest.mark.parametrize("code", ["", "x", "é" * 20, "=" * 20, "a" * 19, "a" * 21, "!" * 20])
def test_what_is_no_code_is_read_as_none(code: str) -> None:
    assert KEY.read(code) is None


def test_an_address_fits_a_text_message() -> None:
    url = KEY.url(KEY.new_id())
    assert url.startswith("https://pay.example.com/pay/")
    assert len(url) <= 48


def test_a_forms_token_is_of_one_link_and_is_not_its_code() -> None:
    token = KEY.form_token(1)
    assert KEY.is_form_token(1, token)
    assert not KEY.is_form_token(2, token)
    assert not KEY.is_form_token(1, "é")
    assert token not in KEY.code(1)


def bill(*due: str, **amounts: str) -> Bill:
    invoices = tuple(
        Invoice(
            id=number,
            number=f"F-{number}",
            customer_id=1,
            service_id=1,
            service_label="line",
            amount=Money.of(amount, "EUR"),
            paid=Money.zero("EUR"),
            due_date=date(2026, 5, number),
        )
        for number, amount in enumerate(due, start=1)
    )
    chosen = {int(key[1:]): Money.of(amount, "EUR") for key, amount in amounts.items()}
    expires = datetime(2026, 11, 23, tzinfo=UTC)
    link = Link(1, "", 1, (1, 2, 3), LinkPurpose.PAY, expires, None, chosen)
    return Bill(link, "en", invoices, 0)


def test_a_bill_is_for_all_that_is_due() -> None:
    assert bill("42.50", "36.00").amount == Money.of("78.50", "EUR")


def test_a_bill_for_a_part_is_for_no_more_than_is_still_due() -> None:
    part = bill("42.50", "36.00", i1="50.00")
    assert part.amounts == {1: Money.of("42.50", "EUR")}
    assert part.amount == Money.of("42.50", "EUR")
    assert part.due == Money.of("78.50", "EUR")
