"""The stand-in gateway's own ledger: a file of JSON lines, each on the disk before it is answered.

Lines are tokens, transactions (each change writes the whole transaction again), request keys that
failed, customers that come and go, and cards that go into their vault or out of it. Of a card it
keeps bin, last 4, brand and expiry, and how its checks come out.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

TAKEN = ("submitted_for_settlement", "settlement_pending", "settling", "settled")


class LedgerError(Exception):
    """The ledger file cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Token:
    """A single-use payment method: what may be kept of a card, and how its checks come out."""

    id: str
    bin: str
    last4: str
    brand: str
    """in the words of `test_cards.Brand`"""
    expires: str
    """MMYYYY"""
    cvv: str
    """the answer of the security code check: M, N, U, S or I"""
    postal_code: str
    """the answer of the postal code check: M, N, U, S, I"""
    street: str
    avs_error: str
    """E or S, else empty"""
    fails: str
    """the processor code this card fails with; empty for a good one"""
    payer: str = ""
    """of an approved PayPal payment: no card then"""
    account_type: str = ""
    """checking or savings, of a bank account: no card then"""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One sale or refund in its present state."""

    id: str
    type: str
    """sale or credit"""
    status: str
    amount: str
    currency: str
    order_id: str
    merchant_account_id: str
    source: str
    token: Token
    created_at: str
    updated_at: str
    processor_code: str
    processor_text: str
    processor_type: str
    rejection: str = ""
    refund_of: str = ""
    customer_id: str = ""
    vault_token: str = ""
    """the card as its customer left it with the gateway"""

    @property
    def money(self) -> Decimal:
        return Decimal(self.amount)

    @property
    def created(self) -> datetime:
        return datetime.fromisoformat(self.created_at)

    @property
    def taken(self) -> bool:
        """Whether this sale took the money."""
        return self.type == "sale" and self.status in TAKEN

    def becomes(self, status: str, at: datetime) -> Transaction:
        """The same in another state."""
        return replace(self, status=status, updated_at=at.isoformat())

    @staticmethod
    def from_json(value: dict[str, Any]) -> Transaction:
        return Transaction(**{**value, "token": Token(**value["token"])})


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a request key was used for."""

    fingerprint: str
    """of the request's body"""
    transaction_id: str
    """empty if the request failed"""


@dataclass(frozen=True, slots=True)
class Vaulted:
    """A card that a customer left with the gateway."""

    token: str
    customer_id: str
    card: Token
    """as it was tokenised for the sale that it was left with"""


class Book:
    """What the lines of a ledger add up to."""

    def __init__(self) -> None:
        self.tokens: dict[str, Token] = {}
        self.used: set[str] = set()
        self.transactions: dict[str, Transaction] = {}
        self.keys: dict[str, KeyUse] = {}
        self.customers: set[str] = set()
        self.vault: dict[str, Vaulted] = {}

    def take(self, line: dict[str, Any]) -> None:
        """Add one line."""
        if line["kind"] == "token":
            token = Token(**line["token"])
            self.tokens[token.id] = token
        elif line["kind"] == "transaction":
            transaction = Transaction.from_json(line["transaction"])
            self.transactions[transaction.id] = transaction
            self.used.add(transaction.token.id)
            self._take_key(line, transaction.id)
        elif line["kind"] == "customer":
            self.customers.add(line["customer"])
        elif line["kind"] == "customer-gone":
            self._drop(line["customer"])
        elif line["kind"] == "vaulted":
            card = Token(**line["card"])
            self.vault[line["token"]] = Vaulted(line["token"], line["customer"], card)
            self.used.add(card.id)
        elif line["kind"] == "unvaulted":
            self.vault.pop(line["token"], None)
        else:
            self._take_key(line, "")

    def _drop(self, customer_id: str) -> None:
        self.customers.discard(customer_id)
        self.vault = {
            token: kept for token, kept in self.vault.items() if kept.customer_id != customer_id
        }

    def _take_key(self, line: dict[str, Any], transaction_id: str) -> None:
        if line.get("key"):
            self.keys[line["key"]] = KeyUse(line["fingerprint"], transaction_id)


class LedgerFile:
    """The open file; one stand-in at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file and read it again.

        Raises:
            LedgerError: it cannot be opened, is damaged, or another stand-in has it.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("a+b", buffering=0)
        except OSError as error:
            raise LedgerError(f"{path} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise LedgerError(f"{path} is in use: stop the other stand-in gateway first") from None
        self.book = Book()
        try:
            self._file.seek(0)
            self._file.truncate(_read(path, self._file.read(), self.book))
        except LedgerError:
            self._file.close()
            raise

    def token(self, token: Token) -> None:
        """Keep a new token."""
        self._append({"kind": "token", "token": asdict(token)})

    def transaction(self, transaction: Transaction, key: str = "", fingerprint: str = "") -> None:
        """Keep a new transaction or its new state."""
        line = {"kind": "transaction", "key": key, "fingerprint": fingerprint}
        self._append({**line, "transaction": asdict(transaction)})

    def failed_key(self, key: str, fingerprint: str) -> None:
        """Keep that the first request with this key was refused."""
        self._append({"kind": "failed-key", "key": key, "fingerprint": fingerprint})

    def customer(self, customer_id: str) -> None:
        """Keep a new customer."""
        self._append({"kind": "customer", "customer": customer_id})

    def customer_gone(self, customer_id: str) -> None:
        """Forget a customer and all that they left."""
        self._append({"kind": "customer-gone", "customer": customer_id})

    def vaulted(self, kept: Vaulted) -> None:
        """Keep a card in a customer's vault."""
        line = {"kind": "vaulted", "token": kept.token, "customer": kept.customer_id}
        self._append({**line, "card": asdict(kept.card)})

    def unvaulted(self, token: str) -> None:
        """Take a card out of the vault."""
        self._append({"kind": "unvaulted", "token": token})

    def close(self) -> None:
        self._file.close()

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        os.fsync(self._file.fileno())
        self.book.take(line)


def transactions(path: Path) -> list[Transaction]:
    """All transactions of a ledger file in their last state, oldest first; also while it is in use.

    Raises:
        LedgerError: there is no such file, or it is damaged.
    """
    book = Book()
    try:
        _read(path, path.read_bytes(), book)
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from None
    return list(book.transactions.values())


def _read(path: Path, data: bytes, book: Book) -> int:
    """Fill the book; the length of what is whole. A torn last line was never answered."""
    whole = data.rfind(b"\n") + 1
    for number, line in enumerate(data[:whole].splitlines(), start=1):
        try:
            book.take(json.loads(line))
        except (ValueError, KeyError, TypeError):
            raise LedgerError(f"{path} line {number} is damaged: move the file away") from None
    return whole
