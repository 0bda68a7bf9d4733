"""Calls that pay from a bank account: routing number, account number and two choices, by keys."""

from __future__ import annotations

import random

from ivr.gateways.test_accounts import ROUTING_NUMBER
from ivr.lab.leaktest.canaries import ACCOUNT_LENGTHS, Account
from ivr.lab.leaktest.endings import BROKEN, FAULTS, Ending
from ivr.lab.leaktest.house import POSTAL_CODE, bank_customer
from ivr.lab.scenario_file import HangsUp, Hears, Presses, Step, Waits

PERSONS_CHECKING = "11"
MISTYPED_ROUTING = ROUTING_NUMBER[:-1] + "6"
TOO_SHORT = 8
"""digits that are an account when no more come, and not one that is taken here"""


def steps(place: int, ending: Ending, canary: Account, luck: random.Random) -> list[Step]:
    """The call, from its beginning."""
    return [*_arrives(place), *_keys(ending, canary, luck)]


def up_to_the_debit(place: int, canary: Account) -> list[Step]:
    """A whole account, and hung up when its token is there: the mandate is being read."""
    return [*_arrives(place), _whole(canary), Hears("mandate", within=40), HangsUp()]


def _arrives(place: int) -> list[Step]:
    """Typed ahead: who it is, all that is due, not by card but from an account."""
    return [
        Waits(0.8),
        Presses(f"{bank_customer(place)}#{POSTAL_CODE}#12"),
        Hears("secure_start_account", within=40),
    ]


def _keys(ending: Ending, canary: Account, luck: random.Random) -> list[Step]:
    number, whole = canary.number, _whole(canary)
    half = number[: luck.randint(5, len(number) - 1)]
    number_again = Presses(number + _end_of(canary) + PERSONS_CHECKING)
    fails: list[Step] = [whole, Hears("account_not_available", within=75), HangsUp()]
    breaks: list[Step] = [
        *(Presses(ROUTING_NUMBER + half), Waits(3)),
        *(Presses(number[len(half) :] + _end_of(canary)), Waits(5), HangsUp()),
    ]
    ways: dict[Ending, list[Step]] = {
        Ending.PAID: [whole, *_pays()],
        Ending.HUNG_UP: [Presses(ROUTING_NUMBER + half), HangsUp()],
        Ending.AFTER_ROUTING: [Presses(ROUTING_NUMBER), _asked("bank_account_number"), HangsUp()],
        Ending.AFTER_ACCOUNT: [
            *(Presses(ROUTING_NUMBER + number + _end_of(canary)), _asked("account_type")),
            HangsUp(),
        ],
        Ending.NOT_AGREED: [whole, Hears("mandate", within=40), HangsUp()],
        Ending.BAD_CHECK_DIGIT: [
            *(Presses(MISTYPED_ROUTING), _wrong("routing_number")),
            *(whole, *_pays()),
        ],
        Ending.TIMED_OUT: [
            *(Presses(ROUTING_NUMBER + number[:TOO_SHORT]), _wrong("account_number")),
            *(number_again, *_pays()),
        ],
        Ending.STARRED: [
            *(Presses(f"{ROUTING_NUMBER}{half}*"), Hears("field_cleared", within=20)),
            *(number_again, *_pays()),
        ],
        Ending.LEFT: [
            *(Presses(f"{ROUTING_NUMBER}{half}**"), Hears("account_left", within=20)),
            HangsUp(),
        ],
        **dict.fromkeys(FAULTS, fails),
        **dict.fromkeys(BROKEN, breaks),
    }
    return ways[ending]


def _whole(canary: Account) -> Presses:
    return Presses(ROUTING_NUMBER + canary.number + _end_of(canary) + PERSONS_CHECKING)


def _end_of(canary: Account) -> str:
    return "" if len(canary.number) == ACCOUNT_LENGTHS[-1] else "#"


def _asked(field: str) -> Hears:
    return Hears(f"ask_{field}", within=20)


def _wrong(field: str) -> Hears:
    return Hears(f"error_invalid_bank_{field}", within=30)


def _pays() -> list[Step]:
    return [
        Hears("agree_to_debit", within=75),
        Presses("1"),
        Hears("debit_accepted", within=40),
        HangsUp(),
    ]
