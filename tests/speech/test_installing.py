"""A public speech model is brought whole or not at all, and every fault is one sentence."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ivr.settings import PROJECT
from ivr.speech import installing, mirror
from ivr.speech.errors import InstallError
from ivr.speech.installing import Installed, choose, install
from ivr.speech.mirror import Mirror
from tests.fakes.mirror import ENGLISH, SPANISH, FakeMirror, packed, serving, zipped

OURS = PROJECT / "grammars/models/es"
CONF = f"{SPANISH}/conf/mfcc.conf"


@pytest.fixture(scope="module")
def model() -> bytes:
    return zipped(SPANISH, OURS)


@pytest.fixture
def server(model: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMirror]:
    monkeypatch.setattr(mirror, "PAUSES_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        running.keep(SPANISH, "es", model)
        yield running


def bring(
    base: str,
    folder: Path,
    language: str = "es",
    progress: Callable[[int, int], None] = lambda _here, _size: None,
) -> Installed:
    async def run() -> Installed:
        async with Mirror(base) as source:
            return await install(language, folder, source, progress)

    return asyncio.run(run())


def left(folder: Path) -> list[str]:
    """What is in the folder, hidden things too."""
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


def refused(server: FakeMirror, folder: Path, why: str) -> None:
    with pytest.raises(InstallError, match=why) as caught:
        bring(server.base, folder)
    assert "\n" not in str(caught.value)
    assert left(folder) == []


def test_a_model_is_brought_and_can_be_listened_with(server: FakeMirror, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    done = bring(server.base, tmp_path / "new/models", progress=lambda *at: told.append(at))
    assert done == Installed(tmp_path / "new/models/es", 8000, SPANISH)
    assert (done.folder / "am/final.mdl").read_bytes() == (OURS / "am/final.mdl").read_bytes()
    assert left(done.folder.parent) == ["es"]
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_a_model_that_is_there_already_costs_no_look_at_the_network(
    server: FakeMirror, tmp_path: Path
) -> None:
    shutil.copytree(OURS, tmp_path / "es")
    assert bring(server.base, tmp_path) == Installed(tmp_path / "es", 8000)
    assert server.asked == []


def test_what_is_there_and_is_no_model_is_never_touched(server: FakeMirror, tmp_path: Path) -> None:
    (tmp_path / "es").mkdir()
    (tmp_path / "es/letter.txt").write_text("mine")
    with pytest.raises(InstallError, match="is there and is no usable model: remove it"):
        bring(server.base, tmp_path)
    assert (tmp_path / "es/letter.txt").read_text() == "mine"


def test_a_download_that_breaks_off_goes_on_where_it_was(
    server: FakeMirror, tmp_path: Path
) -> None:
    server.breaks = [500_000, 300_000]
    assert bring(server.base, tmp_path).name == SPANISH
    assert [asked for _, asked in server.asked] == ["", "", "bytes=500000-", "bytes=800000-"]


def test_without_a_tag_a_broken_download_begins_anew(server: FakeMirror, tmp_path: Path) -> None:
    server.tag, server.breaks = "", [500_000]
    assert bring(server.base, tmp_path).name == SPANISH
    assert [asked for _, asked in server.asked] == ["", "", ""]


def test_a_download_that_breaks_off_again_and_again_is_given_up(
    server: FakeMirror, tmp_path: Path
) -> None:
    server.breaks = [1000] * 9
    refused(server, tmp_path, r"0\.42\.zip cannot be fetched .*name a mirror with --from")


def test_a_server_error_is_tried_again_and_a_refusal_is_not(
    server: FakeMirror, tmp_path: Path
) -> None:
    path = f"/{SPANISH}.zip"
    for status, tries in ((503, 4), (403, 1)):
        server.statuses[path] = status
        server.asked.clear()
        refused(server, tmp_path, rf"cannot be fetched \({status}")
        assert [asked for asked, _ in server.asked].count(path) == tries


def test_a_file_that_is_not_what_the_list_says_is_not_unpacked(
    server: FakeMirror, tmp_path: Path
) -> None:
    server.entries[0]["md5"] = "0" * 32
    refused(server, tmp_path, "is not what the list says .md5")


def test_a_file_larger_than_the_list_says_is_cut_off(server: FakeMirror, tmp_path: Path) -> None:
    server.entries[0]["size"] = 100_000
    refused(server, tmp_path, "larger than the 100000 bytes")


def test_nobody_at_that_address_is_told_with_what_to_check(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(InstallError, match=r"\(Connection refused\)") as caught:
        bring(f"http://127.0.0.1:{port}", tmp_path)
    assert "check the network and HTTPS_PROXY, or name a mirror with --from" in str(caught.value)
    assert left(tmp_path) == []


def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "SILENT_SECONDS", 0.1)
    began = time.monotonic()
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(InstallError, match="cannot be had"),
    ):
        bring(f"http://127.0.0.1:{mute.getsockname()[1]}", tmp_path)
    assert time.monotonic() - began < 5


def test_a_download_has_a_time_limit(
    server: FakeMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installing, "LIMIT_SECONDS", 0.05)
    monkeypatch.setattr(mirror, "PAUSES_SECONDS", (60.0,))
    server.breaks = [1000]
    refused(server, tmp_path, "did not come within")


@pytest.mark.parametrize("text", ["<html>", '{"models": []}', '"es"'])
def test_a_page_that_is_no_list_is_told(server: FakeMirror, tmp_path: Path, text: str) -> None:
    server.files["/model-list.json"] = text.encode()
    refused(server, tmp_path, "is no list of speech models")


@pytest.mark.parametrize("base", ["ftp://example.com", "example.com", "/models", "https://"])
def test_what_is_no_address_is_told(base: str) -> None:
    with pytest.raises(InstallError, match="is no address to fetch from"):
        Mirror(base)


def entry(name: str, lang: str = "es", **other: object) -> dict[str, object]:
    return {"name": name, "lang": lang, "type": "small", "size": 9, "md5": "a" * 32} | other


def test_the_newest_small_model_of_the_language_is_chosen() -> None:
    entries = [
        entry("vosk-model-small-es-0.9"),
        entry("vosk-model-small-es-0.42"),
        entry("vosk-model-small-es-0.43", obsolete="true"),
        entry("vosk-model-es-0.50", type="big"),
        entry("vosk-model-small-es-0.51", md5=None),
        entry("vosk-model-small-es-0.52", size=10**12),
        entry("vosk-model-small-es-0.53/../../x"),
        entry("vosk-model-small-en-in-0.60", "en-in"),
        entry(ENGLISH, "en-us"),
    ]
    assert choose(entries, "es", "x").name == SPANISH
    assert choose(entries, "en", "x").name == ENGLISH


def test_a_list_without_the_language_is_told(server: FakeMirror, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="has no small speech model for 'en'"):
        bring(server.base, tmp_path, "en")
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no zip at all", "cannot be unpacked"),
        (packed({f"{SPANISH}/../../out": b"x"}), "leads out of its folder"),
        (packed({"/out": b"x"}), "leads out of its folder"),
        (packed({}, links={f"{SPANISH}/am": "/etc"}), "leads out of its folder"),
        (packed({CONF: b""}), "has no am/final.mdl"),
        (packed({f"{SPANISH}/{at}": b"" for at in range(1001)}), "larger than any small model"),
    ],
)
def test_a_zip_that_is_harmful_or_no_model_leaves_nothing(
    server: FakeMirror, tmp_path: Path, content: bytes, why: str
) -> None:
    server.entries.clear()
    server.keep(SPANISH, "es", content)
    refused(server, tmp_path / "here", why)
    assert left(tmp_path) == []


def test_a_zip_that_unpacks_to_too_much_is_refused(
    server: FakeMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installing, "MOST_UNPACKED_BYTES", 1_000_000)
    refused(server, tmp_path, "larger than any small model")


def test_a_model_that_crashes_vosk_is_not_installed(server: FakeMirror, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(OURS, broken)
    (broken / "graph/HCLr.fst").write_bytes(b"cut")
    server.entries.clear()
    server.keep(SPANISH, "es", zipped(SPANISH, broken))
    refused(server, tmp_path / "here", "is of no use.*is broken .Vosk crashes on it")


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    server: FakeMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    refused(server, tmp_path, "has 1 MB free, and .* needs")
    assert [path for path, _ in server.asked] == ["/model-list.json"]


def test_a_disk_that_is_full_half_way_leaves_nothing(server: FakeMirror, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        refused(server, tmp_path, r"cannot be written \(File too large\): make room")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_cannot_be_made_is_told(server: FakeMirror, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InstallError, match=r"cannot be written \(Not a directory\)"):
        bring(server.base, tmp_path / "file/models")


def test_two_installations_do_not_meet(server: FakeMirror, tmp_path: Path) -> None:
    lock = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        refused(server, tmp_path, "another installation into .* is running")
    finally:
        os.close(lock)


def test_what_a_killed_installation_left_is_swept_away(server: FakeMirror, tmp_path: Path) -> None:
    (tmp_path / f"{installing.WORK}x").mkdir()
    bring(server.base, tmp_path)
    assert left(tmp_path) == ["es"]


def test_an_installation_that_is_interrupted_leaves_nothing(
    server: FakeMirror, tmp_path: Path
) -> None:
    def interrupt(_here: int, _size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(server.base, tmp_path, progress=interrupt)
    assert left(tmp_path) == []
