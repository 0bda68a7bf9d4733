"""The softphone against a real Asterisk whose dial plan plays our prompts and reads keys."""

import asyncio
import shutil
import tempfile
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ivr.lab.packages import Tree
from ivr.lab.phone import NotAnswered, Phone, PhoneError, save_recording
from ivr.lab.phrasebook import RATE, Phrasebook
from ivr.lab.processes import ProcessId, find
from ivr.lab.sip_headers import is_header
from ivr.lab.speaking import Speech, Utterance, synthesise
from ivr.speech.g711 import from_ulaw, to_ulaw
from tests.lab.plain_pbx import PlainPbx

pytestmark = pytest.mark.e2e

TOLD = (
    "${KEYS} ${CALLERID(num)} ${PJSIP_HEADER(read,X-Saldo-Account)} "
    "${PJSIP_HEADER(read,Privacy)} ${CHANNEL(pjsip,call-id)}"
)
MakePhone = Callable[[], Phone]


def dial_plan(sounds: Path, told: Path) -> str:
    return f"""
exten => keys,1,Answer()
 same => n,Read(KEYS,{sounds}/en/ask_account_number-1,5,,1,4)
 same => n,System(echo "{TOLD}" > {told}/keys)
 same => n,Playback({sounds}/es/goodbye_paid-1)
 same => n,Hangup()
exten => talks,1,Answer()
 same => n,Playback({sounds}/en/secure_start-1&{sounds}/en/secure_start-1)
 same => n,Hangup()
exten => busy,1,Busy(1)
exten => echo,1,Answer()
 same => n,Echo()
 same => n,Hangup()
"""


@pytest.fixture(scope="module")
def told() -> Iterator[Path]:
    """Where the dial plan writes what it was told."""
    folder = Path(tempfile.mkdtemp(prefix="saldo-told-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def pbx(tree: Tree, sounds: Path, told: Path) -> Iterator[PlainPbx]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-pbx-"))
    running = PlainPbx(folder, tree, dial_plan(sounds, told))
    yield running
    running.stop()
    shutil.rmtree(folder)


@pytest.fixture
def make_phone(tree: Tree, phrasebook: Phrasebook) -> MakePhone:
    return lambda: Phone(tree, phrasebook, limit_seconds=60)


def said(phone: Phone) -> list[tuple[str, str]]:
    return [(one.phrase_id, one.language) for one in phone.heard.heard]


async def test_a_caller_presses_keys_and_hears_what_follows(
    pbx: PlainPbx, told: Path, make_phone: MakePhone, tmp_path: Path
) -> None:
    async with make_phone() as phone:
        await phone.dial(pbx.uri("keys"), "+34600111222", {"X-Saldo-Account": "1042"})
        await asyncio.sleep(1.2)
        press = await phone.press("*042#")
        await asyncio.wait_for(phone.closed.wait(), 10)
        await phone.listen_to_the_end()
        save_recording(phone, tmp_path / "heard.wav")
    assert said(phone) == [("ask_account_number", "en"), ("goodbye_paid", "es")]
    keys, caller, account, call_id = (told / "keys").read_text().split()
    assert (keys, caller, account) == ("*042#"[:4], "+34600111222", "1042")
    assert call_id == phone.sip_call_id
    opened = phone.heard.heard[1].opened
    assert opened is not None
    assert 0 < opened - press.ended < 2
    with wave.open(str(tmp_path / "heard.wav")) as recording:
        assert recording.getnframes() / recording.getframerate() > 2


async def test_what_a_caller_says_reaches_the_other_side_whole_and_at_once(
    pbx: PlainPbx, make_phone: MakePhone
) -> None:
    utterance = Utterance("james smith", "en-us+m3", 170)
    speech = (await synthesise([utterance]))[utterance]
    async with make_phone() as phone:
        await phone.dial(pbx.uri("echo"), "+34600111222")
        await asyncio.sleep(0.5)
        said = [await phone.say(speech), await phone.say(speech)]
        await asyncio.sleep(0.3)
        echo = phone.heard.since(said[0].began).astype(np.float64)
        first = phone.heard.first_sound_after(said[0].began)
    sent = from_ulaw(to_ulaw(speech.samples)).astype(np.float64)
    likeness = np.correlate(echo, sent, "valid") / (sent @ sent)
    begins = int(likeness.argmax())
    again = np.delete(likeness, np.s_[max(0, begins - 2000) : begins + 2000])
    assert likeness.max() > 0.98  # no packet was lost or came in another place
    assert again.max() > 0.98  # nor the second time
    length = len(sent) / RATE
    assert [one.ended - one.began for one in said] == pytest.approx([length] * 2, abs=0.15)
    assert first is not None
    assert first - said[0].began < 0.25


