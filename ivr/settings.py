"""Every setting, typed, read once: saldo.toml, overridden by SALDO_* environment variables."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from pydantic import (
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as EnvironmentUnreadable

from ivr.billing.terms import Terms
from ivr.message_sections import Mail, Messages, Soap, Texts, Webhooks
from ivr.sections import (
    KEY_LENGTH,
    PROJECT,
    Agents,
    Asterisk,
    BankAccounts,
    Braintree,
    Calls,
    Capture,
    Company,
    Database,
    Imports,
    Lab,
    Limits,
    Payments,
    PayPage,
    Promises,
    Recordings,
    Speech,
    Tidying,
    Web,
)

__all__ = ["PROJECT", "Settings", "SettingsError", "Speech", "load", "without_settings"]

PREFIX = "SALDO_"


class SettingsError(Exception):
    """A setting is missing or wrong; the text says which and what to do."""


class Settings(BaseSettings):
    """All of saldo.toml."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    company: Company = Company()
    asterisk: Asterisk = Asterisk()
    capture: Capture = Capture()
    database: Database = Database()
    braintree: Braintree = Braintree()
    payments: Payments = Payments()
    bank_accounts: BankAccounts = BankAccounts()
    speech: Speech = Speech()
    recordings: Recordings = Recordings()
    web: Web = Web()
    pay_page: PayPage = PayPage()
    calls: Calls = Calls()
    agents: Agents = Agents()
    imports: Imports = Imports()
    limits: Limits = Limits()
    promises: Promises = Promises()
    messages: Messages = Messages()
    webhooks: Webhooks = Webhooks()
    mail: Mail = Mail()
    texts: Texts = Texts()
    soap: Soap = Soap()
    tidying: Tidying = Tidying()
    lab: Lab = Lab()

    def terms(self) -> Terms:
        """How small a part may be paid, and what paying costs. Raises ValueError, at load only."""
        fees = {method: fee.model_dump() for method, fee in self.payments.fees.items()}
        return Terms.written(self.payments.minimum_part, fees, self.company.currency)

    @model_validator(mode="after")
    def _terms_can_be_kept(self) -> Self:
        self.terms()
        return self

    @model_validator(mode="after")
    def _voice_needs_models(self) -> Self:
        if self.capture.voice and not any(self.speech.models.values()):
            raise ValueError(
                "[capture] voice is on, and no language has a speech model: "
                "name one in [speech] models, or turn it off"
            )
        return self

    @model_validator(mode="after")
    def _cards_are_known_by_a_long_key(self) -> Self:
        if 0 < len(self.capture.hash_key.get_secret_value()) < KEY_LENGTH:
            raise ValueError(
                f"[capture] hash_key has fewer than {KEY_LENGTH} characters: "
                "make one with `openssl rand -hex 32`"
            )
        return self

    @model_validator(mode="after")
    def _mandates_can_be_proved(self) -> Self:
        if "bank-account" not in self.payments.methods:
            return self
        if not self.bank_accounts.phone:
            raise ValueError(
                "[payments] methods has bank-account, and [bank_accounts] phone is empty: "
                "name where callers revoke a debit"
            )
        if not (self.recordings.on or self.mail.host or self.texts.url.get_secret_value()):
            raise ValueError(
                "[payments] methods has bank-account, and no mandate could be proved: "
                "turn [recordings] on, or set [texts] or [mail] up"
            )
        return self

    @model_validator(mode="after")
    def _links_need_a_key(self) -> Self:
        page = self.pay_page
        if page.url and len(page.key.get_secret_value()) < KEY_LENGTH:
            raise ValueError(
                f"[pay_page] has a url, and its key has fewer than {KEY_LENGTH} characters: "
                "make one with `openssl rand -hex 32`"
            )
        if 0 < len(page.key_before.get_secret_value()) < KEY_LENGTH:
            raise ValueError(
                f"[pay_page] key_before has fewer than {KEY_LENGTH} characters: it never was a key"
            )
        return self

    @model_validator(mode="after")
    def _paypal_needs_a_page(self) -> Self:
        if "paypal" in self.payments.methods and not self.pay_page.url:
            raise ValueError(
                "[payments] methods has paypal, and there is no page where payers come back to: "
                "set [pay_page] url and key, or leave paypal out"
            )
        return self

    @model_validator(mode="after")
    def _recordings_need_a_key(self) -> Self:
        if self.recordings.on and len(self.recordings.key.get_secret_value()) < KEY_LENGTH:
            raise ValueError(
                f"[recordings] is on, and its key has fewer than {KEY_LENGTH} characters: "
                "make one with `openssl rand -hex 32`"
            )
        return self

    @model_validator(mode="after")
    def _messages_know_their_addresses(self) -> Self:
        if self.mail.host and "@" not in self.mail.sender:
            raise ValueError("[mail] sender is no address: name the one that mails come from")
        if (url := self.texts.url.get_secret_value()) and "{number}" not in url:
            raise ValueError("[texts] url lacks {number}: put it where the customer's number goes")
        if self.soap.operations and not self.soap.wsdl:
            raise ValueError("[soap] has operations and no wsdl: name its URL")
        return self

    @classmethod
    def settings_customise_sources(  # pydantic-settings names these arguments
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings


def load(
    config: Path | None = None, beneath: Mapping[str, Mapping[str, object]] | None = None
) -> Settings:
    """Settings from `config`, else ./saldo.toml if there is one, else defaults and environment.

    `beneath`, by section, is used in place of the shipped defaults.

    Raises:
        SettingsError: the file cannot be read, is not TOML, or a value is wrong.
    """
    path = config or Path("saldo.toml")
    values: dict[str, object] = {}
    if config or path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not valid TOML: {error}") from None
    for section, stands_in in (beneath or {}).items():
        if isinstance(given := values.get(section, {}), dict):
            values[section] = {**stands_in, **given}
    try:
        return Settings(**values)  # type: ignore[arg-type]  # validated by pydantic
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = [str(part) for part in first["loc"]]
        unknown = first["type"] == "extra_forbidden"
        what = "there is no such setting: see docs/settings.md" if unknown else first["msg"]
        source = _source(place, path, has_file=bool(config or path.exists()))
        said = ": ".join(
            filter(None, (source, ".".join(place), what.removeprefix("Value error, ")))
        )
        raise SettingsError(said) from None
    except EnvironmentUnreadable:
        said = 'a list or a table in the environment is written as JSON, such as ["card"]'
        raise SettingsError(f"{', '.join(sorted(_ours()))}: {said}") from None


def _ours() -> list[str]:
    """The settings that the environment names."""
    return [name for name in os.environ if _is_setting(name)]


def _source(place: Sequence[str], path: Path, *, has_file: bool) -> str:
    """Where a wrong setting came from; a mistake of several together has no place, and is of all.

    The environment may name the setting, a part of it, or the table that it is in.
    """
    ours = {name.upper(): name for name in _ours()}
    for depth in range(len(place), 0, -1):
        name = (PREFIX + "__".join(place[:depth])).upper()
        if name in ours:
            return ours[name]
    files = [str(path)] if has_file else []
    return ", ".join(files if place else files + sorted(ours.values()))


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a program that has all settings from its file."""
    return {name: value for name, value in environment.items() if not _is_setting(name)}


def _is_setting(name: str) -> bool:
    section = name.upper().removeprefix(PREFIX).partition("__")[0].lower()
    return name.upper().startswith(PREFIX) and section in Settings.model_fields
