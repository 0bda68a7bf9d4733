"""Who is calling: a name or an account number, and a postal code, always both, then one check."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeAlias

from ivr.billing import identifying
from ivr.billing.customers import Customer
from ivr.billing.matches import Named
from ivr.billing.ports import Names
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import PaysForAnother, TooManyTries, WentBack
from ivr.dialogue.flows.find_name import find_name, is_right
from ivr.dialogue.phrases import Phrase, phrase
from ivr.dialogue.questions import (
    Answer,
    ByVoice,
    Question,
    SpokenName,
    Understood,
    digits,
    or_a_name,
)

PAYS_FOR_ANOTHER = "1"
"""and the pound key, where the postal code is asked for"""
SHORTEST_ACCOUNT, LONGEST_ACCOUNT = 4, 10
SHORTEST_POSTAL_CODE, LONGEST_POSTAL_CODE = 3, 10
"""where postal codes differ in length"""

Claim: TypeAlias = str | Named
"""what callers say they are: an account number, or a name that one or more customers bear"""


async def identify(call: Call, desk: Desk, begun: str | SpokenName = "") -> Customer:
    """The customer on the line; `begun` is what was keyed or said before anything was asked.

    An account number that came with the call is not asked for, unless it does not fit the postal
    code. Raises TooManyTries after three failures, PaysForAnother, and as Call.ask.
    """
    keyed = begun if isinstance(begun, str) else ""
    claim: Claim = passed_on_account(call)
    if claim:
        postal_code = known(claim, await call.ask(ask_postal_code(desk, keyed)))
    else:
        claim, postal_code = await with_code(call, desk, await who(call, desk, begun))
    for failures in range(1, desk.limits.identifications_a_call):
        if customer := await recognised(call, desk, claim, postal_code):
            return customer
        call.line.forget_keys()  # typed ahead by somebody who thought they were known
        claim = await who_again(call, desk, claim, failures)
        claim, postal_code = await with_code(call, desk, claim)
    if customer := await recognised(call, desk, claim, postal_code):
        return customer
    await call.say("account_not_confirmed")
    raise TooManyTries


async def with_code(call: Call, desk: Desk, claim: Claim) -> tuple[Claim, str]:
    """The claim and its postal code; a caller who goes back claims anew, and nothing was tried."""
    while True:
        try:
            return claim, known(claim, await call.ask(ask_postal_code(desk), may_go_back=True))
        except WentBack:
            claim = await claimed(call, desk, ask_account(""))


async def who(call: Call, desk: Desk, begun: str | SpokenName) -> Claim:
    """Whom the caller claims to be, asked for the first time."""
    if isinstance(begun, SpokenName) and desk.names and not begun.is_one_word:
        with suppress(WentBack):
            if found := await find_name(call, desk.names, begun, or_spelled=False):
                return found
    keyed = begun if isinstance(begun, str) else ""
    return await claimed(call, desk, ask_account(keyed))


async def who_again(call: Call, desk: Desk, before: Claim, failures: int) -> Claim:
    """Whom the caller claims to be, after a wrong claim: a misheard name has one more chance."""
    sorry = phrase("account_not_confirmed")
    if isinstance(before, Named) and failures == 1 and call.hears:
        return await claimed(call, desk, ask_account("").after(sorry))
    return await call.ask(ask_account_again().after(sorry))


async def claimed(call: Call, desk: Desk, question: Question[str]) -> Claim:
    """The account number or the name; who goes back while a name is made out is asked anew."""
    if desk.names is None:
        return await call.ask(question)
    while True:
        try:
            return await name_or_number(call, desk.names, question)
        except WentBack:
            question = ask_account("")


async def name_or_number(call: Call, names: Names, question: Question[str]) -> Claim:
    """Either; who cannot make their name understood is asked for the number alone.

    One word is asked about once more, whether or not it is a customer's name. Raises WentBack from
    every question but the first.
    """
    at_hand = await names.at_hand() if call.hears else ()
    found = await call.ask(or_a_name(question, at_hand))
    if isinstance(found, SpokenName) and found.is_one_word:
        found = await call.ask(or_a_name(ask_full_name(), at_hand), may_go_back=True)
    if isinstance(found, str):
        return found
    named = await find_name(call, names, found)
    if named is not None:
        return named
    return await call.ask(ask_account_again(), may_go_back=True)


async def recognised(call: Call, desk: Desk, claim: Claim, postal_code: str) -> Customer | None:
    """The customer whom both fit, kept in `call`."""
    async with call.filling():
        customer = await _look_up(call, desk, claim, postal_code)
    if isinstance(claim, Named) and customer:
        confirmed = identifying.confirmed_in_full(claim, customer)
        customer = customer if confirmed or await is_right(call, customer.name) else None
    call.customer = customer
    call.note("identified" if customer else "not identified")
    return customer


async def _look_up(call: Call, desk: Desk, claim: Claim, postal_code: str) -> Customer | None:
    if desk.limiting is None:
        return await _fitting(desk, claim, postal_code)
    return await desk.limiting.identify(
        call.line.arrived.caller, claimed_as(claim), lambda: _fitting(desk, claim, postal_code)
    )


async def _fitting(desk: Desk, claim: Claim, postal_code: str) -> Customer | None:
    if isinstance(claim, str):
        return await identifying.identify(desk.directory, claim, postal_code)
    if desk.names is None:
        return None
    return await identifying.identify_named(desk.names, claim, postal_code)


def claimed_as(claim: Claim) -> str:
    """What failures are counted for, besides the number that calls."""
    return claim if isinstance(claim, str) else f"name of {sorted(claim.customers)[:1]}"


def known(claim: Claim, postal_code: str | None) -> str:
    """The postal code of a caller who means to pay for themselves. Raises PaysForAnother."""
    if postal_code is None:
        raise PaysForAnother(claim if isinstance(claim, str) else "")
    return postal_code


def passed_on_account(call: Call) -> str:
    """The account number that the contact centre sent with the call, if it can be one."""
    hint = call.line.hints.get("account", "")
    usable = hint.isascii() and hint.isdigit() and len(hint) <= LONGEST_ACCOUNT
    return hint if usable else ""


def ask_account(begun: str) -> Question[str]:
    """The account number, the first time."""
    return _account(phrase("ask_account_number"), begun)


def ask_full_name() -> Question[str]:
    """The account number too, for a caller who said one word only."""
    return _account(phrase("ask_name_again"), "")


def ask_account_again() -> Question[str]:
    """The account number, for a caller who was not recognised."""
    return _account(phrase("ask_account_again"), "")


def ask_postal_code(desk: Desk, begun: str = "") -> Question[str | None]:
    """The second factor; None from who pays for somebody else, where that may be."""
    code = digits(
        phrase("ask_postal_code"),
        shortest=desk.postal_code_length or SHORTEST_POSTAL_CODE,
        longest=desk.postal_code_length or LONGEST_POSTAL_CODE,
        begun=begun,
    )
    may = bool(desk.for_another)

    def understand(keys: str) -> Answer[str | None]:
        is_for_another = may and keys == PAYS_FOR_ANOTHER
        return Understood(None) if is_for_another else _or_none(code.understand(keys))

    by_voice: ByVoice[str | None] | None = None
    if code.by_voice:
        by_voice = ByVoice(code.by_voice.expecting, lambda heard: _or_none(code.meant(heard)))
    return Question(
        (*code.phrases, phrase("or_pay_for_another")) if may else code.phrases,
        code.retry,
        code.rule,
        understand,
        code.star_clears,
        code.begun,
        by_voice,
        {"for_another": None} if may else {},
    )


def _or_none(answer: Answer[str]) -> Answer[str | None]:
    return Understood(answer.value) if isinstance(answer, Understood) else answer


def _account(ask: Phrase, begun: str) -> Question[str]:
    return digits(
        ask,
        again=phrase("ask_account_again"),
        shortest=SHORTEST_ACCOUNT,
        longest=LONGEST_ACCOUNT,
        begun=begun,
    )
