"""Attackers against the limits, with a real Postgres and the functions of the conversation."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from statistics import median

import pytest

from ivr.billing import identifying
from ivr.billing.customers import Customer
from ivr.billing.limiting import Limiting
from ivr.billing.limits import CardVerdict, Limits, Phase
from ivr.storage.customers import PostgresDirectory
from ivr.storage.limits import PostgresTries
from ivr.storage.pool import Database
from tests.storage.trying import Trying
from tests.storage.world import PostgresWorld

CUSTOMERS = 500
"""with account numbers from 10000 to 14999: one in ten of those is somebody's"""
POSTAL_CODE = "28013"
AT_ONCE = 20
GUESSES = 5000
ADD_CUSTOMERS = """
INSERT INTO customers (external_id, account_number, kind, name, language, postal_code, phone)
SELECT 'A' || at, (10000 + at * 10)::text, 'person', 'Somebody', 'en', '28013',
       '+3461' || 1000000 + at
FROM generate_series(0, 499) AS at"""
Guess = tuple[str, str]
"""the number that calls, and the account it guesses; the postal code is known to the attacker"""


class Company:
    """Customers in a real database, and the limits before them."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self.slept: list[float] = []
        self.directory = PostgresDirectory(database)
        self.limiting = Limiting(PostgresTries(database), limits, sleep=self._sleep)

    async def identify(
        self, caller: str | None, account: str, postal_code: str = POSTAL_CODE
    ) -> Customer | None:
        async def look_up() -> Customer | None:
            return await identifying.identify(self.directory, account, postal_code)

        return await self.limiting.identify(caller, account, look_up)

    async def guess(self, guesses: list[Guess]) -> set[str]:
        """Everything that is found out, by so many at once, each in the order of its number."""
        by_number = defaultdict[str, list[str]](list)
        for number, account in guesses:
            by_number[number].append(account)
        places = asyncio.Semaphore(AT_ONCE)

        async def one(number: str, accounts: list[str]) -> list[str]:
            async with places:
                return [each for each in accounts if await self.identify(number, each)]

        found = await asyncio.gather(*[one(*each) for each in by_number.items()])
        return {account for each in found for account in each}

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
async def company(database: Database) -> Company:
    real = PostgresWorld(database)
    await real.ask("DELETE FROM identification_tries")
    if not await real.ask("SELECT count(*) FROM customers WHERE external_id = 'A1'"):
        await real.ask(ADD_CUSTOMERS)
    return Company(database, Limits())


def guesses(numbers: int, chance: random.Random) -> list[Guess]:
    """Accounts at random from so many numbers in turn, none of them twice."""
    accounts = chance.sample(range(10000, 15000), GUESSES)
    return [(f"+34600{at % numbers:06}", str(account)) for at, account in enumerate(accounts)]


def is_right(account: str) -> bool:
    return account.endswith("0")


async def test_from_few_numbers_each_finds_what_ten_failures_allow(company: Company) -> None:
    tried = guesses(25, random.Random(5))
    allowed: set[str] = set()
    failures = defaultdict[str, int](int)
    for number, account in tried:
        if failures[number] < company.limiting.limits.identifications_a_number:
            allowed |= {account} if is_right(account) else set()
        failures[number] += not is_right(account) or failures[number] >= 10
    found = await company.guess(tried)
    assert found <= allowed
    assert len(found) < CUSTOMERS / 10  # arithmetic: 250 failures at nine wrong to one right are 28
    assert max(company.slept) == 8.0


async def test_from_many_numbers_all_find_what_an_hour_allows(company: Company) -> None:
    found = await company.guess(guesses(2500, random.Random(6)))
    limit = company.limiting.limits.identifications_an_hour
    assert len(found) <= (limit + AT_ONCE) / 5  # of ten guesses one is right; twice that is luck
    assert found


async def test_ten_postal_codes_are_all_that_is_tried_of_one_account(company: Company) -> None:
    at = count()
    right: list[bool] = []
    for guess in range(40):
        code = POSTAL_CODE if guess >= 10 else f"{guess:05}"
        right.append(bool(await company.identify(f"+34700{next(at):06}", "10010", code)))
    assert not any(right)
    assert await company.identify("+34611000001", "10010")  # from a number on file with it


async def test_their_own_customers_are_served_during_an_attack(company: Company) -> None:
    await company.guess([(f"+34600{at:06}", "99999") for at in range(400)])
    assert await company.identify("+34699999999", "10050") is None
    assert await company.identify("+34611000005", "10050")


async def test_who_hides_their_number_shares_thirty_failures(company: Company) -> None:
    for at in range(30):
        assert await company.identify(None, f"2{at:04}") is None
    assert await company.identify(None, "10060") is None
    assert await company.identify("+34699999998", "10060")


# Time


def distance(one: list[float], other: list[float]) -> float:
    """The largest distance of both empirical distributions: Kolmogorov and Smirnov."""
    both = sorted(one + other)

    def share(sample: list[float], x: float) -> float:
        return sum(each <= x for each in sample) / len(sample)

    return max(abs(share(one, x) - share(other, x)) for x in both)


def told_apart(one: list[float], other: list[float]) -> bool:
    """Whether they differ more than chance would have it once in a thousand times."""
    size = len(one) * len(other) / (len(one) + len(other))
    return distance(one, other) > 1.95 / math.sqrt(size)


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


SAMPLES = 150


async def test_nobody_can_tell_by_the_time_whether_an_account_exists(company: Company) -> None:
    company.limiting = replace(
        company.limiting,
        limits=Limits(identifications_an_account=10**6, identifications_an_hour=10**6),
    )
    at = count()
    wrong_code: list[float] = []
    no_account: list[float] = []
    for sample in range(SAMPLES):
        account = f"1{sample % 400:03}0"
        for durations, claimed, code in (
            (wrong_code, account, "00000"),
            (no_account, f"1{sample % 400:03}5", POSTAL_CODE),
        ):
            caller = f"+34800{next(at):06}"

            async def ask(caller: str = caller, claimed: str = claimed, code: str = code) -> None:
                assert await company.identify(caller, claimed, code) is None

            durations.append(await timed(ask))
    assert not told_apart(wrong_code, no_account), (median(wrong_code), median(no_account))


def test_a_difference_of_a_third_would_be_told_apart() -> None:
    chance = random.Random(7)
    one = [chance.gauss(3.0, 1.0) for _ in range(SAMPLES)]
    assert told_apart(one, [chance.gauss(4.0, 1.0) for _ in range(SAMPLES)])
    assert not told_apart(one, [chance.gauss(3.0, 1.0) for _ in range(SAMPLES)])


# Cards


async def test_a_tester_with_changing_numbers_and_cards_is_stopped_and_others_are_served(
    database: Database, company: Company
) -> None:
    real = PostgresWorld(database)
    await real.ask("UPDATE attempts SET tried_at = tried_at - interval '2 days'")
    trying = Trying.at(real)
    verdicts = [
        await trying.tries(await trying.call(), await trying.invoice(), card=at)
        for at in range(7000, 7040)
    ]
    assert verdicts.count(CardVerdict.ALLOWED) == trying.limiting.limits.breaker_declines + 1
    assert await trying.limiting.look() is Phase.OPEN
    customer = await company.identify("+34699999997", "10070")
    assert customer
    assert "text" in await company.directory.ways_to(customer.id)  # so a link can be sent
