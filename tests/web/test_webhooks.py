"""`/v1/webhooks` over ASGI, with a real database behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from ivr.billing.messages import PROGRAM_KINDS, Channel, DeliveryState, Message
from ivr.messaging.networks import Networks
from ivr.messaging.webhooks import new_secret
from ivr.storage.deliveries import PostgresDeliveries
from ivr.storage.events import PostgresEvents
from ivr.storage.pool import Database
from ivr.storage.webhook_endpoints import PostgresEndpoints
from ivr.web import webhooks
from ivr.web.errors import PROBLEM, add_handlers
from ivr.web.keys import Key, Keys, Scope

KEY = "k" * 32
OTHER = "o" * 32
KEYS = Keys([Key("all", KEY), Key("reports", OTHER, frozenset({Scope.REPORTS}))])
HOOKS = "/v1/webhooks"
CRM = "https://crm.example/hooks"


def app(database: Database, *, plain_http: bool = False) -> FastAPI:
    made = FastAPI()
    add_handlers(made)
    made.include_router(
        webhooks.routes(
            PostgresEndpoints(database),
            PostgresDeliveries(database),
            new_secret,
            KEYS,
            Networks(["127.0.0.0/8"] if plain_http else []).allow,
            plain_http=plain_http,
        )
    )
    return made


def asking(made: FastAPI, key: str = KEY) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(made),
        base_url="http://saldo",
        headers={"Authorization": f"Bearer {key}"},
        event_hooks={"request": [a_new_wish]},
    )


async def a_new_wish(request: httpx.Request) -> None:
    request.headers.setdefault("Idempotency-Key", f"wish-{uuid4()}")


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with database.session() as session:
        await session.script("clean", "DELETE FROM deliveries")
        await session.script("clean", "DELETE FROM webhook_endpoints")
        await session.script("clean", "DELETE FROM events")
    async with asking(app(database)) as client:
        yield client


async def test_a_secret_is_shown_when_it_is_made_and_never_again(client: httpx.AsyncClient) -> None:
    made = await client.post(HOOKS, json={"url": CRM, "kinds": ["invoice.paid"]})
    assert made.status_code == 201
    endpoint = made.json()
    assert endpoint.pop("secret").startswith("whsec_")
    assert endpoint["kinds"] == ["invoice.paid"]
    listed = await client.get(HOOKS)
    assert listed.json() == {"data": [endpoint]}
    rotated = await client.post(f"{HOOKS}/{endpoint['id']}/secret")
    assert rotated.json()["secret"] != made.json()["secret"]
    assert "whsec" not in (await client.get(HOOKS)).text


async def test_the_same_wish_sent_again_is_one_endpoint_with_one_secret(
    client: httpx.AsyncClient,
) -> None:
    wish = {"Idempotency-Key": "an-endpoint-please"}
    first, second = await asyncio.gather(
        *(client.post(HOOKS, json={"url": CRM}, headers=wish) for _ in range(2))
    )
    assert (first.status_code, first.json()) == (201, second.json())
    assert len((await client.get(HOOKS)).json()["data"]) == 1
    other = await client.post(HOOKS, json={"url": CRM, "kinds": ["invoice.paid"]}, headers=wish)
    assert other.status_code == 409
    await client.delete(f"{HOOKS}/{first.json()['id']}")
    assert (await client.post(HOOKS, json={"url": CRM}, headers=wish)).status_code == 409


async def test_a_secret_asked_for_twice_does_not_end_the_one_that_receivers_know(
    client: httpx.AsyncClient, database: Database
) -> None:
    made = (await client.post(HOOKS, json={"url": CRM})).json()
    wish = {"Idempotency-Key": "a-new-secret"}
    rotation = f"{HOOKS}/{made['id']}/secret"
    first, second = await asyncio.gather(*(client.post(rotation, headers=wish) for _ in range(2)))
    assert first.json() == second.json()
    (kept,) = await PostgresEndpoints(database).all()
    assert (kept.secret, kept.previous_secret) == (first.json()["secret"], made["secret"])
    third = await client.post(rotation)
    assert third.json()["secret"] != first.json()["secret"]


async def test_an_endpoint_is_enabled_once_for_each_key(
    client: httpx.AsyncClient, database: Database
) -> None:
    made = (await client.post(HOOKS, json={"url": CRM})).json()
    enabling, wish = f"{HOOKS}/{made['id']}/enable", {"Idempotency-Key": "take-it-again"}

    async def enabled(headers: dict[str, str]) -> str:
        answer = await client.post(enabling, headers=headers)
        assert answer.status_code == 200
        return str(answer.json()["state"])

    endpoints = PostgresEndpoints(database)
    await endpoints.disable(UUID(made["id"]), "it answered 410")
    assert await enabled(wish) == "enabled"
    await endpoints.disable(UUID(made["id"]), "it answered 410 again")
    assert await enabled(wish) == "disabled"  # the request of before, late
    assert await enabled({}) == "enabled"


async def test_an_endpoint_is_deleted_once(client: httpx.AsyncClient) -> None:
    endpoint = (await client.post(HOOKS, json={"url": CRM})).json()
    assert (await client.delete(f"{HOOKS}/{endpoint['id']}")).status_code == 204
    assert (await client.delete(f"{HOOKS}/{endpoint['id']}")).status_code == 404
    assert (await client.get(HOOKS)).json() == {"data": []}
    for action in ("secret", "enable"):
        assert (await client.post(f"{HOOKS}/{uuid4()}/{action}")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://crm.example/"},
        {"url": "https://user:secret@crm.example/"},
        {"url": "ftp://crm.example/"},
        {"url": "crm"},
        {"url": "https://169.254.169.254/latest/meta-data/"},
        {"url": "https://[::ffff:10.0.0.1]/"},
        {"url": "https://2130706433/"},
        {"url": "https://crm.example/4111111111111111"},
        {"url": "https://crm.example/" + "x" * 3000},
        {"url": CRM, "kinds": ["Invoice Paid!"]},
        {"url": CRM, "secret": "whsec_mine"},
        {},
    ],
)
async def test_what_is_no_endpoint_is_refused(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    assert (await client.post(HOOKS, json=body)).status_code == 422


async def test_a_mistyped_kind_is_refused_with_all_that_there_are(
    client: httpx.AsyncClient,
) -> None:
    kinds = ["invoice.paid", "payment.nope"]
    refused = await client.post(HOOKS, json={"url": CRM, "kinds": kinds})
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    assert "body.kinds.1: nothing is told of the kind 'payment.nope'" in refused.json()["detail"]
    for kind in PROGRAM_KINDS:
        assert kind in refused.json()["detail"]
    assert (await client.get(HOOKS)).json() == {"data": []}


async def test_what_is_in_no_way_a_kind_is_not_repeated(client: httpx.AsyncClient) -> None:
    refused = await client.post(HOOKS, json={"url": CRM, "kinds": ["code 8417"]})
    assert refused.status_code == 422
    assert "8417" not in refused.text


async def test_every_kind_there_is_can_be_wanted(client: httpx.AsyncClient) -> None:
    made = await client.post(HOOKS, json={"url": CRM, "kinds": list(PROGRAM_KINDS)})
    assert (made.status_code, made.json()["kinds"]) == (201, list(PROGRAM_KINDS))


async def test_an_endpoint_without_tls_must_be_allowed(database: Database) -> None:
    async with asking(app(database, plain_http=True)) as client:
        made = await client.post(HOOKS, json={"url": "http://127.0.0.1:9/"})
    assert made.status_code == 201


async def test_dead_letters_are_listed_and_sent_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    endpoint = (await client.post(HOOKS, json={"url": CRM})).json()
    events, node = PostgresEvents(database), PostgresDeliveries(database)
    await events.tell(*(Message("webhook", "promise.made", {"promise": n}) for n in range(5)))
    await node.plan(tuple(Channel), ())
    taken = await node.claim(tuple(Channel), {}, 10, 60)
    for delivery in taken[:3]:
        await node.ended(delivery, DeliveryState.DEAD, "500 for days", "oops")
    dead = await client.get(f"{HOOKS}/deliveries", params={"state": "dead", "limit": 2})
    first, second = dead.json()["data"]
    assert (first["error"], first["answer"], first["kind"]) == (
        "500 for days",
        "oops",
        "promise.made",
    )
    rest = await client.get(
        f"{HOOKS}/deliveries", params={"state": "dead", "before": dead.json()["next"]}
    )
    assert len(rest.json()["data"]) == 1
    assert rest.json()["next"] is None
    again = await client.post(f"{HOOKS}/deliveries/{second['id']}/redeliver")
    assert (again.status_code, again.json()) == (202, {"state": "waiting"})
    keyless = await client.post(
        f"{HOOKS}/deliveries/{second['id']}/redeliver", headers={"Idempotency-Key": ""}
    )
    assert keyless.status_code == 422
    waiting = await client.get(f"{HOOKS}/deliveries", params={"state": "waiting"})
    assert second["id"] in {one["id"] for one in waiting.json()["data"]}
    assert (await client.post(f"{HOOKS}/deliveries/999999/redeliver")).status_code == 404
    await client.delete(f"{HOOKS}/{endpoint['id']}")
    assert (await client.post(f"{HOOKS}/deliveries/{first['id']}/redeliver")).status_code == 409
    of_it = await client.get(f"{HOOKS}/deliveries", params={"endpoint": endpoint["id"]})
    assert len(of_it.json()["data"]) == 5


@pytest.mark.parametrize(("key", "status"), [("wrong", 401), (OTHER, 403)])
async def test_without_a_key_for_webhooks_nothing_opens(
    database: Database, key: str, status: int
) -> None:
    async with asking(app(database), key) as client:
        for method, path in (
            ("GET", HOOKS),
            ("POST", HOOKS),
            ("GET", f"{HOOKS}/deliveries"),
            ("DELETE", f"{HOOKS}/{uuid4()}"),
        ):
            assert (await client.request(method, path)).status_code == status
