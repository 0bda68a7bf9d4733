"""`saldo lab up|down|status|reset`: a telephone company on this machine, and what runs of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import os
import secrets
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr import parts
from ivr.lab import company, database, pbx, processes
from ivr.lab.config import KEYS, lab_settings, to_toml
from ivr.lab.errors import LabError
from ivr.lab.packages import Tree, ensure_tree
from ivr.lab.post import PostOffice
from ivr.lab.processes import LOOPBACK, ProcessError, ProcessId
from ivr.lab.progress import SetupProgress
from ivr.settings import PROJECT, Settings, without_settings

READY_SECONDS = 60.0
PORT_ATTEMPTS = 5
STAND_IN_SECONDS = 20.0
LOCK = ".lock"
MESSAGES = "messages.jsonl"
STAND_IN_FILES = ("gateway.json", "gateway.jsonl", "post.json", MESSAGES)
"""where the stand-ins listened, the gateway's ledger, and what arrived at the post office"""


@dataclass(frozen=True, slots=True)
class Lab:
    """A running lab: var/lab/lab.json. Other programs rely on its keys (interfaces.md)."""

    sip: str
    pay: str
    postgres: str
    api: str
    api_key: str
    gateway: str
    gateway_ledger: str
    asterisk_logs: str
    recordings: str
    pids: dict[str, int]
    config: str
    """the lab's saldo.toml, for `--config`"""
    sounds: str
    messages: str = ""
    """JSON lines of what was told by webhook, SOAP, mail and text; empty: not to the lab"""


def lab_folder() -> Path:
    """Where this lab lives: $SALDO_LAB_DIR, else var/lab."""
    return Path(os.environ.get("SALDO_LAB_DIR") or PROJECT / "var/lab").absolute()


