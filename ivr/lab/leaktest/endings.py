"""How calls with a card or a bank account come to their ends, and by which ways keys come."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from ivr.lab.dialpad import KeyWay

SPOKEN, ASSISTED, ON_PAGE = "spoken", "with an agent", "on the pay page"
ACCOUNT_KEYS, ACCOUNT_TONES = "bank account, rfc4733", "bank account, inband"
ACCOUNTS: Mapping[str, KeyWay] = {ACCOUNT_KEYS: KeyWay.RFC4733, ACCOUNT_TONES: KeyWay.INBAND}
"""ways by which bank accounts come, and how their keys do"""


class Ending(StrEnum):
    """How a call with a card or a bank account comes to its end."""

    PAID = "paid"
    BAD_CHECK_DIGIT = "bad check digit, then paid"
    TIMED_OUT = "time-out in the number, then paid"
    STARRED = "field cleared with *, then paid"
    LEFT = "left with **"
    HUNG_UP = "hung up in the middle"
    DECLINED = "declined"
    GATEWAY_SILENT = "the gateway does not answer"
    GATEWAY_RESET = "the gateway cuts the connection"
    GATEWAY_BROKEN = "the gateway answers 500"
    DATABASE_DOWN = "the database is down"
    KILLED = "the secure process is killed"
    REFUSED = "keys in SIP INFO are not taken"
    TAKEN = "card taken while an agent talks"
    MISPLACED = "typed where no card belongs, then paid"
    AFTER_ROUTING = "hung up after the routing number"
    AFTER_ACCOUNT = "hung up after the account number"
    NOT_AGREED = "hung up while the mandate is read"


FAULTS: dict[Ending, dict[str, object]] = {
    Ending.GATEWAY_SILENT: {"mode": "hang", "seconds": 40, "on": ["tokenize"]},
    Ending.GATEWAY_RESET: {"mode": "reset-after", "on": ["tokenize"]},
    Ending.GATEWAY_BROKEN: {"mode": "500-after-capture", "on": ["tokenize"]},
}
"""what the stand-in is asked to do meanwhile"""
BROKEN = {Ending.DATABASE_DOWN: "postgres", Ending.KILLED: "capture"}
"""what is killed when every caller of the group has keyed half of the number"""

OF_CARDS = (
    *(Ending.PAID, Ending.BAD_CHECK_DIGIT, Ending.TIMED_OUT, Ending.STARRED, Ending.LEFT),
    *(Ending.HUNG_UP, Ending.DECLINED, *FAULTS, *BROKEN),
)
OF_ACCOUNTS = (
    *(Ending.PAID, Ending.HUNG_UP, Ending.AFTER_ROUTING, Ending.AFTER_ACCOUNT),
    *(Ending.NOT_AGREED, Ending.BAD_CHECK_DIGIT, Ending.TIMED_OUT, Ending.STARRED, Ending.LEFT),
    *(*FAULTS, *BROKEN),
)
TURNS: dict[str, tuple[Ending, ...]] = {
    SPOKEN: (Ending.PAID,),
    KeyWay.INFO: (Ending.REFUSED,),
    ASSISTED: (Ending.TAKEN,),
    ON_PAGE: (Ending.MISPLACED,),
    ACCOUNT_KEYS: OF_ACCOUNTS,
    ACCOUNT_TONES: (*OF_ACCOUNTS[2:], *OF_ACCOUNTS[:2]),
}
"""endings in the order in which calls of a way have them; of other ways, those of cards"""
