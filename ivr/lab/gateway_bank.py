"""The stand-in's bank: accounts by GraphQL, network checks, and what the bank says days later.

Braintree's published test accounts decide what a network check comes to. Days are on request:
`POST /bank/{transaction or order id}/settle` and `/return?code=R01`, each of which tells the
webhook address of `PUT /bank/webhooks` with Braintree's signature; `?lost=1` loses that webhook.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from ivr.gateways import test_accounts
from ivr.lab import gateway_tokens as tokens
from ivr.lab.gateway_answers import UNPROCESSABLE, notification
from ivr.lab.gateway_desk import Account, Desk
from ivr.lab.gateway_ledger import LedgerFile, Token, Transaction, Vaulted
from ivr.lab.gateway_vault import global_id
from ivr.lab.gateway_wire import parse

APPROVED = {"1000", "1003"}
WEBHOOK_SECONDS = 10.0
TYPES = ("CHECKING", "SAVINGS")
ROUTING_INVALID = ("93101", "Routing number is invalid.", "usBankAccount.routingNumber")
ACCOUNT_INVALID = ("93102", "Account number is invalid.", "usBankAccount.accountNumber")
TYPE_INVALID = ("93103", "Account type is invalid.", "usBankAccount.accountType")
OWNER_MISSING = ("93104", "Either an individual or a business owns it.", "usBankAccount")
MANDATE_MISSING = ("93105", "ACH mandate is required.", "usBankAccount.achMandate")
TOKEN_UNKNOWN = ("91565", "Unknown or expired payment method.", "paymentMethodId")
NOT_VERIFIED = ("915172", "US bank account is not verified.", "paymentMethodId")
NOT_BY_TELEPHONE = ("915173", "Standard entry class code must be TEL here.", "options")
CUSTOMER_UNKNOWN = ("91510", "Customer ID is invalid.", "customerId")
METHOD_UNKNOWN = ("93120", "Verification method is not played here.", "verificationMethod")
ENDS = {"settle": "settled", "return": "settlement_declined"}
KINDS = {"settled": "transaction_settled", "settlement_declined": "transaction_settlement_declined"}
FROM = {
    "settled": ("settlement_pending",),
    "settlement_declined": ("settlement_pending", "settled"),
}
Resolve = Callable[[Mapping[str, Any]], dict[str, Any]]


class Bank:
    """One merchant's bank accounts."""

    def __init__(
        self, account: Account, desk: Desk, ledger: LedgerFile, now: Callable[[], datetime]
    ) -> None:
        self._account = account
        self._desk = desk
        self._ledger = ledger
        self._now = now
        self._webhooks = ""

    @property
    def operations(self) -> Mapping[str, Resolve]:
        """GraphQL mutations by name."""
        return {
            "tokenizeUsBankAccount": self._tokenize,
            "vaultUsBankAccount": self._vault,
            "chargeUsBankAccount": self._charge,
        }

    def routes(self) -> list[web.RouteDef]:
        """What a test asks of the bank."""
        return [
            web.put("/bank/webhooks", self._send_to),
            web.post("/bank/{id}/{what:settle|return}", self._later),
        ]

    # --- GraphQL

    def _tokenize(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        wanted = variables["input"]["usBankAccount"]
        number, kind = str(wanted.get("accountNumber")), str(wanted.get("accountType"))
        owners = [name for name in ("individualOwner", "businessOwner") if wanted.get(name)]
        faults = [
            fault
            for fault, wrong in (
                (ROUTING_INVALID, not is_routing_number(str(wanted.get("routingNumber")))),
                (ACCOUNT_INVALID, not re.fullmatch(r"[0-9]{4,17}", number)),
                (TYPE_INVALID, kind not in TYPES),
                (OWNER_MISSING, len(owners) != 1),
                (MANDATE_MISSING, not wanted.get("achMandate")),
            )
            if wrong
        ]
        if faults:
            return tokens.refused(faults, "tokenizeUsBankAccount")
        code, *_ = test_accounts.ANSWERS.get(number, test_accounts.UNKNOWN)
        if number == test_accounts.CHECKING_ONLY and kind != "CHECKING":
            code = "1000"
        token = account_token(number[-4:], kind.lower(), "" if code in APPROVED else code)
        self._ledger.token(token)
        method = {"id": token.id, "usage": "SINGLE_USE"}
        return tokens.answered("tokenizeUsBankAccount", {"paymentMethod": method})

    def _vault(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        wanted = variables["input"]
        found = self._ledger.book.tokens.get(wanted["paymentMethodId"])
        if found is None or not found.account_type or found.id in self._ledger.book.used:
            return tokens.refused([TOKEN_UNKNOWN], "vaultUsBankAccount")
        if wanted.get("verificationMethod") != "NETWORK_CHECK":
            return tokens.refused([METHOD_UNKNOWN], "vaultUsBankAccount")
        customer = self._customer(wanted.get("customerId"))
        if customer is None:
            return tokens.refused([CUSTOMER_UNKNOWN], "vaultUsBankAccount")
        token = secrets.token_urlsafe(12)
        self._ledger.vaulted(Vaulted(token, customer, found))
        answers = {code: (code, text) for code, text, _ in test_accounts.ANSWERS.values()}
        code, text = answers.get(found.fails or "1000", test_accounts.UNKNOWN[:2])
        verification = {
            "status": "PROCESSOR_DECLINED" if found.fails else "VERIFIED",
            "processorResponse": {"legacyCode": code, "message": text},
        }
        answer = {"paymentMethod": {"id": token}, "verification": verification}
        return tokens.answered("vaultUsBankAccount", answer)

    def _customer(self, wanted: str | None) -> str | None:
        """By their id in GraphQL; without one the vault makes somebody up."""
        if not wanted:
            customer_id = secrets.token_hex(5)
            self._ledger.customer(customer_id)
            return customer_id
        known = {global_id(one): one for one in self._ledger.book.customers}
        return known.get(wanted)

    def _charge(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        wanted = variables["input"]
        kept = self._ledger.book.vault.get(wanted["paymentMethodId"])
        if kept is None or kept.card.fails:
            fault = NOT_VERIFIED if kept else TOKEN_UNKNOWN
            return tokens.refused([fault], "chargeUsBankAccount")
        options = wanted.get("options") or {}
        if options.get("standardEntryClassCode") != "TEL":
            return tokens.refused([NOT_BY_TELEPHONE], "chargeUsBankAccount")
        sale = {
            "amount": wanted["transaction"]["amount"],
            "order_id": wanted["transaction"]["orderId"],
            "merchant_account_id": wanted["transaction"]["merchantAccountId"],
            "payment_method_token": kept.token,
            "api_request_key": wanted.get("apiRequestKey"),
            "options": {"submit_for_settlement": True, **options},
        }
        answer = self._desk.sale({name: value for name, value in sale.items() if value})
        body = parse(answer.body.encode())
        whole = body.get("api_error_response") or body
        if "transaction" not in whole:
            return tokens.refused([_fault(answer.body)], "chargeUsBankAccount")
        made = self._ledger.book.transactions[whole["transaction"]["id"]]
        return tokens.answered("chargeUsBankAccount", {"transaction": shown(made)})

    # --- days later

    async def _send_to(self, request: web.Request) -> web.Response:
        url = str((await request.json()).get("url", ""))
        if urlsplit(url).hostname != "127.0.0.1":
            return web.json_response({"error": "webhooks stay on 127.0.0.1"}, status=UNPROCESSABLE)
        self._webhooks = url
        return web.Response(status=204)

    async def _later(self, request: web.Request) -> web.Response:
        becomes = ENDS[request.match_info["what"]]
        found = self._find(request.match_info["id"])
        if found is None:
            return web.json_response({"error": "there is no such debit"}, status=404)
        if found.status not in FROM[becomes]:
            error = f"it is {found.status}"
            return web.json_response({"error": error}, status=UNPROCESSABLE)
        later = found.becomes(becomes, self._now())
        if becomes == "settlement_declined":
            code = request.query.get("code", "R01")
            later = replace(later, processor_code=code, processor_text="Returned by the bank")
        self._ledger.transaction(later)
        is_lost = bool(request.query.get("lost")) or not self._webhooks
        told = None if is_lost else await self._tell(later)
        return web.json_response({"id": later.id, "status": later.status, "webhook": told})

    def _find(self, wanted: str) -> Transaction | None:
        return next(
            (
                each
                for each in self._ledger.book.transactions.values()
                if wanted in (each.id, each.order_id) and each.token.account_type
            ),
            None,
        )

    async def _tell(self, transaction: Transaction) -> int:
        """Send the webhook; the status of the answer, 0 when there was none."""
        told = notification(KINDS[transaction.status], transaction, self._now())
        form = signed(told, self._account.public_key, self._account.private_key)
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._webhooks, data=form) as answer,
            ):
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


def signed(told: str, public_key: str, private_key: str) -> dict[str, str]:
    """The form of a webhook, as Braintree signs it."""
    payload = base64.encodebytes(told.encode())
    key = hashlib.sha1(private_key.encode(), usedforsecurity=False).digest()
    signature = hmac.new(key, payload, hashlib.sha1).hexdigest()
    return {"bt_signature": f"{public_key}|{signature}", "bt_payload": payload.decode()}


def account_token(last4: str, account_type: str, fails: str) -> Token:
    """What stands for a bank account; no number of it is kept."""
    return Token(
        id=f"tokenusbankacct_bf_{'_'.join(secrets.token_hex(3) for _ in range(5))}",
        bin="",
        last4=last4,
        brand="",
        expires="",
        cvv="I",
        postal_code="I",
        street="I",
        avs_error="",
        fails=fails,
        account_type=account_type,
    )


def shown(of: Transaction) -> dict[str, Any]:
    """A transaction as GraphQL shows it."""
    response = {"legacyCode": of.processor_code, "message": of.processor_text}
    event: dict[str, Any] = {"processorResponse": response}
    if of.processor_type.endswith("_declined"):
        event["declineType"] = of.processor_type.removesuffix("_declined").upper()
    if of.rejection:
        event["gatewayRejectionReason"] = of.rejection.upper()
    return {
        "legacyId": of.id,
        "status": of.status.upper(),
        "orderId": of.order_id,
        "createdAt": of.created_at,
        "amount": {"value": of.amount},
        "statusHistory": [event],
    }


def is_routing_number(text: str) -> bool:
    """Nine digits with the check digit of the American Bankers Association."""
    if not re.fullmatch(r"[0-9]{9}", text):
        return False
    return sum(int(digit) * (3, 7, 1)[place % 3] for place, digit in enumerate(text)) % 10 == 0


def _fault(body: str) -> tokens.Fault:
    """The first validation error of an XML answer."""
    code = re.search(r"<code>(\d+)</code>", body)
    message = re.search(r"<message>([^<]*)</message>", body)
    return (code[1] if code else "", message[1] if message else "", "transaction")
