"""Calls recorded part by part: nobody listens while the caller is lent, and no part is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from ivr.billing.calls import CallArrived
from ivr.billing.errors import BillingError
from ivr.billing.recordings import RATE
from ivr.dialogue.endings import HungUp, SecurePartAway
from ivr.telephony import media
from ivr.telephony import recording as module
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from ivr.telephony.recording import Part, Recordings
from ivr.telephony.stream import EventStream
from tests.fakes.asterisk import PASSWORD, USER
from tests.fakes.shelf import FakeShelf, Kept
from tests.fakes.tapes import FakeTapePbx, silence
from tests.telephony.office import Desk, office

CAPTURE = UUID("12345678-1234-5678-1234-567812345678")
APP = "saldo-capture"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "ENTER_SECONDS", 0.2)
    monkeypatch.setattr(module, "WRITTEN_SECONDS", 0.1)
    monkeypatch.setattr(module, "WRITTEN_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(media, "OFF_SECONDS", 0.1)


@pytest.fixture
async def pbx() -> AsyncIterator[FakeTapePbx]:
    async with FakeTapePbx() as pbx:
        yield pbx


@pytest.fixture
async def ari(pbx: FakeTapePbx) -> AsyncIterator[Ari]:
    async with Ari(pbx.url, USER, PASSWORD, answer_seconds=1.0) as ari:
        yield ari


@pytest.fixture
def shelf(tmp_path: Path) -> FakeShelf:
    return FakeShelf(tmp_path)


@asynccontextmanager
async def running(ari: Ari, stream: EventStream, shelf: FakeShelf) -> AsyncIterator[Recordings]:
    recordings = Recordings(ari, stream, shelf)
    task = asyncio.create_task(recordings.run())
    yield recordings
    await recordings.finish()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def a_call() -> CallArrived:
    """On channel 1."""
    now = datetime.now(UTC)
    return CallArrived(uuid4().hex, "1", "", None, "900", "n", now)


async def one_key(line: AsteriskLine) -> str:
    return await line.next_key()


async def moment() -> None:
    await asyncio.sleep(0.06)


async def until_kept(shelf: FakeShelf, calls: int = 1) -> None:
    async with asyncio.timeout(5):
        while len(shelf.kept) < calls:  # noqa: ASYNC110 - the fake only lists
            await asyncio.sleep(0.01)


async def until_logged(logs: Sequence[Mapping[str, object]], event: str) -> None:
    async with asyncio.timeout(5):
        while all(one["event"] != event for one in logs):  # noqa: ASYNC110 - a log only lists
            await asyncio.sleep(0.01)


@asynccontextmanager
async def day(ari: Ari, shelf: FakeShelf, desk: Desk) -> AsyncIterator[None]:
    """An office that records its calls, and a secure process that is there."""
    take_call = desk.take_call

    async def take(line: AsteriskLine) -> None:
        recordings = Recordings(ari, router.stream, shelf)
        recording = recordings.of(line.arrived)
        line.heard_by(recording)
        recording.begin()
        try:
            await take_call(line)
        finally:
            await recording.end()
            await recordings.finish()

    desk.take_call = take  # type: ignore[method-assign]  # the call with its recording
    capture = await ari.listen(APP)
    async with office(ari, desk) as router:
        yield
    await capture.close()


async def test_a_call_is_recorded_from_beginning_to_end_both_ways(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    async with day(ari, shelf, desk := Desk(one_key)):
        await pbx.call("1")
        await moment()
        assert "snoop 1 both" in pbx.done
        await pbx.press("1", "7")
        await desk.ending()
        await until_kept(shelf)
    (kept,) = shelf.kept
    assert kept.call_id == desk.lines[0].arrived.id
    assert kept.sizes == [44 + 2 * RATE]
    assert kept.secure == []
    assert kept.samples == pytest.approx(0.06 * RATE, abs=0.2 * RATE)
    assert abs((kept.began - desk.lines[0].arrived.at).total_seconds()) < 0.001
    assert pbx.stored == {}, "nothing is left on the PBX"
    assert list(shelf.folder.iterdir()) == []


async def test_nobody_listens_while_the_caller_is_lent(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    async def talk(line: AsteriskLine) -> str:
        await moment()
        await line.enter_secure_part(CAPTURE)
        return await line.next_key()

    async with day(ari, shelf, desk := Desk(talk)):
        await pbx.call("1")
        async with asyncio.timeout(5):
            while pbx.channels["1"].app != APP:  # noqa: ASYNC110 - the fake only lists
                await asyncio.sleep(0.005)
        move = pbx.done.index(f"move 1 {APP} collect {CAPTURE}")
        assert any(one.startswith("hang_up ear-saldo-") for one in pbx.done[:move])
        assert pbx.snooped == {}
        await moment()
        assert pbx.snooped == {}
        await pbx.enter("1", "saldo", "returned", str(CAPTURE), "success")
        await moment()
        assert list(pbx.snooped.values()) == ["1"]
        await pbx.press("1", "7")
        assert await desk.ending() == "7"
        await until_kept(shelf)
    (kept,) = shelf.kept
    assert kept.secure
    ((begin, end),) = kept.secure
    assert len(kept.starts) == 2
    assert 0 < begin < end <= kept.starts[1]
    assert end - begin == pytest.approx(0.06 * RATE, abs=0.2 * RATE)


async def test_a_recording_that_cannot_be_stopped_keeps_the_caller_from_the_secure_part(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    async def talk(line: AsteriskLine) -> str:
        await moment()

        async def stays() -> None:
            raise RuntimeError

        pbx.before["hang_up"] = stays
        try:
            await line.enter_secure_part(CAPTURE)
        except SecurePartAway as error:
            return str(error)
        finally:
            del pbx.before["hang_up"]
        return "lent"

    async with day(ari, shelf, desk := Desk(talk)):
        await pbx.call("1")
        assert "cannot be stopped" in await desk.ending()
        assert not any(one.startswith("move") for one in pbx.done)


async def test_a_caller_who_hangs_up_in_the_secure_part_leaves_a_whole_recording(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    async def talk(line: AsteriskLine) -> None:
        await moment()
        await line.enter_secure_part(CAPTURE)

    async with day(ari, shelf, desk := Desk(talk)):
        await pbx.call("1")
        await asyncio.sleep(0.15)
        told = {"capture": str(CAPTURE), "result": "caller-hung-up"}
        await pbx.caller_hangs_up("1")
        await ari.user_event("SaldoCaptureEnded", "saldo", told)
        assert await desk.ending() is HungUp
        await until_kept(shelf)
    (kept,) = shelf.kept
    assert kept.secure
    ((_, end),) = kept.secure
    assert kept.samples is not None
    assert end == pytest.approx(kept.samples, abs=0.1 * RATE), "nothing was recorded after it"
    assert pbx.done.count("snoop 1 both") == 1


async def test_a_caller_who_may_still_be_in_the_secure_part_is_not_recorded_again(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    """Orders reach a caller who could not be fetched back, so the talk goes on; nobody listens."""

    async def talk(line: AsteriskLine) -> str:
        await moment()
        await line.enter_secure_part(CAPTURE)
        return await line.next_key()

    async with day(ari, shelf, desk := Desk(talk)):
        await pbx.call("1")
        await asyncio.sleep(0.15)
        assert pbx.channels["1"].app == APP
        await pbx.tell("saldo", "StasisStart", "1", args=["returned"])  # and yet it is listed there
        await moment()
        assert pbx.snooped == {}
        await pbx.tell("saldo", "ChannelDtmfReceived", "1", digit="7", duration_ms=100)
        assert await desk.ending() == "7"


@pytest.mark.parametrize("fails", ["snoop", "record"])
async def test_a_call_that_cannot_be_recorded_goes_on(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf, fails: str
) -> None:
    async def refuses() -> None:
        raise RuntimeError

    pbx.before[fails] = refuses
    with capture_logs() as logs:
        async with day(ari, shelf, desk := Desk(one_key)):
            await pbx.call("1")
            await until_logged(logs, "not_recorded")
            await pbx.press("1", "7")
            assert await desk.ending() == "7"
            await until_logged(logs, "call_not_recorded")
    assert {"not_recorded", "call_not_recorded"} <= {one["event"] for one in logs}
    assert shelf.kept == []
    assert pbx.snooped == {}


@asynccontextmanager
async def at_night(ari: Ari) -> AsyncIterator[EventStream]:
    """A daemon without calls."""
    async with office(ari, Desk(one_key)) as router:
        yield router.stream


async def test_parts_that_a_dead_daemon_left_are_put_together(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    call, epoch = uuid4().hex, 1_795_365_781_104
    pbx.stored = {
        Part("saldo", call, epoch, 20).name: 1.0,
        Part("saldo", call, epoch, 5020).name: 2.0,
        Part("other", uuid4().hex, epoch, 0).name: 1.0,
        "voicemail": 1.0,
    }
    async with at_night(ari) as stream, running(ari, stream, shelf):
        await until_kept(shelf)
        await moment()
    (kept,) = shelf.kept
    assert kept.starts == [160, 40160]
    assert (kept.secure, kept.samples) == (None, None), "nobody knows"
    assert kept.began == datetime.fromtimestamp(epoch / 1000, UTC)
    assert len(pbx.stored) == 2, "what is none of ours stays"
    assert shelf.tidied


async def test_what_could_not_be_kept_is_tried_again_and_nothing_is_deleted_before(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    shelf.troubles = [BillingError("no room"), OSError("no room")]
    pbx.stored = {Part("saldo", uuid4().hex, 0, 0).name: 1.0}
    with capture_logs() as logs:
        async with at_night(ari) as stream, running(ari, stream, shelf):
            await until_kept(shelf)
            await moment()
    assert [one["event"] for one in logs].count("recording_not_kept") == 2
    assert pbx.done.index("delete_recording") > pbx.done.index("recording_file")
    assert pbx.done.count("recording_file") == 3
    assert pbx.stored == {}


async def test_parts_of_a_call_that_is_kept_are_only_deleted(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    """Cut off after it was written: whoever starts next must not write it anew with less."""
    call = uuid4().hex
    shelf.kept.append(Kept(call, datetime.now(UTC), [], [], [], 5))
    pbx.stored = {Part("saldo", call, 0, 0).name: 1.0}
    async with at_night(ari) as stream, running(ari, stream, shelf):
        await moment()
    assert pbx.stored == {}
    assert len(shelf.kept) == 1


async def test_a_part_that_the_pbx_lost_does_not_keep_the_others_from_being_kept(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    async with at_night(ari) as stream, running(ari, stream, shelf) as recordings:
        await pbx.call("1", app="elsewhere")
        (recording := recordings.of(a_call())).begin()
        await moment()
        await recording.leave()
        await recording.back(here=True)
        await moment()
        pbx.stored.clear()
        await recording.end()
        await until_kept(shelf)
    assert len(shelf.kept[0].starts) == 1
    assert shelf.kept[0].starts[0] > 0
    assert list(shelf.folder.iterdir()) == []


async def test_a_call_that_could_not_be_kept_at_once_is_whole_when_it_is(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    shelf.troubles = [BillingError("no room")]
    async with at_night(ari) as stream, running(ari, stream, shelf) as recordings:
        await pbx.call("1", app="elsewhere")
        (recording := recordings.of(a_call())).begin()
        await moment()
        await recording.end()
        await until_kept(shelf)
    assert shelf.kept[0].samples is not None


async def test_a_call_under_way_is_not_taken_for_one_left_behind(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    async with at_night(ari) as stream, running(ari, stream, shelf) as recordings:
        await pbx.call("1", app="elsewhere")
        (recording := recordings.of(a_call())).begin()
        await moment()
        await recording.leave()
        assert len(pbx.stored) == 1
        await moment()
        assert shelf.kept == []
        assert "recording_file" not in pbx.done
        await recording.end()
        await until_kept(shelf)


async def test_a_part_that_is_still_being_made_is_left_alone(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    name = Part("saldo", uuid4().hex, 0, 0).name
    pbx.live["snoop"] = name
    async with at_night(ari) as stream, running(ari, stream, shelf):
        await asyncio.sleep(0.2)
        assert "recording_file" not in pbx.done
        del pbx.live["snoop"]
        pbx.stored[name] = 1.0
        await until_kept(shelf)


async def test_a_file_arrives_byte_by_byte(ari: Ari, pbx: FakeTapePbx, tmp_path: Path) -> None:
    pbx.stored["a_b"] = 30.0
    with (tmp_path / "file").open("wb") as into:
        await ari.fetch_recording("a_b", into, 5)
    assert (tmp_path / "file").read_bytes() == silence(30.0)


def test_a_part_is_known_by_its_name() -> None:
    part = Part("saldo_2-b", "0" * 32, 1_795_365_781_104, 4020)
    assert Part.named(part.name) == part
    assert part.start == 32160
    for name in ("voicemail", "saldo_a_b_1_2", part.name + "x"):
        assert Part.named(name) is None
