"""Calls recorded by us and by the PBX itself: nothing of a card in either, and nothing else lost.

The caller's telephone also sends tones in the voice, which stand for anything said or keyed aloud:
BEFORE the secure part, digits of the card in it, AFTER it. (With keys that are only tones the PBX
itself takes most of each out of the sound, and little would be proven.)
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
import pytest

from ivr.billing.recordings import RATE, Manifest, Reason, Span, read_manifest
from ivr.lab import pbx
from ivr.lab.hearing import Hearing
from ivr.lab.packages import ensure_tree
from ivr.lab.phone import Phone, Said
from ivr.lab.phrasebook import Phrasebook, Samples, is_variant
from ivr.lab.progress import SilentProgress
from ivr.lab.speaking import Speech
from ivr.lab.tones import Tone, keyed, tones
from ivr.settings import PROJECT, load
from ivr.speech.catalogue import Catalogue
from ivr.storage.recordings import verify
from ivr.telephony.ari import Ari
from tests.e2e.callers import CARD, House, enters_the_secure_part, hears, until
from tests.e2e.conftest import a_lab

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("lines_to_itself"),
]

KEY = secrets.token_hex(32)
BEFORE, AFTER = "7890", "2356"
TONE_EVERY_SECONDS = 0.2
MONITORED = """
[from-trunk](+)
exten => monitored,1,MixMonitor(before-saldo.wav)
 same => n,Set(SALDO_DIALLED=monitored)
 same => n,Goto(saldo-inbound,start,1)
"""
"""a company whose dial plan records every call before saldo has it"""


@dataclass
class Paid:
    """A paying call as its caller knows it; times are those of the event loop."""

    before: Said
    card: Said
    after: Said
    seconds: float


@dataclass
class Heard:
    """What one recording of that call holds; times in seconds from its beginning."""

    file: Path
    sound: Samples
    tones: list[Tone]
    phrases: list[tuple[float, str]]

    def says(self, phrase: str, begin: float, end: float) -> bool:
        return any(begin < at < end and is_variant(one, phrase) for at, one in self.phrases)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-recordings-"))
    settings = {
        "SALDO_RECORDINGS__ON": "true",
        "SALDO_RECORDINGS__KEY": KEY,
        "SALDO_RECORDINGS__FOLDER": str(folder),
    }
    try:
        with mock.patch.dict(os.environ, settings), a_lab() as (lab_folder, lab):
            record_before_saldo(lab_folder)
            yield House(lab_folder, lab)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def folder(house: House) -> Path:
    return load(Path(house.lab.config)).recordings.folder


def record_before_saldo(lab_folder: Path) -> None:
    """Give the lab's PBX a number whose calls its own dial plan records."""
    info = pbx.running(lab_folder)
    assert info
    plan = info.config / "extensions_lab.conf"
    plan.write_text(plan.read_text() + MONITORED)
    asterisk = str(ensure_tree(SilentProgress()).program("asterisk"))
    order = [asterisk, "-C", str(info.config / "asterisk.conf"), "-rx", "dialplan reload"]
    subprocess.run(order, check=True, capture_output=True)


def monitor(house: House) -> Path:
    info = pbx.running(house.folder)
    assert info
    return info.spool / "monitor" / "before-saldo.wav"


def book(house: House) -> Phrasebook:
    return Phrasebook.load(Catalogue.load(PROJECT / "audio-prompts"), Path(house.lab.sounds))


@asynccontextmanager
async def ringing(house: House) -> AsyncIterator[Phone]:
    tree = await asyncio.to_thread(ensure_tree, SilentProgress())
    async with Phone(tree, book(house)) as phone:
        await phone.dial(house.lab.pay.replace("sip:pay@", "sip:monitored@"), "+447700900199")
        yield phone


async def says(phone: Phone, keys: str) -> Said:
    return await phone.say(Speech(keyed(keys), np.zeros(0, np.int16)))


