"""Serving the web application inside the daemon's own event loop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from ivr.web.errors import CannotListen

KEEP_ALIVE_SECONDS = 75
"""Longer than proxies and clients keep a connection (nginx, load balancers: 60; httpx: 5): where
both give up at once, a request is on its way while the other side closes, and is lost."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: stopping is the daemon's decision."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """The socket that requests will arrive at. Raises CannotListen.

    It is opened first of all: a daemon that cannot have it says so before it takes a call.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:  # OverflowError: no such port
        why = str(error.strerror) if isinstance(error, OSError) else "ports go up to 65535"
        raise CannotListen(
            f"the web API cannot listen on {host}:{port} ({why.partition(' (')[0]}): "
            "stop what has that port, or set [web] host and port"
        ) from None


class WebServer:
    """One listening socket; `serve` runs until `stop`."""

    def __init__(
        self, app: ASGIApp, listening: socket.socket, proxies: Sequence[str] = ("127.0.0.1",)
    ) -> None:
        """`proxies` are addresses whose word for a visitor's own address is believed."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            forwarded_allow_ips=list(proxies),
            timeout_graceful_shutdown=5,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._listening = listening
        self._server = _Server(config)

    async def serve(self) -> None:
        """Serve until stopped; the socket is closed then."""
        await self._server.serve(sockets=[self._listening])

    def stop(self) -> None:
        """Finish running requests, then end."""
        self._server.should_exit = True
