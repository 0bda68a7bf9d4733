"""A CRM told by SOAP: zeep against a small service with a WSDL, over real HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.billing.messages import Arrived, Channel, Delivery, Failed, Outcome
from ivr.messaging.soap import Operation, Soap, SoapService, request
from ivr.settings import PROJECT
from tests.messaging.deliveries import delivery

NAMESPACE = "urn:crm"
ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
WSDL = (PROJECT / "ivr/lab/crm.wsdl").read_text(encoding="utf-8")
ANSWER = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
<ReactivateLineResponse xmlns="urn:crm"><Status>{status}</Status><Ticket>T-1</Ticket>
</ReactivateLineResponse></e:Body></e:Envelope>"""
FAULT = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>
<faultcode>e:Server</faultcode><faultstring>line unknown</faultstring></e:Fault></e:Body>
</e:Envelope>"""
REACTIVATE = Operation(
    "ReactivateLine",
    fields={
        "RequestId": "message.id",
        "Line.Id": "service.external_id",
        "Line.Reason": "=paid by phone",
        "Paid": "payment.amount",
    },
    expects={"Status": "OK"},
)


class Crm:
    """A SOAP service with moods."""

    def __init__(self) -> None:
        self.mood = "OK"
        self.bodies: list[ET.Element] = []
        self.logins: list[str] = []
        app = web.Application()
        app.router.add_get("/wsdl", self._wsdl)
        app.router.add_post("/crm", self._take)
        self.server = TestServer(app)

    @property
    def wsdl(self) -> str:
        return str(self.server.make_url("/wsdl"))

    async def _wsdl(self, request: web.Request) -> web.Response:
        if self.mood == "away":
            return web.Response(status=503)
        return web.Response(text=WSDL.replace("ADDRESS", str(self.server.make_url("/crm"))))

    async def _take(self, request: web.Request) -> web.Response:
        self.logins.append(request.headers.get("Authorization", ""))
        root = ET.fromstring(await request.text())  # noqa: S314 - our own
        self.bodies.append(root)
        match self.mood:
            case "hangs":
                await asyncio.sleep(2)
            case "elsewhere":
                raise web.HTTPFound("/wsdl")
            case "fault":
                return web.Response(status=500, text=FAULT, content_type="text/xml")
            case "nonsense":
                return web.Response(text="<html>maintenance", content_type="text/html")
            case "busy":
                return web.Response(status=503, text="busy")
        return web.Response(text=ANSWER.format(status=self.mood), content_type="text/xml")


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    crm = Crm()
    await crm.server.start_server()
    yield crm
    await crm.server.close()


@pytest.fixture
def service(crm: Crm) -> SoapService:
    return SoapService(crm.wsdl, {"service.reactivated": REACTIVATE}, timeout_seconds=1)


@pytest.fixture
def soap(service: SoapService) -> Iterator[Soap]:
    soap = Soap(service)
    yield soap
    soap.close()


BACK = delivery(Channel.SOAP, "service.reactivated")


async def told(service: SoapService, about: Delivery = BACK) -> Outcome:
    soap = Soap(service)
    try:
        return await soap.send(about)
    finally:
        soap.close()


async def test_the_crm_is_told_in_its_own_words_and_its_answer_kept(crm: Crm, soap: Soap) -> None:
    outcome = await soap.send(BACK)
    assert outcome == Arrived('{"Status": "OK", "Ticket": "T-1"}')
    (body,) = crm.bodies
    said = {node.tag.split("}")[1]: node.text for node in body.iter() if node.text}
    assert said == {
        "RequestId": "msg_5",
        "Id": "C1042-1",
        "Reason": "paid by phone",
        "Paid": "42.50",
    }


def test_moments_and_days_are_written_as_xml_has_them() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    facts: dict[str, Any] = {"payment": {"captured_at": moment, "day": date(2026, 1, 31)}}
    values = request({"At": "payment.captured_at", "On": "payment.day"}, facts)
    assert values == {"At": "2026-01-31T12:00:00+00:00", "On": "2026-01-31"}


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        ("NO", "the service said no: Status is not OK"),
        ("fault", "the service refused (e:Server)"),
        ("busy", "the service answered 503"),
        ("hangs", "the service was not reached (ReadTimeout)"),
        ("elsewhere", "the service was not reached (TooManyRedirects)"),
        ("nonsense", "the service answered no SOAP"),
    ],
)
async def test_whatever_is_not_a_yes_is_tried_again(
    crm: Crm, soap: Soap, mood: str, why: str
) -> None:
    crm.mood = mood
    outcome = await soap.send(BACK)
    assert isinstance(outcome, Failed)
    assert (outcome.why, outcome.for_good) == (why, False)
    crm.mood = "OK"
    assert isinstance(await soap.send(BACK), Arrived)


async def test_a_crm_that_is_away_at_first_is_reached_when_it_is_back(crm: Crm, soap: Soap) -> None:
    crm.mood = "away"
    assert isinstance(await soap.send(BACK), Failed)
    crm.mood = "OK"
    assert isinstance(await soap.send(BACK), Arrived)


async def test_we_log_in_by_header_or_within_the_envelope(crm: Crm, service: SoapService) -> None:
    await told(replace(service, user="saldo", password="secret"))
    assert crm.logins == ["Basic " + base64.b64encode(b"saldo:secret").decode()]
    await told(replace(service, user="saldo", password="secret", login="wsse"))
    assert crm.logins[1] == ""
    names = {node.text for node in crm.bodies[1].find(f"{ENVELOPE}Header").iter()}  # type: ignore[union-attr] # a failed test
    assert {"saldo", "secret"} <= names
    assert "secret" not in repr(replace(service, user="saldo", password="secret"))


async def test_another_address_than_the_wsdls_may_be_named(crm: Crm, service: SoapService) -> None:
    elsewhere = replace(service, address="http://127.0.0.1:1/crm")
    outcome = await told(elsewhere)
    assert isinstance(outcome, Failed)
    assert crm.bodies == []


@pytest.mark.parametrize(
    ("operation", "why", "for_good"),
    [
        (
            Operation("ReactivateLine", {"RequestId": "invoice.number"}),
            "[soap] names invoice.number, which this event does not have",
            True,
        ),
        (Operation("Nothing"), "Nothing does not fit the WSDL (AttributeError)", False),
        (
            Operation("ReactivateLine", {"Colour": "=red"}),
            "ReactivateLine does not fit the WSDL (TypeError)",
            False,
        ),
    ],
)
async def test_a_mistake_in_the_settings_is_said(
    service: SoapService, operation: Operation, why: str, *, for_good: bool
) -> None:
    outcome = await told(replace(service, operations={"service.reactivated": operation}))
    assert isinstance(outcome, Failed)
    assert (outcome.why, outcome.for_good) == (why, for_good)
    nothing = await told(replace(service, operations={}))
    assert nothing == Failed("[soap] has no operation for service.reactivated", for_good=True)
