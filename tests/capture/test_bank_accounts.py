"""A bank account in the secure part: its fields, its mistakes, its token, and nothing beyond."""

from __future__ import annotations

import random
import re
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.bank_accounts import AccountHolder, BankAccountKeyed
from ivr.billing.captures import (
    ACCOUNT_FIELDS,
    CaptureField,
    CaptureOutcome,
    CaptureRequest,
    CaptureResult,
    ErrorType,
)
from ivr.billing.errors import GatewayNotReached
from ivr.capture import bank_accounts, cards, fields
from ivr.capture.app import only_test_numbers
from ivr.capture.collecting import Collecting
from ivr.capture.entering import Entering
from ivr.capture.fields import Asking, Card, problem, rule
from ivr.capture.hearing import Overheard
from ivr.capture.telling import Progress
from ivr.capture.tokenising import Tokenising
from ivr.dialogue.endings import HungUp
from ivr.gateways.errors import Fault, ValidationRefused
from ivr.gateways.test_accounts import ANSWERS, ROUTING_NUMBER
from tests.capture.secure_part import TODAY, FakeGraphQl, LentLine, Prompts
from tests.capture.test_secret import keyed
from tests.fakes.line import HANGS_UP, Script
from tests.fakes.voice import catalogue

pytestmark = pytest.mark.usefixtures("nothing_kept")
ROUTING, ACCOUNT, KIND, HOLDER_KIND = ACCOUNT_FIELDS
HOLDER = AccountHolder("James Smith", "I agree to one debit")
NUMBER = next(iter(ANSWERS))
TO_THE_ACCOUNT: Script = (("ask_routing_number", ROUTING_NUMBER),)
CHOICES: Script = (("ask_account_type", "1"), ("ask_account_holder", "1"))
AGAIN, NOT_THE_SAME = "bank_account_number_once_more", "error.input-matching-failed"
ONCE: Script = (("ask_bank_account_number", NUMBER + "#"),)
ANEW: Script = (("ask_bank_account_number.attempt2", NUMBER + "#"),)
SAME: Script = ((AGAIN, NUMBER + "#"),)
GOOD: Script = (*TO_THE_ACCOUNT, *ONCE, *SAME, *CHOICES)


class Segment:
    """One collection of a bank account with a scripted caller."""

    def __init__(self, script: Script, **request: object) -> None:
        self.line = LentLine(script)
        self.gateway = FakeGraphQl()
        self.progress: list[Progress] = []
        self.looks = 0
        self.overheard_at: int | None = None
        """at which look somebody is seen"""
        asked: dict[str, Any] = {"fields": ACCOUNT_FIELDS, "holder": HOLDER, **request}
        connector = Tokenising(self.gateway, only_test_numbers)
        self.entering = Entering(
            self.line,
            Prompts(),
            CaptureRequest(uuid4(), "call-1", "en", **asked),
            TODAY,
            connector.takes,
            self._look,
        )
        self.collecting = Collecting(self.entering, connector, self._report)

    def take_every_number(self) -> None:
        """As a gateway that is no test gateway."""
        connector = Tokenising(self.gateway)
        self.collecting.connector, self.entering.takes = connector, connector.takes

    async def _look(self) -> None:
        self.looks += 1
        if self.looks == self.overheard_at:
            raise Overheard(["somebody"])

    async def _report(self, progress: Progress) -> None:
        self.progress.append(progress)

    async def run(self) -> CaptureOutcome:
        try:
            return await self.collecting.collect()
        finally:
            await self.line.quiet()


async def test_a_bank_account_becomes_a_token_and_four_digits() -> None:
    segment = Segment(GOOD)
    outcome = await segment.run()
    account = BankAccountKeyed(NUMBER[-4:], "checking", "tokenusbankacct_1")
    assert outcome == CaptureOutcome(CaptureResult.SUCCESS, account=account)
    assert segment.gateway.sent == [
        {
            "routingNumber": ROUTING_NUMBER,
            "accountNumber": NUMBER,
            "accountType": "CHECKING",
            "achMandate": HOLDER.mandate,
            "individualOwner": {"firstName": "James", "lastName": "Smith"},
        }
    ]
    assert segment.line.phrases == [
        "secure_start_account", "ask_routing_number", "ask_bank_account_number", AGAIN,
        "bank_account_number_is", "ask_account_type", "ask_account_holder", "hold_on",
    ]  # fmt: skip


