"""Leaks of Asterisk, each a setting or a line of dial plan that somebody may think harmless."""

from __future__ import annotations

from ivr.lab.dialpad import KeyWay
from ivr.lab.leaktest.mutants.mutant import APP, CLIENT, HEP, READ, SHOWN, Mutant

LOG, VERBOSE_LOG = "leaktest.log", "leaktest-verbose.log"
_VERBOSE = {"logger.conf": f"{VERBOSE_LOG} => verbose(9)\n"}
_LOUD = ("logger reload", "core set verbose 9")
_QUIET = ("core set verbose 0", "logger reload")
_AGAIN = ("manager reload",)
_CHANNEL = "{channel}"
_INFO_ON = "module load res_pjsip_dtmf_info.so"
"""with it the PBX takes keys that come as SIP INFO; without, it does not even answer them"""
_INFO_OFF = "module unload res_pjsip_dtmf_info.so"
_TONES_STAY = {"pjsip.conf": "dtmf_mode"}
"""the PBX does not listen for tones, and so takes none out of the voice"""
_SIP_AGAIN = ("module reload res_pjsip.so",)
_LOAD_CEL = ("module load res_cdrel_custom.so", "module load cel_custom.so")
_UNLOAD_CEL = ("module unload cel_custom.so", "module unload res_cdrel_custom.so")
MANAGER = "AMI"
RECORDINGS = "recording"


def _log(level: str, what: str, *commands: str, off: tuple[str, ...] = ()) -> Mutant:
    return Mutant(
        name=f"log-{level.partition('(')[0].replace('*', 'everything')}",
        what=what,
        sink=LOG,
        files={"logger.conf": f"{LOG} => {level}\n"},
        on=("logger reload", *commands),
        off=(*off, "logger reload"),
        guarded=True,
    )


_LOGS = (
    _log("dtmf", "a log takes the level dtmf"),
    _log("*", "a log takes every level"),
    _log(
        "debug",
        "a log takes debug, with debug at 1",
        "core set debug 1",
        off=("core set debug 0",),
    ),
)

_VERBOSES = (
    Mutant(
        name="verbose-read",
        what="a log takes verbose lines, and the dial plan reads keys",
        sink=VERBOSE_LOG,
        files=_VERBOSE,
        on=_LOUD,
        off=_QUIET,
    ),
    Mutant(
        name="verbose-executing",
        what="verbose lines hold the arguments of the dial plan as it runs",
        sink=VERBOSE_LOG,
        plan=(READ, "NoOp(card ${LEAK:0:4} ${LEAK:4})"),
        files=_VERBOSE,
        on=_LOUD,
        off=_QUIET,
    ),
    Mutant(
        name="verbose-say-digits",
        what="the dial plan says keyed digits, and verbose lines name each sound",
        sink=VERBOSE_LOG,
        plan=("Read(LEAK,,10,,1,4)", "SayDigits(${LEAK})"),
        files=_VERBOSE,
        on=_LOUD,
        off=_QUIET,
    ),
    Mutant(
        name="log-application",
        what="the dial plan writes a variable into the log",
        sink="messages.log",
        plan=(READ, "Log(NOTICE,keyed ${LEAK})"),
        on=("module load app_verbose.so",),
        off=("module unload app_verbose.so",),
    ),
    Mutant(
        name="ari-set-debug",
        what="`ari set debug all on` with a log of verbose lines",
        sink=VERBOSE_LOG,
        plan=(f"Stasis({APP})",),
        is_client=True,
        files=_VERBOSE,
        on=(*_LOUD, "ari set debug all on"),
        off=("ari set debug all off", *_QUIET),
    ),
    Mutant(
        name="rtp-debug",
        what="`rtp set debug on` with a log of verbose lines",
        sink=VERBOSE_LOG,
        plan=("Wait(6)",),
        files=_VERBOSE,
        on=(*_LOUD, "rtp set debug on"),
        off=("rtp set debug off", *_QUIET),
    ),
    Mutant(
        name="agi-debug",
        what="`agi set debug on` while an AGI script reads keys",
        sink=VERBOSE_LOG,
        plan=("AGI(agi://127.0.0.1:{agi}/)",),
        files=_VERBOSE,
        on=(*_LOUD, "agi set debug on"),
        off=("agi set debug off", *_QUIET),
    ),
)