def running(folder: Path) -> Lab | None:
    """The lab of this folder if all of it runs; None when nothing, or only a part, does."""
    try:
        lab = Lab(**json.loads((folder / "lab.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return lab if lab.pids and all(_alive(pid) for pid in lab.pids.values()) else None


def required(folder: Path) -> Lab:
    """The running lab. Raises LabError when there is none."""
    lab = running(folder)
    if lab is None:
        raise LabError("no lab is running here: start one with `saldo lab up`")
    return lab


def up(folder: Path, settings: Settings, progress: SetupProgress) -> Lab:
    """Start what does not run yet; the running lab.

    Safe to interrupt and to repeat. Raises LabError, PackagesError, ProcessError, SpeechError and
    billing's errors.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder, progress):
        return running(folder) or _start(folder, settings, progress)


def down(folder: Path) -> list[str]:
    """Stop what runs, the daemon first; the names of what was stopped.

    Calls that do not end by themselves within ten seconds are cut.
    """
    if not folder.is_dir():
        return []
    stopped = [name for name in ("serve", "gateway", "post") if _stop(folder, name)]
    if pbx.stop(folder):
        stopped.append("asterisk")
    if database.stop(folder):
        stopped.append("postgres")
    (folder / "lab.json").unlink(missing_ok=True)
    return stopped


def reset(folder: Path, progress: SetupProgress) -> list[str]:
    """Stop the lab and forget what happened in it; the names of what was stopped.

    The next `up` begins with the demo company as it was in the beginning: the private database, the
    stand-in's ledger and the phone's recordings are deleted. What was fetched and spoken stays, and
    so does what is the user's own. Raises ProcessError.
    """
    if not folder.is_dir():
        return []
    with _alone(folder, progress):
        stopped = down(folder)
        database.remove(folder)
        for left in STAND_IN_FILES:
            (folder / left).unlink(missing_ok=True)
        shutil.rmtree(folder / "recordings", ignore_errors=True)
        return stopped


def status(folder: Path) -> dict[str, int | None]:
    """Each part and its pid; None for a part that does not run."""
    asterisk, postgres = pbx.running(folder), database.running(folder)
    serve, gateway = _recorded(folder, "serve"), _recorded(folder, "gateway")
    post = _recorded(folder, "post")
    return {
        "asterisk": asterisk.process.pid if asterisk else None,
        "postgres": postgres.process.pid if postgres else None,
        "gateway": gateway.pid if gateway else None,
        "post": post.pid if post else None,
        "serve": serve.pid if serve else None,
        "capture": _child(serve.pid, "capture") if serve else None,
    }


# ------------------------------------------------------------------------------------------- start


def _start(folder: Path, settings: Settings, progress: SetupProgress) -> Lab:
    tree = _tree_and_sounds(settings, progress)
    progress.stage("starting the PBX, the database and the gateway", 4)
    private_pbx = None
    if not settings.lab.own_pbx:
        private_pbx = pbx.start(folder, tree, settings.speech.sounds)
    progress.advance()
    private_database = None if settings.lab.own_database else database.start(folder, tree)
    progress.advance()
    gateway = None if settings.lab.own_gateway else _start_gateway(folder)
    progress.advance()
    config = folder / "saldo.toml"
    api_key = secrets.token_urlsafe(24)
    if private_database:  # nobody's own customers are mixed with the demo company's
        asyncio.run(company.load(private_database.url))
    post = _start_post(folder) if private_database else None  # real customers' messages go out
    if private_database and post:
        asyncio.run(company.tell(private_database.url, f"{post.url}/webhooks"))
    _stop(folder, "serve")  # one left over would still use the settings of before

    def write(web_port: int) -> dict[str, dict[str, Any]]:
        sections = lab_settings(
            settings,
            pbx=private_pbx,
            database=private_database,
            gateway=gateway,
            web_port=web_port,
            api_key=api_key,
            post=post,
        )
        processes.write_private(config, to_toml(sections))
        return sections

    sections = _start_serve(folder, config, write)
    lab = Lab(
        sip=private_pbx.sip if private_pbx else settings.lab.own_pbx,
        pay=f"sip:pay@{private_pbx.sip if private_pbx else settings.lab.own_pbx}",
        postgres=sections["database"]["url"],
        api=f"http://{LOOPBACK}:{sections['web']['port']}",
        api_key=api_key,
        gateway=sections["braintree"]["url"],
        gateway_ledger=str(folder / "gateway.jsonl"),
        asterisk_logs=str(private_pbx.logs if private_pbx else ""),
        recordings=str(folder / "recordings"),
        pids={name: pid for name, pid in status(folder).items() if pid},
        config=str(config),
        sounds=str(settings.speech.sounds.absolute()),
        messages=str(folder / MESSAGES) if post else "",
    )
    processes.write_private(
        folder / "lab.json", json.dumps(dataclasses.asdict(lab), indent=1) + "\n"
    )
    progress.advance()
    return lab


def _tree_and_sounds(settings: Settings, progress: SetupProgress) -> Tree:
    """Fetching waits for the network, speaking for the processor: both at once."""
    with ThreadPoolExecutor(1) as other:
        sounds = other.submit(asyncio.run, parts.build_prompts(settings))
        tree = ensure_tree(progress)
        if not sounds.done():
            progress.stage("speaking the prompts", 1)
        sounds.result()
    return tree


def _start_gateway(folder: Path) -> str:
    there = _record(folder, "gateway")
    if there and _recorded(folder, "gateway"):
        return str(there["url"])
    port = int(there["port"]) if there and processes.is_free(int(there["port"])) else 0
    port = port or processes.free_port()
    options = {name.replace("_", "-"): key for name, key in KEYS.items()}
    options |= {"port": str(port), "ledger": str(folder / "gateway.jsonl")}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    log = folder / "gateway.log"
    process = processes.start(
        [sys.executable, "-m", "ivr.lab.gateway", *words],
        log=log,
        folder=PROJECT,
    )
    url = f"http://{LOOPBACK}:{port}"
    _note(folder, "gateway", process, port=port, url=url)
    processes.wait_until(
        lambda: _answers(f"{url}/ledger"),
        process,
        what="the gateway stand-in",
        log=log,
        limit=STAND_IN_SECONDS,
    )
    return url


def _start_post(folder: Path) -> PostOffice:
    there = _record(folder, "post")
    before = PostOffice(there["http"], there["smtp"], there["sip"]) if there else None
    if before and _recorded(folder, "post"):
        return before
    # The same ports again where they are free: webhooks that wait know the address.
    office = before if before and _is_free(before) else None
    office = office or PostOffice(
        processes.free_port(), processes.free_port(), processes.free_port(transport="udp")
    )
    ports = {"http": office.http, "smtp": office.smtp, "sip": office.sip}
    words = [word for name, port in ports.items() for word in (f"--{name}", str(port))]
    log = folder / "post.log"
    process = processes.start(
        [sys.executable, "-m", "ivr.lab.post", "--box", str(folder / MESSAGES), *words],
        log=log,
        folder=PROJECT,
    )
    _note(folder, "post", process, **ports)
    processes.wait_until(
        lambda: _answers(f"{office.url}/healthz"),
        process,
        what="the post office",
        log=log,
        limit=STAND_IN_SECONDS,
    )
    return office


def _is_free(office: PostOffice) -> bool:
    tcp = all(processes.is_free(port) for port in (office.http, office.smtp))
    return tcp and processes.is_free(office.sip, "udp")


def _start_serve(
    folder: Path, config: Path, write: Callable[[int], dict[str, dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """Start it on a port of its own, 8080 if possible; the settings it was started with.

    `write` writes them for a port. Another lab may take the port before it is bound: then again.
    """
    for attempt in range(PORT_ATTEMPTS):
        port = processes.free_port(8080 if attempt == 0 else None)
        sections = write(port)
        try:
            _start_serve_on(folder, config, port)
        except ProcessError:
            if not _taken_by_another(folder, port) or attempt == PORT_ATTEMPTS - 1:
                raise
        else:
            return sections
    raise LabError(f"other programs took the ports {PORT_ATTEMPTS} times: try again")


def _taken_by_another(folder: Path, port: int) -> bool:
    return _recorded(folder, "serve") is None and not processes.is_free(port)


def _start_serve_on(folder: Path, config: Path, port: int) -> None:
    log = folder / "serve.log"
    process = processes.start(
        [sys.executable, "-m", "ivr.cli.main", "serve", "--config", str(config)],
        log=log,
        folder=PROJECT,
        # They are in the file, and there no text or charge leaves the lab.
        environment=without_settings(os.environ),
    )
    _note(folder, "serve", process)
    processes.wait_until(
        lambda: (
            processes.owns(process, port) is True and _answers(f"http://{LOOPBACK}:{port}/readyz")
        ),
        process,
        what="saldo serve",
        log=log,
        limit=READY_SECONDS,
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback http URL
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (urllib.error.URLError, OSError):
        return False


# ----------------------------------------------------------------------------------- what is noted


def _note(folder: Path, name: str, process: ProcessId, **more: object) -> None:
    record = {"pid": process.pid, "started": process.started, **more}
    processes.write_private(folder / f"{name}.json", json.dumps(record))


def _record(folder: Path, name: str) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _recorded(folder: Path, name: str) -> ProcessId | None:
    record = _record(folder, name)
    if record is None:
        return None
    process = ProcessId(int(record["pid"]), int(record["started"]))
    return process if process.alive else None


def _stop(folder: Path, name: str) -> bool:
    process = _recorded(folder, name)
    if process:
        processes.stop(process)
    return process is not None


def _child(pid: int, command: str) -> int | None:
    """The child of `pid` that was started with the word `command`."""
    for process in processes.find(command):
        with contextlib.suppress(OSError, ValueError):
            stat = Path(f"/proc/{process.pid}/stat").read_text()
            fields = stat.rpartition(")")[2].split()
            if int(fields[1]) == pid:
                return process.pid
    return None


def _alive(pid: int) -> bool:
    return ProcessId.of(pid) is not None


@contextlib.contextmanager
def _alone(folder: Path, progress: SetupProgress) -> Iterator[None]:
    """Two `lab up` at once: the second waits, then finds everything running."""
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.stage("waiting for another `saldo lab up` of this folder", 1)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
