"""A simulated call as it is written in a YAML file, read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import yaml

from ivr.billing.calls import CallOutcome
from ivr.billing.payments import AttemptState
from ivr.lab.errors import LabError
from ivr.lab.phone import KEYS
from ivr.lab.phrasebook import plain_id
from ivr.lab.sip_headers import is_header

WITHIN_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 300.0
NEEDS_EARS = (
    "needs speech recognition, which is not part of this version: use `press` and phrase ids"
)
_CALLER = re.compile(r"\+?[0-9A-Za-z._-]{1,40}")


class ScenarioError(LabError):
    """A scenario file is wrong; the text names the file, the line and what to write."""


@dataclass(frozen=True, slots=True)
class Hears:
    """Waits until a phrase is said, at most `within` seconds."""

    phrase: str
    within: float = WITHIN_SECONDS
    strict: bool = False
    """nothing else may be said before it"""
    language: str | None = None
    """None: any"""


@dataclass(frozen=True, slots=True)
class Presses:
    """Presses keys, `gap` more seconds apart than need be."""

    keys: str
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Waits:
    """Does nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HangsUp:
    """Ends the call."""


Step = Hears | Presses | Waits | HangsUp


@dataclass(frozen=True, slots=True)
class ExpectedPayment:
    """A payment of this call in our own ledger; what is None is not looked at."""

    amount: Decimal | None = None
    currency: str | None = None
    last4: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """How things are when the call is over; what is None is not looked at."""

    ending: str | None = None
    payments: tuple[ExpectedPayment, ...] | None = None
    invoices: tuple[tuple[str, str], ...] = ()
    """number, and "paid" or "unpaid" """
    webhooks: tuple[str, ...] | None = None
    texts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulated call."""

    name: str
    steps: tuple[Step, ...]
    expect: Expected = Expected()
    caller: str | None = None
    """None hides the number"""
    to: str = "pay"
    """an extension or a SIP address"""
    headers: tuple[tuple[str, str], ...] = ()


def load(file: Path) -> Scenario:
    """Read one file. Raises ScenarioError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ScenarioError(f"{file} cannot be read: give the path of a YAML file") from None
    return parse(text, str(file))


