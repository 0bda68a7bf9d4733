"""Verdicts of limits, the breaker in the course of time, and delays that grow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ivr.billing.limits import (
    EVERYBODY,
    HIDDEN,
    Breaker,
    CardTries,
    CardVerdict,
    Counted,
    IdentificationTries,
    IdentificationVerdict,
    Limits,
    Phase,
    Subjects,
    one_number,
)

LIMITS = Limits()
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WELL = Breaker(NOW)
TRIPPED = Breaker(NOW, declined=11, decided=21, callers=3)
HALF_OPEN = Breaker(NOW, opened_at=NOW - timedelta(minutes=16))


@pytest.mark.parametrize(
    ("tried", "verdict"),
    [
        (CardTries(WELL), CardVerdict.ALLOWED),
        (CardTries(WELL, in_call=2), CardVerdict.ALLOWED),
        (CardTries(WELL, in_call=3), CardVerdict.CALL),
        (CardTries(WELL, other_cards_in_call=1), CardVerdict.ALLOWED),
        (CardTries(WELL, other_cards_in_call=2), CardVerdict.CARDS_OF_CALL),
        (CardTries(WELL, of_number=4), CardVerdict.ALLOWED),
        (CardTries(WELL, of_number=5), CardVerdict.NUMBER),
        (CardTries(WELL, of_number=5, is_hidden=True), CardVerdict.ALLOWED),
        (CardTries(WELL, of_number=20, is_hidden=True), CardVerdict.HIDDEN),
        (CardTries(WELL, of_invoice=3), CardVerdict.INVOICE),
        (CardTries(WELL, invoices_of_card=5), CardVerdict.CARD),
        (CardTries(WELL, was_refused_for_good=True), CardVerdict.REFUSED_FOR_GOOD),
        (CardTries(TRIPPED), CardVerdict.BREAKER),
        (CardTries(HALF_OPEN), CardVerdict.ALLOWED),
        (CardTries(HALF_OPEN, of_number=1), CardVerdict.BREAKER),
        (CardTries(HALF_OPEN, of_number=1, is_hidden=True), CardVerdict.ALLOWED),
    ],
)
def test_a_card_may_be_charged_below_every_limit(tried: CardTries, verdict: CardVerdict) -> None:
    assert tried.verdict(LIMITS) is verdict


@pytest.mark.parametrize(
    ("declined", "decided", "phase"),
    [
        (10, 10, Phase.CLOSED),
        (11, 11, Phase.OPEN),
        (11, 22, Phase.CLOSED),
        (12, 23, Phase.OPEN),
        (100, 1000, Phase.CLOSED),
    ],
)
def test_it_takes_many_declines_and_most_of_all_to_stop_cards(
    declined: int, decided: int, phase: Phase
) -> None:
    found = Breaker(NOW, declined=declined, decided=decided, callers=3)
    assert found.phase(LIMITS) is phase


@pytest.mark.parametrize("callers", [0, 1, 2])
def test_one_or_two_callers_do_not_stop_cards(callers: int) -> None:
    found = Breaker(NOW, declined=20, decided=20, callers=callers)
    assert found.phase(LIMITS) is Phase.CLOSED


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+34600000001", "00000001"),
        ("0034600000001", "00000001"),
        ("600000001", "00000001"),
        ("600 00-00.01", "00000001"),
        ("1001", "1001"),
        ("somebody", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_number_is_one_however_it_is_written(written: str | None, number: str) -> None:
    assert one_number(written) == number


def test_the_breaker_opens_pauses_tries_and_closes() -> None:
    breaker = TRIPPED
    assert breaker.opens(LIMITS)
    opened = replace(breaker, opened_at=NOW)
    for minutes, phase in ((0, Phase.OPEN), (14.9, Phase.OPEN), (15, Phase.HALF_OPEN)):
        later = replace(opened, now=NOW + timedelta(minutes=minutes))
        assert later.phase(LIMITS) is phase
        assert not later.opens(LIMITS)
        assert later.takes(LIMITS) is (phase is Phase.HALF_OPEN)
    trying = replace(opened, now=NOW + timedelta(minutes=16), trials_under_way=1)
    assert not trying.takes(LIMITS)
    proved = replace(trying, trials_under_way=0, trials_succeeded=2)
    assert proved.takes(LIMITS)
    assert not proved.closes(LIMITS)
    assert replace(proved, trials_succeeded=3).closes(LIMITS)
    failed = replace(proved, trials_declined=1)
    assert failed.opens(LIMITS)
    assert not failed.takes(LIMITS)


def tried(caller: str | None = "+34600000001", **failures: int) -> IdentificationTries:
    subjects = Subjects.of(caller, "1042")
    counted = {
        subjects.number: Counted(0, failures.get("number", 0)),
        subjects.account: Counted(0, failures.get("account", 0)),
        EVERYBODY: Counted(failures.get("everybody", 0), 10**6),
    }
    return IdentificationTries(subjects, counted)


@pytest.mark.parametrize(
    ("tries", "verdict"),
    [
        (tried(number=9, account=9, everybody=299), IdentificationVerdict.ALLOWED),
        (tried(number=10), IdentificationVerdict.NUMBER),
        (tried(None, number=10), IdentificationVerdict.ALLOWED),
        (tried(None, number=30), IdentificationVerdict.HIDDEN),
        (tried(account=10), IdentificationVerdict.ACCOUNT),
        (tried(everybody=300), IdentificationVerdict.EVERYBODY),
    ],
)
def test_who_may_be_identified(tries: IdentificationTries, verdict: IdentificationVerdict) -> None:
    assert tries.verdict(LIMITS) is verdict


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 8.0), (5000, 8.0)],
)
def test_the_answer_is_later_after_each_failure(failures: int, seconds: float) -> None:
    assert tried(number=failures).delay_seconds(LIMITS) == seconds


def test_who_hides_their_number_waits_by_their_share() -> None:
    assert [tried(None, number=at).delay_seconds(LIMITS) for at in (2, 3, 6, 15)] == [0, 0.5, 1, 8]


def test_a_claim_is_counted_as_a_hash_and_a_number_as_it_is() -> None:
    subjects = Subjects.of("+34600000001", "1042")
    assert subjects.number == "number 00000001"
    assert "1042" not in subjects.account
    assert subjects.account == Subjects.of(None, "1042").account
    assert Subjects.of(None, "1042").number == HIDDEN
