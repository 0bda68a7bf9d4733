"""Keys in recordings: found in any telephone sound, and never in speech, noise or silence."""

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from ivr.lab.errors import LabError
from ivr.lab.phrasebook import Samples
from ivr.lab.speaking import NOISES, Utterance, synthesise, voice_file
from ivr.lab.tones import COLUMNS_HZ, KEYS, RATE, ROWS_HZ, channels, keyed, keys_heard, tones
from ivr.speech.catalogue import Catalogue
from ivr.speech.g711 import from_alaw, from_ulaw, to_alaw, to_ulaw
from tests.lab.company_voice import sound_of

CARD = "4111111111111111#"
EVERY_KEY = "159D26A37B480*#C"
LAWS = ("ulaw", "alaw")


def through(law: str, sound: Samples) -> Samples:
    return from_ulaw(to_ulaw(sound)) if law == "ulaw" else from_alaw(to_alaw(sound))


def noise(seconds: float, level: float) -> Samples:
    random = np.random.default_rng(7)
    sound = random.normal(0, level, round(seconds * RATE))
    return sound.clip(-32768, 32767).astype(np.int16)


def mixed(*sounds: Samples) -> Samples:
    length = max(len(sound) for sound in sounds)
    padded = [np.pad(sound.astype(np.int32), (0, length - len(sound))) for sound in sounds]
    both: Samples = np.sum(padded, axis=0).clip(-32768, 32767).astype(np.int16)
    return both


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("held", "pause"), [(0.04, 0.04), (0.1, 0.1), (0.25, 0.02)])
@pytest.mark.parametrize("level", [300.0, 5000.0, 14000.0])
def test_every_key_is_heard_through_g711(law: str, held: float, pause: float, level: float) -> None:
    sound = through(law, keyed(EVERY_KEY + CARD, held, pause, level))
    assert keys_heard(sound) == EVERY_KEY + CARD


def test_a_tone_says_when_it_was_and_for_how_long() -> None:
    sound = np.concatenate([np.zeros(RATE, np.int16), keyed("5", held=0.08)])
    (tone,) = tones(sound)
    assert tone.at == pytest.approx(1.0, abs=0.01)
    assert tone.seconds == pytest.approx(0.08, abs=0.01)


def test_what_prints_a_tone_prints_no_key() -> None:
    first, second = tones(keyed("45"))
    assert (first.key, second.key) == ("4", "5")
    assert repr(first) == f"Tone(at={first.at:.3f}, seconds={first.seconds:.3f})"


@pytest.mark.parametrize("begins", range(0, 80, 9))
def test_a_fragment_of_20_ms_is_heard_wherever_it_begins(begins: int) -> None:
    """In-band tones bleed at least 25 ms before a PBX mutes them."""
    for key in KEYS:
        bleed = np.concatenate([np.zeros(begins, np.int16), keyed(key, held=0.02)])
        assert keys_heard(from_ulaw(to_ulaw(bleed))) == key


def test_shorter_tones_than_asked_for_are_left_out() -> None:
    sound = np.concatenate([keyed("1", held=0.025), keyed("2", held=0.06)])
    assert keys_heard(sound, shortest=0.04) == "2"


