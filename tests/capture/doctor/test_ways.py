"""The ways to pay: each setting that does not bear one out is found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ivr.capture.doctor import checkup, ways
from ivr.capture.doctor.finding import Finding, Grade
from ivr.settings import Settings
from ivr.storage.server import Standing

KEY = "k" * 32
NOW = datetime(2026, 11, 23, tzinfo=UTC)
SOUND: dict[str, dict[str, Any]] = {
    "capture": {"hash_key": KEY},
    "braintree": {
        "environment": "production",
        "merchant_accounts": {"EUR": "eur", "USD": "usd"},
    },
    "payments": {"methods": ("card", "bank-account", "paypal")},
    "bank_accounts": {"phone": "+1 800 555 0100"},
    "pay_page": {"url": "https://pay.example.com", "key": KEY},
    "texts": {"url": "pjsip:trunk/sip:{number}@sms.example.com"},
    "mail": {"host": "smtp.example.com", "sender": "bills@example.com"},
    "soap": {"wsdl": "https://crm.example.com/?wsdl"},
}
TOLD = Standing(NOW, ["https://crm.example.com/", "http://127.0.0.1:9000/"], ["EUR"])
F, W = Grade.FAULT, Grade.WARNING


def settings(**changes: dict[str, Any]) -> Settings:
    """Sound ones, but for these changes."""
    return Settings.model_validate(
        {name: SOUND.get(name, {}) | changes.get(name, {}) for name in SOUND | changes}
    )


def bad(findings: list[Finding]) -> set[tuple[str, Grade]]:
    return {(one.id, one.grade) for one in findings if one.grade is not Grade.OK}


def test_sound_settings_have_no_fault() -> None:
    assert bad(ways.look_at(settings())) == set()
    assert bad(ways.look_at_standing(settings(), TOLD)) == set()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"capture": {"hash_key": ""}}, ("card-hashes", W)),
        ({"bank_accounts": {"currencies": ("USD", "MXN")}}, ("bank-accounts", F)),
        ({"bank_accounts": {"currencies": ()}}, ("bank-accounts", F)),
        ({"payments": {"compare_at": -1}}, ("ledgers-compared", W)),
        ({"pay_page": {"url": "http://127.0.0.1:8080"}}, ("pay-page", F)),
        ({"texts": {"url": ""}}, ("pay-page", F)),
        ({"texts": {"url": ""}, "payments": {"methods": ("card",)}}, ("pay-page", W)),
        ({"webhooks": {"plain_http": True}}, ("messages-tls", W)),
        ({"mail": {"tls": "none"}}, ("messages-tls", W)),
        ({"soap": {"wsdl": "http://crm.example.com/?wsdl"}}, ("messages-tls", W)),
        ({"soap": {"address": "http://crm.example.com/"}}, ("messages-tls", W)),
    ],
)
def test_a_way_that_is_not_borne_out_is_found(
    changes: dict[str, dict[str, Any]], found: tuple[str, Grade]
) -> None:
    assert bad(ways.look_at(settings(**changes))) == {found}


@pytest.mark.parametrize(
    "changes",
    [
        {"mail": {"tls": "none", "host": "127.0.0.1"}},
        {"mail": {"tls": "none", "host": "localhost"}},
        {"soap": {"wsdl": "http://localhost:9000/?wsdl"}},
        {"soap": {"wsdl": "/etc/saldo/crm.wsdl"}},
        {"braintree": {"environment": "sandbox"}, "pay_page": {"url": "http://localhost:8080"}},
        {"payments": {"methods": ("card",)}, "bank_accounts": {"currencies": ("MXN",)}},
        {"payments": {"methods": ("card",)}, "pay_page": {"url": ""}, "texts": {"url": ""}},
    ],
)
def test_what_nobody_else_can_read_or_nobody_uses_is_no_fault(
    changes: dict[str, dict[str, Any]],
) -> None:
    assert bad(ways.look_at(settings(**changes))) == set()


def test_debits_without_a_word_from_the_gateway_are_found() -> None:
    silent = Standing(None, [], [])
    assert bad(ways.look_at_standing(settings(), silent)) == {("gateway-webhooks", W)}
    cards = settings(payments={"methods": ("card",)})
    assert bad(ways.look_at_standing(cards, silent)) == set()


def test_an_endpoint_without_tls_is_found_however_it_got_there() -> None:
    old = Standing(NOW, ["http://crm.example.com/hook"], [])
    (found,) = [one for one in ways.look_at_standing(settings(), old) if one.grade is W]
    assert (found.id, found.found) == ("messages-tls", "webhooks go to http://crm.example.com/hook")


def test_a_currency_that_is_owed_and_cannot_be_paid_is_found() -> None:
    owed = checkup._owed(settings(), ["EUR", "KWD", "CLP", "USD"])
    assert [one.found.split(",")[0] for one in owed] == [
        "invoices are owed in CLP",
        "invoices are owed in KWD",
    ]
