"""Every conversation here runs in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tests.fakes.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories(
    config: object, item: object
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualTimeLoop}
