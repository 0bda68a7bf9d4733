"""The PBX's own recordings: muted before a caller is lent, un-muted once they are out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ivr.dialogue.endings import SecurePartAway
from ivr.telephony import muting as module
from ivr.telephony.ari import Ari
from ivr.telephony.muting import FILENAME, MARK, Muting, is_muted
from tests.fakes.asterisk import PASSWORD, USER
from tests.fakes.tapes import FakeManager, FakeTapePbx

FILE = "/var/spool/asterisk/monitor/all calls.wav"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


@pytest.fixture
async def pbx() -> AsyncIterator[FakeTapePbx]:
    async with FakeTapePbx() as pbx:
        yield pbx


@pytest.fixture
async def ari(pbx: FakeTapePbx) -> AsyncIterator[Ari]:
    async with Ari(pbx.url, USER, PASSWORD, answer_seconds=1.0) as ari:
        yield ari


@pytest.fixture
def manager() -> FakeManager:
    manager = FakeManager()
    manager.variables["1"] = {FILENAME: FILE}
    return manager


@pytest.fixture
def muting(ari: Ari, manager: FakeManager) -> Muting:
    return Muting(ari, manager, "saldo", "saldo-capture")


async def test_who_is_sent_and_does_not_come_is_recorded_again(
    muting: Muting, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMING_SECONDS", 0.2)
    running = asyncio.create_task(muting.run())
    await muting.mute("1")
    muting.sent("1")
    await moment()
    assert is_muted(manager.variables["1"][MARK], FILE)
    await asyncio.sleep(0.3)
    assert manager.done[-2:] == ["unmute", f"{MARK}="]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_is_lent_again_while_being_unmuted_is_muted_in_the_end(
    muting: Muting, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders of both must not mix: it would be noted as muted and not be so."""
    mute_recordings = manager.mute_recordings

    async def slowly(channel: str, *, muted: bool) -> None:
        await asyncio.sleep(0.0 if muted else 0.05)
        await mute_recordings(channel, muted=muted)

    monkeypatch.setattr(manager, "mute_recordings", slowly)
    await muting.mute("1")
    await asyncio.gather(muting.release("1", at_once=True), muting.mute("1"))
    assert [one for one in manager.done if one.endswith("mute")][-1] == "mute"
    assert is_muted(manager.variables["1"][MARK], FILE)


async def moment() -> None:
    await asyncio.sleep(0.08)


async def test_a_recording_is_muted_and_the_channel_says_so(
    muting: Muting, manager: FakeManager
) -> None:
    caller = muting.of("1")
    await caller.leave()
    assert is_muted(manager.variables["1"][MARK], FILE)
    assert manager.done == [f"{MARK}=muting saldo", "mute", f"{MARK}=muted saldo {FILE}"]
    await caller.back(here=True)
    assert manager.done[3:] == [f"{MARK}=unmuting saldo", "unmute", f"{MARK}="]


async def test_a_recording_that_hides_is_muted_as_well(
    muting: Muting, manager: FakeManager
) -> None:
    """MIXMONITOR_FILENAME can be cleared by any dial plan while the recording goes on."""
    manager.variables["1"] = {}
    await muting.of("1").leave()
    assert "mute" in manager.done


async def test_one_that_begins_just_then_is_muted_too(muting: Muting, manager: FakeManager) -> None:
    manager.starts = ["/another.wav"]
    await muting.of("1").leave()
    assert manager.done.count("mute") == 2
    assert is_muted(manager.variables["1"][MARK], "/another.wav")


async def test_one_that_begins_again_and_again_is_no_place_for_a_card(
    muting: Muting, manager: FakeManager
) -> None:
    manager.starts = [f"/{number}.wav" for number in range(10)]
    with pytest.raises(SecurePartAway, match="one recording"):
        await muting.of("1").leave()
    assert not is_muted(manager.variables["1"][MARK], manager.variables["1"][FILENAME])


async def test_without_the_manager_interface_a_recorded_caller_is_not_lent(
    muting: Muting, manager: FakeManager, pbx: FakeTapePbx
) -> None:
    manager.is_away = True
    pbx.variables[FILENAME] = FILE
    with pytest.raises(SecurePartAway, match="records this call"):
        await muting.of("1").leave()


