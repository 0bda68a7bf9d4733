"""Callers on real telephones, and a house whose parts can be taken away while they talk."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from ivr.lab import database, pbx
from ivr.lab import lab as laboratory
from ivr.lab.lab import Lab
from ivr.lab.packages import ensure_tree
from ivr.lab.packet_phone import PacketPhone
from ivr.lab.phone import Phone
from ivr.lab.phrasebook import Phrasebook, is_variant
from ivr.lab.processes import ProcessId
from ivr.lab.progress import SilentProgress
from ivr.settings import PROJECT, load
from ivr.speech.catalogue import Catalogue
from ivr.telephony.ari import Ari
from ivr.telephony.events import Channel

CARD = "4111" + "1" * 12


@dataclass
class House:
    """A lab, and the means to break and mend it."""

    folder: Path
    lab: Lab

    def kill(self, part: str) -> None:
        """kill -9, and wait until it is gone."""
        pid = self.lab.pids[part]
        process = ProcessId.of(pid)
        os.kill(pid, signal.SIGKILL)
        while process and process.alive:
            time.sleep(0.01)

    def mend(self) -> None:
        """`saldo lab up`: start what does not run."""
        self.lab = laboratory.up(self.folder, load(), SilentProgress())

    def restart_pbx(self) -> None:
        """Start Asterisk again as it was, on the same ports, and nothing else."""
        pbx.start(self.folder, ensure_tree(SilentProgress()), Path(self.lab.sounds))

    def restart_database(self) -> None:
        """Start Postgres again, and nothing else."""
        database.start(self.folder, ensure_tree(SilentProgress()))


@asynccontextmanager
async def calling(
    lab: Lab, caller: str = "+447700900199", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Phone]:
    """A caller who has just been answered; with such SIP headers."""
    tree = await asyncio.to_thread(ensure_tree, SilentProgress())
    book = Phrasebook.load(Catalogue.load(PROJECT / "audio-prompts"), Path(lab.sounds))
    async with Phone(tree, book) as phone:
        await phone.dial(lab.pay, caller, headers)
        yield phone


async def hears(phone: Phone | PacketPhone, phrase: str, within: float = 25.0) -> None:
    """Wait for a phrase that was not waited for before."""
    seen = getattr(phone, "seen_by_test", float("-inf"))
    clock = asyncio.get_running_loop().time
    until = clock() + within
    while clock() < until:
        for one in phone.heard.heard:
            if one.at > seen and is_variant(one.phrase_id, phrase):
                phone.seen_by_test = one.at  # type: ignore[union-attr]  # the test's own mark
                return
        await asyncio.sleep(0.05)
    instead = [one.phrase_id for one in phone.heard.heard if one.at > seen]
    over = f"; the call was over: {phone.reason}" if phone.closed.is_set() else ""
    raise AssertionError(f"{phrase} was not said within {within:.0f} s but {instead}{over}")


async def identifies(phone: Phone | PacketPhone, account: str, postal_code: str) -> None:
    """Typed ahead, up to the question whether to pay the one invoice."""
    await hears(phone, "welcome")
    await phone.press(f"{account}#{postal_code}")
    await hears(phone, "owes_one")


async def enters_the_secure_part(phone: Phone | PacketPhone) -> None:
    """Agrees to pay, and interrupts the explanation: the card number can be keyed now."""
    await phone.press("1")
    await hears(phone, "secure_start")


async def keys_a_card(phone: Phone, number: str = CARD) -> None:
    """From the yes to paying up to the question whether to charge."""
    await enters_the_secure_part(phone)
    await phone.press(f"{number}#")
    await hears(phone, "ask_expiry")
    await phone.press("1230")
    await hears(phone, "ask_security_code")
    await phone.press("123")
    await hears(phone, "confirm_charge")


async def until(is_so: Callable[[], Awaitable[bool]], within: float = 30.0) -> None:
    """Return when it is so; TimeoutError when it does not come about."""
    async with asyncio.timeout(within):
        while not await is_so():  # noqa: ASYNC110 - what is looked at lives in other processes
            await asyncio.sleep(0.1)


async def channels(lab: Lab) -> list[Channel]:
    """Every channel of the PBX."""
    asterisk = load(Path(lab.config)).asterisk
    async with Ari(asterisk.url, asterisk.user, asterisk.password.get_secret_value()) as ari:
        return await ari.channels()


async def rows(lab: Lab, query: str, *values: object) -> list[Any]:
    """What the database says."""
    connection = await asyncpg.connect(lab.postgres)
    try:
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


async def no_channel_is_left(house: House) -> None:
    """Return when the PBX has no call any more."""

    async def none() -> bool:
        return not await channels(house.lab)

    await until(none)


async def is_ready(house: House) -> None:
    """Return when every back end answers `saldo serve`."""

    async def ready() -> bool:
        try:
            return (await client.get(f"{house.lab.api}/readyz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async with httpx.AsyncClient(timeout=5) as client:
        await until(ready)


async def outcomes(house: House, account: str) -> list[str]:
    """How the calls of this customer ended."""
    query = "select outcome from calls c join customers on customers.id = c.customer_id"
    found = await rows(house.lab, f"{query} where account_number = $1", account)
    return [row["outcome"] for row in found]


async def attempts(house: House, account: str) -> list[str]:
    """The states of this customer's attempts to pay, in alphabetical order."""
    query = "select state from attempts a join customers c on c.id = a.customer_id"
    found = await rows(house.lab, f"{query} where account_number = $1 order by state", account)
    return [row["state"] for row in found]


async def behave(house: House) -> None:
    """Take back what the gateway stand-in was asked to fail in."""
    async with httpx.AsyncClient() as client:
        (await client.delete(f"{house.lab.gateway}/misbehave")).raise_for_status()


async def misbehave(house: House, **how: object) -> None:
    """Ask the gateway stand-in to fail in some way."""
    async with httpx.AsyncClient() as client:
        (await client.post(f"{house.lab.gateway}/misbehave", json=how)).raise_for_status()
