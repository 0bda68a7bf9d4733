"""A stand-in for Braintree on this machine: its wire format, its sandbox's rules, its own ledger.

Run as `python -m ivr.lab.gateway --port 0 --ledger var/lab/gateway.jsonl`; when it is ready it says
where it listens in one line of JSON. It listens on loopback only, takes published test cards only,
and keeps no card number.

Beside Braintree's own paths: `GET /ledger` for tests that count money, `POST /misbehave` (see
gateway_faults.py) and `DELETE /misbehave`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hmac
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Never

from aiohttp import web

from ivr.lab import gateway_tokens as tokens
from ivr.lab.gateway_answers import UNPROCESSABLE, Answer
from ivr.lab.gateway_answers import refusal as refused
from ivr.lab.gateway_bank import Bank
from ivr.lab.gateway_desk import Account, Desk
from ivr.lab.gateway_faults import Fault, Faults, NoSuchFault
from ivr.lab.gateway_hosted import Hosted
from ivr.lab.gateway_ledger import LedgerError, LedgerFile
from ivr.lab.gateway_paypal import PayPal
from ivr.lab.gateway_wire import NotUnderstood, document, parse

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 1.0
"""How long requests that hang may go on when the stand-in stops."""
GRAPHQL_OPERATIONS = {
    "tokenizeCreditCard": "tokenize",
    "tokenizeUsBankAccount": "tokenize",
    "vaultUsBankAccount": "vault",
    "chargeUsBankAccount": "sale",
}
"""what faults may befall"""
LOOK_SECONDS = 0.02
"""How often a hanging answer looks whether its client has left."""
NOT_AUTHORIZED = Answer(401, document("api-error-response", {"message": "Authentication failed"}))
MALFORMED = Answer(400, document("api-error-response", {"message": "Malformed request"}))


class StandIn:
    """One merchant's gateway; `start` it, ask it, `stop` it."""

    def __init__(
        self,
        ledger: Path,
        *,
        account: Account | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises LedgerError: the ledger file cannot be used."""
        self.account = account or Account()
        self.faults = Faults()
        self.url = ""
        self._ledger = LedgerFile(ledger)
        self._desk = Desk(self.account, self._ledger, self.faults, now)
        self._hosted = Hosted(self.account.merchant_id, self.account.private_key, self._ledger)
        self._paypal = PayPal(self._ledger)
        self._bank = Bank(self.account, self._desk, self._ledger, now)
        login = f"{self.account.public_key}:{self.account.private_key}".encode()
        self._login = b"Basic " + base64.b64encode(login)
        self._runner = web.AppRunner(self._routes(), access_log=None, shutdown_timeout=STOP_SECONDS)

    async def start(self, port: int = 0) -> str:
        """Listen; the URL. Raises OSError: the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, port)
        await site.start()
        self.url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        self._paypal.reached_at(self.url)
        return self.url

    async def stop(self) -> None:
        """Stop listening; the ledger is complete at any time."""
        await self._runner.cleanup()
        self._ledger.close()

    def _routes(self) -> web.Application:
        app = web.Application()
        merchant = f"/merchants/{self.account.merchant_id}"
        here = f"{merchant}/transactions"
        desk, vault, hosted = self._desk, self._desk.vault, self._hosted
        one = here + "/{id:[A-Za-z0-9_-]+}"
        means = merchant + "/payment_methods/any/{id:[A-Za-z0-9_-]+}"
        app.add_routes(
            [
                web.post("/graphql", self._graphql),
                web.post(here, self._sale),
                web.post(f"{here}/advanced_search_ids", self._search(desk.search_ids)),
                web.post(f"{here}/advanced_search", self._search(desk.search)),
                web.get(one, self._look("find", desk.find)),
                web.post(f"{merchant}/customers", self._create_customer),
                web.get(merchant + "/customers/{id}", self._look("find", vault.find_customer)),
                web.delete(
                    merchant + "/customers/{id}", self._look("remove", vault.delete_customer)
                ),
                web.get(means, self._look("find", vault.find_card)),
                web.delete(means, self._look("remove", vault.delete_card)),
                web.put(f"{one}/void", self._change("void", desk.void)),
                web.put(f"{one}/submit_for_settlement", self._change("settle", desk.submit)),
                web.put(f"{one}/settle", self._change("settle", desk.settle)),
                web.post(f"{one}/refund", self._change("refund", desk.refund)),
                web.post(f"{one}/reverse", self._change("reverse", desk.reverse)),
                web.post(f"{merchant}/client_token", self._client_token),
                web.get(merchant + "/payment_method_nonces/{id}", self._look("find", hosted.nonce)),
                *hosted.routes(),
                *self._paypal.routes(),
                *self._bank.routes(),
                web.get("/ledger", self._show_ledger),
                web.post("/misbehave", self._misbehave),
                web.delete("/misbehave", self._behave),
            ]
        )
        return app

    async def _client_token(self, request: web.Request) -> web.StreamResponse:
        body = await self._body(request, "client_token")
        if isinstance(body, Answer):
            return _xml(body)
        return await self._do(request, "find", lambda: self._hosted.client_token(self.url))

    def _knows(self, request: web.Request) -> bool:
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._login)

    async def _sale(self, request: web.Request) -> web.StreamResponse:
        body = await self._body(request, "transaction")
        if isinstance(body, Answer):
            return _xml(body)
        key = body.get("api_request_key")
        if key is None:
            return await self._do(request, "sale", lambda: self._desk.sale(body))
        if key in self._desk.in_flight:
            return _xml(refused("915233"))
        self._desk.in_flight.add(key)
        try:
            return await self._do(request, "sale", lambda: self._desk.sale(body))
        finally:
            self._desk.in_flight.discard(key)

    async def _create_customer(self, request: web.Request) -> web.StreamResponse:
        body = await self._body(request, "customer")
        if isinstance(body, Answer):
            return _xml(body)
        return await self._do(request, "customer", lambda: self._desk.vault.create_customer(body))

    def _look(self, operation: str, work: Callable[[str], Answer]) -> Callable[[web.Request], Any]:
        """What needs no body but the id in its path."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if not self._knows(request):
                return _xml(NOT_AUTHORIZED)
            return await self._do(request, operation, lambda: work(request.match_info["id"]))

        return handle

    def _change(
        self, operation: str, work: Callable[[str, Mapping[str, Any]], Answer]
    ) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await self._body(request, "transaction")
            if isinstance(body, Answer):
                return _xml(body)
            return await self._do(request, operation, lambda: work(request.match_info["id"], body))

        return handle

    def _search(self, work: Callable[[Mapping[str, Any]], Answer]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await self._body(request, "search")
            if isinstance(body, Answer):
                return _xml(body)
            return await self._do(request, "search", lambda: work(body))

        return handle

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        if not self._knows(request):
            return web.json_response(tokens.not_authenticated())
        try:
            asked = json.loads(await request.read())
            name = tokens.operation(asked["query"])
            variables = asked.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return web.json_response(tokens.unknown_field(""))
        operation = GRAPHQL_OPERATIONS.get(name, "ping")
        return await self._do(
            request, operation, lambda: Answer(200, json.dumps(self._resolve(name, variables)))
        )

    def _resolve(self, name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        if name == "ping":
            return tokens.pong()
        operations = {**self._paypal.operations, **self._bank.operations}
        if name in operations:
            return operations[name](variables)
        if name != "tokenizeCreditCard":
            return tokens.unknown_field(name)
        token = tokens.tokenize(variables)
        if isinstance(token, list):
            return tokens.refused(token)
        self._desk.tokens_keep(token)
        return tokens.tokenized(token)

    async def _body(self, request: web.Request, root: str) -> Mapping[str, Any] | Answer:
        """What is inside the body's root element, or the answer to a request that is none."""
        if not self._knows(request):
            return NOT_AUTHORIZED
        try:
            body = parse(await request.read()).get(root) or {}
        except NotUnderstood:
            return MALFORMED
        return body if isinstance(body, dict) else MALFORMED

    async def _do(
        self, request: web.Request, operation: str, work: Callable[[], Answer]
    ) -> web.StreamResponse:
        """Do the work and answer, or misbehave as asked."""
        fault = self.faults.strike(operation)
        respond = _json if request.path == "/graphql" else _xml
        if fault is None:
            return respond(work())
        if fault.mode == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.mode == "hang":
            await _hang(request, fault.seconds)
        if fault.mode not in ("hang", "reset-before"):
            answer = work()
            if fault.mode == "twice":
                answer = work()
            if fault.mode in ("delay", "twice"):
                return respond(answer)
        if fault.mode == "hang-after":
            await _hang(request, fault.seconds)
        return _fail(request, fault)

    async def _show_ledger(self, _request: web.Request) -> web.Response:
        book = self._ledger.book
        rows = [{**asdict(each), "taken": each.taken} for each in book.transactions.values()]
        for row in rows:
            row["token"].pop("id")
        return web.json_response({"transactions": rows, "tokens": len(book.tokens)})

    async def _misbehave(self, request: web.Request) -> web.Response:
        try:
            self.faults.ask(await request.json())
        except NoSuchFault as error:
            return web.json_response({"error": str(error)}, status=UNPROCESSABLE)
        except (ValueError, AttributeError):
            return web.json_response({"error": "send a JSON object"}, status=UNPROCESSABLE)
        return web.Response(status=204)

    async def _behave(self, _request: web.Request) -> web.Response:
        self.faults.clear()
        return web.Response(status=204)


