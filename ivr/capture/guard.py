"""Whether anybody else could see or hear what a caller keys or says; any doubt means no card.

What the PBX shows of each was measured on Asterisk 22.10.1:

- a client connected with `subscribeAll=true` is listed with the channel `__AST_CHANNEL_ALL_TOPIC`;
- an application subscribed to the channel lists its id, one subscribed to the endpoint or to its
  technology lists "PJSIP/trunk" or "PJSIP": all three receive every digit. An application that has
  gone keeps its subscriptions and hears again when it comes back: it counts too;
- a bridge's subscriber hears no digits, but a caller in a bridge is heard by others;
- a snoop is a channel named "Snoop/<channel id>-…";
- a channel that ARI records cannot be moved to us before its recording has ended;
- MixMonitor leaves the channel variable MIXMONITOR_FILENAME, also after it was stopped; the PBX
  never says whether it is muted, so what counts is what `saldo serve` noted when it muted all that
  recorded the channel, as long as the file named is still the one of then (telephony/muting.py);
- ChanSpy leaves nothing on the channel it listens to; the spy is a channel in that application.

What is said cannot be muted as keys are, so for a voice more must be known: the last one, which
matters for keys too little to refuse a caller, and that nobody listens to our own ears.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ivr.capture.doctor import running
from ivr.capture.doctor.finding import Finding, Grade
from ivr.capture.doctor.running import EVERY_CHANNEL, LogFile, Subscriber
from ivr.telephony.muting import is_muted

EVERY_ENDPOINT = "__AST_ENDPOINT_ALL_TOPIC"
SPIES = frozenset({"chanspy", "extenspy"})
"""applications of the dial plan, in lower case, that hear other channels"""
UNMUTED = (
    "has a MixMonitor that is not known to be muted: let `saldo serve` reach the manager "
    "interface, or stop it and clear MIXMONITOR_FILENAME"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """How the PBX is just before a segment."""

    channel_id: str
    own_app: str
    version: str
    logs: tuple[LogFile, ...]
    subscribers: tuple[Subscriber, ...]
    channel_names: dict[str, str]
    """id → name of every channel of the PBX"""
    running: dict[str, str]
    """id → application of the dial plan that every channel is in"""
    bridges: dict[str, frozenset[str]]
    """id → ids of the channels in every bridge"""
    recorded_to: str
    """the MIXMONITOR_FILENAME of the channel; empty if it has none"""
    muting: str = ""
    """its SALDO_MIXMONITOR: what was muted of that"""
    ears: frozenset[str] = frozenset()
    """ids of what we put up ourselves to hear the caller: snoop, media channel, bridge"""
    company: frozenset[str] = frozenset()
    """ids of a bridge of ours that lets no digit through, and of the agent's channel in it"""
    ears_recorded_to: str = ""
    """a MIXMONITOR_FILENAME of our ears"""
    company_recorded: tuple[tuple[str, str], ...] = ()
    """MIXMONITOR_FILENAME and SALDO_MIXMONITOR of those in our company: they hear the caller"""


def doubts(facts: Facts) -> list[str]:
    """Why no card may be taken on this channel now; empty when nothing speaks against it.

    Each is one sentence for the log that says what to change.
    """
    return [
        *_told(running.version(facts.version)),
        *_told(running.logs(facts.logs)),
        *_told(running.subscribers(facts.subscribers)),
        *_subscribers(facts),
        *_listeners(facts),
    ]


def doubts_of_voice(facts: Facts) -> list[str]:
    """Why the caller may not be asked to speak, beyond `doubts`; then there are keys."""
    return [*_spies(facts), *_ears(facts)]


def _told(findings: Iterable[Finding]) -> Iterator[str]:
    """Whatever is not plainly ok is a doubt, a warning too."""
    return (f"{one.found}: {one.change}" for one in findings if one.grade is not Grade.OK)


def _subscribers(facts: Facts) -> Iterator[str]:
    endpoint = facts.channel_names.get(facts.channel_id, "").rpartition("-")[0]
    heard_at = {EVERY_ENDPOINT, endpoint, endpoint.partition("/")[0]} - {""}
    for app in facts.subscribers:
        if EVERY_CHANNEL in app.channels:
            continue  # told already
        if heard := app.endpoints & heard_at:
            yield f"application {app.name} is subscribed to endpoint {min(heard)}: unsubscribe it"
        elif app.name != facts.own_app and facts.channel_id in app.channels:
            yield f"application {app.name} is subscribed to the caller's channel: unsubscribe it"


def _listeners(facts: Facts) -> Iterator[str]:
    if facts.channel_id not in facts.channel_names:
        yield "the PBX does not list the caller's channel"
    if _is_snooped(facts, facts.channel_id):
        yield "the caller's channel is being snooped on: hang up the snoop"
    if any(_is_strange(facts, *bridge) for bridge in facts.bridges.items()):
        yield "the caller's channel is in a bridge: others hear it"
    if facts.recorded_to and not is_muted(facts.muting, facts.recorded_to):
        yield f"the caller's channel {UNMUTED}"
    if any(file and not is_muted(mark, file) for file, mark in facts.company_recorded):
        yield f"the agent's channel {UNMUTED}"
    if facts.ears_recorded_to:
        yield "our own ear has a MixMonitor: stop it"


def _is_strange(facts: Facts, bridge: str, channels: frozenset[str]) -> bool:
    """Whether the caller is in that bridge, and it, or anybody in it, is none of ours."""
    if facts.channel_id not in channels:
        return False
    return bridge not in facts.company or bool(channels - {facts.channel_id} - facts.company)


def _spies(facts: Facts) -> Iterator[str]:
    for channel_id, app in facts.running.items():
        if app.lower() in SPIES:
            name = facts.channel_names.get(channel_id, channel_id)
            yield f"{name} runs {app}, which may hear the caller: end it"


def _ears(facts: Facts) -> Iterator[str]:
    if any(_is_snooped(facts, ear) for ear in facts.ears):
        yield "our own ear is being snooped on: hang up the snoop"
    for bridge, channels in facts.bridges.items():
        if facts.ears & channels and (bridge not in facts.ears or channels - facts.ears):
            yield "somebody else is in the bridge of our own ear: take them out"


def _is_snooped(facts: Facts, channel_id: str) -> bool:
    """By anybody but ourselves."""
    snoop = f"Snoop/{channel_id}-"
    return any(
        name.startswith(snoop) and id_ not in facts.ears
        for id_, name in facts.channel_names.items()
    )
