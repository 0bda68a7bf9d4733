from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ivr.capture.doctor.running import EVERY_CHANNEL, LogFile, Subscriber
from ivr.capture.guard import (
    EVERY_ENDPOINT,
    doubts,
    doubts_of_voice,
)
from tests.capture.secure_part import CHANNEL, good_facts

NOBODY: frozenset[str] = frozenset()


def app(name: str = "spy", channels: tuple[str, ...] = (), endpoints: tuple[str, ...] = ()) -> Any:
    own = Subscriber("saldo-capture", frozenset({CHANNEL}), NOBODY)
    return {"subscribers": (own, Subscriber(name, frozenset(channels), frozenset(endpoints)))}


def named(**names: str) -> Any:
    return {"channel_names": {CHANNEL: "PJSIP/trunk-00000001", **names}}


def test_a_quiet_pbx_leaves_no_doubt() -> None:
    assert doubts(good_facts()) == []


@pytest.mark.parametrize(
    ("doubtful", "said"),
    [
        (app(channels=(EVERY_CHANNEL,)), "spy is subscribed to all channels"),
        (app("saldo-capture", channels=(EVERY_CHANNEL,)), "all channels"),
        (app(channels=(CHANNEL,)), "spy is subscribed to the caller's channel"),
        (app("saldo", channels=(CHANNEL,)), "saldo is subscribed to the caller's channel"),
        (app(endpoints=("PJSIP",)), "endpoint PJSIP"),
        (app(endpoints=("PJSIP/trunk",)), "endpoint PJSIP/trunk"),
        (app("saldo", endpoints=("PJSIP/trunk",)), "endpoint PJSIP/trunk"),
        (app(endpoints=(EVERY_ENDPOINT,)), EVERY_ENDPOINT),
        ({"logs": (LogFile("full.log", frozenset({"NOTICE", "DTMF"})),)}, "full.log takes dtmf"),
        ({"logs": (LogFile("", frozenset({"DEBUG"})),)}, "console takes debug"),
        ({"logs": (LogFile("x", frozenset({"TRACE", "DEBUG"})),)}, "debug, trace"),
        (named(**{"9.9": f"Snoop/{CHANNEL}-00000000"}), "snooped"),
        ({"bridges": {"b": frozenset({CHANNEL})}}, "in a bridge"),
        ({"recorded_to": "/monitor/x.wav"}, "MixMonitor"),
        ({"recorded_to": "/x.wav", "muting": "muted saldo /y.wav"}, "not known to be muted"),
        ({"recorded_to": "/x.wav", "muting": "muting saldo /x.wav"}, "not known to be muted"),
        ({"recorded_to": "/x.wav", "muting": "unmuting saldo"}, "not known to be muted"),
        ({"recorded_to": "/x.wav", "muting": "muted"}, "not known to be muted"),
        ({"ears_recorded_to": "/x.wav", "muting": "muted saldo /x.wav"}, "our own ear has a"),
        ({"channel_names": {}}, "does not list"),
    ],
)
def test_whoever_could_see_or_hear_is_named(doubtful: dict[str, Any], said: str) -> None:
    (doubt,) = doubts(good_facts(**doubtful))
    assert said in doubt


@pytest.mark.parametrize(
    "harmless",
    [
        app(channels=("7.7",)),
        app(endpoints=("PJSIP/agent", "PJSIP/trunk2")),
        named(**{"9.9": "Snoop/2.2-00000000"}),
        {"logs": (LogFile("", frozenset({"NOTICE", "WARNING", "ERROR", "VERBOSE"})),)},
        {"logs": ()},
        {"recorded_to": "/my calls/x.wav", "muting": "muted saldo /my calls/x.wav"},
    ],
)
def test_what_concerns_others_is_no_doubt(harmless: dict[str, Any]) -> None:
    assert doubts(good_facts(**harmless)) == []


def test_an_endpoint_whose_name_has_hyphens_is_recognised() -> None:
    names = {CHANNEL: "PJSIP/my-trunk-1-00000001"}
    facts = good_facts(channel_names=names, **app(endpoints=("PJSIP/my-trunk-1",)))
    assert len(doubts(facts)) == 1


@pytest.mark.parametrize(
    "version",
    ["22.10.1", "22.10.1+dfsg+~cs6.17", "22.10.2", "22.11.0", "23.4.1", "24.0.0"],
)
def test_a_patched_asterisk_will_do(version: str) -> None:
    assert doubts(good_facts(version=version)) == []


@pytest.mark.parametrize(
    "version",
    ["22.10.0", "22.9.9", "18.26.4", "20.20.1", "21.12.3", "23.4.0", "23.0.0", "GIT-master-1", ""],
)
def test_an_older_or_unknown_asterisk_will_not(version: str) -> None:
    (doubt,) = doubts(good_facts(version=version))
    assert "22.10.1" in doubt


