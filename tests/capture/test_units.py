"""The units of docker/systemd: what the secure process may not do, held switch by switch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import pytest

from ivr.settings import PROJECT

UNITS = PROJECT / "docker/systemd"
DROP_IN = "saldo-capture.service.d/gateway.conf"
BOTH = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "LockPersonality": "yes",
    "RemoveIPC": "yes",
    "SystemCallArchitectures": "native",
    "LimitCORE": "0",
}
CAPTURE = BOTH | {
    "User": "saldo-capture",
    "UMask": "0077",
    "LimitMEMLOCK": "infinity",
    "MemorySwapMax": "0",
    "KeyringMode": "private",
    "PrivateMounts": "yes",
    "PrivateUsers": "yes",
    "IPAddressDeny": "any",
    "IPAddressAllow": "localhost",
}
FORBIDDEN_CALLS = {"@debug", "process_vm_readv", "process_vm_writev", "@privileged", "@resources"}


def switches(name: str) -> Mapping[str, list[str]]:
    """The lines of [Service]; several of one key are kept in their order."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in (UNITS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and re.match(r"\w+=", line):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


@pytest.mark.parametrize("key", CAPTURE)
def test_the_secure_process_keeps_each_of_its_limits(key: str) -> None:
    assert switches("saldo-capture.service")[key] == [CAPTURE[key]]


@pytest.mark.parametrize("key", BOTH)
def test_the_conversation_keeps_each_of_its_limits(key: str) -> None:
    assert switches("saldo.service")[key] == [BOTH[key]]


def test_the_secure_process_has_only_the_system_calls_of_a_service() -> None:
    allowed, forbidden = switches("saldo-capture.service")["SystemCallFilter"]
    assert allowed == "@system-service"
    assert forbidden.startswith("~")
    assert set(forbidden.removeprefix("~").split()) == FORBIDDEN_CALLS


def test_the_two_programs_have_two_users_and_two_files_of_secrets() -> None:
    capture, serve = switches("saldo-capture.service"), switches("saldo.service")
    assert capture["User"] != serve["User"]
    assert capture["EnvironmentFile"] == ["-/etc/saldo/capture.env"]
    assert serve["EnvironmentFile"] == ["-/etc/saldo/serve.env"]
    assert "StateDirectory" not in capture  # it has nowhere to write


def test_the_way_to_the_gateway_is_shut_until_somebody_opens_it() -> None:
    assert switches(DROP_IN) == {}
    text = (UNITS / DROP_IN).read_text(encoding="utf-8")
    assert ";IPAddressAllow=" in text
    assert ";Environment=HTTPS_PROXY=" in text


def test_every_unit_here_is_held_by_this_test() -> None:
    files = {str(path.relative_to(UNITS)) for path in UNITS.rglob("*") if path.is_file()}
    assert files == {"saldo.service", "saldo-capture.service", DROP_IN}
