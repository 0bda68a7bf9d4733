"""Starts programs that outlive their starter, and stops exactly those and no other."""

import contextlib
import os
import pwd
import secrets
import select
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

LOOPBACK = "127.0.0.1"
SOCKET_PATH_LIMIT = 107
"""Bytes that Linux allows in the path of a Unix socket."""

Transport = Literal["tcp", "udp"]


class ProcessError(Exception):
    """A program of the lab did not start or stop; the text is one sentence that says what to do."""


@dataclass(frozen=True)
class ProcessId:
    """A process, told apart from a later one that was given the same number."""

    pid: int
    started: int
    """Clock ticks from boot to its start, from /proc."""

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this number now; None when there is none or it has ended."""
        state, started = _state(pid)
        return None if state in "ZX" else cls(pid, started)

    @property
    def alive(self) -> bool:
        """Whether this very process runs."""
        _reap(self.pid)
        return ProcessId.of(self.pid) == self


def _state(pid: int) -> tuple[str, int]:
    try:
        # The name in brackets may hold anything, so fields are counted from its end.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return fields[0], int(fields[19])


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Our own children: a parent must collect them when they end."""


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def start(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    user: pwd.struct_passwd | None = None,
) -> ProcessId:
    """Start a program in a session of its own, without core dumps, its output appended to `log`.

    It works in `folder`, with `environment` and nothing else (ours if None), as `user` if one is
    given (root only). A program that ends at once is found out by `wait_until`.
    """
    # A shell sets the limit and becomes the program: the same process, the same number.
    command = ["/bin/sh", "-c", 'ulimit -c 0; exec "$@"', "sh", *map(str, arguments)]
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=folder,
                env=environment,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
            )
    except OSError as problem:
        raise ProcessError(f"could not start {arguments[0]}: {problem}") from problem
    _children[child.pid] = child
    # It may have ended by now, but its number stays its own until we collect it.
    return ProcessId(child.pid, _state(child.pid)[1])


def stop(process: ProcessId, *, limit: float = 10.0, sign: int = signal.SIGTERM) -> None:
    """End it politely, by force after `limit` seconds; nothing happens if it has ended already."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if not process.alive:  # the handle holds the number: from here on it cannot be reused
            return
        for number, patience in ((sign, limit), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if _ends(handle, patience):
                _reap_within(process.pid, 1.0)
                return
    except PermissionError:
        raise ProcessError(
            f"process {process.pid} belongs to another user: stop the lab as that user"
        ) from None
    finally:
        os.close(handle)
    raise ProcessError(f"process {process.pid} does not end, even by force: restart the machine")


def _ends(handle: int, limit: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(limit * 1000))


def _reap_within(pid: int, limit: float) -> None:
    child = _children.pop(pid, None)
    if child is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(limit)


def wait_until(
    ready: Callable[[], bool], process: ProcessId, *, what: str, log: Path, limit: float
) -> None:
    """Return when `ready()` holds; ProcessError if the process ends or `limit` seconds pass."""
    until = time.monotonic() + limit
    while not ready():
        if not process.alive:
            raise ProcessError(f"{what} ended while it started; {last_words(log)}")
        if time.monotonic() > until:
            raise ProcessError(f"{what} was not ready after {limit:.0f} s; {last_words(log)}")
        time.sleep(0.02)


def last_words(log: Path) -> str:
    """What to tell about a program that failed: the end of its log and where the rest is."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"its last words: {lines[-1].strip()!r}; all of them: {log}" if lines else f"see {log}"


def find(*words: str) -> list[ProcessId]:
    """Running processes that have all these arguments: orphans of a start that was interrupted."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        process = ProcessId.of(int(entry.name))
        if process is not None and set(words) <= set(arguments):
            found.append(process)
    return found


def is_free(port: int, transport: Transport = "tcp") -> bool:
    """Whether nobody holds this port on loopback."""
    with _socket(transport) as probe:
        if transport == "tcp":  # connections that just ended are nobody's
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None, transport: Transport = "tcp") -> int:
    """A free loopback port, `preferred` if it is free.

    Somebody else may take it before it is used: see `owns`.
    """
    if preferred is not None and is_free(preferred, transport):
        return preferred
    with _socket(transport) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def owns(process: ProcessId, port: int, transport: Transport = "tcp") -> bool | None:
    """True if the process holds the port, False if somebody else does, None if nobody does."""
    inodes = _inodes(port, transport)
    if not inodes:
        return None
    handles = Path(f"/proc/{process.pid}/fd")
    wanted = {f"socket:[{inode}]" for inode in inodes}
    try:
        for handle in handles.iterdir():
            with contextlib.suppress(OSError):  # closed while we look
                if str(handle.readlink()) in wanted:
                    return True
    except PermissionError:
        return False  # not one of ours
    except OSError:
        return None  # it has just ended: nobody's port was taken
    return False if process.alive else None


def _inodes(port: int, transport: Transport) -> set[str]:
    lines = Path(f"/proc/net/{transport}").read_text().splitlines()[1:]
    listening = "0A" if transport == "tcp" else "07"
    found = set()
    for line in lines:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == listening:
            found.add(fields[9])
    return found


def _socket(transport: Transport) -> socket.socket:
    if transport == "udp":
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else a closed connection counts
    return probe


def private_folder(path: Path, owner: pwd.struct_passwd | None = None) -> Path:
    """Make `path` a folder that only `owner` (else we) can enter; refuse one of somebody else."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(parents=True, mode=0o700)
    about = path.lstat()  # in a folder that all may write to, a link may lead anywhere
    expected = owner.pw_uid if owner is not None else os.geteuid()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid not in {expected, os.geteuid()}:
        raise ProcessError(f"{path} belongs to another user: remove it or set SALDO_LAB_DIR")
    if owner is not None and about.st_uid != expected:
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    beside.replace(path)
