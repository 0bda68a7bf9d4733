"""A card keyed while caller and agent talk: no digit and no tone reaches the agent's telephone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from ivr.lab import pbx
from ivr.lab.dialpad import KeyWay
from ivr.lab.lab import Lab
from ivr.lab.speaking import Speech
from ivr.lab.tones import RATE, Samples, Tone, keyed, keys_heard, tones
from ivr.lab.tones import channels as recorded
from ivr.telephony.muting import LOOK_SECONDS
from tests.e2e.callers import CARD, House, channels, hears, until
from tests.e2e.talking import SILENCE, Conversation, Voices, are_heard, both_voices, conversation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NUMBER, EXPIRY, CODE = "payment-card-number", "expiration-date", "security-code"
EACH_OTHER = (True, True)
AGENT_ALONE = (False, True)
"""is heard: the agent hears nothing of the caller"""


ON_THE_WAY_SECONDS = 1.0
"""after which the agent has heard what the caller said last, also on a busy machine"""


@dataclass
class Call:
    """What came of one call with a card."""

    document: dict[str, Any]
    seen: list[dict[str, Any]]
    before: tuple[bool, bool]
    during: tuple[bool, bool]
    between: tuple[bool, bool]
    after: tuple[bool, bool]
    digit_packets: int
    voice_packets: int
    tones: list[Tone]
    plain_digit_packets: int
    """of two keys pressed before, in the plain talk"""
    plain_tones: list[Tone]
    """of two that were played into the telephone there"""


async def keys(talk: Conversation, name: str, digits: str) -> None:
    """Keys a field that was asked for, until it is good."""
    await talk.phone.press(digits)
    await talk.becomes(lambda now: now["fields"][name]["state"] == "good")


async def pays_with_an_agent(
    lab: Lab, voices: Voices, extension: str, number: str, way: KeyWay
) -> Call:
    """The number mistyped once, expiry before the number is right, confirmed, completed."""
    async with conversation(lab, voices, extension, number, way) as talk:
        before = await talk.who_is_heard()
        await talk.caller_is_silent()
        await talk.phone.press("55")
        await talk.phone.say(Speech(keyed("55"), SILENCE.background))
        await asyncio.sleep(ON_THE_WAY_SECONDS)
        plain_packets, plain_sound = talk.agent.digit_packets, talk.agent.heard()
        await talk.callers_voice()
        await talk.begins()
        await talk.asks(NUMBER)
        during = await talk.who_is_heard()
        await talk.caller_is_silent()
        await talk.phone.press("4111#")
        await talk.becomes(lambda now: now["fields"][NUMBER]["state"] == "wrong")
        await talk.callers_voice()
        await asyncio.sleep(1.2)  # no key for a second: the caller is heard again
        between = await talk.who_is_heard()
        await talk.caller_is_silent()
        for name, digits in ((EXPIRY, "1230"), (NUMBER, CARD + "#")):
            await talk.asks(name)
            await keys(talk, name, digits)
        await talk.agent_is_silent()
        await talk.asks(CODE)
        await keys(talk, CODE, "123")
        await hears(talk.phone, "confirm_card")
        await talk.phone.press("1")
        await talk.changes(status="complete")
        document = await talk.becomes(lambda now: now["status"] != "open")
        await until(lambda: is_in_the_dial_plan(lab, number))
        await talk.both_talk()
        after = await talk.who_is_heard()
        return Call(
            document,
            talk.seen,
            before,
            during,
            between,
            after,
            talk.agent.digit_packets - plain_packets,
            talk.agent.voice_packets,
            tones(talk.agent.heard()[len(plain_sound) :]),
            plain_packets,
            tones(plain_sound),
        )


@dataclass
class Tape:
    """What a MixMonitor of the PBX holds: up to its longest silence, and after that."""

    keys: str
    silent_seconds: float
    before: Samples
    after: Samples

    @classmethod
    def of(cls, file: Path) -> Self:
        (sound,) = recorded(file)
        edges = np.concatenate([[-1], np.flatnonzero(sound), [len(sound)]])
        longest = int(np.diff(edges).argmax())
        begin, end = int(edges[longest]) + 1, int(edges[longest + 1])
        return cls(keys_heard(sound), (end - begin) / RATE, sound[:begin], sound[end:])


@dataclass
class TapedCall:
    """A call that the PBX records at both ends."""

    document: dict[str, Any]
    secure_seconds: float
    """between what the agent's page is told of the beginning and of the end"""
    tapes: list[Path]
    """listened to when all calls are over: that keeps the telephones waiting"""
    voices: list[Samples]


