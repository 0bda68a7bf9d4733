from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ivr.capture import hardening

HARDENED = """
import asyncio, ctypes, json, os, resource
from ivr.capture import hardening
async def main():
    asyncio.get_running_loop().set_debug(True)
    hardening.harden()
    return asyncio.get_running_loop().get_debug()
debug = asyncio.run(main())
print(json.dumps({
    "debug": debug,
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    "no_new_rights": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0),
    "umask": os.umask(0),
}))
"""
CHILD = """
import time
from ivr.capture import hardening
assert hardening.die_with_parent()
print("ready", flush=True)
time.sleep(60)
"""
PARENT = f"""
import os, subprocess, sys, time
env = dict(os.environ, {hardening.PARENT_VARIABLE}=str(os.getpid()))
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], env=env, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def python(code: str) -> str:
    run = [sys.executable, "-c", code]
    return subprocess.run(run, capture_output=True, text=True, check=True, timeout=30).stdout


def test_a_hardened_process_leaves_no_core_gains_no_rights_and_opens_no_files_to_others() -> None:
    found = json.loads(python(HARDENED).splitlines()[-1])
    assert found == {
        "debug": False,
        "core": [0, 0],
        "dumpable": 0,
        "no_new_rights": 1,
        "umask": 0o077,
    }


def test_the_secure_process_does_not_outlive_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 10
    while time.monotonic() < until and runs(child):
        time.sleep(0.02)
    alive = runs(child)
    if alive:
        os.kill(child, signal.SIGKILL)
    assert not alive


def test_a_parent_that_died_before_it_could_be_watched_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hardening, "_prctl", lambda _option, _value: None)
    monkeypatch.setenv(hardening.PARENT_VARIABLE, str(os.getppid()))
    assert hardening.die_with_parent()
    monkeypatch.setenv(hardening.PARENT_VARIABLE, "1" + str(os.getppid()))
    assert not hardening.die_with_parent()


def test_a_unit_of_its_own_has_no_parent_to_die_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hardening.PARENT_VARIABLE, raising=False)
    assert hardening.die_with_parent()


def runs(pid: int) -> bool:
    """Whether it runs, and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - /proc is no path
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
