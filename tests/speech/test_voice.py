"""A phrase and its values become files that exist, in the order in which they are said."""

import asyncio
import datetime as dt
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from ivr.billing.money import Money
from ivr.speech import free_text
from ivr.speech import voice as voice_of_company
from ivr.speech.catalogue import Catalogue
from ivr.speech.errors import (
    MissingValueError,
    SpeechError,
    UnknownPhraseError,
    UnspeakableError,
)
from ivr.speech.free_text import FreeTexts, speakable
from ivr.speech.tts import Job, Tts
from ivr.speech.voice import Voice, seconds

VALUES: dict[str, object] = {
    "amount": Money(Decimal("42.50"), "EUR"),
    "date": dt.date(2028, 12, 1),
    "count": 21,
    "number": 3,
    "last4": "1111",
    "code": "AB12CD",
    "digits": "18005550100",
    "fee": Money(Decimal("1.50"), "EUR"),
    "brand": "Visa",
    "service": "Fibre",
    "name": "Ana",
}


class NoTts(Tts):
    """Any synthesis is a failure of the test."""

    async def make(self, job: Job) -> Mapping[str, int]:
        pytest.fail(f"{job.file} was synthesised")


@pytest.fixture
def voice(catalogue: Catalogue, built: Path, tts: Tts) -> Voice:
    return Voice(catalogue, built, tts)


def sizes(uri: str) -> set[int]:
    place = uri.removeprefix("sound:")
    return {Path(place + end).stat().st_size for end in (".ulaw", ".alaw", ".sln16")}


def names(uris: list[str], folder: Path) -> list[str]:
    return [uri.removeprefix(f"sound:{folder}/") for uri in uris]


async def test_an_amount_in_a_phrase_is_said_between_its_fixed_parts(
    voice: Voice, built: Path
) -> None:
    said = await voice.sounds("paid", "en", amount=Money.of("42.50", "EUR"))
    assert names(said, built) == [
        "en/paid-1",
        "en/fragments/forty-two",
        "en/fragments/euros",
        "en/fragments/and",
        "en/fragments/fifty",
        "en/fragments/cents",
        "en/paid-2",
    ]


async def test_a_spanish_count_agrees_with_invoices(voice: Voice, built: Path) -> None:
    amount = Money.of("21", "EUR")
    said = names(await voice.sounds("owes_many", "es", count=21, amount=amount), built)
    assert said[:4] == [
        "es/owes_many-1",
        "es/fragments/veintiuna",
        "es/owes_many-2",
        "es/fragments/veintiun",
    ]


async def test_every_phrase_can_be_played_from_files_that_are_there(
    voice: Voice, catalogue: Catalogue
) -> None:
    for phrase in catalogue.phrases():
        said = await voice.sounds(phrase.id, phrase.language, **VALUES)
        assert 0.3 < seconds(said) < 30, phrase.id
        for uri in said:
            assert uri.startswith("sound:/")
            assert "." not in uri.rpartition("/")[2]
            assert min(sizes(uri)) > 0


async def test_a_phrase_without_free_text_needs_no_synthesis(
    catalogue: Catalogue, built: Path
) -> None:
    voice = Voice(catalogue, built, NoTts())
    for phrase in catalogue.phrases():
        if not phrase.gaps & {"name", "service"}:
            await voice.sounds(phrase.id, phrase.language, **VALUES)


async def test_an_expiry_is_said_without_its_day(voice: Voice, built: Path) -> None:
    said = await voice.sounds("expiry_is", "en", date=dt.date(2028, 12, 31))
    assert names(said, built)[1:] == [
        "en/fragments/december",
        "en/fragments/twenty",
        "en/fragments/twenty-eight",
    ]


async def test_a_missing_or_wrong_value_is_named(voice: Voice) -> None:
    with pytest.raises(MissingValueError, match=r"paid needs a value for \{amount\}"):
        await voice.sounds("paid", "en")
    with pytest.raises(MissingValueError, match=r"\{amount\} \(money\), not Decimal"):
        await voice.sounds("paid", "en", amount=Decimal(1))
    with pytest.raises(MissingValueError, match=r"\{service\} \(free\), not int"):
        await voice.sounds("service_back", "en", service=7)
    with pytest.raises(UnknownPhraseError, match="no_such_phrase"):
        await voice.sounds("no_such_phrase", "en")


async def test_a_name_is_synthesised_once_and_then_comes_from_disk(
    voice: Voice, catalogue: Catalogue, built: Path
) -> None:
    first = await voice.sounds("service_back", "es", service="Móvil de Ana")
    assert names(first, built)[0].startswith("dynamic/")
    again = Voice(catalogue, built, NoTts())
    assert await again.sounds("service_back", "es", service="  Móvil  de Ana ") == first
    english = await voice.sounds("service_back", "en", service="Móvil de Ana")
    assert english[0] != first[0]


async def test_a_name_that_cannot_be_said_is_left_out_and_the_rest_is_heard(
    catalogue: Catalogue, built: Path, caplog: pytest.LogCaptureFixture
) -> None:
    closed = Tts()
    await closed.aclose()
    voice = Voice(catalogue, built, closed)
    said = await voice.sounds("service_back", "en", service="Unheard Of")
    assert names(said, built) == ["en/service_back-1"]
    assert "left out" in caplog.text
    assert "Unheard" not in caplog.text


