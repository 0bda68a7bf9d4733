"""What the PBX's configuration lets be written down or told: logs, records, events, dumps."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.capture.doctor.finding import Check, Finding, Problem, slight
from ivr.telephony.configuration import Configuration, Setting

LEAKING_LEVELS = frozenset({"DTMF", "DEBUG", "TRACE", "*"})
"""levels of the PBX's log that hold pressed keys; debug does even at debug level 0"""
MOST_VERBOSE = 2
_LEVEL = re.compile(r"^(?:\[[^\]]*\])?\s*(?P<level>[*\w]+)")

LOG_LEVELS = Check(
    "log-levels",
    "each of dtmf, debug, trace and * writes every key that is pressed into a file, debug even at "
    "level 0",
    "name only notice, warning, error and security in [logfiles] of logger.conf",
)
LOG_VERBOSE = Check(
    "log-verbose",
    "verbose lines hold the dial plan as it runs, with its arguments and variables",
    "take verbose out of [logfiles] in logger.conf",
)
VERBOSE = Check(
    "verbose",
    "from verbose 3 on the PBX writes out dial plan lines, what Read() read and digits it says",
    "set verbose = 0 in [options] of asterisk.conf",
)
DEBUG = Check(
    "debug",
    "debug output holds single digits of the RTP stream, and whole ARI requests",
    "set debug = 0 in [options] of asterisk.conf",
)
CORE_DUMPS = Check(
    "pbx-core-dumps",
    "a core dump of the PBX holds the digits of all running calls",
    "set dumpcore = no in [options] of asterisk.conf",
)
CEL = Check(
    "cel-events",
    "since 22.6 the event DTMF, which ALL means too, stores every digit in the CEL records",
    "set enable = no in cel.conf, or name its events one by one, without ALL and DTMF",
)
CDR = Check(
    "cdr",
    "a CDR stores the arguments of the last application (lastdata)",
    "set enable = no in cdr.conf, or see that no dial plan puts what was keyed into arguments",
)
AGI_EVENTS = Check(
    "agi-events",
    "AGIExec events repeat what an AGI script reads from the caller",
    "add decline = agi_exec_start_type and decline = agi_exec_end_type to stasis.conf",
)
KEYS_DECLINED = Check(
    "stasis-keys",
    "without the channel's DTMF messages Asterisk 22.10.1 does not start, or ARI is deaf",
    "take ast_channel_dtmf_begin_type and ast_channel_dtmf_end_type out of stasis.conf",
)
ARI_VARIABLES = Check(
    "ari-channelvars",
    "the channel variables named there are repeated in every event of ARI",
    "take channelvars out of ari.conf",
)
MANAGER_VARIABLES = Check(
    "manager-channelvars",
    "the channel variables named there are repeated in every event of AMI",
    "take channelvars out of manager.conf",
)
SIP_LOG = Check(
    "pjsip-debug",
    "signalling in the log holds digits that come as SIP INFO",
    "set debug = no in [global] of pjsip.conf",
)
HEP = Check(
    "hep",
    "HEP sends copies of signalling and statistics to another machine",
    "set enabled = no in hep.conf, and do not load res_hep",
)


def log_levels(logger: Configuration) -> list[Finding]:
    """Levels that hold digits."""
    return LOG_LEVELS.judge(
        "no log takes keys",
        (
            Problem(f"{one.key} takes {', '.join(sorted(leaking)).lower()} ({one.where})")
            for one in _logs(logger)
            if (leaking := _levels(one) & LEAKING_LEVELS)
        ),
    )


def log_verbose(logger: Configuration) -> list[Finding]:
    """Verbose lines in a log."""
    return LOG_VERBOSE.judge(
        "no log takes verbose lines",
        (
            slight(f"{one.key} takes verbose ({one.where})")
            for one in _logs(logger)
            if "VERBOSE" in _levels(one)
        ),
    )


def verbose(asterisk: Configuration) -> list[Finding]:
    """How much is told from the start."""
    return VERBOSE.judge("the PBX is not verbose", _above(asterisk, "verbose", MOST_VERBOSE))


def debug(asterisk: Configuration) -> list[Finding]:
    """Debug output from the start."""
    return DEBUG.judge("debug is off", _above(asterisk, "debug", 0))


