"""Calls that pay from a bank account: routing number, account number twice, and two choices."""

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
"""digits that are an account when no more come, and not the one that was keyed first"""


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
    once = ROUTING_NUMBER + number + _end_of(canary)
    twice = (number + _end_of(canary)) * 2
    fails: list[Step] = [whole, Hears("account_not_available", within=75), HangsUp()]
    breaks: list[Step] = [
        *(Presses(once + half), Waits(3)),
        *(Presses(number[len(half) :] + _end_of(canary)), Waits(5), HangsUp()),
    ]
    ways: dict[Ending, list[Step]] = {
        Ending.PAID: [whole, *_pays()],
        Ending.HUNG_UP: [Presses(ROUTING_NUMBER + half), HangsUp()],
        Ending.AFTER_ROUTING: [Presses(ROUTING_NUMBER), _asked("bank_account_number"), HangsUp()],
        Ending.AFTER_ACCOUNT: [
            *(Presses(ROUTING_NUMBER + twice), _asked("account_type")),
            HangsUp(),
        ],
        Ending.NOT_AGREED: [whole, Hears("mandate", within=40), HangsUp()],
        Ending.BAD_CHECK_DIGIT: [
            *(Presses(MISTYPED_ROUTING), Hears("error_invalid_bank_routing_number", within=30)),
            *(whole, *_pays()),
        ],
        Ending.TIMED_OUT: [
            *(Presses(once + number[:TOO_SHORT]), Hears("error_input_matching_failed", within=30)),
            *(Presses(twice + PERSONS_CHECKING), *_pays()),
        ],
        Ending.STARRED: [
            *(Presses(f"{once}{half}*"), Hears("field_cleared", within=20)),
            *(Presses(number + _end_of(canary) + PERSONS_CHECKING), *_pays()),
        ],
        Ending.LEFT: [
            *(Presses(f"{once}{half}**"), Hears("account_left", within=20)),
            HangsUp(),
        ],
        **dict.fromkeys(FAULTS, fails),
        **dict.fromkeys(BROKEN, breaks),
    }
    return ways[ending]


def _whole(canary: Account) -> Presses:
    twice = (canary.number + _end_of(canary)) * 2
    return Presses(ROUTING_NUMBER + twice + PERSONS_CHECKING)


def _end_of(canary: Account) -> str:
    return "" if len(canary.number) == ACCOUNT_LENGTHS[-1] else "#"


def _asked(field: str) -> Hears:
    return Hears(f"ask_{field}", within=20)


def _pays() -> list[Step]:
    return [
        Hears("agree_to_debit", within=75),
        Presses("1"),
        Hears("debit_accepted", within=40),
        HangsUp(),
    ]
