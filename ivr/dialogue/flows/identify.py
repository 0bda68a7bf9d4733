"""Who is calling: an account number and a postal code, always both, then one check."""

from __future__ import annotations

from ivr.billing import identifying
from ivr.billing.customers import Customer
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import TooManyTries
from ivr.dialogue.phrases import Phrase, phrase
from ivr.dialogue.questions import Question, digits

FAILURES = 3
"""wrong identifications in one call (payments.md, "Abuse")"""
SHORTEST_ACCOUNT, LONGEST_ACCOUNT = 4, 10
SHORTEST_POSTAL_CODE, LONGEST_POSTAL_CODE = 3, 10
"""where postal codes differ in length"""


async def identify(call: Call, desk: Desk, begun: str = "") -> Customer:
    """The customer on the line; `begun` are digits keyed before anything was asked.

    An account number that came with the call is not asked for, unless it does not fit the postal
    code. Raises TooManyTries after three failures, and as Call.ask.
    """
    account = passed_on_account(call)
    if account:
        postal_code = await call.ask(ask_postal_code(desk, begun))
    else:
        account = await call.ask(ask_account(begun))
        postal_code = await call.ask(ask_postal_code(desk))
    for _ in range(FAILURES - 1):
        if customer := await recognised(call, desk, account, postal_code):
            return customer
        call.line.forget_keys()  # typed ahead by somebody who thought they were known
        account = await call.ask(ask_account_again().after(phrase("account_not_confirmed")))
        postal_code = await call.ask(ask_postal_code(desk))
    if customer := await recognised(call, desk, account, postal_code):
        return customer
    await call.say("account_not_confirmed")
    raise TooManyTries


async def recognised(call: Call, desk: Desk, account: str, postal_code: str) -> Customer | None:
    """The customer whose both these are, kept in `call`."""
    async with call.filling():
        call.customer = await identifying.identify(desk.directory, account, postal_code)
    call.note("identified" if call.customer else "not identified")
    return call.customer


def passed_on_account(call: Call) -> str:
    """The account number that the contact centre sent with the call, if it can be one."""
    hint = call.line.hints.get("account", "")
    usable = hint.isascii() and hint.isdigit() and len(hint) <= LONGEST_ACCOUNT
    return hint if usable else ""


def ask_account(begun: str) -> Question[str]:
    """The account number, the first time."""
    return _account(phrase("ask_account_number"), begun)


def ask_account_again() -> Question[str]:
    """The account number, for a caller who was not recognised."""
    return _account(phrase("ask_account_again"), "")


def ask_postal_code(desk: Desk, begun: str = "") -> Question[str]:
    """The second factor."""
    return digits(
        phrase("ask_postal_code"),
        shortest=desk.postal_code_length or SHORTEST_POSTAL_CODE,
        longest=desk.postal_code_length or LONGEST_POSTAL_CODE,
        begun=begun,
    )


def _account(ask: Phrase, begun: str) -> Question[str]:
    return digits(
        ask,
        again=phrase("ask_account_again"),
        shortest=SHORTEST_ACCOUNT,
        longest=LONGEST_ACCOUNT,
        begun=begun,
    )
