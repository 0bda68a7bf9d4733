"""The lab's own saldo.toml: your settings, with the lab's addresses and passwords in place."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from pydantic import SecretStr

from ivr import hearing, settings
from ivr.lab.database import DatabaseInfo
from ivr.lab.gateway_desk import Account
from ivr.lab.pbx import PbxInfo
from ivr.lab.post import PostOffice
from ivr.sections import Braintree, Limits
from ivr.settings import Settings

KEYS = {"merchant_id": "lab_merchant", "public_key": "lab_public", "private_key": "lab_private"}
"""What the stand-in gateway expects; no secrets."""


REACTIVATE = {
    "name": "ReactivateLine",
    "fields": {
        "RequestId": "message.id",
        "Line.Id": "service.external_id",
        "Line.Reason": "=paid by telephone",
        "Paid": "payment.amount",
    },
    "expects": {"Status": "OK"},
}
"""what the lab's CRM (crm.wsdl) is told of a line that came back"""


HASH_KEY_LETTERS = 40
"""no digit, so that nothing in a lab's files looks like a card number"""
WIDE: dict[str, Any] = {
    "card_tries_an_invoice": 10**6,
    "card_tries_a_number": 10**6,
    "card_tries_hidden": 10**6,
    "invoices_a_card": 10**6,
    "refused_for_good": False,
    "identifications_a_number": 10**6,
    "identifications_hidden": 10**6,
    "identifications_an_account": 10**6,
    "identifications_an_hour": 10**6,
    "breaker_declines": 10**6,
}
"""Limits of a day, for a lab that is called from the same numbers with the same cards all day."""

PLACE_TAKEN: Mapping[str, Mapping[str, object]] = {
    "bank_accounts": {"phone": "555-0100"},
    "texts": {"url": "json://127.0.0.1:9/{number}"},
}
"""What mandates need and a lab need not be told: a number that is nobody's, and a way to send
texts, which the lab's post office takes the place of."""


def load(config: Path | None = None) -> Settings:
    """Your settings for a lab. Raises SettingsError.

    A lab on a database of your own has no post office, and sends what you set up.
    """
    loaded = settings.load(config, PLACE_TAKEN)
    return settings.load(config) if loaded.lab.own_database else loaded


def lab_settings(
    base: Settings,
    *,
    pbx: PbxInfo | None,
    database: DatabaseInfo | None,
    gateway: str | None,
    web_port: int,
    api_key: str,
    post: PostOffice | None = None,
) -> dict[str, dict[str, Any]]:
    """Sections of saldo.toml; a part given as None is the user's own and keeps its settings.

    A gateway that the settings name as a stand-in, by its url, is charged instead of the lab's own.
    Where the settings name no speech model, callers of a private PBX are understood with ours: they
    are synthesisers. Whoever calls a PBX of your own may be a person, whom ours does not
    understand. Limits of a day that are as shipped are wide on a private database.
    """
    values = base.model_dump()
    if pbx:
        values["speech"]["models"] = base.speech.models or dict.fromkeys(
            hearing.LANGUAGES, hearing.OURS
        )
        values["asterisk"] |= {
            "url": pbx.ari_url.removesuffix("/ari"),
            "user": pbx.ari_user,
            "password": pbx.ari_password,
            "ami_host": pbx.ami_host,
            "ami_port": pbx.ami_port,
            "ami_user": pbx.ami_user,
            "ami_secret": pbx.ami_password,
        }
        values["capture"] |= {"user": pbx.capture_user, "password": pbx.capture_password}
    if database and base.limits == Limits():
        values["limits"] |= WIDE
    if not base.capture.hash_key.get_secret_value():
        values["capture"]["hash_key"] = "".join(
            secrets.choice(ascii_lowercase) for _ in range(HASH_KEY_LETTERS)
        )
    if database:
        values["database"] |= {"url": database.url, "capture_url": database.capture_url}
    if gateway:
        values["braintree"] |= _charged_at(base.braintree, gateway)
    if post:
        _tell_nobody_else(values, post, sip=pbx is not None)
    if base.pay_page.url:
        values["pay_page"]["url"] = f"http://127.0.0.1:{web_port}"
    values["web"] |= {"host": "127.0.0.1", "port": web_port, "api_key": api_key}
    return values


def _charged_at(yours: Braintree, gateway: str) -> dict[str, Any]:
    """The lab's gateway, or another stand-in, or a proxy before one, that the settings name."""
    lab = KEYS | {
        "environment": "stand-in",
        "url": gateway,
        "merchant_accounts": dict(Account().merchant_accounts),
    }
    if yours.environment != "stand-in" or not yours.url:  # from a lab no money is taken
        return lab
    return lab | {name: value for name in lab if (value := getattr(yours, name))}


def _tell_nobody_else(values: dict[str, dict[str, Any]], post: PostOffice, *, sip: bool) -> None:
    """Every message ends in the lab; texts as SIP MESSAGE where the PBX is the lab's own."""
    by_sip = f"pjsip:lab-agent/sip:{{number}}@127.0.0.1:{post.sip}"
    by_http = f"json://127.0.0.1:{post.http}/texts/{{number}}"
    values["texts"] |= {"url": by_sip if sip else by_http, "sender": "sip:saldo@127.0.0.1"}
    values["mail"] |= {
        "host": "127.0.0.1",
        "port": post.smtp,
        "tls": "none",
        "user": "",
        "password": "",
        "sender": "bills@saldo.example",
    }
    values["webhooks"] |= {"plain_http": True, "networks": ["127.0.0.0/8"]}
    values["soap"] |= {
        "wsdl": f"{post.url}/crm.wsdl",
        "address": "",
        "user": "",
        "password": "",
        "operations": {"service.reactivated": REACTIVATE},
    }


def to_toml(sections: dict[str, dict[str, Any]]) -> str:
    """The sections as TOML, without what is not set."""
    lines = ["# Written by `saldo lab up`; holds passwords."]
    for name, section in sections.items():
        lines += ["", f"[{name}]"]
        given = {key: value for key, value in section.items() if value is not None}
        lines += [f"{key} = {_value(value)}" for key, value in given.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, SecretStr):
        return _value(value.get_secret_value())
    if isinstance(value, Path | Decimal):
        return _value(str(value))
    if isinstance(value, dict):
        given = {key: item for key, item in value.items() if item is not None}
        pairs = (f"{json.dumps(key)} = {_value(item)}" for key, item in given.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value)  # TOML's strings, numbers and booleans are JSON's
