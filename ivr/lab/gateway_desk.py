"""The stand-in's transactions: sale, void, settlement, refund and search, by Braintree's rules."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from ivr.billing.errors import MoneyNotUnderstood
from ivr.billing.money import Money
from ivr.lab.gateway_answers import (
    CREATED,
    NOT_FOUND,
    OK,
    Answer,
    Refused,
    found_ids,
    page,
    refusal,
    transaction,
)
from ivr.lab.gateway_faults import Faults
from ivr.lab.gateway_ledger import LedgerFile, Token, Transaction
from ivr.lab.gateway_sandbox import Verdict, decide
from ivr.lab.gateway_vault import Vault
from ivr.lab.gateway_wire import document

DUPLICATE_WINDOW = timedelta(seconds=30)
LONGEST_ID = 255
SOURCES = {
    "recurring_first",
    "recurring",
    "installment_first",
    "installment",
    "merchant",
    "moto",
    "unscheduled",
}
VOIDABLE = ("authorized", "submitted_for_settlement", "settlement_pending")
NOT_SEARCHABLE = Answer(422, document("api-error-response", {"message": "Cannot search by this."}))
ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Account:
    """The merchant, as its control panel has it."""

    merchant_id: str = "saldo_lab"
    public_key: str = "saldo_public"
    private_key: str = "saldo_private"
    merchant_accounts: Mapping[str, str] = field(
        default_factory=lambda: {
            code: f"saldo_{code.lower()}" for code in ("EUR", "USD", "GBP", "JPY", "KWD")
        }
    )
    """currency → merchant account id; the first is the default"""
    moto: bool = True
    request_keys: bool = True
    verifies_cards: bool = True
    fraud_rules: bool = True


class UnknownCriterion(Exception):
    """A search by something that this stand-in cannot search by: no answer beats a wrong one."""


@dataclass(frozen=True, slots=True)
class _Key:
    value: str
    fingerprint: str


class Desk:
    """Everything one merchant can do with transactions."""

    def __init__(
        self, account: Account, ledger: LedgerFile, faults: Faults, now: Callable[[], datetime]
    ) -> None:
        self._account = account
        self._ledger = ledger
        self._faults = faults
        self._now = now
        self.vault = Vault(ledger)
        self.in_flight: set[str] = set()
        """request keys of sales that were received and not answered yet"""

    def sale(self, body: Mapping[str, Any]) -> Answer:
        """POST /transactions."""
        return self._keyed("sale", body, lambda key: self._sell(body, key))

    def find(self, transaction_id: str, status: int = OK) -> Answer:
        """GET /transactions/{id}."""
        found = self._ledger.book.transactions.get(transaction_id)
        return transaction(found, status) if found else NOT_FOUND

    def void(self, transaction_id: str, body: Mapping[str, Any]) -> Answer:
        """PUT /transactions/{id}/void."""
        return self._change(transaction_id, body, VOIDABLE, "voided", "91504")

    def submit(self, transaction_id: str, body: Mapping[str, Any]) -> Answer:
        """PUT /transactions/{id}/submit_for_settlement."""
        status = "submitted_for_settlement"
        return self._change(transaction_id, body, ("authorized",), status, "91507")

    def settle(self, transaction_id: str, body: Mapping[str, Any]) -> Answer:
        """PUT /transactions/{id}/settle: the sandbox's own short cut to the night's settlement."""
        return self._change(transaction_id, body, VOIDABLE[1:], "settled", "91507")

    def refund(self, transaction_id: str, body: Mapping[str, Any]) -> Answer:
        """POST /transactions/{id}/refund; without an amount, all that is left."""
        sale = self._ledger.book.transactions.get(transaction_id)
        if sale is None:
            return NOT_FOUND
        operation = f"refund {transaction_id}"
        return self._keyed(operation, body, lambda key: self._pay_back(sale, body, key))

    def reverse(self, transaction_id: str, body: Mapping[str, Any]) -> Answer:
        """POST /transactions/{id}/reverse: void what can be voided, else refund all of it."""
        sale = self._ledger.book.transactions.get(transaction_id)
        is_open = sale is not None and sale.status in VOIDABLE
        return self.void(transaction_id, body) if is_open else self.refund(transaction_id, body)

    def search_ids(self, search: Mapping[str, Any]) -> Answer:
        """POST /transactions/advanced_search_ids."""
        youngest = self._now() - timedelta(seconds=self._faults.lag_seconds())
        try:
            matching = [each for each in self._matching(search) if each.created <= youngest]
        except UnknownCriterion:
            return NOT_SEARCHABLE
        return found_ids(matching)

    def search(self, search: Mapping[str, Any]) -> Answer:
        """POST /transactions/advanced_search."""
        try:
            return page(self._matching(search))
        except UnknownCriterion:
            return NOT_SEARCHABLE

    def tokens_keep(self, token: Token) -> None:
        """Keep a token that was just given out."""
        self._ledger.token(token)

    def _keyed(
        self, operation: str, body: Mapping[str, Any], work: Callable[[_Key | None], Answer]
    ) -> Answer:
        """At most once for each request key; the key's first use decides."""
        try:
            key = self._key(operation, body)
            if key is not None and key.value in self._ledger.book.keys:
                return self._again(key)
        except Refused as error:
            return refusal(str(error))
        try:
            return work(key)
        except Refused as error:
            if key is not None:
                self._ledger.failed_key(key.value, key.fingerprint)
            return refusal(str(error))

    def _key(self, operation: str, body: Mapping[str, Any]) -> _Key | None:
        value = body.get("api_request_key")
        if not value:
            return None
        if len(value) > LONGEST_ID:
            raise Refused("915230")
        if not self._account.request_keys or self._faults.refuses("refuse-keys"):
            raise Refused("915231")
        whole = json.dumps([operation, body], sort_keys=True, default=str)
        return _Key(value, hashlib.sha256(whole.encode()).hexdigest())

    def _again(self, key: _Key) -> Answer:
        use = self._ledger.book.keys[key.value]
        if use.fingerprint != key.fingerprint:
            raise Refused("915232")
        if not use.transaction_id:
            raise Refused("915234")
        return transaction(self._ledger.book.transactions[use.transaction_id], CREATED)

    def _sell(self, body: Mapping[str, Any], key: _Key | None) -> Answer:
        currency, account_id = self._merchant_account(body)
        amount = _amount(body.get("amount"), currency)
        self._check_source(body)
        if len(body.get("order_id") or "") > LONGEST_ID:
            raise Refused("91501")
        token = self._token(body)
        customer_id, keeps = self._customer(body)
        new = self._transaction("sale", amount, currency, token, merchant_account_id=account_id)
        new = replace(
            new, order_id=body.get("order_id") or "", source=body.get("transaction_source") or ""
        )
        new = self._decided(new, body, keyed=key is not None)
        vault_token = body.get("payment_method_token") or ""
        if keeps and new.taken:
            vault_token = self.vault.keep(customer_id, token)
        self._keep(replace(new, customer_id=customer_id, vault_token=vault_token), key)
        return self.find(new.id, CREATED)

    def _customer(self, body: Mapping[str, Any]) -> tuple[str, bool]:
        """Whose sale it is, and whether the card is to be left with them."""
        options = body.get("options") or {}
        customer_id = body.get("customer_id") or ""
        keeps = options.get("store_in_vault_on_success") is True
        if customer_id:
            self.vault.check_customer(customer_id)
        return customer_id, keeps and bool(customer_id)

    def _decided(self, new: Transaction, body: Mapping[str, Any], *, keyed: bool) -> Transaction:
        verdict = decide(
            new.money,
            new.token,
            verifies_cards=self._account.verifies_cards,
            fraud_rules=self._account.fraud_rules,
        )
        if verdict.approved and not keyed and self._is_duplicate(new):
            verdict = Verdict("gateway_rejected", rejection="duplicate")
        options = body.get("options") or {}
        settles = verdict.approved and options.get("submit_for_settlement") is True
        pending = "settlement_pending" if new.token.account_type else "submitted_for_settlement"
        return replace(
            new,
            status=pending if settles else verdict.status,
            processor_code=verdict.code,
            processor_text=verdict.text,
            processor_type=verdict.type,
            rejection=verdict.rejection,
        )

    def _merchant_account(self, body: Mapping[str, Any]) -> tuple[str, str]:
        wanted = body.get("merchant_account_id")
        for currency, account_id in self._account.merchant_accounts.items():
            if not wanted or wanted == account_id:
                return currency, account_id
        raise Refused("91513")

    def _check_source(self, body: Mapping[str, Any]) -> None:
        source = body.get("transaction_source")
        if source and source not in SOURCES:
            raise Refused("915133")
        allowed = self._account.moto and not self._faults.refuses("refuse-moto")
        if source == "moto" and not allowed:
            raise Refused("91558")

    def _token(self, body: Mapping[str, Any]) -> Token:
        if body.get("payment_method_token"):
            return self.vault.card(body["payment_method_token"])
        nonce = body.get("payment_method_nonce")
        if not nonce:
            raise Refused("91508")  # raw card numbers are not taken, on purpose
        if nonce not in self._ledger.book.tokens:
            raise Refused("91565")
        if nonce in self._ledger.book.used:
            raise Refused("91564")
        return self._ledger.book.tokens[nonce]

    def _is_duplicate(self, new: Transaction) -> bool:
        since = new.created - DUPLICATE_WINDOW
        return any(
            (old.amount, old.order_id) == (new.amount, new.order_id)
            and (old.token.bin, old.token.last4) == (new.token.bin, new.token.last4)
            and old.created >= since
            and (old.taken or old.status == "authorized")
            for old in self._ledger.book.transactions.values()
        )

    def _pay_back(self, sale: Transaction, body: Mapping[str, Any], key: _Key | None) -> Answer:
        if sale.status not in ("settled", "settling"):
            raise Refused("91506")
        refunds = (
            each.money
            for each in self._ledger.book.transactions.values()
            if each.refund_of == sale.id
        )
        left = sale.money - sum(refunds, Decimal(0))
        if not left:
            raise Refused("91512")
        amount = _amount(body["amount"], sale.currency) if body.get("amount") else left
        if amount > left:
            raise Refused("91521")
        new = self._transaction(
            "credit",
            amount,
            sale.currency,
            sale.token,
            merchant_account_id=sale.merchant_account_id,
        )
        order_id = body.get("order_id") or sale.order_id
        new = replace(new, order_id=order_id, refund_of=sale.id)
        self._keep(new, key)
        return transaction(new, CREATED)

    def _change(
        self,
        transaction_id: str,
        body: Mapping[str, Any],
        allowed: tuple[str, ...],
        status: str,
        otherwise: str,
    ) -> Answer:
        old = self._ledger.book.transactions.get(transaction_id)
        if old is None:
            return NOT_FOUND

        def work(key: _Key | None) -> Answer:
            if old.status not in allowed:
                raise Refused(otherwise)
            new = old.becomes(status, self._now())
            self._keep(new, key)
            return transaction(new, OK)

        return self._keyed(f"{status} {transaction_id}", body, work)

    def _keep(self, new: Transaction, key: _Key | None) -> None:
        if key is None:
            self._ledger.transaction(new)
        else:
            self._ledger.transaction(new, key.value, key.fingerprint)

    def _transaction(
        self, kind: str, amount: Decimal, currency: str, token: Token, *, merchant_account_id: str
    ) -> Transaction:
        now = self._now().astimezone(UTC).isoformat()
        return Transaction(
            id="".join(secrets.choice(ID_ALPHABET) for _ in range(8)),
            type=kind,
            status="submitted_for_settlement",
            amount=str(amount),
            currency=currency,
            order_id="",
            merchant_account_id=merchant_account_id,
            source="",
            token=token,
            created_at=now,
            updated_at=now,
            processor_code="1002",
            processor_text="Processed",
            processor_type="approved",
        )

    def _matching(self, search: Mapping[str, Any]) -> list[Transaction]:
        return [
            each
            for each in self._ledger.book.transactions.values()
            if all(_meets(each, *criterion) for criterion in search.items())
        ]


