"""Problem details (RFC 9457): every refusal is JSON with a title, a status and what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from ivr.billing.errors import (
    AttemptNotFound,
    BillingError,
    CaptureError,
    CaptureNotFound,
    GatewayError,
    KeyUsedBefore,
    LedgerUnavailable,
    LinkNotFound,
    NotNow,
    NotPayable,
    NotReachable,
    TalkNotFound,
    TalkRecorded,
    TalkUnreachable,
    TriedTooOften,
)
from ivr.billing.refunding import NotRefundable, RefundKeyUsed

PROBLEM = "application/problem+json"
Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]


REFUSALS: dict[type[CaptureError], tuple[int, str]] = {
    TalkNotFound: (404, "No such talk"),
    CaptureNotFound: (404, "No such capture"),
    KeyUsedBefore: (409, "The Idempotency-Key was used before"),
    NotNow: (409, "Not now"),
    TalkRecorded: (409, "The PBX records this talk"),
    NotPayable: (422, "These invoices cannot be paid"),
    TriedTooOften: (429, "Tried too often"),
    TalkUnreachable: (503, "The PBX or the secure process is away"),
}


STAFF_REFUSALS: dict[type[BillingError], tuple[int, str]] = {
    AttemptNotFound: (404, "No such payment"),
    LinkNotFound: (404, "No such link"),
    NotReachable: (422, "The customer cannot be reached"),
    RefundKeyUsed: (409, "The Idempotency-Key was used before"),
    NotRefundable: (409, "It cannot be given back"),
}


class PayPageError(Exception):
    """A file of the pay page cannot be used; the text is one sentence that says which."""


class CannotListen(Exception):
    """The web API's address cannot be had; the text is one sentence that says what to do."""


def problem(status: int, title: str, detail: str = "") -> JSONResponse:
    """One refusal."""
    body: dict[str, object] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    return JSONResponse(body, status_code=status, media_type=PROBLEM)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - registered for this type only
    response = problem(error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == 401:  # noqa: PLR2004 - RFC 9110
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    wrong = "; ".join(
        f"{'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors()
    )
    return problem(422, "The request is not valid", wrong)


async def _unforeseen(_: Request, __: Exception) -> JSONResponse:
    return problem(500, "A mistake of ours", "It is in the log; try again later, or tell us when")


async def _ledger(_: Request, __: Exception) -> JSONResponse:
    return problem(503, "The database is away", "Nothing was changed; try again in a few seconds")


async def _capture(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CaptureError)  # noqa: S101 - registered for this type only
    status, title = REFUSALS[type(error)]
    return problem(status, title, str(error))


async def _staff(_: Request, error: Exception) -> JSONResponse:
    status, title = next(what for kind, what in STAFF_REFUSALS.items() if isinstance(error, kind))
    return problem(status, title, str(error))


async def _gateway(_: Request, error: Exception) -> JSONResponse:
    return problem(503, "The gateway did not answer", f"Nothing was changed: {error}")


def add_handlers(app: FastAPI) -> None:
    """Answer every error of the API as a problem."""
    handlers: dict[type[Exception], Handler] = {
        StarletteHTTPException: _http,
        RequestValidationError: _validation,
        LedgerUnavailable: _ledger,
        CaptureError: _capture,
        GatewayError: _gateway,
        Exception: _unforeseen,
        **dict.fromkeys(STAFF_REFUSALS, _staff),
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
