"""One try at a field: whatever else is asked, the guard looks first."""

from __future__ import annotations

import pytest

from ivr.billing.captures import CaptureResult
from ivr.capture.hearing import Overheard
from tests.capture.secure_part import pan
from tests.capture.test_collecting import GOOD, Segment

pytestmark = pytest.mark.usefixtures("nothing_kept")


async def test_the_guard_looks_before_every_try_and_before_the_gateway_is_asked() -> None:
    segment = Segment(
        (
            ("ask_card_number", "4111#"),
            ("ask_card_number.attempt2", pan() + "#"),
            *GOOD,
        )
    )
    seen: list[tuple[int, list[str]]] = []

    async def look() -> None:
        seen.append((len(segment.progress), list(segment.line.phrases)))

    segment.entering.look = look
    assert (await segment.run()).result is CaptureResult.SUCCESS
    assert [progress for progress, _ in seen] == [0, 0, 1, 2, 3, 4]
    assert all(not phrases or phrases[-1] != "ask_security_code" for _, phrases in seen[:-1])


async def test_whoever_begins_to_listen_between_two_fields_hears_no_further_one() -> None:
    segment = Segment((("ask_card_number", pan() + "#"), *GOOD))

    async def look() -> None:
        if segment.progress:
            raise Overheard(["a snoop"])

    segment.entering.look = look
    with pytest.raises(Overheard):
        await segment.run()
    assert "ask_expiry" not in segment.line.phrases
    assert segment.gateway.asked == 0
