"""asterisk-config/ written for one PBX, with passwords that nobody knows."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from ivr.telephony import installing
from ivr.telephony.configuration import ConfigurationError, read
from ivr.telephony.installing import (
    SITE,
    SOURCE,
    Secrets,
    hashed,
    take_in,
    with_values,
    write_config,
    write_private,
)


def test_only_the_named_value_of_the_named_section_changes() -> None:
    text = "[a]\nport = 1  ; why\n[b](!)\nport = 2\n"
    assert with_values(text, {"b": {"port": "7"}}) == "[a]\nport = 1  ; why\n[b](!)\nport = 7\n"
    assert with_values(text, {"a": {"port": "7"}}) == "[a]\nport = 7  ; why\n[b](!)\nport = 2\n"


def test_a_setting_that_went_away_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"no longer has the setting host in \[a\]"):
        with_values("[a]\nport = 1\n", {"a": {"host": "x"}})


@pytest.mark.parametrize("name", ["/srv/one;two", "/srv/$6$one", "a\nb"])
def test_a_value_that_asterisk_cannot_take_is_told(name: str) -> None:
    with pytest.raises(ConfigurationError, match="SALDO_LAB_DIR"):
        with_values("[a]\nsounds = 1\n", {"a": {"sounds": name}})


def test_a_file_that_went_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no nothing\.conf"):
        write_config(tmp_path, {"nothing.conf": {}})


def test_the_configuration_is_written_whole_and_for_nobody_else(tmp_path: Path) -> None:
    written = write_config(tmp_path / "etc", {SITE: Secrets.fresh().site()})
    assert {file.name for file in written} == {file.name for file in SOURCE.glob("*.conf")}
    assert {file.stat().st_mode & 0o777 for file in written} == {0o600}
    assert (tmp_path / "etc").stat().st_mode & 0o777 == 0o700


def test_only_hashes_of_the_passwords_of_ari_are_written(tmp_path: Path) -> None:
    fresh = Secrets.fresh()
    write_config(tmp_path, {SITE: fresh.site()})
    text = "".join(file.read_text() for file in tmp_path.glob("*.conf"))
    assert fresh.ari not in text
    assert fresh.capture not in text
    assert fresh.ami in text
    assert {
        user.text("password_format") for user in read(tmp_path, "ari.conf").of_type("user")
    } == {"crypt"}


def test_a_hash_is_that_of_the_password_and_of_no_other() -> None:
    found = hashed("first")
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    assert crypt(b"first", found.encode()) == found.encode()
    assert crypt(b"second", found.encode()) != found.encode()
    assert hashed("first") != found  # another salt


def test_a_machine_that_makes_no_hashes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "LIBRARIES", ("libnothing.so.9",))
    with pytest.raises(ConfigurationError, match="libcrypt1"):
        hashed("first")
    monkeypatch.setattr(installing, "_crypt", lambda _password, _setting: b"*0")
    with pytest.raises(ConfigurationError, match="libcrypt1"):
        hashed("first")


def test_secrets_are_fresh_each_time_and_never_shown() -> None:
    one, two = Secrets.fresh(), Secrets.fresh()
    assert len({one.ari, one.capture, one.ami, two.ari, two.capture, two.ami}) == 6
    assert len(one.ari) == 32
    assert one.ari not in repr(one)
    assert one.capture not in str(one)


def test_the_trunk_over_the_internet_is_taken_in_on_demand(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    assert "internet-trunk" not in {one.name for one in read(tmp_path, "pjsip.conf").used}
    take_in(tmp_path / "pjsip.conf", "pjsip-internet.conf")
    found = read(tmp_path, "pjsip.conf")
    (trunk,) = (one for one in found.of_type("endpoint") if one.name == "internet-trunk")
    assert trunk.text("media_encryption") == "sdes"
    assert trunk.text("context") == "from-trunk"
    with pytest.raises(ConfigurationError, match=r"does not name pjsip-internet\.conf"):
        take_in(tmp_path / "pjsip.conf", "pjsip-internet.conf")


def test_a_private_file_replaces_one_that_others_could_read(tmp_path: Path) -> None:
    file = tmp_path / "capture.env"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["capture.env"]
