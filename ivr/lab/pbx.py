"""Runs an Asterisk of the lab's own: its paths, ports and passwords belong to one folder."""

import base64
import dataclasses
import hashlib
import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ivr.lab import processes
from ivr.lab.packages import Tree
from ivr.lab.processes import LOOPBACK, ProcessError, ProcessId
from ivr.telephony.installing import SITE, SOURCE, Secrets, Values, write_config

SIP_PORT = 5060
LABS = 20
"""So many labs on one machine get a SIP port and RTP ports that are theirs alone."""
RTP_BASE = 10000
RTP_PORTS = 1000
READY_LIMIT = 30.0
ATTEMPTS = 5
RECORD = "pbx.json"


@dataclass(frozen=True)
class PbxInfo:
    """Where a running Asterisk answers, and what it takes to be let in."""

    process: ProcessId
    sip_host: str
    sip_port: int
    rtp_first: int
    rtp_last: int
    ari_url: str
    """Such as http://127.0.0.1:8088/ari"""
    ari_user: str
    ari_password: str
    capture_user: str
    capture_password: str
    ami_host: str
    ami_port: int
    ami_user: str
    ami_password: str
    config: Path
    logs: Path
    recordings: Path
    """Where recordings made through ARI lie."""
    spool: Path
    control: Path
    """The socket of `asterisk -r`."""

    @property
    def sip(self) -> str:
        """Host and port of SIP, as lab.json names them."""
        return f"{self.sip_host}:{self.sip_port}"


@dataclass(frozen=True)
class _Ports:
    sip: int
    rtp_first: int
    ari: int
    ami: int


class _PortTakenError(Exception):
    """Somebody took a port between our choice and Asterisk's binding it."""


def start(folder: Path, tree: Tree, sounds: Path) -> PbxInfo:
    """The Asterisk of this lab folder, started if it does not run; it answers ARI and SIP.

    `sounds` holds the prompts in folders `en` and `es`. One that ran before comes back on its
    ports and with its passwords where it can, so that its clients find it again. Raises
    ProcessError.
    """
    before = _recorded(folder)
    if before and before.process.alive:
        return before
    home = folder.absolute() / "asterisk"
    home.mkdir(parents=True, exist_ok=True)
    for orphan in processes.find("-C", str(home / "etc" / "asterisk.conf")):
        processes.stop(orphan)  # an earlier start was interrupted before it could note it down
    passwords = _passwords(before)
    for attempt in range(ATTEMPTS):
        ports = _ports_of(before) if before and attempt == 0 else None
        info = _launch(home, tree, sounds.absolute(), ports or _choose_ports(), passwords)
        try:
            processes.wait_until(
                lambda info=info: _is_ready(info),  # type: ignore[misc] # bound at once
                info.process,
                what="Asterisk",
                log=info.logs / "messages.log",
                limit=READY_LIMIT,
            )
        except _PortTakenError:
            processes.stop(info.process)
        except BaseException:
            processes.stop(info.process)
            raise
        else:
            processes.write_private(home / RECORD, _to_json(info))
            return info
    raise ProcessError(f"other programs took Asterisk's ports {ATTEMPTS} times: try again")


def running(folder: Path) -> PbxInfo | None:
    """The Asterisk recorded in this lab folder, if that very process still runs."""
    info = _recorded(folder)
    return info if info and info.process.alive else None


def stop(folder: Path) -> bool:
    """End this lab's Asterisk and the calls in it; False if none was running."""
    home = folder.absolute() / "asterisk"
    found = processes.find("-C", str(home / "etc" / "asterisk.conf"))
    for process in found:
        processes.stop(process)
    return bool(found)


def _recorded(folder: Path) -> PbxInfo | None:
    try:
        return _from_json((folder.absolute() / "asterisk" / RECORD).read_text())
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _passwords(before: PbxInfo | None) -> Secrets:
    if before:
        return Secrets(before.ari_password, before.capture_password, before.ami_password)
    return Secrets.fresh()


def _ports_of(before: PbxInfo) -> _Ports | None:
    """The ports of last time; None when somebody else has one of them now."""
    ari = _port(before.ari_url)
    free = processes.is_free(before.sip_port, "udp") and processes.is_free(ari)
    if not free or not processes.is_free(before.ami_port):
        return None
    return _Ports(before.sip_port, before.rtp_first, ari, before.ami_port)


def _port(ari_url: str) -> int:
    return int(ari_url.rpartition(":")[2].partition("/")[0])


def _choose_ports() -> _Ports:
    for place in range(LABS):
        sip = SIP_PORT + 2 * place
        if processes.is_free(sip, "udp"):
            break
    else:
        place, sip = LABS, processes.free_port(transport="udp")
    return _Ports(
        sip=sip,
        rtp_first=RTP_BASE + place * RTP_PORTS,
        ari=processes.free_port(8088),
        ami=processes.free_port(5038),
    )


