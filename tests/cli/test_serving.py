"""`saldo serve` and `saldo capture` when what they need is away or taken."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import ALONE, NOBODY, environment, saldo

READY_SECONDS = 30
EVERYTHING_AWAY = {
    "SALDO_ASTERISK__URL": f"http://{NOBODY}",
    "SALDO_ASTERISK__AMI_PORT": "9",
    "SALDO_DATABASE__URL": f"postgresql://saldo@{NOBODY}/saldo",
    "SALDO_CAPTURE__SPAWN": "false",
    "SALDO_BRAINTREE__URL": f"http://{NOBODY}",
    "SALDO_BRAINTREE__MERCHANT_ID": "merchant",
    "SALDO_BRAINTREE__PUBLIC_KEY": "public",
    "SALDO_BRAINTREE__PRIVATE_KEY": "private",
    "SALDO_BRAINTREE__MERCHANT_ACCOUNTS": json.dumps({"EUR": "eur"}),
}


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = saldo("serve", folder=tmp_path, more=EVERYTHING_AWAY | {"SALDO_WEB__PORT": str(port)})
    assert ran.status == 1
    assert ran.complaint == (
        f"saldo: the web API cannot listen on 127.0.0.1:{port} (Address already in use): "
        "stop what has that port, or set [web] host and port"
    )


def test_a_gateway_without_keys_is_one_sentence(tmp_path: Path) -> None:
    more = EVERYTHING_AWAY | {
        "SALDO_WEB__PORT": free_port(),
        "SALDO_BRAINTREE__MERCHANT_ID": "",
    }
    ran = saldo("serve", folder=tmp_path, more=more)
    assert ran.status == 1
    assert ran.complaint.startswith("saldo: set braintree.merchant_id")


@pytest.mark.parametrize(
    ("command", "awaited"),
    [
        ("serve", {"events_lost", "database_away", "manager_away"}),
        ("capture", {"events_lost"}),
    ],
)
def test_a_back_end_that_is_away_is_waited_for_in_plain_words(
    command: str, awaited: set[str], tmp_path: Path
) -> None:
    """It says what is missing, goes on trying, and still ends well when it is told to."""
    running = subprocess.Popen(
        [*ALONE, command],
        cwd=tmp_path,
        env=environment(tmp_path, EVERYTHING_AWAY | {"SALDO_WEB__PORT": free_port()}),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr
        missing, lines = set(awaited), []
        while missing:
            lines.append(running.stderr.readline())
            assert lines[-1], f"it ended: {lines}"
            missing.discard(json.loads(lines[-1])["event"])
        running.send_signal(signal.SIGTERM)
        rest = running.communicate(timeout=READY_SECONDS)[1]
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0
    assert "Traceback" not in "".join(lines) + rest