def test_every_doubt_is_told_at_once() -> None:
    facts = good_facts(version="1.8", bridges={"b": frozenset({CHANNEL})}, recorded_to="x")
    assert len(doubts(facts)) == 3


EARS = frozenset({"ear-s", "ear-m", "ear-b"})
OWN_SNOOP = {CHANNEL: "PJSIP/trunk-00000001", "ear-s": f"Snoop/{CHANNEL}-00000001"}


def with_ears(**changes: Any) -> Any:
    """A PBX on which nobody but us hears the caller."""
    own_bridge = frozenset({"ear-s", "ear-m"})
    facts = {"ears": EARS, "channel_names": OWN_SNOOP, "bridges": {"ear-b": own_bridge}}
    return good_facts(**facts | changes)


def test_our_own_ears_are_no_doubt() -> None:
    assert doubts(with_ears()) == []
    assert doubts_of_voice(with_ears()) == []


@pytest.mark.parametrize(
    "doubtful",
    [
        {"channel_names": {**OWN_SNOOP, "9.9": f"Snoop/{CHANNEL}-00000002"}},
        {"channel_names": {CHANNEL: "PJSIP/trunk-00000001", "ear-x": f"Snoop/{CHANNEL}-00000001"}},
        {"bridges": {"ear-b": frozenset({"ear-s", "ear-m", CHANNEL})}},
        {"recorded_to": "/monitor/x.wav"},
        app(channels=(CHANNEL,)),
    ],
    ids=["a second snoop", "a snoop that calls itself an ear", "bridged", "recorded", "subscribed"],
)
def test_with_our_ears_on_the_channel_all_that_forbids_keys_still_does(
    doubtful: dict[str, Any],
) -> None:
    assert len(doubts(with_ears(**doubtful))) == 1


@pytest.mark.parametrize(
    ("doubtful", "said"),
    [
        ({"running": {CHANNEL: "Stasis", "9.9": "ChanSpy"}}, "9.9 runs ChanSpy"),
        ({"running": {"9.9": "extenspy"}}, "extenspy"),
        ({"channel_names": {**OWN_SNOOP, "9.9": "Snoop/ear-s-00000001"}}, "own ear"),
        ({"channel_names": {**OWN_SNOOP, "9.9": "Snoop/ear-m-00000001"}}, "own ear"),
        ({"bridges": {"ear-b": frozenset({"ear-s", "ear-m", "9.9"})}}, "bridge of our own ear"),
        ({"bridges": {"other": frozenset({"ear-s", "9.9"})}}, "bridge of our own ear"),
    ],
)
def test_whoever_could_hear_what_is_said_is_named(doubtful: dict[str, Any], said: str) -> None:
    assert doubts(with_ears(**doubtful)) == []
    (doubt,) = doubts_of_voice(with_ears(**doubtful))
    assert said in doubt


def test_bridges_and_snoops_of_others_are_no_doubt_of_a_voice() -> None:
    elsewhere = {**OWN_SNOOP, "9.9": "Snoop/2.2-00000000"}
    bridges = {"ear-b": frozenset({"ear-s", "ear-m"}), "b": frozenset({"2.2", "9.9"})}
    assert doubts_of_voice(with_ears(channel_names=elsewhere, bridges=bridges)) == []


TALK = frozenset({CHANNEL, "agent"})
COMPANY = frozenset({"talk-1", "agent"})


def test_in_a_bridge_of_ours_with_the_agent_alone_a_caller_may_key() -> None:
    assert doubts(good_facts(bridges={"talk-1": TALK}, company=COMPANY)) == []


def test_an_agents_channel_that_is_recorded_hears_the_caller_unless_that_is_muted() -> None:
    facts = good_facts(bridges={"talk-1": TALK}, company=COMPANY)
    for mark in ("", "muting saldo /x.wav", "muted saldo /y.wav"):
        (doubt,) = doubts(replace(facts, company_recorded=(("", ""), ("/x.wav", mark))))
        assert doubt.startswith("the agent's channel has a MixMonitor")
    assert doubts(replace(facts, company_recorded=(("/x.wav", "muted saldo /x.wav"),))) == []


@pytest.mark.parametrize(
    "bridges",
    [
        {"talk-1": TALK | {"third"}},
        {"another": TALK},
        {"talk-1": TALK, "another": frozenset({CHANNEL})},
    ],
)
def test_nobody_else_and_no_other_bridge_is_with_them(bridges: dict[str, frozenset[str]]) -> None:
    (doubt,) = doubts(good_facts(bridges=bridges, company=COMPANY))
    assert "in a bridge" in doubt
