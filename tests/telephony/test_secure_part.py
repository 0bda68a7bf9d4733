"""Lending a caller to the secure process, and getting them back whatever happens there."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest

from ivr.dialogue.endings import HungUp, SecurePartAway
from ivr.telephony import lending
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from ivr.telephony.places import SecurePart
from tests.fakes.asterisk import FakeAsterisk
from tests.telephony.office import Desk, office, settled

CAPTURE = UUID("12345678-1234-5678-1234-567812345678")
APP = "saldo-capture"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look after a lent caller every few milliseconds."""
    monkeypatch.setattr(lending, "LOOK_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(lending, "FETCH_BACK_SECONDS", 0.2)
    monkeypatch.setattr(lending, "ALIVE_SECONDS", 0.1)


async def enter(line: AsteriskLine) -> str:
    try:
        await line.enter_secure_part(CAPTURE)
    except SecurePartAway as error:
        await line.play(["sound:sorry"])
        return str(error)
    return "back"


async def lent(pbx: FakeAsterisk) -> None:
    """Return when the caller is in the secure part."""
    async with asyncio.timeout(5):
        while f"move 1 {APP} collect {CAPTURE}" not in pbx.done:  # noqa: ASYNC110 - the fake only lists
            await asyncio.sleep(0.005)
    await settled()


async def test_the_caller_is_lent_silently_and_comes_back(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> list[str]:
        await line.play(["sound:prompt"])
        return [await enter(line), await line.next_key()]

    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        await lent(pbx)
        assert pbx.channels["1"].app == APP
        moved = pbx.done.index(f"move 1 {APP} collect {CAPTURE}")
        assert pbx.done[moved - 1] == "stop_playback"
        await pbx.tell(APP, "StasisEnd", "1")
        await pbx.enter("1", "saldo", "returned", str(CAPTURE), "success")
        await pbx.press("1", "7")
        assert await desk.ending() == ["back", "7"]
    await capture.close()


async def test_no_key_crosses_the_border(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> list[str]:
        await settled()
        return [await enter(line), await line.next_key()]

    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        await pbx.press("1", "123")  # typed ahead
        await lent(pbx)
        await pbx.tell("saldo", "ChannelDtmfReceived", "1", digit="4")  # late
        await pbx.enter("1", "saldo", "returned", str(CAPTURE), "success")
        await settled()
        await pbx.press("1", "7")
        assert await desk.ending() == ["back", "7"]
    await capture.close()


async def test_without_a_secure_process_the_caller_stays(ari: Ari, pbx: FakeAsterisk) -> None:
    async with office(ari, desk := Desk(enter)):
        await pbx.call("1")
        assert await desk.ending() == "nobody is connected to the PBX as 'saldo-capture'"
        assert not [one for one in pbx.done if one.startswith("move")]


async def test_a_secure_process_that_died_a_moment_ago_is_noticed_at_once(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def dies() -> None:
        await pbx.drop(APP)

    capture = await ari.listen(APP)
    pbx.before["move"] = dies
    async with office(ari, desk := Desk(enter)):
        await pbx.call("1")
        assert "nobody is connected" in await desk.ending()
    await capture.close()


async def test_hanging_up_in_the_secure_part_is_told_by_it(ari: Ari, pbx: FakeAsterisk) -> None:
    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter)):
        await pbx.call("1")
        await lent(pbx)
        told = {"capture": str(CAPTURE), "result": "caller-hung-up"}
        await ari.user_event("SaldoCaptureEnded", "saldo", {**told, "capture": "another"})
        await settled()
        assert desk.endings.empty()
        await ari.user_event("SaldoCaptureEnded", "saldo", told)
        assert await desk.ending() is HungUp
    await capture.close()


async def test_hanging_up_in_the_secure_part_is_found_out_without_being_told(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter)):
        await pbx.call("1")
        await lent(pbx)
        del pbx.channels["1"]
        assert await desk.ending() is HungUp
    await capture.close()


async def test_hanging_up_before_the_move_is_a_hang_up(ari: Ari, pbx: FakeAsterisk) -> None:
    async def hangs_up() -> None:
        await pbx.caller_hangs_up("1")

    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter)):
        pbx.before["application"] = hangs_up
        await pbx.call("1")
        assert await desk.ending() is HungUp
    await capture.close()