async def test_without_the_manager_interface_a_caller_nobody_records_is_lent(
    muting: Muting, manager: FakeManager
) -> None:
    manager.is_away = True
    await muting.of("1").leave()


async def test_when_even_the_pbx_cannot_be_asked_the_caller_is_not_lent(
    muting: Muting, manager: FakeManager, pbx: FakeTapePbx
) -> None:
    async def stops() -> None:
        raise RuntimeError

    manager.is_away = True
    pbx.before["variable"] = stops
    with pytest.raises(SecurePartAway):
        await muting.of("1").leave()


async def test_nothing_is_un_muted_while_the_caller_is_on_the_way_or_in_the_secure_part(
    muting: Muting, manager: FakeManager, pbx: FakeTapePbx
) -> None:
    running = asyncio.create_task(muting.run())
    caller = muting.of("1")
    await caller.leave()
    await moment()
    assert "unmute" not in manager.done, "about to be lent"
    await pbx.call("1", app="saldo-capture")
    await caller.back(here=False)
    await moment()
    assert "unmute" not in manager.done, "nobody brought them back yet"
    pbx.channels["1"].app = ""
    await moment()
    assert manager.done[-2:] == ["unmute", f"{MARK}="], "in the dial plan"
    await moment()
    assert manager.done.count("unmute") == 1
    running.cancel()


async def test_what_a_dead_daemon_left_muted_is_un_muted_by_the_next(
    muting: Muting, manager: FakeManager, pbx: FakeTapePbx
) -> None:
    marks = {
        "1": f"muted saldo {FILE}",
        "2": "unmuting saldo",
        "3": "muting saldo",
        "4": f"muted other {FILE}",
        "5": f"muted saldo {FILE}",
        "6": "",
    }
    for channel_id, mark in marks.items():
        await pbx.call(channel_id, app="saldo-capture" if channel_id == "5" else "")
        manager.variables[channel_id] = {MARK: mark}
    running = asyncio.create_task(muting.run())
    await moment()
    left = {channel_id: own[MARK] for channel_id, own in manager.variables.items()}
    assert left == {"1": "", "2": "", "3": "", "4": marks["4"], "5": marks["5"], "6": ""}
    running.cancel()


async def test_a_manager_interface_that_comes_late_is_waited_for(
    muting: Muting, manager: FakeManager, pbx: FakeTapePbx
) -> None:
    await pbx.call("1", app="")
    manager.variables["1"] = {MARK: f"muted saldo {FILE}"}
    manager.connected.clear()
    manager.is_away = True
    running = asyncio.create_task(muting.run())
    await moment()
    manager.connected.set()
    await moment()
    assert not running.done()
    manager.is_away = False
    await moment()
    assert manager.variables["1"][MARK] == ""
    running.cancel()


async def test_an_un_muting_that_fails_is_done_later(muting: Muting, manager: FakeManager) -> None:
    caller = muting.of("1")
    await caller.leave()
    manager.is_away = True
    await caller.back(here=True)
    running = asyncio.create_task(muting.run())
    await moment()
    assert "unmute" not in manager.done
    manager.is_away = False
    await moment()
    assert manager.done[-1] == f"{MARK}="
    running.cancel()


async def test_a_caller_who_is_gone_needs_no_more_care(
    muting: Muting, manager: FakeManager
) -> None:
    caller = muting.of("1")
    await caller.leave()
    del manager.variables["1"]
    await caller.back(here=False)
    running = asyncio.create_task(muting.run())
    await moment()
    before = len(manager.done)
    await moment()
    assert len(manager.done) == before
    assert not muting._muted
    running.cancel()


@pytest.mark.parametrize(
    ("mark", "file"),
    [
        ("", FILE),
        (f"muting saldo {FILE}", FILE),
        ("unmuting saldo", FILE),
        ("muted", FILE),
        ("muted saldo", FILE),
        ("muted saldo /b.wav", "/a.wav"),
        ("muted saldo /a.wav", "/a.wav "),
    ],
)
def test_only_the_recording_that_was_muted_counts_as_muted(mark: str, file: str) -> None:
    assert not is_muted(mark, file)
