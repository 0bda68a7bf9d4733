"""A private apt: chooses, fetches and checks Debian's signed packages for any user, root or not."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

UPDATE_LIMIT = 300.0
FETCH_LIMIT = 1800.0
MIRROR_VARIABLE = "SALDO_DEBIAN_MIRROR"
OWN_SERVERS = "or name a PBX and a database of your own in saldo.toml"
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_RELEASE_LINE = re.compile(r"^'(?P<site>\S+?/)dists/(?P<suite>[^/']+)/InRelease'", re.MULTILINE)
_PACKAGE_LINE = re.compile(
    r"^'\S+' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$", re.MULTILINE
)


class PackagesError(Exception):
    """The native programs could not be set up; the text is one sentence that says what to do."""


@dataclass(frozen=True)
class Archive:
    """One package file as the signed index describes it."""

    file: str
    size: int
    sha256: str

    @property
    def package(self) -> str:
        """Its package name, such as `asterisk-modules`."""
        return self.file.split("_", 1)[0]

    @property
    def version(self) -> str:
        """Its Debian version, epoch included, such as `1:22.10.1+dfsg-1`."""
        return unquote(self.file.split("_")[1])


class PrivateApt:
    """apt with state, cache and an empty status file of its own inside `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archives = folder / "cache" / "archives"
        self._config = folder / "apt.conf"
        for need in ("apt-get", "apt-config", "dpkg"):
            if shutil.which(need) is None:
                raise PackagesError(
                    f"this machine has no {need}: run on a Debian-like system, {OWN_SERVERS}"
                )
        self.mirror = find_mirror()
        self._keyring = find_keyring()

    def use_suite(self, suite: str) -> None:
        """Read the index of `suite` from the mirror; its signature is checked."""
        lists = self.folder / "state" / "lists" / "partial"
        for needed in (lists, self.archives / "partial"):
            needed.mkdir(parents=True, exist_ok=True)
        (self.folder / "status").write_bytes(b"")
        (self.folder / "sources.list").write_text(
            f"deb [signed-by={self._keyring}] {self.mirror} {suite} main\n"
        )
        self._write_config()
        what = f"the package index of Debian {suite}"
        self._run(["update"], limit=UPDATE_LIMIT, what=what)

    def choose(self, packages: Sequence[str]) -> list[Archive]:
        """Everything that `packages` and what they depend on need, nothing taken as installed."""
        nothing_there = self.folder / "nothing"
        (nothing_there / "partial").mkdir(parents=True, exist_ok=True)
        listing = self._run(
            ["install", "--print-uris", "-qq", *packages],
            limit=UPDATE_LIMIT,
            what="the list of packages",
            options=[f"Dir::Cache::archives={nothing_there}"],
        )
        chosen = [
            Archive(found["file"], int(found["size"]), found["sha256"])
            for found in _PACKAGE_LINE.finditer(listing)
        ]
        if not chosen:
            raise PackagesError(f"apt chose no packages from {self.mirror}: try another mirror")
        return chosen

    def fetch(self, packages: Sequence[str], on_percent: Callable[[float], None]) -> None:
        """Download what `choose` named and is not there yet; apt checks every hash."""
        reading, writing = os.pipe()
        reporter = threading.Thread(target=_report_percent, args=(reading, on_percent), daemon=True)
        reporter.start()
        try:
            self._run(
                ["install", "--download-only", "-qq", *packages],
                limit=FETCH_LIMIT,
                what="the packages",
                options=[f"APT::Status-Fd={writing}"],
                keep_open=(writing,),
            )
        finally:
            os.close(writing)
            reporter.join(timeout=10)

    def is_whole(self, archive: Archive) -> bool:
        """Whether the file on disk is the one that the signed index promised."""
        try:
            with (self.archives / archive.file).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == archive.sha256
        except FileNotFoundError:
            return False

    def _write_config(self) -> None:
        # The machine's own configuration is left out (its hooks are root's), but how it reaches
        # the network (proxy, certificates) is kept. 0600: a proxy address may hold a password.
        reach = subprocess.run(
            ["apt-config", "dump"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
        kept = [line for line in reach.splitlines() if line.startswith("Acquire::")]
        own = [
            f'Dir::State "{self.folder}/state";',
            f'Dir::State::status "{self.folder}/status";',
            f'Dir::Cache "{self.folder}/cache";',
            f'Dir::Etc::sourcelist "{self.folder}/sources.list";',
            'Dir::Etc::sourceparts "/dev/null";',
            'Dir::Etc::preferences "/dev/null";',
            'Dir::Etc::preferencesparts "/dev/null";',
            'Dir::Etc::main "/dev/null";',
            'Dir::Etc::parts "/dev/null";',
            'APT::Install-Recommends "false";',
            'APT::Sandbox::User "";',
            'APT::Get::Assume-Yes "true";',
            'APT::Update::Error-Mode "any";',
            'Acquire::Check-Valid-Until "false";',
            'Acquire::AllowInsecureRepositories "false";',
            'Acquire::ForceHash "SHA256";',
            'Acquire::Languages "none";',
            'Acquire::Retries "2";',
            'Acquire::http::Timeout "20";',
            'Acquire::https::Timeout "20";',
        ]
        self._config.touch(mode=0o600)
        self._config.write_text("\n".join([*kept, *own, ""]))

    def _run(
        self,
        command: list[str],
        *,
        limit: float,
        what: str,
        options: Sequence[str] = (),
        keep_open: tuple[int, ...] = (),
    ) -> str:
        # If we are killed, apt ends too: it would hold its lock against the next attempt.
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        arguments = [
            *tied,
            "apt-get",
            *(part for option in options for part in ("-o", option)),
            *command,
        ]
        environment = {**os.environ, "APT_CONFIG": str(self._config), "LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(
                arguments,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                pass_fds=keep_open,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PackagesError(self._could_not(what, f"no end after {limit:.0f} s")) from None
        if done.returncode != 0:
            raise PackagesError(self._could_not(what, _first_complaint(done.stderr)))
        return done.stdout

    def _could_not(self, what: str, why: str) -> str:
        return (
            f"could not fetch {what} from {self.mirror} ({why}): check the network, "
            f"name another Debian mirror in {MIRROR_VARIABLE}, {OWN_SERVERS}"
        )


def find_mirror() -> str:
    """The Debian mirror that this machine's apt already uses, or SALDO_DEBIAN_MIRROR."""
    named = os.environ.get(MIRROR_VARIABLE, "").strip()
    if named:
        if not re.match(r"^[a-z+]+:/", named):
            raise PackagesError(
                f"{MIRROR_VARIABLE} is {named!r}: give an address that begins with http:// "
                "or https:// and has a folder named dists"
            )
        return named
    # Asks apt for the addresses without fetching; works where no index was ever downloaded.
    listing = subprocess.run(
        ["apt-get", "update", "--print-uris"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    mirror = choose_mirror(listing, release)
    if mirror is None:
        raise PackagesError(
            "this machine's apt names no Debian mirror: "
            f"set {MIRROR_VARIABLE} to one, {OWN_SERVERS}"
        )
    return mirror


def choose_mirror(listing: str, release: dict[str, str]) -> str | None:
    """The site in apt's `listing` that carries this Debian release; None on another system."""
    if release.get("ID") != "debian":
        return None
    own = release.get("VERSION_CODENAME", "")
    names = [name for name in (own, "stable", "testing", "unstable", "sid") if name]
    sites = {found["suite"]: found["site"] for found in _RELEASE_LINE.finditer(listing)}
    return next((sites[name] for name in names if name in sites), None)


def find_keyring() -> Path:
    """Debian's archive keys on this machine: no package is taken without their signature."""
    for keyring in KEYRINGS:
        if keyring.is_file():
            return keyring
    raise PackagesError(
        f"Debian's archive keys are not in {KEYRINGS[0]}: "
        "install the package debian-archive-keyring and try again"
    )


def _report_percent(reading: int, on_percent: Callable[[float], None]) -> None:
    with os.fdopen(reading, errors="replace") as lines:
        for line in lines:
            if line.startswith("dlstatus:"):
                on_percent(float(line.split(":")[2]))


def _first_complaint(stderr: str) -> str:
    complaints = [line for line in stderr.splitlines() if line.startswith(("E:", "W:"))]
    # "E: " lines of the fetch itself come before the general one at the end.
    return re.sub(r"\s+", " ", complaints[0][2:]).strip() if complaints else "apt gave no reason"