def _launch(home: Path, tree: Tree, sounds: Path, ports: _Ports, passwords: Secrets) -> PbxInfo:
    run = _run_folder(home)
    info = PbxInfo(
        process=ProcessId(0, 0),
        sip_host=LOOPBACK,
        sip_port=ports.sip,
        rtp_first=ports.rtp_first,
        rtp_last=ports.rtp_first + RTP_PORTS - 1,
        ari_url=f"http://{LOOPBACK}:{ports.ari}/ari",
        ari_user="saldo",
        ari_password=passwords.ari,
        capture_user="saldo-capture",
        capture_password=passwords.capture,
        ami_host=LOOPBACK,
        ami_port=ports.ami,
        ami_user="saldo",
        ami_password=passwords.ami,
        config=home / "etc",
        logs=home / "log",
        recordings=home / "spool" / "recording",
        spool=home / "spool",
        control=run / "asterisk.ctl",
    )
    folders = _folders(home, run, tree)
    for name in ("log", "spool", "spool/recording", "lib/keys", "cache"):
        (home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in info.config.glob("*.conf"):
        left.unlink()  # of an earlier version
    site = {**_site(info, ports, sounds), **passwords.site()}
    values: dict[str, Values] = {SITE: site, "asterisk.conf": {"directories": folders}}
    write_config(info.config, values, sources=(SOURCE, SOURCE / "lab"))
    process = processes.start(
        [tree.program("asterisk"), "-C", info.config / "asterisk.conf", "-f"],
        log=info.logs / "output.log",
        folder=home,
        # Not ours: it may hold the gateway's keys, and /proc shows it.
        environment={"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": _zone()},
    )
    return dataclasses.replace(info, process=process)


def _zone() -> str:
    return os.environ.get("TZ", ":/etc/localtime")


def _run_folder(home: Path) -> Path:
    inside = home / "run"
    if len(os.fsencode(inside / "asterisk.ctl")) <= processes.SOCKET_PATH_LIMIT:
        return processes.private_folder(inside)
    short = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return processes.private_folder(Path(f"/var/tmp/saldo-{os.geteuid()}-{short}"))  # noqa: S108 - made private and checked


def _folders(home: Path, run: Path, tree: Tree) -> dict[str, str]:
    return {
        "astcachedir": str(home / "cache"),
        "astetcdir": str(home / "etc"),
        "astmoddir": str(tree.asterisk_modules),
        "astvarlibdir": str(home / "lib"),
        "astdbdir": str(home / "lib"),
        "astkeydir": str(home / "lib"),
        "astdatadir": str(tree.asterisk_data),
        "astagidir": str(home / "lib"),
        "astspooldir": str(home / "spool"),
        "astrundir": str(run),
        "astlogdir": str(home / "log"),
        "astsbindir": str(tree.program("asterisk").parent),
    }


def _site(info: PbxInfo, ports: _Ports, sounds: Path) -> dict[str, dict[str, str]]:
    return {
        "site-http": {"bindaddr": LOOPBACK, "bindport": str(ports.ari)},
        "site-manager": {"bindaddr": LOOPBACK, "port": str(ports.ami)},
        "site-transport": {"bind": info.sip},
        "site-trunk": {"match": LOOPBACK},
        "site-rtp": {"rtpstart": str(info.rtp_first), "rtpend": str(info.rtp_last)},
        "site-globals": {"SALDO_SOUNDS": str(sounds)},
    }


def _is_ready(info: PbxInfo) -> bool:
    port = _port(info.ari_url)
    held = [
        processes.owns(info.process, info.sip_port, "udp"),
        processes.owns(info.process, port),
        processes.owns(info.process, info.ami_port),
    ]
    if False in held:
        raise _PortTakenError
    return None not in held and _ari_answers(info, port)


def _ari_answers(info: PbxInfo, port: int) -> bool:
    credentials = base64.b64encode(f"{info.ari_user}:{info.ari_password}".encode()).decode()
    asking = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        asking.request(
            "GET", "/ari/asterisk/ping", headers={"Authorization": f"Basic {credentials}"}
        )
        return asking.getresponse().status == http.client.OK  # 503 until everything is loaded
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


def _to_json(info: PbxInfo) -> str:
    return json.dumps(dataclasses.asdict(info), indent=1, default=str)


def _from_json(text: str) -> PbxInfo:
    values = json.loads(text)
    values["process"] = ProcessId(**values["process"])
    for name in ("config", "logs", "recordings", "spool", "control"):
        values[name] = Path(values[name])
    return PbxInfo(**values)
