"""Mandates proved by their recordings, and by a notice when there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from ivr.billing.bank_accounts import Way
from ivr.billing.proving import Clip, Notice, Proving

PATIENCE = 3600.0


@dataclass
class Desk:
    """Some mandates, and one node's recordings of their calls."""

    clips: list[Clip]
    recorded: dict[str, bool | OSError] = field(default_factory=dict)
    proven: list[UUID] = field(default_factory=list)
    noticed: list[UUID] = field(default_factory=list)
    ways: tuple[Way, ...] = ("text",)

    async def unproved(self) -> list[Clip]:
        await asyncio.sleep(0)
        return self.clips

    async def proved(self, attempt_id: UUID) -> None:
        await asyncio.sleep(0)
        self.proven.append(attempt_id)

    async def notify(self, attempt_id: UUID, ways: Sequence[Way]) -> Notice:
        await asyncio.sleep(0)
        self.noticed.append(attempt_id)
        return Notice(f"saldo-{attempt_id}", ways)

    async def has(self, clip: Clip) -> bool | None:
        await asyncio.sleep(0)
        found = self.recorded.get(clip.call_id)
        if isinstance(found, OSError):
            raise found
        return found

    async def look(self, *, is_recording: bool = True) -> list[Notice]:
        told: list[Notice] = []
        here = self if is_recording else None
        await Proving(self, here, self.ways, PATIENCE, told.append).look()
        return told


def clip(age: float = 60.0, call_id: str = "call-1") -> Clip:
    return Clip(uuid4(), call_id, 12.0, 30.5, age)


async def test_what_is_recorded_is_proved_by_that() -> None:
    one = clip()
    desk = Desk([one], {"call-1": True})
    assert await desk.look() == []
    assert (desk.proven, desk.noticed) == ([one.attempt_id], [])


async def test_a_recording_without_the_mandate_is_followed_by_the_notice_at_once() -> None:
    one = clip(age=1.0)
    desk = Desk([one], {"call-1": False})
    (notice,) = await desk.look()
    assert notice.ways == ("text",)
    assert (desk.proven, desk.noticed) == ([], [one.attempt_id])


async def test_a_call_that_is_not_kept_yet_is_waited_for_but_not_for_ever() -> None:
    young, old = clip(PATIENCE - 1), clip(PATIENCE + 1)
    desk = Desk([young, old])
    await desk.look()
    assert (desk.proven, desk.noticed) == ([], [old.attempt_id])


async def test_who_keeps_no_recordings_leaves_it_to_the_others_until_it_is_late() -> None:
    young, old = clip(PATIENCE - 1), clip(PATIENCE + 1)
    desk = Desk([young, old], {"call-1": False})
    await desk.look(is_recording=False)
    assert desk.noticed == [old.attempt_id]


@pytest.mark.parametrize(("age", "noticed"), [(60.0, 0), (PATIENCE + 1, 1)])
async def test_a_folder_that_cannot_be_read_stops_nothing(age: float, noticed: int) -> None:
    broken, good = clip(age, "broken"), clip(age, "good")
    desk = Desk([broken, good], {"broken": OSError("gone"), "good": True})
    await desk.look()
    assert desk.proven == [good.attempt_id]
    assert len(desk.noticed) == noticed
