"""The page on which an agent asks a caller for a card; everything it needs comes from here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, Response

FOLDER = Path(__file__).parent / "agent"
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
HEADERS = {
    # No inline script or style, no other server, no frame around it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def routes() -> APIRouter:
    """`/agent` and its two other files."""
    router = APIRouter()
    files = {"/agent": "agent.html", "/agent/agent.css": "agent.css", "/agent/agent.js": "agent.js"}
    for path, name in files.items():
        router.add_api_route(path, _serving(FOLDER / name), include_in_schema=False)
    return router


def _serving(file: Path) -> Callable[[], Awaitable[Response]]:
    text = file.read_text(encoding="utf-8")
    kind = TYPES[file.suffix.removeprefix(".")]

    async def serve() -> Response:
        return Response(text, media_type=kind, headers=HEADERS)

    return serve
