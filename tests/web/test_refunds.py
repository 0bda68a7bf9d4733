"""Refunds and voids over REST: who may, what is answered, and whose name is on the trail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from ivr.billing.errors import (
    AttemptNotFound,
    GatewayNotReached,
    LedgerUnavailable,
    OutcomeUnknown,
)
from ivr.billing.refunds import NotGivenBack, Refund
from ivr.billing.transactions import Standing
from ivr.web.errors import PROBLEM, add_handlers
from ivr.web.keys import Key, Keys, Scope
from ivr.web.refunds import routes
from tests.billing.test_refunding import Office

KEY = "r" * 32


class Trail:
    """What was given back."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def of_payment(self, attempt_id: UUID) -> list[Refund]:
        if attempt_id not in self.office.company.attempts:
            raise AttemptNotFound(f"no payment {attempt_id}")
        kept = self.office.company.refunds.values()
        return [each.refund for each in kept if each.refund.attempt_id == attempt_id]


class Staff:
    """Somebody with a key, at an office whose payment is settled or not."""

    def __init__(self, standing: Standing = Standing.SETTLED) -> None:
        self.office = Office(standing)
        keys = Keys(
            [
                Key("billing team", KEY, frozenset({Scope.REFUNDS, Scope.READ})),
                Key("dashboard", "d" * 32, frozenset({Scope.READ})),
            ]
        )
        app = FastAPI()
        add_handlers(app)
        app.include_router(routes(self.office.refunding, Trail(self.office), keys))
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://saldo"
        )

    async def ask(
        self,
        how: str = "refund",
        *,
        secret: str = KEY,
        key: str = "",
        payment: str = "",
        **body: Any,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key or str(uuid4())}
        body = {"reason": "charged by mistake", **body}
        payment = payment or str(self.office.attempt.id)
        return await self.http.post(f"/v1/payments/{payment}/{how}", json=body, headers=headers)

    async def trail(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.trail_of(self.office.attempt.id)).json()["data"]
        return found

    async def trail_of(self, payment: UUID) -> httpx.Response:
        headers = {"Authorization": f"Bearer {'d' * 32}"}
        return await self.http.get(f"/v1/payments/{payment}/refunds", headers=headers)


@pytest.fixture
async def staff() -> AsyncIterator[Staff]:
    one = Staff()
    yield one
    await one.http.aclose()


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def test_a_part_is_given_back_in_the_name_of_the_key(staff: Staff) -> None:
    answer = await staff.ask(amount=euros("10.00"))
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["state"], shown["kind"], shown["amount"]) == ("done", "refund", euros("10.00"))
    assert (shown["who"], shown["reason"]) == ("billing team", "charged by mistake")
    assert [each["id"] for each in await staff.trail()] == [shown["id"]]


async def test_a_whole_payment_is_voided_before_it_is_settled_by_either_way() -> None:
    for how in ("refund", "void"):
        staff = Staff(Standing.CAPTURED)
        answer = await staff.ask(how)
        assert (answer.status_code, answer.json()["kind"]) == (201, "void")
        await staff.http.aclose()


async def test_the_same_key_gives_the_same_answer_and_nothing_twice(staff: Staff) -> None:
    first = await staff.ask(key="key-of-a-wish", amount=euros("10.00"))
    again = await staff.ask(key="key-of-a-wish", amount=euros("10.00"))
    assert first.json() == again.json()
    assert len(staff.office.giver.credits) == 1
    other = await staff.ask(key="key-of-a-wish", amount=euros("11.00"))
    assert other.status_code == 409
    assert other.headers["content-type"] == PROBLEM


