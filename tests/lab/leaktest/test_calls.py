"""The plan of calls: every way in, every ending, a card of its own for each."""

import random

from ivr.lab.dialpad import KeyWay
from ivr.lab.leaktest import bank_calls, running
from ivr.lab.leaktest.calls import again, plan, scenario
from ivr.lab.leaktest.canaries import Account, Canary
from ivr.lab.leaktest.endings import (
    ACCOUNT_KEYS,
    ACCOUNT_TONES,
    ACCOUNTS,
    ASSISTED,
    OF_ACCOUNTS,
    OF_CARDS,
    ON_PAGE,
    SPOKEN,
    TURNS,
    Ending,
)
from ivr.lab.leaktest.running import Asked
from ivr.lab.scenario_file import Hears, Presses, Says

CARD = Canary("4217651111111119", "visa", "1129", "583")
ACCOUNT = Account.of("739518246075")
ROUTING = "011000015"


def keyed(ending: Ending, canary: Canary | Account = CARD) -> str:
    way = ACCOUNT_KEYS if isinstance(canary, Account) else KeyWay.RFC4733
    steps = scenario(3, way, ending, canary, random.Random(4)).steps
    return "".join(step.keys for step in steps if isinstance(step, Presses))


def test_the_full_form_has_every_way_and_every_ending() -> None:
    calls = running._plan(Asked(calls=200), random.Random(1))
    assert len(calls) == 200
    assert {call.way for call in calls} == {*KeyWay, *ACCOUNTS, SPOKEN, ASSISTED, ON_PAGE}
    for way in (KeyWay.RFC4733, KeyWay.INBAND, *ACCOUNTS):
        endings = {call.ending for call in calls if call.way == way}
        assert endings == set(TURNS.get(way, OF_CARDS))
    assert {ending for turn in (OF_CARDS, *TURNS.values()) for ending in turn} == set(Ending)
    assert len({call.place for call in calls}) == 200


def test_the_short_form_has_all_ways_of_keys() -> None:
    calls = running._plan(Asked(short=True), random.Random(1))
    assert {call.way for call in calls} == {*KeyWay, ACCOUNT_KEYS, ON_PAGE}


def test_few_calls_have_bank_accounts_too_by_keys_and_by_tones() -> None:
    calls = running._plan(Asked(calls=12), random.Random(1))
    assert len(calls) == 12
    assert {call.way for call in calls if isinstance(call.canary, Account)} == set(ACCOUNTS)
    ways = {call.way: call.scenario.keys for call in calls}
    assert (ways[ACCOUNT_KEYS], ways[ACCOUNT_TONES]) == (KeyWay.RFC4733, KeyWay.INBAND)


def test_a_customer_keys_their_own_account() -> None:
    assert keyed(Ending.PAID).startswith("5004#28013#1")


def test_good_calls_key_the_whole_card() -> None:
    for ending in (Ending.PAID, Ending.BAD_CHECK_DIGIT, Ending.TIMED_OUT, Ending.STARRED):
        assert f"{CARD.number}#{CARD.expiry}{CARD.code}" in keyed(ending)
    assert CARD.mistyped in keyed(Ending.BAD_CHECK_DIGIT)


def test_a_card_of_fixed_length_is_keyed_without_the_hash() -> None:
    card = Canary("371449635398431", "amex", "0931", "4827")
    assert f"{card.number}{card.expiry}{card.code}" in keyed(Ending.PAID, card)


def test_who_hangs_up_has_keyed_a_part() -> None:
    keys = keyed(Ending.HUNG_UP).removeprefix("5004#28013#1")
    assert 4 <= len(keys) < len(CARD.number + CARD.expiry + CARD.code) + 1
    assert f"{CARD.number}#{CARD.expiry}{CARD.code}".startswith(keys)


def test_who_pays_from_an_account_keys_all_of_it_as_a_customer_who_may() -> None:
    before = "7004#28013#12"
    for ending in (Ending.PAID, Ending.NOT_AGREED, Ending.GATEWAY_RESET):
        assert keyed(ending, ACCOUNT).startswith(
            f"{before}{ROUTING}{ACCOUNT.number}#{ACCOUNT.number}#11"
        )
    long = Account.of("73951824607593814")
    assert f"{ROUTING}{long.number}{long.number}11" in keyed(Ending.PAID, long)


def test_a_bank_call_times_out_where_the_number_is_keyed_again() -> None:
    steps = scenario(3, ACCOUNT_KEYS, Ending.TIMED_OUT, ACCOUNT, random.Random(4)).steps
    assert Hears("error_input_matching_failed", within=30) in steps


def test_calls_with_an_account_end_at_every_point_of_it() -> None:
    rest = {ending: keyed(ending, ACCOUNT).partition("#12")[2] for ending in OF_ACCOUNTS}
    assert rest[Ending.AFTER_ROUTING] == ROUTING
    assert rest[Ending.AFTER_ACCOUNT] == f"{ROUTING}{ACCOUNT.number}#{ACCOUNT.number}#"
    part = rest[Ending.HUNG_UP].removeprefix(ROUTING)
    assert ACCOUNT.number.startswith(part)
    assert 5 <= len(part) < len(ACCOUNT.number)
    once = f"{ROUTING}{ACCOUNT.number}#"
    for ending in (Ending.LEFT, Ending.STARRED, Ending.KILLED, Ending.DATABASE_DOWN):
        assert rest[ending].startswith(once + ACCOUNT.number[:5])
    assert rest[Ending.LEFT].endswith("**")
    assert rest[Ending.TIMED_OUT].startswith(
        once + ACCOUNT.number[: bank_calls.TOO_SHORT] + ACCOUNT.number
    )
    assert bank_calls.MISTYPED_ROUTING in rest[Ending.BAD_CHECK_DIGIT]
    for ending in (Ending.TIMED_OUT, Ending.STARRED):
        assert f"{ACCOUNT.number}#11" in rest[ending]


def test_a_spoken_card_is_said_and_not_keyed() -> None:
    for place in range(3):
        steps = scenario(place, SPOKEN, Ending.PAID, CARD, random.Random(5)).steps
        said = [step.utterance.words for step in steps if isinstance(step, Says)]
        assert len(said) == 3
        assert CARD.number not in "".join(s.keys for s in steps if isinstance(s, Presses))
    assert said[0].startswith("cuatro dos uno siete, ")
    assert said[1] == "noviembre dos mil veintinueve"
    assert said[2] == "cinco ocho tres"


def test_a_call_that_is_placed_again_has_another_customer_and_another_card() -> None:
    (call,) = plan({KeyWay.RFC4733: 1}, random.Random(6))
    new = again(call, 77, CARD, random.Random(6))
    assert (new.way, new.ending, new.place, new.canary) == (call.way, call.ending, 77, CARD)
    assert any(isinstance(s, Presses) and s.keys.startswith("5078#") for s in new.scenario.steps)
