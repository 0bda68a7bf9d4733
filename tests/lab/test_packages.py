"""The unpacked programs: chosen, checked, whole or not there."""

import fcntl
import json
import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ivr.lab import packages, packages_apt
from ivr.lab.packages import PackagesError, Tree, cache_folder, ensure_tree
from ivr.lab.packages_apt import Archive, PrivateApt, choose_mirror, find_mirror
from ivr.lab.packages_kits import LAB
from ivr.lab.progress import SilentProgress

LISTING = """\
'https://tools.example/apt/dists/tools/InRelease' tools.example_apt_dists_tools_InRelease 0
'http://mirror.example/debian-security/dists/trixie-security/InRelease' a_InRelease 0
'http://mirror.example/debian/dists/trixie-updates/InRelease' b_InRelease 0
'http://mirror.example/debian/dists/trixie/InRelease' c_InRelease 0
'http://mirror.example/debian/dists/trixie/main/binary-amd64/Packages.xz' c_Packages 0
"""
DEBIAN = {"ID": "debian", "VERSION_CODENAME": "trixie"}


class Told(SilentProgress):
    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, name: str, total: int) -> None:
        self.stages.append(name)


def test_the_mirror_is_the_one_that_carries_this_debian_release() -> None:
    assert choose_mirror(LISTING, DEBIAN) == "http://mirror.example/debian/"


def test_another_distribution_has_no_debian_mirror_of_its_own() -> None:
    assert choose_mirror(LISTING, {"ID": "ubuntu", "VERSION_CODENAME": "trixie"}) is None


def test_a_mirror_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_DEBIAN_MIRROR", "http://other.example/debian")
    assert find_mirror() == "http://other.example/debian"


def test_a_mistyped_mirror_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_DEBIAN_MIRROR", "other.example/debian")
    with pytest.raises(PackagesError, match=r"SALDO_DEBIAN_MIRROR is 'other\.example/debian'"):
        find_mirror()


def test_a_machine_without_apt_is_told_to_name_its_own_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PackagesError, match=r"no apt-get.*saldo\.toml"):
        PrivateApt(tmp_path)


def test_an_unreachable_mirror_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages_apt, "find_keyring", lambda: tmp_path / "keys.gpg")
    monkeypatch.setenv("SALDO_DEBIAN_MIRROR", f"file:{tmp_path}/nothing")
    with pytest.raises(PackagesError) as caught:
        PrivateApt(tmp_path / "apt").use_suite("testing")
    told = str(caught.value)
    assert "package index of Debian testing" in told
    assert "SALDO_DEBIAN_MIRROR" in told
    assert "\n" not in told


def test_root_keeps_the_programs_where_other_users_can_read_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SALDO_CACHE_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert cache_folder() == Path("/var/cache/saldo")


def test_another_user_keeps_them_in_a_cache_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALDO_CACHE_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/ana/.cache")
    assert cache_folder() == Path("/home/ana/.cache/saldo")
    monkeypatch.setenv("SALDO_CACHE_DIR", "/srv/cache")
    assert cache_folder() == Path("/srv/cache")


@pytest.mark.parametrize(
    ("version", "taken"),
    [("1:22.10.1+dfsg-1", True), ("1:22.9.0-2", False), ("1:23.0.0~rc1-1", True)],
)
def test_an_asterisk_with_known_holes_is_refused(version: str, *, taken: bool) -> None:
    chosen = [Archive(f"asterisk_{version.replace(':', '%3a')}_amd64.deb", 1, "0" * 64)]
    if taken:
        packages._refuse_old_asterisk(chosen, "testing")
    else:
        with pytest.raises(PackagesError, match=r"older than 22\.10\.1"):
            packages._refuse_old_asterisk(chosen, "testing")


def test_a_half_unpacked_tree_is_never_used(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree")
    (tree.root / "usr/bin").mkdir(parents=True)
    assert not packages._is_whole(tree)
    (tree.root / "saldo-stamp.json").write_text('{"root": "')
    assert not packages._is_whole(tree)


def test_a_tree_that_was_moved_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "saldo-stamp.json").write_text(json.dumps({"root": "/elsewhere", "packages": {}}))
    assert not packages._is_whole(Tree(tmp_path))


def test_two_set_ups_wait_for_each_other(tmp_path: Path) -> None:
    told = Told()
    lock = tmp_path / "lock"
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: packages._alone(lock, told).__enter__())
        second.start()
        until = time.monotonic() + 5
        while not told.stages and time.monotonic() < until:
            time.sleep(0.01)
        assert second.is_alive()
    second.join(5)
    assert not second.is_alive()
    assert told.stages == ["waiting for another set-up that uses the same cache"]


class DamagedOnce:
    """An apt whose first download of a package is damaged on disk."""

    mirror = "http://mirror.example/debian/"

    def __init__(self, folder: Path, *, again: bool) -> None:
        self.archives = folder
        self.fetches = 0
        self._again = again
        self._good = _small_package(folder.parent / "made")
        self.archive = Archive("greeting_1_all.deb", self._good.stat().st_size, "")

    def is_whole(self, archive: Archive) -> bool:
        return (self.archives / archive.file).exists()

    def fetch(self, _: Sequence[str], on_percent: Callable[[float], None]) -> None:
        self.fetches += 1
        on_percent(100)
        content = self._good.read_bytes()
        if self.fetches == 1 or self._again:
            content = content[: len(content) // 2]
        (self.archives / self.archive.file).write_bytes(content)


def _small_package(folder: Path) -> Path:
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "usr/share").mkdir(parents=True)
    (folder / "usr/share/greeting").write_text("hello")
    (folder / "DEBIAN/control").write_text(
        "Package: greeting\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\n"
        "Description: a greeting\n"
    )
    made = folder.with_suffix(".deb")
    subprocess.run(["dpkg-deb", "--build", folder, made], check=True, capture_output=True)
    return made


def _unpack(apt: Any, root: Path) -> None:
    progress = SilentProgress()
    packages._fetch(apt, LAB, [apt.archive], progress)
    packages._unpack(apt, LAB, [apt.archive], Tree(root), progress)


def test_a_damaged_package_is_fetched_once_more(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    apt = DamagedOnce(tmp_path / "archives", again=False)
    _unpack(apt, tmp_path / "root")
    assert apt.fetches == 2
    assert (tmp_path / "root/usr/share/greeting").read_text() == "hello"


def test_a_package_that_stays_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    apt = DamagedOnce(tmp_path / "archives", again=True)
    with pytest.raises(PackagesError, match=r"greeting_1_all\.deb is damaged"):
        _unpack(apt, tmp_path / "root")
    assert apt.fetches == 2


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("program", "argument", "says"),
    [
        ("asterisk", "-V", "Asterisk 2"),
        ("postgres", "--version", "PostgreSQL"),
        ("sipp", "-v", "SIPp v3"),
        ("baresip", "-h", "Usage: baresip"),
    ],
)
def test_every_program_runs_from_the_tree(
    tree: Tree, program: str, argument: str, says: str
) -> None:
    done = subprocess.run(
        [tree.program(program), argument], capture_output=True, text=True, timeout=20, check=False
    )
    assert says in done.stdout + done.stderr


@pytest.mark.e2e
def test_no_program_of_the_tree_gives_rights_away(tree: Tree) -> None:
    raised = stat.S_ISUID | stat.S_ISGID
    files = [path for path in tree.root.rglob("*") if not path.is_symlink() and path.is_file()]
    assert files
    assert not [path for path in files if path.stat().st_mode & raised]


@pytest.mark.e2e
def test_the_second_set_up_fetches_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert ensure_tree(SilentProgress()) == tree
