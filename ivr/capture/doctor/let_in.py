"""Whom the PBX's configuration lets in, and with which rights: AMI, ARI, the web server."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator

from ivr.capture.doctor.finding import Check, Finding, Problem, slight
from ivr.capture.doctor.written_down import switched_on
from ivr.telephony.configuration import Configuration, Section

TOO_MUCH = frozenset(
    {"all", "dtmf", "agi", "dialplan", "command", "system", "config", "originate", "reporting"}
)
HIDDEN_EVENTS = ("DTMFBegin", "DTMFEnd", "VarSet", "Newexten", "AGIExecStart", "AGIExecEnd")
SHORTEST_SECRET = 16
PLACEHOLDER = "change-me"
HASHED = "$"
"""how crypt(3) marks what it has made, apart from the oldest kinds"""
SESSIONS = 500
EVERYBODY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what is looked for, nothing is bound
FOREIGN_BITS = 0o007
ENCRYPTED_SWITCHES = ("tlsenable", "sslenable")
ENCRYPTED_PLACES = ("tlsbindaddr", "sslbindaddr")

MANAGER_RIGHTS = Check(
    "manager-rights",
    "dtmf, agi and dialplan tell what is keyed; command, system, config and originate give the "
    "whole machine away; reporting can log the trunk out",
    "give users of manager.conf write = call and no read at all",
)
MANAGER_EVENTS = Check(
    "manager-events",
    "these events carry keys, variables and arguments; switched off, no user's rights matter",
    f"set disabledevents = {','.join(HIDDEN_EVENTS)} in manager.conf",
)
MANAGER_ACL = Check(
    "manager-acl",
    "without deny and permit a stolen secret works from anywhere",
    "add deny = 0.0.0.0/0.0.0.0 and permit lines to each user of manager.conf",
)
MANAGER_BIND = Check(
    "manager-bind",
    "AMI is unencrypted and commands the PBX: scanners look for it all day",
    "set bindaddr = 127.0.0.1 in manager.conf",
)
MANAGER_WEB = Check(
    "manager-web",
    "AMI through the web server is a second door with holes of its own",
    "set webenabled = no in manager.conf",
)
MANAGER_SECRETS = Check(
    "manager-secrets",
    "a short secret, or one that was published, is guessed",
    "set 32 random characters as secret in manager.conf",
)
ARI_PASSWORDS = Check(
    "ari-passwords",
    "whoever has a user of ARI sees every key that is pressed",
    "set 32 random characters, other ones for each user, as password in ari.conf",
)
ARI_PLAIN = Check(
    "ari-plain-passwords",
    "whoever reads the file or a backup of it has the password, and so has each other user of ARI: "
    "it shows them by GET /asterisk/config/dynamic/res_ari/user",
    "store what `mkpasswd -m sha-512` prints and add password_format = crypt to the user; "
    "`saldo pbx install` and `saldo pbx renew` do both",
)
ARI_ACL = Check(
    "ari-acl",
    "without deny and permit ARI takes a user from any address",
    "add deny = 0.0.0.0/0.0.0.0 and permit lines to each user of ari.conf",
)
ARI_USERS = Check(
    "ari-users",
    "every user of ARI may subscribe to all channels and then sees every digit",
    "keep only the users of [asterisk] and [capture] in ari.conf",
)
ARI_EVERYTHING = Check(
    "ari-subscribe-all",
    "such a connection is sent every digit of every call",
    "set subscribe_all = no for each outbound websocket in ari.conf",
)
ARI_ORIGINS = Check(
    "ari-origins",
    "web pages named there may use ARI from a visitor's browser",
    "take allowed_origins out of ari.conf",
)
HTTP_BIND = Check(
    "http-bind",
    "ARI and the caller's voice are served there: who reaches it can try passwords",
    "set bindaddr = 127.0.0.1 in http.conf",
)
HTTP_TLS = Check(
    "http-tls",
    "beyond this machine keys and passwords would travel in the clear",
    "set bindaddr = 127.0.0.1 in http.conf, or use tlsenable and only tlsbindaddr",
)
HTTP_PAGES = Check(
    "http-pages",
    "status and static pages are more to attack, and tell strangers the version",
    "set enable_static = no and enable_status = no in http.conf",
)
HTTP_SESSIONS = Check(
    "http-sessions",
    "each kept connection and each websocket takes one of 100: then callers are met with silence",
    "set sessionlimit = 2000 in http.conf",
)
MEDIA_ACL = Check(
    "media-acl",
    "the caller's voice is got there with an id alone, without a password",
    "add [/media] with type = restriction, deny and permit to http.conf",
)
CONTROL = Check(
    "control-socket",
    "whoever may write to the control socket owns the PBX and can switch on each log",
    "set astctlpermissions = 0600 (or 0660) in [files] of asterisk.conf",
)


def manager_rights(manager: Configuration) -> list[Finding]:
    """Rights that show digits or give the machine away."""
    return MANAGER_RIGHTS.judge("no user of AMI has dangerous rights", _rights(manager))


def manager_events(manager: Configuration) -> list[Finding]:
    """Events that nobody needs."""
    said = (one.words for s in manager.named("general") for one in s.all("disabledevents"))
    hidden = frozenset[str]().union(*said)
    return MANAGER_EVENTS.judge(
        "AMI tells no keys, variables or arguments",
        (slight(f"{one} is sent") for one in HIDDEN_EVENTS if one.lower() not in hidden),
    )


def manager_acl(manager: Configuration) -> list[Finding]:
    """Addresses that may use AMI."""
    return MANAGER_ACL.judge("each user of AMI has its addresses", _open_users(_managers(manager)))


def manager_bind(manager: Configuration) -> list[Finding]:
    """Where AMI listens."""
    problems = [*_beyond(manager, "AMI is bound to"), *_bound_encrypted(manager, "AMI")]
    return MANAGER_BIND.judge("AMI is reached from here only", problems)


def manager_web(manager: Configuration) -> list[Finding]:
    """AMI by HTTP."""
    return MANAGER_WEB.judge(
        "AMI is not on the web server", switched_on(manager, "general", "webenabled")
    )


def manager_secrets(manager: Configuration) -> list[Finding]:
    """Secrets that can be guessed."""
    return MANAGER_SECRETS.judge("the secrets of AMI are long", _weak(_managers(manager), "secret"))


def ari_passwords(ari: Configuration) -> list[Finding]:
    """Passwords that can be guessed."""
    readable = [one for one in _users(ari) if not _is_crypt(one)]
    problems = [*_weak(readable, "password"), *_locked_out(_users(ari))]
    return ARI_PASSWORDS.judge("the passwords of ARI are long", problems)


def ari_plain(ari: Configuration) -> list[Finding]:
    """Passwords that can be read."""
    plain = [one for one in _users(ari) if not _is_crypt(one)]
    return ARI_PLAIN.judge(
        "the passwords of ARI are not stored",
        (slight(f"the password of {one.name} stands in the file ({one.where})") for one in plain),
    )


def ari_acl(ari: Configuration) -> list[Finding]:
    """Addresses that may use ARI."""
    return ARI_ACL.judge("each user of ARI has its addresses", _open_users(_users(ari)))


def ari_users(ari: Configuration, ours: Collection[str]) -> list[Finding]:
    """Users who are none of ours."""
    return ARI_USERS.judge(
        "only saldo uses ARI",
        (
            slight(f"{one.name} may use ARI too ({one.where})")
            for one in _users(ari)
            if one.name not in ours
        ),
    )


def ari_everything(ari: Configuration) -> list[Finding]:
    """Connections of the PBX's own that are sent everything."""
    return ARI_EVERYTHING.judge(
        "the PBX sends nobody all events",
        (
            Problem(f"{one.name} is sent all events ({one.where})")
            for one in ari.of_type("outbound_websocket")
            if one.says_yes("subscribe_all")
        ),
    )


