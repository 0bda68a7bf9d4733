"""Cards that the gateway keeps: the real SDK against the stand-in's vault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ivr.billing.errors import GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import Captured, CardOnFile, KeepCard, MeansOnHand, Refusal
from ivr.gateways.braintree import Braintree
from ivr.lab.gateway import StandIn
from tests.gateways.charging import found, ledger, taken
from tests.gateways.clients import GOOD_CARD, card, card_token, to_stand_in

KEEP = KeepCard("saldo-customer")


async def charge(
    gateway: Braintree, means: MeansOnHand, *, order_id: str = "o", keep: KeepCard | None = None
) -> Captured | Refusal:
    return await gateway.charge(
        means=means,
        amount=Money.of("10.00", "EUR"),
        order_id=order_id,
        request_key=f"key-{order_id}",
        keep=keep,
    )


async def kept(gateway: Braintree, order_id: str = "o") -> CardOnFile:
    outcome = await charge(gateway, card(await card_token(gateway)), order_id=order_id, keep=KEEP)
    assert isinstance(outcome, Captured)
    assert outcome.kept
    return outcome.kept


async def test_a_kept_card_is_a_telephone_order_too_and_comes_without_its_security_code(
    gateway: Braintree, tmp_path: Path
) -> None:
    on_file = await kept(gateway)
    await charge(gateway, on_file, order_id="p")
    first, second = ledger(tmp_path)
    assert (first.source, second.source) == ("moto", "moto")
    assert (first.token.cvv, second.token.cvv) == ("M", "I")
    assert (first.customer_id, first.vault_token) == ("saldo-customer", on_file.token)
    assert GOOD_CARD not in (tmp_path / "gateway.jsonl").read_text()


async def test_the_same_sale_sent_again_keeps_the_card_once(
    gateway: Braintree, stand_in: StandIn, tmp_path: Path
) -> None:
    means = card(await card_token(gateway))
    stand_in.faults.ask({"mode": "reset-after", "on": ["sale"], "count": 1})
    with pytest.raises(OutcomeUnknown):
        await charge(gateway, means, keep=KEEP)
    again = await charge(gateway, means, keep=KEEP)
    assert isinstance(again, Captured)
    assert again == await found(gateway, "o")
    assert len(taken(tmp_path)) == 1
    assert (tmp_path / "gateway.jsonl").read_text().count('"kind":"vaulted"') == 1


async def test_a_charge_that_died_before_its_customer_was_made_is_sent_again_and_keeps_the_card(
    gateway: Braintree, tmp_path: Path
) -> None:
    again = await gateway.send_again(
        means=card(await card_token(gateway)),
        amount=Money.of("10.00", "EUR"),
        order_id="o",
        request_key="key-o",
        keep=KEEP,
    )
    assert isinstance(again, Captured)
    assert again.kept
    assert len(taken(tmp_path)) == 1


@pytest.mark.parametrize(
    "fault",
    [{"mode": "reset-before"}, {"mode": "500-after-capture"}, {"mode": "hang", "seconds": 9}],
)
async def test_a_customer_that_cannot_be_made_costs_the_caller_the_keeping_only(
    stand_in: StandIn, fault: dict[str, Any]
) -> None:
    gateway = to_stand_in(stand_in, timeout_seconds=0.3)
    means = card(await card_token(gateway))
    stand_in.faults.ask({**fault, "on": ["customer"]})
    outcome = await charge(gateway, means, keep=KEEP)
    assert isinstance(outcome, Captured)
    assert outcome.kept is None
    await gateway.aclose()


async def test_a_removal_whose_answer_is_lost_is_asked_for_again(
    gateway: Braintree, stand_in: StandIn
) -> None:
    on_file = await kept(gateway)
    stand_in.faults.ask({"mode": "reset-after", "on": ["remove"], "count": 1})
    with pytest.raises(OutcomeUnknown):
        await gateway.forget_card(on_file.token)
    await gateway.forget_card(on_file.token)
    assert isinstance(await charge(gateway, on_file, order_id="p"), Refusal)


async def test_the_vault_comes_back_with_the_stand_in(tmp_path: Path) -> None:
    first = StandIn(tmp_path / "gateway.jsonl")
    await first.start()
    gateway = to_stand_in(first)
    stays, goes = await kept(gateway, "o"), await kept(gateway, "p")
    await gateway.forget_card(goes.token)
    await gateway.aclose()
    await first.stop()
    second = StandIn(tmp_path / "gateway.jsonl")
    await second.start()
    gateway = to_stand_in(second)
    assert isinstance(await charge(gateway, stays, order_id="q"), Captured)
    assert isinstance(await charge(gateway, goes, order_id="r"), Refusal)
    await gateway.aclose()
    await second.stop()


async def test_wrong_keys_remove_nothing_and_say_which(
    gateway: Braintree, stand_in: StandIn
) -> None:
    on_file = await kept(gateway)
    stranger = to_stand_in(stand_in, private_key="wrong")
    with pytest.raises(GatewayRefused, match="private_key"):
        await stranger.forget_card(on_file.token)
    await stranger.aclose()
    assert isinstance(await charge(gateway, on_file, order_id="p"), Captured)