async def test_only_the_last_four_digits_are_read_back_or_told() -> None:
    segment = Segment(GOOD)
    await segment.run()
    assert segment.line.said("bank_account_number_is").values == "last4=0000"
    assert [(told.field, told.masked) for told in segment.progress] == [
        (ROUTING, "••••"), (ACCOUNT, "••••0000"), (KIND, "••••"), (HOLDER_KIND, "••••"),
    ]  # fmt: skip


async def test_the_savings_account_of_a_business_is_told_as_such() -> None:
    script: Script = (*GOOD[:3], ("ask_account_type", "2"), ("ask_account_holder", "2"))
    segment = Segment(script, holder=AccountHolder("Acme Corporation", "yes"))
    outcome = await segment.run()
    assert outcome.account
    assert outcome.account.account_type == "savings"
    (sent,) = segment.gateway.sent
    assert (sent["accountType"], sent["businessOwner"]) == (
        "SAVINGS",
        {"businessName": "Acme Corporation"},
    )
    assert "individualOwner" not in sent


async def test_the_guard_looks_before_every_field_and_before_the_gateway_is_asked() -> None:
    segment = Segment(GOOD)
    await segment.run()
    assert segment.looks >= len(ACCOUNT_FIELDS) + 2


async def test_a_mistyped_routing_number_is_asked_again() -> None:
    wrong = ROUTING_NUMBER[:-1] + "6"
    script: Script = (
        ("ask_routing_number", wrong),
        ("ask_routing_number.attempt2", ROUTING_NUMBER),
        *GOOD[1:],
    )
    segment = Segment(script)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert "error.invalid-bank-routing-number" in segment.line.phrases
    assert segment.gateway.asked == 1


async def test_an_account_number_that_is_too_short_is_asked_again() -> None:
    script: Script = (
        *TO_THE_ACCOUNT,
        ("ask_bank_account_number", "123#"),
        *(*ANEW, *SAME, *CHOICES),
    )
    segment = Segment(script)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert "error.invalid-bank-account-number" in segment.line.phrases
    assert segment.line.phrases.count(AGAIN) == 1


async def test_an_account_that_nobody_published_is_never_sent_to_a_test_gateway() -> None:
    mine = "".join(random.choices("123456789", k=11))
    script: Script = (
        *TO_THE_ACCOUNT,
        *((phrase, mine + "#") for phrase in ("ask_bank_account_number", *[
            "ask_bank_account_number.attempt2"] * 2)),
    )  # fmt: skip
    segment = Segment(script)
    outcome = await segment.run()
    assert outcome.error_type is ErrorType.INVALID_ACCOUNT_NUMBER
    assert segment.gateway.asked == 0


async def test_a_choice_that_is_none_is_asked_again() -> None:
    script: Script = (*GOOD[:3], ("ask_account_type", "7"), ("error.invalid-choice", "2"), GOOD[4])
    segment = Segment(script)
    outcome = await segment.run()
    assert outcome.account
    assert outcome.account.account_type == "savings"


@pytest.mark.parametrize("before", [(), ONCE], ids=["first", "second"])
async def test_star_clears_the_entry_and_star_star_leaves(before: Script) -> None:
    asked = AGAIN if before else "ask_bank_account_number"
    cleared: Script = (
        *(*TO_THE_ACCOUNT, *before, (asked, "999*"), ("field_cleared", NUMBER + "#")),
        *(() if before else SAME),
        *CHOICES,
    )
    segment = Segment(cleared)
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert NOT_THE_SAME not in segment.line.phrases
    left = Segment((*TO_THE_ACCOUNT, *before, (asked, "12**")))
    assert (await left.run()).result is CaptureResult.CALLER_INTERRUPTED
    assert left.line.phrases[-1] == "account_left"
    assert left.gateway.asked == 0


async def test_three_mistakes_are_the_end() -> None:
    wrong = "1" * 9
    segment = Segment((
        ("ask_routing_number", wrong),
        ("ask_routing_number.attempt2", wrong),
        ("ask_routing_number.attempt2", wrong),
    ))  # fmt: skip
    outcome = await segment.run()
    assert (outcome.result, outcome.error_type) == (
        CaptureResult.TOO_MANY_FAILED_ATTEMPTS,
        ErrorType.INVALID_ROUTING_NUMBER,
    )
    assert "last_try" in segment.line.phrases


