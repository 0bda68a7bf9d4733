"""A caller and an agent who talk, both on real telephones, and what each of them hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np

from ivr.lab.agent_phone import AgentPhone
from ivr.lab.dialpad import KeyWay
from ivr.lab.lab import Lab
from ivr.lab.packages import ensure_tree
from ivr.lab.phone import Phone
from ivr.lab.phrasebook import LOUD, RATE, Phrasebook, Samples
from ivr.lab.progress import SilentProgress
from ivr.lab.speaking import Speech, Utterance, synthesise
from ivr.lab.tones import keyed
from ivr.settings import PROJECT
from ivr.speech.catalogue import Catalogue

SILENCE = Speech(np.zeros(160, np.int16), np.zeros(0, np.int16))
CALLERS_WORDS = Utterance("well I have the card here somewhere in my bag", "en-us+f3")
AGENTS_WORDS = Utterance("of course madam please take all the time you need", "en+m3")
LISTEN_SECONDS = 1.6
"""so much holds half a second of the words undivided"""
LIMIT_SECONDS = 120.0
"""of a call"""
ALIKE = 0.8
"""correlation from which what is heard are the very words; other words reach 0.3"""

Voices = dict[Utterance, Speech]


async def both_voices() -> Voices:
    """Made before any of the calls, which it would slow down."""
    return await synthesise([CALLERS_WORDS, AGENTS_WORDS])


@dataclass
class Conversation:
    """One talk in the lab, and the page that the agent has in front of them."""

    phone: Phone
    agent: AgentPhone
    voices: Voices
    web: httpx.AsyncClient
    number: str
    capture: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    """states of the document, in order"""

    async def both_talk(self) -> None:
        """On and on."""
        await self.callers_voice()
        await self.agent.say(_on_and_on(self.voices[AGENTS_WORDS]))

    async def callers_voice(self) -> None:
        """Begins, and does not end."""
        words = _on_and_on(self.voices[CALLERS_WORDS])
        await self.phone.say(Speech(words.samples[:RATE], words.background))

    async def each_talks_alone(self) -> None:
        """First the caller for a while, then the agent, who goes on."""
        await self.agent_is_silent()
        await self.callers_voice()
        await asyncio.sleep(LISTEN_SECONDS)
        await self.caller_is_silent()
        await self.agent.say(_on_and_on(self.voices[AGENTS_WORDS]))
        await asyncio.sleep(LISTEN_SECONDS)

    async def caller_is_silent(self) -> None:
        """While keying, and when listening."""
        await self.phone.say(SILENCE)

    async def caller_is_heard_to_key(self, digits: str) -> None:
        """Tones in the voice; returns when they were sent."""
        sound = keyed(digits)
        await self.phone.say(Speech(sound, SILENCE.background))
        await asyncio.sleep(len(sound) / RATE + 0.2)

    async def agent_is_silent(self) -> None:
        """So that the telephone knows what is whispered to the caller."""
        await self.agent.say(SILENCE)

    async def who_is_heard(self) -> tuple[bool, bool]:
        """Whether the agent hears the caller's words, and the caller the agent's, just now."""
        before, since = len(self.agent.heard()), asyncio.get_running_loop().time()
        await asyncio.sleep(LISTEN_SECONDS)
        return (
            are_heard(self.voices[CALLERS_WORDS].samples, self.agent.heard()[before:]),
            are_heard(self.voices[AGENTS_WORDS].samples, self.phone.heard.since(since)),
        )

    async def talk_again(self, within: float = 20.0) -> bool:
        """Whether both come to hear each other again."""
        clock = asyncio.get_running_loop().time
        until = clock() + within
        while (heard := await self.who_is_heard()) != (True, True):
            over = self.phone.closed.is_set(), self.agent.closed.is_set()
            told = f"heard are the caller and the agent: {heard}, whose calls are over: {over}"
            assert clock() < until, told
            assert not any(over), told
        return True

    # --- the agent's page

    async def begins(self, **more: object) -> dict[str, Any]:
        """A capture, until it is open."""
        calls = (await self.web.get("/v1/captures/calls")).json()["data"]
        (channel,) = (
            one["caller"]["channel"]
            for one in calls
            if one["caller"]["number"] == self.number
            and one["caller"]["device"].startswith("PJSIP/")  # a queue has Local channels behind it
        )
        answer = await self.web.post(
            "/v1/captures",
            json={"channel": channel, **more},
            headers={"Idempotency-Key": str(uuid4())},
        )
        assert answer.status_code == httpx.codes.CREATED, answer.text
        self.capture = answer.json()["id"]
        return await self.becomes(lambda now: now["status"] == "open")

    async def asks(self, name: str) -> None:
        """For a field, until the caller can key it."""
        await self.changes(capture=name)
        await self.becomes(lambda now: now["fields"][name]["state"] == "asked")

    async def changes(self, **change: str) -> None:
        """What a button of the page does."""
        answer = await self.web.patch(f"/v1/captures/{self.capture}", json=change)
        assert answer.status_code == httpx.codes.OK, answer.text

    async def becomes(
        self, is_so: Callable[[dict[str, Any]], bool], within: float = 15.0
    ) -> dict[str, Any]:
        """The document once it is so."""
        until = asyncio.get_running_loop().time() + within
        while True:
            now: dict[str, Any] = (await self.web.get(f"/v1/captures/{self.capture}")).json()
            self.seen.append(now)
            if is_so(now):
                return now
            assert asyncio.get_running_loop().time() < until, now
            await asyncio.sleep(0.05)


@asynccontextmanager
async def conversation(
    lab: Lab, voices: Voices, extension: str, number: str, keys: KeyWay = KeyWay.RFC4733
) -> AsyncIterator[Conversation]:
    """A caller and an agent, both talking; `extension` of the lab's dial plan joins them."""
    tree = await asyncio.to_thread(ensure_tree, SilentProgress())
    book = Phrasebook.load(Catalogue.load(PROJECT / "audio-prompts"), Path(lab.sounds))
    headers = {"Authorization": f"Bearer {lab.api_key}"}
    async with (
        AgentPhone(tree, LIMIT_SECONDS) as agent,
        Phone(tree, book, LIMIT_SECONDS, keys) as phone,
        httpx.AsyncClient(base_url=lab.api, headers=headers, timeout=10) as web,
    ):
        await phone.dial(f"sip:{extension}{agent.port}@{lab.sip}", number)
        await agent.answered()
        now = Conversation(phone, agent, voices, web, number)
        await now.both_talk()
        yield now


def are_heard(words: Samples, sound: Samples) -> bool:
    """Whether any half second of the words is in the sound."""
    if len(sound) < RATE // 2:
        return False
    pieces = [
        words[first : first + RATE // 2] for first in range(0, len(words) - RATE // 2, RATE // 4)
    ]
    loud = [piece for piece in pieces if np.sqrt(np.mean(piece.astype(float) ** 2)) > LOUD]
    return any(_alike(piece.astype(float), sound.astype(float)) >= ALIKE for piece in loud)


def _alike(piece: np.ndarray[Any, Any], sound: np.ndarray[Any, Any]) -> float:
    """The best correlation of the piece with any stretch of the sound that is as long."""
    size = 1 << (len(sound) + len(piece)).bit_length()
    spectrum = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(piece, size))
    places = len(sound) - len(piece) + 1
    products = np.fft.irfft(spectrum, size)[:places]
    sums = np.concatenate([[0.0], np.cumsum(sound**2)])
    energy = np.maximum(sums[len(piece) :] - sums[:places], 1.0)
    return float(np.max(products / np.sqrt(energy * np.sum(piece**2))))


def _on_and_on(speech: Speech) -> Speech:
    return Speech(speech.samples, speech.samples)
