"""Sounds of names: from phonetic notation, their distance, and what finds them."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ivr.billing.sounds import CONSONANTS, PHONES, VOWELS, distance, from_ipa, keys, substitution

SOUNDS = st.text(PHONES, max_size=10)
SPOKEN = st.text(PHONES, min_size=2, max_size=10)


@pytest.mark.parametrize(
    ("ipa", "sound"),
    [
        ("smˈɪθ", "smIT"),
        ("dʒˈeɪmz", "Jeymz"),
        ("ɡaɾθˈi_a", "garTia"),
        ("munˈoθ", "munoT"),
        ("muɲˈoθ", "munyoT"),
        ("okonnˈoɾ", "okonor"),
        ("kˈɑːɹtɚ", "kArt@r"),
        ("sˈʌʔn", "sVtn"),
        ("", ""),
        ("???", ""),
    ],
)
def test_phonetic_notation_becomes_phones(ipa: str, sound: str) -> None:
    assert from_ipa(ipa) == sound


@given(st.text(max_size=80))
def test_any_text_becomes_at_most_sixteen_phones(ipa: str) -> None:
    assert set(from_ipa(ipa)) <= set(PHONES)
    assert len(from_ipa(ipa)) <= 16


@given(SOUNDS, SOUNDS)
def test_distance_is_symmetric_and_zero_only_for_the_same(one: str, other: str) -> None:
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert (distance(one, other) < 1e-9) == (one == other)


@given(SOUNDS, SOUNDS)
def test_distance_is_at_most_losing_everything(one: str, other: str) -> None:
    assert distance(one, other) <= 0.8 * (len(one) + len(other)) + 1e-9


@pytest.mark.parametrize("pair", ["fs", "sT", "fT", "mn", "bd", "pt", "bv", "sz", "tk"])
def test_what_a_telephone_confuses_is_near(pair: str) -> None:
    assert substitution(pair[0], pair[1]) <= 0.4 < substitution("s", "m")


def test_vowels_are_apart_as_the_tongue_is() -> None:
    assert substitution("i", "I") < substitution("i", "e") < substitution("i", "A")
    assert all(substitution(c, v) > 0.3 for c in CONSONANTS for v in VOWELS)


def test_a_lost_last_consonant_costs_less_than_one_in_the_middle() -> None:
    assert distance("smit", "smi") < distance("smit", "sit")


@given(SPOKEN, st.data())
def test_sounds_with_one_phone_taken_away_share_a_key(sound: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sound) - 1))
    shorter = sound[:place] + sound[place + 1 :]
    shape, shorter_shape = (next(iter(keys(each)), "") for each in (sound, shorter))
    assume(len(shape) - len(shorter_shape) == 1 and len(shape) > len("=ab"))
    assert keys(sound).keys() & keys(shorter).keys()


@given(st.text("fsTmnpbtd" + "iea", min_size=4, max_size=9))
def test_sounds_that_differ_by_what_telephones_confuse_share_a_key(sound: str) -> None:
    other = sound.translate(str.maketrans("fTmpb", "ssntd"))
    assume(any(key.startswith("~") for key in keys(sound)))
    assert keys(sound).keys() & keys(other).keys()


def test_no_sound_has_no_keys() -> None:
    assert keys("") == {}
