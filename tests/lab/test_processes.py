"""Programs that outlive their starter, and are stopped by identity."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ivr.lab import processes
from ivr.lab.processes import ProcessError, ProcessId


def _sleep(tmp_path: Path, script: str = "exec sleep 60") -> ProcessId:
    return processes.start(["/bin/sh", "-c", script], log=tmp_path / "log", folder=tmp_path)


def test_a_process_outlives_its_starter_and_is_stopped_by_another(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from ivr.lab import processes\n"
        "here = Path(sys.argv[1])\n"
        "one = processes.start(['sleep', '60'], log=here / 'log', folder=here)\n"
        "print(one.pid, one.started)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.split()
    process = ProcessId(int(told[0]), int(told[1]))
    assert process.alive
    processes.stop(process)
    assert not process.alive


def test_a_reused_number_is_never_stopped(tmp_path: Path) -> None:
    process = _sleep(tmp_path)
    processes.stop(ProcessId(process.pid, process.started - 1))
    assert process.alive
    processes.stop(process)


def test_stopping_what_has_ended_does_nothing(tmp_path: Path) -> None:
    process = _sleep(tmp_path)
    processes.stop(process)
    processes.stop(process)
    assert not process.alive


def test_a_process_that_does_not_listen_is_ended_by_force(tmp_path: Path) -> None:
    process = _sleep(tmp_path, "trap '' TERM; touch deaf; while :; do sleep 0.05; done")
    processes.wait_until(
        (tmp_path / "deaf").exists, process, what="it", log=tmp_path / "log", limit=5
    )
    processes.stop(process, limit=0.1)
    assert not process.alive


def test_a_program_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    process = _sleep(tmp_path, "echo no room left; exit 1")
    with pytest.raises(ProcessError, match=r"PBX ended while it started.*no room left"):
        processes.wait_until(lambda: False, process, what="PBX", log=tmp_path / "log", limit=5)


def test_waiting_has_a_limit(tmp_path: Path) -> None:
    process = _sleep(tmp_path)
    with pytest.raises(ProcessError, match="not ready after"):
        processes.wait_until(lambda: False, process, what="PBX", log=tmp_path / "log", limit=0.1)
    processes.stop(process)


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    process = processes.start([tmp_path / "nothing"], log=tmp_path / "log", folder=tmp_path)
    with pytest.raises(ProcessError, match="not found"):
        processes.wait_until(lambda: False, process, what="It", log=tmp_path / "log", limit=5)


def test_a_program_sees_only_the_environment_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "secret")
    log = tmp_path / "log"
    process = processes.start(
        ["/usr/bin/env"], log=log, folder=tmp_path, environment={"PATH": "/usr/bin:/bin"}
    )
    with pytest.raises(ProcessError):
        processes.wait_until(lambda: False, process, what="It", log=log, limit=5)
    assert "PATH=/usr/bin:/bin" in log.read_text()
    assert "secret" not in log.read_text()


def test_no_program_leaves_a_core_dump(tmp_path: Path) -> None:
    process = _sleep(tmp_path, "ulimit -Hc; exec sleep 60")
    log = tmp_path / "log"
    processes.wait_until(lambda: bool(log.read_text()), process, what="it", log=log, limit=5)
    assert log.read_text() == "0\n"
    processes.stop(process)


def test_an_orphan_is_found_by_its_arguments(tmp_path: Path) -> None:
    process = processes.start(
        ["/bin/sh", "-c", "sleep 60; :", str(tmp_path)], log=tmp_path / "log", folder=tmp_path
    )
    processes.wait_until(
        lambda: processes.find("-c", str(tmp_path)) == [process],
        process,
        what="it",
        log=tmp_path / "log",
        limit=5,
    )
    assert processes.find("-c", str(tmp_path / "other")) == []
    processes.stop(process)


def test_a_taken_port_is_not_chosen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert processes.free_port(port) != port
    assert processes.free_port(port) == port


def test_it_is_known_who_holds_a_port(tmp_path: Path) -> None:
    ourselves = ProcessId.of(os.getpid())
    assert ourselves is not None
    other = _sleep(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        assert processes.owns(ourselves, port, "udp") is True
        assert processes.owns(other, port, "udp") is False
    assert processes.owns(ourselves, port, "udp") is None
    processes.stop(other)


def test_a_private_folder_is_ours_alone(tmp_path: Path) -> None:
    made = processes.private_folder(tmp_path / "run")
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_link_laid_by_somebody_is_not_taken_for_a_private_folder(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "target")
    with pytest.raises(ProcessError, match="belongs to another user"):
        processes.private_folder(tmp_path / "run")


def test_a_private_file_is_written_whole_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "pbx.json"
    path.write_text("old")
    processes.write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["pbx.json"]


def test_identity_survives_a_moment_and_ends_with_the_process(tmp_path: Path) -> None:
    process = _sleep(tmp_path)
    time.sleep(0.05)
    assert ProcessId.of(process.pid) == process
    processes.stop(process)
    assert ProcessId.of(process.pid) is None
