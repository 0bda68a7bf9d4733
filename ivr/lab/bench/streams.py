"""How many callers can be decoded at once before real time is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import cycle

from ivr.dialogue.hearing import NAME, Expecting
from ivr.lab.bench.figures import Figure, percentile
from ivr.lab.bench.voices import Speaker, Studio, Tape
from ivr.lab.errors import LabError
from ivr.lab.speaking import Speech
from ivr.speech.ears import Decoding, Ears
from ivr.speech.endpointing import FRAME_SECONDS
from ivr.telephony.media import BATCH_SECONDS

LATE_SECONDS = 0.3
"""sound understood later than this, at p95, is no longer real time"""
SOUNDING = [True] * round(BATCH_SECONDS / FRAME_SECONDS)
ANSWER_SECONDS = 3.0
"""after so much sound a recogniser gives its guesses and begins anew"""
WINDOW_SECONDS = 6.0
STEP = 4
FIRST_TRY, MOST = 16, 512
SAID = (
    ("en", "en-us+f2", "two eight zero one three", Expecting("digits", 10)),
    ("en", "en-us+m3", "jennifer margaret robinson", Expecting(NAME)),
    ("es", "es+f2", "dos ocho cero uno tres", Expecting("digits", 10)),
    ("es", "es+m3", "maría josé garcía lópez", Expecting(NAME)),
)
"""half of the callers say numbers, half of them names; all of them speak all the time"""


async def most_at_once(ears: Ears, tell: Callable[[str], None]) -> list[Figure]:
    """The greatest number of callers, to STEP, whose sound is understood in time."""
    studio = Studio()
    sounds = [
        (language, await studio.speech(Speaker(voice, 155), words), expecting)
        for language, voice, words, expecting in SAID
    ]

    async def late(callers: int) -> float:
        found = await _lag(ears, sounds, callers)
        tell(f"{callers} callers: sound understood after {1000 * found:.0f} ms at p95")
        return found

    good, bad = 0, FIRST_TRY
    lags: dict[int, float] = {}
    while bad <= MOST:
        lags[bad] = await late(bad)
        if lags[bad] > LATE_SECONDS:
            break
        good, bad = bad, bad * 2
    while bad - good > max(STEP, good // 8):
        middle = (good + bad) // 2
        lags[middle] = await late(middle)
        good, bad = (middle, bad) if lags[middle] <= LATE_SECONDS else (good, middle)
    figures = [Figure("callers speaking at once, sound understood within 300 ms at p95", good)]
    if good:
        figures.append(Figure("sound understood after, p95", round(1000 * lags[good], 1), "ms"))
    return figures


async def _lag(ears: Ears, sounds: list[tuple[str, Speech, Expecting]], callers: int) -> float:
    """p95 of how long after it was said a tenth of a second was understood."""
    clock = asyncio.get_running_loop().time
    kinds = [kind for _, kind in zip(range(callers), cycle(sounds), strict=False)]
    # One after the other: a crowd that begins at once is refused, which is not measured here.
    decodings = [await ears.decoding(language, expecting) for language, _, expecting in kinds]
    begins = clock() + 0.1
    found: list[float] = []

    async def one(place: int, decoding: Decoding, tape: Tape, speech: Speech) -> None:
        batches = round(ANSWER_SECONDS / BATCH_SECONDS)
        # Callers do not speak in step.
        at = begins + BATCH_SECONDS * place / callers
        try:
            for number in range(round(WINDOW_SECONDS / BATCH_SECONDS)):
                if number % batches == 0:
                    tape.record(speech)
                await asyncio.sleep(max(0.0, at - clock()))
                await decoding.accept([(tape.take(), SOUNDING)])
                if number % batches == (place % batches):
                    await decoding.finish()
                found.append(clock() - at)
                at += BATCH_SECONDS
        finally:
            ears.release()

    async with asyncio.TaskGroup() as tasks:
        for place, (kind, decoding) in enumerate(zip(kinds, decodings, strict=True)):
            language, speech, _ = kind
            tape = Tape(_rate(ears, language), BATCH_SECONDS)
            tasks.create_task(one(place, decoding, tape, speech))
    # What piled up counts, not the quiet beginning.
    return percentile(found[len(found) // 2 :], 0.95) or 0.0


def _rate(ears: Ears, language: str) -> int:
    tongue = ears.tongue(language)
    if tongue is None:
        raise LabError(f"there is no speech model for {language!r}: build it, or name another")
    return tongue.model.rate
