"""What is shown of a find says where to look, and holds no digit."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ivr.lab.leaktest.canaries import Canary
from ivr.lab.leaktest.evidence import masked, narrowed, stretch_shape
from ivr.lab.leaktest.matching import Matcher
from ivr.lab.leaktest.sinks import search_file

CARD = Canary("4217651111111119", "visa", "1129", "583")
NUMBER = CARD.number.encode()
MATCHER = Matcher([CARD])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key 4 of PJSIP", "key # of PJSIP"),
        ("four Two_uno unknown", "# #_# unknown"),
        (base64.b64encode(NUMBER).decode(), "~"),
        ("at 3b9f5a7e", "at ~"),
        ("a byte \x04 in it", "·"),
        ("4\x002\x00", "##"),
        ("Event: ChannelDtmfReceived", "Event: ChannelDtmfReceived"),
    ],
)
def test_what_is_shown_has_no_digit_in_any_form(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_what_was_found_is_narrowed_to_itself() -> None:
    data = b"before it " + NUMBER + b" and after it"
    assert narrowed(data, lambda part: NUMBER in part) == (10, 26)
    assert stretch_shape(data, 10, 26) == "before it <…> and after it"


@pytest.mark.parametrize("written", [NUMBER, NUMBER.decode().encode("utf-16-le"),
                                     base64.b64encode(NUMBER)])  # fmt: skip
def test_a_find_in_a_file_tells_where_it_is_and_what_stands_around_it(
    tmp_path: Path, written: bytes
) -> None:
    file = tmp_path / "serve.log"
    file.write_bytes(b"other 1 line\n" * 10_000 + b"card 5: " + written + b" kept 2\n")
    for hit in search_file(MATCHER, file):
        assert hit.place.startswith("from byte 130,0")
        assert hit.shape.startswith("card #: ")
        assert hit.shape.endswith("kept #")
        assert not any(letter.isdecimal() for letter in hit.shape)


def test_what_stands_after_the_first_bytes_that_are_read_is_told_by_its_place_in_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "serve.log"
    file.write_bytes(b"x" * 500 + b"\n" + NUMBER + b"\n")
    (hit,) = search_file(MATCHER, file, 100)
    assert hit.place == "from byte 501 on, in 10 bytes"
