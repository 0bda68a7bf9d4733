"""Calls in which an agent stays on the line while the caller keys a card."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import numpy as np

from ivr import settings
from ivr.lab.agent_phone import AgentPhone
from ivr.lab.errors import LabError
from ivr.lab.leaktest.calls import Planned
from ivr.lab.leaktest.canaries import Canary
from ivr.lab.leaktest.house import House
from ivr.lab.leaktest.matching import Hit, Matcher
from ivr.lab.leaktest.playing import Played, Told
from ivr.lab.phone import KeyWay, Phone
from ivr.lab.phrasebook import Phrasebook, Samples, is_variant
from ivr.lab.scenario import load_phrasebook
from ivr.lab.speaking import Speech
from ivr.lab.tones import keys_heard

EXTENSIONS = ((KeyWay.RFC4733, "desk"), (KeyWay.INBAND, "tones"))
"""of the lab's dial plan, by how the caller's keys come"""
NUMBER, EXPIRY, CODE = "payment-card-number", "expiration-date", "security-code"
LIMIT_SECONDS = 120.0
FIELD_SECONDS = 20.0
CONFIRM_SECONDS = 25.0
LOOK_SECONDS = 0.1
_QUIET = Speech(np.zeros(160, np.int16), np.zeros(0, np.int16))


@dataclass
class Overheard:
    """What reached the agents' telephones in all calls."""

    calls: int = 0
    digit_packets: int = 0
    sounds: list[Samples] = field(default_factory=list)

    def take(self, agent: AgentPhone) -> None:
        """Keep what this telephone heard."""
        self.calls += 1
        self.digit_packets += agent.digit_packets
        self.sounds.append(agent.heard().copy())

    def search(self, matcher: Matcher) -> set[Hit]:
        """Canaries in tones; a key packet that arrived is a leak of a digit of any card."""
        found = {hit for sound in self.sounds for hit in matcher.search_keys(keys_heard(sound))}
        if self.digit_packets:
            found.add(Hit("any card", f"{self.digit_packets} key packets"))
        return found


async def play_assisted(
    house: House, calls: Sequence[Planned], overheard: Overheard, told: Told
) -> list[Played]:
    """Each call, one after the other; every second caller has a telephone that sends tones."""
    played = []
    for place, call in enumerate(calls):
        way, extension = EXTENSIONS[place % len(EXTENSIONS)]
        why = ""
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await _play(house, call, way, extension, overheard)
        except (LabError, TimeoutError, aiohttp.ClientError) as error:
            why = str(error) or "not in time"
        one = Played(call, as_planned=not why, why=why)
        told(one)
        played.append(one)
    return played


async def _play(
    house: House, call: Planned, way: KeyWay, extension: str, overheard: Overheard
) -> None:
    caller, canary = call.scenario.caller or "", call.canary
    assert isinstance(canary, Canary)  # noqa: S101 - an agent takes nothing but cards
    headers = {"Authorization": f"Bearer {house.lab.api_key}"}
    async with (
        AgentPhone(house.tree, LIMIT_SECONDS) as agent,
        Phone(house.tree, _phrases(house), LIMIT_SECONDS, way) as phone,
        aiohttp.ClientSession(house.lab.api, headers=headers) as session,
    ):
        try:
            await phone.dial(f"sip:{extension}{agent.port}@{house.lab.sip}", caller)
            await agent.answered()
            await phone.say(_QUIET)
            await agent.say(_QUIET)
            page = await _open_page(session, caller)
            for name, digits in (
                (NUMBER, f"{canary.number}#"),
                (EXPIRY, canary.expiry),
                (CODE, canary.code),
            ):
                await page.change(capture=name)
                await page.becomes(name, "asked")
                await phone.press(digits)
                await page.becomes(name, "good")
            await _hears(phone, "confirm_card")
            await phone.press("1")
            await page.change(status="complete")
            await page.is_over()
        finally:
            overheard.take(agent)
            with contextlib.suppress(LabError):
                await phone.hang_up()


def _phrases(house: House) -> Phrasebook:
    loaded = settings.load(Path(house.lab.config))
    prompts, company = loaded.speech.prompts, loaded.company.name
    return load_phrasebook(prompts, Path(house.lab.sounds), company)[0]


@dataclass
class Page:
    """What the agent has in front of them."""

    session: aiohttp.ClientSession
    capture: str

    async def change(self, **change: str) -> None:
        """What a button does."""
        async with self.session.patch(f"/v1/captures/{self.capture}", json=change) as answer:
            answer.raise_for_status()

    async def becomes(self, name: str, state: str) -> None:
        """Return when the field is in this state. Raises LabError."""
        await self.until(lambda now: now["fields"][name]["state"] == state, f"{name} {state}")

    async def is_over(self) -> None:
        """Return when the card is complete. Raises LabError."""
        await self.until(lambda now: now["status"] == "complete", "complete")

    async def until(self, is_so: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Return when the page is so. Raises LabError."""
        end = asyncio.get_running_loop().time() + FIELD_SECONDS
        while asyncio.get_running_loop().time() < end:
            async with self.session.get(f"/v1/captures/{self.capture}") as answer:
                if is_so(await answer.json()):
                    return
            await asyncio.sleep(LOOK_SECONDS)
        raise LabError(f"the capture did not become {what}")


async def _open_page(session: aiohttp.ClientSession, caller: str) -> Page:
    async with session.get("/v1/captures/calls") as answer:
        calls = (await answer.json())["data"]
    channels = [
        one["caller"]["channel"]
        for one in calls
        if one["caller"]["number"] == caller and one["caller"]["device"].startswith("PJSIP/")
    ]
    if len(channels) != 1:
        raise LabError("the agent's page does not show the caller")
    key = {"Idempotency-Key": str(uuid4())}
    async with session.post("/v1/captures", json={"channel": channels[0]}, headers=key) as answer:
        answer.raise_for_status()
        page = Page(session, (await answer.json())["id"])
    await page.until(lambda now: now["status"] == "open", "open")
    return page


async def _hears(phone: Phone, phrase: str) -> None:
    until = asyncio.get_running_loop().time() + CONFIRM_SECONDS
    while asyncio.get_running_loop().time() < until:
        if any(is_variant(one.phrase_id, phrase) for one in phone.heard.heard):
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise LabError(f"{phrase} was not said")
