"""Captures with an agent when something dies: the talk goes on, and no money is lost or doubled."""

from __future__ import annotations

import asyncio

import pytest

from ivr.billing.assisted_captures import CaptureStatus, PaymentStatus, Wanted
from ivr.billing.captures import CaptureOutcome, CaptureResult
from ivr.billing.errors import TalkUnreachable
from ivr.billing.payments import AttemptState, CardOnHand
from ivr.billing.watching import (
    CANCEL_SECONDS,
    ESCAPED_LOOKS,
    FIRST_SIGN_SECONDS,
    LOOK_SECONDS,
    RETURN_SECONDS,
    SILENT_SECONDS,
)
from tests.billing.assistance import LIMIT_SECONDS, Assistance, in_virtual_time
from tests.fakes.talks import TALK

A_MOMENT = 3 * LOOK_SECONDS


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_secure_process_that_dies_leaves_the_talk_going_on() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun(pays=True)
        desk.talks.is_dead = True
        over = await desk.over(capture_id)
        assert now() < A_MOMENT
        assert desk.talks.given_back == [TALK]
        assert over.status is CaptureStatus.FAILED
        assert desk.company.outcomes[capture_id].result is CaptureResult.INTERNAL_ERROR
        (kept,) = desk.company.attempts.values()
        assert kept.attempt.state is AttemptState.CANCELED

    in_virtual_time(work())


def test_a_secure_process_that_falls_silent_is_not_waited_for() -> None:
    async def work() -> None:
        desk = Assistance()
        await desk.over(await desk.begun())
        assert now() == pytest.approx(SILENT_SECONDS, abs=A_MOMENT)
        assert desk.talks.given_back == [TALK]

    in_virtual_time(work())


def test_signs_of_life_keep_a_capture_open() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        for _ in range(20):
            await asyncio.sleep(5)
            desk.assisting.heard(capture_id)
        assert (await desk.assisting.find(capture_id)).status is CaptureStatus.OPEN
        assert desk.talks.given_back == []

    in_virtual_time(work())


def test_a_silence_on_our_own_side_ends_nothing() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        desk.talks.hears = False
        await asyncio.sleep(60)
        assert (await desk.assisting.find(capture_id)).status is CaptureStatus.OPEN

    in_virtual_time(work())


def test_two_who_never_arrive_are_given_up() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        desk.assisting._running[capture_id].now = desk.company.assisted[capture_id]
        desk.assisting._running[capture_id].last_sign += FIRST_SIGN_SECONDS - SILENT_SECONDS
        desk.talks.held.clear()
        over = await desk.over(capture_id)
        assert over.status is CaptureStatus.FAILED
        assert now() == pytest.approx(FIRST_SIGN_SECONDS, abs=A_MOMENT)

    in_virtual_time(work())


def test_an_outcome_is_found_although_nobody_told_of_it() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun(pays=True)
        await desk.ends(capture_id, CaptureResult.SUCCESS, quietly=True)
        over = await desk.over(capture_id)
        assert now() < A_MOMENT
        assert over.payment
        assert over.payment.status is PaymentStatus.PAID

    in_virtual_time(work())


def test_two_who_are_kept_after_the_outcome_are_given_back_and_it_is_paid_meanwhile() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun(pays=True)
        card = CardOnHand("visa", "1111", "1230", desk.gateway.token())
        await desk.captures.close(capture_id, CaptureOutcome(CaptureResult.SUCCESS, card))
        desk.assisting.heard(capture_id, is_ended=True)
        await asyncio.sleep(1)
        paid = (await desk.assisting.find(capture_id)).payment
        assert paid
        assert paid.status is PaymentStatus.PAID
        assert desk.talks.given_back == []
        await desk.over(capture_id)
        assert now() == pytest.approx(RETURN_SECONDS, abs=A_MOMENT)
        assert desk.talks.given_back == [TALK]

    in_virtual_time(work())


def test_a_secure_process_that_dies_after_the_outcome_is_not_waited_for() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        await desk.captures.close(capture_id, CaptureOutcome(CaptureResult.CANCELED))
        desk.talks.is_dead = True
        await desk.over(capture_id)
        assert now() < A_MOMENT
        assert desk.talks.given_back == [TALK]

    in_virtual_time(work())


def test_both_gone_without_an_outcome_is_an_end() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        desk.talks.held.clear()
        over = await desk.over(capture_id)
        assert now() == pytest.approx(ESCAPED_LOOKS * LOOK_SECONDS, abs=A_MOMENT)
        assert (over.status, desk.talks.given_back) == (CaptureStatus.FAILED, [])

    in_virtual_time(work())


def test_a_cancel_that_nobody_carries_out_is_carried_out_here() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        await desk.assisting.cancel(capture_id)
        over = await desk.over(capture_id)
        assert now() == pytest.approx(CANCEL_SECONDS, abs=A_MOMENT)
        assert over.status is CaptureStatus.CANCELED
        assert desk.talks.given_back == [TALK]
        assert desk.talks.told == ["cancel"]

    in_virtual_time(work())


