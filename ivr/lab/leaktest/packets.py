"""Records what passes loopback, where this user may: a program of its own beside the leak test.

Run as `python -m ivr.lab.leaktest.packets LAB OUT --ports …`; ends by SIGTERM. Left out, and
counted, is what must hold digits: the caller's voice and SIP INFO on the trunk, the secure
process's own connections to Asterisk and to the gateway, and what browsers send (they have an
address of their own; what they are answered is recorded).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import re
import signal
import socket
import struct
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ivr.lab import lab as laboratory
from ivr.lab.processes import ProcessId

SUMMARY = "packets.json"
LOOPBACK = "lo"
BROWSERS = "127.0.0.3"
"""the address of browsers on the pay page"""
_BROWSERS = socket.inet_aton(BROWSERS)
TOKENISE = b"POST /graphql"
_ETH_IPV4, _TCP, _UDP, _SYN, _ACK = 0x0800, 6, 17, 0x02, 0x10
_ETHERNET = 14
_SOL_PACKET, _STATISTICS, _IGNORE_OUTGOING, _ATTACH_FILTER = 263, 6, 23, 26
_RECEIVE_BYTES = 64 << 20
_LONGEST = 1 << 17

_FRAME = re.compile(rb"\x81(?:[\0-\x7d]|\x7e..|\x7f.{8})(?=\{)", re.DOTALL)
"""what stands before an event of ARI (RFC 6455, 5.2): one event a line, to be read downwards"""

Flow = tuple[int, int]
"""source and destination port"""


def may_record() -> bool:
    """Whether this user may look at packets at all."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).close()
    except OSError:
        return False
    return True


@dataclass
class Recorder:
    """Sorts packets into one file for each direction of each connection."""

    lab: Path
    out: Path
    ports: frozenset[int]
    sip: int
    secret_ports: frozenset[int]
    """of Asterisk's web server and the gateway: what the secure process says there is left out"""
    gateway: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    _files: dict[Flow, BinaryIO | None] = field(default_factory=dict)
    _secure: ProcessId | None = None

    def take(self, frame: bytes) -> None:
        """Take one frame of an Ethernet-like device."""
        if len(frame) < _ETHERNET + 20 or struct.unpack_from("!H", frame, 12)[0] != _ETH_IPV4:
            return
        if frame[_ETHERNET + 12 : _ETHERNET + 16] == _BROWSERS:
            self.counts["left out: what browsers send"] += 1
            return
        header = (frame[_ETHERNET] & 0x0F) * 4
        length = struct.unpack_from("!H", frame, _ETHERNET + 2)[0]
        packet = frame[_ETHERNET + header : _ETHERNET + (length or len(frame))]
        match frame[_ETHERNET + 9]:
            case 6 if len(packet) >= 20:  # noqa: PLR2004 - the shortest TCP header
                self._take_tcp(packet)
            case 17 if len(packet) >= 8:  # noqa: PLR2004 - the UDP header
                self._take_sip(packet)

    def close(self, drops: int) -> None:
        """Write down what was seen."""
        for file in self._files.values():
            if file is not None:
                file.close()
        self.counts["dropped by the kernel"] += drops
        (self.out / SUMMARY).write_text(json.dumps(self.counts), encoding="utf-8")

    def _take_tcp(self, packet: bytes) -> None:
        source, target = struct.unpack_from("!HH", packet)
        if not {source, target} & self.ports:
            return
        offset, flags = (packet[12] >> 4) * 4, packet[13]
        flow = (source, target)
        if flags & _SYN and not flags & _ACK:  # the ports may have been another connection's
            self._begin(flow)
        payload = packet[offset:]
        if not payload:
            return
        if flow not in self._files:
            self._begin(flow)
        file = self._files[flow]
        if file is None:
            self.counts["left out: the secure process's own connections"] += 1
        elif target == self.gateway and payload.startswith(TOKENISE) and not self._of_serve(flow):
            # Over before it was seen whose it was, and not the main program's.
            file.close()
            self._files[flow] = None
            self.counts["left out: requests for a token, closed at once"] += 1
        else:
            self._count(payload)
            file.write(_FRAME.sub(b"\n", payload))

    def _take_sip(self, packet: bytes) -> None:
        source, target = struct.unpack_from("!HH", packet)
        if self.sip not in (source, target):
            return
        payload = packet[8:]
        if payload.startswith(b"INFO "):
            self.counts["left out: SIP INFO of the caller"] += 1
            return
        flow = (0, self.sip)
        if flow not in self._files:
            self._files[flow] = self._open("sip")
        self._count(payload)
        file = self._files[flow]
        if file is not None:
            file.write(payload + b"\n\n")

    def _begin(self, flow: Flow) -> None:
        secret = self._is_secret(*flow)
        for way in (flow, flow[::-1]):
            if (open_file := self._files.pop(way, None)) is not None:
                open_file.close()
            self._files[way] = None if secret else self._open(f"{way[0]}-{way[1]}")
        self.counts["connections"] += 1

    def _open(self, name: str) -> BinaryIO:
        return (self.out / f"{name}.bin").open("ab", buffering=0)

    def _count(self, payload: bytes) -> None:
        self.counts["packets"] += 1
        self.counts["bytes"] += len(payload)

    def _of_serve(self, flow: Flow) -> bool:
        pid = laboratory.status(self.lab)["serve"]
        return pid is not None and flow in _connections(pid)

    def _is_secret(self, source: int, target: int) -> bool:
        """Whether the client of this connection is the secure process."""
        if target in self.secret_ports:
            client, server = source, target
        elif source in self.secret_ports:
            client, server = target, source
        else:
            return False
        if self._secure is None or not self._secure.alive:
            pid = laboratory.status(self.lab)["capture"]
            self._secure = ProcessId.of(pid) if pid else None
        return self._secure is not None and (client, server) in _connections(self._secure.pid)


