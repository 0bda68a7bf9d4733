"""One turn of a conversation: sounds are played and keys are heard at once, the first key hushes.

Also used for card digits in `saldo capture`. So no key is ever bound to a name here, or is the
result of a task (asyncio's debug mode logs those): it goes from the line straight into the entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ivr.dialogue.keypad import BufferT, KeyEntry, Step
from ivr.dialogue.line import Handset, Playback


async def enter_keys(line: Handset, sounds: Sequence[str], entry: KeyEntry[BufferT]) -> Step:
    """Play `sounds` while the caller keys `entry`; how it ended, never MORE.

    Keys that were typed ahead are taken first, and then nothing is played. The first key hushes
    the sounds (a `#` before any digit is the last answer's, and does not). Timers run from the end
    of the sounds or from the first key. After CLEARED the caller of this says so, as the sounds of
    another turn with the same entry. Raises HungUp.
    """
    step = await typed_ahead(line, entry)
    if not begun(step, entry) and sounds:
        step = await _while_playing(line, sounds, entry)
    entry.listen(now())
    while step is Step.MORE:
        step = await in_time(line, entry)
    return step


def now() -> float:
    """Seconds on the clock that deadlines are counted by."""
    return asyncio.get_running_loop().time()


def begun(step: Step, entry: KeyEntry[BufferT]) -> bool:
    """Whether there is nothing to be played any more."""
    return step is not Step.MORE or len(entry.buffer) > 0


async def typed_ahead(line: Handset, entry: KeyEntry[BufferT]) -> Step:
    """The step of the keys that wait already."""
    try:
        async with asyncio.timeout(0):
            return await next_that_counts(line, entry)
    except TimeoutError:
        return Step.MORE


async def next_that_counts(line: Handset, entry: KeyEntry[BufferT]) -> Step:
    """The step of the first key that begins or ends the entry."""
    step = entry.press(await line.next_key(), now())
    while not begun(step, entry):
        step = entry.press(await line.next_key(), now())
    return step


async def _while_playing(line: Handset, sounds: Sequence[str], entry: KeyEntry[BufferT]) -> Step:
    """The step of the first key, or MORE when all was played and none came."""
    playback = await line.play(sounds)
    pressing = asyncio.create_task(next_that_counts(line, entry))
    ending = asyncio.create_task(playback.finished())
    try:
        await _first_of(pressing, ending, playback)
        if pressing.done():
            await playback.stop()
            return pressing.result()
        ending.result()  # a line that fails while it plays is not silence
        return Step.MORE
    finally:
        pressing.cancel()
        ending.cancel()
        await asyncio.gather(pressing, ending, return_exceptions=True)


async def _first_of(
    pressing: asyncio.Task[Step], ending: asyncio.Task[None], playback: Playback
) -> None:
    try:
        await asyncio.wait((pressing, ending), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        await playback.stop()  # nobody waits for an answer any more
        raise


async def in_time(line: Handset, entry: KeyEntry[BufferT]) -> Step:
    """The step of the next key, or of its not coming."""
    try:
        async with asyncio.timeout_at(entry.deadline):
            return entry.press(await line.next_key(), now())
    except TimeoutError:
        return entry.expire()
