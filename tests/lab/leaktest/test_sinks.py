"""Files are searched as what they are: logs by line, recordings by tone, pages by byte."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from ivr.lab.leaktest import canaries, sinks, switching
from ivr.lab.leaktest.canaries import Canary
from ivr.lab.leaktest.matching import Matcher
from ivr.lab.leaktest.sinks import Report, search_file, search_streams, sizes
from ivr.lab.tones import keyed

CARD = Canary("4217651111111119", "visa", "1129", "583")
MATCHER = Matcher([CARD])


def forms(file: Path, start: int = 0) -> set[str]:
    return {hit.form for hit in search_file(MATCHER, file, start)}


def test_a_log_is_read_by_line(tmp_path: Path) -> None:
    log = tmp_path / "full.log"
    log.write_text(
        "".join(f"12:00:{place} end '{digit}'\n" for place, digit in enumerate(CARD.number))
    )
    assert forms(log) == {"one digit a line"}


def test_lines_with_some_zero_bytes_are_still_lines(tmp_path: Path) -> None:
    log = tmp_path / "copies.txt"
    log.write_bytes(b"HEP3\0\0\n" + b"".join(b"Signal=%c\n" % ord(key) for key in CARD.number))
    assert "one digit a line" in forms(log)


def test_both_channels_of_a_recording_are_listened_to(tmp_path: Path) -> None:
    tones = keyed(CARD.number, 0.06, 0.05)
    with wave.open(str(tmp_path / "call.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.stack([np.zeros_like(tones), tones], axis=1).tobytes())
    assert forms(tmp_path / "call.wav") == {"tones"}


def test_a_card_across_the_border_of_two_pieces_of_a_big_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "big.bin"
    with file.open("wb") as written:
        written.truncate(sinks.CHUNK - 8)
        written.seek(sinks.CHUNK - 8)
        written.write(CARD.number.encode())
    assert forms(file) == {"plain"}


def test_only_what_was_appended_is_read_where_that_is_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.write_text(f"old {CARD.number}\n")
    size = log.stat().st_size
    log.write_text(f"old {CARD.number}\nnew\n")
    assert forms(log, size) == set()
    assert forms(log) == {"plain"}


def test_a_file_whose_name_is_a_card_is_named_without_it() -> None:
    hits = MATCHER.search(f"tts-{CARD.number}.ulaw".encode())
    assert sinks._shown(Path(f"/tmp/tts-{CARD.number}.ulaw"), hits) == f"/tmp/tts-{'#' * 16}.ulaw"
    assert sinks._shown(Path("/tmp/serve-1.log"), set()) == "/tmp/serve-1.log"


def test_streams_are_counted_by_line(tmp_path: Path) -> None:
    told = tmp_path / "0.txt"
    told.write_text(f"one\ntwo\nEvent: VarSet | Value: {CARD.number}\n")
    report = Report()
    search_streams(report, MATCHER, {"AMI": told}, {"AMI": 4})
    assert report.sinks["AMI"].items == 2
    assert [one.where for one in report.found] == ["AMI"]


def test_every_file_is_known_by_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "file")
    known = sizes([tmp_path])
    assert known[tmp_path / "deep" / "file"][0] == 1
    assert tmp_path / "link" not in known


def test_configuration_is_as_it_was_after_a_mutant(tmp_path: Path) -> None:
    changed, made = tmp_path / "cdr.conf", tmp_path / "hep.conf"
    before: dict[Path, bytes | None] = {changed: b"enable = no\n", made: None}
    changed.write_text("enable = yes\n")
    made.write_text("[general]\n")
    switching._restore(before)
    assert changed.read_bytes() == b"enable = no\n"
    assert not made.exists()


def test_the_leaks_of_a_run_are_told_apart_by_their_cards() -> None:
    beginnings = {number[: switching.FIRST_DIGITS] for number in canaries.GOOD}
    assert len(beginnings) == len(canaries.GOOD)
    assert switching.FIRST_DIGITS < canaries.WINDOW
