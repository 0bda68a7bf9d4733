"""`saldo payments reconcile`: the time that it compares, whatever the hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from ivr.cli.payments import window

TODAY = datetime(2026, 11, 23, tzinfo=UTC)
YESTERDAY = TODAY - timedelta(days=1)
YOUNG = timedelta(minutes=15)


@pytest.mark.parametrize("minutes", [0, 1, 14, 15])
@pytest.mark.parametrize("until", [None, TODAY, TODAY + timedelta(days=7)])
def test_of_a_day_that_is_too_young_it_is_said_that_nothing_was_compared(
    minutes: int, until: datetime | None
) -> None:
    with pytest.raises(typer.BadParameter, match=r"nothing was compared.*after 00:15 UTC"):
        window(TODAY, until, TODAY + timedelta(minutes=minutes))


def test_as_soon_as_a_payment_of_today_is_old_enough_today_is_compared() -> None:
    now = TODAY + timedelta(minutes=16)
    assert window(TODAY, None, now) == (TODAY, now - YOUNG)


@pytest.mark.parametrize("since", [None, YESTERDAY, TODAY - timedelta(days=40)])
@pytest.mark.parametrize("until", [None, YESTERDAY, TODAY])
def test_at_any_minute_of_the_day_a_window_ends_after_it_begins(
    since: datetime | None, until: datetime | None
) -> None:
    for minutes in range(0, 24 * 60, 7):
        now = TODAY + timedelta(minutes=minutes)
        first, last = window(since, until, now)
        assert first < last <= now - YOUNG


def test_past_days_are_compared_whole() -> None:
    assert window(YESTERDAY, YESTERDAY, TODAY + timedelta(hours=12)) == (YESTERDAY, TODAY)


def test_the_end_of_yesterday_is_left_out_just_after_midnight() -> None:
    assert window(YESTERDAY, YESTERDAY, TODAY) == (YESTERDAY, TODAY - YOUNG)
