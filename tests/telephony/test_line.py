"""A caller's line against a fake PBX: keys, prompts, hanging up and being handed on."""

import asyncio
from typing import Any

import pytest

from ivr.dialogue.endings import HungUp, NobodyAvailable, SecurePartAway
from ivr.telephony.ari import Ari
from ivr.telephony.errors import AnswerLate, PbxUnreachable
from ivr.telephony.line import AsteriskLine
from tests.fakes.asterisk import PASSWORD, USER, FakeAsterisk
from tests.telephony.office import Desk, office, settled

SOUNDS = ["sound:welcome", "sound:account"]


async def wait_for_the_end(line: AsteriskLine) -> None:
    while True:
        await line.next_key()


async def test_keys_typed_ahead_are_kept_in_order(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> str:
        await line.answer()
        await settled()
        return "".join([await line.next_key() for _ in range(4)])

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1", state="Ring")
        await pbx.press("1", "12#*")
        assert await desk.ending() == "12#*"
        await settled()
        assert pbx.done[-2:] == ["answer 1", "hang_up 1"]


async def test_keys_can_be_forgotten(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> str:
        await settled()
        line.forget_keys()
        await pbx.press("1", "9")
        return await line.next_key()

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        await pbx.press("1", "123")
        assert await desk.ending() == "9"


async def test_giving_up_waiting_for_a_key_loses_none(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> str:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await line.next_key()
        await pbx.press("1", "78")
        return await line.next_key() + await line.next_key()

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() == "78"


async def test_a_prompt_is_over_when_the_pbx_says_so(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> list[bool]:
        playback = await line.play(SOUNDS)
        over = asyncio.create_task(playback.finished())
        await settled()
        seen = [over.done()]
        await pbx.finish("1")
        await over
        await playback.finished()
        await playback.stop()
        return [*seen, "stop_playback" in pbx.done]

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() == [False, False]
        assert "play 1 sound:welcome sound:account" in pbx.done


async def test_the_next_prompt_does_not_wait_until_the_last_is_silent(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.3)

    async def talk(line: AsteriskLine) -> float:
        playback = await line.play(["sound:long"])
        clock = asyncio.get_running_loop().time
        pbx.before["stop_playback"] = slowly
        since = clock()
        await playback.stop()
        await playback.finished()
        await line.play(["sound:next"])
        return clock() - since

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() < 0.2


async def test_a_prompt_given_up_while_it_starts_is_silenced(ari: Ari, pbx: FakeAsterisk) -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.1)

    async def talk(line: AsteriskLine) -> list[str]:
        pbx.before["play"] = slowly
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await line.play(["sound:long"])
        await asyncio.sleep(0.2)
        return list(pbx.channels["1"].playing)

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() == []
        assert pbx.done.count("stop_playback") == 1


async def test_a_prompt_whose_acceptance_got_lost_is_looked_up_not_repeated(
    pbx: FakeAsterisk,
) -> None:
    async def too_long() -> None:
        await asyncio.sleep(0.3)

    async def talk(line: AsteriskLine) -> str:
        pbx.before["play"] = too_long
        playback = await line.play(["sound:welcome"])
        await pbx.finish("1")
        await playback.finished()
        return "heard"

    async with (
        Ari(pbx.url, USER, PASSWORD, answer_seconds=0.1) as ari,
        office(ari, desk := Desk(talk)),
    ):
        await pbx.call("1")
        assert await desk.ending() == "heard"
        assert [one for one in pbx.done if one.startswith("play")] == [
            "play 1 sound:welcome",
            "playback",
        ]


async def test_a_prompt_that_never_started_is_an_error(pbx: FakeAsterisk) -> None:
    async def swallowed() -> None:
        pbx.channels["1"].playing.clear()
        await asyncio.sleep(0.3)

    async def talk(line: AsteriskLine) -> type:
        pbx.before["play"] = swallowed
        with pytest.raises(AnswerLate) as error:
            await line.play(["sound:welcome"])
        return error.type

    async with (
        Ari(pbx.url, USER, PASSWORD, answer_seconds=0.1) as ari,
        office(ari, desk := Desk(talk)),
    ):
        await pbx.call("1")
        assert await desk.ending() is AnswerLate


async def test_an_answer_nobody_confirmed_is_looked_up(pbx: FakeAsterisk) -> None:
    async def too_long() -> None:
        pbx.channels["1"].state = "Up"
        await asyncio.sleep(0.3)

    async def talk(line: AsteriskLine) -> str:
        pbx.before["answer"] = too_long
        await line.answer()
        return "answered"

    async with (
        Ari(pbx.url, USER, PASSWORD, answer_seconds=0.1) as ari,
        office(ari, desk := Desk(talk)),
    ):
        await pbx.call("1", state="Ring")
        assert await desk.ending() == "answered"


async def _while_playing(line: AsteriskLine) -> None:
    await (await line.play(SOUNDS)).finished()


async def _while_answering(line: AsteriskLine) -> None:
    while True:
        await line.answer()


async def _while_playing_on(line: AsteriskLine) -> None:
    while True:
        playback = await line.play(SOUNDS)
        await playback.stop()


@pytest.mark.parametrize(
    "talk", [wait_for_the_end, _while_playing, _while_answering, _while_playing_on]
)
async def test_every_wait_ends_when_the_caller_hangs_up(
    ari: Ari, pbx: FakeAsterisk, talk: Any
) -> None:
    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        await settled()
        await pbx.caller_hangs_up("1")
        assert await desk.ending() is HungUp


async def test_every_request_after_hanging_up_says_so(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> int:
        with pytest.raises(HungUp):
            await line.next_key()
        for request in (line.answer, line.transfer_to_agent, line.next_key):
            with pytest.raises(HungUp):
                await request()
        with pytest.raises(HungUp):
            await line.play(SOUNDS)
        await line.hang_up()
        return len([one for one in pbx.done if one.startswith("hang_up")])

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        await settled()
        await pbx.press("1", "")
        await pbx.caller_hangs_up("1")
        assert await desk.ending() == 0


async def test_a_caller_who_left_while_events_were_lost_is_noticed(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async with office(ari, desk := Desk(wait_for_the_end)):
        await pbx.call("1")
        await settled()
        await pbx.drop("saldo")
        del pbx.channels["1"]
        assert await desk.ending() is HungUp


async def test_a_prompt_that_ended_while_events_were_lost_is_noticed(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def talk(line: AsteriskLine) -> str:
        playback = await line.play(SOUNDS)
        await pbx.drop("saldo")
        pbx.channels["1"].playing.clear()
        await playback.finished()
        return "over"

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() == "over"


async def test_a_caller_is_handed_to_the_agents_once_the_prompt_is_silent(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def talk(line: AsteriskLine) -> bool:
        await line.play(SOUNDS)
        await line.transfer_to_agent()
        return line.has_left

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() is True
        await settled()
        assert pbx.done[-2:] == ["stop_playback", "continue 1 agents queue"]
        assert pbx.channels["1"].app == ""


class Queue:
    """What the manager interface says of every queue."""

    def __init__(self, members: int | None) -> None:
        self.members = members

    async def queue_members_available(self, queue: str) -> int | None:
        assert queue == "agents"
        return self.members


async def test_without_agents_the_caller_stays_with_us(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> str:
        assert not await line.somebody_is_there()
        with pytest.raises(NobodyAvailable, match="agents"):
            await line.transfer_to_agent()
        await line.play(SOUNDS)
        return "still here"

    async with office(ari, desk := Desk(talk), queues=Queue(0)):
        await pbx.call("1")
        assert await desk.ending() == "still here"


@pytest.mark.parametrize("members", [1, None])
async def test_agents_or_no_idea_of_agents_lets_the_caller_through(
    ari: Ari, pbx: FakeAsterisk, members: int | None
) -> None:
    async with office(ari, desk := Desk(AsteriskLine.transfer_to_agent), queues=Queue(members)):
        await pbx.call("1")
        await desk.ending()
        assert "continue 1 agents queue" in pbx.done


async def test_a_caller_whom_an_agent_waits_for_goes_back_although_the_queue_is_empty(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def talk(line: AsteriskLine) -> None:
        await line.leave_word({"paid": "42.50 EUR", "result": "paid"})
        await line.transfer_to_agent()

    async with office(ari, desk := Desk(talk), queues=Queue(0)):
        await pbx.call("1", "inbound", "pay", "back=201")
        await desk.ending()
        await settled()
        assert pbx.done[-3:] == [
            "set_variable 1 SALDO_PAID=42.50 EUR",
            "set_variable 1 SALDO_RESULT=paid",
            "continue 1 agents queue",
        ]


async def test_word_for_a_caller_who_has_gone_is_a_hang_up(ari: Ari, pbx: FakeAsterisk) -> None:
    async def gone() -> None:
        pbx.channels.pop("1")

    async def talk(line: AsteriskLine) -> None:
        pbx.before["answer"] = gone
        await line.answer()
        await line.leave_word({"result": "paid"})

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1", "inbound", "pay", "back=201")
        assert await desk.ending() is HungUp


async def test_a_caller_can_be_given_to_another_application(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> bool:
        await line.play(SOUNDS)
        with pytest.raises(SecurePartAway):
            await line.move_to("other", ["hello"])
        assert not line.has_left
        socket = await ari.listen("other")
        await line.move_to("other", ["hello"])
        await socket.close()
        return line.has_left

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() is True
        assert pbx.done[-1] == "move 1 other hello"


async def test_a_pbx_that_fails_is_no_hang_up(ari: Ari, pbx: FakeAsterisk) -> None:
    async def fails() -> None:
        del pbx.before["play"]
        pbx.channels["1"].playing.clear()
        raise RuntimeError

    async def talk(line: AsteriskLine) -> str:
        pbx.before["play"] = fails
        with pytest.raises(PbxUnreachable):
            await line.play(SOUNDS)
        await line.play(SOUNDS)
        return "goes on"

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() == "goes on"


async def test_what_the_contact_centre_passed_on_are_hints(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> tuple[Any, Any]:
        return dict(line.hints), line.arrived

    async with office(ari, desk := Desk(talk)):
        await pbx.call(
            "1",
            *("inbound", "900", "account=A-1", "invoice=", "language=es", "amount=12.50"),
            *("sip=abc@trunk", "unknown=1"),
        )
        hints, arrived = await desk.ending()
        assert hints == {"account": "A-1", "language": "es", "amount": "12.50"}
        assert (arrived.dialled, arrived.caller, arrived.node) == ("900", "600100200", "n1")
        assert (arrived.channel_id, arrived.sip_call_id) == ("1", "abc@trunk")
        assert arrived.at.tzinfo is not None


@pytest.mark.parametrize("number", ["", "anonymous", "Restricted"])
async def test_a_hidden_number_is_no_number(ari: Ari, pbx: FakeAsterisk, number: str) -> None:
    async def talk(line: AsteriskLine) -> str | None:
        return line.arrived.caller

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1", number=number)
        assert await desk.ending() is None
