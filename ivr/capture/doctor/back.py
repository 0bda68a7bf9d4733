"""Where the dial plan may send callers back to: to the company's own agents, to no provider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ivr.capture.doctor.finding import Check, Finding, Problem, slight, unseen
from ivr.telephony.configuration import Configuration, Section, Setting

BACK = "saldo-back"
OUR_CONTEXTS = frozenset({BACK, "saldo-return", "agents"})
OUR_TRUNKS = frozenset({"trunk", "internet-trunk"})
OUTSIDE = "from-trunk"
"""the context that calls from outside land in"""
HARMLESS = frozenset(
    {"answer", "hangup", "noop", "playback", "progress", "return", "ringing", "set", "wait"}
)
APPLICATION = re.compile(r"(\w+)(?:\((.*)\))?")
PRIORITY = re.compile(r"\w+\((.*)\)")
SIP_HOST = re.compile(r"sips?:(?:[^@]*@)?([^;>?]+)", re.IGNORECASE)
CONTACTS = re.compile(r"\$\{PJSIP_DIAL_CONTACTS\(((?:\$\{EXTEN[^}]*\}|[^${},])*)\)\}")
EXTENSION = re.compile(r"(\$\{EXTEN(?::[^{}]*)?\})")
SIGNS = re.compile(r"\[[^\]]*\]|.")
MATCHES = {"x": "[0-9]", "z": "[1-9]", "n": "[2-9]", ".": ".*", "!": ".*", "-": ""}
DIGITS = re.compile(r"(?:[0-9XZN*#+-]|\[[0-9-]*\])*", re.IGNORECASE)

WAY_BACK = Check(
    "dial-plan-back",
    "whoever sends a call chooses where it comes back to: by a trunk, or by a pattern of any "
    "length, strangers phone at your cost",
    "let each line of [site-back] in saldo-site.conf name a pattern of fixed length and your own "
    "telephones, or an endpoint of your contact centre without an identify",
)


@dataclass(frozen=True, slots=True)
class Providers:
    """What leads to a provider, in lower case."""

    endpoints: frozenset[str]
    aors: frozenset[str]
    hosts: frozenset[str]
    known_by_address: frozenset[str]
    """endpoints with an identify whose calls land elsewhere: telephones, or another PBX"""


def way_back(extensions: Configuration, pjsip: Configuration | None) -> list[Finding]:
    """Where [saldo-back] leads; without a readable pjsip.conf nobody knows whom it rings."""
    lines = list(_lines(extensions, BACK, set()))
    values = {one.key: one.value for s in extensions.named("globals") for one in s.settings}
    known = providers(pjsip) if pjsip else None
    problems = [found for one in lines for found in _judged(one, values, known)]
    return WAY_BACK.judge("callers are sent back to nobody but agents who are named", problems)


def providers(pjsip: Configuration) -> Providers:
    """Every endpoint, AOR and host by which a provider is reached."""
    endpoints = pjsip.of_type("endpoint")
    logins = pjsip.of_type("registration")
    identified = {one.text("endpoint").lower() for one in pjsip.of_type("identify")}
    named = OUR_TRUNKS | {one.text("endpoint").lower() for one in logins} - {""}
    outside = {one.name.lower() for one in endpoints if one.text("context") == OUTSIDE}
    names = named | (identified & outside)
    aors = {aor for one in endpoints if one.name.lower() in names for aor in _aors(one)}
    places = {one.name.lower(): _hosts(one, "contact") for one in pjsip.of_type("aor")}
    hosts = {host for aor in aors for host in places.get(aor, ())}
    hosts |= {host for one in logins for host in _hosts(one, "server_uri")}
    aors |= {aor for aor, there in places.items() if there & hosts}
    names |= {one.name.lower() for one in endpoints if _aors(one) & aors}
    return Providers(
        frozenset(names), frozenset(aors), frozenset(hosts), frozenset(identified - names)
    )


def _aors(endpoint: Section) -> frozenset[str]:
    return frozenset(one.strip().lower() for one in endpoint.text("aors").split(",")) - {""}


def _hosts(section: Section, key: str) -> set[str]:
    return {host.lower() for one in section.all(key) for host in _host(one.value)}


def _host(uri: str) -> list[str]:
    found = SIP_HOST.match(uri)
    return [found[1].strip().removesuffix(":5060")] if found else []


@dataclass(frozen=True, slots=True)
class _Line:
    """What happens at one priority, or a whole setting that is no extension."""

    setting: Setting
    extension: str
    does: str
    is_first: bool

    def __str__(self) -> str:
        return f"{self.extension or self.setting.key} ({self.setting.where})"


def _lines(extensions: Configuration, context: str, seen: set[str]) -> Iterator[_Line]:
    """The lines of the context and of those that it includes."""
    seen.add(context.lower())
    for section in extensions.named(context):
        extension = ""
        for one in section.settings:
            key = one.key.lower()
            name, _, rest = one.value.partition(",")
            if key == "include" and name.strip().lower() not in seen:
                yield from _lines(extensions, name.strip(), seen)
            elif key == "exten":
                extension = name.strip().partition("/")[0]
                yield _Line(one, extension, rest.partition(",")[2].strip(), is_first=True)
            elif key == "same":
                yield _Line(one, extension, rest.strip(), is_first=False)
            elif key.endswith("switch"):
                yield _Line(one, "", one.value, is_first=False)


def _judged(line: _Line, values: dict[str, str], known: Providers | None) -> Iterator[Problem]:
    if line.is_first and line.extension.startswith("_") and _is_open(line.extension):
        yield Problem(f"{line} takes numbers of any length")
    called = APPLICATION.fullmatch(line.does)
    application = called[1].lower() if called else ""
    arguments = _split(called[2] or "", ",") if called else []
    if ",hint," in line.setting.value or application in HARMLESS:
        return
    if application == "dial":
        rung = arguments[0]
    elif application in {"goto", "gosub"} and _stays(arguments):
        told = PRIORITY.fullmatch(arguments[-1])
        rung = _split(told[1], ",")[0] if told and application == "gosub" else ""
    else:
        yield unseen(f"{line}: where {line.does or 'nothing'} leads is not followed")
        return
    for telephone in _split(_with_values(rung, values), "&"):
        yield from _rung(telephone, line, known)


def _is_open(pattern: str) -> bool:
    return bool({".", "!"} & set(SIGNS.findall(pattern)))


def _stays(place: list[str]) -> bool:
    """Whether Goto() or Gosub() goes to what saldo itself brings along."""
    return len(place) < len(("context", "extension", "priority")) or place[0] in OUR_CONTEXTS


def _with_values(text: str, values: dict[str, str]) -> str:
    """The text with the values of global variables, which may name others."""
    for _ in values:
        text = re.sub(r"\$\{(\w+)\}", lambda name: values.get(name[1], name[0]), text)
    return CONTACTS.sub(r"PJSIP/\1", text)


def _rung(telephone: str, line: _Line, known: Providers | None) -> Iterator[Problem]:
    if not telephone:
        return
    technology, _, rest = telephone.partition("/")
    there, _, beyond = rest.partition("/")
    number, _, endpoint = there.rpartition("@")
    unclear = "$" in EXTENSION.sub("", f"{endpoint}/{_place(beyond)}")
    if technology.lower() != "pjsip" or unclear or known is None:
        yield unseen(f"{line}: whether {telephone} is a provider's cannot be seen")
        return
    names = re.compile(_possible(endpoint, line.extension), re.IGNORECASE)
    aors = re.compile(_possible(_place(beyond), line.extension), re.IGNORECASE)
    trunks = [one for one in sorted(known.endpoints) if names.fullmatch(one)]
    if trunks or any(aors.fullmatch(one) for one in known.aors | known.hosts):
        yield Problem(f"{line} sends callers to a provider by {telephone}")
    elif (number or beyond) and any(names.fullmatch(one) for one in known.known_by_address):
        yield slight(f"{line} rings {telephone}, which is known by its addresses as trunks are")


def _place(beyond: str) -> str:
    """The host, or the AOR, of what follows the endpoint in `PJSIP/endpoint/…`."""
    return (_host(beyond) or [beyond])[0]


def _possible(text: str, extension: str) -> str:
    """A regular expression for what the text can become with the numbers of the extension."""
    parts = EXTENSION.split(text)
    return "".join(
        _numbers(part, extension) if EXTENSION.fullmatch(part) else re.escape(part)
        for part in parts
    )


def _numbers(variable: str, extension: str) -> str:
    pattern = extension.removeprefix("_")
    if ":" in variable:
        return "[0-9*#+]*" if DIGITS.fullmatch(pattern) else ".*"
    if pattern == extension:
        return re.escape(extension)
    signs = SIGNS.findall(pattern)
    return "".join(
        "." if one.startswith("[") else MATCHES.get(one.lower(), re.escape(one)) for one in signs
    )


def _split(text: str, sign: str) -> list[str]:
    """The parts between the signs that stand outside of every bracket."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "({[") - (letter in ")}]")
        if letter == sign and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [one.strip() for one in parts]