def ari_origins(ari: Configuration) -> list[Finding]:
    """Browsers that may use ARI."""
    found = (one for s in ari.named("general") for one in s.all("allowed_origins"))
    return ARI_ORIGINS.judge(
        "no web page may use ARI",
        (Problem(f"allowed_origins = {one.value} ({one.where})") for one in found if one.value),
    )


def http_bind(http: Configuration) -> list[Finding]:
    """Where the web server listens, in the clear and encrypted."""
    problems = [*_beyond(http, "ARI is bound to"), *_bound_encrypted(http, "ARI")]
    return HTTP_BIND.judge("ARI is reached from here only", problems)


def http_tls(http: Configuration) -> list[Finding]:
    """Encryption of what leaves this machine."""
    return HTTP_TLS.judge(
        "ARI does not leave this machine unencrypted",
        _beyond(http, "ARI is served without TLS at"),
    )


def http_pages(http: Configuration) -> list[Finding]:
    """Pages that nobody needs."""
    return HTTP_PAGES.judge(
        "no pages besides ARI",
        (
            slight(f"{key} is on (http.conf)")
            for section in _general(http)
            for key, default in (("enable_static", False), ("enable_status", True))
            if section.says_yes(key, default=default)
        ),
    )


def http_sessions(http: Configuration) -> list[Finding]:
    """How many connections there may be."""
    limits = [section.text("sessionlimit", "100") for section in _general(http)]
    few = (one for one in limits if not one.isdecimal() or int(one) < SESSIONS)
    return HTTP_SESSIONS.judge(
        "connections enough", (slight(f"sessionlimit = {one} (http.conf)") for one in few)
    )


