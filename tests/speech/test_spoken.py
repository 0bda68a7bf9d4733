"""Amounts, dates and codes are said as people say them, and only with words that are recorded."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import pytest
from babel.numbers import list_currencies
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.billing.money import MINOR_DIGITS, Money, minor_digits
from ivr.speech import english, spanish, spoken
from ivr.speech.errors import UnknownPhraseError, UnspeakableError
from ivr.speech.words import Coins, Counted

CURRENCIES = ("EUR", "USD", "GBP", "MXN", "CLP", "KWD", "CZK")
NAMED = sorted(english.COINS)
EVERY = sorted({*list_currencies(), *MINOR_DIGITS})
languages = st.sampled_from(spoken.LANGUAGES)


def said(words: tuple[str, ...]) -> str:
    return " ".join(words)


@pytest.mark.parametrize(
    ("amount", "currency", "english", "spanish"),
    [
        ("0", "EUR", "zero euros", "cero euros"),
        ("1", "EUR", "one euro", "un euro"),
        ("21", "EUR", "twenty-one euros", "veintiún euros"),
        ("31.01", "EUR", "thirty-one euros and one cent", "treinta y un euros con un céntimo"),
        (
            "42.50",
            "EUR",
            "forty-two euros and fifty cents",
            "cuarenta y dos euros con cincuenta céntimos",
        ),
        ("0.99", "EUR", "ninety-nine cents", "noventa y nueve céntimos"),
        ("1", "GBP", "one pound", "una libra"),
        ("21", "GBP", "twenty-one pounds", "veintiuna libras"),
        ("200", "GBP", "two hundred pounds", "doscientas libras"),
        (
            "501.01",
            "GBP",
            "five hundred and one pounds and one penny",
            "quinientas una libras con un penique",
        ),
        ("1.50", "USD", "one dollar and fifty cents", "un dólar con cincuenta centavos"),
        ("100", "MXN", "one hundred pesos", "cien pesos"),
        ("1001", "MXN", "one thousand and one pesos", "mil un pesos"),
        ("21000", "EUR", "twenty-one thousand euros", "veintiún mil euros"),
        ("101000", "EUR", "one hundred and one thousand euros", "ciento un mil euros"),
        ("200000", "GBP", "two hundred thousand pounds", "doscientas mil libras"),
        (
            "1980",
            "JPY",
            "one thousand nine hundred and eighty yen",
            "mil novecientos ochenta yenes",
        ),
        ("1", "JPY", "one yen", "un yen"),
        ("1000000", "CLP", "one million pesos", "un millón de pesos"),
        (
            "2150021",
            "COP",
            "two million one hundred and fifty thousand and twenty-one pesos",
            "dos millones ciento cincuenta mil veintiún pesos",
        ),
        ("1000001", "GBP", "one million and one pounds", "un millón una libras"),
        ("200000000", "GBP", "two hundred million pounds", "doscientos millones de libras"),
        ("7.20", "PEN", "seven soles and twenty centimos", "siete soles con veinte céntimos"),
        (
            "12.345",
            "KWD",
            "twelve dinars and three hundred and forty-five fils",
            "doce dinares con trescientos cuarenta y cinco fils",
        ),
        ("0.001", "TND", "one millime", "un milésimo"),
        ("21", "CHF", "twenty-one francs", "veintiún francos"),
        (
            "42.50",
            "CZK",
            "forty-two point five zero pause c z k",
            "cuarenta y dos con cinco cero pause ce zeta ka",
        ),
        (
            "1.005",
            "OMR",
            "one point zero zero five pause o m r",
            "uno con cero cero cinco pause o eme erre",
        ),
        ("500", "XAF", "five hundred pause x a f", "quinientos pause equis a efe"),
    ],
)
def test_money_is_said_as_people_say_it(
    amount: str, currency: str, english: str, spanish: str
) -> None:
    assert said(spoken.money_words(Decimal(amount), currency, "en")) == english
    assert said(spoken.money_words(Decimal(amount), currency, "es")) == spanish


@pytest.mark.parametrize(
    ("number", "counted", "spanish"),
    [
        (1, "alone", "uno"),
        (1, "feminine", "una"),
        (21, "feminine", "veintiuna"),
        (31, "masculine", "treinta y un"),
        (16, "feminine", "dieciséis"),
        (100, "feminine", "cien"),
        (121, "alone", "ciento veintiuno"),
        (999, "feminine", "novecientas noventa y nueve"),
        (1000, "alone", "mil"),
    ],
)
def test_a_spanish_number_agrees_with_what_it_counts(
    number: int, counted: Counted, spanish: str
) -> None:
    assert said(spoken.number_words(number, "es", counted)) == spanish


@pytest.mark.parametrize(
    ("day", "english", "spanish"),
    [
        (
            dt.date(2026, 12, 1),
            "december first twenty twenty-six",
            "uno de diciembre de dos mil veintiséis",
        ),
        (
            dt.date(2008, 2, 29),
            "february twenty-ninth two thousand and eight",
            "veintinueve de febrero de dos mil ocho",
        ),
        (
            dt.date(1905, 3, 31),
            "march thirty-first nineteen oh five",
            "treinta y uno de marzo de mil novecientos cinco",
        ),
        (
            dt.date(1900, 1, 2),
            "january second nineteen hundred",
            "dos de enero de mil novecientos",
        ),
    ],
)
def test_dates_are_said_in_the_order_of_the_language(
    day: dt.date, english: str, spanish: str
) -> None:
    assert said(spoken.date_words(day, "en")) == english
    assert said(spoken.date_words(day, "es")) == spanish
    assert said(spoken.month_words(day, "es")) == spanish.split(" de ", 1)[1]


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("1042", "one zero four two"),
        ("123456", "one two three pause four five six"),
        ("1234567", "one two three pause four five six seven"),
        ("12345678", "one two three four pause five six seven eight"),
        ("F-2026-07", "f pause two zero two six pause zero seven"),
        ("ab12", "a b one two"),
    ],
)
def test_codes_are_spelled_in_groups(text: str, english: str) -> None:
    assert said(spoken.spelled_words(text, "en")) == english


def test_spanish_letters_have_their_spanish_names() -> None:
    assert said(spoken.spelled_words("WÑÚ7", "es")) == "uve doble eñe u siete"


@given(st.text("0123456789", min_size=1, max_size=40), languages)
def test_no_digit_is_lost_and_none_stands_alone_in_a_long_code(text: str, language: str) -> None:
    words = spoken.spelled_words(text, language)
    expected = [spoken.number_words(int(digit), language)[0] for digit in text]
    assert [word for word in words if word != spoken.PAUSE] == expected
    groups = " ".join(words).split(f" {spoken.PAUSE} ")
    assert all(len(group.split()) <= 4 for group in groups)
    if len(text) > 1:
        assert all(len(group.split()) >= 2 for group in groups)


@pytest.mark.parametrize(
    ("brand", "english"),
    [
        ("Visa", "visa"),
        ("MasterCard", "mastercard"),
        ("American Express", "american express"),
        ("amex", "american express"),
        ("diners-club", "diners club"),
        ("UnionPay", "card"),
    ],
)
def test_a_brand_is_known_in_every_spelling_and_an_unknown_one_is_a_card(
    brand: str, english: str
) -> None:
    assert spoken.brand_words(brand, "en") == (english,)
    assert spoken.brand_words(brand, "en")[0] in spoken.vocabulary("en")


@pytest.mark.parametrize("language", spoken.LANGUAGES)
@pytest.mark.parametrize("currency", CURRENCIES)
def test_every_amount_up_to_9999_is_made_of_recorded_fragments(
    currency: str, language: str
) -> None:
    recorded = set(spoken.vocabulary(language))
    for units in range(10_000):
        amount = units + units % 100 * Money.step(currency)
        assert recorded.issuperset(spoken.money_words(amount, currency, language)), amount


@given(st.integers(0, 10**9 - 1), st.sampled_from(EVERY), languages)
def test_any_amount_of_any_currency_is_made_of_recorded_fragments(
    units: int, currency: str, language: str
) -> None:
    for amount in (Decimal(units), units * Money.step(currency)):
        words = spoken.money_words(amount, currency, language)
        assert set(words) <= set(spoken.vocabulary(language))


@given(st.data(), st.sampled_from([*NAMED, "CZK", "OMR", "XAF"]), languages)
def test_two_amounts_of_a_currency_never_sound_the_same(
    data: st.DataObject, currency: str, language: str
) -> None:
    units = st.one_of(st.integers(0, 2000), st.integers(0, 10**9 - 1))
    one, other = (Money.of_minor_units(data.draw(units), currency) for _ in range(2))
    said = [spoken.money_words(each.amount, currency, language) for each in (one, other)]
    assert (said[0] == said[1]) == (one == other)


@pytest.mark.parametrize("coins", [english.COINS, spanish.COINS], ids=["en", "es"])
def test_a_currency_has_a_name_for_its_parts_where_it_has_parts(coins: Mapping[str, Coins]) -> None:
    assert sorted(coins) == NAMED
    for currency, names in coins.items():
        assert (names.part is not None) == (minor_digits(currency) > 0), currency


@given(st.integers(0, 999_999_999), st.sampled_from(("alone", "masculine", "feminine")), languages)
def test_any_number_is_made_of_recorded_fragments(
    number: int, counted: Counted, language: str
) -> None:
    words = spoken.number_words(number, language, counted)
    assert set(words) <= set(spoken.vocabulary(language))


@settings(deadline=None)  # the first one loads Babel's calendar
@given(st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31)), languages)
def test_any_date_is_made_of_recorded_fragments(day: dt.date, language: str) -> None:
    words = (*spoken.date_words(day, language), *spoken.month_words(day, language))
    assert set(words) <= set(spoken.vocabulary(language))


@given(st.text("ABCDEFGHIJKLMNÑOPQRSTUVWXYZabcxyzáéü0123456789", min_size=1), languages)
def test_any_code_is_made_of_recorded_fragments(text: str, language: str) -> None:
    assert set(spoken.spelled_words(text, language)) <= set(spoken.vocabulary(language))


@pytest.mark.parametrize("language", spoken.LANGUAGES)
def test_two_numbers_never_sound_the_same(language: str) -> None:
    heard = {spoken.number_words(number, language) for number in range(10_000)}
    assert len(heard) == 10_000


@pytest.mark.parametrize("language", spoken.LANGUAGES)
def test_every_fragment_has_a_file_name_of_its_own_in_ascii(language: str) -> None:
    vocabulary = spoken.vocabulary(language)
    names = {spoken.file_name(word) for word in vocabulary}
    assert len(names) == len(vocabulary)
    assert all(name.replace("-", "").isalnum() and name.isascii() for name in names)
    assert all(word == word.lower() for word in vocabulary)


@pytest.mark.parametrize(
    "amount", [Decimal(-1), Decimal(10**9), Decimal("1.005"), Decimal("NaN"), Decimal("1e40")]
)
def test_an_amount_that_cannot_be_said_is_refused_with_a_reason(amount: Decimal) -> None:
    with pytest.raises(UnspeakableError, match=r"said"):
        spoken.money_words(amount, "EUR", "en")


def test_the_rest_that_cannot_be_said_is_refused_too() -> None:
    with pytest.raises(UnspeakableError, match="decimals"):
        spoken.money_words(Decimal("1.50"), "JPY", "es")
    with pytest.raises(UnspeakableError, match="1,000,000,000"):
        spoken.number_words(10**9, "en")
    with pytest.raises(UnspeakableError, match="1899"):
        spoken.date_words(dt.date(1899, 12, 31), "en")
    with pytest.raises(UnspeakableError, match="empty"):
        spoken.spelled_words(" - ", "en")
    with pytest.raises(UnknownPhraseError, match="'fr'"):
        spoken.number_words(1, "fr")


def test_a_text_that_cannot_be_spelled_is_not_repeated_in_the_error() -> None:
    with pytest.raises(UnspeakableError) as refused:
        spoken.spelled_words("4111€", "en")
    assert "4111" not in str(refused.value)
