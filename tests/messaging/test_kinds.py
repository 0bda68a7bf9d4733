"""What programs can ask to be told is what they are told: one list, kept to what is written."""

from __future__ import annotations

import re

import pytest

from ivr.billing.messages import PROGRAM_KINDS, Message
from ivr.billing.payments import TRANSITIONS, AttemptState
from ivr.settings import PROJECT

LITERAL = re.compile(r"'([a-z]+\.[a-z-]+)'")
"""only kinds of news look so in our SQL"""
AFTER_CAPTURE = TRANSITIONS[AttemptState.CAPTURED] | TRANSITIONS[AttemptState.SETTLED]
BY_STATE = {
    f"payment.{state}" for state in AFTER_CAPTURE | {AttemptState.DECLINED, AttemptState.FAILED}
}
"""put together from the state that a payment goes to"""


def kinds_written() -> set[str]:
    files = (PROJECT / "ivr/storage").rglob("*.sql")
    return {kind for file in files for kind in LITERAL.findall(file.read_text(encoding="utf-8"))}


def test_the_list_has_every_kind_that_is_told_and_no_other() -> None:
    assert set(PROGRAM_KINDS) == kinds_written() | BY_STATE
    assert len(PROGRAM_KINDS) == len(set(PROGRAM_KINDS))


def test_the_page_has_every_kind() -> None:
    page = (PROJECT / "docs/messages.md").read_text(encoding="utf-8")
    for kind in PROGRAM_KINDS:
        family, _, what = kind.partition(".")
        assert re.search(rf"`{family}\.{what}`|`{family}\.[^\n]*`\.{what}`", page), kind


def test_news_that_no_program_can_ask_for_are_not_made() -> None:
    with pytest.raises(ValueError, match="nothing is told of the kind"):
        Message("webhook", "payment.nope")
    assert Message("mail", "receipt").kind == "receipt"
