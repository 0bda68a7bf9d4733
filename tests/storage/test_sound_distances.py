"""Many distances at once are what they are one by one."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.sounds import PHONES, distance
from ivr.storage.sound_distances import nearest

SOUNDS = st.text(PHONES, min_size=1, max_size=16)


@given(SOUNDS, st.lists(SOUNDS, min_size=1, max_size=6))
def test_many_at_once_are_as_far_as_one_by_one(asked: str, others: list[str]) -> None:
    found = nearest([asked], [[other] for other in others])
    assert found == pytest.approx([distance(asked, other) for other in others], abs=1e-4)


def test_the_nearest_pronunciation_counts() -> None:
    assert nearest(["smIT", "smit"], [["smIT"], ["mmm", "smit"], ["smi", ""]]) == pytest.approx(
        [0.0, 0.0, 0.45]
    )


def test_a_word_without_sound_is_infinitely_far() -> None:
    assert nearest(["smIT"], [[""], []]) == [inf, inf]
    assert nearest([""], [["smIT"]]) == [inf]
    assert nearest([], []) == []
