"""Where webhooks may go, and where they may not."""

from __future__ import annotations

import pytest

from ivr.messaging.networks import Networks


@pytest.mark.parametrize("host", ["93.184.215.14", "[2606:2800:220:1::1]", "crm.example.com"])
def test_the_internet_may_be_reached(host: str) -> None:
    assert Networks().allow(host)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254",
        "100.64.0.1", "224.0.0.1", "255.255.255.255",
        "[::1]", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "[::ffff:169.254.169.254]", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_what_is_within_may_not(host: str) -> None:
    assert not Networks().allow(host)


def test_a_network_within_may_be_named() -> None:
    within = Networks(["10.20.0.0/16", "fd00:1::/64"])
    assert within.allow("10.20.30.40")
    assert within.allow("[::ffff:10.20.30.40]")
    assert within.allow("fd00:1::5")
    assert not within.allow("10.21.0.1")
    assert not within.allow("127.0.0.1")
    assert within.allow("93.184.215.14")
