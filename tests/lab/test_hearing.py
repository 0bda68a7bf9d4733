"""Knowing phrases by their sound, as the line delivers it."""

import random
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ivr.lab.errors import LabError
from ivr.lab.hearing import Hearing
from ivr.lab.phone import Press, Said
from ivr.lab.phrasebook import LOUD, RATE, Phrasebook, Samples, is_variant, plain_id
from ivr.lab.scenario_report import after_turns
from ivr.speech.catalogue import Catalogue
from ivr.speech.g711 import from_ulaw, to_ulaw
from tests.lab.company_voice import opening_of, sound_of

PACKET = RATE // 50


def packets(sound: Samples) -> Iterator[Samples]:
    for first in range(0, len(sound), PACKET):
        yield sound[first : first + PACKET]


def say(hearing: Hearing, sound: Samples, at: float) -> float:
    """Deliver a sound packet by packet from `at` on; when it is over."""
    for packet in packets(sound):
        hearing.add(packet, at)
        at += len(packet) / RATE
    return at


def ids(hearing: Hearing) -> list[tuple[str, str]]:
    return [(one.phrase_id, one.language) for one in hearing.heard]


def plain(heard: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Variants by voice as what they are variants of, each but once."""
    return list(dict.fromkeys((name.removesuffix("_voice"), tongue) for name, tongue in heard))


def test_every_phrase_is_known_by_its_sound_and_none_is_taken_for_another(
    phrasebook: Phrasebook, catalogue: Catalogue, sounds: Path
) -> None:
    hearing = Hearing(phrasebook)
    said: list[tuple[str, str]] = []
    at = 100.0
    for phrase in catalogue.phrases():
        if phrase.fixed:
            said.append((phrase.id, phrase.language))
            at = say(hearing, opening_of(phrase, sounds), at) + random.choice([0.0, 0.03, 1.0])
            hearing.recognise()
    # With and without keys alone, some phrases begin alike: both are known, and nothing else.
    assert set(said) <= set(ids(hearing))
    assert plain(ids(hearing)) == plain(said)


@pytest.mark.parametrize("phrase_id", ["still_working", "goodbye", "goodbye_paid", "owes_one"])
def test_a_phrase_is_not_heard_inside_another_that_shares_its_words(
    phrasebook: Phrasebook, catalogue: Catalogue, sounds: Path, phrase_id: str
) -> None:
    """ "Thank you for your …" is in three of them, "You have one …" also opens last_try."""
    hearing = Hearing(phrasebook)
    at = 10.0
    for _ in range(2):
        at = say(hearing, sound_of(catalogue.phrase(phrase_id, "en"), sounds), at) + 1.0
        hearing.recognise()
    assert ids(hearing) == [(phrase_id, "en")] * 2


def test_a_phrase_is_heard_from_when_its_first_sound_came(
    phrasebook: Phrasebook, catalogue: Catalogue, sounds: Path
) -> None:
    hearing = Hearing(phrasebook)
    sound = sound_of(catalogue.phrase("paid", "en"), sounds)
    audible = int(np.argmax(np.abs(sound) > LOUD)) / RATE
    say(hearing, sound, 50.0)
    hearing.recognise()
    (heard,) = hearing.heard
    assert heard.opened is not None
    assert heard.opened == pytest.approx(50.0 + audible, abs=0.001)
    assert heard.at > heard.opened, "its longest part comes after the amount"


def test_a_prompt_that_a_key_cut_short_counts_once_enough_was_said(
    phrasebook: Phrasebook, catalogue: Catalogue, sounds: Path
) -> None:
    sound = sound_of(catalogue.phrase("ask_postal_code", "en"), sounds)
    enough, too_little = Hearing(phrasebook), Hearing(phrasebook)
    say(enough, sound[: int(0.8 * RATE)], 0.0)
    say(too_little, sound[: int(0.3 * RATE)], 0.0)
    for hearing in (enough, too_little):
        say(hearing, np.zeros(RATE, np.int16), 5.0)
        hearing.recognise()
    assert ids(enough) == [("ask_postal_code", "en")]
    assert ids(too_little) == []


def test_a_lost_packet_and_a_changed_volume_do_not_matter(
    phrasebook: Phrasebook, catalogue: Catalogue, sounds: Path
) -> None:
    hearing = Hearing(phrasebook)
    sound = sound_of(catalogue.phrase("secure_start", "es"), sounds)
    quieter = from_ulaw(to_ulaw((sound * 0.6).astype(np.int16)))
    without = np.delete(quieter, slice(20 * PACKET, 21 * PACKET))
    say(hearing, without, 0.0)
    hearing.recognise()
    assert ids(hearing) == [("secure_start", "es")]


@pytest.mark.parametrize("before", [0.0, 1.0], ids=["as the call begins", "after a pause"])
@pytest.mark.parametrize(
    "lost", [(0, 1), (1, 2), (2, 3), (0, 3), (0, 16), (4, 8), (9, 13), (19, 23), (26, 30)], ids=str
)
def test_packets_lost_wherever_a_phrase_begins_do_not_hide_it(
    phrasebook: Phrasebook,
    catalogue: Catalogue,
    sounds: Path,
    lost: tuple[int, int],
    before: float,
) -> None:
    for phrase_id in ("welcome", "ask_account_number", "secure_start", "owes_one", "goodbye"):
        hearing = Hearing(phrasebook)
        sound = sound_of(catalogue.phrase(phrase_id, "en"), sounds)
        arrives = np.delete(sound, slice(lost[0] * PACKET, lost[1] * PACKET))
        at = say(hearing, np.zeros(int(before * RATE), np.int16), 10.0)
        say(hearing, arrives, at)
        hearing.recognise()
        assert plain(ids(hearing)) == [(phrase_id, "en")]
        missing = (lost[1] - lost[0]) * PACKET / RATE
        assert hearing.heard[0].at == pytest.approx(at, abs=missing + 0.02)


def test_no_phrase_with_lost_packets_is_taken_for_another(
    phrasebook: Phrasebook, catalogue: Catalogue, sounds: Path
) -> None:
    hearing = Hearing(phrasebook)
    said: list[tuple[str, str]] = []
    at = 100.0
    chance = random.Random(7)
    for phrase in catalogue.phrases():
        if phrase.fixed:
            said.append((phrase.id, phrase.language))
            sound = opening_of(phrase, sounds)
            first = chance.randrange(4, 70) * PACKET
            lost = np.delete(sound, slice(first, first + chance.randrange(1, 5) * PACKET))
            at = say(hearing, lost, at) + 0.03
            hearing.recognise()
    heard = plain(ids(hearing))
    assert heard == [one for one in plain(said) if one in heard]
    assert len(heard) > 0.98 * len(plain(said))


def test_a_phrase_said_twice_is_heard_twice(
    phrasebook: Phrasebook, catalogue: Catalogue, sounds: Path
) -> None:
    hearing = Hearing(phrasebook)
    sound = sound_of(catalogue.phrase("are_you_there", "en"), sounds)
    end = say(hearing, sound, 10.0)
    say(hearing, sound, end + 8.0)
    hearing.recognise()
    assert ids(hearing) == [("are_you_there", "en")] * 2
    assert hearing.heard[1].at - hearing.heard[0].at == pytest.approx(end + 8.0 - 10.0, abs=0.01)


def test_noise_is_no_phrase(phrasebook: Phrasebook) -> None:
    hearing = Hearing(phrasebook)
    noise = np.random.default_rng(1).normal(0, 3000, 20 * RATE).astype(np.int16)
    say(hearing, noise, 0.0)
    assert hearing.recognise() == []


def test_the_first_sound_after_an_instant_skips_silence_and_gaps(phrasebook: Phrasebook) -> None:
    hearing = Hearing(phrasebook)
    tone = np.full(RATE // 2, 5000, np.int16)
    say(hearing, tone, 10.0)
    say(hearing, np.concatenate([np.zeros(RATE // 10, np.int16), tone]), 12.0)
    assert hearing.first_sound_after(10.2) == pytest.approx(10.2)
    assert hearing.first_sound_after(10.6) == pytest.approx(12.1)
    assert hearing.first_sound_after(12.7) is None


def test_packets_that_come_late_together_are_no_gap(phrasebook: Phrasebook) -> None:
    hearing = Hearing(phrasebook)
    say(hearing, np.full(RATE, 5000, np.int16), 0.0)
    hearing.add(np.full(RATE // 2, 5000, np.int16), 1.48)
    assert hearing.first_sound_after(1.4) == pytest.approx(1.4)
    assert hearing.seconds == 1.5


def test_sound_that_nobody_looked_at_is_told(phrasebook: Phrasebook) -> None:
    hearing = Hearing(phrasebook)
    behind = []
    for second in (1.0, 2.0):
        say(hearing, np.full(RATE, 500, np.int16), second)
        behind.append(hearing.is_behind)
    hearing.recognise()
    assert [*behind, hearing.is_behind] == [False, True, False]


def test_dead_air_is_silence_of_more_than_two_seconds(phrasebook: Phrasebook) -> None:
    hearing = Hearing(phrasebook)
    tone = np.full(RATE, 5000, np.int16)
    say(hearing, tone, 1.0)
    say(hearing, tone, 3.5)
    say(hearing, tone, 8.0)
    spans = hearing.dead_air(0.0, 12.5)
    assert [at for at, _ in spans] == pytest.approx([4.48, 8.98], abs=0.03)
    assert [seconds for _, seconds in spans] == pytest.approx([3.52, 3.52], abs=0.03)


def test_nothing_heard_is_dead_air_from_end_to_end(phrasebook: Phrasebook) -> None:
    assert Hearing(phrasebook).dead_air(3.0, 9.0) == [(3.0, 6.0)]


def test_the_recording_keeps_gaps_as_silence(phrasebook: Phrasebook, tmp_path: Path) -> None:
    hearing = Hearing(phrasebook)
    tone = np.full(RATE, 5000, np.int16)
    say(hearing, tone, 11.0)
    say(hearing, tone, 14.0)
    hearing.save(tmp_path / "heard.wav", 10.0)
    with wave.open(str(tmp_path / "heard.wav")) as recording:
        sound = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
    loud = np.abs(sound) > 0
    assert len(sound) == 5 * RATE
    assert [bool(loud[int(at * RATE)]) for at in (0.5, 1.5, 2.5, 3.5, 4.5)] == [
        *(False, True, False, False, True)
    ]


def test_a_sound_that_was_not_built_is_a_clear_error(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="run `saldo prompts build`"):
        Phrasebook.load(catalogue, tmp_path)


def test_a_variant_for_a_later_attempt_is_the_phrase_but_another_phrase_is_not() -> None:
    assert is_variant(plain_id("ask_expiry.attempt2"), "ask_expiry")
    assert is_variant("ask_security_code_amex_attempt2", "ask_security_code")
    assert not is_variant("ask_expiry", "ask_expiry_attempt2")
    assert not is_variant("declined_final", "declined")


def test_silence_is_dead_air_only_after_the_last_key() -> None:
    presses = [Press(10.0, 14.0), Press(30.0, 30.2)]
    silences = [(9.8, 5.0), (20.0, 4.0), (30.1, 2.7)]
    ((at, seconds),) = after_turns(silences, presses)
    assert (at, round(seconds, 3)) == (30.2, 2.6)


def test_a_silence_that_the_caller_fills_is_no_dead_air() -> None:
    assert after_turns([(1.0, 9.0)], [Said(0.5, 1.5), Said(1.6, 12.0)]) == []
    assert after_turns([(1.0, 9.0)], [Said(0.5, 1.5), Said(5.0, 12.0)]) == [(1.5, 3.5)]


def test_a_call_in_which_nothing_was_heard_is_saved_as_an_empty_recording(
    phrasebook: Phrasebook, tmp_path: Path
) -> None:
    Hearing(phrasebook).save(tmp_path / "silent.wav", 0.0)
    with wave.open(str(tmp_path / "silent.wav")) as recording:
        assert recording.getnframes() == 0
