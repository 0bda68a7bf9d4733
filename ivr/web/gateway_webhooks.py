"""`POST /braintree/webhooks`: what the payment gateway tells, signed, days after a payment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Request, Response

from ivr.billing.errors import GatewayError
from ivr.billing.settling import Became, Notification, TooSoon
from ivr.web.errors import problem

log = structlog.get_logger(__name__)

Read = Callable[[str, str], Awaitable[Notification | None]]
"""`(signature, payload)` → what is told; None if the gateway did not sign it"""
Take = Callable[[Notification], Awaitable[Became]]
LONGEST_BYTES = 256 * 1024
AGAIN = "Send it again later"


def routes(read: Read, take: Take) -> APIRouter:
    """The one address; who answers other than 2xx is told again, for a day."""
    router = APIRouter()

    @router.post("/braintree/webhooks", status_code=204, summary="Told by the payment gateway")
    async def told(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return problem(413, "Too long")
        form = parse_qs(body.decode("latin-1"))
        signature, payload = (form.get(name, [""])[0] for name in ("bt_signature", "bt_payload"))
        try:
            notification = await read(signature, payload)
        except GatewayError:  # more at once than can be read
            return problem(503, AGAIN)
        if notification is None:
            log.warning("webhook_forged", size=len(body))
            return problem(400, "Not signed by the payment gateway")
        try:
            became = await take(notification)
        except TooSoon:
            return problem(503, AGAIN)
        log.info("gateway_told", kind=notification.kind, became=str(became))
        return Response(status_code=204)

    return router


async def _body(request: Request) -> bytes | None:
    """All of it; None when it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BYTES:
            return None
    return body
