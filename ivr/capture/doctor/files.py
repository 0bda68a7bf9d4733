"""Looks through a folder of Asterisk's configuration: every file, and every check of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path

from ivr.capture.doctor import calls, let_in, written_down
from ivr.capture.doctor.back import way_back
from ivr.capture.doctor.certificates import certificates
from ivr.capture.doctor.finding import Check, Finding, Problem, unseen
from ivr.telephony.configuration import (
    Configuration,
    ConfigurationError,
    ConfigurationMissing,
    read,
)

Rule = Callable[[Configuration], list[Finding]]

READABLE = Check(
    "configuration",
    "what stands in a file that cannot be read may be anything",
    "mend the file, and name the PBX's folder with --asterisk-config",
)
MAY_BE_MISSING = frozenset({"hep.conf"})
"""without the file it is off"""


def rules(folder: Path, ours: Collection[str], now: datetime) -> Mapping[str, tuple[Rule, ...]]:
    """The checks of each file; `ours` are the users of ARI that saldo has."""
    ending = partial(certificates, now=now)
    return {
        "logger.conf": (written_down.log_levels, written_down.log_verbose),
        "asterisk.conf": (
            *(written_down.verbose, written_down.debug, written_down.core_dumps),
            *(calls.dangerously, let_in.control_socket),
        ),
        "cel.conf": (written_down.cel,),
        "cdr.conf": (written_down.cdr,),
        "stasis.conf": (written_down.agi_events, written_down.keys_declined),
        "hep.conf": (written_down.hep,),
        "manager.conf": (
            *(let_in.manager_rights, let_in.manager_events, let_in.manager_acl),
            *(let_in.manager_bind, let_in.manager_web, let_in.manager_secrets),
            *(written_down.manager_variables, ending),
        ),
        "ari.conf": (
            *(let_in.ari_passwords, let_in.ari_plain, let_in.ari_acl),
            partial(let_in.ari_users, ours=ours),
            *(let_in.ari_everything, let_in.ari_origins, written_down.ari_variables),
        ),
        "http.conf": (
            *(let_in.http_bind, let_in.http_tls, let_in.http_pages),
            *(let_in.http_sessions, let_in.media_acl, ending),
        ),
        "pjsip.conf": (
            *(written_down.sip_log, calls.keys_in_signalling, calls.direct_media),
            *(calls.strangers, calls.trunk_encryption, calls.registrations),
            *(calls.transfers, calls.texts_in, ending),
        ),
        "features.conf": (calls.key_features,),
        "extensions.conf": (
            *(calls.dial_plan_keys, calls.dial_plan_recording),
            *(calls.dial_plan_spies, calls.dial_plan_shell),
            partial(way_back, pjsip=_readable(folder, "pjsip.conf")),
        ),
        "modules.conf": (calls.autoload, calls.configured_modules),
    }


def look_through(folder: Path, ours: Collection[str], now: datetime | None = None) -> list[Finding]:
    """Every finding about the files of this folder; what cannot be read is never ok.

    Raises:
        ConfigurationMissing: there is no such folder, or no asterisk.conf in it.
    """
    if not (folder / "asterisk.conf").is_file():
        raise ConfigurationMissing(
            f"there is no asterisk.conf in {folder}: name the PBX's configuration folder"
        )
    checked = rules(folder, ours, now or datetime.now(UTC))
    found = (_looked_at(folder, name, checks) for name, checks in checked.items())
    return list(chain.from_iterable(found))


def _readable(folder: Path, name: str) -> Configuration | None:
    """The file for a check of another one; what is wrong with it is told in its own place."""
    try:
        return read(folder, name)
    except ConfigurationError:
        return None


def _looked_at(folder: Path, name: str, checks: tuple[Rule, ...]) -> Iterator[Finding]:
    try:
        found = read(folder, name)
    except ConfigurationMissing as missing:
        if name in MAY_BE_MISSING:
            yield from (one for check in checks for one in check(Configuration(name)))
        else:
            yield READABLE.unknown(f"{missing}: nothing is known of what it would say")
    except ConfigurationError as broken:
        yield from READABLE.judge("", [Problem(str(broken))])
    else:
        unread = [unseen(f"what #exec brings is not looked at ({one})") for one in found.not_read]
        yield from READABLE.judge(f"{name} can be read", unread)
        yield from (one for check in checks for one in check(found))