def core_dumps(asterisk: Configuration) -> list[Finding]:
    """Core dumps of the PBX."""
    return CORE_DUMPS.judge(
        "the PBX leaves no core dump", switched_on(asterisk, "options", "dumpcore")
    )


def cel(events: Configuration) -> list[Finding]:
    """Channel events that are stored."""
    return CEL.judge("no key is stored as a channel event", _cel(events))


def cdr(records: Configuration) -> list[Finding]:
    """Call detail records."""
    general = records.named("general")
    is_on = not general or general[-1].says_yes("enable", default=True)
    return CDR.judge("no CDR is stored", [slight("CDRs are stored (cdr.conf)")] if is_on else [])


def agi_events(stasis: Configuration) -> list[Finding]:
    """Messages of AGI that should not be made."""
    missing = {"agi_exec_start_type", "agi_exec_end_type"} - _declined(stasis)
    return AGI_EVENTS.judge(
        "no events of AGI are made",
        (slight(f"{one} is not declined (stasis.conf)") for one in sorted(missing)),
    )


def keys_declined(stasis: Configuration) -> list[Finding]:
    """Messages that must be made."""
    deaf = _declined(stasis) & {"ast_channel_dtmf_begin_type", "ast_channel_dtmf_end_type"}
    return KEYS_DECLINED.judge(
        "pressed keys reach ARI", (Problem(f"{one} is declined (stasis.conf)") for one in deaf)
    )


def ari_variables(ari: Configuration) -> list[Finding]:
    """Variables in every event."""
    return ARI_VARIABLES.judge("no variables in ARI's events", _filled(ari, "channelvars"))


def manager_variables(manager: Configuration) -> list[Finding]:
    """Variables in every event."""
    return MANAGER_VARIABLES.judge("no variables in AMI's events", _filled(manager, "channelvars"))


def sip_log(pjsip: Configuration) -> list[Finding]:
    """Signalling in the log: `yes`, or the address of one host."""
    found = (one for section in pjsip.of_type("global") for one in section.all("debug"))
    return SIP_LOG.judge(
        "no signalling in the log",
        (
            Problem(f"debug = {one.value} ({one.where})")
            for one in found
            if one.value.lower() not in {"no", "off", "false", "0", ""}
        ),
    )


def hep(homer: Configuration) -> list[Finding]:
    """Copies of signalling; without its own line it is on."""
    found = [section.says_yes("enabled", default=True) for section in homer.named("general")]
    return HEP.judge(
        "no copies of signalling are sent",
        [Problem("HEP is switched on (hep.conf)")] if any(found) else [],
    )


def switched_on(configuration: Configuration, section: str, key: str) -> Iterator[Problem]:
    """A setting that must not be yes, and is."""
    for one in configuration.named(section):
        for setting in one.all(key):
            if setting.is_yes:
                yield Problem(f"{key} = {setting.value} ({setting.where})")


def _filled(configuration: Configuration, key: str) -> Iterator[Problem]:
    for section in configuration.named("general"):
        for one in section.all(key):
            if one.value:
                yield Problem(f"{key} = {one.value} ({one.where})")


def _above(asterisk: Configuration, key: str, most: int) -> Iterator[Problem]:
    for section in asterisk.named("options"):
        for one in section.all(key):
            is_number = one.value.isdecimal()
            if (is_number and int(one.value) > most) or (not is_number and one.is_yes):
                yield Problem(f"{key} = {one.value} ({one.where})")


def _cel(events: Configuration) -> Iterator[Problem]:
    for section in events.named("general"):
        if not section.says_yes("enable"):
            continue
        for one in section.all("events"):
            if storing := one.words & {"all", "dtmf"}:
                yield Problem(f"CEL stores {', '.join(sorted(storing)).upper()} ({one.where})")
        for one in section.all("apps"):
            if "all" in one.words:
                yield slight(f"CEL stores the arguments of all applications ({one.where})")


def _declined(stasis: Configuration) -> frozenset[str]:
    sections = stasis.named("declined_message_types")
    return frozenset(one.value for section in sections for one in section.all("decline"))


def _logs(logger: Configuration) -> Iterator[Setting]:
    for section in logger.named("logfiles"):
        yield from section.settings


def _levels(log: Setting) -> frozenset[str]:
    """Upper-case levels; `[json]` in front and `verbose(3)` are how they may be written."""
    found = (_LEVEL.match(word.strip()) for word in log.value.split(","))
    return frozenset(one["level"].upper() for one in found if one)
