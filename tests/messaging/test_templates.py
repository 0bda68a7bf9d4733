"""Templates: ours are whole, the company's own are tried, and nothing of a card slips through."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ivr.billing.bank_accounts import wording
from ivr.billing.money import Money
from ivr.messaging.templates import KINDS, LANGUAGES, SAMPLE, SHIPPED, Templates, TemplateWrong

LONGEST_TEXT = 320
"""two SMS in Unicode are 134 characters, four are 268: a link may need more"""


def of(language: str) -> dict[str, object]:
    return {**SAMPLE, "customer": {**SAMPLE["customer"], "language": language}}


def test_every_kind_has_a_text_and_a_mail_in_both_languages() -> None:
    assert len(KINDS) >= 11
    for language in LANGUAGES:
        files = {path.name for path in (SHIPPED / language).iterdir()}
        assert files == {f"{kind}{end}" for kind in KINDS for end in (".txt", ".mail.txt")}, (
            language
        )
    assert list(Templates("Saldo", "ES").wrong()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_is_short_and_one_paragraph(kind: str, language: str) -> None:
    text = Templates("Saldo Telecom", "ES").text(kind, of(language))
    assert len(text) <= LONGEST_TEXT
    assert "\n" not in text
    assert text.startswith("Saldo Telecom: ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_names_few_lines_and_counts_many(language: str) -> None:
    labels = [{"label": f"line {number} of the whole family"} for number in range(30)]
    templates = Templates("Saldo Telecom", "ES")
    text = templates.text("receipt", {**of(language), "reactivated": tuple(labels)})
    assert len(text) <= LONGEST_TEXT
    assert " 30 " in text
    assert "line 2 of" in templates.text("receipt", {**of(language), "reactivated": labels[:3]})


def test_the_languages_differ_and_so_do_money_and_days() -> None:
    templates = Templates("Saldo", "GB")
    assert "we received €42.50" in templates.text("receipt", of("en"))
    assert "by 31 January 2026" in templates.text("promise", of("en"))
    templates = Templates("Saldo", "ES")
    assert "hemos recibido 42,50\xa0€" in templates.text("receipt", of("es"))
    assert "31 de enero de 2026" in templates.text("promise", of("es"))
    assert templates.text("receipt", of("fr")) == templates.text("receipt", of("en"))


@pytest.mark.parametrize(
    ("minutes", "english", "spanish"),
    [
        (1, "1 minute", "1 minuto"),
        (119, "119 minutes", "119 minutos"),
        (1440.0, "24 hours", "24 horas"),
        (2879, "47 hours", "47 horas"),
        (86400, "60 days", "60 días"),
    ],
)
@pytest.mark.parametrize("kind", ["pay-link", "paypal-link"])
def test_how_long_a_link_may_be_used_is_said_in_words(
    kind: str, minutes: float, english: str, spanish: str
) -> None:
    templates = Templates("Saldo", "ES")
    for language, lasts in (("en", f"works for {english}."), ("es", f"durante {spanish}.")):
        facts = of(language)
        facts["message"] = {**SAMPLE["message"], "minutes": minutes}
        assert lasts in templates.text(kind, facts)
        assert lasts in templates.mail(kind, facts)[1]


@pytest.mark.parametrize(
    ("amount", "currency", "english", "spanish"),
    [
        ("1980.000", "JPY", "JP¥1,980", "1.980\xa0JPY"),
        ("12.500", "KWD", "KWD12.500", "12,500\xa0KWD"),
        ("12.345", "IQD", "IQD12.345", "12,345\xa0IQD"),
    ],
)
def test_money_has_the_decimals_of_its_currency(
    amount: str, currency: str, english: str, spanish: str
) -> None:
    payment = {**SAMPLE["payment"], "amount": Decimal(amount), "currency": currency}
    texts = [
        Templates("Saldo", country).text("receipt", {**of(language), "payment": payment})
        for language, country in (("en", "GB"), ("es", "ES"))
    ]
    assert f"we received {english}" in texts[0]
    assert f"hemos recibido {spanish}" in texts[1]


@pytest.mark.parametrize(("language", "says"), [("en", "is on its way"), ("es", "está en camino")])
def test_a_payment_from_a_bank_account_is_not_said_to_be_here(language: str, says: str) -> None:
    bank = {**SAMPLE["payment"], "method": "bank-account", "brand": None, "last4": "6789"}
    facts = {**of(language), "payment": bank}
    templates = Templates("Saldo", "GB")
    for written in (templates.text("receipt", facts), templates.mail("receipt", facts)[1]):
        assert says in written
        assert "received" not in written
        assert "recibido" not in written
    assert "6789" in templates.text("receipt", facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_payment_by_paypal_has_no_card(language: str) -> None:
    paypal = {**SAMPLE["payment"], "method": "paypal", "brand": None, "last4": None}
    facts = {**of(language), "payment": paypal}
    for written in Templates("Saldo", "GB").mail("receipt", facts):
        assert "None" not in written


def test_the_companys_own_file_goes_before_ours(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en/receipt.txt").write_text("Ta! {{ payment.confirmation }}")
    (tmp_path / "en/receipt.html").write_text("<p>{{ customer.name }}</p>")
    templates = Templates("Saldo", "GB", tmp_path)
    assert templates.text("receipt", of("en")) == "Ta! 12345678"
    assert templates.mail("receipt", of("en"))[2] == "<p>Ana Ruiz</p>"
    assert templates.text("refund", of("en")).startswith("Saldo: we paid")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("{{ payment.confirmation", "en/receipt.txt is broken at line 1"),
        ("{{ payment.nothing }}", "en/receipt.txt cannot be filled in"),
        ("{{ 1 | money('no currency at all') | nosuch }}", "en/receipt.txt is broken"),
        ("{{ ''.__class__.__mro__ }}", "en/receipt.txt cannot be filled in"),
        ("4111 1111 1111 1111", "en/receipt.txt would show a card number"),
    ],
)
def test_a_broken_template_is_named(tmp_path: Path, written: str, why: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en/receipt.txt").write_text(written)
    templates = Templates("Saldo", "GB", tmp_path)
    (wrong,) = templates.wrong()
    assert why in wrong
    with pytest.raises(TemplateWrong, match=r"en/receipt\.txt"):
        templates.text("receipt", of("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_of_a_mandate_says_all_of_it_by_whatever_way(language: str) -> None:
    words = wording(
        language,
        company="Saldo Telecom",
        name="Harbor Freight Services",
        amount=Money.of("310.25", "USD"),
        last4="0000",
        day=date(2026, 11, 23),
        phone="1-800-555-0100",
    )
    facts = {**of(language), "message": {**SAMPLE["message"], "mandate": words}}
    templates = Templates("Saldo Telecom", "US")
    _, mail, _ = templates.mail("mandate", facts)
    text = templates.text("mandate", facts)
    assert words in mail
    assert words in text
    assert len(text) <= LONGEST_TEXT
