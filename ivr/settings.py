"""Every setting, typed, read once: saldo.toml, overridden by SALDO_* environment variables."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

KEY_LENGTH = 32
PROJECT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """A setting is missing or wrong; the text says which and what to do."""


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


class Payments(Section):
    """What callers may pay with."""

    methods: tuple[Literal["card"], ...] = Field(("card",), min_length=1)
    """offered in this order; with one only, callers are not asked"""


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


class Web(Section):
    """REST, health checks and the page for agents."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=65535)
    api_key: SecretStr = SecretStr("")
    """opens all of the API"""
    agent_key: SecretStr = SecretStr("")
    """opens captures with an agent only: what agents type into their page"""


class Calls(Section):
    """Limits of one call and of stopping."""

    max_minutes: float = Field(30, gt=0)
    drain_seconds: float = Field(150, gt=0)
    """how long running calls may go on after SIGTERM; a slow gateway alone can take 65 s"""


class Imports(Section):
    """Files of the billing system."""

    headers: dict[str, str] = {}
    """a column's name in your files → ours, such as {"Kundennr" = "external_id"}"""


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


class Settings(BaseSettings):
    """All of saldo.toml."""

    model_config = SettingsConfigDict(
        env_prefix="SALDO_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    company: Company = Company()
    asterisk: Asterisk = Asterisk()
    capture: Capture = Capture()
    database: Database = Database()
    braintree: Braintree = Braintree()
    payments: Payments = Payments()
    speech: Speech = Speech()
    recordings: Recordings = Recordings()
    web: Web = Web()
    calls: Calls = Calls()
    agents: Agents = Agents()
    imports: Imports = Imports()
    lab: Lab = Lab()

    @model_validator(mode="after")
    def _voice_needs_models(self) -> Self:
        if self.capture.voice and not any(self.speech.models.values()):
            raise ValueError(
                "[capture] voice is on, and no language has a speech model: "
                "name one in [speech] models, or turn it off"
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


def load(config: Path | None = None) -> Settings:
    """Settings from `config`, else ./saldo.toml if there is one, else defaults and environment.

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
    try:
        return Settings(**values)  # type: ignore[arg-type]  # validated by pydantic
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        what = "there is no such setting: see docs/settings.md" if unknown else first["msg"]
        said = ": ".join(filter(None, (str(path), where, what.removeprefix("Value error, "))))
        raise SettingsError(said) from None
