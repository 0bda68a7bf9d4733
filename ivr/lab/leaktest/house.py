"""The leak test's own telephone company: started, broken, listened to and controlled here."""

from __future__ import annotations

import contextlib
import csv
import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ivr import settings
from ivr.lab import database, pbx
from ivr.lab import lab as laboratory
from ivr.lab.database import DatabaseInfo
from ivr.lab.errors import LabError
from ivr.lab.packages import Tree, ensure_tree
from ivr.lab.pbx import PbxInfo
from ivr.lab.processes import ProcessId
from ivr.lab.progress import SetupProgress, SilentProgress
from ivr.storage.imports import import_files
from ivr.storage.pool import Database

RECORDED = "recorded"
LISTENER = "leaktest-listener"
POSTAL_CODE = "28013"
FIRST_ACCOUNT = 5001
CONTROL_SECONDS = 15.0
AMOUNT = "12.34"

T = TypeVar("T")


@dataclass
class House:
    """One lab in a folder of its own; `close` removes it."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """for the lab's processes only, never for the telephones"""
    secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    """of the manager user that may read everything"""

    def open(self, more: Mapping[str, str], progress: SetupProgress | None = None) -> None:
        """Start what does not run; `more` is added to the environment. Raises as `lab.up`."""
        tempfile.gettempdir()  # the telephones keep the usual folder
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True, mode=0o700)
        self.environment = {**self.environment, **more, "TMPDIR": str(self.folder / "tmp")}
        with _environment(self.environment):
            loaded = settings.load()
            self.lab = laboratory.up(self.folder, loaded, progress or SilentProgress())
        self._let_in_the_listener()

    def recording(self) -> dict[str, str]:
        """The environment in which Saldo records every call."""
        return {
            "SALDO_RECORDINGS__ON": "true",
            "SALDO_RECORDINGS__FOLDER": str(self.folder / RECORDED),
            "SALDO_RECORDINGS__KEY": self.secret,
        }

    def restart(self, more: Mapping[str, str]) -> None:
        """Stop everything and start it again with more in its environment."""
        laboratory.down(self.folder)
        self.open(more)

    def close(self) -> None:
        """Stop everything; the database and its files are removed."""
        laboratory.down(self.folder)
        database.remove(self.folder)

    @property
    def tree(self) -> Tree:
        return ensure_tree(SilentProgress())

    @property
    def pbx(self) -> PbxInfo:
        return _there(pbx.running(self.folder))

    @property
    def database(self) -> DatabaseInfo:
        return _there(database.running(self.folder))

    @property
    def logs(self) -> Path:
        return self.pbx.logs

    def control(self, *commands: str) -> str:
        """What Asterisk's own command line says. Raises LabError."""
        said = []
        for command in commands:
            asked = [self.tree.program("asterisk"), "-C", self.pbx.config / "asterisk.conf"]
            try:
                done = subprocess.run(
                    [*map(str, asked), "-rx", command],
                    capture_output=True,
                    timeout=CONTROL_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise LabError(f"Asterisk did not answer to “{command}” in time") from None
            said.append(done.stdout.decode(errors="replace"))
        return "".join(said)

    def kill(self, part: str) -> None:
        """kill -9 of serve, capture, asterisk, postgres or gateway, and wait until it is gone."""
        pid = laboratory.status(self.folder)[part]
        process = ProcessId.of(pid) if pid else None
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
            while process.alive:
                pass

    def pids(self) -> set[int]:
        """The lab's processes that run now; what they started is not among them."""
        found = laboratory.status(self.folder).values()
        return {pid for pid in found if pid}

    def mend_database(self) -> None:
        """Start Postgres again, and nothing else."""
        database.start(self.folder, self.tree)

    async def take_in_customers(self, count: int) -> None:
        """So many people with one invoice each, every third of them Spanish. Raises LabError."""
        opened = await Database.open(self.lab.postgres, size=2, application="saldo-leaktest")
        try:
            with tempfile.TemporaryDirectory() as folder:
                report = await import_files(opened, _written(Path(folder), count))
        finally:
            await opened.close()
        if not report.ok:
            raise LabError("the leak test's customers were refused: " + "; ".join(report.lines()))

    def _let_in_the_listener(self) -> None:
        """A manager user with all rights: what it is told is searched."""
        file = self.pbx.config / "manager.conf"
        text = file.read_text(encoding="utf-8")
        if LISTENER not in text:
            user = f"\n[{LISTENER}]\nsecret = {self.secret}\nread = all\nwrite = all\n"
            file.write_text(text + user, encoding="utf-8")
            self.control("manager reload")


def account(place: int) -> str:
    """The account number of a customer of the leak test, counted from 0."""
    return str(FIRST_ACCOUNT + place)


def language(place: int) -> str:
    """The language of that customer."""
    return "es" if place % 3 == 2 else "en"  # noqa: PLR2004 - every third


def _written(folder: Path, count: int) -> list[Path]:
    customers: list[tuple[str, ...]] = [
        ("external_id", "account_number", "kind", "name", "language", "postal_code")
    ]
    services: list[tuple[str, ...]] = [("external_id", "customer", "label", "number", "status")]
    invoices: list[tuple[str, ...]] = [
        ("number", "service", "amount", "currency", "paid", "due_date")
    ]
    for place in range(count):
        one = f"L{account(place)}"
        name = "Carmen Vega" if language(place) == "es" else "Alice Brown"
        customers.append((one, account(place), "person", name, language(place), POSTAL_CODE))
        services.append((f"{one}-1", one, "the house line", f"+3491{place:07d}", "active"))
        invoices.append((f"LEAK-{place}", f"{one}-1", AMOUNT, "EUR", "0.00", "2026-09-30"))
    files = []
    for kind, rows in (("customers", customers), ("services", services), ("invoices", invoices)):
        file = folder / f"{kind}.csv"
        with file.open("w", encoding="utf-8", newline="") as written:
            csv.writer(written).writerows(rows)
        files.append(file)
    return files


@contextlib.contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _there(found: T | None) -> T:
    if found is None:
        raise LabError("a part of the leak test's lab has stopped: run it again")
    return found