async def test_what_the_gateway_refuses_is_asked_for_again() -> None:
    segment = Segment((
        *GOOD,
        ("error.invalid-bank-routing-number", ROUTING_NUMBER),
        *(*ANEW, *SAME, *CHOICES),
    ))  # fmt: skip
    fault = Fault("93101", "input.usBankAccount.routingNumber", "is invalid")
    segment.gateway.answers = [ValidationRefused((fault,))]
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert segment.gateway.asked == 2


async def test_a_gateway_that_is_away_is_said_so() -> None:
    segment = Segment(GOOD)
    segment.gateway.answers = [GatewayNotReached("away")]
    assert (await segment.run()).result is CaptureResult.PAYMENT_CONNECTOR_ERROR


async def test_an_expert_keys_through_and_hushes_every_prompt() -> None:
    segment = Segment((("secure_start_account", ROUTING_NUMBER + (NUMBER + "#") * 2 + "11"),))
    assert (await segment.run()).result is CaptureResult.SUCCESS


async def test_a_hang_up_in_the_middle_leaves_nothing() -> None:
    for before, asked in (((), "ask_bank_account_number"), (ONCE, AGAIN)):
        segment = Segment((*TO_THE_ACCOUNT, *before, (asked, HANGS_UP)))
        with pytest.raises(HungUp):
            await segment.run()
        assert segment.gateway.asked == 0


# The rules


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (ROUTING_NUMBER, True), ("021000021", True), ("011000016", False), ("0" * 9, False),
        ("01100001", False), ("0110000150", False), ("", False),
    ],
)  # fmt: skip
def test_a_routing_number_has_nine_digits_and_a_check_digit(text: str, *, good: bool) -> None:
    with keyed(text) as number:
        assert bank_accounts.is_routing_number(number) is good


@given(st.integers(0, 99_999_999), st.integers(0, 8), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(body: int, place: int, off: int) -> None:
    digits = [int(digit) for digit in f"{body:08d}"]
    total = sum(digit * (3, 7, 1)[at % 3] for at, digit in enumerate(digits))
    digits.append(-total % 10)
    digits[place] = (digits[place] + off) % 10
    with keyed("".join(map(str, digits))) as number:
        assert not bank_accounts.is_routing_number(number)


@pytest.mark.parametrize(("length", "good"), [(3, False), (4, True), (17, True), (18, False)])
def test_an_account_number_has_four_to_seventeen_digits(length: int, *, good: bool) -> None:
    with keyed("1" * length) as number:
        assert bank_accounts.is_account_number(number) is good


@pytest.mark.parametrize(
    ("field", "first", "full"),
    [(ROUTING, 20, 9), (ACCOUNT, 20, 17), (KIND, 10, 1), (HOLDER_KIND, 10, 1)],
)
def test_the_timers_and_lengths_are_those_of_the_contract(
    field: CaptureField, first: float, full: int
) -> None:
    usual = rule(Asking(field, 1), cards.UNKNOWN, slow=False)
    assert (usual.first_key_seconds, usual.between_keys_seconds) == (first, 5)
    with keyed("1" * (full - 1)) as nearly, keyed("1" * full) as whole:
        assert [usual.is_full(each) for each in (nearly, whole)] == [False, True]


@given(st.sampled_from(ACCOUNT_FIELDS), st.text("0123456789", max_size=20))
def test_whatever_is_keyed_has_one_verdict(field: CaptureField, text: str) -> None:
    card = Card({field: keyed(text)})
    request = CaptureRequest(uuid4(), "call-1", "en", ACCOUNT_FIELDS, holder=HOLDER)
    assert problem(field, card, request, TODAY) in (None, *ErrorType)
    assert text not in fields.masked(field, card) or len(text) <= 4
    card.wipe()


SAID = (
    "secure_start_account", "ask_routing_number", "ask_bank_account_number", "ask_account_type",
    "ask_account_holder", "bank_account_number_is", "account_left", "field_cleared", "last_try",
    AGAIN, NOT_THE_SAME, "hold_on", "still_working", "error.input-timeout", "error.invalid-choice",
    "error.invalid-bank-routing-number", "error.invalid-bank-account-number",
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "es"])
def test_nobody_who_keys_an_account_hears_of_cards(language: str) -> None:
    """Whatever can be said while one is keyed."""
    texts = catalogue(language)
    variants = [key for key in texts for said in SAID if key == said or key.startswith(f"{said}.")]
    assert {key for key in variants if key in SAID} == set(SAID)
    words = " ".join(texts[key].lower() for key in variants)
    assert not re.search(r"\b(cards?|tarjetas?)\b", words)
