"""When a message is tried again, and what is not worth telling any more."""

from __future__ import annotations

import pytest

from ivr.billing.messages import (
    GIVEN_UP_SECONDS,
    RETRY_SECONDS,
    address_on_file,
    masked,
    no_use,
    pause_seconds,
)


def test_a_message_is_tried_for_three_days_with_growing_pauses() -> None:
    pauses = [pause_seconds(tries, 0, 0) for tries in range(1, 10)]
    assert pauses == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert pause_seconds(10, 0, 0) is None
    assert 3 < sum(RETRY_SECONDS) / 86400 < 4


@pytest.mark.parametrize("tries", range(1, 10))
def test_chance_makes_a_pause_longer_by_a_fifth_at_most(tries: int) -> None:
    shortest, longest = pause_seconds(tries, 0, 0), pause_seconds(tries, 0, 1)
    assert shortest
    assert longest == pytest.approx(shortest * 1.2)


def test_what_waited_behind_another_for_days_is_tried_once_and_given_up() -> None:
    assert pause_seconds(1, GIVEN_UP_SECONDS - 1, 0) == 5
    assert pause_seconds(1, GIVEN_UP_SECONDS + 1, 0) is None
    assert sum(RETRY_SECONDS) * 1.2 <= GIVEN_UP_SECONDS


@pytest.mark.parametrize(
    ("kind", "status", "reason", "why"),
    [
        ("service.reactivated", "active", None, ""),
        ("service.reactivated", "suspended", "fraud", "the line is suspended for fraud now"),
        ("service.reactivated", "closed", None, "the line is closed now"),
        ("service.reactivation-reversed", "suspended", "non-payment", ""),
        ("payment.captured", None, None, ""),
    ],
)
def test_a_line_is_announced_only_while_it_works(
    kind: str, status: str | None, reason: str | None, why: str
) -> None:
    assert no_use(kind, is_late=False, line_status=status, suspended_for=reason) == why


def test_what_is_late_is_of_no_use() -> None:
    assert no_use("pay-link", is_late=True, line_status=None, suspended_for=None)


@pytest.mark.parametrize(
    ("wanted", "on_file", "is_own_line", "address"),
    [
        (None, "+34600000001", False, "+34600000001"),
        (None, "", False, ""),
        ("+34600000001", "+34600000001", False, "+34600000001"),
        ("+34600000002", "+34600000001", True, "+34600000002"),
        ("+34600000002", "+34600000001", False, "+34600000001"),
        ("+34600000002", "", False, ""),
    ],
)
def test_nobody_gets_a_message_at_a_number_that_is_not_on_file(
    wanted: str | None, on_file: str, address: str, *, is_own_line: bool
) -> None:
    found, why = address_on_file(wanted, on_file, is_own_line=is_own_line)
    assert found == address
    assert bool(why) is not bool(address)


def test_an_address_is_shown_masked() -> None:
    assert masked("mail", "ana@example.com") == "a…@example.com"
    assert masked("mail", "nonsense") == ""
    assert masked("text", "+447700900021") == "…0021"
