"""Serving the web application inside the daemon's own event loop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: stopping is the daemon's decision."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebServer:
    """One listening socket; `serve` runs until `stop`."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(config)

    async def serve(self) -> None:
        """Serve until stopped. A port that is taken ends in SystemExit by uvicorn."""
        await self._server.serve()

    def stop(self) -> None:
        """Finish running requests, then end."""
        self._server.should_exit = True
