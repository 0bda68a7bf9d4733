"""Braintree's voids and refunds, at most once for each request key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ivr.billing.errors import OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.refunds import GivenBack, NotGivenBack
from ivr.billing.transactions import Standing
from ivr.gateways.books import BraintreeBooks, standing_of
from ivr.gateways.braintree import Braintree
from ivr.gateways.outcomes import KEY_NOT_ALLOWED, KEY_UNSURE, codes_of
from ivr.gateways.sdk import exceptions

REFUNDABLE = {"settling", "settlement_confirmed", "settled"}
"""what cannot be voided any more"""
DECLINED = {"processor_declined", "failed", "gateway_rejected"}
Send = Callable[[Any, Mapping[str, Any]], Any]


class BraintreeRefunds(BraintreeBooks):
    """`billing.refunding.Giver` of one merchant."""

    def __init__(self, braintree: Braintree) -> None:
        """`braintree` is shared with whoever looks things up, and not with who charges."""
        super().__init__(braintree)
        self._gateway = braintree

    async def standing(self, sale_id: str) -> Standing | None:
        """By its id and not by a search, whose index lags behind."""
        return await self._gateway.ask(lambda sdk: _standing(sdk, sale_id))

    async def void(
        self, sale_id: str, request_key: str, *, again: bool = False
    ) -> GivenBack | NotGivenBack:
        return await self._give_back(
            lambda sdk, key: sdk.transaction.void(sale_id, key), request_key, again=again
        )

    async def refund(
        self, sale_id: str, *, amount: Money, order_id: str, request_key: str, again: bool = False
    ) -> GivenBack | NotGivenBack:
        wish = {"amount": str(amount.amount), "order_id": order_id}
        return await self._give_back(
            lambda sdk, key: sdk.transaction.refund(sale_id, {**wish, **key}),
            request_key,
            again=again,
        )

    async def _give_back(
        self, send: Send, request_key: str, *, again: bool
    ) -> GivenBack | NotGivenBack:
        return await self._gateway.ask(lambda sdk: self._sent(sdk, send, request_key, again=again))

    # In a thread from here on.

    def _sent(
        self, sdk: Any, send: Send, request_key: str, *, again: bool
    ) -> GivenBack | NotGivenBack:
        keyed = again or self._gateway.request_keys
        try:
            result = send(sdk, {"api_request_key": request_key} if keyed else {})
            if keyed and KEY_NOT_ALLOWED in codes_of(result):
                # A validation error: nothing was given back by this request.
                self._gateway.request_keys = False
                if again:
                    raise OutcomeUnknown("request keys are not allowed: it is not asked for again")
                result = send(sdk, {})
        except exceptions.NotFoundError:
            return NotGivenBack("the gateway does not know this payment")
        return _judge(result)


def _standing(sdk: Any, sale_id: str) -> Standing | None:
    try:
        sale = sdk.transaction.find(sale_id)
    except exceptions.NotFoundError:
        return None
    return Standing.SETTLED if str(sale.status) in REFUNDABLE else standing_of(sale)


def _judge(result: Any) -> GivenBack | NotGivenBack:
    transaction = getattr(result, "transaction", None)
    if result.is_success and transaction is not None:
        return GivenBack(str(transaction.id))
    codes = codes_of(result)
    if codes & KEY_UNSURE:
        raise OutcomeUnknown(f"the gateway does not say what became of it {sorted(codes)}")
    if transaction is not None and str(transaction.status) in DECLINED:
        return NotGivenBack(f"the bank refused it ({transaction.processor_response_code})")
    if not codes:
        raise OutcomeUnknown("the gateway does not say what became of it")
    words = "; ".join(f"{error.code} {error.message}" for error in result.errors.deep_errors)
    return NotGivenBack(words)
