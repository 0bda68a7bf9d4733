"""REST `/v1`, the pages for staff, health checks and metrics."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends, FastAPI, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from ivr.web import captures, keys
from ivr.web.bodies import ShortBodies
from ivr.web.errors import add_handlers, problem
from ivr.web.keys import Keys, Scope
from ivr.web.own_pages import pages
from ivr.web.rows import to_json


class Page(Protocol):
    """A part of a list, newest first (storage.rows.Page)."""

    @property
    def items(self) -> Sequence[object]: ...

    @property
    def before(self) -> int | None:
        """The cursor of the next page; None on the last one."""
        ...


Reader = Callable[[int | None, int], Awaitable[Page]]
"""`(before, limit)` → a page of what is older than the cursor."""

PAGES = tuple(Path(__file__).parent / page for page in ("agent", "dashboard"))
"""folders of the pages for staff"""

Noun = Literal["customers", "services", "invoices", "calls", "promises"]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the API reads; app.py fills it."""

    readers: Mapping[Noun, Reader]
    checks: Mapping[str, Callable[[], Awaitable[bool]]]
    """name of a back end → whether it answers now"""
    metrics: CollectorRegistry
    keys: Keys
    assisting: captures.Assisting
    """captures with an agent (billing.assisting.Assisting)"""
    routers: Sequence[APIRouter] = ()
    """what has a file of its own in web/, with its own keys"""


def build(sources: Sources) -> FastAPI:
    """The web application."""
    # No redirect to an address with or without a slash: it would go to whatever Host was sent.
    app = FastAPI(title="Saldo", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)
    add_handlers(app)
    app.add_middleware(ShortBodies)
    app.include_router(_health(sources))
    app.include_router(captures.routes(sources.assisting, sources.keys))
    app.include_router(keys.routes(sources.keys))
    for page in PAGES:
        app.include_router(pages(page))
    for router in sources.routers:
        app.include_router(router)
    app.include_router(_v1(sources))
    return app


def _health(sources: Sources) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz", summary="The process lives")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", summary="Calls can be taken and paid: every back end answers")
    async def readyz() -> Response:
        answers = {name: await check() for name, check in sources.checks.items()}
        away = [name for name, well in answers.items() if not well]
        if away:
            return problem(503, "Not ready", f"no answer from: {', '.join(away)}")
        return Response('{"status":"ready"}', media_type="application/json")

    @router.get("/metrics", summary="Prometheus metrics")
    async def metrics() -> Response:
        return Response(generate_latest(sources.metrics), media_type=CONTENT_TYPE_LATEST)

    return router


def _v1(sources: Sources) -> APIRouter:
    router = APIRouter(prefix="/v1", dependencies=[Depends(sources.keys.for_(Scope.READ))])
    summary = "One page, newest first; `next` is the cursor of the page after"
    for noun, read in sources.readers.items():
        router.add_api_route(f"/{noun}", _pages_of(read), name=noun, summary=summary)
    return router


def _pages_of(read: Reader) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def page(
        before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        found = await read(before, limit)
        return {"data": [to_json(item) for item in found.items], "next": found.before}

    return page
