"""A gateway that gives money back, in memory: `billing.refunding.Giver`."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime

from ivr.billing.errors import GatewayError, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.refunds import GivenBack, NotGivenBack
from ivr.billing.transactions import Standing, Transaction


class FakeGiver:
    """Holds sales and credits; `will` scripts the next answers."""

    def __init__(self) -> None:
        self.request_keys = True
        """as far as its user knows"""
        self.takes_keys = True
        self.books: dict[str, Transaction] = {}
        self.asked: list[str] = []
        """request keys, in order"""
        self.loses_answers = False
        """what is asked for is done, and its answer gets lost"""
        self.seconds = 0.0
        """how long each answer takes, after it was done"""
        self._script: deque[GatewayError | NotGivenBack] = deque()
        self._keys: dict[str, str] = {}

    def will(self, *answers: GatewayError | NotGivenBack) -> None:
        """The next questions are answered like this, and nothing is done."""
        self._script.extend(answers)

    def sold(self, sale_id: str, amount: Money, standing: Standing = Standing.CAPTURED) -> None:
        """One more sale."""
        self.books[sale_id] = Transaction(
            sale_id, f"saldo-{sale_id}", standing, amount, datetime.now(UTC)
        )

    @property
    def credits(self) -> list[Money]:
        """What was refunded."""
        return [each.amount for each in self.books.values() if not each.is_sale]

    async def void(
        self, sale_id: str, request_key: str, *, again: bool = False
    ) -> GivenBack | NotGivenBack:
        self._check_key(again=again)
        if answer := self._scripted(request_key):
            return answer
        sale = self.books[sale_id]
        if request_key not in self._keys:
            if sale.standing is not Standing.CAPTURED:
                return NotGivenBack("91504")
            self.books[sale_id] = replace(sale, standing=Standing.VOIDED)
        return await self._done(request_key, sale_id)

    async def refund(
        self, sale_id: str, *, amount: Money, order_id: str, request_key: str, again: bool = False
    ) -> GivenBack | NotGivenBack:
        self._check_key(again=again)
        if answer := self._scripted(request_key):
            return answer
        if request_key not in self._keys:
            credit = f"credit{len(self.books)}"
            self.books[credit] = Transaction(
                credit, order_id, Standing.CAPTURED, amount, datetime.now(UTC), refund_of=sale_id
            )
            return await self._done(request_key, credit)
        return await self._done(request_key, self._keys[request_key])

    async def of_order(self, order_id: str) -> list[Transaction]:
        return [each for each in self.books.values() if each.order_id == order_id]

    async def standing(self, sale_id: str) -> Standing | None:
        sale = self.books.get(sale_id)
        return sale.standing if sale else None

    def _check_key(self, *, again: bool) -> None:
        if not self.takes_keys:
            self.request_keys = False
            if again:
                raise OutcomeUnknown("915231")

    def _scripted(self, request_key: str) -> NotGivenBack | None:
        self.asked.append(request_key)
        answer = self._script.popleft() if self._script else None
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    async def _done(self, request_key: str, transaction_id: str) -> GivenBack:
        if self.request_keys:
            self._keys[request_key] = transaction_id
        await asyncio.sleep(self.seconds)
        if self.loses_answers:
            self.loses_answers = False
            raise OutcomeUnknown("the answer was lost")
        return GivenBack(transaction_id)
