"""Unpacks programs such as Asterisk and PostgreSQL from Debian's signed packages; any user can."""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ivr.lab.packages_apt import Archive, PackagesError, PrivateApt
from ivr.lab.packages_kits import LAB, Kit
from ivr.lab.progress import SetupProgress

__all__ = ["PackagesError", "Tree", "cache_folder", "ensure_tree"]

SUITES = ("testing", "unstable")
OLDEST_ASTERISK = (22, 10, 1)
LAYOUT = 1
"""Raise it when the way a tree is made changes: trees made before are then not used any more."""

TRIMMED = ("doc", "man", "locale", "info", "lintian", "bash-completion", "bug", "i18n")
STAMP = "saldo-stamp.json"
LOCK_LIMIT = 1800.0
UNPACK_LIMIT = 120.0
MERGED = ("bin", "sbin", "lib", "lib64")


@dataclass(frozen=True)
class Tree:
    """The unpacked programs; they run from where they lie, for every user who can read them."""

    root: Path

    def program(self, name: str) -> Path:
        """The path of a program such as `asterisk`, `postgres` or `sipp`."""
        of_their_own = (
            *self.root.glob("usr/lib/postgresql/*/bin"),
            self.root / "usr/lib/chromium",
        )
        places = (*of_their_own, *self._plain_places())
        for place in places:
            if (place / name).is_file():
                return place / name
        raise PackagesError(f"{self.root} has no program {name}: delete that folder and try again")

    @property
    def libraries(self) -> Path:
        """The folder of the shared libraries."""
        for libc in self.root.glob("usr/lib/*/libc.so.6"):
            return libc.parent
        raise PackagesError(f"{self.root} has no C library: delete that folder and try again")

    @property
    def library_path(self) -> str:
        """For `LD_LIBRARY_PATH`, where a library names a folder of the whole system's itself."""
        folders = (self.libraries, self.libraries / "pulseaudio")
        return ":".join(str(folder) for folder in folders if folder.is_dir())

    @property
    def loader(self) -> Path:
        """The dynamic loader of the tree's own C library."""
        for loader in sorted(self.libraries.glob("ld-linux*.so.*")):
            return loader
        raise PackagesError(f"{self.root} has no loader: delete that folder and try again")

    @property
    def asterisk_modules(self) -> Path:
        """Where Asterisk's modules lie (`astmoddir`)."""
        return self.libraries / "asterisk" / "modules"

    @property
    def asterisk_data(self) -> Path:
        """Asterisk's own sounds and documentation (`astdatadir`)."""
        return self.root / "usr" / "share" / "asterisk"

    @property
    def baresip_modules(self) -> Path:
        """Where baresip's modules lie (`module_path`)."""
        for folder in (self.libraries / "baresip/modules", self.root / "usr/lib/baresip/modules"):
            if folder.is_dir():
                return folder
        raise PackagesError(f"{self.root} has no baresip: delete that folder and try again")

    @property
    def locales(self) -> Path:
        """The compiled locales (`LOCPATH`)."""
        return self.root / "usr" / "lib" / "locale"

    def versions(self) -> dict[str, str]:
        """Package name to Debian version, as unpacked."""
        return dict(json.loads((self.root / STAMP).read_text())["packages"])

    def _plain_places(self) -> tuple[Path, Path]:
        return (self.root / "usr/bin", self.root / "usr/sbin")


def cache_folder() -> Path:
    """SALDO_CACHE_DIR; else /var/cache/saldo for root, and the user's own cache for others.

    Root's Postgres runs as another user, who cannot read root's home.
    """
    named = os.environ.get("SALDO_CACHE_DIR")
    if named:
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/saldo")
    users = os.environ.get("XDG_CACHE_HOME")
    return (Path(users) if users else Path.home() / ".cache").absolute() / "saldo"


