"""`/pay/…`: the page behind a link, and what its script asks. Never a digit of a card."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ivr.billing.errors import AmountTooLarge, AmountTooSmall, LedgerUnavailable
from ivr.billing.invoices import Invoice
from ivr.billing.links import Bill, Link, LinkPurpose
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.online_paying import OnlinePaying, Order, PayPalPayment, Result
from ivr.web.pay_answers import answer, now
from ivr.web.pay_security import Visitors, headers
from ivr.web.pay_words import LANGUAGES, PageText, money, typed_amount

NOTICES = (
    "declined_soft", "declined_hard", "declined_fix", "not_charged", "away", "paid_meanwhile",
    "being_paid", "changed", "too_many", "card_not_taken", "paypal_away", "canceled", "fields_away",
    "given_back", "returned",
)  # fmt: skip
"""What the page may have to say beside the bill."""
FILES = {"pay.css": "text/css", "pay.js": "text/javascript", "lock.svg": "image/svg+xml"}
CLOSED: dict[str, str] = {"state": "closed"}
SAMPLE = Bill(
    Link(0, "", 0, (1,), LinkPurpose.PAY, datetime(2026, 1, 31, tzinfo=UTC)),
    "en",
    (Invoice(1, "F-1", 0, 1, "mobile", Money.of("42.50", "EUR"), Money.zero("EUR"), date.min),),
    declines=0,
)
"""What a page is tried with before anybody sees it."""


@dataclass(frozen=True, slots=True)
class PayPage:
    """What the routes work with."""

    online: OnlinePaying
    text: PageText
    scripts: str
    """where the gateway's scripts for pages are: https://js.braintreegateway.com/web/3.144.0"""
    policy: str
    """the Content-Security-Policy"""
    visitors: Visitors


class Wanted(BaseModel):
    """What the payer saw when they pressed the button."""

    model_config = ConfigDict(extra="forbid")

    key: UUID
    amount: str = Field(max_length=20)
    fee: str = Field(max_length=20)

    def order(self, currency: str) -> Order | None:
        """The same in billing's words; None when an amount is none."""
        amount, fee = typed_amount(self.amount, currency), typed_amount(self.fee, currency)
        return Order(self.key, amount, fee) if amount and fee is not None else None


class ByCard(Wanted):
    """With the single-use number that the gateway's fields gave the page: no card's, ever."""

    nonce: str = Field(max_length=128, pattern="^[A-Za-z0-9_-]*[A-Za-z][A-Za-z0-9_-]*$")


class ByPayPal(Wanted):
    """In which language to come back."""

    language: Literal["en", "es"] = "en"


class Approved(BaseModel):
    """What PayPal put into the address when the payer came back."""

    model_config = ConfigDict(extra="forbid")

    key: UUID
    payment_id: str = Field(max_length=128)
    payer_id: str = Field(max_length=128)


Form = Annotated[str, Header(alias="X-Pay-Form", max_length=64)]
Asked = Callable[[Bill], Awaitable[Any]]


