"""Settings from a file and from the environment; mistakes say what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.message_sections import SoapOperation
from ivr.sections import ApiKey, PaymentFee, Section
from ivr.settings import PROJECT, Settings, SettingsError, load, without_settings


def written(folder: Path, text: str) -> Path:
    path = folder / "saldo.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_BRAINTREE__URL", "http://127.0.0.1:1")
    path = written(tmp_path, '[braintree]\nurl = "http://127.0.0.1:2"\nmerchant_id = "m"\n')
    loaded = load(path).braintree
    assert (loaded.url, loaded.merchant_id) == ("http://127.0.0.1:1", "m")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[databse]\nurl = 'x'\n", "databse: there is no such setting"),
        ("[database]\nulr = 'x'\n", "database.ulr"),
        ("[database]\npool = 0\n", "database.pool"),
        ("[web]\nport = 99999\n", "web.port"),
        ("[company]\ncurrency = 'euro'\n", "company.currency"),
        ("not toml", "not valid TOML"),
        ("[recordings]\non = true\n", r"\[recordings\] is on, and its key has fewer than 32"),
        ("[recordings]\non = true\nkey = 'short'\n", "openssl rand -hex 32"),
        ("[payments]\nmethods = ['bank-account']\n", r"\[bank_accounts\] phone is empty"),
        (
            "[payments]\nmethods = ['bank-account']\n[bank_accounts]\nphone = '1-800-555-0100'\n",
            r"no mandate could be proved: turn \[recordings\] on",
        ),
        ("[bank_accounts]\nphone = 'call us'\n", "bank_accounts.phone"),
        (
            "[soap]\nwsdl = 'x'\n[soap.operations.'service.reactivate']\nname = 'On'\n",
            r"nothing is told of the kind 'service.reactivate': use .*service\.reactivated",
        ),
        ("[payments]\nmethods = ['paypal']\n", r"set \[pay_page\] url and key"),
        ("[pay_page]\nurl = 'https://pay.example.com'\n", r"\[pay_page\] has a url, and its key"),
        ("[pay_page]\nkey_before = 'short'\n", r"\[pay_page\] key_before has fewer than 32"),
        ("[pay_page]\nurl = 'http://pay.example.com'\n", "pay_page.url"),
        ("[pay_page]\ncolour = 'red; }'\n", "pay_page.colour"),
        ("[payments]\nminimum_part = '0%'\n", r"\[payments\] minimum_part: the smallest part is"),
        ("[payments]\nminimum_part = 'nan%'\n", "'nan%' is no share"),
        ("[payments]\nminimum_part = 'x'\n", "'x' is not an amount such as 42.50"),
        ("[payments]\nminimum_part = 5.005\n", "5.005 has more decimals than EUR has"),
        ("[payments]\nminimum_part = true\n", "'True' is not an amount"),
        ("[payments]\nminimum_part = {EUR = '0.001'}\n", "more decimals than EUR has"),
        ("[payments.fees.cash]\nflat = '1'\n", "payments.fees.cash"),
        (
            "[payments.fees.card]\nflat = 1e300\n",
            r"\[payments.fees.card\] 1E\+300 is more than any amount of money",
        ),
        ("[payments.fees.card]\nflat = '1.50'\ncap = '5'\n", r"\[payments.fees.card\] a flat fee"),
        ("[payments.fees.card]\npercent = '101'\n", "percent is 101: it is from 0 to 100"),
        ("[payments.fees.card]\nflat = {EUR = 'x'}\n", "'x' is not an amount"),
        ("[payments.fees.paypal]\n", "either flat or percent"),
        ("[capture]\nhash_key = 'short'\n", r"\[capture\] hash_key has fewer than 32"),
        ("[capture]\nvoice = true\n", r"saldo\.toml: \[capture\] voice is on, and no language"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load(written(tmp_path, text))


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SALDO_WEB__PORT": "x"}, "SALDO_WEB__PORT: web.port: "),
        ({"saldo_web__prot": "1"}, "saldo_web__prot: web.prot: there is no such setting"),
        ({"SALDO_WEB": '{"port": "x"}'}, "SALDO_WEB: web.port: "),
        ({"SALDO_PAYMENTS__METHODS": '["card", "cash"]'}, "SALDO_PAYMENTS__METHODS: payments.meth"),
        (
            {"SALDO_PAYMENTS__METHODS": '["paypal"]', "SALDO_WEB__PORT": "8081"},
            "saldo.toml, SALDO_PAYMENTS__METHODS, SALDO_WEB__PORT: [payments] methods has paypal",
        ),
    ],
    ids=str,
)
def test_a_mistake_in_the_environment_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "[company]\nname = 'Mine'\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load()
    assert str(raised.value).startswith(says)


@pytest.mark.parametrize("name", ["SALDO_PAYMENTS__METHODS", "SALDO_PAYMENTS"])
def test_a_list_in_the_environment_that_is_no_json_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "card")
    with pytest.raises(SettingsError, match=rf'^{name}: a list .* as JSON, such as \["card"\]$'):
        load()


def test_a_mistake_in_the_file_is_blamed_on_it_whatever_the_environment_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SALDO_WEB__HOST", "127.0.0.1")
    written(tmp_path, "[web]\nport = 99999\n")
    with pytest.raises(SettingsError, match=r"^saldo\.toml: web\.port: "):
        load()


def test_without_a_file_no_file_is_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SALDO_PAYMENTS__METHODS", '["paypal"]')
    with pytest.raises(SettingsError, match=r"^SALDO_PAYMENTS__METHODS: \[payments\] methods has"):
        load()


def test_terms_of_payment_are_in_the_companys_currency_or_in_each_that_is_named(
    tmp_path: Path,
) -> None:
    text = """
        company = {currency = "USD"}
        [payments]
        minimum_part = {USD = "5.00", EUR = "4.00"}
        [payments.fees.card]
        percent = "2.5"
        cap = "10.00"
        [payments.fees.card-on-file]
        flat = "1"
        """
    terms = load(written(tmp_path, text)).terms()
    due = {code: Money.of("1000.00", code) for code in ("USD", "EUR", "GBP")}
    assert [str(terms.least(each)) for each in due.values()] == ["5.00 USD", "4.00 EUR", "None"]
    fees = [terms.fees.of(method, due["USD"]) for method in Method]
    assert [str(fee.amount) for fee in fees] == ["10.00", "1.00", "0.00", "0.00"]


def test_an_amount_may_be_a_number_and_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_PAYMENTS__MINIMUM_PART", "5.00")
    monkeypatch.setenv("SALDO_PAYMENTS__FEES__CARD__FLAT", "1.10")
    text = "[payments.fees.paypal]\nflat = {EUR = 0.35, USD = 1}\n"
    terms = load(written(tmp_path, text)).terms()
    due = Money.of("42.50", "EUR")
    assert str(terms.least(due)) == "5.00 EUR"
    assert str(terms.fees.of(Method.CARD, due)) == "1.10 EUR"
    assert str(terms.fees.of(Method.PAYPAL, due)) == "0.35 EUR"
    monkeypatch.setenv("SALDO_PAYMENTS__MINIMUM_PART", "20%")
    assert str(load(written(tmp_path, text)).terms().least(due)) == "8.50 EUR"


@pytest.mark.parametrize(
    "nothing", ["flat = 0", "flat = '0.00'", "flat = {USD = 0}", "percent = 0"]
)
def test_one_method_may_be_free_where_another_costs_a_share(tmp_path: Path, nothing: str) -> None:
    text = f"[payments.fees.card-on-file]\n{nothing}\n[payments.fees.card]\npercent = 2\n"
    terms = load(written(tmp_path, text)).terms()
    for code in ("EUR", "USD"):
        due = Money.of("50.00", code)
        fees = [terms.fees.of(each, due) for each in (Method.CARD, Method.CARD_ON_FILE)]
        assert fees == [Money.of("1.00", code), Money.zero(code)]


def test_a_tenth_may_be_paid_and_nothing_costs_anything_unless_that_is_set(tmp_path: Path) -> None:
    terms = load(written(tmp_path, "")).terms()
    due = Money.of("42.50", "EUR")
    assert str(terms.least(due)) == "4.25 EUR"
    assert not any(terms.fees.of(method, due) for method in Method)
    assert load(written(tmp_path, "[payments]\nminimum_part = ''")).terms().least(due) is None


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml cannot be read"):
        load(tmp_path / "absent.toml")


def test_a_wrong_secret_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    path = written(tmp_path, "[braintree]\nprivate_key = ['hunter2']\n")
    with pytest.raises(SettingsError) as raised:
        load(path)
    assert "hunter2" not in str(raised.value)


def test_secrets_do_not_show() -> None:
    shown = repr(Settings(braintree={"private_key": "hunter2"}))
    assert "hunter2" not in shown


def test_a_program_with_all_settings_in_its_file_is_given_none_by_the_environment() -> None:
    others = {
        "PATH": "/bin",
        "SALDO_LAB_DIR": "/lab",
        "SALDO_CACHE_DIR": "/cache",
        "TEXTS__URL": "",
    }
    settings = {"SALDO_TEXTS__URL": "json://x", "saldo_mail__host": "x", "SALDO_WEB": "{}"}
    assert without_settings({**others, **settings}) == others


PAGE = (PROJECT / "docs/settings.md").read_text(encoding="utf-8")


def documented() -> dict[tuple[str, str], tuple[str, str]]:
    """Default and text of each setting that the page has."""
    section, found = "", dict[tuple[str, str], tuple[str, str]]()
    for line in PAGE.splitlines():
        if title := re.match(r"## \[(\w+)\]", line):
            section = title[1]
        elif row := re.match(r"\| `(\w+)` \| (.*?) ?\| ?(.*) \|$", line):
            found[section, row[1]] = (row[2].strip("`"), row[3])
    return found


def settings_of_the_code() -> dict[tuple[str, str], FieldInfo]:
    found = {}
    for section, field in Settings.model_fields.items():
        assert field.annotation is not None
        for key, one in field.annotation.model_fields.items():
            found[section, key] = one
    return found


def written_default(value: object) -> str:
    """As the page has it: lists with or without brackets, nothing for what is not set."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        return str(value.relative_to(PROJECT))
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None or value == {} else str(value)


