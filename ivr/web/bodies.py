"""How much anybody may send us: a body longer than any that is wanted is not read to its end."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_BYTES = 1024 * 1024
DIGITS = 18
"""of a length that we take at its word"""


class ShortBodies:
    """An ASGI application around ours; FastAPI reads a body before it asks for a key."""

    def __init__(self, app: ASGIApp, longest_bytes: int = LONGEST_BYTES) -> None:
        self._app = app
        self._longest = longest_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """HTTPException 413 is raised into whoever reads too long a body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = _number(dict(scope["headers"]).get(b"content-length", b""))
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if max(announced, read) > self._longest:
                raise HTTPException(413, f"Too long: {self._longest} bytes at most")
            return message

        await self._app(scope, limited, send)


def _number(announced: bytes) -> int:
    """What a Content-Length says; nothing of one that is none, for the body itself is counted."""
    return int(announced) if announced.isdigit() and len(announced) <= DIGITS else 0
