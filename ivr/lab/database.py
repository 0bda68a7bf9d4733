"""Runs a PostgreSQL of the lab's own: reachable by Unix socket only, by whoever started it only."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ivr.lab import processes
from ivr.lab.packages import Tree
from ivr.lab.processes import ProcessError, ProcessId

INIT_LIMIT = 120.0
READY_LIMIT = 60.0
STOP_LIMIT = 30.0
RECORD = "database.json"
MARK = "lab-id"
DATABASE = "saldo"
OWNERS_FOR_ROOT = ("postgres", "nobody")
SETTINGS = """
# Saldo's laboratory. No network: only the Unix socket, in a folder that only its owner may enter.
listen_addresses = ''
unix_socket_permissions = 0700
# What a caller says or keys must not reach the log.
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
log_statement = 'none'
log_min_duration_statement = -1
log_min_error_statement = panic
# An error's own text can hold a value ("invalid input syntax for type integer: ..."); the program
# that made the error is told, the log is not. Crashes and restarts are still written down.
log_min_messages = log
# Safe against a crash of the machine: these stay on.
fsync = on
full_page_writes = on
synchronous_commit = on
# One server, no replica, short transactions.
wal_level = minimal
max_wal_senders = 0
max_connections = 100
shared_buffers = 128MB
max_wal_size = 1GB
jit = off
"""
PREPARE = """
SELECT 'CREATE ROLE saldo LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'saldo')
\\gexec
SELECT 'CREATE ROLE saldo_capture LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'saldo_capture')
\\gexec
SELECT 'CREATE DATABASE saldo OWNER saldo'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'saldo')
\\gexec
\\connect saldo
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
CREATE EXTENSION IF NOT EXISTS unaccent;
"""


@dataclass(frozen=True)
class DatabaseInfo:
    """Where a running PostgreSQL answers. There are no passwords: the socket's folder is locked."""

    process: ProcessId
    url: str
    """For `saldo serve`: role saldo, which owns the database."""
    capture_url: str
    """For `saldo capture`: role saldo_capture, which may do what it is granted."""
    admin_url: str
    """For making further databases in tests: the superuser."""
    data: Path
    socket: Path
    log: Path


@dataclass(frozen=True)
class _Home:
    base: Path
    owner: pwd.struct_passwd | None
    """Whom the server runs as, when we are root: PostgreSQL refuses root."""

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def log(self) -> Path:
        return self.base / "postgres.log"


def start(folder: Path, tree: Tree) -> DatabaseInfo:
    """The PostgreSQL of this lab folder, made and started if need be, with database `saldo`.

    The database has pg_trgm, fuzzystrmatch and unaccent. Raises ProcessError.
    """
    there = running(folder)
    if there is not None:
        return there
    home = _home(folder)
    _forget_a_deleted_lab(folder.absolute(), home)
    if not (home.data / "PG_VERSION").exists():
        _initialise(home, tree)
    process = _find(home)  # a start that was interrupted before it could note it down
    socket = _socket_folder(home)
    if process is None:
        _drop_stale_lock(home)
        process = _launch(home, tree, socket)
    processes.wait_until(
        lambda: _accepts(home, tree, socket),
        process,
        what="PostgreSQL",
        log=home.log,
        limit=READY_LIMIT,
    )
    _psql(home, tree, socket, PREPARE)
    info = DatabaseInfo(
        process=process,
        url=_url("saldo", socket),
        capture_url=_url("saldo_capture", socket),
        admin_url=_url("postgres", socket),
        data=home.data,
        socket=socket,
        log=home.log,
    )
    processes.write_private(
        folder.absolute() / RECORD, json.dumps(dataclasses.asdict(info), indent=1, default=str)
    )
    return info


def running(folder: Path) -> DatabaseInfo | None:
    """The PostgreSQL recorded in this lab folder, if that very process still runs."""
    try:
        values = json.loads((folder.absolute() / RECORD).read_text())
        values["process"] = ProcessId(**values["process"])
        for name in ("data", "socket", "log"):
            values[name] = Path(values[name])
        info = DatabaseInfo(**values)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return info if info.process.alive else None


def stop(folder: Path) -> bool:
    """End this lab's PostgreSQL, its data kept; False if none was running."""
    stopped = _stop_server(_home(folder))
    (folder.absolute() / RECORD).unlink(missing_ok=True)
    return stopped


def remove(folder: Path) -> None:
    """Stop it and delete its data: the lab begins anew."""
    stop(folder)
    home = _home(folder)
    for made in (_socket_path(home), home.base):
        if made.is_dir():
            shutil.rmtree(made)


def _home(folder: Path) -> _Home:
    folder = folder.absolute()
    if os.geteuid() != 0:
        return _Home(folder / "postgres", None)
    # The lab folder may lie where another user cannot go, such as root's home.
    return _Home(Path(f"/var/tmp/saldo-{_short(folder)}"), _owner_for_root())  # noqa: S108 - made private and checked


