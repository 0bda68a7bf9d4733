"""A build makes every sound once, and again only what changed or was damaged."""

import asyncio
import json
import shutil
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from ivr.speech import prompts, spoken
from ivr.speech.catalogue import Catalogue
from ivr.speech.errors import SpeechError
from ivr.speech.g711 import from_ulaw
from ivr.speech.sound import LEVEL_DBFS
from ivr.speech.tts import Job, Tts

EN = 'hi = "Hello."\nowe = "You owe {amount} today."\n'
ES = 'hi = "Hola."\nowe = "Hoy debe {amount} en total."\n'


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(spoken, "vocabulary", lambda _: ("one", spoken.PAUSE))
    folder = tmp_path / "audio-prompts"
    for language, text in (("en", EN), ("es", ES)):
        (folder / language).mkdir(parents=True)
        (folder / language / "catalogue.toml").write_text(text, encoding="utf-8")
    return folder


async def build(folder: Path, tts: Tts) -> prompts.Built:
    return await prompts.build(Catalogue.load(folder), folder, folder.parent / "sounds", tts)


async def test_building_again_does_no_work(small: Path, tts: Tts) -> None:
    first = await build(small, tts)
    assert (first.made, first.kept) == (10, 0)
    idle = Tts()
    second = await build(small, idle)
    assert (second.made, second.kept, second.removed) == (0, 10, 0)
    assert idle.pids() == ()


async def test_only_a_changed_text_is_made_again(small: Path, tts: Tts) -> None:
    await build(small, tts)
    catalogue = small / "en" / "catalogue.toml"
    catalogue.write_text(EN.replace("today", "this month"), encoding="utf-8")
    assert (await build(small, tts)).made == 1


async def test_a_damaged_or_lost_file_is_made_again(small: Path, tts: Tts) -> None:
    await build(small, tts)
    sounds = small.parent / "sounds"
    (sounds / "en" / "hi-1.alaw").write_bytes(b"")
    (sounds / "es" / "fragments" / "one.ulaw").unlink()
    assert (await build(small, tts)).made == 2
    assert (sounds / "en" / "hi-1.alaw").stat().st_size > 1000


async def test_the_sounds_of_a_removed_phrase_go(small: Path, tts: Tts) -> None:
    await build(small, tts)
    for language in ("en", "es"):
        (small / language / "catalogue.toml").write_text('hi = "Hello."', encoding="utf-8")
    built = await build(small, tts)
    assert built.removed == 4
    assert not list((small.parent / "sounds").rglob("owe*"))


async def test_a_recording_takes_the_place_of_the_voice(small: Path, tts: Tts) -> None:
    await build(small, tts)
    samples = np.sin(np.arange(44100 * 2) / 20) * 10000
    with wave.open(str(small / "en" / "hi.wav"), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(44100)
        recording.writeframes(samples.astype("<i2").tobytes())
    assert (await build(small, tts)).made == 1
    sound = small.parent / "sounds" / "en" / "hi-1.ulaw"
    assert sound.stat().st_size / 8000 == pytest.approx(2.12, abs=0.05)


async def test_a_broken_recording_is_named(small: Path, tts: Tts) -> None:
    (small / "en" / "hi.wav").write_bytes(b"no wav")
    with pytest.raises(SpeechError, match=r"en/hi-1 could not be made: .*16-bit PCM"):
        await build(small, tts)
    (small / "en" / "hi.wav").unlink()
    assert (await build(small, tts)).kept < 10


async def test_an_interrupted_build_keeps_what_it_made_and_leaves_nothing_half(
    small: Path, tts: Tts
) -> None:
    sounds = small.parent / "sounds"
    building: list[asyncio.Task[prompts.Built]] = []

    def interrupt(done: int, _total: int) -> None:
        if done == 4:
            building[0].cancel()

    catalogue = Catalogue.load(small)
    building.append(asyncio.create_task(prompts.build(catalogue, small, sounds, tts, interrupt)))
    with pytest.raises(asyncio.CancelledError):
        await building[0]
    kept = len(json.loads((sounds / prompts.MANIFEST).read_text()))
    assert 4 <= kept < 10
    (sounds / "en" / ".hi-1.ulaw.77.part").write_bytes(b"killed in the middle")
    again = await build(small, tts)
    assert (again.made, again.kept) == (10 - kept, kept)
    assert not list(sounds.rglob("*.part"))


async def test_two_builds_of_one_folder_wait_for_each_other(small: Path, tts: Tts) -> None:
    both = await asyncio.gather(build(small, tts), build(small, tts))
    assert sorted(built.made for built in both) == [0, 10]


async def test_an_unreadable_manifest_only_costs_a_build(small: Path, tts: Tts) -> None:
    await build(small, tts)
    (small.parent / "sounds" / prompts.MANIFEST).write_text("{")
    assert (await build(small, tts)).made == 10


def test_a_part_before_a_gap_ends_openly(small: Path) -> None:
    made = dict(prompts.jobs(Catalogue.load(small), small, Path("/sounds")))
    assert made["en/owe-1"].text == "You owe,"
    assert made["en/owe-2"].text == "today."
    assert made["en/fragments/one"] == Job(
        Path("/sounds/en/fragments/one"),
        "one,",
        "en",
        prompts.FRAGMENT_MARGIN_MS,
        pace=prompts.FRAGMENT_PACE,
    )
    assert made["en/fragments/pause"].silence_seconds == pytest.approx(0.15)


def test_the_shipped_prompts_are_all_audible_at_one_level(built: Path) -> None:
    files = [file for file in built.rglob("*.ulaw") if file.stem != spoken.PAUSE]
    assert len(files) > 500
    for file in files:
        signal = from_ulaw(file.read_bytes()).astype(float) / 32768
        frames = np.sqrt(np.mean(signal.reshape(-1, 160) ** 2, axis=1))
        speech = frames[frames > frames.max() / 31.6]
        level = 20 * np.log10(np.sqrt(np.mean(speech**2)))
        assert level == pytest.approx(LEVEL_DBFS, abs=1.0), file
        assert 0.1 < len(signal) / 8000 < 16, file
        assert np.abs(signal).max() < 0.97, file


async def test_a_second_build_of_everything_is_quick(
    built: Path, catalogue: Catalogue, prompts_folder: Path, tmp_path: Path
) -> None:
    sounds = Path(shutil.copytree(built, tmp_path / "sounds"))
    began = time.process_time()
    again = await prompts.build(catalogue, prompts_folder, sounds, Tts())
    assert again.made == 0
    assert time.process_time() - began < 0.3