_SIGNALLING = (
    Mutant(
        name="pjsip-logger",
        what="signalling is logged, and keys come as SIP INFO",
        sink=VERBOSE_LOG,
        plan=("Wait(6)",),
        keys=KeyWay.INFO,
        files=_VERBOSE,
        on=(*_LOUD, _INFO_ON, "module load res_pjsip_logger.so", "pjsip set logger on"),
        off=("pjsip set logger off", "module unload res_pjsip_logger.so", _INFO_OFF, *_QUIET),
    ),
    Mutant(
        name="pjsip-history",
        what="the history of signalling is kept, and keys come as SIP INFO",
        sink=SHOWN,
        plan=("Wait(6)",),
        keys=KeyWay.INFO,
        on=(_INFO_ON, "module load res_pjsip_history.so", "pjsip set history on"),
        shows=("pjsip show history",),
        off=("pjsip set history off", "module unload res_pjsip_history.so", _INFO_OFF),
    ),
    Mutant(
        name="hep",
        what="copies of signalling are sent away by HEP, and keys come as SIP INFO",
        sink=HEP,
        plan=("Wait(6)",),
        keys=KeyWay.INFO,
        files={"hep.conf": "[general]\nenabled = yes\ncapture_address = 127.0.0.1:{hep}\n"},
        on=(_INFO_ON, "module load res_hep.so", "module load res_hep_pjsip.so"),
        off=("module unload res_hep_pjsip.so", "module unload res_hep.so", _INFO_OFF),
    ),
)

_MANAGER = (
    Mutant(
        name="ami-dtmf",
        what="AMI tells of keys to a user with the right dtmf",
        sink=MANAGER,
        without={"manager.conf": "disabledevents"},
        restarts=True,
    ),
    Mutant(
        name="ami-varset",
        what="AMI tells of variables that are set",
        sink=MANAGER,
        without={"manager.conf": "disabledevents"},
        plan=("Read(KEYED,,16,,1,4)", "Set(LEAK=${KEYED})", "Set(KEYED=)"),
        restarts=True,
    ),
    Mutant(
        name="ami-new-extension",
        what="AMI tells of dial plan applications with their arguments",
        sink=MANAGER,
        without={"manager.conf": "disabledevents"},
        plan=(READ, "NoOp(${LEAK})"),
        restarts=True,
    ),
    Mutant(
        name="ami-status-variables",
        what="a channel variable holds keys, and AMI shows variables of channels",
        sink=MANAGER,
        plan=(READ, "Wait(2)"),
    ),
    Mutant(
        name="ami-channelvars",
        what="manager.conf repeats a variable in every event",
        sink=MANAGER,
        plan=(READ, "Playback(beep)", "Wait(1)"),
        files={"manager.conf": "[general](+)\nchannelvars = LEAK\n"},
        on=_AGAIN,
        off=_AGAIN,
    ),
    Mutant(
        name="ami-agi-events",
        what="AMI tells what an AGI script reads (the decline lines of stasis.conf are gone)",
        sink=MANAGER,
        without={"manager.conf": "disabledevents", "stasis.conf": "decline"},
        plan=("AGI(agi://127.0.0.1:{agi}/)",),
        restarts=True,
    ),
    Mutant(
        name="user-event",
        what="the dial plan sends an event with what was keyed",
        sink=MANAGER,
        plan=(READ, "UserEvent(Keyed,value: ${LEAK})"),
        on=("module load app_userevent.so",),
        off=("module unload app_userevent.so",),
    ),
)

_ARI = (
    Mutant(
        name="ari-subscribe-all",
        what="a client of ARI connects with subscribeAll",
        sink=CLIENT,
        is_client=True,
        everything=True,
        guarded=True,
    ),
    Mutant(
        name="ari-endpoint",
        what="an application is subscribed to the trunk",
        sink=CLIENT,
        is_client=True,
        asks=((f"applications/{APP}/subscription", {"eventSource": "endpoint:PJSIP/trunk"}),),
        guarded=True,
    ),
    Mutant(
        name="ari-channel",
        what="an application is subscribed to the caller's channel",
        sink=CLIENT,
        is_client=True,
        asks=((f"applications/{APP}/subscription", {"eventSource": f"channel:{_CHANNEL}"}),),
        guarded=True,
    ),
    Mutant(
        name="ari-serve",
        what="a card is keyed where `saldo serve` hears the keys",
        sink="packets",
        plan=("Goto(saldo-inbound,start,1)",),
    ),
    Mutant(
        name="ari-variables",
        what="a client of ARI is told of variables that are set",
        sink=CLIENT,
        plan=("Read(KEYED,,16,,1,4)", "Set(LEAK=${KEYED})"),
        is_client=True,
        everything=True,
        guarded=True,
    ),
    Mutant(
        name="ari-channelvars",
        what="ari.conf repeats a variable in every event",
        sink=CLIENT,
        plan=(READ, f"Stasis({APP})"),
        is_client=True,
        files={"ari.conf": "[general](+)\nchannelvars = LEAK\n"},
        on=("module reload res_ari.so",),
        off=("module reload res_ari.so",),
    ),
    Mutant(
        name="ari-recording",
        what="ARI records a caller whose keys are tones",
        sink=RECORDINGS,
        plan=(f"Stasis({APP})",),
        keys=KeyWay.INBAND,
        without=_TONES_STAY,
        on=_SIP_AGAIN,
        off=_SIP_AGAIN,
        is_client=True,
        asks=((f"channels/{_CHANNEL}/record", {"name": "leaktest", "format": "wav"}),),
    ),
    Mutant(
        name="ari-snoop",
        what="ARI snoops on a caller whose keys are tones, and records it",
        sink=RECORDINGS,
        plan=("Wait(6)",),
        keys=KeyWay.INBAND,
        without=_TONES_STAY,
        on=_SIP_AGAIN,
        off=_SIP_AGAIN,
        is_client=True,
        asks=(
            (
                f"channels/{_CHANNEL}/snoop/leaktest-snoop",
                {"spy": "in", "app": APP},
            ),
            (
                "channels/leaktest-snoop/record",
                {"name": f"leaktest-{_CHANNEL}", "format": "wav"},
            ),
        ),
        guarded=True,
    ),
)

