"""A speech model's folder that is broken is told in one sentence, and never crashes us."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.settings import PROJECT
from ivr.speech import models
from ivr.speech.errors import ModelError
from ivr.speech.models import prove, rate_of

OURS = PROJECT / "grammars/models/en"
SETTING = "[speech] models.en"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OURS, tmp_path / "en"))


def cut(name: str) -> Callable[[Path], None]:
    """Keep half of a file, as a copy that was interrupted does."""

    def spoil(folder: Path) -> None:
        file = folder / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return spoil


def emptied(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(b"")

    return spoil


def test_a_good_model_tells_its_rate(folder: Path) -> None:
    assert prove(folder, SETTING) == 8000


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (cut("am/final.mdl"), "Vosk cannot load it: Failed to read data"),
        (cut("graph/HCLr.fst"), "Vosk crashes on it: Failed to read"),
        (emptied("graph/HCLr.fst"), "Vosk crashes on it"),
        (cut("graph/Gr.fst"), "Vosk cannot load it: .*Gr.fst"),
        (emptied("conf/model.conf"), "Vosk crashes on it"),
        (cut("graph/disambig_tid.int"), "Vosk crashes on it"),
    ],
    ids=["network", "graph", "no graph", "words", "decoding", "ids"],
)
def test_a_broken_file_is_one_sentence(
    folder: Path, spoil: Callable[[Path], None], why: str
) -> None:
    spoil(folder)
    with pytest.raises(ModelError, match=why) as caught:
        prove(folder, SETTING)
    text = str(caught.value)
    assert text.startswith(f"The speech model in {folder} ({SETTING}) is broken (")
    assert "saldo speech install" in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["am/final.mdl", "graph/Gr.fst", "graph/HCLr.fst"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name}: it is incomplete"):
        prove(folder, SETTING)


@pytest.mark.parametrize("rate", ["11025", "44100", "8k"])
def test_a_model_of_a_rate_that_asterisk_lacks_is_refused(folder: Path, rate: str) -> None:
    (folder / "conf/mfcc.conf").write_text(f"--sample-frequency={rate}\n")
    with pytest.raises(ModelError, match=f"made for {rate} samples a second; Asterisk gives 8000"):
        prove(folder, SETTING)


def test_a_rate_that_is_not_told_is_kaldis_own(folder: Path) -> None:
    (folder / "conf/mfcc.conf").write_text("--use-energy=false\n")
    assert rate_of(folder, SETTING) == 16000


def test_a_model_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no speech model .* run `saldo speech install`"):
        prove(tmp_path / "nowhere", SETTING)


def test_a_model_that_never_loads_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "TRIAL_SECONDS", 0.01)
    with pytest.raises(ModelError, match="it did not load within"):
        prove(folder, SETTING)
