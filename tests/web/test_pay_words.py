"""The pay page's own words, colours and amounts; a company's come before ours."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.links import LinkKey
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.online_paying import OnlinePaying
from ivr.billing.payments import DeclineBucket
from ivr.billing.terms import Terms
from ivr.web.errors import PayPageError
from ivr.web.pay_page import NOTICES, PayPage, routes
from ivr.web.pay_words import (
    FOLDER,
    LANGUAGES,
    Look,
    PageText,
    contrast,
    day,
    money,
    readable_on,
    typed_amount,
)

SCRIPT = (FOLDER / "pay.js").read_text(encoding="utf-8")
TEMPLATE = (FOLDER / "page.html").read_text(encoding="utf-8")
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_sentence_is_there_in_both_languages_with_the_same_gaps(language: str) -> None:
    words, others = (
        PageText(Look("Saldo Telecom"))._words[each] for each in (language, LANGUAGES[language])
    )
    gaps = {word: set(re.findall(r"\{(\w+)\}", text)) for word, text in words.items()}
    assert gaps == {word: set(re.findall(r"\{(\w+)\}", text)) for word, text in others.items()}


def test_every_sentence_is_said_somewhere() -> None:
    said = set(re.findall(r'say\("(\w+)"', TEMPLATE)) | set(NOTICES)
    said |= {"card_number", "expiry", "expiry_short", "cvv", "too_small", "too_large", "no_amount"}
    said |= set(re.findall(r'"(\w+_wrong)"', TEMPLATE))
    assert set(PageText(Look("x"))._words["en"]) == said


def test_there_is_a_sentence_for_every_decline() -> None:
    assert {f"declined_{each.value}" for each in DeclineBucket} <= set(NOTICES)


def test_the_script_finds_every_part_it_looks_for() -> None:
    wanted = set(re.findall(r'\$\("([a-z-]+)"\)', SCRIPT))
    assert len(wanted) > 10
    assert wanted <= set(re.findall(r'id="([a-z-]+)"', TEMPLATE))


def test_the_script_writes_no_html_and_keeps_nothing() -> None:
    for sink in ("innerHTML", "outerHTML", "document.write", "eval(", "Storage", "cookie"):
        assert sink not in SCRIPT


def test_a_companys_own_words_and_files_come_before_ours(tmp_path: Path) -> None:
    (tmp_path / "words.es.toml").write_text('title = "Liquide su recibo"\n', encoding="utf-8")
    (tmp_path / "pay.css").write_text("body { color: red; }\n", encoding="utf-8")
    text = PageText(Look("Saldo Telecom", folder=tmp_path))
    assert text.say("es", "title") == "Liquide su recibo"
    assert text.say("es", "closed") == "Este enlace no se puede usar"
    assert text.file("pay.css").startswith(b"body")
    assert b"use strict" in text.file("pay.js")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("words.en.toml", 'titel = "x"\n', "the pay page says nothing called titel"),
        ("words.en.toml", "no toml", "is not valid TOML"),
        ("page.html", "{% if %}", "page.html of .* is not a template"),
        ("words.en.toml", 'pay_now = "Pay {sum}"\n', "pay_now has a sum that is not known"),
        ("words.en.toml", 'title = "{ pay }"\n', "title has a  pay  that is not known"),
        ("words.en.toml", 'title = "100 }"\n', "title has a single { or }"),
    ],
)
def test_a_mistake_in_a_companys_file_is_named(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(PayPageError, match=says):
        PageText(Look("Saldo Telecom", folder=tmp_path))


def test_a_mistake_in_a_page_of_the_companys_own_is_told_at_the_start(tmp_path: Path) -> None:
    nobody = cast("Any", None)
    key = LinkKey("k" * 32, "https://pay.example.com")
    online = OnlinePaying(
        nobody, nobody, nobody, key, terms=Terms(), methods=[Method.CARD], brands=()
    )

    def page(folder: Path | None) -> PayPage:
        return PayPage(online, PageText(Look("x", folder=folder)), "", "", nobody)

    assert routes(page(None))
    (tmp_path / "page.html").write_text("{{ bill.sum }}", encoding="utf-8")
    with pytest.raises(PayPageError, match="no attribute 'sum'"):
        routes(page(tmp_path))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PayPageError, match="there is no folder"):
        PageText(Look("Saldo Telecom", folder=tmp_path / "of-yesterday"))


def test_a_logo_is_a_picture_that_is_there(tmp_path: Path) -> None:
    svg = tmp_path / "logo.svg"
    svg.write_text("<svg/>", encoding="utf-8")
    assert PageText(Look("x", logo=svg)).logo() == (b"<svg/>", "image/svg+xml")
    assert PageText(Look("x")).logo() is None
    for wrong, says in ((tmp_path / "logo.gif", "no .svg"), (tmp_path / "no.png", "cannot be")):
        with pytest.raises(PayPageError, match=says):
            PageText(Look("x", logo=wrong)).logo()


@given(COLOURS)
def test_letters_on_any_company_colour_can_be_read(colour: str) -> None:
    assert contrast(colour, readable_on(colour)) >= 4.5


@given(COLOURS)
def test_a_button_of_any_company_colour_can_be_told_from_the_page(colour: str) -> None:
    edge = re.search(r"--brand-edge: (#[0-9a-f]{6});", PageText(Look("x", colour=colour)).brand())
    assert edge
    assert contrast(edge[1], "#ffffff") >= 3


def test_contrast_is_that_of_wcag() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("12", "12.00"), ("12.5", "12.50"), (" 12,50 ", "12.50"), ("0", "0.00"), ("007", "7.00")],
)
def test_amounts_are_read_as_they_are_typed(typed: str, amount: str) -> None:
    assert typed_amount(typed, "EUR") == Money.of(amount, "EUR")


@pytest.mark.parametrize(
    "typed", ["", "x", "-1", "1.000,00", "1.234", "1.500", "1e3", "NaN", "٣", "9" * 17, "1 0"]
)
def test_what_is_no_amount_is_none(typed: str) -> None:
    assert typed_amount(typed, "EUR") is None


@pytest.mark.parametrize(
    ("typed", "currency", "amount"),
    [
        ("1980", "JPY", "1980"),
        ("1.980", "JPY", "1980"),
        ("15,000,000", "JPY", "15000000"),
        ("1.98", "JPY", None),
        ("1980,00", "JPY", None),
        ("12,5", "KWD", "12.500"),
        ("12.345", "KWD", "12.345"),
        ("12.3456", "KWD", None),
    ],
)
def test_an_amount_is_typed_with_the_decimals_of_its_currency(
    typed: str, currency: str, amount: str | None
) -> None:
    assert typed_amount(typed, currency) == (Money.of(amount, currency) if amount else None)


@pytest.mark.parametrize(
    ("amount", "currency", "english", "spanish"),
    [
        ("1980", "JPY", "¥1,980", "1.980\xa0JPY"),
        ("15000", "CLP", "CLP15,000", "15.000\xa0CLP"),
        ("12.5", "KWD", "KWD12.500", "12,500\xa0KWD"),
        ("12.345", "IQD", "IQD12.345", "12,345\xa0IQD"),
    ],
)
def test_no_amount_is_shown_rounded(amount: str, currency: str, english: str, spanish: str) -> None:
    due = Money.of(amount, currency)
    assert (money(due, "en"), money(due, "es")) == (english, spanish)


def test_amounts_and_days_are_shown_as_they_are_read() -> None:
    amount = Money.of("1234.50", "EUR")
    assert money(amount, "en") == "€1,234.50"
    assert money(amount, "es") == "1.234,50\xa0€"
    assert day(date(2026, 5, 1), "es") == "1 de mayo de 2026"
