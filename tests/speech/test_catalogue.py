"""The shipped catalogue is complete and alike in both languages; a wrong one is refused clearly."""

import re
from pathlib import Path

import pytest

from ivr.speech.catalogue import Catalogue, Fixed, Gap, Pause
from ivr.speech.errors import CatalogueError, UnknownPhraseError

PROMISED = {
    "welcome",
    "language_changed",
    "ask_account_number",
    "account_not_confirmed",
    "ask_postal_code",
    "ask_account_again",
    "are_you_there",
    "not_understood",
    "too_many_tries",
    "transferring",
    "no_agent",
    "technical_problem",
    "goodbye",
    "hold_on",
    "still_working",
    "nothing_owed",
    "owes_one",
    "owes_many",
    "invoice_line",
    "invoice_line_number",
    "pay_all_or_choose",
    "pay_this_one",
    "pay_one_or_leave",
    "nothing_chosen",
    "confirm_total",
    "secure_start",
    "ask_card_number",
    "ask_expiry",
    "ask_security_code",
    "ask_security_code_amex",
    "ask_card_postal_code",
    "card_number_is",
    "expiry_is",
    "confirm_charge",
    "field_cleared",
    "card_left",
    "error_input_timeout",
    "error_invalid_card_number",
    "error_invalid_card_type",
    "error_invalid_date",
    "error_invalid_security_code",
    "error_invalid_postal_code",
    "last_try",
    "card_not_available",
    "charging",
    "paid",
    "confirmation_number",
    "repeat_or_end",
    "service_back",
    "declined",
    "declined_final",
    "confirming_do_not_pay_again",
    "already_paid",
    "other_call_in_progress",
    "lab_agent",
    "goodbye_paid",
}


def write(folder: Path, english: str, spanish: str) -> Path:
    for language, text in (("en", english), ("es", spanish)):
        (folder / language).mkdir()
        (folder / language / "catalogue.toml").write_text(text, encoding="utf-8")
    return folder


def test_every_promised_phrase_is_there(catalogue: Catalogue) -> None:
    assert catalogue.ids >= PROMISED


def test_both_languages_hold_the_same_phrases_with_the_same_gaps(catalogue: Catalogue) -> None:
    assert catalogue.languages == ("en", "es")
    for phrase_id in catalogue.ids:
        english, spanish = (catalogue.phrase(phrase_id, language) for language in ("en", "es"))
        assert english.gaps == spanish.gaps, phrase_id


def test_the_longest_fixed_part_of_each_phrase_belongs_to_it_alone(catalogue: Catalogue) -> None:
    longest = [max((part.text for part in phrase.fixed), key=len) for phrase in catalogue.phrases()]
    assert len(set(longest)) == len(longest)
    assert min(map(len, longest)) >= 10


def test_spanish_callers_are_spoken_to_formally(catalogue: Catalogue) -> None:
    informal = re.compile(r"\b(tú|tu|tus|te|pulsa|marca|introduce|tienes|quieres)\b", re.IGNORECASE)
    for phrase in catalogue.phrases():
        assert phrase.language == "en" or not informal.search(phrase.text), phrase.id


def test_the_welcome_says_in_the_other_language_how_to_change(catalogue: Catalogue) -> None:
    assert [part.language for part in catalogue.phrase("welcome", "en").fixed] == ["en", "es"]
    assert [part.language for part in catalogue.phrase("welcome", "es").fixed] == ["es", "en"]


def test_a_phrase_is_split_at_its_gaps(tmp_path: Path) -> None:
    text = 'due = "Invoice for {service}, {amount}, due {date:month}. Thank you."'
    catalogue = Catalogue.load(write(tmp_path, text, text))
    assert catalogue.phrase("due", "en").parts == (
        Fixed("Invoice for", "en", "en/due-1"),
        Gap("service", "free"),
        Pause(),
        Gap("amount", "money"),
        Pause(),
        Fixed("due", "en", "en/due-2"),
        Gap("date", "month"),
        Pause(),
        Fixed("Thank you.", "en", "en/due-3"),
    )


def test_the_company_is_said_by_the_name_in_the_settings(tmp_path: Path) -> None:
    folder = write(tmp_path, 'hi = "Welcome to {company}."', 'hi = "Bienvenido a {company}."')
    catalogue = Catalogue.load(folder, company="Aguas del Sur")
    assert catalogue.phrase("hi", "es").fixed[0].text == "Bienvenido a Aguas del Sur."


def test_a_recording_of_a_whole_phrase_makes_it_one_part(tmp_path: Path) -> None:
    text = 'hi = "Hello. [es: Pulse nueve.]"'
    folder = write(tmp_path, text, text)
    recording = folder / "en" / "hi.wav"
    recording.touch()
    catalogue = Catalogue.load(folder)
    expected = Fixed("Hello. Pulse nueve.", "en", "en/hi-1", recording)
    assert catalogue.phrase("hi", "en").parts == (expected,)
    assert len(catalogue.phrase("hi", "es").parts) == 2


