"""What is keyed can be told from everything else, and is nobody's."""

from __future__ import annotations

import io
import random
from itertools import islice

import pytest
import structlog

from ivr import log
from ivr.billing.card_numbers import holds_card_number
from ivr.gateways.test_accounts import ROUTING_NUMBER
from ivr.lab.leaktest import switching
from ivr.lab.leaktest.canaries import (
    ACCOUNT_LENGTHS,
    SHORT_WINDOW,
    WINDOW,
    Account,
    deal_accounts,
    windows,
)
from ivr.lab.leaktest.matching import Matcher

SEEDS = range(40)


def dealt(seed: int) -> list[Account]:
    return list(islice(deal_accounts(random.Random(seed)), len(ACCOUNT_LENGTHS)))


@pytest.mark.parametrize("seed", SEEDS)
def test_six_accounts_of_every_length_are_dealt_in_turn(seed: int) -> None:
    accounts = dealt(seed)
    assert sorted(len(one.number) for one in accounts) == list(ACCOUNT_LENGTHS)
    assert len({one.label for one in accounts}) == len(accounts)
    assert len({one.number[: switching.FIRST_DIGITS] for one in accounts}) == len(accounts)
    again = list(islice(deal_accounts(random.Random(seed)), 2 * len(accounts)))
    assert again == accounts * 2


@pytest.mark.parametrize("seed", SEEDS)
def test_every_stretch_of_an_account_is_telling(seed: int) -> None:
    for one in dealt(seed):
        assert len(list(windows(one.number))) == len(one.number) - WINDOW + 1
        assert len(list(windows(one.number, SHORT_WINDOW))) == len(one.number) - SHORT_WINDOW + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_no_mask_of_card_numbers_takes_an_account_for_a_card(seed: int) -> None:
    """So a leak of it is found only by who knows it: as it is with people's accounts."""
    written = io.StringIO()
    log.configure(json=True, stream=written)
    for one in dealt(seed):
        assert not holds_card_number(one.number)
        structlog.get_logger("leaktest").info("keyed", account=one.number)
        assert one.number in written.getvalue()


def test_an_account_prints_as_its_last_four() -> None:
    (one, *_) = dealt(1)
    assert one.number not in repr(one)
    assert one.label == f"account …{one.number[-4:]}"


def test_an_account_is_found_in_every_form_and_the_routing_number_is_none() -> None:
    account = Account.of("73951824607593814")
    matcher = Matcher([account])
    for text in (
        f"{ROUTING_NUMBER}{account.number}11",
        account.number[::-1],
        " ".join(account.number),
        account.number.encode().hex(),
        f'{{"cvv": "{account.number}"}}',
    ):
        assert {hit.canary for hit in matcher.search(text.encode())} == {account.label}
    assert matcher.search(f"routing {ROUTING_NUMBER}, ending in 3814, cvv=".encode()) == set()


def test_a_few_digits_of_an_account_below_the_routing_number_are_a_find() -> None:
    account = Account.of("739518246075")
    keys = ROUTING_NUMBER + account.number[:6]
    lines = [f"12:00 end '{key}'" for key in keys]
    assert {hit.form for hit in Matcher([account]).search_lines(lines)} == {"one digit a line"}
    public = [f"12:00 end '{key}'" for key in ROUTING_NUMBER]
    assert Matcher([account]).search_lines(public) == set()
