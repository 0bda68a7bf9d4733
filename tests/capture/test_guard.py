from __future__ import annotations

from typing import Any

import pytest

from ivr.capture.guard import EVERY_CHANNEL, EVERY_ENDPOINT, LogFile, Subscriber, doubts
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