def _connections(pid: int) -> set[Flow]:
    """Own and far port of every TCP connection of a process."""
    inodes, found = set(), set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes:
            own, far = (int(fields[place].rpartition(":")[2], 16) for place in (1, 2))
            found.add((own, far))
    return found


def _filter(sip: int) -> bytes:
    """Berkeley packet filter: TCP, and UDP of the SIP port; the voice stays in the kernel."""
    steps = (
        (0x30, 0, 0, 23), (0x15, 5, 0, _TCP), (0x15, 0, 5, _UDP), (0x28, 0, 0, 34),
        (0x15, 2, 0, sip), (0x28, 0, 0, 36), (0x15, 0, 1, sip), (0x06, 0, 0, 0x40000),
        (0x06, 0, 0, 0),
    )  # fmt: skip
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def main() -> None:
    """Record until SIGTERM."""
    parser = argparse.ArgumentParser(prog="ivr.lab.leaktest.packets", description=__doc__)
    parser.add_argument("lab", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sip", type=int, required=True)
    parser.add_argument("--secret", type=int, nargs="*", default=[])
    parser.add_argument("--gateway", type=int, default=0)
    parser.add_argument("--ports", type=int, nargs="*", default=[])
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True, mode=0o700)
    ports = frozenset((*asked.ports, *asked.secret, asked.gateway))
    secret = frozenset((*asked.secret, asked.gateway))
    recorder = Recorder(asked.lab, asked.out, ports, asked.sip, secret, asked.gateway)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    taps = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_IPV4))
    program = ctypes.create_string_buffer(_filter(asked.sip))
    count = len(program.raw) // 8
    pointer = struct.pack("HxxxxxxP", count, ctypes.addressof(program))
    taps.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, pointer)
    taps.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    taps.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    taps.bind((LOOPBACK, 0))
    taps.settimeout(0.2)
    sys.stdout.write("recording\n")
    sys.stdout.flush()
    while not stopping:
        with contextlib.suppress(TimeoutError):
            recorder.take(taps.recv(_LONGEST))
    _, drops = struct.unpack("II", taps.getsockopt(_SOL_PACKET, _STATISTICS, 8))
    recorder.close(drops)


if __name__ == "__main__":
    main()
