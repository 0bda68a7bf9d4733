"""The sections of saldo.toml but for messages; which one is which: ivr/settings.py."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from ivr.billing.methods import Method

PROJECT = Path(__file__).resolve().parent.parent
KEY_LENGTH = 32
"""characters that a key of ours has at least"""


class Section(BaseModel):
    """An unknown key is an error: a mistyped setting must not be silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Company(Section):
    """Whose telephone this is."""

    name: str = "Saldo Telecom"
    country: str = Field("ES", pattern="^[A-Z]{2}$")
    currency: str = Field("EUR", pattern="^[A-Z]{3}$")
    language: Literal["en", "es"] = "en"
    postal_code_length: int = Field(5, ge=0, le=10)
    """digits of your customers' postal codes; 0 when they differ: callers then end with pound"""


class Asterisk(Section):
    """The PBX's ARI and AMI; keep both on loopback or a management network."""

    url: str = "http://127.0.0.1:8088"
    app: str = "saldo"
    user: str = "saldo"
    password: SecretStr = SecretStr("")
    ami_host: str = "127.0.0.1"
    ami_port: int = 5038
    ami_user: str = "saldo"
    ami_secret: SecretStr = SecretStr("")


class Capture(Section):
    """The secure process; `spawn = false` when it is a systemd unit or container of its own."""

    app: str = "saldo-capture"
    user: str = "saldo-capture"
    password: SecretStr = SecretStr("")
    spawn: bool = True
    brands: tuple[str, ...] = ("visa", "mastercard", "amex", "discover")
    limit_seconds: float = 600
    """how long a caller may stay in the secure part"""
    hash_key: SecretStr = SecretStr("")
    """tells the same card again, without its number, for [limits]: 32 characters or more, the same
    on every node, and of no program but the secure process; empty: forgotten when it ends"""
    voice: bool = False
    """whether a card may be said too, heard inside the secure process; needs [speech] models"""


class Database(Section):
    """Postgres; `capture_url` may name a role that can write captures only."""

    url: str = "postgresql:///saldo"
    capture_url: str = ""
    pool: int = Field(10, ge=1, le=200)


class Braintree(Section):
    """The payment gateway. `url` names a stand-in or proxy instead of Braintree's own address."""

    environment: Literal["sandbox", "production", "stand-in"] = "stand-in"
    url: str = ""
    merchant_id: str = ""
    public_key: str = ""
    private_key: SecretStr = SecretStr("")
    merchant_accounts: dict[str, str] = {}
    """currency → merchant account id; a currency not named here cannot be paid"""
    timeout_seconds: float = Field(65, gt=0)
    """the gateway's own limit is 60 s: a shorter one makes outcomes unknown"""
    threads: int = Field(8, ge=1, le=64)


def _as_text(amount: object) -> object:
    """A number as it was written, whose shortest text is exact: nobody calculates with a float."""
    return str(amount) if isinstance(amount, int | float) else amount


Amount = Annotated[str, BeforeValidator(_as_text)]
Amounts = Amount | dict[str, Amount]
"""one in the company's currency, such as "1.50", or one of each: {EUR = "1.50", USD = "1.75"}"""


class PaymentFee(Section):
    """What paying by one method costs the caller: `flat`, or `percent` with the other two.

    Zero of either is no fee.
    """

    flat: Amounts = ""
    percent: Decimal | None = None
    minimum: Amounts = ""
    cap: Amounts = ""


class Payments(Section):
    """What callers may pay with."""

    methods: tuple[Literal["card", "bank-account", "paypal"], ...] = Field(("card",), min_length=1)
    """offered in this order; with one only, callers are not asked"""
    keep_cards: bool = False
    """whether callers are asked to leave their card with the gateway for the next time"""
    minimum_part: Amounts = "10%"
    """the least that may be paid of what is due: a share or an amount; empty: all or nothing"""
    fees: dict[Method, PaymentFee] = {}
    """by method; one not named costs nothing, but a card on file then costs what a card does"""
    compare_at: int = Field(3, ge=-1, le=23)
    """the hour of the day, in UTC, at which the ledger is compared with the gateway's; -1: never"""
    for_another: bool = True
    """whether who knows an account number only may pay for it, and hears nothing about it"""


