"""`saldo speech install` and `saldo speech test`: what they print, and their exit status."""

from __future__ import annotations

import json
import re
import tomllib
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ivr.settings import PROJECT
from tests.cli.terminal import Typed, saldo
from tests.fakes.mirror import ENGLISH, SPANISH, FakeMirror, serving, zipped

SHIPPED = PROJECT / "grammars/models"


@pytest.fixture(scope="module")
def mirror() -> Iterator[FakeMirror]:
    with serving() as running:
        running.keep(ENGLISH, "en-us", zipped(ENGLISH, SHIPPED / "en"))
        running.keep(SPANISH, "es", zipped(SPANISH, SHIPPED / "es"))
        yield running


@pytest.fixture
def install(typed: Typed, mirror: FakeMirror, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return lambda *words: typed("speech", "install", *words, "--from", mirror.base)


def test_models_are_installed_and_their_settings_told(install: Typed, tmp_path: Path) -> None:
    ran = install("en", "es", "en", "--folder", "my models")
    assert (ran.status, ran.err) == (0, "")
    folder = tmp_path / "my models"
    first, second, *_ = ran.out.splitlines()
    assert first == f"en: {ENGLISH} is now in {folder}/en, 8000 samples a second"
    assert second.startswith(f"es: {SPANISH} is now in ")
    toml = re.search(r"\[speech\.models\]\n(?:  \w\w = .*\n)+", ran.out)
    assert toml is not None
    named = tomllib.loads(toml[0])["speech"]["models"]
    assert named == {"en": f"{folder}/en", "es": f"{folder}/es"}
    assert f"SALDO_SPEECH__MODELS__EN='{folder}/en'" in ran.out


def test_a_model_that_is_there_is_told_and_left_alone(
    install: Typed, mirror: FakeMirror, tmp_path: Path
) -> None:
    install("es", "--folder", "models")
    asked = len(mirror.asked)
    ran = install("es", "--folder", "models")
    assert ran.status == 0
    assert f"es: is there already: {tmp_path}/models/es" in ran.out
    assert "SALDO_SPEECH__MODELS__ES=" in ran.out
    assert len(mirror.asked) == asked


def test_a_language_that_callers_do_not_speak_is_a_wrong_use(install: Typed) -> None:
    ran = install("en", "fr", "--folder", "models")
    assert ran.status == 2
    assert ran.complaint.startswith("saldo: invalid value: callers speak en or es, not 'fr'")
    assert not Path("models").exists()


def test_a_language_left_out_is_a_wrong_use(typed: Typed) -> None:
    ran = typed("speech", "install")
    assert ran.status == 2
    assert ran.complaint.startswith("saldo: missing argument 'en|es...'")


def test_a_mirror_that_is_away_is_one_line_and_leaves_nothing(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ran = typed("speech", "install", "en", "--folder", "m", "--from", "http://127.0.0.1:9")
    assert ran.status == 1
    assert "(Connection refused): check the network" in ran.complaint
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def listen(typed: Typed) -> Typed:
    """`saldo speech test`."""
    return lambda *words: typed("speech", "test", *words)


def test_the_shipped_models_pass_their_self_test(tmp_path: Path) -> None:
    ran = saldo("speech", "test", "--models", "shipped", "--json", folder=tmp_path, more={})
    results = json.loads(ran.out)
    assert [one for one in results if not one["passed"]] == []
    assert (ran.status, ran.err) == (0, "")
    assert {one["language"] for one in results} == {"en", "es"}
    assert {"yes_no", "digits", "name"} <= {one["question"] for one in results}


def test_the_table_says_that_shipped_models_understand_no_people(
    listen: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_SPEECH__MODELS__EN", "shipped")
    ran = listen("en", "--say", "yes please")
    assert (ran.status, ran.err) == (0, "")
    assert "yes please" in ran.out
    assert "1 of 1 as it should be" in ran.out
    assert "understands synthetic voices only, not people: run `saldo speech install`" in ran.out
    assert "[speech] models" in ran.out


def test_a_voice_with_noise_is_understood(listen: Typed) -> None:
    say = ("--say", "uno cero cuatro dos", "--question", "digits")
    how = ("--voice", "es+f2", "--rate", "140", "--noise-db", "20")
    ran = listen("es", "--models", "shipped", "--json", *say, *how)
    (result,) = json.loads(ran.out)
    assert (result["meaning"], result["expected"], ran.status) == ("1042", None, 0)


def test_what_is_no_answer_fails_with_what_was_heard(listen: Typed) -> None:
    say = ("--say", "one two three four")
    ran = listen("en", "--models", "shipped", "--json", *say)
    (result,) = json.loads(ran.out)
    assert ran.status == 1
    assert (result["meaning"], result["why"]) == (None, "no answer to this question")
    assert "three" in result["heard"]


def recording(file: Path, rate: int, seconds: float) -> Path:
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes(np.zeros(round(rate * seconds), "<i2").tobytes())
    return file


def test_a_recording_of_any_rate_is_listened_to(listen: Typed, tmp_path: Path) -> None:
    silent = str(recording(tmp_path / "silent.wav", 44100, 1.0))
    ran = listen("en", "--models", "shipped", "--json", "--wav", silent)
    (result,) = json.loads(ran.out)
    assert (result["said"], result["why"]) == ("silent.wav", "nothing was said")
    assert ran.status == 1


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        ((), 2, "no speech model is named for en or es"),
        (("es",), 2, "no speech model is named for es: run `saldo speech install`"),
        (("--models", "nowhere"), 2, "there is no en or es in nowhere"),
        (("--say", "x", "--wav", "y"), 2, "give --say or --wav, not both"),
        (("--models", "shipped", "--voice", "klingon"), 2, "espeak-ng has no voice 'klingon'"),
        (("--models", "shipped", "--wav", "nowhere.wav"), 1, "save the recording as 16-bit PCM"),
        (("--models", "shipped", "--say", "x", "--question", "x"), 1, "there is no question 'x'"),
        (("--rate", "9999"), 2, "should be less than or equal to 400"),
    ],
)
def test_a_wrong_use_is_one_line(
    listen: Typed, words: tuple[str, ...], status: int, complaint: str
) -> None:
    ran = listen(*words)
    assert (ran.status, ran.out) == (status, "")
    assert complaint in ran.complaint


def test_a_recording_that_is_too_long_is_one_line(listen: Typed, tmp_path: Path) -> None:
    long = str(recording(tmp_path / "long.wav", 8000, 61))
    ran = listen("en", "--models", "shipped", "--wav", long)
    assert ran.status == 1
    assert "is longer than 60 s: cut it to one answer" in ran.complaint


def test_a_broken_model_is_one_line(
    listen: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "en").mkdir()
    monkeypatch.setenv("SALDO_SPEECH__MODELS__EN", str(tmp_path / "en"))
    ran = listen()
    assert ran.status == 1
    assert "[speech] models.en" in ran.complaint
