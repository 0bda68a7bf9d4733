"""A biller's CSV file into rows, or into what is wrong with it: row, column, value and reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from ivr.billing import cells
from ivr.billing.card_numbers import without_card_numbers
from ivr.billing.cells import CellRefused

DELIMITERS = (",", ";", "\t")
LONGEST_SHOWN = 60
ENOUGH = 0.5
"""of the columns that a kind of file needs: then it is one of these, and lacks the rest"""
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Value: TypeAlias = str | int | date | Decimal | None
Record: TypeAlias = dict[str, Value]
"""One row by column, its number under `row`."""


class FileKind(StrEnum):
    """What a file holds; told from its columns. In the order in which they need each other."""

    CUSTOMERS = "customers"
    SERVICES = "services"
    INVOICES = "invoices"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file is refused."""

    row: int
    """as a spreadsheet counts: the header is 1; 0 for the whole file"""
    column: str
    value: str
    """as it stands in the file, without anything that could be a card number"""
    reason: str

    def __str__(self) -> str:
        where = f"row {self.row}" if self.row else "file"
        column = f", column {self.column}" if self.column else ""
        value = f': "{self.value}"' if self.value else ":"
        return f"{where}{column}{value} {self.reason}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file that was understood, or its problems; with problems `rows` must not be used."""

    kind: FileKind | None
    rows: tuple[Record, ...] = ()
    problems: tuple[Problem, ...] = ()
    unused: tuple[str, ...] = ()
    """columns of the file that nothing is done with"""


Rule: TypeAlias = Callable[[str], Value]
OPTIONAL: dict[FileKind, dict[str, Value]] = {
    FileKind.CUSTOMERS: {"phone": "", "email": ""},
    FileKind.SERVICES: {"number": "", "suspended_for": None},
    FileKind.INVOICES: {"paid": Decimal(0)},
}
"""Columns that may be missing, and what they are then."""
RULES: dict[FileKind, dict[str, Rule]] = {
    FileKind.CUSTOMERS: {
        "external_id": cells.filled,
        "account_number": cells.account_number,
        "kind": cells.customer_kind,
        "name": cells.filled,
        "language": cells.language,
        "postal_code": cells.postal_code,
        "phone": cells.phone,
        "email": cells.email,
    },
    FileKind.SERVICES: {
        "external_id": cells.filled,
        "customer": cells.filled,
        "label": cells.filled,
        "number": cells.phone,
        "status": cells.service_status,
        "suspended_for": cells.suspension,
    },
    FileKind.INVOICES: {
        "number": cells.filled,
        "service": cells.filled,
        "currency": cells.currency,
        "amount": str,
        "paid": str,
        "due_date": cells.day,
    },
}
UNIQUE = {
    FileKind.CUSTOMERS: ("external_id", "account_number"),
    FileKind.SERVICES: ("external_id",),
    FileKind.INVOICES: ("number",),
}


def parse(data: bytes, headers: Mapping[str, str] = NO_HEADERS) -> Parsed:
    """Everything a file says. `headers` maps the file's column names to ours.

    UTF-8 with or without a byte order mark; separated by comma, semicolon or tab.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        return _refused(Problem(row, "", "", "is not UTF-8: save the file as UTF-8"))
    delimiter = _delimiter(text)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        return _refused(Problem(0, "", "", f"is not a table of cells ({error})"))
    if not lines or not any(lines[0]):
        return _refused(Problem(1, "", "", "is empty: the first row must name the columns"))
    return _table(lines, {key.lower(): name for key, name in headers.items()}, delimiter)


def _refused(*problems: Problem) -> Parsed:
    return Parsed(None, problems=problems)


def _delimiter(text: str) -> str:
    head = text.split("\n", 1)[0]
    return max(DELIMITERS, key=head.count)


def _table(lines: list[list[str]], headers: Mapping[str, str], delimiter: str) -> Parsed:
    written = [cell.strip() for cell in lines[0]]
    names = [headers.get(cell.lower(), cell.lower()) for cell in written]
    kind = _kind(names)
    if kind is None:
        return _refused(Problem(1, "", "", f"names the columns of no kind of file: {_kinds()}"))
    rules = RULES[kind]
    problems = list(_wrong_header(kind, names))
    if problems:
        return Parsed(kind, problems=tuple(problems))
    rows: list[Record] = []
    for number, line in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in line):
            row = _Row(number, kind, delimiter)
            rows.append(row.read(names, line))
            problems += row.problems
    problems += _twice(kind, rows)
    unused = tuple(cell for cell, name in zip(written, names, strict=True) if name not in rules)
    return Parsed(kind, tuple(rows), tuple(sorted(problems, key=lambda one: one.row)), unused)


def _kind(names: Sequence[str]) -> FileKind | None:
    """The kind whose columns the header has most of; None when it has half of no kind's."""

    def share(kind: FileKind) -> float:
        needed = RULES[kind].keys() - OPTIONAL[kind].keys()
        return len(needed & set(names)) / len(needed)

    likely = max(FileKind, key=share)
    return likely if share(likely) >= ENOUGH else None