class BankAccounts(Section):
    """Debits of bank accounts in the United States; see bank-accounts.md."""

    phone: str = Field("", pattern=r"^(\+?[0-9][0-9 ()-]{5,18}[0-9])?$")
    """read in every mandate: where callers ask about a debit, or revoke it"""
    currencies: tuple[str, ...] = ("USD",)
    """whose merchant account takes ACH"""
    reactivate: Literal["accepted", "settled"] = "accepted"
    """whether lines come back when the gateway accepts a debit, or when it is settled days later"""
    keep_days: int = Field(90, ge=0, le=730)
    """from settlement until the gateway's vault forgets the account: 60 days is what customers have
    to return a debit; what took no money is forgotten at once"""


class Speech(Section):
    """Sounds, the voice that makes them, and what callers' voices are understood with."""

    prompts: Path = PROJECT / "audio-prompts"
    sounds: Path = PROJECT / "var/sounds"
    """must be readable by Asterisk under the same path"""
    workers: int = Field(2, ge=1, le=16)
    models: dict[Literal["en", "es"], str] = {}
    """language → folder of a Vosk model, or "shipped": ours, which understands synthetic voices
    only; a language not named is by keys only"""
    callers: int = Field(0, ge=0)
    """listened to at once, the others are asked for keys; 0: 12 for each processor core"""
    pauses: float = Field(1.0, ge=0.7, le=4.0)
    """times as long as usual may the pauses in an answer be: more for callers who speak slowly,
    and every answer is taken up so much later"""


class Recordings(Section):
    """Calls recorded, with a flat tone where a card is asked for; see recordings.md."""

    on: bool = False
    folder: Path = PROJECT / "var/recordings"
    key: SecretStr = SecretStr("")
    """signs every recording's manifest, and whoever checks one needs it: 32 characters or more"""
    keep_days: float = Field(0, ge=0)
    """after so many days a recording is deleted; 0: never"""


def _is_a_key(key: SecretStr) -> SecretStr:
    """Long enough not to be guessed, or the hash of one."""
    text = key.get_secret_value()
    if text.startswith("sha256:") and not re.fullmatch("sha256:[0-9a-f]{64}", text):
        raise ValueError("sha256: is followed by 64 digits and small letters: see [web]")
    if 0 < len(text) < KEY_LENGTH:
        todo = "make one with `openssl rand -hex 32`"
        raise ValueError(f"it has fewer than {KEY_LENGTH} characters: {todo}")
    return key


OwnKey = Annotated[SecretStr, AfterValidator(_is_a_key)]


class ApiKey(Section):
    """A key of the API: for a program, or for one member of staff."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$")
    key: OwnKey = Field(min_length=KEY_LENGTH)
    scopes: tuple[Literal["read", "captures", "refunds", "reports", "links", "webhooks"], ...]


class Web(Section):
    """REST, health checks and the page for agents."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=65535)
    api_key: OwnKey = SecretStr("")
    """opens all of the API; any key here may be given as its hash: sha256: and 64 digits"""
    agent_key: OwnKey = SecretStr("")
    """opens captures with an agent only: what agents type into their page"""
    keys: tuple[ApiKey, ...] = ()
    """more keys, each for something: {name, key, scopes}; `name` is who acted, in the trail"""

    @model_validator(mode="after")
    def _everybody_is_told_apart(self) -> Self:
        names = ["api_key", "agent_key", *(each.name for each in self.keys)]
        secrets = [
            key.get_secret_value()
            for key in (self.api_key, self.agent_key, *(each.key for each in self.keys))
            if key.get_secret_value()
        ]
        if len(set(names)) < len(names) or len(set(secrets)) < len(secrets):
            raise ValueError("two keys have the same name or the same secret: tell them apart")
        return self


