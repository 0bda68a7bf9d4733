"""What the bank says days after a debit: its webhooks come in, and messages go out."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from ivr.lab.errors import LabError
from ivr.lab.gateway_ledger import transactions
from ivr.lab.leaktest.house import House

TAKEN = 204
"""how Saldo answers a webhook that it acted on"""


async def days_later(house: House) -> int:
    """The bank settles every debit, and then returns every second one; how many there were.

    Raises LabError: Saldo did not take what the bank said.
    """
    debits = [
        one
        for one in transactions(Path(house.lab.gateway_ledger))
        if one.token.account_type and one.status == "settlement_pending"
    ]
    async with aiohttp.ClientSession(house.lab.gateway) as bank:
        told = {"url": f"{house.lab.api}/braintree/webhooks"}
        async with bank.put("/bank/webhooks", json=told) as answer:
            answer.raise_for_status()
        for place, debit in enumerate(debits):
            await _says(bank, debit.id, "settle")
            if place % 2:
                await _says(bank, debit.id, "return")
    return len(debits)


async def _says(bank: aiohttp.ClientSession, debit: str, what: str) -> None:
    async with bank.post(f"/bank/{debit}/{what}") as answer:
        told = (await answer.json()).get("webhook")
    if told != TAKEN:
        raise LabError(f"a debit that the bank wants to {what} was answered {told}")
