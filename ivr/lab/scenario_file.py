"""A simulated call as it is written in a YAML file, read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import yaml

from ivr.billing.calls import CallOutcome
from ivr.billing.payments import AttemptState
from ivr.lab.dialpad import KEYS, KeyWay
from ivr.lab.errors import LabError
from ivr.lab.phrasebook import plain_id
from ivr.lab.sip_headers import is_header
from ivr.lab.speaking import (
    FASTEST,
    LONGEST_NOISE_SECONDS,
    NOISES,
    SLOWEST,
    Utterance,
    voice_file,
)

WITHIN_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 300.0
TOLD = ("webhooks", "texts", "mails")
LONGEST_SAYING = 600
"""signs"""
NOISE_DB = (-10.0, 60.0)
LANGUAGES = ("en", "es")
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
class HearsWords:
    """Waits until words were said since the caller last began to press or say something."""

    words: str
    within: float = WITHIN_SECONDS
    language: str | None = None
    """None: that of the phrase heard last"""


@dataclass(frozen=True, slots=True)
class Presses:
    """Presses keys, `gap` more seconds apart than need be."""

    keys: str
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Says:
    """Says words or makes a noise, whatever is being said to the caller meanwhile."""

    utterance: Utterance
    hushes: bool = False
    """what is being said to the caller must stop before these words are over"""


@dataclass(frozen=True, slots=True)
class Waits:
    """Does nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HangsUp:
    """Ends the call."""


Step = Hears | HearsWords | Presses | Says | Waits | HangsUp


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
    mails: tuple[str, ...] | None = None


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
    keys: KeyWay = KeyWay.RFC4733
    """how the caller's telephone sends its keys"""


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
        known = ("name", "from", "to", "headers", "keys", "steps", "expect")
        keys = self._mapping(root, known, needed=("name", "steps"))
        headers = keys.get("headers")
        return Scenario(
            name=self._text(keys["name"]),
            steps=tuple(self._step(node) for node in self._items(keys["steps"])),
            expect=self._expected(keys["expect"]) if "expect" in keys else Expected(),
            caller=self._caller(keys["from"]) if "from" in keys else None,
            to=self._text(keys["to"]) if "to" in keys else "pay",
            headers=tuple(self._headers(headers)) if headers else (),
            keys=self._way(keys["keys"]) if "keys" in keys else KeyWay.RFC4733,
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
        return self._number(node, 0, LONGEST_WAIT_SECONDS, "seconds")

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

    def _hears(self, node: yaml.Node) -> Hears | HearsWords:
        if isinstance(node, yaml.ScalarNode):
            return Hears(plain_id(self._text(node)))
        keys = self._mapping(node, ("phrase", "within", "strict", "language", "words"))
        within = self._seconds(keys["within"]) if "within" in keys else WITHIN_SECONDS
        language = self._one_of(keys["language"], LANGUAGES) if "language" in keys else None
        if "words" in keys:
            for other in ("phrase", "strict"):
                if other in keys:
                    raise self._wrong(keys[other], f"{other!r} does not go with 'words'")
            return HearsWords(self._words(keys["words"]), within, language)
        if "phrase" not in keys:
            raise self._wrong(node, "'phrase' is missing")
        strict = self._flag(keys["strict"]) if "strict" in keys else False
        return Hears(plain_id(self._text(keys["phrase"])), within, strict, language)

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

    def _way(self, node: yaml.Node) -> KeyWay:
        return KeyWay(self._one_of(node, tuple(KeyWay)))

    def _says(self, node: yaml.Node) -> Says:
        if isinstance(node, yaml.ScalarNode):
            return Says(Utterance(self._words(node)))
        known = ("words", "voice", "rate", "noise_db", "hushes", "noise", "seconds")
        keys = self._mapping(node, known)
        if ("words" in keys) == ("noise" in keys):
            raise self._wrong(node, "write either 'words' or 'noise' here")
        if "noise" in keys:
            return Says(self._noise(keys))
        return Says(self._spoken(keys), "hushes" in keys and self._flag(keys["hushes"]))

    def _noise(self, keys: Mapping[str, yaml.Node]) -> Utterance:
        for other in ("voice", "rate", "noise_db", "hushes"):
            if other in keys:
                raise self._wrong(keys[other], f"{other!r} goes with 'words' alone")
        kind = self._one_of(keys["noise"], NOISES)
        if "seconds" not in keys:
            return Utterance(noise=kind)
        seconds = self._number(keys["seconds"], 0.1, LONGEST_NOISE_SECONDS)
        return Utterance(noise=kind, seconds=seconds)

    def _spoken(self, keys: Mapping[str, yaml.Node]) -> Utterance:
        if "seconds" in keys:
            raise self._wrong(keys["seconds"], "'seconds' goes with 'noise' alone")
        said = Utterance(self._words(keys["words"]))
        if "voice" in keys:
            said = replace(said, voice=self._voice(keys["voice"]))
        if "rate" in keys:
            said = replace(said, rate=round(self._number(keys["rate"], SLOWEST, FASTEST)))
        if "noise_db" in keys:
            said = replace(said, noise_db=self._number(keys["noise_db"], *NOISE_DB))
        return said

    def _words(self, node: yaml.Node) -> str:
        words = self._text(node)
        if not any(sign.isalnum() for sign in words) or len(words) > LONGEST_SAYING:
            raise self._wrong(node, f"write words here, at most {LONGEST_SAYING} signs")
        return words

    def _voice(self, node: yaml.Node) -> str:
        voice = voice_file(self._text(node))
        if voice is None:
            raise self._wrong(
                node,
                f"espeak-ng has no voice {self._text(node)!r}: write a language such as en-gb or "
                "es-419, with or without a variant such as +f2 or +m3",
            )
        return voice

    def _number(self, node: yaml.Node, least: float, most: float, what: str = "a number") -> float:
        try:
            number = float(self._text(node))
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise self._wrong(node, f"write {what} here, {least:g} to {most:g}")
        return number

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
        keys = self._mapping(node, ("ending", "payments", "invoices", *TOLD))
        endings = [outcome.value for outcome in CallOutcome]
        return Expected(
            ending=self._one_of(keys["ending"], endings) if "ending" in keys else None,
            payments=self._payments(keys["payments"]) if "payments" in keys else None,
            invoices=tuple(self._invoices(keys["invoices"])) if "invoices" in keys else (),
            webhooks=self._kinds(keys.get("webhooks")),
            texts=self._kinds(keys.get("texts")),
            mails=self._kinds(keys.get("mails")),
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
