from __future__ import annotations

from pathlib import Path

import pytest

from ivr.settings import PROJECT
from ivr.telephony.configuration import (
    Configuration,
    ConfigurationError,
    ConfigurationMissing,
    read,
)

OURS = PROJECT / "asterisk-config"
PARTS = frozenset({"pjsip-internet.conf"})
"""taken in by other files, whose templates they need (read there: tests/capture/doctor)"""
WHOLE = sorted(path for path in OURS.glob("*.conf") if path.name not in PARTS)


def parsed(folder: Path, text: str, **others: str) -> Configuration:
    (folder / "x.conf").write_text(text, encoding="utf-8")
    for name, other in others.items():
        (folder / f"{name}.conf").write_text(other, encoding="utf-8")
    return read(folder, "x.conf")


def pairs(configuration: Configuration, name: str) -> list[tuple[str, str]]:
    return [(one.key, one.value) for s in configuration.named(name) for one in s.settings]


@pytest.mark.parametrize("line", ["a=b", "a = b", "a => b", " a=>b ", "a = b ; c", "a = b;c"])
def test_a_setting_is_the_same_however_it_is_written(tmp_path: Path, line: str) -> None:
    assert pairs(parsed(tmp_path, f"[s]\n{line}\n"), "S") == [("a", "b")]


def test_comments_are_left_out(tmp_path: Path) -> None:
    text = (
        "; a = 0\n[s] ; heading\na = x\\;y\n"
        ";-- b = 1\nc = 2 ;-- deeper --;\n--; d = 3\n;--- e = 4\nf = 5 ;-- g --;\n"
    )
    assert pairs(parsed(tmp_path, text), "s") == [("a", "x;y"), ("d", "3"), ("f", "5")]


def test_templates_give_what_they_have_and_are_nothing_themselves(tmp_path: Path) -> None:
    text = "[t](!)\na = 1\nb = 1\n[u](!)\nc = 1\n[s](t,u)\nb = 2\n[v](s)\n"
    found = parsed(tmp_path, text)
    assert pairs(found, "s") == [("a", "1"), ("b", "1"), ("c", "1"), ("b", "2")]
    assert pairs(found, "v") == pairs(found, "s")
    assert found.named("t") == []
    assert found.named("s")[0].text("b") == "2"


def test_a_section_is_added_to(tmp_path: Path) -> None:
    found = parsed(tmp_path, "[s]\na = 1\n[o]\n[s](+)\na += ,2\n")
    assert len(found.named("s")) == 1
    assert found.named("s")[0].text("a") == "1,2"


def test_what_is_included_tells_where_it_stands(tmp_path: Path) -> None:
    text = '[s]\n#include "y.conf"\nc = 3\n#tryinclude missing.conf\n#include z*.conf\n'
    found = parsed(tmp_path, text, y="b = 2\n[t](!)\n\na = 1\n", z1="[u]\n", z2="d = 4\n")
    (section,) = found.named("s")
    assert [one.where for one in section.settings] == ["y.conf:1"]
    assert pairs(found, "u") == [("d", "4")]  # what follows an include goes on in its section


def test_a_program_is_not_run_and_that_is_told(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    found = parsed(tmp_path, f"[s]\n#exec touch {touched}\n")
    assert found.not_read == ["x.conf:2"]
    assert not touched.exists()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[s]\nno sign\n", "x.conf:2: neither"),
        ("a = 1\n", "x.conf:1: a setting before"),
        ("\n[s\n", "x.conf:2: the heading"),
        ("[s](nobody)\n", r"x.conf:1: there is no section \[nobody\]"),
        ("[s](+)\n", "x.conf:1: there is no section"),
        ("[s]\n#include gone.conf\n", "x.conf:2: gone.conf is not there"),
        ("#include x.conf\n", "x.conf:1: files include each other"),
        ("#define x\n", "x.conf:1: Asterisk knows no #define"),
        ("[s]\n;-- a = 1\n", "x.conf:2: the comment"),
    ],
)
def test_a_broken_file_names_file_and_line(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(ConfigurationError, match=where):
        parsed(tmp_path, text)


def test_a_missing_folder_or_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationMissing, match="is no folder"):
        read(tmp_path / "gone", "x.conf")
    with pytest.raises(ConfigurationMissing, match=r"there is no x\.conf"):
        read(tmp_path, "x.conf")


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_our_own_files_can_be_read(path: Path) -> None:
    assert read(OURS, path.name).not_read == []


def test_passwords_of_ours_come_from_the_site(tmp_path: Path) -> None:
    (user,) = read(OURS, "ari.conf").named("saldo-capture")
    password = user.last("password")
    assert password is not None
    assert password.file == "saldo-site.conf"
