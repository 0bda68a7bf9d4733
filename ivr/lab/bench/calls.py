"""What a paid call costs: CPU seconds of the daemon and of Asterisk, and key to prompt."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from ivr.lab.bench.figures import Figure, at_least, milliseconds, share, silences
from ivr.lab.demo import SCRIPT
from ivr.lab.errors import LabError
from ivr.lab.lab import Lab
from ivr.lab.scenario import play
from ivr.lab.scenario_file import parse
from ivr.lab.scenario_report import Report
from ivr.storage.imports import import_files
from ivr.storage.pool import Database

APART_SECONDS = 0.8
FIRST_ACCOUNT = 900000
LAST_PAYING_STEP = -5
"""in a report: what follows are the expectations of the demo's script"""


async def measure(lab: Lab, calls: int) -> list[Figure]:
    """Place paying calls, one every APART_SECONDS, of customers made for this; their figures.

    Raises LabError, LedgerUnavailable.
    """
    numbers = await _customers(lab, calls)
    before = {part: cpu_seconds(pid) for part, pid in lab.pids.items()}

    async def one(place: int, number: str) -> Report:
        await asyncio.sleep(place * APART_SECONDS)
        account = str(FIRST_ACCOUNT + place)
        script = SCRIPT.read_text(encoding="utf-8").replace("INVOICE", number)
        script = script.replace("1087#", f"{account}#").replace("28087", "28001")
        return await play(parse(script, SCRIPT.name), lab)

    reports = await asyncio.gather(*(one(*each) for each in enumerate(numbers)))
    spent = {part: (cpu_seconds(pid) - before[part]) / calls for part, pid in lab.pids.items()}
    key_to_prompt = [ms / 1000 for report in reports for ms in report.key_to_prompt_ms]
    on_the_line = sum(report.steps[LAST_PAYING_STEP].at or 0.0 for report in reports) / calls
    return [
        share("calls paid", sum(report.passed for report in reports), calls, at_least(1.0)),
        silences([report.dead_air for report in reports]),
        Figure("on the line, a call", round(on_the_line, 1), "s", None, calls),
        *(
            Figure(f"processor, a call: {part}", round(seconds, 3), "s", None, calls)
            for part, seconds in spent.items()
        ),
        milliseconds("last key to the prompt", key_to_prompt, 0.5),
        milliseconds("last key to the prompt", key_to_prompt, 0.99),
    ]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its ended children, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


async def _customers(lab: Lab, count: int) -> list[str]:
    """One line, suspended for it, and one new invoice each; the invoices' numbers."""
    stamp = os.urandom(4).hex().upper()
    accounts = [str(FIRST_ACCOUNT + place) for place in range(count)]
    numbers = [f"BENCH-{stamp}-{account}" for account in accounts]
    tables = {
        "customers": ["external_id,account_number,kind,name,language,postal_code"]
        + [f"B{account},{account},person,Bench Caller,en,28001" for account in accounts],
        "services": ["external_id,customer,label,number,status,suspended_for"]
        + [f"B{account}-1,B{account},the line,,suspended,non-payment" for account in accounts],
        "invoices": ["number,service,amount,currency,paid,due_date"]
        + [
            f"{number},B{account}-1,42.50,EUR,0.00,2026-09-30"
            for number, account in zip(numbers, accounts, strict=True)
        ],
    }
    database = await Database.open(lab.postgres, size=1, application="saldo-bench")
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, f"{kind}.csv") for kind in tables]
            for file, lines in zip(files, tables.values(), strict=True):
                file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            report = await import_files(database, files)
    finally:
        await database.close()
    if not report.ok:
        raise LabError("the bench's customers were refused:\n" + "\n".join(report.lines()))
    return numbers
