"""Each text gets its own sound, and no hang or crash of the synthesiser outlives a sentence."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from ivr.speech.errors import SynthesisError, SynthesisTimeoutError, UnknownPhraseError
from ivr.speech.tts import Tone, Tts


def text_of(words: int) -> str:
    return " ".join(["payment"] * words)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_fifty_texts_of_mixed_length_on_two_workers_are_all_there_and_none_is_swapped(
    tts: Tts, tmp_path: Path
) -> None:
    lengths = [(7 * number) % 13 + 1 for number in range(50)]
    sizes = await asyncio.gather(
        *(
            tts.speak(text_of(words), "en", tmp_path / f"{number}")
            for number, words in enumerate(lengths)
        )
    )
    assert len(tts.pids()) == 2
    seconds = [len((tmp_path / f"{number}.ulaw").read_bytes()) / 8000 for number in range(50)]
    assert [size[".ulaw"] / 8000 for size in sizes] == seconds
    reference = {
        words: (await tts.speak(text_of(words), "en", tmp_path / "reference"))[".ulaw"] / 8000
        for words in set(lengths)
    }
    # Neighbouring lengths differ by a word, some 0.4 s; the engine's own variation is 3 %.
    for words, heard in zip(lengths, seconds, strict=True):
        assert heard == pytest.approx(reference[words], rel=0.04, abs=0.05)
    assert reference[13] > 2 * reference[5] > 4 * reference[1]


async def test_the_same_texts_in_the_same_order_sound_the_same_at_any_time(tmp_path: Path) -> None:
    first = await sounds_of_breath(tmp_path)
    await asyncio.sleep(1.01 - time.time() % 1)  # the engine's own noise begins with the second
    assert await sounds_of_breath(tmp_path) == first


async def sounds_of_breath(folder: Path) -> list[bytes]:
    """Of a new process."""
    tts = Tts(workers=1, tones={"en": Tone("en-US+f5")})
    sounds = []
    try:
        for text in ("good grief", "yes please"):
            await tts.speak(text, "en", folder / text)
            sounds.append((folder / f"{text}.ulaw").read_bytes())
    finally:
        await tts.aclose()
    return sounds


async def test_a_worker_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    tts = Tts(workers=1, job_seconds=0.5)
    try:
        await tts.speak("one", "en", tmp_path / "one")
        (stuck,) = tts.pids()
        os.kill(stuck, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(SynthesisTimeoutError, match=r"0\.5 s"):
            await tts.speak("two", "en", tmp_path / "two")
        assert time.monotonic() - began < 2
        assert not (tmp_path / "two.ulaw").exists()
        with pytest.raises(ProcessLookupError):
            os.kill(stuck, 0)
        assert (await tts.speak("three", "en", tmp_path / "three"))[".ulaw"] > 0
        assert tts.pids() not in ((), (stuck,))
    finally:
        await tts.aclose()


async def test_a_worker_that_died_between_two_texts_costs_no_text(tmp_path: Path) -> None:
    tts = Tts(workers=1)
    try:
        await tts.speak("one", "en", tmp_path / "one")
        os.kill(tts.pids()[0], signal.SIGKILL)
        assert (await tts.speak("two", "en", tmp_path / "two"))[".ulaw"] > 0
    finally:
        await tts.aclose()


async def test_a_cancelled_text_never_answers_the_next_one(tmp_path: Path) -> None:
    tts = Tts(workers=1)
    try:
        await tts.speak("start", "en", tmp_path / "start")
        long = asyncio.create_task(tts.speak(text_of(3000), "en", tmp_path / "long"))
        await asyncio.sleep(0.02)
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        after = await tts.speak("two", "en", tmp_path / "two")
        assert after[".ulaw"] / 8000 < 2
        assert (tmp_path / "two.ulaw").exists()
    finally:
        await tts.aclose()


async def test_the_text_and_our_environment_are_not_seen_in_the_process_list(
    tts: Tts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_SECRET", "swordfish")
    await tts.speak("confidential name", "en", tmp_path / "name")
    for pid in tts.pids():
        process = Path("/proc") / str(pid)
        assert b"confidential" not in (process / "cmdline").read_bytes()
        assert b"swordfish" not in (process / "environ").read_bytes()


async def test_what_cannot_be_spoken_is_an_error_and_the_worker_goes_on(
    tts: Tts, tmp_path: Path
) -> None:
    with pytest.raises(SynthesisError, match="empty or silent"):
        await tts.speak("  ", "en", tmp_path / "nothing")
    with pytest.raises(SynthesisError):
        await tts.speak("hello", "en", Path("/proc/no/such/place"))
    with pytest.raises(UnknownPhraseError, match="'fr'"):
        await tts.speak("bonjour", "fr", tmp_path / "bonjour")
    assert (await tts.speak("hello", "en", tmp_path / "hello"))[".ulaw"] > 0
    assert names_in(tmp_path) == [
        "hello.alaw",
        "hello.sln16",
        "hello.ulaw",
    ]


async def test_a_voice_that_does_not_exist_is_said_so_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    tts = Tts(workers=1, tones={"en": Tone("no-such-voice")})
    try:
        with pytest.raises(SynthesisError, match="no voice 'no-such-voice'"):
            await tts.speak("hello", "en", tmp_path / "hello")
        assert names_in(tmp_path) == []
    finally:
        await tts.aclose()


async def test_closing_ends_every_process_and_later_texts_are_refused(tmp_path: Path) -> None:
    tts = Tts(workers=2)
    await asyncio.gather(*(tts.speak("hello", "en", tmp_path / f"{n}") for n in range(2)))
    pids = tts.pids()
    assert len(pids) == 2
    await tts.aclose()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(SynthesisError, match="closed"):
        await tts.speak("hello", "en", tmp_path / "late")