@pytest.mark.parametrize(
    ("case", "chosen"),
    [
        ({}, "ask_security_code"),
        ({"attempt": 1}, "ask_security_code"),
        ({"attempt": 2}, "ask_security_code_attempt2"),
        ({"attempt": 3}, "ask_security_code_attempt2"),
        ({"card_type": "visa"}, "ask_security_code"),
        ({"card_type": "amex"}, "ask_security_code_amex"),
        ({"card_type": "American Express", "attempt": 1}, "ask_security_code_amex"),
        ({"card_type": "amex", "attempt": 2}, "ask_security_code_amex_attempt2"),
        ({"error_type": "input-timeout", "attempt": 2}, "ask_security_code_attempt2"),
    ],
)
def test_the_most_specific_variant_wins(
    catalogue: Catalogue, case: dict[str, object], chosen: str
) -> None:
    assert catalogue.select("ask_security_code", **case) == chosen  # type: ignore[arg-type]  # mixed


def test_an_error_type_counts_before_a_card_type_before_an_attempt(tmp_path: Path) -> None:
    keys = ["ask", "ask.amex", "ask.attempt2", "ask.invalid-date", "ask.attempt3"]
    text = "\n".join(f'"{key}" = "Some words here {number}."' for number, key in enumerate(keys))
    catalogue = Catalogue.load(write(tmp_path, text, text))
    select = catalogue.select
    assert select("ask", 2, "amex", "invalid-date") == "ask_invalid_date"
    assert select("ask", 2, "amex", "input-timeout") == "ask_amex"
    assert select("ask", 3, "visa") == "ask_attempt3"
    assert select("ask", error_type="invalid_date") == "ask_invalid_date"


def test_an_error_has_its_phrase_by_type(catalogue: Catalogue) -> None:
    assert catalogue.select("error", error_type="input-timeout") == "error_input_timeout"
    with pytest.raises(UnknownPhraseError, match="error"):
        catalogue.select("error", error_type="no-such")


def test_a_variant_is_found_by_its_dotted_key_as_well(catalogue: Catalogue) -> None:
    assert catalogue.phrase("ask_security_code.amex", "en").id == "ask_security_code_amex"
    assert catalogue.phrase("error.invalid-date", "es").id == "error_invalid_date"


def test_an_unknown_phrase_or_language_is_named(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownPhraseError, match="'nothing_like_it'"):
        catalogue.phrase("nothing_like_it", "en")
    with pytest.raises(UnknownPhraseError, match="'fr'"):
        catalogue.phrase("welcome", "fr")


@pytest.mark.parametrize(
    ("english", "spanish", "reason"),
    [
        ('hi = "Hello"\nbye = "Bye"', 'hi = "Hola"', "bye is missing in audio-prompts/es"),
        ('hi = "Hello"', 'hi = "Hola"\nbye = "Adiós"', "bye is missing in audio-prompts/en"),
        ('hi = "You owe {amount}"', 'hi = "Debe {count}"', "hi has other gaps in en than in es"),
        ('hi = "You owe {sum}"', 'hi = "Debe"', "{sum} is unknown"),
        ('hi = "You owe {amount:month}"', 'hi = "Debe"', "{amount:month} is unknown"),
        ('hi = "You owe {amount"', 'hi = "Debe"', "bracket is not closed"),
        ('hi = "[fr: Bonjour]"', 'hi = "Hola"', "no voice for"),
        ("hi.there = 'Hello'", 'hi = "Hola"', "needs"),
        ('Hi = "Hello"', 'hi = "Hola"', "'Hi' is no phrase id"),
        ('"a.b" = "One"\na_b = "Two"', 'hi = "Hola"', "two phrases would be called a_b"),
        ("hi = Hello", 'hi = "Hola"', "not valid TOML"),
        ('hi = ""', 'hi = "Hola"', "as one text"),
    ],
)
def test_a_wrong_catalogue_is_refused_with_what_to_mend(
    tmp_path: Path, english: str, spanish: str, reason: str
) -> None:
    with pytest.raises(CatalogueError, match=re.escape(reason)):
        Catalogue.load(write(tmp_path, english, spanish))


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"en/catalogue\.toml cannot be read"):
        Catalogue.load(tmp_path)


def test_a_recording_of_a_phrase_with_gaps_must_be_in_parts(tmp_path: Path) -> None:
    folder = write(tmp_path, 'hi = "You owe {amount}"', 'hi = "Debe {amount}"')
    (folder / "en" / "hi.wav").touch()
    with pytest.raises(CatalogueError, match=r"hi-1\.wav"):
        Catalogue.load(folder)