async def test_callers_who_need_the_same_name_share_one_synthesis(
    tmp_path: Path, tts: Tts, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken_texts: list[str] = []
    speak = tts.speak

    async def counted(text: str, language: str, file: Path) -> object:
        spoken_texts.append(text)
        return await speak(text, language, file)

    monkeypatch.setattr(tts, "speak", counted)
    texts = FreeTexts(tmp_path, tts)
    leaver = asyncio.create_task(texts.file("Ana", "es"))
    others = [asyncio.create_task(texts.file("Ana", "es")) for _ in range(5)]
    await asyncio.sleep(0.01)
    leaver.cancel()
    (place,) = set(await asyncio.gather(*others))
    assert place.with_name(place.name + ".ulaw").exists()
    assert spoken_texts == ["Ana"]


async def test_nobody_waits_long_for_a_name(
    tmp_path: Path, tts: Tts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(*_: object) -> None:
        await asyncio.sleep(0.5)

    monkeypatch.setattr(tts, "speak", slow)
    monkeypatch.setattr(free_text, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(SpeechError, match="still being synthesised"):
        await FreeTexts(tmp_path, tts).file("Ana", "es")


async def test_the_cache_of_names_stays_within_its_limit(tmp_path: Path, tts: Tts) -> None:
    texts = FreeTexts(tmp_path, tts, limit_bytes=150_000)
    kept = await texts.file("Number zero", "en")
    for number in ("one", "two", "three", "four", "five", "six"):
        await texts.file(f"Number {number}", "en")
        await texts.file("Number zero", "en")
    total = sum(file.stat().st_size for file in (tmp_path / "dynamic").iterdir())
    assert total <= 150_000
    assert kept.with_name(kept.name + ".ulaw").exists()


def sounds_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


async def gone(folder: Path) -> None:
    for _ in range(250):
        await asyncio.sleep(0.02)
        if not sounds_in(folder):
            return
    pytest.fail(f"still there: {sounds_in(folder)}")


async def test_names_are_no_longer_on_disk_soon_after_they_were_said(
    tmp_path: Path, catalogue: Catalogue, tts: Tts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_of_company, "NAMES_LAST_SECONDS", 0.4)
    voice = Voice(catalogue, tmp_path, tts)
    await voice.sounds("confirm_name", "en", name="James Smith")
    await voice.sounds("name_option", "en", name="Nobody Bears This", number=1)
    assert len(sounds_in(tmp_path / "names")) == 6
    await gone(tmp_path / "names")
    assert sounds_in(tmp_path / "dynamic") == []
    await voice.sounds("confirm_name", "en", name="James Smith")
    await gone(tmp_path / "names")


async def test_a_name_that_is_said_again_stays_as_long_again(tmp_path: Path, tts: Tts) -> None:
    texts = FreeTexts(tmp_path, tts, folder="names", last_seconds=0.5)
    place = await texts.file("James Smith", "en")
    for _ in range(10):
        await asyncio.sleep(0.1)
        assert await texts.file("James Smith", "en") == place
        assert sizes(f"sound:{place}")
    await gone(tmp_path / "names")


async def test_a_start_removes_the_names_that_a_killed_process_left(
    tmp_path: Path, tts: Tts
) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    for name in ("abc.ulaw", ".abc.part"):
        (folder / name).write_bytes(b"sound")
        os.utime(folder / name, (1.0, 1.0))
    (folder / "young.ulaw").write_bytes(b"sound")
    FreeTexts(tmp_path, tts, folder="names", last_seconds=60.0)
    assert sounds_in(folder) == ["young.ulaw"]


async def test_services_stay_on_disk(tmp_path: Path, catalogue: Catalogue, tts: Tts) -> None:
    await Voice(catalogue, tmp_path, tts).sounds("service_back", "en", service="Fibre")
    assert len(sounds_in(tmp_path / "dynamic")) == 3
    assert sounds_in(tmp_path / "names") == []


@pytest.mark.parametrize(
    "text",
    ["4111111111111111", "card 4111 1111 1111 1111", "3782-822463-10005", "12345678901234567890"],
)
def test_what_may_be_a_card_is_neither_spoken_nor_kept(text: str) -> None:
    with pytest.raises(UnspeakableError) as refused:
        speakable(text)
    assert "1111" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Fibra 600", "Fibra 600"),
        ("Línea +34 600111222", "Línea +34 6 0 0 1 1 1 2 2 2"),
        ("Ana\n\tMaría\x00", "Ana María"),
        ("00 44 20 7946 0958", "00 44 20 7946 0958"),
    ],
)
def test_a_text_is_made_ready_to_be_spoken(text: str, said: str) -> None:
    assert speakable(text) == said


@pytest.mark.parametrize("text", ["", " \n", "-", "a" * 201])
def test_a_text_that_is_empty_or_endless_is_refused(text: str) -> None:
    with pytest.raises(UnspeakableError):
        speakable(text)


def test_the_phone_knows_every_segment_without_any_being_built(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    voice = Voice(catalogue, tmp_path, NoTts())
    segments = voice.segments("confirm_charge", "en")
    assert [segment.text for segment in segments][:2] == ["You are about to pay", "with the"]
    assert segments[0].ulaw == tmp_path / "en" / "confirm_charge-1.ulaw"
    assert {language for language, _ in voice.all_segments()} == {"en", "es"}
    paths = [segment.ulaw for _, segment in voice.all_segments()]
    assert len(set(paths)) == len(paths)


def test_the_length_of_what_is_not_built_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="saldo prompts build"):
        seconds([f"sound:{tmp_path}/en/welcome-1"])
