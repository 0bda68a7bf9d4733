"""Braintree, through its own SDK: charge by single-use token, search, GraphQL; `ports.Gateway`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from ivr.billing.errors import GatewayError, GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import Captured, DeclineBucket, KeepCard, MeansOnHand, Refusal
from ivr.gateways.debits import IS_DEBIT, debit
from ivr.gateways.outcomes import (
    KEY_NOT_ALLOWED,
    KEY_UNSURE,
    TOKEN_USED,
    best_of,
    codes_of,
    from_exception,
    graphql_data,
    is_duplicate,
    outcome_of,
    validation_refused,
)
from ivr.gateways.sales import charged_with
from ivr.gateways.sdk import BraintreeGateway, Configuration, Environment, TransactionSearch
from ivr.gateways.threads import Threads
from ivr.gateways.transport import CONNECT_SECONDS, Transport, is_loopback
from ivr.gateways.vault import TOKEN_UNKNOWN, ensure_customer, forget_card

T = TypeVar("T")
EnvironmentName = Literal["sandbox", "production", "stand-in"]

QUEUE_SECONDS = 10.0
"""How long a charge waits for a free thread before it is given up unsent."""
REQUESTS_A_CHARGE = 5
"""A customer to keep the card for, sale, sale again without a key, and the two of a search: the
most that one `charge` sends."""
PING_SECONDS = 5.0
PING = "query { ping }"


class Braintree:
    """`ports.Gateway` on a merchant's Braintree account, its sandbox, or a stand-in."""

    def __init__(
        self,
        *,
        environment: EnvironmentName,
        merchant_id: str,
        public_key: str,
        private_key: str,
        merchant_accounts: Mapping[str, str],
        url: str = "",
        timeout_seconds: float = 65.0,
        threads: int = 8,
        queue_seconds: float = QUEUE_SECONDS,
    ) -> None:
        """`merchant_accounts` is currency → account id; `url` replaces Braintree's own address.

        Raises:
            GatewayRefused: a setting is missing or cannot be; the text says which.
        """
        keys = {"merchant_id": merchant_id, "public_key": public_key, "private_key": private_key}
        for name, value in keys.items():
            if not value:
                raise GatewayRefused(f"set braintree.{name}: without it nothing can be charged")
        self.test_mode = environment != "production"
        """Only published test cards may be used."""
        self.request_keys = True
        """Whether a charge may be replayed by its key; False once the account refused keys."""
        self._accounts = dict(merchant_accounts)
        self._limit = REQUESTS_A_CHARGE * (timeout_seconds + CONNECT_SECONDS)
        place = _environment(environment, url)
        self._sdk = _sdk(place, keys, timeout_seconds)
        self._charging = Threads("gateway", threads, queue_seconds=queue_seconds)
        # Its own thread and short time-out: a hanging gateway must not fill the charging threads
        # with the questions of a health check.
        self._ping_sdk = _sdk(place, keys, PING_SECONDS)
        self._pinging = Threads("gateway-ping", 1, queue_seconds=PING_SECONDS)

    async def charge(
        self,
        *,
        means: MeansOnHand,
        amount: Money,
        order_id: str,
        request_key: str,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        """Take the money now, a card's as a telephone order; with `keep`, keep the card as well.

        Raises:
            GatewayNotReached: nothing was sent.
            GatewayRefused: our request is wrong; nothing was charged.
            OutcomeUnknown: it may have been charged.
        """
        sale = self._of(amount, order_id)
        return await self._run(lambda: self._charge(sale, means, keep, request_key))

    async def send_again(
        self,
        *,
        means: MeansOnHand,
        amount: Money,
        order_id: str,
        request_key: str,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        """The very same charge with the same key: what it came to, or comes to now; never unkeyed.

        Raises:
            GatewayNotReached: nothing was sent.
            OutcomeUnknown: for every answer that does not tell, such as keys not allowed.
        """
        sale = self._of(amount, order_id)
        return await self._run(lambda: self._charge_again(sale, means, keep, request_key))

    def _of(self, amount: Money, order_id: str) -> dict[str, Any]:
        account = self.account(amount.currency)
        return {"amount": str(amount.amount), "order_id": order_id, "merchant_account_id": account}

    async def forget_card(self, token: str) -> None:
        """Return when the vault has this card no more; one that it never had is forgotten too.

        Raises:
            GatewayNotReached, GatewayRefused, OutcomeUnknown: it may be there still: ask again.
        """
        await self._run(lambda: forget_card(self._sdk, token))

    async def graphql(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The `data` of one GraphQL operation.

        Raises:
            ValidationRefused: with the faults; never with the variables.
            GatewayNotReached, GatewayRefused, OutcomeUnknown: as for `charge`.
        """
        work = self._question(document, variables)
        del variables  # an error raised through here must not show them, not even as locals
        return await self._run(work)

    async def ask(self, work: Callable[[Any], T]) -> T:
        """What `work` gets of the SDK, in one of our threads; it must be safe to do again.

        Raises:
            GatewayNotReached, GatewayRefused, OutcomeUnknown: as for `charge`.
        """
        return await self._run(lambda: work(self._sdk))

    async def ping(self) -> None:
        """Return within seconds if the gateway answers and accepts our keys.

        Raises:
            GatewayNotReached, GatewayRefused, OutcomeUnknown: what is wrong, in one sentence.
        """
        answer = await self._pinging.run(
            _guarded(lambda: graphql_data(self._ping_sdk.graphql_client.query(PING))),
            limit_seconds=2 * PING_SECONDS,
        )
        if isinstance(answer, GatewayError):
            raise answer

    async def aclose(self) -> None:
        """Send nothing new; let what was sent be answered, within its own time-out."""
        await self._pinging.close(limit_seconds=2 * PING_SECONDS)
        await self._charging.close(limit_seconds=self._limit)
        self._ping_sdk.config.close()
        self._sdk.config.close()

    def _question(
        self, document: str, variables: Mapping[str, Any]
    ) -> Callable[[], dict[str, Any]]:
        return lambda: graphql_data(self._sdk.graphql_client.query(document, dict(variables)))

    def account(self, currency: str) -> str:
        """The merchant account of a currency. Raises GatewayRefused: there is none."""
        try:
            return self._accounts[currency]
        except KeyError:
            raise GatewayRefused(
                f"no merchant account for {currency}: set braintree.merchant_accounts.{currency}"
            ) from None

    async def _run(self, work: Callable[[], T]) -> T:
        answer = await self._charging.run(_guarded(work), limit_seconds=self._limit)
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    # In a thread from here on.

    def _charge(
        self, sale: dict[str, Any], means: MeansOnHand, keep: KeepCard | None, request_key: str
    ) -> Captured | Refusal:
        return self._sale({**sale, **self._charged_with(means, keep)}, request_key)

    def _charge_again(
        self, sale: dict[str, Any], means: MeansOnHand, keep: KeepCard | None, request_key: str
    ) -> Captured | Refusal:
        # Who sent it first may have died before the gateway had the customer.
        return self._sale_again({**sale, **self._charged_with(means, keep)}, request_key)

    def _charged_with(self, means: MeansOnHand, keep: KeepCard | None) -> dict[str, Any]:
        # A card that cannot be kept is charged all the same.
        if keep is not None and isinstance(self._with_customer(keep), GatewayError):
            keep = None
        return charged_with(means, keep)

    def _with_customer(self, keep: KeepCard) -> GatewayError | None:
        return _guarded(lambda: ensure_customer(self._sdk, keep.customer_ref))()

    def _sale(self, sale: dict[str, Any], request_key: str) -> Captured | Refusal:
        keyed = self.request_keys
        result = self._send(sale, request_key if keyed else None)
        if keyed and KEY_NOT_ALLOWED in codes_of(result):
            # A validation error: nothing was charged, so that once again is safe.
            self.request_keys = False
            result = self._send(sale, None)
        return self._judge(result, sale)

    def _sale_again(self, sale: dict[str, Any], request_key: str) -> Captured | Refusal:
        result = self._send(sale, request_key)
        codes = codes_of(result)
        if KEY_NOT_ALLOWED in codes:
            self.request_keys = False
        transaction = getattr(result, "transaction", None)
        # What is wrong with this request says nothing about the first one.
        if transaction is None or is_duplicate(transaction):
            raise OutcomeUnknown(f"sent again, it does not say what became of it {sorted(codes)}")
        return self._judge(result, sale)

    def _send(self, sale: dict[str, Any], request_key: str | None) -> Any:
        if IS_DEBIT in sale:
            return debit(self._sdk, sale, request_key)
        key = {} if request_key is None else {"api_request_key": request_key}
        # A fresh copy each time: the SDK adds to what it is given.
        return self._sdk.transaction.sale({**sale, "options": dict(sale["options"]), **key})

    def _judge(self, result: Any, sale: dict[str, Any]) -> Captured | Refusal:
        transaction = getattr(result, "transaction", None)
        if transaction is not None:
            if is_duplicate(transaction):
                return self._earlier(sale["order_id"], "a sale of this order was there before")
            if not _is_of(transaction, sale):
                raise OutcomeUnknown("the gateway answered with a sale of another order or amount")
            return outcome_of(transaction)
        codes = codes_of(result)
        if TOKEN_UNKNOWN in codes:
            text = "the gateway does not have this card any more"
            return Refusal(TOKEN_UNKNOWN, text, DeclineBucket.HARD)
        if TOKEN_USED in codes:
            return self._earlier(sale["order_id"], "this card token was used before")
        if not codes or codes & KEY_UNSURE:
            raise OutcomeUnknown(f"the gateway does not say what became of it {sorted(codes)}")
        raise validation_refused(result.errors.deep_errors)

    def _earlier(self, order_id: str, why: str) -> Captured:
        """An earlier sale may have taken the money: adopt it if it can be seen already."""
        # Guarded: a search that fails must not pass for "nothing was charged".
        found = _guarded(lambda: self._search(order_id))()
        if isinstance(found, Captured):
            return found
        raise OutcomeUnknown(f"{why}, and the search does not show it captured (yet)")

    def _search(self, order_id: str) -> Captured | Refusal | None:
        wanted = TransactionSearch.order_id == order_id
        return best_of(self._sdk.transaction.search([wanted]).items)


def _is_of(transaction: Any, sale: dict[str, Any]) -> bool:
    """Whether it is that order's and amount's, with however many noughts the gateway writes it."""
    try:
        amount = Decimal(str(transaction.amount))
    except InvalidOperation:
        return False
    return transaction.order_id == sale["order_id"] and amount == Decimal(sale["amount"])


def _guarded(work: Callable[[], T]) -> Callable[[], T | GatewayError]:
    """`work`, with its error as a value: chained exceptions and their frames hold the request."""

    def run() -> T | GatewayError:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the thread's edge; anything unforeseen is unknown
            ours = from_exception(error)
        ours.__cause__ = ours.__context__ = None
        return ours.with_traceback(None)

    return run


def _sdk(place: Any, keys: Mapping[str, str], timeout_seconds: float) -> Any:
    return BraintreeGateway(
        Configuration(
            place,
            **keys,
            timeout=timeout_seconds,
            wrap_http_exceptions=True,
            http_strategy=Transport,
        )
    )


def _environment(environment: EnvironmentName, url: str) -> Any:
    if not url:
        if environment == "stand-in":
            raise GatewayRefused("set braintree.url: a stand-in has no address of its own")
        return Environment.parse_environment(environment)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise GatewayRefused("braintree.url must look like https://host or http://127.0.0.1:PORT")
    if parts.scheme == "https" and parts.port not in (None, 443):
        raise GatewayRefused("braintree.url: the SDK speaks https on port 443 only")
    if parts.scheme == "http" and environment != "stand-in" and not is_loopback(parts.hostname):
        raise GatewayRefused(f"braintree.url must be https for {environment}: cards cross it")
    port = str(parts.port or (443 if parts.scheme == "https" else 80))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Environment(environment, host, port, url, parts.scheme == "https", None, host, port)
