"""Segments run in virtual time; what talks over loopback has a real clock."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping

import pytest

from ivr.capture.secret import SecretDigits
from tests.fakes.virtual_time import VirtualTimeLoop

OVER_LOOPBACK = ("test_facts", "test_app")


def pytest_asyncio_loop_factories(
    config: object, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.stem in OVER_LOOPBACK:
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
def nothing_kept() -> Iterator[None]:
    """After the test no digits of its are left unwiped, reachable or not."""
    before = {id(each) for each in gc.get_objects() if type(each) is SecretDigits}
    yield
    left = [each for each in gc.get_objects() if type(each) is SecretDigits]
    assert [each for each in left if id(each) not in before and not each.is_wiped] == []