def parse(text: str, file: str) -> Scenario:
    """Read a scenario; `file` is named in errors. Raises ScenarioError."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ScenarioError(f"{file}{where}: this is not YAML: mend it there") from None
    if root is None:
        raise ScenarioError(f"{file} is empty: write a name and steps")
    return _Reader(file).scenario(root)


class _Reader:
    """Turns YAML nodes into a scenario; every complaint names the line."""

    def __init__(self, file: str) -> None:
        self._file = file

    def scenario(self, root: yaml.Node) -> Scenario:
        known = ("name", "from", "to", "headers", "steps", "expect")
        keys = self._mapping(root, known, needed=("name", "steps"))
        headers = keys.get("headers")
        return Scenario(
            name=self._text(keys["name"]),
            steps=tuple(self._step(node) for node in self._items(keys["steps"])),
            expect=self._expected(keys["expect"]) if "expect" in keys else Expected(),
            caller=self._caller(keys["from"]) if "from" in keys else None,
            to=self._text(keys["to"]) if "to" in keys else "pay",
            headers=tuple(self._headers(headers)) if headers else (),
        )

    def _wrong(self, node: yaml.Node, complaint: str) -> ScenarioError:
        return ScenarioError(f"{self._file}, line {node.start_mark.line + 1}: {complaint}")

    def _mapping(
        self, node: yaml.Node, known: Collection[str], needed: Collection[str] = ()
    ) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, f"write keys here: {', '.join(known)}")
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self._text(key)
            if name not in known:
                raise self._wrong(key, f"{name!r} is not known here; use {', '.join(known)}")
            if name in found:
                raise self._wrong(key, f"{name!r} is written twice: keep one")
            found[name] = value
        for name in needed:
            if name not in found:
                raise self._wrong(node, f"{name!r} is missing")
        return found

    def _items(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._wrong(node, "write a list here, each line with a dash")
        return list(node.value)

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._wrong(node, "write a text here")
        return str(node.value)

    def _seconds(self, node: yaml.Node) -> float:
        try:
            seconds = float(self._text(node))
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= LONGEST_WAIT_SECONDS:
            raise self._wrong(node, f"write seconds here, 0 to {LONGEST_WAIT_SECONDS:.0f}")
        return seconds

    def _flag(self, node: yaml.Node) -> bool:
        if self._text(node) not in ("true", "false"):
            raise self._wrong(node, "write true or false here")
        return self._text(node) == "true"

    def _caller(self, node: yaml.Node) -> str:
        if not _CALLER.fullmatch(self._text(node)):
            raise self._wrong(node, 'write a number such as "+34600111222", or leave `from` out')
        return self._text(node)

    def _headers(self, node: yaml.Node) -> Iterator[tuple[str, str]]:
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, "write headers as name: value")
        for name, value in node.value:
            if not is_header(self._text(name), self._text(value)):
                raise self._wrong(name, "this cannot be a SIP header")
            yield self._text(name), self._text(value)

    def _step(self, node: yaml.Node) -> Step:
        readers: dict[str, Callable[[yaml.Node], Step]] = {
            "hears": self._hears,
            "press": self._presses,
            "waits": lambda value: Waits(self._seconds(value)),
            "says": self._says,
            "hangs_up": self._hangs_up,
        }
        if isinstance(node, yaml.ScalarNode) and node.value == "hangs_up":
            return HangsUp()
        keys = self._mapping(node, tuple(readers))
        if len(keys) != 1:
            raise self._wrong(node, f"a step is one of {', '.join(readers)}")
        ((name, value),) = keys.items()
        return readers[name](value)

    def _hears(self, node: yaml.Node) -> Hears:
        if isinstance(node, yaml.ScalarNode):
            return Hears(plain_id(self._text(node)))
        keys = self._mapping(node, ("phrase", "within", "strict", "language", "words"))
        if "words" in keys:
            raise self._wrong(keys["words"], f"`words` {NEEDS_EARS}")
        if "phrase" not in keys:
            raise self._wrong(node, "'phrase' is missing")
        return Hears(
            plain_id(self._text(keys["phrase"])),
            self._seconds(keys["within"]) if "within" in keys else WITHIN_SECONDS,
            self._flag(keys["strict"]) if "strict" in keys else False,
            self._one_of(keys["language"], ("en", "es")) if "language" in keys else None,
        )

    def _presses(self, node: yaml.Node) -> Presses:
        if isinstance(node, yaml.ScalarNode):
            return Presses(self._keys(node))
        keys = self._mapping(node, ("keys", "gap"), needed=("keys",))
        gap = self._seconds(keys["gap"]) if "gap" in keys else 0.0
        return Presses(self._keys(keys["keys"]), gap)

    def _keys(self, node: yaml.Node) -> str:
        keys = self._text(node)
        if set(keys) - set(KEYS):
            # What was written is not shown: it may be a card.
            raise self._wrong(node, 'write keys 0-9, * and # in quotes, such as "1042#"')
        return keys

    def _says(self, node: yaml.Node) -> Step:
        raise self._wrong(node, f"`says` {NEEDS_EARS}")

    def _hangs_up(self, node: yaml.Node) -> HangsUp:
        if isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~"):
            return HangsUp()
        raise self._wrong(node, "write `hangs_up` alone")

    def _one_of(self, node: yaml.Node, allowed: Collection[str]) -> str:
        text = self._text(node)
        if text not in allowed:
            raise self._wrong(node, f"{text!r} is not known here; use {', '.join(allowed)}")
        return text

    def _expected(self, node: yaml.Node) -> Expected:
        keys = self._mapping(node, ("ending", "payments", "invoices", "webhooks", "texts"))
        endings = [outcome.value for outcome in CallOutcome]
        return Expected(
            ending=self._one_of(keys["ending"], endings) if "ending" in keys else None,
            payments=self._payments(keys["payments"]) if "payments" in keys else None,
            invoices=tuple(self._invoices(keys["invoices"])) if "invoices" in keys else (),
            webhooks=self._kinds(keys.get("webhooks")),
            texts=self._kinds(keys.get("texts")),
        )

    def _payments(self, node: yaml.Node) -> tuple[ExpectedPayment, ...]:
        return tuple(self._payment(item) for item in self._items(node))

    def _payment(self, node: yaml.Node) -> ExpectedPayment:
        keys = self._mapping(node, ("amount", "currency", "last4", "status"))
        states = [state.value for state in AttemptState]
        return ExpectedPayment(
            amount=self._amount(keys["amount"]) if "amount" in keys else None,
            currency=self._text(keys["currency"]) if "currency" in keys else None,
            last4=self._text(keys["last4"]) if "last4" in keys else None,
            status=self._one_of(keys["status"], states) if "status" in keys else None,
        )

    def _amount(self, node: yaml.Node) -> Decimal:
        try:
            amount = Decimal(self._text(node))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            raise self._wrong(node, 'write an amount such as "42.50"')
        return amount

    def _invoices(self, node: yaml.Node) -> Iterator[tuple[str, str]]:
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, 'write invoices as "number": paid or unpaid')
        for number, state in node.value:
            yield self._text(number), self._one_of(state, ("paid", "unpaid"))

    def _kinds(self, node: yaml.Node | None) -> tuple[str, ...] | None:
        if node is None:
            return None
        return tuple(self._text(item) for item in self._items(node))