def media_acl(http: Configuration) -> list[Finding]:
    """Addresses that may get voices."""
    restricted = [one for one in http.named("/media") if _is_closed(one)]
    return MEDIA_ACL.judge(
        "voices have their addresses",
        [] if restricted else [slight("/media takes any address (http.conf)")],
    )


def control_socket(asterisk: Configuration) -> list[Finding]:
    """Who may use the control socket."""
    modes = [one for s in asterisk.named("files") for one in s.all("astctlpermissions")]
    return CONTROL.judge(
        "the control socket is closed to others",
        (
            Problem(f"astctlpermissions = {one.value} ({one.where})")
            for one in modes
            if not one.value.isdecimal()
            or set(one.value) & set("89")
            or int(one.value, 8) & FOREIGN_BITS
        ),
    )


def _rights(manager: Configuration) -> Iterator[Problem]:
    for user in _managers(manager):
        for key in ("read", "write"):
            for one in user.all(key):
                if too_much := one.words & TOO_MUCH:
                    rights = ", ".join(sorted(too_much))
                    yield Problem(f"{user.name} may {key} {rights} ({one.where})")


def _managers(manager: Configuration) -> list[Section]:
    return [one for one in manager.used if one.name.lower() != "general"]


def _users(ari: Configuration) -> list[Section]:
    return ari.of_type("user")


def _general(configuration: Configuration) -> list[Section]:
    """[general] of what is switched on."""
    return [one for one in configuration.named("general") if one.says_yes("enabled")]


def _open_users(users: list[Section]) -> Iterator[Problem]:
    for user in users:
        if not _is_closed(user):
            yield Problem(f"{user.name} may come from anywhere ({user.where})")


def _is_closed(section: Section) -> bool:
    """Whether everybody is denied but those who are permitted."""
    if section.text("acl"):
        return True
    denied = {one.partition("/")[0] for s in section.all("deny") for one in s.words}
    permitted = {one for s in section.all("permit") for one in s.words}
    everybody = any(one.partition("/")[0] in EVERYBODY for one in permitted)
    return bool(denied & EVERYBODY) and not everybody


def _is_local(section: Section) -> bool:
    permitted = {one.partition("/")[0] for s in section.all("permit") for one in s.words}
    return _is_closed(section) and all(_reach(one) == "loopback" for one in permitted)


def _weak(users: list[Section], key: str) -> Iterator[Problem]:
    for user in users:
        secret = user.text(key)
        if len(secret) < SHORTEST_SECRET or secret.startswith(PLACEHOLDER):
            found = user.last(key)
            where = found.where if found else user.where
            kind = slight if _is_local(user) and secret else Problem
            yield kind(f"the {key} of {user.name} is short or published ({where})")


def _is_crypt(user: Section) -> bool:
    return user.text("password_format").lower() == "crypt"


def _locked_out(users: list[Section]) -> Iterator[Problem]:
    """In [general] the line is unknown: 22.10.1 then has no ARI at all (404)."""
    for user in users:
        if _is_crypt(user) and not user.text("password").startswith(HASHED):
            found = user.last("password")
            where = found.where if found else user.where
            yield Problem(f"the password of {user.name} is no hash, so nobody gets in ({where})")


def _bound_encrypted(configuration: Configuration, what: str) -> Iterator[Problem]:
    """The encrypted door: open even where `enabled = no`, and by two names each.

    Without an address of its own it is at that of the other door, which is judged already.
    """
    for section in configuration.named("general"):
        if not any(section.says_yes(key) for key in ENCRYPTED_SWITCHES):
            continue
        for address in (one for key in ENCRYPTED_PLACES for one in section.all(key)):
            reach = _reach(_without_port(address.value))
            if reach != "loopback":
                kind = slight if reach == "private" else Problem
                yield kind(f"{what} is bound to {address.value} with TLS ({address.where})")


def _without_port(address: str) -> str:
    """`192.0.2.1:8089`, `[::1]:8089` and `::1` without what is no address."""
    if address.startswith("["):
        return address.partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _beyond(configuration: Configuration, says: str) -> Iterator[Problem]:
    """A server that others than this machine reach; a closed network is a warning only."""
    for section in _general(configuration):
        reach = _reach(section.text("bindaddr"))
        if reach != "loopback":
            kind = slight if reach == "private" else Problem
            yield kind(f"{says} {_address(section)}")


def _address(section: Section) -> str:
    found = section.last("bindaddr")
    return f"{found.value} ({found.where})" if found else f"every address ({section.where})"


def _reach(address: str) -> str:
    """From where it can be reached: loopback, private or world."""
    plain = address.strip().strip("[]")
    if plain == "localhost":
        return "loopback"
    try:
        ip = ipaddress.ip_address(plain)
    except ValueError:
        return "world"
    if ip.is_loopback:
        return "loopback"
    return "private" if ip.is_private and not ip.is_unspecified else "world"