async def pays_while_the_pbx_records(lab: Lab, voices: Voices) -> TapedCall:
    """Some of the card's digits can also be heard, as tones in the voice."""
    async with conversation(lab, voices, "taped", "+447700900186") as talk:
        await talk.each_talks_alone()
        await talk.caller_is_heard_to_key("7")
        await talk.begins()
        begun = asyncio.get_running_loop().time()
        await talk.asks(NUMBER)
        await talk.caller_is_heard_to_key(CARD[:6])
        await keys(talk, NUMBER, CARD + "#")
        await talk.agent_is_silent()
        for name, digits in ((EXPIRY, "1230"), (CODE, "123")):
            await talk.asks(name)
            await keys(talk, name, digits)
        await hears(talk.phone, "confirm_card")
        await talk.phone.press("1")
        await talk.changes(status="complete")
        document = await talk.becomes(lambda now: now["status"] != "open")
        secure_seconds = asyncio.get_running_loop().time() - begun
        await talk.both_talk()
        await asyncio.sleep(LOOK_SECONDS + 1)  # from there on it is recorded again
        await talk.each_talks_alone()
        await talk.caller_is_heard_to_key("9")
        await talk.phone.hang_up()
        await asyncio.wait_for(talk.agent.closed.wait(), 10)
        info = pbx.running(Path(lab.config).parent)
        assert info
        files = [
            info.spool / "monitor" / f"taped{talk.agent.port}-{end}.wav"
            for end in ("caller", "agent")
        ]
    await asyncio.sleep(1)  # in which the PBX completes its files
    return TapedCall(document, secure_seconds, files, [each.samples for each in voices.values()])


async def is_in_the_dial_plan(lab: Lab, number: str) -> bool:
    """Whether that caller talks on without us."""
    found = [one for one in await channels(lab) if one.caller_number == number]
    return any(one.place.context == "saldo-assist" and not one.in_stasis for one in found)


async def the_caller_hangs_up(lab: Lab, voices: Voices) -> dict[str, Any]:
    async with conversation(lab, voices, "desk", "+447700900182") as talk:
        await talk.begins()
        await talk.asks(NUMBER)
        await talk.phone.press("4111")
        await talk.phone.hang_up()
        await asyncio.wait_for(talk.agent.closed.wait(), 10)
        return await talk.becomes(lambda now: now["status"] != "open")


async def the_agent_hangs_up(lab: Lab, voices: Voices) -> dict[str, Any]:
    async with conversation(lab, voices, "desk", "+447700900183") as talk:
        await talk.begins()
        await talk.asks(NUMBER)
        await talk.phone.press("4111")
        await talk.agent.hang_up()
        document = await talk.becomes(lambda now: now["status"] != "open")
        await hears(talk.phone, "lab_agent")  # another one, of the queue
        return document


async def the_agent_cancels(lab: Lab, voices: Voices) -> tuple[dict[str, Any], bool, int]:
    async with conversation(lab, voices, "queue", "+447700900184") as talk:
        await talk.begins()
        await talk.asks(NUMBER)
        await talk.phone.press("4111")
        await talk.changes(status="cancel")
        document = await talk.becomes(lambda now: now["status"] != "open")
        return document, await talk.talk_again(), talk.agent.digit_packets


@pytest.fixture(scope="module")
def voices() -> Voices:
    return asyncio.run(both_voices())


@pytest.fixture(scope="module")
def came(lab: Lab, voices: Voices) -> dict[str, Any]:
    """All calls at the same time: they take 30 s together."""

    async def all_calls() -> dict[str, Any]:
        calls = {
            "rfc4733": pays_with_an_agent(lab, voices, "desk", "+447700900180", KeyWay.RFC4733),
            "inband": pays_with_an_agent(lab, voices, "tones", "+447700900181", KeyWay.INBAND),
            "caller": the_caller_hangs_up(lab, voices),
            "agent": the_agent_hangs_up(lab, voices),
            "cancel": the_agent_cancels(lab, voices),
            "taped": pays_while_the_pbx_records(lab, voices),
        }
        results = await asyncio.gather(*calls.values(), return_exceptions=True)
        return dict(zip(calls, results, strict=True))

    return asyncio.run(all_calls())


