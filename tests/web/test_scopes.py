"""Every route of the API, as `saldo serve` has it: which scope opens it, and that no other does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast, get_args
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from ivr import debiting, online_paying, telling
from ivr.api_keys import api_keys
from ivr.refunding import Office
from ivr.settings import PROJECT, Settings
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.pool import Database
from ivr.storage.reports import PostgresReports
from ivr.web import payments, reports
from ivr.web.api import Noun, Sources, build
from ivr.web.keys import Scope
from tests.billing.assistance import Assistance

NOWHERE = "postgresql://saldo@127.0.0.1:1/nothing"
SETTINGS: Mapping[str, Any] = {
    "web": {
        "keys": [
            {"name": scope.value, "key": f"{scope.value:-<32}", "scopes": [scope.value]}
            for scope in Scope
        ]
    },
    "pay_page": {"url": "https://pay.example.com", "key": "k" * 32},
    "braintree": {
        "environment": "stand-in",
        "url": "http://127.0.0.1:1",
        "merchant_id": "m",
        "public_key": "p",
        "private_key": "s",
    },
}
OPEN = {"/healthz", "/readyz", "/metrics", "/braintree/webhooks"}
"""asked by programs without a key: probes, Prometheus, and Braintree, who signs"""
EVERY = {scope.value for scope in Scope}
SCOPES = {
    "GET /v1/key": EVERY,
    **{f"GET /v1/{noun}": {"read"} for noun in get_args(Noun)},
    "GET /v1/payments": {"read"},
    "GET /v1/payments/{payment_id}": {"read"},
    "GET /v1/payments/{payment_id}/refunds": {"read"},
    "GET /v1/payments/{payment_id}/refundable": {"refunds"},
    "POST /v1/payments/{payment_id}/refund": {"refunds"},
    "POST /v1/payments/{payment_id}/void": {"refunds"},
    "GET /v1/captures/calls": {"captures"},
    "POST /v1/captures": {"captures"},
    "GET /v1/captures/{capture_id}": {"captures"},
    "PATCH /v1/captures/{capture_id}": {"captures"},
    "GET /v1/captures/{capture_id}/events": {"captures"},
    "GET /v1/reports/settlement": {"reports"},
    "POST /v1/links": {"links"},
    "GET /v1/links/{link_id}": {"links"},
    "DELETE /v1/links/{link_id}": {"links"},
    "GET /v1/webhooks": {"webhooks"},
    "POST /v1/webhooks": {"webhooks"},
    "POST /v1/webhooks/{endpoint_id}/secret": {"webhooks"},
    "POST /v1/webhooks/{endpoint_id}/enable": {"webhooks"},
    "DELETE /v1/webhooks/{endpoint_id}": {"webhooks"},
    "GET /v1/webhooks/deliveries": {"webhooks"},
    "POST /v1/webhooks/deliveries/{delivery_id}/redeliver": {"webhooks"},
}


@pytest.fixture
async def app() -> AsyncIterator[FastAPI]:
    settings = Settings(**SETTINGS)
    nobody = cast("Any", None)
    keys = api_keys(settings)
    async with AsyncExitStack() as stack:
        database = await Database.open(NOWHERE)
        stack.push_async_callback(database.close)
        yield build(
            Sources(
                readers=dict.fromkeys(get_args(Noun), nobody),
                checks={},
                metrics=CollectorRegistry(),
                keys=keys,
                assisting=Assistance().assisting,
                routers=[
                    telling.routes(settings, database, keys),
                    payments.routes(PostgresPayments(database), keys),
                    reports.routes(PostgresReports(database), keys),
                    Office(settings, stack, database).routes(keys),
                    debiting.routes(settings, stack, database),
                    *online_paying.pages(settings, stack, database, nobody),
                ],
            )
        )


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        yield asking


def operations(app: FastAPI) -> dict[str, Any]:
    """`METHOD /path` → what OpenAPI says of it."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in app.openapi()["paths"].items()
        if path not in OPEN
        for method, operation in item.items()
    }


def address(operation: str) -> tuple[str, str]:
    """One that fits: an id of each kind is nobody's."""
    method, path = operation.split()
    ids = {"link_id": 1, "delivery_id": 1}
    names = ("payment_id", "capture_id", "endpoint_id")
    return method, path.format(**ids, **dict.fromkeys(names, UUID(int=1)))


def test_every_file_with_routes_is_looked_at(app: FastAPI) -> None:
    files = {
        f"ivr.web.{path.stem}"
        for path in Path(PROJECT / "ivr/web").glob("*.py")
        if "APIRouter(" in path.read_text(encoding="utf-8")
    }
    routers = [getattr(included, "original_router", app) for included in app.routes]
    looked_at = {
        getattr(route, "endpoint", app).__module__ for router in routers for route in router.routes
    }
    assert files <= looked_at


def test_every_route_is_in_the_list(app: FastAPI) -> None:
    assert set(operations(app)) == set(SCOPES)


async def test_without_a_key_no_route_is_opened(app: FastAPI, client: httpx.AsyncClient) -> None:
    for operation in operations(app):
        answer = await client.request(*address(operation))
        assert (operation, answer.status_code) == (operation, 401)


async def test_each_route_is_opened_by_its_scope_alone(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    opened: dict[str, set[str]] = {}
    for operation in operations(app):
        answers = {
            scope.value: (
                await client.request(
                    *address(operation), headers={"Authorization": f"Bearer {scope.value:-<32}"}
                )
            ).status_code
            for scope in Scope
        }
        opened[operation] = {scope for scope, status in answers.items() if status != 403}
    assert opened == SCOPES


def test_whatever_is_posted_can_be_posted_again(app: FastAPI) -> None:
    keyless = {
        name
        for name, operation in operations(app).items()
        if name.startswith("POST")
        and "Idempotency-Key" not in {each["name"] for each in operation.get("parameters", ())}
    }
    assert keyless == set()
