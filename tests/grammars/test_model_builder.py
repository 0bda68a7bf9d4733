from pathlib import Path

import pytest

from grammars.build import names
from grammars.build.dice import Dice
from grammars.build.espeak import Espeak, SynthesisError, Tone, own_data
from grammars.build.phones import FLITE, NOISE, SILENCE, SOUNDS, UnknownSoundError
from grammars.build.vocabulary import load

WORDS = Path(__file__).parents[2] / "grammars/words"


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    return Espeak()


def test_every_sound_has_its_place_in_the_wave(espeak: Espeak) -> None:
    spoken = espeak.say("four two", Tone("en-us"))
    starts = [sound.start for sound in spoken.sounds]
    assert spoken.words[0][0].name == "f"
    assert starts == sorted(starts)
    assert starts[-1] <= spoken.wave.size


def test_a_pause_between_words_is_a_sound_without_a_name(espeak: Espeak) -> None:
    spoken = espeak.say("four, two", Tone("en-us"))
    assert spoken.words[0][-1].name == ""


def test_a_voice_that_is_not_there_is_refused_by_name(espeak: Espeak) -> None:
    with pytest.raises(SynthesisError, match="no voice xx-nowhere"):
        espeak.say("four", Tone("xx-nowhere"))


def test_a_sound_of_the_other_language_becomes_sounds_of_this_one() -> None:
    assert SOUNDS["es"].of("ˈɔːɹ") == ("o", "ɾ")
    assert SOUNDS["en"].of("x") == ("h",)


def test_a_sound_that_the_table_lacks_is_named() -> None:
    with pytest.raises(UnknownSoundError, match="ʘ"):
        SOUNDS["en"].of("ʘ")


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_tables_lead_to_sounds_that_the_model_has(language: str) -> None:
    sounds = SOUNDS[language]
    assert sounds.names[:2] == (SILENCE, NOISE)
    assert {name for means in sounds.from_ipa.values() for name in means} <= set(sounds.names)


def test_what_flite_calls_its_sounds_leads_to_english_ones() -> None:
    assert {name for means in FLITE.values() for name in means} <= set(SOUNDS["en"].names)


def test_an_invented_speaker_is_the_same_for_a_seed_and_speaks_at_once(tmp_path: Path) -> None:
    engine = Espeak(own_data(tmp_path))
    speaker = tmp_path / "espeak-ng-data/voices/!v/en00"
    written, lengths = [], []
    for seed in (1, 6, 1):
        engine.invent("en00", Dice(seed))
        written.append(speaker.read_text())
        lengths.append(engine.say("four two", Tone("en-us+en00")).wave.size)
    assert written[0] == written[2] != written[1]
    assert lengths[1] > 1.05 * lengths[0]


def test_chance_is_the_same_for_a_seed() -> None:
    assert [Dice(5).come_up(0.5) for _ in range(9)] == [Dice(5).come_up(0.5) for _ in range(9)]


def test_two_spellings_of_a_name_are_plainly_one() -> None:
    assert names.plain("muñoz") == names.plain("munoz")
    assert names.plain("garcía") == "garcia"


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_list_holds_a_name_once_and_in_lower_case(language: str) -> None:
    words = load(WORDS, language)
    for group in (words.given, words.surnames):
        assert len(group) == len({names.plain(name) for name in group})
        assert all(name == name.lower() for name in group)


def test_a_letter_is_said_by_its_name() -> None:
    assert load(WORDS, "en").said("w") == ("double you",)
    assert load(WORDS, "en").said("z") == ("zed", "zee")
    assert load(WORDS, "es").said("ñ") == ("eñe",)
