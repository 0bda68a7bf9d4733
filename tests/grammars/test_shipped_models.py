import csv
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import vosk

from grammars.build.espeak import Espeak, Tone
from grammars.build.vocabulary import UNKNOWN, Vocabulary, load
from ivr.speech.grammar import load as grammars

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "grammars/models"
COMPANY = ROOT / "ivr/lab/company/customers.csv"
RATE_HZ = 8000
LANGUAGES = ("en", "es")
LARGEST_BYTES = 8_000_000
# Voices, rates and pitches that no training utterance had.
STRANGERS = {
    "en": (Tone("en-us+f5", 162, 55), Tone("en+m8", 162, 40), Tone("en-gb-x-rp+Andrea", 162, 50)),
    "es": (Tone("es+f5", 162, 55), Tone("es-419+m8", 162, 40), Tone("es+Andrea", 162, 50)),
}
DIGITS = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "es": ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"),
}


@cache
def model(language: str) -> vosk.Model:
    vosk.SetLogLevel(-1)
    return vosk.Model(str(MODELS / language))


@cache
def engine() -> Espeak:
    return Espeak()


def words_of(language: str) -> set[str]:
    lines = (MODELS / language / "graph/words.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines}


def lists(language: str) -> Vocabulary:
    return load(ROOT / "grammars/words", language)


def said(text: str, tone: Tone) -> bytes:
    """What comes down a quiet line when a stranger says the text."""
    spoken = engine().say(text, tone)
    wave = np.asarray(soxr.resample(spoken.wave, spoken.rate, RATE_HZ))
    quiet = np.zeros(RATE_HZ // 2, np.float32)
    noise = np.random.default_rng(1).normal(0, 0.001, wave.size + 2 * quiet.size)
    line = np.concatenate((quiet, wave / np.abs(wave).max() * 0.4, quiet)) + noise
    return bytes((line * 32767).astype("<i2").tobytes())


def heard(
    language: str, pcm: bytes, grammar: Sequence[str] = (), alternatives: int = 0
) -> Mapping[str, Any]:
    rules = (json.dumps([*grammar, UNKNOWN], ensure_ascii=False),) if grammar else ()
    recogniser = vosk.KaldiRecognizer(model(language), RATE_HZ, *rules)
    recogniser.SetMaxAlternatives(alternatives)
    recogniser.AcceptWaveform(pcm)
    result: Mapping[str, Any] = json.loads(recogniser.FinalResult())
    return result


def strangers() -> list[tuple[str, Tone]]:
    return [(language, tone) for language in LANGUAGES for tone in STRANGERS[language]]


@pytest.mark.parametrize(("language", "tone"), strangers())
def test_every_digit_is_heard_from_voices_that_were_not_in_training(
    language: str, tone: Tone
) -> None:
    for place in (0, 5):
        words = DIGITS[language][place : place + 5]
        pcm = said(" ".join(words), tone)
        assert heard(language, pcm, DIGITS[language])["text"] == " ".join(words)


@pytest.mark.parametrize(("language", "tone"), strangers())
def test_yes_and_no_are_told_apart(language: str, tone: Tone) -> None:
    for word in {"en": ("yes", "no"), "es": ("sí", "no")}[language]:
        grammar = {"en": ("yes", "no"), "es": ("sí", "no")}[language]
        assert heard(language, said(word, tone), grammar)["text"] == word


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "the train to the airport leaves from the other side"),
        ("en", "where did you put my umbrella"),
        ("es", "el tren al aeropuerto sale del otro lado"),
        ("es", "dónde has puesto mi paraguas"),
    ],
)
def test_a_sentence_that_no_grammar_has_is_unknown(language: str, sentence: str) -> None:
    pcm = said(sentence, STRANGERS[language][0])
    grammar = {"en": ("yes", "no"), "es": ("sí", "no")}[language]
    assert UNKNOWN in heard(language, pcm, grammar)["text"]
    assert UNKNOWN in heard(language, pcm, DIGITS[language])["text"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_silence_and_noise_are_no_words(language: str) -> None:
    noise = np.random.default_rng(3).normal(0, 900, 2 * RATE_HZ).astype("<i2").tobytes()
    for pcm in (bytes(4 * RATE_HZ), noise):
        assert heard(language, pcm, DIGITS[language])["text"] in {"", UNKNOWN}


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "james smith"), ("en", "emily clark"), ("es", "lucía navarro"), ("es", "josé molina")],
)
def test_a_full_name_is_heard_without_a_grammar(language: str, name: str) -> None:
    result = heard(language, said(name, STRANGERS[language][0]), alternatives=10)
    assert name in [one["text"].strip() for one in result["alternatives"]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_model_knows_every_word_of_the_lists(language: str) -> None:
    assert set(lists(language).words) | {UNKNOWN} <= words_of(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_model_knows_every_word_of_the_grammars(language: str) -> None:
    for grammar in grammars(ROOT / "grammars")[language]:
        assert grammar.words <= words_of(language), grammar.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_model_knows_every_word_of_the_demo_company(language: str) -> None:
    with COMPANY.open(newline="", encoding="utf-8") as file:
        names = " ".join(row["name"].lower() for row in csv.DictReader(file))
    for word in set(re.findall(r"[^\W\d_]+", names)):
        assert model(language).vosk_model_find_word(word) >= 0, word


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_model_knows_at_least_three_thousand_names(language: str) -> None:
    names = {*lists(language).given, *lists(language).surnames}
    assert len(names & words_of(language)) >= 3000


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_stays_small_and_says_its_rate(language: str) -> None:
    files = [file for file in (MODELS / language).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < LARGEST_BYTES
    configuration = (MODELS / language / "conf/mfcc.conf").read_text()
    assert f"--sample-frequency={RATE_HZ}" in configuration.split()
