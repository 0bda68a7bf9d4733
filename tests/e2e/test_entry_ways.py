"""Cards keyed in every way a telephone knows: taken as they were keyed, or asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ivr.lab.dialpad import KeyWay
from ivr.lab.lab import Lab
from ivr.lab.packages import ensure_tree
from ivr.lab.packet_phone import PacketPhone
from ivr.lab.packets import Packet, Tick
from ivr.lab.phone import Phone
from ivr.lab.phrasebook import Phrasebook
from ivr.lab.progress import SilentProgress
from ivr.settings import PROJECT
from ivr.speech.catalogue import Catalogue
from tests.e2e.callers import (
    CARD,
    enters_the_secure_part,
    hears,
    identifies,
    rows,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("lines_to_itself"),
]

CUSTOMERS = (
    *(("1062", "28015"), ("1063", "41001"), ("1072", "29002"), ("1075", "28023")),
    *(("1076", "48002"), ("1080", "08002"), ("1084", "50002")),
)
"""each owes one invoice, which no scenario pays; nor is it paid here"""
CALLER = "+4477009002"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls, and where."""

    lab: Lab
    book: Phrasebook
    account: str
    postal_code: str
    number: str

    async def is_asked_for_the_card(self, phone: Phone | PacketPhone) -> None:
        await phone.dial(self.lab.pay, self.number)
        await identifies(phone, self.account, self.postal_code)
        await enters_the_secure_part(phone)


Call = Callable[[Caller], Awaitable[None]]


async def by_tones(caller: Caller) -> None:
    tree = await asyncio.to_thread(ensure_tree, SilentProgress())
    async with Phone(tree, caller.book, keys=KeyWay.INBAND) as phone:
        await caller.is_asked_for_the_card(phone)
        await phone.press(f"{CARD}#")
        await the_card_is_known(phone)


async def by_info(caller: Caller) -> None:
    tree = await asyncio.to_thread(ensure_tree, SilentProgress())
    async with Phone(tree, caller.book, keys=KeyWay.INFO) as phone:
        await phone.dial(caller.lab.pay, caller.number)
        await hears(phone, "welcome")
        await phone.press(f"{caller.account}#")
        await hears(phone, "are_you_there")


async def by_short_tones(caller: Caller) -> None:
    async with PacketPhone(KeyWay.INBAND, caller.book) as phone:
        await caller.is_asked_for_the_card(phone)
        await phone.press(f"{CARD}#", held=0.05, pause=0.05)
        await the_card_is_known(phone)


async def by_short_keys(caller: Caller) -> None:
    async with PacketPhone(KeyWay.RFC4733, caller.book) as phone:
        await caller.is_asked_for_the_card(phone)
        await phone.press(f"{CARD}#", held=0.04, pause=0.04)
        await the_card_is_known(phone)


async def all_at_once(caller: Caller) -> None:
    async with PacketPhone(KeyWay.RFC4733, caller.book) as phone:
        await caller.is_asked_for_the_card(phone)
        await phone.send([flat(phone.stream.keys(f"{CARD}#", held=0.04, pause=0.04))])
        await the_card_is_known(phone)


async def twice_and_out_of_order(caller: Caller) -> None:
    async with PacketPhone(KeyWay.RFC4733, caller.book) as phone:
        await caller.is_asked_for_the_card(phone)
        sent = flat(phone.stream.keys(f"{CARD}#"))
        pairs = zip(sent[1::2], sent[::2], strict=False)
        await phone.send([[*pair, *pair] for pair in pairs])
        await the_card_is_known(phone)


async def without_ends(caller: Caller) -> None:
    """Keys that follow each other and are equal cannot be told apart then: some are missing."""
    async with PacketPhone(KeyWay.RFC4733, caller.book) as phone:
        await caller.is_asked_for_the_card(phone)
        keys = phone.stream.keys(CARD)
        await phone.send([[packet for packet in tick if not packet.is_end] for tick in keys])
        await phone.press("#")
        await hears(phone, "error_invalid_card_number")
        await phone.press(f"{CARD}#")
        await the_card_is_known(phone)


CALLS: dict[str, Call] = {
    call.__name__: call
    for call in (
        *(by_tones, by_info, by_short_tones, by_short_keys, all_at_once),
        *(twice_and_out_of_order, without_ends),
    )
}


async def the_card_is_known(phone: Phone | PacketPhone) -> None:
    """Its brand and last digits are read back, then the rest is asked for."""
    await hears(phone, "ask_expiry")
    await phone.press("1230")
    await hears(phone, "ask_security_code")
    await phone.press("123")
    await hears(phone, "confirm_charge")


def flat(ticks: Iterable[Tick]) -> list[Packet]:
    return [packet for tick in ticks for packet in tick]


@pytest.fixture(scope="module")
def endings(lab: Lab) -> dict[str, BaseException | None]:
    """How each call ended; all are made at once."""
    return asyncio.run(every_call(lab))


async def every_call(lab: Lab) -> dict[str, BaseException | None]:
    book = Phrasebook.load(Catalogue.load(PROJECT / "audio-prompts"), Path(lab.sounds))
    calls = [
        call(Caller(lab, book, account, postal_code, f"{CALLER}{account[-2:]}"))
        for call, (account, postal_code) in zip(CALLS.values(), CUSTOMERS, strict=True)
    ]
    return dict(zip(CALLS, await asyncio.gather(*calls, return_exceptions=True), strict=True))


@pytest.mark.parametrize("way", CALLS)
def test_a_card_is_taken_as_it_was_keyed_or_asked_for_again(
    endings: dict[str, BaseException | None], way: str
) -> None:
    if (ending := endings[way]) is not None:
        raise ending


def test_no_other_card_became_a_token(endings: dict[str, Any], lab: Lab) -> None:
    assert endings
    query = (
        "select brand, last4 from captures join calls on calls.id = captures.call_id "
        "where calls.caller like $1 and captures.result = 'success'"
    )
    tokens = asyncio.run(rows(lab, query, f"{CALLER}%"))
    assert [(row["brand"], row["last4"]) for row in tokens] == [("visa", "1111")] * 6
