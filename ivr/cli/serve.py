"""`saldo serve`: the daemon that talks with callers."""

from __future__ import annotations

import asyncio

from ivr import app, log, settings
from ivr.cli.options import Config


def serve(config: Config = None) -> None:
    """Take calls until SIGTERM, then let running calls finish and stop.

    Example: saldo serve --config /etc/saldo/saldo.toml
    """
    loaded = settings.load(config)
    log.configure()
    asyncio.run(app.run(loaded, config))
