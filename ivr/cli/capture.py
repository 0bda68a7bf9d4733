"""`saldo capture`: the secure process, the only one that ever holds a card digit."""

from __future__ import annotations

import asyncio

from ivr import log, settings
from ivr.capture import app
from ivr.cli.options import Config


def capture(config: Config = None) -> None:
    """Collect cards for `saldo serve` until SIGTERM; started by it, or a unit of its own.

    Example: saldo capture --config /etc/saldo/saldo.toml
    """
    loaded = settings.load(config)
    log.configure()
    asyncio.run(app.run(loaded))
