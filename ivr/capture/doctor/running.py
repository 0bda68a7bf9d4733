"""What the running PBX shows of itself: version, logs, subscribers, trunks, what is loaded.

`saldo capture` looks at the same before each segment (`ivr.capture.guard`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ivr.capture.doctor.calls import loaded_modules
from ivr.capture.doctor.finding import Check, Finding, Problem, slight
from ivr.capture.doctor.written_down import LEAKING_LEVELS

OLDEST_PATCHED = {20: (20, 20, 1), 21: (21, 12, 3), 22: (22, 10, 1), 23: (23, 4, 1)}
"""The releases of 25 June 2026 that close twenty advisories, some of them in ARI itself."""
OLDEST = (22, 10, 1)
EVERY_CHANNEL = "__AST_CHANNEL_ALL_TOPIC"
VERBOSE = "VERBOSE"
NEEDED = frozenset({"res_ari_events", "res_ari_channels", "app_stasis", "chan_pjsip"})

VERSION = Check(
    "version",
    "releases before 25 June 2026 have twenty known holes, some of them in ARI itself",
    "install 22.10.1 (23.4.1) or later",
)
LOGS = Check(
    "running-logs",
    "each of dtmf, debug, trace and * writes every key that is pressed",
    "remove it in logger.conf",
)
VERBOSE_LOGS = Check(
    "running-verbose",
    "what rtp, agi and ari set debug or pjsip set logger show of keys, once somebody has typed "
    "them, is then written into that file; ARI and AMI do not tell whether they are on",
    "take verbose out of [logfiles] in logger.conf and type `logger reload`",
)
SUBSCRIBERS = Check(
    "subscribers",
    "an application that is subscribed to all channels is sent every digit of every call",
    "disconnect it",
)
TRUNK_STATE = Check(
    "trunk",
    "while the provider cannot be reached nobody can call, and no reminder goes out",
    "find out why (network, certificate, address); to have it watched: aors = trunk for the "
    "endpoint, contact and qualify_frequency = 60 for its aor in pjsip.conf",
)
ENOUGH = Check(
    "running-modules",
    "without them no call reaches saldo",
    "load what asterisk-config/modules.conf names",
)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One destination of the PBX's log."""

    name: str
    levels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A Stasis application and what it is subscribed to."""

    name: str
    channels: frozenset[str]
    endpoints: frozenset[str]


@dataclass(frozen=True, slots=True)
class Trunk:
    """A SIP endpoint whose address is written down: a provider, or another PBX."""

    name: str
    is_watched: bool
    """the PBX asks it every so often whether it is there"""
    is_online: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How the PBX is, whatever call is running."""

    version: str
    logs: tuple[LogFile, ...]
    subscribers: tuple[Subscriber, ...]
    modules: frozenset[str]
    """loaded and running, without `.so`"""
    trunks: tuple[Trunk, ...] = ()


def look_at(standing: Standing) -> list[Finding]:
    """Every finding about the running PBX."""
    return [
        *version(standing.version),
        *logs(standing.logs),
        *verbose_logs(standing.logs),
        *subscribers(standing.subscribers),
        *trunk_state(standing.trunks),
        *needed_modules(standing.modules),
        *loaded_modules(standing.modules),
    ]


def version(text: str) -> list[Finding]:
    """Whether the PBX's known holes are closed."""
    numbers = _numbers(text)
    is_old = numbers is None or numbers < OLDEST_PATCHED.get(numbers[0], OLDEST) or numbers < OLDEST
    old = Problem(f"Asterisk {text or 'of unknown version'} has known holes")
    return VERSION.judge(f"Asterisk {text}", [old] if is_old else [])


def logs(destinations: Iterable[LogFile]) -> list[Finding]:
    """Logs that take keys."""
    return LOGS.judge(
        "no log takes keys",
        (
            Problem(f"the PBX log {log.name or 'console'} takes {', '.join(sorted(bad)).lower()}")
            for log in destinations
            if (bad := log.levels & LEAKING_LEVELS)
        ),
    )


def verbose_logs(destinations: Iterable[LogFile]) -> list[Finding]:
    """Files that would take what somebody switches on by typing; a console is looked at alone."""
    return VERBOSE_LOGS.judge(
        "what is switched on by typing is written nowhere",
        (
            slight(f"the PBX log {log.name} takes verbose")
            for log in destinations
            if log.name and VERBOSE in log.levels
        ),
    )


def trunk_state(trunks: Collection[Trunk]) -> list[Finding]:
    """Providers that are not there; whether one that is not watched is there, nobody knows."""
    watched = [one for one in trunks if one.is_watched]
    away = [Problem(f"{one.name} does not answer") for one in watched if not one.is_online]
    unwatched = [slight("no trunk is watched: whether the provider is there is not known")]
    return TRUNK_STATE.judge("the trunk answers", away if watched else unwatched)


def subscribers(applications: Iterable[Subscriber]) -> list[Finding]:
    """Applications that are sent everything."""
    return SUBSCRIBERS.judge(
        "nobody is subscribed to all channels",
        (
            Problem(f"application {app.name} is subscribed to all channels")
            for app in applications
            if EVERY_CHANNEL in app.channels
        ),
    )


def needed_modules(loaded: Collection[str]) -> list[Finding]:
    """Modules that saldo cannot do without."""
    return ENOUGH.judge(
        "the modules that saldo needs are loaded",
        (Problem(f"{name} is not running") for name in sorted(NEEDED - set(loaded))),
    )


def _numbers(text: str) -> tuple[int, ...] | None:
    """(22, 10, 1) of "22.10.1+dfsg"; None for what is no plain release, such as "GIT-master"."""
    plain = text.partition("+")[0].partition("~")[0].partition("-")[0].split(".")
    return tuple(map(int, plain)) if all(part.isdecimal() for part in plain) else None