def choices(annotation: object) -> set[str]:
    """What a setting may be, where that is one of a few words."""
    if get_origin(annotation) is Literal:
        return {str(each) for each in get_args(annotation)}
    return {word for each in get_args(annotation) for word in choices(each)}


def test_the_page_has_every_setting_and_no_other() -> None:
    assert set(documented()) == set(settings_of_the_code())


@pytest.mark.parametrize(("section", "key"), settings_of_the_code())
def test_a_setting_is_on_the_page_with_its_default_and_what_it_may_be(
    section: str, key: str
) -> None:
    field, (default, text) = settings_of_the_code()[section, key], documented()[section, key]
    plain = default.translate(dict.fromkeys(map(ord, '[]"')))
    assert plain == written_default(field.get_default(call_default_factory=True))
    for choice in choices(field.annotation):
        assert f"`{choice}`" in text or choice in plain.split(", ")
    assert ("secret" in text) == (field.annotation is SecretStr)


@pytest.mark.parametrize("part", [PaymentFee, ApiKey, SoapOperation])
def test_the_keys_of_a_table_in_a_setting_are_on_the_page(part: type[Section]) -> None:
    for key in part.model_fields:
        assert re.search(rf"(?m)^(# )?{key} = |`{key}`|[{{ ]{key}[,}}]", PAGE), key
