"""`saldo pbx install` and `renew` as they are typed."""

from __future__ import annotations

import ctypes
import grp
import os
import re
from pathlib import Path

import pytest

from ivr.capture.doctor.files import look_through
from ivr.capture.doctor.finding import Grade
from ivr.telephony.configuration import read
from tests.cli.terminal import Typed

KEYS = {"SALDO_ASTERISK__PASSWORD", "SALDO_ASTERISK__AMI_SECRET"}
CAPTURE_KEY = "SALDO_CAPTURE__PASSWORD"


def keys_of(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def hash_of(folder: Path, user: str) -> str:
    (found,) = (one for one in read(folder, "ari.conf").of_type("user") if one.name == user)
    return found.text("password")


def fits(password: str, stored: str) -> bool:
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    return bool(crypt(password.encode(), stored.encode()) == stored.encode())


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return tmp_path / "asterisk"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "saldo"


def test_an_installed_configuration_has_nothing_for_the_doctor_to_find(
    typed: Typed, etc: Path, kept: Path
) -> None:
    ran = typed("pbx", "install", str(etc), "--secrets", str(kept))
    assert ran.status == 0
    found = look_through(etc, ("saldo", "saldo-capture"))
    assert [one for one in found if one.grade is not Grade.OK] == []


def test_each_program_gets_its_passwords_and_not_the_others(
    typed: Typed, etc: Path, kept: Path
) -> None:
    ran = typed("pbx", "install", str(etc), "--secrets", str(kept))
    serve, capture = keys_of(kept / "serve.env"), keys_of(kept / "capture.env")
    assert serve.keys() == KEYS
    assert capture.keys() == {CAPTURE_KEY}
    assert fits(serve["SALDO_ASTERISK__PASSWORD"], hash_of(etc, "saldo"))
    assert fits(capture[CAPTURE_KEY], hash_of(etc, "saldo-capture"))
    (manager,) = read(etc, "manager.conf").named("saldo")
    assert manager.text("secret") == serve["SALDO_ASTERISK__AMI_SECRET"]
    for secret in (*serve.values(), *capture.values()):
        assert secret not in ran.out + ran.err
    for file in (*etc.iterdir(), *kept.iterdir()):
        assert file.stat().st_mode & 0o077 == 0


def test_what_stands_in_the_files_of_secrets_already_stays(
    typed: Typed, etc: Path, kept: Path
) -> None:
    kept.mkdir()
    (kept / "capture.env").write_text(f"SALDO_DATABASE__CAPTURE_URL=x\n{CAPTURE_KEY}=old\n")
    typed("pbx", "install", str(etc), "--secrets", str(kept))
    found = keys_of(kept / "capture.env")
    assert found["SALDO_DATABASE__CAPTURE_URL"] == "x"
    assert re.fullmatch("[0-9a-f]{32}", found[CAPTURE_KEY])


def test_asterisks_group_may_read_and_nobody_else(typed: Typed, etc: Path, kept: Path) -> None:
    group = grp.getgrgid(os.getegid()).gr_name
    typed("pbx", "install", str(etc), "--secrets", str(kept), "--group", group)
    assert {file.stat().st_mode & 0o777 for file in etc.iterdir()} == {0o640}
    assert etc.stat().st_mode & 0o777 == 0o750


def test_a_group_that_is_not_there_is_told(typed: Typed, etc: Path, kept: Path) -> None:
    ran = typed("pbx", "install", str(etc), "--secrets", str(kept), "--group", "nobody-has-this")
    assert ran.status == 2
    assert "nobody-has-this" in ran.complaint


def test_a_configuration_that_is_there_is_not_overwritten(
    typed: Typed, etc: Path, kept: Path
) -> None:
    etc.mkdir()
    (etc / "pjsip.conf").write_text("mine")
    ran = typed("pbx", "install", str(etc), "--secrets", str(kept))
    assert (ran.status, ran.out) == (2, "")
    assert "empty folder" in ran.complaint
    assert (etc / "pjsip.conf").read_text() == "mine"
    assert not kept.exists()


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(
    typed: Typed, tmp_path: Path, kept: Path
) -> None:
    (tmp_path / "file").touch()
    ran = typed("pbx", "install", str(tmp_path / "file" / "etc"), "--secrets", str(kept))
    assert (ran.status, ran.out) == (2, "")
    assert ran.complaint.count("\n") <= 1


def test_with_the_internet_trunk_calls_come_in_by_tls_too(
    typed: Typed, etc: Path, kept: Path
) -> None:
    typed("pbx", "install", str(etc), "--secrets", str(kept), "--internet-trunk")
    transports = {one.text("protocol") for one in read(etc, "pjsip.conf").of_type("transport")}
    assert transports == {"udp", "tls"}


def test_renewing_changes_every_password_and_nothing_else(
    typed: Typed, etc: Path, kept: Path
) -> None:
    typed("pbx", "install", str(etc), "--secrets", str(kept))
    before = keys_of(kept / "serve.env") | keys_of(kept / "capture.env")
    site = etc / "saldo-site.conf"
    site.write_text(site.read_text().replace("bindport = 8088", "bindport = 8099"))
    ran = typed("pbx", "renew", str(etc), "--secrets", str(kept))
    after = keys_of(kept / "serve.env") | keys_of(kept / "capture.env")
    assert ran.status == 0
    assert before.keys() == after.keys()
    assert set(before.values()).isdisjoint(after.values())
    assert fits(after["SALDO_ASTERISK__PASSWORD"], hash_of(etc, "saldo"))
    assert "bindport = 8099" in site.read_text()
    assert site.stat().st_mode & 0o777 == 0o600


def test_there_is_nothing_to_renew_where_nothing_is_installed(
    typed: Typed, etc: Path, kept: Path
) -> None:
    ran = typed("pbx", "renew", str(etc), "--secrets", str(kept))
    assert ran.status == 2
    assert "saldo-site.conf" in ran.complaint
    assert not kept.exists()