async def test_keys_can_be_pressed_after_words(
    pbx: PlainPbx, told: Path, make_phone: MakePhone
) -> None:
    hello = Utterance("hello", noise_db=20)
    speech = (await synthesise([hello]))[hello]
    async with make_phone() as phone:
        await phone.dial(pbx.uri("keys"), "+34600111222")
        await phone.say(speech)
        await phone.press("12345")
        await asyncio.wait_for(phone.closed.wait(), 10)
    assert (told / "keys").read_text().split()[0] == "12345"


async def test_words_said_after_the_call_are_refused(pbx: PlainPbx, make_phone: MakePhone) -> None:
    async with make_phone() as phone:
        await phone.dial(pbx.uri("talks"), "+34600111222")
        await phone.hang_up()
        with pytest.raises(PhoneError):
            await phone.say(Speech(np.zeros(8000, np.int16), np.zeros(0, np.int16)))


async def test_a_hidden_number_shows_nothing(
    pbx: PlainPbx, told: Path, make_phone: MakePhone
) -> None:
    async with make_phone() as phone:
        await phone.dial(pbx.uri("keys"))
        await phone.press("12345")
        await asyncio.wait_for(phone.closed.wait(), 10)
    assert (told / "keys").read_text().split()[:3] == ["12345", "anonymous", "id"]


async def test_nothing_is_left_of_a_phone_that_hung_up(
    pbx: PlainPbx, make_phone: MakePhone
) -> None:
    async with make_phone() as phone:
        await phone.dial(pbx.uri("talks"), "+34600111222")
        folder = phone._softphone.folder
        process = phone._softphone._process
        assert process is not None
        await asyncio.sleep(0.3)
        await phone.hang_up()
        assert phone.closed.is_set()
    assert ProcessId.of(process.pid) is None
    assert not folder.exists()
    assert not find("-f", str(folder))


async def test_a_phone_hangs_up_when_its_user_fails(pbx: PlainPbx, make_phone: MakePhone) -> None:
    async def fails() -> None:
        async with make_phone() as phone:
            phones.append(phone)
            await phone.dial(pbx.uri("talks"), "+34600111222")
            raise ZeroDivisionError

    phones: list[Phone] = []
    with pytest.raises(ZeroDivisionError):
        await fails()
    assert phones[0].closed.is_set()
    assert not find("-f", str(phones[0]._softphone.folder))


async def test_keys_pressed_after_the_call_are_refused(
    pbx: PlainPbx, make_phone: MakePhone
) -> None:
    async with make_phone() as phone:
        await phone.dial(pbx.uri("talks"), "+34600111222")
        await phone.hang_up()
        with pytest.raises(PhoneError):
            await phone.press("1")


async def test_a_key_no_telephone_has_is_refused(pbx: PlainPbx, make_phone: MakePhone) -> None:
    async with make_phone() as phone:
        await phone.dial(pbx.uri("talks"), "+34600111222")
        with pytest.raises(PhoneError, match="no such key"):
            await phone.press("1A")


async def test_a_busy_line_is_not_answered(pbx: PlainPbx, make_phone: MakePhone) -> None:
    async with make_phone() as phone:
        with pytest.raises(NotAnswered, match="486"):
            await phone.dial(pbx.uri("busy"), "+34600111222")


async def test_a_number_that_does_not_exist_is_not_answered(
    pbx: PlainPbx, make_phone: MakePhone
) -> None:
    async with make_phone() as phone:
        with pytest.raises(NotAnswered, match="404"):
            await phone.dial(pbx.uri("nobody"), "+34600111222")


async def test_what_is_no_sip_address_is_refused(make_phone: MakePhone) -> None:
    async with make_phone() as phone:
        with pytest.raises(NotAnswered, match="no SIP address"):
            await phone.dial("http://127.0.0.1", "+34600111222")


async def test_two_phones_at_once_do_not_disturb_each_other(
    pbx: PlainPbx, make_phone: MakePhone
) -> None:
    async with make_phone() as one, make_phone() as other:
        await asyncio.gather(
            one.dial(pbx.uri("talks"), "+34600111222"), other.dial(pbx.uri("keys"), "+34600111223")
        )
        await asyncio.sleep(2)
        assert said(one) == [("secure_start", "en")]
        assert said(other) == [("ask_account_number", "en")]


def test_a_header_that_would_write_another_line_is_none() -> None:
    assert is_header("X-Saldo-Account", "1042")
    assert not is_header("X-Saldo-Account", "1042\r\nX: y")
    assert not is_header("X Saldo", "1042")
