"""Cards declined again and again while an agent talks with the caller."""

from __future__ import annotations

import pytest

from ivr.billing.assisted_captures import PaymentStatus
from ivr.billing.captures import CaptureResult
from ivr.billing.errors import LedgerUnavailable, TriedTooOften
from ivr.billing.payments import DeclineBucket, Refusal
from tests.billing.assistance import Assistance, in_virtual_time


async def declined(desk: Assistance, key: str, card_hash: str = "a" * 64) -> PaymentStatus:
    """How a capture ends whose card the bank declines, if it is asked."""
    desk.gateway.will(Refusal("2000", "Do Not Honor", DeclineBucket.SOFT))
    return await charged(desk, key, card_hash)


async def charged(desk: Assistance, key: str, card_hash: str = "a" * 64) -> PaymentStatus:
    capture_id = await desk.begun(key, pays=True)
    desk.enters(capture_id)
    await desk.ends(capture_id, CaptureResult.SUCCESS, card_hash=card_hash)
    over = await desk.over(capture_id)
    assert over.payment
    return over.payment.status


def test_after_three_declines_in_a_talk_no_card_is_asked_for_again() -> None:
    async def work() -> None:
        desk = Assistance()
        for key in ("key-1", "key-2", "key-3"):
            assert await declined(desk, key) is PaymentStatus.DECLINED
        with pytest.raises(TriedTooOften, match="offer a link"):
            await desk.begun("key-4", pays=True)
        assert desk.talks.held == []
        assert await desk.begun("key-5")  # a card that is not charged by us may be asked for

    in_virtual_time(work())


def test_a_third_card_of_a_talk_is_not_charged() -> None:
    async def work() -> None:
        desk = Assistance()
        for letter in "bc":
            await declined(desk, f"key-{letter}", letter * 64)
        assert await charged(desk, "key-d", "d" * 64) is PaymentStatus.OVER_LIMIT
        assert len(desk.gateway.charges) == 2

    in_virtual_time(work())


def test_a_card_refused_for_good_is_told_as_declined_and_not_charged_again() -> None:
    async def work() -> None:
        desk = Assistance()
        desk.gateway.will(Refusal("2012", "Lost Card", DeclineBucket.HARD))
        for key in ("key-1", "key-2"):
            assert await charged(desk, key) is PaymentStatus.DECLINED
        assert len(desk.gateway.charges) == 1

    in_virtual_time(work())


def test_a_capture_whose_tries_cannot_be_counted_is_not_begun() -> None:
    async def work() -> None:
        desk = Assistance()

        async def away(*_: object) -> None:
            raise LedgerUnavailable("gone")

        desk.tries.of_card = away  # type: ignore[assignment,method-assign] # the database goes away
        with pytest.raises(LedgerUnavailable):
            await desk.begun("key-1", pays=True)
        assert desk.talks.held == []

    in_virtual_time(work())
