"""Events are read from texts that Asterisk 22.10.1 really sent."""

import json
from pathlib import Path

import pytest

from ivr.telephony.events import (
    ApplicationMoveFailed,
    ApplicationReplaced,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelUserevent,
    Event,
    PlaybackFinished,
    PlaybackStarted,
    StasisEnd,
    StasisStart,
    Unknown,
    parse,
)

RECORDINGS = Path(__file__).parents[1] / "recordings" / "ari"


def recorded(name: str) -> list[Event]:
    return [parse(text) for text in (RECORDINGS / name).read_text().splitlines()]


def test_a_call_that_comes_in_brings_its_caller_and_the_dial_plans_arguments() -> None:
    start = recorded("paying_call.jsonl")[0]
    assert isinstance(start, StasisStart)
    assert start.channel_id == start.channel.id == "1795365483.1"
    assert start.args[:4] == ("inbound", "555", "account=", "invoice=")
    assert start.channel.caller_number == "anonymous"
    assert start.channel.protocol_id == "03af8b07-6c64-4613-b7f2-d453e04ebc77"
    assert start.channel.state == "Ring"
    assert start.channel.in_stasis


def test_the_keys_of_a_call_arrive_in_order_and_are_not_shown() -> None:
    keys = [e for e in recorded("paying_call.jsonl") if isinstance(e, ChannelDtmfReceived)]
    assert [key.digit for key in keys] == ["1", "1", "2", "2"]
    assert repr(keys[0]) == "ChannelDtmfReceived(channel_id='1795365483.1')"


def test_a_prompt_starts_and_finishes_under_our_own_id() -> None:
    events = recorded("paying_call.jsonl")
    started = [e.playback_id for e in events if isinstance(e, PlaybackStarted)]
    finished = {e.playback_id: e for e in events if isinstance(e, PlaybackFinished)}
    assert started[0] == "p1"
    assert not finished["p1"].failed
    assert finished["p1"].channel_id == "1795365483.1"


def test_a_sound_that_is_missing_is_told_apart() -> None:
    finished = [e for e in recorded("paying_call.jsonl") if isinstance(e, PlaybackFinished)]
    assert [(e.playback_id, e.media) for e in finished if e.failed] == [("p2", "sound:nonexistent")]


def test_a_message_from_another_program_carries_its_variables() -> None:
    told, told_with_channel = (
        e for e in recorded("paying_call.jsonl") if isinstance(e, ChannelUserevent)
    )
    assert told.name == "SaldoCaptureEnded"
    assert told.channel_id == ""
    assert told.variables == {"capture": "x", "result": "caller-hung-up"}
    assert told_with_channel.channel_id == "1795365483.1"


def test_losing_the_application_to_another_program_is_understood() -> None:
    assert recorded("paying_call.jsonl")[-1] == ApplicationReplaced("", "saldo")


def test_a_move_to_an_application_nobody_serves_is_reported_to_us() -> None:
    failed = [e for e in recorded("secure_part_away.jsonl") if isinstance(e, ApplicationMoveFailed)]
    assert [e.destination for e in failed] == ["saldo-capture", "saldo-capture"]


def test_the_caller_hanging_up_is_a_request_and_then_an_end() -> None:
    events = recorded("secure_part_away.jsonl")
    assert [type(e) for e in events[-2:]] == [ChannelHangupRequest, StasisEnd]


def test_an_event_we_have_no_use_for_keeps_its_type_only() -> None:
    first = recorded("paying_call.jsonl")[1]
    assert first == Unknown("1795365483.1", "ChannelStateChange")


def test_a_field_that_is_new_does_not_disturb() -> None:
    event = parse('{"type":"StasisEnd","channel":{"id":"1","new":[1]},"newer":{"a":null}}')
    assert event == StasisEnd("1")


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "null", "7", '"text"', "{}", '{"type":5}', '{"channel":"x"}']
)
def test_what_is_no_event_is_unknown_and_harmless(text: str) -> None:
    assert isinstance(parse(text), Unknown)


@pytest.mark.parametrize("odd", [None, 5, "text", [], [1], {"id": 7}, {"target_uri": "channel"}])
@pytest.mark.parametrize("kind", ["StasisStart", "PlaybackFinished", "ChannelUserevent"])
def test_a_known_event_with_odd_fields_is_still_an_event(kind: str, odd: object) -> None:
    fields = dict.fromkeys(("args", "channel", "playback", "userevent", "eventname"), odd)
    assert type(parse(json.dumps({**fields, "type": kind}))).__name__ == kind
