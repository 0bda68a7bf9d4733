"""A gateway that refuses, falls silent, or is slow: charged once or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.e2e.callers import (
    House,
    attempts,
    behave,
    calling,
    hears,
    identifies,
    keys_a_card,
    misbehave,
    rows,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_a_gateway_that_refuses_connections_charges_nothing(house: House) -> None:
    async with calling(house.lab) as phone:
        await identifies(phone, "1049", "28003")
        await keys_a_card(phone)
        await asyncio.to_thread(house.kill, "gateway")
        await phone.press("1")
        await hears(phone, "technical_problem", within=40)
        await hears(phone, "lab_agent", within=30)
    assert await attempts(house, "1049") == ["failed"]
    await asyncio.to_thread(house.mend)
    async with calling(house.lab) as phone:  # the invoice is still there to be paid
        await identifies(phone, "1049", "28003")


async def test_an_answer_that_never_comes_is_told_honestly(house: House) -> None:
    await misbehave(house, mode="reset-after", on=["sale", "search"])
    async with calling(house.lab) as phone:
        await identifies(phone, "1050", "28004")
        await keys_a_card(phone)
        await phone.press("1")
        await hears(phone, "confirming_do_not_pay_again", within=40)
    assert await attempts(house, "1050") == ["unknown"]
    async with calling(house.lab) as phone:  # who calls again is told the same, and not charged
        await hears(phone, "welcome")
        await phone.press("1050#28004")
        await hears(phone, "confirming_do_not_pay_again")
    assert await attempts(house, "1050") == ["unknown"]
    await behave(house)

    async def is_resolved() -> bool:
        return await attempts(house, "1050") == ["captured"]

    await until(is_resolved, within=60)
    assert len(await charges(house, "1050")) == 1


async def test_a_charge_cut_off_by_kill_9_is_resolved_when_the_daemon_is_back(
    house: House,
) -> None:
    await misbehave(house, mode="hang-after", count=1, on=["sale"])
    async with calling(house.lab) as phone:
        await identifies(phone, "1052", "28006")
        await keys_a_card(phone)
        await phone.press("1")

        async def is_taken() -> bool:
            return len(await charges(house, "1052")) == 1

        await until(is_taken)
        await asyncio.to_thread(house.kill, "serve")
    assert await attempts(house, "1052") == ["charging"]
    await asyncio.to_thread(house.mend)
    await until(lambda: is_told(house, "1052", "payment-confirmed"), within=60)
    assert await attempts(house, "1052") == ["captured"]
    assert len(await charges(house, "1052")) == 1


async def is_told(house: House, account: str, kind: str) -> bool:
    """Whether the outbox holds exactly one message of this kind, to this customer."""
    query = (
        "select from events e join attempts a on a.id = e.attempt_id"
        " join customers c on c.id = a.customer_id"
        " where c.account_number = $1 and e.kind = $2 and e.topic = 'text'"
    )
    return len(await rows(house.lab, query, account, kind)) == 1


async def charges(house: House, account: str) -> list[dict[str, Any]]:
    """Sales to this customer that took money, by the gateway's own ledger."""
    query = "select order_id from attempts a join customers c on c.id = a.customer_id"
    found = await rows(house.lab, f"{query} where account_number = $1", account)
    orders = {row["order_id"] for row in found}
    async with httpx.AsyncClient() as client:
        book = (await client.get(f"{house.lab.gateway}/ledger")).json()
    return [sale for sale in book["transactions"] if sale["taken"] and sale["order_id"] in orders]


async def test_two_calls_of_one_customer_charge_once(house: House) -> None:
    await misbehave(house, mode="delay", seconds=8, count=1, on=["sale"])
    async with calling(house.lab) as one, calling(house.lab, "+447700900198") as other:
        await asyncio.gather(identifies(one, "1051", "28005"), identifies(other, "1051", "28005"))
        await asyncio.gather(keys_a_card(one), keys_a_card(other))
        await one.press("1")
        await asyncio.sleep(1)
        await other.press("1")
        await asyncio.gather(
            hears(one, "paid", within=40), hears(other, "other_call_in_progress", within=40)
        )
    assert await attempts(house, "1051") == ["canceled", "captured"]