def _owner_for_root() -> pwd.struct_passwd:
    for name in OWNERS_FOR_ROOT:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ProcessError(
        "PostgreSQL does not run as root and there is no user postgres or nobody: "
        "run the lab as an ordinary user"
    )


def _short(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]


def _socket_folder(home: _Home) -> Path:
    return processes.private_folder(_socket_path(home), home.owner)


def _socket_path(home: _Home) -> Path:
    inside = home.base / "socket"
    if len(os.fsencode(inside / ".s.PGSQL.5432.lock")) > processes.SOCKET_PATH_LIMIT:
        inside = Path(f"/var/tmp/saldo-pg-{os.geteuid()}-{_short(home.base)}")  # noqa: S108 - made private and checked
    return inside


def _forget_a_deleted_lab(folder: Path, home: _Home) -> None:
    """Delete root's data in /var/tmp when the lab folder it belonged to was deleted."""
    folder.mkdir(parents=True, exist_ok=True)
    mark, there = folder / MARK, home.base / MARK
    if not home.base.is_relative_to(folder) and home.base.is_dir():
        known = mark.read_text() if mark.exists() else None
        if not there.exists() or there.read_text() != known:
            _stop_server(home)
            shutil.rmtree(home.base)
    if not mark.exists():
        processes.write_private(mark, secrets.token_hex(16))
    processes.private_folder(home.base, home.owner)
    processes.write_private(there, mark.read_text())


def _stop_server(home: _Home) -> bool:
    process = _find(home)
    if process is not None:
        processes.stop(process, limit=STOP_LIMIT, sign=signal.SIGINT)  # SIGINT: clients are cut
    return process is not None


def _initialise(home: _Home, tree: Tree) -> None:
    """Make the data folder beside and move it into place: half of one is never used."""
    beside = home.base / "data.new"
    if beside.exists():
        shutil.rmtree(beside)
    if home.data.exists():
        raise ProcessError(f"{home.data} is not a PostgreSQL data folder: move it away")
    _run(
        home,
        tree,
        [
            *("initdb", "--pgdata", str(beside), "--username=postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--locale=C.UTF-8", "--no-instructions"),
        ],
        what="make a PostgreSQL data folder",
    )
    with (beside / "postgresql.conf").open("a", encoding="utf-8") as config:
        config.write(SETTINGS)
    beside.rename(home.data)


def _launch(home: _Home, tree: Tree, socket: Path) -> ProcessId:
    home.log.touch(mode=0o600)
    return processes.start(
        [tree.program("postgres"), "-D", home.data, "-k", socket],
        log=home.log,
        folder=home.base,
        environment=_environment(tree, home),
        user=home.owner,
    )


def _find(home: _Home) -> ProcessId | None:
    servers = processes.find("-D", str(home.data), "-k")
    return servers[0] if servers else None


def _drop_stale_lock(home: _Home) -> None:
    # After a kill the file names a number that another program may have by now, and PostgreSQL
    # would then refuse to start. `_find` has just seen that no server has this data folder.
    (home.data / "postmaster.pid").unlink(missing_ok=True)


def _accepts(home: _Home, tree: Tree, socket: Path) -> bool:
    try:
        _psql(home, tree, socket, "SELECT 1")
    except ProcessError:
        return False
    return True


def _psql(home: _Home, tree: Tree, socket: Path, text: str) -> None:
    _run(
        home,
        tree,
        [
            *("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--set=ON_ERROR_STOP=1"),
            *(f"--host={socket}", "--username=postgres", "--dbname=postgres", "--file=-"),
        ],
        what="prepare the database",
        text=text,
    )


def _run(home: _Home, tree: Tree, command: list[str], *, what: str, text: str = "") -> None:
    owner = home.owner
    try:
        done = subprocess.run(
            [str(tree.program(command[0])), *command[1:]],
            input=text,
            capture_output=True,
            text=True,
            cwd=home.base,
            env=_environment(tree, home),
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            timeout=INIT_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProcessError(f"could not {what} within {INIT_LIMIT:.0f} s: try again") from None
    except PermissionError:
        raise ProcessError(
            f"user {owner.pw_name if owner else os.geteuid()} cannot run the programs in "
            f"{tree.root}: set SALDO_CACHE_DIR to a folder that every user may enter"
        ) from None
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).strip().splitlines()
        raise ProcessError(f"could not {what}: {complaint[-1] if complaint else 'no reason given'}")


def _environment(tree: Tree, home: _Home) -> dict[str, str]:
    # All of it: ours may hold the gateway's keys, or PG* variables for another server.
    return {
        "PATH": os.defpath,
        "HOME": str(home.base),
        "LOCPATH": str(tree.locales),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def _url(role: str, socket: Path) -> str:
    database = DATABASE if role != "postgres" else "postgres"
    return f"postgresql://{role}@/{database}?host={quote(str(socket))}"