def call(came: dict[str, Any], name: str) -> Any:
    """What came of one; raises what went wrong in it."""
    if isinstance(came[name], BaseException):
        raise came[name]
    return came[name]


@pytest.mark.parametrize("way", ["rfc4733", "inband"])
def test_the_agents_telephone_gets_no_digit_and_no_tone(came: dict[str, Any], way: str) -> None:
    one: Call = call(came, way)
    assert one.document["status"] == "complete"
    assert one.document["card"] == {"brand": "visa", "last4": "1111", "expires": "1230"}
    assert one.digit_packets == 0
    assert one.tones == []
    assert one.voice_packets > 500


def test_a_digit_or_a_tone_would_have_been_noticed(came: dict[str, Any]) -> None:
    """In the plain talk they reach the agent; tones that the PBX knows, as digits."""
    assert call(came, "rfc4733").plain_digit_packets > 0
    assert call(came, "inband").plain_digit_packets > 0
    assert len(call(came, "rfc4733").plain_tones) == len("55")


@pytest.mark.parametrize("way", ["rfc4733", "inband"])
def test_both_hear_each_other_before_between_and_after(came: dict[str, Any], way: str) -> None:
    one: Call = call(came, way)
    assert (one.before, one.between, one.after) == (EACH_OTHER, EACH_OTHER, EACH_OTHER)


def test_during_a_field_they_do_unless_keys_may_be_tones(came: dict[str, Any]) -> None:
    assert call(came, "rfc4733").during == EACH_OTHER
    assert call(came, "inband").during == AGENT_ALONE


@pytest.mark.parametrize("way", ["rfc4733", "inband"])
def test_the_page_shows_each_field_and_no_length(came: dict[str, Any], way: str) -> None:
    seen = call(came, way).seen
    states = {name: [now["fields"][name]["state"] for now in seen] for name in (NUMBER, CODE)}
    assert states[NUMBER][-1] == "good"
    assert {"asked", "wrong", "good"} <= set(states[NUMBER])
    assert {now["fields"][CODE]["masked"] for now in seen} <= {"", "•••"}
    assert {now["fields"][NUMBER]["masked"] for now in seen} <= {"", "••••", "••••1111"}


def test_an_agent_whose_caller_hangs_up_is_free_again(came: dict[str, Any]) -> None:
    assert call(came, "caller")["result"] == "caller-hung-up"


def test_a_caller_whose_agent_hangs_up_gets_another_one(came: dict[str, Any]) -> None:
    assert call(came, "agent")["result"] == "canceled"


def test_when_the_agent_cancels_the_talk_goes_on(came: dict[str, Any]) -> None:
    document, talks_again, digit_packets = call(came, "cancel")
    assert document["result"] == "canceled"
    assert talks_again
    assert digit_packets == 0


def test_what_the_pbx_records_of_both_is_silent_while_a_card_is_keyed(
    came: dict[str, Any],
) -> None:
    one: TapedCall = call(came, "taped")
    assert one.document["status"] == "complete"
    for tape in map(Tape.of, one.tapes):
        assert tape.silent_seconds >= one.secure_seconds - 0.5  # by the PBX's clock
        assert set(tape.keys) == {"7", "9"}
        for voice in one.voices:
            assert are_heard(voice, tape.before)
            assert are_heard(voice, tape.after)


async def test_when_the_secure_process_is_killed_the_talk_goes_on(
    house: House, voices: Voices
) -> None:
    async with conversation(house.lab, voices, "tones", "+447700900185", KeyWay.INBAND) as talk:
        await talk.begins()
        await talk.asks(NUMBER)
        await talk.phone.press("4111")
        await talk.callers_voice()
        await asyncio.to_thread(house.kill, "capture")
        document = await talk.becomes(lambda now: now["status"] != "open", within=40)
        assert document["result"] == "internal-error"
        assert await talk.talk_again(within=40)
        assert await is_in_the_dial_plan(house.lab, "+447700900185")
        assert (talk.agent.digit_packets, tones(talk.agent.heard())) == (0, [])