class _Pages:
    """The answers of one pay page."""

    def __init__(self, page: PayPage) -> None:
        self._page = page
        self._online = page.online
        self._text = page.text

    async def html(self, request: Request, code: str, key: UUID | None = None) -> Response:
        """The page; the same polite one for every link that cannot be used."""
        link_id = self._online.key.read(code)
        if not self._page.visitors.may_look(request, link_id):
            return self._without_bill(request, 429, later=link_id is not None)
        if link_id is None:
            return self._without_bill(request, 404)
        try:
            bill = await self._online.bill(link_id, begun=key)
        except LedgerUnavailable:
            return self._without_bill(request, 503, later=True)
        if bill is None:
            return self._without_bill(request, 404)
        return self._render(request, bill, code, key)

    def _without_bill(self, request: Request, status: int, *, later: bool = False) -> Response:
        values = {"bill": None, "later": later}
        page = self._text.page(_language(request, _of_browser(request)), values)
        headers = {**self._headers(), **({"Retry-After": "60"} if later else {})}
        return Response(page, status, media_type="text/html", headers=headers)

    def _render(self, request: Request, bill: Bill, code: str, key: UUID | None) -> Response:
        page = self._text.page(
            _language(request, bill.language), self._values(request.query_params, bill, code, key)
        )
        return Response(page, media_type="text/html", headers=self._headers())

    def try_out(self) -> None:
        """A mistake in a company's own page is told at the start. Raises PayPageError."""
        for language in LANGUAGES:
            self._text.page(language, {"bill": None, "later": False})
            self._text.page(language, self._values({}, SAMPLE, "", None))

    def _values(
        self, asked: Mapping[str, str], bill: Bill, code: str, key: UUID | None
    ) -> dict[str, Any]:
        said = asked.get("said", "")
        state = now(bill)
        if state == "open" and key and "paymentId" in asked:
            state = "approved"
        return {
            "bill": bill,
            "code": code,
            "form": self._online.key.form_token(bill.link.id),
            "key": key or "",
            "state": state,
            "said": said if said in NOTICES and state == "open" else "",
            "scripts": self._page.scripts,
            "notices": NOTICES,
            "notice_values": {},
            "methods": self._methods(bill),
            "least": self._least(bill),
            "quotes": self._quotes(bill.amount) if bill.invoices else {},
        }

    def _headers(self) -> Mapping[str, str]:
        return headers(self._page.policy)

    def _methods(self, bill: Bill) -> list[str]:
        offered = [each.value for each in self._online.methods]
        first = Method.PAYPAL if bill.link.purpose is LinkPurpose.PAYPAL else Method.CARD
        return sorted(offered, key=lambda each: each != first.value)

    def _least(self, bill: Bill) -> Money | None:
        if not bill.invoices or bill.link.amounts:
            return None
        return self._online.terms.least(bill.due)

    def _quotes(self, amount: Money) -> dict[str, dict[str, Money]]:
        fees = {each: self._online.terms.fees.of(each, amount) for each in self._online.methods}
        return {each.value: {"fee": fee, "total": amount + fee} for each, fee in fees.items()}

    async def asked(
        self, request: Request, code: str, form: str, work: Asked, *, begun: UUID | None = None
    ) -> Response:
        """What a script of ours asks about a link that may be used."""
        link_id = self._online.key.read(code)
        if not self._page.visitors.may_look(request, link_id):
            return self._json(CLOSED, 429)
        if link_id is None:
            return self._json(CLOSED, 404)
        asked_by_us = self._page.visitors.same_site(request)
        if not asked_by_us or not self._online.key.is_form_token(link_id, form):
            return self._json(CLOSED, 403)
        try:
            bill = await self._online.bill(link_id, begun=begun)
            return self._json(await work(bill)) if bill else self._json(CLOSED, 404)
        except LedgerUnavailable:
            return self._json({"state": "away"}, 503)

    def _json(self, body: Any, status: int = 200) -> Response:
        return JSONResponse(body, status, headers=dict(self._headers()))

    async def token(self, bill: Bill) -> dict[str, Any]:
        return {"token": await self._online.client_token(bill) if bill.invoices else None}

    def quote(self, bill: Bill, typed: str, language: str) -> dict[str, Any]:
        """What paying so much costs by each method, or what is wrong with the amount."""
        if not bill.invoices:
            return CLOSED
        amount = typed_amount(typed, bill.amount.currency)
        least = self._least(bill) or bill.amount

        def wrong(word: str) -> dict[str, Any]:
            shown = {"least": least, "amount": bill.due, "example": least}
            values = {name: money(each, language) for name, each in shown.items()}
            return {"wrong": self._text.say(language, word, **values)}

        if amount is None:
            return wrong("no_amount")
        try:
            if amount != bill.amount:
                self._online.terms.chosen(bill.invoices, amount)
        except AmountTooSmall:
            return wrong("too_small")
        except AmountTooLarge:
            return wrong("too_large")
        quotes = self._quotes(amount)
        return {"amount": str(amount.amount)} | {
            method: {
                "fee": str(each["fee"].amount),
                "free": not each["fee"],
                "fee_text": money(each["fee"], language),
                "total_text": money(each["total"], language),
            }
            for method, each in quotes.items()
        }

    async def by_card(self, bill: Bill, wanted: ByCard, language: str) -> dict[str, Any]:
        order = self._order(bill, wanted)
        if order is None:
            return await self._known(bill, wanted.key, language)
        return answer(await self._online.pay_by_card(bill, order, wanted.nonce), language)

    async def by_paypal(self, bill: Bill, wanted: ByPayPal) -> dict[str, Any]:
        order = self._order(bill, wanted)
        if order is None:
            return await self._known(bill, wanted.key, wanted.language)
        here, back = bill.link.url, f"?lang={wanted.language}"
        began = await self._online.begin_paypal(
            bill,
            order,
            return_url=f"{here}/paypal/{wanted.key}{back}",
            cancel_url=f"{here}{back}&said=canceled",
        )
        if isinstance(began, PayPalPayment):
            return {"approval_url": began.approval_url}
        return answer(began, wanted.language)

    async def approved(self, bill: Bill, wanted: Approved, language: str) -> dict[str, Any]:
        result = await self._online.finish_paypal(
            bill, wanted.key, payment_id=wanted.payment_id, payer_id=wanted.payer_id
        )
        return answer(result, language)

    async def result(self, bill: Bill, key: UUID, language: str) -> dict[str, Any]:
        return await self._known(bill, key, language)

    def _order(self, bill: Bill, wanted: Wanted) -> Order | None:
        return wanted.order(bill.amount.currency) if bill.invoices else None

    async def _known(self, bill: Bill, key: UUID, language: str) -> dict[str, Any]:
        """What became of a press, for a bill on which nothing is left to pay."""
        found: Result | None = await self._online.result(bill, key)
        return answer(found, language) if found else {"state": "changed"}


