"""How mandates are proved, and when their accounts are forgotten: in memory and in Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ivr.billing.bank_accounts import Mandate
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    BankAccountOnHand,
    Captured,
    DeclineBucket,
    Refusal,
)
from ivr.billing.proving import Clip
from tests.storage.world import PostgresWorld, World, opened

ACCOUNT = BankAccountOnHand("0000", "checking", "vaulted")


async def agreed(world: World, *, minutes_ago: float = 0) -> Attempt:
    """A debit of which nothing was asked of the gateway yet; the proof is to be the recording."""
    attempt = await opened(world, await world.invoice(await world.service(await world.customer())))
    words = "I agree to one debit"
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    await world.mandates.keep(Mandate(attempt.id, "call-1", words, "en", at, "clip", "12.0-30.5 s"))
    return attempt


async def debited(world: World, *, days_ago: int = 0) -> Attempt:
    attempt = await agreed(world)
    await world.ledger.begin_charging(attempt.id, ACCOUNT)
    await captured(world, attempt, days_ago=days_ago)
    return attempt


async def captured(world: World, attempt: Attempt, *, days_ago: int = 0) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    await world.ledger.captured(attempt.id, Captured(uuid4().hex[:8], "1000", at))


async def clip(world: World, attempt: Attempt) -> Clip | None:
    """What is open of one mandate."""
    found = await world.proofs.unproved()
    return next((one for one in found if one.attempt_id == attempt.id), None)


async def forgets(world: World, attempt: Attempt, *, keep_days: int = 90) -> bool:
    return attempt.id in await world.accounts.to_forget(10_000, keep_days)


# Accounts that came to nothing


async def test_accounts_that_came_to_nothing_are_counted_for_their_customer(world: World) -> None:
    first, taken, open_still = await agreed(world), await debited(world), await agreed(world)
    await world.ledger.cancel(first.id)
    in_vain = [
        await world.mandates.in_vain(each.customer_id) for each in (first, taken, open_still)
    ]
    assert in_vain == [1, 0, 0]


async def test_accounts_of_yesterday_are_not(real: PostgresWorld) -> None:
    attempt = await agreed(real)
    await real.ledger.cancel(attempt.id)
    earlier = "UPDATE mandates SET accepted_at = now() - interval '25 hours' WHERE attempt_id = $1"
    await real.ask(earlier, attempt.id)
    assert await real.mandates.in_vain(attempt.customer_id) == 0


# Proof


async def test_a_mandate_is_unproved_until_it_was_found_recorded(world: World) -> None:
    attempt = await debited(world)
    found = await clip(world, attempt)
    assert found
    assert (found.call_id, found.begin, found.end) == ("call-1", 12.0, 30.5)
    assert 0 <= found.age < 60
    await world.proofs.proved(attempt.id)
    assert await clip(world, attempt) is None
    assert await world.proofs.notify(attempt.id, ["text", "mail"]) is None
    assert "mandate" not in await world.events(attempt)


async def test_a_notice_instead_of_a_recording_is_sent_once(world: World) -> None:
    attempt = await debited(world)
    notice = await world.proofs.notify(attempt.id, ["text", "mail"])
    assert notice
    assert notice.order_id == attempt.order_id
    assert await world.proofs.notify(attempt.id, ["text", "mail"]) is None
    assert await clip(world, attempt) is None
    assert (await world.events(attempt)).count("mandate") == 2


async def test_before_the_capture_the_notice_waits_for_it(world: World) -> None:
    attempt = await agreed(world)
    await world.ledger.begin_charging(attempt.id, ACCOUNT)
    await world.ledger.unknown(attempt.id, "no answer")
    assert await clip(world, attempt)
    assert await world.proofs.notify(attempt.id, ["text"])
    assert "mandate" not in await world.events(attempt)
    await captured(world, attempt)
    assert (await world.events(attempt)).count("mandate") == 2


async def test_what_took_no_money_needs_no_proof(world: World) -> None:
    attempt = await agreed(world)
    await world.ledger.begin_charging(attempt.id, ACCOUNT)
    await world.ledger.declined(attempt.id, Refusal("2000", "No", DeclineBucket.HARD))
    assert await clip(world, attempt) is None


async def test_what_was_returned_took_money_and_needs_its_proof(world: World) -> None:
    attempt = await debited(world)
    await world.ledger.became(attempt.id, AttemptState.RETURNED)
    assert await clip(world, attempt)


async def test_the_notice_reaches_who_has_an_address(real: PostgresWorld) -> None:
    attempt = await debited(real)
    await real.ask(
        "UPDATE customers SET email = 'j@example.com' WHERE id = $1", attempt.customer_id
    )
    notice = await real.proofs.notify(attempt.id, ["text", "mail"])
    assert notice
    assert notice.ways == ("mail",)
    reference = "SELECT reference FROM mandates WHERE attempt_id = $1"
    assert await real.ask(reference, attempt.id) == "mail"


async def test_of_whom_nobody_has_an_address_it_is_said(real: PostgresWorld) -> None:
    attempt = await debited(real)
    notice = await real.proofs.notify(attempt.id, ["text", "mail"])
    assert notice
    assert notice.ways == ()


# Forgetting


@pytest.mark.parametrize(
    "state", [AttemptState.DECLINED, AttemptState.FAILED, AttemptState.CANCELED]
)
async def test_what_took_no_money_is_forgotten_at_once(world: World, state: AttemptState) -> None:
    attempt = await agreed(world)
    if state is AttemptState.CANCELED:
        await world.ledger.cancel(attempt.id)
    else:
        await world.ledger.begin_charging(attempt.id, ACCOUNT)
    if state is AttemptState.DECLINED:
        await world.ledger.declined(attempt.id, Refusal("2000", "No", DeclineBucket.HARD))
    if state is AttemptState.FAILED:
        await world.ledger.failed(attempt.id, "the gateway is away")
    assert await world.state(attempt) is state
    assert await forgets(world, attempt)


async def test_one_node_forgets_at_a_time(world: World) -> None:
    attempt = await agreed(world)
    await world.ledger.cancel(attempt.id)
    assert await forgets(world, attempt)
    assert not await forgets(world, attempt)


async def test_what_is_forgotten_does_not_come_up_again(world: World) -> None:
    attempt = await agreed(world, minutes_ago=6)
    await world.ledger.cancel(attempt.id)
    assert await forgets(world, attempt)
    await world.accounts.forgotten(attempt.id)
    await look_again(world, attempt.id)
    assert not await forgets(world, attempt)


async def test_what_may_reach_the_vault_late_is_looked_at_once_more(world: World) -> None:
    attempt = await agreed(world)
    await world.ledger.cancel(attempt.id)
    assert await forgets(world, attempt)
    await world.accounts.forgotten(attempt.id)
    assert not await forgets(world, attempt)
    await look_again(world, attempt.id)
    assert await forgets(world, attempt)


async def test_what_the_gateway_did_not_forget_comes_up_again(world: World) -> None:
    attempt = await agreed(world)
    await world.ledger.cancel(attempt.id)
    assert await forgets(world, attempt)
    await look_again(world, attempt.id)
    assert await forgets(world, attempt)


async def test_an_account_is_needed_while_the_outcome_is_open(world: World) -> None:
    attempt = await agreed(world)
    assert not await forgets(world, attempt, keep_days=0)
    for step in ("charging", "unknown"):
        if step == "charging":
            await world.ledger.begin_charging(attempt.id, ACCOUNT)
        else:
            await world.ledger.unknown(attempt.id, "no answer")
        await look_again(world, attempt.id)
        assert not await forgets(world, attempt, keep_days=0)


@pytest.mark.parametrize("days_ago", [0, 89])
async def test_an_account_is_kept_for_days_after_its_debit(world: World, days_ago: int) -> None:
    attempt = await debited(world, days_ago=days_ago)
    assert not await forgets(world, attempt)


async def test_after_these_days_it_is_forgotten_also_if_nobody_told_of_its_settlement(
    world: World,
) -> None:
    assert await forgets(world, await debited(world, days_ago=91))


async def test_the_days_begin_with_the_settlement(world: World) -> None:
    attempt = await debited(world, days_ago=91)
    await world.ledger.became(attempt.id, AttemptState.SETTLED)
    assert not await forgets(world, attempt)
    await look_again(world, attempt.id)
    assert await forgets(world, attempt, keep_days=0)


async def test_an_account_whose_debit_was_returned_is_forgotten_at_once(world: World) -> None:
    attempt = await debited(world)
    await world.ledger.became(attempt.id, AttemptState.RETURNED)
    assert await forgets(world, attempt)


async def look_again(world: World, attempt_id: UUID) -> None:
    """The time when it would be looked at again has come."""
    if isinstance(world, PostgresWorld):
        now = "UPDATE mandates SET look_at = now() WHERE attempt_id = $1 AND look_at IS NOT NULL"
        await world.ask(now, attempt_id)
    else:
        world.company.looked_at.pop(attempt_id, None)  # type: ignore[attr-defined]  # the fake's