def test_nobody_is_held_for_ever() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        desk.talks.hears = False
        await desk.over(capture_id)
        assert now() == pytest.approx(LIMIT_SECONDS, abs=A_MOMENT)
        assert desk.talks.given_back == [TALK]

    in_virtual_time(work())


def test_a_pbx_that_is_away_for_a_while_gets_its_talk_back_later() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        desk.talks.is_away, desk.talks.hears = True, False
        await desk.assisting.cancel(capture_id)
        await asyncio.sleep(CANCEL_SECONDS + A_MOMENT)
        assert (await desk.assisting.find(capture_id)).status is CaptureStatus.CANCELED
        desk.talks.is_away = False
        await desk.over(capture_id)
        assert desk.talks.given_back == [TALK]

    in_virtual_time(work())


def test_a_database_that_is_away_ends_no_capture_and_loses_no_field() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        desk.company.away = True
        desk.enters(capture_id)
        await asyncio.sleep(SILENT_SECONDS / 2)
        desk.company.away = False
        desk.assisting.heard(capture_id)
        await asyncio.sleep(A_MOMENT)
        assert (
            desk.company.assisted[capture_id].fields
            == (await desk.assisting.find(capture_id)).fields
        )
        assert (await desk.assisting.find(capture_id)).required == ()

    in_virtual_time(work())


def test_the_next_daemon_watches_what_the_dead_one_left() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun(pays=True)
        desk.enters(capture_id)
        await asyncio.sleep(0.1)
        assert await desk.again() == 1
        assert (await desk.assisting.find(capture_id)).required == ()
        desk.assisting.heard(capture_id)
        await desk.assisting.complete(capture_id)
        await desk.ends(capture_id, CaptureResult.SUCCESS)
        over = await desk.over(capture_id)
        assert over.payment
        assert over.payment.status is PaymentStatus.PAID
        assert len(desk.gateway.charges) == 1

    in_virtual_time(work())


def test_a_card_completed_while_no_daemon_lived_is_charged_once() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun(pays=True)
        for task in list(desk.tasks):
            task.cancel()
        await asyncio.sleep(0)
        await desk.ends(capture_id, CaptureResult.SUCCESS)
        assert await desk.again() == 1
        await desk.over(capture_id)
        assert await desk.again() == 0
        assert len(desk.gateway.charges) == 1
        payment = (await desk.assisting.find(capture_id)).payment
        assert payment
        assert payment.status is PaymentStatus.PAID

    in_virtual_time(work())


def test_an_attempt_that_a_dead_daemon_did_not_give_up_is_given_up() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun(pays=True)
        for task in list(desk.tasks):
            task.cancel()
        await asyncio.sleep(0)
        await desk.ends(capture_id, CaptureResult.CANCELED)
        assert await desk.again() == 1
        await desk.over(capture_id)
        payment = (await desk.assisting.find(capture_id)).payment
        assert payment
        assert payment.status is PaymentStatus.NOT_CHARGED
        assert await desk.again() == 0

    in_virtual_time(work())


def test_a_capture_of_a_dead_daemon_that_nobody_holds_is_closed() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        assert await desk.again() == 1
        await desk.over(capture_id)
        assert desk.company.outcomes[capture_id].result is CaptureResult.INTERNAL_ERROR
        assert desk.talks.given_back == [TALK]

    in_virtual_time(work())


def test_a_capture_kept_without_the_database_saying_so_is_closed_when_asked_for_again() -> None:
    async def work() -> None:
        desk = Assistance()
        wanted = Wanted("key-1", TALK.caller.channel_id)
        desk.talks.lending_fails_with = TalkUnreachable("away")
        with pytest.raises(TalkUnreachable):
            await desk.assisting.begin(wanted)
        desk.company.outcomes.clear()  # as if the database had broken off after the insert
        again = await desk.assisting.begin(wanted)
        assert again.status is CaptureStatus.OPENING
        over = await desk.over(again.id)
        assert over.status is CaptureStatus.FAILED
        assert desk.talks.lent == []

    in_virtual_time(work())


def test_a_daemon_that_stops_begins_nothing_and_cancels_what_does_not_end() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        changes = desk.assisting.changes(capture_id)
        await anext(changes)
        stopping = asyncio.create_task(desk.assisting.stop(4.0))
        await asyncio.sleep(1)
        with pytest.raises(TalkUnreachable, match="stopped"):
            await desk.begun("key-2")
        assert desk.talks.told == []
        await asyncio.sleep(3.5)
        assert desk.talks.told == ["cancel"]
        await desk.ends(capture_id, CaptureResult.CANCELED)
        await stopping
        assert [each async for each in changes][-1].status is CaptureStatus.CANCELED

    in_virtual_time(work())
