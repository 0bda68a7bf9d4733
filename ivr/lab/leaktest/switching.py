"""Switches a mutant on and off: configuration, commands, statements, and who else listens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from ivr.lab.errors import LabError
from ivr.lab.leaktest import planted
from ivr.lab.leaktest.canaries import AnyCanary
from ivr.lab.leaktest.house import House
from ivr.lab.leaktest.listeners import Stream, listen_to_ari
from ivr.lab.leaktest.listening import Listening
from ivr.lab.leaktest.mutants import Mutant
from ivr.lab.leaktest.mutants.mutant import APP, CLIENT, HEP, SHOWN
from ivr.lab.processes import LOOPBACK

DIAL_PLAN = "extensions_lab.conf"
FIRST_DIGITS = 9
"""of a canary, by which its leak is known: they tell all of a run apart, and are no find"""
AGI_SECONDS = 20.0
MOST_SUBSCRIPTIONS = 10
CONNECT_SECONDS = 0.4


@dataclass
class Bench:
    """What mutants need beside the lab: a receiver of HEP, an AGI script, a dial plan."""

    house: House
    listening: Listening
    hep: int = 0
    agi: int = 0

    def fill(self, text: str) -> str:
        """Ports and folders of this lab in place of their names."""
        values = {"{hep}": self.hep, "{agi}": self.agi, "{spool}": self.house.pbx.spool}
        for name, value in values.items():
            text = text.replace(name, str(value))
        return text


def number_of(mutant: Mutant) -> str:
    """What is dialled to key a canary where this mutant waits for it."""
    return "leak" + mutant.name.replace("-", "")


@asynccontextmanager
async def bench(
    house: House, listening: Listening, mutants: Iterable[Mutant]
) -> AsyncIterator[Bench]:
    """A dial plan with a number for each mutant, and who waits for HEP and AGI."""
    listening.streams |= {
        name: Stream(listening.folder / f"{place}.txt")
        for place, name in enumerate((CLIENT, HEP, SHOWN), 10)
    }
    loop = asyncio.get_running_loop()
    receiver, _ = await loop.create_datagram_endpoint(
        lambda: _HepReceiver(listening.streams[HEP]), local_addr=(LOOPBACK, 0)
    )
    script = await asyncio.start_server(_agi, LOOPBACK, 0)
    found = Bench(house, listening)
    found.hep = receiver.get_extra_info("sockname")[1]
    found.agi = script.sockets[0].getsockname()[1]
    await asyncio.to_thread(_write_dial_plan, found, list(mutants))
    try:
        yield found
    finally:
        receiver.close()
        script.close()


@asynccontextmanager
async def switched_on(found: Bench, mutant: Mutant) -> AsyncIterator[None]:
    """The mutant, until the end of the block; then everything is as it was."""
    before = await asyncio.to_thread(_change, found, mutant)
    client: asyncio.Task[None] | None = None
    try:
        await _run(found.house, mutant.statements)
        await asyncio.to_thread(_command, found.house, mutant, mutant.on)
        if mutant.is_client:
            client = asyncio.create_task(_client(found, mutant))
            await asyncio.sleep(CONNECT_SECONDS)
        yield
    finally:
        await _take_back(found, mutant)
        if client is not None:
            client.cancel()
            await asyncio.gather(client, return_exceptions=True)
        await asyncio.to_thread(_restore, before)
        await asyncio.to_thread(_command, found.house, mutant, mutant.off)
        await _run(found.house, mutant.statements_off)


def plant(house: House, leaks: Iterable[tuple[AnyCanary, Mutant]]) -> None:
    """Switch these leaks of our code on, each for one canary, and all others off."""
    lines = [f"{canary.number[:FIRST_DIGITS]} {mutant.planted}\n" for canary, mutant in leaks]
    (house.folder / planted.SWITCH).write_text("".join(lines), encoding="ascii")


def planting(house: House) -> dict[str, str]:
    """The environment that loads the leaks into the lab's own programs at their start."""
    return {planted.FOLDER: str(house.folder)}


async def ask(found: Bench, mutant: Mutant) -> None:
    """What the mutant's client asks of ARI now that the caller's channel is there."""
    if not mutant.asks:
        return
    auth = aiohttp.BasicAuth(found.house.pbx.ari_user, found.house.pbx.ari_password)
    async with aiohttp.ClientSession(auth=auth) as session:
        async with session.get(f"{found.house.pbx.ari_url}/channels") as answer:
            channels: list[dict[str, Any]] = await answer.json()
        trunk = [one["id"] for one in channels if str(one["name"]).startswith("PJSIP/")]
        for path, values in mutant.asks:
            filled = {k: v.replace("{channel}", trunk[-1]) for k, v in values.items()}
            url = f"{found.house.pbx.ari_url}/{path.replace('{channel}', trunk[-1])}"
            async with session.post(url, params=filled) as answer:
                if not answer.ok:
                    raise LabError(f"{mutant.name}: ARI refused {path} ({await answer.text()})")
            await asyncio.sleep(0.2)


