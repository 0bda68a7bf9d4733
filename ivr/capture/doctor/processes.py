"""How the programs that hold digits run at this moment: what /proc shows of saldo and Asterisk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivr.capture.doctor.finding import Check, Finding, Problem, slight, unseen

PROC = Path("/proc")
PROGRAM = "saldo"
MODULE = "ivr.cli.main"
"""how `saldo serve` starts its child: python -m ivr.cli.main capture"""
PBX_PROGRAM = "asterisk"
REMOTE_CONSOLE = ("-r", "-R", "-x")
"""the same program as a client of the one that runs"""
CONTROL, CONNECTED = "/asterisk.ctl", "03"
"""the PBX's control socket, and the state of a console's connection, in /proc/net/unix"""
FILTERED = "2"
"""Seccomp in /proc/PID/status: a filter of system calls"""
NOBODY_KNOWS = "it is run as root, and root's processes do not show it"

RUNS = Check(
    "capture-runs",
    "how saldo capture is protected can be seen only while it runs, on the machine it runs on",
    "run saldo doctor on the machine of saldo capture while it runs, as root or as its user",
)
USER = Check(
    "capture-user",
    "with a user of its own nothing else of saldo, once broken into, reads its memory and secrets",
    "run saldo capture as saldo-capture, by docker/systemd/saldo-capture.service",
)
CORE = Check(
    "capture-running-core",
    "a core dump of this process holds the digits of running calls",
    "start saldo capture anew with LimitCORE=0; it also makes itself unreadable (PR_SET_DUMPABLE)",
)
DEBUGGER = Check(
    "capture-running-debugger",
    "another process of the same user reads the digits from this one's memory",
    "start saldo capture anew, without a seccomp filter that forbids prctl",
)
MEMORY = Check(
    "capture-running-memory",
    "memory that is not locked may be swapped out, and then lies on the disk, digits included",
    "set LimitMEMLOCK=infinity and MemorySwapMax=0 for saldo capture, or turn swap off",
)
SANDBOX = Check(
    "capture-sandbox",
    "without them a hole in a library is a hole in the machine",
    "run saldo capture by docker/systemd/saldo-capture.service (NoNewPrivileges, SystemCallFilter)",
)
PBX_USER = Check(
    "pbx-user",
    "a hole in Asterisk, which strangers talk to, would give the whole machine away",
    "start Asterisk with -U asterisk -G asterisk",
)
PBX_CORE = Check(
    "pbx-running-core",
    "a core dump of the PBX holds the digits of all running calls; -g asks for one, whatever "
    "asterisk.conf says, and stands in Debian's own unit",
    "take -g out of ExecStart of asterisk.service, and set LimitCORE=0 there",
)
CONSOLE = Check(
    "pbx-console",
    "whoever looks at the PBX's console can have each key shown there (core, rtp, agi, ari set "
    "debug; pjsip set logger), and no right of saldo's tells whether it is so",
    "close each `asterisk -r`; what was switched on there goes off with `core restart gracefully`",
)


@dataclass(frozen=True, slots=True)
class Process:
    """What /proc shows of one process to everybody."""

    pid: int
    words: tuple[str, ...]
    """its command line"""
    user: int
    owner: int
    """of its files in /proc: root where it is not dumpable"""
    core_limit: str
    """soft limit in bytes; "0" is none, "unlimited" """
    locked: int
    """kB of memory that are never swapped out"""
    swapped: int
    """kB of memory that are swapped out now"""
    no_new_privileges: bool
    system_calls_filtered: bool

    @property
    def dumpable(self) -> bool | None:
        """Whether others of its user may read its memory; None where it cannot be told."""
        return None if self.user == 0 else self.owner != 0


def look_at(*, has_swap: bool | None) -> list[Finding]:
    """Every finding about saldo and Asterisk as they run here now."""
    everybody = list(_running())
    serving = [one for one in everybody if _is_saldo(one, "serve")]
    capturing = [one for one in everybody if _is_saldo(one, "capture")]
    return [
        *(_captures(capturing, serving, has_swap=has_swap) if capturing else [_absent()]),
        *_pbx([one for one in everybody if _is_pbx(one)]),
    ]


def _absent() -> Finding:
    return RUNS.unknown("saldo capture does not run here, or /proc does not show it")


def _captures(
    capturing: list[Process], serving: list[Process], *, has_swap: bool | None
) -> list[Finding]:
    pids = ", ".join(str(one.pid) for one in capturing)
    return [
        *RUNS.judge(f"saldo capture runs (process {pids})", []),
        *USER.judge("saldo capture has a user of its own", _users(capturing, serving)),
        *CORE.judge("saldo capture leaves no core dump", _each(capturing, _core)),
        *DEBUGGER.judge("nobody reads its memory", _each(capturing, _readable)),
        *MEMORY.judge(
            "its memory stays off the disk",
            _each(capturing, lambda one: _memory(one, has_swap=has_swap)),
        ),
        *SANDBOX.judge("it can gain no rights", _each(capturing, _sandbox)),
    ]


def _pbx(running: list[Process]) -> list[Finding]:
    if not running:
        return [PBX_CORE.unknown("no Asterisk runs here, or /proc does not show it")]
    return [
        *PBX_USER.judge("Asterisk does not run as root", _each(running, _root)),
        *PBX_CORE.judge("Asterisk leaves no core dump", _each(running, _core)),
        *CONSOLE.judge("nobody looks at the PBX's console", _consoles()),
    ]


def _each(
    running: Iterable[Process], judged: Callable[[Process], Iterator[Problem]]
) -> Iterator[Problem]:
    for one in running:
        yield from judged(one)


def _users(capturing: list[Process], serving: list[Process]) -> Iterator[Problem]:
    others = {one.user for one in serving}
    for one in capturing:
        if one.user == 0:
            yield slight(f"process {one.pid} runs as root")
        elif one.user in others:
            yield slight(f"process {one.pid} has the user of saldo serve")


def _core(one: Process) -> Iterator[Problem]:
    """A process that is not dumpable leaves none, whatever its limit."""
    if one.core_limit == "0" or one.dumpable is False:
        return
    yield Problem(f"process {one.pid} may leave a core dump (limit {one.core_limit})")


def _readable(one: Process) -> Iterator[Problem]:
    if one.dumpable is None:
        yield slight(f"whether process {one.pid} can be read is not known: {NOBODY_KNOWS}")
    elif one.dumpable:
        yield Problem(f"process {one.pid} lets others of its user read its memory")


def _memory(one: Process, *, has_swap: bool | None) -> Iterator[Problem]:
    if one.swapped:
        yield Problem(f"{one.swapped} kB of process {one.pid} are swapped out")
    elif one.locked or has_swap is False:
        return
    elif has_swap is None:
        yield unseen(f"process {one.pid} locks no memory, and whether there is swap is not known")
    else:
        yield slight(f"process {one.pid} locks no memory, and this machine swaps")


def _sandbox(one: Process) -> Iterator[Problem]:
    if not one.no_new_privileges:
        yield slight(f"process {one.pid} could gain rights by starting a program")
    if not one.system_calls_filtered:
        yield slight(f"process {one.pid} may use every system call")


def _root(one: Process) -> Iterator[Problem]:
    if one.user == 0:
        yield slight(f"process {one.pid} (Asterisk) runs as root")


def _consoles() -> Iterator[Problem]:
    """Connections to the control socket: the listening one is one line, each console another."""
    try:
        lines = (PROC / "net/unix").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        yield unseen("this machine does not show who is connected to the PBX's console")
        return
    connected = sum(line.endswith(CONTROL) and line.split()[5] == CONNECTED for line in lines[1:])
    if connected:
        yield slight(f"{connected} consoles are connected to the PBX")


def _is_saldo(one: Process, command: str) -> bool:
    """`…/python …/saldo capture …` or `…/python -m ivr.cli.main capture …`."""
    for program, said in zip(one.words, one.words[1:], strict=False):
        if said == command and (program == MODULE or Path(program).name == PROGRAM):
            return True
    return False


def _is_pbx(one: Process) -> bool:
    """A server, no console."""
    return (
        bool(one.words)
        and Path(one.words[0]).name == PBX_PROGRAM
        and not any(word.startswith(REMOTE_CONSOLE) for word in one.words[1:])
    )


def _running() -> Iterator[Process]:
    for folder in PROC.glob("[0-9]*"):
        try:
            found = _read(folder)
        except (OSError, ValueError, KeyError, IndexError):
            continue  # it has ended meanwhile, or this machine hides it
        if found is not None:
            yield found


def _read(folder: Path) -> Process | None:
    words = (folder / "cmdline").read_bytes().split(b"\0")
    if not any(name in b" ".join(words) for name in (b"saldo", b"ivr.cli", b"asterisk")):
        return None
    status = _table(folder / "status")
    return Process(
        pid=int(folder.name),
        words=tuple(word.decode(errors="replace") for word in words if word),
        user=int(status["Uid"].split()[1]),
        owner=folder.stat().st_uid,
        core_limit=_core_limit(folder / "limits"),
        locked=_kilobytes(status, "VmLck"),
        swapped=_kilobytes(status, "VmSwap"),
        no_new_privileges=status.get("NoNewPrivs", "0").strip() == "1",
        system_calls_filtered=status.get("Seccomp", "0").strip() == FILTERED,
    )


def _table(file: Path) -> Mapping[str, str]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value for name, _, value in (line.partition(":") for line in lines)}


def _kilobytes(status: Mapping[str, str], name: str) -> int:
    return int(status[name].split()[0]) if name in status else 0


def _core_limit(file: Path) -> str:
    for line in file.read_text(encoding="ascii").splitlines():
        if line.startswith("Max core file size"):
            return line.removeprefix("Max core file size").split()[0]
    raise ValueError("no limit of core dumps is shown")