async def test_what_is_not_known_yet_is_accepted_and_not_called_done(staff: Staff) -> None:
    staff.office.giver.will(OutcomeUnknown("reset"))
    answer = await staff.ask(amount=euros("10.00"))
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"amount": euros("42.51")}, 409, "42.50 EUR"),
        ({"amount": {"amount": "1.00", "currency": "USD"}}, 409, "EUR"),
        ({"amount": euros("1.001")}, 422, "decimals"),
        ({"amount": euros("0")}, 422, "greater than 0"),
        ({"amount": euros("-1")}, 422, "greater than 0"),
        ({"reason": "  "}, 422, "reason"),
        ({"surprise": 1}, 422, "surprise"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_reason(
    staff: Staff, body: dict[str, Any], status: int, words: str
) -> None:
    answer = await staff.ask(**body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert words in answer.text
    assert staff.office.giver.asked == []


async def test_a_settled_payment_is_not_voided(staff: Staff) -> None:
    answer = await staff.ask("void")
    assert answer.status_code == 409
    assert "refund it" in answer.json()["detail"]


async def test_what_the_gateway_refuses_is_a_problem_and_on_the_trail(staff: Staff) -> None:
    staff.office.giver.will(NotGivenBack("91506 not settled"))
    answer = await staff.ask()
    assert answer.status_code == 409
    assert "91506" in answer.text
    assert [each["state"] for each in await staff.trail()] == ["refused"]


async def test_a_gateway_that_is_away_before_anything_is_asked_is_503(
    staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_sale: object) -> None:
        raise GatewayNotReached("no network")

    monkeypatch.setattr(staff.office.giver, "standing", away)
    answer = await staff.ask()
    assert answer.status_code == 503
    assert staff.office.company.refunds == {}


async def test_a_payment_that_nobody_knows_is_not_found(staff: Staff) -> None:
    assert (await staff.ask(payment=str(uuid4()))).status_code == 404
    assert (await staff.trail_of(uuid4())).status_code == 404
    assert await staff.trail() == []


async def test_a_key_without_the_right_gives_nothing_back(staff: Staff) -> None:
    assert (await staff.ask(secret="d" * 32)).status_code == 403
    assert (await staff.ask(secret="x" * 32)).status_code == 401
    assert staff.office.company.refunds == {}


@pytest.mark.parametrize("key", ["short", "4111111111111111"])
async def test_a_key_that_could_be_a_card_number_or_a_slip_is_refused(
    staff: Staff, key: str
) -> None:
    assert (await staff.ask(key=key)).status_code == 422


async def asked_how(staff: Staff, secret: str = KEY) -> httpx.Response:
    payment = staff.office.attempt.id
    headers = {"Authorization": f"Bearer {secret}"}
    return await staff.http.get(f"/v1/payments/{payment}/refundable", headers=headers)


async def test_it_is_said_beforehand_how_much_is_left_and_how_it_would_go_back() -> None:
    for standing, kind in ((Standing.SETTLED, "refund"), (Standing.CAPTURED, "void")):
        staff = Staff(standing)
        assert (await asked_how(staff)).json() == {"kind": kind, "left": euros("42.50")}
        assert staff.office.giver.asked == []
        await staff.http.aclose()


async def test_what_is_left_shrinks_until_nothing_is(staff: Staff) -> None:
    await staff.ask(amount=euros("40.00"))
    assert (await asked_how(staff)).json()["left"] == euros("2.50")
    await staff.ask()
    answer = await asked_how(staff)
    assert (answer.status_code, answer.headers["content-type"]) == (409, PROBLEM)


async def test_how_it_would_go_back_is_told_to_who_may_give_it_back(staff: Staff) -> None:
    assert (await asked_how(staff, "d" * 32)).status_code == 403


async def test_a_database_that_goes_away_does_not_claim_that_nothing_happened(
    staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise LedgerUnavailable("gone")

    monkeypatch.setattr(staff.office.refunds, "done", away)
    answer = await staff.ask(key="key-of-a-wish")
    assert len(staff.office.giver.credits) == 1
    assert answer.status_code == 503
    assert "same Idempotency-Key" in answer.text
    assert "Nothing was changed" not in answer.text