class PayPage(Section):
    """The page behind links to pay; see pay-page.md."""

    url: str = Field(
        "", pattern=r"^(https://[^/?#\s]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?)?/?$"
    )
    """where customers find it, such as https://pay.example.com; empty: no link is ever offered"""
    key: SecretStr = SecretStr("")
    """signs links: 32 characters or more; with another one no link given out is good, unless:"""
    key_before: SecretStr = SecretStr("")
    """what it signed is good still: the key of until now, when you change it"""
    minutes: float = Field(1440, gt=0, le=86400)
    """how long a link given in a call may be used"""
    wait_seconds: float = Field(300, ge=0, le=900)
    """how long a call waits for a payment by its link"""
    colour: str = Field("#1f4e8c", pattern="^#[0-9a-fA-F]{6}$")
    logo: Path | None = None
    """SVG, PNG or WebP; none: the company's name"""
    phone: str = Field("", max_length=40)
    """shown to who has questions"""
    folder: Path | None = None
    """page.html, pay.css, words.en.toml, words.es.toml of your own"""
    braintree_web: str = Field("3.144.0", pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    """the version of Braintree's scripts that the page loads from Braintree"""
    proxies: tuple[str, ...] = ("127.0.0.1",)
    """reverse proxies whose word for a visitor's address is believed"""


class Calls(Section):
    """Limits of one call and of stopping."""

    max_minutes: float = Field(30, gt=0)
    drain_seconds: float = Field(150, gt=0)
    """how long running calls may go on after SIGTERM; a slow gateway alone can take 65 s"""


class Imports(Section):
    """Files of the billing system."""

    headers: dict[str, str] = {}
    """a column's name in your files → ours, such as {"Kundennr" = "external_id"}"""


class Limits(Section):
    """How often cards and accounts may be tried; a day is the last 24 hours. See limits.md."""

    card_tries_a_call: int = Field(3, ge=1)
    """declined charges, and those not known to have succeeded; so in all that follow"""
    card_tries_an_invoice: int = Field(3, ge=1)
    """a day; so in all that follow, but for `cards_a_call`"""
    card_tries_a_number: int = Field(5, ge=1)
    card_tries_hidden: int = Field(20, ge=1)
    """of all callers who hide their number"""
    cards_a_call: int = Field(2, ge=1)
    invoices_a_card: int = Field(5, ge=1)
    refused_for_good: bool = True
    """whether a card that its bank refused for good is never charged again"""
    identifications_a_call: int = Field(3, ge=1, le=5)
    """failures; so in all that follow"""
    identifications_a_number: int = Field(10, ge=1)
    """a day"""
    identifications_hidden: int = Field(30, ge=1)
    """a day, of all callers who hide their number"""
    identifications_an_account: int = Field(10, ge=1)
    """a day; past it, only from a number on file with it"""
    identifications_an_hour: int = Field(300, ge=1)
    """of everybody; past it, each only from a number on file"""
    breaker_declines: int = Field(10, ge=1)
    """more declined cards than this within `breaker_minutes`, and more than `breaker_share` of all:
    cards are not taken for `breaker_pause_minutes`"""
    breaker_callers: int = Field(3, ge=1)
    """of so many callers at least; all who hide their number are one"""
    breaker_share: float = Field(0.5, gt=0, lt=1)
    breaker_minutes: float = Field(10, gt=0)
    breaker_pause_minutes: float = Field(15, gt=0)
    breaker_trials: int = Field(3, ge=1)
    """after the pause, so many in a row must succeed, one at a time"""


class Promises(Section):
    """Promises to pay on a date."""

    on: bool = True
    days_ahead: int = Field(14, ge=1, le=60)
    broken_allowed: int = Field(2, ge=1)
    """so many broken ones within `broken_days`, and no other is taken"""
    broken_days: int = Field(180, ge=1)


class Tidying(Section):
    """Old rows, deleted once a day; payments and what proves them never. 0 days: kept for ever."""

    at: int = Field(4, ge=-1, le=23)
    """the hour of the day, in UTC; -1: nothing is deleted"""
    messages_days: int = Field(90, ge=0)
    """after they arrived, or nobody was to get them"""
    dead_letters_days: int = Field(365, ge=0)
    """messages that never arrived"""
    links_days: int = Field(90, ge=0)
    """after they expired, if no payment was tried with them and staff had no hand in them"""
    captures_days: int = Field(90, ge=0)
    """what was asked for in the secure part, and requests for it with their keys"""
    calls_days: int = Field(730, ge=0)
    """calls in which nothing was to be charged and nothing was promised"""


class Lab(Section):
    """`saldo lab` and `saldo call`: what runs privately, and what is your own."""

    own_pbx: str = ""
    """host:port of your PBX's SIP for simulated calls; empty: the lab runs a private Asterisk"""
    own_database: bool = False
    """true: [database] url names yours; false: the lab runs a private PostgreSQL"""
    own_gateway: bool = False
    """true: [braintree] names yours (the sandbox); false: the lab runs a stand-in"""


class Agents(Section):
    """Where a caller who wants a person goes in the dial plan."""

    context: str = "agents"
    extension: str = "queue"
    queue: str = "agents"
