"""Charges in doubt and stray money, the same in memory and in Postgres."""

from dataclasses import replace
from uuid import UUID

import pytest

from ivr.billing.doubts import Doubt, Stray
from ivr.billing.errors import TransitionRefused
from ivr.billing.payments import Attempt, AttemptState, Captured
from tests.storage.test_contract_ledger import CAPTURED, REFUSAL, charging, one_invoice
from tests.storage.world import CARD, Node, World, opened

MANY = 1000
LONG = 100.0
OTHER = replace(CAPTURED, transaction_id="tx9other")


async def charged_by(world: World, node: Node) -> Attempt:
    attempt = await opened(world, await one_invoice(world))
    await node.ledger.begin_charging(attempt.id, CARD)
    return attempt


async def unknown(world: World, node: Node) -> Attempt:
    attempt = await charged_by(world, node)
    await node.ledger.unknown(attempt.id, "no answer")
    return attempt


async def claimed(
    node: Node, attempt: Attempt, *, seconds: float = LONG, in_hand: tuple[UUID, ...] = ()
) -> Doubt | None:
    """The claim on this attempt, if the node gets it."""
    found = await node.doubts.claim(MANY, seconds, in_hand)
    return next((doubt for doubt in found if doubt.attempt.id == attempt.id), None)


def programs_hear(events: list[str]) -> list[str]:
    """What webhooks tell of how a charge went."""
    return [kind for kind in events if kind.startswith("payment.")]


async def stray_of(node: Node, transaction_id: str) -> Stray | None:
    found = await node.doubts.claim_strays(MANY, LONG, ())
    return next((one for one in found if one.transaction_id == transaction_id), None)


async def test_what_a_dead_daemon_was_charging_becomes_unknown_and_is_taken_up(
    world: World,
) -> None:
    dead, other = await world.node(), await world.node()
    attempt = await charged_by(world, dead)
    assert attempt.id not in await other.doubts.abandoned()
    await dead.die()
    assert attempt.id in await other.doubts.abandoned()
    assert await world.state(attempt) is AttemptState.UNKNOWN
    assert await other.doubts.abandoned() == []
    assert programs_hear(await world.events(attempt)) == ["payment.in-doubt"]
    assert await world.token_kept(attempt) == CARD.token
    doubt = await claimed(other, attempt)
    assert doubt
    assert doubt.attempt.order_id == attempt.order_id
    assert doubt.attempt.amount == attempt.amount
    assert (doubt.looks, doubt.misses, doubt.empty, doubt.needs_person) == (0, 0, 0, False)
    assert 0 <= doubt.doubted_seconds <= doubt.charged_seconds < LONG


async def test_what_a_living_daemon_charges_is_left_alone(world: World) -> None:
    living, other = await world.node(), await world.node()
    attempt = await charged_by(world, living)
    assert attempt.id not in await other.doubts.abandoned()
    assert await world.state(attempt) is AttemptState.CHARGING
    assert await claimed(other, attempt) is None


async def test_two_nodes_never_look_at_one_doubt_together(world: World) -> None:
    one, other = await world.node(), await world.node()
    attempt = await unknown(world, one)
    assert await claimed(one, attempt)
    assert await claimed(other, attempt) is None


async def test_a_claim_ends_by_itself(world: World) -> None:
    one, other = await world.node(), await world.node()
    attempt = await unknown(world, one)
    assert await claimed(one, attempt, seconds=0)
    assert await claimed(other, attempt)


async def test_a_claim_ends_with_who_had_it(world: World) -> None:
    one, other = await world.node(), await world.node()
    attempt = await unknown(world, one)
    assert await claimed(one, attempt)
    await one.die()
    assert await claimed(other, attempt)


async def test_a_claim_that_was_lost_with_the_database_is_ours_again(world: World) -> None:
    node = await world.node()
    attempt = await unknown(world, node)
    assert await claimed(node, attempt)
    assert await claimed(node, attempt, in_hand=(attempt.id,)) is None
    assert await claimed(node, attempt)


async def test_what_was_put_off_is_looked_at_later_with_its_counts(world: World) -> None:
    node = await world.node()
    attempt = await unknown(world, node)
    doubt = await claimed(node, attempt)
    assert doubt
    looked = replace(doubt, looks=2, misses=1, empty=2, needs_person=True)
    await node.doubts.put_off(looked, 0, "not in the books yet")
    again = await claimed(node, attempt)
    assert again
    assert (again.looks, again.misses, again.empty, again.needs_person) == (2, 1, 2, True)
    await node.doubts.put_off(again, LONG, "not in the books yet")
    assert await claimed(node, attempt) is None


async def test_who_lost_the_claim_puts_nothing_off(world: World) -> None:
    one, other = await world.node(), await world.node()
    attempt = await unknown(world, one)
    late = await claimed(one, attempt, seconds=0)
    assert late
    assert await claimed(other, attempt)
    await one.doubts.put_off(replace(late, looks=7), LONG, "late")
    await other.die()
    again = await claimed(one, attempt)
    assert again
    assert again.looks == 0


@pytest.mark.parametrize("how", ["captured", "declined", "failed"])
async def test_a_doubt_that_is_settled_is_no_doubt_any_more(world: World, how: str) -> None:
    node = await world.node()
    attempt = await unknown(world, node)
    if how == "captured":
        await node.ledger.captured(attempt.id, CAPTURED)
    elif how == "declined":
        await node.ledger.declined(attempt.id, REFUSAL)
    else:
        await node.ledger.failed(attempt.id, "not in the books")
    assert await claimed(node, attempt) is None
    told = "payment-confirmed" if how == "captured" else "payment-failed"
    events = await world.events(attempt)
    assert events.count(told) == 1
    assert programs_hear(events) == ["payment.in-doubt", f"payment.{how}"]
    assert events.count("receipt") <= 1  # by mail, not by text as well


