"""Every way a charge can go wrong on the wire: the real SDK against a misbehaving stand-in."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest

from ivr.billing.errors import GatewayError, GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.payments import Captured
from ivr.gateways.braintree import Braintree
from ivr.gateways.errors import ValidationRefused
from ivr.lab.gateway import StandIn
from tests.gateways.charging import charge, found, ledger, taken
from tests.gateways.clients import GOOD_CARD, TOKENIZE, card_token, to_stand_in


@pytest.mark.parametrize(
    ("fault", "captures"),
    [
        ({"mode": "reset-before"}, 0),
        ({"mode": "reset-after"}, 1),
        ({"mode": "500-after-capture"}, 1),
        ({"mode": "hang", "seconds": 30}, 0),
        ({"mode": "delay", "seconds": 1.5}, 1),
    ],
    ids=lambda value: value["mode"] if isinstance(value, dict) else "",
)
async def test_a_lost_answer_is_unknown_whether_or_not_the_money_was_taken(
    stand_in: StandIn, tmp_path: Path, fault: dict[str, Any], captures: int
) -> None:
    gateway = to_stand_in(stand_in, timeout_seconds=0.5)
    token = await card_token(gateway)
    stand_in.faults.ask({**fault, "count": 1})
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, token=token, order_id="saldo-1", key="k")
    await asyncio.sleep(1.2 if fault["mode"] == "delay" else 0.1)
    assert len(taken(tmp_path)) == captures
    outcome = await found(gateway, "saldo-1")
    assert isinstance(outcome, Captured) if captures else outcome is None
    replay = await charge(gateway, token=token, order_id="saldo-1", key="k")
    assert isinstance(replay, Captured)
    assert len(taken(tmp_path)) == 1
    await gateway.aclose()


async def test_a_slow_answer_is_still_an_answer(gateway: Braintree, stand_in: StandIn) -> None:
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "delay", "seconds": 0.3, "count": 1})
    assert isinstance(await charge(gateway, token=token), Captured)


async def test_a_lagging_search_finds_nothing_at_first(
    gateway: Braintree, stand_in: StandIn
) -> None:
    outcome = await charge(gateway, order_id="saldo-1")
    stand_in.faults.ask({"mode": "search-lag", "seconds": 60, "count": 1})
    assert await found(gateway, "saldo-1") is None
    assert await found(gateway, "saldo-1") == outcome


async def test_nobody_listening_means_nothing_was_sent(stand_in: StandIn, tmp_path: Path) -> None:
    gateway = to_stand_in(stand_in)
    token = await card_token(gateway)
    await stand_in.stop()
    with pytest.raises(GatewayNotReached, match=r"braintree\.url"):
        await charge(gateway, token=token)
    with pytest.raises(GatewayNotReached):
        await gateway.ping()
    assert not ledger(tmp_path)
    await gateway.aclose()


async def test_a_host_that_does_not_exist_means_nothing_was_sent(stand_in: StandIn) -> None:
    gateway = to_stand_in(stand_in, url="http://gateway.invalid:8080")
    with pytest.raises(GatewayNotReached):
        await charge(gateway, token="any")
    await gateway.aclose()


async def test_a_hanging_health_check_takes_no_charging_thread(stand_in: StandIn) -> None:
    gateway = to_stand_in(stand_in, threads=1)
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "hang", "seconds": 0.5, "on": ["ping"]})
    pings = [asyncio.create_task(gateway.ping()) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert isinstance(await charge(gateway, token=token), Captured)
    for ping in await asyncio.gather(*pings, return_exceptions=True):
        assert isinstance(ping, GatewayError)
    await gateway.aclose()


async def test_a_full_pool_says_so_instead_of_queueing_for_ever(
    stand_in: StandIn, tmp_path: Path
) -> None:
    gateway = to_stand_in(stand_in, threads=1, queue_seconds=0.2)
    tokens = [await card_token(gateway) for _ in range(2)]
    stand_in.faults.ask({"mode": "delay", "seconds": 0.8, "count": 1})
    first = asyncio.create_task(charge(gateway, token=tokens[0]))
    await asyncio.sleep(0.1)
    with pytest.raises(GatewayNotReached, match=r"braintree\.threads"):
        await charge(gateway, token=tokens[1])
    assert isinstance(await first, Captured)
    assert isinstance(await charge(gateway, token=tokens[1]), Captured), "the thread is free again"
    assert len(taken(tmp_path)) == 2
    await gateway.aclose()


async def test_a_cancelled_charge_still_holds_its_thread_until_it_is_answered(
    stand_in: StandIn, tmp_path: Path
) -> None:
    gateway = to_stand_in(stand_in, threads=1, queue_seconds=0.2)
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "delay", "seconds": 0.6, "count": 1})
    hung_up = asyncio.create_task(charge(gateway, token=token))
    await asyncio.sleep(0.1)
    hung_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hung_up
    with pytest.raises(GatewayNotReached):
        await found(gateway, "saldo-1")
    await asyncio.sleep(0.5)
    assert len(taken(tmp_path)) == 1
    assert await found(gateway, "saldo-1") is None
    await gateway.aclose()


async def test_closing_lets_a_running_charge_finish_and_takes_no_other(
    stand_in: StandIn,
) -> None:
    gateway = to_stand_in(stand_in)
    token = await card_token(gateway)
    stand_in.faults.ask({"mode": "delay", "seconds": 0.3, "count": 1})
    running = asyncio.create_task(charge(gateway, token=token))
    await asyncio.sleep(0.1)
    await gateway.aclose()
    assert isinstance(await running, Captured)
    with pytest.raises(GatewayNotReached, match="stopping"):
        await charge(gateway, token=token)


async def test_a_proxy_of_the_environment_does_not_reroute_loopback(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    gateway = to_stand_in(stand_in)
    assert isinstance(await charge(gateway), Captured)
    await gateway.aclose()


async def test_an_answer_that_cannot_be_read_is_unknown() -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nnot <xml>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = Braintree(
        environment="stand-in",
        url=f"http://127.0.0.1:{port}",
        merchant_id="m",
        public_key="p",
        private_key="s",
        merchant_accounts={"EUR": "e"},
    )
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, token="any")
    with pytest.raises(OutcomeUnknown):
        await found(gateway, "saldo-1")
    await gateway.aclose()
    server.close()
    await server.wait_closed()


async def test_a_redirect_is_not_followed_and_is_unknown() -> None:
    asked = 0

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = Braintree(
        environment="stand-in",
        url=f"http://127.0.0.1:{port}",
        merchant_id="m",
        public_key="p",
        private_key="s",
        merchant_accounts={"EUR": "e"},
    )
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, token="any")
    assert asked == 1
    await gateway.aclose()
    server.close()
    await server.wait_closed()


def everything_in(error: BaseException) -> str:
    """What a crash reporter that shows locals and chained exceptions would print."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    chained = (error.__cause__, error.__context__)
    return "".join(report.format()) + repr(error.args) + repr(vars(error)) + repr(chained)