def _kinds() -> str:
    """What each kind of file must have."""
    needed = {kind: [name for name in RULES[kind] if name not in OPTIONAL[kind]] for kind in RULES}
    said = "; ".join(f"{kind} need {', '.join(names)}" for kind, names in needed.items())
    return f"{said}; where yours have other names, say so in [imports] headers"


def _wrong_header(kind: FileKind, names: Sequence[str]) -> Iterator[Problem]:
    for name in RULES[kind]:
        if names.count(name) > 1:
            yield Problem(1, name, "", "is there twice")
        if name not in names and name not in OPTIONAL[kind]:
            yield Problem(1, name, "", f"is missing: a file of {kind} needs it")


def _twice(kind: FileKind, rows: Sequence[Record]) -> Iterator[Problem]:
    for column in UNIQUE[kind]:
        first: dict[Value, Value] = {}
        for row in rows:
            value, number = row.get(column), row["row"]
            if value is not None and first.setdefault(value, number) != number:
                reason = f"is in row {first[value]} already"
                yield Problem(_number(number), column, _shown(str(value)), reason)


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _shown(value: str) -> str:
    printable = "".join(sign if sign.isprintable() else "?" for sign in value)
    return without_card_numbers(printable)[:LONGEST_SHOWN]


class _Row:
    """Reads one line of cells, keeping what is wrong with it."""

    def __init__(self, number: int, kind: FileKind, delimiter: str) -> None:
        self.number = number
        self.kind = kind
        self.decimal_comma = delimiter != ","
        self.problems: list[Problem] = []

    def read(self, names: Sequence[str], line: Sequence[str]) -> Record:
        """The values; a column with a problem is left out."""
        values: Record = {"row": self.number, **OPTIONAL[self.kind]}
        if len(line) != len(names):
            self._refuse("", "", f"has {len(line)} cells, the header {len(names)}")
            return values
        for name, cell in zip(names, line, strict=True):
            rule = RULES[self.kind].get(name)
            if rule is not None:
                self._put(values, name, cell.strip(), rule)
        if self.kind is FileKind.INVOICES:
            self._read_money(values)
        if self.kind is FileKind.SERVICES:
            self._check_suspension(values)
        return values

    def _put(self, values: Record, name: str, cell: str, rule: Rule) -> None:
        try:
            values[name] = rule(cell)
        except CellRefused as refused:
            values.pop(name, None)
            self._refuse(name, cell, str(refused))

    def _read_money(self, values: Record) -> None:
        code = values.get("currency")
        if not isinstance(code, str):
            return
        for name in ("amount", "paid"):
            written = values.get(name)
            if isinstance(written, str):
                written = written or ("0" if name == "paid" else "")
                self._put(values, name, written, lambda text: self._amount(text, code))
        amount, paid = values.get("amount"), values.get("paid")
        if isinstance(amount, Decimal) and isinstance(paid, Decimal) and paid > amount:
            self._refuse("paid", str(paid), f"is more than the amount {amount}")

    def _amount(self, text: str, code: str) -> Decimal:
        return cells.money(text, code, decimal_comma=self.decimal_comma).amount

    def _check_suspension(self, values: Record) -> None:
        status, reason = values.get("status"), values.get("suspended_for")
        if status == "suspended" and reason is None:
            self._refuse("suspended_for", "", "is empty, but the line is suspended: say why")
        if status in {"active", "closed"} and reason is not None:
            self._refuse("suspended_for", str(reason), f"does not go with status {status}")

    def _refuse(self, column: str, value: str, reason: str) -> None:
        self.problems.append(Problem(self.number, column, _shown(value), reason))