async def test_who_heard_that_we_are_confirming_is_told_that_nothing_was_charged(
    world: World,
) -> None:
    begun = await charging(world, await one_invoice(world))
    await world.ledger.failed(begun.id, "nothing was sent", tell=True)
    assert programs_hear(await world.events(begun)) == ["payment.failed"]
    created = await opened(world, await one_invoice(world))
    await world.ledger.cancel(created.id, tell=True)
    quiet = await charging(world, await one_invoice(world))
    await world.ledger.failed(quiet.id, "nothing was sent")
    assert "payment-failed" in await world.events(begun)
    assert "payment-failed" in await world.events(created)
    kinds = await world.events(quiet)
    assert kinds.count("payment-failed") in (0, 2)  # of all attempts in the world in memory


@pytest.mark.parametrize("how", ["declined", "failed", "canceled"])
async def test_money_taken_after_not_charged_was_told_goes_back(world: World, how: str) -> None:
    node = await world.node()
    attempt = await opened(world, await one_invoice(world))
    capture = Captured(f"tx-{how}-{attempt.id.hex[:6]}", "1000", CAPTURED.captured_at)
    if how == "canceled":
        await node.ledger.cancel(attempt.id)
    else:
        await node.ledger.begin_charging(attempt.id, CARD)
        await (
            node.ledger.declined(attempt.id, REFUSAL)
            if how == "declined"
            else node.ledger.failed(attempt.id, "nothing was sent")
        )
    for _ in range(2):
        with pytest.raises(TransitionRefused) as refused:
            await node.ledger.captured(attempt.id, capture)
        assert refused.value.state == how
    stray = await stray_of(node, capture.transaction_id)
    assert stray == Stray(capture.transaction_id, attempt.id, attempt.order_id, "told-not-charged")
    await node.doubts.put_off_stray(stray, 0, "the gateway is away")
    again = await stray_of(node, capture.transaction_id)
    assert again
    assert again.tries == 1
    await node.doubts.undone(capture.transaction_id, "voided")
    assert await stray_of(node, capture.transaction_id) is None


async def test_a_second_transaction_of_a_paid_order_goes_back_and_the_first_stays(
    world: World,
) -> None:
    node = await world.node()
    attempt = await charged_by(world, node)
    other = replace(OTHER, transaction_id=f"tx-{attempt.id.hex[:8]}")
    paid = await node.ledger.captured(attempt.id, CAPTURED)
    assert await node.ledger.captured(attempt.id, other) == paid
    stray = await stray_of(node, other.transaction_id)
    assert stray
    assert stray.why == "second-capture"
    assert await world.state(attempt) is AttemptState.CAPTURED


async def test_the_same_capture_again_is_no_stray(world: World) -> None:
    node = await world.node()
    attempt = await charged_by(world, node)
    capture = replace(CAPTURED, transaction_id=f"tx-{attempt.id.hex[:8]}")
    await node.ledger.captured(attempt.id, capture)
    await node.ledger.captured(attempt.id, capture)
    assert await stray_of(node, capture.transaction_id) is None


async def test_two_nodes_never_give_one_stray_back_together(world: World) -> None:
    one, other = await world.node(), await world.node()
    attempt = await charged_by(world, one)
    capture = replace(CAPTURED, transaction_id=f"tx-{attempt.id.hex[:8]}")
    await one.ledger.failed(attempt.id, "nothing was sent")
    with pytest.raises(TransitionRefused):
        await one.ledger.captured(attempt.id, capture)
    assert await stray_of(one, capture.transaction_id)
    assert await stray_of(other, capture.transaction_id) is None
    await one.die()
    assert await stray_of(other, capture.transaction_id)


async def test_what_never_left_its_own_process_stays_unknown_while_others_may_send_it_again(
    world: World,
) -> None:
    slow, other = await world.node(), await world.node()
    attempt = await charged_by(world, slow)
    await slow.die()
    await other.doubts.abandoned()
    with pytest.raises(TransitionRefused) as refused:
        await slow.ledger.failed(attempt.id, "nothing was sent", unsent=True)
    assert refused.value.state is AttemptState.UNKNOWN
    assert await claimed(other, attempt)
    await other.ledger.failed(attempt.id, "not in the books")
    assert await world.state(attempt) is AttemptState.FAILED


@pytest.mark.parametrize("how", ["declined", "failed"])
async def test_what_others_called_not_charged_is_looked_up_again_when_its_own_process_doubts_it(
    world: World, how: str
) -> None:
    slow, other = await world.node(), await world.node()
    attempt = await charged_by(world, slow)
    await slow.die()
    await other.doubts.abandoned()
    if how == "declined":
        await other.ledger.declined(attempt.id, REFUSAL)
    else:
        await other.ledger.failed(attempt.id, "not in the books")
    for _ in range(2):
        with pytest.raises(TransitionRefused):
            await slow.ledger.unknown(attempt.id, "sent late, no answer")
    doubt = await claimed(other, attempt)
    assert doubt
    assert doubt.attempt.state == how
    assert doubt.empty == 0
    events = await world.events(attempt)
    assert events.count("payment-failed") == 1
    assert programs_hear(events) == ["payment.in-doubt", f"payment.{how}"]
    await other.doubts.over(attempt.id)
    assert await claimed(other, attempt) is None