async def test_a_caller_given_to_the_dial_plan_there_is_not_ours_any_more(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter)):
        await pbx.call("1")
        await lent(pbx)
        pbx.channels["1"].app = ""
        assert await desk.ending() is HungUp
    await capture.close()


async def _limit_passes(pbx: FakeAsterisk, ari: Ari) -> None:
    await asyncio.sleep(0.3)


async def _process_goes_silent(pbx: FakeAsterisk, ari: Ari) -> None:
    for _ in range(3):
        await ari.user_event("SaldoCaptureAlive", "saldo", {"capture": str(CAPTURE)})
        await asyncio.sleep(0.06)


@pytest.mark.parametrize(
    ("happens", "limit", "why"),
    [
        (_limit_passes, 0.2, "the caller was too long in the secure part"),
        (_process_goes_silent, 5.0, "the secure process has gone silent"),
    ],
)
async def test_a_caller_nobody_gives_back_is_fetched_back(
    ari: Ari,
    pbx: FakeAsterisk,
    happens: Callable[[FakeAsterisk, Ari], Coroutine[Any, Any, None]],
    limit: float,
    why: str,
) -> None:
    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter), secure=SecurePart(APP, limit)):
        await pbx.call("1")
        await lent(pbx)
        await happens(pbx, ari)
        assert await desk.ending() == why
        assert f"move 1 saldo returned {CAPTURE} fetched" in pbx.done
        assert "play 1 sound:sorry" in pbx.done
    await capture.close()


async def test_a_secure_process_that_never_gives_a_sign_does_not_keep_the_caller(
    ari: Ari, pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "FIRST_SIGN_SECONDS", 0.2)
    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter)):
        await pbx.call("1")
        await lent(pbx)
        assert await desk.ending() == "the secure process has gone silent"
        assert "play 1 sound:sorry" in pbx.done
    await capture.close()


async def test_a_secure_process_that_is_known_to_be_dead_gives_the_caller_up(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    lives = True
    capture = await ari.listen(APP)
    secure = SecurePart(APP, 5, is_alive=lambda: lives)
    async with office(ari, desk := Desk(enter), secure=secure):
        await pbx.call("1")
        await lent(pbx)
        lives = False
        await pbx.drop(APP)
        assert await desk.ending() == "the secure process has died"
        assert pbx.channels == {} or pbx.channels["1"].app == "saldo"
    await capture.close()


async def test_a_silent_prompt_that_blocks_the_way_back_is_not_waited_for_for_ever(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def is_blocked() -> None:
        raise RuntimeError

    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter), secure=SecurePart(APP, 0.1)):
        await pbx.call("1")
        await lent(pbx)
        pbx.before["move"] = is_blocked
        assert await desk.ending() == "the caller was too long in the secure part"
    await capture.close()


async def test_a_return_that_was_missed_is_found_after_reconnecting(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter)):
        await pbx.call("1")
        await lent(pbx)
        await pbx.drop("saldo")
        pbx.channels["1"].app = "saldo"
        assert await desk.ending() == "back"
    await capture.close()


async def test_a_caller_still_in_the_secure_part_after_reconnecting_stays_there(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    capture = await ari.listen(APP)
    async with office(ari, desk := Desk(enter)) as router:
        await pbx.call("1")
        await lent(pbx)
        await pbx.drop("saldo")
        async with asyncio.timeout(5):
            await pbx.connected("saldo")
            await router.stream.connected.wait()
        await settled()
        assert desk.endings.empty()
        await pbx.enter("1", "saldo", "returned", str(CAPTURE), "canceled")
        assert await desk.ending() == "back"
    await capture.close()


async def test_without_a_secure_part_in_the_settings_cards_are_refused(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async with office(ari, desk := Desk(enter), secure=None):
        await pbx.call("1")
        assert "saldo.toml" in await desk.ending()
