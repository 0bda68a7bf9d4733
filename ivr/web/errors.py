"""Problem details (RFC 9457): every refusal is JSON with a title, a status and what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from ivr.billing.errors import LedgerUnavailable

PROBLEM = "application/problem+json"
Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]


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
    if error.status_code == 401:  # noqa: PLR2004 - RFC 9110
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    wrong = "; ".join(
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
    )
    return problem(422, "The request is not valid", wrong)


async def _ledger(_: Request, __: Exception) -> JSONResponse:
    return problem(503, "The database is away", "Nothing was changed; try again in a few seconds")


def add_handlers(app: FastAPI) -> None:
    """Answer every error of the API as a problem."""
    handlers: dict[type[Exception], Handler] = {
        StarletteHTTPException: _http,
        RequestValidationError: _validation,
        LedgerUnavailable: _ledger,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
