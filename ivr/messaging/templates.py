"""What customers read: a text and a mail for each kind, in each language, ours or the company's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.runtime
import jinja2.sandbox
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency
from babel.units import format_unit

from ivr.billing.card_numbers import holds_card_number

SHIPPED = Path(__file__).parent / "templates"
LANGUAGES = ("en", "es")
KINDS = tuple(
    sorted(path.name.removesuffix(".mail.txt") for path in (SHIPPED / "en").glob("*.mail.txt"))
)
"""The kinds that ship with a text and a mail."""
UNITS = {"day": 1440, "hour": 60}
"""in minutes; used from two on"""
LAYOUT = "layout.html"
"""the HTML of mails without an own KIND.html"""

SAMPLE: Mapping[str, Any] = {
    "customer": {"id": 1, "name": "Ana Ruiz", "language": "en"},
    "payment": {
        "id": "00000000-0000-0000-0000-000000000000",
        "method": "card",
        "amount": Decimal("42.50"),
        "fee": Decimal("0.50"),
        "currency": "EUR",
        "brand": "visa",
        "last4": "1111",
        "confirmation": "12345678",
        "captured_at": datetime(2026, 1, 31, 12, tzinfo=UTC),
    },
    "invoices": ({"number": "F-1", "applied": Decimal("42.00"), "currency": "EUR"},),
    "reactivated": ({"label": "mobile"},),
    "message": {
        "url": "https://pay.example/p/abc",
        "minutes": 30,
        "day": "2026-01-31",
        "amount": "42.500 EUR",
        "brand": "visa",
        "last4": "1111",
        "account_type": "checking",
        "reason": "R01",
        "mandate": "…",
    },
}
"""What a template is tried with before it is used."""


class TemplateWrong(Exception):
    """A template is missing or broken; the sentence says which and how."""


class Templates:
    """The company's own files where there are some, and ours."""

    def __init__(self, company: str, country: str, own: Path | None = None) -> None:
        """`own` has folders `en` and `es`, and need hold only what differs from ours."""
        self._company = company
        self._country = country
        folders = [str(folder) for folder in (own, SHIPPED) if folder is not None]
        self._environment = jinja2.sandbox.SandboxedEnvironment(
            loader=jinja2.FileSystemLoader(folders),
            undefined=jinja2.StrictUndefined,
            autoescape=jinja2.select_autoescape(["html"]),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"money": _money, "day": _day, "lasting": _lasting}

    def text(self, kind: str, facts: Mapping[str, Any]) -> str:
        """A text message. Raises TemplateWrong."""
        language = _language(facts)
        return self._render(f"{language}/{kind}.txt", self._values(language, facts)).strip()

    def mail(self, kind: str, facts: Mapping[str, Any]) -> tuple[str, str, str]:
        """Subject, text and HTML of a mail. Raises TemplateWrong."""
        language = _language(facts)
        values = self._values(language, facts)
        written = self._render(f"{language}/{kind}.mail.txt", values).strip()
        first, _, text = written.partition("\n")
        subject = " ".join(first.split())  # no name can begin another header
        text = text.strip() + "\n"
        own = f"{language}/{kind}.html"
        name = own if own in self._environment.list_templates() else LAYOUT
        paragraphs = [part.splitlines() for part in text.strip().split("\n\n")]
        html = self._render(name, {**values, "subject": subject, "paragraphs": paragraphs})
        return subject, text, html

    def wrong(self) -> Iterator[str]:
        """Every template that cannot be used, tried with a sample: one sentence each."""
        for language in LANGUAGES:
            facts = {**SAMPLE, "customer": {**SAMPLE["customer"], "language": language}}
            for kind in KINDS:
                for write in (self.text, self.mail):
                    try:
                        write(kind, facts)
                    except TemplateWrong as error:
                        yield str(error)

    def _values(self, language: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **facts.get("message", {}),
            **facts,
            "company": self._company,
            "language": language,
            "locale": _locale(language, self._country),
        }

    def _render(self, name: str, values: Mapping[str, Any]) -> str:
        try:
            written = self._environment.get_template(name).render(values)
        except jinja2.TemplateNotFound:
            raise TemplateWrong(f"the template {name} is missing") from None
        except jinja2.TemplateSyntaxError as error:
            raise TemplateWrong(
                f"the template {name} is broken at line {error.lineno}: {error.message}"
            ) from None
        except (jinja2.TemplateError, LookupError, TypeError, ValueError, ArithmeticError) as error:
            what = error.message if isinstance(error, jinja2.TemplateError) else ""
            why = what or type(error).__name__
            raise TemplateWrong(f"the template {name} cannot be filled in: {why}") from None
        if holds_card_number(written):
            raise TemplateWrong(f"the template {name} would show a card number")
        return written


def _language(facts: Mapping[str, Any]) -> str:
    spoken = str(facts.get("customer", {}).get("language", ""))
    return spoken if spoken in LANGUAGES else LANGUAGES[0]


@lru_cache(maxsize=8)
def _locale(language: str, country: str) -> Locale:
    try:
        return Locale(language, country)
    except UnknownLocaleError:
        return Locale(language)


@jinja2.pass_context
def _money(context: jinja2.runtime.Context, amount: object, currency: str = "") -> str:
    """An amount as one writes it; "42.50 EUR" names its own currency."""
    number, _, own = str(amount).partition(" ")
    locale = context["locale"]
    return format_currency(
        Decimal(number), own or currency, locale=locale, decimal_quantization=False
    )


@jinja2.pass_context
def _day(context: jinja2.runtime.Context, when: object) -> str:
    """A day as one writes it, of a date, a moment here, or ISO 8601 text of either."""
    moment = datetime.fromisoformat(when) if isinstance(when, str) else when
    if isinstance(moment, datetime):
        moment = (moment.astimezone() if moment.tzinfo else moment).date()
    if not isinstance(moment, date):
        raise TypeError("not a day")
    return format_date(moment, "long", locale=context["locale"])


@jinja2.pass_context
def _lasting(context: jinja2.runtime.Context, minutes: object) -> str:
    """So many minutes as one says them, and never more than it is: 30 minutes, 24 hours, 3 days."""
    number = int(float(str(minutes)))
    unit, length = next((each for each in UNITS.items() if number >= 2 * each[1]), ("minute", 1))
    return format_unit(number // length, f"duration-{unit}", "long", locale=context["locale"])
