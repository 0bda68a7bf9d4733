"""What the pay page's own script asks of our server."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import httpx

from ivr.billing.links import Link
from tests.web.pay_house import PayHouse

GOOD, DECLINING = "4111111111111111", "4000111111111115"
AMOUNT = "42.50"


class Script:
    """Asks as the page's own script does."""

    def __init__(self, http: httpx.AsyncClient, house: PayHouse, link: Link) -> None:
        self.http = http
        self.house = house
        self.link = link
        self.form = ""

    async def load(self) -> str:
        page = (await self.http.get(self.link.url)).text
        found = re.search(r'data-form="([^"]+)"', page)
        self.form = found[1] if found else ""
        return page

    async def get(self, path: str) -> Any:
        answer = await self.http.get(self.link.url + path, headers={"X-Pay-Form": self.form})
        return answer.json()

    async def post(self, path: str, **body: Any) -> Any:
        headers = {"X-Pay-Form": self.form}
        return (await self.http.post(self.link.url + path, json=body, headers=headers)).json()

    async def nonce(self, number: str = GOOD) -> str:
        card = {"number": number, "expirationMonth": "12", "expirationYear": "2031", "cvv": "123"}
        answer = await self.http.post(
            f"{self.house.stand_in.url}/client/graphql",
            json={"query": "", "variables": {"input": {"creditCard": card}}},
            headers={"Authorization": f"Bearer {self.house.stand_in._hosted._fingerprint}"},
        )
        method: str = answer.json()["data"]["tokenizeCreditCard"]["paymentMethod"]["id"]
        return method

    async def pay(self, number: str = GOOD, **changes: str) -> Any:
        order = {"key": str(uuid4()), "amount": AMOUNT, "fee": "0.00", **changes}
        if "nonce" not in order:
            order["nonce"] = await self.nonce(number)
        return await self.post("/card", **order)
