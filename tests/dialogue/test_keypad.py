"""What each key and each timer does to an entry."""

from __future__ import annotations

import pytest

from ivr.dialogue.keypad import EntryRule, KeyEntry, PlainKeys, Step

RULE: EntryRule[PlainKeys] = EntryRule(
    is_full=lambda keys: len(keys) >= 6, is_enough=lambda keys: len(keys) >= 4
)


def an_entry() -> KeyEntry[PlainKeys]:
    entry = KeyEntry(RULE, PlainKeys())
    entry.listen(100.0)
    return entry


def press(entry: KeyEntry[PlainKeys], keys: str) -> Step:
    step = Step.MORE
    for key in keys:
        step = entry.press(key, 101.0)
    return step


@pytest.mark.parametrize(
    ("keys", "step"),
    [
        ("12", Step.MORE),
        ("1234#", Step.SUBMITTED),
        ("12#", Step.SUBMITTED),
        ("123456", Step.SUBMITTED),
        ("#", Step.MORE),
        ("12*", Step.CLEARED),
        ("12**", Step.LEFT),
        ("00#", Step.AGENT),
        ("000#", Step.SUBMITTED),
        ("A", Step.MORE),
    ],
)
def test_keys_lead_to_a_step(keys: str, step: Step) -> None:
    assert press(an_entry(), keys) is step


@pytest.mark.parametrize(
    ("keys", "step"),
    [("", Step.TIMED_OUT), ("123", Step.TIMED_OUT), ("1234", Step.SUBMITTED), ("00", Step.AGENT)],
)
def test_a_pause_submits_what_is_long_enough(keys: str, step: Step) -> None:
    entry = an_entry()
    press(entry, keys)
    assert entry.expire() is step


def test_the_first_key_has_ten_seconds_and_the_next_ones_five() -> None:
    entry = an_entry()
    assert entry.deadline == 110.0
    entry.press("1", 107.0)
    assert entry.deadline == 112.0


def test_a_pound_before_any_digit_leaves_the_timer_alone() -> None:
    entry = KeyEntry(RULE, PlainKeys())
    entry.press("#", 50.0)
    assert entry.deadline is None


def test_after_a_star_the_first_key_timer_starts_when_cleared_has_been_said() -> None:
    entry = an_entry()
    press(entry, "12*")
    entry.listen(104.0)
    assert entry.deadline == 114.0


def test_stars_far_apart_do_not_leave() -> None:
    assert press(an_entry(), "1*2*") is Step.CLEARED


def test_slow_callers_have_twice_the_time() -> None:
    slow = RULE.slower()
    assert (slow.first_key_seconds, slow.between_keys_seconds) == (20.0, 10.0)
