"""Pages for staff: served as they are, and everything they need comes from here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, Response

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
}
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


def pages(folder: Path) -> APIRouter:
    """`/NAME`, which is NAME.html of the folder NAME, and `/NAME/…` for its other files."""
    router = APIRouter()
    home = f"/{folder.name}"
    for file in sorted(each for each in folder.iterdir() if each.suffix in TYPES):
        path = home if file.name == f"{folder.name}.html" else f"{home}/{file.name}"
        router.add_api_route(path, _serving(file), include_in_schema=False)
    return router


def _serving(file: Path) -> Callable[[], Awaitable[Response]]:
    text = file.read_text(encoding="utf-8")
    kind = TYPES[file.suffix]

    async def serve() -> Response:
        return Response(text, media_type=kind, headers=HEADERS)

    return serve
