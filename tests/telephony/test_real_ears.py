"""A spoken answer on a real call: softphone, Asterisk, our media, our ears and the speech model."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from ivr.dialogue.hearing import Expecting, Heard, Unheard
from ivr.lab import pbx as lab_pbx
from ivr.lab.packages import Tree
from ivr.lab.pbx import PbxInfo
from ivr.lab.softphone import Softphone
from ivr.settings import PROJECT
from ivr.speech.ears import Ears, Tongue
from ivr.speech.g711 import from_ulaw
from ivr.speech.listening import CallersEars
from ivr.speech.recogniser import VoskModel
from ivr.speech.tts import Tts
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from ivr.telephony.media import CallersVoice
from ivr.telephony.router import Router
from tests.speech.shipped import GRAMMARS
from tests.telephony.test_real_media import LONG, call, snoops

SETTING = "SALDO_SPEECH__MODELS__EN"
MODEL = Path(os.environ.get(SETTING, PROJECT / "grammars/models/en"))
RATE = 8000

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not MODEL.is_dir(), reason=f"no speech model in {MODEL}"),
]


@pytest.fixture(scope="module")
def pbx(tree: Tree) -> Iterator[PbxInfo]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-ears-"))
    try:
        yield lab_pbx.start(folder, tree, folder / "sounds")
    finally:
        lab_pbx.stop(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def ears() -> Iterator[Ears]:
    tongue = Tongue(VoskModel(MODEL, SETTING), GRAMMARS["en"])
    ears = Ears({"en": tongue})
    yield ears
    ears.close()


@pytest.fixture
async def ari(pbx: PbxInfo) -> AsyncIterator[Ari]:
    async with Ari(pbx.ari_url, pbx.ari_user, pbx.ari_password) as ari:
        yield ari


@pytest.fixture
async def phone(tree: Tree) -> AsyncIterator[Softphone]:
    phone = Softphone(tree, 60, lambda *_: None)
    yield phone
    await phone.close()


async def spoken(text: str, folder: Path) -> Path:
    """A recording of a synthetic caller, with silence after it to keep the call up."""
    tts = Tts(1)
    try:
        await tts.speak(text, "en", folder / "said")
    finally:
        await tts.aclose()
    samples = from_ulaw((folder / "said.ulaw").read_bytes()).astype(np.int16)
    file = folder / "said.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes() + bytes(2 * RATE * 40))
    return file


@pytest.mark.parametrize(
    ("expecting", "said", "meaning"),
    [
        (Expecting("yes_no"), "yes please", "yes"),
        (Expecting("digits", longest=4), "one oh four two", "1042"),
        (Expecting("pay_or_leave"), "can i speak to an agent", "agent"),
    ],
)
async def test_an_answer_spoken_over_the_prompt_is_understood_and_soon(
    ari: Ari,
    pbx: PbxInfo,
    phone: Softphone,
    ears: Ears,
    tmp_path: Path,
    expecting: Expecting,
    said: str,
    meaning: str,
) -> None:
    file = await spoken(said, tmp_path)

    async def talk(line: AsteriskLine, router: Router) -> tuple[Heard | Unheard, float]:
        async def open_voice(rate: int) -> CallersVoice:
            voice = CallersVoice(ari, router.stream, line.channel_id, rate)
            await voice.open()
            return voice

        mine = CallersEars(ears, open_voice)
        prompt = await line.play(LONG)
        listening = await mine.listen("en", expecting)
        await asyncio.sleep(0.5)
        await phone.command("ausrc", f"aufile,{file}")
        await listening.speaking()
        await prompt.stop()
        listening.prompt_over()
        heard = await listening.result()
        await mine.rest()
        assert await snoops(ari) == []
        return heard, getattr(listening, "delay_seconds", 0.0)

    async with call(ari, pbx, phone, talk) as ending:
        heard, delay = await ending
        assert isinstance(heard, Heard)
        assert heard.meaning == meaning
        assert 0 < delay < 0.6