async def _take_back(found: Bench, mutant: Mutant) -> None:
    """End its subscriptions: those of a client that has gone live on, and the guard refuses them.

    The PBX counts them, and a client asks in each call of a mutant. One to a channel ends with it.
    """
    auth = aiohttp.BasicAuth(found.house.pbx.ari_user, found.house.pbx.ari_password)
    async with aiohttp.ClientSession(auth=auth) as session:
        for path, values in mutant.asks:
            if path.endswith("/subscription") and "{channel}" not in values["eventSource"]:
                url = f"{found.house.pbx.ari_url}/{path}"
                for _ in range(MOST_SUBSCRIPTIONS):
                    async with session.delete(url, params=values) as answer:
                        if not answer.ok:  # none is left
                            break


async def show(found: Bench, mutant: Mutant) -> None:
    """What Asterisk's command line shows after the call."""
    out = found.listening.streams[SHOWN]
    for command in mutant.shows:
        said = await asyncio.to_thread(found.house.control, command)
        _write_lines(out, said)
        for line in said.splitlines():
            number, _, rest = line.strip().partition(" ")
            if number.isdecimal() and "INFO" in rest:
                one = await asyncio.to_thread(found.house.control, f"{command} entry {number}")
                _write_lines(out, one)


def _write_lines(out: Stream, text: str) -> None:
    for line in text.splitlines():
        out.write(line)


def _write_dial_plan(found: Bench, mutants: Sequence[Mutant]) -> None:
    lines = ["", "[from-trunk](+)"]
    for mutant in mutants:
        if mutant.plan:
            lines += _extension(number_of(mutant), [found.fill(one) for one in mutant.plan])
    file = found.house.pbx.config / DIAL_PLAN
    file.write_text(file.read_text(encoding="utf-8") + "\n".join([*lines, ""]), encoding="utf-8")
    found.house.control("dialplan reload")


def _extension(name: str, plan: Iterable[str]) -> list[str]:
    """Without a Hangup(): what ran last is what a CDR keeps."""
    steps = "".join(f" same => n,{one}\n" for one in plan)
    return [f"exten => {name},1,Answer()\n{steps}"]


def _change(found: Bench, mutant: Mutant) -> dict[Path, bytes | None]:
    """Change the configuration; what it was before."""
    config = found.house.pbx.config
    before: dict[Path, bytes | None] = {}
    for name in {*mutant.files, *mutant.without}:
        file = config / name
        before[file] = file.read_bytes() if file.exists() else None
        text = (before[file] or b"").decode()
        if unwanted := mutant.without.get(name):
            kept = (one for one in text.splitlines() if not one.startswith(unwanted))
            text = "\n".join(kept) + "\n"
        file.write_text(text + "\n" + found.fill(mutant.files.get(name, "")), encoding="utf-8")
    for folder in mutant.folders:
        (found.house.logs / folder).mkdir(exist_ok=True)
    return before


def _restore(before: dict[Path, bytes | None]) -> None:
    for file, text in before.items():
        if text is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(text)


def _command(house: House, mutant: Mutant, commands: Sequence[str]) -> None:
    if commands:
        house.control(*commands)
    if mutant.restarts:
        house.control("core restart now")


async def _run(house: House, statements: Sequence[str]) -> None:
    if not statements:
        return
    connection = await asyncpg.connect(house.database.admin_url, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close(timeout=5)
    await asyncio.sleep(0.3)  # every backend has read it by then


async def _client(found: Bench, mutant: Mutant) -> None:
    house = found.house
    await listen_to_ari(
        lambda: house.pbx.ari_url,
        lambda: (house.pbx.ari_user, house.pbx.ari_password),
        APP,
        found.listening.streams[CLIENT],
        everything=mutant.everything,
    )


class _HepReceiver(asyncio.DatagramProtocol):
    """Who is sent copies of signalling."""

    def __init__(self, out: Stream) -> None:
        self._out = out

    def datagram_received(self, data: bytes, _address: tuple[str | Any, int]) -> None:
        for line in data.decode(errors="replace").splitlines():
            self._out.write(line)


async def _agi(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A FastAGI script that reads sixteen keys."""
    with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
        async with asyncio.timeout(AGI_SECONDS):
            while (await reader.readline()).strip():
                pass
            writer.write(b"GET DATA beep 5000 16\n")
            await writer.drain()
            await reader.readline()
    writer.close()
