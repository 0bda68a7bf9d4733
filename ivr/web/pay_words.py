"""The pay page as text: its template, its words in each language, amounts and days."""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
from babel.dates import format_date
from babel.numbers import format_currency

from ivr.billing.money import Money, minor_digits
from ivr.web.errors import PayPageError

FOLDER = Path(__file__).parent / "pay"
LANGUAGES = {"en": "es", "es": "en"}
"""each with the other one"""
LOGOS = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}
AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,3}))?")
THOUSANDS = re.compile(r"[0-9]{1,3}(\.[0-9]{3}){1,3}")
DARK, LIGHT = "#000000", "#ffffff"
"""one of both has a contrast of 4.58 to any colour: WCAG 2 AA asks for 4.5"""
EDGE_CONTRAST = 3.0
"""of what must be seen, such as the edge of a button (WCAG 2.2, 1.4.11)"""
LINEAR_UP_TO = 0.04045


@dataclass(frozen=True, slots=True)
class Look:
    """What of the page is the company's own."""

    company: str
    phone: str = ""
    """shown to who has questions; empty: not shown"""
    colour: str = "#1f4e8c"
    logo: Path | None = None
    """an SVG, PNG or WebP file; None: the company's name"""
    folder: Path | None = None
    """files that replace ours, and words.en.toml and words.es.toml that replace some words"""


class PageText:
    """Renders pages; the company's own files and words come before ours."""

    def __init__(self, look: Look) -> None:
        """Raises PayPageError: a file cannot be read or a word is not one of ours."""
        self.look = look
        if look.folder and not look.folder.is_dir():
            raise PayPageError(f"[pay_page] folder: there is no folder {look.folder}")
        self._folders = [look.folder, FOLDER] if look.folder else [FOLDER]
        self._words = {language: self._read_words(language) for language in LANGUAGES}
        loader = jinja2.FileSystemLoader(self._folders)
        jinja = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        try:
            self._page = jinja.get_template("page.html")
        except jinja2.TemplateError as error:
            raise PayPageError(
                f"page.html of [pay_page] folder is not a template: {error}"
            ) from None

    def file(self, name: str) -> bytes:
        """One of the page's own files. Raises PayPageError."""
        for folder in self._folders:
            if (folder / name).is_file():
                return _read(folder / name)
        raise PayPageError(f"the pay page has no file {name}")

    def logo(self) -> tuple[bytes, str] | None:
        """The company's logo and its media type, if it has one. Raises PayPageError."""
        path = self.look.logo
        if path is None:
            return None
        kind = LOGOS.get(path.suffix.lower())
        if kind is None:
            raise PayPageError(f"[pay_page] logo: {path} is no .svg, .png or .webp file")
        return _read(path), kind

    def say(self, language: str, word: str, **values: str) -> str:
        """One of the page's sentences."""
        return self._words[language][word].format_map(values)

    def page(self, language: str, values: Mapping[str, Any]) -> str:
        """The whole page. Raises PayPageError: a template of the company's own has a mistake."""
        try:
            return self._page.render(
                language=language,
                other=LANGUAGES[language],
                company=self.look.company,
                phone=self.look.phone.replace(" ", "\xa0"),
                logo=self.look.logo is not None,
                say=lambda word, **gaps: self.say(language, word, **gaps),
                money=lambda amount: money(amount, language),
                day=lambda when: day(when, language),
                **values,
            )
        except (jinja2.TemplateError, LookupError, TypeError, ValueError) as error:
            raise PayPageError(
                f"page.html of [pay_page] folder cannot be filled in: {error}"
            ) from None

    def brand(self) -> str:
        """The company's colour as a style sheet, with letters that can be read on it.

        Also a colour like it that can be told from the white around it.
        """
        colour = self.look.colour
        edge = colour if contrast(colour, LIGHT) >= EDGE_CONTRAST else DARK
        colours = {"brand": colour, "brand-ink": readable_on(colour), "brand-edge": edge}
        return f":root {{ {' '.join(f'--{name}: {each};' for name, each in colours.items())} }}\n"

    def _read_words(self, language: str) -> dict[str, str]:
        name = f"words.{language}.toml"
        ours = _toml(FOLDER / name)
        theirs = self.look.folder / name if self.look.folder else None
        own = _toml(theirs) if theirs and theirs.is_file() else {}
        if strange := sorted(set(own) - set(ours)):
            raise PayPageError(f"{theirs}: the pay page says nothing called {strange[0]}")
        for word, text in own.items():
            if wrong := _gaps(text) - _gaps(ours[word]):
                raise PayPageError(f"{theirs}: {word} has a {min(wrong)} that is not known")
        return ours | own


def money(amount: Money, language: str) -> str:
    """€42.50 or 42,50 €, ¥1,980, KWD 1.500: never rounded."""
    shown = format_currency(
        amount.amount, amount.currency, locale=language, decimal_quantization=False
    )
    # A narrow no-break space is not in every font; a plain no-break space is.
    return shown.replace("\u202f", "\xa0")


def day(when: date, language: str) -> str:
    """May 1, 2026 or 1 de mayo de 2026."""
    return format_date(when, "long", locale=language)


def typed_amount(text: str, currency: str) -> Money | None:
    """What somebody typed as an amount: 12, 12.5, 12,50; None for anything else.

    More decimals than the currency has may be meant as thousands: 1.500 is no amount in euros, and
    of a currency without any it is 1500, as the page itself writes it.
    """
    plain = text.strip().replace(",", ".")
    if not minor_digits(currency) and THOUSANDS.fullmatch(plain):
        plain = plain.replace(".", "")
    typed = AMOUNT.fullmatch(plain)
    if typed is None or len(typed[2] or "") > minor_digits(currency):
        return None
    return Money.of(plain, currency)


def readable_on(colour: str) -> str:
    """Dark or light, whichever stands out more; one of both always does (WCAG 2, contrast)."""
    return LIGHT if contrast(colour, LIGHT) >= contrast(colour, DARK) else DARK


def contrast(one: str, other: str) -> float:
    """1 to 21 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _gaps(text: str) -> set[str]:
    """The {gaps} of a sentence; a brace that stands alone is one that nobody knows."""
    try:
        return {gap for _, gap, _, _ in string.Formatter().parse(text) if gap is not None}
    except ValueError:
        return {"single { or }"}


def _luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1 (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    parts: Sequence[float] = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= LINEAR_UP_TO else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _toml(path: Path) -> dict[str, str]:
    try:
        words = tomllib.loads(_read(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PayPageError(f"{path} is not valid TOML: {error}") from None
    return {key: str(word) for key, word in words.items()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PayPageError(f"{path} cannot be read: {error.strerror}") from None