@pytest.mark.parametrize("off", [0.985, 1.015])
def test_a_tone_that_is_as_far_off_as_q24_allows_is_heard(off: float) -> None:
    instants = np.arange(round(0.06 * RATE)) / RATE
    for place, key in enumerate(KEYS):
        row, column = ROWS_HZ[place // 4] * off, COLUMNS_HZ[place % 4] * off
        pair = np.sin(2 * np.pi * row * instants) + np.sin(2 * np.pi * column * instants)
        assert keys_heard((5000 * pair).astype(np.int16)) == key


@pytest.mark.parametrize("louder", ["row", "column"])
def test_one_frequency_may_be_8_db_louder_than_the_other(louder: str) -> None:
    instants = np.arange(round(0.06 * RATE)) / RATE
    low, high = (5000.0, 2000.0) if louder == "row" else (2000.0, 5000.0)
    pair = low * np.sin(2 * np.pi * 770 * instants) + high * np.sin(2 * np.pi * 1336 * instants)
    assert keys_heard(pair.astype(np.int16)) == "5"


def test_keys_are_heard_through_the_noise_of_a_line() -> None:
    sound = mixed(keyed(CARD, held=0.06, pause=0.05), noise(3.0, 1000.0))
    assert keys_heard(sound) == CARD


def test_keys_are_heard_in_a_long_recording_at_the_borders_of_its_pieces() -> None:
    quiet = np.zeros(round(19.97 * RATE), np.int16)
    sound = np.concatenate([quiet, keyed("46"), quiet, keyed("80"), quiet])
    assert keys_heard(sound) == "4680"


@pytest.mark.parametrize("law", LAWS)
def test_nothing_is_heard_in_silence_in_noise_and_in_a_flat_tone(law: str) -> None:
    instants = np.arange(RATE) / RATE
    flat = [2000 * np.sin(2 * np.pi * hz * instants) for hz in (425, 440, 697, 941, 1000, 1336)]
    for sound in (np.zeros(RATE, np.int16), noise(60, 30.0), noise(60, 3000.0), *flat):
        assert tones(through(law, sound.astype(np.int16))) == []


def test_nothing_is_heard_in_what_an_announcer_says(catalogue: Catalogue, sounds: Path) -> None:
    phrases = [phrase for phrase in catalogue.phrases() if phrase.fixed]
    assert len(phrases) > 100
    for phrase in phrases:
        assert tones(sound_of(phrase, sounds)) == [], phrase.id


def test_nothing_is_heard_in_what_callers_say_and_in_their_noises() -> None:
    voices = [voice_file(name) for name in ("en-us", "en-us+f4", "en-gb-x-rp+m3", "es", "es+f5")]
    words = ["four one one one", "nine six two seven", "cuatro uno seis dos", "sí, por favor"]
    spoken = [Utterance(word, voice) for word in words for voice in voices if voice]
    heard = asyncio.run(synthesise([*spoken, *(Utterance(noise=kind) for kind in NOISES)]))
    assert len(heard) == 24
    for utterance, speech in heard.items():
        assert tones(from_ulaw(to_ulaw(speech.samples))) == [], str(utterance)


def test_nothing_is_heard_where_there_is_less_than_a_window() -> None:
    assert tones(np.zeros(0, np.int16)) == []
    assert tones(keyed("1", held=0.009, pause=0.0)) == []


def test_every_channel_of_a_recording_is_listened_to(tmp_path: Path) -> None:
    caller, agent = keyed("4111"), keyed("*0*#")
    file = tmp_path / "call.wav"
    with wave.open(str(file), "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(RATE)
        recording.writeframes(np.stack([caller, agent], axis=1).tobytes())
    assert [keys_heard(sound) for sound in channels(file)] == ["4111", "*0*#"]


@pytest.mark.parametrize("kind", [".ulaw", ".alaw", ".sln", ".sln16"])
def test_the_pbx_s_own_formats_are_listened_to(tmp_path: Path, kind: str) -> None:
    sound, wide = keyed("90210"), np.repeat(keyed("90210"), 2)
    file = tmp_path / f"said{kind}"
    whole = {".ulaw": to_ulaw(sound), ".alaw": to_alaw(sound), ".sln": sound.tobytes()}
    file.write_bytes(whole.get(kind, wide.tobytes() + b"\0"))
    assert [keys_heard(heard) for heard in channels(file)] == ["90210"]


def test_what_is_no_recording_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for name, data in (("a.wav", b"RIFF"), ("b.gsm", b""), ("c.wav", b"")):
        file = tmp_path / name
        file.write_bytes(data)
        with pytest.raises(LabError, match="cannot be listened to"):
            channels(file)
