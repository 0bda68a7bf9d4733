"""A whole telephone company for the tests, the daemon and the secure process included."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from ivr.lab import database, pbx, processes
from ivr.lab import lab as laboratory
from ivr.lab.config import load
from ivr.lab.lab import Lab
from ivr.lab.packages import ensure_tree
from ivr.lab.packages_kits import BROWSER
from ivr.lab.progress import TerminalProgress
from tests.e2e.browser import a_browser
from tests.e2e.callers import House

A_FEE_IN_DOLLARS = {"SALDO_PAYMENTS__FEES": '{"card": {"flat": {"USD": "2.00"}}}'}


def ports_nobody_prefers() -> pbx._Ports:
    """So that nobody takes the ports of a PBX that is gone for a while.

    Neither a lab started meanwhile, which prefers the usual ones, nor the system for a connection
    going out, which takes those from 32768 on: a client that tries again and again to reach a dead
    port there can even meet itself.
    """
    return pbx._Ports(
        sip=free_among(5200, 5990, "udp"),
        rtp_first=pbx.RTP_BASE + pbx.RTP_PORTS * random.randrange(9),
        ari=free_among(8200, 8990, "tcp"),
        ami=free_among(5200, 5990, "tcp"),
    )


def free_among(first: int, last: int, transport: processes.Transport) -> int:
    while not processes.is_free(port := random.randrange(first, last, 2), transport):
        pass
    return port


@contextmanager
def a_lab(**environment: str) -> Iterator[tuple[Path, Lab]]:
    """`environment` and ports of its own hold while it starts, not for the tests after it."""
    folder = Path(tempfile.mkdtemp(prefix="saldo-e2e-"))
    try:
        with (
            TerminalProgress() as progress,
            mock.patch.object(pbx, "_choose_ports", ports_nobody_prefers),
            mock.patch.dict(os.environ, environment),
        ):
            running = laboratory.up(folder, load(), progress)
        yield folder, running
    finally:
        laboratory.down(folder)
        database.remove(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One for all calls that leave it standing; who pays dollars pays a fee."""
    with a_lab(**A_FEE_IN_DOLLARS) as (_, running):
        yield running


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """One for each module that breaks something; a test mends it, and calls about its own bill."""
    with a_lab() as (folder, running):
        yield House(folder, running)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A real one, its program fetched first if it is not there yet."""
    with TerminalProgress() as progress:
        tree = await asyncio.to_thread(ensure_tree, progress, BROWSER)
    async with a_browser(tree) as opened:
        yield opened
