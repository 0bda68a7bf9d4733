"""ARI's websocket texts as frozen values; what we do not use becomes Unknown, never an error.

The fields are those of Asterisk 22.10.1's own description (`/ari/api-docs/events.json`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DialPlanPlace:
    """Where in the dial plan a channel is."""

    context: str
    extension: str
    application: str
    """such as "Queue"; of a leg that was called by one, "AppQueue" or "AppDial\""""

    @classmethod
    def from_json(cls, body: Json) -> DialPlanPlace:
        return cls(_text(body, "context"), _text(body, "exten"), _text(body, "app_name"))


@dataclass(frozen=True, slots=True)
class Channel:
    """One leg of a call as the PBX sees it."""

    id: str
    name: str
    state: str
    """"Ring", "Up", "Down" …"""
    protocol_id: str
    """the SIP Call-ID of a SIP channel"""
    caller_number: str
    in_stasis: bool
    """an application has it; else the dial plan"""
    caller_name: str = ""
    since: str = ""
    """when it was made, as the PBX writes it: ISO 8601"""
    place: DialPlanPlace = field(default_factory=lambda: DialPlanPlace("", "", ""))

    @classmethod
    def from_json(cls, body: Json) -> Channel:
        caller = _section(body, "caller")
        place = DialPlanPlace.from_json(_section(body, "dialplan"))
        return cls(
            id=_text(body, "id"),
            name=_text(body, "name"),
            state=_text(body, "state"),
            protocol_id=_text(body, "protocol_id"),
            caller_number=_text(caller, "number"),
            in_stasis=place.application == "Stasis",
            caller_name=_text(caller, "name"),
            since=_text(body, "creationtime"),
            place=place,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Something the PBX reported. `channel_id` is empty where no channel is concerned."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class StasisStart(Event):
    """A channel entered our application, with the dial plan's or the move's arguments."""

    channel: Channel
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StasisEnd(Event):
    """A channel left our application: moved, continued in the dial plan or hung up."""


@dataclass(frozen=True, slots=True)
class ChannelDestroyed(Event):
    """The channel is no more."""


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest(Event):
    """The other end hung up."""


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived(Event):
    """A key was pressed and let go."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlaybackStarted(Event):
    """The first sound of a playback is audible."""

    playback_id: str


@dataclass(frozen=True, slots=True)
class PlaybackFinished(Event):
    """A playback ended or was stopped; `failed` when a sound could not be played."""

    playback_id: str
    failed: bool
    media: str
    """the sound that was last"""


@dataclass(frozen=True, slots=True)
class ChannelUserevent(Event):
    """A message from another program, through the PBX."""

    name: str
    variables: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApplicationMoveFailed(Event):
    """The application that a channel was to be moved to has nobody connected."""

    destination: str


@dataclass(frozen=True, slots=True)
class ApplicationReplaced(Event):
    """Another websocket took over our application."""

    application: str


@dataclass(frozen=True, slots=True)
class Resynchronised(Event):
    """Not the PBX's but ours: events may have been lost, and this is how things are now."""

    here: bool
    """the channel is in our application"""


@dataclass(frozen=True, slots=True)
class Unknown(Event):
    """An event we have no use for, or a text that is no event; its content is not kept."""

    type: str


def parse(text: str) -> Event:
    """The event in one websocket text; Unknown for anything else, whatever it is."""
    try:
        body = json.loads(text)
    except ValueError:
        return Unknown("", "not JSON")
    if not isinstance(body, dict):
        return Unknown("", "not an event")
    kind = _text(body, "type")
    channel_id = _text(_section(body, "channel"), "id")
    reader = _READERS.get(kind)
    if reader is None:
        return Unknown(channel_id, kind)
    return reader(channel_id, body)


def _stasis_start(channel_id: str, body: Json) -> Event:
    args = body.get("args")
    return StasisStart(
        channel_id,
        Channel.from_json(_section(body, "channel")),
        tuple(str(arg) for arg in args) if isinstance(args, list) else (),
    )


def _playback_started(_: str, body: Json) -> Event:
    playback = _section(body, "playback")
    return PlaybackStarted(_target(playback), _text(playback, "id"))


def _playback_finished(_: str, body: Json) -> Event:
    playback = _section(body, "playback")
    return PlaybackFinished(
        _target(playback),
        _text(playback, "id"),
        failed=_text(playback, "state") == "failed",
        media=_text(playback, "media_uri"),
    )


def _user_event(channel_id: str, body: Json) -> Event:
    variables = {
        str(key): value if isinstance(value, str) else json.dumps(value)
        for key, value in _section(body, "userevent").items()
        if key != "eventname"
    }
    return ChannelUserevent(channel_id, _text(body, "eventname"), variables)


def _target(playback: Json) -> str:
    kind, _, name = _text(playback, "target_uri").partition(":")
    return name if kind == "channel" else ""


def _text(body: Json, key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _section(body: Json, key: str) -> Json:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


_READERS: Mapping[str, Callable[[str, Json], Event]] = {
    "StasisStart": _stasis_start,
    "StasisEnd": lambda channel, _: StasisEnd(channel),
    "ChannelDestroyed": lambda channel, _: ChannelDestroyed(channel),
    "ChannelHangupRequest": lambda channel, _: ChannelHangupRequest(channel),
    "ChannelDtmfReceived": lambda channel, body: ChannelDtmfReceived(channel, _text(body, "digit")),
    "PlaybackStarted": _playback_started,
    "PlaybackFinished": _playback_finished,
    "ChannelUserevent": _user_event,
    "ApplicationMoveFailed": lambda channel, body: ApplicationMoveFailed(
        channel, _text(body, "destination")
    ),
    "ApplicationReplaced": lambda _, body: ApplicationReplaced("", _text(body, "application")),
}
