"""What the tags of a sentence come to: digits, a number, an amount, a date, letters, or a choice.

Pure. Every meaning is a short text, so that a conversation need not know how it was said:
`digits` "1042" · `number` "42" · `amount` "210.50 EUR", "25", "all" · `date` "2026-03-05" ·
`expiry` "0330" (MMYY) · `spelling` "smith" · any other grammar its only tag: "yes", "all", "agent".
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from ivr.speech.grammar import Tags

DAYS_A_WEEK = 7
_TIMES = re.compile(r"([23])\*")


def meaning(grammar: str, tags: Tags, today: dt.date) -> str | None:
    """The meaning of a sentence of that grammar; None when it has none, such as the 31st of June.

    `today` is where "on friday" is counted from, in the caller's time zone.
    """
    reader = _READERS.get(grammar)
    if reader is None:
        return tags[0] if len(tags) == 1 else None
    return reader(tags, today)


def _digits(tags: Tags, _: dt.date) -> str | None:
    if tags[-1:] == ("number",):
        return str(_number(tags[:-1]))
    return _repeated(tags)


def _repeated(tags: Tags) -> str:
    """The tags in a row; `2*` says the next one twice."""
    text, times = "", 1
    for tag in tags:
        twice = _TIMES.fullmatch(tag)
        if twice:
            times = int(twice[1])
        else:
            text += tag * times
            times = 1
    return text


def _number(tags: Sequence[str]) -> int:
    thousands = rest = 0
    for tag in tags:
        if tag == "*100":
            rest *= 100
        elif tag == "*1000":
            thousands, rest = thousands + rest * 1000, 0
        elif tag == "1000":
            thousands += 1000
        else:
            rest += int(tag)
    return thousands + rest


def _whole_number(tags: Tags, _: dt.date) -> str | None:
    return str(_number(tags[:-1]))


def _letters(tags: Tags, _: dt.date) -> str | None:
    return _repeated(tags).replace("_", " ")


def _amount(tags: Tags, _: dt.date) -> str | None:
    if tags in {("all",), ("half",), ("minimum",)}:
        return tags[0]
    said: list[str] = []
    value, currency = Decimal(0), ""
    for tag in tags:
        if tag == "major":
            value, said = Decimal(_number(said)), []
        elif tag == "minor":
            value, said = value + Decimal(_number(said)) / 100, []
        elif tag == "decimals":
            value, said = value + Decimal("0." + "".join(said)), []
        elif tag.isalpha():
            currency = tag
        else:
            said.append(tag)
    text = f"{value:.2f}".removesuffix(".00")
    return f"{text} {currency}".strip()


def _expiry(tags: Tags, _: dt.date) -> str | None:
    month, said = 0, ""
    for tag in tags:
        if tag.startswith("month="):
            month = int(tag.removeprefix("month="))
        elif tag == "month":
            month, said = int(said), ""
        elif tag != "year":
            said += tag
    return f"{month:02}{said[-2:]}" if 1 <= month <= 12 else None  # noqa: PLR2004 - months


def _date(tags: Tags, today: dt.date) -> str | None:
    said: list[str] = []
    values: dict[str, int] = {}
    for tag in tags:
        name, has_value, value = tag.partition("=")
        if has_value:
            values[name] = int(value)
        elif name in {"day", "in_days", "in_weeks"}:
            values[name], said = _number(said), []
        elif name.isalpha() or "_" in name:
            values[name] = 1
        else:
            said.append(tag)
    day = _day(values, today)
    return day.isoformat() if day else None


def _day(values: Mapping[str, int], today: dt.date) -> dt.date | None:
    if "weekday" in values:
        ahead = (values["weekday"] - today.isoweekday()) % DAYS_A_WEEK or DAYS_A_WEEK
        is_too_near = "next" in values and ahead < DAYS_A_WEEK - today.isoweekday() + 1
        return today + dt.timedelta(days=ahead + DAYS_A_WEEK * is_too_near)
    for name, days in (("in", 1), ("in_days", 1), ("in_weeks", DAYS_A_WEEK)):
        if name in values:
            return today + dt.timedelta(days=values[name] * days)
    if "in_month" in values:
        month = _first_of_next_month(today)
        return month.replace(day=min(today.day, _last_day(month)))
    if "month_end" in values:
        return today.replace(day=_last_day(today))
    if "month_next" in values:
        return _first_of_next_month(today)
    return _next_time(values["day"], values.get("month"), today)


def _next_time(day: int, month: int | None, today: dt.date) -> dt.date | None:
    """The next such day from today on; None when no month, or not that month, has it."""
    first = today.replace(day=1)
    for _ in range(12 * 4 + 1):  # a 29th of February is at most four years away, in this century
        if month in {None, first.month} and day <= _last_day(first):
            if first.replace(day=day) >= today:
                return first.replace(day=day)
        elif month is None and first > today:
            return None
        first = _first_of_next_month(first)
    return None


def _first_of_next_month(day: dt.date) -> dt.date:
    return (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1)


def _last_day(day: dt.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


_READERS: Mapping[str, Callable[[Tags, dt.date], str | None]] = {
    "digits": _digits,
    "number": _whole_number,
    "amount": _amount,
    "expiry": _expiry,
    "date": _date,
    "spelling": _letters,
}
