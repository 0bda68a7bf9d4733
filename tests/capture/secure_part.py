"""A caller lent to the secure part, a gateway that makes tokens, and the ledger beside them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from ivr.billing.captures import CaptureOutcome, CaptureRequest
from ivr.billing.errors import LedgerUnavailable
from ivr.capture.doctor.running import LogFile, Subscriber
from ivr.capture.facts import FactsMissing
from ivr.capture.guard import Facts
from ivr.dialogue.endings import LineError
from ivr.gateways.test_cards import APPROVING
from ivr.speech.catalogue import Catalogue
from tests.fakes.line import FakeLine, Script
from tests.fakes.voice import PROMPTS, FakeVoice

TODAY = date(2026, 11, 22)
EXPIRY, CODE, AMEX_CODE = "1230", "123", "1234"
CHANNEL = "1795365628.1"


def pan(brand: str = "visa") -> str:
    """A test card's number, made anew: no constant of the tests is this object."""
    first = next(card.number for card in APPROVING if card.brand == brand)
    return "".join(list(first))


@cache
def catalogue() -> Catalogue:
    return Catalogue.load(PROMPTS)


class Prompts(FakeVoice):
    """The real catalogue's choice, and sounds that can be read again."""

    def select(
        self,
        step: str,
        attempt: int | None = None,
        card_type: str | None = None,
        error_type: str | None = None,
    ) -> str:
        dotted = {key.replace(".", "_").replace("-", "_"): key for key in _keys()}
        return dotted[catalogue().select(step, attempt, card_type, error_type)]


@cache
def _keys() -> tuple[str, ...]:
    from tests.fakes.voice import catalogue as texts  # noqa: PLC0415 - the same name twice

    return tuple(texts("en"))


class LentLine(FakeLine):
    """A caller in the secure part, who is given back by `move_to`."""

    def __init__(self, script: Script = (), *, capture_id: UUID | None = None) -> None:
        super().__init__(script)
        self.args: tuple[str, ...] = ("collect", str(capture_id or uuid4()))
        self.channel_id = CHANNEL
        self.moves: list[tuple[str, tuple[str, ...]]] = []
        self.serve_is_away = 0
        """how many moves fail because nobody is connected as `saldo`"""

    @property
    def has_left(self) -> bool:
        return self.gone

    async def move_to(self, app: str, args: Sequence[str]) -> None:
        self.check()
        if self.serve_is_away:
            self.serve_is_away -= 1
            raise LineError("nobody is connected to the PBX as 'saldo'")
        self.moves.append((app, tuple(args)))


class FakeGraphQl:
    """Braintree's tokens: notes what it was asked, answers what it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.sent: list[Mapping[str, Any]] = []
        self.answers: list[dict[str, Any] | Exception] = []
        self.seconds = 0.4
        self.keeps = True
        """False for tests that look for the digits in memory"""

    async def graphql(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        ((kind, asked),) = variables["input"].items()
        if self.keeps:
            self.sent.append(dict(asked))
        await asyncio.sleep(self.seconds)
        answer = self.answers.pop(0) if self.answers else TOKENS[kind]
        if isinstance(answer, Exception):
            raise answer
        return answer


def token(value: str) -> dict[str, Any]:
    return {"tokenizeCreditCard": {"paymentMethod": {"id": value}}}


TOKENS = {
    "creditCard": token("tokencc_1"),
    "usBankAccount": {"tokenizeUsBankAccount": {"paymentMethod": {"id": "tokenusbankacct_1"}}},
}


class FakeCaptures:
    """The table both processes share."""

    def __init__(self, *requests: CaptureRequest) -> None:
        self.requests = {request.id: request for request in requests}
        self.outcomes: dict[UUID, CaptureOutcome] = {}
        self.failures = 0
        """how many calls fail because the database is away"""

    def _try(self) -> None:
        if self.failures:
            self.failures -= 1
            raise LedgerUnavailable("the database is away")

    async def open(self, request: CaptureRequest) -> None:
        self.requests[request.id] = request

    async def request(self, capture_id: UUID) -> CaptureRequest | None:
        self._try()
        return None if capture_id in self.outcomes else self.requests.get(capture_id)

    async def close(self, capture_id: UUID, outcome: CaptureOutcome) -> None:
        self._try()
        self.outcomes.setdefault(capture_id, outcome)

    async def outcome(self, capture_id: UUID) -> CaptureOutcome | None:
        return self.outcomes.get(capture_id)


def good_facts(**changes: Any) -> Facts:
    """A PBX on which a card may be taken."""
    facts: dict[str, Any] = {
        "channel_id": CHANNEL,
        "own_app": "saldo-capture",
        "version": "22.10.1+dfsg+~cs6.17.60671434-1",
        "logs": (LogFile("messages.log", frozenset({"NOTICE", "WARNING", "ERROR"})),),
        "subscribers": (
            Subscriber("saldo", frozenset({"2.2"}), frozenset()),
            Subscriber("saldo-capture", frozenset({CHANNEL}), frozenset()),
        ),
        "channel_names": {CHANNEL: "PJSIP/trunk-00000001", "2.2": "PJSIP/trunk-00000002"},
        "running": {CHANNEL: "Stasis", "2.2": "Stasis"},
        "bridges": {"b": frozenset({"2.2"})},
        "recorded_to": "",
    }
    return Facts(**facts | changes)


class FakeEyes:
    """What the guard is shown; None when the PBX does not answer."""

    def __init__(self) -> None:
        self.facts: Facts | None = good_facts()
        self.later: Facts | None = None
        """what the next looks show, when it is something else"""
        self.later_from = 2
        """the first look that shows that"""
        self.looks = 0

    async def read(
        self, channel_id: str, ears: Collection[str] = (), company: Collection[str] = ()
    ) -> Facts:
        self.looks += 1
        facts = self.later if self.later and self.looks >= self.later_from else self.facts
        if facts is None:
            raise FactsMissing("the PBX did not answer")
        return replace(facts, ears=frozenset(ears), company=frozenset(company))


def not_a_test_card() -> str:
    """A number with a right check digit that nobody published, made up anew each time."""
    from tests.capture.test_cards import luhn_digit  # noqa: PLC0415 - a test's own second opinion

    body = "4" + "".join(random.choices("0123456789", k=14))
    return body + luhn_digit(body)