def ensure_tree(progress: SetupProgress, kit: Kit = LAB) -> Tree:
    """The kit's programs, fetched and unpacked if they are not there yet.

    Safe to interrupt at any point and to call side by side: a tree is either whole or not there.
    Raises PackagesError with one sentence that says what to do.
    """
    cache = cache_folder()
    tree = Tree(cache / f"tree-{_key(kit)}")
    if _is_whole(tree):
        return tree
    try:
        if not cache.exists():
            cache.mkdir(parents=True)
            cache.chmod(0o755)  # whatever the umask: root's Postgres runs as another user
        with _alone(cache / "lock", progress):
            if not _is_whole(tree):
                _make(cache, tree, kit, progress)
    except OSError as problem:
        raise PackagesError(
            f"could not write the package cache {cache} ({problem}): "
            "make room or name another folder in SALDO_CACHE_DIR"
        ) from problem
    return tree


def _key(kit: Kit) -> str:
    return hashlib.sha256(repr((kit.packages, LAYOUT)).encode()).hexdigest()[:10]


def _is_whole(tree: Tree) -> bool:
    try:
        stamp = json.loads((tree.root / STAMP).read_text())
    except (OSError, ValueError):
        return False
    # Programs carry the path they were made for: a tree that was moved does not run.
    return bool(stamp.get("root") == str(tree.root))


@contextmanager
def _alone(lock: Path, progress: SetupProgress) -> Iterator[None]:
    until = time.monotonic() + LOCK_LIMIT
    told = False
    with lock.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress.stage("waiting for another set-up that uses the same cache", 1)
                    told = True
                if time.monotonic() > until:
                    raise PackagesError(
                        f"another set-up has held {lock} for {LOCK_LIMIT / 60:.0f} minutes: "
                        "end it and try again"
                    ) from None
                time.sleep(0.2)
        yield