async def _hang(request: web.Request, seconds: float) -> None:
    """Until the time is over or the client has left."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(LOOK_SECONDS)


def _fail(request: web.Request, fault: Fault) -> web.Response:
    if fault.mode != "500-after-capture" and request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _xml(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, text=answer.body, content_type="application/xml")


def _json(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, text=answer.body, content_type="application/json")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    default = Account()
    parser = argparse.ArgumentParser(prog="ivr.lab.gateway", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--ledger", type=Path, required=True, help="its file of JSON lines")
    parser.add_argument("--merchant-id", default=default.merchant_id)
    parser.add_argument("--public-key", default=default.public_key)
    parser.add_argument("--private-key", default=default.private_key)
    parser.add_argument(
        "--merchant-account",
        action="append",
        metavar="CURRENCY=ID",
        help="may be repeated; EUR=saldo_eur, USD=saldo_usd, GBP=saldo_gbp by default",
    )
    parser.add_argument("--no-moto", action="store_true", help="refuse telephone orders")
    parser.add_argument("--no-request-keys", action="store_true", help="refuse api_request_key")
    parser.add_argument(
        "--no-verify-cards", action="store_true", help="declining test cards decline no sale"
    )
    parser.add_argument(
        "--no-fraud-rules", action="store_true", help="a wrong security code is not rejected"
    )
    return parser.parse_args(argv)


def _account(arguments: argparse.Namespace) -> Account:
    pairs = [pair.partition("=") for pair in arguments.merchant_account or ()]
    if not all(currency and account_id for currency, _, account_id in pairs):
        _leave("--merchant-account must look like EUR=saldo_eur")
    accounts = {currency: account_id for currency, _, account_id in pairs}
    return Account(
        merchant_id=arguments.merchant_id,
        public_key=arguments.public_key,
        private_key=arguments.private_key,
        merchant_accounts=accounts or Account().merchant_accounts,
        moto=not arguments.no_moto,
        request_keys=not arguments.no_request_keys,
        verifies_cards=not arguments.no_verify_cards,
        fraud_rules=not arguments.no_fraud_rules,
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        stand_in = StandIn(arguments.ledger, account=_account(arguments))
    except LedgerError as error:
        _leave(str(error))
    try:
        await stand_in.start(arguments.port)
    except OSError as error:
        _leave(f"port {arguments.port} cannot be used ({error.strerror}): choose another --port")
    ready = {
        "url": stand_in.url,
        "port": int(stand_in.url.rpartition(":")[2]),
        "pid": os.getpid(),
        "ledger": str(arguments.ledger),
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await stopping.wait()
    await stand_in.stop()


def _leave(sentence: str) -> Never:
    sys.stderr.write(f"ivr.lab.gateway: {sentence}\n")
    raise SystemExit(1)


def main(argv: list[str] | None = None) -> None:
    """Serve until stopped."""
    asyncio.run(serve(_arguments(argv)))


if __name__ == "__main__":
    main()
