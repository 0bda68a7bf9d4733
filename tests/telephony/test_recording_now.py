"""Whether a call is being recorded now: what a mandate that is about to be read depends on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.telephony.ari import Ari
from tests.fakes.asterisk import PASSWORD, USER
from tests.fakes.shelf import FakeShelf
from tests.fakes.tapes import FakeTapePbx
from tests.telephony.test_recording import a_call, at_night, moment, running
from tests.telephony.test_recording import soon as soon  # noqa: PLC0414 - a fixture


@pytest.fixture
async def pbx() -> AsyncIterator[FakeTapePbx]:
    async with FakeTapePbx() as pbx:
        yield pbx


@pytest.fixture
async def ari(pbx: FakeTapePbx) -> AsyncIterator[Ari]:
    async with Ari(pbx.url, USER, PASSWORD, answer_seconds=1.0) as ari:
        yield ari


@pytest.fixture
def shelf(tmp_path: Path) -> FakeShelf:
    return FakeShelf(tmp_path)


async def test_who_asks_knows_whether_a_call_is_recorded_now(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf
) -> None:
    async with at_night(ari) as stream, running(ari, stream, shelf) as recordings:
        await pbx.call("1", app="elsewhere")
        call = a_call()
        assert not await recordings.has_begun(call.id)
        (recording := recordings.of(call)).begin()
        assert await recordings.has_begun(call.id), "it waited for the beginning"
        await recording.leave()
        assert not await recordings.has_begun(call.id)
        await recording.back(here=False)
        assert not await recordings.has_begun(call.id)
        await recording.back(here=True)
        assert await recordings.has_begun(call.id)
        (snoop,) = pbx.snooped
        await ari.hang_up(snoop)
        await moment()
        assert not await recordings.has_begun(call.id), "the PBX ended it"
        await recording.end()
        assert not await recordings.has_begun(call.id)


@pytest.mark.parametrize("fails", ["snoop", "record"])
async def test_a_recording_that_did_not_begin_is_none(
    ari: Ari, pbx: FakeTapePbx, shelf: FakeShelf, fails: str
) -> None:
    async def refuses() -> None:
        raise RuntimeError

    pbx.before[fails] = refuses
    async with at_night(ari) as stream, running(ari, stream, shelf) as recordings:
        await pbx.call("1", app="elsewhere")
        call = a_call()
        (recording := recordings.of(call)).begin()
        assert not await recordings.has_begun(call.id)
        await recording.end()
