"""Voids and refunds: the real SDK against the stand-in, which counts what went back."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ivr.billing.errors import GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import Captured
from ivr.billing.refunds import GivenBack, NotGivenBack
from ivr.billing.transactions import Standing
from ivr.gateways.braintree import Braintree
from ivr.gateways.giving_back import BraintreeRefunds
from ivr.lab.gateway import StandIn
from tests.gateways.charging import charge, ledger
from tests.gateways.clients import to_stand_in


@pytest.fixture
def giver(gateway: Braintree) -> BraintreeRefunds:
    return BraintreeRefunds(gateway)


async def sold(gateway: Braintree, *, settled: bool = False, amount: str = "42.50") -> str:
    """A sale that took money."""
    outcome = await charge(gateway, amount)
    assert isinstance(outcome, Captured)
    sale_id = outcome.transaction_id
    if settled:
        await gateway.ask(lambda sdk: sdk.testing.settle_transaction(sale_id))
    return sale_id


async def refund(
    giver: BraintreeRefunds, sale_id: str, amount: str, *, key: str = "", order_id: str = ""
) -> GivenBack | NotGivenBack:
    return await giver.refund(
        sale_id,
        amount=Money.of(amount, "EUR"),
        order_id=order_id or f"saldo-refund-{uuid4()}",
        request_key=key or str(uuid4()),
    )


def refunded(tmp_path: Path) -> list[str]:
    return [each.amount for each in ledger(tmp_path) if each.type == "credit"]


async def test_a_sale_that_is_not_settled_is_voided_once(
    gateway: Braintree, giver: BraintreeRefunds
) -> None:
    sale_id = await sold(gateway)
    assert await giver.void(sale_id, "k") == GivenBack(sale_id)
    assert await giver.void(sale_id, "k") == GivenBack(sale_id)
    assert await giver.standing(sale_id) is Standing.VOIDED
    assert isinstance(await giver.void(sale_id, "another"), NotGivenBack)


async def test_a_settled_sale_is_not_voided_and_an_unsettled_one_not_refunded(
    gateway: Braintree, giver: BraintreeRefunds
) -> None:
    settled, fresh = await sold(gateway, settled=True), await sold(gateway, amount="10.00")
    voided = await giver.void(settled, "k1")
    assert isinstance(voided, NotGivenBack)
    assert "91504" in voided.why
    too_soon = await refund(giver, fresh, "10.00")
    assert isinstance(too_soon, NotGivenBack)
    assert "91506" in too_soon.why


async def test_a_sale_is_looked_at_without_the_index_that_lags(
    gateway: Braintree, giver: BraintreeRefunds, stand_in: StandIn
) -> None:
    stand_in.faults.ask({"mode": "search-lag", "seconds": 60})
    assert await giver.standing(await sold(gateway)) is Standing.CAPTURED
    assert await giver.standing(await sold(gateway, settled=True)) is Standing.SETTLED
    assert await giver.standing("unknown1") is None


async def test_a_part_is_refunded_once_for_a_key_and_found_by_its_order(
    gateway: Braintree, giver: BraintreeRefunds, tmp_path: Path
) -> None:
    sale_id = await sold(gateway, settled=True)
    first = await refund(giver, sale_id, "10.00", key="k", order_id="saldo-refund-1")
    assert isinstance(first, GivenBack)
    assert await refund(giver, sale_id, "10.00", key="k", order_id="saldo-refund-1") == first
    (found,) = await giver.of_order("saldo-refund-1")
    assert (found.id, found.refund_of) == (first.transaction_id, sale_id)
    assert refunded(tmp_path) == ["10.00"]


async def test_the_gateway_never_gives_back_more_than_it_took(
    gateway: Braintree, giver: BraintreeRefunds, tmp_path: Path
) -> None:
    sale_id = await sold(gateway, settled=True)
    assert isinstance(await refund(giver, sale_id, "40.00"), GivenBack)
    too_much = await refund(giver, sale_id, "2.51")
    assert isinstance(too_much, NotGivenBack)
    assert refunded(tmp_path) == ["40.00"]


@pytest.mark.parametrize(
    ("fault", "happened"),
    [
        ({"mode": "reset-before"}, 0),
        ({"mode": "reset-after"}, 1),
        ({"mode": "500-after-capture"}, 1),
    ],
    ids=lambda value: value["mode"] if isinstance(value, dict) else "",
)
async def test_a_refund_whose_answer_is_lost_is_done_once_when_it_is_sent_again(
    gateway: Braintree,
    giver: BraintreeRefunds,
    stand_in: StandIn,
    tmp_path: Path,
    fault: dict[str, Any],
    happened: int,
) -> None:
    sale_id = await sold(gateway, settled=True)
    stand_in.faults.ask({**fault, "on": ["refund"], "count": 1})
    with pytest.raises(OutcomeUnknown):
        await refund(giver, sale_id, "10.00", key="k", order_id="saldo-refund-1")
    assert len(refunded(tmp_path)) == happened
    again = await refund(giver, sale_id, "10.00", key="k", order_id="saldo-refund-1")
    assert isinstance(again, GivenBack)
    assert len(refunded(tmp_path)) == 1


async def test_an_account_without_request_keys_gives_back_without_one(
    gateway: Braintree, giver: BraintreeRefunds, stand_in: StandIn, tmp_path: Path
) -> None:
    sale_id = await sold(gateway, settled=True)
    stand_in.faults.ask({"mode": "refuse-keys"})
    assert isinstance(await refund(giver, sale_id, "10.00"), GivenBack)
    assert not giver.request_keys
    assert refunded(tmp_path) == ["10.00"]


async def test_what_may_be_done_already_is_never_asked_for_again_without_a_key(
    gateway: Braintree, giver: BraintreeRefunds, stand_in: StandIn, tmp_path: Path
) -> None:
    sale_id = await sold(gateway, settled=True)
    stand_in.faults.ask({"mode": "refuse-keys"})
    stand_in.faults.ask({"mode": "delay", "seconds": 0, "count": 1, "on": ["refund"]})
    stand_in.faults.ask({"mode": "reset-after", "count": 1, "on": ["refund"]})
    with pytest.raises(OutcomeUnknown):
        await refund(giver, sale_id, "10.00", key="k", order_id="saldo-refund-1")
    restarted = to_stand_in(stand_in)  # it has yet to learn that keys are not allowed
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="not asked for again"):
            await BraintreeRefunds(restarted).refund(
                sale_id,
                amount=Money.of("10.00", "EUR"),
                order_id="saldo-refund-1",
                request_key="k",
                again=True,
            )
    assert not restarted.request_keys
    await restarted.aclose()
    assert refunded(tmp_path) == ["10.00"]


async def test_a_key_used_for_another_amount_is_not_called_not_given_back(
    gateway: Braintree, giver: BraintreeRefunds
) -> None:
    sale_id = await sold(gateway, settled=True)
    await refund(giver, sale_id, "10.00", key="k")
    with pytest.raises(OutcomeUnknown, match="915232"):
        await refund(giver, sale_id, "11.00", key="k")


async def test_a_payment_that_nobody_knows_is_not_given_back(giver: BraintreeRefunds) -> None:
    assert isinstance(await giver.void("unknown1", "k"), NotGivenBack)
    assert isinstance(await refund(giver, "unknown1", "10.00"), NotGivenBack)


async def test_wrong_keys_give_nothing_back(gateway: Braintree, stand_in: StandIn) -> None:
    sale_id = await sold(gateway)
    stranger = to_stand_in(stand_in, private_key="wrong")
    with pytest.raises(GatewayRefused, match="private_key"):
        await BraintreeRefunds(stranger).void(sale_id, "k")
    await stranger.aclose()
