"""What the PBX's configuration does with calls: keys, recordings, dial plan, modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from ivr.capture.doctor.finding import Check, Finding, Grade, Problem, slight, unseen
from ivr.capture.doctor.written_down import switched_on
from ivr.telephony.configuration import Configuration, Section, Setting

UNWANTED: Mapping[str, tuple[Grade, str]] = {
    "res_hep": (Grade.FAULT, "sends copies of signalling away"),
    "res_hep_pjsip": (Grade.FAULT, "sends copies of signalling away"),
    "res_hep_rtcp": (Grade.FAULT, "sends copies of signalling away"),
    "res_pjsip_logger": (Grade.FAULT, "writes signalling into the log"),
    "res_pjsip_history": (Grade.FAULT, "keeps signalling"),
    "res_pjsip_dtmf_info": (Grade.FAULT, "takes digits from signalling"),
    "res_pjsip_endpoint_identifier_anonymous": (Grade.FAULT, "lets strangers call"),
    "res_pjsip_refer": (Grade.WARNING, "lets a caller transfer the call"),
    "app_dumpchan": (Grade.FAULT, "writes all variables of a channel into the log"),
    "app_dtmfstore": (Grade.FAULT, "stores what is keyed"),
    "func_frame_trace": (Grade.FAULT, "writes each key into the log"),
    "app_chanspy": (Grade.FAULT, "listens to other calls"),
    "app_system": (Grade.FAULT, "runs programs from the dial plan"),
    "func_shell": (Grade.FAULT, "runs programs from the dial plan"),
    "func_env": (Grade.FAULT, "reads and writes files from the dial plan"),
    "pbx_spool": (Grade.FAULT, "makes calls from files that anybody may leave"),
    "app_audiosocket": (Grade.FAULT, "sends voice and keys to another program"),
    "chan_audiosocket": (Grade.FAULT, "sends voice and keys to another program"),
    "cel_pgsql": (Grade.FAULT, "had a hole that let callers write SQL"),
    "app_read": (Grade.WARNING, "puts keys into a variable and a verbose line"),
    **dict.fromkeys(
        ("cel_custom", "cel_manager", "cel_odbc", "cel_sqlite3_custom", "cel_tds", "cel_radius"),
        (Grade.WARNING, "stores channel events"),
    ),
    **dict.fromkeys(
        (
            *("cdr_csv", "cdr_custom", "cdr_manager", "cdr_odbc", "cdr_pgsql", "cdr_radius"),
            *("cdr_sqlite3_custom", "cdr_tds", "cdr_adaptive_odbc"),
        ),
        (Grade.WARNING, "stores the arguments of the last application"),
    ),
    **dict.fromkeys(
        ("chan_unistim", "chan_iax2", "res_xmpp", "app_sms", "res_phoneprov", "res_snmp"),
        (Grade.WARNING, "is a way in that saldo does not need"),
    ),
}
"""modules a PBX that takes cards is better without: how bad, and what each does"""
READING = re.compile(
    r"\b(?:Read|ReadExten|SayDigits|SayNumber|SayAlpha|StoreDTMF)\(", re.IGNORECASE
)
RECORDING = re.compile(r"\b(?:MixMonitor|Monitor|Record|ConfBridge|VoiceMail)\(", re.IGNORECASE)
SPYING = re.compile(r"\b(?:ChanSpy|ExtenSpy|AudioSocket|DumpChan)\(", re.IGNORECASE)
SHELL = re.compile(r"\b(?:System|TrySystem|SHELL|FILE|ExternalIVR)\(", re.IGNORECASE)
RECORDING_FEATURES = ("automixmon", "automon")
STARTED_BY_DEFAULT = ("blindxfer", "disconnect")
FEATURES = ("atxfer", "parkcall", "atxferabort", "atxfercomplete", "atxferthreeway", "pickupexten")

KEYS_IN_SIGNALLING = Check(
    "dtmf-mode",
    "keys in SIP INFO stand in every log of signalling; in-band they are tones in each recording",
    "set dtmf_mode = auto for each endpoint in pjsip.conf: tones only from who has no other way",
)
DIRECT_MEDIA = Check(
    "direct-media",
    "with direct media the voice goes past this PBX, and so do keys, unseen and unguarded",
    "set direct_media = no for each endpoint in pjsip.conf",
)
STRANGERS = Check(
    "strangers",
    "an endpoint named anonymous takes calls from anybody who finds the port",
    "take [anonymous] out of pjsip.conf and name the provider's addresses in [site-trunk]",
)
TRUNK = Check(
    "trunk-encryption",
    "over the internet keys travel readable in RTP, and signalling can be changed",
    "use a transport with protocol = tls and media_encryption = sdes (SRTP) in pjsip.conf",
)
REGISTRATION = Check(
    "trunk-registration",
    "a PBX that is not logged in gets no calls; to ask for it takes an AMI right (reporting) that "
    "can log it out too, which saldo is not given",
    "look with `asterisk -rx 'pjsip show registrations'`; the finding `trunk` watches the provider",
)
TRANSFERS = Check(
    "allow-transfer",
    "a caller who can transfer makes calls at your cost",
    "set allow_transfer = no for the trunk in pjsip.conf",
)
TEXTS_IN = Check(
    "texts-in",
    "with res_pjsip_messaging a text (SIP MESSAGE) from outside runs the endpoint's dial plan",
    "set message_context = no-texts, a context without extensions, for each endpoint in pjsip.conf",
)
KEY_FEATURES = Check(
    "features",
    "keys that start a recording, a transfer or an end are pressed while a card is keyed",
    "leave every line of [featuremap] empty, also blindxfer and disconnect, and [applicationmap]",
)
DIAL_PLAN_KEYS = Check(
    "dial-plan-keys",
    "what Read() takes is a variable, an event and a verbose line; digits said are heard again",
    "let no context that callers reach read or say digits that may be a card's",
)
DIAL_PLAN_RECORDING = Check(
    "dial-plan-recording",
    "a recorded call is refused a card by phone, or its recording holds the tones",
    "take recordings out of the way to saldo in extensions.conf",
)
DIAL_PLAN_SPIES = Check(
    "dial-plan-spies",
    "these listen to other calls, or write out what is known of them",
    "take ChanSpy, ExtenSpy, AudioSocket and DumpChan out of extensions.conf",
)
DIAL_PLAN_SHELL = Check(
    "dial-plan-shell",
    "what a caller writes in a number or header may become a command or a file",
    "take System, TrySystem, SHELL, FILE and ExternalIVR out of extensions.conf",
)
DANGEROUSLY = Check(
    "live-dangerously",
    "with it whoever has AMI or ARI reads and writes files and runs programs",
    "set live_dangerously = no in [options] of asterisk.conf",
)
AUTOLOAD = Check(
    "autoload",
    "left to itself Asterisk loads some 365 modules, and each is more to attack",
    "set autoload = no in modules.conf and load only what ours loads",
)
MODULES = Check(
    "modules",
    "the module is not needed to take payments, and does harm when cards are keyed",
    "take its load line out of modules.conf, or add noload, and restart Asterisk",
)


def keys_in_signalling(pjsip: Configuration) -> list[Finding]:
    """How keys travel."""
    return KEYS_IN_SIGNALLING.judge("keys travel beside the voice", _key_modes(pjsip))


def direct_media(pjsip: Configuration) -> list[Finding]:
    """Voice that does not pass here."""
    return DIRECT_MEDIA.judge(
        "all voice passes the PBX",
        (
            slight(f"direct_media is on for {one.name} ({one.where})")
            for one in pjsip.of_type("endpoint")
            if one.says_yes("direct_media", default=True)
        ),
    )


def strangers(pjsip: Configuration) -> list[Finding]:
    """Calls of nobody we know."""
    return STRANGERS.judge(
        "strangers get no answer",
        (
            Problem(f"there is an endpoint anonymous ({one.where})")
            for one in pjsip.of_type("endpoint")
            if one.name.lower() == "anonymous"
        ),
    )


def trunk_encryption(pjsip: Configuration) -> list[Finding]:
    """Calls that others on the way can read."""
    transports = {one.name: one for one in pjsip.of_type("transport")}
    beyond = {name: one for name, one in transports.items() if not _is_of_this_machine(one)}
    open_ones = {name: one for name, one in beyond.items() if not _is_encrypted(one)}
    endpoints = pjsip.of_type("endpoint")
    readable = [
        slight(f"{one.name} calls without TLS and SRTP ({one.where})")
        for one in endpoints
        if (name := one.text("transport")) in open_ones
        or (name in beyond and one.text("media_encryption", "no").lower() == "no")
    ]
    # A call is known by its sender's address: it may also come in by a door that no trunk names.
    unused = open_ones.keys() - {one.text("transport") for one in endpoints}
    doors = [
        slight(f"{name} takes calls without TLS at {open_ones[name].text('bind')}")
        for name in sorted(unused)
    ]
    return TRUNK.judge("no calls leave this machine unencrypted", [*readable, *doors])


def registrations(pjsip: Configuration) -> list[Finding]:
    """Logins of this PBX at providers."""
    return REGISTRATION.judge("the PBX logs in nowhere", _registrations(pjsip))


def transfers(pjsip: Configuration) -> list[Finding]:
    """Callers who may transfer."""
    return TRANSFERS.judge(
        "callers cannot transfer",
        (
            slight(f"{one.name} may transfer ({one.where})")
            for one in pjsip.of_type("endpoint")
            if one.says_yes("allow_transfer", default=True)
        ),
    )


def texts_in(pjsip: Configuration) -> list[Finding]:
    """Texts that reach the dial plan."""
    return TEXTS_IN.judge(
        "texts from outside reach nothing",
        (
            slight(f"{one.name} has no message_context of its own ({one.where})")
            for one in pjsip.of_type("endpoint")
            if one.text("message_context") in {"", one.text("context")}
        ),
    )


def key_features(features: Configuration) -> list[Finding]:
    """What keys start during a talk."""
    return KEY_FEATURES.judge("keys start nothing during a talk", _features(features))


def dial_plan_keys(extensions: Configuration) -> list[Finding]:
    """Digits read or said by the dial plan."""
    return DIAL_PLAN_KEYS.judge("the dial plan reads no keys", _says(extensions, READING, slight))


def dial_plan_recording(extensions: Configuration) -> list[Finding]:
    """Recordings that the dial plan makes."""
    return DIAL_PLAN_RECORDING.judge(
        "the dial plan records nothing", _says(extensions, RECORDING, slight)
    )


def dial_plan_spies(extensions: Configuration) -> list[Finding]:
    """Calls that listen to others."""
    return DIAL_PLAN_SPIES.judge("nobody listens to calls", _says(extensions, SPYING, Problem))


def dial_plan_shell(extensions: Configuration) -> list[Finding]:
    """Programs and files."""
    return DIAL_PLAN_SHELL.judge("the dial plan runs nothing", _says(extensions, SHELL, Problem))


def dangerously(asterisk: Configuration) -> list[Finding]:
    """Files and programs for whoever has AMI or ARI."""
    return DANGEROUSLY.judge(
        "AMI and ARI reach no files", switched_on(asterisk, "options", "live_dangerously")
    )


def autoload(modules: Configuration) -> list[Finding]:
    """Whether everything is loaded."""
    is_on = _loads_all(modules)
    return AUTOLOAD.judge(
        "only what is named is loaded", [slight("autoload is on (modules.conf)")] if is_on else []
    )


def configured_modules(modules: Configuration) -> list[Finding]:
    """Modules that will be loaded."""
    sections = modules.named("modules")
    named = {
        one.value.removesuffix(".so")
        for section in sections
        for key in ("load", "preload", "require", "preload-require", "load-require")
        for one in section.all(key)
    }
    kept_out = {one.value.removesuffix(".so") for s in sections for one in s.all("noload")}
    loaded = (named | set(UNWANTED) if _loads_all(modules) else named) - kept_out
    return loaded_modules(loaded)


def loaded_modules(names: Collection[str]) -> list[Finding]:
    """Modules that are loaded, without `.so`, and should not be."""
    return MODULES.judge(
        "no module that could do harm",
        (
            Problem(f"{name} {UNWANTED[name][1]}", UNWANTED[name][0])
            for name in sorted(UNWANTED.keys() & set(names))
        ),
    )


def _is_of_this_machine(transport: Section) -> bool:
    return transport.text("bind").startswith(("127.", "[::1]", "localhost"))


def _is_encrypted(transport: Section) -> bool:
    return transport.text("protocol", "udp").lower() in {"tls", "wss"}


def _registrations(pjsip: Configuration) -> Iterator[Problem]:
    for one in pjsip.of_type("registration"):
        yield unseen(f"whether {one.name} is logged in at the provider ({one.where})")


def _key_modes(pjsip: Configuration) -> Iterator[Problem]:
    for endpoint in pjsip.of_type("endpoint"):
        mode = endpoint.text("dtmf_mode", "rfc4733").lower()
        if mode in {"info", "auto_info"}:
            yield Problem(f"{endpoint.name} takes keys by {mode} ({endpoint.where})")
        elif mode == "inband":
            yield slight(f"{endpoint.name} takes keys {mode} ({endpoint.where})")


def _features(features: Configuration) -> Iterator[Problem]:
    keys = {one.key.lower(): one for s in features.named("featuremap") for one in s.settings}
    for name in (*RECORDING_FEATURES, *STARTED_BY_DEFAULT, *FEATURES):
        one = keys.get(name)
        kind = Problem if name in RECORDING_FEATURES else slight
        if one is not None and one.value:
            yield kind(f"{one.value} starts {name} ({one.where})")
        elif one is None and name in STARTED_BY_DEFAULT:
            yield slight(f"{name} has its usual key (features.conf)")
    for section in features.named("applicationmap"):
        for one in section.settings:
            kind = Problem if RECORDING.search(_as_call(one)) else slight
            yield kind(f"{one.key} starts {one.value} ({one.where})")


def _as_call(feature: Setting) -> str:
    """`*9,self,MixMonitor,x.wav` as the dial plan would write it."""
    return feature.value.replace(",", "(")


def _loads_all(modules: Configuration) -> bool:
    return any(section.says_yes("autoload") for section in modules.named("modules"))


def _says(
    extensions: Configuration, wanted: re.Pattern[str], kind: Callable[[str], Problem]
) -> Iterator[Problem]:
    for section in extensions.used:
        for one in section.settings:
            if found := wanted.search(one.value):
                yield kind(f"[{section.name}] has {found[0]}) ({one.where})")