async def agrees_to_pay(phone: Phone, account: str, postal_code: str) -> Said:
    await hears(phone, "welcome")
    said = await says(phone, BEFORE)
    await phone.press(f"{account}#{postal_code}")
    await hears(phone, "owes_one")
    await enters_the_secure_part(phone)
    return said


async def pays(house: House) -> Paid:
    async with ringing(house) as phone:
        before = await agrees_to_pay(phone, "1047", "28001")
        card = await says(phone, CARD[:6])
        await phone.press(f"{CARD}#")
        await hears(phone, "ask_expiry")
        await phone.press("1230")
        await hears(phone, "ask_security_code")
        await phone.press("123")
        await hears(phone, "confirm_charge")
        await asyncio.sleep(1)  # so that a packet lost in it does not hide it in the recording
        await phone.press("1")
        await hears(phone, "paid")
        after = await says(phone, AFTER)
        await phone.hang_up()
        assert phone.established_at
        assert phone.closed_at
        return Paid(before, card, after, phone.closed_at - phone.established_at)


def kept(folder: Path) -> set[Path]:
    return {note.with_suffix(".wav") for note in folder.glob("*.json")}


async def are_kept(folder: Path, recordings: int) -> None:
    async def enough() -> bool:
        return len(kept(folder)) == recordings

    await until(enough)


def listen(house: House, file: Path) -> Heard:
    with wave.open(str(file), "rb") as recording:
        assert recording.getframerate() == RATE
        sound = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
    hearing = Hearing(book(house))
    hearing.add(sound, at=len(sound) / RATE)
    hearing.recognise()
    phrases = [(one.at, one.phrase_id) for one in hearing.heard]
    return Heard(file, sound, tones(sound), phrases)


@dataclass
class Call:
    """One paying call, by its caller, our recording, and the PBX's."""

    paid: Paid
    ours: Heard
    manifest: Manifest
    pbx: Heard

    @property
    def span(self) -> Span:
        """The masked one; on a busy machine the PBX may also begin to record late."""
        secure = Reason.SECURE_SEGMENT
        (span,) = (each for each in self.manifest.spans if each.reason is secure)
        return span


@pytest.fixture(scope="module")
def call(house: House, folder: Path) -> Call:
    async def play() -> Paid:
        paid = await pays(house)
        await are_kept(folder, 1)
        return paid

    paid = asyncio.run(play())
    (file,) = kept(folder)
    manifest = read_manifest(file.with_suffix(".json").read_text())
    return Call(paid, listen(house, file), manifest, listen(house, monitor(house)))


def keys(heard: list[Tone]) -> set[str]:
    return {tone.key for tone in heard}


def shift(heard: Heard, said: Said, which: str) -> float:
    """From the caller's clock to the recording's, by those of the tones that were found."""
    found = [tone for tone in heard.tones if tone.key in which]
    return median(
        tone.at - said.began - TONE_EVERY_SECONDS * which.index(tone.key) for tone in found
    )


def test_our_recording_has_the_length_of_the_call(call: Call) -> None:
    assert len(call.ours.sound) == call.manifest.samples
    assert call.manifest.samples / RATE == pytest.approx(call.paid.seconds, abs=0.25)
    drift = shift(call.ours, call.paid.after, AFTER) - shift(call.ours, call.paid.before, BEFORE)
    assert drift == pytest.approx(0, abs=0.1), "nothing was cut or drawn out"


def test_no_tone_of_the_card_is_in_our_recording_and_those_before_and_after_are(
    call: Call,
) -> None:
    begin, end = call.span.start / RATE, call.span.end / RATE
    before = keys([tone for tone in call.ours.tones if tone.at < begin])
    after = keys([tone for tone in call.ours.tones if tone.at >= end])
    assert before
    assert before <= set(BEFORE)
    assert [tone for tone in call.ours.tones if begin <= tone.at < end] == []
    assert after
    assert after <= set(AFTER)


