"""The operations of the PBX's REST interface that we use, as it describes them itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the PBX describes it in `/ari/api-docs`."""

    method: str
    path: str
    parameters: tuple[str, ...] = ()
    """what we send besides the path, by the PBX's names"""


OPERATIONS: Mapping[str, Operation] = {
    "ping": Operation("GET", "/asterisk/ping"),
    "channels": Operation("GET", "/channels"),
    "channel": Operation("GET", "/channels/{channelId}"),
    "answer": Operation("POST", "/channels/{channelId}/answer"),
    "rtp": Operation("GET", "/channels/{channelId}/rtp_statistics"),
    "hang_up": Operation("DELETE", "/channels/{channelId}", ("reason",)),
    "move": Operation("POST", "/channels/{channelId}/move", ("app", "appArgs")),
    "continue": Operation(
        "POST", "/channels/{channelId}/continue", ("context", "extension", "priority")
    ),
    "set_variable": Operation("POST", "/channels/{channelId}/variable", ("variable", "value")),
    "play": Operation("POST", "/channels/{channelId}/play/{playbackId}", ("media",)),
    "playback": Operation("GET", "/playbacks/{playbackId}"),
    "stop_playback": Operation("DELETE", "/playbacks/{playbackId}"),
    "applications": Operation("GET", "/applications"),
    "application": Operation("GET", "/applications/{applicationName}"),
    "user_event": Operation("POST", "/events/user/{eventName}", ("application", "variables")),
    "events": Operation("GET", "/events", ("app",)),
    "mute": Operation("POST", "/channels/{channelId}/mute", ("direction",)),
    "unmute": Operation("DELETE", "/channels/{channelId}/mute", ("direction",)),
    "start_silence": Operation("POST", "/channels/{channelId}/silence"),
    "stop_silence": Operation("DELETE", "/channels/{channelId}/silence"),
    "snoop": Operation(
        "POST", "/channels/{channelId}/snoop/{snoopId}", ("app", "appArgs", "spy", "whisper")
    ),
    "external_media": Operation(
        "POST",
        "/channels/externalMedia",
        (
            *("app", "channelId", "external_host", "transport", "encapsulation"),
            *("connection_type", "format", "transport_data"),
        ),
    ),
    "variable": Operation("GET", "/channels/{channelId}/variable", ("variable",)),
    "record": Operation("POST", "/channels/{channelId}/record", ("name", "format", "ifExists")),
    "live_recording": Operation("GET", "/recordings/live/{recordingName}"),
    "recordings": Operation("GET", "/recordings/stored"),
    "recording_file": Operation("GET", "/recordings/stored/{recordingName}/file"),
    "delete_recording": Operation("DELETE", "/recordings/stored/{recordingName}"),
    "bridges": Operation("GET", "/bridges"),
    "create_bridge": Operation("POST", "/bridges/{bridgeId}", ("type",)),
    "add_to_bridge": Operation("POST", "/bridges/{bridgeId}/addChannel", ("channel", "absorbDTMF")),
    "send_text": Operation("PUT", "/endpoints/sendMessage", ("to", "from", "body")),
    "destroy_bridge": Operation("DELETE", "/bridges/{bridgeId}"),
}