@pytest.mark.parametrize("mode", ["reset-before", "hang", "500-after-capture"])
async def test_no_error_carries_the_card(stand_in: StandIn, mode: str) -> None:
    gateway = to_stand_in(stand_in, timeout_seconds=0.3)
    stand_in.faults.ask({"mode": mode, "seconds": 1, "on": ["tokenize"]})
    card = {"number": GOOD_CARD, "cvv": "987", "expirationMonth": "12", "expirationYear": "2031"}
    work = gateway.graphql(TOKENIZE, {"input": {"creditCard": card}})
    del card
    with pytest.raises(OutcomeUnknown) as caught:
        await work
    del work
    text = everything_in(caught.value)
    assert "graphql" in text, "the frames of the client are looked at"
    assert GOOD_CARD not in text
    assert "'987'" not in text  # quoted: addresses of objects have such digits too
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    await gateway.aclose()


async def test_a_refused_card_names_the_field_and_not_the_digits(gateway: Braintree) -> None:
    with pytest.raises(ValidationRefused) as caught:
        await card_token(gateway, "4242424242424242")
    (fault,) = caught.value.faults
    assert (fault.code, fault.field) == ("81717", "input.creditCard.number")
    assert "VALIDATION" in fault.message
    assert "4242" not in str(caught.value) + repr(vars(caught.value))


async def test_an_unknown_graphql_operation_is_refused_with_its_words(gateway: Braintree) -> None:
    with pytest.raises(GatewayRefused, match="payInBeads"):
        await gateway.graphql("mutation { payInBeads }", {})
