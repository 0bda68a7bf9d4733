"""Debits from the caller's yes to their end: ledger in Postgres, recordings as files, real SDK."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from ivr import debiting
from ivr.billing.bank_accounts import BankAccountKeyed, KeptAs, NotVerified
from ivr.billing.errors import OutcomeUnknown
from ivr.billing.forgetting import Forgetting
from ivr.billing.mandating import Mandating, Reading, today
from ivr.billing.payments import Attempt, AttemptState, BankAccountOnHand, Declined, Paid
from ivr.billing.proving import Clip, Proving
from ivr.billing.recordings import RATE
from ivr.gateways.bank_accounts import BraintreeAccounts
from ivr.lab.gateway import StandIn
from ivr.recordings import KeptClips
from ivr.storage.bank_accounts import PostgresAccounts, PostgresMandates, PostgresProofs
from ivr.storage.recordings import RecordingFolder
from tests.counting_house import CountingHouse, counting_house
from tests.gateways.charging import taken
from tests.gateways.clients import keyed_account

KEY = "k" * 32
PATIENCE = 3600.0
BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
SECURE_PART = (2 * RATE, 5 * RATE)
MANDATE_READ = (5.0, 7.5)
LATER = "UPDATE mandates SET accepted_at = now() - interval '1 hour', look_at = now()"
AGAIN = "UPDATE mandates SET look_at = now() WHERE look_at IS NOT NULL"


@pytest.fixture
async def house(database_url: str, stand_in: StandIn) -> AsyncIterator[CountingHouse]:
    async with counting_house(database_url, stand_in, timeout_seconds=1) as node:
        yield node


@pytest.fixture
def folder(tmp_path: Path) -> RecordingFolder:
    return RecordingFolder(tmp_path / "recordings", KEY)


async def yes(_call_id: str) -> bool:
    """The call is being recorded, as far as anybody knows."""
    await asyncio.sleep(0)
    return True


def clips(folder: RecordingFolder) -> KeptClips:
    return KeptClips(folder, yes)


async def agreed(
    house: CountingHouse,
    attempt: Attempt,
    call_id: str = "call",
    *,
    how: KeptAs = "notice",
    folder: RecordingFolder | None = None,
    account: BankAccountKeyed | None = None,
) -> BankAccountOnHand | NotVerified:
    """The caller keyed an account and agreed to the debit."""
    mandating = Mandating(
        PostgresMandates(house.database),
        BraintreeAccounts(house.gateway),
        company="Saldo Telecom",
        phone="1-800-555-0100",
        clips=clips(folder) if folder else None,
        ways=("text",),
    )
    return await mandating.authorised(
        attempt,
        account or await keyed_account(house.gateway),
        call_id=call_id,
        name="James Smith",
        language="en",
        reading=Reading(today(), how, *MANDATE_READ),
    )


async def recorded_debit(house: CountingHouse, folder: RecordingFolder, call_id: str) -> Attempt:
    """A debit that was accepted, whose proof is to be the recording of its call."""
    attempt = await house.attempt()
    means = await agreed(house, attempt, call_id, how="clip", folder=folder)
    assert isinstance(means, BankAccountOnHand)
    assert isinstance(await house.paying.pay(attempt, means), Paid)
    return attempt


def proving(house: CountingHouse, folder: RecordingFolder, patience: float = PATIENCE) -> Proving:
    return Proving(PostgresProofs(house.database), clips(folder), ("text",), patience)


def forgetting(house: CountingHouse, keep_days: int = 90) -> Forgetting:
    accounts, vault = PostgresAccounts(house.database), BraintreeAccounts(house.gateway)
    return Forgetting(accounts, vault, keep_days)


async def proof(house: CountingHouse, attempt: Attempt) -> tuple[object, object, int]:
    """How it is proved, whether that was seen to be so, and how many notices go out."""
    look = "SELECT how || ' ' || (proved_at IS NOT NULL) FROM mandates WHERE attempt_id = $1"
    found = str(await house.world.ask(look, attempt.id)).partition(" ")
    return found[0], found[2], (await house.world.events(attempt)).count("mandate")


def part(file: Path, seconds: float) -> Path:
    """Sound, as the PBX records it."""
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(bytes(round(seconds * RATE) * 2))
    return file


# How the recording ends


async def test_a_mandate_in_a_recording_that_is_kept_needs_no_notice(
    house: CountingHouse, folder: RecordingFolder, tmp_path: Path
) -> None:
    call = uuid4().hex
    attempt = await recorded_debit(house, folder, call)
    await proving(house, folder).look()
    assert await proof(house, attempt) == ("clip", "false", 0)
    parts = {part(tmp_path / "a", 2): 0, part(tmp_path / "b", 3): 5 * RATE}
    folder.keep(call, BEGAN, parts, [SECURE_PART], 8 * RATE)
    await proving(house, folder).look()
    await proving(house, folder, patience=0).look()
    assert await proof(house, attempt) == ("clip", "true", 0)


async def test_a_recording_that_was_not_begun_again_after_the_secure_part_proves_nothing(
    house: CountingHouse, folder: RecordingFolder, tmp_path: Path
) -> None:
    call = uuid4().hex
    attempt = await recorded_debit(house, folder, call)
    folder.keep(call, BEGAN, {part(tmp_path / "a", 2): 0}, [SECURE_PART], 8 * RATE)
    await proving(house, folder).look()
    await proving(house, folder).look()
    assert await proof(house, attempt) == ("notice", "false", 2)


@pytest.mark.parametrize(("seconds", "how", "notices"), [(3.0, "clip", 0), (1.0, "notice", 2)])
async def test_what_is_left_by_a_daemon_that_died_proves_it_or_the_notice_does(
    house: CountingHouse,
    folder: RecordingFolder,
    tmp_path: Path,
    seconds: float,
    how: KeptAs,
    notices: int,
) -> None:
    """Whoever starts next puts the parts together, without knowing how the call went."""
    call = uuid4().hex
    attempt = await recorded_debit(house, folder, call)
    parts = {part(tmp_path / "a", 2): 0, part(tmp_path / "b", seconds): 5 * RATE}
    folder.keep(call, BEGAN, parts, None, None)
    await proving(house, folder).look()
    found = await proof(house, attempt)
    assert (found[0], found[2]) == (how, notices)


async def test_a_recording_that_nobody_ever_kept_is_followed_by_the_notice(
    house: CountingHouse, folder: RecordingFolder
) -> None:
    attempt = await recorded_debit(house, folder, uuid4().hex)
    await proving(house, folder).look()
    assert await proof(house, attempt) == ("clip", "false", 0)
    await proving(house, folder, patience=0).look()
    assert await proof(house, attempt) == ("notice", "false", 2)


async def test_two_nodes_at_once_send_one_notice(
    house: CountingHouse, folder: RecordingFolder
) -> None:
    attempts = [await recorded_debit(house, folder, uuid4().hex) for _ in range(3)]
    await asyncio.gather(*(proving(house, folder, patience=0).look() for _ in range(4)))
    for attempt in attempts:
        assert await proof(house, attempt) == ("notice", "false", 2)


# The end of an account in the vault


def in_vault(stand_in: StandIn) -> int:
    return len(stand_in._ledger.book.vault)


async def test_the_account_of_a_debit_that_was_declined_leaves_the_vault(
    house: CountingHouse, stand_in: StandIn
) -> None:
    attempt = await house.attempt("2001.00")
    means = await agreed(house, attempt)
    assert isinstance(means, BankAccountOnHand)
    assert isinstance(await house.paying.pay(attempt, means), Declined)
    assert in_vault(stand_in) == 1
    await forgetting(house).clean()
    assert in_vault(stand_in) == 0


async def test_the_account_of_a_debit_that_was_taken_stays_until_its_days_are_over(
    house: CountingHouse, stand_in: StandIn
) -> None:
    attempt = await house.attempt()
    means = await agreed(house, attempt)
    assert isinstance(means, BankAccountOnHand)
    assert isinstance(await house.paying.pay(attempt, means), Paid)
    await forgetting(house).clean()
    assert in_vault(stand_in) == 1
    await house.world.ledger.became(attempt.id, AttemptState.SETTLED)
    await house.world.ask(AGAIN)
    await forgetting(house, keep_days=0).clean()
    assert in_vault(stand_in) == 0


async def test_an_account_that_its_bank_does_not_know_leaves_the_vault(
    house: CountingHouse, stand_in: StandIn
) -> None:
    attempt = await house.attempt()
    account = await keyed_account(house.gateway, "123456789")
    assert isinstance(await agreed(house, attempt, account=account), NotVerified)
    await house.paying.cancel(attempt)
    await forgetting(house).clean()
    assert in_vault(stand_in) == 0


@pytest.mark.parametrize("fault", ["hang-after", "reset-after"])
async def test_a_vault_that_did_not_answer_keeps_nothing_and_the_next_try_is_charged_once(
    house: CountingHouse, stand_in: StandIn, tmp_path: Path, fault: str
) -> None:
    attempt = await house.attempt()
    account = await keyed_account(house.gateway)
    stand_in.faults.ask({"mode": fault, "on": ["vault"], "count": 1, "seconds": 5})
    with pytest.raises(OutcomeUnknown):
        await agreed(house, attempt, account=account)
    await house.paying.cancel(attempt)
    again = await house.attempt()
    means = await agreed(house, again)
    assert isinstance(means, BankAccountOnHand)
    assert isinstance(await house.paying.pay(again, means), Paid)
    await forgetting(house).clean()
    assert in_vault(stand_in) == 1
    assert [one.order_id for one in taken(tmp_path)] == [again.order_id]


async def test_a_vault_that_is_away_is_asked_again_by_any_node(
    house: CountingHouse, stand_in: StandIn, database_url: str
) -> None:
    attempt = await house.attempt()
    assert isinstance(await agreed(house, attempt), BankAccountOnHand)
    await house.paying.cancel(attempt)
    stand_in.faults.ask({"mode": "reset-before", "on": ["remove"]})
    await forgetting(house).clean()
    assert in_vault(stand_in) == 1
    stand_in.faults.clear()
    await forgetting(house).clean()
    assert in_vault(stand_in) == 1, "its next time is minutes away"
    await house.world.ask(AGAIN)
    async with counting_house(database_url, stand_in) as other:
        await asyncio.gather(forgetting(house).clean(), forgetting(other).clean())
    assert in_vault(stand_in) == 0
    await house.world.ask(LATER)
    await forgetting(house).clean()
    await house.world.ask(AGAIN)
    assert await forgetting(house).clean() == 0


# For as long as the daemon runs


class Flaky:
    """Proofs in a database that is away at first."""

    def __init__(self) -> None:
        self.rounds = 0
        self.enough = asyncio.Event()

    async def unproved(self) -> list[Clip]:
        await asyncio.sleep(0)
        self.rounds += 1
        if self.rounds == 1:
            raise OutcomeUnknown("away")
        if self.rounds == 3:
            self.enough.set()
        return []


async def test_rounds_go_on_whatever_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debiting, "ROUND_SECONDS", 0.01)
    flaky, migrated = Flaky(), asyncio.Event()
    proofs = Proving(flaky, None, (), PATIENCE)  # type: ignore[arg-type]  # nothing else is asked
    work = asyncio.create_task(debiting.rounds("mandates", proofs.look, migrated))
    with capture_logs() as logs:
        await asyncio.sleep(0.05)
        assert flaky.rounds == 0, "there are no tables yet"
        migrated.set()
        await asyncio.wait_for(flaky.enough.wait(), 10)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert "not_looked_at" in [one["event"] for one in logs]