def routes(page: PayPage) -> APIRouter:
    """Everything below `/pay`. Raises PayPageError: a file of the company's has a mistake."""
    router = APIRouter(prefix="/pay", include_in_schema=False)
    pages = _Pages(page)
    pages.try_out()
    _add_files(router, page)

    @router.get("/{code}")
    async def html(request: Request, code: str) -> Response:
        return await pages.html(request, code)

    @router.get("/{code}/paypal/{key}")
    async def back(request: Request, code: str, key: UUID) -> Response:
        return await pages.html(request, code, key)

    @router.post("/{code}/token")
    async def token(request: Request, code: str, form: Form) -> Response:
        return await pages.asked(request, code, form, pages.token)

    @router.get("/{code}/quote")
    async def quote(request: Request, code: str, form: Form, amount: str = "") -> Response:
        async def work(bill: Bill) -> dict[str, Any]:
            return pages.quote(bill, amount, _language(request, bill.language))

        return await pages.asked(request, code, form, work)

    @router.get("/{code}/state")
    async def state(request: Request, code: str, form: Form) -> Response:
        async def work(bill: Bill) -> dict[str, Any]:
            return {"state": now(bill)}

        return await pages.asked(request, code, form, work)

    _add_orders(router, pages)
    return router


def _add_orders(router: APIRouter, pages: _Pages) -> None:
    @router.post("/{code}/card")
    async def card(request: Request, code: str, form: Form, wanted: ByCard) -> Response:
        async def work(bill: Bill) -> dict[str, Any]:
            return await pages.by_card(bill, wanted, _language(request, bill.language))

        return await pages.asked(request, code, form, work, begun=wanted.key)

    @router.post("/{code}/paypal")
    async def paypal(request: Request, code: str, form: Form, wanted: ByPayPal) -> Response:
        return await pages.asked(request, code, form, lambda bill: pages.by_paypal(bill, wanted))

    @router.post("/{code}/paypal/approved")
    async def approved(request: Request, code: str, form: Form, wanted: Approved) -> Response:
        async def work(bill: Bill) -> dict[str, Any]:
            return await pages.approved(bill, wanted, _language(request, bill.language))

        return await pages.asked(request, code, form, work, begun=wanted.key)

    @router.get("/{code}/result/{key}")
    async def result(request: Request, code: str, key: UUID, form: Form) -> Response:
        async def work(bill: Bill) -> dict[str, Any]:
            return await pages.result(bill, key, _language(request, bill.language))

        return await pages.asked(request, code, form, work, begun=key)


def _add_files(router: APIRouter, page: PayPage) -> None:
    """Read once: the page is the same until the next start."""
    text, policy = page.text, headers(page.policy) | {"Cache-Control": "no-cache"}
    files = {name: (text.file(name), kind) for name, kind in FILES.items()}
    files["brand.css"] = (text.brand().encode(), "text/css")
    if logo := text.logo():
        files["logo"] = logo
    for name, (content, kind) in files.items():
        router.add_api_route(f"/assets/{name}", _serving(content, kind, policy))


def _serving(
    content: bytes, kind: str, more: Mapping[str, str]
) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return Response(content, media_type=kind, headers=dict(more))

    return serve


def _language(request: Request, otherwise: str) -> str:
    """The one in the address, if it is one of ours."""
    wanted = request.query_params.get("lang", "")
    return wanted if wanted in LANGUAGES else otherwise


def _of_browser(request: Request) -> str:
    """The first of ours among those that the browser's owner reads, else English."""
    read = [each.strip()[:2] for each in request.headers.get("accept-language", "").split(",")]
    return next((each for each in read if each in LANGUAGES), "en")
