"""Links that staff asks for over REST: for what, to whom, once a key, looked at and revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from ivr.billing.customers import Customer
from ivr.billing.invoices import Invoice
from ivr.billing.linking import Linking
from ivr.billing.links import LinkKey
from ivr.billing.messages import ToCustomer
from ivr.billing.payments import Captured
from ivr.billing.terms import SmallestPart, Terms
from ivr.storage.links import PostgresLinks
from ivr.storage.pool import Database
from ivr.web.errors import PROBLEM, add_handlers
from ivr.web.keys import Key, Keys, Scope
from ivr.web.links import routes
from tests.storage.test_links import CARD
from tests.storage.world import PostgresWorld, opened

KEY = "l" * 32
TERMS = Terms(SmallestPart.written("10%", "EUR"))
ON_FILE = "UPDATE customers SET phone = '+34600000001', email = $2 WHERE id = $1"
SENT = """
SELECT topic, kind, payload ->> 'url' AS url, until FROM events
WHERE (payload ->> 'customer')::bigint = $1 ORDER BY id"""


class Staff:
    """Somebody with a key, and a customer with two invoices."""

    def __init__(self, database: Database, ways: Sequence[ToCustomer] = ("text", "mail")) -> None:
        self.world = PostgresWorld(database)
        self.links = PostgresLinks(database, LinkKey("k" * 32, "https://pay.example.com"))
        keys = Keys(
            [
                Key("help desk", KEY, frozenset({Scope.LINKS})),
                Key("dashboard", "d" * 32, frozenset({Scope.READ})),
            ]
        )
        linking = Linking(self.links, self.world.directory, self.world.invoices, TERMS, ways)
        app = FastAPI()
        add_handlers(app)
        app.include_router(routes(linking, keys, 60.0))
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://saldo"
        )
        self.customer: Customer
        self.invoices: list[Invoice]

    async def begins(self, mail: str = "james@example.com") -> None:
        self.customer = await self.world.customer()
        await self.world.ask(ON_FILE, self.customer.id, mail)
        service = await self.world.service(self.customer)
        self.invoices = [await self.world.invoice(service, each) for each in ("42.50", "36.00")]

    async def asks(self, *, secret: str = KEY, key: str = "", **wanted: Any) -> httpx.Response:
        """For a link; by default to all that is due."""
        wanted = wanted or {"account": self.customer.account_number}
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key or f"key-{uuid4()}"}
        return await self.http.post("/v1/links", json=wanted, headers=headers)

    async def makes(self, **wanted: Any) -> dict[str, Any]:
        answer = await self.asks(**wanted)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def does(self, method: str, link_id: int) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEY}"}
        return await self.http.request(method, f"/v1/links/{link_id}", headers=headers)

    async def looks(self, link_id: int) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.does("GET", link_id)).json()
        return shown

    async def sent(self) -> list[Any]:
        return await self.rows(SENT, self.customer.id)

    async def made(self) -> int:
        asked = "SELECT count(*) FROM links WHERE customer_id = $1"
        ((count,),) = await self.rows(asked, self.customer.id)
        return int(count)

    async def rows(self, question: str, *values: object) -> list[Any]:
        async with self.world.database.session() as session:
            return list(await session.raw.fetch(question, *values))

    async def pays(self, link_id: int, *invoices: Invoice) -> str:
        attempt = await opened(self.world, *invoices)
        await self.links.claim(link_id, uuid4(), attempt.id, taken=True)
        await self.world.ledger.begin_charging(attempt.id, CARD)
        captured = Captured(uuid4().hex[:8], "1000", datetime.now(UTC))
        return (await self.world.ledger.captured(attempt.id, captured)).confirmation


@pytest.fixture
async def staff(database: Database) -> AsyncIterator[Staff]:
    one = Staff(database)
    await one.begins()
    yield one
    await one.http.aclose()


async def test_a_link_is_for_all_that_is_due_and_shows_it(staff: Staff) -> None:
    answer = await staff.asks()
    made = answer.json()
    assert answer.headers["Location"] == f"/v1/links/{made['id']}"
    bill = await staff.links.bill(made["id"])
    assert bill
    assert bill.link.url == made["url"]
    assert [each.id for each in bill.invoices] == [each.id for each in staff.invoices]
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert 3590 < left.total_seconds() <= 3600
    assert await staff.sent() == []  # whoever asked gives it to the customer


async def test_a_link_is_for_one_invoice_or_a_part_for_as_long_as_wanted(staff: Staff) -> None:
    first = staff.invoices[0]
    amount = {"amount": "10.00", "currency": "EUR"}
    made = await staff.makes(invoices=[first.number], amount=amount, minutes=5)
    assert made["invoice_ids"] == [first.id]
    assert made["amounts"] == {str(first.id): amount}
    bill = await staff.links.bill(made["id"])
    assert bill
    assert str(bill.amount.amount) == "10.00"
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert 290 < left.total_seconds() <= 300


async def test_it_is_sent_to_what_is_on_file(staff: Staff) -> None:
    made = await staff.makes(account=staff.customer.account_number, tell=["text", "mail"])
    text, mail = await staff.sent()
    assert (text["topic"], mail["topic"]) == ("text", "mail")
    assert {text["kind"], mail["kind"]} == {"pay-link"}
    assert {text["url"], mail["url"]} == {made["url"]}
    assert text["until"].isoformat() == mail["until"].isoformat() == made["expires_at"]


async def test_the_same_wish_with_the_same_key_is_one_link_sent_once(staff: Staff) -> None:
    key = f"key-{uuid4()}"
    wanted: dict[str, Any] = {"account": staff.customer.account_number, "tell": ["text"]}
    answers = await asyncio.gather(*(staff.asks(key=key, **wanted) for _ in range(6)))
    first, *others = (each.json() for each in answers)
    assert [each.status_code for each in answers] == [201] * 6
    assert others == [first] * 5
    assert await staff.made() == len(await staff.sent()) == 1
    await staff.pays(first["id"], *staff.invoices)
    assert (await staff.asks(key=key, **wanted)).json() == first  # whatever became of it
    other = await staff.asks(key=key, account=staff.customer.account_number)
    assert (other.status_code, other.headers["content-type"]) == (409, PROBLEM)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"account": "nobody"}, 422),
        ({"invoices": ["none"]}, 422),
        ({"tell": ["text"]}, 422),
        ({"account": "", "invoices": []}, 422),
        ({"account": "A", "tell": ["webhook"]}, 422),
        ({"account": "A", "minutes": 0}, 422),
        ({"account": "A", "amount": {"amount": "0", "currency": "EUR"}}, 422),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_is_refused(staff: Staff, wanted: dict[str, Any], status: int) -> None:
    answer = await staff.asks(**wanted)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)


async def test_a_wish_for_nothing_is_told_what_to_name(staff: Staff) -> None:
    answer = await staff.asks(invoices=[])
    assert answer.json()["detail"] == "body: name an `account` or `invoices`"


async def test_nothing_due_too_much_and_too_little_are_refused(staff: Staff) -> None:
    account = staff.customer.account_number
    for amount in ("78.51", "7.84"):
        part = {"amount": amount, "currency": "EUR"}
        assert (await staff.asks(account=account, amount=part)).status_code == 422
    made = await staff.makes()
    await staff.pays(made["id"], *staff.invoices)
    answer = await staff.asks()
    assert answer.json()["detail"] == "nothing is due on this account"


async def test_who_cannot_be_reached_gets_no_link(staff: Staff, database: Database) -> None:
    without = Staff(database)
    await without.begins(mail="")
    answer = await without.asks(account=without.customer.account_number, tell=["mail"])
    assert answer.status_code == 422
    assert answer.json()["detail"] == "no e-mail address of this customer is on file"
    only_text = Staff(database, ways=["text"])
    answer = await only_text.asks(account=staff.customer.account_number, tell=["mail"])
    assert answer.json()["detail"] == "no mail can be sent: set [mail] up"
    assert await without.made() == await staff.made() == 0


async def test_a_link_is_looked_at(staff: Staff) -> None:
    made = await staff.makes()
    assert await staff.looks(made["id"]) == {**made, "state": "open", "paid": None}
    confirmation = await staff.pays(made["id"], staff.invoices[0])
    half = await staff.looks(made["id"])
    assert half["state"] == "open"
    amount = {"amount": "42.50", "currency": "EUR"}
    assert half["paid"] == {"amount": amount, "confirmation": confirmation}
    await staff.pays(made["id"], staff.invoices[1])
    assert (await staff.looks(made["id"]))["state"] == "paid"
    doubtful = await staff.world.invoice(await staff.world.service(staff.customer), "5.00")
    link = await staff.makes(invoices=[doubtful.number])
    attempt = await opened(staff.world, doubtful)
    await staff.world.ledger.begin_charging(attempt.id, CARD)
    await staff.world.ledger.unknown(attempt.id, "no answer")
    assert (await staff.looks(link["id"]))["state"] == "confirming"
    over = "UPDATE links SET expires_at = now() WHERE id = $1"
    await staff.world.ask(over, link["id"])
    assert (await staff.looks(link["id"]))["state"] == "expired"


async def test_a_revoked_link_shows_nothing_and_who_did_it_is_kept(staff: Staff) -> None:
    made = await staff.makes()
    for _ in range(2):
        assert (await staff.does("DELETE", made["id"])).status_code == 204
    assert await staff.links.bill(made["id"]) is None
    assert (await staff.looks(made["id"]))["state"] == "revoked"
    trail = "SELECT asked_by, revoked_by FROM links WHERE id = $1"
    ((asked_by, revoked_by),) = await staff.rows(trail, made["id"])
    assert (asked_by, revoked_by) == ("help desk", "help desk")


async def test_a_link_that_was_never_made_is_not_found(staff: Staff) -> None:
    for method in ("GET", "DELETE"):
        assert (await staff.does(method, 12345)).status_code == 404
        assert (await staff.does(method, 1 << 48)).status_code == 422


async def test_another_key_may_not(staff: Staff) -> None:
    assert (await staff.asks(secret="d" * 32)).status_code == 403
    assert (await staff.asks(secret="x" * 32)).status_code == 401
    assert await staff.made() == 0