def _amount(text: Any, currency: str) -> Decimal:
    """An amount in the currency's own shape: "42.50", "4250" yen, "4.250" dinars."""
    if not text:
        raise Refused("81502")
    try:
        amount = Money(Decimal(str(text)), currency).amount
    except (InvalidOperation, MoneyNotUnderstood):
        raise Refused("81503") from None
    if amount <= 0:
        raise Refused("81531")
    return amount


def _meets(each: Transaction, name: str, wanted: Any) -> bool:
    """Whether a transaction meets one criterion. Raises UnknownCriterion."""
    if name == "ids":
        return each.id in wanted
    if name == "created_at" and isinstance(wanted, Mapping):
        low, high = wanted.get("min"), wanted.get("max")
        # To the second, as the criteria are.
        created = each.created.replace(microsecond=0)
        return (low is None or created >= low) and (high is None or created <= high)
    if name in ("order_id", "id") and isinstance(wanted, Mapping):
        value = getattr(each, name)
        checks = {
            "is": value.__eq__,
            "is_not": value.__ne__,
            "starts_with": value.startswith,
            "ends_with": value.endswith,
            "contains": value.__contains__,
        }
        if set(wanted) <= set(checks):
            return all(checks[how](text) for how, text in wanted.items())
    raise UnknownCriterion
