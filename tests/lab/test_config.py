"""The lab's own saldo.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from ivr import settings
from ivr.lab.config import KEYS, lab_settings, load, to_toml
from ivr.lab.database import DatabaseInfo
from ivr.lab.gateway_desk import Account
from ivr.lab.pbx import PbxInfo
from ivr.lab.post import PostOffice
from ivr.lab.processes import ProcessId
from ivr.settings import Settings, SettingsError, Speech

NOWHERE = Path("/nowhere")
KEY = "k" * 32
POST = PostOffice(1001, 1002, 1003)
PRIVATE = PbxInfo(
    *(ProcessId(1, 1), "127.0.0.1", 5060, 20000, 20100),
    *("http://127.0.0.1:8088/ari", "ari", "ari-secret", "capture", "capture-secret"),
    *("127.0.0.1", 5038, "ami", "ami-secret"),
    *(NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE),
)


def as_serve_reads_it(
    mine: Settings,
    pbx: PbxInfo | None = None,
    database: DatabaseInfo | None = None,
    gateway: str | None = None,
    post: PostOffice | None = None,
) -> Settings:
    """The lab's file, written for these settings of yours."""
    sections = lab_settings(
        mine, pbx=pbx, database=database, gateway=gateway, web_port=8080, api_key=KEY, post=post
    )
    return Settings(**tomllib.loads(to_toml(sections)))


def speech(settings: Settings, pbx: PbxInfo | None) -> Any:
    return as_serve_reads_it(settings, pbx).speech.models


def test_the_terms_of_payment_come_through_as_they_were_set() -> None:
    fees = {"card": {"percent": "2.5", "cap": {"USD": "5.00"}}, "paypal": {"flat": "0.35"}}
    mine = Settings(payments={"minimum_part": "5.00", "fees": fees})
    assert as_serve_reads_it(mine).terms() == mine.terms()


def test_callers_of_the_labs_own_pbx_are_understood_with_the_shipped_models() -> None:
    assert speech(Settings(), PRIVATE) == {"en": "shipped", "es": "shipped"}


def test_models_of_your_own_are_kept() -> None:
    mine = Settings(speech=Speech(models={"es": "/srv/model-es"}))
    assert speech(mine, PRIVATE) == {"es": "/srv/model-es"}


def test_people_who_call_a_pbx_of_your_own_are_not_heard_by_a_model_of_synthetic_voices() -> None:
    assert speech(Settings(), None) == {}


def test_every_message_ends_in_the_labs_post_office() -> None:
    mine = Settings(mail={"host": "smtp.example.com", "sender": "me@example.com"})
    told = as_serve_reads_it(mine, PRIVATE, post=POST)
    assert (told.mail.host, told.mail.port, told.mail.tls) == ("127.0.0.1", 1002, "none")
    assert told.texts.url.get_secret_value().endswith("@127.0.0.1:1003")
    assert told.soap.operations["service.reactivated"].expects == {"Status": "OK"}
    assert told.webhooks.plain_http


def limits_of(settings: Settings, database: DatabaseInfo | None) -> Any:
    return as_serve_reads_it(settings, database=database).limits


def test_a_private_database_is_called_all_day_from_the_same_numbers() -> None:
    ours = DatabaseInfo(ProcessId(1, 1), "ours", "ours", "ours", NOWHERE, NOWHERE, NOWHERE)
    shipped = Settings().limits
    wide = limits_of(Settings(), ours)
    assert wide.card_tries_a_number > 1000 * shipped.card_tries_a_number
    assert wide.card_tries_a_call == shipped.card_tries_a_call
    assert limits_of(Settings(limits={"card_tries_a_number": 7}), ours).card_tries_a_number == 7
    assert limits_of(Settings(), None) == shipped


def test_a_lab_has_a_key_to_tell_cards_by_unless_you_have_one() -> None:
    def key(settings: Settings) -> str:
        return as_serve_reads_it(settings).capture.hash_key.get_secret_value()

    assert key(Settings()).isalpha()
    assert key(Settings()) != key(Settings())
    assert key(Settings(capture={"hash_key": "mine" * 8})) == "mine" * 8


def charged_at(mine: Settings) -> Any:
    return as_serve_reads_it(mine, gateway="http://127.0.0.1:2000").braintree


def test_a_lab_charges_at_its_own_stand_in() -> None:
    charged = charged_at(Settings())
    assert (charged.url, charged.merchant_id) == ("http://127.0.0.1:2000", KEYS["merchant_id"])


def test_a_lab_charges_at_the_stand_in_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SALDO_BRAINTREE__URL", "http://127.0.0.1:3000")
    charged = charged_at(Settings())
    assert (charged.url, charged.environment) == ("http://127.0.0.1:3000", "stand-in")
    assert (charged.merchant_id, charged.public_key) == (KEYS["merchant_id"], KEYS["public_key"])
    assert charged.private_key.get_secret_value() == KEYS["private_key"]
    assert charged.merchant_accounts == dict(Account().merchant_accounts)
    monkeypatch.setenv("SALDO_BRAINTREE__MERCHANT_ID", "another")
    assert charged_at(Settings()).merchant_id == "another"


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_a_lab_takes_no_money_where_the_settings_are_those_of_a_company(environment: str) -> None:
    mine = {"environment": environment, "url": "https://gateway.example", "merchant_id": "real"}
    charged = charged_at(Settings(braintree=mine))
    assert (charged.environment, charged.url) == ("stand-in", "http://127.0.0.1:2000")
    assert charged.merchant_id == KEYS["merchant_id"]


ACCOUNTS = """[payments]
methods = ["card", "bank-account"]
"""


def test_a_lab_takes_bank_accounts_and_need_not_be_told_how_messages_go_out(tmp_path: Path) -> None:
    mine = written(tmp_path, ACCOUNTS)
    lab = as_serve_reads_it(load(mine), PRIVATE, post=POST)
    assert "bank-account" in lab.payments.methods
    assert (lab.bank_accounts.phone, lab.mail.port) == ("555-0100", 1002)
    assert lab.texts.url.get_secret_value().endswith("@127.0.0.1:1003")


def test_what_you_set_for_bank_accounts_is_kept_in_a_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = written(tmp_path, ACCOUNTS + '[bank_accounts]\nphone = "555-0199"\nkeep_days = 7\n')
    loaded = load(mine).bank_accounts
    assert (loaded.phone, loaded.keep_days) == ("555-0199", 7)
    monkeypatch.setenv("SALDO_BANK_ACCOUNTS__PHONE", "555-0111")
    assert load(mine).bank_accounts.phone == "555-0111"


def test_a_lab_on_your_own_database_must_be_told_how_messages_go_out(tmp_path: Path) -> None:
    mine = written(tmp_path, ACCOUNTS + '[bank_accounts]\nphone = "555-0199"\n')
    with mine.open("a", encoding="utf-8") as file:
        file.write("[lab]\nown_database = true\n")
    with pytest.raises(SettingsError, match="no mandate could be proved"):
        load(mine)


def test_saldo_itself_must_be_told_what_a_lab_need_not(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="phone is empty"):
        settings.load(written(tmp_path, ACCOUNTS))


def written(folder: Path, text: str) -> Path:
    path = folder / "saldo.toml"
    path.write_text(text, encoding="utf-8")
    return path
