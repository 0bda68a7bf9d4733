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
from ivr.lab.leaktest import planted
from ivr.lab.packages import Tree, ensure_tree
from ivr.lab.pbx import PbxInfo
from ivr.lab.processes import ProcessId
from ivr.lab.progress import SetupProgress, SilentProgress
from ivr.storage.imports import import_files
from ivr.storage.pool import Database

RECORDED = "recorded"
LISTENER = "leaktest-listener"
POSTAL_CODE = "28013"
FIRST_ACCOUNT, FIRST_BANK_CUSTOMER = 5001, 7001
MANDATE_PHONE = "1-800-555-0100"
CURRENCY, BANK_CURRENCY = "EUR", "USD"
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

    def company(self) -> dict[str, str]:
        """The environment in which all that may see a card is on: recordings, accounts, pay page.

        Outside production no account is taken but published ones, of which none can be told from
        other digits: the lab's own programs take canaries for published (planted.py).
        """
        folder = self.folder / "plant"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sitecustomize.py").write_text(planted.source(), encoding="ascii")
        return {
            "SALDO_RECORDINGS__ON": "true",
            "SALDO_RECORDINGS__FOLDER": str(self.folder / RECORDED),
            "SALDO_RECORDINGS__KEY": self.secret,
            "SALDO_PAYMENTS__METHODS": '["card", "bank-account"]',
            "SALDO_BANK_ACCOUNTS__PHONE": MANDATE_PHONE,
            "SALDO_BANK_ACCOUNTS__CURRENCIES": f'["{BANK_CURRENCY}"]',
            "SALDO_PAY_PAGE__URL": "http://127.0.0.1",
            "SALDO_PAY_PAGE__KEY": self.secret,
            "PYTHONPATH": str(folder),
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
        """So many people who pay by card, and as many by bank account. Raises LabError.

        One invoice each, a third of them Spanish, with a telephone and an address for messages.
        """
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


def bank_customer(place: int) -> str:
    """The same of a customer whose bill may be paid from a bank account."""
    return str(FIRST_BANK_CUSTOMER + place)


def invoice(number: str) -> str:
    """The one invoice of the customer of this account number."""
    return f"LEAK-{number}"


def language(place: int) -> str:
    """The language of that customer."""
    return "es" if place % 3 == 2 else "en"  # noqa: PLR2004 - every third


def _written(folder: Path, count: int) -> list[Path]:
    customers: list[tuple[str, ...]] = [
        (
            *("external_id", "account_number", "kind", "name", "language", "postal_code"),
            *("phone", "email"),
        )
    ]
    services: list[tuple[str, ...]] = [("external_id", "customer", "label", "number", "status")]
    invoices: list[tuple[str, ...]] = [
        ("number", "service", "amount", "currency", "paid", "due_date")
    ]
    for number, place, currency in (
        *((account(place), place, CURRENCY) for place in range(count)),
        *((bank_customer(place), place, BANK_CURRENCY) for place in range(count)),
    ):
        one, tongue = f"L{number}", language(place)
        name = "Carmen Vega" if tongue == "es" else "Alice Brown"
        reached = (f"+3466{int(number):07d}", f"{one}@saldo.example")
        customers.append((one, number, "person", name, tongue, POSTAL_CODE, *reached))
        line = f"+3491{int(number):07d}"
        services.append((f"{one}-1", one, "the house line", line, "active"))
        invoices.append((invoice(number), f"{one}-1", AMOUNT, currency, "0.00", "2026-09-30"))
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
