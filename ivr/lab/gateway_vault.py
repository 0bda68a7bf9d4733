"""The stand-in's vault: customers, and the cards that sales left with them; no card number."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ivr.gateways.test_cards import Brand
from ivr.lab.gateway_answers import (
    CARD_TYPES,
    CREATED,
    NOT_FOUND,
    OK,
    Answer,
    Refused,
    bank_account,
    refusal,
)
from ivr.lab.gateway_ledger import LedgerFile, Token, Vaulted
from ivr.lab.gateway_wire import Items, document

CUSTOMER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
TOKEN_ALPHABET = "0123456789bcdfghjkmnpqrstvwxyz"  # noqa: S105 - what tokens are made of


class Vault:
    """What one merchant's customers have left with the gateway."""

    def __init__(self, ledger: LedgerFile) -> None:
        self._ledger = ledger

    def create_customer(self, body: Mapping[str, Any]) -> Answer:
        """POST /customers; without an id, one is made up."""
        wanted = body.get("id") or secrets.token_hex(5)
        if not CUSTOMER_ID.fullmatch(wanted):
            return refusal("91610", "customer")
        if wanted in self._ledger.book.customers:
            return refusal("91609", "customer")
        self._ledger.customer(wanted)
        return self._customer(wanted, CREATED)

    def find_customer(self, customer_id: str) -> Answer:
        """GET /customers/{id}."""
        known = customer_id in self._ledger.book.customers
        return self._customer(customer_id, OK) if known else NOT_FOUND

    def delete_customer(self, customer_id: str) -> Answer:
        """DELETE /customers/{id}; what they left goes with them."""
        if customer_id not in self._ledger.book.customers:
            return NOT_FOUND
        self._ledger.customer_gone(customer_id)
        return Answer(OK)

    def find_card(self, token: str) -> Answer:
        """GET /payment_methods/any/{token}."""
        kept = self._ledger.book.vault.get(token)
        if kept is None:
            return NOT_FOUND
        if kept.card.account_type:
            shown = {"token": kept.token, **bank_account(kept.card)}
            return Answer(OK, document("us-bank-account", shown))
        return Answer(OK, document("credit-card", fields(kept)))

    def delete_card(self, token: str) -> Answer:
        """DELETE /payment_methods/any/{token}."""
        if token not in self._ledger.book.vault:
            return NOT_FOUND
        self._ledger.unvaulted(token)
        return Answer(OK)

    def card(self, token: str) -> Token:
        """What a sale by this vaulted token charges. Raises Refused: there is no such token."""
        kept = self._ledger.book.vault.get(token)
        if kept is None:
            raise Refused("91518")
        # The security code is not kept: nobody may.
        return replace(kept.card, id=token, cvv="I")

    def check_customer(self, customer_id: str) -> None:
        """Return if a card may be left with this customer. Raises Refused."""
        if customer_id not in self._ledger.book.customers:
            raise Refused("91510")

    def keep(self, customer_id: str, card: Token) -> str:
        """Leave the card of a sale with a customer; its token."""
        token = "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(8))
        self._ledger.vaulted(Vaulted(token, customer_id, card))
        return token

    def _customer(self, customer_id: str, status: int) -> Answer:
        cards = tuple(
            ("credit-card", fields(kept))
            for kept in self._ledger.book.vault.values()
            if kept.customer_id == customer_id and not kept.card.account_type
        )
        customer = {
            "id": customer_id,
            "global-id": global_id(customer_id),
            "credit-cards": Items(cards),
            "addresses": Items(()),
        }
        return Answer(status, document("customer", customer))


def global_id(customer_id: str) -> str:
    """A customer's id in GraphQL."""
    return base64.urlsafe_b64encode(f"customer_{customer_id}".encode()).decode().rstrip("=")


def fields(kept: Vaulted) -> dict[str, Any]:
    """A vaulted card as Braintree shows it."""
    return {
        "token": kept.token,
        "customer-id": kept.customer_id,
        "bin": kept.card.bin,
        "last-4": kept.card.last4,
        "card-type": CARD_TYPES[Brand(kept.card.brand)],
        "expiration-month": kept.card.expires[:2],
        "expiration-year": kept.card.expires[2:],
        "expired": False,
        "default": False,
        "verifications": Items(()),
        "subscriptions": Items(()),
    }