def test_the_span_is_that_of_the_secure_part(call: Call) -> None:
    to_ours = shift(call.ours, call.paid.after, AFTER)
    assert call.span.start / RATE < call.paid.card.began + to_ours
    assert call.span.end / RATE > call.paid.card.ended + to_ours
    assert call.span.end / RATE < call.paid.after.began + to_ours


def test_what_was_said_before_and_after_is_in_our_recording(call: Call) -> None:
    begin, end = call.span.start / RATE, call.span.end / RATE
    assert call.ours.says("welcome", 0, begin)
    assert call.ours.says("confirm_charge", end - 0.5, len(call.ours.sound) / RATE)
    assert call.ours.says("paid", end, len(call.ours.sound) / RATE)


def test_our_recording_can_be_checked_and_a_changed_byte_is_found(
    house: House, call: Call, tmp_path: Path
) -> None:
    order = [sys.executable, "-m", "ivr.cli.main", "recordings", "verify"]
    order += [str(call.ours.file.parent), "--config", house.lab.config]
    told = subprocess.run(order, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert f"{call.manifest.call_id}.wav: as it was made" in told.stdout
    copy = tmp_path / call.ours.file.name
    shutil.copy(call.ours.file.with_suffix(".json"), tmp_path)
    sound = bytearray(call.ours.file.read_bytes())
    sound[(call.span.start + call.span.end)] ^= 1  # in the middle of the span: two bytes a sample
    copy.write_bytes(sound)
    assert len(verify(copy, KEY)) == 2


def test_our_recording_is_private_and_nothing_is_left_on_the_pbx(house: House, call: Call) -> None:
    for file in (call.ours.file, call.ours.file.with_suffix(".json")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert asyncio.run(recordings_on_the_pbx(house)) == []


async def recordings_on_the_pbx(house: House) -> list[str]:
    asterisk = load(Path(house.lab.config)).asterisk
    async with Ari(asterisk.url, asterisk.user, asterisk.password.get_secret_value()) as ari:
        return await ari.recordings()


def test_the_pbx_s_own_recording_is_silent_while_the_card_is_keyed_and_goes_on(call: Call) -> None:
    assert keys(call.pbx.tones) <= set(BEFORE + AFTER)
    assert call.pbx.tones[0].key in BEFORE
    assert call.pbx.tones[-1].key in AFTER
    assert call.pbx.says("paid", 0, len(call.pbx.sound) / RATE)
    span = (call.span.end - call.span.start) / RATE
    assert longest_silence(call.pbx.sound) == pytest.approx(span, abs=0.5)


def longest_silence(sound: Samples) -> float:
    """In seconds, of nothing but zeros."""
    loud = np.flatnonzero(sound)
    edges = np.concatenate([[-1], loud, [len(sound)]])
    return float(np.diff(edges).max()) / RATE


async def test_what_a_daemon_that_dies_leaves_behind_is_made_good_by_the_next(
    house: House, folder: Path, call: Call
) -> None:
    """Killed while a card is keyed: what was recorded is kept, and the PBX records again."""
    async with ringing(house) as phone:
        await agrees_to_pay(phone, "1049", "28003")
        await phone.press(CARD[:6])
        await asyncio.to_thread(house.kill, "serve")
        await says(phone, CARD[:6])
        await asyncio.to_thread(house.mend)
        await hears(phone, "lab_agent", within=60)
        await asyncio.sleep(2.5)  # how often the next daemon looks for what is muted
        await says(phone, AFTER)
        await phone.hang_up()
    await are_kept(folder, 2)
    (file,) = kept(folder) - {call.ours.file}
    manifest = read_manifest(file.with_suffix(".json").read_text())
    assert not manifest.is_whole
    assert verify(file, KEY) == []
    ours, theirs = listen(house, file), listen(house, monitor(house))
    assert ours.tones
    assert keys(ours.tones) <= set(BEFORE)
    assert keys(theirs.tones) <= set(BEFORE + AFTER)
    assert theirs.tones[-1].key in AFTER, "the PBX records again"
    assert await recordings_on_the_pbx(house) == []