_RECORDS = (
    Mutant(
        name="mixmonitor",
        what="MixMonitor records a caller whose keys are tones",
        sink="monitor",
        plan=("MixMonitor(leaktest.wav)", "Wait(6)"),
        keys=KeyWay.INBAND,
        without=_TONES_STAY,
        on=_SIP_AGAIN,
        off=_SIP_AGAIN,
    ),
    Mutant(
        name="record",
        what="the dial plan records a caller whose keys are tones",
        sink="leaktest-record.wav",
        plan=("Record({spool}/leaktest-record.wav,0,8,qk)",),
        keys=KeyWay.INBAND,
        without=_TONES_STAY,
        on=(*_SIP_AGAIN, "module load app_record.so"),
        off=("module unload app_record.so", *_SIP_AGAIN),
    ),
    Mutant(
        name="cdr",
        what="CDRs are stored, with the arguments of the last application",
        sink="cdr-csv",
        plan=(READ, "NoOp(${LEAK})"),
        files={"cdr.conf": "[general](+)\nenable = yes\n\n[csv]\nusegmtime = yes\n"},
        without={"cdr.conf": "enable"},
        folders=("cdr-csv",),
        on=("module reload cdr", "module load cdr_csv.so"),
        off=("module unload cdr_csv.so", "module reload cdr"),
    ),
    *(
        Mutant(
            name=f"cel-{events.lower()}",
            what=f"CEL stores the events {events}",
            sink="cel-custom",
            files={
                "cel.conf": f"[general](+)\nenable = yes\nevents = {events}\n",
                "cel_custom.conf": (
                    "[mappings]\nleaktest.csv => "
                    "${CSV_QUOTE(${eventtype})},${CSV_QUOTE(${CHANNEL(linkedid)})},"
                    "${CSV_QUOTE(${eventextra})}\n"
                ),
            },
            without={"cel.conf": "enable"},
            folders=("cel-custom",),
            on=("module reload cel", *_LOAD_CEL),
            off=(*_UNLOAD_CEL, "module reload cel"),
        )
        for events in ("ALL", "DTMF")
    ),
    Mutant(
        name="astdb",
        what="the dial plan puts what was keyed into AstDB",
        sink="astdb",
        plan=(READ, "Set(DB(leaktest/keyed)=${LEAK})"),
        on=("module load func_db.so",),
        off=("database del leaktest keyed", "module unload func_db.so"),
    ),
    Mutant(
        name="call-file",
        what="the dial plan writes what was keyed into a call file",
        sink="leaktest.call",
        plan=(READ, "Set(FILE({spool}/leaktest.call)=Setvar: CARD=${LEAK})"),
        on=("module load func_env.so",),
        off=("module unload func_env.so",),
    ),
    Mutant(
        name="queue-log",
        what="the queue's log is on, and the dial plan writes what was keyed into it",
        sink="queue_log",
        plan=(READ, "QueueLog(agents,NONE,NONE,KEYED,${LEAK})"),
        files={"logger.conf": "[general](+)\nqueue_log = yes\n"},
        without={"logger.conf": "queue_log"},
        on=("logger reload",),
        off=("logger reload",),
    ),
)

ASTERISK: tuple[Mutant, ...] = (*_LOGS, *_VERBOSES, *_SIGNALLING, *_MANAGER, *_ARI, *_RECORDS)
