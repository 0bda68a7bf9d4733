"""How saldo and Asterisk run at this moment, as /proc shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivr.capture.doctor import clock, processes
from ivr.capture.doctor.clock import KernelClock
from ivr.capture.doctor.finding import Finding, Grade
from ivr.capture.doctor.processes import Process

F, W, U = Grade.FAULT, Grade.WARNING, Grade.UNKNOWN
UNIX = "Num RefCount Protocol Flags Type St Inode Path\n"
SOCKET = "0: 00000002 00000000 {flags} 0001 {state} 7 /run/asterisk/asterisk.ctl\n"
LISTENING = SOCKET.format(flags="00010000", state="01")
CONSOLE = SOCKET.format(flags="00000000", state="03")


def process(command: str, **changes: Any) -> Process:
    """One that is as it should be, but for the changes."""
    good: dict[str, Any] = {
        "pid": 7,
        "words": ("/opt/saldo/.venv/bin/python", "/opt/saldo/.venv/bin/saldo", command),
        "user": {"capture": 1001, "serve": 1002}.get(command, 1003),
        "owner": 0,
        "core_limit": "0",
        "locked": 4096,
        "swapped": 0,
        "no_new_privileges": True,
        "system_calls_filtered": True,
    }
    return Process(**good | changes)


def asterisk(**changes: Any) -> Process:
    return process("pbx", **{"words": ("/usr/sbin/asterisk", "-f", "-U", "asterisk")} | changes)


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/unix").write_text(UNIX + LISTENING)
    monkeypatch.setattr(processes, "PROC", tmp_path)
    return tmp_path


def judged(
    monkeypatch: pytest.MonkeyPatch, *running: Process, has_swap: bool | None = True
) -> set[tuple[str, Grade]]:
    monkeypatch.setattr(processes, "_running", lambda: iter(running))
    return bad(processes.look_at(has_swap=has_swap))


def bad(findings: list[Finding]) -> set[tuple[str, Grade]]:
    return {(one.id, one.grade) for one in findings if one.grade is not Grade.OK}


@pytest.mark.usefixtures("proc")
def test_what_runs_as_its_units_say_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    running = (process("serve"), process("capture"), asterisk())
    assert judged(monkeypatch, *running) == set()


@pytest.mark.usefixtures("proc")
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"user": 0}, {("capture-user", W), ("capture-running-debugger", W)}),
        ({"user": 1002}, {("capture-user", W)}),
        (
            {"owner": 1001, "core_limit": "unlimited"},
            {("capture-running-core", F), ("capture-running-debugger", F)},
        ),
        ({"core_limit": "1024"}, set()),  # not dumpable: there is none
        ({"owner": 1001}, {("capture-running-debugger", F)}),
        ({"locked": 0}, {("capture-running-memory", W)}),
        ({"swapped": 12}, {("capture-running-memory", F)}),
        ({"no_new_privileges": False}, {("capture-sandbox", W)}),
        ({"system_calls_filtered": False}, {("capture-sandbox", W)}),
    ],
)
def test_a_secure_process_that_lacks_a_measure_is_found(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], found: set[tuple[str, Grade]]
) -> None:
    running = (process("serve"), process("capture", **changes), asterisk())
    assert judged(monkeypatch, *running) == found


@pytest.mark.usefixtures("proc")
def test_memory_need_not_be_locked_where_nothing_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    running = (process("capture", locked=0), asterisk())
    assert judged(monkeypatch, *running, has_swap=False) == set()
    assert judged(monkeypatch, *running, has_swap=None) == {("capture-running-memory", U)}


@pytest.mark.usefixtures("proc")
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"user": 0, "core_limit": "0"}, {("pbx-user", W)}),
        ({"owner": 1003, "core_limit": "unlimited"}, {("pbx-running-core", F)}),
        ({"user": 0, "core_limit": "unlimited"}, {("pbx-user", W), ("pbx-running-core", F)}),
    ],
)
def test_a_pbx_that_gives_itself_away_is_found(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], found: set[tuple[str, Grade]]
) -> None:
    assert judged(monkeypatch, process("capture"), asterisk(**changes)) == found


def test_somebody_at_the_pbxs_console_is_found(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (proc / "net/unix").write_text(UNIX + LISTENING + CONSOLE)
    assert judged(monkeypatch, process("capture"), asterisk()) == {("pbx-console", W)}
    (proc / "net/unix").unlink()
    assert judged(monkeypatch, process("capture"), asterisk()) == {("pbx-console", U)}


@pytest.mark.usefixtures("proc")
def test_what_does_not_run_here_is_unknown_and_never_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    console = asterisk(words=("/usr/sbin/asterisk", "-rx", "core show channels"))
    assert judged(monkeypatch, console) == {("capture-runs", U), ("pbx-running-core", U)}


HARDENED = """
import resource, time
from ivr.capture import hardening
hardening.not_allowed()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def hardened() -> Iterator[int]:
    """A hardened process that is called as `saldo serve` calls its child."""
    words = [sys.executable, "-c", HARDENED, "ivr.cli.main", "capture"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running.pid
        running.kill()


def test_a_process_of_this_machine_is_read(hardened: int) -> None:
    (found,) = (one for one in processes._running() if one.pid == hardened)
    assert processes._is_saldo(found, "capture")
    assert not processes._is_saldo(found, "serve")
    assert found.user == os.geteuid()
    assert found.owner == 0
    assert found.core_limit == "0"
    assert found.no_new_privileges
    assert found.dumpable is (None if os.geteuid() == 0 else False)


def test_the_kernels_clock_can_be_asked() -> None:
    found = clock.read()
    assert found is not None
    assert found.error_seconds >= 0


@pytest.mark.parametrize(
    ("kernel", "found"),
    [
        (KernelClock(synchronised=True, error_seconds=0.01), set()),
        (KernelClock(synchronised=True, error_seconds=5), {("clock-service", W)}),
        (KernelClock(synchronised=True, error_seconds=90), {("clock-service", F)}),
        (KernelClock(synchronised=False, error_seconds=16), {("clock-service", W)}),
        (None, {("clock-service", U)}),
    ],
)
def test_a_clock_that_nobody_sets_is_found(
    kernel: KernelClock | None, found: set[tuple[str, Grade]]
) -> None:
    assert bad(clock.look_at(kernel)) == found
