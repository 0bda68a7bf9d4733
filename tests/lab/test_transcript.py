"""A call in words, read from what the line delivered."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from ivr.billing.money import Money
from ivr.lab.hearing import Hearing
from ivr.lab.phrasebook import RATE, Phrasebook, Samples
from ivr.lab.scenario_words import Transcriber, contains, plain, shipped_models
from ivr.lab.transcript import Did, Line, Reader
from ivr.speech.catalogue import Catalogue
from ivr.speech.g711 import from_ulaw
from ivr.speech.tts import Tts
from ivr.speech.voice import SCHEME, Voice

PAUSE = np.zeros(RATE // 2, np.int16)


@pytest.fixture(scope="module")
def reader(catalogue: Catalogue, sounds: Path) -> Reader:
    return Reader(catalogue, sounds, Transcriber(shipped_models()))


@pytest.fixture
def voice(catalogue: Catalogue, sounds: Path) -> Voice:
    return Voice(catalogue, sounds, Tts())


async def spoken(voice: Voice, phrase_id: str, language: str = "en", **values: object) -> Samples:
    uris = await voice.sounds(phrase_id, language, **values)
    files = [Path(f"{uri.removeprefix(SCHEME)}.ulaw") for uri in uris]
    return np.concatenate([from_ulaw(file.read_bytes()) for file in files])


def heard(phrasebook: Phrasebook, *sounds: Samples) -> Hearing:
    """All of it, from second 10.0 on."""
    hearing = Hearing(phrasebook)
    line = np.concatenate(sounds)
    for first in range(0, len(line), RATE // 50):
        packet = line[first : first + RATE // 50]
        hearing.add(packet, 10.0 + (first + len(packet)) / RATE)
    hearing.recognise()
    return hearing


async def test_an_amount_is_read_from_its_sound(
    reader: Reader, voice: Voice, phrasebook: Phrasebook
) -> None:
    paid = await spoken(voice, "paid", amount=Money(Decimal("31.18"), "EUR"))
    (line,) = reader.lines(heard(phrasebook, PAUSE, paid, PAUSE), [], 10.0)
    assert line.who == "company"
    assert line.at == pytest.approx(0.6, abs=0.15)
    assert line.words == (
        "Done: ‹thirty one euros and eighteen cents› has been paid. Thank you very much."
    )


async def test_a_code_is_read_in_digits_and_in_spanish(
    reader: Reader, voice: Voice, phrasebook: Phrasebook
) -> None:
    code = await spoken(voice, "confirmation_number", "es", code="70180816")
    (line,) = reader.lines(heard(phrasebook, code, PAUSE), [], 10.0)
    assert line.words == "Su número de confirmación es ‹siete cero uno ocho cero ocho uno seis›"


async def test_a_phrase_that_was_hushed_is_read_as_far_as_it_was_heard(
    reader: Reader, voice: Voice, phrasebook: Phrasebook
) -> None:
    welcome, goodbye = await spoken(voice, "welcome"), await spoken(voice, "goodbye")
    hearing = heard(phrasebook, welcome[: RATE * 3 // 2], PAUSE, goodbye)
    lines = reader.lines(hearing, [Did(11.5, 12.0, "presses 9")], 10.0)
    assert [line.words for line in lines] == [
        "Welcome to Saldo …",
        "presses 9",
        "Thank you for calling. Goodbye.",
    ]
    assert lines[1] == Line(1.5, "caller", "presses 9")


async def test_words_that_were_hushed_never_came_down_the_line(
    reader: Reader, voice: Voice, phrasebook: Phrasebook
) -> None:
    welcome = await spoken(voice, "welcome")
    whole = reader.said(heard(phrasebook, PAUSE, welcome, PAUSE), 0.0)
    begun = reader.said(heard(phrasebook, PAUSE, welcome[: RATE * 3 // 2], PAUSE), 0.0)
    assert [contains(each, "welcome to saldo") for each in (*whole, *begun)] == [True, True]
    last = plain(whole[0])[-2:]
    assert contains(whole[0], " ".join(last))
    assert not contains(begun[0], " ".join(last))
    assert reader.said(heard(phrasebook, PAUSE, welcome), 11.0) == []


async def test_a_phrase_of_which_packets_were_lost_is_heard_to_its_end(
    reader: Reader, voice: Voice, phrasebook: Phrasebook
) -> None:
    welcome = await spoken(voice, "welcome")
    gone = [RATE, 2 * RATE, 2 * RATE + 160]
    holes = np.concatenate([np.arange(first, first + 160) for first in gone])
    (words,) = reader.said(heard(phrasebook, PAUSE, np.delete(welcome, holes), PAUSE), 0.0)
    assert not words.endswith("…")
    assert words == reader.said(heard(phrasebook, PAUSE, welcome, PAUSE), 0.0)[0]


async def test_a_prompt_is_hushed_when_it_stops_while_the_caller_speaks(
    reader: Reader, voice: Voice, phrasebook: Phrasebook
) -> None:
    welcome = await spoken(voice, "welcome")
    hushed = heard(phrasebook, welcome[: RATE * 3 // 2], PAUSE, PAUSE)
    assert reader.why_not_hushed(hushed, began=11.2, ended=12.0) == ""
    assert "still being said" in reader.why_not_hushed(hushed, began=11.0, ended=11.4)
    assert "nothing was being said" in reader.why_not_hushed(hushed, began=12.2, ended=12.4)


async def test_a_prompt_that_was_over_anyway_was_not_hushed(
    reader: Reader, voice: Voice, phrasebook: Phrasebook
) -> None:
    goodbye = await spoken(voice, "goodbye")
    over = 10.0 + len(goodbye) / RATE
    hearing = heard(phrasebook, goodbye, PAUSE, PAUSE)
    why = reader.why_not_hushed(hearing, over - 0.3, over + 0.5)
    assert why == "goodbye was said to its end"