def _make(cache: Path, tree: Tree, kit: Kit, progress: SetupProgress) -> None:
    apt = PrivateApt(cache / "apt")
    chosen = _choose(apt, kit, progress)
    _fetch(apt, kit, chosen, progress)
    staging = Tree(cache / f"{tree.root.name}.unpacking")
    _remove(staging.root)
    staging.root.mkdir()
    staging.root.chmod(0o755)
    for name in MERGED:
        (staging.root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (staging.root / name).symlink_to(f"usr/{name}")
    _unpack(apt, kit, chosen, staging, progress)
    _trim(staging.root)
    _patch(staging, tree, progress)
    _verify(staging, kit)
    (staging.root / STAMP).write_text(
        json.dumps(
            {"root": str(tree.root), "packages": {one.package: one.version for one in chosen}},
            indent=1,
        )
    )
    _remove(tree.root)
    staging.root.rename(tree.root)
    _remove(apt.archives)


def _choose(apt: PrivateApt, kit: Kit, progress: SetupProgress) -> list[Archive]:
    progress.stage("reading Debian's package index", 1)
    refused: PackagesError | None = None
    for suite in SUITES:
        try:
            apt.use_suite(suite)
            chosen = apt.choose(kit.packages)
            if "asterisk" in kit.packages:
                _refuse_old_asterisk(chosen, suite)
        except PackagesError as problem:
            refused = refused or problem
        else:
            progress.advance()
            return chosen
    raise refused or PackagesError("no Debian suite was tried")


def _refuse_old_asterisk(chosen: Sequence[Archive], suite: str) -> None:
    version = next((one.version for one in chosen if one.package == "asterisk"), "0")
    upstream = version.rpartition(":")[2].partition("+")[0].partition("-")[0].partition("~")[0]
    numbers = tuple(int(part) for part in upstream.split(".") if part.isdigit())
    if numbers < OLDEST_ASTERISK:
        oldest = ".".join(map(str, OLDEST_ASTERISK))
        raise PackagesError(
            f"Debian {suite} has Asterisk {version}, older than {oldest}, which closed 20 known "
            "holes: set SALDO_DEBIAN_MIRROR to a mirror that is up to date"
        )


def _fetch(apt: PrivateApt, kit: Kit, chosen: Sequence[Archive], progress: SetupProgress) -> None:
    for archive in chosen:  # apt trusts a file of the right size from an earlier run; we do not
        if not apt.is_whole(archive):
            (apt.archives / archive.file).unlink(missing_ok=True)
    megabytes = sum(archive.size for archive in chosen) / 1e6
    progress.stage(f"fetching {len(chosen)} packages ({megabytes:.0f} MB)", 100)
    shown = 0

    def show(percent: float) -> None:
        nonlocal shown
        progress.advance(max(int(percent) - shown, 0))
        shown = max(int(percent), shown)

    apt.fetch(kit.packages, show)


def _unpack(
    apt: PrivateApt, kit: Kit, chosen: Sequence[Archive], staging: Tree, progress: SetupProgress
) -> None:
    progress.stage(f"unpacking {len(chosen)} packages", len(chosen))

    def unpack(archive: Archive) -> Archive | None:
        whole = apt.is_whole(archive) and _unpack_one(apt.archives / archive.file, staging.root)
        progress.advance()
        return None if whole else archive

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        broken = [archive for archive in pool.map(unpack, chosen) if archive is not None]
    if not broken:
        return
    for archive in broken:
        (apt.archives / archive.file).unlink(missing_ok=True)
    _fetch(apt, kit, chosen, progress)
    for archive in broken:
        if not (apt.is_whole(archive) and _unpack_one(apt.archives / archive.file, staging.root)):
            raise PackagesError(
                f"{archive.file} is damaged, and was again after a second fetch from "
                f"{apt.mirror}: name another mirror in SALDO_DEBIAN_MIRROR"
            )


def _unpack_one(archive: Path, root: Path) -> bool:
    done = subprocess.run(
        ["dpkg", "-x", str(archive), str(root)],
        capture_output=True,
        timeout=UNPACK_LIMIT,
        check=False,
    )
    return done.returncode == 0


def _trim(root: Path) -> None:
    for name in TRIMMED:
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    # The package has the sounds' folder without the name that Asterisk looks for.
    sounds = root / "usr/share/asterisk/sounds"
    if not (sounds / "en").exists():
        for english in sorted(sounds.glob("en_US*")):
            (sounds / "en").symlink_to(english.name)
            break


def _patch(staging: Tree, final: Tree, progress: SetupProgress) -> None:
    """Let every program of the tree find the tree's own loader and libraries."""

    def moved(path: Path) -> Path:
        return final.root / path.relative_to(staging.root)

    programs = list(_programs(staging.root))
    progress.stage(f"preparing {len(programs)} programs", len(programs))
    folders = ":".join(map(str, (moved(staging.libraries), final.root / "usr/lib")))
    patchelf = _patchelf()

    def patch(program: Path) -> None:
        subprocess.run(
            [
                *(patchelf, "--set-interpreter", str(moved(staging.loader))),
                *("--force-rpath", "--set-rpath", folders, str(program)),
            ],
            capture_output=True,
            check=True,
            timeout=UNPACK_LIMIT,
        )
        progress.advance()

    try:
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            list(pool.map(patch, programs))
    except subprocess.CalledProcessError as problem:
        raise PackagesError(
            f"patchelf could not prepare {problem.cmd[-1]}: delete {staging.root} and try again"
        ) from problem


def _patchelf() -> str:
    beside = Path(sys.executable).with_name("patchelf")
    found = str(beside) if beside.is_file() else shutil.which("patchelf")
    if found is None:
        raise PackagesError("patchelf is not installed: install requirements.txt again")
    return found


def _programs(root: Path) -> Iterator[Path]:
    """Every ELF file that names a loader. Takes away set-uid bits: nothing here may gain rights."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                continue
            if about.st_mode & (stat.S_ISUID | stat.S_ISGID):
                path.chmod(about.st_mode & 0o777)
            if about.st_mode & 0o111 and _names_a_loader(path):
                yield path


def _names_a_loader(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4096)
    return start.startswith(b"\x7fELF") and b"/ld-linux" in start


def _verify(staging: Tree, kit: Kit) -> None:
    """Every program we start must find all its libraries inside the tree."""
    for name in kit.programs:
        listing = subprocess.run(
            [
                *(str(staging.loader), "--library-path", staging.library_path, "--list"),
                str(staging.program(name)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        strangers = [
            line.strip()
            for line in listing.stdout.splitlines()
            if "=>" in line and str(staging.root) not in line
        ]
        if listing.returncode != 0 or strangers:
            why = strangers[0] if strangers else listing.stderr.strip()
            raise PackagesError(
                f"{name} does not run from the packages ({why}): try again later, "
                "or with another mirror in SALDO_DEBIAN_MIRROR"
            )


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
