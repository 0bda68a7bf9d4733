"""Segments run in virtual time; what talks over loopback, or decodes, has a real clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest

from ivr.capture.secret import SecretDigits
from tests.fakes.virtual_time import VirtualTimeLoop

IN_REAL_TIME = ("test_facts", "test_hearing", "test_spoken_cards")


def pytest_asyncio_loop_factories(
    config: object, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.stem in IN_REAL_TIME:
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All digits the test made are wiped at its end, not only out of reach."""
    made: list[SecretDigits] = []
    init = SecretDigits.__init__

    def noted(digits: SecretDigits) -> None:
        init(digits)
        made.append(digits)

    monkeypatch.setattr(SecretDigits, "__init__", noted)
    yield
    assert all(digits.is_wiped for digits in made)
