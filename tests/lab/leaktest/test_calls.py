"""The plan of calls: every way in, every ending, a card of its own for each."""

import random

from ivr.lab.dialpad import KeyWay
from ivr.lab.leaktest import running
from ivr.lab.leaktest.calls import ASSISTED, SPOKEN, Ending, again, plan, scenario
from ivr.lab.leaktest.canaries import Canary
from ivr.lab.leaktest.running import Asked
from ivr.lab.scenario_file import Presses, Says

CARD = Canary("4217651111111119", "visa", "1129", "583")


def keyed(ending: Ending, card: Canary = CARD) -> str:
    luck = random.Random(4)
    steps = scenario(3, KeyWay.RFC4733, ending, card, luck).steps
    return "".join(step.keys for step in steps if isinstance(step, Presses))


def test_the_full_form_has_every_way_and_every_ending() -> None:
    calls = running._plan(Asked(calls=200), random.Random(1))
    assert len(calls) == 200
    assert {call.way for call in calls} == {*KeyWay, SPOKEN, ASSISTED}
    for way in (KeyWay.RFC4733, KeyWay.INBAND):
        endings = {call.ending for call in calls if call.way == way}
        assert endings == set(Ending) - {Ending.REFUSED, Ending.TAKEN}
    assert len({call.place for call in calls}) == 200


def test_the_short_form_has_all_ways_of_keys() -> None:
    calls = running._plan(Asked(short=True), random.Random(1))
    assert {call.way for call in calls} == set(KeyWay)


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
